/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of GUIDs that ends 32 bytes before the end of OVMF and is walked
 * backwards, and the SEV metadata that one of its entries points to
 * (OvmfPkg/ResetVector, GHCB 2.03, 9).
 */
#include "snp_private.h"

#define TABLE_GAP    32 /* the reset vector itself */
#define ENTRY_HEAD   18 /* u16 length with the head, GUID */
#define ENTRIES_MAX  64
#define METADATA_MAX (16 + 12 * SNP_SECTIONS_MAX)

static const uint8_t guid_footer[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f,
        0xf7, 0x45, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
static const uint8_t guid_hashes[16] = {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a,
        0x04, 0x4b, 0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
static const uint8_t guid_reset[16] = {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb,
        0x4f, 0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
static const uint8_t guid_metadata[16] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98,
        0x98, 0x47, 0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};
static const uint8_t guid_svsm[16] = {0x12, 0xa6, 0x89, 0xa7, 0x97, 0x05, 0x4b,
        0x4c, 0xa4, 0x9f, 0xcb, 0xb1, 0xfe, 0x9d, 0x1d, 0xdd};

static bool get_sections(struct wire_reader *r, struct snp_ovmf *o)
{
    for (size_t i = 0; i < o->n_sections; i++) {
        if (!wire_get_u32le(r, &o->sections[i].gpa) ||
                !wire_get_u32le(r, &o->sections[i].size) ||
                !wire_get_u32le(r, &o->sections[i].type))
            return false;
    }
    return true;
}

/* from_end: bytes from the header to the end of the file. */
static bool get_metadata(
        struct span file, uint32_t from_end, struct snp_ovmf *o)
{
    struct wire_reader all, r;
    uint32_t size, version, count;
    struct span magic;

    if (from_end > file.len)
        return false;
    all = wire_reader_of(SPAN(file.ptr + (file.len - from_end), from_end));
    if (!wire_get_span(&all, 4, &magic) || !span_eq_str(magic, "ASEV") ||
            !wire_get_u32le(&all, &size) || !wire_get_u32le(&all, &version) ||
            !wire_get_u32le(&all, &count) || version != 1 ||
            count > SNP_SECTIONS_MAX || size < 16 || size > METADATA_MAX ||
            size - 16 < 12 * count || !wire_get_sub(&all, size - 16, &r))
        return false;
    o->n_sections = count;
    return get_sections(&r, o);
}

struct entries {
    bool metadata;
    uint32_t metadata_offset;
};

/* An entry that is used here counts once: a second one could say otherwise. */
static bool take_entry(struct span guid, struct span data, struct entries *e,
        struct snp_ovmf *o)
{
    struct wire_reader r = wire_reader_of(data);

    if (span_eq(guid, SPAN_OF(guid_hashes))) {
        if (o->has_hashes || !wire_get_u32le(&r, &o->hashes_gpa))
            return false;
        o->has_hashes = true;
        return wire_end(&r) || wire_get_u32le(&r, &o->hashes_size);
    }
    if (span_eq(guid, SPAN_OF(guid_reset))) {
        if (o->has_reset)
            return false;
        o->has_reset = true;
        return wire_get_u32le(&r, &o->reset_eip);
    }
    if (span_eq(guid, SPAN_OF(guid_svsm))) {
        if (o->has_svsm)
            return false;
        o->has_svsm = true;
        return wire_get_u32le(&r, &o->svsm_offset);
    }
    if (span_eq(guid, SPAN_OF(guid_metadata))) {
        if (e->metadata)
            return false;
        e->metadata = true;
        return wire_get_u32le(&r, &e->metadata_offset);
    }
    return true;
}

/* The next entry from the back of *table: its head stands at its end. */
static bool pop_entry(
        struct span *table, struct span *ret_guid, struct span *ret_data)
{
    struct wire_reader r;
    uint16_t len;

    if (table->len < ENTRY_HEAD)
        return false;
    r = wire_reader_of(
            SPAN(table->ptr + (table->len - ENTRY_HEAD), ENTRY_HEAD));
    if (!wire_get_u16le(&r, &len) || !wire_get_span(&r, 16, ret_guid) ||
            len < ENTRY_HEAD || len > table->len)
        return false;
    *ret_data =
            SPAN(table->ptr + (table->len - len), (size_t)(len - ENTRY_HEAD));
    table->len -= len;
    return true;
}

/* False: there is no footer, and so nothing is known about the file. */
static bool find_table(struct span file, struct span *ret, bool *ret_bad)
{
    struct wire_reader r;
    struct span guid;
    uint16_t len;
    size_t end;

    *ret_bad = false;
    if (file.len < TABLE_GAP + ENTRY_HEAD)
        return false;
    end = file.len - TABLE_GAP - ENTRY_HEAD;
    r = wire_reader_of(SPAN(file.ptr + end, ENTRY_HEAD));
    if (!wire_get_u16le(&r, &len) || !wire_get_span(&r, 16, &guid) ||
            !span_eq(guid, SPAN_OF(guid_footer)))
        return false;
    *ret_bad = len < ENTRY_HEAD || len - ENTRY_HEAD > (long)end;
    if (*ret_bad)
        return false;
    *ret = SPAN(file.ptr + (end - (size_t)(len - ENTRY_HEAD)),
            (size_t)(len - ENTRY_HEAD));
    return true;
}

int snp_ovmf_parse(
        struct span bytes, uint64_t end, struct snp_ovmf *ret, struct err *err)
{
    struct snp_ovmf o = {.data = bytes};
    struct entries e = {0};
    struct span table, guid, data;
    bool bad;

    if (bytes.len > SNP_OVMF_MAX || bytes.len > end)
        return err_set(err, ERR_LIMIT, "OVMF: %zu bytes", bytes.len);
    o.gpa = end - bytes.len;
    if (find_table(bytes, &table, &bad)) {
        for (size_t n = 0; table.len > 0; n++) {
            if (n == ENTRIES_MAX)
                return err_set(err, ERR_LIMIT, "OVMF: more than %d entries",
                        ENTRIES_MAX);
            if (!pop_entry(&table, &guid, &data) ||
                    !take_entry(guid, data, &e, &o))
                return err_set(err, ERR_SYNTAX,
                        "OVMF: a malformed entry in its table");
        }
    }
    if (bad)
        return err_set(err, ERR_SYNTAX, "OVMF: its table is larger than it");
    if (e.metadata && !get_metadata(bytes, e.metadata_offset, &o))
        return err_set(err, ERR_SYNTAX, "OVMF: malformed SEV metadata");
    *ret = o;
    return 0;
}
