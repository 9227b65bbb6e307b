/* SPDX-License-Identifier: Apache-2.0 */
/* What a person reads; foreign text is made safe. */
#include "corim_private.h"

#include <inttypes.h>

#define SHOWN_MAX 128 /* bytes of a value; the rest is dots */

static const char *const flag_names[] = {"configured", "secure", "recovery",
        "debug", "replay-protected", "integrity-protected", "runtime-measured",
        "immutable", "tcb", "confidentiality-protected", "runtime-updatable"};

const char *corim_flag_name(uint64_t flag)
{
    return flag < ARRAY_LEN(flag_names) ? flag_names[flag] : NULL;
}

static const char *const type_names[] = {[CORIM_VERSION] = "version",
        [CORIM_SVN] = "svn",
        [CORIM_MIN_SVN] = "least svn",
        [CORIM_DIGEST] = "digest",
        [CORIM_FLAG] = "flag",
        [CORIM_RAW] = "raw value",
        [CORIM_MAC] = "MAC address",
        [CORIM_IP] = "IP address",
        [CORIM_SERIAL] = "serial number",
        [CORIM_UEID] = "ueid",
        [CORIM_UUID] = "uuid",
        [CORIM_NAME] = "name",
        [CORIM_KEY] = "key",
        [CORIM_REGISTER] = "register",
        [CORIM_RANGE] = "range",
        [CORIM_EXTENSION] = "extension"};

const char *corim_type_name(enum corim_type t)
{
    return (size_t)t < ARRAY_LEN(type_names) && type_names[t] ? type_names[t]
                                                              : "unknown";
}

static void put_text(struct span s, struct buf *ret)
{
    char safe[SHOWN_MAX + 1];

    text_format_safe(s, safe, sizeof(safe));
    buf_printf(ret, "\"%s\"", safe);
}

static void put_hex(struct span s, struct buf *ret)
{
    char hex[TEXT_HEX_SIZE(SHOWN_MAX)];
    bool cut = s.len > SHOWN_MAX;

    text_format_hex(SPAN(s.ptr, cut ? SHOWN_MAX : s.len), hex);
    buf_printf(ret, "%s%s", hex, cut ? "..." : "");
}

static void put_uuid(struct span s, struct buf *ret)
{
    static const size_t part[] = {4, 2, 2, 2, 6};
    size_t at = 0;

    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        if (i > 0)
            buf_append_u8(ret, '-');
        put_hex(SPAN(s.ptr + at, part[i]), ret);
        at += part[i];
    }
}

/* X.690, 8.19: base 128, the first two arcs in one; huge ones as hex. */
static void put_oid(struct span s, struct buf *ret)
{
    uint64_t arc = 0;
    bool first = true;

    if (s.len > SHOWN_MAX) {
        put_hex(s, ret);
        return;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (arc > UINT64_MAX >> 7) {
            buf_append_str(ret, ".?");
            return;
        }
        arc = arc << 7 | (s.ptr[i] & 0x7f);
        if (s.ptr[i] & 0x80)
            continue;
        if (first)
            buf_printf(ret, "%d.%" PRIu64, arc < 80 ? (int)(arc / 40) : 2,
                    arc < 80 ? arc % 40 : arc - 80);
        else
            buf_printf(ret, ".%" PRIu64, arc);
        first = false;
        arc = 0;
    }
}

void corim_format_id(const struct corim_id *id, struct buf *ret)
{
    if (id->text)
        put_text(id->value, ret);
    else if (id->tag == CORIM_TAG_OID)
        put_oid(id->value, ret);
    else if (id->tag == CORIM_TAG_UUID)
        put_uuid(id->value, ret);
    else
        put_hex(id->value, ret);
}

void corim_format_name(const struct corim_name *name, struct buf *ret)
{
    if (name->text)
        put_text(name->value, ret);
    else if (name->value.ptr)
        put_uuid(name->value, ret);
}

void corim_format_env(const struct corim_env *env, struct buf *ret)
{
    const struct {
        const char *name;
        const struct corim_id *id;
    } ids[] = {{"class", &env->class_id}, {"instance", &env->instance},
            {"group", &env->group}};
    const char *gap = "";

    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        if (!ids[i].id->present)
            continue;
        buf_printf(ret, "%s%s ", gap, ids[i].name);
        corim_format_id(ids[i].id, ret);
        gap = ", ";
    }
    if (env->vendor.ptr) {
        buf_printf(ret, "%svendor ", gap);
        put_text(env->vendor, ret);
        gap = ", ";
    }
    if (env->model.ptr) {
        buf_printf(ret, "%smodel ", gap);
        put_text(env->model, ret);
        gap = ", ";
    }
    if (env->has_layer) {
        buf_printf(ret, "%slayer %" PRIu64, gap, env->layer);
        gap = ", ";
    }
    if (env->has_index) {
        buf_printf(ret, "%sindex %" PRIu64, gap, env->index);
        gap = ", ";
    }
    if (env->partial)
        buf_printf(ret, "%sand more that is not known here", gap);
}

static void put_mkey(const struct corim_mkey *k, struct buf *ret)
{
    switch (k->type) {
    case CORIM_MKEY_NONE:
        return;
    case CORIM_MKEY_UINT:
        buf_printf(ret, "%" PRIu64, k->number);
        return;
    case CORIM_MKEY_TEXT:
        put_text(k->value, ret);
        return;
    case CORIM_MKEY_UUID:
        put_uuid(k->value, ret);
        return;
    case CORIM_MKEY_OID:
        put_oid(k->value, ret);
        return;
    }
}

static void put_digest(const struct corim_value *v, struct buf *ret)
{
    const char *alg = corim_alg_name(v->alg);

    buf_printf(ret, "%s ", alg ? alg : "(unknown hash)");
    put_hex(v->bytes, ret);
}

static void put_raw(const struct corim_value *v, struct buf *ret)
{
    put_hex(v->bytes, ret);
    if (v->mask.ptr) {
        buf_append_str(ret, " where ");
        put_hex(v->mask, ret);
    }
}

static void put_range(const struct corim_value *v, struct buf *ret)
{
    if (v->has_min)
        buf_printf(ret, "%" PRId64, v->min);
    buf_append_str(ret, "..");
    if (v->has_max)
        buf_printf(ret, "%" PRId64, v->max);
}

/* A member's number, as it stands in CBOR, or the name of what it is of. */
static void put_extension(struct span s, struct buf *ret)
{
    struct wire_reader r = wire_reader_of(s);
    int64_t key;

    if (cbor_get_int(&r, &key) && wire_end(&r))
        buf_printf(ret, "%" PRId64, key);
    else
        put_text(s, ret);
}

static void put_content(const struct corim_value *v, struct buf *ret)
{
    switch (v->type) {
    case CORIM_SVN:
    case CORIM_MIN_SVN:
        buf_printf(ret, "%" PRIu64, v->number);
        return;
    case CORIM_FLAG:
        buf_printf(ret, "%s %s", corim_flag_name(v->number),
                v->yes ? "yes" : "no");
        return;
    case CORIM_VERSION:
    case CORIM_SERIAL:
    case CORIM_NAME:
        put_text(v->bytes, ret);
        return;
    case CORIM_REGISTER:
        put_mkey(&v->reg, ret);
        buf_append_u8(ret, ' ');
        put_digest(v, ret);
        return;
    case CORIM_DIGEST:
        put_digest(v, ret);
        return;
    case CORIM_RAW:
        put_raw(v, ret);
        return;
    case CORIM_UUID:
        put_uuid(v->bytes, ret);
        return;
    case CORIM_KEY:
        corim_format_id(&v->key, ret);
        return;
    case CORIM_RANGE:
        put_range(v, ret);
        return;
    case CORIM_MAC:
    case CORIM_IP:
    case CORIM_UEID:
        put_hex(v->bytes, ret);
        return;
    case CORIM_EXTENSION:
        put_extension(v->bytes, ret);
        return;
    }
}

void corim_format_value(const struct corim_value *v, struct buf *ret)
{
    if (v->mkey.type != CORIM_MKEY_NONE) {
        put_mkey(&v->mkey, ret);
        buf_append_str(ret, ": ");
    }
    buf_printf(ret, "%s ", corim_type_name(v->type));
    put_content(v, ret);
}
