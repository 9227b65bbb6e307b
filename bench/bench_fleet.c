/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verifier of ten thousand machines: each has an attestation key of its own,
 * makes evidence for a fresh binder every minute, and is appraised against its
 * own reference, with the clock of its last evidence.  Signatures are real, in
 * software; what the machines do is not counted.  Beside: the bare P-256
 * verifications of the same minute, and the minute itself.
 *
 *     bench-fleet [MACHINES [MINUTES]]
 */
#include "appraise.h"
#include "evidence_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define FILES       60 /* a zone with its programs, policy and qubes */
#define MINUTE_MS   60000.0
#define NOW         1800000000u
#define MINUTES_MAX 9

struct member {
    struct machine m;
    struct pack_zone zone;
    struct pack_reference reference; /* its events are shared */
    struct appraise_previous previous;
    struct buf evidence;
    uint8_t binder[32];
};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench-fleet: %s\n", what);
    exit(1);
}

static double cpu_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void print(const char *name, double v, const char *unit, double ref)
{
    (void)printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\","
                 "\"reference\":%.3f,\"ratio\":%.4f}\n",
            name, v, unit, ref, v / ref);
}

static double median(double *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        for (size_t k = i; k > 0 && v[k] < v[k - 1]; k--) {
            double t = v[k];

            v[k] = v[k - 1];
            v[k - 1] = t;
        }
    }
    return v[n / 2];
}

/* ---- the fleet ------------------------------------------------------- */

static void boot(struct machine *m)
{
    char name[64];

    machine_boot(m);
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof(name), "policy.d/%02d-rules.policy", i);
        machine_measure(m, "policy", name, name);
    }
    machine_close(m);
}

static void ask(struct member *b)
{
    crypto_random(b->binder, sizeof(b->binder));
    b->m.clock.clock += 60000;
    buf_reset(&b->evidence);
    machine_evidence(&b->m, b->binder, &b->evidence);
}

static void enrol(struct member *b, unsigned i, struct pack_reference *shared)
{
    struct tcg_public ak;
    struct err err = {0};

    machine_init(&b->m);
    boot(&b->m);
    b->evidence = BUF_INIT(LIMIT_EVIDENCE_MAX);
    (void)snprintf(b->zone.name, sizeof(b->zone.name), "machine-%u", i);
    memcpy(b->zone.ak, b->m.ak, b->m.ak_len);
    b->zone.ak_len = b->m.ak_len;
    if (tcg_public(SPAN(b->m.ak, b->m.ak_len), &ak, &err) != 0 ||
            tcg_name(&ak, &b->zone.ak_name) != 0)
        die(err.msg);
    if (i == 0) {
        struct evidence e;

        ask(b);
        if (evidence_parse(buf_span(&b->evidence), &e, &err) != 0 ||
                pack_reference_from(
                        &e, b->zone.name, "golden", 1, 0, shared, &err) != 0)
            die(err.msg);
    }
    b->reference = *shared;
    memcpy(b->reference.zone, b->zone.name, sizeof(b->zone.name));
}

static double appraise_all(struct member *fleet, unsigned n)
{
    static struct appraisal out;
    double start = cpu_ms();

    for (unsigned i = 0; i < n; i++) {
        struct member *b = &fleet[i];
        struct appraise_input in = {
                .evidence = buf_span(&b->evidence),
                .zone = &b->zone,
                .reference = &b->reference,
                .binder = SPAN_OF(b->binder),
                .time = NOW,
                .previous = b->previous,
        };

        appraise(&in, &out);
        if (!out.accept)
            die("a good machine was refused");
        b->previous = (struct appraise_previous){true, out.clock};
    }
    return cpu_ms() - start;
}

/* What cannot be less: each signature, with keys that are kept. */
static double verify_all(struct member *fleet, unsigned n)
{
    double took = 0;

    for (unsigned i = 0; i < n; i++) {
        struct evidence e;
        uint8_t rs[64];
        double start;

        if (evidence_parse(buf_span(&fleet[i].evidence), &e, NULL) != 0)
            die("evidence");
        memcpy(rs, e.sig.r.ptr, 32);
        memcpy(rs + 32, e.sig.s.ptr, 32);
        start = cpu_ms();
        if (crypto_verify(crypto_key_pub(fleet[i].m.ak_key), CRYPTO_SIG_ECDSA,
                    CRYPTO_SHA256, e.attest, SPAN_OF(rs)) != 0)
            die("signature");
        took += cpu_ms() - start;
    }
    return took;
}

/* A machine that fell is noticed in its minute, among all the others. */
static void fallen_is_seen(struct member *fleet, unsigned n)
{
    struct member *b = &fleet[n / 2];
    static struct appraisal out;
    struct appraise_input in = {.zone = &b->zone,
            .reference = &b->reference,
            .binder = SPAN_OF(b->binder),
            .time = NOW};

    machine_boot(&b->m);
    machine_measure(
            &b->m, "policy", "policy.d/00-open.policy", "* * a b allow");
    machine_close(&b->m);
    ask(b);
    in.evidence = buf_span(&b->evidence);
    appraise(&in, &out);
    if (!out.genuine || out.accept)
        die("a fallen machine was accepted");
}

static long rss_kb(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static unsigned number(int argc, char **argv, int i, unsigned otherwise)
{
    uint64_t v = otherwise;

    if (i < argc && (!text_parse_u64(span_str(argv[i]), &v) || v > UINT32_MAX))
        die("wants a number");
    return (unsigned)v;
}

int main(int argc, char **argv)
{
    unsigned n = number(argc, argv, 1, 10000);
    unsigned minutes = number(argc, argv, 2, 3);
    double took[MINUTES_MAX], raw[MINUTES_MAX], t, r;
    struct pack_reference shared = {0};
    struct member *fleet;
    long before;

    if (n == 0 || n > 1000000 || minutes == 0 || minutes > MINUTES_MAX)
        die("wants 1..1000000 machines and 1..9 minutes");
    fleet = calloc(n, sizeof(*fleet));
    if (!fleet)
        die("no memory");
    for (unsigned i = 0; i < n; i++)
        enrol(&fleet[i], i, &shared);
    for (unsigned i = 0; i < n; i++)
        ask(&fleet[i]);
    before = rss_kb();
    for (unsigned k = 0; k < minutes; k++) {
        took[k] = appraise_all(fleet, n);
        raw[k] = verify_all(fleet, n);
        for (unsigned i = 0; i < n; i++)
            ask(&fleet[i]);
    }
    fallen_is_seen(fleet, n);
    t = median(took, minutes);
    r = median(raw, minutes);
    print("fleet: a machine's appraisal, CPU (beside: its signature)",
            t / n * 1000, "us", r / n * 1000);
    print("fleet: all machines once, CPU (beside: a minute of one core)", t,
            "ms", MINUTE_MS);
    print("fleet: cores for ten times as many (beside: two)",
            10 * t / MINUTE_MS, "cores", 2);
    print("fleet: memory that grew meanwhile (beside: a megabyte)",
            (double)(rss_kb() - before) / 1024, "MiB", 1);
    return 0;
}
