/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of qrexec-daemon, and its environment. */
#ifndef QAIR_QUBES_DAEMON_OPTIONS_H
#define QAIR_QUBES_DAEMON_OPTIONS_H

#include "base.h"

struct options {
    uint32_t domain;
    const char *name;
    const char *default_user;
    const char *uuid; /* NULL: none */
    const char *socket_dir;
    const char *policy_socket;
    char *policy_program; /* NULL: none, the policy service alone decides */
    const char *qubesd_socket;
    const char *log_dir;
    bool direct;
    bool quiet;
    unsigned startup_s;  /* 0: no end */
    unsigned decision_s; /* a person may have to be asked */
};

/* -1: go on; else the exit code, after a line on stderr. */
int options_parse(int argc, char **argv, struct options *ret) MUST_CHECK;

#endif
