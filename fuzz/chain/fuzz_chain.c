/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call that went through zones: a line a link, the oldest first, each the
 * statement of a call, the last one without a signature.  Every link is signed
 * by its origin and stands in the next one, so that all but the signatures may
 * lie.  What chain_open takes must be what the rules of chain.h, written down
 * once more and plainly, take.  A link may bring a `via` of its own instead.
 */
#include "chain.h"
#include "pack_fixture.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINKS (LIMIT_CALL_HOPS + 1)

/* The last one signs for whoever is in no pack. */
static const char *const names[] = {"thin", "gateway", "server", "nobody"};
#define ZONES (ARRAY_LEN(names) - 1)
static struct estate estates[ARRAY_LEN(names)];
static struct pack *pack;

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void init(void)
{
    CLEANUP(buf_fini) struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    char path[64];

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        estate_init(&estates[i], names[i]);
    pack = pack_new(crypto_key_pub(estates[0].owner));
    require(pack != NULL);
    for (size_t i = 0; i < ZONES; i++) {
        buf_reset(&file);
        require(pack_zone_sign(
                        &estates[i].zone, estates[0].owner, &file, NULL) == 0);
        (void)snprintf(path, sizeof(path), "zones/%s.json", names[i]);
        require(pack_add(pack, span_str(path), buf_span(&file), NULL) == 0);
    }
    require(pack_check(pack, NULL) == 0);
}

static size_t index_of(struct span zone)
{
    size_t i = 0;

    while (i < ZONES && !span_eq_str(zone, names[i]))
        i++;
    return i;
}

struct links {
    size_t n;
    bool own_via; /* one brings its own: the plain rules do not know it */
    struct statement statement[LINKS];
    struct statement_call call[LINKS];
    struct buf dsse[LINKS];
};

/* false: a link is no call, or will not fit. */
static bool add(struct links *l, struct span line)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement_call *c = &l->call[l->n];

    if (l->n == LINKS || statement_parse(line, &l->statement[l->n], NULL) != 0)
        return false;
    l->dsse[l->n] = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    if (statement_call_parse(&l->statement[l->n++], c, NULL) != 0)
        return false;
    if (c->via.len > 0)
        l->own_via = true;
    else if (l->n > 1)
        c->via = buf_span(&l->dsse[l->n - 2]);
    return statement_call_format(c, &text, NULL) == 0 &&
           statement_dsse_sign(STATEMENT_PAYLOAD_TYPE, buf_span(&text), "hint",
                   estates[index_of(c->origin)].identity, &l->dsse[l->n - 1],
                   NULL) == 0;
}

static bool is_good(const struct links *l)
{
    const struct statement_call *c = l->call;

    for (size_t i = 0; i < l->n; i++) {
        for (size_t k = i + 1; k < l->n; k++) {
            if (span_eq(c[i].origin, c[k].origin))
                return false;
        }
        if (span_eq(c[i].origin, c[l->n - 1].zone))
            return false;
        if (i + 1 == l->n)
            break;
        if (index_of(c[i].origin) == ZONES ||
                memcmp(c[i].call_id, c[i + 1].call_id, STATEMENT_CALL_ID) ||
                !span_eq(c[i].zone, c[i + 1].origin) ||
                !span_eq(c[i].qube, c[i + 1].requested) ||
                !span_eq(c[i].service, c[i + 1].service) ||
                c[i].issued > c[i + 1].issued ||
                c[i].deadline < c[i + 1].deadline)
            return false;
    }
    return l->n <= LIMIT_CALL_HOPS;
}

static void check(const struct links *l)
{
    const struct statement_call *last = &l->call[l->n - 1];
    char path[CHAIN_PATH_MAX];
    struct chain c;
    struct err err;
    int r = chain_open(last, pack, FIXTURE_NOW, &c, &err);

    if (!l->own_via)
        require((r == 0) == is_good(l));
    if (r)
        return;
    require(c.n < LIMIT_CALL_HOPS);
    require(l->own_via || c.n + 1 == l->n);
    require(chain_has_zone(&c, last, chain_first(&c, last)->origin));
    require(!chain_has_zone(&c, last, last->zone));
    chain_path(&c, last, path);
    require(memchr(path, '\0', sizeof(path)) != NULL);
    chain_fini(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text_lines lines = text_lines_of(SPAN(data, size));
    struct links l = {.n = 0};
    struct span line;
    bool ok = true;

    if (!pack)
        init();
    while (ok && text_next_line(&lines, &line))
        ok = add(&l, line);
    if (ok && l.n > 0)
        check(&l);
    for (size_t i = 0; i < l.n; i++) {
        statement_fini(&l.statement[i]);
        buf_fini(&l.dsse[i]);
    }
    return 0;
}
