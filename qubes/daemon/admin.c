/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"

#include "dsock.h"

int admin_call(const char *method, const char *dest, const char *payload,
        uint8_t ret[static ADMIN_CALL_MAX], size_t *ret_len)
{
    struct wire_writer w = wire_writer_of(ret, ADMIN_CALL_MAX);
    bool keyword = dest[0] == '@';
    const char *name = dest + (keyword ? 1 : 0);
    const char *word = keyword ? "+ dom0 keyword " : "+ dom0 name ";
    struct span all;

    if (!dsock_is_name(name))
        return ERR_SYNTAX;
    wire_put_bytes(&w, (const uint8_t *)method, strlen(method));
    wire_put_bytes(&w, (const uint8_t *)word, strlen(word));
    wire_put_bytes(&w, (const uint8_t *)name, strlen(name) + 1);
    wire_put_bytes(&w, (const uint8_t *)payload, strlen(payload));
    if (!wire_finish(&w, &all))
        return ERR_LIMIT;
    *ret_len = all.len;
    return 0;
}

struct span admin_exception(struct span text)
{
    const uint8_t *end;

    if (text.len < 2 || text.ptr[0] != '2' || text.ptr[1])
        return SPAN_EMPTY;
    text = SPAN(text.ptr + 2, text.len - 2);
    end = memchr(text.ptr, 0, text.len);
    return end ? SPAN(text.ptr, (size_t)(end - text.ptr)) : text;
}

int admin_answer(struct span text, struct span *ret, struct err *err)
{
    struct span why = admin_exception(text);
    char safe[80];

    if (text.len >= 2 && text.ptr[0] == '0' && !text.ptr[1]) {
        *ret = SPAN(text.ptr + 2, text.len - 2);
        return 0;
    }
    if (!why.len)
        return err_set(err, ERR_SYNTAX, "qubesd gave no answer that is one");
    text_format_safe(why, safe, sizeof(safe));
    return err_set(err, ERR_DENIED, "qubesd: %s", safe);
}
