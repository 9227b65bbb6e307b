/* SPDX-License-Identifier: Apache-2.0 */
/* The endorsement key: its certificate, its public area (TCG EK profile). */
#include "tpm_private.h"

#define NV_CHUNK 512 /* every TPM's NV buffer takes this much at once */
#define NV_MAX   8192

static const struct {
    TPM2_HANDLE nv, key;
} ek_of[] = {
        [TPM_EK_RSA2048] = {0x01c00002, 0x81010001},
        [TPM_EK_P384] = {0x01c00016, 0x81010016},
};

int tpm_ek_load(struct tpm *t, enum tpm_ek ek, ESYS_TR *ret, struct err *err)
{
    TSS2_RC rc;

    rc = Esys_TR_FromTPMPublic(t->esys, ek_of[ek].key, ESYS_TR_NONE,
            ESYS_TR_NONE, ESYS_TR_NONE, ret);
    return tpm_check(rc, "find the endorsement key", err);
}

/*
 * The DER in an NV area.  Old chips put 10 01 00, a length and 10 02 before
 * it, and all pad behind it.
 */
static int der_of(struct span nv, struct span *ret, struct err *err)
{
    static const uint8_t wrapped[] = {0x10, 0x01, 0x00};
    size_t skip = nv.len > 7 && memcmp(nv.ptr, wrapped, 3) == 0 ? 7 : 0;
    struct wire_reader r = wire_reader_of(SPAN(nv.ptr + skip, nv.len - skip));
    uint16_t tag, len;

    if (!wire_get_u16be(&r, &tag) || !wire_get_u16be(&r, &len) ||
            tag != 0x3082 || len > r.left)
        return err_set(err, ERR_SYNTAX,
                "the TPM's NV area of the EK certificate holds no certificate");
    *ret = SPAN(nv.ptr + skip, 4u + len);
    return 0;
}

static int nv_read(struct tpm *t, ESYS_TR nv, size_t size, struct buf *ret,
        struct err *err)
{
    TPM2B_MAX_NV_BUFFER *part = NULL;
    size_t n;
    TSS2_RC rc;

    while (ret->len < size) {
        n = size - ret->len < NV_CHUNK ? size - ret->len : NV_CHUNK;
        rc = Esys_NV_Read(t->esys, nv, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                ESYS_TR_NONE, (UINT16)n, (UINT16)ret->len, &part);
        if (rc != 0)
            return tpm_check(rc, "read the EK certificate", err);
        buf_append(ret, SPAN(part->buffer, part->size));
        if (part->size != n)
            ret->error = ret->error ? ret->error : ERR_LIMIT;
        Esys_Free(part);
        if (buf_ok(ret, err) != 0)
            return ret->error;
    }
    return 0;
}

int tpm_ek_cert(struct tpm *t, enum tpm_ek ek, struct buf *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf area = BUF_INIT(NV_MAX);
    ESYS_TR nv = ESYS_TR_NONE;
    TPM2B_NV_PUBLIC *pub = NULL;
    struct span der;
    size_t size;
    TSS2_RC rc;
    int r;

    rc = Esys_TR_FromTPMPublic(t->esys, ek_of[ek].nv, ESYS_TR_NONE,
            ESYS_TR_NONE, ESYS_TR_NONE, &nv);
    if (rc != 0)
        return tpm_check(rc, "find the EK certificate", err);
    rc = Esys_NV_ReadPublic(
            t->esys, nv, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &pub, NULL);
    size = rc == 0 ? pub->nvPublic.dataSize : 0;
    Esys_Free(pub);
    r = tpm_check(rc, "find the size of the EK certificate", err);
    if (r == 0)
        r = nv_read(t, nv, size, &area, err);
    Esys_TR_Close(t->esys, &nv);
    if (r == 0)
        r = der_of(buf_span(&area), &der, err);
    if (r != 0)
        return r;
    buf_append(ret, der);
    return buf_ok(ret, err);
}

int tpm_ek_public(
        struct tpm *t, enum tpm_ek ek, struct buf *ret, struct err *err)
{
    uint8_t bytes[TPM_PUBLIC_MAX];
    TPM2B_PUBLIC *pub = NULL;
    ESYS_TR key = ESYS_TR_NONE;
    size_t len = 0;
    TSS2_RC rc;
    int r;

    r = tpm_ek_load(t, ek, &key, err);
    if (r != 0)
        return r;
    rc = Esys_ReadPublic(t->esys, key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
            &pub, NULL, NULL);
    if (rc == 0)
        rc = Tss2_MU_TPMT_PUBLIC_Marshal(
                &pub->publicArea, bytes, sizeof bytes, &len);
    Esys_Free(pub);
    Esys_TR_Close(t->esys, &key);
    if (rc != 0)
        return tpm_check(rc, "read the endorsement key", err);
    buf_append(ret, SPAN(bytes, len));
    return buf_ok(ret, err);
}
