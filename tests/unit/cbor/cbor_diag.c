/* SPDX-License-Identifier: Apache-2.0 */
#include "cbor_diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct diag {
    const char *p;
};

static void put(struct diag *d, struct wire_writer *w);

static char peek(struct diag *d)
{
    while (*d->p == ' ' || *d->p == '\n')
        d->p++;
    return *d->p;
}

static bool take(struct diag *d, const char *s)
{
    (void)peek(d);
    if (strncmp(d->p, s, strlen(s)) != 0)
        return false;
    d->p += strlen(s);
    return true;
}

static void need(struct diag *d, const char *s)
{
    if (!take(d, s))
        fail_msg("diagnostic notation: no %s at \"%.20s\"", s, d->p);
}

static void put_quoted(struct diag *d, struct wire_writer *w, bool hex)
{
    const char *end;
    uint8_t b[4096];

    need(d, hex ? "h'" : "'");
    end = strchr(d->p, '\'');
    assert_non_null(end);
    if (hex) {
        size_t n = (size_t)(end - d->p) / 2;

        assert_true(n <= sizeof(b));
        assert_true(text_parse_hex(SPAN(d->p, 2 * n), b, n));
        cbor_put_bytes(w, SPAN(b, n));
    } else {
        cbor_put_text(w, SPAN(d->p, (size_t)(end - d->p)));
    }
    d->p = end + 1;
}

/* Items up to `close`, into a buffer of their own; returns how many. */
static size_t put_items(
        struct diag *d, struct wire_writer *w, const char *close)
{
    size_t n = 0;

    while (!take(d, close)) {
        if (n++ > 0 && !take(d, ",") && !take(d, ":"))
            fail_msg("diagnostic notation: at \"%.20s\"", d->p);
        put(d, w);
    }
    return n;
}

static void put_container(
        struct diag *d, struct wire_writer *w, const char *close)
{
    size_t cap = 1u << 16;
    uint8_t *b = malloc(cap);
    struct wire_writer in = wire_writer_of(b, cap);
    size_t n;

    assert_non_null(b);
    n = put_items(d, &in, close);
    assert_false(in.overflow);
    if (*close == ']') {
        cbor_put_array(w, n);
    } else if (*close == '}') {
        assert_int_equal(n % 2, 0);
        cbor_put_map(w, n / 2);
    } else {
        cbor_put_bytes_head(w, in.len);
    }
    cbor_put_item(w, SPAN(b, in.len));
    free(b);
}

static void put_number(struct diag *d, struct wire_writer *w)
{
    bool minus = take(d, "-");
    size_t n = strspn(d->p, "0123456789");
    uint64_t v;

    if (!text_parse_u64(SPAN(d->p, n), &v))
        fail_msg("diagnostic notation: at \"%.20s\"", d->p);
    d->p += n;
    if (minus) {
        cbor_put_int(w, -(int64_t)v);
    } else if (*d->p == '(') {
        need(d, "(");
        cbor_put_tag(w, v);
        put(d, w);
        need(d, ")");
    } else {
        cbor_put_uint(w, v);
    }
}

static void put(struct diag *d, struct wire_writer *w)
{
    if (take(d, "["))
        put_container(d, w, "]");
    else if (take(d, "{"))
        put_container(d, w, "}");
    else if (take(d, "<<"))
        put_container(d, w, ">>");
    else if (take(d, "true"))
        cbor_put_bool(w, true);
    else if (take(d, "false"))
        cbor_put_bool(w, false);
    else if (take(d, "null"))
        cbor_put_null(w);
    else if (peek(d) == 'h')
        put_quoted(d, w, true);
    else if (peek(d) == '\'')
        put_quoted(d, w, false);
    else
        put_number(d, w);
}

struct span cbor_diag(const char *text, uint8_t *ret, size_t cap)
{
    struct diag d = {.p = text};
    struct wire_writer w = wire_writer_of(ret, cap);
    struct span s;

    put(&d, &w);
    if (peek(&d) != 0)
        fail_msg("diagnostic notation: rest \"%.20s\"", d.p);
    assert_true(wire_finish(&w, &s));
    return s;
}
