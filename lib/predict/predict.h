/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room predict (floor 3, pure): PCR values computed ahead, from the files that
 * a machine will boot, so that an update is approved before the reboot.
 * Specification of the recipe: docs/proto/recipe.md.
 *
 *   predict_*            the prediction: a list of events, and what follows
 *   predict_boot_*       PCR 4, 5, 7: what firmware starts, and by whose word
 *   predict_uki          PCR 4, 9, 11, 12, 13 of a unified kernel image
 *   predict_grub         PCR 8 and 9 of a GRUB configuration
 *   predict_firmware_*   PCR 0 of an OVMF image, variables of a store
 *   predict_pcrsig_*     systemd's signed PCR policies (.pcrsig)
 *
 * A prediction is a list of events in the order in which they are extended,
 * each with its digest in every bank that was asked for and a line for a
 * person ("how").  Values are always recomputed from the list; nothing else is
 * kept.  So a prediction explains itself, and its text, the recipe, can be
 * stored beside a reference value and checked years later.
 *
 * The caller reads the files: this room sees bytes, no file, no clock, no
 * network.  What cannot be derived from the given bytes is an error
 * (ERR_UNSUPPORTED with the reason), never a guess.  A function that fails
 * leaves the prediction without new events.  Single-threaded; any process.
 *
 * What a prediction means: "a machine that boots exactly these files in this
 * way has these values".  It proves nothing; a quote does.
 */
#ifndef QAIR_PREDICT_H
#define QAIR_PREDICT_H

#include "base.h"
#include "buf.h"
#include "crypto.h"
#include "pe.h"
#include "tcg.h"

/* A boot extends a hundred times; a long GRUB configuration some hundreds. */
#define PREDICT_EVENTS_MAX 2048
/* One line on a terminal with a path in it. */
#define PREDICT_HOW_MAX 200
/* SHA-1, SHA-256, SHA-384, SHA-512: bit i of a set is enum crypto_hash i. */
#define PREDICT_BANKS       4
#define PREDICT_BANK(hash)  (1u << (hash))
#define PREDICT_BANKS_KNOWN 0x0fu

struct predict_event {
    unsigned pcr;
    char how[PREDICT_HOW_MAX + 1]; /* printable ASCII */
    uint8_t digest[PREDICT_BANKS][CRYPTO_HASH_MAX];
};

struct predict {
    unsigned banks;
    uint32_t pcrs; /* bit i: PCR i is predicted */
    size_t n;
    struct predict_event *event; /* heap */
};

/* banks: at least one, PREDICT_BANK or-ed. */
struct predict predict_of(unsigned banks);
void predict_fini(struct predict *p);

/* The PCR keeps its start value when no event names it. */
void predict_start(struct predict *p, unsigned pcr);
/* Extends H(parts, one after the other) in each bank. */
int predict_add(struct predict *p, unsigned pcr, const struct span *part,
        size_t n, struct err *err, const char *fmt, ...)
        MUST_CHECK PRINTF_LIKE(6, 7);
/* Extends digests that are at hand: one a bank of p, in the banks' order. */
int predict_add_digest(struct predict *p, unsigned pcr,
        const struct span *digest, struct err *err, const char *fmt, ...)
        MUST_CHECK PRINTF_LIKE(5, 6);
/*
 * Every event of the log (room eventlog) for the PCRs of the set: what does
 * not change with the update.  The log must carry each bank and be whole;
 * whether its machine is to be believed is the caller's to know.  PCR 0 with
 * another start value than zero is ERR_UNSUPPORTED.
 */
int predict_add_log(struct predict *p, struct span log, uint32_t pcrs,
        struct err *err) MUST_CHECK;

/* ret holds crypto_hash_size(hash).  ERR_NOT_FOUND: PCR or bank not there. */
int predict_value(const struct predict *p, enum crypto_hash hash, unsigned pcr,
        uint8_t *ret) MUST_CHECK;
/* PolicyPCR of these PCRs in one bank (SHA-256 policies). */
int predict_policy(const struct predict *p, enum crypto_hash hash,
        uint32_t pcrs, uint8_t ret[static CRYPTO_SHA256_SIZE]) MUST_CHECK;
/*
 * IMA's boot_aggregate in the bank of the same hash (Linux 5.10 and later):
 * H(PCR 0..9), for SHA-1 H(PCR 0..7).
 */
int predict_boot_aggregate(const struct predict *p, enum crypto_hash hash,
        uint8_t *ret) MUST_CHECK;

/* ---- the recipe (docs/proto/recipe.md) ------------------------------- */

/* Events with four banks each: 2048 * 4 lines of 350 bytes. */
#define PREDICT_RECIPE_MAX (4u << 20)

/* Canonical: parse then format gives the same bytes. */
int predict_format(const struct predict *p, struct buf *ret, struct err *err)
        MUST_CHECK;
/* Recomputes every value; ERR_MISMATCH when one is not what it says. */
int predict_parse(struct span text, struct predict *ret, struct err *err)
        MUST_CHECK;

/* ---- firmware starts programs ---------------------------------------- */

struct predict_file {
    const char *name; /* as a person or a boot loader calls it */
    struct span data;
};

/* PCR 4 until the first program: the attempt and the separator. */
int predict_boot_attempt(struct predict *p, struct err *err) MUST_CHECK;
/* PCR 4: an image that firmware or shim loads. */
int predict_boot_image(struct predict *p, const struct predict_file *image,
        struct err *err) MUST_CHECK;
/* EV_SEPARATOR of a PCR (TCG PFP 1.06, 3.3.4). */
int predict_boot_separator(struct predict *p, unsigned pcr, struct err *err)
        MUST_CHECK;

/*
 * PCR 5 of a boot without settings of a boot loader's own: separator, the
 * partition table (when disk, its first PREDICT_DISK bytes, has a GPT), and
 * the two notes of the end of boot services.
 */
#define PREDICT_DISK (1u << 20)
int predict_boot_disk(struct predict *p, struct span disk, struct err *err)
        MUST_CHECK;

/* What firmware measures of Secure Boot, byte by byte as the variables hold. */
struct predict_variables {
    bool has_secure_boot;
    uint8_t secure_boot; /* 0, 1 */
    struct span pk, kek, db, dbx;
};
/* PCR 7 until the separator. */
int predict_boot_variables(struct predict *p, const struct predict_variables *v,
        struct err *err) MUST_CHECK;
/*
 * PCR 7 behind it: the entry of db by which an image was allowed.  entry: the
 * EFI_SIGNATURE_DATA (owner GUID and certificate or digest).
 */
int predict_boot_authority(
        struct predict *p, struct span entry, struct err *err) MUST_CHECK;
/*
 * The entry of db that allows an image, as firmware looks for it: a
 * certificate under which one of its signatures verifies, else its SHA-256
 * digest.  ERR_DENIED when none does or dbx forbids it: it would not start.
 */
int predict_boot_find_authority(const struct predict_file *image,
        const struct predict_variables *v, struct span *ret, struct err *err)
        MUST_CHECK;

/* ---- unified kernel images ------------------------------------------- */

/* Credentials or extensions beside one image: nobody has more. */
#define PREDICT_EXTRAS_MAX 64

enum predict_inner {
    PREDICT_INNER_KNOWN, /* as the stub's version is known to do */
    PREDICT_INNER_MEASURED,
    PREDICT_INNER_SILENT,
};

struct predict_uki {
    struct predict_file image;
    uint32_t pcrs; /* those that are asked for; 0: all that it can change */
    unsigned stub_version; /* 0: as the image says */
    bool secure_boot;
    enum predict_inner inner; /* is the kernel in it measured by itself? */
    bool is_loaded;           /* by a boot loader, which may pass options */
    /* Load options that replace .cmdline (never under Secure Boot with one). */
    const char *options;
    /* Files of the image's .extra.d folder, and of loader/credentials. */
    size_t n_credentials, n_globals, n_sysexts;
    const struct predict_file *credentials, *globals, *sysexts;
};
/*
 * PCR 4 (the image, and the kernel in it where the stub has it loaded), PCR 9
 * (options and initrd, by kernels from Linux 6.1 on), PCR 11 before the first
 * phase, PCR 12 and 13; PCR 8 keeps its start value when no boot loader ran.
 * What cannot be derived is an error; ask for the other PCRs then.
 */
int predict_uki(struct predict *p, const struct predict_uki *u, struct err *err)
        MUST_CHECK;
/* PCR 11 from sections that are at hand; empty ones are absent. */
int predict_uki_sections(struct predict *p,
        const struct span section[static PE_UKI_SECTIONS],
        unsigned stub_version, struct err *err) MUST_CHECK;
/* PCR 11: "enter-initrd:leave-initrd". */
#define PREDICT_PHASES_MAX 16
int predict_phases(struct predict *p, const char *path, struct err *err)
        MUST_CHECK;
/* PCR 9: the EFI stub of a kernel that firmware loads. */
int predict_kernel_stub(struct predict *p, const char *cmdline,
        const struct span *initrd, size_t n, struct err *err) MUST_CHECK;
/*
 * The archive that systemd-stub makes of companion files (sorted by name), or
 * with one literal name of a section.
 */
int predict_cpio(const char *folder, unsigned folder_mode, unsigned file_mode,
        const struct predict_file *file, size_t n, struct buf *ret,
        struct err *err) MUST_CHECK;

/* ---- GRUB ------------------------------------------------------------ */

/* A configuration includes others at most this deep. */
#define PREDICT_GRUB_DEPTH 4
#define PREDICT_GRUB_FILES 64

struct predict_grub {
    struct predict_file config;
    bool config_is_embedded; /* in the image: then it is not measured itself */
    size_t n_files;
    const struct predict_file *files; /* under the names the commands use */
};
/*
 * PCR 8 and 9 of GRUB 2.06 with its tpm module, through `boot`.  The subset of
 * its language without conditions, loops, functions and menu entries; what is
 * outside of it, and a file that was not given, is an error with the line.
 */
int predict_grub(struct predict *p, const struct predict_grub *g,
        struct err *err) MUST_CHECK;

/* ---- OVMF ------------------------------------------------------------ */

/*
 * The LZMA stream in OVMF_CODE*.fd that holds both volumes; whoever may link a
 * decompressor hands its contents to predict_firmware_volumes.
 */
int predict_firmware_lzma(struct span image, struct span *ret, struct err *err)
        MUST_CHECK;
/* Decompressed it has 13 MiB; a bomb has more. */
#define PREDICT_FIRMWARE_MAX (64u << 20)
struct predict_volumes {
    struct span pei, dxe;
};
int predict_firmware_volumes(struct span contents, struct predict_volumes *ret,
        struct err *err) MUST_CHECK;
/*
 * PCR 0.  The PEI volume runs in place and changes itself before it is
 * measured, depending on the machine, so that its digest is not that of the
 * file: the caller brings those (one a bank) of a machine of the same shape.
 */
int predict_firmware(struct predict *p, const char *crtm_version,
        const struct span *pei_digest, struct span dxe, struct err *err)
        MUST_CHECK;

/* A variable of OVMF_VARS*.fd by name: the one in force.  ERR_NOT_FOUND. */
int predict_firmware_variable(struct span store, const char *name,
        struct span *ret, struct err *err) MUST_CHECK;

/* ---- systemd's signed policies --------------------------------------- */

/* Phases times banks of one image: 4 * 4. */
#define PREDICT_PCRSIG_MAX 64

struct predict_pcrsig_entry {
    enum crypto_hash bank;
    uint32_t pcrs;
    uint8_t key_sha256[CRYPTO_SHA256_SIZE]; /* "pkfp": of PKCS#1 DER */
    uint8_t policy[CRYPTO_SHA256_SIZE];     /* "pol" */
    uint8_t sig[CRYPTO_HASH_MAX * 8];       /* RSA-4096 */
    size_t sig_len;
};
struct predict_pcrsig {
    size_t n;
    struct predict_pcrsig_entry entry[PREDICT_PCRSIG_MAX];
};
/* The JSON of a .pcrsig section or file; unknown members are an error. */
int predict_pcrsig_parse(struct span json, struct predict_pcrsig *ret,
        struct err *err) MUST_CHECK;
/* 0 when key signed the policy and is the one named; else ERR_MISMATCH. */
int predict_pcrsig_verify(const struct predict_pcrsig_entry *e,
        const struct crypto_pub *key, struct err *err) MUST_CHECK;

#endif
