/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_int.h"

#include <stdlib.h>

#define CHUNK_SIZE  65536
#define CHUNK_ALIGN 16

struct policy_chunk {
    struct policy_chunk *older;
    size_t unused; /* keeps the bytes behind aligned to CHUNK_ALIGN */
};

_Static_assert(sizeof(struct policy_chunk) % CHUNK_ALIGN == 0, "alignment");

static bool arena_grow(struct policy_arena *a, size_t len)
{
    size_t size = len > CHUNK_SIZE ? len : CHUNK_SIZE;
    struct policy_chunk *c = calloc(1, sizeof(*c) + size);

    if (!c)
        return false;
    c->older = a->chunks;
    a->chunks = c;
    a->next = (uint8_t *)(c + 1);
    a->left = size;
    return true;
}

void *policy_arena_new(struct policy_arena *a, size_t len)
{
    void *p;

    if (len > SIZE_MAX / 2)
        return NULL;
    len = (len + CHUNK_ALIGN) / CHUNK_ALIGN * CHUNK_ALIGN; /* never 0 */
    if (a->left < len && !arena_grow(a, len))
        return NULL;
    p = a->next;
    a->next += len;
    a->left -= len;
    return p;
}

bool policy_arena_copy(struct policy_arena *a, struct span s, struct span *ret)
{
    uint8_t *p = policy_arena_new(a, s.len);

    if (!p)
        return false;
    if (s.len)
        memcpy(p, s.ptr, s.len);
    *ret = SPAN(p, s.len);
    return true;
}

void policy_arena_fini(struct policy_arena *a)
{
    while (a->chunks) {
        struct policy_chunk *older = a->chunks->older;

        free(a->chunks);
        a->chunks = older;
    }
    *a = (struct policy_arena){0};
}
