/* SPDX-License-Identifier: Apache-2.0 */
/* A call from outside any qube: what `qair call` and `qair qube run` share. */
#ifndef QAIR_CLI_STREAM_H
#define QAIR_CLI_STREAM_H

#include "cli.h"
#include "msg.h"

/*
 * Asks calld of the running zone and carries the call on stdin, stdout and
 * stderr.  Returns the call's exit code: the service's own, or qrexec's 125,
 * 126 (with one line who refused and why), 127.  raw: control bytes reach the
 * terminal.
 */
int cli_stream(const struct cli *cli, enum msg_type type, const void *msg,
        bool raw) MUST_CHECK;

#endif
