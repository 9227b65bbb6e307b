/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QAIR_CLI_PACK_REVOKE_H
#define QAIR_CLI_PACK_REVOKE_H

#include "cli.h"

/* The verb `qair pack revoke`. */
int pack_revoke(struct cli *cli, int argc, char **argv);

#endif
