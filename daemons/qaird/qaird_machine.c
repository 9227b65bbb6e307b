/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel shows of the machine's own boot.  Nothing of it is parsed
 * here: firmware wrote it, and keyd hands it on beside a quote.  What was
 * written before the kernel ran is read once; the list of measured files grows,
 * so keyd gets it open.
 */
#include "qaird.h"

#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECURITYFS "/sys/kernel/security/"

/*
 * Path of a file: as zone.conf names it, which must then be there; else where
 * the kernel has it for this TPM; empty for a software TPM, and when no PCR is
 * quoted that it explains.
 */
struct place {
    char path[CONF_PATH_MAX];
    bool must;
};

static struct place place_of(const struct qaird *q, const char *named,
        const char *usual, uint32_t pcrs)
{
    const char *tpm = q->conf->tpm_path;
    size_t digits = strlen(tpm);
    struct place p = {.must = *named != '\0'};
    const char *percent = strchr(usual, '%');

    if (p.must) {
        (void)snprintf(p.path, sizeof(p.path), "%s", named);
        return p;
    }
    if (q->conf->tpm == CONF_TPM_SWTPM || !(q->conf->pcrs & pcrs))
        return p;
    while (digits > 0 && tpm[digits - 1] >= '0' && tpm[digits - 1] <= '9')
        digits--;
    (void)snprintf(p.path, sizeof(p.path), SECURITYFS "%.*s%s%s",
            (int)(percent ? percent - usual : (ptrdiff_t)strlen(usual)), usual,
            percent ? tpm + digits : "", percent ? percent + 1 : "");
    return p;
}

/* 0 and nothing in b when there is none and need not be. */
static int load(struct qaird *q, const char *what, const struct place *p,
        struct buf *b, struct err *err)
{
    int rc;

    if (!*p->path)
        return 0;
    rc = buf_load(b, AT_FDCWD, p->path, err);
    /* a file of securityfs has no size beforehand: the end may be cut off */
    if (rc == 0 && b->len > LIMIT_EVIDENCE_MAX)
        rc = err_set(err, ERR_LIMIT, "%s: more than %u bytes", p->path,
                LIMIT_EVIDENCE_MAX);
    if (rc == 0 || p->must)
        return rc == 0 ? 0 : err_prefix(err, rc, "%s", what);
    qaird_log(q, "evidence has no %s: %s", what, err->msg);
    buf_reset(b);
    return 0;
}

static int open_measured(struct qaird *q, struct err *err)
{
    struct place p = place_of(q, q->conf->measured_files,
            "ima/binary_runtime_measurements", CONF_PCRS_RUNNING);

    if (!*p.path)
        return 0;
    q->folder[FOLDER_MEASURED] =
            open(p.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (q->folder[FOLDER_MEASURED] < 0 && p.must)
        return err_errno(err, "measured-files: %s", p.path);
    if (q->folder[FOLDER_MEASURED] < 0)
        qaird_log(q, "evidence has no list of measured files: %s: %s", p.path,
                strerror(errno));
    return 0;
}

/* ---- reports of a confidential guest --------------------------------- */

#define TSM "/sys/kernel/config/tsm/report"

/* An entry of its own: the kernel makes its files, keyd writes and reads. */
static int make_entry(struct qaird *q, int dir, struct err *err)
{
    static const char *const files[] = {
            "inblob", "outblob", "auxblob", "generation", "provider"};
    uid_t uid = qaird_uid(q, MSG_ROLE_KEYD);
    char name[LIMIT_ZONE_NAME_MAX + 8];
    int fd;

    (void)snprintf(name, sizeof(name), "qair-%s", q->conf->name);
    if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
        return err_errno(err, "make an entry");
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(err, "%s", name);
    q->folder[FOLDER_REPORT] = fd;
    if (uid == 0)
        return 0;
    if (fchown(fd, uid, (gid_t)-1) < 0)
        return err_errno(err, "%s", name);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        /* auxblob is not there on every kernel */
        if (fchownat(fd, files[i], uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 &&
                errno != ENOENT)
            return err_errno(err, "%s/%s", name, files[i]);
    }
    return 0;
}

static int open_report(struct qaird *q, struct err *err)
{
    bool must = *q->conf->guest_report != '\0';
    const char *path = must ? q->conf->guest_report : TSM;
    CLEANUP(buf_close_fd) int dir = -1;
    int rc;

    if (!must && q->conf->tpm == CONF_TPM_SWTPM)
        return 0;
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return must ? err_errno(err, "guest-report: %s", path) : 0;
    rc = make_entry(q, dir, err);
    return rc == 0 ? 0 : err_prefix(err, rc, "guest-report: %s", path);
}

int qaird_machine_load(struct qaird *q, struct err *err)
{
    const struct {
        const char *name, *what, *named, *usual;
        uint32_t pcrs;
    } files[] = {
            {"firmware", "firmware log", q->conf->firmware_log,
                    "tpm%/binary_bios_measurements", CONF_PCRS_FIRMWARE},
            {"launch", "log of a dynamic launch", q->conf->launch_log,
                    "slaunch/eventlog", CONF_PCRS_LAUNCH},
    };
    CLEANUP(buf_fini) struct buf out = BUF_INIT(LIMIT_BUNDLE_MAX);
    struct bundle_writer w = {.out = &out};
    int rc = open_measured(q, err);

    if (rc == 0)
        rc = open_report(q, err);
    for (size_t i = 0; i < ARRAY_LEN(files) && rc == 0; i++) {
        CLEANUP(buf_fini) struct buf b = BUF_INIT(LIMIT_EVIDENCE_MAX + 1);
        struct place p =
                place_of(q, files[i].named, files[i].usual, files[i].pcrs);

        rc = load(q, files[i].what, &p, &b, err);
        if (rc == 0 && b.len > 0)
            rc = bundle_put(&w,
                    &(struct bundle_file){
                            span_str(files[i].name), buf_span(&b)},
                    err);
    }
    return rc < 0 ? rc
                  : ipc_seal(buf_span(&out), "machine",
                            &q->bundle[BUNDLE_MACHINE], err);
}
