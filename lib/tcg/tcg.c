/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes, signatures and PCR selections (TPM 2.0 Part 2). */
#include "tcg_private.h"

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
        {TCG_ALG_SHA1, "sha1", true, CRYPTO_SHA1},
        {TCG_ALG_SHA256, "sha256", true, CRYPTO_SHA256},
        {TCG_ALG_SHA384, "sha384", true, CRYPTO_SHA384},
        {TCG_ALG_SHA512, "sha512", true, CRYPTO_SHA512},
        {TCG_ALG_SM3, "sm3", false, CRYPTO_SHA1},
        {TCG_ALG_RSA, "rsa", false, CRYPTO_SHA1},
        {TCG_ALG_AES, "aes", false, CRYPTO_SHA1},
        {TCG_ALG_KEYEDHASH, "keyedhash", false, CRYPTO_SHA1},
        {TCG_ALG_NULL, "null", false, CRYPTO_SHA1},
        {TCG_ALG_RSASSA, "rsassa", false, CRYPTO_SHA1},
        {TCG_ALG_RSAPSS, "rsapss", false, CRYPTO_SHA1},
        {TCG_ALG_ECDSA, "ecdsa", false, CRYPTO_SHA1},
        {TCG_ALG_ECC, "ecc", false, CRYPTO_SHA1},
        {TCG_ALG_CFB, "cfb", false, CRYPTO_SHA1},
};

bool tcg_hash(uint16_t alg, enum crypto_hash *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (algs[i].alg == alg && algs[i].is_hash) {
            *ret = algs[i].hash;
            return true;
        }
    }
    return false;
}

const char *tcg_alg_name(uint16_t alg)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (algs[i].alg == alg)
            return algs[i].name;
    }
    return "unknown";
}

bool tcg_pad(struct span v, uint8_t *ret, size_t size)
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

static bool has_bank(const struct tcg_selection *s, uint16_t alg)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->bank[i].alg == alg)
            return true;
    }
    return false;
}

/* TPMS_PCR_SELECTION; chips with 32 PCRs write four bytes. */
static bool get_bank(struct wire_reader *r, struct tcg_bank *ret)
{
    struct wire_reader at = *r;
    struct tcg_bank b = {0};
    struct span map;

    if (!wire_get_u16be(&at, &b.alg) || !wire_get_vec8(&at, &map))
        return false;
    if (map.len != 3 && map.len != 4)
        return false;
    for (size_t i = 0; i < map.len; i++)
        b.pcrs |= (uint32_t)map.ptr[i] << (8 * i);
    if (b.pcrs >> TCG_PCRS)
        return false;
    *ret = b;
    *r = at;
    return true;
}

bool tcg_get_selection(struct wire_reader *r, struct tcg_selection *ret)
{
    struct wire_reader at = *r;
    struct tcg_selection s = {0};
    uint32_t count;

    if (!wire_get_u32be(&at, &count) || count > TCG_BANKS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct tcg_bank b;

        if (!get_bank(&at, &b) || has_bank(&s, b.alg))
            return false;
        s.bank[s.n++] = b;
    }
    *ret = s;
    *r = at;
    return true;
}

void tcg_put_selection(struct wire_writer *w, const struct tcg_selection *s)
{
    wire_put_u32be(w, (uint32_t)s->n);
    for (size_t i = 0; i < s->n; i++) {
        wire_put_u16be(w, s->bank[i].alg);
        wire_put_u8(w, TCG_PCRS / 8);
        for (unsigned j = 0; j < TCG_PCRS / 8; j++)
            wire_put_u8(w, (uint8_t)(s->bank[i].pcrs >> (8 * j)));
    }
}

bool tcg_selection_eq(
        const struct tcg_selection *a, const struct tcg_selection *b)
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

bool tcg_selection_covers(
        const struct tcg_selection *a, const struct tcg_selection *b)
{
    for (size_t i = 0; i < b->n; i++) {
        uint32_t pcrs = 0;

        for (size_t j = 0; j < a->n; j++)
            if (a->bank[j].alg == b->bank[i].alg)
                pcrs = a->bank[j].pcrs;
        if (b->bank[i].pcrs & ~pcrs)
            return false;
    }
    return true;
}

bool tcg_selects(const struct tcg_selection *s, uint16_t alg, unsigned pcr)
{
    if (pcr >= TCG_PCRS)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        if (s->bank[i].alg == alg)
            return (s->bank[i].pcrs >> pcr) & 1;
    }
    return false;
}

size_t tcg_selection_count(const struct tcg_selection *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += (size_t)__builtin_popcount(s->bank[i].pcrs);
    return n;
}

void tcg_format_selection(
        const struct tcg_selection *s, char ret[static TCG_SELECTION_TEXT])
{
    size_t at = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < s->n; i++) {
        char sep = ':';

        at += (size_t)snprintf(ret + at, TCG_SELECTION_TEXT - at, "%s%s",
                i ? "+" : "", tcg_alg_name(s->bank[i].alg));
        for (unsigned p = 0; p < TCG_PCRS; p++) {
            if (!((s->bank[i].pcrs >> p) & 1))
                continue;
            at += (size_t)snprintf(
                    ret + at, TCG_SELECTION_TEXT - at, "%c%u", sep, p);
            sep = ',';
        }
    }
}

/* ---- attestations (10.12) -------------------------------------------- */

static int serial_cmp(uint32_t a, uint32_t b)
{
    return a == b ? 0 : (a - b) >> 31 ? -1 : 1;
}

int tcg_boot_cmp(const struct tcg_clock *a, const struct tcg_clock *b)
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
            {TCG_ATTEST_NV, "NV_Certify"},
            {TCG_ATTEST_CERTIFY, "Certify"},
            {TCG_ATTEST_TIME, "GetTime"},
            {TCG_ATTEST_CREATION, "CertifyCreation"},
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].type == type)
            return names[i].name;
    }
    return NULL;
}

static int get_attest_header(
        struct wire_reader *r, struct tcg_attest *a, struct err *err)
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
    if (a->signer.len > TCG_NAME_MAX || a->extra.len > TPM_DATA_MAX || safe > 1)
        return err_set(err, ERR_SYNTAX, "attestation has an impossible value");
    a->clock.safe = safe;
    return 0;
}

int tcg_attest(struct span bytes, struct tcg_attest *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct tcg_attest a = {0};
    int rc = get_attest_header(&r, &a, err);

    if (rc != 0)
        return rc;
    if (a.type != TCG_ATTEST_QUOTE) {
        const char *name = attest_name(a.type);

        return err_set(err, ERR_MISMATCH,
                "attestation of type %04x (%s) is not a quote", a.type,
                name ? name : "unknown");
    }
    if (!tcg_get_selection(&r, &a.selection))
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

int tcg_signature(struct span bytes, struct tcg_signature *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct tcg_signature s = {0};
    bool ok = wire_get_u16be(&r, &s.alg);

    if (ok && s.alg != TCG_ALG_RSASSA && s.alg != TCG_ALG_RSAPSS &&
            s.alg != TCG_ALG_ECDSA)
        return err_set(err, ERR_UNSUPPORTED,
                "signature algorithm %04x is not known", s.alg);
    ok = ok && wire_get_u16be(&r, &s.hash);
    if (s.alg == TCG_ALG_ECDSA)
        ok = ok && wire_get_vec16be(&r, &s.r) && wire_get_vec16be(&r, &s.s);
    else
        ok = ok && wire_get_vec16be(&r, &s.rsa);
    if (!ok || !wire_end(&r))
        return err_set(err, ERR_SYNTAX, "signature is malformed");
    *ret = s;
    return 0;
}

static int verify_ecdsa(const struct tcg_public *ak,
        const struct crypto_pub *pub, enum crypto_hash hash, struct span attest,
        const struct tcg_signature *sig)
{
    uint8_t rs[2 * 48];
    size_t n = tcg_curve_size(ak->curve);

    if (n == 0 || n > sizeof(rs) / 2 || !tcg_pad(sig->r, rs, n) ||
            !tcg_pad(sig->s, rs + n, n))
        return ERR_MISMATCH;
    return crypto_verify(pub, CRYPTO_SIG_ECDSA, hash, attest, SPAN(rs, 2 * n));
}

int tcg_verify(const struct tcg_public *ak, struct span attest,
        const struct tcg_signature *sig, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *pub = NULL;
    enum crypto_hash hash;
    int r;

    /* The key's own scheme: nothing is negotiated by the signature. */
    if (sig->alg != ak->scheme || sig->hash != ak->scheme_hash)
        return err_set(err, ERR_MISMATCH,
                "signature is %s with %s, the key's scheme is %s with %s",
                tcg_alg_name(sig->alg), tcg_alg_name(sig->hash),
                tcg_alg_name(ak->scheme), tcg_alg_name(ak->scheme_hash));
    if (!tcg_hash(sig->hash, &hash) || hash == CRYPTO_SHA1)
        return err_set(err, ERR_MISMATCH, "hash %s is not accepted",
                tcg_alg_name(sig->hash));
    pub = tcg_pub(ak);
    if (!pub)
        return err_set(err, ERR_MISMATCH, "attestation key is not a valid key");
    if (sig->alg == TCG_ALG_ECDSA)
        r = verify_ecdsa(ak, pub, hash, attest, sig);
    else
        r = crypto_verify(pub,
                sig->alg == TCG_ALG_RSAPSS ? CRYPTO_SIG_RSAPSS
                                           : CRYPTO_SIG_RSASSA,
                hash, attest, sig->rsa);
    if (r != 0)
        return err_set(err, ERR_MISMATCH, "signature does not hold");
    return 0;
}

/* ---- PCR values ------------------------------------------------------ */

bool tcg_values_fit(const struct tcg_selection *s, const struct tcg_values *v)
{
    size_t at = 0;

    if (v->n != tcg_selection_count(s))
        return false;
    for (size_t i = 0; i < s->n; i++) {
        enum crypto_hash hash;

        if (!tcg_hash(s->bank[i].alg, &hash))
            return false;
        for (unsigned p = 0; p < TCG_PCRS; p++) {
            if (!((s->bank[i].pcrs >> p) & 1))
                continue;
            if (v->value[at++].len != crypto_hash_size(hash))
                return false;
        }
    }
    return true;
}

bool tcg_value(const struct tcg_selection *s, const struct tcg_values *v,
        uint16_t alg, unsigned pcr, struct span *ret)
{
    size_t at = 0;

    for (size_t i = 0; i < s->n; i++) {
        for (unsigned p = 0; p < TCG_PCRS; p++) {
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

int tcg_pcr_digest(
        const struct tcg_values *v, enum crypto_hash hash, uint8_t *ret)
{
    uint8_t all[TCG_VALUES_MAX * CRYPTO_HASH_MAX];
    struct wire_writer w = wire_writer_of(all, sizeof(all));
    struct span s;

    for (size_t i = 0; i < v->n; i++)
        wire_put_bytes(&w, v->value[i].ptr, v->value[i].len);
    if (!wire_finish(&w, &s))
        return ERR_LIMIT;
    crypto_hash(hash, s, ret);
    return 0;
}
