/* SPDX-License-Identifier: Apache-2.0 */
/* Unified kernel images: PCR 4, 9, 11, 12 and 13. */
#include "pe_fixture.h"
#include "predict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(s)                                                                \
    {                                                                          \
        (const uint8_t *)(s), sizeof(s) - 1                                    \
    }
#define SHA256   PREDICT_BANK(CRYPTO_SHA256)
#define STUB_252 "#### LoaderInfo: systemd-stub 252.39-1 ####"

static struct buf kernel, image;
static struct predict p;
static struct predict_uki in;

/* A kernel that is a PE image too, as those with an EFI stub are. */
static void make_kernel(const char *version)
{
    const struct pe_fixture_section s[] = {{".text", TEXT("code")}};

    buf_reset(&kernel);
    pe_fixture(s, 1, &kernel);
    kernel.ptr[0x1f1] = 1;
    memcpy(kernel.ptr + 0x1fe, "\x55\xaa", 2);
    memcpy(kernel.ptr + 0x202, "HdrS\x0f\x02", 6);
    kernel.ptr[0x20e] = 0x80;
    memcpy(kernel.ptr + 0x280, version, strlen(version) + 1);
}

static void make_image(
        const char *stub, const char *cmdline, const char *more, size_t more_n)
{
    struct pe_fixture_section s[] = {{".sdmagic", span_str(stub)},
            {".osrel", TEXT("ID=qair\n")}, {".cmdline", span_str(cmdline)},
            {".linux", buf_span(&kernel)}, {".initrd", TEXT("initr")},
            {more, SPAN("signed text", more_n)}};

    buf_reset(&image);
    pe_fixture(s, more ? 6 : 5, &image);
    in = (struct predict_uki){.image = {"uki.efi", buf_span(&image)}};
}

static int setup(void **state)
{
    (void)state;
    kernel = BUF_INIT(PE_FIXTURE_MAX);
    image = BUF_INIT(PE_FIXTURE_MAX);
    make_kernel("6.1.0-56-cloud");
    make_image(STUB_252, "quiet splash", NULL, 0);
    p = predict_of(SHA256);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    predict_fini(&p);
    buf_fini(&kernel);
    buf_fini(&image);
    return 0;
}

/* PCR of digests by hand. */
static void assert_pcr(unsigned pcr, const struct span *part, size_t n)
{
    uint8_t want[32] = {0}, digest[32], got[CRYPTO_HASH_MAX];

    for (size_t i = 0; i < n; i++) {
        crypto_sha256(part[i], digest);
        crypto_sha256_two(SPAN_OF(want), SPAN_OF(digest), want);
    }
    assert_int_equal(predict_value(&p, CRYPTO_SHA256, pcr, got), 0);
    assert_memory_equal(got, want, 32);
}

static void assert_count(unsigned pcr, size_t want)
{
    size_t n = 0;

    for (size_t i = 0; i < p.n; i++)
        n += p.event[i].pcr == pcr;
    assert_int_equal(n, want);
}

static void test_sections_enter_pcr_11_in_the_stubs_order(void **state)
{
    const struct span want[] = {TEXT(".linux\0"), buf_span(&kernel),
            TEXT(".osrel\0"), TEXT("ID=qair\n"), TEXT(".cmdline\0"),
            TEXT("quiet splash"), TEXT(".initrd\0"), TEXT("initr"),
            TEXT("enter-initrd"), TEXT("leave-initrd")};

    (void)state;
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_int_equal(predict_phases(&p, "enter-initrd:leave-initrd", NULL), 0);
    assert_pcr(11, want, ARRAY_LEN(want));
}

static void test_kernel_stub_enters_pcr_9(void **state)
{
    const struct span want[] = {
            TEXT("q\0u\0i\0e\0t\0 \0s\0p\0l\0a\0s\0h\0\0\0"), TEXT("initr")};

    (void)state;
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_pcr(9, want, ARRAY_LEN(want));
    assert_pcr(12, NULL, 0);
    assert_pcr(13, NULL, 0);
}

static void test_inner_kernel_counts_without_secure_boot(void **state)
{
    (void)state;
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_count(4, 2);
    predict_fini(&p);
    p = predict_of(SHA256);
    in.secure_boot = true;
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_count(4, 1);
    predict_fini(&p);
    p = predict_of(SHA256);
    in.inner = PREDICT_INNER_MEASURED;
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_count(4, 2);
}

static void test_companions_are_measured_and_handed_on(void **state)
{
    const struct predict_file creds[] = {
            {"b.cred", TEXT("12345")}, {"a.cred", TEXT("1234")}};
    const struct predict_file sysext[] = {{"x.raw", TEXT("image")}};
    struct buf cpio[2] = {BUF_INIT(4096), BUF_INIT(4096)};
    struct buf all = BUF_INIT(16384);
    struct span want[2] = {TEXT("q\0u\0i\0e\0t\0 \0s\0p\0l\0a\0s\0h\0\0\0")};

    (void)state;
    in.credentials = creds;
    in.n_credentials = 2;
    in.sysexts = sysext;
    in.n_sysexts = 1;
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_int_equal(predict_cpio(".extra/credentials", 0500, 0400, creds, 2,
                             &cpio[0], NULL),
            0);
    assert_int_equal(predict_cpio(".extra/sysext", 0555, 0444, sysext, 1,
                             &cpio[1], NULL),
            0);
    assert_pcr(12, &(struct span){cpio[0].ptr, cpio[0].len}, 1);
    assert_pcr(13, &(struct span){cpio[1].ptr, cpio[1].len}, 1);
    /* The initrd is padded to four before what follows it. */
    buf_append(&all, SPAN("initr\0\0\0", 8));
    buf_append(&all, buf_span(&cpio[0]));
    buf_append(&all, buf_span(&cpio[1]));
    want[1] = buf_span(&all);
    assert_pcr(9, want, 2);
    buf_fini(&cpio[0]);
    buf_fini(&cpio[1]);
    buf_fini(&all);
}

/* The kernel's format (buffer-format), written out. */
static void test_cpio_is_what_the_kernel_reads(void **state)
{
    static const char want[] =
            "070701000000010000416d0000000000000000000000010000000000000000"
            "000000000000000000000000000000000000000700000000.extra\0\0\0\0"
            "0707010000000200008124000000000000000000000001000000000000000500"
            "0000000000000000000000000000000000000900000000.extra/x\0\0"
            "hello\0\0\0"
            "0707010000000000000000000000000000000000000001000000000000000000"
            "0000000000000000000000000000000000000B00000000TRAILER!!!\0\0\0";
    const struct predict_file f = {"x", TEXT("hello")};
    struct buf cpio = BUF_INIT(4096);

    (void)state;
    assert_int_equal(predict_cpio(".extra", 0555, 0444, &f, 1, &cpio, NULL), 0);
    assert_int_equal(cpio.len % 4, 0);
    assert_int_equal(cpio.len, sizeof(want));
    assert_memory_equal(cpio.ptr, want, sizeof(want));
    buf_fini(&cpio);
}

static void test_signature_section_is_handed_on_and_not_measured(void **state)
{
    const struct predict_file f = {
            "tpm2-pcr-signature.json", TEXT("signed text")};
    struct buf all = BUF_INIT(4096), cpio = BUF_INIT(4096);
    struct span want[2] = {TEXT("q\0u\0i\0e\0t\0 \0s\0p\0l\0a\0s\0h\0\0\0")};

    (void)state;
    make_image(STUB_252, "quiet splash", ".pcrsig", 11);
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_count(11, 8);
    assert_pcr(12, NULL, 0);
    assert_int_equal(predict_cpio(".extra", 0555, 0444, &f, 1, &cpio, NULL), 0);
    buf_append(&all, SPAN("initr\0\0\0", 8));
    buf_append(&all, buf_span(&cpio));
    want[1] = buf_span(&all);
    assert_pcr(9, want, 2);
    buf_fini(&all);
    buf_fini(&cpio);
}

static void test_odd_companions_are_refused(void **state)
{
    static const char *const names[] = {
            "", ".hidden", "a/b", "\xc3\xa4.cred", "a\nb"};
    const struct predict_file twice[] = {
            {"a.cred", TEXT("1")}, {"a.cred", TEXT("2")}};
    struct predict_file many[PREDICT_EXTRAS_MAX + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct predict_file f = {names[i], TEXT("1")};

        in.credentials = &f;
        in.n_credentials = 1;
        assert_int_equal(predict_uki(&p, &in, NULL), ERR_SYNTAX);
    }
    in.credentials = twice;
    in.n_credentials = 2;
    assert_int_equal(predict_uki(&p, &in, NULL), ERR_EXISTS);
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = twice[0];
    in.credentials = many;
    in.n_credentials = ARRAY_LEN(many);
    assert_int_equal(predict_uki(&p, &in, NULL), ERR_LIMIT);
    assert_int_equal(p.n, 0);
}

static void test_options_replace_the_command_line(void **state)
{
    const struct span option[] = {TEXT("s\0i\0n\0g\0l\0e\0\0\0")};
    const struct span nine[] = {TEXT("s\0i\0n\0g\0l\0e\0\0\0"), TEXT("initr")};

    (void)state;
    in.options = "single";
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_pcr(12, option, 1);
    assert_pcr(9, nine, 2);
    in.secure_boot = true;
    assert_int_equal(predict_uki(&p, &in, NULL), ERR_DENIED);
}

static void test_options_of_a_boot_loader_are_not_guessed(void **state)
{
    uint8_t value[CRYPTO_HASH_MAX];

    (void)state;
    in.is_loaded = true;
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_int_equal(
            predict_value(&p, CRYPTO_SHA256, 12, value), ERR_NOT_FOUND);
}

static void test_only_the_pcrs_that_are_asked_for(void **state)
{
    (void)state;
    make_kernel("5.10.0");
    make_image(STUB_252, "quiet", NULL, 0);
    assert_int_equal(predict_uki(&p, &in, NULL), ERR_UNSUPPORTED);
    assert_int_equal(p.n, 0);
    in.pcrs = 1u << 4 | 1u << 11;
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_int_equal(p.pcrs, 1u << 4 | 1u << 11);
}

static void test_unknown_stubs_are_refused(void **state)
{
    static const char *const stubs[] = {
            "#### LoaderInfo: systemd-stub 251 ####",
            "#### LoaderInfo: systemd-stub 253.1 ####",
            "#### LoaderInfo: systemd-stub 400 ####", "something else"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stubs); i++) {
        make_image(stubs[i], "quiet", NULL, 0);
        assert_int_equal(predict_uki(&p, &in, NULL), ERR_UNSUPPORTED);
        assert_int_equal(p.n, 0);
    }
    in.stub_version = 252; /* the owner knows it */
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
}

static void test_later_stubs_measure_more(void **state)
{
    (void)state;
    make_image("#### LoaderInfo: systemd-stub 255.4 ####", "quiet", ".sbat", 5);
    assert_int_equal(predict_uki(&p, &in, NULL), ERR_UNSUPPORTED);
    in.inner = PREDICT_INNER_SILENT;
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_count(11, 10);
    make_image("#### LoaderInfo: systemd-stub 257.1 ####", "quiet", ".sbat", 5);
    in.inner = PREDICT_INNER_SILENT;
    assert_int_equal(predict_uki(&p, &in, NULL), ERR_UNSUPPORTED);
    in.pcrs = 1u << 11;
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
}

static void test_ambiguous_command_lines_are_refused(void **state)
{
    static const char *const lines[] = {
            "quiet\n", " quiet", "quiet ", "a\tb", "\xc3\xa4"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        make_image(STUB_252, lines[i], NULL, 0);
        assert_int_equal(predict_uki(&p, &in, NULL), ERR_UNSUPPORTED);
    }
    assert_int_equal(p.n, 0);
}

static void test_odd_phases_are_refused(void **state)
{
    static const char long_one[] =
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaa";
    static const char *const bad[] = {"a:", ":a", "a::b", "A", "a b", "a\n",
            "a:b:c:d:e:f:g:h:i:j:k:l:m:n:o:p:q", long_one};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(predict_phases(&p, bad[i], NULL), ERR_SYNTAX);
        assert_int_equal(p.n, 0);
    }
    assert_int_equal(predict_phases(&p, "", NULL), 0);
    assert_int_equal(p.n, 0);
    assert_int_equal(p.pcrs, 1u << 11);
}

static void test_every_byte_of_the_image_counts(void **state)
{
    uint8_t was[2][CRYPTO_HASH_MAX], now[2][CRYPTO_HASH_MAX];
    size_t different = 0;

    (void)state;
    in.pcrs = 1u << 4;
    in.secure_boot = true;
    assert_int_equal(predict_uki(&p, &in, NULL), 0);
    assert_int_equal(predict_value(&p, CRYPTO_SHA256, 4, was[0]), 0);
    /* Behind the headers each byte is content. */
    for (size_t i = PE_FIXTURE_HEADERS; i < image.len; i += 7) {
        struct predict q = predict_of(SHA256);

        image.ptr[i] ^= 1;
        if (predict_uki(&q, &in, NULL) != 0 ||
                predict_value(&q, CRYPTO_SHA256, 4, now[0]) != 0 ||
                memcmp(was[0], now[0], 32) != 0)
            different++;
        else
            fail_msg("byte %zu does not count", i);
        image.ptr[i] ^= 1;
        predict_fini(&q);
    }
    assert_in_range(different, 100, 10000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_sections_enter_pcr_11_in_the_stubs_order),
            T(test_kernel_stub_enters_pcr_9),
            T(test_inner_kernel_counts_without_secure_boot),
            T(test_companions_are_measured_and_handed_on),
            T(test_cpio_is_what_the_kernel_reads),
            T(test_signature_section_is_handed_on_and_not_measured),
            T(test_odd_companions_are_refused),
            T(test_options_replace_the_command_line),
            T(test_options_of_a_boot_loader_are_not_guessed),
            T(test_only_the_pcrs_that_are_asked_for),
            T(test_unknown_stubs_are_refused),
            T(test_later_stubs_measure_more),
            T(test_ambiguous_command_lines_are_refused),
            T(test_odd_phases_are_refused),
            T(test_every_byte_of_the_image_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
