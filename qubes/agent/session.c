/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define SERVICE_NAME "qrexec"

struct session {
    pam_handle_t *pam;
    char *home;
    char *shell;
    char **env;
    uid_t uid;
    gid_t gid;
};

/* Nobody is there to answer a question: every prompt gets an empty line. */
static int converse(int n, const struct pam_message **messages,
        struct pam_response **ret, void *unused)
{
    struct pam_response *answers =
            n > 0 ? calloc((size_t)n, sizeof(*answers)) : NULL;

    (void)unused;
    if (!answers)
        return PAM_BUF_ERR;
    for (int i = 0; i < n; i++) {
        int style = messages[i]->msg_style;

        if (style == PAM_ERROR_MSG)
            (void)dprintf(2, "pam: %s\n", messages[i]->msg);
        if (style == PAM_PROMPT_ECHO_OFF || style == PAM_PROMPT_ECHO_ON)
            answers[i].resp = strdup("");
    }
    *ret = answers;
    return PAM_SUCCESS;
}

static void session_free(struct session *s)
{
    free(s->home);
    free(s->shell);
    free(s);
}

static int put_env(pam_handle_t *pam, const char *name, const char *value)
{
    char *text = NULL;
    int r = asprintf(&text, "%s=%s", name, value) < 0 ? PAM_BUF_ERR
                                                      : pam_putenv(pam, text);

    if (text)
        free(text);
    return r;
}

/* What a login gives its shell; and where SIGUSR1 goes. */
static int put_login_env(pam_handle_t *pam, const struct passwd *pw)
{
    char pid[16];
    const char *const vars[][2] = {
            {"QREXEC_AGENT_PID", pid},
            {"HOME", pw->pw_dir},
            {"SHELL", pw->pw_shell},
            {"USER", pw->pw_name},
            {"LOGNAME", pw->pw_name},
    };

    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    for (size_t i = 0; i < ARRAY_LEN(vars); i++) {
        int r = put_env(pam, vars[i][0], vars[i][1]);

        if (r != PAM_SUCCESS)
            return r;
    }
    return PAM_SUCCESS;
}

/* Up to an open session; the caller ends the handle after a failure. */
static int log_in(struct session *s, const struct passwd *pw)
{
    static const struct pam_conv conv = {.conv = converse};
    int r = pam_start(SERVICE_NAME, pw->pw_name, &conv, &s->pam);

    if (r == PAM_SUCCESS)
        r = pam_authenticate(s->pam, 0);
    if (r == PAM_SUCCESS)
        r = pam_acct_mgmt(s->pam, 0);
    if (r == PAM_SUCCESS && initgroups(pw->pw_name, pw->pw_gid) < 0)
        r = PAM_CRED_ERR;
    if (r == PAM_SUCCESS)
        r = pam_setcred(s->pam, PAM_ESTABLISH_CRED);
    if (r == PAM_SUCCESS)
        r = pam_open_session(s->pam, 0);
    if (r == PAM_SUCCESS)
        r = put_login_env(s->pam, pw);
    return r;
}

static int session_open(
        const char *user, struct callee_login *ret, struct err *err)
{
    const struct passwd *pw = getpwnam(user);
    struct session *s;
    int r;

    if (!pw || !pw->pw_dir || !*pw->pw_dir)
        return err_set(err, ERR_NOT_FOUND, "user %s does not exist", user);
    s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, ERR_MEMORY, "no memory");
    s->home = strdup(pw->pw_dir);
    s->shell = strdup(*pw->pw_shell ? pw->pw_shell : "/bin/sh");
    s->uid = pw->pw_uid;
    s->gid = pw->pw_gid;
    r = s->home && s->shell ? log_in(s, pw) : PAM_BUF_ERR;
    if (r == PAM_SUCCESS)
        s->env = pam_getenvlist(s->pam);
    if (!s->env) {
        (void)err_set(err, ERR_DENIED, "no session for %s: %s", user,
                pam_strerror(s->pam, r));
        (void)pam_end(s->pam, r);
        session_free(s);
        return ERR_DENIED;
    }
    *ret = (struct callee_login){
            .home = s->home, .shell = s->shell, .env = s->env, .session = s};
    return 0;
}

static int session_become(const struct callee_login *l)
{
    const struct session *s = l->session;

    return setgid(s->gid) < 0 || setuid(s->uid) < 0 ? ERR_IO : 0;
}

static void session_close(struct callee_login *l)
{
    struct session *s = l->session;
    int r = pam_close_session(s->pam, 0);

    (void)pam_setcred(s->pam, PAM_DELETE_CRED | PAM_SILENT);
    (void)pam_end(s->pam, r);
    session_free(s);
    *l = (struct callee_login){0};
}

const struct callee_users session_users = {
        .open = session_open, .become = session_become, .close = session_close};

int session_log(const struct qrexec_command *c)
{
    char name[LIMIT_SERVICE_NAME_MAX + QREXEC_NAME_SIZE];
    int fd;

    (void)snprintf(name, sizeof(name), "%.*s-%.*s", (int)c->service.len,
            (const char *)c->service.ptr, (int)c->source.len,
            (const char *)c->source.ptr);
    fd = sd_journal_stream_fd(name, LOG_INFO, 0);
    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}
