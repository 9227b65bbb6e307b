/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD's certificates, read as the narrow profile that they are: X.509 version
 * 3, RSASSA-PSS with SHA-384 throughout, RSA keys for CAs, P-384 for a VEK,
 * AMD's own extensions (VCEK and KDS specification, table 8).  Anything else
 * is refused, and so no general decoder sees these bytes.
 */
#include "snp_private.h"

/* AMD's have at most 12. */
#define EXTENSIONS_MAX 24

static const uint8_t oid_pss[] = {
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};
static const uint8_t oid_mgf1[] = {
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08};
static const uint8_t oid_sha384[] = {
        0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02};
static const uint8_t oid_cn[] = {0x55, 0x04, 0x03};
static const uint8_t oid_basic_constraints[] = {0x55, 0x1d, 0x13};
static const uint8_t oid_key_usage[] = {0x55, 0x1d, 0x0f};
/* 1.3.6.1.4.1.3704.1 */
static const uint8_t oid_amd[] = {
        0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01};

/* AlgorithmIdentifier of a hash: its parameters are NULL or absent. */
static bool get_sha384(struct wire_reader *r)
{
    struct wire_reader alg;
    struct span oid, null;

    return der_get_sub(r, DER_SEQUENCE, &alg) && der_get(&alg, DER_OID, &oid) &&
           span_eq(oid, SPAN_OF(oid_sha384)) &&
           (wire_end(&alg) || (der_get(&alg, DER_NULL, &null) &&
                                      null.len == 0 && wire_end(&alg)));
}

static bool get_mgf1(struct wire_reader *r)
{
    struct wire_reader alg;
    struct span oid;

    return der_get_sub(r, DER_SEQUENCE, &alg) && der_get(&alg, DER_OID, &oid) &&
           span_eq(oid, SPAN_OF(oid_mgf1)) && get_sha384(&alg) &&
           wire_end(&alg);
}

/* RFC 8017, A.2.3.  AMD writes the trailer field though it is the default. */
bool snp_cert_is_pss384(struct span algorithm)
{
    struct wire_reader r = wire_reader_of(algorithm), params, field;
    struct span oid;
    uint64_t v;

    if (!der_get(&r, DER_OID, &oid) || !span_eq(oid, SPAN_OF(oid_pss)) ||
            !der_get_sub(&r, DER_SEQUENCE, &params) || !wire_end(&r))
        return false;
    if (!der_get_sub(&params, DER_CONTEXT_CONSTRUCTED(0), &field) ||
            !get_sha384(&field) || !wire_end(&field) ||
            !der_get_sub(&params, DER_CONTEXT_CONSTRUCTED(1), &field) ||
            !get_mgf1(&field) || !wire_end(&field) ||
            !der_get_sub(&params, DER_CONTEXT_CONSTRUCTED(2), &field) ||
            !der_get_u64(&field, &v) || v != 48 || !wire_end(&field))
        return false;
    if (wire_end(&params))
        return true;
    return der_get_sub(&params, DER_CONTEXT_CONSTRUCTED(3), &field) &&
           der_get_u64(&field, &v) && v == 1 && wire_end(&field) &&
           wire_end(&params);
}

int snp_cert_signed(
        struct span tbs, struct span signature, const struct crypto_pub *issuer)
{
    return crypto_verify(
            issuer, CRYPTO_SIG_RSAPSS_DIGEST, CRYPTO_SHA384, tbs, signature);
}

/* The only common name of a Name. */
static bool find_cn(struct span name, struct span *ret)
{
    struct wire_reader all = wire_reader_of(name), rdns, rdn, attribute;
    struct span oid, value, cn = SPAN_EMPTY;
    uint8_t tag;

    if (!der_get_sub(&all, DER_SEQUENCE, &rdns) || !wire_end(&all))
        return false;
    while (!wire_end(&rdns)) {
        if (!der_get_sub(&rdns, DER_SET, &rdn) ||
                !der_get_sub(&rdn, DER_SEQUENCE, &attribute) ||
                !wire_end(&rdn) || !der_get(&attribute, DER_OID, &oid) ||
                !der_get_any(&attribute, &tag, &value) || !wire_end(&attribute))
            return false;
        if (!span_eq(oid, SPAN_OF(oid_cn)))
            continue;
        if (cn.len > 0 || value.len == 0 ||
                (tag != DER_UTF8_STRING && tag != DER_PRINTABLE_STRING))
            return false;
        cn = value;
    }
    *ret = cn;
    return cn.len > 0 && text_is_utf8(cn);
}

static bool get_basic_constraints(struct span value, struct snp_cert *c)
{
    struct wire_reader all = wire_reader_of(value), r;

    if (!der_get_sub(&all, DER_SEQUENCE, &r) || !wire_end(&all))
        return false;
    if (der_peek(&r) == DER_BOOLEAN && !der_get_bool(&r, &c->is_ca))
        return false;
    if (!wire_end(&r)) {
        c->has_path_limit = true;
        if (!der_get_u64(&r, &c->path_limit))
            return false;
    }
    return wire_end(&r);
}

static bool get_key_usage(struct span value, struct snp_cert *c)
{
    struct wire_reader r = wire_reader_of(value);
    struct span bits;

    if (!der_get(&r, DER_BIT_STRING, &bits) || !wire_end(&r) || bits.len < 2 ||
            bits.ptr[0] > 7)
        return false;
    c->may_sign_certs = bits.ptr[1] & 0x04; /* keyCertSign is bit 5 */
    c->may_sign_crls = bits.ptr[1] & 0x02;  /* cRLSign is bit 6 */
    return true;
}

/* ---- AMD's extensions ------------------------------------------------- */

struct amd {
    uint64_t struct_version, spl[10]; /* 1 to 9 */
    uint16_t seen_spl;
    struct span product_name, hwid, csp_id;
};

static bool get_ia5(struct span value, struct span *ret)
{
    struct wire_reader r = wire_reader_of(value);
    struct span s;

    if (!der_get(&r, DER_IA5_STRING, &s) || !wire_end(&r) || s.len == 0 ||
            !text_is_utf8(s))
        return false;
    *ret = s;
    return true;
}

static bool is_hwid_size(size_t n)
{
    return n == SNP_CHIP_ID || n == SNP_CHIP_ID_TURIN;
}

/* Its bytes as they are, or in an OCTET STRING. */
static bool get_hwid(struct span value, struct span *ret)
{
    struct wire_reader r = wire_reader_of(value);
    struct span s = value;

    if (!is_hwid_size(value.len) &&
            (!der_get(&r, DER_OCTET_STRING, &s) || !wire_end(&r) ||
                    !is_hwid_size(s.len)))
        return false;
    *ret = s;
    return true;
}

/* tail: the arcs behind 1.3.6.1.4.1.3704.1. */
static bool get_amd(
        struct span tail, struct span value, bool critical, struct amd *a)
{
    struct wire_reader r = wire_reader_of(value);
    uint64_t v;

    if (tail.len == 1 && tail.ptr[0] == 2)
        return get_ia5(value, &a->product_name);
    if (tail.len == 1 && tail.ptr[0] == 4)
        return get_hwid(value, &a->hwid);
    if (tail.len == 1 && tail.ptr[0] == 5)
        return get_ia5(value, &a->csp_id);
    if (tail.len == 1 && tail.ptr[0] == 1)
        return der_get_u64(&r, &a->struct_version) && wire_end(&r);
    if (tail.len != 2 || tail.ptr[0] != 3 || tail.ptr[1] < 1 || tail.ptr[1] > 9)
        return !critical; /* one that is not known yet says nothing here */
    if (!der_get_u64(&r, &v) || v > 0xff || !wire_end(&r))
        return false;
    a->spl[tail.ptr[1]] = v;
    a->seen_spl |= (uint16_t)(1u << tail.ptr[1]);
    return true;
}

static bool set_tcb(const struct amd *a, struct snp_cert *c)
{
    /* bl, tee, snp, ucode; Turin has fmc too. */
    uint16_t need = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 8;

    if (c->product == SNP_TURIN)
        need |= 1u << 9;
    if ((a->seen_spl & need) != need)
        return false;
    c->tcb = (struct snp_tcb){
            .fmc = c->product == SNP_TURIN ? (uint8_t)a->spl[9] : 0,
            .bootloader = (uint8_t)a->spl[1],
            .tee = (uint8_t)a->spl[2],
            .snp = (uint8_t)a->spl[3],
            .microcode = (uint8_t)a->spl[8]};
    return true;
}

/* Is it a VEK, and of which kind? */
static void set_vek(const struct amd *a, struct snp_cert *c)
{
    bool vcek = span_eq_str(c->cn, "SEV-VCEK");
    bool vlek = span_eq_str(c->cn, "SEV-VLEK");

    c->product = snp_product_of_name(a->product_name);
    if (c->is_ca || (!vcek && !vlek) || c->product == SNP_PRODUCT_UNKNOWN ||
            a->struct_version > 1 || !set_tcb(a, c) ||
            (a->hwid.len > 0 && (a->hwid.len == SNP_CHIP_ID_TURIN) !=
                                        (c->product == SNP_TURIN)))
        return;
    c->is_vek = true;
    c->kind = vcek ? SNP_KEY_VCEK : SNP_KEY_VLEK;
    c->product_name = a->product_name;
    c->hwid = a->hwid;
    c->csp_id = a->csp_id;
}

static bool get_extension(struct wire_reader *list, struct span *ret_oid,
        struct snp_cert *c, struct amd *a)
{
    struct wire_reader r;
    struct span oid, value;
    bool critical = false;

    if (!der_get_sub(list, DER_SEQUENCE, &r) || !der_get(&r, DER_OID, &oid) ||
            (der_peek(&r) == DER_BOOLEAN && !der_get_bool(&r, &critical)) ||
            !der_get(&r, DER_OCTET_STRING, &value) || !wire_end(&r))
        return false;
    *ret_oid = oid;
    if (span_eq(oid, SPAN_OF(oid_basic_constraints)))
        return get_basic_constraints(value, c);
    if (span_eq(oid, SPAN_OF(oid_key_usage)))
        return get_key_usage(value, c);
    if (oid.len > sizeof(oid_amd) &&
            memcmp(oid.ptr, oid_amd, sizeof(oid_amd)) == 0)
        return get_amd(
                SPAN(oid.ptr + sizeof(oid_amd), oid.len - sizeof(oid_amd)),
                value, critical, a);
    return !critical;
}

static bool get_extensions(
        struct wire_reader *tbs, struct snp_cert *c, struct amd *a)
{
    struct wire_reader outer, list;
    struct span seen[EXTENSIONS_MAX];

    if (!der_get_sub(tbs, DER_CONTEXT_CONSTRUCTED(3), &outer) ||
            !der_get_sub(&outer, DER_SEQUENCE, &list) || !wire_end(&outer))
        return false;
    /* Without a key usage, any. */
    c->may_sign_certs = c->may_sign_crls = true;
    for (size_t n = 0; !wire_end(&list); n++) {
        if (n == EXTENSIONS_MAX || !get_extension(&list, &seen[n], c, a))
            return false;
        for (size_t i = 0; i < n; i++) { /* RFC 5280, 4.2: once each */
            if (span_eq(seen[i], seen[n]))
                return false;
        }
    }
    return true;
}

static bool get_validity(struct wire_reader *tbs, struct snp_cert *c)
{
    struct wire_reader r;

    return der_get_sub(tbs, DER_SEQUENCE, &r) &&
           der_get_time(&r, &c->not_before) &&
           der_get_time(&r, &c->not_after) && wire_end(&r) &&
           c->not_before <= c->not_after;
}

static bool get_tbs(struct span tbs, struct span algorithm, struct snp_cert *c)
{
    struct wire_reader all = wire_reader_of(tbs), r, version;
    struct amd a = {0};
    struct span inner;
    uint64_t v;

    if (!der_get_sub(&all, DER_SEQUENCE, &r) || !wire_end(&all) ||
            !der_get_sub(&r, DER_CONTEXT_CONSTRUCTED(0), &version) ||
            !der_get_u64(&version, &v) || v != 2 || !wire_end(&version) ||
            !der_get_unsigned(&r, &c->serial) ||
            !der_get(&r, DER_SEQUENCE, &inner) ||
            /* RFC 5280, 4.1.1.2: what was signed says the same. */
            !span_eq(inner, algorithm) ||
            !der_get_whole(&r, DER_SEQUENCE, &c->issuer) ||
            !get_validity(&r, c) ||
            !der_get_whole(&r, DER_SEQUENCE, &c->subject) ||
            !der_get_whole(&r, DER_SEQUENCE, &c->spki) ||
            !get_extensions(&r, c, &a) || !wire_end(&r) ||
            !find_cn(c->subject, &c->cn))
        return false;
    set_vek(&a, c);
    return true;
}

int snp_cert_parse(struct span der, struct snp_cert *ret, struct err *err)
{
    struct wire_reader all = wire_reader_of(der), r;
    struct snp_cert c = {.der = der};
    struct span algorithm;

    if (der.len > SNP_CERT_MAX)
        return err_set(err, ERR_LIMIT, "AMD certificate: %zu bytes, at most %d",
                der.len, SNP_CERT_MAX);
    if (!der_get_sub(&all, DER_SEQUENCE, &r) || !wire_end(&all) ||
            !der_get_whole(&r, DER_SEQUENCE, &c.tbs) ||
            !der_get(&r, DER_SEQUENCE, &algorithm) ||
            !der_get_bits(&r, &c.signature) || !wire_end(&r))
        return err_set(err, ERR_SYNTAX, "AMD certificate: not a certificate");
    if (!snp_cert_is_pss384(algorithm))
        return err_set(err, ERR_UNSUPPORTED,
                "AMD certificate: not signed with RSASSA-PSS, SHA-384, salt "
                "48");
    if (!get_tbs(c.tbs, algorithm, &c))
        return err_set(err, ERR_SYNTAX,
                "AMD certificate: not of AMD's profile, or an unknown "
                "critical extension");
    *ret = c;
    return 0;
}
