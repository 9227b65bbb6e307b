/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a device: version, capabilities, algorithms, digests, the chain of one
 * slot, a challenge where the device can, all measurements with a signature.
 * The order is fixed, so that the transcript has one reading.
 */
#include "spdm_private.h"

#include <stdlib.h>

/* A device need not take longer requests than this (10.4). */
#define PORTION       1024
#define TRANSFER_SIZE 65536u
#define REQUEST_MAX   64

#define ERROR_BUSY               0x03
#define ERROR_RESPONSE_NOT_READY 0x42

enum step {
    ASK_VERSION,
    ASK_CAPABILITIES,
    ASK_ALGORITHMS,
    ASK_DIGESTS,
    ASK_CERTIFICATE,
    ASK_CHALLENGE,
    ASK_MEASUREMENTS,
    ALL_ASKED,
};

struct spdm_requester {
    enum step step;
    uint8_t nonce[32];
    uint8_t slot;
    uint8_t minimum;
    uint8_t version; /* chosen; 0x10 until then */
    bool can_challenge;
    uint16_t offset; /* of the chain */
    bool digest_holds;
    bool failed;
    uint8_t request[REQUEST_MAX];
    size_t request_len;
    struct buf record;
    struct spdm_transcript *transcript;
    struct spdm_seen seen;
};

struct spdm_requester *spdm_requester_new(
        const uint8_t nonce[static 32], uint8_t slot, uint8_t minimum)
{
    struct spdm_requester *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->transcript = spdm_transcript_new(false);
    if (!r->transcript || slot >= SPDM_SLOTS) {
        spdm_requester_free(r);
        return NULL;
    }
    memcpy(r->nonce, nonce, sizeof(r->nonce));
    r->slot = slot;
    r->minimum = minimum;
    r->version = 0x10;
    r->record = BUF_INIT(SPDM_TRANSCRIPT_MAX);
    return r;
}

void spdm_requester_free(struct spdm_requester *r)
{
    if (!r)
        return;
    spdm_transcript_free(r->transcript);
    buf_fini(&r->record);
    free(r);
}

static void derive(const char *label, const uint8_t nonce[static 32],
        uint8_t ret[static 32])
{
    crypto_sha256_two(span_str(label), SPAN(nonce, 32), ret);
}

void spdm_requester_nonce(
        const uint8_t nonce[static 32], uint8_t ret[static 32])
{
    derive("spdm", nonce, ret);
}

void spdm_requester_challenge_nonce(
        const uint8_t nonce[static 32], uint8_t ret[static 32])
{
    derive("spdm-challenge", nonce, ret);
}

/* ---- requests -------------------------------------------------------- */

static void put_header(struct wire_writer *w, uint8_t version, uint8_t code,
        uint8_t p1, uint8_t p2)
{
    wire_put_u8(w, version);
    wire_put_u8(w, code);
    wire_put_u8(w, p1);
    wire_put_u8(w, p2);
}

static void put_zeros(struct wire_writer *w, size_t n)
{
    while (n-- > 0)
        wire_put_u8(w, 0);
}

/* No capability of a requester is needed for what is asked here. */
static void put_capabilities(struct wire_writer *w, uint8_t version)
{
    put_header(w, version, SPDM_GET_CAPABILITIES, 0, 0);
    if (version >= 0x11)
        put_zeros(w, 8); /* exponent, flags */
    if (version >= 0x12) {
        wire_put_u32le(w, TRANSFER_SIZE);
        wire_put_u32le(w, TRANSFER_SIZE);
    }
}

static void put_algorithms(struct wire_writer *w, uint8_t version)
{
    put_header(w, version, SPDM_NEGOTIATE_ALGORITHMS, 0, 0);
    wire_put_u16le(w, 32);
    wire_put_u8(w, 1);                          /* DMTF measurements */
    wire_put_u8(w, version >= 0x12 ? 0x02 : 0); /* opaque data, format 1 */
    wire_put_u32le(w, SPDM_ASYM_RSASSA_3072 | SPDM_ASYM_RSAPSS_3072 |
                              SPDM_ASYM_P256 | SPDM_ASYM_RSASSA_4096 |
                              SPDM_ASYM_RSAPSS_4096 | SPDM_ASYM_P384 |
                              SPDM_ASYM_P521);
    wire_put_u32le(w, SPDM_HASH_SHA256 | SPDM_HASH_SHA384 | SPDM_HASH_SHA512);
    put_zeros(w, 16);
}

static void put_nonce(const struct spdm_requester *r, struct wire_writer *w,
        const char *label)
{
    uint8_t nonce[32];

    derive(label, r->nonce, nonce);
    wire_put_bytes(w, nonce, sizeof(nonce));
}

/* 1.3: eight bytes that come back inside of what is signed. */
static void put_context(const struct spdm_requester *r, struct wire_writer *w)
{
    if (r->version >= 0x13)
        wire_put_bytes(w, r->nonce, SPDM_CONTEXT);
}

static void put_request(const struct spdm_requester *r, struct wire_writer *w)
{
    switch (r->step) {
    case ASK_VERSION:
        put_header(w, 0x10, SPDM_GET_VERSION, 0, 0);
        break;
    case ASK_CAPABILITIES:
        put_capabilities(w, r->version);
        break;
    case ASK_ALGORITHMS:
        put_algorithms(w, r->version);
        break;
    case ASK_DIGESTS:
        put_header(w, r->version, SPDM_GET_DIGESTS, 0, 0);
        break;
    case ASK_CERTIFICATE:
        put_header(w, r->version, SPDM_GET_CERTIFICATE, r->slot, 0);
        wire_put_u16le(w, r->offset);
        wire_put_u16le(w, PORTION);
        break;
    case ASK_CHALLENGE:
        put_header(w, r->version, SPDM_CHALLENGE, r->slot, 0);
        put_nonce(r, w, "spdm-challenge");
        put_context(r, w);
        break;
    case ASK_MEASUREMENTS:
        put_header(w, r->version, SPDM_GET_MEASUREMENTS, 1, 0xff);
        put_nonce(r, w, "spdm");
        if (r->version >= 0x11)
            wire_put_u8(w, r->slot);
        put_context(r, w);
        break;
    case ALL_ASKED:
        break;
    }
}

int spdm_requester_next(
        struct spdm_requester *r, struct span *ret, struct err *err)
{
    struct wire_writer w = wire_writer_of(r->request, sizeof(r->request));
    struct span out;

    if (r->failed)
        return err_set(err, ERR_STATE, "SPDM: nothing is asked after an error");
    if (r->step == ALL_ASKED)
        return 0;
    put_request(r, &w);
    if (!wire_finish(&w, &out))
        return err_set(err, ERR_LIMIT, "SPDM: request is too long");
    r->request_len = out.len;
    *ret = out;
    return 1;
}

/* ---- answers --------------------------------------------------------- */

/* The highest that both know: an older one is a downgrade, and it is refused
 * unless the caller asked for it.  The list is part of what is signed. */
static int choose_version(
        struct spdm_requester *r, struct span response, struct err *err)
{
    struct spdm_versions v;
    uint8_t best = 0;
    int rc = spdm_msg_versions(response, &v, err);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < v.n; i++) {
        if (v.version[i] <= 0x13 && v.version[i] > best)
            best = v.version[i];
    }
    if (best < r->minimum)
        return err_set(err, ERR_UNSUPPORTED,
                "SPDM: the device offers version %u.%u, %u.%u is the least",
                best >> 4, best & 0xfu, r->minimum >> 4, r->minimum & 0xfu);
    r->version = best;
    return 0;
}

static int check_capabilities(
        struct spdm_requester *r, struct span response, struct err *err)
{
    uint32_t flags;
    int rc = spdm_msg_capabilities(response, &flags, err);

    if (rc != 0)
        return rc;
    if (!(flags & SPDM_CAP_CERT) ||
            (flags & SPDM_CAP_MEAS) != SPDM_CAP_MEAS_SIG)
        return err_set(err, ERR_UNSUPPORTED,
                "SPDM: the device has no certificates or signs no "
                "measurements (flags 0x%x)",
                flags);
    r->can_challenge = flags & SPDM_CAP_CHAL;
    return 0;
}

static int check_error(const struct spdm_requester *r, struct err *err)
{
    uint8_t code = r->seen.error;

    if (code == ERROR_BUSY || code == ERROR_RESPONSE_NOT_READY)
        return err_set(err, ERR_STATE, "SPDM: the device is busy");
    return err_set(err, ERR_UNSUPPORTED,
            "SPDM: the device answers request 0x%02x with error 0x%02x",
            r->seen.request, code);
}

static int advance(
        struct spdm_requester *r, struct span response, struct err *err)
{
    int rc = 0;

    switch (r->step) {
    case ASK_VERSION:
        rc = choose_version(r, response, err);
        break;
    case ASK_CAPABILITIES:
        rc = check_capabilities(r, response, err);
        break;
    case ASK_DIGESTS:
        if (!(r->seen.slots >> r->slot & 1))
            rc = err_set(err, ERR_UNSUPPORTED,
                    "SPDM: the device has no certificate in slot %u", r->slot);
        break;
    case ASK_CERTIFICATE:
        r->digest_holds = r->seen.digest_holds;
        if (!r->seen.chain_complete)
            return 0; /* the next portion */
        break;
    case ASK_ALGORITHMS:
    case ASK_CHALLENGE:
    case ASK_MEASUREMENTS:
    case ALL_ASKED:
        break;
    }
    if (rc == 0)
        r->step++;
    if (r->step == ASK_CHALLENGE && !r->can_challenge)
        r->step++;
    return rc;
}

static int take(struct spdm_requester *r, struct span response, struct err *err)
{
    struct span request = SPAN(r->request, r->request_len);
    int rc = spdm_transcript_take(
            r->transcript, request, response, &r->seen, err);

    if (rc != 0)
        return rc;
    if (r->seen.response == SPDM_ERROR)
        return check_error(r, err);
    if (r->seen.signature == SPDM_SIG_BAD)
        return err_set(err, ERR_MISMATCH,
                "SPDM: signature of the answer to 0x%02x does not hold",
                r->seen.request);
    spdm_record_put(&r->record, request, response);
    if (r->step == ASK_CERTIFICATE) {
        uint16_t portion = (uint16_t)(response.ptr[4] | response.ptr[5] << 8);

        if (portion == 0)
            return err_set(err, ERR_SYNTAX, "SPDM: empty CERTIFICATE");
        r->offset = (uint16_t)(r->offset + portion);
    }
    return advance(r, response, err);
}

int spdm_requester_take(
        struct spdm_requester *r, struct span response, struct err *err)
{
    int rc;

    if (r->failed || r->request_len == 0)
        return err_set(err, ERR_STATE, "SPDM: answer to nothing");
    rc = take(r, response, err);
    if (rc == 0)
        rc = buf_ok(&r->record, err);
    if (rc != 0 && rc != ERR_STATE)
        r->failed = true;
    r->request_len = 0;
    return rc;
}

int spdm_requester_result(const struct spdm_requester *r,
        struct spdm_result *ret, struct err *err)
{
    struct spdm_result res;
    uint8_t nonce[32];

    if (r->failed || r->step != ALL_ASKED)
        return err_set(err, ERR_STATE, "SPDM: not all was asked");
    spdm_transcript_result(r->transcript, &res);
    spdm_requester_nonce(r->nonce, nonce);
    if (!res.attested || !span_eq(res.nonce, SPAN_OF(nonce)))
        return err_set(err, ERR_MISMATCH, "SPDM: measurements are not signed");
    if (!r->digest_holds || (r->can_challenge && !res.challenge))
        return err_set(err, ERR_MISMATCH,
                "SPDM: the chain is not the one that the device uses");
    *ret = res;
    return 0;
}

struct span spdm_requester_record(const struct spdm_requester *r)
{
    return buf_span(&r->record);
}
