/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers that a virtual CPU starts with, as one measured page (APM
 * volume 2, table B-4).  Each monitor has its own habits, which the digest
 * shows.
 */
#include "snp_private.h"

enum {
    O_ES = 0x000,
    O_CS = 0x010,
    O_SS = 0x020,
    O_DS = 0x030,
    O_FS = 0x040,
    O_GS = 0x050,
    O_GDTR = 0x060,
    O_LDTR = 0x070,
    O_IDTR = 0x080,
    O_TR = 0x090,
    O_EFER = 0x0d0,
    O_CR4 = 0x148,
    O_CR0 = 0x158,
    O_DR7 = 0x160,
    O_DR6 = 0x168,
    O_RFLAGS = 0x170,
    O_RIP = 0x178,
    O_G_PAT = 0x268,
    O_RDX = 0x310,
    O_SEV_FEATURES = 0x3b0,
    O_XCR0 = 0x3e8,
    O_MXCSR = 0x408,
    O_FCW = 0x410,
};

struct segment {
    uint16_t offset, selector, attributes;
    uint32_t limit, base;
};

static void put(uint8_t *page, size_t offset, uint64_t v, size_t size)
{
    for (size_t i = 0; i < size; i++)
        page[offset + i] = (uint8_t)(v >> (8 * i));
}

static void put_segment(uint8_t *page, const struct segment *s)
{
    put(page, s->offset, s->selector, 2);
    put(page, s->offset + 2u, s->attributes, 2);
    put(page, s->offset + 4u, s->limit, 4);
    put(page, s->offset + 8u, s->base, 8);
}

/* What differs between monitors. */
struct habits {
    uint16_t cs_boot, cs, ss, tr, fcw;
    uint32_t mxcsr;
    uint64_t pat;
    bool own_rdx; /* 0x600 in place of the CPU's signature */
};

static const struct habits habits[] = {
        [SNP_VMM_QEMU] = {.cs_boot = 0x9b,
                .cs = 0x9b,
                .ss = 0x93,
                .tr = 0x8b,
                .fcw = 0x37f,
                .mxcsr = 0x1f80,
                .pat = 0x0007040600070406},
        [SNP_VMM_EC2] = {.cs_boot = 0x9a,
                .cs = 0x9b,
                .ss = 0x92,
                .tr = 0x83,
                .pat = 0x0007040600070406,
                .own_rdx = true},
        [SNP_VMM_GCE] = {.cs_boot = 0x9b,
                .cs = 0x9b,
                .ss = 0x93,
                .tr = 0x8b,
                .pat = 0x00070106,
                .own_rdx = true},
};

static void put_common(uint8_t *page, const struct snp_vmsa *v)
{
    put(page, O_EFER, 0x1000, 8); /* SVME */
    put(page, O_CR4, 0x40, 8);    /* MCE */
    put(page, O_DR7, 0x400, 8);
    put(page, O_DR6, 0xffff0ff0, 8);
    put(page, O_RFLAGS, 2, 8);
    put(page, O_SEV_FEATURES, v->features, 8);
    put(page, O_XCR0, 1, 8);
}

/* Real mode at the reset vector. */
static void put_plain(uint8_t *page, const struct snp_vmsa *v)
{
    const struct habits *h = &habits[v->vmm];
    const struct segment segments[] = {
            {O_ES, 0, 0x93, 0xffff, 0},
            {O_CS, 0xf000, v->is_boot_cpu ? h->cs_boot : h->cs, 0xffff,
                    v->eip & 0xffff0000u},
            {O_SS, 0, h->ss, 0xffff, 0},
            {O_DS, 0, 0x93, 0xffff, 0},
            {O_FS, 0, 0x93, 0xffff, 0},
            {O_GS, 0, 0x93, 0xffff, 0},
            {O_GDTR, 0, 0, 0xffff, 0},
            {O_LDTR, 0, 0x82, 0xffff, 0},
            {O_IDTR, 0, 0, 0xffff, 0},
            {O_TR, 0, h->tr, 0xffff, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(segments); i++)
        put_segment(page, &segments[i]);
    put(page, O_CR0, 0x10, 8);
    put(page, O_RIP, v->eip & 0xffff, 8);
    put(page, O_G_PAT, h->pat, 8);
    put(page, O_RDX, h->own_rdx ? 0x600 : v->vcpu_sig, 8);
    put(page, O_MXCSR, h->mxcsr, 4);
    put(page, O_FCW, h->fcw, 2);
}

/* An SVSM starts in flat 32-bit mode; only QEMU starts one, with FCW 0. */
static void put_svsm(uint8_t *page, const struct snp_vmsa *v)
{
    static const struct segment segments[] = {
            {O_ES, 16, 0xc93, 0xffffffff, 0},
            {O_CS, 8, 0xc9b, 0xffffffff, 0},
            {O_SS, 16, 0xc93, 0xffffffff, 0},
            {O_DS, 16, 0xc93, 0xffffffff, 0},
            {O_FS, 16, 0xc93, 0xffffffff, 0},
            {O_GS, 0, 0x93, 0xffff, 0},
            {O_GDTR, 0, 0, 0xffff, 0},
            {O_LDTR, 0, 0x82, 0xffff, 0},
            {O_IDTR, 0, 0, 0xffff, 0},
            {O_TR, 0, 0x8b, 0xffff, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(segments); i++)
        put_segment(page, &segments[i]);
    put(page, O_CR0, 0x11, 8);
    put(page, O_RIP, v->eip, 8);
    put(page, O_G_PAT, 0x0007040600070406, 8);
    put(page, O_RDX, v->vcpu_sig, 8);
    put(page, O_MXCSR, 0x1f80, 4);
}

void snp_vmsa_page(const struct snp_vmsa *v, uint8_t ret[static SNP_PAGE])
{
    memset(ret, 0, SNP_PAGE);
    put_common(ret, v);
    if (v->mode == SNP_MODE_SVSM)
        put_svsm(ret, v);
    else
        put_plain(ret, v);
}
