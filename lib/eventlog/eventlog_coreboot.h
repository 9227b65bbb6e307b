/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs of coreboot, as `cbmem -r` gives them.  Part of room eventlog: include
 * eventlog.h.
 *
 * Three forms: a table of its own, whose entries name their hash and extend
 * that bank alone (tpm_log_serialized.h); and logs of the TCG forms whose
 * vendor information counts the entries (tpm1_log_serialized.h, CBT1, and
 * tpm2_log_serialized.h, CBT2, in three layouts).  The labels ("FMAP: GBB",
 * "CBFS: fallback/romstage") are not authenticated, the digests are.
 */
#ifndef QAIR_EVENTLOG_COREBOOT_H
#define QAIR_EVENTLOG_COREBOOT_H

#include "base.h"

enum eventlog_coreboot_form {
    EVENTLOG_COREBOOT_TABLE,
    EVENTLOG_COREBOOT_TPM12,
    EVENTLOG_COREBOOT_TPM20,
};

struct eventlog_coreboot {
    enum eventlog_coreboot_form form;
    struct eventlog log; /* of TPM12 and TPM20 */
    struct span entries; /* of TABLE */
    size_t n;
};
/* ERR_SYNTAX, too, when the entries are not as many as the header says. */
int eventlog_coreboot_open(struct span bytes, struct eventlog_coreboot *ret,
        struct err *err) MUST_CHECK;

/* An entry of a table. */
struct eventlog_coreboot_entry {
    uint32_t pcr;
    uint16_t alg;
    struct span digest;
    struct span name;
};
int eventlog_coreboot_entry(const struct eventlog_coreboot *c, size_t i,
        struct eventlog_coreboot_entry *ret, struct err *err) MUST_CHECK;
/* As eventlog_replay, for each form. */
int eventlog_coreboot_replay(const struct eventlog_coreboot *c,
        struct eventlog_pcrs *ret, struct err *err) MUST_CHECK;

#endif
