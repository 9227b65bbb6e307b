/* SPDX-License-Identifier: Apache-2.0 */
/* What a role may still do in its sandbox, group by group: each case is a
 * child of its own that enters, tries one thing, and is looked at. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define IN_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IN_SANITIZER 1
#endif
#endif
#ifndef IN_SANITIZER
#define IN_SANITIZER 0
#endif

#define TEST_UID 64299

static uid_t role_uid(void)
{
    return geteuid() == 0 ? TEST_UID : 0;
}

/* ---- things to try; 0: it worked, else errno ------------------------- */

static int result(long rc)
{
    return rc < 0 ? errno : 0;
}

static int try_write(void)
{
    return result(write(STDERR_FILENO, "", 0));
}
static int try_memory(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : result(munmap(p, 4096));
}
static int try_epoll(void)
{
    return result(epoll_create1(EPOLL_CLOEXEC));
}
static int try_timer(void)
{
    return result(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
}
static int try_seal(void)
{
    int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    return fd < 0 ? errno : result(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
}
static int try_open(void)
{
    return result(open("/etc/passwd", O_RDONLY));
}
static int try_stat(void)
{
    struct stat st;

    return result(stat("/etc/passwd", &st));
}
static int try_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid < 0 ? errno : result(waitpid(pid, NULL, 0));
}
static int try_thread(void)
{
    return result(
            syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
}
static int try_clone_newuser(void)
{
    return result(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}
static int try_exec(void)
{
    char *argv[] = {NULL};

    return result(execve("/bin/true", argv, argv));
}
static int try_execveat(void)
{
    return result(syscall(SYS_execveat, 0, "", NULL, NULL, AT_EMPTY_PATH));
}
static int try_tcp(void)
{
    return result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
static int try_tcp6(void)
{
    return result(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
}
static int try_udp(void)
{
    return result(socket(AF_INET, SOCK_DGRAM, 0));
}
static int try_raw(void)
{
    return result(socket(AF_INET, SOCK_RAW, 1));
}
static int try_netlink(void)
{
    return result(socket(AF_NETLINK, SOCK_RAW, 0));
}
static int try_unix(void)
{
    return result(socket(AF_UNIX, SOCK_STREAM, 0));
}
static int try_bind(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "x"};

    return result(bind(0, (struct sockaddr *)&a, sizeof(a)));
}
static int try_listen(void)
{
    return result(listen(0, 1));
}
static int try_connect(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "x"};

    return result(connect(0, (struct sockaddr *)&a, sizeof(a)));
}
static int try_socketpair(void)
{
    int fd[2];

    return result(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd));
}
static int try_ptrace(void)
{
    return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}
static int try_kill(void)
{
    return result(kill(getppid(), 0));
}
static int try_mount(void)
{
    return result(mount("none", "/", "tmpfs", 0, NULL));
}
static int try_unshare(void)
{
    return result(unshare(CLONE_NEWUSER));
}
static int try_chroot(void)
{
    return result(chroot("/"));
}
static int try_setuid(void)
{
    return result(syscall(SYS_setuid, 0));
}
static int try_exec_memory(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : 0;
}
static int try_make_executable(void)
{
    static uint8_t page[8192] __attribute__((aligned(4096)));

    return result(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}
static int try_dumpable(void)
{
    return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}
static int try_push_input(void)
{
    return result(ioctl(0, TIOCSTI, "x"));
}
static int try_keyctl(void)
{
    return result(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, 0, 0));
}
static int try_bpf(void)
{
    return result(syscall(SYS_bpf, 0, NULL, 0));
}
static int try_io_uring(void)
{
    return result(syscall(SYS_io_uring_setup, 1, NULL));
}
static int try_userfaultfd(void)
{
    return result(syscall(SYS_userfaultfd, 0));
}
static int try_other_memory(void)
{
    return result(syscall(SYS_process_vm_readv, getppid(), 0, 0, 0, 0, 0));
}
static int try_handle(void)
{
    return result(syscall(SYS_open_by_handle_at, 0, NULL, 0));
}
static int try_raise_limit(void)
{
    struct rlimit l = {1024, 1024};

    return result(prlimit(0, RLIMIT_NOFILE, &l, NULL));
}
static int try_set_owner(void)
{
    return result(fcntl(0, F_SETOWN, getppid()));
}
static int try_getdents(void)
{
    uint8_t buf[512];

    return result(syscall(SYS_getdents64, 0, buf, sizeof(buf)));
}
static int try_symlink(void)
{
    return result(symlink("/etc", "x"));
}
static int try_mknod(void)
{
    return result(mknod("x", S_IFCHR | 0600, 0));
}
static int try_chmod(void)
{
    return result(chmod("x", 0777));
}
static int try_abort(void)
{
    abort();
}
static int receive_on(int fd)
{
    struct msghdr m = {.msg_iov = NULL};

    return recvmsg(fd, &m, MSG_DONTWAIT) < 0 ? errno : 0;
}

static int try_recv_order(void)
{
    return receive_on(SANDBOX_PARSER_ORDER); /* no socket in this test */
}

static int try_recv_else(void)
{
    return receive_on(SANDBOX_PARSER_ORDER + 1);
}

static int try_sendmsg(void)
{
    struct msghdr m = {0};
    ssize_t n = sendmsg(0, &m, 0);

    return n < 0 && errno == ENOTSOCK ? 0 : result(n);
}

#define DIES     (-SIGSYS)
#define FILES    SANDBOX_FILES
#define NET      SANDBOX_NET
#define FORK     SANDBOX_FORK
#define PAIR     SANDBOX_SOCKPAIR
#define ALL      (FILES | NET | FORK | PAIR | SANDBOX_DEVICE)
#define PARSER   (1u << 20)
#define NOT_ASAN (1u << 21) /* a sanitizer needs the call itself */

static const struct attempt {
    const char *what;
    unsigned groups;
    int (*attempt)(void);
    int want; /* errno, 0, or -SIGNAL */
} attempts[] = {
        {"write to stderr", 0, try_write, 0},
        {"anonymous memory", 0, try_memory, 0},
        {"epoll", 0, try_epoll, 0},
        {"timer", 0, try_timer, 0},
        {"sealed memfd", 0, try_seal, 0},
        {"sendmsg", 0, try_sendmsg, 0},
        {"abort is an abort", 0, try_abort, -SIGABRT},
        {"libraries may ask for files", 0, try_open, EACCES},
        {"and for their state", 0, try_stat, EACCES},

        {"fork", 0, try_fork, DIES},
        {"exec", 0, try_exec, DIES},
        {"TCP socket", 0, try_tcp, DIES},
        {"unix socket", 0, try_unix, DIES},
        {"socket pair", 0, try_socketpair, DIES},
        {"connect", 0, try_connect, DIES},
        {"list a folder", 0, try_getdents, DIES},

        {"exec, with every group", ALL, try_exec, DIES},
        {"execveat", ALL, try_execveat, DIES},
        {"bind", ALL, try_bind, DIES},
        {"listen", ALL, try_listen, DIES},
        {"ptrace the parent", ALL, try_ptrace, DIES},
        {"read the parent's memory", ALL, try_other_memory, DIES},
        {"mount", ALL, try_mount, DIES},
        {"unshare", ALL, try_unshare, DIES},
        {"chroot", ALL, try_chroot, DIES},
        {"setuid 0", ALL, try_setuid, DIES},
        {"executable memory", ALL | NOT_ASAN, try_exec_memory, DIES},
        {"make memory executable", ALL | NOT_ASAN, try_make_executable, DIES},
        {"become dumpable", ALL | NOT_ASAN, try_dumpable, DIES},
        {"type into the terminal", ALL, try_push_input, DIES},
        {"kernel keyring", ALL, try_keyctl, DIES},
        {"bpf", ALL, try_bpf, DIES},
        {"io_uring", ALL, try_io_uring, DIES},
        {"userfaultfd", ALL, try_userfaultfd, DIES},
        {"open by handle", ALL, try_handle, DIES},
        {"signal by descriptor", ALL, try_set_owner, DIES},
        {"thread or vfork", ALL, try_thread, DIES},
        {"child in a new user namespace", ALL, try_clone_newuser, DIES},
        {"symbolic link", ALL, try_symlink, DIES},
        {"device node", ALL, try_mknod, DIES},
        {"chmod by path", ALL, try_chmod, DIES},
        {"UDP socket", ALL, try_udp, DIES},
        {"raw socket", ALL, try_raw, DIES},
        {"netlink socket", ALL, try_netlink, DIES},
        {"unix socket by itself", ALL, try_unix, DIES},

        {"netd: TCP socket", NET, try_tcp, 0},
        {"netd: TCP over IPv6", NET, try_tcp6, 0},
        {"netd: fork", NET, try_fork, DIES},
        {"netd: signal", NET, try_kill, DIES},
        {"netd: open", NET, try_open, EACCES},
        {"keyd: fork", FORK, try_fork, 0},
        {"keyd: TCP", FORK | FILES, try_tcp, DIES},
        {"keyd: raise a limit", FORK, try_raise_limit, EPERM},
        {"logd: TCP", FILES, try_tcp, DIES},
        {"logd: fork", FILES, try_fork, DIES},
        {"logd: raise a limit", FILES, try_raise_limit, DIES},
        {"calld: socket pair", PAIR, try_socketpair, 0},
        {"calld: open", PAIR, try_open, EACCES},

        {"parser: memory", PARSER | FORK, try_memory, 0},
        {"parser: write", PARSER | FORK, try_write, 0},
        {"parser: fork", PARSER | FORK, try_fork, DIES},
        {"parser: sendmsg", PARSER | FORK, try_sendmsg, DIES},
        {"parser: receive its order", PARSER | FORK, try_recv_order, ENOTSOCK},
        {"parser: receive elsewhere", PARSER | FORK, try_recv_else, DIES},
        {"parser: TCP", PARSER | FORK | NET, try_tcp, DIES},
        {"parser: signal", PARSER | FORK, try_kill, DIES},
        {"parser: memfd", PARSER | FORK, try_seal, DIES},
        {"parser: open", PARSER | FORK | FILES, try_open, EACCES},
};

static int run_attempt(const struct attempt *a)
{
    const struct sandbox_spec spec = {
            .name = "test", .groups = a->groups & ALL, .max_fds = 32};
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        sandbox_enter(&spec, role_uid(), NULL, 0);
        if (a->groups & PARSER)
            sandbox_enter_parser();
        _exit(a->attempt());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_attempts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        const struct attempt *a = &attempts[i];
        int got;

        if (IN_SANITIZER && (a->groups & NOT_ASAN))
            continue;
        got = run_attempt(a);
        if (got != a->want)
            fail_msg("%s: got %d (%s), want %d", a->what, got,
                    got > 0 ? strerror(got) : strsignal(-got), a->want);
    }
}

/* ---- the process as others see it ------------------------------------ */

static void read_status(pid_t pid, char *ret, size_t size)
{
    char path[64];
    FILE *f;
    size_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
    f = fopen(path, "r");
    assert_non_null(f);
    n = fread(ret, 1, size - 1, f);
    ret[n] = '\0';
    (void)fclose(f);
}

static void assert_status(const char *status, const char *line)
{
    if (!strstr(status, line))
        fail_msg("no '%s' in\n%s", line, status);
}

static void test_privileges_are_gone(void **state)
{
    const struct sandbox_spec spec = {.name = "test", .max_fds = 32};
    int ready[2], go[2];
    char status[8192], c, uid[64];
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid = fork();
    if (pid == 0) {
        const int keep[] = {ready[1], go[0]};

        sandbox_enter(&spec, role_uid(), keep, 2);
        if (write(ready[1], "r", 1) == 1 && read(go[0], &c, 1) == 1)
            _exit(0);
        _exit(1);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    read_status(pid, status, sizeof(status));
    assert_status(status, "CapInh:\t0000000000000000");
    assert_status(status, "CapPrm:\t0000000000000000");
    assert_status(status, "CapEff:\t0000000000000000");
    assert_status(status, "CapBnd:\t0000000000000000");
    assert_status(status, "CapAmb:\t0000000000000000");
    assert_status(status, "NoNewPrivs:\t1");
    assert_status(status, "Seccomp:\t2");
    if (geteuid() == 0) {
        (void)snprintf(uid, sizeof(uid), "Uid:\t%d\t%d\t%d\t%d", TEST_UID,
                TEST_UID, TEST_UID, TEST_UID);
        assert_status(status, uid);
        (void)snprintf(uid, sizeof(uid), "Gid:\t%d\t%d\t%d\t%d", TEST_UID,
                TEST_UID, TEST_UID, TEST_UID);
        assert_status(status, uid);
        assert_status(status, "Groups:\t \n");
    }
    assert_int_equal(write(go[1], "g", 1), 1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (size_t i = 0; i < 2; i++) {
        (void)close(ready[i]);
        (void)close(go[i]);
    }
}

static void test_dies_with_its_parent(void **state)
{
    const struct sandbox_spec spec = {
            .name = "test", .groups = SANDBOX_FORK, .max_fds = 32};
    int alive[2];
    char c;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(alive), 0);
    pid = fork();
    if (pid == 0) { /* the parent that is killed */
        pid = fork();
        if (pid == 0) {
            sandbox_enter(&spec, role_uid(), &alive[1], 1);
            if (write(alive[1], "r", 1) != 1)
                _exit(1);
            for (;;)
                (void)nanosleep(&(struct timespec){.tv_sec = 60}, NULL);
        }
        for (;;)
            (void)pause();
    }
    (void)close(alive[1]);
    assert_int_equal(read(alive[0], &c, 1), 1);
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    /* The end of the pipe: nobody holds the other side any more. */
    assert_int_equal(read(alive[0], &c, 1), 0);
    (void)close(alive[0]);
}

/* Runs check in a sandbox; it returns the line of what failed, or 0. */
static int in_child(const struct sandbox_spec *spec, int keep,
        int (*check)(const struct sandbox_spec *spec, int keep))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        sandbox_enter(spec, role_uid(), &keep, 1);
        _exit(check(spec, keep));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status))
        fail_msg("killed by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static int other_fd;

static int check_descriptors(const struct sandbox_spec *spec, int keep)
{
    (void)spec;
    if (fcntl(keep, F_GETFD) < 0)
        return 1;
    return fcntl(other_fd, F_GETFD) < 0 && errno == EBADF ? 0 : 2;
}

static void test_other_descriptors_are_closed(void **state)
{
    const struct sandbox_spec spec = {.name = "test", .max_fds = 512};
    int keep = open("/dev/null", O_RDONLY);
    int numbers[] = {keep + 1, 200};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        other_fd = numbers[i];
        assert_int_equal(dup2(keep, other_fd), other_fd);
        assert_int_equal(in_child(&spec, keep, check_descriptors), 0);
        (void)close(other_fd);
    }
    (void)close(keep);
}

static int check_limit(const struct sandbox_spec *spec, int keep)
{
    int n = 0;

    while (fcntl(keep, F_DUPFD_CLOEXEC, 3) >= 0)
        n++;
    return errno == EMFILE && n < (int)spec->max_fds ? 0 : 1;
}

static void test_descriptors_are_bounded(void **state)
{
    const struct sandbox_spec spec = {.name = "test", .max_fds = 16};
    int keep = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(in_child(&spec, keep, check_limit), 0);
    (void)close(keep);
}

static int check_forks(const struct sandbox_spec *spec, int keep)
{
    pid_t pid = 0;

    (void)spec;
    (void)keep;
    for (int n = 0; n < 1000; n++) {
        pid = fork();
        if (pid == 0) {
            for (;;)
                (void)nanosleep(&(struct timespec){.tv_sec = 60}, NULL);
        }
        if (pid < 0)
            break;
    }
    return pid < 0 && errno == EAGAIN ? 0 : 1;
}

static void test_forks_are_bounded(void **state)
{
    const struct sandbox_spec spec = {
            .name = "test", .groups = SANDBOX_FORK, .max_fds = 32};
    int status;
    pid_t pid;

    (void)state;
    if (geteuid() != 0) /* the limit counts a person's other processes */
        skip();
    pid = fork();
    if (pid == 0) {
        const int none = STDIN_FILENO;

        (void)setpgid(0, 0);
        sandbox_enter(&spec, role_uid(), &none, 1);
        _exit(check_forks(&spec, none));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)kill(-pid, SIGKILL);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- files ----------------------------------------------------------- */

static int folder_checks(int dir)
{
    int fd = openat(dir, "new", O_RDWR | O_CREAT, 0600);

    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) < 0)
        return __LINE__ & 0xff;
    if (renameat(dir, "new", dir, "newer") < 0 ||
            mkdirat(dir, "sub", 0700) < 0 ||
            unlinkat(dir, "sub", AT_REMOVEDIR) < 0 ||
            unlinkat(dir, "newer", 0) < 0)
        return __LINE__ & 0xff;
    return 0;
}

static int check_root_is_empty(const struct sandbox_spec *spec, int keep)
{
    uint8_t buf[4096];
    long n, at = 0;
    unsigned names = 0;
    int fd = open("/", O_RDONLY | O_DIRECTORY);

    (void)spec;
    (void)keep;
    if (fd < 0)
        return 1;
    n = syscall(SYS_getdents64, fd, buf, sizeof(buf));
    while (at < n) { /* struct linux_dirent64: d_reclen at 16 */
        uint16_t len;

        memcpy(&len, buf + at + 16, sizeof(len));
        at += len;
        names++;
    }
    if (names != 2) /* . and .. */
        return 2;
    return open("/x", O_CREAT | O_WRONLY, 0600) < 0 ? 0 : 3;
}

static int check_folder(const struct sandbox_spec *spec, int keep)
{
    int rc;

    sandbox_seal_files(spec, &keep, 1);
    rc = folder_checks(keep);
    if (rc != 0)
        return rc;
    if (sandbox_landlock_abi() == 0)
        return 0;
    /* Out of the folder by its parent, by a link, by the root. */
    if (openat(keep, "../out", O_RDONLY) >= 0 || errno != EACCES)
        return __LINE__ & 0xff;
    if (openat(keep, "link", O_RDONLY) >= 0)
        return __LINE__ & 0xff;
    if (openat(keep, "../..", O_RDONLY | O_DIRECTORY) >= 0)
        return __LINE__ & 0xff;
    if (renameat(keep, "in", keep, "../in") == 0)
        return __LINE__ & 0xff;
    return openat(keep, "in", O_RDONLY) >= 0 ? 0 : __LINE__ & 0xff;
}

static void make_file(const char *dir, const char *name)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_CREAT | O_WRONLY, 0644);
    assert_true(fd >= 0);
    (void)close(fd);
    if (geteuid() == 0)
        assert_int_equal(chown(path, TEST_UID, TEST_UID), 0);
}

static void test_files_beneath_the_folder_alone(void **state)
{
    const struct sandbox_spec spec = {
            .name = "test", .groups = SANDBOX_FILES, .max_fds = 32};
    char top[] = "/tmp/qair-sandbox-XXXXXX", path[256], rm[300];
    int dir;

    (void)state;
    assert_non_null(mkdtemp(top));
    assert_int_equal(chmod(top, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/folder", top);
    assert_int_equal(mkdir(path, 0700), 0);
    make_file(top, "out");
    make_file(path, "in");
    dir = open(path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(symlinkat("../out", dir, "link"), 0);
    if (geteuid() == 0)
        assert_int_equal(fchown(dir, TEST_UID, TEST_UID), 0);
    assert_int_equal(in_child(&spec, dir, check_root_is_empty), 0);
    assert_int_equal(in_child(&spec, dir, check_folder), 0);
    (void)close(dir);
    (void)snprintf(rm, sizeof(rm), "rm -rf %s", top);
    assert_int_equal(system(rm), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_attempts),
            cmocka_unit_test(test_privileges_are_gone),
            cmocka_unit_test(test_dies_with_its_parent),
            cmocka_unit_test(test_other_descriptors_are_closed),
            cmocka_unit_test(test_descriptors_are_bounded),
            cmocka_unit_test(test_forks_are_bounded),
            cmocka_unit_test(test_files_beneath_the_folder_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
