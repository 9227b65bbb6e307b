/* SPDX-License-Identifier: Apache-2.0 */
/* What the judges of foreign files say: for people or for programs. */
#include "foreign.h"
#include "statement.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_SIZE 1024
#define JSON_MAX  (1u << 20)

static int no_memory(void)
{
    struct err err = {0};

    (void)err_set(&err, ERR_MEMORY, "no memory for the answer");
    return cli_fail(&err);
}

int foreign_report_begin(const struct foreign *f, struct foreign_report *ret)
{
    *ret = (struct foreign_report){.json = f->json};
    if (ret->json) {
        ret->root = statement_json_object();
        ret->reasons =
                ret->root ? statement_put_array(ret->root, "reasons") : NULL;
        if (!ret->reasons)
            return no_memory();
    }
    foreign_say(ret, "kind", "%s", foreign_kind_name(f->kind));
    return CLI_OK;
}

/* Foreign text is made safe to show. */
static void tell(struct foreign_report *r, const char *name, const char *text)
{
    char safe[LINE_SIZE];

    text_format_safe(span_str(text), safe, sizeof(safe));
    if (!r->json)
        (void)printf("%-9s %s\n", name, safe);
    else if (!statement_put_str(r->root, name, safe))
        r->refused = true;
}

void foreign_say(
        struct foreign_report *r, const char *name, const char *fmt, ...)
{
    char text[LINE_SIZE];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    tell(r, name, text);
}

void foreign_refuse(
        struct foreign_report *r, const char *word, const char *fmt, ...)
{
    char text[LINE_SIZE], safe[LINE_SIZE];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    r->refused = true;
    text_format_safe(span_str(text), safe, sizeof(safe));
    if (!r->json)
        (void)printf("%-9s %s\n", "refused", safe);
    else
        (void)!statement_add_text(r->reasons, span_str(word));
}

int foreign_report_end(struct foreign_report *r, const char *accepted)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(JSON_MAX);
    struct err err = {0};

    foreign_say(r, "verdict", "%s",
            !r->refused ? accepted
            : r->json   ? "refused"
                        : "refused, for what is said above");
    if (r->json) {
        if (!statement_put_bool(r->root, "accept", !r->refused) ||
                statement_json_format(r->root, &text, &err) != 0) {
            statement_json_free(r->root);
            return no_memory();
        }
        (void)printf("%s\n", (const char *)text.ptr);
        statement_json_free(r->root);
    }
    return r->refused ? CLI_NO : CLI_OK;
}
