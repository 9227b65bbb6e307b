/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-client-vm: a program of a qube calls a service, in a zone of qair and
 * on Qubes OS alike.  The command line is that of qubes-core-qrexec;
 * docs/proto/agent.md and qrexec.md have what goes over the socket.
 */
#include "client_vm.h"

#include "pump.h"
#include "qrexec.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_DEFAULT "/run/qubes/qrexec-agent"
#define EXIT_USAGE     2

struct options {
    struct client_vm_request request;
    const char *prefix;
    bool filter_stdout;
    bool filter_stderr;
    bool use_stdin_socket;
    char **program; /* NULL: stdin and stdout are the call's */
};

_Noreturn void client_vm_die(int code, const char *fmt, ...)
{
    va_list ap;

    pump_stdio_restore();
    (void)fputs("qrexec-client-vm: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    exit(code);
}

/* ---- options --------------------------------------------------------- */

static const char usage_text[] =
        "usage: qrexec-client-vm [OPTIONS] TARGET SERVICE[+ARG] [PROGRAM "
        "[ARG]...]\n"
        "  -b, --buffer-size=BYTES\n"
        "                         accepted; a stream here needs no ring\n"
        "  -t, --filter-escape-chars-stdout\n"
        "  -T, --filter-escape-chars-stderr\n"
        "      --no-filter-escape-chars-stdout\n"
        "      --no-filter-escape-chars-stderr\n"
        "                         replace control bytes (default on a "
        "terminal)\n"
        "  -a, --agent-socket=PATH\n"
        "                         default " SOCKET_DEFAULT "\n"
        "  -p, --prefix-data=TEXT sent before stdin\n"
        "  --use-stdin-socket     stdin is a socket for both directions\n"
        "  --source-qube=NAME     claimed source, for relays\n"
        "Exit code: of the service; 125 trouble, 126 refused, 127 no such "
        "service,\n255 cut off.\n";

enum {
    OPT_NO_STDOUT = 256,
    OPT_NO_STDERR,
    OPT_STDIN_SOCKET,
    OPT_SOURCE,
};

static const struct option long_options[] = {
        {"buffer-size", required_argument, NULL, 'b'},
        {"filter-escape-chars-stdout", no_argument, NULL, 't'},
        {"filter-escape-chars-stderr", no_argument, NULL, 'T'},
        {"no-filter-escape-chars-stdout", no_argument, NULL, OPT_NO_STDOUT},
        {"no-filter-escape-chars-stderr", no_argument, NULL, OPT_NO_STDERR},
        {"agent-socket", required_argument, NULL, 'a'},
        {"prefix-data", required_argument, NULL, 'p'},
        {"use-stdin-socket", no_argument, NULL, OPT_STDIN_SOCKET},
        {"source-qube", required_argument, NULL, OPT_SOURCE},
        {"help", no_argument, NULL, 'h'},
        {0},
};

static _Noreturn void usage(FILE *f, int code)
{
    (void)fputs(usage_text, f);
    exit(code);
}

static void check_buffer_size(const char *text)
{
    uint64_t v;

    if (!text_parse_u64(span_str(text), &v) || v > INT_MAX)
        client_vm_die(EXIT_USAGE, "not a buffer size: %s", text);
}

/* Upstream's conditions, each with its word. */
static void check_stdin_socket(bool again)
{
    int type = 0;
    socklen_t len = sizeof(type);

    if (again)
        client_vm_die(EXIT_USAGE, "--use-stdin-socket passed twice");
    if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
            type != SOCK_STREAM)
        client_vm_die(EXIT_USAGE,
                "--use-stdin-socket passed, but stdin is no stream socket");
}

static void set_option(struct options *o, int c)
{
    switch (c) {
    case 'b':
        check_buffer_size(optarg);
        break;
    case 't':
    case OPT_NO_STDOUT:
        o->filter_stdout = c == 't';
        break;
    case 'T':
    case OPT_NO_STDERR:
        o->filter_stderr = c == 'T';
        break;
    case 'a':
        o->request.socket = optarg;
        break;
    case 'p':
        if (o->prefix)
            usage(stderr, EXIT_USAGE);
        o->prefix = optarg;
        break;
    case OPT_STDIN_SOCKET:
        check_stdin_socket(o->use_stdin_socket);
        o->use_stdin_socket = true;
        break;
    case OPT_SOURCE:
        o->request.source = optarg;
        break;
    case 'h':
        usage(stdout, 0);
    default:
        usage(stderr, EXIT_USAGE);
    }
}

static void parse_options(int argc, char **argv, struct options *o)
{
    int c;

    *o = (struct options){.request = {.socket = SOCKET_DEFAULT, .source = ""},
            .filter_stdout = isatty(STDOUT_FILENO),
            .filter_stderr = isatty(STDERR_FILENO)};
    while ((c = getopt_long(argc, argv, "+tTa:b:p:h", long_options, NULL)) !=
            -1)
        set_option(o, c);
    if (argc - optind < 2)
        usage(stderr, EXIT_USAGE);
    o->request.target = argv[optind];
    o->request.service = argv[optind + 1];
    if (argc - optind > 2)
        o->program = argv + optind + 2;
    if (o->use_stdin_socket && o->program)
        client_vm_die(
                EXIT_USAGE, "--use-stdin-socket cannot be used with a program");
}

/* ---- the local end --------------------------------------------------- */

static void save_fd(int fd)
{
    char name[16];
    char value[16];
    int saved = fcntl(fd, F_DUPFD, 3);

    if (saved < 0)
        return;
    (void)snprintf(name, sizeof(name), "SAVED_FD_%d", fd);
    (void)snprintf(value, sizeof(value), "%d", saved);
    if (setenv(name, value, 1) < 0)
        client_vm_die(QREXEC_EXIT_TROUBLE, "no memory");
}

static _Noreturn void become(char **program, int in, int out)
{
    sigset_t none;

    sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    save_fd(0);
    save_fd(1);
    if (getenv("PASS_LOCAL_STDERR"))
        save_fd(2);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
        _exit(QREXEC_EXIT_TROUBLE);
    (void)execvp(program[0], program);
    (void)fprintf(
            stderr, "qrexec-client-vm: %s: %s\n", program[0], strerror(errno));
    _exit(QREXEC_EXIT_TROUBLE);
}

/* SIGUSR1 is for the pump; it may come as soon as the program runs. */
static void prepare_signal(struct pump *p)
{
    char pid[16];
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (setenv("QREXEC_AGENT_PID", pid, 1) < 0)
        client_vm_die(QREXEC_EXIT_TROUBLE, "no memory");
    p->one_socket_on_usr1 = true;
}

/* The program reads what the service writes, and the other way round. */
static pid_t start_program(char **program, struct pump *p)
{
    int to[2];
    int from[2];
    pid_t pid;

    prepare_signal(p);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to) < 0 ||
            pipe2(from, O_CLOEXEC) < 0)
        client_vm_die(QREXEC_EXIT_TROUBLE, "no pipe: %s", strerror(errno));
    pid = fork();
    if (pid < 0)
        client_vm_die(QREXEC_EXIT_TROUBLE, "no process: %s", strerror(errno));
    if (pid == 0)
        become(program, to[0], from[1]);
    (void)close(to[0]);
    (void)close(from[1]);
    p->stdout_fd = to[1];
    p->stdin_fd = from[0];
    return pid;
}

/* A local program that failed must not look like success (qvm-move deletes
 * what it believes was copied); a service's own failure goes first. */
static int join_codes(int code, pid_t child)
{
    int status = 0;

    if (child && waitpid(child, &status, 0) != child)
        return code ? code : QREXEC_EXIT_TROUBLE;
    return code || !child ? code : qrexec_exit_code(status);
}

static void use_stdio(const struct options *o, struct pump *p)
{
    pump_stdio_prepare(STDIN_FILENO);
    if (o->use_stdin_socket) {
        p->stdout_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    } else {
        pump_stdio_prepare(STDOUT_FILENO);
        p->stdout_fd = STDOUT_FILENO;
    }
    p->stdin_fd = STDIN_FILENO;
}

static void check_stdio(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            exit(QREXEC_EXIT_TROUBLE);
    }
}

int main(int argc, char **argv)
{
    struct pump p = {.end = QREXEC_CALLER, .stderr_fd = STDERR_FILENO};
    struct client_vm_call call;
    struct options o;
    struct err err;
    pid_t child = 0;
    int code = CLIENT_VM_CUT_OFF;
    int r;

    check_stdio();
    parse_options(argc, argv, &o);
    (void)signal(SIGPIPE, SIG_IGN);
    call = client_vm_ask(&o.request);
    p.link = call.data;
    p.prefix = span_str(o.prefix ? o.prefix : "");
    p.filter_stdout = o.filter_stdout && !o.program;
    p.filter_stderr = o.filter_stderr;
    if (o.program)
        child = start_program(o.program, &p);
    else
        use_stdio(&o, &p);
    pump_stdio_prepare(STDERR_FILENO);
    r = pump_run(&p, &code, &err);
    link_free(call.agent);
    code = join_codes(r ? CLIENT_VM_CUT_OFF : code & 0xff, child);
    if (r)
        client_vm_die(CLIENT_VM_CUT_OFF, "%s", err.msg);
    pump_stdio_restore();
    return code;
}
