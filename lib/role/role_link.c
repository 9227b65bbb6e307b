/* SPDX-License-Identifier: Apache-2.0 */
/* Links: reading, the permit table, queued writing. */
#include "role_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Messages read from one link before the others get their turn. */
#define BURST 32
/* An outsider that has not read this many answers is not read either. */
#define OUTSIDER_UNREAD_MAX 16

static bool is_outsider(const struct role_link *l)
{
    return l->peer == MSG_ROLE_ADMIN || l->peer == MSG_ROLE_SERVICE ||
           l->peer == MSG_ROLE_RELAY;
}

static void outgoing_free(struct outgoing *o)
{
    ipc_fds_close(&o->fds);
    secret_wipe(o->bytes, o->len);
    free(o);
}

static void drop_queue(struct role_link *l)
{
    struct outgoing *o;

    while ((o = TAILQ_FIRST(&l->queue))) {
        TAILQ_REMOVE(&l->queue, o, next);
        outgoing_free(o);
    }
    l->queued = 0;
    l->queued_bytes = 0;
}

static void link_free(struct role_link *l)
{
    sd_event_source_disable_unref(l->source);
    (void)close(l->fd);
    drop_queue(l);
    free(l);
}

void role_link_close(struct role_link *l)
{
    struct role *r = l->r;

    if (l->closed)
        return;
    l->closed = true;
    LIST_REMOVE(l, next);
    r->n_links--;
    if (l->peer < MSG_ROLE_COUNT && r->peers[l->peer] == l)
        r->peers[l->peer] = NULL;
    role_request_fail(r, l);
    if (l->announced && r->spec->gone)
        r->spec->gone(r, l);
    if (!l->busy)
        link_free(l);
}

/* Of a role: it is broken or taken over, end.  Of an outsider: its loss. */
static void violation(struct role_link *l, const char *what, uint16_t type)
{
    if (!is_outsider(l))
        role_fatal(l->r, "%s from %s: %s", msg_type_name(type),
                msg_role_name(l->peer), what);
    role_log(l->r, "%s from %s: %s; link closed", msg_type_name(type),
            msg_role_name(l->peer), what);
    role_link_close(l);
}

static const struct role_permit *find_permit(const struct role_permit *table,
        size_t n, const struct role_link *l, uint16_t type)
{
    for (size_t i = 0; i < n; i++) {
        const struct role_permit *p = &table[i];

        if (p->peer == l->peer && p->type == type && (p->states & l->state))
            return p;
    }
    return NULL;
}

static void dispatch(
        struct role_link *l, struct span datagram, struct ipc_fds *fds)
{
    struct role *r = l->r;
    const struct role_permit *p = NULL;
    struct msg_header h;
    union msg_any body = {0};
    struct role_msg m;

    if (msg_get_header(datagram, &h) < 0) {
        violation(l, "malformed header", 0);
        return;
    }
    if (fds->n != msg_fds(h.type) || msg_get(&h, &body) < 0) {
        violation(l, "malformed", h.type);
        return;
    }
    m = (struct role_msg){
            .link = l,
            .ticket = {.link = l->serial, .id = h.id},
            .type = (enum msg_type)h.type,
            .body = &body,
            .fds = fds,
    };
    if (msg_is_answer(h.type)) {
        if (!role_request_answer(r, &m, l))
            violation(l, "answers nothing that was asked", h.type);
        return;
    }
    if (l == r->control)
        p = find_permit(
                role_control_permits, role_n_control_permits, l, h.type);
    if (!p)
        p = find_permit(r->spec->permits, r->spec->n_permits, l, h.type);
    if (!p)
        violation(l, "not permitted", h.type);
    else
        p->handler(r, &m);
    secret_wipe(&body, sizeof(body));
}

static void read_burst(struct role_link *l)
{
    struct role *r = l->r;

    for (int i = 0; i < BURST && !l->closed; i++) {
        struct ipc_fds fds = {.n = 0};
        size_t len;
        int rc;

        if (is_outsider(l) && l->queued >= OUTSIDER_UNREAD_MAX)
            return;
        rc = ipc_recv(l->fd, r->in, sizeof(r->in), &len, &fds);
        if (rc == ERR_STATE)
            return;
        if (rc == ERR_LIMIT) {
            violation(l, "too large", 0);
            return;
        }
        if (rc < 0) {
            role_link_close(l);
            return;
        }
        dispatch(l, SPAN(r->in, len), &fds);
        ipc_fds_close(&fds);
        secret_wipe(r->in, len); /* MSG_LOG_KEY came this way */
    }
}

static void update_events(struct role_link *l)
{
    uint32_t events = 0;

    if (!is_outsider(l) || l->queued < OUTSIDER_UNREAD_MAX)
        events |= EPOLLIN;
    if (l->queued > 0)
        events |= EPOLLOUT;
    if (sd_event_source_set_io_events(l->source, events) < 0)
        role_fatal(l->r, "event loop");
}

static void flush_queue(struct role_link *l)
{
    struct outgoing *o;

    while ((o = TAILQ_FIRST(&l->queue))) {
        int rc = ipc_send(l->fd, SPAN(o->bytes, o->len), o->fds.fd, o->fds.n);

        if (rc == ERR_STATE)
            break;
        if (rc < 0) { /* reading will tell that the peer is gone */
            drop_queue(l);
            (void)shutdown(l->fd, SHUT_RDWR);
            break;
        }
        TAILQ_REMOVE(&l->queue, o, next);
        l->queued--;
        l->queued_bytes -= o->len;
        outgoing_free(o);
    }
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *user)
{
    struct role_link *l = user;
    struct role *r = l->r;

    (void)s;
    (void)fd;
    l->busy = true;
    if (revents & EPOLLOUT)
        flush_queue(l);
    if (revents & EPOLLIN)
        read_burst(l);
    else if (revents & (EPOLLHUP | EPOLLERR))
        role_link_close(l);
    l->busy = false;
    if (!l->closed) {
        update_events(l);
        return 0;
    }
    if (l == r->control) /* qaird is gone, and with it the zone */
        _exit(0);
    link_free(l);
    return 0;
}

struct role_link *role_link_new(
        struct role *r, int fd, uint8_t peer, void *user, struct err *err)
{
    struct role_link *l;

    if (r->n_links == LIMIT_ROLE_LINKS_MAX) {
        (void)close(fd);
        err_set(err, ERR_LIMIT, "more than %d links", LIMIT_ROLE_LINKS_MAX);
        return NULL;
    }
    l = calloc(1, sizeof(*l));
    if (!l || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
            sd_event_add_io(r->event, &l->source, fd, EPOLLIN, on_io, l) < 0) {
        free(l);
        (void)close(fd);
        err_set(err, ERR_MEMORY, "link to %s", msg_role_name(peer));
        return NULL;
    }
    l->r = r;
    l->fd = fd;
    l->peer = peer;
    l->user = user;
    l->state = ROLE_OPEN;
    l->serial = ++r->last_serial;
    TAILQ_INIT(&l->queue);
    LIST_INSERT_HEAD(&r->links, l, next);
    r->n_links++;
    return l;
}

void role_link_enable(struct role_link *l)
{
    l->announced = true;
    if (sd_event_source_set_enabled(l->source, SD_EVENT_ON) < 0)
        role_fatal(l->r, "event loop");
}

struct role_link *role_link_by_serial(struct role *r, uint64_t serial)
{
    struct role_link *l;

    LIST_FOREACH (l, &r->links, next) {
        if (l->serial == serial)
            return l;
    }
    return NULL;
}

/* ---- writing --------------------------------------------------------- */

static void enqueue(
        struct role_link *l, struct span datagram, const int *fds, size_t n)
{
    struct outgoing *o;

    if (l->queued >= LIMIT_ROLE_QUEUE_MAX ||
            l->queued_bytes + datagram.len > LIMIT_ROLE_QUEUE_BYTES) {
        if (!is_outsider(l))
            role_fatal(l->r, "%s does not read", msg_role_name(l->peer));
        (void)shutdown(l->fd, SHUT_RDWR);
        return;
    }
    o = malloc(sizeof(*o) + datagram.len);
    if (!o)
        role_fatal(l->r, "out of memory");
    o->fds.n = n;
    for (size_t i = 0; i < n; i++) {
        o->fds.fd[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (o->fds.fd[i] < 0)
            role_fatal(l->r, "out of descriptors");
    }
    o->len = datagram.len;
    memcpy(o->bytes, datagram.ptr, datagram.len);
    TAILQ_INSERT_TAIL(&l->queue, o, next);
    l->queued++;
    l->queued_bytes += datagram.len;
    update_events(l);
}

void role_link_put(struct role_link *l, enum msg_type type, uint32_t id,
        const void *msg, const int *fds, size_t n_fds)
{
    struct role *r = l->r;
    size_t len;
    int rc = ERR_STATE;

    if (l->closed)
        return;
    if (n_fds != msg_fds((uint16_t)type) ||
            !msg_put(type, id, msg, r->out, sizeof(r->out), &len))
        role_fatal(r, "%s for %s does not fit a message",
                msg_type_name((uint16_t)type), msg_role_name(l->peer));
    if (l->queued == 0)
        rc = ipc_send(l->fd, SPAN(r->out, len), fds, n_fds);
    if (rc == ERR_STATE)
        enqueue(l, SPAN(r->out, len), fds, n_fds);
    else if (rc < 0)
        (void)shutdown(l->fd, SHUT_RDWR);
    secret_wipe(r->out, len);
}

/* ---- accessors ------------------------------------------------------- */

struct role_link *role_peer(struct role *r, uint8_t peer_role)
{
    return peer_role < MSG_ROLE_COUNT ? r->peers[peer_role] : NULL;
}

int role_link_add(struct role *r, int fd, uint8_t peer_role, void *user,
        struct role_link **ret, struct err *err)
{
    struct role_link *l = role_link_new(r, fd, peer_role, user, err);

    if (!l)
        return err ? err->code : ERR_MEMORY;
    role_link_enable(l);
    *ret = l;
    return 0;
}

uint8_t role_link_peer(const struct role_link *l)
{
    return l->peer;
}

void *role_link_user(const struct role_link *l)
{
    return l->user;
}

void role_link_set_user(struct role_link *l, void *user)
{
    l->user = user;
}

unsigned role_link_state(const struct role_link *l)
{
    return l->state;
}

void role_link_set_state(struct role_link *l, unsigned state)
{
    l->state = state;
}

int role_link_cred(const struct role_link *l, struct ipc_cred *ret)
{
    return ipc_peer_cred(l->fd, ret, NULL);
}
