/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of measured files, dynamic launches and devices: what the quote does
 * not prove, or another could have said, is none. */
#include "appraise.h"
#include "eventlog_fixture.h"
#include "ima_lists.h"
#include "pack_fixture.h"
#include "responder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t binder[32] = {0xb1, 0xd0};

static struct estate server;
static struct pack *pack;
static struct buf blob, part;
static struct appraise_input in;
static struct appraisal out;
static struct appraise_detail detail;

static int setup(void **state)
{
    (void)state;
    estate_init(&server, "server");
    pack = estate_pack(&server, FIXTURE_NOW - 100);
    blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    part = BUF_INIT(1u << 20);
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
    buf_fini(&part);
    estate_fini(&server);
    return 0;
}

static void run(void)
{
    buf_reset(&blob);
    machine_evidence(&server.machine, binder, &blob);
    in.evidence = buf_span(&blob);
    appraise_take_pack(&in, pack, span_str("server"));
    appraise_detail_fini(&detail);
    appraise_in_full(&in, &out, &detail);
    assert_true(out.genuine && out.accept); /* no rules, so no matter */
    assert_int_equal(claims_ok(&detail.claims, NULL), 0);
}

static const struct claim *get(const char *name)
{
    const struct claim *c = claims_get(&detail.claims, name);

    if (!c)
        fail_msg("no claim %s", name);
    return c;
}

static void assert_absent(const char *name)
{
    if (claims_get(&detail.claims, name))
        fail_msg("there is a claim %s", name);
}

static void assert_note(const char *text)
{
    assert_int_equal(detail.n_notes, 1);
    if (!strstr(detail.note[0].text, text))
        fail_msg("note: %s", detail.note[0].text);
}

static size_t count(const char *name, bool attested)
{
    size_t n = 0;

    for (size_t i = 0; i < detail.claims.n; i++)
        n += strcmp(detail.claims.claim[i].name, name) == 0 &&
             detail.claims.claim[i].attested == attested;
    return n;
}

/* ---- measured files -------------------------------------------------- */

static struct list list;

/* The machine quotes PCR 10 as after the first n entries, and sends all. */
static void give_list(size_t len)
{
    struct ima_list l;
    struct ima_replay r;

    assert_int_equal(
            ima_open(SPAN(list.bytes.ptr, len), IMA_BINARY, 20, &l, NULL), 0);
    assert_int_equal(
            ima_replay_all(l, CRYPTO_SHA256, 10, SPAN_EMPTY, &r, NULL), 0);
    server.machine.also |= 1u << 10;
    memcpy(server.machine.other[10], r.value, 32);
    server.machine.part[EVIDENCE_IMA] = buf_span(&list.bytes);
}

static void put_file(const char *hex, const char *name)
{
    struct made m = made_ng(" x", hex, name);

    add(&list, &m, false);
}

/* SHA-256 over PCRs 0 to 9, all of which are quoted. */
static void put_aggregate(void)
{
    uint8_t digest[32];
    char hex[TEXT_HEX_SIZE(32)];

    server.machine.also |= 0x3ff;
    for (unsigned i = 0; i < 10; i++)
        server.machine.other[i][0] = (uint8_t)(i + 1);
    crypto_sha256(SPAN(server.machine.other, 10 * 32), digest);
    text_format_hex(SPAN_OF(digest), hex);
    put_file(hex, "boot_aggregate");
}

static void test_files_that_the_quote_proves(void **state)
{
    size_t covered;

    (void)state;
    list = list_new();
    put_aggregate();
    put_file(FILE_HEX, "/bin/a");
    put_file(OTHER_HEX, "/bin/b");
    covered = list.bytes.len;
    put_file(ABC_HEX, "/bin/later");
    give_list(covered);
    run();
    assert_int_equal(detail.n_notes, 0);
    assert_int_equal(get("ima.lines")->value.number, 3);
    assert_int_equal(get("ima.unattested")->value.number, 1);
    assert_false(get("ima.unattested")->attested);
    assert_int_equal(get("ima.violations")->value.number, 0);
    assert_true(get("ima.aggregate")->value.yes);
    assert_false(get("ima.signed")->value.yes);
    assert_int_equal(count("ima.file", true), 2);
    list_fini(&list);
}

static void test_the_aggregate_of_another_boot(void **state)
{
    (void)state;
    list = list_new();
    put_aggregate();
    put_file(FILE_HEX, "/bin/a");
    give_list(list.bytes.len);
    server.machine.other[7][0] ^= 1;
    run();
    assert_false(get("ima.aggregate")->value.yes);
    assert_true(get("ima.aggregate")->attested);
    server.machine.also = 1u << 10; /* nothing to compare it with */
    run();
    assert_absent("ima.aggregate");
    list_fini(&list);
}

static void test_a_list_that_pcr_10_does_not_prove(void **state)
{
    (void)state;
    list = list_new();
    put_file(FILE_HEX, "/bin/a");
    give_list(list.bytes.len);
    server.machine.other[10][0] ^= 1;
    run();
    assert_int_equal(detail.n_notes, 1);
    assert_absent("ima.lines");
    assert_int_equal(count("ima.file", true), 0);
    server.machine.also = 0;
    run();
    assert_note("PCR 10 is not quoted");
    assert_absent("ima.lines");
    server.machine.also = 1u << 10;
    server.machine.part[EVIDENCE_IMA] = span_str("no list");
    run();
    assert_int_equal(detail.n_notes, 1);
    assert_absent("ima.lines");
    list_fini(&list);
}

/* A file is held open for writing, so that the kernel cannot say what is
 * read: an allow list says nothing then. */
static void test_a_violation_hides_a_file(void **state)
{
    struct made m = made_ng(" x", FILE_HEX, "/bin/evil");

    (void)state;
    list = list_new();
    put_file(FILE_HEX, "/bin/a");
    add(&list, &m, true);
    give_list(list.bytes.len);
    run();
    assert_int_equal(get("ima.violations")->value.number, 1);
    assert_int_equal(count("ima.file", true), 0);
    assert_int_equal(count("ima.file", false), 1);
    list_fini(&list);
}

/* A file under a template of buffers, or called boot_aggregate, is a file. */
static void test_a_file_that_is_called_something_else(void **state)
{
    struct made m = {"ima-buf", " x"};

    (void)state;
    list = list_new();
    put_file(FILE_HEX, "/bin/a");
    put_file(OTHER_HEX, "boot_aggregate");
    field_digest(&m, "sha256:", ABC_HEX);
    field(&m, "kexec-cmdline", 14);
    field(&m, "abc", 3);
    add(&list, &m, false);
    give_list(list.bytes.len);
    run();
    assert_int_equal(count("ima.file", true), 3);
    list_fini(&list);
}

/* ---- dynamic launch -------------------------------------------------- */

/* Offsets behind the header of an SKL log with two banks. */
#define VENDOR    (32 + 28 + 8 + 1)
#define ALLOCATED (VENDOR + 8)
#define NEXT      (VENDOR + 16)

static void put_u32_at(size_t at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        part.ptr[at + (size_t)i] = (uint8_t)(v >> (8 * i));
}

static void launch_event(uint32_t pcr, const char *hashed)
{
    uint8_t digest[32];

    fixture_event_of(&part, fixture_algs, 2, pcr, EVENTLOG_EV_SLAUNCH,
            span_str(hashed), span_str("x"));
    crypto_sha256(span_str(hashed), digest);
    crypto_sha256_two(SPAN_OF(server.machine.other[pcr]), SPAN_OF(digest),
            server.machine.other[pcr]);
}

static void give_launch(void)
{
    static const uint8_t vendor[20] = {[2] = 0x7f};

    fixture_header(&part, fixture_algs, 2, SPAN_OF(vendor));
    launch_event(17, "slb");
    launch_event(18, "mbi");
    launch_event(17, "kernel");
    put_u32_at(ALLOCATED, 0x8000);
    put_u32_at(NEXT, (uint32_t)part.len);
    server.machine.also |= 1u << 17 | 1u << 18;
    server.machine.part[EVIDENCE_DRTM] = buf_span(&part);
}

static void test_a_launch(void **state)
{
    uint8_t digest[32];

    (void)state;
    give_launch();
    run();
    assert_int_equal(detail.n_notes, 0);
    assert_true(get("drtm.launched")->value.yes);
    assert_true(get("drtm.log")->value.yes);
    assert_false(get("drtm.kind")->attested);
    crypto_sha256(span_str("slb"), digest);
    assert_memory_equal(get("drtm.loader")->value.bytes.ptr, digest, 32);
    assert_int_equal(count("drtm.image", true), 2);
    assert_true(get("drtm.pcr.17")->attested);
}

/* TXT's way to use PCRs is an event of zeros, which extends nothing. */
static void test_an_event_that_extends_nothing(void **state)
{
    static const uint8_t zero[32];
    uint8_t digest[32];
    size_t at;

    (void)state;
    give_launch();
    buf_reset(&part);
    fixture_header(&part, fixture_algs, 2, SPAN((uint8_t[20]){[2] = 0x7f}, 20));
    at = part.len;
    fixture_event_of(&part, fixture_algs, 2, 17, EVENTLOG_EV_TXT_FIRST,
            span_str("no"), span_str("x"));
    memset(part.ptr + at + 14, 0, 20); /* PCR, type, count, algorithm */
    memcpy(part.ptr + at + 14 + 20 + 2, zero, 32);
    memset(server.machine.other[17], 0, 32);
    memset(server.machine.other[18], 0, 32);
    launch_event(17, "slb");
    launch_event(18, "mbi");
    put_u32_at(ALLOCATED, 0x8000);
    put_u32_at(NEXT, (uint32_t)part.len);
    server.machine.part[EVIDENCE_DRTM] = buf_span(&part);
    run();
    assert_int_equal(detail.n_notes, 0);
    crypto_sha256(span_str("slb"), digest);
    assert_memory_equal(get("drtm.loader")->value.bytes.ptr, digest, 32);
    assert_int_equal(count("drtm.image", true), 1);
}

static void test_no_launch(void **state)
{
    (void)state;
    give_launch();
    for (int fill = 0; fill <= 0xff; fill += 0xff) {
        memset(server.machine.other[17], fill, 32);
        run();
        assert_false(get("drtm.launched")->value.yes);
        assert_false(get("drtm.log")->value.yes);
        assert_absent("drtm.loader");
        assert_int_equal(detail.n_notes, 1);
    }
}

static void test_a_launch_of_something_else(void **state)
{
    (void)state;
    give_launch();
    server.machine.other[18][3] ^= 4;
    run();
    assert_false(get("drtm.log")->value.yes);
    assert_absent("drtm.loader");
    server.machine.also = 1u << 17;
    run();
    assert_note("17 and 18 are not quoted");
    assert_absent("drtm.log");
    server.machine.part[EVIDENCE_DRTM] = span_str("no log");
    run();
    assert_absent("drtm.log");
}

/* ---- devices --------------------------------------------------------- */

/* What a device answers for a verifier's nonce; false: it does not. */
static bool record(enum responder_lie lie, const uint8_t *nonce,
        struct responder *d, struct buf *ret)
{
    struct spdm_requester *r = spdm_requester_new(nonce, 0, 0x12);
    struct buf answer = BUF_INIT(SPDM_MESSAGE_MAX);
    struct span request;
    int rc;

    responder_init(d, lie, 0x13);
    while ((rc = spdm_requester_next(r, &request, NULL)) == 1) {
        buf_reset(&answer);
        responder_answer(d, request, &answer);
        rc = spdm_requester_take(r, buf_span(&answer), NULL);
        if (rc != 0)
            break;
    }
    buf_append(ret, spdm_requester_record(r));
    buf_fini(&answer);
    spdm_requester_free(r);
    return rc == 0;
}

static void put_be(size_t v, size_t n)
{
    while (n-- > 0)
        buf_append_u8(&part, (uint8_t)(v >> (8 * n)));
}

static void give_devices(const struct buf *r, size_t n)
{
    buf_reset(&part);
    put_be(n, 2);
    for (size_t i = 0; i < n; i++) {
        put_be(r[i].len, 4);
        buf_append(&part, buf_span(&r[i]));
    }
    server.machine.part[EVIDENCE_SPDM] = buf_span(&part);
}

static void test_devices(void **state)
{
    struct buf r[2] = {BUF_INIT(1u << 20), BUF_INIT(1u << 20)};
    struct responder d[2];

    (void)state;
    assert_true(record(LIE_NONE, binder, &d[0], &r[0]));
    assert_true(record(LIE_NONE, binder, &d[1], &r[1]));
    give_devices(r, 2);
    run();
    assert_int_equal(detail.n_notes, 0);
    assert_int_equal(get("device.0.spdm")->value.part[0], 1);
    assert_int_equal(get("device.1.spdm")->value.part[1], 3);
    assert_true(get("device.0.challenged")->value.yes);
    assert_int_equal(get("device.0.root")->value.bytes.len, 32);
    assert_false(claims_value_eq(
            &get("device.0.key")->value, &get("device.1.key")->value));
    assert_memory_equal(
            get("device.0.measurement.1")->value.bytes.ptr, d[0].value[0], 32);
    for (size_t i = 0; i < 2; i++) {
        responder_fini(&d[i]);
        buf_fini(&r[i]);
    }
}

/* Said to another verifier, or at another time. */
static void test_a_device_for_another_channel(void **state)
{
    static const uint8_t other[32] = {1};
    struct buf r = BUF_INIT(1u << 20);
    struct responder d;

    (void)state;
    assert_true(record(LIE_NONE, other, &d, &r));
    give_devices(&r, 1);
    run();
    assert_note("device 0: it was made for another channel or moment");
    assert_absent("device.0.key");
    responder_fini(&d);
    buf_fini(&r);
}

/* Its challenge is of another moment, its measurements are of this one. */
static void test_a_challenge_of_another_moment(void **state)
{
    static const uint8_t other[32] = {1};
    struct spdm_requester *r = spdm_requester_new(other, 0, 0x12);
    struct buf all = BUF_INIT(1u << 20), answer = BUF_INIT(SPDM_MESSAGE_MAX);
    struct span request;
    struct responder d;

    (void)state;
    responder_init(&d, LIE_NONE, 0x13);
    while (spdm_requester_next(r, &request, NULL) == 1) {
        uint8_t copy[64];

        buf_reset(&answer);
        if (request.ptr[1] == SPDM_GET_MEASUREMENTS) {
            assert_in_range(request.len, 37, sizeof(copy));
            memcpy(copy, request.ptr, request.len);
            spdm_requester_nonce(binder, copy + 4);
            responder_answer(&d, SPAN(copy, request.len), &answer);
            spdm_record_put(&all, SPAN(copy, request.len), buf_span(&answer));
            break;
        }
        responder_answer(&d, request, &answer);
        spdm_record_put(&all, request, buf_span(&answer));
        assert_int_equal(spdm_requester_take(r, buf_span(&answer), NULL), 0);
    }
    give_devices(&all, 1);
    run();
    assert_non_null(get("device.0.measurement.1"));
    assert_false(get("device.0.challenged")->value.yes);
    spdm_requester_free(r);
    responder_fini(&d);
    buf_fini(&all);
    buf_fini(&answer);
}

static void test_devices_that_lie(void **state)
{
    static const enum responder_lie lies[] = {LIE_NO_SIGNATURES,
            LIE_FLIPPED_SIG, LIE_OLD_NONCE, LIE_OTHER_CHAIN, LIE_REQUESTER_LEAF,
            LIE_CA_LEAF};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct buf r = BUF_INIT(1u << 20);
        struct responder d;

        (void)record(lies[i], binder, &d, &r);
        give_devices(&r, 1);
        run();
        if (detail.n_notes != 1)
            fail_msg("lie %d is believed", lies[i]);
        assert_absent("device.0.key");
        assert_absent("device.0.measurement.1");
        responder_fini(&d);
        buf_fini(&r);
    }
}

/* A flip either breaks the transcript or was never signed: no claim is of
 * another value than the device's. */
static void test_each_flipped_byte_of_a_transcript(void **state)
{
    struct buf r = BUF_INIT(1u << 20);
    struct responder d;

    (void)state;
    assert_true(record(LIE_NONE, binder, &d, &r));
    for (size_t i = 0; i < r.len; i += 5) {
        const struct claim *c;

        r.ptr[i] ^= 1;
        give_devices(&r, 1);
        run();
        c = claims_get(&detail.claims, "device.0.measurement.1");
        if (c)
            assert_memory_equal(c->value.bytes.ptr, d.value[0], 32);
        r.ptr[i] ^= 1;
    }
    responder_fini(&d);
    buf_fini(&r);
}

static void test_parts_of_another_form(void **state)
{
    static const char *const forms[] = {
            "\0", "\0\0", "\0\1", "\0\1\0\0\0\1", "\0\x11", "\0\1\0\0\0\0x"};
    static const size_t len[] = {1, 2, 2, 6, 2, 7};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        server.machine.part[EVIDENCE_SPDM] = SPAN(forms[i], len[i]);
        run();
        assert_note("malformed");
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
            T(test_files_that_the_quote_proves),
            T(test_the_aggregate_of_another_boot),
            T(test_a_list_that_pcr_10_does_not_prove),
            T(test_a_violation_hides_a_file),
            T(test_a_file_that_is_called_something_else),
            T(test_a_launch),
            T(test_an_event_that_extends_nothing),
            T(test_no_launch),
            T(test_a_launch_of_something_else),
            T(test_devices),
            T(test_a_device_for_another_channel),
            T(test_a_challenge_of_another_moment),
            T(test_devices_that_lie),
            T(test_each_flipped_byte_of_a_transcript),
            T(test_parts_of_another_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
