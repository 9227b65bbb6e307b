/* SPDX-License-Identifier: Apache-2.0 */
/* TPMT_PUBLIC: parse, judge, name and turn into a key. */
#include "tcg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tcg_public p;
    struct tcg_name name;

    if (tcg_public(SPAN(data, size), &p, NULL) != 0)
        return 0;
    crypto_pub_free(tcg_pub(&p));
    if (tcg_check_ak(&p, NULL) == 0 &&
            (tcg_name(&p, &name) != 0 || tcg_check_ek(&p, NULL) == 0))
        __builtin_trap(); /* an AK has a name and is no EK */
    return 0;
}
