/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room statement (floor 2, pure): what machines of a zone say under signature.
 * Specification: docs/proto/statement.md.
 *
 * Three layers, each usable alone:
 *   JSON       the one strict reader and the one writer (jansson inside)
 *   DSSE       envelope, pre-authentication encoding, verification
 *   Statement  in-toto Statement v1, one subject, with a predicate of ours
 *
 * JSON in: well-formed UTF-8, no duplicate keys, no NUL, nothing behind the
 * value, depth at most LIMIT_JSON_DEPTH.  JSON out: compact, keys sorted.  A
 * Statement of ours is canonical: statement_parse refuses bytes that the
 * writer would not have written, so format(parse(x)) == x.  An envelope may
 * come from a foreign producer and is read as DSSE asks: white space, unknown
 * members and both base64 alphabets are fine.
 *
 * Verify first, then read: statement_open checks the signature over the decoded
 * payload and parses those same bytes.  Spans in parsed structs point into the
 * document, which its owner frees (statement_fini, statement_dsse_fini,
 * statement_json_free).  On failure nothing needs to be freed.
 *
 * Any process may use this room.  Signing is the caller's: keys may live in a
 * TPM (statement_dsse_pae, sign those bytes, statement_dsse_format).
 */
#ifndef QAIR_STATEMENT_H
#define QAIR_STATEMENT_H

#include "base.h"
#include "buf.h"
#include "crypto.h"

/* ---- JSON ------------------------------------------------------------ */

struct json_t; /* jansson's; other rooms handle it as opaque */

/* A whole document, object at the top; NULL with a reason in err. */
struct json_t *statement_json_parse(struct span text, struct err *err)
        MUST_CHECK;
void statement_json_free(struct json_t *j);
void statement_json_free_ptr(struct json_t **j);
/* Compact, sorted keys; appended to ret. */
int statement_json_format(
        const struct json_t *j, struct buf *ret, struct err *err) MUST_CHECK;

/*
 * Reading an object: a chain of getters in any order, then statement_get_end,
 * which fails when a member was not read.  Each getter is strict about type
 * and form, fails on absence, and leaves its output alone on failure; the
 * first key that failed stays in .bad, for the message (statement_bad).
 */
struct statement_reader {
    const struct json_t *obj;
    size_t used;
    const char *bad;
};
struct statement_reader statement_reader_of(const struct json_t *obj);
bool statement_has(const struct statement_reader *r, const char *key);
/* Printable ASCII and space, at most max bytes, may be empty. */
bool statement_get_text(struct statement_reader *r, const char *key, size_t max,
        struct span *ret) MUST_CHECK;
/* text_is_name with max; or empty when max is negative (up to -max). */
bool statement_get_name(struct statement_reader *r, const char *key, int max,
        struct span *ret) MUST_CHECK;
/* Any UTF-8 without NUL, at most max bytes. */
bool statement_get_utf8(struct statement_reader *r, const char *key, size_t max,
        struct span *ret) MUST_CHECK;
/* An integer 0 .. 2^53 - 1. */
bool statement_get_u64(
        struct statement_reader *r, const char *key, uint64_t *ret) MUST_CHECK;
bool statement_get_bool(struct statement_reader *r, const char *key, bool *ret)
        MUST_CHECK;
/* "2026-11-25T02:06:00Z" as unix seconds. */
bool statement_get_time(
        struct statement_reader *r, const char *key, uint64_t *ret) MUST_CHECK;
/* Exactly len bytes of lower-case hex. */
bool statement_get_hex(struct statement_reader *r, const char *key,
        uint8_t *ret, size_t len) MUST_CHECK;
/* As statement_get_hex for 32 bytes, with "" for all zero ("none"). */
bool statement_get_digest(struct statement_reader *r, const char *key,
        uint8_t ret[static CRYPTO_SHA256_SIZE]) MUST_CHECK;
/* Canonical base64, at most cap bytes. */
bool statement_get_b64(struct statement_reader *r, const char *key,
        uint8_t *ret, size_t cap, size_t *ret_len) MUST_CHECK;
/* A member that is an object or an array, borrowed from the document. */
bool statement_get_object(struct statement_reader *r, const char *key,
        const struct json_t **ret) MUST_CHECK;
bool statement_get_array(struct statement_reader *r, const char *key,
        const struct json_t **ret, size_t *ret_n) MUST_CHECK;
/* Element i of an array as a reader of its own; it must be an object. */
bool statement_item_object(const struct json_t *array, size_t i,
        struct statement_reader *ret) MUST_CHECK;
/* Element i of an array of text (printable ASCII). */
bool statement_item_text(const struct json_t *array, size_t i, size_t max,
        struct span *ret) MUST_CHECK;
/* Element i of an array of integers 0 .. 2^53 - 1. */
bool statement_item_u64(const struct json_t *array, size_t i, uint64_t *ret)
        MUST_CHECK;
bool statement_get_end(struct statement_reader *r) MUST_CHECK;
/* ERR_SYNTAX with "WHAT: bad member KEY". */
int statement_bad(
        const struct statement_reader *r, const char *what, struct err *err);

/*
 * Writing: the same chain.  A setter checks nothing but what JSON needs
 * (UTF-8, range); false = refused or out of memory.  put_object and
 * put_array create a member and lend it for filling; it is owned by obj.
 */
struct json_t *statement_json_object(void) MUST_CHECK;
bool statement_put_text(struct json_t *obj, const char *key, struct span v)
        MUST_CHECK;
bool statement_put_str(struct json_t *obj, const char *key, const char *v)
        MUST_CHECK;
bool statement_put_u64(struct json_t *obj, const char *key, uint64_t v)
        MUST_CHECK;
bool statement_put_bool(struct json_t *obj, const char *key, bool v) MUST_CHECK;
bool statement_put_time(struct json_t *obj, const char *key, uint64_t unix_s)
        MUST_CHECK;
bool statement_put_hex(struct json_t *obj, const char *key, struct span v)
        MUST_CHECK;
bool statement_put_digest(struct json_t *obj, const char *key,
        const uint8_t v[static CRYPTO_SHA256_SIZE]) MUST_CHECK;
bool statement_put_b64(struct json_t *obj, const char *key, struct span v)
        MUST_CHECK;
struct json_t *statement_put_object(struct json_t *obj, const char *key)
        MUST_CHECK;
struct json_t *statement_put_array(struct json_t *obj, const char *key)
        MUST_CHECK;
/* A value that both hold from now on (counted); it is not copied. */
bool statement_put_json(struct json_t *obj, const char *key, struct json_t *v)
        MUST_CHECK;
struct json_t *statement_add_object(struct json_t *array) MUST_CHECK;
bool statement_add_text(struct json_t *array, struct span v) MUST_CHECK;

/* ---- DSSE (secure-systems-lab/dsse, protocol.md) --------------------- */

#define STATEMENT_PAYLOAD_TYPE "application/vnd.in-toto+json"
#define STATEMENT_SIGS_MAX     16
#define STATEMENT_SIG_MAX      512 /* RSA-4096 */
/* "ZONE/identity": a hint for people, never trusted. */
#define STATEMENT_KEYID_MAX 255
/* An envelope of ours around LIMIT_STATEMENT_MAX bytes. */
#define STATEMENT_ENVELOPE_MAX LIMIT_LOG_ENTRY_MAX

struct statement_sig {
    struct span keyid; /* untrusted hint, may be empty */
    uint8_t sig[STATEMENT_SIG_MAX];
    size_t len;
};

struct statement_dsse {
    struct json_t *doc;
    struct buf payload; /* decoded; untrusted until verified */
    struct span payload_type;
    struct statement_sig sigs[STATEMENT_SIGS_MAX];
    size_t n_sigs;
};

/* "DSSEv1 LEN TYPE LEN PAYLOAD", appended to ret: the bytes to sign. */
int statement_dsse_pae(const char *type, struct span payload, struct buf *ret,
        struct err *err) MUST_CHECK;
/* The envelope with one signature: Ed25519, or ECDSA as r||s. */
int statement_dsse_format(const char *type, struct span payload,
        const char *keyid, struct span sig, struct buf *ret, struct err *err)
        MUST_CHECK;
/* pae, crypto_sign and format for a key in this process. */
int statement_dsse_sign(const char *type, struct span payload,
        const char *keyid, const struct crypto_key *key, struct buf *ret,
        struct err *err) MUST_CHECK;
int statement_dsse_parse(struct span envelope, struct statement_dsse *ret,
        struct err *err) MUST_CHECK;
void statement_dsse_fini(struct statement_dsse *d);
/*
 * 0 when payload type is type and at least threshold different keys of keys[]
 * have a signature that holds; else ERR_MISMATCH.  Key ids are ignored.
 */
int statement_dsse_verify_any(const struct statement_dsse *d, const char *type,
        const struct crypto_pub *const *keys, size_t n_keys, size_t threshold,
        struct err *err) MUST_CHECK;
/* The same with one key. */
int statement_dsse_verify(const struct statement_dsse *d, const char *type,
        const struct crypto_pub *key, struct err *err) MUST_CHECK;

/* ---- in-toto Statement v1, with one subject -------------------------- */

#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"
/* Subject names: "call/<32 hex>", "artefact file name", "zone/server". */
#define STATEMENT_SUBJECT_MAX 255

enum statement_kind {
    STATEMENT_OTHER = 0, /* well-formed, a predicate type not listed here */
    STATEMENT_CALL,
    STATEMENT_DECISION,
    STATEMENT_SIGN,
    STATEMENT_CHANNEL,
    STATEMENT_EVENT,
    STATEMENT_ZONE,      /* predicate read by room pack */
    STATEMENT_KEY,       /* predicate read by room pack */
    STATEMENT_REFERENCE, /* predicate read by room pack */
    STATEMENT_RULES,     /* predicate read by room pack */
    STATEMENT_VALUES,    /* predicate read by room pack */
    STATEMENT_KIND_COUNT
};
/* "qair:call/v1"; NULL for STATEMENT_OTHER. */
const char *statement_kind_type(enum statement_kind kind);
/* "call"; "other" for STATEMENT_OTHER. */
const char *statement_kind_name(enum statement_kind kind);

struct statement {
    struct json_t *doc;
    enum statement_kind kind;
    struct span predicate_type;
    struct span subject_name;
    uint8_t subject[CRYPTO_SHA256_SIZE];
    const struct json_t *predicate;
    /* of statement_open alone */
    struct span keyid; /* of the first signature; untrusted hint */
    struct statement_dsse *dsse;
};

/*
 * The Statement's bytes, appended to ret.  predicate is filled by the caller
 * and stays the caller's to free.  At most LIMIT_STATEMENT_MAX bytes.
 */
int statement_format(const char *predicate_type, struct span subject_name,
        const uint8_t subject[static CRYPTO_SHA256_SIZE],
        struct json_t *predicate, struct buf *ret, struct err *err) MUST_CHECK;
/* Statement bytes (a payload), canonical or refused. */
int statement_parse(struct span payload, struct statement *ret, struct err *err)
        MUST_CHECK;
/* An envelope: parsed, verified by key, its payload parsed. */
int statement_open(struct span envelope, const struct crypto_pub *key,
        struct statement *ret, struct err *err) MUST_CHECK;
/* The same without verification: for displays and for choosing a key. */
int statement_open_untrusted(struct span envelope, struct statement *ret,
        struct err *err) MUST_CHECK;
/* For a statement of statement_open*: does key hold over it? */
int statement_verify(const struct statement *s, const struct crypto_pub *key,
        struct err *err) MUST_CHECK;
void statement_fini(struct statement *s);

/* ---- predicates of calls, decisions, signatures, channels, events ---- */

/*
 * *_format appends the Statement's bytes (not yet an envelope) to ret, and
 * refuses values that *_parse would refuse.  *_parse reads a parsed statement
 * of that kind, and checks that its subject is the one that belongs to the
 * fields.  A digest of all zero means "none" where the comment says so.
 */
#define STATEMENT_CALL_ID    16
#define STATEMENT_DIGEST     32
#define STATEMENT_REASON_MAX 1024
#define STATEMENT_STATE_MAX  64
#define STATEMENT_RULE_MAX   300 /* "NAME_MAX.policy:LINE" */

/*
 * What another zone's evidence was found to prove, and which evidence: what a
 * call or a decision rests on.  zone empty: none is named.
 */
struct statement_appraisal {
    struct span zone;                   /* whose state it is */
    struct span state;                  /* "golden (emulated)" */
    uint8_t evidence[STATEMENT_DIGEST]; /* SHA-256 of the evidence */
};

/*
 * Call envelope: the origin zone's decision; signed by its identity.
 * Subject: "call/HEX of call id", SHA-256 of the 16 bytes.
 */
struct statement_call {
    uint8_t call_id[STATEMENT_CALL_ID];
    uint64_t issued;
    uint64_t deadline;
    uint8_t policy[STATEMENT_DIGEST]; /* of the origin, that decided */
    uint64_t log_size;                /* last checkpoint of the origin's log */
    uint8_t log_root[STATEMENT_DIGEST]; /* zero: none yet */
    struct span origin;                 /* zone that signs */
    struct span source_qube;            /* name in origin */
    struct span zone;                   /* decided target */
    struct span qube;
    struct span requested; /* target as asked for; may be empty */
    struct span service;   /* NAME+ARG */
    struct span rule;      /* "30-sign.policy:12" */
    bool autostart;        /* false: only when the target runs already */
    /* The DSSE of the zone that called this one, when the call goes on from
     * there; empty: it begins here.  Room chain reads it. */
    struct span via;
    /* Of the target's zone, by which the origin calls it; its zone is `zone`.
     * Envelopes of before 2026-11 have none, and no zone takes such a one. */
    struct statement_appraisal appraisal;
};
int statement_call_format(const struct statement_call *c, struct buf *ret,
        struct err *err) MUST_CHECK;
int statement_call_parse(const struct statement *s, struct statement_call *ret,
        struct err *err) MUST_CHECK;

/*
 * A decision of a zone: local calls, refusals, and the target's side of a
 * remote call.  Subject as for the call.
 */
struct statement_decision {
    uint8_t call_id[STATEMENT_CALL_ID];
    uint8_t envelope[STATEMENT_DIGEST]; /* SHA-256 of the DSSE; zero: local */
    uint8_t policy[STATEMENT_DIGEST];   /* zero: no policy was reached */
    uint64_t time;
    bool allow;
    struct span zone;        /* that decided and records */
    struct span source_zone; /* origin of the call; empty when local */
    struct span source_qube; /* name in the origin; empty when local */
    struct span source;      /* as the rules saw it */
    struct span target_zone; /* decided target; empty: here or none */
    struct span target_qube; /* empty when denied */
    struct span requested;   /* target as asked for */
    struct span service;
    struct span rule;   /* may be empty */
    struct span where;  /* when denied: who said no */
    struct span reason; /* when denied */
    /* Of the zone that the call came from: source_zone, or, when that is
     * empty, zone itself; none when its state was not known. */
    struct statement_appraisal appraisal;
};
int statement_decision_format(const struct statement_decision *d,
        struct buf *ret, struct err *err) MUST_CHECK;
int statement_decision_parse(const struct statement *s,
        struct statement_decision *ret, struct err *err) MUST_CHECK;

/*
 * A key signed an artefact.  Signed by the zone identity.
 * Subject: artefact name and its SHA-256.
 */
struct statement_sign {
    uint8_t call_id[STATEMENT_CALL_ID];
    uint8_t envelope[STATEMENT_DIGEST]; /* of the origin; zero: local call */
    uint8_t policy[STATEMENT_DIGEST];   /* this zone's, that allowed */
    uint64_t time;
    struct span zone;           /* where the key lives */
    struct span qube;           /* where the service ran */
    struct span requested;      /* target as the call named it; else a redirect
                                 * of this zone's policy led to qube */
    struct span requester_zone; /* equal to zone when local */
    struct span requester_qube; /* name in requester_zone */
    struct span source;         /* local name of the requester */
    struct span rule;
    struct span key;
    uint8_t key_sha256[STATEMENT_DIGEST]; /* of the SPKI DER */
    struct span custody;                  /* "tpm", "sealed" */
    struct span profile;                  /* "sshsig", "minisign" */
    struct span artefact;                 /* name, for people; not empty */
    uint64_t artefact_size;
    uint8_t artefact_sha256[STATEMENT_DIGEST];
    uint8_t artefact_sha512[CRYPTO_SHA512_SIZE];
    uint8_t signature[STATEMENT_DIGEST]; /* SHA-256 of the signature file */
    struct span state;                   /* "golden (emulated)" */
    bool emulated;
    uint8_t evidence[STATEMENT_DIGEST]; /* SHA-256; zero: none */
};
int statement_sign_format(const struct statement_sign *s, struct buf *ret,
        struct err *err) MUST_CHECK;
int statement_sign_parse(const struct statement *s, struct statement_sign *ret,
        struct err *err) MUST_CHECK;

/*
 * A channel to another zone.  Subject: "channel/PEER", the evidence digest or,
 * without one, SHA-256 of the peer's name.
 */
enum statement_channel_event {
    STATEMENT_CHANNEL_OPENED = 1,
    STATEMENT_CHANNEL_REFUSED,
    STATEMENT_CHANNEL_CLOSED,
    STATEMENT_CHANNEL_REATTESTED,
    STATEMENT_CHANNEL_EVENT_COUNT
};
const char *statement_channel_event_name(enum statement_channel_event e);
struct statement_channel {
    enum statement_channel_event event;
    uint64_t time;
    uint8_t evidence[STATEMENT_DIGEST]; /* of the peer; zero: none */
    struct span zone;                   /* that records */
    struct span peer;                   /* claimed name; may be empty */
    struct span state;                  /* may be empty */
    struct span where;
    struct span reason;
};
int statement_channel_format(const struct statement_channel *c, struct buf *ret,
        struct err *err) MUST_CHECK;
int statement_channel_parse(const struct statement *s,
        struct statement_channel *ret, struct err *err) MUST_CHECK;

/*
 * Anything else worth a record: "zone-start", "key-create", "peer-attack".
 * Subject: "event/KIND", digest, or, when that is zero, SHA-256 of detail.
 */
struct statement_event {
    uint64_t time;
    uint8_t digest[STATEMENT_DIGEST]; /* of what it is about; zero: none */
    struct span zone;
    struct span kind;   /* a name */
    struct span detail; /* one line */
};
int statement_event_format(const struct statement_event *e, struct buf *ret,
        struct err *err) MUST_CHECK;
int statement_event_parse(const struct statement *s,
        struct statement_event *ret, struct err *err) MUST_CHECK;

/*
 * Reads the predicate of a call, decision, sign, channel or event as strictly
 * as its *_parse, for its verdict alone; 0 for the other kinds.
 */
int statement_check(const struct statement *s, struct err *err) MUST_CHECK;

#endif
