/* SPDX-License-Identifier: Apache-2.0 */
#include "kept.h"

#include <stdlib.h>

struct kept_entry *kept_find(struct kept *k, struct span zone)
{
    for (size_t i = 0; i < k->n; i++) {
        if (span_eq_str(zone, k->entry[i].zone))
            return &k->entry[i];
    }
    return NULL;
}

static void drop(struct kept *k, struct kept_entry *e)
{
    size_t at = (size_t)(e - k->entry);

    k->bytes -= e->len;
    free(e->bytes);
    memmove(e, e + 1, (k->n - at - 1) * sizeof(*e));
    k->n--;
}

void kept_drop(struct kept *k, struct span zone)
{
    struct kept_entry *e = kept_find(k, zone);

    if (e)
        drop(k, e);
}

bool kept_put(struct kept *k, struct span zone,
        const uint8_t binder[static CRYPTO_SHA256_SIZE], struct span evidence,
        const struct kept_word *word, uint64_t time)
{
    struct kept_entry *e;
    uint8_t *copy;

    kept_drop(k, zone);
    if (zone.len > LIMIT_ZONE_NAME_MAX || evidence.len == 0 ||
            evidence.len > KEPT_BYTES_MAX)
        return false;
    copy = malloc(evidence.len);
    if (!copy)
        return false;
    while (k->n == ARRAY_LEN(k->entry) ||
            k->bytes + evidence.len > KEPT_BYTES_MAX)
        drop(k, &k->entry[0]);
    e = &k->entry[k->n++];
    *e = (struct kept_entry){
            .bytes = copy, .len = evidence.len, .word = *word, .time = time};
    memcpy(e->zone, zone.ptr, zone.len);
    memcpy(e->binder, binder, sizeof(e->binder));
    memcpy(copy, evidence.ptr, evidence.len);
    k->bytes += evidence.len;
    return true;
}

void kept_fini(struct kept *k)
{
    while (k->n > 0)
        drop(k, &k->entry[k->n - 1]);
}
