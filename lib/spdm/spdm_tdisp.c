/* SPDX-License-Identifier: Apache-2.0 */
/* TEE Device Interface Security Protocol (PCIe 6.1, 11). */
#include "spdm_private.h"

#define TDISP_1_0         0x10
#define NONCE             32
#define LOCK_SIZE         20
#define CAPABILITIES_SIZE 28

struct header {
    uint8_t type;
    uint32_t function;
};

/* 11.3.1: version, type, two reserved, FUNCTION_ID, eight reserved. */
static bool get_header(struct wire_reader *r, struct header *ret)
{
    struct span reserved;
    uint8_t version;

    return wire_get_u8(r, &version) && version == TDISP_1_0 &&
           wire_get_u8(r, &ret->type) && wire_get_span(r, 2, &reserved) &&
           wire_get_u32le(r, &ret->function) && wire_get_span(r, 8, &reserved);
}

static int malformed(struct err *err, const char *what)
{
    return err_set(err, ERR_SYNTAX, "TDISP: %s is malformed", what);
}

/* ---- the report (11.3.11) -------------------------------------------- */

static bool get_range(struct wire_reader *r, struct spdm_tdisp_range *ret)
{
    return wire_get_u64le(r, &ret->first_page) &&
           wire_get_u32le(r, &ret->pages) &&
           wire_get_u16le(r, &ret->attributes) && wire_get_u16le(r, &ret->id);
}

int spdm_tdisp_report(
        struct span bytes, struct spdm_tdisp_report *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct spdm_tdisp_report p = {0};
    uint16_t reserved;
    uint32_t n, size;

    if (!wire_get_u16le(&r, &p.info) || !wire_get_u16le(&r, &reserved) ||
            !wire_get_u16le(&r, &p.msix) || !wire_get_u16le(&r, &p.lnr) ||
            !wire_get_u32le(&r, &p.tph) || !wire_get_u32le(&r, &n))
        return malformed(err, "interface report");
    if (n > SPDM_TDISP_RANGES_MAX)
        return err_set(err, ERR_LIMIT, "TDISP: %u ranges of memory", n);
    for (p.n_ranges = 0; p.n_ranges < n; p.n_ranges++) {
        struct spdm_tdisp_range *g = &p.range[p.n_ranges];

        if (!get_range(&r, g))
            return malformed(err, "range of the interface report");
        if (g->first_page > UINT64_MAX - g->pages)
            return malformed(err, "range of the interface report");
    }
    if (!wire_get_u32le(&r, &size) || !wire_get_span(&r, size, &p.device) ||
            !wire_end(&r))
        return malformed(err, "interface report");
    *ret = p;
    return 0;
}

/* ---- one interface --------------------------------------------------- */

void spdm_tdisp_init(struct spdm_tdisp *t)
{
    *t = (struct spdm_tdisp){.report = BUF_INIT(SPDM_TDISP_REPORT_MAX)};
}

void spdm_tdisp_fini(struct spdm_tdisp *t)
{
    buf_fini(&t->report);
}

static int take_version(
        struct wire_reader *q, struct wire_reader *s, struct err *err)
{
    struct span entries;
    uint8_t n;

    if (!wire_end(q) || !wire_get_u8(s, &n) || !wire_get_span(s, n, &entries) ||
            !wire_end(s))
        return malformed(err, "VERSION");
    if (n == 0 || !memchr(entries.ptr, TDISP_1_0, n))
        return err_set(err, ERR_UNSUPPORTED, "TDISP: version 1.0 not offered");
    return 0;
}

static int take_capabilities(
        struct wire_reader *q, struct wire_reader *s, struct err *err)
{
    struct span body;
    uint32_t tsm;

    if (!wire_get_u32le(q, &tsm) || !wire_end(q) ||
            !wire_get_span(s, CAPABILITIES_SIZE, &body) || !wire_end(s))
        return malformed(err, "CAPABILITIES");
    return 0;
}

static int take_lock(struct spdm_tdisp *t, struct wire_reader *q,
        struct wire_reader *s, struct err *err)
{
    struct span rest;
    uint16_t flags;
    uint8_t nonce[NONCE];

    if (!wire_get_u16le(q, &flags) || !wire_get_span(q, LOCK_SIZE - 2, &rest) ||
            !wire_end(q) || !wire_get_copy(s, nonce, NONCE) || !wire_end(s))
        return malformed(err, "LOCK_INTERFACE");
    if (t->state != SPDM_TDISP_UNLOCKED)
        return err_set(err, ERR_STATE, "TDISP: locked twice");
    memcpy(t->nonce, nonce, NONCE);
    t->has_nonce = true;
    t->lock_flags = flags;
    t->state = SPDM_TDISP_LOCKED;
    t->complete = false;
    buf_reset(&t->report);
    return 0;
}

static int take_report(struct spdm_tdisp *t, struct wire_reader *q,
        struct wire_reader *s, struct err *err)
{
    uint16_t offset, length, portion, remainder;
    struct span bytes;

    if (!wire_get_u16le(q, &offset) || !wire_get_u16le(q, &length) ||
            !wire_end(q) || !wire_get_u16le(s, &portion) ||
            !wire_get_u16le(s, &remainder) ||
            !wire_get_span(s, portion, &bytes) || !wire_end(s))
        return malformed(err, "DEVICE_INTERFACE_REPORT");
    if (t->state != SPDM_TDISP_LOCKED && t->state != SPDM_TDISP_RUN)
        return err_set(
                err, ERR_STATE, "TDISP: report of an unlocked interface");
    if (offset == 0) {
        buf_reset(&t->report);
        t->complete = false;
    } else if (remainder + (uint32_t)portion != t->left) {
        return err_set(err, ERR_MISMATCH,
                "TDISP: report changed its size while it was read");
    }
    if (offset != t->report.len || portion > length || t->complete ||
            (portion == 0 && remainder > 0))
        return err_set(err, ERR_MISMATCH,
                "TDISP: %u bytes of the report at %u, it has %zu", portion,
                offset, t->report.len);
    buf_append(&t->report, bytes);
    t->left = remainder;
    t->complete = remainder == 0;
    return buf_ok(&t->report, err);
}

static int take_state(struct spdm_tdisp *t, struct wire_reader *q,
        struct wire_reader *s, struct err *err)
{
    uint8_t state;

    if (!wire_end(q) || !wire_get_u8(s, &state) || !wire_end(s) ||
            state > SPDM_TDISP_IN_ERROR)
        return malformed(err, "DEVICE_INTERFACE_STATE");
    if (state == SPDM_TDISP_IN_ERROR) {
        t->state = SPDM_TDISP_IN_ERROR;
        return 0;
    }
    if (state != t->state)
        return err_set(err, ERR_MISMATCH,
                "TDISP: device says state %u, the exchange led to %u", state,
                t->state);
    return 0;
}

/* The nonce of LOCK shows that nothing came between lock and start. */
static int take_start(struct spdm_tdisp *t, struct wire_reader *q,
        struct wire_reader *s, struct err *err)
{
    uint8_t nonce[NONCE];

    if (!wire_get_copy(q, nonce, NONCE) || !wire_end(q) || !wire_end(s))
        return malformed(err, "START_INTERFACE");
    if (t->state != SPDM_TDISP_LOCKED || !t->has_nonce ||
            !span_eq_ct(SPAN_OF(nonce), SPAN_OF(t->nonce)))
        return err_set(err, ERR_MISMATCH,
                "TDISP: started without the nonce of its lock");
    t->has_nonce = false;
    t->state = SPDM_TDISP_RUN;
    return 0;
}

static int take_stop(struct spdm_tdisp *t, struct wire_reader *q,
        struct wire_reader *s, struct err *err)
{
    if (!wire_end(q) || !wire_end(s))
        return malformed(err, "STOP_INTERFACE");
    t->state = SPDM_TDISP_UNLOCKED;
    t->has_nonce = false;
    t->complete = false;
    buf_reset(&t->report);
    return 0;
}

static int dispatch(struct spdm_tdisp *t, uint8_t type, struct wire_reader *q,
        struct wire_reader *s, struct err *err)
{
    switch (type) {
    case SPDM_TDISP_VERSION:
        return take_version(q, s, err);
    case SPDM_TDISP_CAPABILITIES:
        return take_capabilities(q, s, err);
    case SPDM_TDISP_LOCK:
        return take_lock(t, q, s, err);
    case SPDM_TDISP_REPORT:
        return take_report(t, q, s, err);
    case SPDM_TDISP_STATE:
        return take_state(t, q, s, err);
    case SPDM_TDISP_START:
        return take_start(t, q, s, err);
    case SPDM_TDISP_STOP:
        return take_stop(t, q, s, err);
    default:
        return err_set(
                err, ERR_UNSUPPORTED, "TDISP: message 0x%02x unknown", type);
    }
}

int spdm_tdisp_take(struct spdm_tdisp *t, struct span request,
        struct span response, struct err *err)
{
    struct wire_reader q = wire_reader_of(request);
    struct wire_reader s = wire_reader_of(response);
    struct header rq, rs;

    if (!get_header(&q, &rq) || !get_header(&s, &rs) ||
            !(rq.type & SPDM_TDISP_REQUEST))
        return malformed(err, "header");
    if (t->begun ? rq.function != t->function : false)
        return err_set(err, ERR_MISMATCH, "TDISP: another interface");
    if (rs.function != rq.function)
        return err_set(err, ERR_MISMATCH, "TDISP: answer of another interface");
    t->begun = true;
    t->function = rq.function;
    if (rs.type == SPDM_TDISP_ERROR)
        return err_set(
                err, ERR_DENIED, "TDISP: the device refuses 0x%02x", rq.type);
    if (rs.type != (rq.type & ~SPDM_TDISP_REQUEST))
        return err_set(err, ERR_MISMATCH,
                "TDISP: 0x%02x is no answer to 0x%02x", rs.type, rq.type);
    return dispatch(t, rs.type, &q, &s, err);
}
