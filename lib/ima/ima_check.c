/* SPDX-License-Identifier: Apache-2.0 */
/* What entries say of the boot, of signatures and of allowed files. */
#include "ima_private.h"

bool ima_is_boot_aggregate(const struct ima_entry *e)
{
    return e->known && span_eq_str(e->path, "boot_aggregate");
}

static bool is_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

int ima_boot_aggregate_check(const struct ima_entry *e,
        const struct ima_boot_pcrs *pcrs, unsigned *ret_pcrs, struct err *err)
{
    size_t size = crypto_hash_size(pcrs->bank);
    uint8_t all[10 * CRYPTO_HASH_MAX], h[CRYPTO_HASH_MAX];
    /* The kernel leaves 8 and 9 out of SHA-1 aggregates alone. */
    static const unsigned counts[] = {10, 8};

    if (!ima_is_boot_aggregate(e) || e->violation)
        return err_set(err, ERR_MISMATCH, "no boot aggregate");
    if (is_zero(e->digest, e->digest_len))
        return err_set(err, ERR_DENIED,
                "boot aggregate is zero: the kernel saw no TPM");
    if (!e->digest_ok || e->digest_hash != pcrs->bank)
        return err_set(err, ERR_UNSUPPORTED, "boot aggregate is not of bank %s",
                crypto_hash_name(pcrs->bank));
    for (size_t i = 0; i < 10; i++) {
        if (pcrs->value[i].len != size)
            return err_set(err, ERR_LIMIT, "PCR %zu is not known", i);
        memcpy(all + i * size, pcrs->value[i].ptr, size);
    }
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        if (pcrs->bank == CRYPTO_SHA1 && counts[i] == 10)
            continue;
        crypto_hash(pcrs->bank, SPAN(all, counts[i] * size), h);
        if (memcmp(h, e->digest, size) == 0) {
            *ret_pcrs = counts[i];
            return 0;
        }
    }
    return err_set(err, ERR_MISMATCH,
            "boot aggregate is not that of the PCRs of this boot");
}

/* ---- signatures (security/integrity/integrity.h) --------------------- */

#define XATTR_IMA_DIGSIG    3
#define XATTR_VERITY_DIGSIG 6
/* enum hash_algo (include/uapi/linux/hash_info.h) */
#define HASH_ALGO_SHA1   2
#define HASH_ALGO_SHA256 4
#define HASH_ALGO_SHA384 5
#define HASH_ALGO_SHA512 6

static bool signature_hash(uint8_t algo, enum crypto_hash *ret)
{
    static const struct {
        uint8_t algo;
        enum crypto_hash hash;
    } known[] = {
            {HASH_ALGO_SHA1, CRYPTO_SHA1},
            {HASH_ALGO_SHA256, CRYPTO_SHA256},
            {HASH_ALGO_SHA384, CRYPTO_SHA384},
            {HASH_ALGO_SHA512, CRYPTO_SHA512},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].algo == algo) {
            *ret = known[i].hash;
            return true;
        }
    }
    return false;
}

int ima_signature_parse(
        struct span bytes, struct ima_signature *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct ima_signature s = {0};
    uint8_t version, algo;

    if (!wire_get_u8(&r, &s.type) || !wire_get_u8(&r, &version))
        return err_set(err, ERR_SYNTAX, "signature cut short");
    if ((s.type != XATTR_IMA_DIGSIG && s.type != XATTR_VERITY_DIGSIG) ||
            (version != 2 && version != 3))
        return err_set(err, ERR_UNSUPPORTED, "signature of type %u, version %u",
                s.type, version);
    if (!wire_get_u8(&r, &algo) || !wire_get_u32be(&r, &s.key_id) ||
            !wire_get_vec16be(&r, &s.sig) || !wire_end(&r))
        return err_set(err, ERR_SYNTAX, "signature is malformed");
    if (!signature_hash(algo, &s.hash))
        return err_set(err, ERR_UNSUPPORTED, "signature hash %u", algo);
    *ret = s;
    return 0;
}

/* ECDSA stands in DER, RSA as PKCS#1 v1.5 over the digest's DigestInfo. */
static int verify(const struct crypto_pub *key, const struct ima_signature *s,
        struct span digest)
{
    uint8_t rs[2 * 48];
    size_t n = crypto_pub_type(key) == CRYPTO_P384 ? 48 : 32;

    if (crypto_pub_type(key) == CRYPTO_RSA)
        return crypto_verify_digest(
                key, CRYPTO_SIG_RSASSA, s->hash, digest, s->sig);
    if (crypto_pub_type(key) != CRYPTO_P256 &&
            crypto_pub_type(key) != CRYPTO_P384)
        return ERR_UNSUPPORTED;
    if (crypto_ecdsa_from_der(s->sig, rs, n) != 0)
        return ERR_MISMATCH;
    return crypto_verify_digest(
            key, CRYPTO_SIG_ECDSA, s->hash, digest, SPAN(rs, 2 * n));
}

int ima_signature_verify(const struct ima_entry *e,
        const struct crypto_pub *key, struct err *err)
{
    uint8_t bytes[1100]; /* RSA of 8192 bits */
    struct ima_signature s;
    size_t len;
    int r;

    if (!ima_has(e, IMA_SIG))
        return err_set(err, ERR_NOT_FOUND, "no signature");
    r = ima_field_bytes(e, IMA_SIG, bytes, sizeof(bytes), &len);
    if (r == 0)
        r = ima_signature_parse(SPAN(bytes, len), &s, err);
    if (r != 0)
        return r;
    if (s.type != XATTR_IMA_DIGSIG || !e->digest_ok ||
            e->digest_hash != s.hash ||
            !(e->digest_type.len == 0 || span_eq_str(e->digest_type, "ima")))
        return err_set(err, ERR_UNSUPPORTED,
                "signature is over another digest than the entry's");
    if (verify(key, &s, SPAN(e->digest, e->digest_len)) != 0)
        return err_set(err, ERR_MISMATCH, "signature does not hold");
    return 0;
}

int ima_buffer_check(const struct ima_entry *e)
{
    const struct ima_field *f = NULL;
    struct crypto_hasher *h;
    uint8_t part[512], got[CRYPTO_HASH_MAX];
    struct span rest;

    for (size_t i = 0; e->known && i < e->n_fields; i++) {
        if (e->field[i].kind == IMA_BUF)
            f = &e->field[i];
    }
    if (!f || !e->digest_ok)
        return ERR_NOT_FOUND;
    rest = f->raw;
    h = crypto_hasher_new(e->digest_hash);
    if (!h)
        return ERR_MEMORY;
    while (e->format == IMA_ASCII && rest.len > 0) {
        size_t n = rest.len / 2 < sizeof(part) ? rest.len / 2 : sizeof(part);

        if (n == 0 || !text_parse_hex(SPAN(rest.ptr, 2 * n), part, n)) {
            crypto_hasher_free(h);
            return ERR_SYNTAX;
        }
        crypto_hasher_update(h, SPAN(part, n));
        rest = SPAN(rest.ptr + 2 * n, rest.len - 2 * n);
    }
    crypto_hasher_update(h, rest);
    crypto_hasher_final(h, got);
    crypto_hasher_free(h);
    return memcmp(got, e->digest, e->digest_len) == 0 ? 0 : ERR_MISMATCH;
}

/* ---- allowed files --------------------------------------------------- */

bool ima_allowed_sorted(const struct ima_allowed *set)
{
    size_t size = crypto_hash_size(set->hash);

    for (size_t i = 1; i < set->n; i++) {
        if (memcmp(set->digests + (i - 1) * size, set->digests + i * size,
                    size) >= 0)
            return false;
    }
    return true;
}

static bool set_has(const struct ima_allowed *set, const uint8_t *digest)
{
    size_t size = crypto_hash_size(set->hash), from = 0, to = set->n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;
        int c = memcmp(set->digests + mid * size, digest, size);

        if (c == 0)
            return true;
        if (c < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return false;
}

bool ima_allowed_has(const struct ima_allowed *sets, size_t n_sets,
        const struct ima_entry *e)
{
    if (!e->digest_ok || e->violation || e->digest_hash == CRYPTO_SHA1)
        return false;
    for (size_t i = 0; i < n_sets; i++) {
        if (sets[i].hash == e->digest_hash && set_has(&sets[i], e->digest))
            return true;
    }
    return false;
}

static bool is_signed_by(
        const struct ima_rules *rules, const struct ima_entry *e)
{
    for (size_t i = 0; i < rules->n_keys; i++) {
        if (ima_signature_verify(e, rules->keys[i], NULL) == 0)
            return true;
    }
    return false;
}

/*
 * The list begins with it, and a kernel started by kexec puts one more behind
 * the list that it took over, of the same boot.
 */
static bool is_first_aggregate(
        const struct ima_entry *e, struct ima_findings *f)
{
    if (e->index == 0)
        f->aggregate = *e;
    return f->aggregate.digest_len > 0 &&
           span_eq(SPAN(f->aggregate.digest, f->aggregate.digest_len),
                   SPAN(e->digest, e->digest_len));
}

/* Why an entry is refused; NULL when it is not. */
static const char *judge(const struct ima_rules *rules,
        const struct ima_entry *e, struct ima_findings *f)
{
    bool has_sig = ima_has(e, IMA_SIG) || ima_has(e, IMA_MODSIG);

    if (e->violation) {
        f->violations++;
        return rules->allow_violations
                       ? NULL
                       : "a violation: it changed while it was measured";
    }
    if (!e->known) {
        f->unknown++;
        return "its template is not known";
    }
    if (ima_is_boot_aggregate(e))
        return is_first_aggregate(e, f)
                       ? NULL
                       : "it is not the aggregate that the list begins with";
    f->files++;
    f->unsigned_files += !has_sig;
    if (rules->require_signature && !has_sig)
        return "it has no signature";
    if (ima_has(e, IMA_BUF) && ima_buffer_check(e) != 0)
        return "its digest is not that of the buffer";
    if (!ima_allowed_has(rules->sets, rules->n_sets, e) &&
            !is_signed_by(rules, e))
        return "its digest is not allowed";
    f->allowed++;
    return NULL;
}

int ima_appraise(struct ima_list list, size_t covered,
        const struct ima_rules *rules, struct ima_findings *ret,
        struct err *err)
{
    struct ima_findings f = {0};
    struct ima_entry e;
    char name[80];
    int rc = 1;

    while (covered > 0 && (rc = ima_next(&list, &e, err)) > 0) {
        const char *why = judge(rules, &e, &f);

        covered--;
        f.refused += why != NULL;
        if (why && !f.has_refused) {
            f.has_refused = true;
            f.first_refused = e;
            f.why = why;
        }
    }
    if (rc < 0)
        return rc;
    if (rc == 0 && covered > 0)
        return err_set(err, ERR_LIMIT,
                "IMA list is shorter than what was "
                "covered");
    *ret = f;
    if (!f.has_refused)
        return 0;
    text_format_safe(f.first_refused.path, name, sizeof(name));
    return err_set(err, ERR_DENIED, "IMA entry %zu (%s): %s",
            f.first_refused.index + 1, name, f.why);
}
