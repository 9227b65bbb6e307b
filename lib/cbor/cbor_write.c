/* SPDX-License-Identifier: Apache-2.0 */
#include "cbor_private.h"

void cbor_put_uint(struct wire_writer *w, uint64_t v)
{
    cbor_head_put(w, MAJOR_UINT, v);
}

void cbor_put_int(struct wire_writer *w, int64_t v)
{
    if (v >= 0)
        cbor_head_put(w, MAJOR_UINT, (uint64_t)v);
    else
        cbor_head_put(w, MAJOR_NINT, (uint64_t)(-1 - v));
}

void cbor_put_bool(struct wire_writer *w, bool v)
{
    cbor_head_put(w, MAJOR_SIMPLE, v ? SIMPLE_TRUE : SIMPLE_FALSE);
}

void cbor_put_null(struct wire_writer *w)
{
    cbor_head_put(w, MAJOR_SIMPLE, SIMPLE_NULL);
}

void cbor_put_bytes_head(struct wire_writer *w, size_t len)
{
    cbor_head_put(w, MAJOR_BYTES, len);
}

void cbor_put_bytes(struct wire_writer *w, struct span s)
{
    cbor_head_put(w, MAJOR_BYTES, s.len);
    wire_put_bytes(w, s.ptr, s.len);
}

void cbor_put_text(struct wire_writer *w, struct span s)
{
    cbor_head_put(w, MAJOR_TEXT, s.len);
    wire_put_bytes(w, s.ptr, s.len);
}

void cbor_put_str(struct wire_writer *w, const char *s)
{
    cbor_put_text(w, span_str(s));
}

void cbor_put_tag(struct wire_writer *w, uint64_t tag)
{
    cbor_head_put(w, MAJOR_TAG, tag);
}

void cbor_put_array(struct wire_writer *w, size_t n)
{
    cbor_head_put(w, MAJOR_ARRAY, n);
}

void cbor_put_map(struct wire_writer *w, size_t pairs)
{
    cbor_head_put(w, MAJOR_MAP, pairs);
}

void cbor_put_item(struct wire_writer *w, struct span item)
{
    wire_put_bytes(w, item.ptr, item.len);
}

bool cbor_finish(const struct wire_writer *w, struct span *ret)
{
    struct span item;

    if (!wire_finish(w, &item) || cbor_check(item, CBOR_DETERMINISTIC, NULL))
        return false;
    *ret = item;
    return true;
}
