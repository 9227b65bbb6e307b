/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct crypto_pub *copy_pub(const struct crypto_key *k)
{
    uint8_t raw[32];
    struct crypto_pub *pub;
    size_t len;

    assert_int_equal(
            crypto_pub_raw(crypto_key_pub(k), raw, sizeof(raw), &len), 0);
    pub = crypto_pub_ed25519(raw);
    assert_non_null(pub);
    return pub;
}

void estate_init(struct estate *e, const char *zone)
{
    struct tcg_public ak;

    memset(e, 0, sizeof(*e));
    machine_init(&e->machine);
    e->owner = crypto_key_generate(CRYPTO_P256);
    e->identity = crypto_key_generate(CRYPTO_ED25519);
    e->log = crypto_key_generate(CRYPTO_ED25519);
    assert_true(e->owner && e->identity && e->log);
    (void)snprintf(e->zone.name, sizeof(e->zone.name), "%s", zone);
    (void)snprintf(e->zone.address, sizeof(e->zone.address), "127.0.0.1:7421");
    crypto_random(e->zone.ek_sha256, sizeof(e->zone.ek_sha256));
    memcpy(e->zone.ak, e->machine.ak, e->machine.ak_len);
    e->zone.ak_len = e->machine.ak_len;
    assert_int_equal(
            tcg_public(SPAN(e->zone.ak, e->zone.ak_len), &ak, NULL), 0);
    assert_int_equal(tcg_name(&ak, &e->zone.ak_name), 0);
    e->zone.identity = copy_pub(e->identity);
    e->zone.log = copy_pub(e->log);
    e->zone.emulated = true;
    e->zone.since = FIXTURE_NOW - 86400;
}

void estate_fini(struct estate *e)
{
    machine_fini(&e->machine);
    crypto_pub_free(e->zone.identity);
    crypto_pub_free(e->zone.log);
    crypto_key_free(e->owner);
    crypto_key_free(e->identity);
    crypto_key_free(e->log);
}

void estate_zone_file(struct estate *e, struct buf *ret)
{
    struct err err = {0};

    if (pack_zone_sign(&e->zone, e->owner, ret, &err) != 0)
        fail_msg("%s", err.msg);
}

void estate_reference_file(struct estate *e, uint64_t issued, struct buf *ret)
{
    static const uint8_t binder[32] = {9};
    struct buf blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    struct pack_reference r = {0};
    struct evidence evidence;
    struct err err = {0};

    machine_evidence(&e->machine, binder, &blob);
    assert_int_equal(evidence_parse(buf_span(&blob), &evidence, &err), 0);
    if (pack_reference_from(
                &evidence, e->zone.name, "golden", issued, 0, &r, &err) != 0 ||
            pack_reference_sign(&r, e->owner, ret, &err) != 0)
        fail_msg("%s", err.msg);
    pack_reference_fini(&r);
    buf_fini(&blob);
}

static void add(
        struct pack *p, const char *folder, const char *zone, struct buf *file)
{
    char name[128];
    struct err err = {0};

    (void)snprintf(name, sizeof(name), "%s/%s.json", folder, zone);
    if (pack_add(p, span_str(name), buf_span(file), &err) != 0)
        fail_msg("%s", err.msg);
    buf_reset(file);
}

struct pack *estate_pack(struct estate *e, uint64_t issued)
{
    struct pack *p = pack_new(crypto_key_pub(e->owner));
    struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    struct err err = {0};

    assert_non_null(p);
    estate_zone_file(e, &file);
    add(p, "zones", e->zone.name, &file);
    if (issued) {
        estate_reference_file(e, issued, &file);
        add(p, "references", e->zone.name, &file);
    }
    buf_fini(&file);
    if (pack_check(p, &err) != 0)
        fail_msg("%s", err.msg);
    return p;
}
