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

static bool rests(uint64_t ended, uint64_t now)
{
    return ended && now + 1 - ended < PORTS_REST_MS;
}

int ports_take(struct ports *p, uint32_t domain, uint64_t now_ms, void *owner,
        uint32_t *ret_port)
{
    uint64_t ended[PORTS_COUNT];
    uint32_t step = domain ? 2 : 1;
    uint32_t best = PORTS_COUNT;

    look_back(p, domain, ended);
    for (uint32_t i = domain > p->own ? 1 : 0; i < PORTS_COUNT; i += step) {
        if (p->slots[i].used)
            continue;
        if (!rests(ended[i], now_ms)) {
            best = i;
            break;
        }
        if (best == PORTS_COUNT || ended[i] < ended[best])
            best = i;
    }
    if (best == PORTS_COUNT)
        return ERR_LIMIT;
    p->slots[best].used = true;
    p->slots[best].domain = domain;
    p->slots[best].owner = owner;
    *ret_port = LINK_DATA_PORT_FIRST + best;
    return 0;
}

bool ports_put(struct ports *p, uint32_t domain, uint32_t port, uint64_t now_ms,
        void **ret_owner)
{
    uint32_t slot = port - LINK_DATA_PORT_FIRST;

    if (port < LINK_DATA_PORT_FIRST || slot >= PORTS_COUNT ||
            !p->slots[slot].used || p->slots[slot].domain != domain)
        return false;
    *ret_owner = p->slots[slot].owner;
    p->slots[slot].used = false;
    p->slots[slot].owner = NULL;
    p->past[p->next] = (struct ports_end){
            .domain = domain, .slot = slot, .at = now_ms + 1};
    p->next = (p->next + 1) % PORTS_PAST;
    return true;
}

void ports_forget(struct ports *p, const void *owner)
{
    for (size_t i = 0; i < PORTS_COUNT; i++) {
        if (p->slots[i].owner == owner)
            p->slots[i].owner = NULL;
    }
}
