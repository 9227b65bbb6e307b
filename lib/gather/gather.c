/* SPDX-License-Identifier: Apache-2.0 */
#include "gather.h"

#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 4 /* pack/zones/NAME.json, policy.d/include/NAME */

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);

    return n > m && strcmp(s + n - m, tail) == 0;
}

bool gather_conf(const char *path)
{
    return !strchr(path, '/') && ends_with(path, ".conf");
}

bool gather_policy(const char *path)
{
    return strncmp(path, "include/", 8) == 0 ||
           (!strchr(path, '/') && ends_with(path, ".policy"));
}

bool gather_any(const char *path)
{
    return !ends_with(path, ".tmp"); /* of an interrupted buf_store */
}

struct list {
    char **path; /* relative to the folder */
    size_t n;
    gather_want *want;
};

static void list_fini(struct list *g)
{
    for (size_t i = 0; i < g->n; i++)
        free(g->path[i]);
    free(g->path);
}

static int list_add(struct list *g, const char *path, struct err *err)
{
    char **more;

    if (g->n == LIMIT_BUNDLE_FILES_MAX)
        return err_set(
                err, ERR_LIMIT, "more than %d files", LIMIT_BUNDLE_FILES_MAX);
    more = reallocarray(g->path, g->n + 1, sizeof(*more));
    if (!more)
        return err_set(err, ERR_MEMORY, "out of memory");
    g->path = more;
    g->path[g->n] = strdup(path);
    if (!g->path[g->n])
        return err_set(err, ERR_MEMORY, "out of memory");
    g->n++;
    return 0;
}

/* One folder of the tree. */
struct walk {
    struct list *list;
    const char *prefix; /* "" or "sub/" */
    unsigned depth;
};

static int walk_entry(int fd, const char *name, void *ctx, struct err *err)
{
    const struct walk *w = ctx;
    char path[LIMIT_BUNDLE_NAME_MAX + 1];
    struct walk below = {w->list, path, w->depth + 1};
    CLEANUP(buf_close_fd) int sub = -1;
    struct stat st;
    size_t len;

    if (name[0] == '.')
        return 0;
    if (snprintf(path, sizeof(path), "%s%s", w->prefix, name) >=
            (int)sizeof(path))
        return err_set(err, ERR_LIMIT, "%s: name too long", w->prefix);
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return w->list->want(path) ? list_add(w->list, path, err) : 0;
    if (w->depth == DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "%s: too deep", path);
    sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (sub < 0)
        return err_errno(err, "%s", path);
    len = strlen(path);
    if (len + 1 >= sizeof(path))
        return err_set(err, ERR_LIMIT, "%s: name too long", path);
    path[len] = '/';
    path[len + 1] = '\0';
    return buf_each_entry(sub, walk_entry, &below, err);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_files(
        const struct list *g, int fd, struct buf *out, struct err *err)
{
    struct bundle_writer w = {.out = out};
    int rc = 0;

    for (size_t i = 0; i < g->n && rc == 0; i++) {
        CLEANUP(buf_fini) struct buf b = BUF_INIT(LIMIT_CONF_FILE_MAX);

        rc = buf_load(&b, fd, g->path[i], err);
        if (rc == 0)
            rc = bundle_put(&w,
                    &(struct bundle_file){span_str(g->path[i]), buf_span(&b)},
                    err);
    }
    return rc;
}

int gather_folder(int dirfd, const char *folder, gather_want *want,
        struct buf *ret, struct err *err)
{
    CLEANUP(list_fini) struct list g = {.want = want};
    CLEANUP(buf_close_fd)
    int fd = openat(
            dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct walk top = {.list = &g, .prefix = ""};
    int rc;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, "%s", folder);
    rc = buf_each_entry(fd, walk_entry, &top, err);
    if (g.n > 1)
        qsort(g.path, g.n, sizeof(*g.path), by_bytes);
    if (rc == 0)
        rc = read_files(&g, fd, ret, err);
    return err_prefix(err, rc, "%s", folder);
}
