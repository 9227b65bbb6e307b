/* SPDX-License-Identifier: Apache-2.0 */
/* Structures of UEFI firmware in events (PFP 1.06, 10.2). */
#include "eventlog_private.h"

#include <stdio.h>

#define GPT_HEADER_SIZE 92
#define GPT_ENTRY_MIN   128
#define GPT_NAME_SIZE   72
#define SPDM_SIGNATURE  16

static const char *const vendors[] = {
        [EVENTLOG_UEFI_GLOBAL] = "8be4df61-93ca-11d2-aa0d-00e098032b8c",
        [EVENTLOG_UEFI_IMAGE_SECURITY] = "d719b2cb-3d3a-4596-a3bc-dad00e67656f",
        [EVENTLOG_UEFI_SHIM] = "605dab50-e046-4300-abb6-3dd810dd8b23",
};

void eventlog_uefi_format_guid(
        const uint8_t *g, char ret[static EVENTLOG_GUID_TEXT])
{
    (void)snprintf(ret, EVENTLOG_GUID_TEXT,
            "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
            "%02x%02x%02x%02x%02x%02x",
            g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10],
            g[11], g[12], g[13], g[14], g[15]);
}

/* A length of 64 bits that is to fit what is left. */
static bool get_span64(struct wire_reader *r, uint64_t len, struct span *ret)
{
    return len <= r->left && wire_get_span(r, (size_t)len, ret);
}

static bool get_guid(struct wire_reader *r, const uint8_t **ret)
{
    struct span s;

    if (!wire_get_span(r, EVENTLOG_GUID_SIZE, &s))
        return false;
    *ret = s.ptr;
    return true;
}

int eventlog_uefi_variable(struct span data, struct eventlog_uefi_variable *ret)
{
    struct wire_reader r = wire_reader_of(data);
    struct eventlog_uefi_variable v;
    uint64_t n_name, n_value;

    if (!get_guid(&r, &v.guid) || !wire_get_u64le(&r, &n_name) ||
            !wire_get_u64le(&r, &n_value) || n_name > r.left / 2 ||
            !get_span64(&r, 2 * n_name, &v.name) ||
            !get_span64(&r, n_value, &v.value))
        return ERR_SYNTAX;
    v.n_trailing = r.left;
    *ret = v;
    return 0;
}

bool eventlog_uefi_is(const struct eventlog_uefi_variable *v,
        enum eventlog_uefi_vendor vendor, const char *name)
{
    char guid[EVENTLOG_GUID_TEXT];
    size_t n = strlen(name);

    eventlog_uefi_format_guid(v->guid, guid);
    if (strcmp(guid, vendors[vendor]) != 0 || v->name.len != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (v->name.ptr[2 * i] != (uint8_t)name[i] ||
                v->name.ptr[2 * i + 1] != 0)
            return false;
    }
    return true;
}

/* UTF-16 up to its NUL, which is taken too. */
static bool get_utf16z(struct wire_reader *r, struct span *ret)
{
    const uint8_t *begin = r->ptr;
    size_t n = 0;
    uint16_t c;

    while (wire_get_u16le(r, &c)) {
        if (c == 0) {
            *ret = SPAN(begin, n);
            return true;
        }
        n += 2;
    }
    return false;
}

int eventlog_uefi_load_option(
        struct span value, struct eventlog_uefi_load_option *ret)
{
    struct wire_reader r = wire_reader_of(value);
    struct eventlog_uefi_load_option o;
    uint16_t n_path;

    if (!wire_get_u32le(&r, &o.attributes) || !wire_get_u16le(&r, &n_path) ||
            !get_utf16z(&r, &o.name) || !wire_get_span(&r, n_path, &o.path))
        return ERR_SYNTAX;
    o.optional = SPAN(r.ptr, r.left);
    *ret = o;
    return 0;
}

int eventlog_uefi_image(struct span data, struct eventlog_uefi_image *ret)
{
    struct wire_reader r = wire_reader_of(data);
    struct eventlog_uefi_image i;
    uint64_t n_path;

    if (!wire_get_u64le(&r, &i.location) || !wire_get_u64le(&r, &i.length) ||
            !wire_get_u64le(&r, &i.link_time) || !wire_get_u64le(&r, &n_path) ||
            !get_span64(&r, n_path, &i.path) || !wire_end(&r))
        return ERR_SYNTAX;
    *ret = i;
    return 0;
}

/* ---- partition tables (UEFI 2.10, 5.3) ------------------------------- */

int eventlog_uefi_gpt(struct span data, struct eventlog_uefi_gpt *ret)
{
    struct wire_reader r = wire_reader_of(data), h;
    struct eventlog_uefi_gpt g;
    struct span signature, skipped;
    uint64_t entry_lba;
    uint32_t n_all;

    /* Revision, size, two checks and reserved; own and other header's LBA. */
    if (!wire_get_sub(&r, GPT_HEADER_SIZE, &h) ||
            !wire_get_span(&h, 8, &signature) ||
            memcmp(signature.ptr, "EFI PART", 8) != 0 ||
            !wire_get_span(&h, 32, &skipped) ||
            !wire_get_u64le(&h, &g.first_lba) ||
            !wire_get_u64le(&h, &g.last_lba) || !get_guid(&h, &g.disk_guid) ||
            !wire_get_u64le(&h, &entry_lba) || !wire_get_u32le(&h, &n_all) ||
            !wire_get_u32le(&h, &g.entry_size) || !wire_get_u64le(&r, &g.n) ||
            g.entry_size < GPT_ENTRY_MIN || g.n > r.left / g.entry_size ||
            g.n * g.entry_size != r.left)
        return ERR_SYNTAX;
    g.entries = SPAN(r.ptr, r.left);
    *ret = g;
    return 0;
}

bool eventlog_uefi_partition(const struct eventlog_uefi_gpt *g, uint64_t i,
        struct eventlog_uefi_partition *ret)
{
    struct wire_reader r = wire_reader_of(g->entries);
    struct eventlog_uefi_partition p;
    struct span skipped, name;
    size_t n = 0;

    if (i >= g->n || !wire_get_span(&r, (size_t)i * g->entry_size, &skipped) ||
            !get_guid(&r, &p.type_guid) || !get_guid(&r, &p.guid) ||
            !wire_get_u64le(&r, &p.first_lba) ||
            !wire_get_u64le(&r, &p.last_lba) ||
            !wire_get_u64le(&r, &p.attributes) ||
            !wire_get_span(&r, GPT_NAME_SIZE, &name))
        return false;
    while (n < name.len && (name.ptr[n] != 0 || name.ptr[n + 1] != 0))
        n += 2;
    p.name = SPAN(name.ptr, n);
    *ret = p;
    return true;
}

/* ---- firmware blobs -------------------------------------------------- */

int eventlog_uefi_blob(
        uint32_t type, struct span data, struct eventlog_uefi_blob *ret)
{
    struct wire_reader r = wire_reader_of(data);
    struct eventlog_uefi_blob b = {.name = SPAN_EMPTY};

    if ((type == EVENTLOG_EV_EFI_FIRMWARE_BLOB2 ||
                type == EVENTLOG_EV_POST_CODE2) &&
            !wire_get_vec8(&r, &b.name))
        return ERR_SYNTAX;
    if (!wire_get_u64le(&r, &b.base) || !wire_get_u64le(&r, &b.length) ||
            !wire_end(&r))
        return ERR_SYNTAX;
    *ret = b;
    return 0;
}

/* ---- devices that speak SPDM (PFP 1.06, 10.2.7) ---------------------- */

/* One block: index, specification, size and that many bytes. */
static bool get_block(struct wire_reader *r, struct span *ret)
{
    const uint8_t *begin = r->ptr;
    struct span value;
    uint16_t head, size;

    if (!wire_get_u16le(r, &head) || !wire_get_u16le(r, &size) ||
            !wire_get_span(r, size, &value))
        return false;
    *ret = SPAN(begin, 4u + size);
    return true;
}

/* What length counts differs between makers; the first drafts had no path. */
static bool get_device1(struct wire_reader *r, struct eventlog_uefi_device *d)
{
    struct wire_reader rest;
    uint16_t length;
    uint64_t n_path;

    if (!wire_get_u16le(r, &length) || !wire_get_u32le(r, &d->hash) ||
            !wire_get_u32le(r, &d->type) || !get_block(r, &d->block))
        return false;
    rest = *r;
    if (wire_get_u64le(&rest, &n_path) && get_span64(&rest, n_path, &d->path))
        *r = rest;
    d->auth = EVENTLOG_UEFI_AUTH_NONE;
    d->n_blocks = 1;
    d->context = SPAN(r->ptr, r->left);
    return true;
}

/* DEVICE_SECURITY_EVENT_DATA_SUB_HEADER: blocks, or a certificate chain */
static bool get_sub_header(
        struct span sub, uint32_t type, struct eventlog_uefi_device *d)
{
    struct wire_reader r = wire_reader_of(sub);
    uint16_t version;
    uint8_t count, reserved;

    if (type > 1 || !wire_get_u16le(&r, &version) || !wire_get_u8(&r, &count) ||
            !wire_get_u8(&r, &reserved) || !wire_get_u32le(&r, &d->hash))
        return false;
    d->is_chain = type == 1;
    d->n_blocks = d->is_chain ? 0 : count;
    d->block = SPAN(r.ptr, r.left);
    for (unsigned i = 0; i < d->n_blocks; i++) {
        struct span block;

        if (!get_block(&r, &block))
            return false;
    }
    return d->is_chain || wire_end(&r);
}

static bool get_device2(struct wire_reader *r, struct eventlog_uefi_device *d)
{
    struct span sub;
    uint32_t length, type, n_sub;
    uint64_t uid, n_path;
    uint8_t reserved;

    if (!wire_get_u8(r, &d->auth) || !wire_get_u8(r, &reserved) ||
            !wire_get_u32le(r, &length) || length != r->left ||
            !wire_get_u32le(r, &d->type) || !wire_get_u32le(r, &type) ||
            !wire_get_u32le(r, &n_sub) || !wire_get_u64le(r, &uid) ||
            !wire_get_u64le(r, &n_path) || !get_span64(r, n_path, &d->path) ||
            !wire_get_span(r, n_sub, &sub) || !get_sub_header(sub, type, d))
        return false;
    d->context = SPAN(r->ptr, r->left);
    return true;
}

int eventlog_uefi_device(struct span data, struct eventlog_uefi_device *ret)
{
    struct wire_reader r = wire_reader_of(data);
    struct eventlog_uefi_device d = {.version = 0};
    struct span signature;
    uint16_t version;

    if (!wire_get_span(&r, SPDM_SIGNATURE, &signature) ||
            !wire_get_u16le(&r, &version))
        return ERR_SYNTAX;
    d.version = version;
    if (memcmp(signature.ptr, "SPDM Device Sec", SPDM_SIGNATURE) == 0 &&
            version == 1) {
        if (!get_device1(&r, &d))
            return ERR_SYNTAX;
    } else if (memcmp(signature.ptr, "SPDM Device Sec2", SPDM_SIGNATURE) == 0 &&
               version == 2) {
        if (!get_device2(&r, &d))
            return ERR_SYNTAX;
    } else {
        return ERR_SYNTAX;
    }
    *ret = d;
    return 0;
}
