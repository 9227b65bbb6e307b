/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CBOR: what the check takes, the getters take to its end, and written again
 * from what they give it has the same bytes; what is deterministic is valid in
 * any order too.
 */
#include "cbor.h"

#include <stdlib.h>

static void copy(struct wire_reader *r, struct wire_writer *w);

static void copy_all(struct wire_reader in, struct wire_writer *w)
{
    while (!wire_end(&in))
        copy(&in, w);
}

static size_t count(struct wire_reader in)
{
    struct span item;
    size_t n = 0;

    for (; !wire_end(&in); n++) {
        if (!cbor_get_item(&in, &item))
            abort();
    }
    return n;
}

/* Depth is what the check allows. */
static void copy(struct wire_reader *r, struct wire_writer *w)
{
    struct wire_reader in;
    struct span s;
    uint64_t u;
    int64_t i;
    bool b;

    if (cbor_get_uint(r, &u)) {
        cbor_put_uint(w, u);
    } else if (cbor_get_int(r, &i)) {
        cbor_put_int(w, i);
    } else if (cbor_get_bytes(r, &s)) {
        cbor_put_bytes(w, s);
    } else if (cbor_get_text(r, &s)) {
        cbor_put_text(w, s);
    } else if (cbor_get_tag(r, &u)) {
        cbor_put_tag(w, u);
        copy(r, w);
    } else if (cbor_get_bool(r, &b)) {
        cbor_put_bool(w, b);
    } else if (cbor_get_null(r)) {
        cbor_put_null(w);
    } else if (cbor_get_array(r, &in)) {
        cbor_put_array(w, count(in));
        copy_all(in, w);
    } else if (cbor_get_map(r, &in)) {
        cbor_put_map(w, count(in) / 2);
        copy_all(in, w);
    } else if (cbor_get_item(r, &s)) { /* a float, undefined, a large nint */
        cbor_put_item(w, s);
    } else {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span doc = SPAN(data, size), again;
    struct wire_reader r = wire_reader_of(doc);
    bool strict = cbor_check(doc, CBOR_DETERMINISTIC, NULL) == 0;
    bool loose = cbor_check(doc, CBOR_ANY_ORDER, NULL) == 0;
    struct wire_writer w;
    uint8_t *out;

    if (strict && !loose && size < CBOR_ANY_ORDER_PAIRS_MAX)
        abort();
    if (!strict && !loose)
        return 0;
    out = malloc(size);
    if (!out)
        abort();
    w = wire_writer_of(out, size);
    copy(&r, &w);
    if (!wire_end(&r) || !wire_finish(&w, &again) || !span_eq(again, doc))
        abort();
    if (cbor_finish(&w, &again) != strict)
        abort();
    free(out);
    return 0;
}
