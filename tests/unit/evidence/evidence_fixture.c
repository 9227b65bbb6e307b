/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void extend(struct machine *m, const uint8_t digest[static 32])
{
    crypto_sha256_two(SPAN_OF(m->pcr), SPAN(digest, 32), m->pcr);
}

void machine_set_attributes(struct machine *m, uint32_t attributes)
{
    struct wire_writer w = wire_writer_of(m->ak, sizeof(m->ak));
    uint8_t point[65];
    size_t len;
    struct span s;

    assert_int_equal(crypto_pub_raw(crypto_key_pub(m->ak_key), point,
                             sizeof(point), &len),
            0);
    wire_put_u16be(&w, TCG_ALG_ECC);
    wire_put_u16be(&w, TCG_ALG_SHA256);
    wire_put_u32be(&w, attributes);
    wire_put_vec16be(&w, SPAN_EMPTY);
    wire_put_u16be(&w, TCG_ALG_NULL);
    wire_put_u16be(&w, TCG_ALG_ECDSA);
    wire_put_u16be(&w, TCG_ALG_SHA256);
    wire_put_u16be(&w, 3);
    wire_put_u16be(&w, TCG_ALG_NULL);
    wire_put_vec16be(&w, SPAN(point + 1, 32));
    wire_put_vec16be(&w, SPAN(point + 33, 32));
    assert_true(wire_finish(&w, &s));
    m->ak_len = s.len;
}

void machine_init(struct machine *m)
{
    *m = (struct machine){
            .ak_key = crypto_key_generate(CRYPTO_P256),
            .clock = {.clock = 1000000, .resets = 5, .safe = true},
            .attest_type = TCG_ATTEST_QUOTE,
            .bank = TCG_ALG_SHA256,
            .pcr_index = EVIDENCE_ZONE_PCR,
    };
    assert_non_null(m->ak_key);
    machine_set_attributes(m, AK_ATTRIBUTES);
    machine_boot_golden(m);
}

void machine_fini(struct machine *m)
{
    crypto_key_free(m->ak_key);
    buf_fini(&m->log);
}

void machine_boot(struct machine *m)
{
    buf_fini(&m->log);
    m->log = BUF_INIT(LIMIT_EVENT_LOG_MAX);
    memset(m->pcr, 0, sizeof(m->pcr));
    assert_int_equal(evidence_events_begin(&m->log, NULL), 0);
}

void machine_measure(struct machine *m, const char *kind, const char *name,
        const char *content)
{
    struct evidence_event e = {.kind = span_str(kind),
            .name = span_str(name),
            .size = strlen(content)};
    uint8_t digest[32];

    crypto_sha256(span_str(content), e.sha256);
    assert_int_equal(evidence_events_add(&m->log, &e, digest, NULL), 0);
    extend(m, digest);
}

void machine_close(struct machine *m)
{
    uint8_t digest[32];

    assert_int_equal(evidence_events_end(&m->log, digest, NULL), 0);
    extend(m, digest);
}

void machine_change(struct machine *m, unsigned round)
{
    uint8_t digest[32];

    assert_int_equal(evidence_events_change(&m->log, round, digest, NULL), 0);
    extend(m, digest);
}

void machine_boot_golden(struct machine *m)
{
    machine_boot(m);
    machine_measure(m, "conf", "zone.conf", "name = server\n");
    machine_measure(m, "policy", "policy.d/30-sign.policy", "* * a b deny\n");
    machine_measure(m, "program", "qair-keyd", "ELF");
    machine_measure(m, "qube", "qubes.d/signer.conf", "type = AppVM\n");
    machine_close(m);
}

static size_t put_attest(struct machine *m, struct span binder,
        struct span digest, uint8_t *buf, size_t cap)
{
    struct wire_writer w = wire_writer_of(buf, cap);
    struct tcg_selection s = {
            .n = 1, .bank = {{m->bank, 1u << m->pcr_index | m->also}}};
    uint8_t name[34] = {0, TCG_ALG_SHA256};
    struct span done;

    crypto_sha256(SPAN(m->ak, m->ak_len), name + 2);
    wire_put_u32be(&w, 0xff544347);
    wire_put_u16be(&w, m->attest_type);
    wire_put_vec16be(&w, SPAN_OF(name));
    wire_put_vec16be(&w, binder);
    wire_put_u64be(&w, m->clock.clock);
    wire_put_u32be(&w, m->clock.resets);
    wire_put_u32be(&w, m->clock.restarts);
    wire_put_u8(&w, m->clock.safe);
    wire_put_u64be(&w, 0x2019102300163636);
    tcg_put_selection(&w, &s);
    wire_put_vec16be(&w, digest);
    if (m->trailing)
        wire_put_u8(&w, 0);
    assert_true(wire_finish(&w, &done));
    return done.len;
}

static size_t put_signature(
        struct machine *m, struct span attest, uint8_t *buf, size_t cap)
{
    struct crypto_key *other =
            m->other_signer ? crypto_key_generate(CRYPTO_P256) : NULL;
    struct wire_writer w = wire_writer_of(buf, cap);
    uint8_t rs[CRYPTO_SIGNATURE_SIZE];
    struct span done;

    assert_int_equal(crypto_sign(other ? other : m->ak_key, attest, rs), 0);
    crypto_key_free(other);
    wire_put_u16be(&w, TCG_ALG_ECDSA);
    wire_put_u16be(&w, TCG_ALG_SHA256);
    wire_put_vec16be(&w, SPAN(rs, 32));
    wire_put_vec16be(&w, SPAN(rs + 32, 32));
    assert_true(wire_finish(&w, &done));
    return done.len;
}

/* By hand: evidence_format would refuse what a liar sends. */
static void put_blob(struct machine *m, struct span attest, struct span sig,
        const struct tcg_values *v, struct buf *ret)
{
    static uint8_t room[LIMIT_EVIDENCE_MAX + 4096];
    struct wire_writer w = wire_writer_of(room, sizeof(room));
    struct span log = m->no_log ? SPAN_EMPTY : buf_span(&m->log), done;
    uint16_t parts = log.len ? 2 : 1, version = EVIDENCE_VERSION_PLAIN;

    for (unsigned kind = EVIDENCE_FIRMWARE; kind < EVIDENCE_KINDS; kind++) {
        if (m->part[kind].len == 0)
            continue;
        parts++;
        version = EVIDENCE_VERSION;
    }

    wire_put_bytes(&w, (const uint8_t *)"QAIREVID", 8);
    wire_put_u16be(&w, version);
    wire_put_u16be(&w, parts);
    wire_put_u16be(&w, 1);
    wire_put_u32be(&w, (uint32_t)(6 + attest.len + sig.len + m->ak_len + 2 +
                                  v->n * (1 + v->value[0].len)));
    wire_put_vec16be(&w, attest);
    wire_put_vec16be(&w, sig);
    wire_put_vec16be(&w, SPAN(m->ak, m->ak_len));
    wire_put_u16be(&w, (uint16_t)v->n);
    for (size_t i = 0; i < v->n; i++)
        wire_put_vec8(&w, v->value[i]);
    if (log.len) {
        wire_put_u16be(&w, 2);
        wire_put_vec32be(&w, log);
    }
    for (uint16_t kind = EVIDENCE_FIRMWARE; kind < EVIDENCE_KINDS; kind++) {
        if (m->part[kind].len == 0)
            continue;
        wire_put_u16be(&w, kind);
        wire_put_vec32be(&w, m->part[kind]);
    }
    assert_true(wire_finish(&w, &done));
    buf_append(ret, done);
    assert_int_equal(buf_ok(ret, NULL), 0);
}

void machine_evidence(
        struct machine *m, const uint8_t binder[static 32], struct buf *ret)
{
    uint8_t attest[256], sig[128], digest[32];
    struct tcg_values v = {.n = 0};
    size_t n_attest, n_sig;

    for (unsigned p = 0; p < TCG_PCRS; p++) {
        if (p == m->pcr_index)
            v.value[v.n++] = SPAN(m->pcr, m->bank == TCG_ALG_SHA1 ? 20 : 32);
        else if (m->also >> p & 1)
            v.value[v.n++] = SPAN_OF(m->other[p]);
    }
    assert_int_equal(tcg_pcr_digest(&v, CRYPTO_SHA256, digest), 0);
    n_attest = put_attest(
            m, SPAN(binder, 32), SPAN_OF(digest), attest, sizeof(attest));
    n_sig = put_signature(m, SPAN(attest, n_attest), sig, sizeof(sig));
    if (m->other_values)
        v.value[0] = SPAN_OF(digest);
    put_blob(m, SPAN(attest, n_attest), SPAN(sig, n_sig), &v, ret);
}
