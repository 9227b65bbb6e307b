/* SPDX-License-Identifier: Apache-2.0 */
#include "policytree_int.h"

#include <stdlib.h>
#include <time.h>

/* A quarter of a second in all, in steps that double. */
#define LOAD_TRIES   9
#define LOAD_WAIT_NS 1000000

static void wait_ns(long ns)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = ns};

    (void)nanosleep(&t, NULL);
}

static void drop_watch(struct policytree *t)
{
    policytree_watch_free(t->watch);
    t->watch = NULL;
    t->fd = -1;
}

/* One attempt; a tree that changed meanwhile is no good. */
static int attempt(const struct policytree_paths *paths,
        const struct policytree_change *change, bool watched,
        struct policytree *t, struct err *err)
{
    int r = 0;

    if (watched) {
        r = policytree_watch_new(&t->watch, err);
        if (r < 0)
            return r;
        t->fd = policytree_watch_fd(t->watch);
    }
    r = policytree_read(paths, change, t->watch, &t->policy, &t->n_files, err);
    if (!watched || policytree_watch_news(t->watch) == POLICYTREE_SAME)
        return r;
    policy_free(t->policy);
    t->policy = NULL;
    return err_set(err, ERR_STATE, "the policy changes while it is read");
}

static int load(const struct policytree_paths *paths,
        const struct policytree_change *change, bool watched,
        struct policytree *t)
{
    int r = ERR_STATE;

    for (unsigned i = 0; r == ERR_STATE && i < LOAD_TRIES; i++) {
        if (i > 0) {
            wait_ns(LOAD_WAIT_NS << (i - 1));
            drop_watch(t);
        }
        r = attempt(paths, change, watched, t, &t->error);
    }
    return r;
}

int policytree_load(const struct policytree_paths *paths,
        const struct policytree_change *change, bool watched,
        struct policytree **ret, struct err *err)
{
    struct policytree *t = calloc(1, sizeof(*t));
    int r;

    if (!t)
        return err_set(err, ERR_MEMORY, "out of memory");
    t->fd = -1;
    r = load(paths, change, watched, t);
    if (r < 0)
        t->policy = policy_new_broken(t->error.msg);
    else
        t->error = (struct err){.code = 0};
    if (!t->policy) {
        policytree_free(t);
        return err_set(err, ERR_MEMORY, "out of memory");
    }
    *ret = t;
    return 0;
}

void policytree_free(struct policytree *t)
{
    if (!t)
        return;
    policytree_watch_free(t->watch);
    policy_free(t->policy);
    free(t);
}

void policytree_free_ptr(struct policytree **t)
{
    policytree_free(*t);
}

enum policytree_news policytree_news(struct policytree *t)
{
    return t->watch ? policytree_watch_news(t->watch) : POLICYTREE_SAME;
}
