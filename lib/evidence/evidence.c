/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence blob: docs/proto/evidence.md, section 2. */
#include "evidence.h"

#define MAGIC "QAIREVID"

static const char *const kind_names[EVIDENCE_KINDS] = {
        [EVIDENCE_QUOTE] = "quote",
        [EVIDENCE_ZONE_LOG] = "event log of the zone",
        [EVIDENCE_FIRMWARE] = "firmware event log",
        [EVIDENCE_IMA] = "list of measured files",
        [EVIDENCE_SNP_REPORT] = "SNP report",
        [EVIDENCE_SNP_CERTS] = "SNP certificates",
        [EVIDENCE_DRTM] = "event log of the dynamic launch",
        [EVIDENCE_SPDM] = "transcripts of devices",
};

const char *evidence_kind_name(unsigned kind)
{
    const char *s = kind < EVIDENCE_KINDS ? kind_names[kind] : NULL;

    return s ? s : "unknown";
}

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

/* The least version that has a place for all that is there. */
static uint16_t version_of(const struct evidence *e)
{
    for (unsigned kind = EVIDENCE_FIRMWARE; kind < EVIDENCE_KINDS; kind++)
        if (e->part[kind].len > 0)
            return EVIDENCE_VERSION;
    return EVIDENCE_VERSION_PLAIN;
}

/* By ascending kind, none twice, none empty. */
static bool get_more_parts(struct wire_reader *r, size_t n, struct evidence *e)
{
    uint16_t kind, last = EVIDENCE_QUOTE;
    struct span part;

    for (; n > 0; n--) {
        if (!wire_get_u16be(r, &kind) || kind <= last ||
                kind >= EVIDENCE_KINDS || !wire_get_vec32be(r, &part) ||
                part.len == 0)
            return false;
        if (kind == EVIDENCE_ZONE_LOG)
            e->log = part;
        else
            e->part[kind] = part;
        last = kind;
    }
    return wire_end(r);
}

/* The quote always first. */
static bool get_parts(
        struct wire_reader *r, uint16_t version, struct evidence *e)
{
    uint16_t n, kind;
    struct span part;

    return wire_get_u16be(r, &n) && n >= 1 && n < EVIDENCE_KINDS &&
           wire_get_u16be(r, &kind) && kind == EVIDENCE_QUOTE &&
           wire_get_vec32be(r, &part) && get_quote_part(part, e) &&
           get_more_parts(r, n - 1u, e) && version == version_of(e);
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
    if (version != EVIDENCE_VERSION && version != EVIDENCE_VERSION_PLAIN)
        return err_set(err, ERR_UNSUPPORTED, "evidence of version %u", version);
    if (!get_parts(&r, version, &e))
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
    wire_put_u16be(w, EVIDENCE_QUOTE);
    wire_put_u32be(w, (uint32_t)quote_size(e));
    wire_put_vec16be(w, e->attest);
    wire_put_vec16be(w, e->signature);
    wire_put_vec16be(w, e->ak);
    wire_put_u16be(w, (uint16_t)e->values.n);
    for (size_t i = 0; i < e->values.n; i++)
        wire_put_vec8(w, e->values.value[i]);
}

static struct span part_of(const struct evidence *e, unsigned kind)
{
    return kind == EVIDENCE_ZONE_LOG ? e->log : e->part[kind];
}

/* Of the parts behind the quote. */
static size_t more_size(const struct evidence *e, uint16_t *ret_n)
{
    size_t size = 0;

    *ret_n = 0;
    for (unsigned kind = EVIDENCE_ZONE_LOG; kind < EVIDENCE_KINDS; kind++) {
        if (part_of(e, kind).len == 0)
            continue;
        size += 6 + part_of(e, kind).len;
        ++*ret_n;
    }
    return size;
}

static void put_more_parts(struct wire_writer *w, const struct evidence *e)
{
    for (unsigned kind = EVIDENCE_ZONE_LOG; kind < EVIDENCE_KINDS; kind++) {
        if (part_of(e, kind).len == 0)
            continue;
        wire_put_u16be(w, (uint16_t)kind);
        wire_put_vec32be(w, part_of(e, kind));
    }
}

int evidence_format(const struct evidence *e, struct buf *ret, struct err *err)
{
    struct wire_writer w;
    struct evidence back;
    struct span done;
    uint8_t *room;
    uint16_t more;
    size_t need =
            sizeof(MAGIC) - 1 + 4 + 6 + quote_size(e) + more_size(e, &more);
    int r;

    if (need > LIMIT_EVIDENCE_MAX || e->values.n > TCG_VALUES_MAX)
        return err_set(err, ERR_LIMIT, "evidence of %zu bytes", need);
    room = buf_reserve(ret, need);
    if (!room)
        return buf_ok(ret, err);
    w = wire_writer_of(room, need);
    wire_put_bytes(&w, (const uint8_t *)MAGIC, sizeof(MAGIC) - 1);
    wire_put_u16be(&w, version_of(e));
    wire_put_u16be(&w, (uint16_t)(1 + more));
    put_quote_part(&w, e);
    put_more_parts(&w, e);
    if (!wire_finish(&w, &done))
        return err_set(err, ERR_LIMIT, "evidence does not fit its form");
    /* Nothing leaves here that the other side would not read. */
    r = evidence_parse(done, &back, err);
    if (r != 0)
        return r;
    buf_commit(ret, done.len);
    return 0;
}
