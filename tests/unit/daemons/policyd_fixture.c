/* SPDX-License-Identifier: Apache-2.0 */
#include "policyd_fixture.h"

#include "bundle.h"
#include "statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct fixture_zone {
    const char *name;
    bool revoked;
    bool expired;
} zones[FIXTURE_ZONES] = {
        {"thin", false, false},
        {"other", false, false},
        {"revoked", true, false},
        {"expired", false, true},
        {"cellar", false, false},
        {"attic", false, false},
};

static const struct {
    const char *name, *text;
} qubes[] = {
        {"back.conf", "type = RemoteVM\nzone = attic\nremote-name = work\n"},
        {"far.conf", "type = RemoteVM\nzone = other\nremote-name = remote\n"},
        {"other-strict.conf",
                "type = RemoteVM\nzone = other\nremote-name = thin-mail\n"
                "origin = thin/mail\n"},
        {"other-work.conf",
                "type = RemoteVM\nzone = other\nremote-name = thin-work\n"},
        {"signer.conf", "type = AppVM\n"},
        {"thin-work.conf",
                "type = RemoteVM\nzone = thin\nremote-name = work\n"},
        {"third.conf", "type = RemoteVM\nzone = yonder\nremote-name = qube\n"},
};

static void ok(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

/* TPMT_PUBLIC of a restricted ECDSA P-256 key (TPM 2.0 Part 2, 12.2.4). */
static size_t make_ak(uint8_t *ret, size_t cap)
{
    CLEANUP(crypto_key_free_ptr)
    struct crypto_key *k = crypto_key_generate(CRYPTO_P256);
    struct wire_writer w = wire_writer_of(ret, cap);
    uint8_t point[65];
    struct span all;
    size_t len;

    assert_non_null(k);
    assert_int_equal(
            crypto_pub_raw(crypto_key_pub(k), point, sizeof(point), &len), 0);
    wire_put_u16be(&w, 0x0023);     /* ECC */
    wire_put_u16be(&w, 0x000b);     /* name: SHA-256 */
    wire_put_u32be(&w, 0x00050072); /* fixed, restricted, sign */
    wire_put_vec16be(&w, SPAN_EMPTY);
    wire_put_u16be(&w, 0x0010); /* no symmetric cipher */
    wire_put_u16be(&w, 0x0018); /* ECDSA */
    wire_put_u16be(&w, 0x000b);
    wire_put_u16be(&w, 0x0003); /* P-256 */
    wire_put_u16be(&w, 0x0010); /* no KDF */
    wire_put_vec16be(&w, SPAN(point + 1, 32));
    wire_put_vec16be(&w, SPAN(point + 33, 32));
    assert_true(wire_finish(&w, &all));
    return all.len;
}

static void put_zone(struct fixture *f, size_t i, uint64_t now,
        struct bundle_writer *w, struct err *err)
{
    CLEANUP(crypto_key_free_ptr)
    struct crypto_key *log = crypto_key_generate(CRYPTO_ED25519);
    CLEANUP(buf_fini) struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    struct pack_zone z = {.since = now - 500,
            .revoked = zones[i].revoked,
            .until = zones[i].expired ? now - 1 : 0,
            .ek_sha256 = {(uint8_t)i},
            .emulated = true};
    struct crypto_pub *pubs[2];
    uint8_t raw[32];
    char name[64];
    size_t len;

    f->identity[i] = crypto_key_generate(CRYPTO_ED25519);
    assert_non_null(log);
    assert_non_null(f->identity[i]);
    for (size_t k = 0; k < 2; k++) {
        assert_int_equal(
                crypto_pub_raw(crypto_key_pub(k ? log : f->identity[i]), raw,
                        sizeof(raw), &len),
                0);
        pubs[k] = crypto_pub_ed25519(raw);
    }
    z.identity = pubs[0];
    z.log = pubs[1];
    (void)snprintf(z.name, sizeof(z.name), "%s", zones[i].name);
    z.ak_len = make_ak(z.ak, sizeof(z.ak));
    ok(pack_zone_sign(&z, f->owner, &file, err), err);
    (void)snprintf(name, sizeof(name), "zones/%s.json", z.name);
    ok(bundle_put(
               w, &(struct bundle_file){span_str(name), buf_span(&file)}, err),
            err);
    ok(pack_add(f->pack, span_str(name), buf_span(&file), err), err);
    crypto_pub_free(pubs[0]);
    crypto_pub_free(pubs[1]);
}

void fixture_init(struct fixture *f, uint64_t now)
{
    struct bundle_writer w = {0}, q = {0};
    /* A bundle is in order of names. */
    static const size_t order[FIXTURE_ZONES] = {5, 4, 3, 1, 2, 0};
    struct err err = {.code = 0};

    *f = (struct fixture){.owner = crypto_key_generate(CRYPTO_P256),
            .stranger = crypto_key_generate(CRYPTO_ED25519),
            .pack_bundle = BUF_INIT(1u << 20),
            .qubes_bundle = BUF_INIT(1u << 20)};
    w.out = &f->pack_bundle;
    q.out = &f->qubes_bundle;
    f->pack = pack_new(crypto_key_pub(f->owner));
    for (size_t i = 0; i < FIXTURE_ZONES; i++)
        put_zone(f, order[i], now, &w, &err);
    ok(pack_check(f->pack, &err), &err);
    for (size_t i = 0; i < ARRAY_LEN(qubes); i++)
        ok(bundle_put(&q,
                   &(struct bundle_file){
                           span_str(qubes[i].name), span_str(qubes[i].text)},
                   &err),
                &err);
    ok(conf_qubes_parse(buf_span(&f->qubes_bundle), &f->qubes, &err), &err);
    ok(policy_system_new_from_conf(&f->qubes, &f->system, &err), &err);
}

void fixture_fini(struct fixture *f)
{
    policy_system_free(f->system);
    conf_qubes_fini(&f->qubes);
    pack_free(f->pack);
    buf_fini(&f->pack_bundle);
    buf_fini(&f->qubes_bundle);
    for (size_t i = 0; i < FIXTURE_ZONES; i++)
        crypto_key_free(f->identity[i]);
    crypto_key_free(f->stranger);
    crypto_key_free(f->owner);
}

static const struct crypto_key *key_of(
        const struct fixture *f, const char *signer)
{
    for (size_t i = 0; i < FIXTURE_ZONES; i++) {
        if (strcmp(zones[i].name, signer) == 0)
            return f->identity[i];
    }
    return f->stranger;
}

struct buf fixture_envelope(
        const struct fixture *f, const struct fixture_call *c)
{
    CLEANUP(buf_fini) struct buf payload = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct buf ret = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    const struct statement_call call = {.call_id = {c->id},
            .issued = c->issued,
            .deadline = c->deadline,
            .policy = {2},
            .origin = span_str(c->origin),
            .source_qube = span_str(c->source),
            .zone = span_str(c->zone),
            .qube = span_str(c->qube),
            .requested = span_str(c->requested ? c->requested : c->qube),
            .service = span_str(c->service),
            .autostart = !c->no_autostart,
            .via = c->via,
            .rule = span_str("30-sign.policy:1"),
            .appraisal = {
                    .zone = c->no_appraisal ? SPAN_EMPTY : span_str(c->zone),
                    .state = span_str("golden"),
                    .evidence = {1}}};
    struct err err = {.code = 0};

    ok(statement_call_format(&call, &payload, &err), &err);
    ok(statement_dsse_sign(STATEMENT_PAYLOAD_TYPE, buf_span(&payload),
               "thin/identity", key_of(f, c->signer), &ret, &err),
            &err);
    return ret;
}

struct policy *fixture_policy(const char *text)
{
    const struct policy_file file = {
            .name = span_str("t.policy"), .text = span_str(text)};
    const struct policy_files files = {
            .files = &file, .n_files = 1, .of_zone = true};
    struct policy *p = NULL;
    struct err err = {.code = 0};

    ok(policy_new(&files, &p, &err), &err);
    return p;
}
