/* SPDX-License-Identifier: Apache-2.0 */
/* Policy digests against those of trial sessions of a TPM (libtpms 0.9). */
#include "tcg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* SHA-256 of "x", in the place of every digest that a TPM was given. */
static uint8_t x[32];
/* Name of an object with that digest. */
static uint8_t x_name[34];

static struct span hex_of(const char *hex, uint8_t *room)
{
    size_t n = strlen(hex) / 2;

    assert_true(text_parse_hex(span_str(hex), room, n));
    return SPAN(room, n);
}

static void secret_endorsement(struct tcg_policy *p)
{
    tcg_policy_add_secret(p, SPAN("\x40\x00\x00\x0b", 4), SPAN_EMPTY);
}

static void secret_owner(struct tcg_policy *p)
{
    tcg_policy_add_secret(p, SPAN("\x40\x00\x00\x01", 4), SPAN("\x00\x11", 2));
}

static void auth_value(struct tcg_policy *p)
{
    tcg_policy_add_auth_value(p);
}

static void locality_0(struct tcg_policy *p)
{
    tcg_policy_add_locality(p, 1);
}

static void locality_3(struct tcg_policy *p)
{
    tcg_policy_add_locality(p, 8);
}

static void written(struct tcg_policy *p)
{
    tcg_policy_add_nv_written(p, true);
}

static void not_written(struct tcg_policy *p)
{
    tcg_policy_add_nv_written(p, false);
}

static void template(struct tcg_policy *p)
{
    tcg_policy_add_template(p, SPAN_OF(x));
}

static void name_hash(struct tcg_policy *p)
{
    tcg_policy_add_name_hash(p, SPAN_OF(x));
}

static void duplication(struct tcg_policy *p)
{
    tcg_policy_add_duplication(p, SPAN_EMPTY, SPAN_OF(x_name));
}

static void resets(struct tcg_policy *p)
{
    tcg_policy_add_counter_timer(
            p, SPAN("\x00\x00\x00\x10", 4), 16, TCG_UNSIGNED_LT);
}

static void clock_(struct tcg_policy *p)
{
    tcg_policy_add_counter_timer(
            p, SPAN("\x00\x00\x00\x00\x00\x0f\x42\x40", 8), 8, TCG_UNSIGNED_LT);
}

static struct span nv_name(uint8_t *room)
{
    return hex_of("000be2d663da4fcf077ab479514b7c4db4191b9931cf9551f0b70af9193f"
                  "f27599ca",
            room);
}

static void authorize_nv(struct tcg_policy *p)
{
    uint8_t room[34];

    tcg_policy_add_auth_value(p); /* is forgotten */
    tcg_policy_add_authorize_nv(p, nv_name(room));
}

static void nv(struct tcg_policy *p)
{
    uint8_t room[34];

    tcg_policy_add_nv(p, nv_name(room), SPAN_OF(x), 0, TCG_EQ);
}

static void unseal(struct tcg_policy *p)
{
    tcg_policy_add_command(p, TCG_CC_UNSEAL);
}

static void signed_(struct tcg_policy *p)
{
    uint8_t room[34];

    tcg_policy_add_signed(p,
            hex_of("000b2154bc39668e59bb4ed34b95be785de5a322f474fe052c2916117fc"
                   "4"
                   "1bc48564",
                    room),
            SPAN_EMPTY);
}

static const struct {
    const char *what;
    enum crypto_hash hash;
    void (*add)(struct tcg_policy *p);
    const char *digest;
} cases[] = {
        {"PolicySecret of the endorsement hierarchy: standard EKs",
                CRYPTO_SHA256, secret_endorsement,
                "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469"
                "aa"},
        {"PolicySecret of the owner, with a reference", CRYPTO_SHA256,
                secret_owner,
                "d4bdb2cc4569e95b3e120f5b2f65e89db0aa12702c42a4fdda71d3da7d58a6"
                "98"},
        {"PolicyAuthValue", CRYPTO_SHA256, auth_value,
                "8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb"
                "0e"},
        {"PolicyLocality 0", CRYPTO_SHA256, locality_0,
                "ddee6af14bf3c4e8127ced87bcf9a57e1c0c8ddb5e67735c8505f96f07b8db"
                "b8"},
        {"PolicyLocality 3 in SHA-384", CRYPTO_SHA384, locality_3,
                "7521fbec526117f7cb5c01a6b47b2741e4d29153bb10d1d12912ff9babf461"
                "60659e5cac981f7dd6150b8dd5bcafca19"},
        {"PolicyNvWritten", CRYPTO_SHA256, written,
                "f7887d158ae8d38be0ac5319f37a9e07618bf54885453c7a54ddb0c6a6193b"
                "eb"},
        {"PolicyNvWritten, clear", CRYPTO_SHA256, not_written,
                "3c326323670e28ad37bd57f63b4cc34d26ab205ef22f275c58d47fab248546"
                "6e"},
        {"PolicyTemplate", CRYPTO_SHA256, template,
                "36f05ae67ddb471fe358df2f3c7822bc75dcf89340207e143a5d8f0a62944e"
                "23"},
        {"PolicyNameHash", CRYPTO_SHA256, name_hash,
                "28ff8c285aa24bf0459178cf4d3091fc0f7086ed46ba635cfa328b9fe99f20"
                "a5"},
        {"PolicyDuplicationSelect", CRYPTO_SHA256, duplication,
                "66cbc9ef5b6230ae07e66db84109cbc3148d934175b218e055f79f3e07bd4b"
                "1c"},
        {"PolicyCounterTimer, resets", CRYPTO_SHA256, resets,
                "ef8be79db5187fbe3ede421e902e4b87468d285eb56d28391819b71fc1a5e7"
                "8f"},
        {"PolicyCounterTimer, clock", CRYPTO_SHA256, clock_,
                "384edbd996e66d7ff4fbc3816e865858b9215aea780582c5124b6141e493a4"
                "45"},
        {"PolicyAuthorizeNV", CRYPTO_SHA256, authorize_nv,
                "71a7288c7b72292dd2a0b9f883164393e44508bf591f768365adae8ad28623"
                "e7"},
        {"PolicyNV", CRYPTO_SHA256, nv,
                "c46dc51028a31e165af550a21e286ee292481900c0e41cc99f0c7f9c912ff3"
                "d8"},
        {"PolicyNV in SHA-384", CRYPTO_SHA384, nv,
                "1a3810a0120ade8292e3952ba3a5ad70273fef9f53c30e20a60d1394e5bf35"
                "172f0184a5d17b7c5a19dcf2c8dd952ca2"},
        {"PolicyCommandCode in SHA-512", CRYPTO_SHA512, unseal,
                "e1137c5ee1f6ddf731a2845dad25cdd5e8b2d034db69ff56fc3a009fe7e9f7"
                "b04c6703a231207c0457fb0b79cd5059a899deebc01a8d657a17204cebc3cb"
                "f4a7"},
        {"PolicySigned", CRYPTO_SHA256, signed_,
                "a68c548ed8429af68d013d5b610bebafcba6df465c15ae3e1769c57a08a9da"
                "08"},
};

static void test_as_a_tpm_makes_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tcg_policy p;
        uint8_t want[64];
        struct span w = hex_of(cases[i].digest, want);

        assert_int_equal(tcg_policy_start(&p, cases[i].hash), 0);
        cases[i].add(&p);
        if (!span_eq(SPAN(p.digest, crypto_hash_size(p.hash)), w))
            fail_msg("%s", cases[i].what);
    }
}

/* The older functions for one hash and one assertion say the same. */
static void test_both_ways_of_writing_agree(void **state)
{
    struct tcg_selection s = {.n = 1, .bank = {{TCG_ALG_SHA256, 0x4000}}};
    struct tcg_values v = {.n = 1, .value = {SPAN_OF(x)}};
    uint8_t digest[32], want[32];
    struct tcg_name name = {.len = sizeof(x_name)};
    struct tcg_policy p;

    (void)state;
    memcpy(name.bytes, x_name, sizeof(x_name));
    assert_int_equal(tcg_policy_start(&p, CRYPTO_SHA256), 0);
    assert_int_equal(tcg_policy_add_pcr(&p, &s, &v), 0);
    assert_int_equal(tcg_pcr_digest(&v, CRYPTO_SHA256, digest), 0);
    assert_int_equal(tcg_policy_pcr(&s, digest, want), 0);
    assert_memory_equal(p.digest, want, 32);
    tcg_policy_add_authorize(&p, SPAN_OF(x_name), SPAN("ref", 3));
    assert_int_equal(tcg_policy_authorize_name(&name, SPAN("ref", 3), want), 0);
    assert_memory_equal(p.digest, want, 32);
    v.value[0].len = 20;
    assert_int_equal(tcg_policy_add_pcr(&p, &s, &v), ERR_MISMATCH);
    v.n = 0;
    assert_int_equal(tcg_policy_add_pcr(&p, &s, &v), ERR_MISMATCH);
    assert_memory_equal(p.digest, want, 32);
}

static void test_branches(void **state)
{
    struct span b[9];
    struct tcg_policy p;
    uint8_t before[32];

    (void)state;
    for (size_t i = 0; i < 9; i++)
        b[i] = SPAN_OF(x);
    assert_int_equal(tcg_policy_start(&p, CRYPTO_SHA256), 0);
    tcg_policy_add_auth_value(&p);
    memcpy(before, p.digest, 32);
    assert_int_equal(tcg_policy_add_or(&p, b, 1), ERR_LIMIT);
    assert_int_equal(tcg_policy_add_or(&p, b, 9), ERR_LIMIT);
    b[1].len = 20;
    assert_int_equal(tcg_policy_add_or(&p, b, 2), ERR_LIMIT);
    assert_memory_equal(p.digest, before, 32);
    b[1].len = 32;
    for (size_t n = 2; n <= 8; n++) {
        assert_int_equal(tcg_policy_add_or(&p, b, n), 0);
        assert_memory_not_equal(p.digest, before, 32);
        memcpy(before, p.digest, 32);
    }
    assert_int_equal(tcg_policy_start(&p, CRYPTO_BLAKE2B512), ERR_UNSUPPORTED);
}

static void test_key_derivation_has_bounds(void **state)
{
    uint8_t out[64], longer[TCG_NAME_MAX + 20] = {0};

    (void)state;
    assert_int_equal(tcg_credential_kdfa(CRYPTO_SHA256, SPAN_OF(x), "STORAGE",
                             SPAN_OF(x_name), 128, out),
            0);
    assert_int_equal(tcg_credential_kdfa(CRYPTO_SHA256, SPAN_OF(x), "STORAGE",
                             SPAN_OF(x_name), 264, out),
            ERR_LIMIT);
    assert_int_equal(tcg_credential_kdfa(CRYPTO_SHA256, SPAN_OF(x), "STORAGE",
                             SPAN_OF(x_name), 127, out),
            ERR_LIMIT);
    assert_int_equal(tcg_credential_kdfa(CRYPTO_SHA256, SPAN_OF(x), "STORAGE",
                             SPAN_OF(longer), 128, out),
            ERR_LIMIT);
}

static int setup(void **state)
{
    (void)state;
    crypto_sha256(SPAN("x", 1), x);
    x_name[1] = TCG_ALG_SHA256;
    memcpy(x_name + 2, x, 32);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_as_a_tpm_makes_them),
            cmocka_unit_test(test_both_ways_of_writing_agree),
            cmocka_unit_test(test_branches),
            cmocka_unit_test(test_key_derivation_has_bounds),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
