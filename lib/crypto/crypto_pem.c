/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_private.h"

#include <stdio.h>
#include <stdlib.h>

#define PEM_LINE 64

/* "-----BEGIN LABEL-----" */
static bool is_fence(struct span line, const char *kind, const char *label)
{
    char fence[64];
    int n = snprintf(fence, sizeof(fence), "-----%s %s-----", kind, label);

    return n > 0 && (size_t)n < sizeof(fence) && span_eq_str(line, fence);
}

static bool next_line(struct text_lines *l, struct span *ret)
{
    if (!text_next_line(l, ret))
        return false;
    if (ret->len && ret->ptr[ret->len - 1] == '\r')
        ret->len--;
    return true;
}

/* The block's lines joined in text[cap]; false without an end. */
static bool join(struct text_lines *l, const char *label, uint8_t *text,
        size_t cap, size_t *ret_len)
{
    struct span line;
    size_t len = 0;
    bool short_seen = false;

    while (next_line(l, &line)) {
        if (is_fence(line, "END", label)) {
            *ret_len = len;
            return true;
        }
        if (short_seen || line.len > PEM_LINE || line.len > cap - len)
            return false;
        short_seen = line.len < PEM_LINE;
        memcpy(text + len, line.ptr, line.len);
        len += line.len;
    }
    return false;
}

int crypto_pem_next(struct span *rest, const char *label, uint8_t *ret,
        size_t cap, size_t *ret_len)
{
    struct text_lines l = text_lines_of(*rest);
    size_t text_cap = TEXT_B64_SIZE(cap), len = 0;
    struct span line;
    uint8_t *text;
    int rc;

    do {
        if (!next_line(&l, &line))
            return ERR_NOT_FOUND;
    } while (!is_fence(line, "BEGIN", label));
    text = malloc(text_cap);
    if (!text)
        return ERR_MEMORY;
    rc = join(&l, label, text, text_cap, &len) &&
                         text_parse_b64(SPAN(text, len), ret, cap, ret_len)
                 ? 0
                 : ERR_SYNTAX;
    secret_wipe(text, text_cap); /* may be a private key */
    free(text);
    if (rc == 0)
        *rest = SPAN(l.ptr, l.left);
    return rc;
}

int crypto_pem_format(const char *label, struct span der, char *ret, size_t cap)
{
    size_t text_len = TEXT_B64_SIZE(der.len) - 1;
    size_t lines = (text_len + PEM_LINE - 1) / PEM_LINE;
    size_t fences = sizeof("-----BEGIN -----\n-----END -----\n") - 1 +
                    2 * strlen(label);
    char *p = ret;
    int n;

    if (cap < fences + text_len + lines + 1)
        return ERR_LIMIT;
    n = snprintf(p, cap, "-----BEGIN %s-----\n", label);
    p += n;
    for (size_t done = 0; done < der.len; done += PEM_LINE / 4 * 3) {
        size_t part = der.len - done < PEM_LINE / 4 * 3 ? der.len - done
                                                        : PEM_LINE / 4 * 3;

        text_format_b64(SPAN(der.ptr + done, part), p);
        p += TEXT_B64_SIZE(part) - 1;
        *p++ = '\n';
    }
    (void)snprintf(p, cap - (size_t)(p - ret), "-----END %s-----\n", label);
    return 0;
}
