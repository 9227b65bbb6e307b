/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include <stdlib.h>

int batch_init(struct batch *b, struct err *err)
{
    *b = (struct batch){.bytes = BUF_INIT(BATCH_BYTES_MAX)};
    b->items = calloc(BATCH_ENTRIES_MAX, sizeof *b->items);
    return b->items == NULL ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}

void batch_fini(struct batch *b)
{
    buf_fini(&b->bytes);
    free(b->items);
    b->items = NULL;
}

int batch_add(struct batch *b, struct span entry, struct batch_waiter waiter)
{
    size_t at = b->bytes.len;

    if (b->n == BATCH_ENTRIES_MAX || b->bytes.len + entry.len > BATCH_BYTES_MAX)
        return ERR_LIMIT;
    buf_append(&b->bytes, entry);
    if (buf_ok(&b->bytes, NULL) < 0)
        return b->bytes.error;
    b->items[b->n++] = (struct batch_item){waiter, at, entry.len};
    return 0;
}

bool batch_is_full(const struct batch *b)
{
    return b->n >= STORE_GROUP_MAX || b->bytes.len >= STORE_GROUP_BYTES_MAX / 2;
}

/* How many from first on go into one group. */
static size_t batch_group(
        const struct batch *b, size_t first, size_t bytes, struct span *ret)
{
    size_t n = 0;

    while (first + n < b->n && n < STORE_GROUP_MAX) {
        const struct batch_item *item = &b->items[first + n];

        if (n > 0 && item->len > bytes)
            break;
        bytes -= item->len < bytes ? item->len : bytes;
        ret[n++] = SPAN(b->bytes.ptr + item->at, item->len);
    }
    return n;
}

void batch_empty(struct batch *b)
{
    buf_reset(&b->bytes);
    b->n = 0;
}

void batch_commit(struct batch *b, struct store *s, batch_done *done, void *arg)
{
    struct span entries[STORE_GROUP_MAX];

    for (size_t first = 0; first < b->n;) {
        size_t n = batch_group(b, first, store_group_bytes(s), entries);
        uint64_t index = store_head(s)->size;
        struct err err = {0};
        int r = store_append(s, entries, n, &err);

        for (size_t i = 0; i < n; i++)
            done(arg, &b->items[first + i].waiter, r, index + i, &err);
        first += n;
    }
    batch_empty(b);
}

void batch_refuse(
        struct batch *b, const struct err *err, batch_done *done, void *arg)
{
    for (size_t i = 0; i < b->n; i++)
        done(arg, &b->items[i].waiter, err->code, 0, err);
    batch_empty(b);
}
