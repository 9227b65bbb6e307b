/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void buf_close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

int buf_load(struct buf *b, int dirfd, const char *path, struct err *err)
{
    CLEANUP(buf_close_fd)
    int fd =
            openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT
                       ? err_set(err, ERR_NOT_FOUND, "%s: no such file", path)
                       : err_errno(err, "%s", path);
    if (fstat(fd, &st) < 0)
        return err_errno(err, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_DENIED, "%s: not a regular file", path);
    if ((uint64_t)st.st_size > b->cap - b->len)
        return err_set(err, ERR_LIMIT, "%s: more than %zu bytes", path, b->cap);
    do {
        size_t room = b->cap - b->len < 65536 ? b->cap - b->len : 65536;
        uint8_t *p = buf_reserve(b, room ? room : 1);

        if (!p)
            return err_prefix(err, buf_ok(b, err), "%s", path);
        n = read(fd, p, room);
        if (n < 0 && errno != EINTR)
            return err_errno(err, "%s", path);
        if (n > 0)
            buf_commit(b, (size_t)n);
    } while (n != 0 && b->len < b->cap);
    return 0;
}

int buf_fsync(int fd)
{
    int rc;

    do
        rc = fsync(fd);
    while (rc < 0 && errno == EINTR);
    return rc;
}

int buf_fdatasync(int fd)
{
    int rc;

    do
        rc = fdatasync(fd);
    while (rc < 0 && errno == EINTR);
    return rc;
}

int buf_write_all(int fd, struct span s, struct err *err)
{
    while (s.len > 0) {
        ssize_t n = write(fd, s.ptr, s.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "write");
        s = SPAN(s.ptr + n, s.len - (size_t)n);
    }
    return 0;
}

/* Makes a rename or a new name in the folder of path durable. */
static int sync_parent(int dirfd, const char *path, struct err *err)
{
    char copy[PATH_MAX];
    CLEANUP(buf_close_fd) int fd = -1;

    if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
        return err_set(err, ERR_LIMIT, "path too long");
    fd = openat(dirfd, dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || buf_fsync(fd) < 0)
        return err_errno(err, "sync folder of %s", path);
    return 0;
}

int buf_store(struct span s, int dirfd, const char *path, unsigned mode,
        struct err *err)
{
    char tmp[PATH_MAX];
    CLEANUP(buf_close_fd) int fd = -1;
    int rc;

    if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
        return err_set(err, ERR_LIMIT, "path too long");
    fd = openat(dirfd, tmp,
            O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
            (mode_t)mode);
    if (fd < 0)
        return err_errno(err, "%s", tmp);
    rc = buf_write_all(fd, s, err);
    if (rc == 0 && (fchmod(fd, (mode_t)mode) < 0 || buf_fsync(fd) < 0))
        rc = err_errno(err, "%s", tmp);
    if (rc == 0 && renameat(dirfd, tmp, dirfd, path) < 0)
        rc = err_errno(err, "%s", path);
    if (rc < 0) {
        (void)unlinkat(dirfd, tmp, 0);
        return rc;
    }
    return sync_parent(dirfd, path, err);
}

int buf_each_entry(int dirfd, buf_entry *f, void *ctx, struct err *err)
{
    int fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3), rc = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;

    if (!d) {
        rc = err_errno(err, "read folder");
        buf_close_fd(&fd);
        return rc;
    }
    rewinddir(d);
    while (rc == 0 && (errno = 0, e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = f(dirfd, e->d_name, ctx, err);
    }
    if (rc == 0 && errno != 0)
        rc = err_errno(err, "read folder");
    (void)closedir(d);
    return rc;
}
