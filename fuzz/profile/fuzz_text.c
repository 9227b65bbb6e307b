/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signature files from strangers.  No input verifies under a key whose
 * signatures are not in it, and nothing reads out of bounds; for the seeds,
 * which are real files by the key below, whatever verifies is in one spelling.
 */
#include "profile.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Seeds: signed with this seed over the artefact "qair\n", time 1, "a". */
static const uint8_t seed[32] = {0x71, 0x61, 0x69, 0x72};

static struct crypto_key *key;
static struct profile_digests digests;

static void init(void)
{
    struct profile_stream *s = profile_begin(PROFILE_MINISIGN);

    key = crypto_key_ed25519(seed);
    if (!s || !key)
        abort();
    profile_update(s, span_str("qair\n"));
    profile_end(s, &digests);
}

/* What verifies is the file that we would write (Ed25519 has one). */
static void check(
        enum profile_id id, struct span text, const struct profile_claims *c)
{
    CLEANUP(buf_fini) struct buf again = BUF_INIT(PROFILE_TEXT_MAX);
    struct profile_request r = {.id = id,
            .key = crypto_key_pub(key),
            .digests = &digests,
            .name = c->has_comment ? c->name : span_str("a"),
            .time = c->time};
    struct profile_sig sigs[PROFILE_STEPS_MAX];

    for (unsigned i = 0; i < profile_steps(id); i++) {
        CLEANUP(buf_fini) struct buf tbs = BUF_INIT(PROFILE_TBS_MAX);

        if (profile_tbs(&r, i, sigs, &tbs, NULL) ||
                crypto_sign(key, buf_span(&tbs), sigs[i].raw))
            abort();
    }
    if (profile_assemble(&r, sigs, &again, NULL) ||
            !span_eq(text, buf_span(&again)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profile_claims claims;
    struct err err;

    if (!key)
        init();
    for (unsigned i = PROFILE_SSHSIG; i <= PROFILE_MINISIGN; i++) {
        if (profile_verify((enum profile_id)i, crypto_key_pub(key), &digests,
                    SPAN(data, size), &claims, &err) == 0)
            check((enum profile_id)i, SPAN(data, size), &claims);
    }
    return 0;
}
