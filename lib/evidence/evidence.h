/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room evidence (floor 2, pure): what a machine can show about itself.
 * Specification of our own formats: docs/proto/evidence.md.
 *
 *   evidence_*            the evidence blob of channels and receipts
 *   evidence_events_*     the zone's measured event log: writer and reader
 *   evidence_tpm_*        TPM structures (TPM 2.0 Part 2), names, quotes
 *   evidence_log_*        TCG event logs (PC Client Platform Firmware Profile)
 *   evidence_ek_*         endorsement key certificates
 *   evidence_credential_* MakeCredential in software
 *   evidence_policy_*     digests of TPM authorisation policies
 *
 * Everything is bytes in, values out: no TPM, no clock, no file.  Spans in
 * results point into the input.  Parsers refuse what they do not know and
 * whatever is left over; they say what a structure is, not whether it is to be
 * believed: that is room appraise.  Nothing here may be called "verified" but
 * what a function named *_verify returned 0 for.
 */
#ifndef QAIR_EVIDENCE_H
#define QAIR_EVIDENCE_H

#include "base.h"
#include "buf.h"
#include "crypto.h"

/* ---- TPM structures -------------------------------------------------- */

/* TPM_ALG_ID (TCG Algorithm Registry). */
enum evidence_alg {
    EVIDENCE_ALG_RSA = 0x0001,
    EVIDENCE_ALG_SHA1 = 0x0004,
    EVIDENCE_ALG_AES = 0x0006,
    EVIDENCE_ALG_KEYEDHASH = 0x0008,
    EVIDENCE_ALG_SHA256 = 0x000b,
    EVIDENCE_ALG_SHA384 = 0x000c,
    EVIDENCE_ALG_SHA512 = 0x000d,
    EVIDENCE_ALG_NULL = 0x0010,
    EVIDENCE_ALG_SM3 = 0x0012,
    EVIDENCE_ALG_RSASSA = 0x0014,
    EVIDENCE_ALG_RSAPSS = 0x0016,
    EVIDENCE_ALG_ECDSA = 0x0018,
    EVIDENCE_ALG_ECC = 0x0023,
    EVIDENCE_ALG_CFB = 0x0043,
};
/* False for what room crypto cannot compute (SM3, SHA-3). */
bool evidence_tpm_hash(uint16_t alg, enum crypto_hash *ret) MUST_CHECK;
/* "sha256", "ecdsa", "unknown". */
const char *evidence_tpm_alg_name(uint16_t alg);

#define EVIDENCE_PCRS      24 /* PC Client: 0..23 */
#define EVIDENCE_BANKS_MAX 4
/* The PCR that the zone measures itself into (docs/architecture.md, 7). */
#define EVIDENCE_ZONE_PCR 14

struct evidence_bank {
    uint16_t alg;
    uint32_t pcrs; /* bit i = PCR i */
};

/* TPML_PCR_SELECTION: banks in their order, none twice. */
struct evidence_selection {
    size_t n;
    struct evidence_bank bank[EVIDENCE_BANKS_MAX];
};

/* sha256:14, what a zone quotes and what its keys are bound to. */
struct evidence_selection evidence_tpm_zone_selection(void);
bool evidence_tpm_get_selection(
        struct wire_reader *r, struct evidence_selection *ret) MUST_CHECK;
void evidence_tpm_put_selection(
        struct wire_writer *w, const struct evidence_selection *s);
bool evidence_tpm_selection_eq(
        const struct evidence_selection *a, const struct evidence_selection *b);
bool evidence_tpm_selects(
        const struct evidence_selection *s, uint16_t alg, unsigned pcr);
size_t evidence_tpm_selection_count(const struct evidence_selection *s);
/* "sha256:0,4,7+sha384:14". */
#define EVIDENCE_SELECTION_TEXT 400
void evidence_tpm_format_selection(const struct evidence_selection *s,
        char ret[static EVIDENCE_SELECTION_TEXT]);

/* TPM_ST of an attestation (Part 2, 6.9). */
enum evidence_attest_type {
    EVIDENCE_ATTEST_NV = 0x8014,
    EVIDENCE_ATTEST_CERTIFY = 0x8017,
    EVIDENCE_ATTEST_QUOTE = 0x8018,
    EVIDENCE_ATTEST_TIME = 0x8019,
    EVIDENCE_ATTEST_CREATION = 0x801a,
};

struct evidence_clock {
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
int evidence_tpm_boot_cmp(
        const struct evidence_clock *a, const struct evidence_clock *b);

/* TPMS_ATTEST; selection and pcr_digest for a quote alone. */
struct evidence_attest {
    uint16_t type;
    struct span signer; /* qualified name of the key */
    struct span extra;  /* qualifying data: the binder */
    struct evidence_clock clock;
    uint64_t firmware;
    struct evidence_selection selection;
    struct span pcr_digest;
};
/*
 * Quote: whole and exact.  ERR_MISMATCH, with its name in err, for the other
 * kinds of attestation; they are never taken for a quote.
 */
int evidence_tpm_attest(struct span bytes, struct evidence_attest *ret,
        struct err *err) MUST_CHECK;

struct evidence_signature {
    uint16_t alg; /* RSASSA, RSAPSS, ECDSA */
    uint16_t hash;
    struct span r; /* ECDSA, as the TPM wrote it: may be short */
    struct span s;
    struct span rsa;
};
int evidence_tpm_signature(struct span bytes, struct evidence_signature *ret,
        struct err *err) MUST_CHECK;

/* TPMA_OBJECT (Part 2, 8.3). */
#define EVIDENCE_FIXED_TPM      0x00000002u
#define EVIDENCE_FIXED_PARENT   0x00000010u
#define EVIDENCE_SENSITIVE_ORIG 0x00000020u
#define EVIDENCE_USER_WITH_AUTH 0x00000040u
#define EVIDENCE_ADMIN_POLICY   0x00000080u
#define EVIDENCE_RESTRICTED     0x00010000u
#define EVIDENCE_DECRYPT        0x00020000u
#define EVIDENCE_SIGN           0x00040000u

/* TPMT_PUBLIC of an asymmetric key. */
struct evidence_public {
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
    uint16_t curve;    /* 3 P-256, 4 P-384 */
    struct span x;     /* modulus of RSA */
    struct span y;
    struct span bytes; /* the structure itself */
};
int evidence_tpm_public(struct span bytes, struct evidence_public *ret,
        struct err *err) MUST_CHECK;
/* The key; NULL when room crypto does not know it or the point is off. */
struct crypto_pub *evidence_tpm_pub(const struct evidence_public *p) MUST_CHECK;

#define EVIDENCE_NAME_MAX (2 + CRYPTO_HASH_MAX)
struct evidence_name {
    uint8_t bytes[EVIDENCE_NAME_MAX];
    size_t len;
};
/* nameAlg || H(TPMT_PUBLIC) (Part 1, 16). */
int evidence_tpm_name(
        const struct evidence_public *p, struct evidence_name *ret) MUST_CHECK;
/*
 * Could this be an attestation key: restricted, signing, not decrypting, made
 * in and fixed to one TPM, with a signing scheme of its own and no SHA-1?
 * Restricted is what keeps the TPM from signing a forged TPMS_ATTEST with it.
 */
int evidence_tpm_check_ak(const struct evidence_public *p, struct err *err)
        MUST_CHECK;
/* Could this be an endorsement key: restricted, decrypting, fixed? */
int evidence_tpm_check_ek(const struct evidence_public *p, struct err *err)
        MUST_CHECK;
/* sig over attest by ak, in ak's own scheme and hash; ERR_MISMATCH. */
int evidence_tpm_verify(const struct evidence_public *ak, struct span attest,
        const struct evidence_signature *sig, struct err *err) MUST_CHECK;

/* TPMT_PUBLIC of a signer outside the TPM, as LoadExternal takes it: P-256. */
#define EVIDENCE_SIGNER_MAX 96
int evidence_tpm_signer_public(const struct crypto_pub *k, uint8_t *ret,
        size_t cap, size_t *ret_len) MUST_CHECK;

/* PCR values in the order of a selection, each of its bank's size. */
#define EVIDENCE_VALUES_MAX (EVIDENCE_BANKS_MAX * EVIDENCE_PCRS)
struct evidence_values {
    size_t n;
    struct span value[EVIDENCE_VALUES_MAX];
};
/* Number and sizes as the selection asks for. */
bool evidence_tpm_values_fit(
        const struct evidence_selection *s, const struct evidence_values *v);
/* The value of one PCR; false when it is not selected. */
bool evidence_tpm_value(const struct evidence_selection *s,
        const struct evidence_values *v, uint16_t alg, unsigned pcr,
        struct span *ret) MUST_CHECK;
/* H over all values (Part 3, 18.4), with the hash of the signing scheme. */
int evidence_tpm_pcr_digest(const struct evidence_values *v,
        enum crypto_hash hash, uint8_t *ret) MUST_CHECK;

/* ---- policies (Part 3, 23) ------------------------------------------- */

/* PolicyPCR from the empty policy: the digest that approves a state. */
int evidence_policy_pcr(const struct evidence_selection *s,
        const uint8_t pcr_digest[static CRYPTO_SHA256_SIZE],
        uint8_t ret[static CRYPTO_SHA256_SIZE]) MUST_CHECK;
/* authPolicy of an object that signer may approve states for. */
int evidence_policy_authorize(const struct crypto_pub *signer,
        struct span policy_ref, uint8_t ret[static CRYPTO_SHA256_SIZE])
        MUST_CHECK;
int evidence_policy_authorize_name(const struct evidence_name *signer,
        struct span policy_ref, uint8_t ret[static CRYPTO_SHA256_SIZE])
        MUST_CHECK;
/* What the signer signs: H(approved policy || policyRef). */
void evidence_policy_ahash(const uint8_t approved[static CRYPTO_SHA256_SIZE],
        struct span policy_ref, uint8_t ret[static CRYPTO_SHA256_SIZE]);
/* policyRef of a zone's keys: SHA-256("qair-state-1" || zone name), so that
 * an approval for one zone opens nothing in another. */
void evidence_policy_ref(
        struct span zone, uint8_t ret[static CRYPTO_SHA256_SIZE]);

/* ---- credentials (Part 1, 24) ---------------------------------------- */

#define EVIDENCE_SECRET_MAX     32 /* fits every name algorithm */
#define EVIDENCE_CREDENTIAL_MAX 256
#define EVIDENCE_ENCRYPTED_MAX  1100
struct evidence_credential {
    uint8_t blob[EVIDENCE_CREDENTIAL_MAX]; /* TPM2B_ID_OBJECT */
    size_t blob_len;
    uint8_t secret[EVIDENCE_ENCRYPTED_MAX]; /* TPM2B_ENCRYPTED_SECRET */
    size_t secret_len;
};
/*
 * A secret that only the TPM with ek can recover, and only for a key named
 * ak_name that is loaded in it.  seed: random bytes of the EK's name hash
 * (used for RSA; with ECC the seed is agreed and seed is not looked at).
 */
int evidence_credential_make(const struct evidence_public *ek,
        const struct evidence_name *ak_name, struct span secret,
        struct span seed, struct evidence_credential *ret, struct err *err)
        MUST_CHECK;
/* The part behind the seed, for known-answer tests. */
int evidence_credential_wrap(const struct evidence_public *ek,
        const struct evidence_name *ak_name, struct span secret,
        struct span seed, struct evidence_credential *ret) MUST_CHECK;

/* ---- endorsement key certificates ------------------------------------ */

/*
 * The DER in what an NV index held: a 7-byte header of old chips and padding
 * behind the certificate are dropped; anything else is ERR_SYNTAX.
 */
int evidence_ek_trim(struct span nv, struct span *ret) MUST_CHECK;

#define EVIDENCE_EK_TEXT 64
struct evidence_ek {
    char manufacturer[EVIDENCE_EK_TEXT]; /* "id:53544D20" */
    char model[EVIDENCE_EK_TEXT];
    char version[EVIDENCE_EK_TEXT];
    uint8_t spki_sha256[CRYPTO_SHA256_SIZE]; /* of crypto_pub_spki */
};
/*
 * Profile (EKU 2.23.133.8.1, TPM attributes in the SAN) and path to one of
 * roots at a time; the key is taken from the certificate.  *ret_pub is freed
 * by the caller.
 */
int evidence_ek_verify(const struct crypto_cert *cert,
        struct crypto_cert *const *inters, size_t n_inters,
        struct crypto_cert *const *roots, size_t n_roots, uint64_t unix_s,
        struct evidence_ek *ret, struct crypto_pub **ret_pub, struct err *err)
        MUST_CHECK;

/* ---- TCG event logs (PFP 1.06, 10) ----------------------------------- */

enum evidence_event_type {
    EVIDENCE_EV_NO_ACTION = 0x3,
    EVIDENCE_EV_SEPARATOR = 0x4,
    EVIDENCE_EV_ACTION = 0x5,
    EVIDENCE_EV_EVENT_TAG = 0x6,
    EVIDENCE_EV_S_CRTM_VERSION = 0x8,
};
/* Over INT_MAX, so not in the enum. */
#define EVIDENCE_EV_EFI_VARIABLE_DRIVER_CONFIG 0x80000001u
#define EVIDENCE_EV_EFI_GPT_EVENT              0x80000006u
#define EVIDENCE_EV_EFI_ACTION                 0x80000007u
#define EVIDENCE_EV_EFI_HCRTM_EVENT            0x80000010u
#define EVIDENCE_EV_EFI_VARIABLE_AUTHORITY     0x800000e0u

#define EVIDENCE_LOG_ALGS_MAX 16
struct evidence_log_alg {
    uint16_t alg;
    uint16_t size;
};

/* A cursor over a crypto-agile log; open it anew to walk again. */
struct evidence_log {
    struct wire_reader left;
    size_t n_algs;
    struct evidence_log_alg alg[EVIDENCE_LOG_ALGS_MAX];
    struct span vendor;
    size_t index; /* of the next event; the header is event 0 */
};

struct evidence_log_event {
    size_t index;
    uint32_t pcr;
    uint32_t type; /* not authenticated by any PCR */
    size_t n_digests;
    struct {
        uint16_t alg;
        struct span digest;
    } digest[EVIDENCE_LOG_ALGS_MAX];
    struct span data;
};

/* Reads the Spec ID header; legacy SHA-1 logs are ERR_UNSUPPORTED. */
int evidence_log_open(
        struct span log, struct evidence_log *ret, struct err *err) MUST_CHECK;
/* 1 and an event, 0 at the end (or at 00 or FF padding), else an error. */
int evidence_log_next(struct evidence_log *log, struct evidence_log_event *ret,
        struct err *err) MUST_CHECK;
bool evidence_log_digest(const struct evidence_log_event *e, uint16_t alg,
        struct span *ret) MUST_CHECK;
/*
 * For types whose digest is the hash of their data (separators, actions,
 * tags, variables): does it hold in every bank?  0, ERR_MISMATCH, or
 * ERR_UNSUPPORTED for a type that hashes something else.
 */
int evidence_log_check_data(const struct evidence_log_event *e) MUST_CHECK;

struct evidence_pcrs {
    uint16_t alg;
    size_t size;
    uint32_t extended; /* bit i: some event extended PCR i */
    uint8_t value[EVIDENCE_PCRS][CRYPTO_HASH_MAX];
};
/*
 * PCR values after the whole log: EV_NO_ACTION is not extended, PCR 0 starts
 * at the StartupLocality or at 4 with an H-CRTM event, 17..22 are all ones
 * until a dynamic launch sets them to zero.  Every event must carry alg.
 */
int evidence_log_replay(struct span log, uint16_t alg,
        struct evidence_pcrs *ret, struct err *err) MUST_CHECK;

/* ---- the zone's own events ------------------------------------------- */

/* TaggedEventID of our EV_EVENT_TAG: "QAIR". */
#define EVIDENCE_TAG            0x52494151u
#define EVIDENCE_EVENT_KIND_MAX 16
#define EVIDENCE_EVENT_NAME_MAX 255
/* 64 KiB of evidence hold about 450 events. */
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

#define EVIDENCE_VERSION 1

/* Canonical: parse then format gives the same bytes. */
struct evidence {
    struct span attest;    /* TPMS_ATTEST as the TPM signed it */
    struct span signature; /* TPMT_SIGNATURE */
    struct span ak;        /* TPMT_PUBLIC */
    /* Parsed from the above. */
    struct evidence_attest quote;
    struct evidence_signature sig;
    struct evidence_public ak_public;
    struct evidence_values values; /* in the order of quote.selection */
    struct span log;               /* evidence_events_*; may be empty */
};
int evidence_parse(struct span bytes, struct evidence *ret, struct err *err)
        MUST_CHECK;
/*
 * From attest, signature, ak, values and log (the parsed fields are not
 * looked at); at most LIMIT_EVIDENCE_MAX bytes, appended to ret.
 */
int evidence_format(const struct evidence *e, struct buf *ret, struct err *err)
        MUST_CHECK;

#endif
