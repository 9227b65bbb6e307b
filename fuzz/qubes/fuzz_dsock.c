/* SPDX-License-Identifier: Apache-2.0 */
/* Both directions of a daemon's socket, and what qubesd answers. */
#include "admin.h"
#include "dsock.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read is what would be written. */
static void request(struct span in)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct dsock_request q;
    struct span rest = in;
    struct err err;
    size_t len = 0;

    if (dsock_get_request(&rest, &q, &err))
        return;
    assert(dsock_put_request(&q, bytes, sizeof(bytes), &len) == 0);
    assert(span_eq(SPAN(bytes, len), SPAN(in.ptr, in.len - rest.len)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = SPAN(data, size);
    struct span rest = in;
    uint8_t bytes[DSOCK_ANSWER_SIZE];
    uint32_t domain;
    uint32_t port;
    struct span value;
    struct err err;

    if (dsock_get_hello(&rest, &err) == 0)
        assert(in.len - rest.len == DSOCK_HELLO_SIZE);
    rest = in;
    request(in);
    if (dsock_get_answer(&rest, QREXEC_EXEC_CMDLINE, &domain, &port, &err) ==
            0) {
        dsock_put_answer(QREXEC_EXEC_CMDLINE, domain, port, bytes);
        assert(span_eq(SPAN_OF(bytes), SPAN(in.ptr, DSOCK_ANSWER_SIZE)));
    }
    if (admin_answer(in, &value, &err) == 0)
        assert(value.len == in.len - 2);
    else
        assert(admin_exception(in).len <= in.len);
    return 0;
}
