/* SPDX-License-Identifier: Apache-2.0 */
/* A pack is the owner's word: right as a whole, or not used. */
#include "pack_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct estate server;
static struct pack *pack;
static struct buf file;

static int setup(void **state)
{
    (void)state;
    estate_init(&server, "server");
    pack = pack_new(crypto_key_pub(server.owner));
    file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    return pack ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    pack_free(pack);
    buf_fini(&file);
    estate_fini(&server);
    return 0;
}

static int add(const char *name)
{
    struct err err = {0};
    int r = pack_add(pack, span_str(name), buf_span(&file), &err);

    if (r != 0)
        print_message("  %s\n", err.msg);
    return r;
}

/* ---- what is right --------------------------------------------------- */

static void test_zone_comes_back_as_signed(void **state)
{
    const struct pack_zone *z;

    (void)state;
    server.zone.until = FIXTURE_NOW + 1000;
    estate_zone_file(&server, &file);
    assert_int_equal(add("zones/server.json"), 0);
    z = pack_zone(pack, span_str("server"));
    assert_non_null(z);
    assert_string_equal(z->address, "127.0.0.1:7421");
    assert_true(z->emulated && !z->revoked);
    assert_int_equal(z->until, FIXTURE_NOW + 1000);
    assert_memory_equal(z->ek_sha256, server.zone.ek_sha256, 32);
    assert_memory_equal(z->ak, server.zone.ak, server.zone.ak_len);
    assert_memory_equal(
            z->ak_name.bytes, server.zone.ak_name.bytes, z->ak_name.len);
    assert_true(crypto_pub_eq(z->identity, server.zone.identity));
    assert_true(crypto_pub_eq(z->log, server.zone.log));
    assert_true(pack_zone_valid(z, FIXTURE_NOW));
    assert_false(pack_zone_valid(z, FIXTURE_NOW + 1000));
    assert_null(pack_zone(pack, span_str("serve")));
}

static void sign_key(const char *name, const struct crypto_key *key)
{
    struct pack_key k = {.since = FIXTURE_NOW,
            .zone = "server",
            .custody = "sealed",
            .profile = "minisign"};
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len;

    (void)snprintf(k.name, sizeof(k.name), "%s", name);
    assert_int_equal(
            crypto_pub_spki(crypto_key_pub(key), spki, sizeof(spki), &len), 0);
    k.pub = crypto_pub_from_spki(SPAN(spki, len));
    assert_non_null(k.pub);
    buf_reset(&file);
    assert_int_equal(pack_key_sign(&k, server.owner, &file, NULL), 0);
    crypto_pub_free(k.pub);
}

static void test_key_comes_back_as_signed(void **state)
{
    const struct pack_key *k;

    (void)state;
    estate_zone_file(&server, &file);
    assert_int_equal(add("zones/server.json"), 0);
    sign_key("release", server.identity);
    assert_int_equal(add("keys/release.json"), 0);
    assert_int_equal(pack_check(pack, NULL), 0);
    k = pack_key(pack, span_str("release"));
    assert_non_null(k);
    assert_string_equal(k->custody, "sealed");
    assert_string_equal(k->profile, "minisign");
    assert_ptr_equal(pack_key_by_spki(pack, k->spki_sha256), k);
    assert_true(pack_key_valid(k, FIXTURE_NOW));
    assert_false(pack_key_valid(k, FIXTURE_NOW - 2 * PACK_SKEW_S));
}

static void test_reference_comes_back_as_signed(void **state)
{
    const struct pack_reference *r;
    uint8_t want[32];

    (void)state;
    estate_zone_file(&server, &file);
    assert_int_equal(add("zones/server.json"), 0);
    buf_reset(&file);
    estate_reference_file(&server, FIXTURE_NOW, &file);
    assert_int_equal(add("references/server.json"), 0);
    assert_int_equal(pack_check(pack, NULL), 0);
    r = pack_reference(pack, span_str("server"), FIXTURE_NOW);
    assert_non_null(r);
    assert_string_equal(r->state, "golden");
    assert_int_equal(r->n_events, 4);
    assert_string_equal(r->event[1].name, "policy.d/30-sign.policy");
    assert_memory_equal(r->value[0].bytes, server.machine.pcr, 32);
    /* What the TPM will be asked to believe. */
    assert_int_equal(tcg_policy_pcr(&r->selection, r->pcr_digest, want), 0);
    assert_memory_equal(want, r->policy, 32);
    tcg_policy_ahash(r->policy, SPAN_OF(r->policy_ref), want);
    assert_int_equal(
            crypto_verify_digest(crypto_key_pub(server.owner), CRYPTO_SIG_ECDSA,
                    CRYPTO_SHA256, SPAN_OF(want), SPAN_OF(r->policy_sig)),
            0);
}

/* With the values of a machine that was in that state. */
static const struct pack_reference *then(
        struct span zone, uint64_t t, const struct pack_reference *was)
{
    struct tcg_values v = {.n = was->n_values};

    for (size_t i = 0; i < v.n; i++)
        v.value[i] = SPAN(was->value[i].bytes, was->value[i].len);
    return pack_reference_then(pack, zone, t, &was->selection, &v);
}

/* A new approval replaces the old one; receipts of before keep theirs. */
static void test_references_over_time(void **state)
{
    const struct pack_reference *first, *second;
    uint64_t later = FIXTURE_NOW + 10 * PACK_SKEW_S;
    struct span z = span_str("server");

    (void)state;
    estate_reference_file(&server, FIXTURE_NOW, &file);
    assert_int_equal(add("references/server@1764037560.json"), 0);
    machine_boot(&server.machine);
    machine_measure(&server.machine, "conf", "zone.conf", "other");
    machine_close(&server.machine);
    buf_reset(&file);
    estate_reference_file(&server, later, &file);
    assert_int_equal(add("references/server.json"), 0);
    first = pack_reference(pack, z, FIXTURE_NOW);
    second = pack_reference(pack, z, UINT64_MAX);
    assert_true(first && second && first != second);
    assert_null(pack_reference(pack, z, FIXTURE_NOW - PACK_SKEW_S - 1));
    assert_null(pack_reference(pack, span_str("thin"), UINT64_MAX));
    assert_ptr_equal(then(z, FIXTURE_NOW, first), first);
    assert_ptr_equal(then(z, later + 10, first), first);
    assert_ptr_equal(then(z, later + PACK_SKEW_S, first), second);
    assert_ptr_equal(then(z, later - 10, second), second);
    assert_ptr_equal(then(z, later - PACK_SKEW_S - 1, second), first);
    /* values unknown: what was in force */
    assert_ptr_equal(pack_reference_then(pack, z, later + 10, NULL, NULL),
            pack_reference(pack, z, later + 10));
}

/* ---- what is wrong --------------------------------------------------- */

static void test_names_that_say_something_else(void **state)
{
    static const char *const names[] = {"zones/thin.json", "zones/server",
            "zones/server.json.json", "zones/", "zones/x/server.json",
            "keys/server.json", "references/server.json", "server.json",
            "zones/server@1.json", ""};

    (void)state;
    estate_zone_file(&server, &file);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_true(add(names[i]) != 0);
    assert_int_equal(add("zones/server.json"), 0);
    assert_int_equal(add("zones/server.json"), ERR_EXISTS);
}

static void test_reference_under_a_wrong_time(void **state)
{
    (void)state;
    estate_reference_file(&server, FIXTURE_NOW, &file);
    assert_int_equal(add("references/server@1764037561.json"), ERR_MISMATCH);
    assert_int_equal(add("references/server@1764037560.json"), 0);
    assert_int_equal(add("references/server.json"), ERR_EXISTS);
}

static void test_every_flipped_bit_is_refused(void **state)
{
    static const char hint[] = "\"keyid\":\"owner\"";
    const struct pack_zone *z;
    const uint8_t *at;

    (void)state;
    estate_zone_file(&server, &file);
    at = memmem(file.ptr, file.len, hint, sizeof(hint) - 1);
    assert_non_null(at);
    for (size_t i = 0; i < file.len; i++) {
        file.ptr[i] ^= 1;
        if (pack_add(pack, span_str("zones/server.json"), buf_span(&file),
                    NULL) == 0) {
            /* The key id is a hint that nobody signs. */
            assert_in_range(i, (size_t)(at - file.ptr),
                    (size_t)(at - file.ptr) + sizeof(hint) - 2);
            assert_int_equal(pack_zones(pack, &z), 1);
            assert_string_equal(z->name, "server");
            pack_free(pack);
            pack = pack_new(crypto_key_pub(server.owner));
            assert_non_null(pack);
        }
        file.ptr[i] ^= 1;
    }
}

static void test_other_owner_is_refused(void **state)
{
    struct estate other;

    (void)state;
    estate_init(&other, "server");
    estate_zone_file(&other, &file);
    assert_int_equal(add("zones/server.json"), ERR_MISMATCH);
    estate_fini(&other);
}

/* The owner's key signs, but the approval for the TPM is of another key. */
static void test_foreign_approval_in_a_reference(void **state)
{
    struct estate other;

    (void)state;
    estate_init(&other, "server");
    estate_reference_file(&other, FIXTURE_NOW, &file);
    assert_int_equal(add("references/server.json"), ERR_MISMATCH);
    estate_fini(&other);
}

static void test_unfit_ak_is_refused_though_signed(void **state)
{
    (void)state;
    server.zone.ak[5] = 0; /* attributes, bits 16-23: restricted and sign */
    estate_zone_file(&server, &file);
    assert_int_equal(add("zones/server.json"), ERR_DENIED);
}

static void test_identity_and_log_key_the_same(void **state)
{
    struct crypto_pub *log = server.zone.log;

    (void)state;
    server.zone.log = server.zone.identity;
    estate_zone_file(&server, &file);
    server.zone.log = log;
    assert_int_equal(add("zones/server.json"), ERR_MISMATCH);
}

static void test_key_of_an_absent_zone(void **state)
{
    (void)state;
    sign_key("release", server.identity);
    assert_int_equal(add("keys/release.json"), 0);
    assert_int_equal(pack_check(pack, NULL), ERR_NOT_FOUND);
}

static void test_reference_of_an_absent_zone(void **state)
{
    (void)state;
    estate_reference_file(&server, FIXTURE_NOW, &file);
    assert_int_equal(add("references/server.json"), 0);
    assert_int_equal(pack_check(pack, NULL), ERR_NOT_FOUND);
}

static void test_one_key_under_two_names(void **state)
{
    (void)state;
    estate_zone_file(&server, &file);
    assert_int_equal(add("zones/server.json"), 0);
    sign_key("release", server.identity);
    assert_int_equal(add("keys/release.json"), 0);
    sign_key("debug", server.identity);
    assert_int_equal(add("keys/debug.json"), 0);
    assert_int_equal(pack_check(pack, NULL), ERR_MISMATCH);
}

/* Two names for one machine would let one state prove two zones. */
static void test_two_zones_on_one_machine(void **state)
{
    struct pack_zone twin = server.zone;

    (void)state;
    estate_zone_file(&server, &file);
    assert_int_equal(add("zones/server.json"), 0);
    (void)snprintf(twin.name, sizeof(twin.name), "twin");
    buf_reset(&file);
    assert_int_equal(pack_zone_sign(&twin, server.owner, &file, NULL), 0);
    assert_int_equal(add("zones/twin.json"), 0);
    assert_int_equal(pack_check(pack, NULL), ERR_MISMATCH);
}

static void test_owner_pub_is_not_trusted(void **state)
{
    (void)state;
    buf_append_str(&file, "-----BEGIN PUBLIC KEY-----\nanything\n");
    assert_int_equal(add("owner.pub"), 0);
    assert_ptr_equal(pack_owner(pack), crypto_key_pub(server.owner));
}

/* A machine with a boot of its own: PCRs 0, 7 and 10 are quoted besides. */
static void test_reference_selects_what_lasts(void **state)
{
    static const uint8_t binder[32];
    CLEANUP(buf_fini) struct buf blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    struct pack_reference r = {0};
    struct evidence e;

    (void)state;
    server.machine.also = 1u << 0 | 1u << 7 | 1u << 10;
    for (unsigned p = 0; p < TCG_PCRS; p++)
        memset(server.machine.other[p], (int)p + 1, 32);
    machine_evidence(&server.machine, binder, &blob);
    assert_int_equal(evidence_parse(buf_span(&blob), &e, NULL), 0);
    assert_int_equal(pack_reference_from(
                             &e, "server", "golden", FIXTURE_NOW, 0, &r, NULL),
            0);
    assert_int_equal(r.selection.bank[0].pcrs, 1u << 0 | 1u << 7 | 1u << 14);
    assert_int_equal(r.n_values, 3);
    assert_int_equal(r.value[1].bytes[0], 8);
    assert_memory_equal(r.value[2].bytes, server.machine.pcr, 32);
    r.computed = 1u << 4; /* which it does not select */
    assert_int_equal(
            pack_reference_sign(&r, server.owner, &file, NULL), ERR_MISMATCH);
    r.computed = 1u << 7;
    assert_int_equal(pack_reference_sign(&r, server.owner, &file, NULL), 0);
    assert_int_equal(add("references/server.json"), 0);
    assert_int_equal(
            pack_reference(pack, span_str("server"), FIXTURE_NOW)->computed,
            1u << 7);
    assert_int_equal(
            pack_reference_select(&r, &e, 1u << 7 | 1u << 10 | 1u << 14, NULL),
            0);
    assert_int_equal(r.n_values, 3);
    assert_int_equal(r.value[0].bytes[0], 8);
    assert_int_equal(r.value[1].bytes[0], 11);
    /* not quoted; not the zone's own: nothing changes */
    assert_int_equal(pack_reference_select(&r, &e, 1u << 4 | 1u << 14, NULL),
            ERR_MISMATCH);
    assert_int_equal(
            pack_reference_select(&r, &e, 1u << 7, NULL), ERR_MISMATCH);
    assert_int_equal(r.n_values, 3);
    pack_reference_fini(&r);
}

static void test_reference_whose_files_do_not_give_its_pcr(void **state)
{
    static const uint8_t binder[32];
    struct buf blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    struct pack_reference r = {0};
    struct evidence e;

    (void)state;
    machine_evidence(&server.machine, binder, &blob);
    assert_int_equal(evidence_parse(buf_span(&blob), &e, NULL), 0);
    assert_int_equal(pack_reference_from(
                             &e, "server", "golden", FIXTURE_NOW, 0, &r, NULL),
            0);
    r.event[0].sha256[0] ^= 1;
    assert_int_equal(
            pack_reference_sign(&r, server.owner, &file, NULL), ERR_MISMATCH);
    r.event[0].sha256[0] ^= 1;
    r.value[0].bytes[0] ^= 1;
    assert_int_equal(
            pack_reference_sign(&r, server.owner, &file, NULL), ERR_MISMATCH);
    pack_reference_fini(&r);
    buf_fini(&blob);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
            T(test_zone_comes_back_as_signed),
            T(test_key_comes_back_as_signed),
            T(test_reference_comes_back_as_signed),
            T(test_references_over_time),
            T(test_names_that_say_something_else),
            T(test_reference_under_a_wrong_time),
            T(test_every_flipped_bit_is_refused),
            T(test_other_owner_is_refused),
            T(test_foreign_approval_in_a_reference),
            T(test_unfit_ak_is_refused_though_signed),
            T(test_identity_and_log_key_the_same),
            T(test_key_of_an_absent_zone),
            T(test_reference_of_an_absent_zone),
            T(test_one_key_under_two_names),
            T(test_two_zones_on_one_machine),
            T(test_owner_pub_is_not_trusted),
            T(test_reference_selects_what_lasts),
            T(test_reference_whose_files_do_not_give_its_pcr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
