/* SPDX-License-Identifier: Apache-2.0 */
#include "policyline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD  "source=work\nintended_target=vault\n"
#define PLAIN HEAD "service_and_arg=qubes.Gpg\n"

static void a_request_is_read(void **state)
{
    const char text[] = PLAIN "requested_source=far\nassume_yes_for_ask=yes\n"
                              "just_evaluate=no\n\n";
    struct policyline_request r;
    struct err err;

    (void)state;
    assert_int_equal(policyline_request_parse(span_str(text), &r, &err), 0);
    assert_true(span_eq_str(r.source, "work"));
    assert_true(span_eq_str(r.target, "vault"));
    assert_true(span_eq_str(r.service, "qubes.Gpg"));
    assert_true(span_eq_str(r.requested_source, "far"));
    assert_true(r.assume_yes);
    assert_false(r.just_evaluate);
}

/* Each with the part of the reason that must be said. */
static void no_request_is_guessed_at(void **state)
{
    static const struct {
        const char *text;
        size_t len; /* 0: all of it */
        const char *why;
    } rows[] = {
            {"", 0, "no source"},
            {"\n", 0, "no source"},
            {HEAD "\n", 0, "no service_and_arg"},
            {"intended_target=x\nservice_and_arg=y\n\n", 0, "no source"},
            {"source=x\nservice_and_arg=y\n\n", 0, "no intended_target"},
            {PLAIN "source=dom0\n\n", 0, "source comes twice"},
            {PLAIN "just_evaluate=no\njust_evaluate=no\n\n", 0,
                    "just_evaluate comes twice"},
            {PLAIN "domain_id=3\n\n", 0, "unknown key 'domain_id'"},
            {PLAIN "Source=x\n\n", 0, "unknown key 'Source'"},
            {PLAIN "source =x\n\n", 0, "unknown key 'source '"},
            {PLAIN "requested_source\n\n", 0, "has no '='"},
            {PLAIN "=x\n\n", 0, "unknown key ''"},
            {PLAIN "just_evaluate=True\n\n", 0, "is 'True', not yes or no"},
            {PLAIN "assume_yes_for_ask=\n\n", 0, "is '', not yes or no"},
            {PLAIN "just_evaluate=yes\r\n\r\n", 0, "no printable ASCII"},
            {HEAD "service_and_arg=a\tb\n\n", 0, "no printable ASCII"},
            {HEAD "service_and_arg=caf\xc3\xa9\n\n", 0, "no printable ASCII"},
            {HEAD "service_and_arg=a\0b\n\n", sizeof(HEAD) + 21,
                    "no printable ASCII"},
            {PLAIN "\nsource=dom0\n\n", 0, "bytes behind the empty line"},
            {PLAIN "\n\n", 0, "bytes behind the empty line"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policyline_request r = {.source = span_str("untouched")};
        size_t len = rows[i].len ? rows[i].len : strlen(rows[i].text);
        struct err err = {.code = 0};

        assert_int_equal(
                policyline_request_parse(SPAN(rows[i].text, len), &r, &err),
                ERR_SYNTAX);
        if (!strstr(err.msg, rows[i].why))
            fail_msg(
                    "row %zu: '%s' does not say '%s'", i, err.msg, rows[i].why);
        assert_true(span_eq_str(r.source, "untouched"));
    }
}

static void the_last_empty_line_and_newline_may_be_missing(void **state)
{
    static const char *const rows[] = {
            PLAIN "\n", PLAIN, HEAD "service_and_arg=qubes.Gpg"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policyline_request r;
        struct err err;

        assert_int_equal(
                policyline_request_parse(span_str(rows[i]), &r, &err), 0);
        assert_true(span_eq_str(r.service, "qubes.Gpg"));
    }
}

static void the_end_of_a_request_is_its_empty_line(void **state)
{
    static const struct {
        const char *text;
        size_t end;
    } rows[] = {
            {"", 0},
            {"source=x\n", 0},
            {"source=x\n\n", 10},
            {"source=x\n\nmore", 10},
            {"\nsource=x\n\n", 1},
            {"source=x\r\n\r\n", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(
                policyline_request_end(span_str(rows[i].text)), rows[i].end);
}

static void an_endless_request_is_over_its_limit(void **state)
{
    static char text[POLICYLINE_REQUEST_MAX + 1];
    struct policyline_request r;
    struct err err;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, PLAIN "requested_source=", sizeof(PLAIN) + 16);
    assert_int_equal(
            policyline_request_parse(SPAN_OF(text), &r, &err), ERR_LIMIT);
    assert_int_equal(
            policyline_request_parse(SPAN(text, sizeof(text) - 1), &r, &err),
            0);
}

static void what_is_written_is_read_back(void **state)
{
    const struct policyline_request rows[] = {
            {.source = span_str("work"),
                    .target = SPAN_EMPTY,
                    .service = span_str("s.A+x")},
            {.source = span_str("sys-relay"),
                    .target = span_str("@default"),
                    .service = span_str("s.A+"),
                    .requested_source = span_str("far"),
                    .assume_yes = true,
                    .just_evaluate = true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[POLICYLINE_REQUEST_MAX];
        struct policyline_request r;
        size_t len;
        struct err err;

        assert_int_equal(policyline_request_format(
                                 &rows[i], text, sizeof(text), &len, &err),
                0);
        assert_int_equal(policyline_request_end(SPAN(text, len)), len);
        assert_int_equal(
                policyline_request_parse(SPAN(text, len), &r, &err), 0);
        assert_true(span_eq(r.source, rows[i].source));
        assert_true(span_eq(r.target, rows[i].target));
        assert_true(span_eq(r.service, rows[i].service));
        assert_true(span_eq(r.requested_source, rows[i].requested_source));
        assert_int_equal(r.assume_yes, rows[i].assume_yes);
        assert_int_equal(r.just_evaluate, rows[i].just_evaluate);
        for (size_t cap = 0; cap < len; cap++)
            assert_int_equal(
                    policyline_request_format(&rows[i], text, cap, &len, &err),
                    ERR_LIMIT);
    }
}

static void a_value_cannot_bring_a_line_of_its_own(void **state)
{
    const struct policyline_request r = {.source = span_str("work"),
            .target = span_str("x\nassume_yes_for_ask=yes"),
            .service = span_str("s.A")};
    char text[256];
    size_t len;
    struct err err;

    (void)state;
    assert_int_equal(
            policyline_request_format(&r, text, sizeof(text), &len, &err),
            ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_request_is_read),
            cmocka_unit_test(no_request_is_guessed_at),
            cmocka_unit_test(the_last_empty_line_and_newline_may_be_missing),
            cmocka_unit_test(the_end_of_a_request_is_its_empty_line),
            cmocka_unit_test(an_endless_request_is_over_its_limit),
            cmocka_unit_test(what_is_written_is_read_back),
            cmocka_unit_test(a_value_cannot_bring_a_line_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
