/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs of `qair policy` that look at a policy as a whole. */
#ifndef QAIR_CLI_POLICY_TOOLS_H
#define QAIR_CLI_POLICY_TOOLS_H

#include "cli.h"

int policy_diff(struct cli *cli, int argc, char **argv);   /* policy_diff.c */
int policy_reach(struct cli *cli, int argc, char **argv);  /* policy_reach.c */
int policy_replay(struct cli *cli, int argc, char **argv); /* policy_replay.c */

#endif
