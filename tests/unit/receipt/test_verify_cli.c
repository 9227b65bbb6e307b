/* SPDX-License-Identifier: Apache-2.0 */
/* The real `qair verify` and `qair sign extract` over files. */
#include "receipt_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BUF CLEANUP(buf_fini) struct buf

static const char *program;
static struct scene scene;
static char dir[] = "/tmp/qair-verify-XXXXXX";
static char output[32768];

static void store(const char *name, struct span s)
{
    struct err err = {0};

    if (buf_store(s, AT_FDCWD, name, 0644, &err))
        fail_msg("%s", err.msg);
}

static void store_key(const char *name, const struct crypto_key *k)
{
    char pem[512];

    assert_int_equal(crypto_pub_pem(crypto_key_pub(k), pem, sizeof(pem)), 0);
    store(name, span_str(pem));
}

static int setup(void **state)
{
    BUF file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    struct recipe r;
    struct err err;

    (void)state;
    if (!mkdtemp(dir) || chdir(dir) || mkdir("pack", 0755) ||
            mkdir("pack/zones", 0755) || mkdir("pack/keys", 0755) ||
            mkdir("pack/references", 0755))
        return -1;
    scene_init(&scene, CRYPTO_P256);
    (void)snprintf(scene.key.profile, sizeof(scene.key.profile), "sshsig");
    store_key("pack/owner.pub", scene.server.owner);
    estate_zone_file(&scene.server, &file);
    store("pack/zones/server.json", buf_span(&file));
    buf_reset(&file);
    estate_zone_file(&scene.thin, &file);
    store("pack/zones/thin.json", buf_span(&file));
    buf_reset(&file);
    estate_reference_file(&scene.server, FIXTURE_NOW - 100, &file);
    store("pack/references/server.json", buf_span(&file));
    buf_reset(&file);
    if (pack_key_sign(&scene.key, scene.server.owner, &file, &err))
        return -1;
    store("pack/keys/release.json", buf_span(&file));
    r = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF text = scene_cook(&scene, &r);
    store("receipt", buf_span(&text));
    store("file", span_str(FIXTURE_ARTEFACT));
    store("other", span_str("other\n"));
    text.ptr[text.len / 2] ^= 1;
    store("broken", buf_span(&text));
    store_key("stranger.pub", scene.thin.machine.ak_key);
    return 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {"pack/owner.pub",
            "pack/zones/server.json", "pack/zones/thin.json",
            "pack/references/server.json", "pack/keys/release.json", "receipt",
            "file", "other", "broken", "stranger.pub", "sig"};

    (void)state;
    scene_fini(&scene);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        (void)unlink(files[i]);
    (void)rmdir("pack/zones");
    (void)rmdir("pack/keys");
    (void)rmdir("pack/references");
    (void)rmdir("pack");
    return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

/* Exit code; standard output and error in output. */
static int run(const char *const *args)
{
    int p[2], status;
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *argv[16] = {strdup(program)};

        for (size_t i = 0; args[i] && i < ARRAY_LEN(argv) - 2; i++)
            argv[i + 1] = strdup(args[i]);
        (void)dup2(p[1], 1);
        (void)dup2(p[1], 2);
        (void)execv(program, argv);
        _exit(99);
    }
    (void)close(p[1]);
    while ((got = read(p[0], output + n, sizeof(output) - 1 - n)) > 0)
        n += (size_t)got;
    output[n] = '\0';
    (void)close(p[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})
#define NOW      "--time", "2025-11-25T02:26:10Z"

static void a_true_receipt_ends_with_verified(void **state)
{
    (void)state;
    assert_int_equal(RUN("verify", "receipt", "file", "--pack", "pack",
                             "--owner", "pack/owner.pub", NOW),
            0);
    assert_non_null(strstr(output, "\nverified\n"));
    assert_null(strstr(output, "taken from the pack"));
    for (char *l = output, *e; (e = strchr(l, '\n')) != NULL; l = e + 1)
        assert_true(e - l <= 80);
}

static void owner_from_the_pack_is_said(void **state)
{
    (void)state;
    assert_int_equal(RUN("verify", "receipt", "--pack", "pack", NOW), 0);
    assert_non_null(strstr(output, "owner's key taken from the pack"));
}

static void json_says_the_same(void **state)
{
    (void)state;
    assert_int_equal(RUN("verify", "receipt", "file", "--pack", "pack",
                             "--owner", "pack/owner.pub", "--json", NOW),
            0);
    assert_non_null(strstr(output, "\"verified\":true"));
    assert_non_null(strstr(output, "\"check\":\"evidence\""));
    assert_int_equal(RUN("verify", "broken", "file", "--pack", "pack",
                             "--owner", "pack/owner.pub", "--json", NOW),
            1);
    assert_non_null(strstr(output, "\"verified\":false"));
}

static void what_does_not_hold_exits_1(void **state)
{
    (void)state;
    assert_int_equal(
            RUN("verify", "receipt", "other", "--pack", "pack", NOW), 1);
    assert_non_null(strstr(output, "NOT VERIFIED"));
    assert_int_equal(RUN("verify", "broken", "--pack", "pack", NOW), 1);
    assert_int_equal(RUN("verify", "receipt", "--pack", "pack", "--time",
                             "2024-01-01T00:00:00Z"),
            1);
    /* a pack of another owner */
    assert_int_equal(RUN("verify", "receipt", "--pack", "pack", "--owner",
                             "stranger.pub", NOW),
            1);
    assert_int_equal(RUN("verify", "absent", "--pack", "pack", NOW), 1);
    assert_int_equal(RUN("verify", "receipt", "absent", "--pack", "pack"), 1);
    assert_int_equal(RUN("verify", "receipt", "--pack", "absent"), 1);
}

static void misuse_exits_2(void **state)
{
    (void)state;
    assert_int_equal(RUN("verify"), 2);
    assert_int_equal(RUN("verify", "receipt"), 2);
    assert_int_equal(RUN("verify", "a", "b", "c", "--pack", "pack"), 2);
    assert_int_equal(
            RUN("verify", "receipt", "--pack", "pack", "--time", "now"), 2);
    assert_int_equal(RUN("verify", "receipt", "--what"), 2);
    assert_int_equal(RUN("sign", "extract", "receipt"), 2);
    assert_int_equal(RUN("sign", "extract", "-o", "sig"), 2);
}

static void extracted_signature_is_the_file(void **state)
{
    BUF text = BUF_INIT(PROFILE_TEXT_MAX);
    struct profile_digests d = scene_digests(FIXTURE_ARTEFACT);
    struct err err;

    (void)state;
    assert_int_equal(RUN("sign", "extract", "receipt", "-o", "sig"), 0);
    assert_int_equal(buf_load(&text, AT_FDCWD, "sig", &err), 0);
    assert_int_equal(profile_verify(PROFILE_SSHSIG, scene.key.pub, &d,
                             buf_span(&text), NULL, &err),
            0);
    assert_int_equal(RUN("sign", "extract", "receipt", "-o", "-"), 0);
    assert_string_equal(output, (char *)text.ptr);
    assert_int_equal(RUN("sign", "extract", "file", "-o", "-"), 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_true_receipt_ends_with_verified),
            cmocka_unit_test(owner_from_the_pack_is_said),
            cmocka_unit_test(json_says_the_same),
            cmocka_unit_test(what_does_not_hold_exits_1),
            cmocka_unit_test(misuse_exits_2),
            cmocka_unit_test(extracted_signature_is_the_file),
    };

    if (argc != 2)
        return 2;
    program = realpath(argv[1], NULL); /* the tests change folder */
    return cmocka_run_group_tests(tests, setup, teardown);
}
