/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_batch.h"

#include "buf.h"
#include "cli_json.h"
#include "policy.h"

#include <stdlib.h>

/* A line of more is answered with a deny: it is no policy a person wrote. */
#define LINE_MAX_BYTES (16u << 20)

/* What one line holds; everything points into the document. */
struct job {
    struct policy_file *files, *compat;
    size_t n_files, n_compat;
    struct policy_qube *qubes;
    struct span *tags;
    size_t n_qubes;
    struct policy_request request;
    struct policy *policy;
    struct policy_system *system;
};

static void job_fini(struct job *j)
{
    free(j->files);
    free(j->compat);
    free(j->qubes);
    free(j->tags);
    policy_free(j->policy);
    policy_system_free(j->system);
}

static void json_free_ptr(json_t **j)
{
    json_decref(*j);
}

/* ---- reading ---------------------------------------------------------------
 */

/* A string; absent and null are empty when optional. */
static int get_text(const json_t *obj, const char *key, bool optional,
        struct span *ret, struct err *err)
{
    const json_t *v = json_object_get(obj, key);

    if (optional && (!v || json_is_null(v))) {
        *ret = SPAN_EMPTY;
        return 0;
    }
    if (!json_is_string(v))
        return err_set(err, ERR_SYNTAX, "'%s' is not a text", key);
    *ret = SPAN(json_string_value(v), json_string_length(v));
    return 0;
}

static int get_flag(
        const json_t *obj, const char *key, bool *ret, struct err *err)
{
    const json_t *v = json_object_get(obj, key);

    if (v && !json_is_null(v) && !json_is_boolean(v))
        return err_set(err, ERR_SYNTAX, "'%s' is not true or false", key);
    *ret = json_is_true(v);
    return 0;
}

static int get_files(const json_t *line, const char *key, bool optional,
        struct policy_file **ret, size_t *ret_n, struct err *err)
{
    json_t *obj = json_object_get(line, key), *v;
    struct policy_file *files;
    const char *name;
    size_t n = 0;

    if (optional && (!obj || json_is_null(obj)))
        return 0;
    if (!json_is_object(obj))
        return err_set(err, ERR_SYNTAX, "'%s' is not an object", key);
    files = calloc(json_object_size(obj) + 1, sizeof(*files));
    if (!files)
        return err_set(err, ERR_MEMORY, "out of memory");
    *ret = files;
    json_object_foreach (obj, name, v) {
        if (!json_is_string(v))
            return err_set(err, ERR_SYNTAX, "'%s': a file is not a text", key);
        files[n++] = (struct policy_file){.name = span_str(name),
                .text = SPAN(json_string_value(v), json_string_length(v))};
    }
    *ret_n = n;
    return 0;
}

static int get_tags(const json_t *domain, struct span *tags,
        struct policy_qube *ret, struct err *err)
{
    const json_t *list = json_object_get(domain, "tags"), *v;
    size_t i;

    if (!list || json_is_null(list))
        return 0;
    if (!json_is_array(list))
        return err_set(err, ERR_SYNTAX, "'tags' is not a list");
    ret->tags = tags;
    json_array_foreach (list, i, v) {
        if (!json_is_string(v))
            return err_set(err, ERR_SYNTAX, "a tag is not a text");
        tags[ret->n_tags++] = SPAN(json_string_value(v), json_string_length(v));
    }
    return 0;
}

static int get_qube(const char *name, const json_t *domain, struct span *tags,
        struct policy_qube *ret, struct err *err)
{
    const struct {
        const char *key;
        struct span *value;
    } texts[] = {
            {"type", &ret->type},
            {"uuid", &ret->uuid},
            {"default_dispvm", &ret->default_dispvm},
            {"guivm", &ret->guivm},
            {"relayvm", &ret->relayvm},
            {"transport_rpc", &ret->transport_rpc},
            {"zone", &ret->zone},
            {"remote_name", &ret->remote_name},
    };
    struct span state;
    int r = 0;

    if (!json_is_object(domain))
        return err_set(err, ERR_SYNTAX, "a domain is not an object");
    ret->name = span_str(name);
    for (size_t i = 0; i < ARRAY_LEN(texts) && r == 0; i++)
        r = get_text(domain, texts[i].key, true, texts[i].value, err);
    if (r == 0)
        r = get_flag(domain, "template_for_dispvms", &ret->template_for_dispvms,
                err);
    if (r == 0)
        r = get_flag(domain, "internal", &ret->internal, err);
    if (r == 0)
        r = get_text(domain, "power_state", true, &state, err);
    if (r < 0)
        return r;
    ret->running = span_eq_str(state, "Running");
    return get_tags(domain, tags, ret, err);
}

static int get_qubes(struct job *j, const json_t *line, struct err *err)
{
    json_t *domains, *v;
    size_t n_tags = 0;
    const char *name;
    int r;

    domains = json_object_get(json_object_get(line, "system_info"), "domains");
    if (!json_is_object(domains))
        return err_set(err, ERR_SYNTAX, "no 'system_info' with 'domains'");
    json_object_foreach (domains, name, v) {
        n_tags += json_array_size(json_object_get(v, "tags"));
    }
    j->qubes = calloc(json_object_size(domains) + 1, sizeof(*j->qubes));
    j->tags = calloc(n_tags + 1, sizeof(*j->tags));
    if (!j->qubes || !j->tags)
        return err_set(err, ERR_MEMORY, "out of memory");
    n_tags = 0;
    json_object_foreach (domains, name, v) {
        r = get_qube(name, v, j->tags + n_tags, &j->qubes[j->n_qubes], err);
        if (r < 0) {
            char safe[64];

            text_format_safe(span_str(name), safe, sizeof(safe));
            return err_prefix(err, r, "domain '%s'", safe);
        }
        n_tags += j->qubes[j->n_qubes++].n_tags;
    }
    return 0;
}

static int get_job(struct job *j, const json_t *line, struct err *err)
{
    int r = get_files(line, "files", false, &j->files, &j->n_files, err);

    if (r == 0)
        r = get_files(line, "compat", true, &j->compat, &j->n_compat, err);
    if (r == 0)
        r = get_qubes(j, line, err);
    if (r == 0)
        r = get_text(line, "source", false, &j->request.source, err);
    if (r == 0)
        r = get_text(line, "target", false, &j->request.target, err);
    if (r == 0)
        r = get_text(line, "service", false, &j->request.service, err);
    if (r == 0)
        r = get_text(line, "requested_source", true,
                &j->request.requested_source, err);
    return r;
}

/* ---- answering -------------------------------------------------------------
 */

/* Policy texts are ASCII where they end up here; json_stringn checks again. */
static json_t *text_of(struct span s)
{
    return json_stringn((const char *)s.ptr, s.len);
}

struct lines {
    json_t *list;
    bool failed; /* out of memory: no answer is better than half of one */
};

static void add_line(struct lines *lines, const char *fmt, ...)
        PRINTF_LIKE(2, 3);

static void add_line(struct lines *lines, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (json_array_append_new(lines->list, json_vsprintf(fmt, ap)) < 0)
        lines->failed = true;
    va_end(ap);
}

#define S(span) (int)(span).len, (span).ptr

static bool is_dom0(const struct policy_target *t)
{
    return !t->dispvm && t->qube && span_eq_str(t->qube->name, "dom0");
}

static void add_target(struct lines *lines, const struct policy_target *t)
{
    const char *prefix = t->dispvm ? "@dispvm:" : "";
    const struct policy_qube *q = t->qube;

    if (is_dom0(t)) {
        add_line(lines, "target=dom0");
        return;
    }
    add_line(lines, "target=%s%.*s", prefix, S(t->text));
    if (q->uuid.len)
        add_line(lines, "target_uuid=%suuid:%.*s", prefix, S(q->uuid));
}

static void add_route(struct lines *lines, const struct policy_result *r,
        const struct policy_system *system)
{
    const struct policy_qube *q = r->target.qube;
    char service[LIMIT_SERVICE_MAX + 1];
    struct policy_target relay = {0};

    switch (r->route) {
    case POLICY_ROUTE_LOCAL:
        add_target(lines, &r->target);
        break;
    case POLICY_ROUTE_ZONE:
        add_target(lines, &r->target);
        add_line(lines, "zone=%.*s", S(q->zone));
        add_line(lines, "remote_name=%.*s", S(q->remote_name));
        break;
    case POLICY_ROUTE_RELAY:
        relay.qube = policy_system_find(system, q->relayvm);
        relay.text = q->relayvm;
        add_target(lines, &relay);
        if (policy_format_relay(r, service, sizeof(service)))
            add_line(lines, "service=%s", service);
        break;
    }
}

static json_t *answer_allow(
        const struct policy_result *r, const struct policy_system *system)
{
    struct lines lines = {.list = json_array()};
    bool user = r->user.len && r->route != POLICY_ROUTE_RELAY;

    add_line(&lines, "result=allow");
    add_line(&lines, "user=%.*s", S(user ? r->user : span_str("DEFAULT")));
    add_line(&lines, "autostart=%s", r->autostart ? "True" : "False");
    add_line(&lines, "requested_target=%.*s", S(r->requested));
    add_route(&lines, r, system);
    if (r->relayed && !is_dom0(&r->target))
        add_line(&lines, "policy_source=%.*s", S(r->source->name));
    if (lines.failed) {
        json_decref(lines.list);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:b}", "result", "allow", "lines", lines.list,
            "notify", r->notify);
}

static json_t *target_text(const struct policy_target *t)
{
    char text[POLICY_TARGET_TEXT_MAX];

    return policy_target_format(t, text, sizeof(text)) ? json_string(text)
                                                       : NULL;
}

static json_t *answer_ask(
        const struct policy_result *r, const struct policy_system *system)
{
    json_t *targets = json_array();
    struct policy_target t;
    size_t pos = 0;

    while (policy_ask_next(r, system, &pos, &t)) {
        if (json_array_append_new(targets, target_text(&t)) < 0) {
            json_decref(targets);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:b, s:b}", "result", "ask",
            "targets", targets, "default",
            r->target.qube ? target_text(&r->target) : json_null(), "user",
            r->user.ptr ? text_of(r->user) : json_null(), "autostart",
            r->autostart, "notify", r->notify);
}

/* reason: printable ASCII, or there would be no answer. */
static json_t *answer_deny(const char *cls, const char *reason, bool notify)
{
    return json_pack("{s:s, s:s, s:s, s:b}", "result", "deny", "class", cls,
            "reason", reason, "notify", notify);
}

static const char *class_name(enum policy_class cls)
{
    switch (cls) {
    case POLICY_CLASS_NONE:
        break;
    case POLICY_CLASS_SYNTAX:
        return "syntax";
    case POLICY_CLASS_REQUEST:
        return "request";
    case POLICY_CLASS_POLICY:
        return "policy";
    case POLICY_CLASS_EXECUTE:
        return "execute";
    }
    return "policy";
}

static json_t *answer(
        const struct policy_result *r, const struct policy_system *system)
{
    switch (r->verdict) {
    case POLICY_DENY:
        break;
    case POLICY_ALLOW:
        return answer_allow(r, system);
    case POLICY_ASK:
        return answer_ask(r, system);
    }
    return answer_deny(class_name(r->deny_class), r->reason, r->notify);
}

static json_t *run_job(struct job *j)
{
    const struct policy_files files = {.files = j->files,
            .n_files = j->n_files,
            .compat = j->compat,
            .n_compat = j->n_compat};
    struct policy_result result;
    struct err err = {.code = 0};

    if (policy_system_new(j->qubes, j->n_qubes, &j->system, &err) < 0)
        return answer_deny("request", err.msg, true);
    if (policy_new(&files, &j->policy, &err) < 0)
        j->policy = policy_new_broken(err.msg);
    if (!j->policy)
        return NULL;
    policy_eval(j->policy, j->system, &j->request, &result);
    return answer(&result, j->system);
}

static json_t *answer_line(const char *text, size_t len)
{
    CLEANUP(json_free_ptr) json_t *line = NULL;
    CLEANUP(job_fini) struct job j = {0};
    struct err err = {.code = 0};

    if (len <= LINE_MAX_BYTES)
        line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (!line || get_job(&j, line, &err) < 0)
        return answer_deny("request", line ? err.msg : "no JSON object", true);
    return run_job(&j);
}

int policy_batch(FILE *in, FILE *out, struct err *err)
{
    CLEANUP(buf_free_ptr) char *line = NULL;
    size_t size = 0;
    ssize_t n;

    while ((n = getline(&line, &size, in)) >= 0) {
        int r = cli_json_put(answer_line(line, (size_t)n), out, err);

        if (r < 0)
            return r;
    }
    if (ferror(in))
        return err_errno(err, "cannot read");
    if (fflush(out) != 0)
        return err_errno(err, "cannot write the answer");
    return 0;
}
