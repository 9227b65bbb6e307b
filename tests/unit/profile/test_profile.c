/* SPDX-License-Identifier: Apache-2.0 */
#include "profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEY CLEANUP(crypto_key_free_ptr) struct crypto_key
#define PUB CLEANUP(crypto_pub_free_ptr) struct crypto_pub
#define BUF CLEANUP(buf_fini) struct buf

static const struct {
    enum profile_id id;
    enum crypto_key_type type;
} kinds[] = {
        {PROFILE_SSHSIG, CRYPTO_ED25519},
        {PROFILE_SSHSIG, CRYPTO_P256},
        {PROFILE_MINISIGN, CRYPTO_ED25519},
};

static struct profile_digests digests_of(
        enum profile_id id, struct span artefact)
{
    struct profile_stream *s = profile_begin(id);
    struct profile_digests d;

    assert_non_null(s);
    profile_update(s, artefact);
    profile_end(s, &d);
    return d;
}

static struct buf sign(enum profile_id id, const struct crypto_key *k,
        const struct profile_digests *d, const char *name, uint64_t time)
{
    struct profile_request r = {.id = id,
            .key = crypto_key_pub(k),
            .digests = d,
            .name = span_str(name),
            .time = time};
    struct profile_sig sigs[PROFILE_STEPS_MAX];
    struct buf text = BUF_INIT(PROFILE_TEXT_MAX);
    struct err err = {0};

    for (unsigned i = 0; i < profile_steps(id); i++) {
        BUF tbs = BUF_INIT(PROFILE_TBS_MAX);

        assert_int_equal(profile_tbs(&r, i, sigs, &tbs, &err), 0);
        assert_int_equal(crypto_sign(k, buf_span(&tbs), sigs[i].raw), 0);
    }
    assert_int_equal(profile_assemble(&r, sigs, &text, &err), 0);
    return text;
}

static void signature_verifies_and_says_what_was_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        KEY *k = crypto_key_generate(kinds[i].type);
        struct profile_digests d = digests_of(kinds[i].id, span_str("release"));
        BUF text = sign(kinds[i].id, k, &d, "qair-1.0.tar.xz", 1764036000);
        struct profile_claims claims = {0};
        struct err err = {0};

        assert_int_equal(profile_verify(kinds[i].id, crypto_key_pub(k), &d,
                                 buf_span(&text), &claims, &err),
                0);
        assert_int_equal(claims.has_comment, kinds[i].id == PROFILE_MINISIGN);
        if (!claims.has_comment)
            continue;
        assert_int_equal(claims.time, 1764036000);
        assert_true(span_eq_str(claims.name, "qair-1.0.tar.xz"));
    }
}

static void another_artefact_or_key_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        KEY *k = crypto_key_generate(kinds[i].type);
        KEY *other = crypto_key_generate(kinds[i].type);
        struct profile_digests d = digests_of(kinds[i].id, span_str("a"));
        struct profile_digests e = digests_of(kinds[i].id, span_str("b"));
        BUF text = sign(kinds[i].id, k, &d, "a", 1);
        struct err err = {0};

        assert_int_equal(profile_verify(kinds[i].id, crypto_key_pub(k), &e,
                                 buf_span(&text), NULL, &err),
                ERR_MISMATCH);
        assert_non_null(strstr(err.msg, "does not belong to the artefact"));
        assert_int_equal(profile_verify(kinds[i].id, crypto_key_pub(other), &d,
                                 buf_span(&text), NULL, &err),
                ERR_MISMATCH);
        assert_non_null(strstr(err.msg, "by another key"));
    }
}

/* ECDSA has many signatures, but each has one spelling. */
static void any_flipped_bit_of_the_file_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        KEY *k = crypto_key_generate(kinds[i].type);
        struct profile_digests d = digests_of(kinds[i].id, span_str("a"));
        BUF text = sign(kinds[i].id, k, &d, "a", 1);
        struct err err;

        for (size_t bit = 0; bit < text.len * 8; bit++) {
            struct profile_claims claims = {.time = 77};

            text.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_not_equal(profile_verify(kinds[i].id, crypto_key_pub(k),
                                         &d, buf_span(&text), &claims, &err),
                    0);
            assert_int_equal(claims.time, 77);
            text.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void truncated_and_longer_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        KEY *k = crypto_key_generate(kinds[i].type);
        struct profile_digests d = digests_of(kinds[i].id, span_str("a"));
        BUF text = sign(kinds[i].id, k, &d, "a", 1);
        struct err err;

        for (size_t n = 0; n < text.len; n++)
            assert_int_not_equal(profile_verify(kinds[i].id, crypto_key_pub(k),
                                         &d, SPAN(text.ptr, n), NULL, &err),
                    0);
        buf_append_str(&text, "\n");
        assert_int_equal(profile_verify(kinds[i].id, crypto_key_pub(k), &d,
                                 buf_span(&text), NULL, &err),
                ERR_SYNTAX);
    }
}

/* The same signature in a spelling that the tools forgive. */
static void other_spellings_are_refused(void **state)
{
    static const struct {
        size_t kind;
        const char *from, *to;
    } cases[] = {
            {0, "-----BEGIN", "\n-----BEGIN"},
            {0, "SIGNATURE-----\n", "SIGNATURE-----\r\n"},
            {0, "-----END", "\n-----END"},
            {2, "untrusted comment: s", "untrusted comment: S"},
            {2, "untrusted comment: ", "untrusted comment:  "},
            {2, "\tfile:", " file:"},
            {2, "timestamp:1", "timestamp:01"},
            {2, "\thashed", "\thashed "},
            {2, "\thashed\n", "\n"},
            {2, "\nRU", "\nrU"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum profile_id id = kinds[cases[i].kind].id;
        KEY *k = crypto_key_generate(kinds[cases[i].kind].type);
        struct profile_digests d = digests_of(id, span_str("a"));
        BUF text = sign(id, k, &d, "a", 1);
        BUF bad = BUF_INIT(PROFILE_TEXT_MAX);
        const char *t = (const char *)text.ptr;
        const char *at = strstr(t, cases[i].from);
        struct err err;

        assert_non_null(at);
        buf_append(&bad, SPAN(t, (size_t)(at - t)));
        buf_append_str(&bad, cases[i].to);
        buf_append_str(&bad, at + strlen(cases[i].from));
        assert_int_not_equal(profile_verify(id, crypto_key_pub(k), &d,
                                     buf_span(&bad), NULL, &err),
                0);
    }
}

static void a_signature_of_one_profile_is_none_of_the_other(void **state)
{
    KEY *k = crypto_key_generate(CRYPTO_ED25519);
    struct profile_digests d = digests_of(PROFILE_MINISIGN, span_str("a"));
    BUF ssh = sign(PROFILE_SSHSIG, k, &d, "a", 1);
    BUF mini = sign(PROFILE_MINISIGN, k, &d, "a", 1);
    struct err err;

    (void)state;
    assert_int_equal(profile_verify(PROFILE_MINISIGN, crypto_key_pub(k), &d,
                             buf_span(&ssh), NULL, &err),
            ERR_SYNTAX);
    assert_int_equal(profile_verify(PROFILE_SSHSIG, crypto_key_pub(k), &d,
                             buf_span(&mini), NULL, &err),
            ERR_SYNTAX);
}

static void keys_that_do_not_fit_are_refused(void **state)
{
    KEY *k = crypto_key_generate(CRYPTO_P256);
    struct profile_digests d = digests_of(PROFILE_MINISIGN, span_str("a"));
    struct profile_request r = {.id = PROFILE_MINISIGN,
            .key = crypto_key_pub(k),
            .digests = &d,
            .name = span_str("a")};
    BUF out = BUF_INIT(PROFILE_TEXT_MAX);
    struct profile_sig sigs[PROFILE_STEPS_MAX] = {0};
    uint8_t modulus[256];
    struct err err;

    (void)state;
    assert_int_equal(profile_tbs(&r, 0, sigs, &out, &err), ERR_UNSUPPORTED);
    assert_int_equal(profile_assemble(&r, sigs, &out, &err), ERR_UNSUPPORTED);
    assert_int_equal(profile_format_pub(PROFILE_MINISIGN, span_str("k"), r.key,
                             &out, &err),
            ERR_UNSUPPORTED);
    memset(modulus, 0xff, sizeof(modulus));
    PUB *rsa = crypto_pub_rsa(SPAN_OF(modulus), 65537);
    assert_non_null(rsa);
    assert_int_equal(profile_format_ssh_pub(rsa, SPAN_EMPTY, &out, &err),
            ERR_UNSUPPORTED);
    assert_int_equal(out.len, 0);
    assert_int_equal(
            profile_format_ssh_pub(r.key, span_str("me"), &out, &err), 0);
    assert_int_equal(memcmp(out.ptr, "ecdsa-sha2-nistp256 AAAA", 24), 0);
    assert_string_equal(out.ptr + out.len - 5, "= me\n");
    assert_false(profile_takes_key(PROFILE_SSHSIG, CRYPTO_RSA));
    assert_false(profile_takes_key(PROFILE_SSHSIG, CRYPTO_P384));
}

/* ---- blobs that ssh-keygen never writes -------------------------------- */

struct pair {
    uint8_t r[40], s[40];
    size_t r_len, s_len;
};

/* An armoured file by key with these bytes as its two numbers. */
static struct buf forge(const struct crypto_key *k, const struct pair *p)
{
    uint8_t point[65], part[256], blob[512], raw[128];
    struct wire_writer key = wire_writer_of(part, sizeof(part));
    struct wire_writer nums = wire_writer_of(raw, sizeof(raw));
    struct wire_writer w = wire_writer_of(blob, sizeof(blob));
    struct buf text = BUF_INIT(PROFILE_TEXT_MAX);
    char b64[TEXT_B64_SIZE(sizeof(blob))];
    size_t len;

    assert_int_equal(
            crypto_pub_raw(crypto_key_pub(k), point, sizeof(point), &len), 0);
    wire_put_vec32be(&key, span_str("ecdsa-sha2-nistp256"));
    wire_put_vec32be(&key, span_str("nistp256"));
    wire_put_vec32be(&key, SPAN(point, len));
    wire_put_vec32be(&nums, SPAN(p->r, p->r_len));
    wire_put_vec32be(&nums, SPAN(p->s, p->s_len));
    wire_put_bytes(&w, (const uint8_t *)"SSHSIG", 6);
    wire_put_u32be(&w, 1);
    wire_put_vec32be(&w, SPAN(part, key.len));
    wire_put_vec32be(&w, span_str("file"));
    wire_put_vec32be(&w, SPAN_EMPTY);
    wire_put_vec32be(&w, span_str("sha512"));
    wire_put_u32be(&w, (uint32_t)(4 + 19 + 4 + nums.len));
    wire_put_vec32be(&w, span_str("ecdsa-sha2-nistp256"));
    wire_put_vec32be(&w, SPAN(raw, nums.len));
    assert_false(w.overflow);
    text_format_b64(SPAN(blob, w.len), b64);
    buf_append_str(&text, "-----BEGIN SSH SIGNATURE-----\n");
    for (size_t i = 0; i < strlen(b64); i += 70)
        buf_printf(&text, "%.70s\n", b64 + i);
    buf_append_str(&text, "-----END SSH SIGNATURE-----\n");
    return text;
}

static void put_number(const uint8_t half[32], uint8_t *ret, size_t *ret_len)
{
    size_t skip = 0, sign;

    while (half[skip] == 0)
        skip++;
    sign = half[skip] >> 7;
    ret[0] = 0;
    memcpy(ret + sign, half + skip, 32 - skip);
    *ret_len = sign + 32 - skip;
}

static void needless_zero(struct pair *p)
{
    memmove(p->r + 1, p->r, p->r_len++);
    p->r[0] = 0;
}
static void too_long(struct pair *p)
{
    memset(p->s, 1, p->s_len = 34);
}
static void negative(struct pair *p)
{
    p->s[0] |= 0x80;
}
static void zero(struct pair *p)
{
    p->r_len = 0;
}
static void lone_zero(struct pair *p)
{
    p->r[0] = 0;
    p->r_len = 1;
}

static void ecdsa_numbers_have_one_spelling(void **state)
{
    static void (*const changes[])(struct pair *) = {
            NULL, needless_zero, too_long, negative, zero, lone_zero};
    KEY *k = crypto_key_generate(CRYPTO_P256);
    struct profile_digests d = digests_of(PROFILE_SSHSIG, span_str("a"));
    struct profile_request q = {.id = PROFILE_SSHSIG,
            .key = crypto_key_pub(k),
            .digests = &d,
            .name = span_str("a")};
    BUF tbs = BUF_INIT(PROFILE_TBS_MAX);
    uint8_t raw[64];
    struct err err;

    (void)state;
    assert_int_equal(profile_tbs(&q, 0, NULL, &tbs, &err), 0);
    assert_int_equal(crypto_sign(k, buf_span(&tbs), raw), 0);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct pair p;

        put_number(raw, p.r, &p.r_len);
        put_number(raw + 32, p.s, &p.s_len);
        if (changes[i])
            changes[i](&p);
        BUF text = forge(k, &p);
        assert_int_equal(profile_verify(PROFILE_SSHSIG, q.key, &d,
                                 buf_span(&text), NULL, &err),
                changes[i] ? ERR_SYNTAX : 0);
    }
}

static void there_is_no_step_behind_the_last(void **state)
{
    KEY *k = crypto_key_generate(CRYPTO_ED25519);
    struct profile_digests d = digests_of(PROFILE_SSHSIG, span_str("a"));
    struct profile_request r = {.id = PROFILE_SSHSIG,
            .key = crypto_key_pub(k),
            .digests = &d,
            .name = span_str("a")};
    BUF out = BUF_INIT(PROFILE_TBS_MAX);
    struct err err;

    (void)state;
    assert_int_equal(profile_steps(PROFILE_SSHSIG), 1);
    assert_int_equal(profile_steps(PROFILE_MINISIGN), 2);
    assert_int_equal(profile_tbs(&r, 1, NULL, &out, &err), ERR_STATE);
}

/* A line break or a tab in the name would write a comment of its own. */
static void artefact_names_cannot_forge_a_comment(void **state)
{
    static const struct {
        const char *name;
        size_t len;
        bool good;
    } cases[] = {
            {"a", 1, true},
            {"release 1.0 (final).tar", 23, true},
            {"", 0, false},
            {"a\nb", 3, false},
            {"a\tb", 3, false},
            {"a\rb", 3, false},
            {"a\0b", 3, false},
            {"a\x7f", 2, false},
            {"\xc3\xa4", 2, false},
            {"../a", 4, false},
            {"/a", 2, false},
    };
    KEY *k = crypto_key_generate(CRYPTO_ED25519);
    struct profile_digests d = digests_of(PROFILE_MINISIGN, span_str("a"));
    char longest[PROFILE_ARTEFACT_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct profile_request r = {.id = PROFILE_MINISIGN,
                .key = crypto_key_pub(k),
                .digests = &d,
                .name = SPAN(cases[i].name, cases[i].len)};
        BUF out = BUF_INIT(PROFILE_TBS_MAX);
        struct err err;

        assert_int_equal(
                profile_tbs(&r, 0, NULL, &out, &err) == 0, cases[i].good);
    }
    memset(longest, 'x', sizeof(longest));
    assert_true(profile_is_artefact_name(SPAN(longest, PROFILE_ARTEFACT_MAX)));
    assert_false(
            profile_is_artefact_name(SPAN(longest, PROFILE_ARTEFACT_MAX + 1)));
    longest[PROFILE_ARTEFACT_MAX] = '\0';
    BUF text = sign(PROFILE_MINISIGN, k, &d, longest, UINT64_MAX);
    struct err err;
    assert_int_equal(profile_verify(PROFILE_MINISIGN, crypto_key_pub(k), &d,
                             buf_span(&text), NULL, &err),
            0);
}

static void stream_does_not_care_how_bytes_arrive(void **state)
{
    static uint8_t data[100000];
    struct profile_digests whole, pieces;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 31 >> 3);
    for (unsigned id = PROFILE_SSHSIG; id <= PROFILE_MINISIGN; id++) {
        struct profile_stream *s = profile_begin((enum profile_id)id);
        size_t done = 0;

        whole = digests_of((enum profile_id)id, SPAN_OF(data));
        for (size_t n = 0; done < sizeof(data); n = n * 3 + 1) {
            size_t part = sizeof(data) - done < n ? sizeof(data) - done : n;

            profile_update(s, SPAN(data + done, part));
            done += part;
        }
        profile_end(s, &pieces);
        assert_int_equal(whole.size, sizeof(data));
        assert_memory_equal(&whole, &pieces, sizeof(whole));
    }
    crypto_sha256(SPAN_OF(data), data);
    assert_memory_equal(data, whole.sha256, 32);
}

static void names_of_profiles(void **state)
{
    enum profile_id id = PROFILE_SSHSIG;

    (void)state;
    assert_true(profile_parse_name(span_str("minisign"), &id));
    assert_int_equal(id, PROFILE_MINISIGN);
    assert_string_equal(profile_name(id), "minisign");
    assert_string_equal(profile_suffix(id), ".minisig");
    assert_true(profile_parse_name(span_str("sshsig"), &id));
    assert_string_equal(profile_suffix(id), ".sshsig");
    assert_false(profile_parse_name(span_str("sshsi"), &id));
    assert_false(profile_parse_name(span_str("sshsig "), &id));
    assert_false(profile_parse_name(SPAN_EMPTY, &id));
}

static void public_key_files_refuse_patterns_as_names(void **state)
{
    static const char *const bad[] = {
            "*", "a,b", "a b", "", "!a", "a\nb", "cert-authority,*"};
    KEY *k = crypto_key_generate(CRYPTO_P256);
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        BUF out = BUF_INIT(PROFILE_PUB_MAX);

        assert_int_equal(profile_format_pub(PROFILE_SSHSIG, span_str(bad[i]),
                                 crypto_key_pub(k), &out, &err),
                ERR_SYNTAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(signature_verifies_and_says_what_was_asked),
            cmocka_unit_test(another_artefact_or_key_is_refused),
            cmocka_unit_test(any_flipped_bit_of_the_file_is_refused),
            cmocka_unit_test(truncated_and_longer_files_are_refused),
            cmocka_unit_test(other_spellings_are_refused),
            cmocka_unit_test(a_signature_of_one_profile_is_none_of_the_other),
            cmocka_unit_test(keys_that_do_not_fit_are_refused),
            cmocka_unit_test(ecdsa_numbers_have_one_spelling),
            cmocka_unit_test(there_is_no_step_behind_the_last),
            cmocka_unit_test(artefact_names_cannot_forge_a_comment),
            cmocka_unit_test(stream_does_not_care_how_bytes_arrive),
            cmocka_unit_test(names_of_profiles),
            cmocka_unit_test(public_key_files_refuse_patterns_as_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
