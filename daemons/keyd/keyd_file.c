/* SPDX-License-Identifier: Apache-2.0 */
#include "keyd_file.h"

#define MAGIC   "QAIRKEY"
#define VERSION 1

static const char *const custody_names[] = {
        [KEYD_TPM] = "tpm",
        [KEYD_SEALED] = "sealed",
};

const char *keyd_custody_name(enum keyd_custody c)
{
    return custody_names[c];
}

bool keyd_custody_parse(struct span name, enum keyd_custody *ret)
{
    for (size_t i = KEYD_TPM; i < ARRAY_LEN(custody_names); i++) {
        if (!span_eq_str(name, custody_names[i]))
            continue;
        *ret = (enum keyd_custody)i;
        return true;
    }
    return false;
}

int keyd_file_parse(struct span bytes, struct keyd_file *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct keyd_file f = {.created = 0};
    struct span magic, name, spki, blob;
    uint8_t version, custody;
    int e;

    if (!wire_get_span(&r, strlen(MAGIC), &magic) ||
            !wire_get_u8(&r, &version) || !wire_get_vec8(&r, &name) ||
            !wire_get_u8(&r, &custody) || !wire_get_u8(&r, &f.profile) ||
            !wire_get_u64be(&r, &f.created) || !wire_get_vec16be(&r, &spki) ||
            !wire_get_vec16be(&r, &blob) || !wire_end(&r))
        return err_set(err, ERR_SYNTAX, "malformed key file");
    if (!span_eq_str(magic, MAGIC) || version != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "not a key file of version 1");
    if (!text_is_name(name, KEYD_FILE_NAME_MAX) || spki.len > sizeof f.spki ||
            spki.len == 0 || custody < KEYD_TPM || custody > KEYD_SEALED)
        return err_set(err, ERR_SYNTAX, "key file with impossible values");
    e = tpm_blob_from(blob, &f.blob, err);
    if (e != 0)
        return e;
    f.custody = (enum keyd_custody)custody;
    memcpy(f.name, name.ptr, name.len);
    memcpy(f.spki, spki.ptr, spki.len);
    f.spki_len = spki.len;
    *ret = f;
    return 0;
}

int keyd_file_format(
        const struct keyd_file *f, struct buf *ret, struct err *err)
{
    uint8_t bytes[KEYD_FILE_MAX];
    struct wire_writer w = wire_writer_of(bytes, sizeof bytes);
    struct span all;

    wire_put_bytes(&w, (const uint8_t *)MAGIC, strlen(MAGIC));
    wire_put_u8(&w, VERSION);
    wire_put_vec8(&w, span_str(f->name));
    wire_put_u8(&w, (uint8_t)f->custody);
    wire_put_u8(&w, f->profile);
    wire_put_u64be(&w, f->created);
    wire_put_vec16be(&w, SPAN(f->spki, f->spki_len));
    wire_put_vec16be(&w, SPAN(f->blob.bytes, f->blob.len));
    if (!wire_finish(&w, &all))
        return err_set(err, ERR_LIMIT, "key file too large");
    buf_append(ret, all);
    return buf_ok(ret, err);
}
