/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was said, and what of it is signed (DSP0274 10.8.2, 10.11.1):
 *
 *   VCA  the three exchanges of negotiation
 *   M1   VCA || digests and certificates || CHALLENGE || CHALLENGE_AUTH
 *   L1   (VCA, from 1.2 on) || GET_MEASUREMENTS, MEASUREMENTS, ...
 */
#include "spdm_private.h"

#include <stdio.h>
#include <stdlib.h>

enum phase {
    AWAIT_VERSION,
    AWAIT_CAPABILITIES,
    AWAIT_ALGORITHMS,
    AGREED,
    DEAD
};

struct chain {
    bool complete;
    struct buf bytes;   /* as in table 33: length, reserved, root hash, certs */
    struct span digest; /* of DIGESTS, in digest_bytes */
    uint8_t digest_bytes[CRYPTO_HASH_MAX];
    struct crypto_pub *pub; /* of the leaf */
};

/* One value an index: the last that was told. */
struct blocks {
    size_t n;
    struct spdm_block block[SPDM_BLOCKS_MAX];
    uint8_t *value[SPDM_BLOCKS_MAX]; /* heap */
};

struct spdm_transcript {
    enum phase phase;
    bool padded;
    struct spdm_agreed agreed;
    struct spdm_versions offered;
    struct buf vca, m1, l1; /* m1 without VCA, l1 without VCA */
    struct chain chain[SPDM_SLOTS];
    struct spdm_result result;
    struct blocks pending; /* of l1, so far unsigned */
    struct blocks attested;
    struct spdm_measurements last; /* the answer under way */
    uint8_t nonce[SPDM_NONCE];
    uint8_t challenge_nonce[SPDM_NONCE];
    uint8_t signer[CRYPTO_HASH_MAX]; /* digest of the chain that signed */
    bool nonces_differ;              /* of the signed runs in attested */
    unsigned signatures;
};

static void blocks_clear(struct blocks *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->value[i]);
    b->n = 0;
}

/* Takes value, which is heap. */
static void blocks_put(
        struct blocks *b, const struct spdm_block *block, uint8_t *value)
{
    size_t i = 0;

    while (i < b->n && b->block[i].index != block->index)
        i++;
    if (i == b->n)
        b->n++; /* an index is a byte, 0 and 255 are none: there is room */
    else
        free(b->value[i]);
    b->value[i] = value;
    b->block[i] = *block;
    b->block[i].value = SPAN(value, block->value.len);
}

static int blocks_copy(
        struct blocks *b, const struct spdm_block *block, struct err *err)
{
    uint8_t *value = malloc(block->value.len ? block->value.len : 1);

    if (!value)
        return err_set(err, ERR_MEMORY, "SPDM: no memory for a measurement");
    memcpy(value, block->value.ptr, block->value.len);
    blocks_put(b, block, value);
    return 0;
}

/* All of from, which is empty afterwards. */
static void blocks_move(struct blocks *to, struct blocks *from)
{
    for (size_t i = 0; i < from->n; i++)
        blocks_put(to, &from->block[i], from->value[i]);
    from->n = 0;
}

struct spdm_transcript *spdm_transcript_new(bool padded)
{
    struct spdm_transcript *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->padded = padded;
    t->vca = t->m1 = t->l1 = BUF_INIT(SPDM_TRANSCRIPT_MAX);
    for (size_t i = 0; i < SPDM_SLOTS; i++)
        t->chain[i].bytes = BUF_INIT(SPDM_CHAIN_MAX);
    return t;
}

void spdm_transcript_free(struct spdm_transcript *t)
{
    if (!t)
        return;
    buf_fini(&t->vca);
    buf_fini(&t->m1);
    buf_fini(&t->l1);
    blocks_clear(&t->pending);
    blocks_clear(&t->attested);
    for (size_t i = 0; i < SPDM_SLOTS; i++) {
        buf_fini(&t->chain[i].bytes);
        crypto_pub_free(t->chain[i].pub);
    }
    free(t);
}

void spdm_transcript_free_ptr(struct spdm_transcript **t)
{
    spdm_transcript_free(*t);
}

const char *spdm_type_name(uint8_t type)
{
    static const char *const names[] = {
            [SPDM_TYPE_ROM] = "immutable ROM",
            [SPDM_TYPE_FIRMWARE] = "mutable firmware",
            [SPDM_TYPE_HARDWARE_CONFIG] = "hardware configuration",
            [SPDM_TYPE_FIRMWARE_CONFIG] = "firmware configuration",
            [SPDM_TYPE_MANIFEST] = "measurement manifest",
            [SPDM_TYPE_DEVICE_MODE] = "device mode",
            [SPDM_TYPE_VERSION] = "firmware version",
            [SPDM_TYPE_SVN] = "security version number",
            [SPDM_TYPE_HASH_EXTEND] = "hash-extended measurement",
    };

    return type < ARRAY_LEN(names) ? names[type] : "unknown";
}

/* ---- signatures (15) ------------------------------------------------- */

/* From 1.2 on the digest is signed behind a prefix and a context of its own,
 * so that no signature of one kind passes for one of another. */
#define PREFIX_SIZE  64
#define CONTEXT_SIZE 36

static int verify(const struct spdm_agreed *a, const struct crypto_pub *pub,
        const char *context, struct span vca, struct span rest,
        struct span message, struct span sig)
{
    CLEANUP(crypto_hasher_free_ptr)
    struct crypto_hasher *h = crypto_hasher_new(a->hash);
    uint8_t framed[PREFIX_SIZE + CONTEXT_SIZE + CRYPTO_HASH_MAX] = {0};
    uint8_t *digest = framed + PREFIX_SIZE + CONTEXT_SIZE;
    size_t n = strlen(context);

    if (!h)
        return ERR_MEMORY;
    crypto_hasher_update(h, vca);
    crypto_hasher_update(h, rest);
    crypto_hasher_update(h, message);
    crypto_hasher_final(h, digest);
    if (a->version < 0x12)
        return crypto_verify_digest(
                pub, a->scheme, a->hash, SPAN(digest, a->hash_size), sig);
    for (size_t i = 0; i < PREFIX_SIZE; i += 16) {
        char text[17];

        (void)snprintf(text, sizeof(text), "dmtf-spdm-v%u.%u.*",
                a->version >> 4, a->version & 0xfu);
        memcpy(framed + i, text, 16);
    }
    memcpy(framed + PREFIX_SIZE + CONTEXT_SIZE - n, context, n);
    return crypto_verify(pub, a->scheme, a->hash,
            SPAN(framed, PREFIX_SIZE + CONTEXT_SIZE + a->hash_size), sig);
}

static struct span chain_digest(
        const struct spdm_transcript *t, const struct chain *c, uint8_t *mem)
{
    crypto_hash(t->agreed.hash, buf_span(&c->bytes), mem);
    return SPAN(mem, t->agreed.hash_size);
}

/* What was proved is of one chain: what the key of another one signed is not
 * told of this one. */
static void take_signer(struct spdm_transcript *t, uint8_t slot)
{
    uint8_t mem[CRYPTO_HASH_MAX];
    struct span is = chain_digest(t, &t->chain[slot], mem);

    t->result.slot = slot;
    if (span_eq(is, SPAN(t->signer, is.len)))
        return;
    blocks_clear(&t->attested);
    t->result.challenge = false;
    t->result.nonce = t->result.challenge_nonce = SPAN_EMPTY;
    t->nonces_differ = false;
    memcpy(t->signer, is.ptr, is.len);
}

static enum spdm_signature judge(struct spdm_transcript *t, uint8_t slot,
        const char *context, struct span vca, const struct buf *rest,
        struct span message, struct span sig)
{
    const struct chain *c = &t->chain[slot];

    t->signatures++;
    if (!c->pub || !c->complete)
        return SPDM_SIG_UNJUDGED;
    if (verify(&t->agreed, c->pub, context, vca, buf_span(rest), message,
                sig) == 0) {
        take_signer(t, slot);
        return SPDM_SIG_GOOD;
    }
    t->result.bad++;
    return SPDM_SIG_BAD;
}

/* ---- negotiation ----------------------------------------------------- */

static void forget_measurements(struct spdm_transcript *t)
{
    buf_reset(&t->l1);
    t->result.n_unattested += t->pending.n;
    blocks_clear(&t->pending);
}

/* GET_VERSION begins anew: what was proved belongs to another connection. */
static int take_version(struct spdm_transcript *t, struct span request,
        struct span response, struct err *err)
{
    int rc = spdm_msg_versions(response, &t->offered, err);

    if (rc != 0)
        return rc;
    buf_reset(&t->vca);
    buf_reset(&t->m1);
    buf_reset(&t->l1);
    blocks_clear(&t->pending);
    blocks_clear(&t->attested);
    for (size_t i = 0; i < SPDM_SLOTS; i++) {
        buf_reset(&t->chain[i].bytes);
        crypto_pub_free(t->chain[i].pub);
        t->chain[i].pub = NULL;
        t->chain[i].complete = false;
        t->chain[i].digest = SPAN_EMPTY;
    }
    memset(&t->result, 0, sizeof(t->result));
    memset(t->signer, 0, sizeof(t->signer));
    t->nonces_differ = false;
    t->phase = AWAIT_CAPABILITIES;
    buf_append(&t->vca, request);
    buf_append(&t->vca, response);
    return 0;
}

static int take_capabilities(struct spdm_transcript *t, struct span request,
        struct span response, struct err *err)
{
    uint32_t flags;
    uint8_t version = request.ptr[0];
    size_t i = 0;
    int rc = spdm_msg_capabilities(response, &flags, err);

    if (rc != 0)
        return rc;
    if (version < 0x10 || version > 0x13)
        return err_set(err, ERR_UNSUPPORTED,
                "SPDM: version %u.%u is not known here", version >> 4,
                version & 0xfu);
    while (i < t->offered.n && t->offered.version[i] != version)
        i++;
    if (i == t->offered.n)
        return err_set(err, ERR_MISMATCH, "SPDM: version %u.%u was not offered",
                version >> 4, version & 0xfu);
    t->agreed = (struct spdm_agreed){.version = version, .flags = flags};
    t->phase = AWAIT_ALGORITHMS;
    buf_append(&t->vca, request);
    buf_append(&t->vca, response);
    return 0;
}

static int take_algorithms(struct spdm_transcript *t, struct span request,
        struct span response, struct err *err)
{
    int rc = spdm_msg_algorithms(response, &t->agreed, err);

    if (rc != 0)
        return rc;
    t->phase = AGREED;
    buf_append(&t->vca, request);
    buf_append(&t->vca, response);
    return 0;
}

/* ---- certificates ---------------------------------------------------- */

static int take_digests(struct spdm_transcript *t, struct span request,
        struct span response, struct spdm_seen *seen, struct err *err)
{
    struct spdm_digests d;
    int rc = spdm_msg_digests(&t->agreed, response, &d, err);

    if (rc != 0)
        return rc;
    seen->slots = d.slots;
    for (size_t i = 0; i < SPDM_SLOTS; i++) {
        struct chain *c = &t->chain[i];

        c->digest = SPAN_EMPTY;
        if (d.digest[i].len == 0)
            continue;
        memcpy(c->digest_bytes, d.digest[i].ptr, d.digest[i].len);
        c->digest = SPAN(c->digest_bytes, d.digest[i].len);
    }
    forget_measurements(t);
    buf_append(&t->m1, request);
    buf_append(&t->m1, response);
    return 0;
}

/* The certificates of a whole chain: behind length, reserved, root hash. */
static struct span certificates(
        const struct spdm_transcript *t, const struct chain *c)
{
    size_t skip = 4 + t->agreed.hash_size;

    return c->bytes.len > skip ? SPAN(c->bytes.ptr + skip, c->bytes.len - skip)
                               : SPAN_EMPTY;
}

/* The leaf's key must be of the kind that was agreed on. */
static int take_leaf(
        struct spdm_transcript *t, struct chain *c, struct err *err)
{
    CLEANUP(crypto_cert_free_ptr) struct crypto_cert *leaf = NULL;
    struct span cert[SPDM_CERTS_MAX];
    struct crypto_pub *pub;
    size_t n;
    int rc = spdm_chain_split(certificates(t, c), cert, &n, err);

    if (rc != 0)
        return rc;
    leaf = crypto_cert_from_der(cert[n - 1]);
    pub = leaf ? crypto_cert_pub(leaf) : NULL;
    if (!pub)
        return err_set(err, ERR_SYNTAX, "SPDM: leaf certificate has no key");
    if (crypto_pub_type(pub) != t->agreed.key ||
            crypto_pub_bits(pub) != t->agreed.key_bits) {
        crypto_pub_free(pub);
        return err_set(err, ERR_MISMATCH,
                "SPDM: the leaf's key is not of the kind that was agreed on");
    }
    crypto_pub_free(c->pub);
    c->pub = pub;
    return 0;
}

static int finish_chain(struct spdm_transcript *t, struct chain *c,
        struct spdm_seen *seen, struct err *err)
{
    uint8_t mem[CRYPTO_HASH_MAX];
    struct wire_reader r = wire_reader_of(buf_span(&c->bytes));
    uint16_t length, reserved;

    if (!wire_get_u16le(&r, &length) || !wire_get_u16le(&r, &reserved) ||
            length != c->bytes.len)
        return err_set(err, ERR_SYNTAX,
                "SPDM: certificate chain is %zu bytes and says otherwise",
                c->bytes.len);
    c->complete = true;
    seen->chain_complete = true;
    seen->digest_holds = span_eq(c->digest, chain_digest(t, c, mem));
    return take_leaf(t, c, err);
}

static int take_certificate(struct spdm_transcript *t, struct span request,
        struct span response, struct spdm_seen *seen, struct err *err)
{
    struct wire_reader r = wire_reader_of(request);
    struct spdm_portion p;
    struct spdm_header h;
    uint16_t offset, length;
    struct chain *c;
    int rc = spdm_msg_certificate(response, &p, err);

    if (rc != 0)
        return rc;
    if (!spdm_msg_header(&r, &h) || !wire_get_u16le(&r, &offset) ||
            !wire_get_u16le(&r, &length) || !wire_end(&r))
        return err_set(err, ERR_SYNTAX, "SPDM: GET_CERTIFICATE is malformed");
    if ((h.p1 & 0xf) != p.slot || p.bytes.len > length)
        return err_set(err, ERR_MISMATCH,
                "SPDM: CERTIFICATE is not what was asked for");
    c = &t->chain[p.slot];
    if (offset == 0) {
        buf_reset(&c->bytes);
        c->complete = false;
    }
    if (offset != c->bytes.len || c->complete)
        return err_set(err, ERR_STATE,
                "SPDM: CERTIFICATE at %u, the chain has %zu bytes", offset,
                c->bytes.len);
    seen->slot = p.slot;
    buf_append(&c->bytes, p.bytes);
    forget_measurements(t);
    buf_append(&t->m1, request);
    buf_append(&t->m1, response);
    rc = buf_ok(&c->bytes, err);
    if (rc != 0 || p.remainder > 0)
        return rc;
    return finish_chain(t, c, seen, err);
}

/* ---- challenge and measurements -------------------------------------- */

static int take_challenge(struct spdm_transcript *t, struct span request,
        struct span response, struct spdm_seen *seen, struct err *err)
{
    struct spdm_challenge asked;
    struct spdm_challenge_auth got;
    uint8_t mem[CRYPTO_HASH_MAX];
    struct chain *c;
    int rc = spdm_msg_challenge(&t->agreed, request, &asked, err);

    if (rc == 0)
        rc = spdm_msg_challenge_auth(&t->agreed, &asked, response, &got, err);
    if (rc != 0)
        return rc;
    c = &t->chain[got.slot];
    seen->slot = got.slot;
    seen->summary = asked.summary;
    seen->chain_hash_holds =
            c->complete && span_eq(got.chain_hash, chain_digest(t, c, mem));
    forget_measurements(t);
    buf_append(&t->m1, request);
    seen->signature = judge(t, got.slot, "responder-challenge_auth signing",
            buf_span(&t->vca), &t->m1, got.is_signed, got.signature);
    t->result.challenge =
            seen->signature == SPDM_SIG_GOOD && seen->chain_hash_holds;
    if (t->result.challenge) {
        memcpy(t->challenge_nonce, asked.nonce.ptr, SPDM_NONCE);
        t->result.challenge_nonce = SPAN_OF(t->challenge_nonce);
    }
    buf_reset(&t->m1);
    return 0;
}

static int hold_blocks(struct spdm_transcript *t, struct spdm_seen *seen,
        const struct spdm_measurements *m, struct err *err)
{
    for (size_t i = 0; i < m->n; i++) {
        int rc = blocks_copy(&t->pending, &m->block[i], err);

        if (rc != 0)
            return rc;
        seen->block[i] = m->block[i];
    }
    seen->n_blocks = m->n;
    return 0;
}

/* Blocks of an older run stay: they are as fresh as its own nonce. */
static void take_nonce(struct spdm_transcript *t, struct span nonce)
{
    t->nonces_differ =
            t->nonces_differ ||
            (t->result.nonce.len > 0 && !span_eq(t->result.nonce, nonce));
    memcpy(t->nonce, nonce.ptr, sizeof(t->nonce));
    t->result.nonce = t->nonces_differ ? SPAN_EMPTY : SPAN_OF(t->nonce);
}

/* A signature covers the whole run of requests since the last one. */
static void close_run(struct spdm_transcript *t,
        const struct spdm_get_measurements *asked, struct spdm_seen *seen)
{
    struct spdm_measurements *m = &t->last;
    struct span vca =
            t->agreed.version >= 0x12 ? buf_span(&t->vca) : SPAN_EMPTY;

    seen->signature = judge(t, m->slot, "responder-measurements signing", vca,
            &t->l1, m->is_signed, m->signature);
    if (seen->signature == SPDM_SIG_GOOD) {
        blocks_move(&t->attested, &t->pending);
        take_nonce(t, asked->nonce);
    }
    forget_measurements(t);
}

static int take_measurements(struct spdm_transcript *t, struct span request,
        struct span response, struct spdm_seen *seen, struct err *err)
{
    struct spdm_get_measurements asked;
    int rc = spdm_msg_get_measurements(&t->agreed, request, &asked, err);

    if (rc == 0)
        rc = spdm_msg_measurements(&t->agreed, &asked, response, &t->last, err);
    if (rc == 0)
        rc = hold_blocks(t, seen, &t->last, err);
    if (rc != 0)
        return rc;
    seen->operation = asked.operation;
    seen->total = t->last.total;
    seen->slot = t->last.slot;
    buf_reset(&t->m1); /* 10.8.2: measurements before CHALLENGE cut M1.B */
    buf_append(&t->l1, request);
    if (asked.sign) {
        close_run(t, &asked, seen);
        return 0;
    }
    buf_append(&t->l1, response);
    return 0;
}

/* ---- an exchange ----------------------------------------------------- */

typedef int handler(struct spdm_transcript *t, struct span request,
        struct span response, struct spdm_seen *seen, struct err *err);

static int on_version(struct spdm_transcript *t, struct span request,
        struct span response, struct spdm_seen *seen, struct err *err)
{
    (void)seen;
    return take_version(t, request, response, err);
}

static int on_capabilities(struct spdm_transcript *t, struct span request,
        struct span response, struct spdm_seen *seen, struct err *err)
{
    (void)seen;
    return take_capabilities(t, request, response, err);
}

static int on_algorithms(struct spdm_transcript *t, struct span request,
        struct span response, struct spdm_seen *seen, struct err *err)
{
    (void)seen;
    return take_algorithms(t, request, response, err);
}

static const struct {
    uint8_t request;
    uint8_t response;
    enum phase phase;
    bool any_phase;
    handler *take;
} exchanges[] = {
        {SPDM_GET_VERSION, SPDM_VERSION, AWAIT_VERSION, true, on_version},
        {SPDM_GET_CAPABILITIES, SPDM_CAPABILITIES, AWAIT_CAPABILITIES, false,
                on_capabilities},
        {SPDM_NEGOTIATE_ALGORITHMS, SPDM_ALGORITHMS, AWAIT_ALGORITHMS, false,
                on_algorithms},
        {SPDM_GET_DIGESTS, SPDM_DIGESTS, AGREED, false, take_digests},
        {SPDM_GET_CERTIFICATE, SPDM_CERTIFICATE, AGREED, false,
                take_certificate},
        {SPDM_CHALLENGE, SPDM_CHALLENGE_AUTH, AGREED, false, take_challenge},
        {SPDM_GET_MEASUREMENTS, SPDM_MEASUREMENTS, AGREED, false,
                take_measurements},
};

/* Requests that are not known here (keys, vendors) prove nothing; they end
 * what was measured so far, as every request but GET_MEASUREMENTS does. */
static int take_other(struct spdm_transcript *t, struct err *err)
{
    if (t->phase != AGREED)
        return err_set(err, ERR_STATE, "SPDM: request before negotiation");
    forget_measurements(t);
    return 0;
}

static int take_error(struct spdm_transcript *t, const struct spdm_header *h,
        struct spdm_seen *seen)
{
    seen->error = h->p1;
    forget_measurements(t);
    return 0;
}

static int take(struct spdm_transcript *t, struct span request,
        struct span response, struct spdm_seen *seen, struct err *err)
{
    struct wire_reader rq = wire_reader_of(request);
    struct wire_reader rs = wire_reader_of(response);
    struct spdm_header q, s;
    size_t i = 0;

    if (!spdm_msg_header(&rq, &q) || !spdm_msg_header(&rs, &s))
        return err_set(err, ERR_SYNTAX, "SPDM: message without a header");
    seen->request = q.code;
    seen->response = s.code;
    while (i < ARRAY_LEN(exchanges) && exchanges[i].request != q.code)
        i++;
    if (t->phase >= AWAIT_ALGORITHMS && q.code != SPDM_GET_VERSION &&
            (q.version != t->agreed.version || s.version != t->agreed.version))
        return err_set(err, ERR_MISMATCH,
                "SPDM: message of version %u.%u, %u.%u was agreed",
                s.version >> 4, s.version & 0xfu, t->agreed.version >> 4,
                t->agreed.version & 0xfu);
    if (s.code == SPDM_ERROR)
        return take_error(t, &s, seen);
    if (i == ARRAY_LEN(exchanges))
        return take_other(t, err);
    if (s.code != exchanges[i].response)
        return err_set(err, ERR_MISMATCH,
                "SPDM: 0x%02x is no answer to request 0x%02x", s.code, q.code);
    if (!exchanges[i].any_phase && t->phase != exchanges[i].phase)
        return err_set(
                err, ERR_STATE, "SPDM: request 0x%02x out of order", q.code);
    return exchanges[i].take(t, request, response, seen, err);
}

/* ---- padding of DOE -------------------------------------------------- */

static bool is_whole_request(const struct spdm_transcript *t, struct span m)
{
    const struct spdm_agreed *a = &t->agreed;
    struct spdm_challenge c;
    struct spdm_get_measurements g;

    switch (m.ptr[1]) {
    case SPDM_CHALLENGE:
        return spdm_msg_challenge(a, m, &c, NULL) == 0;
    case SPDM_GET_MEASUREMENTS:
        return spdm_msg_get_measurements(a, m, &g, NULL) == 0;
    default:
        return true; /* the others are whole words */
    }
}

static bool is_whole_response(
        struct spdm_transcript *t, struct span request, struct span m)
{
    struct spdm_portion p;
    struct spdm_digests d;
    struct spdm_versions v;
    struct spdm_challenge c;
    struct spdm_challenge_auth ca;
    struct spdm_get_measurements g;

    switch (m.ptr[1]) {
    case SPDM_VERSION:
        return spdm_msg_versions(m, &v, NULL) == 0;
    case SPDM_CERTIFICATE:
        return spdm_msg_certificate(m, &p, NULL) == 0;
    case SPDM_DIGESTS:
        return spdm_msg_digests(&t->agreed, m, &d, NULL) == 0;
    case SPDM_CHALLENGE_AUTH:
        return spdm_msg_challenge(&t->agreed, request, &c, NULL) == 0 &&
               spdm_msg_challenge_auth(&t->agreed, &c, m, &ca, NULL) == 0;
    case SPDM_MEASUREMENTS:
        return spdm_msg_get_measurements(&t->agreed, request, &g, NULL) == 0 &&
               spdm_msg_measurements(&t->agreed, &g, m, &t->last, NULL) == 0;
    default:
        return true;
    }
}

/* Messages tell their own length, so at most one of these is whole. */
static struct span unpad(struct spdm_transcript *t, struct span request,
        struct span m, bool is_request)
{
    struct span cut = m;

    for (int i = 0; i < 4 && cut.len > SPDM_HEADER; i++, cut.len--) {
        if (is_request ? is_whole_request(t, cut)
                       : is_whole_response(t, request, cut))
            return cut;
        if (cut.ptr[cut.len - 1] != 0)
            break;
    }
    return m;
}

int spdm_transcript_take(struct spdm_transcript *t, struct span request,
        struct span response, struct spdm_seen *ret, struct err *err)
{
    struct spdm_seen *seen = ret ? ret : calloc(1, sizeof(*seen));
    int rc;

    if (!seen)
        return err_set(err, ERR_MEMORY, "SPDM: no memory");
    memset(seen, 0, sizeof(*seen));
    if (t->phase == DEAD)
        rc = err_set(err, ERR_STATE, "SPDM: nothing is taken after an error");
    else if (request.len < SPDM_HEADER || request.len > SPDM_MESSAGE_MAX ||
             response.len < SPDM_HEADER || response.len > SPDM_MESSAGE_MAX)
        rc = err_set(err, ERR_LIMIT, "SPDM: message of %zu or %zu bytes",
                request.len, response.len);
    else {
        if (t->padded) {
            request = unpad(t, SPAN_EMPTY, request, true);
            response = unpad(t, request, response, false);
        }
        rc = take(t, request, response, seen, err);
        if (rc == 0 && t->signatures > SPDM_SIGNATURES_MAX)
            rc = err_set(err, ERR_LIMIT, "SPDM: more than %d signatures",
                    SPDM_SIGNATURES_MAX);
        if (rc == 0)
            rc = buf_ok(&t->m1, err);
        if (rc == 0)
            rc = buf_ok(&t->l1, err);
        if (rc == 0)
            rc = buf_ok(&t->vca, err);
    }
    if (rc != 0)
        t->phase = DEAD;
    if (!ret)
        free(seen);
    return rc;
}

bool spdm_transcript_chain(const struct spdm_transcript *t, uint8_t slot,
        struct span *ret_root_hash, struct span *ret_certificates)
{
    const struct chain *c = &t->chain[slot % SPDM_SLOTS];

    if (!c->complete)
        return false;
    *ret_certificates = certificates(t, c);
    *ret_root_hash = SPAN(c->bytes.ptr + 4, t->agreed.hash_size);
    return true;
}

const struct spdm_agreed *spdm_transcript_agreed(
        const struct spdm_transcript *t)
{
    return &t->agreed;
}

/* A slot may be read again, and be another's then. */
static bool is_signer(const struct spdm_transcript *t, const struct chain *c)
{
    uint8_t mem[CRYPTO_HASH_MAX];

    return c->complete && span_eq(chain_digest(t, c, mem),
                                  SPAN(t->signer, t->agreed.hash_size));
}

void spdm_transcript_result(
        const struct spdm_transcript *t, struct spdm_result *ret)
{
    const struct chain *c = &t->chain[t->result.slot];

    *ret = t->result;
    ret->agreed = t->agreed;
    ret->n_blocks = t->attested.n;
    ret->block = t->attested.block;
    ret->n_unattested += t->pending.n;
    ret->attested = t->phase == AGREED && t->attested.n > 0 &&
                    t->result.bad == 0 && is_signer(t, c);
    ret->challenge = ret->challenge && is_signer(t, c);
    (void)!spdm_transcript_chain(
            t, t->result.slot, &ret->root_hash, &ret->chain);
}

/* ---- records --------------------------------------------------------- */

static void put_message(struct buf *record, struct span m)
{
    uint8_t head[4];
    struct wire_writer w = wire_writer_of(head, sizeof(head));
    struct span out;

    wire_put_u32be(&w, (uint32_t)m.len);
    if (wire_finish(&w, &out))
        buf_append(record, out);
    buf_append(record, m);
}

void spdm_record_put(
        struct buf *record, struct span request, struct span response)
{
    put_message(record, request);
    put_message(record, response);
}

int spdm_transcript_replay(
        struct spdm_transcript *t, struct span record, struct err *err)
{
    struct wire_reader r = wire_reader_of(record);
    unsigned n = 0;

    if (record.len > SPDM_TRANSCRIPT_MAX)
        return err_set(err, ERR_LIMIT, "SPDM: record of %zu bytes", record.len);
    while (!wire_end(&r)) {
        struct span request, response;
        int rc;

        if (!wire_get_vec32be(&r, &request) || !wire_get_vec32be(&r, &response))
            return err_set(
                    err, ERR_SYNTAX, "SPDM: record ends in exchange %u", n);
        rc = spdm_transcript_take(t, request, response, NULL, err);
        if (rc != 0)
            return err_prefix(err, rc, "exchange %u", n);
        n++;
    }
    return 0;
}
