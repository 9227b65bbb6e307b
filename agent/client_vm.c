/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-client-vm: a program of a qube calls a service.  The command line is
 * that of qubes-core-qrexec; docs/proto/agent.md has what goes over the socket.
 */
#include "buf.h"
#include "link.h"
#include "pump.h"
#include "qrexec.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_DEFAULT "/run/qubes/qrexec-agent"
#define IDENT          "SOCKET REASON" /* upstream's SOCKET, and why not */
#define REASON_MARK    UINT32_MAX

struct options {
    const char *socket;
    const char *source;
    const char *prefix;
    bool filter_stdout;
    bool filter_stderr;
    bool use_stdin_socket;
    const char *target;
    const char *service;
    char **program; /* NULL: stdin and stdout are the call's */
};

static _Noreturn void die(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);

static _Noreturn void die(int code, const char *fmt, ...)
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
        "  --buffer-size=BYTES    accepted; a stream here needs no ring\n"
        "  -t, --filter-escape-chars-stdout\n"
        "  -T, --filter-escape-chars-stderr\n"
        "      --no-filter-escape-chars-stdout\n"
        "      --no-filter-escape-chars-stderr\n"
        "                         replace control bytes (default on a "
        "terminal)\n"
        "  --agent-socket=PATH    default " SOCKET_DEFAULT "\n"
        "  --prefix-data=TEXT     sent before stdin\n"
        "  --use-stdin-socket     stdin is a socket for both directions\n"
        "  --source-qube=NAME     claimed source, for relays\n"
        "Exit code: of the service; 125 trouble, 126 refused, 127 no such "
        "service.\n";

enum {
    OPT_BUFFER = 256,
    OPT_NO_STDOUT,
    OPT_NO_STDERR,
    OPT_SOCKET,
    OPT_PREFIX,
    OPT_STDIN_SOCKET,
    OPT_SOURCE,
};

static const struct option long_options[] = {
        {"buffer-size", required_argument, NULL, OPT_BUFFER},
        {"filter-escape-chars-stdout", no_argument, NULL, 't'},
        {"filter-escape-chars-stderr", no_argument, NULL, 'T'},
        {"no-filter-escape-chars-stdout", no_argument, NULL, OPT_NO_STDOUT},
        {"no-filter-escape-chars-stderr", no_argument, NULL, OPT_NO_STDERR},
        {"agent-socket", required_argument, NULL, OPT_SOCKET},
        {"prefix-data", required_argument, NULL, OPT_PREFIX},
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

    if (!text_parse_u64(span_str(text), &v))
        usage(stderr, QREXEC_EXIT_TROUBLE);
}

static void set_option(struct options *o, int c)
{
    switch (c) {
    case OPT_BUFFER:
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
    case OPT_SOCKET:
        o->socket = optarg;
        break;
    case OPT_PREFIX:
        o->prefix = optarg;
        break;
    case OPT_STDIN_SOCKET:
        o->use_stdin_socket = true;
        break;
    case OPT_SOURCE:
        o->source = optarg;
        break;
    case 'h':
        usage(stdout, 0);
    default:
        usage(stderr, QREXEC_EXIT_TROUBLE);
    }
}

static void parse_options(int argc, char **argv, struct options *o)
{
    int c;

    *o = (struct options){.socket = SOCKET_DEFAULT,
            .source = "",
            .prefix = "",
            .filter_stdout = isatty(STDOUT_FILENO),
            .filter_stderr = isatty(STDERR_FILENO)};
    while ((c = getopt_long(argc, argv, "+tTh", long_options, NULL)) != -1)
        set_option(o, c);
    if (argc - optind < 2)
        usage(stderr, QREXEC_EXIT_TROUBLE);
    o->target = argv[optind];
    o->service = argv[optind + 1];
    if (argc - optind > 2)
        o->program = argv + optind + 2;
    if (o->use_stdin_socket && o->program)
        die(QREXEC_EXIT_TROUBLE,
                "--use-stdin-socket cannot be used with a program");
}

/* ---- the request ----------------------------------------------------- */

static int connect_agent(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(addr.sun_path))
        die(QREXEC_EXIT_TROUBLE, "socket path is too long: %s", path);
    memcpy(addr.sun_path, path, strlen(path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        die(QREXEC_EXIT_TROUBLE,
                "no agent at %s (%s): is this program run inside a qube?", path,
                strerror(errno));
    return fd;
}

static void ask(struct link *l, const struct options *o)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    char target[QREXEC_NAME_SIZE];
    struct qrexec_msg m = {.type = QREXEC_TRIGGER_SERVICE4,
            .source = span_str(o->source),
            .ident = span_str(IDENT),
            .service = span_str(o->service)};
    struct err err;
    size_t len;

    if (strlen(o->target) >= sizeof(target))
        die(QREXEC_EXIT_TROUBLE, "target name is too long");
    (void)snprintf(target, sizeof(target), "%s", o->target);
    if (target[0] == '$') /* the keyword sign of older rules */
        target[0] = '@';
    m.target = span_str(target);
    if (qrexec_msg_put(&m, bytes, sizeof(bytes), &len))
        die(QREXEC_EXIT_TROUBLE, "source name or service is too long");
    if (link_send(l, SPAN(bytes, len), NULL, 0, &err))
        die(QREXEC_EXIT_TROUBLE, "agent: %s", err.msg);
}

/* Reads until n bytes are there; false at the end of the stream. */
static bool need(struct link *l, size_t n)
{
    while (link_in(l).len < n) {
        struct pollfd pfd = {.fd = link_fd(l), .events = link_events(l)};
        struct err err;

        if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
            die(QREXEC_EXIT_TROUBLE, "poll: %s", strerror(errno));
        if (link_flush(l, &err) == ERR_IO)
            die(QREXEC_EXIT_TROUBLE, "agent: %s", err.msg);
        if (link_recv(l, &err))
            return link_in(l).len >= n;
    }
    return true;
}

static _Noreturn void refused(struct link *l, uint32_t len)
{
    char where[QREXEC_REASON_MAX] = "";
    char reason[QREXEC_REASON_MAX] = "no reason given";
    const uint8_t *end = NULL;
    struct span text;

    if (len <= QREXEC_REASON_MAX && need(l, len)) {
        text = SPAN(link_in(l).ptr, len);
        end = len ? memchr(text.ptr, 0, len) : NULL;
    }
    if (end && text.ptr[len - 1] == 0) {
        size_t n = (size_t)(end - text.ptr);

        text_format_safe(SPAN(text.ptr, n), where, sizeof(where));
        if (n + 2 < len)
            text_format_safe(
                    SPAN(end + 1, len - n - 2), reason, sizeof(reason));
    }
    die(QREXEC_EXIT_REFUSED, "refused by %s: %s", *where ? where : "the zone",
            reason);
}

/* The data stream of the call. */
static int call(const struct options *o)
{
    struct link *l = link_new_unix(
            connect_agent(o->socket), 8 + QREXEC_REASON_MAX, QREXEC_MSG_MAX);
    struct wire_reader r;
    uint32_t domain;
    uint32_t port;
    int fd;

    if (!l)
        die(QREXEC_EXIT_TROUBLE, "no memory");
    ask(l, o);
    if (!need(l, 8))
        die(QREXEC_EXIT_REFUSED, "refused");
    r = wire_reader_of(link_in(l));
    if (!wire_get_u32le(&r, &domain) || !wire_get_u32le(&r, &port))
        die(QREXEC_EXIT_TROUBLE, "agent: short answer");
    link_consume(l, 8);
    if (domain == REASON_MARK)
        refused(l, port);
    fd = link_take_fd(l);
    if (fd < 0)
        die(QREXEC_EXIT_TROUBLE, "agent: answer without the data stream");
    link_free(l);
    return fd;
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
        die(QREXEC_EXIT_TROUBLE, "no memory");
}

static _Noreturn void become(char **program, int in, int out)
{
    (void)signal(SIGPIPE, SIG_DFL);
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

/* The program reads what the service writes, and the other way round. */
static pid_t start_program(char **program, struct pump *p)
{
    int to[2];
    int from[2];
    pid_t pid;

    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
        die(QREXEC_EXIT_TROUBLE, "no pipe: %s", strerror(errno));
    pid = fork();
    if (pid < 0)
        die(QREXEC_EXIT_TROUBLE, "no process: %s", strerror(errno));
    if (pid == 0)
        become(program, to[0], from[1]);
    (void)close(to[0]);
    (void)close(from[1]);
    p->stdout_fd = to[1];
    p->stdin_fd = from[0];
    return pid;
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
    struct options o;
    struct err err;
    pid_t child = 0;
    int code;
    int r;

    check_stdio();
    parse_options(argc, argv, &o);
    (void)signal(SIGPIPE, SIG_IGN);
    p.link = link_new_stream(call(&o), 0, 0);
    p.prefix = span_str(o.prefix);
    p.filter_stdout = o.filter_stdout && !o.program;
    p.filter_stderr = o.filter_stderr;
    if (o.program)
        child = start_program(o.program, &p);
    else
        use_stdio(&o, &p);
    pump_stdio_prepare(STDERR_FILENO);
    r = pump_run(&p, &code, &err);
    if (child)
        (void)waitpid(child, NULL, 0);
    if (r)
        die(QREXEC_EXIT_TROUBLE, "%s", err.msg);
    pump_stdio_restore();
    return code & 0xff;
}
