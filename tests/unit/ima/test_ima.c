/* SPDX-License-Identifier: Apache-2.0 */
/* Room ima, reading: both forms of a list, and what is none. */
#include "ima_lists.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- reading --------------------------------------------------------- */

static void compare(const struct ima_entry *a, const struct ima_entry *b)
{
    uint8_t ha[64], hb[64];

    assert_true(a->known && b->known && a->digest_ok && b->digest_ok);
    assert_true(span_eq(a->name, b->name));
    assert_true(span_eq(a->path, b->path));
    assert_true(span_eq(a->digest_alg, b->digest_alg));
    assert_true(span_eq(a->digest_type, b->digest_type));
    assert_memory_equal(a->digest, b->digest, a->digest_len);
    assert_true(ima_template_ok(a));
    assert_true(ima_template_ok(b));
    assert_int_equal(ima_template_hash(a, CRYPTO_SHA384, ha), 0);
    assert_int_equal(ima_template_hash(b, CRYPTO_SHA384, hb), 0);
    assert_memory_equal(ha, hb, 48);
    for (int k = IMA_SIG; k <= IMA_IMODE; k++) {
        enum ima_kind kind = (enum ima_kind)k;
        size_t la = 0, lb = 0;
        int ra = ima_field_bytes(a, kind, ha, 64, &la);

        assert_int_equal(ima_field_bytes(b, kind, hb, 64, &lb), ra);
        assert_int_equal(la, lb);
        if (ra == 0)
            assert_memory_equal(ha, hb, la);
        assert_int_equal(ima_has(a, kind), ima_has(b, kind));
        if (ra == 0 && la > 0)
            assert_int_equal(
                    ima_field_bytes(a, kind, ha, la - 1, &la), ERR_LIMIT);
    }
}

static void test_every_template_hashes_the_same_in_both_forms(void **state)
{
    struct list l = list_new();
    size_t n = all_templates(&l);
    struct ima_list text = open_list(buf_span(&l.text), IMA_ASCII);
    struct ima_list bytes = open_list(buf_span(&l.bytes), IMA_BINARY);
    struct ima_entry a, b;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ima_next(&text, &a, NULL), 1);
        assert_int_equal(ima_next(&bytes, &b, NULL), 1);
        assert_int_equal(a.index, i);
        compare(&a, &b);
    }
    assert_int_equal(ima_next(&text, &a, NULL), 0);
    assert_int_equal(ima_next(&bytes, &b, NULL), 0);
    list_fini(&l);
}

/* security/integrity/ima: the oldest template hashes no lengths. */
static void test_the_first_template(void **state)
{
    uint8_t data[20 + 256] = {0}, h[20];
    char hex[41];
    struct buf text = BUF_INIT(4096), bytes = BUF_INIT(4096);
    struct ima_entry a, b;

    (void)state;
    memset(data, 0x11, 20);
    memcpy(data + 20, "/init", 5);
    crypto_hash(CRYPTO_SHA1, SPAN_OF(data), h);
    text_format_hex(SPAN_OF(h), hex);
    buf_printf(&text, "10 %s ima 1111111111111111111111111111111111111111 %s\n",
            hex, "/init");
    put_u32(&bytes, 10);
    buf_append(&bytes, SPAN_OF(h));
    put_u32(&bytes, 3);
    buf_append_str(&bytes, "ima");
    buf_append(&bytes, SPAN(data, 20));
    put_u32(&bytes, 5);
    buf_append_str(&bytes, "/init");
    assert_int_equal(next_of(buf_span(&text), IMA_ASCII, &a), 1);
    assert_int_equal(next_of(buf_span(&bytes), IMA_BINARY, &b), 1);
    compare(&a, &b);
    buf_fini(&text);
    buf_fini(&bytes);
}

/* A template's name is not hashed; one that is not known is not read. */
static bool all_known(struct ima_list l)
{
    struct ima_entry e;

    while (ima_next(&l, &e, NULL) == 1) {
        if (!e.known)
            return false;
    }
    return true;
}

static void flip_all(struct span s, enum ima_format format)
{
    uint8_t *copy = malloc(s.len);
    struct ima_replay good, r;
    struct ima_list at = open_list(s, format);

    assert_non_null(copy);
    memcpy(copy, s.ptr, s.len);
    assert_int_equal(
            ima_replay_all(at, CRYPTO_SHA256, IMA_PCR, SPAN_EMPTY, &good, NULL),
            0);
    assert_int_equal(good.mismatches, 0);
    for (size_t bit = 0; bit < s.len * 8; bit++) {
        bool same;

        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        same = ima_open(SPAN(copy, s.len), format, 0, &at, NULL) == 0 &&
               ima_replay_all(
                       at, CRYPTO_SHA256, IMA_PCR, SPAN_EMPTY, &r, NULL) == 0 &&
               r.mismatches == 0 && memcmp(r.value, good.value, 32) == 0 &&
               all_known(at);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (same)
            fail_msg("bit %zu of byte %zu is not covered", bit % 8, bit / 8);
    }
    free(copy);
}

static void test_a_flipped_bit_is_refused_or_seen(void **state)
{
    struct list l = list_new();

    (void)state;
    (void)all_templates(&l);
    flip_all(SPAN(l.text.ptr, l.text.len - 1), IMA_ASCII);
    flip_all(buf_span(&l.bytes), IMA_BINARY);
    list_fini(&l);
}

static void test_text_that_is_not_a_list(void **state)
{
    static const struct {
        const char *line;
        int code;
    } bad[] = {
            {"\n", ERR_SYNTAX},
            {"10", ERR_SYNTAX},
            {"24 " HASH40 " ima-ng sha1:00 a", ERR_SYNTAX},
            {"010 " HASH40 " ima-ng sha1:00 a", ERR_SYNTAX},
            {"-1 " HASH40 " ima-ng sha1:00 a", ERR_SYNTAX},
            {"10  " HASH40 " ima-ng sha1:00 a", ERR_SYNTAX},
            {"10 00 ima-ng sha1:00 a", ERR_SYNTAX},
            {"10 000000000000000000000000000000000000000A ima-ng sha1:00 a",
                    ERR_SYNTAX},
            {"10 " HASH40 " ima-new sha1:00 a", ERR_UNSUPPORTED},
            {"10 " HASH40 " d-ng|d-ng|n-ng sha1:00 sha1:00 a", ERR_UNSUPPORTED},
            {"10 " HASH40 " d-ng|sig sha1:00 a", ERR_UNSUPPORTED},
            {"10 " HASH40 " n-ng a", ERR_UNSUPPORTED},
            {"10 " HASH40 " d-ng| sha1:00 a", ERR_UNSUPPORTED},
            {"10 " HASH40 " ima-ng", ERR_SYNTAX},
            {"10 " HASH40 " ima-ng sha1:00", ERR_SYNTAX},
            {"10 " HASH40 " ima-ng sha1:00 ", ERR_SYNTAX},
            {"10 " HASH40 " ima-ng sha1:0 a", ERR_SYNTAX},
            {"10 " HASH40 " ima-ng 00 a", ERR_SYNTAX},
            {"10 " HASH40 " ima-ng sha1:xx a", ERR_SYNTAX},
            {"10 " HASH40 " ima-ng x:" HASH40 HASH40 HASH40 HASH40 " a",
                    ERR_SYNTAX},
            {"10 " HASH40 " ima-ngv2 sha1:00 a", ERR_SYNTAX},
            {"10 " HASH40 " ima-sig sha1:00 a 0", ERR_SYNTAX},
            {"10 " HASH40 " ima-sig sha1:00 a zz", ERR_SYNTAX},
            {"10 " HASH40 " ima 00 a", ERR_SYNTAX},
            {"10 " HASH40 " evm-sig sha1:00 a     4294967296 0 0", ERR_SYNTAX},
            {"10 " HASH40 " evm-sig sha1:00 a     0 0 65536", ERR_SYNTAX},
    };
    struct ima_entry e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int r = next_of(span_str(bad[i].line), IMA_ASCII, &e);

        if (r != bad[i].code)
            fail_msg("%s: %d", bad[i].line, r);
    }
    assert_int_equal(next_of(span_str(" 9 " HASH40 " ima-ng sha1:00 a b"),
                             IMA_ASCII, &e),
            1);
    assert_int_equal(e.pcr, 9);
    assert_true(span_eq_str(e.path, "a b"));
}

static void test_a_nul_in_a_name_hides_nothing(void **state)
{
    static const char line[] = "10 " HASH40 " ima-ng sha1:00 /bin/a\0/bin/b\n";
    struct list l = list_new();
    struct made m = {"ima-ng", ""};
    struct ima_entry e;

    (void)state;
    assert_int_equal(
            next_of(SPAN(line, sizeof(line) - 1), IMA_ASCII, &e), ERR_SYNTAX);
    field_digest(&m, "sha256:", FILE_HEX);
    field(&m, "/bin/a\0/bin/b", 14);
    add(&l, &m, false);
    assert_int_equal(next_of(buf_span(&l.bytes), IMA_BINARY, &e), ERR_SYNTAX);
    list_fini(&l);
}

static void test_an_empty_last_field_may_have_lost_its_space(void **state)
{
    struct list l = list_new();
    struct made m = {"ima-sig", " sha256:" FILE_HEX " boot_aggregate"};
    struct ima_entry e;

    (void)state;
    field_digest(&m, "sha256:", FILE_HEX);
    field(&m, "boot_aggregate", 15);
    field(&m, "", 0);
    add(&l, &m, false);
    assert_int_equal(next_of(buf_span(&l.text), IMA_ASCII, &e), 1);
    assert_true(ima_template_ok(&e));
    assert_false(ima_has(&e, IMA_SIG));
    list_fini(&l);
}

static void test_binary_lists_cut_anywhere(void **state)
{
    struct list l = list_new();
    size_t n = all_templates(&l);
    struct span s = buf_span(&l.bytes);

    (void)state;
    for (size_t len = 1; len < s.len; len++) {
        struct ima_list at;
        struct ima_entry e;
        size_t count = 0;
        int r = ima_open(SPAN(s.ptr, len), IMA_BINARY, 0, &at, NULL);

        while (r == 0 && (r = ima_next(&at, &e, NULL)) == 1) {
            count++;
            r = 0;
        }
        /* At the end of an entry it is a shorter list, and no other. */
        assert_true(r < 0 || count < n);
    }
    list_fini(&l);
}

static void test_what_text_tools_do_to_a_binary_list(void **state)
{
    struct list l = list_new();
    struct ima_replay want, r;
    struct span s;
    struct ima_list at;

    (void)state;
    many(&l, 2);
    at = open_list(buf_span(&l.bytes), IMA_BINARY);
    assert_int_equal(
            ima_replay_all(at, CRYPTO_SHA256, 10, SPAN_EMPTY, &want, NULL), 0);
    buf_append_u8(&l.bytes, '\n');
    s = buf_span(&l.bytes);
    assert_int_equal(ima_replay_all(open_list(s, IMA_BINARY), CRYPTO_SHA256, 10,
                             SPAN_EMPTY, &r, NULL),
            0);
    assert_memory_equal(r.value, want.value, 32);
    s.len -= 2;
    assert_int_equal(ima_replay_all(open_list(s, IMA_BINARY), CRYPTO_SHA256, 10,
                             SPAN_EMPTY, &r, NULL),
            0);
    assert_memory_equal(r.value, want.value, 32);
    assert_int_equal(r.mismatches, 0);
    s.len -= 1;
    assert_true(ima_replay_all(open_list(s, IMA_BINARY), CRYPTO_SHA256, 10,
                        SPAN_EMPTY, &r, NULL) < 0);
    buf_append_u8(&l.bytes, '\n');
    s = buf_span(&l.bytes);
    assert_true(ima_replay_all(open_list(s, IMA_BINARY), CRYPTO_SHA256, 10,
                        SPAN_EMPTY, &r, NULL) < 0);
    list_fini(&l);
}

static void test_lengths_that_no_kernel_writes(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
    } bad[] = {
            {0, 24}, /* PCR */
            {24, 0}, /* template name */
            {24, 256},
            {24, 0xffffffff},
            {34, 0xffffffff}, /* data */
            {34, IMA_DATA_MAX + 1},
            {34, 0},
            {38, 0xffffffff}, /* first field */
            {38, 0},
    };
    struct list l = list_new();
    uint8_t copy[256];
    struct span s;

    (void)state;
    many(&l, 1);
    s = buf_span(&l.bytes);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ima_list at;
        struct ima_entry e;

        memcpy(copy, s.ptr, s.len);
        for (size_t k = 0; k < 4; k++)
            copy[bad[i].at + k] = (uint8_t)(bad[i].value >> 8 * k);
        assert_int_equal(
                ima_open(SPAN(copy, s.len), IMA_BINARY, 20, &at, NULL), 0);
        assert_true(ima_next(&at, &e, NULL) < 0);
    }
    list_fini(&l);
}

static void test_a_list_of_one_bank_tells_its_hash_size(void **state)
{
    static const enum crypto_hash banks[] = {
            CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512};
    struct made m = made_ng("", FILE_HEX, "/bin/a");
    struct ima_list at;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(banks); i++) {
        struct buf b = BUF_INIT(4096);
        uint8_t h[CRYPTO_HASH_MAX];
        size_t size = crypto_hash_size(banks[i]);
        struct ima_entry e;

        crypto_hash(banks[i], SPAN(m.data, m.len), h);
        put_u32(&b, 10);
        buf_append(&b, SPAN(h, size));
        put_u32(&b, 6);
        buf_append_str(&b, "ima-ng");
        put_u32(&b, m.len);
        buf_append(&b, SPAN(m.data, m.len));
        assert_int_equal(next_of(buf_span(&b), IMA_BINARY, &e), 1);
        assert_int_equal(e.template_hash_len, size);
        assert_true(ima_template_ok(&e));
        assert_int_equal(
                ima_open(buf_span(&b), IMA_BINARY, 21, &at, NULL), ERR_SYNTAX);
        buf_fini(&b);
    }
    assert_int_equal(ima_open(span_str("nothing that looks like a list at all"),
                             IMA_BINARY, 0, &at, NULL),
            ERR_SYNTAX);
}

static void test_a_new_template_is_hashed_but_not_read(void **state)
{
    struct list l = list_new();
    struct made m = made_ng("", FILE_HEX, "boot_aggregate"),
                n = {"ima-2030", ""};
    struct ima_list at;
    struct ima_entry e;
    struct ima_rules rules = {0};
    struct ima_findings f;

    (void)state;
    add(&l, &m, false);
    field(&n, "whatever", 8);
    add(&l, &n, false);
    at = open_list(buf_span(&l.bytes), IMA_BINARY);
    assert_int_equal(ima_next(&at, &e, NULL), 1);
    assert_int_equal(ima_next(&at, &e, NULL), 1);
    assert_false(e.known);
    assert_true(ima_template_ok(&e));
    assert_false(ima_has(&e, IMA_SIG));
    at = open_list(buf_span(&l.bytes), IMA_BINARY);
    assert_int_equal(ima_appraise(at, 2, &rules, &f, NULL), ERR_DENIED);
    assert_int_equal(f.unknown, 1);
    list_fini(&l);
}

/* ---- size ------------------------------------------------------------ */

static void test_entries_without_end(void **state)
{
    static const char lines[] = "10 " HASH40 " ima-ng sha1:" HASH40 " /a\n"
                                "10 " HASH40 " ima-ng sha1:" HASH40 " /a\n";
    struct ima_list l = open_list(SPAN(lines, sizeof(lines) - 1), IMA_ASCII);
    struct ima_entry e;

    (void)state;
    /* Straight to the last that is allowed: the cursor counts. */
    l.index = IMA_ENTRIES_MAX - 1;
    assert_int_equal(ima_next(&l, &e, NULL), 1);
    assert_int_equal(ima_next(&l, &e, NULL), ERR_LIMIT);
    assert_int_equal(ima_open(SPAN(lines, (size_t)IMA_LIST_MAX + 1), IMA_ASCII,
                             0, &l, NULL),
            ERR_LIMIT);
}

static void test_a_line_without_end(void **state)
{
    size_t n = 2 * (size_t)IMA_DATA_MAX + 1;
    char *x = malloc(n);
    struct ima_entry e;

    (void)state;
    assert_non_null(x);
    memset(x, 'a', n);
    assert_int_equal(next_of(SPAN(x, n), IMA_ASCII, &e), ERR_LIMIT);
    free(x);
}

static void test_a_large_field_is_hashed_whole(void **state)
{
    size_t n = 100000;
    struct buf data = BUF_INIT(1u << 20), text = BUF_INIT(1u << 20);
    uint8_t h[20], got[20];
    char hex[41];
    struct ima_entry e;

    (void)state;
    put_u32(&data, 8 + 32);
    buf_append(&data, SPAN("sha256:", 8));
    for (size_t i = 0; i < 32; i++)
        buf_append_u8(&data, 0x11);
    put_u32(&data, 4);
    buf_append(&data, SPAN("key", 4));
    put_u32(&data, n);
    for (size_t i = 0; i < n; i++)
        buf_append_u8(&data, 0xab);
    crypto_hash(CRYPTO_SHA1, buf_span(&data), h);
    text_format_hex(SPAN_OF(h), hex);
    buf_printf(&text, "10 %s ima-buf sha256:", hex);
    for (size_t i = 0; i < 32; i++)
        buf_append_str(&text, "11");
    buf_append_str(&text, " key ");
    for (size_t i = 0; i < n; i++)
        buf_append_str(&text, "ab");
    assert_int_equal(next_of(buf_span(&text), IMA_ASCII, &e), 1);
    assert_int_equal(ima_template_hash(&e, CRYPTO_SHA1, got), 0);
    assert_memory_equal(got, h, 20);
    assert_true(ima_template_ok(&e));
    buf_fini(&data);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_every_template_hashes_the_same_in_both_forms),
            cmocka_unit_test(test_the_first_template),
            cmocka_unit_test(test_a_flipped_bit_is_refused_or_seen),
            cmocka_unit_test(test_text_that_is_not_a_list),
            cmocka_unit_test(test_a_nul_in_a_name_hides_nothing),
            cmocka_unit_test(test_an_empty_last_field_may_have_lost_its_space),
            cmocka_unit_test(test_binary_lists_cut_anywhere),
            cmocka_unit_test(test_what_text_tools_do_to_a_binary_list),
            cmocka_unit_test(test_lengths_that_no_kernel_writes),
            cmocka_unit_test(test_a_list_of_one_bank_tells_its_hash_size),
            cmocka_unit_test(test_a_new_template_is_hashed_but_not_read),
            cmocka_unit_test(test_entries_without_end),
            cmocka_unit_test(test_a_line_without_end),
            cmocka_unit_test(test_a_large_field_is_hashed_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
