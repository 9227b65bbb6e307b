/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room appraise (floor 3, pure): evidence + what the owner signed -> a state,
 * with reasons.
 *
 *   evidence -> genuine -> claims -> rules -> state
 *
 * The same function serves attestd on a live channel, keyd on its own machine,
 * the owner's command and the offline judgement of a receipt: no clock, no
 * network, no memory of its own.  What cannot be decided is not accepted.
 *
 * Genuine ("is this that machine, now?"): checks in a table in the order that
 * docs/proto/evidence.md gives, ended by the first that fails.  Then each part
 * of the evidence adds its claims (room rules); a part that does not verify
 * adds a note and no claim.  Then the owner's rules for the zone name its
 * state; a zone without rules is compared with its reference, file by file,
 * and that is the whole of its rules.
 */
#ifndef QAIR_APPRAISE_H
#define QAIR_APPRAISE_H

#include "base.h"
#include "buf.h"
#include "evidence.h"
#include "pack.h"

struct snp_trust; /* room snp */

enum appraise_reason {
    APPRAISE_MALFORMED = 1, /* does not parse, trailing bytes */
    APPRAISE_NOT_QUOTE,     /* another kind of attestation */
    APPRAISE_ZONE,          /* zone unknown, revoked or out of its time */
    APPRAISE_OTHER_AK,      /* not the key pinned for the zone */
    APPRAISE_AK_UNFIT,      /* not restricted, not fixed, decrypts, SHA-1 */
    APPRAISE_SIGNATURE,     /* does not hold */
    APPRAISE_BINDER,        /* made for another channel or moment */
    APPRAISE_SELECTION,     /* PCR 14 of SHA-256 not quoted */
    APPRAISE_BANK,          /* a bank of SHA-1 or of an unknown hash */
    APPRAISE_PCR_DIGEST,    /* values are not the quoted ones */
    APPRAISE_CLOCK,         /* from before a reset that was already seen */
    APPRAISE_LOG,           /* log malformed or digest is not of its data */
    APPRAISE_REPLAY,        /* log does not give the quoted PCR */
    APPRAISE_NO_REFERENCE,  /* nothing was approved */
    APPRAISE_EXPIRED,       /* the approval is out of its time */
    APPRAISE_PCR,           /* a quoted PCR differs from the reference */
    APPRAISE_FILE_DIFFERS,
    APPRAISE_FILE_MISSING, /* in the reference, not measured */
    APPRAISE_FILE_EXTRA,   /* measured, not in the reference */
    APPRAISE_ORDER,        /* the same files, measured in another order */
    APPRAISE_RULE,         /* a claim is not as the rules want it */
    APPRAISE_UNDECIDED,    /* nothing decides whether it is */
    APPRAISE_PART,         /* a part of the evidence does not verify */
    APPRAISE_REASON_COUNT
};
/* "binder", "other AK", "file differs". */
const char *appraise_reason_name(enum appraise_reason r);

/* Clock of the last quote of a zone that was found genuine. */
struct appraise_previous {
    bool known;
    struct tcg_clock clock;
};

#define APPRAISE_CLAIM_MAX    320
#define APPRAISE_VALUE_MAX    136 /* a SHA-512 in hex, or a few words */
#define APPRAISE_FINDINGS_MAX 32
/* One thing that is wrong; claim is printable and safe to show. */
struct appraise_finding {
    enum appraise_reason reason;
    char claim[APPRAISE_CLAIM_MAX];    /* "policy.d/30-sign.policy" */
    char expected[APPRAISE_VALUE_MAX]; /* may be empty */
    char actual[APPRAISE_VALUE_MAX];
};

#define APPRAISE_STATE_MAX    (PACK_STATE_MAX + 1 + 16)
#define APPRAISE_NOT_APPROVED "not approved"

/* What the last good evidence of a zone said; its owner keeps it. */
struct appraise_last {
    uint64_t time; /* 0: not known */
    const struct claims *claims;
};

struct appraise_input {
    struct span evidence;                   /* untrusted */
    const struct pack_zone *zone;           /* NULL: refused */
    const struct pack_reference *reference; /* NULL: none is approved */
    const struct pack_rules *rules;         /* NULL: the reference decides */
    struct rules_sets sets;                 /* that rules name */
    struct span binder;                     /* 32 bytes, expected */
    uint64_t time;
    struct appraise_previous previous;
    const struct appraise_last *last; /* NULL: unknown */
    const struct snp_trust *amd;      /* for tests; NULL: AMD's own roots */
};
/* Sets zone, reference, rules and sets: what the pack says of the zone at
 * in->time.  Who sets them alone must leave none of them out. */
void appraise_take_pack(
        struct appraise_input *in, const struct pack *p, struct span zone);

struct appraisal {
    bool genuine; /* that zone's TPM, fresh, log and quote agree */
    bool accept;  /* genuine, and in a state that the owner approved */
    char state[APPRAISE_STATE_MAX]; /* "golden (emulated)", "not approved" */
    uint8_t evidence[CRYPTO_SHA256_SIZE]; /* of the evidence bytes */
    struct tcg_clock clock;               /* valid when genuine */
    /*
     * Evidence quotes what firmware and loaders measured, and has no log of
     * it: the values are compared, nothing explains them.  Of those that the
     * reference has: computed from the deployed files, or measured once.
     */
    bool logless;
    uint32_t computed, recorded;
    size_t n_findings;
    size_t n_more; /* findings that did not fit */
    struct appraise_finding finding[APPRAISE_FINDINGS_MAX];
};

/* Always fills *ret; its answer is ret->accept. */
void appraise(const struct appraise_input *in, struct appraisal *ret);

/* ---- and everything that it rests on --------------------------------- */

#define APPRAISE_CHANGES_MAX 32 /* that are named; all are counted */

/* A part of the evidence that adds no claims, and why. */
struct appraise_note {
    const char *part; /* "firmware event log" */
    char text[ERR_MSG_MAX];
};

struct appraise_detail {
    struct claims claims; /* of genuine evidence */
    struct rules_verdict verdict;
    size_t n_notes;
    struct appraise_note note[16]; /* one a part */
    /* Against in->last. */
    size_t n_changes;
    struct claims_change change[APPRAISE_CHANGES_MAX];
};
/* As appraise.  What *detail says points into it, the input and its pack. */
void appraise_in_full(const struct appraise_input *in, struct appraisal *ret,
        struct appraise_detail *detail);
void appraise_detail_fini(struct appraise_detail *d);

/* ---- for people ------------------------------------------------------ */

/*
 * "policy.d/30-sign.policy differs from the reference: expected 12ab..,
 * measured 34cd..": one finding as a line without '\n'.
 */
void appraise_format(const struct appraise_finding *f, char *ret, size_t cap);
/*
 * "no event log: PCR 4,8,9 judged against values computed from the deployed
 * files, PCR 0,7 against recorded ones"; empty when there is a log.
 */
#define APPRAISE_LOG_MAX 320
void appraise_format_log(
        const struct appraisal *a, char ret[static APPRAISE_LOG_MAX]);
/* All findings, a line each, appended. */
void appraise_explain(const struct appraisal *a, struct buf *ret);
/* "since 2026-11-25T10:04:00Z: tpm.resets: 5 -> 6", a line a change. */
void appraise_explain_changes(const struct appraise_input *in,
        const struct appraise_detail *d, struct buf *ret);
/*
 * What a colleague would answer: the state, each line of the rules that is not
 * met with what the evidence says and where, what changed since the last good
 * evidence, what was said and is not proved.  Lines of text, appended.
 */
void appraise_tell(const struct appraise_input *in, const struct appraisal *a,
        const struct appraise_detail *d, struct buf *ret);

#endif
