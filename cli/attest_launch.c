/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_snp.h"
#include "buf.h"
#include "cli_json.h"
#include "snp.h"

#include <fcntl.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* A kernel or an initrd: as large as memory lets QEMU have them. */
#define FILE_MAX_BYTES (1u << 30)
/* SNP alone, as QEMU has it. */
#define FEATURES_DEFAULT 1
/* What a host may do with the same files: sizes of a guest, kinds of CPU. */
#define SIZES_MAX 512
#define CPUS_MAX  16

struct launch_options {
    const char *ovmf, *kernel, *initrd, *append, *svsm;
    const char *vcpus, *features, *vars_size, *mode, *vmm;
    size_t n_cpus;
    const char *cpu[CPUS_MAX]; /* types and signatures */
    bool json;
};

#define AT(member) offsetof(struct launch_options, member)

static const struct {
    const char *name;
    size_t at;
} table[] = {
        {"ovmf", AT(ovmf)},
        {"kernel", AT(kernel)},
        {"initrd", AT(initrd)},
        {"append", AT(append)},
        {"svsm", AT(svsm)},
        {"vcpus", AT(vcpus)},
        {"features", AT(features)},
        {"vars-size", AT(vars_size)},
        {"mode", AT(mode)},
        {"vmm", AT(vmm)},
};

static int parse(
        struct cli *cli, int argc, char **argv, struct launch_options *ret)
{
    struct option options[ARRAY_LEN(table) + 3] = {0};
    int c;

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        options[i] = (struct option){
                table[i].name, required_argument, NULL, 256 + (int)i};
    options[ARRAY_LEN(table)] = (struct option){"json", no_argument, NULL, 'j'};
    options[ARRAY_LEN(table) + 1] =
            (struct option){"cpu", required_argument, NULL, 'c'};
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'j')
            ret->json = true;
        else if (c == 'c' && ret->n_cpus < CPUS_MAX)
            ret->cpu[ret->n_cpus++] = optarg;
        else if (c < 256)
            return cli_misuse(cli, "unknown option, or too many of one");
        else
            memcpy((char *)ret + table[c - 256].at, &optarg, sizeof(optarg));
    }
    if (optind != argc || !ret->ovmf || !ret->vcpus)
        return cli_misuse(cli, "--ovmf and --vcpus are needed");
    if ((ret->initrd || ret->append) && !ret->kernel)
        return cli_misuse(cli, "--initrd and --append go with --kernel");
    return CLI_OK;
}

/* ---- words -------------------------------------------------------------- */

struct word {
    const char *word;
    int value;
};

static const struct word modes[] = {{"snp", SNP_MODE_SNP},
        {"sev", SNP_MODE_SEV}, {"sev-es", SNP_MODE_SEV_ES},
        {"svsm", SNP_MODE_SVSM}, {NULL, 0}};
static const struct word vmms[] = {{"qemu", SNP_VMM_QEMU}, {"ec2", SNP_VMM_EC2},
        {"gce", SNP_VMM_GCE}, {NULL, 0}};

/* The first one when none is said. */
static int look_up(const struct word *words, const char *word, const char *what,
        int *ret, struct err *err)
{
    for (size_t i = 0; words[i].word; i++) {
        if (!word || strcmp(words[i].word, word) == 0) {
            *ret = words[i].value;
            return 0;
        }
    }
    return err_set(err, ERR_USAGE, "--%s: no '%s'", what, word);
}

/* Decimal, or 0x and hex: signatures and features are written so. */
static int number(const char *text, uint64_t max, const char *what,
        uint64_t *ret, struct err *err)
{
    char *end = NULL;

    if (!text)
        return 0;
    *ret = strtoull(text, &end, 0);
    if (*text < '0' || *text > '9' || *end || *ret > max)
        return err_set(err, ERR_USAGE, "--%s: no number: '%s'", what, text);
    return 0;
}

/* "4", "1-8", "1,2,4": ascending. */
static int take_sizes(
        const char *text, uint32_t *size, size_t *ret_n, struct err *err)
{
    uint64_t from, until, last = 0;
    size_t n = 0;

    for (const char *p = text;; p++) {
        char *end;

        from = until = *p >= '1' && *p <= '9' ? strtoull(p, &end, 10) : 0;
        if (from && *end == '-')
            until = strtoull(end + 1, &end, 10);
        if (from <= last || until < from || until > SNP_VCPUS_MAX ||
                until - from >= SIZES_MAX - n)
            break;
        for (last = until; from <= until; from++)
            size[n++] = (uint32_t)from;
        p = end;
        if (!*p) {
            *ret_n = n;
            return 0;
        }
        if (*p != ',')
            break;
    }
    return err_set(err, ERR_USAGE,
            "--vcpus takes 4, 1-8 or 1,2,4, at most %d of them, up to %d",
            SIZES_MAX, SNP_VCPUS_MAX);
}

static int cpu_sig(const char *cpu, uint32_t *ret, struct err *err)
{
    uint64_t v;

    if (snp_cpu_sig_of_type(cpu, ret))
        return 0;
    if (number(cpu, UINT32_MAX, "cpu", &v, err) != 0)
        return err_set(err, ERR_USAGE,
                "--cpu EPYC-Milan and so on, or what CPUID 1 has in EAX");
    *ret = (uint32_t)v;
    return 0;
}

static int take_numbers(
        const struct launch_options *o, struct snp_launch *l, struct err *err)
{
    int mode, vmm, r = look_up(modes, o->mode, "mode", &mode, err);

    l->features = FEATURES_DEFAULT;
    if (r == 0)
        r = look_up(vmms, o->vmm, "vmm", &vmm, err);
    if (r == 0)
        r = number(o->features, UINT64_MAX, "features", &l->features, err);
    if (r == 0)
        r = number(
                o->vars_size, UINT32_MAX, "vars-size", &l->ovmf_vars_size, err);
    if (r != 0)
        return r;
    l->mode = (enum snp_mode)mode;
    l->vmm = (enum snp_vmm)vmm;
    /* EC2 and GCE have a value of their own there, SEV nothing. */
    if (o->n_cpus == 0 && l->vmm == SNP_VMM_QEMU && l->mode != SNP_MODE_SEV)
        return err_set(err, ERR_USAGE,
                "--cpu EPYC-Milan and so on: the digest "
                "depends on it");
    return 0;
}

/* ---- files -------------------------------------------------------------- */

static int load(const char *path, size_t cap, struct buf *ret, struct err *err)
{
    *ret = BUF_INIT(cap);
    return path ? buf_load(ret, AT_FDCWD, path, err) : 0;
}

static int hash_kernel(
        const struct launch_options *o, struct snp_kernel *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf kernel = {0}, initrd = {0};
    int r = load(o->kernel, FILE_MAX_BYTES, &kernel, err);

    if (r == 0)
        r = load(o->initrd, FILE_MAX_BYTES, &initrd, err);
    if (r == 0)
        snp_kernel_hash(buf_span(&kernel), buf_span(&initrd),
                span_str(o->append ? o->append : ""), ret);
    return r;
}

/* ---- digests ------------------------------------------------------------ */

struct answers {
    const struct launch_options *o;
    json_t *list; /* or NULL: printed */
};

static int answer(struct answers *a, const struct snp_launch *l,
        const char *cpu, struct err *err)
{
    char hex[TEXT_HEX_SIZE(SNP_DIGEST)];
    uint8_t digest[SNP_DIGEST];
    size_t len;
    int r = snp_launch_digest(l, digest, &len, err);

    if (r != 0)
        return r;
    text_format_hex(SPAN(digest, len), hex);
    if (!a->o->json) {
        (void)printf("%s  vcpus %u%s%s\n", hex, l->vcpus, cpu ? ", " : "",
                cpu ? cpu : "");
        return 0;
    }
    if (json_array_append_new(a->list,
                json_pack("{s:s, s:I, s:s}", "digest", hex, "vcpus",
                        (json_int_t)l->vcpus, "cpu", cpu ? cpu : "")) != 0)
        return err_set(err, ERR_MEMORY, "no memory");
    return 0;
}

/* Each size with each CPU; OVMF itself is hashed once. */
static int answer_all(struct answers *a, struct snp_launch *l, struct err *err)
{
    const struct launch_options *o = a->o;
    uint8_t ovmf[SNP_DIGEST];
    uint32_t size[SIZES_MAX];
    size_t n = 0;
    int r = take_sizes(o->vcpus, size, &n, err);

    if (r == 0 && l->mode == SNP_MODE_SNP) {
        r = snp_launch_ovmf(l->ovmf, ovmf, err);
        l->ovmf_digest = ovmf;
    }
    for (size_t c = 0; r == 0 && c < (o->n_cpus ? o->n_cpus : 1); c++) {
        const char *cpu = o->n_cpus ? o->cpu[c] : NULL;

        if (cpu)
            r = cpu_sig(cpu, &l->vcpu_sig, err);
        for (size_t i = 0; r == 0 && i < n; i++) {
            l->vcpus = size[i];
            r = answer(a, l, cpu, err);
        }
    }
    return r;
}

static int work(
        const struct launch_options *o, struct answers *a, struct err *err)
{
    CLEANUP(buf_fini) struct buf ovmf = {0}, svsm = {0};
    struct snp_launch l = {0};
    struct snp_kernel kernel;
    int r = take_numbers(o, &l, err);

    if (r == 0)
        r = load(o->ovmf, SNP_OVMF_MAX, &ovmf, err);
    if (r == 0)
        r = load(o->svsm, SNP_OVMF_MAX, &svsm, err);
    if (r == 0 && o->kernel) {
        r = hash_kernel(o, &kernel, err);
        l.kernel = &kernel;
    }
    if (r != 0)
        return r;
    l.ovmf = buf_span(&ovmf);
    l.svsm = buf_span(&svsm);
    return answer_all(a, &l, err);
}

int attest_launch(struct cli *cli, int argc, char **argv)
{
    struct launch_options o = {0};
    struct answers a = {.o = &o};
    struct err err = {0};
    int r = parse(cli, argc, argv, &o);

    if (r != CLI_OK)
        return r;
    if (o.json && !(a.list = json_array()))
        return cli_fail(&(struct err){ERR_MEMORY, "no memory"});
    r = work(&o, &a, &err);
    if (r == 0 && o.json)
        r = cli_json_put(json_pack("{s:s, s:O}", "claim",
                                 o.mode && strncmp(o.mode, "sev", 3) == 0
                                         ? "" /* has no report */
                                         : "snp.measurement",
                                 "values", a.list),
                stdout, &err);
    json_decref(a.list);
    return r == 0 ? CLI_OK : cli_fail(&err);
}
