/* SPDX-License-Identifier: Apache-2.0 */
/* A zone's own files: the bundle of its policy, the table of its qubes. */
#include "policy_int.h"

#include "buf.h"
#include "bundle.h"

#include <stdlib.h>

int policy_new_from_bundle(
        struct span bundle, struct policy **ret, struct err *err)
{
    struct bundle_iter it = bundle_iter_of(bundle);
    CLEANUP(buf_free_ptr) struct policy_file *list = NULL;
    struct policy_files files = {.of_zone = true};
    struct bundle_file file;
    int r = bundle_check(bundle, err);

    if (r < 0)
        return r;
    list = calloc(bundle_count(bundle) + 1, sizeof(*list));
    if (!list)
        return err_set(err, ERR_MEMORY, "out of memory");
    while (bundle_next(&it, &file))
        list[files.n_files++] =
                (struct policy_file){.name = file.name, .text = file.content};
    files.files = list;
    return policy_new(&files, ret, err);
}

/* The words of a list, at most POLICY_TAGS_MAX + 1: too many shows. */
static size_t split_list(const char *list, struct span *ret)
{
    struct span rest = span_str(list);
    size_t n = 0;

    while (n <= POLICY_TAGS_MAX && text_next_word(&rest, &ret[n]))
        n++;
    return n;
}

struct conf_tags {
    struct span tags[POLICY_TAGS_MAX + 1];
};

int policy_system_new_from_conf(const struct conf_qubes *qubes,
        struct policy_system **ret, struct err *err)
{
    CLEANUP(buf_free_ptr)
    struct policy_qube *list = calloc(qubes->count + 1, sizeof(*list));
    CLEANUP(buf_free_ptr)
    struct conf_tags *tags = calloc(qubes->count + 1, sizeof(*tags));

    if (!list || !tags)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < qubes->count; i++) {
        const struct conf_qube *q = &qubes->qubes[i];
        bool remote = q->type == CONF_REMOTEVM;

        list[i] = (struct policy_qube){.name = span_str(q->name),
                .type = span_str(remote ? "RemoteVM" : "AppVM"),
                .tags = tags[i].tags,
                .n_tags = split_list(q->tags, tags[i].tags),
                .running = true,
                .guivm = span_str(q->guivm),
                .template_for_dispvms = q->template_for_dispvms,
                .default_dispvm = span_str(q->default_dispvm),
                .zone = span_str(q->zone),
                .remote_name = span_str(q->remote_name)};
    }
    return policy_system_new(list, qubes->count, ret, err);
}
