/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CoRIMs and CoMIDs of others.  The data has licences of its own and is kept
 * outside: argv[1]/attestation/corim, else exit 77.  Each file of the folder
 * must have a row here.
 */
#include "corim.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define CORIM CLEANUP(corim_free_ptr) struct corim

static char root[PATH_MAX];

static struct span load(const char *name)
{
    static struct buf b;
    char path[2 * PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/attestation/corim/%s", root, name);
    buf_fini(&b);
    b = BUF_INIT(1u << 20);
    assert_int_equal(buf_load(&b, AT_FDCWD, path, NULL), 0);
    return buf_span(&b);
}

static const struct {
    const char *file;
    bool comid;
    int rc;
    size_t tags, values, notes;
    const char *line; /* of one of the values */
} rows[] = {
        {"comid-1a.cbor", true, 0, 1, 4, 0,
                "digest sha-256 44aa336af4cb14a879432e53dd6571c7fa9bccafb75f48"
                "8259262d6ea3a4d91b"},
        {"comid-2b.cbor", true, 0, 1, 4, 0, "svn 1"},
        {"comid-4.cbor", true, 0, 1, 3, 0, "key \"base64_key_ACME_MAX\""},
        {"comid-6.cbor", true, 0, 1, 2, 0, "version \"1.0.0\""},
        {"comid-cend.cbor", true, 0, 1, 0, 1, NULL},
        {"comid-design-cd.cbor", true, 0, 1, 5, 0,
                "raw value 0000000000000000 where ffffffff00000000"},
        {"comid-domain-mem.cbor", true, 0, 1, 0, 1, NULL},
        {"comid-flags.cbor", true, 0, 1, 10, 0, "flag debug no"},
        {"comid-opaque-instance-id.cbor", true, 0, 1, 1, 0,
                "version \"1.0.0\""},
        {"comid-series.cbor", true, 0, 1, 0, 1, NULL},
        {"corim-1.cbor", false, 0, 1, 2, 0, "version \"1.0.0\""},
        {"corim-design-cd.cbor", false, 0, 1, 5, 1, NULL},
        {"corim-roles.cbor", false, 0, 1, 1, 0, "version \"1.0.0\""},
        {"corim-sevsnp-bad-refval-no-key.cbor", false, ERR_SYNTAX, 0, 0, 0,
                NULL},
        {"corim-sevsnp-valid.cbor", false, 0, 2, 19, 0,
                "647: svn 6059311823650291722"},
        {"signed-example-corim.cbor", false, 0, 1, 6, 2,
                "31fb5abf-023e-4992-aa4e-95f9c1503bfa: extension -1"},
        {"unsigned-corim-with-extensions.cbor", false, 0, 1, 6, 2, NULL},
        {"unsigned-good-corim.cbor", false, 0, 1, 3, 0, NULL},
};

static bool has_line(const struct corim *c, const char *line)
{
    for (size_t i = 0; i < c->n_values; i++) {
        struct buf b = BUF_INIT(65536);
        bool same;

        corim_format_value(&c->value[i], &b);
        same = strcmp((const char *)b.ptr, line) == 0;
        buf_fini(&b);
        if (same)
            return true;
    }
    return false;
}

static void test_each_file_reads_as_its_row_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        CORIM *c = NULL;
        int rc = rows[i].comid ? corim_read_comid(load(rows[i].file), &c, &err)
                               : corim_read(load(rows[i].file), NULL, &c, &err);

        if (rc != rows[i].rc)
            fail_msg("%s: %d %s", rows[i].file, rc, err.msg);
        if (rc)
            continue;
        if (c->n_tags != rows[i].tags || c->n_values != rows[i].values ||
                c->n_notes != rows[i].notes)
            fail_msg("%s: %zu tags, %zu values, %zu notes", rows[i].file,
                    c->n_tags, c->n_values, c->n_notes);
        if (rows[i].line && !has_line(c, rows[i].line))
            fail_msg("%s: no value \"%s\"", rows[i].file, rows[i].line);
    }
}

static void test_no_file_is_without_a_row(void **state)
{
    char path[2 * PATH_MAX];
    struct dirent *e;
    DIR *d;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/attestation/corim", root);
    d = opendir(path);
    assert_non_null(d);
    while ((e = readdir(d))) {
        size_t i;

        if (!strstr(e->d_name, ".cbor"))
            continue;
        for (i = 0; i < ARRAY_LEN(rows); i++) {
            if (strcmp(rows[i].file, e->d_name) == 0)
                break;
        }
        if (i == ARRAY_LEN(rows))
            fail_msg("%s", e->d_name);
    }
    (void)closedir(d);
}

static void test_no_file_reads_when_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span s = load(rows[i].file);

        for (size_t n = 0; n < s.len; n++) {
            struct corim *c = NULL;
            struct span cut = SPAN(s.ptr, n);

            assert_int_not_equal(rows[i].comid
                                         ? corim_read_comid(cut, &c, NULL)
                                         : corim_read(cut, NULL, &c, NULL),
                    0);
            assert_null(c);
        }
    }
}

/* The key of RFC 7517's example, with which the Veraison project signs. */
#define KEY_X "30a0424cd21c2944838a2d75c92b37e76ea20d9f00893a3b4eee8a3c0aafec3e"
#define KEY_Y "e04b65e92456d9888b52b379bdfbd51ee869ef1f0fc65b6659695b6cce081723"

static void test_the_signed_example_is_signed_by_its_key(void **state)
{
    uint8_t x[32], y[32], spoilt[1024];
    struct span s = load("signed-example-corim.cbor");
    struct crypto_pub *k;
    struct corim *c = NULL;
    struct err err;

    (void)state;
    assert_true(text_parse_hex(span_str(KEY_X), x, 32));
    assert_true(text_parse_hex(span_str(KEY_Y), y, 32));
    k = crypto_pub_ec(CRYPTO_P256, SPAN_OF(x), SPAN_OF(y));
    assert_non_null(k);
    if (corim_read(s, k, &c, &err))
        fail_msg("%s", err.msg);
    assert_true(c->is_signed);
    assert_true(span_eq_str(c->signer, "ACME Ltd signing key"));
    assert_true(span_eq_str(c->profile, "http://example.com/example-profile"));
    assert_int_equal(corim_check_time(c, 1640908800, NULL), 0);
    assert_int_equal(corim_check_time(c, 1640908799, NULL), ERR_DENIED);
    assert_int_equal(corim_check_time(c, 1767139200, NULL), 0);
    assert_int_equal(corim_check_time(c, 1767139201, NULL), ERR_DENIED);
    corim_free(c);
    c = NULL;
    assert_true(s.len <= sizeof(spoilt));
    memcpy(spoilt, s.ptr, s.len);
    for (size_t bit = 0; bit < s.len * 8; bit += 3) {
        spoilt[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(corim_read(SPAN(spoilt, s.len), k, &c, NULL), 0);
        spoilt[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    crypto_pub_free(k);
}

static void test_snp_values_become_claims(void **state)
{
    static const struct {
        uint64_t mkey;
        const char *name;
        enum corim_claim_type type;
        uint64_t part[4];
    } want[] = {
            {0, "snp.version", CORIM_CLAIM_NUMBER, {2}},
            {1, "snp.guest_svn", CORIM_CLAIM_NUMBER, {0}},
            {2, "snp.policy", CORIM_CLAIM_NUMBER, {0x30000}},
            {5, "snp.vmpl", CORIM_CLAIM_NUMBER, {0}},
            {6, "snp.tcb.current", CORIM_CLAIM_VECTOR, {3, 0, 14, 211}},
            {7, "snp.platform", CORIM_CLAIM_NUMBER, {1}},
            {641, "snp.measurement", CORIM_CLAIM_BYTES, {0}},
            {647, "snp.tcb.reported", CORIM_CLAIM_VECTOR, {10, 0, 23, 84}},
            {3328, "snp.chip_id", CORIM_CLAIM_BYTES, {0}},
            {3330, "snp.firmware", CORIM_CLAIM_VERSION, {1, 55, 8}},
    };
    CORIM *c = NULL;
    size_t seen = 0;

    (void)state;
    assert_int_equal(
            corim_read(load("corim-sevsnp-valid.cbor"), NULL, &c, NULL), 0);
    for (size_t i = 0; i < c->n_values; i++) {
        struct corim_claim got;
        int rc =
                corim_claim(c, &c->value[i], CORIM_PRODUCT_UNKNOWN, &got, NULL);

        if (c->value[i].mkey.number == 640)
            assert_int_equal(rc, ERR_NOT_FOUND);
        if (c->value[i].role == CORIM_ATTEST_KEY)
            assert_int_equal(rc, ERR_DENIED);
        for (size_t k = 0; k < ARRAY_LEN(want); k++) {
            if (c->value[i].role != CORIM_REFERENCE ||
                    c->value[i].mkey.number != want[k].mkey)
                continue;
            seen++;
            assert_int_equal(rc, 0);
            assert_string_equal(got.name, want[k].name);
            assert_int_equal(got.type, want[k].type);
            assert_int_equal(got.at_least, want[k].mkey == 1);
            if (got.type == CORIM_CLAIM_NUMBER)
                assert_int_equal(got.number, want[k].part[0]);
            for (size_t p = 0; p < got.n_parts; p++)
                assert_int_equal(got.part[p], want[k].part[p]);
        }
    }
    assert_int_equal(seen, ARRAY_LEN(want));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_each_file_reads_as_its_row_says),
            cmocka_unit_test(test_no_file_is_without_a_row),
            cmocka_unit_test(test_no_file_reads_when_cut),
            cmocka_unit_test(test_the_signed_example_is_signed_by_its_key),
            cmocka_unit_test(test_snp_values_become_claims),
    };
    const char *env = getenv("QAIR_SHARED");
    char probe[PATH_MAX + 32];

    (void)snprintf(
            root, sizeof(root), "%s", env ? env : (argc > 1 ? argv[1] : "."));
    (void)snprintf(probe, sizeof(probe), "%s/attestation/corim", root);
    if (access(probe, R_OK) != 0)
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
