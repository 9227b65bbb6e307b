/* SPDX-License-Identifier: Apache-2.0 */
#include "calld.h"

#include "statement.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- the owner ------------------------------------------------------- */

/* NULL: it is answered already. */
static struct call *admin_call(
        struct calld *d, const struct role_msg *m, enum call_origin origin)
{
    struct call *c;
    struct ipc_cred cred;

    /* The socket's mode (0600) admits root and the owner; who it was is for
     * the record. */
    if (role_link_cred(m->link, &cred)) {
        role_refuse(d->role, m->ticket, ERR_DENIED, d->where,
                "who asks cannot be told");
        return NULL;
    }
    c = call_new(d, origin);
    if (!c) {
        role_refuse(d->role, m->ticket, ERR_LIMIT, d->where,
                "too many calls at once");
        return NULL;
    }
    c->uid = cred.uid;
    c->ticket = m->ticket;
    (void)snprintf(c->source_name, sizeof(c->source_name), "@adminvm");
    if (origin == CALL_OF_RUN)
        (void)snprintf(c->service, sizeof(c->service), "qube-run");
    return call_take_stream(c, m) ? c : NULL;
}

static void on_call(struct role *r, const struct role_msg *m)
{
    static struct qrexec_request request;
    struct calld *d = role_user(r);
    const struct msg_call *body = m->body;
    const struct qrexec_msg as_asked = {
            .target = body->target, .service = body->service};
    struct call *c = admin_call(d, m, CALL_OF_ADMIN);
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
    plan_start(c, PLAN_DECIDE);
}

static void on_run(struct role *r, const struct role_msg *m)
{
    struct calld *d = role_user(r);
    const struct msg_qube_run *body = m->body;
    struct call *c = admin_call(d, m, CALL_OF_RUN);

    if (!c)
        return;
    if (!text_is_name(body->qube, LIMIT_NAME_MAX)) {
        call_refuse(c, ERR_SYNTAX, d->where, "that is not a qube's name");
        return;
    }
    memcpy(c->qube, body->qube.ptr, body->qube.len);
    memcpy(c->requested, body->qube.ptr, body->qube.len);
    c->command = strndup((const char *)body->command.ptr, body->command.len);
    c->autostart = true;
    if (!c->command || body->command.len == 0)
        call_refuse(c, ERR_SYNTAX, d->where, "there is no command");
    else
        plan_start(c, PLAN_RUN);
}

/* ---- other zones ----------------------------------------------------- */

/* Of the same zone and yet no record: that would be the attack. */
static struct call *zone_call(
        struct calld *d, const char *zone, struct err *err)
{
    const struct share_of who = {.origin = CALL_OF_ZONE, .peer_zone = zone};
    struct call *c;

    if (share_begin(d, &who, NULL, err))
        return NULL;
    c = call_new(d, CALL_OF_ZONE);
    if (!c)
        (void)err_set(err, ERR_LIMIT, "too many calls at once");
    return c;
}

static void on_incoming(struct role *r, const struct role_msg *m)
{
    struct calld *d = role_user(r);
    const struct msg_incoming *body = m->body;
    char zone[LIMIT_ZONE_NAME_MAX + 1] = "";
    struct call *c;
    struct err err;

    if (text_is_name(body->zone, LIMIT_ZONE_NAME_MAX))
        memcpy(zone, body->zone.ptr, body->zone.len);
    c = zone_call(d, zone, &err);
    if (!c) {
        role_refuse(r, m->ticket, ERR_LIMIT, d->where, "%s", err.msg);
        return;
    }
    c->ticket = m->ticket;
    buf_append(&c->envelope, body->envelope);
    if (!*zone || buf_ok(&c->envelope, &err) || c->envelope.len == 0) {
        call_refuse(c, ERR_LIMIT, d->where, "the envelope is too large");
        return;
    }
    if (!call_take_proof(body->state, body->evidence, &c->from)) {
        call_refuse(c, ERR_LIMIT, d->where, "the name of a state");
        return;
    }
    memcpy(c->peer_zone, zone, sizeof(c->peer_zone));
    /* Until policyd has read it, the envelope's word counts for nothing. */
    (void)snprintf(
            c->source_name, sizeof(c->source_name), "@zone:%s", c->peer_zone);
    if (call_take_stream(c, m))
        plan_start(c, PLAN_DECIDE);
}

/* ---- states of zones ------------------------------------------------- */

/* Another state decides otherwise, also about what runs. */
static void on_own_state(struct role *r, const struct role_msg *m)
{
    const struct msg_own_state *body = m->body;
    struct calld *d = role_user(r);
    struct proof was = d->own;

    if (!call_take_proof(body->state, body->evidence, &d->own))
        role_fatal(r, "keyd names a state of %zu bytes", body->state.len);
    if (strcmp(was.state, d->own.state) != 0)
        running_check(d);
}

static void on_peer_state(struct role *r, const struct role_msg *m)
{
    const struct msg_peer_state *body = m->body;
    char zone[LIMIT_ZONE_NAME_MAX + 1] = "";
    struct calld *d = role_user(r);
    struct proof now;
    struct call *c;

    if (!text_is_name(body->zone, LIMIT_ZONE_NAME_MAX) ||
            !call_take_proof(body->state, body->evidence, &now))
        role_fatal(r, "netd names no zone, or no state");
    memcpy(zone, body->zone.ptr, body->zone.len);
    LIST_FOREACH (c, &d->calls, entry) {
        if (c->origin == CALL_OF_ZONE && strcmp(c->peer_zone, zone) == 0)
            c->from = now;
    }
    running_note_state(d, zone, &now);
    running_check(d);
}

/* ---- status ---------------------------------------------------------- */

static const char *const state_names[] = {
        [QUBE_STARTING] = "starting",
        [QUBE_GREETING] = "starting",
        [QUBE_UP] = "running",
        [QUBE_BROKEN] = "stopping",
};

static bool put_qube(struct json_t *list, const struct qube *q)
{
    struct json_t *o = statement_add_object(list);

    return o && statement_put_str(o, "name", q->name) &&
           statement_put_str(o, "state", state_names[q->state]) &&
           statement_put_u64(o, "services", q->running);
}

static bool put_status(struct json_t *o, const struct calld *d)
{
    struct json_t *list = o ? statement_put_array(o, "qubes") : NULL;
    const struct qube *q;

    if (!list || !statement_put_str(o, "role", "calld") ||
            !statement_put_u64(o, "calls", d->n_calls) ||
            !statement_put_u64(o, "running", d->n_running))
        return false;
    LIST_FOREACH (q, &d->qubes, entry) {
        if (!put_qube(list, q))
            return false;
    }
    return true;
}

static void on_status(struct role *r, const struct role_msg *m)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *o = statement_json_object();
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_IPC_MSG_MAX - 64);
    struct msg_blob blob;
    struct err err;

    if (!put_status(o, role_user(r)) || statement_json_format(o, &text, &err)) {
        role_refuse(r, m->ticket, ERR_MEMORY, "calld", "no memory");
        return;
    }
    blob.bytes = buf_span(&text);
    role_reply(r, m->ticket, MSG_BLOB, &blob, NULL, 0);
}

/* ---- start ----------------------------------------------------------- */

static void on_checkpoint(
        struct role *r, const struct role_msg *answer, void *user)
{
    const struct msg_appended *a = answer->body;
    struct calld *d = user;

    (void)r;
    if (answer->type != MSG_APPENDED || a->size < d->log_size)
        return;
    d->log_size = a->size;
    memcpy(d->log_root, a->root, sizeof(d->log_root));
}

static int load_qubes(struct role *r, const char *bundle, struct err *err)
{
    struct calld *d = role_user(r);
    struct conf_qubes fresh = {0};
    int e;

    if (strcmp(bundle, "qubes") != 0)
        return 0;
    e = conf_qubes_parse(role_bundle(r, "qubes"), &fresh, err);
    if (e)
        return e;
    conf_qubes_fini(&d->qubes_conf);
    d->qubes_conf = fresh;
    return 0;
}

static int on_start(struct role *r, struct err *err)
{
    static struct calld daemon;
    const struct msg_empty nothing = {0};
    const struct role_request q = {.to = MSG_ROLE_LOGD,
            .type = MSG_CHECKPOINT_GET,
            .msg = &nothing,
            .expect = MSG_APPENDED,
            .done = on_checkpoint,
            .user = &daemon};
    int e;

    daemon.role = r;
    LIST_INIT(&daemon.calls);
    LIST_INIT(&daemon.running);
    LIST_INIT(&daemon.qubes);
    (void)snprintf(daemon.where, sizeof(daemon.where), "zone %s", role_zone(r));
    role_set_user(r, &daemon);
    e = load_qubes(r, "qubes", err);
    if (e == 0)
        e = role_listen(r, "call", MSG_ROLE_ADMIN, err);
    if (e == 0) {
        e = role_listen(r, "relay", MSG_ROLE_RELAY, err);
        if (e == ERR_NOT_FOUND) /* no relay-user in zone.conf */
            e = 0;
    }
    if (e == 0)
        role_request(r, &q);
    return e;
}

static void on_policy_changed(struct role *r, const struct role_msg *m)
{
    (void)m;
    running_check(role_user(r));
}

/* One that was started again may have another policy. */
static void on_peer(struct role *r, struct role_link *link)
{
    if (role_link_peer(link) == MSG_ROLE_POLICYD)
        running_check(role_user(r));
}

static void on_gone(struct role *r, struct role_link *link)
{
    struct calld *d = role_user(r);

    if (role_link_peer(link) == MSG_ROLE_NETD)
        running_netd_gone(d);
    /* The next one says it anew; what runs waits for its word. */
    if (role_link_peer(link) == MSG_ROLE_KEYD)
        d->own = (struct proof){.number = 0};
}

static const struct role_permit permits[] = {
        {MSG_ROLE_ADMIN, MSG_CALL, ROLE_OPEN, on_call},
        {MSG_ROLE_ADMIN, MSG_QUBE_RUN, ROLE_OPEN, on_run},
        {MSG_ROLE_ADMIN, MSG_STATUS, ROLE_OPEN, on_status},
        {MSG_ROLE_ADMIN, MSG_CALL_LIST, ROLE_OPEN, list_calls},
        {MSG_ROLE_ADMIN, MSG_CALL_KILL, ROLE_OPEN, running_kill},
        {MSG_ROLE_ADMIN, MSG_CALL_CHOOSE, ROLE_OPEN, ask_on_choose},
        {MSG_ROLE_POLICYD, MSG_POLICY_CHANGED, ROLE_OPEN, on_policy_changed},
        {MSG_ROLE_RELAY, MSG_RELAY_CALL, ROLE_OPEN, host_on_call},
        {MSG_ROLE_RELAY, MSG_RELAY_SERVE, ROLE_OPEN, host_on_serve},
        {MSG_ROLE_NETD, MSG_INCOMING, ROLE_OPEN, on_incoming},
        {MSG_ROLE_NETD, MSG_PEER_STATE, ROLE_OPEN, on_peer_state},
        {MSG_ROLE_KEYD, MSG_OWN_STATE, ROLE_OPEN, on_own_state},
        {MSG_ROLE_QAIRD, MSG_QUBE_GONE, ROLE_ANY, qube_on_gone},
};

static const struct sandbox_spec sandbox = {
        .name = "calld",
        .groups = SANDBOX_SOCKPAIR, /* a stream and a key session a call */
        /* Five a call being set up, a watch and a key session a running one,
         * a link a qube. */
        .max_fds = 5 * LIMIT_CALLS_MAX + 2 * LIMIT_QUBES_MAX,
};

static const struct role_spec spec = {
        .role = MSG_ROLE_CALLD,
        .sandbox = &sandbox,
        .permits = permits,
        .n_permits = ARRAY_LEN(permits),
        .start = on_start,
        .reload = load_qubes,
        .peer = on_peer,
        .gone = on_gone,
};

int main(int argc, char **argv)
{
    return role_main(&spec, argc, argv);
}
