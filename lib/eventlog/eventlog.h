/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room eventlog (floor 2, pure): logs of what was measured into PCRs.
 *
 * TCG PC Client Platform Firmware Profile 1.06, section 10.  A log says how
 * PCR values came about; only a quote makes it true.  Spans in results point
 * into the log; nothing is allocated.
 */
#ifndef QAIR_EVENTLOG_H
#define QAIR_EVENTLOG_H

#include "base.h"
#include "crypto.h"
#include "tcg.h"

/* ---- TCG event logs (PFP 1.06, 10) ----------------------------------- */

enum eventlog_type {
    EVENTLOG_EV_NO_ACTION = 0x3,
    EVENTLOG_EV_SEPARATOR = 0x4,
    EVENTLOG_EV_ACTION = 0x5,
    EVENTLOG_EV_EVENT_TAG = 0x6,
    EVENTLOG_EV_S_CRTM_VERSION = 0x8,
};
/* Over INT_MAX, so not in the enum. */
#define EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG 0x80000001u
#define EVENTLOG_EV_EFI_GPT_EVENT              0x80000006u
#define EVENTLOG_EV_EFI_ACTION                 0x80000007u
#define EVENTLOG_EV_EFI_HCRTM_EVENT            0x80000010u
#define EVENTLOG_EV_EFI_VARIABLE_AUTHORITY     0x800000e0u

/* TaggedEventID of a zone's own EV_EVENT_TAG: "QAIR" (room evidence). */
#define EVENTLOG_TAG_QAIR 0x52494151u

#define EVENTLOG_ALGS_MAX 16
struct eventlog_alg {
    uint16_t alg;
    uint16_t size;
};

/* A cursor over a crypto-agile log; open it anew to walk again. */
struct eventlog {
    struct wire_reader left;
    size_t n_algs;
    struct eventlog_alg alg[EVENTLOG_ALGS_MAX];
    struct span vendor;
    size_t index; /* of the next event; the header is event 0 */
};

struct eventlog_event {
    size_t index;
    uint32_t pcr;
    uint32_t type; /* not authenticated by any PCR */
    size_t n_digests;
    struct {
        uint16_t alg;
        struct span digest;
    } digest[EVENTLOG_ALGS_MAX];
    struct span data;
};

/* Reads the Spec ID header; legacy SHA-1 logs are ERR_UNSUPPORTED. */
int eventlog_open(struct span log, struct eventlog *ret, struct err *err)
        MUST_CHECK;
/* 1 and an event, 0 at the end (or at 00 or FF padding), else an error. */
int eventlog_next(struct eventlog *log, struct eventlog_event *ret,
        struct err *err) MUST_CHECK;
bool eventlog_digest(const struct eventlog_event *e, uint16_t alg,
        struct span *ret) MUST_CHECK;
/*
 * For types whose digest is the hash of their data (separators, actions,
 * tags, variables): does it hold in every bank?  0, ERR_MISMATCH, or
 * ERR_UNSUPPORTED for a type that hashes something else.
 */
int eventlog_check_data(const struct eventlog_event *e) MUST_CHECK;

struct eventlog_pcrs {
    uint16_t alg;
    size_t size;
    uint32_t extended; /* bit i: some event extended PCR i */
    uint8_t value[TCG_PCRS][CRYPTO_HASH_MAX];
};
/*
 * PCR values after the whole log: EV_NO_ACTION is not extended, PCR 0 starts
 * at the StartupLocality or at 4 with an H-CRTM event, 17..22 are all ones
 * until a dynamic launch sets them to zero.  Every event must carry alg.
 */
int eventlog_replay(struct span log, uint16_t alg, struct eventlog_pcrs *ret,
        struct err *err) MUST_CHECK;

#endif
