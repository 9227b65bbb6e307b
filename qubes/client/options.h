/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of qrexec-client. */
#ifndef QAIR_QUBES_CLIENT_OPTIONS_H
#define QAIR_QUBES_CLIENT_OPTIONS_H

#include "qrexec.h"

struct options {
    const char *domain;
    const char *command; /* USER:COMMAND, or dom0's without USER */
    const char *local;   /* -l: program whose stdio is the call's; or NULL */
    /* -c: the waiting request of another qube; ident is empty without. */
    char ident[QREXEC_IDENT_SIZE];
    char source[QREXEC_NAME_SIZE];
    uint32_t source_id;
    bool just_exec;
    bool no_exit_code;
    bool filter_stdout;
    bool filter_stderr;
    bool wait_end;
    bool kill;
    bool stdin_socket;
    bool to_dom0;
    unsigned timeout_s; /* for the data vchan; 0 = no end */
    const char *socket_dir;
    const char *qubesd_socket;
};

/* -1: go on; else the exit code, after a line on stderr. */
int options_parse(int argc, char **argv, struct options *ret) MUST_CHECK;

#endif
