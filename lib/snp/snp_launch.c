/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launch digests from the files of a launch: SEV-SNP ABI, 8.17 (PAGE_INFO of
 * SNP_LAUNCH_UPDATE); SEV API, 6.2 and 6.3 for the older two.
 */
#include "snp_private.h"

#define FOUR_GIB     0x100000000ull
#define VMSA_GPA     0xfffffffff000ull
#define PAGE_INFO    0x70
#define HASHES_SIZE  176 /* 168, padded to 16 */
#define HASHES_ENTRY 50
#define BSP_EIP      0xfffffff0u

enum page_type {
    PAGE_NORMAL = 1,
    PAGE_VMSA = 2,
    PAGE_ZERO = 3,
    PAGE_UNMEASURED = 4,
    PAGE_SECRETS = 5,
    PAGE_CPUID = 6,
};

struct ld {
    uint8_t digest[SNP_DIGEST];
    size_t pages;
};

static void ld_page(struct ld *ld, enum page_type type, uint64_t gpa,
        const uint8_t contents[static SNP_DIGEST])
{
    uint8_t info[PAGE_INFO];
    struct wire_writer w = wire_writer_of(info, sizeof(info));
    struct span s;

    wire_put_bytes(&w, ld->digest, SNP_DIGEST);
    wire_put_bytes(&w, contents, SNP_DIGEST);
    wire_put_u16le(&w, PAGE_INFO);
    wire_put_u8(&w, (uint8_t)type);
    wire_put_u8(&w, 0);    /* not an initial migration image */
    wire_put_u32le(&w, 0); /* no permissions for VMPL 3 to 1 */
    wire_put_u64le(&w, gpa);
    if (!wire_finish(&w, &s))
        return; /* cannot be: the sizes are constants */
    crypto_hash(CRYPTO_SHA384, s, ld->digest);
}

static void ld_data(struct ld *ld, enum page_type type, uint64_t gpa,
        const uint8_t page[static SNP_PAGE])
{
    uint8_t contents[SNP_DIGEST];

    crypto_hash(CRYPTO_SHA384, SPAN(page, SNP_PAGE), contents);
    ld_page(ld, type, gpa, contents);
}

/* Pages without contents: zero, or not measured but folded in. */
static int ld_empty(struct ld *ld, enum page_type type, uint32_t gpa,
        uint32_t size, struct err *err)
{
    static const uint8_t none[SNP_DIGEST];

    if (size % SNP_PAGE || gpa % SNP_PAGE)
        return err_set(err, ERR_SYNTAX,
                "OVMF: a section at %x is not of whole pages", gpa);
    if (size / SNP_PAGE > SNP_LAUNCH_PAGES_MAX - ld->pages)
        return err_set(err, ERR_LIMIT, "OVMF: more than %u pages to measure",
                SNP_LAUNCH_PAGES_MAX);
    ld->pages += size / SNP_PAGE;
    for (uint32_t i = 0; i < size / SNP_PAGE; i++)
        ld_page(ld, type, (uint64_t)gpa + (uint64_t)i * SNP_PAGE, none);
    return 0;
}

static int ld_file(struct ld *ld, const struct snp_ovmf *o, struct err *err)
{
    if (o->data.len == 0 || o->data.len % SNP_PAGE)
        return err_set(err, ERR_SYNTAX,
                "firmware: %zu bytes are not whole pages", o->data.len);
    for (size_t i = 0; i < o->data.len; i += SNP_PAGE)
        ld_data(ld, PAGE_NORMAL, o->gpa + i, o->data.ptr + i);
    return 0;
}

/* ---- the table of kernel hashes ---------------------------------------- */

void snp_kernel_hash(struct span kernel, struct span initrd,
        struct span cmdline, struct snp_kernel *ret)
{
    static const uint8_t nul[1];

    crypto_sha256(kernel, ret->kernel);
    crypto_sha256(initrd, ret->initrd);
    crypto_sha256_two(cmdline, SPAN_OF(nul), ret->cmdline);
}

/* As QEMU builds it (target/i386/sev.c, sev_add_kernel_loader_hashes). */
static void put_hashes(const struct snp_kernel *k, uint8_t ret[HASHES_SIZE])
{
    /* 9438d606-..., 97d02dd8-..., 44baf731-..., 4de79437-... */
    static const uint8_t table[16] = {0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9,
            0x4c, 0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
    static const uint8_t cmdline[16] = {0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd,
            0x94, 0x4c, 0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a};
    static const uint8_t initrd[16] = {0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7,
            0x4b, 0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d};
    static const uint8_t kernel[16] = {0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f,
            0x42, 0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b};
    const struct {
        const uint8_t *guid, *digest;
    } entries[] = {
            {cmdline, k->cmdline}, {initrd, k->initrd}, {kernel, k->kernel}};
    struct wire_writer w = wire_writer_of(ret, HASHES_SIZE);

    memset(ret, 0, HASHES_SIZE);
    wire_put_bytes(&w, table, 16);
    wire_put_u16le(&w, 18 + 3 * HASHES_ENTRY);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        wire_put_bytes(&w, entries[i].guid, 16);
        wire_put_u16le(&w, HASHES_ENTRY);
        wire_put_bytes(&w, entries[i].digest, 32);
    }
}

static int ld_hashes(struct ld *ld, const struct snp_kernel *k,
        const struct snp_ovmf *o, uint32_t gpa, uint32_t size, struct err *err)
{
    uint32_t offset = o->hashes_gpa % SNP_PAGE;
    uint8_t page[SNP_PAGE] = {0};

    if (!k)
        return ld_empty(ld, PAGE_ZERO, gpa, size, err);
    if (!o->has_hashes || size != SNP_PAGE || offset > SNP_PAGE - HASHES_SIZE)
        return err_set(err, ERR_UNSUPPORTED,
                "OVMF: its place for kernel hashes is not one page");
    put_hashes(k, page + offset);
    ld_data(ld, PAGE_NORMAL, gpa, page);
    return 0;
}

/* ---- SEV-SNP ------------------------------------------------------------ */

static int ld_section(struct ld *ld, const struct snp_launch *l,
        const struct snp_ovmf *o, size_t i, struct err *err)
{
    static const uint8_t none[SNP_DIGEST];
    uint32_t gpa = o->sections[i].gpa, size = o->sections[i].size;

    switch (o->sections[i].type) {
    case SNP_SECTION_SEC_MEM:
        return ld_empty(ld, l->vmm == SNP_VMM_GCE ? PAGE_UNMEASURED : PAGE_ZERO,
                gpa, size, err);
    case SNP_SECTION_SVSM_CAA:
        return ld_empty(ld, PAGE_ZERO, gpa, size, err);
    case SNP_SECTION_SECRETS:
        ld_page(ld, PAGE_SECRETS, gpa, none);
        return 0;
    case SNP_SECTION_CPUID:
        if (l->vmm != SNP_VMM_EC2) /* EC2 puts it behind all others */
            ld_page(ld, PAGE_CPUID, gpa, none);
        return 0;
    case SNP_SECTION_KERNEL_HASHES:
        return ld_hashes(ld, l->kernel, o, gpa, size, err);
    default:
        return err_set(err, ERR_UNSUPPORTED, "OVMF: a section of type %x",
                o->sections[i].type);
    }
}

static int ld_sections(struct ld *ld, const struct snp_launch *l,
        const struct snp_ovmf *o, struct err *err)
{
    static const uint8_t none[SNP_DIGEST];
    bool has_hashes = false;

    for (size_t i = 0; i < o->n_sections; i++) {
        int rc = ld_section(ld, l, o, i, err);

        if (rc)
            return rc;
        has_hashes =
                has_hashes || o->sections[i].type == SNP_SECTION_KERNEL_HASHES;
    }
    for (size_t i = 0; l->vmm == SNP_VMM_EC2 && i < o->n_sections; i++) {
        if (o->sections[i].type == SNP_SECTION_CPUID)
            ld_page(ld, PAGE_CPUID, o->sections[i].gpa, none);
    }
    if (l->kernel && !has_hashes)
        return err_set(err, ERR_UNSUPPORTED,
                "OVMF: does not measure a kernel given to it");
    return 0;
}

/* All virtual CPUs but the first start alike. */
static void ld_vmsas(struct ld *ld, const struct snp_launch *l, uint32_t boot,
        uint32_t others, uint64_t features)
{
    struct snp_vmsa v = {.mode = l->mode,
            .vmm = l->vmm,
            .eip = boot,
            .vcpu_sig = l->vcpu_sig,
            .features = features,
            .is_boot_cpu = true};
    uint8_t page[SNP_PAGE], contents[SNP_DIGEST];

    snp_vmsa_page(&v, page);
    ld_data(ld, PAGE_VMSA, VMSA_GPA, page);
    v.eip = others;
    v.is_boot_cpu = false;
    snp_vmsa_page(&v, page);
    crypto_hash(CRYPTO_SHA384, SPAN_OF(page), contents);
    for (uint32_t i = 1; i < l->vcpus; i++)
        ld_page(ld, PAGE_VMSA, VMSA_GPA, contents);
}

static int digest_snp(const struct snp_launch *l, const struct snp_ovmf *o,
        struct ld *ld, struct err *err)
{
    int rc = 0;

    if (!o->has_reset)
        return err_set(err, ERR_UNSUPPORTED,
                "OVMF: says nothing about other virtual CPUs");
    if (l->ovmf_digest)
        memcpy(ld->digest, l->ovmf_digest, SNP_DIGEST);
    else
        rc = ld_file(ld, o, err);
    if (rc == 0)
        rc = ld_sections(ld, l, o, err);
    if (rc == 0)
        ld_vmsas(ld, l, BSP_EIP, o->reset_eip, l->features);
    return rc;
}

/* The SVSM lies below OVMF's variables, and its metadata count. */
static int digest_svsm(const struct snp_launch *l, const struct snp_ovmf *o,
        struct ld *ld, struct err *err)
{
    struct snp_ovmf svsm;
    uint64_t eip;
    int rc;

    if (l->vmm != SNP_VMM_QEMU || l->kernel || l->ovmf_digest)
        return err_set(err, ERR_UNSUPPORTED,
                "SVSM: started by QEMU alone, without a kernel");
    if (l->ovmf_vars_size > o->gpa)
        return err_set(err, ERR_LIMIT, "SVSM: no room below OVMF");
    rc = snp_ovmf_parse(l->svsm, o->gpa - l->ovmf_vars_size, &svsm, err);
    if (rc)
        return rc;
    eip = svsm.gpa + svsm.svsm_offset;
    if (!svsm.has_svsm || svsm.svsm_offset >= svsm.data.len)
        return err_set(err, ERR_SYNTAX, "SVSM: does not say where it starts");
    rc = ld_file(ld, o, err);
    if (rc == 0)
        rc = ld_file(ld, &svsm, err);
    if (rc == 0)
        rc = ld_sections(ld, l, &svsm, err);
    if (rc == 0)
        ld_vmsas(ld, l, (uint32_t)eip, (uint32_t)eip, 1);
    return rc;
}

/* ---- SEV and SEV-ES ------------------------------------------------------ */

static int digest_sev(const struct snp_launch *l, const struct snp_ovmf *o,
        uint8_t *ret, struct err *err)
{
    struct snp_vmsa v = {.mode = l->mode,
            .vmm = l->vmm,
            .eip = BSP_EIP,
            .vcpu_sig = l->vcpu_sig,
            .is_boot_cpu = true};
    uint8_t hashes[HASHES_SIZE], page[SNP_PAGE];
    struct crypto_hasher *h;

    if (l->kernel && (!o->has_hashes || o->hashes_gpa == 0))
        return err_set(err, ERR_UNSUPPORTED,
                "OVMF: does not measure a kernel given to it");
    if (l->mode == SNP_MODE_SEV_ES && !o->has_reset)
        return err_set(err, ERR_UNSUPPORTED,
                "OVMF: says nothing about other virtual CPUs");
    if (l->ovmf_digest)
        return err_set(err, ERR_UNSUPPORTED,
                "SEV: OVMF itself is needed, not its SNP digest");
    h = crypto_hasher_new(CRYPTO_SHA256);
    if (!h)
        return err_set(err, ERR_MEMORY, "no memory for a hash");
    crypto_hasher_update(h, o->data);
    if (l->kernel) {
        put_hashes(l->kernel, hashes);
        crypto_hasher_update(h, SPAN_OF(hashes));
    }
    for (uint32_t i = 0; l->mode == SNP_MODE_SEV_ES && i < l->vcpus; i++) {
        snp_vmsa_page(&v, page);
        crypto_hasher_update(h, SPAN_OF(page));
        v.eip = o->reset_eip;
        v.is_boot_cpu = false;
    }
    crypto_hasher_final(h, ret);
    crypto_hasher_free(h);
    return 0;
}

int snp_launch_digest(const struct snp_launch *l,
        uint8_t ret[static SNP_DIGEST], size_t *ret_len, struct err *err)
{
    struct ld ld = {0};
    struct snp_ovmf o;
    int rc;

    if (l->vcpus < 1 || l->vcpus > SNP_VCPUS_MAX)
        return err_set(err, ERR_LIMIT, "%u virtual CPUs, at most %d", l->vcpus,
                SNP_VCPUS_MAX);
    rc = snp_ovmf_parse(l->ovmf, FOUR_GIB, &o, err);
    if (rc)
        return rc;
    switch (l->mode) {
    case SNP_MODE_SEV:
    case SNP_MODE_SEV_ES:
        rc = digest_sev(l, &o, ret, err);
        if (rc == 0)
            *ret_len = CRYPTO_SHA256_SIZE;
        return rc;
    case SNP_MODE_SNP:
        rc = digest_snp(l, &o, &ld, err);
        break;
    case SNP_MODE_SVSM:
        rc = digest_svsm(l, &o, &ld, err);
        break;
    }
    if (rc)
        return rc;
    memcpy(ret, ld.digest, SNP_DIGEST);
    *ret_len = SNP_DIGEST;
    return 0;
}

int snp_launch_ovmf(
        struct span ovmf, uint8_t ret[static SNP_DIGEST], struct err *err)
{
    struct ld ld = {0};
    struct snp_ovmf o;
    int rc = snp_ovmf_parse(ovmf, FOUR_GIB, &o, err);

    if (rc == 0)
        rc = ld_file(&ld, &o, err);
    if (rc == 0)
        memcpy(ret, ld.digest, SNP_DIGEST);
    return rc;
}

/* ---- CPU signatures -------------------------------------------------------
 */

uint32_t snp_cpu_sig(unsigned family, unsigned model, unsigned stepping)
{
    unsigned low = family > 0xf ? 0xf : family;
    unsigned high = family > 0xf ? (family - 0xf) & 0xff : 0;

    return high << 20 | (model >> 4 & 0xf) << 16 | low << 8 |
           (model & 0xf) << 4 | (stepping & 0xf);
}

bool snp_cpu_sig_of_type(const char *type, uint32_t *ret)
{
    static const struct {
        const char *name;
        uint8_t family, model, stepping;
    } types[] = {
            {"EPYC", 23, 1, 2},
            {"EPYC-IBPB", 23, 1, 2},
            {"EPYC-Rome", 23, 49, 0},
            {"EPYC-Milan", 25, 1, 1},
            {"EPYC-Genoa", 25, 17, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        size_t n = strlen(types[i].name);
        const char *rest = type + n;

        /* "EPYC-v4": versions of a model differ in flags alone. */
        if (strncmp(type, types[i].name, n) != 0 ||
                (*rest && (strncmp(rest, "-v", 2) != 0 || rest[2] < '1' ||
                                  rest[2] > '9' || rest[3])))
            continue;
        *ret = snp_cpu_sig(types[i].family, types[i].model, types[i].stepping);
        return true;
    }
    return false;
}
