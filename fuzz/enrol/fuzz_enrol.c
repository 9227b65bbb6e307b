/* SPDX-License-Identifier: Apache-2.0 */
/* The files of enrolment; the first byte chooses which.  What is read is
 * written again as the same bytes. */
#include "enrol.h"

#include <stdlib.h>

static void same(int r, struct buf *again, struct span text)
{
    if (r != 0 || !span_eq(buf_span(again), text))
        abort();
}

static void claim(struct span text, struct buf *again)
{
    struct enrol_claim c;
    struct enrol_keys k;

    if (enrol_claim_parse(text, &c, NULL) == 0) {
        same(enrol_claim_format(&c, again, NULL), again, text);
        if (enrol_claim_check(&c, &k, NULL) == 0 &&
                (!k.ek_cert || !k.identity || !k.log || k.ak_name.len == 0))
            abort();
        enrol_keys_fini(&k);
    }
    enrol_claim_fini(&c);
}

static void challenge(struct span text, struct buf *again)
{
    struct enrol_challenge c;

    if (enrol_challenge_parse(text, &c, NULL) == 0)
        same(enrol_challenge_format(&c, again, NULL), again, text);
    enrol_challenge_fini(&c);
}

static void secret(struct span text, struct buf *again)
{
    struct enrol_secret s;

    if (enrol_secret_parse(text, &s, NULL) == 0)
        same(enrol_secret_format(&s, again, NULL), again, text);
}

static void answer(struct span text, struct buf *again)
{
    struct enrol_answer a;

    if (enrol_answer_parse(text, &a, NULL) == 0)
        same(enrol_answer_format(&a, again, NULL), again, text);
    enrol_answer_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const format[])(struct span, struct buf *) = {
            claim, challenge, secret, answer};
    struct buf again = BUF_INIT(ENROL_ANSWER_MAX);

    if (size > 0)
        format[data[0] % ARRAY_LEN(format)](SPAN(data + 1, size - 1), &again);
    buf_fini(&again);
    return 0;
}
