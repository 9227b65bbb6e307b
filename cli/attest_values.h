/* SPDX-License-Identifier: Apache-2.0 */
/* qair attest reference add, list, revoke: sets of values that rules name. */
#ifndef QAIR_CLI_ATTEST_VALUES_H
#define QAIR_CLI_ATTEST_VALUES_H

#include "cli.h"

#define ATTEST_ADD_ARGS                                                        \
    "NAME (--claim NAME --value V... | --from-predict FILE) "                  \
    "--owner-key FILE --pack DIR [--since TIME] [--until TIME] "               \
    "[--note TEXT] [--replace]"
#define ATTEST_ADD_HELP                                                        \
    "sign values into a set that rules can name ('CLAIM in NAME'); a set "     \
    "that "                                                                    \
    "is there gets them besides.  --from-predict: a set a PCR, NAME-pcrN, of " \
    "what 'attest predict --json' printed"
#define ATTEST_LIST_ARGS   "--pack DIR [--owner FILE] [--json]"
#define ATTEST_LIST_HELP   "rules and sets of values of the pack, and their times"
#define ATTEST_REVOKE_ARGS "NAME --owner-key FILE --pack DIR"
#define ATTEST_REVOKE_HELP                                                     \
    "take a set back: no line of rules that names it is met any more"

/* Is it one of them, and not evidence to approve? */
bool attest_values_is(int argc, char **argv);
int attest_values(struct cli *cli, int argc, char **argv);

#endif
