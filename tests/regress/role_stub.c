/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real role process without a job, so that the supervisor is tested alone:
 * started as qair-NAME it takes that role's place.  On its local socket it
 * answers MSG_STATUS with what it was given, and MSG_KEY_RELOAD with a system
 * call that its sandbox forbids.
 */
#include "role.h"

#include "bundle.h"

#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct sandbox_spec sandbox = {.name = "stub"};

static void put_names(const struct role *r, char *out, size_t size)
{
    static const char *const bundles[] = {
            "conf", "qubes", "policy", "services", "pack", "events"};
    static const char *const handles[] = {"log", "keys", "programs", "tpm"};
    size_t at = 0;

    for (size_t i = 0; i < ARRAY_LEN(bundles); i++) {
        struct span b = role_bundle(r, bundles[i]);

        if (b.len > 0)
            at += (size_t)snprintf(out + at, size - at, "%s=%zu ", bundles[i],
                    bundle_count(b));
    }
    for (size_t i = 0; i < ARRAY_LEN(handles); i++) {
        if (role_handle(r, handles[i]) >= 0)
            at += (size_t)snprintf(out + at, size - at, "%s ", handles[i]);
    }
}

static void on_status(struct role *r, const struct role_msg *m)
{
    char out[1024] = "";
    size_t at;
    struct msg_blob b;

    put_names(r, out, sizeof(out));
    at = strlen(out);
    for (uint8_t i = MSG_ROLE_CALLD; i <= MSG_ROLE_ATTESTD; i++) {
        if (role_peer(r, i))
            at += (size_t)snprintf(
                    out + at, sizeof(out) - at, "peer-%s ", msg_role_name(i));
    }
    (void)snprintf(
            out + at, sizeof(out) - at, "pid=%d uid=%u", getpid(), getuid());
    b.bytes = span_str(out);
    role_reply(r, m->ticket, MSG_BLOB, &b, NULL, 0);
}

static void on_forbidden(struct role *r, const struct role_msg *m)
{
    (void)r;
    (void)m;
    if (chroot("/") < 0) /* kills before it can fail */
        _exit(5);
}

static int reload(struct role *r, const char *name, struct err *err)
{
    struct span content;

    (void)err;
    role_log(r, "%s again, with %s", name,
            bundle_find(role_bundle(r, "pack"), "new.json", &content) ? "new"
                                                                      : "old");
    return 0;
}

static int listen_on_all(struct role *r, struct err *err)
{
    static const char *const names[] = {"call", "key", "net-admin"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int rc = role_listen(r, names[i], MSG_ROLE_ADMIN, err);

        if (rc < 0 && rc != ERR_NOT_FOUND)
            return rc;
    }
    return 0;
}

static int start_measure(struct role *r, struct err *err)
{
    int fd, rc;

    if (role_handle(r, "tpm") < 0 || role_handle(r, "programs") < 0)
        return err_set(err, ERR_STATE, "no TPM or programs to measure");
    rc = ipc_seal(role_bundle(r, "policy"), "events", &fd, err);
    if (rc < 0)
        return rc;
    role_send(role_peer(r, MSG_ROLE_QAIRD), MSG_FILE, &(struct msg_empty){0},
            &fd, 1);
    (void)close(fd);
    return sd_event_exit(role_event(r), 0);
}

static uint8_t role_of(const char *program)
{
    for (uint8_t i = 1; i < MSG_ROLE_COUNT; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "qair-%s", msg_role_name(i));
        if (strcmp(name, program) == 0)
            return i;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct role_permit permits[] = {
            {MSG_ROLE_ADMIN, MSG_STATUS, ROLE_OPEN, on_status},
            {MSG_ROLE_ADMIN, MSG_KEY_RELOAD, ROLE_OPEN, on_forbidden},
    };
    struct role_spec spec = {
            .role = role_of(basename(argv[0])),
            .sandbox = &sandbox,
            .permits = permits,
            .n_permits = ARRAY_LEN(permits),
            .start = listen_on_all,
            .reload = reload,
    };

    if (spec.role == MSG_ROLE_MEASURE)
        spec.start = start_measure;
    return role_main(&spec, argc, argv);
}
