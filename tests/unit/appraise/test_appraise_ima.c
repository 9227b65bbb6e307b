/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of the kernel's list: what a quote covers, and what may hide. */
#include "appraise.h"
#include "firmware_log.h"
#include "ima_lists.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t binder[32] = {0xb1, 0xd0};

static struct estate server;
static struct pack *pack;
static struct buf blob;
static struct firmware_log fw;
static struct list list;
static struct appraise_input in;
static struct appraisal out;
static struct appraise_detail detail;

static int setup(void **state)
{
    (void)state;
    estate_init(&server, "server");
    pack = estate_pack(&server, FIXTURE_NOW - 100);
    blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    in = (struct appraise_input){
            .binder = SPAN_OF(binder), .time = FIXTURE_NOW};
    detail = (struct appraise_detail){0};
    firmware_log_init(&fw);
    firmware_log_boot(&fw);
    list = list_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    list_fini(&list);
    firmware_log_fini(&fw);
    appraise_detail_fini(&detail);
    pack_free(pack);
    buf_fini(&blob);
    estate_fini(&server);
    return 0;
}

/* PCR 10 as the machine has it after that much of the list. */
static void quote_after(struct span measured)
{
    struct ima_replay r = {0};

    assert_int_equal(ima_replay_all(open_list(measured, IMA_BINARY),
                             CRYPTO_SHA256, IMA_PCR, SPAN_EMPTY, &r, NULL),
            0);
    memcpy(fw.pcr[IMA_PCR], r.value, CRYPTO_SHA256_SIZE);
}

static void run_with(struct span shown)
{
    firmware_log_give(&fw, &server.machine);
    server.machine.part[EVIDENCE_IMA] = shown;
    buf_reset(&blob);
    machine_evidence(&server.machine, binder, &blob);
    in.evidence = buf_span(&blob);
    appraise_take_pack(&in, pack, span_str("server"));
    appraise_detail_fini(&detail);
    appraise_in_full(&in, &out, &detail);
    assert_true(out.genuine);
    assert_int_equal(claims_ok(&detail.claims, NULL), 0);
}

static void run(void)
{
    quote_after(buf_span(&list.bytes));
    run_with(buf_span(&list.bytes));
}

static const struct claim *get(const char *name)
{
    const struct claim *c = claims_get(&detail.claims, name);

    if (!c)
        fail_msg("no claim %s", name);
    return c;
}

static void assert_number(const char *name, uint64_t want)
{
    assert_true(get(name)->attested);
    assert_int_equal(get(name)->value.number, want);
}

static void assert_bool(const char *name, bool want)
{
    assert_true(get(name)->attested);
    assert_int_equal(get(name)->value.yes, want);
}

static size_t files(bool attested)
{
    size_t n = 0;

    for (size_t i = 0; i < detail.claims.n; i++) {
        const struct claim *c = &detail.claims.claim[i];

        n += c->attested == attested && strcmp(c->name, "ima.file") == 0;
    }
    return n;
}

static bool has_note(const char *text)
{
    for (size_t i = 0; i < detail.n_notes; i++) {
        if (strstr(detail.note[i].text, text))
            return true;
    }
    return false;
}

/* The aggregate of the PCRs that the machine quotes. */
static void add_aggregate(unsigned pcrs)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    char hex[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];
    struct made m;

    crypto_sha256(SPAN(fw.pcr, (size_t)pcrs * CRYPTO_SHA256_SIZE), digest);
    text_format_hex(SPAN_OF(digest), hex);
    m = made_ng("", hex, "boot_aggregate");
    add(&list, &m, false);
}

static void test_a_whole_list(void **state)
{
    (void)state;
    add_aggregate(10);
    many(&list, 3);
    run();
    assert_number("ima.lines", 4);
    assert_number("ima.violations", 0);
    assert_bool("ima.aggregate", true);
    assert_bool("ima.signed", false);
    assert_int_equal(files(true), 3);
    assert_int_equal(files(false), 0);
    /* Nobody signs the name of a template. */
    assert_false(get("ima.template")->attested);
    assert_string_equal(
            get("ima.file")->source, "measured file 2, in PCR 10: /bin/00");
}

static void test_what_is_behind_the_quote_is_hearsay(void **state)
{
    size_t covered;

    (void)state;
    add_aggregate(10);
    many(&list, 2);
    covered = list.bytes.len;
    many(&list, 5);
    quote_after(SPAN(list.bytes.ptr, covered));
    run_with(buf_span(&list.bytes));
    assert_number("ima.lines", 3);
    assert_int_equal(files(true), 2);
    assert_int_equal(files(false), 0);
    assert_false(get("ima.unattested")->attested);
    assert_int_equal(get("ima.unattested")->value.number, 5);
}

static void test_a_list_that_the_quote_does_not_give(void **state)
{
    (void)state;
    add_aggregate(10);
    many(&list, 3);
    quote_after(buf_span(&list.bytes));
    list.bytes.ptr[list.bytes.len - 2] ^= 1;
    run_with(buf_span(&list.bytes));
    assert_null(claims_get(&detail.claims, "ima.lines"));
    assert_null(claims_get(&detail.claims, "ima.file"));
    assert_true(has_note("does not have the hash"));
    run_with(SPAN(list.bytes.ptr, list.bytes.len / 2));
    assert_null(claims_get(&detail.claims, "ima.file"));
    run_with(span_str("no list at all, but some text"));
    assert_null(claims_get(&detail.claims, "ima.file"));
    run_with(SPAN_EMPTY);
    assert_null(claims_get(&detail.claims, "ima.lines"));
}

static void test_the_aggregate_of_another_boot(void **state)
{
    (void)state;
    add_aggregate(9);
    many(&list, 1);
    run();
    assert_bool("ima.aggregate", false);
    /* One that is not the first is a file like any other. */
    list.bytes.len = 0;
    many(&list, 1);
    add_aggregate(10);
    run();
    assert_null(claims_get(&detail.claims, "ima.aggregate"));
    assert_int_equal(files(true), 2);
}

static void test_a_violation_leaves_no_file_attested(void **state)
{
    struct made m = made_ng("", ZERO_HEX, "/var/log/x");

    (void)state;
    add_aggregate(10);
    many(&list, 2);
    add(&list, &m, true);
    run();
    assert_number("ima.violations", 1);
    assert_int_equal(files(true), 0);
    assert_int_equal(files(false), 2);
    assert_true(has_note("changed while it was measured"));
    assert_null(claims_get(&detail.claims, "ima.signed"));
}

static void list_evil(const char *template)
{
    struct made m = {template, ""};

    list.bytes.len = 0;
    add_aggregate(10);
    many(&list, 2);
    field_digest(&m, "sha256:", OTHER_HEX);
    field(&m, "/bin/evil", 10);
    field(&m, "", 0);
    add(&list, &m, false);
}

/* An evil file whose entry is called something else by who sends it: PCR 10
 * hashes the fields, and not the name of the template. */
static void test_an_entry_that_is_called_something_else(void **state)
{
    static const char *const names[] = {"ima-sig", "ima-zzz", "ima-buf",
            "ima-sigv2", "d-ng|n-ng|evmsig", "d|n|sig"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t attested;

        list_evil("ima-sig");
        quote_after(buf_span(&list.bytes));
        list_evil(names[i]);
        run_with(buf_span(&list.bytes));
        attested = files(true);
        /* Named as evil, or nothing is named. */
        assert_true(attested == 3 || (i > 0 && attested == 0));
        if (claims_get(&detail.claims, "ima.signed"))
            assert_bool("ima.signed", false);
    }
}

static void test_more_files_than_can_be_told(void **state)
{
    (void)state;
    many(&list, 32768);
    run();
    assert_int_equal(files(true), 32768);
    many(&list, 1);
    run();
    assert_int_equal(files(true), 0);
    assert_int_equal(files(false), 32768);
    assert_true(has_note("more files"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_a_whole_list),
            T(test_what_is_behind_the_quote_is_hearsay),
            T(test_a_list_that_the_quote_does_not_give),
            T(test_the_aggregate_of_another_boot),
            T(test_a_violation_leaves_no_file_attested),
            T(test_an_entry_that_is_called_something_else),
            T(test_more_files_than_can_be_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
