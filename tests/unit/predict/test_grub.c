/* SPDX-License-Identifier: Apache-2.0 */
/* GRUB configurations: PCR 8 and 9, and what is not understood. */
#include "predict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(s)                                                                \
    {                                                                          \
        (const uint8_t *)(s), sizeof(s) - 1                                    \
    }

static const struct predict_file files[] = {
        {"/xen", TEXT("xen")},
        {"/vmlinuz", TEXT("kernel")},
        {"/dom0.img", TEXT("initrd")},
        {"/more.cfg", TEXT("boot\n")},
        {"/loop.cfg", TEXT("source /loop.cfg\n")},
        {"/word.cfg", TEXT("set a=b\n")},
};

static const char xen[] = "set timeout=0\n"
                          "search --set=root --file /xen\n"
                          "multiboot2 /xen console=com1 com1=115200,8n1 "
                          "loglvl=warning dom0_mem=640M,max:640M\n"
                          "module2 /vmlinuz console=hvc0 quiet panic=-1 "
                          "random.trust_cpu=on\n"
                          "module2 /dom0.img\n"
                          "boot\n"
                          "halt\n";

static int run(const char *config, struct predict *ret, struct err *err)
{
    struct predict_grub g = {.config = {"grub.cfg", span_str(config)},
            .config_is_embedded = true,
            .n_files = ARRAY_LEN(files),
            .files = files};

    *ret = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    return predict_grub(ret, &g, err);
}

static void assert_value(const struct predict *p, unsigned pcr, const char *hex)
{
    uint8_t value[CRYPTO_HASH_MAX];
    char text[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];

    assert_int_equal(predict_value(p, CRYPTO_SHA256, pcr, value), 0);
    text_format_hex(SPAN(value, CRYPTO_SHA256_SIZE), text);
    assert_string_equal(text, hex);
}

/* Rules that were held against a machine that ran this configuration. */
static void test_xen_is_as_measured(void **state)
{
    struct predict p;

    (void)state;
    assert_int_equal(run(xen, &p, NULL), 0);
    assert_value(&p, 8,
            "9fe93d15c80a796fb55a36c01345163383835b1af2df82e8e01fb7"
            "75ebe714cd");
    assert_value(&p, 9,
            "ff5d22c1f9d7e5ebd2a69c2e313acb25abb1bcb877b60f24d6237d"
            "07b6cb69f3");
    predict_fini(&p);
}

/* Lines of events in PCR 8, in order. */
static void assert_strings(const char *config, const char *const *want)
{
    struct predict p;
    struct err err = {0};
    uint8_t digest[32];

    if (run(config, &p, &err) != 0)
        fail_msg("%s: %s", config, err.msg);
    for (size_t i = 0; i < p.n; i++) {
        if (p.event[i].pcr != 8)
            continue;
        assert_non_null(*want);
        crypto_sha256(span_str(*want), digest);
        if (memcmp(digest, p.event[i].digest[CRYPTO_SHA256], 32) != 0)
            fail_msg("%s: '%s' is not '%s'", config, p.event[i].how, *want);
        want++;
    }
    assert_null(*want);
    predict_fini(&p);
}

static void test_quotes_and_variables(void **state)
{
    (void)state;
    assert_strings("set   a='b c'  # comment\n"
                   "echo \"$a\" \"${a}x\"\t\"\\\"\\$a\\\\\" ''\n"
                   "root=hd0\n"
                   "linux ($root)/vmlinuz \"x=$a\" 'y=\"'; boot\n",
            (const char *[]){"set a=b c", "echo b c b cx \"$a\\ ", "root=hd0",
                    "linux (hd0)/vmlinuz x=b c y=\"",
                    "(hd0)/vmlinuz \"x=b c\" y=\\\"", "boot", NULL});
}

static void test_what_follows_boot_does_not_count(void **state)
{
    struct predict a, b;

    (void)state;
    assert_int_equal(run("linux /vmlinuz\nboot\n", &a, NULL), 0);
    assert_int_equal(run("linux /vmlinuz\nboot; if (((\n", &b, NULL), 0);
    assert_int_equal(a.n, b.n);
    predict_fini(&a);
    predict_fini(&b);
}

static void test_included_file_is_opened_and_run(void **state)
{
    (void)state;
    assert_strings("linux /vmlinuz\nsource /more.cfg\n",
            (const char *[]){"linux /vmlinuz", "/vmlinuz", "source /more.cfg",
                    "boot", NULL});
    assert_strings("source /word.cfg\nlinux /vmlinuz $a\nboot\n",
            (const char *[]){"source /word.cfg", "set a=b", "linux /vmlinuz b",
                    "/vmlinuz b", "boot", NULL});
}

static void test_config_on_disk_is_a_file_too(void **state)
{
    struct predict_grub g = {
            .config = {"grub.cfg", span_str("linux /vmlinuz\nboot\n")},
            .n_files = ARRAY_LEN(files),
            .files = files};
    struct predict p = predict_of(PREDICT_BANK(CRYPTO_SHA256));
    uint8_t digest[32];

    (void)state;
    assert_int_equal(predict_grub(&p, &g, NULL), 0);
    crypto_sha256(g.config.data, digest);
    assert_int_equal(p.event[0].pcr, 9);
    assert_memory_equal(p.event[0].digest[CRYPTO_SHA256], digest, 32);
    predict_fini(&p);
}

static void test_what_is_not_understood_is_refused(void **state)
{
    static const struct {
        const char *config;
        int code;
    } bad[] = {
            {"", ERR_UNSUPPORTED},
            {"linux /vmlinuz\n", ERR_UNSUPPORTED},
            {"boot\n", ERR_UNSUPPORTED},
            {"if true; then boot; fi\n", ERR_UNSUPPORTED},
            {"menuentry 'x' { linux /vmlinuz }\n", ERR_UNSUPPORTED},
            {"function f { true; }\n", ERR_UNSUPPORTED},
            {"true | true\n", ERR_UNSUPPORTED},
            {"true && boot\n", ERR_UNSUPPORTED},
            {"linux /vmlinuz*\nboot\n", ERR_UNSUPPORTED},
            {"linux /vmlinuz a\\ b\nboot\n", ERR_UNSUPPORTED},
            {"linux /vmlinuz $unset\nboot\n", ERR_UNSUPPORTED},
            {"linux /vmlinuz ${a\nboot\n", ERR_UNSUPPORTED},
            {"linux /vmlinuz $1\nboot\n", ERR_UNSUPPORTED},
            {"set a=\nlinux /vmlinuz $a\nboot\n", ERR_UNSUPPORTED},
            {"set a='b c'\nlinux /vmlinuz $a\nboot\n", ERR_UNSUPPORTED},
            {"search --set=root --file /xen\nlinux ($root)/vmlinuz\nboot\n",
                    ERR_UNSUPPORTED},
            {"set a=b\nunset a\nlinux /vmlinuz $a\nboot\n", ERR_UNSUPPORTED},
            {"linux /vmlinuz 'a\nboot\n", ERR_UNSUPPORTED},
            {"linux /vmlinuz \"a\nboot\n", ERR_UNSUPPORTED},
            {"linux /vmlinuz \"a", ERR_UNSUPPORTED},
            {"linux /vmlinuz \xc3\xa4\nboot\n", ERR_UNSUPPORTED},
            {"linux /vmlinuz a\x01\nboot\n", ERR_UNSUPPORTED},
            {"linux\nboot\n", ERR_UNSUPPORTED},
            {"multiboot2 --quirk /xen\nboot\n", ERR_UNSUPPORTED},
            {"initrd newc:x:/xen\n", ERR_UNSUPPORTED},
            {"search /xen\n", ERR_UNSUPPORTED},
            {"search --set=root --file /xen /dom0.img\n", ERR_UNSUPPORTED},
            {"search --set=root --file --label /xen\n", ERR_UNSUPPORTED},
            {"search --set=root --file --strange /xen\n", ERR_UNSUPPORTED},
            {"set a\n", ERR_UNSUPPORTED},
            {"set 1=2\n", ERR_UNSUPPORTED},
            {"insmod tpm\n", ERR_UNSUPPORTED},
            {"rmmod tpm\n", ERR_UNSUPPORTED},
            {"linux /other\nboot\n", ERR_NOT_FOUND},
            {"linux (hd0)/other\nboot\n", ERR_NOT_FOUND},
            {"linux (hd0/xen\nboot\n", ERR_NOT_FOUND},
            {"source /loop.cfg\n", ERR_UNSUPPORTED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct predict p;
        struct err err = {0};
        int r = run(bad[i].config, &p, &err);

        if (r != bad[i].code)
            fail_msg("%s: %d %s", bad[i].config, r, err.msg);
        assert_int_equal(err.code, r);
        assert_int_equal(p.n, 0);
        assert_int_equal(p.pcrs, 0);
        predict_fini(&p);
    }
}

static void test_error_names_the_line(void **state)
{
    struct predict p;
    struct err err = {0};

    (void)state;
    assert_int_equal(
            run("true\n\n# x\ntrue; insmod tpm\n", &p, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "grub.cfg line 4"));
    assert_non_null(strstr(err.msg, "insmod"));
    predict_fini(&p);
}

static void test_huge_inputs_are_refused(void **state)
{
    struct buf b = BUF_INIT(2u << 20);
    struct predict p;

    (void)state;
    for (unsigned i = 0; i < 70; i++)
        buf_append_str(&b, "echo ");
    buf_append_str(&b, "\n");
    assert_int_equal(run((char *)b.ptr, &p, NULL), ERR_UNSUPPORTED);
    predict_fini(&p);
    buf_reset(&b);
    for (unsigned i = 0; i < 5000; i++)
        buf_append_u8(&b, 'a');
    assert_int_equal(run((char *)b.ptr, &p, NULL), ERR_LIMIT);
    predict_fini(&p);
    buf_reset(&b);
    for (unsigned i = 0; i < 100; i++)
        buf_printf(&b, "set v%u=x\n", i);
    assert_int_equal(run((char *)b.ptr, &p, NULL), ERR_LIMIT);
    predict_fini(&p);
    buf_reset(&b);
    for (unsigned i = 0; i < 3000; i++)
        buf_append_str(&b, "true\n");
    assert_int_equal(run((char *)b.ptr, &p, NULL), ERR_LIMIT);
    predict_fini(&p);
    buf_reset(&b);
    while (b.len <= 1u << 20)
        buf_append_str(&b, "#comment\n");
    assert_int_equal(run((char *)b.ptr, &p, NULL), ERR_LIMIT);
    predict_fini(&p);
    buf_fini(&b);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
    const struct CMUnitTest tests[] = {
            T(test_xen_is_as_measured),
            T(test_quotes_and_variables),
            T(test_what_follows_boot_does_not_count),
            T(test_included_file_is_opened_and_run),
            T(test_config_on_disk_is_a_file_too),
            T(test_what_is_not_understood_is_refused),
            T(test_error_names_the_line),
            T(test_huge_inputs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
