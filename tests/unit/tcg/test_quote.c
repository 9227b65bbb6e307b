/* SPDX-License-Identifier: Apache-2.0 */
/* A quote judged: one that holds, and each thing that must not. */
#include "quotes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct quotes good; /* P-256, for what does not depend on the scheme */

#define BIT(w) (1u << (w))

static uint32_t judge_as(const struct quotes *q, struct span ak,
        struct span msg, struct span sig, const struct tcg_quote_want *want,
        struct tcg_quote *ret)
{
    struct tcg_ak *k = NULL;
    struct err err = {0};
    int r = tcg_ak_new(ak, &k, &err);

    (void)q;
    if (r != 0)
        fail_msg("%s", err.msg);
    r = tcg_quote_judge(k, msg, sig, want, ret, &err);
    assert_int_equal(r, ret->why ? ERR_DENIED : 0);
    if (ret->why)
        assert_non_null(strstr(err.msg, "quote refused: "));
    tcg_ak_free(k);
    return ret->why;
}

static uint32_t judge(const struct quotes *q)
{
    struct tcg_claim claims[3];
    struct tcg_quote_want want;
    struct tcg_quote got;

    quotes_want(q, &want, claims);
    return judge_as(q, SPAN(q->public, q->public_len), SPAN(q->msg, q->msg_len),
            SPAN(q->sig, q->sig_len), &want, &got);
}

/* ---- schemes --------------------------------------------------------- */

static void flip_signed(struct quotes *q, size_t step)
{
    for (size_t bit = 0; bit < q->msg_len * 8; bit += step) {
        q->msg[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (judge(q) == 0)
            fail_msg("%s: bit %zu of the message", q->scheme->name, bit);
        q->msg[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < q->sig_len * 8; bit += step) {
        q->sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (judge(q) == 0)
            fail_msg("%s: bit %zu of the signature", q->scheme->name, bit);
        q->sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_every_scheme_holds_and_no_flipped_bit_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < quotes_n_schemes; i++) {
        struct quotes q;

        quotes_make(&q, &quotes_schemes[i]);
        if (judge(&q) != 0)
            fail_msg("%s: %x", q.scheme->name, judge(&q));
        flip_signed(&q, i == 0 ? 1 : 29);
        assert_int_equal(judge(&q), 0);
        quotes_fini(&q);
    }
}

static void test_a_signature_with_another_hash_or_scheme(void **state)
{
    (void)state;
    for (size_t i = 0; i < quotes_n_schemes; i++) {
        static const uint16_t hashes[] = {
                TCG_ALG_SHA1, TCG_ALG_SHA256, TCG_ALG_SHA384, TCG_ALG_SHA512};
        struct quotes q;

        quotes_make(&q, &quotes_schemes[i]);
        for (size_t h = 0; h < ARRAY_LEN(hashes); h++) {
            if (hashes[h] == q.scheme->hash)
                continue;
            quotes_sign(&q, hashes[h]);
            assert_int_equal(judge(&q), BIT(TCG_WHY_SIG_HASH));
        }
        quotes_sign(&q, q.scheme->hash);
        assert_int_equal(judge(&q), 0);
        if (!q.scheme->curve) {
            uint16_t other = q.scheme->alg == TCG_ALG_RSASSA ? TCG_ALG_RSAPSS
                                                             : TCG_ALG_RSASSA;

            quotes_public(&q, QUOTES_AK_ATTRIBUTES, TCG_ALG_SHA256, other,
                    q.scheme->hash);
            assert_int_equal(judge(&q), BIT(TCG_WHY_SIG_ALG));
            q.sig[1] = (uint8_t)other;
            assert_int_equal(judge(&q), BIT(TCG_WHY_SIGNATURE));
        }
        quotes_fini(&q);
    }
}

static void test_a_key_whose_scheme_is_sha1(void **state)
{
    struct quotes q = good;

    (void)state;
    quotes_public(&q, QUOTES_AK_ATTRIBUTES, TCG_ALG_SHA256, TCG_ALG_ECDSA,
            TCG_ALG_SHA1);
    quotes_sign(&q, TCG_ALG_SHA1);
    assert_int_equal(judge(&q), BIT(TCG_WHY_AK_WEAK) | BIT(TCG_WHY_SIG_HASH));
}

static void test_signatures_out_of_range(void **state)
{
    struct quotes q = good;

    (void)state;
    memset(q.sig + 6, 0, 32); /* r */
    assert_int_equal(judge(&q), BIT(TCG_WHY_SIGNATURE));
    q = good;
    memset(q.sig + 40, 0, 32); /* s */
    assert_int_equal(judge(&q), BIT(TCG_WHY_SIGNATURE));
    memset(q.sig + 40, 0xff, 32); /* over the order */
    assert_int_equal(judge(&q), BIT(TCG_WHY_SIGNATURE));
    q = good;
    q.sig_len--;
    assert_int_equal(judge(&q), BIT(TCG_WHY_SIG_FORMAT));
    q.sig_len += 2;
    assert_int_equal(judge(&q), BIT(TCG_WHY_SIG_FORMAT));
    q.sig_len = 0;
    assert_int_equal(judge(&q), BIT(TCG_WHY_SIG_FORMAT));
    q = good;
    q.sig[1] = 0x1a; /* ECDAA */
    assert_int_equal(judge(&q), BIT(TCG_WHY_SIG_FORMAT));
}

/* ---- structure ------------------------------------------------------- */

/* Message changed and signed anew, so that the change alone is judged. */
static uint32_t judge_changed(struct quotes *q)
{
    quotes_sign(q, q->scheme->hash);
    return judge(q);
}

static void test_structures_that_are_not_exact(void **state)
{
    struct quotes q = good;

    (void)state;
    q.msg[3] = 0x48;
    assert_int_equal(judge_changed(&q), BIT(TCG_WHY_MAGIC));
    q = good;
    q.msg[q.msg_len++] = 0;
    assert_int_equal(judge_changed(&q), BIT(TCG_WHY_TRAILING));
    q = good;
    for (q.msg_len = 0; q.msg_len < good.msg_len; q.msg_len++)
        assert_int_equal(judge_changed(&q), BIT(TCG_WHY_LENGTH));
    q = good;
    q.msg[6] = 0xff; /* qualifiedSigner of 65 KiB */
    assert_int_equal(judge_changed(&q), BIT(TCG_WHY_LENGTH));
    q = good;
    q.msg[60] = 2; /* safe */
    assert_int_equal(judge_changed(&q), BIT(TCG_WHY_VALUE));
    q = good;
    memset(q.msg + 69, 0xff, 4); /* 2^32-1 banks */
    assert_int_equal(judge_changed(&q), BIT(TCG_WHY_COUNT));
    q = good;
    q.msg[75] = 0;
    assert_true(judge_changed(&q) & BIT(TCG_WHY_SELECT));
    q.msg[75] = 5;
    assert_true(judge_changed(&q) & BIT(TCG_WHY_SELECT));
}

/* Puts another selection in place of sha256:0,4,7. */
static void select_as(struct quotes *q, struct span selection)
{
    uint8_t tail[200];
    size_t n = good.msg_len - 79;

    memcpy(tail, good.msg + 79, n);
    memcpy(q->msg + 69, selection.ptr, selection.len);
    memcpy(q->msg + 69 + selection.len, tail, n);
    q->msg_len = 69 + selection.len + n;
}

static const struct {
    const char *what;
    const char *hex;
    uint32_t why;
} selections[] = {
        {"1 byte", "00000001000b0191", 0},
        {"2 bytes", "00000001000b029100", 0},
        {"3 bytes", "00000001000b03910000", 0},
        {"4 bytes", "00000001000b0491000000", 0},
        {"PCR 24", "00000001000b0491000001", BIT(TCG_WHY_SELECT)},
        {"an empty bank beside", "00000002000403000000000b03910000", 0},
        {"bank twice", "00000002000b03910000000b03000000",
                BIT(TCG_WHY_DUPLICATE_BANK)},
        {"split over two", "00000002000b03110000000b03800000",
                BIT(TCG_WHY_DUPLICATE_BANK)},
        {"one less", "00000001000b03110000",
                BIT(TCG_WHY_REQUIRED) | BIT(TCG_WHY_PCR_DIGEST)},
        {"others", "00000001000b03008000",
                BIT(TCG_WHY_REQUIRED) | BIT(TCG_WHY_PCR_DIGEST)},
        {"SHA-1 in place of it", "00000001000403910000",
                BIT(TCG_WHY_REQUIRED) | BIT(TCG_WHY_PCR_DIGEST)},
        {"a bank that cannot be computed", "00000001001203910000",
                BIT(TCG_WHY_REQUIRED) | BIT(TCG_WHY_PCR_DIGEST)},
        {"nothing", "00000000",
                BIT(TCG_WHY_REQUIRED) | BIT(TCG_WHY_PCR_DIGEST)},
        {"more than are claimed", "00000001000b03930000",
                BIT(TCG_WHY_PCR_DIGEST)},
        {"five banks",
                "00000005000403000000000b03910000000c03000000000d0300000000120"
                "3000000",
                BIT(TCG_WHY_COUNT)},
};

static void test_selections(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(selections); i++) {
        struct quotes q = good;
        uint8_t bytes[64];
        size_t n = strlen(selections[i].hex) / 2;
        uint32_t why;

        assert_true(text_parse_hex(span_str(selections[i].hex), bytes, n));
        select_as(&q, SPAN(bytes, n));
        why = judge_changed(&q);
        if (why != selections[i].why)
            fail_msg("%s: %x", selections[i].what, why);
    }
}

/* ---- other attestations ---------------------------------------------- */

static const struct {
    uint16_t type;
    const char *body;
} others[] = {
        {TCG_ATTEST_CERTIFY, "0003000b110003000b22"},
        {TCG_ATTEST_CREATION, "0003000b11000400000001"},
        {TCG_ATTEST_TIME, "00000000000000010000000000000002"
                          "000000030000000401"
                          "0000000000000005"},
        {TCG_ATTEST_NV, "0003000b1100080002abcd"},
        {TCG_ATTEST_NV_DIGEST, "0003000b11000400000001"},
        {TCG_ATTEST_COMMAND_AUDIT, "0000000000000001000b00020102000203ff"},
        {TCG_ATTEST_SESSION_AUDIT, "0100020102"},
};

static size_t make_other(struct quotes *q, size_t i)
{
    size_t n = strlen(others[i].body) / 2;

    q->msg[4] = (uint8_t)(others[i].type >> 8);
    q->msg[5] = (uint8_t)others[i].type;
    assert_true(text_parse_hex(span_str(others[i].body), q->msg + 69, n));
    q->msg_len = 69 + n;
    return n;
}

static void test_other_attestations_are_what_they_are(void **state)
{
    struct tcg_attested a;
    struct tcg_attest quote;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct quotes q = good;
        size_t n = make_other(&q, i);
        struct span msg = SPAN(q.msg, q.msg_len);

        assert_int_equal(judge_changed(&q), BIT(TCG_WHY_NOT_A_QUOTE));
        assert_int_equal(tcg_attest(msg, &quote, NULL), ERR_MISMATCH);
        for (size_t k = 0; k < ARRAY_LEN(others); k++)
            assert_int_equal(tcg_attest_other(msg, others[k].type, &a, NULL),
                    k == i ? 0 : ERR_MISMATCH);
        assert_int_equal(tcg_attest_other(msg, TCG_ATTEST_QUOTE, &a, NULL),
                ERR_MISMATCH);
        for (size_t cut = 1; cut <= n; cut++)
            assert_int_equal(tcg_attest_other(SPAN(msg.ptr, msg.len - cut),
                                     others[i].type, &a, NULL),
                    ERR_SYNTAX);
        q.msg[q.msg_len++] = 0;
        assert_int_equal(tcg_attest_other(SPAN(q.msg, q.msg_len),
                                 others[i].type, &a, NULL),
                ERR_SYNTAX);
        assert_int_equal(judge_changed(&q),
                BIT(TCG_WHY_NOT_A_QUOTE) | BIT(TCG_WHY_TRAILING));
        q.msg[0] = 0;
        assert_int_equal(tcg_attest_other(SPAN(q.msg, q.msg_len - 1),
                                 others[i].type, &a, NULL),
                ERR_SYNTAX);
    }
    assert_int_equal(tcg_attest_other(SPAN(good.msg, good.msg_len),
                             TCG_ATTEST_CERTIFY, &a, NULL),
            ERR_MISMATCH);
}

static void test_fields_of_other_attestations(void **state)
{
    struct quotes q = good;
    struct tcg_attested a;

    (void)state;
    (void)make_other(&q, 2);
    assert_int_equal(
            tcg_attest_other(SPAN(q.msg, q.msg_len), TCG_ATTEST_TIME, &a, NULL),
            0);
    assert_int_equal(a.time, 1);
    assert_int_equal(a.time_clock.clock, 2);
    assert_int_equal(a.time_clock.resets, 3);
    assert_int_equal(a.time_firmware, 5);
    (void)make_other(&q, 3);
    assert_int_equal(
            tcg_attest_other(SPAN(q.msg, q.msg_len), TCG_ATTEST_NV, &a, NULL),
            0);
    assert_int_equal(a.nv_offset, 8);
    assert_true(span_eq(a.nv_contents, SPAN("\xab\xcd", 2)));
    assert_string_equal(tcg_attest_name(0x8004), "unknown");
}

/* ---- keys ------------------------------------------------------------ */

static void test_keys_that_are_no_attestation_keys(void **state)
{
    static const struct {
        uint32_t attributes;
        uint16_t name_alg, scheme, hash;
        uint32_t why;
    } t[] = {
            {0x40072, TCG_ALG_SHA256, TCG_ALG_ECDSA, TCG_ALG_SHA256,
                    BIT(TCG_WHY_AK_NOT_RESTRICTED)},
            {0x10072, TCG_ALG_SHA256, TCG_ALG_ECDSA, TCG_ALG_SHA256,
                    BIT(TCG_WHY_AK_NOT_SIGNING)},
            {0x70072, TCG_ALG_SHA256, TCG_ALG_ECDSA, TCG_ALG_SHA256,
                    BIT(TCG_WHY_AK_DECRYPTS)},
            {0x50070, TCG_ALG_SHA256, TCG_ALG_ECDSA, TCG_ALG_SHA256,
                    BIT(TCG_WHY_AK_NOT_FIXED)},
            {0x50062, TCG_ALG_SHA256, TCG_ALG_ECDSA, TCG_ALG_SHA256,
                    BIT(TCG_WHY_AK_NOT_FIXED)},
            {0x50052, TCG_ALG_SHA256, TCG_ALG_ECDSA, TCG_ALG_SHA256,
                    BIT(TCG_WHY_AK_NOT_FIXED)},
            {0x50072, TCG_ALG_SHA1, TCG_ALG_ECDSA, TCG_ALG_SHA256,
                    BIT(TCG_WHY_AK_WEAK)},
            {0x50072, TCG_ALG_SHA256, TCG_ALG_NULL, 0,
                    BIT(TCG_WHY_AK_SCHEME) | BIT(TCG_WHY_SIG_ALG) |
                            BIT(TCG_WHY_SIG_HASH)},
            {0x50072, TCG_ALG_SHA256, TCG_ALG_RSASSA, TCG_ALG_SHA256,
                    BIT(TCG_WHY_AK_SCHEME) | BIT(TCG_WHY_SIG_ALG)},
            {0, TCG_ALG_SHA256, TCG_ALG_ECDSA, TCG_ALG_SHA256,
                    BIT(TCG_WHY_AK_NOT_RESTRICTED) |
                            BIT(TCG_WHY_AK_NOT_SIGNING) |
                            BIT(TCG_WHY_AK_NOT_FIXED)},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct quotes q = good;
        uint32_t why;

        quotes_public(
                &q, t[i].attributes, t[i].name_alg, t[i].scheme, t[i].hash);
        why = judge(&q);
        if (why != t[i].why)
            fail_msg("row %zu: %x", i, why);
    }
}

static void test_only_the_pinned_key(void **state)
{
    struct quotes other;
    struct tcg_claim claims[3];
    struct tcg_quote_want want;
    struct tcg_quote got;
    struct tcg_ak *k = NULL;
    struct span pub = SPAN(good.public, good.public_len);
    struct span msg = SPAN(good.msg, good.msg_len);
    struct span sig = SPAN(good.sig, good.sig_len);
    uint8_t pin[64];

    (void)state;
    quotes_want(&good, &want, claims);
    want.any_ak = false;
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got),
            BIT(TCG_WHY_AK_NOT_PINNED));
    assert_int_equal(tcg_ak_new(pub, &k, NULL), 0);
    memcpy(pin, tcg_ak_pin(k).ptr, tcg_ak_pin(k).len);
    want.pin = SPAN(pin, tcg_ak_pin(k).len);
    tcg_ak_free(k);
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got), 0);
    pin[33] ^= 1;
    assert_int_equal(
            judge_as(&good, pub, msg, sig, &want, &got), BIT(TCG_WHY_AK_OTHER));
    pin[33] ^= 1;
    quotes_make(&other, good.scheme);
    assert_int_equal(judge_as(&good, SPAN(other.public, other.public_len),
                             SPAN(other.msg, other.msg_len),
                             SPAN(other.sig, other.sig_len), &want, &got),
            BIT(TCG_WHY_AK_OTHER));
    quotes_fini(&other);
}

static void test_a_public_key_alone_must_be_pinned(void **state)
{
    struct tcg_claim claims[3];
    struct tcg_quote_want want;
    struct tcg_quote got;
    uint8_t spki[CRYPTO_SPKI_MAX], pin[32];
    char pem[2000];
    struct tcg_ak *k = NULL;
    struct span msg = SPAN(good.msg, good.msg_len), forms[2];
    struct span sig = SPAN(good.sig, good.sig_len);
    size_t n;

    (void)state;
    assert_int_equal(
            tcg_ak_new(SPAN(good.public, good.public_len), &k, NULL), 0);
    assert_int_equal(crypto_pub_spki(tcg_ak_pub(k), spki, sizeof(spki), &n), 0);
    assert_int_equal(crypto_pub_pem(tcg_ak_pub(k), pem, sizeof(pem)), 0);
    assert_non_null(tcg_ak_public(k));
    tcg_ak_free(k);
    forms[0] = SPAN(spki, n);
    forms[1] = span_str(pem);
    crypto_sha256(SPAN(spki, n), pin);
    for (size_t i = 0; i < 2; i++) {
        quotes_want(&good, &want, claims);
        assert_int_equal(judge_as(&good, forms[i], msg, sig, &want, &got),
                BIT(TCG_WHY_AK_NOT_PINNED));
        want.pin = SPAN_OF(pin);
        assert_int_equal(judge_as(&good, forms[i], msg, sig, &want, &got), 0);
        want.pin.len--;
        assert_int_equal(judge_as(&good, forms[i], msg, sig, &want, &got),
                BIT(TCG_WHY_AK_OTHER));
        assert_int_equal(tcg_ak_new(forms[i], &k, NULL), 0);
        assert_null(tcg_ak_public(k));
        tcg_ak_free(k);
        k = NULL;
        assert_int_not_equal(
                tcg_ak_new(SPAN(forms[i].ptr, forms[i].len - 2), &k, NULL), 0);
        assert_null(k);
    }
    assert_int_equal(tcg_ak_new(SPAN_EMPTY, &k, NULL), ERR_LIMIT);
    assert_int_equal(tcg_ak_new(SPAN(pem, 5000), &k, NULL), ERR_LIMIT);
}

/* ---- freshness ------------------------------------------------------- */

static void test_the_nonce_is_the_whole_of_it(void **state)
{
    struct tcg_claim claims[3];
    struct tcg_quote_want want;
    struct tcg_quote got;
    struct span pub = SPAN(good.public, good.public_len);
    struct span msg = SPAN(good.msg, good.msg_len);
    struct span sig = SPAN(good.sig, good.sig_len);
    uint8_t nonce[33];

    (void)state;
    memcpy(nonce, good.nonce, 32);
    nonce[32] = 0;
    quotes_want(&good, &want, claims);
    for (size_t n = 0; n <= 33; n++) {
        want.nonce = SPAN(nonce, n);
        assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got),
                n == 32 ? 0 : BIT(TCG_WHY_NONCE));
    }
    want.nonce = SPAN(nonce, 32);
    nonce[31] ^= 1;
    assert_int_equal(
            judge_as(&good, pub, msg, sig, &want, &got), BIT(TCG_WHY_NONCE));
    want.any_nonce = true;
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got), 0);
    assert_false(got.nonce_judged);
}

static struct tcg_attest at(
        uint64_t clock, uint32_t resets, uint32_t restarts, bool safe)
{
    return (struct tcg_attest){.clock = {clock, resets, restarts, safe}};
}

static void test_continuity(void **state)
{
    static const struct {
        uint64_t clock;
        uint32_t resets, restarts;
        bool safe, safe_before;
        enum tcg_continuity want;
    } t[] = {
            /* before: clock 2000, 5 resets, 1 restart */
            {2001, 5, 1, true, true, TCG_SAME_BOOT},
            {2000, 5, 1, true, true, TCG_VIOLATION},
            {1999, 5, 1, true, true, TCG_VIOLATION},
            {1999, 5, 1, false, false, TCG_VIOLATION},
            {3000, 5, 1, false, true, TCG_VIOLATION},
            {3000, 5, 1, true, false, TCG_SAME_BOOT},
            {3000, 5, 2, true, true, TCG_RESTART},
            {1000, 5, 2, true, true, TCG_VIOLATION},
            {1000, 5, 2, false, true, TCG_RESTART},
            {3000, 5, 0, true, true, TCG_VIOLATION},
            {3000, 6, 0, true, true, TCG_REBOOT},
            {1000, 6, 0, true, true, TCG_VIOLATION},
            {1000, 6, 0, false, true, TCG_REBOOT},
            {9000, 4, 2, true, true, TCG_VIOLATION},
            {9000, 0x80000004, 0, true, true, TCG_REBOOT},
            {9000, 0x80000006, 0, true, true, TCG_VIOLATION},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct tcg_attest before = at(2000, 5, 1, t[i].safe_before);
        struct tcg_attest now =
                at(t[i].clock, t[i].resets, t[i].restarts, t[i].safe);

        if (tcg_continuity_of(&now, &before) != t[i].want)
            fail_msg("row %zu: %s", i,
                    tcg_continuity_name(tcg_continuity_of(&now, &before)));
        now.firmware = 1;
        if (t[i].want == TCG_SAME_BOOT)
            assert_int_equal(tcg_continuity_of(&now, &before), TCG_VIOLATION);
    }
}

static void test_a_quote_from_before(void **state)
{
    struct tcg_claim claims[3];
    struct tcg_quote_want want;
    struct tcg_quote got;
    struct tcg_attest before = at(5000, 7, 1, true);
    struct span pub = SPAN(good.public, good.public_len);
    struct span msg = SPAN(good.msg, good.msg_len);
    struct span sig = SPAN(good.sig, good.sig_len);

    (void)state;
    before.firmware = 0x20230101;
    quotes_want(&good, &want, claims);
    want.before = &before;
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got),
            BIT(TCG_WHY_CONTINUITY));
    before.clock.clock--;
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got), 0);
    assert_int_equal(got.continuity, TCG_SAME_BOOT);
}

/* ---- PCR values ------------------------------------------------------ */

static void test_values_in_every_form(void **state)
{
    struct tcg_claim claims[3];
    struct tcg_quote_want want;
    struct tcg_quote got;
    struct span pub = SPAN(good.public, good.public_len);
    struct span msg = SPAN(good.msg, good.msg_len);
    struct span sig = SPAN(good.sig, good.sig_len);
    uint8_t file[132 + 4 + 4 + 8 * 66] = {1, 0, 0, 0, 0x0b, 0, 3, 0x91};
    struct tcg_values v = {.n = 3};
    static const struct {
        size_t at;
        uint8_t flip;
    } bad[] = {{0, 1}, {0, 2}, {4, 7}, {6, 6}, {7, 0x11}, {132, 1}, {132, 3},
            {136, 1}, {136, 8}, {140, 0x20}, {140, 0x60}};

    (void)state;
    file[132] = 1; /* one list */
    file[136] = 3; /* of three */
    for (size_t i = 0; i < 3; i++) {
        v.value[i] = SPAN(good.values[i], 32);
        file[140 + 66 * i] = 32;
        memcpy(file + 142 + 66 * i, good.values[i], 32);
    }
    quotes_want(&good, &want, claims);
    want.n_claims = 0;
    want.values = &v;
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got), 0);
    assert_true(got.pcr_digest);
    v.n = 2;
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got),
            BIT(TCG_WHY_PCR_DIGEST));
    want.values = NULL;
    want.pcr_file = SPAN_OF(file);
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        file[bad[i].at] ^= bad[i].flip;
        assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got),
                BIT(TCG_WHY_PCR_FILE));
        file[bad[i].at] ^= bad[i].flip;
    }
    file[150] ^= 1;
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got),
            BIT(TCG_WHY_PCR_DIGEST));
    want.pcr_file = SPAN(file, sizeof(file) - 1);
    assert_int_equal(
            judge_as(&good, pub, msg, sig, &want, &got), BIT(TCG_WHY_PCR_FILE));
    want.pcr_file = SPAN(good.values, 96);
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got), 0);
    want.pcr_file = SPAN(good.values, 95);
    assert_int_equal(
            judge_as(&good, pub, msg, sig, &want, &got), BIT(TCG_WHY_PCR_FILE));
}

static void test_claims(void **state)
{
    struct tcg_claim claims[4];
    struct tcg_quote_want want;
    struct tcg_quote got;
    struct span pub = SPAN(good.public, good.public_len);
    struct span msg = SPAN(good.msg, good.msg_len);
    struct span sig = SPAN(good.sig, good.sig_len);

    (void)state;
    quotes_want(&good, &want, claims);
    claims[3] = claims[1];
    want.n_claims = 4; /* one twice */
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got),
            BIT(TCG_WHY_PCR_DIGEST));
    claims[3].pcr = 16; /* not quoted: nobody asks */
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got), 0);
    claims[1].pcr = 5; /* the value of PCR 4 called PCR 5 */
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got),
            BIT(TCG_WHY_PCR_DIGEST));
    claims[1].pcr = 4;
    claims[1].value.len = 20;
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got),
            BIT(TCG_WHY_PCR_DIGEST));
    quotes_want(&good, &want, claims);
    want.n_claims = 0;
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got), 0);
    assert_false(got.pcr_judged);
}

static void test_no_requirement_is_no_acceptance(void **state)
{
    struct tcg_claim claims[3];
    struct tcg_quote_want want;
    struct tcg_quote got;
    struct span pub = SPAN(good.public, good.public_len);
    struct span msg = SPAN(good.msg, good.msg_len);
    struct span sig = SPAN(good.sig, good.sig_len);

    (void)state;
    quotes_want(&good, &want, claims);
    want.required.n = 0;
    assert_int_equal(
            judge_as(&good, pub, msg, sig, &want, &got), BIT(TCG_WHY_REQUIRED));
    want.any_pcrs = true;
    assert_int_equal(judge_as(&good, pub, msg, sig, &want, &got), 0);
    want.any_pcrs = false;
    want.required = (struct tcg_selection){
            .n = 2, .bank = {{TCG_ALG_SHA256, 1}, {TCG_ALG_SHA384, 1}}};
    assert_int_equal(
            judge_as(&good, pub, msg, sig, &want, &got), BIT(TCG_WHY_REQUIRED));
}

/* ---- forms of files -------------------------------------------------- */

static void test_files_of_tpm2_tools(void **state)
{
    struct tcg_claim claims[3];
    struct tcg_quote_want want;
    struct tcg_quote got;
    uint8_t wrapped[402], der[80];
    struct span pub = SPAN(good.public, good.public_len);
    struct span bare = SPAN(good.public + 2, good.public_len - 2);
    struct span msg = SPAN(good.msg, good.msg_len);
    struct span sig = SPAN(good.sig, good.sig_len);
    uint8_t rs[64];
    size_t n;

    (void)state;
    quotes_want(&good, &want, claims);
    assert_int_equal(judge_as(&good, bare, msg, sig, &want, &got), 0);
    wrapped[0] = 0;
    wrapped[1] = (uint8_t)msg.len;
    memcpy(wrapped + 2, msg.ptr, msg.len);
    assert_int_equal(
            judge_as(&good, pub, SPAN(wrapped, msg.len + 2), sig, &want, &got),
            0);
    wrapped[1]++;
    assert_true(judge_as(&good, pub, SPAN(wrapped, msg.len + 2), sig, &want,
                        &got) != 0);
    memcpy(rs, good.sig + 6, 32);
    memcpy(rs + 32, good.sig + 40, 32);
    assert_int_equal(crypto_ecdsa_to_der(SPAN_OF(rs), der, sizeof(der), &n), 0);
    assert_int_equal(judge_as(&good, pub, msg, SPAN(der, n), &want, &got), 0);
    der[n - 1] ^= 1;
    assert_int_equal(judge_as(&good, pub, msg, SPAN(der, n), &want, &got),
            BIT(TCG_WHY_SIGNATURE));
}

static int setup(void **state)
{
    (void)state;
    quotes_make(&good, &quotes_schemes[0]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    quotes_fini(&good);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_every_scheme_holds_and_no_flipped_bit_does),
            cmocka_unit_test(test_a_signature_with_another_hash_or_scheme),
            cmocka_unit_test(test_a_key_whose_scheme_is_sha1),
            cmocka_unit_test(test_signatures_out_of_range),
            cmocka_unit_test(test_structures_that_are_not_exact),
            cmocka_unit_test(test_selections),
            cmocka_unit_test(test_other_attestations_are_what_they_are),
            cmocka_unit_test(test_fields_of_other_attestations),
            cmocka_unit_test(test_keys_that_are_no_attestation_keys),
            cmocka_unit_test(test_only_the_pinned_key),
            cmocka_unit_test(test_a_public_key_alone_must_be_pinned),
            cmocka_unit_test(test_the_nonce_is_the_whole_of_it),
            cmocka_unit_test(test_continuity),
            cmocka_unit_test(test_a_quote_from_before),
            cmocka_unit_test(test_values_in_every_form),
            cmocka_unit_test(test_claims),
            cmocka_unit_test(test_no_requirement_is_no_acceptance),
            cmocka_unit_test(test_files_of_tpm2_tools),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
