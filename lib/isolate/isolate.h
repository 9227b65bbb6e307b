/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room isolate (floor 4): starts a process qube with bubblewrap.
 *
 * Inside, the qube sees: /usr of the host read-only (and bin, lib as links
 * into it), its own /proc, /dev (minimal) and tmpfs on /tmp, /run and /var;
 * /home/user private and writable (a folder or a tmpfs); /etc made of a few
 * files (passwd, group, hostname, hosts, nsswitch.conf, ld.so.cache);
 * /etc/qubes-rpc with the zone's services read-only; /opt/qair with the
 * programs read-only, first in PATH.  Nothing else of the host: own user,
 * mount, pid, network, ipc, uts and cgroup namespaces, no capabilities, new
 * session, no new privileges; it dies with its parent process.  Processes run
 * as user 1000 inside; outside they are p->uid, so that one qube cannot touch
 * another's files even after leaving its namespaces.
 *
 * The first process is the agent, with its control link on descriptor 3.
 *
 * For qaird, which is the only process that starts qubes.
 */
#ifndef QAIR_ISOLATE_H
#define QAIR_ISOLATE_H

#include "base.h"

#include <sys/types.h>

#define ISOLATE_AGENT_FD  3
#define ISOLATE_PROGRAMS  "/opt/qair"
#define ISOLATE_SERVICES  "/etc/qubes-rpc"
#define ISOLATE_USER      "user"
#define ISOLATE_HOME      "/home/user"
#define ISOLATE_FILES_MAX 256

/* A file that appears inside, read-only, with exactly these bytes. */
struct isolate_file {
    const char *path; /* absolute, inside */
    unsigned mode;    /* 0755 for a service */
    struct span bytes;
};

struct isolate_params {
    const char *name;     /* of the qube: also its host name */
    const char *programs; /* host folder with qair-agent, qrexec-client-vm */
    const char *services; /* host folder for ISOLATE_SERVICES, or NULL */
    const char *home;     /* host folder, made when missing, or NULL: tmpfs */
    /* Further files, e.g. the measured service definitions of a bundle. */
    const struct isolate_file *files;
    size_t n_files;
    uid_t uid; /* outside; 0 = the caller's own (must be 0 unless root) */
    gid_t gid;
};

/*
 * Starts an empty qube and waits for its end (some 10 ms), to learn once
 * whether this machine can, with that uid outside: 0, or an error that says
 * what to install or to switch on.
 */
int isolate_check(uid_t uid, gid_t gid, struct err *err) MUST_CHECK;
/*
 * Starts the qube and returns at once; agent_fd is taken in any case.  ret_pid
 * is the child to wait for: when it ends, the qube is gone (SIGKILL to it
 * ends the qube).  bwrap and agent write their stderr to the caller's.  A
 * qube that could not be set up ends with exit code 1 and closes its link.
 */
int isolate_start(const struct isolate_params *p, int agent_fd, pid_t *ret_pid,
        struct err *err) MUST_CHECK;

#endif
