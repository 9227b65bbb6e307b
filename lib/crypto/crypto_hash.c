/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <threads.h>

struct hash_alg {
    const char *name;
    const char *openssl_name;
    size_t size;
};

static const struct hash_alg algs[] = {
        [CRYPTO_SHA1] = {"sha1", "SHA1", 20},
        [CRYPTO_SHA256] = {"sha256", "SHA2-256", CRYPTO_SHA256_SIZE},
        [CRYPTO_SHA384] = {"sha384", "SHA2-384", CRYPTO_SHA384_SIZE},
        [CRYPTO_SHA512] = {"sha512", "SHA2-512", CRYPTO_SHA512_SIZE},
        [CRYPTO_BLAKE2B512] = {"blake2b512", "BLAKE2B-512", 64},
};

/* A fetch costs more than hashing a tree node, so each is done once. */
static EVP_MD *fetched[ARRAY_LEN(algs)];
static once_flag fetch_once = ONCE_FLAG_INIT;

/* One context an algorithm and thread for the one-shot functions. */
struct scratch {
    EVP_MD_CTX *ctx[ARRAY_LEN(algs)];
};
static tss_t scratch_key;

static void scratch_free(void *p)
{
    struct scratch *s = p;

    for (size_t i = 0; i < ARRAY_LEN(s->ctx); i++)
        EVP_MD_CTX_free(s->ctx[i]);
    free(s);
}

static void fetch_all(void)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        fetched[i] = EVP_MD_fetch(NULL, algs[i].openssl_name, NULL);
        if (!fetched[i])
            abort();
    }
    if (tss_create(&scratch_key, scratch_free) != thrd_success)
        abort();
}

const EVP_MD *crypto_hash_md(enum crypto_hash alg)
{
    call_once(&fetch_once, fetch_all);
    return fetched[alg];
}

int crypto_fail(int code)
{
    ERR_clear_error();
    return code;
}

size_t crypto_hash_size(enum crypto_hash alg)
{
    return algs[alg].size;
}

const char *crypto_hash_name(enum crypto_hash alg)
{
    return algs[alg].name;
}

/* The thread's context, started for alg. */
static EVP_MD_CTX *one_shot(enum crypto_hash alg)
{
    const EVP_MD *md = crypto_hash_md(alg);
    struct scratch *s = tss_get(scratch_key);

    if (!s) {
        s = calloc(1, sizeof(*s));
        if (!s || tss_set(scratch_key, s) != thrd_success)
            abort();
    }
    if (!s->ctx[alg]) {
        s->ctx[alg] = EVP_MD_CTX_new();
        if (!s->ctx[alg])
            abort();
    }
    if (EVP_DigestInit_ex2(s->ctx[alg], md, NULL) != 1)
        abort();
    return s->ctx[alg];
}

static void update(EVP_MD_CTX *ctx, struct span data)
{
    if (EVP_DigestUpdate(ctx, data.ptr, data.len) != 1)
        abort();
}

static void final(EVP_MD_CTX *ctx, uint8_t *ret)
{
    if (EVP_DigestFinal_ex(ctx, ret, NULL) != 1)
        abort();
}

void crypto_hash(enum crypto_hash alg, struct span data, uint8_t *ret)
{
    EVP_MD_CTX *ctx = one_shot(alg);

    update(ctx, data);
    final(ctx, ret);
}

void crypto_sha256(struct span data, uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    crypto_hash(CRYPTO_SHA256, data, ret);
}

void crypto_sha256_two(
        struct span a, struct span b, uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    EVP_MD_CTX *ctx = one_shot(CRYPTO_SHA256);

    update(ctx, a);
    update(ctx, b);
    final(ctx, ret);
}

struct crypto_hasher {
    EVP_MD_CTX *ctx;
    EVP_MD_CTX *copy; /* finished in place of ctx, which goes on */
};

struct crypto_hasher *crypto_hasher_new(enum crypto_hash alg)
{
    struct crypto_hasher *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->ctx = EVP_MD_CTX_new();
    h->copy = EVP_MD_CTX_new();
    if (!h->ctx || !h->copy ||
            EVP_DigestInit_ex2(h->ctx, crypto_hash_md(alg), NULL) != 1) {
        crypto_hasher_free(h);
        return NULL;
    }
    return h;
}

void crypto_hasher_free(struct crypto_hasher *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    EVP_MD_CTX_free(h->copy);
    free(h);
}

void crypto_hasher_free_ptr(struct crypto_hasher **h)
{
    crypto_hasher_free(*h);
}

void crypto_hasher_update(struct crypto_hasher *h, struct span data)
{
    update(h->ctx, data);
}

void crypto_hasher_final(struct crypto_hasher *h, uint8_t *ret)
{
    if (EVP_MD_CTX_copy_ex(h->copy, h->ctx) != 1)
        abort();
    final(h->copy, ret);
}

void crypto_hmac(
        enum crypto_hash alg, struct span key, struct span data, uint8_t *ret)
{
    unsigned len = 0;

    if (key.len > INT32_MAX ||
            !HMAC(crypto_hash_md(alg), key.len ? (const void *)key.ptr : "",
                    (int)key.len, data.len ? data.ptr : (const uint8_t *)"",
                    data.len, ret, &len))
        abort();
}

int crypto_hkdf(enum crypto_hash alg, struct span salt, struct span ikm,
        struct span info, uint8_t *ret, size_t len)
{
    size_t size = crypto_hash_size(alg), done = 0, part = 0;
    uint8_t prk[CRYPTO_HASH_MAX], t[CRYPTO_HASH_MAX];
    uint8_t block[CRYPTO_HASH_MAX + CRYPTO_HKDF_INFO_MAX + 1];

    /* RFC 5869, 2.3: L <= 255 * HashLen. */
    if (len > 255 * size || info.len > CRYPTO_HKDF_INFO_MAX)
        return ERR_LIMIT;
    crypto_hmac(alg, salt, ikm, prk);
    for (uint8_t i = 1; done < len; i++) {
        struct wire_writer w = wire_writer_of(block, sizeof(block));
        struct span in;

        wire_put_bytes(&w, t, part); /* T(0) is empty */
        wire_put_bytes(&w, info.ptr, info.len);
        wire_put_u8(&w, i);
        if (!wire_finish(&w, &in))
            abort();
        crypto_hmac(alg, SPAN(prk, size), in, t);
        part = size;
        size_t n = len - done < size ? len - done : size;
        memcpy(ret + done, t, n);
        done += n;
    }
    secret_wipe(prk, sizeof(prk));
    secret_wipe(t, sizeof(t));
    secret_wipe(block, sizeof(block));
    return 0;
}

void crypto_random(uint8_t *ret, size_t len)
{
    while (len > 0) {
        ssize_t n = getrandom(ret, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort();
        ret += n;
        len -= (size_t)n;
    }
}
