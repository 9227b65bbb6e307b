/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void unhex(const char *hex, uint8_t *ret, size_t len)
{
    assert_true(text_parse_hex(span_str(hex), ret, len));
}

/* McGrew and Viega, The Galois/Counter Mode of Operation, test case 16. */
#define KEY   "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define NONCE "cafebabefacedbaddecaf888"
#define AAD   "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define PLAIN                                                                  \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"         \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define SEALED                                                                 \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"         \
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"                 \
    "76fc6ece0f4e1768cddf8853bb2d551b"

struct sealed {
    uint8_t key[32], nonce[12], aad[20], plain[60], sealed[76];
};

static struct sealed load(void)
{
    struct sealed s;

    unhex(KEY, s.key, sizeof(s.key));
    unhex(NONCE, s.nonce, sizeof(s.nonce));
    unhex(AAD, s.aad, sizeof(s.aad));
    unhex(PLAIN, s.plain, sizeof(s.plain));
    unhex(SEALED, s.sealed, sizeof(s.sealed));
    return s;
}

static void published_gcm(void **state)
{
    struct sealed s = load();
    uint8_t out[76];

    (void)state;
    assert_int_equal(crypto_aead_seal(s.key, s.nonce, SPAN_OF(s.aad),
                             SPAN_OF(s.plain), out),
            0);
    assert_memory_equal(out, s.sealed, sizeof(out));
    memset(out, 0, sizeof(out));
    assert_int_equal(crypto_aead_open(s.key, s.nonce, SPAN_OF(s.aad),
                             SPAN_OF(s.sealed), out),
            0);
    assert_memory_equal(out, s.plain, sizeof(s.plain));
}

static void any_flipped_bit_is_refused_and_nothing_shown(void **state)
{
    struct sealed s = load();
    static const uint8_t zero[sizeof(s.plain)];
    uint8_t *const parts[] = {s.sealed, s.aad, s.nonce, s.key};
    const size_t sizes[] = {
            sizeof(s.sealed), sizeof(s.aad), sizeof(s.nonce), sizeof(s.key)};

    (void)state;
    for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
        for (size_t bit = 0; bit < sizes[p] * 8; bit++) {
            uint8_t out[sizeof(s.plain)] = {0};

            parts[p][bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(crypto_aead_open(s.key, s.nonce, SPAN_OF(s.aad),
                                     SPAN_OF(s.sealed), out),
                    ERR_MISMATCH);
            assert_memory_equal(out, zero, sizeof(out));
            parts[p][bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void truncated_is_refused(void **state)
{
    struct sealed s = load();
    uint8_t out[sizeof(s.plain)] = {0};

    (void)state;
    for (size_t n = 0; n < sizeof(s.sealed); n++)
        assert_int_equal(crypto_aead_open(s.key, s.nonce, SPAN_OF(s.aad),
                                 SPAN(s.sealed, n), out),
                ERR_MISMATCH);
    assert_int_equal(out[0], 0);
}

static void nothing_can_be_sealed(void **state)
{
    struct sealed s = load();
    uint8_t out[CRYPTO_AEAD_TAG], plain[1] = {7};

    (void)state;
    assert_int_equal(
            crypto_aead_seal(s.key, s.nonce, SPAN_EMPTY, SPAN_EMPTY, out), 0);
    assert_int_equal(
            crypto_aead_open(s.key, s.nonce, SPAN_EMPTY, SPAN_OF(out), plain),
            0);
    assert_int_equal(plain[0], 7);
}

/* The first block of CFB with a zero IV is AES(0) xor plain: FIPS 197 zeros. */
static void cfb_with_a_zero_iv(void **state)
{
    static const uint8_t zero[32];
    uint8_t out[16], want[16];

    (void)state;
    assert_int_equal(
            crypto_aes_cfb_encrypt(SPAN(zero, 16), SPAN(zero, 16), out), 0);
    unhex("66e94bd4ef8a2c3b884cfa59ca342b2e", want, sizeof(want));
    assert_memory_equal(out, want, sizeof(want));
    assert_int_equal(
            crypto_aes_cfb_encrypt(SPAN(zero, 32), SPAN(zero, 16), out), 0);
    unhex("dc95c078a2408989ad48a21492842087", want, sizeof(want));
    assert_memory_equal(out, want, sizeof(want));
    assert_int_equal(
            crypto_aes_cfb_encrypt(SPAN(zero, 24), SPAN(zero, 16), out),
            ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(published_gcm),
            cmocka_unit_test(any_flipped_bit_is_refused_and_nothing_shown),
            cmocka_unit_test(truncated_is_refused),
            cmocka_unit_test(nothing_can_be_sealed),
            cmocka_unit_test(cfb_with_a_zero_iv),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
