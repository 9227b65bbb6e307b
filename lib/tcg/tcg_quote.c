/* SPDX-License-Identifier: Apache-2.0 */
/* A quote judged: every reason against it, not only the first. */
#include "tcg_private.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *word;
    const char *text;
} whys[TCG_WHY_COUNT_] = {
        [TCG_WHY_NONE] = {"", ""},
        [TCG_WHY_LENGTH] = {"length", "a length runs out of the structure"},
        [TCG_WHY_COUNT] = {"count", "more banks than a TPM has"},
        [TCG_WHY_SELECT] = {"pcr-select", "malformed PCR selection"},
        [TCG_WHY_VALUE] = {"value", "a value that the standard does not have"},
        [TCG_WHY_MAGIC] = {"magic", "no TPM made it"},
        [TCG_WHY_NOT_A_QUOTE] = {"not-a-quote", "it is no quote"},
        [TCG_WHY_TRAILING] = {"trailing", "bytes behind the structure"},
        [TCG_WHY_DUPLICATE_BANK] = {"duplicate-bank",
                "a bank is selected twice"},
        [TCG_WHY_AK_FORMAT] = {"ak-format",
                "the attestation key is no public key known here"},
        [TCG_WHY_AK_NOT_RESTRICTED] = {"ak-not-restricted",
                "the attestation key is not restricted: it would sign a forged "
                "quote"},
        [TCG_WHY_AK_NOT_SIGNING] = {"ak-not-signing",
                "the attestation key is not for signing"},
        [TCG_WHY_AK_DECRYPTS] = {"ak-decrypts",
                "the attestation key can decrypt"},
        [TCG_WHY_AK_NOT_FIXED] = {"ak-not-fixed-tpm",
                "the attestation key is not made in and fixed to one TPM"},
        [TCG_WHY_AK_SCHEME] = {"ak-scheme",
                "the attestation key has no signing scheme of its own"},
        [TCG_WHY_AK_WEAK] = {"ak-weak",
                "the attestation key's hash, size or curve is not accepted"},
        [TCG_WHY_AK_OTHER] = {"ak-not-pinned-one",
                "the attestation key is not the pinned one"},
        [TCG_WHY_AK_NOT_PINNED] = {"ak-not-pinned",
                "nothing ties the attestation key to a TPM: it must be pinned"},
        [TCG_WHY_SIG_FORMAT] = {"sig-format", "the signature is malformed"},
        [TCG_WHY_SIG_ALG] = {"sig-alg-not-ak-scheme",
                "the signature is not of the key's scheme"},
        [TCG_WHY_SIG_HASH] = {"sig-hash-not-ak-scheme",
                "the signature is not with the key's hash"},
        [TCG_WHY_SIGNATURE] = {"signature", "the signature does not hold"},
        [TCG_WHY_NONCE] = {"nonce", "it was not made for this challenge"},
        [TCG_WHY_REQUIRED] = {"required-pcr-not-quoted",
                "a required PCR is not in the signed selection"},
        [TCG_WHY_PCR_FILE] = {"pcr-file",
                "the PCR values are not those of the selection"},
        [TCG_WHY_PCR_DIGEST] = {"pcr-digest",
                "the PCR values are not the quoted ones"},
        [TCG_WHY_CONTINUITY] = {"continuity",
                "the TPM's clock or counts went back"},
};

const char *tcg_why_word(enum tcg_why w)
{
    return whys[w].word;
}

const char *tcg_why_text(enum tcg_why w)
{
    return whys[w].text;
}

/* ---- continuity ------------------------------------------------------ */

const char *tcg_continuity_name(enum tcg_continuity c)
{
    static const char *const names[] = {
            "first", "ok", "restart", "reboot", "violation"};

    return names[c];
}

enum tcg_continuity tcg_continuity_of(
        const struct tcg_attest *now, const struct tcg_attest *before)
{
    const struct tcg_clock *a = &now->clock, *b = &before->clock;
    int boot = tcg_boot_cmp(a, b);
    bool readable = a->safe && b->safe;

    if (boot < 0)
        return TCG_VIOLATION;
    if (boot > 0) {
        if (readable && a->clock < b->clock)
            return TCG_VIOLATION;
        return a->resets == b->resets ? TCG_RESTART : TCG_REBOOT;
    }
    if ((b->safe && !a->safe) || now->firmware != before->firmware)
        return TCG_VIOLATION;
    /* Within a boot the clock only runs, whether it is safe or not. */
    return a->clock > b->clock ? TCG_SAME_BOOT : TCG_VIOLATION;
}

/* ---- attestation keys ------------------------------------------------ */

struct tcg_ak {
    bool has_public;
    struct tcg_public public;
    struct tcg_name pin;
    struct crypto_pub *pub;
    uint32_t why; /* what stands against it as an AK */
    size_t len;
    uint8_t bytes[]; /* what public points into */
};

/* TPMT_PUBLIC of RSA-4096 with every hash; PEM of the same is longer. */
#define AK_BYTES_MAX 4096

static bool is_public_area(struct span s)
{
    return s.len > 2 && s.ptr[0] == 0 &&
           (s.ptr[1] == TCG_ALG_RSA || s.ptr[1] == TCG_ALG_ECC);
}

static int take_public(struct tcg_ak *k, struct err *err)
{
    struct span area = SPAN(k->bytes, k->len);
    int r;

    if (!is_public_area(area))
        area = tcg_file_unwrap(area);
    r = tcg_public(area, &k->public, err);
    if (r != 0)
        return r;
    k->has_public = true;
    k->why = tcg_ak_reasons(&k->public);
    k->pub = tcg_pub(&k->public);
    if (!k->pub || tcg_name(&k->public, &k->pin) != 0)
        return err_set(err, ERR_UNSUPPORTED,
                "attestation key is not a valid key known here");
    return 0;
}

static int take_spki(struct tcg_ak *k, struct err *err)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    struct span s = SPAN(k->bytes, k->len);
    size_t len;

    k->pub = s.len > 0 && s.ptr[0] == 0x30 ? crypto_pub_from_spki(s)
                                           : crypto_pub_from_pem(s);
    if (!k->pub || crypto_pub_type(k->pub) == CRYPTO_ED25519 ||
            crypto_pub_spki(k->pub, spki, sizeof(spki), &len) != 0)
        return err_set(err, ERR_UNSUPPORTED,
                "attestation key is not a public key known here");
    crypto_sha256(SPAN(spki, len), k->pin.bytes);
    k->pin.len = CRYPTO_SHA256_SIZE;
    return 0;
}

int tcg_ak_new(struct span bytes, struct tcg_ak **ret, struct err *err)
{
    CLEANUP(tcg_ak_free_ptr) struct tcg_ak *k = NULL;
    bool spki;
    int r;

    if (bytes.len == 0 || bytes.len > AK_BYTES_MAX)
        return err_set(
                err, ERR_LIMIT, "attestation key of %zu bytes", bytes.len);
    k = calloc(1, sizeof(*k) + bytes.len);
    if (!k)
        return err_set(err, ERR_MEMORY, "no memory");
    memcpy(k->bytes, bytes.ptr, bytes.len);
    k->len = bytes.len;
    spki = bytes.ptr[0] == 0x30 || bytes.ptr[0] == '-';
    r = spki ? take_spki(k, err) : take_public(k, err);
    if (r == 0)
        *ret = TAKE_PTR(k);
    return r;
}

void tcg_ak_free(struct tcg_ak *k)
{
    if (!k)
        return;
    crypto_pub_free(k->pub);
    free(k);
}

void tcg_ak_free_ptr(struct tcg_ak **k)
{
    tcg_ak_free(*k);
}

const struct tcg_public *tcg_ak_public(const struct tcg_ak *k)
{
    return k->has_public ? &k->public : NULL;
}

const struct crypto_pub *tcg_ak_pub(const struct tcg_ak *k)
{
    return k->pub;
}

struct span tcg_ak_pin(const struct tcg_ak *k)
{
    return SPAN(k->pin.bytes, k->pin.len);
}

/* ---- judging --------------------------------------------------------- */

static void set(struct tcg_quote *q, enum tcg_why w)
{
    q->why |= 1u << w;
}

static void judge_ak(const struct tcg_ak *ak, const struct tcg_quote_want *want,
        struct tcg_quote *q)
{
    q->why |= ak->why;
    if (want->pin.len > 0) {
        if (!span_eq_ct(want->pin, tcg_ak_pin(ak)))
            set(q, TCG_WHY_AK_OTHER);
    } else if (!want->any_ak || !ak->has_public) {
        set(q, TCG_WHY_AK_NOT_PINNED);
    }
}

/* A digest's length tells its hash, where nothing else does. */
static uint16_t hash_of_size(size_t size)
{
    return size == CRYPTO_SHA256_SIZE   ? TCG_ALG_SHA256
           : size == CRYPTO_SHA384_SIZE ? TCG_ALG_SHA384
           : size == CRYPTO_SHA512_SIZE ? TCG_ALG_SHA512
                                        : TCG_ALG_NULL;
}

/* The curve's size in bytes, 0 for RSA. */
static size_t curve_of(const struct crypto_pub *k)
{
    return crypto_pub_type(k) == CRYPTO_RSA ? 0 : (crypto_pub_bits(k) + 7) / 8;
}

/*
 * The plain form of tpm2_quote -f plain names no scheme: it is the key's, and
 * for a public key alone the one with the hash of the quote's own digest.
 */
static bool take_plain(const struct tcg_ak *ak, struct span sig,
        struct tcg_quote *q, uint8_t rs[static 2 * TCG_COORDINATE_MAX])
{
    size_t n = curve_of(ak->pub);
    struct tcg_signature s = {
            .alg = n ? TCG_ALG_ECDSA : TCG_ALG_RSASSA,
            .hash = hash_of_size(q->attest.head.pcr_digest.len),
    };

    if (ak->has_public) {
        s.alg = ak->public.scheme;
        s.hash = ak->public.scheme_hash;
    }
    if (n == 0 && sig.len != crypto_pub_bits(ak->pub) / 8)
        return false;
    if (n != 0 && crypto_ecdsa_from_der(sig, rs, n) != 0)
        return false;
    if (n == 0)
        s.rsa = sig;
    else
        s.r = SPAN(rs, n), s.s = SPAN(rs + n, n);
    q->sig = s;
    return true;
}

static bool holds(const struct tcg_ak *ak, struct span msg, bool plain,
        struct tcg_quote *q)
{
    if (tcg_verify_with(ak->pub, msg, &q->sig, NULL) == 0)
        return true;
    if (!plain || ak->has_public || q->sig.alg != TCG_ALG_RSASSA)
        return false;
    q->sig.alg = TCG_ALG_RSAPSS;
    return tcg_verify_with(ak->pub, msg, &q->sig, NULL) == 0;
}

static void judge_signature(const struct tcg_ak *ak, struct span msg,
        struct span sig, struct tcg_quote *q)
{
    uint8_t rs[2 * TCG_COORDINATE_MAX];
    enum crypto_hash hash;
    bool plain = tcg_signature(sig, &q->sig, NULL) != 0;

    if (plain && !take_plain(ak, sig, q, rs)) {
        set(q, TCG_WHY_SIG_FORMAT);
        return;
    }
    if (ak->has_public && q->sig.alg != ak->public.scheme)
        set(q, TCG_WHY_SIG_ALG);
    if ((ak->has_public && q->sig.hash != ak->public.scheme_hash) ||
            !tcg_hash(q->sig.hash, &hash) || hash == CRYPTO_SHA1)
        set(q, TCG_WHY_SIG_HASH);
    q->signature_judged =
            !(q->why & (1u << TCG_WHY_SIG_ALG | 1u << TCG_WHY_SIG_HASH));
    if (q->signature_judged) {
        q->signature = holds(ak, msg, plain, q);
        if (!q->signature)
            set(q, TCG_WHY_SIGNATURE);
    }
    /* What stood on this stack is not to be shown later. */
    if (plain)
        q->sig.r = q->sig.s = SPAN_EMPTY;
}

static bool take_values(const struct tcg_quote_want *want, struct tcg_quote *q)
{
    const struct tcg_selection *s = &q->attest.head.selection;

    if (want->values) {
        q->values = *want->values;
        return tcg_values_fit(s, &q->values);
    }
    if (want->pcr_file.len > 0)
        return tcg_file_pcrs(want->pcr_file, s, &q->values, NULL) == 0;
    return tcg_values_of_claims(s, want->claims, want->n_claims, &q->values) ==
           0;
}

static void judge_pcrs(const struct tcg_quote_want *want, struct tcg_quote *q)
{
    const struct tcg_attest *a = &q->attest.head;
    uint8_t digest[CRYPTO_HASH_MAX];
    enum crypto_hash hash;

    if (!want->any_pcrs &&
            (tcg_selection_count(&want->required) == 0 ||
                    !tcg_selection_covers(&a->selection, &want->required)))
        set(q, TCG_WHY_REQUIRED);
    if (!want->values && want->pcr_file.len == 0 && want->n_claims == 0)
        return;
    /* The digest is made with the hash of the scheme: without one that is
     * accepted there is nothing to compare with. */
    if (!q->signature_judged || !tcg_hash(q->sig.hash, &hash))
        return;
    q->pcr_judged = true;
    if (!take_values(want, q)) {
        set(q, want->pcr_file.len > 0 ? TCG_WHY_PCR_FILE : TCG_WHY_PCR_DIGEST);
        return;
    }
    q->pcr_digest =
            tcg_pcr_digest(&q->values, hash, digest) == 0 &&
            span_eq(SPAN(digest, crypto_hash_size(hash)), a->pcr_digest);
    if (!q->pcr_digest)
        set(q, TCG_WHY_PCR_DIGEST);
}

static void judge_fresh(const struct tcg_quote_want *want, struct tcg_quote *q)
{
    const struct tcg_attest *a = &q->attest.head;

    if (!want->any_nonce) {
        q->nonce_judged = true;
        q->nonce = want->nonce.len > 0 && span_eq_ct(want->nonce, a->extra);
        if (!q->nonce)
            set(q, TCG_WHY_NONCE);
    }
    q->continuity =
            want->before ? tcg_continuity_of(a, want->before) : TCG_FIRST;
    if (q->continuity == TCG_VIOLATION)
        set(q, TCG_WHY_CONTINUITY);
}

static int says(uint32_t why, struct err *err)
{
    char words[ERR_MSG_MAX];
    size_t at = 0;

    words[0] = '\0';
    for (int w = TCG_WHY_NONE + 1; w < TCG_WHY_COUNT_; w++) {
        if (why & 1u << w && at < sizeof(words))
            at += (size_t)snprintf(words + at, sizeof(words) - at, "%s%s",
                    at ? ", " : "", whys[w].word);
    }
    return err_set(err, ERR_DENIED, "quote refused: %s", words);
}

int tcg_quote_judge(const struct tcg_ak *ak, struct span msg, struct span sig,
        const struct tcg_quote_want *want, struct tcg_quote *ret,
        struct err *err)
{
    struct tcg_quote q = {0};

    msg = tcg_file_unwrap(msg);
    q.why = tcg_attest_parse(msg, &q.attest, &q.parsed);
    if (q.parsed) {
        judge_ak(ak, want, &q);
        judge_signature(ak, msg, sig, &q);
        judge_fresh(want, &q);
    }
    if (q.parsed && q.attest.head.type == TCG_ATTEST_QUOTE)
        judge_pcrs(want, &q);
    *ret = q;
    return q.why ? says(q.why, err) : 0;
}
