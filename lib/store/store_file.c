/* SPDX-License-Identifier: Apache-2.0 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int store_file_mkdirs(int dirfd, const char *path, struct err *err)
{
    char dir[MERKLE_PATH_SIZE];

    for (const char *p = strchr(path, '/'); p != NULL; p = strchr(p + 1, '/')) {
        size_t n = (size_t)(p - path);

        memcpy(dir, path, n);
        dir[n] = '\0';
        if (mkdirat(dirfd, dir, 0755) < 0 && errno != EEXIST)
            return err_errno(err, "log: mkdir %s", dir);
    }
    return 0;
}

static int try_open(int dirfd, const char *path, int flags)
{
    return openat(dirfd, path, flags | O_CLOEXEC | O_NOFOLLOW);
}

struct width {
    unsigned min, best; /* best: 0 when none */
};

static int look_at_width(
        int dirfd, const char *name, void *ctx, struct err *err)
{
    struct width *w = ctx;
    uint64_t n;

    (void)dirfd;
    (void)err;
    if (text_parse_u64(span_str(name), &n) && n >= w->min &&
            n < MERKLE_TILE_WIDTH && (w->best == 0 || n < w->best))
        w->best = (unsigned)n;
    return 0;
}

/* The smallest width of at least min in folder "NNN.p"; 0 when none. */
static int smallest_width(int dirfd, const char *folder, unsigned min,
        unsigned *ret, struct err *err)
{
    CLEANUP(buf_close_fd)
    int fd = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct width w = {.min = min};
    int r = 0;

    if (fd >= 0)
        r = buf_each_entry(fd, look_at_width, &w, err);
    else if (errno != ENOENT)
        r = err_errno(err, "folder");
    *ret = w.best;
    return r ? err_prefix(err, r, "log: %s", folder) : 0;
}

/*
 * A writer renames a partial tile as it grows: its own name, the full tile,
 * whatever is in its folder, and once more in case it moved in between.
 */
int store_file_find(int dirfd, int level, uint64_t n, unsigned width, int flags,
        int *ret_fd, char ret_path[static MERKLE_PATH_SIZE], struct err *err)
{
    char folder[MERKLE_PATH_SIZE + 2];

    for (int attempt = 0; attempt < 100; attempt++) {
        unsigned w;
        int r;

        merkle_tile_path(level, n, width, ret_path);
        *ret_fd = try_open(dirfd, ret_path, flags);
        if (*ret_fd >= 0)
            return 0;
        merkle_tile_path(level, n, MERKLE_TILE_WIDTH, ret_path);
        *ret_fd = try_open(dirfd, ret_path, flags);
        if (*ret_fd >= 0)
            return 0;
        snprintf(folder, sizeof folder, "%s.p", ret_path);
        r = smallest_width(dirfd, folder, width, &w, err);
        if (r != 0)
            return r;
        if (w == 0)
            break;
        merkle_tile_path(level, n, w, ret_path);
        *ret_fd = try_open(dirfd, ret_path, flags);
        if (*ret_fd >= 0)
            return 0;
    }
    merkle_tile_path(level, n, width, ret_path);
    return err_set(err, ERR_NOT_FOUND, "log: %s is missing", ret_path);
}

int store_file_read(int fd, size_t cap, struct buf *ret, struct err *err)
{
    struct stat st;
    uint8_t *room;
    size_t done = 0;

    if (fstat(fd, &st) < 0)
        return err_errno(err, "log: stat");
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > cap)
        return err_set(err, ERR_LIMIT, "log: a file of %lld bytes",
                (long long)st.st_size);
    buf_reset(ret);
    ret->cap = cap;
    room = buf_reserve(ret, (size_t)st.st_size);
    if (room == NULL)
        return buf_ok(ret, err);
    while (done < (size_t)st.st_size) {
        ssize_t n =
                pread(fd, room + done, (size_t)st.st_size - done, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "log: read");
        if (n == 0)
            break; /* the writer has cut it meanwhile */
        done += (size_t)n;
    }
    buf_commit(ret, done);
    return 0;
}

int store_file_write_at(int fd, struct span bytes, size_t at, struct err *err)
{
    while (bytes.len > 0) {
        ssize_t n = pwrite(fd, bytes.ptr, bytes.len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "log: write");
        bytes = SPAN(bytes.ptr + n, bytes.len - (size_t)n);
        at += (size_t)n;
    }
    return 0;
}

static int sync_folder(int dirfd, const char *folder, struct err *err)
{
    int fd = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return err_errno(err, "log: open %s", folder);
    r = buf_fsync(fd) < 0 ? err_errno(err, "log: fsync %s", folder) : 0;
    close(fd);
    return r;
}

/* Deepest first; a folder that the last path had too is synced already. */
int store_file_sync_folders(
        struct store_sync *sync, const char *path, struct err *err)
{
    char dir[MERKLE_PATH_SIZE];
    char *p;

    snprintf(dir, sizeof dir, "%s", path);
    while ((p = strrchr(dir, '/')) != NULL) {
        size_t n = (size_t)(p - dir);
        int r;

        if (strncmp(sync->last, dir, n + 1) == 0)
            break;
        *p = '\0';
        r = sync_folder(sync->dirfd, dir, err);
        if (r < 0)
            return r;
    }
    snprintf(sync->last, sizeof sync->last, "%s", path);
    return 0;
}

int store_file_sync(struct store_sync *sync, const char *path, struct err *err)
{
    int fd = try_open(sync->dirfd, path, O_RDONLY);
    int r;

    if (fd < 0)
        return err_errno(err, "log: open %s", path);
    r = buf_fdatasync(fd) < 0 ? err_errno(err, "log: fdatasync %s", path) : 0;
    close(fd);
    return r < 0 ? r : store_file_sync_folders(sync, path, err);
}

/* ---- hashes ---------------------------------------------------------- */

static int hashes_from_file(struct store_hashes *h, int level, uint64_t n,
        unsigned width, struct err *err)
{
    char path[MERKLE_PATH_SIZE];
    int fd, r;

    if (h->level == level && h->n == n &&
            h->tile.len >= (size_t)width * MERKLE_HASH)
        return 0;
    r = store_file_find(h->dirfd, level, n, width, O_RDONLY, &fd, path, err);
    if (r < 0)
        return r;
    r = store_file_read(fd, MERKLE_TILE_BYTES, &h->tile, err);
    close(fd);
    if (r < 0)
        return r;
    h->level = level;
    h->n = n;
    return 0;
}

static int hashes_get(void *arg, unsigned height, uint64_t index,
        uint8_t ret[static MERKLE_HASH])
{
    struct store_hashes *h = arg;
    int level = (int)(height / MERKLE_TILE_HEIGHT);
    unsigned within = height % MERKLE_TILE_HEIGHT;
    unsigned shift = MERKLE_TILE_HEIGHT - within;
    uint64_t n = index >> shift;
    unsigned i = (unsigned)(index & ((1u << shift) - 1));
    int r;

    if (level > MERKLE_LEVEL_MAX)
        return ERR_LIMIT;
    if (h->tails != NULL && h->tails[level + 1].n == n)
        return merkle_tile_hash(
                SPAN(h->tails[level + 1].hash,
                        (size_t)h->tails[level + 1].width * MERKLE_HASH),
                within, i, ret);
    r = hashes_from_file(h, level, n, (i + 1) << within, NULL);
    if (r < 0)
        return r;
    return merkle_tile_hash(
            SPAN(h->tile.ptr, h->tile.len / MERKLE_HASH * MERKLE_HASH), within,
            i, ret);
}

struct merkle_source store_hashes_init(
        struct store_hashes *h, int dirfd, const struct store_tail *tails)
{
    *h = (struct store_hashes){.dirfd = dirfd,
            .tails = tails,
            .level = -1,
            .tile = BUF_INIT(MERKLE_TILE_BYTES)};
    return (struct merkle_source){hashes_get, h};
}

void store_hashes_fini(struct store_hashes *h)
{
    buf_fini(&h->tile);
}
