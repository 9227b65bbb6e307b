/* SPDX-License-Identifier: Apache-2.0 */
/* Structures of UEFI firmware; the first byte picks one. */
#include "eventlog.h"

#include <stdlib.h>

static void try_text(struct span data)
{
    char text[64];

    eventlog_uefi_format_path(data, text, sizeof(text));
    for (const char *p = text; *p; p++) {
        if (*p < 0x20 || *p > 0x7e)
            abort();
    }
    eventlog_uefi_format_utf16(data, text, sizeof(text));
}

static void try_variable(struct span data)
{
    struct eventlog_uefi_variable v;
    struct eventlog_uefi_load_option o;

    if (eventlog_uefi_variable(data, &v) != 0)
        return;
    if (32 + v.name.len + v.value.len + v.n_trailing != data.len)
        abort();
    if (eventlog_uefi_load_option(v.value, &o) == 0)
        try_text(o.path);
}

static void try_gpt(struct span data)
{
    struct eventlog_uefi_gpt g;
    struct eventlog_uefi_partition p;

    if (eventlog_uefi_gpt(data, &g) != 0)
        return;
    for (uint64_t i = 0; i < g.n; i++) {
        if (!eventlog_uefi_partition(&g, i, &p) || p.name.len > 72)
            abort();
    }
}

static void try_others(struct span data)
{
    struct eventlog_uefi_image i;
    struct eventlog_uefi_blob b;
    struct eventlog_uefi_device d;

    if (eventlog_uefi_image(data, &i) == 0)
        try_text(i.path);
    (void)!eventlog_uefi_blob(EVENTLOG_EV_EFI_FIRMWARE_BLOB, data, &b);
    (void)!eventlog_uefi_blob(EVENTLOG_EV_EFI_FIRMWARE_BLOB2, data, &b);
    if (eventlog_uefi_device(data, &d) == 0)
        try_text(d.path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct span) = {
            try_text, try_variable, try_gpt, try_others};

    if (size > 0)
        tries[data[0] % ARRAY_LEN(tries)](SPAN(data + 1, size - 1));
    return 0;
}
