/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of room tpm. */
#ifndef QAIR_TPM_PRIVATE_H
#define QAIR_TPM_PRIVATE_H

#include "tpm.h"

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>

struct tpm_tcti {
    TSS2_TCTI_CONTEXT_COMMON_V2 common; /* first: tss2 sees this alone */
    int fd;
    bool sent; /* a command is with the TPM, its answer not yet read */
};

struct tpm {
    struct tpm_tcti tcti;
    ESYS_CONTEXT *esys;
    ESYS_TR srk;
    struct tpm_resident { /* the attestation key of the last quote */
        ESYS_TR tr;
        struct tpm_blob blob;
    } ak;
    struct tpm_proved {
        bool valid;
        uint8_t id[TPM_DIGEST]; /* of the approval that was checked */
        TPMT_TK_VERIFIED ticket;
        TPM2B_NAME owner;
    } proved;
};

void tpm_tcti_init(struct tpm_tcti *t, int fd);

/* rc without the number of the handle, session or parameter. */
TSS2_RC tpm_rc(TSS2_RC rc) MUST_CHECK;
/* 0, or the error that belongs to a tss2 code, with "WHAT: text (0x...)". */
int tpm_check(TSS2_RC rc, const char *what, struct err *err) MUST_CHECK;
/* Flushes *h when it is loaded; a failure here has no remedy. */
void tpm_flush(struct tpm *t, ESYS_TR *h);
/*
 * attributes: TPMA_SESSION_ENCRYPT, _DECRYPT or both for a session that is
 * salted to the storage root key, which takes the TPM 3 ms; 0 for a plain one.
 */
int tpm_session(struct tpm *t, TPM2_SE kind, TPMA_SESSION attributes,
        ESYS_TR *ret, struct err *err) MUST_CHECK;
/* Loads a blob under the storage root key. */
int tpm_load(struct tpm *t, const struct tpm_blob *blob, ESYS_TR *ret,
        struct err *err) MUST_CHECK;
/*
 * Flushes the attestation key that tpm_quote keeps: before whatever needs the
 * last slot, and when the TPM no longer takes it.
 */
void tpm_ak_forget(struct tpm *t);
/* As tpm_session, with PolicyAuthorize satisfied by the approval. */
int tpm_approved_session(struct tpm *t, const struct tpm_approval *approval,
        TPMA_SESSION attributes, ESYS_TR *ret, struct err *err) MUST_CHECK;
/* An endorsement key in use; unload it in any case. */
struct tpm_ek_key {
    ESYS_TR tr;
    bool transient; /* made again for this use */
};
int tpm_ek_load(struct tpm *t, enum tpm_ek ek, struct tpm_ek_key *ret,
        struct err *err) MUST_CHECK;
void tpm_ek_unload(struct tpm *t, struct tpm_ek_key *ek);
int tpm_blob_of(const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *priv,
        struct tpm_blob *ret, struct err *err) MUST_CHECK;

int tpm_blob_parse(const struct tpm_blob *blob, TPM2B_PUBLIC *ret_pub,
        TPM2B_PRIVATE *ret_priv, struct err *err) MUST_CHECK;
/* Of the SHA-256 bank; bit i = PCR i. */
TPML_PCR_SELECTION tpm_pcr_selection(uint32_t pcrs) MUST_CHECK;

extern const TPMT_SYM_DEF tpm_aes_cfb;
/* The same as a storage key's own cipher. */
#define tpm_aes_cfb_object                                                     \
    {                                                                          \
        .algorithm = TPM2_ALG_AES, .keyBits.aes = 128,                         \
        .mode.aes = TPM2_ALG_CFB,                                              \
    }

#endif
