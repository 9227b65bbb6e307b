/* SPDX-License-Identifier: Apache-2.0 */
/* qair log over two zones' logs: args: PROGRAM. */
#include "pack_fixture.h"
#include "statement.h"
#include "store.h"

#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program;

static const char artefact[] = "what is released\n";

struct world {
    char path[64];
    struct estate thin, server;
    struct buf envelope; /* of the call */
    char out[65536], err[4096];
};

#define CALL_HEX "c0ffee00000000000000000000000000"
static const uint8_t call_id[16] = {0xc0, 0xff, 0xee};

/* ---- files --------------------------------------------------------------- */

static void put_file(
        const struct world *w, const char *name, const void *p, size_t n)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", w->path, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void make_folder(const struct world *w, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", w->path, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void put_zone(const struct world *w, const char *zone)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    char b64[TEXT_B64_SIZE(CRYPTO_SPKI_MAX)], text[1024], name[64];
    const struct estate *zones[] = {&w->thin, &w->server};
    size_t len;
    struct err err;

    make_folder(w, zone);
    for (int i = 0; i < 3; i++) {
        static const char *const folders[] = {"log", "pack", "pack/zones"};

        snprintf(name, sizeof name, "%s/%s", zone, folders[i]);
        make_folder(w, name);
    }
    assert_int_equal(crypto_pub_spki(crypto_key_pub(w->thin.owner), spki,
                             sizeof spki, &len),
            0);
    text_format_b64(SPAN(spki, len), b64);
    snprintf(text, sizeof text, "name = %s\ntpm = swtpm\nowner = %s\n", zone,
            b64);
    snprintf(name, sizeof name, "%s/zone.conf", zone);
    put_file(w, name, text, strlen(text));
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        struct buf file = BUF_INIT(LIMIT_CONF_FILE_MAX);

        if (pack_zone_sign(&zones[i]->zone, w->thin.owner, &file, &err) < 0)
            fail_msg("%s", err.msg);
        snprintf(name, sizeof name, "%s/pack/zones/%s.json", zone,
                zones[i]->zone.name);
        put_file(w, name, file.ptr, file.len);
        buf_fini(&file);
    }
}

/* ---- records --------------------------------------------------------------
 */

static void append(
        const struct world *w, const struct estate *e, struct span entry)
{
    struct merkle_vkey vkey;
    struct store *s;
    struct err err;
    char path[256];
    int fd;

    snprintf(path, sizeof path, "%s/%s/log", w->path, e->zone.name);
    fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    assert_int_equal(merkle_vkey_for_zone(span_str(e->zone.name),
                             crypto_key_pub(e->log), &vkey, &err),
            0);
    if (store_open(fd, &vkey, e->log, STORE_JOURNAL_MIN, &s, &err) < 0 ||
            store_append(s, &entry, 1, &err) < 0)
        fail_msg("%s", err.msg);
    store_close(s);
    close(fd);
}

static void seal(struct buf *payload, const struct crypto_key *k,
        const char *keyid, struct buf *ret)
{
    struct err err;

    *ret = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    assert_int_equal(statement_dsse_sign(STATEMENT_PAYLOAD_TYPE,
                             buf_span(payload), keyid, k, ret, &err),
            0);
    buf_fini(payload);
}

static void append_sealed(const struct world *w, const struct estate *e,
        struct buf *payload, const struct crypto_key *k, const char *keyid)
{
    struct buf env;

    seal(payload, k, keyid, &env);
    append(w, e, buf_span(&env));
    buf_fini(&env);
}

static void call_record(struct world *w)
{
    struct buf payload = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement_call c = {.issued = FIXTURE_NOW,
            .deadline = FIXTURE_NOW + 30,
            .policy = {1},
            .origin = span_str("thin"),
            .source_qube = span_str("work"),
            .zone = span_str("server"),
            .qube = span_str("signer"),
            .requested = span_str("server-signer"),
            .service = span_str("qair.Sign+release"),
            .rule = span_str("30-sign.policy:12")};
    struct err err;

    memcpy(c.call_id, call_id, sizeof c.call_id);
    assert_int_equal(statement_call_format(&c, &payload, &err), 0);
    seal(&payload, w->thin.identity, "thin/identity", &w->envelope);
    append(w, &w->thin, buf_span(&w->envelope));
}

static void decision_record(
        struct world *w, const struct crypto_key *key, uint8_t envelope_xor)
{
    struct buf payload = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement_decision d = {.policy = {2},
            .time = FIXTURE_NOW + 1,
            .allow = true,
            .zone = span_str("server"),
            .source_zone = span_str("thin"),
            .source_qube = span_str("work"),
            .source = span_str("thin-work"),
            .target_qube = span_str("signer"),
            .requested = span_str("signer"),
            .service = span_str("qair.Sign+release"),
            .rule = span_str("30-sign.policy:3")};
    struct err err;

    memcpy(d.call_id, call_id, sizeof d.call_id);
    crypto_sha256(buf_span(&w->envelope), d.envelope);
    d.envelope[0] ^= envelope_xor;
    assert_int_equal(statement_decision_format(&d, &payload, &err), 0);
    append_sealed(w, &w->server, &payload, key, "server/log");
}

static void sign_record(struct world *w)
{
    struct buf payload = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement_sign g = {.policy = {2},
            .time = FIXTURE_NOW + 2,
            .zone = span_str("server"),
            .qube = span_str("signer"),
            .requester_zone = span_str("thin"),
            .requester_qube = span_str("work"),
            .source = span_str("thin-work"),
            .rule = span_str("30-sign.policy:3"),
            .key = span_str("release"),
            .key_sha256 = {5},
            .custody = span_str("tpm"),
            .profile = span_str("sshsig"),
            .artefact = span_str("release.tar.gz"),
            .artefact_size = sizeof artefact - 1,
            .signature = {8},
            .state = span_str("golden (emulated)"),
            .emulated = true,
            .evidence = {9}};
    struct err err;

    memcpy(g.call_id, call_id, sizeof g.call_id);
    crypto_sha256(buf_span(&w->envelope), g.envelope);
    crypto_sha256(SPAN(artefact, sizeof artefact - 1), g.artefact_sha256);
    crypto_hash(CRYPTO_SHA512, SPAN(artefact, sizeof artefact - 1),
            g.artefact_sha512);
    assert_int_equal(statement_sign_format(&g, &payload, &err), 0);
    append_sealed(
            w, &w->server, &payload, w->server.identity, "server/identity");
}

static void event_record(const struct world *w, const struct estate *e,
        const struct crypto_key *key)
{
    struct buf payload = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement_event ev = {.time = FIXTURE_NOW,
            .zone = span_str(e->zone.name),
            .kind = span_str("zone-start"),
            .detail = span_str("golden (emulated)")};
    struct err err;

    assert_int_equal(statement_event_format(&ev, &payload, &err), 0);
    append_sealed(w, e, &payload, key, "x/log");
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    *state = w;
    strcpy(w->path, "/tmp/qair-log-cli-XXXXXX");
    assert_non_null(mkdtemp(w->path));
    estate_init(&w->thin, "thin");
    estate_init(&w->server, "server");
    put_zone(w, "thin");
    put_zone(w, "server");
    put_file(w, "release.tar.gz", artefact, sizeof artefact - 1);
    event_record(w, &w->thin, w->thin.log);
    event_record(w, &w->server, w->server.log);
    call_record(w);
    decision_record(w, w->server.log, 0);
    sign_record(w);
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char cmd[128];

    snprintf(cmd, sizeof cmd, "rm -rf %s", w->path);
    assert_int_equal(system(cmd), 0);
    estate_fini(&w->thin);
    estate_fini(&w->server);
    buf_fini(&w->envelope);
    free(w);
    return 0;
}

/* ---- the command ------------------------------------------------------------
 */

static void read_back(
        const struct world *w, const char *name, char *ret, size_t cap)
{
    char path[256];
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", w->path, name);
    f = fopen(path, "r");
    assert_non_null(f);
    n = fread(ret, 1, cap - 1, f);
    ret[n] = '\0';
    fclose(f);
}

/* Runs "qair -z ZONE log ARGS" in the world's folder; its exit code. */
static int run(struct world *w, const char *zone, const char *args)
{
    char cmd[1024];
    int status;

    snprintf(cmd, sizeof cmd, "cd %s && '%s' -z %s log %s >out 2>err", w->path,
            program, zone, args);
    status = system(cmd);
    assert_true(WIFEXITED(status));
    read_back(w, "out", w->out, sizeof w->out);
    read_back(w, "err", w->err, sizeof w->err);
    return WEXITSTATUS(status);
}

static void assert_run(struct world *w, const char *zone, const char *args)
{
    if (run(w, zone, args) != 0)
        fail_msg("%s: %s", args, w->err);
}

static void assert_out(const struct world *w, const char *text)
{
    if (strstr(w->out, text) == NULL)
        fail_msg("'%s' is not in:\n%s", text, w->out);
}

static void assert_err(const struct world *w, const char *text)
{
    if (strstr(w->err, text) == NULL)
        fail_msg("'%s' is not in:\n%s", text, w->err);
    /* one line that says what to do */
    assert_ptr_equal(strchr(w->err, '\n'), w->err + strlen(w->err) - 1);
}

/* ---- tests
 * ------------------------------------------------------------------- */

static void a_whole_log_verifies(void **state)
{
    struct world *w = *state;

    assert_run(w, "server", "verify");
    assert_out(w, "log of zone server verified: 3 records");
    assert_out(w, "sign       1");
    assert_run(w, "thin", "verify --json");
    assert_out(w, "\"ok\":true");
    assert_out(w, "\"size\":2");
}

static void a_copy_verifies_with_a_pack_or_not_at_all(void **state)
{
    struct world *w = *state;
    char cmd[256];

    snprintf(cmd, sizeof cmd, "cp -a %s/server/log %s/copy", w->path, w->path);
    assert_int_equal(system(cmd), 0);
    assert_int_equal(run(w, "copy", "verify"), 1);
    assert_err(w, "give --vkey, or --pack DIR");
    put_file(w, "x.pem", "x", 1);
    assert_int_equal(
            run(w, "copy", "verify --pack thin/pack --owner x.pem"), 1);
    assert_int_equal(run(w, "copy", "verify --pack thin/pack"), 1);
    /* without --owner the pack has to bring one */
    {
        char pem[1024];

        assert_int_equal(
                crypto_pub_pem(crypto_key_pub(w->thin.owner), pem, sizeof pem),
                0);
        put_file(w, "owner.pem", pem, strlen(pem));
    }
    assert_run(w, "copy", "verify --pack thin/pack --owner owner.pem");
    assert_out(w, "log of zone server verified");
}

static void a_vkey_alone_does_not_know_the_identity(void **state)
{
    struct world *w = *state;
    char vkey[MERKLE_VKEY_SIZE], args[512];
    struct merkle_vkey k;
    struct err err;

    assert_int_equal(merkle_vkey_for_zone(span_str("server"),
                             crypto_key_pub(w->server.log), &k, &err),
            0);
    merkle_vkey_format(&k, vkey);
    snprintf(args, sizeof args, "rm -rf %s/server/pack", w->path);
    assert_int_equal(system(args), 0);
    snprintf(args, sizeof args, "verify --vkey '%s'", vkey);
    assert_int_equal(run(w, "server", args), 1);
    assert_err(w, "its identity is in the pack");
    assert_int_equal(run(w, "thin", args), 1); /* another zone's key */
}

static void any_flipped_bit_is_seen(void **state)
{
    static const char *const names[] = {"server/log/checkpoint",
            "server/log/tile/entries/000.p/3", "server/log/tile/0/000.p/3"};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[256];
        uint8_t b;
        int fd;

        snprintf(path, sizeof path, "%s/%s", w->path, names[i]);
        fd = open(path, O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, &b, 1, 40), 1);
        b ^= 1;
        assert_int_equal(pwrite(fd, &b, 1, 40), 1);
        assert_int_equal(run(w, "server", "verify"), 1);
        assert_int_equal(w->out[0], '\0');
        b ^= 1;
        assert_int_equal(pwrite(fd, &b, 1, 40), 1);
        close(fd);
    }
    assert_run(w, "server", "verify");
}

static void a_record_of_a_stranger_is_seen(void **state)
{
    struct world *w = *state;

    event_record(w, &w->server, w->thin.identity);
    assert_int_equal(run(w, "server", "verify"), 1);
    assert_err(w, "entry 3 is signed by no known key");
    assert_run(w, "server", "show");
    assert_out(w, "[signature does not hold]");
}

static void an_entry_that_is_no_record_is_seen(void **state)
{
    struct world *w = *state;

    append(w, &w->server, span_str("{}"));
    assert_int_equal(run(w, "server", "verify"), 1);
    assert_err(w, "entry 3");
    assert_int_equal(run(w, "server", "show"), 1);
}

static void show_lists_and_filters(void **state)
{
    struct world *w = *state;
    json_t *j;

    assert_run(w, "server", "show");
    assert_out(w, "     0 2025-11-25T02:26:00Z event     zone-start");
    assert_out(w, "allowed   thin-work (work of zone thin) calls "
                  "qair.Sign+release on signer (rule 30-sign.policy:3)");
    assert_run(w, "server", "show --from 2");
    assert_null(strstr(w->out, "zone-start"));
    assert_out(w, "sign      release.tar.gz with key release");
    assert_run(w, "server", "show --kind sign --json");
    j = json_loads(w->out, 0, NULL); /* one line */
    assert_non_null(j);
    assert_string_equal(
            json_string_value(json_object_get(j, "signer")), "identity");
    json_decref(j);
    assert_int_equal(run(w, "server", "show --from x"), 2);
    assert_int_equal(run(w, "server", "show more"), 2);
    assert_int_equal(run(w, "server", "show --nonsense"), 2);
}

static void trace_tells_the_whole_act(void **state)
{
    static const char *const whats[] = {"release.tar.gz", CALL_HEX};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(whats); i++) {
        char args[256];

        snprintf(args, sizeof args, "trace %s --with thin", whats[i]);
        assert_run(w, "server", args);
        assert_out(w, "call " CALL_HEX);
        assert_out(w, "who        qube work of zone thin");
        assert_out(w, "by zone thin, rule 30-sign.policy:12");
        assert_out(w, "by zone server, rule 30-sign.policy:3");
        assert_out(w, "release of zone server, custody tpm");
        assert_out(w, "golden (emulated); the TPM is emulated");
        assert_out(w, "record 1 of 2 in the log of zone thin, signed by its "
                      "key identity");
        assert_null(strstr(w->out, "WRONG"));
        snprintf(args, sizeof args, "trace %s --with server --json --scan",
                whats[i]);
        assert_run(w, "thin", args);
        assert_out(w, "\"findings\":[]");
    }
}

static void trace_of_what_never_happened_finds_nothing(void **state)
{
    struct world *w = *state;

    put_file(w, "other", "x", 1);
    assert_int_equal(run(w, "server", "trace other"), 1);
    assert_err(w, "no record of sha256");
    assert_int_equal(
            run(w, "server", "trace 00000000000000000000000000000000"), 1);
    assert_int_equal(run(w, "server", "trace nofile"), 1);
    assert_err(w, "neither a file");
    assert_int_equal(run(w, "server", "trace"), 2);
}

static void trace_sees_records_that_do_not_agree(void **state)
{
    struct world *w = *state;

    decision_record(w, w->server.log, 1); /* names another envelope */
    assert_run(w, "server", "trace release.tar.gz"); /* thin's log is needed */
    assert_int_equal(run(w, "server", "trace release.tar.gz --with thin"), 1);
    assert_out(w, "WRONG");
    assert_out(w, "names another call envelope");
}

static void trace_sees_a_forged_record(void **state)
{
    struct world *w = *state;

    decision_record(w, w->thin.identity, 0);
    assert_int_equal(run(w, "server", "trace release.tar.gz"), 1);
    assert_out(w, "is signed by no key of the zone");
}

/* The index is a hint: gone, garbage, or of another log. */
static void the_index_may_be_anything(void **state)
{
    struct world *w = *state;
    char cmd[256];

    assert_run(w, "server", "trace release.tar.gz");
    put_file(w, "server/log/index.db", "garbage", 7);
    assert_run(w, "server", "trace release.tar.gz");
    snprintf(cmd, sizeof cmd,
            "cd %s && '%s' -z thin log trace " CALL_HEX
            " >/dev/null && cp thin/log/index.db server/log/",
            w->path, program);
    assert_int_equal(system(cmd), 0);
    assert_run(w, "server", "trace release.tar.gz");
    event_record(w, &w->server, w->server.log); /* the index is behind */
    sign_record(w);
    assert_run(w, "server", "trace release.tar.gz");
    assert_out(w, "record 4 of 5");
    snprintf(cmd, sizeof cmd, "rm %s/server/log/index.db", w->path);
    assert_int_equal(system(cmd), 0);
    assert_run(w, "server", "trace release.tar.gz");
}

static void checkpoint_prints_the_note(void **state)
{
    struct world *w = *state;

    assert_run(w, "server", "checkpoint");
    assert_memory_equal(w->out, "qair/server/log\n3\n", 18);
    assert_run(w, "server", "checkpoint --json");
    assert_out(w, "\"verified\":true");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
            T(a_whole_log_verifies),
            T(a_copy_verifies_with_a_pack_or_not_at_all),
            T(a_vkey_alone_does_not_know_the_identity),
            T(any_flipped_bit_is_seen),
            T(a_record_of_a_stranger_is_seen),
            T(an_entry_that_is_no_record_is_seen),
            T(show_lists_and_filters),
            T(trace_tells_the_whole_act),
            T(trace_of_what_never_happened_finds_nothing),
            T(trace_sees_records_that_do_not_agree),
            T(trace_sees_a_forged_record),
            T(the_index_may_be_anything),
            T(checkpoint_prints_the_note),
    };

    if (argc < 2)
        return 2;
    program = realpath(argv[1], NULL); /* the tests change folder */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
