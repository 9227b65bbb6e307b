/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room callee (floor 4): the service's side of a call.  Finds a service and
 * its configuration, starts it, wires its stdio to the call's link, tells its
 * exit code, and ends it.  Specification: docs/proto/qrexec.md, section 4.
 *
 * Used by qair-agent, qrexec-agent, qrexec-fork-server, and for dom0's own
 * services.  One call is one process (the runner): a program forks, and the
 * child calls callee_run, which never returns.  A service that hangs, floods
 * or dies takes its runner with it and nothing else.
 *
 * Where services lie: $QREXEC_SERVICE_PATH, $QUBES_RPC_CONFIG_PATH, else the
 * defaults of lib/qrexec.
 */
#ifndef QAIR_CALLEE_H
#define QAIR_CALLEE_H

#include "base.h"
#include "link.h"
#include "qrexec.h"

/* ---- finding --------------------------------------------------------- */

struct callee_service {
    enum qrexec_found found;
    char path[QREXEC_PATH_MAX];
    struct qrexec_config config;
};

/*
 * The service of a command (is_service) and its configuration.
 * ERR_NOT_FOUND: there is none, exit code 127; other errors: 125.
 */
int callee_find(const struct qrexec_command *c, struct callee_service *ret,
        struct err *err) MUST_CHECK;

/* ---- who a service runs as ------------------------------------------- */

/* A user's session, open for one call. */
struct callee_login {
    const char *home;  /* NULL: $HOME */
    const char *shell; /* NULL: $SHELL without login; else a login shell */
    char *const *env;  /* NULL: the runner's */
    void *session;     /* of the implementation */
};

struct callee_users {
    /* In the runner.  user is never empty, and "DEFAULT" for the qube's. */
    int (*open)(const char *user, struct callee_login *ret, struct err *err);
    /* In the service's process: take on the user's identity.  May be NULL. */
    int (*become)(const struct callee_login *l);
    /* In the runner, after the service has ended.  May be NULL. */
    void (*close)(struct callee_login *l);
};

/* No switching: the runner's own user ($USER, else by passwd) and DEFAULT,
 * nobody else. */
extern const struct callee_users callee_own_user;
/* No switching and no question: dom0's daemon runs as who it shall. */
extern const struct callee_users callee_any_user;

/* ---- running --------------------------------------------------------- */

struct callee {
    const char *name; /* of the program, before its messages */
    /* USER:QUBESRPC SERVICE SOURCE[ TYPE TARGET] or USER:COMMAND */
    struct span command;
    bool bare; /* the command has no "USER:" */
    const struct callee_users *users;
    /* The call: a link that is there, or a port to be waited for. */
    struct link *link;
    struct link_port *port;
    /* MSG_JUST_EXEC: stdio is /dev/null, the exit code is told at once. */
    bool just_exec;
    /* What goes wrong before the service runs is a line of its stderr for the
     * caller; else it goes to this program's stderr alone. */
    bool tells_caller;
    /* As upstream's dom0: the service's stderr is this program's, and the
     * caller has none. */
    bool own_stderr;
    /* The process exits with the call's exit code, not 0 or 1. */
    bool exits_with_code;
    /* wait-for-session: qubes.WaitForSession runs first. */
    bool waits_for_session;
    /* A shell command gets a login shell even without a login. */
    bool login_shell;
    /* Services may be links to /dev/tcp. */
    bool tcp;
    /* As upstream: stdin is a socket, SIGUSR1 to $QREXEC_AGENT_PID makes it
     * serve both directions. */
    bool one_socket;
    /* As upstream: a call that is cut off closes the service's stdio and
     * waits, and exit-on-*-eof are for sockets alone.  Else the service is
     * asked to end, then made to. */
    bool leaves_running;
    int hold_fd; /* open while the call lasts, and no longer; 0 = none */
    int key_fd;  /* the call's key session for the service, -1 = none */
    /* Where a service's stderr goes too, beside the caller; may be NULL. */
    int (*open_log)(const struct qrexec_command *c);
};

#define CALLEE_CONNECT_MS 120000 /* for a port's peer, as upstream */

/*
 * For a freshly forked child: runs the call to its end and exits with 0, or 1
 * when the caller went away (but see exits_with_code).  Closes every descriptor
 * but 0, 1, 2 and those named above.
 */
_Noreturn void callee_run(struct callee *c);

#endif
