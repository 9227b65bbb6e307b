/* SPDX-License-Identifier: Apache-2.0 */
#include "zone_swtpm.h"

#include "buf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL_FILE_MAX 65536

struct paths {
    char ca[PATH_MAX]; /* absolute: swtpm_setup changes folders */
    char tpm[PATH_MAX];
    int ca_fd;
};

static int find_paths(
        const char *zone_dir, const char *ca, struct paths *p, struct err *err)
{
    char zone[PATH_MAX], beside[PATH_MAX + 8];

    if (!realpath(zone_dir, zone))
        return err_errno(err, "%s", zone_dir);
    (void)snprintf(beside, sizeof(beside), "%s/../ca", zone);
    if (!ca)
        ca = beside;
    if (mkdir(ca, 0700) < 0 && errno != EEXIST)
        return err_errno(err, "%s", ca);
    if (!realpath(ca, p->ca))
        return err_errno(err, "%s", ca);
    if (snprintf(p->tpm, sizeof(p->tpm), "%s/tpm", zone) >= (int)sizeof(p->tpm))
        return err_set(err, ERR_LIMIT, "path too long");
    p->ca_fd = open(p->ca, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return p->ca_fd < 0 ? err_errno(err, "%s", p->ca) : 0;
}

/* The three files that swtpm_setup and swtpm_localca read; the system's own
 * would put a CA into /var/lib. */
static int write_config(const struct paths *p, struct err *err)
{
    CLEANUP(buf_fini) struct buf localca = BUF_INIT(SMALL_FILE_MAX);
    CLEANUP(buf_fini) struct buf setup = BUF_INIT(SMALL_FILE_MAX);
    static const char options[] = "--platform-manufacturer qair-emulated\n"
                                  "--platform-version 1\n"
                                  "--platform-model swtpm\n";
    int rc;

    buf_printf(&localca,
            "statedir = %s\nsigningkey = %s/signkey.pem\n"
            "issuercert = %s/issuercert.pem\ncertserial = %s/certserial\n",
            p->ca, p->ca, p->ca, p->ca);
    buf_printf(&setup,
            "create_certs_tool = /usr/bin/swtpm_localca\n"
            "create_certs_tool_config = %s/swtpm-localca.conf\n"
            "create_certs_tool_options = %s/swtpm-localca.options\n"
            "active_pcr_banks = sha256\n",
            p->ca, p->ca);
    rc = buf_store(
            buf_span(&localca), p->ca_fd, "swtpm-localca.conf", 0600, err);
    if (rc == 0)
        rc = buf_store(span_str(options), p->ca_fd, "swtpm-localca.options",
                0600, err);
    if (rc == 0)
        rc = buf_store(
                buf_span(&setup), p->ca_fd, "swtpm_setup.conf", 0600, err);
    return rc;
}

/* Its output goes to a file and is shown when it failed. */
static int run_setup(const struct paths *p, const char *name, struct err *err)
{
    char config[PATH_MAX + 32];
    int status, log = openat(p->ca_fd, "swtpm_setup.log",
                        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    pid_t pid;

    if (log < 0)
        return err_errno(err, "%s/swtpm_setup.log", p->ca);
    (void)snprintf(config, sizeof(config), "%s/swtpm_setup.conf", p->ca);
    pid = fork();
    if (pid == 0) {
        if (dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
            _exit(127);
        (void)execlp("swtpm_setup", "swtpm_setup", "--tpm2", "--tpmstate",
                p->tpm, "--config", config, "--create-ek-cert", "--overwrite",
                "--vmid", name, (char *)NULL);
        (void)dprintf(STDERR_FILENO, "swtpm_setup: %s\n", strerror(errno));
        _exit(127);
    }
    (void)close(log);
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return err_errno(err, "swtpm_setup");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, ERR_NOT_FOUND,
                "swtpm_setup does not run; install swtpm-tools, or give a "
                "device with --tpm");
    if (status != 0)
        return err_set(err, ERR_TPM, "swtpm_setup failed; see %s",
                "swtpm_setup.log in the CA's folder");
    return 0;
}

/* Root and issuing certificate, as `qair zone challenge --ca` takes them. */
static int write_ca_pem(const struct paths *p, struct err *err)
{
    CLEANUP(buf_fini) struct buf b = BUF_INIT(SMALL_FILE_MAX);
    int rc = buf_load(&b, p->ca_fd, "swtpm-localca-rootca-cert.pem", err);

    if (rc == 0)
        rc = buf_load(&b, p->ca_fd, "issuercert.pem", err);
    if (rc == 0)
        rc = buf_store(buf_span(&b), p->ca_fd, "ca.pem", 0644, err);
    return rc;
}

int zone_swtpm_make(
        const char *zone_dir, const char *ca, const char *name, struct err *err)
{
    struct paths p = {.ca_fd = -1};
    int rc = find_paths(zone_dir, ca, &p, err);

    if (rc == 0)
        rc = write_config(&p, err);
    if (rc == 0)
        rc = run_setup(&p, name, err);
    if (rc == 0)
        rc = write_ca_pem(&p, err);
    if (p.ca_fd >= 0)
        (void)close(p.ca_fd);
    return rc;
}
