/* SPDX-License-Identifier: Apache-2.0 */
/* qair key: release keys of a running zone. */
#include "cli.h"
#include "cli_admin.h"
#include "profile.h"
#include "statement.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_LIST_MAX (96u << 10)

/* One key as keyd tells it. */
struct key_info {
    struct span zone, name, custody, profile;
    uint64_t created;
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t spki_len;
};

static int key_read(
        struct statement_reader *r, struct key_info *ret, struct err *err)
{
    if (!statement_get_name(r, "zone", LIMIT_ZONE_NAME_MAX, &ret->zone) ||
            !statement_get_name(r, "name", 63, &ret->name) ||
            !statement_get_text(r, "custody", 16, &ret->custody) ||
            !statement_get_text(
                    r, "profile", PROFILE_NAME_MAX, &ret->profile) ||
            !statement_get_time(r, "created", &ret->created) ||
            !statement_get_b64(
                    r, "public", ret->spki, sizeof ret->spki, &ret->spki_len) ||
            !statement_get_end(r))
        return statement_bad(r, "key", err);
    return 0;
}

static void key_print(const struct key_info *k)
{
    char time[TEXT_TIME_SIZE];

    if (!text_format_time(k->created, time))
        (void)snprintf(time, sizeof time, "?");
    printf("%-24.*s %-8.*s %-10.*s %s\n", (int)k->name.len,
            (const char *)k->name.ptr, (int)k->custody.len,
            (const char *)k->custody.ptr, (int)k->profile.len,
            (const char *)k->profile.ptr, time);
}

/* ---- create ---------------------------------------------------------- */

static int key_create(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
            {"custody", required_argument, NULL, 'c'},
            {"profile", required_argument, NULL, 'p'},
            {0},
    };
    static struct cli_admin a = {.fd = -1};
    struct msg_key_create q = {.custody = SPAN_EMPTY};
    struct msg_blob answer;
    struct err err;
    int c, r;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'c')
            q.custody = span_str(optarg);
        else if (c == 'p')
            q.profile = span_str(optarg);
        else
            return cli_misuse(cli, "unknown option");
    }
    if (optind + 1 != argc || !q.custody.ptr || !q.profile.ptr)
        return cli_misuse(cli, "give a name, --custody and --profile");
    q.name = span_str(argv[optind]);
    r = cli_admin_open(cli, "key.sock", &a, &err);
    if (r == 0)
        r = cli_admin_ask(
                &a, MSG_KEY_CREATE, &q, MSG_BLOB, &answer, NULL, &err);
    if (r == 0)
        printf("%.*s\n", (int)answer.bytes.len, (const char *)answer.bytes.ptr);
    cli_admin_close(&a);
    return r ? cli_fail(&err) : CLI_OK;
}

/* ---- list, export ---------------------------------------------------- */

/* The list's document; its text too, for --json. */
static int list_get(struct cli *cli, struct buf *ret_text,
        struct json_t **ret_doc, struct err *err)
{
    static struct cli_admin a = {.fd = -1};
    struct msg_blob answer;
    int r;

    r = cli_admin_open(cli, "key.sock", &a, err);
    if (r == 0)
        r = cli_admin_ask(&a, MSG_KEY_LIST, &(struct msg_empty){0}, MSG_BLOB,
                &answer, NULL, err);
    if (r == 0) {
        buf_append(ret_text, answer.bytes);
        r = buf_ok(ret_text, err);
    }
    cli_admin_close(&a);
    if (r != 0)
        return r;
    *ret_doc = statement_json_parse(buf_span(ret_text), err);
    return *ret_doc ? 0 : ERR_SYNTAX;
}

static int list_array(const struct json_t *doc, const struct json_t **ret,
        size_t *ret_n, struct span *ret_state, struct err *err)
{
    struct statement_reader r = statement_reader_of(doc);
    struct span zone;

    if (!statement_get_array(&r, "keys", ret, ret_n) ||
            !statement_get_name(&r, "zone", LIMIT_ZONE_NAME_MAX, &zone) ||
            !statement_get_text(&r, "state", 64, ret_state) ||
            !statement_get_end(&r))
        return statement_bad(&r, "keys", err);
    return 0;
}

static int list_print(const struct json_t *doc, struct err *err)
{
    const struct json_t *keys;
    struct statement_reader one;
    struct key_info k;
    struct span state;
    size_t n;
    int r;

    r = list_array(doc, &keys, &n, &state, err);
    if (r != 0)
        return r;
    printf("state: %.*s\n", (int)state.len, (const char *)state.ptr);
    for (size_t i = 0; i < n && r == 0; i++) {
        if (!statement_item_object(keys, i, &one))
            return err_set(err, ERR_SYNTAX, "malformed list of keys");
        r = key_read(&one, &k, err);
        if (r == 0)
            key_print(&k);
    }
    return r;
}

static int key_list(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
            {"json", no_argument, NULL, 'j'}, {0}};
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    CLEANUP(buf_fini) struct buf text = BUF_INIT(KEY_LIST_MAX);
    struct err err;
    bool json = false;
    int c, r;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'j')
            return cli_misuse(cli, "unknown option");
        json = true;
    }
    if (optind != argc)
        return cli_misuse(cli, "takes no argument");
    r = list_get(cli, &text, &doc, &err);
    if (r == 0 && json)
        printf("%s\n", (const char *)text.ptr);
    else if (r == 0)
        r = list_print(doc, &err);
    return r ? cli_fail(&err) : CLI_OK;
}

static int key_find(const struct json_t *doc, const char *name,
        struct key_info *ret, struct err *err)
{
    const struct json_t *keys;
    struct statement_reader one;
    struct span state;
    size_t n;
    int r;

    r = list_array(doc, &keys, &n, &state, err);
    for (size_t i = 0; i < n && r == 0; i++) {
        if (!statement_item_object(keys, i, &one))
            return err_set(err, ERR_SYNTAX, "malformed list of keys");
        r = key_read(&one, ret, err);
        if (r == 0 && span_eq_str(ret->name, name))
            return 0;
    }
    return r ? r
             : err_set(err, ERR_NOT_FOUND,
                       "no key '%s' here: 'qair key list' shows them", name);
}

static int export_pem(const struct key_info *k, const struct crypto_pub *pub,
        struct buf *ret, struct err *err)
{
    char text[2 * CRYPTO_SPKI_MAX];

    (void)k;
    if (crypto_pub_pem(pub, text, sizeof text) != 0)
        return err_set(err, ERR_CRYPTO, "cannot encode the public key");
    buf_append_str(ret, text);
    return buf_ok(ret, err);
}

static int export_sshsig(const struct key_info *k, const struct crypto_pub *pub,
        struct buf *ret, struct err *err)
{
    return profile_format_pub(PROFILE_SSHSIG, k->name, pub, ret, err);
}

static int export_minisign(const struct key_info *k,
        const struct crypto_pub *pub, struct buf *ret, struct err *err)
{
    return profile_format_pub(PROFILE_MINISIGN, k->name, pub, ret, err);
}

static const struct key_format {
    const char *name;
    const char *profile; /* a key signs one kind: no file for another */
    int (*put)(const struct key_info *k, const struct crypto_pub *pub,
            struct buf *ret, struct err *err);
} formats[] = {
        {"pem", NULL, export_pem},
        {"allowed-signers", "sshsig", export_sshsig},
        {"minisign", "minisign", export_minisign},
};

static int export_key(const struct key_info *k, const char *format,
        struct buf *ret, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr)
    struct crypto_pub *pub = crypto_pub_from_spki(SPAN(k->spki, k->spki_len));
    const struct key_format *f = NULL;

    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (strcmp(format, formats[i].name) == 0)
            f = &formats[i];
    if (!f)
        return err_set(
                err, ERR_USAGE, "--format is pem, allowed-signers or minisign");
    if (f->profile && !span_eq_str(k->profile, f->profile))
        return err_set(err, ERR_USAGE, "a key of profile %.*s has no %s file",
                (int)k->profile.len, (const char *)k->profile.ptr, format);
    if (!pub)
        return err_set(err, ERR_SYNTAX, "malformed public key");
    return f->put(k, pub, ret, err);
}

static int key_export(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
            {"format", required_argument, NULL, 'f'}, {0}};
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    CLEANUP(buf_fini) struct buf text = BUF_INIT(KEY_LIST_MAX);
    CLEANUP(buf_fini) struct buf out = BUF_INIT(PROFILE_PUB_MAX);
    const char *format = NULL;
    struct key_info k;
    struct err err;
    int c, r;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'f')
            return cli_misuse(cli, "unknown option");
        format = optarg;
    }
    if (optind + 1 != argc || !format)
        return cli_misuse(cli, "give a name and --format");
    r = list_get(cli, &text, &doc, &err);
    if (r == 0)
        r = key_find(doc, argv[optind], &k, &err);
    if (r == 0)
        r = export_key(&k, format, &out, &err);
    if (r == 0)
        printf("%s", (const char *)out.ptr);
    return r ? cli_fail(&err) : CLI_OK;
}

static const struct cli_verb verbs[] = {
        {"create", "NAME --custody tpm|sealed --profile sshsig|minisign",
                "make a key that works in approved states alone; prints it as "
                "JSON",
                key_create},
        {"list", "[--json]", "the zone's release keys", key_list},
        {"export", "NAME --format pem|allowed-signers|minisign",
                "the public key as other tools read it", key_export},
        {0},
};

const struct cli_noun noun_key = {
        .name = "key",
        .help = "release keys: create, list, export",
        .verbs = verbs,
};
