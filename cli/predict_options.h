/* SPDX-License-Identifier: Apache-2.0 */
/* Options of qair attest predict. */
#ifndef QAIR_CLI_PREDICT_OPTIONS_H
#define QAIR_CLI_PREDICT_OPTIONS_H

#include "cli.h"
#include "predict.h"

struct predict_list {
    size_t n;
    const char *item[PREDICT_EXTRAS_MAX];
};

struct predict_options {
    const char *uki, *kernel, *cmdline, *grub, *firmware, *crtm_version, *vars,
            *pk, *kek, *db, *dbx, *log, *phases, *options, *pcrsig, *pcrsig_key,
            *recipe, *disk;
    struct predict_list initrds, boots, files, credentials, globals, sysexts,
            pei_digests;
    unsigned banks; /* at least one */
    uint32_t pcrs;  /* 0: not given */
    uint32_t log_pcrs;
    uint32_t separators;
    unsigned stub;
    enum predict_inner inner;
    bool has_secure_boot; /* was said */
    bool secure_boot_absent, secure_boot, grub_embedded, json;
};

/* CLI_OK, or CLI_MISUSE after a message. */
int predict_options_parse(
        struct cli *cli, int argc, char **argv, struct predict_options *ret);

#endif
