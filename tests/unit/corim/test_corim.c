/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room corim: manifests in diagnostic notation, one fault each, and what may
 * be imported of them.
 */
#include "cbor_diag.h"
#include "corim.h"
#include "cose_fixture.h"
#include "rules.h"

#include <stdio.h>

#define CORIM CLEANUP(corim_free_ptr) struct corim

#define UUID "h'00112233445566778899aabbccddeeff'"
#define H32                                                                    \
    "h'44aa336af4cb14a879432e53dd6571c7fa9bccafb75f488259262d6ea3a4d91b'"
#define ENV                     "{0: {0: 111(h'2b0601')}}"
#define VALUES                  "{1: 5}"
#define MEASURE                 "{1: " VALUES "}"
#define REFS(env, measurements) "{0: [[" env ", [" measurements "]]]}"
#define COMID(triples)          "{1: {0: 'tag'}, 4: " triples "}"
#define MANIFEST(tags, rest)    "501({0: 'id', 1: [" tags "]" rest "})"
#define ONE(triples)            MANIFEST("506(<<" COMID(triples) ">>)", "")

static int read_diag(const char *text, struct corim **ret, struct err *err)
{
    static uint8_t b[1 << 16];

    return corim_read(cbor_diag(text, b, sizeof(b)), NULL, ret, err);
}

static void expect(const char *text, int want, const char *what)
{
    struct err err = {0};
    CORIM *c = NULL;
    int rc = read_diag(text, &c, &err);

    if (rc != want || (what && !strstr(err.msg, what)))
        fail_msg("%s\n%d %s", text, rc, err.msg);
}

static void test_forms_of_the_draft_are_read(void **state)
{
    static const char *const good[] = {
            ONE(REFS(ENV, MEASURE)),
            MANIFEST("506(<<" COMID(REFS(ENV, MEASURE)) ">>)",
                    ", 3: 32('tag:x')"),
            MANIFEST("506(<<" COMID(REFS(ENV, MEASURE)) ">>)",
                    ", 3: 111(h'2b06')"),
            MANIFEST("506(<<" COMID(REFS(ENV, MEASURE)) ">>)",
                    ", 4: {0: 1(5), 1: 1(6)}"),
            MANIFEST(
                    "506(<<" COMID(REFS(ENV, MEASURE)) ">>)", ", 4: {1: 1(6)}"),
            MANIFEST("506(<<" COMID(REFS(ENV, MEASURE)) ">>)",
                    ", 5: [{0: 'n', 1: 32('u'), 2: [1]}]"),
            "501({0: " UUID ", 1: [506(<<" COMID(REFS(ENV, MEASURE)) ">>)]})",
            "501({0: 37(" UUID
            "), 1: [506(<<" COMID(REFS(ENV, MEASURE)) ">>)]})",
            MANIFEST("505(<<{0: 1}>>)", ""),
            MANIFEST("508(h'00')", ""),
            MANIFEST("9999(h'')", ""),
            ONE(REFS("{0: {1: 'v', 2: 'm', 3: 1, 4: 2}}", MEASURE)),
            ONE(REFS("{1: 37(" UUID ")}", MEASURE)),
            ONE(REFS("{1: 550(h'01020304050607')}", MEASURE)),
            ONE(REFS("{2: 560(h'01')}", MEASURE)),
            ONE(REFS("{0: {0: 600(" H32 ")}}", MEASURE)),
            ONE(REFS(ENV, "{0: 1, 1: " VALUES "}")),
            ONE(REFS(ENV, "{0: 'k', 1: " VALUES "}")),
            ONE(REFS(ENV, "{0: 111(h'2b'), 1: " VALUES "}")),
            ONE(REFS(ENV, "{0: 37(" UUID "), 1: " VALUES "}")),
            ONE(REFS(ENV, "{1: {0: {0: '1', 1: 4}}}")),
            ONE(REFS(ENV, "{1: {0: {0: '1', 1: 'own'}}}")),
            ONE(REFS(ENV, "{1: {1: 552(5)}}")),
            ONE(REFS(ENV, "{1: {1: 553(5)}}")),
            ONE(REFS(ENV, "{1: {2: [[1, " H32 "]]}}")),
            ONE(REFS(ENV, "{1: {2: [['sha-256', " H32 "]]}}")),
            ONE(REFS(ENV, "{1: {2: [[-16, " H32 "]]}}")),
            ONE(REFS(ENV, "{1: {2: [[99, h'01'], [98, h'01']]}}")),
            ONE(REFS(ENV, "{1: {3: {0: true, 10: false}}}")),
            ONE(REFS(ENV, "{1: {4: 560(h'01')}}")),
            ONE(REFS(ENV, "{1: {4: 563([h'01', h'ff'])}}")),
            ONE(REFS(ENV, "{1: {4: 560(h'01'), 5: h'0f'}}")),
            ONE(REFS(ENV, "{1: {6: h'010203040506'}}")),
            ONE(REFS(ENV, "{1: {7: h'7f000001'}}")),
            ONE(REFS(ENV, "{1: {8: 's', 9: h'01020304050607', 10: " UUID
                          ", 11: 'n'}}")),
            ONE(REFS(ENV, "{1: {13: [554('pem')]}}")),
            ONE(REFS(ENV,
                    "{1: {14: {0: [[1, " H32 "]], 'a': [[1, " H32 "]]}}}")),
            ONE(REFS(ENV, "{1: {15: 5}}")),
            ONE(REFS(ENV, "{1: {15: 564([-5, null])}}")),
            ONE(REFS(ENV, "{1: {15: 564([null, 7])}}")),
            ONE(REFS(ENV, "{2: [554('pem')], 1: " VALUES "}")),
            ONE("{1: [[" ENV ", [" MEASURE "]]]}"),
            ONE("{2: [[" ENV ", [554('pem')]]]}"),
            ONE("{3: [[" ENV ", [555('pem')], {0: 1}]]}"),
            ONE("{3: [[" ENV ", [557([1, " H32 "])]]]}"),
            ONE("{3: [[" ENV ", [558({1: 1})]]]}"),
            ONE("{3: [[" ENV ", [562(h'30')]]]}"),
            ONE("{10: []}"),
            /* older drafts */
            "500(" ONE(REFS(ENV, MEASURE)) ")",
            ONE("{0: [[" ENV ", " MEASURE "]]}"),
            MANIFEST("505(h'00')", ", 3: [32('tag:x')]"),
            MANIFEST("505(h'00')", ", 3: [111(h'2b06')]"),
            /* types of others */
            ONE(REFS(ENV, "{1: {15: 565([1, null])}}")),
            ONE(REFS(ENV, "{1: {15: {1: ['x']}}}")),
            ONE(REFS(ENV, "{1: {4: 561(h'00')}}")),
            ONE("{77: []}"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        expect(good[i], 0, NULL);
}

static void test_manifests_of_another_form_are_refused(void **state)
{
    static const struct {
        const char *text;
        int rc;
        const char *what;
    } t[] = {
            {"{0: 'id', 1: []}", ERR_SYNTAX, "tag 501"},
            {"502({0: 'id'})", ERR_SYNTAX, "tag 501"},
            {"501([])", ERR_SYNTAX, "not a map"},
            {"501({0: 'id'})", ERR_SYNTAX, "tags is missing"},
            {"501({1: [505(h'')]})", ERR_SYNTAX, "id is missing"},
            {MANIFEST("", ""), ERR_SYNTAX, "not a list"},
            {"501({0: 'id', 1: {}})", ERR_SYNTAX, "not a list"},
            {MANIFEST("h'00'", ""), ERR_SYNTAX, "no tagged bytes"},
            {MANIFEST("506({})", ""), ERR_SYNTAX, "no tagged bytes"},
            {MANIFEST("506(h'')", ""), ERR_SYNTAX, "CoMID"},
            {"501({0: 5, 1: [505(h'')]})", ERR_SYNTAX, "neither text"},
            {"501({0: '', 1: [505(h'')]})", ERR_SYNTAX, "empty"},
            {"501({0: h'00', 1: [505(h'')]})", ERR_SYNTAX, "neither text"},
            {"501({0: 37('a'), 1: [505(h'')]})", ERR_SYNTAX, "neither text"},
            {MANIFEST("505(h'')", ", 6: 1"), ERR_UNSUPPORTED, "not known"},
            {MANIFEST("505(h'')", ", 'x': 1"), ERR_UNSUPPORTED, "not known"},
            {MANIFEST("505(h'')", ", 0: 1"), ERR_SYNTAX, "twice"},
            {MANIFEST("505(h'')", ", 2: []"), ERR_SYNTAX, "dependent"},
            {MANIFEST("505(h'')", ", 3: 'x'"), ERR_SYNTAX, "neither URI"},
            {MANIFEST("505(h'')", ", 3: 111(h'80')"), ERR_SYNTAX, "URI"},
            {MANIFEST("505(h'')", ", 3: []"), ERR_SYNTAX, "URI"},
            {MANIFEST("505(h'')", ", 3: [32('a'), 32('b')]"), ERR_SYNTAX,
                    "URI"},
            {MANIFEST("505(h'')", ", 3: [111(h'2b'), 32('b')]"), ERR_SYNTAX,
                    "URI"},
            {"500(500(" MANIFEST("505(h'')", "") "))", ERR_SYNTAX, "tag 501"},
            {"501(500(" MANIFEST("505(h'')", "") "))", ERR_SYNTAX, "a map"},
            {MANIFEST("505(h'')", ", 4: {}"), ERR_SYNTAX, "not-after"},
            {MANIFEST("505(h'')", ", 4: {1: 5}"), ERR_SYNTAX, "not a time"},
            {MANIFEST("505(h'')", ", 4: {1: 1(-5)}"), ERR_SYNTAX, "a time"},
            {MANIFEST("505(h'')", ", 4: {0: 1(7), 1: 1(6)}"), ERR_SYNTAX,
                    "before it begins"},
            {MANIFEST("505(h'')", ", 4: {1: 1(5), 2: 1}"), ERR_UNSUPPORTED,
                    "validity"},
            {MANIFEST("505(h'')", ", 5: []"), ERR_SYNTAX, "entity"},
            {MANIFEST("505(h'')", ", 5: [{0: 'n'}]"), ERR_SYNTAX, "role"},
            {MANIFEST("505(h'')", ", 5: [{0: 'n', 2: []}]"), ERR_SYNTAX,
                    "entity"},
            {MANIFEST("505(h'')", ", 5: [{0: 'n', 1: 'u', 2: [1]}]"),
                    ERR_SYNTAX, "entity"},
            {MANIFEST("505(h'')", ", 5: [{0: 'n', 2: ['r']}]"), ERR_SYNTAX,
                    "a role"},
            {MANIFEST("505(h'')", ", 5: [{0: 'n', 2: [1], 3: 1}]"),
                    ERR_UNSUPPORTED, "not known"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        expect(t[i].text, t[i].rc, t[i].what);
}

static void test_tags_of_another_form_are_refused(void **state)
{
#define TAG(text) MANIFEST("506(<<" text ">>)", "")
    static const struct {
        const char *text;
        int rc;
        const char *what;
    } t[] = {
            {TAG("[]"), ERR_SYNTAX, "not a map"},
            {TAG("{4: {}}"), ERR_SYNTAX, "tag-identity"},
            {TAG("{1: {0: 't'}}"), ERR_SYNTAX, "triples is missing"},
            {TAG("{1: {0: 't'}, 4: {}}"), ERR_SYNTAX, "without triples"},
            {TAG("{1: {}, 4: {10: 0}}"), ERR_SYNTAX, "tag-id"},
            {TAG("{1: {0: 't', 1: 't'}, 4: {10: 0}}"), ERR_SYNTAX, "version"},
            {TAG("{1: {0: 't', 2: 1}, 4: {10: 0}}"), ERR_UNSUPPORTED, ""},
            {TAG("{0: 5, 1: {0: 't'}, 4: {10: 0}}"), ERR_SYNTAX, "language"},
            {TAG("{1: {0: 't'}, 4: {10: 0}, 5: 1}"), ERR_UNSUPPORTED, ""},
            {TAG("{1: {0: 't'}, 3: [], 4: {10: 0}}"), ERR_SYNTAX, "linked"},
            {TAG("{1: {0: 't'}, 3: [{0: 'o'}], 4: {10: 0}}"), ERR_SYNTAX,
                    "tag-rel"},
            {TAG("{1: {0: 't'}, 3: [{0: 'o', 1: 2}], 4: {10: 0}}"),
                    ERR_UNSUPPORTED, "relation"},
            {MANIFEST("506(<<{1: {0: 't'}, 4: {10: 0}}>>), "
                      "506(<<{1: {0: 't'}, 4: {10: 0}}>>)",
                     ""),
                    ERR_SYNTAX, "two tags"},
            {ONE("{0: []}"), ERR_SYNTAX, "not a list"},
            {ONE("{0: {}}"), ERR_SYNTAX, "not a list"},
            {ONE("{0: [{}]}"), ERR_SYNTAX, "no list"},
            {ONE("{0: [[]]}"), ERR_SYNTAX, "environment"},
            {ONE("{0: [[" ENV "]]}"), ERR_SYNTAX, "triple"},
            {ONE("{0: [[" ENV ", []]]}"), ERR_SYNTAX, "triple"},
            {ONE("{0: [[" ENV ", [" MEASURE "], 0]]}"), ERR_SYNTAX, "triple"},
            {ONE("{3: [{}]}"), ERR_SYNTAX, "no list"},
            {ONE("{3: [[" ENV ", []]]}"), ERR_SYNTAX, "without keys"},
            {ONE("{3: [[" ENV ", [554('p')], 0]]}"), ERR_SYNTAX, "triple"},
            {ONE("{3: [[" ENV ", [554('p')], {}, 0]]}"), ERR_SYNTAX, "triple"},
            {ONE("{3: [[" ENV ", [554(h'00')]]]}"), ERR_UNSUPPORTED, "key"},
            {ONE("{3: [[" ENV ", [562('p')]]]}"), ERR_UNSUPPORTED, "key"},
            {ONE("{3: [[" ENV ", [553('p')]]]}"), ERR_UNSUPPORTED, "key"},
            {ONE("{3: [[" ENV ", [563('p')]]]}"), ERR_UNSUPPORTED, "key"},
            {ONE("{3: [[" ENV ", ['p']]]}"), ERR_UNSUPPORTED, "key"},
            {ONE(REFS("{}", MEASURE)), ERR_SYNTAX, "of nothing"},
            {ONE(REFS("{0: {}}", MEASURE)), ERR_SYNTAX, "of nothing"},
            {ONE(REFS("{0: {0: 'x'}}", MEASURE)), ERR_SYNTAX, "no type"},
            {ONE(REFS("{0: {0: 111(h'')}}", MEASURE)), ERR_SYNTAX, "111"},
            {ONE(REFS("{0: {0: 111(h'86')}}", MEASURE)), ERR_SYNTAX, "111"},
            {ONE(REFS("{0: {0: 111(h'2b8001')}}", MEASURE)), ERR_SYNTAX, "111"},
            {ONE(REFS("{0: {0: 111('a')}}", MEASURE)), ERR_SYNTAX, "111"},
            {ONE(REFS("{0: {0: 37(h'00')}}", MEASURE)), ERR_SYNTAX, "37"},
            {ONE(REFS("{0: {0: 560(h'')}}", MEASURE)), ERR_SYNTAX, "560"},
            {ONE(REFS("{0: {1: 5}}", MEASURE)), ERR_SYNTAX, "class"},
            {ONE(REFS("{0: {2: 5}}", MEASURE)), ERR_SYNTAX, "class"},
            {ONE(REFS("{0: {3: 'a'}}", MEASURE)), ERR_SYNTAX, "class"},
            {ONE(REFS("{0: {4: -1}}", MEASURE)), ERR_SYNTAX, "class"},
            {ONE(REFS("{1: h'00'}", MEASURE)), ERR_SYNTAX, "no type"},
            {ONE(REFS("{1: 550(h'010203040506')}", MEASURE)), ERR_SYNTAX,
                    "550"},
            {ONE(REFS("{2: 37('a')}", MEASURE)), ERR_SYNTAX, "37"},
    };
#undef TAG

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        expect(t[i].text, t[i].rc, t[i].what);
}

static void test_measurements_of_another_form_are_refused(void **state)
{
    static const char *const bad[] = {
            "{}",
            "[]",
            "{0: 1}",
            "{1: {}}",
            "{1: []}",
            "{0: -1, 1: {1: 5}}",
            "{0: h'00', 1: {1: 5}}",
            "{0: 560(h'00'), 1: {1: 5}}",
            "{1: {0: '1'}}",
            "{1: {0: {1: 4}}}",
            "{1: {0: {0: 5}}}",
            "{1: {0: {0: '1', 2: 5}}}",
            "{1: {1: -5}}",
            "{1: {1: 'a'}}",
            "{1: {1: 554(5)}}",
            "{1: {1: 552(-5)}}",
            "{1: {1: 552(553(5))}}",
            "{1: {2: []}}",
            "{1: {2: {}}}",
            "{1: {2: [1, " H32 "]}}",
            "{1: {2: [[1]]}}",
            "{1: {2: [[1, 'a']]}}",
            "{1: {2: [[1, h'']]}}",
            "{1: {2: [[h'01', " H32 "]]}}",
            "{1: {2: [[1, " H32 ", 0]]}}",
            "{1: {2: [[7, " H32 "]]}}",
            "{1: {2: [[1, h'00']]}}",
            "{1: {2: [[1, " H32 "], [1, " H32 "]]}}",
            "{1: {2: [[1, " H32 "], ['sha-256', " H32 "]]}}",
            "{1: {3: {}}}",
            "{1: {3: {11: true}}}",
            "{1: {3: {-1: true}}}",
            "{1: {3: {0: 1}}}",
            "{1: {4: h'00'}}",
            "{1: {4: 560('a')}}",
            "{1: {4: 563(h'00')}}",
            "{1: {4: 563([h'00'])}}",
            "{1: {4: 563([h'00', h'0000'])}}",
            "{1: {4: 563([h'', h''])}}",
            "{1: {4: 563([h'00', h'00', h'00'])}}",
            "{1: {5: h'00'}}",
            "{1: {4: 560(h'00'), 5: h'0000'}}",
            "{1: {4: 560(h'00'), 5: 'a'}}",
            "{1: {4: 563([h'00', h'ff']), 5: h'00'}}",
            "{1: {6: h'0000000000'}}",
            "{1: {7: h'000000'}}",
            "{1: {8: 5}}",
            "{1: {9: h'000000000000'}}",
            "{1: {10: h'00'}}",
            "{1: {11: h'00'}}",
            "{1: {13: []}}",
            "{1: {13: 554('a')}}",
            "{1: {14: {}}}",
            "{1: {14: {-1: [[1, " H32 "]]}}}",
            "{1: {14: {111(h'2b'): [[1, " H32 "]]}}}",
            "{1: {14: {0: []}}}",
            "{1: {14: {0: [[1, h'00']]}}}",
            "{1: {15: 564([5])}}",
            "{1: {15: 564([6, 5])}}",
            "{1: {15: 564([5, 6, 7])}}",
            "{1: {15: 564(['a', 5])}}",
    };
    char text[2048];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CORIM *c = NULL;

        (void)snprintf(text, sizeof(text), ONE(REFS(ENV, "%s")), bad[i]);
        if (read_diag(text, &c, NULL) == 0)
            fail_msg("%s", bad[i]);
    }
}

/* ---- what may be imported -------------------------------------------- */

static int claim_of(const char *text, size_t i, struct corim_claim *ret)
{
    CORIM *c = NULL;
    struct err err = {0};
    int rc = read_diag(text, &c, &err);

    if (rc)
        fail_msg("%s: %s", text, err.msg);
    assert_true(i < c->n_values);
    return corim_claim(c, &c->value[i], CORIM_PRODUCT_UNKNOWN, ret, NULL);
}

#define PCR "{1: {14: {4: [[1, " H32 "]]}}}"

static void test_what_was_not_understood_is_not_imported(void **state)
{
    static const struct {
        const char *text;
        int rc;
    } t[] = {
            {ONE(REFS(ENV, PCR)), 0},
            /* an endorsement says what is, not what is wanted */
            {ONE("{1: [[" ENV ", [" PCR "]]]}"), ERR_DENIED},
            /* members of profiles, at each place where they could restrict */
            {ONE(REFS("{0: {0: 111(h'2b')}, -1: 5}", PCR)), ERR_DENIED},
            {ONE(REFS("{0: {0: 111(h'2b'), -1: 5}}", PCR)), ERR_DENIED},
            {ONE(REFS("{0: {0: 111(h'2b'), 5: 5}}", PCR)), ERR_DENIED},
            {ONE(REFS("{3: 5, 0: {0: 111(h'2b')}}", PCR)), ERR_DENIED},
            {ONE(REFS(ENV, "{1: {14: {4: [[1, " H32 "]]}}, 3: 5}")),
                    ERR_DENIED},
            {ONE(REFS(ENV, "{1: {14: {4: [[1, " H32 "]]}, 12: 5}}")),
                    ERR_DENIED},
            {ONE(REFS(ENV, "{1: {14: {4: [[1, " H32 "]]}, -1: 5}}")),
                    ERR_DENIED},
            {ONE(REFS(ENV, "{1: {14: {4: [[1, " H32 "]]}, 'x': 5}}")),
                    ERR_DENIED},
            {ONE(REFS(ENV, "{1: {14: {4: [[1, " H32 "]]}}, 2: [554('a')]}")),
                    ERR_DENIED},
            {ONE(REFS(ENV, "{1: {14: {4: [[1, " H32 "]]}, 15: 565([1, 2])}}")),
                    ERR_DENIED},
            {ONE(REFS(ENV, "{1: {14: {4: [[1, " H32 "]]}, 15: 'a'}}")),
                    ERR_DENIED},
            {ONE(REFS(ENV, "{1: {14: {4: [[1, " H32 "]]}, 4: 561(h'00')}}")),
                    ERR_DENIED},
            /* no claim for it */
            {ONE(REFS(ENV, "{1: {14: {'4': [[1, " H32 "]]}}}")), ERR_NOT_FOUND},
            {ONE(REFS(ENV, "{1: {14: {24: [[1, " H32 "]]}}}")), ERR_NOT_FOUND},
            {ONE(REFS(ENV, "{1: {14: {4: [[10, " H32 "]]}}}")), ERR_NOT_FOUND},
            {ONE(REFS(ENV, "{1: {2: [[1, " H32 "]]}}")), ERR_NOT_FOUND},
    };
    struct corim_claim got;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        int rc = claim_of(t[i].text, 0, &got);

        if (rc != t[i].rc)
            fail_msg("%s: %d", t[i].text, rc);
    }
    assert_int_equal(claim_of(t[0].text, 0, &got), 0);
    assert_string_equal(got.name, "firmware.pcr.4");
}

static void test_a_tag_that_another_replaces_is_not_imported(void **state)
{
#define TWO(id, rel)                                                           \
    MANIFEST("506(<<{1: {0: 'old'}, 4: " REFS(                                 \
                     ENV, PCR) "}>>), "                                        \
                               "506(<<{1: {0: 'new'}, 3: [{0: " id ", 1: " rel \
                               "}], 4: " REFS(ENV, PCR) "}>>)",                \
            "")
    struct corim_claim got;

    (void)state;
    assert_int_equal(claim_of(TWO("'old'", "1"), 0, &got), ERR_DENIED);
    assert_int_equal(claim_of(TWO("'old'", "1"), 1, &got), 0);
    assert_int_equal(claim_of(TWO("'old'", "0"), 0, &got), 0);
    assert_int_equal(claim_of(TWO("'other'", "1"), 0, &got), 0);
    /* an older version of itself is not there to be replaced */
    assert_int_equal(claim_of(TWO("'new'", "1"), 1, &got), 0);
#undef TWO
}

#define SNP_ENV "{0: {0: 111(h'2b060104019c780301')}, 1: 560(h'01')}"
#define SNP(env, measurement)                                                  \
    MANIFEST("506(<<" COMID(REFS(env, measurement)) ">>)",                     \
            ", 3: 32('" CORIM_PROFILE_SNP "')")
#define SNP_KEY(env, key)                                                      \
    MANIFEST("506(<<" COMID("{3: [[" env ", [" key "]]]}") ">>)",              \
            ", 3: 32('" CORIM_PROFILE_SNP "')")

static void test_amd_profile_demands_more_than_the_form(void **state)
{
    (void)state;
    expect(SNP(SNP_ENV, "{0: 1, 1: {1: 5}}"), 0, NULL);
    expect(SNP(SNP_ENV, "{1: {1: 5}}"), ERR_SYNTAX, "without its key");
    expect(SNP(SNP_ENV, "{0: 'svn', 1: {1: 5}}"), ERR_SYNTAX, "no number");
    expect(SNP(SNP_ENV, "{0: 111(h'2b'), 1: {1: 5}}"), ERR_SYNTAX, "number");
    expect(SNP(ENV, "{0: 1, 1: {1: 5}}"), ERR_SYNTAX, "no instance");
    expect(SNP("{1: 37(" UUID ")}", "{0: 1, 1: {1: 5}}"), ERR_SYNTAX,
            "no instance");
    expect(SNP_KEY("{0: {1: 'v', 2: 'm'}}", "555('p')"), 0, NULL);
    expect(SNP_KEY("{0: {1: 'v', 2: 'm'}}", "556('p')"), 0, NULL);
    expect(SNP_KEY("{0: {1: 'v'}}", "555('p')"), ERR_SYNTAX, "vendor and");
    expect(SNP_KEY("{0: {2: 'm'}}", "555('p')"), ERR_SYNTAX, "vendor and");
    expect(SNP_KEY("{0: {1: 'v', 2: 'm'}}", "554('p')"), ERR_SYNTAX,
            "no certificate");
}

static void test_amd_values_of_another_kind_are_no_claims(void **state)
{
    static const char *const none[] = {
            SNP(SNP_ENV, "{0: 0, 1: {0: {0: '2.0'}}}"),
            SNP(SNP_ENV, "{0: 0, 1: {1: 2}}"),
            SNP(SNP_ENV, "{0: 1, 1: {4: 560(h'01')}}"),
            SNP(SNP_ENV, "{0: 2, 1: {4: 560(h'00030000')}}"),
            SNP(SNP_ENV, "{0: 2, 1: {4: 563([h'0000000000030000', "
                         "h'0000000000080000'])}}"),
            SNP(SNP_ENV, "{0: 3, 1: {4: 560(h'00')}}"),
            SNP(SNP_ENV, "{0: 647, 1: {4: 560(h'5417000000000a0a')}}"),
            SNP(SNP_ENV, "{0: 641, 1: {2: [[1, " H32 "]]}}"),
            SNP(SNP_ENV, "{0: 3330, 1: {0: {0: '1.55'}}}"),
            SNP(SNP_ENV, "{0: 3330, 1: {0: {0: '1.55.8.1'}}}"),
            SNP(SNP_ENV, "{0: 3330, 1: {0: {0: '1.55.x'}}}"),
            SNP(SNP_ENV, "{0: 3330, 1: {0: {0: '1.55.'}}}"),
            SNP(SNP_ENV, "{0: 3330, 1: {0: {0: ''}}}"),
            SNP(SNP_ENV, "{0: 640, 1: {4: 560(h'00')}}"),
            SNP(SNP_ENV, "{0: 645, 1: {4: 560(h'00')}}"),
            SNP(SNP_ENV, "{0: 8, 1: {1: 5}}"),
    };
    struct corim_claim got;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        if (claim_of(none[i], 0, &got) != ERR_NOT_FOUND)
            fail_msg("%s", none[i]);
    }
}

/* As one number 1.0.0.0 would be above 0.255.255.255: parts, each by itself. */
static void test_a_tcb_is_parts_and_not_one_number(void **state)
{
    static const struct {
        uint64_t tcb;
        enum corim_product product;
        int rc;
        size_t n;
        uint64_t part[5];
    } t[] = {
            {0x541700000000000a, 0, 0, 4, {10, 0, 23, 84}},
            {0x541700000000000a, CORIM_PRODUCT_MILAN, 0, 4, {10, 0, 23, 84}},
            {0x541700000000000a, CORIM_PRODUCT_TURIN, ERR_NOT_FOUND, 0, {0}},
            {0x4800000004010203, 0, 0, 5, {3, 2, 1, 4, 72}},
            {0x4800000004010203, CORIM_PRODUCT_TURIN, 0, 5, {3, 2, 1, 4, 72}},
            {0x4800000004010203, CORIM_PRODUCT_MILAN, ERR_NOT_FOUND, 0, {0}},
            {0x4800000000000203, 0, ERR_NOT_FOUND, 0, {0}}, /* of either */
            {0x4800000000000203, CORIM_PRODUCT_MILAN, 0, 4, {3, 2, 0, 72}},
            {0x4800000000000203, CORIM_PRODUCT_TURIN, 0, 5, {3, 2, 0, 0, 72}},
            {0x4800010000000203, 0, ERR_NOT_FOUND, 0, {0}}, /* of neither */
            {0x4800000100000203, 0, ERR_NOT_FOUND, 0, {0}},
            {0x4801000001000203, 0, ERR_NOT_FOUND, 0, {0}},
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        CORIM *c = NULL;
        struct corim_claim got;
        int rc;

        (void)snprintf(text, sizeof(text),
                SNP(SNP_ENV, "{0: 647, 1: {1: 553(%llu)}}"),
                (unsigned long long)t[i].tcb);
        assert_int_equal(read_diag(text, &c, NULL), 0);
        rc = corim_claim(c, &c->value[0], t[i].product, &got, NULL);
        assert_int_equal(rc, t[i].rc);
        if (rc)
            continue;
        assert_true(got.at_least);
        assert_int_equal(got.type, CORIM_CLAIM_VECTOR);
        assert_int_equal(got.n_parts, t[i].n);
        for (size_t p = 0; p < got.n_parts; p++)
            assert_int_equal(got.part[p], t[i].part[p]);
    }
}

/* A claim that room rules does not know could be signed and never met. */
static void test_each_claim_is_one_of_room_rules(void **state)
{
    static const struct {
        const char *measurement;
        enum claim_type type;
    } t[] = {
            {"{0: 0, 1: {0: {0: '2'}}}", CLAIM_NUMBER},
            {"{0: 1, 1: {1: 5}}", CLAIM_NUMBER},
            {"{0: 2, 1: {4: 560(h'0000000000030000')}}", CLAIM_NUMBER},
            {"{0: 3, 1: {4: 560(" UUID ")}}", CLAIM_BYTES},
            {"{0: 4, 1: {4: 560(" UUID ")}}", CLAIM_BYTES},
            {"{0: 5, 1: {4: 560(h'00000000')}}", CLAIM_NUMBER},
            {"{0: 6, 1: {1: 6059311823650291722}}", CLAIM_VECTOR},
            {"{0: 7, 1: {4: 560(h'0000000000000001')}}", CLAIM_NUMBER},
            {"{0: 641, 1: {4: 560(h'000000000000000000000000000000000000000000"
             "000000000000000000000000000000000000000000000000000000')}}",
                    CLAIM_BYTES},
            {"{0: 642, 1: {4: 560(" H32 ")}}", CLAIM_BYTES},
            {"{0: 646, 1: {4: 560(" H32 ")}}", CLAIM_BYTES},
            {"{0: 647, 1: {1: 6059311823650291722}}", CLAIM_VECTOR},
            {"{0: 3329, 1: {1: 6059311823650291722}}", CLAIM_VECTOR},
            {"{0: 3330, 1: {0: {0: '1.55.8'}}}", CLAIM_VERSION},
            {"{0: 3936, 1: {0: {0: '1.55.8'}}}", CLAIM_VERSION},
            {"{0: 3968, 1: {1: 6059311823650291722}}", CLAIM_VECTOR},
            {PCR, CLAIM_BYTES},
            {"{0: 9, 1: {14: {23: [[1, " H32 "]]}}}", CLAIM_BYTES},
    };
    static const enum claim_type of[] = {[CORIM_CLAIM_NUMBER] = CLAIM_NUMBER,
            [CORIM_CLAIM_BYTES] = CLAIM_BYTES,
            [CORIM_CLAIM_VERSION] = CLAIM_VERSION,
            [CORIM_CLAIM_VECTOR] = CLAIM_VECTOR};
    char text[1024];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        const struct claim_def *def;
        struct corim_claim got;
        bool pcr = strcmp(t[i].measurement, PCR) == 0;

        (void)snprintf(text, sizeof(text),
                pcr ? ONE(REFS(ENV, "%s")) : SNP(SNP_ENV, "%s"),
                t[i].measurement);
        assert_int_equal(claim_of(text, 0, &got), 0);
        def = claims_find(span_str(got.name));
        if (!def || def->type != t[i].type || of[got.type] != t[i].type ||
                (def->size && def->size != got.bytes.len))
            fail_msg("%s", got.name);
    }
}

/* ---- time and signature ---------------------------------------------- */

static void test_a_manifest_out_of_its_time_is_refused(void **state)
{
    CORIM *c = NULL;

    (void)state;
    assert_int_equal(
            read_diag(MANIFEST("505(h'')", ", 4: {0: 1(100), 1: 1(200)}"), &c,
                    NULL),
            0);
    assert_int_equal(corim_check_time(c, 99, NULL), ERR_DENIED);
    assert_int_equal(corim_check_time(c, 100, NULL), 0);
    assert_int_equal(corim_check_time(c, 200, NULL), 0);
    assert_int_equal(corim_check_time(c, 201, NULL), ERR_DENIED);
}

#define META  "8: <<{0: {0: 'maker'}, 1: {1: 1(300)}}>>"
#define RIM   "3: 'application/rim+cbor'"
#define INNER MANIFEST("505(h'')", ", 4: {1: 1(200)}")

static int read_signed(const char *header, const char *payload,
        enum cose_fixture_key k, const struct crypto_pub *key,
        struct corim **ret, struct err *err)
{
    static uint8_t b[8192];
    uint8_t h[1024], p[4096];

    return corim_read(
            cose_fixture_msg(
                    &(struct cose_fixture_msg){
                            .protected_header = cbor_diag(header, h, sizeof(h)),
                            .payload = cbor_diag(payload, p, sizeof(p))},
                    k, k == FIXTURE_P384 ? CRYPTO_SHA384 : CRYPTO_SHA256, b,
                    sizeof(b)),
            key, ret, err);
}

static void test_signed_manifests_need_their_signer(void **state)
{
    static const struct {
        const char *header, *payload;
        int rc;
    } t[] = {
            {"{1: -7, " RIM ", " META "}", INNER, 0},
            {"{1: -7, " RIM ", 15: {1: 'maker', 4: 300}}", INNER, 0},
            {"{1: -7, 2: [8], " RIM ", " META "}", INNER, 0},
            {"{1: -7, 3: 'application/corim-unsigned+cbor', " META "}", INNER,
                    0},
            {"{1: -7, 2: [7], " RIM ", 7: 1, " META "}", INNER,
                    ERR_UNSUPPORTED},
            {"{1: -35, " RIM ", " META "}", INNER, ERR_MISMATCH},
            {"{1: -7, " META "}", INNER, ERR_UNSUPPORTED},
            {"{1: -7, 3: 'application/cbor', " META "}", INNER,
                    ERR_UNSUPPORTED},
            {"{1: -7, 3: 60, " META "}", INNER, ERR_UNSUPPORTED},
            {"{1: -7, " RIM "}", INNER, ERR_SYNTAX},
            {"{1: -7, " RIM ", 8: {0: {0: 'maker'}}}", INNER, ERR_SYNTAX},
            {"{1: -7, " RIM ", 8: <<{}>>}", INNER, ERR_SYNTAX},
            {"{1: -7, " RIM ", 8: <<{0: {0: 5}}>>}", INNER, ERR_SYNTAX},
            {"{1: -7, " RIM ", 8: <<{0: {0: 'm'}, 1: {1: 5}}>>}", INNER,
                    ERR_SYNTAX},
            {"{1: -7, " RIM ", 15: {4: 300}}", INNER, ERR_SYNTAX},
            {"{1: -7, " RIM ", 15: {1: 'm', 4: 'a'}}", INNER, ERR_SYNTAX},
            {"{1: -7, " RIM ", " META "}", "{0: 'id'}", ERR_SYNTAX},
            {"{1: -7, " RIM ", " META "}", "18([h'', {}, h'', h''])",
                    ERR_SYNTAX},
    };
    const struct crypto_pub *k = cose_fixture_pub(FIXTURE_P256);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct err err = {0};
        CORIM *c = NULL;
        int rc = read_signed(
                t[i].header, t[i].payload, FIXTURE_P256, k, &c, &err);

        if (rc != t[i].rc)
            fail_msg("%s: %d %s", t[i].header, rc, err.msg);
        if (rc)
            continue;
        assert_true(c->is_signed && span_eq_str(c->signer, "maker"));
        assert_int_equal(corim_check_time(c, 200, NULL), 0);
        assert_int_equal(corim_check_time(c, 201, NULL), ERR_DENIED);
    }
    CORIM *c = NULL;
    assert_int_equal(read_signed(t[0].header, t[0].payload, FIXTURE_P256,
                             cose_fixture_other(FIXTURE_P256), &c, NULL),
            ERR_MISMATCH);
    assert_int_equal(
            read_signed("{1: -35, " RIM ", " META "}", INNER, FIXTURE_P384,
                    cose_fixture_pub(FIXTURE_P384), &c, NULL),
            0);
}

static void test_a_detached_manifest_is_refused(void **state)
{
    uint8_t b[1024], h[256], p[256];
    struct corim *c = NULL;
    struct span msg = cose_fixture_msg(
            &(struct cose_fixture_msg){
                    .protected_header = cbor_diag(
                            "{1: -7, " RIM ", " META "}", h, sizeof(h)),
                    .payload = cbor_diag(INNER, p, sizeof(p)),
                    .detached = true},
            FIXTURE_P256, CRYPTO_SHA256, b, sizeof(b));

    (void)state;
    assert_int_equal(corim_read(msg, NULL, &c, NULL), ERR_UNSUPPORTED);
    assert_int_equal(corim_read(msg, cose_fixture_pub(FIXTURE_P256), &c, NULL),
            ERR_STATE);
    assert_null(c);
}

static void test_an_unsigned_manifest_does_not_pass_for_signed(void **state)
{
    uint8_t b[1024];
    struct corim *c = NULL;

    (void)state;
    assert_int_equal(corim_read(cbor_diag(INNER, b, sizeof(b)),
                             cose_fixture_pub(FIXTURE_P256), &c, NULL),
            ERR_DENIED);
    assert_null(c);
}

/* ---- bounds ---------------------------------------------------------- */

static void test_more_than_the_limits_is_refused(void **state)
{
    static uint8_t b[2u << 20], comid[2u << 20];
    struct wire_writer w = wire_writer_of(comid, sizeof(comid)), out;
    struct corim *c = NULL;
    struct err err;

    (void)state;
    cbor_put_map(&w, 2);
    cbor_put_int(&w, 1);
    cbor_put_map(&w, 1);
    cbor_put_int(&w, 0);
    cbor_put_str(&w, "t");
    cbor_put_int(&w, 4);
    cbor_put_map(&w, 1);
    cbor_put_int(&w, 0);
    cbor_put_array(&w, 1);
    cbor_put_array(&w, 2);
    cbor_put_item(&w, cbor_diag(ENV, b, sizeof(b)));
    cbor_put_array(&w, CORIM_VALUES_MAX + 1);
    for (int i = 0; i <= CORIM_VALUES_MAX; i++)
        cbor_put_item(&w, SPAN("\xa1\x01\xa1\x01\x05", 5));
    assert_false(w.overflow);
    assert_int_equal(corim_read_comid(SPAN(comid, w.len), &c, &err), ERR_LIMIT);
    assert_non_null(strstr(err.msg, "values"));
    out = wire_writer_of(b, sizeof(b));
    cbor_put_tag(&out, 501);
    cbor_put_map(&out, 2);
    cbor_put_int(&out, 0);
    cbor_put_str(&out, "id");
    cbor_put_int(&out, 1);
    cbor_put_array(&out, CORIM_TAGS_MAX + 1);
    for (int i = 0; i <= CORIM_TAGS_MAX; i++) {
        char text[64];
        uint8_t tag[64];

        (void)snprintf(
                text, sizeof(text), "506(<<{1: {0: 't%d'}, 4: {10: 0}}>>)", i);
        cbor_put_item(&out, cbor_diag(text, tag, sizeof(tag)));
    }
    assert_int_equal(corim_read(SPAN(b, out.len), NULL, &c, &err), ERR_LIMIT);
    assert_non_null(strstr(err.msg, "tags"));
    assert_null(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_forms_of_the_draft_are_read),
            cmocka_unit_test(test_manifests_of_another_form_are_refused),
            cmocka_unit_test(test_tags_of_another_form_are_refused),
            cmocka_unit_test(test_measurements_of_another_form_are_refused),
            cmocka_unit_test(test_what_was_not_understood_is_not_imported),
            cmocka_unit_test(test_a_tag_that_another_replaces_is_not_imported),
            cmocka_unit_test(test_amd_profile_demands_more_than_the_form),
            cmocka_unit_test(test_amd_values_of_another_kind_are_no_claims),
            cmocka_unit_test(test_a_tcb_is_parts_and_not_one_number),
            cmocka_unit_test(test_each_claim_is_one_of_room_rules),
            cmocka_unit_test(test_a_manifest_out_of_its_time_is_refused),
            cmocka_unit_test(test_signed_manifests_need_their_signer),
            cmocka_unit_test(test_a_detached_manifest_is_refused),
            cmocka_unit_test(
                    test_an_unsigned_manifest_does_not_pass_for_signed),
            cmocka_unit_test(test_more_than_the_limits_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
