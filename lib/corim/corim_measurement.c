/* SPDX-License-Identifier: Apache-2.0 */
/* measurement-map and measurement-values-map (draft, 5.1.4.5). */
#include "corim_private.h"

enum {
    TAG_SVN = 552,
    TAG_MIN_SVN = 553,
    TAG_MASKED = 563,
    TAG_INT_RANGE = 564,
    FLAGS_N = 11,
};

/* One member of measurement-values-map: r is its value. */
typedef int get_member(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err);

static int get_version(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err)
{
    struct cbor_field f[] = {{.key = 0, .name = "version", .required = true},
            {.key = 1, .name = "version-scheme"}};
    struct span text;
    int64_t scheme = 0;
    int rc = cbor_get_fields(&r, "version", f, ARRAY_LEN(f), NULL, err);

    if (rc)
        return rc;
    if (!cbor_get_text(&f[0].value, &v->bytes) ||
            (f[1].present && !cbor_get_int(&f[1].value, &scheme) &&
                    !cbor_get_text(&f[1].value, &text)))
        return corim_bad(v, err);
    v->number = scheme > 0 ? (uint64_t)scheme : 0;
    return corim_add_value(c, v, err);
}

static int get_svn(struct corim *c, struct wire_reader r, struct corim_value *v,
        struct err *err)
{
    uint64_t tag = TAG_SVN;

    if (cbor_peek(&r) == CBOR_TAG && !cbor_get_tag(&r, &tag))
        return corim_bad(v, err);
    if ((tag != TAG_SVN && tag != TAG_MIN_SVN) ||
            !cbor_get_uint(&r, &v->number))
        return corim_bad(v, err);
    if (tag == TAG_MIN_SVN)
        v->type = CORIM_MIN_SVN;
    return corim_add_value(c, v, err);
}

static int get_flags(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err)
{
    struct wire_reader map;
    int rc = 0;

    if (!cbor_get_map(&r, &map) || wire_end(&map))
        return corim_bad(v, err);
    while (rc == 0 && !wire_end(&map)) {
        if (!cbor_get_uint(&map, &v->number) || v->number >= FLAGS_N ||
                !cbor_get_bool(&map, &v->yes))
            return corim_bad(v, err);
        rc = corim_add_value(c, v, err);
    }
    return rc;
}

/* Of a type that is not known here: shown, and what it stands with is partial.
 */
static int add_unknown(
        struct corim *c, const struct corim_value *v, struct err *err)
{
    struct corim_value unknown = *v;

    unknown.type = CORIM_EXTENSION;
    unknown.bytes =
            SPAN(corim_type_name(v->type), strlen(corim_type_name(v->type)));
    return corim_add_value(c, &unknown, err);
}

static int get_masked(
        struct wire_reader *r, struct corim_value *v, struct err *err)
{
    struct wire_reader in;

    if (!cbor_get_array(r, &in) || !cbor_get_bytes(&in, &v->bytes) ||
            !cbor_get_bytes(&in, &v->mask) || !wire_end(&in))
        return corim_bad(v, err);
    if (v->mask.len != v->bytes.len || v->mask.len == 0)
        return err_set(err, ERR_SYNTAX,
                "CoRIM: a mask of another length than its value");
    return 0;
}

/* #6.560(bytes), or #6.563([value, mask]) */
static int get_raw(struct corim *c, struct wire_reader r, struct corim_value *v,
        struct err *err)
{
    uint64_t tag;
    int rc = 0;

    if (!cbor_get_tag(&r, &tag))
        return corim_bad(v, err);
    if (tag != CORIM_TAG_BYTES && tag != TAG_MASKED)
        return add_unknown(c, v, err);
    if (tag == TAG_MASKED)
        rc = get_masked(&r, v, err);
    else if (!cbor_get_bytes(&r, &v->bytes))
        rc = corim_bad(v, err);
    return rc ? rc : corim_add_value(c, v, err);
}

/* Byte strings and texts with sizes of their own. */
static int get_sized(struct corim *c, struct wire_reader r,
        struct corim_value *v, size_t a, size_t b, struct err *err)
{
    if (!cbor_get_bytes(&r, &v->bytes) ||
            (v->bytes.len != a && v->bytes.len != b))
        return corim_bad(v, err);
    return corim_add_value(c, v, err);
}

static int get_mac(struct corim *c, struct wire_reader r, struct corim_value *v,
        struct err *err)
{
    return get_sized(c, r, v, 6, 8, err);
}

static int get_ip(struct corim *c, struct wire_reader r, struct corim_value *v,
        struct err *err)
{
    return get_sized(c, r, v, 4, 16, err);
}

static int get_uuid(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err)
{
    return get_sized(c, r, v, 16, 16, err);
}

static int get_ueid(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err)
{
    if (!cbor_get_bytes(&r, &v->bytes) || v->bytes.len < 7 || v->bytes.len > 33)
        return corim_bad(v, err);
    return corim_add_value(c, v, err);
}

static int get_text(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err)
{
    if (!cbor_get_text(&r, &v->bytes))
        return corim_bad(v, err);
    return corim_add_value(c, v, err);
}

static int get_keys(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err)
{
    struct wire_reader list;
    int rc = 0;

    if (!cbor_get_array(&r, &list) || wire_end(&list))
        return corim_bad(v, err);
    while (rc == 0 && !wire_end(&list)) {
        rc = corim_get_key(&list, &v->key, err);
        if (rc == 0)
            rc = corim_add_value(c, v, err);
    }
    return rc;
}

/* [min / null, max / null] */
static bool get_limits(struct wire_reader *r, struct corim_value *v)
{
    struct wire_reader in;

    if (!cbor_get_array(r, &in))
        return false;
    v->has_min = !cbor_get_null(&in);
    if (v->has_min && !cbor_get_int(&in, &v->min))
        return false;
    v->has_max = !cbor_get_null(&in);
    if (v->has_max && !cbor_get_int(&in, &v->max))
        return false;
    return wire_end(&in) && !(v->has_min && v->has_max && v->min > v->max);
}

/* int, or #6.564(limits); what else stood here in other drafts is unknown */
static int get_range(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err)
{
    if (cbor_get_int(&r, &v->min)) {
        v->max = v->min;
        v->has_min = v->has_max = true;
        return corim_add_value(c, v, err);
    }
    if (!cbor_get_tag_of(&r, TAG_INT_RANGE))
        return add_unknown(c, v, err);
    if (!get_limits(&r, v))
        return corim_bad(v, err);
    return corim_add_value(c, v, err);
}

/* ---- the map --------------------------------------------------------- */

static const struct {
    uint64_t key;
    enum corim_type type;
    get_member *get;
} members[] = {
        {0, CORIM_VERSION, get_version},
        {1, CORIM_SVN, get_svn},
        {2, CORIM_DIGEST, corim_get_digests},
        {3, CORIM_FLAG, get_flags},
        {4, CORIM_RAW, get_raw},
        {6, CORIM_MAC, get_mac},
        {7, CORIM_IP, get_ip},
        {8, CORIM_SERIAL, get_text},
        {9, CORIM_UEID, get_ueid},
        {10, CORIM_UUID, get_uuid},
        {11, CORIM_NAME, get_text},
        {13, CORIM_KEY, get_keys},
        {14, CORIM_REGISTER, corim_get_registers},
        {15, CORIM_RANGE, get_range},
};
#define KEY_RAW_MASK 5 /* deprecated; applies to the raw value beside it */

static int get_one(struct corim *c, struct span key, struct span value,
        const struct corim_value *base, struct err *err)
{
    struct wire_reader r = wire_reader_of(key);
    struct corim_value v = *base;
    uint64_t k;

    if (cbor_get_uint(&r, &k)) {
        for (size_t i = 0; i < ARRAY_LEN(members); i++) {
            if (members[i].key != k)
                continue;
            v.type = members[i].type;
            return members[i].get(c, wire_reader_of(value), &v, err);
        }
    }
    v.type = CORIM_EXTENSION;
    v.bytes = key;
    return corim_add_value(c, &v, err);
}

/* The old way to mask: one mask beside one raw value. */
static int apply_mask(
        struct corim *c, size_t first, struct wire_reader r, struct err *err)
{
    struct span mask;

    if (!cbor_get_bytes(&r, &mask))
        return err_set(err, ERR_SYNTAX, "CoRIM: a mask of another form");
    for (size_t i = first; i < c->n_values; i++) {
        struct corim_value *v = &c->value[i];

        if (v->type != CORIM_RAW)
            continue;
        if (v->mask.ptr || mask.len != v->bytes.len || mask.len == 0)
            break;
        v->mask = mask;
        return 0;
    }
    return err_set(err, ERR_SYNTAX, "CoRIM: a mask that fits no raw value");
}

static int get_values(struct corim *c, struct wire_reader r,
        const struct corim_value *base, struct err *err)
{
    struct wire_reader map, mask = {0};
    struct span key, value;
    size_t first = c->n_values;
    int rc = 0;

    if (!cbor_get_map(&r, &map) || wire_end(&map))
        return err_set(err, ERR_SYNTAX, "CoRIM: a measurement of nothing");
    while (rc == 0 && !wire_end(&map)) {
        struct wire_reader k;
        uint64_t number;

        if (!cbor_get_item(&map, &key) || !cbor_get_item(&map, &value))
            return err_set(err, ERR_SYNTAX, "CoRIM: a measurement is cut off");
        k = wire_reader_of(key);
        if (cbor_get_uint(&k, &number) && number == KEY_RAW_MASK)
            mask = wire_reader_of(value);
        else
            rc = get_one(c, key, value, base, err);
    }
    if (rc == 0 && mask.ptr)
        rc = apply_mask(c, first, mask, err);
    return rc;
}

/* One member that was not understood makes all of them doubtful. */
static void spread_doubt(struct corim *c, size_t first, bool partial)
{
    for (size_t i = first; i < c->n_values; i++)
        partial = partial || c->value[i].type == CORIM_EXTENSION;
    for (size_t i = first; i < c->n_values; i++)
        c->value[i].partial = partial;
}

int corim_get_measurement(struct corim *c, struct wire_reader *r,
        enum corim_role role, struct err *err)
{
    struct cbor_field f[] = {{.key = 0, .name = "key"},
            {.key = 1, .name = "value", .required = true},
            {.key = 2, .name = "authorized-by"}};
    struct corim_value v = {.role = role};
    struct cbor_unknown unknown;
    size_t first = c->n_values;
    int rc = cbor_get_fields(r, "measurement", f, ARRAY_LEN(f), &unknown, err);

    if (rc)
        return rc;
    if (f[0].present)
        rc = corim_get_mkey(f[0].value, &v.mkey, err);
    v.authorized_by = f[2].present;
    if (rc == 0)
        rc = get_values(c, f[1].value, &v, err);
    if (rc)
        return rc;
    spread_doubt(c, first, unknown.n > 0 || c->env[c->n_envs - 1].partial);
    c->n_measurements++;
    return 0;
}
