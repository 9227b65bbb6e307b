/* SPDX-License-Identifier: Apache-2.0 */
/* qair attest verify, explain: what evidence comes to by the owner's pack. */
#ifndef QAIR_CLI_ATTEST_VERIFY_H
#define QAIR_CLI_ATTEST_VERIFY_H

#include "cli.h"
#include "foreign.h"

#define ATTEST_VERIFY_ARGS                                                     \
    "EVIDENCE --pack DIR [--owner FILE] [--binder HEX] [--time T] "            \
    "[--json | --ear veraison|ietf[-cbor]] | " FOREIGN_ARGS
#define ATTEST_VERIFY_HELP                                                     \
    "appraise evidence of a zone by the pack; every difference is named.  "    \
    "--ear: the verdict as a result that Veraison and Trustee read. "          \
    " " FOREIGN_HELP
#define ATTEST_EXPLAIN_ARGS                                                    \
    "EVIDENCE --pack DIR [--owner FILE] [--binder HEX] [--time T] "            \
    "[--last EVIDENCE] [--json]"
#define ATTEST_EXPLAIN_HELP                                                    \
    "say why: each line of the rules, what the evidence says and where, what " \
    "changed since --last.  --json: all claims, too"

int attest_verify(struct cli *cli, int argc, char **argv);
int attest_explain(struct cli *cli, int argc, char **argv);

#endif
