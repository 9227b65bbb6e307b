/* SPDX-License-Identifier: Apache-2.0 */
/* What a request is answered with, and what a person is asked. */
#include "verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct info *make_info(void)
{
    static const char json[] =
            "{\"domains\":{"
            "\"work\":{\"type\":\"AppVM\",\"tags\":[\"guivm-gui\"],"
            "\"guivm\":\"gui\",\"icon\":\"appvm-red\"},"
            "\"vault\":{\"type\":\"AppVM\",\"tags\":[\"guivm-gui\"],"
            "\"uuid\":\"u-vault\"},"
            "\"other\":{\"type\":\"AppVM\",\"tags\":[]},"
            "\"gui\":{\"type\":\"AppVM\",\"tags\":[]}}}";
    struct info *i = NULL;
    struct err err;

    assert_int_equal(info_parse(span_str(json), &i, &err), 0);
    return i;
}

static struct policy *make_policy(const char *text)
{
    const struct policy_file file = {
            .name = span_str("30-user.policy"), .text = span_str(text)};
    const struct policy_files files = {.files = &file, .n_files = 1};
    struct policy *p = NULL;
    struct err err;

    assert_int_equal(policy_new(&files, &p, &err), 0);
    return p;
}

#define RULES                                                                  \
    "s.Allow * work @anyvm allow notify=yes\ns.Ask * work @anyvm ask "         \
    "default_target=vault\n"                                                   \
    "s.Quiet * work @anyvm deny notify=no\n"

static void a_request_is_allowed_denied_or_asked_about(void **state)
{
    static const struct {
        const char *service, *choice;
        bool assume_yes, just_evaluate;
        bool asks, allow, notify;
        const char *why;
    } rows[] = {
            {"s.Allow", "", false, false, false, true, true, "allowed by"},
            {"s.Quiet", "", false, false, false, false, false, "denied by"},
            {"s.None", "", false, false, false, false, true, "no rule"},
            {"s.Ask", "", false, false, true, false, false, "to be asked"},
            {"s.Ask", "", false, true, false, false, false, "to be asked"},
            {"s.Ask", "", true, false, false, true, false, "allowed by"},
            {"s.Ask", "", true, true, false, true, false, "allowed by"},
            {"s.Ask", "vault", false, false, false, true, false, "allowed by"},
            {"s.Ask", "other", false, false, false, true, false, "allowed by"},
            {"s.Ask", "work", false, false, false, false, true, "not among"},
            /* A choice is no way around a rule that does not ask. */
            {"s.Quiet", "vault", false, false, false, false, false,
                    "denied by"},
            {"s.Allow", "other", false, false, false, false, true, "changed"},
    };
    struct policy *p = make_policy(RULES);
    struct info *i = make_info();

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        const struct policyline_request q = {.source = span_str("work"),
                .target = span_str("vault"),
                .service = span_str(rows[k].service),
                .assume_yes = rows[k].assume_yes,
                .just_evaluate = rows[k].just_evaluate};
        struct verdict v;

        verdict_of(p, i, &q, span_str(rows[k].choice), &v);
        if (v.asks != rows[k].asks || v.allow != rows[k].allow ||
                (!v.asks && v.notify != rows[k].notify) ||
                !strstr(v.allow ? v.result.reason : v.reason, rows[k].why))
            fail_msg("row %zu: asks %d, allow %d, notify %d, %s", k, v.asks,
                    v.allow, v.notify, v.reason);
    }
    policy_free(p);
    info_free(i);
}

static void a_broken_policy_needs_no_state_to_deny(void **state)
{
    const struct policyline_request q = {.source = span_str("work"),
            .target = span_str("vault"),
            .service = span_str("s.Allow")};
    struct policy *p = policy_new_broken("30-user.policy:1: bad");
    struct verdict v;

    (void)state;
    verdict_of(p, NULL, &q, SPAN_EMPTY, &v);
    assert_false(v.allow || v.asks);
    assert_string_equal(v.reason, "30-user.policy:1: bad");
    policy_free(p);
}

static void a_question_is_put_in_the_words_of_qubes(void **state)
{
    const struct policyline_request q = {.source = span_str("work"),
            .target = span_str("vault"),
            .service = span_str("s.Ask+arg")};
    struct policy *p = make_policy(RULES);
    struct info *i = make_info();
    struct verdict v;
    char *text;

    (void)state;
    verdict_of(p, i, &q, SPAN_EMPTY, &v);
    assert_true(v.asks);
    text = verdict_question(&v, i);
    assert_non_null(text);
    assert_string_equal(text,
            "{\"argument\":\"+arg\",\"default_target\":\"vault\",\"icons\":{"
            "\"gui\":\"\",\"other\":\"\",\"vault\":\"\",\"work\":\"appvm-red\"}"
            ","
            "\"service\":\"s.Ask\",\"source\":\"work\",\"targets\":[\"vault\","
            "\"other\",\"gui\"]}");
    free(text);
    policy_free(p);
    info_free(i);
}

static void a_notice_says_what_was_decided(void **state)
{
    const struct policyline_request allow = {.source = span_str("work"),
            .target = span_str("vault"),
            .service = span_str("s.Allow")};
    const struct policyline_request deny = {.source = span_str("work"),
            .target = span_str(""),
            .service = span_str("s.None+x")};
    struct policy *p = make_policy(RULES);
    struct info *i = make_info();
    struct verdict v;
    char *text;

    (void)state;
    verdict_of(p, i, &allow, SPAN_EMPTY, &v);
    text = verdict_notice(&v, &allow);
    assert_string_equal(text,
            "{\"argument\":\"+\",\"resolution\":\"allow\",\"service\":"
            "\"s.Allow\",\"source\":\"work\",\"target\":\"vault\"}");
    free(text);
    verdict_of(p, i, &deny, SPAN_EMPTY, &v);
    text = verdict_notice(&v, &deny);
    assert_string_equal(text,
            "{\"argument\":\"+x\",\"resolution\":\"deny\",\"service\":"
            "\"s.None\",\"source\":\"work\",\"target\":\"\"}");
    free(text);
    policy_free(p);
    info_free(i);
}

static void only_one_form_of_answer_is_yes(void **state)
{
    static const char *const no[] = {"", "deny", "allow", "allow:", "Allow:x",
            " allow:x", "yes", "allow x"};
    struct span target = SPAN_EMPTY;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(no); k++)
        assert_false(verdict_parse_answer(span_str(no[k]), &target));
    assert_true(verdict_parse_answer(span_str("allow:@dispvm:x"), &target));
    assert_true(span_eq_str(target, "@dispvm:x"));
}

static void only_the_guivm_of_both_may_ask(void **state)
{
    static const struct {
        const char *caller, *source, *target;
        bool is;
    } rows[] = {
            {"gui", "work", "vault", true},
            {"gui", "work", "other", false},
            {"gui", "other", "vault", false},
            {"work", "work", "vault", false},
            {"gui", "work", "nobody", false},
            {"gui", "work", "dom0", false},
            {"gui", "work", "uuid:u-vault", false},
            {"gui", "work", "@default", false},
    };
    struct info *i = make_info();

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        const struct policyline_eval e = {.caller = span_str(rows[k].caller),
                .source = span_str(rows[k].source),
                .target = span_str(rows[k].target)};

        if (verdict_is_guivm(i, &e) != rows[k].is)
            fail_msg("row %zu", k);
    }
    info_free(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_request_is_allowed_denied_or_asked_about),
            cmocka_unit_test(a_broken_policy_needs_no_state_to_deny),
            cmocka_unit_test(a_question_is_put_in_the_words_of_qubes),
            cmocka_unit_test(a_notice_says_what_was_decided),
            cmocka_unit_test(only_one_form_of_answer_is_yes),
            cmocka_unit_test(only_the_guivm_of_both_may_ask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
