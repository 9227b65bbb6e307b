/* SPDX-License-Identifier: Apache-2.0 */
#include "keyd_world.h"

#include "statement.h"
#include "tpm.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(x) assert_int_equal((x), 0)

const char *world_program;
/* Made once, copied for each world. */
static struct swtpm world_chip;
static struct err err;

/* ---- the TPM, with somebody in between ------------------------------- */

static void forward(int from, int to)
{
    uint8_t b[4096];
    ssize_t n = read(from, b, sizeof b);

    if (n <= 0 || write(to, b, (size_t)n) != n)
        _exit(0);
}

/* TPM2_PCR_Extend, SHA-256, with an empty password. */
static void extend(int tpm, uint8_t pcr)
{
    uint8_t cmd[65] = {0x80, 0x02, 0, 0, 0, 65, 0, 0, 0x01, 0x82, 0, 0, 0, pcr,
            0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x0b,
            0x66};
    uint8_t answer[4096];

    if (write(tpm, cmd, sizeof cmd) != sizeof cmd ||
            read(tpm, answer, sizeof answer) < 10 || answer[9] != 0)
        _exit(1);
}

_Noreturn static void proxy(int keyd, int tpm, int ctl)
{
    struct pollfd p[] = {{keyd, POLLIN, 0}, {ctl, POLLIN, 0}};
    uint8_t what;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        if (poll(p, 2, -1) < 0)
            _exit(0);
        if (p[1].revents) {
            if (read(ctl, &what, 1) != 1)
                _exit(0);
            extend(tpm, what);
            if (write(ctl, &what, 1) != 1)
                _exit(0);
        } else if (p[0].revents) {
            forward(keyd, tpm);
            forward(tpm, keyd);
        }
    }
}

static int proxy_start(struct world *w)
{
    int tpm = swtpm_connect(&w->chip), ctl[2], end[2];

    assert_true(tpm >= 0);
    OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ctl));
    OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end));
    w->proxy = fork();
    if (w->proxy == 0) {
        close(ctl[0]);
        close(end[0]);
        proxy(end[1], tpm, ctl[1]);
    }
    close(tpm);
    close(ctl[1]);
    close(end[1]);
    w->proxy_ctl = ctl[0];
    return end[0];
}

void world_extend_pcr(struct world *w, uint8_t pcr)
{
    uint8_t what = pcr;

    assert_int_equal(write(w->proxy_ctl, &what, 1), 1);
    assert_int_equal(read(w->proxy_ctl, &what, 1), 1);
}

void world_extend(struct world *w)
{
    world_extend_pcr(w, TPM_PCR_QAIR);
}

/* ---- life ------------------------------------------------------------ */

/* What qair-measure does, for one file. */
static void measure(struct world *w)
{
    struct evidence_event e = {.kind = span_str("policy"),
            .name = span_str("policy.d/30-sign.policy"),
            .size = 6};
    struct tpm *t = NULL;
    uint8_t digest[32];

    crypto_sha256(span_str("allow\n"), e.sha256);
    OK(tpm_open(swtpm_connect(&w->chip), true, &t, &err));
    OK(evidence_events_begin(&w->events, &err));
    OK(evidence_events_add(&w->events, &e, digest, &err));
    OK(tpm_pcr_extend(t, TPM_PCR_QAIR, digest, &err));
    OK(evidence_events_end(&w->events, digest, &err));
    OK(tpm_pcr_extend(t, TPM_PCR_QAIR, digest, &err));
    tpm_close(t);
}

void world_init(struct world *w)
{
    char path[128];

    *w = (struct world){.proxy_ctl = -1};
    snprintf(w->dir, sizeof w->dir, "/tmp/qair-test-keyd-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(path, sizeof path, "%s/keys", w->dir);
    OK(mkdir(path, 0700));
    snprintf(w->run, sizeof w->run, "%s/run", w->dir);
    OK(mkdir(w->run, 0700));
    w->events = BUF_INIT(LIMIT_EVIDENCE_MAX);
    w->told = BUF_INIT(LIMIT_STATEMENT_MAX);
    w->zone_file = BUF_INIT(LIMIT_EVIDENCE_MAX);
    w->reference_file = BUF_INIT(LIMIT_EVIDENCE_MAX);
    for (size_t i = 0; i < ARRAY_LEN(w->key_file); i++)
        w->key_file[i] = BUF_INIT(LIMIT_EVIDENCE_MAX);
    w->owner = crypto_key_generate(CRYPTO_P256);
    assert_non_null(w->owner);
    assert_true(swtpm_copy(&world_chip, &w->chip) && swtpm_start(&w->chip));
    measure(w);
}

void world_stop(struct world *w)
{
    driver_stop(&w->d);
    if (w->proxy > 0) {
        kill(w->proxy, SIGKILL);
        waitpid(w->proxy, NULL, 0);
        close(w->proxy_ctl);
        close(w->admin);
        close(w->calld);
        close(w->netd);
        close(w->logd);
    }
    w->proxy = 0;
}

void world_fini(struct world *w)
{
    char cmd[128];

    world_stop(w);
    swtpm_fini(&w->chip);
    crypto_key_free(w->owner);
    crypto_pub_free(w->identity);
    crypto_pub_free(w->log);
    buf_fini(&w->events);
    buf_fini(&w->told);
    buf_fini(&w->zone_file);
    buf_fini(&w->reference_file);
    buf_fini(&w->office_file);
    for (size_t i = 0; i < ARRAY_LEN(w->key_file); i++)
        buf_fini(&w->key_file[i]);
    snprintf(cmd, sizeof cmd, "rm -rf -- '%s'", w->dir);
    OK(system(cmd));
}

static void put_conf(struct world *w)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    char owner[TEXT_B64_SIZE(CRYPTO_SPKI_MAX)], text[1024];
    struct driver_file f = {.name = "zone.conf"};
    size_t len = 0;

    OK(crypto_pub_spki(crypto_key_pub(w->owner), spki, sizeof spki, &len));
    text_format_b64(SPAN(spki, len), owner);
    snprintf(text, sizeof text,
            "name = %s\nlisten = 127.0.0.1:7744\ntpm = swtpm\nowner = %s\n"
            "pcrs = %s\n",
            ZONE, owner, w->pcrs ? w->pcrs : "14");
    f.content = span_str(text);
    driver_bundle(&w->d, "conf", &f, 1);
}

static void put_pack(struct world *w)
{
    struct driver_file f[7];
    char path[4][100];
    size_t n = 0;

    /* in the order of names, keys first */
    for (size_t i = 0; i < w->n_keys; i++) {
        snprintf(path[i], sizeof path[i], "keys/%s.json", w->key_name[i]);
        f[n++] = (struct driver_file){path[i], buf_span(&w->key_file[i])};
    }
    if (w->reference_file.len > 0)
        f[n++] = (struct driver_file){
                "references/" ZONE ".json", buf_span(&w->reference_file)};
    if (w->office_file.len > 0)
        f[n++] = (struct driver_file){
                "zones/office.json", buf_span(&w->office_file)};
    if (w->zone_file.len > 0)
        f[n++] = (struct driver_file){
                "zones/" ZONE ".json", buf_span(&w->zone_file)};
    driver_bundle(&w->d, "pack", f, n);
}

static int keys_dir(const struct world *w)
{
    char path[128];

    snprintf(path, sizeof path, "%s/keys", w->dir);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void world_launch(struct world *w)
{
    struct driver_file events = {"events", buf_span(&w->events)};
    struct msg_named key = {.name = span_str("key")};
    int dir, fd = -1;

    driver_start(&w->d, world_program, ZONE);
    put_conf(w);
    put_pack(w);
    driver_bundle(&w->d, "events", &events, 1);
    driver_bundle(&w->d, "machine", w->machine, w->n_machine);
    if (w->measured > 0)
        driver_handle(&w->d, "measured", dup(w->measured));
    if (w->report > 0)
        driver_handle(&w->d, "report", dup(w->report));
    driver_handle(&w->d, "tpm", proxy_start(w));
    driver_handle(&w->d, "keys", keys_dir(w));
    dir = open(w->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OK(ipc_listen(dir, "key.sock", getuid(), getgid(), &fd, &err));
    driver_put(w->d.control, MSG_LISTEN, 0, &key, &fd, 1);
    close(fd);
    close(dir);
    w->calld = driver_peer(&w->d, MSG_ROLE_CALLD);
    w->netd = driver_peer(&w->d, MSG_ROLE_NETD);
    w->logd = driver_peer(&w->d, MSG_ROLE_LOGD);
    OK(ipc_connect(w->run, "key.sock", &w->admin, &err));
    driver_begin(&w->d);
}

void world_start(struct world *w)
{
    struct msg_empty e;
    struct msg_log_key k;

    world_launch(w);
    assert_int_equal(driver_get(w->d.control, &e, NULL, NULL), MSG_READY);
    assert_int_equal(driver_get(w->logd, &k, NULL, NULL), MSG_LOG_KEY);
    memcpy(w->log_seed, k.seed, sizeof w->log_seed);
}

/* ---- asking ---------------------------------------------------------- */

bool world_refused(int fd, char *ret_reason, size_t cap)
{
    union {
        struct msg_refused refused;
        struct msg_decision largest;
    } b;

    if (driver_answer(fd, &b, NULL, NULL) != MSG_REFUSED)
        return false;
    text_format_safe(b.refused.reason, ret_reason, cap);
    return true;
}

uint16_t world_ask(struct world *w, enum msg_type type, const void *msg,
        void *ret_body, struct buf *ret_file)
{
    struct ipc_fds fds = {.n = 0};
    struct span map;
    uint16_t got;

    driver_put(w->admin, type, 7, msg, NULL, 0);
    got = driver_get(w->admin, ret_body, &fds, NULL);
    if (got == MSG_FILE) {
        OK(ipc_map(fds.fd[0], 1u << 20, &map, &err));
        buf_append(ret_file, map);
        OK(buf_ok(ret_file, &err));
        ipc_unmap(map);
    }
    ipc_fds_close(&fds);
    return got;
}

bool world_approved(struct world *w, char *ret_reason, size_t cap)
{
    struct msg_blob b;
    struct json_t *j;
    struct statement_reader r;
    struct span reason;
    bool approved = false;

    assert_int_equal(world_ask(w, MSG_STATUS, &(struct msg_empty){0}, &b, NULL),
            MSG_BLOB);
    j = statement_json_parse(b.bytes, &err);
    assert_non_null(j);
    r = statement_reader_of(j);
    assert_true(statement_get_bool(&r, "approved", &approved));
    assert_true(statement_get_utf8(&r, "reason", 512, &reason));
    text_format_safe(reason, ret_reason, cap);
    statement_json_free(j);
    return approved;
}

/* ---- the owner ------------------------------------------------------- */

static struct crypto_pub *pub_of(struct statement_reader *r, const char *member)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len = 0;

    assert_true(statement_get_b64(r, member, spki, sizeof spki, &len));
    return crypto_pub_from_spki(SPAN(spki, len));
}

void world_enrol(struct world *w)
{
    CLEANUP(buf_fini) struct buf claim = BUF_INIT(49152);
    struct pack_zone *z = calloc(1, sizeof *z);
    struct msg_empty e;
    struct statement_reader r;
    struct json_t *j;

    assert_int_equal(
            world_ask(w, MSG_ENROL, &(struct msg_empty){0}, &e, &claim),
            MSG_FILE);
    j = statement_json_parse(buf_span(&claim), &err);
    assert_non_null(j);
    r = statement_reader_of(j);
    crypto_pub_free(w->identity);
    crypto_pub_free(w->log);
    w->identity = pub_of(&r, "identity");
    w->log = pub_of(&r, "log");
    assert_true(statement_get_b64(
            &r, "ak_public", w->ak, sizeof w->ak, &w->ak_len));
    statement_json_free(j);
    assert_true(w->identity && w->log && z);
    snprintf(z->name, sizeof z->name, ZONE);
    memcpy(z->ak, w->ak, w->ak_len);
    z->ak_len = w->ak_len;
    z->identity = w->identity;
    z->log = w->log;
    z->emulated = !w->hardware;
    z->since = 1;
    z->revoked = w->revoked;
    z->until = w->until;
    buf_reset(&w->zone_file);
    OK(pack_zone_sign(z, w->owner, &w->zone_file, &err));
    free(z);
}

void world_approve(struct world *w, const struct crypto_key *by,
        const char *zone, uint64_t expires)
{
    CLEANUP(buf_fini) struct buf blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    struct msg_evidence_get q = {.binder = {1}};
    struct pack_reference *ref = calloc(1, sizeof *ref);
    struct evidence *ev = calloc(1, sizeof *ev);
    struct msg_empty e;

    assert_int_equal(world_ask(w, MSG_SELF_EVIDENCE, &q, &e, &blob), MSG_FILE);
    OK(evidence_parse(buf_span(&blob), ev, &err));
    OK(pack_reference_from(
            ev, zone, "golden", (uint64_t)time(NULL) - 1, expires, ref, &err));
    buf_reset(&w->reference_file);
    OK(pack_reference_sign(ref, by, &w->reference_file, &err));
    pack_reference_fini(ref);
    free(ref);
    free(ev);
}

void world_send_pack(struct world *w)
{
    put_pack(w);
    /* the bundle was sent on another link: wait until it has been taken */
    usleep(50000);
}

void world_ready(struct world *w)
{
    char reason[512];

    world_start(w);
    world_enrol(w);
    world_approve(w, w->owner, ZONE, 0);
    world_send_pack(w);
    if (!world_approved(w, reason, sizeof reason))
        fail_msg("not approved: %s", reason);
}

void world_add_key(struct world *w, const char *name, const char *custody,
        const char *profile, struct span spki, bool revoked)
{
    struct pack_key *k = calloc(1, sizeof *k);
    size_t i = 0;

    assert_non_null(k);
    snprintf(k->name, sizeof k->name, "%s", name);
    snprintf(k->zone, sizeof k->zone, ZONE);
    snprintf(k->custody, sizeof k->custody, "%s", custody);
    snprintf(k->profile, sizeof k->profile, "%s", profile);
    k->pub = crypto_pub_from_spki(spki);
    assert_non_null(k->pub);
    crypto_sha256(spki, k->spki_sha256);
    k->revoked = revoked;
    k->since = 1;
    while (i < w->n_keys && strcmp(w->key_name[i], name) != 0)
        i++;
    assert_true(i < ARRAY_LEN(w->key_file));
    snprintf(w->key_name[i], sizeof w->key_name[i], "%s", name);
    if (i == w->n_keys)
        w->n_keys++;
    buf_reset(&w->key_file[i]);
    OK(pack_key_sign(k, w->owner, &w->key_file[i], &err));
    crypto_pub_free(k->pub);
    free(k);
    world_send_pack(w);
}

void world_make_key(struct world *w, const char *name, const char *custody,
        const char *profile)
{
    struct msg_key_create q = {
            span_str(name), span_str(custody), span_str(profile)};
    uint8_t spki[CRYPTO_SPKI_MAX];
    struct statement_reader r;
    struct msg_blob b;
    struct json_t *j;
    size_t len = 0;

    driver_put(w->admin, MSG_KEY_CREATE, 8, &q, NULL, 0);
    world_append(w, NULL);
    assert_int_equal(driver_get(w->admin, &b, NULL, NULL), MSG_BLOB);
    j = statement_json_parse(b.bytes, &err);
    assert_non_null(j);
    r = statement_reader_of(j);
    assert_true(statement_get_b64(&r, "public", spki, sizeof spki, &len));
    statement_json_free(j);
    world_add_key(w, name, custody, profile, SPAN(spki, len), false);
}

/* ---- calls ----------------------------------------------------------- */

uint16_t world_log_get(struct world *w, void *ret_body, uint32_t *ret_id)
{
    struct msg_appended d = {.index = 1, .size = 2};
    const struct msg_append *a = ret_body;
    uint16_t type;

    while ((type = driver_get(w->logd, ret_body, NULL, ret_id)) == MSG_APPEND &&
            a->kind == MSG_APPEND_STATEMENT) {
        buf_reset(&w->told);
        buf_append(&w->told, a->payload);
        w->n_told++;
        driver_put(w->logd, MSG_APPENDED, *ret_id, &d, NULL, 0);
    }
    return type;
}

bool world_log_is_silent(struct world *w, int ms)
{
    struct msg_appended d = {.index = 1, .size = 2};
    struct msg_append a;
    uint32_t id = 0;

    while (!driver_is_silent(w->logd, ms)) {
        if (driver_get(w->logd, &a, NULL, &id) != MSG_APPEND ||
                a.kind != MSG_APPEND_STATEMENT)
            return false;
        buf_reset(&w->told);
        buf_append(&w->told, a.payload);
        w->n_told++;
        driver_put(w->logd, MSG_APPENDED, id, &d, NULL, 0);
    }
    return true;
}

void world_append(struct world *w, struct buf *ret_payload)
{
    struct msg_append a;
    struct msg_appended d = {.index = 1, .size = 2};
    uint32_t id = 0;

    assert_int_equal(world_log_get(w, &a, &id), MSG_APPEND);
    assert_int_equal(a.kind, MSG_APPEND_SIGNED);
    if (ret_payload)
        buf_append(ret_payload, a.payload);
    if (a.want_proof)
        d.proof = span_str("proof of the log\n");
    driver_put(w->logd, MSG_APPENDED, id, &d, NULL, 0);
}

int world_session_of(struct world *w, const char *keys, uint64_t deadline,
        struct span envelope)
{
    struct msg_key_session s = {
            .call_id = {0xca, 0x11},
            .deadline = deadline,
            .policy = {2},
            .source_zone = span_str("thin"),
            .source_qube = span_str("work"),
            .source = span_str("thin-work"),
            .qube = span_str("signer"),
            .requested = span_str("signer"),
            .service = span_str("qair.Sign+release"),
            .rule = span_str("30-sign.policy:1"),
            .keys = span_str(keys),
            .envelope = envelope,
    };
    struct msg_empty e;
    int fds[2];

    OK(ipc_pair(fds, &err));
    driver_put(w->calld, MSG_KEY_SESSION, 9, &s, &fds[1], 1);
    close(fds[1]);
    assert_int_equal(driver_answer(w->calld, &e, NULL, NULL), MSG_OK);
    return fds[0];
}

int world_session(struct world *w, const char *keys, uint64_t deadline)
{
    return world_session_of(
            w, keys, deadline, span_str("{\"an\":\"envelope\"}"));
}

void world_sign(int session, const char *key, const char *name, int artefact)
{
    struct msg_key_sign q = {span_str(key), span_str(name)};

    driver_put(session, MSG_KEY_SIGN, 5, &q, &artefact, 1);
    close(artefact);
}

int world_artefact(struct span bytes)
{
    int fd = -1;

    OK(ipc_seal(bytes, "artefact", &fd, &err));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

int world_run(int (*tests)(void))
{
    int failed;

    if (!swtpm_installed()) {
        puts("skipped: swtpm is not installed");
        return 77;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (!swtpm_init(&world_chip, true))
        return 1;
    failed = tests();
    swtpm_fini(&world_chip);
    return failed;
}
