/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a pack. */
#include "bundle.h"
#include "pack_private.h"

#include <stdlib.h>

struct pack {
    const struct crypto_pub *owner;
    size_t n_zones, n_keys, n_references;
    struct pack_zone *zone;
    struct pack_key *key;
    struct pack_reference *reference;
};

struct pack *pack_new(const struct crypto_pub *owner)
{
    struct pack *p = calloc(1, sizeof(*p));

    if (p)
        p->owner = owner;
    return p;
}

void pack_zone_fini(struct pack_zone *z)
{
    crypto_pub_free(z->identity);
    crypto_pub_free(z->log);
}

void pack_key_fini(struct pack_key *k)
{
    crypto_pub_free(k->pub);
}

void pack_reference_fini(struct pack_reference *r)
{
    free(r->event);
    r->event = NULL;
    r->n_events = 0;
}

void pack_free(struct pack *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_zones; i++)
        pack_zone_fini(&p->zone[i]);
    for (size_t i = 0; i < p->n_keys; i++)
        pack_key_fini(&p->key[i]);
    for (size_t i = 0; i < p->n_references; i++)
        pack_reference_fini(&p->reference[i]);
    free(p->zone);
    free(p->key);
    free(p->reference);
    free(p);
}

void pack_free_ptr(struct pack **p)
{
    pack_free(*p);
}

/* ---- adding a file --------------------------------------------------- */

/* One more element at the end of an array, zeroed; NULL when it is full. */
static void *grow(void **array, size_t n, size_t max, size_t size)
{
    uint8_t *grown;

    if (n >= max)
        return NULL;
    grown = reallocarray(*array, n + 1, size);
    if (!grown)
        return NULL;
    *array = grown;
    memset(grown + n * size, 0, size);
    return grown + n * size;
}

static int add_zone(struct pack *p, const struct statement *s, struct span name,
        struct err *err)
{
    void *array = p->zone;
    struct pack_zone *z = grow(&array, p->n_zones, LIMIT_ZONES_MAX, sizeof(*z));
    int r;

    p->zone = array;
    if (!z)
        return err_set(err, ERR_LIMIT, "more than %d zones", LIMIT_ZONES_MAX);
    r = pack_read_zone(s, name, z, err);
    if (r == 0 && pack_zone(p, span_str(z->name))) {
        pack_zone_fini(z);
        return err_set(err, ERR_EXISTS, "zone %s is there twice", z->name);
    }
    p->n_zones += r == 0;
    return r;
}

static int add_key(struct pack *p, const struct statement *s, struct span name,
        struct err *err)
{
    void *array = p->key;
    struct pack_key *k = grow(&array, p->n_keys, LIMIT_KEYS_MAX, sizeof(*k));
    int r;

    p->key = array;
    if (!k)
        return err_set(err, ERR_LIMIT, "more than %d keys", LIMIT_KEYS_MAX);
    r = pack_read_key(s, name, k, err);
    if (r == 0 && pack_key(p, span_str(k->name))) {
        pack_key_fini(k);
        return err_set(err, ERR_EXISTS, "key %s is there twice", k->name);
    }
    p->n_keys += r == 0;
    return r;
}

static bool has_reference(const struct pack *p, const struct pack_reference *r)
{
    for (size_t i = 0; i < p->n_references; i++) {
        if (strcmp(p->reference[i].zone, r->zone) == 0 &&
                p->reference[i].issued == r->issued)
            return true;
    }
    return false;
}

static int add_reference(struct pack *p, const struct statement *s,
        struct span name, struct err *err)
{
    void *array = p->reference;
    struct pack_reference *f =
            grow(&array, p->n_references, PACK_REFERENCES_MAX, sizeof(*f));
    int r;

    p->reference = array;
    if (!f)
        return err_set(
                err, ERR_LIMIT, "more than %d references", PACK_REFERENCES_MAX);
    r = pack_read_reference(s, name, p->owner, f, err);
    if (r == 0 && has_reference(p, f)) {
        pack_reference_fini(f);
        return err_set(err, ERR_EXISTS, "this reference is there twice");
    }
    p->n_references += r == 0;
    return r;
}

static const struct kind {
    const char *folder;
    enum statement_kind kind;
    int (*add)(struct pack *p, const struct statement *s, struct span name,
            struct err *err);
} kinds[] = {
        {"zones/", STATEMENT_ZONE, add_zone},
        {"keys/", STATEMENT_KEY, add_key},
        {"references/", STATEMENT_REFERENCE, add_reference},
};

static int add_statement(struct pack *p, const struct kind *k, struct span name,
        struct span bytes, struct err *err)
{
    struct statement s;
    int r = statement_open(bytes, p->owner, &s, err);

    if (r != 0)
        return r;
    if (s.kind != k->kind)
        r = err_set(err, ERR_MISMATCH, "is a statement of another kind (%s)",
                statement_kind_name(s.kind));
    else
        r = k->add(p, &s, name, err);
    statement_fini(&s);
    return r;
}

int pack_add(
        struct pack *p, struct span name, struct span bytes, struct err *err)
{
    char shown[80];
    int r;

    if (span_eq_str(name, "owner.pub"))
        return 0;
    text_format_safe(name, shown, sizeof(shown));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t n = strlen(kinds[i].folder);

        if (name.len <= n || memcmp(name.ptr, kinds[i].folder, n) != 0)
            continue;
        r = add_statement(
                p, &kinds[i], SPAN(name.ptr + n, name.len - n), bytes, err);
        return r == 0 ? 0 : err_prefix(err, r, "pack/%s", shown);
    }
    return err_set(
            err, ERR_UNSUPPORTED, "pack/%s: not a file of a pack", shown);
}

/* ---- the pack as a whole --------------------------------------------- */

static int check_zone_pair(
        const struct pack_zone *a, const struct pack_zone *b, struct err *err)
{
    const char *same = NULL;

    if (span_eq(SPAN_OF(a->ek_sha256), SPAN_OF(b->ek_sha256)))
        same = "endorsement key";
    else if (span_eq(SPAN(a->ak, a->ak_len), SPAN(b->ak, b->ak_len)))
        same = "attestation key";
    else if (crypto_pub_eq(a->identity, b->identity) ||
             crypto_pub_eq(a->identity, b->log) ||
             crypto_pub_eq(a->log, b->identity) ||
             crypto_pub_eq(a->log, b->log))
        same = "identity or log key";
    return same ? err_set(err, ERR_MISMATCH,
                          "pack: zones %s and %s have the same %s", a->name,
                          b->name, same)
                : 0;
}

static int check_zones(const struct pack *p, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < p->n_zones; i++) {
        for (size_t j = i + 1; j < p->n_zones && r == 0; j++)
            r = check_zone_pair(&p->zone[i], &p->zone[j], err);
    }
    return r;
}

int pack_check(const struct pack *p, struct err *err)
{
    int r = check_zones(p, err);

    for (size_t i = 0; i < p->n_keys && r == 0; i++) {
        const struct pack_key *k = &p->key[i];

        if (!pack_zone(p, span_str(k->zone)))
            r = err_set(err, ERR_NOT_FOUND,
                    "pack: key %s is of zone %s, which is not there", k->name,
                    k->zone);
        else if (pack_key_by_spki(p, k->spki_sha256) != k)
            r = err_set(err, ERR_MISMATCH, "pack: key %s has another name too",
                    k->name);
    }
    for (size_t i = 0; i < p->n_references && r == 0; i++) {
        if (!pack_zone(p, span_str(p->reference[i].zone)))
            r = err_set(err, ERR_NOT_FOUND,
                    "pack: a reference is of zone %s, which is not there",
                    p->reference[i].zone);
    }
    return r;
}

int pack_from_bundle(struct span bundle, const struct crypto_pub *owner,
        struct pack **ret, struct err *err)
{
    struct bundle_iter it = bundle_iter_of(bundle);
    CLEANUP(pack_free_ptr) struct pack *p = pack_new(owner);
    struct bundle_file file;
    int r = p ? 0 : err_set(err, ERR_MEMORY, "no memory for the pack");

    while (r == 0 && bundle_next(&it, &file))
        r = pack_add(p, file.name, file.content, err);
    if (r == 0)
        r = pack_check(p, err);
    if (r == 0)
        *ret = TAKE_PTR(p);
    return r;
}

/* ---- looking up ------------------------------------------------------ */

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

static bool is_within(uint64_t since, uint64_t until, uint64_t t)
{
    return since <= plus(t, PACK_SKEW_S) && (until == 0 || t < until);
}

bool pack_zone_valid(const struct pack_zone *z, uint64_t unix_s)
{
    return !z->revoked && is_within(z->since, z->until, unix_s);
}

bool pack_key_valid(const struct pack_key *k, uint64_t unix_s)
{
    return !k->revoked && is_within(k->since, k->until, unix_s);
}
