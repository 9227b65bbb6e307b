/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that come through another zone, or go on to one: what zone server says
 * to true chains and to what the zone before it may try.
 */
#include "decide.h"
#include "policyd_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define STARTED 1000000
#define NOW     1000100

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_init(&f, NOW);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_fini(&f);
    return 0;
}

/* work of thin calls other/door, which goes on to server/signer. */
static struct fixture_call first_link(void)
{
    return (struct fixture_call){.id = 7,
            .issued = NOW - 1,
            .deadline = NOW + 60,
            .signer = "thin",
            .origin = "thin",
            .zone = "other",
            .source = "work",
            .qube = "door",
            .service = "test.Echo+"};
}

static struct fixture_call second_link(const struct buf *via)
{
    return (struct fixture_call){.id = 7,
            .issued = NOW,
            .deadline = NOW + 60,
            .signer = "other",
            .origin = "other",
            .zone = "server",
            .source = "thin-work",
            .requested = "door",
            .qube = "signer",
            .service = "test.Echo+",
            .via = buf_span(via)};
}

struct answer {
    struct judge_call call;
    struct decide_text text;
    struct msg_decision m;
    struct err err;
    enum judge_verdict verdict;
};

static struct judge make_judge(void)
{
    struct judge j = {.zone = "server",
            .started = STARTED,
            .pack = f.pack,
            .no_pack = "none",
            .qubes = &f.qubes,
            .replay = replay_new(8 * REPLAY_SHARES)};

    assert_non_null(j.replay);
    return j;
}

static void answer_fini(struct answer *a)
{
    judge_call_fini(&a->call);
}

/* As policyd: judged, and decided when it is true. */
static void ask(struct judge *j, const char *peer, const struct buf *envelope,
        const char *rules, struct answer *ret)
{
    CLEANUP(policy_free_ptr) struct policy *policy = fixture_policy(rules);
    const struct decide d = {
            .zone = "server", .policy = policy, .system = f.system};

    *ret = (struct answer){.err = {.code = 0}};
    ret->verdict = judge_envelope(
            j, span_str(peer), buf_span(envelope), NOW, &ret->call, &ret->err);
    if (ret->verdict == JUDGE_TRUE)
        decide_remote(&d, &ret->call,
                &(struct msg_decide_remote){.choice = SPAN_EMPTY}, &ret->text,
                &ret->m);
}

static void ask_once(const char *peer, const struct buf *envelope,
        const char *rules, struct answer *ret)
{
    struct judge j = make_judge();

    ask(&j, peer, envelope, rules, ret);
    replay_free(j.replay);
}

static void a_call_through_a_gateway_has_the_gateways_name_for_it(void **state)
{
    struct fixture_call one = first_link();
    CLEANUP(buf_fini) struct buf link = fixture_envelope(&f, &one);
    struct fixture_call two = second_link(&link);
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &two);
    CLEANUP(answer_fini) struct answer a;

    (void)state;
    ask_once("other", &dsse, "* * other-work signer allow", &a);
    if (a.verdict != JUDGE_TRUE)
        fail_msg("%s", a.err.msg);
    assert_int_equal(a.m.allow, 1);
    assert_int_equal(a.m.kind, MSG_TARGET_LOCAL);
    assert_true(span_eq_str(a.m.source, "other-work"));
    assert_true(span_eq_str(a.m.source_zone, "other"));
    assert_true(span_eq_str(a.m.source_qube, "thin-work"));
    assert_int_equal(a.m.call_id[0], 7);
    assert_int_equal(a.m.autostart, 1);
    /* What thin's own work may do is not what other's caller may. */
    CLEANUP(answer_fini) struct answer b;
    ask_once("other", &dsse, "* * thin-work signer allow", &b);
    assert_int_equal(b.verdict, JUDGE_TRUE);
    assert_int_equal(b.m.allow, 0);
}

static void a_call_goes_on_by_name_or_by_redirect(void **state)
{
    static const struct {
        const char *qube, *rules;
    } ways[] = {
            {"far", "* * thin-work far allow"},
            {"signer", "* * thin-work signer allow target=far"},
            {"signer", "* * @tag:t signer deny\n"
                       "* * @type:RemoteVM @anyvm allow target=far"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct fixture_call c = first_link();
        CLEANUP(answer_fini) struct answer a;

        c.zone = "server";
        c.qube = ways[i].qube;
        CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
        ask_once("thin", &dsse, ways[i].rules, &a);
        assert_int_equal(a.verdict, JUDGE_TRUE);
        if (!a.m.allow)
            fail_msg("%s: %s", ways[i].rules, a.text.reason);
        assert_int_equal(a.m.kind, MSG_TARGET_REMOTE);
        assert_true(span_eq_str(a.m.zone, "other"));
        assert_true(span_eq_str(a.m.qube, "remote"));
        assert_true(span_eq_str(a.m.requested, ways[i].qube));
        assert_true(span_eq_str(a.m.source, "thin-work"));
    }
}

static void a_call_never_goes_back_where_it_has_been(void **state)
{
    struct fixture_call one = first_link();
    CLEANUP(buf_fini) struct buf link = fixture_envelope(&f, &one);
    struct fixture_call two = second_link(&link);
    CLEANUP(answer_fini) struct answer a;

    (void)state;
    two.qube = "far"; /* of zone other */
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &two);
    ask_once("other", &dsse, "* * other-work far allow", &a);
    assert_int_equal(a.verdict, JUDGE_TRUE);
    assert_int_equal(a.m.allow, 0);
    assert_non_null(strstr(a.text.reason, "loop"));
    assert_string_equal(a.text.where, "policy of zone server");
    /* and not over a redirect to the very first zone */
    two.qube = "signer";
    CLEANUP(buf_fini) struct buf again = fixture_envelope(&f, &two);
    CLEANUP(answer_fini) struct answer b;
    ask_once("other", &again, "* * other-work signer allow target=thin-work",
            &b);
    assert_int_equal(b.m.allow, 0);
    assert_non_null(strstr(b.text.reason, "loop"));
}

static void put_links(const char *const *zones, size_t n, struct buf *ret)
{
    for (size_t i = 0; i < n; i++) {
        struct fixture_call c = first_link();

        c.signer = c.origin = zones[i];
        c.zone = i + 1 < n ? zones[i + 1] : "server";
        c.source = i + 1 < n ? "q" : "thin-work";
        c.requested = "door";
        c.qube = i + 1 < n ? "door" : "third";
        c.via = i ? buf_span(&ret[i - 1]) : SPAN_EMPTY;
        ret[i] = fixture_envelope(&f, &c);
    }
}

static void the_last_link_that_fits_does_not_go_on(void **state)
{
    static const char *const zones[] = {"thin", "attic", "cellar", "other"};
    static const char *const fewer[] = {"attic", "cellar", "other"};
    struct buf links[ARRAY_LEN(zones)];
    CLEANUP(answer_fini) struct answer a;
    CLEANUP(answer_fini) struct answer b;

    (void)state;
    put_links(zones, ARRAY_LEN(zones), links);
    ask_once("other", &links[3], "* * other-work third allow", &a);
    if (a.verdict != JUDGE_TRUE)
        fail_msg("%s", a.err.msg);
    assert_int_equal(a.m.allow, 0);
    assert_non_null(strstr(a.text.reason, "too often"));
    for (size_t i = 0; i < ARRAY_LEN(zones); i++)
        buf_fini(&links[i]);
    put_links(fewer, ARRAY_LEN(fewer), links);
    ask_once("other", &links[2], "* * other-work third allow", &b);
    assert_int_equal(b.m.allow, 1);
    for (size_t i = 0; i < ARRAY_LEN(fewer); i++)
        buf_fini(&links[i]);
}

static void a_chain_of_five_is_refused(void **state)
{
    /* expired's link is never looked at: it is one too many. */
    static const char *const zones[] = {
            "expired", "thin", "attic", "cellar", "other"};
    struct buf links[ARRAY_LEN(zones)];
    CLEANUP(answer_fini) struct answer a;

    (void)state;
    put_links(zones, ARRAY_LEN(zones), links);
    ask_once("other", &links[4], "* * * * allow", &a);
    assert_int_equal(a.verdict, JUDGE_REFUSED);
    assert_non_null(strstr(a.err.msg, "more than 4 zones"));
    for (size_t i = 0; i < ARRAY_LEN(zones); i++)
        buf_fini(&links[i]);
}

static void no_zone_may_say_that_a_target_is_started(void **state)
{
    struct fixture_call one = first_link();
    CLEANUP(buf_fini) struct buf link = fixture_envelope(&f, &one);
    struct fixture_call two = second_link(&link);
    CLEANUP(answer_fini) struct answer a;

    (void)state;
    two.no_autostart = true;
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &two);
    ask_once("other", &dsse, "* * other-work signer allow autostart=yes", &a);
    assert_int_equal(a.m.allow, 1);
    assert_int_equal(a.m.autostart, 0);
}

/* ---- attacks of the zone before ------------------------------------------ */

static void a_gateway_cannot_use_one_call_twice(void **state)
{
    struct fixture_call one = first_link();
    CLEANUP(buf_fini) struct buf link = fixture_envelope(&f, &one);
    struct fixture_call two = second_link(&link);
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &two);
    struct judge j = make_judge();
    CLEANUP(answer_fini) struct answer a;
    CLEANUP(answer_fini) struct answer b;

    (void)state;
    ask(&j, "other", &dsse, "* * * * allow", &a);
    assert_int_equal(a.verdict, JUDGE_TRUE);
    /* A new link around the old one is the same call. */
    two.deadline--;
    CLEANUP(buf_fini) struct buf fresh = fixture_envelope(&f, &two);
    ask(&j, "other", &fresh, "* * * * allow", &b);
    assert_int_equal(b.verdict, JUDGE_REFUSED);
    assert_non_null(strstr(b.err.msg, "replay"));
    replay_free(j.replay);
}

static enum judge_verdict judge_at(struct judge *j,
        const struct fixture_call *c, uint64_t now, struct err *err)
{
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, c);
    CLEANUP(judge_call_fini) struct judge_call call = {.verified = false};

    return judge_envelope(
            j, span_str(c->signer), buf_span(&dsse), now, &call, err);
}

static void a_gateway_cannot_have_a_call_forgotten_by_a_short_link(void **state)
{
    struct fixture_call one = first_link();
    CLEANUP(buf_fini) struct buf link = fixture_envelope(&f, &one);
    struct fixture_call two = second_link(&link), own = two;
    struct judge j = make_judge();
    struct err err = {.msg = ""};

    (void)state;
    two.deadline = NOW + 1;
    assert_int_equal(judge_at(&j, &two, NOW, &err), JUDGE_TRUE);
    /* Its share is full, all of it has passed, and room is made. */
    own.via = SPAN_EMPTY;
    own.deadline = NOW + 1;
    for (own.id = 20; own.id < 27; own.id++)
        assert_int_equal(judge_at(&j, &own, NOW, &err), JUDGE_TRUE);
    own.deadline = NOW + 60;
    assert_int_equal(judge_at(&j, &own, NOW + 2, &err), JUDGE_TRUE);
    two.deadline = NOW + 60;
    assert_int_equal(judge_at(&j, &two, NOW + 2, &err), JUDGE_REFUSED);
    assert_non_null(strstr(err.msg, "replay"));
    /* What has to be remembered is bounded by what a call may take. */
    one.id = two.id = 8;
    one.deadline = NOW + LIMIT_CALL_DEADLINE_S + 3;
    CLEANUP(buf_fini) struct buf long_link = fixture_envelope(&f, &one);
    two.via = buf_span(&long_link);
    assert_int_equal(judge_at(&j, &two, NOW + 2, &err), JUDGE_REFUSED);
    assert_non_null(strstr(err.msg, "over 300 s ahead"));
    replay_free(j.replay);
}

static void a_gateway_cannot_keep_a_call_over_our_restart(void **state)
{
    struct fixture_call one = first_link();
    CLEANUP(answer_fini) struct answer a;

    (void)state;
    one.issued = STARTED;
    CLEANUP(buf_fini) struct buf link = fixture_envelope(&f, &one);
    struct fixture_call two = second_link(&link);
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &two);
    ask_once("other", &dsse, "* * * * allow", &a);
    assert_int_equal(a.verdict, JUDGE_REFUSED);
    assert_non_null(strstr(a.err.msg, "began before policyd started"));
}

static void a_gateway_cannot_call_itself_the_first_zone(void **state)
{
    struct fixture_call one = first_link();
    CLEANUP(buf_fini) struct buf link = fixture_envelope(&f, &one);
    CLEANUP(answer_fini) struct answer a;
    CLEANUP(answer_fini) struct answer b;

    (void)state;
    /* thin's envelope itself, for other, shown to server by other. */
    ask_once("other", &link, "* * * * allow", &a);
    assert_int_equal(a.verdict, JUDGE_REFUSED);
    /* A link that says origin thin, signed by other. */
    struct fixture_call two = second_link(&link);
    two.origin = "thin";
    two.source = "work";
    CLEANUP(buf_fini) struct buf lie = fixture_envelope(&f, &two);
    ask_once("other", &lie, "* * * * allow", &b);
    assert_int_equal(b.verdict, JUDGE_REFUSED);
    assert_non_null(strstr(b.err.msg, "the channel another's"));
}

/* `origin` in qubes.d: then a gateway's word for who calls is not enough. */
static void a_gateway_cannot_use_a_name_whose_origin_is_fixed(void **state)
{
    struct fixture_call one = first_link();
    struct fixture_call two;
    CLEANUP(answer_fini) struct answer good;
    CLEANUP(answer_fini) struct answer other_qube;
    CLEANUP(answer_fini) struct answer cut;

    (void)state;
    one.source = "mail";
    CLEANUP(buf_fini) struct buf mail = fixture_envelope(&f, &one);
    two = second_link(&mail);
    two.source = "thin-mail";
    CLEANUP(buf_fini) struct buf true_one = fixture_envelope(&f, &two);
    ask_once("other", &true_one, "* * other-strict signer allow", &good);
    if (good.verdict != JUDGE_TRUE)
        fail_msg("%s", good.err.msg);
    assert_int_equal(good.m.allow, 1);
    /* A true call of thin's work, passed on as mail's. */
    one.source = "work";
    CLEANUP(buf_fini) struct buf work = fixture_envelope(&f, &one);
    two.via = buf_span(&work);
    CLEANUP(buf_fini) struct buf renamed = fixture_envelope(&f, &two);
    ask_once("other", &renamed, "* * * * allow", &other_qube);
    assert_int_equal(other_qube.verdict, JUDGE_REFUSED);
    assert_non_null(strstr(other_qube.err.msg, "began at thin/work"));
    /* No call of thin at all: the link is cut out. */
    two.via = SPAN_EMPTY;
    CLEANUP(buf_fini) struct buf alone = fixture_envelope(&f, &two);
    ask_once("other", &alone, "* * * * allow", &cut);
    assert_int_equal(cut.verdict, JUDGE_REFUSED);
    assert_non_null(strstr(cut.err.msg, "began at other/thin-mail"));
}

static void a_forged_first_link_is_refused_and_told(void **state)
{
    struct fixture_call one = first_link();
    CLEANUP(answer_fini) struct answer a;
    const struct decide d = {.zone = "server", .system = f.system};

    (void)state;
    one.signer = "other";
    CLEANUP(buf_fini) struct buf link = fixture_envelope(&f, &one);
    struct fixture_call two = second_link(&link);
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &two);
    ask_once("other", &dsse, "* * * * allow", &a);
    assert_int_equal(a.verdict, JUDGE_REFUSED);
    assert_non_null(strstr(a.err.msg, "identity of zone 'thin'"));
    /* The record has the id, so that both logs can be tied together. */
    decide_refuse(&d, span_str("other"), &a.call, a.err.msg, &a.text, &a.m);
    assert_int_equal(a.m.call_id[0], 7);
    assert_true(span_eq_str(a.m.source_zone, "other"));
    assert_string_equal(a.text.where, "envelope check of zone server");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(
                    a_call_through_a_gateway_has_the_gateways_name_for_it),
            cmocka_unit_test(a_call_goes_on_by_name_or_by_redirect),
            cmocka_unit_test(a_call_never_goes_back_where_it_has_been),
            cmocka_unit_test(the_last_link_that_fits_does_not_go_on),
            cmocka_unit_test(a_chain_of_five_is_refused),
            cmocka_unit_test(no_zone_may_say_that_a_target_is_started),
            cmocka_unit_test(a_gateway_cannot_use_one_call_twice),
            cmocka_unit_test(
                    a_gateway_cannot_have_a_call_forgotten_by_a_short_link),
            cmocka_unit_test(a_gateway_cannot_keep_a_call_over_our_restart),
            cmocka_unit_test(a_gateway_cannot_call_itself_the_first_zone),
            cmocka_unit_test(a_gateway_cannot_use_a_name_whose_origin_is_fixed),
            cmocka_unit_test(a_forged_first_link_is_refused_and_told),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
