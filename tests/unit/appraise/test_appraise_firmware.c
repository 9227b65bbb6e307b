/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of the firmware log: what a liar calls things changes none. */
#include "appraise.h"
#include "firmware_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t binder[32] = {0xb1, 0xd0};

static struct estate server;
static struct pack *pack;
static struct buf blob;
static struct firmware_log fw;
static struct appraise_input in;
static struct appraisal out;
static struct appraise_detail detail;

/* printf 'ro quiet\\0' | iconv -t UTF-16LE | sha256sum */
static uint8_t ro_quiet[32];

static int setup(void **state)
{
    (void)state;
    estate_init(&server, "server");
    pack = estate_pack(&server, FIXTURE_NOW - 100);
    blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    in = (struct appraise_input){
            .binder = SPAN_OF(binder), .time = FIXTURE_NOW};
    detail = (struct appraise_detail){0};
    firmware_log_init(&fw);
    crypto_sha256(SPAN("r\0o\0 \0q\0u\0i\0e\0t\0\0", 18), ro_quiet);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    firmware_log_fini(&fw);
    appraise_detail_fini(&detail);
    pack_free(pack);
    buf_fini(&blob);
    estate_fini(&server);
    return 0;
}

static void run_as_is(void)
{
    buf_reset(&blob);
    machine_evidence(&server.machine, binder, &blob);
    in.evidence = buf_span(&blob);
    appraise_take_pack(&in, pack, span_str("server"));
    appraise_detail_fini(&detail);
    appraise_in_full(&in, &out, &detail);
    assert_true(out.genuine);
    assert_int_equal(claims_ok(&detail.claims, NULL), 0);
}

static void run(void)
{
    firmware_log_give(&fw, &server.machine);
    run_as_is();
}

static const struct claim *get(const char *name)
{
    const struct claim *c = claims_get(&detail.claims, name);

    if (!c)
        fail_msg("no claim %s", name);
    return c;
}

static void assert_absent(const char *name)
{
    if (claims_get(&detail.claims, name))
        fail_msg("there is a claim %s", name);
}

static void assert_bool(const char *name, bool want)
{
    const struct claim *c = get(name);

    assert_true(c->attested);
    if (c->value.yes != want)
        fail_msg("%s is %s", name, want ? "no" : "yes");
}

static bool is_of(const struct claim *c, const char *hashed)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];

    crypto_sha256(span_str(hashed), digest);
    return span_eq(c->value.bytes, SPAN_OF(digest));
}

static void assert_digest(const char *name, const char *hashed)
{
    assert_true(get(name)->attested);
    assert_true(is_of(get(name), hashed));
}

static size_t count(const char *name, const char *hashed)
{
    size_t n = 0;

    for (size_t i = 0; i < detail.claims.n; i++) {
        const struct claim *c = &detail.claims.claim[i];

        n += c->attested && strcmp(c->name, name) == 0 &&
             (!hashed || is_of(c, hashed));
    }
    return n;
}

static bool has_note(const char *text)
{
    for (size_t i = 0; i < detail.n_notes; i++) {
        if (strstr(detail.note[i].text, text))
            return true;
    }
    return false;
}

/* ---- what is right --------------------------------------------------- */

static void test_a_whole_boot(void **state)
{
    (void)state;
    firmware_log_boot(&fw);
    run();
    assert_int_equal(detail.n_notes, 0);
    assert_bool("firmware.log", true);
    assert_bool("firmware.log.absent", false);
    assert_bool("firmware.error", false);
    assert_bool("firmware.debug", false);
    assert_bool("firmware.dma_unprotected", false);
    assert_bool("firmware.hcrtm", false);
    assert_digest("firmware.crtm", "v1");
    assert_int_equal(count("firmware.blob", NULL), 2);
    assert_int_equal(count("firmware.driver", "rom"), 1);
    assert_bool("secureboot.enabled", true);
    assert_digest("secureboot.pk", "the pk");
    assert_digest("secureboot.dbx", "the dbx");
    assert_int_equal(count("secureboot.authority", NULL), 1);
    assert_int_equal(count("bootloader.image", NULL), 2);
    assert_digest("kernel.image", "kernel");
    assert_digest("kernel.initrd", "initrd");
    assert_true(get("kernel.cmdline.digest")->attested);
    assert_memory_equal(get("kernel.cmdline.digest")->value.bytes.ptr, ro_quiet,
            sizeof(ro_quiet));
    assert_string_equal(get("kernel.cmdline.digest")->source,
            "PCR 9, event 21 of the firmware log");
    assert_int_equal(count("bootloader.file", NULL), 2);
    assert_absent("kernel.cmdline");
    assert_bool("uki.addon", false);
    assert_absent("uki.phase");
    for (size_t i = 0; i < detail.claims.n; i++)
        assert_true(detail.claims.claim[i].attested);
}

static void test_secure_boot_off_is_a_claim_too(void **state)
{
    (void)state;
    firmware_log_variable(&fw, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, 0,
            "SecureBoot", SPAN("\0", 1));
    firmware_log_variable(
            &fw, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, 0, "PK", SPAN_EMPTY);
    firmware_log_variable(
            &fw, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, 0, "KEK", SPAN_EMPTY);
    firmware_log_variable(
            &fw, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, 1, "db", SPAN_EMPTY);
    firmware_log_variable(
            &fw, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, 1, "dbx", SPAN_EMPTY);
    firmware_log_separators(&fw);
    run();
    assert_bool("secureboot.enabled", false);
}

/* ---- lies ------------------------------------------------------------ */

static void test_no_log_explains_nothing(void **state)
{
    (void)state;
    firmware_log_boot(&fw);
    firmware_log_give(&fw, &server.machine);
    server.machine.part[EVIDENCE_FIRMWARE] = SPAN_EMPTY;
    run_as_is();
    assert_bool("firmware.log.absent", true);
    assert_absent("firmware.log");
    assert_absent("secureboot.enabled");
    assert_true(get("firmware.pcr.4")->attested);
}

static void test_a_log_that_is_none(void **state)
{
    (void)state;
    firmware_log_boot(&fw);
    firmware_log_give(&fw, &server.machine);
    server.machine.part[EVIDENCE_FIRMWARE] = span_str("no log at all");
    run_as_is();
    assert_int_equal(detail.n_notes, 1);
    assert_bool("firmware.log.absent", false);
    assert_absent("firmware.log");
    assert_absent("bootloader.image");
}

/* Events left out of the end: those PCRs are not explained, others are. */
static void test_a_log_without_its_end(void **state)
{
    size_t len;

    (void)state;
    firmware_log_boot(&fw);
    len = fw.bytes.len;
    firmware_log_add(&fw, 4, EVENTLOG_EV_EFI_BOOT_SERVICES_APP,
            span_str("evil"), span_str("path"));
    firmware_log_give(&fw, &server.machine);
    server.machine.part[EVIDENCE_FIRMWARE] = SPAN(fw.bytes.ptr, len);
    run_as_is();
    assert_bool("firmware.log", false);
    assert_absent("bootloader.image");
    assert_absent("kernel.image");
    assert_bool("secureboot.enabled", true);
    assert_digest("kernel.initrd", "initrd");
    assert_true(has_note("quoted PCR 4"));
}

static void test_each_flipped_byte_of_the_log_makes_no_new_truth(void **state)
{
    (void)state;
    firmware_log_boot(&fw);
    run();
    for (size_t i = 0; i < fw.bytes.len; i += 3) {
        fw.bytes.ptr[i] ^= 0x10;
        run();
        for (size_t j = 0; j < detail.claims.n; j++) {
            const struct claim *c = &detail.claims.claim[j];

            if (c->attested && strcmp(c->name, "kernel.cmdline.digest") == 0)
                assert_true(is_of(c, "initrd") ||
                            span_eq(c->value.bytes, SPAN_OF(ro_quiet)));
            if (c->attested && strcmp(c->name, "kernel.initrd") == 0)
                assert_true(is_of(c, "initrd") ||
                            span_eq(c->value.bytes, SPAN_OF(ro_quiet)));
            if (c->attested && strcmp(c->name, "secureboot.enabled") == 0)
                assert_true(c->value.yes);
            if (c->attested && strcmp(c->name, "secureboot.pk") == 0)
                assert_true(is_of(c, "the pk"));
        }
        fw.bytes.ptr[i] ^= 0x10;
    }
}

/* An image under another name is still one of all that PCR 4 measured. */
static void test_an_image_that_is_called_something_else(void **state)
{
    static const uint32_t types[] = {EVENTLOG_EV_IPL, EVENTLOG_EV_EFI_ACTION,
            EVENTLOG_EV_SEPARATOR, EVENTLOG_EV_EVENT_TAG, 0x77777777,
            EVENTLOG_EV_EFI_VARIABLE_AUTHORITY};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        firmware_log_fini(&fw);
        firmware_log_init(&fw);
        firmware_log_boot(&fw);
        firmware_log_add(
                &fw, 4, types[i], span_str("evil"), span_str("harmless"));
        run();
        assert_int_equal(count("bootloader.image", "evil"), 1);
        assert_digest("kernel.image", "evil");
    }
}

/* All that the image's digest is over, as the text of an action. */
static void test_an_image_in_full_as_an_action(void **state)
{
    char image[512];

    (void)state;
    memset(image, 'M', sizeof(image) - 1);
    image[sizeof(image) - 1] = '\0';
    firmware_log_boot(&fw);
    firmware_log_text(&fw, 4, EVENTLOG_EV_EFI_ACTION, image);
    run();
    assert_int_equal(count("bootloader.image", image), 1);
}

/* GRUB reads the approved initrd and starts another: which is which? */
static void test_an_initrd_beside_a_decoy(void **state)
{
    (void)state;
    firmware_log_boot(&fw);
    firmware_log_add(
            &fw, 9, EVENTLOG_EV_IPL, span_str("evil"), span_str("font"));
    run();
    assert_false(get("kernel.initrd")->attested);
    assert_false(get("kernel.cmdline.digest")->attested);
    assert_int_equal(count("bootloader.file", "evil"), 1);
    assert_int_equal(count("bootloader.file", "initrd"), 1);
}

static void test_two_command_lines_are_none(void **state)
{
    (void)state;
    firmware_log_boot(&fw);
    firmware_log_tag(
            &fw, 9, 0x8f3b22ed, span_str("evil"), span_str("LoadOptions"));
    run();
    assert_false(get("kernel.cmdline.digest")->attested);
    assert_false(get("kernel.initrd")->attested);
}

static const struct span evil16 = {(const uint8_t *)"e\0v\0i\0l\0\0", 10};

static void test_a_command_line_of_systemd_stub(void **state)
{
    (void)state;
    firmware_log_boot(&fw);
    firmware_log_add(&fw, 12, EVENTLOG_EV_IPL, evil16, evil16);
    run();
    assert_true(get("kernel.cmdline")->attested);
    assert_true(span_eq_str(get("kernel.cmdline")->value.bytes, "evil"));
    assert_bool("uki.addon", true);
    /* beside something else it may be a decoy */
    firmware_log_add(&fw, 12, EVENTLOG_EV_IPL, span_str("x"), span_str("y"));
    run();
    assert_absent("kernel.cmdline");
    firmware_log_add(&fw, 12, EVENTLOG_EV_IPL, evil16, evil16);
    run();
    assert_false(get("kernel.cmdline")->attested);
}

static void test_a_command_line_that_was_not_measured(void **state)
{
    (void)state;
    firmware_log_add(&fw, 12, EVENTLOG_EV_IPL, span_str("other"), evil16);
    run();
    assert_absent("kernel.cmdline");
}

/* GRUB: any command may have the text of the approved command line. */
static void test_a_command_line_of_grub(void **state)
{
    (void)state;
    firmware_log_add(&fw, 8, EVENTLOG_EV_IPL, span_str("/k ro"),
            span_str("kernel_cmdline: /k ro"));
    run();
    assert_false(get("kernel.cmdline")->attested);
    assert_int_equal(count("bootloader.command", NULL), 1);
}

static void test_secure_boot_said_twice(void **state)
{
    (void)state;
    firmware_log_variable(&fw, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, 0,
            "SecureBoot", SPAN("\1", 1));
    firmware_log_boot(&fw);
    run();
    assert_false(get("secureboot.enabled")->attested);
    assert_false(get("secureboot.pk")->attested);
}

static void test_secure_boot_with_something_hidden(void **state)
{
    (void)state;
    firmware_log_add(
            &fw, 7, EVENTLOG_EV_IPL, span_str("SecureBoot=0"), span_str("x"));
    firmware_log_boot(&fw);
    run();
    assert_false(get("secureboot.enabled")->attested);
    assert_absent("firmware.debug");
}

static void test_a_hidden_command(void **state)
{
    (void)state;
    firmware_log_add(&fw, 8, EVENTLOG_EV_IPL, span_str("linux /k ro"),
            span_str("grub_cmd: linux /k ro"));
    run();
    assert_int_equal(count("bootloader.command", NULL), 1);
    firmware_log_add(
            &fw, 8, EVENTLOG_EV_IPL, span_str("evil"), span_str("grub_cmd: x"));
    run();
    assert_int_equal(count("bootloader.command", NULL), 0);
}

/* Rules see no claim of it, and would be met by the others. */
static void test_a_command_too_long_to_be_told(void **state)
{
    static char text[10 + CLAIM_TEXT_MAX + 1] = "grub_cmd: linux /evil";
    size_t n = strlen(text);

    (void)state;
    firmware_log_add(&fw, 8, EVENTLOG_EV_IPL, span_str("linux /k ro"),
            span_str("grub_cmd: linux /k ro"));
    run();
    assert_int_equal(count("bootloader.command", NULL), 1);
    memset(text + n, ' ', sizeof(text) - n);
    firmware_log_add(&fw, 8, EVENTLOG_EV_IPL,
            SPAN(text + 10, sizeof(text) - 10), SPAN_OF(text));
    run();
    assert_int_equal(count("bootloader.command", NULL), 0);
}

/* The command's own text as another type's data: it is covered, and no
 * command is shown. */
static void test_a_command_that_is_called_something_else(void **state)
{
    static const uint32_t types[] = {EVENTLOG_EV_EFI_ACTION,
            EVENTLOG_EV_POST_CODE, EVENTLOG_EV_IPL,
            EVENTLOG_EV_EFI_VARIABLE_BOOT};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        firmware_log_fini(&fw);
        firmware_log_init(&fw);
        firmware_log_add(&fw, 8, EVENTLOG_EV_IPL, span_str("good"),
                span_str("grub_cmd: good"));
        firmware_log_text(&fw, 8, types[i], "linux /evil");
        run();
        assert_int_equal(count("bootloader.command", NULL), 0);
    }
}

/* The real separator under another name, and the name on what comes behind an
 * authority that should not be seen. */
static void test_a_separator_that_was_moved(void **state)
{
    static const uint8_t zero[4];

    (void)state;
    firmware_log_add(&fw, 7, EVENTLOG_EV_IPL, SPAN_OF(zero), span_str("x"));
    firmware_log_text(&fw, 7, EVENTLOG_EV_EFI_VARIABLE_AUTHORITY, "evil");
    firmware_log_add(
            &fw, 7, EVENTLOG_EV_SEPARATOR, span_str("good"), SPAN_OF(zero));
    firmware_log_text(&fw, 7, EVENTLOG_EV_EFI_VARIABLE_AUTHORITY, "good");
    run();
    assert_int_equal(count("secureboot.authority", "evil"), 1);
    assert_int_equal(count("secureboot.authority", NULL), 3);
}

/* An event of zeros that the replay leaves out, behind the kernel: it is no
 * image that was started last. */
static void test_an_event_that_extends_nothing(void **state)
{
    static const uint8_t event[] = {4, 0, 0, 0, 1, 4, 0, 0, 1, 0, 0, 0,
            TCG_ALG_SHA256, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

    (void)state;
    firmware_log_boot(&fw);
    buf_append(&fw.bytes, SPAN_OF(event));
    run();
    assert_bool("firmware.log", true);
    assert_digest("kernel.image", "kernel");
    assert_int_equal(count("bootloader.image", NULL), 2);
}

/* ---- unified kernel images ------------------------------------------- */

static void add_section(const char *name, const char *content)
{
    firmware_log_add(&fw, 11, EVENTLOG_EV_IPL, SPAN(name, strlen(name) + 1),
            span_str("x"));
    firmware_log_add(
            &fw, 11, EVENTLOG_EV_IPL, span_str(content), span_str("x"));
}

static void test_sections_and_phases(void **state)
{
    static const char *const phases[] = {"none", "enter-initrd", "leave-initrd",
            "sysinit", "ready", "shutdown", "final"};

    (void)state;
    firmware_log_boot(&fw);
    add_section(".linux", "L");
    add_section(".cmdline", "C");
    add_section(".initrd", "I");
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        if (i > 0)
            firmware_log_silent(&fw, 11, phases[i]);
        run();
        assert_int_equal(detail.n_notes, 0);
        assert_digest("uki.linux", "L");
        assert_digest("uki.cmdline", "C");
        assert_digest("uki.initrd", "I");
        assert_true(span_eq_str(get("uki.phase")->value.bytes, phases[i]));
    }
    firmware_log_silent(&fw, 11, "something else");
    run();
    assert_absent("uki.linux");
    assert_absent("uki.phase");
    assert_true(has_note("PCR 11"));
}

static void test_phases_in_another_order(void **state)
{
    (void)state;
    add_section(".linux", "L");
    firmware_log_silent(&fw, 11, "leave-initrd");
    run();
    assert_absent("uki.linux");
}

static void test_a_section_twice_is_none(void **state)
{
    (void)state;
    add_section(".cmdline", "good");
    add_section(".cmdline", "evil");
    run();
    assert_false(get("uki.cmdline")->attested);
}

static void test_pcr_11_of_something_else(void **state)
{
    (void)state;
    add_section(".cmdline", "good");
    firmware_log_text(&fw, 11, EVENTLOG_EV_IPL, "not systemd");
    run();
    assert_false(get("uki.cmdline")->attested);
    assert_absent("uki.phase");
}

static void test_an_addon(void **state)
{
    (void)state;
    firmware_log_boot(&fw);
    firmware_log_silent(&fw, 13, "sysext");
    run();
    assert_bool("uki.addon", true);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
            T(test_a_whole_boot),
            T(test_secure_boot_off_is_a_claim_too),
            T(test_no_log_explains_nothing),
            T(test_a_log_that_is_none),
            T(test_a_log_without_its_end),
            T(test_each_flipped_byte_of_the_log_makes_no_new_truth),
            T(test_an_image_that_is_called_something_else),
            T(test_an_image_in_full_as_an_action),
            T(test_an_initrd_beside_a_decoy),
            T(test_two_command_lines_are_none),
            T(test_a_command_line_of_systemd_stub),
            T(test_a_command_line_that_was_not_measured),
            T(test_a_command_line_of_grub),
            T(test_secure_boot_said_twice),
            T(test_secure_boot_with_something_hidden),
            T(test_a_hidden_command),
            T(test_an_event_that_extends_nothing),
            T(test_a_command_too_long_to_be_told),
            T(test_a_command_that_is_called_something_else),
            T(test_a_separator_that_was_moved),
            T(test_sections_and_phases),
            T(test_phases_in_another_order),
            T(test_a_section_twice_is_none),
            T(test_pcr_11_of_something_else),
            T(test_an_addon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
