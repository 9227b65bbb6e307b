/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the folders, and what their rules include.  Each thing is watched
 * before it is looked at.
 */
#include "policytree_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files -------------------------------------------------------------- */

/*
 * A file that somebody has open for writing may be half written, and nothing
 * tells until the other half comes.  A read lease cannot be had then, and as
 * long as it is held nobody opens the file for writing.  Where there are no
 * leases, the event of the last write makes the next load right.
 */
static int lease(int fd, const char *path, struct err *err)
{
    /* The signal of a lease that is broken: SIGURG is ignored, SIGIO kills. */
    if (fcntl(fd, F_SETSIG, SIGURG) == 0 &&
            fcntl(fd, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN)
        return err_set(err, ERR_STATE, "'%s' is being written", path);
    return 0;
}

static int read_text(const char *path, struct buf *b, struct err *err)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    ssize_t n = 0;
    uint8_t *room;

    if (fd < 0 && errno == ENXIO) /* a socket, a device */
        return err_set(err, ERR_NOT_FOUND, "not a file: '%s'", path);
    if (fd < 0)
        return err_errno(err, "cannot read '%s'", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return err_set(err, ERR_NOT_FOUND, "not a file: '%s'", path);
    }
    if (lease(fd, path, err) < 0) {
        (void)close(fd);
        return ERR_STATE;
    }
    /* One byte over the limit is enough for the parser to refuse. */
    while ((room = buf_reserve(b, 16384)) != NULL) {
        n = read(fd, room, 16384);
        if (n <= 0)
            break;
        buf_commit(b, (size_t)n);
    }
    if (n < 0)
        (void)err_errno(err, "cannot read '%s'", path);
    (void)close(fd);
    if (!room)
        return err_set(err, ERR_LIMIT, "'%s' is over %u bytes", path,
                LIMIT_CONF_FILE_MAX);
    return n < 0 ? ERR_IO : 0;
}

static int add_file(struct policytree_reader *rd, struct policytree_file **ret,
        struct err *err)
{
    struct policytree_file *f = NULL;

    if (rd->n_files >= LIMIT_BUNDLE_FILES_MAX)
        return err_set(
                err, ERR_LIMIT, "over %d policy files", LIMIT_BUNDLE_FILES_MAX);
    if (rd->n_files == rd->cap_files) {
        size_t cap = rd->cap_files ? 2 * rd->cap_files : 32;
        struct policytree_file **more =
                reallocarray(rd->files, cap, sizeof(struct policytree_file *));

        if (!more)
            return err_set(err, ERR_MEMORY, "out of memory");
        rd->files = more;
        rd->cap_files = cap;
    }
    f = calloc(1, sizeof(*f));
    if (!f)
        return err_set(err, ERR_MEMORY, "out of memory");
    f->text = BUF_INIT(LIMIT_CONF_FILE_MAX + 16384);
    rd->files[rd->n_files++] = *ret = f;
    return 0;
}

static bool is_changed(const struct policytree_reader *rd, const char *path)
{
    return rd->change && !strcmp(rd->change->path, path);
}

/* root: a folder's number, or POLICY_ROOT_COMPAT. */
static const char *folder_of(const struct policytree_reader *rd, unsigned root)
{
    return rd->folders[root == POLICY_ROOT_COMPAT ? rd->n_folders : root];
}

static int read_path(struct policytree_reader *rd, const char *path,
        struct buf *b, struct err *err)
{
    char canonical[PATH_MAX];
    int r;

    if (is_changed(rd, path)) {
        if (rd->change->removed)
            return err_set(err, ERR_NOT_FOUND, "no such file: '%s'", path);
        buf_append(b, rd->change->text);
        return buf_ok(b, err);
    }
    r = policytree_path_resolve(rd, path, false, canonical, err);
    return r < 0 ? r : read_text(canonical, b, err);
}

/*
 * The name that the parser knows it by, and, where another file may have that
 * name too, the whole path as the label that a person sees.
 */
static void set_name(
        const struct policytree_reader *rd, struct policytree_file *f)
{
    unsigned root = f->file.root;
    const char *name = policytree_path_below(f->path, folder_of(rd, root));

    f->file.name = span_str(name ? name : f->path);
    if (root == POLICY_ROOT_COMPAT ||
            (name && strchr(name, '/') && root + 1 < rd->n_folders))
        f->file.label = span_str(f->path);
}

/*
 * The file at path (absolute, simplified), read once.
 * ERR_NOT_FOUND: there is none, or it is no regular file.
 */
static int get_file(struct policytree_reader *rd, unsigned root,
        const char *path, const struct policy_file **ret, struct err *err)
{
    struct policytree_file *f = NULL;
    int r;

    for (size_t i = 0; i < rd->n_files; i++) {
        if (!strcmp(rd->files[i]->path, path)) {
            *ret = &rd->files[i]->file;
            return 0;
        }
    }
    r = add_file(rd, &f, err);
    if (r < 0)
        return r;
    r = read_path(rd, path, &f->text, err);
    if (r < 0) {
        rd->n_files--;
        buf_fini(&f->text);
        free(f);
        return r;
    }
    rd->bytes += f->text.len;
    if (rd->bytes > LIMIT_POLICY_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "policy files add up to over %u bytes",
                LIMIT_POLICY_BYTES_MAX);
    (void)snprintf(f->path, sizeof(f->path), "%s", path);
    f->file = (struct policy_file){.text = buf_span(&f->text), .root = root};
    set_name(rd, f);
    *ret = &f->file;
    return 0;
}

/* ---- folders ------------------------------------------------------------ */

static struct policytree_list *add_list(struct policytree_reader *rd)
{
    struct policytree_list *l = calloc(1, sizeof(*l));

    if (l) {
        l->next = rd->lists;
        rd->lists = l;
    }
    return l;
}

static bool has_base(const struct policytree_list *l, const char *base)
{
    for (size_t i = 0; i < l->n; i++) {
        struct span name = l->files[i]->name;
        size_t n = strlen(base);

        if (name.len >= n && !memcmp(name.ptr + name.len - n, base, n) &&
                (name.len == n || name.ptr[name.len - n - 1] == '/'))
            return true;
    }
    return false;
}

static int append(struct policytree_list *l, const struct policy_file *file,
        struct err *err)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 32;
        const struct policy_file **more =
                reallocarray(l->files, cap, sizeof(struct policy_file *));

        if (!more)
            return err_set(err, ERR_MEMORY, "out of memory");
        l->files = more;
        l->cap = cap;
    }
    l->files[l->n++] = file;
    return 0;
}

/* Names the parser would not take are not read: who knows what they are. */
static bool is_wanted(unsigned root, const char *base)
{
    size_t n = strlen(base);

    if (base[0] == '.')
        return false;
    return root == POLICY_ROOT_COMPAT ||
           (n > 7 && !strcmp(base + n - 7, ".policy"));
}

static int add_entry(struct policytree_reader *rd, unsigned root,
        const char *folder, const char *base, struct policytree_list *l,
        struct err *err)
{
    const struct policy_file *file = NULL;
    char path[PATH_MAX];
    int r;

    if (!is_wanted(root, base) || has_base(l, base))
        return 0;
    r = policytree_path_join(folder, span_str(base), path, err);
    if (r == 0)
        r = get_file(rd, root, path, &file, err);
    if (r == ERR_NOT_FOUND) /* as Qubes: a dangling link, a folder, a FIFO */
        return 0;
    return r < 0 ? r : append(l, file, err);
}

/* All wanted files of a folder that no earlier one in the list hides. */
static int read_folder(struct policytree_reader *rd, unsigned root,
        const char *folder, struct policytree_list *l, struct err *err)
{
    const char *added =
            rd->change ? policytree_path_below(rd->change->path, folder) : NULL;
    char canonical[PATH_MAX];
    struct dirent *e;
    DIR *dir;
    int r = policytree_path_resolve(rd, folder, true, canonical, err);

    if (r == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "no folder '%s'", folder);
    if (r < 0)
        return r;
    dir = opendir(canonical);
    if (!dir)
        return err_errno(err, "cannot read folder '%s'", folder);
    errno = 0;
    while (r == 0 && (e = readdir(dir))) {
        r = add_entry(rd, root, folder, e->d_name, l, err);
        errno = 0;
    }
    if (r == 0 && errno)
        r = err_errno(err, "cannot read folder '%s'", folder);
    (void)closedir(dir);
    if (r == 0 && added && !strchr(added, '/'))
        r = add_entry(rd, root, folder, added, l, err);
    return r;
}

/* ---- for the parser ----------------------------------------------------- */

static int find_file(void *ctx, unsigned root, struct span path,
        const struct policy_file **ret, struct err *err)
{
    struct policytree_reader *rd = ctx;
    char full[PATH_MAX];
    int r = policytree_path_join(folder_of(rd, root), path, full, err);

    return r < 0 ? r : get_file(rd, root, full, ret, err);
}

static int find_dir(void *ctx, unsigned root, struct span path,
        const struct policy_file *const **ret, size_t *ret_n, struct err *err)
{
    struct policytree_reader *rd = ctx;
    struct policytree_list *l = add_list(rd);
    char full[PATH_MAX];
    int r;

    if (!l)
        return err_set(err, ERR_MEMORY, "out of memory");
    r = policytree_path_join(folder_of(rd, root), path, full, err);
    if (r == 0)
        r = read_folder(rd, root, full, l, err);
    if (r < 0)
        return r;
    *ret = l->files;
    *ret_n = l->n;
    return 0;
}

/* The parser wants its files side by side. */
static struct policy_file *flatten(const struct policytree_list *l)
{
    struct policy_file *v = calloc(l->n + 1, sizeof(*v));

    for (size_t i = 0; v && i < l->n; i++)
        v[i] = *l->files[i];
    return v;
}

static int parse(struct policytree_reader *rd,
        const struct policytree_list *top, const struct policytree_list *compat,
        const char *no_compat, struct policy **ret, struct err *err)
{
    CLEANUP(buf_free_ptr) struct policy_file *files = flatten(top);
    CLEANUP(buf_free_ptr) struct policy_file *legacy = flatten(compat);
    const struct policy_finder finder = {
            .ctx = rd, .file = find_file, .dir = find_dir};
    const struct policy_files all = {.files = files,
            .n_files = top->n,
            .compat = legacy,
            .n_compat = compat->n,
            .no_compat = no_compat,
            .finder = &finder};

    if (!files || !legacy)
        return err_set(err, ERR_MEMORY, "out of memory");
    return policy_new(&all, ret, err);
}

static int read_all(
        struct policytree_reader *rd, struct policy **ret, struct err *err)
{
    struct policytree_list *top = add_list(rd), *compat = add_list(rd);
    struct err no_compat = {.code = 0};
    int r = 0;

    if (!top || !compat)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (unsigned i = 0; i < rd->n_folders && r == 0; i++)
        r = read_folder(rd, i, rd->folders[i], top, err);
    if (r < 0)
        return r;
    r = read_folder(rd, POLICY_ROOT_COMPAT, rd->folders[rd->n_folders], compat,
            &no_compat);
    if (r == ERR_MEMORY || r == ERR_STATE)
        return err_set(err, r, "%s", no_compat.msg);
    return parse(rd, top, compat, r < 0 ? no_compat.msg : NULL, ret, err);
}

static void reader_fini(struct policytree_reader *rd)
{
    for (size_t i = 0; i < rd->n_files; i++) {
        buf_fini(&rd->files[i]->text);
        free(rd->files[i]);
    }
    while (rd->lists) {
        struct policytree_list *l = rd->lists;

        rd->lists = l->next;
        free(l->files);
        free(l);
    }
    free(rd->files);
    free(rd);
}

static int set_folder(struct policytree_reader *rd, size_t i, const char *path,
        struct err *err)
{
    char here[PATH_MAX];

    if (path[0] != '/' && !getcwd(here, sizeof(here)))
        return err_errno(err, "cannot tell the current folder");
    return policytree_path_join(
            path[0] == '/' ? "" : here, span_str(path), rd->folders[i], err);
}

int policytree_read(const struct policytree_paths *paths,
        const struct policytree_change *change, struct policytree_watch *watch,
        struct policy **ret, size_t *ret_n_files, struct err *err)
{
    struct policytree_reader *rd = calloc(1, sizeof(*rd));
    int r = 0;

    if (!rd)
        return err_set(err, ERR_MEMORY, "out of memory");
    rd->n_folders = paths->n_folders;
    rd->change = change;
    rd->watch = watch;
    for (size_t i = 0; i < paths->n_folders && r == 0; i++)
        r = set_folder(rd, i, paths->folders[i], err);
    if (r == 0)
        r = set_folder(rd, paths->n_folders, paths->compat, err);
    if (r == 0)
        r = read_all(rd, ret, err);
    *ret_n_files = rd->n_files;
    reader_fini(rd);
    return r;
}
