/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM.  A software one listens on a socket that qaird made, so that each
 * process that needs it gets a connection of its own and no name.  When it
 * dies its PCRs are lost: the zone is then not approved until it is started
 * again, and says so.
 */
#include "qaird.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "tpm.sock"
#define RETRY_US    200000
#define DEATHS_START                                                           \
    5 /* the one of a killed qaird may still hold the state                    \
       */

static int run_swtpm(struct qaird *q, struct err *err);

static void address_of(const struct qaird *q, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(ret->sun_path, sizeof(ret->sun_path),
            "/proc/self/fd/%d/" SOCKET_NAME, q->run_fd);
}

static int make_listener(struct qaird *q, struct err *err)
{
    struct sockaddr_un a;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_errno(err, "socket");
    /* Connections that a dead TPM never took end with its socket. */
    if (q->tpm_listen >= 0)
        (void)close(q->tpm_listen);
    q->tpm_listen = fd;
    address_of(q, &a);
    if (unlinkat(q->run_fd, SOCKET_NAME, 0) < 0 && errno != ENOENT)
        return err_errno(err, "run/" SOCKET_NAME);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
            fchmodat(q->run_fd, SOCKET_NAME, 0600, 0) < 0 || listen(fd, 4) < 0)
        return err_errno(err, "run/" SOCKET_NAME);
    return 0;
}

static int on_retry(sd_event_source *s, uint64_t usec, void *user)
{
    struct qaird *q = user;
    struct err err;

    (void)s;
    (void)usec;
    if (!q->stopping && run_swtpm(q, &err) < 0) {
        qaird_log(q, "%s", err.msg);
        qaird_stop(q, 1);
    } else if (!q->stopping && !q->measured) {
        qaird_role_start(q, MSG_ROLE_MEASURE);
    }
    return 0;
}

static void on_exit_of_swtpm(const siginfo_t *si, void *user)
{
    struct qaird *q = user;

    (void)si;
    q->tpm_pid = 0;
    if (q->stopping) {
        qaird_step(q);
        return;
    }
    q->tpm_deaths++;
    if (!q->measured && q->tpm_deaths >= DEATHS_START) {
        qaird_log(q, "the software TPM does not start; see its message above");
        qaird_stop(q, 1);
        return;
    }
    if (q->measured)
        qaird_log(q, "the software TPM ended and lost what was measured: keys "
                     "stay shut until the zone is started again");
    if (q->measured)
        qaird_role_kill(&q->roles[MSG_ROLE_KEYD]);
    qaird_role_kill(&q->roles[MSG_ROLE_MEASURE]);
    q->tpm_timer = sd_event_source_disable_unref(q->tpm_timer);
    if (sd_event_add_time_relative(q->event, &q->tpm_timer, CLOCK_MONOTONIC,
                RETRY_US, 0, on_retry, q) < 0)
        qaird_stop(q, 1);
}

static int run_swtpm(struct qaird *q, struct err *err)
{
    static const char *const argv[] = {"swtpm", "socket", "--tpm2", "--server",
            "type=unixio,fd=3", "--tpmstate", "dir=tpm", "--flags",
            "not-need-init,startup-clear", NULL};
    struct qaird_exec x = {
            .path = "swtpm",
            .argv = argv,
            .uid = qaird_uid(q, QAIRD_TPM_UID),
            .dir_fd = q->dir_fd,
    };
    int rc = make_listener(q, err);

    x.fd3 = q->tpm_listen;
    if (rc == 0)
        rc = qaird_exec(&x, &q->tpm_pid, err);
    if (rc < 0)
        return rc;
    return qaird_watch(q, q->tpm_pid, on_exit_of_swtpm, q, err);
}

int qaird_tpm_start(struct qaird *q, struct err *err)
{
    return q->conf->tpm == CONF_TPM_SWTPM ? run_swtpm(q, err) : 0;
}

int qaird_tpm_connect(struct qaird *q)
{
    struct sockaddr_un a;
    int fd;

    if (q->conf->tpm != CONF_TPM_SWTPM)
        return open(q->conf->tpm_path, O_RDWR | O_CLOEXEC);
    /* Not blocking, should a hung TPM have let its queue fill. */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    address_of(q, &a);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
            fcntl(fd, F_SETFL, 0) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

void qaird_tpm_stop(struct qaird *q)
{
    if (q->tpm_pid > 0)
        (void)kill(q->tpm_pid, SIGTERM); /* it writes its state */
}
