/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a policy, each stored once, so that rules compare numbers. */
#include "policy_int.h"

#include <stdlib.h>

/* FNV-1a.  Who could flood the table writes the policy. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

static uint64_t hash_bytes(uint64_t h, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * HASH_PRIME;
    return h;
}

static bool word_eq(struct span word, struct span prefix, struct span text)
{
    return word.len == prefix.len + text.len &&
           span_eq(SPAN(word.ptr, prefix.len), prefix) &&
           span_eq(SPAN(word.ptr + prefix.len, text.len), text);
}

/* Where the word is, or the free slot where it belongs. */
static uint32_t find_slot(
        const struct policy_words *w, struct span prefix, struct span text)
{
    uint64_t h = hash_bytes(HASH_START, prefix.ptr, prefix.len);
    uint32_t mask = w->n_slots - 1, i;

    h = hash_bytes(h, text.ptr, text.len);
    for (i = (uint32_t)(h ^ h >> 32) & mask;; i = (i + 1) & mask) {
        uint32_t n = w->slots[i];

        if (n == POLICY_WORD_NONE || word_eq(w->words[n], prefix, text))
            return i;
    }
}

/* Keeps the table at most half full. */
static bool words_grow(struct policy_words *w)
{
    uint32_t n_slots = w->n_slots ? 2 * w->n_slots : 256;
    struct span *words;
    uint32_t *slots;

    words = reallocarray(w->words, n_slots / 2, sizeof(*words));
    if (!words)
        return false;
    w->words = words;
    w->cap_words = n_slots / 2;
    slots = calloc(n_slots, sizeof(*slots));
    if (!slots) {
        w->cap_words = w->n_words;
        return false;
    }
    memset(slots, 0xff, n_slots * sizeof(*slots)); /* POLICY_WORD_NONE */
    free(w->slots);
    w->slots = slots;
    w->n_slots = n_slots;
    for (uint32_t i = 0; i < w->n_words; i++)
        slots[find_slot(w, SPAN_EMPTY, w->words[i])] = i;
    return true;
}

int policy_words_add(struct policy_words *w, struct policy_arena *a,
        struct span text, uint32_t *ret)
{
    uint32_t slot;

    if (w->n_words == w->cap_words && !words_grow(w))
        return ERR_MEMORY;
    slot = find_slot(w, SPAN_EMPTY, text);
    if (w->slots[slot] == POLICY_WORD_NONE) {
        if (!policy_arena_copy(a, text, &w->words[w->n_words]))
            return ERR_MEMORY;
        w->slots[slot] = w->n_words++;
    }
    *ret = w->slots[slot];
    return 0;
}

uint32_t policy_words_find(
        const struct policy_words *w, const char *prefix, struct span text)
{
    if (w->n_slots == 0)
        return POLICY_WORD_NONE;
    return w->slots[find_slot(w, span_str(prefix), text)];
}

void policy_words_fini(struct policy_words *w)
{
    free(w->words);
    free(w->slots);
    *w = (struct policy_words){0};
}
