/* SPDX-License-Identifier: Apache-2.0 */
/* A Statement that is accepted is written back as the same bytes. */
#include "statement.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

union any {
    struct statement_call call;
    struct statement_decision decision;
    struct statement_sign sign;
    struct statement_channel channel;
    struct statement_event event;
};

static int parse_and_format(
        const struct statement *s, union any *v, struct buf *ret)
{
    switch (s->kind) {
    case STATEMENT_CALL:
        return statement_call_parse(s, &v->call, NULL) == 0
                       ? statement_call_format(&v->call, ret, NULL)
                       : 1;
    case STATEMENT_DECISION:
        return statement_decision_parse(s, &v->decision, NULL) == 0
                       ? statement_decision_format(&v->decision, ret, NULL)
                       : 1;
    case STATEMENT_SIGN:
        return statement_sign_parse(s, &v->sign, NULL) == 0
                       ? statement_sign_format(&v->sign, ret, NULL)
                       : 1;
    case STATEMENT_CHANNEL:
        return statement_channel_parse(s, &v->channel, NULL) == 0
                       ? statement_channel_format(&v->channel, ret, NULL)
                       : 1;
    case STATEMENT_EVENT:
        return statement_event_parse(s, &v->event, NULL) == 0
                       ? statement_event_format(&v->event, ret, NULL)
                       : 1;
    case STATEMENT_OTHER:
    case STATEMENT_ZONE:
    case STATEMENT_KEY:
    case STATEMENT_REFERENCE:
    case STATEMENT_RULES:
    case STATEMENT_VALUES:
    case STATEMENT_KIND_COUNT:
        return 1;
    }
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf again = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement s;
    union any v;
    int r;

    if (statement_parse(SPAN(data, size), &s, NULL) < 0)
        return 0;
    r = parse_and_format(&s, &v, &again);
    if (r < 0 || (r == 0 && !span_eq(buf_span(&again), SPAN(data, size))))
        abort();
    statement_fini(&s);
    buf_fini(&again);
    return 0;
}
