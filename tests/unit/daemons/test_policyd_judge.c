/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Envelopes of calls from another zone: one that is true, and what a carrier,
 * another zone, or a bad clock makes of it.
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

struct trial {
    const char *what;
    const char *peer; /* as the channel proved */
    const char *signer;
    const char *origin, *zone, *source;
    int64_t issued, deadline; /* to NOW */
    enum judge_verdict verdict;
    const char *reason; /* part of it */
};

#define GOOD "thin", "thin", "thin", "server", "work"

static const struct trial trials[] = {
        {"true", GOOD, 0, 60, JUDGE_TRUE, NULL},
        {"oldest", GOOD, STARTED + 1 - NOW, 0, JUDGE_TRUE, NULL},
        {"longest", GOOD, 0, LIMIT_CALL_DEADLINE_S, JUDGE_TRUE, NULL},
        {"clock a second ahead", GOOD, 1, 60, JUDGE_LATER, NULL},
        {"clock at the skew", GOOD, JUDGE_SKEW_S, 60, JUDGE_LATER, NULL},

        {"clock too far ahead", GOOD, JUDGE_SKEW_S + 1, 60, JUDGE_REFUSED,
                "in the future"},
        {"issued in the second of the start", GOOD, STARTED - NOW, 60,
                JUDGE_REFUSED, "before policyd started"},
        {"issued before the start", GOOD, STARTED - NOW - 1, 60, JUDGE_REFUSED,
                "before policyd started"},
        {"expired", GOOD, -50, -1, JUDGE_REFUSED, "passed 1 s ago"},
        {"lives too long", GOOD, 0, LIMIT_CALL_DEADLINE_S + 1, JUDGE_REFUSED,
                "over 300 s ahead"},
        {"never expires", GOOD, 0, INT32_MAX, JUDGE_REFUSED, "s ahead"},
        {"another zone's envelope, carried by thin", "thin", "other", "other",
                "server", "work", 0, 60, JUDGE_REFUSED, "call envelope"},
        {"thin speaks for another zone", "thin", "thin", "other", "server",
                "work", 0, 60, JUDGE_REFUSED, "the channel another's"},
        {"thin's envelope, carried by another zone", "other", "thin", "thin",
                "server", "work", 0, 60, JUDGE_REFUSED, "call envelope"},
        {"signed by nobody's key", "thin", "stranger", "thin", "server", "work",
                0, 60, JUDGE_REFUSED, "call envelope"},
        {"for another zone", "thin", "thin", "thin", "other", "work", 0, 60,
                JUDGE_REFUSED, "not for this one"},
        {"for its own zone", "thin", "thin", "thin", "thin", "work", 0, 60,
                JUDGE_REFUSED, "not for this one"},
        {"peer not in the pack", "nobody", "thin", "thin", "server", "work", 0,
                60, JUDGE_REFUSED, "not in the pack"},
        {"peer is empty", "", "thin", "thin", "server", "work", 0, 60,
                JUDGE_REFUSED, "not in the pack"},
        {"peer revoked", "revoked", "revoked", "revoked", "server", "work", 0,
                60, JUDGE_REFUSED, "revoked"},
        {"peer's entry expired", "expired", "expired", "expired", "server",
                "work", 0, 60, JUDGE_REFUSED, "not valid now"},
        {"qube without a RemoteVM", "thin", "thin", "thin", "server", "play", 0,
                60, JUDGE_REFUSED, "'play' of zone 'thin'"},
        {"qube by its local name", "thin", "thin", "thin", "server",
                "thin-work", 0, 60, JUDGE_REFUSED, "'thin-work' of zone"},
        {"other's qube of a known name", "other", "other", "other", "server",
                "play", 0, 60, JUDGE_REFUSED, "'play' of zone 'other'"},
};

static struct fixture_call call_of(const struct trial *t, uint8_t id)
{
    return (struct fixture_call){.id = id,
            .issued = (uint64_t)(NOW + t->issued),
            .deadline = (uint64_t)(NOW + t->deadline),
            .signer = t->signer,
            .origin = t->origin,
            .zone = t->zone,
            .source = t->source,
            .qube = "signer",
            .service = "qair.Sign+release"};
}

static void test_trials(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(trials); i++) {
        const struct trial *t = &trials[i];
        struct fixture_call c = call_of(t, 1);
        CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
        struct judge j = make_judge();
        struct judge_call call;
        struct err err = {.code = 0};
        enum judge_verdict v = judge_envelope(
                &j, span_str(t->peer), buf_span(&dsse), NOW, &call, &err);

        if (v != t->verdict)
            fail_msg("%s: %d, %s", t->what, (int)v, err.msg);
        if (t->reason && !strstr(err.msg, t->reason))
            fail_msg("%s: '%s'", t->what, err.msg);
        /* Refused or to come again: the id is not spent. */
        assert_int_equal(replay_count(j.replay), v == JUDGE_TRUE);
        if (v == JUDGE_TRUE)
            assert_string_equal(call.source->name, "thin-work");
        judge_call_fini(&call);
        replay_free(j.replay);
    }
}

/* Who calls without knowing in which state this zone is? */
static void test_call_that_rests_on_no_state(void **state)
{
    struct fixture_call c = call_of(&trials[0], 1);
    struct judge j = make_judge();
    struct judge_call call;
    struct err err = {.code = 0};

    (void)state;
    c.no_appraisal = true;
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
    assert_int_equal(judge_envelope(&j, span_str("thin"), buf_span(&dsse), NOW,
                             &call, &err),
            JUDGE_REFUSED);
    assert_non_null(strstr(err.msg, "on which state of this zone it rests"));
    assert_int_equal(replay_count(j.replay), 0);
    judge_call_fini(&call);
    replay_free(j.replay);
}

static enum judge_verdict judge_once(
        struct judge *j, const struct buf *dsse, uint64_t now, struct err *err)
{
    struct judge_call call;
    enum judge_verdict v = judge_envelope(
            j, span_str("thin"), buf_span(dsse), now, &call, err);

    judge_call_fini(&call);
    return v;
}

static void test_replay(void **state)
{
    struct fixture_call c = call_of(&trials[0], 7);
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
    struct judge j = make_judge();
    struct err err = {.code = 0};

    (void)state;
    assert_int_equal(judge_once(&j, &dsse, NOW, &err), JUDGE_TRUE);
    assert_int_equal(judge_once(&j, &dsse, NOW, &err), JUDGE_REFUSED);
    assert_non_null(strstr(err.msg, "replay"));
    assert_int_equal(judge_once(&j, &dsse, NOW + 60, &err), JUDGE_REFUSED);
    assert_non_null(strstr(err.msg, "replay"));
    assert_int_equal(judge_once(&j, &dsse, NOW + 61, &err), JUDGE_REFUSED);
    assert_non_null(strstr(err.msg, "passed"));
    replay_free(j.replay);
}

/* A call id signed twice, with other words: still one call. */
static void test_one_id_is_one_call(void **state)
{
    struct fixture_call c = call_of(&trials[0], 7);
    CLEANUP(buf_fini) struct buf first = fixture_envelope(&f, &c);
    struct judge j = make_judge();
    struct err err = {.code = 0};

    (void)state;
    c.service = "qair.Sign+other";
    CLEANUP(buf_fini) struct buf second = fixture_envelope(&f, &c);
    assert_int_equal(judge_once(&j, &first, NOW, &err), JUDGE_TRUE);
    assert_int_equal(judge_once(&j, &second, NOW, &err), JUDGE_REFUSED);
    replay_free(j.replay);
}

/* What was used before the clock was set back stays used and old. */
static void test_clock_set_back(void **state)
{
    struct fixture_call c = call_of(&trials[0], 7), late;
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
    struct judge j = make_judge();
    struct err err = {.code = 0};

    (void)state;
    late = c;
    late.id = 8;
    late.issued = NOW + 200;
    late.deadline = NOW + 260;
    CLEANUP(buf_fini) struct buf next = fixture_envelope(&f, &late);
    assert_int_equal(judge_once(&j, &dsse, NOW, &err), JUDGE_TRUE);
    assert_int_equal(judge_once(&j, &next, NOW + 200, &err), JUDGE_TRUE);
    assert_int_equal(judge_once(&j, &dsse, NOW, &err), JUDGE_REFUSED);
    assert_non_null(strstr(err.msg, "passed 140 s ago"));
    replay_free(j.replay);
}

static void test_full_memory_refuses(void **state)
{
    struct judge j = make_judge();
    struct err err = {.code = 0};

    (void)state;
    for (uint8_t id = 0; id < 10; id++) {
        struct fixture_call c = call_of(&trials[0], id);
        CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);

        assert_int_equal(judge_once(&j, &dsse, NOW, &err),
                id < 8 ? JUDGE_TRUE : JUDGE_REFUSED);
    }
    assert_non_null(strstr(err.msg, "too many calls"));
    replay_free(j.replay);
}

static void test_a_call_waits_for_its_second(void **state)
{
    struct fixture_call c = call_of(&trials[0], 7);
    struct judge j = make_judge();
    struct err err = {.code = 0};

    (void)state;
    c.issued = NOW + 2;
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
    assert_int_equal(judge_once(&j, &dsse, NOW, &err), JUDGE_LATER);
    assert_int_equal(judge_once(&j, &dsse, NOW + 1, &err), JUDGE_LATER);
    assert_int_equal(judge_once(&j, &dsse, NOW + 2, &err), JUDGE_TRUE);
    assert_int_equal(judge_once(&j, &dsse, NOW + 2, &err), JUDGE_REFUSED);
    replay_free(j.replay);
}

/* Any bit of the envelope changed: refused, or the very same call. */
static void test_every_flipped_byte(void **state)
{
    struct fixture_call c = call_of(&trials[0], 7);
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
    unsigned same = 0;

    (void)state;
    for (size_t i = 0; i < dsse.len; i++) {
        struct judge j = make_judge();
        struct err err = {.code = 0};
        struct judge_call call;

        dsse.ptr[i] ^= 1;
        if (judge_envelope(&j, span_str("thin"), buf_span(&dsse), NOW, &call,
                    &err) == JUDGE_TRUE) {
            assert_true(span_eq_str(call.call.service, c.service));
            assert_true(span_eq_str(call.call.qube, c.qube));
            same++; /* the key id is a hint and not signed */
        }
        dsse.ptr[i] ^= 1;
        judge_call_fini(&call);
        replay_free(j.replay);
    }
    assert_true(same < 40);
}

static void test_truncated_and_trailing(void **state)
{
    struct fixture_call c = call_of(&trials[0], 7);
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
    struct judge j = make_judge();
    struct err err = {.code = 0};
    size_t whole = dsse.len;

    (void)state;
    for (dsse.len = 0; dsse.len < whole; dsse.len++)
        assert_int_equal(judge_once(&j, &dsse, NOW, &err), JUDGE_REFUSED);
    dsse.len = whole;
    buf_append_str(&dsse, "x");
    assert_int_equal(judge_once(&j, &dsse, NOW, &err), JUDGE_REFUSED);
    replay_free(j.replay);
}

/* ---- decisions --------------------------------------------------------------
 */

struct outcome {
    const char *what, *policy, *qube, *service;
    bool allow;
    const char *rule, *reason; /* part of the reason */
};

static const struct outcome outcomes[] = {
        {"allowed", "qair.Sign +release thin-work signer allow user=u",
                "signer", "qair.Sign+release", true, "t.policy:1", ""},
        {"by the name in its own zone", "qair.Sign * work signer allow",
                "signer", "qair.Sign+release", false, "", "no rule matches"},
        {"denied", "* * * * deny", "signer", "qair.Sign+release", false,
                "t.policy:1", "denied by t.policy:1"},
        {"ask for what cannot serve", "* * thin-work @adminvm ask", "dom0",
                "qair.Sign", false, "t.policy:1", "nothing to choose from"},
        {"back to the caller's zone", "* * thin-work thin-work allow",
                "thin-work", "qair.Sign", false, "t.policy:1",
                "cannot call itself"},
        {"dom0", "* * * * allow", "dom0", "qair.Sign", false, "t.policy:1",
                "offers no services"},
        {"disposable", "* * * * allow", "@dispvm", "qair.Sign", false,
                "t.policy:1", "no such target"},
        {"pattern as target", "* * * * allow", "*", "qair.Sign", false, "",
                "no target"},
        {"unknown qube", "* * * * allow", "nosuch", "qair.Sign", false,
                "t.policy:1", "no such target"},
        {"bad service", "* * * * allow", "signer", "../x", false, "",
                "no service name"},
};

static void test_state_of_the_calling_zone(void **state)
{
    static const struct {
        const char *policy, *zone_state;
        bool allow;
        const char *reason;
    } rows[] = {
            {"* * thin-work signer allow state=golden", "golden", true, ""},
            {"* * thin-work signer allow state=golden", "golden (emulated)",
                    false, "wants state=golden"},
            {"* * thin-work signer allow state=golden emulated=yes",
                    "golden (emulated)", true, ""},
            {"* * thin-work signer allow state=golden", "", false, "not known"},
            {"* * thin-work signer allow state=golden", "maintenance", false,
                    "is maintenance"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(policy_free_ptr)
        struct policy *policy = fixture_policy(rows[i].policy);
        const struct decide d = {
                .zone = "server", .policy = policy, .system = f.system};
        struct fixture_call c = call_of(&trials[0], 7);
        struct judge j = make_judge();
        struct judge_call call;
        struct decide_text text;
        struct msg_decision m;
        struct err err;

        CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
        assert_int_equal(judge_envelope(&j, span_str("thin"), buf_span(&dsse),
                                 NOW, &call, &err),
                JUDGE_TRUE);
        decide_remote(&d, &call,
                &(struct msg_decide_remote){
                        .state = span_str(rows[i].zone_state)},
                &text, &m);
        assert_int_equal(m.allow, rows[i].allow);
        if (!m.allow)
            assert_non_null(memmem(m.reason.ptr, m.reason.len, rows[i].reason,
                    strlen(rows[i].reason)));
        /* The same of a call of this zone that runs. */
        decide_local(&d,
                &(struct msg_decide){.source = span_str("thin-work"),
                        .target = span_str("signer"),
                        .service = span_str("qair.Sign+release"),
                        .running = 1,
                        .state = span_str(rows[i].zone_state)},
                &text, &m);
        assert_int_equal(m.allow, rows[i].allow);
        judge_call_fini(&call);
        replay_free(j.replay);
    }
}

static void test_outcomes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        const struct outcome *o = &outcomes[i];
        CLEANUP(policy_free_ptr)
        struct policy *policy = fixture_policy(o->policy);
        struct decide d = {.zone = "server",
                .digest = {1},
                .policy = policy,
                .system = f.system};
        struct fixture_call c = call_of(&trials[0], 7);
        struct judge j = make_judge();
        struct judge_call call;
        struct decide_text text;
        struct msg_decision m;
        struct err err;

        c.qube = o->qube;
        c.service = o->service;
        CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
        assert_int_equal(judge_envelope(&j, span_str("thin"), buf_span(&dsse),
                                 NOW, &call, &err),
                JUDGE_TRUE);
        decide_remote(&d, &call,
                &(struct msg_decide_remote){.choice = SPAN_EMPTY}, &text, &m);
        if (m.allow != o->allow || !span_eq_str(m.rule, o->rule))
            fail_msg("%s: %d, %.*s", o->what, m.allow, (int)m.reason.len,
                    m.reason.ptr);
        if (m.allow) {
            assert_int_equal(m.kind, MSG_TARGET_LOCAL);
            assert_true(span_eq_str(m.qube, o->qube));
            assert_true(span_eq_str(m.user, "u"));
            assert_int_equal(m.reason.len, 0);
        } else {
            assert_int_equal(m.kind, 0);
            assert_int_equal(m.qube.len, 0);
            assert_true(span_eq_str(m.where, "policy of zone server"));
            assert_non_null(strstr(text.reason, o->reason));
        }
        assert_true(span_eq_str(m.source, "thin-work"));
        assert_true(span_eq_str(m.source_zone, "thin"));
        assert_true(span_eq_str(m.source_qube, "work"));
        assert_true(span_eq_str(m.requested, o->qube));
        assert_true(span_eq_str(m.service, o->service) ||
                    span_eq_str(m.service, "qair.Sign+"));
        assert_int_equal(m.call_id[0], 7);
        assert_int_equal(m.deadline, NOW + 60);
        assert_int_equal(m.policy[0], 1);
        judge_call_fini(&call);
        replay_free(j.replay);
    }
}

static void test_local(void **state)
{
    CLEANUP(policy_free_ptr)
    struct policy *policy =
            fixture_policy("s.A * signer far allow autostart=no user=u\n"
                           "s.B * dom0 signer allow\n"
                           "s.C * signer @default allow target=far\n"
                           "s.D * * * allow");
    const struct decide d = {
            .zone = "server", .policy = policy, .system = f.system};
    struct decide_text text;
    struct msg_decision m;
    struct msg_decide q = {.source = span_str("signer"),
            .target = span_str("far"),
            .service = span_str("s.A")};

    (void)state;
    decide_local(&d, &q, &text, &m);
    assert_int_equal(m.allow, 1);
    assert_int_equal(m.kind, MSG_TARGET_REMOTE);
    assert_int_equal(m.autostart, 0);
    assert_true(span_eq_str(m.zone, "other"));
    assert_true(span_eq_str(m.qube, "remote"));
    assert_true(span_eq_str(m.source, "signer"));
    assert_true(span_eq_str(m.source_qube, "signer"));
    assert_int_equal(m.source_zone.len, 0);
    assert_int_equal(m.user.len, 0); /* for the other zone to say */
    assert_true(span_eq_str(m.service, "s.A+"));
    assert_true(span_eq_str(m.rule, "t.policy:1"));

    /* The hop is the decided target's, what was asked for stays on record. */
    q.service = span_str("s.C+x");
    q.target = span_str("work");
    decide_local(&d, &q, &text, &m);
    assert_int_equal(m.allow, 1);
    assert_true(span_eq_str(m.zone, "other"));
    assert_true(span_eq_str(m.qube, "remote"));
    assert_true(span_eq_str(m.requested, "work"));

    q = (struct msg_decide){.source = span_str("thin-work"),
            .target = span_str("signer"),
            .service = span_str("s.D")};
    decide_local(&d, &q, &text, &m);
    assert_int_equal(m.allow, 0);
    assert_non_null(strstr(text.reason, "its own zone"));

    q = (struct msg_decide){.source = span_str("@adminvm"),
            .target = span_str("signer"),
            .service = span_str("s.B")};
    decide_local(&d, &q, &text, &m);
    assert_int_equal(m.allow, 1);
    assert_int_equal(m.kind, MSG_TARGET_LOCAL);
    assert_true(span_eq_str(m.source, "dom0"));
}

/* What a person answers counts for a call that asked, for what was offered, and
 * for no other call. */
static void test_answers(void **state)
{
    CLEANUP(policy_free_ptr)
    struct policy *policy =
            fixture_policy("* * thin-work signer ask default_target=signer\n"
                           "* * thin-work third   ask\n"
                           "* * thin-work far    deny");
    const struct decide d = {
            .zone = "server", .policy = policy, .system = f.system};
    struct fixture_call c = call_of(&trials[0], 7);
    CLEANUP(buf_fini) struct buf dsse = BUF_INIT(0);
    struct judge j = make_judge();
    struct judge_call call;
    struct decide_text text;
    struct msg_decision m;
    struct err err;

    (void)state;
    c.qube = "signer";
    dsse = fixture_envelope(&f, &c);
    /* An answer to what was never asked. */
    assert_int_equal(judge_answered(&j, span_str("thin"), buf_span(&dsse), NOW,
                             &call, &err),
            JUDGE_REFUSED);
    assert_non_null(strstr(err.msg, "no question"));
    judge_call_fini(&call);
    replay_free(j.replay);
    j = make_judge();
    assert_int_equal(judge_envelope(&j, span_str("thin"), buf_span(&dsse), NOW,
                             &call, &err),
            JUDGE_TRUE);
    decide_remote(&d, &call, &(struct msg_decide_remote){.choice = SPAN_EMPTY},
            &text, &m);
    assert_int_equal(m.allow, 0);
    assert_int_equal(m.ask, 1);
    assert_true(span_eq_str(m.candidates, "signer\nthird\n"));
    assert_true(span_eq_str(m.fallback, "signer"));
    judge_call_fini(&call);

    assert_int_equal(judge_answered(&j, span_str("thin"), buf_span(&dsse), NOW,
                             &call, &err),
            JUDGE_TRUE);
    decide_remote(&d, &call,
            &(struct msg_decide_remote){.choice = span_str("third")}, &text,
            &m);
    assert_int_equal(m.allow, 1);
    assert_int_equal(m.ask, 0);
    assert_true(span_eq_str(m.zone, "yonder"));
    assert_true(span_eq_str(m.qube, "qube"));
    assert_true(span_eq_str(m.requested, "signer"));
    decide_remote(&d, &call,
            &(struct msg_decide_remote){.choice = span_str("far")}, &text, &m);
    assert_int_equal(m.allow, 0);
    assert_int_equal(m.ask, 0);
    assert_non_null(strstr(text.reason, "not among what it offers"));
    judge_call_fini(&call);

    /* Its time has passed. */
    assert_int_equal(judge_answered(&j, span_str("thin"), buf_span(&dsse),
                             NOW + 61, &call, &err),
            JUDGE_REFUSED);
    judge_call_fini(&call);
    replay_free(j.replay);
}

/* A call that runs is judged by the rules as they are now, whoever began it. */
static void test_running(void **state)
{
    static const struct {
        const char *policy;
        const char *choice;
        bool allow;
    } rows[] = {
            {"* * thin-work signer allow", "", true},
            {"* * thin-work signer ask", "", false},
            {"* * thin-work signer ask", "signer", true},
            {"* * thin-work @anyvm allow", "signer", true},
            {"* * thin-work signer deny", "signer", false},
            {"* * thin-work work ask", "signer", false},
            {"", "signer", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(policy_free_ptr)
        struct policy *policy = fixture_policy(rows[i].policy);
        const struct decide d = {
                .zone = "server", .policy = policy, .system = f.system};
        const struct msg_decide q = {.source = span_str("thin-work"),
                .target = span_str("signer"),
                .service = span_str("s.A"),
                .choice = span_str(rows[i].choice),
                .running = 1};
        struct decide_text text;
        struct msg_decision m;

        decide_local(&d, &q, &text, &m);
        if (m.allow != rows[i].allow || m.ask)
            fail_msg("%s: %s", rows[i].policy, text.reason);
    }
}

static void test_text_of_a_caller_is_made_safe(void **state)
{
    CLEANUP(policy_free_ptr) struct policy *policy = fixture_policy("");
    const struct decide d = {
            .zone = "server", .policy = policy, .system = f.system};
    struct decide_text text;
    struct msg_decision m;
    const struct msg_decide q = {.source = span_str("a\nb\x1b[2J"),
            .target = span_str("\xc3\xa4\n"),
            .service = span_str("s\nresult=allow")};
    const struct span fields[] = {SPAN(text.source, 0), SPAN(text.requested, 0),
            SPAN(text.service, 0), SPAN(text.reason, 0)};

    (void)state;
    decide_local(&d, &q, &text, &m);
    assert_int_equal(m.allow, 0);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        for (const char *c = (const char *)fields[i].ptr; *c; c++)
            assert_true(*c >= ' ' && *c <= '~');
    }
}

static void test_refusal_tells_what_is_proved(void **state)
{
    struct fixture_call c = call_of(&trials[0], 7);
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
    const struct decide d = {.zone = "server", .digest = {1}};
    struct judge j = make_judge();
    struct judge_call call;
    struct decide_text text;
    struct msg_decision m;
    struct err err;

    (void)state;
    assert_int_equal(judge_once(&j, &dsse, NOW, &err), JUDGE_TRUE);
    assert_int_equal(judge_envelope(&j, span_str("thin"), buf_span(&dsse), NOW,
                             &call, &err),
            JUDGE_REFUSED);
    decide_refuse(&d, span_str("thin"), &call, err.msg, &text, &m);
    assert_int_equal(m.allow, 0);
    assert_int_equal(m.call_id[0], 7);
    assert_true(span_eq_str(m.source_zone, "thin"));
    assert_true(span_eq_str(m.source_qube, "work"));
    assert_true(span_eq_str(m.where, "envelope check of zone server"));
    judge_call_fini(&call);

    /* Not signed: nothing of it is told. */
    dsse.len--;
    assert_int_equal(judge_envelope(&j, span_str("thin"), buf_span(&dsse), NOW,
                             &call, &err),
            JUDGE_REFUSED);
    decide_refuse(&d, span_str("thin"), &call, err.msg, &text, &m);
    assert_int_equal(m.call_id[0], 0);
    assert_int_equal(m.source_qube.len, 0);
    assert_true(span_eq_str(m.source_zone, "thin"));
    judge_call_fini(&call);
    replay_free(j.replay);
}

static void test_without_a_pack_nothing_is_true(void **state)
{
    struct fixture_call c = call_of(&trials[0], 7);
    CLEANUP(buf_fini) struct buf dsse = fixture_envelope(&f, &c);
    struct judge j = make_judge();
    struct err err;

    (void)state;
    j.pack = NULL;
    j.no_pack = "this zone has no owner yet";
    assert_int_equal(judge_once(&j, &dsse, NOW, &err), JUDGE_REFUSED);
    assert_string_equal(err.msg, "this zone has no owner yet");
    replay_free(j.replay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_trials),
            cmocka_unit_test(test_call_that_rests_on_no_state),
            cmocka_unit_test(test_state_of_the_calling_zone),
            cmocka_unit_test(test_replay),
            cmocka_unit_test(test_one_id_is_one_call),
            cmocka_unit_test(test_clock_set_back),
            cmocka_unit_test(test_full_memory_refuses),
            cmocka_unit_test(test_a_call_waits_for_its_second),
            cmocka_unit_test(test_every_flipped_byte),
            cmocka_unit_test(test_truncated_and_trailing),
            cmocka_unit_test(test_outcomes),
            cmocka_unit_test(test_local),
            cmocka_unit_test(test_answers),
            cmocka_unit_test(test_running),
            cmocka_unit_test(test_text_of_a_caller_is_made_safe),
            cmocka_unit_test(test_refusal_tells_what_is_proved),
            cmocka_unit_test(test_without_a_pack_nothing_is_true),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
