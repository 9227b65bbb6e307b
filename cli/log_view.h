/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone's log as the reading verbs see it: the folder, the key that signs its
 * checkpoints, and the keys that may sign its records.  Needs no daemon.
 */
#ifndef QAIR_CLI_LOG_VIEW_H
#define QAIR_CLI_LOG_VIEW_H

#include "pack.h"
#include "statement.h"
#include "store.h"

struct log_options {
    const char *vkey;  /* "name+hash+key" of the log; NULL: from the pack */
    const char *pack;  /* folder; NULL: that of the zone */
    const char *owner; /* PEM file; NULL: zone.conf, or the pack's own */
};

struct log_view {
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    char dir[4096]; /* where checkpoint and tile/ are */
    int dirfd;
    struct crypto_pub *owner;
    struct pack *pack;                 /* NULL: there is none */
    const struct pack_zone *pack_zone; /* of this zone; NULL: not in it */
    struct crypto_pub *log_key;        /* NULL: unknown, nothing verifies */
    struct merkle_vkey vkey;
    struct store_reader reader;
};

/*
 * dir is a zone's folder, or a log's folder (a copy that travelled).  Where no
 * key is known the log opens and nothing in it is verified.
 */
int log_view_open(const char *dir, const struct log_options *o,
        struct log_view *ret, struct err *err) MUST_CHECK;
void log_view_fini(struct log_view *v);
/* ERR_STATE with what to do when the log's key is not known. */
int log_view_need_key(const struct log_view *v, struct err *err) MUST_CHECK;

struct log_record {
    uint64_t index;
    struct buf entry; /* the envelope */
    struct statement s;
    /* "log" or "identity": whose signature holds; NULL: none that is known */
    const char *signer;
};
/* ERR_SYNTAX when the entry is no record. */
int log_view_get(struct log_view *v, uint64_t index, struct log_record *ret,
        struct err *err) MUST_CHECK;
void log_record_fini(struct log_record *r);
/* The entry is in the tree of the checkpoint that the log key signed. */
int log_view_prove(const struct log_view *v, const struct log_record *r,
        struct err *err) MUST_CHECK;
/* Whose signature holds over a statement of this log; NULL: nobody's. */
const char *log_view_signer(
        const struct log_view *v, const struct statement *s);

#endif
