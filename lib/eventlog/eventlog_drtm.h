/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dynamic launches.  Part of room eventlog: include eventlog.h.
 *
 * AMD SKINIT with TrenchBoot's secure kernel loader (SKL), and Intel TXT: the
 * processor resets PCRs 17 to 22 and measures a small piece of code into 17,
 * which measures what it starts into 17 and 18.  Facts, not a standard: SKL's
 * event_log.c and slrt.h, Linux and Xen Secure Launch, the Intel TXT Software
 * Development Guide, appendices C and F.
 *
 * Take SHA-256 or better for it: on some chips the SHA-1 bank does not show
 * what the log says, so that eventlog_drtm_compare looks at it and does not
 * demand it.
 */
#ifndef QAIR_EVENTLOG_DRTM_H
#define QAIR_EVENTLOG_DRTM_H

#include "base.h"

enum eventlog_drtm_form {
    EVENTLOG_DRTM_SKL,   /* Spec ID log, vendor information with its ends */
    EVENTLOG_DRTM_TXT20, /* Spec ID log; the ends are in the TXT heap */
    EVENTLOG_DRTM_TXT12, /* "TXT Event Container": SHA-1 alone */
};

struct eventlog_drtm {
    enum eventlog_drtm_form form;
    struct eventlog log; /* its events, without what was allocated behind */
    uint64_t address;    /* physical, as the vendor information says */
    uint32_t allocated;
    uint32_t next; /* offset behind the last event */
};
/*
 * All events are well-formed; the last one ends where the header says that the
 * next one goes, and nothing but padding follows.
 */
int eventlog_drtm_open(struct span bytes, struct eventlog_drtm *ret,
        struct err *err) MUST_CHECK;
/*
 * As eventlog_replay, for a log of PCRs 17 to 22 alone; others: ERR_SYNTAX.
 * TXT's mapping event, whose digests are zero, is not extended.
 */
int eventlog_drtm_replay(const struct eventlog_drtm *d,
        struct eventlog_pcrs *ret, struct err *err) MUST_CHECK;
/*
 * As eventlog_compare, and: a claim of PCRs 17 and 18 in each bank claimed,
 * one of them better than SHA-1 (else ERR_SYNTAX); a value of all ones (no
 * launch) or all zeros (reset, nothing measured) is no launch; the SHA-1 bank
 * may differ, ret says so.
 */
int eventlog_drtm_compare(const struct eventlog_pcrs *p,
        const struct eventlog_claim *claim, size_t n,
        struct eventlog_agreement *ret, struct err *err) MUST_CHECK;

/* ---- prediction ------------------------------------------------------ */

/* What SKINIT hashes of an SLB file: the length its header says. */
int eventlog_drtm_slb(struct span file, struct span *ret, struct err *err)
        MUST_CHECK;
/* What SKL hashes of a bzImage: the protected-mode part. */
int eventlog_drtm_kernel(struct span file, struct span *ret, struct err *err)
        MUST_CHECK;
/*
 * PCR 17 after a launch of slb and kernel (SKINIT, then SKL), and after any
 * more digests that are extended later, each of hash's size.
 */
int eventlog_drtm_predict(enum crypto_hash hash, struct span slb,
        struct span kernel, const struct span *more, size_t n_more,
        uint8_t ret[static CRYPTO_HASH_MAX]) MUST_CHECK;

/* ---- Secure Launch Resource Table ------------------------------------ */

/* Linux has 8 of the one and as many of the other. */
#define EVENTLOG_SLRT_POLICIES_MAX 64
#define EVENTLOG_SLRT_CONFIGS_MAX  64

enum eventlog_slrt_tag {
    EVENTLOG_SLRT_DL_INFO = 1,
    EVENTLOG_SLRT_LOG_INFO = 2,
    EVENTLOG_SLRT_POLICY = 3,
    EVENTLOG_SLRT_INTEL = 4,
    EVENTLOG_SLRT_AMD = 5,
    EVENTLOG_SLRT_ARM = 6,
    EVENTLOG_SLRT_UEFI_INFO = 7,
    EVENTLOG_SLRT_UEFI_CONFIG = 8,
};

/* What the launched kernel is to measure, and into what. */
struct eventlog_slrt_policy {
    uint16_t pcr;
    uint16_t entity; /* 1 SLRT, 4 command line, 6 ramdisk, ... */
    uint16_t flags;  /* 1 measured, 2 size is implied */
    uint64_t address;
    uint64_t size;
    struct span info; /* what the event will say, up to its NUL */
};
struct eventlog_slrt {
    bool old;              /* headers of u16, as in the first drafts of Linux */
    uint16_t architecture; /* 1 Intel TXT, 2 AMD SKINIT */
    uint32_t tags;         /* bit i: an entry of tag i */
    uint64_t dce_base, dce_size;
    uint64_t dlme_base, dlme_size, dlme_entry; /* base, size: not of old */
    uint16_t log_format;                       /* 1 TPM 1.2, 2 TPM 2.0 */
    uint64_t log_address;
    uint32_t log_size;
    size_t n_policies;
    struct eventlog_slrt_policy policy[EVENTLOG_SLRT_POLICIES_MAX];
    size_t n_configs; /* of UEFI: entity and flags are 0 */
    struct eventlog_slrt_policy config[EVENTLOG_SLRT_CONFIGS_MAX];
};
/*
 * Revision 1 in either form; entries once each, and an end entry.  Policies
 * measure into PCRs 17 to 22 alone.
 */
int eventlog_slrt_parse(struct span table, struct eventlog_slrt *ret,
        struct err *err) MUST_CHECK;

#endif
