/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the owner's verbs (zone challenge, pack, attest). */
#ifndef QAIR_CLI_PACK_OPTIONS_H
#define QAIR_CLI_PACK_OPTIONS_H

#include "cli.h"

enum pack_option {
    PACK_OPT_PACK = 1 << 0,      /* --pack DIR */
    PACK_OPT_OWNER = 1 << 1,     /* --owner FILE */
    PACK_OPT_OWNER_KEY = 1 << 2, /* --owner-key FILE */
    PACK_OPT_CHALLENGE = 1 << 3, /* --challenge FILE */
    PACK_OPT_OUTPUT = 1 << 4,    /* -o FILE */
    PACK_OPT_CA = 1 << 5,        /* --ca FILE */
    PACK_OPT_STATE = 1 << 6,     /* --state NAME */
    PACK_OPT_EXPIRES = 1 << 7,   /* --expires TIME */
    PACK_OPT_BINDER = 1 << 8,    /* --binder HEX */
    PACK_OPT_ADDRESS = 1 << 9,   /* --address HOST:PORT */
    PACK_OPT_JSON = 1 << 10,     /* --json */
    PACK_OPT_HARDWARE = 1 << 11, /* --hardware */
    PACK_OPT_REPLACE = 1 << 12,  /* --replace */
    PACK_OPT_CHANGE = 1 << 13,   /* --change ZONEDIR */
    PACK_OPT_PCRS = 1 << 14,     /* --pcrs LIST */
    PACK_OPT_RECIPE = 1 << 15,   /* --recipe FILE */
    PACK_OPT_TIME = 1 << 16,     /* --time TIME */
    PACK_OPT_LAST = 1 << 17,     /* --last FILE */
    PACK_OPT_CLAIM = 1 << 18,    /* --claim NAME */
    PACK_OPT_VALUE = 1 << 19,    /* --value VALUE, as often as needed */
    PACK_OPT_SINCE = 1 << 20,    /* --since TIME */
    PACK_OPT_UNTIL = 1 << 21,    /* --until TIME */
    PACK_OPT_NOTE = 1 << 22,     /* --note TEXT */
    PACK_OPT_PREDICT = 1 << 23,  /* --from-predict FILE */
    PACK_OPT_CORIM = 1 << 24,    /* --corim FILE */
    PACK_OPT_KEY = 1 << 25,      /* --key FILE */
    PACK_OPT_PRODUCT = 1 << 26,  /* --product NAME */
    PACK_OPT_UNSIGNED = 1 << 27, /* --unsigned */
    PACK_OPT_EAR = 1 << 28,      /* --ear FORMAT */
    PACK_OPT_START = 1 << 29,    /* --start ZONEDIR */
    PACK_OPT_PROGRAMS = 1 << 30, /* --programs DIR */
};

/* A command line holds no more; sets grow by further commands. */
#define PACK_OPTIONS_VALUES_MAX 256

struct pack_options {
    const char *pack, *owner, *owner_key, *challenge, *output, *ca, *state,
            *address, *change, *start, *programs, *recipe, *last, *claim, *note,
            *predict, *corim, *key, *product, *ear;
    uint64_t expires;   /* 0: never */
    uint64_t time;      /* 0: now */
    uint64_t since;     /* 0: not given */
    uint64_t until;     /* 0: never */
    uint32_t pcrs;      /* 0: not given */
    uint8_t binder[32]; /* as given, else SHA-256("qair-reference-1") */
    bool has_binder, json, hardware, replace, unsigned_;
    const char *value[PACK_OPTIONS_VALUES_MAX];
    size_t n_values;
    const char *arg[2];
    int n_args;
};

/*
 * CLI_OK, or CLI_MISUSE after a message.  allowed and required are masks;
 * n_args arguments are wanted, or one or none.
 */
#define PACK_ARGS_OPTIONAL (-1)
int pack_options_parse(struct cli *cli, int argc, char **argv, unsigned allowed,
        unsigned required, int n_args, struct pack_options *ret);

#endif
