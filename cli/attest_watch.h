/* SPDX-License-Identifier: Apache-2.0 */
/* qair attest watch: the state of the own zone and of channels, as it changes.
 */
#ifndef QAIR_CLI_ATTEST_WATCH_H
#define QAIR_CLI_ATTEST_WATCH_H

#include "cli.h"

int attest_watch(struct cli *cli, int argc, char **argv);

#endif
