/* SPDX-License-Identifier: Apache-2.0 */
#include "ports.h"

void ports_init(struct ports *p, uint32_t own)
{
    *p = (struct ports){.own = own};
}

/* When each port last served domain, plus one; 0 = never, as far as known. */
static void look_back(const struct ports *p, uint32_t domain,
        uint64_t ret[static PORTS_COUNT])
{
    memset(ret, 0, PORTS_COUNT * sizeof(*ret));
    for (size_t i = 0; i < PORTS_PAST; i++) {
        const struct ports_end *e = &p->past[i];

        if (e->at && e->domain == domain && e->at > ret[e->slot])
            ret[e->slot] = e->at;
    }
}

/* The lower the better: free, free for this peer alone, resting. */
static uint64_t rank(uint64_t ended, uint64_t now, bool shared)
{
    if (ended && now + 1 - ended < PORTS_REST_MS)
        return ended + 1;
    return shared ? 1 : 0;
}

static uint32_t best_slot(const struct ports *p, uint32_t domain, uint64_t now)
{
    bool shared[PORTS_COUNT] = {false};
    bool own[PORTS_COUNT] = {false};
    uint64_t ended[PORTS_COUNT];
    uint64_t best_rank = UINT64_MAX;
    uint32_t best = PORTS_COUNT;

    for (size_t i = 0; i < PORTS_CALLS_MAX; i++) {
        if (p->calls[i].used) {
            shared[p->calls[i].slot] = true;
            own[p->calls[i].slot] |= p->calls[i].domain == domain;
        }
    }
    look_back(p, domain, ended);
    for (uint32_t i = domain > p->own ? 1 : 0; i < PORTS_COUNT;
            i += domain ? 2 : 1) {
        uint64_t r = rank(ended[i], now, shared[i]);

        if (!own[i] && r < best_rank) {
            best_rank = r;
            best = i;
        }
    }
    return best;
}

int ports_take(struct ports *p, uint32_t domain, uint64_t now_ms, void *owner,
        uint32_t *ret_port)
{
    uint32_t slot = best_slot(p, domain, now_ms);
    size_t i = 0;

    while (i < PORTS_CALLS_MAX && p->calls[i].used)
        i++;
    if (slot == PORTS_COUNT || i == PORTS_CALLS_MAX)
        return ERR_LIMIT;
    p->calls[i] = (struct ports_call){
            .used = true, .domain = domain, .slot = slot, .owner = owner};
    *ret_port = LINK_DATA_PORT_FIRST + slot;
    return 0;
}

bool ports_put(struct ports *p, uint32_t domain, uint32_t port, uint64_t now_ms,
        void **ret_owner)
{
    uint32_t slot = port - LINK_DATA_PORT_FIRST;

    for (size_t i = 0; i < PORTS_CALLS_MAX; i++) {
        struct ports_call *c = &p->calls[i];

        if (!c->used || c->slot != slot || c->domain != domain)
            continue;
        *ret_owner = c->owner;
        *c = (struct ports_call){.used = false};
        p->past[p->next] = (struct ports_end){
                .domain = domain, .slot = slot, .at = now_ms + 1};
        p->next = (p->next + 1) % PORTS_PAST;
        return true;
    }
    return false;
}

void ports_forget(struct ports *p, const void *owner)
{
    for (size_t i = 0; i < PORTS_CALLS_MAX; i++) {
        if (p->calls[i].owner == owner)
            p->calls[i].owner = NULL;
    }
}
