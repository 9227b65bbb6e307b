/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const isolate_program_names[ISOLATE_PROGRAMS_COUNT] = {
        "qair-agent", "qrexec-client-vm", "qair-sign"};

/* ---- the host's side ------------------------------------------------- */

static int resolve(const char *path, char ret[static PATH_MAX], struct err *err)
{
    if (!realpath(path, ret))
        return err_errno(err, "%s", path);
    return 0;
}

static int resolve_programs(struct isolate_plan *plan, struct err *err)
{
    for (size_t i = 0; i < ISOLATE_PROGRAMS_COUNT; i++) {
        char path[PATH_MAX];
        int n = snprintf(path, sizeof(path), "%s/%s", plan->p->programs,
                isolate_program_names[i]);

        plan->programs[i][0] = '\0';
        if (n < 0 || (size_t)n >= sizeof(path))
            return err_set(err, ERR_LIMIT, "path of programs is too long");
        if (i >= ISOLATE_PROGRAMS_NEEDED && access(path, F_OK) < 0)
            continue;
        if (resolve(path, plan->programs[i], err))
            return err_prefix(err, ERR_IO, "program for qubes");
    }
    return 0;
}

/* The home of a qube is its user's alone. */
static int make_home(struct isolate_plan *plan, struct err *err)
{
    const struct isolate_params *p = plan->p;

    if (mkdir(p->home, 0700) < 0 && errno != EEXIST)
        return err_errno(err, "%s", p->home);
    if (p->uid && lchown(p->home, p->uid, p->gid) < 0)
        return err_errno(err, "%s", p->home);
    return resolve(p->home, plan->home, err);
}

static int resolve_all(struct isolate_plan *plan, struct err *err)
{
    int r = plan->p->programs ? resolve_programs(plan, err) : 0;

    if (r == 0 && plan->p->services)
        r = resolve(plan->p->services, plan->services, err);
    if (r == 0 && plan->p->home)
        r = make_home(plan, err);
    return r;
}

/* ---- bubblewrap's command line --------------------------------------- */

static void arg(struct isolate_plan *plan, const char *text)
{
    /* One place less for the NULL; isolate_start checks n_args. */
    if (plan->n_args < ISOLATE_ARGS_MAX - 1) {
        plan->args[plan->n_args] = strdup(text);
        if (!plan->args[plan->n_args])
            plan->error = ERR_MEMORY;
        plan->n_args++;
    } else {
        plan->error = ERR_LIMIT;
    }
}

static void args(struct isolate_plan *plan, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        arg(plan, texts[i]);
}
#define ARGS(plan, ...)                                                        \
    args((plan), (const char *const[]){__VA_ARGS__},                           \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static int add_file(struct isolate_plan *plan, const char *path, unsigned mode,
        struct span bytes, struct err *err)
{
    char number[16];
    char perms[16];
    int fd = memfd_create("qube-file", MFD_CLOEXEC);

    if (fd < 0 || plan->n_data == ARRAY_LEN(plan->data)) {
        if (fd >= 0)
            (void)close(fd);
        return err_set(err, ERR_LIMIT, "too many files for a qube");
    }
    plan->data[plan->n_data] = fd;
    if (buf_write_all(fd, bytes, err) || lseek(fd, 0, SEEK_SET) != 0)
        return err_errno(err, "file for a qube");
    (void)snprintf(perms, sizeof(perms), "%04o", mode & 0777);
    (void)snprintf(
            number, sizeof(number), "%zu", ISOLATE_FIXED_FDS + plan->n_data);
    plan->n_data++;
    ARGS(plan, "--perms", perms, "--ro-bind-data", number, path);
    return 0;
}

static int add_text(struct isolate_plan *plan, const char *path,
        struct err *err, const char *fmt, ...) PRINTF_LIKE(4, 5);

static int add_text(struct isolate_plan *plan, const char *path,
        struct err *err, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(text))
        return err_set(err, ERR_LIMIT, "%s is too long", path);
    return add_file(plan, path, 0644, SPAN(text, (size_t)n), err);
}

/* Files in memory are the host's memory: a bound each. */
#define SCRATCH_SIZE "268435456"  /* 256 MiB */
#define HOME_SIZE    "1073741824" /* 1 GiB */

static void add_system(struct isolate_plan *plan)
{
    ARGS(plan, "bwrap", "--unshare-all", "--uid", "1000", "--gid", "1000",
            "--hostname", plan->p->name, "--die-with-parent", "--new-session",
            "--cap-drop", "ALL", "--ro-bind", "/usr", "/usr", "--symlink",
            "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin", "--symlink",
            "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc",
            "/proc", "--dev", "/dev", "--size", SCRATCH_SIZE, "--tmpfs", "/tmp",
            "--perms", "0755", "--size", SCRATCH_SIZE, "--tmpfs", "/run",
            "--perms", "0755", "--size", SCRATCH_SIZE, "--tmpfs", "/var",
            "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache",
            "--ro-bind-try", "/etc/alternatives", "/etc/alternatives");
}

static void add_folders(struct isolate_plan *plan)
{
    bool staged = plan->p->uid != 0;

    for (size_t i = 0; i < ISOLATE_PROGRAMS_COUNT; i++) {
        char from[PATH_MAX];
        char to[PATH_MAX];

        if (!plan->programs[i][0])
            continue;
        (void)snprintf(from, sizeof(from), "%s/%s", ISOLATE_STAGE,
                isolate_program_names[i]);
        (void)snprintf(to, sizeof(to), "%s/%s", ISOLATE_PROGRAMS,
                isolate_program_names[i]);
        ARGS(plan, "--ro-bind", staged ? from : plan->programs[i], to);
    }
    if (plan->services[0])
        ARGS(plan, "--ro-bind",
                staged ? ISOLATE_STAGE "/services" : plan->services,
                ISOLATE_SERVICES);
    else
        ARGS(plan, "--dir", ISOLATE_SERVICES);
    if (plan->home[0])
        ARGS(plan, "--bind", staged ? ISOLATE_STAGE "/home" : plan->home,
                ISOLATE_HOME);
    else
        ARGS(plan, "--perms", "0700", "--size", HOME_SIZE, "--tmpfs",
                ISOLATE_HOME);
}

static int add_etc(struct isolate_plan *plan, struct err *err)
{
    const char *name = plan->p->name;
    int r = add_text(plan, "/etc/passwd", err,
            "root:x:0:0:root:/root:/usr/sbin/nologin\n" ISOLATE_USER
            ":x:1000:1000:" ISOLATE_USER ":" ISOLATE_HOME ":/bin/sh\n");

    if (r == 0)
        r = add_text(plan, "/etc/group", err,
                "root:x:0:\n" ISOLATE_USER ":x:1000:\n");
    if (r == 0)
        r = add_text(plan, "/etc/hostname", err, "%s\n", name);
    if (r == 0)
        r = add_text(plan, "/etc/hosts", err, "127.0.0.1 localhost %s\n", name);
    if (r == 0)
        r = add_text(plan, "/etc/nsswitch.conf", err,
                "passwd: files\ngroup: files\nhosts: files\n");
    for (size_t i = 0; r == 0 && i < plan->p->n_files; i++)
        r = add_file(plan, plan->p->files[i].path, plan->p->files[i].mode,
                plan->p->files[i].bytes, err);
    return r;
}

static int add_all(
        struct isolate_plan *plan, const char *command, struct err *err)
{
    int r;

    add_system(plan);
    add_folders(plan);
    r = add_etc(plan, err);
    if (r)
        return r;
    ARGS(plan, "--remount-ro", "/", "--clearenv", "--setenv", "PATH",
            ISOLATE_PROGRAMS ":/usr/local/bin:/usr/bin:/bin", "--setenv",
            "HOME", ISOLATE_HOME, "--setenv", "USER", ISOLATE_USER, "--setenv",
            "LOGNAME", ISOLATE_USER, "--setenv", "SHELL", "/bin/sh", "--setenv",
            "LANG", "C.UTF-8", "--chdir", ISOLATE_HOME, "--");
    arg(plan, command);
    return plan->error ? err_set(err, plan->error, "too many arguments") : 0;
}

/* ---- start ----------------------------------------------------------- */

static void plan_free(struct isolate_plan *plan)
{
    for (size_t i = 0; i < plan->n_args; i++)
        free(plan->args[i]);
    for (size_t i = 0; i < plan->n_data; i++)
        (void)close(plan->data[i]);
    free(plan);
}

static int launch(const struct isolate_params *p, int agent_fd, int err_fd,
        const char *command, pid_t *ret_pid, struct err *err)
{
    struct isolate_plan *plan = calloc(1, sizeof(*plan));
    pid_t pid;
    int r;

    if (!plan)
        return err_set(err, ERR_MEMORY, "no memory for a qube");
    plan->p = p;
    plan->agent_fd = agent_fd;
    plan->err_fd = err_fd;
    plan->parent = getpid();
    r = resolve_all(plan, err);
    if (r == 0)
        r = add_all(plan, command, err);
    if (r == 0) {
        pid = fork();
        if (pid == 0)
            isolate_child(plan);
        if (pid < 0)
            r = err_errno(err, "fork");
        else
            *ret_pid = pid;
    }
    plan_free(plan);
    return r ? err_prefix(err, r, "qube %s", p->name) : 0;
}

int isolate_start(const struct isolate_params *p, int agent_fd, pid_t *ret_pid,
        struct err *err)
{
    int r;

    if (!text_is_name(span_str(p->name), LIMIT_NAME_MAX) || !p->programs)
        r = err_set(err, ERR_USAGE, "a qube needs a name and programs");
    else if (access(ISOLATE_BWRAP, X_OK) < 0)
        r = err_set(err, ERR_NOT_FOUND,
                "qubes need bubblewrap: apt-get install bubblewrap");
    else
        r = launch(
                p, agent_fd, -1, ISOLATE_PROGRAMS "/qair-agent", ret_pid, err);
    (void)close(agent_fd);
    return r;
}

/* Why an empty qube did not start, as far as the machine can tell. */
static int explain(const char *said, struct err *err)
{
    static const struct {
        const char *path;
        char bad;
        const char *hint;
    } switches[] = {
            {"/proc/sys/kernel/unprivileged_userns_clone", '0',
                    "sysctl kernel.unprivileged_userns_clone=1"},
            {"/proc/sys/user/max_user_namespaces", '0',
                    "sysctl user.max_user_namespaces=10000"},
            {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1',
                    "sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
    };

    for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
        int fd = open(switches[i].path, O_RDONLY | O_CLOEXEC);
        char c = 0;
        ssize_t n = fd < 0 ? 0 : read(fd, &c, 1);

        if (fd >= 0)
            (void)close(fd);
        if (n == 1 && c == switches[i].bad)
            return err_set(err, ERR_UNSUPPORTED,
                    "this machine forbids user namespaces, which qubes need: "
                    "%s",
                    switches[i].hint);
    }
    return err_set(err, ERR_UNSUPPORTED,
            "no qube can start here (%s); in a container, allow user "
            "namespaces and mounts",
            *said ? said : "bwrap said nothing");
}

/* The first line that the probe wrote, and then its end. */
static void read_line(int fd, char *ret, size_t cap)
{
    char text[ERR_MSG_MAX];
    const char *end;
    size_t len = 0;
    ssize_t n;

    while (len < sizeof(text) &&
            (n = read(fd, text + len, sizeof(text) - len)) > 0)
        len += (size_t)n;
    end = len ? memchr(text, '\n', len) : NULL;
    text_format_safe(SPAN(text, end ? (size_t)(end - text) : len), ret, cap);
}

int isolate_check(uid_t uid, gid_t gid, struct err *err)
{
    const struct isolate_params p = {.name = "probe", .uid = uid, .gid = gid};
    char said[96];
    int status = 0;
    int fds[2];
    pid_t pid;
    int r;

    if (access(ISOLATE_BWRAP, X_OK) < 0)
        return err_set(err, ERR_NOT_FOUND,
                "qubes need bubblewrap: apt-get install bubblewrap");
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, "pipe");
    r = launch(&p, -1, fds[1], "/usr/bin/true", &pid, err);
    (void)close(fds[1]);
    if (r == 0) {
        read_line(fds[0], said, sizeof(said));
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    (void)close(fds[0]);
    if (r)
        return r;
    return status == 0 ? 0 : explain(said, err);
}
