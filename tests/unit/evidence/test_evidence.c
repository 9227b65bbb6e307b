/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence blob and the zone's event log. */
#include "evidence_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t binder[32] = {1, 2, 3};

static struct machine machine;
static struct buf blob;

static int setup(void **state)
{
    (void)state;
    machine_init(&machine);
    blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    machine_evidence(&machine, binder, &blob);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    machine_fini(&machine);
    buf_fini(&blob);
    return 0;
}

/* ---- blob ------------------------------------------------------------ */

static void test_blob_is_canonical(void **state)
{
    struct buf again = BUF_INIT(LIMIT_EVIDENCE_MAX);
    struct evidence e;

    (void)state;
    assert_int_equal(evidence_parse(buf_span(&blob), &e, NULL), 0);
    assert_int_equal(evidence_format(&e, &again, NULL), 0);
    assert_true(span_eq(buf_span(&blob), buf_span(&again)));
    assert_int_equal(tcg_verify(&e.ak_public, e.attest, &e.sig, NULL), 0);
    assert_memory_equal(e.quote.extra.ptr, binder, 32);
    buf_fini(&again);
}

static void test_every_truncation_is_refused(void **state)
{
    struct evidence e;

    (void)state;
    for (size_t n = 0; n < blob.len; n++)
        assert_true(evidence_parse(SPAN(blob.ptr, n), &e, NULL) != 0);
}

static void test_trailing_byte_is_refused(void **state)
{
    struct evidence e;

    (void)state;
    buf_append_u8(&blob, 0);
    assert_int_equal(evidence_parse(buf_span(&blob), &e, NULL), ERR_SYNTAX);
}

/* A flipped bit is refused, or leaves a signature or log that does not hold,
 * or changes nothing that the format does not say again. */
static void test_flipped_bits_never_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < blob.len; i++) {
        struct evidence e;
        struct evidence_events events;
        bool holds;

        blob.ptr[i] ^= 0x10;
        holds = evidence_parse(buf_span(&blob), &e, NULL) == 0 &&
                tcg_verify(&e.ak_public, e.attest, &e.sig, NULL) == 0 &&
                span_eq(e.ak, SPAN(machine.ak, machine.ak_len));
        if (holds && evidence_events_parse(e.log, &events, NULL) == 0) {
            holds = span_eq(SPAN_OF(events.pcr), e.values.value[0]);
            evidence_events_fini(&events);
        } else {
            holds = false;
        }
        assert_false(holds);
        blob.ptr[i] ^= 0x10;
    }
}

static const struct {
    const char *what;
    size_t at;
    uint8_t byte;
    int code;
} bad_headers[] = {
        {"magic", 0, 'q', ERR_SYNTAX},
        {"version", 9, 3, ERR_UNSUPPORTED},
        {"version 0", 9, 0, ERR_UNSUPPORTED},
        {"version of more than is there", 9, 2, ERR_SYNTAX},
        {"no part", 11, 0, ERR_SYNTAX},
        {"three parts", 11, 3, ERR_SYNTAX},
        {"parts without end", 10, 0xff, ERR_SYNTAX},
        {"log first", 13, 2, ERR_SYNTAX},
        {"part of 2^31 bytes", 14, 0x80, ERR_SYNTAX},
};

static void test_bad_headers(void **state)
{
    struct evidence e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_headers); i++) {
        uint8_t was = blob.ptr[bad_headers[i].at];

        blob.ptr[bad_headers[i].at] = bad_headers[i].byte;
        print_message("  %s\n", bad_headers[i].what);
        assert_int_equal(
                evidence_parse(buf_span(&blob), &e, NULL), bad_headers[i].code);
        blob.ptr[bad_headers[i].at] = was;
    }
}

static void test_oversized_is_refused(void **state)
{
    struct evidence e;
    struct buf big = BUF_INIT(2 * LIMIT_EVIDENCE_MAX);
    uint8_t *room = buf_reserve(&big, LIMIT_EVIDENCE_MAX + 1);

    (void)state;
    assert_non_null(room);
    memset(room, 0, LIMIT_EVIDENCE_MAX + 1);
    memcpy(room, blob.ptr, blob.len);
    buf_commit(&big, LIMIT_EVIDENCE_MAX + 1);
    assert_int_equal(evidence_parse(buf_span(&big), &e, NULL), ERR_LIMIT);
    buf_fini(&big);
}

/* What only just does not fit must be refused when it is made. */
static void test_too_much_does_not_fit(void **state)
{
    static uint8_t log[LIMIT_EVIDENCE_MAX];
    struct buf out = BUF_INIT(LIMIT_EVIDENCE_MAX);
    struct evidence e;

    (void)state;
    assert_int_equal(evidence_parse(buf_span(&blob), &e, NULL), 0);
    e.part[EVIDENCE_FIRMWARE] = SPAN(log, sizeof(log) - blob.len - 5);
    assert_int_equal(evidence_format(&e, &out, NULL), ERR_LIMIT);
    assert_int_equal(out.len, 0);
    e.part[EVIDENCE_FIRMWARE].len--;
    assert_int_equal(evidence_format(&e, &out, NULL), 0);
    assert_int_equal(out.len, LIMIT_EVIDENCE_MAX);
    assert_int_equal(evidence_parse(buf_span(&out), &e, NULL), 0);
    buf_fini(&out);
}

/* ---- further parts --------------------------------------------------- */

static void test_parts_round_trip(void **state)
{
    static const char *const text = "no two parts are the same bytes";
    struct buf again = BUF_INIT(LIMIT_EVIDENCE_MAX);
    struct evidence e;

    (void)state;
    for (unsigned set = 1; set < 1u << 6; set++) {
        for (unsigned k = EVIDENCE_FIRMWARE; k < EVIDENCE_KINDS; k++)
            machine.part[k] = set >> (k - EVIDENCE_FIRMWARE) & 1
                                      ? SPAN(text + k, k)
                                      : SPAN_EMPTY;
        machine.no_log = set & 1;
        buf_reset(&blob);
        machine_evidence(&machine, binder, &blob);
        assert_int_equal(evidence_parse(buf_span(&blob), &e, NULL), 0);
        for (unsigned k = EVIDENCE_FIRMWARE; k < EVIDENCE_KINDS; k++)
            assert_true(span_eq(e.part[k], machine.part[k]));
        assert_int_equal(e.log.len == 0, machine.no_log);
        buf_reset(&again);
        assert_int_equal(evidence_format(&e, &again, NULL), 0);
        assert_true(span_eq(buf_span(&blob), buf_span(&again)));
    }
    buf_fini(&again);
}

/* The blob with firmware and IMA; patched at the place of a part's header. */
static void test_parts_out_of_order(void **state)
{
    static const struct {
        const char *what;
        uint8_t first, second;
    } bad[] = {
            {"twice", 3, 3},
            {"descending", 4, 3},
            {"a second quote", 1, 4},
            {"a second log of the zone", 2, 4},
            {"unknown kind", 3, EVIDENCE_KINDS},
            {"kind 0", 0, 4},
    };
    size_t at;
    struct evidence e;

    (void)state;
    machine.part[EVIDENCE_FIRMWARE] = span_str("firmware");
    machine.part[EVIDENCE_IMA] = span_str("ima");
    buf_reset(&blob);
    machine_evidence(&machine, binder, &blob);
    at = blob.len - 6 - 3 - 6 - 8 + 1; /* low byte of the first kind */
    assert_int_equal(blob.ptr[at], EVIDENCE_FIRMWARE);
    assert_int_equal(blob.ptr[at + 14], EVIDENCE_IMA);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        print_message("  %s\n", bad[i].what);
        blob.ptr[at] = bad[i].first;
        blob.ptr[at + 14] = bad[i].second;
        assert_int_equal(evidence_parse(buf_span(&blob), &e, NULL), ERR_SYNTAX);
    }
    blob.ptr[at] = EVIDENCE_FIRMWARE;
    blob.ptr[at + 14] = EVIDENCE_IMA;
    assert_int_equal(evidence_parse(buf_span(&blob), &e, NULL), 0);
    blob.ptr[9] = EVIDENCE_VERSION_PLAIN; /* which has no such parts */
    assert_int_equal(evidence_parse(buf_span(&blob), &e, NULL), ERR_SYNTAX);
    blob.ptr[9] = EVIDENCE_VERSION;
    blob.len -= 3;
    blob.ptr[blob.len - 1] = 0; /* a part that is there and empty */
    assert_int_equal(evidence_parse(buf_span(&blob), &e, NULL), ERR_SYNTAX);
}

static void test_other_attestations_are_not_quotes(void **state)
{
    static const uint16_t types[] = {0x8014, 0x8017, 0x8019, 0x801a, 0x0000};
    struct evidence e;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        machine.attest_type = types[i];
        buf_reset(&blob);
        machine_evidence(&machine, binder, &blob);
        assert_int_equal(
                evidence_parse(buf_span(&blob), &e, &err), ERR_MISMATCH);
    }
}

/* ---- the zone's event log -------------------------------------------- */

static void test_events_round_trip(void **state)
{
    struct evidence_events events;
    struct eventlog_pcrs pcrs;

    (void)state;
    assert_int_equal(
            evidence_events_parse(buf_span(&machine.log), &events, NULL), 0);
    assert_int_equal(events.n, 4);
    assert_true(span_eq_str(events.event[1].name, "policy.d/30-sign.policy"));
    assert_true(span_eq_str(events.event[1].kind, "policy"));
    assert_int_equal(events.event[1].size, 13);
    assert_memory_equal(events.pcr, machine.pcr, 32);
    /* The general reader of TCG logs comes to the same PCR. */
    assert_int_equal(eventlog_replay(buf_span(&machine.log), &pcrs, NULL), 0);
    assert_int_equal(pcrs.n, 1);
    assert_memory_equal(pcrs.bank[0].value[EVIDENCE_ZONE_PCR], machine.pcr, 32);
    assert_int_equal(pcrs.bank[0].extended, 1u << EVIDENCE_ZONE_PCR);
    evidence_events_fini(&events);
}

static void assert_log_refused(void)
{
    struct evidence_events events;

    assert_true(
            evidence_events_parse(buf_span(&machine.log), &events, NULL) != 0);
}

static void test_log_without_separator(void **state)
{
    (void)state;
    machine_boot(&machine);
    machine_measure(&machine, "conf", "zone.conf", "x");
    assert_log_refused();
}

static void test_file_behind_the_separator(void **state)
{
    (void)state;
    machine_measure(&machine, "program", "late", "x");
    assert_log_refused();
}

static void test_two_separators(void **state)
{
    (void)state;
    machine_close(&machine);
    assert_log_refused();
}

static void test_file_measured_twice(void **state)
{
    (void)state;
    machine_boot(&machine);
    machine_measure(&machine, "policy", "a", "x");
    machine_measure(&machine, "policy", "b", "x");
    machine_measure(&machine, "policy", "a", "y");
    machine_close(&machine);
    assert_log_refused();
}

/* The same file again, in a round of its own. */
static void test_change_begins_a_round(void **state)
{
    struct evidence_events events;
    struct eventlog_pcrs pcrs;

    (void)state;
    machine_change(&machine, 1);
    machine_measure(&machine, "policy", "policy.d/30-sign.policy", "");
    machine_close(&machine);
    machine_change(&machine, 2);
    machine_close(&machine);
    assert_int_equal(
            evidence_events_parse(buf_span(&machine.log), &events, NULL), 0);
    assert_int_equal(events.n, 7);
    assert_int_equal(events.rounds, 2);
    assert_int_equal(events.event[1].round, 0);
    assert_int_equal(events.event[5].round, 1);
    assert_true(span_eq_str(events.event[5].name, "policy.d/30-sign.policy"));
    assert_memory_equal(events.pcr, machine.pcr, 32);
    assert_int_equal(eventlog_replay(buf_span(&machine.log), &pcrs, NULL), 0);
    assert_memory_equal(pcrs.bank[0].value[EVIDENCE_ZONE_PCR], machine.pcr, 32);
    evidence_events_fini(&events);
}

static void test_change_that_is_not_closed(void **state)
{
    (void)state;
    machine_change(&machine, 1);
    assert_log_refused();
}

static void test_change_within_a_round(void **state)
{
    (void)state;
    machine_change(&machine, 1);
    machine_change(&machine, 2);
    machine_close(&machine);
    assert_log_refused();
}

static void test_change_before_the_start_was_closed(void **state)
{
    (void)state;
    machine_boot(&machine);
    machine_change(&machine, 1);
    machine_close(&machine);
    assert_log_refused();
}

static void test_change_out_of_count(void **state)
{
    (void)state;
    machine_change(&machine, 2);
    machine_close(&machine);
    assert_log_refused();
}

static void test_change_of_another_form(void **state)
{
    (void)state;
    machine_measure(&machine, "change", "reload-1", "x");
    machine_close(&machine);
    assert_log_refused();
}

static void test_file_measured_twice_in_a_round(void **state)
{
    (void)state;
    machine_change(&machine, 1);
    machine_measure(&machine, "policy", "a", "x");
    machine_measure(&machine, "policy", "a", "y");
    machine_close(&machine);
    assert_log_refused();
}

static void test_padding_is_not_canonical(void **state)
{
    (void)state;
    buf_append_u8(&machine.log, 0);
    assert_log_refused();
}

/* Data altered, digest kept: the PCR still comes out right. */
static void test_renamed_file_is_refused(void **state)
{
    uint8_t *at;

    (void)state;
    at = memmem(machine.log.ptr, machine.log.len, "30-sign", 7);
    assert_non_null(at);
    at[0] = '9';
    assert_log_refused();
}

static void test_names_that_are_refused(void **state)
{
    static const char *const kinds[] = {
            "", "Policy", "a b", "kind-of-more-than-16"};
    static const char *const names[] = {"", "new\nline", "\xc3\xa4", "\x7f"};
    struct evidence_event e = {.kind = span_str("conf"), .name = span_str("x")};
    uint8_t digest[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        e.kind = span_str(kinds[i]);
        assert_int_equal(evidence_events_add(&machine.log, &e, digest, NULL),
                ERR_SYNTAX);
    }
    e.kind = span_str("conf");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        e.name = span_str(names[i]);
        assert_int_equal(evidence_events_add(&machine.log, &e, digest, NULL),
                ERR_SYNTAX);
    }
}

/* ---- keys ------------------------------------------------------------ */

static const struct {
    const char *what;
    uint32_t attributes;
} bad_aks[] = {
        {"signs forged quotes", AK_ATTRIBUTES & ~TCG_RESTRICTED},
        {"moves to another TPM", AK_ATTRIBUTES & ~TCG_FIXED_TPM},
        {"moves to another parent", AK_ATTRIBUTES & ~TCG_FIXED_PARENT},
        {"was made outside", AK_ATTRIBUTES & ~TCG_SENSITIVE_ORIG},
        {"does not sign", AK_ATTRIBUTES & ~TCG_SIGN},
        {"decrypts", AK_ATTRIBUTES | TCG_DECRYPT},
};

static void test_unfit_attestation_keys(void **state)
{
    struct tcg_public p;

    (void)state;
    assert_int_equal(tcg_public(SPAN(machine.ak, machine.ak_len), &p, NULL), 0);
    assert_int_equal(tcg_check_ak(&p, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad_aks); i++) {
        print_message("  %s\n", bad_aks[i].what);
        machine_set_attributes(&machine, bad_aks[i].attributes);
        assert_int_equal(
                tcg_public(SPAN(machine.ak, machine.ak_len), &p, NULL), 0);
        assert_int_equal(tcg_check_ak(&p, NULL), ERR_DENIED);
    }
    machine_set_attributes(&machine, AK_ATTRIBUTES | 0x80000000u);
    assert_int_equal(
            tcg_public(SPAN(machine.ak, machine.ak_len), &p, NULL), ERR_SYNTAX);
}

static void test_point_off_the_curve(void **state)
{
    struct tcg_public p;

    (void)state;
    machine.ak[machine.ak_len - 1] ^= 1;
    assert_int_equal(tcg_public(SPAN(machine.ak, machine.ak_len), &p, NULL), 0);
    assert_null(tcg_pub(&p));
}

static void test_signer_is_named_as_the_tpm_does(void **state)
{
    struct crypto_key *owner = crypto_key_generate(CRYPTO_P256);
    struct tcg_public p;
    struct tcg_name name;
    uint8_t bytes[TCG_SIGNER_MAX], direct[32], by_name[32], ref[32];
    size_t len;

    (void)state;
    assert_non_null(owner);
    assert_int_equal(tcg_signer_public(
                             crypto_key_pub(owner), bytes, sizeof(bytes), &len),
            0);
    assert_int_equal(tcg_public(SPAN(bytes, len), &p, NULL), 0);
    assert_int_equal(tcg_name(&p, &name), 0);
    tcg_policy_ref(span_str("server"), ref);
    assert_int_equal(
            tcg_policy_authorize(crypto_key_pub(owner), SPAN_OF(ref), direct),
            0);
    assert_int_equal(
            tcg_policy_authorize_name(&name, SPAN_OF(ref), by_name), 0);
    assert_memory_equal(direct, by_name, 32);
    tcg_policy_ref(span_str("thin"), ref);
    assert_int_equal(
            tcg_policy_authorize(crypto_key_pub(owner), SPAN_OF(ref), by_name),
            0);
    assert_memory_not_equal(direct, by_name, 32);
    crypto_key_free(owner);
}

/* ---- selections and NV contents -------------------------------------- */

static const struct {
    const char *what;
    const char *hex;
    bool ok;
} selections[] = {
        {"sha256:14", "00000001000b03004000", true},
        {"32 PCRs", "00000001000b0400400000", true},
        {"no bank", "00000000", true},
        {"PCR 24", "00000001000b0400400001", false},
        {"16 PCRs", "00000001000b020040", true},
        {"no PCRs", "00000001000b00", false},
        {"40 PCRs", "00000001000b050040000000", false},
        {"bank twice", "00000002000b03004000000b03000000", false},
        {"2^32-1 banks", "ffffffff000b03004000", false},
        {"cut", "00000001000b030040", false},
};

static void test_selections(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(selections); i++) {
        uint8_t bytes[64];
        size_t n = strlen(selections[i].hex) / 2;
        struct wire_reader r = wire_reader_of(SPAN(bytes, n));
        struct tcg_selection s;

        print_message("  %s\n", selections[i].what);
        assert_true(text_parse_hex(span_str(selections[i].hex), bytes, n));
        assert_int_equal(tcg_get_selection(&r, &s), selections[i].ok);
        assert_int_equal(r.left == 0, selections[i].ok);
    }
}

static void test_nv_trim(void **state)
{
    uint8_t nv[4 + 256 + 8] = {0x30, 0x82, 0x01, 0x00};
    struct span der;

    (void)state;
    assert_int_equal(tcg_ek_trim(SPAN(nv, 260), &der), 0);
    assert_int_equal(tcg_ek_trim(SPAN(nv, sizeof(nv)), &der), 0);
    assert_int_equal(der.len, 260);
    memset(nv + 260, 0xff, 8);
    assert_int_equal(tcg_ek_trim(SPAN(nv, sizeof(nv)), &der), 0);
    nv[267] = 0xfe; /* something hides behind the certificate */
    assert_int_equal(tcg_ek_trim(SPAN(nv, sizeof(nv)), &der), ERR_SYNTAX);
    nv[260] = 0x41;
    assert_int_equal(tcg_ek_trim(SPAN(nv, 261), &der), ERR_SYNTAX);
    assert_int_equal(tcg_ek_trim(SPAN(nv, 259), &der), ERR_SYNTAX);
    nv[1] = 0x84;
    assert_int_equal(tcg_ek_trim(SPAN(nv, 260), &der), ERR_SYNTAX);
    assert_int_equal(tcg_ek_trim(SPAN_EMPTY, &der), ERR_SYNTAX);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
            T(test_blob_is_canonical),
            T(test_every_truncation_is_refused),
            T(test_trailing_byte_is_refused),
            T(test_flipped_bits_never_hold),
            T(test_bad_headers),
            T(test_oversized_is_refused),
            T(test_too_much_does_not_fit),
            T(test_parts_round_trip),
            T(test_parts_out_of_order),
            T(test_other_attestations_are_not_quotes),
            T(test_events_round_trip),
            T(test_log_without_separator),
            T(test_file_behind_the_separator),
            T(test_two_separators),
            T(test_file_measured_twice),
            T(test_change_begins_a_round),
            T(test_change_that_is_not_closed),
            T(test_change_within_a_round),
            T(test_change_before_the_start_was_closed),
            T(test_change_out_of_count),
            T(test_change_of_another_form),
            T(test_file_measured_twice_in_a_round),
            T(test_padding_is_not_canonical),
            T(test_renamed_file_is_refused),
            T(test_names_that_are_refused),
            T(test_unfit_attestation_keys),
            T(test_point_off_the_curve),
            T(test_signer_is_named_as_the_tpm_does),
            T(test_selections),
            T(test_nv_trim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
