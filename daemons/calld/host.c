/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone in the relay qube of a Qubes host (docs/proto/relay.md).  Its socket
 * relay.sock admits one user of the relay qube: the kernel checks that.
 *
 *   out  qair.Relay, started by the host's dom0, hands over a call of one of
 *        the host's qubes: MSG_RELAY_CALL.  Who calls is dom0's word, and the
 *        relay qube is believed in it, for qubes that qubes.d says to be there.
 *   in   qair-relay is an agent for all of them (MSG_RELAY_SERVE).  It hears
 *        whom to call, in whose name, and never asks for anything.
 */
#include "calld.h"

#include <stdio.h>
#include <unistd.h>

#define AGENT "@qubes"

bool host_has(const struct calld *d, const char *name)
{
    const struct conf_qube *q = conf_qube_find(&d->qubes_conf, span_str(name));

    return q && q->on_host;
}

/* ---- in -------------------------------------------------------------- */

void host_start(struct call *c)
{
    struct qube *q = qube_find(c->d, AGENT);

    if (c->origin == CALL_OF_RUN)
        call_refuse(c, ERR_UNSUPPORTED, c->d->where,
                "%s is a qube of the Qubes host: it runs services alone",
                c->qube);
    else if (c->origin == CALL_OF_HOST)
        call_refuse(c, ERR_DENIED, c->d->where,
                "%s and %s are qubes of one Qubes host, which joins them",
                c->source_name, c->qube);
    else if (!c->autostart)
        call_refuse(c, ERR_DENIED, c->d->where,
                "the rule says autostart=no, and whether %s runs is not known "
                "here",
                c->qube);
    else if (!q || q->state != QUBE_UP)
        call_refuse(c, ERR_NOT_FOUND, c->d->where,
                "qair-relay does not run, which calls qubes of the Qubes host");
    else {
        c->target = q;
        plan_next(c);
    }
}

void host_on_serve(struct role *r, const struct role_msg *m)
{
    struct calld *d = role_user(r);

    if (qube_find(d, AGENT))
        role_refuse(r, m->ticket, ERR_EXISTS, d->where,
                "another qair-relay serves already");
    else if (!call_is_stream(m->fds->fd[0]))
        role_refuse(r, m->ticket, ERR_SYNTAX, d->where,
                "its link is no stream socket");
    else if (!qube_adopt(d, AGENT, TAKE_FD(m->fds->fd[0])))
        role_refuse(
                r, m->ticket, ERR_LIMIT, d->where, "no memory for its link");
    else
        role_reply_ok(r, m->ticket);
}

/* ---- out ------------------------------------------------------------- */

/* NULL: it is answered already. */
static struct call *host_call(struct calld *d, const struct role_msg *m)
{
    const struct msg_relay_call *body = m->body;
    struct call *c;

    c = call_new(d, CALL_OF_HOST);
    if (!c) {
        role_refuse(d->role, m->ticket, ERR_LIMIT, d->where,
                "too many calls at once");
        return NULL;
    }
    c->ticket = m->ticket;
    if (text_is_name(body->source, LIMIT_NAME_MAX))
        memcpy(c->source_name, body->source.ptr, body->source.len);
    else
        (void)snprintf(c->source_name, sizeof(c->source_name), "@qubes");
    return call_take_stream(c, m) ? c : NULL;
}

void host_on_call(struct role *r, const struct role_msg *m)
{
    static struct qrexec_request request;
    struct calld *d = role_user(r);
    const struct msg_relay_call *body = m->body;
    const struct qrexec_msg as_asked = {
            .target = body->target, .service = body->service};
    struct call *c = host_call(d, m);
    struct share_of who;
    struct err err;
    int e;

    if (!c)
        return;
    e = qrexec_request_check(&as_asked, &request, &err);
    if (e) {
        call_refuse(c, e, d->where, "%s", err.msg);
        return;
    }
    (void)snprintf(c->requested, sizeof(c->requested), "%s", request.target);
    (void)snprintf(c->service, sizeof(c->service), "%s", request.service);
    who = (struct share_of){
            .origin = CALL_OF_HOST, .source = c->source_name, .peer_zone = ""};
    if (!host_has(d, c->source_name))
        call_refuse(c, ERR_DENIED, d->where,
                "qubes.d names no qube %s of the Qubes host", c->source_name);
    else if (share_begin(d, &who, c, &err))
        call_refuse(c, ERR_LIMIT, d->where, "%s", err.msg);
    else
        plan_start(c, PLAN_DECIDE);
}
