/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_options.h"

#include "tcg.h"

#include <getopt.h>
#include <stddef.h>

#define REFERENCE_BINDER "qair-reference-1"

/* A text option and where it goes; -1: see take_other. */
static const struct {
    enum pack_option bit;
    const char *name;
    int has_arg;
    ptrdiff_t at;
} table[] = {
        {PACK_OPT_PACK, "pack", 1, offsetof(struct pack_options, pack)},
        {PACK_OPT_OWNER, "owner", 1, offsetof(struct pack_options, owner)},
        {PACK_OPT_OWNER_KEY, "owner-key", 1,
                offsetof(struct pack_options, owner_key)},
        {PACK_OPT_CHALLENGE, "challenge", 1,
                offsetof(struct pack_options, challenge)},
        {PACK_OPT_OUTPUT, "output", 1, offsetof(struct pack_options, output)},
        {PACK_OPT_CA, "ca", 1, offsetof(struct pack_options, ca)},
        {PACK_OPT_STATE, "state", 1, offsetof(struct pack_options, state)},
        {PACK_OPT_ADDRESS, "address", 1,
                offsetof(struct pack_options, address)},
        {PACK_OPT_CHANGE, "change", 1, offsetof(struct pack_options, change)},
        {PACK_OPT_RECIPE, "recipe", 1, offsetof(struct pack_options, recipe)},
        {PACK_OPT_EXPIRES, "expires", 1, -1},
        {PACK_OPT_PCRS, "pcrs", 1, -1},
        {PACK_OPT_BINDER, "binder", 1, -1},
        {PACK_OPT_JSON, "json", 0, -1},
        {PACK_OPT_HARDWARE, "hardware", 0, -1},
        {PACK_OPT_REPLACE, "replace", 0, -1},
};

static bool take_other(struct pack_options *o, unsigned bit, const char *arg)
{
    if (bit == PACK_OPT_EXPIRES)
        return text_parse_time(span_str(arg), &o->expires) && o->expires;
    if (bit == PACK_OPT_PCRS)
        return text_parse_bits(span_str(arg), TCG_PCRS, &o->pcrs);
    if (bit == PACK_OPT_BINDER)
        return o->has_binder = text_parse_hex(
                       span_str(arg), o->binder, sizeof(o->binder));
    if (bit == PACK_OPT_JSON)
        o->json = true;
    else if (bit == PACK_OPT_HARDWARE)
        o->hardware = true;
    else
        o->replace = true;
    return true;
}

static bool take(struct pack_options *o, size_t i, const char *arg)
{
    if (table[i].at < 0)
        return take_other(o, table[i].bit, arg);
    memcpy((char *)o + table[i].at, &arg, sizeof(arg));
    return true;
}

static int check(struct cli *cli, int n_args, unsigned missing,
        const struct pack_options *o)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (missing & table[i].bit)
            return cli_misuse(cli, "--%s is needed", table[i].name);
    }
    if (o->n_args != n_args)
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
                table[i].name, table[i].has_arg, NULL, 256 + (int)i};
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
