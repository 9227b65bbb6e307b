/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and wrappers: in diagnostic notation, one fault each. */
#include "cbor_diag.h"
#include "cose_fixture.h"
#include "eat.h"

#include <stdio.h>

static const struct eat_options channel = {.inside_attested_channel = true};
static struct eat e; /* large */

static struct span diag(const char *text)
{
    static uint8_t b[4][8192];
    static size_t next;
    uint8_t *into = b[next++ % ARRAY_LEN(b)];

    return cbor_diag(text, into, sizeof(b[0]));
}

static int read_unsigned(const char *claims, struct err *err)
{
    char text[8192];

    (void)snprintf(text, sizeof(text), "601(%s)", claims);
    return eat_read(diag(text), &channel, &e, err);
}

#define H8  "h'0102030405060708'"
#define H16 "h'000102030405060708090a0b0c0d0e0f'"
#define H32                                                                    \
    "h'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'"

static void test_claims_of_the_rfc_are_read(void **state)
{
    struct err err = {0};

    (void)state;
    if (read_unsigned("{1: 'iss', 2: 'sub', 4: 300, 5: 100, 6: 200, 10: " H8
                      ", 256: h'01"
                      "000102030405060708090a0b0c0d0e0f', "
                      "258: h'894823', 259: h'01', 260: ['1.0', 4], 261: 9, "
                      "262: true, 263: 2, 265: 'tag:x', 266: {'a': {263: 4}, "
                      "'b': h'd28440', 'c': [-16, " H32 "]}, 267: 7, 268: " H16
                      ", 270: 'sw', 271: ['2.0'], 272: [[1, h'00']], "
                      "273: [[2, h'01'], [3, h'02']], "
                      "274: [['s', [['x', 1], [h'00', 2]]]], 275: 3}",
                &err))
        fail_msg("%s", err.msg);
    assert_false(e.is_signed);
    const struct eat_module *m = &e.module[0];
    assert_true(
            span_eq_str(m->issuer, "iss") && span_eq_str(m->subject, "sub"));
    assert_true(m->has_exp && m->exp == 300 && m->has_nbf && m->nbf == 100);
    assert_true(m->has_iat && m->iat == 200);
    assert_int_equal(m->n_nonces, 1);
    assert_int_equal(m->ueid.len, 17);
    assert_int_equal(m->oemid_kind, EAT_OEM_IEEE);
    assert_true(span_eq_str(m->hwversion, "1.0"));
    assert_true(m->has_uptime && m->uptime == 9 && m->oemboot);
    assert_true(m->has_dbgstat && m->dbgstat == EAT_DEBUG_DISABLED_SINCE_BOOT);
    assert_true(span_eq_str(m->profile, "tag:x"));
    assert_true(m->has_bootcount && m->bootcount == 7);
    assert_true(
            span_eq_str(m->swname, "sw") && span_eq_str(m->swversion, "2.0"));
    assert_true(m->has_intuse && m->intuse == 3);
    assert_int_equal(m->n_unknown, 0);
    assert_int_equal(e.n_modules, 4);
    assert_int_equal(eat_find(&e, 0, "a")->dbgstat, 4);
    assert_int_equal(eat_find(&e, 0, "b")->kind, EAT_TOKEN);
    assert_int_equal(eat_find(&e, 0, "c")->kind, EAT_DETACHED);
    assert_null(eat_find(&e, 0, "d"));
    assert_null(eat_find(&e, 1, "a"));
    assert_int_equal(e.n_measurements, 3);
    assert_true(e.measurement[0].manifest && !e.measurement[1].manifest);
    assert_int_equal(e.n_results, 2);
    assert_int_equal(e.result[1].value, EAT_RESULT_FAIL);
}

static void test_other_forms_of_claims_are_read(void **state)
{
    static const char *const good[] = {
            "{}",
            "{10: [" H8 ", " H16 "]}",
            "{256: h'02010203040506'}",
            "{256: h'03"
            "0102030405060708090a0b0c0d0e'}",
            "{258: 76543}",
            "{258: " H16 "}",
            "{260: ['1']}",
            "{265: h'2b06'}",
            "{266: {'a': {266: {'b': {}}}}}",
            "{266: {'a': 'a.json.token'}}",
            "{8: {}, -70000: 1, 'x': 2}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct err err = {0};

        if (read_unsigned(good[i], &err))
            fail_msg("%s: %s", good[i], err.msg);
    }
    assert_int_equal(e.module[0].n_unknown, 3);
}

static void test_claims_of_another_form_are_refused(void **state)
{
    static const char *const bad[] = {
            "[]",
            "{1: 5}",
            "{2: h'00'}",
            "{4: -1}",
            "{4: 'a'}",
            "{4: 1(5)}",
            "{5: null}",
            "{6: 'a'}",
            "{10: h'01020304050607'}",
            "{10: 'nonce'}",
            "{10: []}",
            "{10: [" H8 "]}",
            "{10: [" H8 ", h'00']}",
            "{10: [" H8 ", " H8 ", " H8 ", " H8 ", " H8 "]}",
            "{10: h'" /* 65 bytes */
            "00000000000000000000000000000000000000000000000000000000000000000"
            "00000000000000000000000000000000000000000000000000000000000000000"
            "'}",
            "{256: h''}",
            "{256: h'01'}",
            "{256: h'04000102030405060708090a0b0c0d0e0f'}",
            "{256: h'01000102030405060708090a0b0c0d0e'}",
            "{256: h'020102030405'}",
            "{256: h'0301020304050607'}",
            "{258: -1}",
            "{258: h'01020304'}",
            "{259: h''}",
            "{259: h'"
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
            "'}",
            "{260: '1.0'}",
            "{260: []}",
            "{260: ['1', 4, 5]}",
            "{261: 'a'}",
            "{262: 1}",
            "{263: 5}",
            "{263: false}",
            "{265: 5}",
            "{265: h''}",
            "{266: {}}",
            "{266: []}",
            "{266: {5: {}}}",
            "{266: {'': {}}}",
            "{266: {'a': 5}}",
            "{266: {'a': [-16]}}",
            "{266: {'a': [-16, 'a']}}",
            "{266: {'a': [-16, " H32 ", 0]}}",
            "{266: {'a': {263: 5}}}",
            "{267: -1}",
            "{268: 'a'}",
            "{270: 5}",
            "{271: '1.0'}",
            "{272: []}",
            "{273: {}}",
            "{273: [[1]]}",
            "{273: [[-1, h'00']]}",
            "{273: [[65536, h'00']]}",
            "{273: [[1, 'a']]}",
            "{273: [[1, h'00', 0]]}",
            "{274: []}",
            "{274: [['s', []]]}",
            "{274: [['s', [['x', 0]]]]}",
            "{274: [['s', [['x', 5]]]]}",
            "{274: [['s', [[5, 1]]]]}",
            "{274: [[5, [['x', 1]]]]}",
            "{274: [['s', [['x', 1, 2]]]]}",
            "{275: 0}",
            "{275: 6}",
            "{10: " H8 ", 10: " H8 "}",
            "{265: 'a', 10: " H8 "}",
            ("{266: {'a': {266: {'b': {266: {'c': {266: {'d': {266: {'e': {}}}}"
             "}}}}}}}"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (read_unsigned(bad[i], NULL) == 0)
            fail_msg("%s", bad[i]);
        assert_int_equal(e.n_modules, 0);
    }
}

static void test_counts_are_bounded(void **state)
{
    char text[8192];
    size_t n;

    (void)state;
    n = (size_t)snprintf(text, sizeof(text), "{266: {");
    for (int i = 0; i < EAT_MODULES_MAX; i++)
        n += (size_t)snprintf(
                text + n, sizeof(text) - n, "%s'm%02d': {}", i ? ", " : "", i);
    (void)snprintf(text + n, sizeof(text) - n, "}}");
    assert_int_equal(read_unsigned(text, NULL), ERR_LIMIT);
    n = (size_t)snprintf(text, sizeof(text), "{273: [");
    for (int i = 0; i <= EAT_MEASUREMENTS_MAX; i++)
        n += (size_t)snprintf(
                text + n, sizeof(text) - n, "%s[1, h'00']", i ? ", " : "");
    (void)snprintf(text + n, sizeof(text) - n, "]}");
    assert_int_equal(read_unsigned(text, NULL), ERR_LIMIT);
    n = (size_t)snprintf(text, sizeof(text), "{274: [['s', [");
    for (int i = 0; i <= EAT_RESULTS_MAX; i++)
        n += (size_t)snprintf(
                text + n, sizeof(text) - n, "%s['x', 1]", i ? ", " : "");
    (void)snprintf(text + n, sizeof(text) - n, "]]]}");
    assert_int_equal(read_unsigned(text, NULL), ERR_LIMIT);
}

/* ---- who may say it -------------------------------------------------- */

static int read_with(
        struct span token, const struct crypto_pub *key, bool inside)
{
    struct eat_options o = {.key = key, .inside_attested_channel = inside};

    return eat_read(token, &o, &e, NULL);
}

static struct span signed_token(
        const char *header, const char *claims, bool cwt, bool detached)
{
    static uint8_t b[8192];
    struct span msg;

    msg = cose_fixture_msg(
            &(struct cose_fixture_msg){.protected_header = diag(header),
                    .payload = diag(claims),
                    .detached = detached},
            FIXTURE_P256, CRYPTO_SHA256, b + 2, sizeof(b) - 2);
    b[0] = 0xd8;
    b[1] = 61;
    return cwt ? SPAN(b, msg.len + 2) : msg;
}

static void test_an_unsigned_token_needs_an_attested_channel(void **state)
{
    struct span t = diag("601({10: " H8 "})");

    (void)state;
    assert_int_equal(read_with(t, NULL, true), 0);
    assert_int_equal(read_with(t, NULL, false), ERR_DENIED);
    /* who expects a signature takes no token without, channel or not */
    assert_int_equal(
            read_with(t, cose_fixture_pub(FIXTURE_P256), true), ERR_DENIED);
    assert_int_equal(read_with(diag("{10: " H8 "}"), NULL, true), ERR_SYNTAX);
    assert_int_equal(
            read_with(diag("61({10: " H8 "})"), NULL, true), ERR_SYNTAX);
    assert_int_equal(read_with(diag("601(601({}))"), NULL, true), ERR_SYNTAX);
}

static void test_a_signed_token_needs_its_key(void **state)
{
    const struct crypto_pub *k = cose_fixture_pub(FIXTURE_P256);
    struct span t;
    uint8_t spoilt[512];

    (void)state;
    for (int cwt = 0; cwt <= 1; cwt++) {
        t = signed_token("{1: -7}", "{10: " H8 "}", cwt, false);
        assert_int_equal(read_with(t, k, false), 0);
        assert_true(e.is_signed);
        assert_int_equal(read_with(t, NULL, true), ERR_DENIED);
        assert_int_equal(read_with(t, cose_fixture_other(FIXTURE_P256), true),
                ERR_MISMATCH);
        assert_true(t.len <= sizeof(spoilt));
        memcpy(spoilt, t.ptr, t.len);
        for (size_t bit = 0; bit < t.len * 8; bit++) {
            spoilt[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (read_with(SPAN(spoilt, t.len), k, false) == 0)
                fail_msg("bit %zu", bit);
            spoilt[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    static const struct {
        const char *header;
        int rc;
    } types[] = {
            {"{1: -7, 3: 'application/eat+cwt'}", 0},
            {"{1: -7, 3: 263}", 0},
            {"{1: -7, 3: 'application/rim+cbor'}", ERR_UNSUPPORTED},
            {"{1: -7, 3: 60}", ERR_UNSUPPORTED},
            {"{1: -7, 2: [15], 15: {}}", ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        t = signed_token(types[i].header, "{}", true, false);
        assert_int_equal(read_with(t, k, false), types[i].rc);
    }
    t = signed_token("{1: -7}", "{}", true, true);
    assert_int_equal(read_with(t, k, false), ERR_UNSUPPORTED);
    t = signed_token("{1: -7}", "[]", true, false);
    assert_int_equal(read_with(t, k, false), ERR_SYNTAX);
    t = signed_token("{1: -7}", "{10: " H8 ", 6: 1}", true, false);
    assert_int_equal(read_with(t, k, false), ERR_SYNTAX);
}

static void test_a_token_for_another_audience_is_refused(void **state)
{
    static const struct {
        const char *claims, *me;
        int rc;
    } t[] = {
            {"601({3: 'us'})", "us", 0},
            {"601({3: ['them', 'us']})", "us", 0},
            {"601({3: 'them'})", "us", ERR_DENIED},
            {"601({3: ['them', 'others']})", "us", ERR_DENIED},
            {"601({3: 'us'})", "", ERR_DENIED},
            {"601({3: ''})", "", ERR_DENIED},
            {"601({3: []})", "us", ERR_SYNTAX},
            {"601({3: 5})", "us", ERR_SYNTAX},
            {"601({3: ['us', 5]})", "us", ERR_SYNTAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct eat_options o = channel;

        o.audience = span_str(t[i].me);
        assert_int_equal(eat_read(diag(t[i].claims), &o, &e, NULL), t[i].rc);
    }
}

static void test_a_replayed_nonce_is_refused(void **state)
{
    uint8_t nonce[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    (void)state;
    assert_int_equal(read_unsigned("{10: " H8 "}", NULL), 0);
    assert_int_equal(eat_check_nonce(&e, SPAN_OF(nonce), NULL), 0);
    nonce[7] ^= 1;
    assert_int_equal(eat_check_nonce(&e, SPAN_OF(nonce), NULL), ERR_MISMATCH);
    nonce[7] ^= 1;
    assert_int_equal(eat_check_nonce(&e, SPAN(nonce, 7), NULL), ERR_MISMATCH);
    assert_int_equal(eat_check_nonce(&e, SPAN_EMPTY, NULL), ERR_MISMATCH);
    /* no nonce; two, one of them right; one in a submodule alone */
    assert_int_equal(read_unsigned("{}", NULL), 0);
    assert_int_equal(eat_check_nonce(&e, SPAN_OF(nonce), NULL), ERR_MISMATCH);
    assert_int_equal(read_unsigned("{10: [" H8 ", " H16 "]}", NULL), 0);
    assert_int_equal(eat_check_nonce(&e, SPAN_OF(nonce), NULL), ERR_MISMATCH);
    assert_int_equal(read_unsigned("{266: {'a': {10: " H8 "}}}", NULL), 0);
    assert_int_equal(eat_check_nonce(&e, SPAN_OF(nonce), NULL), ERR_MISMATCH);
}

static void test_a_token_out_of_its_time_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_unsigned("{4: 300, 5: 100}", NULL), 0);
    assert_int_equal(eat_check_time(&e, 99, NULL), ERR_DENIED);
    assert_int_equal(eat_check_time(&e, 100, NULL), 0);
    assert_int_equal(eat_check_time(&e, 299, NULL), 0);
    assert_int_equal(eat_check_time(&e, 300, NULL), ERR_DENIED);
    assert_int_equal(read_unsigned("{266: {'a': {4: 300}}}", NULL), 0);
    assert_int_equal(eat_check_time(&e, 300, NULL), ERR_DENIED);
}

/* ---- bundles --------------------------------------------------------- */

static struct span bundle(
        const char *alg, bool spoil, const char *name, const char *more)
{
    uint8_t d[64];
    char hex[TEXT_HEX_SIZE(64)], text[2048];
    struct span set = diag("{263: 4}");
    enum crypto_hash h = strcmp(alg, "-43") == 0   ? CRYPTO_SHA384
                         : strcmp(alg, "-44") == 0 ? CRYPTO_SHA512
                                                   : CRYPTO_SHA256;

    crypto_hash(h, set, d);
    d[0] ^= spoil;
    text_format_hex(SPAN(d, crypto_hash_size(h)), hex);
    (void)snprintf(text, sizeof(text),
            "602([<<601({266: {'a': [%s, h'%s']%s}})>>, {'%s': <<{263: 4}>>}])",
            alg, hex, more, name);
    return diag(text);
}

static void test_detached_claims_need_their_digest(void **state)
{
    static const char *const algs[] = {"-16", "-43", "-44"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        assert_int_equal(
                read_with(bundle(algs[i], false, "a", ""), NULL, true), 0);
        assert_true(e.is_bundle);
        assert_int_equal(eat_find(&e, 0, "a")->kind, EAT_CLAIMS);
        assert_true(eat_find(&e, 0, "a")->from_bundle);
        assert_int_equal(eat_find(&e, 0, "a")->dbgstat, 4);
        assert_int_equal(read_with(bundle(algs[i], true, "a", ""), NULL, true),
                ERR_MISMATCH);
    }
    assert_int_equal(
            read_with(bundle("-16", false, "b", ""), NULL, true), ERR_SYNTAX);
    assert_int_equal(read_with(bundle("-15", false, "a", ""), NULL, true),
            ERR_UNSUPPORTED);
    assert_int_equal(read_with(bundle("'sha-256'", false, "a", ""), NULL, true),
            ERR_UNSUPPORTED);
    /* two submodules of that name: which one was meant? */
    assert_int_equal(read_with(bundle("-16", false, "a",
                                       ", 'b': {266: {'a': [-16, " H32 "]}}"),
                             NULL, true),
            ERR_SYNTAX);
    /* the authority is the token's */
    assert_int_equal(
            read_with(bundle("-16", false, "a", ""), NULL, false), ERR_DENIED);
    /* a claims set that is there twice: once as claims, once detached */
    assert_int_equal(read_with(diag("602([<<601({266: {'a': {}}})>>, "
                                    "{'a': <<{}>>}])"),
                             NULL, true),
            ERR_SYNTAX);
}

static void test_bundles_of_another_form_are_refused(void **state)
{
    static const char *const bad[] = {
            "602([])",
            "602([<<601({})>>])",
            "602([<<601({})>>, {}])",
            "602([<<601({})>>, {'a': {}}])",
            "602([<<601({})>>, {5: <<{}>>}])",
            "602([601({}), {'a': <<{}>>}])",
            "602([<<602([<<601({})>>, {'a': <<{}>>}])>>, {'a': <<{}>>}])",
            "602([<<601({})>>, {'a': <<{}>>}, 0])",
            "602(602([<<601({})>>, {'a': <<{}>>}]))",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (read_with(diag(bad[i]), NULL, true) == 0)
            fail_msg("%s", bad[i]);
    }
}

/* ---- our evidence ---------------------------------------------------- */

static void test_our_evidence_goes_and_comes(void **state)
{
    uint8_t nonce[32] = {7}, ek[32] = {9}, ueid[EAT_UEID_MAX];
    struct crypto_key *k = crypto_key_generate(CRYPTO_ED25519);
    struct eat_evidence v = {.nonce = SPAN_OF(nonce),
            .evidence = span_str("QAIREVID..."),
            .has_bootcount = true,
            .bootcount = 17,
            .has_iat = true,
            .iat = 1800000000};
    struct eat_options o = {
            .key = crypto_key_pub(k), .external_aad = span_str("bound")};
    static const uint8_t large[CBOR_BYTES_MAX];
    struct buf out = BUF_INIT(4096), wide = BUF_INIT(8u << 20);
    struct span got = SPAN_EMPTY;

    (void)state;
    eat_ueid(ek, ueid);
    v.ueid = SPAN_OF(ueid);
    assert_int_equal(
            eat_write(&v, k, span_str("zone"), span_str("bound"), &out, NULL),
            0);
    assert_int_equal(eat_read(buf_span(&out), &o, &e, NULL), 0);
    assert_int_equal(eat_evidence_of(&e, &got, NULL), 0);
    assert_true(span_eq(got, v.evidence));
    assert_int_equal(eat_check_nonce(&e, SPAN_OF(nonce), NULL), 0);
    assert_true(span_eq(e.module[0].ueid, SPAN_OF(ueid)));
    assert_int_equal(e.module[0].bootcount, 17);
    assert_int_equal(e.module[0].n_unknown, 0);
    o.external_aad = span_str("unbound");
    assert_int_equal(eat_read(buf_span(&out), &o, &e, NULL), ERR_MISMATCH);
    buf_reset(&out);
    assert_int_equal(
            eat_write(&v, NULL, SPAN_EMPTY, SPAN_EMPTY, &out, NULL), 0);
    assert_int_equal(eat_read(buf_span(&out), &channel, &e, NULL), 0);
    assert_int_equal(eat_evidence_of(&e, &got, NULL), 0);
    v.nonce.len = 31;
    assert_int_equal(
            eat_write(&v, k, SPAN_EMPTY, SPAN_EMPTY, &out, NULL), ERR_USAGE);
    v.nonce.len = 32;
    v.ueid.len = 17;
    assert_int_equal(
            eat_write(&v, k, SPAN_EMPTY, SPAN_EMPTY, &out, NULL), ERR_USAGE);
    v.ueid.len = EAT_UEID_MAX;
    v.evidence = SPAN_OF(large);
    assert_int_equal(eat_write_claims(&v, &wide, NULL), ERR_LIMIT);
    assert_int_equal(wide.len, 0);
    buf_fini(&wide);
    v.evidence = SPAN_EMPTY;
    assert_int_equal(
            eat_write(&v, k, SPAN_EMPTY, SPAN_EMPTY, &out, NULL), ERR_USAGE);
    buf_fini(&out);
    crypto_key_free(k);
}

static void test_evidence_under_another_profile_is_none(void **state)
{
    static const char *const none[] = {
            "{273: [[65280, h'00']]}",
            "{265: 'tag:x', 273: [[65280, h'00']]}",
            "{265: h'2b06', 273: [[65280, h'00']]}",
            "{265: '" EAT_PROFILE "'}",
            "{265: '" EAT_PROFILE "', 273: [[65281, h'00']]}",
            "{265: '" EAT_PROFILE "', 272: [[65280, h'00']]}",
            "{265: '" EAT_PROFILE "', 273: [[65280, h'00'], [65280, h'01']]}",
            "{265: '" EAT_PROFILE "', 266: {'a': {273: [[65280, h'00']]}}}",
    };
    struct span got = SPAN_EMPTY;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        assert_int_equal(read_unsigned(none[i], NULL), 0);
        if (eat_evidence_of(&e, &got, NULL) != ERR_NOT_FOUND)
            fail_msg("%s", none[i]);
    }
    assert_null(got.ptr);
}

/* ---- wrapper --------------------------------------------------------- */

static struct cmw w;

static void test_wrappers_are_read(void **state)
{
    (void)state;
    assert_int_equal(
            cmw_read(diag("['application/eat+cwt', h'00', 4]"), &w, NULL), 0);
    assert_true(!w.is_collection && w.n == 1 && w.record[0].has_kinds);
    assert_int_equal(w.record[0].kinds, CMW_EVIDENCE);
    assert_true(span_eq_str(w.record[0].media_type, "application/eat+cwt"));
    assert_int_equal(cmw_read(diag("[263, h'00']"), &w, NULL), 0);
    assert_true(!w.record[0].media_type.ptr && !w.record[0].has_kinds);
    assert_int_equal(w.record[0].format, 263);
    /* RFC 9277, 4.3: 0 is the first tag; 254, then 255 one further on */
    assert_int_equal(cmw_read(diag("1668546817(h'00')"), &w, NULL), 0);
    assert_int_equal(w.record[0].format, 0);
    assert_int_equal(cmw_read(diag("1668547071(h'00')"), &w, NULL), 0);
    assert_int_equal(w.record[0].format, 254);
    assert_int_equal(cmw_read(diag("1668547073(h'00')"), &w, NULL), 0);
    assert_int_equal(w.record[0].format, 255);
    assert_int_equal(cmw_read(diag("{1: [263, h'00'], 'a': [60, h'01', 1], "
                                   "'__cmwc_t': 'tag:x'}"),
                             &w, NULL),
            0);
    assert_true(w.is_collection && span_eq_str(w.type, "tag:x"));
    assert_int_equal(w.n, 2);
    assert_int_equal(w.record[0].number, 1);
    assert_true(span_eq_str(w.record[1].label, "a"));
}

static void test_wrappers_of_another_form_are_refused(void **state)
{
    static const char *const bad[] = {
            "[]",
            "['application/eat+cwt']",
            "['noslash', h'00']",
            "['/x', h'00']",
            "['x/', h'00']",
            "['', h'00']",
            "[65536, h'00']",
            "[-1, h'00']",
            "[263, 'text']",
            "[263, h'00', 0]",
            "[263, h'00', 16]",
            "[263, h'00', 'a']",
            "[263, h'00', 4, 4]",
            "1668546816(h'00')",
            "1668612096(h'00')",
            "1668547072(h'00')", /* ...ff stands for nothing */
            "1668546817('text')",
            "18(h'00')",
            "{}",
            "{'__cmwc_t': 'tag:x'}",
            "{'__cmwc_t': 5, 'a': [60, h'00']}",
            "{h'00': [60, h'00']}",
            "{'a': {'b': [60, h'00']}}",
            "{'a': 5}",
            "5",
            "h'00'",
    };
    char text[8192];
    size_t n;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (cmw_read(diag(bad[i]), &w, NULL) == 0)
            fail_msg("%s", bad[i]);
        assert_int_equal(w.n, 0);
    }
    assert_int_equal(cmw_read(diag("{'a': {'b': [60, h'00']}}"), &w, NULL),
            ERR_UNSUPPORTED);
    n = (size_t)snprintf(text, sizeof(text), "{");
    for (int i = 0; i <= CMW_RECORDS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d: [1, h'00']",
                i ? ", " : "", i);
    (void)snprintf(text + n, sizeof(text) - n, "}");
    assert_int_equal(cmw_read(diag(text), &w, NULL), ERR_LIMIT);
}

static void test_a_written_wrapper_is_read(void **state)
{
    static const uint8_t large[CBOR_BYTES_MAX];
    struct buf b = BUF_INIT(1024);

    (void)state;
    assert_int_equal(cmw_write("application/eat+cwt", span_str("t"),
                             CMW_EVIDENCE, &b, NULL),
            0);
    assert_int_equal(cmw_read(buf_span(&b), &w, NULL), 0);
    assert_true(span_eq_str(w.record[0].value, "t"));
    assert_int_equal(w.record[0].kinds, CMW_EVIDENCE);
    buf_reset(&b);
    assert_int_equal(cmw_write("a/b", span_str("t"), 0, &b, NULL), 0);
    assert_int_equal(cmw_read(buf_span(&b), &w, NULL), 0);
    assert_false(w.record[0].has_kinds);
    assert_int_equal(cmw_write("ab", span_str("t"), 0, &b, NULL), ERR_USAGE);
    assert_int_equal(cmw_write("a/b", span_str("t"), 16, &b, NULL), ERR_USAGE);
    buf_fini(&b);
    b = BUF_INIT(8u << 20);
    assert_int_equal(cmw_write("a/b", SPAN_OF(large), 0, &b, NULL), ERR_LIMIT);
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_claims_of_the_rfc_are_read),
            cmocka_unit_test(test_other_forms_of_claims_are_read),
            cmocka_unit_test(test_claims_of_another_form_are_refused),
            cmocka_unit_test(test_counts_are_bounded),
            cmocka_unit_test(test_an_unsigned_token_needs_an_attested_channel),
            cmocka_unit_test(test_a_signed_token_needs_its_key),
            cmocka_unit_test(test_a_token_for_another_audience_is_refused),
            cmocka_unit_test(test_a_replayed_nonce_is_refused),
            cmocka_unit_test(test_a_token_out_of_its_time_is_refused),
            cmocka_unit_test(test_detached_claims_need_their_digest),
            cmocka_unit_test(test_bundles_of_another_form_are_refused),
            cmocka_unit_test(test_our_evidence_goes_and_comes),
            cmocka_unit_test(test_evidence_under_another_profile_is_none),
            cmocka_unit_test(test_wrappers_are_read),
            cmocka_unit_test(test_wrappers_of_another_form_are_refused),
            cmocka_unit_test(test_a_written_wrapper_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
