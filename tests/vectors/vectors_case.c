/* SPDX-License-Identifier: Apache-2.0 */
/* What judges need: inputs of a case, and comparison with what it expects. */
#include "vectors.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void vectors_complain(struct vectors_case *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)printf("  %s: ", c->id);
    (void)vprintf(fmt, ap);
    (void)printf("\n");
    va_end(ap);
    c->disagreements++;
}

void vectors_disagree(struct vectors_case *c, const char *what,
        const char *want, const char *got)
{
    vectors_complain(c, "%s: expected %s, got %s", what, want, got);
}

/* ---- inputs ---------------------------------------------------------- */

const char *vectors_text(json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

const char *vectors_file(const struct vectors_case *c, const char *name)
{
    json_t *files = json_object_get(c->json, "files"), *v;
    size_t i;

    if (!json_is_array(files))
        return vectors_text(files, name);
    json_array_foreach (files, i, v) {
        const char *s = json_string_value(v);

        if (s && strcmp(s, name) == 0)
            return s;
    }
    return NULL;
}

void vectors_path(
        const struct vectors_case *c, const char *name, char ret[static 4096])
{
    int n = snprintf(ret, PATH_MAX, "%s/%s", c->folder, name);

    if (n < 0 || n >= PATH_MAX) {
        (void)printf("  %s: path is too long: %s\n", c->id, name);
        exit(1);
    }
}

bool vectors_exists(const struct vectors_case *c, const char *name)
{
    char path[PATH_MAX];

    vectors_path(c, name, path);
    return access(path, R_OK) == 0;
}

struct span vectors_load(struct vectors_case *c, const char *name)
{
    struct buf bytes = BUF_INIT(VECTORS_FILE_MAX); /* until the case is over */
    char path[PATH_MAX];
    struct err err = {0};

    if (!name) {
        (void)printf("  %s: an input is not named\n", c->id);
        exit(1);
    }
    vectors_path(c, name, path);
    if (buf_load(&bytes, AT_FDCWD, path, &err) != 0) {
        (void)printf("  %s: %s: %s\n", c->id, name, err.msg);
        exit(1);
    }
    return buf_span(&bytes);
}

static uint8_t *keep(size_t n)
{
    uint8_t *p = malloc(n ? n : 1);

    if (!p) {
        (void)printf("  no memory\n");
        exit(1);
    }
    return p;
}

bool vectors_hex(const char *text, struct span *ret)
{
    size_t n;
    uint8_t *p;

    if (!text)
        return false;
    if (strncmp(text, "0x", 2) == 0)
        text += 2;
    n = strlen(text) / 2;
    p = keep(n);
    if (!text_parse_hex(span_str(text), p, n))
        return false;
    *ret = SPAN(p, n);
    return true;
}

bool vectors_base64(const char *text, struct span *ret)
{
    size_t n, cap;
    uint8_t *p;

    if (!text)
        return false;
    cap = strlen(text);
    p = keep(cap);
    if (!text_parse_b64_any(span_str(text), p, cap, &n))
        return false;
    *ret = SPAN(p, n);
    return true;
}

bool vectors_time(const char *text, uint64_t *ret)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"};

    for (size_t i = 0; text && i < ARRAY_LEN(forms); i++) {
        struct tm tm = {0};
        const char *rest = strptime(text, forms[i], &tm);

        if (!rest)
            continue;
        if (*rest && strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
            continue;
        *ret = (uint64_t)timegm(&tm);
        return true;
    }
    return false;
}

/* ---- comparison ------------------------------------------------------ */

static json_t *member(json_t *expect, const char *name)
{
    json_t *v = json_object_get(expect, name);

    return json_is_null(v) ? NULL : v;
}

void vectors_is_bool(
        struct vectors_case *c, json_t *expect, const char *name, bool got)
{
    json_t *v = member(expect, name);

    if (!v)
        return;
    if (json_is_integer(v) ? (json_integer_value(v) != 0) != got
                           : !json_is_boolean(v) || json_is_true(v) != got)
        vectors_disagree(
                c, name, got ? "false" : "true", got ? "true" : "false");
}

static bool number(json_t *v, uint64_t *ret)
{
    const char *s = json_string_value(v);
    char *end;

    if (json_is_integer(v)) {
        *ret = (uint64_t)json_integer_value(v);
        return true;
    }
    if (!s || !*s)
        return false;
    *ret = strtoull(s, &end, 0);
    return *end == '\0';
}

void vectors_is_u64(
        struct vectors_case *c, json_t *expect, const char *name, uint64_t got)
{
    json_t *v = member(expect, name);
    uint64_t want = 0;
    bool is_number;

    if (!v)
        return;
    is_number = number(v, &want);
    if (!is_number || want != got)
        vectors_complain(c, "%s: expected %s%" PRIu64 ", got %" PRIu64, name,
                is_number ? "" : "no number, ", want, got);
}

void vectors_is_text(struct vectors_case *c, json_t *expect, const char *name,
        const char *got)
{
    json_t *v = member(expect, name);
    const char *want = json_string_value(v);

    if (!v)
        return;
    if (!want || !got || strcmp(want, got) != 0)
        vectors_disagree(
                c, name, want ? want : "another type", got ? got : "nothing");
}

void vectors_is_hex(struct vectors_case *c, json_t *expect, const char *name,
        struct span got)
{
    json_t *v = member(expect, name);
    struct span want = SPAN_EMPTY;
    char *text;

    if (!v)
        return;
    if (vectors_hex(json_string_value(v), &want) && span_eq(want, got))
        return;
    text = (char *)keep(2 * got.len + 1);
    text_format_hex(got, text);
    vectors_disagree(c, name,
            json_is_string(v) ? json_string_value(v) : "another type", text);
    free(text);
}

void vectors_known(struct vectors_case *c, json_t *o, const char *const *known)
{
    const char *name;
    json_t *v;

    json_object_foreach (o, name, v) {
        size_t i = 0;

        while (known[i] && strcmp(known[i], name) != 0)
            i++;
        if (!known[i])
            vectors_complain(c, "%s: nothing compares this member", name);
    }
}
