/* SPDX-License-Identifier: Apache-2.0 */
/* The table of qubes, copied and sorted by name and by uuid. */
#include "policy_int.h"

#include <stdlib.h>

#define QUBE_NAME_MAX  63 /* qrexec's name fields are 64 bytes with NUL */
#define QUBE_VALUE_MAX 255

static int cmp_name(const void *a, const void *b)
{
    return policy_name_cmp((*(const struct policy_qube *const *)a)->name,
            (*(const struct policy_qube *const *)b)->name);
}

static int cmp_uuid(const void *a, const void *b)
{
    return policy_name_cmp((*(const struct policy_qube *const *)a)->uuid,
            (*(const struct policy_qube *const *)b)->uuid);
}

static bool is_qube_name(struct span s)
{
    if (s.len == 0 || s.len > QUBE_NAME_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
                !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-')
            return false;
    }
    return true;
}

/* The text fields of a qube that are copied as they are. */
static const size_t values[] = {
        offsetof(struct policy_qube, name),
        offsetof(struct policy_qube, uuid),
        offsetof(struct policy_qube, type),
        offsetof(struct policy_qube, default_dispvm),
        offsetof(struct policy_qube, guivm),
        offsetof(struct policy_qube, relayvm),
        offsetof(struct policy_qube, transport_rpc),
        offsetof(struct policy_qube, zone),
        offsetof(struct policy_qube, remote_name),
};

static int copy_value(struct policy_system *s, const struct policy_qube *q,
        struct span *value, struct err *err)
{
    if (value->len > QUBE_VALUE_MAX)
        return err_set(err, ERR_LIMIT, "qube '%.*s': a value is over %d bytes",
                (int)q->name.len, q->name.ptr, QUBE_VALUE_MAX);
    if (!policy_arena_copy(&s->arena, *value, value))
        return err_set(err, ERR_MEMORY, "out of memory");
    return 0;
}

static int copy_tags(
        struct policy_system *s, struct policy_qube *q, struct err *err)
{
    struct span *tags;
    int ret = 0;

    if (q->n_tags > POLICY_TAGS_MAX)
        return err_set(err, ERR_LIMIT, "qube '%.*s' has over %d tags",
                (int)q->name.len, q->name.ptr, POLICY_TAGS_MAX);
    tags = policy_arena_new(&s->arena, q->n_tags * sizeof(*tags));
    if (!tags)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < q->n_tags && ret == 0; i++) {
        tags[i] = q->tags[i];
        ret = copy_value(s, q, &tags[i], err);
    }
    q->tags = tags;
    return ret;
}

static int copy_qube(struct policy_system *s, const struct policy_qube *from,
        struct err *err)
{
    struct policy_qube *q = &s->qubes[s->n_qubes];
    int ret = 0;

    if (!is_qube_name(from->name)) {
        char name[48];

        text_format_safe(from->name, name, sizeof(name));
        return err_set(err, ERR_SYNTAX, "'%s' is no name of a qube", name);
    }
    *q = *from;
    for (size_t i = 0; i < ARRAY_LEN(values) && ret == 0; i++)
        ret = copy_value(s, from,
                (struct span *)(void *)((uint8_t *)q + values[i]), err);
    if (ret == 0)
        ret = copy_tags(s, q, err);
    if (ret < 0)
        return ret;
    if (span_eq_str(q->name, "dom0"))
        s->dom0 = q;
    else if (span_eq_str(q->type, "AdminVM") ||
             span_eq_str(q->uuid, POLICY_UUID_DOM0))
        return err_set(err, ERR_SYNTAX, "qube '%.*s' pretends to be dom0",
                (int)q->name.len, q->name.ptr);
    s->n_qubes++;
    return 0;
}

static int sort_qubes(struct policy_system *s, struct err *err)
{
    size_t n = s->n_qubes;

    s->by_name = policy_arena_new(&s->arena, n * sizeof(*s->by_name));
    s->by_uuid = policy_arena_new(&s->arena, n * sizeof(*s->by_uuid));
    if (!s->by_name || !s->by_uuid)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        s->by_name[i] = s->by_uuid[i] = &s->qubes[i];
    qsort(s->by_name, n, sizeof(*s->by_name), cmp_name);
    qsort(s->by_uuid, n, sizeof(*s->by_uuid), cmp_uuid);
    for (size_t i = 1; i < n; i++) {
        const struct policy_qube *q = s->by_name[i], *u = s->by_uuid[i];

        if (span_eq(q->name, s->by_name[i - 1]->name))
            return err_set(err, ERR_EXISTS, "two qubes are named '%.*s'",
                    (int)q->name.len, q->name.ptr);
        if (u->uuid.len && span_eq(u->uuid, s->by_uuid[i - 1]->uuid))
            return err_set(err, ERR_EXISTS, "qube '%.*s': uuid is taken",
                    (int)u->name.len, u->name.ptr);
    }
    return 0;
}

static int system_fill(struct policy_system *s, const struct policy_qube *qubes,
        size_t n, struct err *err)
{
    const struct policy_qube dom0 = {.name = span_str("dom0"),
            .uuid = span_str(POLICY_UUID_DOM0),
            .type = span_str("AdminVM"),
            .running = true};
    int ret;

    if (n > LIMIT_QUBES_MAX)
        return err_set(err, ERR_LIMIT, "over %d qubes", LIMIT_QUBES_MAX);
    s->qubes = policy_arena_new(&s->arena, (n + 1) * sizeof(*s->qubes));
    if (!s->qubes)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        ret = copy_qube(s, &qubes[i], err);
        if (ret < 0)
            return ret;
    }
    if (!s->dom0) {
        ret = copy_qube(s, &dom0, err);
        if (ret < 0)
            return ret;
    }
    return sort_qubes(s, err);
}

int policy_system_new(const struct policy_qube *qubes, size_t n,
        struct policy_system **ret, struct err *err)
{
    CLEANUP(policy_system_free_ptr)
    struct policy_system *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return err_set(err, ERR_MEMORY, "out of memory");
    r = system_fill(s, qubes, n, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

void policy_system_free(struct policy_system *s)
{
    if (!s)
        return;
    policy_arena_fini(&s->arena);
    free(s);
}

void policy_system_free_ptr(struct policy_system **s)
{
    policy_system_free(*s);
}

static const struct policy_qube *search(const struct policy_qube **sorted,
        size_t n, const struct policy_qube *key,
        int (*cmp)(const void *, const void *))
{
    const struct policy_qube **found =
            bsearch(&key, sorted, n, sizeof(*sorted), cmp);

    return found ? *found : NULL;
}

const struct policy_qube *policy_system_find(
        const struct policy_system *s, struct span name)
{
    const size_t n = strlen(POLICY_UUID_PREFIX);
    struct policy_token t;

    if (!policy_token_parse(name, POLICY_PLACE_REQUEST, &t))
        return NULL;
    if (t.kind == POLICY_TOKEN_ADMINVM)
        return s->dom0;
    if (t.kind != POLICY_TOKEN_NAME)
        return NULL;
    if (name.len > n && memcmp(name.ptr, POLICY_UUID_PREFIX, n) == 0)
        return search(s->by_uuid, s->n_qubes,
                &(struct policy_qube){.uuid = SPAN(name.ptr + n, name.len - n)},
                cmp_uuid);
    return search(s->by_name, s->n_qubes, &(struct policy_qube){.name = name},
            cmp_name);
}

bool policy_qube_has_tag(const struct policy_qube *q, struct span tag)
{
    for (size_t i = 0; i < q->n_tags; i++) {
        if (span_eq(q->tags[i], tag))
            return true;
    }
    return false;
}

size_t policy_system_qubes(
        const struct policy_system *s, const struct policy_qube **ret)
{
    *ret = s->qubes;
    return s->n_qubes;
}
