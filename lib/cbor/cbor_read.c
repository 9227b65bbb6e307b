/* SPDX-License-Identifier: Apache-2.0 */
#include "cbor_private.h"

/* The next head, if it is of this major type; r is not advanced. */
static bool head_of(struct wire_reader *r, uint8_t major, struct cbor_head *ret)
{
    struct cbor_head h;

    if (cbor_head_get(r, &h) || h.major != major)
        return false;
    *ret = h;
    return true;
}

enum cbor_type cbor_peek(const struct wire_reader *r)
{
    static const enum cbor_type of_major[] = {CBOR_UINT, CBOR_NINT, CBOR_BYTES,
            CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_TAG};
    struct wire_reader at = *r;
    struct cbor_head h;

    if (cbor_head_get(&at, &h))
        return CBOR_NONE;
    if (h.major != MAJOR_SIMPLE)
        return of_major[h.major];
    if (h.info == SIMPLE_NULL)
        return CBOR_NULL;
    if (h.info == SIMPLE_UNDEFINED)
        return CBOR_UNDEFINED;
    return h.info < SIMPLE_NULL ? CBOR_BOOL : CBOR_FLOAT;
}

bool cbor_get_uint(struct wire_reader *r, uint64_t *ret)
{
    struct wire_reader at = *r;
    struct cbor_head h;

    if (!head_of(&at, MAJOR_UINT, &h))
        return false;
    *r = at;
    *ret = h.value;
    return true;
}

bool cbor_get_int(struct wire_reader *r, int64_t *ret)
{
    struct wire_reader at = *r;
    struct cbor_head h;

    if (cbor_head_get(&at, &h) || h.major > MAJOR_NINT || h.value > INT64_MAX)
        return false;
    *r = at;
    *ret = h.major == MAJOR_UINT ? (int64_t)h.value : -1 - (int64_t)h.value;
    return true;
}

static bool get_simple(
        struct wire_reader *r, uint8_t from, uint8_t to, uint8_t *ret)
{
    struct wire_reader at = *r;
    struct cbor_head h;

    if (!head_of(&at, MAJOR_SIMPLE, &h) || h.info < from || h.info > to)
        return false;
    *r = at;
    *ret = h.info;
    return true;
}

bool cbor_get_bool(struct wire_reader *r, bool *ret)
{
    uint8_t info;

    if (!get_simple(r, SIMPLE_FALSE, SIMPLE_TRUE, &info))
        return false;
    *ret = info == SIMPLE_TRUE;
    return true;
}

bool cbor_get_null(struct wire_reader *r)
{
    uint8_t info;

    return get_simple(r, SIMPLE_NULL, SIMPLE_NULL, &info);
}

static bool get_string(struct wire_reader *r, uint8_t major, struct span *ret)
{
    struct wire_reader at = *r;
    struct cbor_head h;
    struct span s;

    if (!head_of(&at, major, &h) || h.value > at.left ||
            !wire_get_span(&at, (size_t)h.value, &s))
        return false;
    *r = at;
    *ret = s;
    return true;
}

bool cbor_get_bytes(struct wire_reader *r, struct span *ret)
{
    return get_string(r, MAJOR_BYTES, ret);
}

bool cbor_get_text(struct wire_reader *r, struct span *ret)
{
    return get_string(r, MAJOR_TEXT, ret);
}

bool cbor_get_tag(struct wire_reader *r, uint64_t *ret)
{
    struct wire_reader at = *r;
    struct cbor_head h;

    if (!head_of(&at, MAJOR_TAG, &h))
        return false;
    *r = at;
    *ret = h.value;
    return true;
}

bool cbor_get_tag_of(struct wire_reader *r, uint64_t tag)
{
    struct wire_reader at = *r;
    uint64_t got;

    if (!cbor_get_tag(&at, &got) || got != tag)
        return false;
    *r = at;
    return true;
}

/* Counts what is open instead of nesting: a depth bomb costs its length. */
bool cbor_get_item(struct wire_reader *r, struct span *ret)
{
    struct wire_reader at = *r;
    struct cbor_head h;
    struct span content;
    size_t open = 1, items;

    while (open > 0) {
        if (cbor_head_get(&at, &h) || !cbor_head_items(&h, at.left, &items))
            return false;
        if ((h.major == MAJOR_BYTES || h.major == MAJOR_TEXT) &&
                (h.value > at.left ||
                        !wire_get_span(&at, (size_t)h.value, &content)))
            return false;
        open += items;
        open--;
        if (open > at.left)
            return false;
    }
    *ret = SPAN(r->ptr, r->left - at.left);
    *r = at;
    return true;
}

static bool get_container(
        struct wire_reader *r, uint8_t major, struct wire_reader *ret)
{
    struct wire_reader at = *r, inside = *r;
    struct cbor_head h;
    struct span whole;

    if (!head_of(&inside, major, &h) || !cbor_get_item(&at, &whole))
        return false;
    *ret = (struct wire_reader){
            .ptr = inside.ptr, .left = inside.left - at.left};
    *r = at;
    return true;
}

bool cbor_get_array(struct wire_reader *r, struct wire_reader *ret)
{
    return get_container(r, MAJOR_ARRAY, ret);
}

bool cbor_get_map(struct wire_reader *r, struct wire_reader *ret)
{
    return get_container(r, MAJOR_MAP, ret);
}

static struct cbor_field *find(
        struct cbor_field *field, size_t n, struct span key)
{
    struct wire_reader r = wire_reader_of(key);
    int64_t k;

    if (!cbor_get_int(&r, &k))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (field[i].key == k)
            return &field[i];
    }
    return NULL;
}

static int get_members(struct wire_reader map, const char *what,
        struct cbor_field *field, size_t n, struct cbor_unknown *unknown,
        struct err *err)
{
    struct span key, value;

    while (!wire_end(&map)) {
        struct cbor_field *f;

        if (!cbor_get_item(&map, &key) || !cbor_get_item(&map, &value))
            return err_set(err, ERR_SYNTAX, "%s: cut off", what);
        f = find(field, n, key);
        if (f && f->present)
            return err_set(err, ERR_SYNTAX, "%s: %s twice", what, f->name);
        if (f) {
            f->present = true;
            f->value = wire_reader_of(value);
            continue;
        }
        if (unknown->n++ == 0)
            unknown->first = key;
        if (key.ptr[0] >> 5 == MAJOR_NINT)
            unknown->negative++;
    }
    return 0;
}

int cbor_get_fields(struct wire_reader *r, const char *what,
        struct cbor_field *field, size_t n, struct cbor_unknown *ret_unknown,
        struct err *err)
{
    struct cbor_unknown unknown = {0};
    struct wire_reader at = *r, map;
    int rc;

    if (!cbor_get_map(&at, &map))
        return err_set(err, ERR_SYNTAX, "%s: not a map", what);
    for (size_t i = 0; i < n; i++)
        field[i].present = false;
    rc = get_members(map, what, field, n, &unknown, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++) {
        if (field[i].required && !field[i].present)
            return err_set(
                    err, ERR_SYNTAX, "%s: %s is missing", what, field[i].name);
    }
    if (!ret_unknown && unknown.n > 0)
        return err_set(err, ERR_UNSUPPORTED, "%s: %u unknown members", what,
                unknown.n);
    if (ret_unknown)
        *ret_unknown = unknown;
    *r = at;
    return 0;
}
