/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair key, qair zone enrol and answer, against a real keyd and a software
 * TPM: args: QAIR KEYD.
 */
#include "evidence.h"
#include "keyd_world.h"
#include "statement.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *qair;
static struct world w;
static struct err err;
static char out[8192]; /* of the last command: stdout and stderr */

#define OK(x)   assert_int_equal((x), 0)
#define SAYS(s) assert_non_null(strstr(out, (s)))

struct command {
    pid_t pid;
    int fd;
};

/* qair -z ZONEDIR and the words of text, split at spaces. */
static struct command start(const char *text)
{
    char words[512], *argv[24] = {strdup(qair), strdup("-z"), w.dir};
    struct command c;
    size_t n = 3;
    int fds[2];

    snprintf(words, sizeof words, "%s", text);
    for (char *p = strtok(words, " "); p && n < 23; p = strtok(NULL, " "))
        argv[n++] = p;
    OK(pipe2(fds, O_CLOEXEC));
    c.pid = fork();
    if (c.pid == 0) {
        dup2(fds[1], 1);
        dup2(fds[1], 2);
        execv(qair, argv);
        _exit(127);
    }
    free(argv[0]);
    free(argv[1]);
    close(fds[1]);
    c.fd = fds[0];
    return c;
}

/* Exit code; what it said is in out. */
static int finish(struct command c)
{
    size_t len = 0;
    ssize_t n;
    int status = 0;

    while ((n = read(c.fd, out + len, sizeof out - 1 - len)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    close(c.fd);
    assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run(const char *fmt, ...) PRINTF_LIKE(1, 2);
static int run(const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return finish(start(text));
}

static void path_of(const char *name, char ret[128])
{
    snprintf(ret, 128, "%s/%s", w.dir, name);
}

static int setup(void **state)
{
    (void)state;
    world_init(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&w);
    return 0;
}

/* ---- qair key -------------------------------------------------------- */

static void test_misuse(void **state)
{
    static const char *const cases[] = {
            "key",
            "key create",
            "key create release",
            "key create release --custody tpm",
            "key create a b --custody tpm --profile sshsig",
            "key list extra",
            "key export release",
            "key create release --force --custody tpm --profile sshsig",
            "zone enrol",
            "zone answer -o x",
            "zone answer a -o x",
            "zone answer a b c -o x",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(run("%s", cases[i]), 2);
    /* nothing runs there */
    assert_int_equal(run("key list"), 1);
    SAYS("no zone runs");
}

static void test_create_is_refused_before_approval(void **state)
{
    (void)state;
    world_start(&w);
    assert_int_equal(
            run("key create release --custody tpm --profile sshsig"), 1);
    SAYS("keys are closed");
    OK(run("key list"));
    SAYS("not approved");
}

static void test_create_list_export(void **state)
{
    struct command c;

    (void)state;
    world_ready(&w);
    c = start("key create release --custody tpm --profile sshsig");
    world_append(&w, NULL);
    OK(finish(c));
    SAYS("\"name\":\"release\"");
    c = start("key create mini --custody sealed --profile minisign");
    world_append(&w, NULL);
    OK(finish(c));
    OK(run("key list"));
    SAYS("golden (emulated)");
    SAYS("release");
    SAYS("minisign");
    OK(run("key list --json"));
    SAYS("\"custody\":\"sealed\"");
    OK(run("key export release --format pem"));
    SAYS("-----BEGIN PUBLIC KEY-----");
    OK(run("key export release --format allowed-signers"));
    SAYS("namespaces=\"file\" ecdsa-sha2-nistp256 ");
    OK(run("key export mini --format minisign"));
    SAYS("untrusted comment:");
    /* a person's mistakes */
    assert_int_equal(
            run("key create release --custody tpm --profile sshsig"), 1);
    SAYS("exists");
    assert_int_equal(run("key create x --custody tpm --profile minisign"), 2);
    SAYS("custody sealed");
    assert_int_equal(run("key export nothing --format pem"), 1);
    SAYS("no key 'nothing'");
    assert_int_equal(run("key export release --format gpg"), 2);
    assert_int_equal(run("key export release --format minisign"), 2);
}

/* ---- enrolment ------------------------------------------------------- */

static void load(const char *path, struct buf *ret)
{
    OK(buf_load(ret, AT_FDCWD, path, &err));
}

/* What the owner does, for the AK in w or another. */
static void challenge(const char *claim_path, const char *path, bool other_ak,
        const uint8_t secret[32])
{
    CLEANUP(buf_fini) struct buf claim = BUF_INIT(49152);
    CLEANUP(buf_fini) struct buf text = BUF_INIT(49152);
    struct tcg_credential *c = calloc(1, sizeof *c);
    struct json_t *j, *o = statement_json_object();
    struct tcg_public ek, ak;
    struct tcg_name name;
    struct statement_reader r;
    uint8_t ek_bytes[1024], ak_bytes[600], seed[32] = {3}, digest[32];
    size_t ek_len = 0, ak_len = 0;

    load(claim_path, &claim);
    crypto_sha256(buf_span(&claim), digest);
    j = statement_json_parse(buf_span(&claim), &err);
    assert_true(j && o && c);
    r = statement_reader_of(j);
    assert_true(statement_get_b64(
            &r, "ek_public", ek_bytes, sizeof ek_bytes, &ek_len));
    assert_true(statement_get_b64(
            &r, "ak_public", ak_bytes, sizeof ak_bytes, &ak_len));
    OK(tcg_public(SPAN(ek_bytes, ek_len), &ek, &err));
    OK(tcg_public(SPAN(ak_bytes, ak_len), &ak, &err));
    OK(tcg_name(&ak, &name));
    name.bytes[5] ^= other_ak ? 1 : 0;
    OK(tcg_credential_make(
            &ek, &name, SPAN(secret, 32), SPAN_OF(seed), c, &err));
    assert_true(
            statement_put_str(o, "type", "qair:challenge/v1") &&
            statement_put_hex(o, "claim", SPAN_OF(digest)) &&
            statement_put_b64(o, "credential", SPAN(c->blob, c->blob_len)) &&
            statement_put_b64(o, "secret", SPAN(c->secret, c->secret_len)));
    OK(statement_json_format(o, &text, &err));
    OK(buf_store(buf_span(&text), AT_FDCWD, path, 0600, &err));
    statement_json_free(j);
    statement_json_free(o);
    free(c);
}

static void test_enrol_and_answer(void **state)
{
    static const uint8_t secret[32] = {0x5e, 0xc2, 0xe7};
    CLEANUP(buf_fini) struct buf claim = BUF_INIT(49152);
    CLEANUP(buf_fini) struct buf text = BUF_INIT(1u << 20);
    struct evidence *e = calloc(1, sizeof *e);
    struct crypto_hasher *h = crypto_hasher_new(CRYPTO_SHA256);
    static uint8_t blob[LIMIT_EVIDENCE_MAX];
    uint8_t binder[32];
    char a[128], b[128], c[128];
    struct statement_reader r;
    struct json_t *j;
    size_t len = 0;

    (void)state;
    world_start(&w);
    path_of("claim", a);
    path_of("challenge", b);
    path_of("answer", c);
    OK(run("zone enrol -o %s", a));
    challenge(a, b, false, secret);
    OK(run("zone answer %s %s -o %s", a, b, c));
    load(a, &claim);
    load(c, &text);
    j = statement_json_parse(buf_span(&text), &err);
    assert_non_null(j);
    r = statement_reader_of(j);
    assert_true(statement_get_b64(&r, "evidence", blob, sizeof blob, &len));
    statement_json_free(j);
    /* the quote is bound to secret and claim */
    OK(evidence_parse(SPAN(blob, len), e, &err));
    crypto_hasher_update(h, span_str("qair-enrol-1"));
    crypto_hasher_update(h, SPAN_OF(secret));
    crypto_hasher_update(h, buf_span(&claim));
    crypto_hasher_final(h, binder);
    crypto_hasher_free(h);
    assert_true(span_eq(e->quote.extra, SPAN_OF(binder)));
    OK(tcg_verify(&e->ak_public, e->attest, &e->sig, &err));
    free(e);
}

static void test_false_challenges(void **state)
{
    static const uint8_t secret[32] = {1};
    /* short of a digest and of a credential, all members there */
    static const char empty[] =
            "{\"claim\":\"00\",\"credential\":\"\",\"secret\":\"\","
            "\"type\":\"qair:challenge/v1\"}";
    static const char *const rubbish[] = {
            "", "{}", "[]", "{\"type\":1}", empty};
    char a[128], b[128], c[128], d[128];

    (void)state;
    world_start(&w);
    path_of("claim", a);
    path_of("challenge", b);
    path_of("answer", c);
    path_of("other", d);
    OK(run("zone enrol -o %s", a));
    /* for another key than this TPM's */
    challenge(a, b, true, secret);
    assert_int_equal(run("zone answer %s %s -o %s", a, b, c), 1);
    /* for another claim */
    challenge(a, b, false, secret);
    OK(buf_store(span_str("{}"), AT_FDCWD, d, 0600, &err));
    assert_int_equal(run("zone answer %s %s -o %s", d, b, c), 1);
    SAYS("another claim");
    for (size_t i = 0; i < ARRAY_LEN(rubbish); i++) {
        OK(buf_store(span_str(rubbish[i]), AT_FDCWD, b, 0600, &err));
        assert_int_equal(run("zone answer %s %s -o %s", a, b, c), 1);
    }
    assert_int_equal(run("zone answer %s/nothing %s -o %s", w.dir, b, c), 1);
    assert_int_equal(access(c, F_OK), -1); /* no answer was written */
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int group(void)
{
    const struct CMUnitTest tests[] = {
            T(test_misuse),
            T(test_create_is_refused_before_approval),
            T(test_create_list_export),
            T(test_enrol_and_answer),
            T(test_false_challenges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    qair = argv[1];
    world_program = argv[2];
    return world_run(group);
}
