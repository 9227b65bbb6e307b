/* SPDX-License-Identifier: Apache-2.0 */
/* qubes.d/NAME.conf */
#include "conf_private.h"

#include "bundle.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists of words -------------------------------------------------- */

bool conf_list_has(const char *list, struct span word)
{
    struct span rest = span_str(list), w;

    if (strcmp(list, "*") == 0)
        return true;
    while (text_next_word(&rest, &w)) {
        if (span_eq(w, word))
            return true;
    }
    return false;
}

/* Services have upper case and more; all is printable ASCII without space. */
static bool is_word(struct span w)
{
    for (size_t i = 0; i < w.len; i++) {
        if (w.ptr[i] <= ' ' || w.ptr[i] > '~' || w.ptr[i] == '/' ||
                w.ptr[i] == '*')
            return false;
    }
    return w.len > 0 && w.len <= LIMIT_SERVICE_NAME_MAX;
}

static int set_list(char *ret, struct span value, struct err *err)
{
    char list[CONF_LIST_MAX + 1] = "";
    size_t len = 0;
    struct span w;

    while (text_next_word(&value, &w)) {
        if (!is_word(w))
            return err_set(err, ERR_SYNTAX, "bad word in list");
        if (conf_list_has(list, w))
            return err_set(err, ERR_EXISTS, "'%.*s' twice", (int)w.len,
                    (const char *)w.ptr);
        if (len + 1 + w.len > CONF_LIST_MAX)
            return err_set(err, ERR_LIMIT, "list of more than %d bytes",
                    CONF_LIST_MAX);
        if (len > 0)
            list[len++] = ' ';
        memcpy(list + len, w.ptr, w.len);
        len += w.len;
        list[len] = '\0';
    }
    memcpy(ret, list, sizeof(list));
    return 0;
}

/* ---- keys ------------------------------------------------------------ */

static int set_type(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    if (span_eq_str(value, "AppVM"))
        q->type = CONF_APPVM;
    else if (span_eq_str(value, "RemoteVM"))
        q->type = CONF_REMOTEVM;
    else
        return err_set(err, ERR_SYNTAX, "neither AppVM nor RemoteVM");
    return 0;
}

static int set_host(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    if (!span_eq_str(value, "qubes"))
        return err_set(err, ERR_SYNTAX, "not 'qubes'");
    q->on_host = true;
    return 0;
}

static int set_zone(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    return conf_set_name(q->zone, LIMIT_ZONE_NAME_MAX, value, err);
}

static int set_remote_name(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    return conf_set_name(q->remote_name, LIMIT_NAME_MAX, value, err);
}

static int set_origin(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    const uint8_t *slash = value.len ? memchr(value.ptr, '/', value.len) : NULL;
    struct conf_qube *q = ctx;
    size_t n;
    int rc;

    (void)rest;
    if (!slash)
        return err_set(err, ERR_SYNTAX, "not ZONE/QUBE");
    n = (size_t)(slash - value.ptr);
    rc = conf_set_name(
            q->origin_zone, LIMIT_ZONE_NAME_MAX, SPAN(value.ptr, n), err);
    if (rc < 0)
        return rc;
    return conf_set_name(q->origin_qube, LIMIT_NAME_MAX,
            SPAN(slash + 1, value.len - n - 1), err);
}

static int set_default_user(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    return conf_set_name(q->default_user, LIMIT_NAME_MAX, value, err);
}

static int set_label(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    return conf_set_name(q->label, LIMIT_NAME_MAX, value, err);
}

static int set_default_dispvm(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    return conf_set_name(q->default_dispvm, LIMIT_NAME_MAX, value, err);
}

static int set_guivm(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    return conf_set_name(q->guivm, LIMIT_NAME_MAX, value, err);
}

static int set_yes(bool *ret, struct span value, struct err *err)
{
    if (!span_eq_str(value, "yes") && !span_eq_str(value, "no"))
        return err_set(err, ERR_SYNTAX, "neither yes nor no");
    *ret = span_eq_str(value, "yes");
    return 0;
}

static int set_autostart(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    return set_yes(&q->autostart, value, err);
}

static int set_template(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    return set_yes(&q->template_for_dispvms, value, err);
}

static int set_tags(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    return set_list(q->tags, value, err);
}

static int set_services(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;

    (void)rest;
    if (span_eq_str(value, "*")) {
        memcpy(q->services, "*", 2);
        return 0;
    }
    return set_list(q->services, value, err);
}

static int set_keys(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_qube *q = ctx;
    struct span words, w;
    int rc = set_list(q->keys, value, err);

    (void)rest;
    if (rc < 0)
        return rc;
    words = span_str(q->keys);
    while (text_next_word(&words, &w)) {
        if (!text_is_name(w, LIMIT_NAME_MAX))
            return err_set(err, ERR_SYNTAX, "'%.*s' is not a key name",
                    (int)w.len, (const char *)w.ptr);
    }
    return 0;
}

static const struct conf_key qube_keys[] = {
        {"type", true, set_type},
        {"host", false, set_host},
        {"zone", false, set_zone},
        {"remote-name", false, set_remote_name},
        {"origin", false, set_origin},
        {"autostart", false, set_autostart},
        {"default-user", false, set_default_user},
        {"label", false, set_label},
        {"guivm", false, set_guivm},
        {"template-for-dispvms", false, set_template},
        {"default-dispvm", false, set_default_dispvm},
        {"tags", false, set_tags},
        {"services", false, set_services},
        {"keys", false, set_keys},
};

/* What a type needs and what has no meaning for it. */
static int check_qube(
        const struct conf_qube *q, const char *file, struct err *err)
{
    bool remote = q->type == CONF_REMOTEVM;

    if (remote && (!*q->zone || !*q->remote_name))
        return err_set(err, ERR_SYNTAX,
                "%s: a RemoteVM needs zone and remote-name", file);
    if (!remote && (*q->zone || *q->remote_name || *q->origin_zone))
        return err_set(err, ERR_SYNTAX,
                "%s: zone, remote-name and origin are for a RemoteVM", file);
    if (q->on_host && (remote || *q->services || *q->keys))
        return err_set(err, ERR_SYNTAX,
                "%s: host is for an AppVM whose services and keys are the "
                "Qubes host's matter",
                file);
    if (q->template_for_dispvms && (remote || q->on_host))
        return err_set(err, ERR_SYNTAX,
                "%s: template-for-dispvms is for an AppVM of this zone", file);
    if (remote && (*q->services || *q->keys))
        return err_set(err, ERR_SYNTAX,
                "%s: services and keys are for an AppVM", file);
    return 0;
}

static int name_of_file(const char *file, char *ret, struct err *err)
{
    const char *slash = strrchr(file, '/');
    struct span stem = span_str(slash ? slash + 1 : file);
    int rc;

    if (stem.len <= 5 || memcmp(stem.ptr + stem.len - 5, ".conf", 5) != 0)
        return err_set(err, ERR_SYNTAX, "%s: not NAME.conf", file);
    stem.len -= 5;
    rc = conf_set_name(ret, LIMIT_NAME_MAX, stem, err);
    if (rc < 0)
        return err_prefix(err, rc, "%s", file);
    /* Policy knows it as @adminvm, and it is no qube. */
    if (strcmp(ret, "dom0") == 0)
        return err_set(err, ERR_DENIED, "%s: dom0 is a reserved name", file);
    return 0;
}

int conf_qube_parse(struct span text, const char *file, struct conf_qube *ret,
        struct err *err)
{
    struct conf_qube q = {
            .autostart = true, .default_user = "user", .label = "red"};
    int rc = name_of_file(file, q.name, err);

    if (rc < 0)
        return rc;
    rc = conf_parse(text, file, qube_keys, ARRAY_LEN(qube_keys), &q, err);
    if (rc < 0)
        return rc;
    rc = check_qube(&q, file, err);
    if (rc < 0)
        return rc;
    *ret = q;
    return 0;
}

/* ---- all of them ----------------------------------------------------- */

void conf_qubes_fini(struct conf_qubes *q)
{
    free(q->qubes);
    *q = (struct conf_qubes){0};
}

static int add_qube(
        struct conf_qubes *q, const struct bundle_file *f, struct err *err)
{
    char file[sizeof("qubes.d/") + LIMIT_BUNDLE_NAME_MAX] = "qubes.d/";
    struct conf_qube *n = &q->qubes[q->count];
    const struct conf_qube *other;
    int rc;

    memcpy(file + strlen(file), f->name.ptr, f->name.len);
    if (memchr(f->name.ptr, '/', f->name.len))
        return err_set(err, ERR_SYNTAX, "%s: no folders in qubes.d", file);
    rc = conf_qube_parse(f->content, file, n, err);
    if (rc < 0)
        return rc;
    if (n->type == CONF_REMOTEVM) {
        other = conf_qube_find_remote(
                q, span_str(n->zone), span_str(n->remote_name));
        if (other)
            return err_set(err, ERR_EXISTS, "%s: %s is %s of zone %s already",
                    file, other->name, n->remote_name, n->zone);
    }
    q->count++;
    return 0;
}

static int check_dispvms(const struct conf_qubes *q, struct err *err)
{
    for (size_t i = 0; i < q->count; i++) {
        const struct conf_qube *c = &q->qubes[i], *t;

        if (!*c->default_dispvm)
            continue;
        t = conf_qube_find(q, span_str(c->default_dispvm));
        if (!t || !t->template_for_dispvms)
            return err_set(err, ERR_SYNTAX,
                    "qubes.d/%s.conf: default-dispvm: %s is no template of "
                    "disposables",
                    c->name, c->default_dispvm);
    }
    return 0;
}

int conf_qubes_parse(
        struct span bundle, struct conf_qubes *ret, struct err *err)
{
    struct bundle_iter it = bundle_iter_of(bundle);
    struct conf_qubes q = {0};
    struct bundle_file f;
    int rc = bundle_check(bundle, err);
    size_t n;

    if (rc < 0)
        return rc;
    n = bundle_count(bundle);
    if (n > LIMIT_QUBES_MAX)
        return err_set(
                err, ERR_LIMIT, "qubes.d: more than %d qubes", LIMIT_QUBES_MAX);
    q.qubes = calloc(n ? n : 1, sizeof(*q.qubes));
    if (!q.qubes)
        return err_set(err, ERR_MEMORY, "qubes.d");
    while (rc == 0 && bundle_next(&it, &f))
        rc = add_qube(&q, &f, err);
    if (rc == 0)
        rc = check_dispvms(&q, err);
    if (rc < 0) {
        conf_qubes_fini(&q);
        return rc;
    }
    *ret = q;
    return 0;
}

const struct conf_qube *conf_qube_find(
        const struct conf_qubes *q, struct span name)
{
    for (size_t i = 0; i < q->count; i++) {
        if (span_eq_str(name, q->qubes[i].name))
            return &q->qubes[i];
    }
    return NULL;
}

const struct conf_qube *conf_qube_find_remote(
        const struct conf_qubes *q, struct span zone, struct span remote_name)
{
    for (size_t i = 0; i < q->count; i++) {
        const struct conf_qube *c = &q->qubes[i];

        if (c->type == CONF_REMOTEVM && span_eq_str(zone, c->zone) &&
                span_eq_str(remote_name, c->remote_name))
            return c;
    }
    return NULL;
}
