/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims of the firmware's event log, as far as quoted PCRs prove it.
 *
 * Types of events are authenticated by nothing, so a liar can call an image a
 * file, or a file a command.  What a PCR was extended with is true: a claim of
 * which there are many takes all digests of its PCR, whatever they are called,
 * but those whose data shows that they are something harmless.
 */
#include "appraise_private.h"

#include <stdio.h>

#define SOURCE     "firmware event log"
#define BANK       TCG_ALG_SHA256
#define EXPLAINED  0x3ffu /* PCR 0-9: firmware, boot loader, kernel's stub */
#define ACTION_MAX 128    /* EV_EFI_ACTION: a sentence of the standard */
/* TaggedEventID of Linux (drivers/firmware/efi/libstub/efistub.h) */
#define TAG_INITRD  0x8f3b22ecu
#define TAG_OPTIONS 0x8f3b22edu

/* How often something was measured, and the last of it. */
struct seen {
    size_t n;
    struct eventlog_fact last;
};

/* What is only known at the end of the log. */
struct walk {
    struct appraise_work *w;
    struct claims *c;
    struct eventlog_view v;
    struct seen image, options, initrd, files;
    struct seen commands;  /* command lines in PCR 8 */
    struct seen overrides; /* events of PCR 12 */
    bool policy_ended;     /* PCR 7: behind the first separator */
    bool hides_command;    /* PCR 8: something that is no text of GRUB's */
};

static void see(struct seen *s, const struct eventlog_fact *f)
{
    s->n++;
    s->last = *f;
}

static void say(const struct eventlog_fact *f, char *ret, size_t cap)
{
    (void)snprintf(ret, cap, "PCR %u, event %zu of the firmware log", f->pcr,
            f->event);
}

static void add_digest(
        struct claims *c, const char *name, const struct eventlog_fact *f)
{
    char source[CLAIMS_SOURCE_MAX + 1];

    say(f, source, sizeof(source));
    claims_add_bytes(c, name, f->digest, source);
}

/* ---- which PCRs are proved ------------------------------------------- */

static uint32_t quoted(const struct evidence *e)
{
    for (size_t i = 0; i < e->quote.selection.n; i++) {
        if (e->quote.selection.bank[i].alg == BANK)
            return e->quote.selection.bank[i].pcrs;
    }
    return 0;
}

/* Those that the log explains: in SHA-256, and in no other bank otherwise. */
static uint32_t proved_by_quote(
        const struct evidence *e, const struct eventlog_pcrs *p)
{
    struct eventlog_agreement agreement = {0};
    struct eventlog_claim claim[TCG_VALUES_MAX];
    uint32_t agree = 0;
    size_t n = 0;

    for (size_t i = 0; i < e->quote.selection.n; i++) {
        const struct tcg_bank *b = &e->quote.selection.bank[i];

        for (unsigned pcr = 0; pcr < TCG_PCRS; pcr++) {
            struct span value;

            if (tcg_value(&e->quote.selection, &e->values, b->alg, pcr, &value))
                claim[n++] = (struct eventlog_claim){b->alg, pcr, value};
        }
    }
    if (n == 0 || (eventlog_compare(p, claim, n, &agreement, NULL) != 0 &&
                          agreement.n == 0))
        return 0;
    for (size_t i = 0; i < agreement.n; i++) {
        if (agreement.bank[i].alg == BANK)
            agree = agreement.bank[i].agree;
    }
    return agree & agreement.proved;
}

/* ---- one event ------------------------------------------------------- */

static bool is_text(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
            return false;
    }
    return true;
}

static bool is_separator(const struct eventlog_fact *f)
{
    return f->kind == EVENTLOG_SEPARATOR && f->data_attested &&
           f->value.len == 4;
}

/* An image that was hashed as a whole would be longer, and no text. */
static bool is_action(const struct eventlog_fact *f)
{
    return f->kind == EVENTLOG_ACTION && f->data_attested &&
           f->value.len <= ACTION_MAX && is_text(f->value);
}

static void take_loader(struct walk *k, const struct eventlog_fact *f)
{
    if (is_separator(f) || is_action(f))
        return;
    add_digest(k->c, "bootloader.image", f);
    see(&k->image, f);
}

/* Extended with what a separator is made of, whatever it is called. */
static bool ends_policy(const struct eventlog_fact *f)
{
    static const uint8_t values[][4] = {{0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}};

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        uint8_t digest[CRYPTO_SHA256_SIZE];

        crypto_sha256(SPAN_OF(values[i]), digest);
        if (span_eq(f->digest, SPAN_OF(digest)))
            return true;
    }
    return false;
}

static void take_policy(struct walk *k, const struct eventlog_fact *f)
{
    if (ends_policy(f))
        k->policy_ended = true;
    else if (k->policy_ended)
        add_digest(k->c, "secureboot.authority", f);
}

/* What the log shows the content of is no file: a separator, a text. */
static void take_file(struct walk *k, const struct eventlog_fact *f)
{
    if (is_separator(f))
        return;
    add_digest(k->c, "bootloader.file", f);
    see(&k->files, f);
    if (f->kind == EVENTLOG_TAGGED && f->tag == TAG_OPTIONS)
        see(&k->options, f);
    if (f->kind == EVENTLOG_TAGGED && f->tag == TAG_INITRD)
        see(&k->initrd, f);
}

static void take_override(struct walk *k, const struct eventlog_fact *f)
{
    see(&k->overrides, f);
}

/* Of these two kinds the value is the text that the digest is of.  One that is
 * too long for a claim is as good as hidden. */
static void take_command(struct walk *k, const struct eventlog_fact *f)
{
    char source[CLAIMS_SOURCE_MAX + 1];
    bool is_text = f->data_attested &&
                   (f->kind == EVENTLOG_COMMAND || f->kind == EVENTLOG_CMDLINE);

    if (is_separator(f))
        return;
    if (!is_text || f->value.len > CLAIM_TEXT_MAX) {
        k->hides_command = true;
        return;
    }
    say(f, source, sizeof(source));
    claims_add_text(k->c, "bootloader.command", f->value, source);
    if (f->kind == EVENTLOG_CMDLINE)
        see(&k->commands, f);
}

static void take_core(struct walk *k, const struct eventlog_fact *f)
{
    if (is_separator(f))
        return;
    if (f->type == EVENTLOG_EV_S_CRTM_VERSION && f->data_attested)
        add_digest(k->c, "firmware.crtm", f);
    add_digest(k->c, "firmware.blob", f);
}

static void take_driver(struct walk *k, const struct eventlog_fact *f)
{
    if (!is_separator(f))
        add_digest(k->c, "firmware.driver", f);
}

static void take_partitions(struct walk *k, const struct eventlog_fact *f)
{
    if (f->kind == EVENTLOG_PARTITIONS && f->data_attested)
        add_digest(k->c, "bootloader.gpt", f);
}

static void (*const takes[TCG_PCRS])(
        struct walk *k, const struct eventlog_fact *f) = {
        [0] = take_core,
        [2] = take_driver,
        [4] = take_loader,
        [5] = take_partitions,
        [7] = take_policy,
        [8] = take_command,
        [9] = take_file,
        [12] = take_override,
};

/* ---- the whole log --------------------------------------------------- */

/* The text of UTF-16LE that is all ASCII; else the bytes as they are. */
static struct span narrow(struct span s, uint8_t *room, size_t cap)
{
    size_t n = 0;

    while (s.len >= 2 && s.ptr[s.len - 1] == 0 && s.ptr[s.len - 2] == 0)
        s.len -= 2;
    if (s.len == 0 || s.len % 2 || s.len / 2 > cap)
        return s;
    for (; n < s.len / 2; n++) {
        if (s.ptr[2 * n] == 0 || s.ptr[2 * n] > 0x7e || s.ptr[2 * n + 1] != 0)
            return s;
        room[n] = s.ptr[2 * n];
    }
    return SPAN(room, n);
}

static void add_cmdline(struct walk *k, const struct eventlog_fact *f)
{
    uint8_t room[CLAIM_TEXT_MAX];
    char source[CLAIMS_SOURCE_MAX + 1];

    say(f, source, sizeof(source));
    claims_add_text(k->c, "kernel.cmdline",
            narrow(f->value, room, sizeof(room)), source);
}

/*
 * The kernel's stub measures its command line and its initrd into PCR 9, and
 * nothing else.  Beside other files (GRUB measures each that it reads) neither
 * can be told from a decoy that was read and not used.
 */
static void end_stub(struct walk *k)
{
    bool alone = k->options.n <= 1 && k->initrd.n <= 1 &&
                 k->files.n == k->options.n + k->initrd.n;

    k->c->unattested = !alone;
    if (k->options.n)
        add_digest(k->c, "kernel.cmdline.digest", &k->options.last);
    if (k->initrd.n)
        add_digest(k->c, "kernel.initrd", &k->initrd.last);
    k->c->unattested = false;
}

/* systemd-stub measures one text into PCR 12.  In PCR 8 a command may have
 * any text, also that of a command line which was not used. */
static void end_cmdline(struct walk *k)
{
    const struct eventlog_fact *f = &k->overrides.last;

    k->c->unattested = k->overrides.n != 1;
    if (k->overrides.n && f->kind == EVENTLOG_CMDLINE && f->data_attested)
        add_cmdline(k, f);
    k->c->unattested = true;
    if (k->commands.n)
        add_cmdline(k, &k->commands.last);
    k->c->unattested = false;
}

static void end_kernel(struct walk *k)
{
    if (k->image.n)
        add_digest(k->c, "kernel.image", &k->image.last);
    end_stub(k);
    end_cmdline(k);
}

static void end_variables(struct walk *k, bool decided)
{
    static const struct {
        enum eventlog_policy p;
        const char *digest, *flag;
    } variables[] = {
            {EVENTLOG_PK, "secureboot.pk", NULL},
            {EVENTLOG_KEK, "secureboot.kek", NULL},
            {EVENTLOG_DB, "secureboot.db", NULL},
            {EVENTLOG_DBX, "secureboot.dbx", NULL},
            {EVENTLOG_DEPLOYED_MODE, NULL, "secureboot.deployed"},
            {EVENTLOG_AUDIT_MODE, NULL, "secureboot.audit"},
    };

    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const struct eventlog_policy_variable *p = &k->v.policy[variables[i].p];
        uint8_t digest[CRYPTO_SHA256_SIZE];
        char source[CLAIMS_SOURCE_MAX + 1];

        if (p->n == 0)
            continue;
        k->c->unattested = !decided || p->n > 1 || !p->holds;
        (void)snprintf(source, sizeof(source),
                "PCR 7, event %zu of the firmware log", p->event);
        crypto_sha256(p->value, digest);
        if (variables[i].digest)
            claims_add_bytes(
                    k->c, variables[i].digest, SPAN_OF(digest), source);
        else if (p->value.len == 1 && p->value.ptr[0] <= 1)
            claims_add_bool(k->c, variables[i].flag, p->value.ptr[0], source);
        k->c->unattested = false;
    }
}

static void add_answer(struct claims *c, const char *name,
        enum eventlog_answer a, enum eventlog_answer yes, const char *source)
{
    if (a != EVENTLOG_UNDECIDED)
        claims_add_bool(c, name, a == yes, source);
}

static void end_secure_boot(struct walk *k)
{
    const struct eventlog_policy_variable *p =
            &k->v.policy[EVENTLOG_SECURE_BOOT];
    const char *why;
    enum eventlog_answer a = eventlog_view_secure_boot(&k->v, &why);
    char source[CLAIMS_SOURCE_MAX + 1];

    (void)snprintf(source, sizeof(source),
            "PCR 7, event %zu of the firmware log: %s", p->event, why);
    if (a == EVENTLOG_UNDECIDED && p->n > 0 && p->value.len == 1) {
        k->c->unattested = true;
        claims_add_bool(
                k->c, "secureboot.enabled", p->value.ptr[0] == 1, source);
        k->c->unattested = false;
    }
    add_answer(k->c, "secureboot.enabled", a, EVENTLOG_YES, source);
    end_variables(k, a != EVENTLOG_UNDECIDED);
}

static void end_firmware(struct walk *k, const struct eventlog_pcrs *p)
{
    const char *why;
    enum eventlog_answer a = eventlog_view_separators(&k->v, &why);

    add_answer(k->c, "firmware.error", a, EVENTLOG_NO, why);
    add_answer(k->c, "firmware.debug",
            eventlog_view_flag(&k->v, EVENTLOG_DEBUG_MODE), EVENTLOG_YES,
            "actions in PCR 7");
    add_answer(k->c, "firmware.dma_unprotected",
            eventlog_view_flag(&k->v, EVENTLOG_DMA_UNPROTECTED), EVENTLOG_YES,
            "actions in PCR 7");
    if (!(k->v.proved & 1))
        return;
    claims_add_bool(k->c, "firmware.hcrtm", p->has_hcrtm, "start of PCR 0");
    if (p->has_locality)
        claims_add_number(
                k->c, "firmware.locality", p->locality, "start of PCR 0");
}

/* Commands of which one is hidden may be any. */
static void end_commands(struct walk *k)
{
    for (size_t i = 0; k->hides_command && i < k->c->n; i++) {
        if (strcmp(k->c->claim[i].name, "bootloader.command") == 0)
            k->c->claim[i].attested = false;
    }
}

static int walk(struct walk *k, struct err *err)
{
    struct eventlog_fact f;
    int r;

    while ((r = eventlog_view_next(&k->v, &f, err)) == 1) {
        if (f.attested && f.digest.len == CRYPTO_SHA256_SIZE &&
                f.pcr < TCG_PCRS && takes[f.pcr])
            takes[f.pcr](k, &f);
    }
    return r;
}

/* PCRs that are quoted and that the log does not explain, for a person. */
static void note_differences(struct appraise_work *w, uint32_t differ)
{
    char text[ERR_MSG_MAX] = "it does not give the quoted PCR";
    size_t n = strlen(text);

    for (unsigned i = 0; i < TCG_PCRS && n < sizeof(text); i++) {
        if ((differ >> i) & 1)
            n += (size_t)snprintf(text + n, sizeof(text) - n, " %u", i);
    }
    if (differ)
        appraise_note(w, SOURCE, text);
}

static int explain(struct appraise_work *w, struct span bytes, struct err *err)
{
    struct walk k = {.w = w, .c = &w->detail->claims};
    struct eventlog_pcrs pcrs;
    uint32_t proved, want = quoted(&w->e) & EXPLAINED;
    struct eventlog log;
    int r = eventlog_open(bytes, &log, err);

    if (r == 0)
        r = eventlog_replay(bytes, &pcrs, err);
    if (r != 0)
        return r;
    proved = proved_by_quote(&w->e, &pcrs);
    eventlog_view_begin(&log, BANK, proved, &k.v);
    r = walk(&k, err);
    if (r != 0)
        return r;
    claims_add_bool(k.c, "firmware.log", want != 0 && (want & ~proved) == 0,
            "replay of the firmware event log");
    note_differences(w, want & ~proved);
    end_firmware(&k, &pcrs);
    end_secure_boot(&k);
    end_kernel(&k);
    end_commands(&k);
    appraise_uki(w, &log, &pcrs);
    return 0;
}

void appraise_firmware(struct appraise_work *w)
{
    struct span bytes = w->e.part[EVIDENCE_FIRMWARE];
    struct claims *c = &w->detail->claims;
    struct err err = {0};

    if (quoted(&w->e) & EXPLAINED)
        claims_add_bool(c, "firmware.log.absent", bytes.len == 0, "TPM quote");
    if (bytes.len > 0 && explain(w, bytes, &err) != 0)
        appraise_note(w, SOURCE, err.msg);
}
