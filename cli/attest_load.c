/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_load.h"

#include "attest_unwrap.h"

#include <fcntl.h>
#include <stdio.h>

void attest_loaded_fini(struct attest_loaded *l)
{
    buf_fini(&l->bytes);
}

int attest_read(const char *path, struct attest_loaded *ret, struct err *err)
{
    ret->bytes = BUF_INIT(ATTEST_WRAPPED_MAX);
    return buf_load(&ret->bytes, AT_FDCWD, path, err);
}

int attest_parse(const char *path, struct attest_loaded *l, struct err *err)
{
    int r = evidence_parse(buf_span(&l->bytes), &l->e, err);

    return r == 0 ? 0 : err_prefix(err, r, "%s", path);
}

int attest_load(const char *path, struct attest_loaded *ret, struct err *err)
{
    int r = attest_read(path, ret, err);

    return r == 0 ? attest_parse(path, ret, err) : r;
}

static const struct pack_zone *zone_of(
        const struct pack *p, const struct evidence *e)
{
    const struct pack_zone *z;
    size_t n = pack_zones(p, &z);

    for (size_t i = 0; i < n; i++) {
        if (span_eq(e->ak, SPAN(z[i].ak, z[i].ak_len)))
            return &z[i];
    }
    return NULL;
}

int attest_find_zone(const struct pack *p, const struct evidence *e,
        const struct pack_zone **ret, struct err *err)
{
    *ret = zone_of(p, e);
    return *ret ? 0
                : err_set(err, ERR_NOT_FOUND,
                          "no zone of the pack has this attestation key; enrol "
                          "it first (qair zone challenge)");
}

int attest_take_input(const struct pack_options *o, const struct pack *p,
        struct attest_loaded *l, struct appraise_input *ret, struct err *err)
{
    int r = attest_load(o->arg[0], l, err);

    if (r == 0)
        r = attest_find_zone(p, &l->e, &ret->zone, err);
    if (r != 0)
        return r;
    ret->evidence = buf_span(&l->bytes);
    ret->binder = SPAN_OF(o->binder);
    return 0;
}

void attest_print_findings(const struct appraisal *a)
{
    char line[APPRAISE_CLAIM_MAX + 2 * APPRAISE_VALUE_MAX + 80];

    for (size_t i = 0; i < a->n_findings; i++) {
        appraise_format(&a->finding[i], line, sizeof(line));
        (void)printf("  %s\n", line);
    }
    if (a->n_more)
        (void)printf("  and %zu more\n", a->n_more);
}
