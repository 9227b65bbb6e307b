/* SPDX-License-Identifier: Apache-2.0 */
#include "corim_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct corim *corim_new(void)
{
    return calloc(1, sizeof(struct corim));
}

void corim_free(struct corim *c)
{
    if (!c)
        return;
    free(c->tag);
    free(c->env);
    free(c->value);
    free(c->link);
    free(c->note);
    free(c);
}

void corim_free_ptr(struct corim **c)
{
    corim_free(*c);
}

/* Room for one more: arrays double, from 16, up to max. */
static int grow(void **array, size_t n, size_t max, size_t size,
        const char *what, struct err *err)
{
    void *more;

    if (n == max)
        return err_set(err, ERR_LIMIT, "CoRIM: more than %zu %s", max, what);
    if (n != 0 && (n < 16 || (n & (n - 1)) != 0))
        return 0;
    more = reallocarray(*array, n < 16 ? 16 : 2 * n, size);
    if (!more)
        return err_set(err, ERR_MEMORY, "CoRIM: no memory for %s", what);
    *array = more;
    return 0;
}

int corim_add_tag(struct corim *c, const struct corim_tag *t, struct err *err)
{
    void *p = c->tag;
    int rc = grow(&p, c->n_tags, CORIM_TAGS_MAX, sizeof(*t), "tags", err);

    c->tag = p;
    if (rc == 0)
        c->tag[c->n_tags++] = *t;
    return rc;
}

int corim_add_env(struct corim *c, const struct corim_env *e, struct err *err)
{
    void *p = c->env;
    int rc = grow(
            &p, c->n_envs, CORIM_ENVS_MAX, sizeof(*e), "environments", err);

    c->env = p;
    if (rc == 0)
        c->env[c->n_envs++] = *e;
    return rc;
}

int corim_add_value(
        struct corim *c, const struct corim_value *v, struct err *err)
{
    void *p = c->value;
    int rc = grow(&p, c->n_values, CORIM_VALUES_MAX, sizeof(*v), "values", err);

    c->value = p;
    if (rc)
        return rc;
    c->value[c->n_values] = *v;
    c->value[c->n_values].tag = c->n_tags - 1;
    c->value[c->n_values].env = c->n_envs - 1;
    c->value[c->n_values].measurement = c->n_measurements;
    c->n_values++;
    return 0;
}

int corim_add_link(struct corim *c, const struct corim_link *l, struct err *err)
{
    void *p = c->link;
    int rc = grow(&p, c->n_links, CORIM_LINKS_MAX, sizeof(*l), "links", err);

    c->link = p;
    if (rc == 0)
        c->link[c->n_links++] = *l;
    return rc;
}

/* A note that finds no memory is counted and not kept. */
void corim_note(struct corim *c, const char *fmt, ...)
{
    va_list ap;

    if (!c->note)
        c->note = calloc(CORIM_NOTES_MAX, sizeof(*c->note));
    if (c->note && c->n_notes < CORIM_NOTES_MAX) {
        va_start(ap, fmt);
        (void)vsnprintf(c->note[c->n_notes], CORIM_NOTE_MAX, fmt, ap);
        va_end(ap);
    }
    c->n_notes++;
}
