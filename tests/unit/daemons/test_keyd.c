/* SPDX-License-Identifier: Apache-2.0 */
/* qair-keyd against a real software TPM: args: PROGRAM. */
#include "keyd_world.h"
#include "receipt.h"
#include "statement.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct world w;
static struct err err;
static char reason[512];

#define OK(x)   assert_int_equal((x), 0)
#define SAYS(s) assert_non_null(strstr(reason, (s)))

static int setup(void **state)
{
    (void)state;
    world_init(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&w);
    return 0;
}

static struct msg_envelope envelope(void)
{
    return (struct msg_envelope){
            .call_id = {7},
            .issued = (uint64_t)time(NULL),
            .deadline = (uint64_t)time(NULL) + 60,
            .source_qube = span_str("work"),
            .zone = span_str("thin"),
            .qube = span_str("signer"),
            .requested = span_str("thin-signer"),
            .service = span_str("qair.Sign+release"),
            .rule = span_str("30-sign.policy:1"),
            .state = span_str("golden (emulated)"),
            .evidence = {5},
    };
}

static bool envelope_refused(void)
{
    struct msg_envelope e = envelope();

    driver_put(w.calld, MSG_ENVELOPE, 3, &e, NULL, 0);
    return world_refused(w.calld, reason, sizeof reason);
}

union any {
    struct msg_blob blob;
    struct msg_refused refused;
    struct msg_decision largest;
};

/* The answer to netd; that the state fell may be said before it. */
static uint16_t netd_get(union any *ret)
{
    uint16_t type;

    do
        type = driver_get(w.netd, ret, NULL, NULL);
    while (type == MSG_STATE_FALLEN);
    return type;
}

static bool netd_refused(void)
{
    union any b;

    if (netd_get(&b) != MSG_REFUSED)
        return false;
    text_format_safe(b.refused.reason, reason, sizeof reason);
    return true;
}

static bool cert_refused(void)
{
    struct crypto_key *k = crypto_key_generate(CRYPTO_ED25519);
    uint8_t spki[CRYPTO_SPKI_MAX];
    struct msg_blob b;
    size_t len = 0;

    OK(crypto_pub_spki(crypto_key_pub(k), spki, sizeof spki, &len));
    b.bytes = SPAN(spki, len);
    driver_put(w.netd, MSG_CHANNEL_CERT, 4, &b, NULL, 0);
    crypto_key_free(k);
    return netd_refused();
}

static uint16_t create(
        const char *name, const char *custody, const char *profile)
{
    struct msg_key_create q = {
            span_str(name), span_str(custody), span_str(profile)};

    driver_put(w.admin, MSG_KEY_CREATE, 8, &q, NULL, 0);
    return world_refused(w.admin, reason, sizeof reason) ? MSG_REFUSED : 0;
}

/* ---- state ----------------------------------------------------------- */

static void test_nothing_opens_before_approval(void **state)
{
    (void)state;
    world_start(&w);
    assert_false(world_approved(&w, reason, sizeof reason));
    assert_true(envelope_refused());
    SAYS("keys are closed");
    assert_true(cert_refused());
    assert_int_equal(create("release", "tpm", "sshsig"), MSG_REFUSED);
    SAYS("keys are closed");
}

static void test_approval_opens_and_envelope_holds(void **state)
{
    struct msg_envelope q = envelope();
    struct statement *s = calloc(1, sizeof *s);
    struct statement_call c;
    struct msg_blob b;

    (void)state;
    world_ready(&w);
    driver_put(w.calld, MSG_ENVELOPE, 3, &q, NULL, 0);
    assert_int_equal(driver_answer(w.calld, &b, NULL, NULL), MSG_BLOB);
    OK(statement_open(b.bytes, w.identity, s, &err));
    OK(statement_call_parse(s, &c, &err));
    assert_true(span_eq_str(c.origin, ZONE));
    assert_true(span_eq_str(c.source_qube, "work"));
    assert_true(span_eq_str(c.qube, "signer"));
    assert_memory_equal(c.call_id, q.call_id, sizeof c.call_id);
    /* another zone's key does not hold over it */
    assert_int_not_equal(statement_verify(s, w.log, &err), 0);
    statement_fini(s);
    free(s);
    /* a field that a statement cannot have is refused, not signed */
    q.source_qube = span_str("a\x01b");
    driver_put(w.calld, MSG_ENVELOPE, 3, &q, NULL, 0);
    assert_true(world_refused(w.calld, reason, sizeof reason));
}

static void test_channel_certificate(void **state)
{
    struct crypto_key *k = crypto_key_generate(CRYPTO_ED25519);
    struct crypto_cert *c;
    uint8_t spki[CRYPTO_SPKI_MAX];
    uint64_t now = (uint64_t)time(NULL);
    struct msg_blob b;
    union any got;
    char cn[64];
    size_t len = 0;

    (void)state;
    world_ready(&w);
    OK(crypto_pub_spki(crypto_key_pub(k), spki, sizeof spki, &len));
    b.bytes = SPAN(spki, len);
    driver_put(w.netd, MSG_CHANNEL_CERT, 4, &b, NULL, 0);
    assert_int_equal(netd_get(&got), MSG_BLOB);
    c = crypto_cert_from_der(got.blob.bytes);
    assert_non_null(c);
    OK(crypto_cert_verify(c, w.identity));
    OK(crypto_cert_cn(c, cn, sizeof cn));
    assert_string_equal(cn, ZONE);
    assert_true(crypto_cert_valid_at(c, now));
    assert_false(crypto_cert_valid_at(c, now + 86400));
    crypto_cert_free(c);
    crypto_key_free(k);
    /* no certificate for rubbish, or for the identity itself */
    b.bytes = span_str("rubbish");
    driver_put(w.netd, MSG_CHANNEL_CERT, 4, &b, NULL, 0);
    assert_true(netd_refused());
    OK(crypto_pub_spki(w.identity, spki, sizeof spki, &len));
    b.bytes = SPAN(spki, len);
    driver_put(w.netd, MSG_CHANNEL_CERT, 4, &b, NULL, 0);
    assert_true(netd_refused());
}

static void test_changed_state_closes_keys(void **state)
{
    (void)state;
    world_ready(&w);
    assert_false(envelope_refused());
    world_extend(&w);
    assert_true(envelope_refused());
    SAYS("keys are closed");
    assert_true(cert_refused());
    assert_false(world_approved(&w, reason, sizeof reason));
    assert_true(reason[0] != '\0');
}

/* kind and detail of the last record of a changed state */
static bool told(const char *kind, const char *detail)
{
    struct statement *s = calloc(1, sizeof *s);
    struct statement_event e;
    bool ok;

    assert_true(world_log_is_silent(&w, 200));
    OK(statement_parse(buf_span(&w.told), s, &err));
    OK(statement_event_parse(s, &e, &err));
    ok = span_eq_str(e.kind, kind) &&
         memmem(e.detail.ptr, e.detail.len, detail, strlen(detail));
    statement_fini(s);
    free(s);
    return ok;
}

static void test_changes_of_state_are_recorded_once(void **state)
{
    (void)state;
    world_start(&w);
    assert_true(told("state-fallen", "pack"));
    assert_int_equal(w.n_told, 1);
    world_enrol(&w);
    world_approve(&w, w.owner, ZONE, 0);
    world_send_pack(&w);
    assert_true(told("state-approved", "golden (emulated)"));
    assert_int_equal(w.n_told, 2);
    assert_false(envelope_refused());
    world_extend(&w);
    sleep(4); /* nobody asks: keyd looks by itself */
    assert_true(told("state-fallen", "event log"));
    assert_true(envelope_refused());
    assert_true(world_log_is_silent(&w, 200));
    assert_int_equal(w.n_told, 3);
    /* a new logd hears it again */
    close(w.logd);
    w.logd = driver_peer(&w.d, MSG_ROLE_LOGD);
    assert_int_equal(driver_get(w.logd, &(struct msg_log_key){{0}}, NULL, NULL),
            MSG_LOG_KEY);
    assert_true(told("state-fallen", "event log"));
    assert_int_equal(w.n_told, 4);
}

/* netd must cut its channels, and need not ask to learn it. */
static void test_netd_hears_that_the_state_fell(void **state)
{
    union any b;

    (void)state;
    world_ready(&w);
    while (!driver_is_silent(w.netd, 100)) /* it was not approved at first */
        assert_int_equal(driver_get(w.netd, &b, NULL, NULL), MSG_STATE_FALLEN);
    world_extend(&w);
    sleep(4);
    assert_int_equal(driver_get(w.netd, &b, NULL, NULL), MSG_STATE_FALLEN);
    assert_true(b.refused.reason.len > 0);
    assert_true(driver_is_silent(w.netd, 4000)); /* once */
    /* a netd that was started again hears it too */
    close(w.netd);
    w.netd = driver_peer(&w.d, MSG_ROLE_NETD);
    assert_int_equal(driver_get(w.netd, &b, NULL, NULL), MSG_STATE_FALLEN);
}

static void test_tpm_reset_closes_keys(void **state)
{
    (void)state;
    world_ready(&w);
    assert_false(envelope_refused());
    assert_true(swtpm_reset(&w.chip));
    assert_true(envelope_refused());
    assert_true(cert_refused());
}

static void test_false_approvals(void **state)
{
    struct crypto_key *stranger = crypto_key_generate(CRYPTO_P256);

    (void)state;
    world_start(&w);
    world_enrol(&w);
    /* of a stranger: the whole pack is refused */
    world_approve(&w, stranger, ZONE, 0);
    world_send_pack(&w);
    assert_true(envelope_refused());
    /* out of its time */
    world_approve(&w, w.owner, ZONE, (uint64_t)time(NULL));
    world_send_pack(&w);
    assert_true(envelope_refused());
    /* right, then taken back */
    world_approve(&w, w.owner, ZONE, 0);
    world_send_pack(&w);
    assert_false(envelope_refused());
    buf_reset(&w.reference_file);
    world_send_pack(&w);
    assert_true(envelope_refused());
    crypto_key_free(stranger);
}

/* A software TPM is never called golden without (emulated). */
static void test_emulated_is_said(void **state)
{
    (void)state;
    world_start(&w);
    w.hardware = true;
    world_enrol(&w);
    world_approve(&w, w.owner, ZONE, 0);
    world_send_pack(&w);
    assert_true(envelope_refused());
    SAYS("software TPM");
    w.hardware = false;
    world_enrol(&w);
    world_send_pack(&w);
    assert_false(envelope_refused());
}

static void test_approval_runs_out_while_open(void **state)
{
    (void)state;
    world_start(&w);
    world_enrol(&w);
    world_approve(&w, w.owner, ZONE, (uint64_t)time(NULL) + 3);
    world_send_pack(&w);
    assert_false(envelope_refused());
    sleep(4);
    assert_true(envelope_refused());
}

static void test_keys_survive_a_restart(void **state)
{
    struct crypto_pub *before;

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    before = w.identity;
    w.identity = NULL;
    world_stop(&w);
    world_start(&w); /* with the pack from the start */
    assert_true(world_approved(&w, reason, sizeof reason));
    world_enrol(&w);
    assert_true(crypto_pub_eq(before, w.identity));
    crypto_pub_free(before);
    assert_int_equal(create("release", "tpm", "sshsig"), MSG_REFUSED);
    SAYS("exists");
}

static void test_damaged_key_files_end_the_start(void **state)
{
    static const char *const files[] = {"ak.zone", "identity.zone", "log.zone"};
    struct msg_empty e;
    char path[128], other[128];
    int fd;

    (void)state;
    world_start(&w);
    world_stop(&w);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/keys/%s", w.dir, files[i]);
        snprintf(other, sizeof other, "%s/keys/saved", w.dir);
        OK(rename(path, other));
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, "QAIRKEY\1", 8), 8);
        close(fd);
        world_launch(&w);
        assert_int_equal(driver_get(w.d.control, &e, NULL, NULL), 0);
        world_stop(&w);
        OK(rename(other, path));
    }
    /* one key's file under the name of another */
    snprintf(path, sizeof path, "%s/keys/log.zone", w.dir);
    snprintf(other, sizeof other, "%s/keys/identity.zone", w.dir);
    OK(unlink(path));
    OK(rename(other, path));
    world_launch(&w);
    assert_int_equal(driver_get(w.d.control, &e, NULL, NULL), 0);
}

static void test_log_gets_its_key_each_time(void **state)
{
    struct crypto_key *k;
    struct msg_log_key m;

    (void)state;
    world_start(&w);
    world_enrol(&w);
    for (int i = 0; i < 2; i++) {
        close(w.logd);
        w.logd = driver_peer(&w.d, MSG_ROLE_LOGD);
        assert_int_equal(driver_get(w.logd, &m, NULL, NULL), MSG_LOG_KEY);
        k = crypto_key_ed25519(m.seed);
        assert_true(crypto_pub_eq(crypto_key_pub(k), w.log));
        crypto_key_free(k);
    }
}

/* ---- keys ------------------------------------------------------------ */

static void test_create_refusals(void **state)
{
    static const struct {
        const char *name, *custody, *profile, *says;
    } cases[] = {
            {"release", "tpm", "sshsig", "exists"},
            {"release", "sealed", "minisign", "exists"},
            {"", "tpm", "sshsig", "name"},
            {"../x", "tpm", "sshsig", "name"},
            {"A", "tpm", "sshsig", "name"},
            {"other", "paper", "sshsig", "custody"},
            {"other", "tpm", "openpgp", "profile"},
            {"other", "tpm", "minisign", "Ed25519"},
    };

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(
                create(cases[i].name, cases[i].custody, cases[i].profile),
                MSG_REFUSED);
        SAYS(cases[i].says);
    }
}

static void test_key_without_its_record_does_not_exist(void **state)
{
    struct msg_key_create q = {
            span_str("release"), span_str("sealed"), span_str("minisign")};
    struct msg_append a;
    uint32_t id;

    (void)state;
    world_ready(&w);
    driver_put(w.admin, MSG_KEY_CREATE, 8, &q, NULL, 0);
    assert_int_equal(world_log_get(&w, &a, &id), MSG_APPEND);
    assert_true(driver_is_silent(w.admin, 100));
    close(w.logd); /* dies with the record in its hands */
    assert_true(world_refused(w.admin, reason, sizeof reason));
    w.logd = driver_peer(&w.d, MSG_ROLE_LOGD);
    assert_int_equal(driver_get(w.logd, &(struct msg_log_key){{0}}, NULL, NULL),
            MSG_LOG_KEY);
    /* so it can be created now */
    world_make_key(&w, "release", "sealed", "minisign");
}

/* ---- signing --------------------------------------------------------- */

static void sign_and_check(const char *key, const char *profile_text)
{
    static const char artefact[] = "a release\n";
    CLEANUP(buf_fini) struct buf dsse = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    struct profile_digests d;
    struct profile_stream *ps;
    struct statement *s = calloc(1, sizeof *s);
    struct statement_sign fields;
    struct receipt *rc = calloc(1, sizeof *rc);
    struct ipc_fds fds = {.n = 0};
    struct msg_empty e;
    struct msg_append a;
    struct msg_appended done = {.index = 3, .size = 9};
    enum profile_id id;
    struct span map;
    uint32_t n = 0;
    int session = world_session(
            &w, "other release sealed", (uint64_t)time(NULL) + 60);

    assert_true(profile_parse_name(span_str(profile_text), &id));
    world_sign(session, key, "x.tar", world_artefact(span_str(artefact)));
    assert_int_equal(world_log_get(&w, &a, &n), MSG_APPEND);
    buf_append(&dsse, a.payload);
    /* not durable yet: nothing may have left */
    assert_true(driver_is_silent(session, 200));
    done.proof = span_str("proof\n");
    driver_put(w.logd, MSG_APPENDED, n, &done, NULL, 0);
    assert_int_equal(driver_get(session, &e, &fds, NULL), MSG_FILE);
    OK(ipc_map(fds.fd[0], RECEIPT_MAX, &map, &err));
    OK(receipt_parse(map, rc, &err));
    assert_true(span_eq(rc->statement, buf_span(&dsse)));
    assert_true(span_eq_str(rc->proof, "proof\n"));
    assert_true(span_eq_str(rc->profile, profile_text));
    OK(statement_open(rc->statement, w.identity, s, &err));
    OK(statement_sign_parse(s, &fields, &err));
    assert_true(span_eq_str(fields.key, key));
    assert_true(span_eq_str(fields.requester_zone, "thin"));
    assert_true(span_eq_str(fields.requester_qube, "work"));
    assert_true(span_eq_str(fields.state, "golden (emulated)"));
    assert_true(fields.emulated);
    ps = profile_begin(id);
    profile_update(ps, span_str(artefact));
    profile_end(ps, &d);
    assert_memory_equal(fields.artefact_sha256, d.sha256, 32);
    assert_int_equal(fields.artefact_size, strlen(artefact));
    for (size_t i = 0; i < w.n_keys; i++) {
        struct pack *p = pack_new(crypto_key_pub(w.owner));
        char name[100];

        if (strcmp(w.key_name[i], key) != 0) {
            pack_free(p);
            continue;
        }
        snprintf(name, sizeof name, "keys/%s.json", key);
        OK(pack_add(p, span_str(name), buf_span(&w.key_file[i]), &err));
        OK(profile_verify(id, pack_key(p, span_str(key))->pub, &d,
                rc->signature, NULL, &err));
        d.sha512[0] ^= 1;
        d.blake2b512[0] ^= 1;
        assert_int_not_equal(profile_verify(id, pack_key(p, span_str(key))->pub,
                                     &d, rc->signature, NULL, &err),
                0);
        pack_free(p);
    }
    statement_fini(s);
    receipt_fini(rc);
    ipc_unmap(map);
    ipc_fds_close(&fds);
    free(s);
    free(rc);
    close(session);
}

static void test_sign_after_the_record_and_not_before(void **state)
{
    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    world_make_key(&w, "sealed", "sealed", "minisign");
    for (int i = 0; i < 3; i++) {
        sign_and_check("release", "sshsig");
        sign_and_check("sealed", "minisign");
    }
}

static void test_sign_refusals(void **state)
{
    static const struct {
        const char *keys, *key, *name, *says;
        int deadline;
    } cases[] = {
            {"", "release", "x", "may not use", 60},
            {"*", "release", "x", "may not use", 60},
            {"releas release2", "release", "x", "may not use", 60},
            {"release", "sealed", "x", "may not use", 60},
            {"nothing", "nothing", "x", "no key", 60},
            {"release", "release", "", "name", 60},
            {"release", "release", "a/b", "name", 60},
            {"release", "release", "a\nb", "name", 60},
            {"release", "release", "x", "deadline", -1},
            {"stray", "stray", "x", "pack", 60},
            {"release", "", "x", "may not use", 60},
    };
    int session;

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    world_make_key(&w, "stray", "tpm", "sshsig");
    w.n_keys = 1; /* the owner never signed the second */
    world_send_pack(&w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        session = world_session(&w, cases[i].keys,
                (uint64_t)((int64_t)time(NULL) + cases[i].deadline));
        world_sign(session, cases[i].key, cases[i].name,
                world_artefact(span_str("x")));
        assert_true(world_refused(session, reason, sizeof reason));
        SAYS(cases[i].says);
        close(session);
    }
    assert_true(world_log_is_silent(&w, 100));
}

static void test_revoked_key_does_not_sign(void **state)
{
    struct pack *p;
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len = 0;
    int session;

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    p = pack_new(crypto_key_pub(w.owner));
    OK(pack_add(
            p, span_str("keys/release.json"), buf_span(&w.key_file[0]), &err));
    OK(crypto_pub_spki(
            pack_key(p, span_str("release"))->pub, spki, sizeof spki, &len));
    pack_free(p);
    world_add_key(&w, "release", "tpm", "sshsig", SPAN(spki, len), true);
    session = world_session(&w, "release", 0);
    world_sign(session, "release", "x", world_artefact(span_str("x")));
    assert_true(world_refused(session, reason, sizeof reason));
    SAYS("revoked");
    close(session);
}

static void spki_of(size_t key, uint8_t *ret, size_t cap, size_t *ret_len)
{
    struct pack *p = pack_new(crypto_key_pub(w.owner));
    char name[100];

    snprintf(name, sizeof name, "keys/%s.json", w.key_name[key]);
    OK(pack_add(p, span_str(name), buf_span(&w.key_file[key]), &err));
    OK(crypto_pub_spki(
            pack_key(p, span_str(w.key_name[key]))->pub, ret, cap, ret_len));
    pack_free(p);
}

/* keys/ says what a key signs, but the owner's word decides. */
static void test_key_signs_what_the_owner_named_it_for(void **state)
{
    static const struct {
        const char *custody, *profile;
    } others[] = {{"sealed", "sshsig"}, {"tpm", "minisign"}};
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len = 0;
    int session;

    (void)state;
    world_ready(&w);
    world_make_key(&w, "sealed", "sealed", "minisign");
    spki_of(0, spki, sizeof spki, &len);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        world_add_key(&w, "sealed", others[i].custody, others[i].profile,
                SPAN(spki, len), false);
        session = world_session(&w, "sealed", 0);
        world_sign(session, "sealed", "x", world_artefact(span_str("x")));
        assert_true(world_refused(session, reason, sizeof reason));
        SAYS("in the pack");
        close(session);
    }
    assert_true(world_log_is_silent(&w, 100));
}

static void test_key_revoked_while_the_artefact_comes(void **state)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len = 0;
    int session, p[2];

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    spki_of(0, spki, sizeof spki, &len);
    session = world_session(&w, "release", 0);
    OK(pipe2(p, O_CLOEXEC));
    world_sign(session, "release", "x", p[0]);
    world_add_key(&w, "release", "tpm", "sshsig", SPAN(spki, len), true);
    close(p[1]);
    assert_true(world_refused(session, reason, sizeof reason));
    SAYS("revoked");
    assert_true(world_log_is_silent(&w, 100));
    close(session);
}

/* A service that stays, or hands its descriptor on, keeps nothing. */
static void test_session_ends_with_its_call(void **state)
{
    struct msg_empty e;
    int session, reading, p[2];

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    session = world_session(&w, "release", (uint64_t)time(NULL) + 1);
    reading = world_session(&w, "release", (uint64_t)time(NULL) + 1);
    OK(pipe2(p, O_CLOEXEC));
    world_sign(reading, "release", "x", p[0]);
    assert_false(driver_is_silent(session, 6000));
    assert_int_equal(driver_get(session, &e, NULL, NULL), 0);
    /* an artefact that is on its way may still come */
    assert_true(driver_is_silent(reading, 100));
    close(session);
    close(reading);
    close(p[1]);
}

static void test_no_log_no_signature(void **state)
{
    struct msg_refused no = {5, SPAN_EMPTY, SPAN_EMPTY};
    struct msg_append a;
    uint32_t id;
    int session;

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    session = world_session(&w, "release", 0);
    /* the log refuses: its disk is full */
    no.where = span_str("logd");
    no.reason = span_str("disk full");
    world_sign(session, "release", "x", world_artefact(span_str("x")));
    assert_int_equal(world_log_get(&w, &a, &id), MSG_APPEND);
    driver_put(w.logd, MSG_REFUSED, id, &no, NULL, 0);
    assert_true(world_refused(session, reason, sizeof reason));
    SAYS("disk full");
    /* the log dies */
    world_sign(session, "release", "x", world_artefact(span_str("x")));
    assert_int_equal(world_log_get(&w, &a, &id), MSG_APPEND);
    close(w.logd);
    assert_true(world_refused(session, reason, sizeof reason));
    /* there is none */
    world_sign(session, "release", "x", world_artefact(span_str("x")));
    assert_true(world_refused(session, reason, sizeof reason));
    close(session);
    w.logd = -1;
}

static void test_stalled_artefact_blocks_nobody(void **state)
{
    CLEANUP(buf_fini) struct buf dsse = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    struct ipc_fds fds = {.n = 0};
    struct msg_empty e;
    int stalled, session, p[4][2];

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    stalled = world_session(&w, "release", 0);
    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        OK(pipe2(p[i], O_CLOEXEC));
        assert_int_equal(write(p[i][1], "half", 4), 4);
        world_sign(stalled, "release", "x", p[i][0]);
    }
    /* one session has its share of children, others theirs */
    world_sign(stalled, "release", "x", world_artefact(span_str("x")));
    assert_true(world_refused(stalled, reason, sizeof reason));
    SAYS("too many");
    session = world_session(&w, "release", 0);
    world_sign(session, "release", "x", world_artefact(span_str("x")));
    world_append(&w, &dsse);
    assert_int_equal(driver_get(session, &e, &fds, NULL), MSG_FILE);
    ipc_fds_close(&fds);
    /* the rest comes at last: the artefact is signed */
    assert_int_equal(write(p[0][1], "rest", 4), 4);
    close(p[0][1]);
    world_append(&w, NULL);
    assert_int_equal(driver_get(stalled, &e, &fds, NULL), MSG_FILE);
    ipc_fds_close(&fds);
    /* the service goes: its children go, and the log hears nothing */
    close(stalled);
    usleep(100000);
    assert_int_equal(write(p[1][1], "x", 1), -1);
    for (size_t i = 1; i < ARRAY_LEN(p); i++)
        close(p[i][1]);
    assert_true(world_log_is_silent(&w, 200));
    close(session);
}

/* Does a process hold these bytes in writable memory?  -1: cannot tell. */
static int memory_holds(pid_t pid, struct span what)
{
    char path[64], line[512], perms[8];
    unsigned long from, to;
    int mem, found = 0;
    FILE *maps;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    maps = fopen(path, "re");
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    mem = open(path, O_RDONLY | O_CLOEXEC);
    if (!maps || mem < 0)
        found = -1;
    while (found == 0 && fgets(line, sizeof line, maps)) {
        uint8_t *copy;
        ssize_t n;

        if (sscanf(line, "%lx-%lx %7s", &from, &to, perms) != 3 ||
                perms[1] != 'w' || to - from > (256ul << 20))
            continue;
        copy = malloc(to - from);
        n = pread(mem, copy, to - from, (off_t)from);
        if (n > 0 && memmem(copy, (size_t)n, what.ptr, what.len))
            found = 1;
        free(copy);
    }
    if (maps)
        fclose(maps);
    close(mem);
    return found;
}

static pid_t child_of(pid_t parent)
{
    char path[96];
    int pid = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent,
            (int)parent);
    f = fopen(path, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%d", &pid) != 1)
        pid = 0;
    fclose(f);
    return pid;
}

static size_t descriptors_of(pid_t pid)
{
    char path[64];
    size_t n = 0;
    DIR *d;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2; /* "." and ".." */
}

static void test_log_seed_does_not_stay_in_memory(void **state)
{
    int held;

    (void)state;
    world_ready(&w);
    held = memory_holds(w.d.pid, SPAN_OF(w.log_seed));
    if (held < 0)
        skip();
    assert_int_equal(held, 0);
    /* the look itself works: the state's name is there */
    assert_int_equal(memory_holds(w.d.pid, span_str("golden (emulated)")), 1);
}

static void test_parser_child_has_nothing_to_give(void **state)
{
    char path[64], status[4096] = {0};
    int session, p[2], fd;
    pid_t child = 0;

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    session = world_session(&w, "release", 0);
    OK(pipe2(p, O_CLOEXEC));
    world_sign(session, "release", "x", p[0]);
    for (int i = 0; i < 200 && child == 0; i++) {
        usleep(10000);
        child = child_of(w.d.pid);
    }
    if (child == 0)
        skip(); /* a kernel without the list of children */
    usleep(100000);
    /* artefact, pipe and stderr; not the TPM, the links, keys/ */
    assert_int_equal(descriptors_of(child), 3);
    assert_true(descriptors_of(w.d.pid) > 8);
    snprintf(path, sizeof path, "/proc/%d/status", (int)child);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, status, sizeof status - 1) > 0);
    close(fd);
    assert_non_null(strstr(status, "Seccomp:\t2"));
    assert_non_null(strstr(status, "NoNewPrivs:\t1"));
    close(p[1]);
    close(session);
}

/* The kernel may take the memory of a child that waits. */
static void test_dead_parser_child_is_replaced(void **state)
{
    struct buf record = BUF_INIT(LIMIT_IPC_MSG_MAX);
    pid_t child = 0;
    int session;

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    session = world_session(&w, "release", 0);
    for (int i = 0; i < 200 && child == 0; i++) {
        usleep(10000);
        child = child_of(w.d.pid);
    }
    if (child == 0)
        skip(); /* a kernel without the list of children */
    /* before an artefact comes it has its order, a pipe and stderr */
    assert_int_equal(descriptors_of(child), 3);
    OK(kill(child, SIGKILL));
    usleep(100000);
    world_sign(session, "release", "x", world_artefact(span_str("bytes")));
    world_append(&w, &record); /* signed: its record comes */
    assert_true(record.len > 0);
    assert_int_not_equal(child_of(w.d.pid), child);
    buf_fini(&record);
    close(session);
}

static void test_unreadable_artefacts(void **state)
{
    int session, p[2], dir;

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    session = world_session(&w, "release", 0);
    OK(pipe2(p, O_CLOEXEC));
    world_sign(session, "release", "x", p[1]); /* an end to write to */
    assert_true(world_refused(session, reason, sizeof reason));
    close(p[0]);
    dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    world_sign(session, "release", "x", dir);
    assert_true(world_refused(session, reason, sizeof reason));
    SAYS("could not be read");
    close(session);
    assert_true(world_log_is_silent(&w, 100));
}

static void test_state_falls_while_the_artefact_comes(void **state)
{
    int session, p[2];

    (void)state;
    world_ready(&w);
    world_make_key(&w, "sealed", "sealed", "minisign");
    session = world_session(&w, "sealed", 0);
    OK(pipe2(p, O_CLOEXEC));
    world_sign(session, "sealed", "x", p[0]);
    world_extend(&w);
    close(p[1]);
    assert_true(world_refused(session, reason, sizeof reason));
    SAYS("keys are closed");
    assert_true(world_log_is_silent(&w, 100));
    close(session);
}

static void test_service_that_breaks_the_protocol_is_cut_off(void **state)
{
    struct msg_envelope e = envelope();
    struct msg_empty body;
    int session;

    (void)state;
    world_ready(&w);
    session = world_session(&w, "release", 0);
    /* a service asks what calld alone may ask */
    driver_put(session, MSG_ENVELOPE, 1, &e, NULL, 0);
    assert_int_equal(driver_get(session, &body, NULL, NULL), 0);
    close(session);
    assert_false(envelope_refused());
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int group(void)
{
    const struct CMUnitTest tests[] = {
            T(test_nothing_opens_before_approval),
            T(test_approval_opens_and_envelope_holds),
            T(test_channel_certificate),
            T(test_changed_state_closes_keys),
            T(test_changes_of_state_are_recorded_once),
            T(test_netd_hears_that_the_state_fell),
            T(test_tpm_reset_closes_keys),
            T(test_false_approvals),
            T(test_emulated_is_said),
            T(test_approval_runs_out_while_open),
            T(test_keys_survive_a_restart),
            T(test_damaged_key_files_end_the_start),
            T(test_log_gets_its_key_each_time),
            T(test_create_refusals),
            T(test_key_without_its_record_does_not_exist),
            T(test_sign_after_the_record_and_not_before),
            T(test_sign_refusals),
            T(test_revoked_key_does_not_sign),
            T(test_key_signs_what_the_owner_named_it_for),
            T(test_key_revoked_while_the_artefact_comes),
            T(test_session_ends_with_its_call),
            T(test_no_log_no_signature),
            T(test_stalled_artefact_blocks_nobody),
            T(test_log_seed_does_not_stay_in_memory),
            T(test_parser_child_has_nothing_to_give),
            T(test_dead_parser_child_is_replaced),
            T(test_unreadable_artefacts),
            T(test_state_falls_while_the_artefact_comes),
            T(test_service_that_breaks_the_protocol_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    world_program = argv[1];
    return world_run(group);
}
