/* SPDX-License-Identifier: Apache-2.0 */
/* Launch digests over firmware of our own making, ID blocks, SEV. */
#include "snp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state)
{
    (void)state;
    snp_fixture_init();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    snp_fixture_fini();
    return 0;
}

static void put(uint8_t *p, uint64_t v, size_t size)
{
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* ---- firmware ----------------------------------------------------------- */

#define OVMF_SIZE 8192
#define METADATA  0x400 /* from the end */

static const uint8_t g_footer[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7,
        0x45, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
static const uint8_t g_hashes[16] = {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04,
        0x4b, 0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
static const uint8_t g_reset[16] = {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb,
        0x4f, 0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
static const uint8_t g_metadata[16] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98,
        0x47, 0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};
static const uint8_t g_svsm[16] = {0x12, 0xa6, 0x89, 0xa7, 0x97, 0x05, 0x4b,
        0x4c, 0xa4, 0x9f, 0xcb, 0xb1, 0xfe, 0x9d, 0x1d, 0xdd};
static const uint8_t g_other[16] = {0x42};

/* A firmware whose table grows from its end towards its beginning. */
struct firmware {
    uint8_t bytes[OVMF_SIZE];
    size_t top; /* where the next entry ends */
};

static void entry(
        struct firmware *f, const uint8_t *guid, const void *data, size_t len)
{
    memcpy(f->bytes + f->top - 16, guid, 16);
    put(f->bytes + f->top - 18, len + 18, 2);
    memcpy(f->bytes + f->top - 18 - len, data, len);
    f->top -= len + 18;
}

static void entry_u32(struct firmware *f, const uint8_t *guid, uint32_t v)
{
    uint8_t b[4];

    put(b, v, 4);
    entry(f, guid, b, 4);
}

struct section {
    uint32_t gpa, size, type;
};

static const struct section usual[] = {{0x800000, 0x3000, 1},
        {0x80b000, 0x1000, 2}, {0x80c000, 0x1000, 3}, {0x80d000, 0x1000, 0x10}};

static void sections(struct firmware *f, const struct section *s, size_t n)
{
    uint8_t *p = f->bytes + OVMF_SIZE - METADATA;

    memcpy(p, "ASEV", 4);
    put(p + 4, 16 + 12 * n, 4);
    put(p + 8, 1, 4);
    put(p + 12, n, 4);
    for (size_t i = 0; i < n; i++) {
        put(p + 16 + i * 12, s[i].gpa, 4);
        put(p + 20 + i * 12, s[i].size, 4);
        put(p + 24 + i * 12, s[i].type, 4);
    }
}

static void begin(struct firmware *f)
{
    memset(f, 0, sizeof(*f));
    memset(f->bytes, 0xc3, 1024);
    f->top = OVMF_SIZE - 32 - 18;
}

/* The footer: its length covers all entries and itself. */
static void finish(struct firmware *f)
{
    memcpy(f->bytes + OVMF_SIZE - 48, g_footer, 16);
    put(f->bytes + OVMF_SIZE - 50, OVMF_SIZE - 32 - f->top, 2);
}

static void usual_firmware(struct firmware *f)
{
    static const uint8_t hashes[8] = {0x00, 0xdc, 0x80, 0, 0x00, 0x04, 0, 0};

    begin(f);
    entry_u32(f, g_metadata, METADATA);
    entry(f, g_hashes, hashes, sizeof(hashes)); /* at 80dc00 */
    entry_u32(f, g_reset, 0x80b004);
    entry_u32(f, g_other, 7);
    finish(f);
    sections(f, usual, ARRAY_LEN(usual));
}

static void the_footer_is_walked_backwards(void **state)
{
    struct firmware f;
    struct snp_ovmf o;

    (void)state;
    usual_firmware(&f);
    assert_int_equal(snp_ovmf_parse(SPAN_OF(f.bytes), 1ull << 32, &o, NULL), 0);
    assert_true(o.has_hashes && o.has_reset && !o.has_svsm);
    assert_int_equal(o.gpa, 0xffffe000);
    assert_int_equal(o.hashes_gpa, 0x80dc00);
    assert_int_equal(o.hashes_size, 0x400);
    assert_int_equal(o.reset_eip, 0x80b004);
    assert_int_equal(o.n_sections, 4);
    assert_int_equal(o.sections[3].type, SNP_SECTION_KERNEL_HASHES);
    /* A file that has no table says nothing, and is not an error. */
    f.bytes[OVMF_SIZE - 40] ^= 1;
    assert_int_equal(snp_ovmf_parse(SPAN_OF(f.bytes), 1ull << 32, &o, NULL), 0);
    assert_true(!o.has_hashes && !o.has_reset && o.n_sections == 0);
    for (size_t len = 0; len < 50; len++)
        assert_int_equal(
                snp_ovmf_parse(SPAN(f.bytes, len), 1ull << 32, &o, NULL), 0);
}

static void refused(const struct firmware *f, const char *what)
{
    struct snp_ovmf o;

    if (snp_ovmf_parse(SPAN_OF(f->bytes), 1ull << 32, &o, NULL) == 0)
        fail_msg("%s", what);
}

static void a_table_that_points_outside_is_refused(void **state)
{
    uint8_t *p;
    struct firmware f;

    (void)state;
    usual_firmware(&f);
    put(f.bytes + OVMF_SIZE - 50, 0xffff, 2);
    refused(&f, "a table larger than the file");
    put(f.bytes + OVMF_SIZE - 50, 17, 2);
    refused(&f, "a table smaller than its footer");
    usual_firmware(&f);
    put(f.bytes + OVMF_SIZE - 50, OVMF_SIZE - 32 - f.top + 5, 2);
    refused(&f, "a rest that is no entry");
    usual_firmware(&f);
    put(f.bytes + OVMF_SIZE - 68, 17, 2);
    refused(&f, "an entry smaller than its head");
    put(f.bytes + OVMF_SIZE - 68, 0x7fff, 2);
    refused(&f, "an entry larger than the table");
    for (unsigned i = 0; i < 4; i++) {
        static const uint8_t *const guids[] = {
                g_metadata, g_hashes, g_reset, g_svsm};

        begin(&f);
        sections(&f, usual, 1);
        entry_u32(&f, guids[i], METADATA);
        entry_u32(&f, guids[i], METADATA);
        finish(&f);
        refused(&f, "an entry twice");
        begin(&f);
        entry(&f, guids[i], "abc", 3);
        finish(&f);
        refused(&f, "an entry that is too short");
    }
    usual_firmware(&f);
    p = f.bytes + OVMF_SIZE - METADATA;
    p[0] = 'B';
    refused(&f, "metadata of another name");
    usual_firmware(&f);
    put(p + 8, 2, 4);
    refused(&f, "metadata of version 2");
    usual_firmware(&f);
    put(p + 12, 5, 4);
    refused(&f, "more sections than fit");
    put(p + 12, 0xffffffff, 4);
    refused(&f, "sections without end");
    put(p + 12, 4, 4);
    put(p + 4, 0xfffffff0, 4);
    refused(&f, "metadata larger than the file");
    put(p + 4, 8, 4);
    refused(&f, "metadata smaller than its head");
    begin(&f);
    entry_u32(&f, g_metadata, OVMF_SIZE + 1);
    finish(&f);
    refused(&f, "metadata before the file");
    begin(&f);
    entry_u32(&f, g_metadata, 8);
    finish(&f);
    refused(&f, "metadata cut by the end");
}

static void endless_tables_are_refused(void **state)
{
    struct firmware f;

    (void)state;
    begin(&f);
    for (size_t i = 0; i < 65; i++)
        entry(&f, g_other, "", 0);
    finish(&f);
    refused(&f, "65 entries");
}

/* ---- digests ------------------------------------------------------------ */

static struct snp_kernel kernel;

static struct snp_launch usual_launch(const struct firmware *f)
{
    snp_kernel_hash(span_str("kernel"), span_str("initrd"),
            span_str("console=ttyS0"), &kernel);
    return (struct snp_launch){.mode = SNP_MODE_SNP,
            .ovmf = SPAN_OF(f->bytes),
            .kernel = &kernel,
            .vcpus = 4,
            .vcpu_sig = 0x800f12,
            .features = 1};
}

static void digest(const struct snp_launch *l, uint8_t ret[SNP_DIGEST])
{
    struct err err = {0};
    size_t len;

    memset(ret, 0, SNP_DIGEST);
    if (snp_launch_digest(l, ret, &len, &err) != 0)
        fail_msg("%s", err.msg);
    assert_int_equal(len, l->mode < SNP_MODE_SNP ? 32 : 48);
}

#define SAME  0
#define OTHER 1
#define CHANGES(mode_, change, want)                                           \
    do {                                                                       \
        struct snp_launch l = usual_launch(&f);                                \
        uint8_t a[SNP_DIGEST], b[SNP_DIGEST];                                  \
                                                                               \
        l.mode = mode_;                                                        \
        digest(&l, a);                                                         \
        change;                                                                \
        digest(&l, b);                                                         \
        if ((memcmp(a, b, SNP_DIGEST) != 0) != (want))                         \
            fail_msg(#mode_ ": " #change);                                     \
        usual_firmware(&f);                                                    \
    } while (0)

static void everything_measured_changes_the_digest(void **state)
{
    struct firmware f;

    (void)state;
    usual_firmware(&f);
    CHANGES(SNP_MODE_SNP, (void)0, SAME);
    CHANGES(SNP_MODE_SNP, f.bytes[0] ^= 1, OTHER);
    CHANGES(SNP_MODE_SNP, f.bytes[OVMF_SIZE - 1] ^= 1, OTHER);
    CHANGES(SNP_MODE_SNP, kernel.kernel[0] ^= 1, OTHER);
    CHANGES(SNP_MODE_SNP, kernel.initrd[31] ^= 1, OTHER);
    CHANGES(SNP_MODE_SNP, kernel.cmdline[5] ^= 1, OTHER);
    CHANGES(SNP_MODE_SNP, l.kernel = NULL, OTHER);
    CHANGES(SNP_MODE_SNP, l.vcpus = 5, OTHER);
    CHANGES(SNP_MODE_SNP, l.vcpu_sig++, OTHER);
    CHANGES(SNP_MODE_SNP, l.features = 0x21, OTHER);
    CHANGES(SNP_MODE_SNP, l.vmm = SNP_VMM_EC2, OTHER);
    CHANGES(SNP_MODE_SNP, l.vmm = SNP_VMM_GCE, OTHER);
    CHANGES(SNP_MODE_SEV, f.bytes[0] ^= 1, OTHER);
    CHANGES(SNP_MODE_SEV, kernel.cmdline[5] ^= 1, OTHER);
    CHANGES(SNP_MODE_SEV, l.kernel = NULL, OTHER);
    CHANGES(SNP_MODE_SEV_ES, l.vcpus = 5, OTHER);
    CHANGES(SNP_MODE_SEV_ES, l.vcpu_sig++, OTHER);
    CHANGES(SNP_MODE_SEV_ES, l.vmm = SNP_VMM_EC2, OTHER);
    /* What it does not depend on. */
    CHANGES(SNP_MODE_SEV, l.vcpus = 5, SAME);
    CHANGES(SNP_MODE_SEV_ES, l.features = 0x21, SAME);
}

static void a_digest_of_ovmf_stands_for_ovmf(void **state)
{
    uint8_t ovmf[SNP_DIGEST], a[SNP_DIGEST], b[SNP_DIGEST];
    struct firmware f;
    struct snp_launch l;

    (void)state;
    usual_firmware(&f);
    l = usual_launch(&f);
    digest(&l, a);
    assert_int_equal(snp_launch_ovmf(l.ovmf, ovmf, NULL), 0);
    l.ovmf_digest = ovmf;
    digest(&l, b);
    assert_memory_equal(a, b, SNP_DIGEST);
    f.bytes[0] ^= 1; /* its table alone is used now */
    digest(&l, b);
    assert_memory_equal(a, b, SNP_DIGEST);
}

static void cmdlines_end_in_one_nul(void **state)
{
    struct snp_kernel a, b;

    (void)state;
    snp_kernel_hash(SPAN_EMPTY, SPAN_EMPTY, span_str("quiet"), &a);
    snp_kernel_hash(SPAN_EMPTY, SPAN_EMPTY, SPAN("quiet", 6), &b);
    assert_memory_not_equal(a.cmdline, b.cmdline, 32);
    crypto_sha256(SPAN("quiet", 6), b.cmdline);
    assert_memory_equal(a.cmdline, b.cmdline, 32);
}

static void no_digest(const struct snp_launch *l, const char *what)
{
    uint8_t d[SNP_DIGEST] = {0xee};
    size_t len = 99;

    if (snp_launch_digest(l, d, &len, NULL) == 0)
        fail_msg("%s", what);
    assert_int_equal(d[0], 0xee);
    assert_int_equal(len, 99);
}

static void launches_that_cannot_be_are_refused(void **state)
{
    static const struct section odd[] = {{0x800000, 0x1001, 1}},
                                unaligned[] = {{0x800010, 0x1000, 1}},
                                huge[] = {{0, 0xfffff000, 1}},
                                unknown[] = {{0x800000, 0x1000, 9}},
                                two[] = {{0x80d000, 0x2000, 0x10}};
    const struct {
        const char *what;
        const struct section *s;
        size_t n;
    } bad[] = {{"half a page", odd, 1}, {"between two pages", unaligned, 1},
            {"all of memory", huge, 1}, {"an unknown section", unknown, 1},
            {"two pages for kernel hashes", two, 1},
            {"no place for kernel hashes", usual, 3}};
    struct firmware f;
    struct snp_launch l;

    (void)state;
    usual_firmware(&f);
    l = usual_launch(&f);
    l.vcpus = 0;
    no_digest(&l, "no CPU");
    l.vcpus = SNP_VCPUS_MAX + 1;
    no_digest(&l, "too many CPUs");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        usual_firmware(&f);
        l = usual_launch(&f);
        if (i < 4) /* it is the section that is wrong, nothing else */
            l.kernel = NULL;
        sections(&f, bad[i].s, bad[i].n);
        no_digest(&l, bad[i].what);
    }
    usual_firmware(&f);
    l = usual_launch(&f);
    l.ovmf.len = OVMF_SIZE - 1;
    l.ovmf.ptr++;
    no_digest(&l, "firmware that is not whole pages");
    begin(&f);
    entry_u32(&f, g_metadata, METADATA);
    finish(&f);
    sections(&f, usual, 3);
    l = usual_launch(&f);
    l.kernel = NULL;
    no_digest(&l, "no reset block");
    l.mode = SNP_MODE_SEV_ES;
    no_digest(&l, "no reset block for SEV-ES");
    l.mode = SNP_MODE_SEV;
    l.kernel = &kernel;
    no_digest(&l, "no place for kernel hashes in SEV");
}

static void kernel_hashes_that_do_not_fit_their_page_are_refused(void **state)
{
    static const uint8_t late[8] = {0x51, 0xdf, 0x80, 0, 0, 4, 0, 0};
    static const uint8_t last[8] = {0x50, 0xdf, 0x80, 0, 0, 4, 0, 0};
    struct firmware f;
    struct snp_launch l;

    (void)state;
    for (int i = 0; i < 2; i++) {
        begin(&f);
        entry_u32(&f, g_metadata, METADATA);
        entry(&f, g_hashes, i ? last : late, 8);
        entry_u32(&f, g_reset, 0x80b004);
        finish(&f);
        sections(&f, usual, ARRAY_LEN(usual));
        l = usual_launch(&f);
        if (i) {
            uint8_t d[SNP_DIGEST];

            digest(&l, d);
        } else {
            no_digest(&l, "behind its page");
        }
    }
}

static void svsm_is_measured_below_ovmf(void **state)
{
    static const struct section caa[] = {{0x800000, 0x1000, 4},
            {0x801000, 0x1000, 2}, {0x802000, 0x1000, 3}};
    static struct firmware f, s;
    uint8_t a[SNP_DIGEST], b[SNP_DIGEST];
    struct snp_launch l;

    (void)state;
    usual_firmware(&f);
    begin(&s);
    entry_u32(&s, g_metadata, METADATA);
    entry_u32(&s, g_svsm, 0x40);
    finish(&s);
    sections(&s, caa, ARRAY_LEN(caa));
    l = usual_launch(&f);
    l.mode = SNP_MODE_SVSM;
    l.kernel = NULL;
    l.svsm = SPAN_OF(s.bytes);
    l.ovmf_vars_size = 0x84000;
    digest(&l, a);
    l.ovmf_vars_size = 0x85000;
    digest(&l, b);
    assert_memory_not_equal(a, b, SNP_DIGEST);
    l.ovmf_vars_size = 1ull << 32;
    no_digest(&l, "no room");
    l.ovmf_vars_size = 0x84000;
    s.bytes[0] ^= 1;
    digest(&l, b);
    assert_memory_not_equal(a, b, SNP_DIGEST);
    begin(&s);
    entry_u32(&s, g_metadata, METADATA);
    entry_u32(&s, g_svsm, OVMF_SIZE);
    finish(&s);
    sections(&s, caa, ARRAY_LEN(caa));
    no_digest(&l, "a start behind its end");
    l.vmm = SNP_VMM_EC2;
    no_digest(&l, "another monitor");
    l.vmm = SNP_VMM_QEMU;
    l.kernel = &kernel;
    no_digest(&l, "with a kernel");
    l.kernel = NULL;
    l.svsm = SPAN_OF(f.bytes);
    no_digest(&l, "no SVSM");
}

static void cpu_signatures_are_cpuid_eax(void **state)
{
    static const struct {
        const char *type;
        uint32_t sig; /* 0: not known */
    } types[] = {{"EPYC", 0x800f12}, {"EPYC-v4", 0x800f12},
            {"EPYC-IBPB", 0x800f12}, {"EPYC-Rome", 0x830f10},
            {"EPYC-Milan", 0xa00f11}, {"EPYC-Milan-v2", 0xa00f11},
            {"EPYC-Genoa", 0xa10f10}, {"EPYC-v", 0}, {"EPYC-v10", 0},
            {"EPYC-Milano", 0}, {"epyc", 0}, {"", 0}, {"EPYC-", 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        uint32_t sig = 0;

        assert_int_equal(
                snp_cpu_sig_of_type(types[i].type, &sig), types[i].sig != 0);
        assert_int_equal(sig, types[i].sig);
    }
    assert_int_equal(snp_cpu_sig(0x1a, 2, 1), 0xb00f21);
    assert_int_equal(snp_cpu_sig(6, 15, 11), 0x6fb);
}

/* ---- ID blocks ---------------------------------------------------------- */

static struct {
    uint8_t block[SNP_ID_BLOCK_SIZE], auth[SNP_ID_AUTH_SIZE];
} id;

#define ID_SIG     64
#define ID_KEY     (ID_SIG + 512)
#define AUTHOR_SIG (ID_KEY + SNP_ID_KEY_SIZE + 60)
#define AUTHOR_KEY (AUTHOR_SIG + 512)

static void make_id(bool author)
{
    memset(&id, 0, sizeof(id));
    memset(id.block, 0x9e, SNP_DIGEST);
    put(id.block + 80, 1, 4);
    put(id.block + 84, 7, 4);
    put(id.block + 88, 0x30000, 8);
    put(id.auth, 1, 4);
    put(id.auth + ID_KEY, 2, 4);
    snp_fixture_point(SNP_FIXTURE_VEK, id.auth + ID_KEY + 4);
    snp_fixture_ecdsa(SPAN_OF(id.block), SNP_FIXTURE_VEK, id.auth + ID_SIG);
    if (!author)
        return;
    put(id.auth + 4, 1, 4);
    put(id.auth + AUTHOR_KEY, 2, 4);
    snp_fixture_point(SNP_FIXTURE_OTHER, id.auth + AUTHOR_KEY + 4);
    snp_fixture_ecdsa(SPAN(id.auth + ID_KEY, SNP_ID_KEY_SIZE),
            SNP_FIXTURE_OTHER, id.auth + AUTHOR_SIG);
}

static void id_blocks_are_signed_as_a_chain(void **state)
{
    uint8_t want[SNP_DIGEST];
    struct snp_id_auth a;

    (void)state;
    for (int author = 0; author < 2; author++) {
        make_id(author);
        assert_int_equal(
                snp_id_verify(SPAN_OF(id.block), SPAN_OF(id.auth), &a, NULL),
                0);
        assert_int_equal(a.has_author, author);
        crypto_hash(
                CRYPTO_SHA384, SPAN(id.auth + ID_KEY, SNP_ID_KEY_SIZE), want);
        assert_memory_equal(a.id_key_digest, want, SNP_DIGEST);
    }
    crypto_hash(
            CRYPTO_SHA384, SPAN(id.auth + AUTHOR_KEY, SNP_ID_KEY_SIZE), want);
    assert_memory_equal(a.author_key_digest, want, SNP_DIGEST);
}

static void any_flipped_byte_of_an_id_block_is_refused(void **state)
{
    struct snp_id_auth a;

    (void)state;
    make_id(true);
    for (size_t i = 0; i < sizeof(id); i++) {
        uint8_t *p = (uint8_t *)&id + i;

        *p ^= 1;
        if (snp_id_verify(SPAN_OF(id.block), SPAN_OF(id.auth), &a, NULL) == 0)
            fail_msg("byte %zu", i);
        *p ^= 1;
    }
    for (size_t len = 0; len < SNP_ID_BLOCK_SIZE; len++)
        assert_int_equal(
                snp_id_verify(SPAN(id.block, len), SPAN_OF(id.auth), &a, NULL),
                ERR_SYNTAX);
    assert_int_equal(snp_id_verify(SPAN_OF(id.block),
                             SPAN(id.auth, SNP_ID_AUTH_SIZE - 1), &a, NULL),
            ERR_SYNTAX);
    /* An author half taken out is not "no author". */
    memset(id.auth + AUTHOR_KEY, 0, SNP_ID_KEY_SIZE);
    assert_int_not_equal(
            snp_id_verify(SPAN_OF(id.block), SPAN_OF(id.auth), &a, NULL), 0);
}

static void a_report_is_compared_with_all_of_its_id_block(void **state)
{
    uint8_t b[SNP_REPORT_SIZE];
    static const uint16_t fields[] = {
            0x004, 0x008, 0x010, 0x020, 0x048, 0x090, 0x0e0, 0x110};
    struct snp_id_block block;
    struct snp_report r;
    struct snp_id_auth a;

    (void)state;
    make_id(true);
    assert_int_equal(snp_id_block_parse(SPAN_OF(id.block), &block, NULL), 0);
    assert_int_equal(
            snp_id_verify(SPAN_OF(id.block), SPAN_OF(id.auth), &a, NULL), 0);
    snp_fixture_report(b);
    put(b + 4, 7, 4);
    b[0x048] = 1;
    memcpy(b + 0x0e0, a.id_key_digest, SNP_DIGEST);
    memcpy(b + 0x110, a.author_key_digest, SNP_DIGEST);
    assert_int_equal(snp_report_parse(SPAN_OF(b), &r, NULL), 0);
    assert_int_equal(snp_id_check(&r, &block, &a, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        b[fields[i]] ^= 1;
        assert_int_equal(snp_report_parse(SPAN_OF(b), &r, NULL), 0);
        if (snp_id_check(&r, &block, &a, NULL) != ERR_MISMATCH)
            fail_msg("field at %x", fields[i]);
        b[fields[i]] ^= 1;
    }
}

/* ---- SEV ---------------------------------------------------------------- */

static void a_launch_mac_is_hmac_over_all_of_it(void **state)
{
    struct snp_legacy_measure m = {
            .api_major = 1, .api_minor = 55, .build = 31, .policy = 5};
    uint8_t tik[16], mac[32], want[32], *p = (uint8_t *)&m;

    (void)state;
    for (uint8_t i = 0; i < 16; i++) {
        tik[i] = i;
        m.mnonce[i] = (uint8_t)(200 + i);
        m.digest[i] = (uint8_t)(32 + i);
        m.digest[16 + i] = (uint8_t)(48 + i);
    }
    assert_true(text_parse_hex(span_str("917d6d8e7be13a3db53f43676051bcc3"
                                        "79a4e2155f1fb69299902d8980e4157c"),
            want, 32));
    snp_legacy_measure(&m, tik, mac);
    assert_memory_equal(mac, want, 32);
    assert_int_equal(snp_legacy_measure_check(&m, tik, SPAN_OF(mac), NULL), 0);
    assert_int_equal(snp_legacy_measure_check(&m, tik, SPAN(mac, 31), NULL),
            ERR_MISMATCH);
    for (size_t i = 0; i < sizeof(m); i++) {
        if (i == offsetof(struct snp_legacy_measure, build) + 1)
            continue; /* between build and policy there is nothing */
        p[i] ^= 1;
        assert_int_equal(snp_legacy_measure_check(&m, tik, SPAN_OF(mac), NULL),
                ERR_MISMATCH);
        p[i] ^= 1;
    }
    tik[0] ^= 1;
    assert_int_equal(snp_legacy_measure_check(&m, tik, SPAN_OF(mac), NULL),
            ERR_MISMATCH);
}

#define CA_HEAD 64

/* An ARK or ASK in AMD's older format. */
static struct span make_ca_of(uint8_t *b, enum snp_legacy_usage usage,
        enum snp_fixture_key key, enum snp_fixture_key signer,
        uint8_t signer_id)
{
    size_t size = key == SNP_FIXTURE_SMALL ? 256 : 512, n;

    memset(b, 0, CA_HEAD + 3 * 512);
    put(b, 1, 4);
    memset(b + 4, usage == SNP_LEGACY_ARK ? 0xaa : 0xbb, 16);
    memset(b + 20, signer_id, 16);
    put(b + 36, usage, 4);
    put(b + 56, size * 8, 4);
    put(b + 60, size * 8, 4);
    put(b + CA_HEAD, 65537, 4);
    (void)snp_fixture_modulus(key, b + CA_HEAD + size);
    n = snp_fixture_pss(
            SPAN(b, CA_HEAD + 2 * size), signer, b + CA_HEAD + 2 * size);
    return SPAN(b, CA_HEAD + 2 * size + n);
}

static struct span make_ca(uint8_t *b, enum snp_legacy_usage usage,
        enum snp_fixture_key key, enum snp_fixture_key signer)
{
    return make_ca_of(b, usage, key, signer, 0xaa);
}

/* A platform certificate with one signature. */
static void make_legacy(uint8_t b[static SNP_LEGACY_SIZE], uint32_t usage,
        enum snp_fixture_key key, uint32_t signer_usage, uint32_t algo,
        enum snp_fixture_key signer)
{
    memset(b, 0, SNP_LEGACY_SIZE);
    put(b, 1, 4);
    put(b + 8, usage, 4);
    put(b + 12, usage == SNP_LEGACY_PDH ? 3 : 2, 4);
    put(b + 16, 2, 4);
    snp_fixture_point(key, b + 20);
    put(b + SNP_LEGACY_SIGNED, signer_usage, 4);
    put(b + SNP_LEGACY_SIGNED + 4, algo, 4);
    put(b + SNP_LEGACY_SIGNED + 520, SNP_LEGACY_NONE, 4);
    if (algo & 1)
        (void)snp_fixture_pss(
                SPAN(b, SNP_LEGACY_SIGNED), signer, b + SNP_LEGACY_SIGNED + 8);
    else
        snp_fixture_ecdsa(
                SPAN(b, SNP_LEGACY_SIGNED), signer, b + SNP_LEGACY_SIGNED + 8);
}

static void amds_older_cas_chain(void **state)
{
    static uint8_t ark_b[2048], ask_b[2048], evil_b[2048], cek_b[2084];
    struct snp_legacy_ca ark, ask, evil;
    struct snp_legacy cek;
    struct span s;

    (void)state;
    for (int small = 0; small < 2; small++) {
        enum snp_fixture_key key = small ? SNP_FIXTURE_SMALL : SNP_FIXTURE_AMD;

        assert_int_equal(
                snp_legacy_ca_parse(
                        make_ca(ark_b, SNP_LEGACY_ARK, key, key), &ark, NULL),
                0);
        s = make_ca(ask_b, SNP_LEGACY_ASK, key, key);
        assert_int_equal(snp_legacy_ca_parse(s, &ask, NULL), 0);
        assert_int_equal(snp_legacy_ca_signed(&ark, &ark, NULL), 0);
        assert_int_equal(snp_legacy_ca_signed(&ask, &ark, NULL), 0);
        /* An ASK signs no ASK. */
        assert_int_equal(snp_legacy_ca_signed(&ask, &ask, NULL), ERR_MISMATCH);
        for (size_t len = 0; len < s.len; len++)
            assert_int_not_equal(
                    snp_legacy_ca_parse(SPAN(ask_b, len), &evil, NULL), 0);
    }
    assert_int_equal(
            snp_legacy_ca_parse(make_ca(evil_b, SNP_LEGACY_ASK, SNP_FIXTURE_AMD,
                                        SNP_FIXTURE_EVIL),
                    &evil, NULL),
            0);
    assert_int_equal(
            snp_legacy_ca_parse(make_ca(ark_b, SNP_LEGACY_ARK, SNP_FIXTURE_AMD,
                                        SNP_FIXTURE_AMD),
                    &ark, NULL),
            0);
    assert_int_equal(
            snp_legacy_ca_parse(make_ca(ask_b, SNP_LEGACY_ASK, SNP_FIXTURE_AMD,
                                        SNP_FIXTURE_AMD),
                    &ask, NULL),
            0);
    assert_int_equal(snp_legacy_ca_signed(&evil, &ark, NULL), ERR_MISMATCH);
    ask_b[20] ^= 1; /* another signer's id: it is signed, and compared first */
    assert_int_equal(snp_legacy_ca_signed(&ask, &ark, NULL), ERR_MISMATCH);
    ask_b[20] ^= 1;
    /* The ARK's signature over another signer's name; an ASK's over its own. */
    assert_int_equal(
            snp_legacy_ca_parse(make_ca_of(evil_b, SNP_LEGACY_ASK,
                                        SNP_FIXTURE_AMD, SNP_FIXTURE_AMD, 0xcc),
                    &evil, NULL),
            0);
    assert_int_equal(snp_legacy_ca_signed(&evil, &ark, NULL), ERR_MISMATCH);
    assert_int_equal(
            snp_legacy_ca_parse(make_ca_of(evil_b, SNP_LEGACY_ASK,
                                        SNP_FIXTURE_AMD, SNP_FIXTURE_AMD, 0xbb),
                    &evil, NULL),
            0);
    assert_int_equal(snp_legacy_ca_signed(&evil, &evil, NULL), ERR_MISMATCH);
    make_legacy(cek_b, SNP_LEGACY_CEK, SNP_FIXTURE_VEK, SNP_LEGACY_ASK, 0x101,
            SNP_FIXTURE_AMD);
    assert_int_equal(snp_legacy_parse(SPAN_OF(cek_b), &cek, NULL), 0);
    assert_int_equal(snp_legacy_signed_by_ca(&cek, &ask, NULL), 0);
    assert_int_equal(snp_legacy_signed_by_ca(&cek, &ark, NULL), ERR_MISMATCH);
    make_legacy(cek_b, SNP_LEGACY_CEK, SNP_FIXTURE_VEK, SNP_LEGACY_ASK, 0x101,
            SNP_FIXTURE_EVIL);
    assert_int_equal(snp_legacy_signed_by_ca(&cek, &ask, NULL), ERR_MISMATCH);
}

static void a_whole_platform_leads_to_amd(void **state)
{
    static uint8_t ark_b[2048], ask_b[2048], b[4][2084];
    struct snp_legacy pdh, pek, oca, cek;
    struct snp_legacy_ca ark, ask;
    bool is_amd = false;

    (void)state;
    assert_int_equal(
            snp_legacy_ca_parse(make_ca(ark_b, SNP_LEGACY_ARK, SNP_FIXTURE_AMD,
                                        SNP_FIXTURE_AMD),
                    &ark, NULL),
            0);
    assert_int_equal(
            snp_legacy_ca_parse(make_ca(ask_b, SNP_LEGACY_ASK, SNP_FIXTURE_AMD,
                                        SNP_FIXTURE_AMD),
                    &ask, NULL),
            0);
    make_legacy(b[0], SNP_LEGACY_PDH, SNP_FIXTURE_OTHER, SNP_LEGACY_PEK, 2,
            SNP_FIXTURE_VEK);
    make_legacy(b[1], SNP_LEGACY_PEK, SNP_FIXTURE_VEK, SNP_LEGACY_CEK, 2,
            SNP_FIXTURE_OTHER);
    make_legacy(b[2], SNP_LEGACY_OCA, SNP_FIXTURE_VEK, SNP_LEGACY_OCA, 2,
            SNP_FIXTURE_VEK);
    make_legacy(b[3], SNP_LEGACY_CEK, SNP_FIXTURE_OTHER, SNP_LEGACY_ASK, 0x101,
            SNP_FIXTURE_AMD);
    /* The fixture signs ECDSA with SHA-384: say so. */
    for (size_t i = 0; i < 4; i++) {
        if (i < 3)
            put(b[i] + SNP_LEGACY_SIGNED + 4, 0x102, 4);
        put(b[i] + 12, i == 0 ? 0x103 : 0x102, 4);
    }
    snp_fixture_ecdsa(SPAN(b[0], SNP_LEGACY_SIGNED), SNP_FIXTURE_VEK,
            b[0] + SNP_LEGACY_SIGNED + 8);
    snp_fixture_ecdsa(SPAN(b[1], SNP_LEGACY_SIGNED), SNP_FIXTURE_OTHER,
            b[1] + SNP_LEGACY_SIGNED + 8);
    snp_fixture_ecdsa(SPAN(b[2], SNP_LEGACY_SIGNED), SNP_FIXTURE_VEK,
            b[2] + SNP_LEGACY_SIGNED + 8);
    (void)snp_fixture_pss(SPAN(b[3], SNP_LEGACY_SIGNED), SNP_FIXTURE_AMD,
            b[3] + SNP_LEGACY_SIGNED + 8);
    /* The second signature of the PEK: by its owner. */
    put(b[1] + SNP_LEGACY_SIGNED + 520, SNP_LEGACY_OCA, 4);
    put(b[1] + SNP_LEGACY_SIGNED + 524, 0x102, 4);
    snp_fixture_ecdsa(SPAN(b[1], SNP_LEGACY_SIGNED), SNP_FIXTURE_VEK,
            b[1] + SNP_LEGACY_SIGNED + 528);
    assert_int_equal(snp_legacy_parse(SPAN_OF(b[0]), &pdh, NULL), 0);
    assert_int_equal(snp_legacy_parse(SPAN_OF(b[1]), &pek, NULL), 0);
    assert_int_equal(snp_legacy_parse(SPAN_OF(b[2]), &oca, NULL), 0);
    assert_int_equal(snp_legacy_parse(SPAN_OF(b[3]), &cek, NULL), 0);
    assert_int_equal(
            snp_legacy_chain(&pdh, &pek, &oca, &cek, &ask, &ark, &is_amd, NULL),
            0);
    assert_true(is_amd);
    is_amd = false;
    assert_int_equal(
            snp_legacy_chain(&pdh, &pek, &oca, &cek, &ask, &ask, &is_amd, NULL),
            ERR_MISMATCH);
    assert_int_equal(
            snp_legacy_chain(&pdh, &pek, &oca, &cek, &ark, &ark, &is_amd, NULL),
            ERR_MISMATCH);
    assert_false(is_amd);
}

static void fields_of_a_legacy_certificate_are_strict(void **state)
{
    static const struct {
        const char *what;
        uint16_t at;
        uint8_t value;
    } bad[] = {{"version 2", 0, 2}, {"reserved", 6, 1}, {"reserved", 7, 1},
            {"usage ARK", 9, 0x00}, {"usage of nobody", 8, 0x05},
            {"algorithm 0", 12, 0}, {"algorithm 4", 12, 4},
            {"algorithm 202", 13, 2}, {"slot of nobody", 0x414, 0x77},
            {"slot without algorithm", 0x418, 0},
            {"an empty slot with bytes", 0x700, 1},
            {"an empty slot with an algorithm", 0x620, 2}};
    uint8_t good[SNP_LEGACY_SIZE], b[SNP_LEGACY_SIZE];
    struct snp_legacy c;

    (void)state;
    make_legacy(good, SNP_LEGACY_CEK, SNP_FIXTURE_VEK, SNP_LEGACY_ASK, 0x101,
            SNP_FIXTURE_AMD);
    assert_int_equal(snp_legacy_parse(SPAN_OF(good), &c, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        memcpy(b, good, sizeof(b));
        b[bad[i].at] = bad[i].value;
        if (snp_legacy_parse(SPAN_OF(b), &c, NULL) == 0)
            fail_msg("%s", bad[i].what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_footer_is_walked_backwards),
            cmocka_unit_test(a_table_that_points_outside_is_refused),
            cmocka_unit_test(endless_tables_are_refused),
            cmocka_unit_test(everything_measured_changes_the_digest),
            cmocka_unit_test(a_digest_of_ovmf_stands_for_ovmf),
            cmocka_unit_test(cmdlines_end_in_one_nul),
            cmocka_unit_test(launches_that_cannot_be_are_refused),
            cmocka_unit_test(
                    kernel_hashes_that_do_not_fit_their_page_are_refused),
            cmocka_unit_test(svsm_is_measured_below_ovmf),
            cmocka_unit_test(cpu_signatures_are_cpuid_eax),
            cmocka_unit_test(id_blocks_are_signed_as_a_chain),
            cmocka_unit_test(any_flipped_byte_of_an_id_block_is_refused),
            cmocka_unit_test(a_report_is_compared_with_all_of_its_id_block),
            cmocka_unit_test(a_launch_mac_is_hmac_over_all_of_it),
            cmocka_unit_test(amds_older_cas_chain),
            cmocka_unit_test(a_whole_platform_leads_to_amd),
            cmocka_unit_test(fields_of_a_legacy_certificate_are_strict),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
