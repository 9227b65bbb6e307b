/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a pack. */
#include "pack_private.h"

const struct crypto_pub *pack_owner(const struct pack *p)
{
    return p->owner;
}

size_t pack_zones(const struct pack *p, const struct pack_zone **ret)
{
    *ret = p->zone;
    return p->n_zones;
}

size_t pack_keys(const struct pack *p, const struct pack_key **ret)
{
    *ret = p->key;
    return p->n_keys;
}

size_t pack_references(const struct pack *p, const struct pack_reference **ret)
{
    *ret = p->reference;
    return p->n_references;
}

const struct pack_zone *pack_zone(const struct pack *p, struct span name)
{
    for (size_t i = 0; i < p->n_zones; i++) {
        if (span_eq_str(name, p->zone[i].name))
            return &p->zone[i];
    }
    return NULL;
}

const struct pack_key *pack_key(const struct pack *p, struct span name)
{
    for (size_t i = 0; i < p->n_keys; i++) {
        if (span_eq_str(name, p->key[i].name))
            return &p->key[i];
    }
    return NULL;
}

const struct pack_key *pack_key_by_spki(
        const struct pack *p, const uint8_t sha256[static CRYPTO_SHA256_SIZE])
{
    for (size_t i = 0; i < p->n_keys; i++) {
        if (memcmp(p->key[i].spki_sha256, sha256, CRYPTO_SHA256_SIZE) == 0)
            return &p->key[i];
    }
    return NULL;
}

/* A time that is out of range is the end of time. */
static uint64_t plus(uint64_t t, uint64_t n)
{
    return t > UINT64_MAX - n ? UINT64_MAX : t + n;
}

static const struct pack_reference *latest(
        const struct pack *p, struct span zone, uint64_t by)
{
    const struct pack_reference *best = NULL;

    for (size_t i = 0; i < p->n_references; i++) {
        const struct pack_reference *r = &p->reference[i];

        if (span_eq_str(zone, r->zone) && r->issued <= by &&
                (!best || r->issued > best->issued))
            best = r;
    }
    return best;
}

const struct pack_reference *pack_reference(
        const struct pack *p, struct span zone, uint64_t unix_s)
{
    return latest(p, zone, plus(unix_s, PACK_SKEW_S));
}

/* Each value that the reference has, among those. */
static bool is_true_of(const struct pack_reference *r,
        const struct tcg_selection *s, const struct tcg_values *v)
{
    size_t at = 0;
    struct span is;

    for (size_t i = 0; i < r->selection.n; i++) {
        const struct tcg_bank *b = &r->selection.bank[i];

        for (unsigned p = 0; p < TCG_PCRS; p++) {
            if (!(b->pcrs >> p & 1))
                continue;
            if (!tcg_value(s, v, b->alg, p, &is) ||
                    !span_eq(is, SPAN(r->value[at].bytes, r->value[at].len)))
                return false;
            at++;
        }
    }
    return true;
}

const struct pack_reference *pack_reference_then(const struct pack *p,
        struct span zone, uint64_t unix_s, const struct tcg_selection *s,
        const struct tcg_values *v)
{
    const struct pack_reference *certain =
            latest(p, zone, unix_s < PACK_SKEW_S ? 0 : unix_s - PACK_SKEW_S);

    for (size_t i = 0; i < p->n_references; i++) {
        const struct pack_reference *r = &p->reference[i];

        if (span_eq_str(zone, r->zone) &&
                r->issued <= plus(unix_s, PACK_SKEW_S) &&
                (!certain || r->issued >= certain->issued) && v &&
                is_true_of(r, s, v))
            return r;
    }
    return pack_reference(p, zone, unix_s);
}

struct rules_sets pack_sets(const struct pack *p)
{
    return (struct rules_sets){.n = p->n_sets, .set = p->set};
}

static const struct pack_rules *latest_rules(
        const struct pack *p, struct span zone, uint64_t by)
{
    const struct pack_rules *best = NULL;

    for (size_t i = 0; i < p->n_rules; i++) {
        const struct pack_rules *r = &p->rules[i];

        if (span_eq_str(zone, r->zone) && r->issued <= by &&
                (!best || r->issued > best->issued))
            best = r;
    }
    return best;
}

const struct pack_rules *pack_rules(
        const struct pack *p, struct span zone, uint64_t unix_s)
{
    return latest_rules(p, zone, plus(unix_s, PACK_SKEW_S));
}

const struct pack_rules *pack_rules_before(
        const struct pack *p, struct span zone, uint64_t unix_s)
{
    return latest_rules(
            p, zone, unix_s < PACK_SKEW_S ? 0 : unix_s - PACK_SKEW_S);
}

static bool is_within(uint64_t since, uint64_t until, uint64_t t)
{
    return since <= plus(t, PACK_SKEW_S) && (until == 0 || t < until);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t word_until(uint64_t issued, uint64_t expires, uint64_t max_age)
{
    return earlier(expires ? expires : UINT64_MAX,
            max_age ? plus(issued, max_age) : UINT64_MAX);
}

uint64_t pack_until(const struct pack_zone *z, const struct pack_reference *r,
        const struct pack_rules *rules, uint64_t max_age)
{
    uint64_t until = z->until ? z->until : UINT64_MAX;

    if (r)
        until = earlier(until, word_until(r->issued, r->expires, max_age));
    if (rules)
        until = earlier(
                until, word_until(rules->issued, rules->expires, max_age));
    return until;
}

bool pack_zone_valid(const struct pack_zone *z, uint64_t unix_s)
{
    return !z->revoked && is_within(z->since, z->until, unix_s);
}

bool pack_key_valid(const struct pack_key *k, uint64_t unix_s)
{
    return !k->revoked && is_within(k->since, k->until, unix_s);
}
