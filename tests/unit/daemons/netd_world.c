/* SPDX-License-Identifier: Apache-2.0 */
#include "netd_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

const char *world_program;
const char *world_attestd;

static const enum msg_role roles[LINKS] = {
        MSG_ROLE_KEYD, MSG_ROLE_ATTESTD, MSG_ROLE_LOGD, MSG_ROLE_CALLD};

/* ---- the other roles ------------------------------------------------- */

static void refuse(int fd, uint32_t id, const char *where, const char *reason)
{
    struct msg_refused r = {.code = (uint32_t)-ERR_DENIED,
            .where = span_str(where),
            .reason = span_str(reason)};
    driver_put(fd, MSG_REFUSED, id, &r, NULL, 0);
}

static void answer_file(int link, uint32_t id, struct span bytes)
{
    struct err err;
    int fd = -1;

    assert_int_equal(ipc_seal(bytes, "answer", &fd, &err), 0);
    driver_put(link, MSG_FILE, id, &(struct msg_empty){0}, &fd, 1);
    (void)close(fd);
}

static void play_keyd(struct zone *z, uint16_t type, void *body, uint32_t id)
{
    uint8_t der[CRYPTO_CERT_MAX], evidence[9 + MSG_DIGEST] = "evidence:";
    struct msg_blob out;
    size_t len;

    if (type == MSG_CHANNEL_CERT) {
        struct msg_blob *in = body;
        uint64_t now = (uint64_t)time(NULL);
        z->certs++;
        if (z->no_cert) {
            refuse(z->link[KEYD], id, "keyd", "state is not approved");
            return;
        }
        z->cert_until = now + z->cert_s;
        CLEANUP(crypto_pub_free_ptr)
        struct crypto_pub *pub = crypto_pub_from_spki(in->bytes);
        assert_non_null(pub);
        assert_int_equal(
                crypto_cert_issue(z->estate.identity, z->estate.zone.name, pub,
                        now - 60, z->cert_until, der, sizeof(der), &len),
                0);
        out.bytes = SPAN(der, len);
    } else {
        struct msg_evidence_get *in = body;
        assert_int_equal(type, MSG_EVIDENCE_GET);
        z->quotes++;
        if (z->no_evidence) {
            refuse(z->link[KEYD], id, "keyd", "the TPM does not answer");
            return;
        }
        if (world_attestd) {
            CLEANUP(buf_fini) struct buf blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
            machine_evidence(&z->estate.machine, in->binder, &blob);
            answer_file(z->link[KEYD], id, buf_span(&blob));
            return;
        }
        memcpy(evidence + 9, in->binder, MSG_DIGEST);
        answer_file(z->link[KEYD], id, SPAN_OF(evidence));
        return;
    }
    driver_put(z->link[KEYD], MSG_BLOB, id, &out, NULL, 0);
}

static void play_attestd(struct zone *z, uint16_t type, void *body, uint32_t id,
        struct ipc_fds *fds)
{
    struct span evidence;
    struct err err;
    struct msg_appraise *in = body;
    struct msg_appraised out = {
            .state = span_str(z->peer_state ? z->peer_state : WORLD_STATE),
            .boot = z->boot,
            .until = z->until ? z->until : UINT64_MAX,
            .pack = {1}};

    assert_int_equal(type, MSG_APPRAISE);
    z->appraisals++;
    if (z->mute_attestd)
        return;
    assert_int_equal(
            ipc_map(fds->fd[0], LIMIT_EVIDENCE_MAX, &evidence, &err), 0);
    out.accept = !z->not_golden && evidence.len == 9 + MSG_DIGEST &&
                 memcmp(evidence.ptr + 9, in->binder, MSG_DIGEST) == 0;
    crypto_sha256(evidence, out.evidence);
    ipc_unmap(evidence);
    if (!out.accept) {
        out.state = span_str("not approved");
        out.reason = span_str("policy.d/30-sign.policy differs\nsecond line");
    }
    driver_put(z->link[ATTESTD], MSG_APPRAISED, id, &out, NULL, 0);
}

static void play_logd(struct zone *z, uint16_t type, void *body, uint32_t id)
{
    struct msg_append *in = body;
    struct msg_appended out = {.index = 1, .size = 2};
    struct statement s;
    struct statement_channel c;
    struct err err = {0};

    assert_int_equal(type, MSG_APPEND);
    assert_int_equal(in->kind, MSG_APPEND_STATEMENT);
    if (statement_parse(in->payload, &s, &err) != 0 ||
            statement_channel_parse(&s, &c, &err) != 0)
        fail_msg("record: %s", err.msg);
    if (z->log_full) {
        refuse(z->link[LOGD], id, "logd", "disk is full");
    } else if (z->log_slow) {
        z->held = id;
    } else {
        z->records[c.event]++;
        (void)snprintf(z->record_reason, sizeof(z->record_reason), "%.*s",
                (int)c.reason.len, (const char *)c.reason.ptr);
        (void)snprintf(z->reason_of[c.event], sizeof(z->reason_of[c.event]),
                "%s", z->record_reason);
        driver_put(z->link[LOGD], MSG_APPENDED, id, &out, NULL, 0);
    }
    statement_fini(&s);
}

static void play_calld(struct zone *z, uint16_t type, void *body, uint32_t id,
        struct ipc_fds *fds)
{
    if (type == MSG_INCOMING) {
        struct msg_incoming *in = body;
        z->incoming++;
        (void)snprintf(z->incoming_state, sizeof(z->incoming_state), "%.*s",
                (int)in->state.len, (const char *)in->state.ptr);
        (void)snprintf(z->envelope, sizeof(z->envelope), "%.*s/%.*s",
                (int)in->zone.len, (const char *)in->zone.ptr,
                (int)in->envelope.len, (const char *)in->envelope.ptr);
        if (z->hold_calls)
            return;
        if (z->refuse_calls) {
            refuse(z->link[CALLD], id, "policy of zone server", "denied");
            return;
        }
        if (z->data >= 0)
            (void)close(z->data);
        z->data = TAKE_FD(fds->fd[0]);
        driver_put(z->link[CALLD], MSG_OK, id, &(struct msg_empty){0}, NULL, 0);
        return;
    }
    if (type == MSG_PEER_STATE) {
        struct msg_peer_state *s = body;
        z->peer_states++;
        (void)snprintf(z->told_state, sizeof(z->told_state), "%.*s %.*s",
                (int)s->zone.len, (const char *)s->zone.ptr, (int)s->state.len,
                (const char *)s->state.ptr);
        return;
    }
    z->answers++;
    z->answer = type;
    if (type == MSG_APPRAISAL) {
        struct msg_appraisal *a = body;
        z->appraisal = *a;
        (void)snprintf(z->appraisal_state, sizeof(z->appraisal_state), "%.*s",
                (int)a->state.len, (const char *)a->state.ptr);
        z->appraisal.state = span_str(z->appraisal_state);
    }
    if (type == MSG_REFUSED) {
        struct msg_refused *r = body;
        (void)snprintf(z->where, sizeof(z->where), "%.*s", (int)r->where.len,
                (const char *)r->where.ptr);
        (void)snprintf(z->reason, sizeof(z->reason), "%.*s", (int)r->reason.len,
                (const char *)r->reason.ptr);
    }
}

/* One message of one link; false when the process is gone. */
static bool play(struct zone *z, enum link l)
{
    _Alignas(16) uint8_t body[1024];
    struct ipc_fds fds = {.n = 0};
    uint32_t id = 0;
    uint16_t type = driver_get(z->link[l], body, &fds, &id);

    switch (type == 0 ? LINKS : l) {
    case KEYD:
        play_keyd(z, type, body, id);
        break;
    case ATTESTD:
        play_attestd(z, type, body, id, &fds);
        break;
    case LOGD:
        play_logd(z, type, body, id);
        break;
    case CALLD:
        play_calld(z, type, body, id, &fds);
        break;
    case LINKS:
        return false;
    }
    ipc_fds_close(&fds);
    return true;
}

bool world_serve(struct world *w, int quiet_ms)
{
    struct zone *zones[] = {&w->thin, &w->server};
    struct pollfd p[2 * LINKS];

    for (;;) {
        for (size_t i = 0; i < 2 * LINKS; i++)
            p[i] = (struct pollfd){
                    .fd = zones[i / LINKS]->link[i % LINKS], .events = POLLIN};
        if (poll(p, 2 * LINKS, quiet_ms) <= 0)
            return true;
        for (size_t i = 0; i < 2 * LINKS; i++) {
            if (p[i].revents != 0 &&
                    !play(zones[i / LINKS], (enum link)(i % LINKS)))
                return false;
        }
    }
}

void world_serve_until(struct world *w, const unsigned *count, unsigned want)
{
    for (int i = 0; i < 400 && *count < want; i++)
        assert_true(world_serve(w, 50));
    assert_true(*count >= want);
}

/* ---- start ----------------------------------------------------------- */

static void zone_init(struct zone *z, const char *name)
{
    *z = (struct zone){.data = -1,
            .cert_s = 3600,
            .boot = WORLD_BOOT,
            .link = {-1, -1, -1, -1},
            .file = BUF_INIT(LIMIT_STATEMENT_MAX * 2),
            .reference = BUF_INIT(LIMIT_STATEMENT_MAX * 2)};
    estate_init(&z->estate, name);
    z->estate.zone.since = (uint64_t)time(NULL) - 100;
}

void world_sign(struct zone *z)
{
    buf_reset(&z->file);
    estate_zone_file(&z->estate, &z->file);
}

void world_replace_identity(struct zone *z)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    struct crypto_key *key = crypto_key_generate(CRYPTO_ED25519);
    size_t len;

    assert_non_null(key);
    assert_int_equal(
            crypto_pub_spki(crypto_key_pub(key), spki, sizeof(spki), &len), 0);
    crypto_pub_free(z->estate.zone.identity);
    z->estate.zone.identity = crypto_pub_from_spki(SPAN(spki, len));
    crypto_key_free(key);
    world_sign(z);
}

void world_approve(struct zone *z)
{
    buf_reset(&z->reference);
    estate_reference_file(&z->estate, (uint64_t)time(NULL) - 50, &z->reference);
}

void world_rule(struct zone *z, const char *text)
{
    uint64_t now = (uint64_t)time(NULL);
    struct err err = {0};

    buf_reset(&z->rules);
    z->rules.cap = LIMIT_STATEMENT_MAX * 2;
    if (pack_rules_sign(z->estate.zone.name, span_str(text), now - 50, 0,
                z->estate.owner, &z->rules, &err) != 0)
        fail_msg("%s", err.msg);
}

/* With the states that the owner approves, and the rules for them. */
static void put_states(struct world *w, struct zone *z)
{
    const struct driver_file all[] = {
            {"references/server.json", buf_span(&w->server.reference)},
            {"references/thin.json", buf_span(&w->thin.reference)},
            {"rules/server.json", buf_span(&w->server.rules)},
            {"rules/thin.json", buf_span(&w->thin.rules)},
            {"zones/server.json", buf_span(&w->server.file)},
            {"zones/thin.json", buf_span(&w->thin.file)},
    };
    struct driver_file files[ARRAY_LEN(all)];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i].content.len > 0)
            files[n++] = all[i];
    }
    driver_bundle(&z->d, "pack", files, n);
    driver_bundle(&z->attestd, "pack", files, n);
}

void world_put_pack(struct world *w, struct zone *z, enum world_pack kind)
{
    if (world_attestd) {
        put_states(w, z);
        return;
    }
    const struct driver_file whole[] = {
            {"zones/server.json", buf_span(&w->server.file)},
            {"zones/thin.json", buf_span(&w->thin.file)},
    };
    const struct driver_file alone[] = {
            {z == &w->thin ? "zones/thin.json" : "zones/server.json",
                    buf_span(&z->file)},
    };
    const struct driver_file broken[] = {
            {"zones/server.json", span_str("{}")},
            {"zones/thin.json", buf_span(&w->thin.file)},
    };
    driver_bundle(&z->d, "pack",
            kind == WORLD_PACK_WHOLE   ? whole
            : kind == WORLD_PACK_ALONE ? alone
                                       : broken,
            kind == WORLD_PACK_ALONE ? 1 : 2);
}

static void put_admin(struct world *w, struct zone *z)
{
    struct msg_named n = {.name = span_str("net-admin")};
    int dir = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
    struct err err;

    assert_int_equal(
            ipc_listen(dir, z->estate.zone.name, getuid(), getgid(), &fd, &err),
            0);
    driver_put(z->d.control, MSG_LISTEN, 0, &n, &fd, 1);
    (void)close(fd);
    (void)close(dir);
}

static void start_attestd(struct zone *z)
{
    driver_start(&z->attestd, world_attestd, z->estate.zone.name);
    driver_bundle(&z->attestd, "conf",
            &(struct driver_file){"zone.conf", span_str(z->conf)}, 1);
}

void world_start(struct world *w, struct zone *z, unsigned reattest_s)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    char b64[TEXT_B64_SIZE(CRYPTO_SPKI_MAX)];
    union msg_any any;
    size_t len;

    assert_int_equal(crypto_pub_spki(crypto_key_pub(w->thin.estate.owner), spki,
                             sizeof(spki), &len),
            0);
    text_format_b64(SPAN(spki, len), b64);
    (void)snprintf(z->conf, sizeof(z->conf),
            "name = %s\nlisten = 127.0.0.1:0\ntpm = swtpm\nowner = %s\n"
            "reattest-interval = %u\npeer.%s = 127.0.0.1:%u\n",
            z->estate.zone.name, b64, reattest_s,
            z == &w->thin ? "server" : "thin", w->port);
    driver_start(&z->d, world_program, z->estate.zone.name);
    driver_bundle(&z->d, "conf",
            &(struct driver_file){"zone.conf", span_str(z->conf)}, 1);
    if (world_attestd)
        start_attestd(z);
    world_put_pack(w, z, z->broken_pack ? WORLD_PACK_BROKEN : WORLD_PACK_WHOLE);
    for (size_t i = 0; i < LINKS; i++) {
        if (i == ATTESTD && world_attestd)
            driver_join(&z->d, MSG_ROLE_NETD, &z->attestd, MSG_ROLE_ATTESTD);
        else
            z->link[i] = driver_peer(&z->d, roles[i]);
    }
    if (world_attestd) {
        driver_begin(&z->attestd);
        assert_int_equal(
                driver_get(z->attestd.control, &any, NULL, NULL), MSG_READY);
    }
    if (z == &w->server) {
        struct msg_named n = {.name = span_str("net")};
        driver_put(z->d.control, MSG_LISTEN, 0, &n, &w->listener, 1);
    }
    put_admin(w, z);
    driver_begin(&z->d);
    assert_int_equal(driver_get(z->d.control, &any, NULL, NULL), MSG_READY);
}

/* Port 0 the first time; later the same. */
static void make_listener(struct world *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
            .sin_port = htons(w->port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    const int one = 1;

    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)setsockopt(w->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(w->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(w->listener, 64), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&a, &len), 0);
    w->port = ntohs(a.sin_port);
}

struct world *world_prepare(void)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    zone_init(&w->thin, "thin");
    zone_init(&w->server, "server");
    /* One owner, two zones. */
    w->server_owner = w->server.estate.owner;
    w->server.estate.owner = w->thin.estate.owner;
    estate_zone_file(&w->thin.estate, &w->thin.file);
    estate_zone_file(&w->server.estate, &w->server.file);
    world_approve(&w->thin);
    world_approve(&w->server);
    make_listener(w);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/qair-netd-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    return w;
}

struct world *world_new(unsigned reattest_s)
{
    struct world *w = world_prepare();

    world_start(w, &w->thin, reattest_s);
    world_start(w, &w->server, reattest_s);
    return w;
}

void world_lose_server(struct world *w)
{
    (void)close(w->listener);
    driver_stop(&w->server.d); /* the last holder of the listening socket */
    for (size_t i = 0; i < LINKS; i++) {
        (void)close(w->server.link[i]);
        w->server.link[i] = -1;
    }
    w->listener = -1;
}

void world_restart_server(struct world *w)
{
    int dir = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)unlinkat(dir, "server", 0);
    (void)close(dir);
    make_listener(w);
    world_start(w, &w->server, 300);
}

static void zone_fini(struct zone *z)
{
    driver_stop(&z->d);
    driver_stop(&z->attestd);
    for (size_t i = 0; i < LINKS; i++)
        (void)close(z->link[i]);
    buf_fini(&z->reference);
    buf_fini(&z->rules);
    if (z->data >= 0)
        (void)close(z->data);
    buf_fini(&z->file);
    estate_fini(&z->estate);
}

void world_free(struct world *w)
{
    w->server.estate.owner = w->server_owner;
    zone_fini(&w->thin);
    zone_fini(&w->server);
    (void)close(w->listener);
    int dir = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)unlinkat(dir, "thin", 0);
    (void)unlinkat(dir, "server", 0);
    (void)close(dir);
    (void)rmdir(w->dir);
    free(w);
}

/* One end goes with the message. */
static int put_with_stream(struct world *w, enum msg_type type, const void *msg)
{
    int fds[2];

    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    driver_put(w->thin.link[CALLD], type, 5, msg, &fds[1], 1);
    (void)close(fds[1]);
    return fds[0];
}

static uint64_t deadline_of(const struct world *w)
{
    return (uint64_t)time(NULL) + (w->deadline_s != 0 ? w->deadline_s : 60);
}

static int open_call(struct world *w, const char *zone, const char *envelope,
        const struct msg_appraisal *on)
{
    struct msg_open o = {.zone = span_str(zone),
            .source = span_str(w->source != NULL ? w->source : "work"),
            .deadline = deadline_of(w),
            .envelope = span_str(envelope),
            .number = on->number,
            .boot = on->boot,
            .state = on->state};

    memcpy(o.evidence, on->evidence, sizeof(o.evidence));
    return put_with_stream(w, MSG_OPEN, &o);
}

int world_call(struct world *w, const char *zone, const char *envelope)
{
    return open_call(w, zone, envelope,
            &(struct msg_appraisal){.boot = WORLD_BOOT,
                    .evidence = {1},
                    .state = span_str(WORLD_STATE)});
}

int world_call_on(
        struct world *w, const char *zone, const struct msg_appraisal *on)
{
    return open_call(w, zone, "envelope", on);
}

int world_ask(struct world *w, const char *zone)
{
    struct msg_appraisal_get q = {.zone = span_str(zone),
            .source = span_str("work"),
            .deadline = deadline_of(w)};

    return put_with_stream(w, MSG_APPRAISAL_GET, &q);
}

void world_rejudge(struct zone *z, const char *zone, bool accept, uint8_t pack,
        const char *text)
{
    struct msg_reappraised m = {.zone = span_str(zone),
            .accept = accept,
            .pack = {pack},
            .until = UINT64_MAX,
            .state = span_str(accept ? text : "not approved"),
            .reason = span_str(accept ? "" : text)};

    driver_put(z->link[ATTESTD], MSG_REAPPRAISED, 0, &m, NULL, 0);
}

int world_connect(const struct world *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
            .sin_port = htons(w->port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}
