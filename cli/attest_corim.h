/* SPDX-License-Identifier: Apache-2.0 */
/* Reference values of makers: what a CoRIM says, and as values of sets. */
#ifndef QAIR_CLI_ATTEST_CORIM_H
#define QAIR_CLI_ATTEST_CORIM_H

#include "pack.h"
#include "pack_options.h"
#include "rules.h"

#define ATTEST_CORIM_ARGS                                                      \
    "FILE [--key FILE] [--product milan|genoa|turin] "                         \
    "[--time TIME] [--json]"
#define ATTEST_CORIM_HELP                                                      \
    "what a maker's reference values (CoRIM) say, and which claims they are "  \
    "of; without --key nobody's word"

int attest_corim_show(struct cli *cli, int argc, char **argv);

/* A line of rules that a manifest would have: CLAIM is / at least VALUE. */
struct attest_corim_line {
    char claim[CLAIM_NAME_MAX + 1];
    bool at_least;
    const char *value; /* its one spelling */
};
/* A manifest's values, as the child that read it handed them out. */
struct attest_corim {
    char *text;     /* shared with the child; cut into lines */
    char *note;     /* for people: which file, by whom */
    uint64_t until; /* end of the maker's word; 0: none */
    size_t n;
    struct attest_corim_line *line;
};
void attest_corim_fini(struct attest_corim *c);
/* attest reference add --corim: a set for each claim; an exit code. */
int attest_corim_add(const struct pack_options *o);
/*
 * The values of o->corim, signed by o->key or, when o says so, by nobody.
 * What is left out is told on stdout, with the reason.  CLI_OK, else it failed
 * and said why.
 */
int attest_corim_values(const struct pack_options *o, struct attest_corim *ret)
        MUST_CHECK;

#endif
