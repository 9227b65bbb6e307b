/* SPDX-License-Identifier: Apache-2.0 */
/* Appraisal: each thing that an attacker can try is refused by its name. */
#include "appraise.h"
#include "pack_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t binder[32] = {0xb1, 0xd0};
static const uint8_t other_binder[32] = {0xb1, 0xd1};

static struct estate server;
static struct pack *pack;
static struct buf blob;
static struct appraise_input in;
static struct appraisal out;

static int setup(void **state)
{
    (void)state;
    estate_init(&server, "server");
    pack = estate_pack(&server, FIXTURE_NOW - 100);
    blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    in = (struct appraise_input){
            .zone = pack_zone(pack, span_str("server")),
            .reference = pack_reference(pack, span_str("server"), FIXTURE_NOW),
            .binder = SPAN_OF(binder),
            .time = FIXTURE_NOW,
    };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pack_free(pack);
    buf_fini(&blob);
    estate_fini(&server);
    return 0;
}

static void run(void)
{
    buf_reset(&blob);
    machine_evidence(&server.machine, binder, &blob);
    in.evidence = buf_span(&blob);
    appraise(&in, &out);
}

static void assert_refused(enum appraise_reason reason)
{
    assert_false(out.genuine);
    assert_false(out.accept);
    assert_string_equal(out.state, "not approved");
    assert_int_equal(out.n_findings, 1);
    if (out.finding[0].reason != reason)
        fail_msg("refused for %s", appraise_reason_name(out.finding[0].reason));
}

static void assert_lines(const char *want)
{
    struct buf text = BUF_INIT(65536);

    appraise_explain(&out, &text);
    assert_string_equal((char *)text.ptr, want);
    buf_fini(&text);
}

static void test_golden(void **state)
{
    uint8_t digest[32];

    (void)state;
    run();
    crypto_sha256(buf_span(&blob), digest);
    assert_true(out.genuine && out.accept);
    assert_string_equal(out.state, "golden (emulated)");
    assert_int_equal(out.n_findings, 0);
    assert_memory_equal(out.evidence, digest, 32);
    assert_int_equal(out.clock.resets, 5);
}

static void test_golden_on_hardware(void **state)
{
    struct pack_zone z = *in.zone;

    (void)state;
    z.emulated = false;
    in.zone = &z;
    run();
    assert_true(out.accept);
    assert_string_equal(out.state, "golden");
}

/* ---- not that machine, or not now ------------------------------------ */

static void test_quote_replayed_from_another_connection(void **state)
{
    (void)state;
    in.binder = SPAN_OF(other_binder);
    run();
    assert_refused(APPRAISE_BINDER);
}

static void test_binder_of_another_length(void **state)
{
    (void)state;
    in.binder = SPAN(binder, 31);
    run();
    assert_refused(APPRAISE_BINDER);
    in.binder = SPAN_EMPTY;
    run();
    assert_refused(APPRAISE_BINDER);
}

/* Relay: genuine, fresh, same software, another TPM. */
static void test_other_machines_ak(void **state)
{
    struct machine other;

    (void)state;
    machine_init(&other);
    machine_evidence(&other, binder, &blob);
    in.evidence = buf_span(&blob);
    appraise(&in, &out);
    assert_refused(APPRAISE_OTHER_AK);
    machine_fini(&other);
}

static void test_unrestricted_ak_though_pinned(void **state)
{
    struct pack_zone z = *in.zone;

    (void)state;
    machine_set_attributes(&server.machine, AK_ATTRIBUTES & ~TCG_RESTRICTED);
    memcpy(z.ak, server.machine.ak, server.machine.ak_len);
    in.zone = &z;
    run();
    assert_refused(APPRAISE_AK_UNFIT);
}

static void test_signed_by_another_key(void **state)
{
    (void)state;
    server.machine.other_signer = true;
    run();
    assert_refused(APPRAISE_SIGNATURE);
}

static void test_other_attestations(void **state)
{
    static const uint16_t types[] = {TCG_ATTEST_CERTIFY, TCG_ATTEST_CREATION,
            TCG_ATTEST_TIME, TCG_ATTEST_NV};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        server.machine.attest_type = types[i];
        run();
        assert_refused(APPRAISE_NOT_QUOTE);
    }
}

static void test_trailing_byte_in_the_signed_quote(void **state)
{
    (void)state;
    server.machine.trailing = true;
    run();
    assert_refused(APPRAISE_MALFORMED);
}

static void test_no_evidence_at_all(void **state)
{
    (void)state;
    in.evidence = SPAN_EMPTY;
    appraise(&in, &out);
    assert_refused(APPRAISE_MALFORMED);
}

static void test_sha1_bank(void **state)
{
    (void)state;
    server.machine.bank = TCG_ALG_SHA1;
    run();
    assert_refused(APPRAISE_BANK);
}

/* PCR 16 can be reset by anybody and hold the values of PCR 14. */
static void test_resettable_pcr_in_its_place(void **state)
{
    (void)state;
    server.machine.pcr_index = 16;
    run();
    assert_refused(APPRAISE_SELECTION);
}

static void test_values_that_were_not_quoted(void **state)
{
    (void)state;
    server.machine.other_values = true;
    run();
    assert_refused(APPRAISE_PCR_DIGEST);
}

static const struct {
    const char *what;
    struct tcg_clock was;
    bool ok;
} clocks[] = {
        {"later", {.clock = 999999, .resets = 5, .safe = true}, true},
        {"the same moment", {.clock = 1000000, .resets = 5, .safe = true},
                true},
        {"overtaken on the way", {.clock = 1005000, .resets = 5, .safe = true},
                true},
        {"clock put back", {.clock = 2000000, .resets = 5, .safe = true},
                false},
        {"from before a reboot", {.clock = 1, .resets = 6, .safe = true},
                false},
        {"from before a resume",
                {.clock = 1, .resets = 5, .restarts = 1, .safe = true}, false},
        {"after a reboot", {.clock = 2000000, .resets = 4, .safe = true}, true},
        /* The TPM adds a constant: 5 is 0xfffffffe + 7. */
        {"after a reboot at which the count wrapped",
                {.clock = 2000000, .resets = 0xfffffffe, .safe = true}, true},
        {"unsafe clock", {.clock = 2000000, .resets = 5, .safe = false}, true},
};

static void test_clocks(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
        print_message("  %s\n", clocks[i].what);
        in.previous.known = true;
        in.previous.clock = clocks[i].was;
        run();
        if (clocks[i].ok)
            assert_true(out.accept);
        else
            assert_refused(APPRAISE_CLOCK);
    }
}

static void test_zone_that_is_not_trusted(void **state)
{
    struct pack_zone z = *in.zone;

    (void)state;
    in.zone = &z;
    z.revoked = true;
    run();
    assert_refused(APPRAISE_ZONE);
    z.revoked = false;
    z.until = FIXTURE_NOW;
    run();
    assert_refused(APPRAISE_ZONE);
    in.zone = NULL;
    run();
    assert_refused(APPRAISE_ZONE);
}

/* ---- the log --------------------------------------------------------- */

static void test_no_log(void **state)
{
    (void)state;
    server.machine.no_log = true;
    run();
    assert_refused(APPRAISE_LOG);
}

/* Digest kept, name changed: replay alone would not see it. */
static void test_tampered_log_data(void **state)
{
    uint8_t *at = memmem(
            server.machine.log.ptr, server.machine.log.len, "30-sign", 7);

    (void)state;
    assert_non_null(at);
    at[0] = '4';
    run();
    assert_refused(APPRAISE_LOG);
}

/* A clean log of a machine that booted something else. */
static void test_log_that_does_not_give_the_pcr(void **state)
{
    uint8_t quoted[32];

    (void)state;
    memcpy(quoted, server.machine.pcr, 32);
    quoted[0] ^= 1;
    memcpy(server.machine.pcr, quoted, 32);
    run();
    assert_refused(APPRAISE_REPLAY);
}

/* ---- that machine, another state ------------------------------------- */

static void assert_not_approved(void)
{
    assert_true(out.genuine);
    assert_false(out.accept);
    assert_string_equal(out.state, "not approved");
    assert_true(out.n_findings > 0);
}

static void test_changed_policy_file(void **state)
{
    char want[512], hex[2][65];
    uint8_t digest[32];

    (void)state;
    machine_boot(&server.machine);
    machine_measure(&server.machine, "conf", "zone.conf", "name = server\n");
    machine_measure(&server.machine, "policy", "policy.d/30-sign.policy",
            "* * a b allow\n");
    machine_measure(&server.machine, "program", "qair-keyd", "ELF");
    machine_measure(
            &server.machine, "qube", "qubes.d/signer.conf", "type = AppVM\n");
    machine_close(&server.machine);
    run();
    assert_not_approved();
    crypto_sha256(span_str("* * a b deny\n"), digest);
    text_format_hex(SPAN_OF(digest), hex[0]);
    crypto_sha256(span_str("* * a b allow\n"), digest);
    text_format_hex(SPAN_OF(digest), hex[1]);
    (void)snprintf(want, sizeof(want),
            "policy.d/30-sign.policy differs from the reference: expected %s, "
            "measured %s\n",
            hex[0], hex[1]);
    assert_lines(want);
}

static void test_missing_and_extra_files(void **state)
{
    (void)state;
    machine_boot(&server.machine);
    machine_measure(&server.machine, "conf", "zone.conf", "name = server\n");
    machine_measure(&server.machine, "program", "qair-keyd", "ELF");
    machine_measure(
            &server.machine, "qube", "qubes.d/signer.conf", "type = AppVM\n");
    machine_measure(&server.machine, "program", "implant", "ELF");
    machine_close(&server.machine);
    run();
    assert_not_approved();
    assert_int_equal(out.n_findings, 2);
    assert_int_equal(out.finding[0].reason, APPRAISE_FILE_MISSING);
    assert_string_equal(out.finding[0].claim, "policy.d/30-sign.policy");
    assert_int_equal(out.finding[1].reason, APPRAISE_FILE_EXTRA);
    assert_string_equal(out.finding[1].claim, "implant");
}

/* The same name under another kind is another file. */
static void test_kind_counts(void **state)
{
    (void)state;
    machine_boot(&server.machine);
    machine_measure(&server.machine, "qube", "zone.conf", "name = server\n");
    machine_close(&server.machine);
    run();
    assert_not_approved();
    assert_int_equal(out.finding[0].reason, APPRAISE_FILE_MISSING);
    assert_string_equal(out.finding[0].claim, "zone.conf");
}

static void test_other_order(void **state)
{
    (void)state;
    machine_boot(&server.machine);
    machine_measure(&server.machine, "policy", "policy.d/30-sign.policy",
            "* * a b deny\n");
    machine_measure(&server.machine, "conf", "zone.conf", "name = server\n");
    machine_measure(&server.machine, "program", "qair-keyd", "ELF");
    machine_measure(
            &server.machine, "qube", "qubes.d/signer.conf", "type = AppVM\n");
    machine_close(&server.machine);
    run();
    assert_not_approved();
    assert_int_equal(out.finding[0].reason, APPRAISE_ORDER);
}

/* The owner's `reload --policy`, or anybody's: a state of its own. */
static void load_policy_while_running(const char *content)
{
    machine_change(&server.machine, 1);
    machine_measure(
            &server.machine, "policy", "policy.d/30-sign.policy", content);
    machine_close(&server.machine);
}

static void test_policy_loaded_while_running(void **state)
{
    (void)state;
    load_policy_while_running("* * a b allow\n");
    run();
    assert_not_approved();
    assert_int_equal(out.n_findings, 2);
    assert_int_equal(out.finding[0].reason, APPRAISE_FILE_EXTRA);
    assert_string_equal(out.finding[0].claim, "reload-1");
    assert_string_equal(out.finding[1].claim, "policy.d/30-sign.policy");
}

/* An approved change, and the same files after a start: two states. */
static void test_approved_change_is_not_an_approved_start(void **state)
{
    (void)state;
    load_policy_while_running("* * a b allow\n");
    pack_free(pack);
    pack = estate_pack(&server, FIXTURE_NOW - 50);
    in.zone = pack_zone(pack, span_str("server"));
    in.reference = pack_reference(pack, span_str("server"), FIXTURE_NOW);
    run();
    assert_true(out.accept);
    machine_boot_golden(&server.machine);
    run();
    assert_not_approved();
    assert_int_equal(out.finding[0].reason, APPRAISE_FILE_MISSING);
    assert_string_equal(out.finding[0].claim, "reload-1");
}

static void test_more_findings_than_fit(void **state)
{
    char name[32];

    (void)state;
    machine_boot(&server.machine);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "services/s%d", i);
        machine_measure(&server.machine, "service", name, "x");
    }
    machine_close(&server.machine);
    run();
    assert_not_approved();
    assert_int_equal(out.n_findings, APPRAISE_FINDINGS_MAX);
    assert_int_equal(out.n_findings + out.n_more, 104);
}

static void test_nothing_approved(void **state)
{
    (void)state;
    in.reference = NULL;
    run();
    assert_not_approved();
    assert_int_equal(out.finding[0].reason, APPRAISE_NO_REFERENCE);
}

static void test_reference_of_another_zone(void **state)
{
    struct pack_reference other = *in.reference;

    (void)state;
    (void)snprintf(other.zone, sizeof(other.zone), "thin");
    in.reference = &other;
    run();
    assert_not_approved();
    assert_int_equal(out.finding[0].reason, APPRAISE_NO_REFERENCE);
}

static void test_expired_approval(void **state)
{
    struct pack_reference old = *in.reference;

    (void)state;
    old.expires = FIXTURE_NOW;
    in.reference = &old;
    run();
    assert_not_approved();
    assert_int_equal(out.finding[0].reason, APPRAISE_EXPIRED);
    old.expires = FIXTURE_NOW + 1;
    run();
    assert_true(out.accept);
}

/* A machine with a boot of its own: the reference binds 4 and 7 as well, and
 * PCR 10 is quoted for whoever wants to look at it. */
static void machine_with_firmware(struct pack_reference *ref)
{
    server.machine.also = 1u << 4 | 1u << 7 | 1u << 10;
    for (unsigned p = 0; p < TCG_PCRS; p++)
        memset(server.machine.other[p], (int)p + 1, 32);
    ref->selection.bank[0].pcrs = 1u << 4 | 1u << 7 | 1u << 14;
    ref->value[2] = ref->value[0];
    memset(ref->value[0].bytes, 5, 32);
    memset(ref->value[1].bytes, 8, 32);
    ref->value[1].len = 32;
    ref->n_values = 3;
    in.reference = ref;
}

static void test_firmware_pcrs_are_compared_by_name(void **state)
{
    struct pack_reference ref = *in.reference;

    (void)state;
    machine_with_firmware(&ref);
    run();
    assert_true(out.accept);
    server.machine.other[10][0] ^= 1; /* runs on: nobody's business */
    run();
    assert_true(out.accept);
    server.machine.other[7][31] ^= 1;
    run();
    assert_not_approved();
    assert_int_equal(out.n_findings, 1);
    assert_int_equal(out.finding[0].reason, APPRAISE_PCR);
    assert_string_equal(out.finding[0].claim, "PCR 7 of sha256");
    server.machine.other[4][0] ^= 1;
    run();
    assert_int_equal(out.n_findings, 2);
    assert_string_equal(out.finding[0].claim, "PCR 4 of sha256");
}

static void test_evidence_without_a_log_says_so(void **state)
{
    struct pack_reference ref = *in.reference;
    char text[APPRAISE_LOG_MAX];

    (void)state;
    run();
    assert_false(out.logless); /* it speaks of no firmware */
    machine_with_firmware(&ref);
    run();
    assert_true(out.accept && out.logless);
    appraise_format_log(&out, text);
    assert_string_equal(text, "no event log: PCR 4,7 judged against values "
                              "that were measured once");
    ref.computed = 1u << 4;
    run();
    appraise_format_log(&out, text);
    assert_string_equal(text,
            "no event log: PCR 4 judged against values computed from the "
            "deployed files, PCR 7 against values that were measured once");
    ref.computed |= 1u << 7;
    run();
    appraise_format_log(&out, text);
    assert_string_equal(text, "no event log: PCR 4,7 judged against values "
                              "computed from the deployed files");
    in.reference = NULL;
    run();
    appraise_format_log(&out, text);
    assert_string_equal(text, "no event log");
}

/* The quote leaves out what would show the change. */
static void test_quote_of_fewer_pcrs_than_approved(void **state)
{
    struct pack_reference ref = *in.reference;

    (void)state;
    machine_with_firmware(&ref);
    server.machine.also &= ~(1u << 7);
    run();
    assert_not_approved();
    assert_int_equal(out.finding[0].reason, APPRAISE_SELECTION);
    assert_int_equal(out.finding[1].reason, APPRAISE_PCR);
    assert_string_equal(out.finding[1].claim, "PCR 7 of sha256");
}

static void test_reference_of_other_pcrs(void **state)
{
    struct pack_reference more = *in.reference;

    (void)state;
    more.selection.bank[0].pcrs |= 1u << 7;
    memcpy(&more.value[1], &more.value[0], sizeof(more.value[0]));
    more.n_values = 2;
    in.reference = &more;
    run();
    assert_not_approved();
    assert_int_equal(out.finding[0].reason, APPRAISE_SELECTION);
}

/* Nobody reaches "accept" by flipping bits of what is good. */
static void test_flipped_bits(void **state)
{
    (void)state;
    run();
    assert_true(out.accept);
    for (size_t i = 0; i < 8 * blob.len; i += 3) {
        blob.ptr[i / 8] ^= (uint8_t)(1u << (i % 8));
        appraise(&in, &out);
        assert_false(out.accept);
        blob.ptr[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
}

static void test_every_reason_has_a_name(void **state)
{
    (void)state;
    for (int r = 1; r < APPRAISE_REASON_COUNT; r++)
        assert_string_not_equal(
                appraise_reason_name((enum appraise_reason)r), "unknown");
    assert_string_equal(appraise_reason_name(APPRAISE_REASON_COUNT), "unknown");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
            T(test_golden),
            T(test_golden_on_hardware),
            T(test_quote_replayed_from_another_connection),
            T(test_binder_of_another_length),
            T(test_other_machines_ak),
            T(test_unrestricted_ak_though_pinned),
            T(test_signed_by_another_key),
            T(test_other_attestations),
            T(test_trailing_byte_in_the_signed_quote),
            T(test_no_evidence_at_all),
            T(test_sha1_bank),
            T(test_resettable_pcr_in_its_place),
            T(test_values_that_were_not_quoted),
            T(test_clocks),
            T(test_zone_that_is_not_trusted),
            T(test_no_log),
            T(test_tampered_log_data),
            T(test_log_that_does_not_give_the_pcr),
            T(test_changed_policy_file),
            T(test_missing_and_extra_files),
            T(test_kind_counts),
            T(test_other_order),
            T(test_policy_loaded_while_running),
            T(test_approved_change_is_not_an_approved_start),
            T(test_more_findings_than_fit),
            T(test_nothing_approved),
            T(test_reference_of_another_zone),
            T(test_expired_approval),
            T(test_reference_of_other_pcrs),
            T(test_firmware_pcrs_are_compared_by_name),
            T(test_evidence_without_a_log_says_so),
            T(test_quote_of_fewer_pcrs_than_approved),
            T(test_flipped_bits),
            T(test_every_reason_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
