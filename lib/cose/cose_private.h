/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the room: what an algorithm is made of. */
#ifndef QAIR_COSE_PRIVATE_H
#define QAIR_COSE_PRIVATE_H

#include "cose.h"

struct cose_alg_row {
    int64_t alg;
    const char *name;
    enum crypto_key_type key;
    enum crypto_scheme scheme;
    enum crypto_hash hash;
};

const struct cose_alg_row *cose_alg_find(int64_t alg);

#endif
