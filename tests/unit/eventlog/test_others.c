/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of coreboot and of systemd. */
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

static void put_padded(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buf_append_u8(&log_, i < strlen(text) ? (uint8_t)text[i] : 0);
}

/* ---- coreboot's table ------------------------------------------------ */

#define FIRST  4
#define TYPE   (FIRST + 4)
#define LENGTH (FIRST + 4 + 10 + 64)
#define NAME   (LENGTH + 4)

static void put_entry(
        uint32_t pcr, enum crypto_hash hash, const char *type, const char *name)
{
    uint8_t digest[64] = {0};

    crypto_hash(hash, span_str(name), digest);
    fixture_u32(&log_, pcr);
    put_padded(type, 10);
    buf_append(&log_, SPAN_OF(digest));
    fixture_u32(&log_, (uint32_t)crypto_hash_size(hash));
    put_padded(name, 50);
}

static void put_table(void)
{
    log_.len = 0;
    fixture_u16(&log_, 4);
    fixture_u16(&log_, 2);
    put_entry(2, CRYPTO_SHA256, "SHA256", "FMAP: COREBOOT CBFS: bootblock");
    put_entry(1, CRYPTO_SHA1, "SHA1", "GBB flags");
}

static int open_coreboot(struct eventlog_pcrs *p)
{
    struct eventlog_coreboot c;
    int r = eventlog_coreboot_open(bytes(), &c, NULL);

    return r != 0 ? r : eventlog_coreboot_replay(&c, p, NULL);
}

static void test_coreboot_table(void **state)
{
    struct eventlog_coreboot c;
    struct eventlog_coreboot_entry e;
    struct eventlog_pcrs p;
    uint8_t want[32] = {0}, digest[32];

    (void)state;
    put_table();
    assert_int_equal(eventlog_coreboot_open(bytes(), &c, NULL), 0);
    assert_int_equal(c.form, EVENTLOG_COREBOOT_TABLE);
    assert_int_equal(eventlog_coreboot_entry(&c, 1, &e, NULL), 0);
    assert_int_equal(e.alg, TCG_ALG_SHA1);
    assert_true(span_eq_str(e.name, "GBB flags"));
    assert_true(eventlog_coreboot_entry(&c, 2, &e, NULL) != 0);
    assert_int_equal(eventlog_coreboot_replay(&c, &p, NULL), 0);
    assert_int_equal(p.n, 2);
    crypto_sha256(span_str("FMAP: COREBOOT CBFS: bootblock"), digest);
    eventlog_extend(CRYPTO_SHA256, want, SPAN_OF(digest));
    assert_memory_equal(p.bank[0].value[2], want, 32);
    assert_int_equal(p.bank[1].extended, 1u << 1);
    /* Room for more entries may follow, and is not looked at. */
    for (int i = 0; i < 2 * 132; i++)
        buf_append_u8(&log_, 0x55);
    assert_int_equal(open_coreboot(&p), 0);
    buf_append_u8(&log_, 0);
    assert_true(open_coreboot(&p) != 0);
}

static void test_coreboot_table_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } rows[] = {{2, 5} /* more than there may be */,
            {2, 3} /* than there are */, {FIRST, 24}, {TYPE, 'X'},
            {TYPE + 6, 'x'}, {LENGTH, 20}, {LENGTH, 31}, {LENGTH, 33},
            {LENGTH + 3, 1}};
    struct eventlog_pcrs p;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        put_table();
        log_.ptr[rows[i].at] = rows[i].value;
        assert_true(open_coreboot(&p) != 0);
    }
    put_table();
    memset(log_.ptr + NAME, 'n', 50); /* no NUL */
    assert_true(open_coreboot(&p) != 0);
    put_table();
    memset(log_.ptr + TYPE, 'S', 10);
    assert_true(open_coreboot(&p) != 0);
    put_table();
    for (size_t n = 0; n < log_.len; n++)
        assert_true(eventlog_coreboot_open(SPAN(log_.ptr, n),
                            &(struct eventlog_coreboot){0}, NULL) != 0);
}

/* ---- coreboot's logs of the TCG forms -------------------------------- */

/* Vendor information of TPM 2.0 logs; behind it the numbers of a layout. */
#define CBT2 "\0\2\0CBT2"

static void put_tpm20(const char *numbers, size_t n)
{
    uint8_t vendor[32];

    memcpy(vendor, CBT2, 7);
    memcpy(vendor + 7, numbers, n);
    log_.len = 0;
    fixture_header(&log_, fixture_algs + 1, 1, SPAN(vendor, 7 + n));
    fixture_event_of(&log_, fixture_algs + 1, 1, 2, 0, span_str("a"),
            SPAN("CBFS: a\0", 8));
    put_padded("", 64);
}

#define EVENT_SIZE (4 + 4 + 4 + 2 + 32 + 4 + 8)

static void test_coreboot_tpm20_layouts(void **state)
{
    static const struct {
        const char *numbers;
        size_t n;
        bool ok;
    } rows[] = {
            {"\x20\0\1\0\x66\0\0\0", 8, true},  /* entries */
            {"\x20\0\2\0\x66\0\0\0", 8, false}, /* one too many */
            {"\0\0\1\0\x66\0\0\0", 8, false},   /* over the most */
            {"\1\0\x3a\0\xff\0", 6, true},      /* counted */
            {"\0\0\x3a\0\xff\0", 6, false},
            {"\1\0\x39\0\xff\0", 6, false},
            {"\x3a\0\xff\0", 4, true}, /* offsets */
            {"\x3b\0\xff\0", 4, false},
            {"\x3a\0\x39\0", 4, false}, /* over the most */
            {"", 0, false},
    };

    (void)state;
    assert_int_equal(EVENT_SIZE, 0x3a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct eventlog_pcrs p;

        put_tpm20(rows[i].numbers, rows[i].n);
        assert_int_equal(open_coreboot(&p) == 0, rows[i].ok);
        if (rows[i].ok)
            assert_int_equal(p.bank[0].extended, 1u << 2);
    }
}

static void test_log_of_another_vendor(void **state)
{
    (void)state;
    fixture_header(&log_, fixture_algs, 1, span_str("maker"));
    assert_int_equal(
            open_coreboot(&(struct eventlog_pcrs){0}), ERR_UNSUPPORTED);
}

static void put_tpm12(uint8_t n)
{
    uint8_t data[16 + 8 + 1 + 15] = "Spec ID Event00";
    uint8_t vendor[15] = {0, 1, 0, 'C', 'B', 'T', '1', 10, 0, n, 0, 82};

    data[24] = sizeof(vendor);
    memcpy(data + 25, vendor, sizeof(vendor));
    log_.len = 0;
    fixture_old_event(&log_, 0, EVENTLOG_EV_NO_ACTION, SPAN_OF(data));
    fixture_old_event(&log_, 2, 0, SPAN("CBFS: a\0", 8));
    put_padded("", 64);
}

static void test_coreboot_tpm12(void **state)
{
    struct eventlog_pcrs p;

    (void)state;
    put_tpm12(1);
    assert_int_equal(open_coreboot(&p), 0);
    assert_int_equal(p.format, EVENTLOG_LEGACY);
    assert_int_equal(p.bank[0].extended, 1u << 2);
    put_tpm12(2);
    assert_true(open_coreboot(&p) != 0);
    put_tpm12(0);
    assert_true(open_coreboot(&p) != 0);
    put_tpm12(1);
    log_.ptr[32 + 25 + 3] = 'X';
    assert_true(open_coreboot(&p) != 0);
}

/* ---- systemd's log --------------------------------------------------- */

#define A256             "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define DIGEST(alg, hex) "{\"hashAlg\":\"" alg "\",\"digest\":\"" hex "\"}"
#define RECORD(pcr, digests, content)                                          \
    "\x1e{\"pcr\":" pcr ",\"digests\":[" digests                               \
    "],\"content_type\":\"systemd\",\"content\":{" content "}}\n"
#define PHASE_A                                                                \
    "\"string\":\"a\",\"bootId\":\"00\",\"timestamp\":12,"                     \
    "\"eventType\":\"phase\""

static int read_user(const char *text, struct eventlog_user_record *ret)
{
    struct eventlog_user u;
    struct err err = {0};
    int r;

    assert_int_equal(eventlog_user_open(span_str(text), &u, &err), 0);
    r = eventlog_user_next(&u, ret, &err);
    if (r < 0)
        assert_true(err.msg[0]);
    return r;
}

static void test_phase_word(void **state)
{
    struct eventlog_user_record r;

    (void)state;
    assert_int_equal(
            read_user(RECORD("11", DIGEST("sha256", A256), PHASE_A), &r), 1);
    assert_true(r.has_pcr);
    assert_int_equal(r.pcr, 11);
    assert_int_equal(r.n_digests, 1);
    assert_int_equal(r.digest[0].alg, TCG_ALG_SHA256);
    assert_true(span_eq_str(r.text, "a"));
    assert_true(span_eq_str(r.type, "phase"));
    assert_true(span_eq_str(r.boot_id, "00"));
    assert_int_equal(r.timestamp, 12);
    assert_int_equal(r.data, EVENTLOG_DATA_WHOLE);
}

static void test_phase_word_that_is_not_its_digests(void **state)
{
    struct eventlog_user_record r;

    (void)state;
    assert_int_equal(read_user(RECORD("11", DIGEST("sha256", A256),
                                       "\"string\":\"b\","
                                       "\"eventType\":\"phase\""),
                             &r),
            1);
    assert_int_equal(r.data, EVENTLOG_DATA_WRONG);
    /* A volume key's digest is of a secret. */
    assert_int_equal(read_user(RECORD("15", DIGEST("sha256", A256),
                                       "\"string\":\"b\","
                                       "\"eventType\":\"volume-key\""),
                             &r),
            1);
    assert_int_equal(r.data, EVENTLOG_DATA_OPAQUE);
}

static void test_index_instead_of_a_pcr(void **state)
{
    struct eventlog_user_record r;

    (void)state;
    assert_int_equal(
            read_user("\x1e{\"nv_index\":30474752,\"digests\":[" DIGEST(
                              "sha256", A256) "]}\n",
                    &r),
            1);
    assert_false(r.has_pcr);
    assert_int_equal(r.nv_index, 30474752);
}

static void test_members_that_are_not_known(void **state)
{
    struct eventlog_user_record r;

    (void)state;
    assert_int_equal(
            read_user("\x1e{\"future\":{\"a\":[1,-2.5e+3,true,null,\"]}\","
                      "{},[]]},\"pcr\": 11 , \"digests\":[" DIGEST(
                              "sha256", A256) "]}\n",
                    &r),
            1);
    assert_int_equal(r.pcr, 11);
}

static void test_records_refused(void **state)
{
    static const char *const rows[] = {
            "{\"pcr\":11}\n",  /* no separator */
            "\x1e{\"pcr\":11", /* cut */
            "\x1e",
            "\x1e\n",
            RECORD("", DIGEST("sha256", A256), PHASE_A),
            RECORD("1 1", DIGEST("sha256", A256), PHASE_A),
            RECORD("11", DIGEST("sha256", A256 "0"), PHASE_A),
            RECORD("11", DIGEST("sha256", ""), PHASE_A),
            RECORD("11", "{\"hashAlg\":\"sha256\"}", PHASE_A),
            RECORD("11", "{\"hashAlg\":1,\"digest\":\"" A256 "\"}", PHASE_A),
            RECORD("11", "{\"digest\":\"" A256 "\"}", PHASE_A),
            "\x1e{\"pcr\":11,\"digests\":" DIGEST("sha256", A256) "}\n",
            "\x1e{\"a\":\"\\",
            "\x1e{\"a\":\"\\\n",
            "\x1e[]\n",
            RECORD("24", DIGEST("sha256", A256), PHASE_A),
            RECORD("-1", DIGEST("sha256", A256), PHASE_A),
            RECORD("011", DIGEST("sha256", A256), PHASE_A),
            RECORD("\"11\"", DIGEST("sha256", A256), PHASE_A),
            RECORD("11", DIGEST("sha256", "00"), PHASE_A),
            RECORD("11", DIGEST("sha256", "zz"), PHASE_A),
            RECORD("11", DIGEST("sha1", A256), PHASE_A),
            RECORD("11", DIGEST("md5", A256), PHASE_A),
            RECORD("11", DIGEST("sha256", A256) "," DIGEST("sha256", A256),
                    PHASE_A),
            RECORD("11", "", PHASE_A),
            RECORD("11", DIGEST("sha256", A256) ",", PHASE_A),
            RECORD("11,\"pcr\":12", DIGEST("sha256", A256), PHASE_A),
            RECORD("11,\"nv_index\":12", DIGEST("sha256", A256), PHASE_A),
            RECORD("11,\"x\":[[[[[[[[[1]]]]]]]]]", DIGEST("sha256", A256),
                    PHASE_A),
            RECORD("11,\"x\":[}", DIGEST("sha256", A256), PHASE_A),
            RECORD("11,\"x\":{\"a\":1]", DIGEST("sha256", A256), PHASE_A),
            RECORD("11,\"x\":", DIGEST("sha256", A256), PHASE_A),
            RECORD("11", DIGEST("sha256", A256),
                    "\"string\":\"a\",\"string\":\"a\""),
            RECORD("11", DIGEST("sha256", A256), "\"string\":\"a\n\""),
            RECORD("11", DIGEST("sha256", A256), "\"string\":\"\xff\""),
            RECORD("11", DIGEST("sha256", A256), PHASE_A) "x",
            "\x1e{\"digests\":[" DIGEST("sha256", A256) "]}\n",
            "\x1e{\"pcr\":11,\"digests\":[" DIGEST(
                    "sha256", A256) "],\"content_type\":\"other\"}\n",
            "\x1e{\"pcr\":11}\n",
            "\x1e{\"pcr\":11,\"digests\":[" DIGEST("sha256", A256) "]}{}\n",
    };
    struct eventlog_user_record r;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (read_user(rows[i], &r) >= 0)
            fail_msg("taken: %s", rows[i]);
    }
}

static void test_pcrs_of_two_figures(void **state)
{
    struct eventlog_user_record r;

    (void)state;
    assert_int_equal(
            read_user(RECORD("9", DIGEST("sha256", A256), PHASE_A), &r), 1);
    assert_int_equal(r.pcr, 9);
    assert_int_equal(
            read_user(RECORD("19", DIGEST("sha256", A256), PHASE_A), &r), 1);
    assert_int_equal(r.pcr, 19);
}

static void test_record_of_the_largest_size(void **state)
{
    struct eventlog_user u;
    struct eventlog_user_record r;
    const char *end = "\"}\n";

    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        log_.len = 0;
        buf_append_str(&log_, "\x1e{\"pcr\":1,\"digests\":[" DIGEST(
                                      "sha256", A256) "],\"x\":\"");
        while (log_.len < EVENTLOG_USER_RECORD_MAX + more - strlen(end))
            buf_append_u8(&log_, 'x');
        buf_append_str(&log_, end);
        assert_int_equal(eventlog_user_open(bytes(), &u, NULL), 0);
        assert_int_equal(
                eventlog_user_next(&u, &r, NULL), more ? ERR_SYNTAX : 1);
    }
}

static void test_wrong_words_are_counted(void **state)
{
    struct eventlog_pcrs p = {.events = 5};

    (void)state;
    assert_int_equal(
            eventlog_user_replay(
                    span_str(RECORD("11", DIGEST("sha256", A256), PHASE_A)
                                    RECORD("11", DIGEST("sha256", A256),
                                            "\"string\":\"b\","
                                            "\"eventType\":\"phase\"")),
                    &p, NULL),
            0);
    assert_int_equal(p.wrong, 1);
    assert_int_equal(p.first_wrong, 6);
}

/* Records go on where the firmware's log ended. */
static void test_user_log_goes_on(void **state)
{
    struct eventlog_pcrs p, q;
    uint8_t want[32], digest[32];
    const char *two = RECORD("11", DIGEST("sha256", A256), PHASE_A)
            RECORD("11", DIGEST("sha256", A256), PHASE_A);

    (void)state;
    fixture_header(&log_, fixture_algs, 2, SPAN_EMPTY);
    fixture_event_of(&log_, fixture_algs, 2, 11, EVENTLOG_EV_IPL,
            span_str("kernel"), span_str("x"));
    assert_int_equal(eventlog_replay(bytes(), &p, NULL), 0);
    memcpy(want, p.bank[1].value[11], 32);
    q = p;
    assert_int_equal(eventlog_user_replay(span_str(two), &q, NULL), 0);
    crypto_sha256(span_str("a"), digest);
    eventlog_extend(CRYPTO_SHA256, want, SPAN_OF(digest));
    eventlog_extend(CRYPTO_SHA256, want, SPAN_OF(digest));
    assert_memory_equal(q.bank[1].value[11], want, 32);
    assert_memory_equal(q.bank[0].value[11], p.bank[0].value[11], 20);
    assert_int_equal(q.bank[0].missing, 1u << 11);
    assert_int_equal(q.events, p.events + 2);
    /* A bad record leaves all as it was. */
    q = p;
    assert_true(
            eventlog_user_replay(SPAN(two, strlen(two) - 1), &q, NULL) != 0);
    assert_memory_equal(&p, &q, sizeof(p));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_coreboot_table),
            T(test_coreboot_table_refused),
            T(test_coreboot_tpm20_layouts),
            T(test_log_of_another_vendor),
            T(test_coreboot_tpm12),
            T(test_phase_word),
            T(test_phase_word_that_is_not_its_digests),
            T(test_index_instead_of_a_pcr),
            T(test_members_that_are_not_known),
            T(test_records_refused),
            T(test_pcrs_of_two_figures),
            T(test_record_of_the_largest_size),
            T(test_wrong_words_are_counted),
            T(test_user_log_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
