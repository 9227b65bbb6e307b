/* SPDX-License-Identifier: Apache-2.0 */
/* What a view says, and what a liar cannot make it say. */
#include "eventlog_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALL 0xffffffu

static struct buf log_;
static struct fixture_boot boot;

static int setup(void **state)
{
    (void)state;
    log_ = BUF_INIT(1u << 20);
    fixture_boot_init(&boot);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&log_);
    return 0;
}

static enum eventlog_answer secure_boot(uint32_t proved)
{
    struct eventlog_view v;
    const char *why = NULL;
    enum eventlog_answer a;

    log_.len = 0;
    fixture_boot(&log_, &boot);
    fixture_view(buf_span(&log_), proved, &v);
    a = eventlog_view_secure_boot(&v, &why);
    assert_non_null(why);
    return a;
}

/* ---- secure boot ----------------------------------------------------- */

static void test_secure_boot_is_what_the_variable_says(void **state)
{
    (void)state;
    assert_int_equal(secure_boot(ALL), EVENTLOG_YES);
    boot.secure_boot = 0;
    assert_int_equal(secure_boot(ALL), EVENTLOG_NO);
    boot.secure_boot = 2;
    assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
}

static void test_pcr_7_that_no_quote_proves(void **state)
{
    (void)state;
    assert_int_equal(secure_boot(ALL & ~(1u << 7)), EVENTLOG_UNDECIDED);
    assert_int_equal(secure_boot(0), EVENTLOG_UNDECIDED);
    assert_int_equal(secure_boot(1u << 7), EVENTLOG_YES);
}

static void test_each_variable_must_be_measured_once(void **state)
{
    static const char *const names[] = {"SecureBoot", "PK", "KEK", "db", "dbx"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        fixture_boot_init(&boot);
        boot.skip_variable = names[i];
        assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
        fixture_boot_init(&boot);
        boot.twice = names[i];
        assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
    }
}

static void test_variables_behind_the_separator(void **state)
{
    (void)state;
    boot.late = true;
    assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
}

static void test_variable_under_another_type(void **state)
{
    (void)state;
    boot.variable_type = EVENTLOG_EV_IPL;
    assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
    boot.variable_type = EVENTLOG_EV_EFI_VARIABLE_BOOT;
    assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
}

/*
 * Linux could extend what a boot with secure boot would: behind a real
 * separator that the log calls something else.
 */
static void test_separator_under_another_type(void **state)
{
    static const uint32_t values[] = {0, 0xffffffff, 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct eventlog_view v;
        const char *why;
        uint8_t le[4];

        memset(le, (int)(values[i] & 0xff), sizeof(le));
        if (values[i] == 1)
            memset(le + 1, 0, 3);
        log_.len = 0;
        fixture_boot(&log_, &boot);
        /* Before all others: the header is 73 bytes. */
        log_.len = 73;
        fixture_event_of(&log_, fixture_algs, FIXTURE_BANKS, 7,
                EVENTLOG_EV_EFI_ACTION, SPAN_OF(le), SPAN_OF(le));
        assert_int_equal(log_.ptr[28], 73 - 32);
        {
            struct buf rest = BUF_INIT(1u << 20);

            fixture_boot(&rest, &boot);
            buf_append(&log_, SPAN(rest.ptr + 73, rest.len - 73));
            buf_fini(&rest);
        }
        fixture_view(buf_span(&log_), ALL, &v);
        assert_int_equal(
                eventlog_view_secure_boot(&v, &why), EVENTLOG_UNDECIDED);
    }
}

static void test_event_that_hides_what_it_is(void **state)
{
    (void)state;
    boot.hide = true;
    assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
}

static void test_event_that_does_not_belong_there(void **state)
{
    (void)state;
    boot.foreign = true;
    assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
}

static void test_separators_of_pcr_7(void **state)
{
    (void)state;
    boot.separator = 0xffffffff;
    assert_int_equal(secure_boot(ALL), EVENTLOG_YES);
    boot.separator = 1;
    assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
    boot.separator = 2;
    assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
    boot.separator = 0;
    boot.n_separators = 0;
    assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
    boot.n_separators = 2;
    assert_int_equal(secure_boot(ALL), EVENTLOG_UNDECIDED);
}

/* Every byte of PCR 7's events, one after the other: never still YES. */
static void test_every_flipped_byte_of_the_policy(void **state)
{
    struct eventlog l;
    struct eventlog_event e;

    (void)state;
    fixture_boot(&log_, &boot);
    assert_int_equal(eventlog_open(buf_span(&log_), &l, NULL), 0);
    while (eventlog_next(&l, &e, NULL) == 1) {
        if (e.pcr != 7 || e.type == EVENTLOG_EV_EFI_VARIABLE_AUTHORITY)
            continue;
        for (size_t i = 0; i < e.data.len; i++) {
            uint8_t *at = log_.ptr + (e.data.ptr - log_.ptr) + i;
            struct eventlog_view v;
            const char *why;

            *at ^= 0x40;
            fixture_view(buf_span(&log_), ALL, &v);
            assert_int_equal(
                    eventlog_view_secure_boot(&v, &why), EVENTLOG_UNDECIDED);
            assert_int_equal(v.n_wrong, 1);
            *at ^= 0x40;
        }
    }
}

/* ---- separators and flags -------------------------------------------- */

static enum eventlog_answer separators(uint32_t proved)
{
    struct eventlog_view v;
    const char *why = NULL;
    enum eventlog_answer a;

    log_.len = 0;
    fixture_boot(&log_, &boot);
    fixture_view(buf_span(&log_), proved, &v);
    a = eventlog_view_separators(&v, &why);
    assert_non_null(why);
    return a;
}

static void test_separators(void **state)
{
    (void)state;
    assert_int_equal(separators(ALL), EVENTLOG_YES);
    assert_int_equal(separators(0xff), EVENTLOG_YES);
    assert_int_equal(separators(0x7f), EVENTLOG_UNDECIDED);
    boot.n_separators = 0;
    assert_int_equal(separators(ALL), EVENTLOG_NO);
    boot.n_separators = 2;
    assert_int_equal(separators(ALL), EVENTLOG_NO);
    boot.n_separators = 1;
    boot.separator = 1;
    assert_int_equal(separators(ALL), EVENTLOG_NO);
    boot.separator = 7;
    assert_int_equal(separators(ALL), EVENTLOG_NO);
}

static void test_separator_of_other_data(void **state)
{
    static const uint8_t error[4] = {1, 0, 0, 0}, none[4] = {0};
    struct eventlog_view v;
    const char *why;

    (void)state;
    boot.n_separators = 0;
    fixture_boot(&log_, &boot);
    fixture_event_of(&log_, fixture_algs, FIXTURE_BANKS, 7,
            EVENTLOG_EV_SEPARATOR, SPAN_OF(error), SPAN_OF(none));
    fixture_view(buf_span(&log_), ALL, &v);
    assert_int_equal(eventlog_view_separators(&v, &why), EVENTLOG_UNDECIDED);
    assert_int_equal(v.n_wrong, 1);
}

/* Five bytes, and three, are no separator, though they hash as they should. */
static void test_separator_of_another_size(void **state)
{
    static const uint8_t zeros[5];
    struct eventlog_view v;
    const char *why;

    (void)state;
    for (size_t n = 3; n <= 5; n += 2) {
        log_.len = 0;
        boot.n_separators = 0;
        fixture_boot(&log_, &boot);
        fixture_event(&log_, 7, EVENTLOG_EV_SEPARATOR, SPAN(zeros, n));
        fixture_view(buf_span(&log_), ALL, &v);
        assert_int_equal(v.separator[7].n, 1);
        assert_int_equal(
                eventlog_view_separators(&v, &why), EVENTLOG_UNDECIDED);
        assert_int_equal(
                eventlog_view_secure_boot(&v, &why), EVENTLOG_UNDECIDED);
    }
}

static void test_flag_names_its_first_event(void **state)
{
    struct eventlog_view v;
    struct eventlog l;
    struct eventlog_event e;
    size_t last;

    (void)state;
    fixture_boot(&log_, &boot);
    assert_int_equal(eventlog_open(buf_span(&log_), &l, NULL), 0);
    while (eventlog_next(&l, &e, NULL) == 1)
        ;
    last = e.index;
    fixture_text(&log_, 5, EVENTLOG_EV_EFI_ACTION,
            eventlog_flag_name(EVENTLOG_EXIT_INVOKED));
    fixture_event(&log_, 5, EVENTLOG_EV_EFI_ACTION, SPAN_EMPTY);
    fixture_view(buf_span(&log_), ALL, &v);
    assert_int_equal(v.flag[EVENTLOG_EXIT_INVOKED].n, 2);
    assert_int_equal(v.flag[EVENTLOG_EXIT_INVOKED].event, last);
}

static void test_flags(void **state)
{
    struct eventlog_view v;

    (void)state;
    fixture_boot(&log_, &boot);
    fixture_view(buf_span(&log_), ALL, &v);
    assert_int_equal(eventlog_view_flag(&v, EVENTLOG_DEBUG_MODE), EVENTLOG_NO);
    assert_int_equal(
            eventlog_view_flag(&v, EVENTLOG_DMA_UNPROTECTED), EVENTLOG_NO);
    assert_int_equal(
            eventlog_view_flag(&v, EVENTLOG_EXIT_INVOKED), EVENTLOG_YES);
    assert_int_equal(eventlog_view_flag(&v, EVENTLOG_EXIT_FAILED), EVENTLOG_NO);
    fixture_view(buf_span(&log_), 0, &v);
    for (int i = 0; i < EVENTLOG_FLAG_N; i++)
        assert_int_equal(eventlog_view_flag(&v, (enum eventlog_flag)i),
                EVENTLOG_UNDECIDED);
}

static void test_debug_mode_and_unprotected_dma(void **state)
{
    static const enum eventlog_flag flags[] = {
            EVENTLOG_DEBUG_MODE, EVENTLOG_DMA_UNPROTECTED};
    struct eventlog_view v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        boot.action = eventlog_flag_name(flags[i]);
        log_.len = 0;
        fixture_boot(&log_, &boot);
        fixture_view(buf_span(&log_), ALL, &v);
        assert_int_equal(eventlog_view_flag(&v, flags[i]), EVENTLOG_YES);
        assert_int_equal(v.flag[flags[i]].n, 1);
    }
}

/* "No debug mode" cannot be had by hiding the event. */
static void test_hidden_debug_mode_is_not_absent(void **state)
{
    struct eventlog_view v;

    (void)state;
    boot.hide = true;
    fixture_boot(&log_, &boot);
    fixture_view(buf_span(&log_), ALL, &v);
    assert_int_equal(
            eventlog_view_flag(&v, EVENTLOG_DEBUG_MODE), EVENTLOG_UNDECIDED);
}

/* Nor by calling it something that shows its data as well. */
static void test_debug_mode_under_another_type(void **state)
{
    static const uint32_t types[] = {EVENTLOG_EV_SEPARATOR, EVENTLOG_EV_ACTION,
            EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG,
            EVENTLOG_EV_EFI_VARIABLE_AUTHORITY, EVENTLOG_EV_IPL, 0x8401};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct eventlog_view v;

        log_.len = 0;
        fixture_boot(&log_, &boot);
        fixture_text(&log_, 7, types[i], "UEFI Debug Mode");
        fixture_view(buf_span(&log_), ALL, &v);
        assert_int_equal(
                eventlog_view_flag(&v, EVENTLOG_DEBUG_MODE), EVENTLOG_YES);
    }
}

/* A view in a bank that nobody can replay proves nothing. */
static void test_view_in_sm3(void **state)
{
    struct eventlog l;
    struct eventlog_view v;
    const char *why;

    (void)state;
    fixture_boot(&log_, &boot);
    assert_int_equal(eventlog_open(buf_span(&log_), &l, NULL), 0);
    eventlog_view_begin(&l, TCG_ALG_SM3, ALL, &v);
    assert_int_equal(eventlog_view_all(&v, NULL), 0);
    assert_int_equal(eventlog_view_secure_boot(&v, &why), EVENTLOG_UNDECIDED);
    assert_int_equal(
            eventlog_view_flag(&v, EVENTLOG_EXIT_INVOKED), EVENTLOG_UNDECIDED);
}

/* An action in another PCR, or of other data, is none. */
static void test_action_elsewhere(void **state)
{
    struct eventlog_view v;

    (void)state;
    fixture_boot(&log_, &boot);
    fixture_text(&log_, 8, EVENTLOG_EV_EFI_ACTION, "UEFI Debug Mode");
    fixture_view(buf_span(&log_), ALL, &v);
    assert_int_equal(eventlog_view_flag(&v, EVENTLOG_DEBUG_MODE), EVENTLOG_NO);
    fixture_event_of(&log_, fixture_algs, FIXTURE_BANKS, 7,
            EVENTLOG_EV_EFI_ACTION, span_str("x"), span_str("UEFI Debug Mode"));
    fixture_view(buf_span(&log_), ALL, &v);
    assert_int_equal(
            eventlog_view_flag(&v, EVENTLOG_DEBUG_MODE), EVENTLOG_UNDECIDED);
}

/* ---- facts ----------------------------------------------------------- */

/* The fact of the last event of a log with this one in it. */
static struct eventlog_fact fact_of(uint32_t pcr, uint32_t type,
        struct span hashed, struct span data, uint32_t proved)
{
    struct eventlog l;
    struct eventlog_view v;
    struct eventlog_fact f;

    log_.len = 0;
    fixture_header(&log_, fixture_algs, FIXTURE_BANKS, SPAN_EMPTY);
    fixture_event_of(
            &log_, fixture_algs, FIXTURE_BANKS, pcr, type, hashed, data);
    assert_int_equal(eventlog_open(buf_span(&log_), &l, NULL), 0);
    eventlog_view_begin(&l, TCG_ALG_SHA256, proved, &v);
    assert_int_equal(eventlog_view_next(&v, &f, NULL), 1);
    assert_int_equal(eventlog_view_next(&v, &f, NULL), 0);
    return f;
}

static void assert_text(const struct eventlog_fact *f, const char *want)
{
    char got[EVENTLOG_FACT_TEXT];

    eventlog_view_format(f, got);
    assert_string_equal(got, want);
}

static void test_grub_commands(void **state)
{
    static const struct {
        const char *data, *hashed;
        size_t n_hashed;
        enum eventlog_kind kind;
        const char *text;
    } rows[] = {
            {"grub_cmd: set root=hd0", "set root=hd0", 12, EVENTLOG_COMMAND,
                    "set root=hd0"},
            {"grub_cmd set pager=1", "set pager=1", 12, EVENTLOG_COMMAND,
                    "set pager=1"},
            {"kernel_cmdline: /vmlinuz ro", "/vmlinuz ro", 11, EVENTLOG_CMDLINE,
                    "/vmlinuz ro"},
            {"module_cmdline: /initrd", "/initrd", 7, EVENTLOG_CMDLINE,
                    "/initrd"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span data = SPAN(rows[i].data, strlen(rows[i].data) + 1);
        struct eventlog_fact f = fact_of(8, EVENTLOG_EV_IPL,
                SPAN(rows[i].hashed, rows[i].n_hashed), data, ALL);

        assert_int_equal(f.kind, rows[i].kind);
        assert_int_equal(f.data, EVENTLOG_DATA_TEXT);
        assert_true(f.data_attested);
        assert_text(&f, rows[i].text);
        /* The same label over something else is a label. */
        f = fact_of(8, EVENTLOG_EV_IPL, span_str("evil"), data, ALL);
        assert_int_equal(f.kind, rows[i].kind);
        assert_int_equal(f.data, EVENTLOG_DATA_OPAQUE);
        assert_true(f.attested);
        assert_false(f.data_attested);
    }
}

static void test_fact_of_a_pcr_that_is_not_proved(void **state)
{
    struct eventlog_fact f = fact_of(8, EVENTLOG_EV_IPL, span_str("boot"),
            span_str("grub_cmd: boot"), ALL & ~(1u << 8));

    (void)state;
    assert_int_equal(f.data, EVENTLOG_DATA_TEXT);
    assert_false(f.attested);
    assert_false(f.data_attested);
}

static void test_systemd_boot_command_line(void **state)
{
    struct buf b = BUF_INIT(256);
    struct eventlog_fact f;

    (void)state;
    fixture_utf16(&b, "quiet ro");
    fixture_u16(&b, 0);
    f = fact_of(12, EVENTLOG_EV_IPL, SPAN(b.ptr, b.len - 2), buf_span(&b), ALL);
    assert_int_equal(f.kind, EVENTLOG_CMDLINE);
    assert_int_equal(f.data, EVENTLOG_DATA_TEXT);
    assert_text(&f, "quiet ro");
    buf_fini(&b);
}

static void test_uki_sections(void **state)
{
    struct buf b = BUF_INIT(256);
    struct eventlog_fact f;

    (void)state;
    fixture_utf16(&b, ".linux");
    fixture_u16(&b, 0);
    f = fact_of(11, EVENTLOG_EV_IPL, SPAN(".linux", 7), buf_span(&b), ALL);
    assert_int_equal(f.kind, EVENTLOG_SECTION_NAME);
    assert_text(&f, ".linux");
    f = fact_of(11, EVENTLOG_EV_IPL, span_str("ELF"), buf_span(&b), ALL);
    assert_int_equal(f.kind, EVENTLOG_SECTION);
    assert_true(f.attested);
    assert_int_equal(f.digest.len, 32);
    /* Elsewhere it is nothing that is known. */
    f = fact_of(10, EVENTLOG_EV_IPL, span_str("ELF"), buf_span(&b), ALL);
    assert_int_equal(f.kind, EVENTLOG_UNAPPRAISED);
    buf_fini(&b);
}

/* Only what stub writes is a section: dot, ASCII, at most a NUL behind. */
static void test_texts_that_are_no_section(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } rows[] = {{".\0", 2}, {".\0l\0x", 5}, {"x\0l\0", 4}, {".\0l\1", 4},
            {".\0\0\0l\0", 6}, {".\1l\0", 4},
            {".\0a\0b\0c\0d\0e\0f\0g\0h\0i\0", 20}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct eventlog_fact f = fact_of(11, EVENTLOG_EV_IPL, span_str("x"),
                SPAN(rows[i].data, rows[i].len), ALL);

        assert_int_equal(f.kind, EVENTLOG_UNAPPRAISED);
    }
    assert_int_equal(
            fact_of(11, EVENTLOG_EV_IPL, span_str("x"), SPAN(".\0a\0", 4), ALL)
                    .kind,
            EVENTLOG_SECTION);
}

static void test_texts_that_are_no_command_line(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } rows[] = {{"ab", 2}, {"a\0b", 3}, {"abcd", 4}, {"", 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct eventlog_fact f = fact_of(12, EVENTLOG_EV_IPL, span_str("x"),
                SPAN(rows[i].data, rows[i].len), ALL);

        assert_int_equal(f.kind, EVENTLOG_UNAPPRAISED);
    }
}

static void test_shim_variables(void **state)
{
    struct eventlog_fact f = fact_of(
            14, EVENTLOG_EV_IPL, span_str("list"), SPAN("MokList", 8), ALL);

    (void)state;
    assert_int_equal(f.kind, EVENTLOG_MOK);
    assert_text(&f, "MokList");
    assert_true(f.attested);
    assert_false(f.data_attested);
}

static void test_tags(void **state)
{
    struct buf b = BUF_INIT(256);
    struct eventlog_fact f;

    (void)state;
    fixture_u32(&b, 0x8f3b22ec);
    fixture_u32(&b, 13);
    buf_append(&b, SPAN("Linux initrd", 13));
    f = fact_of(9, EVENTLOG_EV_EVENT_TAG, span_str("cpio"), buf_span(&b), ALL);
    assert_int_equal(f.kind, EVENTLOG_TAGGED);
    assert_int_equal(f.tag, 0x8f3b22ec);
    assert_string_equal(eventlog_view_tag_name(f.tag), "Linux initrd");
    assert_text(&f, "0x8f3b22ec Linux initrd: Linux initrd\\x00");
    b.ptr[4] = 14; /* longer than the event */
    f = fact_of(9, EVENTLOG_EV_EVENT_TAG, span_str("cpio"), buf_span(&b), ALL);
    assert_int_equal(f.kind, EVENTLOG_UNAPPRAISED);
    assert_null(eventlog_view_tag_name(1));
    buf_fini(&b);
}

static void test_our_own_tag_must_hash_itself(void **state)
{
    struct buf b = BUF_INIT(64);
    struct eventlog_fact f;

    (void)state;
    fixture_u32(&b, EVENTLOG_TAG_QAIR);
    fixture_u32(&b, 0);
    f = fact_of(14, EVENTLOG_EV_EVENT_TAG, buf_span(&b), buf_span(&b), ALL);
    assert_int_equal(f.kind, EVENTLOG_ZONE);
    assert_true(f.data_attested);
    f = fact_of(14, EVENTLOG_EV_EVENT_TAG, span_str("x"), buf_span(&b), ALL);
    assert_int_equal(f.data, EVENTLOG_DATA_WRONG);
    assert_false(f.data_attested);
    buf_fini(&b);
}

/* Firmware that hashes the value alone vouches for no name. */
static void test_boot_variable_of_old_firmware(void **state)
{
    struct buf b = BUF_INIT(256);
    struct eventlog_fact f;

    (void)state;
    fixture_variable(
            &b, EVENTLOG_UEFI_GLOBAL, "BootOrder", SPAN("\1\0\0\0", 4));
    f = fact_of(1, EVENTLOG_EV_EFI_VARIABLE_BOOT, SPAN("\1\0\0\0", 4),
            buf_span(&b), ALL);
    assert_int_equal(f.kind, EVENTLOG_BOOT_ORDER);
    assert_int_equal(f.data, EVENTLOG_DATA_VALUE);
    assert_text(&f, "0001,0000");
    f = fact_of(
            1, EVENTLOG_EV_EFI_VARIABLE_BOOT, buf_span(&b), buf_span(&b), ALL);
    assert_int_equal(f.data, EVENTLOG_DATA_WHOLE);
    f = fact_of(
            1, EVENTLOG_EV_EFI_VARIABLE_BOOT, span_str("x"), buf_span(&b), ALL);
    assert_int_equal(f.data, EVENTLOG_DATA_OPAQUE);
    buf_fini(&b);
}

/* shim measured all but the last byte, and logged a few more. */
static void test_authority_of_old_shim(void **state)
{
    struct buf b = BUF_INIT(256);
    struct eventlog_fact f;

    (void)state;
    fixture_variable(&b, EVENTLOG_UEFI_SHIM, "Shim", span_str("certificate"));
    buf_append(&b, SPAN("\0\0\0\0\0\0", 6));
    f = fact_of(7, EVENTLOG_EV_EFI_VARIABLE_AUTHORITY, SPAN(b.ptr, b.len - 1),
            buf_span(&b), ALL);
    assert_int_equal(f.kind, EVENTLOG_AUTHORITY);
    assert_int_equal(f.data, EVENTLOG_DATA_SHORT);
    assert_true(f.data_attested);
    assert_text(&f, "Shim = 6365727469666963617465");
    f = fact_of(7, EVENTLOG_EV_EFI_VARIABLE_AUTHORITY, SPAN(b.ptr, b.len - 2),
            buf_span(&b), ALL);
    assert_int_equal(f.data, EVENTLOG_DATA_WRONG);
    /* Without the surplus it is no shim, and the value would be cut. */
    b.len -= 6;
    f = fact_of(7, EVENTLOG_EV_EFI_VARIABLE_AUTHORITY, SPAN(b.ptr, b.len - 1),
            buf_span(&b), ALL);
    assert_int_equal(f.data, EVENTLOG_DATA_WRONG);
    buf_fini(&b);
}

static void test_counts(void **state)
{
    struct eventlog_view v;

    (void)state;
    fixture_boot(&log_, &boot);
    fixture_text(&log_, 8, 0xdeadbeef, "x");
    fixture_view(buf_span(&log_), ALL & ~(1u << 8), &v);
    assert_int_equal(v.n_unappraised, 1);
    assert_int_equal(v.n_unattested, 1);
    assert_int_equal(v.n_authorities, 1);
    assert_int_equal(v.n_wrong, 0);
}

/* Text of a stranger reaches a terminal as printable ASCII. */
static void test_text_is_printable(void **state)
{
    struct eventlog_fact f = fact_of(8, EVENTLOG_EV_IPL, span_str("x"),
            span_str("grub_cmd: \x1b[2J"), ALL);

    (void)state;
    assert_text(&f, "\\x1b[2J");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_secure_boot_is_what_the_variable_says),
            T(test_pcr_7_that_no_quote_proves),
            T(test_each_variable_must_be_measured_once),
            T(test_variables_behind_the_separator),
            T(test_variable_under_another_type),
            T(test_separator_under_another_type),
            T(test_event_that_hides_what_it_is),
            T(test_event_that_does_not_belong_there),
            T(test_separators_of_pcr_7),
            T(test_every_flipped_byte_of_the_policy),
            T(test_separators),
            T(test_separator_of_other_data),
            T(test_separator_of_another_size),
            T(test_flag_names_its_first_event),
            T(test_flags),
            T(test_debug_mode_and_unprotected_dma),
            T(test_hidden_debug_mode_is_not_absent),
            T(test_debug_mode_under_another_type),
            T(test_view_in_sm3),
            T(test_action_elsewhere),
            T(test_grub_commands),
            T(test_fact_of_a_pcr_that_is_not_proved),
            T(test_systemd_boot_command_line),
            T(test_uki_sections),
            T(test_texts_that_are_no_section),
            T(test_texts_that_are_no_command_line),
            T(test_shim_variables),
            T(test_tags),
            T(test_our_own_tag_must_hash_itself),
            T(test_boot_variable_of_old_firmware),
            T(test_authority_of_old_shim),
            T(test_counts),
            T(test_text_is_printable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
