/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's key and the pack's folder, for the verbs that write. */
#ifndef QAIR_CLI_PACK_STORE_H
#define QAIR_CLI_PACK_STORE_H

#include "buf.h"
#include "pack.h"

#define PACK_STORE_PATH 4096

/* Makes dir/owner.key (0600), dir/pack/owner.pub and the pack's folders. */
int pack_store_init(const char *dir, struct err *err) MUST_CHECK;
/* A P-256 key in PEM that nobody else may read. */
int pack_store_owner(const char *path, struct crypto_key **ret, struct err *err)
        MUST_CHECK;
/* The pack in a folder, verified by owner; it may be empty yet. */
int pack_store_load(const char *dir, const struct crypto_key *owner,
        struct pack **ret, struct err *err) MUST_CHECK;
/*
 * Writes dir/folder/name.json after the pack with it, in place of a file of
 * that name, has been found right.
 */
int pack_store_put(const char *dir, const struct crypto_key *owner,
        const char *folder, const char *name, struct span bytes,
        struct err *err) MUST_CHECK;

#endif
