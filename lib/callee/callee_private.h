/* SPDX-License-Identifier: Apache-2.0 */
/* Room callee, inside: one call in its runner. */
#ifndef QAIR_CALLEE_PRIVATE_H
#define QAIR_CALLEE_PRIVATE_H

#include "callee.h"

#include "pump.h"

struct callee_call {
    const struct callee *c;
    struct link *link; /* taken by the pump */
    struct qrexec_command command;
    struct callee_service service; /* of a command that is one */
    struct callee_login login;
    bool logged_in;
    struct pump pump;
};

/* Tells the caller a code that is not the service's, and exits. */
_Noreturn void callee_fail(struct callee_call *call, int code, const char *fmt,
        ...) PRINTF_LIKE(3, 4);

/*
 * Starts the program of the command: its ends of stdio to the pump, or
 * /dev/null for just_exec.  Fails as callee_fail.
 */
void callee_start(struct callee_call *call);
/* Connects the service's socket and sends its descriptor; the same. */
void callee_connect(struct callee_call *call);

/* Runs qubes.WaitForSession to its end.  Fails as callee_fail. */
void callee_wait_session(struct callee_call *call);

#endif
