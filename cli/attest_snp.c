/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_snp.h"

#include "buf.h"
#include "cli_json.h"
#include "cli_sandbox.h"
#include "snp.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A folder of snpguest has four; no file of them is larger. */
#define FILES_MAX      32
#define FILE_MAX_BYTES (128u << 10)

struct snp_work {
    bool json;
    uint64_t time;
    struct snp_policy policy;
    uint8_t wish[6][SNP_CHIP_ID];
    size_t n, n_roots, n_crls; /* file[0] is the report */
    struct buf file[FILES_MAX], root[FILES_MAX], crl[FILES_MAX];
};

static int load(struct buf *ret, size_t *n, int dirfd, const char *path,
        struct err *err)
{
    int r;

    if (*n == FILES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d files", FILES_MAX);
    ret[*n] = BUF_INIT(FILE_MAX_BYTES);
    r = buf_load(&ret[*n], dirfd, path, err);
    *n += r == 0;
    return r;
}

static int load_entry(int dirfd, const char *name, void *ctx, struct err *err)
{
    struct snp_work *w = ctx;
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "%s", name);
    return S_ISREG(st.st_mode) ? load(w->file, &w->n, dirfd, name, err) : 0;
}

/* A file, or all of a folder. */
static int load_certs(struct snp_work *w, const char *path, struct err *err)
{
    CLEANUP(buf_close_fd)
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        return buf_each_entry(fd, load_entry, w, err);
    return load(w->file, &w->n, AT_FDCWD, path, err);
}

/* ---- options ------------------------------------------------------------ */

enum { OPT_ROOT = 256, OPT_CRL, OPT_TIME, OPT_VMPL, OPT_JSON, OPT_WISH };

static const struct {
    const char *name;
    size_t len;
} wishes[] = {{"report-data", 64}, {"measurement", SNP_DIGEST},
        {"host-data", 32}, {"chip", SNP_CHIP_ID}, {"id-key", SNP_DIGEST},
        {"author-key", SNP_DIGEST}};

static bool take_wish(struct snp_work *w, unsigned i)
{
    struct span *to[] = {&w->policy.report_data, &w->policy.measurement,
            &w->policy.host_data, &w->policy.chip_id, &w->policy.id_key_digest,
            &w->policy.author_key_digest};

    if (!text_parse_hex(span_str(optarg), w->wish[i], wishes[i].len))
        return false;
    *to[i] = SPAN(w->wish[i], wishes[i].len);
    return true;
}

static bool take_vmpl(struct snp_work *w)
{
    if (optarg[0] < '0' || optarg[0] > '3' || optarg[1])
        return false;
    w->policy.vmpl[0] = false;
    w->policy.vmpl[optarg[0] - '0'] = true;
    return true;
}

/* One option; *ret_bad: its argument makes no sense. */
static int take(struct snp_work *w, int c, bool *ret_bad, struct err *err)
{
    switch (c) {
    case OPT_ROOT:
        return load(w->root, &w->n_roots, AT_FDCWD, optarg, err);
    case OPT_CRL:
        w->policy.require_crl = true;
        return load(w->crl, &w->n_crls, AT_FDCWD, optarg, err);
    case OPT_TIME:
        *ret_bad = !text_parse_u64(span_str(optarg), &w->time) &&
                   !text_parse_time(span_str(optarg), &w->time);
        return 0;
    case OPT_VMPL:
        *ret_bad = !take_vmpl(w);
        return 0;
    case OPT_JSON:
        w->json = true;
        return 0;
    default:
        *ret_bad = !take_wish(w, (unsigned)(c - OPT_WISH));
        return 0;
    }
}

static int parse(struct cli *cli, int argc, char **argv, struct snp_work *w)
{
    struct option options[ARRAY_LEN(wishes) + 6] = {
            {"root", required_argument, NULL, OPT_ROOT},
            {"crl", required_argument, NULL, OPT_CRL},
            {"time", required_argument, NULL, OPT_TIME},
            {"vmpl", required_argument, NULL, OPT_VMPL},
            {"json", no_argument, NULL, OPT_JSON}};
    struct err err = {0};
    int c, r = 0;

    for (size_t i = 0; i < ARRAY_LEN(wishes); i++)
        options[5 + i] = (struct option){
                wishes[i].name, required_argument, NULL, OPT_WISH + (int)i};
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        bool bad = c < 256;

        if (!bad)
            r = take(w, c, &bad, &err);
        if (bad)
            return optarg && c >= 256
                           ? cli_misuse(cli, "an option does not take '%s'",
                                     optarg)
                           : cli_misuse(cli, "no option for an SEV-SNP report");
        if (r != 0)
            return cli_fail(&err);
    }
    if (optind == argc)
        return cli_misuse(cli, "which report?");
    r = load(w->file, &w->n, AT_FDCWD, argv[optind], &err);
    while (r == 0 && ++optind < argc)
        r = load_certs(w, argv[optind], &err);
    return r == 0 ? CLI_OK : cli_fail(&err);
}

/* ---- the judgement ------------------------------------------------------- */

struct judged {
    struct snp_trust *trust;
    struct snp_vek *vek;
    struct snp_verdict v;
    struct span report;
    /* No certificate, and where there is one. */
    char why[ERR_MSG_MAX + SNP_KDS_URL_MAX];
};

static int make_trust(
        const struct snp_work *w, struct judged *j, struct err *err)
{
    int r = 0;

    j->trust = w->n_roots ? snp_trust_new() : snp_trust_new_amd();
    if (!j->trust)
        return err_set(err, ERR_MEMORY, "no memory");
    for (size_t i = 0; r == 0 && i < w->n_roots; i++)
        r = snp_trust_add(j->trust, buf_span(&w->root[i]), err);
    /* Whose digest is known is a root, and a CRL needs one. */
    for (size_t i = 1; r == 0 && !w->n_roots && i < w->n; i++)
        r = snp_trust_add_known(j->trust, buf_span(&w->file[i]), err);
    for (size_t i = 0; r == 0 && i < w->n_crls; i++)
        r = snp_trust_add_crl(j->trust, buf_span(&w->crl[i]), err);
    return r;
}

/* The files by what is in them. */
static int find_vek(const struct snp_work *w, struct judged *j,
        const struct snp_report *r, struct err *err)
{
    struct span cas[8], vek = SPAN_EMPTY;
    struct snp_table table;
    size_t n = 0;

    for (size_t i = 1; i < w->n; i++) {
        struct span bytes = buf_span(&w->file[i]);
        enum snp_file kind = snp_file_of(bytes);

        if (kind == SNP_FILE_VEK)
            vek = bytes;
        else if (kind == SNP_FILE_CA && n < ARRAY_LEN(cas))
            cas[n++] = bytes;
        else if (kind == SNP_FILE_TABLE &&
                 snp_table_parse(bytes, &table, err) == 0)
            return snp_vek_of_table(j->trust, &table, r, &j->vek, err);
    }
    if (vek.len == 0)
        return err_set(err, ERR_NOT_FOUND, "no VCEK or VLEK among the files");
    return snp_vek_new(j->trust, vek, cas, n, &j->vek, err);
}

static int judge(const struct snp_work *w, struct judged *j, struct err *err)
{
    char url[SNP_KDS_URL_MAX] = "";
    struct snp_report r;
    struct snp_hcl hcl;
    int rc;

    j->report = buf_span(&w->file[0]);
    if (snp_file_of(j->report) == SNP_FILE_HCL) {
        rc = snp_hcl_parse(j->report, &hcl, err);
        if (rc != 0)
            return rc;
        j->report = hcl.report;
    }
    rc = snp_report_parse(j->report, &r, err);
    if (rc == 0)
        rc = make_trust(w, j, err);
    if (rc != 0)
        return rc;
    if (find_vek(w, j, &r, err) != 0) {
        (void)snprintf(j->why, sizeof(j->why), "%s", err->msg);
        if (snp_kds_url(&r, snp_report_product(&r), url, NULL) == 0)
            (void)snprintf(j->why, sizeof(j->why), "AMD has it: %s", url);
    } else if (snp_vek_info(j->vek)->why) {
        (void)snprintf(j->why, sizeof(j->why), "%s", snp_vek_info(j->vek)->why);
    }
    snp_verify(j->report, j->vek, w->time, &w->policy, &j->v);
    return 0;
}

/* ---- the answer -----------------------------------------------------------
 */

static const char *hex_of(struct span s)
{
    static char hex[TEXT_HEX_SIZE(SNP_CHIP_ID)];

    text_format_hex(s, hex);
    return hex;
}

static const char *tcb_of(const struct snp_verdict *v, const struct snp_tcb *t)
{
    static char text[32];

    if (v->product == SNP_TURIN)
        (void)snprintf(text, sizeof(text), "%u.%u.%u.%u.%u", t->fmc,
                t->bootloader, t->tee, t->snp, t->microcode);
    else
        (void)snprintf(text, sizeof(text), "%u.%u.%u.%u", t->bootloader, t->tee,
                t->snp, t->microcode);
    return text;
}

static const char *answer(const struct snp_verdict *v)
{
    return v->acceptable  ? "accepted"
           : v->authentic ? "authentic, not acceptable"
                          : "not authentic";
}

static void print_text(const struct judged *j)
{
    const struct snp_verdict *v = &j->v;
    const struct snp_report *r = &v->report;

    (void)printf("report       %s\n", answer(v));
    for (unsigned i = 0; i < SNP_R_COUNT; i++) {
        if (v->reasons & SNP_REASON(i))
            (void)printf("             %s: %s\n", snp_reason_word(i),
                    snp_reason_text(i));
    }
    if (*j->why)
        (void)printf("             %s\n", j->why);
    (void)printf(
            "version      %u, %s\n", r->version, snp_product_name(v->product));
    (void)printf("chip         %s\n",
            v->chip_masked ? "masked by its host" : hex_of(r->chip_id));
    (void)printf("vmpl         ");
    if (r->vmpl == SNP_VMPL_HOST)
        (void)printf("none: its host asked\n");
    else
        (void)printf("%u\n", r->vmpl);
    (void)printf("measurement  %s\n", hex_of(r->measurement));
    (void)printf("report data  %s\n", hex_of(r->report_data));
    (void)printf("host data    %s\n", hex_of(r->host_data));
    (void)printf("policy       0x%" PRIx64 "\nplatform     0x%" PRIx64 "\n",
            r->policy, r->platform_info);
    if (!v->has_tcb)
        return;
    (void)printf("tcb          reported %s", tcb_of(v, &v->reported));
    (void)printf(", current %s", tcb_of(v, &v->current));
    (void)printf(", committed %s", tcb_of(v, &v->committed));
    (void)printf(", launch %s\n", tcb_of(v, &v->launch));
}

static json_t *reasons_json(const struct snp_verdict *v)
{
    json_t *list = json_array();

    for (unsigned i = 0; list && i < SNP_R_COUNT; i++) {
        if (v->reasons & SNP_REASON(i) &&
                json_array_append_new(list, json_string(snp_reason_word(i))) !=
                        0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static bool put(json_t *o, const char *name, const char *text)
{
    return json_object_set_new(o, name, json_string(text)) == 0;
}

static int print_json(const struct judged *j, struct err *err)
{
    const struct snp_verdict *v = &j->v;
    const struct snp_report *r = &v->report;
    json_t *o = json_pack("{s:b, s:b, s:o, s:i, s:I, s:I, s:I}", "authentic",
            v->authentic, "acceptable", v->acceptable, "reasons",
            reasons_json(v), "version", (int)r->version, "vmpl",
            (json_int_t)r->vmpl, "policy", (json_int_t)r->policy, "platform",
            (json_int_t)r->platform_info);
    bool good = o && put(o, "why", j->why) &&
                put(o, "product", snp_product_name(v->product)) &&
                put(o, "measurement", hex_of(r->measurement)) &&
                put(o, "report_data", hex_of(r->report_data)) &&
                put(o, "host_data", hex_of(r->host_data)) &&
                put(o, "id_key_digest", hex_of(r->id_key_digest)) &&
                put(o, "author_key_digest", hex_of(r->author_key_digest)) &&
                put(o, "chip_id", v->chip_masked ? "" : hex_of(r->chip_id));

    if (good && v->has_tcb)
        good = put(o, "reported_tcb", tcb_of(v, &v->reported)) &&
               put(o, "current_tcb", tcb_of(v, &v->current)) &&
               put(o, "committed_tcb", tcb_of(v, &v->committed)) &&
               put(o, "launch_tcb", tcb_of(v, &v->launch));
    if (!good) {
        json_decref(o);
        o = NULL;
    }
    return cli_json_put(o, stdout, err);
}

/* In a child that has memory alone: all of it was read before. */
static int run(void *ctx)
{
    const struct snp_work *w = ctx;
    struct judged j = {0};
    struct err err = {0};
    int rc = judge(w, &j, &err);
    int code = j.v.acceptable ? CLI_OK : CLI_NO;

    if (rc == 0 && w->json)
        rc = print_json(&j, &err);
    else if (rc == 0)
        print_text(&j);
    if (rc != 0)
        code = cli_fail(&err);
    snp_vek_free(j.vek);
    snp_trust_free(j.trust);
    return code;
}

int attest_snp(struct cli *cli, int argc, char **argv)
{
    static struct snp_work w;
    int r;

    w.time = (uint64_t)time(NULL);
    w.policy = snp_policy_strict();
    r = parse(cli, argc, argv, &w);
    if (r == CLI_OK)
        r = cli_in_sandbox(run, &w);
    for (size_t i = 0; i < FILES_MAX; i++) {
        buf_fini(&w.file[i]);
        buf_fini(&w.root[i]);
        buf_fini(&w.crl[i]);
    }
    return r;
}
