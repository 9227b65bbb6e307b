/* SPDX-License-Identifier: Apache-2.0 */
/* Room ima, judging: replay, the covered part, allowed files, signatures. */
#include "ima_lists.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int appraise(const struct list *l, size_t n,
        const struct ima_rules *rules, struct ima_findings *f)
{
    struct ima_findings text;
    struct ima_list at = open_list(buf_span(&l->bytes), IMA_BINARY);
    int r = ima_appraise(at, n, rules, f, NULL);

    at = open_list(buf_span(&l->text), IMA_ASCII);
    assert_int_equal(ima_appraise(at, n, rules, &text, NULL), r);
    return r;
}

/* ---- replay and the covered part ------------------------------------- */

static void test_a_violation_extends_ones(void **state)
{
    struct list l = list_new();
    struct made m = made_ng(" sha256:" ZERO_HEX " /etc/a", ZERO_HEX, "/etc/a");
    struct ima_list at;
    struct ima_replay r;
    uint8_t want[64] = {0}, h[32];

    (void)state;
    add(&l, &m, true);
    memset(want + 32, 0xff, 32);
    crypto_hash(CRYPTO_SHA256, SPAN_OF(want), h);
    at = open_list(buf_span(&l.text), IMA_ASCII);
    assert_int_equal(
            ima_replay_all(at, CRYPTO_SHA256, IMA_PCR, SPAN_EMPTY, &r, NULL),
            0);
    assert_memory_equal(r.value, h, 32);
    assert_int_equal(r.violations, 1);
    assert_int_equal(r.mismatches, 0);
    list_fini(&l);
}

static void test_a_bank_that_no_tpm_has(void **state)
{
    struct ima_replay r;
    uint8_t start[20] = {0};

    (void)state;
    assert_int_equal(ima_replay_init(&r, CRYPTO_BLAKE2B512, 10, SPAN_EMPTY),
            ERR_UNSUPPORTED);
    assert_int_equal(
            ima_replay_init(&r, CRYPTO_SHA256, 10, SPAN_OF(start)), ERR_LIMIT);
    assert_int_equal(ima_replay_init(&r, CRYPTO_SHA1, 10, SPAN_OF(start)), 0);
}

static void replay_n(struct span s, size_t n, uint8_t *ret)
{
    struct ima_list l = open_list(s, IMA_BINARY);
    struct ima_replay r;
    struct ima_entry e;

    assert_int_equal(ima_replay_init(&r, CRYPTO_SHA256, 10, SPAN_EMPTY), 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ima_next(&l, &e, NULL), 1);
        assert_int_equal(ima_replay_add(&r, &e), 0);
    }
    memcpy(ret, r.value, 32);
}

static int find_in(struct span s, enum ima_format f, enum crypto_hash bank,
        const struct ima_goal *g, struct ima_prefix *p)
{
    return ima_prefix_find(open_list(s, f), bank, 10, SPAN_EMPTY, g, p, NULL);
}

static void test_the_quote_covers_a_prefix_and_no_more(void **state)
{
    struct list l = list_new();
    uint8_t value[32], all[4 + 32 + 5] = "befo", digest[48];
    struct ima_goal by_value = {.value = SPAN_OF(value)};
    struct ima_goal by_digest = {.hash = CRYPTO_SHA384,
            .before = SPAN(all, 4),
            .after = SPAN(all + 36, 5),
            .digest = SPAN_OF(digest)};
    struct ima_prefix p;
    struct span s, t;

    (void)state;
    many(&l, 40);
    s = buf_span(&l.bytes);
    t = buf_span(&l.text);
    memcpy(all + 36, "after", 5);
    for (size_t n = 0; n <= 40; n++) {
        replay_n(s, n, value);
        assert_int_equal(
                find_in(s, IMA_BINARY, CRYPTO_SHA256, &by_value, &p), 0);
        assert_int_equal(p.covered, n);
        assert_int_equal(p.total, 40);
        memcpy(all + 4, value, 32);
        crypto_hash(CRYPTO_SHA384, SPAN_OF(all), digest);
        assert_int_equal(
                find_in(t, IMA_ASCII, CRYPTO_SHA256, &by_digest, &p), 0);
        assert_int_equal(p.covered, n);
        assert_memory_equal(p.value, value, 32);
        all[0] ^= 1;
        assert_int_equal(find_in(t, IMA_ASCII, CRYPTO_SHA256, &by_digest, &p),
                ERR_MISMATCH);
        all[0] ^= 1;
        value[3] ^= 1;
        assert_int_equal(find_in(s, IMA_BINARY, CRYPTO_SHA256, &by_value, &p),
                ERR_MISMATCH);
    }
    by_digest.digest.len = 32;
    assert_int_equal(
            find_in(t, IMA_ASCII, CRYPTO_SHA256, &by_digest, &p), ERR_LIMIT);
    by_digest.digest.len = 48;
    by_digest.before.len = SIZE_MAX;
    assert_int_equal(
            find_in(t, IMA_ASCII, CRYPTO_SHA256, &by_digest, &p), ERR_LIMIT);
    by_value.value.len = 20;
    assert_int_equal(
            find_in(t, IMA_ASCII, CRYPTO_SHA256, &by_value, &p), ERR_LIMIT);
    list_fini(&l);
}

static void test_a_line_that_is_gone_moved_or_twice(void **state)
{
    struct list l = list_new();
    struct buf b = BUF_INIT(4096);
    uint8_t value[32];
    struct ima_goal goal = {.value = SPAN_OF(value)};
    struct ima_prefix p;
    struct span s;
    size_t one;

    (void)state;
    many(&l, 5);
    s = buf_span(&l.bytes);
    one = s.len / 5;
    replay_n(s, 5, value);
    for (size_t at = 0; at < 5; at++) {
        buf_reset(&b);
        buf_append(&b, SPAN(s.ptr, at * one));
        buf_append(&b, SPAN(s.ptr + (at + 1) * one, (4 - at) * one));
        assert_int_equal(
                find_in(buf_span(&b), IMA_BINARY, CRYPTO_SHA256, &goal, &p),
                ERR_MISMATCH);
        buf_reset(&b);
        buf_append(&b, SPAN(s.ptr, (at + 1) * one));
        buf_append(&b, SPAN(s.ptr + at * one, (5 - at) * one));
        assert_int_equal(
                find_in(buf_span(&b), IMA_BINARY, CRYPTO_SHA256, &goal, &p),
                at == 4 ? 0 : ERR_MISMATCH); /* behind the covered part */
    }
    buf_reset(&b);
    buf_append(&b, SPAN(s.ptr + one, one));
    buf_append(&b, SPAN(s.ptr, one));
    buf_append(&b, SPAN(s.ptr + 2 * one, 3 * one));
    assert_int_equal(
            find_in(buf_span(&b), IMA_BINARY, CRYPTO_SHA256, &goal, &p),
            ERR_MISMATCH);
    buf_fini(&b);
    list_fini(&l);
}

/* The SHA-1 bank is extended with the column, whatever the fields say. */
static void test_a_stated_hash_of_another_line(void **state)
{
    struct list l = list_new();
    struct ima_replay r;
    struct ima_prefix p;
    struct ima_goal goal = {0};
    struct span s;

    (void)state;
    many(&l, 3);
    s = buf_span(&l.text);
    assert_int_equal(ima_replay_all(open_list(s, IMA_ASCII), CRYPTO_SHA1, 10,
                             SPAN_EMPTY, &r, NULL),
            0);
    goal.value = SPAN(r.value, 20);
    assert_int_equal(find_in(s, IMA_ASCII, CRYPTO_SHA1, &goal, &p), 0);
    l.text.ptr[s.len - 2] = '9';
    assert_int_equal(
            find_in(s, IMA_ASCII, CRYPTO_SHA1, &goal, &p), ERR_MISMATCH);
    list_fini(&l);
}

static void test_lines_of_another_pcr_are_not_covered(void **state)
{
    struct list l = list_new();
    uint8_t value[32];
    struct ima_goal goal = {.value = SPAN_OF(value)};
    struct ima_prefix p;

    (void)state;
    many(&l, 3);
    replay_n(buf_span(&l.bytes), 3, value);
    buf_append_str(
            &l.text, "11 " HASH40 " ima-ng sha256:" FILE_HEX " /bin/evil\n");
    assert_int_equal(
            find_in(buf_span(&l.text), IMA_ASCII, CRYPTO_SHA256, &goal, &p), 0);
    assert_int_equal(p.covered, 3);
    assert_int_equal(p.total, 4);
    list_fini(&l);
}

/* A list of any length is walked in the memory of one entry. */
static void test_many_entries_take_no_heap(void **state)
{
    struct list l = list_new();
    struct ima_replay r;
    struct ima_prefix p;
    struct ima_goal goal = {0};
    size_t before;

    (void)state;
    many(&l, 20000);
    assert_int_equal(ima_replay_all(open_list(buf_span(&l.text), IMA_ASCII),
                             CRYPTO_SHA256, 10, SPAN_EMPTY, &r, NULL),
            0);
    before = mallinfo2().uordblks;
    goal.value = SPAN(r.value, CRYPTO_SHA256_SIZE);
    for (size_t i = 0; i < 2; i++) {
        struct span s = buf_span(i ? &l.text : &l.bytes);

        assert_int_equal(find_in(s, i ? IMA_ASCII : IMA_BINARY, CRYPTO_SHA256,
                                 &goal, &p),
                0);
        assert_int_equal(p.covered, 20000);
        assert_int_equal(mallinfo2().uordblks, before);
    }
    list_fini(&l);
}

/* ---- boot aggregate -------------------------------------------------- */

static void test_boot_aggregate(void **state)
{
    static const struct {
        enum crypto_hash bank;
        unsigned pcrs;
        int code;
    } t[] = {
            {CRYPTO_SHA1, 8, 0},
            {CRYPTO_SHA1, 10, ERR_MISMATCH},
            {CRYPTO_SHA256, 8, 0},
            {CRYPTO_SHA256, 10, 0},
            {CRYPTO_SHA256, 9, ERR_MISMATCH},
            {CRYPTO_SHA384, 10, 0},
            {CRYPTO_SHA256, 0, ERR_DENIED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        size_t size = crypto_hash_size(t[i].bank);
        struct ima_boot_pcrs p = {.bank = t[i].bank};
        struct ima_entry e = {.known = true,
                .digest_ok = true,
                .digest_hash = t[i].bank,
                .digest_len = size,
                .path = span_str("boot_aggregate")};
        uint8_t all[10 * 64];
        unsigned n = 0;

        for (size_t k = 0; k < 10; k++) {
            memset(all + k * size, (int)k + 1, size);
            p.value[k] = SPAN(all + k * size, size);
        }
        if (t[i].pcrs > 0)
            crypto_hash(t[i].bank, SPAN(all, t[i].pcrs * size), e.digest);
        assert_int_equal(ima_boot_aggregate_check(&e, &p, &n, NULL), t[i].code);
        assert_int_equal(n, t[i].code == 0 ? t[i].pcrs : 0);
        e.violation = true;
        assert_int_equal(
                ima_boot_aggregate_check(&e, &p, &n, NULL), ERR_MISMATCH);
        e.violation = false;
        e.path = span_str("/boot_aggregate");
        assert_int_equal(
                ima_boot_aggregate_check(&e, &p, &n, NULL), ERR_MISMATCH);
        if (t[i].code != 0)
            continue;
        e.path = span_str("boot_aggregate");
        p.value[3] = SPAN_EMPTY;
        assert_int_equal(ima_boot_aggregate_check(&e, &p, &n, NULL), ERR_LIMIT);
        p.bank = CRYPTO_SHA512;
        assert_int_equal(
                ima_boot_aggregate_check(&e, &p, &n, NULL), ERR_UNSUPPORTED);
    }
}

/* ---- appraisal ------------------------------------------------------- */

static void test_every_file_must_be_allowed(void **state)
{
    struct list l = list_new();
    struct made m = made_ng(" sha256:" ABC_HEX " /bin/00", ABC_HEX, "/bin/00");
    uint8_t allowed[2 * 32];
    struct ima_allowed set = {CRYPTO_SHA256, allowed, 2};
    struct ima_rules rules = {.sets = &set, .n_sets = 1}, none = {0};
    struct ima_findings f;

    (void)state;
    assert_true(text_parse_hex(span_str(FILE_HEX), allowed, 32));
    assert_true(text_parse_hex(span_str(OTHER_HEX), allowed + 32, 32));
    assert_true(ima_allowed_sorted(&set));
    many(&l, 4);
    assert_int_equal(appraise(&l, 4, &rules, &f), 0);
    assert_int_equal(f.files, 4);
    assert_int_equal(f.allowed, 4);
    assert_int_equal(f.unsigned_files, 4);
    assert_int_equal(appraise(&l, 4, &none, &f), ERR_DENIED);
    assert_int_equal(f.refused, 4);
    assert_int_equal(appraise(&l, 5, &rules, &f), ERR_LIMIT);
    rules.require_signature = true;
    assert_int_equal(appraise(&l, 4, &rules, &f), ERR_DENIED);
    rules.require_signature = false;
    /* A name that was measured before, with another content. */
    add(&l, &m, false);
    assert_int_equal(appraise(&l, 4, &rules, &f), 0);
    assert_int_equal(appraise(&l, 5, &rules, &f), ERR_DENIED);
    assert_int_equal(f.refused, 1);
    assert_int_equal(f.first_refused.index, 4);
    list_fini(&l);
}

static void test_unordered_sets_are_seen(void **state)
{
    uint8_t d[3 * 32] = {0};
    struct ima_allowed set = {CRYPTO_SHA256, d, 3};

    (void)state;
    assert_false(ima_allowed_sorted(&set));
    d[32] = 1;
    d[64] = 2;
    assert_true(ima_allowed_sorted(&set));
    d[32] = 3;
    assert_false(ima_allowed_sorted(&set));
}

static void test_sha1_and_odd_digests_are_in_no_set(void **state)
{
    uint8_t d[32] = {7};
    struct ima_allowed set = {CRYPTO_SHA1, d, 1};
    struct ima_entry e = {.known = true,
            .digest_ok = true,
            .digest_hash = CRYPTO_SHA1,
            .digest_len = 20,
            .digest = {7}};

    (void)state;
    assert_false(ima_allowed_has(&set, 1, &e));
    e.digest_hash = set.hash = CRYPTO_SHA256;
    e.digest_len = 32;
    assert_true(ima_allowed_has(&set, 1, &e));
    e.digest_ok = false;
    assert_false(ima_allowed_has(&set, 1, &e));
    e.digest_ok = true;
    e.violation = true;
    assert_false(ima_allowed_has(&set, 1, &e));
}

static void test_a_violation_must_be_allowed_by_name(void **state)
{
    struct list l = list_new();
    struct made m = made_ng(" sha256:" ZERO_HEX " /etc/a", ZERO_HEX, "/etc/a");
    struct ima_rules rules = {0};
    struct ima_findings f;

    (void)state;
    add(&l, &m, true);
    assert_int_equal(appraise(&l, 1, &rules, &f), ERR_DENIED);
    assert_int_equal(f.violations, 1);
    rules.allow_violations = true;
    assert_int_equal(appraise(&l, 1, &rules, &f), 0);
    list_fini(&l);
}

static void test_a_second_boot_aggregate(void **state)
{
    struct list l = list_new();
    struct made m = made_ng(
            " sha256:" FILE_HEX " boot_aggregate", FILE_HEX, "boot_aggregate");
    struct made n = made_ng(" sha256:" OTHER_HEX " boot_aggregate", OTHER_HEX,
            "boot_aggregate");
    struct ima_rules rules = {0};
    struct ima_findings f;

    (void)state;
    add(&l, &m, false);
    add(&l, &m, false); /* kexec */
    assert_int_equal(appraise(&l, 2, &rules, &f), 0);
    assert_true(ima_is_boot_aggregate(&f.aggregate));
    add(&l, &n, false);
    assert_int_equal(appraise(&l, 3, &rules, &f), ERR_DENIED);
    list_fini(&l);
}

static void test_a_buffer_that_is_not_what_was_hashed(void **state)
{
    struct list l = list_new();
    struct made m = {"ima-buf", " sha256:" FILE_HEX " kexec-cmdline 616263"};
    struct made n = {"ima-buf", " sha256:" ABC_HEX " kexec-cmdline 616263"};
    struct ima_list at[2];
    struct ima_entry e;

    (void)state;
    field_digest(&m, "sha256:", FILE_HEX);
    field(&m, "kexec-cmdline", 14);
    field(&m, "abc", 3);
    field_digest(&n, "sha256:", ABC_HEX);
    field(&n, "kexec-cmdline", 14);
    field(&n, "abc", 3);
    add(&l, &m, false);
    add(&l, &n, false);
    at[0] = open_list(buf_span(&l.text), IMA_ASCII);
    at[1] = open_list(buf_span(&l.bytes), IMA_BINARY);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ima_next(&at[i], &e, NULL), 1);
        assert_true(ima_template_ok(&e));
        assert_int_equal(ima_buffer_check(&e), ERR_MISMATCH);
        assert_int_equal(ima_next(&at[i], &e, NULL), 1);
        assert_int_equal(ima_buffer_check(&e), 0);
    }
    list_fini(&l);
}

/* ---- signatures ------------------------------------------------------ */

static size_t sign_digest(
        const struct crypto_key *k, const uint8_t *digest, uint8_t *ret)
{
    struct wire_writer w = wire_writer_of(ret, 256);
    uint8_t rs[64], der[128];
    size_t len;

    assert_int_equal(crypto_sign_digest(k, digest, rs), 0);
    assert_int_equal(
            crypto_ecdsa_to_der(SPAN_OF(rs), der, sizeof(der), &len), 0);
    wire_put_u8(&w, 3);
    wire_put_u8(&w, 2);
    wire_put_u8(&w, 4);
    wire_put_u32be(&w, 0x11223344);
    wire_put_vec16be(&w, SPAN(der, len));
    return w.len;
}

static int appraise_signed(
        const struct crypto_pub *key, struct span sig, const char *hex)
{
    struct list l = list_new();
    struct made m = {"ima-sig", ""};
    struct ima_rules rules = {.keys = &key, .n_keys = 1};
    struct ima_findings f;
    int r;

    field_digest(&m, "sha256:", hex);
    field(&m, "/bin/a", 7);
    field(&m, sig.ptr, sig.len);
    add(&l, &m, false);
    r = ima_appraise(
            open_list(buf_span(&l.bytes), IMA_BINARY), 1, &rules, &f, NULL);
    list_fini(&l);
    return r;
}

static void test_a_signature_by_the_owners_key(void **state)
{
    struct crypto_key *k = crypto_key_generate(CRYPTO_P256);
    struct crypto_key *other = crypto_key_generate(CRYPTO_P256);
    uint8_t digest[32], sig[256];
    size_t len;

    (void)state;
    assert_non_null(k);
    assert_non_null(other);
    assert_true(text_parse_hex(span_str(FILE_HEX), digest, 32));
    len = sign_digest(k, digest, sig);
    assert_int_equal(
            appraise_signed(crypto_key_pub(k), SPAN(sig, len), FILE_HEX), 0);
    assert_int_equal(
            appraise_signed(crypto_key_pub(k), SPAN(sig, len), OTHER_HEX),
            ERR_DENIED);
    assert_int_equal(
            appraise_signed(crypto_key_pub(other), SPAN(sig, len), FILE_HEX),
            ERR_DENIED);
    for (size_t bad = 0; bad < len; bad++) {
        /* The key id is a hint and signed by nobody. */
        int want = bad >= 3 && bad < 7 ? 0 : ERR_DENIED;

        sig[bad] ^= 0x10;
        assert_int_equal(
                appraise_signed(crypto_key_pub(k), SPAN(sig, len), FILE_HEX),
                want);
        sig[bad] ^= 0x10;
        assert_int_equal(
                appraise_signed(crypto_key_pub(k), SPAN(sig, bad), FILE_HEX),
                ERR_DENIED);
    }
    crypto_key_free(k);
    crypto_key_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_violation_extends_ones),
            cmocka_unit_test(test_a_bank_that_no_tpm_has),
            cmocka_unit_test(test_the_quote_covers_a_prefix_and_no_more),
            cmocka_unit_test(test_a_line_that_is_gone_moved_or_twice),
            cmocka_unit_test(test_a_stated_hash_of_another_line),
            cmocka_unit_test(test_lines_of_another_pcr_are_not_covered),
            cmocka_unit_test(test_many_entries_take_no_heap),
            cmocka_unit_test(test_boot_aggregate),
            cmocka_unit_test(test_every_file_must_be_allowed),
            cmocka_unit_test(test_unordered_sets_are_seen),
            cmocka_unit_test(test_sha1_and_odd_digests_are_in_no_set),
            cmocka_unit_test(test_a_violation_must_be_allowed_by_name),
            cmocka_unit_test(test_a_second_boot_aggregate),
            cmocka_unit_test(test_a_buffer_that_is_not_what_was_hashed),
            cmocka_unit_test(test_a_signature_by_the_owners_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
