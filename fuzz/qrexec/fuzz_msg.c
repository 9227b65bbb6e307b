/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from an agent: what decodes encodes to the same bytes. */
#include "qrexec.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[QREXEC_MSG_MAX];
    struct span in = SPAN(data, size);
    struct qrexec_msg m;
    struct err err;

    for (;;) {
        const uint8_t *from = in.ptr;
        size_t len;

        if (qrexec_msg_get(&in, &m, &err))
            return 0;
        assert(qrexec_msg_put(&m, out, sizeof(out), &len) == 0);
        assert(len == (size_t)(in.ptr - from));
        assert(memcmp(out, from, len) == 0);
        if (m.type == QREXEC_TRIGGER_SERVICE4) {
            struct qrexec_request r;

            if (qrexec_request_check(&m, &r, &err) == 0) {
                assert(strchr(r.service, '+') != NULL);
                assert(strchr(r.service, '/') == NULL);
                assert(strlen(r.service) <= LIMIT_SERVICE_MAX);
            }
        }
    }
}
