/* SPDX-License-Identifier: Apache-2.0 */
/* What one event says, before it is known whether it is proved. */
#include "eventlog_private.h"

/* ---- texts ----------------------------------------------------------- */

/* GRUB 2.02 to 2.12 and the kernel loaders of distributions. */
static const struct {
    const char *prefix;
    enum eventlog_kind kind;
} prefixes[] = {
        {"grub_cmd: ", EVENTLOG_COMMAND},
        {"grub_cmd ", EVENTLOG_COMMAND},
        {"kernel_cmdline: ", EVENTLOG_CMDLINE},
        {"grub_kernel_cmdline ", EVENTLOG_CMDLINE},
        {"module_cmdline: ", EVENTLOG_CMDLINE},
};

static bool starts_with(struct span s, const char *prefix, struct span *ret)
{
    size_t n = strlen(prefix);

    if (s.len < n || memcmp(s.ptr, prefix, n) != 0)
        return false;
    *ret = SPAN(s.ptr + n, s.len - n);
    return true;
}

static bool has_prefix(const struct eventlog_event *e, struct span *ret_text,
        enum eventlog_kind *ret_kind)
{
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (starts_with(e->data, prefixes[i].prefix, ret_text)) {
            *ret_kind = prefixes[i].kind;
            return true;
        }
    }
    return false;
}

/* The text itself, or with the NUL that ends it in the log. */
static bool is_text(
        const struct eventlog_event *e, struct span text, struct span *ret)
{
    struct span without = text;

    if (text.len > 0 && text.ptr[text.len - 1] == 0)
        without.len--;
    if (!eventlog_data_is(e, without) &&
            (without.len == text.len || !eventlog_data_is(e, text)))
        return false;
    *ret = without;
    return true;
}

bool eventlog_view_text(const struct eventlog_event *e, struct span *ret)
{
    enum eventlog_kind kind;
    struct span text;
    size_t n = e->data.len;

    if (e->type != EVENTLOG_EV_IPL)
        return false;
    if (has_prefix(e, &text, &kind))
        return is_text(e, text, ret);
    /* systemd-boot's command line: UTF-16 without its NUL. */
    if (n < 2 || n % 2 != 0 || e->data.ptr[n - 1] || e->data.ptr[n - 2] ||
            !eventlog_data_is(e, SPAN(e->data.ptr, n - 2)))
        return false;
    *ret = SPAN(e->data.ptr, n - 2);
    return true;
}

/* ---- tags ------------------------------------------------------------ */

static const struct {
    uint32_t tag;
    const char *name;
} tags[] = {
        {0x8f3b22ec, "Linux initrd"},
        {0x8f3b22ed, "Linux load options"},
        {0x6c46f751, "device tree of an add-on"},
        {0x49dffe0f, "initrd of an add-on"},
        {0xdac08e1a, "microcode of an add-on"},
        {0xf5bc582a, "loader.conf"},
        {0xd5cb7cbc, "SMBIOS type 1"},
        {0xe0d47bc8, "SMBIOS type 2"},
        {0xc0b3bd23, "SMBIOS type 11"},
        {EVENTLOG_TAG_QAIR, "qair zone"},
};

const char *eventlog_view_tag_name(uint32_t tag)
{
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (tags[i].tag == tag)
            return tags[i].name;
    }
    return NULL;
}

/* TCG_PCClientTaggedEvent: several may follow; the first one names it. */
static void take_tag(const struct eventlog_event *e, struct eventlog_fact *f)
{
    struct wire_reader r = wire_reader_of(e->data);
    uint32_t tag;
    struct span value;

    if (!wire_get_u32le(&r, &tag) || !wire_get_vec32le(&r, &value))
        return;
    f->kind = tag == EVENTLOG_TAG_QAIR ? EVENTLOG_ZONE : EVENTLOG_TAGGED;
    f->tag = tag;
    f->value = value;
    f->name = value;
}

/* ---- EV_IPL ---------------------------------------------------------- */

/* PCRs of systemd-stub and systemd-boot (UAPI.7). */
#define PCR_SECTIONS 11
#define PCR_CMDLINE  12
#define PCR_SYSEXT   13
#define PCR_MOK      14

static const char *const mok_names[] = {"MokList", "MokListX", "MokSBState",
        "MokDBState", "MokIgnoreDB", "MokListTrusted", "MokPWStore",
        "SbatLevel"};

static bool is_mok(struct span data)
{
    if (data.len > 0 && data.ptr[data.len - 1] == 0)
        data.len--;
    for (size_t i = 0; i < ARRAY_LEN(mok_names); i++) {
        if (span_eq_str(data, mok_names[i]))
            return true;
    }
    return false;
}

/* ".linux" in UTF-16, with or without NUL. */
static bool is_section(struct span data)
{
    if (data.len < 4 || data.len > 2 * 9 || data.len % 2 != 0 ||
            data.ptr[0] != '.' || data.ptr[1] != 0)
        return false;
    for (size_t i = 2; i < data.len; i += 2) {
        if (data.ptr[i + 1] != 0 || (data.ptr[i] == 0 && i + 2 != data.len))
            return false;
    }
    return true;
}

/* systemd-stub first measures the name, in ASCII with its NUL. */
static bool measures_name(const struct eventlog_event *e)
{
    uint8_t name[10] = {0};
    size_t n = 0;

    for (size_t i = 0; i < e->data.len && e->data.ptr[i] != 0; i += 2)
        name[n++] = e->data.ptr[i];
    return eventlog_data_is(e, SPAN(name, n + 1));
}

static bool is_utf16(struct span s)
{
    if (s.len < 4 || s.len % 2 != 0)
        return false;
    for (size_t i = 1; i < s.len; i += 2) {
        if (s.ptr[i] == 0)
            return true;
    }
    return false;
}

static void take_ipl(const struct eventlog_event *e, struct eventlog_fact *f)
{
    struct span text;

    f->name = e->data;
    if (has_prefix(e, &text, &f->kind)) {
        f->value = text;
        if (f->value.len > 0 && f->value.ptr[f->value.len - 1] == 0)
            f->value.len--;
    } else if (is_mok(e->data)) {
        f->kind = EVENTLOG_MOK;
    } else if (e->pcr == PCR_SECTIONS && is_section(e->data)) {
        f->kind = measures_name(e) ? EVENTLOG_SECTION_NAME : EVENTLOG_SECTION;
    } else if ((e->pcr == PCR_CMDLINE || e->pcr == 8) && is_utf16(e->data)) {
        f->kind = EVENTLOG_CMDLINE;
        f->value = e->data;
    } else if (e->data.len > 0 &&
               (e->data.ptr[0] == '/' || e->data.ptr[0] == '(')) {
        f->kind = EVENTLOG_FILE;
    }
}

/* ---- the others ------------------------------------------------------ */

static void take_variable(
        const struct eventlog_event *e, struct eventlog_fact *f)
{
    struct eventlog_uefi_variable v;

    if (eventlog_uefi_variable(e->data, &v) != 0)
        return;
    f->name = v.name;
    f->value = v.value;
    if (e->type == EVENTLOG_EV_EFI_VARIABLE_AUTHORITY ||
            e->type == EVENTLOG_EV_EFI_SPDM_DEVICE_AUTHORITY)
        f->kind = EVENTLOG_AUTHORITY;
    else if (eventlog_uefi_is(&v, EVENTLOG_UEFI_GLOBAL, "BootOrder"))
        f->kind = EVENTLOG_BOOT_ORDER;
    else if (e->type == EVENTLOG_EV_EFI_VARIABLE_BOOT ||
             e->type == EVENTLOG_EV_EFI_VARIABLE_BOOT2)
        f->kind = EVENTLOG_BOOT_OPTION;
    else
        f->kind = EVENTLOG_VARIABLE;
}

static void take_image(const struct eventlog_event *e, struct eventlog_fact *f)
{
    struct eventlog_uefi_image i;

    f->kind = e->type == EVENTLOG_EV_EFI_BOOT_SERVICES_APP
                      ? EVENTLOG_APPLICATION
              : e->pcr == 2 ? EVENTLOG_OPTION_ROM
                            : EVENTLOG_DRIVER;
    if (eventlog_uefi_image(e->data, &i) == 0)
        f->name = i.path;
}

static void take_value(const struct eventlog_event *e, struct eventlog_fact *f)
{
    f->value = e->data;
}

static void take_name(const struct eventlog_event *e, struct eventlog_fact *f)
{
    f->name = e->data;
}

static const struct {
    uint32_t first, last;
    enum eventlog_kind kind; /* unless take says otherwise */
    void (*take)(const struct eventlog_event *e, struct eventlog_fact *f);
} kinds[] = {
        {0x1, 0x1, EVENTLOG_FIRMWARE, take_name},
        {0x3, 0x3, EVENTLOG_NO_ACTION, take_name},
        {0x4, 0x4, EVENTLOG_SEPARATOR, take_value},
        {0x5, 0x5, EVENTLOG_ACTION, take_value},
        {0x6, 0x6, EVENTLOG_UNAPPRAISED, take_tag},
        {0x7, 0x7, EVENTLOG_CRTM, take_name},
        {0x8, 0x8, EVENTLOG_CRTM, take_value},
        {0x9, 0x9, EVENTLOG_FIRMWARE, take_name},
        {0xa, 0xb, EVENTLOG_CONFIG, take_name},
        {0xd, 0xd, EVENTLOG_UNAPPRAISED, take_ipl},
        {0x10, 0x11, EVENTLOG_CONFIG, take_name},
        {0x13, 0x13, EVENTLOG_FIRMWARE, take_name},
        {0x401, 0x4ff, EVENTLOG_LAUNCH, take_name},
        {0x502, 0x504, EVENTLOG_LAUNCH, take_name},
        {0x80000001, 0x80000002, EVENTLOG_UNAPPRAISED, take_variable},
        {0x80000003, 0x80000005, EVENTLOG_UNAPPRAISED, take_image},
        {0x80000006, 0x80000006, EVENTLOG_PARTITIONS, take_value},
        {0x80000007, 0x80000007, EVENTLOG_ACTION, take_value},
        {0x80000008, 0x80000008, EVENTLOG_FIRMWARE, take_name},
        {0x80000009, 0x80000009, EVENTLOG_CONFIG, take_name},
        {0x8000000a, 0x8000000a, EVENTLOG_FIRMWARE, take_name},
        {0x8000000b, 0x8000000b, EVENTLOG_CONFIG, take_name},
        {0x8000000c, 0x8000000c, EVENTLOG_UNAPPRAISED, take_variable},
        {0x8000000d, 0x8000000d, EVENTLOG_PARTITIONS, take_value},
        {0x80000010, 0x80000010, EVENTLOG_CRTM, take_name},
        {0x800000e0, 0x800000e0, EVENTLOG_UNAPPRAISED, take_variable},
        {0x800000e1, 0x800000e2, EVENTLOG_DEVICE, take_value},
        {0x800000e3, 0x800000e4, EVENTLOG_UNAPPRAISED, take_variable},
};

void eventlog_fact_of(const struct eventlog_event *e, struct eventlog_fact *f)
{
    f->event = e->index;
    f->pcr = e->pcr;
    f->type = e->type;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (e->type >= kinds[i].first && e->type <= kinds[i].last) {
            f->kind = kinds[i].kind;
            kinds[i].take(e, f);
            return;
        }
    }
}
