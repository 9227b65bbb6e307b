/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdlib.h>

/* A tree and not a hash: the ids are the peer's choice. */
struct entry {
    RB_ENTRY(entry) tree;
    SLIST_ENTRY(entry) unused;
    uint8_t id[REPLAY_ID];
    uint64_t deadline;
    size_t peer;
};

RB_HEAD(entry_tree, entry);
SLIST_HEAD(entry_list, entry);

struct replay {
    struct entry_tree seen;
    struct entry_list unused;
    size_t count;
    size_t share; /* of one peer */
    size_t of_peer[LIMIT_ZONES_MAX];
    uint64_t swept; /* no deadline before this is left */
    struct entry entries[];
};

static int cmp_entry(const struct entry *a, const struct entry *b)
{
    return memcmp(a->id, b->id, REPLAY_ID);
}

/* RB_GENERATE_STATIC relies on __unused, which glibc has no room for. */
RB_GENERATE_INTERNAL(
        entry_tree, entry, tree, cmp_entry, __attribute__((unused)) static)

struct replay *replay_new(size_t max)
{
    struct replay *r = calloc(1, sizeof(*r) + max * sizeof(r->entries[0]));

    if (!r)
        return NULL;
    r->share = (max + REPLAY_SHARES - 1) / REPLAY_SHARES;
    RB_INIT(&r->seen);
    SLIST_INIT(&r->unused);
    for (size_t i = 0; i < max; i++)
        SLIST_INSERT_HEAD(&r->unused, &r->entries[i], unused);
    return r;
}

void replay_free(struct replay *r)
{
    free(r);
}

void replay_free_ptr(struct replay **r)
{
    replay_free(*r);
}

size_t replay_count(const struct replay *r)
{
    return r->count;
}

/* At most once a second: a flood of refused ids costs one walk a second. */
static void sweep(struct replay *r, uint64_t now)
{
    struct entry *e, *next;

    if (now <= r->swept)
        return;
    r->swept = now;
    RB_FOREACH_SAFE(e, entry_tree, &r->seen, next)
    {
        if (e->deadline >= now)
            continue;
        RB_REMOVE(entry_tree, &r->seen, e);
        SLIST_INSERT_HEAD(&r->unused, e, unused);
        r->of_peer[e->peer]--;
        r->count--;
    }
}

static bool has_room(const struct replay *r, size_t peer)
{
    return r->of_peer[peer] < r->share && !SLIST_EMPTY(&r->unused);
}

int replay_add(struct replay *r, size_t peer,
        const uint8_t id[static REPLAY_ID], uint64_t deadline, uint64_t now)
{
    struct entry *e, key;

    memcpy(key.id, id, REPLAY_ID);
    if (RB_FIND(entry_tree, &r->seen, &key))
        return ERR_EXISTS;
    if (peer >= LIMIT_ZONES_MAX)
        return ERR_LIMIT;
    if (!has_room(r, peer))
        sweep(r, now);
    if (!has_room(r, peer))
        return ERR_LIMIT;
    e = SLIST_FIRST(&r->unused);
    SLIST_REMOVE_HEAD(&r->unused, unused);
    memcpy(e->id, id, REPLAY_ID);
    e->deadline = deadline;
    e->peer = peer;
    (void)RB_INSERT(entry_tree, &r->seen, e);
    r->of_peer[peer]++;
    r->count++;
    return 0;
}
