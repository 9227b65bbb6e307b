/* SPDX-License-Identifier: Apache-2.0 */
/* The zone's own event log: docs/proto/evidence.md, section 3. */
#include "evidence.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADER_SIZE 65
#define DATA_MAX                                                               \
    (8 + 2 + EVIDENCE_EVENT_KIND_MAX + 2 + EVIDENCE_EVENT_NAME_MAX +           \
            CRYPTO_SHA256_SIZE + 8)
#define RECORD_MAX (4 + 4 + 4 + 2 + CRYPTO_SHA256_SIZE + 4 + DATA_MAX)

#define CHANGE_NAME_MAX 24

static const uint8_t separator[4];

static struct span put_header(uint8_t buf[static HEADER_SIZE])
{
    static const uint8_t zero[20];
    struct wire_writer w = wire_writer_of(buf, HEADER_SIZE);
    struct span s = SPAN_EMPTY;

    wire_put_u32le(&w, 0);
    wire_put_u32le(&w, EVENTLOG_EV_NO_ACTION);
    wire_put_bytes(&w, zero, sizeof(zero));
    wire_put_u32le(&w, HEADER_SIZE - 32);
    wire_put_bytes(&w, (const uint8_t *)"Spec ID Event03", 16);
    wire_put_u32le(&w, 0); /* platform class: client */
    wire_put_u8(&w, 0);    /* version 2.0, errata 105 (PFP 1.05) */
    wire_put_u8(&w, 2);
    wire_put_u8(&w, 105);
    wire_put_u8(&w, 2); /* UINTN of 64 bits */
    wire_put_u32le(&w, 1);
    wire_put_u16le(&w, TCG_ALG_SHA256);
    wire_put_u16le(&w, CRYPTO_SHA256_SIZE);
    wire_put_u8(&w, 0); /* vendor */
    if (!wire_finish(&w, &s) || s.len != HEADER_SIZE)
        __builtin_trap(); /* constants above */
    return s;
}

int evidence_events_begin(struct buf *log, struct err *err)
{
    uint8_t buf[HEADER_SIZE];

    buf_append(log, put_header(buf));
    return buf_ok(log, err);
}

/* TCG_PCR_EVENT2 with one digest, that of data. */
static int add_record(struct buf *log, uint32_t type, struct span data,
        uint8_t ret[static CRYPTO_SHA256_SIZE], struct err *err)
{
    uint8_t buf[RECORD_MAX], digest[CRYPTO_SHA256_SIZE];
    struct wire_writer w = wire_writer_of(buf, sizeof(buf));
    struct span s;
    int r;

    crypto_sha256(data, digest);
    wire_put_u32le(&w, EVIDENCE_ZONE_PCR);
    wire_put_u32le(&w, type);
    wire_put_u32le(&w, 1);
    wire_put_u16le(&w, TCG_ALG_SHA256);
    wire_put_bytes(&w, digest, sizeof(digest));
    wire_put_vec32le(&w, data);
    if (!wire_finish(&w, &s))
        return err_set(err, ERR_LIMIT, "event of %zu bytes", data.len);
    buf_append(log, s);
    r = buf_ok(log, err);
    if (r == 0)
        memcpy(ret, digest, sizeof(digest));
    return r;
}

static bool is_event_name(struct span s)
{
    if (s.len == 0 || s.len > EVIDENCE_EVENT_NAME_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
            return false;
    }
    return true;
}

int evidence_events_add(struct buf *log, const struct evidence_event *e,
        uint8_t ret[static CRYPTO_SHA256_SIZE], struct err *err)
{
    uint8_t buf[DATA_MAX];
    struct wire_writer w = wire_writer_of(buf, sizeof(buf));
    struct span s;

    if (!text_is_name(e->kind, EVIDENCE_EVENT_KIND_MAX) ||
            !is_event_name(e->name))
        return err_set(err, ERR_SYNTAX,
                "kind or name of a measured file is not acceptable");
    wire_put_u32le(&w, EVENTLOG_TAG_QAIR);
    wire_put_u32le(&w, (uint32_t)(2 + e->kind.len + 2 + e->name.len +
                                  CRYPTO_SHA256_SIZE + 8));
    wire_put_vec16be(&w, e->kind);
    wire_put_vec16be(&w, e->name);
    wire_put_bytes(&w, e->sha256, sizeof(e->sha256));
    wire_put_u64be(&w, e->size);
    if (!wire_finish(&w, &s))
        return err_set(err, ERR_LIMIT, "measured file's event is too long");
    return add_record(log, EVENTLOG_EV_EVENT_TAG, s, ret, err);
}

int evidence_events_end(struct buf *log, uint8_t ret[static CRYPTO_SHA256_SIZE],
        struct err *err)
{
    return add_record(log, EVENTLOG_EV_SEPARATOR, SPAN_OF(separator), ret, err);
}

static int format_change(unsigned round, char ret[static CHANGE_NAME_MAX])
{
    return snprintf(ret, CHANGE_NAME_MAX, "reload-%u", round);
}

int evidence_events_change(struct buf *log, unsigned round,
        uint8_t ret[static CRYPTO_SHA256_SIZE], struct err *err)
{
    char name[CHANGE_NAME_MAX];
    struct evidence_event e = {.kind = span_str(EVIDENCE_KIND_CHANGE)};

    (void)format_change(round, name);
    e.name = span_str(name);
    return evidence_events_add(log, &e, ret, err);
}

bool evidence_event_is_change(const struct evidence_event *e, unsigned round)
{
    static const uint8_t zero[CRYPTO_SHA256_SIZE];
    char name[CHANGE_NAME_MAX];

    (void)format_change(round + 1, name);
    return span_eq_str(e->kind, EVIDENCE_KIND_CHANGE) &&
           span_eq_str(e->name, name) && e->size == 0 &&
           span_eq(SPAN_OF(e->sha256), SPAN_OF(zero));
}

static bool get_event(struct span data, struct evidence_event *ret)
{
    struct wire_reader r = wire_reader_of(data), body;
    struct evidence_event e = {.round = 0};
    uint32_t tag, size;

    if (!wire_get_u32le(&r, &tag) || tag != EVENTLOG_TAG_QAIR ||
            !wire_get_u32le(&r, &size) || !wire_get_sub(&r, size, &body) ||
            !wire_end(&r))
        return false;
    if (!wire_get_vec16be(&body, &e.kind) ||
            !wire_get_vec16be(&body, &e.name) ||
            !wire_get_copy(&body, e.sha256, sizeof(e.sha256)) ||
            !wire_get_u64be(&body, &e.size) || !wire_end(&body))
        return false;
    if (!text_is_name(e.kind, EVIDENCE_EVENT_KIND_MAX) ||
            !is_event_name(e.name))
        return false;
    *ret = e;
    return true;
}

static int span_cmp(struct span a, struct span b)
{
    int c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int event_cmp(const void *va, const void *vb)
{
    const struct evidence_event *const *a = va;
    const struct evidence_event *const *b = vb;
    int c = ((*a)->round > (*b)->round) - ((*a)->round < (*b)->round);

    if (c == 0)
        c = span_cmp((*a)->kind, (*b)->kind);
    return c ? c : span_cmp((*a)->name, (*b)->name);
}

static int check_unique(const struct evidence_events *e, struct err *err)
{
    CLEANUP(buf_free_ptr) const struct evidence_event **sorted = NULL;
    int r = 0;

    if (e->n < 2)
        return 0;
    sorted = calloc(e->n, sizeof(const struct evidence_event *));
    if (!sorted)
        return err_set(err, ERR_MEMORY, "no memory for the event log");
    for (size_t i = 0; i < e->n; i++)
        sorted[i] = &e->event[i];
    qsort(sorted, e->n, sizeof(const struct evidence_event *), event_cmp);
    for (size_t i = 1; i < e->n && r == 0; i++) {
        if (event_cmp(&sorted[i - 1], &sorted[i]) == 0)
            r = err_set(err, ERR_SYNTAX, "event log: %.*s is measured twice",
                    (int)sorted[i]->name.len,
                    (const char *)sorted[i]->name.ptr);
    }
    return r;
}

static int take_file(struct evidence_events *out, struct evidence_event *event,
        struct err *err)
{
    struct evidence_event *grown;

    if (out->n == EVIDENCE_EVENTS_MAX)
        return err_set(err, ERR_LIMIT, "event log: more than %d files",
                EVIDENCE_EVENTS_MAX);
    grown = reallocarray(out->event, out->n + 1, sizeof(*grown));
    if (!grown)
        return err_set(err, ERR_MEMORY, "no memory for the event log");
    event->round = out->rounds;
    out->event = grown;
    out->event[out->n++] = *event;
    return 0;
}

static int take_record(struct evidence_events *out, bool *ended,
        const struct eventlog_event *e, struct err *err)
{
    struct evidence_event event;
    struct span digest;
    bool is_change;

    if (e->pcr != EVIDENCE_ZONE_PCR ||
            !eventlog_digest(e, TCG_ALG_SHA256, &digest) ||
            eventlog_check_data(e) != 0)
        return err_set(err, ERR_SYNTAX,
                "event log: event %zu is out of place or not what its digest "
                "says",
                e->index);
    crypto_sha256_two(SPAN_OF(out->pcr), digest, out->pcr);
    if (e->type == EVENTLOG_EV_SEPARATOR && !*ended) {
        *ended = true;
        return span_eq(e->data, SPAN_OF(separator))
                       ? 0
                       : err_set(err, ERR_SYNTAX,
                                 "event log: separator says error");
    }
    if (e->type != EVENTLOG_EV_EVENT_TAG || !get_event(e->data, &event))
        return err_set(err, ERR_SYNTAX, "event log: event %zu is not a file",
                e->index);
    is_change = span_eq_str(event.kind, EVIDENCE_KIND_CHANGE);
    if (is_change != *ended ||
            (is_change && !evidence_event_is_change(&event, out->rounds)))
        return err_set(err, ERR_SYNTAX,
                "event log: event %zu is out of place: a change begins behind "
                "a separator, and nothing else does",
                e->index);
    out->rounds += is_change;
    *ended = false;
    return take_file(out, &event, err);
}

static int take_log(
        struct span log, struct evidence_events *out, struct err *err)
{
    uint8_t header[HEADER_SIZE];
    struct eventlog l;
    struct eventlog_event e;
    bool ended = false;
    int r = eventlog_open(log, &l, err);

    if (r != 0)
        return r;
    if (!span_eq(put_header(header), SPAN(log.ptr, HEADER_SIZE)))
        return err_set(err, ERR_SYNTAX, "event log: not a zone's header");
    while ((r = eventlog_next(&l, &e, err)) == 1) {
        r = take_record(out, &ended, &e, err);
        if (r != 0)
            return r;
    }
    if (r == 0 && (!ended || l.left.left != 0))
        r = err_set(err, ERR_SYNTAX,
                "event log: not closed by a separator at its end");
    return r == 0 ? check_unique(out, err) : r;
}

int evidence_events_parse(
        struct span log, struct evidence_events *ret, struct err *err)
{
    struct evidence_events out = {0};
    int r = take_log(log, &out, err);

    if (r == 0)
        *ret = out;
    else
        evidence_events_fini(&out);
    return r;
}

void evidence_events_fini(struct evidence_events *e)
{
    free(e->event);
    *e = (struct evidence_events){0};
}
