/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts from strangers: whatever parses formats to the same bytes, and
 * nothing is verified by a pack that knows no zone.
 */
#include "receipt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The pack borrows its public half; kept, so that no leak is reported. */
__attribute__((used)) static struct crypto_key *owner;
static struct pack *pack;

static void init(void)
{
    static const uint8_t seed[32] = {1};

    owner = crypto_key_ed25519(seed);
    pack = owner ? pack_new(crypto_key_pub(owner)) : NULL;
    if (!pack)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_fini) struct buf again = BUF_INIT(RECEIPT_MAX);
    struct receipt_input in = {.receipt = SPAN(data, size), .time = 1764037560};
    struct receipt_judgement j;
    struct receipt r;
    struct err err;

    if (!pack)
        init();
    in.pack = pack;
    receipt_judge(&in, &j);
    if (j.verified)
        abort();
    if (receipt_parse(SPAN(data, size), &r, &err))
        return 0;
    if (receipt_format(&r, &again, &err) ||
            !span_eq(SPAN(data, size), buf_span(&again)))
        abort();
    receipt_fini(&r);
    return 0;
}
