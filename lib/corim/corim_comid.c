/* SPDX-License-Identifier: Apache-2.0 */
/* concise-mid-tag (draft, 5.1): identity, links, triples. */
#include "corim_private.h"

enum { M_LANGUAGE, M_IDENTITY, M_ENTITIES, M_LINKED, M_TRIPLES, M_N };

/* triples-map: what is read and what is named. */
enum {
    T_REFERENCE = 0,
    T_ENDORSED = 1,
    T_IDENTITY = 2,
    T_ATTEST_KEY = 3,
};

static const struct {
    uint64_t key;
    const char *name;
} skipped[] = {
        {4, "domain dependency triples"},
        {5, "domain membership triples"},
        {6, "CoSWID triples"},
        {8, "conditional endorsement series"},
        {10, "conditional endorsements"},
};

static int get_identity(
        struct wire_reader r, struct corim_tag *tag, struct err *err)
{
    struct cbor_field f[] = {{.key = 0, .name = "tag-id", .required = true},
            {.key = 1, .name = "tag-version"}};
    int rc = cbor_get_fields(&r, "tag-identity", f, ARRAY_LEN(f), NULL, err);

    if (rc)
        return rc;
    if (f[1].present && !cbor_get_uint(&f[1].value, &tag->version))
        return err_set(err, ERR_SYNTAX, "CoRIM: a tag's version");
    return corim_get_name(f[0].value, "a tag's id", &tag->id, err);
}

static bool same_name(const struct corim_name *a, const struct corim_name *b)
{
    return a->text == b->text && span_eq(a->value, b->value);
}

static int add_tag(struct corim *c, struct wire_reader r, struct err *err)
{
    struct corim_tag tag = {0};
    int rc = get_identity(r, &tag, err);

    for (size_t i = 0; rc == 0 && i < c->n_tags; i++) {
        if (same_name(&c->tag[i].id, &tag.id) &&
                c->tag[i].version == tag.version)
            rc = err_set(err, ERR_SYNTAX, "CoRIM: two tags of one id");
    }
    return rc ? rc : corim_add_tag(c, &tag, err);
}

static int get_link(struct corim *c, struct wire_reader *r, struct err *err)
{
    struct cbor_field f[] = {
            {.key = 0, .name = "linked-tag-id", .required = true},
            {.key = 1, .name = "tag-rel", .required = true}};
    struct corim_link link = {.tag = c->n_tags - 1};
    int rc = cbor_get_fields(r, "linked tag", f, ARRAY_LEN(f), NULL, err);

    if (rc)
        return rc;
    if (!cbor_get_uint(&f[1].value, &link.rel) || link.rel > CORIM_REPLACES)
        return err_set(err, ERR_UNSUPPORTED, "CoRIM: a relation of tags");
    rc = corim_get_name(f[0].value, "a linked tag's id", &link.of, err);
    return rc ? rc : corim_add_link(c, &link, err);
}

static int get_links(struct corim *c, struct wire_reader r, struct err *err)
{
    struct wire_reader list;
    int rc = 0;

    if (!cbor_get_array(&r, &list) || wire_end(&list))
        return err_set(err, ERR_SYNTAX, "CoRIM: linked tags: not a list");
    while (rc == 0 && !wire_end(&list))
        rc = get_link(c, &list, err);
    return rc;
}

/* [environment, [+ measurement]] */
static int get_value_triple(struct corim *c, struct wire_reader *r,
        enum corim_role role, struct err *err)
{
    struct wire_reader in, list;
    struct corim_env env;
    struct span one;
    int rc;

    if (!cbor_get_array(r, &in))
        return err_set(err, ERR_SYNTAX, "CoRIM: a triple is no list");
    rc = corim_get_env(&in, &env, err);
    if (rc == 0)
        rc = corim_add_env(c, &env, err);
    if (rc)
        return rc;
    /* drafts before 03: one measurement, without a list around it */
    if (cbor_peek(&in) == CBOR_MAP && cbor_get_item(&in, &one))
        list = wire_reader_of(one);
    else if (!cbor_get_array(&in, &list))
        return err_set(err, ERR_SYNTAX, "CoRIM: a triple of another form");
    if (wire_end(&list) || !wire_end(&in))
        return err_set(err, ERR_SYNTAX, "CoRIM: a triple of another form");
    while (rc == 0 && !wire_end(&list))
        rc = corim_get_measurement(c, &list, role, err);
    return rc;
}

/* [environment, [+ key], ? conditions] */
static int get_key_triple(struct corim *c, struct wire_reader *r,
        enum corim_role role, struct err *err)
{
    struct corim_value v = {.role = role, .type = CORIM_KEY};
    struct wire_reader in, list;
    struct corim_env env;
    struct span conditions;
    int rc;

    if (!cbor_get_array(r, &in))
        return err_set(err, ERR_SYNTAX, "CoRIM: a triple is no list");
    rc = corim_get_env(&in, &env, err);
    if (rc == 0)
        rc = corim_add_env(c, &env, err);
    if (rc)
        return rc;
    if (!cbor_get_array(&in, &list) || wire_end(&list))
        return err_set(err, ERR_SYNTAX, "CoRIM: a triple without keys");
    if (!wire_end(&in)) {
        v.partial = true;
        if (cbor_peek(&in) != CBOR_MAP || !cbor_get_item(&in, &conditions) ||
                !wire_end(&in))
            return err_set(err, ERR_SYNTAX, "CoRIM: a triple of another form");
    }
    v.partial = v.partial || env.partial;
    while (rc == 0 && !wire_end(&list)) {
        rc = corim_get_key(&list, &v.key, err);
        if (rc == 0)
            rc = corim_add_value(c, &v, err);
    }
    c->n_measurements++;
    return rc;
}

static int get_triples(
        struct corim *c, struct wire_reader r, uint64_t kind, struct err *err)
{
    static const enum corim_role role[] = {[T_REFERENCE] = CORIM_REFERENCE,
            [T_ENDORSED] = CORIM_ENDORSED,
            [T_IDENTITY] = CORIM_IDENTITY_KEY,
            [T_ATTEST_KEY] = CORIM_ATTEST_KEY};
    struct wire_reader list;
    int rc = 0;

    if (!cbor_get_array(&r, &list) || wire_end(&list))
        return err_set(err, ERR_SYNTAX, "CoRIM: triples: not a list");
    while (rc == 0 && !wire_end(&list))
        rc = kind <= T_ENDORSED ? get_value_triple(c, &list, role[kind], err)
                                : get_key_triple(c, &list, role[kind], err);
    return rc;
}

static void note_skipped(struct corim *c, struct wire_reader key)
{
    const char *name = "triples that are not known here";
    uint64_t k;

    if (cbor_get_uint(&key, &k)) {
        for (size_t i = 0; i < ARRAY_LEN(skipped); i++) {
            if (skipped[i].key == k)
                name = skipped[i].name;
        }
    }
    corim_note(c, "tag %zu: %s were not looked at", c->n_tags, name);
}

static int get_all_triples(
        struct corim *c, struct wire_reader r, struct err *err)
{
    struct wire_reader map;
    struct span key, value;
    int rc = 0;

    if (!cbor_get_map(&r, &map) || wire_end(&map))
        return err_set(err, ERR_SYNTAX, "CoRIM: a tag without triples");
    while (rc == 0 && !wire_end(&map)) {
        struct wire_reader k;
        uint64_t kind;

        if (!cbor_get_item(&map, &key) || !cbor_get_item(&map, &value))
            return err_set(err, ERR_SYNTAX, "CoRIM: triples are cut off");
        k = wire_reader_of(key);
        if (cbor_get_uint(&k, &kind) && kind <= T_ATTEST_KEY)
            rc = get_triples(c, wire_reader_of(value), kind, err);
        else
            note_skipped(c, wire_reader_of(key));
    }
    return rc;
}

int corim_get_comid(struct corim *c, struct span comid, struct err *err)
{
    struct cbor_field f[M_N] = {[M_LANGUAGE] = {.key = 0, .name = "language"},
            [M_IDENTITY] = {.key = 1, .name = "tag-identity", .required = true},
            [M_ENTITIES] = {.key = 2, .name = "entities"},
            [M_LINKED] = {.key = 3, .name = "linked-tags"},
            [M_TRIPLES] = {.key = 4, .name = "triples", .required = true}};
    struct wire_reader r = wire_reader_of(comid);
    struct cbor_unknown unknown;
    struct span text;
    int rc;

    rc = cbor_check(comid, CBOR_ANY_ORDER, err);
    if (rc == 0)
        rc = cbor_get_fields(&r, "CoMID", f, M_N, &unknown, err);
    if (rc == 0)
        rc = corim_note_unknown(c, &unknown, "a CoMID", err);
    if (rc == 0 && f[M_LANGUAGE].present &&
            !cbor_get_text(&f[M_LANGUAGE].value, &text))
        rc = err_set(err, ERR_SYNTAX, "CoRIM: a CoMID's language");
    if (rc == 0)
        rc = add_tag(c, f[M_IDENTITY].value, err);
    if (rc == 0 && f[M_ENTITIES].present)
        rc = corim_check_entities(c, f[M_ENTITIES].value, "an entity", err);
    if (rc == 0 && f[M_LINKED].present)
        rc = get_links(c, f[M_LINKED].value, err);
    return rc ? rc : get_all_triples(c, f[M_TRIPLES].value, err);
}
