/* SPDX-License-Identifier: Apache-2.0 */
/* Text codecs: whatever is accepted formats back to the same text. */
#include "base.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_b64(struct span text)
{
    uint8_t *out = malloc(TEXT_B64_DECODED_MAX(text.len) + 1);
    char *again = malloc(text.len + 1);
    size_t len;

    if (!out || !again)
        abort();
    if (text_parse_b64(text, out, TEXT_B64_DECODED_MAX(text.len), &len)) {
        text_format_b64(SPAN(out, len), again);
        if (!span_eq_str(text, again))
            abort();
    }
    free(out);
    free(again);
}

static void check_time(struct span text)
{
    char again[TEXT_TIME_SIZE];
    uint64_t t;

    if (text_parse_time(text, &t) &&
            (!text_format_time(t, again) || !span_eq_str(text, again)))
        abort();
}

static void check_safe(struct span text)
{
    char out[64];

    text_format_safe(text, out, sizeof(out));
    for (const char *p = out; *p; p++) {
        if (*p < 0x20 || *p > 0x7e)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = SPAN(data, size), line, word;
    struct text_lines lines = text_lines_of(text);
    uint64_t v;

    check_b64(text);
    check_time(text);
    check_safe(text);
    (void)text_is_utf8(text);
    (void)text_is_name(text, LIMIT_NAME_MAX);
    if (text_parse_u64(text, &v) && size > 20)
        abort();
    while (text_next_line(&lines, &line)) {
        while (text_next_word(&line, &word)) {
            if (word.len == 0)
                abort();
        }
    }
    return 0;
}
