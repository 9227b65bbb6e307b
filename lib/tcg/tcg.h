/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room tcg (floor 2, pure): structures of TPM 2.0 and what is computed from
 * them outside of a TPM.
 *
 *   tcg_*            algorithms, PCR selections and values, attestations,
 *                    signatures, public areas, names (TPM 2.0 Part 2)
 *   tcg_quote_*      a quote judged, with every reason against it
 *   tcg_ak_*         an attestation key, parsed once for many quotes
 *   tcg_file_*       what tpm2-tools and others write into files
 *   tcg_policy_*     digests of authorisation policies (Part 3, 23)
 *   tcg_credential_* MakeCredential in software (Part 1, 24)
 *   tcg_ek_*         endorsement key certificates (TCG EK Credential Profile)
 *
 * Everything is bytes in, values out: no TPM, no clock, no file.  Spans in
 * results point into the input.  Parsers refuse what they do not know and
 * whatever is left over; they say what a structure is, not whether it is to be
 * believed: that is room appraise.  Nothing here may be called "verified" but
 * what a function named *_verify returned 0 for.
 */
#ifndef QAIR_TCG_H
#define QAIR_TCG_H

#include "base.h"
#include "crypto.h"

/* ---- TPM structures -------------------------------------------------- */

/* TPM_ALG_ID (TCG Algorithm Registry). */
enum tcg_alg {
    TCG_ALG_RSA = 0x0001,
    TCG_ALG_SHA1 = 0x0004,
    TCG_ALG_AES = 0x0006,
    TCG_ALG_KEYEDHASH = 0x0008,
    TCG_ALG_SHA256 = 0x000b,
    TCG_ALG_SHA384 = 0x000c,
    TCG_ALG_SHA512 = 0x000d,
    TCG_ALG_NULL = 0x0010,
    TCG_ALG_SM3 = 0x0012,
    TCG_ALG_RSASSA = 0x0014,
    TCG_ALG_RSAPSS = 0x0016,
    TCG_ALG_ECDSA = 0x0018,
    TCG_ALG_ECC = 0x0023,
    TCG_ALG_CFB = 0x0043,
};
/* False for what room crypto cannot compute (SM3, SHA-3). */
bool tcg_hash(uint16_t alg, enum crypto_hash *ret) MUST_CHECK;
/* "sha256", "ecdsa", "unknown". */
const char *tcg_alg_name(uint16_t alg);

#define TCG_PCRS      24 /* PC Client: 0..23 */
#define TCG_BANKS_MAX 4

struct tcg_bank {
    uint16_t alg;
    uint32_t pcrs; /* bit i = PCR i */
};

/* TPML_PCR_SELECTION: banks in their order, none twice. */
struct tcg_selection {
    size_t n;
    struct tcg_bank bank[TCG_BANKS_MAX];
};

bool tcg_get_selection(struct wire_reader *r, struct tcg_selection *ret)
        MUST_CHECK;
void tcg_put_selection(struct wire_writer *w, const struct tcg_selection *s);
bool tcg_selection_eq(
        const struct tcg_selection *a, const struct tcg_selection *b);
/* Does a select all that b selects? */
bool tcg_selection_covers(
        const struct tcg_selection *a, const struct tcg_selection *b);
bool tcg_selects(const struct tcg_selection *s, uint16_t alg, unsigned pcr);
size_t tcg_selection_count(const struct tcg_selection *s);
/* "sha256:0,4,7+sha384:14". */
#define TCG_SELECTION_TEXT 400
void tcg_format_selection(
        const struct tcg_selection *s, char ret[static TCG_SELECTION_TEXT]);

/* TPM_ST of an attestation (Part 2, 6.9). */
enum tcg_attest_type {
    TCG_ATTEST_NV = 0x8014,
    TCG_ATTEST_COMMAND_AUDIT = 0x8015,
    TCG_ATTEST_SESSION_AUDIT = 0x8016,
    TCG_ATTEST_CERTIFY = 0x8017,
    TCG_ATTEST_QUOTE = 0x8018,
    TCG_ATTEST_TIME = 0x8019,
    TCG_ATTEST_CREATION = 0x801a,
    TCG_ATTEST_NV_DIGEST = 0x801c,
};
/* "Quote", "Certify", "unknown". */
const char *tcg_attest_name(uint16_t type);

struct tcg_clock {
    uint64_t clock; /* milliseconds that the TPM was on */
    uint32_t resets;
    uint32_t restarts;
    bool safe; /* false: clock may have been set back by a power loss */
};

/*
 * Negative when a is of an earlier boot than b, positive when of a later one,
 * 0 when of the same.  Counts are compared as serial numbers: for keys outside
 * the endorsement hierarchy, such as our AK, the TPM adds a secret constant to
 * them for privacy, so they may wrap.
 */
int tcg_boot_cmp(const struct tcg_clock *a, const struct tcg_clock *b);

/* TPMS_ATTEST; selection and pcr_digest for a quote alone. */
struct tcg_attest {
    uint16_t type;
    struct span signer; /* qualified name of the key */
    struct span extra;  /* qualifying data: the binder */
    struct tcg_clock clock;
    uint64_t firmware;
    struct tcg_selection selection;
    struct span pcr_digest;
};
/*
 * Quote: whole and exact.  ERR_MISMATCH, with its name in err, for the other
 * kinds of attestation; they are never taken for a quote.
 */
int tcg_attest(struct span bytes, struct tcg_attest *ret, struct err *err)
        MUST_CHECK;

/* TPMS_ATTEST of any type; members of other types are empty. */
struct tcg_attested {
    struct tcg_attest head; /* selection and pcr_digest: QUOTE */
    uint32_t magic;
    size_t trailing;              /* bytes behind the structure */
    struct span object;           /* CERTIFY, CREATION, NV: a Name */
    struct span object_qualified; /* CERTIFY */
    struct span digest;           /* CREATION, NV_DIGEST, audits */
    uint16_t nv_offset;           /* NV */
    struct span nv_contents;
    uint64_t time; /* TIME: milliseconds since the TPM was powered */
    struct tcg_clock time_clock;
    uint64_t time_firmware;
    uint64_t audit_counter; /* COMMAND_AUDIT */
    uint16_t audit_alg;
    struct span audit_command;
    uint8_t audit_exclusive; /* SESSION_AUDIT */
};
/*
 * Attestation of that type and no other, whole and exact: ERR_MISMATCH names
 * the type that it has.  A GetTime is never taken for a quote, nor a quote for
 * a Certify.
 */
int tcg_attest_other(struct span bytes, uint16_t type, struct tcg_attested *ret,
        struct err *err) MUST_CHECK;

struct tcg_signature {
    uint16_t alg; /* RSASSA, RSAPSS, ECDSA */
    uint16_t hash;
    struct span r; /* ECDSA, as the TPM wrote it: may be short */
    struct span s;
    struct span rsa;
};
int tcg_signature(struct span bytes, struct tcg_signature *ret, struct err *err)
        MUST_CHECK;

/* TPMA_OBJECT (Part 2, 8.3). */
#define TCG_FIXED_TPM      0x00000002u
#define TCG_FIXED_PARENT   0x00000010u
#define TCG_SENSITIVE_ORIG 0x00000020u
#define TCG_USER_WITH_AUTH 0x00000040u
#define TCG_ADMIN_POLICY   0x00000080u
#define TCG_RESTRICTED     0x00010000u
#define TCG_DECRYPT        0x00020000u
#define TCG_SIGN           0x00040000u

/* TPMT_PUBLIC of an asymmetric key. */
struct tcg_public {
    uint16_t type; /* RSA, ECC */
    uint16_t name_alg;
    uint32_t attributes;
    struct span policy;
    uint16_t symmetric; /* NULL or AES */
    uint16_t symmetric_bits;
    uint16_t symmetric_mode;
    uint16_t scheme; /* NULL or a signing scheme */
    uint16_t scheme_hash;
    uint16_t rsa_bits;
    uint32_t exponent; /* 65537 when the TPM wrote 0 */
    uint16_t curve;    /* 3 P-256, 4 P-384, 5 P-521 */
    struct span x;     /* modulus of RSA */
    struct span y;
    struct span bytes; /* the structure itself */
};
int tcg_public(struct span bytes, struct tcg_public *ret, struct err *err)
        MUST_CHECK;
/* The key; NULL when room crypto does not know it or the point is off. */
struct crypto_pub *tcg_pub(const struct tcg_public *p) MUST_CHECK;

#define TCG_NAME_MAX (2 + CRYPTO_HASH_MAX)
struct tcg_name {
    uint8_t bytes[TCG_NAME_MAX];
    size_t len;
};
/* nameAlg || H(TPMT_PUBLIC) (Part 1, 16). */
int tcg_name(const struct tcg_public *p, struct tcg_name *ret) MUST_CHECK;
/*
 * Could this be an attestation key: restricted, signing, not decrypting, made
 * in and fixed to one TPM, with a signing scheme of its own and no SHA-1?
 * Restricted is what keeps the TPM from signing a forged TPMS_ATTEST with it.
 */
int tcg_check_ak(const struct tcg_public *p, struct err *err) MUST_CHECK;
/* Could this be an endorsement key: restricted, decrypting, fixed? */
int tcg_check_ek(const struct tcg_public *p, struct err *err) MUST_CHECK;
/* sig over attest by ak, in ak's own scheme and hash; ERR_MISMATCH. */
int tcg_verify(const struct tcg_public *ak, struct span attest,
        const struct tcg_signature *sig, struct err *err) MUST_CHECK;

/* TPMT_PUBLIC of a signer outside the TPM, as LoadExternal takes it: P-256. */
#define TCG_SIGNER_MAX 96
int tcg_signer_public(const struct crypto_pub *k, uint8_t *ret, size_t cap,
        size_t *ret_len) MUST_CHECK;

/* PCR values in the order of a selection, each of its bank's size. */
#define TCG_VALUES_MAX (TCG_BANKS_MAX * TCG_PCRS)
struct tcg_values {
    size_t n;
    struct span value[TCG_VALUES_MAX];
};
/* Number and sizes as the selection asks for. */
bool tcg_values_fit(const struct tcg_selection *s, const struct tcg_values *v);
/* The value of one PCR; false when it is not selected. */
bool tcg_value(const struct tcg_selection *s, const struct tcg_values *v,
        uint16_t alg, unsigned pcr, struct span *ret) MUST_CHECK;
/* H over all values (Part 3, 18.4), with the hash of the signing scheme. */
int tcg_pcr_digest(const struct tcg_values *v, enum crypto_hash hash,
        uint8_t *ret) MUST_CHECK;

/* A value as somebody claims it, in any order; what a quote does not select
 * is not looked at. */
struct tcg_claim {
    uint16_t alg;
    unsigned pcr;
    struct span value;
};
/* Values in the order of s; ERR_NOT_FOUND when one is missing, has another
 * size, or is claimed twice. */
int tcg_values_of_claims(const struct tcg_selection *s,
        const struct tcg_claim *claims, size_t n, struct tcg_values *ret)
        MUST_CHECK;

/* ---- judging a quote ------------------------------------------------- */

/* Why a quote is refused, in the order in which reasons are told. */
enum tcg_why {
    TCG_WHY_NONE,
    TCG_WHY_LENGTH,         /* a length or count runs out of the structure */
    TCG_WHY_COUNT,          /* more banks than a TPM has */
    TCG_WHY_SELECT,         /* bitmap of 0 or over 4 bytes, or a PCR over 23 */
    TCG_WHY_VALUE,          /* a value that the standard does not have */
    TCG_WHY_MAGIC,          /* not TPM_GENERATED: no TPM made it */
    TCG_WHY_NOT_A_QUOTE,    /* Certify, GetTime, ... */
    TCG_WHY_TRAILING,       /* bytes behind the structure */
    TCG_WHY_DUPLICATE_BANK, /* a bank is selected twice */
    TCG_WHY_AK_FORMAT,      /* the AK is no public key known here */
    TCG_WHY_AK_NOT_RESTRICTED,
    TCG_WHY_AK_NOT_SIGNING,
    TCG_WHY_AK_DECRYPTS,
    TCG_WHY_AK_NOT_FIXED,  /* fixedTPM, fixedParent, sensitiveDataOrigin */
    TCG_WHY_AK_SCHEME,     /* no signing scheme, or one of another key type */
    TCG_WHY_AK_WEAK,       /* SHA-1, RSA under 2048, unknown curve */
    TCG_WHY_AK_OTHER,      /* not the pinned one */
    TCG_WHY_AK_NOT_PINNED, /* nothing says that it is in a TPM */
    TCG_WHY_SIG_FORMAT,
    TCG_WHY_SIG_ALG,  /* signature is not of the AK's scheme */
    TCG_WHY_SIG_HASH, /* signature is not with the AK's hash */
    TCG_WHY_SIGNATURE,
    TCG_WHY_NONCE,
    TCG_WHY_REQUIRED, /* a required PCR is not in the signed selection */
    TCG_WHY_PCR_FILE,
    TCG_WHY_PCR_DIGEST, /* values are not the quoted ones */
    TCG_WHY_CONTINUITY, /* clock or counts went back */
    TCG_WHY_COUNT_
};
/* "required-pcr-not-quoted": stable, for programs. */
const char *tcg_why_word(enum tcg_why w);
/* "a required PCR is not in the signed selection": for people. */
const char *tcg_why_text(enum tcg_why w);

/* What a quote's clock says beside that of an earlier one by the same AK. */
enum tcg_continuity {
    TCG_FIRST,     /* nothing to compare with */
    TCG_SAME_BOOT, /* later in the same boot */
    TCG_RESTART,   /* TPM Restart or Resume since: PCRs may have been reset */
    TCG_REBOOT,    /* TPM Reset since: everything is appraised anew */
    TCG_VIOLATION, /* a count or the clock went back: an old quote or a fault */
};
const char *tcg_continuity_name(enum tcg_continuity c); /* "reboot" */
/*
 * Counts never go back (compared as tcg_boot_cmp does); in one boot the clock
 * does not stand still or go back, safe stays set and the firmware's version
 * stays; over a boot a safe clock does not go back (Part 1, 36).  A clock that
 * is not safe tells nothing.
 */
enum tcg_continuity tcg_continuity_of(
        const struct tcg_attest *now, const struct tcg_attest *before);

/* An attestation key: parsed, and the key made, once for many quotes. */
struct tcg_ak;
/*
 * bytes: TPM2B_PUBLIC or TPMT_PUBLIC, as tpm2-tools write them; or a public key
 * alone, SPKI in DER or PEM, of which nothing says that a TPM holds it.
 */
int tcg_ak_new(struct span bytes, struct tcg_ak **ret, struct err *err)
        MUST_CHECK;
void tcg_ak_free(struct tcg_ak *k);
void tcg_ak_free_ptr(struct tcg_ak **k);
/* NULL when it came as a public key alone. */
const struct tcg_public *tcg_ak_public(const struct tcg_ak *k);
const struct crypto_pub *tcg_ak_pub(const struct tcg_ak *k);
/* Name, or SHA-256 of the SPKI when it came as that. */
struct span tcg_ak_pin(const struct tcg_ak *k);

struct tcg_quote_want {
    /* extraData must be this.  any_nonce: freshness is judged elsewhere. */
    struct span nonce;
    bool any_nonce;
    /* Must be in the signed selection.  Empty is a refusal unless any_pcrs. */
    struct tcg_selection required;
    bool any_pcrs;
    /* tcg_ak_pin of the enrolled key.  Empty is a refusal unless any_ak, which
     * is for keys whose enrolment is judged elsewhere; a public key alone is
     * refused even then. */
    struct span pin;
    bool any_ak;
    /* PCR values, in the order of the quote or as claims; NULL and n_claims 0:
     * not compared. */
    const struct tcg_values *values;
    const struct tcg_claim *claims;
    size_t n_claims;
    /* A file of tpm2_quote (tcg_file_pcrs), in place of them. */
    struct span pcr_file;
    /* Last genuine quote of this AK, or NULL. */
    const struct tcg_attest *before;
};

/* What was found; fields are shown, and believed only when why is 0. */
struct tcg_quote {
    uint32_t why; /* bit w: reason w */
    bool parsed;
    struct tcg_attested attest;
    struct tcg_signature sig;
    bool signature_judged; /* false: format, scheme or hash was refused */
    bool signature;
    bool nonce_judged;
    bool nonce;
    bool pcr_judged;
    bool pcr_digest;
    struct tcg_values values; /* when pcr_judged; as they were claimed */
    enum tcg_continuity continuity;
};
/*
 * msg: TPMS_ATTEST or TPM2B_ATTEST; sig: TPMT_SIGNATURE, or the plain form of
 * tpm2_quote (RSA as it is, ECDSA in DER).  0 when nothing stands against it,
 * else ERR_DENIED with all words in err.  Spans in *ret point into msg, sig and
 * what values were given as.
 */
int tcg_quote_judge(const struct tcg_ak *ak, struct span msg, struct span sig,
        const struct tcg_quote_want *want, struct tcg_quote *ret,
        struct err *err) MUST_CHECK;

/* ---- files of others ------------------------------------------------- */

/* Contents of a TPM2B that is the whole of bytes; else bytes. */
struct span tcg_file_unwrap(struct span bytes);
/*
 * PCR file of tpm2_quote -o: "serialized" (tpm2-tools 4 and 5 on a
 * little-endian machine: TPML_PCR_SELECTION, count, TPML_DIGEST each, as they
 * lie in memory) or "values" (one behind the other), for the selection of the
 * quote, which alone says which PCR a value is of.
 */
int tcg_file_pcrs(struct span bytes, const struct tcg_selection *s,
        struct tcg_values *ret, struct err *err) MUST_CHECK;

/* ---- policies (Part 3, 23) ------------------------------------------- */

/*
 * A policy as a TPM builds it, assertion by assertion; digest is what an
 * object with that authPolicy asks for.  Each function extends p as the
 * command of its name does in a trial session, in p's hash.
 */
struct tcg_policy {
    enum crypto_hash hash;
    uint8_t digest[CRYPTO_HASH_MAX];
};
/* TPM_EO (Part 2, 6.8). */
enum tcg_compare {
    TCG_EQ = 0,
    TCG_NEQ = 1,
    TCG_SIGNED_GT = 2,
    TCG_UNSIGNED_GT = 3,
    TCG_SIGNED_LT = 4,
    TCG_UNSIGNED_LT = 5,
    TCG_SIGNED_GE = 6,
    TCG_UNSIGNED_GE = 7,
    TCG_SIGNED_LE = 8,
    TCG_UNSIGNED_LE = 9,
    TCG_BITSET = 10,
    TCG_BITCLEAR = 11,
};
#define TCG_CC_UNSEAL 0x15e
/* Name of the endorsement hierarchy, and the policy of standard EKs:
 * PolicySecret with it (TCG EK Credential Profile, B.3). */
#define TCG_RH_ENDORSEMENT 0x4000000b

/* ERR_UNSUPPORTED for a hash that no TPM has a session of. */
int tcg_policy_start(struct tcg_policy *p, enum crypto_hash hash) MUST_CHECK;
/* values in the order of s; the digest over them is made in p's hash. */
int tcg_policy_add_pcr(struct tcg_policy *p, const struct tcg_selection *s,
        const struct tcg_values *values) MUST_CHECK;
/* Forgets what was there: the signer's approval stands in its place. */
void tcg_policy_add_authorize(
        struct tcg_policy *p, struct span signer_name, struct span ref);
void tcg_policy_add_signed(
        struct tcg_policy *p, struct span signer_name, struct span ref);
/* name: of an object, or the four bytes of a hierarchy's handle. */
void tcg_policy_add_secret(
        struct tcg_policy *p, struct span name, struct span ref);
void tcg_policy_add_nv(struct tcg_policy *p, struct span nv_name,
        struct span operand, uint16_t offset, enum tcg_compare op);
/* As tcg_policy_add_authorize: the index holds the policy. */
void tcg_policy_add_authorize_nv(struct tcg_policy *p, struct span nv_name);
void tcg_policy_add_nv_written(struct tcg_policy *p, bool written);
/* Forgets what was there, which must be one of the branches: 2 to 8 digests
 * of p's hash, else ERR_LIMIT. */
int tcg_policy_add_or(
        struct tcg_policy *p, const struct span *branches, size_t n) MUST_CHECK;
/* PolicyAuthValue and PolicyPassword are the same assertion. */
void tcg_policy_add_auth_value(struct tcg_policy *p);
void tcg_policy_add_command(struct tcg_policy *p, uint32_t command);
void tcg_policy_add_counter_timer(struct tcg_policy *p, struct span operand,
        uint16_t offset, enum tcg_compare op);
void tcg_policy_add_locality(struct tcg_policy *p, uint8_t localities);
void tcg_policy_add_physical_presence(struct tcg_policy *p);
/* Digests of p's hash: of a command's parameters, of the names in it, of a
 * template. */
void tcg_policy_add_cp_hash(struct tcg_policy *p, struct span digest);
void tcg_policy_add_name_hash(struct tcg_policy *p, struct span digest);
void tcg_policy_add_template(struct tcg_policy *p, struct span digest);
/* object: empty when its name is not part of the policy. */
void tcg_policy_add_duplication(
        struct tcg_policy *p, struct span object, struct span new_parent);

/* PolicyPCR from the empty policy: the digest that approves a state. */
int tcg_policy_pcr(const struct tcg_selection *s,
        const uint8_t pcr_digest[static CRYPTO_SHA256_SIZE],
        uint8_t ret[static CRYPTO_SHA256_SIZE]) MUST_CHECK;
/* authPolicy of an object that signer may approve states for. */
int tcg_policy_authorize(const struct crypto_pub *signer,
        struct span policy_ref, uint8_t ret[static CRYPTO_SHA256_SIZE])
        MUST_CHECK;
int tcg_policy_authorize_name(const struct tcg_name *signer,
        struct span policy_ref, uint8_t ret[static CRYPTO_SHA256_SIZE])
        MUST_CHECK;
/* What the signer signs: H(approved policy || policyRef). */
void tcg_policy_ahash(const uint8_t approved[static CRYPTO_SHA256_SIZE],
        struct span policy_ref, uint8_t ret[static CRYPTO_SHA256_SIZE]);
/* policyRef of a zone's keys: SHA-256("qair-state-1" || zone name), so that
 * an approval for one zone opens nothing in another. */
void tcg_policy_ref(struct span zone, uint8_t ret[static CRYPTO_SHA256_SIZE]);

/* ---- credentials (Part 1, 24) ---------------------------------------- */

#define TCG_SECRET_MAX     32 /* fits every name algorithm */
#define TCG_CREDENTIAL_MAX 256
#define TCG_ENCRYPTED_MAX  1100
struct tcg_credential {
    uint8_t blob[TCG_CREDENTIAL_MAX]; /* TPM2B_ID_OBJECT */
    size_t blob_len;
    uint8_t secret[TCG_ENCRYPTED_MAX]; /* TPM2B_ENCRYPTED_SECRET */
    size_t secret_len;
};
/*
 * A secret that only the TPM with ek can recover, and only for a key named
 * ak_name that is loaded in it.  seed: random bytes of the EK's name hash
 * (used for RSA; with ECC the seed is agreed and seed is not looked at).
 */
int tcg_credential_make(const struct tcg_public *ek,
        const struct tcg_name *ak_name, struct span secret, struct span seed,
        struct tcg_credential *ret, struct err *err) MUST_CHECK;
/* KDFa (Part 1, 11.4.10.2) with an empty contextV, at most one hash of it:
 * whole bytes into ret.  ERR_LIMIT when it is more, or context is longer than
 * a Name. */
int tcg_credential_kdfa(enum crypto_hash hash, struct span key,
        const char *label, struct span context, uint32_t bits, uint8_t *ret)
        MUST_CHECK;
/* The part behind the seed, for known-answer tests. */
int tcg_credential_wrap(const struct tcg_public *ek,
        const struct tcg_name *ak_name, struct span secret, struct span seed,
        struct tcg_credential *ret) MUST_CHECK;

/* ---- endorsement key certificates ------------------------------------ */

/*
 * The DER in what an NV index held: a 7-byte header of old chips and padding
 * behind the certificate are dropped; anything else is ERR_SYNTAX.
 */
int tcg_ek_trim(struct span nv, struct span *ret) MUST_CHECK;

#define TCG_EK_TEXT 64
struct tcg_ek {
    char manufacturer[TCG_EK_TEXT]; /* "id:53544D20" */
    char model[TCG_EK_TEXT];
    char version[TCG_EK_TEXT];
    uint8_t spki_sha256[CRYPTO_SHA256_SIZE]; /* of crypto_pub_spki */
    /* What the maker says of the chip (SubjectDirectoryAttributes); one that
     * cannot be read is one that was not made. */
    bool has_spec; /* TPM specification, 2.23.133.2.16 */
    char family[16];
    uint64_t level, revision;
    bool has_assertions; /* TPM security assertions, 2.23.133.2.18 */
    bool field_upgradable;
    bool has_generation;
    uint64_t generation; /* 0 internal, 1 injected, 2 and 3 revocable */
};
/* What SubjectDirectoryAttributes (2.5.29.9) say, into *ret; else untouched. */
void tcg_ek_attributes(struct span der, struct tcg_ek *ret);
/*
 * Profile (EKU 2.23.133.8.1, TPM attributes in the SAN) and path to one of
 * roots at a time; the key is taken from the certificate.  *ret_pub is freed
 * by the caller.
 */
int tcg_ek_verify(const struct crypto_cert *cert,
        struct crypto_cert *const *inters, size_t n_inters,
        struct crypto_cert *const *roots, size_t n_roots, uint64_t unix_s,
        struct tcg_ek *ret, struct crypto_pub **ret_pub, struct err *err)
        MUST_CHECK;

#endif
