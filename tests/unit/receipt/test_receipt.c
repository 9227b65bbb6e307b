/* SPDX-License-Identifier: Apache-2.0 */
/* The offline judgement: each lie is caught by the check that is there for it.
 */
#include "receipt_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BUF CLEANUP(buf_fini) struct buf

static struct scene scene;

static int setup(void **state)
{
    (void)state;
    scene_init(&scene, CRYPTO_ED25519);
    (void)snprintf(scene.key.profile, sizeof(scene.key.profile), "sshsig");
    scene_pack(&scene);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scene_fini(&scene);
    return 0;
}

static void use_profile(enum profile_id id)
{
    (void)snprintf(scene.key.profile, sizeof(scene.key.profile), "%s",
            profile_name(id));
    scene_pack(&scene);
}

static struct receipt_judgement judge_at(
        struct span receipt, const char *artefact, uint64_t time)
{
    struct profile_digests d = scene_digests(artefact ? artefact : "");
    struct receipt_input in = {.receipt = receipt,
            .pack = scene.pack,
            .artefact = artefact ? &d : NULL,
            .time = time};
    struct receipt_judgement j;

    receipt_judge(&in, &j);
    return j;
}

static struct receipt_judgement judge(struct span receipt, const char *artefact)
{
    return judge_at(receipt, artefact, FIXTURE_NOW + 10);
}

static void assert_verified(const struct receipt_judgement *j)
{
    for (unsigned i = 0; i < RECEIPT_CHECK_COUNT; i++) {
        if (j->finding[i].result == RECEIPT_FAILED)
            fail_msg("%s: %s", receipt_check_name((enum receipt_check)i),
                    j->finding[i].detail);
    }
    assert_true(j->verified);
}

static void assert_caught(
        const struct receipt_judgement *j, unsigned by, const char *why)
{
    assert_false(j->verified);
    if (j->finding[by].result != RECEIPT_FAILED ||
            !strstr(j->finding[by].detail, why))
        fail_msg("%s: %s", receipt_check_name((enum receipt_check)by),
                j->finding[by].detail);
    /* and not because something before it stumbled */
    for (unsigned i = 0; i < by; i++) {
        if (j->finding[i].result == RECEIPT_FAILED)
            fail_msg("%s: %s", receipt_check_name((enum receipt_check)i),
                    j->finding[i].detail);
    }
}

static void true_receipts_are_verified(void **state)
{
    (void)state;
    for (unsigned id = PROFILE_SSHSIG; id <= PROFILE_MINISIGN; id++) {
        struct recipe r = scene_recipe(&scene, (enum profile_id)id);

        use_profile((enum profile_id)id);
        BUF text = scene_cook(&scene, &r);
        struct receipt_judgement j = judge(buf_span(&text), FIXTURE_ARTEFACT);
        assert_verified(&j);
        assert_non_null(strstr(
                j.finding[RECEIPT_EVIDENCE].detail, "golden (emulated)"));
        assert_non_null(strstr(
                j.finding[RECEIPT_ENVELOPE].detail, "work of zone thin"));
    }
}

static void without_the_file_nothing_is_said_about_it(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF text = scene_cook(&scene, &r);
    struct receipt_judgement j = judge(buf_span(&text), NULL);

    (void)state;
    assert_verified(&j);
    assert_int_equal(j.finding[RECEIPT_ARTEFACT].result, RECEIPT_NOT_GIVEN);
}

static void minisign_without_the_file_is_not_verified(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_MINISIGN);

    (void)state;
    use_profile(PROFILE_MINISIGN);
    BUF text = scene_cook(&scene, &r);
    struct receipt_judgement j = judge(buf_span(&text), NULL);
    assert_caught(&j, RECEIPT_SIGNATURE, "with the file");
}

static void a_call_inside_the_zone_has_no_envelope(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);

    (void)state;
    r.local = true;
    r.sign.requester_zone = span_str("server");
    BUF text = scene_cook(&scene, &r);
    struct receipt_judgement j = judge(buf_span(&text), FIXTURE_ARTEFACT);
    assert_verified(&j);
}

/* The server's own policy sends signer's work to another of its qubes. */
static void a_redirect_on_the_target_is_verified_and_shown(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);

    (void)state;
    r.sign.qube = span_str("builder");
    BUF text = scene_cook(&scene, &r);
    struct receipt_judgement j = judge(buf_span(&text), FIXTURE_ARTEFACT);
    assert_verified(&j);
    assert_string_equal(j.finding[RECEIPT_PATH].detail,
            "thin/work -> server/signer, redirected to builder by "
            "30-sign.policy:3");
}

static void a_key_use_at_the_end_of_a_chain_shows_the_whole_path(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);

    (void)state;
    scene_through_gateway(&scene, &r);
    BUF text = scene_cook(&scene, &r);
    struct receipt_judgement j = judge(buf_span(&text), FIXTURE_ARTEFACT);
    assert_verified(&j);
    assert_string_equal(j.finding[RECEIPT_PATH].detail,
            "thin/work -> gateway/thin-work -> server/signer");
    recipe_fini(&r);
}

/* ---- lies of whoever made the receipt ---------------------------------- */

static void another_identity(struct recipe *r)
{
    r->identity = scene.thin.identity;
}
static void unknown_zone(struct recipe *r)
{
    r->sign.zone = span_str("elsewhere");
}
static void another_zone(struct recipe *r)
{
    r->sign.zone = span_str("thin");
}
static void from_the_future(struct recipe *r)
{
    r->sign.time = r->call.issued = FIXTURE_NOW + 1000;
    r->call.deadline = FIXTURE_NOW + 1060;
}
static void before_the_zone_was(struct recipe *r)
{
    r->sign.time = r->call.issued = FIXTURE_NOW - 90000;
    r->call.deadline = FIXTURE_NOW - 89999;
}
static void another_log_key(struct recipe *r)
{
    r->log = scene.thin.log;
}
static void proof_of_another_entry(struct recipe *r)
{
    r->other_proof = true;
}
static void envelope_by_another_key(struct recipe *r)
{
    r->origin = scene.server.identity;
}
static void envelope_missing(struct recipe *r)
{
    r->drop_envelope = true;
}
static void envelope_not_the_stated(struct recipe *r)
{
    r->sign.envelope[0] = 1;
}
static void another_call(struct recipe *r)
{
    r->call.call_id[0] = 8;
}
static void another_requester(struct recipe *r)
{
    r->call.source_qube = span_str("mail");
}
static void another_origin(struct recipe *r)
{
    r->call.origin = span_str("server");
}
static void for_another_zone(struct recipe *r)
{
    r->call.zone = span_str("thin");
}
static void for_another_qube(struct recipe *r)
{
    r->call.qube = span_str("builder");
}
static void redirect_of_another_call(struct recipe *r)
{
    r->sign.requested = span_str("builder");
}
static void chain_with_a_forged_first_link(struct recipe *r)
{
    r->first_signer = scene.gateway.identity;
    scene_through_gateway(&scene, r);
}
static void chain_of_another_call(struct recipe *r)
{
    r->first.call_id[0] = 9;
    scene_through_gateway(&scene, r);
}
static void chain_that_extends_the_deadline(struct recipe *r)
{
    r->first.deadline = r->call.deadline - 1;
    scene_through_gateway(&scene, r);
}
static void chain_without_its_middle(struct recipe *r)
{
    r->first.zone = span_str("server");
    scene_through_gateway(&scene, r);
}
static void chain_from_an_unknown_zone(struct recipe *r)
{
    r->first.origin = span_str("elsewhere");
    scene_through_gateway(&scene, r);
}
static void chain_that_loops(struct recipe *r)
{
    r->first.origin = span_str("server");
    r->first_signer = scene.server.identity;
    scene_through_gateway(&scene, r);
}
static void envelope_issued_later(struct recipe *r)
{
    r->call.issued = FIXTURE_NOW + 400;
    r->call.deadline = FIXTURE_NOW + 500;
}
/* A true envelope of another day, given to a signature that nobody asked for.
 * The key was valid, the call id is the same, only the times do not agree. */
static void envelope_long_used_up(struct recipe *r)
{
    r->call.issued = FIXTURE_NOW - 1200;
    r->call.deadline = FIXTURE_NOW - 901;
}
static void stranger_without_envelope(struct recipe *r)
{
    r->local = true;
}
static void unknown_origin(struct recipe *r)
{
    r->sign.requester_zone = r->call.origin = span_str("elsewhere");
}
static void envelope_nobody_stated(struct recipe *r)
{
    r->sign.requester_zone = span_str("server");
    r->unstated = true;
}
static void unknown_key(struct recipe *r)
{
    r->sign.key = span_str("other");
}
static void another_public_key(struct recipe *r)
{
    r->sign.key_sha256[0] ^= 1;
}
static void another_custody(struct recipe *r)
{
    r->sign.custody = span_str("tpm");
}
static void before_the_key_was(struct recipe *r)
{
    r->sign.time = r->call.issued = FIXTURE_NOW - 4000;
    r->call.deadline = FIXTURE_NOW - 3990;
}
static void signed_by_a_stranger(struct recipe *r)
{
    r->signer = scene.stranger;
}
static void signature_over_something_else(struct recipe *r)
{
    r->artefact = "evil\n";
}
static void signature_not_the_stated(struct recipe *r)
{
    r->sign.signature[0] = 1;
}
static void evidence_of_another_act(struct recipe *r)
{
    r->other_binder = true;
}
static void evidence_not_the_stated(struct recipe *r)
{
    r->sign.evidence[0] = 1;
}
static void no_evidence_stated(struct recipe *r)
{
    r->other_evidence = true; /* ECDSA: another quote over the same */
}
static void a_better_state(struct recipe *r)
{
    r->sign.state = span_str("golden");
}
static void not_emulated(struct recipe *r)
{
    r->sign.emulated = false;
}
static void another_size(struct recipe *r)
{
    r->sign.artefact_size++;
}

static const struct {
    void (*lie)(struct recipe *r);
    enum receipt_check caught_by;
    const char *why;
} lies[] = {
        {another_identity, RECEIPT_STATEMENT, "not signed by the identity"},
        {unknown_zone, RECEIPT_STATEMENT, "not in the pack"},
        {another_zone, RECEIPT_STATEMENT, "not signed by the identity"},
        {before_the_zone_was, RECEIPT_STATEMENT, "not valid"},
        {from_the_future, RECEIPT_TIME, "in the future"},
        {another_log_key, RECEIPT_LOG, "not proved"},
        {proof_of_another_entry, RECEIPT_LOG, "not proved"},
        {envelope_by_another_key, RECEIPT_ENVELOPE, "not an envelope of"},
        {envelope_missing, RECEIPT_ENVELOPE, "not the one"},
        {envelope_not_the_stated, RECEIPT_ENVELOPE, "not the one"},
        {another_call, RECEIPT_ENVELOPE, "another call"},
        {another_requester, RECEIPT_ENVELOPE, "mail of zone thin"},
        {another_origin, RECEIPT_ENVELOPE, "of zone server"},
        {for_another_zone, RECEIPT_ENVELOPE, "is for signer of zone thin"},
        {for_another_qube, RECEIPT_ENVELOPE, "is for builder"},
        {redirect_of_another_call, RECEIPT_ENVELOPE, "is for signer"},
        {chain_with_a_forged_first_link, RECEIPT_PATH,
                "not signed by the identity of zone 'thin'"},
        {chain_of_another_call, RECEIPT_PATH, "two calls"},
        {chain_that_extends_the_deadline, RECEIPT_PATH, "extended"},
        {chain_without_its_middle, RECEIPT_PATH, "another zone"},
        {chain_from_an_unknown_zone, RECEIPT_PATH, "not in the pack"},
        {chain_that_loops, RECEIPT_PATH, "'server' twice"},
        {envelope_issued_later, RECEIPT_ENVELOPE, "after the signature"},
        {envelope_long_used_up, RECEIPT_ENVELOPE, "deadline had passed"},
        {stranger_without_envelope, RECEIPT_ENVELOPE, "without its envelope"},
        {unknown_origin, RECEIPT_ENVELOPE, "elsewhere is not in the pack"},
        {envelope_nobody_stated, RECEIPT_ENVELOPE, "does not name"},
        {unknown_key, RECEIPT_KEY, "not in the pack"},
        {another_public_key, RECEIPT_KEY, "another public key"},
        {another_custody, RECEIPT_KEY, "in custody sealed"},
        {before_the_key_was, RECEIPT_KEY, "not valid"},
        {signed_by_a_stranger, RECEIPT_SIGNATURE, "by another key"},
        {signature_over_something_else, RECEIPT_SIGNATURE,
                "does not belong to the artefact"},
        {signature_not_the_stated, RECEIPT_SIGNATURE, "not the one"},
        {another_size, RECEIPT_ARTEFACT, "signed was"},
        {evidence_of_another_act, RECEIPT_EVIDENCE, ""},
        {evidence_not_the_stated, RECEIPT_EVIDENCE, "not the one"},
        {no_evidence_stated, RECEIPT_EVIDENCE, "not the one"},
        {a_better_state, RECEIPT_EVIDENCE, "state is golden (emulated)"},
        {not_emulated, RECEIPT_EVIDENCE, "state is"},
};

static void each_lie_is_caught_by_its_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);

        lies[i].lie(&r);
        BUF text = scene_cook(&scene, &r);
        struct receipt_judgement j = judge(buf_span(&text), FIXTURE_ARTEFACT);
        assert_caught(&j, lies[i].caught_by, lies[i].why);
        recipe_fini(&r);
    }
}

static void keys_of_other_zones_are_not_believed(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF text = scene_cook(&scene, &r);
    struct receipt_judgement j;

    (void)state;
    (void)snprintf(scene.key.zone, sizeof(scene.key.zone), "thin");
    scene_pack(&scene);
    j = judge(buf_span(&text), FIXTURE_ARTEFACT);
    assert_caught(&j, RECEIPT_KEY, "belongs to zone thin");
}

/* A true statement of the zone, but about something else; and no statement. */
static void other_statements_are_no_receipt(void **state)
{
    struct recipe recipe = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF text = scene_cook(&scene, &recipe);
    struct receipt r;
    struct err err;

    (void)state;
    assert_int_equal(receipt_parse(buf_span(&text), &r, &err), 0);
    const struct span other[] = {
            r.envelope, span_str("{}"), span_str("x"), SPAN_EMPTY};
    for (size_t i = 0; i < ARRAY_LEN(other); i++) {
        BUF bad = BUF_INIT(RECEIPT_MAX);
        struct receipt_judgement j;

        r.statement = other[i];
        assert_int_equal(receipt_format(&r, &bad, &err), 0);
        j = judge(buf_span(&bad), FIXTURE_ARTEFACT);
        assert_caught(&j, RECEIPT_FORM, "statement: ");
    }
    receipt_fini(&r);
}

static void a_second_signature_file_is_not_the_stated_one(void **state)
{
    struct scene s;
    struct recipe r;

    (void)state;
    /* ECDSA: each signature is another */
    scene_init(&s, CRYPTO_P256);
    (void)snprintf(s.key.profile, sizeof(s.key.profile), "sshsig");
    scene_pack(&s);
    r = scene_recipe(&s, PROFILE_SSHSIG);
    BUF good = scene_cook(&s, &r);
    r = scene_recipe(&s, PROFILE_SSHSIG);
    r.other_text = true;
    BUF bad = scene_cook(&s, &r);
    struct profile_digests d = scene_digests(FIXTURE_ARTEFACT);
    struct receipt_input in = {.receipt = buf_span(&good),
            .pack = s.pack,
            .artefact = &d,
            .time = FIXTURE_NOW};
    struct receipt_judgement j;
    receipt_judge(&in, &j);
    assert_verified(&j);
    in.receipt = buf_span(&bad);
    receipt_judge(&in, &j);
    assert_caught(&j, RECEIPT_SIGNATURE, "not the one");
    scene_fini(&s);
}

static void a_comment_that_names_another_file_is_caught(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_MINISIGN);

    (void)state;
    use_profile(PROFILE_MINISIGN);
    r.comment_name = "qair-2.0.tar";
    BUF text = scene_cook(&scene, &r);
    struct receipt_judgement j = judge(buf_span(&text), FIXTURE_ARTEFACT);
    assert_caught(&j, RECEIPT_SIGNATURE, "names another file");
}

static void another_file_is_not_what_was_signed(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF text = scene_cook(&scene, &r);
    struct receipt_judgement j = judge(buf_span(&text), "another file\n");

    (void)state;
    assert_caught(&j, RECEIPT_ARTEFACT, "signed was");
}

/* ---- what the owner has said since ------------------------------------- */

static void a_state_that_was_not_approved_is_named(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);
    struct machine *m = &scene.server.machine;

    (void)state;
    /* one byte of a policy file */
    machine_boot(m);
    machine_measure(m, "conf", "zone.conf", "name = server\n");
    machine_measure(m, "policy", "policy.d/30-sign.policy", "* * a c deny\n");
    machine_measure(m, "program", "qair-keyd", "ELF");
    machine_measure(m, "qube", "qubes.d/signer.conf", "type = AppVM\n");
    machine_close(m);
    BUF text = scene_cook(&scene, &r);
    struct receipt_judgement j = judge(buf_span(&text), FIXTURE_ARTEFACT);
    assert_caught(&j, RECEIPT_EVIDENCE, "policy.d/30-sign.policy differs");
    /* and a program that was not there */
    machine_boot(m);
    machine_measure(m, "conf", "zone.conf", "name = server\n");
    machine_measure(m, "policy", "policy.d/30-sign.policy", "* * a c deny\n");
    machine_measure(m, "program", "qair-keyd", "ELF");
    machine_measure(m, "program", "qair-evil", "ELF");
    machine_measure(m, "qube", "qubes.d/signer.conf", "type = AppVM\n");
    machine_close(m);
    r = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF worse = scene_cook(&scene, &r);
    j = judge(buf_span(&worse), FIXTURE_ARTEFACT);
    assert_caught(&j, RECEIPT_EVIDENCE, ", and 1 more");
}

static void add_rules(const char *text, uint64_t issued)
{
    BUF file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);

    scene_pack(&scene);
    assert_int_equal(pack_rules_sign("server", span_str(text), issued, 0,
                             scene.server.owner, &file, NULL),
            0);
    assert_int_equal(pack_add(scene.pack, span_str("rules/server.json"),
                             buf_span(&file), NULL),
            0);
}

static void the_rules_of_the_day_are_kept(void **state)
{
    static const struct {
        const char *rules;
        uint64_t issued;
        const char *says; /* NULL: verified */
    } cases[] = {
            {"state golden\nzone.files is approved\n", FIXTURE_NOW - 1000,
                    NULL},
            {"state golden\ntpm.emulated is no\n", FIXTURE_NOW - 1000,
                    "tpm.emulated"},
            {"state golden\nsecureboot.enabled is yes\n", FIXTURE_NOW - 1000,
                    "undecided"},
            {"state other\nzone.files is approved\n", FIXTURE_NOW - 1000,
                    "state is other"},
            /* rules that came later, or may have */
            {"state golden\ntpm.emulated is no\n", FIXTURE_NOW + 1000, NULL},
            {"state golden\ntpm.emulated is no\n", FIXTURE_NOW - 10, NULL},
    };
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF text = scene_cook(&scene, &r);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct receipt_judgement j;

        add_rules(cases[i].rules, cases[i].issued);
        j = judge(buf_span(&text), FIXTURE_ARTEFACT);
        if (cases[i].says)
            assert_caught(&j, RECEIPT_EVIDENCE, cases[i].says);
        else
            assert_verified(&j);
    }
}

static void revoked_zones_and_keys_are_not_believed(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF text = scene_cook(&scene, &r);
    struct receipt_judgement j;

    (void)state;
    scene.key.revoked = true;
    scene_pack(&scene);
    j = judge(buf_span(&text), FIXTURE_ARTEFACT);
    assert_caught(&j, RECEIPT_KEY, "revoked");
    scene.key.revoked = false;
    scene.thin.zone.revoked = true;
    scene_pack(&scene);
    j = judge(buf_span(&text), FIXTURE_ARTEFACT);
    assert_caught(&j, RECEIPT_ENVELOPE, "not valid");
    scene.server.zone.revoked = true;
    scene_pack(&scene);
    j = judge(buf_span(&text), FIXTURE_ARTEFACT);
    assert_caught(&j, RECEIPT_STATEMENT, "not valid");
}

static void another_owner_knows_none_of_it(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF text = scene_cook(&scene, &r);
    struct scene other;
    struct receipt_judgement j;
    struct receipt_input in = {.receipt = buf_span(&text), .time = FIXTURE_NOW};

    (void)state;
    scene_init(&other, CRYPTO_ED25519);
    (void)snprintf(other.key.profile, sizeof(other.key.profile), "sshsig");
    scene_pack(&other);
    in.pack = other.pack;
    receipt_judge(&in, &j);
    assert_caught(&j, RECEIPT_STATEMENT, "not signed by the identity");
    for (unsigned i = RECEIPT_STATEMENT; i < RECEIPT_CHECK_COUNT; i++)
        assert_int_equal(j.finding[i].result, RECEIPT_FAILED);
    scene_fini(&other);
}

/* ---- the bytes --------------------------------------------------------- */

static void no_flipped_bit_is_overlooked(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF text = scene_cook(&scene, &r);

    (void)state;
    for (size_t bit = 0; bit < text.len * 8; bit += 13) {
        text.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct receipt_judgement j = judge(buf_span(&text), FIXTURE_ARTEFACT);
        if (j.verified)
            fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
        text.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    struct receipt_judgement j = judge(buf_span(&text), FIXTURE_ARTEFACT);
    assert_verified(&j);
}

static void truncated_and_longer_receipts_are_refused(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF text = scene_cook(&scene, &r);
    struct receipt_judgement j;

    (void)state;
    for (size_t n = 0; n < text.len; n += 31) {
        j = judge(SPAN(text.ptr, n), FIXTURE_ARTEFACT);
        assert_caught(&j, RECEIPT_FORM, "");
    }
    /* without its last line end, and with one more */
    j = judge(SPAN(text.ptr, text.len - 1), FIXTURE_ARTEFACT);
    assert_caught(&j, RECEIPT_FORM, "canonical");
    buf_append_str(&text, "\n");
    j = judge(buf_span(&text), FIXTURE_ARTEFACT);
    assert_caught(&j, RECEIPT_FORM, "canonical");
}

static void formed_receipt_parses_to_the_same_parts(void **state)
{
    struct recipe r = scene_recipe(&scene, PROFILE_SSHSIG);
    BUF text = scene_cook(&scene, &r);
    BUF again = BUF_INIT(RECEIPT_MAX);
    struct receipt p;
    struct err err;

    (void)state;
    assert_int_equal(receipt_parse(buf_span(&text), &p, &err), 0);
    assert_true(span_eq_str(p.profile, "sshsig"));
    assert_true(p.evidence.len > 100);
    assert_int_equal(receipt_format(&p, &again, &err), 0);
    assert_true(span_eq(buf_span(&text), buf_span(&again)));
    receipt_fini(&p);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
            T(a_redirect_on_the_target_is_verified_and_shown),
            T(a_key_use_at_the_end_of_a_chain_shows_the_whole_path),
            T(true_receipts_are_verified),
            T(without_the_file_nothing_is_said_about_it),
            T(minisign_without_the_file_is_not_verified),
            T(a_call_inside_the_zone_has_no_envelope),
            T(each_lie_is_caught_by_its_check),
            T(keys_of_other_zones_are_not_believed),
            T(other_statements_are_no_receipt),
            T(a_second_signature_file_is_not_the_stated_one),
            T(a_comment_that_names_another_file_is_caught),
            T(another_file_is_not_what_was_signed),
            T(a_state_that_was_not_approved_is_named),
            T(the_rules_of_the_day_are_kept),
            T(revoked_zones_and_keys_are_not_believed),
            T(another_owner_knows_none_of_it),
            T(no_flipped_bit_is_overlooked),
            T(truncated_and_longer_receipts_are_refused),
            T(formed_receipt_parses_to_the_same_parts),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
