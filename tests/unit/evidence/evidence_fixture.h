/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for tests: an attestation key in software, a measured event log,
 * and quotes over it, right or wrong on purpose.
 */
#ifndef QAIR_EVIDENCE_FIXTURE_H
#define QAIR_EVIDENCE_FIXTURE_H

#include "evidence.h"

struct machine {
    struct crypto_key *ak_key;
    uint8_t ak[TCG_SIGNER_MAX + 16]; /* TPMT_PUBLIC */
    size_t ak_len;
    struct tcg_clock clock;
    struct buf log;
    uint8_t pcr[CRYPTO_SHA256_SIZE]; /* PCR 14 */
    /* PCRs that are quoted besides, of the SHA-256 bank, and their values */
    uint32_t also;
    uint8_t other[TCG_PCRS][CRYPTO_SHA256_SIZE];

    struct span part[EVIDENCE_KINDS]; /* as in struct evidence */

    /* What a liar would change; set by machine_init to what is right. */
    uint16_t attest_type;
    uint16_t bank;
    unsigned pcr_index;
    bool trailing;
    bool other_values;
    bool other_signer;
    bool no_log;
};

#define AK_ATTRIBUTES                                                          \
    (TCG_FIXED_TPM | TCG_FIXED_PARENT | TCG_SENSITIVE_ORIG |                   \
            TCG_USER_WITH_AUTH | TCG_RESTRICTED | TCG_SIGN)

void machine_init(struct machine *m);
void machine_fini(struct machine *m);
/* As if the AK had these attributes; the key stays. */
void machine_set_attributes(struct machine *m, uint32_t attributes);
/* Starts the log anew, as after a reboot. */
void machine_boot(struct machine *m);
void machine_measure(struct machine *m, const char *kind, const char *name,
        const char *content);
void machine_close(struct machine *m);
void machine_change(struct machine *m, unsigned round);
/* boot, four files, close. */
void machine_boot_golden(struct machine *m);
/* The evidence blob for a binder, appended without any check. */
void machine_evidence(
        struct machine *m, const uint8_t binder[static 32], struct buf *ret);

#endif
