/* SPDX-License-Identifier: Apache-2.0 */
#include "conf.h"

#include "bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct conf_zone zone; /* large */

static int parse_zone(const char *text, struct err *err)
{
    memset(err, 0, sizeof(*err));
    return conf_zone_parse(span_str(text), &zone, err);
}

static void test_zone_with_everything(void **state)
{
    struct err err;
    const struct conf_addr *a;

    (void)state;
    assert_int_equal(parse_zone("# a comment\n"
                                "\n"
                                "name=server\n"
                                "  listen =  192.0.2.1:7400 \n"
                                "uid-base = 70000\n"
                                "tpm = /dev/tpmrm0\n"
                                "pcrs = 0,2,4,7,9,11,14\n"
                                "firmware-log = /run/log\n"
                                "launch-log = /run/drtm\n"
                                "measured-files = /run/ima\n"
                                "guest-report = /run/tsm\n"
                                "owner = AAEC\n"
                                "reattest-interval = 30\n"
                                "programs = /usr/libexec/qair\n"
                                "relay-user = user\n"
                                "peer.thin = [2001:db8::1]:7401\n"
                                "peer.other = 192.0.2.9:1",
                             &err),
            0);
    assert_string_equal(zone.name, "server");
    assert_true(zone.has_listen);
    assert_string_equal(zone.listen.host, "192.0.2.1");
    assert_int_equal(zone.listen.port, 7400);
    assert_int_equal(zone.uid_base, 70000);
    assert_int_equal(zone.tpm, CONF_TPM_DEVICE);
    assert_string_equal(zone.tpm_path, "/dev/tpmrm0");
    assert_int_equal(zone.pcrs, 0x4a95);
    assert_string_equal(zone.firmware_log, "/run/log");
    assert_string_equal(zone.launch_log, "/run/drtm");
    assert_string_equal(zone.measured_files, "/run/ima");
    assert_string_equal(zone.guest_report, "/run/tsm");
    assert_int_equal(zone.owner_len, 3);
    assert_memory_equal(zone.owner, "\0\1\2", 3);
    assert_int_equal(zone.reattest_s, 30);
    assert_string_equal(zone.programs, "/usr/libexec/qair");
    assert_string_equal(zone.relay_user, "user");
    assert_int_equal(zone.n_peers, 2);
    a = conf_peer_find(&zone, span_str("thin"));
    assert_non_null(a);
    assert_string_equal(a->host, "2001:db8::1");
    assert_int_equal(a->port, 7401);
    assert_null(conf_peer_find(&zone, span_str("thi")));
}

static void test_zone_defaults(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(parse_zone("name = a\nlisten =\n", &err), 0);
    assert_false(zone.has_listen);
    assert_int_equal(zone.tpm, CONF_TPM_SWTPM);
    assert_int_equal(zone.uid_base, CONF_UID_BASE_DEF);
    assert_int_equal(zone.reattest_s, CONF_REATTEST_DEF);
    assert_int_equal(zone.owner_len, 0);
}

static void test_zone_refusals_name_line_and_key(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
            {"", "zone.conf: 'name' is missing"},
            {"name = a\nname = a\n", "zone.conf:2: 'name' a second time"},
            {"name = a\ncolour = red", "zone.conf:2: unknown key 'colour'"},
            {"name = a\n= b", "zone.conf:2: unknown key ''"},
            {"name = a\nName = b", "zone.conf:2: unknown key 'Name'"},
            {"name = a\npeer = b", "zone.conf:2: unknown key 'peer'"},
            {"name = a\npeer. = b", "zone.conf:2: unknown key 'peer.'"},
            {"name", "zone.conf:1: no '=' in line"},
            {"[zone]", "zone.conf:1: no '=' in line"},
            {"name = a\n # not at the start", "zone.conf:2: no '=' in line"},
            {"name = a\r\n", "zone.conf:1: control character"},
            {"name = a\x1b[1m", "zone.conf:1: control character"},
            {"name = \xff", "zone.conf:1: control character or bad UTF-8"},
            {"name =", "zone.conf:1: name: not a name"},
            {"name = A", "zone.conf:1: name: not a name"},
            {"name = a/b", "zone.conf:1: name: not a name"},
            {"name = ../b", "zone.conf:1: name: not a name"},
            {"name = a b", "zone.conf:1: name: not a name"},
            {"name = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "name: not a name"},
            {"name = a\nlisten = server:1", "listen: not a numeric address"},
            {"name = a\nlisten = 192.0.2.1", "listen: not an address"},
            {"name = a\nlisten = 192.0.2.1:65536", "listen: not an address"},
            {"name = a\nlisten = 192.0.2.1:-1", "listen: not an address"},
            {"name = a\nlisten = 192.0.2.1:+1", "listen: not an address"},
            {"name = a\nlisten = 192.0.2.1:01", "listen: not an address"},
            {"name = a\nlisten = 192.0.2.256:1", "not a numeric address"},
            {"name = a\nlisten = 2001:db8::1:7400", "not a numeric address"},
            {"name = a\nlisten = [2001:db8::1:7400", "not an address"},
            {"name = a\nlisten = [192.0.2.1]:1", "not a numeric address"},
            {"name = a\nlisten = :1", "not a numeric address"},
            {"name = a\nuid-base = 0", "uid-base: not a number from 1000"},
            {"name = a\nuid-base = 999", "uid-base: not a number from 1000"},
            {"name = a\nuid-base = 4294967295", "uid-base: not a number"},
            {"name = a\nuid-base = 18446744073709551616", "not a number"},
            {"name = a\ntpm = none", "tpm: neither 'swtpm' nor"},
            {"name = a\ntpm = /dev/../etc/passwd", "tpm: '..' in a path"},
            {"name = a\nprograms = bin", "programs: not an absolute path"},
            {"name = a\nprograms = /a/..", "programs: '..' in a path"},
            {"name = a\nrelay-user = -u", "relay-user: not a name"},
            {"name = a\nrelay-user = a b", "relay-user: not a name"},
            {"name = a\nowner = A", "owner: not base64"},
            {"name = a\nowner =", "owner: not base64"},
            {"name = a\nowner = AAE", "owner: not base64"},
            {"name = a\nreattest-interval = 1", "not a number from 5"},
            {"name = a\nfirmware-log = log", "not an absolute path"},
            {"name = a\nlaunch-log = /a/../b", "'..' in a path"},
            {"name = a\nmeasured-files = ima", "not an absolute path"},
            {"name = a\nguest-report = tsm", "not an absolute path"},
            {"name = a\npcrs =", "not PCRs"},
            {"name = a\npcrs = 14,", "not PCRs"},
            {"name = a\npcrs = 14,4", "not PCRs"},
            {"name = a\npcrs = 4,4,14", "not PCRs"},
            {"name = a\npcrs = 4, 14", "not PCRs"},
            {"name = a\npcrs = 14,24", "not PCRs"},
            {"name = a\npcrs = sha1:14", "not PCRs"},
            {"name = a\npcrs = 0,4,7", "PCR 14, which has"},
            {"name = a\npcrs = 14,16", "can reset"},
            {"name = a\npcrs = 14,23", "can reset"},
            {"name = a\npeer.b = 192.0.2.1:1\npeer.b = 192.0.2.1:1",
                    "zone.conf:3: peer.b: a second time"},
            {"name = a\npeer.b = 192.0.2.1:0", "zone.conf:2: peer.b: port 0"},
            {"name = a\npeer.B = 192.0.2.1:1", "peer.B: not a name"},
            {"name = a\npeer.a = 192.0.2.1:1", "no peer of itself"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err;

        if (parse_zone(cases[i].text, &err) == 0 ||
                !strstr(err.msg, cases[i].message))
            fail_msg("%s: got '%s', want '%s'", cases[i].text, err.msg,
                    cases[i].message);
    }
}

static void test_limits(void **state)
{
    struct buf b = BUF_INIT(2 * LIMIT_CONF_FILE_MAX);
    struct err err;

    (void)state;
    buf_append_str(&b, "name = a\n#");
    for (int i = 0; i < LIMIT_CONF_LINE_MAX - 1; i++)
        buf_append_u8(&b, 'x');
    assert_int_equal(conf_zone_parse(buf_span(&b), &zone, &err), 0);
    buf_append_u8(&b, 'x');
    assert_int_equal(conf_zone_parse(buf_span(&b), &zone, &err), ERR_LIMIT);
    assert_non_null(strstr(err.msg, "zone.conf:2:"));

    buf_reset(&b);
    buf_append_str(&b, "name = a\n");
    for (int i = 0; i <= LIMIT_ZONES_MAX; i++)
        buf_printf(&b, "peer.z%d = 192.0.2.1:1\n", i);
    assert_int_equal(conf_zone_parse(buf_span(&b), &zone, &err), ERR_LIMIT);

    buf_reset(&b);
    while (b.len <= LIMIT_CONF_FILE_MAX)
        buf_append_str(&b, "# many lines of comment\n");
    assert_int_equal(conf_zone_parse(buf_span(&b), &zone, &err), ERR_LIMIT);
    buf_fini(&b);
}

/* ---- qubes ----------------------------------------------------------- */

static int parse_qube(
        const char *file, const char *text, struct conf_qube *q, struct err *e)
{
    memset(e, 0, sizeof(*e));
    return conf_qube_parse(span_str(text), file, q, e);
}

static void test_qubes(void **state)
{
    struct conf_qube q;
    struct err err;

    (void)state;
    assert_int_equal(parse_qube("qubes.d/signer.conf",
                             "type = AppVM\n"
                             "tags = a   b\tc\n"
                             "services = qair.Sign qubes.GetDate\n"
                             "keys = release release-2\n"
                             "default-user = signer\nlabel = green\n"
                             "autostart = no\n",
                             &q, &err),
            0);
    assert_string_equal(q.name, "signer");
    assert_int_equal(q.type, CONF_APPVM);
    assert_string_equal(q.tags, "a b c");
    assert_string_equal(q.keys, "release release-2");
    assert_string_equal(q.default_user, "signer");
    assert_string_equal(q.label, "green");
    assert_false(q.autostart);
    assert_true(conf_list_has(q.services, span_str("qair.Sign")));
    assert_false(conf_list_has(q.services, span_str("qair.Sig")));
    assert_false(conf_list_has(q.services, span_str("")));
    assert_false(conf_list_has(q.services, span_str("*")));

    assert_int_equal(parse_qube("server-signer.conf",
                             "type = RemoteVM\nzone = server\n"
                             "remote-name = signer",
                             &q, &err),
            0);
    assert_string_equal(q.zone, "server");
    assert_string_equal(q.remote_name, "signer");
    assert_string_equal(q.default_user, "user");
    assert_true(q.autostart);
}

static void test_star_is_every_service_and_no_word(void **state)
{
    struct conf_qube q;
    struct err err;

    (void)state;
    assert_int_equal(
            parse_qube("a.conf", "type = AppVM\nservices = *", &q, &err), 0);
    assert_true(conf_list_has(q.services, span_str("anything")));
    assert_true(
            parse_qube("a.conf", "type = AppVM\nservices = a *", &q, &err) < 0);
    assert_true(parse_qube("a.conf", "type = AppVM\nkeys = *", &q, &err) < 0);
    assert_true(parse_qube("a.conf", "type = AppVM\ntags = *", &q, &err) < 0);
}

static void test_qube_refusals(void **state)
{
    static const struct {
        const char *file, *text, *message;
    } cases[] = {
            {"a", "type = AppVM", "a: not NAME.conf"},
            {".conf", "type = AppVM", "not NAME.conf"},
            {"A.conf", "type = AppVM", "A.conf: not a name"},
            {"dom0.conf", "type = AppVM", "reserved"},
            {"@adminvm.conf", "type = AppVM", "not a name"},
            {"a.conf", "", "a.conf: 'type' is missing"},
            {"a.conf", "type = appvm", "a.conf:1: type: neither"},
            {"a.conf", "type = AppVM\nzone = b", "for a RemoteVM"},
            {"a.conf", "type = AppVM\nremote-name = b", "for a RemoteVM"},
            {"a.conf", "type = RemoteVM", "needs zone and remote-name"},
            {"a.conf", "type = RemoteVM\nzone = b", "needs zone and"},
            {"a.conf", "type = RemoteVM\nzone = b\nremote-name = c\nkeys = d",
                    "for an AppVM"},
            {"a.conf",
                    "type = RemoteVM\nzone = b\nremote-name = c\nservices = d",
                    "for an AppVM"},
            {"a.conf", "type = AppVM\nkeys = Release", "not a key name"},
            {"a.conf", "type = AppVM\nkeys = a a", "'a' twice"},
            {"a.conf", "type = AppVM\nservices = a/../b", "bad word"},
            {"a.conf", "type = AppVM\nautostart = true", "neither yes nor no"},
            {"a.conf", "type = AppVM\ntemplate-for-dispvms = 1", "neither yes"},
            {"a.conf",
                    "type = RemoteVM\nzone = b\nremote-name = c\n"
                    "template-for-dispvms = yes",
                    "for an AppVM of this zone"},
            {"a.conf", "type = AppVM\ndefault-dispvm = @dispvm", "not a name"},
            {"a.conf", "type = AppVM\nrun = sh", "unknown key 'run'"},
            {"a.conf", "type = AppVM\norigin = b/c", "for a RemoteVM"},
            {"a.conf", "type = RemoteVM\nzone = b\nremote-name = c\norigin = d",
                    "not ZONE/QUBE"},
            {"a.conf",
                    "type = RemoteVM\nzone = b\nremote-name = c\norigin = d/",
                    "not a name"},
            {"a.conf",
                    "type = RemoteVM\nzone = b\nremote-name = c\n"
                    "origin = d/e/f",
                    "not a name"},
            {"a.conf", "type = AppVM\nhost = xen", "not 'qubes'"},
            {"a.conf", "type = AppVM\nhost = qubes\nkeys = k", "host's matter"},
            {"a.conf", "type = AppVM\nhost = qubes\nservices = s",
                    "host's matter"},
            {"a.conf",
                    "type = RemoteVM\nzone = b\nremote-name = c\nhost = qubes",
                    "host's matter"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_qube q;
        struct err err;

        if (parse_qube(cases[i].file, cases[i].text, &q, &err) == 0 ||
                !strstr(err.msg, cases[i].message))
            fail_msg(
                    "%s '%s': got '%s'", cases[i].file, cases[i].text, err.msg);
    }
}

static void test_list_is_bounded(void **state)
{
    struct buf b = BUF_INIT(LIMIT_CONF_LINE_MAX);
    struct conf_qube q;
    struct err err;

    (void)state;
    buf_append_str(&b, "type = AppVM\ntags =");
    for (int i = 0; i < 400; i++)
        buf_printf(&b, " t%d", i);
    assert_int_equal(
            conf_qube_parse(buf_span(&b), "a.conf", &q, &err), ERR_LIMIT);
    buf_fini(&b);
}

static void put(struct bundle_writer *w, const char *name, const char *content)
{
    struct bundle_file f = {span_str(name), span_str(content)};

    assert_int_equal(bundle_put(w, &f, NULL), 0);
}

#define REMOTE "type = RemoteVM\nzone = server\nremote-name = signer\n"

static void test_all_qubes_of_a_bundle(void **state)
{
    struct buf b = BUF_INIT(65536);
    struct bundle_writer w = {.out = &b};
    struct conf_qubes q;
    struct err err;

    (void)state;
    put(&w, "server-signer.conf", REMOTE);
    put(&w, "work.conf", "type = AppVM");
    assert_int_equal(conf_qubes_parse(buf_span(&b), &q, &err), 0);
    assert_int_equal(q.count, 2);
    assert_non_null(conf_qube_find(&q, span_str("work")));
    assert_null(conf_qube_find(&q, span_str("wor")));
    assert_string_equal(
            conf_qube_find_remote(&q, span_str("server"), span_str("signer"))
                    ->name,
            "server-signer");
    assert_null(
            conf_qube_find_remote(&q, span_str("thin"), span_str("signer")));
    assert_null(conf_qube_find_remote(&q, span_str(""), span_str("")));
    conf_qubes_fini(&q);

    put(&w, "x.conf", REMOTE);
    assert_int_equal(conf_qubes_parse(buf_span(&b), &q, &err), ERR_EXISTS);
    assert_non_null(strstr(err.msg, "qubes.d/x.conf: server-signer is signer"));
    assert_int_equal(
            conf_qubes_parse(SPAN(b.ptr, b.len - 1), &q, &err), ERR_SYNTAX);
    buf_fini(&b);
}

static void test_empty_bundle_has_no_qubes(void **state)
{
    struct conf_qubes q;

    (void)state;
    assert_int_equal(conf_qubes_parse(SPAN_EMPTY, &q, NULL), 0);
    assert_int_equal(q.count, 0);
    conf_qubes_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_zone_with_everything),
            cmocka_unit_test(test_zone_defaults),
            cmocka_unit_test(test_zone_refusals_name_line_and_key),
            cmocka_unit_test(test_limits),
            cmocka_unit_test(test_qubes),
            cmocka_unit_test(test_star_is_every_service_and_no_word),
            cmocka_unit_test(test_qube_refusals),
            cmocka_unit_test(test_list_is_bounded),
            cmocka_unit_test(test_all_qubes_of_a_bundle),
            cmocka_unit_test(test_empty_bundle_has_no_qubes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
