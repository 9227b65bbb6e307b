/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the room: the head of an item, which check and getters share. */
#ifndef QAIR_CBOR_PRIVATE_H
#define QAIR_CBOR_PRIVATE_H

#include "cbor.h"

/* RFC 8949, 3.1: major types. */
enum {
    MAJOR_UINT = 0,
    MAJOR_NINT = 1,
    MAJOR_BYTES = 2,
    MAJOR_TEXT = 3,
    MAJOR_ARRAY = 4,
    MAJOR_MAP = 5,
    MAJOR_TAG = 6,
    MAJOR_SIMPLE = 7,
};

enum {
    INFO_U8 = 24,
    INFO_U16 = 25,
    INFO_U64 = 27,
    INFO_INDEFINITE = 31,
    SIMPLE_FALSE = 20,
    SIMPLE_TRUE = 21,
    SIMPLE_NULL = 22,
    SIMPLE_UNDEFINED = 23,
};

struct cbor_head {
    uint8_t major;
    uint8_t info;
    uint64_t value; /* of a float, its bits */
};

/* NULL, or what is wrong; reader and output are then as they were. */
const char *cbor_head_get(struct wire_reader *r, struct cbor_head *ret)
        MUST_CHECK;
void cbor_head_put(struct wire_writer *w, uint8_t major, uint64_t value);
/* Items that follow the head inside of this one; false when that many cannot
 * be there: each takes a byte at least. */
bool cbor_head_items(const struct cbor_head *h, size_t left, size_t *ret)
        MUST_CHECK;

#endif
