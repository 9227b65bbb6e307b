/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call in the qube, in a process of its own: a service that hangs, floods
 * or dies takes this process with it and nothing else.
 */
#ifndef QAIR_AGENT_RUN_H
#define QAIR_AGENT_RUN_H

#include "base.h"

struct agent_run {
    struct span command; /* of EXEC_CMDLINE */
    int data_fd;
    int key_fd; /* the call's key session, or -1 */
};

/* For a freshly forked child: runs the call to its end and exits. */
_Noreturn void agent_run(const struct agent_run *call);

#endif
