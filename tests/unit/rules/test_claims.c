/* SPDX-License-Identifier: Apache-2.0 */
/* The list of claims: what may be in it, and what a conflict does. */
#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

static void test_table_is_sound(void **state)
{
    const struct claim_def *t;
    size_t n = claims_table(&t);

    (void)state;
    assert_true(n > 100);
    for (size_t i = 0; i < n; i++) {
        assert_true(strlen(t[i].name) <= CLAIM_NAME_MAX - 4);
        assert_true(t[i].type > 0 && t[i].type < CLAIM_TYPE_COUNT);
        assert_true(t[i].help[0] && t[i].from[0]);
        assert_true(t[i].type == CLAIM_BYTES || t[i].size == 0);
        /* claims_diff sorts these by their bytes */
        assert_true(!(t[i].flags & CLAIM_MANY) || t[i].type == CLAIM_BYTES ||
                    t[i].type == CLAIM_TEXT);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(t[i].name, t[j].name);
    }
}

static void test_names(void **state)
{
    static const struct {
        const char *name, *def;
    } cases[] = {
            {"snp.vmpl", "snp.vmpl"},
            {"firmware.pcr.0", "firmware.pcr.N"},
            {"firmware.pcr.255", "firmware.pcr.N"},
            {"firmware.pcr.sha384.7", "firmware.pcr.sha384.N"},
            {"device.3.measurement.239", "device.N.measurement.N"},
            {"firmware.pcr.256", NULL},
            {"firmware.pcr.07", NULL},
            {"firmware.pcr.", NULL},
            {"firmware.pcr.N", NULL},
            {"firmware.pcr.-1", NULL},
            {"firmware.pcr.7.", NULL},
            {"firmware.pcr.7.8", NULL},
            {"firmware.pcr", NULL},
            {"snp.vmpl.", NULL},
            {".snp.vmpl", NULL},
            {"SNP.vmpl", NULL},
            {"", NULL},
            {".", NULL},
            {"device.1.measurement", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct claim_def *d = claims_find(span_str(cases[i].name));

        if (!cases[i].def)
            assert_null(d);
        else
            assert_string_equal(d->name, cases[i].def);
    }
}

static void test_suggestions(void **state)
{
    (void)state;
    assert_string_equal(claims_suggest(span_str("snp.vmlp")), "snp.vmpl");
    assert_string_equal(claims_suggest(span_str("secureboot.enable")),
            "secureboot.enabled");
    assert_string_equal(claims_suggest(span_str("zzzzzzzzzzzz")), "");
}

static void test_types_come_back(void **state)
{
    static const uint8_t digest[48] = {1, 2, 3};
    static const uint64_t tcb[] = {3, 0, 8, 115};
    CLEANUP(claims_fini) struct claims c = {0};
    const struct claim *k;

    (void)state;
    claims_add_bool(&c, "snp.policy.debug", false, "SNP report");
    claims_add_number(&c, "snp.vmpl", 1, "SNP report");
    claims_add_bytes(&c, "snp.measurement", SPAN_OF(digest), "SNP report");
    claims_add_text(&c, "kernel.cmdline", span_str("ro quiet"), "PCR 9\n");
    claims_add_parts(&c, "snp.tcb.reported", tcb, 4, "SNP report");
    assert_int_equal(claims_ok(&c, NULL), 0);
    assert_int_equal(c.n, 5);
    assert_false(claims_get(&c, "snp.policy.debug")->value.yes);
    assert_int_equal(claims_get(&c, "snp.vmpl")->value.number, 1);
    k = claims_get(&c, "snp.measurement");
    assert_true(span_eq(k->value.bytes, SPAN_OF(digest)));
    assert_ptr_not_equal(k->value.bytes.ptr, digest);
    k = claims_get(&c, "kernel.cmdline");
    assert_true(span_eq_str(k->value.bytes, "ro quiet"));
    assert_string_equal(k->source, "PCR 9\\x0a");
    assert_int_equal(claims_get(&c, "snp.tcb.reported")->value.part[3], 115);
    assert_null(claims_get(&c, "snp.version"));
}

static void test_two_sources_that_disagree_prove_nothing(void **state)
{
    CLEANUP(claims_fini) struct claims c = {0};

    (void)state;
    claims_add_number(&c, "snp.vmpl", 0, "SNP report");
    claims_add_number(&c, "snp.vmpl", 0, "again");
    assert_true(claims_get(&c, "snp.vmpl")->attested);
    claims_add_number(&c, "snp.vmpl", 1, "another");
    assert_false(claims_get(&c, "snp.vmpl")->attested);
    claims_add_number(&c, "snp.vmpl", 0, "again");
    assert_false(claims_get(&c, "snp.vmpl")->attested);
    assert_int_equal(c.n, 1);
}

static void test_what_is_only_said_gives_way(void **state)
{
    CLEANUP(claims_fini) struct claims c = {.unattested = true};

    (void)state;
    claims_add_number(&c, "snp.vmpl", 3, "hearsay");
    assert_false(c.claim[0].attested);
    c.unattested = false;
    claims_add_number(&c, "snp.vmpl", 0, "SNP report");
    assert_true(c.claim[0].attested);
    assert_int_equal(c.claim[0].value.number, 0);
    c.unattested = true;
    claims_add_number(&c, "snp.vmpl", 2, "hearsay");
    assert_int_equal(c.n, 1);
    assert_true(c.claim[0].attested);
    assert_int_equal(c.claim[0].value.number, 0);
}

/* A log that says half of it one thing, half of it another. */
static void test_a_long_list_costs_no_square(void **state)
{
    enum { HALF = CLAIMS_MAX / 2 - 2 };
    static const uint8_t digest[32];
    CLEANUP(claims_fini) struct claims c = {0};
    clock_t start = clock();

    (void)state;
    claims_add_bytes(&c, "firmware.crtm", SPAN_OF(digest), "x");
    for (unsigned i = 0; i < HALF; i++)
        claims_add_bytes(&c, "bootloader.file", SPAN_OF(digest), "x");
    for (unsigned i = 0; i < HALF; i++)
        claims_add_bytes(&c, "bootloader.gpt", SPAN_OF(digest), "x");
    claims_add_bytes(&c, "firmware.crtm", SPAN_OF(digest), "x");
    assert_int_equal(claims_ok(&c, NULL), 0);
    assert_int_equal(c.n, HALF + 2);
    assert_true(claims_get(&c, "firmware.crtm") == &c.claim[0]);
    assert_true(claims_get(&c, "bootloader.gpt") == &c.claim[HALF + 1]);
    assert_true(claims_get(&c, "bootloader.file") == &c.claim[1]);
    assert_true(clock() - start < CLOCKS_PER_SEC); /* a square takes longer */
}

static void test_text_that_was_cut_proves_nothing(void **state)
{
    static uint8_t text[CLAIM_TEXT_MAX + 1];
    CLEANUP(claims_fini) struct claims c = {0};

    (void)state;
    memset(text, 'a', sizeof(text));
    claims_add_text(&c, "kernel.cmdline", SPAN(text, CLAIM_TEXT_MAX), "x");
    assert_true(c.claim[0].attested);
    claims_fini(&c);
    claims_add_text(&c, "kernel.cmdline", SPAN_OF(text), "x");
    assert_int_equal(claims_ok(&c, NULL), 0);
    assert_false(c.claim[0].attested);
    assert_int_equal(c.claim[0].value.bytes.len, CLAIM_TEXT_MAX);
}

static void test_a_list_is_bounded_and_says_so(void **state)
{
    CLEANUP(claims_fini) struct claims c = {0};
    struct err err = {0};
    uint8_t file[32] = {0};

    (void)state;
    for (size_t i = 0; i < CLAIMS_MAX; i++) {
        memcpy(file, &i, sizeof(i));
        claims_add_bytes(&c, "ima.file", SPAN_OF(file), "IMA list");
    }
    assert_int_equal(claims_ok(&c, NULL), 0);
    assert_int_equal(c.n, CLAIMS_MAX);
    claims_add_bytes(&c, "ima.file", SPAN_OF(file), "IMA list");
    assert_int_equal(claims_ok(&c, &err), ERR_LIMIT);
    assert_int_equal(c.n, CLAIMS_MAX);
    claims_add_bool(&c, "tpm.emulated", true, "pack"); /* sticks */
    assert_int_equal(c.n, CLAIMS_MAX);
}

static void test_bytes_are_bounded(void **state)
{
    static uint8_t text[CLAIM_TEXT_MAX];
    CLEANUP(claims_fini) struct claims c = {0};

    (void)state;
    for (size_t i = 0; i < 2 * CLAIMS_BYTES_MAX / sizeof(text); i++)
        claims_add_text(&c, "bootloader.command", SPAN_OF(text), "PCR 8");
    assert_int_equal(claims_ok(&c, NULL), ERR_LIMIT);
    assert_true(c.bytes <= CLAIMS_BYTES_MAX);
}

static void test_unattested_from_here_on(void **state)
{
    CLEANUP(claims_fini) struct claims c = {0}, d = {0};

    (void)state;
    claims_add_bool(&c, "tpm.emulated", true, "pack");
    claims_add_number(&c, "ima.lines", 3, "IMA list");
    claims_unattested(&c, 1);
    claims_add_all(&d, &c);
    assert_true(d.claim[0].attested);
    assert_false(d.claim[1].attested);
    assert_string_equal(d.claim[1].source, "IMA list");
}

static void test_a_list_that_is_not_whole_stays_so(void **state)
{
    CLEANUP(claims_fini) struct claims d = {0};
    struct claims c = {.error = ERR_MEMORY};

    (void)state;
    claims_add_all(&d, &c);
    assert_int_equal(claims_ok(&d, NULL), ERR_MEMORY);
}

static void fill(struct claims *c, uint64_t vmpl, const char *cmdline,
        const char *files, uint64_t clock)
{
    claims_add_number(c, "tpm.clock", clock, "quote");
    for (const char *f = files; *f; f++)
        claims_add_bytes(c, "ima.file", SPAN(f, 1), "IMA list");
    claims_add_number(c, "snp.vmpl", vmpl, "SNP report");
    if (cmdline)
        claims_add_text(c, "kernel.cmdline", span_str(cmdline), "PCR 9");
}

static void test_what_changed(void **state)
{
    static const struct {
        uint64_t vmpl;
        const char *cmdline, *files;
        const char *changes; /* "+x -x ~x" by first letter of the name */
    } cases[] = {
            {0, "ro", "abc", ""},
            {0, "ro", "cab", ""}, /* another order is no news */
            {1, "ro", "abc", "~s"},
            {0, "rw", "abc", "~k"},
            {0, NULL, "abc", "-k"},
            {0, "ro", "abcd", "+i"},
            {0, "ro", "ac", "-i"},
            {0, "ro", "abd", "-i+i"},
            {0, "ro", "abcc", "+i"},
            {2, NULL, "", "-i-i-i-k~s"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(claims_fini) struct claims was = {0}, is = {0};
        struct claims_change ch[8];
        char got[32] = "";
        size_t n;

        fill(&was, 0, "ro", "abc", 5);
        fill(&is, cases[i].vmpl, cases[i].cmdline, cases[i].files, 6 + i);
        assert_int_equal(claims_diff(&was, &is, ch, 8, &n, NULL), 0);
        for (size_t j = 0; j < n; j++)
            (void)snprintf(got + 2 * j, 3, "%c%c",
                    ch[j].was ? ch[j].is ? '~' : '-' : '+',
                    (ch[j].is ? ch[j].is : ch[j].was)->name[0]);
        assert_string_equal(got, cases[i].changes);
        /* bounded, and counted in full */
        assert_int_equal(claims_diff(&was, &is, ch, 1, &n, NULL), 0);
        assert_int_equal(n, strlen(cases[i].changes) / 2);
    }
}

static void test_becoming_unattested_is_news(void **state)
{
    CLEANUP(claims_fini) struct claims was = {0}, is = {0};
    struct claims_change ch[2];
    size_t n;

    (void)state;
    fill(&was, 0, "ro", "", 1);
    fill(&is, 0, "ro", "", 1);
    claims_unattested(&is, 0);
    assert_int_equal(claims_diff(&was, &is, ch, 2, &n, NULL), 0);
    assert_int_equal(n, 2);
}

static void test_help_names_every_claim(void **state)
{
    CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
    const struct claim_def *t;
    size_t n = claims_table(&t);

    (void)state;
    claims_help(&b);
    assert_int_equal(buf_ok(&b, NULL), 0);
    for (size_t i = 0; i < n; i++)
        assert_non_null(strstr((const char *)b.ptr, t[i].name));
}

/* The page has the table as `qair attest claims` prints it, so that a claim
 * that is added is documented by pasting its output. */
static void test_the_page_has_the_table(void **state)
{
    CLEANUP(buf_fini) struct buf table = BUF_INIT(1u << 20);
    CLEANUP(buf_fini) struct buf page = BUF_INIT(1u << 20);

    (void)state;
    claims_help(&table);
    assert_int_equal(buf_load(&page, AT_FDCWD, RULES_PAGE, NULL), 0);
    assert_int_equal(buf_ok(&table, NULL), 0);
    if (!strstr((const char *)page.ptr, (const char *)table.ptr))
        fail_msg("docs/proto/rules.md, section 5, is not what "
                 "'qair attest claims' prints");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_table_is_sound),
            cmocka_unit_test(test_names),
            cmocka_unit_test(test_suggestions),
            cmocka_unit_test(test_types_come_back),
            cmocka_unit_test(test_two_sources_that_disagree_prove_nothing),
            cmocka_unit_test(test_what_is_only_said_gives_way),
            cmocka_unit_test(test_text_that_was_cut_proves_nothing),
            cmocka_unit_test(test_a_list_is_bounded_and_says_so),
            cmocka_unit_test(test_bytes_are_bounded),
            cmocka_unit_test(test_unattested_from_here_on),
            cmocka_unit_test(test_a_long_list_costs_no_square),
            cmocka_unit_test(test_a_list_that_is_not_whole_stays_so),
            cmocka_unit_test(test_what_changed),
            cmocka_unit_test(test_becoming_unattested_is_news),
            cmocka_unit_test(test_help_names_every_claim),
            cmocka_unit_test(test_the_page_has_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
