/* SPDX-License-Identifier: Apache-2.0 */
/* Where a service lies, and what its owner wrote about it. */
#include "callee.h"

#include "buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *env_or(const char *name, const char *otherwise)
{
    const char *v = getenv(name);

    return v && *v ? v : otherwise;
}

static enum qrexec_found probe(void *ctx, const char *path)
{
    struct stat st;
    char to[QREXEC_PATH_MAX];
    ssize_t n = readlink(path, to, sizeof(to) - 1);

    (void)ctx;
    if (n > 0) {
        to[n] = '\0';
        if (strcmp(to, "/dev/tcp") == 0 || strncmp(to, "/dev/tcp/", 9) == 0)
            return QREXEC_FOUND_TCP;
    }
    if (stat(path, &st) < 0)
        return errno == ENOENT ? QREXEC_FOUND_NONE : QREXEC_FOUND_ERROR;
    if (S_ISSOCK(st.st_mode))
        return QREXEC_FOUND_SOCKET;
    if (!S_ISREG(st.st_mode))
        return QREXEC_FOUND_FILE;
    return access(path, X_OK) == 0 ? QREXEC_FOUND_EXEC : QREXEC_FOUND_FILE;
}

static enum qrexec_found probe_config(void *ctx, const char *path)
{
    struct stat st;

    (void)ctx;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? QREXEC_FOUND_NONE : QREXEC_FOUND_ERROR;
    return QREXEC_FOUND_FILE;
}

/* Links are fine here, as upstream: the owner put them there. */
static int read_config(
        const char *path, struct qrexec_config *ret, struct err *err)
{
    struct buf text = BUF_INIT(LIMIT_CONF_FILE_MAX);
    CLEANUP(buf_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = 0;

    if (fd < 0)
        return err_errno(err, "%s", path);
    for (ssize_t n = 1; r == 0 && n > 0;) {
        uint8_t *p = buf_reserve(&text, 4096);

        n = p ? read(fd, p, 4096) : 0;
        if (!p)
            r = buf_ok(&text, err);
        else if (n < 0)
            r = err_errno(err, "%s", path);
        else
            buf_commit(&text, (size_t)n);
    }
    if (r == 0)
        r = qrexec_config_parse(buf_span(&text), ret, err);
    buf_fini(&text);
    return r ? err_prefix(err, r, "%s", path) : 0;
}

static int load_config(
        struct span service, struct qrexec_config *ret, struct err *err)
{
    char path[QREXEC_PATH_MAX];
    enum qrexec_found found;
    int r = qrexec_lookup(service,
            env_or("QUBES_RPC_CONFIG_PATH", QREXEC_CONFIG_PATH), probe_config,
            NULL, path, &found, err);

    *ret = (struct qrexec_config){0};
    if (r == ERR_NOT_FOUND)
        return 0;
    return r ? r : read_config(path, ret, err);
}

int callee_find(const struct qrexec_command *c, struct callee_service *ret,
        struct err *err)
{
    int r = qrexec_lookup(c->service,
            env_or("QREXEC_SERVICE_PATH", QREXEC_SERVICE_PATH), probe, NULL,
            ret->path, &ret->found, err);

    return r ? r : load_config(c->service, &ret->config, err);
}
