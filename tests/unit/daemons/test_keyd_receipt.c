/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a real qair-keyd with a software TPM makes is judged by the offline
 * verifier: a call of zone thin, both custodies, and a state that falls.
 */
#include "keyd_world.h"
#include "merkle.h"
#include "pack_fixture.h"
#include "receipt.h"
#include "statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(x)    assert_int_equal((x), 0)
#define BUF      CLEANUP(buf_fini) struct buf
#define ARTEFACT "a release\n"

static struct world w;
static struct estate thin;
static struct err err;

static int setup(void **state)
{
    (void)state;
    world_init(&w);
    estate_init(&thin, "thin");
    crypto_key_free(thin.owner);
    thin.owner = w.owner;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    thin.owner = NULL; /* the world's */
    estate_fini(&thin);
    world_fini(&w);
    return 0;
}

static void add(struct pack *p, const char *name, const struct buf *file)
{
    if (pack_add(p, span_str(name), buf_span(file), &err) != 0)
        fail_msg("%s: %s", name, err.msg);
}

static struct pack *owner_pack(void)
{
    struct pack *p = pack_new(crypto_key_pub(w.owner));
    BUF file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    char name[100];

    assert_non_null(p);
    add(p, "zones/server.json", &w.zone_file);
    add(p, "references/server.json", &w.reference_file);
    estate_zone_file(&thin, &file);
    add(p, "zones/thin.json", &file);
    for (size_t i = 0; i < w.n_keys; i++) {
        (void)snprintf(name, sizeof name, "keys/%s.json", w.key_name[i]);
        add(p, name, &w.key_file[i]);
    }
    OK(pack_check(p, &err));
    return p;
}

/* The origin's record of the call, as thin's keyd would make it. */
static void make_envelope(struct buf *ret)
{
    struct statement_call c = {.call_id = {0xca, 0x11},
            .issued = (uint64_t)time(NULL),
            .deadline = (uint64_t)time(NULL) + 60,
            .policy = {1},
            .origin = span_str("thin"),
            .source_qube = span_str("work"),
            .zone = span_str(ZONE),
            .qube = span_str("signer"),
            .requested = span_str("server-signer"),
            .service = span_str("qair.Sign+release"),
            .rule = span_str("30-sign.policy:2")};
    BUF text = BUF_INIT(LIMIT_STATEMENT_MAX);

    OK(statement_call_format(&c, &text, &err));
    OK(statement_dsse_sign(STATEMENT_PAYLOAD_TYPE, buf_span(&text),
            "thin/identity", thin.identity, ret, &err));
}

/* A log of this one entry, signed with the key that keyd gave to logd. */
static void prove(struct span entry, struct buf *ret)
{
    CLEANUP(crypto_key_free_ptr)
    struct crypto_key *key = crypto_key_ed25519(w.log_seed);
    struct merkle_tlog_proof p = {.index = 0};
    struct merkle_checkpoint c = {.size = 1};
    struct merkle_vkey vkey;
    BUF text = BUF_INIT(MERKLE_NOTE_MAX);
    BUF note = BUF_INIT(MERKLE_NOTE_MAX);

    OK(merkle_vkey_for_zone(span_str(ZONE), crypto_key_pub(key), &vkey, &err));
    (void)snprintf(c.origin, sizeof c.origin, "%s", vkey.name);
    merkle_leaf(entry, c.root);
    OK(merkle_checkpoint_format(&c, &text));
    OK(merkle_note_sign(buf_span(&text), &vkey, key, &note, &err));
    p.checkpoint = buf_span(&note);
    OK(merkle_tlog_proof_format(&p, ret));
}

/* The receipt's bytes for ARTEFACT under key. */
static void sign(const char *key, struct buf *ret)
{
    BUF env = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    BUF proof = BUF_INIT(MERKLE_TLOG_PROOF_MAX);
    struct ipc_fds fds = {.n = 0};
    struct msg_appended done = {.size = 1};
    union {
        struct msg_append append;
        struct msg_refused refused;
        struct msg_decision largest;
    } b;
    struct span map;
    uint32_t id = 0;
    int session;

    make_envelope(&env);
    session = world_session_of(
            &w, key, (uint64_t)time(NULL) + 60, buf_span(&env));
    world_sign(
            session, key, "qair-1.0.tar", world_artefact(span_str(ARTEFACT)));
    assert_int_equal(world_log_get(&w, &b, &id), MSG_APPEND);
    assert_int_equal(b.append.kind, MSG_APPEND_SIGNED);
    assert_int_equal(b.append.want_proof, 1);
    prove(b.append.payload, &proof);
    done.proof = buf_span(&proof);
    driver_put(w.logd, MSG_APPENDED, id, &done, NULL, 0);
    if (driver_get(session, &b, &fds, NULL) != MSG_FILE)
        fail_msg("%.*s", (int)b.refused.reason.len,
                (const char *)b.refused.reason.ptr);
    assert_int_equal(fds.n, 1);
    OK(ipc_map(fds.fd[0], RECEIPT_MAX, &map, &err));
    buf_append(ret, map);
    ipc_unmap(map);
    ipc_fds_close(&fds);
    (void)close(session);
}

static struct receipt_judgement judge(struct span receipt, const char *artefact)
{
    CLEANUP(pack_free_ptr) struct pack *p = owner_pack();
    struct profile_stream *s = profile_begin(PROFILE_MINISIGN);
    struct profile_digests d;
    struct receipt_input in = {.receipt = receipt,
            .pack = p,
            .artefact = &d,
            .time = (uint64_t)time(NULL)};
    struct receipt_judgement j;

    profile_update(s, span_str(artefact));
    profile_end(s, &d);
    receipt_judge(&in, &j);
    return j;
}

static void receipts_of_keyd_are_verified_offline(void **state)
{
    static const struct {
        const char *key, *custody, *profile;
    } cases[] = {/* in the order of a bundle */
            {"release-ed25519", "sealed", "minisign"},
            {"release-ssh", "sealed", "sshsig"}, {"release", "tpm", "sshsig"}};

    (void)state;
    world_ready(&w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        world_make_key(&w, cases[i].key, cases[i].custody, cases[i].profile);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUF text = BUF_INIT(RECEIPT_MAX);
        struct receipt_judgement j;

        sign(cases[i].key, &text);
        j = judge(buf_span(&text), ARTEFACT);
        for (unsigned c = 0; c < RECEIPT_CHECK_COUNT; c++) {
            if (j.finding[c].result != RECEIPT_OK)
                fail_msg("%s: %s: %s", cases[i].key,
                        receipt_check_name((enum receipt_check)c),
                        j.finding[c].detail);
        }
        assert_true(j.verified);
        j = judge(buf_span(&text), "another release\n");
        assert_false(j.verified);
        assert_int_equal(j.finding[RECEIPT_ARTEFACT].result, RECEIPT_FAILED);
    }
}

/* Evidence of one signature in the receipt of the next. */
static void evidence_does_not_travel_between_receipts(void **state)
{
    BUF a = BUF_INIT(RECEIPT_MAX);
    BUF b = BUF_INIT(RECEIPT_MAX);
    BUF mixed = BUF_INIT(RECEIPT_MAX);
    struct receipt_judgement j;
    struct receipt ra, rb;

    (void)state;
    world_ready(&w);
    world_make_key(&w, "release", "tpm", "sshsig");
    sign("release", &a);
    sign("release", &b);
    OK(receipt_parse(buf_span(&a), &ra, &err));
    OK(receipt_parse(buf_span(&b), &rb, &err));
    rb.evidence = ra.evidence;
    OK(receipt_format(&rb, &mixed, &err));
    j = judge(buf_span(&b), ARTEFACT);
    assert_true(j.verified);
    j = judge(buf_span(&mixed), ARTEFACT);
    assert_false(j.verified);
    assert_int_equal(j.finding[RECEIPT_EVIDENCE].result, RECEIPT_FAILED);
    receipt_fini(&ra);
    receipt_fini(&rb);
}

static int group(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
            T(receipts_of_keyd_are_verified_offline),
            T(evidence_does_not_travel_between_receipts),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    world_program = argv[1];
    return world_run(group);
}
