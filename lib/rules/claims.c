/* SPDX-License-Identifier: Apache-2.0 */
/* The list of claims. */
#include "rules_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const type_names[CLAIM_TYPE_COUNT] = {
        [CLAIM_BOOL] = "bool",
        [CLAIM_NUMBER] = "number",
        [CLAIM_BYTES] = "bytes",
        [CLAIM_TEXT] = "text",
        [CLAIM_VERSION] = "version",
        [CLAIM_VECTOR] = "vector",
};

const char *claims_type_name(enum claim_type t)
{
    return t > 0 && t < CLAIM_TYPE_COUNT ? type_names[t] : "unknown";
}

bool claims_fits(const struct claim_def *d, const struct claim_value *v)
{
    if (v->type != d->type)
        return false;
    if (v->type == CLAIM_BYTES)
        return d->size ? v->bytes.len == d->size
                       : v->bytes.len >= 1 && v->bytes.len <= CLAIM_BYTES_MAX;
    if (v->type == CLAIM_VERSION || v->type == CLAIM_VECTOR)
        return v->n_parts >= 1 && v->n_parts <= CLAIM_PARTS_MAX;
    return v->type != CLAIM_TEXT || v->bytes.len <= CLAIM_TEXT_MAX;
}

bool claims_value_eq(const struct claim_value *a, const struct claim_value *b)
{
    if (a->type != b->type || a->yes != b->yes || a->number != b->number ||
            a->n_parts != b->n_parts)
        return false;
    for (size_t i = 0; i < a->n_parts; i++) {
        if (a->part[i] != b->part[i])
            return false;
    }
    return span_eq(a->bytes, b->bytes);
}

/* ---- memory: what claims point into never moves ---------------------- */

#define CHUNK 4096 /* most lists fit one; longest text and its NUL need one */

struct claims_arena {
    struct claims_arena *next;
    size_t used, size;
    uint8_t bytes[];
};

static uint8_t *take(struct claims *c, size_t n)
{
    struct claims_arena *a = c->arena;
    uint8_t *p;

    if (c->bytes + n > CLAIMS_BYTES_MAX) {
        c->error = ERR_LIMIT;
        return NULL;
    }
    if (!a || a->size - a->used < n) {
        size_t size = n > CHUNK ? n : CHUNK;

        a = malloc(sizeof(*a) + size);
        if (!a) {
            c->error = ERR_MEMORY;
            return NULL;
        }
        *a = (struct claims_arena){.next = c->arena, .size = size};
        c->arena = a;
    }
    p = a->bytes + a->used;
    a->used += n;
    c->bytes += n;
    return p;
}

static const char *take_text(struct claims *c, const char *s)
{
    size_t n = strlen(s) + 1;
    uint8_t *p = take(c, n);

    return p ? memcpy(p, s, n) : NULL;
}

/* What the last claim says already is not stored again: lists are long, and
 * their sources and names repeat. */
static const char *intern(struct claims *c, const char *s, const char *last)
{
    return last && strcmp(last, s) == 0 ? last : take_text(c, s);
}

void claims_fini(struct claims *c)
{
    struct claims_arena *a = c->arena;

    while (a) {
        struct claims_arena *next = a->next;

        free(a);
        a = next;
    }
    free(c->claim);
    *c = (struct claims){0};
}

/* ---- adding ---------------------------------------------------------- */

/* Lists are long where one claim is many; the others are few, and found
 * without a walk over those: a log may tell one of them again and again. */
static struct claim *find_one(
        const struct claims *c, const struct claim_def *d, const char *name)
{
    for (size_t i = c->last_one; i > 0; i = c->claim[i - 1].before) {
        struct claim *k = &c->claim[i - 1];

        if (k->def == d && strcmp(k->name, name) == 0)
            return k;
    }
    return NULL;
}

static const struct claim *find(
        const struct claims *c, const struct claim_def *d, const char *name)
{
    if (d && !(d->flags & CLAIM_MANY))
        return find_one(c, d, name);
    for (size_t i = 0; i < c->n; i++) {
        if (c->claim[i].def == d && strcmp(c->claim[i].name, name) == 0)
            return &c->claim[i];
    }
    return NULL;
}

static bool grow(struct claims *c)
{
    size_t size = c->size ? 2 * c->size : 64;
    struct claim *grown;

    if (c->n < c->size)
        return true;
    if (c->n == CLAIMS_MAX) {
        c->error = ERR_LIMIT;
        return false;
    }
    grown = reallocarray(c->claim, size, sizeof(*grown));
    if (!grown) {
        c->error = ERR_MEMORY;
        return false;
    }
    c->claim = grown;
    c->size = size;
    return true;
}

static void add(struct claims *c, const char *name, const struct claim_value *v,
        const char *source, bool attested)
{
    const struct claim *last = c->n ? &c->claim[c->n - 1] : NULL;
    const struct claim_def *d = last && strcmp(last->name, name) == 0
                                        ? last->def
                                        : claims_find(span_str(name));
    struct claim n = {.def = d, .value = *v};
    char safe[CLAIMS_SOURCE_MAX + 1];
    struct claim *was;
    uint8_t *bytes;

    if (c->error)
        return;
    assert(d && claims_fits(d, v));
    n.attested = attested && !c->unattested;
    was = d->flags & CLAIM_MANY ? NULL : find_one(c, d, name);
    if (was && (was->attested || was->disputed)) {
        was->disputed |= n.attested && !claims_value_eq(&was->value, v);
        was->attested &= !was->disputed;
        return;
    }
    text_format_safe(span_str(source), safe, sizeof(safe));
    bytes = v->bytes.len ? take(c, v->bytes.len) : NULL;
    if (bytes) {
        memcpy(bytes, v->bytes.ptr, v->bytes.len);
        n.value.bytes.ptr = bytes;
    }
    n.name = intern(c, name, last ? last->name : NULL);
    n.source = intern(c, safe, last ? last->source : NULL);
    if (c->error)
        return;
    if (was) { /* now it is proved, or said again */
        n.before = was->before;
        *was = n;
    } else if (grow(c)) {
        n.before = c->last_one;
        c->claim[c->n++] = n;
        if (!(d->flags & CLAIM_MANY))
            c->last_one = c->n;
    }
}

void claims_add_bool(
        struct claims *c, const char *name, bool v, const char *source)
{
    add(c, name, &(struct claim_value){.type = CLAIM_BOOL, .yes = v}, source,
            true);
}

void claims_add_number(
        struct claims *c, const char *name, uint64_t v, const char *source)
{
    add(c, name, &(struct claim_value){.type = CLAIM_NUMBER, .number = v},
            source, true);
}

void claims_add_bytes(
        struct claims *c, const char *name, struct span v, const char *source)
{
    add(c, name, &(struct claim_value){.type = CLAIM_BYTES, .bytes = v}, source,
            true);
}

void claims_add_text(
        struct claims *c, const char *name, struct span v, const char *source)
{
    bool whole = v.len <= CLAIM_TEXT_MAX;

    if (!whole)
        v.len = CLAIM_TEXT_MAX;
    add(c, name, &(struct claim_value){.type = CLAIM_TEXT, .bytes = v}, source,
            whole);
}

void claims_add_parts(struct claims *c, const char *name, const uint64_t *part,
        size_t n, const char *source)
{
    const struct claim_def *d = claims_find(span_str(name));
    struct claim_value v = {.n_parts = n};

    assert(d && n <= CLAIM_PARTS_MAX);
    v.type = d->type;
    memcpy(v.part, part, n * sizeof(*part));
    add(c, name, &v, source, true);
}

void claims_unattested(struct claims *c, size_t first)
{
    for (size_t i = first; i < c->n; i++)
        c->claim[i].attested = false;
}

void claims_add_all(struct claims *c, const struct claims *from)
{
    for (size_t i = 0; i < from->n; i++) {
        const struct claim *k = &from->claim[i];

        add(c, k->name, &k->value, k->source, k->attested);
    }
    if (!c->error)
        c->error = from->error;
}

int claims_ok(const struct claims *c, struct err *err)
{
    if (c->error == ERR_LIMIT)
        return err_set(err, ERR_LIMIT, "evidence makes more than %d claims",
                CLAIMS_MAX);
    if (c->error)
        return err_set(err, c->error, "no memory for claims");
    return 0;
}

const struct claim *claims_get(const struct claims *c, const char *name)
{
    return find(c, claims_find(span_str(name)), name);
}
