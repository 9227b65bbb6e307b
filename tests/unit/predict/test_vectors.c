/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log of a real boot (OVMF, direct kernel) against what is predicted for the
 * parts that follow from no file.  argv[1]: the folder with the vectors;
 * without it there is nothing to hold against, and the test is skipped.
 */
#include "eventlog.h"
#include "predict.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[4096];
static struct buf log_file;

static bool load(const char *name, struct buf *ret)
{
    char path[4400];

    /* NAME of the boot, or a path of another. */
    if (strchr(name, '/')) {
        (void)snprintf(path, sizeof(path), "%s/attestation/%s", folder, name);
        *ret = BUF_INIT(1u << 20);
        return buf_load(ret, AT_FDCWD, path, NULL) == 0;
    }
    (void)snprintf(path, sizeof(path),
            "%s/attestation/measured-boot/qemu-ovmf/%s", folder, name);
    *ret = BUF_INIT(1u << 20);
    return buf_load(ret, AT_FDCWD, path, NULL) == 0;
}

static void assert_value(const struct predict *p, unsigned pcr, const char *hex)
{
    uint8_t value[CRYPTO_HASH_MAX];
    char text[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];

    assert_int_equal(predict_value(p, CRYPTO_SHA256, pcr, value), 0);
    text_format_hex(SPAN(value, CRYPTO_SHA256_SIZE), text);
    assert_string_equal(text, hex);
}

static void test_log_replays(void **state)
{
    struct predict p = predict_of(PREDICT_BANK(CRYPTO_SHA256));

    (void)state;
    assert_int_equal(predict_add_log(&p, buf_span(&log_file), 0x3ff, NULL), 0);
    assert_value(&p, 0,
            "05e9edf27f2cc722a00eee9f2882b8bafc132e3a56b3f60baee42d"
            "cdd59538fd");
    assert_value(&p, 4,
            "9e178db7a97bf69e0724f4784eb68691cd68b49d40a23f5e4fa3b0"
            "0b1a4c2838");
    assert_value(&p, 7,
            "65caf8dd1e0ea7a6347b635d2b379c93b9a1351edc2afc3ecda700"
            "e534eb3068");
    assert_value(&p, 9,
            "b1a49b3664b21b0fd6fafb95b9a09946d440be9baea08ae5b6ec6c"
            "229fc1721b");
    predict_fini(&p);
}

/* The kernel wrote it as the first line of its list. */
static void test_boot_aggregate_is_the_kernels(void **state)
{
    struct predict p = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    struct buf ima;
    uint8_t aggregate[CRYPTO_HASH_MAX];
    char hex[7 + TEXT_HEX_SIZE(32)] = "sha256:";

    (void)state;
    assert_true(load("ima.ascii", &ima));
    assert_int_equal(predict_add_log(&p, buf_span(&log_file), 0x3ff, NULL), 0);
    assert_int_equal(predict_boot_aggregate(&p, CRYPTO_SHA256, aggregate), 0);
    text_format_hex(SPAN(aggregate, 32), hex + 7);
    assert_non_null(strstr((char *)ima.ptr, hex));
    predict_fini(&p);
    buf_fini(&ima);
}

/* Events of PCR 4 and 7 up to what only the files know. */
static void test_firmware_parts_are_as_logged(void **state)
{
    struct predict log = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    struct predict p = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    struct predict_variables none = {.has_secure_boot = true};

    (void)state;
    assert_int_equal(
            predict_add_log(&log, buf_span(&log_file), 1u << 4, NULL), 0);
    assert_int_equal(predict_boot_attempt(&p, NULL), 0);
    assert_in_range(log.n, p.n + 1, 10);
    /* The emulator's kernel comes before any attempt to boot. */
    for (size_t i = 0; i < p.n; i++)
        assert_memory_equal(log.event[i + 1].digest[CRYPTO_SHA256],
                p.event[i].digest[CRYPTO_SHA256], 32);
    predict_fini(&log);
    predict_fini(&p);
    log = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    p = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    assert_int_equal(
            predict_add_log(&log, buf_span(&log_file), 1u << 7, NULL), 0);
    assert_int_equal(predict_boot_variables(&p, &none, NULL), 0);
    assert_int_equal(log.n, p.n);
    for (size_t i = 0; i < p.n; i++)
        assert_memory_equal(log.event[i].digest[CRYPTO_SHA256],
                p.event[i].digest[CRYPTO_SHA256], 32);
    predict_fini(&log);
    predict_fini(&p);
}

/* A partition table as a log has it, written back to where it was. */
static struct span make_disk(struct span data, struct buf *disk)
{
    struct wire_reader r = wire_reader_of(data);
    struct span header, entries;
    uint64_t n;

    assert_true(wire_get_span(&r, 92, &header));
    assert_true(wire_get_u64le(&r, &n));
    assert_true(wire_get_span(&r, (size_t)n * 128, &entries) && wire_end(&r));
    while (disk->len < 512)
        buf_append_u8(disk, 0);
    buf_append(disk, header);
    while (disk->len < 1024)
        buf_append_u8(disk, 0);
    buf_append(disk, entries);
    while (disk->len < 1024 + 128 * 128)
        buf_append_u8(disk, 0);
    return buf_span(disk);
}

/* A real machine's PCR 5, from its table alone. */
static void test_partition_table_is_as_logged(void **state)
{
    struct predict p = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    struct predict logged = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    struct buf log, disk = BUF_INIT(PREDICT_DISK);
    uint8_t a[CRYPTO_HASH_MAX], b[CRYPTO_HASH_MAX];
    struct eventlog l;
    struct eventlog_event e;

    (void)state;
    if (!load("eventlog/rhel8-uefi/log.bin", &log))
        skip();
    assert_int_equal(eventlog_open(buf_span(&log), &l, NULL), 0);
    do {
        assert_int_equal(eventlog_next(&l, &e, NULL), 1);
    } while (e.type != EVENTLOG_EV_EFI_GPT_EVENT);
    assert_int_equal(predict_boot_disk(&p, make_disk(e.data, &disk), NULL), 0);
    assert_int_equal(
            predict_add_log(&logged, buf_span(&log), 1u << 5, NULL), 0);
    assert_int_equal(predict_value(&p, CRYPTO_SHA256, 5, a), 0);
    assert_int_equal(predict_value(&logged, CRYPTO_SHA256, 5, b), 0);
    assert_memory_equal(a, b, 32);
    predict_fini(&p);
    predict_fini(&logged);
    buf_fini(&disk);
    buf_fini(&log);
}

static void test_bank_that_the_log_lacks_is_refused(void **state)
{
    struct predict p = predict_of(
            PREDICT_BANK(CRYPTO_SHA256) | PREDICT_BANK(CRYPTO_SHA512));
    struct predict q = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    struct span cut = SPAN(log_file.ptr, log_file.len - 3);

    (void)state;
    assert_int_equal(predict_add_log(&p, buf_span(&log_file), 0x10, NULL),
            ERR_UNSUPPORTED);
    assert_int_equal(p.n, 0);
    assert_int_equal(predict_add_log(&q, buf_span(&log_file), 1u << 24, NULL),
            ERR_SYNTAX);
    assert_int_not_equal(predict_add_log(&q, cut, 0x10, NULL), 0);
    assert_int_equal(q.n, 0);
    predict_fini(&p);
    predict_fini(&q);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_log_replays),
            cmocka_unit_test(test_boot_aggregate_is_the_kernels),
            cmocka_unit_test(test_firmware_parts_are_as_logged),
            cmocka_unit_test(test_partition_table_is_as_logged),
            cmocka_unit_test(test_bank_that_the_log_lacks_is_refused),
    };
    int r;

    if (argc != 2)
        return 2;
    (void)snprintf(folder, sizeof(folder), "%s", argv[1]);
    if (access(folder, R_OK) != 0)
        return 77; /* no vectors here: skipped */
    if (!load("eventlog.bin", &log_file))
        return 1;
    r = cmocka_run_group_tests(tests, NULL, NULL);
    buf_fini(&log_file);
    return r;
}
