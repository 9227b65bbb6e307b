/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"

#include "bundle.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 20000

void driver_start(struct driver *d, const char *program, const char *zone)
{
    char *const argv[] = {strdup(program), strdup(zone), strdup("0"), NULL};
    int fds[2];
    struct err err;

    assert_int_equal(ipc_pair(fds, &err), 0);
    d->pid = fork();
    assert_true(d->pid >= 0);
    if (d->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!getenv("QAIR_TEST_VERBOSE"))
            dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
        if (fds[1] == 3)
            (void)fcntl(3, F_SETFD, 0);
        else
            dup2(fds[1], 3);
        execv(program, argv);
        _exit(127);
    }
    for (size_t i = 0; i < 3; i++)
        free(argv[i]);
    close(fds[1]);
    d->control = fds[0];
}

int driver_wait(struct driver *d)
{
    int status = 0;

    for (int i = 0; i < WAIT_MS / 10; i++) {
        pid_t pid = waitpid(d->pid, &status, WNOHANG);

        if (pid == d->pid) {
            d->pid = 0;
            close(d->control);
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
        usleep(10000);
    }
    fail_msg("the process did not end");
    return -1;
}

void driver_stop(struct driver *d)
{
    if (d->pid > 0) {
        kill(d->pid, SIGKILL);
        waitpid(d->pid, NULL, 0);
        close(d->control);
    }
    d->pid = 0;
}

void driver_put(int fd, enum msg_type type, uint32_t id, const void *msg,
        const int *fds, size_t n_fds)
{
    static uint8_t bytes[LIMIT_IPC_MSG_MAX];
    size_t len;

    assert_true(msg_put(type, id, msg, bytes, sizeof bytes, &len));
    assert_int_equal(ipc_send(fd, SPAN(bytes, len), fds, n_fds), 0);
}

/* The next message that is not of type pass. */
static uint16_t get(int fd, uint16_t pass, void *ret_body,
        struct ipc_fds *ret_fds, uint32_t *ret_id)
{
    static uint8_t bytes[LIMIT_IPC_MSG_MAX];
    struct ipc_fds fds = {.n = 0};
    struct msg_header h;
    struct err err;
    size_t len;
    int r;

    do {
        if (ipc_wait(fd, WAIT_MS, &err) != 0)
            fail_msg("nothing came: %s", err.msg);
        r = ipc_recv(fd, bytes, sizeof bytes, &len, &fds);
        if (r == ERR_PEER)
            return 0;
        assert_int_equal(r, 0);
        assert_int_equal(msg_get_header(SPAN(bytes, len), &h), 0);
    } while (h.type == pass);
    assert_int_equal(msg_get(&h, ret_body), 0);
    if (ret_fds)
        *ret_fds = fds;
    else
        ipc_fds_close(&fds);
    if (ret_id)
        *ret_id = h.id;
    return h.type;
}

uint16_t driver_get(
        int fd, void *ret_body, struct ipc_fds *ret_fds, uint32_t *ret_id)
{
    return get(fd, 0, ret_body, ret_fds, ret_id);
}

uint16_t driver_answer(
        int fd, void *ret_body, struct ipc_fds *ret_fds, uint32_t *ret_id)
{
    return get(fd, MSG_OWN_STATE, ret_body, ret_fds, ret_id);
}

bool driver_is_silent(int fd, int ms)
{
    return ipc_wait(fd, ms, NULL) != 0;
}

int driver_peer(const struct driver *d, enum msg_role role)
{
    struct msg_peer p = {.role = (uint8_t)role};
    int fds[2];
    struct err err;

    assert_int_equal(ipc_pair(fds, &err), 0);
    driver_put(d->control, MSG_PEER, 0, &p, &fds[1], 1);
    close(fds[1]);
    return fds[0];
}

void driver_join(const struct driver *a, enum msg_role a_is,
        const struct driver *b, enum msg_role b_is)
{
    const struct msg_peer to_a = {.role = (uint8_t)b_is};
    const struct msg_peer to_b = {.role = (uint8_t)a_is};
    int fds[2];
    struct err err;

    assert_int_equal(ipc_pair(fds, &err), 0);
    driver_put(a->control, MSG_PEER, 0, &to_a, &fds[0], 1);
    driver_put(b->control, MSG_PEER, 0, &to_b, &fds[1], 1);
    close(fds[0]);
    close(fds[1]);
}

void driver_handle(const struct driver *d, const char *name, int fd)
{
    struct msg_named n = {.name = span_str(name)};

    assert_true(fd >= 0);
    driver_put(d->control, MSG_HANDLE, 0, &n, &fd, 1);
    close(fd);
}

void driver_bundle(const struct driver *d, const char *name,
        const struct driver_file *files, size_t n)
{
    CLEANUP(buf_fini) struct buf bytes = BUF_INIT(LIMIT_BUNDLE_MAX);
    struct bundle_writer w = {.out = &bytes};
    struct msg_named m = {.name = span_str(name)};
    struct err err;
    int fd = -1;

    for (size_t i = 0; i < n; i++)
        assert_int_equal(
                bundle_put(&w,
                        &(struct bundle_file){.name = span_str(files[i].name),
                                .content = files[i].content},
                        &err),
                0);
    assert_int_equal(ipc_seal(buf_span(&bytes), name, &fd, &err), 0);
    driver_put(d->control, MSG_BUNDLE, 0, &m, &fd, 1);
    close(fd);
}

void driver_begin(const struct driver *d)
{
    driver_put(d->control, MSG_START, 0, &(struct msg_empty){0}, NULL, 0);
}
