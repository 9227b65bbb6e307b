/* SPDX-License-Identifier: Apache-2.0 */
#include "responder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW      1800000000u /* 2027 */
#define TOO_LATE 2300000000u /* 2042 */

static const uint8_t nonce[32] = {1, 2, 3, 4, 5};

/* Asks a device to the end; 0, or the first refusal. */
static int ask(struct spdm_requester *r, struct responder *d, struct err *err)
{
    struct buf answer = BUF_INIT(SPDM_MESSAGE_MAX);
    struct span request;
    int rc;

    while ((rc = spdm_requester_next(r, &request, err)) == 1) {
        buf_reset(&answer);
        responder_answer(d, request, &answer);
        rc = spdm_requester_take(r, buf_span(&answer), err);
        if (rc == ERR_STATE && d->lie == LIE_BUSY_ONCE)
            continue; /* busy: the same again */
        if (rc != 0)
            break;
    }
    buf_fini(&answer);
    return rc;
}

static int attest(
        enum responder_lie lie, uint8_t version, uint64_t now, struct err *err)
{
    struct spdm_requester *r = spdm_requester_new(nonce, 0, 0x12);
    struct responder d;
    struct spdm_result res;
    int rc;

    responder_init(&d, lie, version);
    assert_non_null(r);
    rc = ask(r, &d, err);
    if (rc == 0)
        rc = spdm_requester_result(r, &res, err);
    if (rc == 0) {
        assert_int_equal(res.n_blocks, 3);
        assert_memory_equal(res.block[1].value.ptr, d.value[1], 32);
        rc = spdm_chain_verify(&res, &d.root, 1, now, err);
    }
    spdm_requester_free(r);
    responder_fini(&d);
    return rc;
}

static void test_devices_of_each_version_are_attested(void **state)
{
    (void)state;
    for (uint8_t v = 0x12; v <= 0x13; v++) {
        struct err err = {0};

        assert_int_equal(attest(LIE_NONE, v, NOW, &err), 0);
    }
}

static void test_older_versions_only_when_asked_for(void **state)
{
    (void)state;
    for (uint8_t v = 0x10; v <= 0x11; v++) {
        struct spdm_requester *r = spdm_requester_new(nonce, 0, v);
        struct spdm_result res;
        struct responder d;
        struct err err = {0};

        responder_init(&d, LIE_NONE, v);
        assert_int_equal(ask(r, &d, &err), 0);
        assert_int_equal(spdm_requester_result(r, &res, &err), 0);
        assert_int_equal(res.agreed.version, v);
        spdm_requester_free(r);
        responder_fini(&d);
    }
}

static void test_a_busy_device_is_asked_again(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(attest(LIE_BUSY_ONCE, 0x13, NOW, &err), 0);
}

static void test_lies_are_refused(void **state)
{
    static const struct {
        enum responder_lie lie;
        int rc;
        const char *why;
    } lies[] = {
            {LIE_OLD_VERSION, ERR_UNSUPPORTED, "is the least"},
            {LIE_NO_SIGNATURES, ERR_UNSUPPORTED, "signs no"},
            {LIE_FLIPPED_SIG, ERR_MISMATCH, "does not hold"},
            {LIE_FLIPPED_AUTH, ERR_MISMATCH, "does not hold"},
            {LIE_OLD_NONCE, ERR_MISMATCH, "does not hold"},
            {LIE_OTHER_CHAIN, ERR_MISMATCH, "does not hold"},
            {LIE_DIGEST, ERR_MISMATCH, "not the one"},
            {LIE_TWICE, ERR_SYNTAX, "stands twice"},
            {LIE_SHORT, ERR_SYNTAX, "malformed"},
            {LIE_LONG, ERR_SYNTAX, "malformed"},
            {LIE_OTHER_SLOT, ERR_MISMATCH, "signed by slot"},
            {LIE_CONTEXT, ERR_MISMATCH, "another"},
            {LIE_WEAK, ERR_UNSUPPORTED, "not known"},
            {LIE_TWO_HASHES, ERR_UNSUPPORTED, "not known"},
            {LIE_ENDLESS_CHAIN, ERR_SYNTAX, "empty CERTIFICATE"},
            {LIE_WRONG_ANSWER, ERR_MISMATCH, "no answer"},
            {LIE_REQUESTER_LEAF, ERR_MISMATCH, "requesters alone"},
            {LIE_CA_LEAF, ERR_MISMATCH, "authority"},
    };

    (void)state;
    /* all but those that are no lies */
    assert_int_equal(ARRAY_LEN(lies), LIE_COUNT - 2);
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct err err = {0};

        assert_int_equal(attest(lies[i].lie, 0x13, NOW, &err), lies[i].rc);
        assert_non_null(strstr(err.msg, lies[i].why));
    }
}

static void test_expired_chain(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(attest(LIE_NONE, 0x13, TOO_LATE, &err), ERR_MISMATCH);
}

static void test_another_makers_root_is_not_trusted(void **state)
{
    struct spdm_requester *r = spdm_requester_new(nonce, 0, 0x12);
    struct responder d, other;
    struct spdm_result res;
    struct err err = {0};

    (void)state;
    responder_init(&d, LIE_NONE, 0x13);
    responder_init(&other, LIE_NONE, 0x13); /* the same name, another key */
    assert_int_equal(ask(r, &d, &err), 0);
    assert_int_equal(spdm_requester_result(r, &res, &err), 0);
    assert_int_equal(
            spdm_chain_verify(&res, &other.root, 1, NOW, &err), ERR_MISMATCH);
    assert_int_equal(spdm_chain_verify(&res, NULL, 0, NOW, &err), ERR_MISMATCH);
    spdm_requester_free(r);
    responder_fini(&d);
    responder_fini(&other);
}

/* ---- records --------------------------------------------------------- */

static struct buf record_of(struct responder *d)
{
    struct spdm_requester *r = spdm_requester_new(nonce, 0, 0x12);
    struct buf copy = BUF_INIT(SPDM_TRANSCRIPT_MAX);
    struct err err = {0};

    assert_int_equal(ask(r, d, &err), 0);
    buf_append(&copy, spdm_requester_record(r));
    spdm_requester_free(r);
    return copy;
}

static bool believed(struct span record, struct crypto_cert *root)
{
    struct spdm_transcript *t = spdm_transcript_new(false);
    struct spdm_result res;
    struct err err = {0};
    uint8_t want[32];
    bool ok = spdm_transcript_replay(t, record, &err) == 0;

    spdm_transcript_result(t, &res);
    spdm_requester_nonce(nonce, want);
    ok = ok && res.attested && res.challenge &&
         span_eq(res.nonce, SPAN_OF(want)) &&
         spdm_chain_verify(&res, &root, 1, NOW, &err) == 0;
    spdm_transcript_free(t);
    return ok;
}

static void test_record_is_judged_like_the_device(void **state)
{
    struct responder d;
    struct buf record;

    (void)state;
    responder_init(&d, LIE_NONE, 0x13);
    record = record_of(&d);
    assert_true(believed(buf_span(&record), d.root));
    for (size_t n = 0; n < record.len; n++)
        assert_false(believed(SPAN(record.ptr, n), d.root));
    buf_fini(&record);
    responder_fini(&d);
}

/* Every bit of the whole exchange is under one of the two signatures. */
static void test_no_flipped_bit_is_believed(void **state)
{
    struct responder d;
    struct buf record;

    (void)state;
    responder_init(&d, LIE_NONE, 0x13);
    record = record_of(&d);
    for (size_t i = 0; i < record.len; i++) {
        record.ptr[i] ^= (uint8_t)(1u << (i % 8));
        assert_false(believed(buf_span(&record), d.root));
        record.ptr[i] ^= (uint8_t)(1u << (i % 8));
    }
    assert_true(believed(buf_span(&record), d.root));
    buf_fini(&record);
    responder_fini(&d);
}

/* An exchange more at the end of a record, after its negotiation. */
static void go_on(
        struct responder *d, struct buf *record, const uint8_t *q, size_t n)
{
    struct buf answer = BUF_INIT(SPDM_MESSAGE_MAX);

    d->agreed = 0x13;
    responder_answer(d, SPAN(q, n), &answer);
    spdm_record_put(record, SPAN(q, n), buf_span(&answer));
    buf_fini(&answer);
}

/* The key of a chain made yesterday signs; then the slot shows the chain of a
 * real device, which anybody can read. */
static void test_no_chain_is_put_under_signatures_of_another(void **state)
{
    static const uint8_t read_again[] = {
            0x13, SPDM_GET_CERTIFICATE, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t read_other[] = {
            0x13, SPDM_GET_CERTIFICATE, 1, 0, 0, 0, 0xff, 0xff};
    struct responder forger, real;
    struct buf record;

    (void)state;
    responder_init(&forger, LIE_NONE, 0x13);
    responder_init(&real, LIE_NONE, 0x13);
    record = record_of(&forger);
    assert_true(believed(buf_span(&record), forger.root));
    go_on(&real, &record, read_other, sizeof(read_other));
    assert_false(believed(buf_span(&record), real.root));
    assert_true(believed(buf_span(&record), forger.root));
    go_on(&real, &record, read_again, sizeof(read_again));
    assert_false(believed(buf_span(&record), real.root));
    assert_false(believed(buf_span(&record), forger.root));
    buf_fini(&record);
    responder_fini(&forger);
    responder_fini(&real);
}

/* GET_MEASUREMENTS of 1.3: all, signed by a slot. */
static void measure(uint8_t q[45], const uint8_t *verifier, uint8_t slot)
{
    memset(q, 0, 45);
    q[0] = 0x13;
    q[1] = SPDM_GET_MEASUREMENTS;
    q[2] = 1;
    q[3] = 0xff;
    spdm_requester_nonce(verifier, q + 4);
    q[36] = slot;
}

/* A forger's chain in slot 0 signs what it likes; in slot 1 the real device
 * signs after it, as it does for anybody who asks. */
static void test_blocks_of_one_slot_are_not_those_of_another(void **state)
{
    static const uint8_t read_it[] = {
            0x13, SPDM_GET_CERTIFICATE, 1, 0, 0, 0, 0xff, 0xff};
    struct responder forger, real;
    struct spdm_transcript *t = spdm_transcript_new(false);
    struct spdm_result res;
    struct err err = {0};
    struct buf record;
    uint8_t q[45];

    (void)state;
    responder_init(&forger, LIE_NONE, 0x13);
    responder_init(&real, LIE_OTHER_SLOT, 0x13);
    memset(forger.value, 0x99, sizeof(forger.value));
    record = record_of(&forger);
    go_on(&real, &record, read_it, sizeof(read_it));
    buf_append(&real.vca, buf_span(&forger.vca));
    measure(q, nonce, 1);
    real.n_blocks = 1;
    go_on(&real, &record, q, sizeof(q));
    assert_int_equal(spdm_transcript_replay(t, buf_span(&record), &err), 0);
    spdm_transcript_result(t, &res);
    assert_true(res.attested);
    assert_int_equal(res.bad, 0);
    assert_int_equal(res.slot, 1);
    assert_false(res.challenge);
    assert_int_equal(res.n_blocks, 1);
    assert_memory_equal(res.block[0].value.ptr, real.value[0], 32);
    spdm_transcript_free(t);
    buf_fini(&record);
    responder_fini(&forger);
    responder_fini(&real);
}

/* What the device signed last year, and then a fresh signature. */
static void test_old_blocks_are_not_as_fresh_as_the_last(void **state)
{
    static const uint8_t year_ago[32] = {7};
    struct responder d;
    struct buf record;
    uint8_t q[45];

    (void)state;
    responder_init(&d, LIE_NONE, 0x13);
    record = record_of(&d);
    measure(q, nonce, 0);
    go_on(&d, &record, q, sizeof(q));
    assert_true(believed(buf_span(&record), d.root));
    measure(q, year_ago, 0);
    go_on(&d, &record, q, sizeof(q));
    measure(q, nonce, 0);
    go_on(&d, &record, q, sizeof(q));
    assert_false(believed(buf_span(&record), d.root));
    buf_fini(&record);
    responder_fini(&d);
}

/* Each costs whoever judges the record a verification. */
static void test_no_more_signatures_than_are_needed(void **state)
{
    struct responder d;
    struct buf record;
    uint8_t q[45];

    (void)state;
    responder_init(&d, LIE_NONE, 0x13);
    record = record_of(&d); /* two of them */
    measure(q, nonce, 0);
    for (size_t i = 2; i < SPDM_SIGNATURES_MAX; i++)
        go_on(&d, &record, q, sizeof(q));
    assert_true(believed(buf_span(&record), d.root));
    go_on(&d, &record, q, sizeof(q));
    assert_false(believed(buf_span(&record), d.root));
    buf_fini(&record);
    responder_fini(&d);
}

/* ---- one block at a time --------------------------------------------- */

/* An unsigned GET_MEASUREMENTS of 1.2 and a block for it. */
static void unsigned_block(
        struct spdm_transcript *t, uint8_t index, struct spdm_seen *seen)
{
    uint8_t request[] = {0x12, SPDM_GET_MEASUREMENTS, 0, index};
    uint8_t response[4 + 4 + 8 + 32 + 2] = {0x12, SPDM_MEASUREMENTS, 0, 0, 1, 8,
            0, 0, index, 1, 4, 0, 0x86, 1, 0, 0x42};
    struct err err = {0};

    assert_int_equal(spdm_transcript_take(t, SPAN_OF(request),
                             SPAN_OF(response), seen, &err),
            0);
}

static void error_reply(struct spdm_transcript *t)
{
    uint8_t request[] = {0x12, SPDM_GET_MEASUREMENTS, 0, 0x20};
    uint8_t response[] = {0x12, SPDM_ERROR, 1, 0};
    struct err err = {0};

    assert_int_equal(spdm_transcript_take(t, SPAN_OF(request),
                             SPAN_OF(response), NULL, &err),
            0);
}

/* Feeds a real exchange up to the measurements. */
static struct spdm_transcript *negotiated(struct span record)
{
    struct spdm_transcript *t = spdm_transcript_new(false);
    struct wire_reader r = wire_reader_of(record);
    struct span request, response;
    struct err err = {0};

    while (wire_get_vec32be(&r, &request) && wire_get_vec32be(&r, &response) &&
            request.ptr[1] != SPDM_GET_MEASUREMENTS)
        assert_int_equal(
                spdm_transcript_take(t, request, response, NULL, &err), 0);
    return t;
}

static void test_unsigned_blocks_prove_nothing(void **state)
{
    struct responder d;
    struct spdm_transcript *t;
    struct spdm_result res;
    struct spdm_seen *seen = calloc(1, sizeof(*seen));
    struct buf record;

    (void)state;
    responder_init(&d, LIE_NONE, 0x12);
    record = record_of(&d);
    t = negotiated(buf_span(&record));
    unsigned_block(t, 5, seen);
    assert_int_equal(seen->n_blocks, 1);
    spdm_transcript_result(t, &res);
    assert_false(res.attested);
    assert_int_equal(res.n_blocks, 0);
    assert_int_equal(res.n_unattested, 1);
    error_reply(t); /* drops it from the run; it stays unattested */
    spdm_transcript_result(t, &res);
    assert_int_equal(res.n_unattested, 1);
    assert_int_equal(res.n_blocks, 0);
    spdm_transcript_free(t);
    free(seen);
    buf_fini(&record);
    responder_fini(&d);
}

static void test_what_came_before_negotiation_is_refused(void **state)
{
    static const uint8_t codes[] = {SPDM_GET_CAPABILITIES,
            SPDM_NEGOTIATE_ALGORITHMS, SPDM_GET_DIGESTS, SPDM_GET_CERTIFICATE,
            SPDM_CHALLENGE, SPDM_GET_MEASUREMENTS, 0xfe};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct spdm_transcript *t = spdm_transcript_new(false);
        uint8_t request[] = {0x12, codes[i], 0, 0};
        uint8_t response[] = {0x12, (uint8_t)(codes[i] & 0x7f), 0, 0};
        struct err err = {0};

        assert_int_equal(spdm_transcript_take(t, SPAN_OF(request),
                                 SPAN_OF(response), NULL, &err),
                ERR_STATE);
        /* and nothing is taken any more */
        request[1] = SPDM_GET_VERSION;
        assert_int_equal(spdm_transcript_take(t, SPAN_OF(request),
                                 SPAN_OF(response), NULL, &err),
                ERR_STATE);
        spdm_transcript_free(t);
    }
}

/* ---- framing --------------------------------------------------------- */

static void test_frames_round_trip(void **state)
{
    static const uint8_t message[] = {0x12, 0xe0, 1, 0xff, 9};

    (void)state;
    for (enum spdm_carrier c = SPDM_DOE; c <= SPDM_MCTP; c++) {
        struct buf frame = BUF_INIT(64);
        enum spdm_payload payload;
        struct span body;
        struct err err = {0};
        uint8_t type;

        assert_int_equal(spdm_frame_put(c, SPAN_OF(message), &frame), 0);
        assert_int_equal(spdm_frame_open(c, buf_span(&frame), &payload, &type,
                                 &body, &err),
                0);
        assert_int_equal(payload, SPDM_PLAIN);
        assert_true(body.len >= sizeof(message));
        assert_memory_equal(body.ptr, message, sizeof(message));
        for (size_t n = 0; n < 5; n++)
            assert_int_not_equal(spdm_frame_open(c, SPAN(frame.ptr, n),
                                         &payload, &type, &body, &err),
                    0);
        buf_fini(&frame);
    }
}

static void test_frames_that_are_refused(void **state)
{
    static const struct {
        enum spdm_carrier carrier;
        uint8_t bytes[16];
        size_t n;
        int rc;
    } rows[] = {
            {SPDM_DOE, {1, 0, 1, 0, 4, 0, 0, 0, 1, 2, 3, 4}, 12, ERR_SYNTAX},
            {SPDM_DOE, {1, 0, 1, 0, 1, 0, 0, 0}, 8, ERR_SYNTAX},
            {SPDM_DOE, {1, 0, 1, 0, 0, 0, 0, 0}, 8, ERR_SYNTAX},
            {SPDM_DOE, {2, 0, 1, 0, 3, 0, 0, 0, 1, 2, 3, 4}, 12,
                    ERR_UNSUPPORTED},
            {SPDM_MCTP, {1, 0, 0, 0x80, 5, 0x12, 0x84, 0, 0}, 9,
                    ERR_UNSUPPORTED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum spdm_payload payload;
        struct span body;
        struct err err = {0};
        uint8_t type;

        assert_int_equal(
                spdm_frame_open(rows[i].carrier, SPAN(rows[i].bytes, rows[i].n),
                        &payload, &type, &body, &err),
                rows[i].rc);
    }
}

/* ---- TDISP ----------------------------------------------------------- */

static struct span tdisp(uint8_t *mem, uint8_t type, uint32_t function,
        const void *body, size_t n)
{
    memset(mem, 0, 16);
    mem[0] = 0x10;
    mem[1] = type;
    mem[4] = (uint8_t)function;
    memcpy(mem + 16, body, n);
    return SPAN(mem, 16 + n);
}

static const uint8_t lock_nonce[32] = {0xaa, 0xbb};

static int exchange(struct spdm_tdisp *t, uint8_t type, const void *q,
        size_t nq, const void *s, size_t ns)
{
    uint8_t request[256], response[256];
    struct err err = {0};

    return spdm_tdisp_take(t, tdisp(request, type | 0x80, 7, q, nq),
            tdisp(response, type, 7, s, ns), &err);
}

static int lock(struct spdm_tdisp *t)
{
    uint8_t q[20] = {0};

    return exchange(t, SPDM_TDISP_LOCK, q, sizeof(q), lock_nonce, 32);
}

static const uint8_t report[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
        /* range */ 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0, 2, 0,
        /* device */ 2, 0, 0, 0, 'h', 'i'};

static int read_report(struct spdm_tdisp *t, uint16_t offset, uint16_t n)
{
    uint8_t q[4] = {(uint8_t)offset, 0, (uint8_t)n, 0};
    uint8_t s[4 + sizeof(report)] = {
            (uint8_t)n, 0, (uint8_t)(sizeof(report) - offset - n), 0};

    memcpy(s + 4, report + offset, n);
    return exchange(t, SPDM_TDISP_REPORT, q, sizeof(q), s, 4u + n);
}

static void test_interface_from_lock_to_run(void **state)
{
    uint8_t locked = SPDM_TDISP_LOCKED, running = SPDM_TDISP_RUN;
    struct spdm_tdisp_report parsed;
    struct spdm_tdisp t;
    struct err err = {0};

    (void)state;
    spdm_tdisp_init(&t);
    assert_int_equal(lock(&t), 0);
    assert_int_equal(exchange(&t, SPDM_TDISP_STATE, "", 0, &locked, 1), 0);
    assert_int_equal(read_report(&t, 0, 20), 0);
    assert_false(t.complete);
    assert_int_equal(read_report(&t, 20, sizeof(report) - 20), 0);
    assert_true(t.complete);
    assert_int_equal(spdm_tdisp_report(buf_span(&t.report), &parsed, &err), 0);
    assert_int_equal(parsed.n_ranges, 1);
    assert_int_equal(parsed.range[0].pages, 4);
    assert_true(span_eq_str(parsed.device, "hi"));
    assert_int_equal(exchange(&t, SPDM_TDISP_START, lock_nonce, 32, "", 0), 0);
    assert_int_equal(exchange(&t, SPDM_TDISP_STATE, "", 0, &running, 1), 0);
    spdm_tdisp_fini(&t);
}

static void test_tdisp_lies_are_refused(void **state)
{
    uint8_t other[32] = {1}, running = SPDM_TDISP_RUN, strange = 4;
    uint8_t request[64], response[64];
    struct spdm_tdisp t;
    struct err err = {0};

    (void)state;
    spdm_tdisp_init(&t);
    /* a report or a start without a lock, a state that nothing led to */
    assert_int_equal(read_report(&t, 0, 20), ERR_STATE);
    assert_int_equal(exchange(&t, SPDM_TDISP_START, lock_nonce, 32, "", 0),
            ERR_MISMATCH);
    assert_int_equal(
            exchange(&t, SPDM_TDISP_STATE, "", 0, &running, 1), ERR_MISMATCH);
    assert_int_equal(
            exchange(&t, SPDM_TDISP_STATE, "", 0, &strange, 1), ERR_SYNTAX);
    assert_int_equal(lock(&t), 0);
    assert_int_equal(lock(&t), ERR_STATE);
    /* a hole in the report, and one that grows while it is read */
    assert_int_equal(read_report(&t, 4, 8), ERR_MISMATCH);
    assert_int_equal(read_report(&t, 0, 20), 0);
    t.left++;
    assert_int_equal(read_report(&t, 20, 4), ERR_MISMATCH);
    /* another lock's nonce, another interface's answer */
    assert_int_equal(
            exchange(&t, SPDM_TDISP_START, other, 32, "", 0), ERR_MISMATCH);
    assert_int_equal(spdm_tdisp_take(&t, tdisp(request, 0x85, 8, "", 0),
                             tdisp(response, 5, 8, &running, 1), &err),
            ERR_MISMATCH);
    assert_int_equal(spdm_tdisp_take(&t, tdisp(request, 0x85, 7, "", 0),
                             tdisp(response, 0x7f, 7, other, 8), &err),
            ERR_DENIED);
    spdm_tdisp_fini(&t);
}

static void test_reports_that_are_refused(void **state)
{
    uint8_t bad[sizeof(report) + 1];
    struct spdm_tdisp_report parsed;
    struct err err = {0};

    (void)state;
    for (size_t n = 0; n < sizeof(report); n++)
        assert_int_equal(
                spdm_tdisp_report(SPAN(report, n), &parsed, &err), ERR_SYNTAX);
    memcpy(bad, report, sizeof(report));
    bad[sizeof(report)] = 0;
    assert_int_equal(
            spdm_tdisp_report(SPAN_OF(bad), &parsed, &err), ERR_SYNTAX);
    bad[15] = 0xff; /* four thousand million ranges */
    assert_int_equal(spdm_tdisp_report(SPAN_OF(bad), &parsed, &err), ERR_LIMIT);
    memcpy(bad, report, sizeof(report));
    memset(bad + 16, 0xff, 8); /* a range around the end of memory */
    assert_int_equal(
            spdm_tdisp_report(SPAN(bad, sizeof(report)), &parsed, &err),
            ERR_SYNTAX);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_devices_of_each_version_are_attested),
            cmocka_unit_test(test_older_versions_only_when_asked_for),
            cmocka_unit_test(test_a_busy_device_is_asked_again),
            cmocka_unit_test(test_lies_are_refused),
            cmocka_unit_test(test_expired_chain),
            cmocka_unit_test(test_another_makers_root_is_not_trusted),
            cmocka_unit_test(test_record_is_judged_like_the_device),
            cmocka_unit_test(test_no_flipped_bit_is_believed),
            cmocka_unit_test(test_no_chain_is_put_under_signatures_of_another),
            cmocka_unit_test(test_blocks_of_one_slot_are_not_those_of_another),
            cmocka_unit_test(test_old_blocks_are_not_as_fresh_as_the_last),
            cmocka_unit_test(test_no_more_signatures_than_are_needed),
            cmocka_unit_test(test_unsigned_blocks_prove_nothing),
            cmocka_unit_test(test_what_came_before_negotiation_is_refused),
            cmocka_unit_test(test_frames_round_trip),
            cmocka_unit_test(test_frames_that_are_refused),
            cmocka_unit_test(test_interface_from_lock_to_run),
            cmocka_unit_test(test_tdisp_lies_are_refused),
            cmocka_unit_test(test_reports_that_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
