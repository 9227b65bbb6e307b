/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel and a call stand on, while it changes.  args: PROGRAM. */
#include "netd_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define OPENED STATEMENT_CHANNEL_OPENED
#define CLOSED STATEMENT_CHANNEL_CLOSED

/* A world with a channel from thin to server, and its appraisal. */
static struct world *world_with_channel(unsigned reattest_s)
{
    struct world *w = world_new(reattest_s);
    int fd = world_ask(w, "server");

    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_APPRAISAL);
    (void)close(fd);
    world_serve_until(w, &w->server.records[OPENED], 1);
    (void)world_serve(w, 50);
    return w;
}

static void hears_refusal(struct world *w, unsigned answers, const char *reason)
{
    world_serve_until(w, &w->thin.answers, answers);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    if (strstr(w->thin.reason, reason) == NULL)
        fail_msg("refused: %s", w->thin.reason);
}

/* ---- a call and the appraisal that it names --------------------------- */

static void an_appraisal_opens_the_channel_and_the_call_goes(void **state)
{
    struct world *w = world_with_channel(300);
    (void)state;

    assert_string_equal(w->thin.appraisal_state, WORLD_STATE);
    assert_int_equal(w->thin.appraisal.boot, WORLD_BOOT);
    int fd = world_call_on(w, "server", &w->thin.appraisal);
    world_serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_OK);
    assert_string_equal(w->server.incoming_state, WORLD_STATE);
    /* While a channel is up, asking costs no quote. */
    unsigned quotes = w->server.quotes;
    int ask = world_ask(w, "server");
    world_serve_until(w, &w->thin.answers, 3);
    assert_int_equal(w->thin.answer, MSG_APPRAISAL);
    assert_int_equal(w->server.quotes, quotes);
    (void)close(fd);
    (void)close(ask);
    world_free(w);
}

static void a_newer_appraisal_of_the_same_state_will_do(void **state)
{
    struct world *w = world_with_channel(5);
    struct msg_appraisal was = w->thin.appraisal;
    (void)state;

    world_serve_until(w, &w->thin.records[STATEMENT_CHANNEL_REATTESTED], 1);
    (void)world_serve(w, 50);
    int ask = world_ask(w, "server");
    world_serve_until(w, &w->thin.answers, 2);
    assert_memory_not_equal(
            w->thin.appraisal.evidence, was.evidence, MSG_DIGEST);
    was.state = span_str(WORLD_STATE);
    int fd = world_call_on(w, "server", &was);
    world_serve_until(w, &w->thin.answers, 3);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(ask);
    (void)close(fd);
    world_free(w);
}

static void a_call_that_rests_on_another_state_is_not_sent(void **state)
{
    struct world *w = world_with_channel(300);
    struct msg_appraisal right = w->thin.appraisal, wrong[4];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        wrong[i] = right;
        wrong[i].evidence[0] ^= 1; /* of an earlier round, or of no round */
    }
    wrong[0].state = span_str("golden");
    wrong[1].boot ^= 1;
    wrong[2].number++;
    wrong[3].state = span_str("not approved");
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        int fd = world_call_on(w, "server", &wrong[i]);
        hears_refusal(w, (unsigned)i + 2,
                "not in the state any more that the call rests on");
        (void)close(fd);
    }
    assert_int_equal(w->server.incoming, 0);
    world_free(w);
}

static void a_call_that_rests_on_nothing_is_not_sent(void **state)
{
    struct world *w = world_with_channel(300);
    struct msg_appraisal none = w->thin.appraisal;
    (void)state;

    memset(none.evidence, 0, sizeof(none.evidence));
    int fd = world_call_on(w, "server", &none);
    hears_refusal(w, 2, "rests on no appraisal");
    none = w->thin.appraisal;
    none.state = SPAN_EMPTY;
    int more = world_call_on(w, "server", &none);
    hears_refusal(w, 3, "rests on no appraisal");
    (void)close(fd);
    (void)close(more);
    world_free(w);
}

static void an_asker_that_goes_asks_no_more(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->server.mute_attestd = w->thin.mute_attestd = true;
    int fd = world_ask(w, "server");
    (void)world_serve(w, 200);
    assert_int_equal(w->thin.answers, 0);
    (void)close(fd);
    hears_refusal(w, 1, "the caller went");
    world_free(w);
}

static void a_target_that_is_not_approved_has_no_appraisal(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->thin.not_golden = true;
    int fd = world_ask(w, "server");
    hears_refusal(w, 1, "30-sign.policy differs");
    assert_string_equal(w->thin.where, "attestd of zone thin");
    (void)close(fd);
    fd = world_ask(w, "nobody");
    hears_refusal(w, 2, "not in the pack");
    (void)close(fd);
    world_free(w);
}

/* ---- the channel, when its peer's state falls ------------------------- */

static void both_closed(struct world *w, struct zone *by, const char *reason)
{
    struct zone *other = by == &w->thin ? &w->server : &w->thin;

    world_serve_until(w, &by->records[CLOSED], 1);
    world_serve_until(w, &other->records[CLOSED], 1);
    if (strcmp(by->record_reason, reason) != 0)
        fail_msg("recorded: %s", by->record_reason);
    if (strstr(other->record_reason, "did not accept this zone's evidence") ==
            NULL)
        fail_msg("recorded: %s", other->record_reason);
}

static void a_reference_that_changed_cuts_the_channel(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct world *w = world_with_channel(300);
        struct zone *by = who ? &w->server : &w->thin;
        char c, reason[128];

        int fd = world_call_on(w, "server", &w->thin.appraisal);
        world_serve_until(w, &w->thin.answers, 2);
        assert_int_equal(w->thin.answer, MSG_OK);
        world_rejudge(by, who ? "thin" : "server", false, 2,
                "policy.d/30.policy differs from the reference\nand more");
        world_rejudge(by, "", false, 2, ""); /* does not speak over it */
        (void)snprintf(reason, sizeof(reason),
                "state of zone %s fell: policy.d/30.policy differs from the "
                "reference",
                who ? "thin" : "server");
        both_closed(w, by, reason);
        (void)world_serve(w, 50);
        assert_int_equal(read(fd, &c, 1), 0);
        (void)close(fd);
        world_free(w);
    }
}

static void a_channel_that_stands_is_not_cut(void **state)
{
    struct world *w = world_with_channel(300);
    (void)state;

    world_rejudge(&w->thin, "other", false, 2, "of a zone without a channel");
    world_rejudge(&w->thin, "server", true, 2, WORLD_STATE);
    world_rejudge(&w->thin, "", false, 2, "");
    world_rejudge(&w->server, "", false, 1, ""); /* judged by that pack */
    (void)world_serve(w, 400);
    assert_int_equal(w->thin.records[CLOSED], 0);
    assert_int_equal(w->server.records[CLOSED], 0);
    assert_int_equal(w->thin.peer_states, 0);
    world_free(w);
}

/* attestd was started again, or had no room for it. */
static void a_channel_that_no_pack_judged_is_cut(void **state)
{
    struct world *w = world_with_channel(300);
    (void)state;

    world_rejudge(&w->server, "", false, 2, "");
    both_closed(w, &w->server,
            "state of zone thin fell: no evidence of it is kept to judge by "
            "the new pack");
    world_free(w);
}

static void an_appraisal_ends_with_its_time(void **state)
{
    struct world *w = world_prepare();
    (void)state;

    w->thin.until = (uint64_t)time(NULL) + 3;
    world_start(w, &w->thin, 300);
    world_start(w, &w->server, 300);
    int fd = world_ask(w, "server");
    world_serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_APPRAISAL);
    (void)close(fd);
    assert_int_equal(w->thin.records[CLOSED], 0);
    both_closed(w, &w->thin,
            "state of zone server fell: the time of its approval is over");
    assert_true((uint64_t)time(NULL) >= w->thin.until);
    world_free(w);
}

static void an_approval_that_was_renewed_in_time_stands(void **state)
{
    struct world *w = world_prepare();
    (void)state;

    w->thin.until = (uint64_t)time(NULL) + 3;
    world_start(w, &w->thin, 300);
    world_start(w, &w->server, 300);
    int fd = world_ask(w, "server");
    world_serve_until(w, &w->thin.answers, 1);
    (void)close(fd);
    world_rejudge(&w->thin, "server", true, 2, WORLD_STATE);
    world_rejudge(&w->thin, "", true, 2, "");
    while ((uint64_t)time(NULL) < w->thin.until + 1)
        (void)world_serve(w, 50);
    assert_int_equal(w->thin.records[CLOSED], 0);
    world_free(w);
}

static void a_tpm_that_was_reset_cuts_the_channel(void **state)
{
    struct world *w = world_with_channel(5);
    (void)state;

    w->thin.boot++; /* of the server, as thin's attestd sees it */
    both_closed(w, &w->thin,
            "state of zone server fell: its TPM was reset while the channel "
            "was open");
    world_free(w);
}

/* ---- another approved state ------------------------------------------- */

static void calld_hears_of_another_state(void **state)
{
    struct world *w = world_with_channel(5);
    (void)state;

    w->server.peer_state = "maintenance";
    world_serve_until(w, &w->server.peer_states, 1);
    assert_string_equal(w->server.told_state, "thin maintenance");
    /* Once, not with every round. */
    unsigned rounds = w->server.records[STATEMENT_CHANNEL_REATTESTED];
    world_serve_until(
            w, &w->server.records[STATEMENT_CHANNEL_REATTESTED], rounds + 1);
    assert_int_equal(w->server.peer_states, 1);
    /* By the owner's word alone, too. */
    world_rejudge(&w->server, "thin", true, 1, "golden");
    world_serve_until(w, &w->server.peer_states, 2);
    assert_string_equal(w->server.told_state, "thin golden");
    world_free(w);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_appraisal_opens_the_channel_and_the_call_goes),
            cmocka_unit_test(a_newer_appraisal_of_the_same_state_will_do),
            cmocka_unit_test(a_call_that_rests_on_another_state_is_not_sent),
            cmocka_unit_test(a_call_that_rests_on_nothing_is_not_sent),
            cmocka_unit_test(an_asker_that_goes_asks_no_more),
            cmocka_unit_test(a_target_that_is_not_approved_has_no_appraisal),
            cmocka_unit_test(a_reference_that_changed_cuts_the_channel),
            cmocka_unit_test(a_channel_that_stands_is_not_cut),
            cmocka_unit_test(a_channel_that_no_pack_judged_is_cut),
            cmocka_unit_test(an_appraisal_ends_with_its_time),
            cmocka_unit_test(an_approval_that_was_renewed_in_time_stands),
            cmocka_unit_test(a_tpm_that_was_reset_cuts_the_channel),
            cmocka_unit_test(calld_hears_of_another_state),
    };

    if (argc != 2)
        return 2;
    world_program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
