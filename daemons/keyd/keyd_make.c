/* SPDX-License-Identifier: Apache-2.0 */
/* New keys: in the TPM, or sealed by it (docs/proto/keyfile.md). */
#include "keyd.h"

#include <stdio.h>

int keyd_make_policy(
        struct keyd *k, uint8_t ret[static TPM_DIGEST], struct err *err)
{
    uint8_t ref[CRYPTO_SHA256_SIZE];

    if (!k->owner)
        return err_set(err, ERR_STATE,
                "zone.conf names no owner: keys could be bound to nobody");
    tcg_policy_ref(k->zone_name, ref);
    if (tcg_policy_authorize(k->owner, SPAN_OF(ref), ret) != 0)
        return err_set(err, ERR_CRYPTO, "cannot use the owner's key");
    return 0;
}

static int spki_put(
        const struct crypto_pub *pub, struct keyd_file *f, struct err *err)
{
    if (!pub ||
            crypto_pub_spki(pub, f->spki, sizeof f->spki, &f->spki_len) != 0)
        return err_set(err, ERR_CRYPTO, "cannot encode the public key");
    return 0;
}

int keyd_make_spki(struct keyd_file *f, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *pub = NULL;
    uint8_t point[65];

    if (tpm_blob_point(&f->blob, point) != 0)
        return err_set(err, ERR_TPM, "the TPM made another kind of key");
    pub = crypto_pub_ec(CRYPTO_P256, SPAN(point + 1, 32), SPAN(point + 33, 32));
    return spki_put(pub, f, err);
}

/* Neither a weak TPM nor a weak kernel alone makes the seed guessable. */
static int seed_new(
        struct tpm *t, uint8_t seed[static KEYD_SEED], struct err *err)
{
    uint8_t *both = secret_new(2 * KEYD_SEED);
    int r;

    if (!both)
        return err_set(err, ERR_MEMORY, "cannot lock memory for a seed");
    r = tpm_random(t, both, KEYD_SEED, err);
    if (r == 0) {
        crypto_random(both + KEYD_SEED, KEYD_SEED);
        crypto_sha256(SPAN(both, 2 * KEYD_SEED), seed);
    }
    secret_free(both, 2 * KEYD_SEED);
    return r;
}

static int seal_seed(struct keyd *k, const uint8_t *policy, uint8_t *seed,
        struct keyd_file *f, struct err *err)
{
    CLEANUP(crypto_key_free_ptr) struct crypto_key *key = NULL;
    int r;

    r = seed_new(k->tpm, seed, err);
    if (r != 0)
        return r;
    key = crypto_key_ed25519(seed);
    if (!key)
        return err_set(err, ERR_CRYPTO, "cannot use the key's seed");
    r = spki_put(crypto_key_pub(key), f, err);
    if (r == 0)
        r = tpm_seal(k->tpm, SPAN(seed, KEYD_SEED), policy, &f->blob, err);
    return r;
}

int keyd_make_sealed(struct keyd *k, const char *name, uint8_t profile,
        const uint8_t *policy, struct keyd_file *ret, struct err *err)
{
    struct keyd_file f = {
            .custody = KEYD_SEALED, .profile = profile, .created = role_now()};
    uint8_t *seed = secret_new(KEYD_SEED);
    int r;

    if (!seed)
        return err_set(err, ERR_MEMORY, "cannot lock memory for a seed");
    (void)snprintf(f.name, sizeof f.name, "%s", name);
    r = seal_seed(k, policy, seed, &f, err);
    secret_free(seed, KEYD_SEED);
    if (r == 0)
        *ret = f;
    return r;
}

static int make_ak(struct keyd *k, struct err *err)
{
    struct keyd_file f = {
            .name = "ak", .custody = KEYD_TPM, .created = role_now()};
    int r;

    r = tpm_ak_create(k->tpm, &f.blob, err);
    if (r == 0)
        r = keyd_make_spki(&f, err);
    return r ? r : keyd_ring_add_own(&k->ring, KEYD_AK, &f, err);
}

static int make_own_sealed(struct keyd *k, enum keyd_own own,
        const uint8_t *policy, struct err *err)
{
    struct keyd_file f;
    int r;

    r = keyd_make_sealed(k, keyd_own_name(own), 0, policy, &f, err);
    return r ? r : keyd_ring_add_own(&k->ring, own, &f, err);
}

int keyd_make_own(struct keyd *k, struct err *err)
{
    uint8_t policy[TPM_DIGEST];
    int r = 0;

    if (!k->ring.ak)
        r = make_ak(k, err);
    if (r == 0 && !k->ring.log)
        r = make_own_sealed(k, KEYD_LOG, NULL, err);
    /* without an owner the identity has to wait for one */
    if (r == 0 && !k->ring.identity && k->owner) {
        r = keyd_make_policy(k, policy, err);
        if (r == 0)
            r = make_own_sealed(k, KEYD_IDENTITY, policy, err);
    }
    return r;
}
