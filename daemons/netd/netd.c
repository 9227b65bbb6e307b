/* SPDX-License-Identifier: Apache-2.0 */
#include "netd.h"

#include "bundle.h"
#include "statement.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TICK_US 250000

/* Listed channels of MSG_STATUS: the answer must fit one message. */
#define STATUS_CONNS_MAX 200

struct channel_time netd_now(void)
{
    struct timespec mono, wall;

    (void)clock_gettime(CLOCK_MONOTONIC, &mono);
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    return (struct channel_time){
            .mono_ms = (uint64_t)mono.tv_sec * 1000 +
                       (uint64_t)mono.tv_nsec / 1000000,
            .unix_s = (uint64_t)wall.tv_sec,
    };
}

void netd_text(char *ret, size_t cap, struct span text)
{
    size_t n = text.len < cap - 1 ? text.len : cap - 1;

    /* Findings come one a line; a header and a record are one line. */
    for (size_t i = 0; i < n; i++) {
        uint8_t c = text.ptr[i];
        ret[i] = c == '\n' ? ';' : c >= ' ' && c <= '~' ? (char)c : '?';
    }
    ret[n] = '\0';
}

const struct pack_zone *netd_zone(const struct netd *d, struct span name)
{
    const struct pack_zone *z =
            d->pack != NULL ? pack_zone(d->pack, name) : NULL;

    return z != NULL && pack_zone_valid(z, role_now()) ? z : NULL;
}

/* ---- configuration --------------------------------------------------- */

static int load_conf(struct netd *d, struct err *err)
{
    struct span text;
    struct conf_zone *conf = calloc(1, sizeof(*conf));
    struct crypto_pub *owner = NULL;

    if (conf == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    if (!bundle_find(role_bundle(d->role, "conf"), "zone.conf", &text)) {
        free(conf);
        return err_set(err, ERR_NOT_FOUND, "no zone.conf was handed over");
    }
    int rc = conf_zone_parse(text, conf, err);
    if (rc == 0 && conf->owner_len > 0) {
        owner = crypto_pub_from_spki(SPAN(conf->owner, conf->owner_len));
        if (owner == NULL)
            rc = err_set(err, ERR_SYNTAX, "zone.conf: malformed owner's key");
    }
    if (rc != 0) {
        free(conf);
        return rc;
    }
    free(d->conf);
    d->conf = conf;
    /* The pack in use borrows the former key: it goes with it. */
    pack_free(TAKE_PTR(d->pack));
    crypto_pub_free(d->owner);
    d->owner = owner;
    return 0;
}

static int read_pack(struct netd *d, struct err *err)
{
    struct bundle_iter it = bundle_iter_of(role_bundle(d->role, "pack"));
    struct bundle_file file;

    if (d->owner == NULL)
        return err_set(err, ERR_NOT_FOUND, "zone.conf names no owner");
    struct pack *p = pack_new(d->owner);
    int rc = p != NULL ? 0 : err_set(err, ERR_MEMORY, "out of memory");

    while (rc == 0 && bundle_next(&it, &file))
        rc = pack_add(p, file.name, file.content, err);
    if (rc == 0)
        rc = pack_check(p, err);
    if (rc != 0) {
        pack_free(p);
        return rc;
    }
    pack_free(d->pack);
    d->pack = p;
    d->pack_reason[0] = '\0';
    return 0;
}

/* A pack is right or it is not used; without one everybody is refused, and
 * told why. */
static void load_pack(struct netd *d)
{
    struct err err = {0};

    if (read_pack(d, &err) == 0)
        return;
    role_log(d->role, "pack: %s", err.msg);
    if (d->pack == NULL)
        netd_text(d->pack_reason, sizeof(d->pack_reason), span_str(err.msg));
}

static int on_reload(struct role *r, const char *name, struct err *err)
{
    struct netd *d = role_user(r);
    int rc = 0;

    if (strcmp(name, "conf") == 0)
        rc = load_conf(d, err);
    if (strcmp(name, "pack") == 0 || d->pack == NULL)
        load_pack(d);
    /* keyd has it, too: why it refused a certificate may be gone. */
    d->cert_retry_ms = 0;
    conn_check_pack(d);
    if (rc != 0)
        return rc;
    rc = cert_rebuild(d, err);
    if (rc != 0) /* the own zone is not what its certificate says */
        conn_end_all(d, "netd", err->msg);
    return rc;
}

/* ---- status ---------------------------------------------------------- */

/* 0: not accepted. */
static uint64_t valid_until(
        const struct conn *c, const struct channel_status *st)
{
    uint64_t until = c->stands.until;

    if (c->stands.number == 0)
        return 0;
    if (c->stands.fresh < until)
        until = c->stands.fresh;
    return st->expires != 0 && st->expires < until ? st->expires : until;
}

static bool put_conn(struct json_t *array, const struct conn *c)
{
    struct json_t *o = statement_add_object(array);
    struct channel_status st;

    channel_status(c->ch, &st);
    return o != NULL && statement_put_str(o, "peer", st.peer) &&
           statement_put_str(o, "address", c->addr) &&
           statement_put_str(o, "channel", channel_state_name(st.state)) &&
           statement_put_u64(o, "id", c->serial) &&
           statement_put_str(o, "state", c->seen.state) &&
           statement_put_digest(o, "evidence", c->seen.evidence) &&
           statement_put_u64(o, "validUntil", valid_until(c, &st)) &&
           statement_put_bool(o, "dialled", st.dialled) &&
           statement_put_u64(
                   o, "age", (netd_now().mono_ms - st.since_ms) / 1000) &&
           statement_put_u64(o, "attestations", st.rounds) &&
           statement_put_u64(o, "streams", st.streams) &&
           statement_put_u64(o, "roundTripMs", st.rtt_ms) &&
           statement_put_u64(o, "bytesUnread", st.held) &&
           statement_put_u64(o, "bytesIn", st.bytes_in) &&
           statement_put_u64(o, "bytesOut", st.bytes_out);
}

/* Why channels ended, the oldest first. */
static bool put_ended(struct json_t *o, const struct netd *d)
{
    struct json_t *array = statement_put_array(o, "ended");
    uint64_t first =
            d->n_ended > NETD_ENDED_MAX ? d->n_ended - NETD_ENDED_MAX : 0;

    for (uint64_t i = first; array != NULL && i < d->n_ended; i++) {
        const struct ended *e = &d->ended[i % NETD_ENDED_MAX];
        struct json_t *in = statement_add_object(array);

        if (in == NULL || !statement_put_u64(in, "id", e->serial) ||
                !statement_put_u64(in, "time", e->time) ||
                !statement_put_str(in, "peer", e->peer) ||
                !statement_put_str(in, "state", e->state) ||
                !statement_put_str(in, "reason", e->reason))
            return false;
    }
    return array != NULL;
}

/* The address that is really bound: zone.conf may say port 0. */
static void bound_address(const struct netd *d, char *ret, size_t cap)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    char host[INET6_ADDRSTRLEN] = "";

    ret[0] = '\0';
    if (d->listener < 0 ||
            getsockname(d->listener, (struct sockaddr *)&sa, &len) != 0)
        return;
    if (sa.ss_family == AF_INET) {
        const struct sockaddr_in *a = (struct sockaddr_in *)&sa;
        (void)inet_ntop(AF_INET, &a->sin_addr, host, sizeof(host));
        (void)snprintf(ret, cap, "%s:%u", host, ntohs(a->sin_port));
    } else if (sa.ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (struct sockaddr_in6 *)&sa;
        (void)inet_ntop(AF_INET6, &a->sin6_addr, host, sizeof(host));
        (void)snprintf(ret, cap, "[%s]:%u", host, ntohs(a->sin6_port));
    }
}

static bool put_status(const struct netd *d, struct json_t *o)
{
    char listen[INET6_ADDRSTRLEN + 16];
    const struct conn *c;
    unsigned n = 0;

    bound_address(d, listen, sizeof(listen));
    if (!statement_put_str(o, "zone", role_zone(d->role)) ||
            !statement_put_str(o, "listen", listen) ||
            !statement_put_bool(o, "certificate", d->context != NULL) ||
            !statement_put_str(o, "where", d->cert_where) ||
            !statement_put_str(o, "reason", d->cert_reason) ||
            !statement_put_u64(o, "waiting", d->n_calls) ||
            !statement_put_u64(o, "connections", d->n_conns) ||
            !put_ended(o, d))
        return false;
    struct json_t *array = statement_put_array(o, "channels");
    if (array == NULL)
        return false;
    TAILQ_FOREACH (c, &d->conns, entry) {
        if (n++ < STATUS_CONNS_MAX && !put_conn(array, c))
            return false;
    }
    return true;
}

static void on_status(struct role *r, const struct role_msg *m)
{
    struct netd *d = role_user(r);
    struct buf text = BUF_INIT(LIMIT_IPC_MSG_MAX - 64);
    struct json_t *o = statement_json_object();
    struct err err = {0};

    if (o == NULL || !put_status(d, o) ||
            statement_json_format(o, &text, &err) != 0) {
        role_refuse(r, m->ticket, ERR_LIMIT, "netd", "status: %s", err.msg);
    } else {
        struct msg_blob blob = {.bytes = buf_span(&text)};
        role_reply(r, m->ticket, MSG_BLOB, &blob, NULL, 0);
    }
    statement_json_free(o);
    buf_fini(&text);
}

/* ---- role ------------------------------------------------------------ */

/* What nothing else wakes up for: deadlines of calls, attempts to dial. */
static int on_tick(sd_event_source *s, uint64_t usec, void *user)
{
    struct netd *d = user;

    listen_tick(d);
    conn_tick(d);
    attest_tick(d);
    cert_tick(d);
    call_tick(d);
    dial_tick(d);
    (void)sd_event_source_set_time(s, usec + TICK_US);
    return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static int on_start(struct role *r, struct err *err)
{
    static struct netd netd; /* as long as the process */
    struct netd *d = &netd;
    uint64_t now;

    d->role = r;
    d->event = role_event(r);
    d->listener = -1;
    d->cert = BUF_INIT(CRYPTO_CERT_MAX);
    d->record_tokens = NETD_RECORD_BURST;
    d->record_ms = netd_now().mono_ms;
    TAILQ_INIT(&d->conns);
    TAILQ_INIT(&d->peers);
    TAILQ_INIT(&d->calls);
    role_set_user(r, d);
    (void)signal(SIGPIPE, SIG_IGN);
    int rc = load_conf(d, err);
    if (rc == 0)
        load_pack(d);
    if (rc == 0)
        rc = listen_start(d, err);
    if (rc == 0)
        rc = role_listen(r, "net-admin", MSG_ROLE_ADMIN, err);
    if (rc != 0)
        return rc;
    if (sd_event_now(d->event, CLOCK_MONOTONIC, &now) < 0 ||
            sd_event_add_time(d->event, &d->tick, CLOCK_MONOTONIC,
                    now + TICK_US, TICK_US / 4, on_tick, d) < 0)
        return err_set(err, ERR_MEMORY, "event loop");
    (void)cert_ready(d); /* ask at once: the first call should not wait */
    return 0;
}

static const struct role_permit permits[] = {
        {MSG_ROLE_CALLD, MSG_OPEN, ROLE_OPEN, call_on_open},
        {MSG_ROLE_CALLD, MSG_APPRAISAL_GET, ROLE_OPEN, call_on_appraisal_get},
        {MSG_ROLE_ATTESTD, MSG_REAPPRAISED, ROLE_OPEN, attest_on_reappraised},
        {MSG_ROLE_KEYD, MSG_STATE_FALLEN, ROLE_OPEN, cert_on_fallen},
        {MSG_ROLE_ADMIN, MSG_STATUS, ROLE_OPEN, on_status},
};

/* NET: dial other zones.  SOCKPAIR: the data of an incoming call, one end for
 * calld.  No files: configuration comes as sealed bytes. */
static const struct sandbox_spec sandbox = {
        .name = "netd",
        .groups = SANDBOX_NET | SANDBOX_SOCKPAIR,
        .max_fds = 8192,
        .max_lock = 1u << 20,
};

static const struct role_spec spec = {
        .role = MSG_ROLE_NETD,
        .sandbox = &sandbox,
        .permits = permits,
        .n_permits = ARRAY_LEN(permits),
        .start = on_start,
        .reload = on_reload,
};

int main(int argc, char **argv)
{
    return role_main(&spec, argc, argv);
}
