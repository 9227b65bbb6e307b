/* SPDX-License-Identifier: Apache-2.0 */
/* Names of policy files. */
#include "policy_int.h"

int policy_name_cmp(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;

    return c ? c : (a.len > b.len) - (a.len < b.len);
}

bool policy_name_has_prefix(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_eq(SPAN(s.ptr, prefix.len), prefix);
}

bool policy_name_has_suffix(struct span s, const char *suffix)
{
    size_t n = strlen(suffix);

    return s.len >= n && memcmp(s.ptr + s.len - n, suffix, n) == 0;
}

struct span policy_name_in_dir(struct span name, struct span dir)
{
    struct span base;

    if (!policy_name_has_prefix(name, dir))
        return SPAN_EMPTY;
    base = SPAN(name.ptr + dir.len, name.len - dir.len);
    return base.len == 0 || memchr(base.ptr, '/', base.len) ? SPAN_EMPTY : base;
}

bool policy_name_is_file(struct span base)
{
    for (size_t i = 0; i < base.len; i++) {
        uint8_t c = base.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' &&
                c != '.' && c != '-')
            return false;
    }
    return true;
}

bool policy_name_normalise(struct span path, char *buf, size_t cap, size_t *ret)
{
    size_t len = 0, i = 0;

    if (path.len == 0 || path.ptr[0] == '/' || path.len >= cap)
        return false;
    while (i < path.len) {
        const uint8_t *end = memchr(path.ptr + i, '/', path.len - i);
        size_t n = end ? (size_t)(end - path.ptr) - i : path.len - i;
        struct span part = SPAN(path.ptr + i, n);

        i += n + 1;
        if (n == 0 || span_eq_str(part, "."))
            continue;
        if (span_eq_str(part, "..")) {
            if (len == 0)
                return false;
            while (len > 0 && buf[len - 1] != '/')
                len--;
            len -= len > 0;
            continue;
        }
        if (len > 0)
            buf[len++] = '/';
        memcpy(buf + len, part.ptr, n);
        len += n;
    }
    *ret = len;
    return true;
}
