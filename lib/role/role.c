/* SPDX-License-Identifier: Apache-2.0 */
/* The process: start, what qaird hands over, logging. */
#include "role_private.h"

#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOG_BURST 500 /* lines at once, then one a second: 50 MB a month */

/* ---- small things ---------------------------------------------------- */

uint64_t role_now(void)
{
    struct timespec t;

    if (clock_gettime(CLOCK_REALTIME, &t) < 0)
        return 0;
    return (uint64_t)t.tv_sec;
}

static void log_line(const struct role *r, const char *fmt, va_list ap)
        PRINTF_LIKE(2, 0);

static void log_line(const struct role *r, const char *fmt, va_list ap)
{
    char text[1024], safe[2048];

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    text_format_safe(span_str(text), safe, sizeof(safe));
    (void)dprintf(STDERR_FILENO, "qair-%s(%s): %s\n",
            msg_role_name(r->spec->role), r->zone, safe);
}

/* Peers can cause lines; they must not fill a disk with them. */
void role_log(const struct role *r, const char *fmt, ...)
{
    static struct rate lines; /* a process is one role */
    struct timespec t = {.tv_sec = 0};
    unsigned left_out;
    va_list ap;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    if (!rate_take(&lines, (uint64_t)t.tv_sec, LOG_BURST, &left_out))
        return;
    if (left_out > 0)
        (void)dprintf(STDERR_FILENO, "qair-%s(%s): %u lines left out\n",
                msg_role_name(r->spec->role), r->zone, left_out);
    va_start(ap, fmt);
    log_line(r, fmt, ap);
    va_end(ap);
}

void role_fatal(const struct role *r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_line(r, fmt, ap);
    va_end(ap);
    _exit(1);
}

sd_event *role_event(struct role *r)
{
    return r->event;
}

const char *role_zone(const struct role *r)
{
    return r->zone;
}

void role_set_user(struct role *r, void *user)
{
    r->user = user;
}

void *role_user(const struct role *r)
{
    return r->user;
}

/* ---- named things ---------------------------------------------------- */

static struct named *named_find(struct named_set *set, struct span name)
{
    for (size_t i = 0; i < set->n; i++) {
        if (span_eq_str(name, set->item[i].name))
            return &set->item[i];
    }
    return NULL;
}

static const struct named *named_get(
        const struct named_set *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++) {
        if (strcmp(name, set->item[i].name) == 0)
            return &set->item[i];
    }
    return NULL;
}

static struct named *named_add(
        struct role *r, struct named_set *set, struct span name)
{
    struct named *it;

    if (set->n == NAMED_MAX || !text_is_name(name, NAMED_NAME - 1) ||
            named_find(set, name))
        role_fatal(r, "qaird hands over too much, or twice");
    it = &set->item[set->n++];
    *it = (struct named){.fd = -1};
    memcpy(it->name, name.ptr, name.len);
    return it;
}

struct span role_bundle(const struct role *r, const char *name)
{
    const struct named *it = named_get(&r->bundles, name);

    return it ? it->bytes : SPAN_EMPTY;
}

int role_handle(const struct role *r, const char *name)
{
    const struct named *it = named_get(&r->handles, name);

    return it ? it->fd : -1;
}

static int named_take(struct named_set *set, const char *name)
{
    struct named *it = named_find(set, span_str(name));

    return it ? TAKE_FD(it->fd) : -1;
}

int role_handle_take(struct role *r, const char *name)
{
    return named_take(&r->handles, name);
}

int role_listener_take(struct role *r, const char *name)
{
    return named_take(&r->listeners, name);
}

/* ---- the control link ------------------------------------------------ */

static void announce(struct role *r, struct role_link *l)
{
    if (l->announced)
        return;
    role_link_enable(l);
    if (r->spec->peer)
        r->spec->peer(r, l);
}

static void on_peer(struct role *r, const struct role_msg *m)
{
    const struct msg_peer *p = m->body;
    struct role_link *l;
    struct err err;

    if (p->role == 0 || p->role >= MSG_ROLE_ADMIN)
        role_fatal(r, "link to an unknown role");
    if (r->peers[p->role])
        role_link_close(r->peers[p->role]);
    l = role_link_new(r, TAKE_FD(m->fds->fd[0]), p->role, NULL, &err);
    if (!l)
        role_fatal(r, "%s", err.msg);
    r->peers[p->role] = l;
    if (r->serving)
        announce(r, l);
    else if (sd_event_source_set_enabled(l->source, SD_EVENT_OFF) < 0)
        role_fatal(r, "event loop");
}

static void on_listen(struct role *r, const struct role_msg *m)
{
    const struct msg_named *n = m->body;

    named_add(r, &r->listeners, n->name)->fd = TAKE_FD(m->fds->fd[0]);
}

static void on_handle(struct role *r, const struct role_msg *m)
{
    const struct msg_named *n = m->body;

    named_add(r, &r->handles, n->name)->fd = TAKE_FD(m->fds->fd[0]);
}

static void on_bundle(struct role *r, const struct role_msg *m)
{
    const struct msg_named *n = m->body;
    struct named *it = named_find(&r->bundles, n->name);
    struct span bytes, old;
    struct err err;

    if (ipc_map(m->fds->fd[0], LIMIT_BUNDLE_MAX, &bytes, &err) < 0 ||
            bundle_check(bytes, &err) < 0)
        role_fatal(r, "bundle: %s", err.msg);
    if (!it)
        it = named_add(r, &r->bundles, n->name);
    old = it->bytes;
    it->bytes = bytes;
    if (r->serving && r->spec->reload &&
            r->spec->reload(r, it->name, &err) < 0) {
        role_log(r, "%s not reloaded: %s", it->name, err.msg);
        it->bytes = old;
        old = bytes;
    }
    ipc_unmap(old);
}

static void seal_files(struct role *r)
{
    int folders[NAMED_MAX];
    size_t n = 0;

    for (size_t i = 0; i < r->handles.n; i++) {
        struct stat st;

        if (fstat(r->handles.item[i].fd, &st) == 0 && S_ISDIR(st.st_mode))
            folders[n++] = r->handles.item[i].fd;
    }
    sandbox_seal_files(r->spec->sandbox, folders, n);
}

static void on_start(struct role *r, const struct role_msg *m)
{
    struct role_link *l, *next;
    struct err err = {0};

    role_link_set_state(m->link, STATE_SERVING);
    if (r->spec->sandbox->groups & SANDBOX_FILES)
        seal_files(r);
    if (r->spec->start && r->spec->start(r, &err) < 0)
        role_fatal(r, "%s", err.msg);
    r->serving = true;
    for (l = LIST_FIRST(&r->links); l; l = next) {
        next = LIST_NEXT(l, next);
        announce(r, l);
    }
    role_send(r->control, MSG_READY, &(struct msg_empty){0}, NULL, 0);
}

static void on_ping(struct role *r, const struct role_msg *m)
{
    role_send(m->link, MSG_PONG, &(struct msg_empty){0}, NULL, 0);
    (void)r;
}

const struct role_permit role_control_permits[] = {
        {MSG_ROLE_QAIRD, MSG_PEER, ROLE_ANY, on_peer},
        {MSG_ROLE_QAIRD, MSG_LISTEN, ROLE_OPEN, on_listen},
        {MSG_ROLE_QAIRD, MSG_HANDLE, ROLE_OPEN, on_handle},
        {MSG_ROLE_QAIRD, MSG_BUNDLE, ROLE_ANY, on_bundle},
        {MSG_ROLE_QAIRD, MSG_START, ROLE_OPEN, on_start},
        {MSG_ROLE_QAIRD, MSG_PING, ROLE_ANY, on_ping},
};
const size_t role_n_control_permits = ARRAY_LEN(role_control_permits);

/* ---- local sockets --------------------------------------------------- */

struct listener {
    struct role *r;
    uint8_t peer;
    sd_event_source *io;
    sd_event_source *pause;
};

#define ACCEPT_PAUSE_US 100000 /* when descriptors are used up */

static int on_pause_over(sd_event_source *s, uint64_t usec, void *user)
{
    struct listener *li = user;

    (void)s;
    (void)usec;
    return sd_event_source_set_enabled(li->io, SD_EVENT_ON);
}

static void pause_accepting(struct listener *li)
{
    li->pause = sd_event_source_disable_unref(li->pause);
    if (sd_event_source_set_enabled(li->io, SD_EVENT_OFF) < 0 ||
            sd_event_add_time_relative(li->r->event, &li->pause,
                    CLOCK_MONOTONIC, ACCEPT_PAUSE_US, 0, on_pause_over, li) < 0)
        role_fatal(li->r, "event loop");
}

static int on_accept(sd_event_source *s, int fd, uint32_t revents, void *user)
{
    struct listener *li = user;
    struct role_link *l;
    struct err err;
    int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)s;
    (void)revents;
    if (c < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            pause_accepting(li);
        return 0;
    }
    if (role_link_add(li->r, c, li->peer, NULL, &l, &err) < 0)
        role_log(li->r, "connection refused: %s", err.msg);
    else if (li->r->spec->peer)
        li->r->spec->peer(li->r, l);
    return 0;
}

int role_listen(
        struct role *r, const char *name, uint8_t peer_role, struct err *err)
{
    int fd = role_listener_take(r, name);
    struct listener *li;

    if (fd < 0)
        return err_set(err, ERR_NOT_FOUND, "no listening socket '%s'", name);
    li = calloc(1, sizeof(*li)); /* lives as long as the process */
    if (!li || sd_event_add_io(r->event, &li->io, fd, EPOLLIN, on_accept, li) <
                       0) {
        free(li);
        (void)close(fd);
        return err_set(err, ERR_MEMORY, "listen on %s", name);
    }
    li->r = r;
    li->peer = peer_role;
    return 0;
}

/* ---- main ------------------------------------------------------------ */

static int misuse(const struct role_spec *spec)
{
    (void)fprintf(stderr,
            "qair-%s is started by qaird; see 'qair zone run --help'\n",
            msg_role_name(spec->role));
    return 2;
}

/* argv: ZONE UID, with the control link on descriptor 3. */
int role_main(const struct role_spec *spec, int argc, char **argv)
{
    static const int keep[] = {CONTROL_FD};
    struct role *r;
    struct stat st;
    uint64_t uid;
    struct err err;

    if (argc != 3 || !text_parse_u64(span_str(argv[2]), &uid) ||
            uid > UINT32_MAX || fstat(CONTROL_FD, &st) < 0 ||
            !S_ISSOCK(st.st_mode))
        return misuse(spec);
    (void)signal(SIGPIPE, SIG_IGN);
    sandbox_enter(spec->sandbox, (uid_t)uid, keep, ARRAY_LEN(keep));
    r = calloc(1, sizeof(*r));
    if (!r)
        return 1;
    r->spec = spec;
    r->zone = argv[1];
    LIST_INIT(&r->links);
    if (sd_event_new(&r->event) < 0 || role_request_init(r) < 0)
        role_fatal(r, "out of memory");
    r->control = role_link_new(r, CONTROL_FD, MSG_ROLE_QAIRD, NULL, &err);
    if (!r->control)
        role_fatal(r, "%s", err.msg);
    r->peers[MSG_ROLE_QAIRD] = r->control;
    /* What qaird handed over before a question came is in use by then. */
    if (sd_event_source_set_priority(
                r->control->source, SD_EVENT_PRIORITY_IMPORTANT) < 0)
        role_fatal(r, "event loop");
    r->control->announced = true;
    return sd_event_loop(r->event) < 0 ? 1 : 0;
}
