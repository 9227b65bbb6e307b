/* SPDX-License-Identifier: Apache-2.0 */
/* qair call: a service of a qube, asked for by the zone's owner. */
#include "cli_stream.h"

#include "qrexec.h"

#include <getopt.h>

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
            {"raw", no_argument, NULL, 'r'}, {0}};
    struct msg_call m;
    bool raw = false;
    int c;

    while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (c != 'r')
            return cli_misuse(cli, "unknown option");
        raw = true;
    }
    if (argc - optind != 2)
        return cli_misuse(cli, "a target and a service are needed");
    m.target = span_str(argv[optind]);
    m.service = span_str(argv[optind + 1]);
    if (!qrexec_is_service(m.service))
        return cli_misuse(
                cli, "'%s' is not SERVICE or SERVICE+ARG", argv[optind + 1]);
    return cli_stream(cli, MSG_CALL, &m, raw);
}

static const struct cli_verb verbs[] = {
        {"", "[--raw] TARGET SERVICE[+ARG]",
                "call a service; stdin, stdout, stderr and exit code are its",
                run},
        {0},
};

const struct cli_noun noun_call = {
        .name = "call",
        .help = "call a service of a qube, here or in another zone",
        .verbs = verbs,
};
