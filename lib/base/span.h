/* SPDX-License-Identifier: Apache-2.0 */
/* Borrowed bytes.  A span never owns; it lives as long as what it points at. */
#ifndef QAIR_BASE_SPAN_H
#define QAIR_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *ptr;
    size_t len;
};

#define SPAN(p, n) ((struct span){.ptr = (const uint8_t *)(p), .len = (n)})
#define SPAN_OF(a) SPAN((a), sizeof(a))
#define SPAN_EMPTY ((struct span){.ptr = NULL, .len = 0})

static inline struct span span_str(const char *s)
{
    return SPAN(s, strlen(s));
}

/* For names and public bytes; leaks where they differ. */
static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_eq_str(struct span a, const char *s)
{
    return span_eq(a, span_str(s));
}

/* For digests, MACs and secrets: time depends on the length alone. */
bool span_eq_ct(struct span a, struct span b);

#endif
