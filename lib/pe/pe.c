/* SPDX-License-Identifier: Apache-2.0 */
/* Headers, sections and certificate table ("PE Format", Microsoft). */
#include "pe.h"

#define DOS_SIZE       0x40
#define COFF_SIZE      24 /* with the signature before it */
#define SECTION_SIZE   40
#define DIRECTORY_SIZE 8
#define DIRECTORY_CERT 4
#define DIRECTORIES    16
#define CHECKSUM_AT    64 /* in the optional header, of both kinds */
#define CERT_ALIGN     8

/* What pe_parse learns on its way and no one else needs. */
struct layout {
    size_t optional_at;
    size_t optional_size;
    size_t n_sections;
};

static bool is_known_machine(uint16_t machine)
{
    static const uint16_t known[] = {
            0x014c, /* x86 */
            0x01c2, /* Arm, Thumb mode */
            0x5064, /* RISC-V 64 */
            0x6264, /* LoongArch 64 */
            0x8664, /* x86-64 */
            0xaa64, /* AArch64 */
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i] == machine)
            return true;
    }
    return false;
}

static bool skip(struct wire_reader *r, size_t n)
{
    struct span s;

    return wire_get_span(r, n, &s);
}

/* A reader at an offset of the file; false when that is outside. */
static bool at(struct span file, size_t offset, struct wire_reader *ret)
{
    struct wire_reader r = wire_reader_of(file);

    if (!skip(&r, offset))
        return false;
    *ret = r;
    return true;
}

static int get_coff(
        struct span file, struct pe *pe, struct layout *l, struct err *err)
{
    struct wire_reader r = wire_reader_of(file);
    uint16_t mz, n, optional_size;
    uint32_t start, magic;

    if (!wire_get_u16le(&r, &mz) || mz != 0x5a4d || !skip(&r, 0x3a) ||
            !wire_get_u32le(&r, &start))
        return err_set(err, ERR_SYNTAX, "not a PE image");
    if (start < DOS_SIZE || !at(file, start, &r) ||
            !wire_get_u32le(&r, &magic) || magic != 0x00004550 ||
            !wire_get_u16le(&r, &pe->machine) || !wire_get_u16le(&r, &n) ||
            !skip(&r, 12) || !wire_get_u16le(&r, &optional_size) ||
            !skip(&r, 2))
        return err_set(err, ERR_SYNTAX, "no PE header at %#x", start);
    if (!is_known_machine(pe->machine))
        return err_set(
                err, ERR_UNSUPPORTED, "image for machine %#x", pe->machine);
    if (n == 0 || n > PE_SECTIONS_MAX)
        return err_set(err, ERR_LIMIT, "image with %u sections", n);
    l->optional_at = start + COFF_SIZE;
    l->optional_size = optional_size;
    l->n_sections = n;
    return 0;
}

/* Directory entries of the optional header fill the rest of it exactly. */
static int get_directories(struct wire_reader *r, struct pe *pe,
        const struct layout *l, struct err *err)
{
    uint32_t n, cert_at = 0, cert_size = 0;

    if (!wire_get_u32le(r, &n) || n > DIRECTORIES ||
            r->left != (size_t)n * DIRECTORY_SIZE)
        return err_set(err, ERR_SYNTAX,
                "optional header and its directories do not fit each other");
    if (n <= DIRECTORY_CERT)
        return 0;
    if (!skip(r, DIRECTORY_CERT * DIRECTORY_SIZE))
        return ERR_SYNTAX;
    pe->cert_entry_at = l->optional_at + l->optional_size - r->left;
    if (!wire_get_u32le(r, &cert_at) || !wire_get_u32le(r, &cert_size))
        return ERR_SYNTAX;
    if (cert_at == 0 && cert_size == 0)
        return 0;
    /* Behind it nothing would be hashed, inside it loaders disagree. */
    if (cert_size == 0 || cert_at % CERT_ALIGN || cert_at > pe->file.len ||
            pe->file.len - cert_at != cert_size)
        return err_set(err, ERR_SYNTAX,
                "certificate table of %u bytes at %#x is not the end of the "
                "file",
                cert_size, cert_at);
    pe->certs = SPAN(pe->file.ptr + cert_at, cert_size);
    return 0;
}

static int get_optional(struct pe *pe, const struct layout *l, struct err *err)
{
    struct wire_reader r, all;
    uint16_t magic;

    if (!at(pe->file, l->optional_at, &all) ||
            !wire_get_sub(&all, l->optional_size, &r) ||
            !wire_get_u16le(&r, &magic) || (magic != 0x10b && magic != 0x20b))
        return err_set(err, ERR_SYNTAX, "no optional header of a known kind");
    pe->plus = magic == 0x20b;
    pe->checksum_at = l->optional_at + CHECKSUM_AT;
    if (!skip(&r, 54) || !wire_get_u32le(&r, &pe->image_size) ||
            !wire_get_u32le(&r, &pe->headers) || !skip(&r, 4) ||
            !wire_get_u16le(&r, &pe->subsystem) ||
            !skip(&r, pe->plus ? 38 : 22))
        return err_set(err, ERR_SYNTAX, "optional header is cut off");
    return get_directories(&r, pe, l, err);
}

static bool get_name(struct wire_reader *r, struct span *ret)
{
    struct span s;
    size_t len = 0;

    if (!wire_get_span(r, PE_NAME_MAX, &s))
        return false;
    while (len < s.len && s.ptr[len])
        len++;
    for (size_t i = len; i < s.len; i++) {
        if (s.ptr[i])
            return false;
    }
    *ret = SPAN(s.ptr, len);
    return true;
}

static int get_section(
        struct wire_reader *r, const struct pe *pe, struct pe_section *ret)
{
    struct pe_section s = {.vsize = 0};
    uint32_t raw_size, raw_at;
    struct wire_reader raw;

    if (!get_name(r, &s.name) || !wire_get_u32le(r, &s.vsize) ||
            !wire_get_u32le(r, &s.vaddr) || !wire_get_u32le(r, &raw_size) ||
            !wire_get_u32le(r, &raw_at) || !skip(r, 12) ||
            !wire_get_u32le(r, &s.flags))
        return ERR_SYNTAX;
    if (raw_size && (raw_at < pe->headers || !at(pe->file, raw_at, &raw) ||
                            !wire_get_span(&raw, raw_size, &s.raw)))
        return ERR_SYNTAX;
    /* Old linkers leave it out: then the file's size counts. */
    if (s.vsize == 0)
        s.vsize = raw_size;
    if (s.vsize == 0 || s.vaddr < pe->headers || s.vaddr > pe->image_size ||
            pe->image_size - s.vaddr < s.vsize)
        return ERR_SYNTAX;
    *ret = s;
    return 0;
}

static int get_sections(struct pe *pe, const struct layout *l, struct err *err)
{
    size_t table = l->optional_at + l->optional_size;
    size_t end = table + l->n_sections * SECTION_SIZE;
    struct wire_reader r;

    if (pe->headers < end || pe->headers > pe->file.len ||
            pe->headers > pe->image_size || !at(pe->file, table, &r))
        return err_set(err, ERR_SYNTAX,
                "SizeOfHeaders of %#x does not cover headers that end at %#zx",
                pe->headers, end);
    for (size_t i = 0; i < l->n_sections; i++) {
        if (get_section(&r, pe, &pe->section[i]) != 0)
            return err_set(err, ERR_SYNTAX,
                    "section %zu is out of bounds of file or image", i + 1);
        pe->n_sections++;
    }
    return 0;
}

static bool overlap_in_memory(
        const struct pe_section *a, const struct pe_section *b)
{
    return a->vaddr < b->vaddr + (uint64_t)b->vsize &&
           b->vaddr < a->vaddr + (uint64_t)a->vsize;
}

/* The section whose bytes begin at an offset of the file. */
static const struct pe_section *section_at(const struct pe *pe, size_t offset)
{
    for (size_t i = 0; i < pe->n_sections; i++) {
        const struct pe_section *s = &pe->section[i];

        if (s->raw.len && s->raw.ptr == pe->file.ptr + offset)
            return s;
    }
    return NULL;
}

/*
 * From the headers on section follows section; each byte before the end that
 * is returned is hashed once.  Two that begin at one offset overlap: one of
 * them is met, the other is missed in the count.
 */
static int check_contiguous(const struct pe *pe, size_t *ret, struct err *err)
{
    size_t end = pe->headers, met = 0, with_bytes = 0;
    const struct pe_section *s;

    for (size_t i = 0; i < pe->n_sections; i++)
        with_bytes += pe->section[i].raw.len != 0;
    while ((s = section_at(pe, end)) != NULL) {
        end += s->raw.len;
        met++;
    }
    if (met != with_bytes)
        return err_set(err, ERR_SYNTAX,
                "sections overlap or leave a gap at %#zx of the file", end);
    *ret = end;
    return 0;
}

static int check_layout(struct pe *pe, struct err *err)
{
    size_t end = 0, certs_at = pe->file.len - pe->certs.len;
    int r = check_contiguous(pe, &end, err);

    if (r != 0)
        return r;
    if (certs_at < end)
        return err_set(err, ERR_SYNTAX,
                "certificate table overlaps the image it signs");
    pe->trailing = SPAN(pe->file.ptr + end, certs_at - end);
    for (size_t i = 0; i < pe->n_sections; i++) {
        for (size_t k = 0; k < i; k++) {
            if (overlap_in_memory(&pe->section[i], &pe->section[k]))
                return err_set(err, ERR_SYNTAX,
                        "sections %zu and %zu overlap in memory", k + 1, i + 1);
        }
    }
    return 0;
}

int pe_parse(struct span file, struct pe *ret, struct err *err)
{
    struct pe pe = {.file = file};
    struct layout l = {0};
    int r;

    if (file.len > PE_FILE_MAX)
        return err_set(err, ERR_LIMIT, "image of %zu bytes", file.len);
    r = get_coff(file, &pe, &l, err);
    if (r == 0)
        r = get_optional(&pe, &l, err);
    if (r == 0)
        r = get_sections(&pe, &l, err);
    if (r == 0)
        r = check_layout(&pe, err);
    if (r == 0)
        *ret = pe;
    return r;
}

void pe_digest(const struct pe *pe, enum crypto_hash alg, uint8_t *ret)
{
    CLEANUP(crypto_hasher_free_ptr)
    struct crypto_hasher *h = crypto_hasher_new(alg);
    const uint8_t *file = pe->file.ptr;
    size_t from = pe->checksum_at + 4;

    if (!h)
        __builtin_trap(); /* as crypto_hash does without memory */
    crypto_hasher_update(h, SPAN(file, pe->checksum_at));
    if (pe->cert_entry_at) {
        crypto_hasher_update(h, SPAN(file + from, pe->cert_entry_at - from));
        from = pe->cert_entry_at + DIRECTORY_SIZE;
    }
    crypto_hasher_update(
            h, SPAN(file + from, pe->file.len - pe->certs.len - from));
    crypto_hasher_final(h, ret);
}

int pe_find(
        const struct pe *pe, const char *name, const struct pe_section **ret)
{
    const struct pe_section *found = NULL;

    for (size_t i = 0; i < pe->n_sections; i++) {
        if (!span_eq_str(pe->section[i].name, name))
            continue;
        if (found)
            return ERR_EXISTS;
        found = &pe->section[i];
    }
    if (!found)
        return ERR_NOT_FOUND;
    *ret = found;
    return 0;
}

int pe_content(const struct pe_section *s, struct span *ret)
{
    if (s->vsize > s->raw.len)
        return ERR_UNSUPPORTED;
    *ret = SPAN(s->raw.ptr, s->vsize);
    return 0;
}

static bool is_known_cert(uint16_t type)
{
    return type == PE_CERT_PKCS7 || type == PE_CERT_PKCS115 ||
           type == PE_CERT_GUID;
}

static bool get_zeroes(struct wire_reader *r, size_t n)
{
    struct span s;

    if (!wire_get_span(r, n, &s))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i])
            return false;
    }
    return true;
}

int pe_cert_next(
        const struct pe *pe, size_t *at_, struct pe_cert *ret, struct err *err)
{
    struct wire_reader r, body;
    struct pe_cert c = {.type = 0};
    uint32_t len;
    uint16_t revision;

    if (*at_ == pe->certs.len)
        return 0;
    if (!at(pe->certs, *at_, &r))
        return err_set(err, ERR_SYNTAX, "no certificate at %zu", *at_);
    if (!wire_get_u32le(&r, &len) || len < 8 ||
            !wire_get_sub(&r, len - 4, &body) ||
            !get_zeroes(&r, (CERT_ALIGN - len % CERT_ALIGN) % CERT_ALIGN) ||
            !wire_get_u16le(&body, &revision) ||
            !wire_get_u16le(&body, &c.type))
        return err_set(err, ERR_SYNTAX,
                "certificate table: entry at %zu is malformed", *at_);
    if (revision != 0x0200 || !is_known_cert(c.type))
        return err_set(err, ERR_UNSUPPORTED,
                "certificate table: revision %#x, type %#x", revision, c.type);
    c.data = SPAN(body.ptr, body.left);
    *at_ = pe->certs.len - r.left;
    *ret = c;
    return 1;
}
