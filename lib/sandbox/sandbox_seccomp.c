/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls, group by group, each with its reason.  What is in no granted
 * group kills the process.  Arguments are filtered where a call does several
 * things of which one is meant.
 */
#include "sandbox_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE      (1u << 30) /* every role */
#define SANITIZER (1u << 29) /* builds with a sanitizer */
#define PARSER    (1u << 28) /* sandbox_enter_parser, and nothing else */
#define NO_FILES  (1u << 27) /* every role without SANDBOX_FILES */
#define BOTH      (BASE | PARSER)

#if defined(__SANITIZE_ADDRESS__)
#define IN_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IN_SANITIZER 1
#endif
#endif

struct rule {
    unsigned groups;
    int nr;
    int error; /* 0: allowed; else it answers this errno */
    uint8_t n_args;
    struct scmp_arg_cmp args[2];
};

#define CALL(groups, name)                                                     \
    {                                                                          \
        (groups), SCMP_SYS(name), 0, 0,                                        \
        {                                                                      \
            {                                                                  \
                0                                                              \
            }                                                                  \
        }                                                                      \
    }
#define FAIL(groups, name, err)                                                \
    {                                                                          \
        (groups), SCMP_SYS(name), (err), 0,                                    \
        {                                                                      \
            {                                                                  \
                0                                                              \
            }                                                                  \
        }                                                                      \
    }
/* Argument number a equals v, or has the bits of v beneath mask. */
#define CALL_EQ(groups, name, a, v)                                            \
    {                                                                          \
        (groups), SCMP_SYS(name), 0, 1,                                        \
        {                                                                      \
            {                                                                  \
                (a), SCMP_CMP_EQ, (v), 0                                       \
            }                                                                  \
        }                                                                      \
    }
#define CALL_MASK(groups, name, a, mask, v)                                    \
    {                                                                          \
        (groups), SCMP_SYS(name), 0, 1,                                        \
        {                                                                      \
            {                                                                  \
                (a), SCMP_CMP_MASKED_EQ, (mask), (v)                           \
            }                                                                  \
        }                                                                      \
    }
#define FAIL_MASK(groups, name, err, a, mask, v)                               \
    {                                                                          \
        (groups), SCMP_SYS(name), (err), 1,                                    \
        {                                                                      \
            {                                                                  \
                (a), SCMP_CMP_MASKED_EQ, (mask), (v)                           \
            }                                                                  \
        }                                                                      \
    }
#define CALL_EQ2(groups, name, a, v, b, mask, w)                               \
    {                                                                          \
        (groups), SCMP_SYS(name), 0, 2,                                        \
        {                                                                      \
            {(a), SCMP_CMP_EQ, (v), 0},                                        \
            {                                                                  \
                (b), SCMP_CMP_MASKED_EQ, (mask), (w)                           \
            }                                                                  \
        }                                                                      \
    }

#define NEW_NAMESPACES                                                         \
    ((unsigned)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |  \
                CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET))
#define SOCK_KIND 0xfu /* the type beneath SOCK_CLOEXEC and SOCK_NONBLOCK */

static const struct rule rules[] = {
        /* Bytes through descriptors it was given. */
        CALL(BOTH, read),
        CALL(BOTH, write),
        CALL(BOTH, readv),
        CALL(BOTH, writev),
        CALL(BOTH, pread64),
        CALL(BOTH, lseek),
        CALL(BOTH, close),
        CALL(BOTH, fstat),
        /* glibc's fstat; other uses are paths. */
        CALL_MASK(BOTH, newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH),
        /* Where a parser that waits hears what to parse. */
        CALL_EQ(PARSER, recvmsg, 0, SANDBOX_PARSER_ORDER),
        CALL(BASE, dup),
        CALL(BASE, ftruncate),
        CALL(BASE, poll),
        CALL(BASE, ppoll),

        /* Memory; never executable. */
        CALL(BOTH, brk),
        CALL_MASK(BOTH, mmap, 2, PROT_EXEC, 0),
        CALL_MASK(BOTH, mprotect, 2, PROT_EXEC, 0),
        CALL(BOTH, munmap),
        CALL(BOTH, mremap),
        CALL(BOTH, madvise),
        CALL(BOTH, mlock), /* secrets */
        CALL(BOTH, mlock2),
        CALL(BOTH, munlock),

        /* Clock, randomness, its own identity: what libc asks unasked. */
        CALL(BOTH, clock_gettime),
        CALL(BOTH, gettimeofday),
        CALL(BOTH, time),
        CALL(BOTH, getrandom),
        CALL(BOTH, getpid),
        CALL(BOTH, gettid),
        CALL(BASE, getppid),
        CALL(BASE, getuid),
        CALL(BASE, geteuid),
        CALL(BASE, getgid),
        CALL(BASE, getegid),
        CALL(BASE, clock_getres),
        CALL(BASE, clock_nanosleep),
        CALL(BASE, nanosleep),
        CALL(BASE, sysinfo),
        CALL(BASE, uname),
        CALL(BASE, sched_yield),
        CALL(BASE, sched_getaffinity),
        CALL(BASE, getrlimit),
        CALL_EQ(BASE, prlimit64, 2, 0), /* read, not set */

        /* Threads of libraries lock; there is one thread. */
        CALL(BOTH, futex),
        CALL(BASE, rseq),
        CALL(BASE, set_robust_list),
        CALL(BASE, get_robust_list),

        /* The end, and signals as the kernel and abort() need them. */
        CALL(BOTH, exit),
        CALL(BOTH, exit_group),
        CALL(BOTH, rt_sigreturn),
        CALL(BOTH, rt_sigprocmask),
        CALL(BASE, rt_sigaction),
        CALL(BASE, sigaltstack),
        CALL(BASE, restart_syscall),

        /* The event loop. */
        CALL(BASE, epoll_create1),
        CALL(BASE, epoll_ctl),
        CALL(BASE, epoll_wait),
        CALL(BASE, epoll_pwait),
        CALL(BASE, epoll_pwait2),
        CALL(BASE, timerfd_create),
        CALL(BASE, timerfd_settime),
        CALL(BASE, timerfd_gettime),
        CALL(BASE, signalfd4),
        CALL(BASE, eventfd2),

        /* Links: messages, descriptors, who is there.  Sockets come from
         * qaird or by a link; making one is another group. */
        CALL(BASE, sendmsg),
        CALL(BASE, recvmsg),
        CALL(BASE, sendto),
        CALL(BASE, recvfrom),
        CALL(BASE, shutdown),
        CALL(BASE, getsockopt),
        CALL(BASE, setsockopt),
        CALL(BASE, getsockname),
        CALL(BASE, getpeername),
        CALL(BASE, accept4),
        CALL_EQ(BASE, fcntl, 1, F_DUPFD_CLOEXEC),
        CALL_EQ(BASE, fcntl, 1, F_GETFD),
        CALL_EQ(BASE, fcntl, 1, F_SETFD),
        CALL_EQ(BASE, fcntl, 1, F_GETFL),
        CALL_EQ(BASE, fcntl, 1, F_SETFL),

        /* Sealed bytes: large answers. */
        CALL(BASE, memfd_create),
        CALL_EQ(BASE, fcntl, 1, F_ADD_SEALS),
        CALL_EQ(BASE, fcntl, 1, F_GET_SEALS),

        /* stdio asks whether stderr is a terminal. */
        CALL_EQ(BASE, ioctl, 1, TCGETS),
        CALL_EQ(BASE, ioctl, 1, FIONREAD),
        CALL_EQ(BASE, ioctl, 1, FIONBIO),

        /* Libraries look for files unasked (openssl.cnf, time zones, NSS):
         * there are none, and asking is no crime. */
        FAIL(NO_FILES | PARSER, open, EACCES),
        FAIL(NO_FILES | PARSER, openat, EACCES),
        FAIL(NO_FILES, access, EACCES),
        FAIL(NO_FILES, faccessat, EACCES),
        FAIL(NO_FILES, faccessat2, EACCES),
        FAIL_MASK(NO_FILES, newfstatat, EACCES, 3, AT_EMPTY_PATH, 0),
        FAIL(NO_FILES | PARSER, stat, EACCES),
        FAIL(NO_FILES, lstat, EACCES),
        FAIL(NO_FILES, statx, EACCES),
        FAIL(NO_FILES | PARSER, readlink, EACCES),
        FAIL(NO_FILES, readlinkat, EACCES),
        FAIL(NO_FILES, getcwd, EACCES),
        FAIL(NO_FILES, statfs, EACCES),

        /* SANDBOX_FILES: a store beneath the folders that were handed over;
         * landlock holds it there. */
        CALL(SANDBOX_FILES, open),
        CALL(SANDBOX_FILES, openat),
        CALL(SANDBOX_FILES, stat),
        CALL(SANDBOX_FILES, lstat),
        CALL(SANDBOX_FILES, newfstatat),
        CALL(SANDBOX_FILES, statx),
        CALL(SANDBOX_FILES, access),
        CALL(SANDBOX_FILES, faccessat),
        CALL(SANDBOX_FILES, faccessat2),
        CALL(SANDBOX_FILES, readlink),
        CALL(SANDBOX_FILES, readlinkat),
        CALL(SANDBOX_FILES, fstatfs),
        CALL(SANDBOX_FILES, statfs),
        CALL(SANDBOX_FILES, getdents64),
        CALL(SANDBOX_FILES, getcwd),
        CALL(SANDBOX_FILES, fchdir), /* SQLite opens by relative path */
        CALL(SANDBOX_FILES, pwrite64),
        CALL(SANDBOX_FILES, pwritev),
        CALL(SANDBOX_FILES, preadv),
        CALL(SANDBOX_FILES, fsync),
        CALL(SANDBOX_FILES, fdatasync),
        CALL(SANDBOX_FILES, sync_file_range),
        CALL(SANDBOX_FILES, fallocate),
        CALL(SANDBOX_FILES, fadvise64),
        CALL(SANDBOX_FILES, flock),
        CALL(SANDBOX_FILES, fchmod),
        CALL(SANDBOX_FILES, fchown), /* SQLite: its journal as its database */
        CALL(SANDBOX_FILES, umask),
        CALL(SANDBOX_FILES, mkdir),
        CALL(SANDBOX_FILES, mkdirat),
        CALL(SANDBOX_FILES, unlink),
        CALL(SANDBOX_FILES, unlinkat),
        CALL(SANDBOX_FILES, rmdir),
        CALL(SANDBOX_FILES, rename),
        CALL(SANDBOX_FILES, renameat),
        CALL(SANDBOX_FILES, renameat2),
        CALL_EQ(SANDBOX_FILES, fcntl, 1, F_GETLK),
        CALL_EQ(SANDBOX_FILES, fcntl, 1, F_SETLK),
        CALL_EQ(SANDBOX_FILES, fcntl, 1, F_SETLKW),
        CALL_EQ(SANDBOX_FILES, fcntl, 1, F_OFD_SETLK),
        /* The second layer, once the folders are known. */
        CALL(SANDBOX_FILES, landlock_create_ruleset),
        CALL(SANDBOX_FILES, landlock_add_rule),
        CALL(SANDBOX_FILES, landlock_restrict_self),

        /* SANDBOX_NET: TCP to other zones.  Listening sockets come from
         * qaird, so there is no bind and no listen. */
        CALL_EQ2(SANDBOX_NET, socket, 0, AF_INET, 1, SOCK_KIND, SOCK_STREAM),
        CALL_EQ2(SANDBOX_NET, socket, 0, AF_INET6, 1, SOCK_KIND, SOCK_STREAM),
        CALL(SANDBOX_NET, connect),

        /* SANDBOX_SOCKPAIR: ends to hand to others. */
        CALL_EQ(SANDBOX_SOCKPAIR, socketpair, 0, AF_UNIX),
        CALL(SANDBOX_SOCKPAIR, pipe2),

        /* SANDBOX_FORK: a child for one parse, with less than its parent.
         * glibc tries clone3 for some uses; its flags cannot be read. */
        CALL_MASK(SANDBOX_FORK, clone, 0, NEW_NAMESPACES | CLONE_VM, 0),
        FAIL(SANDBOX_FORK, clone3, ENOSYS),
        CALL(SANDBOX_FORK, wait4),
        CALL(SANDBOX_FORK, waitid),
        CALL(SANDBOX_FORK, pidfd_open),
        CALL(SANDBOX_FORK, pidfd_send_signal),
        CALL(SANDBOX_FORK, kill), /* landlock scopes it where it can */
        CALL(SANDBOX_FORK, seccomp),
        CALL_EQ(SANDBOX_FORK, prctl, 0, PR_SET_PDEATHSIG),
        CALL_EQ(SANDBOX_FORK, prctl, 0, PR_SET_NO_NEW_PRIVS),
        CALL_EQ(SANDBOX_FORK, prctl, 0, PR_SET_SECCOMP),
        CALL_EQ(SANDBOX_FORK, prctl, 0, PR_GET_SECCOMP),
        CALL(SANDBOX_FORK, prlimit64), /* lower its own limits; no other's:
                                          other uid, and undumpable */
        CALL(SANDBOX_FORK, setrlimit),
        CALL(SANDBOX_FORK, close_range),
        CALL(SANDBOX_FORK, dup2),
        CALL(SANDBOX_FORK, dup3),

        /* SANDBOX_DEVICE: /dev/tpmrm0 speaks by read and write; drivers of
         * resource managers are probed by poll, which is in the base. */

        /* Sanitizers: their allocator and their reports.  Never in a build
         * that is installed. */
        CALL(SANITIZER, mmap),
        CALL(SANITIZER, mprotect),
        CALL(SANITIZER, mincore),
        CALL(SANITIZER, sigaltstack),
        CALL(SANITIZER, prctl),
        CALL(SANITIZER, rt_sigaction),
        CALL(SANITIZER, sched_yield),
        CALL(SANITIZER, sched_getaffinity),
        CALL(SANITIZER, getrlimit),
        CALL(SANITIZER, uname),
        CALL(SANITIZER, sysinfo),
        CALL(SANITIZER, getuid),
        CALL(SANITIZER, geteuid),
        CALL(SANITIZER, getppid),
};

static void add_rule(const struct sandbox_spec *spec, scmp_filter_ctx ctx,
        const struct rule *rule)
{
    uint32_t action = rule->error ? SCMP_ACT_ERRNO((uint16_t)rule->error)
                                  : SCMP_ACT_ALLOW;
    int rc = seccomp_rule_add_array(
            ctx, action, rule->nr, rule->n_args, rule->args);

    /* EEXIST: granted by two groups.  EDOM: not on this architecture. */
    if (rc < 0 && rc != -EEXIST && rc != -EDOM) {
        errno = -rc;
        sandbox_die(spec, "seccomp rule");
    }
}

static void load(const struct sandbox_spec *spec, unsigned granted)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    /* abort() and raise() signal the process itself. */
    const struct rule self =
            CALL_EQ(BASE, tgkill, 0, (scmp_datum_t)(uint32_t)getpid());
    int rc;

    if (!ctx)
        sandbox_die(spec, "seccomp");
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (rules[i].groups & granted)
            add_rule(spec, ctx, &rules[i]);
    }
    add_rule(spec, ctx, &self);
    rc = seccomp_load(ctx);
    seccomp_release(ctx);
    if (rc < 0) {
        errno = -rc;
        sandbox_die(spec, "seccomp");
    }
}

#ifdef IN_SANITIZER
#define ALWAYS SANITIZER
#else
#define ALWAYS 0u
#endif

void sandbox_seccomp(const struct sandbox_spec *spec)
{
    unsigned granted = spec->groups | BASE | ALWAYS;

    if (!(spec->groups & SANDBOX_FILES))
        granted |= NO_FILES;
    load(spec, granted);
}

void sandbox_enter_parser(void)
{
    static const struct sandbox_spec parser = {.name = "parser"};

    load(&parser, PARSER | ALWAYS);
}

#ifdef IN_SANITIZER
/* Leak checking stops the process with ptrace from a thread of its own, which
 * no sandbox here allows; unit tests check leaks. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif
