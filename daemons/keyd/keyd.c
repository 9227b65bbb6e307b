/* SPDX-License-Identifier: Apache-2.0 */
#include "keyd.h"

#include "receipt.h"

#include <stdlib.h>

static const struct role_permit permits[] = {
        {MSG_ROLE_CALLD, MSG_ENVELOPE, ROLE_OPEN, keyd_call_envelope},
        {MSG_ROLE_CALLD, MSG_KEY_SESSION, ROLE_OPEN, keyd_session_open},
        {MSG_ROLE_NETD, MSG_CHANNEL_CERT, ROLE_OPEN, keyd_call_cert},
        {MSG_ROLE_NETD, MSG_EVIDENCE_GET, ROLE_OPEN, keyd_call_evidence},
        {MSG_ROLE_SERVICE, MSG_KEY_SIGN, ROLE_OPEN, keyd_session_sign},
        {MSG_ROLE_ADMIN, MSG_KEY_CREATE, ROLE_OPEN, keyd_admin_create},
        {MSG_ROLE_ADMIN, MSG_KEY_LIST, ROLE_OPEN, keyd_admin_list},
        {MSG_ROLE_ADMIN, MSG_ENROL, ROLE_OPEN, keyd_admin_enrol},
        {MSG_ROLE_ADMIN, MSG_ACTIVATE, ROLE_OPEN, keyd_admin_activate},
        {MSG_ROLE_ADMIN, MSG_SELF_EVIDENCE, ROLE_OPEN, keyd_admin_evidence},
        {MSG_ROLE_ADMIN, MSG_KEY_RELOAD, ROLE_OPEN, keyd_admin_reload},
        {MSG_ROLE_ADMIN, MSG_STATUS, ROLE_OPEN, keyd_admin_status},
};

/* A state that falls while nobody asks closes the keys too. */
static int on_check(sd_event_source *s, uint64_t usec, void *user)
{
    struct keyd *k = user;

    (void)usec;
    (void)keyd_state_check(k);
    if (sd_event_source_set_time_relative(s, KEYD_CHECK_S * 1000000ull) < 0 ||
            sd_event_source_set_enabled(s, SD_EVENT_ONESHOT) < 0)
        role_fatal(k->role, "event loop");
    return 0;
}

static int on_start(struct role *r, struct err *err)
{
    struct keyd *k = calloc(1, sizeof *k);
    int e;

    if (!k)
        return err_set(err, ERR_MEMORY, "no memory");
    k->role = r;
    k->zone = role_zone(r);
    k->zone_name = span_str(k->zone);
    LIST_INIT(&k->jobs);
    role_set_user(r, k);
    e = keyd_session_init(k, err);
    if (e == 0)
        e = keyd_state_init(k, err);
    if (e == 0)
        e = role_listen(r, "key", MSG_ROLE_ADMIN, err);
    if (e == 0 &&
            sd_event_add_time_relative(role_event(r), NULL, CLOCK_MONOTONIC,
                    KEYD_CHECK_S * 1000000ull, 0, on_check, k) < 0)
        e = err_set(err, ERR_MEMORY, "event loop");
    return e;
}

/* zone.conf is measured: what was measured at the start is what holds.  The
 * event log grows when the zone takes its policy anew. */
static int on_reload(struct role *r, const char *bundle, struct err *err)
{
    if (strcmp(bundle, "pack") != 0 && strcmp(bundle, "events") != 0)
        return err_set(err, ERR_STATE, "it was measured: start the zone again");
    keyd_state_reload(role_user(r));
    return 0;
}

static void on_peer(struct role *r, struct role_link *link)
{
    struct keyd *k = role_user(r);

    if (role_link_peer(link) == MSG_ROLE_LOGD)
        keyd_call_logd(k, link);
    if (role_link_peer(link) == MSG_ROLE_NETD) {
        k->state.netd_told = false;
        keyd_tell_netd(k);
    }
    if (role_link_peer(link) == MSG_ROLE_CALLD) {
        k->state.calld_told = false;
        keyd_tell_calld(k);
    }
}

static void on_gone(struct role *r, struct role_link *link)
{
    struct keyd *k = role_user(r);

    if (role_link_peer(link) == MSG_ROLE_SERVICE)
        keyd_session_gone(k, link);
    else if (role_link_peer(link) == MSG_ROLE_LOGD)
        k->log_has_key = false;
}

int main(int argc, char **argv)
{
    static const struct sandbox_spec sandbox = {
            .name = "keyd",
            /* key files in keys/; TPM; a child and a pipe for each artefact */
            .groups = SANDBOX_FILES | SANDBOX_DEVICE | SANDBOX_FORK |
                      SANDBOX_SOCKPAIR,
            /* a session a call, an artefact and a pipe a job */
            .max_fds = LIMIT_CALLS_MAX + 4 * KEYD_JOBS_MAX,
            .max_file = RECEIPT_MAX, /* sealed memory counts as a file */
            .max_lock = 1u << 20,
    };
    static const struct role_spec spec = {
            .role = MSG_ROLE_KEYD,
            .sandbox = &sandbox,
            .permits = permits,
            .n_permits = ARRAY_LEN(permits),
            .start = on_start,
            .reload = on_reload,
            .peer = on_peer,
            .gone = on_gone,
    };

    return role_main(&spec, argc, argv);
}
