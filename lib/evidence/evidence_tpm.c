/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes, signatures and PCR selections (TPM 2.0 Part 2). */
#include "evidence_private.h"

#include <stdio.h>

#define TPM_GENERATED_VALUE 0xff544347u
/* TPMU_HA with the largest hash, and two bytes of algorithm (10.5.3). */
#define TPM_DATA_MAX 66

static const struct {
    uint16_t alg;
    const char *name;
    bool is_hash;
    enum crypto_hash hash;
} algs[] = {
        {EVIDENCE_ALG_SHA1, "sha1", true, CRYPTO_SHA1},
        {EVIDENCE_ALG_SHA256, "sha256", true, CRYPTO_SHA256},
        {EVIDENCE_ALG_SHA384, "sha384", true, CRYPTO_SHA384},
        {EVIDENCE_ALG_SHA512, "sha512", true, CRYPTO_SHA512},
        {EVIDENCE_ALG_SM3, "sm3", false, CRYPTO_SHA1},
        {EVIDENCE_ALG_RSA, "rsa", false, CRYPTO_SHA1},
        {EVIDENCE_ALG_AES, "aes", false, CRYPTO_SHA1},
        {EVIDENCE_ALG_KEYEDHASH, "keyedhash", false, CRYPTO_SHA1},
        {EVIDENCE_ALG_NULL, "null", false, CRYPTO_SHA1},
        {EVIDENCE_ALG_RSASSA, "rsassa", false, CRYPTO_SHA1},
        {EVIDENCE_ALG_RSAPSS, "rsapss", false, CRYPTO_SHA1},
        {EVIDENCE_ALG_ECDSA, "ecdsa", false, CRYPTO_SHA1},
        {EVIDENCE_ALG_ECC, "ecc", false, CRYPTO_SHA1},
        {EVIDENCE_ALG_CFB, "cfb", false, CRYPTO_SHA1},
};

bool evidence_tpm_hash(uint16_t alg, enum crypto_hash *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (algs[i].alg == alg && algs[i].is_hash) {
            *ret = algs[i].hash;
            return true;
        }
    }
    return false;
}

const char *evidence_tpm_alg_name(uint16_t alg)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (algs[i].alg == alg)
            return algs[i].name;
    }
    return "unknown";
}

bool evidence_tpm_pad(struct span v, uint8_t *ret, size_t size)
{
    while (v.len > size && v.ptr[0] == 0)
        v = SPAN(v.ptr + 1, v.len - 1);
    if (v.len > size)
        return false;
    memset(ret, 0, size - v.len);
    if (v.len > 0)
        memcpy(ret + size - v.len, v.ptr, v.len);
    return true;
}

/* ---- PCR selections (10.9.7) ----------------------------------------- */

struct evidence_selection evidence_tpm_zone_selection(void)
{
    return (struct evidence_selection){
            .n = 1,
            .bank = {{EVIDENCE_ALG_SHA256, 1u << EVIDENCE_ZONE_PCR}},
    };
}

static bool has_bank(const struct evidence_selection *s, uint16_t alg)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->bank[i].alg == alg)
            return true;
    }
    return false;
}

/* TPMS_PCR_SELECTION; chips with 32 PCRs write four bytes. */
static bool get_bank(struct wire_reader *r, struct evidence_bank *ret)
{
    struct wire_reader at = *r;
    struct evidence_bank b = {0};
    struct span map;

    if (!wire_get_u16be(&at, &b.alg) || !wire_get_vec8(&at, &map))
        return false;
    if (map.len != 3 && map.len != 4)
        return false;
    for (size_t i = 0; i < map.len; i++)
        b.pcrs |= (uint32_t)map.ptr[i] << (8 * i);
    if (b.pcrs >> EVIDENCE_PCRS)
        return false;
    *ret = b;
    *r = at;
    return true;
}

bool evidence_tpm_get_selection(
        struct wire_reader *r, struct evidence_selection *ret)
{
    struct wire_reader at = *r;
    struct evidence_selection s = {0};
    uint32_t count;

    if (!wire_get_u32be(&at, &count) || count > EVIDENCE_BANKS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct evidence_bank b;

        if (!get_bank(&at, &b) || has_bank(&s, b.alg))
            return false;
        s.bank[s.n++] = b;
    }
    *ret = s;
    *r = at;
    return true;
}

void evidence_tpm_put_selection(
        struct wire_writer *w, const struct evidence_selection *s)
{
    wire_put_u32be(w, (uint32_t)s->n);
    for (size_t i = 0; i < s->n; i++) {
        wire_put_u16be(w, s->bank[i].alg);
        wire_put_u8(w, EVIDENCE_PCRS / 8);
        for (unsigned j = 0; j < EVIDENCE_PCRS / 8; j++)
            wire_put_u8(w, (uint8_t)(s->bank[i].pcrs >> (8 * j)));
    }
}

bool evidence_tpm_selection_eq(
        const struct evidence_selection *a, const struct evidence_selection *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->bank[i].alg != b->bank[i].alg ||
                a->bank[i].pcrs != b->bank[i].pcrs)
            return false;
    }
    return true;
}

bool evidence_tpm_selects(
        const struct evidence_selection *s, uint16_t alg, unsigned pcr)
{
    if (pcr >= EVIDENCE_PCRS)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        if (s->bank[i].alg == alg)
            return (s->bank[i].pcrs >> pcr) & 1;
    }
    return false;
}

size_t evidence_tpm_selection_count(const struct evidence_selection *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += (size_t)__builtin_popcount(s->bank[i].pcrs);
    return n;
}

void evidence_tpm_format_selection(const struct evidence_selection *s,
        char ret[static EVIDENCE_SELECTION_TEXT])
{
    size_t at = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < s->n; i++) {
        char sep = ':';

        at += (size_t)snprintf(ret + at, EVIDENCE_SELECTION_TEXT - at, "%s%s",
                i ? "+" : "", evidence_tpm_alg_name(s->bank[i].alg));
        for (unsigned p = 0; p < EVIDENCE_PCRS; p++) {
            if (!((s->bank[i].pcrs >> p) & 1))
                continue;
            at += (size_t)snprintf(
                    ret + at, EVIDENCE_SELECTION_TEXT - at, "%c%u", sep, p);
            sep = ',';
        }
    }
}

/* ---- attestations (10.12) -------------------------------------------- */

static int serial_cmp(uint32_t a, uint32_t b)
{
    return a == b ? 0 : (a - b) >> 31 ? -1 : 1;
}

int evidence_tpm_boot_cmp(
        const struct evidence_clock *a, const struct evidence_clock *b)
{
    int c = serial_cmp(a->resets, b->resets);

    return c ? c : serial_cmp(a->restarts, b->restarts);
}

static const char *attest_name(uint16_t type)
{
    static const struct {
        uint16_t type;
        const char *name;
    } names[] = {
            {EVIDENCE_ATTEST_NV, "NV_Certify"},
            {EVIDENCE_ATTEST_CERTIFY, "Certify"},
            {EVIDENCE_ATTEST_TIME, "GetTime"},
            {EVIDENCE_ATTEST_CREATION, "CertifyCreation"},
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].type == type)
            return names[i].name;
    }
    return NULL;
}

static int get_attest_header(
        struct wire_reader *r, struct evidence_attest *a, struct err *err)
{
    uint32_t magic;
    uint8_t safe;

    if (!wire_get_u32be(r, &magic))
        return err_set(err, ERR_SYNTAX, "attestation cut short");
    if (magic != TPM_GENERATED_VALUE)
        return err_set(err, ERR_SYNTAX,
                "attestation starts with %08x, so no TPM made it", magic);
    if (!wire_get_u16be(r, &a->type) || !wire_get_vec16be(r, &a->signer) ||
            !wire_get_vec16be(r, &a->extra) ||
            !wire_get_u64be(r, &a->clock.clock) ||
            !wire_get_u32be(r, &a->clock.resets) ||
            !wire_get_u32be(r, &a->clock.restarts) || !wire_get_u8(r, &safe) ||
            !wire_get_u64be(r, &a->firmware))
        return err_set(err, ERR_SYNTAX, "attestation cut short");
    if (a->signer.len > EVIDENCE_NAME_MAX || a->extra.len > TPM_DATA_MAX ||
            safe > 1)
        return err_set(err, ERR_SYNTAX, "attestation has an impossible value");
    a->clock.safe = safe;
    return 0;
}

int evidence_tpm_attest(
        struct span bytes, struct evidence_attest *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct evidence_attest a = {0};
    int rc = get_attest_header(&r, &a, err);

    if (rc != 0)
        return rc;
    if (a.type != EVIDENCE_ATTEST_QUOTE) {
        const char *name = attest_name(a.type);

        return err_set(err, ERR_MISMATCH,
                "attestation of type %04x (%s) is not a quote", a.type,
                name ? name : "unknown");
    }
    if (!evidence_tpm_get_selection(&r, &a.selection))
        return err_set(err, ERR_SYNTAX, "quote has a malformed PCR selection");
    if (!wire_get_vec16be(&r, &a.pcr_digest) ||
            a.pcr_digest.len > CRYPTO_HASH_MAX)
        return err_set(err, ERR_SYNTAX, "quote cut short");
    if (!wire_end(&r))
        return err_set(err, ERR_SYNTAX, "%zu bytes behind the quote", r.left);
    *ret = a;
    return 0;
}

/* ---- signatures (11.3.4) --------------------------------------------- */

int evidence_tpm_signature(
        struct span bytes, struct evidence_signature *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct evidence_signature s = {0};
    bool ok = wire_get_u16be(&r, &s.alg);

    if (ok && s.alg != EVIDENCE_ALG_RSASSA && s.alg != EVIDENCE_ALG_RSAPSS &&
            s.alg != EVIDENCE_ALG_ECDSA)
        return err_set(err, ERR_UNSUPPORTED,
                "signature algorithm %04x is not known", s.alg);
    ok = ok && wire_get_u16be(&r, &s.hash);
    if (s.alg == EVIDENCE_ALG_ECDSA)
        ok = ok && wire_get_vec16be(&r, &s.r) && wire_get_vec16be(&r, &s.s);
    else
        ok = ok && wire_get_vec16be(&r, &s.rsa);
    if (!ok || !wire_end(&r))
        return err_set(err, ERR_SYNTAX, "signature is malformed");
    *ret = s;
    return 0;
}

static int verify_ecdsa(const struct evidence_public *ak,
        const struct crypto_pub *pub, enum crypto_hash hash, struct span attest,
        const struct evidence_signature *sig)
{
    uint8_t rs[2 * 48];
    size_t n = evidence_tpm_curve_size(ak->curve);

    if (n == 0 || n > sizeof(rs) / 2 || !evidence_tpm_pad(sig->r, rs, n) ||
            !evidence_tpm_pad(sig->s, rs + n, n))
        return ERR_MISMATCH;
    return crypto_verify(pub, CRYPTO_SIG_ECDSA, hash, attest, SPAN(rs, 2 * n));
}

int evidence_tpm_verify(const struct evidence_public *ak, struct span attest,
        const struct evidence_signature *sig, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *pub = NULL;
    enum crypto_hash hash;
    int r;

    /* The key's own scheme: nothing is negotiated by the signature. */
    if (sig->alg != ak->scheme || sig->hash != ak->scheme_hash)
        return err_set(err, ERR_MISMATCH,
                "signature is %s with %s, the key's scheme is %s with %s",
                evidence_tpm_alg_name(sig->alg),
                evidence_tpm_alg_name(sig->hash),
                evidence_tpm_alg_name(ak->scheme),
                evidence_tpm_alg_name(ak->scheme_hash));
    if (!evidence_tpm_hash(sig->hash, &hash) || hash == CRYPTO_SHA1)
        return err_set(err, ERR_MISMATCH, "hash %s is not accepted",
                evidence_tpm_alg_name(sig->hash));
    pub = evidence_tpm_pub(ak);
    if (!pub)
        return err_set(err, ERR_MISMATCH, "attestation key is not a valid key");
    if (sig->alg == EVIDENCE_ALG_ECDSA)
        r = verify_ecdsa(ak, pub, hash, attest, sig);
    else
        r = crypto_verify(pub,
                sig->alg == EVIDENCE_ALG_RSAPSS ? CRYPTO_SIG_RSAPSS
                                                : CRYPTO_SIG_RSASSA,
                hash, attest, sig->rsa);
    if (r != 0)
        return err_set(err, ERR_MISMATCH, "signature does not hold");
    return 0;
}

/* ---- PCR values ------------------------------------------------------ */

bool evidence_tpm_values_fit(
        const struct evidence_selection *s, const struct evidence_values *v)
{
    size_t at = 0;

    if (v->n != evidence_tpm_selection_count(s))
        return false;
    for (size_t i = 0; i < s->n; i++) {
        enum crypto_hash hash;

        if (!evidence_tpm_hash(s->bank[i].alg, &hash))
            return false;
        for (unsigned p = 0; p < EVIDENCE_PCRS; p++) {
            if (!((s->bank[i].pcrs >> p) & 1))
                continue;
            if (v->value[at++].len != crypto_hash_size(hash))
                return false;
        }
    }
    return true;
}

bool evidence_tpm_value(const struct evidence_selection *s,
        const struct evidence_values *v, uint16_t alg, unsigned pcr,
        struct span *ret)
{
    size_t at = 0;

    for (size_t i = 0; i < s->n; i++) {
        for (unsigned p = 0; p < EVIDENCE_PCRS; p++) {
            if (!((s->bank[i].pcrs >> p) & 1))
                continue;
            if (at >= v->n)
                return false;
            if (s->bank[i].alg == alg && p == pcr) {
                *ret = v->value[at];
                return true;
            }
            at++;
        }
    }
    return false;
}

int evidence_tpm_pcr_digest(
        const struct evidence_values *v, enum crypto_hash hash, uint8_t *ret)
{
    uint8_t all[EVIDENCE_VALUES_MAX * CRYPTO_HASH_MAX];
    struct wire_writer w = wire_writer_of(all, sizeof(all));
    struct span s;

    for (size_t i = 0; i < v->n; i++)
        wire_put_bytes(&w, v->value[i].ptr, v->value[i].len);
    if (!wire_finish(&w, &s))
        return ERR_LIMIT;
    crypto_hash(hash, s, ret);
    return 0;
}
