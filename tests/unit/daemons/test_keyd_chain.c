/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a calld that was taken over may ask of keyd: to sign a link around a
 * call of zone office that office did not make, or not so.
 */
#include "keyd_world.h"
#include "pack_fixture.h"
#include "statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static struct world w;
static struct estate office;
static struct err err;

static int setup(void **state)
{
    (void)state;
    world_init(&w);
    estate_init(&office, "office");
    crypto_key_free(office.owner);
    office.owner = w.owner;
    w.office_file.cap = LIMIT_LOG_ENTRY_MAX;
    estate_zone_file(&office, &w.office_file);
    world_ready(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    office.owner = NULL;
    estate_fini(&office);
    world_fini(&w);
    return 0;
}

/* work of office called door of this zone, whose policy sends it to vault. */
static struct statement_call before(void)
{
    uint64_t now = (uint64_t)time(NULL);

    return (struct statement_call){.call_id = {7},
            .issued = now - 1,
            .deadline = now + 60,
            .policy = {1},
            .origin = span_str("office"),
            .source_qube = span_str("work"),
            .zone = span_str(ZONE),
            .qube = span_str("door"),
            .service = span_str("test.Echo+"),
            .rule = span_str("30-t.policy:1")};
}

static struct msg_envelope next(const struct statement_call *b)
{
    return (struct msg_envelope){.call_id = {7},
            .issued = b->issued + 1,
            .deadline = b->deadline,
            .policy = {2},
            .source_qube = span_str("office-work"),
            .zone = span_str("thin"),
            .qube = span_str("vault"),
            .requested = span_str("door"),
            .service = span_str("test.Echo+"),
            .rule = span_str("30-t.policy:2"),
            .state = span_str("golden"),
            .evidence = {5}};
}

static struct buf sign(
        const struct statement_call *c, const struct crypto_key *key)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct buf dsse = BUF_INIT(STATEMENT_ENVELOPE_MAX);

    assert_int_equal(statement_call_format(c, &text, &err), 0);
    assert_int_equal(
            statement_dsse_sign(STATEMENT_PAYLOAD_TYPE, buf_span(&text),
                    "office/identity", key, &dsse, &err),
            0);
    return dsse;
}

static void the_next_link_holds_the_one_before(void **state)
{
    struct statement_call b = before(), c;
    struct msg_envelope e = next(&b);
    CLEANUP(buf_fini) struct buf dsse = sign(&b, office.identity);
    CLEANUP(statement_fini) struct statement s = {0};
    struct msg_blob got;

    (void)state;
    e.via = buf_span(&dsse);
    driver_put(w.calld, MSG_ENVELOPE, 3, &e, NULL, 0);
    assert_int_equal(driver_answer(w.calld, &got, NULL, NULL), MSG_BLOB);
    assert_int_equal(statement_open(got.bytes, w.identity, &s, &err), 0);
    assert_int_equal(statement_call_parse(&s, &c, &err), 0);
    assert_true(span_eq(c.via, buf_span(&dsse)));
    assert_true(span_eq_str(c.origin, ZONE));
    assert_true(span_eq_str(c.source_qube, "office-work"));
    assert_int_equal(c.call_id[0], 7);
}

static void forged(struct statement_call *b, struct msg_envelope *e)
{
    (void)b;
    (void)e;
}
static void for_another_zone(struct statement_call *b, struct msg_envelope *e)
{
    (void)e;
    b->zone = span_str("thin");
}
static void another_id(struct statement_call *b, struct msg_envelope *e)
{
    (void)b;
    e->call_id[0] = 8;
}
static void another_qube(struct statement_call *b, struct msg_envelope *e)
{
    (void)b;
    e->requested = span_str("window");
}
static void another_service(struct statement_call *b, struct msg_envelope *e)
{
    (void)b;
    e->service = span_str("test.Exec+");
}
static void longer(struct statement_call *b, struct msg_envelope *e)
{
    e->deadline = b->deadline + 1;
}
static void back(struct statement_call *b, struct msg_envelope *e)
{
    (void)b;
    e->zone = span_str("office");
}
static void from_a_stranger(struct statement_call *b, struct msg_envelope *e)
{
    (void)e;
    b->origin = span_str("nobody");
}

static const struct {
    void (*attack)(struct statement_call *b, struct msg_envelope *e);
    const char *why;
} attacks[] = {
        {forged, "not signed by the identity of zone 'office'"},
        {for_another_zone, "another zone"},
        {another_id, "two calls"},
        {another_qube, "another qube"},
        {another_service, "service changed"},
        {longer, "extended"},
        {back, "'office' twice"},
        {from_a_stranger, "not in the pack"},
};

static void no_link_is_signed_around_a_lie(void **state)
{
    char reason[512];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
        struct statement_call b = before();
        struct msg_envelope e = next(&b);

        attacks[i].attack(&b, &e);
        CLEANUP(buf_fini)
        struct buf dsse = sign(
                &b, attacks[i].attack == forged ? office.log : office.identity);
        e.via = buf_span(&dsse);
        driver_put(w.calld, MSG_ENVELOPE, 3, &e, NULL, 0);
        assert_true(world_refused(w.calld, reason, sizeof(reason)));
        if (!strstr(reason, attacks[i].why))
            fail_msg("%zu: %s", i, reason);
    }
}

static int group(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_next_link_holds_the_one_before),
            cmocka_unit_test(no_link_is_signed_around_a_lie),
    };

    return cmocka_run_group_tests_name("keyd-chain", tests, setup, teardown);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    world_program = argv[1];
    return world_run(group);
}
