/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine booted, as far as it is proved.  Part of room eventlog:
 * include eventlog.h.
 *
 * A view walks a log a second time, once comparison has shown which PCRs a
 * quote proves, gives one fact for each event, and sums up what only the whole
 * log can tell.  Nobody vouches for the type of an event, so that a fact holds
 * only where its data is covered by the digest (fact.data_attested); all else
 * is a label, for a person's eyes.  A liar can hide an event behind another
 * type: answers that say "no such event" or "this came first" are given only
 * when every event of that PCR shows its data, and are undecided otherwise.
 *
 * The logs that TDX keeps in ACPI (CCEL) number measurement registers, not
 * PCRs: replay them, but no view of them means anything.
 */
#ifndef QAIR_EVENTLOG_VIEW_H
#define QAIR_EVENTLOG_VIEW_H

#include "base.h"

enum eventlog_kind {
    EVENTLOG_UNAPPRAISED,  /* of a type or content that nothing is known of */
    EVENTLOG_NO_ACTION,    /* extended into nothing: unauthenticated */
    EVENTLOG_SEPARATOR,    /* value: 4 bytes */
    EVENTLOG_CRTM,         /* value: version, or what was measured first */
    EVENTLOG_FIRMWARE,     /* blob, driver volume, microcode: the digest */
    EVENTLOG_CONFIG,       /* platform configuration, tables, SMBIOS */
    EVENTLOG_VARIABLE,     /* UEFI variable: name, value */
    EVENTLOG_AUTHORITY,    /* name, value: the signature entry that was used */
    EVENTLOG_BOOT_ORDER,   /* value: list of u16 */
    EVENTLOG_BOOT_OPTION,  /* name, value: EFI_LOAD_OPTION */
    EVENTLOG_APPLICATION,  /* Authenticode digest; name: device path */
    EVENTLOG_DRIVER,       /* as APPLICATION: boot or runtime driver */
    EVENTLOG_OPTION_ROM,   /* as DRIVER, in PCR 2 from a PCI device */
    EVENTLOG_PARTITIONS,   /* value: UEFI_GPT_DATA */
    EVENTLOG_ACTION,       /* value: text */
    EVENTLOG_COMMAND,      /* value: a command of the boot loader */
    EVENTLOG_CMDLINE,      /* value: kernel command line, ASCII or UTF-16 */
    EVENTLOG_FILE,         /* name: path of a file that GRUB read */
    EVENTLOG_MOK,          /* name: shim's variable */
    EVENTLOG_SECTION,      /* name: of a UKI, UTF-16; digest: the content */
    EVENTLOG_SECTION_NAME, /* name: as above; digest: the name itself */
    EVENTLOG_TAGGED,       /* tag, value: see eventlog_view_tag_name */
    EVENTLOG_DEVICE,       /* value: see eventlog_uefi_device */
    EVENTLOG_LAUNCH,       /* dynamic launch: see eventlog_drtm.h */
    EVENTLOG_ZONE,         /* value: a zone's own event (room evidence) */
};
const char *eventlog_kind_name(enum eventlog_kind kind); /* "separator" */

struct eventlog_fact {
    enum eventlog_kind kind;
    size_t event;
    uint32_t pcr;
    uint32_t type;
    enum eventlog_data data;
    bool attested;        /* digest is in a proved PCR, at this place in it */
    bool data_attested;   /* and covers value, or name and value */
    bool after_separator; /* of its PCR */
    struct span digest;   /* in the view's bank */
    uint32_t tag;
    struct span name; /* bytes or UTF-16, as the kind says */
    struct span value;
};

enum eventlog_answer {
    EVENTLOG_UNDECIDED,
    EVENTLOG_NO,
    EVENTLOG_YES,
};

/* Variables of the secure boot policy, all in PCR 7. */
enum eventlog_policy {
    EVENTLOG_SECURE_BOOT,
    EVENTLOG_PK,
    EVENTLOG_KEK,
    EVENTLOG_DB,
    EVENTLOG_DBX,
    EVENTLOG_DBT, /* optional from here on */
    EVENTLOG_DBR,
    EVENTLOG_DEPLOYED_MODE,
    EVENTLOG_AUDIT_MODE,
    EVENTLOG_SETUP_MODE,
    EVENTLOG_POLICY_N,
};
struct eventlog_policy_variable {
    size_t n; /* times measured */
    size_t event;
    struct span value;
    bool holds; /* data attested, and before the separator */
};

/* Actions that say something of the whole boot. */
enum eventlog_flag {
    EVENTLOG_DEBUG_MODE,      /* PCR 7: "UEFI Debug Mode" */
    EVENTLOG_DMA_UNPROTECTED, /* PCR 7: "DMA Protection Disabled" */
    EVENTLOG_EXIT_INVOKED,    /* PCR 5: Exit Boot Services ... */
    EVENTLOG_EXIT_SUCCEEDED,
    EVENTLOG_EXIT_FAILED,
    EVENTLOG_CALLED_BOOT_OPTION, /* PCR 4: Calling EFI Application ... */
    EVENTLOG_RETURNED_FROM_OPTION,
    EVENTLOG_FLAG_N,
};

struct eventlog_separators {
    size_t n;
    size_t event; /* of the first */
    uint32_t value;
    bool holds; /* data attested */
};

/* Of 00000000, FFFFFFFF and an error. */
#define EVENTLOG_SEPARATORS_N 3

struct eventlog_view {
    struct eventlog log;
    uint16_t alg;
    uint32_t proved;
    uint32_t opaque;       /* bit i: PCR i has an event that hides its data, or
                              looks like a separator and is called otherwise */
    uint32_t opaque_early; /* the same, before the separator of PCR i */
    struct eventlog_separators separator[TCG_PCRS];
    struct eventlog_policy_variable policy[EVENTLOG_POLICY_N];
    struct {
        size_t n;
        size_t event;
    } flag[EVENTLOG_FLAG_N];
    size_t n_authorities; /* with data attested */
    size_t n_wrong;       /* EVENTLOG_DATA_WRONG */
    size_t n_unappraised;
    size_t n_unattested; /* events in PCRs that are not proved */
    uint8_t separator_digest[EVENTLOG_SEPARATORS_N][CRYPTO_HASH_MAX];
};

/*
 * alg: the bank whose digests are given; proved: PCRs of which a quote proves
 * the value in it (eventlog_agreement.proved).  With a legacy log the caller
 * has to pass SHA-1 and eventlog_agreement.bank[].agree, and knows why.
 */
void eventlog_view_begin(const struct eventlog *log, uint16_t alg,
        uint32_t proved, struct eventlog_view *ret);
/* 1 and a fact for the next event, 0 at the end, or as eventlog_next. */
int eventlog_view_next(struct eventlog_view *v, struct eventlog_fact *ret,
        struct err *err) MUST_CHECK;
/* To the end, for the sums alone. */
int eventlog_view_all(struct eventlog_view *v, struct err *err) MUST_CHECK;

/*
 * Was secure boot on?  YES or NO only when PCR 7 is proved, SecureBoot, PK,
 * KEK, db and dbx were each measured once before its one separator of no
 * error, every event before it shows its data, and SecureBoot is 1 or 0.
 * Otherwise UNDECIDED.  ret_why: a sentence, never NULL.
 */
enum eventlog_answer eventlog_view_secure_boot(
        const struct eventlog_view *v, const char **ret_why);
/*
 * Did firmware finish well?  YES: PCRs 0 to 7 are proved and each has one
 * separator of 00000000 or FFFFFFFF; NO: one of them is proved to have none,
 * several, or that of an error; else UNDECIDED.
 */
enum eventlog_answer eventlog_view_separators(
        const struct eventlog_view *v, const char **ret_why);
/* Did this happen?  NO needs a PCR that is proved and hides nothing. */
enum eventlog_answer eventlog_view_flag(
        const struct eventlog_view *v, enum eventlog_flag flag);
const char *eventlog_flag_name(enum eventlog_flag flag); /* the action's text */
const char *eventlog_policy_name(enum eventlog_policy p); /* "SecureBoot" */

/*
 * Of events that measure a text (GRUB's commands, command lines): the text
 * that the digest is of, in every bank that we compute.
 */
bool eventlog_view_text(const struct eventlog_event *e, struct span *ret)
        MUST_CHECK;
/* "Linux initrd" for a tag of Linux, systemd or qair; NULL when not known. */
const char *eventlog_view_tag_name(uint32_t tag);
/* One line for a person, without the event's number: "SecureBoot = 01". */
#define EVENTLOG_FACT_TEXT 512
void eventlog_view_format(
        const struct eventlog_fact *f, char ret[static EVENTLOG_FACT_TEXT]);

#endif
