/* SPDX-License-Identifier: Apache-2.0 */
#include "info.h"

#include "buf.h"

#include <stdlib.h>

struct table {
    struct policy_qube *qubes;
    struct span *tags;
    size_t n;
};

static void table_fini(struct table *t)
{
    free(t->qubes);
    free(t->tags);
}

/* A string; absent and null are empty. */
static int get_text(const json_t *domain, const char *key, struct span *ret,
        struct err *err)
{
    const json_t *v = json_object_get(domain, key);

    if (v && !json_is_null(v) && !json_is_string(v))
        return err_set(err, ERR_SYNTAX, "%s is not a text", key);
    *ret = json_is_string(v) ? SPAN(json_string_value(v), json_string_length(v))
                             : SPAN_EMPTY;
    return 0;
}

/* A feature of a qube may be text: any but the empty one is yes. */
static bool is_true(const json_t *domain, const char *key)
{
    const json_t *v = json_object_get(domain, key);

    return json_is_true(v) || (json_is_string(v) && json_string_length(v) > 0);
}

static int get_tags(const json_t *domain, struct span *tags,
        struct policy_qube *ret, struct err *err)
{
    const json_t *list = json_object_get(domain, "tags"), *v;
    size_t i;

    if (!json_is_array(list))
        return err_set(err, ERR_SYNTAX, "tags is not a list");
    ret->tags = tags;
    json_array_foreach (list, i, v) {
        if (!json_is_string(v))
            return err_set(err, ERR_SYNTAX, "a tag is not a text");
        tags[ret->n_tags++] = SPAN(json_string_value(v), json_string_length(v));
    }
    return 0;
}

static int get_qube(const char *name, const json_t *domain, struct span *tags,
        struct policy_qube *ret, struct err *err)
{
    struct span state = SPAN_EMPTY;
    const struct {
        const char *key;
        struct span *value;
    } texts[] = {
            {"type", &ret->type},
            {"uuid", &ret->uuid},
            {"default_dispvm", &ret->default_dispvm},
            {"guivm", &ret->guivm},
            {"relayvm", &ret->relayvm},
            {"transport_rpc", &ret->transport_rpc},
            {"power_state", &state},
    };
    int r = 0;

    if (!json_is_object(domain))
        return err_set(err, ERR_SYNTAX, "not an object");
    ret->name = span_str(name);
    for (size_t i = 0; i < ARRAY_LEN(texts) && r == 0; i++)
        r = get_text(domain, texts[i].key, texts[i].value, err);
    if (r < 0)
        return r;
    ret->template_for_dispvms = is_true(domain, "template_for_dispvms");
    ret->internal = is_true(domain, "internal");
    ret->running = span_eq_str(state, "Running");
    return get_tags(domain, tags, ret, err);
}

static const struct policy_qube *find(const struct table *t, struct span name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (span_eq(t->qubes[i].name, name))
            return &t->qubes[i];
    }
    return NULL;
}

static void complete_remotes(struct table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct policy_qube *q = &t->qubes[i];
        const struct policy_qube *relay;

        if (!span_eq_str(q->type, "RemoteVM"))
            continue;
        relay = find(t, q->relayvm);
        q->running = relay && relay->running;
        if (q->guivm.len == 0 && relay)
            q->guivm = relay->guivm;
    }
}

static int get_table(json_t *domains, struct table *t, struct err *err)
{
    size_t n_tags = 0;
    const char *name;
    json_t *v;

    if (!json_is_object(domains))
        return err_set(err, ERR_SYNTAX, "no domains");
    json_object_foreach (domains, name, v) {
        n_tags += json_array_size(json_object_get(v, "tags"));
    }
    t->qubes = calloc(json_object_size(domains) + 1, sizeof(*t->qubes));
    t->tags = calloc(n_tags + 1, sizeof(*t->tags));
    if (!t->qubes || !t->tags)
        return err_set(err, ERR_MEMORY, "out of memory");
    n_tags = 0;
    json_object_foreach (domains, name, v) {
        int r = get_qube(name, v, t->tags + n_tags, &t->qubes[t->n], err);

        if (r < 0) {
            char safe[64];

            text_format_safe(span_str(name), safe, sizeof(safe));
            return err_prefix(err, r, "qube '%s'", safe);
        }
        n_tags += t->qubes[t->n++].n_tags;
    }
    complete_remotes(t);
    return 0;
}

static int fill(struct info *i, struct span text, struct err *err)
{
    CLEANUP(table_fini) struct table t = {0};
    json_error_t why;
    json_t *doc;
    int r;

    doc = json_loadb(
            (const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
    if (!doc)
        return err_set(err, ERR_SYNTAX, "line %d: %.100s", why.line, why.text);
    i->domains = json_incref(json_object_get(doc, "domains"));
    json_decref(doc);
    r = get_table(i->domains, &t, err);
    return r < 0 ? r : policy_system_new(t.qubes, t.n, &i->system, err);
}

int info_parse(struct span json, struct info **ret, struct err *err)
{
    CLEANUP(info_free_ptr) struct info *i = calloc(1, sizeof(*i));
    int r;

    if (!i)
        return err_set(err, ERR_MEMORY, "out of memory");
    r = json.len > INFO_MAX ? err_set(err, ERR_LIMIT, "over %u bytes", INFO_MAX)
                            : fill(i, json, err);
    if (r < 0)
        return err_prefix(err, r, "system information of qubesd");
    *ret = TAKE_PTR(i);
    return 0;
}

void info_free(struct info *i)
{
    if (!i)
        return;
    policy_system_free(i->system);
    json_decref(i->domains);
    free(i);
}

void info_free_ptr(struct info **i)
{
    info_free(*i);
}

/* "appvm-red" of a template is "dispvm-red" of its disposables. */
static json_t *disposable_icon(const char *icon)
{
    const char *app = strstr(icon, "app");

    return app ? json_sprintf("%.*sdisp%s", (int)(app - icon), icon, app + 3)
               : json_string(icon);
}

json_t *info_icons(const struct info *i)
{
    json_t *icons = json_object(), *v;
    const char *name;
    int r = 0;

    json_object_foreach (i->domains, name, v) {
        const char *icon = json_string_value(json_object_get(v, "icon"));
        char key[80];

        if (!icon)
            icon = "";
        r |= json_object_set_new(icons, name, json_string(icon));
        if (!is_true(v, "template_for_dispvms"))
            continue;
        (void)snprintf(key, sizeof(key), "@dispvm:%s", name);
        r |= json_object_set_new(icons, key, disposable_icon(icon));
    }
    if (r < 0) {
        json_decref(icons);
        return NULL;
    }
    return icons;
}
