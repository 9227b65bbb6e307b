/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-agent: the qube's side of qrexec on Qubes OS.  It takes calls from
 * the qube's programs to dom0 and runs the services that dom0 asks for.
 * Specification: docs/proto/qrexec.md.
 *
 * dom0 is trusted with the qube; the qube's programs are trusted with nothing
 * but themselves: none may hold up or end another's call.
 */
#include "agent.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_DEFAULT      "/run/qubes/qrexec-agent"
#define FORK_SERVER_DEFAULT "/var/run/qubes/qrexec-server.%s.sock"

/* Clients, services, and those that wait for a session; a few of its own. */
#define FILES 2048

#define LOG_BURST 100 /* lines at once, then one a second */

struct agent agent = {.fork_server = FORK_SERVER_DEFAULT};

static void say(const char *fmt, va_list ap, unsigned left_out)
        PRINTF_LIKE(1, 0);

static void say(const char *fmt, va_list ap, unsigned left_out)
{
    char text[ERR_MSG_MAX + 128];

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    if (left_out)
        (void)dprintf(2, "qrexec-agent: %s (%u lines left out before)\n", text,
                left_out);
    else
        (void)dprintf(2, "qrexec-agent: %s\n", text);
}

/* Programs of the qube choose how often there is something to log. */
void agent_log(const char *fmt, ...)
{
    static struct rate rate;
    struct timespec now;
    unsigned left_out;
    va_list ap;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (!rate_take(&rate, (uint64_t)now.tv_sec, LOG_BURST, &left_out))
        return;
    va_start(ap, fmt);
    say(fmt, ap, left_out);
    va_end(ap);
}

void agent_die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(fmt, ap, 0);
    va_end(ap);
    exit(1);
}

static const char usage_text[] =
        "usage: qrexec-agent [OPTIONS]\n"
        "  -a, --agent-socket=PATH        where programs of the qube call;\n"
        "                                 default " SOCKET_DEFAULT "\n"
        "  -s, --fork-server-socket=PATH  %s stands for the user; empty: none\n"
        "                                 default " FORK_SERVER_DEFAULT "\n"
        "  -S, --no-fork-server           every service gets a session of its "
        "own\n"
        "  -h, --help\n";

static const struct option options[] = {
        {"agent-socket", required_argument, NULL, 'a'},
        {"fork-server-socket", required_argument, NULL, 's'},
        {"no-fork-server", no_argument, NULL, 'S'},
        {"help", no_argument, NULL, 'h'},
        {0},
};

/* One %s and no other conversion: the path is a format. */
static bool is_pattern(const char *path)
{
    const char *at = strchr(path, '%');

    return at && at[1] == 's' && !strchr(at + 1, '%');
}

static const char *parse_options(int argc, char **argv)
{
    const char *path = SOCKET_DEFAULT;
    int c;

    while ((c = getopt_long(argc, argv, "a:s:Sh", options, NULL)) != -1) {
        if (c == 'a') {
            path = optarg;
        } else if (c == 's' && (*optarg == '\0' || is_pattern(optarg))) {
            agent.fork_server = *optarg ? optarg : NULL;
        } else if (c == 'S') {
            agent.fork_server = NULL;
        } else {
            (void)fputs(usage_text, c == 'h' ? stdout : stderr);
            exit(c == 'h' ? 0 : 2);
        }
    }
    if (optind < argc) {
        (void)fputs(usage_text, stderr);
        exit(2);
    }
    return path;
}

/* Programs of the qube and services cost one each, and select(2) of theirs
 * knows no more than 1024: the services keep the usual limit. */
static void raise_file_limit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return;
    agent.files = l;
    if (l.rlim_cur < FILES)
        l.rlim_cur = l.rlim_max < FILES ? l.rlim_max : FILES;
    (void)setrlimit(RLIMIT_NOFILE, &l);
}

void agent_child(void)
{
    (void)close_range(3, ~0u, 0); /* those above the limit, above all */
    (void)setrlimit(RLIMIT_NOFILE, &agent.files);
}

void agent_give_up(pid_t pid)
{
    if (pid <= 0)
        return;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void start_loop(void)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
            sd_event_new(&agent.loop) < 0 ||
            sd_event_add_signal(agent.loop, NULL, SIGTERM, NULL, NULL) < 0 ||
            sd_event_add_signal(agent.loop, NULL, SIGINT, NULL, NULL) < 0)
        agent_die("no event loop: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    const char *path = parse_options(argc, argv);
    int r;

    raise_file_limit();
    start_loop();
    if (strcmp(path, SOCKET_DEFAULT) == 0)
        (void)mkdir("/run/qubes", 0755);
    agent_control_open();
    agent_client_listen(path);
    r = sd_event_loop(agent.loop);
    (void)unlink(path);
    return r < 0 ? 1 : 0;
}
