/* SPDX-License-Identifier: Apache-2.0 */
/* Facts as text for a person. */
#include "eventlog_private.h"

#include <stdio.h>

#define HEX_MAX 32 /* bytes of a value that are shown */

static const char *const kind_names[] = {
        [EVENTLOG_UNAPPRAISED] = "unappraised",
        [EVENTLOG_NO_ACTION] = "no action",
        [EVENTLOG_SEPARATOR] = "separator",
        [EVENTLOG_CRTM] = "CRTM",
        [EVENTLOG_FIRMWARE] = "firmware",
        [EVENTLOG_CONFIG] = "configuration",
        [EVENTLOG_VARIABLE] = "variable",
        [EVENTLOG_AUTHORITY] = "authority",
        [EVENTLOG_BOOT_ORDER] = "boot order",
        [EVENTLOG_BOOT_OPTION] = "boot option",
        [EVENTLOG_APPLICATION] = "application",
        [EVENTLOG_DRIVER] = "driver",
        [EVENTLOG_OPTION_ROM] = "option ROM",
        [EVENTLOG_PARTITIONS] = "partitions",
        [EVENTLOG_ACTION] = "action",
        [EVENTLOG_COMMAND] = "command",
        [EVENTLOG_CMDLINE] = "command line",
        [EVENTLOG_FILE] = "file",
        [EVENTLOG_MOK] = "MOK",
        [EVENTLOG_SECTION] = "section",
        [EVENTLOG_SECTION_NAME] = "section name",
        [EVENTLOG_TAGGED] = "tag",
        [EVENTLOG_DEVICE] = "device",
        [EVENTLOG_LAUNCH] = "launch",
        [EVENTLOG_ZONE] = "zone",
};

const char *eventlog_kind_name(enum eventlog_kind kind)
{
    return kind_names[kind];
}

static void format_hex(struct span s, char *ret)
{
    text_format_hex(SPAN(s.ptr, s.len < HEX_MAX ? s.len : HEX_MAX), ret);
    if (s.len > HEX_MAX)
        (void)snprintf(ret + 2 * HEX_MAX, 32, "... (%zu bytes)", s.len);
}
#define HEX_TEXT (2 * HEX_MAX + 32)

static void put_variable(const struct eventlog_fact *f, char *ret)
{
    char name[128], value[HEX_TEXT];

    eventlog_uefi_format_utf16(f->name, name, sizeof(name));
    format_hex(f->value, value);
    (void)snprintf(ret, EVENTLOG_FACT_TEXT, "%s = %s", name, value);
}

static void put_option(const struct eventlog_fact *f, char *ret)
{
    struct eventlog_uefi_load_option o;
    char name[64], title[96], path[256];

    if (eventlog_uefi_load_option(f->value, &o) != 0) {
        put_variable(f, ret);
        return;
    }
    eventlog_uefi_format_utf16(f->name, name, sizeof(name));
    eventlog_uefi_format_utf16(o.name, title, sizeof(title));
    eventlog_uefi_format_path(o.path, path, sizeof(path));
    (void)snprintf(ret, EVENTLOG_FACT_TEXT, "%s: %s: %s%s", name, title, path,
            o.attributes & 1 ? "" : " (not active)");
}

static void put_order(const struct eventlog_fact *f, char *ret)
{
    struct wire_reader r = wire_reader_of(f->value);
    size_t at = 0;
    uint16_t n;

    (void)snprintf(ret, EVENTLOG_FACT_TEXT, "nothing");
    while (wire_get_u16le(&r, &n) && at + 6 < EVENTLOG_FACT_TEXT) {
        (void)snprintf(
                ret + at, EVENTLOG_FACT_TEXT - at, "%s%04x", at ? "," : "", n);
        at += at ? 5 : 4;
    }
}

static void put_path(const struct eventlog_fact *f, char *ret)
{
    eventlog_uefi_format_path(f->name, ret, EVENTLOG_FACT_TEXT);
}

static void put_partitions(const struct eventlog_fact *f, char *ret)
{
    struct eventlog_uefi_gpt g;
    char guid[EVENTLOG_GUID_TEXT];

    (void)snprintf(ret, EVENTLOG_FACT_TEXT, "malformed");
    if (eventlog_uefi_gpt(f->value, &g) != 0)
        return;
    eventlog_uefi_format_guid(g.disk_guid, guid);
    (void)snprintf(ret, EVENTLOG_FACT_TEXT, "disk %s with %llu partitions",
            guid, (unsigned long long)g.n);
}

static void put_blob(const struct eventlog_fact *f, char *ret)
{
    struct eventlog_uefi_blob b;
    char name[96];

    if (eventlog_uefi_blob(f->type, f->name, &b) != 0) {
        text_format_safe(f->name, ret, EVENTLOG_FACT_TEXT);
        return;
    }
    text_format_safe(b.name, name, sizeof(name));
    (void)snprintf(ret, EVENTLOG_FACT_TEXT, "%s%s%llu bytes at 0x%llx", name,
            b.name.len ? ": " : "", (unsigned long long)b.length,
            (unsigned long long)b.base);
}

static void put_device(const struct eventlog_fact *f, char *ret)
{
    static const char *const auth[] = {"authenticated", "not authenticated",
            "authenticated, not bound", "no signature", "signature invalid"};
    struct eventlog_uefi_device d;
    char path[256];

    (void)snprintf(ret, EVENTLOG_FACT_TEXT, "malformed");
    if (eventlog_uefi_device(f->value, &d) != 0)
        return;
    eventlog_uefi_format_path(d.path, path, sizeof(path));
    (void)snprintf(ret, EVENTLOG_FACT_TEXT, "%s: %s: %s", path,
            d.auth < ARRAY_LEN(auth) ? auth[d.auth] : "no SPDM",
            d.is_chain ? "certificate chain" : "measurements");
}

static void put_tag(const struct eventlog_fact *f, char *ret)
{
    const char *known = eventlog_view_tag_name(f->tag);
    char value[256];

    text_format_safe(f->value, value, sizeof(value));
    (void)snprintf(ret, EVENTLOG_FACT_TEXT, "0x%08x%s%s: %s", f->tag,
            known ? " " : "", known ? known : "", value);
}

static void put_utf16_name(const struct eventlog_fact *f, char *ret)
{
    eventlog_uefi_format_utf16(f->name, ret, EVENTLOG_FACT_TEXT);
}

static void put_cmdline(const struct eventlog_fact *f, char *ret)
{
    if (f->value.len > 1 && f->value.ptr[1] == 0)
        eventlog_uefi_format_utf16(f->value, ret, EVENTLOG_FACT_TEXT);
    else
        text_format_safe(f->value, ret, EVENTLOG_FACT_TEXT);
}

static void put_hex(const struct eventlog_fact *f, char *ret)
{
    char value[HEX_TEXT];

    format_hex(f->value, value);
    (void)snprintf(ret, EVENTLOG_FACT_TEXT, "%s", value);
}

static void put_text(const struct eventlog_fact *f, char *ret)
{
    struct span s = f->value.len ? f->value : f->name;

    if (s.len > 0 && s.ptr[s.len - 1] == 0)
        s.len--;
    text_format_safe(s, ret, EVENTLOG_FACT_TEXT);
}

/* The version is UTF-16 or a GUID, as the firmware likes. */
static void put_crtm(const struct eventlog_fact *f, char *ret)
{
    if (f->value.len == EVENTLOG_GUID_SIZE && f->value.ptr[1] != 0)
        put_hex(f, ret);
    else if (f->value.len > 1 && f->value.ptr[1] == 0)
        eventlog_uefi_format_utf16(f->value, ret, EVENTLOG_FACT_TEXT);
    else
        put_text(f, ret);
}

static void (*const puts_of[])(const struct eventlog_fact *, char *) = {
        [EVENTLOG_UNAPPRAISED] = put_text,
        [EVENTLOG_NO_ACTION] = put_text,
        [EVENTLOG_SEPARATOR] = put_hex,
        [EVENTLOG_CRTM] = put_crtm,
        [EVENTLOG_FIRMWARE] = put_blob,
        [EVENTLOG_CONFIG] = put_text,
        [EVENTLOG_VARIABLE] = put_variable,
        [EVENTLOG_AUTHORITY] = put_variable,
        [EVENTLOG_BOOT_ORDER] = put_order,
        [EVENTLOG_BOOT_OPTION] = put_option,
        [EVENTLOG_APPLICATION] = put_path,
        [EVENTLOG_DRIVER] = put_path,
        [EVENTLOG_OPTION_ROM] = put_path,
        [EVENTLOG_PARTITIONS] = put_partitions,
        [EVENTLOG_ACTION] = put_text,
        [EVENTLOG_COMMAND] = put_text,
        [EVENTLOG_CMDLINE] = put_cmdline,
        [EVENTLOG_FILE] = put_text,
        [EVENTLOG_MOK] = put_text,
        [EVENTLOG_SECTION] = put_utf16_name,
        [EVENTLOG_SECTION_NAME] = put_utf16_name,
        [EVENTLOG_TAGGED] = put_tag,
        [EVENTLOG_DEVICE] = put_device,
        [EVENTLOG_LAUNCH] = put_text,
        [EVENTLOG_ZONE] = put_text,
};

void eventlog_view_format(
        const struct eventlog_fact *f, char ret[static EVENTLOG_FACT_TEXT])
{
    puts_of[f->kind](f, ret);
}
