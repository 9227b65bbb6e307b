/* SPDX-License-Identifier: Apache-2.0 */
/* Structures of UEFI firmware: each field, each length one off. */
#include "eventlog_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct buf b_;

static int setup(void **state)
{
    (void)state;
    b_ = BUF_INIT(1u << 16);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&b_);
    return 0;
}

static struct span bytes(void)
{
    return buf_span(&b_);
}

static void fill(uint8_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_append_u8(&b_, v);
}

/* ---- variables ------------------------------------------------------- */

static void test_variable(void **state)
{
    struct eventlog_uefi_variable v;

    (void)state;
    fixture_variable(
            &b_, EVENTLOG_UEFI_IMAGE_SECURITY, "dbx", span_str("hashes"));
    assert_int_equal(eventlog_uefi_variable(bytes(), &v), 0);
    assert_true(span_eq_str(v.value, "hashes"));
    assert_int_equal(v.n_trailing, 0);
    assert_true(eventlog_uefi_is(&v, EVENTLOG_UEFI_IMAGE_SECURITY, "dbx"));
    assert_false(eventlog_uefi_is(&v, EVENTLOG_UEFI_IMAGE_SECURITY, "db"));
    assert_false(eventlog_uefi_is(&v, EVENTLOG_UEFI_IMAGE_SECURITY, "dbxx"));
    assert_false(eventlog_uefi_is(&v, EVENTLOG_UEFI_GLOBAL, "dbx"));
}

/* "S\x01ecureBoot": the upper byte of a character counts. */
static void test_variable_name_in_another_alphabet(void **state)
{
    struct eventlog_uefi_variable v;

    (void)state;
    fixture_variable(&b_, EVENTLOG_UEFI_GLOBAL, "PK", span_str("x"));
    b_.ptr[33] = 1;
    assert_int_equal(eventlog_uefi_variable(bytes(), &v), 0);
    assert_false(eventlog_uefi_is(&v, EVENTLOG_UEFI_GLOBAL, "PK"));
}

static void test_variable_lengths(void **state)
{
    struct eventlog_uefi_variable v;

    (void)state;
    fixture_variable(&b_, EVENTLOG_UEFI_GLOBAL, "PK", span_str("value"));
    for (size_t n = 0; n < b_.len; n++)
        assert_true(eventlog_uefi_variable(SPAN(b_.ptr, n), &v) != 0);
    b_.ptr[24]++; /* value */
    assert_true(eventlog_uefi_variable(bytes(), &v) != 0);
    b_.ptr[24] -= 2;
    assert_int_equal(eventlog_uefi_variable(bytes(), &v), 0);
    assert_int_equal(v.n_trailing, 1);
    b_.ptr[23] = 0x80; /* name of 2^63 characters: twice that is 0 */
    assert_true(eventlog_uefi_variable(bytes(), &v) != 0);
    memset(b_.ptr + 16, 0xff, 8);
    assert_true(eventlog_uefi_variable(bytes(), &v) != 0);
}

static void test_load_option(void **state)
{
    struct eventlog_uefi_load_option o;

    (void)state;
    fixture_u32(&b_, 1);
    fixture_u16(&b_, 4);
    fixture_utf16(&b_, "debian");
    fixture_u16(&b_, 0);
    fixture_u32(&b_, 0x0004ff7f);
    buf_append_str(&b_, "more");
    assert_int_equal(eventlog_uefi_load_option(bytes(), &o), 0);
    assert_int_equal(o.attributes, 1);
    assert_int_equal(o.name.len, 12);
    assert_int_equal(o.path.len, 4);
    assert_true(span_eq_str(o.optional, "more"));
    for (size_t n = 0; n < 24; n++)
        assert_true(eventlog_uefi_load_option(SPAN(b_.ptr, n), &o) != 0);
}

/* ---- images, blobs, partitions --------------------------------------- */

static void test_image(void **state)
{
    struct eventlog_uefi_image i;

    (void)state;
    fixture_u64(&b_, 0x1000);
    fixture_u64(&b_, 0x2000);
    fixture_u64(&b_, 0x3000);
    fixture_u64(&b_, 4);
    fixture_u32(&b_, 0x0004ff7f);
    assert_int_equal(eventlog_uefi_image(bytes(), &i), 0);
    assert_int_equal(i.location, 0x1000);
    assert_int_equal(i.length, 0x2000);
    assert_int_equal(i.link_time, 0x3000);
    assert_int_equal(i.path.len, 4);
    for (size_t n = 0; n < b_.len; n++)
        assert_true(eventlog_uefi_image(SPAN(b_.ptr, n), &i) != 0);
    buf_append_u8(&b_, 0);
    assert_true(eventlog_uefi_image(bytes(), &i) != 0);
    memset(b_.ptr + 24, 0xff, 8);
    assert_true(eventlog_uefi_image(bytes(), &i) != 0);
}

static void test_blob(void **state)
{
    struct eventlog_uefi_blob b;

    (void)state;
    fixture_u64(&b_, 0xff000000);
    fixture_u64(&b_, 0x1000);
    assert_int_equal(
            eventlog_uefi_blob(EVENTLOG_EV_EFI_FIRMWARE_BLOB, bytes(), &b), 0);
    assert_int_equal(b.base, 0xff000000);
    assert_true(eventlog_uefi_blob(
                        EVENTLOG_EV_EFI_FIRMWARE_BLOB2, bytes(), &b) != 0);
    b_.len = 0;
    buf_append(&b_, SPAN("\4FvMn", 5));
    fixture_u64(&b_, 1);
    fixture_u64(&b_, 2);
    assert_int_equal(
            eventlog_uefi_blob(EVENTLOG_EV_EFI_FIRMWARE_BLOB2, bytes(), &b), 0);
    assert_true(span_eq_str(b.name, "FvMn"));
    assert_int_equal(b.length, 2);
    buf_append_u8(&b_, 0);
    assert_true(eventlog_uefi_blob(
                        EVENTLOG_EV_EFI_FIRMWARE_BLOB2, bytes(), &b) != 0);
}

static void put_gpt(uint64_t n, uint32_t entry_size)
{
    b_.len = 0;
    buf_append_str(&b_, "EFI PART");
    fill(0, 32);
    fixture_u64(&b_, 34);
    fixture_u64(&b_, 1000);
    fill(0xab, 16);
    fixture_u64(&b_, 2);
    fixture_u32(&b_, 128);
    fixture_u32(&b_, entry_size);
    fixture_u32(&b_, 0); /* CRC of entries */
    fixture_u64(&b_, n);
}

static void put_partition(void)
{
    fill(1, 16);
    fill(2, 16);
    fixture_u64(&b_, 40);
    fixture_u64(&b_, 50);
    fixture_u64(&b_, 7);
    fixture_utf16(&b_, "root");
    fill(0, 72 - 8);
}

static void test_partitions(void **state)
{
    struct eventlog_uefi_gpt g;
    struct eventlog_uefi_partition p;

    (void)state;
    put_gpt(2, 128);
    put_partition();
    put_partition();
    assert_int_equal(eventlog_uefi_gpt(bytes(), &g), 0);
    assert_int_equal(g.n, 2);
    assert_int_equal(g.last_lba, 1000);
    assert_true(eventlog_uefi_partition(&g, 1, &p));
    assert_int_equal(p.first_lba, 40);
    assert_int_equal(p.attributes, 7);
    assert_int_equal(p.name.len, 8);
    assert_false(eventlog_uefi_partition(&g, 2, &p));
    b_.ptr[0] = 'e';
    assert_true(eventlog_uefi_gpt(bytes(), &g) != 0);
}

/* A name of 36 characters has no NUL. */
static void test_partition_with_a_full_name(void **state)
{
    struct eventlog_uefi_gpt g;
    struct eventlog_uefi_partition p;
    char name[64];

    (void)state;
    put_gpt(1, 128);
    put_partition();
    memset(b_.ptr + b_.len - 72, 'n', 72);
    assert_int_equal(eventlog_uefi_gpt(bytes(), &g), 0);
    assert_true(eventlog_uefi_partition(&g, 0, &p));
    assert_int_equal(p.name.len, 72);
    eventlog_uefi_format_utf16(p.name, name, sizeof(name));
    assert_int_equal(strlen(name), 36);
}

static void test_partitions_that_are_not_there(void **state)
{
    static const struct {
        uint64_t n;
        uint32_t size;
    } rows[] = {{2, 128}, {0, 128}, {UINT64_MAX, 128}, {1, 64}, {1, 0},
            {UINT64_MAX / 128 + 2, 128}};
    struct eventlog_uefi_gpt g;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        put_gpt(rows[i].n, rows[i].size);
        put_partition();
        assert_true(eventlog_uefi_gpt(bytes(), &g) != 0);
    }
    put_gpt(1, 128);
    put_partition();
    assert_int_equal(eventlog_uefi_gpt(bytes(), &g), 0);
    for (size_t n = 0; n < b_.len; n++)
        assert_true(eventlog_uefi_gpt(SPAN(b_.ptr, n), &g) != 0);
}

/* ---- devices --------------------------------------------------------- */

static void put_device1(void)
{
    buf_append(&b_, SPAN("SPDM Device Sec\0", 16));
    fixture_u16(&b_, 1);
    fixture_u16(&b_, 0);
    fixture_u32(&b_, 2); /* SHA-384 */
    fixture_u32(&b_, 1); /* PCI */
    buf_append(&b_, SPAN("\1\1\4\0abcd", 8));
    fixture_u64(&b_, 4);
    fixture_u32(&b_, 0x0004ff7f);
    buf_append_str(&b_, "context");
}

static void test_device_of_version_1(void **state)
{
    struct eventlog_uefi_device d;

    (void)state;
    put_device1();
    assert_int_equal(eventlog_uefi_device(bytes(), &d), 0);
    assert_int_equal(d.version, 1);
    assert_int_equal(d.auth, EVENTLOG_UEFI_AUTH_NONE);
    assert_int_equal(d.hash, 2);
    assert_int_equal(d.block.len, 8);
    assert_int_equal(d.path.len, 4);
    assert_true(span_eq_str(d.context, "context"));
    for (size_t n = 0; n < 36; n++)
        assert_true(eventlog_uefi_device(SPAN(b_.ptr, n), &d) != 0);
    b_.ptr[16] = 2;
    assert_true(eventlog_uefi_device(bytes(), &d) != 0);
}

static void put_device2(uint8_t auth, uint32_t type, const char *sub, size_t n)
{
    size_t length;

    b_.len = 0;
    buf_append(&b_, SPAN("SPDM Device Sec2", 16));
    fixture_u16(&b_, 2);
    buf_append_u8(&b_, auth);
    buf_append_u8(&b_, 0);
    fixture_u32(&b_, 0);
    length = b_.len;
    fixture_u32(&b_, 1);
    fixture_u32(&b_, type);
    fixture_u32(&b_, (uint32_t)n);
    fixture_u64(&b_, 77);
    fixture_u64(&b_, 0);
    buf_append(&b_, SPAN(sub, n));
    buf_append_str(&b_, "pci");
    b_.ptr[20] = (uint8_t)(b_.len - length);
}

static void test_device_of_version_2(void **state)
{
    static const char blocks[] = "\x12\0\2\0\2\0\0\0\1\1\1\0a\2\1\1\0b";
    static const char chain[] = "\x12\0\0\0\2\0\0\0chain";
    struct eventlog_uefi_device d;

    (void)state;
    put_device2(EVENTLOG_UEFI_AUTH_INVALID, 0, blocks, sizeof(blocks) - 1);
    assert_int_equal(eventlog_uefi_device(bytes(), &d), 0);
    assert_int_equal(d.auth, EVENTLOG_UEFI_AUTH_INVALID);
    assert_int_equal(d.n_blocks, 2);
    assert_false(d.is_chain);
    assert_true(span_eq_str(d.context, "pci"));
    put_device2(0, 1, chain, sizeof(chain) - 1);
    assert_int_equal(eventlog_uefi_device(bytes(), &d), 0);
    assert_true(d.is_chain);
    assert_true(span_eq_str(d.block, "chain"));
    put_device2(0, 2, chain, sizeof(chain) - 1); /* unknown sub-header */
    assert_true(eventlog_uefi_device(bytes(), &d) != 0);
    put_device2(0, 0, blocks, sizeof(blocks) - 2); /* block cut short */
    assert_true(eventlog_uefi_device(bytes(), &d) != 0);
    put_device2(0, 0, blocks, sizeof(blocks)); /* a byte behind the blocks */
    assert_true(eventlog_uefi_device(bytes(), &d) != 0);
    put_device2(0, 1, chain, sizeof(chain) - 1);
    b_.ptr[20]++; /* length */
    assert_true(eventlog_uefi_device(bytes(), &d) != 0);
}

/* ---- text ------------------------------------------------------------ */

static void assert_path(const char *path, size_t len, const char *want)
{
    char got[256];

    eventlog_uefi_format_path(SPAN(path, len), got, sizeof(got));
    assert_string_equal(got, want);
}

#define PATH(hex, want) assert_path(hex, sizeof(hex) - 1, want)
#define END             "\x7f\xff\x04\x00"

static void test_device_paths(void **state)
{
    (void)state;
    PATH("\2\1\14\0\xd0\x41\x03\x0a\0\0\0\0"
         "\1\1\6\0\2\x1f" END,
            "PciRoot(0x0)/Pci(0x1f,0x2)");
    PATH("\4\4\14\0\\\0E\0F\0\0\0" END, "\\EF");
    PATH("\3\x12\12\0\1\0\xff\xff\0\0" END, "Sata(0x1,0xffff,0x0)");
    PATH("\3\x17\20\0\1\0\0\0\1\2\3\4\5\6\7\x08" END,
            "NVMe(0x1,0807060504030201)");
    PATH("\3\x18\10\0a\x1b:b" END, "Uri(a\\x1b:b)");
    PATH("\4\7\24\0\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\0\xe0\x98\x03"
         "\x2b\x8c" END,
            "Fv(8be4df61-93ca-11d2-aa0d-00e098032b8c)");
    PATH("\1\1\5\0\1" END, "Path(1,1,1 bytes)"); /* a byte short */
    PATH("\x66\1\4\0" END, "Path(102,1,0 bytes)");
    PATH("\1\1\6\0\0\1\x7f\1\4\0\1\1\6\0\0\2" END, "Pci(0x1,0x0),Pci(0x2,0x0)");
    PATH("\1\1\3\0", "...");                  /* shorter than its own header */
    PATH("\1\1\6\0\0\1", "Pci(0x1,0x0)/..."); /* no end */
    PATH("\1\1\xff\xff\0\1", "...");
}

static void test_text_that_does_not_fit(void **state)
{
    char got[8], one[1], *none = NULL;
    struct span path = SPAN("\1\1\6\0\0\1\1\1\6\0\0\2" END, 16);

    (void)state;
    eventlog_uefi_format_path(path, got, sizeof(got));
    assert_string_equal(got, "Pci(0x1");
    eventlog_uefi_format_path(path, one, sizeof(one));
    assert_string_equal(one, "");
    eventlog_uefi_format_path(path, none, 0);
    eventlog_uefi_format_utf16(SPAN("a\0\x41\x30z\0", 6), got, sizeof(got));
    assert_string_equal(got, "a?z");
    eventlog_uefi_format_utf16(SPAN("a\0b", 3), got, sizeof(got));
    assert_string_equal(got, "a");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_variable),
            T(test_variable_name_in_another_alphabet),
            T(test_variable_lengths),
            T(test_load_option),
            T(test_image),
            T(test_blob),
            T(test_partitions),
            T(test_partition_with_a_full_name),
            T(test_partitions_that_are_not_there),
            T(test_device_of_version_1),
            T(test_device_of_version_2),
            T(test_device_paths),
            T(test_text_that_does_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
