/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gateway zone's keyd that has been taken over: linked into the real one, it
 * signs a link around any call, and makes each one another lie, in the order of
 * the table.  Its identity, channel and state are good; the next zone alone
 * can see that the links do not fit.
 */
#include "chain.h"

/* The linker's names (--wrap) for the rooms' functions and these. */
int __wrap_chain_open(const struct statement_call *last,
        const struct pack *pack, uint64_t at, struct chain *ret,
        struct err *err);
int __real_statement_call_format(
        const struct statement_call *c, struct buf *ret, struct err *err);
int __wrap_statement_call_format(
        const struct statement_call *c, struct buf *ret, struct err *err);

static struct buf old_via = {.cap = STATEMENT_ENVELOPE_MAX};
static uint8_t old_id[STATEMENT_CALL_ID];

static void honest(struct statement_call *c)
{
    buf_append(&old_via, c->via);
    memcpy(old_id, c->call_id, sizeof(old_id));
}
static void longer(struct statement_call *c)
{
    c->deadline += 20;
}
static void another_id(struct statement_call *c)
{
    c->call_id[0] ^= 1;
}
static void another_service(struct statement_call *c)
{
    c->service = span_str("test.Exit+0");
}
static void spliced(struct statement_call *c)
{
    c->via = buf_span(&old_via);
}
static void old_call_again(struct statement_call *c)
{
    c->via = buf_span(&old_via);
    memcpy(c->call_id, old_id, sizeof(old_id));
    c->deadline -= 100; /* within the old one's */
}
static void cut(struct statement_call *c)
{
    c->via = SPAN_EMPTY;
}

static void (*const lies[])(struct statement_call *c) = {honest, longer,
        another_id, another_service, spliced, old_call_again, cut};

/* A keyd that does not verify. */
int __wrap_chain_open(const struct statement_call *last,
        const struct pack *pack, uint64_t at, struct chain *ret,
        struct err *err)
{
    (void)last;
    (void)pack;
    (void)at;
    (void)err;
    *ret = (struct chain){.n = 0};
    return 0;
}

int __wrap_statement_call_format(
        const struct statement_call *c, struct buf *ret, struct err *err)
{
    static size_t next;
    struct statement_call lie = *c;

    if (c->via.len > 0 && next < ARRAY_LEN(lies))
        lies[next++](&lie);
    return __real_statement_call_format(&lie, ret, err);
}
