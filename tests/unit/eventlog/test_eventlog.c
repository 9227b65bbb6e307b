/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, replaying and comparing logs of the TCG forms. */
#include "eventlog_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct buf log_;

static int setup(void **state)
{
    (void)state;
    log_ = BUF_INIT(LIMIT_TCG_LOG_MAX + 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&log_);
    return 0;
}

static struct span bytes(void)
{
    return buf_span(&log_);
}

static void begin(void)
{
    fixture_header(&log_, fixture_algs, FIXTURE_BANKS, SPAN_EMPTY);
}

static void put_raw(const void *ptr, size_t len)
{
    buf_append(&log_, SPAN(ptr, len));
}

static int replay(struct eventlog_pcrs *p)
{
    return eventlog_replay(bytes(), p, NULL);
}

static void assert_refused(int code)
{
    struct eventlog_pcrs p;
    struct err err = {0};

    assert_int_equal(eventlog_replay(bytes(), &p, &err), code);
    assert_true(err.msg[0]);
}

/* H(0^n || H(data)), by hand. */
static void once(enum crypto_hash hash, const uint8_t *start, struct span data,
        uint8_t *ret)
{
    uint8_t both[2 * CRYPTO_HASH_MAX];
    size_t n = crypto_hash_size(hash);

    memcpy(both, start, n);
    crypto_hash(hash, data, both + n);
    crypto_hash(hash, SPAN(both, 2 * n), ret);
}

static const uint8_t zero[CRYPTO_HASH_MAX];

/* ---- replay ---------------------------------------------------------- */

static void test_replays_all_banks_at_once(void **state)
{
    struct eventlog_pcrs p;
    uint8_t want[CRYPTO_HASH_MAX];

    (void)state;
    begin();
    fixture_text(&log_, 4, EVENTLOG_EV_EFI_ACTION, "boot");
    assert_int_equal(replay(&p), 0);
    assert_int_equal(p.n, 3);
    assert_int_equal(p.events, 2);
    assert_int_equal(p.used, bytes().len);
    for (size_t i = 0; i < p.n; i++) {
        once(p.bank[i].hash, zero, span_str("boot"), want);
        assert_memory_equal(p.bank[i].value[4], want, p.bank[i].size);
        assert_int_equal(p.bank[i].extended, 1u << 4);
        assert_int_equal(p.bank[i].missing, 0);
    }
    assert_null(eventlog_bank(&p, TCG_ALG_SHA512));
    assert_ptr_equal(eventlog_bank(&p, TCG_ALG_SHA256), &p.bank[1]);
}

static void test_no_action_is_never_extended(void **state)
{
    struct eventlog_pcrs p;

    (void)state;
    begin();
    fixture_text(&log_, 0, EVENTLOG_EV_NO_ACTION, "SP800-155 Event and so on");
    fixture_text(&log_, 0xffffffff, EVENTLOG_EV_NO_ACTION, "Windows");
    assert_int_equal(replay(&p), 0);
    for (size_t i = 0; i < p.n; i++)
        assert_int_equal(p.bank[i].extended, 0);
}

static void test_startup_locality_starts_pcr_0(void **state)
{
    struct eventlog_pcrs p;
    uint8_t want[CRYPTO_HASH_MAX], start[32] = {[31] = 3};

    (void)state;
    begin();
    fixture_event(
            &log_, 0, EVENTLOG_EV_NO_ACTION, SPAN("StartupLocality\0\3", 17));
    fixture_text(&log_, 0, EVENTLOG_EV_S_CRTM_VERSION, "v");
    assert_int_equal(replay(&p), 0);
    once(CRYPTO_SHA256, start, span_str("v"), want);
    assert_memory_equal(p.bank[1].value[0], want, 32);
    assert_true(p.has_locality);
    assert_int_equal(p.locality, 3);
}

static void test_startup_locality_too_late_changes_nothing(void **state)
{
    struct eventlog_pcrs p;
    uint8_t want[CRYPTO_HASH_MAX];

    (void)state;
    begin();
    fixture_text(&log_, 0, EVENTLOG_EV_S_CRTM_VERSION, "v");
    fixture_event(
            &log_, 0, EVENTLOG_EV_NO_ACTION, SPAN("StartupLocality\0\3", 17));
    assert_int_equal(replay(&p), 0);
    once(CRYPTO_SHA256, zero, span_str("v"), want);
    assert_memory_equal(p.bank[1].value[0], want, 32);
}

static void test_startup_locality_malformed(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } rows[] = {{"StartupLocality", 16}, {"StartupLocality\0\1", 17},
            {"StartupLocality\0\5", 17}, {"StartupLocality\0\3\0", 18}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        log_.len = 0;
        begin();
        fixture_event(&log_, 0, EVENTLOG_EV_NO_ACTION,
                SPAN(rows[i].data, rows[i].len));
        assert_refused(ERR_SYNTAX);
    }
}

static void test_startup_locality_twice(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 2; i++)
        fixture_event(&log_, 0, EVENTLOG_EV_NO_ACTION,
                SPAN("StartupLocality\0\3", 17));
    assert_refused(ERR_SYNTAX);
}

static void test_hcrtm_starts_pcr_0_at_4(void **state)
{
    struct eventlog_pcrs p;
    uint8_t want[CRYPTO_HASH_MAX], start[32] = {[31] = 4};

    (void)state;
    begin();
    fixture_text(&log_, 0, EVENTLOG_EV_EFI_HCRTM_EVENT, "HCRTM");
    assert_int_equal(replay(&p), 0);
    once(CRYPTO_SHA256, start, span_str("HCRTM"), want);
    assert_memory_equal(p.bank[1].value[0], want, 32);
    assert_true(p.has_hcrtm);
}

static void test_hcrtm_malformed(void **state)
{
    (void)state;
    begin();
    fixture_text(&log_, 0, EVENTLOG_EV_EFI_HCRTM_EVENT, "HCRTN");
    assert_refused(ERR_SYNTAX);
    log_.len = 0;
    begin();
    fixture_text(&log_, 1, EVENTLOG_EV_EFI_HCRTM_EVENT, "HCRTM");
    assert_refused(ERR_SYNTAX);
}

static void test_launch_pcrs_are_ones_until_a_launch(void **state)
{
    struct eventlog_pcrs p;
    uint8_t ones[32], want[CRYPTO_HASH_MAX];

    (void)state;
    memset(ones, 0xff, sizeof(ones));
    begin();
    assert_int_equal(replay(&p), 0);
    assert_memory_equal(p.bank[1].value[17], ones, 32);
    assert_memory_equal(p.bank[1].value[22], ones, 32);
    assert_memory_equal(p.bank[1].value[16], zero, 32);
    assert_memory_equal(p.bank[1].value[23], zero, 32);
    fixture_text(&log_, 18, EVENTLOG_EV_SLAUNCH, "x");
    assert_int_equal(replay(&p), 0);
    once(CRYPTO_SHA256, zero, span_str("x"), want);
    assert_memory_equal(p.bank[1].value[18], want, 32);
    assert_memory_equal(p.bank[1].value[17], zero, 32);
    assert_int_equal(p.launched, 1u << 18);
}

static void test_unknown_types_are_extended(void **state)
{
    struct eventlog_pcrs p;

    (void)state;
    begin();
    fixture_text(&log_, 3, 0xdeadbeef, "what is this");
    assert_int_equal(replay(&p), 0);
    assert_int_equal(p.bank[1].extended, 1u << 3);
    assert_null(eventlog_type_name(0xdeadbeef));
    assert_string_equal(eventlog_type_name(4), "EV_SEPARATOR");
    assert_string_equal(
            eventlog_type_name(0x800000e4), "EV_EFI_SPDM_DEVICE_AUTHORITY");
}

/* SM3 is kept: it can be read, and is no bank of the replay. */
static void test_sm3_bank(void **state)
{
    static const struct eventlog_alg algs[] = {
            {TCG_ALG_SHA256, 32}, {TCG_ALG_SM3, 32}};
    struct eventlog_pcrs p;
    struct eventlog l;
    struct eventlog_event e;
    struct span digest;

    (void)state;
    fixture_header(&log_, algs, 2, SPAN_EMPTY);
    fixture_event_of(&log_, algs, 2, 1, EVENTLOG_EV_ACTION, span_str("a"),
            span_str("a"));
    assert_int_equal(replay(&p), 0);
    assert_int_equal(p.n, 1);
    assert_int_equal(eventlog_open(bytes(), &l, NULL), 0);
    assert_int_equal(l.n_algs, 2);
    assert_int_equal(eventlog_next(&l, &e, NULL), 1);
    assert_true(eventlog_digest(&e, TCG_ALG_SM3, &digest));
    assert_int_equal(digest.len, 32);
    assert_int_equal(eventlog_check_data(&e), 0); /* by SHA-256 */
}

/* Of SM3 alone nothing can be said, which is not "holds". */
static void test_data_of_sm3_alone_is_not_checked(void **state)
{
    static const struct eventlog_alg sm3 = {TCG_ALG_SM3, 32};
    struct eventlog l;
    struct eventlog_event e;

    (void)state;
    fixture_header(&log_, &sm3, 1, SPAN_EMPTY);
    fixture_event_of(&log_, &sm3, 1, 1, EVENTLOG_EV_ACTION, span_str("a"),
            span_str("a"));
    assert_int_equal(eventlog_open(bytes(), &l, NULL), 0);
    assert_int_equal(eventlog_next(&l, &e, NULL), 1);
    assert_int_equal(eventlog_check_data(&e), ERR_UNSUPPORTED);
    assert_int_equal(eventlog_data(&e), EVENTLOG_DATA_OPAQUE);
}

static void test_event_that_lacks_a_bank(void **state)
{
    struct eventlog_pcrs p;

    (void)state;
    begin();
    fixture_event_of(&log_, fixture_algs, 1, 2, EVENTLOG_EV_ACTION,
            span_str("a"), span_str("a"));
    assert_int_equal(replay(&p), 0);
    assert_int_equal(p.bank[0].extended, 1u << 2);
    assert_int_equal(p.bank[1].extended, 0);
    assert_int_equal(p.bank[1].missing, 1u << 2);
    assert_memory_equal(p.bank[1].value[2], zero, 32);
}

static void test_wrong_data_is_counted(void **state)
{
    struct eventlog_pcrs p;

    (void)state;
    begin();
    fixture_text(&log_, 0, EVENTLOG_EV_S_CRTM_VERSION, "v");
    for (int i = 0; i < 2; i++)
        fixture_event_of(&log_, fixture_algs, FIXTURE_BANKS, 7,
                EVENTLOG_EV_EFI_ACTION, span_str("one"), span_str("other"));
    assert_int_equal(replay(&p), 0);
    assert_int_equal(p.wrong, 2);
    assert_int_equal(p.first_wrong, 2);
}

/* ---- headers --------------------------------------------------------- */

static void test_header_refused(void **state)
{
    static const struct {
        struct eventlog_alg alg[2];
        size_t n;
    } rows[] = {
            {{{0, 0}}, 0},               /* no bank */
            {{{TCG_ALG_SHA256, 20}}, 1}, /* wrong size */
            {{{TCG_ALG_SM3, 20}}, 1},    /* of a kept one */
            {{{0x7777, 0}}, 1},          /* no size */
            {{{0x7777, 65}}, 1},         /* too large */
            {{{TCG_ALG_SHA256, 32}, {TCG_ALG_SHA256, 32}}, 2}, /* twice */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        log_.len = 0;
        fixture_header(&log_, rows[i].alg, rows[i].n, SPAN_EMPTY);
        assert_refused(ERR_SYNTAX);
    }
}

static void test_header_with_too_many_banks(void **state)
{
    struct eventlog_alg alg[EVENTLOG_ALGS_MAX + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(alg); i++)
        alg[i] = (struct eventlog_alg){(uint16_t)(0x7000 + i), 32};
    fixture_header(&log_, alg, ARRAY_LEN(alg), SPAN_EMPTY);
    assert_refused(ERR_SYNTAX);
    log_.len = 0;
    fixture_header(&log_, alg, EVENTLOG_ALGS_MAX, SPAN_EMPTY);
    assert_int_equal(replay(&(struct eventlog_pcrs){0}), 0);
}

/* Each length in the header, one too many and one too few. */
static void test_header_lengths(void **state)
{
    static const size_t at[] = {
            28 /* event size */, 56 /* banks */, 32 + 28 + 12 /* vendor */};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        for (int d = -1; d <= 1; d += 2) {
            log_.len = 0;
            begin();
            log_.ptr[at[i]] = (uint8_t)(log_.ptr[at[i]] + d);
            assert_true(replay(&(struct eventlog_pcrs){0}) != 0);
        }
    }
}

static void test_header_of_another_pcr_or_type(void **state)
{
    (void)state;
    begin();
    log_.ptr[0] = 1; /* as OVMF does for TDX */
    assert_int_equal(replay(&(struct eventlog_pcrs){0}), 0);
    log_.ptr[0] = 2;
    assert_refused(ERR_UNSUPPORTED);
    log_.ptr[0] = 0;
    log_.ptr[4] = EVENTLOG_EV_SEPARATOR;
    assert_refused(ERR_UNSUPPORTED);
}

static void test_second_header(void **state)
{
    uint8_t header[128];
    size_t n;

    (void)state;
    begin();
    n = log_.len - 32;
    memcpy(header, log_.ptr + 32, n);
    fixture_event(&log_, 0, EVENTLOG_EV_NO_ACTION, SPAN(header, n));
    assert_refused(ERR_SYNTAX);
}

static void test_vendor_information(void **state)
{
    struct eventlog l;

    (void)state;
    fixture_header(&log_, fixture_algs, 1, span_str("maker"));
    assert_int_equal(eventlog_open(bytes(), &l, NULL), 0);
    assert_true(span_eq_str(l.vendor, "maker"));
    assert_int_equal(l.major, 2);
    assert_int_equal(l.errata, 0x69);
}

/* ---- SHA-1 logs and fragments ---------------------------------------- */

static void test_old_log_has_its_own_door(void **state)
{
    struct eventlog_pcrs p;
    uint8_t want[CRYPTO_HASH_MAX];

    (void)state;
    fixture_old_event(
            &log_, 0, EVENTLOG_EV_NO_ACTION, SPAN("StartupLocality\0\0", 17));
    fixture_old_event(&log_, 4, EVENTLOG_EV_ACTION, span_str("boot"));
    assert_refused(ERR_UNSUPPORTED);
    assert_int_equal(eventlog_replay_any(bytes(), &p, NULL), 0);
    assert_int_equal(p.format, EVENTLOG_LEGACY);
    assert_int_equal(p.n, 1);
    assert_int_equal(p.events, 2);
    once(CRYPTO_SHA1, zero, span_str("boot"), want);
    assert_memory_equal(p.bank[0].value[4], want, 20);
}

/* SHA-1 agrees, and proves nothing. */
static void test_old_log_proves_nothing(void **state)
{
    struct eventlog_pcrs p;
    struct eventlog_claim claim[FIXTURE_CLAIMS];
    struct eventlog_agreement a;

    (void)state;
    fixture_old_event(&log_, 4, EVENTLOG_EV_ACTION, span_str("boot"));
    assert_int_equal(eventlog_replay_any(bytes(), &p, NULL), 0);
    assert_int_equal(eventlog_compare(&p, claim,
                             fixture_claims(&p, TCG_ALG_SHA1, claim), &a, NULL),
            0);
    assert_int_equal(a.bank[0].agree, 0xffffff);
    assert_int_equal(a.proved, 0);
}

static void test_malformed_spec_id_is_no_old_log(void **state)
{
    struct eventlog_pcrs p;

    (void)state;
    fixture_header(&log_, fixture_algs, 0, SPAN_EMPTY);
    assert_int_equal(eventlog_replay_any(bytes(), &p, NULL), ERR_SYNTAX);
}

static void test_empty_log(void **state)
{
    struct eventlog_pcrs p;

    (void)state;
    assert_int_equal(eventlog_replay_any(SPAN_EMPTY, &p, NULL), ERR_SYNTAX);
    assert_int_equal(eventlog_replay(SPAN_EMPTY, &p, NULL), ERR_SYNTAX);
}

static void test_fragment(void **state)
{
    struct eventlog l;
    struct eventlog_pcrs p;
    const struct eventlog_alg twice[] = {fixture_algs[0], fixture_algs[0]};

    (void)state;
    fixture_text(&log_, 4, EVENTLOG_EV_ACTION, "boot");
    assert_int_equal(
            eventlog_open_fragment(bytes(), fixture_algs, 3, &l, NULL), 0);
    assert_int_equal(eventlog_replay_all(&l, &p, NULL), 0);
    assert_int_equal(p.events, 1);
    assert_int_equal(p.bank[2].extended, 1u << 4);
    assert_true(eventlog_open_fragment(bytes(), twice, 2, &l, NULL) != 0);
    assert_true(eventlog_open_fragment(bytes(), NULL, 0, &l, NULL) != 0);
}

/* ---- events ---------------------------------------------------------- */

static void test_digests_refused(void **state)
{
    static const struct eventlog_alg other[] = {{TCG_ALG_SHA512, 64}};
    const struct eventlog_alg twice[] = {fixture_algs[1], fixture_algs[1]};
    const struct eventlog_alg four[] = {fixture_algs[0], fixture_algs[1],
            fixture_algs[2], {TCG_ALG_SHA512, 64}};
    const struct {
        const struct eventlog_alg *alg;
        size_t n;
    } rows[] = {{other, 1}, {twice, 2}, {four, 4}, {fixture_algs, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        log_.len = 0;
        begin();
        fixture_event_of(&log_, rows[i].alg, rows[i].n, 1, EVENTLOG_EV_ACTION,
                span_str("a"), span_str("a"));
        assert_refused(ERR_SYNTAX);
    }
}

static void test_digests_in_another_order(void **state)
{
    const struct eventlog_alg alg[] = {
            fixture_algs[2], fixture_algs[0], fixture_algs[1]};
    struct eventlog_pcrs p, q;

    (void)state;
    begin();
    fixture_text(&log_, 1, EVENTLOG_EV_ACTION, "a");
    assert_int_equal(replay(&p), 0);
    log_.len = 0;
    begin();
    fixture_event_of(
            &log_, alg, 3, 1, EVENTLOG_EV_ACTION, span_str("a"), span_str("a"));
    assert_int_equal(replay(&q), 0);
    assert_memory_equal(&p.bank, &q.bank, sizeof(p.bank));
}

static void test_pcr_out_of_range(void **state)
{
    static const uint32_t pcrs[] = {24, 255, 0xffffffff};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pcrs); i++) {
        log_.len = 0;
        begin();
        fixture_text(&log_, pcrs[i], EVENTLOG_EV_ACTION, "a");
        assert_refused(ERR_SYNTAX);
    }
}

/* A log that is cut anywhere but between events is refused. */
static void test_every_truncation(void **state)
{
    struct eventlog_pcrs p;
    size_t whole, first, second;

    (void)state;
    begin();
    first = log_.len;
    fixture_text(&log_, 1, EVENTLOG_EV_ACTION, "abc");
    second = log_.len;
    fixture_text(&log_, 2, EVENTLOG_EV_ACTION, "def");
    whole = log_.len;
    for (size_t n = 0; n < whole; n++) {
        bool ok = eventlog_replay(SPAN(log_.ptr, n), &p, NULL) == 0;

        assert_int_equal(ok, n == first || n == second);
    }
}

static void test_huge_counts(void **state)
{
    static const size_t at[] = {8 /* digests */, 12 + 106 /* event size */};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        size_t event;

        log_.len = 0;
        begin();
        event = log_.len;
        fixture_text(&log_, 1, EVENTLOG_EV_ACTION, "abc");
        memset(log_.ptr + event + at[i], 0xff, 4);
        assert_refused(ERR_SYNTAX);
    }
}

static void test_padding(void **state)
{
    static const uint8_t fill[] = {0x00, 0xff};
    struct eventlog_pcrs p;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fill); i++) {
        size_t used;

        log_.len = 0;
        begin();
        fixture_text(&log_, 1, EVENTLOG_EV_ACTION, "abc");
        used = log_.len;
        for (int n = 0; n < 100; n++)
            buf_append_u8(&log_, fill[i]);
        assert_int_equal(replay(&p), 0);
        assert_int_equal(p.used, used);
        log_.ptr[log_.len - 1] ^= 1;
        assert_refused(ERR_SYNTAX);
    }
}

static void test_garbage_behind_the_events(void **state)
{
    (void)state;
    begin();
    put_raw("garbage", 7);
    assert_refused(ERR_SYNTAX);
}

/* ---- limits ---------------------------------------------------------- */

static void test_a_million_events(void **state)
{
    struct eventlog_pcrs p;

    (void)state;
    begin();
    for (unsigned i = 0; i < 1000000; i++)
        fixture_event_of(&log_, fixture_algs + 1, 1, 8, EVENTLOG_EV_IPL,
                SPAN(&i, 4), SPAN_EMPTY);
    assert_int_equal(replay(&p), 0);
    assert_int_equal(p.events, 1000001);
}

static void test_too_many_events(void **state)
{
    uint8_t record[32] = {0};

    (void)state;
    for (unsigned i = 0; i <= LIMIT_TCG_EVENTS_MAX; i++)
        put_raw(record, sizeof(record));
    put_raw("x", 1); /* so that it is no padding, and takes no square time */
    assert_int_equal(
            eventlog_replay_any(bytes(), &(struct eventlog_pcrs){0}, NULL),
            ERR_LIMIT);
}

static void test_too_large(void **state)
{
    struct eventlog l;

    (void)state;
    begin();
    assert_int_equal(
            eventlog_open(SPAN(log_.ptr, LIMIT_TCG_LOG_MAX + 1), &l, NULL),
            ERR_LIMIT);
    assert_int_equal(
            eventlog_open_fragment(SPAN(log_.ptr, LIMIT_TCG_LOG_MAX + 1),
                    fixture_algs, 1, &l, NULL),
            ERR_LIMIT);
}

/* ---- comparison ------------------------------------------------------ */

static void test_every_flipped_bit_of_a_claim_is_told(void **state)
{
    struct eventlog_pcrs p;
    struct eventlog_claim claim[FIXTURE_CLAIMS];
    struct eventlog_agreement a;
    uint8_t value[32];
    size_t n;

    (void)state;
    begin();
    fixture_text(&log_, 4, EVENTLOG_EV_ACTION, "boot");
    assert_int_equal(replay(&p), 0);
    n = fixture_claims(&p, TCG_ALG_SHA256, claim);
    assert_int_equal(eventlog_compare(&p, claim, n, &a, NULL), 0);
    assert_int_equal(a.proved, 0xffffff);
    memcpy(value, claim[4].value.ptr, 32);
    claim[4].value = SPAN_OF(value);
    for (unsigned bit = 0; bit < 256; bit++) {
        value[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(
                eventlog_compare(&p, claim, n, &a, NULL), ERR_MISMATCH);
        assert_int_equal(a.proved, 0xffffff & ~(1u << 4));
        assert_int_equal(a.differ, 1u << 4);
        value[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

/* SHA-256 agrees, SHA-384 does not: the PCR is not proved. */
static void test_all_quoted_banks_must_agree(void **state)
{
    struct eventlog_pcrs p;
    struct eventlog_agreement a;
    struct eventlog_claim claim[2];
    struct err err;

    (void)state;
    begin();
    fixture_text(&log_, 4, EVENTLOG_EV_ACTION, "boot");
    assert_int_equal(replay(&p), 0);
    claim[0] = (struct eventlog_claim){
            TCG_ALG_SHA256, 4, SPAN(p.bank[1].value[4], 32)};
    claim[1] = (struct eventlog_claim){TCG_ALG_SHA384, 4, SPAN(zero, 48)};
    assert_int_equal(eventlog_compare(&p, claim, 2, &a, &err), ERR_MISMATCH);
    assert_int_equal(a.n, 2);
    assert_int_equal(a.bank[0].agree, 1u << 4);
    assert_int_equal(a.bank[1].differ, 1u << 4);
    assert_int_equal(a.proved, 0);
    assert_string_equal(
            err.msg, "sha384 PCR 4: not the value that the log explains");
}

static void test_claims_refused(void **state)
{
    struct eventlog_pcrs p;
    struct eventlog_agreement a;
    struct eventlog_claim c = {TCG_ALG_SHA256, 4, SPAN(zero, 32)};
    struct eventlog_claim twice[] = {c, c};
    struct eventlog_claim none = {TCG_ALG_SHA256, 24, SPAN(zero, 32)};
    struct eventlog_claim other = {TCG_ALG_SM3, 4, SPAN(zero, 32)};
    struct eventlog_claim shorter = {TCG_ALG_SHA256, 4, SPAN(zero, 31)};

    (void)state;
    begin();
    assert_int_equal(replay(&p), 0);
    assert_int_equal(eventlog_compare(&p, &c, 0, &a, NULL), ERR_SYNTAX);
    assert_int_equal(eventlog_compare(&p, twice, 2, &a, NULL), ERR_SYNTAX);
    assert_int_equal(eventlog_compare(&p, &none, 1, &a, NULL), ERR_SYNTAX);
    assert_int_equal(eventlog_compare(&p, &other, 1, &a, NULL), ERR_MISMATCH);
    assert_int_equal(eventlog_compare(&p, &shorter, 1, &a, NULL), ERR_MISMATCH);
    assert_int_equal(eventlog_compare(&p, &c, 1, &a, NULL), 0);
}

static void test_claims_of_too_many_banks(void **state)
{
    struct eventlog_pcrs p;
    struct eventlog_agreement a;
    struct eventlog_claim claim[TCG_BANKS_MAX + 1];

    (void)state;
    begin();
    assert_int_equal(replay(&p), 0);
    for (size_t i = 0; i < ARRAY_LEN(claim); i++)
        claim[i] = (struct eventlog_claim){
                (uint16_t)(0x7000 + i), 4, SPAN(zero, 32)};
    assert_int_equal(
            eventlog_compare(&p, claim, TCG_BANKS_MAX, &a, NULL), ERR_MISMATCH);
    assert_int_equal(
            eventlog_compare(&p, claim, ARRAY_LEN(claim), &a, NULL), ERR_LIMIT);
}

/* A hash of the future is read by its size, and is no bank. */
static void test_unknown_hash(void **state)
{
    static const struct eventlog_alg algs[] = {
            {0x7777, 64}, {TCG_ALG_SHA256, 32}};
    struct eventlog_pcrs p;

    (void)state;
    fixture_header(&log_, algs, 2, SPAN_EMPTY);
    fixture_event_of(&log_, algs, 2, 1, EVENTLOG_EV_ACTION, span_str("a"),
            span_str("a"));
    assert_int_equal(replay(&p), 0);
    assert_int_equal(p.n, 1);
    assert_int_equal(p.bank[0].extended, 1u << 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_replays_all_banks_at_once),
            T(test_no_action_is_never_extended),
            T(test_startup_locality_starts_pcr_0),
            T(test_startup_locality_too_late_changes_nothing),
            T(test_startup_locality_malformed),
            T(test_startup_locality_twice),
            T(test_hcrtm_starts_pcr_0_at_4),
            T(test_hcrtm_malformed),
            T(test_launch_pcrs_are_ones_until_a_launch),
            T(test_unknown_types_are_extended),
            T(test_sm3_bank),
            T(test_data_of_sm3_alone_is_not_checked),
            T(test_event_that_lacks_a_bank),
            T(test_wrong_data_is_counted),
            T(test_header_refused),
            T(test_header_with_too_many_banks),
            T(test_header_lengths),
            T(test_header_of_another_pcr_or_type),
            T(test_second_header),
            T(test_vendor_information),
            T(test_old_log_has_its_own_door),
            T(test_old_log_proves_nothing),
            T(test_malformed_spec_id_is_no_old_log),
            T(test_empty_log),
            T(test_fragment),
            T(test_digests_refused),
            T(test_digests_in_another_order),
            T(test_pcr_out_of_range),
            T(test_every_truncation),
            T(test_huge_counts),
            T(test_padding),
            T(test_garbage_behind_the_events),
            T(test_a_million_events),
            T(test_too_many_events),
            T(test_too_large),
            T(test_every_flipped_bit_of_a_claim_is_told),
            T(test_all_quoted_banks_must_agree),
            T(test_claims_refused),
            T(test_claims_of_too_many_banks),
            T(test_unknown_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
