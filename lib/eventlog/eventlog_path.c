/* SPDX-License-Identifier: Apache-2.0 */
/* Device paths and UTF-16 as text (UEFI 2.10, 10.6): labels for a person. */
#include "eventlog_private.h"

#include <stdarg.h>
#include <stdio.h>

struct text {
    char *ptr;
    size_t cap; /* at least 1 */
    size_t len;
};

static void PRINTF_LIKE(2, 3) put(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (t->len + 1 >= t->cap)
        return;
    va_start(ap, fmt);
    n = vsnprintf(t->ptr + t->len, t->cap - t->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->len += (size_t)n;
    if (t->len >= t->cap)
        t->len = t->cap - 1;
}

static void put_utf16(struct text *t, struct span s)
{
    for (size_t i = 0; i + 1 < s.len; i += 2) {
        unsigned c = s.ptr[i] | (unsigned)s.ptr[i + 1] << 8;

        if (c == 0)
            return;
        put(t, "%c", c >= 0x20 && c < 0x7f ? (char)c : '?');
    }
}

void eventlog_uefi_format_utf16(struct span text, char *ret, size_t cap)
{
    struct text t = {.ptr = ret, .cap = cap};

    if (cap == 0)
        return;
    ret[0] = '\0';
    put_utf16(&t, text);
}

/* ---- nodes ----------------------------------------------------------- */

/* Each returns false when the node is not as long as it must be. */
static bool put_pci(struct text *t, struct wire_reader *r)
{
    uint8_t function, device;

    if (!wire_get_u8(r, &function) || !wire_get_u8(r, &device) || !wire_end(r))
        return false;
    put(t, "Pci(0x%x,0x%x)", device, function);
    return true;
}

#define ACPI_PCI_ROOT  0x0a0341d0u
#define ACPI_PCIE_ROOT 0x0a0841d0u
static bool put_acpi(struct text *t, struct wire_reader *r)
{
    uint32_t hid, uid;

    if (!wire_get_u32le(r, &hid) || !wire_get_u32le(r, &uid) || !wire_end(r))
        return false;
    if (hid == ACPI_PCI_ROOT || hid == ACPI_PCIE_ROOT)
        put(t, "PciRoot(0x%x)", uid);
    else
        put(t, "Acpi(0x%x,0x%x)", hid, uid);
    return true;
}

static bool put_sata(struct text *t, struct wire_reader *r)
{
    uint16_t port, multiplier, lun;

    if (!wire_get_u16le(r, &port) || !wire_get_u16le(r, &multiplier) ||
            !wire_get_u16le(r, &lun) || !wire_end(r))
        return false;
    put(t, "Sata(0x%x,0x%x,0x%x)", port, multiplier, lun);
    return true;
}

static bool put_scsi(struct text *t, struct wire_reader *r)
{
    uint16_t target, lun;

    if (!wire_get_u16le(r, &target) || !wire_get_u16le(r, &lun) || !wire_end(r))
        return false;
    put(t, "Scsi(0x%x,0x%x)", target, lun);
    return true;
}

static bool put_usb(struct text *t, struct wire_reader *r)
{
    uint8_t port, interface;

    if (!wire_get_u8(r, &port) || !wire_get_u8(r, &interface) || !wire_end(r))
        return false;
    put(t, "USB(0x%x,0x%x)", port, interface);
    return true;
}

static bool put_nvme(struct text *t, struct wire_reader *r)
{
    uint32_t name_space;
    uint64_t eui;

    if (!wire_get_u32le(r, &name_space) || !wire_get_u64le(r, &eui) ||
            !wire_end(r))
        return false;
    put(t, "NVMe(0x%x,%016llx)", name_space, (unsigned long long)eui);
    return true;
}

static bool put_mac(struct text *t, struct wire_reader *r)
{
    struct span a, rest;
    uint8_t type;

    if (!wire_get_span(r, 6, &a) || !wire_get_span(r, 26, &rest) ||
            !wire_get_u8(r, &type) || !wire_end(r))
        return false;
    put(t, "MAC(%02x%02x%02x%02x%02x%02x,0x%x)", a.ptr[0], a.ptr[1], a.ptr[2],
            a.ptr[3], a.ptr[4], a.ptr[5], type);
    return true;
}

static bool put_uri(struct text *t, struct wire_reader *r)
{
    char uri[256];

    text_format_safe(SPAN(r->ptr, r->left), uri, sizeof(uri));
    put(t, "Uri(%s)", uri);
    return true;
}

#define HD_GPT 2
static bool put_hard_drive(struct text *t, struct wire_reader *r)
{
    char guid[EVENTLOG_GUID_TEXT];
    uint32_t number;
    uint64_t start, size;
    struct span signature;
    uint8_t format, type;

    if (!wire_get_u32le(r, &number) || !wire_get_u64le(r, &start) ||
            !wire_get_u64le(r, &size) || !wire_get_span(r, 16, &signature) ||
            !wire_get_u8(r, &format) || !wire_get_u8(r, &type) || !wire_end(r))
        return false;
    eventlog_uefi_format_guid(signature.ptr, guid);
    if (type == HD_GPT)
        put(t, "HD(%u,GPT,%s)", number, guid);
    else
        put(t, "HD(%u,MBR,0x%.2s%.2s%.2s%.2s)", number, guid, guid + 2,
                guid + 4, guid + 6);
    return true;
}

static bool put_file(struct text *t, struct wire_reader *r)
{
    put_utf16(t, SPAN(r->ptr, r->left));
    return true;
}

static bool put_named_guid(
        struct text *t, struct wire_reader *r, const char *name)
{
    char guid[EVENTLOG_GUID_TEXT];
    struct span s;

    if (!wire_get_span(r, EVENTLOG_GUID_SIZE, &s))
        return false;
    eventlog_uefi_format_guid(s.ptr, guid);
    put(t, "%s(%s)", name, guid);
    return true;
}

static bool put_vendor(struct text *t, struct wire_reader *r)
{
    return put_named_guid(t, r, "Vendor");
}

static bool put_fv(struct text *t, struct wire_reader *r)
{
    return put_named_guid(t, r, "Fv");
}

static bool put_fv_file(struct text *t, struct wire_reader *r)
{
    return put_named_guid(t, r, "FvFile");
}

static bool put_memory(struct text *t, struct wire_reader *r)
{
    uint32_t type;
    uint64_t start, end;

    if (!wire_get_u32le(r, &type) || !wire_get_u64le(r, &start) ||
            !wire_get_u64le(r, &end) || !wire_end(r))
        return false;
    put(t, "MemoryMapped(0x%x,0x%llx,0x%llx)", type, (unsigned long long)start,
            (unsigned long long)end);
    return true;
}

static bool put_offset(struct text *t, struct wire_reader *r)
{
    uint32_t reserved;
    uint64_t start, end;

    if (!wire_get_u32le(r, &reserved) || !wire_get_u64le(r, &start) ||
            !wire_get_u64le(r, &end) || !wire_end(r))
        return false;
    put(t, "Offset(0x%llx,0x%llx)", (unsigned long long)start,
            (unsigned long long)end);
    return true;
}

#define END_TYPE 0x7f
#define END_ALL  0xff
static const struct {
    uint8_t type, sub_type;
    bool (*put)(struct text *t, struct wire_reader *r);
} nodes[] = {
        {1, 1, put_pci},
        {1, 3, put_memory},
        {1, 4, put_vendor},
        {2, 1, put_acpi},
        {3, 2, put_scsi},
        {3, 5, put_usb},
        {3, 10, put_vendor},
        {3, 11, put_mac},
        {3, 18, put_sata},
        {3, 23, put_nvme},
        {3, 24, put_uri},
        {4, 1, put_hard_drive},
        {4, 3, put_vendor},
        {4, 4, put_file},
        {4, 6, put_fv_file},
        {4, 7, put_fv},
        {4, 8, put_offset},
};

static void put_node(
        struct text *t, uint8_t type, uint8_t sub_type, struct span data)
{
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        struct wire_reader r = wire_reader_of(data);

        if (nodes[i].type == type && nodes[i].sub_type == sub_type &&
                nodes[i].put(t, &r))
            return;
    }
    put(t, "Path(%u,%u,%zu bytes)", type, sub_type, data.len);
}

void eventlog_uefi_format_path(struct span path, char *ret, size_t cap)
{
    struct wire_reader r = wire_reader_of(path);
    struct text t = {.ptr = ret, .cap = cap};
    uint8_t type, sub_type;
    uint16_t len;
    struct span data;
    bool first = true;

    if (cap == 0)
        return;
    ret[0] = '\0';
    while (wire_get_u8(&r, &type) && wire_get_u8(&r, &sub_type) &&
            wire_get_u16le(&r, &len) && len >= 4 &&
            wire_get_span(&r, len - 4u, &data)) {
        if (type == END_TYPE && sub_type == END_ALL)
            return;
        if (t.len + 1 >= t.cap)
            return; /* nothing more would be seen */
        put(&t, "%s", first ? "" : type == END_TYPE ? "," : "/");
        first = type == END_TYPE;
        if (type != END_TYPE)
            put_node(&t, type, sub_type, data);
    }
    put(&t, "%s...", first ? "" : "/");
}
