/* SPDX-License-Identifier: Apache-2.0 */
/* Results: from lines of a verdict to what others read. */
#include "cbor_diag.h"
#include "eat.h"
#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static void test_tiers_are_those_of_ar4si(void **state)
{
    static const struct {
        int8_t value;
        enum ear_tier tier;
    } t[] = {{0, EAR_NONE}, {1, EAR_NONE}, {-1, EAR_NONE}, {2, EAR_AFFIRMING},
            {31, EAR_AFFIRMING}, {-2, EAR_AFFIRMING}, {-32, EAR_AFFIRMING},
            {32, EAR_WARNING}, {95, EAR_WARNING}, {-33, EAR_WARNING},
            {-96, EAR_WARNING}, {96, EAR_CONTRAINDICATED},
            {127, EAR_CONTRAINDICATED}, {-97, EAR_CONTRAINDICATED},
            {-128, EAR_CONTRAINDICATED}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        assert_int_equal(ear_tier_of(t[i].value), t[i].tier);
    assert_string_equal(ear_tier_name(EAR_NONE), "none");
    assert_string_equal(ear_tier_name(EAR_AFFIRMING), "affirming");
    assert_string_equal(ear_tier_name(EAR_WARNING), "warning");
    assert_string_equal(ear_tier_name(EAR_CONTRAINDICATED), "contraindicated");
}

static void test_a_verdict_becomes_a_status(void **state)
{
    static const struct {
        bool approved;
        struct {
            const char *claim;
            enum ear_outcome outcome;
        } line[4];
        enum ear_tier status;
        enum ear_axis axis;
        int value;
    } t[] = {
            {true, {{0}}, EAR_NONE, EAR_HARDWARE, 0},
            {true, {{"tpm.ak", EAR_PASSED}}, EAR_AFFIRMING,
                    EAR_INSTANCE_IDENTITY, 2},
            {true, {{"uki.linux", EAR_PASSED}, {"ima.file", EAR_PASSED}},
                    EAR_AFFIRMING, EAR_EXECUTABLES, 3},
            {false, {{"tpm.ak", EAR_PASSED}}, EAR_NONE, EAR_INSTANCE_IDENTITY,
                    2},
            {false, {{"tpm.ak", EAR_FAILED}}, EAR_CONTRAINDICATED,
                    EAR_INSTANCE_IDENTITY, 97},
            {false, {{"uki.linux", EAR_FAILED}, {"uki.initrd", EAR_PASSED}},
                    EAR_CONTRAINDICATED, EAR_EXECUTABLES, 33},
            {false, {{"uki.initrd", EAR_PASSED}, {"uki.linux", EAR_FAILED}},
                    EAR_CONTRAINDICATED, EAR_EXECUTABLES, 33},
            {false, {{"tpm.ak", EAR_FORGED}, {"tpm.ek", EAR_FAILED}},
                    EAR_CONTRAINDICATED, EAR_INSTANCE_IDENTITY, 99},
            {false, {{"tpm.ek", EAR_FAILED}, {"tpm.ak", EAR_FORGED}},
                    EAR_CONTRAINDICATED, EAR_INSTANCE_IDENTITY, 99},
            /* undecided affirms nothing, before and after what passed */
            {false, {{"snp.vmpl", EAR_PASSED}, {"snp.policy", EAR_UNDECIDED}},
                    EAR_NONE, EAR_RUNTIME_OPAQUE, 0},
            {false, {{"snp.policy", EAR_UNDECIDED}, {"snp.vmpl", EAR_PASSED}},
                    EAR_NONE, EAR_RUNTIME_OPAQUE, 0},
            {false, {{"snp.vmpl", EAR_FAILED}, {"snp.policy", EAR_UNDECIDED}},
                    EAR_CONTRAINDICATED, EAR_RUNTIME_OPAQUE, 96},
            {false, {{"snp.tcb.reported", EAR_FAILED}}, EAR_CONTRAINDICATED,
                    EAR_HARDWARE, 32},
            /* a caller that contradicts itself gains nothing */
            {true, {{"tpm.ak", EAR_PASSED}, {"ima.file", EAR_FAILED}},
                    EAR_CONTRAINDICATED, EAR_FILE_SYSTEM, 32},
            {true, {{"tpm.ak", EAR_PASSED}, {"ima.file", EAR_UNDECIDED}},
                    EAR_NONE, EAR_FILE_SYSTEM, 0},
            {true, {{"tpm.ak", EAR_PASSED}, {"unheard.of", EAR_FAILED}},
                    EAR_CONTRAINDICATED, EAR_INSTANCE_IDENTITY, 2},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct ear_submod m = {.name = "z", .approved = t[i].approved};

        for (size_t l = 0; l < ARRAY_LEN(t[i].line) && t[i].line[l].claim; l++)
            ear_add(&m, t[i].line[l].claim, t[i].line[l].outcome);
        if (ear_status(&m) != t[i].status || m.vector[t[i].axis] != t[i].value)
            fail_msg("row %zu: %s, %d", i, ear_tier_name(ear_status(&m)),
                    m.vector[t[i].axis]);
    }
}

/* A claim whose failure nobody would see in the vector. */
static void test_each_claim_of_room_rules_has_an_axis(void **state)
{
    const struct claim_def *def;
    size_t n = claims_table(&def);

    (void)state;
    assert_true(n > 50);
    for (size_t i = 0; i < n; i++) {
        struct ear_submod m = {.name = "z"};
        size_t seen = 0;

        ear_add(&m, def[i].name, EAR_FAILED);
        for (size_t a = 0; a < EAR_AXES; a++)
            seen += m.seen[a];
        if (seen != 1)
            fail_msg("%s", def[i].name);
        assert_int_equal(ear_status(&m), EAR_CONTRAINDICATED);
    }
}

static struct ear sample(
        struct ear_submod m[static 2], enum ear_profile profile)
{
    m[0] = (struct ear_submod){.name = "bb", .policy = "p", .approved = true};
    m[1] = (struct ear_submod){.name = "c"};
    ear_add(&m[0], "tpm.ak", EAR_PASSED);
    ear_add(&m[0], "uki.linux", EAR_PASSED);
    return (struct ear){.profile = profile,
            .iat = 1800000000,
            .developer = "d",
            .build = "b",
            .nonce = SPAN("\xff\xfe\xfd\x01\x02\x03\x04\x05\x06", 9),
            .n_submods = 2,
            .submod = m};
}

static void test_json_is_what_others_read(void **state)
{
    static const char *const want[] = {
            [EAR_PROFILE_VERAISON] =
                    "{\"eat_nonce\": \"__79AQIDBAUG\", \"eat_profile\": "
                    "\"tag:github.com,2023:veraison/ear\", \"ear.verifier-id\":"
                    " {\"build\": \"b\", \"developer\": \"d\"}, \"iat\": "
                    "1800000000, \"submods\": {\"bb\": {"
                    "\"ear.appraisal-policy-id\": \"p\", \"ear.status\": "
                    "\"affirming\", \"ear.trustworthiness-vector\": "
                    "{\"executables\": 3, \"instance-identity\": 2}}, \"c\": "
                    "{\"ear.status\": \"none\"}}}",
            [EAR_PROFILE_IETF] =
                    "{\"eat_nonce\": \"__79AQIDBAUG\", \"eat_profile\": "
                    "\"tag:ietf.org,2026:rats/ear#04\", \"ear_verifier_id\":"
                    " {\"build\": \"b\", \"developer\": \"d\"}, \"iat\": "
                    "1800000000, \"submods\": {\"bb\": {"
                    "\"ear_appraisal_policy_ids\": [\"p\"], \"ear_status\": "
                    "\"affirming\", \"ear_trustworthiness_vector\": "
                    "{\"executables\": 3, \"instance-identity\": 2}}, \"c\": "
                    "{\"ear_status\": \"none\"}}}",
    };

    (void)state;
    for (enum ear_profile p = EAR_PROFILE_VERAISON; p <= EAR_PROFILE_IETF;
            p++) {
        struct ear_submod m[2];
        struct ear e = sample(m, p);
        struct buf out = BUF_INIT(4096);
        json_t *got, *expect = json_loads(want[p], 0, NULL);

        assert_int_equal(ear_json(&e, &out, NULL), 0);
        got = json_loadb((const char *)out.ptr, out.len, 0, NULL);
        assert_non_null(expect);
        if (!json_equal(got, expect))
            fail_msg("%s", (const char *)out.ptr);
        json_decref(got);
        json_decref(expect);
        buf_fini(&out);
    }
}

static void test_cbor_is_what_others_read(void **state)
{
    /* "c" before "bb": shorter keys sort first */
    static const char *const want[] = {
            [EAR_PROFILE_VERAISON] =
                    "{6: 1800000000, 10: h'fffefd010203040506', 265: "
                    "'tag:github.com,2023:veraison/ear', 266: {'c': {1000: 0}, "
                    "'bb': {1000: 2, 1001: {0: 2, 2: 3}, 1003: 'p'}}, "
                    "1004: {0: 'd', 1: 'b'}}",
            [EAR_PROFILE_IETF] =
                    "{6: 1800000000, 10: h'fffefd010203040506', 265: "
                    "'tag:ietf.org,2026:rats/ear#04', 266: {'c': {1000: 0}, "
                    "'bb': {1000: 2, 1001: {0: 2, 2: 3}, 1003: ['p']}}, "
                    "1004: {0: 'd', 1: 'b'}}",
    };

    (void)state;
    for (enum ear_profile p = EAR_PROFILE_VERAISON; p <= EAR_PROFILE_IETF;
            p++) {
        struct ear_submod m[2];
        struct ear e = sample(m, p);
        struct buf out = BUF_INIT(4096);
        uint8_t b[1024];

        assert_int_equal(ear_cbor(&e, &out, NULL), 0);
        assert_true(span_eq(buf_span(&out), cbor_diag(want[p], b, sizeof(b))));
        buf_fini(&out);
        e.has_exp = true;
        e.exp = 1800000300;
        e.raw_evidence = span_str("raw");
        out = BUF_INIT(4096);
        assert_int_equal(ear_cbor(&e, &out, NULL), 0);
        assert_int_equal(
                cbor_check(buf_span(&out), CBOR_DETERMINISTIC, NULL), 0);
        buf_fini(&out);
    }
}

static void test_what_is_no_result_is_not_written(void **state)
{
    struct ear_submod m[2];
    struct ear e = sample(m, EAR_PROFILE_IETF);
    struct buf out = BUF_INIT(4096), small = BUF_INIT(40);

    (void)state;
    assert_int_equal(ear_cbor(&e, &small, NULL), ERR_LIMIT);
    buf_fini(&small);
    e.n_submods = 0;
    assert_int_equal(ear_json(&e, &out, NULL), ERR_USAGE);
    e.n_submods = EAR_SUBMODS_MAX + 1;
    assert_int_equal(ear_cbor(&e, &out, NULL), ERR_USAGE);
    e.n_submods = 2;
    m[1].name = "bb";
    assert_int_equal(ear_json(&e, &out, NULL), ERR_USAGE);
    m[1].name = "c";
    e.nonce.len = 7;
    assert_int_equal(ear_json(&e, &out, NULL), ERR_USAGE);
    e.nonce.len = 9;
    e.build = "\xff";
    assert_int_equal(ear_cbor(&e, &out, NULL), ERR_LIMIT);
    assert_int_not_equal(ear_json(&e, &out, NULL), 0);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_tiers_are_those_of_ar4si),
            cmocka_unit_test(test_a_verdict_becomes_a_status),
            cmocka_unit_test(test_each_claim_of_room_rules_has_an_axis),
            cmocka_unit_test(test_json_is_what_others_read),
            cmocka_unit_test(test_cbor_is_what_others_read),
            cmocka_unit_test(test_what_is_no_result_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
