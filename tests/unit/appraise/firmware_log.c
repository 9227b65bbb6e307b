/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware_log.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void put(struct buf *b, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_append_u8(b, (uint8_t)(v >> (8 * i)));
}

/* TCG_PCR_EVENT with TCG_EfiSpecIDEvent: one bank, SHA-256. */
void firmware_log_init(struct firmware_log *l)
{
    static const uint8_t zero[20];

    *l = (struct firmware_log){.bytes = BUF_INIT(1u << 20)};
    put(&l->bytes, 0, 4);
    put(&l->bytes, EVENTLOG_EV_NO_ACTION, 4);
    buf_append(&l->bytes, SPAN_OF(zero));
    put(&l->bytes, 16 + 4 + 4 + 4 + 4 + 1, 4);
    buf_append(&l->bytes, SPAN("Spec ID Event03", 16));
    put(&l->bytes, 0, 4);
    put(&l->bytes, 0x02000200, 4);
    put(&l->bytes, 1, 4);
    put(&l->bytes, TCG_ALG_SHA256, 2);
    put(&l->bytes, CRYPTO_SHA256_SIZE, 2);
    put(&l->bytes, 0, 1);
}

void firmware_log_fini(struct firmware_log *l)
{
    buf_fini(&l->bytes);
}

static void extend(struct firmware_log *l, unsigned pcr, const uint8_t *digest)
{
    crypto_sha256_two(SPAN_OF(l->pcr[pcr]), SPAN(digest, CRYPTO_SHA256_SIZE),
            l->pcr[pcr]);
}

void firmware_log_add(struct firmware_log *l, unsigned pcr, uint32_t type,
        struct span hashed, struct span data)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];

    crypto_sha256(hashed, digest);
    extend(l, pcr, digest);
    put(&l->bytes, pcr, 4);
    put(&l->bytes, type, 4);
    put(&l->bytes, 1, 4);
    put(&l->bytes, TCG_ALG_SHA256, 2);
    buf_append(&l->bytes, SPAN_OF(digest));
    put(&l->bytes, data.len, 4);
    buf_append(&l->bytes, data);
    assert_int_equal(buf_ok(&l->bytes, NULL), 0);
}

void firmware_log_text(
        struct firmware_log *l, unsigned pcr, uint32_t type, const char *text)
{
    firmware_log_add(l, pcr, type, span_str(text), span_str(text));
}

void firmware_log_variable(struct firmware_log *l, uint32_t type, int vendor,
        const char *name, struct span value)
{
    static const uint8_t guid[2][16] = {
            {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00,
                    0xe0, 0x98, 0x03, 0x2b, 0x8c},
            {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda,
                    0xd0, 0x0e, 0x67, 0x65, 0x6f}};
    struct buf data = BUF_INIT(65536);

    buf_append(&data, SPAN_OF(guid[vendor]));
    put(&data, strlen(name), 8);
    put(&data, value.len, 8);
    for (; *name; name++)
        put(&data, (uint64_t)*name, 2);
    buf_append(&data, value);
    firmware_log_add(l, 7, type, buf_span(&data), buf_span(&data));
    buf_fini(&data);
}

void firmware_log_tag(struct firmware_log *l, unsigned pcr, uint32_t tag,
        struct span hashed, struct span value)
{
    struct buf data = BUF_INIT(65536);

    put(&data, tag, 4);
    put(&data, value.len, 4);
    buf_append(&data, value);
    firmware_log_add(l, pcr, EVENTLOG_EV_EVENT_TAG, hashed, buf_span(&data));
    buf_fini(&data);
}

void firmware_log_separators(struct firmware_log *l)
{
    static const uint8_t zero[4];

    for (unsigned pcr = 0; pcr < 8; pcr++)
        firmware_log_add(
                l, pcr, EVENTLOG_EV_SEPARATOR, SPAN_OF(zero), SPAN_OF(zero));
}

static void wide(struct buf *ret, const char *s)
{
    for (;; s++) {
        put(ret, (uint64_t)*s, 2);
        if (!*s)
            return;
    }
}

void firmware_log_boot(struct firmware_log *l)
{
    struct buf cmdline = BUF_INIT(1024);

    firmware_log_text(l, 0, EVENTLOG_EV_S_CRTM_VERSION, "v1");
    firmware_log_add(l, 0, EVENTLOG_EV_EFI_FIRMWARE_BLOB, span_str("volume"),
            span_str("0123456789abcdef"));
    firmware_log_variable(l, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, 0,
            "SecureBoot", SPAN("\1", 1));
    firmware_log_variable(l, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, 0, "PK",
            span_str("the pk"));
    firmware_log_variable(l, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, 0, "KEK",
            span_str("the kek"));
    firmware_log_variable(l, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, 1, "db",
            span_str("the db"));
    firmware_log_variable(l, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, 1, "dbx",
            span_str("the dbx"));
    firmware_log_add(l, 2, EVENTLOG_EV_EFI_BOOT_SERVICES_DRIVER,
            span_str("rom"), span_str("path"));
    firmware_log_text(l, 4, EVENTLOG_EV_EFI_ACTION,
            "Calling EFI Application from Boot Option");
    firmware_log_separators(l);
    firmware_log_variable(
            l, EVENTLOG_EV_EFI_VARIABLE_AUTHORITY, 1, "db", span_str("entry"));
    firmware_log_add(l, 4, EVENTLOG_EV_EFI_BOOT_SERVICES_APP,
            span_str("loader"), span_str("path"));
    firmware_log_add(l, 4, EVENTLOG_EV_EFI_BOOT_SERVICES_APP,
            span_str("kernel"), span_str("path"));
    wide(&cmdline, "ro quiet");
    firmware_log_tag(l, 9, 0x8f3b22ed, buf_span(&cmdline), buf_span(&cmdline));
    firmware_log_tag(
            l, 9, 0x8f3b22ec, span_str("initrd"), span_str("Linux initrd"));
    buf_fini(&cmdline);
}

void firmware_log_silent(struct firmware_log *l, unsigned pcr, const char *s)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];

    crypto_sha256(span_str(s), digest);
    extend(l, pcr, digest);
}

void firmware_log_give(struct firmware_log *l, struct machine *m)
{
    m->also = 0x3fff;
    memcpy(m->other, l->pcr, sizeof(m->other));
    m->part[EVIDENCE_FIRMWARE] = buf_span(&l->bytes);
}
