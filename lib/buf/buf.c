/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_fini(struct buf *b)
{
    free(b->ptr);
    *b = BUF_INIT(b->cap);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->error = 0;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    size_t size;
    uint8_t *p;

    if (b->error)
        return NULL;
    if (n > b->cap - b->len) {
        b->error = ERR_LIMIT;
        return NULL;
    }
    if (b->len + n + 1 <= b->size)
        return b->ptr + b->len;
    size = b->size < 64 ? 64 : b->size;
    while (size < b->len + n + 1)
        size = size > b->cap / 2 ? b->cap + 1 : size * 2;
    p = realloc(b->ptr, size);
    if (!p) {
        b->error = ERR_MEMORY;
        return NULL;
    }
    b->ptr = p;
    b->size = size;
    return b->ptr + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
    b->len += n;
    b->ptr[b->len] = '\0';
}

void buf_append(struct buf *b, struct span s)
{
    uint8_t *p = buf_reserve(b, s.len);

    if (!p)
        return;
    if (s.len)
        memcpy(p, s.ptr, s.len);
    buf_commit(b, s.len);
}

void buf_append_str(struct buf *b, const char *s)
{
    buf_append(b, span_str(s));
}

void buf_append_u8(struct buf *b, uint8_t v)
{
    buf_append(b, SPAN(&v, 1));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    uint8_t *p;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    p = n < 0 ? NULL : buf_reserve(b, (size_t)n);
    if (p) {
        (void)vsnprintf((char *)p, (size_t)n + 1, fmt, again);
        buf_commit(b, (size_t)n);
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
    if (n == 0)
        return;
    memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
    b->ptr[b->len] = '\0';
}

int buf_ok(const struct buf *b, struct err *err)
{
    if (!b->error)
        return 0;
    return err_set(err, b->error,
            b->error == ERR_LIMIT ? "more than %zu bytes"
                                  : "out of memory below %zu bytes",
            b->cap);
}

void buf_free_ptr(void *p)
{
    free(*(void **)p);
}
