/* SPDX-License-Identifier: Apache-2.0 */
/* qair attest reference list: what rules want, and the sets that they name. */
#ifndef QAIR_CLI_ATTEST_LIST_H
#define QAIR_CLI_ATTEST_LIST_H

#include "cli.h"

int attest_list(struct cli *cli, int argc, char **argv);

#endif
