/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that want a state of the source's zone: state= and emulated=. */
#include "help.h"

#include <stdio.h>

static const struct policy_qube qubes[] = {
        {.name = STR("work"), .type = STR("AppVM"), .running = true},
        {.name = STR("vault"), .type = STR("AppVM"), .running = true},
        {.name = STR("far"),
                .type = STR("RemoteVM"),
                .zone = STR("thin"),
                .remote_name = STR("work"),
                .running = true},
};

static int parse(
        const char *text, bool of_zone, struct policy **ret, struct err *err)
{
    const struct policy_file file = {
            .name = span_str("50-test.policy"), .text = span_str(text)};
    const struct policy_files files = {
            .files = &file, .n_files = 1, .of_zone = of_zone};

    return policy_new(&files, ret, err);
}

static struct policy_system *make_system(void)
{
    struct policy_system *s = NULL;
    struct err err;

    assert_int_equal(policy_system_new(qubes, ARRAY_LEN(qubes), &s, &err), 0);
    return s;
}

/* ---- words ------------------------------------------------------------- */

static void a_state_stands_where_it_can_only_narrow(void **state)
{
    static const struct {
        const char *text, *error; /* NULL: fine */
    } rows[] = {
            {"s * a b allow state=golden\n", NULL},
            {"s * a b allow state=golden emulated=yes\n", NULL},
            {"s * a b allow emulated=no state=golden\n", NULL},
            {"s * a b ask state=golden-2\n", NULL},
            /* Whoever hides its state would get past such a deny. */
            {"s * a b deny state=golden\n", "deny takes no 'state='"},
            {"s * a b deny emulated=yes\n", "deny takes no 'emulated='"},
            {"s * a b allow state=\n", "cannot be a state's name"},
            {"s * a b allow state=*\n", "cannot be a state's name"},
            {"s * a b allow state=@any\n", "cannot be a state's name"},
            {"s * a b allow state=Golden\n", "cannot be a state's name"},
            {"s * a b allow state=golden(emulated)\n",
                    "cannot be a state's name"},
            {"s * a b allow state=a234567890123456789012345678901x\n",
                    "cannot be a state's name"},
            {"s * a b allow state=golden state=blue\n", "given twice"},
            {"s * a b allow emulated=yes\n", "emulated= goes with state="},
            {"s * a b allow state=golden emulated=true\n", "'yes' or 'no'"},
            {"s * a b allow State=golden\n", "takes no 'State='"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policy *p = NULL;
        struct err err = {.code = 0};
        int r = parse(rows[i].text, true, &p, &err);

        if ((r == 0) != (rows[i].error == NULL))
            fail_msg("%s: %d %s", rows[i].text, r, err.msg);
        if (rows[i].error && !strstr(err.msg, rows[i].error))
            fail_msg("%s: %s", rows[i].text, err.msg);
        policy_free(p);
    }
}

/* Qubes' own parser refuses what it does not know, and so do we there. */
static void a_qubes_host_does_not_know_the_words(void **state)
{
    static const char *const rows[] = {
            "s * a b allow state=golden\n", "s * a b ask emulated=yes\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policy *p = NULL;
        struct err err = {.code = 0};

        assert_int_equal(parse(rows[i], false, &p, &err), ERR_SYNTAX);
        assert_non_null(strstr(err.msg, "takes no '"));
    }
}

/* ---- matching ---------------------------------------------------------- */

#define GOLDEN   "s * far vault allow state=golden\n"
#define EMULATED "s * far vault allow state=golden emulated=yes\n"

static const struct {
    const char *policy, *zone_state;
    enum policy_verdict verdict;
    unsigned line;
    const char *reason;
} rows[] = {
        {GOLDEN, "golden", POLICY_ALLOW, 1, "allowed by 50-test.policy:1"},
        {GOLDEN, "", POLICY_DENY, 0,
                "no rule matches; 50-test.policy:1 wants state=golden, and the "
                "state of the source zone is not known"},
        {GOLDEN, "not approved", POLICY_DENY, 0, "is not approved"},
        {GOLDEN, "golden (emulated)", POLICY_DENY, 0, "is golden (emulated)"},
        {GOLDEN, "golden-2", POLICY_DENY, 0, "is golden-2"},
        {GOLDEN, "golde", POLICY_DENY, 0, "is golde"},
        {GOLDEN, " (emulated)", POLICY_DENY, 0, ""},
        {GOLDEN, "golden (emulated) (emulated)", POLICY_DENY, 0, ""},
        {GOLDEN, "golden ", POLICY_DENY, 0, ""},
        {EMULATED, "golden (emulated)", POLICY_ALLOW, 1, ""},
        {EMULATED, "golden", POLICY_ALLOW, 1, ""},
        {EMULATED, "blue (emulated)", POLICY_DENY, 0, ""},
        {EMULATED, "", POLICY_DENY, 0, "not known"},
        {"s * far vault allow state=golden emulated=no\n", "golden (emulated)",
                POLICY_DENY, 0, ""},
        /* A rule that does not match lets the next one decide. */
        {GOLDEN "s * far vault deny\n", "golden", POLICY_ALLOW, 1, ""},
        {GOLDEN "s * far vault deny\n", "blue", POLICY_DENY, 2,
                "denied by 50-test.policy:2; 50-test.policy:1 wants "
                "state=golden, and the state of the source zone is blue"},
        {GOLDEN "s * far vault allow user=low\n", "", POLICY_ALLOW, 2, ""},
        {"s * far vault deny\n" GOLDEN, "blue", POLICY_DENY, 1,
                "denied by 50-test.policy:1"},
        {"s * far vault allow state=blue\n" GOLDEN, "golden", POLICY_ALLOW, 2,
                ""},
        {"s * far vault ask state=golden\n", "", POLICY_DENY, 0, "not known"},
        {"s * far vault ask state=golden\n", "golden", POLICY_ASK, 1, ""},
};

static void only_the_proved_state_matches(void **state)
{
    struct policy_system *s = make_system();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct policy_request request = {.source = span_str("far"),
                .target = span_str("vault"),
                .service = span_str("s"),
                .state = span_str(rows[i].zone_state)};
        struct policy *p = NULL;
        struct policy_result r;
        struct err err;

        assert_int_equal(parse(rows[i].policy, true, &p, &err), 0);
        policy_eval(p, s, &request, &r);
        if (r.verdict != rows[i].verdict || r.rule_line != rows[i].line ||
                !strstr(r.reason, rows[i].reason))
            fail_msg("row %zu: %d :%u %s", i, (int)r.verdict, r.rule_line,
                    r.reason);
        policy_free(p);
    }
    policy_system_free(s);
}

/* No rule that was passed over is named where none was. */
static void a_plain_refusal_says_nothing_of_states(void **state)
{
    const struct policy_request request = {.source = span_str("far"),
            .target = span_str("vault"),
            .service = span_str("s")};
    struct policy_system *s = make_system();
    struct policy *p = NULL;
    struct policy_result r;
    struct err err;

    (void)state;
    assert_int_equal(parse("s * work vault allow state=golden\n"
                           "s * far work allow state=golden\n",
                             true, &p, &err),
            0);
    policy_eval(p, s, &request, &r);
    assert_string_equal(r.reason, "no rule matches");
    policy_free(p);
    policy_system_free(s);
}

/* What an ask offers is made of rules that want no other state. */
static void a_state_offers_nothing_to_others(void **state)
{
    struct policy_request request = {.source = span_str("far"),
            .target = span_str("vault"),
            .service = span_str("s")};
    struct policy_system *s = make_system();
    struct policy *p = NULL;
    struct policy_result r;
    struct policy_target t;
    struct err err;
    size_t pos = 0, n = 0;

    (void)state;
    assert_int_equal(parse("s * far vault ask\n"
                           "s * far work allow state=golden\n",
                             true, &p, &err),
            0);
    policy_eval(p, s, &request, &r);
    assert_int_equal(r.verdict, POLICY_ASK);
    while (policy_ask_next(&r, s, &pos, &t))
        n++;
    assert_int_equal(n, 1);
    request.state = span_str("golden");
    policy_eval(p, s, &request, &r);
    for (pos = n = 0; policy_ask_next(&r, s, &pos, &t);)
        n++;
    assert_int_equal(n, 2);
    /* Offered in that state, chosen in another. */
    request.state = span_str("blue");
    policy_choose(p, s, &request, span_str("work"), &r);
    assert_int_equal(r.verdict, POLICY_DENY);
    policy_free(p);
    policy_system_free(s);
}

/* ---- explanation, doubts ----------------------------------------------- */

static void keep_match(void *ctx, const struct policy_finding *f)
{
    *(enum policy_match *)ctx = f->match;
}

static void explain_says_that_the_state_differs(void **state)
{
    const struct policy_request request = {.source = span_str("far"),
            .target = span_str("vault"),
            .service = span_str("s")};
    struct policy_system *s = make_system();
    enum policy_match match = POLICY_MATCH;
    struct policy *p = NULL;
    struct policy_result r;
    struct err err;

    (void)state;
    assert_int_equal(parse(GOLDEN, true, &p, &err), 0);
    policy_explain(p, s, &request, keep_match, &match, &r);
    assert_int_equal(match, POLICY_MATCH_STATE);
    assert_string_equal(
            policy_match_name(match), "the state of the source zone differs");
    policy_free(p);
    policy_system_free(s);
}

static void count(void *ctx, const struct policy_doubt *d)
{
    (void)d;
    (*(unsigned *)ctx)++;
}

static void a_rule_for_a_state_hides_no_later_one(void **state)
{
    static const struct {
        const char *policy;
        unsigned doubts;
    } cases[] = {
            {GOLDEN "s * far vault allow\n", 0},
            {GOLDEN "s * far vault allow state=blue\n", 0},
            {"s * far vault allow\n" GOLDEN, 1},
            {"* * * * allow state=golden\ns * far vault allow\n", 0},
            {"* * * * deny\n" GOLDEN, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy *p = NULL;
        struct err err;
        unsigned n = 0;

        assert_int_equal(parse(cases[i].policy, true, &p, &err), 0);
        assert_int_equal(policy_doubts(p, NULL, count, &n), 0);
        if (n != cases[i].doubts)
            fail_msg("case %zu: %u doubts", i, n);
        policy_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_state_stands_where_it_can_only_narrow),
            cmocka_unit_test(a_qubes_host_does_not_know_the_words),
            cmocka_unit_test(only_the_proved_state_matches),
            cmocka_unit_test(a_plain_refusal_says_nothing_of_states),
            cmocka_unit_test(a_state_offers_nothing_to_others),
            cmocka_unit_test(explain_says_that_the_state_differs),
            cmocka_unit_test(a_rule_for_a_state_hides_no_later_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
