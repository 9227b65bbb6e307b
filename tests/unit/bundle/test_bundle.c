/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_names(void **state)
{
    static const struct {
        const char *name;
        bool ok;
    } cases[] = {
            {"a", true},
            {"zones/server.json", true},
            {"qair.Sign+release", true},
            {"policy@x_1-2", true},
            {"", false},
            {"/etc/passwd", false},
            {"a/", false},
            {"a//b", false},
            {".", false},
            {"..", false},
            {"../a", false},
            {"a/../b", false},
            {"a/.hidden", false},
            {".hidden", false},
            {"a b", false},
            {"a\nb", false},
            {"a\\b", false},
            {"\xc3\xa9", false},
    };
    char long_name[LIMIT_BUNDLE_NAME_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(bundle_is_name(span_str(cases[i].name)), cases[i].ok);
    memset(long_name, 'a', sizeof(long_name));
    assert_true(bundle_is_name(SPAN(long_name, LIMIT_BUNDLE_NAME_MAX)));
    assert_false(bundle_is_name(SPAN(long_name, LIMIT_BUNDLE_NAME_MAX + 1)));
    assert_false(bundle_is_name(SPAN("a\0b", 3)));
}

static int put(struct bundle_writer *w, const char *name, const char *content)
{
    struct bundle_file f = {span_str(name), span_str(content)};

    return bundle_put(w, &f, NULL);
}

static void test_what_goes_in_comes_out(void **state)
{
    static const char *const names[] = {"a", "a-b", "a/b", "aa", "b"};
    struct buf b = BUF_INIT(4096);
    struct bundle_writer w = {.out = &b};
    struct bundle_iter it;
    struct bundle_file f;
    struct span content;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(put(&w, names[i], i == 2 ? "" : names[i]), 0);
    assert_int_equal(bundle_check(buf_span(&b), NULL), 0);
    assert_int_equal(bundle_count(buf_span(&b)), ARRAY_LEN(names));
    it = bundle_iter_of(buf_span(&b));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_true(bundle_next(&it, &f));
        assert_true(span_eq_str(f.name, names[i]));
    }
    assert_false(bundle_next(&it, &f));
    assert_true(bundle_find(buf_span(&b), "a/b", &content));
    assert_int_equal(content.len, 0);
    assert_true(bundle_find(buf_span(&b), "b", &content));
    assert_true(span_eq_str(content, "b"));
    assert_false(bundle_find(buf_span(&b), "c", &content));
    assert_false(bundle_find(buf_span(&b), "", &content));
    buf_fini(&b);
}

static void test_writer_refuses_disorder_and_leaves_the_rest(void **state)
{
    struct buf b = BUF_INIT(64);
    struct bundle_writer w = {.out = &b};
    size_t len;

    (void)state;
    assert_int_equal(put(&w, "m", "1"), 0);
    len = b.len;
    assert_int_equal(put(&w, "m", "2"), ERR_EXISTS);
    assert_int_equal(put(&w, "a", "2"), ERR_STATE);
    assert_int_equal(put(&w, "../x", "2"), ERR_SYNTAX);
    assert_int_equal(b.len, len);
    assert_int_equal(put(&w, "z",
                             "more than the sixty-four bytes of the cap, by far"
                             " and away and then some"),
            ERR_LIMIT);
    assert_int_equal(b.len, len);
    buf_fini(&b);
}

static void test_check_refuses(void **state)
{
    static const struct {
        const char *why;
        const char *bytes;
        size_t len;
        int code;
    } cases[] = {
            {"cut in the name length", "\0", 1, ERR_SYNTAX},
            {"cut in the name", "\0\2a", 3, ERR_SYNTAX},
            {"cut in the content length", "\0\1a\0\0\0", 6, ERR_SYNTAX},
            {"cut in the content", "\0\1a\0\0\0\2x", 8, ERR_SYNTAX},
            {"length of 2^31", "\0\1a\x80\0\0\0x", 8, ERR_SYNTAX},
            {"length of 2^32-1", "\0\1a\xff\xff\xff\xffx", 8, ERR_SYNTAX},
            {"trailing byte", "\0\1a\0\0\0\0\0", 8, ERR_SYNTAX},
            {"empty name", "\0\0\0\0\0\0", 6, ERR_SYNTAX},
            {"bad name", "\0\1/\0\0\0\0", 7, ERR_SYNTAX},
            {"twice", "\0\1a\0\0\0\0\0\1a\0\0\0\0", 14, ERR_EXISTS},
            {"order", "\0\1b\0\0\0\0\0\1a\0\0\0\0", 14, ERR_STATE},
    };

    (void)state;
    assert_int_equal(bundle_check(SPAN_EMPTY, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(bundle_check(SPAN(cases[i].bytes, cases[i].len), NULL),
                cases[i].code);
}

static void test_count_is_bounded(void **state)
{
    struct buf b = BUF_INIT(LIMIT_BUNDLE_MAX);
    struct bundle_writer w = {.out = &b};
    char name[16];

    (void)state;
    for (unsigned i = 0; i < LIMIT_BUNDLE_FILES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "%06u", i);
        assert_int_equal(put(&w, name, ""), 0);
    }
    assert_int_equal(put(&w, "z", ""), ERR_LIMIT);
    assert_int_equal(bundle_check(buf_span(&b), NULL), 0);
    buf_append(&b, SPAN("\0\1z\0\0\0\0", 7));
    assert_int_equal(bundle_check(buf_span(&b), NULL), ERR_LIMIT);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_names),
            cmocka_unit_test(test_what_goes_in_comes_out),
            cmocka_unit_test(test_writer_refuses_disorder_and_leaves_the_rest),
            cmocka_unit_test(test_check_refuses),
            cmocka_unit_test(test_count_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
