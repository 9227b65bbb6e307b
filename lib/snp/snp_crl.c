/* SPDX-License-Identifier: Apache-2.0 */
/* AMD's CRL (RFC 5280, 5; VCEK and KDS specification, 4.3): signed by an ARK,
 * lists the CAs below it that fell. */
#include "snp_private.h"

static const uint8_t oid_crl_number[] = {0x55, 0x1d, 0x14};
static const uint8_t oid_authority_key[] = {0x55, 0x1d, 0x23};

/* Every entry is read once, so that later looks cannot fail. */
static bool get_entry(struct wire_reader *list, struct span *ret_serial)
{
    struct wire_reader r, extensions;
    struct span serial;
    uint64_t when;

    if (!der_get_sub(list, DER_SEQUENCE, &r) ||
            !der_get_unsigned(&r, &serial) || !der_get_time(&r, &when))
        return false;
    /* A reason code changes nothing: what is listed is refused. */
    if (!wire_end(&r) &&
            (!der_get_sub(&r, DER_SEQUENCE, &extensions) || !wire_end(&r)))
        return false;
    *ret_serial = serial;
    return true;
}

/* crlNumber and the issuer's key identifier; a delta CRL or one of a part of
 * the certificates has a critical extension, and is refused. */
static bool get_extensions(struct wire_reader *tbs)
{
    struct wire_reader outer, list, r;
    struct span oid, value;
    bool critical;

    if (!der_get_sub(tbs, DER_CONTEXT_CONSTRUCTED(0), &outer) ||
            !der_get_sub(&outer, DER_SEQUENCE, &list) || !wire_end(&outer))
        return false;
    while (!wire_end(&list)) {
        critical = false;
        if (!der_get_sub(&list, DER_SEQUENCE, &r) ||
                !der_get(&r, DER_OID, &oid) ||
                (der_peek(&r) == DER_BOOLEAN && !der_get_bool(&r, &critical)) ||
                !der_get(&r, DER_OCTET_STRING, &value) || !wire_end(&r))
            return false;
        if (critical && !span_eq(oid, SPAN_OF(oid_crl_number)) &&
                !span_eq(oid, SPAN_OF(oid_authority_key)))
            return false;
    }
    return true;
}

static bool get_tbs(struct span tbs, struct span algorithm, struct snp_crl *c)
{
    struct wire_reader all = wire_reader_of(tbs), r, entries;
    struct span inner, serial;
    uint64_t v;

    if (!der_get_sub(&all, DER_SEQUENCE, &r) || !wire_end(&all) ||
            !der_get_u64(&r, &v) || v != 1 ||
            !der_get(&r, DER_SEQUENCE, &inner) || !span_eq(inner, algorithm) ||
            !der_get_whole(&r, DER_SEQUENCE, &c->issuer) ||
            !der_get_time(&r, &c->this_update) ||
            !der_get_time(&r, &c->next_update) ||
            c->this_update > c->next_update)
        return false;
    if (der_peek(&r) == DER_SEQUENCE) {
        if (!der_get(&r, DER_SEQUENCE, &c->revoked))
            return false;
        entries = wire_reader_of(c->revoked);
        while (!wire_end(&entries)) {
            if (!get_entry(&entries, &serial))
                return false;
        }
    }
    return (wire_end(&r) || get_extensions(&r)) && wire_end(&r);
}

int snp_crl_parse(struct span der, struct snp_crl *ret, struct err *err)
{
    struct wire_reader all = wire_reader_of(der), r;
    struct snp_crl c = {0};
    struct span algorithm;

    if (der.len > SNP_CRL_MAX)
        return err_set(err, ERR_LIMIT, "AMD CRL: %zu bytes, at most %u",
                der.len, SNP_CRL_MAX);
    if (!der_get_sub(&all, DER_SEQUENCE, &r) || !wire_end(&all) ||
            !der_get_whole(&r, DER_SEQUENCE, &c.tbs) ||
            !der_get(&r, DER_SEQUENCE, &algorithm) ||
            !der_get_bits(&r, &c.signature) || !wire_end(&r) ||
            !snp_cert_is_pss384(algorithm) || !get_tbs(c.tbs, algorithm, &c))
        return err_set(err, ERR_SYNTAX, "AMD CRL: not a CRL of AMD's profile");
    *ret = c;
    return 0;
}

bool snp_crl_lists(const struct snp_crl *c, struct span serial)
{
    struct wire_reader entries = wire_reader_of(c->revoked);
    struct span s;

    while (!wire_end(&entries)) {
        if (!get_entry(&entries, &s) || span_eq(s, serial))
            return true;
    }
    return false;
}
