/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room eventlog (floor 2, pure): logs of what was measured into PCRs.
 *
 *   eventlog.h           logs of the TCG form, replay, comparison
 *   eventlog_uefi.h      what UEFI firmware puts into events
 *   eventlog_view.h      what a machine booted, as far as it is proved
 *   eventlog_drtm.h      dynamic launches: TrenchBoot, Intel TXT, SLRT
 *   eventlog_coreboot.h  logs of coreboot (CBMEM)
 *   eventlog_user.h      the log that systemd keeps once Linux runs
 *
 * TCG PC Client Platform Firmware Profile 1.06 ("PFP"), section 10; SHA-1 logs
 * of TCG PC Client Specific Implementation 1.21, section 11.
 *
 * A log is a claim of the machine that sends it.  It becomes true only so far
 * as a quote proves PCR values: replay gives the values that the log explains,
 * comparison says which PCRs agree, and a view is given those and no others.
 * Even then no PCR authenticates the type of an event, the order of events of
 * different PCRs, EV_NO_ACTION events, or data that is not hashed into the
 * digest; enum eventlog_data says which data is.
 *
 * Any process may call it; it is meant for attestd.  Nothing is allocated, so
 * that a log of a million events takes no more memory than one of ten; spans
 * in results point into the log.  Limits: LIMIT_TCG_LOG_MAX bytes,
 * LIMIT_TCG_EVENTS_MAX events, EVENTLOG_ALGS_MAX banks; beyond is ERR_LIMIT.
 * A malformed log is ERR_SYNTAX with the number of the event, one without a
 * usable header ERR_UNSUPPORTED; an event type that is not known is no error.
 */
#ifndef QAIR_EVENTLOG_H
#define QAIR_EVENTLOG_H

#include "base.h"
#include "crypto.h"
#include "tcg.h"

/* ---- events ---------------------------------------------------------- */

enum eventlog_type {
    EVENTLOG_EV_PREBOOT_CERT = 0x0,
    EVENTLOG_EV_POST_CODE = 0x1,
    EVENTLOG_EV_NO_ACTION = 0x3,
    EVENTLOG_EV_SEPARATOR = 0x4,
    EVENTLOG_EV_ACTION = 0x5,
    EVENTLOG_EV_EVENT_TAG = 0x6,
    EVENTLOG_EV_S_CRTM_CONTENTS = 0x7,
    EVENTLOG_EV_S_CRTM_VERSION = 0x8,
    EVENTLOG_EV_PLATFORM_CONFIG_FLAGS = 0xa,
    EVENTLOG_EV_COMPACT_HASH = 0xc,
    EVENTLOG_EV_IPL = 0xd,
    EVENTLOG_EV_POST_CODE2 = 0x13,
    EVENTLOG_EV_TXT_FIRST = 0x401,
    EVENTLOG_EV_TXT_LAST = 0x4ff,
    EVENTLOG_EV_SLAUNCH = 0x502,
    EVENTLOG_EV_SLAUNCH_START = 0x503,
    EVENTLOG_EV_SLAUNCH_END = 0x504,
};
/* Over INT_MAX, so not in the enum. */
#define EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG  0x80000001u
#define EVENTLOG_EV_EFI_VARIABLE_BOOT           0x80000002u
#define EVENTLOG_EV_EFI_BOOT_SERVICES_APP       0x80000003u
#define EVENTLOG_EV_EFI_BOOT_SERVICES_DRIVER    0x80000004u
#define EVENTLOG_EV_EFI_RUNTIME_SERVICES_DRIVER 0x80000005u
#define EVENTLOG_EV_EFI_GPT_EVENT               0x80000006u
#define EVENTLOG_EV_EFI_ACTION                  0x80000007u
#define EVENTLOG_EV_EFI_FIRMWARE_BLOB           0x80000008u
#define EVENTLOG_EV_EFI_HANDOFF_TABLES          0x80000009u
#define EVENTLOG_EV_EFI_FIRMWARE_BLOB2          0x8000000au
#define EVENTLOG_EV_EFI_HANDOFF_TABLES2         0x8000000bu
#define EVENTLOG_EV_EFI_VARIABLE_BOOT2          0x8000000cu
#define EVENTLOG_EV_EFI_GPT_EVENT2              0x8000000du
#define EVENTLOG_EV_EFI_HCRTM_EVENT             0x80000010u
#define EVENTLOG_EV_EFI_VARIABLE_AUTHORITY      0x800000e0u
#define EVENTLOG_EV_EFI_SPDM_FIRMWARE_BLOB      0x800000e1u
#define EVENTLOG_EV_EFI_SPDM_FIRMWARE_CONFIG    0x800000e2u
#define EVENTLOG_EV_EFI_SPDM_DEVICE_POLICY      0x800000e3u
#define EVENTLOG_EV_EFI_SPDM_DEVICE_AUTHORITY   0x800000e4u

/* "EV_SEPARATOR"; NULL for a type that is in no specification read here. */
const char *eventlog_type_name(uint32_t type);

/* TaggedEventID of a zone's own EV_EVENT_TAG: "QAIR" (room evidence). */
#define EVENTLOG_TAG_QAIR 0x52494151u

/* More banks than any TPM has; a Spec ID with more is ERR_SYNTAX. */
#define EVENTLOG_ALGS_MAX 16
struct eventlog_alg {
    uint16_t alg;
    uint16_t size;
};

enum eventlog_format {
    EVENTLOG_AGILE,  /* Spec ID Event03: any number of banks */
    EVENTLOG_LEGACY, /* SHA-1 alone: not to be believed since 2017 */
};

/* A cursor over a log; open it anew, or copy it, to walk again. */
struct eventlog {
    enum eventlog_format format;
    struct wire_reader left;
    struct span bytes;
    const uint8_t *run_end; /* of equal bytes that are no padding */
    size_t n_algs;
    struct eventlog_alg alg[EVENTLOG_ALGS_MAX];
    uint32_t platform_class; /* of the Spec ID: 0 client, 1 server */
    uint8_t minor, major, errata, uintn_size;
    struct span vendor;
    size_t index; /* of the next event; a Spec ID header is event 0 */
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

/* A crypto-agile log; of SHA-1 alone: ERR_UNSUPPORTED. */
int eventlog_open(struct span log, struct eventlog *ret, struct err *err)
        MUST_CHECK;
/* Either form; look at ret->format before you believe it. */
int eventlog_open_any(struct span log, struct eventlog *ret, struct err *err)
        MUST_CHECK;
/* Events without a header, whose banks the caller knows. */
int eventlog_open_fragment(struct span events, const struct eventlog_alg *alg,
        size_t n, struct eventlog *ret, struct err *err) MUST_CHECK;
/*
 * 1 and an event, 0 at the end (or at padding of 00 or FF up to the end, as
 * in ACPI tables), else an error.  An event has at least one digest, none of a
 * bank that the header does not name and none twice; one without a digest of
 * some bank leaves that bank incomplete (struct eventlog_bank).
 */
int eventlog_next(struct eventlog *log, struct eventlog_event *ret,
        struct err *err) MUST_CHECK;
/* Bytes before the next event: after the last one, all but padding. */
size_t eventlog_used(const struct eventlog *log);
bool eventlog_digest(const struct eventlog_event *e, uint16_t alg,
        struct span *ret) MUST_CHECK;
/* Did it extend its PCR?  What did not is said by the log alone. */
bool eventlog_extends(const struct eventlog_event *e);

/* How the digest of an event, in every bank that we compute, covers its data.
 */
enum eventlog_data {
    EVENTLOG_DATA_OPAQUE, /* not at all: a label of the measured thing */
    EVENTLOG_DATA_WHOLE,
    EVENTLOG_DATA_VALUE, /* of a UEFI variable the value, not the name */
    EVENTLOG_DATA_SHORT, /* all but the last byte: older shim */
    EVENTLOG_DATA_TEXT,  /* the text behind "grub_cmd: ", see the view */
    EVENTLOG_DATA_WRONG, /* the standard demands WHOLE, and it is not */
};
/* Tries each relation that such an event may have. */
enum eventlog_data eventlog_data(const struct eventlog_event *e) MUST_CHECK;
/*
 * For types whose digest the standard defines as the hash of their data
 * (separators, actions, variables, ...): does it hold in every bank?  0,
 * ERR_MISMATCH, or ERR_UNSUPPORTED for a type that hashes something else.
 */
int eventlog_check_data(const struct eventlog_event *e) MUST_CHECK;

/* ---- replay ---------------------------------------------------------- */

/* Banks that room crypto computes: SHA-1, SHA-256, SHA-384, SHA-512. */
#define EVENTLOG_BANKS_MAX 4
struct eventlog_bank {
    uint16_t alg;
    enum crypto_hash hash;
    size_t size;
    uint32_t extended; /* bit i: some event extended PCR i */
    uint32_t missing;  /* bit i: some event of PCR i did not extend alg */
    uint8_t value[TCG_PCRS][CRYPTO_HASH_MAX];
};

/* What a whole log explains. */
struct eventlog_pcrs {
    enum eventlog_format format;
    size_t n;
    struct eventlog_bank bank[EVENTLOG_BANKS_MAX];
    size_t events; /* with the header */
    size_t used;
    bool has_locality; /* an EV_NO_ACTION said so */
    uint8_t locality;
    bool has_hcrtm;
    uint32_t launched; /* bits 17..22 when a dynamic launch is logged */
    size_t wrong;      /* events that are EVENTLOG_DATA_WRONG */
    size_t first_wrong;
};

/* Replay as a cursor: values in r->pcrs are those before the next event. */
struct eventlog_replay {
    struct eventlog log;
    struct eventlog_pcrs pcrs;
};
void eventlog_replay_begin(
        const struct eventlog *log, struct eventlog_replay *ret);
/*
 * As eventlog_next, and extends all banks.  *ret_data says whether the
 * standard's demand on the data holds: WHOLE, SHORT, WRONG, or OPAQUE where
 * there is none.
 *
 * EV_NO_ACTION is not extended.  PCR 0 starts at the StartupLocality that an
 * EV_NO_ACTION names before its first measurement, or at 4 when that is an
 * EV_EFI_HCRTM_EVENT.  17..22 are all ones until one of them is measured into,
 * then they start at zero.
 */
int eventlog_replay_next(struct eventlog_replay *r, struct eventlog_event *ret,
        enum eventlog_data *ret_data, struct err *err) MUST_CHECK;
/* From where log stands to its end. */
int eventlog_replay_all(const struct eventlog *log, struct eventlog_pcrs *ret,
        struct err *err) MUST_CHECK;
/* The whole of a crypto-agile log. */
int eventlog_replay(struct span log, struct eventlog_pcrs *ret, struct err *err)
        MUST_CHECK;
int eventlog_replay_any(
        struct span log, struct eventlog_pcrs *ret, struct err *err) MUST_CHECK;
/* H(value || digest) into value; both of hash's size. */
void eventlog_extend(enum crypto_hash hash, uint8_t *value, struct span digest);
/* NULL when the log has no such bank. */
const struct eventlog_bank *eventlog_bank(
        const struct eventlog_pcrs *p, uint16_t alg);

/* ---- comparison ------------------------------------------------------ */

/* A value that a quote proves, or a file claims. */
struct eventlog_claim {
    uint16_t alg;
    unsigned pcr;
    struct span value;
};
struct eventlog_agreement {
    size_t n;
    struct {
        uint16_t alg;
        uint32_t agree; /* bit i: PCR i is what the log explains */
        uint32_t differ;
    } bank[TCG_BANKS_MAX];
    uint32_t proved; /* PCRs that agree in a bank that is not SHA-1, and
                        differ in none */
    uint32_t differ; /* in any bank */
};
/*
 * 0 when every claim agrees, else ERR_MISMATCH with the first that does not;
 * ret is written in both cases.  A claim differs, too, when the log has no
 * such bank.  No claims at all, one twice, or one of no PCR: ERR_SYNTAX.
 */
int eventlog_compare(const struct eventlog_pcrs *p,
        const struct eventlog_claim *claim, size_t n,
        struct eventlog_agreement *ret, struct err *err) MUST_CHECK;

#include "eventlog_coreboot.h"
#include "eventlog_drtm.h"
#include "eventlog_uefi.h"
#include "eventlog_user.h"
#include "eventlog_view.h"

#endif
