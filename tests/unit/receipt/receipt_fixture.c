/* SPDX-License-Identifier: Apache-2.0 */
#include "receipt_fixture.h"

#include "merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BUF     CLEANUP(buf_fini) struct buf
#define OK(...) assert_int_equal((__VA_ARGS__), 0)

void scene_init(struct scene *s, enum crypto_key_type release)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len;

    memset(s, 0, sizeof(*s));
    estate_init(&s->server, "server");
    estate_init(&s->thin, "thin");
    crypto_key_free(s->thin.owner);
    s->thin.owner = s->server.owner;
    estate_init(&s->gateway, "gateway");
    crypto_key_free(s->gateway.owner);
    s->gateway.owner = s->server.owner;
    s->release = crypto_key_generate(release);
    s->stranger = crypto_key_generate(release);
    assert_true(s->release && s->stranger);
    (void)snprintf(s->key.name, sizeof(s->key.name), "release");
    (void)snprintf(s->key.zone, sizeof(s->key.zone), "server");
    (void)snprintf(s->key.custody, sizeof(s->key.custody), "sealed");
    s->key.since = FIXTURE_NOW - 3600;
    OK(crypto_pub_spki(crypto_key_pub(s->release), spki, sizeof(spki), &len));
    s->key.pub = crypto_pub_from_spki(SPAN(spki, len));
    crypto_sha256(SPAN(spki, len), s->key.spki_sha256);
}

void scene_fini(struct scene *s)
{
    pack_free(s->pack);
    crypto_pub_free(s->key.pub);
    crypto_key_free(s->release);
    crypto_key_free(s->stranger);
    s->thin.owner = NULL; /* the server's */
    estate_fini(&s->thin);
    s->gateway.owner = NULL;
    estate_fini(&s->gateway);
    estate_fini(&s->server);
}

static void add(struct pack *p, const char *name, struct buf *file)
{
    struct err err = {0};

    if (pack_add(p, span_str(name), buf_span(file), &err))
        fail_msg("%s: %s", name, err.msg);
    buf_reset(file);
}

void scene_pack(struct scene *s)
{
    BUF file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    struct err err = {0};

    pack_free(s->pack);
    s->pack = pack_new(crypto_key_pub(s->server.owner));
    assert_non_null(s->pack);
    estate_zone_file(&s->server, &file);
    add(s->pack, "zones/server.json", &file);
    estate_zone_file(&s->thin, &file);
    add(s->pack, "zones/thin.json", &file);
    estate_zone_file(&s->gateway, &file);
    add(s->pack, "zones/gateway.json", &file);
    estate_reference_file(&s->server, FIXTURE_NOW - 100, &file);
    add(s->pack, "references/server.json", &file);
    OK(pack_key_sign(&s->key, s->server.owner, &file, &err));
    add(s->pack, "keys/release.json", &file);
    OK(pack_check(s->pack, &err));
}

struct profile_digests scene_digests(const char *artefact)
{
    struct profile_stream *st = profile_begin(PROFILE_MINISIGN);
    struct profile_digests d;

    profile_update(st, span_str(artefact));
    profile_end(st, &d);
    return d;
}

struct recipe scene_recipe(const struct scene *s, enum profile_id profile)
{
    struct profile_digests d = scene_digests(FIXTURE_ARTEFACT);
    struct recipe r = {.profile = profile,
            .artefact = FIXTURE_ARTEFACT,
            .comment_name = "qair-1.0.tar",
            .identity = s->server.identity,
            .log = s->server.log,
            .origin = s->thin.identity,
            .signer = s->release};

    r.call = (struct statement_call){.call_id = {7, 7, 7},
            .issued = FIXTURE_NOW - 2,
            .deadline = FIXTURE_NOW + 58,
            .policy = {1},
            .origin = span_str("thin"),
            .source_qube = span_str("work"),
            .zone = span_str("server"),
            .qube = span_str("signer"),
            .requested = span_str("server-signer"),
            .service = span_str("qair.Sign+release"),
            .rule = span_str("30-sign.policy:2")};
    r.sign = (struct statement_sign){.call_id = {7, 7, 7},
            .policy = {2},
            .time = FIXTURE_NOW,
            .zone = span_str("server"),
            .qube = span_str("signer"),
            .requested = span_str("signer"),
            .requester_zone = span_str("thin"),
            .requester_qube = span_str("work"),
            .source = span_str("thin-work"),
            .rule = span_str("30-sign.policy:3"),
            .key = span_str("release"),
            .custody = span_str("sealed"),
            .profile = span_str(profile_name(profile)),
            .artefact = span_str("qair-1.0.tar"),
            .artefact_size = d.size,
            .state = span_str("golden (emulated)"),
            .emulated = true};
    memcpy(r.sign.key_sha256, s->key.spki_sha256, 32);
    memcpy(r.sign.artefact_sha256, d.sha256, 32);
    memcpy(r.sign.artefact_sha512, d.sha512, 64);
    return r;
}

static struct buf dsse(
        struct buf *payload, const char *keyid, const struct crypto_key *key);

static void set(struct span *field, const char *text)
{
    if (field->len == 0)
        *field = span_str(text);
}

void scene_through_gateway(const struct scene *s, struct recipe *r)
{
    BUF payload = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement_call *first = &r->first, of_call = r->call;
    struct err err = {0};

    set(&first->origin, "thin");
    set(&first->source_qube, "work");
    set(&first->zone, "gateway");
    set(&first->qube, "door");
    set(&first->requested, "gateway-door");
    if (first->call_id[0] == 0)
        memcpy(first->call_id, of_call.call_id, sizeof(first->call_id));
    if (first->deadline == 0)
        first->deadline = of_call.deadline;
    first->issued = of_call.issued - 1;
    first->policy[0] = 3;
    first->service = of_call.service;
    first->rule = of_call.rule;
    if (statement_call_format(first, &payload, &err))
        fail_msg("%s", err.msg);
    r->first_dsse = dsse(&payload, "thin/identity",
            r->first_signer ? r->first_signer : s->thin.identity);
    r->call.origin = span_str("gateway");
    r->call.source_qube = span_str("thin-work");
    r->call.requested = span_str("door");
    r->call.via = buf_span(&r->first_dsse);
    r->origin = s->gateway.identity;
    r->sign.requester_zone = span_str("gateway");
    r->sign.requester_qube = span_str("thin-work");
    r->sign.source = span_str("gateway-thin-work");
}

void recipe_fini(struct recipe *r)
{
    buf_fini(&r->first_dsse);
}

static struct buf sign_file(const struct recipe *r)
{
    struct profile_digests d = scene_digests(r->artefact);
    struct profile_request q = {.id = r->profile,
            .key = crypto_key_pub(r->signer),
            .digests = &d,
            .name = span_str(r->comment_name),
            .time = r->sign.time};
    struct profile_sig sigs[PROFILE_STEPS_MAX];
    struct buf text = BUF_INIT(PROFILE_TEXT_MAX);
    struct err err;

    for (unsigned i = 0; i < profile_steps(r->profile); i++) {
        BUF tbs = BUF_INIT(PROFILE_TBS_MAX);

        OK(profile_tbs(&q, i, sigs, &tbs, &err));
        OK(crypto_sign(r->signer, buf_span(&tbs), sigs[i].raw));
    }
    OK(profile_assemble(&q, sigs, &text, &err));
    return text;
}

static struct buf dsse(
        struct buf *payload, const char *keyid, const struct crypto_key *key)
{
    struct buf env = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    struct err err;

    OK(statement_dsse_sign(
            STATEMENT_PAYLOAD_TYPE, buf_span(payload), keyid, key, &env, &err));
    return env;
}

static struct buf envelope(struct recipe *r)
{
    BUF payload = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct err err = {0};

    if (statement_call_format(&r->call, &payload, &err))
        fail_msg("%s", err.msg);
    return dsse(&payload, "thin/identity", r->origin);
}

/* ---- a log of three entries, ours in the middle ------------------------ */

struct tree {
    uint8_t leaf[3][MERKLE_HASH];
};

static int tree_get(void *arg, unsigned height, uint64_t index,
        uint8_t ret[static MERKLE_HASH])
{
    const struct tree *t = arg;
    uint8_t l[MERKLE_HASH], r[MERKLE_HASH];

    if (height == 0) {
        memcpy(ret, t->leaf[index], MERKLE_HASH);
        return 0;
    }
    OK(tree_get(arg, height - 1, 2 * index, l));
    OK(tree_get(arg, height - 1, 2 * index + 1, r));
    merkle_node(l, r, ret);
    return 0;
}

static struct buf checkpoint(const struct recipe *r, struct merkle_source *src)
{
    struct merkle_checkpoint c = {.size = 3};
    struct merkle_vkey vkey;
    BUF text = BUF_INIT(MERKLE_NOTE_MAX);
    struct buf note = BUF_INIT(MERKLE_NOTE_MAX);
    struct err err;

    OK(merkle_vkey_for_zone(
            span_str("server"), crypto_key_pub(r->log), &vkey, &err));
    (void)snprintf(c.origin, sizeof(c.origin), "%s", vkey.name);
    OK(merkle_root(src, 3, c.root));
    OK(merkle_checkpoint_format(&c, &text));
    OK(merkle_note_sign(buf_span(&text), &vkey, r->log, &note, &err));
    return note;
}

static struct buf prove(const struct recipe *r, struct span entry)
{
    struct tree t;
    struct merkle_source src = {.get = tree_get, .arg = &t};
    struct merkle_tlog_proof p = {.index = r->other_proof ? 0 : 1};
    struct buf text = BUF_INIT(MERKLE_TLOG_PROOF_MAX);

    merkle_leaf(span_str("first"), t.leaf[0]);
    merkle_leaf(entry, t.leaf[1]);
    merkle_leaf(span_str("third"), t.leaf[2]);
    BUF note = checkpoint(r, &src);
    OK(merkle_inclusion_prove(&src, p.index, 3, &p.proof));
    p.checkpoint = buf_span(&note);
    OK(merkle_tlog_proof_format(&p, &text));
    return text;
}

/* ---- all of it --------------------------------------------------------- */

static struct buf evidence(struct scene *s, const struct recipe *r)
{
    struct buf blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    uint8_t binder[32];

    receipt_binder(r->sign.call_id, r->sign.key_sha256, r->sign.artefact_sha256,
            binder);
    if (r->other_binder)
        binder[0] ^= 1;
    machine_evidence(&s->server.machine, binder, &blob);
    return blob;
}

static void fill_digest(uint8_t *ret, const struct buf *bytes)
{
    static const uint8_t zero[32];

    if (memcmp(ret, zero, sizeof(zero)) == 0)
        crypto_sha256(buf_span(bytes), ret);
}

struct buf scene_cook(struct scene *s, struct recipe *r)
{
    struct buf text = BUF_INIT(RECEIPT_MAX);
    BUF payload = BUF_INIT(LIMIT_STATEMENT_MAX);
    BUF sig = sign_file(r);
    BUF env = envelope(r);
    BUF ev = evidence(s, r);
    struct err err = {0};

    fill_digest(r->sign.signature, &sig);
    fill_digest(r->sign.evidence, &ev);
    if (!r->local && !r->unstated)
        fill_digest(r->sign.envelope, &env);
    if (statement_sign_format(&r->sign, &payload, &err))
        fail_msg("%s", err.msg);
    BUF st = dsse(&payload, "server/identity", r->identity);
    BUF proof = prove(r, buf_span(&st));
    BUF other_sig = sign_file(r);
    BUF other_ev = evidence(s, r);
    struct receipt parts = {.profile = span_str(profile_name(r->profile)),
            .signature = buf_span(r->other_text ? &other_sig : &sig),
            .statement = buf_span(&st),
            .envelope =
                    r->local || r->drop_envelope ? SPAN_EMPTY : buf_span(&env),
            .proof = buf_span(&proof),
            .evidence = buf_span(r->other_evidence ? &other_ev : &ev)};
    if (receipt_format(&parts, &text, &err))
        fail_msg("%s", err.msg);
    return text;
}
