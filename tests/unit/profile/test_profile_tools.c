/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interoperation: `ssh-keygen -Y verify` and `minisign -V` judge our files.
 * Skipped (77) when a tool is not installed.
 */
#include "profile.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY CLEANUP(crypto_key_free_ptr) struct crypto_key
#define BUF CLEANUP(buf_fini) struct buf

static char dir[] = "/tmp/qair-profile-XXXXXX";

static int enter_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const files[] = {"file", "sig", "pub"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        (void)unlink(files[i]);
    return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static void store(const char *name, struct span s)
{
    FILE *f = fopen(name, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(s.ptr, 1, s.len, f), s.len);
    assert_int_equal(fclose(f), 0);
}

/* Exit code with the file "file" as standard input; 127: not installed. */
static int run(const char *const *argv)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        int in = open("file", O_RDONLY | O_CLOEXEC);
        int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
        char *args[12] = {NULL};

        for (size_t i = 0; argv[i] && i < ARRAY_LEN(args) - 1; i++)
            args[i] = strdup(argv[i]);
        (void)dup2(in, 0);
        (void)dup2(out, 1);
        (void)dup2(out, 2);
        (void)execvp(args[0], args);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *const ssh_verify[] = {"ssh-keygen", "-Y", "verify", "-n",
        "file", "-I", "release", "-f", "pub", "-s", "sig", NULL};
static const char *const ssh_other_space[] = {"ssh-keygen", "-Y", "verify",
        "-n", "email", "-I", "release", "-f", "pub", "-s", "sig", NULL};
static const char *const ssh_other_name[] = {"ssh-keygen", "-Y", "verify", "-n",
        "file", "-I", "other", "-f", "pub", "-s", "sig", NULL};
static const char *const mini_verify[] = {
        "minisign", "-V", "-p", "pub", "-x", "sig", "-m", "file", NULL};

static const struct {
    enum profile_id id;
    enum crypto_key_type type;
    const char *const *verify;
} kinds[] = {
        {PROFILE_SSHSIG, CRYPTO_ED25519, ssh_verify},
        {PROFILE_SSHSIG, CRYPTO_P256, ssh_verify},
        {PROFILE_MINISIGN, CRYPTO_ED25519, mini_verify},
};

/* Writes file, sig and pub; returns the signature's text. */
static struct buf sign(size_t kind, struct span artefact)
{
    enum profile_id id = kinds[kind].id;
    KEY *k = crypto_key_generate(kinds[kind].type);
    struct profile_stream *s = profile_begin(id);
    struct profile_digests d;
    struct profile_request r = {.id = id,
            .key = crypto_key_pub(k),
            .digests = &d,
            .name = span_str("file"),
            .time = 1764036000};
    struct profile_sig sigs[PROFILE_STEPS_MAX];
    struct buf text = BUF_INIT(PROFILE_TEXT_MAX);
    BUF pub = BUF_INIT(PROFILE_PUB_MAX);
    struct err err;

    profile_update(s, artefact);
    profile_end(s, &d);
    for (unsigned i = 0; i < profile_steps(id); i++) {
        BUF tbs = BUF_INIT(PROFILE_TBS_MAX);

        assert_int_equal(profile_tbs(&r, i, sigs, &tbs, &err), 0);
        assert_int_equal(crypto_sign(k, buf_span(&tbs), sigs[i].raw), 0);
    }
    assert_int_equal(profile_assemble(&r, sigs, &text, &err), 0);
    assert_int_equal(
            profile_format_pub(id, span_str("release"), r.key, &pub, &err), 0);
    store("file", artefact);
    store("sig", buf_span(&text));
    store("pub", buf_span(&pub));
    return text;
}

static void tools_accept_our_signatures(void **state)
{
    static uint8_t big[70000];
    const struct span artefacts[] = {
            span_str("hello\n"), SPAN_EMPTY, SPAN_OF(big)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (size_t j = 0; j < ARRAY_LEN(artefacts); j++) {
            BUF text = sign(i, artefacts[j]);

            assert_true(text.len > 0);
            assert_int_equal(run(kinds[i].verify), 0);
        }
    }
}

/* r and s with and without a leading zero come up by chance. */
static void tools_accept_every_length_of_ecdsa_numbers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        BUF text = sign(1, span_str("again"));

        assert_true(text.len > 0);
        assert_int_equal(run(ssh_verify), 0);
    }
}

static void tools_refuse_what_was_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        BUF text = sign(i, span_str("hello\n"));

        store("file", span_str("hellp\n"));
        assert_int_not_equal(run(kinds[i].verify), 0);
        store("file", span_str("hello\n"));
        assert_int_equal(run(kinds[i].verify), 0);
        /* the middle of the signature's base64 */
        text.ptr[text.len / 2] ^= text.ptr[text.len / 2] == '\n' ? 0 : 1;
        text.ptr[60] ^= 1;
        store("sig", buf_span(&text));
        assert_int_not_equal(run(kinds[i].verify), 0);
    }
}

static void ssh_keygen_refuses_another_namespace_or_name(void **state)
{
    BUF text = sign(1, span_str("hello\n"));

    (void)state;
    assert_true(text.len > 0);
    assert_int_equal(run(ssh_verify), 0);
    assert_int_not_equal(run(ssh_other_space), 0);
    assert_int_not_equal(run(ssh_other_name), 0);
}

static void minisign_refuses_a_changed_trusted_comment(void **state)
{
    BUF text = sign(2, span_str("hello\n"));
    char *at = strstr((char *)text.ptr, "timestamp:1");

    (void)state;
    assert_non_null(at);
    at[strlen("timestamp:")] = '2';
    store("sig", buf_span(&text));
    assert_int_not_equal(run(mini_verify), 0);
}

int main(void)
{
    static const char *const ssh[] = {"ssh-keygen", "-?", NULL};
    static const char *const mini[] = {"minisign", "-v", NULL};
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(tools_accept_our_signatures),
            cmocka_unit_test(tools_accept_every_length_of_ecdsa_numbers),
            cmocka_unit_test(tools_refuse_what_was_changed),
            cmocka_unit_test(ssh_keygen_refuses_another_namespace_or_name),
            cmocka_unit_test(minisign_refuses_a_changed_trusted_comment),
    };

    if (run(ssh) == 127 || run(mini) == 127) {
        (void)printf("ssh-keygen or minisign is not installed\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, enter_dir, remove_dir);
}
