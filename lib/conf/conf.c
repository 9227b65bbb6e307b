/* SPDX-License-Identifier: Apache-2.0 */
/* The reader: lines, keys, values; what values mean is in conf_zone.c and
 * conf_qube.c. */
#include "conf.h"

#include <string.h>

/* The keys of a family that were seen are remembered by the setter, which
 * holds them anyway; single keys by a bit each. */
struct parse {
    const struct conf_key *keys;
    size_t n_keys;
    void *ctx;
    uint32_t seen;
};

_Static_assert(CONF_KEYS_MAX <= 32, "one bit a key");

static bool is_family(const struct conf_key *k)
{
    return k->name[strlen(k->name) - 1] == '.';
}

static const struct conf_key *find_key(
        const struct parse *p, struct span name, struct span *ret_rest)
{
    for (size_t i = 0; i < p->n_keys; i++) {
        const struct conf_key *k = &p->keys[i];
        size_t n = strlen(k->name);

        if (!is_family(k) && span_eq_str(name, k->name)) {
            *ret_rest = SPAN_EMPTY;
            return k;
        }
        if (is_family(k) && name.len > n && memcmp(name.ptr, k->name, n) == 0) {
            *ret_rest = SPAN(name.ptr + n, name.len - n);
            return k;
        }
    }
    return NULL;
}

static int set_value(
        struct parse *p, struct span name, struct span value, struct err *err)
{
    char shown[64];
    struct span rest;
    const struct conf_key *k = find_key(p, name, &rest);
    int rc;

    text_format_safe(name, shown, sizeof(shown));
    if (!k)
        return err_set(err, ERR_SYNTAX, "unknown key '%s'", shown);
    if (!is_family(k)) {
        uint32_t bit = 1u << (unsigned)(k - p->keys);

        if (p->seen & bit)
            return err_set(err, ERR_EXISTS, "'%s' a second time", shown);
        p->seen |= bit;
    }
    rc = k->set(p->ctx, rest, value, err);
    return rc < 0 ? err_prefix(err, rc, "%s", shown) : 0;
}

static bool is_printable(struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        if ((line.ptr[i] < ' ' && line.ptr[i] != '\t') || line.ptr[i] == 0x7f)
            return false;
    }
    return text_is_utf8(line);
}

static int parse_line(struct parse *p, struct span line, struct err *err)
{
    const uint8_t *eq;

    if (line.len > LIMIT_CONF_LINE_MAX)
        return err_set(err, ERR_LIMIT, "line of more than %d bytes",
                LIMIT_CONF_LINE_MAX);
    if (!is_printable(line))
        return err_set(err, ERR_SYNTAX, "control character or bad UTF-8");
    if (text_trim(line).len == 0 || line.ptr[0] == '#')
        return 0;
    eq = memchr(line.ptr, '=', line.len);
    if (!eq)
        return err_set(err, ERR_SYNTAX, "no '=' in line");
    return set_value(p, text_trim(SPAN(line.ptr, (size_t)(eq - line.ptr))),
            text_trim(SPAN(eq + 1, line.len - (size_t)(eq - line.ptr) - 1)),
            err);
}

int conf_parse(struct span text, const char *file, const struct conf_key *keys,
        size_t n_keys, void *ctx, struct err *err)
{
    struct parse p = {.keys = keys, .n_keys = n_keys, .ctx = ctx};
    struct text_lines lines = text_lines_of(text);
    struct span line;

    if (n_keys > CONF_KEYS_MAX)
        return err_set(err, ERR_LIMIT, "too many keys in a table");
    if (text.len > LIMIT_CONF_FILE_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %u bytes", file,
                LIMIT_CONF_FILE_MAX);
    while (text_next_line(&lines, &line)) {
        int rc = parse_line(&p, line, err);

        if (rc < 0)
            return err_prefix(err, rc, "%s:%u", file, lines.line);
    }
    for (size_t i = 0; i < n_keys; i++) {
        if (keys[i].required && !(p.seen & (1u << i)))
            return err_set(
                    err, ERR_SYNTAX, "%s: '%s' is missing", file, keys[i].name);
    }
    return 0;
}
