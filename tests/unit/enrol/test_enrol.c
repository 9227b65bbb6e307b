/* SPDX-License-Identifier: Apache-2.0 */
/* The files of enrolment: read, written again, and what is not one. */
#include "enrol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define D "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CLAIM(zone, chain, more)                                               \
    "{\"address\":\"h:1\",\"ak_public\":\"AAE=\",\"ek_certificate\":\"MAA=\"," \
    "\"ek_chain\":[" chain "],\"ek_public\":\"AAI=\",\"emulated\":true,"       \
    "\"identity\":\"AAM=\",\"log\":\"AAQ=\"" more                              \
    ",\"type\":\"qair:claim/v1\",\"zone\":\"" zone "\"}"
#define CHALLENGE(claim, cred, type)                                           \
    "{\"claim\":\"" claim "\",\"credential\":\"" cred                          \
    "\",\"secret\":\"AAE=\",\"type\":\"" type "\"}"
#define SECRET(claim, secret, type)                                            \
    "{\"claim\":\"" claim "\",\"secret\":\"" secret "\",\"type\":\"" type "\"" \
    "}"
#define ANSWER(claim, evidence, type)                                          \
    "{\"claim\":\"" claim "\",\"evidence\":\"" evidence "\",\"type\":\"" type  \
    "\"}"

static int claim(struct span t, struct buf *b, struct err *err)
{
    CLEANUP(enrol_claim_fini) struct enrol_claim c = {0};
    int r = enrol_claim_parse(t, &c, err);

    return r ? r : enrol_claim_format(&c, b, err);
}

static int challenge(struct span t, struct buf *b, struct err *err)
{
    CLEANUP(enrol_challenge_fini) struct enrol_challenge c = {0};
    int r = enrol_challenge_parse(t, &c, err);

    return r ? r : enrol_challenge_format(&c, b, err);
}

static int secret(struct span t, struct buf *b, struct err *err)
{
    struct enrol_secret s;
    int r = enrol_secret_parse(t, &s, err);

    return r ? r : enrol_secret_format(&s, b, err);
}

static int answer(struct span t, struct buf *b, struct err *err)
{
    CLEANUP(enrol_answer_fini) struct enrol_answer a = {0};
    int r = enrol_answer_parse(t, &a, err);

    return r ? r : enrol_answer_format(&a, b, err);
}

typedef int again(struct span, struct buf *, struct err *);

static void test_read_and_written_again(void **state)
{
    static const struct {
        again *f;
        const char *text;
    } good[] = {
            {claim, CLAIM("server", "", "")},
            {claim, CLAIM("server", "\"MAA=\",\"MAE=\"", "")},
            {challenge, CHALLENGE(D, "AAI=", "qair:challenge/v1")},
            {secret, SECRET(D, D, "qair:challenge-secret/v1")},
            {answer, ANSWER(D, "AAI=", "qair:answer/v1")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct buf b = BUF_INIT(ENROL_ANSWER_MAX);
        struct err err = {.msg = ""};

        if (good[i].f(span_str(good[i].text), &b, &err) != 0)
            fail_msg("%s: %s", good[i].text, err.msg);
        assert_string_equal((char *)b.ptr, good[i].text);
        buf_fini(&b);
    }
}

#define ONE "\"MAA=\","
static const struct {
    again *f;
    const char *what, *text, *says;
} bad[] = {
        {claim, "empty", "", "claim"},
        {claim, "an array", "[]", "not an object"},
        {claim, "cut", "{\"address\":\"h:1\",", "claim"},
        {claim, "a name that climbs", CLAIM("../x", "", ""), "zone"},
        {claim, "no name", CLAIM("", "", ""), "zone"},
        {claim, "a member of its own", CLAIM("a", "", ",\"more\":1"),
                "unknown"},
        {claim, "a member twice", CLAIM("a", "", ",\"log\":\"AAU=\""), "claim"},
        {claim, "a chain of numbers", CLAIM("a", "1", ""), "ek_chain"},
        {claim, "a chain of rubbish", CLAIM("a", "\"!\"", ""), "ek_chain"},
        {claim, "a chain of seven",
                CLAIM("a", ONE ONE ONE ONE ONE ONE "\"MAA=\"", ""), "ek_chain"},
        {claim, "white space", " " CLAIM("a", "", ""), "not compact"},
        {claim, "a byte behind", CLAIM("a", "", "") "x", "claim"},
        {claim, "another file", ANSWER(D, "AAI=", "qair:answer/v1"), "type"},
        {challenge, "another type", CHALLENGE(D, "AAI=", "qair:challenge/v2"),
                "type"},
        {challenge, "a short digest",
                CHALLENGE("00", "AAI=", "qair:challenge/v1"), "claim"},
        {challenge, "loose base64", CHALLENGE(D, "AAJ=", "qair:challenge/v1"),
                "credential"},
        {challenge, "a line break at the end",
                CHALLENGE(D, "AAI=", "qair:challenge/v1") "\n", "not compact"},
        {challenge, "another spelling of a letter",
                CHALLENGE(D, "\\u0041AI=", "qair:challenge/v1"), "not compact"},
        {secret, "the challenge", CHALLENGE(D, "AAI=", "qair:challenge/v1"),
                "type"},
        {secret, "a short secret", SECRET(D, "00", "qair:challenge-secret/v1"),
                "secret"},
        {answer, "another type", ANSWER(D, "AAI=", "qair:claim/v1"), "type"},
        {answer, "evidence that is no base64",
                ANSWER(D, "AAI", "qair:answer/v1"), "evidence"},
        {answer, "no digest", ANSWER("", "AAI=", "qair:answer/v1"), "claim"},
};

static void test_what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf b = BUF_INIT(ENROL_ANSWER_MAX);
        struct err err = {.msg = ""};

        if (bad[i].f(span_str(bad[i].text), &b, &err) == 0)
            fail_msg("%s was accepted", bad[i].what);
        if (!strstr(err.msg, bad[i].says))
            fail_msg("%s: refused with: %s", bad[i].what, err.msg);
        buf_fini(&b);
    }
}

static void test_larger_than_a_file(void **state)
{
    static uint8_t zeros[ENROL_ANSWER_MAX + 1];
    struct buf b = BUF_INIT(16);

    (void)state;
    assert_int_equal(
            claim(SPAN(zeros, ENROL_FILE_MAX + 1), &b, NULL), ERR_LIMIT);
    assert_int_equal(
            answer(SPAN(zeros, ENROL_ANSWER_MAX + 1), &b, NULL), ERR_LIMIT);
}

static void test_binder(void **state)
{
    static const uint8_t secrets[2][ENROL_SECRET] = {{1}, {2}};
    uint8_t text[12 + ENROL_SECRET + 5], want[32], got[32];

    (void)state;
    memcpy(text, "qair-enrol-1", 12);
    memcpy(text + 12, secrets[0], ENROL_SECRET);
    memcpy(text + 12 + ENROL_SECRET, "claim", 5);
    crypto_sha256(SPAN_OF(text), want);
    assert_int_equal(enrol_binder(secrets[0], span_str("claim"), got, NULL), 0);
    assert_memory_equal(got, want, 32);
    assert_int_equal(enrol_binder(secrets[1], span_str("claim"), got, NULL), 0);
    assert_memory_not_equal(got, want, 32);
}

static void test_well_formed_is_not_checked(void **state)
{
    struct enrol_claim c;
    struct enrol_keys k;
    struct err err;

    (void)state;
    assert_int_equal(
            enrol_claim_parse(span_str(CLAIM("a", "", "")), &c, &err), 0);
    assert_int_not_equal(enrol_claim_check(&c, &k, &err), 0);
    assert_non_null(strstr(err.msg, "ek_certificate"));
    enrol_keys_fini(&k);
    enrol_claim_fini(&c);
}

static void test_no_roots(void **state)
{
    struct enrol_ca ca;
    struct err err;

    (void)state;
    assert_int_equal(
            enrol_ca_parse(span_str("nothing"), &ca, &err), ERR_NOT_FOUND);
    enrol_ca_fini(&ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_read_and_written_again),
            cmocka_unit_test(test_what_is_refused),
            cmocka_unit_test(test_larger_than_a_file),
            cmocka_unit_test(test_binder),
            cmocka_unit_test(test_well_formed_is_not_checked),
            cmocka_unit_test(test_no_roots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
