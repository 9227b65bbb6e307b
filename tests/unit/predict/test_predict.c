/* SPDX-License-Identifier: Apache-2.0 */
/* The list of events, its values, its text, and signed policies. */
#include "pe_fixture.h"
#include "predict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SHA256 PREDICT_BANK(CRYPTO_SHA256)
#define SHA384 PREDICT_BANK(CRYPTO_SHA384)

static void assert_value(const struct predict *p, unsigned pcr, const char *hex)
{
    uint8_t value[CRYPTO_HASH_MAX];
    char text[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];

    assert_int_equal(predict_value(p, CRYPTO_SHA256, pcr, value), 0);
    text_format_hex(SPAN(value, CRYPTO_SHA256_SIZE), text);
    assert_string_equal(text, hex);
}

static int add(struct predict *p, unsigned pcr, const char *text)
{
    struct span s = span_str(text);

    return predict_add(p, pcr, &s, 1, NULL, "%s", text);
}

/* ---- values ---------------------------------------------------------- */

static void test_only_what_was_predicted_has_a_value(void **state)
{
    struct predict p = predict_of(SHA256);
    uint8_t value[CRYPTO_HASH_MAX];

    (void)state;
    assert_int_equal(predict_value(&p, CRYPTO_SHA256, 4, value), ERR_NOT_FOUND);
    assert_int_equal(add(&p, 4, "x"), 0);
    assert_int_equal(predict_value(&p, CRYPTO_SHA256, 4, value), 0);
    assert_int_equal(predict_value(&p, CRYPTO_SHA384, 4, value), ERR_NOT_FOUND);
    assert_int_equal(
            predict_value(&p, CRYPTO_BLAKE2B512, 4, value), ERR_NOT_FOUND);
    assert_int_equal(predict_value(&p, CRYPTO_SHA256, 5, value), ERR_NOT_FOUND);
    assert_int_equal(
            predict_value(&p, CRYPTO_SHA256, 24, value), ERR_NOT_FOUND);
    predict_fini(&p);
}

static void test_start_values(void **state)
{
    struct predict p = predict_of(SHA256);

    (void)state;
    predict_start(&p, 12);
    predict_start(&p, 17);
    predict_start(&p, 99);
    assert_value(&p, 12,
            "00000000000000000000000000000000"
            "00000000000000000000000000000000");
    assert_value(&p, 17,
            "ffffffffffffffffffffffffffffffff"
            "ffffffffffffffffffffffffffffffff");
    assert_int_equal(p.pcrs, 1u << 12 | 1u << 17);
    predict_fini(&p);
}

/* What every PC shows in PCR 2, 3 and 6 without option ROMs. */
static void test_separator_is_that_of_real_machines(void **state)
{
    struct predict p = predict_of(SHA256);

    (void)state;
    assert_int_equal(predict_boot_separator(&p, 2, NULL), 0);
    assert_value(&p, 2,
            "3d458cfe55cc03ea1f443f1562beec8d"
            "f51c75e14a9fcf9a7234a13f198e7969");
    predict_fini(&p);
}

/* PCR 7 of a machine that has Secure Boot off and no keys. */
static void test_variables_are_those_of_a_real_machine(void **state)
{
    struct predict p = predict_of(SHA256);
    struct predict_variables v = {.has_secure_boot = true};

    (void)state;
    assert_int_equal(predict_boot_variables(&p, &v, NULL), 0);
    assert_value(&p, 7,
            "65caf8dd1e0ea7a6347b635d2b379c93"
            "b9a1351edc2afc3ecda700e534eb3068");
    predict_fini(&p);
}

static void test_each_variable_counts(void **state)
{
    static const uint8_t x[1] = {0};
    const struct predict_variables all[] = {
            {.has_secure_boot = false},
            {.has_secure_boot = true},
            {.has_secure_boot = true, .secure_boot = 1},
            {.pk = SPAN_OF(x)},
            {.kek = SPAN_OF(x)},
            {.db = SPAN_OF(x)},
            {.dbx = SPAN_OF(x)},
    };
    uint8_t value[ARRAY_LEN(all)][CRYPTO_HASH_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct predict p = predict_of(SHA256);

        assert_int_equal(predict_boot_variables(&p, &all[i], NULL), 0);
        assert_int_equal(predict_value(&p, CRYPTO_SHA256, 7, value[i]), 0);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(value[i], value[k], 32);
        predict_fini(&p);
    }
}

static void test_secure_boot_is_a_truth_value(void **state)
{
    struct predict p = predict_of(SHA256);
    struct predict_variables v = {.has_secure_boot = true, .secure_boot = 2};

    (void)state;
    assert_int_equal(predict_boot_variables(&p, &v, NULL), ERR_SYNTAX);
    assert_int_equal(p.n, 0);
    assert_int_equal(predict_boot_authority(&p, SPAN_EMPTY, NULL), ERR_SYNTAX);
    predict_fini(&p);
}

static void test_banks_are_independent(void **state)
{
    struct predict one = predict_of(SHA256);
    struct predict two = predict_of(SHA256 | SHA384);
    uint8_t a[CRYPTO_HASH_MAX], b[CRYPTO_HASH_MAX];

    (void)state;
    assert_int_equal(add(&one, 4, "x"), 0);
    assert_int_equal(add(&two, 4, "x"), 0);
    assert_int_equal(predict_value(&one, CRYPTO_SHA256, 4, a), 0);
    assert_int_equal(predict_value(&two, CRYPTO_SHA256, 4, b), 0);
    assert_memory_equal(a, b, 32);
    assert_int_equal(predict_value(&two, CRYPTO_SHA384, 4, b), 0);
    assert_memory_not_equal(a, b, 32);
    predict_fini(&one);
    predict_fini(&two);
}

static void test_too_many_events_are_refused(void **state)
{
    struct predict p = predict_of(SHA256);

    (void)state;
    for (unsigned i = 0; i < PREDICT_EVENTS_MAX; i++)
        assert_int_equal(add(&p, i % 24, "x"), 0);
    assert_int_equal(add(&p, 4, "x"), ERR_LIMIT);
    assert_int_equal(p.n, PREDICT_EVENTS_MAX);
    predict_fini(&p);
}

static void test_odd_events_are_refused(void **state)
{
    struct predict p = predict_of(SHA256 | SHA384);
    uint8_t digest[48] = {0};
    struct span bad[2] = {SPAN(digest, 32), SPAN(digest, 32)};

    (void)state;
    assert_int_equal(add(&p, 24, "x"), ERR_SYNTAX);
    assert_int_equal(predict_add_digest(&p, 4, bad, NULL, "x"), ERR_SYNTAX);
    assert_int_equal(p.n, 0);
    assert_int_equal(p.pcrs, 0);
    predict_fini(&p);
}

static void test_names_cannot_forge_lines(void **state)
{
    struct predict p = predict_of(SHA256);
    struct buf text = BUF_INIT(PREDICT_RECIPE_MAX);
    struct predict again;

    (void)state;
    assert_int_equal(add(&p, 4, "a\nvalue 4 sha256 00\x1b[2J\xff"), 0);
    assert_int_equal(predict_format(&p, &text, NULL), 0);
    assert_null(strstr((char *)text.ptr, "\nvalue 4 sha256 00"));
    assert_int_equal(predict_parse(buf_span(&text), &again, NULL), 0);
    predict_fini(&again);
    buf_fini(&text);
    predict_fini(&p);
}

/* TPM 2.0 Part 3, 23.7, over a selection of our own writing. */
static void test_policy_is_that_of_the_tpm(void **state)
{
    static const uint8_t head[] = {0x00, 0x00, 0x01, 0x7f, 0, 0, 0, 1, 0x00,
            0x0b, 3, 0x10, 0x08, 0x00};
    struct predict p = predict_of(SHA256);
    uint8_t values[64], zero[32] = {0}, digest[32], want[32], got[32];
    struct buf b = BUF_INIT(200);

    (void)state;
    assert_int_equal(add(&p, 4, "x"), 0);
    assert_int_equal(add(&p, 11, "y"), 0);
    assert_int_equal(predict_value(&p, CRYPTO_SHA256, 4, values), 0);
    assert_int_equal(predict_value(&p, CRYPTO_SHA256, 11, values + 32), 0);
    crypto_sha256(SPAN_OF(values), digest);
    buf_append(&b, SPAN_OF(zero));
    buf_append(&b, SPAN_OF(head));
    buf_append(&b, SPAN_OF(digest));
    crypto_sha256(buf_span(&b), want);
    assert_int_equal(
            predict_policy(&p, CRYPTO_SHA256, 1u << 4 | 1u << 11, got), 0);
    assert_memory_equal(got, want, 32);
    assert_int_equal(
            predict_policy(&p, CRYPTO_SHA256, 1u << 5, got), ERR_NOT_FOUND);
    assert_int_equal(predict_policy(&p, CRYPTO_SHA256, 0, got), ERR_NOT_FOUND);
    assert_int_equal(
            predict_policy(&p, CRYPTO_SHA256, 1u << 24, got), ERR_NOT_FOUND);
    buf_fini(&b);
    predict_fini(&p);
}

static void test_boot_aggregate_needs_all_of_its_pcrs(void **state)
{
    struct predict p = predict_of(SHA256 | PREDICT_BANK(CRYPTO_SHA1));
    uint8_t zero[320] = {0}, want[32], got[CRYPTO_HASH_MAX];

    (void)state;
    for (unsigned pcr = 0; pcr < 8; pcr++)
        predict_start(&p, pcr);
    assert_int_equal(
            predict_boot_aggregate(&p, CRYPTO_SHA256, got), ERR_NOT_FOUND);
    assert_int_equal(predict_boot_aggregate(&p, CRYPTO_SHA1, got), 0);
    predict_start(&p, 8);
    predict_start(&p, 9);
    assert_int_equal(predict_boot_aggregate(&p, CRYPTO_SHA256, got), 0);
    crypto_sha256(SPAN_OF(zero), want);
    assert_memory_equal(got, want, 32);
    predict_fini(&p);
}

/* ---- recipe ---------------------------------------------------------- */

static struct buf recipe;

static void make_recipe(unsigned banks)
{
    struct predict p = predict_of(banks);

    assert_int_equal(add(&p, 4, "EV_SEPARATOR, no error"), 0);
    assert_int_equal(add(&p, 11, "phase enter-initrd"), 0);
    assert_int_equal(add(&p, 4, ""), 0);
    predict_start(&p, 12);
    buf_reset(&recipe);
    assert_int_equal(predict_format(&p, &recipe, NULL), 0);
    predict_fini(&p);
}

static int setup_recipe(void **state)
{
    (void)state;
    recipe = BUF_INIT(PREDICT_RECIPE_MAX);
    make_recipe(SHA256 | SHA384);
    return 0;
}

static int teardown_recipe(void **state)
{
    (void)state;
    buf_fini(&recipe);
    return 0;
}

static int parse(const char *text)
{
    struct predict p;
    struct err err = {0};
    int r = predict_parse(span_str(text), &p, &err);

    assert_int_equal(err.code, r);
    if (r == 0)
        predict_fini(&p);
    return r;
}

static void test_recipe_is_canonical(void **state)
{
    struct buf again = BUF_INIT(PREDICT_RECIPE_MAX);
    struct predict p;

    (void)state;
    assert_int_equal(predict_parse(buf_span(&recipe), &p, NULL), 0);
    assert_int_equal(p.n, 3);
    assert_int_equal(p.banks, SHA256 | SHA384);
    assert_int_equal(p.pcrs, 1u << 4 | 1u << 11 | 1u << 12);
    assert_string_equal(p.event[1].how, "phase enter-initrd");
    assert_int_equal(predict_format(&p, &again, NULL), 0);
    assert_true(span_eq(buf_span(&again), buf_span(&recipe)));
    predict_fini(&p);
    buf_fini(&again);
}

/* Text in "how" is free; everything else is bound to the values. */
static void test_every_flipped_byte_is_noticed(void **state)
{
    size_t accepted = 0;

    (void)state;
    for (size_t i = 0; i < recipe.len; i++) {
        recipe.ptr[i] ^= 0x01;
        accepted += parse((char *)recipe.ptr) == 0;
        recipe.ptr[i] ^= 0x01;
    }
    assert_int_equal(accepted, 0);
}

static void test_every_cut_recipe_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < recipe.len; n++) {
        struct predict p;

        assert_int_not_equal(predict_parse(SPAN(recipe.ptr, n), &p, NULL), 0);
    }
}

static void test_forged_value_is_a_mismatch(void **state)
{
    char *value;

    (void)state;
    value = strstr((char *)recipe.ptr, "value 4 sha256 ");
    assert_non_null(value);
    value[15] = value[15] == '0' ? '1' : '0';
    assert_int_equal(parse((char *)recipe.ptr), ERR_MISMATCH);
}

static void test_odd_recipes_are_refused(void **state)
{
    static const char *const bad[] = {
            "",
            "end\n",
            "qair:recipe/v2\nend\n",
            "qair:recipe/v1",
            "qair:recipe/v1\nend\n",
            "qair:recipe/v1\nend\nend\n",
            "qair:recipe/v1\nextend 4 sha256 00 x\nend\n",
            "qair:recipe/v1\nextend 24 sha1 "
            "0000000000000000000000000000000000000000 x\nend\n",
            "qair:recipe/v1\nextend 04 sha1 "
            "0000000000000000000000000000000000000000 x\nend\n",
            "qair:recipe/v1\nextend 4 md5 00000000000000000000000000000000 "
            "x\nend\n",
            "qair:recipe/v1\nforget 4 sha1 "
            "0000000000000000000000000000000000000000 x\nend\n",
            /* an event without the value that it leads to */
            "qair:recipe/v1\nextend 4 sha1 "
            "0000000000000000000000000000000000000000 x\nend\n",
            "qair:recipe/v1\nvalue 12 sha1 "
            "0000000000000000000000000000000000000000 x\nend\n",
            "qair:recipe/v1\n\nend\n",
            "qair:recipe/v1\nvalue 12 sha1 "
            "0000000000000000000000000000000000000000\r\nend\n",
            "qair:recipe/v1\nvalue  12 sha1 "
            "0000000000000000000000000000000000000000\nend\n",
            "qair:recipe/v1\nvalue 12 sha1 "
            "0000000000000000000000000000000000000000\n"
            "value 12 sha1 0000000000000000000000000000000000000000\nend\n",
            "qair:recipe/v1\nvalue 13 sha1 "
            "0000000000000000000000000000000000000000\n"
            "value 12 sha1 0000000000000000000000000000000000000000\nend\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (parse(bad[i]) != ERR_SYNTAX)
            fail_msg("accepted: %s", bad[i]);
    }
    assert_int_equal(parse("qair:recipe/v1\nvalue 12 sha1 "
                           "0000000000000000000000000000000000000000\nend\n"),
            0);
}

static void test_event_in_one_bank_alone_is_refused(void **state)
{
    char *line, *end;

    (void)state;
    line = strstr((char *)recipe.ptr, "extend 11 sha384");
    assert_non_null(line);
    end = strchr(line, '\n') + 1;
    memmove(line, end, strlen(end) + 1);
    assert_int_equal(parse((char *)recipe.ptr), ERR_SYNTAX);
}

static void test_huge_recipe_is_refused(void **state)
{
    struct buf b = BUF_INIT(PREDICT_RECIPE_MAX + 100);
    struct predict p;

    (void)state;
    while (b.len <= PREDICT_RECIPE_MAX)
        buf_append_str(&b, "qair:recipe/v1\n");
    assert_int_equal(predict_parse(buf_span(&b), &p, NULL), ERR_LIMIT);
    buf_fini(&b);
}

/* ---- images ---------------------------------------------------------- */

static void test_boot_chain_is_action_separator_images(void **state)
{
    static const char action[] = "Calling EFI Application from Boot Option";
    const struct pe_fixture_section s[] = {{".text", span_str("code")}};
    struct buf image = BUF_INIT(PE_FIXTURE_MAX);
    struct predict p = predict_of(SHA256);
    uint8_t digest[3][32], want[32] = {0}, got[CRYPTO_HASH_MAX];
    struct predict_file f = {.name = "a.efi"};
    struct pe pe;

    (void)state;
    pe_fixture(s, 1, &image);
    f.data = buf_span(&image);
    assert_int_equal(pe_parse(f.data, &pe, NULL), 0);
    crypto_sha256(SPAN(action, sizeof(action) - 1), digest[0]);
    crypto_sha256(SPAN("\0\0\0\0", 4), digest[1]);
    pe_digest(&pe, CRYPTO_SHA256, digest[2]);
    for (size_t i = 0; i < 3; i++)
        crypto_sha256_two(SPAN_OF(want), SPAN_OF(digest[i]), want);
    assert_int_equal(predict_boot_attempt(&p, NULL), 0);
    assert_int_equal(predict_boot_image(&p, &f, NULL), 0);
    assert_int_equal(predict_value(&p, CRYPTO_SHA256, 4, got), 0);
    assert_memory_equal(got, want, 32);
    f.data.len--;
    assert_int_equal(predict_boot_image(&p, &f, NULL), ERR_SYNTAX);
    assert_int_equal(p.n, 3);
    predict_fini(&p);
    buf_fini(&image);
}

/* ---- pcrsig ---------------------------------------------------------- */

#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define ENTRY                                                                  \
    "{\"pcrs\":[11],\"pkfp\":\"" HEX32 "\",\"pol\":\"" HEX32                   \
    "\",\"sig\":\"AAAA\"}"

static int pcrsig(const char *text, struct predict_pcrsig *ret)
{
    return predict_pcrsig_parse(span_str(text), ret, NULL);
}

static void test_pcrsig_is_read(void **state)
{
    static struct predict_pcrsig s;

    (void)state;
    assert_int_equal(pcrsig("{\"sha256\": [" ENTRY "],\"sha384\":[" ENTRY
                            "," ENTRY "]}\n",
                             &s),
            0);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.entry[0].bank, CRYPTO_SHA256);
    assert_int_equal(s.entry[2].bank, CRYPTO_SHA384);
    assert_int_equal(s.entry[0].pcrs, 1u << 11);
    assert_int_equal(s.entry[0].sig_len, 3);
    assert_int_equal(s.entry[0].policy[31], 0x1f);
}

static void test_odd_pcrsig_is_refused(void **state)
{
    static const char *const bad[] = {
            "",
            "{}",
            "[]",
            "{\"sha256\":[]}",
            "{\"sha256\":{}}",
            "{\"md5\":[" ENTRY "]}",
            "{\"sha256\":[" ENTRY "],\"sha256\":[" ENTRY "]}",
            "{\"sha256\":[" ENTRY "],\"other\":1}",
            "{\"sha256\":[" ENTRY "]} trailing",
            "{\"sha256\":[1]}",
            "{\"sha256\":[{\"pcrs\":[],\"pkfp\":\"" HEX32 "\",\"pol\":\"" HEX32
            "\",\"sig\":\"AAAA\"}]}",
            "{\"sha256\":[{\"pcrs\":[24],\"pkfp\":\"" HEX32
            "\",\"pol\":\"" HEX32 "\",\"sig\":\"AAAA\"}]}",
            "{\"sha256\":[{\"pcrs\":[11,11],\"pkfp\":\"" HEX32
            "\",\"pol\":\"" HEX32 "\",\"sig\":\"AAAA\"}]}",
            "{\"sha256\":[{\"pcrs\":[-1],\"pkfp\":\"" HEX32
            "\",\"pol\":\"" HEX32 "\",\"sig\":\"AAAA\"}]}",
            "{\"sha256\":[{\"pcrs\":[\"11\"],\"pkfp\":\"" HEX32
            "\",\"pol\":\"" HEX32 "\",\"sig\":\"AAAA\"}]}",
            "{\"sha256\":[{\"pcrs\":[11],\"pkfp\":\"00\",\"pol\":\"" HEX32
            "\",\"sig\":\"AAAA\"}]}",
            "{\"sha256\":[{\"pcrs\":[11],\"pkfp\":\"" HEX32
            "\",\"sig\":\"AAAA\"}]}",
            "{\"sha256\":[{\"pcrs\":[11],\"pkfp\":\"" HEX32
            "\",\"pol\":\"" HEX32 "\",\"sig\":\"A\"}]}",
            "{\"sha256\":[{\"pcrs\":[11],\"pkfp\":\"" HEX32
            "\",\"pol\":\"" HEX32 "\",\"sig\":\"AAAA\",\"more\":1}]}",
    };
    static struct predict_pcrsig s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (pcrsig(bad[i], &s) == 0)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void test_too_many_policies_are_refused(void **state)
{
    static struct predict_pcrsig s;
    struct buf b = BUF_INIT(1u << 20);

    (void)state;
    buf_append_str(&b, "{\"sha256\":[" ENTRY);
    for (size_t i = 1; i < PREDICT_PCRSIG_MAX; i++)
        buf_append_str(&b, "," ENTRY);
    buf_append_str(&b, "]}");
    assert_int_equal(pcrsig((char *)b.ptr, &s), 0);
    b.len -= 2;
    buf_append_str(&b, "," ENTRY "]}");
    assert_int_equal(pcrsig((char *)b.ptr, &s), ERR_LIMIT);
    while (b.len < 64 * 2048 + 10)
        buf_append_u8(&b, ' ');
    buf_append_u8(&b, '}');
    assert_int_equal(pcrsig((char *)b.ptr, &s), ERR_LIMIT);
    buf_fini(&b);
}

static void test_pcrsig_of_another_kind_of_key_is_refused(void **state)
{
    static struct predict_pcrsig s;
    struct crypto_key *k = crypto_key_generate(CRYPTO_P256);

    (void)state;
    assert_int_equal(pcrsig("{\"sha256\":[" ENTRY "]}", &s), 0);
    assert_int_equal(
            predict_pcrsig_verify(&s.entry[0], crypto_key_pub(k), NULL),
            ERR_UNSUPPORTED);
    crypto_key_free(k);
}

#define T(f) cmocka_unit_test(f)
#define R(f) cmocka_unit_test_setup_teardown(f, setup_recipe, teardown_recipe)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_only_what_was_predicted_has_a_value),
            T(test_start_values),
            T(test_separator_is_that_of_real_machines),
            T(test_variables_are_those_of_a_real_machine),
            T(test_each_variable_counts),
            T(test_secure_boot_is_a_truth_value),
            T(test_banks_are_independent),
            T(test_too_many_events_are_refused),
            T(test_odd_events_are_refused),
            T(test_names_cannot_forge_lines),
            T(test_policy_is_that_of_the_tpm),
            T(test_boot_aggregate_needs_all_of_its_pcrs),
            R(test_recipe_is_canonical),
            R(test_every_flipped_byte_is_noticed),
            R(test_every_cut_recipe_is_refused),
            R(test_forged_value_is_a_mismatch),
            R(test_odd_recipes_are_refused),
            R(test_event_in_one_bank_alone_is_refused),
            R(test_huge_recipe_is_refused),
            T(test_boot_chain_is_action_separator_images),
            T(test_pcrsig_is_read),
            T(test_odd_pcrsig_is_refused),
            T(test_too_many_policies_are_refused),
            T(test_pcrsig_of_another_kind_of_key_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
