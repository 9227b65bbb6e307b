/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static const char *const folders[] = {
        "zones", "keys", "references", "rules", "values"};

int pack_load_owner(const char *path, struct crypto_pub **ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf pem = BUF_INIT(LIMIT_CONF_LINE_MAX);
    int rc = buf_load(&pem, AT_FDCWD, path, err);
    struct crypto_pub *k;

    if (rc)
        return rc;
    k = crypto_pub_from_pem(buf_span(&pem));
    if (!k)
        return err_set(err, ERR_SYNTAX, "%s: not a public key in PEM", path);
    *ret = k;
    return 0;
}

struct loading {
    struct pack *pack;
    const char *folder;
    const char *skip; /* "keys/release.json" */
};

static bool is_entry(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > 5 && strcmp(name + len - 5, ".json") == 0;
}

/* One file of the pack under the name that it has there. */
static int add_file(int dirfd, const char *file, void *ctx, struct err *err)
{
    const struct loading *l = ctx;
    CLEANUP(buf_fini) struct buf bytes = BUF_INIT(LIMIT_CONF_FILE_MAX);
    char name[512];
    int n = snprintf(name, sizeof(name), "%s/%s", l->folder, file), rc;

    if (!is_entry(file))
        return 0;
    if (n < 0 || (size_t)n >= sizeof(name))
        return err_set(err, ERR_LIMIT, "name of a file is too long");
    if (l->skip && strcmp(name, l->skip) == 0)
        return 0;
    rc = buf_load(&bytes, dirfd, file, err);
    return rc ? rc : pack_add(l->pack, span_str(name), buf_span(&bytes), err);
}

static int add_folder(const char *dir, struct loading *l, struct err *err)
{
    CLEANUP(buf_close_fd) int fd = -1;
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, l->folder);

    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, ERR_LIMIT, "name of the pack is too long");
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0; /* a pack without keys is a pack */
    if (fd < 0)
        return err_errno(err, "%s", path);
    return err_prefix(
            err, buf_each_entry(fd, add_file, l, err), "%s", l->folder);
}

int pack_load_files(const char *dir, const struct crypto_pub *owner,
        const char *skip, struct pack **ret, struct err *err)
{
    CLEANUP(pack_free_ptr) struct pack *p = pack_new(owner);
    int rc = p ? 0 : err_set(err, ERR_MEMORY, "out of memory");

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(folders); i++) {
        struct loading l = {p, folders[i], skip};

        rc = add_folder(dir, &l, err);
    }
    if (rc)
        return err_prefix(err, rc, "pack %s", dir);
    *ret = TAKE_PTR(p);
    return 0;
}

int pack_load_folder(const char *dir, const struct crypto_pub *owner,
        struct pack **ret, struct err *err)
{
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    const struct pack_zone *zones;
    int rc = pack_load_files(dir, owner, NULL, &p, err);

    if (rc)
        return rc;
    rc = pack_check(p, err);
    if (rc)
        return err_prefix(err, rc, "pack %s", dir);
    if (pack_zones(p, &zones) == 0)
        return err_set(err, ERR_NOT_FOUND, "no zones/*.json in pack %s", dir);
    *ret = TAKE_PTR(p);
    return 0;
}

int pack_load_owner_for(const char *owner, const char *pack,
        struct crypto_pub **ret, struct err *err)
{
    char path[4096];
    int n;

    if (owner)
        return pack_load_owner(owner, ret, err);
    n = snprintf(path, sizeof(path), "%s/owner.pub", pack);
    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, ERR_LIMIT, "name of the pack is too long");
    (void)fprintf(stderr,
            "qair: owner's key taken from the pack itself; --owner FILE names "
            "a trusted one\n");
    return pack_load_owner(path, ret, err);
}
