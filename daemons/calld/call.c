/* SPDX-License-Identifier: Apache-2.0 */
#include "calld.h"

#include "statement.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- life ------------------------------------------------------------ */

struct call *call_new(struct calld *d, enum call_origin origin)
{
    struct call *c;

    if (d->n_calls >= LIMIT_CALLS_MAX)
        return NULL;
    c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->d = d;
    c->origin = origin;
    c->data = c->data_back = c->key = -1;
    c->envelope = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    c->via = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    /* Overwritten by the envelope's when the call comes from elsewhere. */
    crypto_random(c->id, sizeof(c->id));
    LIST_INSERT_HEAD(&d->calls, c, entry);
    d->n_calls++;
    return c;
}

static void call_free(struct call *c)
{
    if (c->source)
        c->source->asking--;
    LIST_REMOVE(c, entry);
    c->d->n_calls--;
    buf_close_fd(&c->data);
    buf_close_fd(&c->data_back);
    buf_close_fd(&c->key);
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

/* ---- refusal --------------------------------------------------------- */

static void tell_refusal(struct call *c)
{
    const struct msg_refused refused = {.code = (uint32_t)-c->code,
            .where = span_str(c->where),
            .reason = span_str(c->reason)};

    if (c->origin == CALL_OF_QUBE)
        qube_refuse(c);
    else
        role_refuse_as(c->d->role, c->ticket, &refused);
    call_free(c);
}

static void note_log(struct calld *d, const struct role_msg *answer)
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
    note_log(c->d, answer);
    tell_refusal(c);
}

static void append(struct call *c, uint8_t kind, struct span payload,
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
    append(c, MSG_APPEND_STATEMENT, buf_span(&text), on_refusal_recorded);
}

static void refuse(
        struct call *c, int code, struct span where, struct span reason)
{
    if (c->refused) /* on its way already */
        return;
    /* What it still waits for cannot help it any more. */
    role_forget(c->d->role, c);
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
static bool is_refused(struct call *c, const struct role_msg *answer)
{
    if (answer->type != MSG_REFUSED)
        return false;
    call_refuse_as(c, answer->body);
    return true;
}

/* ---- decide ---------------------------------------------------------- */

static bool copy(struct span s, char *ret, size_t size)
{
    if (s.len >= size || (s.len && memchr(s.ptr, 0, s.len)))
        return false;
    if (s.len)
        memcpy(ret, s.ptr, s.len);
    ret[s.len] = '\0';
    return true;
}

/* False: policyd said something that no call can hold. */
static bool take_decision(struct call *c, const struct msg_decision *d)
{
    static const uint8_t no_id[MSG_CALL_ID];
    bool ok = copy(d->source_zone, c->source_zone, sizeof(c->source_zone)) &&
              copy(d->source_qube, c->source_qube, sizeof(c->source_qube)) &&
              copy(d->zone, c->zone, sizeof(c->zone)) &&
              copy(d->qube, c->qube, sizeof(c->qube)) &&
              copy(d->user, c->user, sizeof(c->user)) &&
              copy(d->rule, c->rule, sizeof(c->rule));

    if (ok && d->source.len)
        ok = copy(d->source, c->source_name, sizeof(c->source_name));
    if (ok && c->origin == CALL_OF_ZONE) {
        ok = copy(d->requested, c->requested, sizeof(c->requested)) &&
             copy(d->service, c->service, sizeof(c->service));
        c->deadline = d->deadline;
        /* All zero: the envelope could not be read, ours stays. */
        if (memcmp(d->call_id, no_id, sizeof(no_id)) != 0)
            memcpy(c->id, d->call_id, sizeof(c->id));
    }
    memcpy(c->policy, d->policy, sizeof(c->policy));
    c->autostart = d->autostart;
    return ok;
}

static enum call_plan plan_of(uint8_t kind)
{
    if (kind == MSG_TARGET_LOCAL)
        return PLAN_LOCAL;
    return kind == MSG_TARGET_REMOTE ? PLAN_REMOTE : PLAN_COUNT;
}

static void on_decision(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;
    const struct msg_decision *d = answer->body;
    enum call_plan plan;

    (void)r;
    if (is_refused(c, answer))
        return;
    if (!take_decision(c, d)) {
        call_refuse(c, ERR_LIMIT, c->d->where, "the decision is too long");
        return;
    }
    if (!d->allow) {
        refuse(c, ERR_DENIED, d->where, d->reason);
        return;
    }
    c->allowed = true;
    plan = plan_of(d->kind);
    if (plan == PLAN_COUNT) {
        call_refuse(c, ERR_UNSUPPORTED, c->d->where,
                "the decision is of no kind that a call can follow");
        return;
    }
    /* It goes on to a third zone, with an envelope of this one. */
    if (plan == PLAN_REMOTE && c->origin == CALL_OF_ZONE) {
        c->via = c->envelope;
        c->envelope = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    }
    call_start(c, plan);
}

static void step_decide(struct call *c)
{
    const struct msg_decide local = {.source = span_str(c->source_name),
            .target = span_str(c->requested),
            .service = span_str(c->service)};
    const struct msg_decide_remote remote = {
            .zone = span_str(c->peer_zone), .envelope = buf_span(&c->envelope)};
    bool is_remote = c->origin == CALL_OF_ZONE;
    const struct role_request q = {.to = MSG_ROLE_POLICYD,
            .type = is_remote ? MSG_DECIDE_REMOTE : MSG_DECIDE,
            .msg = is_remote ? (const void *)&remote : (const void *)&local,
            .expect = MSG_DECISION,
            .done = on_decision,
            .user = c};

    role_request(c->d->role, &q);
}

/* ---- record ---------------------------------------------------------- */

static void on_recorded(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;

    (void)r;
    note_log(c->d, answer);
    if (!is_refused(c, answer))
        call_next(c);
}

static void step_record(struct call *c)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct err err;
    int e = c->origin == CALL_OF_RUN ? record_run(c, &text, &err)
                                     : record_decision(c, &text, &err);

    if (e)
        call_refuse(
                c, e, c->d->where, "the call cannot be recorded: %s", err.msg);
    else
        append(c, MSG_APPEND_STATEMENT, buf_span(&text), on_recorded);
}

static void step_record_envelope(struct call *c)
{
    append(c, MSG_APPEND_SIGNED, buf_span(&c->envelope), on_recorded);
}

/* ---- the remote way -------------------------------------------------- */

static void on_envelope(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;
    const struct msg_blob *blob = answer->body;
    struct err err;

    (void)r;
    if (is_refused(c, answer))
        return;
    buf_append(&c->envelope, blob->bytes);
    if (buf_ok(&c->envelope, &err))
        call_refuse(c, err.code, c->d->where, "envelope: %s", err.msg);
    else
        call_next(c);
}

static void step_envelope(struct call *c)
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
            .via = buf_span(&c->via)};
    const struct role_request q = {.to = MSG_ROLE_KEYD,
            .type = MSG_ENVELOPE,
            .msg = &m,
            .expect = MSG_BLOB,
            .done = on_envelope,
            .user = c};

    m.deadline = m.issued + CALLD_DEADLINE_S;
    /* The zone that called waits no longer than it said. */
    if (c->via.len && c->deadline < m.deadline)
        m.deadline = c->deadline;
    c->deadline = m.deadline;
    memcpy(m.call_id, c->id, sizeof(m.call_id));
    memcpy(m.policy, c->policy, sizeof(m.policy));
    memcpy(m.log_root, c->d->log_root, sizeof(m.log_root));
    role_request(c->d->role, &q);
}

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

static void on_opened(struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;

    (void)r;
    if (!is_refused(c, answer))
        call_next(c);
}

static void step_open(struct call *c)
{
    const struct msg_open m = {.zone = span_str(c->zone),
            .deadline = c->deadline,
            .envelope = buf_span(&c->envelope)};
    struct role_request q = {.to = MSG_ROLE_NETD,
            .type = MSG_OPEN,
            .msg = &m,
            .n_fds = 1,
            .expect = MSG_OK,
            .done = on_opened,
            .user = c};

    if (!make_data(c))
        return;
    q.fds = &c->data;
    role_request(c->d->role, &q);
    /* netd has its own: ours would keep the stream open. */
    buf_close_fd(&c->data);
    c->data = -1;
}

/* ---- the local way --------------------------------------------------- */

static void step_start(struct call *c)
{
    if (!text_is_name(span_str(c->qube), LIMIT_NAME_MAX))
        call_refuse(c, ERR_UNSUPPORTED, c->d->where,
                "no qube of this zone can serve %s", c->qube);
    else if (!c->autostart && !qube_find(c->d, c->qube))
        call_refuse(c, ERR_DENIED, c->d->where,
                "%s does not run, and the rule says autostart=no", c->qube);
    else
        qube_start(c);
}

/* Keys that the target may use, or "". */
static const char *keys_of(const struct call *c)
{
    const struct conf_qube *q =
            conf_qube_find(&c->d->qubes_conf, span_str(c->qube));

    return q ? q->keys : "";
}

static void on_key_session(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct call *c = user;

    (void)r;
    if (!is_refused(c, answer))
        call_next(c);
}

static void step_key(struct call *c)
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
        call_next(c);
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

static void step_exec(struct call *c)
{
    if (make_data(c))
        qube_exec(c); /* goes on */
}

static void step_answer(struct call *c)
{
    if (c->origin == CALL_OF_QUBE)
        qube_connect(c);
    else
        role_reply_ok(c->d->role, c->ticket);
    call_free(c);
}

/* ---- plans ----------------------------------------------------------- */

enum step {
    STEP_NONE,
    STEP_DECIDE,
    STEP_ENVELOPE,
    STEP_RECORD,
    STEP_RECORD_ENVELOPE,
    STEP_OPEN,
    STEP_START,
    STEP_KEY,
    STEP_EXEC,
    STEP_ANSWER,
    STEP_COUNT
};

static void (*const enter[STEP_COUNT])(struct call *c) = {
        [STEP_DECIDE] = step_decide,
        [STEP_ENVELOPE] = step_envelope,
        [STEP_RECORD] = step_record,
        [STEP_RECORD_ENVELOPE] = step_record_envelope,
        [STEP_OPEN] = step_open,
        [STEP_START] = step_start,
        [STEP_KEY] = step_key,
        [STEP_EXEC] = step_exec,
        [STEP_ANSWER] = step_answer,
};

/* Each plan ends with STEP_ANSWER, or, for PLAN_DECIDE, in another plan. */
static const enum step plans[PLAN_COUNT][6] = {
        [PLAN_DECIDE] = {STEP_DECIDE},
        [PLAN_REMOTE] = {STEP_ENVELOPE, STEP_RECORD_ENVELOPE, STEP_OPEN,
                STEP_ANSWER},
        [PLAN_LOCAL] = {STEP_RECORD, STEP_START, STEP_KEY, STEP_EXEC,
                STEP_ANSWER},
        [PLAN_RUN] = {STEP_RECORD, STEP_START, STEP_EXEC, STEP_ANSWER},
};

void call_start(struct call *c, enum call_plan plan)
{
    c->plan = plan;
    c->step = 0;
    enter[plans[plan][0]](c);
}

void call_next(struct call *c)
{
    c->step++;
    enter[plans[c->plan][c->step]](c);
}
