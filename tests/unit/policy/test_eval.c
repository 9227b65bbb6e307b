/* SPDX-License-Identifier: Apache-2.0 */
/* Requests against small policies, and each deliberate difference. */
#include "help.h"

#include <stdio.h>

static const struct span work_tags[] = {STR("trusted"), STR("web")};
static const struct span dom0_tags[] = {STR("trusted")};

static const struct policy_qube qubes[] = {
        {.name = STR("dom0"),
                .uuid = STR("00000000-0000-0000-0000-000000000000"),
                .type = STR("AdminVM"),
                .tags = dom0_tags,
                .n_tags = 1,
                .running = true},
        {.name = STR("work"),
                .uuid = STR("aaaaaaaa-0000-0000-0000-000000000001"),
                .type = STR("AppVM"),
                .tags = work_tags,
                .n_tags = 2,
                .default_dispvm = STR("dvm"),
                .running = true},
        {.name = STR("vault"),
                .uuid = STR("aaaaaaaa-0000-0000-0000-000000000002"),
                .type = STR("AppVM")},
        {.name = STR("dvm"),
                .uuid = STR("aaaaaaaa-0000-0000-0000-000000000003"),
                .type = STR("AppVM"),
                .tags = work_tags,
                .n_tags = 1,
                .template_for_dispvms = true,
                .running = true},
        {.name = STR("hidden"), .type = STR("AppVM"), .internal = true},
        {.name = STR("relay"), .type = STR("AppVM"), .running = true},
        {.name = STR("rem1"),
                .type = STR("RemoteVM"),
                .relayvm = STR("relay"),
                .transport_rpc = STR("q.Ssh"),
                .running = true},
        {.name = STR("rem2"),
                .type = STR("RemoteVM"),
                .relayvm = STR("vault"),
                .transport_rpc = STR("q.Ssh"),
                .running = true},
        {.name = STR("lost"), .type = STR("RemoteVM"), .running = true},
        {.name = STR("server-signer"),
                .type = STR("RemoteVM"),
                .zone = STR("server"),
                .remote_name = STR("signer"),
                .running = true},
};

static struct policy_system *make_system(void)
{
    struct policy_system *s = NULL;
    struct err err = {.code = 0};

    if (policy_system_new(qubes, ARRAY_LEN(qubes), &s, &err) < 0)
        fail_msg("%s", err.msg);
    return s;
}

struct call {
    const char *what;
    const char *policy;
    const char *source, *target, *service;
    const char *answer; /* see describe() */
};

/* "allow NAME", "allow @dispvm:NAME", "ask A B* C", "deny CLASS"; then the
 * rule's line. */
static void describe(const struct policy_result *r,
        const struct policy_system *s, char *ret, size_t cap)
{
    static const char *const classes[] = {
            "none", "syntax", "request", "policy", "execute"};
    struct policy_target t;
    size_t pos = 0, n;

    switch (r->verdict) {
    case POLICY_DENY:
        (void)snprintf(ret, cap, "deny %s", classes[r->deny_class]);
        break;
    case POLICY_ALLOW:
        (void)snprintf(ret, cap, "allow %s%.*s",
                r->target.dispvm ? "@dispvm:" : "",
                (int)r->target.qube->name.len, r->target.qube->name.ptr);
        break;
    case POLICY_ASK:
        n = (size_t)snprintf(ret, cap, "ask");
        while (policy_ask_next(r, s, &pos, &t))
            n += (size_t)snprintf(ret + n, cap - n, " %s%.*s%s",
                    t.dispvm ? "@dispvm:" : "", (int)t.text.len, t.text.ptr,
                    t.qube && t.qube == r->target.qube &&
                                    t.dispvm == r->target.dispvm
                            ? "*"
                            : "");
        break;
    }
    n = strlen(ret);
    if (r->rule_line)
        (void)snprintf(ret + n, cap - n, " :%u", r->rule_line);
}

static const struct call calls[] = {
        {"no rule", "", "work", "vault", "s.A", "deny policy"},
        {"first rule wins", "s.A * work vault deny\n* * * * allow\n", "work",
                "vault", "s.A", "deny policy :1"},
        {"later rule for another service",
                "s.B * work vault deny\n* * * * allow\n", "work", "vault",
                "s.A", "allow vault :2"},
        {"argument must be equal", "s.A +x work vault allow\n", "work", "vault",
                "s.A+y", "deny policy"},
        {"argument of another is a prefix", "s.A +x work vault allow\n", "work",
                "vault", "s.A+xy", "deny policy"},
        {"no argument is the empty argument", "s.A + work vault allow\n",
                "work", "vault", "s.A", "allow vault :1"},
        {"empty argument is not any argument", "s.A + work vault allow\n",
                "work", "vault", "s.A+x", "deny policy"},
        {"plus inside an argument", "s.A +x+y work vault allow\n", "work",
                "vault", "s.A+x+y", "allow vault :1"},
        {"service name is case-sensitive", "s.a * work vault allow\n", "work",
                "vault", "s.A", "deny policy"},
        {"source by uuid",
                "s.A * uuid:aaaaaaaa-0000-0000-0000-000000000001 vault allow\n",
                "work", "vault", "s.A", "allow vault :1"},
        {"target by uuid in the rule",
                "s.A * work uuid:aaaaaaaa-0000-0000-0000-000000000002 allow\n",
                "work", "vault", "s.A", "allow vault :1"},
        {"target by uuid in the request", "s.A * work vault allow\n", "work",
                "uuid:aaaaaaaa-0000-0000-0000-000000000002", "s.A",
                "allow vault :1"},
        {"source by tag", "s.A * @tag:web vault allow\n", "work", "vault",
                "s.A", "allow vault :1"},
        {"source without the tag", "s.A * @tag:web vault allow\n", "relay",
                "vault", "s.A", "deny policy"},
        {"source by type", "s.A * @type:AppVM vault allow\n", "work", "vault",
                "s.A", "allow vault :1"},
        {"target by tag", "s.A * relay @tag:web allow\n", "relay", "work",
                "s.A", "allow work :1"},
        {"@anyvm is not dom0", "s.A * work @anyvm allow\n", "work", "dom0",
                "s.A", "deny policy"},
        {"* is dom0 too", "s.A * work * allow\n", "work", "dom0", "s.A",
                "allow dom0 :1"},
        {"@adminvm spelled dom0", "s.A * work dom0 allow\n", "work", "@adminvm",
                "s.A", "allow dom0 :1"},
        {"dom0 spelled by its uuid",
                "s.A * work uuid:00000000-0000-0000-0000-000000000000 allow\n",
                "work", "dom0", "s.A", "allow dom0 :1"},

        /* deliberate: no tag or type reaches dom0 */
        {"@tag never matches dom0", "s.A * work @tag:trusted allow\n", "work",
                "dom0", "s.A", "deny policy"},
        {"@tag never matches @adminvm", "s.A * work @tag:trusted allow\n",
                "work", "@adminvm", "s.A", "deny policy"},
        {"@type never matches dom0", "s.A * work @type:AdminVM allow\n", "work",
                "dom0", "s.A", "deny policy"},
        /* deliberate: unknown sources are denied */
        {"unknown source against *", "* * * * allow\n", "nosuch", "vault",
                "s.A", "deny request"},
        {"unknown source against @anyvm", "* * @anyvm @anyvm allow\n", "nosuch",
                "vault", "s.A", "deny request"},
        {"unknown source by its name", "* * nosuch vault allow\n", "nosuch",
                "vault", "s.A", "deny request"},
        {"empty source", "* * * * allow\n", "", "vault", "s.A", "deny request"},
        {"source that is a keyword", "* * * * allow\n", "@anyvm", "vault",
                "s.A", "deny request"},
        {"source that is a pattern", "* * * * allow\n", "*", "vault", "s.A",
                "deny request"},

        {"unknown target is @default",
                "s.A * work @default allow "
                "target=vault\n",
                "work", "nosuch", "s.A", "allow vault :1"},
        {"unknown target is not its name", "s.A * work nosuch allow\n", "work",
                "nosuch", "s.A", "deny policy"},
        {"empty target is @default",
                "s.A * work @default allow "
                "target=vault\n",
                "work", "", "s.A", "allow vault :1"},
        {"@default left over", "s.A * work * allow\n", "work", "@default",
                "s.A", "deny policy :1"},
        {"target that is a pattern", "* * * * allow\n", "work", "*", "s.A",
                "deny request"},
        {"target that is @anyvm", "* * * * allow\n", "work", "@anyvm", "s.A",
                "deny request"},
        {"target that is a tag", "* * * * allow\n", "work", "@tag:web", "s.A",
                "deny request"},
        {"target that is an unknown keyword", "* * * * allow\n", "work",
                "@bogus", "s.A", "deny request"},

        {"service empty", "* * * * allow\n", "work", "vault", "",
                "deny request"},
        {"service that is only an argument", "* * * * allow\n", "work", "vault",
                "+x", "deny request"},
        {"service with a slash", "* * * * allow\n", "work", "vault", "a/b",
                "deny request"},
        {"service with a space", "* * * * allow\n", "work", "vault", "a b",
                "deny request"},
        {"argument with a newline", "* * * * allow\n", "work", "vault",
                "a+b\nresult=allow", "deny request"},

        {"redirect", "s.A * work vault allow target=relay\n", "work", "vault",
                "s.A", "allow relay :1"},
        {"redirect to nobody", "s.A * work vault allow target=nosuch\n", "work",
                "vault", "s.A", "deny policy :1"},
        {"call of oneself", "s.A * work work allow\n", "work", "work", "s.A",
                "deny execute :1"},
        {"redirect to oneself", "s.A * work vault allow target=work\n", "work",
                "vault", "s.A", "deny execute :1"},
        {"disposable of the source's default", "s.A * work @dispvm allow\n",
                "work", "@dispvm", "s.A", "allow @dispvm:dvm :1"},
        {"disposable by template", "s.A * work @dispvm:dvm allow\n", "work",
                "@dispvm", "s.A", "allow @dispvm:dvm :1"},
        {"disposable by its template's tag",
                "s.A * work @dispvm:@tag:trusted allow\n", "work",
                "@dispvm:dvm", "s.A", "allow @dispvm:dvm :1"},
        {"disposable is not the template itself", "s.A * work dvm allow\n",
                "work", "@dispvm:dvm", "s.A", "deny policy"},
        {"disposable is not tagged itself", "s.A * work @tag:trusted allow\n",
                "work", "@dispvm:dvm", "s.A", "deny policy"},
        {"disposable without a default", "s.A * vault @dispvm allow\n", "vault",
                "@dispvm", "s.A", "deny policy :1"},
        {"disposable of what is no template", "* * * * allow\n", "work",
                "@dispvm:vault", "s.A", "deny request"},
        {"disposable of nobody", "* * * * allow\n", "work", "@dispvm:nosuch",
                "s.A", "deny request"},
        {"autostart=no, target runs", "s.A * work relay allow autostart=no\n",
                "work", "relay", "s.A", "allow relay :1"},
        {"autostart=no, target halted", "s.A * work vault allow autostart=no\n",
                "work", "vault", "s.A", "deny policy :1"},
        {"autostart=no, disposable", "s.A * work @dispvm allow autostart=no\n",
                "work", "@dispvm", "s.A", "deny policy :1"},
        {"autostart=no, dom0", "s.A * work dom0 allow autostart=no\n", "work",
                "dom0", "s.A", "allow dom0 :1"},

        {"ask with all", "s.A * work @anyvm ask default_target=vault\n", "work",
                "vault", "s.A",
                "ask vault* dvm @dispvm:dvm relay rem1 rem2 lost "
                "server-signer :1"},
        {"ask with redirect", "s.A * work * ask target=vault\n", "work",
                "relay", "s.A", "ask vault :1"},
        {"ask without targets", "s.A * work @default ask\n", "work", "", "s.A",
                "deny policy :1"},
        /* dom0 is tagged here: offered to a person, as in Qubes */
        {"ask, an earlier rule takes one away",
                "s.A * work relay deny\ns.A * work @tag:trusted ask\n"
                "s.A * work relay allow\ns.A * work vault allow\n",
                "work", "dvm", "s.A", "ask dom0 vault dvm :2"},
        {"ask, default not among them",
                "s.A * work vault ask default_target=relay\n", "work", "vault",
                "s.A", "ask vault :1"},
        {"ask, only what runs", "s.A * work @anyvm ask autostart=no\n", "work",
                "relay", "s.A",
                "ask dvm relay rem1 rem2 lost server-signer :1"},
        {"ask names a template that is not there",
                "s.A * work vault ask\ns.A * work @dispvm:nosuch allow\n",
                "work", "vault", "s.A", "deny policy :1"},
        {"ask from dom0 offers by rule", "s.A * dom0 vault ask\n", "dom0",
                "vault", "s.A", "ask vault :1"},

        {"remote without a way", "s.A * work lost allow\n", "work", "lost",
                "s.A", "deny execute :1"},
};

static void test_calls(void **state)
{
    struct policy_system *s = make_system();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        const struct call *c = &calls[i];
        struct policy *p = parse_text(c->policy);
        const struct policy_request request = {.source = span_str(c->source),
                .target = span_str(c->target),
                .service = span_str(c->service)};
        struct policy_result r;
        char got[512];

        policy_eval(p, s, &request, &r);
        describe(&r, s, got, sizeof(got));
        if (strcmp(got, c->answer) != 0)
            fail_msg("%s: '%s', not '%s' (%s)", c->what, got, c->answer,
                    r.reason);
        assert_true(r.reason[0] != '\0');
        policy_free(p);
    }
    policy_system_free(s);
}

static struct policy_result eval_one(const struct policy *p,
        const struct policy_system *s, const char *source, const char *claimed,
        const char *target)
{
    const struct policy_request request = {.source = span_str(source),
            .target = span_str(target),
            .service = span_str("s.A+x"),
            .requested_source = span_str(claimed)};
    struct policy_result r;

    policy_eval(p, s, &request, &r);
    return r;
}

static void test_relay_speaks_for_its_own_remotes_only(void **state)
{
    static const struct {
        const char *source, *claimed;
        bool allowed;
    } cases[] = {
            {"relay", "rem1", true},
            {"relay", "rem2", false}, /* another relay's */
            {"vault", "rem2", true},
            {"relay", "server-signer", false}, /* of a zone, not of a relay */
            {"relay", "lost", false},
            {"relay", "work", false},
            {"relay", "nosuch", false},
            {"relay", "@anyvm", false},
            {"relay", "dom0", false},
            {"rem1", "rem1", false},
            {"nosuch", "rem1", false},
    };
    struct policy_system *s = make_system();
    struct policy *p = parse_text("s.A * @type:RemoteVM dvm allow\n"
                                  "* * * * deny\n");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy_result r =
                eval_one(p, s, cases[i].source, cases[i].claimed, "dvm");

        if ((r.verdict == POLICY_ALLOW) != cases[i].allowed)
            fail_msg("%s for %s: %s", cases[i].source, cases[i].claimed,
                    r.reason);
        if (cases[i].allowed)
            assert_true(span_eq_str(r.source->name, cases[i].claimed));
    }
    policy_free(p);
    policy_system_free(s);
}

/* Qubes: the relay is the decided target's, the name the one asked for. */
static void test_hop_is_built_from_the_decided_target(void **state)
{
    struct policy_system *s = make_system();
    struct policy *p = parse_text("s.A * work rem1 allow target=rem2\n"
                                  "s.A * work @default allow target=rem1\n");
    struct policy_result r = eval_one(p, s, "work", "", "rem1");
    char service[64];

    (void)state;
    assert_int_equal(r.verdict, POLICY_ALLOW);
    assert_int_equal(r.route, POLICY_ROUTE_RELAY);
    assert_true(span_eq_str(r.target.qube->relayvm, "vault"));
    assert_true(policy_format_relay(&r, service, sizeof(service)));
    assert_string_equal(service, "q.Ssh+rem2+s.A+x");
    assert_true(span_eq_str(r.requested, "rem1"));
    assert_false(policy_format_relay(&r, service, strlen("q.Ssh+rem2+s.A+x")));

    r = eval_one(p, s, "work", "", "");
    assert_true(policy_format_relay(&r, service, sizeof(service)));
    assert_string_equal(service, "q.Ssh+rem1+s.A+x");
    policy_free(p);
    policy_system_free(s);
}

static void test_remote_zone_and_parameters(void **state)
{
    struct policy_system *s = make_system();
    struct policy *p = parse_text("s.A +x work @default allow "
                                  "target=server-signer user=u notify=yes\n");
    struct policy_result r = eval_one(p, s, "work", "", "");
    char service[64];

    (void)state;
    assert_int_equal(r.verdict, POLICY_ALLOW);
    assert_int_equal(r.route, POLICY_ROUTE_ZONE);
    assert_true(span_eq_str(r.target.qube->zone, "server"));
    assert_true(span_eq_str(r.target.qube->remote_name, "signer"));
    assert_true(span_eq_str(r.user, "u"));
    assert_true(r.notify && r.autostart);
    assert_true(span_eq_str(r.rule_file, "50-test.policy"));
    assert_int_equal(r.rule_line, 1);
    assert_true(span_eq_str(r.requested, "@default"));
    assert_true(span_eq_str(r.service, "s.A"));
    assert_true(span_eq_str(r.argument, "+x"));
    assert_string_equal(r.reason, "allowed by 50-test.policy:1");
    assert_false(policy_format_relay(&r, service, sizeof(service)));
    policy_free(p);
    policy_system_free(s);
}

static void test_broken_policy_denies_with_its_reason(void **state)
{
    struct policy_system *s = make_system();
    struct policy *p = policy_new_broken("30-sign.policy:4: no");
    struct policy_result r = eval_one(p, s, "work", "", "vault");

    (void)state;
    assert_int_equal(r.verdict, POLICY_DENY);
    assert_int_equal(r.deny_class, POLICY_CLASS_SYNTAX);
    assert_string_equal(r.reason, "30-sign.policy:4: no");
    assert_true(r.notify);
    policy_free(p);
    policy_system_free(s);
}

/* What a caller sent must not write lines of its own into a log. */
static void test_reason_is_printable(void **state)
{
    struct policy_system *s = make_system();
    struct policy *p = parse_text("* * * * allow\n");
    struct policy_result r = eval_one(p, s, "a\nresult=allow\x1b[2J", "", "b");

    (void)state;
    assert_int_equal(r.verdict, POLICY_DENY);
    for (const char *c = r.reason; *c; c++)
        assert_true(*c >= ' ' && *c <= '~');
    policy_free(p);
    policy_system_free(s);
}

static void test_notify_defaults(void **state)
{
    struct policy_system *s = make_system();
    struct policy *p = parse_text("s.A * work vault deny notify=no\n"
                                  "s.A * work relay deny\n"
                                  "s.A * work dvm allow\n");

    (void)state;
    assert_false(eval_one(p, s, "work", "", "vault").notify);
    assert_true(eval_one(p, s, "work", "", "relay").notify);
    assert_false(eval_one(p, s, "work", "", "dvm").notify);
    assert_true(eval_one(p, s, "work", "", "rem1").notify); /* no rule */
    policy_free(p);
    policy_system_free(s);
}

struct findings {
    enum policy_match match[8];
    size_t n;
};

static void note(void *ctx, const struct policy_finding *f)
{
    struct findings *all = ctx;

    assert_true(all->n < ARRAY_LEN(all->match));
    assert_int_equal(f->line, all->n + 1);
    all->match[all->n++] = f->match;
}

static void test_explain_tells_of_every_rule(void **state)
{
    static const enum policy_match expected[] = {POLICY_MATCH_SERVICE,
            POLICY_MATCH_ARGUMENT, POLICY_MATCH_SOURCE, POLICY_MATCH_TARGET,
            POLICY_MATCH, POLICY_MATCH_LATER, POLICY_MATCH_SERVICE};
    struct policy_system *s = make_system();
    struct policy *p = parse_text("s.B * work vault deny\n"
                                  "s.A +y work vault deny\n"
                                  "s.A * relay vault deny\n"
                                  "s.A * work relay deny\n"
                                  "s.A * @tag:web vault allow\n"
                                  "* * * * deny\n"
                                  "s.C * * * deny\n");
    const struct policy_request request = {.source = span_str("work"),
            .target = span_str("vault"),
            .service = span_str("s.A+x")};
    struct findings all = {.n = 0};
    struct policy_result r;

    (void)state;
    policy_explain(p, s, &request, note, &all, &r);
    assert_int_equal(all.n, ARRAY_LEN(expected));
    for (size_t i = 0; i < all.n; i++)
        assert_int_equal(all.match[i], expected[i]);
    assert_int_equal(r.verdict, POLICY_ALLOW);
    assert_int_equal(r.rule_line, 5);
    policy_free(p);
    policy_system_free(s);
}

/*
 * The index against the plain reading of the rules, over many policies: the
 * first rule that explain finds matching is the one that eval took.
 */
struct first {
    unsigned line;
};

static void note_first(void *ctx, const struct policy_finding *f)
{
    struct first *first = ctx;

    if (f->match == POLICY_MATCH)
        first->line = f->line;
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static void test_index_agrees_with_plain_search(void **state)
{
    static const char *const sources[] = {"*", "@anyvm", "work", "relay",
            "@tag:web", "@tag:trusted", "@type:AppVM", "dom0"};
    static const char *const targets[] = {"*", "@anyvm", "vault", "@dispvm",
            "@dispvm:dvm", "@default", "@tag:trusted", "dom0", "rem1"};
    static const char *const services[] = {
            "* *", "s.A *", "s.A +x", "s.A +y", "s.B *", "s.B +x"};
    static const char *const asked[] = {
            "vault", "", "@dispvm", "@dispvm:dvm", "dom0", "rem1", "nosuch"};
    struct policy_system *s = make_system();
    uint32_t seed = 1;
    unsigned hits = 0;

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        char text[2048];
        size_t len = 0;
        struct policy *p;
        struct first first = {0};
        struct policy_result r, plain;
        struct policy_request request = {.service = span_str("s.A+x"),
                .source = span_str(next_random(&seed) % 2 ? "work" : "relay"),
                .target =
                        span_str(asked[next_random(&seed) % ARRAY_LEN(asked)])};

        for (unsigned i = 0; i < 12; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len,
                    "%s %s %s deny\n",
                    services[next_random(&seed) % ARRAY_LEN(services)],
                    sources[next_random(&seed) % ARRAY_LEN(sources)],
                    targets[next_random(&seed) % ARRAY_LEN(targets)]);
        p = parse_text(text);
        policy_eval(p, s, &request, &r);
        policy_explain(p, s, &request, note_first, &first, &plain);
        assert_int_equal(r.rule_line, first.line);
        hits += r.rule_line > 0;
        policy_free(p);
    }
    assert_true(hits > 500);
    policy_system_free(s);
}

/* ---- doubts ------------------------------------------------------------ */

struct doubts {
    char text[1024];
    size_t len;
};

static void note_doubt(void *ctx, const struct policy_doubt *d)
{
    struct doubts *all = ctx;

    all->len += (size_t)snprintf(all->text + all->len,
            sizeof(all->text) - all->len, "%u %s\n", d->line, d->what);
}

static void test_doubts(void **state)
{
    struct policy_system *s = make_system();
    struct policy *p = parse_text("s.A * work vault allow\n"
                                  "s.A * work relay allow\n"
                                  "s.A * wrok vault allow target=valt\n"
                                  "s.A +x work vault deny\n"
                                  "s.A * work vault deny\n"
                                  "s.A * @tag:none @type:None deny\n"
                                  "s.A * work @dispvm:none ask "
                                  "default_target=@dispvm:no\n"
                                  "* * * * deny\n"
                                  "s.B * work vault allow\n");
    struct doubts all = {.len = 0};

    (void)state;
    assert_int_equal(policy_doubts(p, s, note_doubt, &all), 0);
    assert_string_equal(all.text,
            "3 source 'wrok' is no qube of this zone\n"
            "3 target= 'valt' is no qube of this zone\n"
            "5 never decides: 50-test.policy:1 comes first\n"
            "7 target 'none' is no qube of this zone\n"
            "7 default_target= 'no' is no qube of this zone\n"
            "9 never decides: 50-test.policy:8 comes first\n");
    all = (struct doubts){.len = 0};
    assert_int_equal(policy_doubts(p, NULL, note_doubt, &all), 0);
    assert_string_equal(all.text,
            "5 never decides: 50-test.policy:1 comes first\n"
            "9 never decides: 50-test.policy:8 comes first\n");
    policy_free(p);
    policy_system_free(s);
}

/* ---- a person's answer --------------------------------------------------- */

static void a_choice_must_be_offered_by_the_policy_of_now(void **state)
{
    static const struct {
        const char *rules;
        const char *source, *target, *choice;
        enum policy_verdict verdict;
        const char *why;
    } rows[] = {
            {"s * work @anyvm ask\n", "work", "vault", "vault", POLICY_ALLOW,
                    "allowed by the person whom 50-test.policy:1 asks"},
            {"s * work @anyvm ask\n", "work", "vault", "rem1", POLICY_ALLOW,
                    "allowed by the person"},
            {"s * work @anyvm ask\n", "work", "vault", "@dispvm:dvm",
                    POLICY_ALLOW, "allowed by the person"},
            {"s * work @anyvm ask\n", "work", "vault", "@dispvm", POLICY_DENY,
                    "'@dispvm' is not among"},
            {"s * work @anyvm ask target=@dispvm\n", "work", "vault", "@dispvm",
                    POLICY_ALLOW, "allowed by the person"},
            {"s * work @anyvm ask target=@dispvm\n", "work", "vault",
                    "@dispvm:dvm", POLICY_DENY, "not among"},
            {"s * work @anyvm ask target=rem1\n", "work", "vault", "vault",
                    POLICY_DENY, "'vault' is not among"},
            {"s * work @anyvm ask target=nobody\n", "work", "vault", "nobody",
                    POLICY_DENY, "not among"},
            {"s * work @anyvm ask\n", "work", "vault", "dom0", POLICY_DENY,
                    "'dom0' is not among"},
            {"s * work * ask\n", "work", "vault", "dom0", POLICY_ALLOW, ""},
            {"s * work * ask\n", "work", "vault", "@adminvm", POLICY_ALLOW, ""},
            {"s * work @anyvm ask\n", "work", "vault", "work", POLICY_DENY,
                    "'work' is not among"},
            {"s * work @anyvm ask\n", "work", "vault", "hidden", POLICY_DENY,
                    "not among"},
            {"s * work @anyvm ask\n", "work", "vault", "", POLICY_DENY,
                    "'' is not among"},
            {"s * work @anyvm ask\n", "work", "vault", "@anyvm", POLICY_DENY,
                    "'@anyvm' is not among"},
            {"s * work @anyvm ask\n", "work", "vault", "vault\n", POLICY_DENY,
                    "'vault\\x0a' is not among"},
            {"s * work @anyvm ask autostart=no\n", "work", "vault", "vault",
                    POLICY_DENY, "'vault' is not among"},
            {"s * work @anyvm ask target=lost\n", "work", "vault", "lost",
                    POLICY_DENY, "neither a zone nor a relay"},
            /* The rules changed while the question was open. */
            {"s * work @anyvm deny\n", "work", "vault", "vault", POLICY_DENY,
                    "denied by 50-test.policy:1"},
            {"s * work @anyvm allow\n", "work", "vault", "vault", POLICY_DENY,
                    "changed while the question was open"},
    };
    struct policy_system *s = make_system();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct policy_request request = {
                .source = span_str(rows[i].source),
                .target = span_str(rows[i].target),
                .service = span_str("s")};
        struct policy *p = parse_text(rows[i].rules);
        struct policy_result r;

        policy_choose(p, s, &request, span_str(rows[i].choice), &r);
        if (r.verdict != rows[i].verdict || !strstr(r.reason, rows[i].why))
            fail_msg("row %zu: %d, %s", i, (int)r.verdict, r.reason);
        if (r.verdict == POLICY_ALLOW)
            assert_non_null(r.target.qube);
        policy_free(p);
    }
    policy_system_free(s);
}

static void a_chosen_disposable_is_named_by_its_template(void **state)
{
    const struct policy_request request = {.source = span_str("work"),
            .target = span_str("vault"),
            .service = span_str("s")};
    struct policy *p = parse_text("s * work @anyvm ask target=@dispvm\n");
    struct policy_system *s = make_system();
    char text[POLICY_TARGET_TEXT_MAX];
    struct policy_result r;

    (void)state;
    policy_choose(p, s, &request, span_str("@dispvm"), &r);
    assert_true(policy_target_format(&r.target, text, sizeof(text)));
    assert_string_equal(text, "@dispvm:dvm");
    assert_false(policy_target_format(&r.target, text, strlen(text)));
    policy_free(p);
    policy_system_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_calls),
            cmocka_unit_test(test_relay_speaks_for_its_own_remotes_only),
            cmocka_unit_test(test_hop_is_built_from_the_decided_target),
            cmocka_unit_test(test_remote_zone_and_parameters),
            cmocka_unit_test(test_broken_policy_denies_with_its_reason),
            cmocka_unit_test(test_reason_is_printable),
            cmocka_unit_test(test_notify_defaults),
            cmocka_unit_test(test_explain_tells_of_every_rule),
            cmocka_unit_test(test_doubts),
            cmocka_unit_test(test_index_agrees_with_plain_search),
            cmocka_unit_test(a_choice_must_be_offered_by_the_policy_of_now),
            cmocka_unit_test(a_chosen_disposable_is_named_by_its_template),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
