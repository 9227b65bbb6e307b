/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_sandbox.h"

#include "sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* stdio asks the kernel about a descriptor when it makes its own buffer: that
 * is not among what the child may do. */
static char room[65536];

static int job_failed(int status)
{
    struct err err = {0};

    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    (void)err_set(&err, ERR_SYNTAX,
            "what was read broke its reader (%s); it is refused",
            WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "stopped");
    return cli_fail(&err);
}

int cli_in_sandbox(cli_job *job, void *ctx)
{
    struct err err = {0};
    int status, code;
    pid_t pid;

    (void)setvbuf(stdout, room, _IOFBF, sizeof(room));
    (void)fflush(stderr);
    pid = fork();
    if (pid < 0) {
        (void)err_errno(&err, "fork");
        return cli_fail(&err);
    }
    if (pid == 0) {
        sandbox_enter_parser();
        code = job(ctx);
        _exit(fflush(stdout) == 0 ? code : CLI_NO);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            (void)err_errno(&err, "wait");
            return cli_fail(&err);
        }
    }
    return job_failed(status);
}
