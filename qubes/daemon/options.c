/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "admin.h"
#include "dsock.h"
#include "policyline.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define STARTUP_S  60
#define DECISION_S 3600
#define LOG_DIR    "/var/log/qubes"

enum option_key {
    OPTION_SOCKET_DIR = 256,
    OPTION_POLICY_SOCKET,
    OPTION_QUBESD,
    OPTION_LOG_DIR,
    OPTION_DECISION,
};

static const struct {
    const char *name, *arg;
    int key;
    const char *help;
} table[] = {
        {"uuid", "UUID", 'u', "the qube's identity: socket qrexec.uuid:UUID"},
        {"socket-dir", "DIR", OPTION_SOCKET_DIR, "(" DSOCK_DIR ")"},
        {"policy-program", "PROGRAM", 'p',
                "decides when the policy service is down; without it such\n"
                "calls are refused"},
        {"direct", NULL, 'D', "stay in the foreground, log to stderr"},
        {"quiet", NULL, 'q', "say nothing while waiting for the qube"},
        {"policy-socket", "PATH", OPTION_POLICY_SOCKET,
                "(" POLICYLINE_SOCKET ")"},
        {"qubesd-socket", "PATH", OPTION_QUBESD, "(" ADMIN_SOCKET ")"},
        {"log-dir", "DIR", OPTION_LOG_DIR, "for qrexec.NAME.log (" LOG_DIR ")"},
        {"decision-timeout", "SECONDS", OPTION_DECISION,
                "how long the policy service may take, asking included\n"
                "(3600)"},
        {"help", NULL, 'h', "this text"},
};

static void print_help(void)
{
    (void)printf("usage: qrexec-daemon [OPTION]... DOMID NAME "
                 "[DEFAULT-USER]\n"
                 "dom0's side of one qube's calls.\n\n");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *text = table[i].help;

        (void)printf("  --%s%s%s\n", table[i].name, table[i].arg ? "=" : "",
                table[i].arg ? table[i].arg : "");
        while (*text) {
            int n = (int)strcspn(text, "\n");

            (void)printf("        %.*s\n", n, text);
            text += n + (text[n] == '\n');
        }
    }
    (void)printf("\nQREXEC_STARTUP_TIMEOUT=SECONDS (60) bounds the wait for "
                 "the qube's agent;\nQREXEC_STARTUP_NOWAIT returns at once.\n");
}

static int complain(const char *what, const char *value)
{
    (void)fprintf(stderr, "qrexec-daemon: %s '%s'; see --help\n", what, value);
    return 2;
}

static bool parse_seconds(const char *text, unsigned *ret)
{
    uint64_t n;

    if (!text_parse_u64(span_str(text), &n) || n == 0 || n > 86400)
        return false;
    *ret = (unsigned)n;
    return true;
}

static bool set_program(struct options *o, const char *path)
{
    free(o->policy_program);
    /* The daemon's folder becomes that of its sockets. */
    o->policy_program = realpath(path, NULL);
    return o->policy_program != NULL;
}

static bool set_option(struct options *o, int key)
{
    switch (key) {
    case 'u':
        o->uuid = optarg;
        return dsock_is_name(optarg) && strlen(optarg) == 36;
    case 'p':
        return set_program(o, optarg);
    case 'D':
        o->direct = true;
        return true;
    case 'q':
        o->quiet = true;
        return true;
    case OPTION_SOCKET_DIR:
        o->socket_dir = optarg;
        return true;
    case OPTION_POLICY_SOCKET:
        o->policy_socket = optarg;
        return true;
    case OPTION_QUBESD:
        o->qubesd_socket = optarg;
        return true;
    case OPTION_LOG_DIR:
        o->log_dir = optarg;
        return true;
    case OPTION_DECISION:
        return parse_seconds(optarg, &o->decision_s);
    default:
        return false;
    }
}

static int parse_words(int n, char **words, struct options *o)
{
    uint64_t id;

    if (n < 2 || n > 3) {
        (void)fputs("qrexec-daemon: give DOMID NAME [DEFAULT-USER]; see "
                    "--help\n",
                stderr);
        return 2;
    }
    if (!text_parse_u64(span_str(words[0]), &id) || id == 0 || id > INT32_MAX)
        return complain("this is no domain id of a qube:", words[0]);
    if (!dsock_is_name(words[1]))
        return complain("this is no name of a qube:", words[1]);
    o->domain = (uint32_t)id;
    o->name = words[1];
    if (n == 3)
        o->default_user = words[2];
    if (!*o->default_user || strlen(o->default_user) > 255 ||
            strchr(o->default_user, ':'))
        return complain("this is no name of a user:", o->default_user);
    return -1;
}

static void read_environment(struct options *o)
{
    const char *timeout = getenv("QREXEC_STARTUP_TIMEOUT");

    /* As upstream: what is no number of seconds leaves the default. */
    if (!timeout || !parse_seconds(timeout, &o->startup_s))
        o->startup_s = STARTUP_S;
    if (getenv("QREXEC_STARTUP_NOWAIT"))
        o->startup_s = 0;
}

int options_parse(int argc, char **argv, struct options *ret)
{
    struct option list[ARRAY_LEN(table) + 1] = {{0}};
    struct options o = {.default_user = "user",
            .socket_dir = DSOCK_DIR,
            .policy_socket = POLICYLINE_SOCKET,
            .qubesd_socket = ADMIN_SOCKET,
            .log_dir = LOG_DIR,
            .decision_s = DECISION_S};
    int key;
    int r;

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        list[i] = (struct option){.name = table[i].name,
                .has_arg = table[i].arg ? required_argument : no_argument,
                .val = table[i].key};
    while ((key = getopt_long(argc, argv, "hqp:Du:", list, NULL)) >= 0) {
        if (key == 'h') {
            print_help();
            return 0;
        }
        if (key == '?') { /* getopt has said which */
            (void)fputs("qrexec-daemon: see --help\n", stderr);
            return 2;
        }
        if (!set_option(&o, key))
            return complain("no good here:", optarg);
    }
    r = parse_words(argc - optind, argv + optind, &o);
    if (r >= 0)
        return r;
    read_environment(&o);
    *ret = o;
    return -1;
}
