/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyd and netd are asked twice a second what is so; what is new is told, a
 * line each.  They are asked, and do not tell: a reader that stands still
 * costs the zone nothing.
 */
#include "attest_watch.h"

#include "cli_admin.h"
#include "cli_json.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define POLL_MS 500

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
    (void)sig;
    stopped = 1;
}

struct watch {
    const struct cli *cli;
    bool json;
    bool up;     /* the zone answered last */
    json_t *own; /* status of keyd, or NULL */
    json_t *net; /* status of netd, or NULL */
};

static void watch_fini(struct watch *w)
{
    json_decref(w->own);
    json_decref(w->net);
}

/* ---- saying it --------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static uint64_t number_of(const json_t *o, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(o, key));

    return n > 0 ? (uint64_t)n : 0;
}

/* Words of the zone's own daemons, made safe for a terminal all the same. */
static void put_text(const char *label, const char *text)
{
    char safe[512];

    if (!*text)
        return;
    text_format_safe(span_str(text), safe, sizeof(safe));
    (void)printf("%s%s", label, safe);
}

/* Takes e: event, and what else is known of it. */
static int tell(const struct watch *w, json_t *e, struct err *err)
{
    char now[TEXT_TIME_SIZE] = "", until[TEXT_TIME_SIZE] = "";
    uint64_t end = number_of(e, "validUntil");

    (void)!text_format_time((uint64_t)time(NULL), now);
    if (end)
        (void)!text_format_time(end, until);
    if (w->json) {
        (void)json_object_set_new(e, "time", json_string(now));
        if (end)
            (void)json_object_set_new(e, "validUntil", json_string(until));
        if (cli_json_put(e, stdout, err) != 0)
            return err->code;
    } else {
        (void)printf("%s ", now);
        if (json_object_get(e, "id"))
            (void)printf("channel %" PRIu64, number_of(e, "id"));
        put_text(" with ", text_of(e, "peer"));
        put_text(json_object_get(e, "id") ? ": " : "", text_of(e, "event"));
        put_text(", ", text_of(e, "state"));
        put_text(": ", text_of(e, "reason"));
        put_text(", until ", until);
        if (json_object_get(e, "approvalAge"))
            (void)printf(", approved %" PRIu64 " s ago",
                    number_of(e, "approvalAge"));
        (void)putchar('\n');
        json_decref(e);
    }
    if (fflush(stdout) != 0)
        return err_set(err, ERR_IO, "cannot write");
    return 0;
}

static void copy(json_t *to, const json_t *from, const char *key)
{
    json_t *v = json_object_get(from, key);

    if (v && !(json_is_string(v) && !*json_string_value(v)))
        (void)json_object_set(to, key, v);
}

static json_t *event_of(const char *event, const json_t *of)
{
    static const char *const keys[] = {"id", "peer", "zone", "state",
            "evidence", "reason", "approvalAge", "validUntil"};
    json_t *e = json_pack("{s:s}", "event", event);

    for (size_t i = 0; i < ARRAY_LEN(keys) && e; i++)
        copy(e, of, keys[i]);
    return e;
}

/* ---- what is new ------------------------------------------------------- */

static bool is_same(const json_t *a, const json_t *b, const char *key)
{
    return json_equal(json_object_get(a, key), json_object_get(b, key));
}

static int look_own(struct watch *w, const json_t *now, struct err *err)
{
    if (w->own && is_same(w->own, now, "state") &&
            is_same(w->own, now, "reason") &&
            is_same(w->own, now, "validUntil"))
        return 0;
    return tell(w,
            event_of(json_is_true(json_object_get(now, "approved"))
                             ? "own state"
                             : "own state fell",
                    now),
            err);
}

static const json_t *find(const json_t *list, uint64_t id)
{
    const json_t *o;
    size_t i;

    json_array_foreach (list, i, o) {
        if (number_of(o, "id") == id)
            return o;
    }
    return NULL;
}

/* NULL: nothing that is worth a line. */
static const char *change_of(const json_t *was, const json_t *is)
{
    bool open = strcmp(text_of(is, "channel"), "open") == 0;

    if (!open)
        return NULL;
    if (!was || strcmp(text_of(was, "channel"), "open") != 0)
        return "opened";
    if (!is_same(was, is, "state"))
        return "other state";
    return is_same(was, is, "evidence") ? NULL : "attested again";
}

static int look_channels(struct watch *w, const json_t *now, struct err *err)
{
    const json_t *before = json_object_get(w->net, "channels"), *o;
    size_t i;

    json_array_foreach (json_object_get(now, "channels"), i, o) {
        const char *change = change_of(find(before, number_of(o, "id")), o);
        int r = change ? tell(w, event_of(change, o), err) : 0;

        if (r != 0)
            return r;
    }
    return 0;
}

/* The first look tells of none: they ended before anybody watched. */
static int look_ended(struct watch *w, const json_t *now, struct err *err)
{
    const json_t *before = json_object_get(w->net, "ended"), *o;
    size_t i;

    json_array_foreach (json_object_get(now, "ended"), i, o) {
        const json_t *was = find(before, number_of(o, "id"));
        int r = 0;

        if (w->net && !(was && is_same(was, o, "time")))
            r = tell(w, event_of("ended", o), err);
        if (r != 0)
            return r;
    }
    return 0;
}

/* ---- asking ------------------------------------------------------------ */

/* NULL: the role does not answer. */
static json_t *ask(const struct cli *cli, const char *socket)
{
    static struct cli_admin a;
    const struct msg_empty nothing = {0};
    struct msg_blob blob;
    struct err err = {0};
    json_t *j = NULL;

    if (cli_admin_open(cli, socket, &a, &err) != 0)
        return NULL;
    if (cli_admin_ask(&a, MSG_STATUS, &nothing, MSG_BLOB, &blob, NULL, &err) ==
            0)
        j = json_loadb((const char *)blob.bytes.ptr, blob.bytes.len,
                JSON_REJECT_DUPLICATES, NULL);
    cli_admin_close(&a);
    return j;
}

static int look(struct watch *w, struct err *err)
{
    json_t *own = ask(w->cli, "key.sock"), *net = ask(w->cli, "net.sock");
    bool up = own && net;
    int r = 0;

    if (!up && w->up)
        r = tell(w, json_pack("{s:s}", "event", "the zone does not answer"),
                err);
    if (r == 0 && own)
        r = look_own(w, own, err);
    if (r == 0 && net)
        r = look_channels(w, net, err);
    if (r == 0 && net)
        r = look_ended(w, net, err);
    watch_fini(w);
    w->own = own;
    w->net = net;
    w->up = up;
    return r;
}

static int watch(struct watch *w, struct err *err)
{
    const struct timespec rest = {.tv_nsec = POLL_MS * 1000000L};
    struct cli_admin a;
    int r = cli_admin_open(w->cli, "key.sock", &a, err);

    if (r != 0)
        return r; /* says how to start it */
    cli_admin_close(&a);
    while (!stopped && r == 0) {
        r = look(w, err);
        if (r == 0 && !stopped)
            (void)nanosleep(&rest, NULL);
    }
    return r;
}

int attest_watch(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
            {"json", no_argument, NULL, 'j'}, {0}};
    const struct sigaction stop = {.sa_handler = on_signal};
    struct watch w = {.cli = cli};
    struct err err = {0};
    int c, r;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'j')
            return cli_misuse(cli, "unknown option");
        w.json = true;
    }
    if (optind != argc)
        return cli_misuse(cli, "it takes no words");
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that went ends it, too */
    r = watch(&w, &err);
    watch_fini(&w);
    return r == 0 ? CLI_OK : cli_fail(&err);
}
