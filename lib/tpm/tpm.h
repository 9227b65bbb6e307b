/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room tpm (floor 4): the sole user of tpm2-tss (ESYS and MU, never FAPI).
 *
 * A struct tpm is one session with one TPM over a descriptor that somebody
 * else opened: swtpm's data channel (a stream socket) or /dev/tpmrm0.  No path
 * is opened here and nothing is read from the environment.  Only qair-measure
 * and keyd may link this room, one after the other: swtpm has no resource
 * manager, so tpm_open flushes what a former user left loaded, and every
 * function below leaves nothing loaded but the storage root key and, after a
 * quote, the attestation key (libtpms has three slots for objects and three for
 * sessions: one object is free for the next function).
 *
 * Calls block until the TPM answers, TPM_TIMEOUT_S at most.  A TPM's own
 * refusal is ERR_TPM with the code and tss2's text in the message; two of them
 * have codes of their own: ERR_DENIED when a policy does not hold (the state
 * is not the approved one, the approval is not the owner's), and ERR_STATE
 * when the TPM was reset and not started.  Outputs are untouched on failure.
 *
 * Algorithms: SHA-256 bank, P-256 keys, ECDSA with SHA-256.  Everything that
 * carries a secret on the wire (seal, unseal, activate, random) runs in a
 * session that is salted to the storage root key and encrypts its parameters,
 * which keeps it from somebody who reads the bus; it does not stop somebody
 * who answers in the TPM's place.
 *
 * Keys and sealed data leave the TPM as a blob: TPM2B_PUBLIC, then
 * TPM2B_PRIVATE (TPM 2.0 Part 2, 12.2.5 and 12.3.7), readable by this TPM
 * alone.  An object with an authorisation policy can be used in no other way:
 * userWithAuth is clear and adminWithPolicy set.
 */
#ifndef QAIR_TPM_H
#define QAIR_TPM_H

#include "buf.h"

#define TPM_TIMEOUT_S 60 /* RSA key generation in real chips is slow */
#define TPM_PCR_QAIR  14 /* docs/architecture.md, section 7 */
#define TPM_PCRS      24 /* PC Client: 0..23 */
#define TPM_DIGEST    32
#define TPM_SIGNATURE 64 /* r||s */
/* Public area under 300 bytes, private area under 500, for P-256. */
#define TPM_BLOB_MAX 2048
/* MAX_SYM_DATA of the TPM library: what one object can seal. */
#define TPM_SEAL_MAX 128
/* TPMS_ATTEST of a quote with one bank: 145 bytes with 32 of binder. */
#define TPM_QUOTE_MAX 1024
/* TPMT_PUBLIC of an RSA-2048 or P-384 endorsement key: under 400 bytes. */
#define TPM_PUBLIC_MAX 1024

struct tpm;

struct tpm_blob {
    uint8_t bytes[TPM_BLOB_MAX];
    size_t len;
};

/*
 * Takes the descriptor, also on failure.  The TPM must have been started, or
 * startup must be true (then TPM2_Startup(CLEAR) is sent first; a TPM that was
 * started already is left as it is).
 */
int tpm_open(int fd, bool startup, struct tpm **ret, struct err *err)
        MUST_CHECK;
void tpm_close(struct tpm *t);
void tpm_close_ptr(struct tpm **t);

/* ---- state ----------------------------------------------------------- */

int tpm_pcr_read(struct tpm *t, unsigned pcr, uint8_t ret[static TPM_DIGEST],
        struct err *err) MUST_CHECK;
/*
 * Several, ascending, of the SHA-256 bank; ret has TPM_PCRS rooms and the first
 * so many are filled as pcrs has bits.  More than one command when there are
 * more than eight: something may be extended between them.
 */
int tpm_pcrs_read(struct tpm *t, uint32_t pcrs,
        uint8_t ret[static TPM_PCRS][TPM_DIGEST], struct err *err) MUST_CHECK;
int tpm_pcr_extend(struct tpm *t, unsigned pcr,
        const uint8_t digest[static TPM_DIGEST], struct err *err) MUST_CHECK;

struct tpm_clock {
    uint64_t clock; /* milliseconds, not wall time */
    uint32_t resets;
    uint32_t restarts;
    bool safe;
};
int tpm_clock(struct tpm *t, struct tpm_clock *ret, struct err *err) MUST_CHECK;
int tpm_random(struct tpm *t, uint8_t *ret, size_t len, struct err *err)
        MUST_CHECK;

/* ---- endorsement key ------------------------------------------------- */

enum tpm_ek {
    TPM_EK_RSA2048, /* NV 0x01c00002, 0x81010001 */
    TPM_EK_P384,    /* NV 0x01c00016, 0x81010016 */
};
/* DER without the padding of the NV area; ERR_NOT_FOUND when it has none. */
int tpm_ek_cert(struct tpm *t, enum tpm_ek ek, struct buf *ret, struct err *err)
        MUST_CHECK;
/*
 * TPMT_PUBLIC.  The RSA key is made again from the TCG's template where the
 * chip does not keep it; ERR_NOT_FOUND when there is no P-384 key.
 */
int tpm_ek_public(struct tpm *t, enum tpm_ek ek, struct buf *ret,
        struct err *err) MUST_CHECK;

/* ---- attestation key ------------------------------------------------- */

/* P-256, restricted, signing, fixed to this TPM, ECDSA-SHA256. */
int tpm_ak_create(struct tpm *t, struct tpm_blob *ret, struct err *err)
        MUST_CHECK;
/*
 * A quote of PCRs of the SHA-256 bank over binder.  ret_attest gets the
 * TPMS_ATTEST (cap TPM_QUOTE_MAX), ret_sig the TPMT_SIGNATURE.
 */
int tpm_quote(struct tpm *t, const struct tpm_blob *ak, uint32_t pcrs,
        const uint8_t binder[static TPM_DIGEST], struct buf *ret_attest,
        struct buf *ret_sig, struct err *err) MUST_CHECK;
/*
 * Opens a credential that was made for ak's Name and this TPM's ek.
 * credential is a TPM2B_ID_OBJECT, secret a TPM2B_ENCRYPTED_SECRET, both with
 * their length prefix.  *ret_len is at most TPM_DIGEST.
 */
int tpm_activate(struct tpm *t, const struct tpm_blob *ak, enum tpm_ek ek,
        struct span credential, struct span secret,
        uint8_t ret[static TPM_DIGEST], size_t *ret_len, struct err *err)
        MUST_CHECK;

/* ---- keys bound to an approved state --------------------------------- */

/*
 * The owner's word that a state may open keys: an ECDSA signature over
 * SHA-256(policy || ref), where policy is the PolicyPCR digest of those PCRs of
 * the SHA-256 bank in that state (TPM 2.0 Part 3, 23.16).  The TPM checks it;
 * nothing here trusts it.
 */
struct tpm_approval {
    struct span owner; /* TPMT_PUBLIC, tcg_signer_public */
    struct span ref;   /* policyRef, tcg_policy_ref */
    uint32_t pcrs;     /* bit i = PCR i */
    uint8_t policy[TPM_DIGEST];
    uint8_t sig[TPM_SIGNATURE];
};

/*
 * Seals at most TPM_SEAL_MAX bytes.  policy: the authorisation policy that the
 * data is opened under (tcg_policy_authorize), or NULL for "this TPM, in
 * any state".
 */
int tpm_seal(struct tpm *t, struct span secret, const uint8_t *policy,
        struct tpm_blob *ret, struct err *err) MUST_CHECK;
/* approval: NULL for data sealed without a policy.  ret: secret memory. */
int tpm_unseal(struct tpm *t, const struct tpm_blob *blob,
        const struct tpm_approval *approval, uint8_t *ret, size_t cap,
        size_t *ret_len, struct err *err) MUST_CHECK;

/* P-256, signing, unrestricted, usable under policy alone. */
int tpm_key_create(struct tpm *t, const uint8_t policy[static TPM_DIGEST],
        struct tpm_blob *ret, struct err *err) MUST_CHECK;
int tpm_key_sign(struct tpm *t, const struct tpm_blob *key,
        const struct tpm_approval *approval,
        const uint8_t digest[static TPM_DIGEST],
        uint8_t ret[static TPM_SIGNATURE], struct err *err) MUST_CHECK;

/* ---- blobs (pure) ---------------------------------------------------- */

/* 0 when the bytes are one TPM2B_PUBLIC and one TPM2B_PRIVATE, no more. */
int tpm_blob_from(struct span bytes, struct tpm_blob *ret, struct err *err)
        MUST_CHECK;
/* The TPMT_PUBLIC in the blob, as a span into it. */
struct span tpm_blob_public(const struct tpm_blob *blob);
/* SEC1 point of a P-256 key's blob; ERR_UNSUPPORTED for other objects. */
int tpm_blob_point(const struct tpm_blob *blob, uint8_t ret[static 65])
        MUST_CHECK;

#endif
