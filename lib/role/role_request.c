/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of a role and the answers to them; refusals made here. */
#include "role_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int refuse_orphans(sd_event_source *s, void *user);

int role_request_init(struct role *r)
{
    r->pending = calloc(LIMIT_ROLE_PENDING_MAX, sizeof(*r->pending));
    if (!r->pending)
        return ERR_MEMORY;
    if (sd_event_add_defer(r->event, &r->orphans, refuse_orphans, r) < 0 ||
            sd_event_source_set_enabled(r->orphans, SD_EVENT_OFF) < 0)
        return ERR_MEMORY;
    return 0;
}

/* Frees the slot first, so that done may ask again. */
static void finish(struct role *r, struct pending *p, const struct role_msg *m)
{
    struct pending copy = *p;

    *p = (struct pending){0};
    r->n_pending--;
    if (copy.done)
        copy.done(r, m, copy.user);
}

static void finish_refused(struct role *r, struct pending *p)
{
    char reason[64];
    const char *name = msg_role_name(p->to);
    const struct msg_refused refused = {
            .code = (uint32_t)-ERR_PEER,
            .where = span_str(name),
            .reason = SPAN(reason,
                    (size_t)snprintf(reason, sizeof(reason),
                            p->link ? "%s restarted" : "%s is not there",
                            name)),
    };
    struct ipc_fds none = {.n = 0};
    const struct role_msg m = {
            .type = MSG_REFUSED, .body = &refused, .fds = &none};

    finish(r, p, &m);
}

void role_request_fail(struct role *r, const struct role_link *l)
{
    if (l->n_pending == 0)
        return;
    for (size_t i = 0; i < LIMIT_ROLE_PENDING_MAX; i++) {
        if (r->pending[i].id != 0 && r->pending[i].link == l->serial)
            finish_refused(r, &r->pending[i]);
    }
}

static int refuse_orphans(sd_event_source *s, void *user)
{
    struct role *r = user;

    (void)s;
    /* What the callbacks ask anew waits for the next turn. */
    for (size_t i = 0; i < LIMIT_ROLE_PENDING_MAX; i++)
        r->pending[i].due = r->pending[i].id != 0 && r->pending[i].link == 0;
    for (size_t i = 0; i < LIMIT_ROLE_PENDING_MAX; i++) {
        if (r->pending[i].due)
            finish_refused(r, &r->pending[i]);
    }
    return 0;
}

bool role_request_answer(
        struct role *r, const struct role_msg *m, struct role_link *l)
{
    struct pending *p = &r->pending[m->ticket.id % LIMIT_ROLE_PENDING_MAX];

    if (m->ticket.id == 0 || p->id != m->ticket.id || p->link != l->serial)
        return false;
    if (m->type != p->expect && m->type != MSG_REFUSED)
        return false;
    l->n_pending--;
    finish(r, p, m);
    return true;
}

/* A free slot; ids go up, so that a late answer finds no other's slot. */
static struct pending *slot_new(struct role *r)
{
    if (r->n_pending == LIMIT_ROLE_PENDING_MAX)
        role_fatal(
                r, "more than %d requests in flight", LIMIT_ROLE_PENDING_MAX);
    for (;;) {
        struct pending *p;

        if (++r->last_id == 0)
            r->last_id = 1;
        p = &r->pending[r->last_id % LIMIT_ROLE_PENDING_MAX];
        if (p->id == 0) {
            p->id = r->last_id;
            r->n_pending++;
            return p;
        }
    }
}

void role_request(struct role *r, const struct role_request *q)
{
    struct role_link *l = role_peer(r, q->to);
    struct pending *p = slot_new(r);

    p->link = l ? l->serial : 0;
    p->expect = (uint16_t)q->expect;
    p->to = q->to;
    p->done = q->done;
    p->user = q->user;
    if (l) {
        l->n_pending++;
        role_link_put(l, q->type, p->id, q->msg, q->fds, q->n_fds);
    } else if (sd_event_source_set_enabled(r->orphans, SD_EVENT_ONESHOT) < 0) {
        role_fatal(r, "event loop");
    }
}

void role_forget(struct role *r, const void *user)
{
    size_t seen = 0;

    /* Backwards from the newest: what is in flight is mostly recent. */
    for (uint32_t i = 0; i < LIMIT_ROLE_PENDING_MAX && seen < r->n_pending;
            i++) {
        struct pending *p =
                &r->pending[(r->last_id - i) % LIMIT_ROLE_PENDING_MAX];

        if (p->id == 0)
            continue;
        seen++;
        /* The slot stays, so that the answer still finds its place. */
        if (p->user == user) {
            p->done = NULL;
            p->user = NULL;
        }
    }
}

/* ---- answers --------------------------------------------------------- */

void role_reply(struct role *r, struct role_ticket t, enum msg_type type,
        const void *msg, const int *fds, size_t n_fds)
{
    struct role_link *l = role_link_by_serial(r, t.link);

    if (l && t.id != 0)
        role_link_put(l, type, t.id, msg, fds, n_fds);
}

void role_reply_ok(struct role *r, struct role_ticket t)
{
    role_reply(r, t, MSG_OK, &(struct msg_empty){0}, NULL, 0);
}

void role_reply_file(struct role *r, struct role_ticket t, struct span bytes)
{
    struct err err;
    int fd;

    if (ipc_seal(bytes, "answer", &fd, &err) < 0) {
        role_refuse(
                r, t, err.code, msg_role_name(r->spec->role), "%s", err.msg);
        return;
    }
    role_reply(r, t, MSG_FILE, &(struct msg_empty){0}, &fd, 1);
    (void)close(fd);
}

void role_refuse(struct role *r, struct role_ticket t, int code,
        const char *where, const char *fmt, ...)
{
    char text[512], safe[1024];
    struct msg_refused refused = {.code = (uint32_t)-code};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    text_format_safe(span_str(text), safe, sizeof(safe));
    refused.where = span_str(where);
    refused.reason = span_str(safe);
    role_reply(r, t, MSG_REFUSED, &refused, NULL, 0);
}

void role_refuse_as(
        struct role *r, struct role_ticket t, const struct msg_refused *refused)
{
    role_reply(r, t, MSG_REFUSED, refused, NULL, 0);
}

void role_send(struct role_link *l, enum msg_type type, const void *msg,
        const int *fds, size_t n_fds)
{
    role_link_put(l, type, 0, msg, fds, n_fds);
}
