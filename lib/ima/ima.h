/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room ima (floor 2, pure): the measurement list of Linux IMA, as the kernel
 * shows it in ascii_runtime_measurements and binary_runtime_measurements
 * (little-endian machines, or ima_canonical_fmt), also in the forms of one
 * bank that newer kernels have (..._sha256).
 *
 *   ima_open, ima_next       the entries, field by field, of every standard
 *                            template and of templates given as a format
 *   ima_template_hash        what the kernel extended, computed from fields
 *   ima_replay_*             a PCR over entries
 *   ima_prefix_find          the part of a list that a quote vouches for
 *   ima_boot_aggregate_check the first entry against the PCRs of the boot
 *   ima_appraise             every file against sets of allowed digests
 *
 * What is attested.  The list grows between the quote and its reading, so it
 * is the prefix whose PCR reproduces the quoted value that is vouched for, and
 * the lines behind it are not: they may be true, and nothing may be concluded
 * from them.  Inside the prefix, a line's fields are vouched for by its
 * template hash, except in a violation (the kernel could not measure: a file
 * was open for writing): its hash is all zero, the PCR is extended with ones,
 * and its fields may have been written by anybody.  Lines of another PCR than
 * the one that is replayed are vouched for by nothing.
 *
 * Spans in an entry point into the list; nothing is allocated but for fields
 * over some kilobytes, and that is freed before the function returns, so that
 * a list of a million entries takes no more memory than one of ten.  Any
 * process may use this room; foreign lists are read in attestd and in the
 * sandboxed child of the CLI.
 *
 * Errors: ERR_SYNTAX malformed, ERR_LIMIT larger than a limit below,
 * ERR_UNSUPPORTED a template in a text list that cannot be taken apart (a
 * binary list says where it ends, so there it is an entry with known = false),
 * ERR_MISMATCH a hash or PCR does not hold.  Messages name the entry, from 1.
 */
#ifndef QAIR_IMA_H
#define QAIR_IMA_H

#include "base.h"
#include "crypto.h"

/* A build host measures a million files; its text list has some 150 MiB. */
#define IMA_LIST_MAX    (256u << 20)
#define IMA_ENTRIES_MAX 4000000
/* Data of one entry.  The largest are appended signatures and buffers such as
 * keys and command lines: tens of kilobytes; extended attributes reach 64 KiB
 * each. */
#define IMA_DATA_MAX (1u << 20)
/* The kernel's own bound on a template's name or format. */
#define IMA_TEMPLATE_NAME_MAX 255
/* evm-sig, the longest of the standard ones, has nine. */
#define IMA_FIELDS_MAX 16

enum ima_format {
    IMA_ASCII,
    IMA_BINARY,
};

/* Fields of templates (the kernel's ima_template.c, supported_fields). */
enum ima_kind {
    IMA_D,            /* digest of 20 bytes, without a name */
    IMA_N,            /* name without its end, of template "ima" */
    IMA_D_NG,         /* "sha256:" NUL digest */
    IMA_D_NGV2,       /* "verity:sha256:" NUL digest */
    IMA_N_NG,         /* name NUL */
    IMA_SIG,          /* signature in security.ima, or nothing */
    IMA_BUF,          /* the buffer that was measured */
    IMA_D_MODSIG,     /* digest without the appended signature, or nothing */
    IMA_MODSIG,       /* appended signature, PKCS#7, or nothing */
    IMA_EVMSIG,       /* portable signature in security.evm, or nothing */
    IMA_XATTRNAMES,   /* "security.ima|security.selinux" NUL */
    IMA_XATTRLENGTHS, /* 32 bits each */
    IMA_XATTRVALUES,
    IMA_IUID, /* 32 bits */
    IMA_IGID, /* 32 bits */
    IMA_IMODE /* 16 bits */
};

struct ima_field {
    enum ima_kind kind;
    /* As it stands in the list: text in IMA_ASCII, bytes in IMA_BINARY. */
    struct span raw;
};

/* A cursor; open anew to walk again. */
struct ima_list {
    struct wire_reader left;
    enum ima_format format;
    size_t digest_size; /* of template hashes in a binary list */
    size_t index;       /* of the next entry, from 0 */
};

struct ima_entry {
    size_t index; /* from 0 */
    enum ima_format format;
    uint32_t pcr;
    uint8_t template_hash[CRYPTO_HASH_MAX]; /* as stated */
    size_t template_hash_len;               /* 20, 32, 48 or 64 */
    struct span name;                       /* "ima-ng", or "d-ng|n-ng" */
    bool is_ima;                            /* the template "ima" */
    bool known;                             /* fields below were taken apart */
    struct span data;                       /* binary: what is hashed */
    bool lost_nul;                          /* ... and a NUL behind it */
    size_t n_fields;
    struct ima_field field[IMA_FIELDS_MAX];

    /* Zero template hash.  Fields are then vouched for by nothing. */
    bool violation;
    struct span path;        /* of a file, or what a buffer is called */
    struct span digest_type; /* "ima", "verity"; empty: "ima" */
    struct span digest_alg;  /* "sha256"; empty in template "ima" */
    /* The algorithm is known here and the size is its own. */
    bool digest_ok;
    enum crypto_hash digest_hash; /* when digest_ok */
    uint8_t digest[CRYPTO_HASH_MAX];
    size_t digest_len;
};

/*
 * digest_size: of template hashes in a binary list, 20 in the old file and the
 * bank's in the newer ones; 0 to try which one fits the first entry.  Ignored
 * for text, where each line tells.  Text tools put a newline behind a binary
 * list or drop the NUL that ends its last name: such a list reads as the one
 * that it was, and hashes are computed over what it was.
 */
int ima_open(struct span list, enum ima_format format, size_t digest_size,
        struct ima_list *ret, struct err *err) MUST_CHECK;
/* 1 and an entry, 0 at the end, else an error. */
int ima_next(struct ima_list *list, struct ima_entry *ret, struct err *err)
        MUST_CHECK;

/* The field's bytes as the kernel hashed them, without their length. */
int ima_field_bytes(const struct ima_entry *e, enum ima_kind kind, uint8_t *ret,
        size_t cap, size_t *ret_len) MUST_CHECK;
/* Has it that field, and with something in it? */
bool ima_has(const struct ima_entry *e, enum ima_kind kind);

/* Hash of the template data with hash; ret holds crypto_hash_size(hash). */
int ima_template_hash(const struct ima_entry *e, enum crypto_hash hash,
        uint8_t *ret) MUST_CHECK;
/*
 * Does the stated template hash fit the fields?  A violation has none: true.
 * false for a text entry that names an algorithm of another digest size.
 */
bool ima_template_ok(const struct ima_entry *e);

/* ---- replay ---------------------------------------------------------- */

#define IMA_PCR 10

struct ima_replay {
    enum crypto_hash bank;
    uint32_t pcr;
    uint8_t value[CRYPTO_HASH_MAX];
    size_t entries;    /* seen, of any PCR */
    size_t extended;   /* of this PCR */
    size_t violations; /* of any PCR */
    size_t mismatches; /* stated template hash is not that of the fields */
    size_t first_mismatch;
};
/* start: value before the first entry, empty for zero. */
int ima_replay_init(struct ima_replay *r, enum crypto_hash bank, uint32_t pcr,
        struct span start) MUST_CHECK;
/*
 * The SHA-1 bank is extended with the stated hash, others with the hash of the
 * fields (on TPM 1.2 and before Linux 5.8 they were extended with the padded
 * SHA-1; such lists do not replay in them, and are refused).  A mismatch is
 * counted; what is then replayed proves nothing.
 */
int ima_replay_add(struct ima_replay *r, const struct ima_entry *e) MUST_CHECK;
/* All of it.  Mismatches are counted and are no error. */
int ima_replay_all(struct ima_list list, enum crypto_hash bank, uint32_t pcr,
        struct span start, struct ima_replay *ret, struct err *err) MUST_CHECK;

/*
 * What a quote says of the PCR: its value, or, when only the digest over all
 * PCRs is known, hash(before || value || after) == digest, where before and
 * after are the other quoted values.
 */
struct ima_goal {
    struct span value; /* empty: by digest */
    enum crypto_hash hash;
    struct span before;
    struct span after;
    struct span digest;
};

struct ima_prefix {
    size_t covered; /* entries that the quote vouches for */
    size_t total;
    size_t violations; /* in the covered part */
    size_t other_pcr;  /* in the covered part, vouched for by nothing */
    uint8_t value[CRYPTO_HASH_MAX];
};
/*
 * Finds the prefix that reproduces the goal.  ERR_MISMATCH when none does, and
 * when an entry of the covered part does not have its stated hash.  What is
 * behind the prefix must be well-formed and is otherwise not looked at.
 */
int ima_prefix_find(struct ima_list list, enum crypto_hash bank, uint32_t pcr,
        struct span start, const struct ima_goal *goal, struct ima_prefix *ret,
        struct err *err) MUST_CHECK;

/* ---- what the entries say -------------------------------------------- */

/* PCRs 0 to 9 of one bank, each crypto_hash_size(bank) bytes. */
struct ima_boot_pcrs {
    enum crypto_hash bank;
    struct span value[10];
};
bool ima_is_boot_aggregate(const struct ima_entry *e);
/*
 * The entry "boot_aggregate" against those PCRs: over PCR 0-9, as of Linux 5.8
 * in banks other than SHA-1, or over 0-7.  *ret_pcrs is 10 or 8.  ERR_DENIED
 * when it is zero: then the kernel saw no TPM and PCR 10 is not tied to the
 * boot.  ERR_UNSUPPORTED when it is of another bank.
 */
int ima_boot_aggregate_check(const struct ima_entry *e,
        const struct ima_boot_pcrs *pcrs, unsigned *ret_pcrs, struct err *err)
        MUST_CHECK;

/* security.ima as of the kernel's integrity.h, version 2. */
struct ima_signature {
    uint8_t type; /* 3: over the digest; 6: over a typed digest (fs-verity) */
    enum crypto_hash hash;
    uint32_t key_id;
    struct span sig;
};
/* bytes: from ima_field_bytes(IMA_SIG). */
int ima_signature_parse(struct span bytes, struct ima_signature *ret,
        struct err *err) MUST_CHECK;
/*
 * Signature of an entry (IMA_SIG, type 3) by key over its digest: RSASSA, or
 * ECDSA.  ERR_NOT_FOUND without a signature, ERR_MISMATCH when it is another.
 */
int ima_signature_verify(const struct ima_entry *e,
        const struct crypto_pub *key, struct err *err) MUST_CHECK;
/* A buffer's digest is the hash of the buffer (template ima-buf). */
int ima_buffer_check(const struct ima_entry *e) MUST_CHECK;

/* Digests of one algorithm and size, ascending, each once. */
struct ima_allowed {
    enum crypto_hash hash;
    const uint8_t *digests;
    size_t n;
};
/* Are they in order? Any set that a caller made is checked once with this. */
bool ima_allowed_sorted(const struct ima_allowed *set);
/* Is e's digest in one of the sets?  SHA-1 digests are in none. */
bool ima_allowed_has(const struct ima_allowed *sets, size_t n_sets,
        const struct ima_entry *e);

struct ima_rules {
    const struct ima_allowed *sets;
    size_t n_sets;
    /* Accepted beside the sets: files signed by one of these keys. */
    const struct crypto_pub *const *keys;
    size_t n_keys;
    bool require_signature; /* field present in every file's entry */
    bool allow_violations;
};
struct ima_findings {
    size_t files; /* boot_aggregate apart */
    size_t allowed;
    size_t refused;
    size_t unsigned_files;
    size_t violations;
    size_t unknown; /* templates that were not taken apart */
    /* The first entry, when it is "boot_aggregate": for
     * ima_boot_aggregate_check. */
    struct ima_entry aggregate;
    bool has_refused;
    struct ima_entry first_refused;
    const char *why; /* static words about first_refused */
};
/*
 * Judges the first covered entries of a list.  Every entry counts, also when
 * its path was seen before: the same name with another content is another
 * file.  0 when nothing was refused, ERR_DENIED with findings when something
 * was; an empty rule (no set, no key) allows no file at all.
 */
int ima_appraise(struct ima_list list, size_t covered,
        const struct ima_rules *rules, struct ima_findings *ret,
        struct err *err) MUST_CHECK;

#endif
