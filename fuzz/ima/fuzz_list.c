/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both forms of a list: first byte 0 is text, others binary with that size of
 * hash.  What is read has its replay, and a covered part is one that replays.
 */
#include "ima.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool good)
{
    if (!good)
        abort();
}

static void look(const struct ima_entry *e, struct span all)
{
    uint8_t h[CRYPTO_HASH_MAX], bytes[512];
    struct ima_signature s;
    size_t n;

    if (e->known) {
        want(e->path.len > 0 && e->path.ptr >= all.ptr &&
                e->path.ptr + e->path.len <= all.ptr + all.len);
        want(e->digest_len <= CRYPTO_HASH_MAX);
    }
    (void)ima_template_ok(e);
    want(!e->violation || ima_template_ok(e));
    if (ima_buffer_check(e) == 0)
        want(e->digest_ok);
    (void)ima_is_boot_aggregate(e);
    /* Long fields of text are looked at when they are hashed. */
    if (e->format == IMA_BINARY)
        want(ima_template_hash(e, CRYPTO_SHA384, h) == 0);
    if (ima_field_bytes(e, IMA_SIG, bytes, sizeof(bytes), &n) == 0 &&
            ima_signature_parse(SPAN(bytes, n), &s, NULL) == 0)
        want(s.sig.len < n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ima_list list, at;
    struct ima_entry e;
    struct ima_replay r;
    struct ima_prefix p;
    struct ima_goal goal = {0};
    struct ima_rules rules = {0};
    struct ima_findings f;
    struct span all;

    if (size == 0)
        return 0;
    all = SPAN(data + 1, size - 1);
    if (ima_open(all, data[0] ? IMA_BINARY : IMA_ASCII,
                data[0] == 1 ? 0 : data[0], &list, NULL) != 0)
        return 0;
    at = list;
    while (ima_next(&at, &e, NULL) == 1)
        look(&e, all);
    if (ima_replay_all(list, CRYPTO_SHA256, IMA_PCR, SPAN_EMPTY, &r, NULL) != 0)
        return 0;
    goal.value = SPAN(r.value, CRYPTO_SHA256_SIZE);
    want((ima_prefix_find(list, CRYPTO_SHA256, IMA_PCR, SPAN_EMPTY, &goal, &p,
                  NULL) == 0) == (r.mismatches == 0) ||
            r.mismatches > 0);
    if (ima_appraise(list, r.entries, &rules, &f, NULL) == 0)
        want(f.files == 0 && f.refused == 0);
    return 0;
}
