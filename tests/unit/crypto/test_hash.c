/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_hex(const uint8_t *got, size_t len, const char *want)
{
    char hex[TEXT_HEX_SIZE(256)];

    text_format_hex(SPAN(got, len), hex);
    assert_string_equal(hex, want);
}

static const struct {
    enum crypto_hash alg;
    const char *name;
    const char *data;
    const char *digest;
} vectors[] = {
        /* FIPS 180-4 examples; RFC 7693, appendix A */
        {CRYPTO_SHA1, "sha1", "abc",
                "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {CRYPTO_SHA256, "sha256", "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015"
                "ad"},
        {CRYPTO_SHA256, "sha256", "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8"
                "55"},
        {CRYPTO_SHA256, "sha256",
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06"
                "c1"},
        {CRYPTO_SHA384, "sha384", "abc",
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5b"
                "ed8086072ba1e7cc2358baeca134c825a7"},
        {CRYPTO_SHA512, "sha512", "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d3"
                "9a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54c"
                "a49f"},
        {CRYPTO_BLAKE2B512, "blake2b512", "abc",
                "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2"
                "d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd400"
                "9923"},
};

static void published_digests(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        uint8_t digest[CRYPTO_HASH_MAX];
        size_t size = crypto_hash_size(vectors[i].alg);

        crypto_hash(vectors[i].alg, span_str(vectors[i].data), digest);
        assert_hex(digest, size, vectors[i].digest);
        assert_string_equal(crypto_hash_name(vectors[i].alg), vectors[i].name);
    }
}

static void hasher_gives_prefixes_and_goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        CLEANUP(crypto_hasher_free_ptr)
        struct crypto_hasher *h = crypto_hasher_new(vectors[i].alg);
        struct span data = span_str(vectors[i].data);
        uint8_t want[CRYPTO_HASH_MAX], got[CRYPTO_HASH_MAX];
        size_t size = crypto_hash_size(vectors[i].alg);

        assert_non_null(h);
        for (size_t n = 0; n < data.len; n++) {
            crypto_hash(vectors[i].alg, SPAN(data.ptr, n), want);
            crypto_hasher_final(h, got);
            assert_memory_equal(got, want, size);
            crypto_hasher_update(h, SPAN(data.ptr + n, 1));
        }
        crypto_hasher_final(h, got);
        assert_hex(got, size, vectors[i].digest);
    }
}

static void two_spans_hash_as_one(void **state)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];

    (void)state;
    crypto_sha256_two(span_str("a"), span_str("bc"), digest);
    assert_hex(digest, sizeof(digest), vectors[1].digest);
    crypto_sha256_two(SPAN_EMPTY, span_str("abc"), digest);
    assert_hex(digest, sizeof(digest), vectors[1].digest);
    crypto_sha256(SPAN_EMPTY, digest);
    assert_hex(digest, sizeof(digest), vectors[2].digest);
}

static void extend_is_the_hash_of_both(void **state)
{
    static const enum crypto_hash algs[] = {
            CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        size_t n = crypto_hash_size(algs[i]);
        uint8_t both[2 * CRYPTO_HASH_MAX], value[CRYPTO_HASH_MAX];
        uint8_t want[CRYPTO_HASH_MAX];

        for (size_t j = 0; j < 2 * n; j++)
            both[j] = (uint8_t)(j * 3 + i);
        memcpy(value, both, n);
        crypto_hash(algs[i], SPAN(both, 2 * n), want);
        crypto_extend(algs[i], value, both + n);
        assert_memory_equal(value, want, n);
    }
}

/* RFC 4231, 4.3 */
static void published_hmac(void **state)
{
    uint8_t mac[CRYPTO_HASH_MAX];

    (void)state;
    crypto_hmac(CRYPTO_SHA256, span_str("Jefe"),
            span_str("what do ya want for nothing?"), mac);
    assert_hex(mac, 32,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    crypto_hmac(CRYPTO_SHA512, span_str("Jefe"),
            span_str("what do ya want for nothing?"), mac);
    assert_hex(mac, 64,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea25055497"
            "58bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
    crypto_hmac(CRYPTO_SHA256, SPAN_EMPTY, SPAN_EMPTY, mac);
    assert_hex(mac, 32,
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 5869, A.1 and A.3 */
static void published_hkdf(void **state)
{
    uint8_t ikm[22], salt[13], info[10], okm[42];

    (void)state;
    memset(ikm, 0x0b, sizeof(ikm));
    for (uint8_t i = 0; i < sizeof(salt); i++)
        salt[i] = i;
    for (uint8_t i = 0; i < sizeof(info); i++)
        info[i] = (uint8_t)(0xf0 + i);
    assert_int_equal(crypto_hkdf(CRYPTO_SHA256, SPAN_OF(salt), SPAN_OF(ikm),
                             SPAN_OF(info), okm, sizeof(okm)),
            0);
    assert_hex(okm, sizeof(okm),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
            "34007208d5b887185865");
    assert_int_equal(crypto_hkdf(CRYPTO_SHA256, SPAN_EMPTY, SPAN_OF(ikm),
                             SPAN_EMPTY, okm, sizeof(okm)),
            0);
    assert_hex(okm, sizeof(okm),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
            "9d201395faa4b61a96c8");
}

static void hkdf_refuses_more_than_the_rfc_allows(void **state)
{
    static uint8_t out[255 * 32 + 1];
    uint8_t info[CRYPTO_HKDF_INFO_MAX + 1] = {0};

    (void)state;
    assert_int_equal(crypto_hkdf(CRYPTO_SHA256, SPAN_EMPTY, span_str("k"),
                             SPAN_EMPTY, out, sizeof(out)),
            ERR_LIMIT);
    assert_int_equal(out[0], 0);
    assert_int_equal(crypto_hkdf(CRYPTO_SHA256, SPAN_EMPTY, span_str("k"),
                             SPAN_EMPTY, out, sizeof(out) - 1),
            0);
    assert_int_equal(crypto_hkdf(CRYPTO_SHA256, SPAN_EMPTY, span_str("k"),
                             SPAN_OF(info), out, 32),
            ERR_LIMIT);
}

static void random_bytes_fill_the_buffer_and_no_more(void **state)
{
    uint8_t a[40] = {0}, b[40] = {0};
    static const uint8_t zero[8];

    (void)state;
    crypto_random(a, 32);
    crypto_random(b, 32);
    assert_memory_not_equal(a, b, 32);
    assert_memory_not_equal(a + 24, zero, 8);
    assert_memory_equal(a + 32, zero, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(published_digests),
            cmocka_unit_test(hasher_gives_prefixes_and_goes_on),
            cmocka_unit_test(two_spans_hash_as_one),
            cmocka_unit_test(extend_is_the_hash_of_both),
            cmocka_unit_test(published_hmac),
            cmocka_unit_test(published_hkdf),
            cmocka_unit_test(hkdf_refuses_more_than_the_rfc_allows),
            cmocka_unit_test(random_bytes_fill_the_buffer_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
