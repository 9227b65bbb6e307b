/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Qubes that lie to qair-calld, flood it, or go away in the middle.
 */
#include "calld_world.h"

/* daemons/calld/calld.h */
#define CALLD_REFUSALS_BURST 256

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct statement doc;

        agent_trigger(&a, rows[i].source, "signer", rows[i].service, "SOCKET5");
        assert_false(world_hear_decision(w, &doc).allow);
        statement_fini(&doc);
        world_appended(w, 9);
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
            {.type = QREXEC_STDOUT},
            {.type = QREXEC_EXIT_CODE},
    };
    struct world *w = *state;

    world_skip_checkpoint(w);
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct agent a = world_work_qube(w);
        struct qrexec_msg m;

        agent_say(&a, &lies[i], NULL, 0);
        assert_false(agent_hear(&a, &m));
        world_hear(w, w->d.control, MSG_QUBE_STOP);
        assert_true(span_eq_str(w->m.named.name, "work"));
        link_free(a.l);
    }
    link_free(world_work_qube(w).l); /* the next one works */
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

    world_skip_checkpoint(w);
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct agent a = world_work_qube(w);
        struct qrexec_msg m;

        assert_int_equal(write(link_fd(a.l), lies[i].bytes, lies[i].len),
                (ssize_t)lies[i].len);
        assert_false(agent_hear(&a, &m));
        world_hear(w, w->d.control, MSG_QUBE_STOP);
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

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    agent_say(&a, &m, &fd, 1);
    while (agent_hear(&a, &m)) {
    }
    world_hear(w, w->d.control, MSG_QUBE_STOP);
    link_free(a.l);
}

static void calls_die_with_their_qubes(void **state)
{
    struct world *w = *state;
    const struct msg_named signer = {.name = span_str("signer")};
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "work", "", "signer");
    struct statement doc;
    struct agent a;
    struct agent b;
    uint32_t id;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    agent_trigger(&a, "", "signer", "qair.Sign+release", "SOCKET1");
    world_hear(w, w->policyd, MSG_DECIDE);
    world_decide(w, &yes);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 9);
    b = world_start_qube(w, "signer");
    agent_greet(&b);
    world_hear(w, w->keyd, MSG_KEY_SESSION);
    ipc_fds_close(&w->fds);
    id = w->id;
    /* the target goes while keyd thinks: refused, and no execution later */
    driver_put(w->d.control, MSG_QUBE_GONE, 0, &signer, NULL, 0);
    assert_false(world_hear_decision(w, &doc).allow);
    statement_fini(&doc);
    world_appended(w, 10);
    w->id = id;
    world_ok(w, w->keyd);
    agent_hear_refused(
            &a, "SOCKET1", "zone server", "qube signer: the qube ended");
    link_free(b.l);
    /* the source goes while policyd thinks: nobody is asked further */
    agent_trigger(&a, "", "signer", "qair.Sign+release", "SOCKET2");
    world_hear(w, w->policyd, MSG_DECIDE);
    id = w->id;
    link_free(a.l);
    world_hear(w, w->d.control, MSG_QUBE_STOP);
    w->id = id;
    world_decide(w, &yes);
    assert_true(driver_is_silent(w->logd, 200));
    link_free(world_work_qube(w).l);
}

/* What many calls with long arguments would leave unseen could not be ended. */
static void long_services_do_not_hide_the_list(void **state)
{
    static char service[LIMIT_SERVICE_MAX + 1] = "test.Long+";
    const struct msg_call m = {.target = span_str("work"),
            .service = SPAN(service, LIMIT_SERVICE_MAX)};
    struct world *w = *state;
    struct err err;
    int fd, ends[2];

    memset(service + strlen(service), 'x', LIMIT_SERVICE_MAX - strlen(service));
    world_skip_checkpoint(w);
    assert_int_equal(ipc_connect(w->dir, "call.sock", &fd, &err), 0);
    for (uint32_t i = 1; i <= LIMIT_CALLS_MAX; i++) {
        assert_int_equal(
                socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        driver_put(fd, MSG_CALL, i, &m, &ends[1], 1);
        (void)close(ends[0]);
        (void)close(ends[1]);
        world_hear(w, w->policyd, MSG_DECIDE); /* and is not answered */
    }
    driver_put(fd, MSG_CALL_LIST, UINT32_MAX, &(struct msg_empty){0}, NULL, 0);
    world_hear(w, fd, MSG_FILE);
    ipc_fds_close(&w->fds);
    (void)close(fd);
}

/* Whose agent it is decides who hears the call. */
static void agent_of_another_qube_serves_nobody(void **state)
{
    const struct msg_named signer = {.name = span_str("signer")};
    struct world *w = *state;
    int fds[2], data, fd;

    world_skip_checkpoint(w);
    fd = owner_runs(w, "work", "true", &data);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 8);
    world_hear(w, w->d.control, MSG_QUBE_START);
    assert_true(span_eq_str(w->m.start.name, "work"));
    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    driver_put(w->d.control, MSG_QUBE_STARTED, w->id, &signer, &fds[1], 1);
    assert_int_equal(driver_wait(&w->d), 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
    (void)close(data);
    (void)close(fd);
}

static void qube_that_cannot_start_refuses_all_its_calls(void **state)
{
    struct world *w = *state;
    int data[2];
    int fd[2];

    world_skip_checkpoint(w);
    for (size_t i = 0; i < 2; i++) {
        fd[i] = owner_runs(w, "work", "true", &data[i]);
        world_hear(w, w->logd, MSG_APPEND);
        world_appended(w, 8 + i);
    }
    world_hear(w, w->d.control, MSG_QUBE_START);
    /* both wait for one start */
    assert_true(driver_is_silent(w->d.control, 100));
    world_refuse(w, w->d.control, "qaird", "no bubblewrap here");
    for (size_t i = 0; i < 2; i++) {
        world_hear(w, w->logd, MSG_APPEND);
        world_appended(w, 10 + i);
    }
    for (size_t i = 0; i < 2; i++) {
        owner_hears_refused(
                w, fd[i], "zone server", "qube work: no bubblewrap here");
        (void)close(fd[i]);
        (void)close(data[i]);
    }
}

#define FLOOD 1000

static void flood_of_requests_is_bounded(void **state)
{
    struct world *w = *state;
    struct qrexec_msg m;
    struct agent a;
    char ident[16];

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    for (unsigned i = 0; i < FLOOD; i++) {
        (void)snprintf(ident, sizeof(ident), "SOCKET%u", i);
        agent_trigger(&a, "", "x", "some.Service", ident);
        if (i < LIMIT_CALLS_PER_SOURCE)
            continue;
        agent_hear_type(&a, &m, QREXEC_SERVICE_REFUSED);
        assert_true(span_eq_str(
                m.reason, "work has 256 calls, and may have no more"));
    }
    for (unsigned i = 0; i < LIMIT_CALLS_PER_SOURCE; i++)
        world_hear(w, w->policyd, MSG_DECIDE);
    assert_true(driver_is_silent(w->policyd, 50));
    link_free(a.l);
}

/* A log is never pruned: nobody may fill it, and the disk, with refusals. */
static void refusals_do_not_fill_the_log(void **state)
{
    struct world *w = *state;
    struct msg_decision no = world_allowed(0, "work", "", "");
    struct qrexec_msg m;
    struct agent a;
    unsigned recorded = 0;

    no.allow = 0;
    no.where = span_str("policy of zone server");
    no.reason = span_str("no rule");
    world_skip_checkpoint(w);
    a = world_work_qube(w);
    for (unsigned i = 0; i < CALLD_REFUSALS_BURST + 100; i++) {
        agent_trigger(&a, "", "x", "some.Service", "SOCKET1");
        world_hear(w, w->policyd, MSG_DECIDE);
        world_decide(w, &no);
        while (driver_is_silent(w->logd, 1) &&
                driver_is_silent(link_fd(a.l), 1))
            ;
        if (!driver_is_silent(w->logd, 0)) {
            world_hear(w, w->logd, MSG_APPEND);
            world_appended(w, 20 + i);
            recorded++;
        }
        /* the qube hears why in any case */
        agent_hear_type(&a, &m, QREXEC_SERVICE_REFUSED);
        assert_true(span_eq_str(m.reason, "no rule"));
    }
    assert_in_range(recorded, CALLD_REFUSALS_BURST, CALLD_REFUSALS_BURST + 20);
    /* what was left out is counted once there is room again */
    sleep(2);
    agent_trigger(&a, "", "x", "some.Service", "SOCKET1");
    world_hear(w, w->policyd, MSG_DECIDE);
    world_decide(w, &no);
    struct statement doc;
    struct statement_decision d = world_hear_decision(w, &doc);
    assert_non_null(memmem(d.reason.ptr, d.reason.len, "more refused", 12));
    statement_fini(&doc);
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

    world_skip_checkpoint(w);
    a = world_work_qube(w); /* port 513 */
    for (unsigned i = 1; i <= LIMIT_CALLS_PER_SOURCE; i++) {
        fd = owner_runs(w, "work", "true", &data);
        world_hear(w, w->logd, MSG_APPEND);
        world_appended(w, 9);
        if (i < LIMIT_CALLS_PER_SOURCE) {
            agent_hear_type(&a, &m, QREXEC_EXEC_CMDLINE);
            assert_int_equal(m.port, 513 + i);
            (void)close(link_take_fd(a.l));
            world_hear(w, fd, MSG_OK);
        } else {
            world_hear(w, w->logd, MSG_APPEND);
            world_appended(w, 10);
            owner_hears_refused(
                    w, fd, "zone server", "work runs 256 services already");
        }
        (void)close(data);
        (void)close(fd);
    }
    agent_say(&a, &ended, NULL, 0);
    fd = owner_runs(w, "work", "true", &data);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 11);
    agent_hear_type(&a, &m, QREXEC_EXEC_CMDLINE);
    assert_int_equal(m.port, 513);
    (void)close(link_take_fd(a.l));
    (void)close(data);
    (void)close(fd);
    link_free(a.l);
}

/* A call of work that stays open in another zone; its own end of the stream. */
static int hold_remote(struct world *w, struct agent *a)
{
    struct msg_decision yes =
            world_allowed(MSG_TARGET_REMOTE, "work", "far", "signer");
    const struct msg_blob dsse = {.bytes = span_str("{envelope}")};
    struct qrexec_msg m;
    int fd;

    agent_trigger(a, "", "far-signer", "qair.Sign+release", "SOCKET1");
    world_hear(w, w->policyd, MSG_DECIDE);
    world_decide(w, &yes);
    world_appraised(w);
    world_hear(w, w->keyd, MSG_ENVELOPE);
    driver_put(w->keyd, MSG_BLOB, w->id, &dsse, NULL, 0);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 9);
    world_hear(w, w->netd, MSG_OPEN);
    (void)close(TAKE_FD(w->fds.fd[0])); /* calld's copy keeps it open */
    world_ok(w, w->netd);
    agent_hear_type(a, &m, QREXEC_SERVICE_CONNECT);
    fd = link_take_fd(a->l);
    assert_true(fd >= 0);
    return fd;
}

static void calls_left_open_count(void **state)
{
    struct world *w = *state;
    int held[LIMIT_CALLS_PER_SOURCE];
    struct agent a;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    for (size_t i = 0; i < ARRAY_LEN(held); i++)
        held[i] = hold_remote(w, &a);
    agent_trigger(&a, "", "far-signer", "qair.Sign+release", "SOCKET2");
    agent_hear_refused(&a, "SOCKET2", "zone server",
            "work has 256 calls, and may have no more");
    assert_true(driver_is_silent(w->policyd, 50));
    for (size_t i = 0; i < ARRAY_LEN(held); i++)
        (void)close(held[i]);
    (void)close(hold_remote(w, &a));
    link_free(a.l);
}

/* Decided for a target that is up. */
static void call_work(struct world *w, struct agent *a)
{
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "work", "", "work");

    agent_trigger(a, "", "work", "qair.Sign+release", "SOCKET1");
    world_hear(w, w->policyd, MSG_DECIDE);
    world_decide(w, &yes);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 9);
}

static void one_source_leaves_services_of_a_target_to_others(void **state)
{
    const struct msg_incoming in = {
            .zone = span_str("thin"), .envelope = span_str("{envelope}")};
    struct world *w = *state;
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "thin-work", "", "work");
    int held[LIMIT_CALLS_PER_SOURCE / 2], served[LIMIT_CALLS_PER_SOURCE / 2];
    size_t n = 0;
    int data[2];
    struct qrexec_msg m;
    struct agent a;

    world_skip_checkpoint(w);
    a = world_work_qube(w); /* has one service running already */
    for (; n < ARRAY_LEN(held); n++) {
        call_work(w, &a);
        agent_hear_type(&a, &m, QREXEC_EXEC_CMDLINE);
        served[n] = link_take_fd(a.l);
        agent_hear_type(&a, &m, QREXEC_SERVICE_CONNECT);
        held[n] = link_take_fd(a.l);
    }
    call_work(w, &a);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 9);
    agent_hear_refused(&a, "SOCKET1", "zone server",
            "work has 128 services running in work, and it room for 127: that "
            "is for others");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, data), 0);
    driver_put(w->netd, MSG_INCOMING, 77, &in, &data[1], 1);
    (void)close(data[1]);
    world_hear(w, w->policyd, MSG_DECIDE_REMOTE);
    yes.source_zone = span_str("thin");
    world_decide(w, &yes);
    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 9);
    agent_hear_type(&a, &m, QREXEC_EXEC_CMDLINE);
    (void)close(link_take_fd(a.l));
    world_hear(w, w->netd, MSG_OK);
    for (size_t i = 0; i < n; i++) {
        (void)close(held[i]);
        (void)close(served[i]);
    }
    (void)close(data[0]);
    link_free(a.l);
}

#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, world_begin, world_finish)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            CASE(qube_speaks_for_itself_alone),
            CASE(lying_agent_loses_its_own_qube_only),
            CASE(raw_lies_end_the_link),
            CASE(agent_that_sends_a_descriptor_is_stopped),
            CASE(calls_die_with_their_qubes),
            CASE(long_services_do_not_hide_the_list),
            CASE(agent_of_another_qube_serves_nobody),
            CASE(qube_that_cannot_start_refuses_all_its_calls),
            CASE(flood_of_requests_is_bounded),
            CASE(refusals_do_not_fill_the_log),
            CASE(services_of_a_qube_are_bounded),
            CASE(calls_left_open_count),
            CASE(one_source_leaves_services_of_a_target_to_others),
    };

    if (argc != 2)
        return 2;
    world_program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
