/* SPDX-License-Identifier: Apache-2.0 */
/* The PCR that a list gives, and the part of a list that a PCR vouches for. */
#include "ima_private.h"

int ima_replay_init(struct ima_replay *r, enum crypto_hash bank, uint32_t pcr,
        struct span start)
{
    struct ima_replay n = {.bank = bank, .pcr = pcr};

    if (bank == CRYPTO_BLAKE2B512)
        return ERR_UNSUPPORTED;
    if (start.len != 0 && start.len != crypto_hash_size(bank))
        return ERR_LIMIT;
    if (start.len != 0)
        memcpy(n.value, start.ptr, start.len);
    *r = n;
    return 0;
}

static void extend(struct ima_replay *r, struct span with)
{
    size_t size = crypto_hash_size(r->bank);
    uint8_t both[2 * CRYPTO_HASH_MAX];

    memcpy(both, r->value, size);
    memcpy(both + size, with.ptr, with.len);
    crypto_hash(r->bank, SPAN(both, size + with.len), r->value);
}

int ima_replay_add(struct ima_replay *r, const struct ima_entry *e)
{
    size_t size = crypto_hash_size(r->bank);
    uint8_t with[CRYPTO_HASH_MAX];
    bool good = ima_template_ok(e);
    int rc = 0;

    if (e->pcr == r->pcr) {
        if (e->violation)
            memset(with, 0xff, sizeof(with));
        else if (r->bank == CRYPTO_SHA1)
            memcpy(with, e->template_hash, sizeof(with));
        else
            rc = ima_template_hash(e, r->bank, with);
        if (rc != 0)
            return rc;
        if (r->bank == CRYPTO_SHA1 && !e->violation)
            size = e->template_hash_len;
        extend(r, SPAN(with, size));
        r->extended++;
    }
    if (!good && r->mismatches++ == 0)
        r->first_mismatch = e->index;
    r->entries++;
    r->violations += e->violation;
    return 0;
}

int ima_replay_all(struct ima_list list, enum crypto_hash bank, uint32_t pcr,
        struct span start, struct ima_replay *ret, struct err *err)
{
    struct ima_replay r;
    struct ima_entry e;
    int rc = ima_replay_init(&r, bank, pcr, start);

    if (rc != 0)
        return err_set(err, rc, "IMA list cannot be replayed in that bank");
    while ((rc = ima_next(&list, &e, err)) > 0) {
        rc = ima_replay_add(&r, &e);
        if (rc != 0)
            return err_set(err, rc, "IMA entry %zu: fields are malformed",
                    e.index + 1);
    }
    if (rc == 0)
        *ret = r;
    return rc;
}

/* ---- the part that is vouched for ------------------------------------ */

struct goal {
    const struct ima_goal *of;
    size_t size; /* of a PCR value */
};

/* All values are hashed as one run: a few hundred bytes for each entry. */
static bool reached(const struct goal *g, const uint8_t *value)
{
    /* Four banks of 24 PCRs are the most that a quote selects. */
    uint8_t all[4 * 24 * CRYPTO_HASH_MAX], h[CRYPTO_HASH_MAX];
    const struct ima_goal *o = g->of;
    size_t n = o->before.len;

    if (o->value.len > 0)
        return span_eq(o->value, SPAN(value, g->size));
    if (n > 0)
        memcpy(all, o->before.ptr, n);
    memcpy(all + n, value, g->size);
    n += g->size;
    if (o->after.len > 0)
        memcpy(all + n, o->after.ptr, o->after.len);
    crypto_hash(o->hash, SPAN(all, n + o->after.len), h);
    return span_eq(o->digest, SPAN(h, crypto_hash_size(o->hash)));
}

static bool goal_fits(const struct ima_goal *o, size_t size)
{
    const size_t most = (4 * 24 - 1) * CRYPTO_HASH_MAX;

    if (o->value.len > 0)
        return o->value.len == size;
    return o->digest.len == crypto_hash_size(o->hash) &&
           o->before.len <= most && o->after.len <= most - o->before.len;
}

static int walk(struct ima_list *list, struct ima_replay *r,
        const struct goal *g, struct ima_prefix *p, struct err *err)
{
    bool found = reached(g, r->value);
    struct ima_entry e;
    size_t others = 0;
    int rc;

    memcpy(p->value, r->value, g->size);
    while ((rc = ima_next(list, &e, err)) > 0) {
        p->total++;
        if (found)
            continue;
        rc = ima_replay_add(r, &e);
        if (rc != 0 || r->mismatches > 0)
            return err_set(err, rc ? rc : ERR_MISMATCH,
                    "IMA entry %zu does not have the hash it states",
                    e.index + 1);
        others += e.pcr != r->pcr;
        found = e.pcr == r->pcr && reached(g, r->value);
        if (found) {
            p->covered = p->total;
            p->violations = r->violations;
            p->other_pcr = others;
            memcpy(p->value, r->value, g->size);
        }
    }
    if (rc == 0 && !found)
        return err_set(err, ERR_MISMATCH,
                "no part of the IMA list gives the quoted PCR %u", r->pcr);
    return rc;
}

int ima_prefix_find(struct ima_list list, enum crypto_hash bank, uint32_t pcr,
        struct span start, const struct ima_goal *goal, struct ima_prefix *ret,
        struct err *err)
{
    struct goal g = {.of = goal};
    struct ima_prefix p = {0};
    struct ima_replay r;
    int rc = ima_replay_init(&r, bank, pcr, start);

    if (rc != 0)
        return err_set(err, rc, "IMA list cannot be replayed in that bank");
    g.size = crypto_hash_size(bank);
    if (!goal_fits(goal, g.size))
        return err_set(err, ERR_LIMIT, "quoted value has an impossible size");
    rc = walk(&list, &r, &g, &p, err);
    if (rc == 0)
        *ret = p;
    return rc;
}
