/* SPDX-License-Identifier: Apache-2.0 */
#include "calld.h"

#include "statement.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- life ------------------------------------------------------------ */

struct call *call_new(struct calld *d, enum call_origin origin)
{
    struct call *c;

    if (d->n_calls + d->n_running >= LIMIT_CALLS_MAX)
        return NULL;
    c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->d = d;
    c->origin = origin;
    c->data = c->data_back = c->key = c->watch = -1;
    c->since = role_now();
    c->envelope = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    c->via = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    /* Overwritten by the envelope's when the call comes from elsewhere. */
    crypto_random(c->id, sizeof(c->id));
    LIST_INSERT_HEAD(&d->calls, c, entry);
    d->n_calls++;
    return c;
}

void call_free(struct call *c)
{
    ask_end(c);
    if (c->about)
        c->about->call = NULL;
    qube_release(c->target); /* made for it, and it did not begin */
    LIST_REMOVE(c, entry);
    c->d->n_calls--;
    buf_close_fd(&c->data);
    buf_close_fd(&c->data_back);
    buf_close_fd(&c->key);
    buf_close_fd(&c->watch);
    buf_fini(&c->envelope);
    buf_fini(&c->via);
    free(c->command);
    free(c);
}

void call_cancel(struct call *c)
{
    role_forget(c->d->role, c);
    call_free(c);
}

/* ---- its stream ------------------------------------------------------ */

bool call_is_stream(int fd)
{
    int type = 0, domain = 0;
    socklen_t n = sizeof(type), m = sizeof(domain);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &m) == 0 &&
           type == SOCK_STREAM && domain == AF_UNIX;
}

bool call_take_stream(struct call *c, const struct role_msg *m)
{
    if (call_is_stream(m->fds->fd[0])) {
        c->data = TAKE_FD(m->fds->fd[0]);
        return true;
    }
    call_refuse(c, ERR_SYNTAX, c->d->where, "its stream is no stream socket");
    return false;
}

/* ---- what it rests on ------------------------------------------------ */

bool call_take_proof(struct span state,
        const uint8_t evidence[static MSG_DIGEST], struct proof *ret)
{
    struct proof p = {.number = 0};

    if (state.len > CALLD_STATE_MAX)
        return false;
    if (state.len > 0)
        memcpy(p.state, state.ptr, state.len);
    memcpy(p.evidence, evidence, sizeof(p.evidence));
    *ret = p;
    return true;
}

const struct proof *call_source_proof(const struct call *c)
{
    return c->origin == CALL_OF_ZONE ? &c->from : &c->d->own;
}

/* ---- refusal --------------------------------------------------------- */

static void tell_refusal(struct call *c)
{
    const struct msg_refused refused = {.code = (uint32_t)-c->code,
            .where = span_str(c->where),
            .reason = span_str(c->reason)};

    if (c->origin == CALL_OF_QUBE)
        qube_refuse(c);
    else if (c->origin == CALL_OF_ASK)
        ask_guivm_refused(c);
    else
        role_refuse_as(c->d->role, c->ticket, &refused);
    call_free(c);
}

void call_note_log(struct calld *d, const struct role_msg *answer)
{
    const struct msg_appended *a = answer->body;

    if (answer->type != MSG_APPENDED || a->size < d->log_size)
        return;
    d->log_size = a->size;
    memcpy(d->log_root, a->root, sizeof(d->log_root));
}

static void on_refusal_recorded(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;

    /* Without a log it is refused all the same. */
    if (answer->type == MSG_REFUSED)
        role_log(r, "a refusal (%s: %s) could not be recorded", c->where,
                c->reason);
    call_note_log(c->d, answer);
    tell_refusal(c);
}

void call_append(struct call *c, uint8_t kind, struct span payload,
        void (*done)(struct role *, const struct role_msg *, void *))
{
    const struct msg_append m = {.kind = kind, .payload = payload};
    const struct role_request q = {.to = MSG_ROLE_LOGD,
            .type = MSG_APPEND,
            .msg = &m,
            .expect = MSG_APPENDED,
            .done = done,
            .user = c};

    role_request(c->d->role, &q);
}

static void record_refusal(struct call *c)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct err err;

    if (!record_may_refuse(c)) {
        tell_refusal(c);
        return;
    }
    if (record_decision(c, &text, &err)) {
        role_log(c->d->role, "a refusal (%s: %s) could not be recorded: %s",
                c->where, c->reason, err.msg);
        tell_refusal(c);
        return;
    }
    call_append(c, MSG_APPEND_STATEMENT, buf_span(&text), on_refusal_recorded);
}

static void refuse(
        struct call *c, int code, struct span where, struct span reason)
{
    if (c->refused) /* on its way already */
        return;
    /* What it still waits for cannot help it any more. */
    role_forget(c->d->role, c);
    ask_end(c);
    c->refused = true;
    c->code = code < 0 ? code : ERR_DENIED;
    /* Words of peers: printable, and short enough for every place. */
    text_format_safe(where, c->where, sizeof(c->where));
    text_format_safe(reason, c->reason, sizeof(c->reason));
    if (!*c->where)
        (void)snprintf(c->where, sizeof(c->where), "%s", c->d->where);
    /* A role of this zone; what another zone said has that zone's name. */
    else if (!strstr(c->where, "zone "))
        (void)snprintf(c->where + strlen(c->where),
                sizeof(c->where) - strlen(c->where), " of %s", c->d->where);
    record_refusal(c);
}

void call_refuse(
        struct call *c, int code, const char *where, const char *fmt, ...)
{
    char reason[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    refuse(c, code, span_str(where), span_str(reason));
}

void call_refuse_as(struct call *c, const struct msg_refused *refused)
{
    int code = refused->code <= INT32_MAX ? -(int)refused->code : ERR_DENIED;

    refuse(c, code, refused->where, refused->reason);
}

/* The answer was a refusal: the call ends with it. */
bool call_is_refused(struct call *c, const struct role_msg *answer)
{
    if (answer->type != MSG_REFUSED)
        return false;
    call_refuse_as(c, answer->body);
    return true;
}
