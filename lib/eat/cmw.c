/* SPDX-License-Identifier: Apache-2.0 */
/* RATS conceptual messages wrapper, in CBOR (draft-ietf-rats-msg-wrap). */
#include "eat_private.h"

/* RFC 9277, 4.3: a tag for each content format, but none that ends in ff. */
#define TAG_FIRST       0x63740101u
#define TAG_LAST        0x6374ffffu
#define TAG_SPAN        256
#define FORMATS_SPAN    255
#define COLLECTION_TYPE "__cmwc_t"
#define CMW_KINDS_ALL   15u
#define MEDIA_TYPE_MAX  255

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_SYNTAX, "CMW: %s of another form", what);
}

/* type "/" subtype, then parameters; no white space in front */
static bool is_media_type(struct span s)
{
    const uint8_t *slash = s.len ? memchr(s.ptr, '/', s.len) : NULL;

    return slash && slash > s.ptr && slash + 1 < s.ptr + s.len &&
           s.len <= MEDIA_TYPE_MAX;
}

static int get_array(
        struct wire_reader *r, struct cmw_record *ret, struct err *err)
{
    struct wire_reader in;

    if (!cbor_get_array(r, &in))
        return bad(err, "a record");
    if (cbor_get_text(&in, &ret->media_type)) {
        if (!is_media_type(ret->media_type))
            return bad(err, "a media type");
    } else if (!cbor_get_uint(&in, &ret->format) || ret->format > FORMAT_MAX) {
        return bad(err, "a type");
    }
    if (!cbor_get_bytes(&in, &ret->value))
        return bad(err, "a value");
    ret->has_kinds = !wire_end(&in);
    if (ret->has_kinds &&
            (!cbor_get_uint(&in, &ret->kinds) || ret->kinds == 0 ||
                    ret->kinds > CMW_KINDS_ALL || !wire_end(&in)))
        return bad(err, "an indicator");
    return 0;
}

static int get_tag(
        struct wire_reader *r, struct cmw_record *ret, struct err *err)
{
    uint64_t tag;

    if (!cbor_get_tag(r, &tag) || tag < TAG_FIRST || tag > TAG_LAST ||
            (tag - TAG_FIRST) % TAG_SPAN == FORMATS_SPAN)
        return err_set(err, ERR_UNSUPPORTED,
                "CMW: a tag that stands for no content format");
    ret->format = (tag - TAG_FIRST) / TAG_SPAN * FORMATS_SPAN +
                  (tag - TAG_FIRST) % TAG_SPAN;
    return cbor_get_bytes(r, &ret->value) ? 0 : bad(err, "a value");
}

static int get_record(
        struct wire_reader *r, struct cmw_record *ret, struct err *err)
{
    if (cbor_peek(r) == CBOR_MAP)
        return err_set(
                err, ERR_UNSUPPORTED, "CMW: a collection in a collection");
    return cbor_peek(r) == CBOR_TAG ? get_tag(r, ret, err)
                                    : get_array(r, ret, err);
}

static int get_collection(
        struct wire_reader *r, struct cmw *ret, struct err *err)
{
    struct wire_reader map;
    int rc = 0;

    if (!cbor_get_map(r, &map))
        return bad(err, "a collection");
    while (rc == 0 && !wire_end(&map)) {
        struct cmw_record rec = {0};

        if (!cbor_get_text(&map, &rec.label) &&
                !cbor_get_int(&map, &rec.number))
            return bad(err, "a label");
        if (rec.label.ptr && span_eq_str(rec.label, COLLECTION_TYPE)) {
            if (!cbor_get_text(&map, &ret->type))
                return bad(err, "a collection's type");
            continue;
        }
        if (ret->n == CMW_RECORDS_MAX)
            return err_set(err, ERR_LIMIT, "CMW: more than %d records",
                    CMW_RECORDS_MAX);
        rc = get_record(&map, &rec, err);
        if (rc == 0)
            ret->record[ret->n++] = rec;
    }
    return rc == 0 && ret->n == 0 ? bad(err, "a collection") : rc;
}

int cmw_read(struct span msg, struct cmw *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(msg);
    int rc = cbor_check(msg, CBOR_DETERMINISTIC, err);

    memset(ret, 0, sizeof(*ret));
    if (rc)
        return rc;
    ret->is_collection = cbor_peek(&r) == CBOR_MAP;
    if (ret->is_collection) {
        rc = get_collection(&r, ret, err);
    } else {
        rc = get_record(&r, &ret->record[0], err);
        ret->n = 1;
    }
    if (rc)
        memset(ret, 0, sizeof(*ret));
    return rc;
}

int cmw_write(const char *media_type, struct span value, uint64_t kinds,
        struct buf *ret, struct err *err)
{
    size_t room = 32 + MEDIA_TYPE_MAX + value.len;
    struct wire_writer w;
    struct span item;
    uint8_t *p;

    if (!is_media_type(span_str(media_type)) || kinds > CMW_KINDS_ALL)
        return err_set(err, ERR_USAGE, "CMW: %s is no media type", media_type);
    p = buf_reserve(ret, room);
    if (!p)
        return buf_ok(ret, err);
    w = wire_writer_of(p, room);
    cbor_put_array(&w, kinds ? 3 : 2);
    cbor_put_str(&w, media_type);
    cbor_put_bytes(&w, value);
    if (kinds)
        cbor_put_uint(&w, kinds);
    if (!cbor_finish(&w, &item))
        return err_set(err, ERR_LIMIT, "CMW: the message is too large");
    buf_commit(ret, item.len);
    return 0;
}
