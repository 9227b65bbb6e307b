/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_json.h"

int cli_json_put(json_t *j, FILE *out, struct err *err)
{
    int r = 0;

    if (j == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    if (json_dumpf(j, out, JSON_COMPACT | JSON_SORT_KEYS) < 0 ||
            fputc('\n', out) == EOF)
        r = err_errno(err, "cannot write the answer");
    json_decref(j);
    return r;
}
