/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room pack (floor 3, pure): the owner's signed directory.
 * Specification: docs/proto/pack.md.
 *
 * A pack is files by name: "owner.pub" (PEM) and DSSE statements that the
 * owner signed: "zones/NAME.json", "keys/NAME.json", "references/ZONE.json"
 * and, for receipts made in former states, "references/ZONE@ISSUED.json"; rules
 * in "rules/ZONE.json" and "rules/ZONE@ISSUED.json", sets of values that they
 * name in "values/NAME.json".
 * Bytes in, tables out: whoever reads the files calls pack_new, pack_add for
 * each and pack_check once.  One file that is not signed by the owner, that
 * does not say what its name says, that is there twice or that names a zone
 * which is not there is an error for the whole pack: a pack is right or it is
 * not used.  "owner.pub" in a pack is a convenience and never trusted here.
 *
 * Entries are owned by the pack and live until pack_free.
 */
#ifndef QAIR_PACK_H
#define QAIR_PACK_H

#include "base.h"
#include "buf.h"
#include "crypto.h"
#include "evidence.h"
#include "rules.h"

#define PACK_ADDRESS_MAX    255
#define PACK_STATE_MAX      31
#define PACK_KEY_MAX        63 /* name of a release key */
#define PACK_AK_MAX         600
#define PACK_REFERENCES_MAX 1024 /* over all zones, former ones included */
#define PACK_RULES_MAX      1024 /* the same */
#define PACK_SETS_MAX       1024
#define PACK_VALUE_MAX      (4 * CLAIM_TEXT_MAX + 2) /* all of it as \xHH */
#define PACK_RECIPE_MAX     4096 /* for people: how the values came about */

struct pack_zone {
    char name[LIMIT_ZONE_NAME_MAX + 1];
    char address[PACK_ADDRESS_MAX + 1];    /* "host:port" or empty */
    uint8_t ek_sha256[CRYPTO_SHA256_SIZE]; /* tcg_ek.spki_sha256 */
    uint8_t ak[PACK_AK_MAX];               /* TPMT_PUBLIC */
    size_t ak_len;
    struct tcg_name ak_name;
    struct crypto_pub *identity; /* Ed25519 */
    struct crypto_pub *log;      /* Ed25519; vkey: merkle_vkey_for_zone */
    bool emulated;               /* software TPM or a test root */
    bool revoked;
    uint64_t since;
    uint64_t until; /* 0: no end */
};

struct pack_key {
    char name[PACK_KEY_MAX + 1];
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    struct crypto_pub *pub;
    uint8_t spki_sha256[CRYPTO_SHA256_SIZE];
    char custody[16]; /* "tpm", "sealed" */
    char profile[32]; /* "sshsig", "minisign" */
    bool revoked;
    uint64_t since;
    uint64_t until; /* 0: no end */
};

struct pack_event {
    char kind[EVIDENCE_EVENT_KIND_MAX + 1];
    char name[EVIDENCE_EVENT_NAME_MAX + 1];
    uint8_t sha256[CRYPTO_SHA256_SIZE];
    uint64_t size;
    unsigned round; /* as in struct evidence_event */
};

/* A state that the owner approved. */
struct pack_reference {
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    char state[PACK_STATE_MAX + 1]; /* "golden" */
    uint64_t issued;
    uint64_t expires; /* 0: never */
    struct tcg_selection selection;
    /* PCRs of the SHA-256 bank whose values were computed from files; the
     * others are as they were measured once. */
    uint32_t computed;
    size_t n_values;
    struct {
        uint8_t bytes[CRYPTO_HASH_MAX];
        size_t len;
    } value[TCG_PCRS];
    uint8_t pcr_digest[CRYPTO_SHA256_SIZE];
    size_t n_events;
    struct pack_event *event;
    /* TPM policy: what opens keys in this state (TPM 2.0 Part 3, 23.16). */
    uint8_t policy[CRYPTO_SHA256_SIZE];        /* approved PolicyPCR digest */
    uint8_t policy_ref[CRYPTO_SHA256_SIZE];    /* tcg_policy_ref */
    uint8_t policy_sig[CRYPTO_SIGNATURE_SIZE]; /* owner's, over the aHash */
};

/* What the owner wants of a zone's evidence (docs/proto/rules.md). */
struct pack_rules {
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    uint64_t issued;
    uint64_t expires;                   /* 0: never */
    uint8_t digest[CRYPTO_SHA256_SIZE]; /* of the text */
    struct rules *rules;
};

struct pack;

/* owner: borrowed, must outlive the pack. */
struct pack *pack_new(const struct crypto_pub *owner) MUST_CHECK;
void pack_free(struct pack *p);
void pack_free_ptr(struct pack **p);
/* name: relative to the pack's folder. */
int pack_add(struct pack *p, struct span name, struct span bytes,
        struct err *err) MUST_CHECK;
/* Keys and references name zones that are there; names and keys are unique. */
int pack_check(const struct pack *p, struct err *err) MUST_CHECK;

/* The three of them, over a checked bundle. */
int pack_from_bundle(struct span bundle, const struct crypto_pub *owner,
        struct pack **ret, struct err *err) MUST_CHECK;

const struct crypto_pub *pack_owner(const struct pack *p);
size_t pack_zones(const struct pack *p, const struct pack_zone **ret);
size_t pack_keys(const struct pack *p, const struct pack_key **ret);
size_t pack_references(const struct pack *p, const struct pack_reference **ret);

/*
 * Unix second at which the owner's word on a zone's state ends: the zone's
 * time, the reference's, the rules', or, with max_age (seconds; 0: none), so
 * long after the older of the two was signed, whichever comes first.
 * UINT64_MAX: never.  r and rules may be NULL: not there.
 */
uint64_t pack_until(const struct pack_zone *z, const struct pack_reference *r,
        const struct pack_rules *rules, uint64_t max_age);

/* NULL when absent.  A revoked entry is found; its user looks at revoked. */
const struct pack_zone *pack_zone(const struct pack *p, struct span name);
const struct pack_key *pack_key(const struct pack *p, struct span name);
const struct pack_key *pack_key_by_spki(
        const struct pack *p, const uint8_t sha256[static CRYPTO_SHA256_SIZE]);
/*
 * The reference of a zone that is in force at a time: the latest that was
 * issued by then.  Its user looks at expires.  Clocks of the owner and of a
 * zone may differ by PACK_SKEW_S.
 */
#define PACK_SKEW_S 300
const struct pack_reference *pack_reference(
        const struct pack *p, struct span zone, uint64_t unix_s);
/*
 * The same for something of the past, such as a receipt: of the references
 * that may have been in force then, given the skew, the one that is true of
 * these PCR values, else what pack_reference says.  v NULL: none is.
 */
const struct pack_reference *pack_reference_then(const struct pack *p,
        struct span zone, uint64_t unix_s, const struct tcg_selection *s,
        const struct tcg_values *v);
/*
 * The rules of a zone that are in force at a time, as pack_reference; NULL: the
 * zone has none, and its reference alone decides.  Their user looks at expires.
 */
const struct pack_rules *pack_rules(
        const struct pack *p, struct span zone, uint64_t unix_s);
/*
 * For something of the past: the rules that were in force for sure, and may
 * have been still, given the skew.  The same as pack_rules in most cases.
 */
const struct pack_rules *pack_rules_before(
        const struct pack *p, struct span zone, uint64_t unix_s);
/* All sets; valid as long as the pack. */
struct rules_sets pack_sets(const struct pack *p);
/* Neither revoked nor outside since..until. */
bool pack_zone_valid(const struct pack_zone *z, uint64_t unix_s);
bool pack_key_valid(const struct pack_key *k, uint64_t unix_s);

/* ---- the owner's side ------------------------------------------------ */

/* The signed file for an entry, appended to ret. */
int pack_zone_sign(const struct pack_zone *z, const struct crypto_key *owner,
        struct buf *ret, struct err *err) MUST_CHECK;
int pack_key_sign(const struct pack_key *k, const struct crypto_key *owner,
        struct buf *ret, struct err *err) MUST_CHECK;
/* Values are ascending by their text, none twice. */
int pack_values_sign(const struct rules_set *s, const struct crypto_key *owner,
        struct buf *ret, struct err *err) MUST_CHECK;
int pack_rules_sign(const char *zone, struct span text, uint64_t issued,
        uint64_t expires, const struct crypto_key *owner, struct buf *ret,
        struct err *err) MUST_CHECK;
/* Also computes pcr_digest, policy, policy_ref and policy_sig into *r. */
int pack_reference_sign(struct pack_reference *r,
        const struct crypto_key *owner, struct buf *ret, struct err *err)
        MUST_CHECK;
/*
 * Zone, state, times, selection, values and events from evidence whose quote
 * and log have been appraised as genuine; r->event is freed with
 * pack_reference_fini.  Of the quoted PCRs all are selected but PCR 10: a
 * running system goes on measuring into it, so that no key could be bound to
 * it.  pack_reference_select chooses others.
 */
int pack_reference_from(const struct evidence *e, const char *zone,
        const char *state, uint64_t issued, uint64_t expires,
        struct pack_reference *ret, struct err *err) MUST_CHECK;
#define PACK_PCR_RUNNING 10
/* Those of the SHA-256 bank and no others; ERR_MISMATCH: not all are quoted,
 * or the zone's own is not among them. */
int pack_reference_select(struct pack_reference *r, const struct evidence *e,
        uint32_t pcrs, struct err *err) MUST_CHECK;
void pack_reference_fini(struct pack_reference *r);

#endif
