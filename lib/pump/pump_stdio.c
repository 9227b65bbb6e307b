/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard descriptors are shared with the shell and with other programs of a
 * pipeline: O_NONBLOCK on them would reach those too.  Pipes and terminals
 * are opened afresh instead, sockets are used with MSG_DONTWAIT, files never
 * block.  What cannot be opened (a pipe of another user) is switched, and
 * switched back at the end.
 */
#include "pump.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int switched[3] = {-1, -1, -1}; /* former flags */

static bool open_afresh(int fd, int mode)
{
    char path[32];
    int own;
    bool ok;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    own = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own < 0)
        return false;
    ok = dup2(own, fd) == fd;
    (void)close(own);
    return ok;
}

void pump_stdio_prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    struct stat st;

    if (fd < 0 || fd > 2 || flags < 0 || (flags & O_NONBLOCK) ||
            fstat(fd, &st) < 0 || S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode))
        return;
    if (open_afresh(fd, flags & O_ACCMODE))
        return;
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
        switched[fd] = flags;
}

void pump_stdio_restore(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (switched[fd] >= 0)
            (void)fcntl(fd, F_SETFL, switched[fd]);
        switched[fd] = -1;
    }
}
