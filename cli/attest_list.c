/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_list.h"

#include "pack_load.h"
#include "pack_options.h"
#include "statement.h"

#include <stdio.h>
#include <time.h>

/* Sets and rules of a whole pack. */
#define LIST_MAX (64u << 20)

/* "" for 0: no end. */
static const char *show_time(uint64_t t, char ret[static TEXT_TIME_SIZE])
{
    ret[0] = '\0';
    return t && text_format_time(t, ret) ? ret : "";
}

static const char *standing(const struct rules_set *s, uint64_t now)
{
    if (s->revoked)
        return "revoked";
    if (s->since > now + PACK_SKEW_S)
        return "not yet";
    return s->until && now >= s->until ? "over" : "valid";
}

static size_t rules_in_force(const struct pack *p, uint64_t now,
        const struct pack_rules **ret, size_t max)
{
    const struct pack_zone *z;
    size_t n_zones = pack_zones(p, &z), n = 0;

    for (size_t i = 0; i < n_zones && n < max; i++) {
        ret[n] = pack_rules(p, span_str(z[i].name), now);
        n += ret[n] != NULL;
    }
    return n;
}

/* ---- text ------------------------------------------------------------ */

static void print_rules(const struct pack_rules *f)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(4u << 20);
    char issued[TEXT_TIME_SIZE], expires[TEXT_TIME_SIZE];

    rules_format(f->rules, &text);
    (void)printf("rules of %s, of %s%s%s\n%s\n", f->zone,
            show_time(f->issued, issued), f->expires ? ", until " : "",
            show_time(f->expires, expires),
            text.error ? "" : (const char *)text.ptr);
}

static void print_set(const struct rules_set *s, uint64_t now)
{
    char since[TEXT_TIME_SIZE], until[TEXT_TIME_SIZE];

    (void)printf("set %s: %zu value%s of %s, %s, since %s%s%s\n", s->name, s->n,
            s->n == 1 ? "" : "s", s->claim, standing(s, now),
            show_time(s->since, since), s->until ? ", until " : "",
            show_time(s->until, until));
    for (size_t i = 0; i < s->n; i++) {
        CLEANUP(buf_fini) struct buf text = BUF_INIT(PACK_VALUE_MAX + 1);

        claims_format_value(&s->value[i], &text);
        (void)printf("    %s\n", text.error ? "?" : (const char *)text.ptr);
    }
}

static void list_text(const struct pack *p, uint64_t now)
{
    const struct pack_rules *rules[LIMIT_ZONES_MAX];
    size_t n = rules_in_force(p, now, rules, LIMIT_ZONES_MAX);
    struct rules_sets sets = pack_sets(p);

    for (size_t i = 0; i < n; i++)
        print_rules(rules[i]);
    for (size_t i = 0; i < sets.n; i++)
        print_set(&sets.set[i], now);
}

/* ---- JSON ------------------------------------------------------------ */

static bool put_end(struct json_t *o, const char *key, uint64_t t)
{
    return t == 0 || statement_put_time(o, key, t);
}

static bool put_rules(struct json_t *list, const struct pack_rules *f)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(4u << 20);
    struct json_t *o = statement_add_object(list);

    rules_format(f->rules, &text);
    return o && text.error == 0 && statement_put_str(o, "zone", f->zone) &&
           statement_put_time(o, "issued", f->issued) &&
           put_end(o, "expires", f->expires) &&
           statement_put_hex(o, "digest", SPAN_OF(f->digest)) &&
           statement_put_text(o, "text", buf_span(&text));
}

static bool put_set(
        struct json_t *list, const struct rules_set *s, uint64_t now)
{
    struct json_t *o = statement_add_object(list), *values;

    if (!o || !statement_put_str(o, "name", s->name) ||
            !statement_put_str(o, "claim", s->claim) ||
            !statement_put_str(o, "standing", standing(s, now)) ||
            !statement_put_bool(o, "revoked", s->revoked) ||
            !statement_put_time(o, "since", s->since) ||
            !put_end(o, "until", s->until) ||
            !statement_put_text(o, "recipe", s->recipe))
        return false;
    values = statement_put_array(o, "values");
    for (size_t i = 0; values && i < s->n; i++) {
        CLEANUP(buf_fini) struct buf text = BUF_INIT(PACK_VALUE_MAX);

        claims_format_value(&s->value[i], &text);
        if (text.error || !statement_add_text(values, buf_span(&text)))
            return false;
    }
    return values != NULL;
}

static int list_json(const struct pack *p, uint64_t now, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *o = statement_json_object();
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIST_MAX);
    const struct pack_rules *rules[LIMIT_ZONES_MAX];
    size_t n = rules_in_force(p, now, rules, LIMIT_ZONES_MAX);
    struct rules_sets sets = pack_sets(p);
    struct json_t *list = o ? statement_put_array(o, "rules") : NULL;
    bool ok = list != NULL;
    int r;

    for (size_t i = 0; ok && i < n; i++)
        ok = put_rules(list, rules[i]);
    list = ok ? statement_put_array(o, "sets") : NULL;
    ok = list != NULL;
    for (size_t i = 0; ok && i < sets.n; i++)
        ok = put_set(list, &sets.set[i], now);
    if (!ok)
        return err_set(err, ERR_MEMORY, "no memory for the list");
    r = statement_json_format(o, &text, err);
    if (r == 0)
        (void)printf("%s\n", (const char *)text.ptr);
    return r;
}

int attest_list(struct cli *cli, int argc, char **argv)
{
    unsigned may = PACK_OPT_PACK | PACK_OPT_OWNER | PACK_OPT_JSON;
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *owner = NULL;
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    uint64_t now = (uint64_t)time(NULL);
    struct pack_options o;
    struct err err = {0};
    int r = pack_options_parse(cli, argc, argv, may, PACK_OPT_PACK, 0, &o);

    if (r != CLI_OK)
        return r;
    r = pack_load_owner_for(o.owner, o.pack, &owner, &err);
    if (r == 0)
        r = pack_load_folder(o.pack, owner, &p, &err);
    if (r == 0 && o.json)
        r = list_json(p, now, &err);
    else if (r == 0)
        list_text(p, now);
    return r == 0 ? CLI_OK : cli_fail(&err);
}
