/* SPDX-License-Identifier: Apache-2.0 */
/* The session with the TPM: opening, state, endorsement key. */
#include "tpm_private.h"

#include <stdlib.h>
#include <unistd.h>

const TPMT_SYM_DEF tpm_aes_cfb = {
        .algorithm = TPM2_ALG_AES,
        .keyBits.aes = 128,
        .mode.aes = TPM2_ALG_CFB,
};

/* ---- errors ---------------------------------------------------------- */

/*
 * A format-one code carries the number of the handle, session or parameter
 * (Part 2, 6.6.3); without it the same refusal has one value.
 */
TSS2_RC tpm_rc(TSS2_RC rc)
{
    if ((rc & TSS2_RC_LAYER_MASK) == 0 && (rc & TPM2_RC_FMT1) != 0)
        return rc & 0x0bf;
    return rc;
}

static int rc_code(TSS2_RC rc)
{
    static const struct {
        TSS2_RC rc;
        int code;
    } map[] = {
            {TPM2_RC_INITIALIZE, ERR_STATE},
            {TPM2_RC_POLICY_FAIL, ERR_DENIED},
            {TPM2_RC_PCR_CHANGED, ERR_DENIED},
            {TPM2_RC_HANDLE, ERR_NOT_FOUND},
            {TSS2_ESYS_RC_IO_ERROR, ERR_IO},
            {TSS2_TCTI_RC_IO_ERROR, ERR_IO},
    };

    for (size_t i = 0; i < ARRAY_LEN(map); i++)
        if (tpm_rc(rc) == map[i].rc)
            return map[i].code;
    return ERR_TPM;
}

int tpm_check(TSS2_RC rc, const char *what, struct err *err)
{
    if (rc == TSS2_RC_SUCCESS)
        return 0;
    return err_set(
            err, rc_code(rc), "%s: %s (0x%03x)", what, Tss2_RC_Decode(rc), rc);
}

/* ---- opening --------------------------------------------------------- */

void tpm_flush(struct tpm *t, ESYS_TR *h)
{
    if (*h != ESYS_TR_NONE && Esys_FlushContext(t->esys, *h) != 0)
        Esys_TR_Close(t->esys, h);
    *h = ESYS_TR_NONE;
}

static int flush_range(struct tpm *t, TPM2_HANDLE first, struct err *err)
{
    TPMS_CAPABILITY_DATA *cap = NULL;
    TPMI_YES_NO more;
    ESYS_TR tr;
    TSS2_RC rc;

    rc = Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
            TPM2_CAP_HANDLES, first, TPM2_MAX_CAP_HANDLES, &more, &cap);
    if (rc != 0)
        return tpm_check(rc, "list what is loaded", err);
    for (UINT32 i = 0; i < cap->data.handles.count && rc == 0; i++) {
        rc = Esys_TR_FromTPMPublic(t->esys, cap->data.handles.handle[i],
                ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &tr);
        if (rc == 0)
            rc = Esys_FlushContext(t->esys, tr);
    }
    Esys_Free(cap);
    return tpm_check(rc, "flush what a former user left", err);
}

/* The storage root key of the TCG's provisioning guidance, for P-256. */
static int srk_create(struct tpm *t, struct err *err)
{
    static const TPM2B_PUBLIC template = {
            .publicArea =
                    {
                            .type = TPM2_ALG_ECC,
                            .nameAlg = TPM2_ALG_SHA256,
                            .objectAttributes =
                                    TPMA_OBJECT_FIXEDTPM |
                                    TPMA_OBJECT_FIXEDPARENT |
                                    TPMA_OBJECT_SENSITIVEDATAORIGIN |
                                    TPMA_OBJECT_USERWITHAUTH |
                                    TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |
                                    TPMA_OBJECT_DECRYPT,
                            .parameters.eccDetail =
                                    {
                                            .symmetric =
                                                    {
                                                            .algorithm =
                                                                    TPM2_ALG_AES,
                                                            .keyBits.aes = 128,
                                                            .mode.aes =
                                                                    TPM2_ALG_CFB,
                                                    },
                                            .scheme.scheme = TPM2_ALG_NULL,
                                            .curveID = TPM2_ECC_NIST_P256,
                                            .kdf.scheme = TPM2_ALG_NULL,
                                    },
                            .unique.ecc.x.size = 32,
                            .unique.ecc.y.size = 32,
                    },
    };
    static const TPM2B_SENSITIVE_CREATE no_auth;
    static const TPM2B_DATA no_data;
    static const TPML_PCR_SELECTION no_pcr;
    TSS2_RC rc;

    rc = Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
            ESYS_TR_NONE, ESYS_TR_NONE, &no_auth, &template, &no_data, &no_pcr,
            &t->srk, NULL, NULL, NULL, NULL);
    return tpm_check(rc, "make the storage root key", err);
}

static int tpm_setup(struct tpm *t, bool startup, struct err *err)
{
    /* transient objects, loaded sessions, saved sessions */
    static const TPM2_HANDLE ranges[] = {0x80000000, 0x02000000, 0x03000000};
    TSS2_RC rc;
    int r;

    rc = Esys_Initialize(
            &t->esys, (TSS2_TCTI_CONTEXT *)(void *)&t->tcti.common, NULL);
    if (rc != 0)
        return tpm_check(rc, "start tss2", err);
    if (startup) {
        rc = Esys_Startup(t->esys, TPM2_SU_CLEAR);
        if (rc != 0 && rc != TPM2_RC_INITIALIZE)
            return tpm_check(rc, "start the TPM", err);
    }
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        r = flush_range(t, ranges[i], err);
        if (r != 0)
            return r;
    }
    return srk_create(t, err);
}

int tpm_open(int fd, bool startup, struct tpm **ret, struct err *err)
{
    struct tpm *t = calloc(1, sizeof *t);
    int r;

    if (!t) {
        close(fd);
        return err_set(err, ERR_MEMORY, "no memory for the TPM session");
    }
    /* tss2 writes to stderr by itself otherwise; our errors say the same */
    if (setenv("TSS2_LOG", "all+NONE", 0) != 0) {
        close(fd);
        free(t);
        return err_set(err, ERR_MEMORY, "no memory for the TPM session");
    }
    tpm_tcti_init(&t->tcti, fd);
    t->srk = ESYS_TR_NONE;
    t->ak.tr = ESYS_TR_NONE;
    r = tpm_setup(t, startup, err);
    if (r != 0) {
        tpm_close(t);
        return r;
    }
    *ret = t;
    return 0;
}

void tpm_close(struct tpm *t)
{
    if (!t)
        return;
    if (t->esys) {
        tpm_ak_forget(t);
        tpm_flush(t, &t->srk);
        Esys_Finalize(&t->esys);
    }
    if (t->tcti.fd >= 0)
        close(t->tcti.fd);
    free(t);
}

void tpm_close_ptr(struct tpm **t)
{
    tpm_close(*t);
}

/* ---- state ----------------------------------------------------------- */

TPML_PCR_SELECTION tpm_pcr_selection(uint32_t pcrs)
{
    TPML_PCR_SELECTION s = {.count = 1};

    s.pcrSelections[0].hash = TPM2_ALG_SHA256;
    s.pcrSelections[0].sizeofSelect = 3;
    for (unsigned i = 0; i < 3; i++)
        s.pcrSelections[0].pcrSelect[i] = (BYTE)(pcrs >> (8 * i));
    return s;
}

/* Which PCRs of the SHA-256 bank an answer is about; 0 for any other. */
static uint32_t selected(const TPML_PCR_SELECTION *s)
{
    const TPMS_PCR_SELECTION *b = &s->pcrSelections[0];
    uint32_t pcrs = 0;

    if (s->count != 1 || b->hash != TPM2_ALG_SHA256)
        return 0;
    for (unsigned i = 0; i < b->sizeofSelect && i < 4; i++)
        pcrs |= (uint32_t)b->pcrSelect[i] << (8 * i);
    return pcrs;
}

/* The values that an answer has, taken off *pcrs, lowest first. */
static bool take_values(const TPML_DIGEST *values, uint32_t told,
        uint32_t *pcrs, uint8_t ret[][TPM_DIGEST], size_t *n)
{
    for (uint32_t i = 0; i < values->count; i++) {
        uint32_t bit = *pcrs & -*pcrs;

        if (bit == 0 || !(told & bit) || values->digests[i].size != TPM_DIGEST)
            return false;
        memcpy(ret[(*n)++], values->digests[i].buffer, TPM_DIGEST);
        *pcrs &= ~bit;
        told &= ~bit;
    }
    return values->count > 0 && told == 0;
}

/* A TPM answers with as many as fit (Part 3, 22.4). */
static int pcrs_read_some(struct tpm *t, uint32_t *pcrs,
        uint8_t ret[][TPM_DIGEST], size_t *n, struct err *err)
{
    TPML_PCR_SELECTION want = tpm_pcr_selection(*pcrs);
    TPML_PCR_SELECTION *told = NULL;
    TPML_DIGEST *values = NULL;
    TSS2_RC rc;
    bool ok;

    rc = Esys_PCR_Read(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &want,
            NULL, &told, &values);
    if (rc != 0)
        return tpm_check(rc, "read the PCR", err);
    ok = take_values(values, selected(told), pcrs, ret, n);
    Esys_Free(told);
    Esys_Free(values);
    return ok ? 0
              : err_set(err, ERR_TPM,
                        "the TPM has no PCR %u in its SHA-256 bank",
                        (unsigned)__builtin_ctz(*pcrs | 1u << 31));
}

int tpm_pcrs_read(struct tpm *t, uint32_t pcrs,
        uint8_t ret[static TPM_PCRS][TPM_DIGEST], struct err *err)
{
    uint8_t value[TPM_PCRS][TPM_DIGEST];
    size_t n = 0;
    int r = 0;

    if (pcrs == 0 || pcrs >> TPM_PCRS)
        return err_set(err, ERR_USAGE, "no such PCRs");
    while (r == 0 && pcrs != 0)
        r = pcrs_read_some(t, &pcrs, value, &n, err);
    if (r == 0)
        memcpy(ret, value, n * TPM_DIGEST);
    return r;
}

int tpm_pcr_read(struct tpm *t, unsigned pcr, uint8_t ret[static TPM_DIGEST],
        struct err *err)
{
    uint8_t value[TPM_PCRS][TPM_DIGEST];
    int r = tpm_pcrs_read(t, 1u << pcr, value, err);

    if (r == 0)
        memcpy(ret, value[0], TPM_DIGEST);
    return r;
}

int tpm_pcr_extend(struct tpm *t, unsigned pcr,
        const uint8_t digest[static TPM_DIGEST], struct err *err)
{
    TPML_DIGEST_VALUES v = {.count = 1};
    TSS2_RC rc;

    v.digests[0].hashAlg = TPM2_ALG_SHA256;
    memcpy(v.digests[0].digest.sha256, digest, TPM_DIGEST);
    rc = Esys_PCR_Extend(t->esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD,
            ESYS_TR_NONE, ESYS_TR_NONE, &v);
    return tpm_check(rc, "extend the PCR", err);
}

int tpm_clock(struct tpm *t, struct tpm_clock *ret, struct err *err)
{
    TPMS_TIME_INFO *info = NULL;
    TSS2_RC rc;

    rc = Esys_ReadClock(
            t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &info);
    if (rc != 0)
        return tpm_check(rc, "read the TPM's clock", err);
    *ret = (struct tpm_clock){
            .clock = info->clockInfo.clock,
            .resets = info->clockInfo.resetCount,
            .restarts = info->clockInfo.restartCount,
            .safe = info->clockInfo.safe == TPM2_YES,
    };
    Esys_Free(info);
    return 0;
}

int tpm_random(struct tpm *t, uint8_t *ret, size_t len, struct err *err)
{
    ESYS_TR session = ESYS_TR_NONE;
    TPM2B_DIGEST *bytes = NULL;
    size_t done = 0, n;
    TSS2_RC rc = 0;
    int r;

    r = tpm_session(t, TPM2_SE_HMAC, TPMA_SESSION_ENCRYPT, &session, err);
    if (r != 0)
        return r;
    while (rc == 0 && done < len) {
        n = len - done < 32 ? len - done : 32;
        rc = Esys_GetRandom(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                (UINT16)n, &bytes);
        if (rc != 0)
            break;
        n = bytes->size < n ? bytes->size : n;
        memcpy(ret + done, bytes->buffer, n);
        secret_wipe(bytes->buffer, sizeof bytes->buffer);
        Esys_Free(bytes);
        done += n;
        if (n == 0)
            rc = TPM2_RC_FAILURE;
    }
    tpm_flush(t, &session);
    return tpm_check(rc, "take random bytes", err);
}
