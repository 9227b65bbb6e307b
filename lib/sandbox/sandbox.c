/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_private.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_FDS_DEFAULT  64
#define MAX_FILE_DEFAULT (1ull << 30)
/* Of one uid, which zones on one machine may share. */
#define MAX_PROCESSES 256

void sandbox_warn(const struct sandbox_spec *spec, const char *what)
{
    (void)dprintf(STDERR_FILENO, "qair-%s: sandbox: %s: %s; going on without\n",
            spec->name, what, strerror(errno));
}

void sandbox_die(const struct sandbox_spec *spec, const char *what)
{
    (void)dprintf(STDERR_FILENO, "qair-%s: sandbox: %s: %s\n", spec->name, what,
            strerror(errno));
    _exit(1);
}

static int by_number(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

#define KEEP_MAX 8

static void close_others(
        const struct sandbox_spec *spec, const int *keep, size_t n)
{
    int sorted[KEEP_MAX];
    unsigned from = STDERR_FILENO + 1;

    if (n > KEEP_MAX) {
        errno = E2BIG;
        sandbox_die(spec, "descriptors to keep");
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = keep[i];
    qsort(sorted, n, sizeof(sorted[0]), by_number);
    for (size_t i = 0; i < n; i++) {
        unsigned fd = (unsigned)sorted[i];

        if (fd > from && close_range(from, fd - 1, 0) < 0)
            sandbox_die(spec, "close descriptors");
        if (fd >= from)
            from = fd + 1;
    }
    if (close_range(from, ~0u, 0) < 0)
        sandbox_die(spec, "close descriptors");
}

static void limit(
        const struct sandbox_spec *spec, __rlimit_resource_t what, rlim_t value)
{
    struct rlimit l;

    if (getrlimit(what, &l) < 0)
        sandbox_die(spec, "getrlimit");
    /* Only downwards: containers may have set a lower hard limit. */
    if (l.rlim_max == RLIM_INFINITY || l.rlim_max > value)
        l.rlim_max = value;
    l.rlim_cur = l.rlim_max;
    if (setrlimit(what, &l) < 0)
        sandbox_die(spec, "setrlimit");
}

static void set_limits(const struct sandbox_spec *spec)
{
    limit(spec, RLIMIT_NOFILE, spec->max_fds ? spec->max_fds : MAX_FDS_DEFAULT);
    limit(spec, RLIMIT_FSIZE,
            spec->max_file ? spec->max_file : MAX_FILE_DEFAULT);
    limit(spec, RLIMIT_CORE, 0);
    if (spec->max_lock)
        limit(spec, RLIMIT_MEMLOCK, spec->max_lock);
    (void)signal(SIGXFSZ, SIG_IGN); /* EFBIG instead */
}

/* ---- namespaces and the empty root ----------------------------------- */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

    if (fd >= 0)
        (void)close(fd);
    return n == (ssize_t)strlen(text);
}

/* One's own ids and no others, so that files keep their owner. */
static bool map_self(uid_t uid, gid_t gid)
{
    char line[64];

    if (!write_file("/proc/self/setgroups", "deny"))
        return false;
    (void)snprintf(line, sizeof(line), "%u %u 1", gid, gid);
    if (!write_file("/proc/self/gid_map", line))
        return false;
    (void)snprintf(line, sizeof(line), "%u %u 1", uid, uid);
    return write_file("/proc/self/uid_map", line);
}

static bool enter_namespaces(const struct sandbox_spec *spec)
{
    int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (!(spec->groups & SANDBOX_NET))
        flags |= CLONE_NEWNET;
    if (uid == 0)
        return unshare(flags) == 0;
    return unshare(flags | CLONE_NEWUSER) == 0 && map_self(uid, gid);
}

/* An empty read-only tmpfs becomes the root, the old root goes away. */
static bool pivot_to_empty(void)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", "/tmp", "tmpfs", flags, "size=4k,nr_inodes=2") == 0 &&
           chdir("/tmp") == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
           umount2(".", MNT_DETACH) == 0 && chdir("/") == 0 &&
           mount(NULL, "/", NULL, flags | MS_REMOUNT | MS_BIND | MS_RDONLY,
                   NULL) == 0;
}

/* For root without namespaces: a removed folder is empty and stays so. */
static bool chroot_to_removed(void)
{
    char path[] = "/tmp/qair-empty-XXXXXX";
    int fd;
    bool ok;

    if (!mkdtemp(path))
        return false;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = rmdir(path) == 0 && fd >= 0 && fchdir(fd) == 0 && chroot(".") == 0;
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

static void empty_root(const struct sandbox_spec *spec)
{
    bool in_namespaces = enter_namespaces(spec);

    if (!in_namespaces)
        sandbox_warn(spec, "new namespaces");
    if (in_namespaces && pivot_to_empty())
        return;
    if (in_namespaces)
        sandbox_warn(spec, "pivot to an empty root");
    if (geteuid() == 0 && chroot_to_removed())
        return;
    sandbox_warn(spec, "empty root");
}

/* ---- identity and privileges ----------------------------------------- */

static void drop_bounding_set(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0;
            cap++)
        ;
}

static void become(const struct sandbox_spec *spec, uid_t uid)
{
    gid_t gid = (gid_t)uid;

    if (setgroups(0, NULL) < 0)
        sandbox_die(spec, "setgroups");
    if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        sandbox_die(spec, "change uid");
    if (setresuid(0, 0, 0) == 0) {
        errno = EPERM;
        sandbox_die(spec, "root came back");
    }
}

static void drop_capabilities(const struct sandbox_spec *spec)
{
    struct __user_cap_header_struct h = {
            .version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &h, none) < 0)
        sandbox_die(spec, "drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        sandbox_die(spec, "no_new_privs");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        sandbox_die(spec, "undumpable");
    /* After the change of uid, which clears it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        sandbox_die(spec, "die with the parent");
}

void sandbox_enter(const struct sandbox_spec *spec, uid_t uid, const int *keep,
        size_t n_keep)
{
    bool root = geteuid() == 0;

    close_others(spec, keep, n_keep);
    (void)umask(0027); /* logs are for the owner's group, if modes say so */
    empty_root(spec);
    drop_bounding_set();
    if (root && uid != 0)
        become(spec, uid);
    set_limits(spec);
    if (root && uid != 0 && (spec->groups & SANDBOX_FORK))
        limit(spec, RLIMIT_NPROC, MAX_PROCESSES);
    drop_capabilities(spec);
    if (!(spec->groups & SANDBOX_FILES))
        sandbox_landlock(spec, true, NULL, 0);
    sandbox_seccomp(spec);
}
