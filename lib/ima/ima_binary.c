/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary lists: PCR u32, template hash, name length u32, name, then the length
 * of the data u32 and the data; the template "ima" has a digest of 20 bytes, a
 * length and a name in their place.
 */
#include "ima_private.h"

/* A digest, then the name with a length that does not count a NUL. */
static bool get_ima(struct wire_reader *r, struct ima_entry *e)
{
    return wire_get_span(r, IMA_SHA1_SIZE, &e->field[0].raw) &&
           wire_get_vec32le(r, &e->field[1].raw) &&
           e->field[1].raw.len < IMA_NAME_PADDED;
}

static bool get_fields(struct ima_entry *e)
{
    struct wire_reader r = wire_reader_of(e->data);

    for (size_t i = 0; i < e->n_fields; i++) {
        bool last = i + 1 == e->n_fields;
        uint32_t len;

        if (!wire_get_u32le(&r, &len))
            return false;
        if (last && e->lost_nul && len-- == 0)
            return false;
        if (!wire_get_span(&r, len, &e->field[i].raw))
            return false;
    }
    return wire_end(&r);
}

/* The last byte of the list was the NUL of a name, and is gone. */
static bool has_lost_nul(
        const struct wire_reader *r, const struct ima_entry *e, uint32_t len)
{
    return e->known && e->field[e->n_fields - 1].kind == IMA_N_NG && len > 0 &&
           r->left == len - 1;
}

int ima_binary_next(struct ima_list *list, struct ima_entry *e, struct err *err)
{
    struct wire_reader *r = &list->left;
    uint32_t len;

    if (!wire_get_u32le(r, &e->pcr) ||
            !wire_get_copy(r, e->template_hash, list->digest_size) ||
            !wire_get_u32le(r, &len))
        return err_set(err, ERR_SYNTAX, "cut short");
    e->template_hash_len = list->digest_size;
    if (e->pcr > 23)
        return err_set(err, ERR_SYNTAX, "PCR %u", e->pcr);
    if (len == 0 || len > IMA_TEMPLATE_NAME_MAX)
        return err_set(err, ERR_LIMIT, "template name of %u bytes", len);
    if (!wire_get_span(r, len, &e->name))
        return err_set(err, ERR_SYNTAX, "cut short");
    e->known = ima_template_fields(e->name, e);
    if (e->is_ima)
        return get_ima(r, e) ? 0 : err_set(err, ERR_SYNTAX, "cut short");
    if (!wire_get_u32le(r, &len))
        return err_set(err, ERR_SYNTAX, "cut short");
    if (len > IMA_DATA_MAX)
        return err_set(err, ERR_LIMIT, "data of %u bytes", len);
    e->lost_nul = has_lost_nul(r, e, len);
    if (!wire_get_span(r, len - e->lost_nul, &e->data))
        return err_set(err, ERR_SYNTAX, "cut short");
    if (e->known && !get_fields(e))
        return err_set(err, ERR_SYNTAX, "fields do not fill the data");
    return 0;
}

int ima_binary_open(struct ima_list *list, struct err *err)
{
    static const size_t sizes[] = {20, 32, 48, 64};
    size_t wanted = list->digest_size;

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct ima_list at = *list;
        struct ima_entry e = {0};

        if (wanted != 0 && wanted != sizes[i])
            continue;
        list->digest_size = at.digest_size = sizes[i];
        if (wanted != 0 || wire_end(&at.left))
            return 0;
        /* The name stands right behind the hash: with another size of hash
         * the bytes there are not those of a template. */
        if (ima_binary_next(&at, &e, NULL) == 0 && e.known)
            return 0;
    }
    return err_set(err, ERR_SYNTAX,
            wanted ? "no template hash has %zu bytes"
                   : "the first entry is of no template known here",
            wanted);
}
