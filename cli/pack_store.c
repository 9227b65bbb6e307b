/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_store.h"

#include "pack_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_PEM_MAX 4096

static int path_of(char *ret, const char *dir, const char *a, const char *b,
        const char *ending, struct err *err)
{
    int n = snprintf(ret, PACK_STORE_PATH, "%s/%s%s%s%s", dir, a, *b ? "/" : "",
            b, ending);

    return n > 0 && n < PACK_STORE_PATH
                   ? 0
                   : err_set(err, ERR_LIMIT, "name of %s is too long", dir);
}

static int make_dir(const char *path, mode_t mode, struct err *err)
{
    return mkdir(path, mode) == 0 || errno == EEXIST
                   ? 0
                   : err_errno(err, "make %s", path);
}

static int make_folders(const char *dir, struct err *err)
{
    static const struct {
        const char *name;
        mode_t mode;
    } folders[] = {
            {"", 0700},
            {"pack", 0755},
            {"pack/zones", 0755},
            {"pack/keys", 0755},
            {"pack/references", 0755},
            {"pack/rules", 0755},
            {"pack/values", 0755},
    };
    char path[PACK_STORE_PATH];
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_LEN(folders); i++) {
        r = path_of(path, dir, folders[i].name, "", "", err);
        if (r == 0)
            r = make_dir(path, folders[i].mode, err);
    }
    return r;
}

/* Never over a key that is there: what it signed would be lost with it. */
static int write_key(
        const char *path, const struct crypto_key *key, struct err *err)
{
    CLEANUP(buf_close_fd)
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    char pem[KEY_PEM_MAX];
    int r;

    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_EXISTS,
                "%s is there already; remove it, or take another folder", path);
    if (fd < 0)
        return err_errno(err, "make %s", path);
    r = crypto_key_private_pem(key, pem, sizeof(pem));
    if (r != 0)
        return err_set(err, r, "the owner's key cannot be written");
    r = buf_write_all(fd, span_str(pem), err);
    secret_wipe(pem, sizeof(pem));
    if (r == 0 && fsync(fd) < 0)
        r = err_errno(err, "write %s", path);
    return r;
}

static int write_pub(
        const char *path, const struct crypto_key *key, struct err *err)
{
    char pem[KEY_PEM_MAX];
    int r = crypto_pub_pem(crypto_key_pub(key), pem, sizeof(pem));

    return r == 0 ? buf_store(span_str(pem), AT_FDCWD, path, 0644, err)
                  : err_set(err, r, "the owner's key cannot be written");
}

int pack_store_init(const char *dir, struct err *err)
{
    CLEANUP(crypto_key_free_ptr)
    struct crypto_key *key = crypto_key_generate(CRYPTO_P256);
    char path[PACK_STORE_PATH];
    int r;

    if (!key)
        return err_set(err, ERR_CRYPTO, "no key could be made");
    r = make_folders(dir, err);
    if (r == 0)
        r = path_of(path, dir, "owner.key", "", "", err);
    if (r == 0)
        r = write_key(path, key, err);
    if (r == 0)
        r = path_of(path, dir, "pack/owner.pub", "", "", err);
    return r == 0 ? write_pub(path, key, err) : r;
}

int pack_store_owner(const char *path, struct crypto_key **ret, struct err *err)
{
    struct buf pem = BUF_INIT(KEY_PEM_MAX);
    struct crypto_key *key;
    struct stat st;
    int r;

    if (stat(path, &st) < 0)
        return err_errno(err, "owner's key %s", path);
    if (st.st_mode & 077)
        return err_set(err, ERR_DENIED,
                "others may read the owner's key: chmod 600 %s", path);
    r = buf_load(&pem, AT_FDCWD, path, err);
    if (r != 0)
        return r;
    key = crypto_key_from_private_pem(buf_span(&pem));
    secret_wipe(pem.ptr, pem.len);
    buf_fini(&pem);
    if (!key || crypto_pub_type(crypto_key_pub(key)) != CRYPTO_P256) {
        crypto_key_free(key);
        return err_set(err, ERR_SYNTAX, "%s is not a P-256 key in PEM", path);
    }
    *ret = key;
    return 0;
}

static int load(const char *dir, const struct crypto_key *owner,
        const char *skip, struct pack **ret, struct err *err)
{
    struct stat st;

    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_NOT_FOUND,
                "no folder %s; 'qair pack init' makes one", dir);
    return pack_load_files(dir, crypto_key_pub(owner), skip, ret, err);
}

int pack_store_load(const char *dir, const struct crypto_key *owner,
        struct pack **ret, struct err *err)
{
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    int r = load(dir, owner, NULL, &p, err);

    if (r == 0)
        r = pack_check(p, err);
    if (r == 0)
        *ret = TAKE_PTR(p);
    return r;
}

int pack_store_put(const char *dir, const struct crypto_key *owner,
        const char *folder, const char *name, struct span bytes,
        struct err *err)
{
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    char path[PACK_STORE_PATH], parent[PACK_STORE_PATH], file[300];
    int r = path_of(path, dir, folder, name, ".json", err);

    (void)snprintf(file, sizeof(file), "%s/%s.json", folder, name);
    if (r == 0)
        r = load(dir, owner, file, &p, err);
    if (r == 0)
        r = pack_add(p, span_str(file), bytes, err);
    if (r == 0)
        r = pack_check(p, err);
    if (r == 0)
        r = path_of(parent, dir, folder, "", "", err);
    if (r == 0)
        r = make_dir(parent, 0755, err); /* a pack from before there was one */
    return r == 0 ? buf_store(bytes, AT_FDCWD, path, 0644, err) : r;
}
