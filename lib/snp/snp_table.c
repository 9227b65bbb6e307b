/* SPDX-License-Identifier: Apache-2.0 */
/* What reports travel in: a host's certificate table, Azure's blob. */
#include "snp_private.h"

#define ENTRY_SIZE 24
#define GUID_SIZE  16

/* GUIDs as they stand in memory: the first three fields little endian. */
static const uint8_t guids[][GUID_SIZE] = {
        /* ARK c0b406a4-a803-4952-9743-3fb6014cd0ae */
        {0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6,
                0x01, 0x4c, 0xd0, 0xae},
        /* ASK 4ab7b379-bbac-4fe4-a02f-05aef327c782 */
        {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae,
                0xf3, 0x27, 0xc7, 0x82},
        /* VCEK 63da758d-e664-4564-adc5-f4b93be8accd */
        {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9,
                0x3b, 0xe8, 0xac, 0xcd},
        /* VLEK a8074bc2-a25a-483e-aae6-39c045a0b8a1 */
        {0xc2, 0x4b, 0x07, 0xa8, 0x5a, 0xa2, 0x3e, 0x48, 0xaa, 0xe6, 0x39, 0xc0,
                0x45, 0xa0, 0xb8, 0xa1},
        /* CRL 92f81bc3-5811-4d3d-97ff-d19f88dc67ea */
        {0xc3, 0x1b, 0xf8, 0x92, 0x11, 0x58, 0x3d, 0x4d, 0x97, 0xff, 0xd1, 0x9f,
                0x88, 0xdc, 0x67, 0xea},
};

/* What an entry names, not into the table's own entries. */
static bool entry_bytes(struct span table, size_t entries, uint32_t offset,
        uint32_t len, struct span *ret)
{
    if (offset < entries || offset > table.len || len == 0 ||
            len > table.len - offset)
        return false;
    *ret = SPAN(table.ptr + offset, len);
    return true;
}

static int take_entry(struct span table, size_t entries, struct span entry,
        struct snp_table *t, struct err *err)
{
    struct span *slots[] = {&t->ark, &t->ask, &t->vcek, &t->vlek, &t->crl};
    struct wire_reader r = wire_reader_of(entry);
    struct span guid, bytes;
    uint32_t offset, len;

    if (!wire_get_span(&r, GUID_SIZE, &guid) || !wire_get_u32le(&r, &offset) ||
            !wire_get_u32le(&r, &len) ||
            !entry_bytes(table, entries, offset, len, &bytes))
        return err_set(err, ERR_SYNTAX,
                "certificate table: an entry points outside of it");
    for (size_t i = 0; i < ARRAY_LEN(guids); i++) {
        if (!span_eq(guid, SPAN_OF(guids[i])))
            continue;
        if (slots[i]->len > 0)
            return err_set(
                    err, ERR_SYNTAX, "certificate table: the same entry twice");
        *slots[i] = bytes;
        return 0;
    }
    t->unknown++;
    return 0;
}

int snp_table_parse(struct span bytes, struct snp_table *ret, struct err *err)
{
    struct snp_table t = {0};
    size_t n = 0;

    if (bytes.len > SNP_TABLE_MAX)
        return err_set(
                err, ERR_LIMIT, "certificate table: %zu bytes", bytes.len);
    for (;; n++) {
        if (n > SNP_TABLE_ENTRIES_MAX)
            return err_set(err, ERR_LIMIT,
                    "certificate table: more than %d entries",
                    SNP_TABLE_ENTRIES_MAX);
        if (bytes.len < (n + 1) * ENTRY_SIZE)
            return err_set(err, ERR_SYNTAX, "certificate table: does not end");
        if (snp_is_zero(SPAN(bytes.ptr + n * ENTRY_SIZE, ENTRY_SIZE)))
            break;
    }
    for (size_t i = 0; i < n; i++) {
        int rc = take_entry(bytes, (n + 1) * ENTRY_SIZE,
                SPAN(bytes.ptr + i * ENTRY_SIZE, ENTRY_SIZE), &t, err);

        if (rc)
            return rc;
    }
    *ret = t;
    return 0;
}

/*
 * Azure's "HCLA": header of 32 bytes {signature, version, length of it
 * all, request type}, the report, then {length, version,
 * report type, hash type, length of JSON} and the JSON.
 */
#define HCL_HEADER       32
#define HCL_TYPE_SNP     2
#define HCL_HASH_SHA256  1
#define HCL_RUNTIME_HEAD 20

int snp_hcl_parse(struct span bytes, struct snp_hcl *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    uint32_t used, size, version, type, hash, json_size;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    struct snp_report report;
    struct span magic, skip;
    struct snp_hcl h;

    if (bytes.len > SNP_HCL_MAX)
        return err_set(err, ERR_LIMIT, "HCL blob: %zu bytes", bytes.len);
    if (!wire_get_span(&r, 4, &magic) || !span_eq_str(magic, "HCLA") ||
            !wire_get_span(&r, 4, &skip) || !wire_get_u32le(&r, &used) ||
            !wire_get_span(&r, HCL_HEADER - 12, &skip) ||
            !wire_get_span(&r, SNP_REPORT_SIZE, &h.report) ||
            !wire_get_u32le(&r, &size) || !wire_get_u32le(&r, &version) ||
            !wire_get_u32le(&r, &type) || !wire_get_u32le(&r, &hash) ||
            !wire_get_u32le(&r, &json_size) ||
            !wire_get_span(&r, json_size, &h.runtime))
        return err_set(err, ERR_SYNTAX, "HCL blob: malformed");
    /* It comes from an NV index, and so with zeros behind it. */
    if (size != HCL_RUNTIME_HEAD + json_size || used != bytes.len - r.left ||
            !snp_is_zero(SPAN(r.ptr, r.left)))
        return err_set(err, ERR_SYNTAX, "HCL blob: its sizes disagree");
    if (version != 1 || type != HCL_TYPE_SNP || hash != HCL_HASH_SHA256)
        return err_set(err, ERR_UNSUPPORTED,
                "HCL blob: version %u, type %u, hash %u", version, type, hash);
    if (snp_report_parse(h.report, &report, err) != 0)
        return ERR_SYNTAX;
    crypto_sha256(h.runtime, digest);
    if (!span_eq_ct(SPAN(report.report_data.ptr, 32), SPAN_OF(digest)) ||
            !snp_is_zero(SPAN(report.report_data.ptr + 32, 32)))
        return err_set(err, ERR_MISMATCH,
                "HCL blob: REPORT_DATA is not the hash of its JSON");
    *ret = h;
    return 0;
}
