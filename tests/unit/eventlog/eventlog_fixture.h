/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs for tests: a writer that can also write what no firmware would. */
#ifndef QAIR_EVENTLOG_FIXTURE_H
#define QAIR_EVENTLOG_FIXTURE_H

#include "buf.h"
#include "eventlog.h"

/* SHA-1, SHA-256 and SHA-384, in this order. */
#define FIXTURE_BANKS 3
extern const struct eventlog_alg fixture_algs[FIXTURE_BANKS];

/* A Spec ID record; algs of any number. */
void fixture_header(struct buf *log, const struct eventlog_alg *alg, size_t n,
        struct span vendor);
/* An event whose digests are those of hashed, in the banks of alg. */
void fixture_event_of(struct buf *log, const struct eventlog_alg *alg, size_t n,
        uint32_t pcr, uint32_t type, struct span hashed, struct span data);
/* The same in the three banks, of its data. */
void fixture_event(
        struct buf *log, uint32_t pcr, uint32_t type, struct span data);
void fixture_text(
        struct buf *log, uint32_t pcr, uint32_t type, const char *data);
/* An event in the form of SHA-1 logs. */
void fixture_old_event(
        struct buf *log, uint32_t pcr, uint32_t type, struct span data);
void fixture_u16(struct buf *b, uint16_t v);
void fixture_u32(struct buf *b, uint32_t v);
void fixture_u64(struct buf *b, uint64_t v);
/* ASCII as UTF-16LE, without NUL. */
void fixture_utf16(struct buf *b, const char *text);
/* UEFI_VARIABLE_DATA */
void fixture_variable(struct buf *b, enum eventlog_uefi_vendor vendor,
        const char *name, struct span value);

/* A boot with secure boot on, all separators and firmware's actions. */
struct fixture_boot {
    /* What a liar or a poor firmware would change. */
    const char *skip_variable; /* not measured */
    const char *twice;         /* variable measured twice */
    uint32_t variable_type;    /* of SecureBoot */
    uint8_t secure_boot;
    uint32_t separator;      /* value in PCR 7 */
    uint32_t separator_type; /* of the one in PCR 7 */
    unsigned n_separators;   /* in PCR 7 */
    bool late;               /* variables behind the separator */
    bool hide;               /* an opaque event in PCR 7 first */
    bool foreign;            /* an event of a strange type, of its data */
    const char *action;      /* one more in PCR 7, before the separator */
};
void fixture_boot_init(struct fixture_boot *b);
void fixture_boot(struct buf *log, const struct fixture_boot *b);
/* Claims of all PCRs of a log in one bank, which therefore agree. */
#define FIXTURE_CLAIMS TCG_PCRS
size_t fixture_claims(const struct eventlog_pcrs *p, uint16_t alg,
        struct eventlog_claim ret[static FIXTURE_CLAIMS]);
/* A view to the end of log, with all PCRs proved in SHA-256. */
void fixture_view(struct span log, uint32_t proved, struct eventlog_view *ret);

#endif
