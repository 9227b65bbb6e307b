/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and attestation between two netd.  args: PROGRAM. */
#include "netd_world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void call_reaches_the_other_zone(void **state)
{
    struct world *w = world_new(300);
    char buf[32];
    (void)state;

    int fd = world_call(w, "server", "envelope");
    assert_int_equal(write(fd, "question", 8), 8);
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_OK);
    assert_string_equal(w->server.envelope, "thin/envelope");
    assert_int_equal(w->thin.records[STATEMENT_CHANNEL_OPENED], 1);
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_OPENED], 1);
    (void)world_serve(w, 50);
    assert_int_equal(read(w->server.data, buf, sizeof(buf)), 8);
    assert_int_equal(write(w->server.data, "answer", 6), 6);
    (void)world_serve(w, 50);
    assert_int_equal(read(fd, buf, sizeof(buf)), 6);
    /* The next one needs no new channel. */
    int more = world_call(w, "server", "second");
    world_serve_until(w, &w->thin.answers, 2);
    assert_string_equal(w->server.envelope, "thin/second");
    assert_int_equal(w->thin.records[STATEMENT_CHANNEL_OPENED], 1);
    (void)close(fd);
    (void)close(more);
    world_free(w);
}

static void refusal_of_the_other_side_comes_back_whole(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->server.refuse_calls = true;
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "policy of zone server");
    assert_string_equal(w->thin.reason, "denied");
    (void)close(fd);
    world_free(w);
}

static void unknown_zone_and_own_zone_are_refused(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    int fd = world_call(w, "nobody", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "netd");
    (void)close(fd);
    fd = world_call(w, "thin", "envelope");
    world_serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    (void)close(fd);
    world_free(w);
}

static void zone_that_is_not_approved_says_so_and_recovers(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->thin.no_cert = true;
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "keyd");
    assert_string_equal(w->thin.reason, "state is not approved");
    (void)close(fd);
    /* Approved: the next call works, nothing was restarted. */
    w->thin.no_cert = false;
    usleep(600000);
    fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void target_that_is_not_approved_opens_no_channel(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->server.no_cert = true;
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "netd");
    assert_int_equal(w->server.incoming, 0);
    (void)close(fd);
    w->server.no_cert = false;
    usleep(600000);
    fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void bad_state_is_refused_recorded_and_explained(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->thin.not_golden = true;
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "attestd of zone thin");
    assert_non_null(strstr(w->thin.reason, "policy.d/30-sign.policy differs"));
    assert_int_equal(w->thin.quotes, 0); /* nothing of ours was shown */
    world_serve_until(w, &w->thin.records[STATEMENT_CHANNEL_REFUSED], 1);
    world_serve_until(w, &w->server.records[STATEMENT_CHANNEL_REFUSED], 1);
    assert_int_equal(w->thin.records[STATEMENT_CHANNEL_OPENED], 0);
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_OPENED], 0);
    (void)close(fd);
    world_free(w);
}

static void own_state_the_server_does_not_like(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->server.not_golden = true;
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_non_null(strstr(w->thin.reason, "did not accept this zone's"));
    /* The findings are for the server's people. */
    assert_null(strstr(w->thin.reason, "30-sign"));
    world_serve_until(w, &w->server.records[STATEMENT_CHANNEL_REFUSED], 1);
    assert_non_null(strstr(w->server.record_reason, "30-sign"));
    (void)close(fd);
    world_free(w);
}

static void no_record_no_channel(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->server.log_full = true;
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_int_equal(w->server.incoming, 0);
    (void)close(fd);
    world_free(w);
}

static void no_call_before_the_record(void **state)
{
    struct world *w = world_new(300);
    struct msg_appended done = {.index = 1, .size = 2};
    (void)state;

    w->thin.log_slow = true;
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->server.records[STATEMENT_CHANNEL_OPENED], 1);
    assert_true(world_serve(w, 300));
    assert_int_equal(w->server.incoming, 0);
    assert_int_equal(w->thin.answers, 0);
    w->thin.log_slow = false;
    driver_put(w->thin.link[LOGD], MSG_APPENDED, w->thin.held, &done, NULL, 0);
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void state_that_falls_cuts_streams_and_is_recorded(void **state)
{
    struct world *w = world_new(5); /* the least that zone.conf takes */
    char buf[32];
    (void)state;

    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    world_serve_until(w, &w->thin.records[STATEMENT_CHANNEL_REATTESTED], 1);
    assert_true(w->server.records[STATEMENT_CHANNEL_REATTESTED] >= 1);
    w->thin.not_golden = true;
    world_serve_until(w, &w->thin.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_non_null(strstr(w->thin.record_reason, "30-sign"));
    world_serve_until(w, &w->server.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_int_equal(read(fd, buf, sizeof(buf)), 0);
    assert_int_equal(read(w->server.data, buf, sizeof(buf)), 0);
    (void)close(fd);
    world_free(w);
}

static void say_fallen(struct zone *z)
{
    const struct msg_refused fell = {.code = (uint32_t)-ERR_DENIED,
            .where = span_str("keyd"),
            .reason = span_str("PCR 14 changed")};

    driver_put(z->link[KEYD], MSG_STATE_FALLEN, 0, &fell, NULL, 0);
}

/* The peer is not asked: re-attestation is minutes away. */
static void own_state_that_falls_cuts_streams(void **state)
{
    struct world *w = world_new(300);
    char buf[32];
    (void)state;

    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    w->server.no_cert = true;
    say_fallen(&w->server);
    world_serve_until(w, &w->server.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_non_null(strstr(w->server.record_reason, "PCR 14 changed"));
    world_serve_until(w, &w->thin.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_int_equal(read(fd, buf, sizeof(buf)), 0);
    assert_int_equal(read(w->server.data, buf, sizeof(buf)), 0);
    (void)close(fd);
    /* nor does it dial any more, until keyd certifies again */
    w->thin.no_cert = true;
    say_fallen(&w->thin);
    fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "keyd");
    (void)close(fd);
    w->thin.no_cert = w->server.no_cert = false;
    usleep(2500000);
    fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 3);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void zone_that_leaves_the_pack_is_cut_off(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    world_put_pack(w, &w->thin, WORLD_PACK_ALONE);
    world_serve_until(w, &w->thin.records[STATEMENT_CHANNEL_CLOSED], 1);
    int more = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_non_null(strstr(w->thin.reason, "not in the pack"));
    (void)close(fd);
    (void)close(more);
    world_free(w);
}

static void broken_pack_is_not_used(void **state)
{
    struct world *w = world_prepare();
    (void)state;

    w->thin.broken_pack = true;
    world_start(w, &w->thin, 300);
    world_start(w, &w->server, 300);
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "netd");
    if (strstr(w->thin.reason, "the pack is not used: ") == NULL)
        fail_msg("%s", w->thin.reason);
    (void)close(fd);
    /* The right one comes: used at once.  Broken again: the right one stays. */
    world_put_pack(w, &w->thin, WORLD_PACK_WHOLE);
    usleep(600000);
    for (unsigned n = 2; n <= 3; n++) {
        fd = world_call(w, "server", "envelope");
        world_serve_until(w, &w->thin.answers, n);
        assert_int_equal(w->thin.answer, MSG_OK);
        (void)close(fd);
        world_put_pack(w, &w->thin, WORLD_PACK_BROKEN);
    }
    world_free(w);
}

/* Nothing listens there.  The call waits as long as it may, and then tells
 * what stood in its way. */
static void call_to_a_peer_that_is_not_there_ends_with_its_deadline(
        void **state)
{
    struct world *w = world_new(300);
    (void)state;

    world_lose_server(w);
    w->deadline_s = 3;
    int fd = world_call(w, "server", "envelope");
    assert_true(world_serve(w, 1000));
    assert_int_equal(w->thin.answers, 0);
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "netd");
    assert_non_null(strstr(w->thin.reason, "no channel to zone server"));
    assert_non_null(strstr(w->thin.reason, "refused"));
    (void)close(fd);
    world_free(w);
}

static void call_waits_for_a_peer_that_comes_back(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    world_lose_server(w);
    int gone = world_call(w, "server", "gone");
    int fd = world_call(w, "server", "envelope");
    assert_true(world_serve(w, 1000));
    assert_int_equal(w->thin.answers, 0);
    /* A caller that gives up has its call neither kept nor sent later. */
    (void)close(gone);
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.reason, "the caller went");
    world_restart_server(w);
    world_serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_OK);
    assert_true(world_serve(w, 500));
    assert_int_equal(w->server.incoming, 1);
    assert_string_equal(w->server.envelope, "thin/envelope");
    (void)close(fd);
    world_free(w);
}

/* Sent and not answered: the caller is told, and nobody sends it again. */
static void call_in_flight_is_not_sent_twice(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->server.hold_calls = true;
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->server.incoming, 1);
    world_lose_server(w);
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "channel");
    assert_true(w->thin.reason[0] != '\0');
    w->server.incoming = 0;
    world_restart_server(w);
    assert_true(world_serve(w, 1500));
    assert_int_equal(w->server.incoming, 0);
    (void)close(fd);
    world_free(w);
}

static void call_that_is_not_answered_ends_with_its_deadline(void **state)
{
    struct world *w = world_new(300);
    char byte;
    (void)state;

    w->server.hold_calls = true;
    w->deadline_s = 3;
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->server.incoming, 1);
    assert_int_equal(w->thin.answers, 0);
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_non_null(strstr(w->thin.reason, "did not answer in time"));
    assert_int_equal(read(fd, &byte, 1), 0);
    (void)close(fd);
    /* The channel has nothing against it. */
    w->server.hold_calls = false;
    fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_OK);
    assert_int_equal(w->thin.records[STATEMENT_CHANNEL_OPENED], 1);
    (void)close(fd);
    world_free(w);
}

static void one_qube_cannot_take_all_calls_to_a_zone(void **state)
{
    struct world *w = world_new(300);
    int fds[130];
    (void)state;

    w->server.hold_calls = true;
    for (size_t i = 0; i < 128; i++) {
        fds[i] = world_call(w, "server", "envelope");
        world_serve_until(w, &w->server.incoming, (unsigned)i + 1);
    }
    assert_int_equal(w->thin.answers, 0);
    fds[128] = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.reason,
            "limit: 128 calls in flight of work to zone server");
    w->source = "other";
    fds[129] = world_call(w, "server", "envelope");
    world_serve_until(w, &w->server.incoming, 129);
    assert_int_equal(w->thin.answers, 1);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        (void)close(fds[i]);
    world_free(w);
}

/* Garbage, silence and floods of strangers leave the zone working, and the
 * log bounded. */
static void strangers_do_not_hold_back_the_zone(void **state)
{
    struct world *w = world_new(300);
    int fds[80];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = world_connect(w);
        if (i % 2 == 0)
            assert_true(send(fds[i], "\x16\x03\x01\xff\xff garbage", 13,
                                MSG_NOSIGNAL) > 0);
        assert_true(world_serve(w, 1));
    }
    assert_true(world_serve(w, 200));
    assert_true(w->server.records[STATEMENT_CHANNEL_REFUSED] > 0);
    assert_true(w->server.records[STATEMENT_CHANNEL_REFUSED] <= 22);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        (void)close(fds[i]);
    assert_true(world_serve(w, 100));
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void dead_attestd_does_not_hang_the_caller(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->thin.mute_attestd = true;
    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.appraisals, 1);
    (void)close(w->thin.link[ATTESTD]);
    w->thin.link[ATTESTD] = -1;
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    /* qaird starts it again. */
    w->thin.mute_attestd = false;
    w->thin.link[ATTESTD] = driver_peer(&w->thin.d, MSG_ROLE_ATTESTD);
    (void)close(fd);
    fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void killed_peer_is_noticed_and_dialled_again(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    driver_stop(&w->server.d);
    for (size_t i = 0; i < LINKS; i++)
        (void)close(w->server.link[i]);
    world_start(w, &w->server, 300);
    world_serve_until(w, &w->thin.records[STATEMENT_CHANNEL_CLOSED], 1);
    (void)close(fd);
    fd = world_call(w, "server", "again");
    world_serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_OK);
    assert_string_equal(w->server.envelope, "thin/again");
    (void)close(fd);
    world_free(w);
}

static void status_tells_the_bound_address(void **state)
{
    struct world *w = world_new(300);
    char want[64];
    struct msg_blob blob;
    struct err err;
    int admin = -1;
    (void)state;

    int fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(ipc_connect(w->dir, "server", &admin, &err), 0);
    driver_put(admin, MSG_STATUS, 9, &(struct msg_empty){0}, NULL, 0);
    assert_int_equal(driver_get(admin, &blob, NULL, NULL), MSG_BLOB);
    (void)snprintf(want, sizeof(want), "\"listen\":\"127.0.0.1:%u\"", w->port);
    assert_non_null(memmem(blob.bytes.ptr, blob.bytes.len, want, strlen(want)));
    assert_non_null(memmem(blob.bytes.ptr, blob.bytes.len, "\"peer\":\"thin\"",
            strlen("\"peer\":\"thin\"")));
    (void)close(admin);
    (void)close(fd);
    world_free(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(call_reaches_the_other_zone),
            cmocka_unit_test(refusal_of_the_other_side_comes_back_whole),
            cmocka_unit_test(unknown_zone_and_own_zone_are_refused),
            cmocka_unit_test(zone_that_is_not_approved_says_so_and_recovers),
            cmocka_unit_test(target_that_is_not_approved_opens_no_channel),
            cmocka_unit_test(bad_state_is_refused_recorded_and_explained),
            cmocka_unit_test(own_state_the_server_does_not_like),
            cmocka_unit_test(no_record_no_channel),
            cmocka_unit_test(no_call_before_the_record),
            cmocka_unit_test(state_that_falls_cuts_streams_and_is_recorded),
            cmocka_unit_test(own_state_that_falls_cuts_streams),
            cmocka_unit_test(zone_that_leaves_the_pack_is_cut_off),
            cmocka_unit_test(broken_pack_is_not_used),
            cmocka_unit_test(
                    call_to_a_peer_that_is_not_there_ends_with_its_deadline),
            cmocka_unit_test(call_waits_for_a_peer_that_comes_back),
            cmocka_unit_test(call_in_flight_is_not_sent_twice),
            cmocka_unit_test(call_that_is_not_answered_ends_with_its_deadline),
            cmocka_unit_test(one_qube_cannot_take_all_calls_to_a_zone),
            cmocka_unit_test(strangers_do_not_hold_back_the_zone),
            cmocka_unit_test(dead_attestd_does_not_hang_the_caller),
            cmocka_unit_test(killed_peer_is_noticed_and_dialled_again),
            cmocka_unit_test(status_tells_the_bound_address),
    };
    if (argc != 2)
        return 2;
    world_program = argv[1];
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
