/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a call after the decision. */
#include "calld.h"

#include "statement.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- record ---------------------------------------------------------- */

static void on_recorded(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;

    (void)r;
    call_note_log(c->d, answer);
    if (!call_is_refused(c, answer))
        plan_next(c);
}

void step_record(struct call *c)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct err err;
    int e = c->origin == CALL_OF_RUN   ? record_run(c, &text, &err)
            : c->origin == CALL_OF_ASK ? record_ask(c, &text, &err)
                                       : record_decision(c, &text, &err);

    if (e)
        call_refuse(
                c, e, c->d->where, "the call cannot be recorded: %s", err.msg);
    else
        call_append(c, MSG_APPEND_STATEMENT, buf_span(&text), on_recorded);
}

void step_record_envelope(struct call *c)
{
    call_append(c, MSG_APPEND_SIGNED, buf_span(&c->envelope), on_recorded);
}

/* ---- the remote way -------------------------------------------------- */

/* The two ends of the stream, unless the asker brought one. */
static bool make_data(struct call *c)
{
    int fds[2];

    if (c->data >= 0)
        return true;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        call_refuse(c, ERR_LIMIT, c->d->where, "no stream for the call: %s",
                strerror(errno));
        return false;
    }
    c->data = fds[0];
    c->data_back = fds[1];
    return true;
}

static void on_appraisal(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;
    const struct msg_appraisal *a = answer->body;

    (void)r;
    if (call_is_refused(c, answer))
        return;
    if (!call_take_proof(a->state, a->evidence, &c->to)) {
        call_refuse(c, ERR_LIMIT, c->d->where, "the name of a state");
        return;
    }
    c->to.number = a->number;
    c->to.boot = a->boot;
    plan_next(c);
}

static uint64_t deadline_of(const struct call *c, uint64_t now)
{
    uint64_t own = now + CALLD_DEADLINE_S;

    /* The zone that called waits no longer than it said. */
    return c->via.len && c->deadline < own ? c->deadline : own;
}

/* In which state is the zone?  A channel is opened when there is none. */
void step_appraise(struct call *c)
{
    const struct msg_appraisal_get m = {.zone = span_str(c->zone),
            .source = span_str(c->source_name),
            .deadline = deadline_of(c, role_now())};
    struct role_request q = {.to = MSG_ROLE_NETD,
            .type = MSG_APPRAISAL_GET,
            .msg = &m,
            .n_fds = 1,
            .expect = MSG_APPRAISAL,
            .done = on_appraisal,
            .user = c};

    if (!make_data(c))
        return;
    q.fds = &c->data;
    role_request(c->d->role, &q);
}

static void on_envelope(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;
    const struct msg_blob *blob = answer->body;
    struct err err;

    (void)r;
    if (call_is_refused(c, answer))
        return;
    buf_append(&c->envelope, blob->bytes);
    if (buf_ok(&c->envelope, &err))
        call_refuse(c, err.code, c->d->where, "envelope: %s", err.msg);
    else
        plan_next(c);
}

void step_envelope(struct call *c)
{
    struct msg_envelope m = {.issued = role_now(),
            .log_size = c->d->log_size,
            .source_qube = span_str(c->source_name),
            .zone = span_str(c->zone),
            .qube = span_str(c->qube),
            .requested = span_str(c->requested),
            .service = span_str(c->service),
            .rule = span_str(c->rule),
            .autostart = c->autostart,
            .via = buf_span(&c->via),
            .state = span_str(c->to.state)};
    const struct role_request q = {.to = MSG_ROLE_KEYD,
            .type = MSG_ENVELOPE,
            .msg = &m,
            .expect = MSG_BLOB,
            .done = on_envelope,
            .user = c};

    c->deadline = m.deadline = deadline_of(c, m.issued);
    memcpy(m.evidence, c->to.evidence, sizeof(m.evidence));
    memcpy(m.call_id, c->id, sizeof(m.call_id));
    memcpy(m.policy, c->policy, sizeof(m.policy));
    memcpy(m.log_root, c->d->log_root, sizeof(m.log_root));
    role_request(c->d->role, &q);
}

static void on_opened(struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;

    (void)r;
    if (!call_is_refused(c, answer))
        plan_next(c);
}

void step_open(struct call *c)
{
    struct msg_open m = {.zone = span_str(c->zone),
            .source = span_str(c->source_name),
            .deadline = c->deadline,
            .envelope = buf_span(&c->envelope),
            .number = c->to.number,
            .boot = c->to.boot,
            .state = span_str(c->to.state)};
    struct role_request q = {.to = MSG_ROLE_NETD,
            .type = MSG_OPEN,
            .msg = &m,
            .n_fds = 1,
            .expect = MSG_OK,
            .done = on_opened,
            .user = c};

    memcpy(m.evidence, c->to.evidence, sizeof(m.evidence));
    q.fds = &c->data;
    role_request(c->d->role, &q); /* netd has its own */
    c->watch = TAKE_FD(c->data);
}

/* ---- the local way --------------------------------------------------- */

void step_start(struct call *c)
{
    if (*c->template)
        qube_start_disposable(c);
    else if (!text_is_name(span_str(c->qube), LIMIT_NAME_MAX))
        call_refuse(c, ERR_UNSUPPORTED, c->d->where,
                "no qube of this zone can serve %s", c->qube);
    else if (host_has(c->d, c->qube))
        host_start(c);
    else if (!c->autostart && !qube_find(c->d, c->qube))
        call_refuse(c, ERR_DENIED, c->d->where,
                "%s does not run, and the rule says autostart=no", c->qube);
    else
        qube_start(c);
}

/* Keys that the target may use, or "". */
static const char *keys_of(const struct call *c)
{
    const struct conf_qube *q = conf_qube_find(
            &c->d->qubes_conf, span_str(*c->template ? c->template : c->qube));

    return q ? q->keys : "";
}

static void on_key_session(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;

    (void)r;
    if (!call_is_refused(c, answer))
        plan_next(c);
}

void step_key(struct call *c)
{
    struct msg_key_session m = {.deadline = c->deadline,
            .source_zone = span_str(c->source_zone),
            .source_qube =
                    span_str(*c->source_qube ? c->source_qube : c->source_name),
            .source = span_str(c->source_name),
            .qube = span_str(c->qube),
            .requested = span_str(c->requested),
            .service = span_str(c->service),
            .rule = span_str(c->rule),
            .keys = span_str(keys_of(c)),
            .envelope = buf_span(&c->envelope)};
    struct role_request q = {.to = MSG_ROLE_KEYD,
            .type = MSG_KEY_SESSION,
            .msg = &m,
            .n_fds = 1,
            .expect = MSG_OK,
            .done = on_key_session,
            .user = c};
    int fds[2];

    if (m.keys.len == 0) {
        plan_next(c);
        return;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
        call_refuse(c, ERR_LIMIT, c->d->where, "no key session: %s",
                strerror(errno));
        return;
    }
    memcpy(m.call_id, c->id, sizeof(m.call_id));
    memcpy(m.policy, c->policy, sizeof(m.policy));
    c->key = fds[1];
    q.fds = &fds[0];
    role_request(c->d->role, &q);
    (void)close(fds[0]); /* keyd's alone: when keyd dies, the service sees it */
}

void step_exec(struct call *c)
{
    if (make_data(c))
        qube_exec(c); /* goes on */
}

void step_answer(struct call *c)
{
    if (c->origin == CALL_OF_QUBE)
        qube_connect(c);
    else if (c->origin == CALL_OF_ASK)
        ask_guivm_connected(c);
    else
        role_reply_ok(c->d->role, c->ticket);
    running_begin(c);
    c->target = NULL; /* the running call's from now on */
    call_free(c);
}
