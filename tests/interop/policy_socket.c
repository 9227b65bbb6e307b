/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorded cases of Qubes' policy engine through the code that answers the
 * policy socket: qubesd's state from JSON, the verdict, the text of the
 * answer.  policy-socket CASES (JSON lines); exits 1 when an answer differs in
 * a case that is not marked for a deliberate difference, but for those that
 * the socket has of its own (docs/policy.md, "On Qubes OS").
 */
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>

#define LINES_MAX 16
#define FILES_MAX 64

struct tally {
    unsigned same, marked, own, wrong;
};

static size_t get_files(json_t *obj, struct policy_file *files)
{
    const char *name;
    size_t n = 0;
    json_t *v;

    json_object_foreach (obj, name, v) {
        if (n < FILES_MAX)
            files[n++] = (struct policy_file){.name = span_str(name),
                    .text = SPAN(json_string_value(v), json_string_length(v))};
    }
    return n;
}

static struct policy *get_policy(const json_t *c)
{
    struct policy_file files[FILES_MAX], compat[FILES_MAX];
    struct policy_files all = {.files = files, .compat = compat};
    struct policy *p = NULL;
    struct err err = {.code = 0};

    all.n_files = get_files(json_object_get(c, "files"), files);
    all.n_compat = get_files(json_object_get(c, "compat"), compat);
    return policy_new(&all, &p, &err) < 0 ? policy_new_broken(err.msg) : p;
}

/* qubesd always tells the tags. */
static struct info *get_info(const json_t *c)
{
    json_t *info = json_object_get(c, "system_info"), *v;
    struct info *ret = NULL;
    struct err err;
    const char *name;
    char *text;

    json_object_foreach (json_object_get(info, "domains"), name, v) {
        if (!json_object_get(v, "tags"))
            (void)json_object_set_new(v, "tags", json_array());
    }
    text = json_dumps(info, 0);
    if (!text || info_parse(span_str(text), &ret, &err) < 0)
        ret = NULL;
    free(text);
    return ret;
}

static struct span get(const json_t *c, const char *key)
{
    const json_t *v = json_object_get(c, key);

    return SPAN(json_string_value(v), json_string_length(v));
}

static int cmp_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same lines, in any order. */
static bool same_lines(char *text, const json_t *expected, bool drop_source)
{
    char *have[LINES_MAX], *save = NULL;
    const char *want[LINES_MAX];
    size_t n = 0, m;
    json_t *v;

    for (char *l = strtok_r(text, "\n", &save); l && n < LINES_MAX;
            l = strtok_r(NULL, "\n", &save)) {
        if (!drop_source || strncmp(l, "policy_source=", 14) != 0)
            have[n++] = l;
    }
    if (n != json_array_size(expected))
        return false;
    json_array_foreach (expected, m, v) {
        want[m] = json_string_value(v);
    }
    qsort(have, n, sizeof(*have), cmp_text);
    qsort(want, n, sizeof(*want), cmp_text);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(have[i], want[i]) != 0)
            return false;
    }
    return true;
}

static bool has_target(const json_t *expected, const char *line)
{
    size_t i;
    json_t *v;

    json_array_foreach (expected, i, v) {
        if (!strcmp(json_string_value(v), line))
            return true;
    }
    return false;
}

static bool same_allow(const struct verdict *v, const json_t *expected)
{
    char text[POLICYLINE_RESPONSE_MAX + 1];
    const json_t *lines = json_object_get(expected, "lines");
    struct err err;
    size_t len;

    if (!v->allow ||
            v->notify != json_is_true(json_object_get(expected, "notify")) ||
            policyline_response_format(
                    &v->response, text, sizeof(text) - 1, &len, &err) < 0)
        return false;
    text[len] = '\0';
    /* Ours says policy_source for dom0 too. */
    return same_lines(text, lines, has_target(lines, "target=dom0"));
}

static bool same_ask(const struct verdict *v, const struct info *info,
        const json_t *expected)
{
    char *text = v->asks ? verdict_question(v, info) : NULL;
    json_t *have = text ? json_loads(text, 0, NULL) : NULL, *t;
    json_t *want = json_object_get(expected, "targets");
    const char *def = json_string_value(json_object_get(expected, "default"));
    json_t *targets = json_object_get(have, "targets");
    bool same = have && json_array_size(targets) == json_array_size(want);
    size_t i;

    json_array_foreach (targets, i, t) {
        bool found = false;
        json_t *w;
        size_t k;

        json_array_foreach (want, k, w) {
            found |= json_equal(t, w) == 1;
        }
        same &= found;
    }
    same = same &&
           !strcmp(json_string_value(json_object_get(have, "default_target")),
                   def ? def : "");
    json_decref(have);
    free(text);
    return same;
}

static bool same(const struct verdict *v, const struct info *info,
        const json_t *expected)
{
    const char *result = json_string_value(json_object_get(expected, "result"));

    if (!strcmp(result, "allow"))
        return same_allow(v, expected);
    if (!strcmp(result, "ask"))
        return same_ask(v, info, expected);
    return !v->allow && !v->asks;
}

/* What the socket refuses and the engine does not, each with its words. */
static bool is_own(const struct verdict *v)
{
    static const char *const reasons[] = {"which is where the call comes from",
            "allows only targets that run already", "has no relay",
            "there is no target to choose"};

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (!v->allow && strstr(v->reason, reasons[i]))
            return true;
    }
    return false;
}

static void run_case(json_t *c, unsigned number, struct tally *t)
{
    const struct policyline_request q = {.source = get(c, "source"),
            .target = get(c, "target"),
            .service = get(c, "service"),
            .requested_source = get(c, "requested_source")};
    struct policy *p = get_policy(c);
    struct info *info = get_info(c);
    struct verdict v;

    if (!p || !info) {
        (void)printf("# case %u: no state\n", number);
        t->wrong++;
    } else {
        verdict_of(p, info, &q, SPAN_EMPTY, &v);
        if (same(&v, info, json_object_get(c, "expected"))) {
            t->same++;
        } else if (json_array_size(json_object_get(c, "tags")) > 0) {
            t->marked++;
        } else if (is_own(&v)) {
            t->own++;
        } else {
            (void)printf("# case %u: %s: %s\n", number,
                    v.allow ? "allow" : "deny", v.reason);
            t->wrong++;
        }
    }
    policy_free(p);
    info_free(info);
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
    struct tally t = {0};
    unsigned number = 0;
    char *line = NULL;
    size_t size = 0;

    if (!f)
        return 2;
    while (getline(&line, &size, f) > 0) {
        json_t *c = json_loads(line, 0, NULL);

        if (!c)
            return 2;
        run_case(c, ++number, &t);
        json_decref(c);
    }
    free(line);
    (void)fclose(f);
    (void)printf("%u cases: %u the same, %u marked, %u refused by the socket, "
                 "%u wrong\n",
            number, t.same, t.marked, t.own, t.wrong);
    /* Differences are few, or the comparison is none. */
    return t.wrong > 0 || number == 0 || t.same < number / 10 * 9;
}
