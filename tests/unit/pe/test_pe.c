/* SPDX-License-Identifier: Apache-2.0 */
/* PE images: what is read, and each way to bend one that must be refused. */
#include "pe.h"
#include "pe_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROW(i) (PE_FIXTURE_TABLE + 40 * (i))

static const uint8_t code[300] = {0xeb, 0xfe};
static const uint8_t data[20] = {1, 2, 3};
static const uint8_t signature[13] = {0x30, 0x0b};

static const struct pe_fixture_section two[] = {
        {".text", {code, sizeof(code)}}, {".data", {data, sizeof(data)}}};

static struct buf image;

static int setup(void **state)
{
    (void)state;
    image = BUF_INIT(PE_FIXTURE_MAX);
    pe_fixture(two, ARRAY_LEN(two), &image);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&image);
    return 0;
}

static int parse(struct pe *ret)
{
    struct err err = {0};
    int r = pe_parse(buf_span(&image), ret, &err);

    assert_int_equal(err.code, r);
    return r;
}

static void test_image_is_read(void **state)
{
    struct span content;
    struct pe pe;

    (void)state;
    assert_int_equal(parse(&pe), 0);
    assert_int_equal(pe.machine, 0x8664);
    assert_int_equal(pe.subsystem, 10);
    assert_true(pe.plus);
    assert_int_equal(pe.n_sections, 2);
    assert_true(span_eq_str(pe.section[1].name, ".data"));
    assert_int_equal(pe.section[0].raw.len, 0x200);
    assert_int_equal(pe_content(&pe.section[0], &content), 0);
    assert_true(span_eq(content, SPAN_OF(code)));
    assert_int_equal(pe.trailing.len, 0);
    assert_int_equal(pe.certs.len, 0);
}

/* The digest by the words of the specification, section by section. */
static void by_the_book(const struct buf *b, size_t end, uint8_t ret[32])
{
    struct crypto_hasher *h = crypto_hasher_new(CRYPTO_SHA256);
    const uint8_t *p = b->ptr;

    crypto_hasher_update(h, SPAN(p, PE_FIXTURE_CKSUM));
    crypto_hasher_update(h, SPAN(p + PE_FIXTURE_CKSUM + 4,
                                    PE_FIXTURE_CERT - PE_FIXTURE_CKSUM - 4));
    crypto_hasher_update(h, SPAN(p + PE_FIXTURE_CERT + 8,
                                    PE_FIXTURE_HEADERS - PE_FIXTURE_CERT - 8));
    crypto_hasher_update(h, SPAN(p + 0x400, 0x200));
    crypto_hasher_update(h, SPAN(p + 0x600, 0x200));
    if (end > 0x800)
        crypto_hasher_update(h, SPAN(p + 0x800, end - 0x800));
    crypto_hasher_final(h, ret);
    crypto_hasher_free(h);
}

static void test_digest_is_that_of_the_specification(void **state)
{
    uint8_t got[32], want[32], unsigned_[32];
    struct pe pe;

    (void)state;
    assert_int_equal(parse(&pe), 0);
    by_the_book(&image, image.len, want);
    pe_digest(&pe, CRYPTO_SHA256, unsigned_);
    assert_memory_equal(unsigned_, want, 32);
    /* A signature changes nothing, and neither does the checksum. */
    pe_fixture_sign(&image, SPAN_OF(signature));
    pe_fixture_set32(&image, PE_FIXTURE_CKSUM, 0);
    assert_int_equal(parse(&pe), 0);
    pe_digest(&pe, CRYPTO_SHA256, got);
    assert_memory_equal(got, unsigned_, 32);
}

static void test_digest_covers_what_follows_the_sections(void **state)
{
    uint8_t got[32], want[32];
    struct pe pe;

    (void)state;
    buf_append_str(&image, "symbols");
    assert_int_equal(parse(&pe), 0);
    assert_true(span_eq_str(pe.trailing, "symbols"));
    by_the_book(&image, image.len, want);
    pe_digest(&pe, CRYPTO_SHA256, got);
    assert_memory_equal(got, want, 32);
}

/* Whatever byte outside of the three gaps changes, the digest changes. */
static void test_digest_of_every_flipped_bit_differs(void **state)
{
    uint8_t was[48], now[48];
    struct pe pe;
    size_t refused = 0;

    (void)state;
    pe_fixture_sign(&image, SPAN_OF(signature));
    assert_int_equal(parse(&pe), 0);
    pe_digest(&pe, CRYPTO_SHA384, was);
    for (size_t i = 0; i < 0x800; i++) {
        bool hashed = !(i >= PE_FIXTURE_CKSUM && i < PE_FIXTURE_CKSUM + 4) &&
                      !(i >= PE_FIXTURE_CERT && i < PE_FIXTURE_CERT + 8);

        image.ptr[i] ^= 0x10;
        if (parse(&pe) == 0) {
            pe_digest(&pe, CRYPTO_SHA384, now);
            assert_int_equal(memcmp(was, now, 48) != 0, hashed);
        } else {
            refused++;
        }
        image.ptr[i] ^= 0x10;
    }
    assert_in_range(refused, 30, 200);
}

static void test_every_cut_is_refused(void **state)
{
    struct pe pe;

    (void)state;
    pe_fixture_sign(&image, SPAN_OF(signature));
    for (size_t n = 0; n < image.len; n++) {
        struct buf cut = image;

        cut.len = n;
        assert_int_not_equal(pe_parse(buf_span(&cut), &pe, NULL), 0);
    }
}

static void test_outputs_are_left_alone(void **state)
{
    struct pe pe, was;

    (void)state;
    memset(&pe, 0x5a, sizeof(pe));
    memcpy(&was, &pe, sizeof(was));
    pe_fixture_set32(&image, ROW(1) + 20, 0x10000);
    assert_int_not_equal(parse(&pe), 0);
    assert_memory_equal(&pe, &was, sizeof(pe));
}

/* One field of a good image is bent, and the image is refused. */
static const struct {
    const char *attack;
    size_t at;
    uint32_t value;
    int code;
    bool is_u16;
} bent[] = {
        {"not MZ", 0, 0x5a4e, ERR_SYNTAX, true},
        {"PE header inside the DOS header", 0x3c, 4, ERR_SYNTAX},
        {"PE header behind the file", 0x3c, 0x7ffffff0, ERR_SYNTAX},
        {"PE header at the last bytes", 0x3c, 0x7fe, ERR_SYNTAX},
        {"no PE signature", PE_FIXTURE_PE, 0x00004551, ERR_SYNTAX},
        {"unknown machine, two sections", PE_FIXTURE_PE + 4, 0x00021234,
                ERR_UNSUPPORTED},
        {"no sections", PE_FIXTURE_PE + 4, 0x00008664, ERR_LIMIT},
        {"97 sections", PE_FIXTURE_PE + 4, 0x00618664, ERR_LIMIT},
        {"65535 sections", PE_FIXTURE_PE + 4, 0xffff8664, ERR_LIMIT},
        {"96 sections in a table of two", PE_FIXTURE_PE + 4, 0x00608664,
                ERR_SYNTAX},
        {"optional header is cut", PE_FIXTURE_PE + 20, 0x60, ERR_SYNTAX, true},
        {"optional header is empty", PE_FIXTURE_PE + 20, 0, ERR_SYNTAX, true},
        {"optional header has room behind the directories", PE_FIXTURE_PE + 20,
                0xf8, ERR_SYNTAX, true},
        {"optional header of 64 KiB", PE_FIXTURE_PE + 20, 0xffff, ERR_SYNTAX,
                true},
        {"ROM image", PE_FIXTURE_OPT, 0x107, ERR_SYNTAX, true},
        {"PE32 with PE32+ fields", PE_FIXTURE_OPT, 0x10b, ERR_SYNTAX, true},
        {"17 directories", PE_FIXTURE_OPT + 108, 17, ERR_SYNTAX},
        {"2^32-1 directories", PE_FIXTURE_OPT + 108, 0xffffffff, ERR_SYNTAX},
        {"four directories, bytes for 16", PE_FIXTURE_OPT + 108, 4, ERR_SYNTAX},
        {"SizeOfHeaders leaves the section table unhashed", PE_FIXTURE_OPT + 60,
                PE_FIXTURE_TABLE + 79, ERR_SYNTAX},
        {"SizeOfHeaders is zero", PE_FIXTURE_OPT + 60, 0, ERR_SYNTAX},
        {"SizeOfHeaders reaches into the first section", PE_FIXTURE_OPT + 60,
                0x401, ERR_SYNTAX},
        {"SizeOfHeaders leaves a gap before the first section",
                PE_FIXTURE_OPT + 60, 0x3ff, ERR_SYNTAX},
        {"SizeOfHeaders behind the file", PE_FIXTURE_OPT + 60, 0x801,
                ERR_SYNTAX},
        {"SizeOfHeaders of 2^32-1", PE_FIXTURE_OPT + 60, 0xffffffff,
                ERR_SYNTAX},
        {"SizeOfImage smaller than a section's end", PE_FIXTURE_OPT + 56,
                0x2010, ERR_SYNTAX},
        {"SizeOfImage smaller than the headers", PE_FIXTURE_OPT + 56, 0x3ff,
                ERR_SYNTAX},
        {"a name with bytes behind its end", ROW(0) + 4, 0x2e007400,
                ERR_SYNTAX},
        {"section larger than the file", ROW(1) + 16, 0x201, ERR_SYNTAX},
        {"section of 2^32-1 bytes", ROW(1) + 16, 0xffffffff, ERR_SYNTAX},
        {"section behind the file", ROW(1) + 20, 0x801, ERR_SYNTAX},
        {"offset and size overflow", ROW(1) + 20, 0xfffffe00, ERR_SYNTAX},
        {"section inside the headers", ROW(0) + 20, 0x200, ERR_SYNTAX},
        {"section at the file's start", ROW(0) + 20, 0, ERR_SYNTAX},
        {"two sections share their bytes", ROW(1) + 20, 0x400, ERR_SYNTAX},
        {"second section begins in the first", ROW(1) + 20, 0x5ff, ERR_SYNTAX},
        {"gap: first section ends early", ROW(0) + 16, 0x1ff, ERR_SYNTAX},
        {"overlap: first section ends late", ROW(0) + 16, 0x201, ERR_SYNTAX},
        {"loaded over the headers", ROW(0) + 12, 0x200, ERR_SYNTAX},
        {"loaded over the other section", ROW(1) + 12, 0x1000, ERR_SYNTAX},
        {"loaded over the other section's last byte", ROW(1) + 12,
                0x1000 + sizeof(code) - 1, ERR_SYNTAX},
        {"memory size covers the next section", ROW(0) + 8, 0x1001, ERR_SYNTAX},
        {"address and memory size overflow", ROW(1) + 12, 0xfffffff0,
                ERR_SYNTAX},
        {"memory size of 2^32-1", ROW(1) + 8, 0xffffffff, ERR_SYNTAX},
        {"certificate size without an offset", PE_FIXTURE_CERT + 4, 8,
                ERR_SYNTAX},
        {"certificate offset without a size", PE_FIXTURE_CERT, 0x800,
                ERR_SYNTAX},
};

static void test_bent_images_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bent); i++) {
        struct pe pe;
        int r;

        buf_reset(&image);
        pe_fixture(two, ARRAY_LEN(two), &image);
        assert_int_equal(parse(&pe), 0);
        if (bent[i].is_u16)
            pe_fixture_set16(&image, bent[i].at, (uint16_t)bent[i].value);
        else
            pe_fixture_set32(&image, bent[i].at, bent[i].value);
        r = parse(&pe);
        if (r != bent[i].code)
            fail_msg("%s: %d", bent[i].attack, r);
    }
}

/* ---- certificate table ----------------------------------------------- */

static void test_data_behind_the_certificates_is_refused(void **state)
{
    struct pe pe;

    (void)state;
    pe_fixture_sign(&image, SPAN_OF(signature));
    assert_int_equal(parse(&pe), 0);
    assert_int_equal(pe.certs.len, 24);
    buf_append_str(&image, "appended");
    assert_int_equal(parse(&pe), ERR_SYNTAX);
}

static void test_certificates_before_the_end_are_refused(void **state)
{
    struct pe pe;

    (void)state;
    pe_fixture_sign(&image, SPAN_OF(signature));
    pe_fixture_set32(&image, PE_FIXTURE_CERT + 4, 16);
    assert_int_equal(parse(&pe), ERR_SYNTAX);
    pe_fixture_set32(&image, PE_FIXTURE_CERT + 4, 32);
    assert_int_equal(parse(&pe), ERR_SYNTAX);
    pe_fixture_set32(&image, PE_FIXTURE_CERT + 4, 0xfffffff8);
    assert_int_equal(parse(&pe), ERR_SYNTAX);
}

/* A section that the table covers would be loaded and not hashed. */
static void test_certificates_over_a_section_are_refused(void **state)
{
    struct pe pe;

    (void)state;
    pe_fixture_set32(&image, PE_FIXTURE_CERT, 0x600);
    pe_fixture_set32(&image, PE_FIXTURE_CERT + 4, 0x200);
    assert_int_equal(parse(&pe), ERR_SYNTAX);
    pe_fixture_set32(&image, PE_FIXTURE_CERT, 0x7f8);
    pe_fixture_set32(&image, PE_FIXTURE_CERT + 4, 8);
    assert_int_equal(parse(&pe), ERR_SYNTAX);
    pe_fixture_set32(&image, PE_FIXTURE_CERT, 0x8);
    pe_fixture_set32(&image, PE_FIXTURE_CERT + 4, 0x7f8);
    assert_int_equal(parse(&pe), ERR_SYNTAX);
}

static void test_unaligned_certificates_are_refused(void **state)
{
    struct pe pe;

    (void)state;
    buf_append_str(&image, "1234");
    buf_append(&image, SPAN("\x0c\0\0\0\0\x02\x02\0sign", 12));
    pe_fixture_set32(&image, PE_FIXTURE_CERT, 0x804);
    pe_fixture_set32(&image, PE_FIXTURE_CERT + 4, 12);
    assert_int_equal(parse(&pe), ERR_SYNTAX);
}

static int walk(size_t *ret_n, struct pe_cert *ret_last)
{
    size_t at = 0;
    struct pe pe;
    int r;

    *ret_n = 0;
    assert_int_equal(parse(&pe), 0);
    while ((r = pe_cert_next(&pe, &at, ret_last, NULL)) == 1)
        (*ret_n)++;
    return r;
}

static void test_certificates_are_walked(void **state)
{
    struct pe_cert c;
    size_t n;

    (void)state;
    assert_int_equal(walk(&n, &c), 0);
    assert_int_equal(n, 0);
    pe_fixture_sign(&image, SPAN_OF(signature));
    assert_int_equal(walk(&n, &c), 0);
    assert_int_equal(n, 1);
    assert_int_equal(c.type, PE_CERT_PKCS7);
    assert_true(span_eq(c.data, SPAN_OF(signature)));
}

static const struct {
    const char *attack;
    size_t at; /* in the entry */
    uint32_t value;
    int code;
} bent_cert[] = {
        {"entry shorter than its header", 0, 7, ERR_SYNTAX},
        {"empty entry: an endless walk", 0, 0, ERR_SYNTAX},
        {"entry longer than the table", 0, 25, ERR_SYNTAX},
        {"entry of 2^32-1 bytes", 0, 0xffffffff, ERR_SYNTAX},
        {"something hidden in the padding", 20, 0x01000000, ERR_SYNTAX},
        {"revision 1", 4, 0x00020100, ERR_UNSUPPORTED},
        {"X.509 instead of PKCS #7", 4, 0x00010200, ERR_UNSUPPORTED},
};

static void test_bent_certificates_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bent_cert); i++) {
        struct pe_cert c;
        size_t n;
        int r;

        buf_reset(&image);
        pe_fixture(two, ARRAY_LEN(two), &image);
        pe_fixture_sign(&image, SPAN_OF(signature));
        pe_fixture_set32(
                &image, image.len - 24 + bent_cert[i].at, bent_cert[i].value);
        r = walk(&n, &c);
        if (r != bent_cert[i].code)
            fail_msg("%s: %d", bent_cert[i].attack, r);
    }
}

/* ---- unified kernel images ------------------------------------------- */

static const char stub[] =
        "#### LoaderInfo: systemd-stub 252.39-1~deb12u2 ####";

#define TEXT(s)                                                                \
    {                                                                          \
        (const uint8_t *)(s), sizeof(s) - 1                                    \
    }

static const struct pe_fixture_section uki_sections[] = {
        {".sdmagic", {(const uint8_t *)stub, sizeof(stub)}},
        {".osrel", TEXT("ID=qair")}, {".cmdline", TEXT("quiet")},
        {".linux", TEXT("kernel")}, {".initrd", TEXT("initrd")}};

static int parse_uki(struct pe_uki *ret)
{
    struct pe pe;

    assert_int_equal(parse(&pe), 0);
    return pe_uki(&pe, ret, NULL);
}

static void test_uki_is_read(void **state)
{
    struct pe_uki u;

    (void)state;
    buf_reset(&image);
    pe_fixture(uki_sections, ARRAY_LEN(uki_sections), &image);
    assert_int_equal(parse_uki(&u), 0);
    assert_int_equal(u.stub_version, 252);
    assert_true(u.has[PE_UKI_CMDLINE]);
    assert_false(u.has[PE_UKI_DTB]);
    assert_true(span_eq_str(u.section[PE_UKI_LINUX], "kernel"));
    assert_true(pe_uki_is_measured(PE_UKI_LINUX, 252));
    assert_false(pe_uki_is_measured(PE_UKI_SBAT, 252));
    assert_true(pe_uki_is_measured(PE_UKI_SBAT, 254));
    assert_false(pe_uki_is_measured(PE_UKI_PCRSIG, 258));
    assert_true(pe_uki_is_known_stub(252));
    assert_false(pe_uki_is_known_stub(253));
    assert_false(pe_uki_is_known_stub(259));
    assert_false(pe_uki_is_known_stub(0));
}

static void rename_section(size_t i, const char *name)
{
    char padded[8] = {0};

    memcpy(padded, name, strlen(name));
    memcpy(image.ptr + ROW(i), padded, sizeof(padded));
}

/* Which of the two a stub takes differs between its versions. */
static void test_uki_with_a_section_twice_is_refused(void **state)
{
    struct pe_uki u;

    (void)state;
    buf_reset(&image);
    pe_fixture(uki_sections, ARRAY_LEN(uki_sections), &image);
    rename_section(1, ".cmdline");
    assert_int_equal(parse_uki(&u), ERR_EXISTS);
}

static void test_uki_that_chooses_at_boot_is_refused(void **state)
{
    static const char *const names[] = {
            ".profile", ".dtbauto", ".hwids", ".efifw"};
    struct pe_uki u;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        buf_reset(&image);
        pe_fixture(uki_sections, ARRAY_LEN(uki_sections), &image);
        rename_section(1, names[i]);
        assert_int_equal(parse_uki(&u), ERR_UNSUPPORTED);
    }
}

static void test_uki_section_longer_than_its_bytes_is_refused(void **state)
{
    struct pe_uki u;

    (void)state;
    buf_reset(&image);
    pe_fixture(uki_sections, ARRAY_LEN(uki_sections), &image);
    pe_fixture_set32(&image, ROW(2) + 8, PE_FIXTURE_ALIGN + 1);
    assert_int_equal(parse_uki(&u), ERR_UNSUPPORTED);
}

static void test_uki_without_a_kernel_is_none(void **state)
{
    struct pe_uki u;

    (void)state;
    assert_int_equal(parse_uki(&u), ERR_NOT_FOUND);
}

static void test_uki_of_an_unknown_stub_has_no_version(void **state)
{
    static const char *const texts[] = {"#### LoaderInfo: systemd-boot 252 ##",
            "", "#### LoaderInfo: systemd-stub 99999999999 ####",
            "#### LoaderInfo: systemd-stub "};
    struct pe_fixture_section s[2] = {{".linux", TEXT("kernel")}};
    struct pe_uki u;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        s[1] = (struct pe_fixture_section){".sdmagic", span_str(texts[i])};
        buf_reset(&image);
        pe_fixture(s, texts[i][0] ? 2 : 1, &image);
        assert_int_equal(parse_uki(&u), 0);
        assert_int_equal(u.stub_version, 0);
    }
}

/* ---- SBAT ------------------------------------------------------------ */

static void test_sbat_is_read(void **state)
{
    struct span rest = span_str(
            "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim\n"
            "systemd.debian,3,Debian,systemd,252.39-1,https://debian.org\n"
            "shim,4\n");
    struct pe_sbat e;

    (void)state;
    assert_int_equal(pe_sbat_next(&rest, &e, NULL), 1);
    assert_true(span_eq_str(e.component, "sbat"));
    assert_int_equal(pe_sbat_next(&rest, &e, NULL), 1);
    assert_int_equal(e.generation, 3);
    assert_true(span_eq_str(e.url, "https://debian.org"));
    assert_int_equal(pe_sbat_next(&rest, &e, NULL), 1);
    assert_int_equal(e.generation, 4);
    assert_int_equal(pe_sbat_next(&rest, &e, NULL), 0);
}

static void test_bent_sbat_is_refused(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } bad[] = {{"shim", 4}, {"shim,", 5}, {"shim,0", 6}, {"shim,-1", 7},
            {"shim,1x", 7}, {",1", 2}, {"shim,99999999999999999999", 25},
            {"a,1,b,c,d,e,f", 13}, {"sh\0im,1", 7}, {"shim,1,\x1b[2J", 11}};
    struct buf huge = BUF_INIT(PE_SBAT_TEXT_MAX + 100);
    struct pe_sbat e;
    struct span rest;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        rest = SPAN(bad[i].text, bad[i].len);
        assert_int_equal(pe_sbat_next(&rest, &e, NULL), ERR_SYNTAX);
    }
    while (huge.len <= PE_SBAT_TEXT_MAX)
        buf_append_str(&huge, "a,1\n");
    rest = buf_span(&huge);
    assert_int_equal(pe_sbat_next(&rest, &e, NULL), ERR_LIMIT);
    buf_fini(&huge);
}

/* ---- Linux ----------------------------------------------------------- */

static void put_kernel(uint8_t k[static 0x600], const char *version)
{
    memset(k, 0, 0x600);
    k[0x1f1] = 1; /* one sector of setup behind the boot sector */
    k[0x1fe] = 0x55;
    k[0x1ff] = 0xaa;
    memcpy(k + 0x202, "HdrS\x0f\x02", 6);
    k[0x20e] = 0x80;
    memcpy(k + 0x280, version, strlen(version));
}

static void test_kernel_version_is_read(void **state)
{
    uint8_t k[0x600];
    struct pe_linux l;

    (void)state;
    put_kernel(k, "6.1.0-56-cloud-amd64 (debian) #1 SMP");
    assert_int_equal(pe_linux(SPAN_OF(k), &l, NULL), 0);
    assert_int_equal(l.major, 6);
    assert_int_equal(l.minor, 1);
    assert_int_equal(l.protocol, 0x020f);
    assert_int_equal(l.version.len, 36);
}

static void test_bent_kernels_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        int code;
    } bad[] = {{0x1fe, 0x54, ERR_SYNTAX}, {0x202, 'h', ERR_SYNTAX},
            {0x207, 0x03, ERR_UNSUPPORTED}, {0x206, 0x10, ERR_UNSUPPORTED},
            {0x20f, 0x04, ERR_SYNTAX}, {0x20e, 0x00, ERR_SYNTAX},
            {0x280, 'x', ERR_SYNTAX}, {0x281, ' ', ERR_SYNTAX},
            {0x282, 0x07, ERR_SYNTAX}};
    uint8_t k[0x600];
    struct pe_linux l;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        put_kernel(k, "6.1.0");
        k[bad[i].at] = bad[i].value;
        assert_int_equal(pe_linux(SPAN_OF(k), &l, NULL), bad[i].code);
    }
    put_kernel(k, "6.1.0");
    memset(k + 0x285, 'a', sizeof(k) - 0x285); /* never ends */
    assert_int_equal(pe_linux(SPAN_OF(k), &l, NULL), ERR_SYNTAX);
    put_kernel(k, "99999999.1");
    assert_int_equal(pe_linux(SPAN_OF(k), &l, NULL), ERR_SYNTAX);
    assert_int_equal(pe_linux(SPAN(k, 0x210), &l, NULL), ERR_SYNTAX);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_image_is_read),
            T(test_digest_is_that_of_the_specification),
            T(test_digest_covers_what_follows_the_sections),
            T(test_digest_of_every_flipped_bit_differs),
            T(test_every_cut_is_refused),
            T(test_outputs_are_left_alone),
            T(test_bent_images_are_refused),
            T(test_data_behind_the_certificates_is_refused),
            T(test_certificates_before_the_end_are_refused),
            T(test_certificates_over_a_section_are_refused),
            T(test_unaligned_certificates_are_refused),
            T(test_certificates_are_walked),
            T(test_bent_certificates_are_refused),
            T(test_uki_is_read),
            T(test_uki_with_a_section_twice_is_refused),
            T(test_uki_that_chooses_at_boot_is_refused),
            T(test_uki_section_longer_than_its_bytes_is_refused),
            T(test_uki_without_a_kernel_is_none),
            T(test_uki_of_an_unknown_stub_has_no_version),
            T(test_sbat_is_read),
            T(test_bent_sbat_is_refused),
            T(test_kernel_version_is_read),
            T(test_bent_kernels_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
