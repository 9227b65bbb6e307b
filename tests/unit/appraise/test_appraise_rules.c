/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of genuine evidence, the owner's rules over them, and the answer. */
#include "appraise.h"
#include "pack_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t binder[32] = {0xb1, 0xd0};

static struct estate server;
static struct pack *pack;
static struct buf blob, text;
static struct appraise_input in;
static struct appraisal out;
static struct appraise_detail detail;
static struct appraise_last last;

static int setup(void **state)
{
    (void)state;
    estate_init(&server, "server");
    pack = estate_pack(&server, FIXTURE_NOW - 100);
    blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    text = BUF_INIT(65536);
    in = (struct appraise_input){
            .binder = SPAN_OF(binder), .time = FIXTURE_NOW};
    detail = (struct appraise_detail){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    appraise_detail_fini(&detail);
    pack_free(pack);
    buf_fini(&blob);
    buf_fini(&text);
    estate_fini(&server);
    return 0;
}

static void set_rules(const char *zone, const char *rules, uint64_t expires)
{
    struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    struct err err = {0};
    char name[64];

    (void)snprintf(name, sizeof(name), "rules/%s.json", zone);
    if (pack_rules_sign(zone, span_str(rules), FIXTURE_NOW - 50, expires,
                server.owner, &file, &err) != 0 ||
            pack_add(pack, span_str(name), buf_span(&file), &err) != 0)
        fail_msg("%s", err.msg);
    buf_fini(&file);
}

static void run(void)
{
    buf_reset(&blob);
    machine_evidence(&server.machine, binder, &blob);
    in.evidence = buf_span(&blob);
    appraise_take_pack(&in, pack, span_str("server"));
    appraise_detail_fini(&detail);
    appraise_in_full(&in, &out, &detail);
}

static void assert_told(const char *want)
{
    buf_reset(&text);
    appraise_tell(&in, &out, &detail, &text);
    assert_int_equal(text.error, 0);
    if (!strstr((const char *)text.ptr, want))
        fail_msg("'%s' is not in:\n%s", want, (const char *)text.ptr);
}

static void change_policy(void)
{
    machine_boot(&server.machine);
    machine_measure(&server.machine, "program", "qair-netd", "netd");
    machine_measure(
            &server.machine, "policy", "policy.d/30-sign.policy", "allow all");
    machine_close(&server.machine);
}

/* ---- claims ---------------------------------------------------------- */

static void test_claims_of_a_zone(void **state)
{
    static const char *const names[] = {"tpm.emulated", "tpm.ek", "tpm.ak",
            "tpm.scheme", "tpm.selection", "tpm.firmware", "tpm.clock",
            "tpm.clock.safe", "tpm.resets", "tpm.restarts", "firmware.pcr.14",
            "zone.pcr", "zone.rounds", "zone.programs", "zone.conf",
            "zone.policy", "zone.qubes", "zone.services", "zone.files"};
    const struct claim *c;

    (void)state;
    run();
    assert_true(out.accept);
    assert_int_equal(claims_ok(&detail.claims, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        c = claims_get(&detail.claims, names[i]);
        if (!c)
            fail_msg("no %s", names[i]);
        assert_true(c->attested);
    }
    assert_int_equal(detail.claims.n, ARRAY_LEN(names));
    c = claims_get(&detail.claims, "zone.files");
    assert_true(span_eq_str(c->value.bytes, "approved"));
    c = claims_get(&detail.claims, "tpm.resets");
    assert_int_equal(c->value.number, 5);
    c = claims_get(&detail.claims, "firmware.pcr.14");
    assert_memory_equal(c->value.bytes.ptr, server.machine.pcr, 32);
}

/* sha256sum policy.d/x.policy | sha256sum */
static void test_the_digest_of_a_policy(void **state)
{
    static const char line[] =
            "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0"
            "  policy.d/x.policy\n"; /* of "aaa" */
    uint8_t want[32];

    (void)state;
    machine_boot(&server.machine);
    machine_measure(&server.machine, "policy", "policy.d/old.policy", "b");
    machine_close(&server.machine);
    machine_change(&server.machine, 1);
    machine_measure(&server.machine, "policy", "policy.d/x.policy", "aaa");
    machine_close(&server.machine);
    run();
    crypto_sha256(span_str(line), want);
    assert_memory_equal(
            claims_get(&detail.claims, "zone.policy")->value.bytes.ptr, want,
            32);
    assert_int_equal(
            claims_get(&detail.claims, "zone.rounds")->value.number, 1);
    /* what cannot change while the zone runs is that of its start */
    crypto_sha256(SPAN_EMPTY, want);
    assert_memory_equal(
            claims_get(&detail.claims, "zone.programs")->value.bytes.ptr, want,
            32);
}

static void test_no_claims_of_evidence_that_is_not_genuine(void **state)
{
    (void)state;
    server.machine.other_signer = true;
    run();
    assert_false(out.genuine);
    assert_int_equal(detail.claims.n, 0);
    assert_told("Not approved: this is not proved to be zone server, now.\n"
                "  bad signature");
}

/* ---- rules ----------------------------------------------------------- */

static const struct {
    const char *rules;
    const char *state; /* NULL: not approved */
    enum appraise_reason reason;
    const char *claim;
} cases[] = {
        {"state golden\nzone.files is approved\n", "golden (emulated)"},
        {"state golden\nzone.files is approved\ntpm.emulated is yes\n",
                "golden (emulated)"},
        {"state golden\nzone.files is approved\ntpm.emulated is no\n", NULL,
                APPRAISE_RULE, "tpm.emulated"},
        {"state golden\ntpm.emulated is no\nstate soft\ntpm.emulated is yes\n",
                "soft (emulated)"},
        {"state golden\nsecureboot.enabled is yes\n", NULL, APPRAISE_UNDECIDED,
                "secureboot.enabled"},
        {"state golden\nsecureboot.enabled is not no\n", NULL,
                APPRAISE_UNDECIDED, "secureboot.enabled"},
        {"state golden\ntpm.resets at most 4\n", NULL, APPRAISE_RULE,
                "tpm.resets"},
};

static void test_rules_name_the_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        pack_free(pack);
        pack = estate_pack(&server, FIXTURE_NOW - 100);
        set_rules("server", cases[i].rules, 0);
        run();
        assert_true(out.genuine);
        assert_true(out.accept == (cases[i].state != NULL));
        assert_string_equal(out.state,
                cases[i].state ? cases[i].state : APPRAISE_NOT_APPROVED);
        if (cases[i].state)
            continue;
        assert_int_equal(out.n_findings, 1);
        assert_int_equal(out.finding[0].reason, cases[i].reason);
        assert_string_equal(out.finding[0].claim, cases[i].claim);
    }
}

/* Rules are more than the reference, never less than it by accident. */
static void test_rules_without_a_reference(void **state)
{
    (void)state;
    pack_free(pack);
    pack = estate_pack(&server, 0);
    set_rules("server", "state golden\nzone.files is approved\n", 0);
    run();
    assert_false(out.accept);
    assert_int_equal(out.finding[0].reason, APPRAISE_UNDECIDED);
    assert_int_equal(out.finding[1].reason, APPRAISE_NO_REFERENCE);
    assert_null(claims_get(&detail.claims, "zone.files"));
}

static void test_an_expired_reference_approves_no_files(void **state)
{
    struct pack_reference r;

    (void)state;
    set_rules("server", "state golden\nzone.files is approved\n", 0);
    run();
    assert_true(out.accept);
    r = *in.reference;
    r.expires = FIXTURE_NOW;
    in.reference = &r;
    appraise_detail_fini(&detail);
    appraise_in_full(&in, &out, &detail);
    assert_false(out.accept);
    assert_int_equal(out.finding[1].reason, APPRAISE_EXPIRED);
}

static void test_expired_rules_approve_nothing(void **state)
{
    (void)state;
    set_rules("server", "state golden\ntpm.emulated is yes\n", FIXTURE_NOW);
    in.time = FIXTURE_NOW - 1;
    run();
    assert_true(out.accept);
    in.time = FIXTURE_NOW;
    run();
    assert_false(out.accept);
    assert_int_equal(out.finding[0].reason, APPRAISE_EXPIRED);
}

static void test_rules_of_another_zone(void **state)
{
    struct pack_rules r;

    (void)state;
    set_rules("server", "state golden\ntpm.emulated is yes\n", 0);
    run();
    assert_true(out.accept);
    r = *in.rules;
    (void)snprintf(r.zone, sizeof(r.zone), "thin");
    in.rules = &r;
    appraise_detail_fini(&detail);
    appraise_in_full(&in, &out, &detail);
    assert_false(out.accept);
}

static void test_changed_files_are_named_under_rules_too(void **state)
{
    (void)state;
    set_rules("server", "state golden\nzone.files is approved\n", 0);
    change_policy();
    run();
    assert_true(out.genuine);
    assert_false(out.accept);
    assert_int_equal(out.finding[0].reason, APPRAISE_RULE);
    assert_true(out.n_findings > 1);
    assert_told(
            "Zone server is not golden.\n"
            "  zone.files is changed, by event log of the zone, PCR 14, and "
            "the reference of 2025-11-25T02:24:20Z;\n"
            "      line 2 of the rules: zone.files is approved\n");
    assert_told("      policy.d/30-sign.policy differs from the reference");
    assert_told("  0 of 1 lines of state golden are met.\n");
}

/* ---- what changed ---------------------------------------------------- */

static void remember(struct claims *c)
{
    run();
    assert_true(out.genuine);
    *c = detail.claims;
    detail.claims = (struct claims){0};
    last = (struct appraise_last){.time = FIXTURE_NOW - 3600, .claims = c};
    in.last = &last;
}

static void test_nothing_changed(void **state)
{
    CLEANUP(claims_fini) struct claims was = {0};

    (void)state;
    remember(&was);
    server.machine.clock.clock += 1000;
    run();
    assert_int_equal(detail.n_changes, 0);
    assert_told("Zone server is golden (emulated).\n"
                "Nothing changed since the last good evidence of "
                "2025-11-25T01:26:00Z.\n"
                "Emulated: whoever runs this machine can forge all of it.\n");
}

static void test_a_restart_is_told(void **state)
{
    CLEANUP(claims_fini) struct claims was = {0};

    (void)state;
    set_rules("server", "state golden\ntpm.resets at most 5\n", 0);
    remember(&was);
    server.machine.clock.resets++;
    run();
    assert_int_equal(detail.n_changes, 1);
    assert_told("  tpm.resets is 6, by TPM quote;\n"
                "      line 2 of the rules: tpm.resets at most 5\n"
                "      the last good evidence of 2025-11-25T01:26:00Z had 5\n"
                "  0 of 1 lines of state golden are met.\n"
                "Nothing else changed since the last good evidence");
    assert_told("2025-11-25T01:26:00Z.\n");
}

static void test_changes_beside_the_reason_are_told(void **state)
{
    CLEANUP(claims_fini) struct claims was = {0};

    (void)state;
    remember(&was);
    change_policy();
    run();
    assert_false(out.accept);
    assert_told("Zone server is not golden.\n");
    assert_told("Changed since the last good evidence of "
                "2025-11-25T01:26:00Z:\n");
    assert_told("  zone.files: approved -> changed\n");
}

static void test_what_nothing_proves_is_told_apart(void **state)
{
    (void)state;
    run();
    claims_unattested(&detail.claims, detail.claims.n - 1);
    assert_told("Said, and proved by nothing:\n  zone.files approved, by ");
}

static void set_values(const char *name, const char *claim, uint64_t n)
{
    struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    struct claim_value v[9];
    struct rules_set s = {.def = claims_find(span_str(claim)),
            .since = FIXTURE_NOW - 60,
            .n = n,
            .value = v};
    char path[64];

    (void)snprintf(s.name, sizeof(s.name), "%s", name);
    (void)snprintf(s.claim, sizeof(s.claim), "%s", claim);
    for (uint64_t i = 0; i < n; i++)
        v[i] = (struct claim_value){.type = CLAIM_NUMBER, .number = i};
    (void)snprintf(path, sizeof(path), "values/%s.json", name);
    assert_int_equal(pack_values_sign(&s, server.owner, &file, NULL), 0);
    assert_int_equal(pack_add(pack, span_str(path), buf_span(&file), NULL), 0);
    buf_fini(&file);
}

static void test_sets_are_told_with_their_values(void **state)
{
    (void)state;
    set_values("few", "tpm.resets", 1);
    set_values("many", "tpm.resets", 5);
    set_values("none", "tpm.resets", 0);
    set_rules("server", "state golden\ntpm.resets in few or many\n", 0);
    run();
    assert_false(out.accept);
    assert_told("  tpm.resets is 5, by TPM quote;\n"
                "      line 2 of the rules: tpm.resets in few or many\n"
                "      few, since 2025-11-25T02:25:00Z, has 0\n"
                "      many, since 2025-11-25T02:25:00Z, has 0, 1, 2 and 2 "
                "more\n");
}

static void test_an_empty_set_lets_nothing_pass(void **state)
{
    (void)state;
    set_values("none", "tpm.resets", 0);
    set_rules("server", "state golden\ntpm.resets not in none\n", 0);
    run();
    assert_false(out.accept);
    assert_told("tpm.resets is undecided: its set is empty;");
    assert_told("none, since 2025-11-25T02:25:00Z, has no value\n");
}

static void test_explain_stays_a_line_a_finding(void **state)
{
    (void)state;
    set_rules("server",
            "state golden\ntpm.emulated is no\nsnp.vmpl at most 1\n", 0);
    run();
    appraise_explain(&out, &text);
    assert_string_equal((const char *)text.ptr,
            "rule not met: tpm.emulated: wanted is no (line 2), found yes, by "
            "enrolment, signed in the pack\n"
            "undecided: snp.vmpl: wanted at most 1 (line 3), found no evidence "
            "yields it\n");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
            T(test_claims_of_a_zone),
            T(test_the_digest_of_a_policy),
            T(test_no_claims_of_evidence_that_is_not_genuine),
            T(test_rules_name_the_state),
            T(test_rules_without_a_reference),
            T(test_an_expired_reference_approves_no_files),
            T(test_expired_rules_approve_nothing),
            T(test_rules_of_another_zone),
            T(test_changed_files_are_named_under_rules_too),
            T(test_nothing_changed),
            T(test_a_restart_is_told),
            T(test_changes_beside_the_reason_are_told),
            T(test_what_nothing_proves_is_told_apart),
            T(test_sets_are_told_with_their_values),
            T(test_an_empty_set_lets_nothing_pass),
            T(test_explain_stays_a_line_a_finding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
