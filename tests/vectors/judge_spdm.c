/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spdm-transcript: a capture of a requester and a responder (pcap, MCTP or PCI
 * DOE), followed message by message.  Beside the verdict, `summary` says in a
 * line each what every exchange showed.
 */
#include "spdm.h"
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>

#define PCAP_MAGIC 0xa1b2c3d4u
#define LINK_MCTP  291
#define LINK_DOE   292
#define LINE_MAX_  1024
#define LINES_MAX  1024

struct work {
    struct vectors_case *c;
    struct spdm_transcript *t;
    struct spdm_seen seen;
    enum spdm_carrier carrier;
    struct span request; /* that waits for its response */
    unsigned lines;
    char line[LINES_MAX][LINE_MAX_];
    unsigned invalid;
    bool challenge, measured, broken;
};

static void say(struct work *w, const char *text)
{
    /* a run of the same refusal counts once */
    if (w->lines == LINES_MAX ||
            (w->lines > 0 && strncmp(text, "ERROR", 5) == 0 &&
                    strcmp(w->line[w->lines - 1], text) == 0))
        return;
    (void)snprintf(w->line[w->lines++], LINE_MAX_, "%s", text);
}

/* Each certificate is signed by the one before it, the first by itself. */
static bool links_hold(const struct span *der, size_t n, char *cn, size_t cap)
{
    struct crypto_pub *issuer = NULL;
    bool ok = true;

    for (size_t i = 0; i < n && ok; i++) {
        struct crypto_cert *cert = crypto_cert_from_der(der[i]);
        struct crypto_pub *pub = cert ? crypto_cert_pub(cert) : NULL;

        ok = pub && crypto_cert_verify(cert, issuer ? issuer : pub) == 0;
        if (cert && i + 1 == n && crypto_cert_cn(cert, cn, cap) != 0)
            ok = false;
        crypto_pub_free(issuer);
        issuer = pub;
        crypto_cert_free(cert);
    }
    crypto_pub_free(issuer);
    return ok;
}

static void say_chain(struct work *w)
{
    struct span root, certs, der[SPDM_CERTS_MAX];
    char text[LINE_MAX_], cn[256] = "?";
    uint8_t digest[CRYPTO_HASH_MAX];
    const struct spdm_agreed *a = spdm_transcript_agreed(w->t);
    struct err err = {0};
    size_t n;

    if (!w->seen.chain_complete ||
            !spdm_transcript_chain(w->t, w->seen.slot, &root, &certs) ||
            spdm_chain_split(certs, der, &n, &err) != 0)
        return;
    crypto_hash(a->hash, der[0], digest);
    bool holds = links_hold(der, n, cn, sizeof(cn));
    (void)snprintf(text, sizeof(text),
            "CERT slot %u len %zu certs %zu roothash %s chainsig %s leaf CN=%s",
            w->seen.slot, certs.len + a->hash_size + 4, n,
            span_eq(root, SPAN(digest, a->hash_size)) ? "True" : "False",
            holds ? "OK" : "BAD", cn);
    say(w, text);
    if (!holds || !w->seen.digest_holds)
        w->broken = true;
}

static void say_measurements(struct work *w)
{
    const struct spdm_seen *s = &w->seen;
    char text[LINE_MAX_];
    int n = snprintf(text, sizeof(text), "MEASUREMENTS op 0x%x ", s->operation);

    if (s->signature == SPDM_SIG_NONE)
        n += snprintf(
                text + n, sizeof(text) - (size_t)n, "total %u ", s->total);
    n += snprintf(
            text + n, sizeof(text) - (size_t)n, "blocks %zu [", s->n_blocks);
    for (size_t i = 0; i < s->n_blocks && n < LINE_MAX_ - 64; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s(%u, '0x%x', %zu)",
                i ? ", " : "", s->block[i].index,
                s->block[i].type | (s->block[i].raw ? 0x80u : 0),
                s->block[i].value.len);
    (void)snprintf(text + n, sizeof(text) - (size_t)n, "]%s",
            s->signature == SPDM_SIG_GOOD   ? " SIG VALID"
            : s->signature == SPDM_SIG_NONE ? ""
                                            : " SIG INVALID");
    say(w, text);
    w->measured = w->measured || s->signature == SPDM_SIG_GOOD;
}

static void say_challenge(struct work *w)
{
    char text[LINE_MAX_];
    const struct spdm_seen *s = &w->seen;

    (void)snprintf(text, sizeof(text),
            "CHALLENGE_AUTH slot %u sumtype %u sig %s certhash %s", s->slot,
            s->summary, s->signature == SPDM_SIG_GOOD ? "VALID" : "INVALID",
            s->chain_hash_holds ? "True" : "False");
    say(w, text);
    if (s->signature == SPDM_SIG_GOOD && s->chain_hash_holds)
        w->challenge = true;
    else
        w->broken = true;
}

static const char *version_text(struct span response, char *ret, size_t cap)
{
    size_t n = response.ptr[5];
    int at = snprintf(ret, cap, "VERSION");

    for (size_t i = 0; i < n && 8 + 2 * i <= response.len; i++)
        at += snprintf(ret + at, cap - (size_t)at, " 0x%x",
                response.ptr[6 + 2 * i] | response.ptr[7 + 2 * i] << 8);
    return ret;
}

static void say_exchange(struct work *w, struct span response)
{
    const struct spdm_agreed *a = spdm_transcript_agreed(w->t);
    const struct spdm_seen *s = &w->seen;
    char text[LINE_MAX_] = "";

    switch (s->response) {
    case SPDM_VERSION:
        say(w, version_text(response, text, sizeof(text)));
        return;
    case SPDM_CAPABILITIES:
        (void)snprintf(text, sizeof(text), "CAPABILITIES ver 0x%x flags 0x%x",
                a->version, a->flags);
        break;
    case SPDM_ALGORITHMS:
        (void)snprintf(text, sizeof(text),
                "ALGORITHMS meas_hash 0x%x asym 0x%x hash %s other 0x%x",
                a->measurement_hash, a->asym, crypto_hash_name(a->hash),
                a->other);
        break;
    case SPDM_DIGESTS:
        (void)snprintf(text, sizeof(text), "DIGESTS slots 0x%x", s->slots);
        break;
    case SPDM_CERTIFICATE:
        say_chain(w);
        return;
    case SPDM_CHALLENGE_AUTH:
        say_challenge(w);
        return;
    case SPDM_MEASUREMENTS:
        say_measurements(w);
        return;
    case SPDM_ERROR:
        (void)snprintf(text, sizeof(text), "ERROR 0x%x for 0x%x", s->error,
                s->request);
        break;
    default:
        (void)snprintf(text, sizeof(text), "rsp 0x%x to 0x%x len %zu",
                s->response, s->request, response.len);
        break;
    }
    say(w, text);
}

static void take_frame(struct work *w, struct span frame)
{
    enum spdm_payload payload;
    struct span message;
    struct err err = {0};
    char text[64];
    uint8_t type;

    if (spdm_frame_open(w->carrier, frame, &payload, &type, &message, &err) !=
            0) {
        w->broken = true;
        return;
    }
    if (payload != SPDM_PLAIN) {
        (void)snprintf(text, sizeof(text), "[type %u %zuB]",
                payload == SPDM_SECURED ? 6u : type, message.len);
        say(w, text);
        return;
    }
    if (w->request.len == 0) {
        w->request = message;
        return;
    }
    if (spdm_transcript_take(w->t, w->request, message, &w->seen, &err) != 0)
        w->broken = true;
    else
        say_exchange(w, message);
    w->request = SPAN_EMPTY;
}

static void walk(struct work *w, struct span pcap)
{
    struct wire_reader r = wire_reader_of(pcap);
    struct span rest, frame;
    uint32_t magic, link, captured, length;

    if (!wire_get_u32le(&r, &magic) || magic != PCAP_MAGIC ||
            !wire_get_span(&r, 16, &rest) || !wire_get_u32le(&r, &link) ||
            (link != LINK_MCTP && link != LINK_DOE)) {
        vectors_complain(w->c, "not a capture of MCTP or DOE");
        return;
    }
    w->carrier = link == LINK_DOE ? SPDM_DOE : SPDM_MCTP;
    w->t = spdm_transcript_new(w->carrier == SPDM_DOE);
    while (w->t && !wire_end(&r)) {
        if (!wire_get_span(&r, 8, &rest) || !wire_get_u32le(&r, &captured) ||
                !wire_get_u32le(&r, &length) || captured != length ||
                !wire_get_span(&r, captured, &frame)) {
            w->broken = true;
            return;
        }
        take_frame(w, frame);
    }
}

/* ---- TDISP in clear text: "TDISP REQ hex", "TDISP RSP hex" ------------ */

static bool next_tdisp(struct text_lines *l, const char *what, struct span *ret)
{
    struct span line;

    while (text_next_line(l, &line)) {
        size_t n = strlen(what);

        if (line.len <= n || memcmp(line.ptr, what, n) != 0)
            continue;
        char *hex = strndup((const char *)line.ptr + n, line.len - n);

        return vectors_hex(hex, ret);
    }
    return false;
}

static void judge_tdisp(struct vectors_case *c, struct span text)
{
    struct text_lines l = text_lines_of(text);
    struct spdm_tdisp_report report;
    struct span request, response;
    struct spdm_tdisp t;
    struct err err = {0};
    bool ran = false;

    spdm_tdisp_init(&t);
    while (next_tdisp(&l, "TDISP REQ ", &request)) {
        if (!next_tdisp(&l, "TDISP RSP ", &response) ||
                spdm_tdisp_take(&t, request, response, &err) != 0) {
            vectors_complain(c, "TDISP: %s", err.msg);
            return;
        }
        if (t.complete &&
                spdm_tdisp_report(buf_span(&t.report), &report, &err) != 0)
            vectors_complain(c, "TDISP: %s", err.msg);
        ran = ran || (t.state == SPDM_TDISP_RUN && t.complete);
    }
    if (!ran)
        vectors_complain(c, "TDISP: the interface did not come to run");
    spdm_tdisp_fini(&t);
}

/* ---- the case -------------------------------------------------------- */

static void compare_summary(struct work *w)
{
    json_t *want = json_object_get(w->c->expect, "summary"), *v;
    size_t i;

    if (!want)
        return;
    if (json_array_size(want) != w->lines)
        vectors_complain(w->c, "summary: expected %zu lines, got %u",
                json_array_size(want), w->lines);
    json_array_foreach (want, i, v) {
        if (i < w->lines && strcmp(json_string_value(v), w->line[i]) != 0) {
            vectors_disagree(w->c, "summary", json_string_value(v), w->line[i]);
            return;
        }
    }
}

static void judge(struct vectors_case *c)
{
    static const char *const known[] = {"summary", "signed_measurements_ok",
            "challenge_ok", "invalid", "verdict", NULL};
    struct work *w = calloc(1, sizeof(*w));
    struct spdm_result res = {0};
    bool accept;

    if (!w)
        abort();
    w->c = c;
    walk(w, vectors_load(c, vectors_file(c, "capture")));
    if (w->t)
        spdm_transcript_result(w->t, &res);
    accept = res.attested && !w->broken;
    vectors_known(c, c->expect, known);
    compare_summary(w);
    vectors_is_bool(c, c->expect, "signed_measurements_ok", w->measured);
    vectors_is_bool(c, c->expect, "challenge_ok", w->challenge);
    if (json_is_array(json_object_get(c->expect, "invalid")) &&
            (json_array_size(json_object_get(c->expect, "invalid")) == 0) !=
                    (res.bad == 0))
        vectors_complain(c, "invalid: %u signatures do not hold", res.bad);
    vectors_is_text(c, c->expect, "verdict", accept ? "accept" : "reject");
    if (vectors_file(c, "tdisp_plaintext"))
        judge_tdisp(c, vectors_load(c, vectors_file(c, "tdisp_plaintext")));
}

const struct vectors_kind vectors_spdm[] = {
        {.name = "spdm-transcript", .judge = judge},
        {0},
};
