/* SPDX-License-Identifier: Apache-2.0 */
/* What a maker's manifest says, for people and as JSON. */
#include "attest_corim_private.h"
#include "cli_sandbox.h"
#include "statement.h"

#include <stdio.h>

#define JSON_MAX (8u << 20)

static void print_time(const char *what, bool has, uint64_t t)
{
    char text[TEXT_TIME_SIZE];

    if (has && text_format_time(t, text))
        (void)printf("%-9s%s\n", what, text);
}

static void print_validity(const struct corim_validity *v)
{
    print_time("from", v->has_not_before, v->not_before);
    print_time("until", v->has_not_after, v->not_after);
}

static void print_value(
        const struct attest_corim_job *j, const struct corim_value *v)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);
    CLEANUP(buf_fini) struct buf rule = BUF_INIT(65536);
    struct corim_claim claim;
    struct err err = {0};

    corim_format_value(v, &text);
    (void)printf("  %s\n", text.ptr ? (const char *)text.ptr : "");
    if (attest_corim_line(j, v, &claim, &rule, &err) == 0)
        (void)printf("    %s %s %s\n", claim.name,
                claim.at_least ? "at least" : "is", (const char *)rule.ptr);
    else
        (void)printf("    left out: %s\n", err.msg);
}

static void print_head(const struct attest_corim_job *j)
{
    CLEANUP(buf_fini) struct buf id = BUF_INIT(4096);
    char safe[256];

    corim_format_name(&j->c->id, &id);
    (void)printf("id       %s\n", id.ptr ? (const char *)id.ptr : "");
    text_format_safe(j->c->signer, safe, sizeof(safe));
    if (j->key)
        (void)printf("signed   %s, by the key given, as \"%s\"\n",
                cose_alg_name(j->c->alg), safe);
    else if (j->c->is_signed)
        (void)printf("signed   not checked (--key); says \"%s\"\n", safe);
    else
        (void)printf("signed   by nobody\n");
    text_format_safe(j->c->profile, safe, sizeof(safe));
    if (j->c->profile.ptr && !j->c->profile_is_oid)
        (void)printf("profile  %s\n", safe);
    print_validity(&j->c->signed_validity);
    print_validity(&j->c->validity);
}

static void show_text(const struct attest_corim_job *j)
{
    size_t env = SIZE_MAX;

    print_head(j);
    for (size_t i = 0; i < j->c->n_values; i++) {
        const struct corim_value *v = &j->c->value[i];

        if (v->env != env) {
            CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);

            env = v->env;
            corim_format_env(&j->c->env[env], &text);
            (void)printf("%s\n", text.ptr ? (const char *)text.ptr : "");
        }
        print_value(j, v);
    }
    for (size_t i = 0; i < j->c->n_notes && i < CORIM_NOTES_MAX; i++)
        (void)printf("note     %s\n", j->c->note[i]);
}

static bool put_value(const struct attest_corim_job *j, struct json_t *list,
        const struct corim_value *v)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);
    CLEANUP(buf_fini) struct buf rule = BUF_INIT(65536);
    struct json_t *o = statement_add_object(list);
    struct corim_claim claim;
    struct err err = {0};

    corim_format_value(v, &text);
    if (!o || !statement_put_text(o, "says", buf_span(&text)))
        return false;
    if (attest_corim_line(j, v, &claim, &rule, &err) != 0)
        return statement_put_str(o, "left_out", err.msg);
    return statement_put_str(o, "claim", claim.name) &&
           statement_put_str(o, "op", claim.at_least ? "at least" : "is") &&
           statement_put_text(o, "value", buf_span(&rule));
}

static bool put_all(const struct attest_corim_job *j, struct json_t *o)
{
    CLEANUP(buf_fini) struct buf id = BUF_INIT(4096);
    struct json_t *values, *notes;
    char safe[256];

    corim_format_name(&j->c->id, &id);
    text_format_safe(j->c->signer, safe, sizeof(safe));
    if (!statement_put_text(o, "id", buf_span(&id)) ||
            !statement_put_bool(o, "signed", j->c->is_signed) ||
            !statement_put_bool(o, "verified", j->key != NULL) ||
            !statement_put_str(o, "signer", safe))
        return false;
    values = statement_put_array(o, "values");
    for (size_t i = 0; values && i < j->c->n_values; i++) {
        if (!put_value(j, values, &j->c->value[i]))
            return false;
    }
    notes = statement_put_array(o, "notes");
    for (size_t i = 0; notes && i < j->c->n_notes && i < CORIM_NOTES_MAX; i++) {
        if (!statement_add_text(notes, span_str(j->c->note[i])))
            return false;
    }
    return values && notes;
}

static int show_json(const struct attest_corim_job *j, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *o = statement_json_object();
    CLEANUP(buf_fini) struct buf text = BUF_INIT(JSON_MAX);
    int r;

    if (!o || !put_all(j, o))
        return err_set(err, ERR_MEMORY, "no memory to show it");
    r = statement_json_format(o, &text, err);
    if (r == 0)
        (void)printf("%s\n", (const char *)text.ptr);
    return r;
}

static int show(void *ctx)
{
    struct attest_corim_job *j = ctx;
    struct err err = {0};
    int r = attest_corim_read(j, &err);

    if (r == 0 && j->o->json)
        r = show_json(j, &err);
    else if (r == 0)
        show_text(j);
    return r == 0 ? CLI_OK : cli_fail(&err);
}

int attest_corim_show(struct cli *cli, int argc, char **argv)
{
    CLEANUP(attest_corim_job_fini) struct attest_corim_job j = {0};
    struct pack_options o;
    struct err err = {0};
    int r = pack_options_parse(cli, argc, argv,
            PACK_OPT_KEY | PACK_OPT_PRODUCT | PACK_OPT_TIME | PACK_OPT_JSON, 0,
            1, &o);

    if (r != CLI_OK)
        return r;
    if (attest_corim_init(&j, &o, o.arg[0], &err) != 0)
        return cli_fail(&err);
    return cli_in_sandbox(show, &j);
}
