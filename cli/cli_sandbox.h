/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign bytes are taken apart in a child that can do nothing else. */
#ifndef QAIR_CLI_SANDBOX_H
#define QAIR_CLI_SANDBOX_H

#include "cli.h"

/* An exit code (enum cli_exit); may print on stdout and stderr. */
typedef int cli_job(void *ctx);

/*
 * Runs the job in a child that keeps memory and open descriptors alone; what
 * it needs of files is read before.  A child that dies of what it reads is a
 * refusal: CLI_NO, with a word on stderr.  Nothing was printed on stdout yet.
 */
int cli_in_sandbox(cli_job *job, void *ctx);

#endif
