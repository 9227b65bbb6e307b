/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle.h"

static bool is_name_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c && strchr("_@+.-", c));
}

bool bundle_is_name(struct span name)
{
    bool at_start = true; /* of a component */

    if (name.len == 0 || name.len > LIMIT_BUNDLE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        if (c == '/' ? at_start : !is_name_char(c) || (at_start && c == '.'))
            return false;
        at_start = c == '/';
    }
    return !at_start;
}

static int compare(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static int check_name(struct span name, struct span last, struct err *err)
{
    char shown[80];
    int order;

    text_format_safe(name, shown, sizeof(shown));
    if (!bundle_is_name(name))
        return err_set(err, ERR_SYNTAX, "bundle: bad file name '%s'", shown);
    order = last.len > 0 ? compare(last, name) : -1;
    if (order == 0)
        return err_set(err, ERR_EXISTS, "bundle: '%s' twice", shown);
    if (order > 0)
        return err_set(err, ERR_STATE, "bundle: '%s' out of order", shown);
    return 0;
}

int bundle_put(struct bundle_writer *w, const struct bundle_file *file,
        struct err *err)
{
    struct span last = SPAN(NULL, 0);
    struct wire_writer head;
    uint8_t *p;
    size_t size = 2 + file->name.len + 4 + file->content.len;
    int rc;

    if (w->last_len > 0)
        last = SPAN(w->out->ptr + w->last_at, w->last_len);
    rc = check_name(file->name, last, err);
    if (rc < 0)
        return rc;
    if (w->count == LIMIT_BUNDLE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "bundle: more than %d files",
                LIMIT_BUNDLE_FILES_MAX);
    p = buf_reserve(w->out, size);
    if (!p)
        return err_prefix(err, buf_ok(w->out, err), "bundle");
    head = wire_writer_of(p, size);
    wire_put_vec16be(&head, file->name);
    wire_put_vec32be(&head, file->content);
    if (head.overflow)
        return err_set(err, ERR_LIMIT, "bundle: file too large");
    w->last_at = w->out->len + 2;
    w->last_len = file->name.len;
    w->count++;
    buf_commit(w->out, size);
    return 0;
}

bool bundle_next(struct bundle_iter *it, struct bundle_file *ret)
{
    struct wire_reader r = it->r;
    struct bundle_file f;

    if (!wire_get_vec16be(&r, &f.name) || !wire_get_vec32be(&r, &f.content))
        return false;
    it->r = r;
    *ret = f;
    return true;
}

int bundle_check(struct span bundle, struct err *err)
{
    struct bundle_iter it = bundle_iter_of(bundle);
    struct bundle_file f;
    struct span last = SPAN_EMPTY;
    size_t n = 0;

    if (bundle.len > LIMIT_BUNDLE_MAX)
        return err_set(err, ERR_LIMIT, "bundle: %zu bytes", bundle.len);
    while (bundle_next(&it, &f)) {
        int rc = check_name(f.name, last, err);

        if (rc < 0)
            return rc;
        if (++n > LIMIT_BUNDLE_FILES_MAX)
            return err_set(err, ERR_LIMIT, "bundle: more than %d files",
                    LIMIT_BUNDLE_FILES_MAX);
        last = f.name;
    }
    if (!wire_end(&it.r))
        return err_set(err, ERR_SYNTAX, "bundle: cut off after %zu files", n);
    return 0;
}

bool bundle_find(struct span bundle, const char *name, struct span *ret)
{
    struct bundle_iter it = bundle_iter_of(bundle);
    struct bundle_file f;

    while (bundle_next(&it, &f)) {
        if (span_eq_str(f.name, name)) {
            *ret = f.content;
            return true;
        }
    }
    return false;
}

size_t bundle_count(struct span bundle)
{
    struct bundle_iter it = bundle_iter_of(bundle);
    struct bundle_file f;
    size_t n = 0;

    while (bundle_next(&it, &f))
        n++;
    return n;
}
