/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair sign: what belongs to a signature once it is made.  Signing itself is a
 * call: `qrexec-client-vm server-signer qair.Sign+KEY < FILE`.
 */
#include "cli.h"

#include "buf.h"
#include "receipt.h"

#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

static int store(struct span text, const char *path, struct err *err)
{
    if (strcmp(path, "-") == 0)
        return buf_write_all(STDOUT_FILENO, text, err);
    return buf_store(text, AT_FDCWD, path, 0644, err);
}

static int extract(const char *receipt, const char *out)
{
    CLEANUP(buf_fini) struct buf bytes = BUF_INIT(RECEIPT_MAX);
    struct receipt r;
    struct err err = {0};
    int rc = buf_load(&bytes, AT_FDCWD, receipt, &err);

    if (rc == 0)
        rc = receipt_parse(buf_span(&bytes), &r, &err);
    if (rc)
        return cli_fail(&err);
    rc = store(r.signature, out, &err);
    receipt_fini(&r);
    return rc ? cli_fail(&err) : CLI_OK;
}

static int run_extract(struct cli *cli, int argc, char **argv)
{
    const char *out = NULL;
    int c;

    while ((c = getopt(argc, argv, "o:")) != -1) {
        if (c != 'o')
            return cli_misuse(cli, "unknown option");
        out = optarg;
    }
    if (optind + 1 != argc || !out)
        return cli_misuse(cli, "name one receipt, and -o FILE or -o -");
    return extract(argv[optind], out);
}

static const struct cli_verb verbs[] = {
        {"extract", "RECEIPT -o FILE",
                "the signature file in a receipt, not verified; -o - prints it",
                run_extract},
        {0},
};

const struct cli_noun noun_sign = {
        .name = "sign",
        .help = "signature files from receipts",
        .verbs = verbs,
};
