/* SPDX-License-Identifier: Apache-2.0 */
/* Shared vectors: found by $QAIR_SHARED or beside the source tree. */
#ifndef QAIR_TEST_VECTORS_H
#define QAIR_TEST_VECTORS_H

#include "merkle.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* "DIR/log/NAME"; the test ends as skipped where there are no vectors. */
static inline const char *vectors_path(const char *name)
{
    static char path[4096];
    const char *dir = getenv("QAIR_SHARED");

    snprintf(path, sizeof path, "%s/log/%s",
            dir != NULL ? dir : QAIR_SOURCE_ROOT "/../shared/data", name);
    return path;
}

static inline void vectors_or_skip(void)
{
    if (access(vectors_path("MANIFEST.md"), R_OK) != 0) {
        printf("skipped: no shared vectors (set QAIR_SHARED)\n");
        exit(77);
    }
}

static inline json_t *vectors_json(const char *name)
{
    json_error_t jerr;
    json_t *j = json_load_file(vectors_path(name), 0, &jerr);

    /* Numbers up to 2^64 - 1 are more than jansson's integers hold. */
    if (j == NULL)
        j = json_load_file(vectors_path(name), JSON_DECODE_INT_AS_REAL, &jerr);
    if (j == NULL) {
        fprintf(stderr, "%s: %s\n", vectors_path(name), jerr.text);
        abort();
    }
    return j;
}

static inline struct span vectors_text(const json_t *obj, const char *key)
{
    const json_t *j = json_object_get(obj, key);

    return SPAN(json_string_value(j), json_string_length(j));
}

/* Decoded base64 in a caller's buf. */
static inline void vectors_b64(struct span text, struct buf *ret)
{
    size_t len;
    uint8_t *room;

    *ret = BUF_INIT(1u << 20);
    room = buf_reserve(ret, text.len + 1);
    if (room == NULL || !text_parse_b64(text, room, text.len, &len))
        abort();
    buf_commit(ret, len);
}

static inline void vectors_load(const char *name, struct buf *ret)
{
    struct err err;

    *ret = BUF_INIT(1u << 24);
    if (buf_load(ret, -1, vectors_path(name), &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        abort();
    }
}

#endif
