/* SPDX-License-Identifier: Apache-2.0 */
/* The real qair-attestd in its sandbox: args: PROGRAM. */
#include "clocks.h"
#include "driver.h"
#include "kept.h"
#include "pack_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program;
static const uint8_t binder[32] = {0xb1};

struct world {
    struct driver d;
    struct estate server;
    struct buf zone, reference, blob;
    char conf[512];
    int netd;
};

static void put_conf(struct world *w)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    char b64[TEXT_B64_SIZE(CRYPTO_SPKI_MAX)];
    size_t len;

    assert_int_equal(crypto_pub_spki(crypto_key_pub(w->server.owner), spki,
                             sizeof(spki), &len),
            0);
    text_format_b64(SPAN(spki, len), b64);
    (void)snprintf(w->conf, sizeof(w->conf),
            "name = thin\nlisten = 127.0.0.1:0\ntpm = swtpm\nowner = %s\n",
            b64);
}

static void put_pack(struct world *w, bool with_reference)
{
    const struct driver_file files[] = {
            {"references/server.json", buf_span(&w->reference)},
            {"zones/server.json", buf_span(&w->zone)},
    };

    driver_bundle(&w->d, "pack", with_reference ? files : files + 1,
            with_reference ? 2 : 1);
}

static void sign_files(struct world *w)
{
    uint64_t now = (uint64_t)time(NULL);

    buf_reset(&w->zone);
    buf_reset(&w->reference);
    w->server.zone.since = now - 10;
    estate_zone_file(&w->server, &w->zone);
    estate_reference_file(&w->server, now - 10, &w->reference);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct msg_reappraised end;
    struct msg_empty body;

    assert_non_null(w);
    *state = w;
    w->zone = w->reference = w->blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    estate_init(&w->server, "server");
    sign_files(w);
    put_conf(w);
    driver_start(&w->d, program, "thin");
    driver_bundle(&w->d, "conf",
            &(struct driver_file){"zone.conf", span_str(w->conf)}, 1);
    put_pack(w, true);
    w->netd = driver_peer(&w->d, MSG_ROLE_NETD);
    driver_begin(&w->d);
    assert_int_equal(driver_get(w->d.control, &body, NULL, NULL), MSG_READY);
    /* Nothing is kept at the start, and netd is told so. */
    if (driver_get(w->netd, &end, NULL, NULL) != MSG_REAPPRAISED ||
            end.zone.len != 0)
        return -1;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    driver_stop(&w->d);
    buf_fini(&w->zone);
    buf_fini(&w->reference);
    buf_fini(&w->blob);
    estate_fini(&w->server);
    free(w);
    return 0;
}

/* As netd sends it. */
static void put(struct world *w, uint32_t id, const struct msg_appraise *q,
        struct span evidence)
{
    struct err err;
    int fd = -1;

    assert_int_equal(ipc_seal(evidence, "evidence", &fd, &err), 0);
    driver_put(w->netd, MSG_APPRAISE, id, q, &fd, 1);
    (void)close(fd);
}

/* The state that comes back for evidence as the machine is now. */
static bool ask(struct world *w, const char *zone, const char *state,
        const char *reason)
{
    struct msg_appraise q = {.zone = span_str(zone)};
    struct msg_appraised a;
    uint8_t digest[32];
    uint32_t id;

    memcpy(q.binder, binder, 32);
    buf_reset(&w->blob);
    machine_evidence(&w->server.machine, binder, &w->blob);
    put(w, 7, &q, buf_span(&w->blob));
    assert_int_equal(driver_get(w->netd, &a, NULL, &id), MSG_APPRAISED);
    assert_int_equal(id, 7);
    crypto_sha256(buf_span(&w->blob), digest);
    assert_memory_equal(a.evidence, digest, 32);
    print_message("  %.*s\n", (int)a.reason.len, (const char *)a.reason.ptr);
    assert_true(span_eq_str(a.state, state));
    if (reason)
        assert_non_null(
                memmem(a.reason.ptr, a.reason.len, reason, strlen(reason)));
    else
        assert_int_equal(a.reason.len, 0);
    return a.accept;
}

static void test_golden(void **state)
{
    assert_true(ask(*state, "server", "golden (emulated)", NULL));
}

static void test_unknown_zone(void **state)
{
    assert_false(ask(*state, "nobody", "not approved", "zone not trusted"));
}

static void test_quote_from_before_a_reboot(void **state)
{
    struct world *w = *state;

    assert_true(ask(w, "server", "golden (emulated)", NULL));
    w->server.machine.clock.resets++;
    w->server.machine.clock.clock = 5;
    assert_true(ask(w, "server", "golden (emulated)", NULL));
    w->server.machine.clock.resets--;
    assert_false(ask(w, "server", "not approved", "TPM clock went back"));
}

/* A forged quote must not move the clock that honest ones are held to. */
static void test_forgery_does_not_move_the_clock(void **state)
{
    struct world *w = *state;

    w->server.machine.clock.resets = 4000000000u;
    w->server.machine.other_signer = true;
    assert_false(ask(w, "server", "not approved", "bad signature"));
    w->server.machine.other_signer = false;
    w->server.machine.clock.resets = 5;
    assert_true(ask(w, "server", "golden (emulated)", NULL));
}

static void test_changed_policy_is_named(void **state)
{
    struct world *w = *state;

    machine_boot(&w->server.machine);
    machine_measure(&w->server.machine, "conf", "zone.conf", "name = server\n");
    machine_measure(&w->server.machine, "policy", "policy.d/30-sign.policy",
            "* * a b allow\n");
    machine_measure(&w->server.machine, "program", "qair-keyd", "ELF");
    machine_measure(&w->server.machine, "qube", "qubes.d/signer.conf",
            "type = AppVM\n");
    machine_close(&w->server.machine);
    assert_false(ask(w, "server", "not approved",
            "policy.d/30-sign.policy differs from the reference: expected "));
}

/* ---- again, by a new pack --------------------------------------------- */

/* What netd is told of the zone; reason NULL: it stands. */
static void hears(struct world *w, const char *zone, const char *reason)
{
    struct msg_reappraised m;

    assert_int_equal(driver_get(w->netd, &m, NULL, NULL), MSG_REAPPRAISED);
    if (!span_eq_str(m.zone, zone))
        fail_msg("heard of '%.*s'", (int)m.zone.len, (const char *)m.zone.ptr);
    if (*zone == '\0')
        return;
    assert_int_equal(m.accept, reason == NULL);
    assert_true(span_eq_str(
            m.state, reason ? "not approved" : "golden (emulated)"));
    if (reason && !memmem(m.reason.ptr, m.reason.len, reason, strlen(reason)))
        fail_msg("%.*s", (int)m.reason.len, (const char *)m.reason.ptr);
}

static void test_approval_withdrawn_while_running(void **state)
{
    struct world *w = *state;

    assert_true(ask(w, "server", "golden (emulated)", NULL));
    put_pack(w, false);
    hears(w, "server", "no approved state");
    hears(w, "", NULL);
    assert_false(ask(w, "server", "not approved", "no approved state"));
    /* It was told, and nothing is kept of it. */
    put_pack(w, true);
    hears(w, "", NULL);
}

static void test_what_stands_is_told_too(void **state)
{
    struct world *w = *state;

    assert_true(ask(w, "server", "golden (emulated)", NULL));
    put_pack(w, true);
    hears(w, "server", NULL);
    hears(w, "", NULL);
}

static void test_revoked_while_running(void **state)
{
    struct world *w = *state;

    assert_true(ask(w, "server", "golden (emulated)", NULL));
    w->server.zone.revoked = true;
    buf_reset(&w->zone);
    estate_zone_file(&w->server, &w->zone);
    put_pack(w, true);
    hears(w, "server", "revoked");
    hears(w, "", NULL);
}

/* Evidence that was never good says nothing of channels: there are none. */
static void test_nothing_is_kept_of_what_was_refused(void **state)
{
    struct world *w = *state;

    w->server.machine.other_signer = true;
    assert_false(ask(w, "server", "not approved", "bad signature"));
    w->server.machine.other_signer = false;
    machine_boot(&w->server.machine);
    machine_measure(&w->server.machine, "conf", "zone.conf", "name = other\n");
    machine_close(&w->server.machine);
    assert_false(ask(w, "server", "not approved", "zone.conf differs"));
    put_pack(w, true);
    hears(w, "", NULL);
}

/* The zone is in another state on its other channel as well. */
static void test_newer_evidence_speaks_for_the_zone(void **state)
{
    struct world *w = *state;

    assert_true(ask(w, "server", "golden (emulated)", NULL));
    machine_boot(&w->server.machine);
    machine_measure(&w->server.machine, "conf", "zone.conf", "name = other\n");
    machine_close(&w->server.machine);
    assert_false(ask(w, "server", "not approved", "zone.conf differs"));
    hears(w, "server", "zone.conf differs");
}

static void test_what_changed_since_is_told(void **state)
{
    struct world *w = *state;

    assert_true(ask(w, "server", "golden (emulated)", NULL));
    w->server.machine.clock.resets++;
    machine_boot(&w->server.machine);
    machine_measure(&w->server.machine, "conf", "zone.conf", "name = other\n");
    machine_close(&w->server.machine);
    assert_false(ask(w, "server", "not approved", ": tpm.resets: 5 -> 6\n"));
    hears(w, "server", ": zone.files: approved -> changed");
    /* nothing good is known any more */
    assert_false(ask(w, "server", "not approved", "zone.conf differs"));
}

/* A forger who cannot sign takes no channel down. */
static void test_forged_evidence_speaks_for_nobody(void **state)
{
    struct world *w = *state;

    assert_true(ask(w, "server", "golden (emulated)", NULL));
    w->server.machine.other_signer = true;
    assert_false(ask(w, "server", "not approved", "bad signature"));
    assert_true(driver_is_silent(w->netd, 50));
    put_pack(w, true);
    hears(w, "server", NULL);
    hears(w, "", NULL);
}

/* The owner may sign it ahead: clocks are taken to differ by 300 s. */
static void test_a_reference_comes_into_force_by_itself(void **state)
{
    struct world *w = *state;
    struct buf former = BUF_INIT(LIMIT_EVIDENCE_MAX);
    uint64_t now = (uint64_t)time(NULL);
    char name[64];

    estate_reference_file(&w->server, now - 10, &former);
    assert_true(ask(w, "server", "golden (emulated)", NULL));
    machine_boot(&w->server.machine);
    machine_measure(&w->server.machine, "conf", "zone.conf", "name = next\n");
    machine_close(&w->server.machine);
    buf_reset(&w->reference);
    estate_reference_file(&w->server, now + 302, &w->reference);
    (void)snprintf(name, sizeof(name), "references/server@%llu.json",
            (unsigned long long)now - 10);
    const struct driver_file files[] = {
            {"references/server.json", buf_span(&w->reference)},
            {name, buf_span(&former)},
            {"zones/server.json", buf_span(&w->zone)},
    };
    driver_bundle(&w->d, "pack", files, 3);
    hears(w, "server", NULL);
    hears(w, "", NULL);
    hears(w, "server", "zone.conf differs"); /* two seconds later */
    buf_fini(&former);
}

static void restart(struct world *w, const char *more_conf)
{
    struct msg_empty body;

    driver_stop(&w->d);
    put_conf(w);
    (void)snprintf(w->conf + strlen(w->conf), sizeof(w->conf) - strlen(w->conf),
            "%s", more_conf);
    driver_start(&w->d, program, "thin");
    driver_bundle(&w->d, "conf",
            &(struct driver_file){"zone.conf", span_str(w->conf)}, 1);
    put_pack(w, true);
    w->netd = driver_peer(&w->d, MSG_ROLE_NETD);
    driver_begin(&w->d);
    assert_int_equal(driver_get(w->d.control, &body, NULL, NULL), MSG_READY);
    hears(w, "", NULL);
}

/* The owner's word is good for so long, whoever keeps newer ones away. */
static void test_an_old_reference_is_not_believed(void **state)
{
    struct world *w = *state;

    buf_reset(&w->reference);
    estate_reference_file(
            &w->server, (uint64_t)time(NULL) - 1000, &w->reference);
    restart(w, "reference-max-age = 600\n");
    assert_false(ask(w, "server", "not approved",
            "approval too old: signed 1000 s ago, reference-max-age is 600 s"));
    restart(w, "reference-max-age = 2000\n");
    assert_true(ask(w, "server", "golden (emulated)", NULL));
    restart(w, "");
    assert_true(ask(w, "server", "golden (emulated)", NULL));
}

/* How long an appraisal holds is said with it. */
static void test_an_appraisal_ends(void **state)
{
    struct world *w = *state;
    struct msg_appraise q = {.zone = span_str("server")};
    struct msg_appraised a;
    uint64_t now = (uint64_t)time(NULL);

    w->server.zone.until = now + 100;
    buf_reset(&w->zone);
    estate_zone_file(&w->server, &w->zone);
    restart(w, "reference-max-age = 3600\n");
    memcpy(q.binder, binder, 32);
    buf_reset(&w->blob);
    machine_evidence(&w->server.machine, binder, &w->blob);
    put(w, 1, &q, buf_span(&w->blob));
    assert_int_equal(driver_get(w->netd, &a, NULL, NULL), MSG_APPRAISED);
    assert_true(a.accept);
    assert_int_equal(a.until, now + 100);
    assert_int_equal(a.boot, (uint64_t)w->server.machine.clock.resets << 32 |
                                     w->server.machine.clock.restarts);
}

/* A pack of another owner, whose AK is another, does not replace the one that
 * is there; the right one that comes behind it does. */
static void test_foreign_pack_is_not_taken(void **state)
{
    struct world *w = *state;
    struct estate other;

    assert_true(ask(w, "server", "golden (emulated)", NULL));
    estate_init(&other, "server");
    buf_reset(&w->zone);
    estate_zone_file(&other, &w->zone);
    put_pack(w, false);
    sign_files(w);
    put_pack(w, false);
    hears(w, "server", "no approved state");
    hears(w, "", NULL);
    estate_fini(&other);
}

static void test_garbage_is_answered(void **state)
{
    struct world *w = *state;
    struct msg_appraise q = {.zone = span_str("server")};
    struct msg_appraised a;

    put(w, 1, &q, SPAN("QAIREVID\x00\x01\xff\xff", 12));
    assert_int_equal(driver_get(w->netd, &a, NULL, NULL), MSG_APPRAISED);
    assert_false(a.accept);
    assert_true(ask(w, "server", "golden (emulated)", NULL));
}

/* Evidence that its sender could still change is not looked at. */
static void test_unsealed_evidence_ends_it(void **state)
{
    struct world *w = *state;
    struct msg_appraise q = {.zone = span_str("server")};
    int fd = memfd_create("evidence", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_int_equal(write(fd, "QAIREVID", 8), 8);
    driver_put(w->netd, MSG_APPRAISE, 1, &q, &fd, 1);
    (void)close(fd);
    assert_int_not_equal(driver_wait(&w->d), 0);
}

static void test_other_message_ends_it(void **state)
{
    struct world *w = *state;
    struct msg_empty empty = {0};

    driver_put(w->netd, MSG_KEY_LIST, 1, &empty, NULL, 0);
    assert_int_not_equal(driver_wait(&w->d), 0);
}

static void test_without_a_pack_all_is_refused(void **state)
{
    struct world *w = *state;
    struct msg_appraise q = {.zone = span_str("server")};
    struct msg_refused a;
    struct msg_empty body;

    driver_stop(&w->d);
    driver_start(&w->d, program, "thin");
    driver_bundle(&w->d, "conf",
            &(struct driver_file){"zone.conf", span_str(w->conf)}, 1);
    w->zone.ptr[w->zone.len / 2] ^= 1;
    put_pack(w, true);
    w->netd = driver_peer(&w->d, MSG_ROLE_NETD);
    driver_begin(&w->d);
    assert_int_equal(driver_get(w->d.control, &body, NULL, NULL), MSG_READY);
    put(w, 1, &q, buf_span(&w->blob));
    assert_int_equal(driver_get(w->netd, &a, NULL, NULL), MSG_REFUSED);
    assert_true(span_eq_str(a.where, "attestd"));
    assert_true(a.reason.len > 0);
}

/* ---- the memory of clocks -------------------------------------------- */

static void test_kept_evidence_is_bounded(void **state)
{
    const struct kept_word one = {.reference = 1}, two = {.rules = 2};
    static struct kept k;
    size_t large = KEPT_BYTES_MAX / 4;
    uint8_t *bytes = calloc(1, large);
    char name[16];

    (void)state;
    assert_non_null(bytes);
    for (int i = 0; i < LIMIT_ZONES_MAX + 10; i++) {
        (void)snprintf(name, sizeof(name), "z%d", i);
        assert_true(
                kept_put(&k, span_str(name), binder, SPAN("x", 1), &one, 7));
    }
    assert_int_equal(k.n, LIMIT_ZONES_MAX);
    assert_int_equal(k.bytes, LIMIT_ZONES_MAX);
    assert_null(kept_find(&k, span_str("z9"))); /* the oldest went */
    assert_non_null(kept_find(&k, span_str("z10")));
    for (int i = 0; i < 6; i++) {
        (void)snprintf(name, sizeof(name), "large%d", i);
        assert_true(kept_put(
                &k, span_str(name), binder, SPAN(bytes, large), &one, 7));
        assert_true(k.bytes <= KEPT_BYTES_MAX);
    }
    assert_int_equal(k.n, 4);
    /* The newest of a zone replaces the former, and is the last to go. */
    assert_true(
            kept_put(&k, span_str("large2"), binder, SPAN("y", 1), &two, 7));
    assert_int_equal(k.n, 4);
    assert_int_equal(kept_find(&k, span_str("large2"))->word.rules, 2);
    assert_false(kept_put(&k, span_str("none"), binder, SPAN_EMPTY, &one, 7));
    assert_null(kept_find(&k, span_str("none")));
    kept_drop(&k, span_str("large3"));
    kept_drop(&k, span_str("nobody"));
    assert_int_equal(k.n, 3);
    kept_fini(&k);
    assert_int_equal(k.bytes, 0);
    free(bytes);
}

static void test_clocks_are_bounded_and_forget_other_aks(void **state)
{
    static struct clocks c;
    struct pack_zone z = {.ak_name = {.len = 34}};
    struct tcg_clock clock = {.clock = 1, .resets = 9};

    (void)state;
    for (int i = 0; i < LIMIT_ZONES_MAX + 10; i++) {
        (void)snprintf(z.name, sizeof(z.name), "z%d", i);
        clocks_put(&c, &z, &clock);
    }
    assert_int_equal(c.n, LIMIT_ZONES_MAX);
    assert_true(clocks_get(&c, &z).known);
    clock.resets = 8;
    clocks_put(&c, &z, &clock);
    assert_int_equal(clocks_get(&c, &z).clock.resets, 9);
    z.ak_name.bytes[3] = 1; /* enrolled anew with another TPM */
    assert_false(clocks_get(&c, &z).known);
    clocks_put(&c, &z, &clock);
    assert_int_equal(clocks_get(&c, &z).clock.resets, 8);
    (void)snprintf(z.name, sizeof(z.name), "z0");
    assert_false(clocks_get(&c, &z).known);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
            T(test_golden),
            T(test_unknown_zone),
            T(test_quote_from_before_a_reboot),
            T(test_forgery_does_not_move_the_clock),
            T(test_changed_policy_is_named),
            T(test_approval_withdrawn_while_running),
            T(test_what_stands_is_told_too),
            T(test_revoked_while_running),
            T(test_nothing_is_kept_of_what_was_refused),
            T(test_newer_evidence_speaks_for_the_zone),
            T(test_what_changed_since_is_told),
            T(test_forged_evidence_speaks_for_nobody),
            T(test_a_reference_comes_into_force_by_itself),
            T(test_an_old_reference_is_not_believed),
            T(test_an_appraisal_ends),
            T(test_foreign_pack_is_not_taken),
            cmocka_unit_test(test_kept_evidence_is_bounded),
            T(test_garbage_is_answered),
            T(test_unsealed_evidence_ends_it),
            T(test_other_message_ends_it),
            T(test_without_a_pack_all_is_refused),
            cmocka_unit_test(test_clocks_are_bounded_and_forget_other_aks),
    };

    if (argc != 2)
        return 2;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
