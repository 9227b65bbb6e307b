/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and responses: lines of KEY=VALUE, one table for each direction. */
#include "policyline.h"

#include <stdio.h>

/* ---- lines -------------------------------------------------------------- */

enum kind { KIND_TEXT, KIND_YES_NO, KIND_TRUE_FALSE, KIND_RESULT };

struct key {
    const char *name;
    enum kind kind;
    size_t offset; /* of a struct span, or of a bool */
    bool required;
};

struct table {
    const char *what; /* "policy request" */
    const struct key *keys;
    size_t n;
    bool ignores_unknown;
};

#define REQUEST(field)  offsetof(struct policyline_request, field)
#define RESPONSE(field) offsetof(struct policyline_response, field)

static const struct key request_keys[] = {
        {"source", KIND_TEXT, REQUEST(source), true},
        {"intended_target", KIND_TEXT, REQUEST(target), true},
        {"service_and_arg", KIND_TEXT, REQUEST(service), true},
        {"requested_source", KIND_TEXT, REQUEST(requested_source), false},
        {"assume_yes_for_ask", KIND_YES_NO, REQUEST(assume_yes), false},
        {"just_evaluate", KIND_YES_NO, REQUEST(just_evaluate), false},
};
static const struct table request_table = {
        "policy request", request_keys, ARRAY_LEN(request_keys), false};

/* Order of upstream's own answer; "required" is said of an allow. */
static const struct key response_keys[] = {
        {"user", KIND_TEXT, RESPONSE(user), true},
        {"result", KIND_RESULT, RESPONSE(allow), true},
        {"target", KIND_TEXT, RESPONSE(target), true},
        {"target_uuid", KIND_TEXT, RESPONSE(target_uuid), false},
        {"autostart", KIND_TRUE_FALSE, RESPONSE(autostart), true},
        {"requested_target", KIND_TEXT, RESPONSE(requested_target), true},
        {"service", KIND_TEXT, RESPONSE(service), false},
        {"policy_source", KIND_TEXT, RESPONSE(policy_source), false},
        {"reason", KIND_TEXT, RESPONSE(reason), false},
};
static const struct table response_table = {
        "policy response", response_keys, ARRAY_LEN(response_keys), true};

#define RESULT_KEY 1
#define REASON_KEY 8
_Static_assert(ARRAY_LEN(response_keys) == REASON_KEY + 1, "last key");

static const char *const flags[][2] = {
        [KIND_YES_NO] = {"no", "yes"},
        [KIND_TRUE_FALSE] = {"False", "True"},
        [KIND_RESULT] = {"deny", "allow"},
};

static bool is_printable(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
            return false;
    }
    return true;
}

static int parse_value(const struct table *t, const struct key *k,
        struct span value, void *ret, struct err *err)
{
    uint8_t *field = (uint8_t *)ret + k->offset;
    char safe[32];

    if (k->kind == KIND_TEXT) {
        memcpy(field, &value, sizeof(value));
        return 0;
    }
    for (size_t i = 0; i < 2; i++) {
        if (span_eq_str(value, flags[k->kind][i])) {
            *(bool *)(void *)field = i == 1;
            return 0;
        }
    }
    text_format_safe(value, safe, sizeof(safe));
    return err_set(err, ERR_SYNTAX, "%s: %s is '%s', not %s or %s", t->what,
            k->name, safe, flags[k->kind][1], flags[k->kind][0]);
}

static int parse_line(const struct table *t, struct span line, unsigned *seen,
        void *ret, struct err *err)
{
    const uint8_t *eq = memchr(line.ptr, '=', line.len);
    size_t name = eq ? (size_t)(eq - line.ptr) : line.len;
    char safe[32];

    text_format_safe(SPAN(line.ptr, name), safe, sizeof(safe));
    if (!is_printable(line))
        return err_set(err, ERR_SYNTAX,
                "%s: a byte of the line '%s' is no printable ASCII", t->what,
                safe);
    if (!eq)
        return err_set(
                err, ERR_SYNTAX, "%s: line '%s' has no '='", t->what, safe);
    for (size_t i = 0; i < t->n; i++) {
        if (!span_eq_str(SPAN(line.ptr, name), t->keys[i].name))
            continue;
        if (*seen >> i & 1)
            return err_set(err, ERR_SYNTAX, "%s: %s comes twice", t->what,
                    t->keys[i].name);
        *seen |= 1u << i;
        return parse_value(
                t, &t->keys[i], SPAN(eq + 1, line.len - name - 1), ret, err);
    }
    if (t->ignores_unknown)
        return 0;
    return err_set(err, ERR_SYNTAX, "%s: unknown key '%s'", t->what, safe);
}

/* Lines up to an empty one; what stands behind that is an error. */
static int parse_lines(const struct table *t, struct span text, unsigned *seen,
        void *ret, struct err *err)
{
    struct text_lines lines = text_lines_of(text);
    struct span line;

    while (text_next_line(&lines, &line)) {
        int r;

        if (line.len == 0) {
            if (lines.left > 0)
                return err_set(err, ERR_SYNTAX,
                        "%s: bytes behind the empty line", t->what);
            break;
        }
        r = parse_line(t, line, seen, ret, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_required(const struct table *t, unsigned seen, struct err *err)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->keys[i].required && !(seen >> i & 1))
            return err_set(
                    err, ERR_SYNTAX, "%s: no %s", t->what, t->keys[i].name);
    }
    return 0;
}

/* ---- writing ------------------------------------------------------------ */

struct out {
    char *ptr;
    size_t cap, len;
    bool full;
};

static void put(struct out *o, struct span s)
{
    if (s.len > o->cap - o->len) {
        o->full = true;
        return;
    }
    if (s.len > 0)
        memcpy(o->ptr + o->len, s.ptr, s.len);
    o->len += s.len;
}

/* False when the value cannot stand on a line. */
static bool put_key(struct out *o, const struct key *k, const void *from)
{
    const uint8_t *field = (const uint8_t *)from + k->offset;
    struct span value;

    if (k->kind == KIND_TEXT)
        memcpy(&value, field, sizeof(value));
    else
        value = span_str(flags[k->kind][*(const bool *)(const void *)field]);
    put(o, span_str(k->name));
    put(o, span_str("="));
    put(o, value);
    put(o, span_str("\n"));
    return is_printable(value);
}

/* Is a field that may be left out left out? */
static bool is_unset(const struct key *k, const void *from)
{
    const uint8_t *field = (const uint8_t *)from + k->offset;
    struct span value;

    if (k->required)
        return false;
    if (k->kind != KIND_TEXT)
        return !*(const bool *)(const void *)field;
    memcpy(&value, field, sizeof(value));
    return value.len == 0;
}

static int finish(const struct table *t, const struct out *o, bool printable,
        size_t *ret_len, struct err *err)
{
    if (!printable)
        return err_set(
                err, ERR_SYNTAX, "%s: a value is no printable ASCII", t->what);
    if (o->full)
        return err_set(err, ERR_LIMIT, "%s: over %zu bytes", t->what, o->cap);
    *ret_len = o->len;
    return 0;
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- request ------------------------------------------------------------ */

size_t policyline_request_end(struct span text)
{
    const uint8_t *end;

    if (text.len > 0 && text.ptr[0] == '\n')
        return 1;
    end = memmem(text.ptr, text.len, "\n\n", 2);
    return end ? (size_t)(end - text.ptr) + 2 : 0;
}

int policyline_request_parse(
        struct span text, struct policyline_request *ret, struct err *err)
{
    struct policyline_request got = {.assume_yes = false};
    unsigned seen = 0;
    int r;

    if (text.len > POLICYLINE_REQUEST_MAX)
        return err_set(err, ERR_LIMIT, "policy request: over %d bytes",
                POLICYLINE_REQUEST_MAX);
    r = parse_lines(&request_table, text, &seen, &got, err);
    if (r == 0)
        r = check_required(&request_table, seen, err);
    if (r < 0)
        return r;
    *ret = got;
    return 0;
}

int policyline_request_format(const struct policyline_request *r, char *ret,
        size_t cap, size_t *ret_len, struct err *err)
{
    struct out o = {.ptr = ret, .cap = min(cap, POLICYLINE_REQUEST_MAX)};
    bool printable = true;

    for (size_t i = 0; i < ARRAY_LEN(request_keys); i++) {
        if (!is_unset(&request_keys[i], r))
            printable &= put_key(&o, &request_keys[i], r);
    }
    put(&o, span_str("\n"));
    return finish(&request_table, &o, printable, ret_len, err);
}

/* ---- response ----------------------------------------------------------- */

#define ONLY(key) (1u << (key))

static int check_response(unsigned seen, bool just_evaluate,
        struct policyline_response *got, struct err *err)
{
    unsigned of_allow = ~(ONLY(RESULT_KEY) | ONLY(REASON_KEY));

    if (!(seen & ONLY(RESULT_KEY)))
        return err_set(err, ERR_SYNTAX, "policy response: no result");
    if ((!got->allow || just_evaluate) && (seen & of_allow))
        return err_set(err, ERR_SYNTAX,
                "policy response: a result=%s has keys of a call's allow",
                got->allow ? "allow" : "deny");
    if (got->allow && (seen & ONLY(REASON_KEY)))
        return err_set(err, ERR_SYNTAX,
                "policy response: a result=allow has a reason");
    if (!got->allow || just_evaluate)
        return 0;
    got->has_target = true;
    if (got->target.len == 0 || got->user.len == 0)
        return err_set(err, ERR_SYNTAX, "policy response: no %s",
                got->user.len ? "target" : "user");
    return check_required(&response_table, seen, err);
}

int policyline_response_parse(struct span text, bool just_evaluate,
        struct policyline_response *ret, struct err *err)
{
    struct policyline_response got = {.allow = false};
    unsigned seen = 0;
    int r;

    if (text.len == 0)
        return err_set(err, ERR_SYNTAX, "policy response: none");
    if (text.len > POLICYLINE_RESPONSE_MAX)
        return err_set(err, ERR_LIMIT, "policy response: over %d bytes",
                POLICYLINE_RESPONSE_MAX);
    r = parse_lines(&response_table, text, &seen, &got, err);
    if (r == 0)
        r = check_response(seen, just_evaluate, &got, err);
    if (r < 0)
        return r;
    *ret = got;
    return 0;
}

int policyline_response_format(const struct policyline_response *r, char *ret,
        size_t cap, size_t *ret_len, struct err *err)
{
    struct out o = {.ptr = ret, .cap = min(cap, POLICYLINE_RESPONSE_MAX)};
    bool printable = true;

    for (size_t i = 0; i < ARRAY_LEN(response_keys); i++) {
        const struct key *k = &response_keys[i];
        bool said = i == RESULT_KEY ||
                    (i == REASON_KEY ? !r->allow : r->has_target);

        if (said && !is_unset(k, r))
            printable &= put_key(&o, k, r);
    }
    return finish(&response_table, &o, printable, ret_len, err);
}

size_t policyline_deny(const char *reason, char ret[static POLICYLINE_DENY_MAX])
{
    char safe[POLICYLINE_DENY_MAX - 32];
    int n;

    text_format_safe(span_str(reason), safe, sizeof(safe));
    n = snprintf(ret, POLICYLINE_DENY_MAX, "result=deny\nreason=%s\n", safe);
    return (size_t)n;
}
