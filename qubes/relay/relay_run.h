/* SPDX-License-Identifier: Apache-2.0 */
/* One call into the Qubes host, in a process of its own. */
#ifndef QAIR_RELAY_RUN_H
#define QAIR_RELAY_RUN_H

#include "base.h"

/*
 * For a freshly forked child: calls as `CLIENT_VM --source-qube=SOURCE TARGET
 * SERVICE` what command says (qrexec_command with a target), carries its stdio
 * over data, tells its exit code, and exits.
 */
_Noreturn void relay_run(const char *client_vm, struct span command, int data);

#endif
