/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-policy-daemon: the policy service of a Qubes host, in place of
 * upstream's (docs/proto/policy-socket.md, docs/policy.md).
 */
#include "journal.h"
#include "policyline.h"
#include "server.h"

#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

struct options {
    struct policytree_paths policy;
    const char *sockets[3]; /* by enum server_kind */
    struct server_config server;
    bool to_stderr;
};

/* ---- the command line --------------------------------------------------- */

enum option_key {
    OPTION_POLICY_PATH = 256,
    OPTION_SOCKET,
    OPTION_EVAL_SOCKET,
    OPTION_GUI_SOCKET,
    OPTION_COMPAT,
    OPTION_QUBESD,
    OPTION_INTERNAL,
    OPTION_CLIENT,
    OPTION_RPC,
    OPTION_ASK_TIMEOUT,
    OPTION_STDERR,
};

static const struct {
    const char *name, *arg;
    int key;
    const char *help;
} options[] = {
        {"policy-path", "DIR", OPTION_POLICY_PATH,
                "folder of *.policy; again for more, earlier ones hide later\n"
                "files of the same name (" POLICYTREE_RUNTIME
                ", " POLICYTREE_ETC ")"},
        {"socket-path", "PATH", OPTION_SOCKET,
                "policy socket (" POLICYLINE_SOCKET ")"},
        {"eval-socket-path", "PATH", OPTION_EVAL_SOCKET,
                "(" POLICYLINE_EVAL_SOCKET ")"},
        {"gui-socket-path", "PATH", OPTION_GUI_SOCKET,
                "(" POLICYLINE_GUI_SOCKET ")"},
        {"compat-path", "DIR", OPTION_COMPAT,
                "files for !compat-4.0 (" POLICYTREE_COMPAT ")"},
        {"qubesd-socket", "PATH", OPTION_QUBESD,
                "for admin.Events (" QUBESD_SOCKET ")"},
        {"qubesd-internal-socket", "PATH", OPTION_INTERNAL,
                "for internal.GetSystemInfo (" QUBESD_INTERNAL_SOCKET ")"},
        {"qrexec-client", "PROGRAM", OPTION_CLIENT,
                "calls policy.Ask and policy.Notify (/usr/bin/qrexec-client)"},
        {"rpc-path", "DIR", OPTION_RPC,
                "dom0's own policy.Ask and policy.Notify (/etc/qubes-rpc)"},
        {"ask-timeout", "SECONDS", OPTION_ASK_TIMEOUT,
                "how long a question may stay open (300)"},
        {"stderr", NULL, OPTION_STDERR, "decisions to stderr, not the journal"},
        {"help", NULL, 'h', "this text"},
};

static void print_help(void)
{
    (void)printf("usage: qrexec-policy-daemon [OPTION]...\n"
                 "Answers qrexec-daemon's questions by the rules of this Qubes "
                 "host.\n\n");
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const char *text = options[i].help;

        (void)printf("  --%s%s%s\n", options[i].name, options[i].arg ? " " : "",
                options[i].arg ? options[i].arg : "");
        while (*text) {
            int n = (int)strcspn(text, "\n");

            (void)printf("        %.*s\n", n, text);
            text += n + (text[n] == '\n');
        }
    }
}

static bool set_option(struct options *o, int key, bool *own_paths)
{
    struct policytree_paths *p = &o->policy;
    uint64_t n;

    switch (key) {
    case OPTION_POLICY_PATH:
        if (!*own_paths)
            p->n_folders = 0;
        *own_paths = true;
        if (p->n_folders == POLICYTREE_FOLDERS_MAX)
            return false;
        p->folders[p->n_folders++] = optarg;
        return true;
    case OPTION_SOCKET:
        o->sockets[SERVER_POLICY] = optarg;
        return true;
    case OPTION_EVAL_SOCKET:
        o->sockets[SERVER_EVAL_SIMPLE] = optarg;
        return true;
    case OPTION_GUI_SOCKET:
        o->sockets[SERVER_EVAL_GUI] = optarg;
        return true;
    case OPTION_COMPAT:
        p->compat = optarg;
        return true;
    case OPTION_QUBESD:
        o->server.qubesd_socket = optarg;
        return true;
    case OPTION_INTERNAL:
        o->server.qubesd_internal_socket = optarg;
        return true;
    case OPTION_CLIENT:
        o->server.questions.qrexec_client = optarg;
        return true;
    case OPTION_RPC:
        o->server.questions.rpc = optarg;
        return true;
    case OPTION_STDERR:
        o->to_stderr = true;
        return true;
    case OPTION_ASK_TIMEOUT:
        if (!text_parse_u64(span_str(optarg), &n) || n == 0 || n > 86400)
            return false;
        o->server.ask_timeout_us = n * 1000000;
        return true;
    default:
        return false;
    }
}

/* -1: go on; else the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
    struct option list[ARRAY_LEN(options) + 1] = {{0}};
    bool own_paths = false;
    int key;

    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        list[i] = (struct option){.name = options[i].name,
                .has_arg = options[i].arg ? required_argument : no_argument,
                .val = options[i].key};
    while ((key = getopt_long(argc, argv, "h", list, NULL)) >= 0) {
        if (key == 'h') {
            print_help();
            return 0;
        }
        if (key == '?') { /* getopt has said which */
            (void)fputs("qrexec-policy-daemon: see --help\n", stderr);
            return 2;
        }
        if (!set_option(o, key, &own_paths)) {
            (void)fprintf(stderr,
                    "qrexec-policy-daemon: '%s' is no good here; see --help\n",
                    optarg);
            return 2;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr,
                "qrexec-policy-daemon: takes no '%s'; see --help\n",
                argv[optind]);
        return 2;
    }
    return -1;
}

/* ---- sockets ------------------------------------------------------------ */

/* The socket that systemd made for path, or -1. */
static int activated(const char *path)
{
    int n = sd_listen_fds(0);

    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
        if (sd_is_socket_unix(fd, SOCK_STREAM, 1, path, 0) > 0)
            return fd;
    }
    return -1;
}

/* As upstream: for root and group qubes, which qrexec-daemon runs as. */
static int hand_to_group(const char *path, struct err *err)
{
    const struct group *g = geteuid() == 0 ? getgrnam("qubes") : NULL;

    if (g && lchown(path, (uid_t)-1, g->gr_gid) < 0)
        return err_errno(err, "cannot give '%s' to group qubes", path);
    if (chmod(path, 0660) < 0)
        return err_errno(err, "cannot set the mode of '%s'", path);
    return 0;
}

/*
 * Made beside and renamed: whoever connects finds the old daemon's socket or
 * the new one's, and never one with another mode.
 */
static int bind_at(int fd, const char *path, struct err *err)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s.new", path);
    int r;

    if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
        return err_set(err, ERR_LIMIT, "'%s' is too long for a socket", path);
    (void)unlink(sun.sun_path);
    if (bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0 ||
            listen(fd, SOMAXCONN) < 0)
        return err_errno(err, "cannot listen on '%s'", path);
    r = hand_to_group(sun.sun_path, err);
    if (r == 0 && rename(sun.sun_path, path) < 0)
        r = err_errno(err, "cannot listen on '%s'", path);
    if (r < 0)
        (void)unlink(sun.sun_path);
    return r;
}

static int open_socket(const char *path, int *ret, struct err *err)
{
    int fd = activated(path), r;

    if (fd >= 0) {
        *ret = fd;
        return 0;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, "cannot make a socket");
    r = bind_at(fd, path, err);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    *ret = fd;
    return 0;
}

/* dom0 decides also where qubes cannot ask beforehand. */
static int open_sockets(
        struct server *s, const struct options *o, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(o->sockets); i++) {
        int fd = -1;
        int r = open_socket(o->sockets[i], &fd, err);

        if (r == 0)
            r = server_listen(s, (enum server_kind)i, fd, err);
        if (r < 0 && i == SERVER_POLICY)
            return r;
        if (r < 0)
            journal_note(LOG_ERR, "%s: qubes cannot ask there", err->msg);
    }
    return 0;
}

/* ---- the process -------------------------------------------------------- */

static int on_hup(
        sd_event_source *s, const struct signalfd_siginfo *si, void *ctx)
{
    (void)s;
    (void)si;
    snapshot_reload(ctx);
    return 0;
}

/* Blocked before there is a thread; SIGCHLD is sd-event's. */
static int take_signals(sd_event *event, struct snapshot *policy)
{
    int r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);

    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGHUP, on_hup, policy);
    return r;
}

static void block_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void raise_file_limit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
}

static int serve(sd_event *event, const struct options *o, struct err *err)
{
    struct snapshot *policy = NULL;
    struct server *server = NULL;
    int r = snapshot_new(event, &o->policy, &policy, err);

    if (r == 0)
        r = server_new(event, &o->server, policy, &server, err);
    if (r == 0)
        r = open_sockets(server, o, err);
    if (r == 0 && take_signals(event, policy) < 0)
        r = err_set(err, ERR_MEMORY, "out of memory");
    if (r == 0) {
        (void)sd_notify(0, "READY=1");
        journal_note(LOG_INFO, "ready");
        r = sd_event_loop(event);
        if (r < 0)
            r = err_set(err, ERR_IO, "event loop: %s", strerror(-r));
    }
    server_free(server);
    snapshot_free(policy);
    return r;
}

int main(int argc, char **argv)
{
    struct options o = {
            .policy = {.folders = {POLICYTREE_RUNTIME, POLICYTREE_ETC},
                    .n_folders = 2,
                    .compat = POLICYTREE_COMPAT},
            .sockets = {POLICYLINE_SOCKET, POLICYLINE_EVAL_SOCKET,
                    POLICYLINE_GUI_SOCKET},
            .server = {.questions = {.qrexec_client = "/usr/bin/qrexec-client",
                               .rpc = "/etc/qubes-rpc"},
                    .qubesd_socket = QUBESD_SOCKET,
                    .qubesd_internal_socket = QUBESD_INTERNAL_SOCKET,
                    .ask_timeout_us =
                            SERVER_ASK_TIMEOUT_DEFAULT_S * UINT64_C(1000000)}};
    struct err err = {.code = 0};
    sd_event *event = NULL;
    int r = parse_options(argc, argv, &o);

    if (r >= 0)
        return r;
    (void)umask(0007);
    block_signals();
    raise_file_limit();
    journal_init(o.to_stderr);
    if (sd_event_default(&event) < 0)
        r = err_set(&err, ERR_MEMORY, "out of memory");
    else
        r = serve(event, &o, &err);
    sd_event_unref(event);
    if (r < 0) {
        (void)fprintf(stderr, "qrexec-policy-daemon: %s\n", err.msg);
        return 1;
    }
    return 0;
}
