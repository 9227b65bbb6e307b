/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authenticode signatures: SignedData (RFC 2315, PKCS #7) around a digest of
 * the image (Microsoft, "Windows Authenticode Portable Executable Signature
 * Format").
 */
#include "pe.h"

#include "der.h"

#define OID_SIGNED_DATA "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
#define OID_INDIRECT    "\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x04"
#define OID_CONTENT     "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"
#define OID_DIGEST      "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"
#define OID_RSA         "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"

static bool is_oid(struct span s, const char *oid)
{
    return span_eq_str(s, oid);
}

/* Hash algorithms and RSA signatures with them. */
static const struct {
    const char *oid, *rsa_oid;
    enum crypto_hash hash;
} hashes[] = {
        {"\x60\x86\x48\x01\x65\x03\x04\x02\x01",
                "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", CRYPTO_SHA256},
        {"\x60\x86\x48\x01\x65\x03\x04\x02\x02",
                "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", CRYPTO_SHA384},
        {"\x60\x86\x48\x01\x65\x03\x04\x02\x03",
                "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", CRYPTO_SHA512},
};

/* AlgorithmIdentifier with NULL parameters or none. */
static bool get_algorithm(struct wire_reader *r, struct span *ret)
{
    struct wire_reader alg;
    struct span oid, null;

    if (!der_get_sub(r, DER_SEQUENCE, &alg) || !der_get(&alg, DER_OID, &oid))
        return false;
    if (!wire_end(&alg) &&
            (!der_get(&alg, DER_NULL, &null) || null.len || !wire_end(&alg)))
        return false;
    *ret = oid;
    return true;
}

static bool get_hash(struct wire_reader *r, enum crypto_hash *ret)
{
    struct span oid;

    if (!get_algorithm(r, &oid))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        if (is_oid(oid, hashes[i].oid)) {
            *ret = hashes[i].hash;
            return true;
        }
    }
    return false;
}

/* RSA, or RSA with the very hash. */
static bool get_rsa(struct wire_reader *r, enum crypto_hash hash)
{
    struct span oid;

    if (!get_algorithm(r, &oid))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        if (hashes[i].hash == hash && is_oid(oid, hashes[i].rsa_oid))
            return true;
    }
    return is_oid(oid, OID_RSA);
}

/* SpcIndirectDataContent: what kind of thing it is, then its digest. */
static bool get_content(struct wire_reader *r, struct pe_signature *s)
{
    struct wire_reader info, body, digest;
    struct span oid, whole, data;

    if (!der_get_sub(r, DER_SEQUENCE, &info) ||
            !der_get(&info, DER_OID, &oid) || !is_oid(oid, OID_INDIRECT) ||
            !der_get_sub(&info, DER_CONTEXT_CONSTRUCTED(0), &body) ||
            !wire_end(&info) || !der_get(&body, DER_SEQUENCE, &s->content) ||
            !wire_end(&body))
        return false;
    body = wire_reader_of(s->content);
    if (!der_get_whole(&body, DER_SEQUENCE, &whole) ||
            !der_get_sub(&body, DER_SEQUENCE, &digest) || !wire_end(&body) ||
            !get_hash(&digest, &s->hash) ||
            !der_get(&digest, DER_OCTET_STRING, &data) || !wire_end(&digest))
        return false;
    s->digest = data;
    return data.len == crypto_hash_size(s->hash);
}

/* Attributes that are signed: they must name the content and its digest. */
static bool get_attributes(struct span set, struct pe_signature *s)
{
    struct wire_reader r = wire_reader_of(set);
    bool has_content = false, has_digest = false;

    while (!wire_end(&r)) {
        struct wire_reader attribute, values;
        struct span oid, value;

        if (!der_get_sub(&r, DER_SEQUENCE, &attribute) ||
                !der_get(&attribute, DER_OID, &oid) ||
                !der_get_sub(&attribute, DER_SET, &values) ||
                !wire_end(&attribute))
            return false;
        if (is_oid(oid, OID_CONTENT)) {
            if (has_content || !der_get(&values, DER_OID, &value) ||
                    !wire_end(&values) || !is_oid(value, OID_INDIRECT))
                return false;
            has_content = true;
        } else if (is_oid(oid, OID_DIGEST)) {
            if (has_digest || !der_get(&values, DER_OCTET_STRING, &value) ||
                    !wire_end(&values))
                return false;
            s->message_digest = value;
            has_digest = true;
        }
    }
    return has_content && has_digest;
}

/* One signer: Authenticode allows no more. */
static bool get_signer(struct wire_reader *r, struct pe_signature *s)
{
    struct wire_reader set, signer, id;
    uint64_t version;
    struct span unsigned_;

    if (!der_get_sub(r, DER_SET, &set) ||
            !der_get_sub(&set, DER_SEQUENCE, &signer) || !wire_end(&set) ||
            !der_get_u64(&signer, &version) || version != 1 ||
            !der_get_sub(&signer, DER_SEQUENCE, &id) ||
            !der_get_whole(&id, DER_SEQUENCE, &s->issuer) ||
            !der_get_whole(&id, DER_INTEGER, &s->serial) || !wire_end(&id) ||
            !get_hash(&signer, &s->signer_hash) ||
            !der_get(&signer, DER_CONTEXT_CONSTRUCTED(0), &s->attributes) ||
            !get_attributes(s->attributes, s) ||
            !get_rsa(&signer, s->signer_hash) ||
            !der_get(&signer, DER_OCTET_STRING, &s->sig))
        return false;
    /* Time stamps: not signed by the signer, of no use without a clock. */
    if (der_peek(&signer) == DER_CONTEXT_CONSTRUCTED(1) &&
            !der_get(&signer, DER_CONTEXT_CONSTRUCTED(1), &unsigned_))
        return false;
    return wire_end(&signer);
}

/* So many that each can be tried as an issuer at every step of a chain. */
static bool check_certs(struct span certs)
{
    struct wire_reader r = wire_reader_of(certs);
    struct span der;
    size_t n = 0;

    while (n < PE_CERTS_MAX && der_get_whole(&r, DER_SEQUENCE, &der))
        n++;
    return n > 0 && wire_end(&r);
}

static bool get_signed_data(struct wire_reader *r, struct pe_signature *s)
{
    struct wire_reader data, algs;
    enum crypto_hash hash;
    uint64_t version;

    if (!der_get_sub(r, DER_SEQUENCE, &data) || !der_get_u64(&data, &version) ||
            version != 1 || !der_get_sub(&data, DER_SET, &algs) ||
            !get_hash(&algs, &hash) || !wire_end(&algs) ||
            !get_content(&data, s) ||
            !der_get(&data, DER_CONTEXT_CONSTRUCTED(0), &s->certs) ||
            !check_certs(s->certs) || !get_signer(&data, s) || !wire_end(&data))
        return false;
    return hash == s->hash && hash == s->signer_hash;
}

/* Some signers count the padding of the table's entry to the entry. */
static bool is_padding(const struct wire_reader *r)
{
    for (size_t i = 0; i < r->left; i++) {
        if (r->ptr[i])
            return false;
    }
    return r->left < 8;
}

int pe_signature(struct span pkcs7, struct pe_signature *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(pkcs7), info, body;
    struct pe_signature s = {.content = SPAN_EMPTY};
    struct span oid;

    if (!der_get_sub(&r, DER_SEQUENCE, &info) || !is_padding(&r) ||
            !der_get(&info, DER_OID, &oid) || !is_oid(oid, OID_SIGNED_DATA) ||
            !der_get_sub(&info, DER_CONTEXT_CONSTRUCTED(0), &body) ||
            !wire_end(&info) || !get_signed_data(&body, &s) || !wire_end(&body))
        return err_set(err, ERR_SYNTAX,
                "signature is not an Authenticode SignedData with one signer "
                "and SHA-2");
    *ret = s;
    return 0;
}

/* ---- certificates ---------------------------------------------------- */

struct names {
    struct span serial, issuer, subject; /* with their headers */
};

/* TBSCertificate until the subject (RFC 5280, 4.1). */
static bool get_names(struct span der, struct names *ret)
{
    struct wire_reader r = wire_reader_of(der), cert, tbs;
    struct span s;
    struct names n;

    if (!der_get_sub(&r, DER_SEQUENCE, &cert) ||
            !der_get_sub(&cert, DER_SEQUENCE, &tbs))
        return false;
    if (der_peek(&tbs) == DER_CONTEXT_CONSTRUCTED(0) &&
            !der_get(&tbs, DER_CONTEXT_CONSTRUCTED(0), &s))
        return false;
    if (!der_get_whole(&tbs, DER_INTEGER, &n.serial) ||
            !der_get_whole(&tbs, DER_SEQUENCE, &s) ||
            !der_get_whole(&tbs, DER_SEQUENCE, &n.issuer) ||
            !der_get_whole(&tbs, DER_SEQUENCE, &s) ||
            !der_get_whole(&tbs, DER_SEQUENCE, &n.subject))
        return false;
    *ret = n;
    return true;
}

/* The next certificate of the set. */
static bool next_cert(struct wire_reader *r, struct span *ret)
{
    return der_get_whole(r, DER_SEQUENCE, ret);
}

static bool find_signer(const struct pe_signature *s, struct span *ret)
{
    struct wire_reader r = wire_reader_of(s->certs);
    struct span der;
    struct names n;

    while (next_cert(&r, &der)) {
        if (get_names(der, &n) && span_eq(n.issuer, s->issuer) &&
                span_eq(n.serial, s->serial)) {
            *ret = der;
            return true;
        }
    }
    return false;
}

static struct crypto_pub *key_of(struct span der)
{
    CLEANUP(crypto_cert_free_ptr)
    struct crypto_cert *c = crypto_cert_from_der(der);

    return c ? crypto_cert_pub(c) : NULL;
}

/* Is child signed by the key of parent, under its name? */
static bool is_issued_by(struct span child, struct span parent)
{
    CLEANUP(crypto_cert_free_ptr) struct crypto_cert *c = NULL, *p = NULL;
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *key = NULL;
    struct names a, b;

    if (!get_names(child, &a) || !get_names(parent, &b) ||
            !span_eq(a.issuer, b.subject))
        return false;
    c = crypto_cert_from_der(child);
    p = crypto_cert_from_der(parent);
    key = p ? crypto_cert_pub(p) : NULL;
    return c && key && crypto_cert_is_ca(p) && crypto_cert_verify(c, key) == 0;
}

/* The certificate of the set that issued one; false when there is none. */
static bool find_issuer(
        const struct pe_signature *s, struct span child, struct span *ret)
{
    struct wire_reader r = wire_reader_of(s->certs);
    struct span der;

    while (next_cert(&r, &der)) {
        if (!span_eq(der, child) && is_issued_by(child, der)) {
            *ret = der;
            return true;
        }
    }
    return false;
}

/* Over the attributes as a SET (RFC 2315, 9.3), by the signer's key. */
static int verify_signer(const struct pe_signature *s, struct span signer)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *key = key_of(signer);
    uint8_t digest[CRYPTO_HASH_MAX], header[8];
    CLEANUP(crypto_hasher_free_ptr) struct crypto_hasher *h = NULL;
    struct wire_writer w = wire_writer_of(header, sizeof(header));
    struct span head;

    crypto_hash(s->signer_hash, s->content, digest);
    if (!span_eq_ct(s->message_digest,
                SPAN(digest, crypto_hash_size(s->signer_hash))))
        return ERR_MISMATCH;
    der_put_header(&w, DER_SET, s->attributes.len);
    if (!key || !wire_finish(&w, &head))
        return ERR_UNSUPPORTED;
    h = crypto_hasher_new(s->signer_hash);
    if (!h)
        return ERR_MEMORY;
    crypto_hasher_update(h, head);
    crypto_hasher_update(h, s->attributes);
    crypto_hasher_final(h, digest);
    return crypto_verify_digest(key, CRYPTO_SIG_RSASSA, s->signer_hash,
            SPAN(digest, crypto_hash_size(s->signer_hash)), s->sig);
}

int pe_verify(const struct pe *pe, const struct pe_signature *s,
        struct span anchor, struct err *err)
{
    uint8_t digest[CRYPTO_HASH_MAX];
    struct span cert;
    int r;

    pe_digest(pe, s->hash, digest);
    if (!span_eq_ct(s->digest, SPAN(digest, crypto_hash_size(s->hash))))
        return err_set(err, ERR_MISMATCH,
                "the signature is over another image than this one");
    if (!find_signer(s, &cert))
        return err_set(err, ERR_NOT_FOUND,
                "the signer's certificate is not in "
                "the signature");
    r = verify_signer(s, cert);
    if (r != 0)
        return err_set(err, r, "the signature does not hold");
    for (unsigned depth = 0; depth < PE_CHAIN_MAX; depth++) {
        if (span_eq(cert, anchor) || is_issued_by(cert, anchor))
            return 0;
        if (!find_issuer(s, cert, &cert))
            break;
    }
    return err_set(
            err, ERR_MISMATCH, "the signer does not lead to this certificate");
}
