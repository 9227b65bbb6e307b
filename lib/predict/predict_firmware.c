/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OVMF images: firmware volumes (UEFI PI 1.7, volume 3) down to the two that
 * it measures, and its store of variables (EDK2, VariableFormat.h).
 */
#include "predict_private.h"

#define FV_HEADER    56 /* without the block map */
#define FILE_HEADER  24
#define SECTION_GUID 0x02
#define SECTION_RAW  0x19
#define SECTION_FV   0x17
#define FILE_FV      0x0b
#define FILE_LARGE   0x01
#define STORE_HEADER 28
#define VAR_HEADER   60
#define VAR_ADDED    0x3f
#define VAR_LEAVING  0x3e
/* Sections and files of a volume, variables of a store: hundreds at most. */
#define ENTRIES_MAX 4096
#define STORE_MAX   (1u << 20)

/* GUIDs as they lie in memory. */
static const uint8_t ffs2[16] = {0x78, 0xe5, 0x8c, 0x8c, 0x3d, 0x8a, 0x1c, 0x4f,
        0x99, 0x35, 0x89, 0x61, 0x85, 0xc3, 0x2d, 0xd3};
static const uint8_t lzma[16] = {0x98, 0x58, 0x4e, 0xee, 0x14, 0x39, 0x59, 0x42,
        0x9d, 0x6e, 0xdc, 0x7b, 0xd7, 0x94, 0x03, 0xcf};
/* Names of the volumes PEIFV and DXEFV (OvmfPkg). */
static const uint8_t pei_name[16] = {0x9b, 0x07, 0x38, 0x69, 0x03, 0xb5, 0x3d,
        0x4e, 0x9d, 0x24, 0xb2, 0x83, 0x37, 0xa2, 0x58, 0x06};
static const uint8_t dxe_name[16] = {0xc9, 0xbd, 0xb8, 0x7c, 0xeb, 0xf8, 0x34,
        0x4f, 0xaa, 0xea, 0x3e, 0xe4, 0xaf, 0x65, 0x16, 0xa1};
static const uint8_t nv_data[16] = {0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b,
        0x4c, 0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50};
static const uint8_t auth_store[16] = {0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a,
        0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92};

static bool is_guid(struct span s, const uint8_t guid[static 16])
{
    return span_eq(s, SPAN(guid, 16));
}

static bool skip(struct wire_reader *r, size_t n)
{
    struct span s;

    return wire_get_span(r, n, &s);
}

/* 24 bits, little-endian. */
static bool get_u24(struct wire_reader *r, uint32_t *ret)
{
    uint16_t low;
    uint8_t high;

    if (!wire_get_u16le(r, &low) || !wire_get_u8(r, &high))
        return false;
    *ret = low | (uint32_t)high << 16;
    return true;
}

struct volume {
    struct span bytes, guid;
    uint16_t header;  /* its length */
    struct span name; /* empty without an extended header */
};

/* The extended header begins with the volume's name. */
static bool get_volume_name(struct span volume, uint16_t at, struct span *ret)
{
    struct wire_reader r = wire_reader_of(volume);

    if (at == 0)
        return true;
    return skip(&r, at) && wire_get_span(&r, 16, ret);
}

/* False: there is none here.  *ret_len: of the volume. */
static bool get_volume(struct span at, struct volume *ret)
{
    struct wire_reader r = wire_reader_of(at);
    struct volume v = {.name = SPAN_EMPTY};
    uint64_t len;
    uint32_t signature;
    uint16_t extended;

    if (!skip(&r, 16) || !wire_get_span(&r, 16, &v.guid) ||
            !wire_get_u64le(&r, &len) || !wire_get_u32le(&r, &signature) ||
            signature != 0x4856465f || !skip(&r, 4) ||
            !wire_get_u16le(&r, &v.header) || !skip(&r, 2) ||
            !wire_get_u16le(&r, &extended))
        return false;
    if (len > at.len || v.header < FV_HEADER || v.header > len)
        return false;
    v.bytes = SPAN(at.ptr, (size_t)len);
    if (!get_volume_name(v.bytes, extended, &v.name))
        return false;
    *ret = v;
    return true;
}

/* What a walk does with each entry: 0 to go on. */
typedef int take_entry(uint8_t type, struct span body, void *ctx);

/* Bytes to the next multiple of align, counted from the start of all. */
static void align_to(struct wire_reader *r, struct span all, size_t align)
{
    size_t at = all.len - r->left, pad = (align - at % align) % align;

    if (!skip(r, pad))
        *r = wire_reader_of(SPAN(all.ptr + all.len, 0));
}

/* Sections one after the other (PI 1.7, volume 3, 3.2.4). */
static int each_section(struct span all, take_entry *take, void *ctx)
{
    struct wire_reader r = wire_reader_of(all);
    int e = 0;

    for (unsigned n = 0; r.left && e == 0; n++) {
        struct span body;
        uint32_t size;
        uint8_t type;
        size_t header = 4;

        if (n == ENTRIES_MAX || !get_u24(&r, &size) || !wire_get_u8(&r, &type))
            return ERR_SYNTAX;
        if (size == 0xffffff) {
            header = 8;
            if (!wire_get_u32le(&r, &size))
                return ERR_SYNTAX;
        }
        if (size < header || !wire_get_span(&r, size - header, &body))
            return ERR_SYNTAX;
        e = take(type, body, ctx);
        align_to(&r, all, 4);
    }
    return e;
}

/* Files of a volume until its free space (3.2.3). */
static int each_file(const struct volume *v, take_entry *take, void *ctx)
{
    struct wire_reader r = wire_reader_of(v->bytes);
    int e = 0;

    if (!skip(&r, v->header))
        return ERR_SYNTAX;
    for (unsigned n = 0; r.left >= FILE_HEADER && e == 0; n++) {
        struct span name, body;
        uint32_t small;
        uint64_t size;
        uint8_t type, attributes;
        size_t header = FILE_HEADER;

        if (n == ENTRIES_MAX || !wire_get_span(&r, 16, &name) || !skip(&r, 2) ||
                !wire_get_u8(&r, &type) || !wire_get_u8(&r, &attributes) ||
                !get_u24(&r, &small) || !skip(&r, 1))
            return ERR_SYNTAX;
        if (type == 0xff && small == 0xffffff)
            return 0; /* erased flash */
        size = small;
        if (attributes & FILE_LARGE) {
            header += 8;
            if (!wire_get_u64le(&r, &size))
                return ERR_SYNTAX;
        }
        if (size < header || size - header > r.left ||
                !wire_get_span(&r, (size_t)(size - header), &body))
            return ERR_SYNTAX;
        e = take(type, body, ctx);
        align_to(&r, v->bytes, 8);
    }
    return e;
}

/* ---- the compressed part --------------------------------------------- */

struct found {
    struct span data;
    size_t n;
};

/* EFI_GUID_DEFINED_SECTION: GUID, offset of the data from the section. */
static int take_guided(uint8_t type, struct span body, void *ctx)
{
    struct wire_reader r = wire_reader_of(body);
    struct found *f = ctx;
    struct span guid;
    uint16_t offset, attributes;
    size_t header;

    if (type != SECTION_GUID)
        return 0;
    if (!wire_get_span(&r, 16, &guid) || !wire_get_u16le(&r, &offset) ||
            !wire_get_u16le(&r, &attributes))
        return ERR_SYNTAX;
    /* The offset counts the section's header, of 4 bytes or 8. */
    header = body.len + 4 >= 0xffffff ? 8 : 4;
    if (!is_guid(guid, lzma))
        return 0;
    if (offset < header + 20 || !skip(&r, offset - header - 20))
        return ERR_SYNTAX;
    f->data = SPAN(r.ptr, r.left);
    f->n++;
    return 0;
}

static int take_fv_file(uint8_t type, struct span body, void *ctx)
{
    return type == FILE_FV ? each_section(body, take_guided, ctx) : 0;
}

int predict_firmware_lzma(struct span image, struct span *ret, struct err *err)
{
    struct found f = {.n = 0};
    struct volume v;

    if (image.len > PREDICT_FIRMWARE_MAX)
        return err_set(err, ERR_LIMIT, "firmware of %zu bytes", image.len);
    for (size_t at = 0; at < image.len;) {
        struct span rest = SPAN(image.ptr + at, image.len - at);

        /* Volumes of flash begin on its pages. */
        if (!get_volume(rest, &v)) {
            at += 4096;
            continue;
        }
        if (is_guid(v.guid, ffs2) && each_file(&v, take_fv_file, &f) != 0)
            return err_set(err, ERR_SYNTAX,
                    "firmware volume at %#zx is malformed", at);
        at += v.bytes.len;
    }
    if (f.n != 1)
        return err_set(err, f.n ? ERR_EXISTS : ERR_NOT_FOUND,
                "%zu compressed parts: not an OVMF image that is known here",
                f.n);
    *ret = f.data;
    return 0;
}

static int take_volume(uint8_t type, struct span body, void *ctx)
{
    struct predict_volumes *out = ctx;
    struct volume v;
    struct span *to;

    if (type == SECTION_RAW)
        return 0;
    if (type != SECTION_FV || !get_volume(body, &v) || v.bytes.len != body.len)
        return ERR_SYNTAX;
    to = is_guid(v.name, pei_name)   ? &out->pei
         : is_guid(v.name, dxe_name) ? &out->dxe
                                     : NULL;
    if (!to || to->ptr)
        return ERR_SYNTAX;
    *to = body;
    return 0;
}

int predict_firmware_volumes(
        struct span contents, struct predict_volumes *ret, struct err *err)
{
    struct predict_volumes out = {.pei = SPAN_EMPTY};

    if (each_section(contents, take_volume, &out) != 0 || !out.pei.ptr ||
            !out.dxe.ptr)
        return err_set(err, ERR_SYNTAX,
                "not the volumes PEIFV and DXEFV of OVMF, once each");
    *ret = out;
    return 0;
}

int predict_firmware(struct predict *p, const char *crtm_version,
        const struct span *pei_digest, struct span dxe, struct err *err)
{
    CLEANUP(buf_fini) struct buf version = BUF_INIT(1024);
    static const uint8_t nul[2];
    struct span part[2] = {SPAN_EMPTY, SPAN_OF(nul)};
    size_t n = p->n;
    uint32_t had = p->pcrs;
    int r = predict_utf16(span_str(crtm_version), "version", &version, err);

    part[0] = buf_span(&version);
    if (r == 0)
        r = predict_add(p, 0, part, 2, err,
                "EV_S_CRTM_VERSION \"%s\" in UTF-16 with its NUL",
                crtm_version);
    if (r == 0)
        r = predict_add_digest(p, 0, pei_digest, err,
                "EV_EFI_PLATFORM_FIRMWARE_BLOB, PEIFV as a machine of this "
                "shape measured it");
    if (r == 0)
        r = predict_add(p, 0, &dxe, 1, err,
                "EV_EFI_PLATFORM_FIRMWARE_BLOB, DXEFV, %zu bytes", dxe.len);
    if (r == 0)
        r = predict_boot_separator(p, 0, err);
    if (r != 0)
        predict_rewind(p, n, had);
    return r;
}

/* ---- variables ------------------------------------------------------- */

/* Variables that PCR 7 is made of, with the GUIDs of their namespaces. */
static const struct {
    const char *name;
    uint8_t guid[16];
} variables[] = {
        {"PK", {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d,
                       0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c}},
        {"KEK", {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d,
                        0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c}},
        {"db", {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc,
                       0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f}},
        {"dbx", {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc,
                        0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f}},
};

struct variable {
    uint8_t state;
    struct span guid, name, data;
};

/* 1 and a variable, 0 at the end. */
static int next_variable(
        struct wire_reader *r, struct span all, struct variable *ret)
{
    struct variable v;
    struct wire_reader look = *r;
    uint16_t start;
    uint32_t name_len, data_len;

    if (!wire_get_u16le(&look, &start) || start == 0xffff)
        return 0;
    if (start != 0x55aa || !wire_get_u8(&look, &v.state) ||
            !skip(&look, 1 + 4 + 8 + 16 + 4) ||
            !wire_get_u32le(&look, &name_len) ||
            !wire_get_u32le(&look, &data_len) ||
            !wire_get_span(&look, 16, &v.guid) ||
            !wire_get_span(&look, name_len, &v.name) ||
            !wire_get_span(&look, data_len, &v.data))
        return ERR_SYNTAX;
    align_to(&look, all, 4);
    *r = look;
    *ret = v;
    return 1;
}

/* UTF-16 with its NUL against ASCII. */
static bool is_named(struct span name16, const char *name)
{
    size_t n = strlen(name) + 1;

    if (name16.len != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (name16.ptr[2 * i] != (uint8_t)name[i] || name16.ptr[2 * i + 1])
            return false;
    }
    return true;
}

static int get_store(struct span image, struct span *ret, struct err *err)
{
    struct wire_reader r;
    struct volume v;
    struct span guid;
    uint32_t size;
    uint8_t format, state;

    if (image.len > STORE_MAX || !get_volume(image, &v) ||
            !is_guid(v.guid, nv_data))
        return err_set(err, ERR_SYNTAX, "not a store of variables");
    r = wire_reader_of(v.bytes);
    if (!skip(&r, v.header) || !wire_get_span(&r, 16, &guid) ||
            !is_guid(guid, auth_store) || !wire_get_u32le(&r, &size) ||
            !wire_get_u8(&r, &format) || !wire_get_u8(&r, &state) ||
            format != 0x5a || state != 0xfe || !skip(&r, 6) ||
            size < STORE_HEADER || size - STORE_HEADER > r.left)
        return err_set(err, ERR_SYNTAX,
                "not a healthy store of authenticated "
                "variables");
    *ret = SPAN(r.ptr, size - STORE_HEADER);
    return 0;
}

static int find_variable(struct span store, const char *name,
        const uint8_t guid[static 16], struct span *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(store);
    struct variable v;
    size_t found = 0;
    int e;

    while ((e = next_variable(&r, store, &v)) == 1) {
        if (!is_named(v.name, name) || !is_guid(v.guid, guid))
            continue;
        if (v.state == VAR_LEAVING)
            return err_set(err, ERR_UNSUPPORTED,
                    "the store was left while %s was being changed", name);
        if (v.state != VAR_ADDED)
            continue;
        if (found++)
            return err_set(err, ERR_EXISTS, "%s is in the store twice", name);
        *ret = v.data;
    }
    if (e != 0)
        return err_set(err, e, "the store's variables are malformed");
    return found ? 0 : err_set(err, ERR_NOT_FOUND, "the store has no %s", name);
}

int predict_firmware_variable(
        struct span image, const char *name, struct span *ret, struct err *err)
{
    struct span store = SPAN_EMPTY, data = SPAN_EMPTY;
    int r = get_store(image, &store, err);

    if (r != 0)
        return r;
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (strcmp(variables[i].name, name) != 0)
            continue;
        r = find_variable(store, name, variables[i].guid, &data, err);
        if (r == 0)
            *ret = data;
        return r;
    }
    return err_set(err, ERR_UNSUPPORTED, "variable %.40s", name);
}
