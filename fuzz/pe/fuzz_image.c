/* SPDX-License-Identifier: Apache-2.0 */
/* An image that somebody hands in for a prediction. */
#include "pe.h"

#include <stdlib.h>

static void check_inside(struct span outer, struct span s)
{
    if (s.len && (s.ptr < outer.ptr || s.len > outer.len ||
                         (size_t)(s.ptr - outer.ptr) > outer.len - s.len))
        abort();
}

static void walk_certs(const struct pe *pe)
{
    struct pe_cert c;
    size_t at = 0, was = 0;

    while (pe_cert_next(pe, &at, &c, NULL) == 1) {
        check_inside(pe->certs, c.data);
        if (at <= was)
            abort();
        was = at;
    }
}

static void walk_sbat(struct span text)
{
    struct pe_sbat e;

    while (pe_sbat_next(&text, &e, NULL) == 1)
        check_inside(SPAN(e.component.ptr, 1), SPAN(e.component.ptr, 1));
}

/* Headers, sections, trailing bytes and certificates are the whole file. */
static void check_whole(const struct pe *pe)
{
    size_t n = pe->headers + pe->trailing.len + pe->certs.len;

    for (size_t i = 0; i < pe->n_sections; i++) {
        check_inside(pe->file, pe->section[i].raw);
        n += pe->section[i].raw.len;
    }
    if (n != pe->file.len)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t digest[CRYPTO_HASH_MAX];
    struct pe_linux l;
    struct pe_uki u;
    struct pe pe;

    walk_sbat(SPAN(data, size));
    if (pe_linux(SPAN(data, size), &l, NULL) == 0)
        check_inside(SPAN(data, size), l.version);
    if (pe_parse(SPAN(data, size), &pe, NULL) != 0)
        return 0;
    check_whole(&pe);
    pe_digest(&pe, CRYPTO_SHA256, digest);
    walk_certs(&pe);
    if (pe_uki(&pe, &u, NULL) == 0) {
        for (size_t i = 0; i < PE_UKI_SECTIONS; i++)
            check_inside(pe.file, u.section[i]);
    }
    return 0;
}
