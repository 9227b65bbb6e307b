/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the room: what the files of lib/ima share. */
#ifndef QAIR_IMA_PRIVATE_H
#define QAIR_IMA_PRIVATE_H

#include "ima.h"

#define IMA_SHA1_SIZE 20
/* IMA_EVENT_NAME_LEN_MAX + 1: "ima" hashes its name padded to this. */
#define IMA_NAME_PADDED 256

/* Kinds of the template's fields in order; false for one not known here. */
bool ima_template_fields(struct span name, struct ima_entry *e) MUST_CHECK;
/* What follows from the fields: digest, path, violation. */
int ima_entry_finish(struct ima_entry *e, struct err *err) MUST_CHECK;

int ima_ascii_next(struct ima_list *list, struct ima_entry *e, struct err *err)
        MUST_CHECK;
int ima_binary_open(struct ima_list *list, struct err *err) MUST_CHECK;
int ima_binary_next(struct ima_list *list, struct ima_entry *e, struct err *err)
        MUST_CHECK;

/* Where template data go while it is put together: a one-shot hash for the
 * many small entries, and an incremental one for the few large ones. */
struct ima_sink {
    enum crypto_hash hash;
    struct crypto_hasher *hasher; /* NULL while all fits buf */
    bool failed;
    size_t total; /* bytes put so far */
    size_t len;
    uint8_t buf[2048];
};
void ima_sink_put(struct ima_sink *s, struct span bytes);
/* Digits of text as bytes; false when it is not hex. */
bool ima_sink_put_hex(struct ima_sink *s, struct span text) MUST_CHECK;

/* The field's bytes into a sink, from text or from bytes. */
bool ima_ascii_put(const struct ima_field *f, struct ima_sink *s) MUST_CHECK;
/* Number of bytes that the field has. */
bool ima_ascii_size(const struct ima_field *f, size_t *ret) MUST_CHECK;

#endif
