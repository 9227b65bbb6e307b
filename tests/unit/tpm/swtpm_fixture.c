/* SPDX-License-Identifier: Apache-2.0 */
#include "swtpm_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_STEPS 500 /* of 10 ms */

static pid_t spawn(char *const argv[])
{
    pid_t pid = fork();
    int null;

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 0);
    dup2(null, 1);
    if (!getenv("QAIR_TEST_VERBOSE"))
        dup2(null, 2);
    execvp(argv[0], argv);
    _exit(127);
}

bool swtpm_wait(pid_t pid)
{
    int status = -1;

    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool run(char *const argv[])
{
    return swtpm_wait(spawn(argv));
}

bool swtpm_false(int ret_fds[2], const uint8_t *bytes, size_t len)
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_fds) == 0 &&
           write(ret_fds[1], bytes, len) == (ssize_t)len &&
           shutdown(ret_fds[1], SHUT_WR) == 0;
}

bool swtpm_installed(void)
{
    char *const swtpm[] = {"swtpm", "--version", NULL};
    char *const setup[] = {"swtpm_setup", "--help", NULL};

    return run(swtpm) && run(setup);
}

static bool write_text(const char *dir, const char *name, const char *text)
{
    char path[128];
    FILE *f;
    bool ok;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "we");
    if (!f)
        return false;
    ok = fputs(text, f) >= 0;
    return fclose(f) == 0 && ok;
}

static bool write_config(const char *d)
{
    char setup[512], ca[512];

    snprintf(setup, sizeof setup,
            "create_certs_tool = /usr/bin/swtpm_localca\n"
            "create_certs_tool_config = %s/localca.conf\n"
            "create_certs_tool_options = %s/localca.options\n"
            "active_pcr_banks = sha256\n",
            d, d);
    snprintf(ca, sizeof ca,
            "statedir = %s/ca\n"
            "signingkey = %s/ca/signkey.pem\n"
            "issuercert = %s/ca/issuercert.pem\n"
            "certserial = %s/ca/certserial\n",
            d, d, d, d);
    return write_text(d, "setup.conf", setup) &&
           write_text(d, "localca.conf", ca) &&
           write_text(d, "localca.options",
                   "--platform-manufacturer qair\n--platform-version 1\n"
                   "--platform-model test\n");
}

bool swtpm_init(struct swtpm *s, bool with_ek)
{
    char config[128], state[128];
    char *const bare[] = {"swtpm_setup", "--tpm2", "--config", config,
            "--tpmstate", state, "--pcr-banks", "sha256", NULL};
    char *const full[] = {"swtpm_setup", "--tpm2", "--config", config,
            "--tpmstate", state, "--create-ek-cert", "--pcr-banks", "sha256",
            NULL};

    *s = (struct swtpm){.pid = 0};
    snprintf(s->dir, sizeof s->dir, "/tmp/qair-test-swtpm-XXXXXX");
    if (!mkdtemp(s->dir))
        return false;
    snprintf(config, sizeof config, "%s/setup.conf", s->dir);
    snprintf(state, sizeof state, "%s/tpm", s->dir);
    return mkdir(state, 0700) == 0 && write_config(s->dir) &&
           run(with_ek ? full : bare);
}

bool swtpm_copy(const struct swtpm *from, struct swtpm *ret)
{
    char src[128], dst[128];
    char *const argv[] = {"cp", "-r", "--", src, dst, NULL};

    *ret = (struct swtpm){.pid = 0};
    snprintf(ret->dir, sizeof ret->dir, "/tmp/qair-test-swtpm-XXXXXX");
    if (!mkdtemp(ret->dir))
        return false;
    snprintf(src, sizeof src, "%s/tpm", from->dir);
    snprintf(dst, sizeof dst, "%s/tpm", ret->dir);
    return run(argv);
}

static int connect_to(const struct swtpm *s, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", s->dir, name);
    for (int i = 0; i < WAIT_STEPS; i++) {
        if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
            return fd;
        usleep(10000);
    }
    close(fd);
    return -1;
}

bool swtpm_start(struct swtpm *s)
{
    char state[128], server[128], ctrl[128];
    char *const argv[] = {"swtpm", "socket", "--tpm2", "--tpmstate", state,
            "--server", server, "--ctrl", ctrl, "--flags",
            "not-need-init,startup-clear", NULL};
    int fd;

    snprintf(state, sizeof state, "dir=%s/tpm,mode=0600", s->dir);
    snprintf(server, sizeof server, "type=unixio,path=%s/sock", s->dir);
    snprintf(ctrl, sizeof ctrl, "type=unixio,path=%s/ctrl", s->dir);
    s->pid = spawn(argv);
    fd = connect_to(s, "ctrl");
    if (fd >= 0)
        close(fd);
    return s->pid > 0 && fd >= 0;
}

int swtpm_connect(const struct swtpm *s)
{
    return connect_to(s, "sock");
}

bool swtpm_reset(const struct swtpm *s)
{
    char ctrl[128];
    char *const argv[] = {"swtpm_ioctl", "--unix", ctrl, "-i", NULL};

    snprintf(ctrl, sizeof ctrl, "%s/ctrl", s->dir);
    return run(argv);
}

void swtpm_stop(struct swtpm *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGTERM);
        waitpid(s->pid, NULL, 0);
    }
    s->pid = 0;
}

void swtpm_fini(struct swtpm *s)
{
    char *const argv[] = {"rm", "-rf", "--", s->dir, NULL};

    swtpm_stop(s);
    if (strncmp(s->dir, "/tmp/qair-test-swtpm-", 21) == 0)
        (void)run(argv);
}

bool swtpm_command(const struct swtpm *s, const uint8_t *bytes, size_t len)
{
    uint8_t answer[4096];
    int fd = swtpm_connect(s);
    bool ok = fd >= 0 && write(fd, bytes, len) == (ssize_t)len &&
              read(fd, answer, sizeof answer) >= 10 &&
              memcmp(answer + 6, "\0\0\0", 4) == 0;

    close(fd);
    return ok;
}
