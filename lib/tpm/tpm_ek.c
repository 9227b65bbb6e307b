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

/*
 * Template L-1 of the TCG's EK credential profile (2.5, B.3.3).  Chips keep
 * the certificate but not always the key, which is made again from the
 * endorsement seed: the template decides which key it is.
 */
static TPM2B_PUBLIC template_rsa2048(void)
{
    static const uint8_t policy[] = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3,
            0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52,
            0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33,
            0x14, 0x69, 0xaa};
    TPM2B_PUBLIC pub = {
            .publicArea =
                    {
                            .type = TPM2_ALG_RSA,
                            .nameAlg = TPM2_ALG_SHA256,
                            .objectAttributes =
                                    TPMA_OBJECT_FIXEDTPM |
                                    TPMA_OBJECT_FIXEDPARENT |
                                    TPMA_OBJECT_SENSITIVEDATAORIGIN |
                                    TPMA_OBJECT_ADMINWITHPOLICY |
                                    TPMA_OBJECT_RESTRICTED |
                                    TPMA_OBJECT_DECRYPT,
                            .authPolicy.size = sizeof policy,
                            .parameters.rsaDetail =
                                    {
                                            .symmetric = tpm_aes_cfb_object,
                                            .scheme.scheme = TPM2_ALG_NULL,
                                            .keyBits = 2048,
                                    },
                            .unique.rsa.size = 256,
                    },
    };

    memcpy(pub.publicArea.authPolicy.buffer, policy, sizeof policy);
    return pub;
}

static int ek_create(struct tpm *t, struct tpm_ek_key *ret, struct err *err)
{
    static const TPM2B_SENSITIVE_CREATE no_auth;
    static const TPM2B_DATA no_data;
    static const TPML_PCR_SELECTION no_pcr;
    TPM2B_PUBLIC pub = template_rsa2048();
    TSS2_RC rc;

    tpm_ak_forget(t);
    rc = Esys_CreatePrimary(t->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
            ESYS_TR_NONE, ESYS_TR_NONE, &no_auth, &pub, &no_data, &no_pcr,
            &ret->tr, NULL, NULL, NULL, NULL);
    ret->transient = rc == 0;
    return tpm_check(rc, "make the endorsement key", err);
}

int tpm_ek_load(
        struct tpm *t, enum tpm_ek ek, struct tpm_ek_key *ret, struct err *err)
{
    TSS2_RC rc;
    int r;

    *ret = (struct tpm_ek_key){.tr = ESYS_TR_NONE};
    rc = Esys_TR_FromTPMPublic(t->esys, ek_of[ek].key, ESYS_TR_NONE,
            ESYS_TR_NONE, ESYS_TR_NONE, &ret->tr);
    r = tpm_check(rc, "find the endorsement key", err);
    if (r == ERR_NOT_FOUND && ek == TPM_EK_RSA2048)
        r = ek_create(t, ret, err);
    return r;
}

void tpm_ek_unload(struct tpm *t, struct tpm_ek_key *ek)
{
    if (ek->transient)
        tpm_flush(t, &ek->tr);
    else if (ek->tr != ESYS_TR_NONE)
        Esys_TR_Close(t->esys, &ek->tr);
    *ek = (struct tpm_ek_key){.tr = ESYS_TR_NONE};
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
    struct tpm_ek_key key;
    size_t len = 0;
    TSS2_RC rc;
    int r;

    r = tpm_ek_load(t, ek, &key, err);
    if (r != 0)
        return r;
    rc = Esys_ReadPublic(t->esys, key.tr, ESYS_TR_NONE, ESYS_TR_NONE,
            ESYS_TR_NONE, &pub, NULL, NULL);
    if (rc == 0)
        rc = Tss2_MU_TPMT_PUBLIC_Marshal(
                &pub->publicArea, bytes, sizeof bytes, &len);
    Esys_Free(pub);
    tpm_ek_unload(t, &key);
    if (rc != 0)
        return tpm_check(rc, "read the endorsement key", err);
    buf_append(ret, SPAN(bytes, len));
    return buf_ok(ret, err);
}
