/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room eat (floor 2, pure): attestation as the IETF's RATS group writes it.
 * docs/proto/eat.md says which subset and how it maps to our own evidence.
 *
 *   eat_*  Entity Attestation Tokens (RFC 9711) in CBOR: signed (a CWT in a
 *          COSE_Sign1), unsigned (UCCS, tag 601) and the detached bundle
 *          (tag 602); read, and the claims of our own evidence written
 *   cmw_*  the wrapper that says a message's media type (RATS conceptual
 *          messages wrapper): records and collections in CBOR
 *   ear_*  attestation results (draft-ietf-rats-ear over AR4SI), written as
 *          JSON and as CBOR, for verifiers and relying parties of others
 *
 * A token is foreign evidence: attestd and the CLI's sandboxed child parse it,
 * the owner's CLI writes results.  CBOR is read as deterministic only.
 *
 * An unsigned token says nothing by itself: reading one needs
 * eat_options.inside_attested_channel, which only a caller may set that got it
 * over a channel whose other end it appraised.  Claims of a submodule have the
 * authority of what surrounds them; a nested token is handed out as bytes, for
 * its own key; a detached claims set counts only when its digest stands in the
 * token.  Claims that are not read here are counted, never trusted.
 */
#ifndef QAIR_EAT_H
#define QAIR_EAT_H

#include "buf.h"
#include "cbor.h"
#include "cose.h"
#include "crypto.h"

/* ---- tokens ---------------------------------------------------------- */

#define EAT_MODULES_MAX      32 /* the machine, its guests, their devices */
#define EAT_DEPTH_MAX        4  /* submodules of submodules */
#define EAT_MEASUREMENTS_MAX 128
#define EAT_RESULTS_MAX      128
#define EAT_NONCES_MAX       4
#define EAT_NONCE_MIN        8
#define EAT_NONCE_MAX        64
#define EAT_UEID_MAX         33

enum eat_dbgstat { /* RFC 9711, 4.2.9 */
    EAT_DEBUG_ENABLED = 0,
    EAT_DEBUG_DISABLED = 1,
    EAT_DEBUG_DISABLED_SINCE_BOOT = 2,
    EAT_DEBUG_DISABLED_PERMANENTLY = 3,
    EAT_DEBUG_DISABLED_FULLY_AND_PERMANENTLY = 4,
};
const char *eat_dbgstat_name(uint64_t dbgstat);

enum eat_oemid { EAT_OEM_NONE, EAT_OEM_PEN, EAT_OEM_IEEE, EAT_OEM_RANDOM };

enum eat_module_kind {
    EAT_CLAIMS,   /* a claims set, read below */
    EAT_TOKEN,    /* content is a token of its own, not read */
    EAT_DETACHED, /* alg and digest of a claims set that is not here */
};

/* Spans without pointer and has_ members that are false: absent. */
struct eat_module {
    enum eat_module_kind kind;
    struct span name; /* no bytes: the token itself */
    size_t parent;    /* index; of the token itself, 0 */
    unsigned depth;
    struct span content; /* claims map or token, encoded */
    int64_t alg;         /* DETACHED: of the COSE registry, or NI's */
    struct span digest;
    bool from_bundle; /* CLAIMS that a bundle brought for a digest */

    size_t n_nonces;
    struct span nonce[EAT_NONCES_MAX];
    struct span issuer, subject; /* text */
    bool has_exp, has_nbf, has_iat;
    uint64_t exp, nbf, iat; /* unix seconds */
    struct span ueid;
    enum eat_oemid oemid_kind;
    struct span oemid;
    uint64_t oem_pen;
    struct span hwmodel;
    struct span hwversion, swname, swversion; /* text */
    bool has_uptime, has_bootcount, has_oemboot, has_dbgstat, has_intuse;
    uint64_t uptime, bootcount, dbgstat, intuse;
    bool oemboot;
    struct span bootseed;
    struct span profile; /* URI text or OID bytes */
    bool profile_is_oid;
    unsigned n_unknown; /* claims that are not read here */
};

struct eat_measurement {
    size_t module;
    bool manifest;   /* of claim 272, not 273 */
    uint64_t format; /* CoAP content format */
    struct span content;
};

enum eat_result_value { /* RFC 9711, 4.2.17 */
    EAT_RESULT_SUCCESS = 1,
    EAT_RESULT_FAIL = 2,
    EAT_RESULT_NOT_RUN = 3,
    EAT_RESULT_ABSENT = 4,
};
struct eat_result {
    size_t module;
    struct span system, id; /* id: text or bytes */
    uint64_t value;
};

struct eat {
    bool is_signed; /* and verified */
    bool is_bundle;
    int64_t alg;
    struct span kid;
    size_t n_modules, n_measurements, n_results;
    struct eat_module module[EAT_MODULES_MAX]; /* 0: the token itself */
    struct eat_measurement measurement[EAT_MEASUREMENTS_MAX];
    struct eat_result result[EAT_RESULTS_MAX];
};

struct eat_options {
    const struct crypto_pub *key; /* who must have signed; NULL: unsigned */
    struct span external_aad;
    /* Who reads; a token for named audiences is refused to all others. */
    struct span audience;
    bool inside_attested_channel; /* take a token without signature */
};

/*
 * 0; ERR_SYNTAX, ERR_LIMIT, ERR_UNSUPPORTED; ERR_MISMATCH for a signature or
 * digest; ERR_DENIED for a token that is unsigned and may not be, signed with
 * no key to check it, or for another audience.  *ret is some 40 KiB, and all
 * zero on failure.
 */
int eat_read(struct span token, const struct eat_options *options,
        struct eat *ret, struct err *err) MUST_CHECK;
/* The token has exactly this nonce: 0 or ERR_MISMATCH. */
int eat_check_nonce(const struct eat *e, struct span nonce, struct err *err)
        MUST_CHECK;
/* No module is out of its time: 0 or ERR_DENIED. */
int eat_check_time(const struct eat *e, uint64_t unix_s, struct err *err)
        MUST_CHECK;
/* By name and parent; NULL. */
const struct eat_module *eat_find(
        const struct eat *e, size_t parent, const char *name);

/* ---- our evidence as a token ----------------------------------------- */

#define EAT_PROFILE "qair:eat/v1"
/* Number for our evidence blob in `measurements`: of CoAP's experimental
 * range, and meaning this only under the profile above. */
#define EAT_FORMAT_EVIDENCE 65280

struct eat_evidence {
    struct span nonce;    /* the binder, 32 bytes */
    struct span ueid;     /* EAT_UEID_MAX bytes, or none */
    struct span evidence; /* the blob of docs/proto/evidence.md */
    bool has_bootcount;
    uint64_t bootcount; /* resetCount of the quote */
    bool has_iat;
    uint64_t iat;
};
/* Type 1 (random) UEID of a machine: 01 and SHA-256 of its EK's SPKI. */
void eat_ueid(const uint8_t ek[static 32], uint8_t ret[static EAT_UEID_MAX]);
/* The claims set alone, appended: to be signed, or tagged as UCCS. */
int eat_write_claims(const struct eat_evidence *e, struct buf *ret,
        struct err *err) MUST_CHECK;
/* Signed by k as a CWT; or unsigned, for an attested channel, with k NULL. */
int eat_write(const struct eat_evidence *e, const struct crypto_key *k,
        struct span kid, struct span external_aad, struct buf *ret,
        struct err *err) MUST_CHECK;
/* The blob in a token of our profile: 0 or ERR_NOT_FOUND. */
int eat_evidence_of(const struct eat *e, struct span *ret, struct err *err)
        MUST_CHECK;

/* ---- wrapper --------------------------------------------------------- */

enum cmw_kind { /* bits of `ind` */
    CMW_REFERENCE_VALUES = 1 << 0,
    CMW_ENDORSEMENTS = 1 << 1,
    CMW_EVIDENCE = 1 << 2,
    CMW_ATTESTATION_RESULTS = 1 << 3,
};

struct cmw_record {
    struct span label; /* in a collection: text, or ptr NULL and number */
    int64_t number;
    struct span media_type; /* text, or ptr NULL and format */
    uint64_t format;        /* CoAP content format */
    struct span value;
    bool has_kinds;
    uint64_t kinds; /* bits of cmw_kind */
};
#define CMW_RECORDS_MAX 64

struct cmw {
    bool is_collection;
    struct span type; /* of the collection; may be absent */
    size_t n;
    struct cmw_record record[CMW_RECORDS_MAX];
};
/*
 * A record [type, value, ? ind], a tag with bytes (RFC 9277), or a collection
 * of these; a collection in a collection is ERR_UNSUPPORTED.
 */
int cmw_read(struct span msg, struct cmw *ret, struct err *err) MUST_CHECK;
/* A record, appended. */
int cmw_write(const char *media_type, struct span value, uint64_t kinds,
        struct buf *ret, struct err *err) MUST_CHECK;

/* ---- results --------------------------------------------------------- */

/* AR4SI's trustworthiness claims, in the order of their numbers. */
enum ear_axis {
    EAR_INSTANCE_IDENTITY,
    EAR_CONFIGURATION,
    EAR_EXECUTABLES,
    EAR_FILE_SYSTEM,
    EAR_HARDWARE,
    EAR_RUNTIME_OPAQUE,
    EAR_STORAGE_OPAQUE,
    EAR_SOURCED_DATA,
    EAR_AXES
};

enum ear_tier {
    EAR_NONE = 0,
    EAR_AFFIRMING = 2,
    EAR_WARNING = 32,
    EAR_CONTRAINDICATED = 96,
};
/* The tier that a value of the vector lies in (AR4SI, 2.3.2). */
enum ear_tier ear_tier_of(int8_t value);
const char *ear_tier_name(enum ear_tier tier);

enum ear_outcome {
    EAR_PASSED = 1,
    EAR_FAILED,
    EAR_UNDECIDED, /* nothing proves it either way */
    EAR_FORGED,    /* a signature or digest of the evidence does not hold */
};

#define EAR_SUBMODS_MAX 16

/* All zero is an appraisal that has found nothing yet. */
struct ear_submod {
    const char *name;   /* of the zone or machine */
    const char *policy; /* what it was judged by, or NULL */
    bool approved;      /* the verdict: some state's lines all passed */
    bool seen[EAR_AXES];
    int8_t vector[EAR_AXES];
    bool undecided[EAR_AXES];
    bool any_failed;
};

/*
 * One line of a verdict: the claim's name of room rules says which axis it is
 * about.  On one axis what failed outweighs what is undecided, and that what
 * passed; an axis with something undecided affirms nothing.
 */
void ear_add(struct ear_submod *m, const char *claim, enum ear_outcome outcome);
/*
 * The worst tier of the vector, and never affirming without the verdict's
 * word; not approved and something failed: contraindicated; not approved for
 * lack of proof: none.
 */
enum ear_tier ear_status(const struct ear_submod *m);

/* The names of members differ between the draft and what runs. */
enum ear_profile {
    EAR_PROFILE_VERAISON, /* tag:github.com,2023:veraison/ear: Trustee too */
    EAR_PROFILE_IETF,     /* draft-ietf-rats-ear-04 */
};

struct ear {
    enum ear_profile profile;
    uint64_t iat;
    bool has_exp;
    uint64_t exp;                  /* the verdict's own end, when it has one */
    const char *developer, *build; /* of the verifier */
    struct span nonce;             /* of the question, or none */
    struct span raw_evidence;      /* or none */
    size_t n_submods;
    const struct ear_submod *submod; /* ascending by name */
};
/* Claims, appended; signing is the caller's (DSSE, or COSE over the CBOR). */
int ear_json(const struct ear *e, struct buf *ret, struct err *err) MUST_CHECK;
int ear_cbor(const struct ear *e, struct buf *ret, struct err *err) MUST_CHECK;

#endif
