/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs: what leaves the TPM and can be loaded again. */
#include "tpm_private.h"

int tpm_blob_of(const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *priv,
        struct tpm_blob *ret, struct err *err)
{
    struct tpm_blob b = {.len = 0};
    TSS2_RC rc;

    rc = Tss2_MU_TPM2B_PUBLIC_Marshal(pub, b.bytes, sizeof b.bytes, &b.len);
    if (rc == 0)
        rc = Tss2_MU_TPM2B_PRIVATE_Marshal(
                priv, b.bytes, sizeof b.bytes, &b.len);
    if (rc != 0)
        return tpm_check(rc, "encode the object", err);
    *ret = b;
    return 0;
}

int tpm_blob_parse(const struct tpm_blob *blob, TPM2B_PUBLIC *ret_pub,
        TPM2B_PRIVATE *ret_priv, struct err *err)
{
    size_t at = 0;
    TSS2_RC rc;

    *ret_pub = (TPM2B_PUBLIC){.size = 0};
    *ret_priv = (TPM2B_PRIVATE){.size = 0};
    rc = Tss2_MU_TPM2B_PUBLIC_Unmarshal(blob->bytes, blob->len, &at, ret_pub);
    /* MU does not compare the length prefix with what it read */
    if (rc == 0 && at != 2u + ret_pub->size)
        rc = TSS2_MU_RC_BAD_SIZE;
    if (rc == 0)
        rc = Tss2_MU_TPM2B_PRIVATE_Unmarshal(
                blob->bytes, blob->len, &at, ret_priv);
    if (rc != 0 || at != blob->len)
        return err_set(err, ERR_SYNTAX, "not a TPM object of this program");
    return 0;
}

int tpm_blob_from(struct span bytes, struct tpm_blob *ret, struct err *err)
{
    struct tpm_blob b = {.len = bytes.len};
    TPM2B_PUBLIC pub;
    TPM2B_PRIVATE priv;
    int r;

    if (bytes.len > sizeof b.bytes)
        return err_set(err, ERR_LIMIT, "a TPM object of %zu bytes", bytes.len);
    memcpy(b.bytes, bytes.ptr, bytes.len);
    r = tpm_blob_parse(&b, &pub, &priv, err);
    if (r != 0)
        return r;
    *ret = b;
    return 0;
}

struct span tpm_blob_public(const struct tpm_blob *blob)
{
    struct wire_reader r = wire_reader_of(SPAN(blob->bytes, blob->len));
    struct span pub = SPAN_EMPTY;

    return wire_get_vec16be(&r, &pub) ? pub : SPAN_EMPTY;
}

int tpm_blob_point(const struct tpm_blob *blob, uint8_t ret[static 65])
{
    TPM2B_PUBLIC pub;
    TPM2B_PRIVATE priv;
    const TPMS_ECC_POINT *point = &pub.publicArea.unique.ecc;

    if (tpm_blob_parse(blob, &pub, &priv, NULL) != 0)
        return ERR_SYNTAX;
    if (pub.publicArea.type != TPM2_ALG_ECC ||
            pub.publicArea.parameters.eccDetail.curveID != TPM2_ECC_NIST_P256 ||
            point->x.size > 32 || point->y.size > 32)
        return ERR_UNSUPPORTED;
    memset(ret, 0, 65);
    ret[0] = 0x04;
    memcpy(ret + 33 - point->x.size, point->x.buffer, point->x.size);
    memcpy(ret + 65 - point->y.size, point->y.buffer, point->y.size);
    return 0;
}
