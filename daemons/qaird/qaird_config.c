/* SPDX-License-Identifier: Apache-2.0 */
/* The zone's files, read once: the bytes in the bundles are the ones that are
 * measured and the ones that the roles parse. */
#include "qaird.h"

#include "bundle.h"
#include "gather.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

uid_t qaird_uid(const struct qaird *q, unsigned offset)
{
    return geteuid() == 0 ? q->conf->uid_base + offset : 0;
}

/* ---- folders into bundles -------------------------------------------- */

static int load_folder(const struct qaird *q, const char *name,
        gather_want *want, int *ret_memfd, struct err *err)
{
    CLEANUP(buf_fini) struct buf out = BUF_INIT(LIMIT_BUNDLE_MAX);
    int rc = gather_folder(q->dir_fd, name, want, &out, err);

    return rc < 0 ? rc : ipc_seal(buf_span(&out), name, ret_memfd, err);
}

static const struct {
    const char *name;   /* as roles know it */
    const char *folder; /* NULL: not a folder */
    gather_want *want;
    bool may_change; /* while the zone serves, measured anew */
} bundles[BUNDLE_COUNT] = {
        [BUNDLE_CONF] = {"conf", NULL, NULL, false},
        [BUNDLE_QUBES] = {"qubes", "qubes.d", gather_conf, true},
        [BUNDLE_POLICY] = {"policy", "policy.d", gather_policy, true},
        [BUNDLE_SERVICES] = {"services", "services", gather_any, true},
        [BUNDLE_PACK] = {"pack", "pack", gather_any, false},
        [BUNDLE_EVENTS] = {"events", NULL, NULL, false},
        [BUNDLE_MACHINE] = {"machine", NULL, NULL, false},
};

const char *qaird_bundle_name(enum qaird_bundle b)
{
    return bundles[b].name;
}

/* zone.conf alone: a bundle of one file, and parsed for qaird itself. */
static int load_conf(struct qaird *q, struct err *err)
{
    CLEANUP(buf_fini) struct buf b = BUF_INIT(LIMIT_CONF_FILE_MAX);
    CLEANUP(buf_fini) struct buf out = BUF_INIT(LIMIT_BUNDLE_MAX);
    struct bundle_writer w = {.out = &out};
    int rc = buf_load(&b, q->dir_fd, "zone.conf", err);

    if (rc == 0)
        rc = conf_zone_parse(buf_span(&b), q->conf, err);
    if (rc == 0)
        rc = bundle_put(&w,
                &(struct bundle_file){span_str("zone.conf"), buf_span(&b)},
                err);
    if (rc == 0)
        rc = ipc_seal(buf_span(&out), "conf", &q->bundle[BUNDLE_CONF], err);
    return rc;
}

/* What qaird itself goes by, of these bundles. */
static int use_own(
        struct qaird *q, const int bundle[BUNDLE_COUNT], struct err *err)
{
    struct conf_qubes fresh;
    struct span qubes, services;
    int rc = ipc_map(bundle[BUNDLE_QUBES], LIMIT_BUNDLE_MAX, &qubes, err);

    if (rc < 0)
        return rc;
    rc = conf_qubes_parse(qubes, &fresh, err);
    ipc_unmap(qubes);
    if (rc < 0)
        return rc;
    rc = ipc_map(bundle[BUNDLE_SERVICES], LIMIT_BUNDLE_MAX, &services, err);
    if (rc < 0) {
        conf_qubes_fini(&fresh);
        return rc;
    }
    conf_qubes_fini(&q->qubes_conf);
    ipc_unmap(q->services);
    q->qubes_conf = fresh;
    q->services = services;
    return 0;
}

int qaird_config_load(struct qaird *q, struct err *err)
{
    int rc = load_conf(q, err);

    for (unsigned i = 0; i < BUNDLE_COUNT && rc == 0; i++) {
        if (bundles[i].folder)
            rc = load_folder(
                    q, bundles[i].folder, bundles[i].want, &q->bundle[i], err);
    }
    return rc == 0 ? use_own(q, q->bundle, err) : rc;
}

int qaird_config_reload_pack(struct qaird *q, struct err *err)
{
    int fd, rc = load_folder(q, "pack", gather_any, &fd, err);

    if (rc < 0)
        return rc;
    (void)close(q->bundle[BUNDLE_PACK]);
    q->bundle[BUNDLE_PACK] = fd;
    return 0;
}

int qaird_config_read_change(struct qaird *q, struct err *err)
{
    struct conf_qubes qubes_conf;
    struct span qubes;
    int rc = 0;

    for (unsigned i = 0; i < BUNDLE_COUNT && rc == 0; i++) {
        if (bundles[i].may_change)
            rc = load_folder(
                    q, bundles[i].folder, bundles[i].want, &q->change[i], err);
    }
    /* Whatever cannot be used is refused before it is measured. */
    if (rc == 0)
        rc = ipc_map(q->change[BUNDLE_QUBES], LIMIT_BUNDLE_MAX, &qubes, err);
    if (rc < 0)
        return rc;
    rc = conf_qubes_parse(qubes, &qubes_conf, err);
    ipc_unmap(qubes);
    if (rc == 0)
        conf_qubes_fini(&qubes_conf);
    return rc;
}

int qaird_config_take_change(struct qaird *q, struct err *err)
{
    int rc = use_own(q, q->change, err);

    for (unsigned i = 0; i < BUNDLE_COUNT && rc == 0; i++) {
        if (q->change[i] < 0)
            continue;
        buf_close_fd(&q->bundle[i]);
        q->bundle[i] = TAKE_FD(q->change[i]);
    }
    return rc;
}

/* ---- folders that roles own ------------------------------------------ */

struct giving {
    uid_t uid;
    gid_t gid;
};

static int give_entry(int dirfd, const char *name, void *ctx, struct err *err);

/* What is in it first, so that an interrupted run is repeated. */
static int give_folder(int fd, struct giving *g, struct err *err)
{
    int rc = buf_each_entry(fd, give_entry, g, err);

    if (rc == 0 && fchown(fd, g->uid, g->gid) < 0)
        rc = err_errno(err, "change owner");
    return rc;
}

static int give_entry(int dirfd, const char *name, void *ctx, struct err *err)
{
    struct giving *g = ctx;
    CLEANUP(buf_close_fd)
    int fd = openat(
            dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0)
        return give_folder(fd, g, err);
    if (errno != ENOTDIR && errno != ELOOP)
        return err_errno(err, "%s", name);
    if (fchownat(dirfd, name, g->uid, g->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "change owner of %s", name);
    return 0;
}

/* Started by root: what the folder holds becomes the role's, once. */
static int give(const struct qaird *q, int fd, unsigned role, struct err *err)
{
    struct giving g = {qaird_uid(q, role), q->owner_group};
    struct stat st;

    if (geteuid() != 0)
        return 0;
    if (fstat(fd, &st) < 0)
        return err_errno(err, "stat");
    if (st.st_uid == g.uid && st.st_gid == g.gid)
        return 0;
    return give_folder(fd, &g, err);
}

static bool is_read_only(int fd)
{
    struct statvfs st;

    return fstatvfs(fd, &st) == 0 && (st.f_flag & ST_RDONLY) != 0;
}

static int open_folder(const struct qaird *q, const char *name, unsigned role,
        unsigned mode, int *ret, struct err *err)
{
    int fd, rc;

    if (mkdirat(q->dir_fd, name, 0700) < 0 && errno != EEXIST)
        return err_errno(err, "%s", name);
    fd = openat(
            q->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(err, "%s", name);
    /* A read-only folder is handed on as it is: its role refuses with the
     * reason, and the rest of the zone serves. */
    rc = is_read_only(fd) ? 0 : give(q, fd, role, err);
    if (rc == 0 && fchmod(fd, (mode_t)mode) < 0 && errno != EROFS)
        rc = err_errno(err, "mode");
    if (rc < 0) {
        (void)close(fd);
        return err_prefix(err, rc, "%s", name);
    }
    *ret = fd;
    return 0;
}

int qaird_config_folders(struct qaird *q, struct err *err)
{
    int rc, tpm;

    rc = open_folder(
            q, "log", MSG_ROLE_LOGD, 02750, &q->folder[FOLDER_LOG], err);
    if (rc == 0)
        rc = open_folder(
                q, "keys", MSG_ROLE_KEYD, 0700, &q->folder[FOLDER_KEYS], err);
    if (rc == 0 && q->conf->tpm == CONF_TPM_SWTPM) {
        rc = open_folder(q, "tpm", QAIRD_TPM_UID, 0700, &tpm, err);
        if (rc == 0)
            (void)close(tpm);
    }
    if (rc < 0)
        return rc;
    q->folder[FOLDER_PROGRAMS] =
            open(q->programs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (q->folder[FOLDER_PROGRAMS] < 0)
        return err_errno(err, "programs in %s", q->programs);
    return 0;
}

/* ---- listening sockets ----------------------------------------------- */

static int listen_tcp(struct qaird *q, struct err *err)
{
    const struct conf_addr *a = &q->conf->listen;
    bool v6 = strchr(a->host, ':') != NULL;
    struct sockaddr_in6 a6 = {
            .sin6_family = AF_INET6, .sin6_port = htons(a->port)};
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(a->port)};
    struct sockaddr *sa = v6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4;
    socklen_t len = v6 ? sizeof(a6) : sizeof(a4);
    int one = 1, fd;
    unsigned port;

    if (inet_pton(v6 ? AF_INET6 : AF_INET, a->host,
                v6 ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1)
        return err_set(err, ERR_SYNTAX, "listen address %s", a->host);
    fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, "socket");
    q->listener[LISTENER_NET] = fd;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
            bind(fd, sa, len) < 0 || listen(fd, 64) < 0 ||
            getsockname(fd, sa, &len) < 0)
        return err_errno(err, "listen on %s port %u", a->host, a->port);
    port = ntohs(v6 ? a6.sin6_port : a4.sin_port);
    (void)snprintf(q->listen_text, sizeof(q->listen_text),
            v6 ? "[%s]:%u" : "%s:%u", a->host, port);
    return buf_store(span_str(q->listen_text), q->run_fd, "listen", 0644, err);
}

/* A socket of its own: who relays for a Qubes host is not the zone's owner. */
static int listen_relay(struct qaird *q, struct err *err)
{
    const char *name = q->conf->relay_user;
    const struct passwd *p;
    uint64_t uid;

    if (!*name) {
        (void)unlinkat(q->run_fd, "relay.sock", 0);
        return 0;
    }
    p = getpwnam(name);
    if (p)
        uid = p->pw_uid;
    else if (!text_parse_u64(span_str(name), &uid) || uid >= UINT32_MAX)
        return err_set(
                err, ERR_NOT_FOUND, "zone.conf: relay-user: no user %s", name);
    return ipc_listen(q->run_fd, "relay.sock", (uid_t)uid, (gid_t)-1,
            &q->listener[LISTENER_RELAY], err);
}

int qaird_config_listen(struct qaird *q, struct err *err)
{
    static const char *const names[] = {
            [LISTENER_CALL] = "call.sock",
            [LISTENER_KEY] = "key.sock",
            [LISTENER_NET_ADMIN] = "net.sock",
    };
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(names) && rc == 0; i++)
        rc = ipc_listen(q->run_fd, names[i], q->owner, q->owner_group,
                &q->listener[i], err);
    if (rc == 0)
        rc = listen_relay(q, err);
    if (rc == 0 && q->conf->has_listen)
        rc = listen_tcp(q, err);
    return rc;
}
