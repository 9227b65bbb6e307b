/* SPDX-License-Identifier: Apache-2.0 */
#include "base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void base64_has_one_spelling(void **state)
{
    static const struct {
        const char *text;
        const char *plain; /* NULL: refused */
    } cases[] = {
            {"", ""},
            {"Zg==", "f"},
            {"Zm8=", "fo"},
            {"Zm9v", "foo"},
            {"Zm9vYg==", "foob"},
            {"Zh==", NULL}, /* trailing bits not zero */
            {"Zm9=", NULL}, /* the same, one pad */
            {"Zg", NULL},   /* no padding */
            {"Zg=", NULL},
            {"Zg===", NULL},
            {"====", NULL},
            {"=Zg=", NULL},
            {"Z=g=", NULL},
            {"Zm9v ", NULL},
            {"Zm9v\n", NULL},
            {" Zm9", NULL},
            {"Zm9v=", NULL},
            {"Zg==Zg==", NULL}, /* padding inside */
            {"Zm-v", NULL},     /* URL alphabet */
            {"Zm9v\x80===", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t out[16];
        char again[32];
        size_t len = 99;
        bool ok =
                text_parse_b64(span_str(cases[i].text), out, sizeof(out), &len);

        assert_int_equal(ok, cases[i].plain != NULL);
        if (!ok) {
            assert_int_equal(len, 99);
            continue;
        }
        assert_true(span_eq_str(SPAN(out, len), cases[i].plain));
        text_format_b64(SPAN(out, len), again);
        assert_string_equal(again, cases[i].text);
    }
}

static void base64_never_writes_past_the_buffer(void **state)
{
    uint8_t out[4] = {0, 0, 0xaa, 0xaa};
    size_t len;

    (void)state;
    assert_false(text_parse_b64(span_str("Zm9v"), out, 2, &len));
    assert_true(text_parse_b64(span_str("Zm8="), out, 2, &len));
    assert_int_equal(out[2], 0xaa);
}

static void url_alphabet_only_where_asked(void **state)
{
    uint8_t out[3];
    size_t len;

    (void)state;
    assert_true(text_parse_b64_any(span_str("-_-_"), out, 3, &len));
    assert_true(text_parse_b64_any(span_str("+/+/"), out, 3, &len));
    assert_false(text_parse_b64(span_str("-_-_"), out, 3, &len));
}

static void hex_is_lower_case_and_of_exact_length(void **state)
{
    static const char *const bad[] = {
            "", "0", "000", "0G", "AB", "0x", "a", "abc", "ab ", " ab"};
    uint8_t out[1] = {0x55};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_parse_hex(span_str(bad[i]), out, 1));
    assert_int_equal(out[0], 0x55);
    assert_true(text_parse_hex(span_str("ab"), out, 1));
    assert_int_equal(out[0], 0xab);
}

static void decimals_have_no_sign_no_zeros_no_overflow(void **state)
{
    static const char *const bad[] = {"", "-1", "+1", "00", "01", " 1", "1 ",
            "1a", "0x1", "18446744073709551616", "99999999999999999999"};
    uint64_t v = 7;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_parse_u64(span_str(bad[i]), &v));
    assert_int_equal(v, 7);
    assert_true(text_parse_u64(span_str("0"), &v) && v == 0);
    assert_true(text_parse_u64(span_str("18446744073709551615"), &v) &&
                v == UINT64_MAX);
}

static void numbers_as_bits(void **state)
{
    static const char *const bad[] = {"", ",", "1,", ",1", "1,,2", "2,1", "1,1",
            "24", "0,24", "1, 2", " 1", "01", "1;2", "-1", "31", "32", "64"};
    char text[TEXT_BITS_SIZE];
    uint32_t bits = 7;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_parse_bits(span_str(bad[i]), 24, &bits));
    assert_false(text_parse_bits(span_str("32"), 64, &bits));
    assert_int_equal(bits, 7);
    assert_true(text_parse_bits(span_str("0"), 24, &bits) && bits == 1);
    assert_true(
            text_parse_bits(span_str("0,4,23"), 24, &bits) && bits == 0x800011);
    assert_true(
            text_parse_bits(span_str("31"), 32, &bits) && bits == 0x80000000);
    text_format_bits(0x800011, text);
    assert_string_equal(text, "0,4,23");
    text_format_bits(0, text);
    assert_string_equal(text, "");
    text_format_bits(UINT32_MAX, text); /* the longest */
    assert_int_equal(strlen(text), 10 * 2 + 22 * 3 - 1);
    assert_true(
            text_parse_bits(span_str(text), 32, &bits) && bits == UINT32_MAX);
}

static void times_that_do_not_exist_are_refused(void **state)
{
    static const char *const bad[] = {"", "2026-02-30T00:00:00Z",
            "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z", "2026-01-01T24:00:00Z",
            "2026-01-01T23:60:00Z", "2026-01-01T23:59:60Z",
            "2026-01-01 00:00:00Z", "2026-01-01T00:00:00+",
            "2026-01-01T00:00:00z", "1969-12-31T23:59:59Z",
            "2026-01-01T00:00:00ZZ"};
    static const struct {
        uint64_t unix_s;
        const char *text;
    } good[] = {
            {0, "1970-01-01T00:00:00Z"},
            {951782400, "2000-02-29T00:00:00Z"},
            {1795572360, "2026-11-25T02:06:00Z"},
            {253402300799, "9999-12-31T23:59:59Z"},
    };
    uint64_t t = 1;
    char text[TEXT_TIME_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_parse_time(span_str(bad[i]), &t));
    assert_int_equal(t, 1);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(text_format_time(good[i].unix_s, text));
        assert_string_equal(text, good[i].text);
        assert_true(text_parse_time(span_str(text), &t));
        assert_int_equal(t, good[i].unix_s);
    }
    assert_false(text_format_time(253402300800, text));
}

static void names_stay_in_a_closed_set(void **state)
{
    static const char *const bad[] = {"", ".a", "-a", "_a", "A", "a/b", "..",
            "a b", "a\n", "\xc3\xa9", "aaaaaaaaa"};
    static const char *const good[] = {"a", "0", "a.b-c_d", "aaaaaaaa"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_is_name(span_str(bad[i]), 8));
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(text_is_name(span_str(good[i]), 8));
}

static void utf8_overlong_surrogate_and_nul_are_refused(void **state)
{
    static const char *const bad[] = {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",
            "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5",
            "\x80", "\xc3", "\xe2\x82", "a\xff"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_is_utf8(span_str(bad[i])));
    assert_false(text_is_utf8(SPAN("a\0b", 3)));
    assert_true(
            text_is_utf8(span_str("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91")));
    assert_true(text_is_utf8(span_str("")));
}

static void untrusted_text_cannot_drive_a_terminal(void **state)
{
    static const struct {
        const char *in, *out;
        size_t cap;
    } cases[] = {
            {"plain", "plain", 16},
            {"\x1b[2J", "\\x1b[2J", 16},
            {"a\\b", "a\\x5cb", 16},
            {"a\nb", "a\\x0ab", 16},
            {"abcdef", "ab...", 6},
            {"abcdef", "abcdef", 7},
            {"\x1b\x1b", "...", 6},
            {"abc", "", 1},
    };
    char out[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        text_format_safe(span_str(cases[i].in), out, cases[i].cap);
        assert_string_equal(out, cases[i].out);
        assert_true(strlen(out) < cases[i].cap);
    }
}

static void lines_and_words_keep_their_place(void **state)
{
    struct text_lines l = text_lines_of(span_str("a b\n\n \tc  d"));
    struct span line, word;

    (void)state;
    assert_true(text_next_line(&l, &line) && l.line == 1);
    assert_true(text_next_word(&line, &word) && span_eq_str(word, "a"));
    assert_true(text_next_word(&line, &word) && span_eq_str(word, "b"));
    assert_false(text_next_word(&line, &word));
    assert_true(text_next_line(&l, &line) && l.line == 2 && line.len == 0);
    assert_true(text_next_line(&l, &line) && l.line == 3);
    assert_true(span_eq_str(text_trim(line), "c  d"));
    assert_false(text_next_line(&l, &line));
}

static void comparison_in_constant_time_still_compares(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};

    (void)state;
    assert_true(span_eq_ct(SPAN_OF(a), SPAN_OF(b)));
    assert_false(span_eq_ct(SPAN(a, 31), SPAN_OF(b)));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] = (uint8_t)(1u << (i % 8));
        assert_false(span_eq_ct(SPAN_OF(a), SPAN_OF(b)));
        b[i] = 0;
    }
}

static void errors_name_where_and_what_and_never_overflow(void **state)
{
    struct err err;
    char longer[2 * ERR_MSG_MAX];

    (void)state;
    assert_int_equal(err_set(NULL, ERR_LIMIT, "x"), ERR_LIMIT);
    assert_int_equal(err_set(&err, ERR_LIMIT, "%d files", 3), ERR_LIMIT);
    assert_int_equal(err_prefix(&err, ERR_LIMIT, "pack"), ERR_LIMIT);
    assert_string_equal(err.msg, "pack: 3 files");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    (void)err_set(&err, ERR_IO, "%s", longer);
    (void)err_prefix(&err, ERR_IO, "%s", longer);
    assert_true(strlen(err.msg) < ERR_MSG_MAX);
    assert_string_equal(err_name(ERR_DENIED), "denied");
    assert_string_equal(err_name(0), "unknown error");
    assert_string_equal(err_name(-1000), "unknown error");
}

static void secrets_are_zeroed_and_locked(void **state)
{
    uint8_t *p = secret_new(32);
    char line[256];
    bool locked = false;
    FILE *f;

    (void)state;
    assert_non_null(p);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(p[i], 0);
    f = fopen("/proc/self/status", "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        locked |= strncmp(line, "VmLck:", 6) == 0 && !strstr(line, " 0 kB");
    (void)fclose(f);
#ifndef __SANITIZE_ADDRESS__ /* there mlock does nothing */
    assert_true(locked);
#else
    (void)locked;
#endif
    secret_free(p, 32);
    secret_free(NULL, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(base64_has_one_spelling),
            cmocka_unit_test(base64_never_writes_past_the_buffer),
            cmocka_unit_test(url_alphabet_only_where_asked),
            cmocka_unit_test(hex_is_lower_case_and_of_exact_length),
            cmocka_unit_test(decimals_have_no_sign_no_zeros_no_overflow),
            cmocka_unit_test(numbers_as_bits),
            cmocka_unit_test(times_that_do_not_exist_are_refused),
            cmocka_unit_test(names_stay_in_a_closed_set),
            cmocka_unit_test(utf8_overlong_surrogate_and_nul_are_refused),
            cmocka_unit_test(untrusted_text_cannot_drive_a_terminal),
            cmocka_unit_test(lines_and_words_keep_their_place),
            cmocka_unit_test(comparison_in_constant_time_still_compares),
            cmocka_unit_test(errors_name_where_and_what_and_never_overflow),
            cmocka_unit_test(secrets_are_zeroed_and_locked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
