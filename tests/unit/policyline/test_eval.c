/* SPDX-License-Identifier: Apache-2.0 */
#include "policyline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NAME "policy.EvalSimple"

static void a_question_is_read(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } rows[] = {
            {NAME "+s.A+x gui\0work\0vault", sizeof(NAME) + 20},
            {NAME "+s.A+x gui name dom0\0work\0vault", sizeof(NAME) + 30},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policyline_eval e;
        struct err err;

        assert_int_equal(policyline_eval_parse(SPAN(rows[i].text, rows[i].len),
                                 NAME, &e, &err),
                0);
        assert_true(span_eq_str(e.caller, "gui"));
        assert_true(span_eq_str(e.service, "s.A+x"));
        assert_true(span_eq_str(e.source, "work"));
        assert_true(span_eq_str(e.target, "vault"));
    }
}

#define LONG31 "a234567890123456789012345678901"
#define LONG63 LONG31 "-" LONG31

static void names_end_at_31_and_63_bytes(void **state)
{
    static const char longest[] = NAME "+s.A gui\0" LONG31 "\0" LONG63;
    static const char source[] = NAME "+s.A gui\0" LONG31 "x\0v";
    static const char target[] = NAME "+s.A gui\0w\0" LONG63 "x";
    struct policyline_eval e;
    struct err err;

    (void)state;
    assert_int_equal(policyline_eval_parse(SPAN(longest, sizeof(longest) - 1),
                             NAME, &e, &err),
            0);
    assert_int_equal(policyline_eval_parse(
                             SPAN(source, sizeof(source) - 1), NAME, &e, &err),
            ERR_SYNTAX);
    assert_int_equal(policyline_eval_parse(
                             SPAN(target, sizeof(target) - 1), NAME, &e, &err),
            ERR_SYNTAX);
}

static void no_question_is_guessed_at(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *why;
    } rows[] = {
#define ROW(s, why) {s, sizeof(s) - 1, why}
            ROW("", "no service descriptor"),
            ROW(NAME "+s.A gui", "no service descriptor"),
            ROW(NAME "+s.A\0w\0v", "no caller"),
            ROW(NAME "+s.A \0w\0v", "no caller"),
            ROW(NAME "+s.A g\x80\0w\0v", "no caller"),
            ROW("policy.EvalGUI+s.A gui\0w\0v", "another name"),
            ROW(NAME "x+s.A gui\0w\0v", "another name"),
            ROW(NAME " gui\0w\0v", "the argument is the service"),
            ROW(NAME "+ gui\0w\0v", "the argument is the service"),
            ROW(NAME "++x gui\0w\0v", "the argument is the service"),
            ROW(NAME "+s.A gui\0w", "the body is"),
            ROW(NAME "+s.A gui\0\0v", "name of a source"),
            ROW(NAME "+s.A gui\0w\0", "name of a target"),
            ROW(NAME "+s.A gui\0w\0v\0", "name of a target"),
            ROW(NAME "+s.A gui\0w\0v\n", "name of a target"),
            ROW(NAME "+s.A gui\0w w\0v", "name of a source"),
            ROW(NAME "+s.A gui\0w\0v/..", "name of a target"),
#undef ROW
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policyline_eval e = {.caller = span_str("untouched")};
        struct err err = {.code = 0};

        assert_int_equal(policyline_eval_parse(SPAN(rows[i].text, rows[i].len),
                                 NAME, &e, &err),
                ERR_SYNTAX);
        if (!strstr(err.msg, rows[i].why))
            fail_msg(
                    "row %zu: '%s' does not say '%s'", i, err.msg, rows[i].why);
        assert_true(span_eq_str(e.caller, "untouched"));
    }
}

static void a_qube_learns_nothing_but_the_result(void **state)
{
    (void)state;
    assert_string_equal(policyline_eval_answer(true), "result=allow\n");
    assert_string_equal(policyline_eval_answer(false), "result=deny\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_question_is_read),
            cmocka_unit_test(names_end_at_31_and_63_bytes),
            cmocka_unit_test(no_question_is_guessed_at),
            cmocka_unit_test(a_qube_learns_nothing_but_the_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
