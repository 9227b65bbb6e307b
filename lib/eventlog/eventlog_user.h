/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of measurements that systemd makes once Linux runs:
 * /run/log/systemd/tpm2-measure.log.  Part of room eventlog: include
 * eventlog.h.
 *
 * RFC 7464: records of RS, one JSON object in the manner of the TCG Canonical
 * Event Log, LF.  The reader knows the little JSON that is needed and is strict
 * with it: no member twice, no number but a decimal without sign, at most
 * EVENTLOG_USER_DEPTH levels; members that it does not know are stepped over.
 * Records go on from where the firmware's log ended, in the same banks.
 */
#ifndef QAIR_EVENTLOG_USER_H
#define QAIR_EVENTLOG_USER_H

#include "base.h"

#define EVENTLOG_USER_DEPTH 8
/* systemd's records are under 1 KiB. */
#define EVENTLOG_USER_RECORD_MAX 65536

struct eventlog_user {
    struct span left;
    size_t index; /* of the next record */
};
struct eventlog_user_digest {
    uint16_t alg;
    size_t len;
    uint8_t value[CRYPTO_HASH_MAX];
};
struct eventlog_user_record {
    size_t index;
    bool has_pcr;
    uint32_t pcr;
    bool has_nv; /* an NV index that is extended like a PCR ("NvPCR") */
    uint64_t nv_index;
    size_t n_digests;
    struct eventlog_user_digest digest[EVENTLOG_BANKS_MAX];
    struct span type;        /* "phase", "machine-id", "volume-key", ... */
    struct span text;        /* as it stands in the JSON, escapes and all */
    struct span boot_id;     /* hex */
    uint64_t timestamp;      /* microseconds since boot */
    enum eventlog_data data; /* WHOLE: the digests are of text; WRONG: they
                                are not, of a "phase"; else OPAQUE */
};

int eventlog_user_open(
        struct span log, struct eventlog_user *ret, struct err *err) MUST_CHECK;
/* 1 and a record, 0 at the end, else an error. */
int eventlog_user_next(struct eventlog_user *u,
        struct eventlog_user_record *ret, struct err *err) MUST_CHECK;
/*
 * Extends p, what the firmware's log explains, by all records; those of NV
 * indices are left out.  p is unchanged on failure.
 */
int eventlog_user_replay(
        struct span log, struct eventlog_pcrs *p, struct err *err) MUST_CHECK;

#endif
