/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command `qair [-z ZONEDIR] NOUN VERB ...`.
 *
 * A noun is one file, cli/noun_NAME.c, with one const table of its verbs; the
 * tables drive dispatch and print the help.  A verb returns an exit code:
 * CLI_OK, CLI_NO (refused, not verified), CLI_MISUSE, or for calls qrexec's
 * own 125, 126, 127.  A verb that fails prints one line that says what to do.
 */
#ifndef QAIR_CLI_H
#define QAIR_CLI_H

#include "base.h"

enum cli_exit { CLI_OK = 0, CLI_NO = 1, CLI_MISUSE = 2 };

struct cli {
    const char *zone_dir; /* -z, or $QAIR_ZONE, or /var/lib/qair */
    const char *programs; /* folder that this command was started from */
    const struct cli_verb *verb;
    const char *noun;
};

struct cli_verb {
    const char *name;
    const char *args; /* synopsis: "FILE --pack DIR [--json]" */
    const char *help; /* one line */
    /* argv[0] is the verb; use getopt_long and cli_misuse. */
    int (*run)(struct cli *cli, int argc, char **argv);
};

/* verbs end with an entry whose name is NULL; a noun that is itself a verb
 * (qair call, qair verify) has one verb named "". */
struct cli_noun {
    const char *name;
    const char *help;
    const struct cli_verb *verbs;
};

/* "qair NOUN VERB: TEXT" and the synopsis on stderr; returns CLI_MISUSE. */
int cli_misuse(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "qair: MESSAGE" on stderr; returns CLI_NO (CLI_MISUSE for ERR_USAGE). */
int cli_fail(const struct err *err);

extern const struct cli_noun noun_attest;
extern const struct cli_noun noun_call;
extern const struct cli_noun noun_key;
extern const struct cli_noun noun_log;
extern const struct cli_noun noun_pack;
extern const struct cli_noun noun_policy;
extern const struct cli_noun noun_qube;
extern const struct cli_noun noun_sign;
extern const struct cli_noun noun_verify;
extern const struct cli_noun noun_zone;

#endif
