/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room corim (floor 2, pure): Concise Reference Integrity Manifests
 * (draft-ietf-rats-corim), the form in which makers of firmware and hardware
 * hand out reference values.  Import alone: an owner reads what a maker signed
 * and signs the values that he takes over into his pack; nothing of qair asks
 * a CoRIM at run time.  Called by the owner's CLI, in its sandboxed child.
 *
 * Read are: the unsigned manifest (tag 501), the signed one (COSE_Sign1 with
 * corim-meta or CWT claims), a CoMID alone; of a CoMID the reference and the
 * endorsed values, keys for attestation and identity, links to other tags.
 * They come out as one flat list: each value with its environment, the key of
 * its measurement, and the tag that it stands in.
 *
 * Noted in words and otherwise skipped, as they hold no reference value that
 * this list could state: CoSWID, CoTL and other tags, conditional endorsements
 * and series, domains, dependent manifests, entities.  A measurement,
 * environment or class with a member that is not known here is read and marked
 * partial: what it says could be narrower than what was understood, so that it
 * must not be imported.  Everything else that is unknown refuses the file.
 *
 * A value may be imported when it is a reference value, whole, of a tag that
 * no other tag of this manifest replaces, and the manifest is in its time
 * (corim_check_time).  Minimum SVNs, ranges and masked values state more than
 * one value; corim_claims keeps the difference.
 *
 * Older drafts, as far as they say the same: tag 500 around it all, one
 * measurement without its list, a list of one profile, the former media type.
 *
 * CBOR is read in any order of keys (cbor.h): the makers' tools do not sort.
 */
#ifndef QAIR_CORIM_H
#define QAIR_CORIM_H

#include "buf.h"
#include "cbor.h"
#include "cose.h"
#include "crypto.h"

/* A distribution's image is one tag with a few hundred values. */
#define CORIM_TAGS_MAX   256
#define CORIM_ENVS_MAX   4096
#define CORIM_VALUES_MAX 16384
#define CORIM_LINKS_MAX  1024
#define CORIM_NOTES_MAX  64
#define CORIM_NOTE_MAX   160

/* An identifier: the tag that says its type, and its bytes or text. */
struct corim_id {
    bool present;
    uint64_t tag;      /* CORIM_TAG_*, or 0 when there was none */
    bool text;         /* a text string */
    struct span value; /* of what is no string: encoded */
};
#define CORIM_TAG_UUID  37
#define CORIM_TAG_OID   111
#define CORIM_TAG_BYTES 560
#define CORIM_TAG_UEID  550

/* A tag id or a manifest's id: text, or a UUID of 16 bytes. */
struct corim_name {
    bool text;
    struct span value;
};

struct corim_validity {
    bool has_not_before, has_not_after;
    uint64_t not_before, not_after; /* unix seconds, both inclusive */
};

/* environment-map with its class-map */
struct corim_env {
    struct corim_id class_id, instance, group;
    struct span vendor, model; /* ptr NULL: absent */
    bool has_layer, has_index;
    uint64_t layer, index;
    bool partial;
};

struct corim_tag {
    struct corim_name id;
    uint64_t version;
    bool replaced; /* by another tag of this manifest */
};

enum corim_rel { CORIM_SUPPLEMENTS = 0, CORIM_REPLACES = 1 };
struct corim_link {
    size_t tag; /* that says so */
    struct corim_name of;
    uint64_t rel;
};

/* measured-element-type-choice */
enum corim_mkey_type {
    CORIM_MKEY_NONE,
    CORIM_MKEY_UINT,
    CORIM_MKEY_TEXT,
    CORIM_MKEY_UUID,
    CORIM_MKEY_OID,
};
struct corim_mkey {
    enum corim_mkey_type type;
    uint64_t number;
    struct span value;
};

enum corim_role {
    CORIM_REFERENCE,  /* a state that is wanted */
    CORIM_ENDORSED,   /* something true of the thing, whatever it says */
    CORIM_ATTEST_KEY, /* keys that evidence is signed with */
    CORIM_IDENTITY_KEY,
};

enum corim_type {
    CORIM_VERSION = 1, /* bytes: text; number: scheme of RFC 9393, 4.1 */
    CORIM_SVN,         /* number, exactly */
    CORIM_MIN_SVN,     /* number, or more */
    CORIM_DIGEST,      /* alg, bytes */
    CORIM_FLAG,        /* number: which of corim_flag_name; yes */
    CORIM_RAW,         /* bytes, where mask has ones; no mask: all */
    CORIM_MAC,         /* bytes */
    CORIM_IP,          /* bytes */
    CORIM_SERIAL,      /* bytes: text */
    CORIM_UEID,        /* bytes */
    CORIM_UUID,        /* bytes */
    CORIM_NAME,        /* bytes: text */
    CORIM_KEY,         /* key */
    CORIM_REGISTER,    /* reg, then as DIGEST */
    CORIM_RANGE,       /* has_min min, has_max max */
    CORIM_EXTENSION,   /* not known here.  bytes: the member's encoded key, or
                        * in words the member whose type is another one */
};
const char *corim_type_name(enum corim_type t);

/* Hash algorithms by the Named Information registry, COSE's mapped to them. */
enum corim_alg {
    CORIM_ALG_UNKNOWN = 0,
    CORIM_ALG_SHA256 = 1,
    CORIM_ALG_SHA384 = 7,
    CORIM_ALG_SHA512 = 8,
};

struct corim_value {
    enum corim_role role;
    size_t tag; /* index */
    size_t env; /* index */
    struct corim_mkey mkey;
    /* Members of one measurement stand together: they hold together. */
    size_t measurement;
    bool authorized_by; /* evidence must be by certain authorities */
    bool partial;       /* of a measurement that was not understood whole */

    enum corim_type type;
    uint64_t number;
    bool yes;
    uint64_t alg; /* CORIM_ALG_*, or another number of the registry */
    struct span bytes, mask;
    struct corim_id key;
    struct corim_mkey reg; /* UINT or TEXT */
    bool has_min, has_max;
    int64_t min, max;
};

struct corim {
    /* ---- signature; all empty for an unsigned manifest */
    bool is_signed; /* verified when corim_read was given a key */
    int64_t alg;
    struct span kid, signer;
    struct corim_validity signed_validity;
    /* ---- manifest */
    struct corim_name id;
    struct span profile; /* URI, or OID bytes */
    bool profile_is_oid;
    struct corim_validity validity;
    size_t n_tags, n_envs, n_values, n_links;
    struct corim_tag *tag;
    struct corim_env *env;
    struct corim_value *value;
    struct corim_link *link;
    /* ---- what was skipped, in words; n_notes may exceed what is kept */
    size_t n_notes;
    char (*note)[CORIM_NOTE_MAX];
    size_t n_measurements;
};

/*
 * A manifest, signed or not.  With a key it must be signed by that key, else
 * ERR_MISMATCH or, when it is not signed at all, ERR_DENIED; without one the
 * signature is not looked at.  Spans point into file.  Free with corim_free.
 */
int corim_read(struct span file, const struct crypto_pub *key,
        struct corim **ret, struct err *err) MUST_CHECK;
/* A CoMID alone: no manifest around it, no profile, no validity. */
int corim_read_comid(struct span file, struct corim **ret, struct err *err)
        MUST_CHECK;
void corim_free(struct corim *c);
void corim_free_ptr(struct corim **c);

/* Manifest and signature are valid at that time: 0 or ERR_DENIED. */
int corim_check_time(const struct corim *c, uint64_t unix_s, struct err *err)
        MUST_CHECK;

/* ---- for people ------------------------------------------------------ */

/* NULL when there is no such flag. */
const char *corim_flag_name(uint64_t flag);
/* "sha-256"; NULL for unknown. */
const char *corim_alg_name(uint64_t alg);
/* OIDs dotted, UUIDs with dashes, text made safe, else hex. */
void corim_format_id(const struct corim_id *id, struct buf *ret);
void corim_format_name(const struct corim_name *name, struct buf *ret);
void corim_format_env(const struct corim_env *env, struct buf *ret);
/* One line without '\n': mkey, type and value. */
void corim_format_value(const struct corim_value *v, struct buf *ret);

/* ---- as claims of room rules ----------------------------------------- */

/* AMD's layouts of a TCB in 64 bits (SEV-SNP ABI, table 3). */
enum corim_product {
    CORIM_PRODUCT_UNKNOWN,
    CORIM_PRODUCT_MILAN, /* and Genoa */
    CORIM_PRODUCT_TURIN,
};

enum corim_claim_type {
    CORIM_CLAIM_NUMBER,
    CORIM_CLAIM_BYTES,
    CORIM_CLAIM_VERSION, /* part, n_parts */
    CORIM_CLAIM_VECTOR,  /* part, n_parts */
};
#define CORIM_PARTS_MAX      8
#define CORIM_CLAIM_NAME_MAX 47

/* A value under the name that room rules has for it. */
struct corim_claim {
    char name[CORIM_CLAIM_NAME_MAX + 1]; /* "snp.tcb.reported" */
    bool at_least;                       /* this or more; else exactly this */
    enum corim_claim_type type;
    uint64_t number;
    struct span bytes;
    size_t n_parts;
    uint64_t part[CORIM_PARTS_MAX];
};

#define CORIM_PROFILE_SNP "tag:amd.com,2024:snp-corim-profile"

/*
 * The claim that a value of a manifest is about.  0; ERR_NOT_FOUND when it is
 * about none (err says which value and why); ERR_DENIED when it must not be
 * imported (partial, replaced, not a reference value, only for evidence of
 * certain authorities).  Understood are AMD's SEV-SNP profile, whose TCBs in
 * one number become vectors (as a number 1.0.0.0 would be above 0.9.9.9), and
 * integrity registers with numbers 0 to 23, as PCRs.
 */
int corim_claim(const struct corim *c, const struct corim_value *v,
        enum corim_product product, struct corim_claim *ret, struct err *err)
        MUST_CHECK;

#endif
