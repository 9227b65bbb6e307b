/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room bundle (floor 1, pure): a set of named files as one run of bytes, so
 * that what is measured is what is used.  Specification: docs/proto/bundle.md.
 *
 * Record: u16 length and name, u32 length and content, integers big-endian.
 * Names are clean relative paths ("zones/server.json") in strictly ascending
 * byte order, so that one set of files has one encoding.  An empty bundle has
 * no bytes.  Spans that come out point into the bundle.
 */
#ifndef QAIR_BUNDLE_H
#define QAIR_BUNDLE_H

#include "base.h"
#include "buf.h"

struct bundle_file {
    struct span name;
    struct span content;
};

/*
 * A clean relative path of at most LIMIT_BUNDLE_NAME_MAX bytes: components of
 * [A-Za-z0-9_@+.-] that do not begin with '.', single slashes between.
 */
bool bundle_is_name(struct span name);

/* Appends one file; names must come in ascending order (ERR_EXISTS, ERR_STATE
 * otherwise).  Starts from a zeroed struct; out carries the cap. */
struct bundle_writer {
    struct buf *out;
    size_t count;
    size_t last_at; /* offset and length of the last name in out */
    size_t last_len;
};
int bundle_put(struct bundle_writer *w, const struct bundle_file *file,
        struct err *err) MUST_CHECK;

/* Whole-bundle check; afterwards bundle_next and bundle_find cannot fail. */
int bundle_check(struct span bundle, struct err *err) MUST_CHECK;

/*
 *     struct bundle_iter it = bundle_iter_of(bundle);
 *     while (bundle_next(&it, &file)) ...
 * Ends at the first malformed record; check with bundle_check before.
 */
struct bundle_iter {
    struct wire_reader r;
};
static inline struct bundle_iter bundle_iter_of(struct span bundle)
{
    return (struct bundle_iter){.r = wire_reader_of(bundle)};
}
bool bundle_next(struct bundle_iter *it, struct bundle_file *ret) MUST_CHECK;
/* The content of the file of that name. */
bool bundle_find(struct span bundle, const char *name, struct span *ret)
        MUST_CHECK;
/* Number of files of a checked bundle. */
size_t bundle_count(struct span bundle);

#endif
