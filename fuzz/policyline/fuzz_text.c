/* SPDX-License-Identifier: Apache-2.0 */
/* The policy socket's texts: what is read is written and read again. */
#include "policyline.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(struct span text)
{
    struct policyline_request r, again;
    char out[POLICYLINE_REQUEST_MAX];
    struct err err;
    size_t len, end = policyline_request_end(text);

    assert(end <= text.len);
    if (policyline_request_parse(text, &r, &err) < 0)
        return;
    /* Canonical text may be longer by an empty line. */
    if (policyline_request_format(&r, out, sizeof(out), &len, &err) < 0)
        return;
    assert(policyline_request_end(SPAN(out, len)) == len);
    assert(policyline_request_parse(SPAN(out, len), &again, &err) == 0);
    assert(span_eq(again.service, r.service));
    assert(span_eq(again.requested_source, r.requested_source));
    assert(again.assume_yes == r.assume_yes);
}

static void check_response(struct span text, bool just_evaluate)
{
    struct policyline_response r, again;
    char out[POLICYLINE_RESPONSE_MAX];
    struct err err;
    size_t len;

    if (policyline_response_parse(text, just_evaluate, &r, &err) < 0)
        return;
    assert(!r.has_target || (r.allow && r.target.len > 0 && r.user.len > 0));
    assert(r.has_target == (r.allow && !just_evaluate));
    if (policyline_response_format(&r, out, sizeof(out), &len, &err) < 0)
        return;
    assert(policyline_response_parse(
                   SPAN(out, len), just_evaluate, &again, &err) == 0);
    assert(again.allow == r.allow);
    assert(!r.has_target || span_eq(again.target, r.target));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = SPAN(data, size);
    struct policyline_eval e;
    struct err err;

    check_request(text);
    check_response(text, false);
    check_response(text, true);
    if (policyline_eval_parse(text, "policy.EvalSimple", &e, &err) == 0) {
        assert(e.source.len >= 1 && e.source.len <= 31);
        assert(e.target.len >= 1 && e.target.len <= 63);
        assert(e.service.len >= 1 && e.service.ptr[0] != '+');
    }
    return 0;
}
