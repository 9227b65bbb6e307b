/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair attest snp, launch: an SEV-SNP report and the files of other tools, as
 * they are; and the digest that a launch from these files will have.
 */
#ifndef QAIR_CLI_ATTEST_SNP_H
#define QAIR_CLI_ATTEST_SNP_H

#include "cli.h"

#define ATTEST_SNP_ARGS                                                        \
    "REPORT [CERTS...] [--root FILE]... [--crl FILE]... [--time T] "           \
    "[--vmpl N] [--report-data HEX] [--measurement HEX] [--host-data HEX] "    \
    "[--chip HEX] [--id-key HEX] [--author-key HEX] [--json]"
#define ATTEST_SNP_HELP                                                        \
    "judge an SEV-SNP report: CERTS are files or folders with its "            \
    "certificates, DER, PEM or the host's table"
#define ATTEST_LAUNCH_ARGS                                                     \
    "--ovmf FILE --vcpus LIST [--cpu TYPE | N]... [--kernel FILE "             \
    "[--initrd FILE] [--append TEXT]] [--mode snp | sev | sev-es | svsm] "     \
    "[--vmm qemu | ec2 | gce] [--features N] [--svsm FILE --vars-size N] "     \
    "[--json]"
#define ATTEST_LAUNCH_HELP "launch digest of a guest, ahead, from its files"

int attest_snp(struct cli *cli, int argc, char **argv);
int attest_launch(struct cli *cli, int argc, char **argv);

#endif
