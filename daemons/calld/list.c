/* SPDX-License-Identifier: Apache-2.0 */
/* What `qair call list` shows. */
#include "calld.h"

#include "statement.h"

static bool put_running(struct json_t *list, const struct running *u)
{
    struct json_t *o = statement_add_object(list);
    char id[CALLD_ID_TEXT];

    text_format_hex(SPAN_OF(u->id), id);
    return o && statement_put_str(o, "id", id) &&
           statement_put_str(o, "state", u->cut ? "ending" : "running") &&
           statement_put_u64(o, "since", u->since) &&
           statement_put_str(o, "source", u->source_name) &&
           statement_put_str(o, "source_zone", u->peer_zone) &&
           statement_put_str(o, "zone", u->zone) &&
           statement_put_str(o, "qube", u->qube) &&
           statement_put_str(o, "service", u->service) &&
           statement_put_str(o, "rule", u->rule);
}

static bool put_waiting(struct json_t *list, const struct call *c)
{
    struct json_t *o = statement_add_object(list);
    char id[CALLD_ID_TEXT];

    text_format_hex(SPAN_OF(c->id), id);
    return o && statement_put_str(o, "id", id) &&
           statement_put_str(o, "state", c->ask ? "asking" : "waiting") &&
           statement_put_u64(o, "since", c->since) &&
           statement_put_str(o, "source", c->source_name) &&
           statement_put_str(o, "source_zone", c->peer_zone) &&
           statement_put_str(o, "zone", c->zone) &&
           statement_put_str(o, "qube", *c->qube ? c->qube : c->requested) &&
           statement_put_str(o, "service", c->service) &&
           statement_put_str(o, "rule", c->rule) &&
           (!c->ask || ask_put(o, c->ask));
}

static int format_list(const struct calld *d, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *o = statement_json_object();
    struct json_t *list = o ? statement_put_array(o, "calls") : NULL;
    const struct running *u;
    const struct call *c;
    bool ok = list != NULL;

    LIST_FOREACH (c, &d->calls, entry)
        ok = ok && (c->refused || put_waiting(list, c));
    LIST_FOREACH (u, &d->running, entry)
        ok = ok && put_running(list, u);
    return ok ? statement_json_format(o, ret, err)
              : err_set(err, ERR_MEMORY, "no memory for the list");
}

void list_calls(struct role *r, const struct role_msg *m)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(CALLD_LIST_MAX);
    struct calld *d = role_user(r);
    struct err err;

    if (format_list(d, &text, &err))
        role_refuse(r, m->ticket, err.code, d->where, "%s", err.msg);
    else
        role_reply_file(r, m->ticket, buf_span(&text));
}
