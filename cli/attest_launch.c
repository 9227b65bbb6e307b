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

struct launch_options {
    const char *ovmf, *kernel, *initrd, *append, *svsm;
    const char *cpu, *cpu_sig, *vcpus, *features, *vars_size, *mode, *vmm;
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
        {"cpu", AT(cpu)},
        {"cpu-sig", AT(cpu_sig)},
        {"vcpus", AT(vcpus)},
        {"features", AT(features)},
        {"vars-size", AT(vars_size)},
        {"mode", AT(mode)},
        {"vmm", AT(vmm)},
};

static int parse(
        struct cli *cli, int argc, char **argv, struct launch_options *ret)
{
    struct option options[ARRAY_LEN(table) + 2] = {0};
    int c;

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        options[i] = (struct option){
                table[i].name, required_argument, NULL, 256 + (int)i};
    options[ARRAY_LEN(table)] = (struct option){"json", no_argument, NULL, 'j'};
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'j')
            ret->json = true;
        else if (c < 256)
            return cli_misuse(cli, "unknown option");
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

static int take_numbers(
        const struct launch_options *o, struct snp_launch *l, struct err *err)
{
    uint64_t vcpus = 0, sig = 0;
    int mode, vmm, r = look_up(modes, o->mode, "mode", &mode, err);

    l->features = FEATURES_DEFAULT;
    if (r == 0)
        r = look_up(vmms, o->vmm, "vmm", &vmm, err);
    if (r == 0)
        r = number(o->vcpus, SNP_VCPUS_MAX, "vcpus", &vcpus, err);
    if (r == 0)
        r = number(o->features, UINT64_MAX, "features", &l->features, err);
    if (r == 0)
        r = number(
                o->vars_size, UINT32_MAX, "vars-size", &l->ovmf_vars_size, err);
    if (r == 0)
        r = number(o->cpu_sig, UINT32_MAX, "cpu-sig", &sig, err);
    if (r != 0)
        return r;
    l->mode = (enum snp_mode)mode;
    l->vmm = (enum snp_vmm)vmm;
    l->vcpus = (uint32_t)vcpus;
    l->vcpu_sig = (uint32_t)sig;
    /* EC2 and GCE have a value of their own there, SEV nothing. */
    if (!o->cpu_sig &&
            (o->cpu || (l->vmm == SNP_VMM_QEMU && l->mode != SNP_MODE_SEV)) &&
            (!o->cpu || !snp_cpu_sig_of_type(o->cpu, &l->vcpu_sig)))
        return err_set(err, ERR_USAGE,
                "--cpu EPYC-Milan and so on, or --cpu-sig with CPUID 1, EAX");
    return 0;
}

/* ---- files -------------------------------------------------------------- */

static int load(const char *path, size_t cap, struct buf *ret, struct err *err)
{
    int r;

    *ret = BUF_INIT(cap);
    if (!path)
        return 0;
    r = buf_load(ret, AT_FDCWD, path, err);
    return r == 0 ? 0 : err_prefix(err, r, "%s", path);
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

static int work(const struct launch_options *o, uint8_t digest[SNP_DIGEST],
        size_t *ret_len, struct err *err)
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
    return snp_launch_digest(&l, digest, ret_len, err);
}

int attest_launch(struct cli *cli, int argc, char **argv)
{
    char hex[TEXT_HEX_SIZE(SNP_DIGEST)];
    struct launch_options o = {0};
    uint8_t digest[SNP_DIGEST];
    struct err err = {0};
    size_t len;
    int r = parse(cli, argc, argv, &o);

    if (r != CLI_OK)
        return r;
    if (work(&o, digest, &len, &err) != 0)
        return cli_fail(&err);
    text_format_hex(SPAN(digest, len), hex);
    if (!o.json) {
        (void)printf("%s\n", hex);
        return CLI_OK;
    }
    r = cli_json_put(
            json_pack("{s:s, s:s}", "claim",
                    len == SNP_DIGEST ? "snp.measurement" : "SEV launch digest",
                    "digest", hex),
            stdout, &err);
    return r == 0 ? CLI_OK : cli_fail(&err);
}
