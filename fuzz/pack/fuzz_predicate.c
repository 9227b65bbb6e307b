/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements of a pack, as if the owner had signed them: a zone or key that is
 * read is signed again over the same bytes.
 */
#include "pack_private.h"

#include <stdlib.h>

static struct crypto_key *owner;

static void same_payload(struct span payload, struct buf *file)
{
    struct statement_dsse d;

    if (statement_dsse_parse(buf_span(file), &d, NULL) != 0 ||
            !span_eq(buf_span(&d.payload), payload))
        abort();
    statement_dsse_fini(&d);
}

static void check_zone(
        struct span payload, const struct statement *s, struct span name)
{
    struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    struct pack_zone z;

    if (s->kind != STATEMENT_ZONE || pack_read_zone(s, name, &z, NULL) != 0)
        return;
    if (pack_zone_sign(&z, owner, &file, NULL) != 0)
        abort();
    same_payload(payload, &file);
    buf_fini(&file);
    pack_zone_fini(&z);
}

static void check_key(
        struct span payload, const struct statement *s, struct span name)
{
    struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    struct pack_key k;

    if (s->kind != STATEMENT_KEY || pack_read_key(s, name, &k, NULL) != 0)
        return;
    if (pack_key_sign(&k, owner, &file, NULL) != 0)
        abort();
    same_payload(payload, &file);
    buf_fini(&file);
    pack_key_fini(&k);
}

/* What is read has the form that its users rely on. */
static void check_rules(const struct statement *s)
{
    struct pack_rules f;
    struct rules_set set;

    if (s->kind == STATEMENT_RULES &&
            pack_read_rules(s, span_str("z.json"), &f, NULL) == 0) {
        if (!f.rules || f.rules->n_lines == 0)
            abort();
        pack_rules_fini(&f);
    }
    if (s->kind == STATEMENT_VALUES &&
            pack_read_set(s, span_str("s.json"), &set, NULL) == 0) {
        for (size_t i = 0; i < set.n; i++) {
            if (set.value[i].type != set.def->type)
                abort();
        }
        pack_set_fini(&set);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span payload = SPAN(data, size);
    struct pack_reference f;
    struct statement s;

    if (!owner)
        owner = crypto_key_generate(CRYPTO_P256);
    if (!owner)
        abort();
    if (statement_parse(payload, &s, NULL) != 0)
        return 0;
    /* File names as short as they come: the names inside must agree. */
    check_zone(payload, &s, span_str("z.json"));
    check_key(payload, &s, span_str("k.json"));
    check_rules(&s);
    if (pack_read_reference(
                &s, span_str("z.json"), crypto_key_pub(owner), &f, NULL) == 0)
        abort(); /* nobody can approve without the owner's key */
    statement_fini(&s);
    return 0;
}
