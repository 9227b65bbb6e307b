/* SPDX-License-Identifier: Apache-2.0 */
/* Endorsement key certificates (TCG EK Credential Profile 2.5). */
#include "tcg_private.h"

#define EKU_EK                       "2.23.133.8.1"
#define SUBJECT_DIRECTORY_ATTRIBUTES "2.5.29.9"
/* Real ones have a hundred bytes, with evaluation documents some hundreds. */
#define ATTRIBUTES_MAX 2048

/* TCG_PCCLIENT_STORED_CERT: tag 1001, type 0, size, tag 1002 of the body. */
static bool skip_nv_header(struct wire_reader *r)
{
    struct wire_reader at = *r;
    uint16_t tag, size, body;
    uint8_t type;

    if (!wire_get_u16be(&at, &tag) || tag != 0x1001)
        return true;
    if (!wire_get_u8(&at, &type) || type != 0 || !wire_get_u16be(&at, &size) ||
            !wire_get_u16be(&at, &body) || body != 0x1002 || size > at.left + 2)
        return false;
    *r = at;
    return true;
}

/* Length of the DER SEQUENCE at the front, its header included. */
static bool der_length(struct wire_reader r, size_t *ret)
{
    uint8_t tag, first;
    uint16_t n;

    if (!wire_get_u8(&r, &tag) || tag != 0x30 || !wire_get_u8(&r, &first) ||
            first != 0x82 || !wire_get_u16be(&r, &n) || n < 256 || n > r.left)
        return false;
    *ret = 4 + (size_t)n;
    return true;
}

int tcg_ek_trim(struct span nv, struct span *ret)
{
    struct wire_reader r = wire_reader_of(nv);
    struct span der;
    size_t len;

    if (!skip_nv_header(&r) || !der_length(r, &len) ||
            !wire_get_span(&r, len, &der))
        return ERR_SYNTAX;
    for (size_t i = 0; i < r.left; i++) {
        if (r.ptr[i] != r.ptr[0] || (r.ptr[0] != 0x00 && r.ptr[0] != 0xff))
            return ERR_SYNTAX;
    }
    *ret = der;
    return 0;
}

static int check_profile(
        const struct crypto_cert *cert, struct tcg_ek *e, struct err *err)
{
    struct {
        const char *oid;
        const char *name;
        char *to;
    } san[] = {
            {"2.23.133.2.1", "manufacturer", e->manufacturer},
            {"2.23.133.2.2", "model", e->model},
            {"2.23.133.2.3", "version", e->version},
    };

    if (!crypto_cert_has_eku(cert, EKU_EK))
        return err_set(err, ERR_DENIED,
                "extended key usage " EKU_EK " (endorsement key) is missing");
    if (crypto_cert_is_ca(cert))
        return err_set(err, ERR_DENIED, "it is a certificate authority");
    for (size_t i = 0; i < ARRAY_LEN(san); i++) {
        if (crypto_cert_tpm_san(cert, san[i].oid, san[i].to, TCG_EK_TEXT) != 0)
            return err_set(err, ERR_DENIED,
                    "TPM %s (%s) is missing from the alternative name",
                    san[i].name, san[i].oid);
    }
    return 0;
}

/* ---- SubjectDirectoryAttributes (EK Credential Profile, 3.2.9) -------- */

/* id-at-tpmSpecification and id-at-tpmSecurityAssertions: 2.23.133.2.16, .18 */
static const uint8_t oid_spec[] = {0x67, 0x81, 0x05, 0x02, 0x10};
static const uint8_t oid_assertions[] = {0x67, 0x81, 0x05, 0x02, 0x12};

static bool get_spec(struct wire_reader r, struct tcg_ek *e)
{
    struct wire_reader in;
    struct span family;
    uint64_t level, revision;

    if (!der_get_sub(&r, DER_SEQUENCE, &in) || !wire_end(&r) ||
            !der_get(&in, DER_UTF8_STRING, &family) ||
            !der_get_u64(&in, &level) || !der_get_u64(&in, &revision) ||
            !wire_end(&in) || family.len >= sizeof(e->family) ||
            !text_is_utf8(family))
        return false;
    e->has_spec = true;
    memset(e->family, 0, sizeof(e->family));
    if (family.len > 0)
        memcpy(e->family, family.ptr, family.len);
    e->level = level;
    e->revision = revision;
    return true;
}

/* [0] ENUMERATED: implicit by the profile, explicit in chips of Infineon. */
static bool get_generation(struct wire_reader *in, struct span *ret)
{
    struct wire_reader inner;

    if (der_peek(in) == DER_CONTEXT(0))
        return der_get(in, DER_CONTEXT(0), ret) && ret->len == 1;
    if (der_peek(in) == DER_CONTEXT_CONSTRUCTED(0))
        return der_get_sub(in, DER_CONTEXT_CONSTRUCTED(0), &inner) &&
               der_get(&inner, DER_ENUMERATED, ret) && wire_end(&inner) &&
               ret->len == 1;
    return true;
}

/* Version and fieldUpgradable have defaults; what follows is optional. */
static bool get_assertions(struct wire_reader r, struct tcg_ek *e)
{
    struct wire_reader in;
    struct span generation = SPAN_EMPTY;
    uint64_t version = 0;
    bool upgradable = false;

    if (!der_get_sub(&r, DER_SEQUENCE, &in) || !wire_end(&r))
        return false;
    if (der_peek(&in) == DER_INTEGER && !der_get_u64(&in, &version))
        return false;
    if (der_peek(&in) == DER_BOOLEAN && !der_get_bool(&in, &upgradable))
        return false;
    if (!get_generation(&in, &generation))
        return false;
    e->has_assertions = true;
    e->field_upgradable = upgradable;
    e->has_generation = generation.len == 1;
    e->generation = generation.len == 1 ? generation.ptr[0] : 0;
    return true;
}

void tcg_ek_attributes(struct span der, struct tcg_ek *ret)
{
    struct wire_reader r = wire_reader_of(der), list, one, values;
    struct tcg_ek e = *ret;
    struct span oid;

    if (!der_get_sub(&r, DER_SEQUENCE, &list) || !wire_end(&r))
        return;
    while (!wire_end(&list)) {
        if (!der_get_sub(&list, DER_SEQUENCE, &one) ||
                !der_get(&one, DER_OID, &oid) ||
                !der_get_sub(&one, DER_SET, &values) || !wire_end(&one))
            return;
        if (span_eq(oid, SPAN_OF(oid_spec)) && !get_spec(values, &e))
            return;
        if (span_eq(oid, SPAN_OF(oid_assertions)) &&
                !get_assertions(values, &e))
            return;
    }
    *ret = e;
}

int tcg_ek_verify(const struct crypto_cert *cert,
        struct crypto_cert *const *inters, size_t n_inters,
        struct crypto_cert *const *roots, size_t n_roots, uint64_t unix_s,
        struct tcg_ek *ret, struct crypto_pub **ret_pub, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *pub = NULL;
    uint8_t spki[CRYPTO_SPKI_MAX], attributes[ATTRIBUTES_MAX];
    struct tcg_ek e = {0};
    size_t len;
    int r = check_profile(cert, &e, err);

    if (r == 0)
        r = crypto_cert_path(
                cert, inters, n_inters, roots, n_roots, unix_s, err);
    if (r != 0)
        return err_prefix(err, r, "endorsement key certificate");
    pub = crypto_cert_pub(cert);
    if (!pub || crypto_pub_spki(pub, spki, sizeof(spki), &len) != 0)
        return err_set(err, ERR_UNSUPPORTED,
                "endorsement key certificate: unknown kind of key");
    crypto_sha256(SPAN(spki, len), e.spki_sha256);
    if (crypto_cert_extension(cert, SUBJECT_DIRECTORY_ATTRIBUTES, attributes,
                sizeof(attributes), &len) == 0)
        tcg_ek_attributes(SPAN(attributes, len), &e);
    *ret = e;
    *ret_pub = TAKE_PTR(pub);
    return 0;
}
