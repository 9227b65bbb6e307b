/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_values.h"

#include "attest_corim.h"
#include "attest_list.h"
#include "cli_json.h"
#include "pack_options.h"
#include "pack_store.h"
#include "statement.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What is read from a prediction: PCRs of all banks with their steps. */
#define PREDICT_MAX (16u << 20)
#define RECIPE_STEP 400

/* ---- a set that is being made ---------------------------------------- */

struct item {
    struct claim_value value;
    char *text; /* its one spelling */
};

struct set {
    struct rules_set s;
    struct item item[RULES_SET_VALUES_MAX];
    struct claim_value value[RULES_SET_VALUES_MAX];
    uint8_t *room[RULES_SET_VALUES_MAX]; /* what new values point into */
    size_t n_rooms;
    struct buf recipe;
};

static void set_free(struct set **p)
{
    struct set *s = *p;

    if (!s)
        return;
    for (size_t i = 0; i < s->s.n; i++)
        free(s->item[i].text);
    for (size_t i = 0; i < s->n_rooms; i++)
        free(s->room[i]);
    buf_fini(&s->recipe);
    free(s);
}

static const struct rules_set *find(const struct pack *p, const char *name)
{
    struct rules_sets sets = pack_sets(p);

    for (size_t i = 0; i < sets.n; i++) {
        if (strcmp(sets.set[i].name, name) == 0)
            return &sets.set[i];
    }
    return NULL;
}

/* What is there already is not added again. */
static int add(struct set *s, const struct claim_value *v, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(PACK_VALUE_MAX);
    struct item *i = &s->item[s->s.n];
    int r;

    for (size_t k = 0; k < s->s.n; k++) {
        if (claims_value_eq(&s->item[k].value, v))
            return 0;
    }
    if (s->s.n == RULES_SET_VALUES_MAX)
        return err_set(err, ERR_LIMIT, "set %s has more than %d values",
                s->s.name, RULES_SET_VALUES_MAX);
    claims_format_value(v, &text);
    r = buf_ok(&text, err);
    if (r != 0)
        return r;
    i->value = *v;
    i->text = strdup((const char *)text.ptr);
    if (!i->text)
        return err_set(err, ERR_MEMORY, "no memory for values");
    s->s.n++;
    return 0;
}

/* Text of a person's command line needs no quotes of ours. */
static int parse(struct set *s, const char *text, struct err *err)
{
    size_t len = strlen(text);
    uint8_t *room;
    struct claim_value v = {.type = CLAIM_TEXT};
    int r = 0;

    if (s->n_rooms == RULES_SET_VALUES_MAX)
        return err_set(err, ERR_LIMIT, "too many values");
    room = malloc(len + 1);
    if (!room)
        return err_set(err, ERR_MEMORY, "no memory for values");
    s->room[s->n_rooms++] = room;
    if (s->s.def->type == CLAIM_TEXT && text[0] != '"') {
        memcpy(room, text, len);
        v.bytes = SPAN(room, len);
        if (len > CLAIM_TEXT_MAX)
            r = err_set(err, ERR_LIMIT, "a text of %zu bytes", len);
    } else {
        r = claims_parse_value(span_str(text), s->s.def, room, &v, err);
    }
    return r ? r : add(s, &v, err);
}

static int name_set(
        struct set *s, const char *name, const char *claim, struct err *err)
{
    const char *near;

    if (!text_is_name(span_str(name), RULES_SET_NAME_MAX))
        return err_set(err, ERR_USAGE,
                "a set is named in [a-z0-9._-], at most %d",
                RULES_SET_NAME_MAX);
    s->s.def = claims_find_any(span_str(claim));
    if (!s->s.def) {
        near = claims_suggest(span_str(claim));
        return err_set(err, ERR_USAGE, "there is no claim '%.60s'%s%s%s", claim,
                *near ? "; did you mean " : "", near,
                *near ? "?" : " (qair attest claims)");
    }
    (void)snprintf(s->s.name, sizeof(s->s.name), "%s", name);
    (void)snprintf(s->s.claim, sizeof(s->s.claim), "%s", claim);
    return 0;
}

/* The values, times and recipe that the set of that name has. */
static int take_former(
        struct set *s, const struct rules_set *was, struct err *err)
{
    int r = 0;

    if (was->revoked)
        return err_set(err, ERR_EXISTS,
                "set %s is revoked; take another name, or --replace it",
                was->name);
    if (strcmp(was->claim, s->s.claim) != 0)
        return err_set(err, ERR_EXISTS,
                "set %s has values of %s; take another name, or --replace it",
                was->name, was->claim);
    for (size_t i = 0; r == 0 && i < was->n; i++)
        r = add(s, &was->value[i], err);
    s->s.since = was->since;
    s->s.until = was->until;
    buf_append(&s->recipe, was->recipe);
    return r;
}

static int new_set(const struct pack *p, const char *name, const char *claim,
        const struct pack_options *o, struct set **ret, struct err *err)
{
    CLEANUP(set_free) struct set *s = calloc(1, sizeof(*s));
    const struct rules_set *was = o->replace ? NULL : find(p, name);
    int r;

    if (!s)
        return err_set(err, ERR_MEMORY, "no memory for a set");
    s->recipe = BUF_INIT(PACK_RECIPE_MAX);
    s->s.since = (uint64_t)time(NULL);
    r = name_set(s, name, claim, err);
    if (r == 0 && was)
        r = take_former(s, was, err);
    if (r != 0)
        return r;
    if (o->since)
        s->s.since = o->since;
    if (o->until)
        s->s.until = o->until;
    *ret = TAKE_PTR(s);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(
            ((const struct item *)a)->text, ((const struct item *)b)->text);
}

/* A line a set that was signed. */
static int tell_json(const struct rules_set *s, struct err *err)
{
    json_t *o = json_pack("{s:s, s:s, s:I, s:b, s:I}", "set", s->name, "claim",
            s->claim, "values", (json_int_t)s->n, "revoked", s->revoked,
            "since", (json_int_t)s->since);

    if (o && s->until &&
            json_object_set_new(
                    o, "until", json_integer((json_int_t)s->until)) != 0) {
        json_decref(o);
        o = NULL;
    }
    return cli_json_put(o, stdout, err);
}

static int store(struct set *s, const struct pack_options *o,
        const struct crypto_key *owner, struct err *err)
{
    CLEANUP(buf_fini) struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    int r = buf_ok(&s->recipe, err);

    if (r != 0)
        return err_prefix(err, r, "recipe");
    qsort(s->item, s->s.n, sizeof(s->item[0]), by_text);
    for (size_t i = 0; i < s->s.n; i++)
        s->value[i] = s->item[i].value;
    s->s.value = s->value;
    s->s.recipe = buf_span(&s->recipe);
    r = pack_values_sign(&s->s, owner, &file, err);
    if (r == 0)
        r = pack_store_put(
                o->pack, owner, "values", s->s.name, buf_span(&file), err);
    if (r == 0 && o->json)
        return tell_json(&s->s, err);
    if (r == 0)
        (void)printf("signed       %s, %zu value%s of %s; in rules: %s in %s\n",
                s->s.name, s->s.n, s->s.n == 1 ? "" : "s", s->s.claim,
                s->s.claim, s->s.name);
    return r;
}

static void add_recipe(struct set *s, const char *text)
{
    if (s->recipe.len > 0)
        buf_append_u8(&s->recipe, '\n');
    buf_append_str(&s->recipe, text);
}

/* ---- add ------------------------------------------------------------- */

int attest_values_add(const struct pack *p, const struct pack_options *o,
        const struct crypto_key *owner, struct err *err)
{
    CLEANUP(set_free) struct set *s = NULL;
    int r = new_set(p, o->arg[0], o->claim, o, &s, err);

    for (size_t i = 0; r == 0 && i < o->n_values; i++)
        r = parse(s, o->value[i], err);
    if (r != 0)
        return r;
    if (o->note)
        add_recipe(s, o->note);
    return store(s, o, owner, err);
}

/* A line a step: what was extended, and from what. */
static int read_steps(struct statement_reader *pcr, struct set *s)
{
    const struct json_t *steps;
    size_t n;

    if (!statement_get_array(pcr, "steps", &steps, &n))
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct statement_reader step;
        struct span digest, how;
        char shown[RECIPE_STEP];

        if (!statement_item_object(steps, i, &step) ||
                !statement_get_text(
                        &step, "digest", 2 * CRYPTO_HASH_MAX, &digest) ||
                !statement_get_utf8(&step, "how", PACK_RECIPE_MAX, &how))
            return -1;
        text_format_safe(how, shown, sizeof(shown));
        /* what does not fit is for the prediction itself to keep */
        if (s->recipe.len + strlen(shown) + 1 < PACK_RECIPE_MAX)
            add_recipe(s, shown);
    }
    return 0;
}

static const struct {
    const char *bank, *claim, *suffix;
} banks[] = {
        {"sha256", "firmware.pcr", ""},
        {"sha384", "firmware.pcr.sha384", "-sha384"},
};

/* A bank that no claim is of is passed over. */
static int add_pcr(struct statement_reader *pcr, const struct pack *p,
        const struct pack_options *o, const struct crypto_key *owner,
        struct err *err)
{
    CLEANUP(set_free) struct set *s = NULL;
    char name[RULES_SET_NAME_MAX + 32], claim[CLAIM_NAME_MAX + 1], text[129];
    struct span bank, value;
    uint64_t n;
    int r;

    if (!statement_get_u64(pcr, "pcr", &n) || n >= TCG_PCRS ||
            !statement_get_text(pcr, "bank", 16, &bank) ||
            !statement_get_text(pcr, "value", sizeof(text) - 1, &value))
        return statement_bad(pcr, "prediction", err);
    for (size_t i = 0; i < ARRAY_LEN(banks); i++) {
        if (!span_eq_str(bank, banks[i].bank))
            continue;
        (void)snprintf(name, sizeof(name), "%s-pcr%u%s", o->arg[0], (unsigned)n,
                banks[i].suffix);
        (void)snprintf(claim, sizeof(claim), "%s.%u",
                i == 0 && n >= 17 && n <= 22 ? "drtm.pcr" : banks[i].claim,
                (unsigned)n);
        (void)snprintf(text, sizeof(text), "%.*s", (int)value.len,
                (const char *)value.ptr);
        r = new_set(p, name, claim, o, &s, err);
        if (r == 0)
            r = parse(s, text, err);
        if (r == 0 && read_steps(pcr, s) != 0)
            r = statement_bad(pcr, "prediction", err);
        return r ? r : store(s, o, owner, err);
    }
    return 0;
}

static int add_prediction(const struct pack *p, const struct pack_options *o,
        const struct crypto_key *owner, struct err *err)
{
    CLEANUP(buf_fini) struct buf bytes = BUF_INIT(PREDICT_MAX);
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    const struct json_t *list;
    struct statement_reader top, pcr;
    size_t n;
    int r = buf_load(&bytes, AT_FDCWD, o->predict, err);

    if (r != 0)
        return r;
    doc = statement_json_parse(buf_span(&bytes), err);
    if (!doc)
        return err_prefix(err, ERR_SYNTAX, "%s", o->predict);
    top = statement_reader_of(doc);
    if (!statement_get_array(&top, "pcrs", &list, &n) || n == 0)
        return err_set(err, ERR_SYNTAX,
                "%s: not what 'qair attest predict --json' prints", o->predict);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (!statement_item_object(list, i, &pcr))
            return statement_bad(&top, "prediction", err);
        r = add_pcr(&pcr, p, o, owner, err);
    }
    return r;
}

/* ---- revoke ---------------------------------------------------------- */

static int revoke(const struct pack *p, const struct pack_options *o,
        const struct crypto_key *owner, struct err *err)
{
    CLEANUP(buf_fini) struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    const struct rules_set *was = find(p, o->arg[0]);
    struct rules_set s;
    int r;

    if (!was)
        return err_set(
                err, ERR_NOT_FOUND, "no set %.64s in the pack", o->arg[0]);
    if (was->revoked)
        return err_set(err, ERR_EXISTS, "set %s is revoked already", was->name);
    s = *was;
    s.revoked = true;
    r = pack_values_sign(&s, owner, &file, err);
    if (r == 0)
        r = pack_store_put(
                o->pack, owner, "values", s.name, buf_span(&file), err);
    if (r == 0 && o->json)
        return tell_json(&s, err);
    if (r == 0)
        (void)printf("revoked      %s; each zone that has this pack and 'qair "
                     "zone reload' is met by no line that names it\n",
                s.name);
    return r;
}

/* ---- verbs ----------------------------------------------------------- */

#define OWNERS (PACK_OPT_OWNER_KEY | PACK_OPT_PACK)
#define CORIM                                                                  \
    (PACK_OPT_CORIM | PACK_OPT_KEY | PACK_OPT_UNSIGNED | PACK_OPT_PRODUCT |    \
            PACK_OPT_TIME)

static int change(const struct pack_options *o,
        int (*f)(const struct pack *p, const struct pack_options *o,
                const struct crypto_key *owner, struct err *err))
{
    CLEANUP(crypto_key_free_ptr) struct crypto_key *owner = NULL;
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    struct err err = {0};
    int r = pack_store_owner(o->owner_key, &owner, &err);

    if (r == 0)
        r = pack_store_load(o->pack, owner, &p, &err);
    if (r == 0)
        r = f(p, o, owner, &err);
    return r == 0 ? CLI_OK : cli_fail(&err);
}

static int verb_add(struct cli *cli, int argc, char **argv)
{
    unsigned may = OWNERS | PACK_OPT_CLAIM | PACK_OPT_VALUE | PACK_OPT_SINCE |
                   PACK_OPT_UNTIL | PACK_OPT_NOTE | PACK_OPT_PREDICT |
                   PACK_OPT_REPLACE | PACK_OPT_JSON | CORIM;
    struct pack_options o;
    int r = pack_options_parse(cli, argc, argv, may, OWNERS, 1, &o);

    if (r != CLI_OK)
        return r;
    if (o.predict && (o.claim || o.n_values))
        return cli_misuse(cli, "--from-predict has its own claims and values");
    if (o.corim && (o.predict || o.n_values))
        return cli_misuse(cli, "--corim has its own values");
    if (o.corim && o.json)
        return cli_misuse(cli, "'attest corim --json' tells of its values");
    if (!o.corim && (o.key || o.unsigned_ || o.product || o.time))
        return cli_misuse(cli, "unknown option without --corim");
    if (o.corim && !o.key == !o.unsigned_)
        return cli_misuse(
                cli, "--corim needs the maker's --key, or --unsigned");
    if (!o.predict && !o.corim && (!o.claim || o.n_values == 0))
        return cli_misuse(cli, "--claim and --value are needed");
    if (o.corim)
        return attest_corim_add(&o);
    return change(&o, o.predict ? add_prediction : attest_values_add);
}

static int verb_revoke(struct cli *cli, int argc, char **argv)
{
    struct pack_options o;
    int r = pack_options_parse(
            cli, argc, argv, OWNERS | PACK_OPT_JSON, OWNERS, 1, &o);

    return r == CLI_OK ? change(&o, revoke) : r;
}

static const struct cli_verb verbs[] = {
        {"reference add", ATTEST_ADD_ARGS, ATTEST_ADD_HELP, verb_add},
        {"reference list", ATTEST_LIST_ARGS, ATTEST_LIST_HELP, attest_list},
        {"reference revoke", ATTEST_REVOKE_ARGS, ATTEST_REVOKE_HELP,
                verb_revoke},
};

static const struct cli_verb *verb_of(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++) {
        if (strcmp(argv[1], strchr(verbs[i].name, ' ') + 1) == 0)
            return &verbs[i];
    }
    return NULL;
}

bool attest_values_is(int argc, char **argv)
{
    return verb_of(argc, argv) != NULL;
}

int attest_values(struct cli *cli, int argc, char **argv)
{
    cli->verb = verb_of(argc, argv);
    return cli->verb->run(cli, argc - 1, argv + 1);
}
