/* SPDX-License-Identifier: Apache-2.0 */
/* in-toto Statement v1, in the strict form of docs/proto/statement.md. */
#include "statement.h"

#include <stdlib.h>

static const struct {
    const char *type;
    const char *name;
} kinds[STATEMENT_KIND_COUNT] = {
        [STATEMENT_OTHER] = {NULL, "other"},
        [STATEMENT_CALL] = {"qair:call/v1", "call"},
        [STATEMENT_DECISION] = {"qair:decision/v1", "decision"},
        [STATEMENT_SIGN] = {"qair:sign/v1", "sign"},
        [STATEMENT_CHANNEL] = {"qair:channel/v1", "channel"},
        [STATEMENT_EVENT] = {"qair:event/v1", "event"},
        [STATEMENT_ZONE] = {"qair:zone/v1", "zone"},
        [STATEMENT_KEY] = {"qair:key/v1", "key"},
        [STATEMENT_REFERENCE] = {"qair:reference/v1", "reference"},
        [STATEMENT_RULES] = {"qair:rules/v1", "rules"},
        [STATEMENT_VALUES] = {"qair:values/v1", "values"},
};

const char *statement_kind_type(enum statement_kind kind)
{
    return kinds[kind].type;
}

const char *statement_kind_name(enum statement_kind kind)
{
    return kinds[kind].name;
}

static enum statement_kind kind_of(struct span type)
{
    for (int k = 1; k < STATEMENT_KIND_COUNT; k++) {
        if (span_eq_str(type, kinds[k].type))
            return (enum statement_kind)k;
    }
    return STATEMENT_OTHER;
}

int statement_format(const char *predicate_type, struct span subject_name,
        const uint8_t subject[static CRYPTO_SHA256_SIZE],
        struct json_t *predicate, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *top = statement_json_object();
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct json_t *subjects, *entry, *digest;
    int r;

    if (subject_name.len == 0 || subject_name.len > STATEMENT_SUBJECT_MAX)
        return err_set(err, ERR_SYNTAX, "statement: bad subject name");
    if (top == NULL || !statement_put_str(top, "_type", STATEMENT_TYPE) ||
            !statement_put_json(top, "predicate", predicate) ||
            !statement_put_str(top, "predicateType", predicate_type) ||
            (subjects = statement_put_array(top, "subject")) == NULL ||
            (entry = statement_add_object(subjects)) == NULL ||
            !statement_put_text(entry, "name", subject_name) ||
            (digest = statement_put_object(entry, "digest")) == NULL ||
            !statement_put_hex(
                    digest, "sha256", SPAN(subject, CRYPTO_SHA256_SIZE)))
        return err_set(err, ERR_SYNTAX, "statement: cannot be written");
    r = statement_json_format(top, &text, err);
    if (r < 0)
        return r;
    buf_append(ret, buf_span(&text));
    return buf_ok(ret, err);
}

static int check_canonical(
        const struct json_t *doc, struct span payload, struct err *err)
{
    CLEANUP(buf_fini) struct buf again = BUF_INIT(LIMIT_STATEMENT_MAX);
    int r = statement_json_format(doc, &again, err);

    if (r < 0)
        return r;
    if (!span_eq(buf_span(&again), payload))
        return err_set(err, ERR_SYNTAX, "statement: not in canonical form");
    return 0;
}

static int parse_subject(
        const struct json_t *subjects, struct statement *s, struct err *err)
{
    struct statement_reader r, digest;
    const struct json_t *digests;

    if (!statement_item_object(subjects, 0, &r))
        return err_set(err, ERR_SYNTAX, "statement: bad subject");
    if (!statement_get_text(
                &r, "name", STATEMENT_SUBJECT_MAX, &s->subject_name) ||
            s->subject_name.len == 0 ||
            !statement_get_object(&r, "digest", &digests) ||
            !statement_get_end(&r))
        return statement_bad(&r, "statement subject", err);
    digest = statement_reader_of(digests);
    if (!statement_get_hex(&digest, "sha256", s->subject, sizeof s->subject) ||
            !statement_get_end(&digest))
        return statement_bad(&digest, "statement subject digest", err);
    return 0;
}

static int parse_doc(struct statement *s, struct span payload, struct err *err)
{
    struct statement_reader r = statement_reader_of(s->doc);
    const struct json_t *subjects;
    struct span type;
    size_t n;
    int e;

    if (!statement_get_text(&r, "_type", 255, &type) ||
            !statement_get_text(&r, "predicateType", 255, &s->predicate_type) ||
            !statement_get_object(&r, "predicate", &s->predicate) ||
            !statement_get_array(&r, "subject", &subjects, &n) ||
            !statement_get_end(&r))
        return statement_bad(&r, "statement", err);
    if (!span_eq_str(type, STATEMENT_TYPE))
        return err_set(
                err, ERR_UNSUPPORTED, "statement: _type is not Statement/v1");
    if (n != 1)
        return err_set(err, ERR_SYNTAX, "statement: %zu subjects, not 1", n);
    s->kind = kind_of(s->predicate_type);
    e = parse_subject(subjects, s, err);
    return e < 0 ? e : check_canonical(s->doc, payload, err);
}

int statement_parse(struct span payload, struct statement *ret, struct err *err)
{
    struct statement s = {0};
    int r;

    if (payload.len > LIMIT_STATEMENT_MAX)
        return err_set(err, ERR_LIMIT, "statement: %zu bytes", payload.len);
    s.doc = statement_json_parse(payload, err);
    if (s.doc == NULL)
        return err == NULL ? ERR_SYNTAX : err->code;
    r = parse_doc(&s, payload, err);
    if (r < 0) {
        statement_fini(&s);
        return r;
    }
    *ret = s;
    return 0;
}

static int open_envelope(struct span envelope, const struct crypto_pub *key,
        struct statement *ret, struct err *err)
{
    struct statement_dsse *d = calloc(1, sizeof *d);
    int r;

    if (d == NULL)
        return err_set(err, ERR_MEMORY, "envelope: out of memory");
    r = statement_dsse_parse(envelope, d, err);
    if (r == 0) {
        if (key != NULL)
            r = statement_dsse_verify(d, STATEMENT_PAYLOAD_TYPE, key, err);
        else if (!span_eq_str(d->payload_type, STATEMENT_PAYLOAD_TYPE))
            r = err_set(err, ERR_MISMATCH, "envelope: not an in-toto payload");
        if (r == 0)
            r = statement_parse(buf_span(&d->payload), ret, err);
        if (r < 0)
            statement_dsse_fini(d);
    }
    if (r < 0) {
        free(d);
        return r;
    }
    ret->dsse = d;
    ret->keyid = d->n_sigs > 0 ? d->sigs[0].keyid : SPAN("", 0);
    return 0;
}

int statement_open(struct span envelope, const struct crypto_pub *key,
        struct statement *ret, struct err *err)
{
    if (key == NULL)
        return err_set(err, ERR_STATE, "envelope: no key to verify with");
    return open_envelope(envelope, key, ret, err);
}

int statement_open_untrusted(
        struct span envelope, struct statement *ret, struct err *err)
{
    return open_envelope(envelope, NULL, ret, err);
}

int statement_verify(const struct statement *s, const struct crypto_pub *key,
        struct err *err)
{
    if (s->dsse == NULL || key == NULL)
        return err_set(err, ERR_STATE, "statement: nothing to verify");
    return statement_dsse_verify(s->dsse, STATEMENT_PAYLOAD_TYPE, key, err);
}

void statement_fini(struct statement *s)
{
    statement_json_free(s->doc);
    s->doc = NULL;
    if (s->dsse != NULL) {
        statement_dsse_fini(s->dsse);
        free(s->dsse);
        s->dsse = NULL;
    }
}
