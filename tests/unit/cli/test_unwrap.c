/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence in carriers: what comes out, and what somebody may have put in. */
#include "attest_unwrap.h"
#include "eat.h"
#include "pack_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct estate estate;
static struct pack *pack;
static uint8_t binder[32] = {1, 2, 3};
static struct buf blob;

static int init(void **state)
{
    (void)state;
    estate_init(&estate, "server");
    machine_boot_golden(&estate.machine);
    pack = estate_pack(&estate, FIXTURE_NOW);
    blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    machine_evidence(&estate.machine, binder, &blob);
    return 0;
}

static int fini(void **state)
{
    (void)state;
    buf_fini(&blob);
    pack_free(pack);
    estate_fini(&estate);
    return 0;
}

/* Opens a copy; tells whether the blob came out. */
static int open(struct span in, const struct pack_zone **signer)
{
    struct buf b = BUF_INIT(ATTEST_WRAPPED_MAX);
    int r;

    *signer = NULL;
    buf_append(&b, in);
    r = attest_unwrap(&b, pack, FIXTURE_NOW, signer, NULL);
    if (r == 0)
        assert_true(span_eq(buf_span(&b), buf_span(&blob)));
    else
        assert_null(*signer);
    buf_fini(&b);
    return r;
}

static struct eat_evidence ours(void)
{
    return (struct eat_evidence){
            .nonce = SPAN_OF(binder), .evidence = buf_span(&blob)};
}

static int open_token(const struct eat_evidence *e, const struct crypto_key *k,
        const char *kid, bool wrapped)
{
    struct buf token = BUF_INIT(ATTEST_WRAPPED_MAX),
               cmw = BUF_INIT(ATTEST_WRAPPED_MAX);
    const struct pack_zone *signer;
    int r;

    assert_int_equal(
            eat_write(e, k, span_str(kid), SPAN_EMPTY, &token, NULL), 0);
    assert_int_equal(cmw_write("application/eat+cwt", buf_span(&token),
                             CMW_EVIDENCE, &cmw, NULL),
            0);
    r = open(wrapped ? buf_span(&cmw) : buf_span(&token), &signer);
    if (r == 0)
        assert_string_equal(signer->name, "server");
    buf_fini(&token);
    buf_fini(&cmw);
    return r;
}

static void test_a_blob_alone_is_itself(void **state)
{
    const struct pack_zone *signer;

    (void)state;
    assert_int_equal(open(buf_span(&blob), &signer), 0);
    assert_null(signer);
}

static int open_cmw(const char *type, uint64_t kinds)
{
    struct buf cmw = BUF_INIT(ATTEST_WRAPPED_MAX);
    const struct pack_zone *signer;
    int r;

    assert_int_equal(cmw_write(type, buf_span(&blob), kinds, &cmw, NULL), 0);
    r = open(buf_span(&cmw), &signer);
    assert_null(signer);
    buf_fini(&cmw);
    return r;
}

static void test_a_wrapped_blob_comes_out(void **state)
{
    (void)state;
    assert_int_equal(open_cmw("application/vnd.qair.evidence", 0), 0);
    assert_int_equal(
            open_cmw("application/vnd.qair.evidence", CMW_EVIDENCE), 0);
    assert_int_equal(
            open_cmw("application/vnd.qair.evidence", CMW_ENDORSEMENTS),
            ERR_UNSUPPORTED);
    assert_int_equal(open_cmw("application/json", 0), ERR_UNSUPPORTED);
}

static void test_evidence_twice_is_refused(void **state)
{
    struct buf cmw = BUF_INIT(ATTEST_WRAPPED_MAX);
    const struct pack_zone *signer;

    (void)state;
    buf_append(&cmw, SPAN("\xa2", 1));
    for (uint8_t i = 0; i < 2; i++) {
        buf_append_u8(&cmw, i);
        assert_int_equal(cmw_write("application/vnd.qair.evidence",
                                 buf_span(&blob), 0, &cmw, NULL),
                0);
    }
    assert_int_equal(open(buf_span(&cmw), &signer), ERR_SYNTAX);
    buf_fini(&cmw);
}

static void test_a_token_of_the_zone_comes_out(void **state)
{
    struct eat_evidence e = ours();

    (void)state;
    assert_int_equal(open_token(&e, estate.identity, "server", false), 0);
    assert_int_equal(open_token(&e, estate.identity, "server", true), 0);
}

static void test_a_token_of_somebody_else_is_refused(void **state)
{
    struct crypto_key *other = crypto_key_generate(CRYPTO_ED25519);
    struct eat_evidence e = ours();

    (void)state;
    assert_int_equal(open_token(&e, other, "server", false), ERR_MISMATCH);
    assert_int_equal(open_token(&e, other, "server", true), ERR_MISMATCH);
    assert_int_equal(
            open_token(&e, estate.identity, "nobody", false), ERR_NOT_FOUND);
    assert_int_equal(open_token(&e, estate.log, "server", false), ERR_MISMATCH);
    /* unsigned: nobody's word, and a file is no channel */
    assert_int_equal(open_token(&e, NULL, "server", false), ERR_DENIED);
    assert_int_equal(open_token(&e, NULL, "server", true), ERR_DENIED);
    crypto_key_free(other);
}

static void test_a_token_with_another_nonce_than_the_quote_is_refused(
        void **state)
{
    uint8_t fresh[32] = {9};
    struct eat_evidence e = ours();

    (void)state;
    e.nonce = SPAN_OF(fresh);
    assert_int_equal(
            open_token(&e, estate.identity, "server", false), ERR_MISMATCH);
}

static void test_a_token_around_no_evidence_is_refused(void **state)
{
    struct eat_evidence e = ours();

    (void)state;
    e.evidence = span_str("QAIREVID and nothing else");
    assert_int_not_equal(open_token(&e, estate.identity, "server", false), 0);
}

static void test_a_revoked_zone_signs_no_token(void **state)
{
    struct eat_evidence e = ours();
    struct pack *was = pack;

    (void)state;
    estate.zone.revoked = true;
    pack = estate_pack(&estate, 0);
    assert_non_null(pack);
    assert_int_equal(
            open_token(&e, estate.identity, "server", false), ERR_DENIED);
    pack_free(pack);
    pack = was;
    estate.zone.revoked = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_blob_alone_is_itself),
            cmocka_unit_test(test_a_wrapped_blob_comes_out),
            cmocka_unit_test(test_evidence_twice_is_refused),
            cmocka_unit_test(test_a_token_of_the_zone_comes_out),
            cmocka_unit_test(test_a_token_of_somebody_else_is_refused),
            cmocka_unit_test(
                    test_a_token_with_another_nonce_than_the_quote_is_refused),
            cmocka_unit_test(test_a_token_around_no_evidence_is_refused),
            cmocka_unit_test(test_a_revoked_zone_signs_no_token),
    };

    return cmocka_run_group_tests(tests, init, fini);
}
