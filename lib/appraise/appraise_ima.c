/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims of the kernel's list of measured files, as far as the quoted PCR 10
 * proves it.  A line's template is authenticated by nothing, so that each line
 * gives its digest, whatever it is called: a buffer may be a file.
 */
#include "appraise_private.h"

#include "ima.h"

#include <stdio.h>

#define PART "list of measured files"
/* What CLAIMS_MAX and, with sources of 150 bytes, CLAIMS_BYTES_MAX leave room
 * for beside the claims of other evidence; 4 MiB of evidence hold some 40,000
 * lines. */
#define FILES_MAX 32768

struct lines {
    struct claims *c;
    size_t first; /* claim of the first file */
    size_t files;
    size_t unsigned_files;
    const char *hidden; /* why some line's digest is not told */
    bool has_template, same_template;
    struct span template;
};

static void add_file(struct claims *c, const struct ima_entry *e)
{
    char path[72], source[CLAIMS_SOURCE_MAX + 1];

    text_format_safe(e->path, path, sizeof(path));
    (void)snprintf(source, sizeof(source), "measured file %zu, in PCR 10: %s",
            e->index + 1, path);
    claims_add_bytes(c, "ima.file", SPAN(e->digest, e->digest_len), source);
}

static void take_file(struct lines *l, const struct ima_entry *e)
{
    /* What a violation says anybody may have written, and what was read then
     * may be anything. */
    if (e->violation)
        l->hidden = "a file changed while it was measured";
    else if (!e->known || !e->digest_ok || e->digest_len == 0)
        l->hidden = "a line's template or digest is not known";
    else if (l->files == FILES_MAX)
        l->hidden = "it has more files than are told one by one";
    else
        add_file(l->c, e);
    l->files += l->files < FILES_MAX;
    l->unsigned_files += !ima_has(e, IMA_SIG);
}

static void take_template(struct lines *l, const struct ima_entry *e)
{
    if (!l->has_template)
        l->template = e->name;
    l->same_template = !l->has_template ||
                       (l->same_template && span_eq(l->template, e->name));
    l->has_template = true;
}

/* PCRs 0 to 9 as quoted; false when one is not. */
static bool boot_pcrs(const struct evidence *e, struct ima_boot_pcrs *ret)
{
    ret->bank = CRYPTO_SHA256;
    for (unsigned i = 0; i < ARRAY_LEN(ret->value); i++) {
        if (!tcg_value(&e->quote.selection, &e->values, TCG_ALG_SHA256, i,
                    &ret->value[i]))
            return false;
    }
    return true;
}

/* Ties PCR 10 to the boot before it. */
static void add_aggregate(struct appraise_work *w, const struct ima_entry *e)
{
    struct ima_boot_pcrs pcrs;
    unsigned n;
    int r;

    if (!boot_pcrs(&w->e, &pcrs))
        return;
    r = ima_boot_aggregate_check(e, &pcrs, &n, NULL);
    if (r == 0 || r == ERR_MISMATCH || r == ERR_DENIED)
        claims_add_bool(&w->detail->claims, "ima.aggregate", r == 0,
                "first line of the list of measured files, in PCR 10");
}

static int walk(struct appraise_work *w, struct ima_list list, size_t covered,
        struct lines *l, struct err *err)
{
    for (size_t i = 0; i < covered; i++) {
        struct ima_entry e;
        int r = ima_next(&list, &e, err);

        if (r != 1)
            return r < 0 ? r : err_set(err, ERR_SYNTAX, "it ends early");
        if (e.pcr != IMA_PCR)
            continue; /* vouched for by nothing */
        take_template(l, &e);
        if (i == 0 && ima_is_boot_aggregate(&e))
            add_aggregate(w, &e);
        else
            take_file(l, &e);
    }
    return 0;
}

static void add_sums(const struct lines *l, const struct ima_prefix *p)
{
    static const char source[] = "PCR 10, quoted";
    struct claims *c = l->c;

    claims_add_number(c, "ima.lines", p->covered, source);
    claims_add_number(c, "ima.violations", p->violations, source);
    if (l->files > 0 && !l->hidden)
        claims_add_bool(c, "ima.signed", l->unsigned_files == 0, source);
    c->unattested = true;
    claims_add_number(c, "ima.unattested", p->total - p->covered,
            "lines behind those that PCR 10 proves");
    if (l->has_template && l->same_template)
        claims_add_text(c, "ima.template", l->template, "all lines");
    c->unattested = false;
}

/* The value of PCR 10 is known, so that the covered part is found by it. */
static int explain(struct appraise_work *w, struct span bytes,
        struct span quoted, struct err *err)
{
    const struct ima_goal goal = {.value = quoted};
    struct lines l = {.c = &w->detail->claims, .first = w->detail->claims.n};
    struct ima_prefix prefix;
    struct ima_list list;
    int r = ima_open(bytes, IMA_BINARY, 0, &list, err);

    if (r == 0)
        r = ima_prefix_find(
                list, CRYPTO_SHA256, IMA_PCR, SPAN_EMPTY, &goal, &prefix, err);
    if (r == 0)
        r = walk(w, list, prefix.covered, &l, err);
    if (r != 0)
        return r;
    if (l.hidden) {
        claims_unattested(l.c, l.first);
        appraise_note(w, PART, l.hidden);
    }
    add_sums(&l, &prefix);
    return 0;
}

void appraise_ima(struct appraise_work *w)
{
    struct span bytes = w->e.part[EVIDENCE_IMA];
    size_t first = w->detail->claims.n;
    struct err err = {0};
    struct span quoted;

    if (bytes.len == 0)
        return;
    if (!tcg_value(&w->e.quote.selection, &w->e.values, TCG_ALG_SHA256, IMA_PCR,
                &quoted)) {
        appraise_note(w, PART, "PCR 10 is not quoted");
        return;
    }
    if (explain(w, bytes, quoted, &err) == 0)
        return;
    claims_unattested(&w->detail->claims, first);
    appraise_note(w, PART, err.msg);
}
