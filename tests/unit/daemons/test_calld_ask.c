/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls about which a person is asked: who may answer, what an answer can do,
 * and what becomes of questions that nobody answers, that flood, or whose GuiVM
 * lies.
 */
#include "calld_world.h"

/* daemons/calld/calld.h */
#define CALLD_QUESTIONS_PER_SOURCE 4
#define CALLD_ASK_REST_S           15

#include <jansson.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct msg_decision question(const char *source, const char *guivm)
{
    struct msg_decision d = {.ask = 1,
            .autostart = 1,
            .source = span_str(source),
            .service = span_str("qair.Sign+release"),
            .rule = span_str("30-sign.policy:2"),
            .candidates = span_str("far-signer\nsigner\n"),
            .fallback = span_str("signer"),
            .guivm = span_str(guivm)};

    memcpy(d.policy, world_policy, sizeof(d.policy));
    return d;
}

/* The call of work that asks. */
static void trigger_asking(
        struct world *w, struct agent *a, const char *ident, const char *guivm)
{
    struct msg_decision q = question("work", guivm);

    agent_trigger(a, "", "@default", "qair.Sign+release", ident);
    world_hear(w, w->policyd, MSG_DECIDE);
    assert_int_equal(w->m.decide.choice.len, 0);
    world_decide(w, &q);
}

static int owner_connects(struct world *w)
{
    struct err err;
    int fd;

    assert_int_equal(ipc_connect(w->dir, "call.sock", &fd, &err), 0);
    return fd;
}

/* Ids of calls in that state, as `qair call list` has them; the first in id. */
static size_t list(struct world *w, const char *state, char id[static 33])
{
    int fd = owner_connects(w);
    struct span text;
    struct err err;
    json_t *doc, *call;
    size_t i, n = 0;

    driver_put(fd, MSG_CALL_LIST, 3, &(struct msg_empty){0}, NULL, 0);
    world_hear(w, fd, MSG_FILE);
    assert_int_equal(ipc_map(w->fds.fd[0], 1 << 20, &text, &err), 0);
    doc = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    assert_non_null(doc);
    json_array_foreach (json_object_get(doc, "calls"), i, call) {
        if (strcmp(json_string_value(json_object_get(call, "state")), state) !=
                0)
            continue;
        (void)snprintf(
                id, 33, "%s", json_string_value(json_object_get(call, "id")));
        n++;
    }
    json_decref(doc);
    ipc_unmap(text);
    ipc_fds_close(&w->fds);
    (void)close(fd);
    return n;
}

/* calld has heard policyd's last word when it lists the question. */
static void await_question(struct world *w, size_t n, char id[static 33])
{
    for (int i = 0; i < 500 && list(w, "asking", id) != n; i++)
        (void)poll(NULL, 0, 10);
    assert_int_equal(list(w, "asking", id), n);
}

static uint16_t choose(
        struct world *w, const char *id, int allow, const char *target)
{
    const struct msg_choose m = {.allow = (uint8_t)allow,
            .id = span_str(id),
            .target = span_str(target)};
    int fd = owner_connects(w);
    uint16_t type;

    driver_put(fd, MSG_CALL_CHOOSE, 4, &m, NULL, 0);
    type = driver_get(fd, &w->m, NULL, NULL);
    (void)close(fd);
    return type;
}

static void hear_refusal(struct world *w, const char *reason)
{
    struct statement doc;
    struct statement_decision d = world_hear_decision(w, &doc);

    assert_false(d.allow);
    if (!span_eq_str(d.reason, reason))
        fail_msg("%.*s", (int)d.reason.len, (const char *)d.reason.ptr);
    statement_fini(&doc);
    world_appended(w, 9);
}

static void an_answer_is_decided_anew(void **state)
{
    struct world *w = *state;
    struct msg_decision yes =
            world_allowed(MSG_TARGET_LOCAL, "work", "", "signer");
    struct statement doc;
    struct agent a;
    uint32_t decide;
    char id[33];

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    trigger_asking(w, &a, "SOCKET1", "");
    await_question(w, 1, id);
    /* A slip costs nothing; what is no call, or asks nothing, is told. */
    assert_int_equal(choose(w, id, 1, "vault"), MSG_REFUSED);
    assert_int_equal(choose(w, "00", 1, "signer"), MSG_REFUSED);
    assert_true(driver_is_silent(w->policyd, 100));
    assert_int_equal(choose(w, id, 1, ""), MSG_OK);
    world_hear(w, w->policyd, MSG_DECIDE);
    assert_true(span_eq_str(w->m.decide.choice, "signer"));
    assert_true(span_eq_str(w->m.decide.target, "@default"));
    decide = w->id;
    assert_int_equal(choose(w, id, 1, ""), MSG_REFUSED); /* once */
    w->id = decide;
    world_decide(w, &yes);
    assert_true(world_hear_decision(w, &doc).allow);
    statement_fini(&doc);
    link_free(a.l);
}

static void the_owner_denies(void **state)
{
    struct world *w = *state;
    struct agent a;
    char id[33];

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    trigger_asking(w, &a, "SOCKET1", "");
    await_question(w, 1, id);
    assert_int_equal(choose(w, id, 0, ""), MSG_OK);
    hear_refusal(w, "denied by the zone's owner");
    agent_hear_refused(
            &a, "SOCKET1", "zone server", "denied by the zone's owner");
    assert_true(driver_is_silent(w->policyd, 50));
    link_free(a.l);
}

/* policyd asks again in spite of an answer: no second question. */
static void an_answered_call_does_not_ask_again(void **state)
{
    struct world *w = *state;
    struct msg_decision again = question("work", "");
    struct agent a;
    char id[33];

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    trigger_asking(w, &a, "SOCKET1", "");
    await_question(w, 1, id);
    assert_int_equal(choose(w, id, 1, "signer"), MSG_OK);
    world_hear(w, w->policyd, MSG_DECIDE);
    again.reason = span_str("asked twice");
    again.where = span_str("policy of zone server");
    world_decide(w, &again);
    hear_refusal(w, "asked twice");
    link_free(a.l);
}

static void a_flood_of_questions_is_bounded(void **state)
{
    struct world *w = *state;
    struct agent a;
    char id[33];

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    for (int i = 0; i < CALLD_QUESTIONS_PER_SOURCE; i++)
        trigger_asking(w, &a, "SOCKET1", "");
    trigger_asking(w, &a, "SOCKET9", "");
    hear_refusal(w, "4 questions about work are open already");
    agent_hear_refused(&a, "SOCKET9", "zone server",
            "4 questions about work are open already");
    assert_int_equal(list(w, "asking", id), CALLD_QUESTIONS_PER_SOURCE);
    link_free(a.l);
}

static void a_caller_that_goes_away_takes_its_question_along(void **state)
{
    const struct msg_call m = {
            .target = span_str("x"), .service = span_str("qair.Sign+release")};
    struct world *w = *state;
    struct msg_decision q = question("dom0", "");
    char id[33];
    int data, fd;

    world_skip_checkpoint(w);
    fd = owner_asks(w, MSG_CALL, &m, &data);
    world_hear(w, w->policyd, MSG_DECIDE);
    world_decide(w, &q);
    await_question(w, 1, id);
    (void)close(data);
    (void)close(fd);
    hear_refusal(w, "the caller went away before it was allowed");
    assert_int_equal(list(w, "asking", id), 0);
}

static void a_program_that_goes_away_takes_its_own_question_along(void **state)
{
    struct world *w = *state;
    struct qrexec_msg gone = {.type = QREXEC_SERVICE_REFUSED};
    struct agent a;
    char id[33];

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    trigger_asking(w, &a, "SOCKET1", "");
    trigger_asking(w, &a, "SOCKET2", "");
    await_question(w, 2, id);
    gone.ident = span_str("SOCKET3"); /* has been answered meanwhile */
    agent_say(&a, &gone, NULL, 0);
    gone.ident = span_str("SOCKET1");
    agent_say(&a, &gone, NULL, 0);
    hear_refusal(w, "the caller went away before it was allowed");
    agent_hear_refused(&a, "SOCKET1", "zone server",
            "the caller went away before it was allowed");
    assert_int_equal(list(w, "asking", id), 1);
    link_free(a.l);
}

static void a_program_that_goes_away_first_asks_nothing(void **state)
{
    struct world *w = *state;
    const struct qrexec_msg gone = {
            .type = QREXEC_SERVICE_REFUSED, .ident = span_str("SOCKET1")};
    struct msg_decision q = question("work", "");
    struct agent a;
    uint32_t asked;
    char id[33];

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    agent_trigger(&a, "", "@default", "qair.Sign+release", "SOCKET1");
    world_hear(w, w->policyd, MSG_DECIDE);
    asked = w->id;
    agent_say(&a, &gone, NULL, 0);
    hear_refusal(w, "the caller went away before it was allowed");
    agent_hear_refused(&a, "SOCKET1", "zone server",
            "the caller went away before it was allowed");
    driver_put(w->policyd, MSG_DECISION, asked, &q, NULL, 0);
    assert_int_equal(list(w, "asking", id), 0);
    link_free(a.l);
}

static void a_call_of_a_zone_asks_no_longer_than_its_envelope(void **state)
{
    const struct msg_incoming in = {
            .zone = span_str("thin"), .envelope = span_str("{envelope}")};
    struct world *w = *state;
    struct msg_decision q = question("thin-work", "");
    int data[2];

    world_skip_checkpoint(w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, data), 0);
    driver_put(w->netd, MSG_INCOMING, 77, &in, &data[1], 1);
    (void)close(data[1]);
    world_hear(w, w->policyd, MSG_DECIDE_REMOTE);
    q.source_zone = span_str("thin");
    q.deadline = (uint64_t)time(NULL) + CALLD_ASK_REST_S + 1;
    world_decide(w, &q);
    hear_refusal(w, "nobody answered whether it may call");
    world_hear(w, w->netd, MSG_REFUSED);
    (void)close(data[0]);
}

/* ---- a GuiVM --------------------------------------------------------- */

static void record_is_of_question(struct world *w)
{
    world_hear(w, w->logd, MSG_APPEND);
    assert_non_null(memmem(
            w->m.append.payload.ptr, w->m.append.payload.len, "call-asks", 9));
    world_appended(w, 9);
}

static void data_say(int fd, uint32_t type, const char *text)
{
    uint8_t bytes[512];
    size_t len;
    struct qrexec_msg m = {
            .type = type, .version = QREXEC_VERSION, .data = span_str(text)};

    assert_int_equal(qrexec_msg_put(&m, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
}

/* The service's end: hello, then what came on stdin until its end. */
static void data_hear_question(int fd, char *ret, size_t cap)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    size_t have = 0, len = 0;
    struct err err;

    for (;;) {
        struct span in = SPAN(bytes, have);
        struct qrexec_msg m;
        int r = qrexec_msg_get(&in, &m, &err);

        if (r == ERR_STATE) {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            ssize_t n;

            assert_int_equal(poll(&p, 1, 20000), 1);
            n = read(fd, bytes + have, sizeof(bytes) - have);
            assert_true(n > 0);
            have += (size_t)n;
            continue;
        }
        assert_int_equal(r, 0);
        if (m.type == QREXEC_STDIN && m.data.len == 0)
            break;
        if (m.type == QREXEC_STDIN) {
            assert_true(len + m.data.len < cap);
            memcpy(ret + len, m.data.ptr, m.data.len);
            len += m.data.len;
        }
        memmove(bytes, in.ptr, in.len);
        have = in.len;
    }
    ret[len] = '\0';
}

/* policy.Ask runs in `signer`; ret_data is its end of the stream. */
static struct agent guivm_begins(struct world *w, int *ret_data)
{
    struct agent g;
    struct qrexec_msg m;

    record_is_of_question(w);
    g = world_start_qube(w, "signer");
    agent_greet(&g);
    agent_hear_type(&g, &m, QREXEC_EXEC_CMDLINE);
    assert_true(span_eq_str(m.command, "DEFAULT:QUBESRPC policy.Ask+ dom0"));
    assert_int_equal(m.domain, 1);
    *ret_data = link_take_fd(g.l);
    return g;
}

static void the_guivm_is_asked_in_words_of_qubes(void **state)
{
    struct world *w = *state;
    struct agent a, g;
    char text[2048];
    int data;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    trigger_asking(w, &a, "SOCKET1", "signer");
    g = guivm_begins(w, &data);
    data_say(data, QREXEC_HELLO, "");
    data_hear_question(data, text, sizeof(text));
    assert_string_equal(text,
            "{\"argument\":\"+release\",\"default_target\":\"signer\","
            "\"icons\":{\"far-signer\":\"appvm-black\",\"signer\":\"appvm-"
            "red\","
            "\"work\":\"appvm-red\"},\"service\":\"qair.Sign\","
            "\"source\":\"work\",\"targets\":[\"far-signer\",\"signer\"]}");
    data_say(data, QREXEC_STDOUT, "allow:far-sig");
    data_say(data, QREXEC_STDOUT, "ner\n");
    data_say(data, QREXEC_EXIT_CODE, "");
    world_hear(w, w->policyd, MSG_DECIDE);
    assert_true(span_eq_str(w->m.decide.choice, "far-signer"));
    (void)close(data);
    link_free(a.l);
    link_free(g.l);
}

static void what_a_guivm_makes_up_is_put_to_the_policy_or_refused(void **state)
{
    static const char *const refused[] = {"allow:", "", "allow", "yes",
            "deny\n\n", "ALLOW:signer",
            "allow:"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaa"};
    struct world *w = *state;
    struct msg_decision no = {.where = span_str("policy of zone server"),
            .reason = span_str("it is not among what it offers")};
    struct agent a, g = {0};
    char text[2048];
    int data = -1;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    for (size_t i = 0; i <= ARRAY_LEN(refused); i++) {
        bool last = i == ARRAY_LEN(refused);
        struct qrexec_msg m;

        trigger_asking(w, &a, "SOCKET1", "signer");
        if (i == 0) {
            g = guivm_begins(w, &data);
        } else {
            record_is_of_question(w);
            agent_hear_type(&g, &m, QREXEC_EXEC_CMDLINE);
            data = link_take_fd(g.l);
        }
        data_say(data, QREXEC_HELLO, "");
        data_hear_question(data, text, sizeof(text));
        data_say(data, QREXEC_STDOUT, last ? "allow:vault" : refused[i]);
        data_say(data, QREXEC_EXIT_CODE, "");
        if (last) {
            world_hear(w, w->policyd, MSG_DECIDE);
            assert_true(span_eq_str(w->m.decide.choice, "vault"));
            world_decide(w, &no);
            hear_refusal(w, "it is not among what it offers");
        } else {
            struct statement doc;

            assert_false(world_hear_decision(w, &doc).allow);
            statement_fini(&doc);
            world_appended(w, 9);
        }
        agent_hear_type(&a, &m, QREXEC_SERVICE_REFUSED);
        (void)close(data);
    }
    link_free(a.l);
    link_free(g.l);
}

/* One that floods, breaks the protocol or dies leaves it to the owner. */
static void a_broken_guivm_leaves_the_question_to_the_owner(void **state)
{
    struct world *w = *state;
    struct agent a, g;
    char id[33], text[2048];
    int data;

    world_skip_checkpoint(w);
    a = world_work_qube(w);
    trigger_asking(w, &a, "SOCKET1", "signer");
    g = guivm_begins(w, &data);
    data_say(data, QREXEC_HELLO, "");
    data_hear_question(data, text, sizeof(text));
    memset(text, 'a', 200);
    text[200] = '\0';
    data_say(data, QREXEC_STDOUT, text);
    /* calld closes its end */
    assert_true(read(data, text, sizeof(text)) <= 0);
    (void)close(data);
    await_question(w, 1, id);
    link_free(g.l);
    world_hear(w, w->d.control, MSG_QUBE_STOP);
    await_question(w, 1, id);
    assert_int_equal(choose(w, id, 0, ""), MSG_OK);
    hear_refusal(w, "denied by the zone's owner");
    link_free(a.l);
}

#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, world_begin, world_finish)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            CASE(an_answer_is_decided_anew),
            CASE(the_owner_denies),
            CASE(an_answered_call_does_not_ask_again),
            CASE(a_flood_of_questions_is_bounded),
            CASE(a_caller_that_goes_away_takes_its_question_along),
            CASE(a_program_that_goes_away_takes_its_own_question_along),
            CASE(a_program_that_goes_away_first_asks_nothing),
            CASE(a_call_of_a_zone_asks_no_longer_than_its_envelope),
            CASE(the_guivm_is_asked_in_words_of_qubes),
            CASE(what_a_guivm_makes_up_is_put_to_the_policy_or_refused),
            CASE(a_broken_guivm_leaves_the_question_to_the_owner),
    };

    if (argc != 2)
        return 2;
    world_program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
