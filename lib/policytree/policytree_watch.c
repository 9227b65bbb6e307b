/* SPDX-License-Identifier: Apache-2.0 */
/* One inotify instance a tree, and which names count in which folder. */
#include "policytree_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Names come and go, or are written: seen in the folder above. */
#define ABOVE                                                                  \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |         \
            IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define WRITES (IN_MODIFY | IN_CLOSE_WRITE)
/* The file itself: written by another of its names, or taken away. */
#define SELF (WRITES | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

struct entry {
    int wd;
    char name[NAME_MAX + 1]; /* "": the thing itself, and see all */
    bool all;                /* a name that may be a policy file counts */
};

struct policytree_watch {
    int fd;
    struct entry *entries;
    size_t n, cap;
};

int policytree_watch_new(struct policytree_watch **ret, struct err *err)
{
    struct policytree_watch *w = calloc(1, sizeof(*w));

    if (!w)
        return err_set(err, ERR_MEMORY, "out of memory");
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        free(w);
        return err_errno(err, "cannot watch the policy: inotify");
    }
    *ret = w;
    return 0;
}

void policytree_watch_free(struct policytree_watch *w)
{
    if (!w)
        return;
    (void)close(w->fd);
    free(w->entries);
    free(w);
}

int policytree_watch_fd(const struct policytree_watch *w)
{
    return w->fd;
}

/* Editors and buf_store write beside, under names that are never read. */
static bool may_be_read(const char *name)
{
    static const char *const others[] = {"~", ".tmp", ".swp", ".new"};
    size_t n = strlen(name);

    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        size_t len = strlen(others[i]);

        if (n >= len && !strcmp(name + n - len, others[i]))
            return false;
    }
    return name[0] != '.' && name[0] != '!';
}

static bool has_entry(
        const struct policytree_watch *w, int wd, const char *name)
{
    for (size_t i = 0; i < w->n; i++) {
        const struct entry *e = &w->entries[i];

        if (e->wd == wd &&
                (!strcmp(e->name, name) || (e->all && may_be_read(name))))
            return true;
    }
    return false;
}

/* 0 also when path does not exist: the folder above tells when it does. */
static int arm(struct policytree_watch *w, const char *path, uint32_t mask,
        const char *name, bool all, struct err *err)
{
    int wd = inotify_add_watch(w->fd, path, mask | IN_MASK_ADD);

    if (wd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
                          errno == EACCES))
        return 0;
    if (wd < 0)
        return err_errno(err, "cannot watch '%s'", path);
    if (!all && has_entry(w, wd, name))
        return 0;
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;
        struct entry *more = reallocarray(w->entries, cap, sizeof(*more));

        if (!more)
            return err_set(err, ERR_MEMORY, "out of memory");
        w->entries = more;
        w->cap = cap;
    }
    w->entries[w->n].wd = wd;
    (void)snprintf(
            w->entries[w->n].name, sizeof(w->entries[0].name), "%s", name);
    w->entries[w->n].all = all;
    w->n++;
    return 0;
}

int policytree_watch_add(struct policytree_watch *w, const char *path,
        bool whole, struct err *err)
{
    char above[PATH_MAX], name[NAME_MAX + 1];
    const char *at = path;
    int r = 0;

    if (!w)
        return 0;
    while (r == 0 && *at == '/') {
        const char *end = strchrnul(at + 1, '/');
        size_t len = (size_t)(end - at) - 1;
        bool last = *end == '\0';

        if (len > NAME_MAX)
            return err_set(err, ERR_LIMIT, "a name in '%s' is too long", path);
        memcpy(name, at + 1, len);
        name[len] = '\0';
        (void)snprintf(
                above, sizeof(above), "%.*s", (int)(at - path + 1), path);
        r = arm(w, above, last ? ABOVE | WRITES : ABOVE, name, false, err);
        at = end;
    }
    if (r == 0)
        r = arm(w, path, whole ? ABOVE | WRITES : SELF, "", whole, err);
    return r;
}

static enum policytree_news judge(
        const struct policytree_watch *w, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW)
        return POLICYTREE_CHANGED;
    if ((e->mask & IN_IGNORED) || !has_entry(w, e->wd, e->len ? e->name : ""))
        return POLICYTREE_SAME;
    return e->mask & IN_MODIFY ? POLICYTREE_WRITING : POLICYTREE_CHANGED;
}

enum policytree_news policytree_watch_news(struct policytree_watch *w)
{
    enum policytree_news news = POLICYTREE_SAME;
    _Alignas(struct inotify_event) uint8_t buf[4096];
    ssize_t n;

    while ((n = read(w->fd, buf, sizeof(buf))) > 0) {
        for (size_t at = 0; at < (size_t)n;) {
            const struct inotify_event *e = (const void *)(buf + at);
            enum policytree_news one = judge(w, e);

            if (one > news)
                news = one;
            at += sizeof(*e) + e->len;
        }
    }
    return news;
}
