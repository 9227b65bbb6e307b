/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room evidence (floor 2, pure): what a zone shows about itself.
 * Specification: docs/proto/evidence.md.
 *
 *   evidence_*        the evidence blob of channels and receipts
 *   evidence_events_* the zone's measured event log: writer and reader
 *
 * Structures of the TPM are in room tcg, event logs in room eventlog.  Spans
 * in results point into the input.  Parsers refuse what they do not know and
 * whatever is left over; whether evidence is to be believed is room appraise's.
 */
#ifndef QAIR_EVIDENCE_H
#define QAIR_EVIDENCE_H

#include "base.h"
#include "buf.h"
#include "crypto.h"
#include "eventlog.h"
#include "tcg.h"

/* The PCR that the zone measures itself into (docs/architecture.md, 7). */
#define EVIDENCE_ZONE_PCR 14
/* sha256:14, what a zone quotes and what its keys are bound to. */
struct tcg_selection evidence_zone_selection(void);

/* ---- the zone's own events ------------------------------------------- */

#define EVIDENCE_EVENT_KIND_MAX 16
#define EVIDENCE_EVENT_NAME_MAX 255
/* Programs, policy, qubes and services of a zone, and its changes since. */
#define EVIDENCE_EVENTS_MAX 1024

/* One measured file: data of an EV_EVENT_TAG in PCR 14. */
struct evidence_event {
    struct span kind; /* a name: "program", "policy", "qube", "conf", ... */
    struct span name; /* printable ASCII: "policy.d/30-sign.policy" */
    uint8_t sha256[CRYPTO_SHA256_SIZE];
    uint64_t size;
    unsigned round; /* reader: 0 at the start, N behind the Nth change */
};

/*
 * Writer, used by qair-measure: begin, add once per file, end; and for each
 * later change of the zone's files change, add once per file, end.  Each
 * appends to log (whose cap the caller names) and gives the digest that PCR 14
 * of the SHA-256 bank is to be extended with; begin extends nothing.
 */
int evidence_events_begin(struct buf *log, struct err *err) MUST_CHECK;
int evidence_events_add(struct buf *log, const struct evidence_event *e,
        uint8_t ret[static CRYPTO_SHA256_SIZE], struct err *err) MUST_CHECK;
/* The separator: what follows it can only be a change. */
int evidence_events_end(struct buf *log, uint8_t ret[static CRYPTO_SHA256_SIZE],
        struct err *err) MUST_CHECK;
/*
 * The zone took its policy, qubes and services anew: what was measured of
 * these kinds before counts no longer, what follows does.  round: 1 and up.
 */
#define EVIDENCE_KIND_CHANGE "change"
int evidence_events_change(struct buf *log, unsigned round,
        uint8_t ret[static CRYPTO_SHA256_SIZE], struct err *err) MUST_CHECK;
/* What of a zone is measured as bundles, in this order. */
#define EVIDENCE_FOLDERS 4
struct evidence_folder {
    const char *bundle; /* bundle.h: its name */
    const char *folder; /* in the zone's directory; "" is the directory */
    const char *kind;
    bool may_change; /* while the zone runs */
};
extern const struct evidence_folder evidence_folders[EVIDENCE_FOLDERS];
/* One file, as FOLDER/NAME. */
int evidence_events_add_file(struct buf *log, const char *kind,
        const char *folder, struct span name,
        const uint8_t sha256[static CRYPTO_SHA256_SIZE], uint64_t size,
        struct err *err) MUST_CHECK;
/* Each file of a bundle, in its order. */
int evidence_events_add_bundle(struct buf *log, const struct evidence_folder *f,
        struct span bundle, struct err *err) MUST_CHECK;
/*
 * A whole round behind a log that is complete: the change, the files of those
 * bundles that may change (by the order above), the separator.
 */
int evidence_events_add_round(struct buf *log,
        const struct span bundle[static EVIDENCE_FOLDERS], struct err *err)
        MUST_CHECK;
/* Does e begin round + 1? */
bool evidence_event_is_change(const struct evidence_event *e, unsigned round);

struct evidence_events {
    size_t n;
    struct evidence_event *event;    /* heap; all rounds, in order */
    unsigned rounds;                 /* changes after the start */
    uint8_t pcr[CRYPTO_SHA256_SIZE]; /* PCR 14 as the log gives it */
};
/*
 * Reader: header, tagged events of PCR 14 whose digest is the hash of their
 * data, no kind and name twice in a round, a separator at the end of each
 * round, nothing else.
 */
int evidence_events_parse(struct span log, struct evidence_events *ret,
        struct err *err) MUST_CHECK;
void evidence_events_fini(struct evidence_events *e);

/* ---- the evidence blob ----------------------------------------------- */

#define EVIDENCE_VERSION       2
#define EVIDENCE_VERSION_PLAIN 1 /* quote and zone's log alone */

/* What a blob can hold; docs/proto/evidence.md, section 2, has the forms. */
enum evidence_kind {
    EVIDENCE_QUOTE = 1,
    EVIDENCE_ZONE_LOG = 2,   /* struct evidence: log */
    EVIDENCE_FIRMWARE = 3,   /* TCG event log of firmware and loaders */
    EVIDENCE_IMA = 4,        /* the kernel's list of measured files */
    EVIDENCE_SNP_REPORT = 5, /* AMD SEV-SNP attestation report */
    EVIDENCE_SNP_CERTS = 6,  /* its certificates, as the host gave them */
    EVIDENCE_DRTM = 7,       /* event log of a dynamic launch */
    EVIDENCE_SPDM = 8,       /* transcripts of devices */
    EVIDENCE_KINDS
};
/* "firmware event log"; "unknown". */
const char *evidence_kind_name(unsigned kind);

/* Canonical: parse then format gives the same bytes. */
struct evidence {
    struct span attest;    /* TPMS_ATTEST as the TPM signed it */
    struct span signature; /* TPMT_SIGNATURE */
    struct span ak;        /* TPMT_PUBLIC */
    /* Parsed from the above. */
    struct tcg_attest quote;
    struct tcg_signature sig;
    struct tcg_public ak_public;
    struct tcg_values values; /* in the order of quote.selection */
    struct span log;          /* evidence_events_*; may be empty */
    /* By kind, from EVIDENCE_FIRMWARE; not looked into; empty: absent. */
    struct span part[EVIDENCE_KINDS];
};
int evidence_parse(struct span bytes, struct evidence *ret, struct err *err)
        MUST_CHECK;
/*
 * From attest, signature, ak, values, log and parts (the parsed fields are not
 * looked at); at most LIMIT_EVIDENCE_MAX bytes, appended to ret.
 */
int evidence_format(const struct evidence *e, struct buf *ret, struct err *err)
        MUST_CHECK;

#endif
