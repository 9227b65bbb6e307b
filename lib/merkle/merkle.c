/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 6962, 2.1; verification as in RFC 9162, 2.1.3.2 and 2.1.4.2. */
#include "merkle.h"

void merkle_leaf(struct span data, uint8_t ret[static MERKLE_HASH])
{
    static const uint8_t prefix[] = {0x00};

    crypto_sha256_two(SPAN_OF(prefix), data, ret);
}

void merkle_node(const uint8_t l[static MERKLE_HASH],
        const uint8_t r[static MERKLE_HASH], uint8_t ret[static MERKLE_HASH])
{
    uint8_t both[1 + 2 * MERKLE_HASH];

    both[0] = 0x01;
    memcpy(both + 1, l, MERKLE_HASH);
    memcpy(both + 1 + MERKLE_HASH, r, MERKLE_HASH);
    crypto_sha256(SPAN_OF(both), ret);
}

static unsigned bits_set(uint64_t v)
{
    return (unsigned)__builtin_popcountll(v);
}

void merkle_edge_append(struct merkle_edge *e,
        const uint8_t leaf[static MERKLE_HASH],
        void (*completed)(void *arg, unsigned height, uint64_t index,
                const uint8_t hash[static MERKLE_HASH]),
        void *arg)
{
    unsigned n = bits_set(e->size);
    unsigned height = 0;
    uint8_t h[MERKLE_HASH];

    memcpy(h, leaf, sizeof h);
    if (completed != NULL)
        completed(arg, 0, e->size, h);
    for (uint64_t s = e->size; (s & 1) != 0; s >>= 1) {
        merkle_node(e->hash[--n], h, h);
        height++;
        if (completed != NULL)
            completed(arg, height, e->size >> height, h);
    }
    memcpy(e->hash[n], h, sizeof h);
    e->size++;
}

void merkle_edge_root(
        const struct merkle_edge *e, uint8_t ret[static MERKLE_HASH])
{
    unsigned n = bits_set(e->size);
    uint8_t h[MERKLE_HASH];

    if (n == 0) {
        crypto_sha256(SPAN_EMPTY, ret);
        return;
    }
    memcpy(h, e->hash[n - 1], sizeof h);
    for (unsigned i = n - 1; i > 0; i--)
        merkle_node(e->hash[i - 1], h, h);
    memcpy(ret, h, sizeof h);
}

/* The edge of the tree over leaves [start, start + n); start is a multiple
 * of the smallest power of two that is not below n. */
static int edge_of_range(const struct merkle_source *src, uint64_t start,
        uint64_t n, struct merkle_edge *ret)
{
    struct merkle_edge e = {.size = n};
    unsigned at = 0;

    for (unsigned height = 63; height-- > 0;) {
        uint64_t width = UINT64_C(1) << height;
        int r;

        if ((n & width) == 0)
            continue;
        r = src->get(src->arg, height, start >> height, e.hash[at++]);
        if (r < 0)
            return r;
        start += width;
    }
    *ret = e;
    return 0;
}

static int range_hash(const struct merkle_source *src, uint64_t start,
        uint64_t n, uint8_t ret[static MERKLE_HASH])
{
    struct merkle_edge e;
    int r = edge_of_range(src, start, n, &e);

    if (r == 0)
        merkle_edge_root(&e, ret);
    return r;
}

int merkle_edge_load(
        const struct merkle_source *src, uint64_t size, struct merkle_edge *ret)
{
    return size > MERKLE_SIZE_MAX ? ERR_LIMIT
                                  : edge_of_range(src, 0, size, ret);
}

int merkle_root(const struct merkle_source *src, uint64_t size,
        uint8_t ret[static MERKLE_HASH])
{
    return size > MERKLE_SIZE_MAX ? ERR_LIMIT : range_hash(src, 0, size, ret);
}

/* Largest power of two below n; n > 1. */
static uint64_t split(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

/* Both proofs are collected from the root downwards and wanted upwards. */
static void reverse(struct merkle_proof *p)
{
    for (size_t i = 0, j = p->n; i + 1 < j; i++) {
        uint8_t h[MERKLE_HASH];

        j--;
        memcpy(h, p->hash[i], sizeof h);
        memcpy(p->hash[i], p->hash[j], sizeof h);
        memcpy(p->hash[j], h, sizeof h);
    }
}

int merkle_inclusion_prove(const struct merkle_source *src, uint64_t index,
        uint64_t size, struct merkle_proof *ret)
{
    struct merkle_proof p = {.n = 0};
    uint64_t start = 0;

    if (size > MERKLE_SIZE_MAX || index >= size)
        return ERR_LIMIT;
    for (uint64_t n = size; n > 1;) {
        uint64_t k = split(n);
        bool left = index - start < k;
        int r = left ? range_hash(src, start + k, n - k, p.hash[p.n])
                     : range_hash(src, start, k, p.hash[p.n]);

        if (r < 0)
            return r;
        p.n++;
        start += left ? 0 : k;
        n = left ? k : n - k;
    }
    reverse(&p);
    *ret = p;
    return 0;
}

int merkle_inclusion_verify(uint64_t index, uint64_t size,
        const uint8_t leaf[static MERKLE_HASH], const struct merkle_proof *p,
        const uint8_t root[static MERKLE_HASH])
{
    uint64_t fn = index, sn = size - 1;
    uint8_t h[MERKLE_HASH];

    if (size > MERKLE_SIZE_MAX || index >= size || p->n > MERKLE_PROOF_MAX)
        return ERR_SYNTAX;
    memcpy(h, leaf, sizeof h);
    for (size_t i = 0; i < p->n; i++) {
        if (sn == 0)
            return ERR_SYNTAX;
        if ((fn & 1) != 0 || fn == sn) {
            merkle_node(p->hash[i], h, h);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            merkle_node(h, p->hash[i], h);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return ERR_SYNTAX;
    return memcmp(h, root, sizeof h) == 0 ? 0 : ERR_MISMATCH;
}

int merkle_consistency_prove(const struct merkle_source *src, uint64_t old_size,
        uint64_t size, struct merkle_proof *ret)
{
    struct merkle_proof p = {.n = 0};
    uint64_t start = 0, m = old_size, n = size;
    bool whole = true; /* the old tree itself: its root is known already */
    int r;

    if (size > MERKLE_SIZE_MAX || old_size > size)
        return ERR_LIMIT;
    while (m != 0 && m != n) {
        uint64_t k = split(n);

        if (m <= k) {
            r = range_hash(src, start + k, n - k, p.hash[p.n]);
            n = k;
        } else {
            r = range_hash(src, start, k, p.hash[p.n]);
            start += k;
            m -= k;
            n -= k;
            whole = false;
        }
        if (r < 0)
            return r;
        p.n++;
    }
    if (!whole) {
        r = range_hash(src, start, n, p.hash[p.n++]);
        if (r < 0)
            return r;
    }
    reverse(&p);
    *ret = p;
    return 0;
}

/* RFC 9162, 2.1.4.2, from step 3; 0 < old_size < size. */
static int consistency_walk(uint64_t old_size, uint64_t size,
        const uint8_t old_root[static MERKLE_HASH],
        const uint8_t root[static MERKLE_HASH], const struct merkle_proof *p)
{
    uint64_t fn = old_size - 1, sn = size - 1;
    uint8_t fr[MERKLE_HASH], sr[MERKLE_HASH];
    size_t i = 0;

    if ((old_size & (old_size - 1)) == 0)
        memcpy(fr, old_root, sizeof fr);
    else if (p->n > 0)
        memcpy(fr, p->hash[i++], sizeof fr);
    else
        return ERR_SYNTAX;
    memcpy(sr, fr, sizeof sr);
    for (; (fn & 1) != 0; fn >>= 1)
        sn >>= 1;
    for (; i < p->n; i++) {
        if (sn == 0)
            return ERR_SYNTAX;
        if ((fn & 1) != 0 || fn == sn) {
            merkle_node(p->hash[i], fr, fr);
            merkle_node(p->hash[i], sr, sr);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            merkle_node(sr, p->hash[i], sr);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return ERR_SYNTAX;
    return memcmp(fr, old_root, sizeof fr) == 0 &&
                           memcmp(sr, root, sizeof sr) == 0
                   ? 0
                   : ERR_MISMATCH;
}

int merkle_consistency_verify(uint64_t old_size, uint64_t size,
        const uint8_t old_root[static MERKLE_HASH],
        const uint8_t root[static MERKLE_HASH], const struct merkle_proof *p)
{
    uint8_t empty[MERKLE_HASH];

    if (size > MERKLE_SIZE_MAX || old_size > size || p->n > MERKLE_PROOF_MAX)
        return ERR_SYNTAX;
    if (old_size != 0 && old_size != size)
        return consistency_walk(old_size, size, old_root, root, p);
    if (p->n != 0)
        return ERR_SYNTAX;
    if (old_size == size)
        return memcmp(old_root, root, MERKLE_HASH) == 0 ? 0 : ERR_MISMATCH;
    crypto_sha256(SPAN_EMPTY, empty);
    return memcmp(old_root, empty, sizeof empty) == 0 ? 0 : ERR_MISMATCH;
}
