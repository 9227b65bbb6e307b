/* SPDX-License-Identifier: Apache-2.0 */
/* qair attest reference add, list, revoke: sets of values that rules name. */
#ifndef QAIR_CLI_ATTEST_VALUES_H
#define QAIR_CLI_ATTEST_VALUES_H

#include "pack.h"
#include "pack_options.h"

#define ATTEST_ADD_ARGS                                                        \
    "NAME (--claim NAME --value V... | --from-predict FILE | "                 \
    "--corim FILE (--key FILE | --unsigned)) "                                 \
    "--owner-key FILE --pack DIR [--since TIME] [--until TIME] "               \
    "[--note TEXT] [--replace] [--json]"
#define ATTEST_ADD_HELP                                                        \
    "sign values into a set that rules can name ('CLAIM in NAME'); a set "     \
    "that "                                                                    \
    "is there gets them besides.  --from-predict: a set a PCR, NAME-pcrN, of " \
    "what 'attest predict --json' printed.  --corim: a set a claim, "          \
    "NAME-CLAIM, of what a maker signed; with --claim that one as NAME"
#define ATTEST_LIST_ARGS   "--pack DIR [--owner FILE] [--json]"
#define ATTEST_LIST_HELP   "rules and sets of values of the pack, and their times"
#define ATTEST_REVOKE_ARGS "NAME --owner-key FILE --pack DIR [--json]"
#define ATTEST_REVOKE_HELP                                                     \
    "take a set back: no line of rules that names it is met any more"

/* Is it one of them, and not evidence to approve? */
bool attest_values_is(int argc, char **argv);
int attest_values(struct cli *cli, int argc, char **argv);

/* Values of o->claim into the set o->arg[0], as reference add does. */
int attest_values_add(const struct pack *p, const struct pack_options *o,
        const struct crypto_key *owner, struct err *err) MUST_CHECK;

#endif
