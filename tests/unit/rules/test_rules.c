/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's rules: what does not parse, and what never passes. */
#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#define NOW  1000000
#define SKEW 300
#define H32  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct claim_value *digits(void)
{
    static struct claim_value v[10];

    for (uint64_t i = 0; i < ARRAY_LEN(v); i++)
        v[i] = (struct claim_value){.type = CLAIM_NUMBER, .number = i};
    return v;
}

/* Sets of snp.vmpl: low = {0, 1, 2}, high = {3, 4, 5}; each other one is out
 * for a reason. */
static struct rules_sets the_sets(void)
{
    static struct rules_set set[7];
    const struct claim_def *d = claims_find(span_str("snp.vmpl"));

    for (size_t i = 0; i < ARRAY_LEN(set); i++) {
        static const char *const names[] = {
                "low", "revoked", "early", "late", "empty", "other", "high"};

        set[i] = (struct rules_set){
                .def = d, .claim = "snp.vmpl", .n = 3, .value = digits()};
        (void)snprintf(set[i].name, sizeof(set[i].name), "%s", names[i]);
    }
    set[1].revoked = true;
    set[2].since = NOW + SKEW + 1;
    set[3].until = NOW;
    set[4].n = 0;
    set[6].value += 3;
    set[5].def = claims_find(span_str("snp.version"));
    (void)snprintf(set[5].claim, sizeof(set[5].claim), "snp.version");
    return (struct rules_sets){.n = ARRAY_LEN(set), .set = set};
}

/* ---- text ------------------------------------------------------------ */

static void test_what_is_not_rules(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
            {"", "no state"},
            {"# nothing\n\n", "no state"},
            {"state golden\n", "line 1, has no lines"},
            {"state a\nstate b\nsnp.vmpl is 0\n", "has no lines"},
            {"snp.vmpl is 0\n", "line 1: before it comes 'state NAME'"},
            {"state golden\n\nsnp.vmlp is 0\n",
                    "line 3: there is no claim 'snp.vmlp'; did you mean "
                    "snp.vmpl?"},
            {"state golden\nqwertyuiop is 0\n", "qair attest claims"},
            {"state Golden\nsnp.vmpl is 0\n", "a state is named in"},
            {"state a b\nsnp.vmpl is 0\n", "a state is named in"},
            {"state\nsnp.vmpl is 0\n", "a state is named in"},
            {"state not approved\nsnp.vmpl is 0\n", "a state is named in"},
            {"state a\nsnp.vmpl is 0\nstate a\nsnp.vmpl is 1\n",
                    "line 3: state a is on line 1 already"},
            {"state a\nsnp.vmpl\n", "comes is, is not"},
            {"state a\nsnp.vmpl = 0\n", "comes is, is not"},
            {"state a\nsnp.vmpl at 0\n", "comes is, is not"},
            {"state a\nsnp.vmpl is\n", "not ''"},
            {"state a\nsnp.vmpl is not\n", "not ''"},
            {"state a\nsnp.vmpl is 0 0\n", "not '0 0'"},
            {"state a\nsnp.vmpl is 00\n", "snp.vmpl is number"},
            {"state a\nsnp.vmpl is -1\n", "snp.vmpl is number"},
            {"state a\nsnp.vmpl is 0x\n", "snp.vmpl is number"},
            {"state a\nsnp.vmpl is 0x00\n", "snp.vmpl is number"},
            {"state a\nsnp.vmpl is 0xA\n", "snp.vmpl is number"},
            {"state a\nsnp.vmpl is 0x10000000000000000\n", "is number"},
            {"state a\nsnp.vmpl is 18446744073709551616\n", "is number"},
            {"state a\nsecureboot.enabled is on\n", "yes or no"},
            {"state a\nsecureboot.enabled is 1\n", "yes or no"},
            {"state a\nsecureboot.enabled at least yes\n", "neither more"},
            {"state a\nsnp.product at most Turin\n", "neither more"},
            {"state a\nfirmware.pcr.7 is 00\n", "32 bytes"},
            {"state a\nfirmware.pcr.7 is 0" H32 "\n", "lower-case hex"},
            {"state a\nfirmware.pcr.7 is " H32 "00\n", "32 bytes"},
            {"state a\nfirmware.pcr.24x is " H32 "\n", "no claim"},
            {"state a\nsnp.product is \"Milan\n", "snp.product is text"},
            {"state a\nsnp.product is \"Mi\"lan\"\n", "snp.product is text"},
            {"state a\nsnp.product is \"\\y\"\n", "snp.product is text"},
            {"state a\nsnp.product is \"\\x4\"\n", "snp.product is text"},
            {"state a\nsnp.product is a b\n", "snp.product is text"},
            {"state a\nsnp.product is not not\n", "snp.product is text"},
            {"state a\nsnp.firmware at least 1..2\n", "version"},
            {"state a\nsnp.firmware at least 1.2.\n", "version"},
            {"state a\nsnp.firmware at least 1.02\n", "version"},
            {"state a\nsnp.firmware at least 1.2.3.4.5.6.7.8.9\n", "version"},
            {"state a\nsnp.vmpl in\n", "not the name of a set"},
            {"state a\nsnp.vmpl in Low\n", "not the name of a set"},
            {"state a\nsnp.vmpl in low low\n", "between sets comes 'or'"},
            {"state a\nsnp.vmpl in low or\n", "not the name of a set"},
            {"state a\nsnp.vmpl in or low\n", "between sets comes 'or'"},
            {"state a\nsnp.vmpl in low or or low\n", "between sets"},
            {"state a\nsnp.vmpl in low, high\n", "not the name of a set"},
            {"state a\nsnp.vmpl not 0\n", "comes is, is not"},
            {"state a\r\nsnp.vmpl is 0\r\n", "not ASCII"},
            {"state a # \xe2\x80\xae\nsnp.vmpl is 0\n", "not ASCII"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rules *r = NULL;
        struct err err = {0};

        assert_true(rules_parse(span_str(cases[i].text), &r, &err) < 0);
        assert_null(r);
        if (!strstr(err.msg, cases[i].says))
            fail_msg("%s: says '%s'", cases[i].text, err.msg);
    }
}

static void test_rules_are_bounded(void **state)
{
    CLEANUP(buf_fini) struct buf b = BUF_INIT(2 * RULES_TEXT_MAX);
    struct rules *r = NULL;

    (void)state;
    for (unsigned i = 0; i < RULES_STATES_MAX; i++)
        buf_printf(&b, "state s%u\nsnp.vmpl is %u\n", i, i);
    assert_int_equal(rules_parse(buf_span(&b), &r, NULL), 0);
    rules_free(r);
    buf_append_str(&b, "state one-more\nsnp.vmpl is 0\n");
    assert_int_equal(rules_parse(buf_span(&b), &r, NULL), ERR_LIMIT);
    buf_reset(&b);
    buf_append_str(&b, "state a\n");
    for (unsigned i = 0; i < RULES_LINES_MAX; i++)
        buf_append_str(&b, "snp.vmpl is 0\n");
    assert_int_equal(rules_parse(buf_span(&b), &r, NULL), 0);
    rules_free(r);
    buf_append_str(&b, "snp.vmpl is 0\n");
    assert_int_equal(rules_parse(buf_span(&b), &r, NULL), ERR_LIMIT);
    buf_reset(&b);
    buf_append_str(&b, "state a\nsnp.vmpl is 0\n#");
    while (b.len <= RULES_TEXT_MAX)
        buf_append_u8(&b, 'x');
    assert_int_equal(rules_parse(buf_span(&b), &r, NULL), ERR_LIMIT);
}

static const char example[] =
        "# of 2026-11\n"
        "state golden   # the one\n"
        "  zone.files is approved\n"
        "\tsecureboot.enabled is yes\n"
        "snp.tcb.reported at least 3.0.8.115\n"
        "snp.policy is 0x30000\n"
        "snp.vmpl not in low  or\thigh\n"
        "kernel.cmdline is not \"ro # \\\"quiet\\\"\\x0a\" # odd\n"
        "firmware.pcr.7 is " H32 "\n"
        "state safe\n"
        "snp.vmpl at most 3";
static const char canonical[] =
        "state golden\n"
        "    zone.files is approved\n"
        "    secureboot.enabled is yes\n"
        "    snp.tcb.reported at least 3.0.8.115\n"
        "    snp.policy is 196608\n"
        "    snp.vmpl not in low or high\n"
        "    kernel.cmdline is not \"ro # \\\"quiet\\\"\\x0a\"\n"
        "    firmware.pcr.7 is " H32 "\n"
        "\n"
        "state safe\n"
        "    snp.vmpl at most 3\n";

static void test_the_writer_is_canonical(void **state)
{
    CLEANUP(buf_fini) struct buf once = BUF_INIT(1u << 20);
    CLEANUP(buf_fini) struct buf twice = BUF_INIT(1u << 20);
    CLEANUP(rules_free_ptr) struct rules *r = NULL, *back = NULL;

    (void)state;
    assert_int_equal(rules_parse(span_str(example), &r, NULL), 0);
    rules_format(r, &once);
    assert_string_equal((const char *)once.ptr, canonical);
    assert_int_equal(rules_parse(buf_span(&once), &back, NULL), 0);
    rules_format(back, &twice);
    assert_string_equal((const char *)twice.ptr, canonical);
    assert_int_equal(r->line[5].line, 8);
}

static void test_sets_are_there_and_fit(void **state)
{
    static const struct {
        const char *line;
        int r;
        const char *says;
    } cases[] = {
            {"snp.vmpl in low", 0, ""},
            {"snp.vmpl not in revoked", 0, ""},
            {"snp.vmpl in lwo", ERR_NOT_FOUND, "did you mean low?"},
            {"snp.vmpl in xxxxxxxxxx", ERR_NOT_FOUND, "no set 'xxxxxxxxxx'"},
            {"snp.vmpl in other", ERR_MISMATCH, "has values of snp.version"},
            {"snp.version in low", ERR_MISMATCH, "not of snp.version"},
    };
    struct rules_sets sets = the_sets();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(rules_free_ptr) struct rules *r = NULL;
        struct err err = {0};
        char text[128];

        (void)snprintf(text, sizeof(text), "state a\n%s", cases[i].line);
        assert_int_equal(rules_parse(span_str(text), &r, NULL), 0);
        assert_int_equal(rules_check(r, &sets, &err), cases[i].r);
        assert_non_null(strstr(err.msg, cases[i].says));
        if (cases[i].r != 0)
            assert_non_null(strstr(err.msg, "line 2"));
    }
}

/* A set of PCR 4 is none of PCR 7, whatever their size. */
static void test_a_set_is_of_one_pcr_or_of_any(void **state)
{
    static const struct {
        const char *set, *claim;
        int r;
    } cases[] = {
            {"firmware.pcr.4", "firmware.pcr.4", 0},
            {"firmware.pcr.N", "firmware.pcr.4", 0},
            {"firmware.pcr.4", "firmware.pcr.7", ERR_MISMATCH},
            {"firmware.pcr.N", "firmware.pcr.sha384.4", ERR_MISMATCH},
            {"secureboot.pk", "secureboot.kek", ERR_MISMATCH},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(rules_free_ptr) struct rules *r = NULL;
        struct rules_set s = {
                .name = "s", .def = claims_find_any(span_str(cases[i].set))};
        struct rules_sets sets = {.n = 1, .set = &s};
        char text[128];

        (void)snprintf(s.claim, sizeof(s.claim), "%s", cases[i].set);
        (void)snprintf(text, sizeof(text), "state a\n%s in s", cases[i].claim);
        assert_int_equal(rules_parse(span_str(text), &r, NULL), 0);
        assert_int_equal(rules_check(r, &sets, NULL), cases[i].r);
    }
}

/* ---- judging --------------------------------------------------------- */

static void fill(struct claims *c)
{
    static const uint64_t tcb[] = {3, 0, 8, 115}, version[] = {1, 55, 21};
    static const uint8_t a[] = {0xaa}, b[] = {0xbb};
    size_t first;

    claims_add_bool(c, "secureboot.enabled", true, "firmware log");
    claims_add_number(c, "snp.vmpl", 2, "SNP report");
    claims_add_parts(c, "snp.tcb.reported", tcb, 4, "SNP report");
    claims_add_parts(c, "snp.firmware", version, 3, "SNP report");
    claims_add_text(c, "snp.product", span_str("Milan"), "AMD certificates");
    claims_add_bytes(c, "ima.file", SPAN_OF(a), "IMA list");
    claims_add_bytes(c, "ima.file", SPAN_OF(b), "IMA list");
    first = c->n;
    claims_add_bytes(c, "ima.file", SPAN(a, 1), "behind the quote");
    claims_add_number(c, "ima.unattested", 1, "IMA list");
    claims_add_text(c, "bmc.verdict", span_str("pass"), "unsigned");
    claims_unattested(c, first);
}

/* Outcome and doubt of one line. */
static const struct {
    const char *line;
    enum rules_outcome outcome;
    enum rules_doubt doubt;
} judged[] = {
        {"secureboot.enabled is yes", RULES_PASS, 0},
        {"secureboot.enabled is no", RULES_FAIL, 0},
        {"secureboot.enabled is not no", RULES_PASS, 0},
        {"secureboot.enabled is not yes", RULES_FAIL, 0},
        {"snp.vmpl is 2", RULES_PASS, 0},
        {"snp.vmpl at least 2", RULES_PASS, 0},
        {"snp.vmpl at least 3", RULES_FAIL, 0},
        {"snp.vmpl at most 2", RULES_PASS, 0},
        {"snp.vmpl at most 1", RULES_FAIL, 0},
        {"snp.vmpl in low", RULES_PASS, 0},
        {"snp.vmpl not in low", RULES_FAIL, 0},
        {"snp.product is Milan", RULES_PASS, 0},
        {"snp.product is milan", RULES_FAIL, 0},
        {"snp.product is \"Milan \"", RULES_FAIL, 0},
        /* components, never one number */
        {"snp.tcb.reported at least 3.0.8.115", RULES_PASS, 0},
        {"snp.tcb.reported at least 2.0.8.116", RULES_FAIL, 0},
        {"snp.tcb.reported at least 4.0.0.0", RULES_FAIL, 0},
        {"snp.tcb.reported at most 3.0.8.115", RULES_PASS, 0},
        {"snp.tcb.reported at most 9.9.9.114", RULES_FAIL, 0},
        {"snp.tcb.reported at least 3.0.8", RULES_UNDECIDED,
                RULES_INCOMPARABLE},
        {"snp.tcb.reported at least 0.0.0.0.0", RULES_UNDECIDED,
                RULES_INCOMPARABLE},
        {"snp.tcb.reported is not 3.0.8", RULES_UNDECIDED, RULES_INCOMPARABLE},
        /* versions are ordered */
        {"snp.firmware at least 1.55.21", RULES_PASS, 0},
        {"snp.firmware at least 1.54.99", RULES_PASS, 0},
        {"snp.firmware at least 1.55", RULES_PASS, 0},
        {"snp.firmware at least 1.55.21.1", RULES_FAIL, 0},
        {"snp.firmware at least 2", RULES_FAIL, 0},
        {"snp.firmware at most 1.55", RULES_FAIL, 0},
        {"snp.firmware is 1.55", RULES_FAIL, 0},
        /* each of many; what is behind the quote neither helps nor harms */
        {"ima.file is not cc", RULES_PASS, 0},
        {"ima.file is not bb", RULES_FAIL, 0},
        {"ima.file is aa", RULES_FAIL, 0},
        /* said, not proved */
        {"bmc.verdict is pass", RULES_UNDECIDED, RULES_UNATTESTED},
        {"bmc.verdict is not pass", RULES_UNDECIDED, RULES_UNATTESTED},
        {"ima.unattested at most 10", RULES_UNDECIDED, RULES_UNATTESTED},
        /* not there: not even "is not" */
        {"snp.version is 2", RULES_UNDECIDED, RULES_ABSENT},
        {"snp.version is not 2", RULES_UNDECIDED, RULES_ABSENT},
        {"snp.version at least 0", RULES_UNDECIDED, RULES_ABSENT},
        {"secureboot.authority is not " H32, RULES_UNDECIDED, RULES_ABSENT},
        {"snp.version in other", RULES_UNDECIDED, RULES_ABSENT},
        /* sets */
        {"snp.vmpl in revoked", RULES_UNDECIDED, RULES_SET_REVOKED},
        {"snp.vmpl not in revoked", RULES_UNDECIDED, RULES_SET_REVOKED},
        {"snp.vmpl in early", RULES_UNDECIDED, RULES_SET_EARLY},
        {"snp.vmpl in late", RULES_UNDECIDED, RULES_SET_LATE},
        {"snp.vmpl not in late", RULES_UNDECIDED, RULES_SET_LATE},
        {"snp.vmpl in empty", RULES_UNDECIDED, RULES_SET_EMPTY},
        {"snp.vmpl not in empty", RULES_UNDECIDED, RULES_SET_EMPTY},
        {"snp.vmpl in other", RULES_UNDECIDED, RULES_NO_SET},
        {"snp.vmpl not in unheard-of", RULES_UNDECIDED, RULES_NO_SET},
        /* one of several that cannot be believed */
        {"snp.vmpl in low or revoked", RULES_PASS, 0},
        {"snp.vmpl in revoked or low", RULES_PASS, 0},
        {"snp.vmpl not in revoked or low", RULES_FAIL, 0},
        {"snp.vmpl in high or revoked", RULES_UNDECIDED, RULES_SET_REVOKED},
        {"snp.vmpl not in high or late", RULES_UNDECIDED, RULES_SET_LATE},
        {"snp.vmpl in high or high", RULES_FAIL, 0},
        {"snp.vmpl not in high or high", RULES_PASS, 0},
        {"snp.vmpl in low or high", RULES_PASS, 0},
        {"snp.vmpl in revoked or late", RULES_UNDECIDED, RULES_SET_REVOKED},
};

static void test_lines(void **state)
{
    CLEANUP(claims_fini) struct claims c = {0};
    struct rules_sets sets = the_sets();
    static struct rules_verdict v;

    (void)state;
    fill(&c);
    for (size_t i = 0; i < ARRAY_LEN(judged); i++) {
        CLEANUP(rules_free_ptr) struct rules *r = NULL;
        char text[256];

        (void)snprintf(text, sizeof(text), "state a\n%s", judged[i].line);
        assert_int_equal(rules_parse(span_str(text), &r, NULL), 0);
        rules_eval(r, &sets, &c, NOW, SKEW, &v);
        assert_int_equal(v.n, 1);
        if (v.line[0].outcome != judged[i].outcome ||
                v.line[0].doubt != judged[i].doubt)
            fail_msg("%s: %s (%s)", judged[i].line,
                    rules_outcome_name(v.line[0].outcome),
                    rules_doubt_text(v.line[0].doubt));
        assert_true(!!v.state == (judged[i].outcome == RULES_PASS));
    }
}

static void test_the_claim_that_decided_is_named(void **state)
{
    CLEANUP(claims_fini) struct claims c = {0};
    CLEANUP(rules_free_ptr) struct rules *r = NULL;
    struct rules_sets sets = the_sets();
    static struct rules_verdict v;

    (void)state;
    fill(&c);
    assert_int_equal(rules_parse(span_str("state a\n"
                                          "ima.file is not bb\n"
                                          "bmc.verdict is pass\n"
                                          "snp.vmpl in revoked\n"
                                          "snp.version is 2\n"),
                             &r, NULL),
            0);
    rules_eval(r, &sets, &c, NOW, SKEW, &v);
    assert_true(v.line[0].claim == &c.claim[6]);
    assert_string_equal(v.line[1].claim->source, "unsigned");
    assert_string_equal(v.line[2].claim->name, "snp.vmpl");
    assert_null(v.line[3].claim);
}

static void test_nothing_is_never_a_state(void **state)
{
    CLEANUP(claims_fini) struct claims c = {0}, none = {0};
    CLEANUP(rules_free_ptr) struct rules *r = NULL;
    static struct rules_verdict v;
    struct rules empty = {0}, no_lines = {.n_states = 1};

    (void)state;
    fill(&c);
    rules_eval(NULL, NULL, &c, NOW, SKEW, &v);
    assert_null(v.state);
    rules_eval(&empty, NULL, &c, NOW, SKEW, &v);
    assert_null(v.state);
    rules_eval(&no_lines, NULL, &c, NOW, SKEW, &v);
    assert_null(v.state);
    assert_int_equal(
            rules_parse(span_str("state a\nsnp.vmpl is 2"), &r, NULL), 0);
    rules_eval(r, NULL, &none, NOW, SKEW, &v);
    assert_null(v.state);
    rules_eval(r, NULL, &c, NOW, SKEW, &v);
    assert_non_null(v.state);
    c.error = ERR_LIMIT;
    rules_eval(r, NULL, &c, NOW, SKEW, &v);
    assert_null(v.state);
    assert_int_equal(v.line[0].doubt, RULES_INCOMPLETE);
    c.error = 0;
}

static void test_the_first_state_whose_lines_all_pass(void **state)
{
    static const struct {
        const char *text, *is;
    } cases[] = {
            {"state a\nsnp.vmpl is 2\nstate b\nsnp.vmpl is 2\n", "a"},
            {"state a\nsnp.vmpl is 1\nstate b\nsnp.vmpl is 2\n", "b"},
            {"state a\nsnp.vmpl is 2\nsnp.version is 2\n"
             "state b\nsnp.vmpl is 2\n",
                    "b"},
            {"state a\nsnp.vmpl is 1\nstate b\nsnp.vmpl is 3\n", NULL},
            {"state a\nsnp.vmpl is 2\nsnp.vmpl is 3\n", NULL},
    };
    CLEANUP(claims_fini) struct claims c = {0};
    static struct rules_verdict v;

    (void)state;
    fill(&c);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(rules_free_ptr) struct rules *r = NULL;

        assert_int_equal(rules_parse(span_str(cases[i].text), &r, NULL), 0);
        rules_eval(r, NULL, &c, NOW, SKEW, &v);
        if (cases[i].is)
            assert_string_equal(v.state->name, cases[i].is);
        else
            assert_null(v.state);
    }
}

static void test_the_clocks_may_differ_a_little(void **state)
{
    CLEANUP(claims_fini) struct claims c = {0};
    CLEANUP(rules_free_ptr) struct rules *r = NULL;
    struct rules_sets sets = the_sets();
    struct rules_set s = sets.set[0];
    struct rules_sets one = {.n = 1, .set = &s};
    static struct rules_verdict v;

    (void)state;
    fill(&c);
    assert_int_equal(
            rules_parse(span_str("state a\nsnp.vmpl in low"), &r, NULL), 0);
    s.since = NOW + SKEW;
    s.until = NOW + 1;
    rules_eval(r, &one, &c, NOW, SKEW, &v);
    assert_non_null(v.state);
    rules_eval(r, &one, &c, UINT64_MAX, SKEW, &v);
    assert_null(v.state);
    s.until = 0;
    rules_eval(r, &one, &c, UINT64_MAX, SKEW, &v);
    assert_non_null(v.state);
}

/* ---- against a second evaluator -------------------------------------- */

/*
 * The meaning again, written down another way: the values of the claim as a
 * set of numbers, the values that would do as a set of numbers.
 */
static enum rules_outcome brute(unsigned attested, unsigned said, unsigned op,
        unsigned value, unsigned set, bool set_ok, bool many)
{
    unsigned good = 0;

    if (op >= 4 && (!set_ok || set == 0))
        return RULES_UNDECIDED;
    for (unsigned v = 0; v < 4; v++) {
        bool ok = op == 0   ? v == value
                  : op == 1 ? v != value
                  : op == 2 ? v >= value
                  : op == 3 ? v <= value
                  : op == 4 ? (set >> v & 1) != 0
                            : (set >> v & 1) == 0;

        if (ok)
            good |= 1u << v;
    }
    (void)said; /* neither helps nor harms */
    if (!many && __builtin_popcount(attested) > 1)
        return RULES_UNDECIDED; /* sources disagree */
    if (attested == 0)
        return RULES_UNDECIDED;
    return attested & ~good ? RULES_FAIL : RULES_PASS;
}

static void add(struct claims *c, bool many, unsigned mask, bool attested)
{
    c->unattested = !attested;
    for (unsigned v = 0; v < 4; v++) {
        uint8_t byte = (uint8_t)v;

        if (!(mask >> v & 1))
            continue;
        if (many)
            claims_add_bytes(c, "ima.file", SPAN(&byte, 1), "x");
        else
            claims_add_number(c, "snp.vmpl", v, "x");
    }
}

static void check_one(bool many, unsigned attested, unsigned said, unsigned op,
        unsigned value, unsigned set_mask, bool revoked)
{
    static const char *const ops[] = {
            "is", "is not", "at least", "at most", "in", "not in"};
    static const uint8_t bytes[] = {0, 1, 2, 3};
    CLEANUP(claims_fini) struct claims c = {0};
    CLEANUP(rules_free_ptr) struct rules *r = NULL;
    struct claim_value values[4];
    struct rules_set set = {.name = "s", .revoked = revoked, .value = values};
    struct rules_sets sets = {.n = 1, .set = &set};
    static struct rules_verdict v;
    enum rules_outcome want;
    char text[80];

    (void)snprintf(
            set.claim, sizeof(set.claim), "%s", many ? "ima.file" : "snp.vmpl");
    set.def = claims_find(span_str(set.claim));
    for (unsigned i = 0; i < 4; i++) {
        if (set_mask >> i & 1)
            values[set.n++] = (struct claim_value){.type = set.def->type,
                    .number = many ? 0 : i,
                    .bytes = many ? SPAN(&bytes[i], 1) : SPAN_EMPTY};
    }
    add(&c, many, attested, true);
    add(&c, many, said, false);
    if (op >= 4)
        (void)snprintf(text, sizeof(text), "state a\n%s %s s",
                many ? "ima.file" : "snp.vmpl", ops[op]);
    else
        (void)snprintf(text, sizeof(text),
                many ? "state a\n%s %s %02x" : "state a\n%s %s %u",
                many ? "ima.file" : "snp.vmpl", ops[op], value);
    assert_int_equal(rules_parse(span_str(text), &r, NULL), 0);
    rules_eval(r, &sets, &c, NOW, SKEW, &v);
    want = brute(attested, said, op, value, set_mask, !revoked, many);
    if (v.line[0].outcome != want)
        fail_msg("%s: attested %x said %x set %x: %s, not %s", text, attested,
                said, set_mask, rules_outcome_name(v.line[0].outcome),
                rules_outcome_name(want));
    assert_true(!!v.state == (want == RULES_PASS));
}

static void test_a_second_evaluator_agrees(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16u * 16 * 6 * 4 * 2; i++) {
        unsigned attested = i % 16, said = i / 16 % 16, op = i / 256 % 6;
        unsigned value = i / 1536 % 4, many = i / 6144 % 2;

        if (many && (op == 2 || op == 3))
            continue;
        if (op < 4) {
            check_one(many, attested, said, op, value, 0, false);
            continue;
        }
        for (unsigned set = value; set < 16; set += 4) {
            check_one(many, attested, said, op, 0, set, false);
            check_one(many, attested, said, op, 0, set, true);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_what_is_not_rules),
            cmocka_unit_test(test_rules_are_bounded),
            cmocka_unit_test(test_the_writer_is_canonical),
            cmocka_unit_test(test_sets_are_there_and_fit),
            cmocka_unit_test(test_a_set_is_of_one_pcr_or_of_any),
            cmocka_unit_test(test_lines),
            cmocka_unit_test(test_the_claim_that_decided_is_named),
            cmocka_unit_test(test_nothing_is_never_a_state),
            cmocka_unit_test(test_the_first_state_whose_lines_all_pass),
            cmocka_unit_test(test_the_clocks_may_differ_a_little),
            cmocka_unit_test(test_a_second_evaluator_agrees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
