/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's signed directory, read from a folder for the reading verbs. */
#ifndef QAIR_CLI_PACK_LOAD_H
#define QAIR_CLI_PACK_LOAD_H

#include "buf.h"
#include "pack.h"

/* A public key in PEM. */
int pack_load_owner(const char *path, struct crypto_pub **ret, struct err *err)
        MUST_CHECK;
/*
 * zones/, keys/ and references/ of the folder, each "*.json", verified by
 * owner (which must outlive the pack).
 */
int pack_load_folder(const char *dir, const struct crypto_pub *owner,
        struct pack **ret, struct err *err) MUST_CHECK;
/* The same without "skip" ("zones/server.json"; NULL: nothing is left out),
 * not yet checked as a whole, and without a zone for all it cares. */
int pack_load_files(const char *dir, const struct crypto_pub *owner,
        const char *skip, struct pack **ret, struct err *err) MUST_CHECK;
/* --owner FILE, or what the pack itself says, with a word about that. */
int pack_load_owner_for(const char *owner, const char *pack,
        struct crypto_pub **ret, struct err *err) MUST_CHECK;

#endif
