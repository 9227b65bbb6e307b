/* SPDX-License-Identifier: Apache-2.0 */
#include "profile_private.h"

#include <stdlib.h>

static const struct profile_kind *const kinds[] = {
        [PROFILE_SSHSIG] = &profile_sshsig,
        [PROFILE_MINISIGN] = &profile_minisign,
};

const char *profile_name(enum profile_id id)
{
    return kinds[id]->name;
}

const char *profile_suffix(enum profile_id id)
{
    return kinds[id]->suffix;
}

bool profile_parse_name(struct span name, enum profile_id *ret)
{
    for (unsigned i = PROFILE_SSHSIG; i < ARRAY_LEN(kinds); i++) {
        if (span_eq_str(name, kinds[i]->name)) {
            *ret = (enum profile_id)i;
            return true;
        }
    }
    return false;
}

bool profile_takes_key(enum profile_id id, enum crypto_key_type type)
{
    return type == CRYPTO_ED25519 ||
           (type == CRYPTO_P256 && kinds[id]->takes_p256);
}

bool profile_is_artefact_name(struct span name)
{
    if (name.len == 0 || name.len > PROFILE_ARTEFACT_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < ' ' || name.ptr[i] > '~' || name.ptr[i] == '/')
            return false;
    }
    return true;
}

struct profile_stream {
    uint64_t size;
    struct crypto_hasher *sha256;
    struct crypto_hasher *sha512;
    struct crypto_hasher *blake2b512; /* NULL when not used */
};

struct profile_stream *profile_begin(enum profile_id id)
{
    bool want_blake = kinds[id]->hashes_blake2b512;
    struct profile_stream *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->sha256 = crypto_hasher_new(CRYPTO_SHA256);
    s->sha512 = crypto_hasher_new(CRYPTO_SHA512);
    if (want_blake)
        s->blake2b512 = crypto_hasher_new(CRYPTO_BLAKE2B512);
    if (!s->sha256 || !s->sha512 || (want_blake && !s->blake2b512)) {
        profile_stream_free(s);
        return NULL;
    }
    return s;
}

void profile_update(struct profile_stream *s, struct span data)
{
    /* In slices that stay in the cache between one hash and the next. */
    while (data.len > 0) {
        size_t n = data.len < 16384 ? data.len : 16384;
        struct span part = SPAN(data.ptr, n);

        crypto_hasher_update(s->sha256, part);
        crypto_hasher_update(s->sha512, part);
        if (s->blake2b512)
            crypto_hasher_update(s->blake2b512, part);
        s->size += n;
        data = SPAN(data.ptr + n, data.len - n);
    }
}

void profile_end(struct profile_stream *s, struct profile_digests *ret)
{
    *ret = (struct profile_digests){.size = s->size};
    crypto_hasher_final(s->sha256, ret->sha256);
    crypto_hasher_final(s->sha512, ret->sha512);
    if (s->blake2b512)
        crypto_hasher_final(s->blake2b512, ret->blake2b512);
    profile_stream_free(s);
}

void profile_stream_free(struct profile_stream *s)
{
    if (!s)
        return;
    crypto_hasher_free(s->sha256);
    crypto_hasher_free(s->sha512);
    crypto_hasher_free(s->blake2b512);
    free(s);
}

void profile_stream_free_ptr(struct profile_stream **s)
{
    profile_stream_free(*s);
}

static int check_key(
        enum profile_id id, const struct crypto_pub *key, struct err *err)
{
    if (profile_takes_key(id, crypto_pub_type(key)))
        return 0;
    return err_set(err, ERR_UNSUPPORTED, "a key of this type cannot sign as %s",
            kinds[id]->name);
}

static int check_request(const struct profile_request *r, struct err *err)
{
    if (!profile_is_artefact_name(r->name))
        return err_set(err, ERR_SYNTAX,
                "name of the artefact is not 1 to %d printable ASCII "
                "characters without '/'",
                PROFILE_ARTEFACT_MAX);
    return check_key(r->id, r->key, err);
}

unsigned profile_steps(enum profile_id id)
{
    return kinds[id]->steps;
}

int profile_tbs(const struct profile_request *r, unsigned step,
        const struct profile_sig *sigs, struct buf *ret, struct err *err)
{
    int rc = check_request(r, err);

    if (rc)
        return rc;
    if (step >= kinds[r->id]->steps)
        return err_set(err, ERR_STATE, "%s has no signature number %u",
                kinds[r->id]->name, step + 1);
    return kinds[r->id]->tbs(r, step, sigs, ret, err);
}

int profile_assemble(const struct profile_request *r,
        const struct profile_sig *sigs, struct buf *ret, struct err *err)
{
    int rc = check_request(r, err);

    return rc ? rc : kinds[r->id]->assemble(r, sigs, ret, err);
}

int profile_verify(enum profile_id id, const struct crypto_pub *key,
        const struct profile_digests *digests, struct span text,
        struct profile_claims *ret, struct err *err)
{
    struct profile_claims claims = {0};
    int rc = check_key(id, key, err);

    if (rc == 0 && text.len > PROFILE_TEXT_MAX)
        rc = err_set(err, ERR_LIMIT, "larger than %d bytes", PROFILE_TEXT_MAX);
    if (rc == 0)
        rc = kinds[id]->verify(key, digests, text, &claims, err);
    if (rc)
        return err_prefix(err, rc, "%s signature", kinds[id]->name);
    if (ret)
        *ret = claims;
    return 0;
}

int profile_format_pub(enum profile_id id, struct span name,
        const struct crypto_pub *key, struct buf *ret, struct err *err)
{
    int rc = check_key(id, key, err);

    return rc ? rc : kinds[id]->format_pub(name, key, ret, err);
}

int profile_check_raw(
        const struct crypto_pub *key, struct span tbs, struct span sig)
{
    return crypto_verify(key,
            crypto_pub_type(key) == CRYPTO_ED25519 ? CRYPTO_SIG_ED25519
                                                   : CRYPTO_SIG_ECDSA,
            CRYPTO_SHA256, tbs, sig);
}

bool profile_take(struct span *s, const char *prefix)
{
    size_t n = strlen(prefix);

    if (s->len < n || memcmp(s->ptr, prefix, n) != 0)
        return false;
    *s = SPAN(s->ptr + n, s->len - n);
    return true;
}
