/* SPDX-License-Identifier: Apache-2.0 */
/* What a qube may put into a request: nothing odd comes out. */
#include "trigger.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char names[] = "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-@:";
static const char idents[] = "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_. -";

static bool is_of(const char *text, const char *letters)
{
    return strspn(text, letters) == strlen(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        uint32_t type;
        size_t min, max;
    } kinds[] = {
            {QREXEC_TRIGGER_SERVICE, TRIGGER2_SIZE, TRIGGER2_SIZE},
            {QREXEC_TRIGGER_SERVICE3, TRIGGER3_MIN, TRIGGER3_MAX},
            {QREXEC_TRIGGER_SERVICE4, TRIGGER4_MIN, TRIGGER4_MAX},
    };
    static struct trigger t;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct err err;

        if (size < kinds[i].min || size > kinds[i].max)
            continue;
        if (trigger_parse(kinds[i].type, SPAN(data, size), &t, &err))
            continue;
        assert(is_of(t.asked.ident, idents));
        assert(span_eq_str(
                SPAN(t.ident, strlen(t.asked.ident)), t.asked.ident));
        assert(is_of(t.asked.source, names) && is_of(t.asked.target, names));
        assert(t.asked.service[0] && t.asked.service[0] != '+');
        assert(strchr(t.asked.service, '+'));
    }
    return 0;
}
