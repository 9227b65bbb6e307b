/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions a second.  Prints a JSON object a line: name, value, unit,
 * reference, ratio.  A decision's reference is a plain search over the same
 * rules in the same run; reading's is splitting the same text into words.
 */
#include "buf.h"
#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 501 /* the median of so many */

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

/* Median in microseconds of rounds of n runs each. */
static double median_us(
        void (*run)(void *ctx), void *ctx, unsigned rounds, unsigned n)
{
    uint64_t took[ROUNDS];

    for (unsigned i = 0; i < rounds; i++) {
        uint64_t start = now_ns();

        for (unsigned k = 0; k < n; k++)
            run(ctx);
        took[i] = now_ns() - start;
    }
    qsort(took, rounds, sizeof(took[0]), cmp_u64);
    return (double)took[rounds / 2] / n / 1000;
}

static void print(const char *name, double value, double reference)
{
    (void)printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"us\","
                 "\"reference\":%.3f,\"ratio\":%.3f}\n",
            name, value, reference, value / reference);
    (void)fflush(stdout);
}

/* ---- decisions --------------------------------------------------------------
 */

struct setup {
    struct buf text;
    struct policy *policy;
    struct policy_system *system;
    struct policy_request request;
    struct policy_result result;
    size_t words; /* so that reading them is not optimised away */
};

static void evaluate(void *ctx)
{
    struct setup *s = ctx;

    policy_eval(s->policy, s->system, &s->request, &s->result);
}

static void skip(void *ctx, const struct policy_finding *f)
{
    (void)ctx;
    (void)f;
}

/* Looks at every rule, as an engine without an index does. */
static void search(void *ctx)
{
    struct setup *s = ctx;

    policy_explain(s->policy, s->system, &s->request, skip, NULL, &s->result);
}

/* The last of n rules decides; spread: over services, arguments, sources. */
static void write_rules(struct buf *b, unsigned n, bool spread)
{
    for (unsigned i = 1; i < n; i++) {
        if (spread)
            buf_printf(b, "svc.S%u +a%u qube%u @tag:t%u allow user=user\n",
                    i % 40, i % 25, i % 50, i % 7);
        else
            buf_printf(b, "svc.S1 +a1 qube1 other%u allow\n", i);
    }
    buf_append_str(b, "* * @anyvm @anyvm deny\n");
}

static struct policy_system *make_system(void)
{
    static const struct span tags[] = {{(const uint8_t *)"work", 4},
            {(const uint8_t *)"trusted", 7}, {(const uint8_t *)"gui", 3}};
    struct policy_qube qubes[50] = {{.internal = false}};
    struct policy_system *s = NULL;
    char names[50][16];
    struct err err;

    for (unsigned i = 0; i < 50; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "qube%u", i);
        qubes[i] = (struct policy_qube){.name = span_str(names[i]),
                .type = span_str("AppVM"),
                .tags = tags,
                .n_tags = ARRAY_LEN(tags),
                .running = true};
    }
    if (policy_system_new(qubes, ARRAY_LEN(qubes), &s, &err) < 0)
        abort();
    return s;
}

static void parse(struct setup *s)
{
    const struct policy_file file = {
            .name = span_str("50-bench.policy"), .text = buf_span(&s->text)};
    const struct policy_files files = {.files = &file, .n_files = 1};
    struct err err = {.code = 0};

    policy_free(s->policy);
    s->policy = NULL;
    if (policy_new(&files, &s->policy, &err) < 0) {
        (void)fprintf(stderr, "bench-policy: %s\n", err.msg);
        exit(1);
    }
}

static void decisions(const char *name, unsigned n, bool spread)
{
    struct setup s = {.text = BUF_INIT(LIMIT_CONF_FILE_MAX),
            .system = make_system(),
            .request = {.source = span_str("qube1"),
                    .target = span_str("qube2"),
                    .service = span_str("svc.S1+a1")}};
    double value;

    write_rules(&s.text, n, spread);
    parse(&s);
    value = median_us(evaluate, &s, ROUNDS, 20);
    print(name, value, median_us(search, &s, ROUNDS, n > 1000 ? 1 : 20));
    policy_free(s.policy);
    policy_system_free(s.system);
    buf_fini(&s.text);
}

/* ---- reading
 * ----------------------------------------------------------------- */

static void read_rules(void *ctx)
{
    parse(ctx);
}

static void read_words(void *ctx)
{
    struct setup *s = ctx;
    struct text_lines lines = text_lines_of(buf_span(&s->text));
    struct span line, word;

    s->words = 0;
    while (text_next_line(&lines, &line)) {
        while (text_next_word(&line, &word))
            s->words++;
    }
}

static void reading(const char *name, unsigned n)
{
    struct setup s = {.text = BUF_INIT(LIMIT_CONF_FILE_MAX)};
    double value;

    write_rules(&s.text, n, true);
    value = median_us(read_rules, &s, 51, 1);
    print(name, value, median_us(read_words, &s, 51, 1));
    policy_free(s.policy);
    buf_fini(&s.text);
}

int main(void)
{
    decisions("policy-decision-100", 100, true);
    decisions("policy-decision-10000", 10000, true);
    decisions("policy-decision-10000-one-group", 10000, false);
    reading("policy-read-10000", 10000);
    return 0;
}
