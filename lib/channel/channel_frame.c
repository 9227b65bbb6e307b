/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of qair-att/1: docs/proto/channel.md, 3.2. */
#include "channel_frame.h"

/* Lengths of bodies by type; a length outside is refused at the header. */
static const struct {
    uint32_t min;
    uint32_t max;
} lengths[] = {
        [CHANNEL_FRAME_T_HELLO] = {42, CHANNEL_FRAME_HELLO_MAX},
        [CHANNEL_FRAME_T_EVIDENCE] = {1, LIMIT_EVIDENCE_MAX},
        [CHANNEL_FRAME_T_VERDICT] = {CHANNEL_FRAME_VERDICT,
                CHANNEL_FRAME_VERDICT},
};

static const char *const reasons[] = {
        [CHANNEL_ACCEPTED] = "accepted",
        [CHANNEL_REASON_EVIDENCE] = "did not accept this zone's evidence",
        [CHANNEL_REASON_OWN] = "cannot prove its own state",
        [CHANNEL_REASON_PROTOCOL] = "saw a violation of the protocol",
        [CHANNEL_REASON_BUSY] = "is not ready, try later",
};
_Static_assert(ARRAY_LEN(reasons) == CHANNEL_REASON_COUNT, "one text each");

const char *channel_reason_text(enum channel_reason r)
{
    return (unsigned)r < ARRAY_LEN(reasons) ? reasons[r] : "unknown reason";
}

int channel_frame_get_header(struct span s, uint8_t *ret_type,
        uint16_t *ret_round, uint32_t *ret_len)
{
    struct wire_reader r = wire_reader_of(s);
    uint8_t type, zero;
    uint16_t round;
    uint32_t len;

    if (!wire_get_u8(&r, &type) || !wire_get_u8(&r, &zero) ||
            !wire_get_u16be(&r, &round) || !wire_get_u32be(&r, &len))
        return ERR_SYNTAX;
    if (type == 0 || type >= ARRAY_LEN(lengths) || zero != 0)
        return ERR_SYNTAX;
    if (len < lengths[type].min)
        return ERR_SYNTAX;
    if (len > lengths[type].max)
        return ERR_LIMIT;
    *ret_type = type;
    *ret_round = round;
    *ret_len = len;
    return 0;
}

static bool is_zone(struct span name)
{
    return text_is_name(name, LIMIT_ZONE_NAME_MAX);
}

int channel_frame_get_hello(struct span body, struct channel_frame_hello *ret)
{
    struct wire_reader r = wire_reader_of(body);
    struct channel_frame_hello h;

    if (!wire_get_u8(&r, &h.version) || !wire_get_u8(&r, &h.role) ||
            !wire_get_copy(&r, h.nonce, sizeof(h.nonce)) ||
            !wire_get_u32be(&r, &h.interval_s) || !wire_get_vec8(&r, &h.from) ||
            !wire_get_vec8(&r, &h.to) || !wire_end(&r))
        return ERR_SYNTAX;
    if (h.role != CHANNEL_ATTEST_CLIENT && h.role != CHANNEL_ATTEST_SERVER)
        return ERR_SYNTAX;
    if (h.interval_s == 0 || !is_zone(h.from) || !is_zone(h.to))
        return ERR_SYNTAX;
    *ret = h;
    return 0;
}

int channel_frame_get_verdict(
        struct span body, struct channel_frame_verdict *ret)
{
    static const uint8_t zero[CRYPTO_SHA256_SIZE];
    struct wire_reader r = wire_reader_of(body);
    struct channel_frame_verdict v;

    if (!wire_get_u8(&r, &v.accept) || !wire_get_u8(&r, &v.reason) ||
            !wire_get_copy(&r, v.evidence, sizeof(v.evidence)) || !wire_end(&r))
        return ERR_SYNTAX;
    if (v.accept > 1 || v.reason >= CHANNEL_REASON_COUNT)
        return ERR_SYNTAX;
    if ((v.accept == 1) != (v.reason == CHANNEL_ACCEPTED))
        return ERR_SYNTAX;
    if (v.accept == 0 && !span_eq(SPAN_OF(v.evidence), SPAN_OF(zero)))
        return ERR_SYNTAX;
    *ret = v;
    return 0;
}

static int put_frame(
        struct buf *out, uint8_t type, uint16_t round, struct span body)
{
    uint8_t header[CHANNEL_FRAME_HEADER];
    struct wire_writer w = wire_writer_of(header, sizeof(header));
    struct span s;

    if (body.len < lengths[type].min)
        return ERR_SYNTAX;
    if (body.len > lengths[type].max)
        return ERR_LIMIT;
    wire_put_u8(&w, type);
    wire_put_u8(&w, 0);
    wire_put_u16be(&w, round);
    wire_put_u32be(&w, (uint32_t)body.len);
    if (!wire_finish(&w, &s))
        return ERR_LIMIT;
    uint8_t *room = buf_reserve(out, s.len + body.len);
    if (room == NULL)
        return buf_ok(out, NULL);
    memcpy(room, s.ptr, s.len);
    memcpy(room + s.len, body.ptr, body.len);
    buf_commit(out, s.len + body.len);
    return 0;
}

int channel_frame_put_hello(
        struct buf *out, uint16_t round, const struct channel_frame_hello *h)
{
    uint8_t body[CHANNEL_FRAME_HELLO_MAX];
    struct wire_writer w = wire_writer_of(body, sizeof(body));
    struct span s;

    if (h->interval_s == 0 || !is_zone(h->from) || !is_zone(h->to))
        return ERR_SYNTAX;
    wire_put_u8(&w, h->version);
    wire_put_u8(&w, h->role);
    wire_put_bytes(&w, h->nonce, sizeof(h->nonce));
    wire_put_u32be(&w, h->interval_s);
    wire_put_vec8(&w, h->from);
    wire_put_vec8(&w, h->to);
    if (!wire_finish(&w, &s))
        return ERR_LIMIT;
    return put_frame(out, CHANNEL_FRAME_T_HELLO, round, s);
}

int channel_frame_put_evidence(
        struct buf *out, uint16_t round, struct span evidence)
{
    return put_frame(out, CHANNEL_FRAME_T_EVIDENCE, round, evidence);
}

int channel_frame_put_verdict(
        struct buf *out, uint16_t round, const struct channel_frame_verdict *v)
{
    uint8_t body[CHANNEL_FRAME_VERDICT];
    struct wire_writer w = wire_writer_of(body, sizeof(body));
    struct span s;

    if (v->accept > 1 || (v->accept == 1) != (v->reason == CHANNEL_ACCEPTED))
        return ERR_SYNTAX;
    wire_put_u8(&w, v->accept);
    wire_put_u8(&w, v->reason);
    wire_put_bytes(&w, v->evidence, sizeof(v->evidence));
    if (!wire_finish(&w, &s))
        return ERR_LIMIT;
    return put_frame(out, CHANNEL_FRAME_T_VERDICT, round, s);
}
