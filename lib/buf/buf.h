/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room buf (floor 1): growable bytes with a cap that is named at creation.
 *
 * A buf never grows past its cap: an append that would fails with ERR_LIMIT
 * and leaves the contents as they were; a failed allocation is ERR_MEMORY.
 * The first error sticks until buf_fini, so that a chain of appends may be
 * checked once (buf_ok).  Contents are always followed by a NUL that is not
 * counted, so text can be handed to C functions.  Not for secrets.
 */
#ifndef QAIR_BUF_H
#define QAIR_BUF_H

#include "base.h"

struct buf {
    uint8_t *ptr;
    size_t len;
    size_t size; /* allocated */
    size_t cap;  /* never exceeded */
    int error;   /* 0, ERR_LIMIT or ERR_MEMORY */
};

#define BUF_INIT(max) ((struct buf){.cap = (max)})

void buf_fini(struct buf *b);
void buf_reset(struct buf *b); /* empties, keeps storage, clears the error */
void buf_append(struct buf *b, struct span s);
void buf_append_str(struct buf *b, const char *s);
void buf_append_u8(struct buf *b, uint8_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Room for n bytes more; write there, then buf_commit.  NULL on error. */
uint8_t *buf_reserve(struct buf *b, size_t n) MUST_CHECK;
void buf_commit(struct buf *b, size_t n);
/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);
/* 0, or the first error with a message. */
int buf_ok(const struct buf *b, struct err *err) MUST_CHECK;

static inline struct span buf_span(const struct buf *b)
{
    return SPAN(b->ptr, b->len);
}

/* Cleanup helpers for locals. */
void buf_free_ptr(void *p); /* CLEANUP(buf_free_ptr) char *s: frees s */
void buf_close_fd(const int *fd);

/*
 * A whole file, at most cap bytes.  dirfd as for openat; refuses anything but
 * a regular file; O_NOFOLLOW on the last component.
 */
int buf_load(struct buf *b, int dirfd, const char *path, struct err *err)
        MUST_CHECK;
/* Atomic and durable: temporary file, fsync, rename, fsync of the folder. */
int buf_store(struct span s, int dirfd, const char *path, unsigned mode,
        struct err *err) MUST_CHECK;
/* fsync and fdatasync that a signal or a tracer does not make fail. */
int buf_fsync(int fd) MUST_CHECK;
int buf_fdatasync(int fd) MUST_CHECK;
/* All of s to fd, through short writes and EINTR. */
int buf_write_all(int fd, struct span s, struct err *err) MUST_CHECK;

/* An entry of the folder dirfd; 0, or the code that ends the walk. */
typedef int buf_entry(int dirfd, const char *name, void *ctx, struct err *err);

/*
 * Every entry of a folder but "." and "..", in no order, until f fails.  A
 * folder that is read in part is not the folder: that is an error too.  dirfd
 * stays the caller's; only its position moves.
 */
int buf_each_entry(int dirfd, buf_entry *f, void *ctx, struct err *err)
        MUST_CHECK;

#endif
