/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a pack. */
#include "bundle.h"
#include "pack_private.h"

#include <stdlib.h>

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
    for (size_t i = 0; i < p->n_rules; i++)
        pack_rules_fini(&p->rules[i]);
    for (size_t i = 0; i < p->n_sets; i++)
        pack_set_fini(&p->set[i]);
    free(p->rules);
    free(p->set);
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

static bool has_rules(const struct pack *p, const struct pack_rules *r)
{
    for (size_t i = 0; i < p->n_rules; i++) {
        if (strcmp(p->rules[i].zone, r->zone) == 0 &&
                p->rules[i].issued == r->issued)
            return true;
    }
    return false;
}

static int add_rules(struct pack *p, const struct statement *s,
        struct span name, struct err *err)
{
    void *array = p->rules;
    struct pack_rules *f = grow(&array, p->n_rules, PACK_RULES_MAX, sizeof(*f));
    int r;

    p->rules = array;
    if (!f)
        return err_set(err, ERR_LIMIT, "more than %d rules", PACK_RULES_MAX);
    r = pack_read_rules(s, name, f, err);
    if (r == 0 && has_rules(p, f)) {
        pack_rules_fini(f);
        return err_set(err, ERR_EXISTS, "these rules are there twice");
    }
    p->n_rules += r == 0;
    return r;
}

static int add_set(struct pack *p, const struct statement *s, struct span name,
        struct err *err)
{
    void *array = p->set;
    struct rules_set *f = grow(&array, p->n_sets, PACK_SETS_MAX, sizeof(*f));
    int r;

    p->set = array;
    if (!f)
        return err_set(err, ERR_LIMIT, "more than %d sets", PACK_SETS_MAX);
    r = pack_read_set(s, name, f, err);
    for (size_t i = 0; r == 0 && i < p->n_sets; i++) {
        if (strcmp(p->set[i].name, f->name) == 0) {
            pack_set_fini(f);
            return err_set(
                    err, ERR_EXISTS, "set %s is there twice", p->set[i].name);
        }
    }
    p->n_sets += r == 0;
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
        {"rules/", STATEMENT_RULES, add_rules},
        {"values/", STATEMENT_VALUES, add_set},
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
    return r ? r : pack_check_rules(p, err);
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
