/* SPDX-License-Identifier: Apache-2.0 */
/* Notes and checkpoints that somebody has meddled with. */
#include "merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct crypto_key *key;
    struct merkle_vkey vkey;
    struct merkle_checkpoint checkpoint;
    struct buf note;
};

static void make_vkey(const char *name, uint8_t seed_byte,
        struct crypto_key **ret_key, struct merkle_vkey *ret)
{
    uint8_t seed[32], raw[32];
    size_t len;

    memset(seed, seed_byte, sizeof seed);
    *ret_key = crypto_key_ed25519(seed);
    assert_non_null(*ret_key);
    assert_int_equal(
            crypto_pub_raw(crypto_key_pub(*ret_key), raw, sizeof raw, &len), 0);
    assert_int_equal(merkle_vkey_make(name, raw, ret), 0);
}

static int setup(void **state)
{
    static struct fixture f;
    struct buf text = BUF_INIT(1000);
    struct err err;

    f = (struct fixture){.note = BUF_INIT(MERKLE_NOTE_MAX)};
    make_vkey("qair/server/log", 7, &f.key, &f.vkey);
    strcpy(f.checkpoint.origin, "qair/server/log");
    f.checkpoint.size = 42;
    memset(f.checkpoint.root, 9, sizeof f.checkpoint.root);
    assert_int_equal(merkle_checkpoint_format(&f.checkpoint, &text), 0);
    assert_int_equal(
            merkle_note_sign(buf_span(&text), &f.vkey, f.key, &f.note, &err),
            0);
    buf_fini(&text);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    crypto_key_free(f->key);
    buf_fini(&f->note);
    return 0;
}

static void a_checkpoint_of_ours_opens(void **state)
{
    struct fixture *f = *state;
    struct merkle_checkpoint c;
    struct err err;

    assert_int_equal(
            merkle_checkpoint_open(buf_span(&f->note), &f->vkey, &c, &err), 0);
    assert_string_equal(c.origin, "qair/server/log");
    assert_int_equal(c.size, 42);
    assert_memory_equal(c.root, f->checkpoint.root, MERKLE_HASH);
}

static void any_changed_byte_is_refused(void **state)
{
    struct fixture *f = *state;
    struct merkle_checkpoint c;
    struct err err;

    for (size_t i = 0; i < f->note.len; i++) {
        uint8_t keep = f->note.ptr[i];

        for (unsigned bit = 0; bit < 8; bit++) {
            f->note.ptr[i] = (uint8_t)(keep ^ (1u << bit));
            if (merkle_checkpoint_open(
                        buf_span(&f->note), &f->vkey, &c, &err) == 0)
                fail_msg("byte %zu bit %u does not matter", i, bit);
        }
        f->note.ptr[i] = keep;
    }
    for (size_t n = 0; n < f->note.len; n++)
        assert_int_not_equal(merkle_checkpoint_open(
                                     SPAN(f->note.ptr, n), &f->vkey, &c, &err),
                0);
}

static void another_logs_key_is_refused(void **state)
{
    struct fixture *f = *state;
    struct merkle_checkpoint c;
    struct crypto_key *other;
    struct merkle_vkey vkey;
    struct err err;

    make_vkey("qair/server/log", 8, &other, &vkey);
    assert_int_equal(
            merkle_checkpoint_open(buf_span(&f->note), &vkey, &c, &err),
            ERR_MISMATCH);
    crypto_key_free(other);
}

static void a_key_may_not_sign_for_another_origin(void **state)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT(1000), note = BUF_INIT(MERKLE_NOTE_MAX);
    struct merkle_checkpoint c = f->checkpoint;
    struct err err;

    strcpy(c.origin, "qair/thin/log");
    assert_int_equal(merkle_checkpoint_format(&c, &text), 0);
    assert_int_equal(
            merkle_note_sign(buf_span(&text), &f->vkey, f->key, &note, &err),
            0);
    assert_int_equal(
            merkle_checkpoint_open(buf_span(&note), &f->vkey, &c, &err),
            ERR_MISMATCH);
    buf_fini(&text);
    buf_fini(&note);
}

static void a_repeated_signature_counts_once(void **state)
{
    struct fixture *f = *state;
    struct buf twice = BUF_INIT(MERKLE_NOTE_MAX);
    const uint8_t *line = memmem(f->note.ptr, f->note.len, "\n\n", 2);
    struct err err;
    size_t good;

    assert_non_null(line);
    line += 2;
    buf_append(&twice, buf_span(&f->note));
    buf_append(&twice, SPAN(line, f->note.len - (size_t)(line - f->note.ptr)));
    assert_int_equal(merkle_note_verify(
                             buf_span(&twice), &f->vkey, 1, NULL, &good, &err),
            0);
    assert_int_equal(good, 1);
    buf_fini(&twice);
}

static void a_flood_of_signatures_is_refused(void **state)
{
    struct fixture *f = *state;
    struct buf many = BUF_INIT(MERKLE_NOTE_MAX);
    struct err err;

    buf_append(&many, buf_span(&f->note));
    for (int i = 0; i < MERKLE_SIGS_MAX; i++)
        buf_append_str(&many, "\xe2\x80\x94 x AAAAAAA=\n");
    assert_int_equal(buf_ok(&many, &err), 0);
    assert_int_equal(
            merkle_note_verify(buf_span(&many), &f->vkey, 1, NULL, NULL, &err),
            ERR_LIMIT);
    buf_fini(&many);
}

static void malformed_verifier_keys_are_refused(void **state)
{
    static const char *const bad[] = {"", "+", "++", "a", "a+00000000",
            ("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv"
             "3U2k"),
            ("example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv"
             "3U2k"),
            ("example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv"
             "3U2k"),
            ("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv"
             "3U2"),
            "example.com/foo+530d903a+",
            "exa mple+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"};
    static const char good[] = "example.com/foo+530d903a+"
                               "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    char text[MERKLE_VKEY_SIZE];
    struct merkle_vkey k;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (merkle_vkey_parse(span_str(bad[i]), &k, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
    }
    assert_int_equal(merkle_vkey_parse(span_str(good), &k, &err), 0);
    merkle_vkey_format(&k, text);
    assert_string_equal(text, good);
}

static void malformed_checkpoints_are_refused(void **state)
{
    static const char root[] = "nnY9RYulaqMCrtpSz+xkfswY/qXxIC9CNa20cTDmrS8=";
    static const char *const bad[] = {"", "o\n", "o\n1\n", "\n1\nR\n",
            "o\n01\nR\n", "o\n-1\nR\n", "o\n1\nR", "o\n1\nAAAA\n",
            "o\n1\nR\n\n", "o\n1\nR\nx", "o\n1\n\nR\n", "o\n 1\nR\n",
            "o\n4611686018427387905\nR\n", "o\n18446744073709551616\nR\n"};
    struct merkle_checkpoint c;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf text = BUF_INIT(1000);

        for (const char *p = bad[i]; *p != '\0'; p++) {
            if (*p == 'R')
                buf_append_str(&text, root);
            else
                buf_append_u8(&text, (uint8_t)*p);
        }
        if (merkle_checkpoint_parse(buf_span(&text), &c, &err) == 0)
            fail_msg("accepted case %zu", i);
        buf_fini(&text);
    }
}

#define HASH "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define HEAD "c2sp.org/tlog-proof@v1\n"

static void malformed_proofs_are_refused(void **state)
{
    static const char *const bad[] = {"", HEAD, (HEAD "index 5"),
            (HEAD "index 5\n"), (HEAD "index 5\n\n"), (HEAD "index 5\n" HASH),
            (HEAD "index 5\n" HASH "\n"), (HEAD "index 5\n" HASH "\n\n"),
            (HEAD "index 5\n" HASH "\nqair"), /* no empty line */
            (HEAD "index 5\nAAAA\n\nx"), (HEAD "index -5\n\nx"),
            (HEAD "index\n\nx"), (HEAD "extra \nindex 5\n\nx"),
            (HEAD "extra *\nindex 5\n\nx"), (HEAD "index 05\n\nx"),
            (HEAD "index 18446744073709551616\n\nx"), (HEAD "\nindex 5\n\nx"),
            (HEAD "index 5\r\n\nx"), "c2sp.org/tlog-proof@v2\nindex 5\n\nx"};
    struct merkle_tlog_proof p;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (merkle_tlog_proof_parse(span_str(bad[i]), &p, &err) == 0)
            fail_msg("accepted case %zu: %s", i, bad[i]);
    }
    assert_int_equal(merkle_tlog_proof_parse(
                             span_str(HEAD "index 5\n" HASH "\n\nx"), &p, &err),
            0);
    assert_int_equal(p.proof.n, 1);
}

static void names_with_spaces_or_plus_make_no_key(void **state)
{
    static const char *const bad[] = {"", "a b", "a+b", "a\tb", "a\nb",
            ("a\xc2\xa0"
             "b"),
            "a\xe3\x80\x80", "\xff"};
    uint8_t raw[32] = {0};
    struct merkle_vkey k;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(merkle_vkey_make(bad[i], raw, &k), ERR_SYNTAX);
    assert_int_equal(merkle_vkey_make("a\xc3\xa4", raw, &k), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_checkpoint_of_ours_opens),
            cmocka_unit_test(any_changed_byte_is_refused),
            cmocka_unit_test(another_logs_key_is_refused),
            cmocka_unit_test(a_key_may_not_sign_for_another_origin),
            cmocka_unit_test(a_repeated_signature_counts_once),
            cmocka_unit_test(a_flood_of_signatures_is_refused),
            cmocka_unit_test(malformed_verifier_keys_are_refused),
            cmocka_unit_test(malformed_checkpoints_are_refused),
            cmocka_unit_test(malformed_proofs_are_refused),
            cmocka_unit_test(names_with_spaces_or_plus_make_no_key),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
