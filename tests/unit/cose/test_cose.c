/* SPDX-License-Identifier: Apache-2.0 */
/* Room cose: what verifies, and what an attacker may try instead. */
#include "cose_fixture.h"

#define PUB CLEANUP(crypto_pub_free_ptr) struct crypto_pub

static const struct cose_options strict = {.order = CBOR_DETERMINISTIC};

static const struct {
    enum cose_alg alg;
    enum cose_fixture_key key;
    enum crypto_hash hash;
} algs[] = {
        {COSE_ES256, FIXTURE_P256, CRYPTO_SHA256},
        {COSE_ESP256, FIXTURE_P256, CRYPTO_SHA256},
        {COSE_ES384, FIXTURE_P384, CRYPTO_SHA384},
        {COSE_ESP384, FIXTURE_P384, CRYPTO_SHA384},
        {COSE_ES512, FIXTURE_P521, CRYPTO_SHA512},
        {COSE_ESP512, FIXTURE_P521, CRYPTO_SHA512},
        {COSE_EDDSA, FIXTURE_ED25519, CRYPTO_SHA512},
        {COSE_ED25519, FIXTURE_ED25519, CRYPTO_SHA512},
        {COSE_PS256, FIXTURE_RSA, CRYPTO_SHA256},
        {COSE_PS384, FIXTURE_RSA, CRYPTO_SHA384},
        {COSE_PS512, FIXTURE_RSA, CRYPTO_SHA512},
};

/* {1: alg} */
static struct span alg_header(int64_t alg, uint8_t ret[static 16])
{
    struct wire_writer w = wire_writer_of(ret, 16);
    struct span s;

    cbor_put_map(&w, 1);
    cbor_put_int(&w, COSE_ALG);
    cbor_put_int(&w, alg);
    assert_true(wire_finish(&w, &s));
    return s;
}

static struct span sign(size_t i, uint8_t ret[static 1024])
{
    uint8_t header[16];

    return cose_fixture_msg(
            &(struct cose_fixture_msg){
                    .protected_header = alg_header(algs[i].alg, header),
                    .payload = span_str("payload"),
                    .aad = span_str("aad")},
            algs[i].key, algs[i].hash, ret, 1024);
}

static int verify(struct span msg, const struct crypto_pub *k, const char *aad)
{
    struct cose_sign1 m;
    int rc = cose_sign1_parse(msg, &strict, &m, NULL);

    return rc ? rc : cose_sign1_verify(&m, k, span_str(aad), NULL, NULL);
}

static void test_every_algorithm_verifies(void **state)
{
    uint8_t b[1024];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        struct span msg = sign(i, b);

        assert_non_null(cose_alg_name(algs[i].alg));
        assert_int_equal(verify(msg, cose_fixture_pub(algs[i].key), "aad"), 0);
    }
    assert_null(cose_alg_name(-257)); /* RS256 */
}

static void test_other_external_data_is_refused(void **state)
{
    uint8_t b[1024];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        struct span msg = sign(i, b);

        assert_int_equal(
                verify(msg, cose_fixture_pub(algs[i].key), ""), ERR_MISMATCH);
        assert_int_equal(verify(msg, cose_fixture_pub(algs[i].key), "aae"),
                ERR_MISMATCH);
    }
}

static void test_another_key_is_refused(void **state)
{
    uint8_t b[1024];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        struct span msg = sign(i, b);

        assert_int_equal(verify(msg, cose_fixture_other(algs[i].key), "aad"),
                ERR_MISMATCH);
        for (enum cose_fixture_key k = 0; k < FIXTURE_KEYS; k++) {
            if (k != algs[i].key)
                assert_int_equal(
                        verify(msg, cose_fixture_pub(k), "aad"), ERR_MISMATCH);
        }
    }
}

/* The signature is good; the header says that it was made in another way. */
static void test_an_algorithm_of_another_kind_of_key_is_refused(void **state)
{
    uint8_t b[1024], header[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        for (size_t j = 0; j < ARRAY_LEN(algs); j++) {
            struct span msg = cose_fixture_msg(
                    &(struct cose_fixture_msg){
                            .protected_header = alg_header(algs[i].alg, header),
                            .payload = span_str("payload")},
                    algs[j].key, algs[j].hash, b, sizeof(b));
            bool same =
                    algs[i].key == algs[j].key && algs[i].hash == algs[j].hash;

            assert_int_equal(verify(msg, cose_fixture_pub(algs[j].key), ""),
                    same ? 0 : ERR_MISMATCH);
        }
    }
}

static void test_unknown_algorithms_are_refused(void **state)
{
    static const int64_t alg[] = {0, 5, -16, -47, -65535, -257, -258, -259, -6,
            -999, INT64_MIN, INT64_MAX};
    uint8_t b[1024], header[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(alg); i++) {
        struct span msg = cose_fixture_msg(
                &(struct cose_fixture_msg){
                        .protected_header = alg_header(alg[i], header),
                        .payload = span_str("payload")},
                FIXTURE_P256, CRYPTO_SHA256, b, sizeof(b));

        assert_int_equal(verify(msg, cose_fixture_pub(FIXTURE_P256), ""),
                ERR_UNSUPPORTED);
    }
}

/* No bit of a message can be turned: not in what is signed, nor around it. */
static void test_any_flipped_bit_is_refused(void **state)
{
    static const size_t which[] = {0, 6, 8};
    uint8_t b[1024];

    (void)state;
    for (size_t w = 0; w < ARRAY_LEN(which); w++) {
        size_t i = which[w];
        struct span msg = sign(i, b);

        for (size_t bit = 0; bit < msg.len * 8; bit++) {
            b[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (verify(msg, cose_fixture_pub(algs[i].key), "aad") == 0)
                fail_msg("%s: bit %zu", cose_alg_name(algs[i].alg), bit);
            b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t n = 0; n < msg.len; n++)
            assert_int_not_equal(
                    verify(SPAN(b, n), cose_fixture_pub(algs[i].key), "aad"),
                    0);
        b[msg.len] = 0;
        assert_int_equal(verify(SPAN(b, msg.len + 1),
                                 cose_fixture_pub(algs[i].key), "aad"),
                ERR_SYNTAX);
    }
}

static struct span unhex(const char *hex, uint8_t *ret)
{
    size_t n = strlen(hex) / 2;

    assert_true(text_parse_hex(span_str(hex), ret, n));
    return SPAN(ret, n);
}

/* Signed well each time: only the form is wrong. */
static void test_headers_that_break_the_rules_are_refused(void **state)
{
    static const struct {
        const char *protected_header, *unprotected_header, *what;
        int rc;
    } t[] = {
            {"a10126", "a0", NULL, 0},
            {"a10126", "a104420102", NULL, 0},
            {"a2012604420102", "a0", NULL, 0},
            {"a2012603183d", "a0", NULL, 0},
            {"a20126036161", "a0", NULL, 0},
            {"", "a0", "no algorithm", ERR_SYNTAX},
            {"a0", "a0", "no algorithm", ERR_SYNTAX},
            {"a1044101", "a0", "no algorithm", ERR_SYNTAX},
            {"a0", "a10126", "not protected", ERR_SYNTAX},
            {"", "a10126", "not protected", ERR_SYNTAX},
            {"a10126", "a10126", "both headers", ERR_SYNTAX},
            {"a10126", "a10127", "both headers", ERR_SYNTAX},
            {"a20126044101", "a1044101", "both headers", ERR_SYNTAX},
            {"a101654553323536", "a0", "not a number", ERR_UNSUPPORTED},
            {"a1014126", "a0", "not a number", ERR_UNSUPPORTED},
            {"a20441010126", "a0", "not in order", ERR_SYNTAX},
            {"a201260126", "a0", "twice", ERR_SYNTAX},
            {"a10126", "a204000500", "kid", ERR_SYNTAX},
            {"a10126", "a2044101044101", "twice", ERR_SYNTAX},
            {"a201260400", "a0", "kid", ERR_SYNTAX},
            {"a201260340", "a0", "content type", ERR_SYNTAX},
            {"a201260320", "a0", "content type", ERR_SYNTAX},
            {"a1012600", "a0", "trailing", ERR_SYNTAX},
            {"8100", "a0", "not a map", ERR_SYNTAX},
            {"01", "a0", "not a map", ERR_SYNTAX},
            {"bf0126ff", "a0", "indefinite", ERR_SYNTAX},
            {"a1180126", "a0", "shortest", ERR_SYNTAX},
            {"a20126410000", "a0", "neither a number nor", ERR_SYNTAX},
            {"a10126", "a1f600", "neither a number nor", ERR_SYNTAX},
            /* crit: RFC 9052, 3.1 */
            {"a20126028101", "a0", NULL, 0},
            {"a30126028104044101", "a0", NULL, 0},
            {"a201260280", "a0", "no list", ERR_SYNTAX},
            {"a201260201", "a0", "no list", ERR_SYNTAX},
            {"a2012602a0", "a0", "no list", ERR_SYNTAX},
            {"a2012602811863", "a0", "is not protected", ERR_SYNTAX},
            {"a2012602811863", "a1186300", "is not protected", ERR_SYNTAX},
            {"a20126028104", "a1044101", "is not protected", ERR_SYNTAX},
            {"a3012602811863186300", "a0", "not understood", ERR_UNSUPPORTED},
            {"a301260282041863044101", "a0", "is not protected", ERR_SYNTAX},
            {"a301260281080800", "a0", "not understood", ERR_UNSUPPORTED},
            {"a3012602816161616100", "a0", "not understood", ERR_UNSUPPORTED},
            {"a10126", "a1028101", "crit is not protected", ERR_SYNTAX},
    };
    uint8_t b[1024], p[64], u[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct err err = {0};
        struct cose_sign1 m;
        struct span msg = cose_fixture_msg(
                &(struct cose_fixture_msg){
                        .protected_header = unhex(t[i].protected_header, p),
                        .unprotected_header = unhex(t[i].unprotected_header, u),
                        .payload = span_str("payload")},
                FIXTURE_P256, CRYPTO_SHA256, b, sizeof(b));
        int rc = cose_sign1_parse(msg, &strict, &m, &err);

        if (rc != t[i].rc || (t[i].what && !strstr(err.msg, t[i].what)))
            fail_msg("%s %s: %d %s", t[i].protected_header,
                    t[i].unprotected_header, rc, err.msg);
        if (rc == 0)
            assert_int_equal(
                    cose_sign1_verify(&m, cose_fixture_pub(FIXTURE_P256),
                            SPAN_EMPTY, NULL, NULL),
                    0);
    }
}

static void test_options_give_way_where_they_say(void **state)
{
    static const int64_t crit[] = {8};
    const struct cose_options any = {.order = CBOR_ANY_ORDER},
                              untagged = {.untagged = true},
                              unprotected = {.alg_unprotected = true},
                              meta = {.crit = crit, .n_crit = 1};
    const struct {
        const char *protected_header, *unprotected_header;
        bool untagged;
        const struct cose_options *options;
    } t[] = {
            {"a20441010126", "a0", false, &any},
            {"a10126", "a0", true, &untagged},
            {"a0", "a10126", false, &unprotected},
            {"a301260281080800", "a0", false, &meta},
    };
    uint8_t b[1024], p[64], u[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct cose_sign1 m;
        struct span header = unhex(t[i].protected_header, p);
        struct span msg = cose_fixture_msg(
                &(struct cose_fixture_msg){
                        .protected_header =
                                header.len > 1 ? header : SPAN_EMPTY,
                        .unprotected_header = unhex(t[i].unprotected_header, u),
                        .payload = span_str("payload"),
                        .untagged = t[i].untagged},
                FIXTURE_P256, CRYPTO_SHA256, b, sizeof(b));

        assert_int_not_equal(cose_sign1_parse(msg, &strict, &m, NULL), 0);
        assert_int_equal(cose_sign1_parse(msg, t[i].options, &m, NULL), 0);
        assert_int_equal(cose_sign1_verify(&m, cose_fixture_pub(FIXTURE_P256),
                                 SPAN_EMPTY, NULL, NULL),
                0);
    }
}

static void test_other_shapes_are_refused(void **state)
{
    static const char *const bad[] = {
            "d28343a10126a04161",         /* three elements */
            "d28543a10126a0416141614161", /* five */
            "d28443a101268041614161",     /* headers in an array */
            "d284a10126a041614161",       /* protected not wrapped */
            "d28443a10126a061614161",     /* payload text */
            "d28443a10126a0f74161",       /* undefined is not nil */
            "d28443a10126a04161f6",       /* no signature */
            "d2d28443a10126a041614161",   /* the tag twice */
            "d18443a10126a041614161",     /* another tag */
            "d8628443a10126a041614161",   /* COSE_Sign */
            "d29f43a10126a041614161ff",   /* indefinite */
            "d218448443a10126a041614161", /* wrapped */
            "d2a100a0",
            "d2",
            "",
            "f6",
            "80",
    };
    uint8_t b[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct cose_sign1 m;

        if (cose_sign1_parse(unhex(bad[i], b), &strict, &m, NULL) == 0)
            fail_msg("%s", bad[i]);
    }
    /* the tag is not there twice, where it may be left out either */
    struct cose_sign1 m;
    const struct cose_options untagged = {.untagged = true};

    assert_int_not_equal(
            cose_sign1_parse(unhex(bad[7], b), &untagged, &m, NULL), 0);
    assert_int_not_equal(
            cose_sign1_parse(unhex(bad[8], b), &untagged, &m, NULL), 0);
}

static void test_a_detached_payload_must_be_the_one(void **state)
{
    uint8_t b[1024], header[16];
    struct span payload = span_str("payload"), other = span_str("payloae"),
                empty = SPAN_EMPTY;
    const struct crypto_pub *k = cose_fixture_pub(FIXTURE_P384);
    struct cose_fixture_msg f = {
            .protected_header = alg_header(COSE_ES384, header),
            .payload = payload,
            .detached = true};
    struct cose_sign1 m;

    (void)state;
    assert_int_equal(cose_sign1_parse(cose_fixture_msg(&f, FIXTURE_P384,
                                              CRYPTO_SHA384, b, sizeof(b)),
                             &strict, &m, NULL),
            0);
    assert_true(m.detached);
    assert_int_equal(cose_sign1_verify(&m, k, SPAN_EMPTY, &payload, NULL), 0);
    assert_int_equal(
            cose_sign1_verify(&m, k, SPAN_EMPTY, &other, NULL), ERR_MISMATCH);
    assert_int_equal(
            cose_sign1_verify(&m, k, SPAN_EMPTY, &empty, NULL), ERR_MISMATCH);
    assert_int_equal(
            cose_sign1_verify(&m, k, SPAN_EMPTY, NULL, NULL), ERR_STATE);
    f.detached = false;
    assert_int_equal(cose_sign1_parse(cose_fixture_msg(&f, FIXTURE_P384,
                                              CRYPTO_SHA384, b, sizeof(b)),
                             &strict, &m, NULL),
            0);
    assert_int_equal(
            cose_sign1_verify(&m, k, SPAN_EMPTY, &payload, NULL), ERR_STATE);
    assert_int_equal(cose_sign1_verify(&m, k, SPAN_EMPTY, NULL, NULL), 0);
}

static void test_bombs_end_early(void **state)
{
    static uint8_t b[1 << 20];
    struct cose_sign1 m;
    struct wire_writer w = wire_writer_of(b, sizeof(b));

    (void)state;
    memset(b, 0xd2, sizeof(b));
    assert_int_equal(
            cose_sign1_parse(SPAN_OF(b), &strict, &m, NULL), ERR_LIMIT);
    cbor_put_tag(&w, COSE_TAG_SIGN1);
    cbor_put_array(&w, 4);
    cbor_put_bytes(&w, span_str("\xa1\x01\x26"));
    cbor_put_map(&w, COSE_HEADERS_MAX + 1);
    for (int i = 0; i <= COSE_HEADERS_MAX; i++) {
        cbor_put_int(&w, 100 + i);
        cbor_put_null(&w);
    }
    cbor_put_bytes(&w, SPAN_EMPTY);
    cbor_put_bytes(&w, SPAN_EMPTY);
    assert_int_equal(
            cose_sign1_parse(SPAN(b, w.len), &strict, &m, NULL), ERR_LIMIT);
}

static void test_what_is_written_is_read(void **state)
{
    enum crypto_key_type types[] = {CRYPTO_ED25519, CRYPTO_P256};
    static const uint8_t long_kid[600];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct crypto_key *k = crypto_key_generate(types[i % 2]);
        struct buf out = BUF_INIT(4096);
        struct span payload = span_str("claims");
        struct cose_write w = {.kid = span_str("zone"),
                .content_type = "application/eat+cwt",
                .external_aad = span_str("bound"),
                .payload = payload,
                .detached = i >= 2};
        struct cose_sign1 m;

        assert_int_equal(cose_sign1_write(&w, k, &out, NULL), 0);
        assert_int_equal(
                cose_sign1_parse(buf_span(&out), &strict, &m, NULL), 0);
        assert_true(span_eq_str(m.kid, "zone"));
        assert_true(span_eq_str(m.content_type, "application/eat+cwt"));
        assert_int_equal(
                cose_sign1_verify(&m, crypto_key_pub(k), span_str("bound"),
                        w.detached ? &payload : NULL, NULL),
                0);
        assert_int_equal(cose_sign1_verify(&m, crypto_key_pub(k), SPAN_EMPTY,
                                 w.detached ? &payload : NULL, NULL),
                ERR_MISMATCH);
        buf_fini(&out);
        out = BUF_INIT(40);
        assert_int_equal(cose_sign1_write(&w, k, &out, NULL), ERR_LIMIT);
        buf_fini(&out);
        out = BUF_INIT(4096);
        w.kid = SPAN_OF(long_kid);
        assert_int_equal(cose_sign1_write(&w, k, &out, NULL), ERR_LIMIT);
        assert_int_equal(out.len, 0);
        buf_fini(&out);
        crypto_key_free(k);
    }
}

/* ---- COSE_Key -------------------------------------------------------- */

static size_t put_key(enum cose_fixture_key k, uint8_t ret[static 256])
{
    static const uint64_t crv[] = {1, 2, 3, 6};
    struct wire_writer w = wire_writer_of(ret, 256);
    uint8_t raw[133];
    size_t len;
    bool ed = k == FIXTURE_ED25519;

    assert_int_equal(
            crypto_pub_raw(cose_fixture_pub(k), raw, sizeof(raw), &len), 0);
    cbor_put_map(&w, ed ? 3 : 4);
    cbor_put_int(&w, 1);
    cbor_put_int(&w, ed ? 1 : 2);
    cbor_put_int(&w, -1);
    cbor_put_uint(&w, crv[k]);
    cbor_put_int(&w, -2);
    cbor_put_bytes(&w, ed ? SPAN(raw, len) : SPAN(raw + 1, len / 2));
    if (!ed) {
        cbor_put_int(&w, -3);
        cbor_put_bytes(&w, SPAN(raw + 1 + len / 2, len / 2));
    }
    assert_false(w.overflow);
    return w.len;
}

static void test_cose_keys_are_the_keys_they_say(void **state)
{
    uint8_t b[256];

    (void)state;
    for (enum cose_fixture_key k = 0; k < FIXTURE_RSA; k++) {
        size_t n = put_key(k, b);
        PUB *got = NULL;

        assert_int_equal(
                cose_key_parse(SPAN(b, n), CBOR_DETERMINISTIC, &got, NULL), 0);
        assert_true(crypto_pub_eq(got, cose_fixture_pub(k)));
        for (size_t cut = 0; cut < n; cut++)
            assert_int_not_equal(cose_key_parse(SPAN(b, cut),
                                         CBOR_DETERMINISTIC, &got, NULL),
                    0);
        b[4] ^= 4; /* another curve */
        assert_int_equal(
                cose_key_parse(SPAN(b, n), CBOR_DETERMINISTIC, &got, NULL),
                ERR_SYNTAX);
        b[4] ^= 4;
        if (k != FIXTURE_ED25519) { /* any 32 bytes may be an Ed25519 key */
            b[n - 1] ^= 1;
            assert_int_equal(
                    cose_key_parse(SPAN(b, n), CBOR_DETERMINISTIC, &got, NULL),
                    ERR_SYNTAX);
        }
    }
}

static void test_cose_keys_that_are_none_are_refused(void **state)
{
    static const struct {
        const char *hex;
        int rc;
    } t[] = {
            {"a0", ERR_SYNTAX},
            {"a10104", ERR_UNSUPPORTED}, /* symmetric */
            {"a10163454332", ERR_UNSUPPORTED},
            {"a10100", ERR_UNSUPPORTED},
            {"a11901002000", ERR_SYNTAX},
            {"a10102", ERR_SYNTAX},
            {"a401022001214022f5", ERR_SYNTAX}, /* a compressed point */
            {"a501022001214022402340", ERR_DENIED},
            {"a301012006214100", ERR_SYNTAX},
            {"a3010320402140", ERR_SYNTAX},
            {"80", ERR_SYNTAX},
    };
    uint8_t b[256];
    struct crypto_pub *k = NULL;
    size_t n;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        int rc = cose_key_parse(
                unhex(t[i].hex, b), CBOR_DETERMINISTIC, &k, NULL);

        if (rc != t[i].rc)
            fail_msg("%s: %d", t[i].hex, rc);
    }
    /* alg of another kind of key: {1: 2, 3: -8, ...} */
    n = put_key(FIXTURE_P256, b);
    memmove(b + 5, b + 3, n - 3);
    b[0]++;
    b[3] = 3;
    b[4] = 0x27;
    assert_int_equal(
            cose_key_parse(SPAN(b, n + 2), CBOR_DETERMINISTIC, &k, NULL),
            ERR_MISMATCH);
    assert_null(k);
    b[4] = 0x60; /* alg as text */
    assert_int_equal(
            cose_key_parse(SPAN(b, n + 2), CBOR_DETERMINISTIC, &k, NULL),
            ERR_MISMATCH);
    b[4] = 0x26;
    assert_int_equal(
            cose_key_parse(SPAN(b, n + 2), CBOR_DETERMINISTIC, &k, NULL), 0);
    crypto_pub_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_every_algorithm_verifies),
            cmocka_unit_test(test_other_external_data_is_refused),
            cmocka_unit_test(test_another_key_is_refused),
            cmocka_unit_test(
                    test_an_algorithm_of_another_kind_of_key_is_refused),
            cmocka_unit_test(test_unknown_algorithms_are_refused),
            cmocka_unit_test(test_any_flipped_bit_is_refused),
            cmocka_unit_test(test_headers_that_break_the_rules_are_refused),
            cmocka_unit_test(test_options_give_way_where_they_say),
            cmocka_unit_test(test_other_shapes_are_refused),
            cmocka_unit_test(test_a_detached_payload_must_be_the_one),
            cmocka_unit_test(test_bombs_end_early),
            cmocka_unit_test(test_what_is_written_is_read),
            cmocka_unit_test(test_cose_keys_are_the_keys_they_say),
            cmocka_unit_test(test_cose_keys_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
