/* SPDX-License-Identifier: Apache-2.0 */
/* How digests cover the data of their events (PFP 1.06, 10.4). */
#include "eventlog_private.h"

bool eventlog_data_is(const struct eventlog_event *e, struct span data)
{
    bool any = false;

    for (size_t i = 0; i < e->n_digests; i++) {
        uint8_t digest[CRYPTO_HASH_MAX];
        enum crypto_hash hash;

        if (!tcg_hash(e->digest[i].alg, &hash))
            continue;
        crypto_hash(hash, data, digest);
        if (!span_eq(SPAN(digest, crypto_hash_size(hash)), e->digest[i].digest))
            return false;
        any = true;
    }
    return any;
}

static bool is_computed(const struct eventlog_event *e)
{
    enum crypto_hash hash;

    for (size_t i = 0; i < e->n_digests; i++) {
        if (tcg_hash(e->digest[i].alg, &hash))
            return true;
    }
    return false;
}

static bool is_demanded(const struct eventlog_event *e)
{
    struct wire_reader r = wire_reader_of(e->data);
    uint32_t tag;

    switch (eventlog_type_rule(e->type)) {
    case EVENTLOG_RULE_NONE:
        return false;
    case EVENTLOG_RULE_DATA:
    case EVENTLOG_RULE_AUTHORITY:
        return true;
    case EVENTLOG_RULE_TAG:
        /* Linux's and systemd's tags hash what they name. */
        return wire_get_u32le(&r, &tag) && tag == EVENTLOG_TAG_QAIR;
    }
    return true;
}

/*
 * Older shim measured UEFI_VARIABLE_DATA without its last byte, and logged 6
 * bytes more than the lengths in it say.
 */
static bool is_short(const struct eventlog_event *e)
{
    struct eventlog_uefi_variable v;

    return e->type == EVENTLOG_EV_EFI_VARIABLE_AUTHORITY &&
           eventlog_uefi_variable(e->data, &v) == 0 && v.n_trailing > 0 &&
           eventlog_data_is(e, SPAN(e->data.ptr, e->data.len - 1));
}

int eventlog_data_demand(const struct eventlog_event *e, bool *ret_short)
{
    *ret_short = false;
    if (!is_demanded(e) || !is_computed(e))
        return ERR_UNSUPPORTED;
    if (eventlog_data_is(e, e->data))
        return 0;
    *ret_short = is_short(e);
    return ERR_MISMATCH;
}

int eventlog_check_data(const struct eventlog_event *e)
{
    bool is_short_form;

    return eventlog_data_demand(e, &is_short_form);
}

/* Firmware before PFP 1.04 hashed the value of boot variables alone. */
static bool is_value(const struct eventlog_event *e)
{
    struct eventlog_uefi_variable v;

    return e->type == EVENTLOG_EV_EFI_VARIABLE_BOOT &&
           eventlog_uefi_variable(e->data, &v) == 0 && v.n_trailing == 0 &&
           eventlog_data_is(e, v.value);
}

enum eventlog_data eventlog_data(const struct eventlog_event *e)
{
    struct span text;
    bool is_short_form;
    int r = eventlog_data_demand(e, &is_short_form);

    if (r == 0)
        return EVENTLOG_DATA_WHOLE;
    if (r == ERR_MISMATCH)
        return is_short_form ? EVENTLOG_DATA_SHORT : EVENTLOG_DATA_WRONG;
    if (e->type == EVENTLOG_EV_NO_ACTION)
        return EVENTLOG_DATA_OPAQUE;
    if (eventlog_data_is(e, e->data))
        return EVENTLOG_DATA_WHOLE;
    if (is_value(e))
        return EVENTLOG_DATA_VALUE;
    if (eventlog_view_text(e, &text))
        return EVENTLOG_DATA_TEXT;
    return EVENTLOG_DATA_OPAQUE;
}
