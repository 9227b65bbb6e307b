/* SPDX-License-Identifier: Apache-2.0 */
/* The argument of qair.Relay, and who calls, as lines: what is taken has no
 * name with a '+' and says the same again. */
#include "qrexec.h"
#include "relay_request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct relay_request q;
    char *text = malloc(size + 1), *line;
    size_t full = sizeof(RELAY_SERVICE) + size + 2;
    char *name = malloc(full), *again = malloc(full);

    if (!text || !name || !again)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    line = strchr(text, '\n');
    if (line)
        *line++ = '\0';
    (void)snprintf(name, full, "%s+%s", RELAY_SERVICE, text);
    if (relay_request_parse(text, name, line, &q, NULL) == 0) {
        assert(!strchr(q.target, '+') && !strchr(q.source, '+'));
        assert(qrexec_is_service(span_str(q.service)));
        (void)snprintf(again, full, "%s+%s", q.target, q.service);
        assert(strcmp(again, text) == 0);
        assert(line && strcmp(q.source, line) == 0);
    }
    free(text);
    free(name);
    free(again);
    return 0;
}
