/* SPDX-License-Identifier: Apache-2.0 */
/* Dynamic launches: their logs, what a TPM shows, and the table before. */
#include "eventlog_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct buf log_;

static int setup(void **state)
{
    (void)state;
    log_ = BUF_INIT(1u << 20);
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

static void put_u32_at(size_t at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        log_.ptr[at + (size_t)i] = (uint8_t)(v >> (8 * i));
}

static void fill(uint8_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_append_u8(&log_, v);
}

/* ---- SKL ------------------------------------------------------------- */

/* Offsets in the header: 32 + 28 + two banks + the vendor's size. */
#define VENDOR    (32 + 28 + 8 + 1)
#define ALLOCATED (VENDOR + 8)
#define FIRST     (VENDOR + 12)
#define NEXT      (VENDOR + 16)
#define HEADER    (VENDOR + 20)

static void launch_event(uint32_t pcr, const char *hashed, const char *data)
{
    fixture_event_of(&log_, fixture_algs, 2, pcr, EVENTLOG_EV_SLAUNCH,
            span_str(hashed), span_str(data));
}

static void put_skl(void)
{
    static const uint8_t vendor[20] = {[2] = 0x7f};

    log_.len = 0;
    fixture_header(&log_, fixture_algs, 2, SPAN_OF(vendor));
    launch_event(17, "slb", "SKINIT");
    launch_event(18, "mbi", "Measured MBI into PCR18");
    launch_event(17, "kernel", "Measured Kernel into PCR17");
    put_u32_at(ALLOCATED, 0x8000);
    put_u32_at(NEXT, (uint32_t)log_.len);
    fill(0, 100);
}

static int open_log(struct eventlog_pcrs *ret)
{
    struct eventlog_drtm d;
    int r = eventlog_drtm_open(bytes(), &d, NULL);

    return r != 0 ? r : eventlog_drtm_replay(&d, ret, NULL);
}

static void test_skl_log(void **state)
{
    struct eventlog_drtm d;
    struct eventlog_pcrs p;
    uint8_t want[CRYPTO_HASH_MAX];

    (void)state;
    put_skl();
    assert_int_equal(eventlog_drtm_open(bytes(), &d, NULL), 0);
    assert_int_equal(d.form, EVENTLOG_DRTM_SKL);
    assert_int_equal(d.address, 0x7f0000);
    assert_int_equal(d.next, log_.len - 100);
    assert_int_equal(eventlog_drtm_replay(&d, &p, NULL), 0);
    assert_int_equal(p.events, 4);
    /* What is computed ahead is what the log explains. */
    assert_int_equal(eventlog_drtm_predict(CRYPTO_SHA256, span_str("slb"),
                             span_str("kernel"), NULL, 0, want),
            0);
    assert_memory_equal(p.bank[1].value[17], want, 32);
}

static void test_skl_log_that_ends_elsewhere(void **state)
{
    struct eventlog_pcrs p;
    struct eventlog_drtm d;
    uint32_t next;

    (void)state;
    put_skl();
    next = (uint32_t)log_.len - 100;
    for (int i = -120; i <= 100; i++) {
        if (i == 0)
            continue;
        put_u32_at(NEXT, (uint32_t)((int)next + i));
        assert_true(eventlog_drtm_open(bytes(), &d, NULL) != 0);
    }
    put_u32_at(NEXT, 0);
    assert_true(eventlog_drtm_open(bytes(), &d, NULL) != 0);
    put_u32_at(NEXT, 0xffffffff);
    assert_true(eventlog_drtm_open(bytes(), &d, NULL) != 0);
    put_u32_at(NEXT, next);
    assert_int_equal(open_log(&p), 0);
    log_.ptr[log_.len - 1] = 1; /* not padding */
    assert_true(open_log(&p) != 0);
}

static void test_skl_header(void **state)
{
    struct eventlog_drtm d;

    (void)state;
    put_skl();
    put_u32_at(FIRST, HEADER);
    assert_int_equal(eventlog_drtm_open(bytes(), &d, NULL), 0);
    put_u32_at(FIRST, HEADER + 1);
    assert_true(eventlog_drtm_open(bytes(), &d, NULL) != 0);
    put_u32_at(FIRST, 0);
    put_u32_at(ALLOCATED, (uint32_t)log_.len - 1);
    assert_true(eventlog_drtm_open(bytes(), &d, NULL) != 0);
    put_u32_at(ALLOCATED, (uint32_t)log_.len);
    assert_int_equal(eventlog_drtm_open(bytes(), &d, NULL), 0);
}

static void test_pcrs_of_no_launch(void **state)
{
    static const uint32_t pcrs[] = {0, 16, 23};
    struct eventlog_pcrs p;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pcrs); i++) {
        log_.len = 0;
        fixture_header(&log_, fixture_algs, 2, SPAN_EMPTY);
        launch_event(17, "x", "x");
        assert_int_equal(open_log(&p), 0);
        launch_event(pcrs[i], "x", "x");
        assert_int_equal(open_log(&p), ERR_SYNTAX);
    }
}

/* ---- Intel TXT ------------------------------------------------------- */

static void put_txt12(void)
{
    log_.len = 0;
    buf_append(&log_, SPAN("TXT Event Container\0", 20));
    fill(0, 12);
    buf_append(&log_, SPAN("\1\0\1\0", 4));
    fixture_u32(&log_, 4096);
    fixture_u32(&log_, 48);
    fixture_u32(&log_, 0);
    fixture_old_event(&log_, 17, 0x402, span_str("start"));
    fixture_old_event(&log_, 18, 0x410, span_str("key"));
    put_u32_at(44, (uint32_t)log_.len);
    fill(0, 64);
}

static void test_txt_container(void **state)
{
    struct eventlog_drtm d;
    struct eventlog_pcrs p;

    (void)state;
    put_txt12();
    assert_int_equal(eventlog_drtm_open(bytes(), &d, NULL), 0);
    assert_int_equal(d.form, EVENTLOG_DRTM_TXT12);
    assert_int_equal(d.log.format, EVENTLOG_LEGACY);
    assert_int_equal(eventlog_drtm_replay(&d, &p, NULL), 0);
    assert_int_equal(p.bank[0].extended, 3u << 17);
}

static void test_txt_container_refused(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
    } rows[] = {{32, 0x00010002}, {32, 0x00020001}, {32, 0x01010001}, {36, 100},
            {40, 47}, {40, 4000}, {44, 47}, {44, 5000}};
    struct eventlog_drtm d;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        put_txt12();
        put_u32_at(rows[i].at, rows[i].value);
        assert_true(eventlog_drtm_open(bytes(), &d, NULL) != 0);
    }
    for (size_t n = 0; n < 48 + 37; n++)
        assert_true(eventlog_drtm_open(SPAN(log_.ptr, n), &d, NULL) != 0);
}

/* TXT tells how it uses PCRs in an event that it does not extend. */
static void test_txt_mapping_is_not_extended(void **state)
{
    struct eventlog_pcrs p, q;

    (void)state;
    fixture_header(&log_, fixture_algs, 2, SPAN_EMPTY);
    launch_event(17, "x", "x");
    assert_int_equal(open_log(&p), 0);
    fixture_event_of(&log_, fixture_algs, 2, 17, 0x401, span_str("mapping"),
            span_str("\1"));
    assert_int_equal(open_log(&q), 0);
    assert_true(memcmp(p.bank, q.bank, sizeof(p.bank)) != 0);
    /* With digests of zero. */
    memset(log_.ptr + log_.len - 5 - 32, 0, 32);
    memset(log_.ptr + log_.len - 5 - 32 - 2 - 20, 0, 20);
    assert_int_equal(open_log(&q), 0);
    assert_memory_equal(p.bank, q.bank, sizeof(p.bank));
}

/* ---- what the TPM shows ---------------------------------------------- */

struct launch {
    struct eventlog_pcrs p;
    struct eventlog_claim claim[4];
    uint8_t value[4][32];
};

/* Claims that agree: SHA-1 and SHA-256 of 17 and 18. */
static void launch_init(struct launch *l)
{
    put_skl();
    assert_int_equal(open_log(&l->p), 0);
    for (unsigned i = 0; i < 4; i++) {
        const struct eventlog_bank *b = &l->p.bank[i / 2];

        memcpy(l->value[i], b->value[17 + i % 2], b->size);
        l->claim[i] = (struct eventlog_claim){
                b->alg, 17 + i % 2, SPAN(l->value[i], b->size)};
    }
}

static int compare(struct launch *l, size_t from, size_t n)
{
    struct eventlog_agreement a;

    return eventlog_drtm_compare(&l->p, l->claim + from, n, &a, NULL);
}

static void test_launch_that_agrees(void **state)
{
    struct launch l;
    struct eventlog_agreement a;

    (void)state;
    launch_init(&l);
    assert_int_equal(eventlog_drtm_compare(&l.p, l.claim, 4, &a, NULL), 0);
    assert_int_equal(a.proved, 3u << 17);
    assert_int_equal(compare(&l, 2, 2), 0);
}

static void test_launch_needs_17_and_18_and_more_than_sha1(void **state)
{
    struct launch l;

    (void)state;
    launch_init(&l);
    assert_int_equal(compare(&l, 0, 2), ERR_SYNTAX); /* SHA-1 alone */
    assert_int_equal(compare(&l, 2, 1), ERR_SYNTAX); /* 17 alone */
    assert_int_equal(compare(&l, 3, 1), ERR_SYNTAX); /* 18 alone */
    assert_int_equal(compare(&l, 1, 3), ERR_SYNTAX);
    assert_int_equal(compare(&l, 0, 0), ERR_SYNTAX);
}

static void test_values_of_no_launch(void **state)
{
    static const uint8_t fill_with[] = {0x00, 0xff};
    struct launch l;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fill_with); i++) {
        for (size_t j = 0; j < 4; j++) {
            launch_init(&l);
            memset(l.value[j], fill_with[i], 32);
            assert_int_equal(compare(&l, 0, 4), ERR_MISMATCH);
        }
    }
}

/* A log without events explains all ones: no launch, though it "agrees". */
static void test_log_of_nothing(void **state)
{
    struct eventlog_pcrs p;
    struct eventlog_agreement a;
    struct eventlog_claim c[2];
    struct err err;

    (void)state;
    fixture_header(&log_, fixture_algs, 2, SPAN_EMPTY);
    assert_int_equal(open_log(&p), 0);
    for (unsigned i = 0; i < 2; i++)
        c[i] = (struct eventlog_claim){
                TCG_ALG_SHA256, 17 + i, SPAN(p.bank[1].value[17 + i], 32)};
    assert_int_equal(eventlog_drtm_compare(&p, c, 2, &a, &err), ERR_MISMATCH);
    assert_int_equal(a.proved, 0);
    assert_string_equal(
            err.msg, "PCR 17: all ones, there was no dynamic launch");
}

static void test_sha1_that_differs_is_told(void **state)
{
    struct launch l;
    struct eventlog_agreement a;

    (void)state;
    launch_init(&l);
    l.value[0][0] ^= 1;
    assert_int_equal(eventlog_drtm_compare(&l.p, l.claim, 4, &a, NULL), 0);
    assert_int_equal(a.bank[0].differ, 1u << 17);
    assert_int_equal(a.proved, 3u << 17);
    l.value[3][0] ^= 1;
    assert_int_equal(
            eventlog_drtm_compare(&l.p, l.claim, 4, &a, NULL), ERR_MISMATCH);
    assert_int_equal(a.proved, 1u << 17);
}

/* ---- prediction ------------------------------------------------------ */

static void test_loader_block(void **state)
{
    uint8_t slb[64] = {0x10, 0, 40, 0};
    struct span s;

    (void)state;
    assert_int_equal(eventlog_drtm_slb(SPAN_OF(slb), &s, NULL), 0);
    assert_int_equal(s.len, 40);
    slb[2] = 65; /* longer than the file */
    assert_true(eventlog_drtm_slb(SPAN_OF(slb), &s, NULL) != 0);
    slb[2] = 0x10; /* entry behind its end */
    assert_true(eventlog_drtm_slb(SPAN_OF(slb), &s, NULL) != 0);
    slb[2] = 3;
    slb[0] = 0;
    assert_true(eventlog_drtm_slb(SPAN_OF(slb), &s, NULL) != 0);
    assert_true(eventlog_drtm_slb(SPAN(slb, 3), &s, NULL) != 0);
}

static void test_kernel_image(void **state)
{
    uint8_t image[5 * 512 + 64] = {0};
    struct span s;

    (void)state;
    memcpy(image + 0x202, "HdrS", 4);
    image[0x1f4] = 4; /* times 16 bytes */
    assert_int_equal(eventlog_drtm_kernel(SPAN_OF(image), &s, NULL), 0);
    assert_ptr_equal(s.ptr, image + 5 * 512); /* 0 sectors are 4 */
    assert_int_equal(s.len, 64);
    image[0x1f4] = 5;
    assert_true(eventlog_drtm_kernel(SPAN_OF(image), &s, NULL) != 0);
    image[0x1f4] = 4;
    image[0x1f7] = 0xff;
    assert_true(eventlog_drtm_kernel(SPAN_OF(image), &s, NULL) != 0);
    image[0x1f7] = 0;
    image[0x1f1] = 255;
    assert_true(eventlog_drtm_kernel(SPAN_OF(image), &s, NULL) != 0);
    image[0x1f1] = 3;
    assert_int_equal(eventlog_drtm_kernel(SPAN_OF(image), &s, NULL), 0);
    image[0x202] = 'h';
    assert_true(eventlog_drtm_kernel(SPAN_OF(image), &s, NULL) != 0);
    assert_true(eventlog_drtm_kernel(SPAN(image, 0x205), &s, NULL) != 0);
}

static void test_prediction_with_more(void **state)
{
    uint8_t a[CRYPTO_HASH_MAX], b[CRYPTO_HASH_MAX], digest[32];
    struct span more = SPAN_OF(digest);

    (void)state;
    crypto_sha256(span_str("payload"), digest);
    assert_int_equal(eventlog_drtm_predict(CRYPTO_SHA256, span_str("slb"),
                             span_str("kernel"), NULL, 0, a),
            0);
    eventlog_extend(CRYPTO_SHA256, a, more);
    assert_int_equal(eventlog_drtm_predict(CRYPTO_SHA256, span_str("slb"),
                             span_str("kernel"), &more, 1, b),
            0);
    assert_memory_equal(a, b, 32);
    more.len = 20;
    assert_int_equal(eventlog_drtm_predict(CRYPTO_SHA256, span_str("slb"),
                             span_str("kernel"), &more, 1, b),
            ERR_SYNTAX);
}

/* ---- SLRT ------------------------------------------------------------ */

static void slrt_entry(bool old, uint32_t tag, struct span body)
{
    if (old) {
        fixture_u16(&log_, (uint16_t)tag);
        fixture_u16(&log_, (uint16_t)(4 + body.len));
    } else {
        fixture_u32(&log_, tag);
        fixture_u32(&log_, (uint32_t)(8 + body.len));
    }
    buf_append(&log_, body);
}

static void slrt_begin(void)
{
    log_.len = 0;
    fixture_u32(&log_, 0x4452544d);
    fixture_u16(&log_, 1);
    fixture_u16(&log_, 2);
    fixture_u32(&log_, 0);
    fixture_u32(&log_, 4096);
}

static void slrt_end(bool old)
{
    slrt_entry(old, 0xffff, SPAN_EMPTY);
    put_u32_at(8, (uint32_t)log_.len);
}

static void slrt_policy(bool old, uint16_t pcr)
{
    struct buf b = BUF_INIT(4096);

    if (!old)
        fixture_u32(&b, 0);
    fixture_u16(&b, 1);
    fixture_u16(&b, 1);
    fixture_u16(&b, pcr);
    fixture_u16(&b, 4);
    fixture_u16(&b, 1);
    fixture_u16(&b, 0);
    fixture_u64(&b, old ? 0x1000 : 64);
    fixture_u64(&b, old ? 64 : 0x1000);
    buf_append(&b, SPAN("Measured cmdline\0rest of it\0....", 32));
    slrt_entry(old, EVENTLOG_SLRT_POLICY, buf_span(&b));
    buf_fini(&b);
}

static void slrt_log(bool old)
{
    struct buf b = BUF_INIT(64);

    fixture_u16(&b, 2);
    fixture_u16(&b, 0);
    if (!old)
        fixture_u32(&b, 0x8000);
    fixture_u64(&b, 0x7f0000);
    if (old)
        fixture_u32(&b, 0x8000);
    slrt_entry(old, EVENTLOG_SLRT_LOG_INFO, buf_span(&b));
    buf_fini(&b);
}

static void slrt_launch(bool old)
{
    struct buf b = BUF_INIT(256);

    if (old) {
        fixture_u32(&b, 1);
        fixture_u64(&b, 0);
        fixture_u64(&b, 0x66); /* handler */
        fixture_u64(&b, 0x11);
        fixture_u32(&b, 0x22);
        fixture_u64(&b, 0x55);
    } else {
        fixture_u64(&b, 0x22);
        fixture_u64(&b, 0x11);
        fixture_u64(&b, 0x44);
        fixture_u64(&b, 0x33);
        fixture_u64(&b, 0x55);
        fixture_u64(&b, 1);
        fixture_u64(&b, 0);
        fixture_u64(&b, 0x66);
    }
    slrt_entry(old, EVENTLOG_SLRT_DL_INFO, buf_span(&b));
    buf_fini(&b);
}

static void slrt_config(bool old, uint16_t revision, uint16_t n, uint16_t pcr)
{
    struct buf b = BUF_INIT(256);

    if (!old)
        fixture_u32(&b, 0);
    fixture_u16(&b, revision);
    fixture_u16(&b, n);
    fixture_u16(&b, pcr);
    fixture_u16(&b, 0);
    if (!old)
        fixture_u32(&b, 0x77);
    fixture_u64(&b, 0x88);
    if (old)
        fixture_u32(&b, 0x77);
    buf_append(&b, SPAN("exactly thirty-two characters!!!", 32));
    slrt_entry(old, EVENTLOG_SLRT_UEFI_CONFIG, buf_span(&b));
    buf_fini(&b);
}

static void test_slrt_launch_and_uefi(void **state)
{
    (void)state;
    for (int old = 0; old <= 1; old++) {
        struct eventlog_slrt s;

        slrt_begin();
        slrt_launch(old);
        slrt_config(old, 1, 1, 18);
        slrt_entry(old, EVENTLOG_SLRT_AMD, span_str("state"));
        slrt_end(old);
        assert_int_equal(eventlog_slrt_parse(bytes(), &s, NULL), 0);
        assert_int_equal(s.tags, 1u << EVENTLOG_SLRT_DL_INFO |
                                         1u << EVENTLOG_SLRT_AMD |
                                         1u << EVENTLOG_SLRT_UEFI_CONFIG);
        assert_int_equal(s.dce_base, 0x11);
        assert_int_equal(s.dce_size, 0x22);
        assert_int_equal(s.dlme_entry, 0x55);
        assert_int_equal(s.dlme_base, old ? 0 : 0x33);
        assert_int_equal(s.dlme_size, old ? 0 : 0x44);
        assert_int_equal(s.n_configs, 1);
        assert_int_equal(s.config[0].size, 0x77);
        assert_int_equal(s.config[0].address, 0x88);
        assert_int_equal(s.config[0].info.len, 32);
    }
}

static void test_slrt_config_refused(void **state)
{
    static const uint16_t rows[][3] = {
            {2, 1, 18}, {1, 2, 18}, {1, 0, 18}, {1, 1, 16}, {1, 1, 23}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int old = 0; old <= 1; old++) {
            struct eventlog_slrt s;

            slrt_begin();
            slrt_config(old, rows[i][0], rows[i][1], rows[i][2]);
            slrt_end(old);
            assert_true(eventlog_slrt_parse(bytes(), &s, NULL) != 0);
        }
    }
}

static void test_slrt_in_both_forms(void **state)
{
    (void)state;
    for (int old = 0; old <= 1; old++) {
        struct eventlog_slrt s;

        slrt_begin();
        slrt_log(old);
        slrt_policy(old, 18);
        slrt_end(old);
        assert_int_equal(eventlog_slrt_parse(bytes(), &s, NULL), 0);
        assert_int_equal(s.old, old);
        assert_int_equal(s.architecture, 2);
        assert_int_equal(s.log_format, 2);
        assert_int_equal(s.log_address, 0x7f0000);
        assert_int_equal(s.log_size, 0x8000);
        assert_int_equal(s.n_policies, 1);
        assert_int_equal(s.policy[0].pcr, 18);
        assert_int_equal(s.policy[0].address, 0x1000);
        assert_int_equal(s.policy[0].size, 64);
        assert_true(span_eq_str(s.policy[0].info, "Measured cmdline"));
        for (size_t n = 0; n < log_.len; n++)
            assert_true(eventlog_slrt_parse(SPAN(log_.ptr, n), &s, NULL) != 0);
    }
}

static void test_slrt_refused(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
    } rows[] = {{0, 0x4452544e}, {4, 0x00020002}, {8, 15}, {12, 16}};
    struct eventlog_slrt s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slrt_begin();
        slrt_log(false);
        slrt_end(false);
        put_u32_at(rows[i].at, rows[i].value);
        assert_true(eventlog_slrt_parse(bytes(), &s, NULL) != 0);
    }
}

static void test_slrt_entries_refused(void **state)
{
    struct eventlog_slrt s;

    (void)state;
    slrt_begin();
    slrt_log(false);
    slrt_log(false); /* twice */
    slrt_end(false);
    assert_true(eventlog_slrt_parse(bytes(), &s, NULL) != 0);
    slrt_begin();
    slrt_policy(false, 16); /* a PCR of no launch */
    slrt_end(false);
    assert_true(eventlog_slrt_parse(bytes(), &s, NULL) != 0);
    slrt_begin();
    slrt_entry(false, 9, SPAN_EMPTY); /* unknown */
    slrt_end(false);
    assert_int_equal(eventlog_slrt_parse(bytes(), &s, NULL), ERR_UNSUPPORTED);
    slrt_begin();
    slrt_entry(false, EVENTLOG_SLRT_LOG_INFO, span_str("short"));
    slrt_end(false);
    assert_true(eventlog_slrt_parse(bytes(), &s, NULL) != 0);
    slrt_begin();
    slrt_log(false); /* no end */
    put_u32_at(8, (uint32_t)log_.len);
    assert_true(eventlog_slrt_parse(bytes(), &s, NULL) != 0);
    slrt_begin();
    slrt_entry(false, 0xffff, SPAN_EMPTY);
    slrt_log(false); /* behind the end */
    put_u32_at(8, (uint32_t)log_.len);
    assert_true(eventlog_slrt_parse(bytes(), &s, NULL) != 0);
}

static void test_slrt_with_too_many_policies(void **state)
{
    struct eventlog_slrt s;
    struct buf b = BUF_INIT(1u << 16);

    (void)state;
    fixture_u32(&b, 0);
    fixture_u16(&b, 1);
    fixture_u16(&b, 0xffff);
    slrt_begin();
    slrt_entry(false, EVENTLOG_SLRT_POLICY, buf_span(&b));
    slrt_end(false);
    assert_true(eventlog_slrt_parse(bytes(), &s, NULL) != 0);
    buf_fini(&b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_skl_log),
            T(test_skl_log_that_ends_elsewhere),
            T(test_skl_header),
            T(test_pcrs_of_no_launch),
            T(test_txt_container),
            T(test_txt_container_refused),
            T(test_txt_mapping_is_not_extended),
            T(test_launch_that_agrees),
            T(test_launch_needs_17_and_18_and_more_than_sha1),
            T(test_values_of_no_launch),
            T(test_log_of_nothing),
            T(test_sha1_that_differs_is_told),
            T(test_loader_block),
            T(test_kernel_image),
            T(test_prediction_with_more),
            T(test_slrt_launch_and_uefi),
            T(test_slrt_config_refused),
            T(test_slrt_in_both_forms),
            T(test_slrt_refused),
            T(test_slrt_entries_refused),
            T(test_slrt_with_too_many_policies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
