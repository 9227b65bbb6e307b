/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence blob: docs/proto/evidence.md, section 2. */
#include "evidence.h"

#define MAGIC      "QAIREVID"
#define PART_QUOTE 1
#define PART_LOG   2

static bool get_quote_part(struct span part, struct evidence *e)
{
    struct wire_reader r = wire_reader_of(part);
    uint16_t n;

    if (!wire_get_vec16be(&r, &e->attest) ||
            !wire_get_vec16be(&r, &e->signature) ||
            !wire_get_vec16be(&r, &e->ak) || !wire_get_u16be(&r, &n) ||
            n > TCG_VALUES_MAX)
        return false;
    for (e->values.n = 0; e->values.n < n; e->values.n++) {
        if (!wire_get_vec8(&r, &e->values.value[e->values.n]))
            return false;
    }
    return wire_end(&r);
}

/* Parts by ascending kind, none twice, the quote always first. */
static bool get_parts(struct wire_reader *r, struct evidence *e)
{
    uint16_t n, kind;
    struct span part;

    if (!wire_get_u16be(r, &n) || n < 1 || n > 2 || !wire_get_u16be(r, &kind) ||
            kind != PART_QUOTE || !wire_get_vec32be(r, &part) ||
            !get_quote_part(part, e))
        return false;
    e->log = SPAN_EMPTY;
    if (n == 2 && (!wire_get_u16be(r, &kind) || kind != PART_LOG ||
                          !wire_get_vec32be(r, &e->log) || e->log.len == 0))
        return false;
    return wire_end(r);
}

int evidence_parse(struct span bytes, struct evidence *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct evidence e = {0};
    struct span magic;
    uint16_t version;
    int rc;

    if (bytes.len > LIMIT_EVIDENCE_MAX)
        return err_set(err, ERR_LIMIT, "evidence of %zu bytes", bytes.len);
    if (!wire_get_span(&r, sizeof(MAGIC) - 1, &magic) ||
            !span_eq_str(magic, MAGIC) || !wire_get_u16be(&r, &version))
        return err_set(err, ERR_SYNTAX, "not evidence of a zone");
    if (version != EVIDENCE_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "evidence of version %u", version);
    if (!get_parts(&r, &e))
        return err_set(err, ERR_SYNTAX, "evidence is malformed");
    rc = tcg_attest(e.attest, &e.quote, err);
    if (rc == 0)
        rc = tcg_signature(e.signature, &e.sig, err);
    if (rc == 0)
        rc = tcg_public(e.ak, &e.ak_public, err);
    if (rc != 0)
        return rc;
    if (!tcg_values_fit(&e.quote.selection, &e.values))
        return err_set(err, ERR_SYNTAX,
                "PCR values are not those of the quote's selection");
    *ret = e;
    return 0;
}

static size_t quote_size(const struct evidence *e)
{
    size_t n = 3 * 2 + e->attest.len + e->signature.len + e->ak.len + 2;

    for (size_t i = 0; i < e->values.n; i++)
        n += 1 + e->values.value[i].len;
    return n;
}

static void put_quote_part(struct wire_writer *w, const struct evidence *e)
{
    wire_put_u16be(w, PART_QUOTE);
    wire_put_u32be(w, (uint32_t)quote_size(e));
    wire_put_vec16be(w, e->attest);
    wire_put_vec16be(w, e->signature);
    wire_put_vec16be(w, e->ak);
    wire_put_u16be(w, (uint16_t)e->values.n);
    for (size_t i = 0; i < e->values.n; i++)
        wire_put_vec8(w, e->values.value[i]);
}

int evidence_format(const struct evidence *e, struct buf *ret, struct err *err)
{
    struct wire_writer w;
    struct evidence back;
    struct span done;
    uint8_t *room;
    size_t need = sizeof(MAGIC) - 1 + 4 + 6 + quote_size(e) +
                  (e->log.len ? 6 + e->log.len : 0);
    int r;

    if (need > LIMIT_EVIDENCE_MAX || e->values.n > TCG_VALUES_MAX)
        return err_set(err, ERR_LIMIT, "evidence of %zu bytes", need);
    room = buf_reserve(ret, need);
    if (!room)
        return buf_ok(ret, err);
    w = wire_writer_of(room, need);
    wire_put_bytes(&w, (const uint8_t *)MAGIC, sizeof(MAGIC) - 1);
    wire_put_u16be(&w, EVIDENCE_VERSION);
    wire_put_u16be(&w, e->log.len ? 2 : 1);
    put_quote_part(&w, e);
    if (e->log.len) {
        wire_put_u16be(&w, PART_LOG);
        wire_put_vec32be(&w, e->log);
    }
    if (!wire_finish(&w, &done))
        return err_set(err, ERR_LIMIT, "evidence does not fit its form");
    /* Nothing leaves here that the other side would not read. */
    r = evidence_parse(done, &back, err);
    if (r != 0)
        return r;
    buf_commit(ret, done.len);
    return 0;
}
