/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room pump (floor 4): carries one qrexec call between its data link and
 * local descriptors, until the call is over.  A process runs one pump and
 * nothing else: the agent's runner (callee), qrexec-client-vm and `qair call`
 * (callers).
 *
 * Both directions move independently: a service that does not read its stdin
 * holds back neither its output nor its exit code.  A caller that does not
 * read its stdout holds back its own stderr, as one stream carries both.
 *
 * Body bytes are read and written where they lie, 64 KiB at a time; memory is
 * bounded by two such buffers, whatever the peer does.
 */
#ifndef QAIR_PUMP_H
#define QAIR_PUMP_H

#include "base.h"
#include "link.h"
#include "qrexec.h"

#include <sys/types.h>

struct pump {
    enum qrexec_end end;
    struct link *link; /* the data stream; the pump frees it */
    /*
     * By stream, -1 = absent; the pump closes them.  A caller reads stdin_fd
     * and writes the others, a callee the other way round.  A callee whose
     * service is a socket has it in stdin_fd and (a duplicate) in stdout_fd.
     */
    int stdin_fd;
    int stdout_fd;
    int stderr_fd;
    struct span prefix; /* caller: sent before stdin */
    bool filter_stdout; /* caller: control bytes become '_' */
    bool filter_stderr;
    /* Callee. */
    pid_t child; /* its exit code is the call's; 0 = none, exit_code counts */
    int exit_code;
    bool exit_on_client_eof;
    bool exit_on_service_eof;
    /* How long the caller may take to close after the exit code; 0 = 5 s.  A
     * stream that a third process carries would be cut off. */
    int linger_ms;
    bool no_stderr; /* the peer hears of no such stream, not even its end */
    int log_fd; /* a copy of stderr goes there as far as it takes it; 0, -1 =
                   nowhere; stays the caller's */
    /* SIGUSR1 says that what the program reads from, a socket, serves both
     * directions from now on (qubes-core-qrexec).  Block the signal before the
     * program starts. */
    bool one_socket_on_usr1;
};

/*
 * Runs the call to its end; 0 with the exit code, or ERR_PEER when the peer
 * went away or broke the protocol, ERR_IO.  The child is reaped unless it
 * still runs (ERR_PEER, exit_on_*): p->child is 0 when it was.  Ignore SIGPIPE.
 */
int pump_run(struct pump *p, int *ret_exit, struct err *err) MUST_CHECK;

/*
 * Makes one of the process's own stdio descriptors fit for pump_run, without
 * changing the mode of an open file that it shares with other processes where
 * that can be had.  Call pump_stdio_restore before exit.
 */
void pump_stdio_prepare(int fd);
void pump_stdio_restore(void);

#endif
