/* SPDX-License-Identifier: Apache-2.0 */
#include "eventlog_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

const struct eventlog_alg fixture_algs[FIXTURE_BANKS] = {
        {TCG_ALG_SHA1, 20}, {TCG_ALG_SHA256, 32}, {TCG_ALG_SHA384, 48}};

static void put(struct buf *b, const void *ptr, size_t len)
{
    buf_append(b, SPAN(ptr, len));
    assert_int_equal(buf_ok(b, NULL), 0);
}

void fixture_u16(struct buf *b, uint16_t v)
{
    uint8_t le[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

    put(b, le, sizeof(le));
}

void fixture_u32(struct buf *b, uint32_t v)
{
    fixture_u16(b, (uint16_t)v);
    fixture_u16(b, (uint16_t)(v >> 16));
}

void fixture_u64(struct buf *b, uint64_t v)
{
    fixture_u32(b, (uint32_t)v);
    fixture_u32(b, (uint32_t)(v >> 32));
}

void fixture_utf16(struct buf *b, const char *text)
{
    for (; *text; text++)
        fixture_u16(b, (uint8_t)*text);
}

void fixture_header(struct buf *log, const struct eventlog_alg *alg, size_t n,
        struct span vendor)
{
    static const uint8_t zero[20];

    fixture_u32(log, 0);
    fixture_u32(log, EVENTLOG_EV_NO_ACTION);
    put(log, zero, sizeof(zero));
    fixture_u32(log, (uint32_t)(16 + 4 + 4 + 4 + 4 * n + 1 + vendor.len));
    put(log, "Spec ID Event03", 16);
    fixture_u32(log, 0);
    put(log, "\x00\x02\x69\x02", 4);
    fixture_u32(log, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        fixture_u16(log, alg[i].alg);
        fixture_u16(log, alg[i].size);
    }
    put(log, &(uint8_t){(uint8_t)vendor.len}, 1);
    buf_append(log, vendor);
}

void fixture_event_of(struct buf *log, const struct eventlog_alg *alg, size_t n,
        uint32_t pcr, uint32_t type, struct span hashed, struct span data)
{
    fixture_u32(log, pcr);
    fixture_u32(log, type);
    fixture_u32(log, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        uint8_t digest[CRYPTO_HASH_MAX] = {0};
        enum crypto_hash hash;

        if (tcg_hash(alg[i].alg, &hash))
            crypto_hash(hash, hashed, digest);
        fixture_u16(log, alg[i].alg);
        put(log, digest, alg[i].size);
    }
    fixture_u32(log, (uint32_t)data.len);
    buf_append(log, data);
}

void fixture_event(
        struct buf *log, uint32_t pcr, uint32_t type, struct span data)
{
    fixture_event_of(log, fixture_algs, FIXTURE_BANKS, pcr, type, data, data);
}

void fixture_text(
        struct buf *log, uint32_t pcr, uint32_t type, const char *data)
{
    fixture_event(log, pcr, type, span_str(data));
}

void fixture_old_event(
        struct buf *log, uint32_t pcr, uint32_t type, struct span data)
{
    uint8_t digest[20] = {0};

    if (type != EVENTLOG_EV_NO_ACTION)
        crypto_hash(CRYPTO_SHA1, data, digest);
    fixture_u32(log, pcr);
    fixture_u32(log, type);
    put(log, digest, sizeof(digest));
    fixture_u32(log, (uint32_t)data.len);
    buf_append(log, data);
}

void fixture_variable(struct buf *b, enum eventlog_uefi_vendor vendor,
        const char *name, struct span value)
{
    static const uint8_t guids[][16] = {
            {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00,
                    0xe0, 0x98, 0x03, 0x2b, 0x8c},
            {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda,
                    0xd0, 0x0e, 0x67, 0x65, 0x6f},
            {0x50, 0xab, 0x5d, 0x60, 0x46, 0xe0, 0x00, 0x43, 0xab, 0xb6, 0x3d,
                    0xd8, 0x10, 0xdd, 0x8b, 0x23},
    };

    put(b, guids[vendor], 16);
    fixture_u64(b, strlen(name));
    fixture_u64(b, value.len);
    fixture_utf16(b, name);
    buf_append(b, value);
}

/* ---- a boot ---------------------------------------------------------- */

void fixture_boot_init(struct fixture_boot *b)
{
    *b = (struct fixture_boot){
            .variable_type = EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG,
            .secure_boot = 1,
            .separator_type = EVENTLOG_EV_SEPARATOR,
            .n_separators = 1,
    };
}

static void measure_variable(struct buf *log, const struct fixture_boot *b,
        enum eventlog_uefi_vendor vendor, const char *name, struct span value)
{
    uint32_t type = strcmp(name, "SecureBoot") == 0
                            ? b->variable_type
                            : EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG;
    struct buf v = BUF_INIT(4096);

    fixture_variable(&v, vendor, name, value);
    if (!b->skip_variable || strcmp(name, b->skip_variable) != 0)
        fixture_event(log, 7, type, buf_span(&v));
    if (b->twice && strcmp(name, b->twice) == 0)
        fixture_event(log, 7, type, buf_span(&v));
    buf_fini(&v);
}

static void measure_policy(struct buf *log, const struct fixture_boot *b)
{
    measure_variable(log, b, EVENTLOG_UEFI_GLOBAL, "SecureBoot",
            SPAN(&b->secure_boot, 1));
    measure_variable(log, b, EVENTLOG_UEFI_GLOBAL, "PK", span_str("owner"));
    measure_variable(log, b, EVENTLOG_UEFI_GLOBAL, "KEK", span_str("kek"));
    measure_variable(
            log, b, EVENTLOG_UEFI_IMAGE_SECURITY, "db", span_str("db"));
    measure_variable(log, b, EVENTLOG_UEFI_IMAGE_SECURITY, "dbx", SPAN_EMPTY);
}

static void separate(struct buf *log, uint32_t pcr, uint32_t type, uint32_t v)
{
    uint8_t le[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
            (uint8_t)(v >> 24)};

    fixture_event(log, pcr, type, SPAN_OF(le));
}

void fixture_boot(struct buf *log, const struct fixture_boot *b)
{
    struct buf v = BUF_INIT(4096);

    fixture_header(log, fixture_algs, FIXTURE_BANKS, SPAN_EMPTY);
    fixture_text(log, 0, EVENTLOG_EV_S_CRTM_VERSION, "1.0");
    if (b->hide)
        fixture_event_of(log, fixture_algs, FIXTURE_BANKS, 7, EVENTLOG_EV_IPL,
                span_str("SecureBoot=0, but who can see it"), span_str("x"));
    if (b->foreign)
        fixture_text(log, 7, 0x8401, "x");
    if (b->action)
        fixture_text(log, 7, EVENTLOG_EV_EFI_ACTION, b->action);
    if (!b->late)
        measure_policy(log, b);
    for (unsigned i = 0; i < b->n_separators; i++)
        separate(log, 7, b->separator_type, b->separator);
    if (b->late)
        measure_policy(log, b);
    for (uint32_t i = 0; i < 7; i++)
        separate(log, i, EVENTLOG_EV_SEPARATOR, 0);
    fixture_variable(
            &v, EVENTLOG_UEFI_IMAGE_SECURITY, "db", span_str("certificate"));
    fixture_event(log, 7, EVENTLOG_EV_EFI_VARIABLE_AUTHORITY, buf_span(&v));
    buf_fini(&v);
    fixture_text(
            log, 5, EVENTLOG_EV_EFI_ACTION, "Exit Boot Services Invocation");
}

size_t fixture_claims(const struct eventlog_pcrs *p, uint16_t alg,
        struct eventlog_claim ret[static FIXTURE_CLAIMS])
{
    const struct eventlog_bank *b = eventlog_bank(p, alg);

    assert_non_null(b);
    for (unsigned i = 0; i < TCG_PCRS; i++)
        ret[i] = (struct eventlog_claim){alg, i, SPAN(b->value[i], b->size)};
    return TCG_PCRS;
}

void fixture_view(struct span log, uint32_t proved, struct eventlog_view *ret)
{
    struct eventlog l;

    assert_int_equal(eventlog_open(log, &l, NULL), 0);
    eventlog_view_begin(&l, TCG_ALG_SHA256, proved, ret);
    assert_int_equal(eventlog_view_all(ret, NULL), 0);
}
