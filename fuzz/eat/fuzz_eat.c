/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens and wrappers: no crash, indices and spans within the input, no token
 * signed by a key that nobody has, none without signature outside of a
 * channel.
 */
#include "eat.h"

#include <stdlib.h>

static struct eat token;
static struct cmw wrapper;

static void check_within(struct span doc, struct span s)
{
    if (s.len > 0 && (s.ptr < doc.ptr || s.ptr + s.len > doc.ptr + doc.len))
        abort();
}

static void check_token(struct span doc)
{
    struct span evidence;

    for (size_t i = 0; i < token.n_modules; i++) {
        const struct eat_module *m = &token.module[i];

        if (m->parent > i || m->depth > EAT_DEPTH_MAX ||
                m->n_nonces > EAT_NONCES_MAX)
            abort();
        check_within(doc, m->name);
        check_within(doc, m->content);
        check_within(doc, m->ueid);
        check_within(doc, m->profile);
    }
    for (size_t i = 0; i < token.n_measurements; i++) {
        if (token.measurement[i].module >= token.n_modules)
            abort();
        check_within(doc, token.measurement[i].content);
    }
    for (size_t i = 0; i < token.n_results; i++) {
        if (token.result[i].module >= token.n_modules)
            abort();
        check_within(doc, token.result[i].id);
    }
    if (eat_evidence_of(&token, &evidence, NULL) == 0)
        check_within(doc, evidence);
    (void)!eat_check_time(&token, 1, NULL);
}

static void check_wrapper(struct span doc)
{
    if (wrapper.n == 0 || wrapper.n > CMW_RECORDS_MAX)
        abort();
    for (size_t i = 0; i < wrapper.n; i++) {
        check_within(doc, wrapper.record[i].label);
        check_within(doc, wrapper.record[i].media_type);
        check_within(doc, wrapper.record[i].value);
        if (wrapper.record[i].format > 65535)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[32] = {1};
    static struct crypto_key *k;
    struct eat_options o = {.inside_attested_channel = true};
    struct span doc = SPAN(data, size);

    if (!k)
        k = crypto_key_ed25519(seed);
    if (eat_read(doc, &o, &token, NULL) == 0)
        check_token(doc);
    o.inside_attested_channel = false;
    if (eat_read(doc, &o, &token, NULL) == 0)
        abort();
    o.key = crypto_key_pub(k);
    if (eat_read(doc, &o, &token, NULL) == 0)
        abort();
    if (cmw_read(doc, &wrapper, NULL) == 0)
        check_wrapper(doc);
    return 0;
}
