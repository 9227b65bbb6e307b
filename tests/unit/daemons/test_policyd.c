/* SPDX-License-Identifier: Apache-2.0 */
/* qair-policyd itself, with qaird and calld played by the test. */
#include "bundle.h"
#include "driver.h"
#include "policyd_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define POLICY                                                                 \
    "qair.Sign +release thin-work signer allow\n"                              \
    "s.Local * signer far allow\n"

static const char *program;
static struct fixture f;

struct world {
    struct driver d;
    int calld;
    union msg_any m;
    uint32_t id;
};

static int setup_all(void **state)
{
    (void)state;
    fixture_init(&f, (uint64_t)time(NULL));
    return 0;
}

static int teardown_all(void **state)
{
    (void)state;
    fixture_fini(&f);
    return 0;
}

static void put_bundle(
        const struct driver *d, const char *name, struct span bundle)
{
    struct driver_file files[8];
    char names[8][64];
    struct bundle_iter it = bundle_iter_of(bundle);
    struct bundle_file file;
    size_t n = 0;

    while (bundle_next(&it, &file)) {
        assert_true(n < ARRAY_LEN(files));
        (void)snprintf(names[n], sizeof(names[n]), "%.*s", (int)file.name.len,
                file.name.ptr);
        files[n].name = names[n];
        files[n++].content = file.content;
    }
    driver_bundle(d, name, files, n);
}

static void put_file(const struct driver *d, const char *bundle,
        const char *name, const char *text)
{
    const struct driver_file file = {name, span_str(text)};

    driver_bundle(d, bundle, &file, 1);
}

static void put_zone_conf(const struct driver *d)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    char b64[TEXT_B64_SIZE(CRYPTO_SPKI_MAX)], text[1024];
    size_t len;

    assert_int_equal(
            crypto_pub_spki(crypto_key_pub(f.owner), spki, sizeof(spki), &len),
            0);
    text_format_b64(SPAN(spki, len), b64);
    (void)snprintf(text, sizeof(text), "name = server\nowner = %s\n", b64);
    put_file(d, "conf", "zone.conf", text);
}

/* policy NULL: the usual. */
static struct world *world_new(const char *policy, bool with_pack)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    driver_start(&w->d, program, "server");
    w->calld = driver_peer(&w->d, MSG_ROLE_CALLD);
    put_file(&w->d, "policy", "t.policy", policy ? policy : POLICY);
    put_bundle(&w->d, "qubes", buf_span(&f.qubes_bundle));
    put_zone_conf(&w->d);
    if (with_pack)
        put_bundle(&w->d, "pack", buf_span(&f.pack_bundle));
    driver_begin(&w->d);
    assert_int_equal(driver_get(w->d.control, &w->m, NULL, NULL), MSG_READY);
    return w;
}

static void world_free(struct world *w)
{
    driver_stop(&w->d);
    (void)close(w->calld);
    free(w);
}

static const struct msg_decision *ask(
        struct world *w, enum msg_type type, const void *question)
{
    uint32_t id;

    driver_put(w->calld, type, ++w->id, question, NULL, 0);
    assert_int_equal(driver_get(w->calld, &w->m, NULL, &id), MSG_DECISION);
    assert_int_equal(id, w->id);
    return (const struct msg_decision *)(void *)&w->m;
}

static const struct msg_decision *ask_local(struct world *w, const char *source,
        const char *target, const char *service)
{
    const struct msg_decide q = {.source = span_str(source),
            .target = span_str(target),
            .service = span_str(service)};

    return ask(w, MSG_DECIDE, &q);
}

static const struct msg_decision *ask_remote(
        struct world *w, const char *peer, const struct buf *envelope)
{
    const struct msg_decide_remote q = {
            .zone = span_str(peer), .envelope = buf_span(envelope)};

    return ask(w, MSG_DECIDE_REMOTE, &q);
}

/* Ready means that what is issued from now on is judged. */
static struct buf envelope_now(uint8_t id, int64_t ahead)
{
    uint64_t now = (uint64_t)time(NULL);
    const struct fixture_call c = {.id = id,
            .issued = (uint64_t)((int64_t)now + ahead),
            .deadline = now + 60,
            .signer = "thin",
            .origin = "thin",
            .zone = "server",
            .source = "work",
            .qube = "signer",
            .service = "qair.Sign+release"};

    return fixture_envelope(&f, &c);
}

static bool says(const struct msg_decision *m, const char *part)
{
    char text[256];

    text_format_safe(m->reason, text, sizeof(text));
    return strstr(text, part) != NULL;
}

static void test_local_decisions(void **state)
{
    struct world *w = world_new(NULL, true);
    const struct msg_decision *m;
    uint8_t digest[32];
    CLEANUP(buf_fini) struct buf bundle = BUF_INIT(4096);
    struct bundle_writer writer = {.out = &bundle};
    const struct bundle_file file = {span_str("t.policy"), span_str(POLICY)};

    (void)state;
    assert_int_equal(bundle_put(&writer, &file, NULL), 0);
    crypto_sha256(buf_span(&bundle), digest);
    m = ask_local(w, "signer", "far", "s.Local");
    assert_int_equal(m->allow, 1);
    assert_int_equal(m->kind, MSG_TARGET_REMOTE);
    assert_true(span_eq_str(m->zone, "other"));
    assert_true(span_eq_str(m->qube, "remote"));
    assert_memory_equal(m->policy, digest, sizeof(digest));
    m = ask_local(w, "signer", "far", "s.Other");
    assert_int_equal(m->allow, 0);
    assert_true(says(m, "no rule matches"));
    m = ask_local(w, "nosuch", "far", "s.Local");
    assert_int_equal(m->allow, 0);
    world_free(w);
}

static void test_remote_call_replayed_and_late(void **state)
{
    struct world *w = world_new(NULL, true);
    CLEANUP(buf_fini) struct buf early = envelope_now(1, -2);
    const struct msg_decision *m;

    (void)state;
    /* Issued before the second in which it said ready. */
    m = ask_remote(w, "thin", &early);
    assert_int_equal(m->allow, 0);
    assert_true(says(m, "before policyd started"));

    CLEANUP(buf_fini) struct buf good = envelope_now(2, 0);
    m = ask_remote(w, "thin", &good);
    assert_int_equal(m->allow, 1);
    assert_int_equal(m->kind, MSG_TARGET_LOCAL);
    assert_true(span_eq_str(m->qube, "signer"));
    assert_true(span_eq_str(m->source, "thin-work"));
    assert_true(span_eq_str(m->rule, "t.policy:1"));
    m = ask_remote(w, "thin", &good);
    assert_int_equal(m->allow, 0);
    assert_true(says(m, "replay"));
    assert_int_equal(m->call_id[0], 2);
    m = ask_remote(w, "other", &good);
    assert_int_equal(m->allow, 0);

    /* From a clock two seconds ahead: answered, in its own second. */
    CLEANUP(buf_fini) struct buf ahead = envelope_now(3, 2);
    m = ask_remote(w, "thin", &ahead);
    assert_int_equal(m->allow, 1);
    assert_int_equal(m->call_id[0], 3);
    m = ask_remote(w, "thin", &ahead);
    assert_true(says(m, "replay"));
    world_free(w);
}

/* What another life of the process accepted, the next one refuses. */
static void test_replay_over_a_restart(void **state)
{
    struct world *w = world_new(NULL, true);

    (void)state;
    CLEANUP(buf_fini) struct buf good = envelope_now(2, 0);
    assert_int_equal(ask_remote(w, "thin", &good)->allow, 1);
    world_free(w);
    w = world_new(NULL, true);
    assert_int_equal(ask_remote(w, "thin", &good)->allow, 0);
    world_free(w);
}

static void test_broken_policy_denies_with_its_line(void **state)
{
    struct world *w = world_new("* * * * allow\n* * * * alow\n", true);
    const struct msg_decision *m;

    (void)state;
    m = ask_local(w, "signer", "far", "s.Local");
    assert_int_equal(m->allow, 0);
    assert_true(says(m, "t.policy:2: 'alow' is not allow"));
    assert_true(span_eq_str(m->where, "policy of zone server"));
    world_free(w);
}

static void test_broken_qubes_deny(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    const struct msg_decision *m;

    (void)state;
    driver_start(&w->d, program, "server");
    w->calld = driver_peer(&w->d, MSG_ROLE_CALLD);
    put_file(&w->d, "policy", "t.policy", "* * * * allow\n");
    put_file(&w->d, "qubes", "a.conf", "type = Nothing\n");
    driver_begin(&w->d);
    assert_int_equal(driver_get(w->d.control, &w->m, NULL, NULL), MSG_READY);
    m = ask_local(w, "a", "a", "s.Local");
    assert_int_equal(m->allow, 0);
    assert_true(says(m, "a.conf:1"));
    world_free(w);
}

/* Waits for policyd's word that it has another policy. */
static void hear_changed(struct world *w)
{
    uint32_t id;

    assert_int_equal(
            driver_get(w->calld, &w->m, NULL, &id), MSG_POLICY_CHANGED);
    assert_int_equal(id, 0);
}

static void test_policy_is_replaced_as_a_whole(void **state)
{
    struct world *w = world_new("* * * * deny\n", true);
    const struct msg_decision *m;
    uint8_t former[MSG_DIGEST];

    (void)state;
    m = ask_local(w, "signer", "far", "s.Local");
    assert_int_equal(m->allow, 0);
    memcpy(former, m->policy, sizeof(former));

    /* Qubes alone change nothing yet: they go with the policy to come. */
    put_file(&w->d, "qubes", "one.conf", "type = AppVM\n");
    assert_true(driver_is_silent(w->calld, 200));
    m = ask_local(w, "signer", "far", "s.Local");
    assert_true(says(m, "denied by t.policy:1"));
    put_file(&w->d, "policy", "t.policy", "* * one one allow\n");
    hear_changed(w);
    m = ask_local(w, "signer", "far", "s.Local");
    assert_int_equal(m->allow, 0);
    assert_memory_not_equal(m->policy, former, sizeof(former));

    /* One with an error is the one that was measured: it denies. */
    put_file(&w->d, "policy", "t.policy", "* * * * allow\n* *\n");
    hear_changed(w);
    m = ask_local(w, "one", "one", "s.Local");
    assert_int_equal(m->allow, 0);
    assert_true(says(m, "t.policy:2"));

    put_bundle(&w->d, "qubes", buf_span(&f.qubes_bundle));
    put_file(&w->d, "policy", "t.policy", "* * * * allow\n");
    hear_changed(w);
    assert_int_equal(ask_local(w, "signer", "far", "s.Local")->allow, 1);
    world_free(w);
}

static void test_without_a_pack_only_local_calls(void **state)
{
    struct world *w = world_new(NULL, false);
    CLEANUP(buf_fini) struct buf good = BUF_INIT(1);
    const struct msg_decision *m;

    (void)state;
    good = envelope_now(2, 0);
    m = ask_remote(w, "thin", &good);
    assert_int_equal(m->allow, 0);
    assert_true(says(m, "not in the pack"));
    assert_int_equal(ask_local(w, "signer", "far", "s.Local")->allow, 1);

    /* The pack comes later, as after an enrolment. */
    put_bundle(&w->d, "pack", buf_span(&f.pack_bundle));
    (void)ask_local(w, "signer", "far", "s.Local");
    usleep(100000);
    m = ask_remote(w, "thin", &good);
    assert_int_equal(m->allow, 1);
    world_free(w);
}

static void test_pack_of_another_owner_is_not_used(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct crypto_key *ours = f.owner;
    const struct msg_decision *m;

    (void)state;
    f.owner = crypto_key_generate(CRYPTO_P256);
    driver_start(&w->d, program, "server");
    w->calld = driver_peer(&w->d, MSG_ROLE_CALLD);
    put_file(&w->d, "policy", "t.policy", POLICY);
    put_bundle(&w->d, "qubes", buf_span(&f.qubes_bundle));
    put_zone_conf(&w->d);
    put_bundle(&w->d, "pack", buf_span(&f.pack_bundle));
    driver_begin(&w->d);
    assert_int_equal(driver_get(w->d.control, &w->m, NULL, NULL), MSG_READY);
    CLEANUP(buf_fini) struct buf good = envelope_now(2, 0);
    m = ask_remote(w, "thin", &good);
    assert_int_equal(m->allow, 0);
    world_free(w);
    crypto_key_free(f.owner);
    f.owner = ours;
}

static void test_what_calld_may_not_say_ends_the_process(void **state)
{
    const struct msg_append append = {.kind = MSG_APPEND_STATEMENT};
    struct world *w = world_new(NULL, true);

    (void)state;
    driver_put(w->calld, MSG_APPEND, 1, &append, NULL, 0);
    assert_int_not_equal(driver_wait(&w->d), 0);
    world_free(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_local_decisions),
            cmocka_unit_test(test_remote_call_replayed_and_late),
            cmocka_unit_test(test_replay_over_a_restart),
            cmocka_unit_test(test_broken_policy_denies_with_its_line),
            cmocka_unit_test(test_broken_qubes_deny),
            cmocka_unit_test(test_policy_is_replaced_as_a_whole),
            cmocka_unit_test(test_without_a_pack_only_local_calls),
            cmocka_unit_test(test_pack_of_another_owner_is_not_used),
            cmocka_unit_test(test_what_calld_may_not_say_ends_the_process),
    };

    if (argc != 2)
        return 2;
    program = argv[1];
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
