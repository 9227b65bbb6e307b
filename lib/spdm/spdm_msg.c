/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SPDM messages (DSP0274 1.3, section 10), each with the lengths and reserved
 * fields of its version.  What a message means in its place is the
 * transcript's.
 */
#include "spdm_private.h"

bool spdm_msg_header(struct wire_reader *r, struct spdm_header *ret)
{
    struct spdm_header h;

    if (!wire_get_u8(r, &h.version) || !wire_get_u8(r, &h.code) ||
            !wire_get_u8(r, &h.p1) || !wire_get_u8(r, &h.p2))
        return false;
    *ret = h;
    return true;
}

static int malformed(struct err *err, const char *what)
{
    return err_set(err, ERR_SYNTAX, "SPDM: %s is malformed", what);
}

/* ---- negotiation ----------------------------------------------------- */

int spdm_msg_versions(
        struct span response, struct spdm_versions *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(response);
    struct spdm_versions v = {0};
    struct spdm_header h;
    uint8_t reserved, n;

    if (!spdm_msg_header(&r, &h) || !wire_get_u8(&r, &reserved) ||
            !wire_get_u8(&r, &n))
        return malformed(err, "VERSION");
    if (n == 0 || n > SPDM_VERSIONS_MAX)
        return err_set(err, ERR_LIMIT, "SPDM: VERSION with %u entries", n);
    for (v.n = 0; v.n < n; v.n++) {
        uint16_t entry; /* major, minor, update, alpha: four bits each */

        if (!wire_get_u16le(&r, &entry))
            return malformed(err, "VERSION");
        v.version[v.n] = (uint8_t)(entry >> 8);
    }
    if (!wire_end(&r))
        return malformed(err, "VERSION");
    *ret = v;
    return 0;
}

/* 1.0 and 1.1 end behind the flags; 1.2 adds two sizes (10.4). */
int spdm_msg_capabilities(
        struct span response, uint32_t *ret_flags, struct err *err)
{
    struct wire_reader r = wire_reader_of(response);
    struct spdm_header h;
    struct span reserved;
    uint8_t exponent;
    uint32_t flags, transfer, largest;

    if (!spdm_msg_header(&r, &h) || !wire_get_span(&r, 1, &reserved) ||
            !wire_get_u8(&r, &exponent) || !wire_get_span(&r, 2, &reserved) ||
            !wire_get_u32le(&r, &flags))
        return malformed(err, "CAPABILITIES");
    if (h.version >= 0x12 &&
            (!wire_get_u32le(&r, &transfer) || !wire_get_u32le(&r, &largest)))
        return malformed(err, "CAPABILITIES");
    if (!wire_end(&r))
        return malformed(err, "CAPABILITIES");
    if (h.version >= 0x12 && (transfer < 42 || largest < transfer))
        return err_set(err, ERR_SYNTAX,
                "SPDM: CAPABILITIES with transfer sizes %u and %u", transfer,
                largest);
    *ret_flags = flags;
    return 0;
}

static const struct {
    uint32_t bit;
    enum crypto_scheme scheme;
    enum crypto_key_type key;
    unsigned bits;
    size_t sig_size;
} asyms[] = {
        {SPDM_ASYM_RSASSA_2048, CRYPTO_SIG_RSASSA, CRYPTO_RSA, 2048, 256},
        {SPDM_ASYM_RSAPSS_2048, CRYPTO_SIG_RSAPSS, CRYPTO_RSA, 2048, 256},
        {SPDM_ASYM_RSASSA_3072, CRYPTO_SIG_RSASSA, CRYPTO_RSA, 3072, 384},
        {SPDM_ASYM_RSAPSS_3072, CRYPTO_SIG_RSAPSS, CRYPTO_RSA, 3072, 384},
        {SPDM_ASYM_P256, CRYPTO_SIG_ECDSA, CRYPTO_P256, 256, 64},
        {SPDM_ASYM_RSASSA_4096, CRYPTO_SIG_RSASSA, CRYPTO_RSA, 4096, 512},
        {SPDM_ASYM_RSAPSS_4096, CRYPTO_SIG_RSAPSS, CRYPTO_RSA, 4096, 512},
        {SPDM_ASYM_P384, CRYPTO_SIG_ECDSA, CRYPTO_P384, 384, 96},
        {SPDM_ASYM_P521, CRYPTO_SIG_ECDSA, CRYPTO_P521, 521, 132},
};
static const struct {
    uint32_t bit;
    enum crypto_hash hash;
} hashes[] = {
        {SPDM_HASH_SHA256, CRYPTO_SHA256},
        {SPDM_HASH_SHA384, CRYPTO_SHA384},
        {SPDM_HASH_SHA512, CRYPTO_SHA512},
};

/* Exactly one bit of each selection, and one that can be computed here. */
static int choose(struct spdm_agreed *a, struct err *err)
{
    size_t i = 0, k = 0;

    while (i < ARRAY_LEN(asyms) && asyms[i].bit != a->asym)
        i++;
    while (k < ARRAY_LEN(hashes) && hashes[k].bit != a->hash_sel)
        k++;
    if (i == ARRAY_LEN(asyms) || k == ARRAY_LEN(hashes))
        return err_set(err, ERR_UNSUPPORTED,
                "SPDM: signature 0x%x or hash 0x%x is not known here", a->asym,
                a->hash_sel);
    a->scheme = asyms[i].scheme;
    a->key = asyms[i].key;
    a->key_bits = asyms[i].bits;
    a->sig_size = asyms[i].sig_size;
    a->hash = hashes[k].hash;
    a->hash_size = crypto_hash_size(a->hash);
    return 0;
}

/* 10.5: fixed part, external algorithms, and from 1.1 on structures. */
int spdm_msg_algorithms(
        struct span response, struct spdm_agreed *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(response);
    struct spdm_agreed a = *ret;
    struct spdm_header h;
    struct span reserved, rest;
    uint16_t length;
    uint8_t spec, n_asym, n_hash;
    int rc;

    if (!spdm_msg_header(&r, &h) || !wire_get_u16le(&r, &length) ||
            !wire_get_u8(&r, &spec) || !wire_get_u8(&r, &a.other) ||
            !wire_get_u32le(&r, &a.measurement_hash) ||
            !wire_get_u32le(&r, &a.asym) || !wire_get_u32le(&r, &a.hash_sel) ||
            !wire_get_span(&r, 12, &reserved) || !wire_get_u8(&r, &n_asym) ||
            !wire_get_u8(&r, &n_hash) || !wire_get_span(&r, 2, &reserved))
        return malformed(err, "ALGORITHMS");
    if (length != response.len)
        return err_set(err, ERR_SYNTAX,
                "SPDM: ALGORITHMS says %u bytes and has %zu", length,
                response.len);
    /* an algorithm outside of the table cannot be verified here */
    if (n_asym != 0 || n_hash != 0)
        return err_set(err, ERR_UNSUPPORTED,
                "SPDM: ALGORITHMS selects external algorithms");
    for (unsigned i = 0; h.version >= 0x11 && i < h.p1; i++) {
        uint8_t type, count; /* count: fixed bytes 7..4, external 3..0 */
        uint16_t supported;

        if (!wire_get_u8(&r, &type) || !wire_get_u8(&r, &count) ||
                !wire_get_u16le(&r, &supported) || count >> 4 != 2 ||
                !wire_get_span(&r, 4 * (size_t)(count & 0xf), &rest))
            return malformed(err, "structure of ALGORITHMS");
    }
    if (!wire_end(&r))
        return malformed(err, "ALGORITHMS");
    rc = choose(&a, err);
    if (rc != 0)
        return rc;
    *ret = a;
    return 0;
}

/* ---- certificates ---------------------------------------------------- */

/* 10.6.  A slot more costs 4 bytes in 1.3 with several keys: pair id,
 * information, usage. */
int spdm_msg_digests(const struct spdm_agreed *a, struct span response,
        struct spdm_digests *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(response);
    struct spdm_digests d = {0};
    struct spdm_header h;
    struct span rest;
    size_t n = 0;

    if (!spdm_msg_header(&r, &h))
        return malformed(err, "DIGESTS");
    d.slots = h.p2;
    for (unsigned i = 0; i < SPDM_SLOTS; i++) {
        if (!(d.slots >> i & 1))
            continue;
        n++;
        if (!wire_get_span(&r, a->hash_size, &d.digest[i]))
            return malformed(err, "DIGESTS");
    }
    if (a->version >= 0x13 && (a->other & SPDM_OTHER_MULTI_KEY) &&
            !wire_get_span(&r, 4 * n, &rest))
        return malformed(err, "DIGESTS");
    if (!wire_end(&r))
        return malformed(err, "DIGESTS");
    *ret = d;
    return 0;
}

int spdm_msg_certificate(
        struct span response, struct spdm_portion *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(response);
    struct spdm_portion p;
    struct spdm_header h;
    uint16_t n;

    if (!spdm_msg_header(&r, &h) || !wire_get_u16le(&r, &n) ||
            !wire_get_u16le(&r, &p.remainder) ||
            !wire_get_span(&r, n, &p.bytes) || !wire_end(&r))
        return malformed(err, "CERTIFICATE");
    p.slot = h.p1 & 0xf;
    if (p.slot >= SPDM_SLOTS)
        return err_set(err, ERR_SYNTAX, "SPDM: CERTIFICATE of slot %u", p.slot);
    *ret = p;
    return 0;
}

/* ---- challenge (10.8) ------------------------------------------------ */

int spdm_msg_challenge(const struct spdm_agreed *a, struct span request,
        struct spdm_challenge *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(request);
    struct spdm_challenge c = {.context = SPAN_EMPTY};
    struct spdm_header h;

    if (!spdm_msg_header(&r, &h) || !wire_get_span(&r, SPDM_NONCE, &c.nonce) ||
            (a->version >= 0x13 &&
                    !wire_get_span(&r, SPDM_CONTEXT, &c.context)) ||
            !wire_end(&r))
        return malformed(err, "CHALLENGE");
    c.slot = h.p1;
    c.summary = h.p2;
    if (c.slot >= SPDM_SLOTS)
        return err_set(err, ERR_UNSUPPORTED,
                "SPDM: CHALLENGE of slot %u: keys without a certificate are "
                "not judged here",
                c.slot);
    *ret = c;
    return 0;
}

/* Opaque data, the requester's context (1.3), then nothing or a signature. */
static bool get_tail(const struct spdm_agreed *a, struct wire_reader *r,
        size_t sig_size, struct span *ret_context, struct span *ret_sig)
{
    struct span opaque;
    uint16_t n;

    return wire_get_u16le(r, &n) && wire_get_span(r, n, &opaque) &&
           (a->version < 0x13 || wire_get_span(r, SPDM_CONTEXT, ret_context)) &&
           (sig_size == 0 || wire_get_span(r, sig_size, ret_sig)) &&
           wire_end(r);
}

int spdm_msg_challenge_auth(const struct spdm_agreed *a,
        const struct spdm_challenge *asked, struct span response,
        struct spdm_challenge_auth *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(response);
    struct spdm_challenge_auth c = {.context = SPAN_EMPTY};
    struct spdm_header h;
    struct span nonce, summary;

    if (!spdm_msg_header(&r, &h) ||
            !wire_get_span(&r, a->hash_size, &c.chain_hash) ||
            !wire_get_span(&r, SPDM_NONCE, &nonce) ||
            (asked->summary != 0 &&
                    !wire_get_span(&r, a->hash_size, &summary)) ||
            !get_tail(a, &r, a->sig_size, &c.context, &c.signature))
        return malformed(err, "CHALLENGE_AUTH");
    c.slot = h.p1 & 0xf;
    if (c.slot != asked->slot || !span_eq(c.context, asked->context))
        return err_set(err, ERR_MISMATCH,
                "SPDM: CHALLENGE_AUTH answers another challenge");
    c.is_signed = SPAN(response.ptr, response.len - a->sig_size);
    *ret = c;
    return 0;
}

/* ---- measurements (10.11) -------------------------------------------- */

int spdm_msg_get_measurements(const struct spdm_agreed *a, struct span request,
        struct spdm_get_measurements *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(request);
    struct spdm_get_measurements g = {.context = SPAN_EMPTY};
    struct spdm_header h;

    if (!spdm_msg_header(&r, &h))
        return malformed(err, "GET_MEASUREMENTS");
    g.operation = h.p2;
    g.sign = h.p1 & 1;
    if (g.sign && (!wire_get_span(&r, SPDM_NONCE, &g.nonce) ||
                          (a->version >= 0x11 && !wire_get_u8(&r, &g.slot))))
        return malformed(err, "GET_MEASUREMENTS");
    if (a->version >= 0x13 && !wire_get_span(&r, SPDM_CONTEXT, &g.context))
        return malformed(err, "GET_MEASUREMENTS");
    if (!wire_end(&r))
        return malformed(err, "GET_MEASUREMENTS");
    if (g.slot >= SPDM_SLOTS)
        return err_set(err, ERR_UNSUPPORTED,
                "SPDM: GET_MEASUREMENTS of slot %u: keys without a certificate "
                "are not judged here",
                g.slot);
    *ret = g;
    return 0;
}

/* Table 54: the DMTF form inside of every block. */
static bool get_block(struct wire_reader *r, struct spdm_block *ret)
{
    struct wire_reader body;
    struct spdm_block b;
    uint8_t spec, type;
    uint16_t size, value;

    if (!wire_get_u8(r, &b.index) || !wire_get_u8(r, &spec) || spec != 1 ||
            !wire_get_u16le(r, &size) || !wire_get_sub(r, size, &body) ||
            !wire_get_u8(&body, &type) || !wire_get_u16le(&body, &value) ||
            !wire_get_span(&body, value, &b.value) || !wire_end(&body))
        return false;
    b.type = type & 0x7f;
    b.raw = type >> 7;
    *ret = b;
    return true;
}

static int get_blocks(struct wire_reader *r, uint8_t n,
        struct spdm_measurements *m, struct err *err)
{
    for (m->n = 0; m->n < n; m->n++) {
        struct spdm_block *b = &m->block[m->n];

        if (!get_block(r, b))
            return malformed(err, "measurement block");
        /* an index that stands twice would have two values */
        for (size_t i = 0; i < m->n; i++) {
            if (m->block[i].index == b->index)
                return err_set(err, ERR_SYNTAX,
                        "SPDM: measurement %u stands twice", b->index);
        }
    }
    return wire_end(r) ? 0 : malformed(err, "measurement record");
}

static bool get_u24le(struct wire_reader *r, uint32_t *ret)
{
    uint16_t low;
    uint8_t high;

    if (!wire_get_u16le(r, &low) || !wire_get_u8(r, &high))
        return false;
    *ret = (uint32_t)high << 16 | low;
    return true;
}

int spdm_msg_measurements(const struct spdm_agreed *a,
        const struct spdm_get_measurements *asked, struct span response,
        struct spdm_measurements *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(response), record;
    struct span nonce, context = SPAN_EMPTY;
    struct spdm_header h;
    uint8_t n;
    uint32_t size;
    int rc;

    memset(ret, 0, sizeof(*ret));
    if (!spdm_msg_header(&r, &h) || !wire_get_u8(&r, &n) ||
            !get_u24le(&r, &size) || !wire_get_sub(&r, size, &record) ||
            !wire_get_span(&r, SPDM_NONCE, &nonce) ||
            !get_tail(a, &r, asked->sign ? a->sig_size : 0, &context,
                    &ret->signature))
        return malformed(err, "MEASUREMENTS");
    rc = get_blocks(&record, n, ret, err);
    if (rc != 0)
        return rc;
    if (!span_eq(context, asked->context))
        return err_set(
                err, ERR_MISMATCH, "SPDM: MEASUREMENTS answer another request");
    ret->total = asked->operation == 0 ? h.p1 : 0;
    ret->slot = asked->sign ? h.p2 & 0xf : 0;
    if (asked->sign && a->version >= 0x11 && ret->slot != asked->slot)
        return err_set(err, ERR_MISMATCH,
                "SPDM: MEASUREMENTS are signed by slot %u, %u was asked",
                ret->slot, asked->slot);
    if (asked->operation == 0 && n != 0)
        return malformed(err, "MEASUREMENTS with a count alone");
    ret->is_signed =
            SPAN(response.ptr, response.len - (asked->sign ? a->sig_size : 0));
    return 0;
}
