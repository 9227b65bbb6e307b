/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a call through qair-calld: what it asks in which order, what is
 * durable before what is done, and what each failure becomes.
 */
#include "calld_world.h"
#include "crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void remote_call_is_recorded_before_it_is_sent(void **state)
{
    struct world *w = *state;
    struct msg_decision yes =
            world_allowed(MSG_TARGET_REMOTE, "work", "far", "signer");
    const struct msg_blob dsse = {.bytes = span_str("{the envelope}")};
    uint8_t call_id[MSG_CALL_ID];
    struct qrexec_msg m;
    struct agent a;
    int far;
    int near;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    agent_trigger(&a, "", "far-signer", "qair.Sign+release", "SOCKET1");
    world_hear(w, w->policyd, MSG_DECIDE);
    assert_true(span_eq_str(w->m.decide.source, "work"));
    assert_true(span_eq_str(w->m.decide.target, "far-signer"));
    world_decide(w, &yes);
    world_appraised(w);
    world_hear(w, w->keyd, MSG_ENVELOPE);
    assert_true(span_eq_str(w->m.envelope.source_qube, "work"));
    assert_true(span_eq_str(w->m.envelope.zone, "far"));
    assert_true(span_eq_str(w->m.envelope.state, "golden"));
    assert_int_equal(w->m.envelope.evidence[0], 0xe1);
    assert_true(span_eq_str(w->m.envelope.qube, "signer"));
    assert_true(span_eq_str(w->m.envelope.requested, "far-signer"));
    assert_true(span_eq_str(w->m.envelope.service, "qair.Sign+release"));
    assert_true(span_eq_str(w->m.envelope.rule, "30-sign.policy:2"));
    assert_memory_equal(w->m.envelope.policy, world_policy, MSG_DIGEST);
    assert_int_equal(w->m.envelope.log_size, 8);
    assert_true(w->m.envelope.deadline > w->m.envelope.issued);
    memcpy(call_id, w->m.envelope.call_id, sizeof(call_id));
    assert_memory_not_equal(call_id, (uint8_t[MSG_CALL_ID]){0}, MSG_CALL_ID);
    driver_put(w->keyd, MSG_BLOB, w->id, &dsse, NULL, 0);
    world_hear(w, w->logd, MSG_APPEND);
    assert_int_equal(w->m.append.kind, MSG_APPEND_SIGNED);
    assert_true(span_eq(w->m.append.payload, dsse.bytes));
    /* Not durable yet: neither the channel nor the qube hears of it. */
    assert_true(driver_is_silent(w->netd, 200));
    world_appended(w, 9);
    world_hear(w, w->netd, MSG_OPEN);
    assert_true(span_eq(w->m.open.envelope, dsse.bytes));
    assert_true(span_eq_str(w->m.open.zone, "far"));
    /* What the envelope names is what netd is held to. */
    assert_true(span_eq_str(w->m.open.state, "golden"));
    assert_int_equal(w->m.open.evidence[0], 0xe1);
    assert_int_equal(w->m.open.number, 3);
    assert_int_equal(w->m.open.boot, 7);
    far = TAKE_FD(w->fds.fd[0]);
    assert_true(driver_is_silent(link_fd(a.l), 100));
    world_ok(w, w->netd);
    agent_hear_type(&a, &m, QREXEC_SERVICE_CONNECT);
    assert_true(span_eq_str(m.ident, "SOCKET1"));
    near = link_take_fd(a.l);
    world_assert_stream(near, far);
    /* calld has an end too: who is done with a stream shuts it down. */
    (void)shutdown(far, SHUT_RDWR);
    (void)close(far);
    assert_int_equal(read(near, &m, 1), 0);
    (void)close(near);
    link_free(a.l);
}

static void local_call_gets_keys_of_its_target(void **state)
{
    struct world *w = *state;
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "work", "", "signer");
    struct statement doc;
    struct statement_decision d;
    struct qrexec_msg m;
    struct agent a;
    struct agent b;
    int key;
    int near;
    int data;
    int service_key;
    char byte;
    const struct qrexec_msg ended = {
            .type = QREXEC_CONNECTION_TERMINATED, .port = 513};

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    agent_trigger(&a, "", "signer", "qair.Sign+release", "SOCKET2");
    world_hear(w, w->policyd, MSG_DECIDE);
    world_decide(w, &yes);
    d = world_hear_decision(w, &doc);
    assert_true(d.allow);
    assert_true(span_eq_str(d.source, "work"));
    assert_true(span_eq_str(d.target_qube, "signer"));
    assert_true(span_eq_str(d.rule, "30-sign.policy:2"));
    assert_memory_equal(d.policy, world_policy, MSG_DIGEST);
    statement_fini(&doc);
    assert_true(driver_is_silent(w->d.control, 200));
    world_appended(w, 9);
    b = world_start_qube(w, "signer");
    assert_true(driver_is_silent(w->keyd, 100)); /* its agent is not up */
    agent_greet(&b);
    world_hear(w, w->keyd, MSG_KEY_SESSION);
    assert_true(span_eq_str(w->m.key_session.keys, "release"));
    assert_true(span_eq_str(w->m.key_session.qube, "signer"));
    assert_true(span_eq_str(w->m.key_session.source_qube, "work"));
    assert_int_equal(w->m.key_session.envelope.len, 0);
    key = TAKE_FD(w->fds.fd[0]);
    world_ok(w, w->keyd);
    agent_hear_type(&b, &m, QREXEC_EXEC_CMDLINE);
    assert_true(
            span_eq_str(m.command, "DEFAULT:QUBESRPC qair.Sign+release work"));
    assert_int_equal(m.domain, 2);
    data = link_take_fd(b.l);
    service_key = link_take_fd(b.l);
    agent_hear_type(&a, &m, QREXEC_SERVICE_CONNECT);
    near = link_take_fd(a.l);
    world_assert_stream(near, data);
    world_assert_stream(service_key, key);
    /* the call ends, and its session, whoever still holds a descriptor */
    assert_true(driver_is_silent(key, 100));
    agent_say(&b, &ended, NULL, 0);
    assert_false(driver_is_silent(key, 2000));
    assert_int_equal(recv(key, &byte, 1, MSG_DONTWAIT), 0);
    (void)close(near);
    (void)close(data);
    (void)close(key);
    (void)close(service_key);
    link_free(a.l);
    link_free(b.l);
}

/* By its caller or by the owner, and without a word of the service's agent. */
static void end_call_with_key(struct world *w, bool by_owner)
{
    const struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "work", "", "signer");
    char id[TEXT_HEX_SIZE(MSG_CALL_ID)], byte;
    struct msg_named named;
    struct agent a, b;
    struct qrexec_msg m;
    int fd = -1, key, near;
    struct err err;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    agent_trigger(&a, "", "signer", "qair.Sign+release", "SOCKET2");
    world_hear(w, w->policyd, MSG_DECIDE);
    world_decide(w, &yes);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 9);
    b = world_start_qube(w, "signer");
    agent_greet(&b);
    world_hear(w, w->keyd, MSG_KEY_SESSION);
    text_format_hex(SPAN_OF(w->m.key_session.call_id), id);
    named.name = span_str(id);
    key = TAKE_FD(w->fds.fd[0]);
    world_ok(w, w->keyd);
    agent_hear_type(&b, &m, QREXEC_EXEC_CMDLINE);
    agent_hear_type(&a, &m, QREXEC_SERVICE_CONNECT);
    near = link_take_fd(a.l);
    assert_true(driver_is_silent(key, 50));
    if (by_owner) {
        assert_int_equal(ipc_connect(w->dir, "call.sock", &fd, &err), 0);
        driver_put(fd, MSG_CALL_KILL, 3, &named, NULL, 0);
        world_hear(w, w->logd, MSG_APPEND);
        world_appended(w, 10);
        world_hear(w, fd, MSG_OK);
        (void)close(fd);
    } else {
        (void)shutdown(near, SHUT_RDWR);
    }
    assert_false(driver_is_silent(key, 2000));
    assert_int_equal(recv(key, &byte, 1, MSG_DONTWAIT), 0);
    (void)close(near);
    (void)close(key);
    link_free(a.l);
    link_free(b.l);
}

static void service_that_stays_loses_its_key_with_its_caller(void **state)
{
    end_call_with_key(*state, false);
}

static void service_of_an_ended_call_loses_its_key(void **state)
{
    end_call_with_key(*state, true);
}

static void incoming_call_passes_this_zones_policy(void **state)
{
    struct world *w = *state;
    const struct msg_incoming in = {
            .zone = span_str("thin"), .envelope = span_str("{envelope}")};
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "thin-work", "", "signer");
    uint8_t digest[CRYPTO_SHA256_SIZE];
    struct statement doc;
    struct statement_decision d;
    struct qrexec_msg m;
    struct agent b;
    int data[2];
    int key, service_key;
    char byte;

    world_skip_checkpoint(w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, data), 0);
    driver_put(w->netd, MSG_INCOMING, 77, &in, &data[1], 1);
    world_hear(w, w->policyd, MSG_DECIDE_REMOTE);
    assert_true(span_eq_str(w->m.decide_remote.zone, "thin"));
    assert_true(span_eq(w->m.decide_remote.envelope, in.envelope));
    memset(yes.call_id, 0xab, sizeof(yes.call_id));
    yes.deadline = 1900000000;
    yes.source_zone = span_str("thin");
    yes.source_qube = span_str("work");
    world_decide(w, &yes);
    d = world_hear_decision(w, &doc);
    assert_true(d.allow);
    assert_memory_equal(d.call_id, yes.call_id, MSG_CALL_ID);
    crypto_sha256(in.envelope, digest);
    assert_memory_equal(d.envelope, digest, sizeof(digest));
    assert_true(span_eq_str(d.source_zone, "thin"));
    assert_true(span_eq_str(d.source_qube, "work"));
    statement_fini(&doc);
    world_appended(w, 8);
    b = world_start_qube(w, "signer");
    agent_greet(&b);
    world_hear(w, w->keyd, MSG_KEY_SESSION);
    assert_true(span_eq(w->m.key_session.envelope, in.envelope));
    assert_true(span_eq_str(w->m.key_session.source_zone, "thin"));
    assert_true(span_eq_str(w->m.key_session.source, "thin-work"));
    assert_int_equal(w->m.key_session.deadline, yes.deadline);
    key = TAKE_FD(w->fds.fd[0]);
    world_ok(w, w->keyd);
    agent_hear_type(&b, &m, QREXEC_EXEC_CMDLINE);
    assert_true(span_eq_str(
            m.command, "DEFAULT:QUBESRPC qair.Sign+release thin-work"));
    world_hear(w, w->netd, MSG_OK);
    assert_int_equal(w->id, 77);
    (void)close(link_take_fd(b.l));
    service_key = link_take_fd(b.l);
    /* keyd dies: the service is told at once, and does not wait for ever */
    (void)close(key);
    assert_false(driver_is_silent(service_key, 2000));
    assert_int_equal(recv(service_key, &byte, 1, MSG_DONTWAIT), 0);
    (void)close(service_key);
    (void)close(data[0]);
    (void)close(data[1]);
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

    world_skip_checkpoint(w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, data), 0);
    driver_put(w->netd, MSG_INCOMING, 78, &in, &data[1], 1);
    (void)close(data[1]);
    world_hear(w, w->policyd, MSG_DECIDE_REMOTE);
    world_decide(w, &no);
    d = world_hear_decision(w, &doc);
    assert_false(d.allow);
    assert_true(span_eq_str(d.source_zone, "thin"));
    assert_true(span_eq_str(d.source, "@zone:thin"));
    assert_true(span_eq_str(d.reason, "replay: this call was seen before"));
    statement_fini(&doc);
    world_appended(w, 8);
    world_hear(w, w->netd, MSG_REFUSED);
    assert_int_equal(w->id, 78);
    assert_true(span_eq_str(w->m.refused.where, "policy of zone server"));
    /* the stream is closed, no qube is started */
    assert_int_equal(read(data[0], &d, 1), 0);
    assert_true(driver_is_silent(w->d.control, 100));
    (void)close(data[0]);
}

/* From thin to far over this zone: an envelope of its own around thin's, the
 * same id, a deadline that thin set, the same stream. */
static void call_of_a_zone_goes_on_to_a_third(void **state)
{
    struct world *w = *state;
    const struct msg_incoming in = {
            .zone = span_str("thin"), .envelope = span_str("{thin's}")};
    struct msg_decision yes =
            world_allowed(MSG_TARGET_REMOTE, "thin-work", "far", "signer");
    const struct msg_blob dsse = {.bytes = span_str("{ours}")};
    char there;
    int data[2];

    world_skip_checkpoint(w);
    yes.call_id[0] = 9;
    yes.deadline = (uint64_t)time(NULL) + 20;
    yes.source_zone = span_str("thin");
    yes.source_qube = span_str("work");
    yes.requested = span_str("door");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, data), 0);
    driver_put(w->netd, MSG_INCOMING, 79, &in, &data[1], 1);
    (void)close(data[1]);
    world_hear(w, w->policyd, MSG_DECIDE_REMOTE);
    world_decide(w, &yes);
    world_appraised(w);
    world_hear(w, w->keyd, MSG_ENVELOPE);
    assert_true(span_eq_str(w->m.envelope.via, "{thin's}"));
    assert_true(span_eq_str(w->m.envelope.source_qube, "thin-work"));
    assert_true(span_eq_str(w->m.envelope.requested, "door"));
    assert_true(span_eq_str(w->m.envelope.zone, "far"));
    assert_int_equal(w->m.envelope.call_id[0], 9);
    assert_int_equal(w->m.envelope.deadline, yes.deadline);
    driver_put(w->keyd, MSG_BLOB, w->id, &dsse, NULL, 0);
    world_hear(w, w->logd, MSG_APPEND);
    assert_int_equal(w->m.append.kind, MSG_APPEND_SIGNED);
    assert_true(span_eq_str(w->m.append.payload, "{ours}"));
    world_appended(w, 12);
    world_hear(w, w->netd, MSG_OPEN);
    assert_true(span_eq_str(w->m.open.zone, "far"));
    assert_true(span_eq_str(w->m.open.envelope, "{ours}"));
    assert_int_equal(w->m.open.deadline, yes.deadline);
    assert_int_equal(write(w->fds.fd[0], "x", 1), 1);
    assert_int_equal(read(data[0], &there, 1), 1);
    ipc_fds_close(&w->fds);
    driver_put(w->netd, MSG_OK, w->id, &(struct msg_empty){0}, NULL, 0);
    world_hear(w, w->netd, MSG_OK);
    assert_int_equal(w->id, 79);
    (void)close(data[0]);
}

/* Where a call can fail, and what its maker and the log hear then. */
enum fault {
    FAULT_POLICY_DENIES,
    FAULT_POLICYD_REFUSES,
    FAULT_NOT_APPROVED,
    FAULT_KEYD_REFUSES,
    FAULT_LOGD_REFUSES,
    FAULT_NETD_REFUSES,
    FAULT_COUNT
};

static void refuse_remote_call(struct world *w, enum fault fault)
{
    struct msg_decision d =
            world_allowed(MSG_TARGET_REMOTE, "work", "far", "signer");
    const struct msg_blob dsse = {.bytes = span_str("{e}")};

    world_hear(w, w->policyd, MSG_DECIDE);
    if (fault == FAULT_POLICYD_REFUSES) {
        world_refuse(w, w->policyd, "here", "no");
        return;
    }
    if (fault == FAULT_POLICY_DENIES) {
        d.allow = d.kind = 0;
        d.where = span_str("here");
        d.reason = span_str("no");
    }
    world_decide(w, &d);
    if (fault == FAULT_POLICY_DENIES)
        return;
    if (fault == FAULT_NOT_APPROVED) {
        world_hear(w, w->netd, MSG_APPRAISAL_GET);
        assert_true(span_eq_str(w->m.appraisal_get.zone, "far"));
        assert_true(span_eq_str(w->m.appraisal_get.source, "work"));
        ipc_fds_close(&w->fds);
        world_refuse(w, w->netd, "here", "no");
        return;
    }
    world_appraised(w);
    world_hear(w, w->keyd, MSG_ENVELOPE);
    if (fault == FAULT_KEYD_REFUSES) {
        world_refuse(w, w->keyd, "here", "no");
        return;
    }
    driver_put(w->keyd, MSG_BLOB, w->id, &dsse, NULL, 0);
    world_hear(w, w->logd, MSG_APPEND);
    if (fault == FAULT_LOGD_REFUSES) {
        world_refuse(w, w->logd, "here", "no");
        return;
    }
    world_appended(w, 10);
    world_hear(w, w->netd, MSG_OPEN);
    ipc_fds_close(&w->fds);
    world_refuse(w, w->netd, "here", "no");
}

static void every_fault_is_recorded_and_told(void **state)
{
    struct world *w = *state;
    struct agent a;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        struct statement doc;
        struct statement_decision d;

        agent_trigger(&a, "", "far-signer", "qair.Sign+release", "SOCKET9");
        refuse_remote_call(w, (enum fault)fault);
        d = world_hear_decision(w, &doc);
        assert_false(d.allow);
        assert_true(span_eq_str(d.where, "here of zone server"));
        assert_true(span_eq_str(d.reason, "no"));
        assert_true(span_eq_str(d.source, "work"));
        assert_true(span_eq_str(d.requested, "far-signer"));
        statement_fini(&doc);
        assert_true(driver_is_silent(link_fd(a.l), 50));
        /* The log may fail too: refused it is. */
        if (fault % 2)
            world_refuse(w, w->logd, "logd", "disk full");
        else
            world_appended(w, 11);
        agent_hear_refused(&a, "SOCKET9", "here of zone server", "no");
    }
    link_free(a.l);
}

/* ---- states of zones ------------------------------------------------- */

static void decides_about(struct world *w, struct agent *a, const char *state)
{
    struct msg_decision no = {
            .where = span_str("here"), .reason = span_str("no")};
    struct statement doc;
    struct statement_decision d;

    agent_trigger(a, "", "signer", "qair.Sign+release", "SOCKET3");
    world_hear(w, w->policyd, MSG_DECIDE);
    assert_true(span_eq_str(w->m.decide.state, state));
    memcpy(no.policy, world_policy, sizeof(no.policy));
    world_decide(w, &no);
    d = world_hear_decision(w, &doc);
    if (*state) {
        assert_true(span_eq_str(d.appraisal.zone, ZONE));
        assert_true(span_eq_str(d.appraisal.state, state));
        assert_int_equal(d.appraisal.evidence[0], 0xe2);
    } else {
        assert_int_equal(d.appraisal.zone.len, 0);
    }
    statement_fini(&doc);
    world_appended(w, 11);
    agent_hear_refused(a, "SOCKET3", "here of zone server", "no");
}

static void own_calls_are_judged_by_the_own_state(void **state)
{
    struct world *w = *state;
    struct agent a;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    decides_about(w, &a, ""); /* keyd has said nothing yet */
    world_own_state(w, "golden (emulated)");
    decides_about(w, &a, "golden (emulated)");
    world_own_state(w, "");
    decides_about(w, &a, "");
    link_free(a.l);
}

static void calls_of_a_zone_are_judged_by_its_state(void **state)
{
    struct world *w = *state;
    const struct msg_incoming in = {.zone = span_str("thin"),
            .envelope = span_str("{envelope}"),
            .state = span_str("maintenance"),
            .evidence = {0xe3}};
    struct msg_decision no = {.where = span_str("here"),
            .reason = span_str("no"),
            .source_zone = span_str("thin")};
    struct statement doc;
    struct statement_decision d;
    int data[2];

    world_skip_checkpoint(w);
    world_own_state(w, "golden");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, data), 0);
    driver_put(w->netd, MSG_INCOMING, 77, &in, &data[1], 1);
    (void)close(data[1]);
    world_hear(w, w->policyd, MSG_DECIDE_REMOTE);
    assert_true(span_eq_str(w->m.decide_remote.state, "maintenance"));
    memcpy(no.policy, world_policy, sizeof(no.policy));
    world_decide(w, &no);
    d = world_hear_decision(w, &doc);
    assert_true(span_eq_str(d.appraisal.zone, "thin"));
    assert_true(span_eq_str(d.appraisal.state, "maintenance"));
    assert_int_equal(d.appraisal.evidence[0], 0xe3);
    statement_fini(&doc);
    world_appended(w, 12);
    (void)close(data[0]);
}

/* A local call that runs, to the qube `signer`, by its near end. */
static int running_call(
        struct world *w, struct agent *a, struct agent *b, const char *source)
{
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, source, "", "signer");
    struct statement doc;
    struct qrexec_msg m;

    agent_trigger(a, "", "signer", "qair.Sign+release", "SOCKET4");
    world_hear(w, w->policyd, MSG_DECIDE);
    world_decide(w, &yes);
    (void)world_hear_decision(w, &doc);
    statement_fini(&doc);
    world_appended(w, 9);
    *b = world_start_qube(w, "signer");
    agent_greet(b);
    world_hear(w, w->keyd, MSG_KEY_SESSION);
    ipc_fds_close(&w->fds);
    world_ok(w, w->keyd);
    agent_hear_type(b, &m, QREXEC_EXEC_CMDLINE);
    agent_hear_type(a, &m, QREXEC_SERVICE_CONNECT);
    return link_take_fd(a->l);
}

static void a_zones_call_that_runs_is_judged_by_its_new_state(void **state)
{
    struct world *w = *state;
    const struct msg_incoming in = {.zone = span_str("thin"),
            .envelope = span_str("{envelope}"),
            .state = span_str("golden"),
            .evidence = {0xe3}};
    struct msg_peer_state other = {.zone = span_str("other"),
            .state = span_str("maintenance"),
            .evidence = {0xe4}};
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "thin-work", "", "signer");
    struct msg_decision no = {
            .where = span_str("here"), .reason = span_str("not in that state")};
    struct statement doc;
    struct qrexec_msg m;
    struct agent b;
    int data[2];
    char c;

    world_skip_checkpoint(w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, data), 0);
    driver_put(w->netd, MSG_INCOMING, 77, &in, &data[1], 1);
    (void)close(data[1]);
    world_hear(w, w->policyd, MSG_DECIDE_REMOTE);
    yes.source_zone = span_str("thin");
    yes.source_qube = span_str("work");
    world_decide(w, &yes);
    (void)world_hear_decision(w, &doc);
    statement_fini(&doc);
    world_appended(w, 8);
    b = world_start_qube(w, "signer");
    agent_greet(&b);
    world_hear(w, w->keyd, MSG_KEY_SESSION);
    ipc_fds_close(&w->fds);
    world_ok(w, w->keyd);
    agent_hear_type(&b, &m, QREXEC_EXEC_CMDLINE);
    world_hear(w, w->netd, MSG_OK);
    /* Of another zone: it is asked about, and as it was. */
    driver_put(w->netd, MSG_PEER_STATE, 0, &other, NULL, 0);
    world_hear(w, w->policyd, MSG_DECIDE);
    assert_true(span_eq_str(w->m.decide.state, "golden"));
    yes.source_zone = yes.source_qube = SPAN_EMPTY;
    world_decide(w, &yes);
    /* The own state is none of its business. */
    other.zone = span_str("thin");
    driver_put(w->netd, MSG_PEER_STATE, 0, &other, NULL, 0);
    world_hear(w, w->policyd, MSG_DECIDE);
    assert_int_equal(w->m.decide.running, 1);
    assert_true(span_eq_str(w->m.decide.source, "thin-work"));
    assert_true(span_eq_str(w->m.decide.state, "maintenance"));
    world_decide(w, &no);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 12);
    assert_int_equal(read(data[0], &c, 1), 0);
    (void)close(data[0]);
    link_free(b.l);
}

static void a_call_that_runs_is_judged_by_the_new_state(void **state)
{
    struct world *w = *state;
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "work", "", "signer");
    struct msg_decision no = {.where = span_str("here"),
            .reason = span_str("the state is another")};
    struct agent a, b;
    char c;
    int near;

    world_skip_checkpoint(w);
    world_own_state(w, "golden");
    a = world_work_qube(w);
    near = running_call(w, &a, &b, "work");
    /* Another state, and the rules still allow it. */
    world_own_state(w, "maintenance");
    world_hear(w, w->policyd, MSG_DECIDE);
    assert_int_equal(w->m.decide.running, 1);
    assert_true(span_eq_str(w->m.decide.state, "maintenance"));
    world_decide(w, &yes);
    /* The same state, shown anew, decides nothing. */
    world_own_state(w, "maintenance");
    assert_true(driver_is_silent(w->policyd, 100));
    /* None. */
    world_own_state(w, "");
    world_hear(w, w->policyd, MSG_DECIDE);
    assert_int_equal(w->m.decide.state.len, 0);
    world_decide(w, &no);
    world_hear(w, w->logd, MSG_APPEND);
    assert_non_null(memmem(w->m.append.payload.ptr, w->m.append.payload.len,
            "the state is another", strlen("the state is another")));
    world_appended(w, 12);
    assert_int_equal(read(near, &c, 1), 0);
    (void)close(near);
    link_free(a.l);
    link_free(b.l);
}

static void dead_role_refuses_what_waits_for_it(void **state)
{
    struct world *w = *state;
    struct statement doc;
    struct agent a;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    agent_trigger(&a, "", "x", "some.Service", "SOCKET3");
    world_hear(w, w->policyd, MSG_DECIDE);
    (void)close(w->policyd);
    assert_false(world_hear_decision(w, &doc).allow);
    statement_fini(&doc);
    world_appended(w, 9);
    agent_hear_refused(
            &a, "SOCKET3", "policyd of zone server", "policyd restarted");
    w->policyd = driver_peer(&w->d, MSG_ROLE_POLICYD);
    agent_trigger(&a, "", "x", "some.Service", "SOCKET4");
    world_hear(w, w->policyd, MSG_DECIDE);
    link_free(a.l);
}

static void owner_calls_as_adminvm(void **state)
{
    struct world *w = *state;
    const struct msg_call m = {
            .target = span_str("work"), .service = span_str("test.Echo+a")};
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "@adminvm", "", "work");
    struct qrexec_msg exec;
    struct agent a;
    int data;
    int fd = owner_asks(w, MSG_CALL, &m, &data);
    int end;

    world_skip_checkpoint(w);
    world_hear(w, w->policyd, MSG_DECIDE);
    assert_true(span_eq_str(w->m.decide.source, "@adminvm"));
    yes.user = span_str("user");
    world_decide(w, &yes);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 8);
    a = world_start_qube(w, "work");
    agent_greet(&a);
    agent_hear_type(&a, &exec, QREXEC_EXEC_CMDLINE);
    assert_true(span_eq_str(exec.command, "user:QUBESRPC test.Echo+a dom0"));
    assert_int_equal(exec.domain, 1); /* work may use no keys */
    end = link_take_fd(a.l);
    world_hear(w, fd, MSG_OK);
    world_assert_stream(data, end);
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
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "@adminvm", "", "work");
    struct agent a;
    int data;
    int fd = owner_asks(w, MSG_CALL, &m, &data);

    world_skip_checkpoint(w);
    world_hear(w, w->policyd, MSG_DECIDE);
    yes.user = span_str("a:reboot");
    world_decide(w, &yes);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 8);
    a = world_start_qube(w, "work");
    agent_greet(&a);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 9);
    owner_hears_refused(w, fd, "zone server",
            "user or service cannot be written as a command");
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

    world_skip_checkpoint(w);
    world_hear(w, w->logd, MSG_APPEND);
    assert_int_equal(statement_parse(w->m.append.payload, &doc, &err), 0);
    assert_int_equal(statement_event_parse(&doc, &e, &err), 0);
    assert_true(span_eq_str(e.kind, "qube-run"));
    (void)snprintf(detail, sizeof(detail), "work, uid %u: echo \\x01 secret",
            (unsigned)getuid());
    assert_true(span_eq_str(e.detail, detail));
    statement_fini(&doc);
    assert_true(driver_is_silent(w->d.control, 100));
    world_refuse(w, w->logd, "logd", "disk full");
    world_hear(w, w->logd, MSG_APPEND);
    world_refuse(w, w->logd, "logd", "disk full");
    owner_hears_refused(w, fd, "logd of zone server", "disk full");
    (void)close(data);
    (void)close(fd);
}

/* work calls a new disposable of signer; its agent, which has said hello. */
static struct agent call_disposable(
        struct world *w, struct agent *a, char name[static 32])
{
    struct msg_decision yes =
            world_allowed(MSG_TARGET_DISPOSABLE, "work", "", "signer");
    struct statement doc;
    struct agent b;

    agent_trigger(a, "", "@dispvm", "qair.Sign+release", "SOCKET2");
    world_hear(w, w->policyd, MSG_DECIDE);
    world_decide(w, &yes);
    assert_true(span_eq_str(
            world_hear_decision(w, &doc).target_qube, "@dispvm:signer"));
    statement_fini(&doc);
    world_appended(w, 9);
    b = world_start_qube_of(w, NULL, "signer");
    (void)snprintf(name, 32, "%.*s", (int)w->m.start.name.len,
            (const char *)w->m.start.name.ptr);
    assert_memory_equal(name, "disp", 4);
    agent_greet(&b);
    return b;
}

static void hear_stop(struct world *w, const char *name)
{
    world_hear(w, w->d.control, MSG_QUBE_STOP);
    assert_true(span_eq_str(w->m.named.name, name));
}

static void disposable_lives_for_its_call(void **state)
{
    static const struct qrexec_msg ended = {
            .type = QREXEC_CONNECTION_TERMINATED, .port = 513};
    struct world *w = *state;
    struct agent a, b;
    struct qrexec_msg m;
    char name[32], former[32] = "";
    int near;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    for (int i = 0; i < 3; i++) {
        b = call_disposable(w, &a, name);
        assert_string_not_equal(name, former);
        memcpy(former, name, sizeof(former));
        world_hear(w, w->keyd, MSG_KEY_SESSION);
        assert_true(span_eq_str(w->m.key_session.keys, "release"));
        assert_true(span_eq_str(w->m.key_session.qube, name));
        ipc_fds_close(&w->fds);
        if (i == 0) { /* it never began */
            world_refuse(w, w->keyd, "keyd", "not approved");
            world_hear(w, w->logd, MSG_APPEND);
            world_appended(w, 9);
            agent_hear_type(&a, &m, QREXEC_SERVICE_REFUSED);
            hear_stop(w, name);
            link_free(b.l);
            continue;
        }
        world_ok(w, w->keyd);
        agent_hear_type(&b, &m, QREXEC_EXEC_CMDLINE);
        agent_hear_type(&a, &m, QREXEC_SERVICE_CONNECT);
        near = link_take_fd(a.l);
        if (i == 1) /* its service ended */
            agent_say(&b, &ended, NULL, 0);
        else /* its caller went away */
            (void)shutdown(near, SHUT_RDWR);
        hear_stop(w, name);
        (void)close(near);
        link_free(b.l);
    }
    link_free(a.l);
}

static void rule_without_autostart_starts_nothing(void **state)
{
    static const struct {
        uint8_t kind;
        const char *reason;
    } rows[] = {
            {MSG_TARGET_LOCAL,
                    "signer does not run, and the rule says autostart=no"},
            {MSG_TARGET_DISPOSABLE, "a disposable never runs yet, and the rule "
                                    "says autostart=no"},
    };
    struct world *w = *state;
    struct agent a;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct msg_decision yes =
                world_allowed(rows[i].kind, "work", "", "signer");

        yes.autostart = 0;
        agent_trigger(&a, "", "signer", "qair.Sign+release", "SOCKET2");
        world_hear(w, w->policyd, MSG_DECIDE);
        world_decide(w, &yes);
        world_hear(w, w->logd, MSG_APPEND);
        world_appended(w, 9);
        world_hear(w, w->logd, MSG_APPEND);
        world_appended(w, 10);
        agent_hear_refused(&a, "SOCKET2", "zone server", rows[i].reason);
        assert_true(driver_is_silent(w->d.control, 50));
    }
    link_free(a.l);
}

static void status_names_running_qubes(void **state)
{
    struct world *w = *state;
    struct err err;
    struct agent a;
    int fd;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    assert_int_equal(ipc_connect(w->dir, "call.sock", &fd, &err), 0);
    do { /* until its caller's end has been seen */
        driver_put(fd, MSG_STATUS, 6, &(struct msg_empty){0}, NULL, 0);
        world_hear(w, fd, MSG_BLOB);
    } while (span_eq_str(w->m.blob.bytes,
            "{\"calls\":0,\"qubes\":[{\"name\":\"work\",\"services\":1,"
            "\"state\":\"running\"}],\"role\":\"calld\",\"running\":1}"));
    assert_true(span_eq_str(w->m.blob.bytes,
            "{\"calls\":0,\"qubes\":[{\"name\":\"work\",\"services\":1,"
            "\"state\":\"running\"}],\"role\":\"calld\",\"running\":0}"));
    (void)close(fd);
    link_free(a.l);
}

#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, world_begin, world_finish)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            CASE(remote_call_is_recorded_before_it_is_sent),
            CASE(local_call_gets_keys_of_its_target),
            CASE(service_that_stays_loses_its_key_with_its_caller),
            CASE(service_of_an_ended_call_loses_its_key),
            CASE(incoming_call_passes_this_zones_policy),
            CASE(envelope_that_policyd_refuses_goes_no_further),
            CASE(call_of_a_zone_goes_on_to_a_third),
            CASE(every_fault_is_recorded_and_told),
            CASE(own_calls_are_judged_by_the_own_state),
            CASE(calls_of_a_zone_are_judged_by_its_state),
            CASE(a_call_that_runs_is_judged_by_the_new_state),
            CASE(a_zones_call_that_runs_is_judged_by_its_new_state),
            CASE(dead_role_refuses_what_waits_for_it),
            CASE(owner_calls_as_adminvm),
            CASE(user_with_a_colon_runs_nothing),
            CASE(run_is_recorded_first),
            CASE(status_names_running_qubes),
            CASE(disposable_lives_for_its_call),
            CASE(rule_without_autostart_starts_nothing),
    };

    if (argc != 2)
        return 2;
    world_program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
