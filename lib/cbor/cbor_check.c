/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over a whole document, without recursion. */
#include "cbor_private.h"

enum { TAG_BIGNUM = 2, TAG_NEGATIVE_BIGNUM = 3 };

/* A container, or a tag, whose items are being read. */
struct frame {
    size_t left; /* items still to come; even in a map: a key is next */
    bool map, bignum;
    size_t start; /* offset of the first item */
    size_t key;   /* offset of the key being read */
    struct span last_key;
};

struct walk {
    struct span doc;
    struct wire_reader r;
    enum cbor_order order;
    struct frame frame[CBOR_DEPTH_MAX];
    size_t depth, items;
    int code; /* of what is wrong, when it is not the syntax */
};

static size_t offset(const struct walk *w)
{
    return w->doc.len - w->r.left;
}

static int bad(const struct walk *w, struct err *err, const char *why)
{
    return err_set(err, w->code ? w->code : ERR_SYNTAX, "CBOR at byte %zu: %s",
            offset(w), why);
}

static const char *too_much(struct walk *w, const char *why)
{
    w->code = ERR_LIMIT;
    return why;
}

/* Bytewise lexicographic order of the encoded keys (RFC 8949, 4.2.1). */
static int compare(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;

    return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* Every head is shortest, so keys are the same when their bytes are. */
static const char *check_unique(struct walk *w, struct span content)
{
    struct span key[CBOR_ANY_ORDER_PAIRS_MAX], value;
    struct wire_reader r = wire_reader_of(content);
    size_t n = 0;

    while (!wire_end(&r)) {
        if (n == CBOR_ANY_ORDER_PAIRS_MAX)
            return too_much(w, "a map with too many members");
        if (!cbor_get_item(&r, &key[n]) || !cbor_get_item(&r, &value))
            return "a map that ends in a key";
        for (size_t i = 0; i < n; i++) {
            if (span_eq(key[i], key[n]))
                return "a map key twice";
        }
        n++;
    }
    return NULL;
}

static const char *end_of_key(struct walk *w, struct frame *f)
{
    struct span key = SPAN(w->doc.ptr + f->key, offset(w) - f->key);
    int c = compare(f->last_key, key);

    if (w->order == CBOR_DETERMINISTIC && f->last_key.ptr) {
        if (c == 0)
            return "a map key twice";
        if (c > 0)
            return "map keys not in order";
    }
    f->last_key = key;
    return NULL;
}

/* An item has ended: so may have what it is in. */
static const char *end_of_item(struct walk *w)
{
    const char *wrong = NULL;

    while (w->depth > 0 && !wrong) {
        struct frame *f = &w->frame[w->depth - 1];

        if (f->map && f->left % 2 == 0)
            wrong = end_of_key(w, f);
        if (--f->left > 0 || wrong)
            return wrong;
        if (f->map && w->order == CBOR_ANY_ORDER)
            wrong = check_unique(
                    w, SPAN(w->doc.ptr + f->start, offset(w) - f->start));
        w->depth--;
    }
    return wrong;
}

static const char *push(struct walk *w, const struct cbor_head *h, size_t items)
{
    if (w->depth == CBOR_DEPTH_MAX)
        return too_much(w, "nested too deep");
    w->frame[w->depth++] = (struct frame){.left = items,
            .map = h->major == MAJOR_MAP,
            .bignum =
                    h->major == MAJOR_TAG &&
                    (h->value == TAG_BIGNUM || h->value == TAG_NEGATIVE_BIGNUM),
            .start = offset(w)};
    return NULL;
}

/* RFC 8949, 3.4.3: no leading zeros, and nothing that an integer could say. */
static const char *check_bignum(const struct cbor_head *h, struct span content)
{
    if (h->major != MAJOR_BYTES)
        return "a bignum that is no byte string";
    if (content.len <= sizeof(uint64_t) || content.ptr[0] == 0)
        return "a bignum not in its shortest form";
    return NULL;
}

static const char *check_content(struct walk *w, const struct cbor_head *h)
{
    const struct frame *in = w->depth ? &w->frame[w->depth - 1] : NULL;
    struct span content = SPAN_EMPTY;

    if (h->major == MAJOR_BYTES || h->major == MAJOR_TEXT) {
        if (h->value > w->r.left ||
                !wire_get_span(&w->r, (size_t)h->value, &content))
            return "a string longer than what is left";
        if (h->major == MAJOR_TEXT && !text_is_utf8(content))
            return "text that is not UTF-8";
    }
    return in && in->bignum ? check_bignum(h, content) : NULL;
}

static const char *walk_item(struct walk *w)
{
    struct frame *in = w->depth ? &w->frame[w->depth - 1] : NULL;
    struct cbor_head h;
    size_t items = 0;
    const char *wrong;

    if (in && in->left % 2 == 0)
        in->key = offset(w);
    wrong = cbor_head_get(&w->r, &h);
    if (!wrong && !cbor_head_items(&h, w->r.left, &items))
        wrong = "a count larger than what is left";
    if (!wrong)
        wrong = check_content(w, &h);
    if (!wrong && items > 0)
        return push(w, &h, items);
    return wrong ? wrong : end_of_item(w);
}

int cbor_check(struct span item, enum cbor_order order, struct err *err)
{
    struct walk w = {.doc = item, .r = wire_reader_of(item), .order = order};

    if (item.len > CBOR_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "CBOR of %zu bytes, at most %u",
                item.len, CBOR_BYTES_MAX);
    do {
        const char *wrong = ++w.items > CBOR_ITEMS_MAX
                                    ? too_much(&w, "too many items")
                                    : walk_item(&w);

        if (wrong)
            return bad(&w, err, wrong);
    } while (w.depth > 0);
    return wire_end(&w.r) ? 0 : bad(&w, err, "trailing bytes");
}
