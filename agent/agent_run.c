/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_run.h"

#include "callee.h"

#include <unistd.h>

_Noreturn void agent_run(const struct agent_run *call)
{
    struct callee c = {.name = "qair-agent",
            .command = call->command,
            .users = &callee_own_user,
            .link = link_new_stream(call->data_fd, 0, 0),
            .tells_caller = true,
            .login_shell = true,
            .key_fd = call->key_fd};

    if (!c.link)
        _exit(1);
    callee_run(&c);
}
