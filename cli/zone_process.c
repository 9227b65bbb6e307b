/* SPDX-License-Identifier: Apache-2.0 */
#include "zone_process.h"

#include "buf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_MAX (256u << 10)
#define LOG_FILE   "run/qaird.log"
#define LOG_MAX    (16 << 20)
#define POLL_MS    10
#define READY_FD   3

static int path_of(const struct cli *cli, const char *name, char *ret,
        size_t size, struct err *err)
{
    if (snprintf(ret, size, "%s/%s", cli->zone_dir, name) >= (int)size)
        return err_set(err, ERR_LIMIT, "path too long");
    return 0;
}

int zone_process_pid(const struct cli *cli, pid_t *ret, struct err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[PATH_MAX];
    CLEANUP(buf_close_fd) int fd = -1;
    int rc = path_of(cli, "zone.conf", path, sizeof(path), err);

    if (rc < 0)
        return rc;
    if (access(path, F_OK) < 0)
        return err_set(err, ERR_NOT_FOUND,
                "no zone in %s; choose one with -z, or make it with 'qair "
                "zone init'",
                cli->zone_dir);
    rc = path_of(cli, "run/qaird.pid", path, sizeof(path), err);
    if (rc < 0)
        return rc;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *ret = 0;
        return 0;
    }
    if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0)
        return err_errno(err, "%s", path);
    *ret = lock.l_type == F_UNLCK ? 0 : lock.l_pid;
    return 0;
}

json_t *zone_process_status(const struct cli *cli)
{
    CLEANUP(buf_fini) struct buf b = BUF_INIT(STATUS_MAX);
    char path[PATH_MAX];
    struct err err;

    if (path_of(cli, "run/status.json", path, sizeof(path), &err) < 0 ||
            buf_load(&b, AT_FDCWD, path, &err) < 0)
        return NULL;
    return json_loadb((const char *)b.ptr, b.len, JSON_REJECT_DUPLICATES, NULL);
}

int zone_process_wait_end(
        const struct cli *cli, unsigned timeout_ms, struct err *err)
{
    for (unsigned ms = 0;; ms += POLL_MS) {
        pid_t pid;
        int rc = zone_process_pid(cli, &pid, err);

        if (rc < 0 || pid == 0)
            return rc;
        if (ms > timeout_ms)
            return err_set(err, ERR_TIMEOUT,
                    "qaird (pid %d) does not end; see %s/" LOG_FILE, (int)pid,
                    cli->zone_dir);
        (void)poll(NULL, 0, POLL_MS);
    }
}

/* ---- starting -------------------------------------------------------- */

int zone_process_run(const struct cli *cli, struct err *err)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/qaird", cli->programs) >=
            (int)sizeof(path))
        return err_set(err, ERR_LIMIT, "path too long");
    (void)execl(path, "qaird", cli->zone_dir, (char *)NULL);
    return err_errno(err, "%s", path);
}

/* One former log beside the present one, both bounded: roles bound their rate.
 */
static void keep_small(const char *path)
{
    char old[PATH_MAX + 8];
    struct stat st;

    (void)snprintf(old, sizeof(old), "%s.old", path);
    if (lstat(path, &st) == 0 && st.st_size > LOG_MAX)
        (void)rename(path, old);
}

static int open_log(const struct cli *cli, int *ret, struct err *err)
{
    char path[PATH_MAX];
    int fd, rc = path_of(cli, "run", path, sizeof(path), err);

    if (rc < 0)
        return rc;
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return err_errno(err, "%s", path);
    rc = path_of(cli, LOG_FILE, path, sizeof(path), err);
    if (rc < 0)
        return rc;
    keep_small(path);
    fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return err_errno(err, "%s", path);
    *ret = fd;
    return 0;
}

static _Noreturn void become_qaird(const struct cli *cli, int log, int ready)
{
    char path[PATH_MAX], fd[8];

    (void)setsid();
    (void)snprintf(path, sizeof(path), "%s/qaird", cli->programs);
    (void)snprintf(fd, sizeof(fd), "%d", READY_FD);
    if (dup2(log, STDERR_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
            dup2(open("/dev/null", O_RDONLY), STDIN_FILENO) < 0 ||
            /* last: log may be this number */
            (ready != READY_FD && dup2(ready, READY_FD) < 0) ||
            fcntl(READY_FD, F_SETFD, 0) < 0)
        _exit(127);
    (void)execl(path, "qaird", "--ready-fd", fd, cli->zone_dir, (char *)NULL);
    (void)dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
    _exit(127);
}

/* What qaird said since it began: its last line is the reason. */
static int failure(const struct cli *cli, int log, off_t began, struct err *err)
{
    char text[4096];
    ssize_t n = pread(log, text, sizeof(text), began);
    struct span all = SPAN(text, n > 0 ? (size_t)n : 0), line, last = {0};
    struct text_lines lines = text_lines_of(all);

    while (text_next_line(&lines, &line)) {
        (void)dprintf(
                STDERR_FILENO, "%.*s\n", (int)line.len, (const char *)line.ptr);
        last = line;
    }
    if (last.len == 0)
        return err_set(err, ERR_STATE, "qaird ended without a word");
    return err_set(err, ERR_STATE,
            "the zone did not start; all it said is in %s/" LOG_FILE,
            cli->zone_dir);
}

/* The pipe tells: a byte when it serves, its end when qaird ended. */
static int wait_ready(const struct cli *cli, int pipe_fd, int log, off_t began,
        struct err *err)
{
    char c;
    ssize_t n;

    do {
        n = read(pipe_fd, &c, 1);
    } while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : failure(cli, log, began, err);
}

int zone_process_start(const struct cli *cli, struct err *err)
{
    CLEANUP(buf_close_fd) int log = -1;
    int ends[2], rc = open_log(cli, &log, err);
    off_t began;
    pid_t pid;

    if (rc < 0)
        return rc;
    began = lseek(log, 0, SEEK_END);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, "pipe");
    pid = fork();
    if (pid == 0)
        become_qaird(cli, log, ends[1]);
    (void)close(ends[1]);
    rc = pid < 0 ? err_errno(err, "fork")
                 : wait_ready(cli, ends[0], log, began, err);
    (void)close(ends[0]);
    return rc;
}
