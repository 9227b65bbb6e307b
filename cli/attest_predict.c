/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_predict.h"

#include "buf.h"
#include "predict_options.h"
#include "predict_out.h"
#include "unlzma.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Every list of the options full, and what is named once. */
#define FILES_MAX (6 * PREDICT_EXTRAS_MAX + 16)
/* A running system, as systemd-measure(1) has it. */
#define PHASES_DEFAULT "enter-initrd:leave-initrd:sysinit:ready"

struct work {
    const struct predict_options *o;
    struct predict p;
    struct predict_variables variables;
    bool has_variables;
    size_t n_authorities;
    struct span authority[PREDICT_EXTRAS_MAX + 1];
    size_t n_files;
    struct buf file[FILES_MAX];
    size_t n_logged; /* events that come from a log, the first ones */
    size_t before_phases;
    const char *phases;
};

/* Bytes that live as long as the work. */
static int load(
        struct work *w, const char *path, struct span *ret, struct err *err)
{
    struct buf *b = &w->file[w->n_files];
    int r;

    if (w->n_files == FILES_MAX)
        return err_set(err, ERR_LIMIT, "too many files");
    w->n_files++;
    *b = BUF_INIT(PE_FILE_MAX);
    r = buf_load(b, AT_FDCWD, path, err);
    if (r == 0)
        *ret = buf_span(b);
    return r;
}

/* The start of a file or device: as much of it as a partition table needs. */
static int load_start(
        struct work *w, const char *path, struct span *ret, struct err *err)
{
    CLEANUP(buf_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct buf *b = &w->file[w->n_files];
    ssize_t n = 1;

    if (fd < 0)
        return err_errno(err, "open");
    w->n_files++;
    *b = BUF_INIT(PREDICT_DISK);
    while (n > 0 && b->len < PREDICT_DISK) {
        uint8_t *to = buf_reserve(b, PREDICT_DISK - b->len);

        if (!to)
            return buf_ok(b, err);
        n = read(fd, to, PREDICT_DISK - b->len);
        if (n < 0)
            return err_errno(err, "read");
        buf_commit(b, (size_t)n);
    }
    *ret = buf_span(b);
    return 0;
}

/* A companion is known by its last component, a file of GRUB as NAME=FILE. */
static int load_named(struct work *w, const char *arg, bool has_name,
        struct predict_file *ret, struct err *err)
{
    const char *slash = strrchr(arg, '/'), *equal = strchr(arg, '=');
    char *name;

    if (!has_name) {
        ret->name = slash ? slash + 1 : arg;
        return load(w, arg, &ret->data, err);
    }
    if (!equal || equal == arg || !equal[1])
        return err_set(err, ERR_USAGE, "--file takes NAME=FILE, not '%s'", arg);
    name = strndup(arg, (size_t)(equal - arg));
    if (!name)
        return err_set(err, ERR_MEMORY, "no memory");
    ret->name = name; /* the process is short */
    return load(w, equal + 1, &ret->data, err);
}

static int load_list(struct work *w, const struct predict_list *l,
        bool has_name, struct predict_file ret[static PREDICT_EXTRAS_MAX],
        struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < l->n && r == 0; i++)
        r = load_named(w, l->item[i], has_name, &ret[i], err);
    return r;
}

/* ---- firmware -------------------------------------------------------- */

static int get_pei_digests(const struct work *w,
        uint8_t bytes[static PREDICT_BANKS][CRYPTO_HASH_MAX],
        struct span digest[static PREDICT_BANKS], struct err *err)
{
    size_t n = 0;

    for (unsigned i = 0; i < PREDICT_BANKS; i++) {
        size_t size = crypto_hash_size((enum crypto_hash)i), k = 0;

        if (!(w->o->banks & PREDICT_BANK(i)))
            continue;
        /* Each bank's has its length. */
        while (k < w->o->pei_digests.n &&
                !text_parse_hex(
                        span_str(w->o->pei_digests.item[k]), bytes[n], size))
            k++;
        if (k == w->o->pei_digests.n)
            return err_set(err, ERR_USAGE,
                    "--pei-digest of %zu bytes in hex is needed for %s", size,
                    crypto_hash_name((enum crypto_hash)i));
        digest[n] = SPAN(bytes[n], size);
        n++;
    }
    return 0;
}

static int add_firmware(struct work *w, struct err *err)
{
    CLEANUP(buf_fini) struct buf contents = BUF_INIT(PREDICT_FIRMWARE_MAX);
    uint8_t bytes[PREDICT_BANKS][CRYPTO_HASH_MAX];
    struct span digest[PREDICT_BANKS], image, stream;
    struct predict_volumes v;
    int r;

    if (!w->o->firmware)
        return 0;
    r = get_pei_digests(w, bytes, digest, err);
    if (r == 0)
        r = load(w, w->o->firmware, &image, err);
    if (r != 0)
        return r;
    r = predict_firmware_lzma(image, &stream, err);
    if (r == 0)
        r = unlzma(stream, &contents, err);
    if (r == 0)
        r = predict_firmware_volumes(buf_span(&contents), &v, err);
    if (r == 0)
        r = predict_firmware(&w->p, w->o->crtm_version, digest, v.dxe, err);
    return r == 0 ? 0 : err_prefix(err, r, "%s", w->o->firmware);
}

/* A variable of the store that is not there is empty. */
static int from_store(
        struct span store, const char *name, struct span *ret, struct err *err)
{
    int r = predict_firmware_variable(store, name, ret, err);

    return r == ERR_NOT_FOUND ? 0 : r;
}

static int load_variables(struct work *w, struct err *err)
{
    struct predict_variables *v = &w->variables;
    const struct {
        const char *name, *path;
        struct span *to;
    } all[] = {{"PK", w->o->pk, &v->pk}, {"KEK", w->o->kek, &v->kek},
            {"db", w->o->db, &v->db}, {"dbx", w->o->dbx, &v->dbx}};
    struct span store = SPAN_EMPTY;
    int r = w->o->vars ? load(w, w->o->vars, &store, err) : 0;

    v->has_secure_boot = !w->o->secure_boot_absent;
    v->secure_boot = w->o->secure_boot;
    for (size_t i = 0; i < ARRAY_LEN(all) && r == 0; i++) {
        if (w->o->vars)
            r = from_store(store, all[i].name, all[i].to, err);
        else if (all[i].path)
            r = load(w, all[i].path, all[i].to, err);
        w->has_variables |= w->o->vars || all[i].path;
    }
    return r == 0 || !w->o->vars ? r : err_prefix(err, r, "%s", w->o->vars);
}

static int add_variables(struct work *w, struct err *err)
{
    int r = load_variables(w, err);

    return r == 0 && w->has_variables
                   ? predict_boot_variables(&w->p, &w->variables, err)
                   : r;
}

/* PCRs into which firmware measures nothing but that it came to their end. */
static int add_separators(struct work *w, struct err *err)
{
    int r = 0;

    for (unsigned pcr = 0; pcr < 8 && r == 0; pcr++) {
        if (!((w->o->separators >> pcr) & 1))
            continue;
        if ((w->p.pcrs >> pcr) & 1)
            r = err_set(err, ERR_USAGE,
                    "--separator: PCR %u has more than that", pcr);
        else
            r = predict_boot_separator(&w->p, pcr, err);
    }
    return r;
}

/* PCR 5; "none": a disk without a GPT, or a network. */
static int add_disk(struct work *w, struct err *err)
{
    struct span disk = SPAN_EMPTY;
    int r;

    if (!w->o->disk)
        return 0;
    r = strcmp(w->o->disk, "none") == 0 ? 0
                                        : load_start(w, w->o->disk, &disk, err);
    if (r == 0)
        r = predict_boot_disk(&w->p, disk, err);
    return r == 0 ? 0 : err_prefix(err, r, "%s", w->o->disk);
}

/* ---- what is booted -------------------------------------------------- */

/* shim keeps PCR 7 itself (MokList, SbatLevel and whom it trusts). */
static bool is_shim(const struct predict_file *image)
{
    const struct pe_section *section;
    struct pe_sbat e;
    struct span text;
    struct pe pe;

    if (pe_parse(image->data, &pe, NULL) != 0 ||
            pe_find(&pe, ".sbat", &section) != 0 ||
            pe_content(section, &text) != 0)
        return false;
    while (pe_sbat_next(&text, &e, NULL) == 1) {
        if (span_eq_str(e.component, "shim"))
            return true;
    }
    return false;
}

/* PCR 7 when firmware asks who allows an image; each word is measured once. */
static int add_authority(
        struct work *w, const struct predict_file *image, struct err *err)
{
    struct span entry;
    int r;

    if (!w->has_variables || !w->o->secure_boot)
        return 0;
    if (is_shim(image))
        return err_set(err, ERR_UNSUPPORTED,
                "%s is shim, which extends PCR 7 with state of its own: take "
                "PCR 7 from a log",
                image->name);
    r = predict_boot_find_authority(image, &w->variables, &entry, err);
    if (r != 0)
        return r;
    for (size_t i = 0; i < w->n_authorities; i++) {
        if (span_eq(w->authority[i], entry))
            return 0;
    }
    w->authority[w->n_authorities++] = entry;
    return predict_boot_authority(&w->p, entry, err);
}

/* An image that firmware loads. */
static int add_image(
        struct work *w, const struct predict_file *image, struct err *err)
{
    int r = predict_boot_image(&w->p, image, err);

    return r == 0 ? add_authority(w, image, err) : r;
}

static int add_boots(struct work *w, struct err *err)
{
    struct predict_file image[PREDICT_EXTRAS_MAX];
    int r = 0;

    if (!w->o->boots.n && !w->o->uki && !w->o->kernel)
        return 0;
    r = load_list(w, &w->o->boots, false, image, err);
    if (r == 0)
        r = predict_boot_attempt(&w->p, err);
    for (size_t i = 0; i < w->o->boots.n && r == 0; i++)
        r = add_image(w, &image[i], err);
    return r;
}

static int add_uki(struct work *w, struct err *err)
{
    struct predict_file credential[PREDICT_EXTRAS_MAX],
            global[PREDICT_EXTRAS_MAX], sysext[PREDICT_EXTRAS_MAX];
    struct predict_uki u = {.pcrs = w->o->pcrs,
            .stub_version = w->o->stub,
            .secure_boot = w->o->secure_boot,
            .inner = w->o->inner,
            .is_loaded = w->o->boots.n > 0,
            .options = w->o->options,
            .n_credentials = w->o->credentials.n,
            .n_globals = w->o->globals.n,
            .n_sysexts = w->o->sysexts.n,
            .credentials = credential,
            .globals = global,
            .sysexts = sysext};
    int r;

    if (!w->o->uki)
        return 0;
    r = load_named(w, w->o->uki, false, &u.image, err);
    if (r == 0)
        r = load_list(w, &w->o->credentials, false, credential, err);
    if (r == 0)
        r = load_list(w, &w->o->globals, false, global, err);
    if (r == 0)
        r = load_list(w, &w->o->sysexts, false, sysext, err);
    if (r == 0)
        r = predict_uki(&w->p, &u, err);
    return r == 0 ? add_authority(w, &u.image, err) : r;
}

static int add_kernel(struct work *w, struct err *err)
{
    struct predict_file kernel, initrd[PREDICT_EXTRAS_MAX];
    struct span part[PREDICT_EXTRAS_MAX];
    int r;

    if (!w->o->kernel)
        return 0;
    r = load_named(w, w->o->kernel, false, &kernel, err);
    if (r == 0)
        r = load_list(w, &w->o->initrds, false, initrd, err);
    if (r == 0)
        r = add_image(w, &kernel, err);
    if (r != 0)
        return r;
    for (size_t i = 0; i < w->o->initrds.n; i++)
        part[i] = initrd[i].data;
    return predict_kernel_stub(&w->p, w->o->cmdline ? w->o->cmdline : "", part,
            w->o->initrds.n, err);
}

static int add_grub(struct work *w, struct err *err)
{
    struct predict_file file[PREDICT_EXTRAS_MAX];
    struct predict_grub g = {.config_is_embedded = w->o->grub_embedded,
            .n_files = w->o->files.n,
            .files = file};
    int r;

    if (!w->o->grub)
        return 0;
    r = load_named(w, w->o->grub, false, &g.config, err);
    if (r == 0)
        r = load_list(w, &w->o->files, true, file, err);
    return r == 0 ? predict_grub(&w->p, &g, err) : r;
}

/* Last, so that a boot until an earlier phase is a shorter list. */
static int add_phases(struct work *w, struct err *err)
{
    w->before_phases = w->p.n;
    w->phases = w->o->phases ? w->o->phases : PHASES_DEFAULT;
    if (!w->o->uki && !w->o->phases)
        return 0;
    return !w->o->pcrs || ((w->o->pcrs >> 11) & 1)
                   ? predict_phases(&w->p, w->phases, err)
                   : 0;
}

static int add_log(struct work *w, struct err *err)
{
    struct span log;
    int r;

    if (!w->o->log)
        return 0;
    r = load(w, w->o->log, &log, err);
    if (r == 0)
        r = predict_add_log(&w->p, log, w->o->log_pcrs, err);
    w->n_logged = w->p.n;
    return r == 0 ? 0 : err_prefix(err, r, "%s", w->o->log);
}

/* A PCR comes from the log or from files, not from both. */
static int check_log(const struct work *w, struct err *err)
{
    for (size_t i = w->n_logged; i < w->p.n; i++) {
        unsigned pcr = w->p.event[i].pcr;

        if ((w->o->log_pcrs >> pcr) & 1)
            return err_set(err, ERR_USAGE,
                    "PCR %u follows from files: leave it out of --log-pcrs",
                    pcr);
    }
    return 0;
}

static int predict_all(struct work *w, struct err *err)
{
    static int (*const steps[])(struct work * w, struct err * err) = {
            add_log,
            add_firmware,
            add_variables,
            add_disk,
            add_boots,
            add_uki,
            add_kernel,
            add_grub,
            add_separators,
            add_phases,
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(steps) && r == 0; i++)
        r = steps[i](w, err);
    return r == 0 ? check_log(w, err) : r;
}

/* Keeps the PCRs that were asked for, and all of those must be there. */
static int select_pcrs(struct work *w, struct err *err)
{
    size_t n = 0;

    if (!w->o->pcrs)
        return 0;
    for (unsigned pcr = 0; pcr < TCG_PCRS; pcr++) {
        if (((w->o->pcrs & ~w->p.pcrs) >> pcr) & 1)
            return err_set(err, ERR_NOT_FOUND,
                    "PCR %u does not follow from these files", pcr);
    }
    for (size_t i = 0; i < w->p.n; i++) {
        if ((w->o->pcrs >> w->p.event[i].pcr) & 1)
            w->p.event[n++] = w->p.event[i];
    }
    w->p.n = n;
    w->p.pcrs = w->o->pcrs;
    return 0;
}

/* ---- signed policies ------------------------------------------------- */

/* Is a policy about the PCRs of these files in one of the phases? */
static bool is_of_a_phase(
        const struct work *w, const struct predict_pcrsig_entry *e)
{
    uint8_t policy[CRYPTO_SHA256_SIZE];
    struct predict until = w->p; /* a shorter list of the same events */

    for (until.n = w->before_phases; until.n <= w->p.n; until.n++) {
        if (predict_policy(&until, e->bank, e->pcrs, policy) == 0 &&
                span_eq(SPAN_OF(policy), SPAN_OF(e->policy)))
            return true;
    }
    return false;
}

static int check_pcrsig(struct work *w, struct err *err)
{
    static struct predict_pcrsig s;
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *key = NULL;
    struct span json, pem;
    int r;

    if (!w->o->pcrsig)
        return 0;
    r = load(w, w->o->pcrsig, &json, err);
    if (r == 0)
        r = load(w, w->o->pcrsig_key, &pem, err);
    if (r == 0)
        r = predict_pcrsig_parse(json, &s, err);
    if (r != 0)
        return r;
    key = crypto_pub_from_pem(pem);
    if (!key)
        return err_set(err, ERR_SYNTAX, "%s is no public key in PEM",
                w->o->pcrsig_key);
    for (size_t i = 0; i < s.n && r == 0; i++) {
        if (!(w->o->banks & PREDICT_BANK(s.entry[i].bank)))
            continue;
        r = predict_pcrsig_verify(&s.entry[i], key, err);
        if (r == 0 && !is_of_a_phase(w, &s.entry[i]))
            r = err_set(err, ERR_MISMATCH,
                    "pcrsig: policy %zu is not of these files in any phase of "
                    "%s",
                    i + 1, w->phases);
    }
    return r;
}

static int write_recipe(const struct work *w, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(PREDICT_RECIPE_MAX);
    int r;

    if (!w->o->recipe)
        return 0;
    r = predict_format(&w->p, &text, err);
    return r == 0 ? buf_store(
                            buf_span(&text), AT_FDCWD, w->o->recipe, 0644, err)
                  : r;
}

int attest_predict(struct cli *cli, int argc, char **argv)
{
    static struct predict_options o;
    static struct work w;
    struct err err = {0};
    int r = predict_options_parse(cli, argc, argv, &o);

    if (r != CLI_OK)
        return r;
    w.o = &o;
    w.p = predict_of(o.banks);
    r = predict_all(&w, &err);
    if (r == 0)
        r = check_pcrsig(&w, &err);
    if (r == 0)
        r = select_pcrs(&w, &err);
    if (r == 0)
        r = write_recipe(&w, &err);
    if (r == 0)
        r = predict_out(&w.p, o.json, &err);
    for (size_t i = 0; i < w.n_files; i++)
        buf_fini(&w.file[i]);
    predict_fini(&w.p);
    return r == 0 ? CLI_OK : cli_fail(&err);
}
