/* SPDX-License-Identifier: Apache-2.0 */
/* Room tpm against a real software TPM. */
#include "crypto.h"
#include "evidence.h"
#include "swtpm_fixture.h"
#include "tpm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct swtpm chip;
static struct tpm *tpm;
static struct crypto_key *owner, *stranger;
static struct err err;

static const uint8_t digest[TPM_DIGEST] = {0xd1, 0x9e, 0x57};

#define OK(x)         assert_int_equal((x), 0)
#define REFUSED(c, x) assert_int_equal((x), (c))

/* ---- the owner's side, computed without a TPM ------------------------ */

/* TPM 2.0 Part 3, 23.7: over {sha256: 14} with the PCR's value. */
static void policy_of_pcr(const uint8_t pcr[32], uint8_t ret[32])
{
    static const uint8_t middle[] = {
            0, 0, 0x01, 0x7f, 0, 0, 0, 1, 0, 0x0b, 3, 0x00, 0x40, 0x00};
    uint8_t text[32 + sizeof middle + 32] = {0};

    memcpy(text + 32, middle, sizeof middle);
    crypto_sha256(SPAN(pcr, 32), text + 32 + sizeof middle);
    crypto_sha256(SPAN_OF(text), ret);
}

static void point_of(const struct crypto_key *k, uint8_t ret[65])
{
    size_t len = 0;

    OK(crypto_pub_raw(crypto_key_pub(k), ret, 65, &len));
    assert_int_equal(len, 65);
}

/* The owner's public area as LoadExternal takes it. */
#define AREA 86
static void area_of(const struct crypto_key *k, uint8_t ret[AREA])
{
    static const uint8_t head[] = {0, 0x23, 0, 0x0b, 0, 0x04, 0, 0x40, 0, 0, 0,
            0x10, 0, 0x10, 0, 0x03, 0, 0x10};
    struct wire_writer w = wire_writer_of(ret, AREA);
    uint8_t point[65];

    point_of(k, point);
    wire_put_bytes(&w, head, sizeof head);
    wire_put_vec16be(&w, SPAN(point + 1, 32));
    wire_put_vec16be(&w, SPAN(point + 33, 32));
    assert_int_equal(w.len, AREA);
}

/* TPM 2.0 Part 3, 23.16. */
static void policy_of_owner(
        const struct crypto_key *k, const char *ref, uint8_t ret[32])
{
    uint8_t area[AREA], h[32], text[32 + 4 + 34] = {0};

    area_of(k, area);
    text[34] = 0x01;
    text[35] = 0x6a;
    text[37] = 0x0b;
    crypto_sha256(SPAN_OF(area), text + 38);
    crypto_sha256(SPAN_OF(text), h);
    crypto_sha256_two(SPAN_OF(h), span_str(ref), ret);
}

static uint8_t owner_area[AREA], stranger_area[AREA];

static struct tpm_approval approve(const struct crypto_key *k,
        const uint8_t pcr[32], const char *signed_ref, const char *used_ref)
{
    struct tpm_approval a = {
            .ref = span_str(used_ref),
            .pcrs = 1u << TPM_PCR_QAIR,
            .owner = k == owner ? SPAN_OF(owner_area) : SPAN_OF(stranger_area),
    };
    uint8_t hash[32];

    policy_of_pcr(pcr, a.policy);
    crypto_sha256_two(SPAN_OF(a.policy), span_str(signed_ref), hash);
    OK(crypto_sign_digest(k, hash, a.sig));
    return a;
}

static struct tpm_approval approve_now(const char *ref)
{
    uint8_t pcr[32];

    OK(tpm_pcr_read(tpm, TPM_PCR_QAIR, pcr, &err));
    return approve(owner, pcr, ref, ref);
}

/* ---- fixture --------------------------------------------------------- */

static void reopen(void)
{
    tpm_close(tpm);
    tpm = NULL;
    OK(tpm_open(swtpm_connect(&chip), true, &tpm, &err));
}

static int setup(void **state)
{
    (void)state;
    owner = crypto_key_generate(CRYPTO_P256);
    stranger = crypto_key_generate(CRYPTO_P256);
    if (!owner || !stranger)
        return -1;
    area_of(owner, owner_area);
    area_of(stranger, stranger_area);
    return swtpm_init(&chip, true) && swtpm_start(&chip) &&
                           tpm_open(swtpm_connect(&chip), false, &tpm, &err) ==
                                   0
                   ? 0
                   : -1;
}

static int teardown(void **state)
{
    (void)state;
    tpm_close(tpm);
    crypto_key_free(owner);
    crypto_key_free(stranger);
    swtpm_fini(&chip);
    return 0;
}

/* ---- keys bound to state --------------------------------------------- */

static void key_make(struct tpm_blob *ret)
{
    uint8_t policy[32];

    policy_of_owner(owner, "qair/server", policy);
    OK(tpm_key_create(tpm, policy, ret, &err));
}

static void test_key_signs_in_approved_state(void **state)
{
    struct tpm_approval a = approve_now("qair/server");
    struct tpm_blob key;
    uint8_t point[65], sig[64], other[32] = {0};
    struct crypto_pub *pub;

    (void)state;
    key_make(&key);
    OK(tpm_key_sign(tpm, &key, &a, digest, sig, &err));
    OK(tpm_blob_point(&key, point));
    pub = crypto_pub_ec(CRYPTO_P256, SPAN(point + 1, 32), SPAN(point + 33, 32));
    assert_non_null(pub);
    OK(crypto_verify_digest(pub, CRYPTO_SIG_ECDSA, CRYPTO_SHA256,
            SPAN_OF(digest), SPAN_OF(sig)));
    REFUSED(ERR_MISMATCH, crypto_verify_digest(pub, CRYPTO_SIG_ECDSA,
                                  CRYPTO_SHA256, SPAN_OF(other), SPAN_OF(sig)));
    crypto_pub_free(pub);
}

static void test_key_survives_many_uses(void **state)
{
    struct tpm_approval a = approve_now("qair/server");
    struct tpm_blob key;
    uint8_t sig[64];

    (void)state;
    key_make(&key);
    for (int i = 0; i < 20; i++)
        OK(tpm_key_sign(tpm, &key, &a, digest, sig, &err));
}

static void test_extended_pcr_closes_key(void **state)
{
    struct tpm_approval a = approve_now("qair/server");
    struct tpm_blob key;
    uint8_t sig[64];

    (void)state;
    key_make(&key);
    OK(tpm_key_sign(tpm, &key, &a, digest, sig, &err));
    OK(tpm_pcr_extend(tpm, TPM_PCR_QAIR, digest, &err));
    for (int i = 0; i < 5; i++)
        REFUSED(ERR_DENIED, tpm_key_sign(tpm, &key, &a, digest, sig, &err));
    assert_non_null(strstr(err.msg, "approved"));
    a = approve_now("qair/server");
    OK(tpm_key_sign(tpm, &key, &a, digest, sig, &err));
}

static void test_false_approvals_open_nothing(void **state)
{
    struct tpm_blob key, sealed;
    uint8_t pcr[32], policy[32], sig[64], out[32];
    struct tpm_approval good, bad[5];
    size_t len;

    (void)state;
    key_make(&key);
    policy_of_owner(owner, "qair/server", policy);
    OK(tpm_seal(tpm, SPAN_OF(digest), policy, &sealed, &err));
    OK(tpm_pcr_read(tpm, TPM_PCR_QAIR, pcr, &err));
    good = approve(owner, pcr, "qair/server", "qair/server");
    /* another owner's word, under their own key or under ours */
    bad[0] = approve(stranger, pcr, "qair/server", "qair/server");
    bad[1] = bad[0];
    bad[1].owner = good.owner;
    /* the owner's word about another zone */
    bad[2] = approve(owner, pcr, "qair/thin", "qair/thin");
    bad[3] = approve(owner, pcr, "qair/thin", "qair/server");
    /* the owner's word about another state, with this state's digest */
    pcr[0] ^= 1;
    bad[4] = approve(owner, pcr, "qair/server", "qair/server");
    memcpy(bad[4].policy, good.policy, sizeof good.policy);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        /* directly after a good one: what is remembered must not help */
        OK(tpm_key_sign(tpm, &key, &good, digest, sig, &err));
        REFUSED(ERR_DENIED,
                tpm_key_sign(tpm, &key, &bad[i], digest, sig, &err));
        REFUSED(ERR_DENIED,
                tpm_unseal(tpm, &sealed, &bad[i], out, 32, &len, &err));
    }
}

static void test_malformed_approvals(void **state)
{
    struct tpm_approval good = approve_now("qair/server"), bad[7];
    uint8_t sig[64], ref[65] = {'x'}, off_curve[AREA],
                     long_area[AREA + 1] = {0};
    struct tpm_blob key;

    (void)state;
    key_make(&key);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        bad[i] = good;
    bad[0].ref = SPAN_OF(ref);
    bad[1].ref = SPAN_EMPTY;
    bad[2].owner.len--;
    bad[3].owner = SPAN_EMPTY;
    memcpy(long_area, owner_area, AREA);
    bad[4].owner = SPAN_OF(long_area);
    bad[5].pcrs = 0; /* a policy that names no PCR holds in any state */
    bad[6].pcrs |= 1u << TPM_PCRS;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        REFUSED(ERR_SYNTAX,
                tpm_key_sign(tpm, &key, &bad[i], digest, sig, &err));
    memcpy(off_curve, owner_area, AREA);
    off_curve[AREA - 1] ^= 1;
    bad[0] = good;
    bad[0].owner = SPAN_OF(off_curve);
    REFUSED(ERR_DENIED, tpm_key_sign(tpm, &key, &bad[0], digest, sig, &err));
}

/* ---- several PCRs ---------------------------------------------------- */

static size_t bits(uint32_t pcrs)
{
    return (size_t)__builtin_popcount(pcrs);
}

static struct tcg_selection selection_of(uint32_t pcrs)
{
    return (struct tcg_selection){.n = 1, .bank = {{TCG_ALG_SHA256, pcrs}}};
}

static void test_pcrs_are_read_in_order(void **state)
{
    static const uint32_t masks[] = {1, 1u << 23, 0xffffff, 0x5a95,
            1u << 14 | 1u << 4, 0xff00ff, 0x0001ff};
    uint8_t all[TPM_PCRS][TPM_DIGEST], some[TPM_PCRS][TPM_DIGEST];

    (void)state;
    /* 16 and 23 can be extended without a start anew: all are different */
    for (unsigned i = 0; i < 16; i++) {
        uint8_t d[TPM_DIGEST] = {(uint8_t)(i + 1)};

        OK(tpm_pcr_extend(tpm, i, d, &err));
    }
    for (unsigned i = 0; i < TPM_PCRS; i++)
        OK(tpm_pcr_read(tpm, i, all[i], &err));
    for (size_t m = 0; m < ARRAY_LEN(masks); m++) {
        size_t n = 0;

        memset(some, 0xee, sizeof some);
        OK(tpm_pcrs_read(tpm, masks[m], some, &err));
        for (unsigned i = 0; i < TPM_PCRS; i++)
            if (masks[m] & 1u << i)
                assert_memory_equal(some[n++], all[i], TPM_DIGEST);
        if (n < TPM_PCRS)
            assert_int_equal(some[n][0], 0xee);
    }
    REFUSED(ERR_USAGE, tpm_pcrs_read(tpm, 0, some, &err));
    REFUSED(ERR_USAGE, tpm_pcrs_read(tpm, 1u << 24 | 1, some, &err));
}

static void test_quote_covers_its_selection(void **state)
{
    static const uint32_t masks[] = {1u << 14, 0x5a95, 0xffffff};
    static const uint8_t binder[32] = {7};
    uint8_t values[TPM_PCRS][TPM_DIGEST], want[32];
    struct tpm_blob ak;

    (void)state;
    OK(tpm_ak_create(tpm, &ak, &err));
    for (size_t m = 0; m < ARRAY_LEN(masks); m++) {
        CLEANUP(buf_fini) struct buf attest = BUF_INIT(TPM_QUOTE_MAX);
        CLEANUP(buf_fini) struct buf sig = BUF_INIT(TPM_QUOTE_MAX);
        struct tcg_selection sel = selection_of(masks[m]);
        struct tcg_attest a;

        OK(tpm_quote(tpm, &ak, masks[m], binder, &attest, &sig, &err));
        OK(tcg_attest(buf_span(&attest), &a, &err));
        assert_true(tcg_selection_eq(&a.selection, &sel));
        OK(tpm_pcrs_read(tpm, masks[m], values, &err));
        crypto_sha256(SPAN(values, bits(masks[m]) * TPM_DIGEST), want);
        assert_true(span_eq(a.pcr_digest, SPAN_OF(want)));
    }
}

/* The owner's word about several PCRs, as they are now. */
static struct tpm_approval approve_pcrs(uint32_t pcrs)
{
    struct tpm_approval a = {.ref = span_str("qair/server"),
            .owner = SPAN_OF(owner_area),
            .pcrs = pcrs};
    struct tcg_selection sel = selection_of(pcrs);
    uint8_t values[TPM_PCRS][TPM_DIGEST], pcr_digest[32], hash[32];

    OK(tpm_pcrs_read(tpm, pcrs, values, &err));
    crypto_sha256(SPAN(values, bits(pcrs) * TPM_DIGEST), pcr_digest);
    OK(tcg_policy_pcr(&sel, pcr_digest, a.policy));
    crypto_sha256_two(SPAN_OF(a.policy), a.ref, hash);
    OK(crypto_sign_digest(owner, hash, a.sig));
    return a;
}

static void test_each_pcr_of_an_approval_counts(void **state)
{
    static const unsigned firmware[] = {0, 4, 7, 9, 11, 14};
    uint32_t pcrs = 0;
    struct tpm_blob key;
    uint8_t sig[64];

    (void)state;
    key_make(&key);
    for (size_t i = 0; i < ARRAY_LEN(firmware); i++)
        pcrs |= 1u << firmware[i];
    for (size_t i = 0; i < ARRAY_LEN(firmware); i++) {
        struct tpm_approval a = approve_pcrs(pcrs), fewer = a;

        OK(tpm_key_sign(tpm, &key, &a, digest, sig, &err));
        /* fewer PCRs than the owner spoke of, with the owner's digest */
        fewer.pcrs &= ~(1u << firmware[i]);
        REFUSED(ERR_DENIED, tpm_key_sign(tpm, &key, &fewer, digest, sig, &err));
        /* one that it does not name may change */
        OK(tpm_pcr_extend(tpm, 10, digest, &err));
        OK(tpm_key_sign(tpm, &key, &a, digest, sig, &err));
        OK(tpm_pcr_extend(tpm, firmware[i], digest, &err));
        REFUSED(ERR_DENIED, tpm_key_sign(tpm, &key, &a, digest, sig, &err));
    }
}

/* ---- sealed data ----------------------------------------------------- */

static void test_seal_any_state(void **state)
{
    uint8_t secret[32] = "the log's seed", out[32] = {0};
    struct tpm_blob b;
    size_t len = 0;

    (void)state;
    OK(tpm_seal(tpm, SPAN_OF(secret), NULL, &b, &err));
    OK(tpm_pcr_extend(tpm, TPM_PCR_QAIR, digest, &err));
    for (int i = 0; i < 10; i++)
        OK(tpm_unseal(tpm, &b, NULL, out, sizeof out, &len, &err));
    assert_int_equal(len, sizeof secret);
    assert_memory_equal(out, secret, sizeof secret);
    REFUSED(ERR_LIMIT, tpm_unseal(tpm, &b, NULL, out, 31, &len, &err));
}

static void test_sealed_to_state(void **state)
{
    struct tpm_approval a = approve_now("qair/server");
    uint8_t secret[32] = "identity", out[32] = {0}, policy[32];
    struct tpm_blob b;
    size_t len = 0;

    (void)state;
    policy_of_owner(owner, "qair/server", policy);
    OK(tpm_seal(tpm, SPAN_OF(secret), policy, &b, &err));
    OK(tpm_unseal(tpm, &b, &a, out, sizeof out, &len, &err));
    assert_memory_equal(out, secret, sizeof secret);
    /* its empty password does not open it */
    memset(out, 0, sizeof out);
    assert_true(tpm_unseal(tpm, &b, NULL, out, sizeof out, &len, &err) < 0);
    OK(tpm_pcr_extend(tpm, TPM_PCR_QAIR, digest, &err));
    REFUSED(ERR_DENIED, tpm_unseal(tpm, &b, &a, out, sizeof out, &len, &err));
    assert_int_equal(out[0], 0);
}

static void test_seal_bounds(void **state)
{
    uint8_t big[TPM_SEAL_MAX + 1] = {0}, out[TPM_SEAL_MAX];
    struct tpm_blob b;
    size_t len = 0;

    (void)state;
    REFUSED(ERR_LIMIT, tpm_seal(tpm, SPAN_EMPTY, NULL, &b, &err));
    REFUSED(ERR_LIMIT, tpm_seal(tpm, SPAN_OF(big), NULL, &b, &err));
    OK(tpm_seal(tpm, SPAN(big, TPM_SEAL_MAX), NULL, &b, &err));
    OK(tpm_unseal(tpm, &b, NULL, out, sizeof out, &len, &err));
    assert_int_equal(len, TPM_SEAL_MAX);
}

/* ---- blobs ----------------------------------------------------------- */

static void test_blob_bytes(void **state)
{
    uint8_t long_bytes[TPM_BLOB_MAX + 1] = {0};
    struct tpm_blob b, c;

    (void)state;
    OK(tpm_seal(tpm, SPAN_OF(digest), NULL, &b, &err));
    OK(tpm_blob_from(SPAN(b.bytes, b.len), &c, &err));
    assert_int_equal(b.len, c.len);
    assert_memory_equal(b.bytes, c.bytes, b.len);
    for (size_t cut = 0; cut < b.len; cut++)
        REFUSED(ERR_SYNTAX, tpm_blob_from(SPAN(b.bytes, cut), &c, &err));
    REFUSED(ERR_SYNTAX, tpm_blob_from(SPAN(b.bytes, b.len + 1), &c, &err));
    REFUSED(ERR_LIMIT, tpm_blob_from(SPAN_OF(long_bytes), &c, &err));
    REFUSED(ERR_UNSUPPORTED, tpm_blob_point(&b, long_bytes));
}

static void test_altered_blob_does_not_load(void **state)
{
    struct tpm_blob b, bad;
    uint8_t out[32];
    size_t len, opened = 0;

    (void)state;
    OK(tpm_seal(tpm, SPAN_OF(digest), NULL, &b, &err));
    for (size_t i = 0; i < b.len; i++) {
        bad = b;
        bad.bytes[i] ^= 0x01;
        if (tpm_unseal(tpm, &bad, NULL, out, sizeof out, &len, &err) == 0)
            opened++;
    }
    assert_int_equal(opened, 0);
}

static void test_policy_cannot_be_cut_from_a_blob(void **state)
{
    uint8_t policy[32];
    struct tpm_blob with, without, mixed;
    struct wire_writer w = wire_writer_of(mixed.bytes, sizeof mixed.bytes);
    uint8_t out[32];
    size_t len, pub, pub_with;

    (void)state;
    policy_of_owner(owner, "qair/server", policy);
    OK(tpm_seal(tpm, SPAN_OF(digest), policy, &with, &err));
    OK(tpm_seal(tpm, SPAN_OF(digest), NULL, &without, &err));
    /* the public area without a policy before the private area with one */
    pub = 2 + tpm_blob_public(&without).len;
    pub_with = 2 + tpm_blob_public(&with).len;
    wire_put_bytes(&w, without.bytes, pub);
    wire_put_bytes(&w, with.bytes + pub_with, with.len - pub_with);
    mixed.len = w.len;
    assert_true(tpm_unseal(tpm, &mixed, NULL, out, sizeof out, &len, &err) < 0);
}

static void test_blob_of_another_tpm(void **state)
{
    struct swtpm other;
    struct tpm *t = NULL;
    struct tpm_blob b;
    uint8_t out[32];
    size_t len;

    (void)state;
    OK(tpm_seal(tpm, SPAN_OF(digest), NULL, &b, &err));
    assert_true(swtpm_init(&other, false) && swtpm_start(&other));
    OK(tpm_open(swtpm_connect(&other), false, &t, &err));
    assert_true(tpm_unseal(t, &b, NULL, out, sizeof out, &len, &err) < 0);
    tpm_close(t);
    swtpm_fini(&other);
}

/* ---- attestation ----------------------------------------------------- */

static void test_ak_properties(void **state)
{
    struct tpm_blob ak, key;
    struct wire_reader r;
    uint16_t type = 0, alg = 0;
    uint32_t attributes = 0;

    (void)state;
    OK(tpm_ak_create(tpm, &ak, &err));
    r = wire_reader_of(tpm_blob_public(&ak));
    assert_true(wire_get_u16be(&r, &type) && wire_get_u16be(&r, &alg) &&
                wire_get_u32be(&r, &attributes));
    assert_int_equal(type, 0x23);
    assert_int_equal(alg, 0x0b);
    /* fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign; and
     * never decrypt */
    assert_int_equal(attributes & 0x00050032, 0x00050032);
    assert_int_equal(attributes & 0x00020000, 0);
    /* a release key is the other way round: not restricted, and no password
     * opens it */
    key_make(&key);
    r = wire_reader_of(tpm_blob_public(&key));
    assert_true(wire_get_u16be(&r, &type) && wire_get_u16be(&r, &alg) &&
                wire_get_u32be(&r, &attributes));
    assert_int_equal(attributes & 0x00040032, 0x00040032);
    assert_int_equal(attributes & 0x00030040, 0);
}

/* The AK refuses to sign a digest that somebody brings (restricted). */
static void test_ak_signs_no_foreign_digest(void **state)
{
    struct tpm_approval a = approve_now("qair/server");
    struct tpm_blob ak;
    uint8_t sig[64];

    (void)state;
    OK(tpm_ak_create(tpm, &ak, &err));
    assert_true(tpm_key_sign(tpm, &ak, &a, digest, sig, &err) < 0);
}

static bool quote_holds(const struct tpm_blob *ak, const struct buf *attest,
        const struct buf *sig, const uint8_t binder[32])
{
    struct wire_reader r = wire_reader_of(buf_span(sig));
    uint8_t point[65], rs[64] = {0};
    struct span rr, ss, name, extra;
    uint16_t alg, hash, type;
    uint32_t magic;
    struct crypto_pub *pub;
    bool ok;

    if (tpm_blob_point(ak, point) != 0 || !wire_get_u16be(&r, &alg) ||
            !wire_get_u16be(&r, &hash) || !wire_get_vec16be(&r, &rr) ||
            !wire_get_vec16be(&r, &ss) || !wire_end(&r) || alg != 0x18 ||
            hash != 0x0b || rr.len > 32 || ss.len > 32)
        return false;
    memcpy(rs + 32 - rr.len, rr.ptr, rr.len);
    memcpy(rs + 64 - ss.len, ss.ptr, ss.len);
    pub = crypto_pub_ec(CRYPTO_P256, SPAN(point + 1, 32), SPAN(point + 33, 32));
    ok = pub && crypto_verify(pub, CRYPTO_SIG_ECDSA, CRYPTO_SHA256,
                        buf_span(attest), SPAN_OF(rs)) == 0;
    crypto_pub_free(pub);
    r = wire_reader_of(buf_span(attest));
    return ok && wire_get_u32be(&r, &magic) && wire_get_u16be(&r, &type) &&
           wire_get_vec16be(&r, &name) && wire_get_vec16be(&r, &extra) &&
           magic == 0xff544347 && type == 0x8018 &&
           span_eq(extra, SPAN(binder, 32));
}

static void test_quote_belongs_to_its_binder(void **state)
{
    CLEANUP(buf_fini) struct buf attest = BUF_INIT(TPM_QUOTE_MAX);
    CLEANUP(buf_fini) struct buf sig = BUF_INIT(TPM_QUOTE_MAX);
    static const uint8_t fresh[32] = {1}, replayed[32] = {2};
    struct tpm_blob ak, other;

    (void)state;
    OK(tpm_ak_create(tpm, &ak, &err));
    OK(tpm_ak_create(tpm, &other, &err));
    OK(tpm_quote(tpm, &ak, 1u << TPM_PCR_QAIR, fresh, &attest, &sig, &err));
    assert_true(quote_holds(&ak, &attest, &sig, fresh));
    assert_false(quote_holds(&ak, &attest, &sig, replayed));
    assert_false(quote_holds(&other, &attest, &sig, fresh));
    attest.ptr[attest.len - 1] ^= 1;
    assert_false(quote_holds(&ak, &attest, &sig, fresh));
}

/* The last quote's key stays loaded: it must not be taken for another one, and
 * it must make room for whatever needs its slot. */
static void test_kept_attestation_key_is_in_nobodys_way(void **state)
{
    CLEANUP(buf_fini) struct buf ek = BUF_INIT(TPM_PUBLIC_MAX);
    static const uint8_t binder[32] = {1};
    struct tpm_approval a = approve_now("qair/server");
    struct tpm_blob ak[2], key;
    uint8_t sig[64];

    (void)state;
    OK(tpm_ak_create(tpm, &ak[0], &err));
    OK(tpm_ak_create(tpm, &ak[1], &err));
    key_make(&key);
    for (int i = 0; i < 6; i++) {
        CLEANUP(buf_fini) struct buf attest = BUF_INIT(TPM_QUOTE_MAX);
        CLEANUP(buf_fini) struct buf qsig = BUF_INIT(TPM_QUOTE_MAX);
        const struct tpm_blob *by = &ak[i / 2 % 2], *not_by = &ak[!(i / 2 % 2)];

        OK(tpm_quote(
                tpm, by, 1u << TPM_PCR_QAIR, binder, &attest, &qsig, &err));
        assert_true(quote_holds(by, &attest, &qsig, binder));
        assert_false(quote_holds(not_by, &attest, &qsig, binder));
        OK(tpm_key_sign(tpm, &key, &a, digest, sig, &err));
        buf_reset(&ek);
        OK(tpm_ek_public(tpm, TPM_EK_RSA2048, &ek, &err));
        a.sig[0] ^= 1; /* another approval: the owner's key is loaded again */
        REFUSED(ERR_DENIED, tpm_key_sign(tpm, &key, &a, digest, sig, &err));
        a.sig[0] ^= 1;
    }
}

static void test_endorsement_key(void **state)
{
    CLEANUP(buf_fini) struct buf cert = BUF_INIT(8192), pub = BUF_INIT(1024);

    (void)state;
    for (int ek = TPM_EK_RSA2048; ek <= TPM_EK_P384; ek++) {
        buf_reset(&cert);
        buf_reset(&pub);
        OK(tpm_ek_cert(tpm, (enum tpm_ek)ek, &cert, &err));
        OK(tpm_ek_public(tpm, (enum tpm_ek)ek, &pub, &err));
        assert_int_equal(cert.ptr[0], 0x30);
        assert_int_equal(
                4u + (size_t)cert.ptr[2] * 256 + cert.ptr[3], cert.len);
        assert_true(pub.len > 100);
    }
}

static void test_credential_rubbish(void **state)
{
    static const uint8_t empty[2], trailing[3], huge[] = {0xff, 0xff, 1, 2};
    uint8_t id[2 + 2 + 32 + 34] = {0, 68, 0, 32}, enc[2 + 256] = {1, 0};
    const struct {
        struct span credential, secret;
        int code;
    } cases[] = {
            {SPAN_EMPTY, SPAN_EMPTY, ERR_SYNTAX},
            {SPAN_OF(huge), SPAN_OF(empty), ERR_SYNTAX},
            {SPAN_OF(empty), SPAN_OF(huge), ERR_SYNTAX},
            {SPAN_OF(trailing), SPAN_OF(empty), ERR_SYNTAX},
            {SPAN_OF(empty), SPAN_OF(trailing), ERR_SYNTAX},
            {SPAN_OF(id), SPAN_OF(enc), ERR_TPM},
    };
    struct tpm_blob ak;
    uint8_t out[32];
    size_t len = 0;

    (void)state;
    OK(tpm_ak_create(tpm, &ak, &err));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int ek = TPM_EK_RSA2048; ek <= TPM_EK_P384; ek++) {
            int r = tpm_activate(tpm, &ak, (enum tpm_ek)ek, cases[i].credential,
                    cases[i].secret, out, &len, &err);

            assert_true(r == ERR_TPM || r == cases[i].code);
            assert_int_equal(len, 0);
        }
}

/* MakeCredential in software, for the AK of this TPM under both of its EKs. */
static void credential_for(enum tpm_ek ek, const struct tpm_blob *ak,
        const uint8_t secret[32], struct tcg_credential *ret)
{
    CLEANUP(buf_fini) struct buf pub = BUF_INIT(TPM_PUBLIC_MAX);
    struct tcg_public ek_pub, ak_pub;
    struct tcg_name name;
    uint8_t seed[48] = {5};

    OK(tpm_ek_public(tpm, ek, &pub, &err));
    OK(tcg_public(buf_span(&pub), &ek_pub, &err));
    OK(tcg_check_ek(&ek_pub, &err));
    OK(tcg_public(tpm_blob_public(ak), &ak_pub, &err));
    OK(tcg_check_ak(&ak_pub, &err));
    OK(tcg_name(&ak_pub, &name));
    OK(tcg_credential_make(&ek_pub, &name, SPAN(secret, 32),
            SPAN(seed, ek == TPM_EK_RSA2048 ? 32 : 48), ret, &err));
}

static void test_credential_opens_for_its_key_alone(void **state)
{
    static const uint8_t secret[32] = {0x5e, 0xc2};
    struct tcg_credential *c = calloc(1, sizeof *c);
    struct tpm_blob ak, other;
    uint8_t out[32];
    size_t len;

    (void)state;
    assert_non_null(c);
    OK(tpm_ak_create(tpm, &ak, &err));
    OK(tpm_ak_create(tpm, &other, &err));
    for (int i = TPM_EK_RSA2048; i <= TPM_EK_P384; i++) {
        enum tpm_ek ek = (enum tpm_ek)i;
        struct span blob, enc;

        credential_for(ek, &ak, secret, c);
        blob = SPAN(c->blob, c->blob_len);
        enc = SPAN(c->secret, c->secret_len);
        len = 0;
        OK(tpm_activate(tpm, &ak, ek, blob, enc, out, &len, &err));
        assert_int_equal(len, 32);
        assert_memory_equal(out, secret, 32);
        /* another key, the other EK, one bit */
        len = 0;
        assert_true(
                tpm_activate(tpm, &other, ek, blob, enc, out, &len, &err) < 0);
        assert_true(tpm_activate(tpm, &ak,
                            ek == TPM_EK_P384 ? TPM_EK_RSA2048 : TPM_EK_P384,
                            blob, enc, out, &len, &err) < 0);
        for (size_t at = 2; at < c->blob_len; at += 7) {
            c->blob[at] ^= 1;
            assert_true(
                    tpm_activate(tpm, &ak, ek, blob, enc, out, &len, &err) < 0);
            c->blob[at] ^= 1;
        }
        assert_int_equal(len, 0);
    }
    free(c);
}

/* Chips that keep no endorsement key make the same one again. */
static void test_endorsement_key_that_is_not_kept(void **state)
{
    CLEANUP(buf_fini) struct buf a = BUF_INIT(1024), b = BUF_INIT(1024);
    /* TPM2_EvictControl(owner, 0x81010001) with an empty password */
    static const uint8_t evict[] = {0x80, 2, 0, 0, 0, 35, 0, 0, 1, 0x20, 0x40,
            0, 0, 1, 0x81, 1, 0, 1, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0,
            0x81, 1, 0, 1};
    static const uint8_t secret[32] = {0x5e, 0xc2};
    struct tcg_credential *c = calloc(1, sizeof *c);
    struct tpm_blob ak;
    uint8_t out[32];
    size_t len = 0;

    (void)state;
    assert_non_null(c);
    OK(tpm_ek_public(tpm, TPM_EK_RSA2048, &a, &err));
    tpm_close(tpm);
    tpm = NULL;
    assert_true(swtpm_command(&chip, evict, sizeof evict));
    reopen();
    for (int i = 0; i < 4; i++) { /* and leave nothing loaded */
        buf_reset(&b);
        OK(tpm_ek_public(tpm, TPM_EK_RSA2048, &b, &err));
        assert_true(span_eq(buf_span(&a), buf_span(&b)));
    }
    OK(tpm_ak_create(tpm, &ak, &err));
    credential_for(TPM_EK_RSA2048, &ak, secret, c);
    OK(tpm_activate(tpm, &ak, TPM_EK_RSA2048, SPAN(c->blob, c->blob_len),
            SPAN(c->secret, c->secret_len), out, &len, &err));
    assert_memory_equal(out, secret, 32);
    free(c);
}

/* What room evidence computes is what the TPM computes. */
static void test_policies_agree_with_evidence(void **state)
{
    struct tcg_selection sel = evidence_zone_selection();
    uint8_t pcr[32], digest_of_pcr[32], a[32], b[32], area[TCG_SIGNER_MAX];
    size_t len = 0;

    (void)state;
    OK(tcg_signer_public(crypto_key_pub(owner), area, sizeof area, &len));
    assert_int_equal(len, AREA);
    assert_memory_equal(area, owner_area, AREA);
    OK(tcg_policy_authorize(crypto_key_pub(owner), span_str("qair/server"), a));
    policy_of_owner(owner, "qair/server", b);
    assert_memory_equal(a, b, 32);
    OK(tpm_pcr_read(tpm, TPM_PCR_QAIR, pcr, &err));
    crypto_sha256(SPAN_OF(pcr), digest_of_pcr);
    OK(tcg_policy_pcr(&sel, digest_of_pcr, a));
    policy_of_pcr(pcr, b);
    assert_memory_equal(a, b, 32);
}

/* ---- session --------------------------------------------------------- */

static void test_random_differs(void **state)
{
    uint8_t a[80] = {0}, b[80] = {0}, zero[16] = {0};

    (void)state;
    OK(tpm_random(tpm, a, sizeof a, &err));
    OK(tpm_random(tpm, b, sizeof b, &err));
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 64, zero, 16);
}

/* A user that was killed leaves its objects in the TPM. */
static void test_leftovers_are_flushed(void **state)
{
    (void)state;
    tpm_close(tpm);
    tpm = NULL;
    for (int i = 0; i < 6; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            struct tpm *t = NULL;

            _exit(tpm_open(swtpm_connect(&chip), false, &t, &err) == 0 ? 0 : 1);
        }
        assert_true(swtpm_wait(pid));
    }
    OK(tpm_open(swtpm_connect(&chip), false, &tpm, &err));
}

static void test_reset_is_noticed(void **state)
{
    struct tpm_approval a = approve_now("qair/server");
    struct tpm_clock before, after;
    struct tpm_blob key;
    uint8_t pcr[32], sig[64];

    (void)state;
    key_make(&key);
    OK(tpm_pcr_extend(tpm, TPM_PCR_QAIR, digest, &err));
    OK(tpm_clock(tpm, &before, &err));
    assert_true(swtpm_reset(&chip));
    REFUSED(ERR_STATE, tpm_pcr_read(tpm, TPM_PCR_QAIR, pcr, &err));
    REFUSED(ERR_STATE, tpm_key_sign(tpm, &key, &a, digest, sig, &err));
    /* without permission to start it, it stays shut */
    tpm_close(tpm);
    tpm = NULL;
    REFUSED(ERR_STATE, tpm_open(swtpm_connect(&chip), false, &tpm, &err));
    OK(tpm_open(swtpm_connect(&chip), true, &tpm, &err));
    OK(tpm_clock(tpm, &after, &err));
    assert_true(after.resets > before.resets);
    REFUSED(ERR_DENIED, tpm_key_sign(tpm, &key, &a, digest, sig, &err));
    reopen();
    a = approve_now("qair/server");
    OK(tpm_key_sign(tpm, &key, &a, digest, sig, &err));
}

/* ---- a TPM that lies ------------------------------------------------- */

static void test_false_tpm(void **state)
{
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t len;
    } cases[] = {
            {"nothing", {0}, 0},
            {"half a header", {0x80, 0x01, 0, 0}, 4},
            {"length 0", {0x80, 0x01, 0, 0, 0, 0, 0, 0, 0, 0}, 10},
            {"length below header", {0x80, 1, 0, 0, 0, 9, 0, 0, 0, 0}, 10},
            {"length 2^31", {0x80, 1, 0x80, 0, 0, 0, 0, 0, 0, 0}, 10},
            {"length 2^32-1", {0x80, 1, 255, 255, 255, 255, 0, 0, 0, 0}, 10},
            {"more than length", {0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0, 1}, 11},
            {"success without a body", {0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0}, 10},
            {"wrong tag", {0x12, 0x34, 0, 0, 0, 10, 0, 0, 0, 0}, 10},
    };
    int fds[2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tpm *t = NULL;

        assert_true(swtpm_false(fds, cases[i].bytes, cases[i].len));
        assert_true(tpm_open(fds[0], false, &t, &err) < 0);
        assert_null(t);
        close(fds[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_key_signs_in_approved_state),
            cmocka_unit_test(test_key_survives_many_uses),
            cmocka_unit_test(test_extended_pcr_closes_key),
            cmocka_unit_test(test_false_approvals_open_nothing),
            cmocka_unit_test(test_malformed_approvals),
            cmocka_unit_test(test_pcrs_are_read_in_order),
            cmocka_unit_test(test_quote_covers_its_selection),
            cmocka_unit_test(test_each_pcr_of_an_approval_counts),
            cmocka_unit_test(test_seal_any_state),
            cmocka_unit_test(test_sealed_to_state),
            cmocka_unit_test(test_seal_bounds),
            cmocka_unit_test(test_blob_bytes),
            cmocka_unit_test(test_altered_blob_does_not_load),
            cmocka_unit_test(test_policy_cannot_be_cut_from_a_blob),
            cmocka_unit_test(test_blob_of_another_tpm),
            cmocka_unit_test(test_ak_properties),
            cmocka_unit_test(test_ak_signs_no_foreign_digest),
            cmocka_unit_test(test_quote_belongs_to_its_binder),
            cmocka_unit_test(test_kept_attestation_key_is_in_nobodys_way),
            cmocka_unit_test(test_endorsement_key),
            cmocka_unit_test(test_credential_rubbish),
            cmocka_unit_test(test_credential_opens_for_its_key_alone),
            cmocka_unit_test(test_policies_agree_with_evidence),
            cmocka_unit_test(test_random_differs),
            cmocka_unit_test(test_endorsement_key_that_is_not_kept),
            cmocka_unit_test(test_leftovers_are_flushed),
            cmocka_unit_test(test_reset_is_noticed),
            cmocka_unit_test(test_false_tpm),
    };

    if (!swtpm_installed()) {
        puts("skipped: swtpm is not installed");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
