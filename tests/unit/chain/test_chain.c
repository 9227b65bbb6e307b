/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains of envelopes, each link signed with the real key of its zone: one
 * that is true, and what a gateway, a carrier or a stranger makes of it.
 */
#include "chain.h"
#include "pack_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW   FIXTURE_NOW
#define LINKS 5

/* One zone more than a chain may have links, and one that is not enrolled. */
static const char *const names[] = {
        "thin", "gateway", "server", "vault", "attic", "cellar", "nobody"};
static struct estate estates[ARRAY_LEN(names)];
static struct pack *pack;

static int setup(void **state)
{
    CLEANUP(buf_fini) struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    struct crypto_key *owner = NULL;
    struct err err = {0};
    char name[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        estate_init(&estates[i], names[i]);
        if (i > 0) {
            crypto_key_free(estates[i].owner);
            estates[i].owner = owner;
        }
        owner = estates[0].owner;
    }
    pack = pack_new(crypto_key_pub(owner));
    for (size_t i = 0; i + 1 < ARRAY_LEN(names); i++) {
        buf_reset(&file);
        estates[i].zone.revoked = strcmp(names[i], "cellar") == 0;
        estate_zone_file(&estates[i], &file);
        (void)snprintf(name, sizeof(name), "zones/%s.json", names[i]);
        if (pack_add(pack, span_str(name), buf_span(&file), &err))
            fail_msg("%s", err.msg);
    }
    return pack_check(pack, &err);
}

static int teardown(void **state)
{
    (void)state;
    pack_free(pack);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (i > 0)
            estates[i].owner = NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        estate_fini(&estates[i]);
    return 0;
}

/* ---- the true chain ---------------------------------------------------- */

struct plan {
    size_t n; /* links */
    const char *zone[LINKS + 1];
    const char *signer[LINKS];
    struct statement_call call[LINKS]; /* the oldest first */
    bool cut[LINKS];                   /* leave out what came before */
};

static struct plan plan_of(size_t n)
{
    struct plan p = {.n = n};

    for (size_t i = 0; i <= n; i++)
        p.zone[i] = names[i];
    for (size_t i = 0; i < n; i++) {
        p.signer[i] = names[i];
        p.call[i] = (struct statement_call){.call_id = {9},
                .issued = NOW + i,
                .deadline = NOW + 100 - i,
                .policy = {(uint8_t)(i + 1)},
                .source_qube = span_str(i ? "caller" : "work"),
                .qube = span_str("next"),
                .requested = span_str("next"),
                .service = span_str("test.Echo+x"),
                .rule = span_str("30-t.policy:1")};
    }
    p.call[n - 1].qube = span_str("worker");
    return p;
}

static const struct crypto_key *key_of(const char *zone)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], zone) == 0)
            return estates[i].identity;
    }
    fail();
    return NULL;
}

static struct buf sign(const struct statement_call *c, const char *signer)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct buf dsse = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    struct err err = {0};

    if (statement_call_format(c, &text, &err) ||
            statement_dsse_sign(STATEMENT_PAYLOAD_TYPE, buf_span(&text),
                    "hint/identity", key_of(signer), &dsse, &err))
        fail_msg("%s", err.msg);
    return dsse;
}

struct made {
    struct buf dsse[LINKS];
    struct statement_call last; /* via points into dsse */
};

static void make(const struct plan *p, struct made *ret)
{
    struct span via = SPAN_EMPTY;

    *ret = (struct made){.last = {.issued = 0}};
    for (size_t i = 0; i < p->n; i++) {
        struct statement_call c = p->call[i];

        if (c.origin.len == 0)
            c.origin = span_str(p->zone[i]);
        if (c.zone.len == 0)
            c.zone = span_str(p->zone[i + 1]);
        if (c.via.len == 0 && !p->cut[i])
            c.via = via;
        ret->last = c;
        if (i + 1 < p->n) {
            ret->dsse[i] = sign(&c, p->signer[i]);
            via = buf_span(&ret->dsse[i]);
        }
    }
}

static void made_fini(struct made *m)
{
    for (size_t i = 0; i < LINKS; i++)
        buf_fini(&m->dsse[i]);
}

static int open_plan(const struct plan *p, uint64_t at, struct err *err)
{
    CLEANUP(chain_fini) struct chain c = {.n = 0};
    CLEANUP(made_fini) struct made m;

    make(p, &m);
    return chain_open(&m.last, pack, at, &c, err);
}

static void each_length_up_to_the_limit_is_good(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LIMIT_CALL_HOPS; n++) {
        CLEANUP(chain_fini) struct chain c = {.n = 0};
        CLEANUP(made_fini) struct made m;
        struct plan p = plan_of(n);
        struct err err = {0};

        make(&p, &m);
        if (chain_open(&m.last, pack, NOW + 10, &c, &err))
            fail_msg("%zu: %s", n, err.msg);
        assert_int_equal(c.n, n - 1);
        assert_true(span_eq_str(chain_first(&c, &m.last)->source_qube, "work"));
        assert_true(chain_has_zone(&c, &m.last, span_str("thin")));
        assert_false(chain_has_zone(&c, &m.last, span_str("nobody")));
    }
}

static void the_path_names_every_zone_in_order(void **state)
{
    CLEANUP(chain_fini) struct chain c = {.n = 0};
    CLEANUP(made_fini) struct made m;
    struct plan p = plan_of(2);
    char path[CHAIN_PATH_MAX];
    struct err err = {0};

    (void)state;
    make(&p, &m);
    assert_int_equal(chain_open(&m.last, pack, NOW, &c, &err), 0);
    chain_path(&c, &m.last, path);
    assert_string_equal(path, "thin/work -> gateway/caller -> server/worker");
}

/* The largest call that calld lets in still fits when all have signed. */
static void the_longest_chain_of_the_longest_service_fits(void **state)
{
    static char service[LIMIT_SERVICE_MAX + 1];
    struct plan p = plan_of(LIMIT_CALL_HOPS);
    struct err err = {0};

    (void)state;
    memset(service, 'a', LIMIT_SERVICE_MAX);
    memcpy(service, "s+", 2);
    for (size_t i = 0; i < p.n; i++)
        p.call[i].service = span_str(service);
    CLEANUP(made_fini) struct made m;
    make(&p, &m);
    CLEANUP(buf_fini) struct buf whole = sign(&m.last, p.signer[p.n - 1]);
    assert_true(whole.len > 4 * LIMIT_SERVICE_MAX);
    assert_int_equal(open_plan(&p, NOW, &err), 0);
}

/* ---- attacks ------------------------------------------------------------- */

static void another_call_id(struct plan *p)
{
    p->call[0].call_id[0] = 8;
}
static void another_service(struct plan *p)
{
    p->call[1].service = span_str("test.Echo+y");
}
static void another_qube(struct plan *p)
{
    p->call[1].requested = span_str("elsewhere");
}
static void extended_deadline(struct plan *p)
{
    p->call[1].deadline = p->call[0].deadline + 1;
}
static void older_than_the_one_before(struct plan *p)
{
    p->call[1].issued = p->call[0].issued - 1;
}
/* gateway forges the link of thin, which it never signed. */
static void signed_by_the_next(struct plan *p)
{
    p->signer[0] = "gateway";
}
static void signed_by_a_stranger(struct plan *p)
{
    p->signer[0] = "nobody";
}
static void unknown_zone(struct plan *p)
{
    p->zone[0] = p->signer[0] = "nobody";
}
static void revoked_zone(struct plan *p)
{
    p->zone[0] = p->signer[0] = "cellar";
}
/* thin's link was for vault: gateway has got hold of it and goes on. */
static void link_for_another_zone(struct plan *p)
{
    p->call[0].zone = span_str("vault");
}
static void comes_back_to_the_first(struct plan *p)
{
    p->zone[2] = "thin";
}
static void comes_back_in_the_middle(struct plan *p)
{
    *p = plan_of(4);
    p->zone[2] = p->signer[2] = "thin";
}
static void for_the_signer_itself(struct plan *p)
{
    p->zone[2] = "gateway";
}
static void one_link_too_many(struct plan *p)
{
    *p = plan_of(LIMIT_CALL_HOPS + 1);
}
/* vault leaves out gateway's link: server's was for another zone. */
static void middle_link_cut_out(struct plan *p)
{
    *p = plan_of(3);
    p->call[1].zone = span_str("attic");
}
/* The same two links, the other way round. */
static void links_swapped(struct plan *p)
{
    p->zone[0] = p->signer[0] = "gateway";
    p->zone[1] = p->signer[1] = "thin";
    p->call[0].zone = span_str("server");
    p->call[1].zone = span_str("gateway");
}
/* One true link as both. */
static void link_doubled(struct plan *p)
{
    p->zone[1] = p->signer[1] = "thin";
    p->zone[2] = "gateway";
    p->call[0].zone = span_str("gateway");
}
static void via_is_no_envelope(struct plan *p)
{
    p->call[1].via = span_str("{\"payload\":\"\"}");
}

static const struct {
    void (*attack)(struct plan *p);
    const char *what, *why;
} attacks[] = {
        {another_call_id, "two chains spliced", "two calls"},
        {another_service, "service changed", "service changed"},
        {another_qube, "goes on with another qube", "another qube"},
        {extended_deadline, "deadline extended", "extended"},
        {older_than_the_one_before, "a link older than the one before",
                "older than"},
        {signed_by_the_next, "gateway signs for thin",
                "not signed by the identity"},
        {signed_by_a_stranger, "a stranger signs for thin",
                "not signed by the identity"},
        {unknown_zone, "zone unknown", "not in the pack"},
        {revoked_zone, "zone revoked", "revoked"},
        {link_for_another_zone, "link for another zone", "another zone"},
        {comes_back_to_the_first, "loop A-B-A", "'thin' twice"},
        {comes_back_in_the_middle, "loop A-B-A-C", "'thin' twice"},
        {for_the_signer_itself, "loop B-B", "'gateway' twice"},
        {one_link_too_many, "chain of five", "more than 4"},
        {middle_link_cut_out, "a link cut out", "another zone"},
        {links_swapped, "links swapped", "another zone"},
        {link_doubled, "a link twice", "another zone"},
        {via_is_no_envelope, "via is no envelope", ""},
};

static void each_attack_on_a_chain_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
        struct plan p = plan_of(2);
        struct err err = {0};

        attacks[i].attack(&p);
        if (open_plan(&p, NOW, &err) == 0)
            fail_msg("%s: accepted", attacks[i].what);
        if (!strstr(err.msg, attacks[i].why))
            fail_msg("%s: %s", attacks[i].what, err.msg);
    }
}

/* gateway says that the call began there: the chain is shorter and true, but
 * it is gateway's own word, and server's policy sees gateway's qube. */
static void a_cut_at_the_root_makes_it_the_gateways_own_call(void **state)
{
    CLEANUP(chain_fini) struct chain c = {.n = 0};
    struct plan p = plan_of(2);
    struct err err = {0};

    (void)state;
    p.cut[1] = true;
    CLEANUP(made_fini) struct made m;
    make(&p, &m);
    assert_int_equal(chain_open(&m.last, pack, NOW, &c, &err), 0);
    assert_true(span_eq_str(chain_first(&c, &m.last)->origin, "gateway"));
}

/* Any bit of the earlier envelope changed: refused, or the very same link. */
static void every_flipped_bit_of_an_earlier_link_is_caught(void **state)
{
    CLEANUP(made_fini) struct made m;
    struct plan p = plan_of(2);
    struct err err = {0};
    unsigned same = 0;

    (void)state;
    make(&p, &m);
    for (size_t i = 0; i < m.dsse[0].len; i++) {
        CLEANUP(chain_fini) struct chain c = {.n = 0};

        m.dsse[0].ptr[i] ^= 1;
        if (chain_open(&m.last, pack, NOW, &c, &err) == 0) {
            assert_true(span_eq_str(c.call[0].source_qube, "work"));
            assert_true(span_eq_str(c.call[0].qube, "next"));
            same++; /* the key id is a hint and not signed */
        }
        m.dsse[0].ptr[i] ^= 1;
    }
    assert_true(same < 40);
}

/* A receipt of a day on which the zone was good stays good. */
static void validity_is_that_of_the_asked_time(void **state)
{
    struct plan p = plan_of(2);
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < p.n; i++) {
        p.call[i].issued -= 90000;
        p.call[i].deadline -= 90000;
    }
    assert_int_equal(open_plan(&p, NOW, &err), 0);
    assert_true(open_plan(&p, 0, &err) < 0);
    assert_non_null(strstr(err.msg, "not valid"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(each_length_up_to_the_limit_is_good),
            cmocka_unit_test(the_path_names_every_zone_in_order),
            cmocka_unit_test(the_longest_chain_of_the_longest_service_fits),
            cmocka_unit_test(each_attack_on_a_chain_is_refused),
            cmocka_unit_test(a_cut_at_the_root_makes_it_the_gateways_own_call),
            cmocka_unit_test(every_flipped_bit_of_an_earlier_link_is_caught),
            cmocka_unit_test(validity_is_that_of_the_asked_time),
    };

    return cmocka_run_group_tests_name("chain", tests, setup, teardown);
}
