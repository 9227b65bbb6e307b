/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include "journal.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

/* Between qubesd's events and the clients. */
#define PRIORITY (-5)
/* How long a file may stay open for writing before it is read as it is. */
#define WRITING_US (100u * 1000)
/* So many loads in a row may find a file open for writing (each waits a
 * quarter of a second) before nothing is allowed any more. */
#define UNSTABLE_MAX 8
/* An error that no event ends (out of descriptors, of memory). */
#define RETRY_US (2u * 1000000)

/* Shared with the thread; who is done last frees it. */
struct load {
    const struct policytree_paths *paths;
    int done_fd;
    struct policytree *tree; /* the thread's result, once loaded is up */
    struct policytree *old;  /* for the thread to free, once given is up */
    sem_t loaded, given;
};

struct snapshot {
    sd_event *event;
    const struct policytree_paths *paths;
    struct policytree *tree;
    struct load *load; /* NULL: no thread is at work */
    bool again;
    unsigned unstable;
    int done_fd;
    sd_event_source *news, *done, *timer;
};

static void tell(const struct policytree *t)
{
    if (t->error.code)
        journal_note(LOG_ERR, "%s: every call is denied until this is mended",
                t->error.msg);
    else
        journal_note(LOG_INFO, "policy: %zu rules in %zu files",
                policy_rule_count(t->policy), t->n_files);
}

static void schedule(struct snapshot *s, uint64_t us);

static int on_news(sd_event_source *src, int fd, uint32_t revents, void *ctx)
{
    struct snapshot *s = ctx;

    (void)src;
    (void)fd;
    (void)revents;
    switch (policytree_news(s->tree)) {
    case POLICYTREE_SAME:
        break;
    case POLICYTREE_WRITING:
        schedule(s, WRITING_US);
        break;
    case POLICYTREE_CHANGED:
        snapshot_reload(s);
        break;
    }
    return 0;
}

/* Takes t over, and watches it. */
static void install(struct snapshot *s, struct policytree *t)
{
    s->news = sd_event_source_disable_unref(s->news);
    s->tree = t;
    tell(t);
    if (t->fd >= 0 &&
            (sd_event_add_io(s->event, &s->news, t->fd, EPOLLIN, on_news, s) <
                            0 ||
                    sd_event_source_set_priority(s->news, PRIORITY) < 0))
        schedule(s, RETRY_US);
    if (t->error.code == ERR_IO || t->error.code == ERR_MEMORY || t->fd < 0)
        schedule(s, RETRY_US);
}

/* ---- the thread --------------------------------------------------------- */

static void *run(void *ctx)
{
    struct load *l = ctx;
    struct err err;

    if (policytree_load(l->paths, NULL, true, &l->tree, &err) < 0)
        l->tree = NULL;
    (void)sem_post(&l->loaded);
    (void)eventfd_write(l->done_fd, 1);
    while (sem_wait(&l->given) < 0)
        ;
    policytree_free(l->old);
    (void)sem_destroy(&l->loaded);
    (void)sem_destroy(&l->given);
    free(l);
    return NULL;
}

static bool start_thread(struct load *l)
{
    pthread_attr_t attr;
    pthread_t thread;
    bool ok = pthread_attr_init(&attr) == 0;

    ok = ok &&
         pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
         pthread_create(&thread, &attr, run, l) == 0;
    (void)pthread_attr_destroy(&attr);
    return ok;
}

static int on_done(sd_event_source *src, int fd, uint32_t revents, void *ctx)
{
    struct snapshot *s = ctx;
    struct load *l = s->load;
    struct policytree *fresh;
    eventfd_t n;

    (void)src;
    (void)revents;
    (void)eventfd_read(fd, &n);
    while (sem_wait(&l->loaded) < 0)
        ;
    fresh = l->tree;
    s->unstable = fresh && fresh->error.code == ERR_STATE ? s->unstable + 1 : 0;
    if (s->unstable == 1)
        journal_note(LOG_NOTICE, "%s: the policy before it goes on",
                fresh->error.msg);
    if (s->unstable > 0 && s->unstable < UNSTABLE_MAX) {
        l->old = fresh; /* what is whole goes on until the writer is done */
        s->again = true;
    } else if (fresh) {
        s->news = sd_event_source_disable_unref(s->news);
        l->old = s->tree;
        install(s, fresh);
    }
    s->load = NULL;
    (void)sem_post(&l->given);
    if (s->again) {
        s->again = false;
        snapshot_reload(s);
    } else if (!fresh || s->unstable > 0) {
        schedule(s, RETRY_US);
    }
    return 0;
}

/* ---- the door ----------------------------------------------------------- */

void snapshot_reload(struct snapshot *s)
{
    struct load *l;

    s->timer = sd_event_source_disable_unref(s->timer);
    if (s->load) {
        s->again = true;
        return;
    }
    l = calloc(1, sizeof(*l));
    if (!l) {
        schedule(s, RETRY_US);
        return;
    }
    l->paths = s->paths;
    l->done_fd = s->done_fd;
    (void)sem_init(&l->loaded, 0, 0);
    (void)sem_init(&l->given, 0, 0);
    if (!start_thread(l)) {
        free(l);
        schedule(s, RETRY_US);
        return;
    }
    s->load = l;
}

static int on_timer(sd_event_source *src, uint64_t usec, void *ctx)
{
    (void)src;
    (void)usec;
    snapshot_reload(ctx);
    return 0;
}

/* An earlier appointment stands. */
static void schedule(struct snapshot *s, uint64_t us)
{
    if (!s->timer)
        (void)sd_event_add_time_relative(
                s->event, &s->timer, CLOCK_MONOTONIC, us, 0, on_timer, s);
}

static int fill(struct snapshot *s, struct err *err)
{
    struct policytree *t = NULL;
    int r;

    s->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->done_fd < 0)
        return err_errno(err, "cannot make an event descriptor");
    if (sd_event_add_io(s->event, &s->done, s->done_fd, EPOLLIN, on_done, s) <
                    0 ||
            sd_event_source_set_priority(s->done, PRIORITY) < 0)
        return err_set(err, ERR_MEMORY, "out of memory");
    r = policytree_load(s->paths, NULL, true, &t, err);
    if (r == 0)
        install(s, t);
    return r;
}

int snapshot_new(sd_event *event, const struct policytree_paths *paths,
        struct snapshot **ret, struct err *err)
{
    struct snapshot *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return err_set(err, ERR_MEMORY, "out of memory");
    s->event = event;
    s->paths = paths;
    s->done_fd = -1;
    r = fill(s, err);
    if (r < 0) {
        snapshot_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

/* At the process's end: a thread at work is left to it. */
void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    s->news = sd_event_source_disable_unref(s->news);
    s->done = sd_event_source_disable_unref(s->done);
    s->timer = sd_event_source_disable_unref(s->timer);
    if (!s->load) {
        policytree_free(s->tree);
        if (s->done_fd >= 0)
            (void)close(s->done_fd);
    }
    free(s);
}

const struct policytree *snapshot_tree(const struct snapshot *s)
{
    return s->tree;
}
