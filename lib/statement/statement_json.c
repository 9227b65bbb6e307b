/* SPDX-License-Identifier: Apache-2.0 */
#include "statement.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/auxv.h>

/* Largest integer that every JSON reader keeps exactly (RFC 8259, 6). */
#define JSON_INT_MAX ((UINT64_C(1) << 53) - 1)
/* A receipt or an answer with evidence at its limit, as base64; whoever parses
 * something smaller bounds it first. */
#define JSON_TEXT_MAX (6u << 20)

/*
 * Jansson seeds its hash tables by opening /dev/urandom, which a sandboxed
 * role may not.  The kernel's AT_RANDOM bytes give a seed per process, hashed
 * because the stack protector uses the same bytes.
 */
static void json_seed(void)
{
    const char *at_random = (const char *)getauxval(AT_RANDOM);
    uint8_t digest[CRYPTO_SHA256_SIZE] = {1};
    size_t seed;

    if (at_random != NULL)
        crypto_sha256_two(
                span_str("qair json seed"), SPAN(at_random, 16), digest);
    memcpy(&seed, digest, sizeof seed);
    json_object_seed(seed | 1);
}

/* Jansson's own limit is 2048 and cannot be set. */
static bool json_depth_ok(struct span text)
{
    unsigned depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (in_string)
            continue;
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > LIMIT_JSON_DEPTH)
            return false;
    }
    return true;
}

struct json_t *statement_json_parse(struct span text, struct err *err)
{
    json_error_t jerr;
    json_t *j;
    char safe[80];

    if (text.len > JSON_TEXT_MAX) {
        err_set(err, ERR_LIMIT, "JSON: %zu bytes", text.len);
        return NULL;
    }
    if (!json_depth_ok(text)) {
        err_set(err, ERR_LIMIT, "JSON: nested deeper than %d",
                LIMIT_JSON_DEPTH);
        return NULL;
    }
    json_seed();
    j = json_loadb(text.len == 0 ? "" : (const char *)text.ptr, text.len,
            JSON_REJECT_DUPLICATES, &jerr);
    if (j == NULL) {
        text_format_safe(span_str(jerr.text), safe, sizeof safe);
        err_set(err, ERR_SYNTAX, "JSON: line %d: %s", jerr.line, safe);
        return NULL;
    }
    if (!json_is_object(j)) {
        json_decref(j);
        err_set(err, ERR_SYNTAX, "JSON: not an object");
        return NULL;
    }
    return j;
}

void statement_json_free(struct json_t *j)
{
    json_decref(j);
}

void statement_json_free_ptr(struct json_t **j)
{
    json_decref(*j);
}

static int json_to_buf(const char *text, size_t len, void *arg)
{
    struct buf *ret = arg;

    buf_append(ret, SPAN(text, len));
    return ret->error;
}

int statement_json_format(
        const struct json_t *j, struct buf *ret, struct err *err)
{
    size_t before = ret->len;

    if (json_dump_callback(j, json_to_buf, ret, JSON_COMPACT | JSON_SORT_KEYS) <
            0) {
        int r = buf_ok(ret, err);

        ret->len = before;
        return r < 0 ? r : err_set(err, ERR_MEMORY, "JSON: out of memory");
    }
    return 0;
}

/* ---- reading --------------------------------------------------------- */

struct statement_reader statement_reader_of(const struct json_t *obj)
{
    return (struct statement_reader){.obj = obj};
}

bool statement_has(const struct statement_reader *r, const char *key)
{
    return json_object_get(r->obj, key) != NULL;
}

static bool reader_done(struct statement_reader *r, const char *key, bool ok)
{
    if (ok)
        r->used++;
    else if (r->bad == NULL)
        r->bad = key;
    return ok;
}

/* A string's bytes, or a span without pointer. */
static struct span json_text(const struct json_t *j)
{
    if (!json_is_string(j))
        return SPAN_EMPTY;
    return SPAN(json_string_value(j), json_string_length(j));
}

static bool is_printable(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < ' ' || s.ptr[i] > '~')
            return false;
    }
    return true;
}

bool statement_get_text(struct statement_reader *r, const char *key, size_t max,
        struct span *ret)
{
    struct span s = json_text(json_object_get(r->obj, key));
    bool ok = s.ptr != NULL && s.len <= max && is_printable(s);

    if (ok)
        *ret = s;
    return reader_done(r, key, ok);
}

bool statement_get_name(
        struct statement_reader *r, const char *key, int max, struct span *ret)
{
    struct span s = json_text(json_object_get(r->obj, key));
    size_t limit = (size_t)(max < 0 ? -max : max);
    bool ok = s.ptr != NULL && (s.len == 0 ? max < 0 : text_is_name(s, limit));

    if (ok)
        *ret = s;
    return reader_done(r, key, ok);
}

bool statement_get_utf8(struct statement_reader *r, const char *key, size_t max,
        struct span *ret)
{
    struct span s = json_text(json_object_get(r->obj, key));
    bool ok = s.ptr != NULL && s.len <= max && text_is_utf8(s);

    if (ok)
        *ret = s;
    return reader_done(r, key, ok);
}

bool statement_get_u64(
        struct statement_reader *r, const char *key, uint64_t *ret)
{
    const json_t *j = json_object_get(r->obj, key);
    json_int_t v = json_integer_value(j);
    bool ok = json_is_integer(j) && v >= 0 && (uint64_t)v <= JSON_INT_MAX;

    if (ok)
        *ret = (uint64_t)v;
    return reader_done(r, key, ok);
}

bool statement_get_bool(struct statement_reader *r, const char *key, bool *ret)
{
    const json_t *j = json_object_get(r->obj, key);
    bool ok = json_is_boolean(j);

    if (ok)
        *ret = json_is_true(j);
    return reader_done(r, key, ok);
}

bool statement_get_time(
        struct statement_reader *r, const char *key, uint64_t *ret)
{
    struct span s = json_text(json_object_get(r->obj, key));

    return reader_done(r, key, s.ptr != NULL && text_parse_time(s, ret));
}

bool statement_get_hex(
        struct statement_reader *r, const char *key, uint8_t *ret, size_t len)
{
    struct span s = json_text(json_object_get(r->obj, key));

    return reader_done(r, key, s.ptr != NULL && text_parse_hex(s, ret, len));
}

static const uint8_t zero_digest[CRYPTO_SHA256_SIZE];

bool statement_get_digest(struct statement_reader *r, const char *key,
        uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    struct span s = json_text(json_object_get(r->obj, key));
    uint8_t v[CRYPTO_SHA256_SIZE] = {0};
    bool ok = s.ptr != NULL &&
              (s.len == 0 || (text_parse_hex(s, v, sizeof v) &&
                                     memcmp(v, zero_digest, sizeof v) != 0));

    if (ok)
        memcpy(ret, v, sizeof v);
    return reader_done(r, key, ok);
}

bool statement_get_b64(struct statement_reader *r, const char *key,
        uint8_t *ret, size_t cap, size_t *ret_len)
{
    struct span s = json_text(json_object_get(r->obj, key));

    return reader_done(
            r, key, s.ptr != NULL && text_parse_b64(s, ret, cap, ret_len));
}

bool statement_get_object(
        struct statement_reader *r, const char *key, const struct json_t **ret)
{
    const json_t *j = json_object_get(r->obj, key);
    bool ok = json_is_object(j);

    if (ok)
        *ret = j;
    return reader_done(r, key, ok);
}

bool statement_get_array(struct statement_reader *r, const char *key,
        const struct json_t **ret, size_t *ret_n)
{
    const json_t *j = json_object_get(r->obj, key);
    bool ok = json_is_array(j);

    if (ok) {
        *ret = j;
        *ret_n = json_array_size(j);
    }
    return reader_done(r, key, ok);
}

bool statement_item_object(
        const struct json_t *array, size_t i, struct statement_reader *ret)
{
    const json_t *j = json_array_get(array, i);

    if (!json_is_object(j))
        return false;
    *ret = statement_reader_of(j);
    return true;
}

bool statement_item_text(
        const struct json_t *array, size_t i, size_t max, struct span *ret)
{
    struct span s = json_text(json_array_get(array, i));

    if (s.ptr == NULL || s.len > max || !is_printable(s))
        return false;
    *ret = s;
    return true;
}

bool statement_item_u64(const struct json_t *array, size_t i, uint64_t *ret)
{
    const json_t *j = json_array_get(array, i);
    json_int_t v = json_integer_value(j);

    if (!json_is_integer(j) || v < 0 || (uint64_t)v > JSON_INT_MAX)
        return false;
    *ret = (uint64_t)v;
    return true;
}

bool statement_get_end(struct statement_reader *r)
{
    if (r->used == json_object_size(r->obj))
        return true;
    if (r->bad == NULL)
        r->bad = "(an unknown one)";
    return false;
}

int statement_bad(
        const struct statement_reader *r, const char *what, struct err *err)
{
    return err_set(err, ERR_SYNTAX, "%s: bad member %s", what,
            r->bad == NULL ? "(none)" : r->bad);
}

/* ---- writing --------------------------------------------------------- */

struct json_t *statement_json_object(void)
{
    json_seed();
    return json_object();
}

/* NUL is well-formed to jansson's writer, and refused by its reader. */
static json_t *json_of_text(struct span v)
{
    if (v.len == 0)
        return json_string("");
    if (memchr(v.ptr, 0, v.len) != NULL)
        return NULL;
    return json_stringn((const char *)v.ptr, v.len);
}

bool statement_put_text(struct json_t *obj, const char *key, struct span v)
{
    return json_object_set_new(obj, key, json_of_text(v)) == 0;
}

bool statement_put_str(struct json_t *obj, const char *key, const char *v)
{
    return statement_put_text(obj, key, span_str(v));
}

bool statement_put_u64(struct json_t *obj, const char *key, uint64_t v)
{
    return v <= JSON_INT_MAX &&
           json_object_set_new(obj, key, json_integer((json_int_t)v)) == 0;
}

bool statement_put_bool(struct json_t *obj, const char *key, bool v)
{
    return json_object_set_new(obj, key, json_boolean(v)) == 0;
}

bool statement_put_time(struct json_t *obj, const char *key, uint64_t unix_s)
{
    char text[TEXT_TIME_SIZE];

    return text_format_time(unix_s, text) && statement_put_str(obj, key, text);
}

bool statement_put_hex(struct json_t *obj, const char *key, struct span v)
{
    char text[TEXT_HEX_SIZE(CRYPTO_HASH_MAX)];

    if (TEXT_HEX_SIZE(v.len) > sizeof text)
        return false;
    text_format_hex(v, text);
    return statement_put_str(obj, key, text);
}

bool statement_put_digest(struct json_t *obj, const char *key,
        const uint8_t v[static CRYPTO_SHA256_SIZE])
{
    if (memcmp(v, zero_digest, sizeof zero_digest) == 0)
        return statement_put_str(obj, key, "");
    return statement_put_hex(obj, key, SPAN(v, CRYPTO_SHA256_SIZE));
}

bool statement_put_b64(struct json_t *obj, const char *key, struct span v)
{
    CLEANUP(buf_free_ptr) char *text = malloc(TEXT_B64_SIZE(v.len));

    if (text == NULL)
        return false;
    text_format_b64(v, text);
    return statement_put_str(obj, key, text);
}

static struct json_t *put_container(
        struct json_t *obj, const char *key, json_t *made)
{
    return json_object_set_new(obj, key, made) == 0 ? made : NULL;
}

struct json_t *statement_put_object(struct json_t *obj, const char *key)
{
    return put_container(obj, key, json_object());
}

struct json_t *statement_put_array(struct json_t *obj, const char *key)
{
    return put_container(obj, key, json_array());
}

bool statement_put_json(struct json_t *obj, const char *key, struct json_t *v)
{
    return json_object_set(obj, key, v) == 0;
}

struct json_t *statement_add_object(struct json_t *array)
{
    json_t *made = json_object();

    return json_array_append_new(array, made) == 0 ? made : NULL;
}

bool statement_add_text(struct json_t *array, struct span v)
{
    return json_array_append_new(array, json_of_text(v)) == 0;
}
