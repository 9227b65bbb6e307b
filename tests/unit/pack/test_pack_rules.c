/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and sets of values in a pack: right as a whole, or not used. */
#include "pack_fixture.h"
#include "statement.h"

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
    pack = estate_pack(&server, 0);
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

static void sign_rules(const char *zone, const char *text, uint64_t issued)
{
    buf_reset(&file);
    assert_int_equal(pack_rules_sign(zone, span_str(text), issued, 0,
                             server.owner, &file, NULL),
            0);
}

static void sign_set(const char *name, const char *claim,
        const struct claim_value *v, size_t n, bool revoked)
{
    struct rules_set s = {.def = claims_find_any(span_str(claim)),
            .n = n,
            .value = v,
            .revoked = revoked,
            .since = FIXTURE_NOW,
            .until = FIXTURE_NOW + 1000,
            .recipe = span_str("qair attest predict\n-k v")};

    (void)snprintf(s.name, sizeof(s.name), "%s", name);
    (void)snprintf(s.claim, sizeof(s.claim), "%s", claim);
    buf_reset(&file);
    assert_int_equal(pack_values_sign(&s, server.owner, &file, NULL), 0);
}

static const struct claim_value numbers[] = {
        {.type = CLAIM_NUMBER, .number = 1},
        {.type = CLAIM_NUMBER, .number = 10},
        {.type = CLAIM_NUMBER, .number = 2},
};

#define RULES "state golden\n  snp.vmpl in low # those\n"

static void test_they_come_back_as_signed(void **state)
{
    const struct pack_rules *r;
    struct rules_sets sets;

    (void)state;
    sign_rules("server", RULES, FIXTURE_NOW);
    assert_int_equal(add("rules/server.json"), 0);
    sign_set("low", "snp.vmpl", numbers, 3, false);
    assert_int_equal(add("values/low.json"), 0);
    assert_int_equal(pack_check(pack, NULL), 0);
    r = pack_rules(pack, span_str("server"), FIXTURE_NOW);
    assert_non_null(r);
    assert_int_equal(r->rules->n_lines, 1);
    assert_string_equal(r->rules->set[0], "low");
    assert_int_equal(r->issued, FIXTURE_NOW);
    sets = pack_sets(pack);
    assert_int_equal(sets.n, 1);
    assert_string_equal(sets.set[0].claim, "snp.vmpl");
    assert_int_equal(sets.set[0].n, 3);
    assert_int_equal(sets.set[0].value[1].number, 10);
    assert_int_equal(sets.set[0].until, FIXTURE_NOW + 1000);
    assert_false(sets.set[0].revoked);
    assert_true(span_eq_str(sets.set[0].recipe, "qair attest predict\n-k v"));
    assert_null(pack_rules(pack, span_str("thin"), FIXTURE_NOW));
}

static void test_every_type_of_value(void **state)
{
    static const uint8_t digest[48] = {0xab, 0xff};
    static const struct {
        const char *claim;
        struct claim_value v;
    } cases[] = {
            {"secureboot.enabled", {.type = CLAIM_BOOL, .yes = true}},
            {"snp.policy", {.type = CLAIM_NUMBER, .number = UINT64_MAX}},
            {"snp.measurement",
                    {.type = CLAIM_BYTES, .bytes = {digest, sizeof(digest)}}},
            {"kernel.cmdline",
                    {.type = CLAIM_TEXT, .bytes = {digest, sizeof(digest)}}},
            {"snp.tcb.reported",
                    {.type = CLAIM_VECTOR, .n_parts = 2, .part = {3, 255}}},
            {"snp.firmware",
                    {.type = CLAIM_VERSION, .n_parts = 1, .part = {9}}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rules_sets sets;
        char name[32];

        (void)snprintf(name, sizeof(name), "values/s%zu.json", i);
        sign_set(name + 7, cases[i].claim, &cases[i].v, 1, true);
        assert_int_equal(add(name), ERR_MISMATCH); /* named s0.json */
        name[9] = '\0';
        sign_set(name + 7, cases[i].claim, &cases[i].v, 1, true);
        (void)snprintf(name, sizeof(name), "values/s%zu.json", i);
        assert_int_equal(add(name), 0);
        sets = pack_sets(pack);
        assert_true(sets.set[i].revoked);
        assert_true(claims_value_eq(&sets.set[i].value[0], &cases[i].v));
    }
}

static void test_a_set_may_be_empty_and_then_lets_nothing_pass(void **state)
{
    CLEANUP(claims_fini) struct claims c = {0};
    static struct rules_verdict v;
    struct rules_sets sets;

    (void)state;
    sign_set("low", "snp.vmpl", numbers, 0, false);
    assert_int_equal(add("values/low.json"), 0);
    sign_rules("server", RULES, FIXTURE_NOW);
    assert_int_equal(add("rules/server.json"), 0);
    assert_int_equal(pack_check(pack, NULL), 0);
    sets = pack_sets(pack);
    claims_add_number(&c, "snp.vmpl", 1, "SNP report");
    rules_eval(pack_rules(pack, span_str("server"), FIXTURE_NOW)->rules, &sets,
            &c, FIXTURE_NOW, PACK_SKEW_S, &v);
    assert_null(v.state);
}

static void test_rules_over_time(void **state)
{
    struct span z = span_str("server");
    uint64_t later = FIXTURE_NOW + 10 * PACK_SKEW_S;

    (void)state;
    sign_rules("server", "state old\nsnp.vmpl is 0\n", FIXTURE_NOW);
    assert_int_equal(add("rules/server@1764037560.json"), 0);
    assert_int_equal(add("rules/server.json"), ERR_EXISTS);
    sign_rules("server", "state new\nsnp.vmpl is 0\n", later);
    assert_int_equal(add("rules/server.json"), 0);
    assert_null(pack_rules(pack, z, FIXTURE_NOW - PACK_SKEW_S - 1));
    assert_string_equal(
            pack_rules(pack, z, FIXTURE_NOW)->rules->state[0].name, "old");
    assert_string_equal(
            pack_rules(pack, z, UINT64_MAX)->rules->state[0].name, "new");
    /* Which of the two it was cannot be known for some minutes. */
    assert_string_equal(
            pack_rules(pack, z, later)->rules->state[0].name, "new");
    assert_string_equal(
            pack_rules_before(pack, z, later)->rules->state[0].name, "old");
    assert_string_equal(pack_rules_before(pack, z, later + PACK_SKEW_S)
                                ->rules->state[0]
                                .name,
            "new");
    assert_null(pack_rules_before(pack, z, FIXTURE_NOW));
    assert_null(pack_rules_before(pack, z, 0));
}

/* ---- what makes a pack useless --------------------------------------- */

static void test_rules_that_do_not_fit_the_pack(void **state)
{
    static const struct {
        const char *zone, *text;
        int r;
    } cases[] = {
            {"server", "state a\nsnp.vmpl in low\n", 0},
            {"server", "state a\nsnp.vmpl in lwo\n", ERR_NOT_FOUND},
            {"server", "state a\nsnp.version in low\n", ERR_MISMATCH},
            {"thin", "state a\nsnp.vmpl is 0\n", ERR_NOT_FOUND},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[64];
        struct err err = {0};

        pack_free(pack);
        pack = estate_pack(&server, 0);
        sign_set("low", "snp.vmpl", numbers, 3, false);
        assert_int_equal(add("values/low.json"), 0);
        sign_rules(cases[i].zone, cases[i].text, FIXTURE_NOW);
        (void)snprintf(name, sizeof(name), "rules/%s.json", cases[i].zone);
        assert_int_equal(add(name), 0);
        assert_int_equal(pack_check(pack, &err), cases[i].r);
        print_message("  %s\n", err.msg);
    }
}

static void test_rules_that_do_not_parse_are_not_signed(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(
            pack_rules_sign("server", span_str("state a\nsnp.vmlp is 0"),
                    FIXTURE_NOW, 0, server.owner, &file, &err),
            ERR_SYNTAX);
    assert_non_null(strstr(err.msg, "line 2"));
}

static void test_names_that_say_something_else(void **state)
{
    static const char *const names[] = {"rules/thin.json", "rules/server",
            "rules/server@1.json", "values/server.json",
            "references/server.json", "zones/server.json", "rules/"};

    (void)state;
    sign_rules("server", RULES, FIXTURE_NOW);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_true(add(names[i]) != 0);
    sign_set("low", "snp.vmpl", numbers, 3, false);
    assert_int_equal(add("values/high.json"), ERR_MISMATCH);
    assert_int_equal(add("rules/low.json"), ERR_MISMATCH);
    assert_int_equal(add("values/low.json"), 0);
    assert_int_equal(add("values/low.json"), ERR_EXISTS);
}

static void refuse_flips(const char *name)
{
    static const char hint[] = "\"keyid\":\"owner\"";
    const uint8_t *at = memmem(file.ptr, file.len, hint, sizeof(hint) - 1);

    assert_non_null(at);
    for (size_t i = 0; i < file.len; i++) {
        if (file.ptr + i >= at && file.ptr + i < at + sizeof(hint) - 1)
            continue; /* a hint that nobody signs */
        file.ptr[i] ^= 1;
        if (pack_add(pack, span_str(name), buf_span(&file), NULL) == 0)
            fail_msg("byte %zu of %s may be another", i, name);
        file.ptr[i] ^= 1;
    }
}

static void test_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    sign_rules("server", RULES, FIXTURE_NOW);
    refuse_flips("rules/server.json");
    sign_set("low", "snp.vmpl", numbers, 3, false);
    refuse_flips("values/low.json");
}

/* What the owner's key signed and no writer of ours would have written. */
static const struct {
    const char *predicate;
    int r;
} sets[] = {
        {"\"claim\":\"snp.vmpl\",\"name\":\"low\",\"recipe\":\"\","
         "\"revoked\":false,\"since\":\"2025-11-25T02:26:00Z\","
         "\"values\":[\"1\",\"10\",\"2\"]",
                0},
        /* not ascending, twice, another spelling, another type */
        {"\"claim\":\"snp.vmpl\",\"name\":\"low\",\"recipe\":\"\","
         "\"revoked\":false,\"since\":\"2025-11-25T02:26:00Z\","
         "\"values\":[\"1\",\"2\",\"10\"]",
                ERR_SYNTAX},
        {"\"claim\":\"snp.vmpl\",\"name\":\"low\",\"recipe\":\"\","
         "\"revoked\":false,\"since\":\"2025-11-25T02:26:00Z\","
         "\"values\":[\"1\",\"1\",\"2\"]",
                ERR_SYNTAX},
        {"\"claim\":\"snp.vmpl\",\"name\":\"low\",\"recipe\":\"\","
         "\"revoked\":false,\"since\":\"2025-11-25T02:26:00Z\","
         "\"values\":[\"0x1\"]",
                ERR_SYNTAX},
        {"\"claim\":\"snp.vmpl\",\"name\":\"low\",\"recipe\":\"\","
         "\"revoked\":false,\"since\":\"2025-11-25T02:26:00Z\","
         "\"values\":[\"yes\"]",
                ERR_SYNTAX},
        {"\"claim\":\"snp.vmpl\",\"name\":\"low\",\"recipe\":\"\","
         "\"revoked\":false,\"since\":\"2025-11-25T02:26:00Z\","
         "\"values\":[1]",
                ERR_SYNTAX},
        /* unknown claim, unknown and missing members, a time of zero */
        {"\"claim\":\"snp.vmlp\",\"name\":\"low\",\"recipe\":\"\","
         "\"revoked\":false,\"since\":\"2025-11-25T02:26:00Z\","
         "\"values\":[\"1\"]",
                ERR_SYNTAX},
        {"\"claim\":\"snp.vmpl\",\"extra\":1,\"name\":\"low\",\"recipe\":\"\","
         "\"revoked\":false,\"since\":\"2025-11-25T02:26:00Z\","
         "\"values\":[\"1\"]",
                ERR_SYNTAX},
        {"\"claim\":\"snp.vmpl\",\"name\":\"low\",\"recipe\":\"\","
         "\"since\":\"2025-11-25T02:26:00Z\",\"values\":[\"1\"]",
                ERR_SYNTAX},
        {"\"claim\":\"snp.vmpl\",\"name\":\"low\",\"recipe\":\"\","
         "\"revoked\":false,\"since\":\"2025-11-25T02:26:00Z\","
         "\"until\":\"1970-01-01T00:00:00Z\",\"values\":[\"1\"]",
                ERR_SYNTAX},
};

static void test_sets_that_the_owner_signed_by_mistake(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        char text[1024];
        struct buf payload = BUF_INIT(LIMIT_STATEMENT_MAX);
        CLEANUP(statement_json_free_ptr) struct json_t *o = NULL;
        uint8_t digest[32];

        (void)snprintf(text, sizeof(text), "{%s}", sets[i].predicate);
        o = statement_json_parse(span_str(text), NULL);
        assert_non_null(o);
        crypto_sha256(span_str("1\n10\n2\n"), digest);
        assert_int_equal(
                statement_format("qair:values/v1", span_str("values/low"),
                        digest, o, &payload, NULL),
                0);
        buf_reset(&file);
        assert_int_equal(
                statement_dsse_sign(STATEMENT_PAYLOAD_TYPE, buf_span(&payload),
                        "owner", server.owner, &file, NULL),
                0);
        buf_fini(&payload);
        assert_int_equal(add("values/low.json"), sets[i].r);
        if (sets[i].r == 0) {
            pack_free(pack);
            pack = estate_pack(&server, 0);
        }
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
            T(test_they_come_back_as_signed),
            T(test_every_type_of_value),
            T(test_a_set_may_be_empty_and_then_lets_nothing_pass),
            T(test_rules_over_time),
            T(test_rules_that_do_not_fit_the_pack),
            T(test_rules_that_do_not_parse_are_not_signed),
            T(test_names_that_say_something_else),
            T(test_every_flipped_bit_is_refused),
            T(test_sets_that_the_owner_signed_by_mistake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
