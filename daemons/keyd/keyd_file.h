/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key in the folder keys/ (docs/proto/keyfile.md): what the TPM gave out,
 * and what belongs to it.  Nothing in it is secret, and nothing in it is
 * trusted further than the TPM trusts the blob: a public key that does not fit
 * the private one is found when the key is opened.
 */
#ifndef QAIR_KEYD_FILE_H
#define QAIR_KEYD_FILE_H

#include "base.h"
#include "buf.h"
#include "tpm.h"

#define KEYD_FILE_NAME_MAX 63 /* PACK_KEY_MAX */
#define KEYD_FILE_SPKI_MAX 128
#define KEYD_FILE_MAX      4096

enum keyd_custody {
    KEYD_TPM = 1,    /* the private key never leaves the TPM */
    KEYD_SEALED = 2, /* an Ed25519 seed that the TPM gives out */
};

struct keyd_file {
    char name[KEYD_FILE_NAME_MAX + 1];
    enum keyd_custody custody;
    uint8_t profile; /* enum profile_id; 0: a key of the zone itself */
    uint64_t created;
    uint8_t spki[KEYD_FILE_SPKI_MAX];
    size_t spki_len;
    struct tpm_blob blob;
};

const char *keyd_custody_name(enum keyd_custody c); /* "tpm", "sealed" */
bool keyd_custody_parse(struct span name, enum keyd_custody *ret) MUST_CHECK;
int keyd_file_parse(struct span bytes, struct keyd_file *ret, struct err *err)
        MUST_CHECK;
int keyd_file_format(
        const struct keyd_file *f, struct buf *ret, struct err *err) MUST_CHECK;

#endif
