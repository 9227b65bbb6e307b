/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room receipt (floor 3, pure): NAME.receipt.json, what a requester keeps.
 * Specification: docs/proto/receipt.md.
 *
 * A receipt carries the signature file, the signing zone's statement about it,
 * the origin's call envelope, the proof that the statement is in the zone's
 * log, and the evidence of the state in which the key worked.  receipt_judge
 * decides by these bytes and the owner's pack alone: no network, no clock, no
 * trust in who handed the receipt over.
 *
 * keyd writes receipts; the command (and anybody else) judges them.
 */
#ifndef QAIR_RECEIPT_H
#define QAIR_RECEIPT_H

#include "base.h"
#include "buf.h"
#include "merkle.h"
#include "pack.h"
#include "profile.h"
#include "statement.h"

/* Two envelopes, a proof and evidence at their limits, escaped or base64. */
#define RECEIPT_MAX (6u << 20)

struct receipt {
    struct span profile;   /* "sshsig" */
    struct span signature; /* text of the signature file */
    struct span statement; /* DSSE of qair:sign/v1, as it is in the log */
    struct span envelope;  /* the origin's DSSE; empty: a local call */
    struct span proof;     /* tlog-proof of the statement's entry */
    struct span evidence;  /* blob of the signing zone */
    /* of receipt_parse alone: what the spans point into */
    struct json_t *doc;
    struct buf evidence_bytes;
};

/*
 * What the quote in a receipt's evidence is bound to (its qualifying data):
 * SHA-256("qair-sign-1" || call id || SHA-256 of the key's SPKI || SHA-256 of
 * the artefact), so that evidence of one act serves no other.
 */
void receipt_binder(const uint8_t call_id[static STATEMENT_CALL_ID],
        const uint8_t key_sha256[static CRYPTO_SHA256_SIZE],
        const uint8_t artefact_sha256[static CRYPTO_SHA256_SIZE],
        uint8_t ret[static CRYPTO_SHA256_SIZE]);

/* The document and a '\n', appended to ret. */
int receipt_format(const struct receipt *r, struct buf *ret, struct err *err)
        MUST_CHECK;
/* Canonical: only what receipt_format writes is accepted. */
int receipt_parse(struct span bytes, struct receipt *ret, struct err *err)
        MUST_CHECK;
void receipt_fini(struct receipt *r);

/* ---- judgement ------------------------------------------------------- */

enum receipt_check {
    RECEIPT_FORM,      /* the document and what is inside parse */
    RECEIPT_STATEMENT, /* signed by the identity of a valid zone */
    RECEIPT_TIME,      /* not from the future */
    RECEIPT_LOG,       /* included in that zone's log */
    RECEIPT_ENVELOPE,  /* the call, signed by the zone that it came from */
    RECEIPT_PATH,      /* the zones before that one, each signed its link */
    RECEIPT_KEY,       /* a valid key of that zone, custody and profile */
    RECEIPT_SIGNATURE, /* holds, and is the one that the statement names */
    RECEIPT_ARTEFACT,  /* the file at hand is what was signed */
    RECEIPT_EVIDENCE,  /* for this act, in an approved state, as stated */
    RECEIPT_CHECK_COUNT
};
/* "statement"; for tables and JSON. */
const char *receipt_check_name(enum receipt_check c);

enum receipt_result {
    RECEIPT_FAILED, /* wrong, or could not be decided */
    RECEIPT_OK,
    RECEIPT_NOT_GIVEN, /* no file at hand: RECEIPT_ARTEFACT alone */
};

#define RECEIPT_DETAIL_MAX 1024 /* a path of LIMIT_CALL_HOPS zones */

struct receipt_finding {
    enum receipt_result result;
    char detail[RECEIPT_DETAIL_MAX]; /* printable, one line */
};

struct receipt_judgement {
    /* No check failed; RECEIPT_ARTEFACT may be RECEIPT_NOT_GIVEN. */
    bool verified;
    struct receipt_finding finding[RECEIPT_CHECK_COUNT];
};

struct receipt_input {
    struct span receipt; /* untrusted */
    const struct pack *pack;
    /*
     * Of the file at hand, through profile_begin of the receipt's
     * profile; NULL: none.  A minisign receipt cannot be verified without it:
     * the statement does not name BLAKE2b.
     */
    const struct profile_digests *artefact;
    uint64_t time; /* of the judgement, unix seconds */
};

/* Always fills *ret; its answer is ret->verified. */
void receipt_judge(
        const struct receipt_input *in, struct receipt_judgement *ret);

#endif
