/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-policy-admin: dom0's policy admin services.  Linked in /etc/qubes-rpc
 * under their names; which one is meant, QREXEC_SERVICE_FULL_NAME says, or,
 * when it is run by hand, the name and the first argument.  The payload is
 * stdin, the answer stdout.  Exit codes and the words of a refusal are those
 * of upstream's qubes-policy-admin.
 */
#include "admin.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

static const char help[] =
        "usage: SERVICE [ARGUMENT] < PAYLOAD\n"
        "This program answers policy.List, policy.Get+NAME, "
        "policy.Replace+NAME,"
        "\npolicy.Remove+NAME, policy.GetFiles+SERVICE and policy.include.* "
        "under\nwhose name it is linked in /etc/qubes-rpc.\n"
        "Environment: QREXEC_POLICY_DIR, QREXEC_POLICY_RUNTIME_DIR,\n"
        "QREXEC_POLICY_COMPAT_DIR instead of /etc/qubes/policy.d,\n"
        "/run/qubes/policy.d and /etc/qubes-rpc/policy.\n";

static const char *env(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && *value ? value : otherwise;
}

/* "NAME+ARG" of qrexec, or the name of the link and its argument. */
static void set_service(int argc, char **argv, struct admin_request *q)
{
    const char *full = getenv("QREXEC_SERVICE_FULL_NAME");
    const char *plus, *slash;

    if (!full) {
        slash = strrchr(argv[0], '/');
        q->service = span_str(slash ? slash + 1 : argv[0]);
        q->argument = argc > 1 ? span_str(argv[1]) : SPAN_EMPTY;
        return;
    }
    plus = strchrnul(full, '+');
    q->service = SPAN(full, (size_t)(plus - full));
    q->argument = *plus ? span_str(plus + 1) : SPAN_EMPTY;
}

static int read_payload(struct buf *b, struct err *err)
{
    for (;;) {
        uint8_t *room = buf_reserve(b, 4096);
        ssize_t n;

        if (!room || b->len > ADMIN_PAYLOAD_MAX)
            return err_set(err, ERR_LIMIT, "Payload is over %u bytes",
                    ADMIN_PAYLOAD_MAX);
        n = read(STDIN_FILENO, room, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "cannot read the payload");
        if (n == 0)
            return 0;
        buf_commit(b, (size_t)n);
    }
}

static int run(struct admin_request *q, struct err *err)
{
    CLEANUP(buf_fini) struct buf payload = BUF_INIT(ADMIN_PAYLOAD_MAX + 8192);
    CLEANUP(buf_fini) struct buf answer = BUF_INIT(2u * LIMIT_CONF_FILE_MAX);
    int r = read_payload(&payload, err);

    q->payload = buf_span(&payload);
    if (r == 0)
        r = admin_run(q, &answer, err);
    return r < 0 ? r : buf_write_all(STDOUT_FILENO, buf_span(&answer), err);
}

/* Who changed what, for dom0. */
static void note(const struct admin_request *q, int r, const char *why)
{
    char service[64], argument[64], source[64];

    text_format_safe(q->service, service, sizeof(service));
    text_format_safe(q->argument, argument, sizeof(argument));
    text_format_safe(
            span_str(env("QREXEC_REMOTE_DOMAIN", "")), source, sizeof(source));
    openlog("qrexec-policy-admin", LOG_PID, LOG_AUTHPRIV);
    if (r < 0)
        syslog(LOG_WARNING, "%s+%s (%s): error: %s", service, argument, source,
                why);
    else
        syslog(LOG_NOTICE, "%s+%s (%s)", service, argument, source);
}

int main(int argc, char **argv)
{
    const char *folder = env("QREXEC_POLICY_DIR", POLICYTREE_ETC);
    struct admin_request q = {.folder = folder,
            .paths = {.folders = {env("QREXEC_POLICY_RUNTIME_DIR",
                                          POLICYTREE_RUNTIME),
                              folder},
                    .n_folders = 2,
                    .compat = env(
                            "QREXEC_POLICY_COMPAT_DIR", POLICYTREE_COMPAT)}};
    struct err err = {.code = 0};
    int r;

    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        (void)fputs(help, stdout);
        return 0;
    }
    /* A write over the limit of a file's size is an error like any other. */
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    set_service(argc, argv, &q);
    r = run(&q, &err);
    note(&q, r, err.msg);
    if (r == 0)
        return 0;
    (void)fprintf(stderr, "%s %s",
            r == ERR_MISMATCH || r == ERR_EXISTS ? "PolicyAdminTokenException"
                                                 : "PolicyAdminException",
            err.msg);
    /* Upstream: 2 is trouble of its own, not of the request. */
    return r == ERR_IO || r == ERR_MEMORY ? 2 : 1;
}
