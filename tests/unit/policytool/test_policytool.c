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

#define ROUNDS     300
#define ANSWER_MAX 4096

static const char *const services[] = {"a.A", "b.B", "qair.Relay", "c.C"};
static const char *const arguments[] = {"+", "+x", "+y"};
static const char *const targets[] = {"work", "vault", "mail", "far", "tmpl",
        "dom0", "@default", "@dispvm", "@dispvm:tmpl"};
static const char *const sources[] = {
        "work", "vault", "mail", "far", "tmpl", "dom0"};

static uint64_t seed = 1;

static unsigned pick(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static struct policy_system *make_system(void)
{
    static const struct span tags[] = {{(const uint8_t *)"dev", 3}};
    const struct policy_qube qubes[] = {
            {.name = span_str("work"),
                    .type = span_str("AppVM"),
                    .tags = tags,
                    .n_tags = 1,
                    .default_dispvm = span_str("tmpl"),
                    .running = true},
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

    if (policy_system_new(qubes, ARRAY_LEN(qubes), &s, &err) != 0)
        fail_msg("%s", err.msg);
    return s;
}

static const char *one(const char *const *list, size_t n)
{
    return list[pick((unsigned)n)];
}
#define ONE(list) one(list, ARRAY_LEN(list))

static void put_rule(struct buf *text)
{
    static const char *const from[] = {"work", "vault", "mail", "@anyvm", "*",
            "@tag:dev", "@type:RemoteVM", "far", "gone"};
    static const char *const to[] = {"work", "vault", "@anyvm", "*", "far",
            "@tag:dev", "@default", "@dispvm", "@dispvm:tmpl", "@adminvm"};
    static const char *const then[] = {"deny", "allow", "allow target=vault",
            "allow target=far", "ask", "ask default_target=vault",
            "ask target=work", "allow user=root", "allow autostart=no",
            "allow target=@dispvm:tmpl", "allow notify=yes", "deny notify=no",
            "ask autostart=no"};
    bool any = pick(5) == 0;
    const char *target = ONE(to), *action = ONE(then);

    if (strcmp(target, "@default") == 0 && strncmp(action, "allow", 5) == 0)
        action = "allow target=mail";
    buf_printf(text, "%s %s %s %s %s\n", any ? "*" : ONE(services),
            any || pick(2) ? "*" : ONE(arguments), ONE(from), target, action);
}

static struct policy *make_policy(void)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);
    struct policy_file file = {.name = span_str("30.policy")};
    const struct policy_files files = {.files = &file, .n_files = 1};
    struct policy *p = NULL;
    unsigned n = 1 + pick(8);
    struct err err;

    for (unsigned i = 0; i < n; i++)
        put_rule(&text);
    file.text = buf_span(&text);
    if (policy_new(&files, &p, &err) != 0)
        fail_msg("%s:\n%s", err.msg, (const char *)text.ptr);
    return p;
}

static void ask(const struct policy *p, const struct policy_system *s,
        const char *source, const char *target, const char *service,
        struct policy_result *ret)
{
    const struct policy_request r = {.source = span_str(source),
            .target = span_str(target),
            .service = span_str(service)};

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
    const char *service, *argument, *source, *target;
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
            !has(c->targets, c->n_targets, t->target))
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

static void check_call(const struct policytool_universe *u,
        const struct policy *const *p, const struct policy_system *s,
        struct told *t, const char *service, const char *argument)
{
    char text[64], before[ANSWER_MAX], after[ANSWER_MAX];
    struct policy_result r;
    struct err err;
    uint64_t calls;

    snprintf(text, sizeof(text), "%s%s", service, argument);
    ask(p[0], s, t->source, t->target, text, &r);
    answer(&r, u, before);
    ask(p[1], s, t->source, t->target, text, &r);
    answer(&r, u, after);
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

static struct policy *policy_of(const char *rules)
{
    const struct policy_file file = {
            .name = span_str("30.policy"), .text = span_str(rules)};
    const struct policy_files files = {.files = &file, .n_files = 1};
    struct policy *p = NULL;
    struct err err;

    if (policy_new(&files, &p, &err) != 0)
        fail_msg("%s", err.msg);
    return p;
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
        for (size_t k = 0; k < ARRAY_LEN(targets); k++) {
            size_t pos = 0;

            ask(p, s, source, targets[k], text, &r);
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

struct found {
    unsigned dead[16], opens[16];
};

static void note(void *ctx, const struct policytool_finding *f)
{
    struct found *found = ctx;

    assert_true(f->line >= 1 && f->line <= 15);
    (f->is_error ? found->opens : found->dead)[f->line]++;
}

static void count_answers(const struct policy *p, const struct policy_system *s,
        unsigned decides[16], bool opens[16])
{
    static const char *const named[] = {
            "a.A", "b.B", "qair.Relay", "c.C", "un.Named"};
    static const char *const args[] = {"+", "+x", "+y", "+unnamed"};
    struct policy_result r;
    char text[64];

    for (size_t i = 0; i < ARRAY_LEN(named) * ARRAY_LEN(args); i++) {
        const char *name = named[i / ARRAY_LEN(args)];
        bool transport = strcmp(name, "qair.Relay") == 0 || name[0] == 'c';

        snprintf(text, sizeof(text), "%s%s", name, args[i % ARRAY_LEN(args)]);
        for (size_t k = 0; k < ARRAY_LEN(sources) * ARRAY_LEN(targets); k++) {
            const char *source = sources[k / ARRAY_LEN(targets)];

            ask(p, s, source, targets[k % ARRAY_LEN(targets)], text, &r);
            if (r.rule_file.len == 0)
                continue;
            decides[r.rule_line]++;
            opens[r.rule_line] |= transport && r.verdict != POLICY_DENY &&
                                  strcmp(source, "dom0") != 0;
        }
    }
}

static void test_lint_finds_what_never_decides_and_what_opens(void **state)
{
    struct policy_system *s = make_system();

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct policy *p = make_policy();
        const struct policy *one_policy = p;
        struct policytool_universe *u;
        struct found found = {.dead = {0}};
        unsigned decides[16] = {0};
        bool opens[16] = {false};
        struct err err;

        count_answers(p, s, decides, opens);
        assert_int_equal(
                policytool_universe_new(&one_policy, 1, s, &u, &err), 0);
        assert_int_equal(policytool_lint(u, note, &found, &err), 0);
        for (unsigned line = 1; line <= policy_rule_count(p); line++) {
            assert_int_equal(found.dead[line], decides[line] == 0);
            assert_int_equal(found.opens[line], opens[line]);
        }
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_diff_is_what_the_engine_decides),
            cmocka_unit_test(test_a_policy_does_not_differ_from_itself),
            cmocka_unit_test(test_a_change_at_the_end_of_a_long_list_is_seen),
            cmocka_unit_test(test_every_qube_with_candidates_of_its_own),
            cmocka_unit_test(test_reach_is_the_shortest_way),
            cmocka_unit_test(test_lint_finds_what_never_decides_and_what_opens),
            cmocka_unit_test(test_reach_of_a_qube_that_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
