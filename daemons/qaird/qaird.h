/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qaird, the supervisor: starts the roles and qubes of one zone, gives each
 * what it needs, starts again what dies, and leaves nothing behind.
 *
 *   qaird.c          start order, signals, the end
 *   qaird_config.c   the zone's files into sealed bundles
 *   qaird_change.c   policy, qubes and services taken anew while serving
 *   qaird_role.c     one role process: hand over, watch, restart, relink
 *   qaird_watch.c    roles that hang
 *   qaird_process.c  fork and exec with everything else closed
 *   qaird_tpm.c      software TPM, or the device
 *   qaird_qube.c     process qubes for calld
 *   qaird_status.c   run/status.json for `qair zone status`
 */
#ifndef QAIR_QAIRD_H
#define QAIR_QAIRD_H

#include "base.h"
#include "buf.h"
#include "conf.h"
#include "ipc.h"
#include "msg.h"

#include <signal.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* What is handed over by name. */
enum qaird_bundle {
    BUNDLE_CONF,
    BUNDLE_QUBES,
    BUNDLE_POLICY,
    BUNDLE_SERVICES,
    BUNDLE_PACK,
    BUNDLE_EVENTS,  /* made by qair-measure */
    BUNDLE_MACHINE, /* logs of firmware and launch, as the kernel has them */
    BUNDLE_COUNT
};

enum qaird_listener {
    LISTENER_CALL,
    LISTENER_KEY,
    LISTENER_NET_ADMIN,
    LISTENER_RELAY, /* when zone.conf has a relay-user */
    LISTENER_NET,   /* TCP */
    LISTENER_COUNT
};

enum qaird_folder {
    FOLDER_LOG,
    FOLDER_KEYS,
    FOLDER_PROGRAMS,
    FOLDER_MEASURED, /* a file: the kernel's list, which grows */
    FOLDER_REPORT,   /* of configfs-tsm: keyd has reports made there */
    FOLDER_COUNT
};

struct qaird;
struct qaird_child;

struct qaird_role {
    struct qaird *q;
    uint8_t role;
    pid_t pid; /* 0: not running */
    int control;
    bool ready;
    bool has_served; /* said READY once: failures are restarts from then on */
    unsigned deaths;
    uint64_t started_ms;
    uint64_t asked_ms; /* an answer, or the end, is awaited since; or 0 */
    unsigned delay_ms;
    sd_event_source *io, *timer;
};

struct qaird_qube {
    struct qaird_qube *next;
    struct qaird *q;
    pid_t pid;
    unsigned uid_at;   /* its uid, from QAIRD_QUBE_UIDS on */
    unsigned slot;     /* of a disposable, counted from 1; 0: none */
    bool again;        /* asked for anew while the old one was ending */
    uint32_t again_id; /* the request that waits for it */
    char name[LIMIT_NAME_MAX + 1];
};

struct qaird {
    const char *dir;
    char programs[CONF_PATH_MAX];
    int dir_fd, run_fd, lock_fd;
    int ready_fd; /* -1, or told when all roles serve */
    uid_t owner;
    gid_t owner_group;
    sd_event *event;
    struct conf_zone *conf;
    struct conf_qubes qubes_conf;
    int bundle[BUNDLE_COUNT]; /* sealed memfds */
    int change[BUNDLE_COUNT]; /* read anew and being measured, or -1 */
    bool changing;
    struct span services; /* mapped */
    int folder[FOLDER_COUNT];
    int listener[LISTENER_COUNT];
    char listen_text[80]; /* "127.0.0.1:7400" as bound */
    struct qaird_role roles[MSG_ROLE_COUNT];
    struct qaird_qube *qubes;
    struct qaird_child *children; /* that are watched */
    int tpm_listen;
    pid_t tpm_pid;
    sd_event_source *tpm_timer;
    unsigned tpm_deaths;
    bool measured, serving, stopping;
    unsigned watch_s;    /* a role that does not answer for so long hangs */
    unsigned pack_reads; /* answers to SIGHUP, for `qair zone reload` */
    bool pack_ok;
    unsigned policy_reads; /* answers to SIGUSR1 */
    bool policy_ok;
    sd_event_source *stop_timer, *stop_defer;
    int exit_code;
};

#define QAIRD_TPM_UID   (MSG_ROLE_COUNT + 1) /* offsets from uid-base */
#define QAIRD_QUBE_UIDS 100                  /* and up, one a qube */

/* "qaird(ZONE): ..." on stderr. */
void qaird_log(const struct qaird *q, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Begins the end: all children go, then qaird exits with the code. */
void qaird_stop(struct qaird *q, int exit_code);
/* A child ended; goes on with the start or the stop where it waited. */
void qaird_step(struct qaird *q);
uint64_t qaird_now_ms(void);
void qaird_reload_pack(struct qaird *q);

/* ---- qaird_machine.c: what the kernel shows of the boot, once -------- */

int qaird_machine_load(struct qaird *q, struct err *err) MUST_CHECK;

/* qaird_config.c */
int qaird_config_load(struct qaird *q, struct err *err) MUST_CHECK;
int qaird_config_reload_pack(struct qaird *q, struct err *err) MUST_CHECK;
/* Policy, qubes and services as they are now, into q->change. */
int qaird_config_read_change(struct qaird *q, struct err *err) MUST_CHECK;
/* Puts q->change in force, for qaird itself too. */
int qaird_config_take_change(struct qaird *q, struct err *err) MUST_CHECK;
int qaird_config_folders(struct qaird *q, struct err *err) MUST_CHECK;
int qaird_config_listen(struct qaird *q, struct err *err) MUST_CHECK;
uid_t qaird_uid(const struct qaird *q, unsigned offset);
const char *qaird_bundle_name(enum qaird_bundle b);

/* qaird_change.c */
void qaird_change_begin(struct qaird *q);
/* keyd is gone and left the TPM. */
void qaird_change_measure(struct qaird *q);
/* qair-measure said ok, and left the longer log; or it did not. */
void qaird_change_end(struct qaird *q, bool measured);

/* qaird_watch.c */
#define QAIRD_WATCH_S 180 /* a TPM may take a minute for one command */
int qaird_watch_roles(struct qaird *q, struct err *err) MUST_CHECK;

/* qaird_process.c */
struct qaird_exec {
    const char *path;
    const char *const *argv;
    int fd3;    /* becomes descriptor 3, or -1 */
    uid_t uid;  /* 0: as is */
    int dir_fd; /* working folder */
};
/* Closes everything else, own process group, dies with qaird. */
int qaird_exec(const struct qaird_exec *x, pid_t *ret_pid, struct err *err)
        MUST_CHECK;

/*
 * Calls ended once, from the loop, when the child is gone.  By SIGCHLD and
 * waitid: sd-event's own child sources miss the end of a process that a
 * debugger has attached to.
 */
typedef void qaird_ended(const siginfo_t *si, void *user);
int qaird_watch(struct qaird *q, pid_t pid, qaird_ended *ended, void *user,
        struct err *err) MUST_CHECK;
/* On SIGCHLD. */
void qaird_reap(struct qaird *q);

/* qaird_role.c */
void qaird_role_start(struct qaird *q, uint8_t role);
void qaird_role_kill(struct qaird_role *r);
/* By the end of its control link: it ends by itself. */
void qaird_role_end(struct qaird_role *r);
/* Sends the bundle to every running role that uses it. */
void qaird_role_send_bundle(struct qaird *q, enum qaird_bundle b);
int qaird_role_put(struct qaird_role *r, enum msg_type type, uint32_t id,
        const void *msg, int fd);
/* The roles of a serving zone in start order, ends with 0. */
extern const uint8_t qaird_roles[];

/* qaird_tpm.c */
int qaird_tpm_start(struct qaird *q, struct err *err) MUST_CHECK;
/* A new connection to the TPM, or -1. */
int qaird_tpm_connect(struct qaird *q);
void qaird_tpm_stop(struct qaird *q);

/* qaird_qube.c */
void qaird_qube_start(
        struct qaird *q, uint32_t id, const struct msg_qube_start *m);
void qaird_qube_stop(struct qaird *q, struct span name);
void qaird_qube_stop_all(struct qaird *q);

/* qaird_status.c */
void qaird_status_write(struct qaird *q);

#endif
