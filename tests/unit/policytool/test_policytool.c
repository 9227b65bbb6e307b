/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random small policies; what the tools say is held against policy_eval asked
 * call by call, services and arguments that no rule names included.
 */
#include "buf.h"
#include "policytool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROUNDS     120
#define ANSWER_MAX 4096

static const char *const services[] = {"a.A", "b.B", "qair.Relay", "c.C"};
static const char *const arguments[] = {"+", "+x", "+y"};
static const char *const targets[] = {"work", "vault", "mail", "far", "tmpl",
        "dom0", "@default", "@dispvm", "@dispvm:tmpl"};
static const char *const sources[] = {
        "work", "vault", "mail", "far", "tmpl", "dom0"};

static const char *const states[] = {
        "", "golden", "golden (emulated)", "blue", "blue (emulated)", "other"};

static uint64_t seed = 1;

static unsigned pick(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

/* The tools look at qubes as if all of them ran. */
static struct policy_system *make_system_of(bool running)
{
    static const struct span tags[] = {{(const uint8_t *)"dev", 3}};
    struct policy_qube qubes[] = {
            {.name = span_str("work"),
                    .type = span_str("AppVM"),
                    .tags = tags,
                    .n_tags = 1,
                    .default_dispvm = span_str("tmpl")},
            {.name = span_str("vault"), .type = span_str("AppVM")},
            {.name = span_str("mail"),
                    .type = span_str("AppVM"),
                    .tags = tags,
                    .n_tags = 1},
            {.name = span_str("far"),
                    .type = span_str("RemoteVM"),
                    .relayvm = span_str("mail"),
                    .transport_rpc = span_str("c.C")},
            {.name = span_str("tmpl"),
                    .type = span_str("AppVM"),
                    .template_for_dispvms = true},
    };
    struct policy_system *s = NULL;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(qubes); i++)
        qubes[i].running = running;
    if (policy_system_new(qubes, ARRAY_LEN(qubes), &s, &err) != 0)
        fail_msg("%s", err.msg);
    return s;
}

static struct policy_system *make_system(void)
{
    return make_system_of(true);
}

static const char *one(const char *const *list, size_t n)
{
    return list[pick((unsigned)n)];
}
#define ONE(list) one(list, ARRAY_LEN(list))

static void put_rule(struct buf *text)
{
    static const char *const from[] = {"work", "vault", "mail", "@anyvm", "*",
            "@tag:dev", "@type:RemoteVM", "far", "gone", "@tag:none"};
    static const char *const to[] = {"work", "vault", "@anyvm", "*", "far",
            "@tag:dev", "@default", "@dispvm", "@dispvm:tmpl", "@adminvm"};
    static const char *const then[] = {"deny", "allow", "allow target=vault",
            "allow target=far", "ask", "ask default_target=vault",
            "ask target=work", "allow user=root", "allow autostart=no",
            "allow target=@dispvm:tmpl", "allow notify=yes", "deny notify=no",
            "ask autostart=no", "allow state=golden",
            "allow state=blue target=vault", "ask state=blue",
            "allow user=root state=golden emulated=yes"};
    bool any = pick(5) == 0;
    const char *target = ONE(to), *action = ONE(then);

    if (strcmp(target, "@default") == 0 && strncmp(action, "allow", 5) == 0)
        action = "allow target=mail";
    buf_printf(text, "%s %s %s %s %s\n", any ? "*" : ONE(services),
            any || pick(2) ? "*" : ONE(arguments), ONE(from), target, action);
}

static struct policy *policy_of(const char *rules)
{
    const struct policy_file file = {
            .name = span_str("30.policy"), .text = span_str(rules)};
    const struct policy_files files = {
            .files = &file, .n_files = 1, .of_zone = true};
    struct policy *p = NULL;
    struct err err;

    if (policy_new(&files, &p, &err) != 0)
        fail_msg("%s:\n%s", err.msg, rules);
    return p;
}

static void put_rules(struct buf *text)
{
    unsigned n = 1 + pick(8);

    for (unsigned i = 0; i < n; i++)
        put_rule(text);
}

static struct policy *make_policy(void)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);

    put_rules(&text);
    return policy_of((const char *)text.ptr);
}

static void ask_in(const struct policy *p, const struct policy_system *s,
        const char *source, const char *target, const char *service,
        const char *zone_state, struct policy_result *ret)
{
    const struct policy_request r = {.source = span_str(source),
            .target = span_str(target),
            .service = span_str(service),
            .state = span_str(zone_state)};

    policy_eval(p, s, &r, ret);
}

/* ---- diff ------------------------------------------------------------ */

static void answer(const struct policy_result *r,
        const struct policytool_universe *u, char ret[static ANSWER_MAX])
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(ANSWER_MAX);

    policytool_answer(r, u, &text);
    assert_int_equal(text.error, 0);
    memcpy(ret, text.ptr, text.len + 1);
}

struct told {
    const struct policytool_change *c;
    char before[ANSWER_MAX], after[ANSWER_MAX];
    bool found;
    const char *service, *argument, *source, *target, *state;
    uint64_t calls;
};

static bool has(const struct span *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (span_eq_str(list[i], name))
            return true;
    }
    return false;
}

/* Is the call that t asks about among those of c? */
static void look(void *ctx, const struct policytool_change *c)
{
    struct told *t = ctx;

    t->calls += c->n_sources * c->n_targets;
    if (!t->service || !span_eq_str(c->service->name, t->service) ||
            !span_eq_str(c->service->argument, t->argument) ||
            !has(c->sources, c->n_sources, t->source) ||
            !has(c->targets, c->n_targets, t->target) ||
            (c->state && strcmp(c->state, t->state) != 0))
        return;
    assert_false(t->found); /* told twice */
    t->found = true;
    snprintf(t->before, sizeof(t->before), "%s", c->before);
    snprintf(t->after, sizeof(t->after), "%s", c->after);
}

/* The service as the universe knows it: by name, or among all others. */
static void name_service(const struct policytool_universe *u,
        const char *service, const char *argument, struct told *t)
{
    const struct policytool_service *s;
    size_t n = policytool_services(u, &s);

    t->service = t->argument = "*";
    for (size_t i = 0; i < n; i++) {
        if (span_eq_str(s[i].name, service))
            t->service = service;
    }
    for (size_t i = 0; i < n && *t->service != '*'; i++) {
        if (span_eq_str(s[i].name, service) &&
                span_eq_str(s[i].argument, argument))
            t->argument = argument;
    }
}

/* The state as diff tells of it: by name when a rule for the service wants
 * it, or its like of another TPM. */
static const char *state_told(const struct policy *const *p,
        const char *service, const char *zone_state)
{
    struct policy_rule_view v;

    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < policy_rule_count(p[k]); i++) {
            policy_rule_at(p[k], i, &v);
            if (v.state.len > 0 &&
                    (span_eq_str(v.service, "*") ||
                            span_eq_str(v.service, service)) &&
                    policy_is_state(span_str(zone_state), v.state))
                return zone_state;
        }
    }
    return "";
}

static void check_call(const struct policytool_universe *u,
        const struct policy *const *p, const struct policy_system *s,
        struct told *t, const char *service, const char *argument)
{
    char text[64], before[ANSWER_MAX], after[ANSWER_MAX];
    struct policy_result r;
    struct err err;
    uint64_t calls;

    snprintf(text, sizeof(text), "%s%s", service, argument);
    ask_in(p[0], s, t->source, t->target, text, t->state, &r);
    answer(&r, u, before);
    ask_in(p[1], s, t->source, t->target, text, t->state, &r);
    answer(&r, u, after);
    t->state = state_told(p, service, t->state);
    name_service(u, service, argument, t);
    t->found = false;
    t->calls = 0;
    assert_int_equal(policytool_diff(u, look, t, &calls, &err), 0);
    assert_int_equal(calls, t->calls);
    if (t->found != (strcmp(before, after) != 0))
        fail_msg("%s -> %s %s: '%s', '%s', told: %d", t->source, t->target,
                text, before, after, t->found);
    if (t->found) {
        assert_string_equal(t->before, before);
        assert_string_equal(t->after, after);
    }
}

static void test_diff_is_what_the_engine_decides(void **state)
{
    struct policy_system *s = make_system();

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct policy *a = make_policy(), *b = make_policy();
        const struct policy *const both[2] = {a, b};
        struct policytool_universe *u;
        struct told t = {.found = false};
        struct err err;

        assert_int_equal(policytool_universe_new(both, 2, s, &u, &err), 0);
        for (unsigned k = 0; k < 40; k++) {
            t.source = ONE(sources);
            t.target = ONE(targets);
            t.state = ONE(states);
            check_call(u, both, s, &t, pick(6) ? ONE(services) : "un.Named",
                    pick(4) ? ONE(arguments) : "+unnamed");
        }
        policytool_universe_free(u);
        policy_free(a);
        policy_free(b);
    }
    policy_system_free(s);
}

static void test_a_policy_does_not_differ_from_itself(void **state)
{
    struct policy_system *s = make_system();

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct policy *a = make_policy();
        const struct policy *const both[2] = {a, a};
        struct policytool_universe *u;
        struct told t = {.found = false};
        struct err err;
        uint64_t calls;

        assert_int_equal(policytool_universe_new(both, 2, s, &u, &err), 0);
        assert_int_equal(policytool_diff(u, look, &t, &calls, &err), 0);
        assert_int_equal(calls, 0);
        policytool_universe_free(u);
        policy_free(a);
    }
    policy_system_free(s);
}

#define CROWD 150

/* So many qubes that a list of them is longer than any line. */
static struct policy_system *make_crowd(void)
{
    static const struct span tag[] = {{(const uint8_t *)"dev", 3}};
    struct policy_qube qubes[CROWD] = {{.internal = false}};
    char name[CROWD][32];
    struct policy_system *s = NULL;
    struct err err;

    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(name[i], sizeof(name[i]), "qube-with-a-long-name-%03u", i);
        qubes[i] = (struct policy_qube){.name = span_str(name[i]),
                .type = span_str("AppVM"),
                .tags = tag,
                .n_tags = i % 2};
    }
    if (policy_system_new(qubes, CROWD, &s, &err) != 0)
        fail_msg("%s", err.msg);
    return s;
}

struct crowd {
    char before[65536], after[65536];
    unsigned changes;
    size_t sources, targets;
};

static void note_change(void *ctx, const struct policytool_change *c)
{
    struct crowd *n = ctx;

    n->changes++;
    n->sources += c->n_sources;
    n->targets = c->n_targets;
    snprintf(n->before, sizeof(n->before), "%s", c->before);
    snprintf(n->after, sizeof(n->after), "%s", c->after);
}

static void diff_crowd(const char *before, const char *after, struct crowd *ret)
{
    struct policy_system *s = make_crowd();
    struct policy *a = policy_of(before), *b = policy_of(after);
    const struct policy *const both[2] = {a, b};
    struct policytool_universe *u;
    uint64_t calls;
    struct err err;

    memset(ret, 0, sizeof(*ret));
    assert_int_equal(policytool_universe_new(both, 2, s, &u, &err), 0);
    if (policytool_diff(u, note_change, ret, &calls, &err) != 0)
        fail_msg("%s", err.msg);
    policytool_universe_free(u);
    policy_free(a);
    policy_free(b);
    policy_system_free(s);
}

static void test_a_change_at_the_end_of_a_long_list_is_seen(void **state)
{
    static struct crowd n;

    (void)state;
    diff_crowd("x.X * @tag:dev @tag:dev ask user=a\n",
            "x.X * @tag:dev @tag:dev ask user=b\n", &n);
    assert_int_equal(n.sources, CROWD / 2);
    assert_true(strlen(n.before) > 1024);
    assert_non_null(strstr(n.before, " user=a"));
    assert_non_null(strstr(n.after, " user=b"));
}

static void test_every_qube_with_candidates_of_its_own(void **state)
{
    static struct crowd n;

    (void)state;
    diff_crowd("x.X * @anyvm @anyvm deny\n",
            "x.X * @tag:dev @tag:dev ask\n"
            "x.X * @anyvm @anyvm deny\n",
            &n);
    assert_int_equal(n.changes, CROWD / 2);
    assert_int_equal(n.sources, CROWD / 2);
    /* What all can choose from is one line. */
    diff_crowd("x.X * @anyvm @anyvm deny\n", "x.X * @anyvm @anyvm ask\n", &n);
    assert_int_equal(n.changes, 1);
    assert_int_equal(n.sources, CROWD);
    assert_int_equal(n.targets, CROWD + 2); /* @default, @dispvm */
    assert_string_equal(n.after, "ask @anyvm");
}

/* ---- reach ------------------------------------------------------------ */

/* Does one call lead from source to the qube?  By brute force. */
static bool one_hop(const struct policy *p, const struct policy_system *s,
        const char *source, const char *to, bool dispvm)
{
    static const char *const named[] = {
            "a.A", "b.B", "qair.Relay", "c.C", "un.Named"};
    static const char *const args[] = {"+", "+x", "+y", "+unnamed"};
    struct policy_result r;
    struct policy_target t;
    char text[64];

    for (size_t i = 0; i < ARRAY_LEN(named) * ARRAY_LEN(args); i++) {
        snprintf(text, sizeof(text), "%s%s", named[i / ARRAY_LEN(args)],
                args[i % ARRAY_LEN(args)]);
        for (size_t k = 0; k < ARRAY_LEN(targets) * ARRAY_LEN(states); k++) {
            size_t pos = 0;

            ask_in(p, s, source, targets[k % ARRAY_LEN(targets)], text,
                    states[k / ARRAY_LEN(targets)], &r);
            if (r.verdict == POLICY_ALLOW &&
                    span_eq_str(r.target.qube->name, to) &&
                    r.target.dispvm == dispvm)
                return true;
            while (r.verdict == POLICY_ASK &&
                    policy_ask_next(&r, s, &pos, &t)) {
                if (t.qube && span_eq_str(t.qube->name, to) &&
                        t.dispvm == dispvm)
                    return true;
            }
        }
    }
    return false;
}

/* The fewest hops; 99: there is no way. */
static unsigned distance(const struct policy *p, const struct policy_system *s,
        const char *from, const char *to)
{
    unsigned hops[ARRAY_LEN(sources)];

    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        hops[i] = strcmp(sources[i], from) == 0 ? 0 : 99;
    for (unsigned n = 0; n < ARRAY_LEN(sources); n++) {
        for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
            if (hops[i] != n || (n > 0 && strcmp(sources[i], "dom0") == 0))
                continue;
            for (size_t k = 0; k < ARRAY_LEN(sources); k++) {
                if (hops[k] == 99 &&
                        one_hop(p, s, sources[i], sources[k], false))
                    hops[k] = n + 1;
            }
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        if (strcmp(sources[i], to) == 0)
            return hops[i];
    }
    return 99;
}

static void test_reach_is_the_shortest_way(void **state)
{
    struct policytool_hop hop[POLICYTOOL_HOPS_MAX];
    struct policy_system *s = make_system();
    unsigned ways = 0;

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct policy *p = make_policy();
        const struct policy *one_policy = p;
        struct policytool_universe *u;
        const char *from = ONE(sources), *to = ONE(sources);
        unsigned want = distance(p, s, from, to);
        struct err err;
        size_t n;

        assert_int_equal(
                policytool_universe_new(&one_policy, 1, s, &u, &err), 0);
        assert_int_equal(policytool_reach(u, span_str(from), span_str(to),
                                 SPAN_EMPTY, 16, hop, &n, &err),
                0);
        if (strcmp(from, to) != 0)
            assert_int_equal(n, want == 99 ? 0 : want);
        for (size_t k = 0; k < n; k++) {
            char source[32], target[32];

            snprintf(source, sizeof(source), "%.*s", (int)hop[k].source.len,
                    (const char *)hop[k].source.ptr);
            snprintf(target, sizeof(target), "%.*s", (int)hop[k].target.len,
                    (const char *)hop[k].target.ptr);
            assert_true(one_hop(p, s, source, target, hop[k].dispvm));
            ways++;
        }
        policytool_universe_free(u);
        policy_free(p);
    }
    assert_true(ways > ROUNDS / 10);
    policy_system_free(s);
}

/* ---- lint ------------------------------------------------------------ */

#define LINES 16

/* What was said of each line. */
struct found {
    bool dead[LINES], tag[LINES], idle[LINES], anyway[LINES], opens[LINES];
    unsigned n;
};

static void note(void *ctx, const struct policytool_finding *f)
{
    struct found *found = ctx;
    const struct {
        const char *start;
        bool *set;
    } kinds[] = {
            {"decides no call: ", found->dead},
            {"no qube has the tag 'none'", found->tag},
            {"lets nothing through: 30.policy:", found->idle},
            {"its target= is where", found->anyway},
            {"lets ", found->opens},
    };

    assert_true(f->line >= 1 && f->line < LINES);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strncmp(f->what, kinds[i].start, strlen(kinds[i].start)) != 0)
            continue;
        assert_false(kinds[i].set[f->line]); /* told twice */
        assert_int_equal(f->is_error, i == ARRAY_LEN(kinds) - 1);
        kinds[i].set[f->line] = true;
        found->n++;
        return;
    }
    fail_msg("%s", f->what);
}

/* Every call that there can be, one of each kind that no rule names too. */
static void each_call(void (*f)(void *ctx, const struct policy_request *r,
                              const char *service),
        void *ctx)
{
    static const char *const named[] = {
            "a.A", "b.B", "qair.Relay", "c.C", "un.Named"};
    static const char *const args[] = {"+", "+x", "+y", "+unnamed"};
    char text[64];

    for (size_t i = 0; i < ARRAY_LEN(named) * ARRAY_LEN(args); i++) {
        const char *name = named[i / ARRAY_LEN(args)];

        snprintf(text, sizeof(text), "%s%s", name, args[i % ARRAY_LEN(args)]);
        for (size_t k = 0;
                k < ARRAY_LEN(sources) * ARRAY_LEN(targets) * ARRAY_LEN(states);
                k++) {
            size_t pair = k % (ARRAY_LEN(sources) * ARRAY_LEN(targets));
            const struct policy_request r = {
                    .source = span_str(sources[pair / ARRAY_LEN(targets)]),
                    .target = span_str(targets[pair % ARRAY_LEN(targets)]),
                    .service = span_str(text),
                    .state = span_str(states[k / ARRAY_LEN(sources) /
                                             ARRAY_LEN(targets)])};

            f(ctx, &r, name);
        }
    }
}

struct count {
    const struct policy *p;
    const struct policy_system *s;
    unsigned decides[LINES], works[LINES];
    bool opens[LINES];
};

static void count_call(
        void *ctx, const struct policy_request *request, const char *service)
{
    struct count *c = ctx;
    bool transport = strcmp(service, "qair.Relay") == 0 || service[0] == 'c';
    struct policy_result r;

    policy_eval(c->p, c->s, request, &r);
    if (r.rule_file.len == 0)
        return;
    c->decides[r.rule_line]++;
    c->works[r.rule_line] += r.verdict != POLICY_DENY;
    c->opens[r.rule_line] |= transport && r.verdict != POLICY_DENY &&
                             !span_eq_str(request->source, "dom0");
}

struct same {
    const struct policy *a, *b;
    const struct policytool_universe *u;
    const struct policy_system *s;
    bool differs;
};

static void compare_call(
        void *ctx, const struct policy_request *request, const char *service)
{
    char before[ANSWER_MAX], after[ANSWER_MAX];
    struct same *c = ctx;
    struct policy_result r;

    (void)service;
    policy_eval(c->a, c->s, request, &r);
    answer(&r, c->u, before);
    policy_eval(c->b, c->s, request, &r);
    answer(&r, c->u, after);
    c->differs |= strcmp(before, after) != 0;
}

/* rules with the line left out, or only its "target=..." */
static struct policy *policy_without(
        const char *rules, unsigned line, bool redirect_only)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);
    struct text_lines l = text_lines_of(span_str(rules));
    struct span s;

    while (text_next_line(&l, &s)) {
        const uint8_t *cut = memmem(s.ptr, s.len, " target=", 8);

        if (l.line != line)
            buf_append(&text, s);
        else if (redirect_only && cut)
            buf_append(&text, SPAN(s.ptr, (size_t)(cut - s.ptr)));
        buf_append_u8(&text, '\n');
    }
    return policy_of((const char *)text.ptr);
}

static void check_useless(const struct policytool_universe *u,
        const struct policy_system *s, const struct policy *p,
        const char *rules, unsigned line, bool redirect_only)
{
    struct policy *less = policy_without(rules, line, redirect_only);
    struct same c = {.a = p, .b = less, .u = u, .s = s};

    each_call(compare_call, &c);
    if (c.differs)
        fail_msg("line %u is of use:\n%s", line, rules);
    policy_free(less);
}

static unsigned check_lint(const char *rules, const struct policy_system *s)
{
    struct policy *p = policy_of(rules);
    const struct policy *one_policy = p;
    struct count c = {.p = p, .s = s};
    struct found found = {.n = 0};
    bool asks = strstr(rules, " ask") != NULL;
    struct policytool_universe *u;
    struct policy_rule_view v;
    struct err err;

    each_call(count_call, &c);
    assert_int_equal(policytool_universe_new(&one_policy, 1, s, &u, &err), 0);
    assert_int_equal(policytool_lint(u, note, &found, &err), 0);
    for (unsigned i = 1; i <= policy_rule_count(p); i++) {
        bool useless = found.dead[i] || found.tag[i];

        policy_rule_at(p, i - 1, &v);
        assert_int_equal(found.opens[i], c.opens[i]);
        if (c.decides[i] > 0)
            assert_false(useless);
        else if (!asks)
            assert_true(useless);
        assert_int_equal(found.idle[i],
                c.decides[i] > 0 && v.action != POLICY_DENY && c.works[i] == 0);
        if (useless || found.anyway[i])
            check_useless(u, s, p, rules, i, found.anyway[i]);
    }
    policytool_universe_free(u);
    policy_free(p);
    return found.n;
}

static void test_lint_says_what_is_so(void **state)
{
    struct policy_system *s = make_system();
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);

        put_rules(&text);
        n += check_lint((const char *)text.ptr, s);
    }
    assert_true(n > ROUNDS);
    policy_system_free(s);
}

static void test_a_transport_behind_a_halted_relay_is_an_error_too(void **state)
{
    struct policy_system *s = make_system_of(false);
    struct policy *p = policy_of("c.C * work mail allow autostart=no\n");
    const struct policy *one_policy = p;
    struct policytool_universe *u;
    struct found f = {.n = 0};
    struct err err;

    (void)state;
    assert_int_equal(policytool_universe_new(&one_policy, 1, s, &u, &err), 0);
    assert_int_equal(policytool_lint(u, note, &f, &err), 0);
    assert_true(f.opens[1]);
    assert_int_equal(f.n, 1);
    policytool_universe_free(u);
    policy_free(p);
    policy_system_free(s);
}

static void keep_words(void *ctx, const struct policytool_finding *f)
{
    snprintf(ctx, ERR_MSG_MAX, "%s", f->what);
}

static void test_lint_says_which_rules_cover(void **state)
{
    static const char *const cases[][2] = {
            {"a.A * work * deny\na.A * work mail allow\n",
                    "decides no call: 30.policy:1 comes first"},
            {"a.A * work * deny\na.A * @anyvm vault deny\n"
             "a.A * @tag:dev vault allow\n",
                    "decides no call: 30.policy:1 and 30.policy:2 come first"},
            {"a.A * work vault deny\na.A * mail vault deny\n"
             "a.A * vault vault deny\na.A * far vault deny\n"
             "a.A * tmpl vault deny\na.A * @anyvm vault allow\n",
                    "decides no call: 30.policy:1, 30.policy:3 and others come "
                    "first"},
            {"a.A +x far vault deny\na.A * @type:StandaloneVM mail allow\n",
                    "decides no call: nobody fits its words"},
    };
    struct policy_system *s = make_system();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy *p = policy_of(cases[i][0]);
        const struct policy *one_policy = p;
        struct policytool_universe *u;
        char words[ERR_MSG_MAX] = "";
        struct err err;

        assert_int_equal(
                policytool_universe_new(&one_policy, 1, s, &u, &err), 0);
        assert_int_equal(policytool_lint(u, keep_words, words, &err), 0);
        assert_string_equal(words, cases[i][1]);
        policytool_universe_free(u);
        policy_free(p);
    }
    policy_system_free(s);
}

static void test_lint_by_example(void **state)
{
    static const struct {
        const char *rules, *kind;
        unsigned line;
    } cases[] = {
            /* by two rules together, by neither alone */
            {"a.A * work * deny\na.A * @anyvm vault deny\n"
             "a.A * @tag:dev vault allow\na.A * * * deny\n",
                    "dead", 3},
            {"a.A * @tag:none vault allow\na.A * * * deny\n", "tag", 1},
            {"a.A * work @tag:none deny\na.A * * * deny\n", "tag", 1},
            {"a.A * work gone allow target=lost\na.A * work mail allow "
             "target=lost\n",
                    "idle", 2},
            {"a.A * work work allow\n", "idle", 1},
            {"a.A * work vault allow target=vault\n", "anyway", 1},
            {"a.A * work @anyvm allow target=vault\n", "", 0},
            /* takes vault from what may be chosen */
            {"a.A * work mail ask\na.A * work mail deny\n"
             "a.A * work @anyvm ask\n",
                    "", 0},
            {"c.C * mail mail ask target=vault\n", "opens", 1},
            {"c.C * dom0 mail allow\n", "", 0},
    };
    struct policy_system *s = make_system();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy *p = policy_of(cases[i].rules);
        const struct policy *one_policy = p;
        struct policytool_universe *u;
        struct found f = {.n = 0};
        unsigned line = cases[i].line;
        const char *got = "";
        struct err err;

        assert_int_equal(
                policytool_universe_new(&one_policy, 1, s, &u, &err), 0);
        assert_int_equal(policytool_lint(u, note, &f, &err), 0);
        got = f.dead[line]     ? "dead"
              : f.tag[line]    ? "tag"
              : f.idle[line]   ? "idle"
              : f.anyway[line] ? "anyway"
              : f.opens[line]  ? "opens"
                               : "";
        if (strcmp(got, cases[i].kind) != 0 || (line == 0 && f.n != 0))
            fail_msg("%s: %s, %u told", cases[i].rules, got, f.n);
        policytool_universe_free(u);
        policy_free(p);
    }
    policy_system_free(s);
}

/* ---- the rest -------------------------------------------------------- */

static void test_reach_of_a_qube_that_is_not_there(void **state)
{
    struct policytool_hop hop[POLICYTOOL_HOPS_MAX];
    struct policy_system *s = make_system();
    struct policy *p = make_policy();
    const struct policy *one_policy = p;
    struct policytool_universe *u;
    struct err err;
    size_t n;

    (void)state;
    assert_int_equal(policytool_universe_new(&one_policy, 1, s, &u, &err), 0);
    assert_int_equal(policytool_reach(u, span_str("gone"), span_str("work"),
                             SPAN_EMPTY, 16, hop, &n, &err),
            ERR_NOT_FOUND);
    assert_int_equal(policytool_reach(u, span_str("work"), span_str(""),
                             SPAN_EMPTY, 16, hop, &n, &err),
            ERR_NOT_FOUND);
    policytool_universe_free(u);
    policy_free(p);
    policy_system_free(s);
}

static void test_too_many_questions_are_not_begun(void **state)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(1u << 20);
    struct policy_system *s = make_crowd();
    struct policytool_universe *u = NULL;
    const struct policy *one_policy;
    struct policy *p;
    struct err err;

    (void)state;
    for (unsigned i = 0; i < POLICYTOOL_ASKS_MAX / CROWD / CROWD; i++)
        buf_printf(&text, "s%u * * * deny\n", i);
    assert_int_equal(text.error, 0);
    p = policy_of((const char *)text.ptr);
    one_policy = p;
    assert_int_equal(
            policytool_universe_new(&one_policy, 1, s, &u, &err), ERR_LIMIT);
    assert_null(u);
    assert_non_null(strstr(err.msg, "more than can be gone through"));
    policy_free(p);
    policy_system_free(s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_diff_is_what_the_engine_decides),
            cmocka_unit_test(test_a_policy_does_not_differ_from_itself),
            cmocka_unit_test(test_a_change_at_the_end_of_a_long_list_is_seen),
            cmocka_unit_test(test_every_qube_with_candidates_of_its_own),
            cmocka_unit_test(test_reach_is_the_shortest_way),
            cmocka_unit_test(test_lint_says_what_is_so),
            cmocka_unit_test(test_lint_by_example),
            cmocka_unit_test(test_lint_says_which_rules_cover),
            cmocka_unit_test(
                    test_a_transport_behind_a_halted_relay_is_an_error_too),
            cmocka_unit_test(test_reach_of_a_qube_that_is_not_there),
            cmocka_unit_test(test_too_many_questions_are_not_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
