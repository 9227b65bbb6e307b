/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room cbor (floor 1, pure): CBOR (RFC 8949) in its deterministic encoding
 * (section 4.2), read with base's wire_reader and written with its
 * wire_writer.  No heap.  Any process may call it.
 *
 * Reading is two steps.  cbor_check looks once at the whole of what a peer
 * sent: exactly one item, no trailing bytes, every head, length and float in
 * its shortest form, no indefinite lengths, text valid UTF-8 (and without
 * NUL: base's rule), map keys sorted and never twice, bignums (tags 2 and 3)
 * only for what no integer can hold, simple values false, true, null and
 * undefined only; and no more of all of it than the limits below.  After that
 * the getters are a cursor: each checks type and bounds again, returns false
 * and leaves reader and output alone when the next item is another one, so a
 * getter over bytes that were never checked is wrong but not unsafe.  A
 * container comes as a sub-reader of its own; it must be read to wire_end.
 * CBOR within a byte string (RFC 8949, 3.4.5.1) is a new document: check it
 * again.
 *
 * CBOR_ANY_ORDER is valid, but not deterministic: map keys in any order, all
 * else as above, two equal keys still refused.  It is for carriers that others
 * wrote, such as CoRIMs in the wild, whose encoders sort by RFC 7049's rule or
 * not at all; nothing of our own is read with it.
 *
 * The meaning of tags other than 2 and 3 is the caller's business.
 */
#ifndef QAIR_CBOR_H
#define QAIR_CBOR_H

#include "base.h"

/* As large as evidence between own processes gets. */
#define CBOR_BYTES_MAX (4u << 20)
/* CoRIM nests 14 deep and EAT with submodules as much again. */
#define CBOR_DEPTH_MAX 32
/* Heads in one document: a CoRIM of 1,000 measured files has some 20,000. */
#define CBOR_ITEMS_MAX (1u << 18)
/* Pairs of one map in CBOR_ANY_ORDER, where keys are compared each with each;
 * the largest map in use has one key a PCR. */
#define CBOR_ANY_ORDER_PAIRS_MAX 256

enum cbor_order { CBOR_DETERMINISTIC, CBOR_ANY_ORDER };

/* ERR_SYNTAX, ERR_LIMIT or ERR_UNSUPPORTED, naming the byte. */
int cbor_check(struct span item, enum cbor_order order, struct err *err)
        MUST_CHECK;

enum cbor_type {
    CBOR_NONE, /* nothing left, or not the head of an item */
    CBOR_UINT,
    CBOR_NINT,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_BOOL,
    CBOR_NULL,
    CBOR_UNDEFINED,
    CBOR_FLOAT,
};

enum cbor_type cbor_peek(const struct wire_reader *r);
bool cbor_get_uint(struct wire_reader *r, uint64_t *ret) MUST_CHECK;
/* False when the number is beyond an int64_t. */
bool cbor_get_int(struct wire_reader *r, int64_t *ret) MUST_CHECK;
bool cbor_get_bool(struct wire_reader *r, bool *ret) MUST_CHECK;
bool cbor_get_null(struct wire_reader *r) MUST_CHECK;
bool cbor_get_bytes(struct wire_reader *r, struct span *ret) MUST_CHECK;
bool cbor_get_text(struct wire_reader *r, struct span *ret) MUST_CHECK;
/* The tag's number; its content is the next item. */
bool cbor_get_tag(struct wire_reader *r, uint64_t *ret) MUST_CHECK;
/* The tag's number must be this. */
bool cbor_get_tag_of(struct wire_reader *r, uint64_t tag) MUST_CHECK;
/* The items, or key, value, key, value, ... */
bool cbor_get_array(struct wire_reader *r, struct wire_reader *ret) MUST_CHECK;
bool cbor_get_map(struct wire_reader *r, struct wire_reader *ret) MUST_CHECK;
/* Any item, whole, as it stands. */
bool cbor_get_item(struct wire_reader *r, struct span *ret) MUST_CHECK;

/* One member of a map with integer keys, for cbor_get_fields. */
struct cbor_field {
    int64_t key;
    const char *name; /* for the message */
    bool required;
    bool present;             /* set */
    struct wire_reader value; /* set: this one item */
};

/* Members of a map that its reader's table does not have. */
struct cbor_unknown {
    unsigned n;
    unsigned negative; /* of them with a negative integer: a profile's own */
    struct span first; /* key, as encoded */
};

/*
 * A map by table.  Members that are not in it are refused when ret_unknown is
 * NULL, else counted there (it is set, not added to).  what names the map.
 */
int cbor_get_fields(struct wire_reader *r, const char *what,
        struct cbor_field *field, size_t n, struct cbor_unknown *ret_unknown,
        struct err *err) MUST_CHECK;

/*
 * Writing.  Heads come out in their shortest form; the order of map keys is the
 * caller's duty and cbor_finish looks after it.
 */
void cbor_put_uint(struct wire_writer *w, uint64_t v);
void cbor_put_int(struct wire_writer *w, int64_t v);
void cbor_put_bool(struct wire_writer *w, bool v);
void cbor_put_null(struct wire_writer *w);
void cbor_put_bytes(struct wire_writer *w, struct span s);
void cbor_put_text(struct wire_writer *w, struct span s);
void cbor_put_str(struct wire_writer *w, const char *s);
void cbor_put_tag(struct wire_writer *w, uint64_t tag);
void cbor_put_array(struct wire_writer *w, size_t n);
void cbor_put_map(struct wire_writer *w, size_t pairs);
/* Head of a byte string whose len bytes the caller puts next. */
void cbor_put_bytes_head(struct wire_writer *w, size_t len);
/* An item that is encoded already. */
void cbor_put_item(struct wire_writer *w, struct span item);
/* True when all fitted and is one deterministic item; *ret is that. */
bool cbor_finish(const struct wire_writer *w, struct span *ret) MUST_CHECK;

#endif
