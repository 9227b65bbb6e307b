/* SPDX-License-Identifier: Apache-2.0 */
/* qair policy: what do the rules say?  Reads files, needs no daemon. */
#include "bundle.h"
#include "cli.h"
#include "cli_json.h"
#include "crypto.h"
#include "policy.h"
#include "policy_batch.h"
#include "policy_load.h"
#include "policy_tools.h"
#include "policy_view.h"
#include "policytool.h"

#include <stdio.h>

#define COLUMNS_MAX 60 /* a narrow window beside the rules */

/* Takes j. */
static int print_json(json_t *j)
{
    struct err err = {.code = 0};

    return cli_json_put(j, stdout, &err) < 0 ? cli_fail(&err) : CLI_OK;
}

/* ---- check, hash -----------------------------------------------------------
 */

struct doubts {
    json_t *list;
    bool errors;
};

static void add_finding(void *ctx, const struct policytool_finding *f)
{
    struct doubts *d = ctx;
    json_t *rule = json_sprintf("%.*s:%u", S(f->file), f->line), *old;
    size_t i;

    /* One that policy_doubts has told already, and why, is told once. */
    json_array_foreach (d->list, i, old) {
        if (!f->is_error && json_equal(json_object_get(old, "rule"), rule)) {
            json_decref(rule);
            return;
        }
    }
    d->errors |= f->is_error;
    (void)json_array_append_new(
            d->list, json_pack("{s:o, s:s, s:b}", "rule", rule, "doubt",
                             f->what, "error", f->is_error));
}

static void add_doubt(void *ctx, const struct policy_doubt *d)
{
    json_t *list = ((struct doubts *)ctx)->list;

    (void)json_array_append_new(
            list, json_pack("{s:o, s:s}", "rule",
                          json_sprintf("%.*s:%u", S(d->file), d->line), "doubt",
                          d->what));
}

static void print_doubts(const json_t *doubts)
{
    const json_t *d;
    size_t i;

    json_array_foreach (doubts, i, d) {
        (void)printf("%s: %s: %s\n",
                json_is_true(json_object_get(d, "error")) ? "error" : "doubt",
                json_string_value(json_object_get(d, "rule")),
                json_string_value(json_object_get(d, "doubt")));
    }
}

/* Questions that need qubes. */
static int lint(const struct policy_view *v, struct doubts *d, struct err *err)
{
    CLEANUP(policytool_universe_free_ptr)
    struct policytool_universe *u = NULL;
    const struct policy *p = v->policy;
    int r = policytool_universe_new(&p, 1, v->system, &u, err);

    return r == 0 ? policytool_lint(u, add_finding, d, err) : r;
}

/*
 * The qubes to compare names with: a folder is judged by those of its zone, or
 * of the zone that it may be meant for.  v->system NULL: none are known.
 */
static int load_qubes(struct cli *cli, const struct policy_args *a,
        struct policy_view *v, struct err *err)
{
    const char *dir = a->words[0];
    struct cli of = *cli;

    if (dir && !a->system && policy_view_is_zone(dir))
        of.zone_dir = dir;
    else if (dir && !a->system && !policy_view_is_zone(cli->zone_dir))
        return 0;
    return policy_view_system(&of, a, v, err);
}

static int load_checked(struct cli *cli, const struct policy_args *a,
        struct policy_view *v, struct doubts *d, struct err *err)
{
    int r = policy_view_policy(cli, a, a->words[0], v, err);

    if (r == 0)
        r = load_qubes(cli, a, v, err);
    if (r == 0 && policy_doubts(v->policy, v->system, add_doubt, d) < 0)
        r = err_set(err, ERR_MEMORY, "out of memory");
    return r == 0 && v->system ? lint(v, d, err) : r;
}

static void print_checked(const struct policy_view *v, const json_t *doubts,
        bool errors, size_t n)
{
    print_doubts(doubts);
    (void)printf("%s: %zu rules", errors ? "not ok" : "ok", n);
    if (v->bundle.len)
        (void)printf(" in %zu files", bundle_count(buf_span(&v->bundle)));
    (void)printf("%s", n == 0 ? " (everything is denied)" : "");
    if (*v->digest)
        (void)printf(", sha256:%s", v->digest);
    (void)putchar('\n');
    if (!v->system)
        (void)puts("no qubes known (-z ZONE): what rules reach is not judged");
}

static int run_check(struct cli *cli, int argc, char **argv)
{
    CLEANUP(policy_view_fini) struct policy_view v = {0};
    CLEANUP(policy_json_free_ptr) json_t *j = NULL;
    CLEANUP(policy_json_free_ptr) json_t *list = json_array();
    struct doubts doubts = {.list = list};
    struct err err = {.code = 0};
    struct policy_args a;
    size_t n;
    int r;

    if (!policy_args_take(cli, argc, argv, POLICY_ARG_SYSTEM, 0, 1, &a))
        return CLI_MISUSE;
    r = load_checked(cli, &a, &v, &doubts, &err);
    if (r < 0 && !a.json)
        return cli_fail(&err);
    n = v.policy ? policy_rule_count(v.policy) : 0;
    if (a.json) {
        j = json_pack("{s:b, s:s*, s:I, s:b, s:s*, s:O}", "ok",
                r == 0 && !doubts.errors, "error", r < 0 ? err.msg : NULL,
                "rules", (json_int_t)n, "with_qubes", v.system != NULL,
                "digest", v.digest[0] ? v.digest : NULL, "doubts", list);
        if (print_json(TAKE_PTR(j)) != CLI_OK || r < 0)
            return CLI_NO;
        return doubts.errors ? CLI_NO : CLI_OK;
    }
    print_checked(&v, list, doubts.errors, n);
    return doubts.errors ? CLI_NO : CLI_OK;
}

static int run_hash(struct cli *cli, int argc, char **argv)
{
    CLEANUP(policy_view_fini) struct policy_view v = {0};
    CLEANUP(policy_json_free_ptr) json_t *j = NULL;
    struct err err = {.code = 0};
    struct policy_args a;

    if (!policy_args_parse(cli, argc, argv, 0, 1, &a))
        return CLI_MISUSE;
    if (policy_view_bundle(cli, a.words[0], &v, &err) < 0)
        return cli_fail(&err);
    if (a.json) {
        j = json_pack("{s:s}", "sha256", v.digest);
        return print_json(TAKE_PTR(j));
    }
    (void)printf("%s\n", v.digest);
    return CLI_OK;
}

/* ---- eval, explain ---------------------------------------------------------
 */

static const char *verdict_name(enum policy_verdict v)
{
    switch (v) {
    case POLICY_DENY:
        break;
    case POLICY_ALLOW:
        return "allow";
    case POLICY_ASK:
        return "ask";
    }
    return "deny";
}

/* "" leaves the member out. */
static void set_text(json_t *j, const char *key, struct span s)
{
    if (s.len)
        (void)json_object_set_new(
                j, key, json_stringn((const char *)s.ptr, s.len));
}

static json_t *target_list(
        const struct policy_view *v, const struct policy_result *r)
{
    json_t *list = json_array();
    struct policy_target t;
    size_t pos = 0;

    while (policy_ask_next(r, v->system, &pos, &t))
        (void)json_array_append_new(list,
                json_sprintf("%s%.*s", t.dispvm ? "@dispvm:" : "", S(t.text)));
    return list;
}

static json_t *result_json(
        const struct policy_view *v, const struct policy_result *r)
{
    json_t *j = json_pack("{s:s, s:s, s:b, s:s*}", "verdict",
            verdict_name(r->verdict), "reason", r->reason, "notify", r->notify,
            "policy", v->digest[0] ? v->digest : NULL);
    const struct policy_qube *q = r->target.qube;

    set_text(j, "requested", r->requested);
    set_text(j, "user", r->user);
    if (r->source)
        set_text(j, "source", r->source->name);
    if (r->rule_file.len)
        (void)json_object_set_new(j, "rule",
                json_sprintf("%.*s:%u", S(r->rule_file), r->rule_line));
    if (r->verdict == POLICY_ASK)
        (void)json_object_set_new(j, "targets", target_list(v, r));
    if (!q)
        return j;
    (void)json_object_set_new(j, "target",
            json_sprintf(
                    "%s%.*s", r->target.dispvm ? "@dispvm:" : "", S(q->name)));
    (void)json_object_set_new(j, "autostart", json_boolean(r->autostart));
    set_text(j, "zone", q->zone);
    set_text(j, "remote_name", q->remote_name);
    return j;
}

static void print_result(
        const struct policy_view *v, const struct policy_result *r)
{
    const struct policy_qube *q = r->target.qube;
    struct policy_target t;
    size_t pos = 0;

    (void)printf("%s", verdict_name(r->verdict));
    if (r->verdict == POLICY_ALLOW)
        (void)printf(" %.*s -> %s%.*s", S(r->source->name),
                r->target.dispvm ? "@dispvm:" : "", S(q->name));
    if (r->verdict == POLICY_ALLOW && r->route == POLICY_ROUTE_ZONE)
        (void)printf(
                " (qube %.*s of zone %.*s)", S(q->remote_name), S(q->zone));
    (void)printf(": %s\n", r->reason);
    while (r->verdict == POLICY_ASK && policy_ask_next(r, v->system, &pos, &t))
        (void)printf("  %s%.*s%s\n", t.dispvm ? "@dispvm:" : "", S(t.text),
                t.qube == q && t.dispvm == r->target.dispvm ? " (default)"
                                                            : "");
}

static struct policy_request request_of(const struct policy_args *a)
{
    return (struct policy_request){.source = span_str(a->words[0]),
            .target = span_str(a->words[1]),
            .service = span_str(a->words[2]),
            .state = span_str(a->state ? a->state : "")};
}

/* ask: who asks is a daemon's matter; this command cannot say yes. */
static int exit_code(const struct policy_result *r)
{
    return r->verdict == POLICY_ALLOW ? CLI_OK : CLI_NO;
}

static int run_eval(struct cli *cli, int argc, char **argv)
{
    CLEANUP(policy_view_fini) struct policy_view v = {0};
    CLEANUP(policy_json_free_ptr) json_t *j = NULL;
    struct policy_request request;
    struct policy_result r;
    struct err err = {.code = 0};
    struct policy_args a;

    if (!policy_args_take(cli, argc, argv,
                POLICY_ARG_POLICY | POLICY_ARG_SYSTEM | POLICY_ARG_STATE, 3, 3,
                &a))
        return CLI_MISUSE;
    if (policy_view_zone(cli, &a, &v, &err) < 0)
        return cli_fail(&err);
    request = request_of(&a);
    policy_eval(v.policy, v.system, &request, &r);
    if (a.json) {
        j = result_json(&v, &r);
        if (print_json(TAKE_PTR(j)) != CLI_OK)
            return CLI_NO;
    } else {
        print_result(&v, &r);
    }
    return exit_code(&r);
}

/* Behind at characters; as it is written where it fits into the line. */
static void print_folded(const char *text, size_t at)
{
    struct span rest = span_str(text), word;
    bool folds = at + rest.len > COLUMNS_MAX;
    const char *gap = "";

    if (!folds)
        (void)fputs(text, stdout);
    while (folds && text_next_word(&rest, &word)) {
        if (*gap && at + 1 + word.len > COLUMNS_MAX) {
            gap = "\n        ";
            at = strlen(gap) - 1;
        }
        (void)printf("%s%.*s", gap, S(word));
        at += word.len + 1;
        gap = " ";
    }
    (void)putchar('\n');
}

static void show_text(void *ctx, const struct policy_finding *f)
{
    char rule[LIMIT_CONF_LINE_MAX + 1];
    int at;

    (void)ctx;
    text_format_safe(f->text, rule, sizeof(rule));
    at = printf("%s %.*s:%u: ", f->match == POLICY_MATCH ? "->" : "  ",
            S(f->file), f->line);
    print_folded(rule, at > 0 ? (size_t)at : 0);
    (void)printf("      %s\n", policy_match_name(f->match));
}

static void show_json(void *ctx, const struct policy_finding *f)
{
    json_t *list = ctx;
    char rule[LIMIT_CONF_LINE_MAX + 1];

    text_format_safe(f->text, rule, sizeof(rule));
    (void)json_array_append_new(
            list, json_pack("{s:o, s:s, s:s, s:b}", "rule",
                          json_sprintf("%.*s:%u", S(f->file), f->line), "text",
                          rule, "finding", policy_match_name(f->match),
                          "decides", f->match == POLICY_MATCH));
}

static int run_explain(struct cli *cli, int argc, char **argv)
{
    CLEANUP(policy_view_fini) struct policy_view v = {0};
    CLEANUP(policy_json_free_ptr) json_t *j = NULL;
    struct policy_request request;
    struct policy_result r;
    struct err err = {.code = 0};
    json_t *rules = NULL;
    struct policy_args a;

    if (!policy_args_take(cli, argc, argv,
                POLICY_ARG_POLICY | POLICY_ARG_SYSTEM | POLICY_ARG_STATE, 3, 3,
                &a))
        return CLI_MISUSE;
    if (policy_view_zone(cli, &a, &v, &err) < 0)
        return cli_fail(&err);
    request = request_of(&a);
    if (a.json)
        rules = json_array();
    policy_explain(v.policy, v.system, &request, a.json ? show_json : show_text,
            rules, &r);
    if (a.json) {
        j = result_json(&v, &r);
        (void)json_object_set_new(j, "rules", rules);
        if (print_json(TAKE_PTR(j)) != CLI_OK)
            return CLI_NO;
    } else {
        print_result(&v, &r);
    }
    return exit_code(&r);
}

/* ---- batch -----------------------------------------------------------------
 */

static int run_batch(struct cli *cli, int argc, char **argv)
{
    struct err err = {.code = 0};
    struct policy_args a;
    FILE *in = stdin;
    int r;

    if (!policy_args_parse(cli, argc, argv, 0, 1, &a))
        return CLI_MISUSE;
    if (a.n_words == 1 && strcmp(a.words[0], "-") != 0) {
        in = fopen(a.words[0], "re");
        if (!in) {
            (void)err_errno(&err, "%s", a.words[0]);
            return cli_fail(&err);
        }
    }
    r = policy_batch(in, stdout, &err);
    if (in != stdin)
        (void)fclose(in);
    return r < 0 ? cli_fail(&err) : CLI_OK;
}

static const struct cli_verb verbs[] = {
        {"check", "[DIR] [--system FILE] [--json]",
                "read the policy of DIR (default: the zone's), tell what is "
                "odd",
                run_check},
        {"eval",
                "SOURCE TARGET SERVICE[+ARG] [--state STATE] [--policy DIR] "
                "[--system FILE] [--json]",
                "what the zone's policy says to a call", run_eval},
        {"explain",
                "SOURCE TARGET SERVICE[+ARG] [--state STATE] [--policy DIR] "
                "[--system FILE] [--json]",
                "every rule, and why it does or does not apply", run_explain},
        {"diff", "OLD NEW [--system FILE] [--json]",
                "which calls two policy folders decide otherwise, all of the "
                "zone's qubes, services and targets; ends with 1 when any",
                policy_diff},
        {"replay", "NEW [--log DIR] [--json]",
                "which recorded calls would have gone otherwise under NEW",
                policy_replay},
        {"reach",
                "SOURCE TARGET [--service NAME] [--max-hops N] [--policy DIR] "
                "[--system FILE] [--json]",
                "can SOURCE ever get at TARGET, over calls of others too",
                policy_reach},
        {"batch", "[FILE]", "JSON lines in, a decision a line out", run_batch},
        {"hash", "[DIR] [--json]",
                "the digest that records and statements name", run_hash},
        {0},
};

const struct cli_noun noun_policy = {
        "policy", "read the rules, ask what they say", verbs};
