/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries that wait for the disk, and group commit: whatever waits when the
 * writer is free goes into one group.  Bounded; who finds it full is refused.
 */
#ifndef QAIR_LOGD_BATCH_H
#define QAIR_LOGD_BATCH_H

#include "store.h"

/* Every call in flight may wait for one record. */
#define BATCH_ENTRIES_MAX LIMIT_CALLS_MAX
#define BATCH_BYTES_MAX   (16u << 20)

/* Who waits: a value that its owner understands. */
struct batch_waiter {
    uint64_t link;
    uint32_t id;
    bool want_proof;
};

struct batch_item {
    struct batch_waiter waiter;
    size_t at, len; /* in bytes */
};

struct batch {
    struct buf bytes;
    struct batch_item *items;
    size_t n;
};

int batch_init(struct batch *b, struct err *err) MUST_CHECK;
void batch_fini(struct batch *b);
void batch_empty(struct batch *b);
/* Copies the entry; ERR_LIMIT when there is no room. */
int batch_add(struct batch *b, struct span entry, struct batch_waiter waiter)
        MUST_CHECK;
/* True when one group cannot take more. */
bool batch_is_full(const struct batch *b);

/*
 * Called once for each waiter: with its entry's index and the store's head, or
 * with the code and reason why its group was refused.
 */
typedef void batch_done(void *arg, const struct batch_waiter *waiter, int code,
        uint64_t index, const struct err *err);
/* Appends everything, in groups; the batch is empty afterwards. */
void batch_commit(
        struct batch *b, struct store *s, batch_done *done, void *arg);
/* Refuses everything with that error. */
void batch_refuse(
        struct batch *b, const struct err *err, batch_done *done, void *arg);

#endif
