/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-calld with every other role, the agents and the owner played by the
 * test: what it asks in which order, and what each failure becomes.
 */
#include "crypto.h"
#include "driver.h"
#include "link.h"
#include "qrexec.h"
#include "statement.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ZONE "server"

static const char *program;

union body {
    union msg_any any;
    struct msg_append append;
    struct msg_blob blob;
    struct msg_decide decide;
    struct msg_decide_remote decide_remote;
    struct msg_envelope envelope;
    struct msg_key_session key_session;
    struct msg_named named;
    struct msg_open open;
    struct msg_refused refused;
};

struct world {
    struct driver d;
    int policyd;
    int logd;
    int keyd;
    int netd;
    char dir[32];
    union body m;
    struct ipc_fds fds;
    uint32_t id;
};

static const uint8_t policy_digest[MSG_DIGEST] = {1, 2, 3};

static int begin(void **state)
{
    static const char signer[] = "type = AppVM\nkeys = release\n";
    static const char work[] = "type = AppVM\n";
    const struct driver_file qubes[] = {
            {"signer.conf", SPAN(signer, sizeof(signer) - 1)},
            {"work.conf", SPAN(work, sizeof(work) - 1)},
    };
    const struct msg_named call = {.name = span_str("call")};
    struct world *w = calloc(1, sizeof(*w));
    struct err err;
    int dir;
    int fd;

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/qair-calld-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    driver_start(&w->d, program, ZONE);
    w->policyd = driver_peer(&w->d, MSG_ROLE_POLICYD);
    w->logd = driver_peer(&w->d, MSG_ROLE_LOGD);
    w->keyd = driver_peer(&w->d, MSG_ROLE_KEYD);
    w->netd = driver_peer(&w->d, MSG_ROLE_NETD);
    dir = open(w->dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(
            ipc_listen(dir, "call.sock", getuid(), getgid(), &fd, &err), 0);
    driver_put(w->d.control, MSG_LISTEN, 0, &call, &fd, 1);
    (void)close(fd);
    (void)close(dir);
    driver_bundle(&w->d, "qubes", qubes, ARRAY_LEN(qubes));
    driver_begin(&w->d);
    assert_int_equal(driver_get(w->d.control, &w->m, NULL, NULL), MSG_READY);
    *state = w;
    return 0;
}

static int finish(void **state)
{
    struct world *w = *state;
    char path[64];

    driver_stop(&w->d);
    (void)close(w->policyd);
    (void)close(w->logd);
    (void)close(w->keyd);
    (void)close(w->netd);
    (void)snprintf(path, sizeof(path), "%s/call.sock", w->dir);
    (void)unlink(path);
    (void)rmdir(w->dir);
    free(w);
    return 0;
}

/* ---- the other roles ------------------------------------------------- */

/* The next message must be of this type; it stays in w->m, w->fds, w->id. */
static void hear(struct world *w, int fd, enum msg_type type)
{
    uint16_t got = driver_get(fd, &w->m, &w->fds, &w->id);

    if (got != type)
        fail_msg("%s came, not %s", msg_type_name(got),
                msg_type_name((uint16_t)type));
}

static void answer_refused(
        struct world *w, int fd, const char *where, const char *reason)
{
    const struct msg_refused no = {.code = (uint32_t)-ERR_DENIED,
            .where = span_str(where),
            .reason = span_str(reason)};

    driver_put(fd, MSG_REFUSED, w->id, &no, NULL, 0);
}

static void answer_ok(struct world *w, int fd)
{
    driver_put(fd, MSG_OK, w->id, &(struct msg_empty){0}, NULL, 0);
}

static struct msg_decision allowed(
        uint8_t kind, const char *source, const char *zone, const char *qube)
{
    struct msg_decision d = {.allow = 1,
            .kind = kind,
            .autostart = 1,
            .source = span_str(source),
            .zone = span_str(zone),
            .qube = span_str(qube),
            .service = span_str("qair.Sign+release"),
            .rule = span_str("30-sign.policy:2")};

    memcpy(d.policy, policy_digest, sizeof(d.policy));
    return d;
}

static void decide(struct world *w, const struct msg_decision *d)
{
    driver_put(w->policyd, MSG_DECISION, w->id, d, NULL, 0);
}

static void answer_appended(struct world *w, uint64_t size)
{
    const struct msg_appended a = {
            .index = size - 1, .size = size, .root = {(uint8_t)size}};

    driver_put(w->logd, MSG_APPENDED, w->id, &a, NULL, 0);
}

static void skip_checkpoint(struct world *w)
{
    hear(w, w->logd, MSG_CHECKPOINT_GET);
    answer_appended(w, 7);
}

/* The next record, parsed; texts point into it until *ret_doc is finished. */
static struct statement_decision hear_decision(
        struct world *w, struct statement *ret_doc)
{
    struct statement_decision d;
    struct err err;

    hear(w, w->logd, MSG_APPEND);
    assert_int_equal(w->m.append.kind, MSG_APPEND_STATEMENT);
    if (statement_parse(w->m.append.payload, ret_doc, &err) ||
            statement_decision_parse(ret_doc, &d, &err))
        fail_msg("record: %s", err.msg);
    assert_true(span_eq_str(d.zone, ZONE));
    return d;
}

/* ---- agents ---------------------------------------------------------- */

struct agent {
    struct link *l;
};

static void agent_say(
        struct agent *a, const struct qrexec_msg *m, const int *fds, size_t n)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct err err;
    size_t len;

    assert_int_equal(qrexec_msg_put(m, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(link_send(a->l, SPAN(bytes, len), fds, n, &err), 0);
}

/* The next message of the zone; false when the link ended. */
static bool agent_hear(struct agent *a, struct qrexec_msg *ret)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct err err;

    for (;;) {
        struct pollfd pfd = {.fd = link_fd(a->l), .events = POLLIN};
        struct span in = link_in(a->l);
        size_t n;
        int r = qrexec_msg_get(&in, ret, &err);

        if (r == 0) { /* again, on bytes that stay */
            n = link_in(a->l).len - in.len;
            memcpy(bytes, link_in(a->l).ptr, n);
            in = SPAN(bytes, n);
            assert_int_equal(qrexec_msg_get(&in, ret, &err), 0);
            link_consume(a->l, n);
            return true;
        }
        assert_int_equal(r, ERR_STATE);
        assert_int_equal(poll(&pfd, 1, 20000), 1);
        if (link_recv(a->l, &err))
            return false;
    }
}

static void agent_hear_type(
        struct agent *a, struct qrexec_msg *ret, uint32_t type)
{
    assert_true(agent_hear(a, ret));
    if (ret->type != type)
        fail_msg("%s came, not %s", qrexec_type_name(ret->type),
                qrexec_type_name(type));
}

/* Answers calld's request to start a qube; not yet the hello. */
static struct agent start_qube(struct world *w, const char *name)
{
    struct msg_named named = {.name = span_str(name)};
    struct agent a;
    int fds[2];

    hear(w, w->d.control, MSG_QUBE_START);
    assert_true(span_eq_str(w->m.named.name, name));
    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    driver_put(w->d.control, MSG_QUBE_STARTED, w->id, &named, &fds[1], 1);
    (void)close(fds[1]);
    a.l = link_new_unix(fds[0], QREXEC_MSG_MAX, 1 << 21);
    assert_non_null(a.l);
    return a;
}

static void greet(struct agent *a)
{
    const struct qrexec_msg hello = {
            .type = QREXEC_HELLO, .version = QREXEC_VERSION};
    struct qrexec_msg m;

    agent_say(a, &hello, NULL, 0);
    agent_hear_type(a, &m, QREXEC_HELLO);
}

static void trigger(struct agent *a, const char *source, const char *target,
        const char *service, const char *ident)
{
    const struct qrexec_msg m = {.type = QREXEC_TRIGGER_SERVICE4,
            .source = span_str(source),
            .target = span_str(target),
            .service = span_str(service),
            .ident = span_str(ident)};

    agent_say(a, &m, NULL, 0);
}

static void agent_hear_refused(struct agent *a, const char *ident,
        const char *where, const char *reason)
{
    struct qrexec_msg m;

    agent_hear_type(a, &m, QREXEC_SERVICE_REFUSED);
    assert_true(span_eq_str(m.ident, ident));
    assert_true(m.has_reason);
    assert_true(span_eq_str(m.where, where));
    if (!span_eq_str(m.reason, reason))
        fail_msg("%.*s", (int)m.reason.len, (const char *)m.reason.ptr);
}

/* ---- the owner ------------------------------------------------------- */

/* A connection of the owner, with one end of a stream sent. */
static int owner_asks(
        struct world *w, enum msg_type type, const void *msg, int *ret_data)
{
    struct err err;
    int data[2];
    int fd;

    assert_int_equal(ipc_connect(w->dir, "call.sock", &fd, &err), 0);
    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data), 0);
    driver_put(fd, type, 5, msg, &data[1], 1);
    (void)close(data[1]);
    *ret_data = data[0];
    return fd;
}

static int owner_runs(
        struct world *w, const char *qube, const char *command, int *ret_data)
{
    const struct msg_qube_run m = {
            .qube = span_str(qube), .command = span_str(command)};

    return owner_asks(w, MSG_QUBE_RUN, &m, ret_data);
}

static void owner_hears_refused(
        struct world *w, int fd, const char *where, const char *reason)
{
    hear(w, fd, MSG_REFUSED);
    assert_int_equal(w->id, 5);
    assert_true(span_eq_str(w->m.refused.where, where));
    if (!span_eq_str(w->m.refused.reason, reason))
        fail_msg("%.*s", (int)w->m.refused.reason.len,
                (const char *)w->m.refused.reason.ptr);
}

/* The qube `work`, running: every test of calls from a qube begins so. */
static struct agent work_qube(struct world *w)
{
    struct agent a;
    struct qrexec_msg m;
    int data;
    int fd = owner_runs(w, "work", "true", &data);
    int exec;

    hear(w, w->logd, MSG_APPEND);
    answer_appended(w, 8);
    a = start_qube(w, "work");
    greet(&a);
    agent_hear_type(&a, &m, QREXEC_EXEC_CMDLINE);
    assert_true(span_eq_str(m.command, "DEFAULT:true"));
    assert_int_equal(m.domain, 1);
    exec = link_take_fd(a.l);
    assert_true(exec >= 0);
    hear(w, fd, MSG_OK);
    (void)close(exec);
    (void)close(data);
    (void)close(fd);
    return a;
}

/* Bytes written to a come out at b: they are ends of one stream. */
static void assert_stream(int a, int b)
{
    char c = 0;

    assert_true(a >= 0 && b >= 0);
    assert_int_equal(write(a, "x", 1), 1);
    assert_int_equal(read(b, &c, 1), 1);
    assert_int_equal(c, 'x');
}

/* ---- tests ----------------------------------------------------------- */

static void remote_call_is_recorded_before_it_is_sent(void **state)
{
    struct world *w = *state;
    struct msg_decision yes =
            allowed(MSG_TARGET_REMOTE, "work", "far", "signer");
    const struct msg_blob dsse = {.bytes = span_str("{the envelope}")};
    uint8_t call_id[MSG_CALL_ID];
    struct qrexec_msg m;
    struct agent a;
    int far;
    int near;

    skip_checkpoint(w);
    a = work_qube(w);
    trigger(&a, "", "far-signer", "qair.Sign+release", "SOCKET1");
    hear(w, w->policyd, MSG_DECIDE);
    assert_true(span_eq_str(w->m.decide.source, "work"));
    assert_true(span_eq_str(w->m.decide.target, "far-signer"));
    decide(w, &yes);
    hear(w, w->keyd, MSG_ENVELOPE);
    assert_true(span_eq_str(w->m.envelope.source_qube, "work"));
    assert_true(span_eq_str(w->m.envelope.zone, "far"));
    assert_true(span_eq_str(w->m.envelope.qube, "signer"));
    assert_true(span_eq_str(w->m.envelope.requested, "far-signer"));
    assert_true(span_eq_str(w->m.envelope.service, "qair.Sign+release"));
    assert_true(span_eq_str(w->m.envelope.rule, "30-sign.policy:2"));
    assert_memory_equal(w->m.envelope.policy, policy_digest, MSG_DIGEST);
    assert_int_equal(w->m.envelope.log_size, 8);
    assert_true(w->m.envelope.deadline > w->m.envelope.issued);
    memcpy(call_id, w->m.envelope.call_id, sizeof(call_id));
    assert_memory_not_equal(call_id, (uint8_t[MSG_CALL_ID]){0}, MSG_CALL_ID);
    driver_put(w->keyd, MSG_BLOB, w->id, &dsse, NULL, 0);
    hear(w, w->logd, MSG_APPEND);
    assert_int_equal(w->m.append.kind, MSG_APPEND_SIGNED);
    assert_true(span_eq(w->m.append.payload, dsse.bytes));
    /* Not durable yet: neither the channel nor the qube hears of it. */
    assert_true(driver_is_silent(w->netd, 200));
    answer_appended(w, 9);
    hear(w, w->netd, MSG_OPEN);
    assert_true(span_eq(w->m.open.envelope, dsse.bytes));
    assert_true(span_eq_str(w->m.open.zone, "far"));
    far = TAKE_FD(w->fds.fd[0]);
    assert_true(driver_is_silent(link_fd(a.l), 100));
    answer_ok(w, w->netd);
    agent_hear_type(&a, &m, QREXEC_SERVICE_CONNECT);
    assert_true(span_eq_str(m.ident, "SOCKET1"));
    near = link_take_fd(a.l);
    assert_stream(near, far);
    /* calld keeps no end: one side gone is seen by the other. */
    (void)close(far);
    assert_int_equal(read(near, &m, 1), 0);
    (void)close(near);
    link_free(a.l);
}

static void local_call_gets_keys_of_its_target(void **state)
{
    struct world *w = *state;
    struct msg_decision yes = allowed(MSG_TARGET_LOCAL, "work", "", "signer");
    struct statement doc;
    struct statement_decision d;
    struct qrexec_msg m;
    struct agent a;
    struct agent b;
    int key;
    int near;
    int data;
    int service_key;

    skip_checkpoint(w);
    a = work_qube(w);
    trigger(&a, "", "signer", "qair.Sign+release", "SOCKET2");
    hear(w, w->policyd, MSG_DECIDE);
    decide(w, &yes);
    d = hear_decision(w, &doc);
    assert_true(d.allow);
    assert_true(span_eq_str(d.source, "work"));
    assert_true(span_eq_str(d.target_qube, "signer"));
    assert_true(span_eq_str(d.rule, "30-sign.policy:2"));
    assert_memory_equal(d.policy, policy_digest, MSG_DIGEST);
    statement_fini(&doc);
    assert_true(driver_is_silent(w->d.control, 200));
    answer_appended(w, 9);
    b = start_qube(w, "signer");
    assert_true(driver_is_silent(w->keyd, 100)); /* its agent is not up */
    greet(&b);
    hear(w, w->keyd, MSG_KEY_SESSION);
    assert_true(span_eq_str(w->m.key_session.keys, "release"));
    assert_true(span_eq_str(w->m.key_session.qube, "signer"));
    assert_true(span_eq_str(w->m.key_session.source_qube, "work"));
    assert_int_equal(w->m.key_session.envelope.len, 0);
    key = TAKE_FD(w->fds.fd[0]);
    answer_ok(w, w->keyd);
    agent_hear_type(&b, &m, QREXEC_EXEC_CMDLINE);
    assert_true(
            span_eq_str(m.command, "DEFAULT:QUBESRPC qair.Sign+release work"));
    assert_int_equal(m.domain, 2);
    data = link_take_fd(b.l);
    service_key = link_take_fd(b.l);
    agent_hear_type(&a, &m, QREXEC_SERVICE_CONNECT);
    near = link_take_fd(a.l);
    assert_stream(near, data);
    assert_stream(service_key, key);
    (void)close(near);
    (void)close(data);
    (void)close(key);
    (void)close(service_key);
    link_free(a.l);
    link_free(b.l);
}

static void incoming_call_passes_this_zones_policy(void **state)
{
    struct world *w = *state;
    const struct msg_incoming in = {
            .zone = span_str("thin"), .envelope = span_str("{envelope}")};
    struct msg_decision yes =
            allowed(MSG_TARGET_LOCAL, "thin-work", "", "signer");
    uint8_t digest[CRYPTO_SHA256_SIZE];
    struct statement doc;
    struct statement_decision d;
    struct qrexec_msg m;
    struct agent b;
    int data[2];
    int key;

    skip_checkpoint(w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, data), 0);
    driver_put(w->netd, MSG_INCOMING, 77, &in, &data[1], 1);
    hear(w, w->policyd, MSG_DECIDE_REMOTE);
    assert_true(span_eq_str(w->m.decide_remote.zone, "thin"));
    assert_true(span_eq(w->m.decide_remote.envelope, in.envelope));
    memset(yes.call_id, 0xab, sizeof(yes.call_id));
    yes.deadline = 1900000000;
    yes.source_zone = span_str("thin");
    yes.source_qube = span_str("work");
    decide(w, &yes);
    d = hear_decision(w, &doc);
    assert_true(d.allow);
    assert_memory_equal(d.call_id, yes.call_id, MSG_CALL_ID);
    crypto_sha256(in.envelope, digest);
    assert_memory_equal(d.envelope, digest, sizeof(digest));
    assert_true(span_eq_str(d.source_zone, "thin"));
    assert_true(span_eq_str(d.source_qube, "work"));
    statement_fini(&doc);
    answer_appended(w, 8);
    b = start_qube(w, "signer");
    greet(&b);
    hear(w, w->keyd, MSG_KEY_SESSION);
    assert_true(span_eq(w->m.key_session.envelope, in.envelope));
    assert_true(span_eq_str(w->m.key_session.source_zone, "thin"));
    assert_true(span_eq_str(w->m.key_session.source, "thin-work"));
    assert_int_equal(w->m.key_session.deadline, yes.deadline);
    key = TAKE_FD(w->fds.fd[0]);
    answer_ok(w, w->keyd);
    agent_hear_type(&b, &m, QREXEC_EXEC_CMDLINE);
    assert_true(span_eq_str(
            m.command, "DEFAULT:QUBESRPC qair.Sign+release thin-work"));
    hear(w, w->netd, MSG_OK);
    assert_int_equal(w->id, 77);
    (void)close(data[0]);
    (void)close(data[1]);
    (void)close(key);
    link_free(b.l);
}

static void envelope_that_policyd_refuses_goes_no_further(void **state)
{
    struct world *w = *state;
    const struct msg_incoming in = {
            .zone = span_str("thin"), .envelope = span_str("{replayed}")};
    const struct msg_decision no = {.where = span_str("policy of zone server"),
            .reason = span_str("replay: this call was seen before")};
    struct statement doc;
    struct statement_decision d;
    int data[2];

    skip_checkpoint(w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, data), 0);
    driver_put(w->netd, MSG_INCOMING, 78, &in, &data[1], 1);
    (void)close(data[1]);
    hear(w, w->policyd, MSG_DECIDE_REMOTE);
    decide(w, &no);
    d = hear_decision(w, &doc);
    assert_false(d.allow);
    assert_true(span_eq_str(d.source_zone, "thin"));
    assert_true(span_eq_str(d.source, "@zone:thin"));
    assert_true(span_eq_str(d.reason, "replay: this call was seen before"));
    statement_fini(&doc);
    answer_appended(w, 8);
    hear(w, w->netd, MSG_REFUSED);
    assert_int_equal(w->id, 78);
    assert_true(span_eq_str(w->m.refused.where, "policy of zone server"));
    /* the stream is closed, no qube is started */
    assert_int_equal(read(data[0], &d, 1), 0);
    assert_true(driver_is_silent(w->d.control, 100));
    (void)close(data[0]);
}

/* Where a call can fail, and what its maker and the log hear then. */
enum fault {
    FAULT_POLICY_DENIES,
    FAULT_POLICYD_REFUSES,
    FAULT_KEYD_REFUSES,
    FAULT_LOGD_REFUSES,
    FAULT_NETD_REFUSES,
    FAULT_COUNT
};

static void refuse_remote_call(struct world *w, enum fault fault)
{
    struct msg_decision d = allowed(MSG_TARGET_REMOTE, "work", "far", "signer");
    const struct msg_blob dsse = {.bytes = span_str("{e}")};

    hear(w, w->policyd, MSG_DECIDE);
    if (fault == FAULT_POLICYD_REFUSES) {
        answer_refused(w, w->policyd, "here", "no");
        return;
    }
    if (fault == FAULT_POLICY_DENIES) {
        d.allow = d.kind = 0;
        d.where = span_str("here");
        d.reason = span_str("no");
    }
    decide(w, &d);
    if (fault == FAULT_POLICY_DENIES)
        return;
    hear(w, w->keyd, MSG_ENVELOPE);
    if (fault == FAULT_KEYD_REFUSES) {
        answer_refused(w, w->keyd, "here", "no");
        return;
    }
    driver_put(w->keyd, MSG_BLOB, w->id, &dsse, NULL, 0);
    hear(w, w->logd, MSG_APPEND);
    if (fault == FAULT_LOGD_REFUSES) {
        answer_refused(w, w->logd, "here", "no");
        return;
    }
    answer_appended(w, 10);
    hear(w, w->netd, MSG_OPEN);
    ipc_fds_close(&w->fds);
    answer_refused(w, w->netd, "here", "no");
}

static void every_fault_is_recorded_and_told(void **state)
{
    struct world *w = *state;
    struct agent a;

    skip_checkpoint(w);
    a = work_qube(w);
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        struct statement doc;
        struct statement_decision d;

        trigger(&a, "", "far-signer", "qair.Sign+release", "SOCKET9");
        refuse_remote_call(w, (enum fault)fault);
        d = hear_decision(w, &doc);
        assert_false(d.allow);
        assert_true(span_eq_str(d.where, "here"));
        assert_true(span_eq_str(d.reason, "no"));
        assert_true(span_eq_str(d.source, "work"));
        assert_true(span_eq_str(d.requested, "far-signer"));
        statement_fini(&doc);
        assert_true(driver_is_silent(link_fd(a.l), 50));
        /* The log may fail too: refused it is. */
        if (fault % 2)
            answer_refused(w, w->logd, "logd", "disk full");
        else
            answer_appended(w, 11);
        agent_hear_refused(&a, "SOCKET9", "here", "no");
    }
    link_free(a.l);
}

static void dead_role_refuses_what_waits_for_it(void **state)
{
    struct world *w = *state;
    struct statement doc;
    struct agent a;

    skip_checkpoint(w);
    a = work_qube(w);
    trigger(&a, "", "x", "some.Service", "SOCKET3");
    hear(w, w->policyd, MSG_DECIDE);
    (void)close(w->policyd);
    assert_false(hear_decision(w, &doc).allow);
    statement_fini(&doc);
    answer_appended(w, 9);
    agent_hear_refused(&a, "SOCKET3", "policyd", "policyd restarted");
    w->policyd = driver_peer(&w->d, MSG_ROLE_POLICYD);
    trigger(&a, "", "x", "some.Service", "SOCKET4");
    hear(w, w->policyd, MSG_DECIDE);
    link_free(a.l);
}

static void qube_speaks_for_itself_alone(void **state)
{
    static const struct {
        const char *source;
        const char *service;
        const char *reason;
    } rows[] = {
            {"vault", "qair.Sign+release",
                    "a qube of this zone speaks for itself alone, not for "
                    "vault"},
            {"", "+release", "the service has no name"},
            {"", "", "the service has no name"},
    };
    struct world *w = *state;
    struct agent a;

    skip_checkpoint(w);
    a = work_qube(w);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct statement doc;

        trigger(&a, rows[i].source, "signer", rows[i].service, "SOCKET5");
        assert_false(hear_decision(w, &doc).allow);
        statement_fini(&doc);
        answer_appended(w, 9);
        agent_hear_refused(&a, "SOCKET5", "zone server", rows[i].reason);
    }
    assert_true(driver_is_silent(w->policyd, 50));
    link_free(a.l);
}

static void lying_agent_loses_its_own_qube_only(void **state)
{
    static const struct qrexec_msg lies[] = {
            {.type = QREXEC_HELLO, .version = 4}, /* a second one */
            {.type = QREXEC_CONNECTION_TERMINATED, .port = 514},
            {.type = QREXEC_CONNECTION_TERMINATED, .port = UINT32_MAX},
            {.type = QREXEC_SERVICE_CONNECT, .port = 1},
            {.type = QREXEC_SERVICE_REFUSED},
            {.type = QREXEC_STDOUT},
            {.type = QREXEC_EXIT_CODE},
    };
    struct world *w = *state;

    skip_checkpoint(w);
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct agent a = work_qube(w);
        struct qrexec_msg m;

        agent_say(&a, &lies[i], NULL, 0);
        assert_false(agent_hear(&a, &m));
        hear(w, w->d.control, MSG_QUBE_STOP);
        assert_true(span_eq_str(w->m.named.name, "work"));
        link_free(a.l);
    }
    link_free(work_qube(w).l); /* the next one works */
}

static void raw_lies_end_the_link(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } lies[] = {
            {"\x13\x02\0\0\xff\xff\xff\xff", 8},
            {"\x13\x02\0\0\0\0\0\0", 8},
            {"\0\0\0\0\0\0\0\0", 8},
            {"\x11\x02\0\0\x09\0\0\0", 8},
    };
    struct world *w = *state;

    skip_checkpoint(w);
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct agent a = work_qube(w);
        struct qrexec_msg m;

        assert_int_equal(write(link_fd(a.l), lies[i].bytes, lies[i].len),
                (ssize_t)lies[i].len);
        assert_false(agent_hear(&a, &m));
        hear(w, w->d.control, MSG_QUBE_STOP);
        link_free(a.l);
    }
}

static void agent_that_sends_a_descriptor_is_stopped(void **state)
{
    struct world *w = *state;
    struct qrexec_msg m = {.type = QREXEC_TRIGGER_SERVICE4,
            .target = span_str("x"),
            .service = span_str("y"),
            .ident = span_str("SOCKET1")};
    struct agent a;
    int fd = open("/dev/null", O_RDONLY);

    skip_checkpoint(w);
    a = work_qube(w);
    agent_say(&a, &m, &fd, 1);
    while (agent_hear(&a, &m)) {
    }
    hear(w, w->d.control, MSG_QUBE_STOP);
    link_free(a.l);
}

static void calls_die_with_their_qubes(void **state)
{
    struct world *w = *state;
    const struct msg_named signer = {.name = span_str("signer")};
    struct msg_decision yes = allowed(MSG_TARGET_LOCAL, "work", "", "signer");
    struct statement doc;
    struct agent a;
    struct agent b;
    uint32_t id;

    skip_checkpoint(w);
    a = work_qube(w);
    trigger(&a, "", "signer", "qair.Sign+release", "SOCKET1");
    hear(w, w->policyd, MSG_DECIDE);
    decide(w, &yes);
    hear(w, w->logd, MSG_APPEND);
    answer_appended(w, 9);
    b = start_qube(w, "signer");
    greet(&b);
    hear(w, w->keyd, MSG_KEY_SESSION);
    ipc_fds_close(&w->fds);
    id = w->id;
    /* the target goes while keyd thinks: refused, and no execution later */
    driver_put(w->d.control, MSG_QUBE_GONE, 0, &signer, NULL, 0);
    assert_false(hear_decision(w, &doc).allow);
    statement_fini(&doc);
    answer_appended(w, 10);
    w->id = id;
    answer_ok(w, w->keyd);
    agent_hear_refused(
            &a, "SOCKET1", "zone server", "qube signer: the qube ended");
    link_free(b.l);
    /* the source goes while policyd thinks: nobody is asked further */
    trigger(&a, "", "signer", "qair.Sign+release", "SOCKET2");
    hear(w, w->policyd, MSG_DECIDE);
    id = w->id;
    link_free(a.l);
    hear(w, w->d.control, MSG_QUBE_STOP);
    w->id = id;
    decide(w, &yes);
    assert_true(driver_is_silent(w->logd, 200));
    link_free(work_qube(w).l);
}

static void qube_that_cannot_start_refuses_all_its_calls(void **state)
{
    struct world *w = *state;
    int data[2];
    int fd[2];

    skip_checkpoint(w);
    for (size_t i = 0; i < 2; i++) {
        fd[i] = owner_runs(w, "work", "true", &data[i]);
        hear(w, w->logd, MSG_APPEND);
        answer_appended(w, 8 + i);
    }
    hear(w, w->d.control, MSG_QUBE_START);
    /* both wait for one start */
    assert_true(driver_is_silent(w->d.control, 100));
    answer_refused(w, w->d.control, "qaird", "no bubblewrap here");
    for (size_t i = 0; i < 2; i++) {
        hear(w, w->logd, MSG_APPEND);
        answer_appended(w, 10 + i);
    }
    for (size_t i = 0; i < 2; i++) {
        owner_hears_refused(
                w, fd[i], "zone server", "qube work: no bubblewrap here");
        (void)close(fd[i]);
        (void)close(data[i]);
    }
}

static void owner_calls_as_adminvm(void **state)
{
    struct world *w = *state;
    const struct msg_call m = {
            .target = span_str("work"), .service = span_str("test.Echo+a")};
    struct msg_decision yes = allowed(MSG_TARGET_LOCAL, "@adminvm", "", "work");
    struct qrexec_msg exec;
    struct agent a;
    int data;
    int fd = owner_asks(w, MSG_CALL, &m, &data);
    int end;

    skip_checkpoint(w);
    hear(w, w->policyd, MSG_DECIDE);
    assert_true(span_eq_str(w->m.decide.source, "@adminvm"));
    yes.user = span_str("user");
    decide(w, &yes);
    hear(w, w->logd, MSG_APPEND);
    answer_appended(w, 8);
    a = start_qube(w, "work");
    greet(&a);
    agent_hear_type(&a, &exec, QREXEC_EXEC_CMDLINE);
    assert_true(span_eq_str(exec.command, "user:QUBESRPC test.Echo+a dom0"));
    assert_int_equal(exec.domain, 1); /* work may use no keys */
    end = link_take_fd(a.l);
    hear(w, fd, MSG_OK);
    assert_stream(data, end);
    (void)close(end);
    (void)close(data);
    (void)close(fd);
    link_free(a.l);
}

/* A rule's user= with a colon would turn the rest into a shell command. */
static void user_with_a_colon_runs_nothing(void **state)
{
    struct world *w = *state;
    const struct msg_call m = {
            .target = span_str("work"), .service = span_str("test.Echo+a")};
    struct msg_decision yes = allowed(MSG_TARGET_LOCAL, "@adminvm", "", "work");
    struct agent a;
    int data;
    int fd = owner_asks(w, MSG_CALL, &m, &data);

    skip_checkpoint(w);
    hear(w, w->policyd, MSG_DECIDE);
    yes.user = span_str("a:reboot");
    decide(w, &yes);
    hear(w, w->logd, MSG_APPEND);
    answer_appended(w, 8);
    a = start_qube(w, "work");
    greet(&a);
    hear(w, w->logd, MSG_APPEND);
    answer_appended(w, 9);
    owner_hears_refused(w, fd, "zone server",
            "user or service cannot be written as a command");
    (void)close(data);
    (void)close(fd);
    link_free(a.l);
}

static void flood_of_requests_is_bounded(void **state)
{
    struct world *w = *state;
    struct qrexec_msg m;
    struct agent a;
    char ident[16];

    skip_checkpoint(w);
    a = work_qube(w);
    for (unsigned i = 0; i < LIMIT_CALLS_PER_SOURCE + 10; i++) {
        (void)snprintf(ident, sizeof(ident), "SOCKET%u", i);
        trigger(&a, "", "x", "some.Service", ident);
    }
    for (unsigned i = 0; i < 10; i++) {
        agent_hear_type(&a, &m, QREXEC_SERVICE_REFUSED);
        assert_true(span_eq_str(m.reason, "too many calls at once"));
    }
    for (unsigned i = 0; i < LIMIT_CALLS_PER_SOURCE; i++)
        hear(w, w->policyd, MSG_DECIDE);
    assert_true(driver_is_silent(w->policyd, 50));
    link_free(a.l);
}

static void services_of_a_qube_are_bounded(void **state)
{
    struct world *w = *state;
    const struct qrexec_msg ended = {
            .type = QREXEC_CONNECTION_TERMINATED, .port = 513};
    struct agent a;
    struct qrexec_msg m;
    int data;
    int fd;

    skip_checkpoint(w);
    a = work_qube(w); /* port 513 */
    for (unsigned i = 1; i <= LIMIT_CALLS_PER_SOURCE; i++) {
        fd = owner_runs(w, "work", "true", &data);
        hear(w, w->logd, MSG_APPEND);
        answer_appended(w, 9);
        if (i < LIMIT_CALLS_PER_SOURCE) {
            agent_hear_type(&a, &m, QREXEC_EXEC_CMDLINE);
            assert_int_equal(m.port, 513 + i);
            (void)close(link_take_fd(a.l));
            hear(w, fd, MSG_OK);
        } else {
            hear(w, w->logd, MSG_APPEND);
            answer_appended(w, 10);
            owner_hears_refused(
                    w, fd, "zone server", "work runs 256 services already");
        }
        (void)close(data);
        (void)close(fd);
    }
    agent_say(&a, &ended, NULL, 0);
    fd = owner_runs(w, "work", "true", &data);
    hear(w, w->logd, MSG_APPEND);
    answer_appended(w, 11);
    agent_hear_type(&a, &m, QREXEC_EXEC_CMDLINE);
    assert_int_equal(m.port, 513);
    (void)close(link_take_fd(a.l));
    (void)close(data);
    (void)close(fd);
    link_free(a.l);
}

static void run_is_recorded_first(void **state)
{
    struct world *w = *state;
    struct statement doc;
    struct statement_event e;
    struct err err;
    char detail[64];
    int data;
    int fd = owner_runs(w, "work", "echo \001 secret", &data);

    skip_checkpoint(w);
    hear(w, w->logd, MSG_APPEND);
    assert_int_equal(statement_parse(w->m.append.payload, &doc, &err), 0);
    assert_int_equal(statement_event_parse(&doc, &e, &err), 0);
    assert_true(span_eq_str(e.kind, "qube-run"));
    (void)snprintf(detail, sizeof(detail), "work, uid %u: echo \\x01 secret",
            (unsigned)getuid());
    assert_true(span_eq_str(e.detail, detail));
    statement_fini(&doc);
    assert_true(driver_is_silent(w->d.control, 100));
    answer_refused(w, w->logd, "logd", "disk full");
    hear(w, w->logd, MSG_APPEND);
    answer_refused(w, w->logd, "logd", "disk full");
    owner_hears_refused(w, fd, "logd", "disk full");
    (void)close(data);
    (void)close(fd);
}

static void status_names_running_qubes(void **state)
{
    struct world *w = *state;
    struct err err;
    struct agent a;
    int fd;

    skip_checkpoint(w);
    a = work_qube(w);
    assert_int_equal(ipc_connect(w->dir, "call.sock", &fd, &err), 0);
    driver_put(fd, MSG_STATUS, 6, &(struct msg_empty){0}, NULL, 0);
    hear(w, fd, MSG_BLOB);
    assert_true(span_eq_str(w->m.blob.bytes,
            "{\"calls\":0,\"qubes\":[{\"name\":\"work\",\"services\":1,"
            "\"state\":\"running\"}],\"role\":\"calld\"}"));
    (void)close(fd);
    link_free(a.l);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            CASE(remote_call_is_recorded_before_it_is_sent),
            CASE(local_call_gets_keys_of_its_target),
            CASE(incoming_call_passes_this_zones_policy),
            CASE(envelope_that_policyd_refuses_goes_no_further),
            CASE(every_fault_is_recorded_and_told),
            CASE(dead_role_refuses_what_waits_for_it),
            CASE(qube_speaks_for_itself_alone),
            CASE(lying_agent_loses_its_own_qube_only),
            CASE(raw_lies_end_the_link),
            CASE(agent_that_sends_a_descriptor_is_stopped),
            CASE(calls_die_with_their_qubes),
            CASE(qube_that_cannot_start_refuses_all_its_calls),
            CASE(owner_calls_as_adminvm),
            CASE(user_with_a_colon_runs_nothing),
            CASE(flood_of_requests_is_bounded),
            CASE(services_of_a_qube_are_bounded),
            CASE(run_is_recorded_first),
            CASE(status_names_running_qubes),
    };

    if (argc != 2)
        return 2;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
