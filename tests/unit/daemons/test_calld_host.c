/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-calld in the relay qube of a Qubes host: what programs of the relay's
 * user may do on relay.sock, and what one that was taken over gets.
 */
#include "calld_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int relay_connect(struct world *w)
{
    struct err err;
    int fd;

    assert_int_equal(ipc_connect(w->dir, "relay.sock", &fd, &err), 0);
    return fd;
}

/* A connection that sent this with one end of a stream; the other is ret. */
static int relay_asks(
        struct world *w, enum msg_type type, const void *msg, int *ret)
{
    int fd = relay_connect(w);
    int ends[2];

    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    driver_put(fd, type, 5, msg, &ends[1], 1);
    (void)close(ends[1]);
    *ret = ends[0];
    return fd;
}

static struct msg_relay_call asked(const char *source, const char *target)
{
    return (struct msg_relay_call){.source = span_str(source),
            .target = span_str(target),
            .service = span_str("qair.Sign+release")};
}

static struct agent relay_serves(struct world *w)
{
    struct agent a;
    int data, fd;

    fd = relay_asks(w, MSG_RELAY_SERVE, &(struct msg_empty){0}, &data);
    world_hear(w, fd, MSG_OK);
    (void)close(fd);
    a.l = link_new_unix(data, QREXEC_MSG_MAX, QREXEC_MSG_MAX);
    assert_non_null(a.l);
    agent_greet(&a);
    return a;
}

static void a_qube_of_the_host_calls_as_itself(void **state)
{
    struct world *w = *state;
    const struct msg_relay_call m = asked("vault", "far-signer");
    const struct msg_decision yes =
            world_allowed(MSG_TARGET_REMOTE, "vault", "far", "signer");
    const struct msg_blob dsse = {.bytes = span_str("{e}")};
    int data, fd;

    world_skip_checkpoint(w);
    fd = relay_asks(w, MSG_RELAY_CALL, &m, &data);
    world_hear(w, w->policyd, MSG_DECIDE);
    assert_true(span_eq_str(w->m.decide.source, "vault"));
    assert_true(span_eq_str(w->m.decide.target, "far-signer"));
    world_decide(w, &yes);
    world_appraised(w);
    world_hear(w, w->keyd, MSG_ENVELOPE);
    assert_true(span_eq_str(w->m.envelope.source_qube, "vault"));
    assert_int_equal(w->m.envelope.via.len, 0);
    driver_put(w->keyd, MSG_BLOB, w->id, &dsse, NULL, 0);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 8);
    world_hear(w, w->netd, MSG_OPEN);
    world_assert_stream(data, w->fds.fd[0]);
    ipc_fds_close(&w->fds);
    world_ok(w, w->netd);
    world_hear(w, fd, MSG_OK);
    (void)close(data);
    (void)close(fd);
}

static const struct {
    const char *source, *target, *reason;
} lies[] = {
        {"work", "far", "no qube work of the Qubes host"},
        {"signer", "far", "no qube signer of the Qubes host"},
        {"nobody", "far", "no qube nobody"},
        {"@adminvm", "far", "no qube @qubes"},
        {"@qubes", "far", "no qube @qubes"},
        {"", "far", "no qube @qubes"},
        {"vault\nwork", "far", "no qube @qubes"},
        {"../vault", "far", "no qube @qubes"},
};

static void a_relay_cannot_call_as_others(void **state)
{
    struct world *w = *state;

    world_skip_checkpoint(w);
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        const struct msg_relay_call m = asked(lies[i].source, lies[i].target);
        struct statement_decision d;
        struct statement doc;
        int data, fd;

        fd = relay_asks(w, MSG_RELAY_CALL, &m, &data);
        d = world_hear_decision(w, &doc);
        assert_false(d.allow);
        statement_fini(&doc);
        world_appended(w, 9);
        world_hear(w, fd, MSG_REFUSED);
        if (!memmem(w->m.refused.reason.ptr, w->m.refused.reason.len,
                    lies[i].reason, strlen(lies[i].reason)))
            fail_msg("%s: %.*s", lies[i].source, (int)w->m.refused.reason.len,
                    (const char *)w->m.refused.reason.ptr);
        (void)close(data);
        (void)close(fd);
    }
    assert_true(driver_is_silent(w->policyd, 50));
}

/* None can be waited for or shut down as a call's stream must be. */
static int no_stream(size_t kind)
{
    int ends[2] = {-1, -1};

    if (kind == 0)
        return open("/dev/null", O_RDWR | O_CLOEXEC);
    if (kind == 1)
        return memfd_create("none", MFD_CLOEXEC);
    if (kind == 2)
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    else
        assert_int_equal(
                socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    (void)close(ends[0]);
    return ends[1];
}

static void what_is_no_stream_carries_no_call(void **state)
{
    struct world *w = *state;
    const struct msg_relay_call call = asked("vault", "far-signer");
    const struct msg_empty serve = {0};

    world_skip_checkpoint(w);
    for (size_t kind = 0; kind < 4; kind++) {
        struct statement_decision d;
        struct statement doc;
        int fd = relay_connect(w);
        int bad = no_stream(kind);

        driver_put(fd, MSG_RELAY_SERVE, 4, &serve, &bad, 1);
        world_hear(w, fd, MSG_REFUSED);
        driver_put(fd, MSG_RELAY_CALL, 5, &call, &bad, 1);
        d = world_hear_decision(w, &doc);
        assert_false(d.allow);
        assert_true(span_eq_str(d.reason, "its stream is no stream socket"));
        statement_fini(&doc);
        world_appended(w, 8);
        world_hear(w, fd, MSG_REFUSED);
        (void)close(bad);
        (void)close(fd);
    }
    assert_true(driver_is_silent(w->policyd, 50));
}

/* What the owner may on call.sock, a relay may not on its own. */
static void a_relay_is_not_the_owner(void **state)
{
    struct world *w = *state;
    const struct msg_call call = {
            .target = span_str("signer"), .service = span_str("qair.Sign+x")};
    const struct msg_qube_run run = {
            .qube = span_str("work"), .command = span_str("true")};
    const struct {
        enum msg_type type;
        const void *msg;
    } tries[] = {{MSG_CALL, &call}, {MSG_QUBE_RUN, &run}};
    struct msg_relay_call m = asked("work", "far");
    int data, fd;

    world_skip_checkpoint(w);
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        fd = relay_asks(w, tries[i].type, tries[i].msg, &data);
        assert_int_equal(driver_get(fd, &w->m, NULL, NULL), 0); /* cut off */
        (void)close(data);
        (void)close(fd);
    }
    /* and the owner does not come by the relay's way: calld serves on */
    fd = owner_asks(w, MSG_RELAY_CALL, &m, &data);
    assert_int_equal(driver_get(fd, &w->m, NULL, NULL), 0);
    (void)close(data);
    (void)close(fd);
    assert_true(driver_is_silent(w->logd, 50));
    assert_true(driver_is_silent(w->d.control, 50));
    fd = relay_connect(w);
    (void)close(fd);
}

/* An incoming call to a qube of the host, up to what its agent hears. */
static void call_vault(struct world *w, int *ret_data)
{
    const struct msg_incoming in = {
            .zone = span_str("thin"), .envelope = span_str("{e}")};
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "thin-work", "", "vault");
    int data[2];

    yes.call_id[0] = 9;
    yes.user = span_str("root");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, data), 0);
    driver_put(w->netd, MSG_INCOMING, 79, &in, &data[1], 1);
    (void)close(data[1]);
    world_hear(w, w->policyd, MSG_DECIDE_REMOTE);
    world_decide(w, &yes);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 12);
    *ret_data = data[0];
}

static void a_call_into_the_host_bears_the_policys_name(void **state)
{
    struct world *w = *state;
    struct qrexec_msg m;
    struct agent a;
    int data, fd;

    world_skip_checkpoint(w);
    a = relay_serves(w);
    call_vault(w, &data);
    agent_hear_type(&a, &m, QREXEC_EXEC_CMDLINE);
    /* user= is dom0's matter */
    assert_true(span_eq_str(m.command,
            "DEFAULT:QUBESRPC qair.Sign+release thin-work name vault"));
    assert_int_equal(m.domain, 1);
    fd = link_take_fd(a.l);
    world_assert_stream(fd, data);
    world_hear(w, w->netd, MSG_OK);
    /* no qube was started for it */
    assert_true(driver_is_silent(w->d.control, 50));
    (void)close(fd);
    (void)close(data);
    link_free(a.l);
}

static void assert_next_call_is_refused(struct world *w)
{
    struct statement_decision d;
    struct statement doc;
    int data;

    call_vault(w, &data);
    d = world_hear_decision(w, &doc);
    assert_false(d.allow);
    assert_true(span_eq_str(d.where, "zone server"));
    statement_fini(&doc);
    world_appended(w, 13);
    world_hear(w, w->netd, MSG_REFUSED);
    (void)close(data);
}

static void without_a_relay_calls_into_the_host_are_refused(void **state)
{
    struct world *w = *state;

    world_skip_checkpoint(w);
    assert_next_call_is_refused(w);
}

/* It serves; asking is not in its permits. */
static void a_relay_that_calls_on_its_agent_link_is_cut_off(void **state)
{
    struct world *w = *state;
    struct qrexec_msg m;
    struct agent a;

    world_skip_checkpoint(w);
    a = relay_serves(w);
    agent_trigger(&a, "work", "signer", "qair.Sign+release", "SOCKET1");
    assert_false(agent_hear(&a, &m));
    link_free(a.l);
    /* qaird is not told to stop a qube: there is none */
    assert_true(driver_is_silent(w->d.control, 50));
    assert_true(driver_is_silent(w->policyd, 50));
    assert_next_call_is_refused(w);
    /* and another may serve then */
    a = relay_serves(w);
    link_free(a.l);
}

static void a_second_relay_does_not_take_the_firsts_place(void **state)
{
    struct world *w = *state;
    struct qrexec_msg m;
    struct agent a;
    int data, fd, call;

    world_skip_checkpoint(w);
    a = relay_serves(w);
    fd = relay_asks(w, MSG_RELAY_SERVE, &(struct msg_empty){0}, &data);
    world_hear(w, fd, MSG_REFUSED);
    (void)close(data);
    (void)close(fd);
    call_vault(w, &call);
    agent_hear_type(&a, &m, QREXEC_EXEC_CMDLINE);
    world_hear(w, w->netd, MSG_OK);
    (void)close(call);
    link_free(a.l);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, world_begin, world_finish)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            CASE(a_qube_of_the_host_calls_as_itself),
            CASE(a_relay_cannot_call_as_others),
            CASE(what_is_no_stream_carries_no_call),
            CASE(a_relay_is_not_the_owner),
            CASE(a_call_into_the_host_bears_the_policys_name),
            CASE(without_a_relay_calls_into_the_host_are_refused),
            CASE(a_relay_that_calls_on_its_agent_link_is_cut_off),
            CASE(a_second_relay_does_not_take_the_firsts_place),
    };

    if (argc != 2)
        return 2;
    world_program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
