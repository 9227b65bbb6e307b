/* SPDX-License-Identifier: Apache-2.0 */
/* Verified keys by the hash of their certificates. */
#include "snp_private.h"

#include <stdlib.h>

struct slot {
    uint8_t key[CRYPTO_SHA256_SIZE]; /* of the bytes as they came */
    struct snp_vek *vek;             /* NULL: free */
    uint64_t used;                   /* tick of the last use */
    size_t next;                     /* in its bucket, plus one */
};

struct snp_cache {
    const struct snp_trust *trust;
    struct snp_vek *odd; /* the last one that is not kept */
    uint64_t tick;
    struct snp_cache_stats stats;
    size_t cap;
    size_t *bucket; /* cap of them: first slot plus one, 0: none */
    struct slot slot[];
};

struct snp_cache *snp_cache_new(const struct snp_trust *t, size_t cap)
{
    struct snp_cache *c;

    if (cap < 1 || cap > SNP_CACHE_MAX)
        return NULL;
    c = calloc(1, sizeof(*c) + cap * sizeof(c->slot[0]));
    if (!c)
        return NULL;
    c->bucket = calloc(cap, sizeof(*c->bucket));
    if (!c->bucket) {
        free(c);
        return NULL;
    }
    c->trust = t;
    c->cap = cap;
    return c;
}

void snp_cache_clear(struct snp_cache *c)
{
    for (size_t i = 0; i < c->cap; i++) {
        snp_vek_free(c->slot[i].vek);
        c->slot[i] = (struct slot){0};
        c->bucket[i] = 0;
    }
    snp_vek_free(c->odd);
    c->odd = NULL;
    c->stats.kept = 0;
}

void snp_cache_free(struct snp_cache *c)
{
    if (!c)
        return;
    snp_cache_clear(c);
    free(c->bucket);
    free(c);
}

static size_t *bucket_of(struct snp_cache *c, const uint8_t *key)
{
    uint64_t v;

    memcpy(&v, key, sizeof(v));
    return &c->bucket[v % c->cap];
}

static struct slot *find(struct snp_cache *c, const uint8_t *key)
{
    for (size_t i = *bucket_of(c, key); i; i = c->slot[i - 1].next) {
        struct slot *s = &c->slot[i - 1];

        if (memcmp(s->key, key, sizeof(s->key)) == 0)
            return s;
    }
    return NULL;
}

/* A free slot, or the one used longest ago, out of its bucket. */
static struct slot *evict(struct snp_cache *c)
{
    struct slot *oldest = &c->slot[0];
    size_t number, *link;

    if (c->stats.kept < c->cap)
        return &c->slot[c->stats.kept++]; /* they fill in order */
    for (size_t i = 1; i < c->cap; i++) {
        if (c->slot[i].used < oldest->used)
            oldest = &c->slot[i];
    }
    number = (size_t)(oldest - c->slot) + 1;
    link = bucket_of(c, oldest->key);
    while (*link != number)
        link = &c->slot[*link - 1].next;
    *link = oldest->next;
    snp_vek_free(oldest->vek);
    return oldest;
}

static void keep(struct snp_cache *c, const uint8_t *key, struct snp_vek *vek)
{
    struct slot *s = evict(c);
    size_t *bucket = bucket_of(c, key);

    memcpy(s->key, key, sizeof(s->key));
    s->vek = vek;
    s->used = ++c->tick;
    s->next = *bucket;
    *bucket = (size_t)(s - c->slot) + 1;
}

int snp_cache_get(struct snp_cache *c, struct span bytes,
        const struct span *cas, size_t n_cas, const struct snp_vek **ret,
        struct err *err)
{
    uint8_t key[CRYPTO_SHA256_SIZE];
    struct snp_vek *vek = NULL;
    struct slot *s;
    int rc;

    crypto_sha256(bytes, key);
    s = find(c, key);
    if (s) {
        s->used = ++c->tick;
        c->stats.hits++;
        *ret = s->vek;
        return 0;
    }
    c->stats.misses++;
    rc = snp_vek_new(c->trust, bytes, cas, n_cas, &vek, err);
    if (rc)
        return rc;
    if (snp_vek_info(vek)->chain) {
        keep(c, key, vek);
    } else {
        snp_vek_free(c->odd);
        c->odd = vek;
    }
    *ret = vek;
    return 0;
}

struct snp_cache_stats snp_cache_stats(const struct snp_cache *c)
{
    return c->stats;
}
