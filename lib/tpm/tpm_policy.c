/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions, and the proof that the TPM's state is one the owner approved:
 * PolicyPCR, VerifySignature of the owner's word, PolicyAuthorize (TPM 2.0
 * Part 3, 23.7, 20.1, 23.16).
 */
#include "tpm_private.h"

#include "crypto.h"

#define POLICY_REF_MAX 64
#define OWNER_MAX      128 /* TPMT_PUBLIC of a P-256 key: 86 bytes */

int tpm_session(struct tpm *t, TPM2_SE kind, TPMA_SESSION attributes,
        ESYS_TR *ret, struct err *err)
{
    ESYS_TR s = ESYS_TR_NONE;
    TSS2_RC rc;

    rc = Esys_StartAuthSession(t->esys, attributes ? t->srk : ESYS_TR_NONE,
            ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, kind,
            &tpm_aes_cfb, TPM2_ALG_SHA256, &s);
    if (rc != 0)
        return tpm_check(rc, "start a TPM session", err);
    rc = Esys_TRSess_SetAttributes(
            t->esys, s, attributes | TPMA_SESSION_CONTINUESESSION, 0xff);
    if (rc != 0) {
        tpm_flush(t, &s);
        return tpm_check(rc, "set up a TPM session", err);
    }
    *ret = s;
    return 0;
}

/* A refusal of the approval is the state's or the owner's doing, not ours. */
static int policy_check(
        TSS2_RC rc, TPM2_RC refusal, const char *why, struct err *err)
{
    if (tpm_rc(rc) == refusal)
        return err_set(err, ERR_DENIED, "%s (0x%03x)", why, rc);
    return tpm_check(rc, "prove the approved state to the TPM", err);
}

static int owner_public(struct span bytes, TPM2B_PUBLIC *ret, struct err *err)
{
    size_t at = 0;
    TSS2_RC rc;

    *ret = (TPM2B_PUBLIC){.size = 0};
    rc = Tss2_MU_TPMT_PUBLIC_Unmarshal(
            bytes.ptr, bytes.len, &at, &ret->publicArea);
    if (rc != 0 || at != bytes.len)
        return err_set(err, ERR_SYNTAX, "malformed public area of the owner");
    return 0;
}

static TPMT_SIGNATURE owner_signature(const uint8_t rs[static TPM_SIGNATURE])
{
    TPMT_SIGNATURE s = {
            .sigAlg = TPM2_ALG_ECDSA,
            .signature.ecdsa =
                    {
                            .hash = TPM2_ALG_SHA256,
                            .signatureR.size = 32,
                            .signatureS.size = 32,
                    },
    };

    memcpy(s.signature.ecdsa.signatureR.buffer, rs, 32);
    memcpy(s.signature.ecdsa.signatureS.buffer, rs + 32, 32);
    return s;
}

/* Lets the TPM check the approval, into t->proved. */
static int owner_verify(
        struct tpm *t, const struct tpm_approval *a, struct err *err)
{
    TPM2B_PUBLIC pub;
    TPMT_SIGNATURE sig = owner_signature(a->sig);
    TPM2B_DIGEST hash = {.size = TPM_DIGEST};
    TPMT_TK_VERIFIED *ticket = NULL;
    TPM2B_NAME *name = NULL;
    ESYS_TR key = ESYS_TR_NONE;
    TSS2_RC rc;
    int r;

    r = owner_public(a->owner, &pub, err);
    if (r != 0)
        return r;
    crypto_sha256_two(SPAN_OF(a->policy), a->ref, hash.buffer);
    tpm_ak_forget(t);
    rc = Esys_LoadExternal(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
            NULL, &pub, ESYS_TR_RH_OWNER, &key);
    if (rc != 0)
        return policy_check(rc, TPM2_RC_ECC_POINT,
                "the owner's key is not a point of P-256", err);
    rc = Esys_VerifySignature(t->esys, key, ESYS_TR_NONE, ESYS_TR_NONE,
            ESYS_TR_NONE, &hash, &sig, &ticket);
    r = policy_check(rc, TPM2_RC_SIGNATURE,
            "the approval of the state is not signed by the owner", err);
    if (r == 0)
        r = tpm_check(Esys_TR_GetName(t->esys, key, &name),
                "name the owner's key", err);
    if (r == 0)
        t->proved = (struct tpm_proved){.ticket = *ticket, .owner = *name};
    Esys_Free(ticket);
    Esys_Free(name);
    tpm_flush(t, &key);
    return r;
}

static int policy_prove(struct tpm *t, ESYS_TR session,
        const struct tpm_approval *a, struct err *err)
{
    TPML_PCR_SELECTION pcrs = tpm_pcr_selection(a->pcrs);
    TPM2B_DIGEST policy = {.size = TPM_DIGEST};
    TPM2B_NONCE ref = {.size = (UINT16)a->ref.len};
    TSS2_RC rc;

    memcpy(policy.buffer, a->policy, TPM_DIGEST);
    memcpy(ref.buffer, a->ref.ptr, a->ref.len);
    /* an empty digest: the TPM takes what the PCRs hold */
    rc = Esys_PolicyPCR(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
            ESYS_TR_NONE, NULL, &pcrs);
    if (rc != 0)
        return tpm_check(rc, "name the PCRs in the policy", err);
    rc = Esys_PolicyAuthorize(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
            ESYS_TR_NONE, &policy, &ref, &t->proved.owner, &t->proved.ticket);
    return policy_check(rc, TPM2_RC_VALUE,
            "the machine's state is not the one that the owner approved", err);
}

/* The ticket of the approval last checked saves two commands. */
static int owner_prove(
        struct tpm *t, const struct tpm_approval *a, struct err *err)
{
    uint8_t parts[OWNER_MAX + sizeof a->policy + sizeof a->sig +
                  POLICY_REF_MAX + 4];
    uint8_t id[TPM_DIGEST];
    struct wire_writer w = wire_writer_of(parts, sizeof parts);
    struct span all = SPAN_EMPTY;
    int r;

    wire_put_vec16be(&w, a->owner);
    wire_put_vec16be(&w, a->ref);
    wire_put_bytes(&w, a->policy, sizeof a->policy);
    wire_put_bytes(&w, a->sig, sizeof a->sig);
    if (!wire_finish(&w, &all))
        return err_set(err, ERR_SYNTAX, "malformed approval of a state");
    crypto_sha256(all, id);
    if (t->proved.valid && memcmp(t->proved.id, id, sizeof id) == 0)
        return 0;
    r = owner_verify(t, a, err);
    if (r != 0)
        return r;
    memcpy(t->proved.id, id, sizeof id);
    t->proved.valid = true;
    return 0;
}

int tpm_approved_session(struct tpm *t, const struct tpm_approval *a,
        TPMA_SESSION attributes, ESYS_TR *ret, struct err *err)
{
    ESYS_TR s = ESYS_TR_NONE;
    int r;

    if (a->ref.len > POLICY_REF_MAX || a->ref.len == 0 || a->pcrs == 0 ||
            a->pcrs >> TPM_PCRS)
        return err_set(err, ERR_SYNTAX, "malformed approval of a state");
    r = owner_prove(t, a, err);
    if (r == 0)
        r = tpm_session(t, TPM2_SE_POLICY, attributes, &s, err);
    if (r == 0)
        r = policy_prove(t, s, a, err);
    if (r != 0) {
        t->proved.valid = false;
        tpm_flush(t, &s);
        return r;
    }
    *ret = s;
    return 0;
}
