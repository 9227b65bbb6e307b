/* SPDX-License-Identifier: Apache-2.0 */
/* Two real qair-netd in their sandboxes, talking over loopback TCP; this
 * process is everybody else in both zones.  args: PROGRAM. */
#include "driver.h"
#include "pack_fixture.h"
#include "statement.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program;

enum link { KEYD, ATTESTD, LOGD, CALLD, LINKS };
static const enum msg_role roles[LINKS] = {
        MSG_ROLE_KEYD, MSG_ROLE_ATTESTD, MSG_ROLE_LOGD, MSG_ROLE_CALLD};

struct zone {
    struct estate estate;
    struct buf file; /* zones/NAME.json */
    struct driver d;
    int link[LINKS];
    char conf[1024];
    /* knobs */
    bool no_cert;      /* keyd: state not approved */
    bool no_evidence;  /* keyd: TPM does not answer */
    bool not_golden;   /* attestd about the peer */
    bool log_full;     /* logd */
    bool log_slow;     /* logd keeps the request */
    bool refuse_calls; /* calld */
    bool mute_attestd;
    bool broken_pack; /* at start */
    /* what happened */
    unsigned certs, quotes, appraisals;
    unsigned records[STATEMENT_CHANNEL_EVENT_COUNT];
    char record_reason[256];
    uint32_t held; /* id of the request that logd keeps */
    unsigned incoming;
    int data; /* of the last incoming call */
    char envelope[64];
    unsigned answers;
    uint16_t answer;
    char where[128], reason[300];
};

struct world {
    struct zone thin, server;
    struct crypto_key *server_owner; /* put back at the end */
    uint16_t port;
    int listener;
    char dir[32]; /* of the admin sockets */
};

/* ---- the other roles ------------------------------------------------- */

static void refuse(int fd, uint32_t id, const char *where, const char *reason)
{
    struct msg_refused r = {.code = (uint32_t)-ERR_DENIED,
            .where = span_str(where),
            .reason = span_str(reason)};
    driver_put(fd, MSG_REFUSED, id, &r, NULL, 0);
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
        CLEANUP(crypto_pub_free_ptr)
        struct crypto_pub *pub = crypto_pub_from_spki(in->bytes);
        assert_non_null(pub);
        assert_int_equal(
                crypto_cert_issue(z->estate.identity, z->estate.zone.name, pub,
                        now - 60, now + 3600, der, sizeof(der), &len),
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
        memcpy(evidence + 9, in->binder, MSG_DIGEST);
        out.bytes = SPAN_OF(evidence);
    }
    driver_put(z->link[KEYD], MSG_BLOB, id, &out, NULL, 0);
}

static void play_attestd(struct zone *z, uint16_t type, void *body, uint32_t id)
{
    struct msg_appraise *in = body;
    struct msg_appraised out = {.state = span_str("golden (emulated)")};

    assert_int_equal(type, MSG_APPRAISE);
    z->appraisals++;
    if (z->mute_attestd)
        return;
    out.accept = !z->not_golden && in->evidence.len == 9 + MSG_DIGEST &&
                 memcmp(in->evidence.ptr + 9, in->binder, MSG_DIGEST) == 0;
    crypto_sha256(in->evidence, out.evidence);
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
        (void)snprintf(z->envelope, sizeof(z->envelope), "%.*s/%.*s",
                (int)in->zone.len, (const char *)in->zone.ptr,
                (int)in->envelope.len, (const char *)in->envelope.ptr);
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
    z->answers++;
    z->answer = type;
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
        play_attestd(z, type, body, id);
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

/* Serves both zones until nothing came for quiet_ms; false: a process died. */
static bool serve(struct world *w, int quiet_ms)
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

/* Serves until *count reaches want; asserts that it does, within 20 s. */
static void serve_until(struct world *w, const unsigned *count, unsigned want)
{
    for (int i = 0; i < 400 && *count < want; i++)
        assert_true(serve(w, 50));
    assert_true(*count >= want);
}

/* ---- start ----------------------------------------------------------- */

static void zone_init(struct zone *z, const char *name)
{
    *z = (struct zone){.data = -1, .file = BUF_INIT(LIMIT_STATEMENT_MAX * 2)};
    estate_init(&z->estate, name);
    z->estate.zone.since = (uint64_t)time(NULL) - 100;
}

enum pack_kind { PACK_WHOLE, PACK_ALONE, PACK_BROKEN };

static void put_pack(struct world *w, struct zone *z, enum pack_kind kind)
{
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
            kind == PACK_WHOLE   ? whole
            : kind == PACK_ALONE ? alone
                                 : broken,
            kind == PACK_ALONE ? 1 : 2);
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

static void zone_start(struct world *w, struct zone *z, unsigned reattest_s)
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
    driver_start(&z->d, program, z->estate.zone.name);
    driver_bundle(&z->d, "conf",
            &(struct driver_file){"zone.conf", span_str(z->conf)}, 1);
    put_pack(w, z, z->broken_pack ? PACK_BROKEN : PACK_WHOLE);
    for (size_t i = 0; i < LINKS; i++)
        z->link[i] = driver_peer(&z->d, roles[i]);
    if (z == &w->server) {
        struct msg_named n = {.name = span_str("net")};
        driver_put(z->d.control, MSG_LISTEN, 0, &n, &w->listener, 1);
    }
    put_admin(w, z);
    driver_begin(&z->d);
    assert_int_equal(driver_get(z->d.control, &any, NULL, NULL), MSG_READY);
}

static void make_listener(struct world *w)
{
    struct sockaddr_in a = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(w->listener, 64), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&a, &len), 0);
    w->port = ntohs(a.sin_port);
}

static struct world *world_prepare(void)
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
    make_listener(w);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/qair-netd-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    return w;
}

static struct world *world_new(unsigned reattest_s)
{
    struct world *w = world_prepare();

    zone_start(w, &w->thin, reattest_s);
    zone_start(w, &w->server, reattest_s);
    return w;
}

static void zone_fini(struct zone *z)
{
    driver_stop(&z->d);
    for (size_t i = 0; i < LINKS; i++)
        (void)close(z->link[i]);
    if (z->data >= 0)
        (void)close(z->data);
    buf_fini(&z->file);
    estate_fini(&z->estate);
}

static void world_free(struct world *w)
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

static int open_call(struct world *w, const char *zone, const char *envelope)
{
    struct msg_open o = {.zone = span_str(zone),
            .deadline = (uint64_t)time(NULL) + 60,
            .envelope = span_str(envelope)};
    int fds[2];

    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    driver_put(w->thin.link[CALLD], MSG_OPEN, 5, &o, &fds[1], 1);
    (void)close(fds[1]);
    return fds[0];
}

/* ---- tests ----------------------------------------------------------- */

static void call_reaches_the_other_zone(void **state)
{
    struct world *w = world_new(300);
    char buf[32];
    (void)state;

    int fd = open_call(w, "server", "envelope");
    assert_int_equal(write(fd, "question", 8), 8);
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_OK);
    assert_string_equal(w->server.envelope, "thin/envelope");
    assert_int_equal(w->thin.records[STATEMENT_CHANNEL_OPENED], 1);
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_OPENED], 1);
    (void)serve(w, 50);
    assert_int_equal(read(w->server.data, buf, sizeof(buf)), 8);
    assert_int_equal(write(w->server.data, "answer", 6), 6);
    (void)serve(w, 50);
    assert_int_equal(read(fd, buf, sizeof(buf)), 6);
    /* The next one needs no new channel. */
    int more = open_call(w, "server", "second");
    serve_until(w, &w->thin.answers, 2);
    assert_string_equal(w->server.envelope, "thin/second");
    assert_int_equal(w->thin.records[STATEMENT_CHANNEL_OPENED], 1);
    (void)close(fd);
    (void)close(more);
    world_free(w);
}

static void refusal_of_the_other_side_comes_back_whole(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->server.refuse_calls = true;
    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "policy of zone server");
    assert_string_equal(w->thin.reason, "denied");
    (void)close(fd);
    world_free(w);
}

static void unknown_zone_and_own_zone_are_refused(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    int fd = open_call(w, "nobody", "envelope");
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "netd");
    (void)close(fd);
    fd = open_call(w, "thin", "envelope");
    serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    (void)close(fd);
    world_free(w);
}

static void zone_that_is_not_approved_says_so_and_recovers(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->thin.no_cert = true;
    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "keyd");
    assert_string_equal(w->thin.reason, "state is not approved");
    (void)close(fd);
    /* Approved: the next call works, nothing was restarted. */
    w->thin.no_cert = false;
    usleep(600000);
    fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void target_that_is_not_approved_opens_no_channel(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->server.no_cert = true;
    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "netd");
    assert_int_equal(w->server.incoming, 0);
    (void)close(fd);
    w->server.no_cert = false;
    usleep(600000);
    fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void bad_state_is_refused_recorded_and_explained(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->thin.not_golden = true;
    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "attestd of zone thin");
    assert_non_null(strstr(w->thin.reason, "policy.d/30-sign.policy differs"));
    assert_int_equal(w->thin.quotes, 0); /* nothing of ours was shown */
    serve_until(w, &w->thin.records[STATEMENT_CHANNEL_REFUSED], 1);
    serve_until(w, &w->server.records[STATEMENT_CHANNEL_REFUSED], 1);
    assert_int_equal(w->thin.records[STATEMENT_CHANNEL_OPENED], 0);
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_OPENED], 0);
    (void)close(fd);
    world_free(w);
}

static void own_state_the_server_does_not_like(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->server.not_golden = true;
    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_non_null(strstr(w->thin.reason, "did not accept this zone's"));
    /* The findings are for the server's people. */
    assert_null(strstr(w->thin.reason, "30-sign"));
    serve_until(w, &w->server.records[STATEMENT_CHANNEL_REFUSED], 1);
    assert_non_null(strstr(w->server.record_reason, "30-sign"));
    (void)close(fd);
    world_free(w);
}

static void no_record_no_channel(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->server.log_full = true;
    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_int_equal(w->server.incoming, 0);
    (void)close(fd);
    world_free(w);
}

static void no_call_before_the_record(void **state)
{
    struct world *w = world_new(300);
    struct msg_appended done = {.index = 1, .size = 2};
    (void)state;

    w->thin.log_slow = true;
    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->server.records[STATEMENT_CHANNEL_OPENED], 1);
    assert_true(serve(w, 300));
    assert_int_equal(w->server.incoming, 0);
    assert_int_equal(w->thin.answers, 0);
    w->thin.log_slow = false;
    driver_put(w->thin.link[LOGD], MSG_APPENDED, w->thin.held, &done, NULL, 0);
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void state_that_falls_cuts_streams_and_is_recorded(void **state)
{
    struct world *w = world_new(5); /* the least that zone.conf takes */
    char buf[32];
    (void)state;

    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    serve_until(w, &w->thin.records[STATEMENT_CHANNEL_REATTESTED], 1);
    assert_true(w->server.records[STATEMENT_CHANNEL_REATTESTED] >= 1);
    w->thin.not_golden = true;
    serve_until(w, &w->thin.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_non_null(strstr(w->thin.record_reason, "30-sign"));
    serve_until(w, &w->server.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_int_equal(read(fd, buf, sizeof(buf)), 0);
    assert_int_equal(read(w->server.data, buf, sizeof(buf)), 0);
    (void)close(fd);
    world_free(w);
}

static void say_fallen(struct zone *z)
{
    const struct msg_refused fell = {.code = (uint32_t)-ERR_DENIED,
            .where = span_str("keyd"),
            .reason = span_str("PCR 14 changed")};

    driver_put(z->link[KEYD], MSG_STATE_FALLEN, 0, &fell, NULL, 0);
}

/* The peer is not asked: re-attestation is minutes away. */
static void own_state_that_falls_cuts_streams(void **state)
{
    struct world *w = world_new(300);
    char buf[32];
    (void)state;

    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    w->server.no_cert = true;
    say_fallen(&w->server);
    serve_until(w, &w->server.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_non_null(strstr(w->server.record_reason, "PCR 14 changed"));
    serve_until(w, &w->thin.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_int_equal(read(fd, buf, sizeof(buf)), 0);
    assert_int_equal(read(w->server.data, buf, sizeof(buf)), 0);
    (void)close(fd);
    /* nor does it dial any more, until keyd certifies again */
    w->thin.no_cert = true;
    say_fallen(&w->thin);
    fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "keyd");
    (void)close(fd);
    w->thin.no_cert = w->server.no_cert = false;
    usleep(2500000);
    fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 3);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void zone_that_leaves_the_pack_is_cut_off(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    put_pack(w, &w->thin, PACK_ALONE);
    serve_until(w, &w->thin.records[STATEMENT_CHANNEL_CLOSED], 1);
    int more = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_non_null(strstr(w->thin.reason, "not in the pack"));
    (void)close(fd);
    (void)close(more);
    world_free(w);
}

static void broken_pack_is_not_used(void **state)
{
    struct world *w = world_prepare();
    (void)state;

    w->thin.broken_pack = true;
    zone_start(w, &w->thin, 300);
    zone_start(w, &w->server, 300);
    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_string_equal(w->thin.where, "netd");
    if (strstr(w->thin.reason, "the pack is not used: ") == NULL)
        fail_msg("%s", w->thin.reason);
    (void)close(fd);
    /* The right one comes: used at once.  Broken again: the right one stays. */
    put_pack(w, &w->thin, PACK_WHOLE);
    usleep(600000);
    for (unsigned n = 2; n <= 3; n++) {
        fd = open_call(w, "server", "envelope");
        serve_until(w, &w->thin.answers, n);
        assert_int_equal(w->thin.answer, MSG_OK);
        (void)close(fd);
        put_pack(w, &w->thin, PACK_BROKEN);
    }
    world_free(w);
}

static void peer_that_is_not_there_is_a_quick_refusal(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    (void)close(w->listener);
    driver_stop(&w->server.d); /* the last holder of the listening socket */
    for (size_t i = 0; i < LINKS; i++) {
        (void)close(w->server.link[i]);
        w->server.link[i] = -1;
    }
    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_non_null(strstr(w->thin.reason, "refused"));
    (void)close(fd);
    w->listener = -1;
    world_free(w);
}

static int connect_to(const struct world *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
            .sin_port = htons(w->port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* Garbage, silence and floods of strangers leave the zone working, and the
 * log bounded. */
static void strangers_do_not_hold_back_the_zone(void **state)
{
    struct world *w = world_new(300);
    int fds[80];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = connect_to(w);
        if (i % 2 == 0)
            assert_true(send(fds[i], "\x16\x03\x01\xff\xff garbage", 13,
                                MSG_NOSIGNAL) > 0);
        assert_true(serve(w, 1));
    }
    assert_true(serve(w, 200));
    assert_true(w->server.records[STATEMENT_CHANNEL_REFUSED] > 0);
    assert_true(w->server.records[STATEMENT_CHANNEL_REFUSED] <= 22);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        (void)close(fds[i]);
    assert_true(serve(w, 100));
    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void dead_attestd_does_not_hang_the_caller(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    w->thin.mute_attestd = true;
    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.appraisals, 1);
    (void)close(w->thin.link[ATTESTD]);
    w->thin.link[ATTESTD] = -1;
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    /* qaird starts it again. */
    w->thin.mute_attestd = false;
    w->thin.link[ATTESTD] = driver_peer(&w->thin.d, MSG_ROLE_ATTESTD);
    (void)close(fd);
    fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_OK);
    (void)close(fd);
    world_free(w);
}

static void killed_peer_is_noticed_and_dialled_again(void **state)
{
    struct world *w = world_new(300);
    (void)state;

    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    driver_stop(&w->server.d);
    for (size_t i = 0; i < LINKS; i++)
        (void)close(w->server.link[i]);
    zone_start(w, &w->server, 300);
    serve_until(w, &w->thin.records[STATEMENT_CHANNEL_CLOSED], 1);
    (void)close(fd);
    fd = open_call(w, "server", "again");
    serve_until(w, &w->thin.answers, 2);
    assert_int_equal(w->thin.answer, MSG_OK);
    assert_string_equal(w->server.envelope, "thin/again");
    (void)close(fd);
    world_free(w);
}

static void status_tells_the_bound_address(void **state)
{
    struct world *w = world_new(300);
    char want[64];
    struct msg_blob blob;
    struct err err;
    int admin = -1;
    (void)state;

    int fd = open_call(w, "server", "envelope");
    serve_until(w, &w->thin.answers, 1);
    assert_int_equal(ipc_connect(w->dir, "server", &admin, &err), 0);
    driver_put(admin, MSG_STATUS, 9, &(struct msg_empty){0}, NULL, 0);
    assert_int_equal(driver_get(admin, &blob, NULL, NULL), MSG_BLOB);
    (void)snprintf(want, sizeof(want), "\"listen\":\"127.0.0.1:%u\"", w->port);
    assert_non_null(memmem(blob.bytes.ptr, blob.bytes.len, want, strlen(want)));
    assert_non_null(memmem(blob.bytes.ptr, blob.bytes.len, "\"peer\":\"thin\"",
            strlen("\"peer\":\"thin\"")));
    (void)close(admin);
    (void)close(fd);
    world_free(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(call_reaches_the_other_zone),
            cmocka_unit_test(refusal_of_the_other_side_comes_back_whole),
            cmocka_unit_test(unknown_zone_and_own_zone_are_refused),
            cmocka_unit_test(zone_that_is_not_approved_says_so_and_recovers),
            cmocka_unit_test(target_that_is_not_approved_opens_no_channel),
            cmocka_unit_test(bad_state_is_refused_recorded_and_explained),
            cmocka_unit_test(own_state_the_server_does_not_like),
            cmocka_unit_test(no_record_no_channel),
            cmocka_unit_test(no_call_before_the_record),
            cmocka_unit_test(state_that_falls_cuts_streams_and_is_recorded),
            cmocka_unit_test(own_state_that_falls_cuts_streams),
            cmocka_unit_test(zone_that_leaves_the_pack_is_cut_off),
            cmocka_unit_test(broken_pack_is_not_used),
            cmocka_unit_test(peer_that_is_not_there_is_a_quick_refusal),
            cmocka_unit_test(strangers_do_not_hold_back_the_zone),
            cmocka_unit_test(dead_attestd_does_not_hang_the_caller),
            cmocka_unit_test(killed_peer_is_noticed_and_dialled_again),
            cmocka_unit_test(status_tells_the_bound_address),
    };
    if (argc != 2)
        return 2;
    program = argv[1];
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
