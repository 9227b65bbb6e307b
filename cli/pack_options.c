/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_options.h"

#include "tcg.h"

#include <getopt.h>
#include <stddef.h>

#define REFERENCE_BINDER "qair-reference-1"

#define AT(member) offsetof(struct pack_options, member)

enum form { TEXT, TIME, FLAG, OTHER };

/* What an option is and where it goes; OTHER: see take_other. */
static const struct {
    unsigned bit;
    const char *name;
    enum form form;
    size_t at;
} table[] = {
        {PACK_OPT_PACK, "pack", TEXT, AT(pack)},
        {PACK_OPT_OWNER, "owner", TEXT, AT(owner)},
        {PACK_OPT_OWNER_KEY, "owner-key", TEXT, AT(owner_key)},
        {PACK_OPT_CHALLENGE, "challenge", TEXT, AT(challenge)},
        {PACK_OPT_OUTPUT, "output", TEXT, AT(output)},
        {PACK_OPT_CA, "ca", TEXT, AT(ca)},
        {PACK_OPT_STATE, "state", TEXT, AT(state)},
        {PACK_OPT_ADDRESS, "address", TEXT, AT(address)},
        {PACK_OPT_CHANGE, "change", TEXT, AT(change)},
        {PACK_OPT_START, "start", TEXT, AT(start)},
        {PACK_OPT_PROGRAMS, "programs", TEXT, AT(programs)},
        {PACK_OPT_LAST, "last", TEXT, AT(last)},
        {PACK_OPT_CLAIM, "claim", TEXT, AT(claim)},
        {PACK_OPT_RECIPE, "recipe", TEXT, AT(recipe)},
        {PACK_OPT_NOTE, "note", TEXT, AT(note)},
        {PACK_OPT_PREDICT, "from-predict", TEXT, AT(predict)},
        {PACK_OPT_CORIM, "corim", TEXT, AT(corim)},
        {PACK_OPT_KEY, "key", TEXT, AT(key)},
        {PACK_OPT_PRODUCT, "product", TEXT, AT(product)},
        {PACK_OPT_EAR, "ear", TEXT, AT(ear)},
        {PACK_OPT_EXPIRES, "expires", TIME, AT(expires)},
        {PACK_OPT_TIME, "time", TIME, AT(time)},
        {PACK_OPT_SINCE, "since", TIME, AT(since)},
        {PACK_OPT_UNTIL, "until", TIME, AT(until)},
        {PACK_OPT_JSON, "json", FLAG, AT(json)},
        {PACK_OPT_HARDWARE, "hardware", FLAG, AT(hardware)},
        {PACK_OPT_REPLACE, "replace", FLAG, AT(replace)},
        {PACK_OPT_UNSIGNED, "unsigned", FLAG, AT(unsigned_)},
        {PACK_OPT_PCRS, "pcrs", OTHER, 0},
        {PACK_OPT_BINDER, "binder", OTHER, 0},
        {PACK_OPT_VALUE, "value", OTHER, 0},
};

static bool take_other(struct pack_options *o, unsigned bit, const char *arg)
{
    if (bit == PACK_OPT_PCRS)
        return text_parse_bits(span_str(arg), TCG_PCRS, &o->pcrs);
    if (bit == PACK_OPT_BINDER)
        return o->has_binder = text_parse_hex(
                       span_str(arg), o->binder, sizeof(o->binder));
    if (o->n_values == ARRAY_LEN(o->value))
        return false;
    o->value[o->n_values++] = arg;
    return true;
}

static bool take(struct pack_options *o, size_t i, const char *arg)
{
    char *to = (char *)o + table[i].at;
    const bool yes = true;
    uint64_t t;

    switch (table[i].form) {
    case TEXT:
        memcpy(to, &arg, sizeof(arg));
        return true;
    case TIME:
        if (!text_parse_time(span_str(arg), &t) || t == 0)
            return false;
        memcpy(to, &t, sizeof(t));
        return true;
    case FLAG:
        memcpy(to, &yes, sizeof(yes));
        return true;
    case OTHER:
        return take_other(o, table[i].bit, arg);
    }
    return false;
}

static int check(struct cli *cli, int n_args, unsigned missing,
        const struct pack_options *o)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (missing & table[i].bit)
            return cli_misuse(cli, "--%s is needed", table[i].name);
    }
    if (n_args == PACK_ARGS_OPTIONAL && o->n_args > 1)
        return cli_misuse(cli, "wants one argument or none");
    if (n_args >= 0 && o->n_args != n_args)
        return cli_misuse(cli, "wants %d argument%s, got %d", n_args,
                n_args == 1 ? "" : "s", o->n_args);
    return CLI_OK;
}

int pack_options_parse(struct cli *cli, int argc, char **argv, unsigned allowed,
        unsigned required, int n_args, struct pack_options *ret)
{
    struct option options[ARRAY_LEN(table) + 1] = {0};
    unsigned seen = 0;
    int c;

    *ret = (struct pack_options){.state = "golden"};
    crypto_sha256(span_str(REFERENCE_BINDER), ret->binder);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        options[i] = (struct option){
                table[i].name, table[i].form != FLAG, NULL, 256 + (int)i};
    while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        if (c == 'o') {
            ret->output = optarg;
            seen |= PACK_OPT_OUTPUT;
            continue;
        }
        if (c < 256)
            return cli_misuse(cli, "unknown option");
        if (!take(ret, (size_t)(c - 256), optarg))
            return cli_misuse(cli, "--%s does not take '%s'",
                    table[c - 256].name, optarg);
        seen |= table[c - 256].bit;
    }
    if (seen & ~allowed)
        return cli_misuse(cli, "unknown option");
    ret->n_args = argc - optind;
    for (int i = 0; i < ret->n_args && i < 2; i++)
        ret->arg[i] = argv[optind + i];
    return check(cli, n_args, required & ~seen, ret);
}
