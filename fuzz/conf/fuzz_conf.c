/* SPDX-License-Identifier: Apache-2.0 */
/* Both files; what is accepted keeps its invariants. */
#include "conf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conf_zone z;
    struct conf_qube q;
    struct conf_qubes all;
    struct err err;

    if (conf_zone_parse(SPAN(data, size), &z, &err) == 0 &&
            (!text_is_name(span_str(z.name), LIMIT_ZONE_NAME_MAX) ||
                    z.n_peers > LIMIT_ZONES_MAX))
        abort();
    if (conf_qube_parse(SPAN(data, size), "work.conf", &q, &err) == 0 &&
            q.type != CONF_APPVM && q.type != CONF_REMOTEVM)
        abort();
    if (conf_qubes_parse(SPAN(data, size), &all, &err) == 0)
        conf_qubes_fini(&all);
    return 0;
}
