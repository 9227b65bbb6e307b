/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"

#include "crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_PREFIX "sha256:"
#define TOKEN_SIZE                                                             \
    (sizeof(TOKEN_PREFIX) - 1 + TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE))
#define NAME_CAP 300
/* Names of files that are being written end so, and begin so with upstream. */
#define TMP_SUFFIX ".tmp"
#define TMP_PREFIX '!'
/* As in Qubes: the group of the folder may write too. */
#define MODE 0664

struct call {
    const struct admin_request *q;
    const struct method *method;
    int dir;             /* of policy.d, locked */
    char name[NAME_CAP]; /* of the file, from there */
    struct buf *ret;
};

struct method {
    const char *service;
    bool include; /* about include/ */
    bool has_argument, has_payload;
    int (*run)(struct call *c, struct err *err);
};

/* ---- names -------------------------------------------------------------- */

static bool is_name_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '+' || c == '.' || c == '_' ||
           c == '-';
}

static bool ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), len = strlen(suffix);

    return n >= len && !strcmp(s + n - len, suffix);
}

/* Neither hidden, nor elsewhere, nor what a write leaves behind. */
static int check_argument(struct span arg, struct err *err)
{
    char safe[64];

    text_format_safe(arg, safe, sizeof(safe));
    if (arg.len == 0 || arg.len > LIMIT_SERVICE_NAME_MAX - 8)
        return err_set(err, ERR_SYNTAX, "No name of a file: '%s'", safe);
    for (size_t i = 0; i < arg.len; i++) {
        if (!is_name_char(arg.ptr[i]))
            return err_set(err, ERR_SYNTAX, "No name of a file: '%s'", safe);
    }
    if (arg.ptr[0] == '.')
        return err_set(err, ERR_SYNTAX,
                "Expecting a path inside the policy "
                "folder, not '%s'",
                safe);
    return 0;
}

static int set_name(struct call *c, struct err *err)
{
    struct span arg = c->q->argument;
    int r = check_argument(arg, err);

    if (r < 0)
        return r;
    (void)snprintf(c->name, sizeof(c->name), "%s%.*s%s",
            c->method->include ? "include/" : "", (int)arg.len, arg.ptr,
            c->method->include ? "" : ".policy");
    if (ends_with(c->name, TMP_SUFFIX))
        return err_set(err, ERR_SYNTAX,
                "Names with '" TMP_SUFFIX "' are for files being written");
    return 0;
}

/* ---- files -------------------------------------------------------------- */

/* ERR_NOT_FOUND when there is no such file. */
static int load(const struct call *c, struct buf *b, struct err *err)
{
    struct stat st;

    if (fstatat(c->dir, c->name, &st, 0) < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "Not found: %s", c->name);
    return buf_load(b, c->dir, c->name, err);
}

static void make_token(struct span content, char ret[static TOKEN_SIZE])
{
    uint8_t digest[CRYPTO_SHA256_SIZE];

    crypto_sha256(content, digest);
    memcpy(ret, TOKEN_PREFIX, sizeof(TOKEN_PREFIX));
    text_format_hex(SPAN_OF(digest), ret + sizeof(TOKEN_PREFIX) - 1);
}

/* The words of upstream's answers. */
static int check_token(const struct call *c, struct span token, struct err *err)
{
    CLEANUP(buf_fini) struct buf old = BUF_INIT(LIMIT_CONF_FILE_MAX);
    const size_t n = sizeof(TOKEN_PREFIX) - 1;
    char now[TOKEN_SIZE];
    int r;

    if (span_eq_str(token, "any"))
        return 0;
    if (!span_eq_str(token, "new") &&
            (token.len < n || memcmp(token.ptr, TOKEN_PREFIX, n) != 0))
        return err_set(err, ERR_SYNTAX, "Unrecognized token");
    r = load(c, &old, err);
    if (r < 0 && r != ERR_NOT_FOUND)
        return r;
    if (span_eq_str(token, "new"))
        return r == ERR_NOT_FOUND ? 0
                                  : err_set(err, ERR_EXISTS,
                                            "File exists but token is 'new'");
    if (r == ERR_NOT_FOUND)
        return err_set(
                err, ERR_MISMATCH, "File doesn't exist, but token isn't 'new'");
    make_token(buf_span(&old), now);
    return span_eq_str(token, now)
                   ? 0
                   : err_set(err, ERR_MISMATCH, "Token mismatch");
}

/* Reads the policy as it would be. */
static int validate(
        const struct call *c, bool removed, struct span text, struct err *err)
{
    CLEANUP(policytree_free_ptr) struct policytree *t = NULL;
    char folder[PATH_MAX], path[PATH_MAX + NAME_CAP];
    const struct policytree_change change = {
            .path = path, .removed = removed, .text = text};
    struct policytree_paths paths = c->q->paths;
    int r;

    if (!removed && !text_is_utf8(text))
        return err_set(err, ERR_SYNTAX,
                "Policy change validation failed: %s is not UTF-8 text",
                c->name);
    /* One spelling of the folder, so that the change meets its file. */
    if (!realpath(c->q->folder, folder))
        return err_errno(err, "%s", c->q->folder);
    for (size_t i = 0; i < paths.n_folders; i++) {
        if (!strcmp(paths.folders[i], c->q->folder))
            paths.folders[i] = folder;
    }
    (void)snprintf(path, sizeof(path), "%s/%s", folder, c->name);
    r = policytree_load(&paths, &change, false, &t, err);
    if (r < 0)
        return r;
    return t->error.code ? err_set(err, ERR_SYNTAX,
                                   "Policy change validation failed: %.160s",
                                   t->error.msg)
                         : 0;
}

/* ---- methods ------------------------------------------------------------ */

struct names {
    bool include;
    size_t n;
    char **list;
};

static void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->list[i]);
    free(names->list);
}

static int add_name(int dir, const char *name, void *ctx, struct err *err)
{
    struct names *names = ctx;
    size_t len = strlen(name);
    char **more;
    struct stat st;

    if (!names->include && !ends_with(name, ".policy"))
        return 0;
    if (name[0] == '.' || name[0] == TMP_PREFIX ||
            ends_with(name, TMP_SUFFIX) || fstatat(dir, name, &st, 0) < 0 ||
            !S_ISREG(st.st_mode))
        return 0;
    more = reallocarray(names->list, names->n + 1, sizeof(*more));
    if (!more)
        return err_set(err, ERR_MEMORY, "out of memory");
    names->list = more;
    names->list[names->n] =
            strndup(name, names->include ? len : len - strlen(".policy"));
    return names->list[names->n++] ? 0
                                   : err_set(err, ERR_MEMORY, "out of memory");
}

static int cmp_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int run_list(struct call *c, struct err *err)
{
    CLEANUP(names_fini) struct names names = {.include = c->method->include};
    CLEANUP(buf_close_fd)
    int dir = openat(c->dir, names.include ? "include" : ".",
            O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (dir < 0 && errno == ENOENT)
        return 0;
    if (dir < 0)
        return err_errno(err, "cannot read the policy folder");
    r = buf_each_entry(dir, add_name, &names, err);
    if (r < 0)
        return r;
    if (names.n > 0)
        qsort(names.list, names.n, sizeof(*names.list), cmp_name);
    for (size_t i = 0; i < names.n; i++)
        buf_printf(c->ret, "%s\n", names.list[i]);
    return 0;
}

static int run_get(struct call *c, struct err *err)
{
    CLEANUP(buf_fini) struct buf content = BUF_INIT(LIMIT_CONF_FILE_MAX);
    char token[TOKEN_SIZE];
    int r = load(c, &content, err);

    if (r < 0)
        return r;
    make_token(buf_span(&content), token);
    buf_printf(c->ret, "%s\n", token);
    buf_append(c->ret, buf_span(&content));
    return 0;
}

/* The mode that the file has already, or that of a new one. */
static unsigned mode_of(const struct call *c)
{
    struct stat st;

    if (fstatat(c->dir, c->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
        return MODE;
    return st.st_mode & 0775;
}

static int run_replace(struct call *c, struct err *err)
{
    struct span payload = c->q->payload;
    const uint8_t *end =
            payload.len ? memchr(payload.ptr, '\n', payload.len) : NULL;
    struct span token, text;
    int r;

    if (!end)
        return err_set(err, ERR_SYNTAX,
                "Payload needs to include first line with token");
    token = SPAN(payload.ptr, (size_t)(end - payload.ptr));
    text = SPAN(end + 1, payload.len - token.len - 1);
    if (text.len > LIMIT_CONF_FILE_MAX)
        return err_set(
                err, ERR_LIMIT, "File is over %u bytes", LIMIT_CONF_FILE_MAX);
    r = check_token(c, token, err);
    if (r == 0)
        r = validate(c, false, text, err);
    if (r == 0 && c->method->include && mkdirat(c->dir, "include", 0775) < 0 &&
            errno != EEXIST)
        r = err_errno(err, "cannot make the folder of includes");
    return r < 0 ? r : buf_store(text, c->dir, c->name, mode_of(c), err);
}

static int run_remove(struct call *c, struct err *err)
{
    CLEANUP(buf_fini) struct buf old = BUF_INIT(LIMIT_CONF_FILE_MAX);
    int r = check_token(c, c->q->payload, err);

    if (r == 0)
        r = load(c, &old, err);
    if (r == 0)
        r = validate(c, true, SPAN_EMPTY, err);
    if (r < 0)
        return r;
    if (unlinkat(c->dir, c->name, 0) < 0 || buf_fsync(c->dir) < 0)
        return err_errno(err, "%s", c->name);
    return 0;
}

/* "30-user.policy" is 30-user, "include/x" is x; outside: the whole path. */
static struct span short_name(struct span file)
{
    const uint8_t *slash = memrchr(file.ptr, '/', file.len);
    const uint8_t *dot;
    size_t skip = slash ? (size_t)(slash - file.ptr) + 1 : 0;
    struct span base = SPAN(file.ptr + skip, file.len - skip);

    if (file.ptr[0] == '/')
        return file;
    dot = memrchr(base.ptr, '.', base.len);
    return dot && dot > base.ptr ? SPAN(base.ptr, (size_t)(dot - base.ptr))
                                 : base;
}

static bool has_line(const struct buf *b, struct span line)
{
    struct text_lines lines = text_lines_of(buf_span(b));
    struct span have;

    while (text_next_line(&lines, &have)) {
        if (span_eq(have, line))
            return true;
    }
    return false;
}

/* In which files are rules for this service? */
static int run_get_files(struct call *c, struct err *err)
{
    CLEANUP(policytree_free_ptr) struct policytree *t = NULL;
    const struct policytree_paths paths = {.folders = {c->q->folder},
            .n_folders = 1,
            .compat = c->q->paths.compat};
    struct span service = c->q->argument;
    int r;

    if (service.len == 0)
        return err_set(err, ERR_SYNTAX, "Service cannot be empty.");
    for (size_t i = 0; i < service.len; i++) {
        if (!is_name_char(service.ptr[i]) || service.ptr[i] == '+')
            return err_set(
                    err, ERR_SYNTAX, "Service contains invalid characters");
    }
    r = policytree_load(&paths, NULL, false, &t, err);
    if (r < 0)
        return r;
    if (t->error.code)
        return err_set(err, ERR_SYNTAX, "%s", t->error.msg);
    for (size_t i = 0; i < policy_rule_count(t->policy); i++) {
        struct span name = short_name(policy_rule_file(t->policy, i));

        if (!policy_rule_has_service(t->policy, i, service) ||
                has_line(c->ret, name))
            continue;
        buf_append(c->ret, name);
        buf_append_u8(c->ret, '\n');
    }
    return 0;
}

static const struct method methods[] = {
        {"policy.List", false, false, false, run_list},
        {"policy.Get", false, true, false, run_get},
        {"policy.Replace", false, true, true, run_replace},
        {"policy.Remove", false, true, true, run_remove},
        {"policy.GetFiles", false, true, false, run_get_files},
        {"policy.include.List", true, false, false, run_list},
        {"policy.include.Get", true, true, false, run_get},
        {"policy.include.Replace", true, true, true, run_replace},
        {"policy.include.Remove", true, true, true, run_remove},
};

static const struct method *find_method(struct span service)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (span_eq_str(service, methods[i].service))
            return &methods[i];
    }
    return NULL;
}

static int check_call(struct call *c, struct err *err)
{
    const struct method *m = c->method;

    if (!m)
        return err_set(err, ERR_UNSUPPORTED, "unrecognized method");
    if (!m->has_argument && c->q->argument.len > 0)
        return err_set(err, ERR_SYNTAX, "Unexpected argument");
    if (!m->has_payload && c->q->payload.len > 0)
        return err_set(err, ERR_SYNTAX, "Unexpected payload");
    return m->has_argument && m->run != run_get_files ? set_name(c, err) : 0;
}

int admin_run(
        const struct admin_request *request, struct buf *ret, struct err *err)
{
    CLEANUP(buf_close_fd) int dir = -1;
    struct call c = {
            .q = request, .method = find_method(request->service), .ret = ret};
    int r = check_call(&c, err);

    if (r < 0)
        return r;
    dir = open(request->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_errno(err, "%s", request->folder);
    while (flock(dir, LOCK_EX) < 0) {
        if (errno != EINTR)
            return err_errno(err, "cannot lock '%s'", request->folder);
    }
    c.dir = dir;
    r = c.method->run(&c, err);
    return r < 0 ? r : buf_ok(ret, err);
}
