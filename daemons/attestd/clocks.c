/* SPDX-License-Identifier: Apache-2.0 */
#include "clocks.h"

#include <stdio.h>

static void ak_digest(
        const struct pack_zone *z, uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    crypto_sha256(SPAN(z->ak_name.bytes, z->ak_name.len), ret);
}

static const struct clock_entry *find(
        const struct clocks *c, const struct pack_zone *z)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->entry[i].zone, z->name) == 0)
            return &c->entry[i];
    }
    return NULL;
}

struct appraise_previous clocks_get(
        const struct clocks *c, const struct pack_zone *z)
{
    const struct clock_entry *e = find(c, z);
    uint8_t ak[CRYPTO_SHA256_SIZE];

    ak_digest(z, ak);
    if (!e || memcmp(e->ak, ak, sizeof(ak)) != 0)
        return (struct appraise_previous){.known = false};
    return (struct appraise_previous){.known = true, .clock = e->clock};
}

static bool is_later(const struct tcg_clock *a, const struct tcg_clock *b)
{
    int boot = tcg_boot_cmp(a, b);

    return boot ? boot > 0 : a->clock > b->clock;
}

/* A place for a new zone; the zones of the pack are no more than there are
 * places, but packs change: then any old entry goes. */
static struct clock_entry *place(struct clocks *c, const struct pack_zone *z)
{
    const struct clock_entry *e = find(c, z);

    if (e)
        return &c->entry[e - c->entry];
    if (c->n < ARRAY_LEN(c->entry))
        return &c->entry[c->n++];
    memmove(&c->entry[0], &c->entry[1], sizeof(c->entry) - sizeof(*c->entry));
    return &c->entry[c->n - 1];
}

void clocks_put(struct clocks *c, const struct pack_zone *z,
        const struct tcg_clock *clock)
{
    struct appraise_previous was = clocks_get(c, z);
    struct clock_entry *e;

    if (was.known && !is_later(clock, &was.clock))
        return;
    e = place(c, z);
    (void)snprintf(e->zone, sizeof(e->zone), "%s", z->name);
    ak_digest(z, e->ak);
    e->clock = *clock;
}
