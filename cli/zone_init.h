/* SPDX-License-Identifier: Apache-2.0 */
/* qair zone init: a new zone's directory. */
#ifndef QAIR_ZONE_INIT_H
#define QAIR_ZONE_INIT_H

#include "cli.h"

#define ZONE_INIT_ARGS                                                         \
    "--name NAME --owner OWNER.pub [--listen ADDR:PORT]\n"                     \
    "          [--peer ZONE=ADDR:PORT]... [--tpm DEVICE | --ca DIR] "          \
    "[--uid-base N]"
#define ZONE_INIT_HELP "make a zone in the directory of -z"
int zone_init(struct cli *cli, int argc, char **argv);

#endif
