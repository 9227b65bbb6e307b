/* SPDX-License-Identifier: Apache-2.0 */
/* Lists for the tests of room ima, written without it. */
#ifndef QAIR_IMA_LISTS_H
#define QAIR_IMA_LISTS_H

#include "buf.h"
#include "ima.h"

#define FILE_HEX                                                               \
    "5c58a0eee7e53d326b4a378587f2c3c24d6aa4de155c5d2588fe6695ec9e16cf"
#define OTHER_HEX                                                              \
    "96d7fae8adb7286a419a88f78c13d35fb782d63df654b7db56f154765698b754"
#define ZERO_HEX                                                               \
    "0000000000000000000000000000000000000000000000000000000000000000"
#define ABC_HEX                                                                \
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HASH40 "0000000000000000000000000000000000000000"

struct list {
    struct buf text;
    struct buf bytes;
};

/* One entry: its fields in bytes, and the same as text, a space before each. */
struct made {
    const char *template;
    const char *text;
    uint8_t data[1024];
    size_t len;
};

struct list list_new(void);
void list_fini(struct list *l);
void put_u32(struct buf *b, size_t v);
void field(struct made *m, const void *p, size_t n);
void field_digest(struct made *m, const char *prefix, const char *hex);
struct made made_ng(const char *text, const char *hex, const char *name);
void add(struct list *l, const struct made *m, bool violation);
size_t all_templates(struct list *l);
void many(struct list *l, unsigned n);
struct ima_list open_list(struct span s, enum ima_format f);
int next_of(struct span s, enum ima_format f, struct ima_entry *e);

#endif
