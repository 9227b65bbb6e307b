/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CoRIM and CoMID: no crash, indices within, each value can be shown and
 * asked for its claim, and no claim comes of a value that was not understood.
 */
#include "corim.h"

#include <stdlib.h>

static void check_value(const struct corim *c, const struct corim_value *v)
{
    struct buf b = BUF_INIT(1u << 16);
    struct corim_claim claim;

    if (v->tag >= c->n_tags || v->env >= c->n_envs ||
            v->measurement > c->n_measurements)
        abort();
    corim_format_value(v, &b);
    corim_format_env(&c->env[v->env], &b);
    corim_format_name(&c->tag[v->tag].id, &b);
    buf_fini(&b);
    for (enum corim_product p = CORIM_PRODUCT_UNKNOWN; p <= CORIM_PRODUCT_TURIN;
            p++) {
        if (corim_claim(c, v, p, &claim, NULL))
            continue;
        if (v->partial || v->role != CORIM_REFERENCE || v->authorized_by ||
                claim.name[0] == 0 || claim.n_parts > CORIM_PARTS_MAX)
            abort();
    }
}

static void check(struct corim *c)
{
    for (size_t i = 0; i < c->n_values; i++)
        check_value(c, &c->value[i]);
    (void)!corim_check_time(c, 1, NULL);
    corim_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[32] = {1};
    static struct crypto_key *k;
    struct corim *c = NULL;

    if (!k)
        k = crypto_key_ed25519(seed);
    if (corim_read(SPAN(data, size), NULL, &c, NULL) == 0)
        check(c);
    c = NULL;
    if (corim_read_comid(SPAN(data, size), &c, NULL) == 0)
        check(c);
    if (corim_read(SPAN(data, size), crypto_key_pub(k), &c, NULL) == 0)
        abort(); /* signed by a key that the fuzzer does not have */
    return 0;
}
