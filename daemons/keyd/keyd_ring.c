/* SPDX-License-Identifier: Apache-2.0 */
#include "keyd_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEDS_SIZE ((LIMIT_KEYS_MAX + KEYD_OWN) * KEYD_SEED)

static const char *const own_names[] = {
        [KEYD_AK] = "ak",
        [KEYD_IDENTITY] = "identity",
        [KEYD_LOG] = "log",
};

const char *keyd_own_name(enum keyd_own own)
{
    return own_names[own];
}

static struct keyd_key **own_slot(struct keyd_ring *r, enum keyd_own own)
{
    struct keyd_key **const slots[] = {
            [KEYD_AK] = &r->ak,
            [KEYD_IDENTITY] = &r->identity,
            [KEYD_LOG] = &r->log,
    };

    return slots[own];
}

static void key_free(struct keyd_key *k)
{
    if (k)
        crypto_pub_free(k->pub);
    free(k);
}

/* An Ed25519 seed is sealed; what the TPM keeps is P-256 and in the blob. */
static int key_check(const struct keyd_key *k, struct err *err)
{
    uint8_t point[65], raw[65];
    size_t len = 0;

    if (k->file.custody == KEYD_SEALED)
        return crypto_pub_type(k->pub) == CRYPTO_ED25519
                       ? 0
                       : err_set(err, ERR_SYNTAX,
                                 "a sealed key that is not Ed25519");
    if (crypto_pub_type(k->pub) != CRYPTO_P256 ||
            tpm_blob_point(&k->file.blob, point) != 0 ||
            crypto_pub_raw(k->pub, raw, sizeof raw, &len) != 0 ||
            len != sizeof point || memcmp(raw, point, len) != 0)
        return err_set(err, ERR_MISMATCH,
                "the public key is not the one of the TPM's object");
    return 0;
}

static struct keyd_key *key_new(const struct keyd_file *f, struct err *err)
{
    struct keyd_key *k = calloc(1, sizeof *k);

    if (!k) {
        err_set(err, ERR_MEMORY, "no memory for a key");
        return NULL;
    }
    k->file = *f;
    k->pub = crypto_pub_from_spki(SPAN(f->spki, f->spki_len));
    crypto_sha256(SPAN(f->spki, f->spki_len), k->spki_sha256);
    if (!k->pub)
        err_set(err, ERR_SYNTAX, "malformed public key");
    if (!k->pub || key_check(k, err) != 0) {
        key_free(k);
        return NULL;
    }
    return k;
}

/* Keeps the table in the order of names, so that lists are stable. */
static int ring_insert(struct keyd_ring *r, struct keyd_key *k, struct err *err)
{
    size_t i = r->n;

    if (r->n == LIMIT_KEYS_MAX)
        return err_set(
                err, ERR_LIMIT, "a zone has at most %d keys", LIMIT_KEYS_MAX);
    k->seed = r->seeds + (KEYD_OWN + r->n) * KEYD_SEED;
    while (i > 0 && strcmp(r->key[i - 1]->file.name, k->file.name) > 0) {
        r->key[i] = r->key[i - 1];
        i--;
    }
    r->key[i] = k;
    r->n++;
    return 0;
}

static int file_name(
        const char *name, bool own, char *ret, size_t cap, struct err *err)
{
    int n = snprintf(ret, cap, "%s%s", name, own ? ".zone" : ".key");

    return n > 0 && (size_t)n < cap
                   ? 0
                   : err_set(err, ERR_LIMIT, "%s: name too long", name);
}

static int load_file(int dirfd, const char *file, const char *name,
        struct keyd_key **ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf bytes = BUF_INIT(KEYD_FILE_MAX);
    struct keyd_file f;
    int e;

    e = buf_load(&bytes, dirfd, file, err);
    if (e == 0)
        e = keyd_file_parse(buf_span(&bytes), &f, err);
    if (e == 0 && strcmp(f.name, name) != 0)
        e = err_set(err, ERR_MISMATCH, "it is the key '%s'", f.name);
    if (e == 0) {
        *ret = key_new(&f, err);
        e = *ret ? 0 : ERR_SYNTAX;
    }
    return e ? err_prefix(err, e, "keys/%s", file) : 0;
}

static int load_own(struct keyd_ring *r, enum keyd_own own, struct err *err)
{
    struct keyd_key **slot = own_slot(r, own);
    char file[KEYD_FILE_NAME_MAX + 8];
    int e;

    e = file_name(own_names[own], true, file, sizeof file, err);
    if (e == 0)
        e = load_file(r->dirfd, file, own_names[own], slot, err);
    if (e == ERR_NOT_FOUND)
        return 0; /* made at the first start */
    if (e == 0)
        (*slot)->seed = r->seeds + (size_t)own * KEYD_SEED;
    return e;
}

static int load_entry(int dirfd, const char *file, void *ctx, struct err *err)
{
    struct keyd_ring *r = ctx;
    char name[KEYD_FILE_NAME_MAX + 1];
    size_t len = strlen(file);
    struct keyd_key *k = NULL;
    int e;

    if (len <= 4 || strcmp(file + len - 4, ".key") != 0)
        return 0;
    if (len - 4 > KEYD_FILE_NAME_MAX)
        return err_set(err, ERR_LIMIT, "keys/%s: name too long", file);
    memcpy(name, file, len - 4);
    name[len - 4] = '\0';
    e = load_file(dirfd, file, name, &k, err);
    if (e == 0)
        e = ring_insert(r, k, err);
    if (e != 0)
        key_free(k);
    return e;
}

int keyd_ring_load(struct keyd_ring *r, int dirfd, struct err *err)
{
    int e = 0;

    *r = (struct keyd_ring){.dirfd = dirfd};
    r->seeds = secret_new(SEEDS_SIZE);
    if (!r->seeds)
        return err_set(err, ERR_MEMORY,
                "cannot lock %d bytes of memory for seeds", SEEDS_SIZE);
    for (int own = 0; own < KEYD_OWN && e == 0; own++)
        e = load_own(r, (enum keyd_own)own, err);
    if (e == 0)
        e = buf_each_entry(r->dirfd, load_entry, r, err);
    if (e != 0)
        keyd_ring_fini(r);
    return e;
}

void keyd_ring_fini(struct keyd_ring *r)
{
    for (size_t i = 0; i < r->n; i++)
        key_free(r->key[i]);
    for (int own = 0; own < KEYD_OWN; own++)
        key_free(*own_slot(r, (enum keyd_own)own));
    secret_free(r->seeds, SEEDS_SIZE);
    *r = (struct keyd_ring){.dirfd = -1};
}

static int store(struct keyd_ring *r, const struct keyd_file *f, bool own,
        struct err *err)
{
    CLEANUP(buf_fini) struct buf bytes = BUF_INIT(KEYD_FILE_MAX);
    char file[KEYD_FILE_NAME_MAX + 8];
    int e;

    e = keyd_file_format(f, &bytes, err);
    if (e == 0)
        e = file_name(f->name, own, file, sizeof file, err);
    if (e == 0)
        e = buf_store(buf_span(&bytes), r->dirfd, file, 0600, err);
    return e ? err_prefix(err, e, "keys/%s", f->name) : 0;
}

int keyd_ring_add_own(struct keyd_ring *r, enum keyd_own own,
        const struct keyd_file *f, struct err *err)
{
    struct keyd_key **slot = own_slot(r, own);
    struct keyd_key *k;
    int e;

    if (*slot)
        return err_set(err, ERR_EXISTS, "the key '%s' exists", own_names[own]);
    k = key_new(f, err);
    if (!k)
        return ERR_SYNTAX;
    e = store(r, f, true, err);
    if (e != 0) {
        key_free(k);
        return e;
    }
    k->seed = r->seeds + (size_t)own * KEYD_SEED;
    *slot = k;
    return 0;
}

int keyd_ring_add(
        struct keyd_ring *r, const struct keyd_file *f, struct err *err)
{
    struct keyd_key *k;
    int e;

    if (keyd_ring_find(r, span_str(f->name)))
        return err_set(err, ERR_EXISTS, "the key '%s' exists", f->name);
    if (r->n == LIMIT_KEYS_MAX)
        return err_set(
                err, ERR_LIMIT, "a zone has at most %d keys", LIMIT_KEYS_MAX);
    k = key_new(f, err);
    if (!k)
        return ERR_SYNTAX;
    e = store(r, f, false, err);
    if (e == 0)
        e = ring_insert(r, k, err);
    if (e != 0)
        key_free(k);
    return e;
}

struct keyd_key *keyd_ring_find(const struct keyd_ring *r, struct span name)
{
    for (size_t i = 0; i < r->n; i++)
        if (span_eq_str(name, r->key[i]->file.name))
            return r->key[i];
    return NULL;
}

int keyd_ring_open(struct keyd_key *k, const uint8_t seed[static KEYD_SEED],
        struct err *err)
{
    CLEANUP(crypto_key_free_ptr)
    struct crypto_key *key = crypto_key_ed25519(seed);

    if (!key)
        return err_set(err, ERR_CRYPTO, "cannot use the key's seed");
    if (!crypto_pub_eq(crypto_key_pub(key), k->pub))
        return err_set(err, ERR_MISMATCH,
                "what is sealed is not the private key of '%s'", k->file.name);
    memcpy(k->seed, seed, KEYD_SEED);
    k->open = true;
    return 0;
}

static void key_close(struct keyd_key *k)
{
    if (!k)
        return;
    secret_wipe(k->seed, KEYD_SEED);
    k->open = false;
}

void keyd_ring_close(struct keyd_ring *r)
{
    key_close(r->identity);
    for (size_t i = 0; i < r->n; i++)
        key_close(r->key[i]);
}

void keyd_ring_close_log(struct keyd_ring *r)
{
    key_close(r->log);
}

struct crypto_key *keyd_ring_private(const struct keyd_key *k)
{
    return k->open ? crypto_key_ed25519(k->seed) : NULL;
}
