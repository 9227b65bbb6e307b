/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging a TPM quote: structure, key, signature, challenge, selection and PCR
 * values, beside OpenSSL's check of the same signature in the same run, and
 * beside tpm2_checkquote.  Prints a JSON object a line, as bench_policy.c.
 *
 *     bench-quote              all of it
 *     bench-quote one DIR      judges the quote in DIR once and exits
 */
#include "buf.h"
#include "quotes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/evp.h>
#include <openssl/rsa.h>
#undef ERR_STATE

#define ROUNDS    101
#define RUNS      20 /* a round */
#define PROCESSES 21

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench-quote: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int cmp_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static double median_us(uint64_t *took, size_t n, unsigned runs)
{
    qsort(took, n, sizeof(took[0]), cmp_u64);
    return (double)took[n / 2] / runs / 1000;
}

static void print(const char *name, double value, double reference)
{
    (void)printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"us\","
                 "\"reference\":%.3f,\"ratio\":%.3f}\n",
            name, value, reference, value / reference);
    (void)fflush(stdout);
}

/* ---- what is measured ------------------------------------------------ */

struct job {
    struct quotes q;
    struct tcg_ak *ak;
    struct tcg_quote_want want;
    struct tcg_claim claims[3];
    struct tcg_values values;
    uint8_t raw[600]; /* the signature as OpenSSL takes it */
    size_t raw_len;
};

static void run_raw(struct job *j)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;

    if (EVP_DigestVerifyInit(ctx, &pctx, EVP_sha256(), NULL, j->q.pkey) != 1 ||
            (j->q.scheme->alg == TCG_ALG_RSAPSS &&
                    EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) !=
                            1) ||
            EVP_DigestVerify(ctx, j->raw, j->raw_len, j->q.msg, j->q.msg_len) !=
                    1)
        die("OpenSSL refuses the signature");
    EVP_MD_CTX_free(ctx);
}

static void run_judge(struct job *j)
{
    struct tcg_quote got;

    if (tcg_quote_judge(j->ak, SPAN(j->q.msg, j->q.msg_len),
                SPAN(j->q.sig, j->q.sig_len), &j->want, &got, NULL) != 0)
        die("the quote is refused");
}

/* The key is read anew each time. */
static void run_cold(struct job *j)
{
    struct tcg_ak *kept = j->ak;

    if (tcg_ak_new(SPAN(j->q.public, j->q.public_len), &j->ak, NULL) != 0)
        die("the key is refused");
    run_judge(j);
    tcg_ak_free(j->ak);
    j->ak = kept;
}

static void take_raw(struct job *j)
{
    struct tcg_signature s;
    uint8_t rs[64];

    if (tcg_signature(SPAN(j->q.sig, j->q.sig_len), &s, NULL) != 0)
        die("the signature is malformed");
    if (s.alg == TCG_ALG_ECDSA) {
        memcpy(rs, s.r.ptr, 32);
        memcpy(rs + 32, s.s.ptr, 32);
        if (crypto_ecdsa_to_der(
                    SPAN_OF(rs), j->raw, sizeof(j->raw), &j->raw_len) != 0)
            die("the signature is malformed");
        return;
    }
    memcpy(j->raw, s.rsa.ptr, s.rsa.len);
    j->raw_len = s.rsa.len;
}

static void set_up(struct job *j, const struct quotes_scheme *s)
{
    quotes_make(&j->q, s);
    quotes_want(&j->q, &j->want, j->claims);
    /* Values come in the order of the quote, as evidence carries them. */
    j->values.n = 3;
    for (size_t i = 0; i < 3; i++)
        j->values.value[i] = SPAN(j->q.values[i], 32);
    j->want.values = &j->values;
    j->want.n_claims = 0;
    take_raw(j);
    if (tcg_ak_new(SPAN(j->q.public, j->q.public_len), &j->ak, NULL) != 0)
        die("the key is refused");
    j->want.any_ak = false;
    j->want.pin = tcg_ak_pin(j->ak);
}

/* Both in turn, so that a slow moment of the machine meets both. */
static void measure(
        struct job *j, double *ret_raw, double *ret_judge, double *ret_cold)
{
    static uint64_t took[3][ROUNDS];
    void (*const runs[])(struct job * j) = {run_raw, run_judge, run_cold};
    double *const ret[] = {ret_raw, ret_judge, ret_cold};

    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned k = 0; k < 3; k++) {
            uint64_t start = now_ns();

            for (unsigned n = 0; n < RUNS; n++)
                runs[k](j);
            took[k][i] = now_ns() - start;
        }
    }
    for (unsigned k = 0; k < 3; k++)
        *ret[k] = median_us(took[k], ROUNDS, RUNS);
}

/* ---- beside tpm2_checkquote ------------------------------------------ */

static void store(const char *dir, const char *name, struct span s)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (buf_store(s, AT_FDCWD, path, 0600, NULL) != 0)
        die("a file cannot be written");
}

/* The "serialized" form: tcg_file_pcrs(). */
static void store_pcrs(const char *dir, const struct quotes *q)
{
    uint8_t file[132 + 4 + 4 + 8 * 66] = {1, 0, 0, 0, 0x0b, 0, 3, 0x91};

    file[132] = 1;
    file[136] = 3;
    for (size_t i = 0; i < 3; i++) {
        file[140 + 66 * i] = 32;
        memcpy(file + 142 + 66 * i, q->values[i], 32);
    }
    store(dir, "pcrs", SPAN_OF(file));
}

static void store_all(const char *dir, const struct job *j)
{
    char pem[2000], nonce[TEXT_HEX_SIZE(32)];

    if (crypto_pub_pem(tcg_ak_pub(j->ak), pem, sizeof(pem)) != 0)
        die("the key cannot be written");
    text_format_hex(SPAN_OF(j->q.nonce), nonce);
    store(dir, "ak.pem", span_str(pem));
    store(dir, "ak.pub", SPAN(j->q.public, j->q.public_len));
    store(dir, "msg", SPAN(j->q.msg, j->q.msg_len));
    store(dir, "sig", SPAN(j->q.sig, j->q.sig_len));
    store(dir, "nonce", span_str(nonce));
    store_pcrs(dir, &j->q);
}

/* Microseconds from fork to exit; negative when it fails. */
static double run_process(const char *const *argv, bool quiet)
{
    uint64_t start = now_ns();
    pid_t pid = fork();
    int status = 0;

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (quiet && null >= 0 && dup2(null, 1) >= 0 && dup2(null, 2) >= 0)
            (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
            WEXITSTATUS(status) != 0)
        return -1;
    return (double)(now_ns() - start) / 1000;
}

static double median_process(const char *const *argv)
{
    uint64_t took[PROCESSES];

    for (size_t i = 0; i < PROCESSES; i++) {
        double us = run_process(argv, true);

        if (us < 0)
            return -1;
        took[i] = (uint64_t)(us * 1000);
    }
    return median_us(took, PROCESSES, 1);
}

static void beside_checkquote(const char *self, struct job *j, double cold)
{
    char dir[] = "quote.XXXXXX", nonce[TEXT_HEX_SIZE(32)];
    const char *theirs[] = {"tpm2_checkquote", "-Q", "-u", "ak.pem", "-m",
            "msg", "-s", "sig", "-f", "pcrs", "-g", "sha256", "-q", nonce,
            NULL};
    const char *ours[] = {self, "one", ".", NULL};
    double t, o;

    text_format_hex(SPAN_OF(j->q.nonce), nonce);
    if (!mkdtemp(dir))
        die("mkdtemp");
    store_all(dir, j);
    if (chdir(dir) != 0)
        die("chdir");
    t = median_process(theirs);
    o = median_process(ours);
    if (o < 0)
        die("the quote is refused in a process of its own");
    if (t < 0) {
        (void)fprintf(stderr, "bench-quote: no tpm2_checkquote here, or it "
                              "refuses the quote\n");
        return;
    }
    print("quote, key read too (beside: tpm2_checkquote)", cold, t);
    print("quote, a process each (beside: tpm2_checkquote)", o, t);
}

/* ---- one ------------------------------------------------------------- */

static struct span load(struct buf *b, const char *dir, const char *name)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (buf_load(b, AT_FDCWD, path, NULL) != 0)
        die("a file cannot be read");
    return buf_span(b);
}

static int judge_one(const char *dir)
{
    struct buf b[5];
    struct tcg_quote_want want = {.any_ak = true,
            .required = {.n = 1, .bank = {{TCG_ALG_SHA256, 0x91}}}};
    struct tcg_quote got;
    struct tcg_ak *ak;
    struct span hex;
    uint8_t nonce[32];
    int r;

    for (size_t i = 0; i < ARRAY_LEN(b); i++)
        b[i] = BUF_INIT(65536);
    hex = load(&b[0], dir, "nonce");
    if (!text_parse_hex(hex, nonce, sizeof(nonce)) ||
            tcg_ak_new(load(&b[1], dir, "ak.pub"), &ak, NULL) != 0)
        die("challenge or key cannot be read");
    want.nonce = SPAN_OF(nonce);
    want.pcr_file = load(&b[2], dir, "pcrs");
    r = tcg_quote_judge(ak, load(&b[3], dir, "msg"), load(&b[4], dir, "sig"),
            &want, &got, NULL);
    tcg_ak_free(ak);
    for (size_t i = 0; i < ARRAY_LEN(b); i++)
        buf_fini(&b[i]);
    return r != 0;
}

int main(int argc, char **argv)
{
    static const struct {
        size_t scheme;
        const char *name, *cold;
    } rows[] = {
            {0, "quote P-256 (beside: its signature)",
                    "quote P-256, key read too (beside: its signature)"},
            {6, "quote RSA-2048 (beside: its signature)",
                    "quote RSA-2048, key read too (beside: its signature)"},
            {9, "quote RSA-2048 PSS (beside: its signature)",
                    "quote RSA-2048 PSS, key read too (beside: its signature)"},
    };
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (argc == 3 && strcmp(argv[1], "one") == 0)
        return judge_one(argv[2]);
    if (argc != 1 || n <= 0)
        die("usage: bench-quote [one DIR]");
    self[n] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct job j = {0};
        double raw, judged, cold;

        set_up(&j, &quotes_schemes[rows[i].scheme]);
        measure(&j, &raw, &judged, &cold);
        print(rows[i].name, judged, raw);
        print(rows[i].cold, cold, raw);
        if (i == 1)
            beside_checkquote(self, &j, cold);
        tcg_ak_free(j.ak);
        quotes_fini(&j.q);
    }
    return 0;
}
