/* SPDX-License-Identifier: Apache-2.0 */
/* qair attest rules, claims: what the owner can want, and wants. */
#ifndef QAIR_CLI_ATTEST_RULES_H
#define QAIR_CLI_ATTEST_RULES_H

#include "cli.h"

#define ATTEST_RULES_ARGS                                                      \
    "ZONE FILE --owner-key FILE --pack DIR [--expires TIME]"
#define ATTEST_RULES_HELP                                                      \
    "sign the rules in FILE for a zone: which claims its states need; prints " \
    "them as they were understood"

int attest_rules(struct cli *cli, int argc, char **argv);
/* The table, or the rows whose names begin so. */
int attest_claims(struct cli *cli, int argc, char **argv);

#endif
