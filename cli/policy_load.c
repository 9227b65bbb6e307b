/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_load.h"

#include "bundle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Which files of a folder are taken. */
static bool is_policy(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return e->d_name[0] != '.' && n > 7 &&
           strcmp(e->d_name + n - 7, ".policy") == 0;
}

static bool is_conf(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return e->d_name[0] != '.' && n > 5 &&
           strcmp(e->d_name + n - 5, ".conf") == 0;
}

static bool is_include(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

struct names {
    char **names;
    size_t n;
};

static void names_fini(struct names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->names[i]);
    free(l->names);
}

static int names_add(struct names *l, const char *prefix, const char *name)
{
    char **more = reallocarray(l->names, l->n + 1, sizeof(*more));

    if (!more)
        return ERR_MEMORY;
    l->names = more;
    if (asprintf(&more[l->n], "%s%s", prefix, name) < 0)
        return ERR_MEMORY;
    l->n++;
    return 0;
}

static void close_dir(DIR **d)
{
    if (*d)
        (void)closedir(*d);
}

/* The folder's files by name; a folder that is absent has none. */
static int list_folder(int dirfd, const char *path, const char *prefix,
        bool (*take)(const struct dirent *e), struct names *l, struct err *err)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(close_dir) DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, "%s", path);
    if (!d)
        return err_errno(err, "%s", path);
    while ((e = readdir(d))) {
        if (take(e) && names_add(l, prefix, e->d_name) < 0)
            return err_set(err, ERR_MEMORY, "out of memory");
    }
    return 0;
}

static int cmp_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int put_files(
        int dirfd, struct names *l, struct buf *ret, struct err *err)
{
    struct bundle_writer w = {.out = ret};
    int r = 0;

    qsort(l->names, l->n, sizeof(*l->names), cmp_names);
    for (size_t i = 0; i < l->n && r == 0; i++) {
        CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_CONF_FILE_MAX);
        struct bundle_file file = {.name = span_str(l->names[i])};

        r = buf_load(&text, dirfd, l->names[i], err);
        file.content = buf_span(&text);
        if (r == 0)
            r = bundle_put(&w, &file, err);
    }
    return r;
}

static int open_folder(const char *dir, int *ret, struct err *err)
{
    *ret = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret < 0 ? err_errno(err, "%s", dir) : 0;
}

int policy_load_bundle(const char *dir, struct buf *ret, struct err *err)
{
    CLEANUP(buf_close_fd) int fd = -1;
    CLEANUP(names_fini) struct names l = {0};
    int r = open_folder(dir, &fd, err);

    if (r == 0)
        r = list_folder(fd, ".", "", is_policy, &l, err);
    if (r == 0)
        r = list_folder(fd, "include", "include/", is_include, &l, err);
    return r < 0 ? r : put_files(fd, &l, ret, err);
}

int policy_load_system(
        const char *zone_dir, struct policy_system **ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf bundle = BUF_INIT(LIMIT_BUNDLE_MAX);
    CLEANUP(conf_qubes_fini) struct conf_qubes qubes = {0};
    CLEANUP(buf_close_fd) int zone = -1;
    CLEANUP(buf_close_fd) int fd = -1;
    CLEANUP(names_fini) struct names l = {0};
    int r = open_folder(zone_dir, &zone, err);

    if (r < 0)
        return r;
    fd = openat(zone, "qubes.d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "%s/qubes.d", zone_dir);
    r = list_folder(fd, ".", "", is_conf, &l, err);
    if (r == 0)
        r = put_files(fd, &l, &bundle, err);
    if (r == 0)
        r = conf_qubes_parse(buf_span(&bundle), &qubes, err);
    return r < 0 ? r : policy_system_new_from_conf(&qubes, ret, err);
}
