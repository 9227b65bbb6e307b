/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCR 5: the partition table of the disk that is booted from (UEFI 2.10, 5.3;
 * TCG PFP 1.06, UEFI_GPT_DATA) and that firmware gave the machine away.
 */
#include "predict_private.h"

#define HEADER_SIZE 92 /* what is measured of it */
#define ENTRY_SIZE  128
/* 128 in practice; the array is checked before it is walked. */
#define ENTRIES_MAX 1024

#define EXIT_CALL   "Exit Boot Services Invocation"
#define EXIT_RETURN "Exit Boot Services Returned with Success"

/* CRC-32 of ISO 3309, as the table is sealed with. */
static uint32_t crc32(struct span s, uint32_t crc)
{
    crc = ~crc;
    for (size_t i = 0; i < s.len; i++) {
        crc ^= s.ptr[i];
        for (unsigned k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

struct gpt {
    struct span header;  /* HEADER_SIZE bytes */
    struct span entries; /* the whole array */
};

static bool skip(struct wire_reader *r, size_t n)
{
    struct span s;

    return wire_get_span(r, n, &s);
}

/* The header's own checksum counts as zero in it. */
static bool is_sealed(struct span header, uint32_t sum)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32(SPAN(header.ptr, 16), 0);

    crc = crc32(SPAN_OF(zero), crc);
    return crc32(SPAN(header.ptr + 20, header.len - 20), crc) == sum;
}

static int get_table(
        struct span disk, size_t sector, struct gpt *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(disk), h;
    struct gpt g;
    uint64_t lba, entries_lba;
    uint32_t revision, size, sum, reserved, n, entry_size, entries_sum;

    if (!skip(&r, sector) || !wire_get_span(&r, HEADER_SIZE, &g.header))
        return err_set(err, ERR_SYNTAX, "disk is cut off");
    h = wire_reader_of(g.header);
    if (!skip(&h, 8) || !wire_get_u32le(&h, &revision) ||
            !wire_get_u32le(&h, &size) || !wire_get_u32le(&h, &sum) ||
            !wire_get_u32le(&h, &reserved) || !wire_get_u64le(&h, &lba) ||
            !skip(&h, 8 + 8 + 8 + 16) || !wire_get_u64le(&h, &entries_lba) ||
            !wire_get_u32le(&h, &n) || !wire_get_u32le(&h, &entry_size) ||
            !wire_get_u32le(&h, &entries_sum))
        return err_set(err, ERR_SYNTAX, "partition table is cut off");
    if (revision != 0x00010000 || size != HEADER_SIZE || reserved != 0 ||
            lba != 1 || entry_size != ENTRY_SIZE || n == 0 || n > ENTRIES_MAX)
        return err_set(err, ERR_UNSUPPORTED,
                "partition table of another form than revision 1.0, %d bytes "
                "an entry",
                ENTRY_SIZE);
    r = wire_reader_of(disk);
    if (entries_lba < 2 || entries_lba > disk.len / sector ||
            !skip(&r, (size_t)entries_lba * sector) ||
            !wire_get_span(&r, (size_t)n * ENTRY_SIZE, &g.entries))
        return err_set(err, ERR_SYNTAX, "partition table is out of bounds");
    if (!is_sealed(g.header, sum) || crc32(g.entries, 0) != entries_sum)
        return err_set(err, ERR_MISMATCH,
                "partition table is not what its checksums say");
    *ret = g;
    return 0;
}

static bool is_used(const uint8_t *entry)
{
    for (size_t i = 0; i < 16; i++) {
        if (entry[i])
            return true;
    }
    return false;
}

/* UEFI_GPT_DATA: the header, a count, the entries in use. */
static int add_table(struct predict *p, const struct gpt *g, struct err *err)
{
    struct span part[2 + ENTRIES_MAX];
    uint8_t count[8];
    struct wire_writer w = wire_writer_of(count, sizeof(count));
    size_t n = 0;

    for (size_t at = 0; at < g->entries.len; at += ENTRY_SIZE) {
        if (is_used(g->entries.ptr + at))
            part[2 + n++] = SPAN(g->entries.ptr + at, ENTRY_SIZE);
    }
    wire_put_u64le(&w, n);
    part[0] = g->header;
    part[1] = SPAN_OF(count);
    return predict_add(p, 5, part, 2 + n, err,
            "EV_EFI_GPT_EVENT, partition table with %zu partition%s", n,
            n == 1 ? "" : "s");
}

static int add_action(struct predict *p, const char *text, struct err *err)
{
    struct span s = span_str(text);

    return predict_add(p, 5, &s, 1, err, "EV_EFI_ACTION \"%s\"", text);
}

/* 512 bytes a sector, or 4096: where the signature stands. */
static bool find_sector(struct span disk, size_t *ret)
{
    static const size_t sizes[] = {512, 4096};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        if (disk.len >= sizes[i] + 8 &&
                memcmp(disk.ptr + sizes[i], "EFI PART", 8) == 0) {
            *ret = sizes[i];
            return true;
        }
    }
    return false;
}

int predict_boot_disk(struct predict *p, struct span disk, struct err *err)
{
    struct gpt g;
    size_t n = p->n, sector = 0;
    uint32_t had = p->pcrs;
    bool has_table = find_sector(disk, &sector);
    int r = has_table ? get_table(disk, sector, &g, err) : 0;

    if (r == 0)
        r = predict_boot_separator(p, 5, err);
    if (r == 0 && has_table)
        r = add_table(p, &g, err);
    if (r == 0)
        r = add_action(p, EXIT_CALL, err);
    if (r == 0)
        r = add_action(p, EXIT_RETURN, err);
    if (r != 0)
        predict_rewind(p, n, had);
    return r;
}
