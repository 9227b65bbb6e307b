/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer that knows the protocol's user but not its keys, against one machine.
 * Input: a byte of choices, then bytes from the peer, cut by 0xa5-prefixed
 * lengths so that pieces vary.  DONE without an appraisal that said yes is a
 * bug, and so is anything in out that a peer could not decode.
 */
#include "channel_attest.h"

#include <stdlib.h>

#define MUST(x)                                                                \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)

enum {
    AS_SERVER = 1,
    DENY = 2,
    NO_EVIDENCE = 4,
    NO_EXPORTER = 8,
    LATE_ROUND = 16,
    MIRROR = 32, /* the peer's accepting VERDICT is made to fit */
};

static int exporter(
        void *arg, const char *label, struct span context, uint8_t *ret)
{
    const uint8_t *choices = arg;

    crypto_hmac(CRYPTO_SHA384, span_str(label), context, ret);
    return (*choices & NO_EXPORTER) ? ERR_CRYPTO : 0;
}

static void fulfil(struct channel_attest *a, uint8_t choices, bool *appraised)
{
    struct err err;

    switch (channel_attest_want(a)) {
    case CHANNEL_ATTEST_EVIDENCE:
        if (choices & NO_EVIDENCE)
            channel_attest_fail(a, CHANNEL_REASON_OWN);
        else
            MUST(channel_attest_evidence(a, SPAN_OF(a->binder), &err) == 0);
        break;
    case CHANNEL_ATTEST_APPRAISE:
        MUST(a->untrusted_evidence.len > 0 &&
                a->untrusted_evidence.len <= LIMIT_EVIDENCE_MAX);
        *appraised = !(choices & DENY);
        MUST(channel_attest_appraised(a, *appraised, &err) ==
                (*appraised ? 0 : ERR_DENIED));
        break;
    case CHANNEL_ATTEST_CONFIRM:
        MUST(*appraised);
        MUST(channel_attest_confirm(a) == 0);
        break;
    case CHANNEL_ATTEST_INPUT:
    case CHANNEL_ATTEST_DONE:
    case CHANNEL_ATTEST_FAILED:
        break;
    }
}

/* Everything that was said is whole frames of this round. */
static void check_out(const struct channel_attest *a)
{
    struct wire_reader r = wire_reader_of(buf_span(&a->out));

    while (!wire_end(&r)) {
        struct span body;
        uint8_t type;
        uint16_t round;
        uint32_t len;
        MUST(channel_frame_get_header(
                     SPAN(r.ptr, r.left), &type, &round, &len) == 0);
        MUST(round == a->conf.round);
        MUST(wire_get_span(&r, CHANNEL_FRAME_HEADER, &body));
        MUST(wire_get_span(&r, len, &body));
    }
}

/* Puts the digest that the machine expects where a VERDICT has it, so that
 * the states behind it can be reached. */
static void mirror(const struct channel_attest *a, uint8_t *bytes, size_t len)
{
    if (a->state == CHANNEL_ATTEST_S_VERDICT && a->in.len == 0 &&
            len >= CHANNEL_FRAME_HEADER + CHANNEL_FRAME_VERDICT &&
            bytes[0] == CHANNEL_FRAME_T_VERDICT && bytes[8] == 1)
        memcpy(bytes + 10, a->own, sizeof(a->own));
}

static void feed(struct channel_attest *a, const uint8_t *data, size_t size,
        uint8_t choices)
{
    bool appraised = false, over = false;

    while (size > 0 && !over) {
        size_t len = size, used = 0;
        if (size > 2 && data[0] == 0xa5) {
            len = (size_t)data[1] + 1 < size - 2 ? (size_t)data[1] + 1
                                                 : size - 2;
            data += 2;
            size -= 2;
        }
        uint8_t *copy = malloc(len);
        MUST(copy != NULL);
        memcpy(copy, data, len);
        if (choices & MIRROR)
            mirror(a, copy, len);
        int rc = channel_attest_feed(a, SPAN(copy, len), &used, NULL);
        free(copy);
        MUST((rc == 0) == (channel_attest_want(a) != CHANNEL_ATTEST_FAILED));
        over = rc != 0 || used < len;
        fulfil(a, choices, &appraised);
        if (channel_attest_want(a) == CHANNEL_ATTEST_DONE)
            MUST(appraised);
        data += len;
        size -= len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct channel_attest a;
    uint8_t choices = size > 0 ? data[0] : 0;
    struct channel_attest_conf conf = {
            .role = (choices & AS_SERVER) ? CHANNEL_ATTEST_SERVER
                                          : CHANNEL_ATTEST_CLIENT,
            .round = (choices & LATE_ROUND) ? 7 : 0,
            .interval_s = 30,
            .zone = "a",
            .peer = "b",
            .nonce = {1},
            .exporter = exporter,
            .exporter_arg = &choices,
    };

    if (size == 0 || channel_attest_init(&a, &conf) != 0)
        return 0;
    feed(&a, data + 1, size - 1, choices);
    check_out(&a);
    channel_attest_fini(&a);
    return 0;
}
