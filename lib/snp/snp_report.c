/* SPDX-License-Identifier: Apache-2.0 */
/* ATTESTATION_REPORT: SEV-SNP ABI, table 23 and its successors. */
#include "snp_private.h"

/* R and S have 72 bytes each, the rest of the 512 is reserved. */
#define SIG_NUMBER 72

static const struct {
    enum snp_product product;
    const char *name;
} products[] = {
        {SNP_MILAN, "Milan"},
        {SNP_GENOA, "Genoa"},
        {SNP_GENOA, "Bergamo"},
        {SNP_GENOA, "Siena"},
        {SNP_TURIN, "Turin"},
};

static const struct {
    uint8_t family, model_first, model_last;
    enum snp_product product;
} cpus[] = {
        {0x19, 0x00, 0x0f, SNP_MILAN},
        {0x19, 0x10, 0x1f, SNP_GENOA},
        {0x19, 0xa0, 0xaf, SNP_GENOA},
        {0x1a, 0x00, 0x11, SNP_TURIN},
};

const char *snp_product_name(enum snp_product p)
{
    for (size_t i = 0; i < ARRAY_LEN(products); i++) {
        if (products[i].product == p)
            return products[i].name;
    }
    return "unknown";
}

enum snp_product snp_product_of_cpuid(uint8_t family, uint8_t model)
{
    for (size_t i = 0; i < ARRAY_LEN(cpus); i++) {
        if (cpus[i].family == family && model >= cpus[i].model_first &&
                model <= cpus[i].model_last)
            return cpus[i].product;
    }
    return SNP_PRODUCT_UNKNOWN;
}

enum snp_product snp_product_of_name(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(products); i++) {
        size_t len = strlen(products[i].name);

        /* "Milan-B0": a stepping may follow. */
        if (name.len >= len && memcmp(name.ptr, products[i].name, len) == 0 &&
                (name.len == len || name.ptr[len] == '-'))
            return products[i].product;
    }
    return SNP_PRODUCT_UNKNOWN;
}

bool snp_tcb_of(enum snp_product p, uint64_t raw, struct snp_tcb *ret)
{
    uint8_t b[8];

    for (size_t i = 0; i < sizeof(b); i++)
        b[i] = (uint8_t)(raw >> (8 * i));
    switch (p) {
    case SNP_PRODUCT_UNKNOWN:
        return false;
    case SNP_MILAN:
    case SNP_GENOA:
        if (b[2] || b[3] || b[4] || b[5])
            return false;
        *ret = (struct snp_tcb){.bootloader = b[0],
                .tee = b[1],
                .snp = b[6],
                .microcode = b[7]};
        return true;
    case SNP_TURIN:
        if (b[4] || b[5] || b[6])
            return false;
        *ret = (struct snp_tcb){.fmc = b[0],
                .bootloader = b[1],
                .tee = b[2],
                .snp = b[3],
                .microcode = b[7]};
        return true;
    }
    return false;
}

bool snp_tcb_eq(const struct snp_tcb *a, const struct snp_tcb *b)
{
    return a->fmc == b->fmc && a->bootloader == b->bootloader &&
           a->tee == b->tee && a->snp == b->snp && a->microcode == b->microcode;
}

bool snp_tcb_at_least(const struct snp_tcb *t, const struct snp_tcb *floor)
{
    return t->fmc >= floor->fmc && t->bootloader >= floor->bootloader &&
           t->tee >= floor->tee && t->snp >= floor->snp &&
           t->microcode >= floor->microcode;
}

bool snp_is_zero(struct span s)
{
    uint8_t any = 0;

    for (size_t i = 0; i < s.len; i++)
        any |= s.ptr[i];
    return any == 0;
}

static bool get_head(struct wire_reader *r, struct snp_report *ret)
{
    struct span skip;

    return wire_get_u32le(r, &ret->version) &&
           wire_get_u32le(r, &ret->guest_svn) &&
           wire_get_u64le(r, &ret->policy) &&
           wire_get_span(r, 16, &ret->family_id) &&
           wire_get_span(r, 16, &ret->image_id) &&
           wire_get_u32le(r, &ret->vmpl) && wire_get_u32le(r, &ret->sig_algo) &&
           wire_get_u64le(r, &ret->current_tcb) &&
           wire_get_u64le(r, &ret->platform_info) &&
           wire_get_u32le(r, &ret->key_info) && wire_get_span(r, 4, &skip) &&
           wire_get_span(r, 64, &ret->report_data) &&
           wire_get_span(r, 48, &ret->measurement) &&
           wire_get_span(r, 32, &ret->host_data) &&
           wire_get_span(r, 48, &ret->id_key_digest) &&
           wire_get_span(r, 48, &ret->author_key_digest) &&
           wire_get_span(r, 32, &ret->report_id) &&
           wire_get_span(r, 32, &ret->report_id_ma);
}

static bool get_firmware(struct wire_reader *r, struct snp_firmware *ret)
{
    uint8_t reserved;

    return wire_get_u8(r, &ret->build) && wire_get_u8(r, &ret->minor) &&
           wire_get_u8(r, &ret->major) && wire_get_u8(r, &reserved);
}

static bool get_tail(struct wire_reader *r, struct snp_report *ret)
{
    struct span skip;

    return wire_get_u64le(r, &ret->reported_tcb) &&
           wire_get_u8(r, &ret->family) && wire_get_u8(r, &ret->model) &&
           wire_get_u8(r, &ret->stepping) && wire_get_span(r, 21, &skip) &&
           wire_get_span(r, SNP_CHIP_ID, &ret->chip_id) &&
           wire_get_u64le(r, &ret->committed_tcb) &&
           get_firmware(r, &ret->current_fw) &&
           get_firmware(r, &ret->committed_fw) &&
           wire_get_u64le(r, &ret->launch_tcb) &&
           wire_get_u64le(r, &ret->launch_mit) &&
           wire_get_u64le(r, &ret->current_mit) &&
           wire_get_span(r, 152, &skip) && /* to 2A0 */
           wire_get_span(r, SIG_NUMBER, &ret->r) &&
           wire_get_span(r, SIG_NUMBER, &ret->s) &&
           wire_get_span(r, 512 - 2 * SIG_NUMBER, &skip) && wire_end(r);
}

int snp_report_parse(struct span bytes, struct snp_report *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct snp_report p = {.raw = bytes};

    if (bytes.len != SNP_REPORT_SIZE || !get_head(&r, &p) || !get_tail(&r, &p))
        return err_set(err, ERR_SYNTAX, "SNP report: %zu bytes, not %d",
                bytes.len, SNP_REPORT_SIZE);
    p.author_key_en = p.key_info & 1;
    p.mask_chip_key = p.key_info & 2;
    p.signing_key = (uint8_t)(p.key_info >> 2 & 7);
    *ret = p;
    return 0;
}

enum snp_product snp_report_product(const struct snp_report *r)
{
    struct span rest = SPAN(r->chip_id.ptr + SNP_CHIP_ID_TURIN,
            SNP_CHIP_ID - SNP_CHIP_ID_TURIN);

    if (r->version >= 3)
        return snp_product_of_cpuid(r->family, r->model);
    return !snp_is_zero(r->chip_id) && snp_is_zero(rest) ? SNP_TURIN
                                                         : SNP_PRODUCT_UNKNOWN;
}

/* Bytes that are zero in a version. */
static const struct {
    uint16_t from, until;
    uint8_t first_version, last_version;
} reserved[] = {
        {0x04c, 0x050, 2, 5},
        {0x188, 0x18b, 2, 2}, /* CPUID came with version 3 */
        {0x18b, 0x1a0, 2, 5},
        {0x1eb, 0x1ec, 2, 5},
        {0x1ef, 0x1f0, 2, 5},
        {0x1f8, 0x208, 2, 4}, /* mitigation vectors came with version 5 */
        {0x208, 0x2a0, 2, 5},
};

static bool reserved_is_zero(const struct snp_report *r)
{
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (r->version >= reserved[i].first_version &&
                r->version <= reserved[i].last_version &&
                !snp_is_zero(SPAN(r->raw.ptr + reserved[i].from,
                        (size_t)(reserved[i].until - reserved[i].from))))
            return false;
    }
    /* 4:2 is the key, above there is nothing. */
    return r->key_info >> 5 == 0;
}

uint64_t snp_report_check(const struct snp_report *r)
{
    struct span padding = SPAN(r->raw.ptr + SNP_REPORT_SIGNED + 2 * SIG_NUMBER,
            512 - 2 * SIG_NUMBER);
    uint64_t bad = 0;

    /* What an unknown version has where is not known. */
    if (r->version < 2 || r->version > 5)
        bad |= SNP_REASON(SNP_R_VERSION);
    else if (!reserved_is_zero(r))
        bad |= SNP_REASON(SNP_R_RESERVED);
    if (r->sig_algo != 1)
        bad |= SNP_REASON(SNP_R_SIG_ALGO);
    if (r->policy & ~SNP_POLICY_KNOWN || !(r->policy & SNP_POLICY_MUST_BE_ONE))
        bad |= SNP_REASON(SNP_R_POLICY_RESERVED);
    if (r->platform_info & ~SNP_PLATFORM_KNOWN)
        bad |= SNP_REASON(SNP_R_PLATFORM_RESERVED);
    if (r->vmpl > 3 && r->vmpl != SNP_VMPL_HOST)
        bad |= SNP_REASON(SNP_R_VMPL_UNKNOWN);
    if (!snp_is_zero(padding))
        bad |= SNP_REASON(SNP_R_SIG_PADDING);
    return bad;
}

bool snp_be48(struct span le72, uint8_t ret[static 48])
{
    if (!snp_is_zero(SPAN(le72.ptr + 48, SIG_NUMBER - 48)))
        return false;
    for (size_t i = 0; i < 48; i++)
        ret[i] = le72.ptr[47 - i];
    return true;
}
