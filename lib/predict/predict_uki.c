/* SPDX-License-Identifier: Apache-2.0 */
/* systemd-stub and the kernel's own EFI stub. */
#include "predict_private.h"

/* Longest command line of x86 (COMMAND_LINE_SIZE). */
#define CMDLINE_MAX 2048
#define PHASE_MAX   64
/* Initrds that the stub makes: three folders and two sections. */
#define INITRDS_MAX 6

/* ---- PCR 11 ---------------------------------------------------------- */

int predict_uki_sections(struct predict *p,
        const struct span section[static PE_UKI_SECTIONS],
        unsigned stub_version, struct err *err)
{
    size_t n = p->n;
    uint32_t had = p->pcrs;
    int r = 0;

    if (!pe_uki_is_known_stub(stub_version))
        return err_set(err, ERR_UNSUPPORTED,
                "what systemd-stub %u measures is not known", stub_version);
    for (size_t i = 0; i < PE_UKI_SECTIONS && r == 0; i++) {
        enum pe_uki_section id = (enum pe_uki_section)i;
        const char *name = pe_uki_name(id);

        if (!section[i].len || !pe_uki_is_measured(id, stub_version))
            continue;
        r = predict_add(p, 11, &SPAN(name, strlen(name) + 1), 1, err,
                "EV_IPL, the name \"%s\" and a NUL", name);
        if (r == 0)
            r = predict_add(p, 11, &section[i], 1, err,
                    "EV_IPL, section %s, %zu bytes", name, section[i].len);
    }
    if (r == 0)
        predict_start(p, 11);
    else
        predict_rewind(p, n, had);
    return r;
}

static bool is_phase(struct span s)
{
    if (s.len == 0 || s.len > PHASE_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool ok = (s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || s.ptr[i] == '-';

        if (!ok)
            return false;
    }
    return true;
}

int predict_phases(struct predict *p, const char *path, struct err *err)
{
    struct span rest = span_str(path);
    size_t n = p->n, phases = 0;
    uint32_t had = p->pcrs;
    int r = 0;

    predict_start(p, 11);
    while (r == 0 && rest.ptr && *path) {
        const uint8_t *colon = memchr(rest.ptr, ':', rest.len);
        struct span word =
                SPAN(rest.ptr, colon ? (size_t)(colon - rest.ptr) : rest.len);

        if (!is_phase(word) || phases++ == PREDICT_PHASES_MAX)
            r = err_set(err, ERR_SYNTAX,
                    "phases: words of a-z and - with a "
                    "colon between, %d at most",
                    PREDICT_PHASES_MAX);
        else
            r = predict_add(p, 11, &word, 1, err, "phase %.*s", (int)word.len,
                    (const char *)word.ptr);
        rest = colon ? SPAN(colon + 1, rest.len - word.len - 1) : SPAN_EMPTY;
    }
    if (r != 0)
        predict_rewind(p, n, had);
    return r;
}

/* ---- PCR 9 ----------------------------------------------------------- */

int predict_kernel_stub(struct predict *p, const char *cmdline,
        const struct span *initrd, size_t n_initrd, struct err *err)
{
    CLEANUP(buf_fini) struct buf options = BUF_INIT(2 * CMDLINE_MAX);
    static const uint8_t nul[2];
    size_t n = p->n;
    uint32_t had = p->pcrs;
    struct span part[2] = {SPAN_EMPTY, SPAN_OF(nul)};
    int r = predict_utf16(span_str(cmdline), "command line", &options, err);

    part[0] = buf_span(&options);
    if (r == 0)
        r = predict_add(p, 9, part, 2, err,
                "EV_EVENT_TAG LOADED_IMAGE::LoadOptions, \"%s\" in UTF-16 "
                "with its NUL",
                cmdline);
    if (r == 0 && n_initrd)
        r = predict_add(p, 9, initrd, n_initrd, err,
                "EV_EVENT_TAG Linux initrd, %zu part%s", n_initrd,
                n_initrd == 1 ? "" : "s");
    if (r != 0)
        predict_rewind(p, n, had);
    return r;
}

/* ---- the image ------------------------------------------------------- */

struct work {
    const struct predict_uki *in;
    struct pe_uki uki;
    unsigned version;
    char cmdline[CMDLINE_MAX + 1];
    struct buf extra[INITRDS_MAX]; /* archives behind the initrd */
    size_t n_extra;
};

static int add_archive(struct work *w, const char *folder, unsigned folder_mode,
        unsigned file_mode, const struct predict_file *file, size_t n,
        struct err *err)
{
    struct buf *b = &w->extra[w->n_extra];

    if (n == 0)
        return 0;
    *b = BUF_INIT(PE_FILE_MAX);
    w->n_extra++;
    return predict_cpio(folder, folder_mode, file_mode, file, n, b, err);
}

/* An archive of a section's bytes, which is not measured by itself. */
static int add_literal(struct work *w, enum pe_uki_section id, const char *name,
        struct err *err)
{
    const struct predict_file f = {name, w->uki.section[id]};

    if (!w->uki.has[id])
        return 0;
    return add_archive(w, ".extra", 0555, 0444, &f, 1, err);
}

/* The archives in their order, those of folders measured on their way. */
static int add_companions(struct predict *p, struct work *w, struct err *err)
{
    const struct {
        const char *what, *folder;
        unsigned folder_mode, file_mode, pcr;
        const struct predict_file *file;
        size_t n;
    } all[] = {
            {"credentials", ".extra/credentials", 0500, 0400, 12,
                    w->in->credentials, w->in->n_credentials},
            {"global credentials", ".extra/global_credentials", 0500, 0400, 12,
                    w->in->globals, w->in->n_globals},
            {"system extensions", ".extra/sysext", 0555, 0444, 13,
                    w->in->sysexts, w->in->n_sysexts},
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(all) && r == 0; i++) {
        size_t at = w->n_extra;

        r = add_archive(w, all[i].folder, all[i].folder_mode, all[i].file_mode,
                all[i].file, all[i].n, err);
        if (r == 0 && all[i].n)
            r = predict_add(p, all[i].pcr,
                    &SPAN(w->extra[at].ptr, w->extra[at].len), 1, err,
                    "EV_IPL, %s: cpio archive of %zu file%s", all[i].what,
                    all[i].n, all[i].n == 1 ? "" : "s");
    }
    if (r == 0)
        r = add_literal(w, PE_UKI_PCRSIG, "tpm2-pcr-signature.json", err);
    if (r == 0)
        r = add_literal(w, PE_UKI_PCRPKEY, "tpm2-pcr-public-key.pem", err);
    return r;
}

/* PCR 12: options from outside of the image, in UTF-16 with their NUL. */
static int add_options(struct predict *p, const struct work *w, struct err *err)
{
    CLEANUP(buf_fini) struct buf options = BUF_INIT(2 * CMDLINE_MAX);
    static const uint8_t nul[2];
    struct span part[2] = {SPAN_EMPTY, SPAN_OF(nul)};
    int r;

    if (!w->in->options)
        return 0;
    if (w->in->secure_boot && w->uki.has[PE_UKI_CMDLINE])
        return err_set(err, ERR_DENIED,
                "under Secure Boot the stub keeps its own .cmdline");
    r = predict_utf16(span_str(w->in->options), "options", &options, err);
    part[0] = buf_span(&options);
    return r == 0 ? predict_add(p, 12, part, 2, err,
                            "EV_IPL, load options \"%s\"", w->in->options)
                  : r;
}

/* What the kernel is given: spaces around it are cut by some versions only. */
static int take_cmdline(struct work *w, struct err *err)
{
    struct span s = w->uki.has[PE_UKI_CMDLINE] ? w->uki.section[PE_UKI_CMDLINE]
                                               : SPAN_EMPTY;

    if (w->in->options)
        s = span_str(w->in->options);
    if (w->version >= 254)
        s = text_trim(s);
    while (s.len && s.ptr[s.len - 1] == 0)
        s.len--;
    if (s.len > CMDLINE_MAX)
        return err_set(err, ERR_LIMIT, "command line of %zu bytes", s.len);
    for (size_t i = 0; i < s.len; i++) {
        bool edge = i == 0 || i + 1 == s.len;

        if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e || (edge && s.ptr[i] == ' '))
            return err_set(err, ERR_UNSUPPORTED,
                    "command line: white space at its ends and control "
                    "characters are treated differently by each stub; build "
                    "the image without them");
    }
    memcpy(w->cmdline, s.ptr ? (const char *)s.ptr : "", s.len);
    w->cmdline[s.len] = 0;
    return 0;
}

/* PCR 9, for kernels that measure there. */
static int add_kernel_stub(struct predict *p, struct work *w, struct err *err)
{
    static const uint8_t zero[3];
    struct span part[2 + INITRDS_MAX];
    struct pe_linux l;
    size_t n = 0;
    int r = pe_linux(w->uki.section[PE_UKI_LINUX], &l, err);

    if (r == 0 && (l.major < 6 || (l.major == 6 && l.minor < 1)))
        r = err_set(err, ERR_UNSUPPORTED,
                "Linux %u.%u: what it measures of its options is not known",
                l.major, l.minor);
    if (r == 0)
        r = take_cmdline(w, err);
    if (r != 0)
        return r;
    if (w->uki.has[PE_UKI_INITRD]) {
        struct span main = w->uki.section[PE_UKI_INITRD];

        part[n++] = main;
        /* Archives begin on a multiple of four. */
        if (w->n_extra && main.len % 4)
            part[n++] = SPAN(zero, 4 - main.len % 4);
    }
    for (size_t i = 0; i < w->n_extra; i++)
        part[n++] = buf_span(&w->extra[i]);
    return predict_kernel_stub(p, w->cmdline, part, n, err);
}

static int add_inner(struct predict *p, const struct work *w, struct err *err)
{
    struct predict_file kernel = {
            "the kernel in it (.linux)", w->uki.section[PE_UKI_LINUX]};
    enum predict_inner inner = w->in->inner;

    /* 252 calls LoadImage, under Secure Boot it loads the image itself. */
    if (inner == PREDICT_INNER_KNOWN && w->version == 252)
        inner = w->in->secure_boot ? PREDICT_INNER_SILENT
                                   : PREDICT_INNER_MEASURED;
    if (inner == PREDICT_INNER_KNOWN)
        return err_set(err, ERR_UNSUPPORTED,
                "whether systemd-stub %u has its kernel measured into PCR 4 "
                "is not known: say which",
                w->version);
    return inner == PREDICT_INNER_MEASURED ? predict_boot_image(p, &kernel, err)
                                           : 0;
}

static bool wants(const struct work *w, unsigned pcr)
{
    return !w->in->pcrs || ((w->in->pcrs >> pcr) & 1);
}

/* What 256 and later put behind the initrd differs from release to release. */
static int check_archives(const struct work *w, struct err *err)
{
    return w->version <= 255
                   ? 0
                   : err_set(err, ERR_UNSUPPORTED,
                             "which archives systemd-stub %u makes is not "
                             "known: PCR 9, 12 and 13 cannot be derived",
                             w->version);
}

static int add_image(struct predict *p, const struct work *w, struct err *err)
{
    int r = predict_boot_image(p, &w->in->image, err);

    return r == 0 ? add_inner(p, w, err) : r;
}

/* Options and archives enter PCR 9 too, so that the three come together. */
static int add_inputs(struct predict *p, struct work *w, struct err *err)
{
    int r = check_archives(w, err);

    if (r == 0)
        r = add_options(p, w, err);
    if (r == 0)
        r = add_companions(p, w, err);
    if (r == 0 && wants(w, 9))
        r = add_kernel_stub(p, w, err);
    predict_start(p, 13);
    /* A boot loader may pass options; firmware alone passes none. */
    if (!w->in->is_loaded || w->in->options)
        predict_start(p, 12);
    return r;
}

static int add_all(struct predict *p, struct work *w, struct err *err)
{
    int r = 0;

    if (wants(w, 4))
        r = add_image(p, w, err);
    if (r == 0 && wants(w, 11))
        r = predict_uki_sections(p, w->uki.section, w->version, err);
    if (r == 0 && (wants(w, 9) || wants(w, 12) || wants(w, 13)))
        r = add_inputs(p, w, err);
    if (r == 0 && wants(w, 8) && !w->in->is_loaded)
        predict_start(p, 8);
    return r;
}

int predict_uki(struct predict *p, const struct predict_uki *u, struct err *err)
{
    struct work w = {.in = u};
    struct pe pe;
    size_t n = p->n;
    uint32_t had = p->pcrs;
    int r = pe_parse(u->image.data, &pe, err);

    if (r == 0)
        r = pe_uki(&pe, &w.uki, err);
    w.version = u->stub_version ? u->stub_version : w.uki.stub_version;
    if (r == 0)
        r = add_all(p, &w, err);
    for (size_t i = 0; i < w.n_extra; i++)
        buf_fini(&w.extra[i]);
    if (r != 0)
        predict_rewind(p, n, had);
    return r == 0 ? 0 : err_prefix(err, r, "%s", u->image.name);
}
