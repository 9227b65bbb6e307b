/* SPDX-License-Identifier: Apache-2.0 */
/* What qubesd says of the qubes of this host: internal.GetSystemInfo. */
#ifndef QAIR_QUBES_POLICY_INFO_H
#define QAIR_QUBES_POLICY_INFO_H

#include "policy.h"

#include <jansson.h>

/* JSON of LIMIT_QUBES_MAX qubes with all their tags. */
#define INFO_MAX (16u << 20)

struct info {
    struct policy_system *system;
    json_t *domains; /* for icons */
};

/*
 * Of a RemoteVM, Qubes says neither whether it can be reached nor who can be
 * asked about its calls (qubes-issues 10913): it runs when its relay runs, and
 * has its relay's GuiVM when it has none.
 */
int info_parse(struct span json, struct info **ret, struct err *err) MUST_CHECK;
void info_free(struct info *i);
void info_free_ptr(struct info **i);
/* Name -> icon, "@dispvm:NAME" too, as policy.Ask wants it; a new reference. */
json_t *info_icons(const struct info *i) MUST_CHECK;

#endif
