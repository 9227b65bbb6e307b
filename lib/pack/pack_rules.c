/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a zone, and the sets of values that they name. */
#include "pack_private.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- sets of values -------------------------------------------------- */

void pack_set_fini(struct rules_set *s)
{
    free((void *)(uintptr_t)s->value); /* the list and, behind it, bytes */
    s->value = NULL;
    s->n = 0;
}

/* SHA-256 over the values as text, a line each. */
static int set_digest(const struct rules_set *s,
        uint8_t ret[static CRYPTO_SHA256_SIZE], struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    int r;

    for (size_t i = 0; i < s->n; i++) {
        claims_format_value(&s->value[i], &text);
        buf_append_u8(&text, '\n');
    }
    r = buf_ok(&text, err);
    if (r == 0)
        crypto_sha256(buf_span(&text), ret);
    return r;
}

/* One spelling of each value, ascending, none twice. */
static bool is_canonical(const struct claim_value *v, struct span text,
        struct buf *last, struct buf *now)
{
    size_t n = last->len < text.len ? last->len : text.len;
    int d = n ? memcmp(last->ptr, text.ptr, n) : 0;

    buf_reset(now);
    claims_format_value(v, now);
    if (!span_eq(buf_span(now), text) || d > 0 ||
            (d == 0 && last->len >= text.len))
        return false;
    buf_reset(last);
    buf_append(last, text);
    return last->error == 0;
}

static size_t room_of(const struct json_t *list, size_t n)
{
    size_t room = 0;
    struct span text;

    for (size_t i = 0; i < n; i++)
        room += statement_item_text(list, i, PACK_VALUE_MAX, &text) ? text.len
                                                                    : 0;
    return room;
}

/* One block: the values, what they point into, the recipe. */
static bool get_values(struct statement_reader *r, struct rules_set *s,
        struct span recipe, struct err *err)
{
    CLEANUP(buf_fini) struct buf last = BUF_INIT(PACK_VALUE_MAX);
    CLEANUP(buf_fini) struct buf now = BUF_INIT(PACK_VALUE_MAX);
    const struct json_t *list;
    struct claim_value *value;
    struct span text;
    uint8_t *bytes;
    size_t n;

    if (!statement_get_array(r, "values", &list, &n) ||
            n > RULES_SET_VALUES_MAX)
        return false;
    value = calloc(1, n * sizeof(*value) + room_of(list, n) + recipe.len + 1);
    if (!value)
        return false;
    s->value = value;
    bytes = (uint8_t *)(value + n);
    for (size_t i = 0; i < n; i++) {
        if (!statement_item_text(list, i, PACK_VALUE_MAX, &text) ||
                claims_parse_value(text, s->def, bytes, &value[i], err) != 0 ||
                !is_canonical(&value[i], text, &last, &now))
            return false;
        bytes += value[i].bytes.len;
        s->n = i + 1;
    }
    if (recipe.len)
        memcpy(bytes, recipe.ptr, recipe.len);
    s->recipe = SPAN(bytes, recipe.len);
    return true;
}

static bool get_claim(struct statement_reader *r, struct rules_set *s)
{
    struct span claim;

    if (!statement_get_text(r, "claim", CLAIM_NAME_MAX, &claim))
        return false;
    s->def = claims_find_any(claim);
    if (!s->def) {
        r->bad = "claim";
        return false;
    }
    pack_copy_text(s->claim, sizeof(s->claim), claim);
    return true;
}

static int read_set(const struct statement *st, struct span file,
        struct rules_set *s, struct err *err)
{
    struct statement_reader r = statement_reader_of(st->predicate);
    uint8_t digest[CRYPTO_SHA256_SIZE];
    struct err why = {0};
    struct span name, recipe;
    int rc;

    if (!get_claim(&r, s) ||
            !statement_get_name(&r, "name", RULES_SET_NAME_MAX, &name) ||
            !statement_get_utf8(&r, "recipe", PACK_RECIPE_MAX, &recipe) ||
            !statement_get_bool(&r, "revoked", &s->revoked) ||
            !statement_get_time(&r, "since", &s->since) ||
            !pack_get_end(&r, "until", &s->until))
        return statement_bad(&r, "values", err);
    if (!get_values(&r, s, recipe, &why))
        return why.code ? err_set(err, why.code, "values: %s", why.msg)
                        : err_set(err, ERR_SYNTAX,
                                  "values: each in its one spelling, "
                                  "ascending, none twice");
    if (!statement_get_end(&r))
        return statement_bad(&r, "values", err);
    pack_copy_text(s->name, sizeof(s->name), name);
    rc = set_digest(s, digest, err);
    return rc ? rc : pack_check_names(st, "values", s->name, file, digest, err);
}

int pack_read_set(const struct statement *st, struct span file,
        struct rules_set *ret, struct err *err)
{
    struct rules_set s = {0};
    int r = read_set(st, file, &s, err);

    if (r != 0) {
        pack_set_fini(&s);
        return r;
    }
    *ret = s;
    return 0;
}

static bool put_values(
        struct json_t *o, const struct rules_set *s, struct buf *text)
{
    struct json_t *list = statement_put_array(o, "values");
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < s->n; i++) {
        buf_reset(text);
        claims_format_value(&s->value[i], text);
        ok = text->error == 0 && statement_add_text(list, buf_span(text));
    }
    return ok;
}

int pack_values_sign(const struct rules_set *s, const struct crypto_key *owner,
        struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *o = statement_json_object();
    CLEANUP(buf_fini) struct buf text = BUF_INIT(PACK_VALUE_MAX);
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int r = set_digest(s, digest, err);

    if (r != 0)
        return err_prefix(err, r, "values %s", s->name);
    if (!o || !statement_put_str(o, "claim", s->claim) ||
            !statement_put_str(o, "name", s->name) ||
            !statement_put_text(o, "recipe", s->recipe) ||
            !statement_put_bool(o, "revoked", s->revoked) ||
            !statement_put_time(o, "since", s->since) ||
            !pack_put_end(o, "until", s->until) || !put_values(o, s, &text))
        return err_set(err, ERR_SYNTAX, "values %s cannot be written", s->name);
    return pack_sign_statement(
            STATEMENT_VALUES, s->name, digest, o, owner, ret, err);
}

/* ---- rules of a zone ------------------------------------------------- */

void pack_rules_fini(struct pack_rules *r)
{
    rules_free(r->rules);
    r->rules = NULL;
}

static int read_rules(const struct statement *s, struct span file,
        struct pack_rules *f, struct err *err)
{
    struct statement_reader r = statement_reader_of(s->predicate);
    struct span text, zone;
    int rc;

    if (!pack_get_end(&r, "expires", &f->expires) ||
            !statement_get_time(&r, "issued", &f->issued) ||
            !statement_get_utf8(&r, "text", RULES_TEXT_MAX, &text) ||
            !statement_get_name(&r, "zone", LIMIT_ZONE_NAME_MAX, &zone) ||
            !statement_get_end(&r))
        return statement_bad(&r, "rules", err);
    pack_copy_text(f->zone, sizeof(f->zone), zone);
    if (!pack_reference_name(file, f->zone, f->issued))
        return err_set(err, ERR_MISMATCH, "is about zone %s, issued %llu",
                f->zone, (unsigned long long)f->issued);
    crypto_sha256(text, f->digest);
    rc = pack_check_names(s, "rules", f->zone, SPAN_EMPTY, f->digest, err);
    return rc ? rc : rules_parse(text, &f->rules, err);
}

int pack_read_rules(const struct statement *s, struct span file,
        struct pack_rules *ret, struct err *err)
{
    struct pack_rules f = {0};
    int r = read_rules(s, file, &f, err);

    if (r != 0) {
        pack_rules_fini(&f);
        return r;
    }
    *ret = f;
    return 0;
}

int pack_rules_sign(const char *zone, struct span text, uint64_t issued,
        uint64_t expires, const struct crypto_key *owner, struct buf *ret,
        struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *o = statement_json_object();
    CLEANUP(rules_free_ptr) struct rules *r = NULL;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int rc = rules_parse(text, &r, err);

    if (rc != 0)
        return err_prefix(err, rc, "rules of zone %s", zone);
    crypto_sha256(text, digest);
    if (!o || !pack_put_end(o, "expires", expires) ||
            !statement_put_time(o, "issued", issued) ||
            !statement_put_text(o, "text", text) ||
            !statement_put_str(o, "zone", zone))
        return err_set(
                err, ERR_SYNTAX, "rules of zone %s cannot be written", zone);
    return pack_sign_statement(
            STATEMENT_RULES, zone, digest, o, owner, ret, err);
}

/* ---- of the pack ----------------------------------------------------- */

int pack_check_rules(const struct pack *p, struct err *err)
{
    struct rules_sets sets = pack_sets(p);

    for (size_t i = 0; i < p->n_rules; i++) {
        const struct pack_rules *f = &p->rules[i];
        int r;

        if (!pack_zone(p, span_str(f->zone)))
            return err_set(err, ERR_NOT_FOUND,
                    "pack: rules are of zone %s, which is not there", f->zone);
        r = rules_check(f->rules, &sets, err);
        if (r != 0)
            return err_prefix(err, r, "pack: rules of zone %s", f->zone);
    }
    return 0;
}
