/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair attest verify on what other tools wrote: quotes of tpm2-tools, event
 * logs and IMA lists of the kernel, as they are.  A file is told by its
 * content.  All files are read first; what is in them is looked at in a
 * sandboxed child.
 */
#ifndef QAIR_CLI_FOREIGN_H
#define QAIR_CLI_FOREIGN_H

#include "cli.h"
#include "pack.h"
#include "tcg.h"

/* Logs of servers that run for months. */
#define FOREIGN_FILE_MAX (128u << 20)
/* ATTESTATION_REPORT of SEV-SNP: attest_snp.h judges it. */
#define FOREIGN_REPORT_SIZE 1184

enum foreign_kind {
    FOREIGN_NONE, /* none of these: perhaps a zone's evidence */
    FOREIGN_QUOTE,
    FOREIGN_LOG,
    FOREIGN_IMA,
};
enum foreign_kind foreign_kind_of(struct span bytes);
const char *foreign_kind_name(enum foreign_kind k); /* "TPM quote" */

struct foreign {
    enum foreign_kind kind;
    /* Options; NULL when not given. */
    const char *path, *signature, *ak, *pcrs, *log, *ima, *pack, *owner;
    uint64_t time;
    bool json;
    uint8_t nonce[64];
    size_t nonce_len; /* 0: not given */
    uint32_t require; /* PCRs of the SHA-256 bank */
    struct tcg_name pin;
    /* What was read. */
    struct buf bytes, signature_bytes, ak_bytes, pcrs_bytes, log_bytes,
            ima_bytes;
    struct crypto_pub *owner_pub;
    struct pack *pack_read;
};
void foreign_fini(struct foreign *f);

#define FOREIGN_ARGS                                                           \
    "FILE [--signature FILE] [--ak FILE] [--pin HEX] [--pack DIR] "            \
    "[--pcrs FILE] [--log FILE] [--ima FILE] [--nonce HEX] "                   \
    "[--require LIST] [--time T] [--json]"
#define FOREIGN_HELP                                                           \
    "Other FILEs are told by their content: a quote of tpm2-tools "            \
    "(--signature, --ak, and whose key it is by --pin or --pack), an event "   \
    "log or IMA list (--pcrs), an SEV-SNP report (see attest snp)"

/* Is the file that is to be verified something else than zone evidence? */
bool foreign_takes(int argc, char **argv);
/* Is one of the files an SEV-SNP report? */
bool foreign_has_report(int argc, char **argv);
/* The verb: options, files, and in a child the judgement. */
int foreign_verify(struct cli *cli, int argc, char **argv);

/* PCR values as tpm2_pcrread prints them: a bank's name, then "N : 0xHEX".
 * Values are written to room, of FOREIGN_ROOM bytes. */
#define FOREIGN_CLAIMS_MAX (TCG_BANKS_MAX * TCG_PCRS)
#define FOREIGN_ROOM       (FOREIGN_CLAIMS_MAX * CRYPTO_HASH_MAX)
int foreign_pcr_text(struct span text, struct tcg_claim *ret, size_t *ret_n,
        uint8_t *room, struct err *err) MUST_CHECK;
/* Is it such a text, and not the binary file of tpm2_quote? */
bool foreign_is_text(struct span bytes);

/* Judges of one kind each; jobs of cli_in_sandbox. */
int foreign_quote(void *ctx);
int foreign_log(void *ctx);
int foreign_ima(void *ctx);

/* ---- what they say --------------------------------------------------- */

/*
 * Lines "NAME   text", or one JSON object with the same names, and the verdict
 * at the end.  The first reason against it makes it refused.
 */
struct foreign_report {
    bool json;
    bool refused;
    struct json_t *root; /* with json */
    struct json_t *reasons;
};
int foreign_report_begin(const struct foreign *f, struct foreign_report *ret);
void foreign_say(struct foreign_report *r, const char *name, const char *fmt,
        ...) PRINTF_LIKE(3, 4);
/* word: for programs; fmt: for people. */
void foreign_refuse(struct foreign_report *r, const char *word, const char *fmt,
        ...) PRINTF_LIKE(3, 4);
/* Prints the verdict: "accepted: TEXT" or "refused"; the exit code. */
int foreign_report_end(struct foreign_report *r, const char *accepted);

#endif
