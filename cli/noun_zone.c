/* SPDX-License-Identifier: Apache-2.0 */
/* qair zone: make, run and look at a zone.  The verbs of enrolment are in
 * zone_enrol.c and, the owner's, in pack_enrol.c. */
#include "cli_admin.h"
#include "cli_json.h"
#include "pack_enrol.h"
#include "policy_load.h"
#include "zone_enrol.h"
#include "zone_init.h"
#include "zone_process.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#define STOP_MAX_MS   10000
#define RELOAD_MAX_MS 5000
#define POLL_MS       10

static bool no_arguments(const struct cli *cli, int argc)
{
    return argc == 1 || cli_misuse(cli, "takes no arguments") == CLI_OK;
}

/* 0 and the pid, or an exit code after a message. */
static int running(const struct cli *cli, pid_t *ret_pid)
{
    struct err err = {0};

    if (zone_process_pid(cli, ret_pid, &err) < 0)
        return cli_fail(&err);
    if (*ret_pid == 0) {
        (void)err_set(&err, ERR_STATE,
                "the zone in %s is not running; 'qair zone start' starts it",
                cli->zone_dir);
        return cli_fail(&err);
    }
    return 0;
}

static int zone_run(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};

    (void)argv;
    if (!no_arguments(cli, argc))
        return CLI_MISUSE;
    (void)zone_process_run(cli, &err);
    return cli_fail(&err);
}

static int zone_start(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    pid_t pid;

    (void)argv;
    if (!no_arguments(cli, argc))
        return CLI_MISUSE;
    if (zone_process_pid(cli, &pid, &err) < 0)
        return cli_fail(&err);
    if (pid != 0) {
        (void)err_set(&err, ERR_EXISTS, "running already, pid %d", (int)pid);
        return cli_fail(&err);
    }
    return zone_process_start(cli, &err) < 0 ? cli_fail(&err) : CLI_OK;
}

/* A zone that is not running is stopped: no failure. */
static int zone_stop(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    pid_t pid;

    (void)argv;
    if (!no_arguments(cli, argc))
        return CLI_MISUSE;
    if (zone_process_pid(cli, &pid, &err) < 0)
        return cli_fail(&err);
    if (pid == 0)
        return CLI_OK;
    if (kill(pid, SIGTERM) < 0 && errno != ESRCH) {
        (void)err_errno(&err, "stop qaird, pid %d", (int)pid);
        return cli_fail(&err);
    }
    return zone_process_wait_end(cli, STOP_MAX_MS, &err) < 0 ? cli_fail(&err)
                                                             : CLI_OK;
}

/* ---- reload ---------------------------------------------------------- */

/* What may be taken anew, and where qaird's status answers. */
static const struct reload {
    int signal;
    const char *reads, *ok, *what;
} reload_pack = {SIGHUP, "pack_reads", "pack_ok", "pack"},
  reload_policy = {SIGUSR1, "policy_reads", "policy_ok", "policy"};

static json_int_t reads(
        const struct cli *cli, const struct reload *what, bool *ret_ok)
{
    json_t *s = zone_process_status(cli);
    json_int_t n = json_integer_value(json_object_get(s, what->reads));

    *ret_ok = json_is_true(json_object_get(s, what->ok));
    json_decref(s);
    return n;
}

/* A policy with an error would deny everything; the zone keeps the old one. */
static int check_policy(const struct cli *cli, struct err *err)
{
    CLEANUP(buf_fini) struct buf bundle = BUF_INIT(LIMIT_BUNDLE_MAX);
    CLEANUP(policy_free_ptr) struct policy *policy = NULL;
    CLEANUP(policy_system_free_ptr) struct policy_system *system = NULL;
    int r = policy_load_bundle(cli->zone_dir, "policy.d", &bundle, err);

    if (r == 0)
        r = policy_new_from_bundle(buf_span(&bundle), &policy, err);
    return r == 0 ? policy_load_system(cli->zone_dir, &system, err) : r;
}

/* Returns when the roles have been handed what is new. */
static int reload_wait(struct cli *cli, const struct reload *what)
{
    struct err err = {0};
    json_int_t before;
    bool ok;
    pid_t pid;
    int rc = running(cli, &pid);

    if (rc != 0)
        return rc;
    before = reads(cli, what, &ok);
    if (kill(pid, what->signal) < 0) {
        (void)err_errno(&err, "signal qaird, pid %d", (int)pid);
        return cli_fail(&err);
    }
    for (int ms = 0; ms < RELOAD_MAX_MS; ms += POLL_MS) {
        if (reads(cli, what, &ok) != before)
            break;
        (void)poll(NULL, 0, POLL_MS);
    }
    if (reads(cli, what, &ok) != before && ok)
        return CLI_OK;
    (void)err_set(&err, ERR_STATE,
            "the %s was not taken; %s/run/qaird.log says why", what->what,
            cli->zone_dir);
    return cli_fail(&err);
}

static int zone_reload(struct cli *cli, int argc, char **argv)
{
    bool policy = argc == 2 && strcmp(argv[1], "--policy") == 0;
    struct err err = {0};

    if (argc != 1 && !policy)
        return cli_misuse(cli, "takes --policy or nothing");
    if (policy && check_policy(cli, &err) < 0)
        return cli_fail(&err);
    return reload_wait(cli, policy ? &reload_policy : &reload_pack);
}

/* ---- status ---------------------------------------------------------- */

/* What a role says of itself, NULL when it does not answer. */
static json_t *role_status(const struct cli *cli, const char *socket)
{
    static struct cli_admin a;
    struct msg_blob b;
    struct err err;
    json_t *ret = NULL;

    if (cli_admin_open(cli, socket, &a, &err) < 0)
        return NULL;
    if (cli_admin_ask(&a, MSG_STATUS, &(struct msg_empty){0}, MSG_BLOB, &b,
                NULL, &err) == 0)
        ret = json_loadb((const char *)b.bytes.ptr, b.bytes.len,
                JSON_REJECT_DUPLICATES, NULL);
    cli_admin_close(&a);
    return ret;
}

static json_t *whole_status(const struct cli *cli, pid_t pid)
{
    static const struct {
        const char *name, *socket;
    } roles[] = {
            {"keyd", "key.sock"}, {"netd", "net.sock"}, {"calld", "call.sock"}};
    json_t *s = pid == 0 ? NULL : zone_process_status(cli);

    if (!s)
        return json_pack("{s:s,s:[],s:[]}", "state",
                pid == 0 ? "stopped" : "starting", "roles", "qubes");
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        json_t *of_role = role_status(cli, roles[i].socket);

        if (of_role)
            (void)json_object_set_new(s, roles[i].name, of_role);
    }
    return s;
}

static const char *text_of(const json_t *o, const char *key, const char *none)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s && *s ? s : none;
}

static void print_status(const struct cli *cli, const json_t *s)
{
    const json_t *keyd = json_object_get(s, "keyd");
    json_t *it;
    size_t i;

    (void)printf("zone     %s\nstate    %s\n",
            text_of(s, "zone", cli->zone_dir), text_of(s, "state", "unknown"));
    if (json_array_size(json_object_get(s, "roles")) == 0)
        return;
    (void)printf("listen   %s\ntpm      %s\n", text_of(s, "listen", "-"),
            text_of(s, "tpm", "-"));
    if (keyd)
        (void)printf("measured %s\n", text_of(keyd, "state", "unknown"));
    json_array_foreach (json_object_get(s, "roles"), i, it)
        (void)printf("role     %-9s %-9s pid %lld, restarts %lld\n",
                text_of(it, "name", "?"),
                json_is_true(json_object_get(it, "ready")) ? "ready"
                                                           : "not ready",
                (long long)json_integer_value(json_object_get(it, "pid")),
                (long long)json_integer_value(json_object_get(it, "restarts")));
    json_array_foreach (json_object_get(s, "qubes"), i, it)
        (void)printf("qube     %-9s running   pid %lld\n",
                text_of(it, "name", "?"),
                (long long)json_integer_value(json_object_get(it, "pid")));
}

static int zone_status(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
            {"json", no_argument, NULL, 'j'}, {0}};
    struct err err = {0};
    bool json = false;
    json_t *s;
    pid_t pid;
    int c, rc;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'j')
            return cli_misuse(cli, "unknown option");
        json = true;
    }
    if (optind != argc)
        return cli_misuse(cli, "too many arguments");
    if (zone_process_pid(cli, &pid, &err) < 0)
        return cli_fail(&err);
    s = whole_status(cli, pid);
    rc = strcmp(text_of(s, "state", ""), "serving") == 0 ? CLI_OK : CLI_NO;
    if (json)
        return cli_json_put(s, stdout, &err) < 0 ? cli_fail(&err) : rc;
    print_status(cli, s);
    json_decref(s);
    return rc;
}

static const struct cli_verb verbs[] = {
        {"init", ZONE_INIT_ARGS, ZONE_INIT_HELP, zone_init},
        {"run", "", "run the zone until interrupted", zone_run},
        {"start", "", "start the zone; returns when it serves", zone_start},
        {"stop", "", "stop the zone, its qubes and its TPM", zone_stop},
        {"status", "[--json]", "what runs; exit code 0 when it serves",
                zone_status},
        {"reload", "[--policy]",
                "take the pack's files as they are now; --policy: policy.d, "
                "qubes.d and services, which makes another state of the zone",
                zone_reload},
        {"enrol", ZONE_ENROL_ARGS, ZONE_ENROL_HELP, zone_enrol},
        {"challenge", ZONE_CHALLENGE_ARGS, ZONE_CHALLENGE_HELP, zone_challenge},
        {"answer", ZONE_ANSWER_ARGS, ZONE_ANSWER_HELP, zone_answer},
        {0},
};

const struct cli_noun noun_zone = {
        "zone", "a zone: its directory, its processes, its enrolment", verbs};
