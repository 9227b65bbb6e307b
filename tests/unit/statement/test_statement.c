/* SPDX-License-Identifier: Apache-2.0 */
/* Statements and envelopes that are not what they seem. */
#include "statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(s) SPAN((s), sizeof(s) - 1)

static const struct statement_call call = {
        .call_id = {0xab, 1, 2, 3},
        .issued = 1795000000,
        .deadline = 1795000030,
        .policy = {1},
        .log_size = 12,
        .log_root = {2},
        .origin = {(const uint8_t *)"thin", 4},
        .source_qube = {(const uint8_t *)"work", 4},
        .zone = {(const uint8_t *)"server", 6},
        .qube = {(const uint8_t *)"signer", 6},
        .requested = {(const uint8_t *)"server-signer", 13},
        .service = {(const uint8_t *)"qair.Sign+release", 17},
        .rule = {(const uint8_t *)"30-sign.policy:12", 17},
};

static const struct statement_decision denied = {
        .call_id = {9},
        .time = 1795000000,
        .zone = {(const uint8_t *)"server", 6},
        .source_zone = {(const uint8_t *)"thin", 4},
        .source_qube = {(const uint8_t *)"play", 4},
        .source = {(const uint8_t *)"thin-play", 9},
        .requested = {(const uint8_t *)"signer", 6},
        .service = {(const uint8_t *)"qair.Sign+release", 17},
        .where = {(const uint8_t *)"policy of zone server", 21},
        .reason = {(const uint8_t *)"no rule allows it", 17},
};

static const struct statement_sign sign = {
        .call_id = {0xab},
        .envelope = {3},
        .policy = {4},
        .time = 1795000001,
        .zone = {(const uint8_t *)"server", 6},
        .qube = {(const uint8_t *)"signer", 6},
        .requester_zone = {(const uint8_t *)"thin", 4},
        .requester_qube = {(const uint8_t *)"work", 4},
        .source = {(const uint8_t *)"thin-work", 9},
        .rule = {(const uint8_t *)"30-sign.policy:3", 16},
        .key = {(const uint8_t *)"release", 7},
        .key_sha256 = {5},
        .custody = {(const uint8_t *)"tpm", 3},
        .profile = {(const uint8_t *)"sshsig", 6},
        .artefact = {(const uint8_t *)"qair-0.1.tar.gz", 15},
        .artefact_size = 1048576,
        .artefact_sha256 = {6},
        .artefact_sha512 = {7},
        .signature = {8},
        .state = {(const uint8_t *)"golden (emulated)", 17},
        .emulated = true,
        .evidence = {9},
};

static const struct statement_channel channel = {
        .event = STATEMENT_CHANNEL_REFUSED,
        .time = 1795000002,
        .zone = {(const uint8_t *)"thin", 4},
        .peer = {(const uint8_t *)"server", 6},
        .state = {(const uint8_t *)"not approved", 12},
        .where = {(const uint8_t *)"attestd of zone thin", 20},
        .reason = {(const uint8_t *)"policy.d/30-sign.policy differs", 31},
};

static const struct statement_event event = {
        .time = 1795000003,
        .zone = {(const uint8_t *)"thin", 4},
        .kind = {(const uint8_t *)"zone-start", 10},
        .detail = {(const uint8_t *)"golden (emulated)", 17},
};

/* Each predicate behind one type, for the table of round trips. */
static int call_f(const void *in, struct buf *ret, struct err *err)
{
    return statement_call_format(in, ret, err);
}
static int call_p(const struct statement *s, void *ret, struct err *err)
{
    return statement_call_parse(s, ret, err);
}
static int decision_f(const void *in, struct buf *ret, struct err *err)
{
    return statement_decision_format(in, ret, err);
}
static int decision_p(const struct statement *s, void *ret, struct err *err)
{
    return statement_decision_parse(s, ret, err);
}
static int sign_f(const void *in, struct buf *ret, struct err *err)
{
    return statement_sign_format(in, ret, err);
}
static int sign_p(const struct statement *s, void *ret, struct err *err)
{
    return statement_sign_parse(s, ret, err);
}
static int channel_f(const void *in, struct buf *ret, struct err *err)
{
    return statement_channel_format(in, ret, err);
}
static int channel_p(const struct statement *s, void *ret, struct err *err)
{
    return statement_channel_parse(s, ret, err);
}
static int event_f(const void *in, struct buf *ret, struct err *err)
{
    return statement_event_format(in, ret, err);
}
static int event_p(const struct statement *s, void *ret, struct err *err)
{
    return statement_event_parse(s, ret, err);
}

static const struct {
    const char *name;
    const void *in;
    int (*format)(const void *, struct buf *, struct err *);
    int (*parse)(const struct statement *, void *, struct err *);
    const char *subject;
    enum statement_kind kind;
} predicates[] = {
        {"call", &call, call_f, call_p, "call/ab01020300000000",
                STATEMENT_CALL},
        {"decision", &denied, decision_f, decision_p, "call/09000000",
                STATEMENT_DECISION},
        {"sign", &sign, sign_f, sign_p, "qair-0.1.tar.gz", STATEMENT_SIGN},
        {"channel", &channel, channel_f, channel_p, "channel/server",
                STATEMENT_CHANNEL},
        {"event", &event, event_f, event_p, "event/zone-start",
                STATEMENT_EVENT},
};

union any {
    struct statement_call call;
    struct statement_decision decision;
    struct statement_sign sign;
    struct statement_channel channel;
    struct statement_event event;
};

static void every_predicate_round_trips(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(predicates); i++) {
        struct buf a = BUF_INIT(LIMIT_STATEMENT_MAX);
        struct buf b = BUF_INIT(LIMIT_STATEMENT_MAX);
        struct statement s;
        struct err err;
        union any got;

        if (predicates[i].format(predicates[i].in, &a, &err) < 0)
            fail_msg("%s: %s", predicates[i].name, err.msg);
        assert_int_equal(statement_parse(buf_span(&a), &s, &err), 0);
        assert_int_equal(s.kind, predicates[i].kind);
        assert_memory_equal(s.subject_name.ptr, predicates[i].subject,
                strlen(predicates[i].subject));
        assert_int_equal(predicates[i].parse(&s, &got, &err), 0);
        assert_int_equal(predicates[i].format(&got, &b, &err), 0);
        assert_true(span_eq(buf_span(&a), buf_span(&b)));
        for (size_t k = 0; k < ARRAY_LEN(predicates); k++) {
            if (k != i)
                assert_int_equal(
                        predicates[k].parse(&s, &got, &err), ERR_UNSUPPORTED);
        }
        statement_fini(&s);
        buf_fini(&a);
        buf_fini(&b);
    }
}

/* Replaces the first from by to in the canonical text of a call. */
static int parse_edited_of(const struct statement_call *in, const char *from,
        const char *to, struct err *err)
{
    struct buf a = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct buf b = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement_call c;
    struct statement s;
    const uint8_t *at;
    size_t n;
    int r;

    assert_int_equal(statement_call_format(in, &a, err), 0);
    at = memmem(a.ptr, a.len, from, strlen(from));
    assert_non_null(at);
    n = (size_t)(at - a.ptr);
    buf_append(&b, SPAN(a.ptr, n));
    buf_append_str(&b, to);
    n += strlen(from);
    buf_append(&b, SPAN(a.ptr + n, a.len - n));
    r = statement_parse(buf_span(&b), &s, err);
    if (r == 0) {
        r = statement_call_parse(&s, &c, err);
        statement_fini(&s);
    }
    buf_fini(&a);
    buf_fini(&b);
    return r;
}

static int parse_edited(const char *from, const char *to, struct err *err)
{
    return parse_edited_of(&call, from, to, err);
}

/* ---- what a call and a decision rest on -------------------------------- */

static struct statement_call call_that_rests(void)
{
    struct statement_call c = call;

    c.appraisal = (struct statement_appraisal){
            .zone = TEXT("server"), .state = TEXT("golden"), .evidence = {7}};
    return c;
}

static void an_appraisal_is_whole_or_absent(void **state)
{
    static const struct {
        const char *from, *to;
    } edits[] = {
            {"\"state\":\"golden\",", ""},
            {"\"state\":\"golden\"", "\"state\":\"\""},
            {"\"state\":\"golden\"", "\"state\":1"},
            {"\"state\":\"golden\"", "\"state\":\"go\\nlden\""},
            {"\"state\":\"golden\"", "\"state\":\"golden\",\"until\":1"},
            {",\"zone\":\"server\"}", "}"},
            {"\"zone\":\"server\"}", "\"zone\":\"\"}"},
            /* of another zone than the call goes to */
            {"\"zone\":\"server\"}", "\"zone\":\"other\"}"},
            {"\"evidence\":\"07", "\"evidence\":\"0"},
            {"\"evidence\":\"07", "\"evidence\":\"00"},
            {"\"appraisal\":{", "\"appraisal\":null,\"x\":{"},
            {"\"appraisal\":{", "\"appraisal\":[{"},
            {"\"appraisal\":{", "\"appraised\":{"},
    };
    struct statement_call c = call_that_rests();
    struct err err;

    (void)state;
    assert_int_equal(parse_edited_of(&c, "{", "{", &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
        if (parse_edited_of(&c, edits[i].from, edits[i].to, &err) == 0)
            fail_msg("accepted: %s -> %s", edits[i].from, edits[i].to);
    }
}

static void an_appraisal_reads_back(void **state)
{
    struct statement_call c = call_that_rests(), got;
    struct buf out = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement s;
    struct err err;

    (void)state;
    assert_int_equal(statement_call_format(&c, &out, &err), 0);
    assert_int_equal(statement_parse(buf_span(&out), &s, &err), 0);
    assert_int_equal(statement_call_parse(&s, &got, &err), 0);
    assert_true(span_eq_str(got.appraisal.zone, "server"));
    assert_true(span_eq_str(got.appraisal.state, "golden"));
    assert_memory_equal(got.appraisal.evidence, c.appraisal.evidence,
            sizeof(c.appraisal.evidence));
    statement_fini(&s);
    buf_reset(&out);
    /* An envelope of before still reads: a receipt of its time stands. */
    assert_int_equal(statement_call_format(&call, &out, &err), 0);
    assert_int_equal(statement_parse(buf_span(&out), &s, &err), 0);
    got.appraisal.zone = TEXT("left over");
    assert_int_equal(statement_call_parse(&s, &got, &err), 0);
    assert_int_equal(got.appraisal.zone.len, 0);
    statement_fini(&s);
    buf_fini(&out);
}

static void a_decision_rests_on_the_state_of_its_source(void **state)
{
    static const struct {
        struct span source_zone, appraised;
        int code;
    } rows[] = {
            {{(const uint8_t *)"thin", 4}, {(const uint8_t *)"thin", 4}, 0},
            {{(const uint8_t *)"thin", 4}, {(const uint8_t *)"server", 6},
                    ERR_SYNTAX},
            {{NULL, 0}, {(const uint8_t *)"server", 6}, 0},
            {{NULL, 0}, {(const uint8_t *)"thin", 4}, ERR_SYNTAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT(LIMIT_STATEMENT_MAX);
        struct statement_decision d = denied;
        struct err err;

        d.source_zone = rows[i].source_zone;
        d.appraisal = (struct statement_appraisal){.zone = rows[i].appraised,
                .state = TEXT("golden (emulated)"),
                .evidence = {1}};
        assert_int_equal(
                statement_decision_format(&d, &out, &err), rows[i].code);
        buf_fini(&out);
    }
}

static void calls_that_were_edited_are_refused(void **state)
{
    static const struct {
        const char *from, *to;
        int code;
    } edits[] = {
            {"{", " {", ERR_SYNTAX},              /* white space */
            {"\"zone\"", "\"zona\"", ERR_SYNTAX}, /* unknown member */
            {"\"logSize\":12", "\"logSize\":-1", ERR_SYNTAX},
            {"\"logSize\":12", "\"logSize\":12.0", ERR_SYNTAX},
            {"\"logSize\":12", "\"logSize\":\"12\"", ERR_SYNTAX},
            {"\"logSize\":12", "\"logSize\":1e1", ERR_SYNTAX},
            {"\"logSize\":12", "\"logSize\":-0", ERR_SYNTAX},
            {"\"logSize\":12", "\"logSize\":9007199254740992", ERR_SYNTAX},
            {"\"logSize\":12", "\"logSize\":12,\"logSize\":12", ERR_SYNTAX},
            {"\"origin\":\"thin\"", "\"origin\":\"\"", ERR_SYNTAX},
            {"\"origin\":\"thin\"", "\"origin\":\"../x\"", ERR_SYNTAX},
            {"\"origin\":\"thin\"", "\"origin\":null", ERR_SYNTAX},
            {"\"origin\":\"thin\"", "\"origin\":\"th\\u0000n\"", ERR_SYNTAX},
            {"\"origin\":\"thin\"", "\"origin\":\"\\u0074hin\"", ERR_SYNTAX},
            {"\"qube\":\"signer\"", "\"qube\":\"sig\\nner\"", ERR_SYNTAX},
            {"\"qube\":\"signer\"", "\"qube\":\"\xc3\xa4\"", ERR_SYNTAX},
            {"\"qube\":\"signer\"", "\"qube\":\"\xff\"", ERR_SYNTAX},
            {"\"call\":\"ab", "\"call\":\"AB", ERR_SYNTAX},
            {"\"call\":\"ab", "\"call\":\"ac", ERR_MISMATCH}, /* subject */
            {"\"call\":\"ab", "\"call\":\"abab", ERR_SYNTAX},
            {"Statement/v1", "Statement/v2", ERR_UNSUPPORTED},
            {"qair:call/v1", "qair:call/v2", ERR_UNSUPPORTED},
            {"\"subject\":[", "\"subject\":[{\"digest\":{},\"name\":\"x\"},",
                    ERR_SYNTAX},
            {"\"sha256\"", "\"sha512\"", ERR_SYNTAX},
            {"2026-11-18T", "2026-02-30T", ERR_SYNTAX},
            {"\"_type\"", "\"_type\":\"x\",\"_type\"", ERR_SYNTAX},
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
        int r = parse_edited(edits[i].from, edits[i].to, &err);

        if (r != edits[i].code)
            fail_msg("%s -> %s: %d %s", edits[i].from, edits[i].to, r,
                    r < 0 ? err.msg : "accepted");
    }
    assert_int_equal(parse_edited("{", "{", &err), 0);
}

static void every_cut_of_a_statement_is_refused(void **state)
{
    struct buf a = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement s;
    struct err err;

    (void)state;
    assert_int_equal(statement_sign_format(&sign, &a, &err), 0);
    for (size_t n = 0; n < a.len; n++)
        assert_int_not_equal(statement_parse(SPAN(a.ptr, n), &s, &err), 0);
    buf_append_str(&a, "{}");
    assert_int_equal(statement_parse(buf_span(&a), &s, &err), ERR_SYNTAX);
    buf_fini(&a);
}

static void values_that_could_not_be_read_are_not_written(void **state)
{
    struct buf out = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement_decision d = denied;
    struct statement_call c = call;
    struct statement_channel ch = channel;
    struct err err;

    (void)state;
    c.qube = TEXT("sig\nner");
    assert_int_equal(statement_call_format(&c, &out, &err), ERR_SYNTAX);
    c = call;
    c.origin = TEXT("");
    assert_int_equal(statement_call_format(&c, &out, &err), ERR_SYNTAX);
    c = call;
    c.deadline = c.issued - 1;
    assert_int_equal(statement_call_format(&c, &out, &err), ERR_SYNTAX);
    c = call;
    c.log_size = UINT64_C(1) << 53;
    assert_int_equal(statement_call_format(&c, &out, &err), ERR_SYNTAX);
    c = call;
    c.issued = c.deadline = UINT64_MAX;
    assert_int_equal(statement_call_format(&c, &out, &err), ERR_SYNTAX);
    d.where = TEXT("");
    assert_int_equal(statement_decision_format(&d, &out, &err), ERR_SYNTAX);
    d = denied;
    d.allow = true;
    assert_int_equal(statement_decision_format(&d, &out, &err), ERR_SYNTAX);
    ch.event = (enum statement_channel_event)0;
    assert_int_equal(statement_channel_format(&ch, &out, &err), ERR_SYNTAX);
    ch.event = STATEMENT_CHANNEL_EVENT_COUNT;
    assert_int_equal(statement_channel_format(&ch, &out, &err), ERR_SYNTAX);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

/* ---- JSON ------------------------------------------------------------ */

static void malformed_json_is_refused(void **state)
{
    const struct span bad[] = {TEXT(""), TEXT("[]"), TEXT("1"), TEXT("{"),
            TEXT("{}x"), TEXT("{} {}"), TEXT("{\"a\":1,}"),
            TEXT("{\"a\":1,\"a\":2}"), TEXT("{\"a\":01}"), TEXT("{'a':1}"),
            TEXT("{\"a\":\"\\u0000\"}"), TEXT("{\"a\":\"\\ud800\"}"),
            TEXT("{\"a\":\"\xff\"}"), TEXT("{\"a\":\"\xc0\x80\"}"),
            TEXT("{\"a\":99999999999999999999}"), TEXT("{\"a\":1e999}"),
            TEXT("{\"a\":NaN}"), TEXT("{\"a\":\"\n\"}"), TEXT("{}\0"),
            TEXT("\xef\xbb\xbf{}"), TEXT("// x\n{}"), TEXT("{\"a\0b\":1}")};
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct json_t *j = statement_json_parse(bad[i], &err);

        if (j != NULL)
            fail_msg("accepted: %s", (const char *)bad[i].ptr);
    }
}

static void json_deeper_than_the_limit_is_refused(void **state)
{
    struct buf b = BUF_INIT(4096);
    struct err err;
    struct json_t *j;

    (void)state;
    for (unsigned depth = LIMIT_JSON_DEPTH; depth <= LIMIT_JSON_DEPTH + 1;
            depth++) {
        buf_reset(&b);
        for (unsigned i = 0; i < depth; i++)
            buf_append_str(&b, i + 1 < depth ? "{\"[[\\\"\":" : "{");
        for (unsigned i = 0; i < depth; i++)
            buf_append_str(&b, "}");
        j = statement_json_parse(buf_span(&b), &err);
        if (depth <= LIMIT_JSON_DEPTH) {
            assert_non_null(j);
            statement_json_free(j);
        } else {
            assert_null(j);
            assert_int_equal(err.code, ERR_LIMIT);
        }
    }
    buf_fini(&b);
}

static void readers_name_the_member_that_is_wrong(void **state)
{
    struct err err;
    struct json_t *j = statement_json_parse(
            TEXT("{\"a\":\"x\",\"b\":true,\"c\":7,\"d\":[\"y\"],\"e\":{}}"),
            &err);
    struct statement_reader r = statement_reader_of(j);
    const struct json_t *array;
    struct span text;
    uint64_t v;
    size_t n;
    bool b;

    (void)state;
    assert_non_null(j);
    assert_true(statement_get_text(&r, "a", 1, &text));
    assert_true(statement_get_bool(&r, "b", &b) && b);
    assert_true(statement_get_u64(&r, "c", &v) && v == 7);
    assert_true(statement_get_array(&r, "d", &array, &n) && n == 1);
    assert_true(statement_item_text(array, 0, 1, &text));
    assert_false(statement_item_text(array, 1, 1, &text));
    assert_false(statement_get_end(&r)); /* e was not read */
    r = statement_reader_of(j);
    assert_false(statement_get_text(&r, "a", 0, &text)); /* too long */
    assert_false(statement_get_u64(&r, "zz", &v));
    assert_int_equal(statement_bad(&r, "thing", &err), ERR_SYNTAX);
    assert_string_equal(err.msg, "thing: bad member a");
    statement_json_free(j);
}

static void digests_have_one_spelling_of_none(void **state)
{
    static const char *const bad[] = {
            ("{\"d\":\"0000000000000000000000000000000000000000000000000000000"
             "000000000\"}"),
            "{\"d\":\"00\"}", "{\"d\":null}", "{}"};
    uint8_t d[32] = {1};
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct json_t *j = statement_json_parse(span_str(bad[i]), &err);
        struct statement_reader r = statement_reader_of(j);

        assert_false(statement_get_digest(&r, "d", d));
        assert_int_equal(d[0], 1); /* untouched */
        statement_json_free(j);
    }
}

/* ---- envelopes ------------------------------------------------------- */

static struct crypto_key *key_of(uint8_t byte)
{
    uint8_t seed[32];
    struct crypto_key *k;

    memset(seed, byte, sizeof seed);
    k = crypto_key_ed25519(seed);
    assert_non_null(k);
    return k;
}

static void seal(const struct crypto_key *k, struct buf *ret)
{
    struct buf payload = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct err err;

    *ret = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    assert_int_equal(statement_call_format(&call, &payload, &err), 0);
    assert_int_equal(statement_dsse_sign(STATEMENT_PAYLOAD_TYPE,
                             buf_span(&payload), "thin/identity", k, ret, &err),
            0);
    buf_fini(&payload);
}

static void an_envelope_opens_with_its_key_alone(void **state)
{
    struct crypto_key *k = key_of(1), *other = key_of(2);
    struct statement_call c;
    struct statement s;
    struct buf env;
    struct err err;

    (void)state;
    seal(k, &env);
    assert_int_equal(
            statement_open(buf_span(&env), crypto_key_pub(k), &s, &err), 0);
    assert_int_equal(statement_call_parse(&s, &c, &err), 0);
    assert_true(span_eq_str(s.keyid, "thin/identity"));
    assert_int_equal(
            statement_verify(&s, crypto_key_pub(other), &err), ERR_MISMATCH);
    statement_fini(&s);
    assert_int_equal(
            statement_open(buf_span(&env), crypto_key_pub(other), &s, &err),
            ERR_MISMATCH);
    assert_int_equal(statement_open(buf_span(&env), NULL, &s, &err), ERR_STATE);
    buf_fini(&env);
    crypto_key_free(k);
    crypto_key_free(other);
}

/* Changes that leave payload, type and signature as they were are harmless:
 * the key id, and how the JSON is written. */
static void any_changed_bit_is_refused_or_harmless(void **state)
{
    struct crypto_key *k = key_of(1);
    struct buf env, want = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement s;
    struct err err;

    (void)state;
    seal(k, &env);
    assert_int_equal(statement_call_format(&call, &want, &err), 0);
    for (size_t i = 0; i < env.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            env.ptr[i] ^= (uint8_t)(1u << bit);
            if (statement_open(buf_span(&env), crypto_key_pub(k), &s, &err) ==
                    0) {
                assert_true(
                        span_eq(buf_span(&s.dsse->payload), buf_span(&want)));
                statement_fini(&s);
            }
            env.ptr[i] ^= (uint8_t)(1u << bit);
        }
    }
    buf_fini(&env);
    buf_fini(&want);
    crypto_key_free(k);
}

/* PAE binds lengths: moving bytes from type to payload changes the meaning. */
static void pae_is_as_specified(void **state)
{
    struct buf b = BUF_INIT(1000);
    struct err err;

    (void)state;
    assert_int_equal(statement_dsse_pae("http://example.com/HelloWorld",
                             TEXT("hello world"), &b, &err),
            0);
    assert_string_equal((const char *)b.ptr,
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    buf_reset(&b);
    assert_int_equal(statement_dsse_pae("", TEXT(""), &b, &err), 0);
    assert_string_equal((const char *)b.ptr, "DSSEv1 0  0 ");
    buf_fini(&b);
}

static void ecdsa_is_accepted_raw_and_as_der(void **state)
{
    struct crypto_key *k = crypto_key_generate(CRYPTO_P256);
    struct buf payload = BUF_INIT(1000), pae = BUF_INIT(1000);
    uint8_t rs[CRYPTO_SIGNATURE_SIZE], der[80];
    size_t der_len;
    struct err err;

    (void)state;
    assert_non_null(k);
    buf_append_str(&payload, "{}");
    assert_int_equal(
            statement_dsse_pae("t", buf_span(&payload), &pae, &err), 0);
    assert_int_equal(crypto_sign(k, buf_span(&pae), rs), 0);
    assert_int_equal(
            crypto_ecdsa_to_der(SPAN_OF(rs), der, sizeof der, &der_len), 0);
    for (int form = 0; form < 3; form++) {
        struct buf env = BUF_INIT(STATEMENT_ENVELOPE_MAX);
        struct statement_dsse d;
        struct span sig = form == 0 ? SPAN_OF(rs) : SPAN(der, der_len);

        if (form == 2)
            der[der_len - 1] ^= 1;
        assert_int_equal(statement_dsse_format(
                                 "t", buf_span(&payload), "", sig, &env, &err),
                0);
        assert_int_equal(statement_dsse_parse(buf_span(&env), &d, &err), 0);
        assert_int_equal(
                statement_dsse_verify(&d, "t", crypto_key_pub(k), &err),
                form == 2 ? ERR_MISMATCH : 0);
        assert_int_equal(
                statement_dsse_verify(&d, "u", crypto_key_pub(k), &err),
                ERR_MISMATCH);
        statement_dsse_fini(&d);
        buf_fini(&env);
    }
    buf_fini(&payload);
    buf_fini(&pae);
    crypto_key_free(k);
}

static void malformed_envelopes_are_refused(void **state)
{
    static const char *const bad[] = {"{}",
            "{\"payload\":\"e30=\",\"payloadType\":\"t\"}",
            "{\"payload\":\"e30\",\"payloadType\":\"t\",\"signatures\":[]}",
            "{\"payload\":7,\"payloadType\":\"t\",\"signatures\":[]}",
            "{\"payload\":\"e30=\",\"signatures\":[]}",
            "{\"payload\":\"e30=\",\"payloadType\":\"t\",\"signatures\":{}}",
            "{\"payload\":\"e30=\",\"payloadType\":\"t\",\"signatures\":[1]}",
            "{\"payload\":\"e30=\",\"payloadType\":\"t\",\"signatures\":[{}]}",
            "{\"payload\":\"e30=\",\"payloadType\":\"t\","
            "\"signatures\":[{\"sig\":\"*\"}]}",
            "{\"payload\":\"e30=\",\"payload\":\"e30=\",\"payloadType\":\"t\","
            "\"signatures\":[]}"};
    struct crypto_key *k = key_of(1);
    struct statement_dsse d;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (statement_dsse_parse(span_str(bad[i]), &d, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
    }
    /* No signatures at all: well-formed, and verified by nobody. */
    assert_int_equal(
            statement_dsse_parse(TEXT("{\"payload\":\"e30=\",\"payloadType\":"
                                      "\"t\",\"signatures\":[]}"),
                    &d, &err),
            0);
    assert_int_equal(statement_dsse_verify(&d, "t", crypto_key_pub(k), &err),
            ERR_MISMATCH);
    statement_dsse_fini(&d);
    crypto_key_free(k);
}

static void a_flood_of_signatures_is_refused(void **state)
{
    struct buf env = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    struct statement_dsse d;
    struct err err;

    (void)state;
    buf_append_str(&env,
            "{\"payload\":\"e30=\",\"payloadType\":\"t\",\"signatures\":[");
    for (int i = 0; i <= STATEMENT_SIGS_MAX; i++)
        buf_append_str(
                &env, i == 0 ? "{\"sig\":\"AA==\"}" : ",{\"sig\":\"AA==\"}");
    buf_append_str(&env, "]}");
    assert_int_equal(statement_dsse_parse(buf_span(&env), &d, &err), ERR_LIMIT);
    buf_fini(&env);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_predicate_round_trips),
            cmocka_unit_test(an_appraisal_is_whole_or_absent),
            cmocka_unit_test(an_appraisal_reads_back),
            cmocka_unit_test(a_decision_rests_on_the_state_of_its_source),
            cmocka_unit_test(calls_that_were_edited_are_refused),
            cmocka_unit_test(every_cut_of_a_statement_is_refused),
            cmocka_unit_test(values_that_could_not_be_read_are_not_written),
            cmocka_unit_test(malformed_json_is_refused),
            cmocka_unit_test(json_deeper_than_the_limit_is_refused),
            cmocka_unit_test(readers_name_the_member_that_is_wrong),
            cmocka_unit_test(digests_have_one_spelling_of_none),
            cmocka_unit_test(an_envelope_opens_with_its_key_alone),
            cmocka_unit_test(any_changed_bit_is_refused_or_harmless),
            cmocka_unit_test(pae_is_as_specified),
            cmocka_unit_test(ecdsa_is_accepted_raw_and_as_der),
            cmocka_unit_test(malformed_envelopes_are_refused),
            cmocka_unit_test(a_flood_of_signatures_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
