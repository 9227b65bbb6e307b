/* SPDX-License-Identifier: Apache-2.0 */
/* qair attest predict: PCR values computed ahead from files. */
#ifndef QAIR_CLI_ATTEST_PREDICT_H
#define QAIR_CLI_ATTEST_PREDICT_H

#include "cli.h"

#define ATTEST_PREDICT_ARGS                                                    \
    "[--uki FILE | --kernel FILE [--initrd FILE].. [--cmdline TEXT] | "        \
    "--grub FILE [--file NAME=FILE]..] [--boot FILE].. [--vars FILE] "         \
    "[--firmware FILE] [--log FILE --log-pcrs LIST] "                          \
    "[--secure-boot on|off|absent] [--phases WORDS] [--bank NAME].. "          \
    "[--pcrs LIST] [--pcrsig FILE --pcrsig-key FILE] [--recipe FILE] "         \
    "[--json]"
#define ATTEST_PREDICT_HELP                                                    \
    "PCR values of a boot from its files, step by step, ahead of it; see "     \
    "qair(1) for the other options"

int attest_predict(struct cli *cli, int argc, char **argv);

#endif
