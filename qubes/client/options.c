/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "admin.h"
#include "dsock.h"

#include <getopt.h>
#include <stdio.h>

#define TIMEOUT_S 10

enum option_key { OPTION_SOCKET_DIR = 256, OPTION_STDIN_SOCKET, OPTION_QUBESD };

static const struct option long_options[] = {
        {"help", no_argument, NULL, 'h'},
        {"no-exit-code", no_argument, NULL, 'E'},
        {"socket-dir", required_argument, NULL, OPTION_SOCKET_DIR},
        {"use-stdin-socket", no_argument, NULL, OPTION_STDIN_SOCKET},
        {"qubesd-socket", required_argument, NULL, OPTION_QUBESD},
        {0},
};

static const char usage_text[] =
        "usage: qrexec-client [OPTION]... -d QUBE [-l PROGRAM | -e | "
        "-c IDENT,NAME,ID] USER:COMMAND\n"
        "dom0 calls a qube, or answers a call that waits.\n\n"
        "  -d QUBE            name, id or uuid:UUID; dom0 with -c alone\n"
        "  -l PROGRAM         shell command whose stdio is the call's\n"
        "  -e                 start the command, do not wait for its end\n"
        "  -E, --no-exit-code exit with 0 when the command has ended\n"
        "  -c IDENT,NAME,ID   connect the request IDENT of qube NAME\n"
        "  -W                 with -c: wait for the end of the call\n"
        "  -w SECONDS         for the qube to take the call (10; 0: no end)\n"
        "  -t, -T             control bytes of stdout, stderr become '_'\n"
        "  -k                 kill the qube at the end\n"
        "  --use-stdin-socket stdin is a socket for both directions\n"
        "  --socket-dir=DIR   (" DSOCK_DIR ")\n"
        "  --qubesd-socket=PATH (" ADMIN_SOCKET ")\n"
        "Exit code: of the command; 125 trouble, 127 no such service.\n";

static int complain(const char *what, const char *value)
{
    (void)fprintf(stderr, "qrexec-client: %s '%s'; see --help\n", what, value);
    return 2;
}

static bool parse_u32(const char *text, uint32_t *ret)
{
    uint64_t n;

    if (!text_parse_u64(span_str(text), &n) || n > INT32_MAX)
        return false;
    *ret = (uint32_t)n;
    return true;
}

/* One of several texts with commas between. */
static bool take(const char **rest, char *ret, size_t cap)
{
    size_t n = strcspn(*rest, ",");

    if (n == 0 || n >= cap || (*rest)[n] != ',')
        return false;
    memcpy(ret, *rest, n);
    ret[n] = '\0';
    *rest += n + 1;
    return true;
}

static bool parse_connect(const char *text, struct options *o)
{
    return take(&text, o->ident, sizeof(o->ident)) &&
           take(&text, o->source, sizeof(o->source)) &&
           dsock_is_name(o->source) && parse_u32(text, &o->source_id);
}

static bool set_value(struct options *o, int key)
{
    switch (key) {
    case 'd':
        o->domain = optarg;
        o->to_dom0 = dsock_is_dom0(span_str(optarg));
        return o->to_dom0 || dsock_is_name(optarg);
    case 'l':
        o->local = optarg;
        return *optarg != '\0';
    case 'c':
        return parse_connect(optarg, o);
    case 'w':
        return parse_u32(optarg, &o->timeout_s) && o->timeout_s <= 86400;
    case OPTION_SOCKET_DIR:
        o->socket_dir = optarg;
        return true;
    case OPTION_QUBESD:
        o->qubesd_socket = optarg;
        return true;
    default:
        return false;
    }
}

static bool *flag_of(struct options *o, int key)
{
    const struct {
        int key;
        bool *flag;
    } flags[] = {
            {'e', &o->just_exec},
            {'E', &o->no_exit_code},
            {'t', &o->filter_stdout},
            {'T', &o->filter_stderr},
            {'W', &o->wait_end},
            {'k', &o->kill},
            {OPTION_STDIN_SOCKET, &o->stdin_socket},
    };

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (flags[i].key == key)
            return flags[i].flag;
    }
    return NULL;
}

static int check(const struct options *o, int words)
{
    const char *why = NULL;

    if (!o->domain || words != 1 || !*o->command)
        why = "give -d QUBE and one COMMAND";
    else if (o->just_exec + (o->local != NULL) + (*o->ident != '\0') > 1)
        why = "give one of -e, -l and -c";
    else if (o->to_dom0 && !*o->ident)
        why = "dom0 is called with -c alone";
    else if (o->stdin_socket && (o->local || o->just_exec || *o->ident))
        why = "--use-stdin-socket is for a plain call";
    else if (strlen(o->command) > QREXEC_COMMAND_MAX)
        why = "the command is too long";
    if (!why)
        return -1;
    (void)fprintf(stderr, "qrexec-client: %s; see --help\n", why);
    return 2;
}

int options_parse(int argc, char **argv, struct options *ret)
{
    struct options o = {.timeout_s = TIMEOUT_S,
            .command = "",
            .socket_dir = DSOCK_DIR,
            .qubesd_socket = ADMIN_SOCKET};
    int key;
    int r;

    while ((key = getopt_long(
                    argc, argv, "hd:l:eEc:tTw:Wk", long_options, NULL)) >= 0) {
        bool *flag = flag_of(&o, key);

        if (key == 'h') {
            (void)fputs(usage_text, stdout);
            return 0;
        }
        if (key == '?') { /* getopt has said which */
            (void)fputs("qrexec-client: see --help\n", stderr);
            return 2;
        }
        if (flag)
            *flag = true;
        else if (!set_value(&o, key))
            return complain("no good here:", optarg);
    }
    if (optind < argc)
        o.command = argv[optind];
    r = check(&o, argc - optind);
    if (r < 0)
        *ret = o;
    return r;
}
