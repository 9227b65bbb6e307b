/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a service and telling it about its call. */
#include "qrexec.h"

#include <stdio.h>

#define SERVICE_PREFIX "QUBESRPC "
#define NOGUI_PREFIX   "nogui:" /* does not wait for the session */
#define ENV_STORE_MAX  (1u << 20)

/*
 * What stands in a path: upstream's cleaned alphabet holds no slash; "." and
 * ".." are folders, not services.
 */
static bool is_file_name(struct span s)
{
    if (s.len == 0 || span_eq_str(s, ".") || span_eq_str(s, ".."))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f || s.ptr[i] == '/')
            return false;
    }
    return true;
}

static void split_service(
        struct span service, struct span *ret_name, struct span *ret_arg)
{
    const uint8_t *plus =
            service.len ? memchr(service.ptr, '+', service.len) : NULL;
    size_t n = plus ? (size_t)(plus - service.ptr) : service.len;

    *ret_name = SPAN(service.ptr, n);
    *ret_arg = plus ? SPAN(plus + 1, service.len - n - 1) : SPAN_EMPTY;
}

/* One name over all folders; FOUND_NONE when nowhere. */
static enum qrexec_found search(struct span name, const char *path_list,
        qrexec_probe probe, void *ctx, char ret_path[static QREXEC_PATH_MAX])
{
    const char *dir = path_list;

    if (name.len > LIMIT_SERVICE_NAME_MAX)
        return QREXEC_FOUND_NONE;
    while (*dir) {
        size_t n = strcspn(dir, ":");
        char path[QREXEC_PATH_MAX];
        int len = snprintf(path, sizeof(path), "%.*s/%.*s", (int)n, dir,
                (int)name.len, (const char *)name.ptr);
        enum qrexec_found found = QREXEC_FOUND_NONE;

        if (len < 0 || (size_t)len >= sizeof(path))
            return QREXEC_FOUND_ERROR;
        if (n)
            found = probe(ctx, path);
        if (found != QREXEC_FOUND_NONE) {
            memcpy(ret_path, path, (size_t)len + 1);
            return found;
        }
        dir += n + (dir[n] == ':');
    }
    return QREXEC_FOUND_NONE;
}

int qrexec_lookup(struct span service, const char *path_list,
        qrexec_probe probe, void *ctx, char ret_path[static QREXEC_PATH_MAX],
        enum qrexec_found *ret, struct err *err)
{
    char with_plus[LIMIT_SERVICE_NAME_MAX + 1];
    struct span full = service;
    struct span name;
    struct span arg;
    enum qrexec_found found;

    split_service(service, &name, &arg);
    if (!is_file_name(service) || !is_file_name(name))
        return err_set(err, ERR_NOT_FOUND, "not a service name");
    if (name.len == service.len && name.len < sizeof(with_plus)) {
        memcpy(with_plus, name.ptr, name.len);
        with_plus[name.len] = '+';
        full = SPAN((const uint8_t *)with_plus, name.len + 1);
    }
    found = search(full, path_list, probe, ctx, ret_path);
    if (found == QREXEC_FOUND_NONE)
        found = search(name, path_list, probe, ctx, ret_path);
    if (found == QREXEC_FOUND_NONE)
        return err_set(err, ERR_NOT_FOUND, "no service %.*s here",
                (int)name.len, (const char *)name.ptr);
    if (found == QREXEC_FOUND_ERROR)
        return err_set(err, ERR_IO, "service %.*s cannot be looked up",
                (int)name.len, (const char *)name.ptr);
    *ret = found;
    return 0;
}

/* ---- configuration --------------------------------------------------- */

enum value_kind { VALUE_BOOL, VALUE_TEXT };

struct value {
    enum value_kind kind;
    bool truth;
    struct span text;
};

/* A comment may follow the value; a text has no quote inside. */
static struct span strip_comment(struct span s)
{
    const uint8_t *from = s.ptr;
    const uint8_t *hash;

    if (s.len > 1 && s.ptr[0] == '\'') {
        from = memchr(s.ptr + 1, '\'', s.len - 1);
        if (!from)
            return s;
    }
    hash = s.len ? memchr(from, '#', (size_t)(s.ptr + s.len - from)) : NULL;
    return hash ? text_trim(SPAN(s.ptr, (size_t)(hash - s.ptr))) : s;
}

static bool parse_value(struct span s, struct value *ret)
{
    s = strip_comment(s);
    if (span_eq_str(s, "true") || span_eq_str(s, "1")) {
        *ret = (struct value){.kind = VALUE_BOOL, .truth = true};
        return true;
    }
    if (span_eq_str(s, "false") || span_eq_str(s, "0")) {
        *ret = (struct value){.kind = VALUE_BOOL};
        return true;
    }
    if (s.len < 2 || s.ptr[0] != '\'' || s.ptr[s.len - 1] != '\'' ||
            memchr(s.ptr + 1, '\'', s.len - 2))
        return false;
    *ret = (struct value){
            .kind = VALUE_TEXT, .text = SPAN(s.ptr + 1, s.len - 2)};
    return true;
}

enum key {
    KEY_WAIT_FOR_SESSION,
    KEY_SKIP_SERVICE_DESCRIPTOR,
    KEY_EXIT_ON_CLIENT_EOF,
    KEY_EXIT_ON_SERVICE_EOF,
    KEY_FORCE_USER,
    KEY_COUNT
};

static const char *const key_names[KEY_COUNT] = {
        [KEY_WAIT_FOR_SESSION] = "wait-for-session",
        [KEY_SKIP_SERVICE_DESCRIPTOR] = "skip-service-descriptor",
        [KEY_EXIT_ON_CLIENT_EOF] = "exit-on-client-eof",
        [KEY_EXIT_ON_SERVICE_EOF] = "exit-on-service-eof",
        [KEY_FORCE_USER] = "force-user",
};

struct config_reader {
    struct qrexec_config c;
    bool seen[KEY_COUNT];
};

static bool set_bool(struct qrexec_config *c, enum key key, bool v)
{
    switch (key) {
    case KEY_WAIT_FOR_SESSION:
        c->wait_for_session = v;
        return true;
    case KEY_SKIP_SERVICE_DESCRIPTOR:
        c->skip_service_descriptor = v;
        return true;
    case KEY_EXIT_ON_CLIENT_EOF:
        c->exit_on_client_eof = v;
        return true;
    case KEY_EXIT_ON_SERVICE_EOF:
        c->exit_on_service_eof = v;
        return true;
    case KEY_FORCE_USER:
    case KEY_COUNT:
        return false;
    }
    return false;
}

static bool set_user(struct qrexec_config *c, struct span user)
{
    if (user.len == 0 || user.len >= sizeof(c->force_user) ||
            !is_file_name(user))
        return false;
    memcpy(c->force_user, user.ptr, user.len);
    c->force_user[user.len] = '\0';
    return true;
}

static bool set_value(
        struct config_reader *r, struct span name, struct span text)
{
    struct value v;

    if (!parse_value(text, &v))
        return false;
    for (enum key k = 0; k < KEY_COUNT; k++) {
        if (!span_eq_str(name, key_names[k]))
            continue;
        if (r->seen[k])
            return false;
        r->seen[k] = true;
        if (v.kind == VALUE_BOOL)
            return set_bool(&r->c, k, v.truth);
        return k == KEY_FORCE_USER && set_user(&r->c, v.text);
    }
    r->c.unknown++;
    return true;
}

static bool is_key(struct span name)
{
    if (name.len == 0)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

int qrexec_config_parse(
        struct span text, struct qrexec_config *ret, struct err *err)
{
    struct text_lines lines = text_lines_of(text);
    struct config_reader r = {0};
    struct span line;

    while (text_next_line(&lines, &line)) {
        const uint8_t *eq;
        struct span name;
        struct span value;

        line = text_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        eq = memchr(line.ptr, '=', line.len);
        if (!eq)
            return err_set(err, ERR_SYNTAX, "line %u: no '='", lines.line);
        name = text_trim(SPAN(line.ptr, (size_t)(eq - line.ptr)));
        value = text_trim(SPAN(eq + 1, line.len - (size_t)(eq - line.ptr) - 1));
        if (!is_key(name) || !set_value(&r, name, value))
            return err_set(err, ERR_SYNTAX,
                    "line %u: bad, repeated or wrongly typed key", lines.line);
    }
    if (r.seen[KEY_FORCE_USER] && (r.seen[KEY_SKIP_SERVICE_DESCRIPTOR] ||
                                          r.seen[KEY_EXIT_ON_CLIENT_EOF] ||
                                          r.seen[KEY_EXIT_ON_SERVICE_EOF]))
        return err_set(err, ERR_SYNTAX,
                "force-user cannot stand beside the socket service keys");
    *ret = r.c;
    return 0;
}

/* ---- command --------------------------------------------------------- */

/* Words are separated by exactly one space, as upstream writes them. */
static bool next_word(struct span *rest, struct span *ret)
{
    const uint8_t *end = rest->len ? memchr(rest->ptr, ' ', rest->len) : NULL;
    size_t n = end ? (size_t)(end - rest->ptr) : rest->len;

    if (n == 0)
        return false;
    *ret = SPAN(rest->ptr, n);
    *rest = end ? SPAN(end + 1, rest->len - n - 1) : SPAN_EMPTY;
    return true;
}

static int parse_service(
        struct span rest, struct qrexec_command *c, struct err *err)
{
    bool spaced = rest.len && rest.ptr[rest.len - 1] == ' ';
    bool ok = !spaced && next_word(&rest, &c->service) &&
              next_word(&rest, &c->source);

    if (ok && rest.len)
        ok = next_word(&rest, &c->target_type) &&
             (span_eq_str(c->target_type, "name") ||
                     span_eq_str(c->target_type, "keyword")) &&
             next_word(&rest, &c->target) && rest.len == 0;
    if (!ok)
        return err_set(err, ERR_SYNTAX, "malformed QUBESRPC command");
    c->is_service = true;
    split_service(c->service, &c->name, &c->arg);
    c->has_arg = c->name.len < c->service.len;
    return 0;
}

int qrexec_command_parse(
        struct span text, struct qrexec_command *ret, struct err *err)
{
    const uint8_t *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
    struct qrexec_command c;
    int r;

    if (!colon || colon == text.ptr)
        return err_set(err, ERR_SYNTAX, "command without a user");
    r = qrexec_command_parse_bare(
            SPAN(colon + 1, (size_t)(text.ptr + text.len - colon - 1)), &c,
            err);
    if (r)
        return r;
    c.user = SPAN(text.ptr, (size_t)(colon - text.ptr));
    if (memchr(c.user.ptr, 0, c.user.len))
        return err_set(err, ERR_SYNTAX, "command with a NUL byte");
    *ret = c;
    return 0;
}

int qrexec_command_parse_bare(
        struct span text, struct qrexec_command *ret, struct err *err)
{
    const size_t n = sizeof(SERVICE_PREFIX) - 1;
    const size_t nogui = sizeof(NOGUI_PREFIX) - 1;
    struct qrexec_command c = {0};
    struct span rest = text;

    if (text.len && memchr(text.ptr, 0, text.len))
        return err_set(err, ERR_SYNTAX, "command with a NUL byte");
    if (rest.len >= nogui && memcmp(rest.ptr, NOGUI_PREFIX, nogui) == 0) {
        c.nogui = true;
        rest = SPAN(rest.ptr + nogui, rest.len - nogui);
    }
    if (rest.len >= n && memcmp(rest.ptr, SERVICE_PREFIX, n) == 0) {
        int r = parse_service(SPAN(rest.ptr + n, rest.len - n), &c, err);

        if (r)
            return r;
    } else {
        if (rest.len == 0)
            return err_set(err, ERR_SYNTAX, "empty command");
        c.shell = rest;
    }
    *ret = c;
    return 0;
}

static bool is_word(struct span s, const char * not )
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f || strchr(not, s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

int qrexec_command_format(struct span user, struct span service,
        struct span source, char *ret, size_t cap)
{
    struct span who = user.len ? user : span_str("DEFAULT");
    int n;

    /* A ':' in a user would turn the rest into a shell command. */
    if (!is_word(who, ":") || !is_word(service, "/") || !is_word(source, "/"))
        return ERR_SYNTAX;
    n = snprintf(ret, cap, "%.*s:" SERVICE_PREFIX "%.*s %.*s", (int)who.len,
            (const char *)who.ptr, (int)service.len, (const char *)service.ptr,
            (int)source.len, (const char *)source.ptr);
    return n > 0 && (size_t)n < cap ? 0 : ERR_LIMIT;
}

/* ---- environment ----------------------------------------------------- */

struct env_writer {
    struct qrexec_env *e;
    size_t at[QREXEC_ENV_MAX];
    size_t n;
    bool full;
};

static void add(struct env_writer *w, const char *name, struct span value)
{
    if (w->n == QREXEC_ENV_MAX) {
        w->full = true;
        return;
    }
    w->at[w->n++] = w->e->store.len;
    buf_append_str(&w->e->store, name);
    buf_append(&w->e->store, value);
    buf_append_u8(&w->e->store, 0);
}

static bool has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool is_kept(const char *var)
{
    if (has_prefix(var, "QREXEC_SERVICE_PATH=") ||
            has_prefix(var, "QREXEC_AGENT_PID="))
        return true;
    return !has_prefix(var, "QREXEC") && !has_prefix(var, "QAIR_");
}

static void add_call(
        struct env_writer *w, const struct qrexec_command *c, int key_fd)
{
    char number[16];

    if (c->is_service) {
        add(w, "QREXEC_REMOTE_DOMAIN=", c->source);
        add(w, "QREXEC_SERVICE_FULL_NAME=", c->service);
        if (c->has_arg)
            add(w, "QREXEC_SERVICE_ARGUMENT=", c->arg);
        add(w, "QREXEC_REQUESTED_TARGET_TYPE=", c->target_type);
        if (span_eq_str(c->target_type, "name"))
            add(w, "QREXEC_REQUESTED_TARGET=", c->target);
        if (span_eq_str(c->target_type, "keyword"))
            add(w, "QREXEC_REQUESTED_TARGET_KEYWORD=", c->target);
    }
    if (key_fd >= 0) {
        (void)snprintf(number, sizeof(number), "%d", key_fd);
        add(w, "QAIR_KEY_FD=", span_str(number));
    }
}

int qrexec_env_build(const struct qrexec_command *c, int key_fd,
        char *const *base, struct qrexec_env *ret)
{
    struct env_writer w = {.e = ret};

    *ret = (struct qrexec_env){.store = BUF_INIT(ENV_STORE_MAX)};
    for (; *base; base++) {
        if (is_kept(*base))
            add(&w, "", span_str(*base));
    }
    add_call(&w, c, key_fd);
    if (w.full || buf_ok(&ret->store, NULL)) {
        qrexec_env_fini(ret);
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < w.n; i++)
        ret->vars[i] = (char *)ret->store.ptr + w.at[i];
    ret->vars[w.n] = NULL;
    return 0;
}

void qrexec_env_fini(struct qrexec_env *e)
{
    buf_fini(&e->store);
    e->vars[0] = NULL;
}
