/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_attest.h"

/* docs/proto/channel.md, 3.3: separate by role, since an exporter is the same
 * on both ends and evidence must not be reflected. */
static const char *const labels[] = {
        [CHANNEL_ATTEST_CLIENT] = "EXPORTER-qair-att-client-v1",
        [CHANNEL_ATTEST_SERVER] = "EXPORTER-qair-att-server-v1",
};

static enum channel_attest_role other(enum channel_attest_role role)
{
    return role == CHANNEL_ATTEST_CLIENT ? CHANNEL_ATTEST_SERVER
                                         : CHANNEL_ATTEST_CLIENT;
}

/* ---- what may come when ---------------------------------------------- */

static int on_hello(struct channel_attest *a, struct span body, struct err *e);
static int on_evidence(
        struct channel_attest *a, struct span body, struct err *e);
static int on_verdict(
        struct channel_attest *a, struct span body, struct err *e);

/* Everything that is not here is a violation.  VERDICT beside HELLO and
 * EVIDENCE may only deny: on_verdict checks. */
static const struct permit {
    enum channel_attest_role role;
    enum channel_attest_state state;
    enum channel_frame_type type;
    int (*handler)(struct channel_attest *a, struct span body, struct err *e);
} permits[] = {
        {CHANNEL_ATTEST_CLIENT, CHANNEL_ATTEST_S_HELLO, CHANNEL_FRAME_T_HELLO,
                on_hello},
        {CHANNEL_ATTEST_CLIENT, CHANNEL_ATTEST_S_HELLO, CHANNEL_FRAME_T_VERDICT,
                on_verdict},
        {CHANNEL_ATTEST_CLIENT, CHANNEL_ATTEST_S_EVIDENCE,
                CHANNEL_FRAME_T_EVIDENCE, on_evidence},
        {CHANNEL_ATTEST_CLIENT, CHANNEL_ATTEST_S_EVIDENCE,
                CHANNEL_FRAME_T_VERDICT, on_verdict},
        {CHANNEL_ATTEST_CLIENT, CHANNEL_ATTEST_S_VERDICT,
                CHANNEL_FRAME_T_VERDICT, on_verdict},
        {CHANNEL_ATTEST_SERVER, CHANNEL_ATTEST_S_HELLO, CHANNEL_FRAME_T_HELLO,
                on_hello},
        {CHANNEL_ATTEST_SERVER, CHANNEL_ATTEST_S_VERDICT,
                CHANNEL_FRAME_T_VERDICT, on_verdict},
        {CHANNEL_ATTEST_SERVER, CHANNEL_ATTEST_S_EVIDENCE,
                CHANNEL_FRAME_T_EVIDENCE, on_evidence},
        {CHANNEL_ATTEST_SERVER, CHANNEL_ATTEST_S_EVIDENCE,
                CHANNEL_FRAME_T_VERDICT, on_verdict},
};

/* ---- life ------------------------------------------------------------ */

int channel_attest_init(
        struct channel_attest *a, const struct channel_attest_conf *conf)
{
    *a = (struct channel_attest){
            .conf = *conf,
            .state = CHANNEL_ATTEST_S_HELLO,
            .in = BUF_INIT(CHANNEL_FRAME_MAX),
            .in_need = CHANNEL_FRAME_HEADER,
            /* HELLO, EVIDENCE and VERDICT, if nobody consumes meanwhile. */
            .out = BUF_INIT(CHANNEL_FRAME_MAX + 3 * CHANNEL_FRAME_HEADER +
                            CHANNEL_FRAME_HELLO_MAX +
                            2 * CHANNEL_FRAME_VERDICT),
            .mine = BUF_INIT(CHANNEL_FRAME_HEADER + CHANNEL_FRAME_HELLO_MAX),
            .untrusted_evidence = BUF_INIT(LIMIT_EVIDENCE_MAX),
    };
    struct channel_frame_hello h = {
            .version = CHANNEL_FRAME_VERSION,
            .role = (uint8_t)conf->role,
            .interval_s = conf->interval_s,
            .from = span_str(a->conf.zone),
            .to = span_str(a->conf.peer),
    };
    memcpy(h.nonce, conf->nonce, sizeof(h.nonce));
    int rc = channel_frame_put_hello(&a->mine, conf->round, &h);
    if (rc == 0 && conf->role == CHANNEL_ATTEST_CLIENT) {
        buf_append(&a->out, buf_span(&a->mine));
        rc = buf_ok(&a->out, NULL);
    }
    if (rc != 0)
        channel_attest_fini(a);
    return rc;
}

void channel_attest_fini(struct channel_attest *a)
{
    buf_fini(&a->in);
    buf_fini(&a->out);
    buf_fini(&a->mine);
    buf_fini(&a->untrusted_evidence);
    a->state = CHANNEL_ATTEST_S_FAILED;
}

enum channel_attest_want channel_attest_want(const struct channel_attest *a)
{
    static const enum channel_attest_want wants[] = {
            [CHANNEL_ATTEST_S_HELLO] = CHANNEL_ATTEST_INPUT,
            [CHANNEL_ATTEST_S_EVIDENCE] = CHANNEL_ATTEST_INPUT,
            [CHANNEL_ATTEST_S_VERDICT] = CHANNEL_ATTEST_INPUT,
            [CHANNEL_ATTEST_S_OWN] = CHANNEL_ATTEST_EVIDENCE,
            [CHANNEL_ATTEST_S_APPRAISE] = CHANNEL_ATTEST_APPRAISE,
            [CHANNEL_ATTEST_S_CONFIRM] = CHANNEL_ATTEST_CONFIRM,
            [CHANNEL_ATTEST_S_DONE] = CHANNEL_ATTEST_DONE,
            [CHANNEL_ATTEST_S_FAILED] = CHANNEL_ATTEST_FAILED,
    };
    return wants[a->state];
}

void channel_attest_fail(struct channel_attest *a, enum channel_reason why)
{
    struct channel_frame_verdict deny = {.reason = (uint8_t)why};
    if (a->state == CHANNEL_ATTEST_S_FAILED)
        return;
    a->state = CHANNEL_ATTEST_S_FAILED;
    /* Out of memory here means silence: the peer sees a closed channel. */
    if (channel_frame_put_verdict(&a->out, a->conf.round, &deny) != 0)
        buf_reset(&a->out);
}

static int fail(struct channel_attest *a, enum channel_reason why, int code)
{
    channel_attest_fail(a, why);
    return code;
}

/* ---- binding --------------------------------------------------------- */

/* docs/proto/channel.md, 3.3; role is of the side whose evidence is bound. */
static int make_binder(
        struct channel_attest *a, enum channel_attest_role role, struct err *e)
{
    bool own = role == a->conf.role;
    uint8_t bytes[256], ekm[CHANNEL_ATTEST_EKM], hash[CRYPTO_SHA384_SIZE];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
    struct span s;

    if (a->conf.exporter(a->conf.exporter_arg, labels[role], SPAN_OF(a->ctx),
                ekm) != 0) {
        /* Failing open here would unbind the evidence from the channel. */
        channel_attest_fail(a, CHANNEL_REASON_PROTOCOL);
        return err_set(e, ERR_CRYPTO, "no exporter from TLS");
    }
    wire_put_bytes(&w, (const uint8_t *)"qair-binder-1", 13);
    wire_put_u8(&w, (uint8_t)role);
    wire_put_bytes(&w, ekm, sizeof(ekm));
    wire_put_bytes(
            &w, own ? a->conf.spki : a->conf.peer_spki, CRYPTO_SHA384_SIZE);
    wire_put_bytes(
            &w, own ? a->conf.peer_spki : a->conf.spki, CRYPTO_SHA384_SIZE);
    wire_put_bytes(&w, a->ctx, sizeof(a->ctx));
    wire_put_u32be(&w, a->conf.round);
    bool fits = wire_finish(&w, &s);
    if (fits) {
        crypto_hash(CRYPTO_SHA384, s, hash);
        memcpy(a->binder, hash, CHANNEL_BINDER);
    }
    secret_wipe(ekm, sizeof(ekm));
    secret_wipe(bytes, sizeof(bytes));
    return fits ? 0
                : fail(a, CHANNEL_REASON_PROTOCOL,
                          err_set(e, ERR_LIMIT, "binder does not fit"));
}

/* ctx = SHA-384("qair-ctx-1" || HELLO of the client || of the server). */
static int make_ctx(struct channel_attest *a, struct err *e)
{
    bool client = a->conf.role == CHANNEL_ATTEST_CLIENT;
    uint8_t bytes[10 + 2 * (CHANNEL_FRAME_HEADER + CHANNEL_FRAME_HELLO_MAX)];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
    const struct buf *c = client ? &a->mine : &a->in;
    const struct buf *s = client ? &a->in : &a->mine;
    struct span all;

    wire_put_bytes(&w, (const uint8_t *)"qair-ctx-1", 10);
    wire_put_bytes(&w, c->ptr, c->len);
    wire_put_bytes(&w, s->ptr, s->len);
    if (!wire_finish(&w, &all))
        return fail(a, CHANNEL_REASON_PROTOCOL,
                err_set(e, ERR_LIMIT, "HELLO does not fit"));
    crypto_hash(CRYPTO_SHA384, all, a->ctx);
    return 0;
}

/* ---- frames that arrive ---------------------------------------------- */

static int check_hello(const struct channel_attest *a,
        const struct channel_frame_hello *h, struct err *e)
{
    if (h->version != CHANNEL_FRAME_VERSION)
        return err_set(e, ERR_UNSUPPORTED, "HELLO of version %u, not %d",
                h->version, CHANNEL_FRAME_VERSION);
    if (h->role != (uint8_t)other(a->conf.role))
        return err_set(e, ERR_PEER, "HELLO with the role of this side");
    if (!span_eq_str(h->from, a->conf.peer))
        return err_set(e, ERR_PEER, "HELLO from \"%.*s\", certificate of %s",
                (int)h->from.len, (const char *)h->from.ptr, a->conf.peer);
    if (!span_eq_str(h->to, a->conf.zone))
        return err_set(e, ERR_PEER, "HELLO means zone \"%.*s\", not this one",
                (int)h->to.len, (const char *)h->to.ptr);
    if (span_eq(SPAN_OF(h->nonce), SPAN_OF(a->conf.nonce)))
        return err_set(e, ERR_PEER, "HELLO with the nonce of this side");
    return 0;
}

static int on_hello(struct channel_attest *a, struct span body, struct err *e)
{
    struct channel_frame_hello h;
    int rc = channel_frame_get_hello(body, &h);
    if (rc != 0)
        return err_set(e, rc, "HELLO is malformed");
    rc = check_hello(a, &h, e);
    if (rc != 0)
        return rc;
    a->peer_interval_s = h.interval_s;
    rc = make_ctx(a, e);
    if (rc != 0)
        return rc;
    if (a->conf.role == CHANNEL_ATTEST_CLIENT) {
        a->state = CHANNEL_ATTEST_S_EVIDENCE;
        return 0;
    }
    buf_append(&a->out, buf_span(&a->mine));
    rc = buf_ok(&a->out, e);
    if (rc == 0)
        rc = make_binder(a, CHANNEL_ATTEST_SERVER, e);
    if (rc == 0)
        a->state = CHANNEL_ATTEST_S_OWN;
    return rc;
}

static int on_evidence(
        struct channel_attest *a, struct span body, struct err *e)
{
    buf_append(&a->untrusted_evidence, body);
    int rc = buf_ok(&a->untrusted_evidence, e);
    if (rc == 0)
        rc = make_binder(a, other(a->conf.role), e);
    if (rc != 0)
        return rc;
    crypto_sha256(body, a->peer);
    a->state = CHANNEL_ATTEST_S_APPRAISE;
    return 0;
}

static int on_verdict(struct channel_attest *a, struct span body, struct err *e)
{
    struct channel_frame_verdict v;
    int rc = channel_frame_get_verdict(body, &v);
    if (rc != 0)
        return err_set(e, rc, "VERDICT is malformed");
    if (!v.accept) {
        a->peer_denied = true;
        a->peer_reason = (enum channel_reason)v.reason;
        a->state = CHANNEL_ATTEST_S_FAILED; /* nothing more to say */
        return err_set(e, ERR_DENIED, "%s: %s", a->conf.peer,
                channel_reason_text(a->peer_reason));
    }
    if (a->state != CHANNEL_ATTEST_S_VERDICT)
        return err_set(e, ERR_PEER, "accepts before it saw evidence");
    if (!span_eq_ct(SPAN_OF(v.evidence), SPAN_OF(a->own)))
        return err_set(e, ERR_PEER, "accepts evidence that was not sent");
    a->state = a->conf.role == CHANNEL_ATTEST_CLIENT
                       ? CHANNEL_ATTEST_S_CONFIRM
                       : CHANNEL_ATTEST_S_EVIDENCE;
    return 0;
}

static int on_frame(struct channel_attest *a, struct err *e)
{
    uint8_t type;
    uint16_t round;
    uint32_t len;
    int rc = channel_frame_get_header(buf_span(&a->in), &type, &round, &len);
    if (rc != 0)
        return err_set(e, rc, "frame is malformed");
    struct span body = SPAN(a->in.ptr + CHANNEL_FRAME_HEADER, len);

    if (round != a->conf.round)
        return err_set(e, ERR_PEER, "frame of round %u in round %u", round,
                a->conf.round);
    for (size_t i = 0; i < ARRAY_LEN(permits); i++) {
        const struct permit *p = &permits[i];
        if (p->role == a->conf.role && p->state == a->state &&
                (uint8_t)p->type == type)
            return p->handler(a, body, e);
    }
    return err_set(e, ERR_PEER, "frame of type %u out of order", type);
}

/* Takes what the frame at hand still needs; handles it when complete. */
static int feed_some(struct channel_attest *a, struct span *rest, struct err *e)
{
    size_t take = a->in_need - a->in.len;
    uint8_t type;
    uint16_t round;
    uint32_t len;

    if (take > rest->len)
        take = rest->len;
    buf_append(&a->in, SPAN(rest->ptr, take));
    *rest = SPAN(rest->ptr + take, rest->len - take);
    int rc = buf_ok(&a->in, e);
    if (rc != 0 || a->in.len < a->in_need)
        return rc;
    if (a->in_need == CHANNEL_FRAME_HEADER) {
        /* Bounded before a byte of the body is kept. */
        rc = channel_frame_get_header(buf_span(&a->in), &type, &round, &len);
        if (rc != 0)
            return err_set(e, rc, "frame header is not of qair-att/1");
        a->in_need += len;
        return 0; /* every body has at least one byte */
    }
    rc = on_frame(a, e);
    buf_reset(&a->in);
    a->in_need = CHANNEL_FRAME_HEADER;
    return rc;
}

int channel_attest_feed(struct channel_attest *a, struct span untrusted,
        size_t *ret_used, struct err *err)
{
    struct span rest = untrusted;
    bool client = a->conf.role == CHANNEL_ATTEST_CLIENT;

    while (rest.len > 0 && channel_attest_want(a) == CHANNEL_ATTEST_INPUT) {
        int rc = feed_some(a, &rest, err);
        if (rc != 0)
            return fail(a, CHANNEL_REASON_PROTOCOL, rc);
    }
    bool behind = a->state == CHANNEL_ATTEST_S_DONE ||
                  (client && a->state == CHANNEL_ATTEST_S_CONFIRM);
    if (rest.len > 0 && !behind)
        return fail(a, CHANNEL_REASON_PROTOCOL,
                err_set(err, ERR_PEER, "peer speaks out of turn"));
    *ret_used = untrusted.len - rest.len;
    return 0;
}

/* ---- wishes fulfilled ------------------------------------------------ */

int channel_attest_evidence(
        struct channel_attest *a, struct span evidence, struct err *err)
{
    if (a->state != CHANNEL_ATTEST_S_OWN)
        return err_set(err, ERR_STATE, "no evidence is wanted");
    int rc = channel_frame_put_evidence(&a->out, a->conf.round, evidence);
    if (rc != 0)
        return fail(a, CHANNEL_REASON_OWN,
                err_set(err, rc, "own evidence of %zu bytes does not fit",
                        evidence.len));
    crypto_sha256(evidence, a->own);
    a->state = CHANNEL_ATTEST_S_VERDICT;
    return 0;
}

static int put_accept(struct channel_attest *a)
{
    struct channel_frame_verdict v = {.accept = 1};
    memcpy(v.evidence, a->peer, sizeof(v.evidence));
    return channel_frame_put_verdict(&a->out, a->conf.round, &v);
}

int channel_attest_appraised(
        struct channel_attest *a, bool accept, struct err *err)
{
    if (a->state != CHANNEL_ATTEST_S_APPRAISE)
        return err_set(err, ERR_STATE, "nothing is being appraised");
    buf_reset(&a->untrusted_evidence);
    if (!accept)
        return fail(a, CHANNEL_REASON_EVIDENCE,
                err_set(err, ERR_DENIED, "evidence of %s was not accepted",
                        a->conf.peer));
    if (a->conf.role == CHANNEL_ATTEST_SERVER) {
        /* The server's yes waits for its durable record. */
        a->state = CHANNEL_ATTEST_S_CONFIRM;
        return 0;
    }
    int rc = put_accept(a);
    if (rc == 0)
        rc = make_binder(a, CHANNEL_ATTEST_CLIENT, err);
    if (rc != 0)
        return fail(a, CHANNEL_REASON_BUSY, rc);
    a->state = CHANNEL_ATTEST_S_OWN;
    return 0;
}

int channel_attest_confirm(struct channel_attest *a)
{
    if (a->state != CHANNEL_ATTEST_S_CONFIRM)
        return ERR_STATE;
    if (a->conf.role == CHANNEL_ATTEST_SERVER) {
        int rc = put_accept(a);
        if (rc != 0)
            return fail(a, CHANNEL_REASON_BUSY, rc);
    }
    a->state = CHANNEL_ATTEST_S_DONE;
    return 0;
}
