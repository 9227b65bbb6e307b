/* SPDX-License-Identifier: Apache-2.0 */
#include "qaird.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STOP_MAX_US 3000000 /* then children are killed */
#define PID_FILE    "qaird.pid"

void qaird_log(const struct qaird *q, const char *fmt, ...)
{
    char text[1024], safe[2048];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    text_format_safe(span_str(text), safe, sizeof(safe));
    (void)dprintf(STDERR_FILENO, "qaird(%s): %s\n",
            q->conf && *q->conf->name ? q->conf->name : q->dir, safe);
}

uint64_t qaird_now_ms(void)
{
    struct timespec t;

    if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- start and stop, step by step ------------------------------------ */

static void tell_ready(struct qaird *q)
{
    if (q->ready_fd < 0)
        return;
    if (write(q->ready_fd, "R", 1) != 1) {
        qaird_log(q, "whoever started the zone has gone: it ends");
        qaird_stop(q, 1);
    }
    (void)close(TAKE_FD(q->ready_fd));
}

static void step_start(struct qaird *q)
{
    bool all = true;

    if (!q->measured)
        return;
    if (q->roles[qaird_roles[0]].started_ms == 0) {
        for (size_t i = 0; qaird_roles[i] && !q->stopping; i++)
            qaird_role_start(q, qaird_roles[i]);
        return;
    }
    for (size_t i = 0; qaird_roles[i]; i++)
        all = all && q->roles[qaird_roles[i]].ready;
    if (all && !q->serving) {
        q->serving = true;
        qaird_status_write(q);
        qaird_log(q, "serving%s%s%s", *q->listen_text ? " on " : "",
                q->listen_text,
                q->conf->tpm == CONF_TPM_SWTPM ? "; TPM emulated" : "");
        tell_ready(q);
    } else {
        qaird_status_write(q);
    }
}

static void step_stop(struct qaird *q)
{
    bool any = q->qubes != NULL;

    for (size_t i = 0; i < MSG_ROLE_COUNT; i++)
        any = any || q->roles[i].pid > 0;
    if (any)
        return;
    /* Last, so that it can write what the roles did with it. */
    if (q->tpm_pid > 0)
        qaird_tpm_stop(q);
    else if (sd_event_exit(q->event, q->exit_code) < 0)
        _exit(q->exit_code);
}

void qaird_step(struct qaird *q)
{
    if (q->stopping)
        step_stop(q);
    else
        step_start(q);
}

static int on_stop_timeout(sd_event_source *s, uint64_t usec, void *user)
{
    struct qaird *q = user;

    (void)s;
    (void)usec;
    for (size_t i = 0; i < MSG_ROLE_COUNT; i++)
        qaird_role_kill(&q->roles[i]);
    if (q->tpm_pid > 0)
        (void)kill(q->tpm_pid, SIGKILL);
    return 0;
}

static int on_begin_stop(sd_event_source *s, void *user)
{
    struct qaird *q = user;

    (void)s; /* runs once */
    step_stop(q);
    return 0;
}

void qaird_stop(struct qaird *q, int exit_code)
{
    if (q->stopping)
        return;
    q->stopping = true;
    q->exit_code = exit_code;
    qaird_status_write(q);
    for (size_t i = 0; i < MSG_ROLE_COUNT; i++) {
        struct qaird_role *r = &q->roles[i];

        r->timer = sd_event_source_disable_unref(r->timer);
        qaird_role_end(r);
    }
    qaird_qube_stop_all(q);
    /* From the loop, since a caller may still be using what ends here. */
    if (sd_event_add_time_relative(q->event, &q->stop_timer, CLOCK_MONOTONIC,
                STOP_MAX_US, 0, on_stop_timeout, q) < 0 ||
            sd_event_add_defer(
                    q->event, &(sd_event_source *){NULL}, on_begin_stop, q) < 0)
        _exit(exit_code); /* children die with us */
}

/* ---- signals --------------------------------------------------------- */

void qaird_reload_pack(struct qaird *q)
{
    struct err err;
    int rc = qaird_config_reload_pack(q, &err);

    if (rc == 0)
        qaird_role_send_bundle(q, BUNDLE_PACK);
    if (rc == 0)
        qaird_log(q, "pack reloaded");
    else
        qaird_log(q, "pack not reloaded: %s", err.msg);
    q->pack_ok = rc == 0;
    q->pack_reads++;
    qaird_status_write(q);
}

static int on_signal(
        sd_event_source *s, const struct signalfd_siginfo *si, void *user)
{
    struct qaird *q = user;
    (void)s;
    if (si->ssi_signo == SIGCHLD)
        qaird_reap(q);
    else if (si->ssi_signo != SIGHUP && si->ssi_signo != SIGUSR1)
        qaird_stop(q, 0);
    else if (!q->stopping && si->ssi_signo == SIGHUP)
        qaird_reload_pack(q);
    else if (!q->stopping)
        qaird_change_begin(q);
    return 0;
}

static int watch_signals(struct qaird *q, struct err *err)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};

    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        if (sd_event_add_signal(q->event, NULL, signals[i], on_signal, q) < 0)
            return err_set(err, ERR_MEMORY, "signal %d", signals[i]);
    }
    return 0;
}

/* Before the event loop exists: nothing may slip between fork and watch. */
static void block_signals(void)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

/* ---- the zone's folder ----------------------------------------------- */

/* One qaird a zone: a lock that the kernel drops when the holder dies. */
static int lock_zone(struct qaird *q, struct err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char pid[16];
    int n;

    q->lock_fd = openat(q->run_fd, PID_FILE,
            O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (q->lock_fd < 0)
        return err_errno(err, "run/" PID_FILE);
    if (fcntl(q->lock_fd, F_SETLK, &lock) < 0) {
        if (fcntl(q->lock_fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
            return err_set(err, ERR_EXISTS,
                    "already running with pid %d; 'qair zone stop' ends it",
                    (int)lock.l_pid);
        return err_errno(err, "lock run/" PID_FILE);
    }
    n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(q->lock_fd, 0) < 0 ||
            pwrite(q->lock_fd, pid, (size_t)n, 0) != n)
        return err_errno(err, "run/" PID_FILE);
    return 0;
}

static int open_zone(struct qaird *q, struct err *err)
{
    struct stat st;

    q->dir_fd = open(q->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (q->dir_fd < 0 || fstat(q->dir_fd, &st) < 0)
        return err_errno(err, "%s", q->dir);
    if (geteuid() == 0 && (st.st_mode & 002))
        return err_set(err, ERR_DENIED,
                "%s: anybody may write there; 'chmod o-w' it", q->dir);
    if (geteuid() != 0 && st.st_uid != geteuid())
        return err_set(err, ERR_DENIED, "%s belongs to somebody else", q->dir);
    q->owner = st.st_uid;
    q->owner_group = st.st_gid;
    if (mkdirat(q->dir_fd, "run", 0755) < 0 && errno != EEXIST)
        return err_errno(err, "run");
    q->run_fd = openat(
            q->dir_fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (q->run_fd < 0)
        return err_errno(err, "run");
    return lock_zone(q, err);
}

/* Beside qaird, unless told otherwise. */
static int find_programs(struct qaird *q, struct err *err)
{
    char self[PATH_MAX];
    ssize_t n;

    if (!*q->programs && *q->conf->programs)
        memcpy(q->programs, q->conf->programs, sizeof(q->programs));
    if (*q->programs)
        return 0;
    n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return err_errno(err, "/proc/self/exe");
    self[n] = '\0';
    if (snprintf(q->programs, sizeof(q->programs), "%s", dirname(self)) >=
            (int)sizeof(q->programs))
        return err_set(err, ERR_LIMIT, "path of programs too long");
    return 0;
}

static void init(struct qaird *q)
{
    q->pack_ok = true;
    q->watch_s = QAIRD_WATCH_S;
    q->ready_fd = q->dir_fd = q->run_fd = q->lock_fd = q->tpm_listen = -1;
    for (size_t i = 0; i < BUNDLE_COUNT; i++)
        q->bundle[i] = q->change[i] = -1;
    for (size_t i = 0; i < FOLDER_COUNT; i++)
        q->folder[i] = -1;
    for (size_t i = 0; i < LISTENER_COUNT; i++)
        q->listener[i] = -1;
    for (size_t i = 0; i < MSG_ROLE_COUNT; i++)
        q->roles[i] =
                (struct qaird_role){.q = q, .role = (uint8_t)i, .control = -1};
}

static int set_up(struct qaird *q, struct err *err)
{
    int rc = open_zone(q, err);

    q->conf = calloc(1, sizeof(*q->conf));
    if (rc == 0 && !q->conf)
        rc = err_set(err, ERR_MEMORY, "out of memory");
    if (rc == 0)
        rc = qaird_config_load(q, err);
    if (rc == 0)
        rc = find_programs(q, err);
    if (rc == 0)
        rc = qaird_machine_load(q, err);
    if (rc == 0)
        rc = qaird_config_folders(q, err);
    if (rc == 0)
        rc = qaird_config_listen(q, err);
    if (rc == 0 && sd_event_new(&q->event) < 0)
        rc = err_set(err, ERR_MEMORY, "event loop");
    if (rc == 0)
        rc = watch_signals(q, err);
    if (rc == 0)
        rc = qaird_watch_roles(q, err);
    return rc == 0 ? qaird_tpm_start(q, err) : rc;
}

static void clean_run(const struct qaird *q)
{
    static const char *const names[] = {"call.sock", "key.sock", "net.sock",
            "tpm.sock", "status.json", "status.json.tmp"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlinkat(q->run_fd, names[i], 0);
}

static int serve(struct qaird *q)
{
    struct err err = {0};
    int rc = set_up(q, &err);

    if (rc < 0) {
        qaird_log(q, "%s", err.msg);
        return 1;
    }
    qaird_role_start(q, MSG_ROLE_MEASURE);
    rc = sd_event_loop(q->event);
    clean_run(q);
    return rc < 0 ? 1 : rc;
}

static int help(FILE *f)
{
    (void)fprintf(f, "qaird [--programs DIR] [--ready-fd N] [--watch SECONDS] "
                     "ZONEDIR\n"
                     "runs one zone until SIGTERM; SIGHUP reads pack/ again,\n"
                     "SIGUSR1 policy.d/, qubes.d/ and services/, and measures "
                     "them\n");
    return f == stdout ? 0 : 2;
}

static bool parse_args(struct qaird *q, int argc, char **argv)
{
    static const struct option options[] = {
            {"programs", required_argument, NULL, 'p'},
            {"ready-fd", required_argument, NULL, 'r'},
            {"watch", required_argument, NULL, 'w'},
            {"help", no_argument, NULL, 'h'},
            {0},
    };
    uint64_t fd, seconds;
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'h')
            exit(help(stdout));
        if (c == 'p') {
            char *full = realpath(optarg, NULL);

            if (!full || strlen(full) >= sizeof(q->programs))
                return false;
            memcpy(q->programs, full, strlen(full) + 1);
            free(full);
        } else if (c == 'r') {
            if (!text_parse_u64(span_str(optarg), &fd) || fd < 3 ||
                    fd > INT_MAX || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
                return false;
            q->ready_fd = (int)fd;
        } else if (c == 'w') {
            if (!text_parse_u64(span_str(optarg), &seconds) || seconds == 0 ||
                    seconds > 86400)
                return false;
            q->watch_s = (unsigned)seconds;
        } else {
            return false;
        }
    }
    if (optind != argc - 1)
        return false;
    q->dir = argv[optind];
    return true;
}

int main(int argc, char **argv)
{
    static struct qaird q;

    init(&q);
    if (!parse_args(&q, argc, argv))
        return help(stderr);
    (void)umask(0022);
    block_signals();
    return serve(&q);
}
