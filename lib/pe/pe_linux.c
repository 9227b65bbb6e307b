/* SPDX-License-Identifier: Apache-2.0 */
/* The setup header (Linux Documentation/arch/x86/boot.rst). */
#include "pe.h"

#define VERSION_MAX 255 /* one line, with the builder's name and date */

static bool get_number(struct span *text, unsigned *ret)
{
    unsigned v = 0;
    size_t i = 0;

    for (; i < text->len && text->ptr[i] >= '0' && text->ptr[i] <= '9'; i++) {
        if (v > 9999)
            return false;
        v = v * 10 + (unsigned)(text->ptr[i] - '0');
    }
    if (i == 0)
        return false;
    *text = SPAN(text->ptr + i, text->len - i);
    *ret = v;
    return true;
}

/* "6.1.0-56-cloud-amd64 ..." */
static bool get_version(struct span kernel, size_t at, struct pe_linux *l)
{
    size_t len = 0;
    struct span rest;

    while (len < VERSION_MAX && at + len < kernel.len && kernel.ptr[at + len])
        len++;
    if (at + len >= kernel.len || kernel.ptr[at + len] != 0)
        return false;
    l->version = SPAN(kernel.ptr + at, len);
    for (size_t i = 0; i < len; i++) {
        if (l->version.ptr[i] < 0x20 || l->version.ptr[i] > 0x7e)
            return false;
    }
    rest = l->version;
    if (!get_number(&rest, &l->major) || rest.len == 0 || rest.ptr[0] != '.')
        return false;
    rest = SPAN(rest.ptr + 1, rest.len - 1);
    return get_number(&rest, &l->minor);
}

int pe_linux(struct span kernel, struct pe_linux *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(kernel);
    struct pe_linux l = {.protocol = 0};
    struct span before;
    uint8_t setup_sectors;
    uint16_t boot_flag, version_at;
    uint32_t header;

    if (!wire_get_span(&r, 0x1f1, &before) ||
            !wire_get_u8(&r, &setup_sectors) ||
            !wire_get_span(&r, 0x1fe - 0x1f2, &before) ||
            !wire_get_u16le(&r, &boot_flag) || boot_flag != 0xaa55 ||
            !wire_get_span(&r, 2, &before) || !wire_get_u32le(&r, &header) ||
            header != 0x53726448 || !wire_get_u16le(&r, &l.protocol) ||
            !wire_get_span(&r, 0x20e - 0x208, &before) ||
            !wire_get_u16le(&r, &version_at))
        return err_set(err, ERR_SYNTAX, "not a Linux kernel (bzImage)");
    if (l.protocol < 0x0200 || l.protocol > 0x020f)
        return err_set(err, ERR_UNSUPPORTED, "boot protocol %u.%u",
                l.protocol >> 8, l.protocol & 0xff);
    /* The text lies in the setup code, which the sector count bounds. */
    if (version_at == 0 || version_at >= (setup_sectors + 1u) * 512 ||
            !get_version(kernel, 0x200u + version_at, &l))
        return err_set(err, ERR_SYNTAX, "kernel names no version");
    *ret = l;
    return 0;
}
