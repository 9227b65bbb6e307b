/* SPDX-License-Identifier: Apache-2.0 */
/* What qubesd tells of its qubes: any bytes are a state, or an error. */
#include "info.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct info *i = NULL;
    struct err err = {.code = 0};
    json_t *icons;

    if (info_parse(SPAN(data, size), &i, &err) < 0) {
        assert(!i && err.msg[0] != '\0');
        return 0;
    }
    assert(policy_system_find(i->system, span_str("dom0")));
    icons = info_icons(i);
    assert(icons && json_object_size(icons) >= json_object_size(i->domains));
    json_decref(icons);
    info_free(i);
    return 0;
}
