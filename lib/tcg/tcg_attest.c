/* SPDX-License-Identifier: Apache-2.0 */
/* Attestations of every type (Part 2, 10.12), and signatures over them. */
#include "tcg_private.h"

#define TPM_GENERATED_VALUE 0xff544347u
/* TPMU_HA with the largest hash, and two bytes of algorithm (10.5.3). */
#define TPM_DATA_MAX 66

static int serial_cmp(uint32_t a, uint32_t b)
{
    return a == b ? 0 : (a - b) >> 31 ? -1 : 1;
}

int tcg_boot_cmp(const struct tcg_clock *a, const struct tcg_clock *b)
{
    int c = serial_cmp(a->resets, b->resets);

    return c ? c : serial_cmp(a->restarts, b->restarts);
}

static bool get_clock(
        struct wire_reader *r, struct tcg_clock *ret, uint8_t *ret_safe)
{
    struct tcg_clock c = {0};

    if (!wire_get_u64be(r, &c.clock) || !wire_get_u32be(r, &c.resets) ||
            !wire_get_u32be(r, &c.restarts) || !wire_get_u8(r, ret_safe))
        return false;
    c.safe = *ret_safe == 1;
    *ret = c;
    return true;
}

/* ---- what is attested, a function a type ----------------------------- */

static bool get_certify(struct wire_reader *r, struct tcg_attested *a)
{
    return wire_get_vec16be(r, &a->object) &&
           wire_get_vec16be(r, &a->object_qualified);
}

static bool get_creation(struct wire_reader *r, struct tcg_attested *a)
{
    return wire_get_vec16be(r, &a->object) && wire_get_vec16be(r, &a->digest);
}

static bool get_nv(struct wire_reader *r, struct tcg_attested *a)
{
    return wire_get_vec16be(r, &a->object) &&
           wire_get_u16be(r, &a->nv_offset) &&
           wire_get_vec16be(r, &a->nv_contents);
}

static bool get_time(struct wire_reader *r, struct tcg_attested *a)
{
    uint8_t safe;

    return wire_get_u64be(r, &a->time) && get_clock(r, &a->time_clock, &safe) &&
           safe <= 1 && wire_get_u64be(r, &a->time_firmware);
}

static bool get_command_audit(struct wire_reader *r, struct tcg_attested *a)
{
    return wire_get_u64be(r, &a->audit_counter) &&
           wire_get_u16be(r, &a->audit_alg) &&
           wire_get_vec16be(r, &a->digest) &&
           wire_get_vec16be(r, &a->audit_command);
}

static bool get_session_audit(struct wire_reader *r, struct tcg_attested *a)
{
    return wire_get_u8(r, &a->audit_exclusive) && a->audit_exclusive <= 1 &&
           wire_get_vec16be(r, &a->digest);
}

static const struct attest_type {
    uint16_t type;
    const char *name;
    bool (*get)(struct wire_reader *r, struct tcg_attested *a);
} types[] = {
        {TCG_ATTEST_QUOTE, "Quote", NULL},
        {TCG_ATTEST_CERTIFY, "Certify", get_certify},
        {TCG_ATTEST_CREATION, "CertifyCreation", get_creation},
        {TCG_ATTEST_TIME, "GetTime", get_time},
        {TCG_ATTEST_NV, "NV_Certify", get_nv},
        {TCG_ATTEST_NV_DIGEST, "NV_Certify of a digest", get_creation},
        {TCG_ATTEST_COMMAND_AUDIT, "GetCommandAuditDigest", get_command_audit},
        {TCG_ATTEST_SESSION_AUDIT, "GetSessionAuditDigest", get_session_audit},
};

static const struct attest_type *type_of(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].type == type)
            return &types[i];
    }
    return NULL;
}

const char *tcg_attest_name(uint16_t type)
{
    const struct attest_type *t = type_of(type);

    return t ? t->name : "unknown";
}

static bool is_short(const struct tcg_attested *a)
{
    return a->object.len <= TCG_NAME_MAX &&
           a->object_qualified.len <= TCG_NAME_MAX &&
           a->digest.len <= CRYPTO_HASH_MAX &&
           a->audit_command.len <= CRYPTO_HASH_MAX;
}

static enum tcg_why get_quote(
        struct wire_reader *r, struct tcg_attest *q, uint32_t *why)
{
    bool twice;
    enum tcg_why w = tcg_selection_parse(r, &q->selection, &twice);

    if (w != TCG_WHY_NONE)
        return w;
    if (!wire_get_vec16be(r, &q->pcr_digest) ||
            q->pcr_digest.len > CRYPTO_HASH_MAX)
        return TCG_WHY_LENGTH;
    if (twice)
        *why |= 1u << TCG_WHY_DUPLICATE_BANK;
    return TCG_WHY_NONE;
}

static enum tcg_why get_header(
        struct wire_reader *r, struct tcg_attested *a, uint32_t *why)
{
    uint8_t safe;

    if (!wire_get_u32be(r, &a->magic) || !wire_get_u16be(r, &a->head.type) ||
            !wire_get_vec16be(r, &a->head.signer) ||
            !wire_get_vec16be(r, &a->head.extra) ||
            !get_clock(r, &a->head.clock, &safe) ||
            !wire_get_u64be(r, &a->head.firmware))
        return TCG_WHY_LENGTH;
    if (a->head.signer.len > TCG_NAME_MAX || a->head.extra.len > TPM_DATA_MAX)
        return TCG_WHY_LENGTH;
    if (safe > 1)
        return TCG_WHY_VALUE;
    if (a->magic != TPM_GENERATED_VALUE)
        *why |= 1u << TCG_WHY_MAGIC;
    return TCG_WHY_NONE;
}

uint32_t tcg_attest_parse(
        struct span bytes, struct tcg_attested *ret, bool *ret_parsed)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct tcg_attested a = {0};
    uint32_t why = 0;
    enum tcg_why w = get_header(&r, &a, &why);
    const struct attest_type *t = type_of(a.head.type);
    bool has_header = w == TCG_WHY_NONE;

    *ret_parsed = false;
    if (w == TCG_WHY_NONE && a.head.type == TCG_ATTEST_QUOTE)
        w = get_quote(&r, &a.head, &why);
    else if (w == TCG_WHY_NONE && t && (!t->get(&r, &a) || !is_short(&a)))
        w = TCG_WHY_LENGTH;
    *ret = a;
    if (has_header && a.head.type != TCG_ATTEST_QUOTE)
        why |= 1u << TCG_WHY_NOT_A_QUOTE;
    if (w != TCG_WHY_NONE)
        return why | 1u << w;
    /* What is behind a type that is not known here cannot be told apart. */
    if (t && !wire_end(&r)) {
        why |= 1u << TCG_WHY_TRAILING;
        a.trailing = r.left;
    }
    *ret = a;
    *ret_parsed = true;
    return why;
}

static int says(uint32_t why, const struct tcg_attested *a, struct err *err)
{
    if (why & 1u << TCG_WHY_MAGIC)
        return err_set(err, ERR_SYNTAX,
                "attestation starts with %08x, so no TPM made it", a->magic);
    if (why & 1u << TCG_WHY_NOT_A_QUOTE)
        return err_set(err, ERR_MISMATCH,
                "attestation of type %04x (%s) is not a quote", a->head.type,
                tcg_attest_name(a->head.type));
    for (int w = TCG_WHY_NONE + 1; w < TCG_WHY_COUNT_; w++) {
        if (why & 1u << w)
            return err_set(err, ERR_SYNTAX, "attestation: %s",
                    tcg_why_text((enum tcg_why)w));
    }
    return 0;
}

int tcg_attest(struct span bytes, struct tcg_attest *ret, struct err *err)
{
    struct tcg_attested a = {0};
    bool parsed;
    uint32_t why = tcg_attest_parse(bytes, &a, &parsed);

    if (why != 0)
        return says(why, &a, err);
    *ret = a.head;
    return 0;
}

int tcg_attest_other(struct span bytes, uint16_t type, struct tcg_attested *ret,
        struct err *err)
{
    struct tcg_attested a = {0};
    bool parsed;
    uint32_t why = tcg_attest_parse(bytes, &a, &parsed);

    if ((parsed || why & 1u << TCG_WHY_NOT_A_QUOTE) &&
            !(why & 1u << TCG_WHY_MAGIC) && a.head.type != type)
        return err_set(err, ERR_MISMATCH,
                "attestation of type %04x (%s) is not one of %s", a.head.type,
                tcg_attest_name(a.head.type), tcg_attest_name(type));
    if (type != TCG_ATTEST_QUOTE)
        why &= ~(1u << TCG_WHY_NOT_A_QUOTE);
    if (why != 0)
        return says(why, &a, err);
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

static int verify_ecdsa(const struct crypto_pub *pub, enum crypto_hash hash,
        struct span attest, const struct tcg_signature *sig)
{
    uint8_t rs[2 * TCG_COORDINATE_MAX];
    size_t n = crypto_pub_type(pub) == CRYPTO_P256   ? 32
               : crypto_pub_type(pub) == CRYPTO_P384 ? 48
               : crypto_pub_type(pub) == CRYPTO_P521 ? 66
                                                     : 0;

    if (n == 0 || !tcg_pad(sig->r, rs, n) || !tcg_pad(sig->s, rs + n, n))
        return ERR_MISMATCH;
    return crypto_verify(pub, CRYPTO_SIG_ECDSA, hash, attest, SPAN(rs, 2 * n));
}

int tcg_verify_with(const struct crypto_pub *pub, struct span attest,
        const struct tcg_signature *sig, struct err *err)
{
    enum crypto_hash hash;
    int r;

    if (!tcg_hash(sig->hash, &hash) || hash == CRYPTO_SHA1)
        return err_set(err, ERR_MISMATCH, "hash %s is not accepted",
                tcg_alg_name(sig->hash));
    if (sig->alg == TCG_ALG_ECDSA)
        r = verify_ecdsa(pub, hash, attest, sig);
    else
        r = crypto_verify(pub,
                sig->alg == TCG_ALG_RSAPSS ? CRYPTO_SIG_RSAPSS
                                           : CRYPTO_SIG_RSASSA,
                hash, attest, sig->rsa);
    if (r != 0)
        return err_set(err, ERR_MISMATCH, "signature does not hold");
    return 0;
}

int tcg_verify(const struct tcg_public *ak, struct span attest,
        const struct tcg_signature *sig, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *pub = NULL;

    /* The key's own scheme: nothing is negotiated by the signature. */
    if (sig->alg != ak->scheme || sig->hash != ak->scheme_hash)
        return err_set(err, ERR_MISMATCH,
                "signature is %s with %s, the key's scheme is %s with %s",
                tcg_alg_name(sig->alg), tcg_alg_name(sig->hash),
                tcg_alg_name(ak->scheme), tcg_alg_name(ak->scheme_hash));
    pub = tcg_pub(ak);
    if (!pub)
        return err_set(err, ERR_MISMATCH, "attestation key is not a valid key");
    return tcg_verify_with(pub, attest, sig, err);
}
