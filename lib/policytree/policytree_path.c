/* SPDX-License-Identifier: Apache-2.0 */
/* Where a path leads, and whether it may lead there. */
#include "policytree_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int policytree_path_join(const char *base, struct span path,
        char ret[static PATH_MAX], struct err *err)
{
    char text[PATH_MAX], *save = NULL;
    size_t len = 0;
    bool absolute = path.len > 0 && path.ptr[0] == '/';
    int n = snprintf(text, sizeof(text), "%s/%.*s", absolute ? "" : base,
            (int)path.len, path.ptr);

    if (n < 0 || (size_t)n >= sizeof(text))
        return err_set(err, ERR_LIMIT, "a path is over %d bytes", PATH_MAX - 1);
    ret[0] = '\0';
    for (char *part = strtok_r(text, "/", &save); part;
            part = strtok_r(NULL, "/", &save)) {
        if (!strcmp(part, "."))
            continue;
        if (!strcmp(part, "..")) {
            while (len > 0 && ret[--len] != '/')
                ;
            ret[len] = '\0';
            continue;
        }
        /* No longer than text was: it fits. */
        len += (size_t)snprintf(ret + len, PATH_MAX - len, "/%s", part);
    }
    if (len == 0)
        (void)snprintf(ret, PATH_MAX, "/");
    return 0;
}

const char *policytree_path_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1
                                                           : NULL;
}

static bool is_inside(const struct policytree_reader *rd, const char *path)
{
    for (size_t i = 0; i <= rd->n_folders; i++) {
        if (policytree_path_below(path, rd->folders[i]) ||
                !strcmp(path, rd->folders[i]))
            return true;
    }
    return false;
}

static bool is_inside_canonical(
        const struct policytree_reader *rd, const char *canonical)
{
    char folder[PATH_MAX];

    for (size_t i = 0; i <= rd->n_folders; i++) {
        if (realpath(rd->folders[i], folder) &&
                (policytree_path_below(canonical, folder) ||
                        !strcmp(canonical, folder)))
            return true;
    }
    return false;
}

int policytree_path_resolve(struct policytree_reader *rd, const char *path,
        bool whole, char ret[static PATH_MAX], struct err *err)
{
    int r = policytree_watch_add(rd->watch, path, whole, err);

    if (r < 0)
        return r;
    if (!realpath(path, ret))
        return errno == ENOENT || errno == ENOTDIR
                       ? err_set(err, ERR_NOT_FOUND, "no such file: '%s'", path)
                       : err_errno(err, "cannot read '%s'", path);
    if (!strcmp(path, ret))
        return 0;
    if (is_inside(rd, path) && !is_inside_canonical(rd, ret))
        return err_set(err, ERR_DENIED,
                "'%s' is a link that leads out of the policy folders", path);
    return policytree_watch_add(rd->watch, ret, whole, err);
}
