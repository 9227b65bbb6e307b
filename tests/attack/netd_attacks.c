/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The known attacks on attested channels, mounted on real qair-netd and
 * qair-attestd processes.  args: NETD ATTESTD VECTORS.
 *
 * The attacker is in the place of zone thin: its netd was taken over, so that
 * it has a good channel key, and has its machine quote over whatever it likes;
 * or it stands in the middle of the line.  Each attack must fail, and the log
 * of the zone that is attacked must give the right reason.
 */
#include "channel.h"
#include "netd_world.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define OPENED     STATEMENT_CHANNEL_OPENED
#define REFUSED    STATEMENT_CHANNEL_REFUSED
#define CLOSED     STATEMENT_CHANNEL_CLOSED
#define REATTESTED STATEMENT_CHANNEL_REATTESTED

/* One end of a channel, and what it says of itself. */
struct attacker {
    struct channel *ch;
    struct world *w;
    /* the evidence to show, of round 0 and of later ones; NULL: honest */
    void (*first)(struct attacker *a, const uint8_t *binder, struct buf *ret);
    void (*later)(struct attacker *a, const uint8_t *binder, struct buf *ret);
    bool holds; /* shows nothing until told to */
    uint8_t binder[CHANNEL_BINDER];
    bool asked;
    unsigned rounds;
    struct buf shown; /* in round 0 */
    struct buf peer;  /* that the peer showed */
    bool open, over;
    char reason[ERR_MSG_MAX];
};

/* Machines that the attacker has besides thin's own. */
static struct machine foreign;
static struct buf recorded; /* good evidence of an earlier channel */

static struct channel_time now_of_both_clocks(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct channel_time){
            .mono_ms =
                    (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000,
            .unix_s = (uint64_t)time(NULL),
    };
}

/* ---- what it shows ------------------------------------------------------ */

static struct machine *machine_of_thin(struct attacker *a)
{
    return &a->w->thin.estate.machine;
}

static void honest(struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    machine_evidence(machine_of_thin(a), binder, ret);
}

static void replayed(struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    (void)a;
    (void)binder;
    buf_append(ret, buf_span(&recorded));
}

/* Good for this very connection, a round ago. */
static void stale(struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    (void)binder;
    buf_append(ret, buf_span(&a->shown));
}

static void reflected(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    (void)binder;
    buf_append(ret, buf_span(&a->peer));
}

/* The machine that is attacked quotes for whoever asks: say, as a relay. */
static void of_the_peers_machine(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    machine_evidence(&a->w->server.estate.machine, binder, ret);
}

static void of_a_foreign_tpm(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    (void)a;
    machine_evidence(&foreign, binder, ret);
}

/* The pinned key's public part over another key's signature. */
static void forged(struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    machine_of_thin(a)->other_signer = true;
    honest(a, binder, ret);
    machine_of_thin(a)->other_signer = false;
}

static void with_byte(
        struct attacker *a, const uint8_t *binder, struct buf *ret, size_t at)
{
    honest(a, binder, ret);
    ret->ptr[at] ^= 3;
}

static void of_another_version(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    with_byte(a, binder, ret, 9);
}

static void with_a_part_less(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    with_byte(a, binder, ret, 11); /* the count alone: 2 is 1 */
}

static void with_more_behind_it(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    honest(a, binder, ret);
    buf_append_u8(ret, 0);
}

static void without_a_log(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    machine_of_thin(a)->no_log = true;
    honest(a, binder, ret);
    machine_of_thin(a)->no_log = false;
}

static void not_a_quote(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    machine_of_thin(a)->attest_type = TCG_ATTEST_QUOTE - 1; /* a certify */
    honest(a, binder, ret);
    machine_of_thin(a)->attest_type = TCG_ATTEST_QUOTE;
}

/* A PCR that everybody may reset and extend, under the name of PCR 14. */
static void of_another_pcr(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    machine_of_thin(a)->pcr_index = 16;
    honest(a, binder, ret);
    machine_of_thin(a)->pcr_index = EVIDENCE_ZONE_PCR;
}

static void of_the_weak_bank(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    machine_of_thin(a)->bank = TCG_ALG_SHA1;
    honest(a, binder, ret);
    machine_of_thin(a)->bank = TCG_ALG_SHA256;
}

static void with_values_of_another_state(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    machine_of_thin(a)->other_values = true;
    honest(a, binder, ret);
    machine_of_thin(a)->other_values = false;
}

/* Runs something else, and shows the log of the golden state. */
static void with_the_golden_log(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    struct machine *m = machine_of_thin(a);
    uint8_t golden[CRYPTO_SHA256_SIZE];

    memcpy(golden, m->pcr, sizeof(golden));
    crypto_sha256(SPAN_OF(golden), m->pcr); /* one event more */
    honest(a, binder, ret);
    memcpy(m->pcr, golden, sizeof(golden));
}

/* Events are cut from the log: by the end, or from the middle. */
static void with_the_end_cut(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    struct machine *m = machine_of_thin(a);
    size_t whole = m->log.len;

    m->log.len -= 8 + 4 + 2 + 32 + 4 + 4; /* the separator */
    honest(a, binder, ret);
    m->log.len = whole;
}

static void with_an_event_cut(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    struct machine *m = machine_of_thin(a);
    uint8_t pcr[CRYPTO_SHA256_SIZE];

    memcpy(pcr, m->pcr, sizeof(pcr));
    machine_boot(m);
    machine_measure(m, "conf", "zone.conf", "name = server\n");
    machine_measure(m, "program", "qair-keyd", "ELF");
    machine_close(m);
    memcpy(m->pcr, pcr, sizeof(pcr));
    honest(a, binder, ret);
    machine_boot_golden(m);
}

/* The text of a file that was measured, exchanged in the log. */
static void with_an_event_changed(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    struct machine *m = machine_of_thin(a);

    m->log.ptr[m->log.len - 60] ^= 1;
    honest(a, binder, ret);
    m->log.ptr[m->log.len - 60] ^= 1;
}

/* Honestly what it is: not what the owner approved. */
static void of_another_state(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    struct machine *m = machine_of_thin(a);

    machine_boot(m);
    machine_measure(m, "conf", "zone.conf", "name = server\n");
    machine_measure(m, "policy", "policy.d/30-sign.policy", "* * a b allow\n");
    machine_measure(m, "program", "qair-keyd", "ELF");
    machine_measure(m, "qube", "qubes.d/signer.conf", "type = AppVM\n");
    machine_close(m);
    honest(a, binder, ret);
    machine_boot_golden(m);
}

static void after_a_reset(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    machine_of_thin(a)->clock.resets++;
    honest(a, binder, ret);
}

/* A snapshot of the virtual machine, TPM and all, put back. */
static void from_a_snapshot(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    machine_of_thin(a)->clock.resets -= 3;
    honest(a, binder, ret);
    machine_of_thin(a)->clock.resets += 3;
}

/* ---- its end of the channel --------------------------------------------- */

static void show(struct attacker *a, const uint8_t *binder)
{
    CLEANUP(buf_fini) struct buf e = BUF_INIT(LIMIT_EVIDENCE_MAX);
    struct channel_time now = now_of_both_clocks();
    void (*make)(struct attacker *, const uint8_t *, struct buf *) =
            a->rounds == 0 ? a->first : a->later;

    (make ? make : honest)(a, binder, &e);
    if (a->rounds == 0) {
        buf_reset(&a->shown);
        buf_append(&a->shown, buf_span(&e));
    }
    (void)channel_round_evidence(a->ch, buf_span(&e), &now);
}

static void on_evidence(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER])
{
    struct attacker *a = arg;
    (void)ch;

    memcpy(a->binder, binder, CHANNEL_BINDER);
    a->asked = true;
    if (!a->holds)
        show(a, binder);
}

static void on_appraise(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER], struct span evidence)
{
    struct channel_time now = now_of_both_clocks();
    struct attacker *a = arg;
    (void)binder;

    buf_reset(&a->peer);
    buf_append(&a->peer, evidence);
    (void)channel_round_appraised(ch, true, &now);
}

static void on_accepted(void *arg, struct channel *ch, unsigned round)
{
    struct channel_time now = now_of_both_clocks();
    struct attacker *a = arg;

    (void)channel_round_confirm(ch, &now);
    a->open = true;
    a->rounds = round + 1;
}

static void on_closed(
        void *arg, struct channel *ch, int code, const char *reason)
{
    struct attacker *a = arg;
    (void)ch;
    (void)code;

    a->over = true;
    (void)snprintf(a->reason, sizeof(a->reason), "%s", reason);
}

static const struct channel_ops ops = {
        .evidence = on_evidence,
        .appraise = on_appraise,
        .accepted = on_accepted,
        .closed = on_closed,
};

/* In the name of a zone, with a certificate that `issuer` signed. */
static struct channel_context *context_of(const struct world *w,
        const char *zone, const struct crypto_key *issuer)
{
    struct crypto_pub *pub = NULL;
    struct crypto_key *key = crypto_key_generate(CRYPTO_P256);
    struct channel_zone zones[] = {
            {"thin", w->thin.estate.zone.identity},
            {"server", w->server.estate.zone.identity},
    };
    uint64_t now = (uint64_t)time(NULL);
    uint8_t der[CRYPTO_CERT_MAX], raw[32];
    struct err err = {0};
    size_t len;

    assert_non_null(key);
    assert_int_equal(crypto_cert_issue(issuer, zone, crypto_key_pub(key),
                             now - 60, now + 3600, der, sizeof(der), &len),
            0);
    struct channel_conf conf = {
            .zone = zone,
            .zones = zones,
            .n_zones = ARRAY_LEN(zones),
            .key = key,
            .cert = SPAN(der, len),
            .reattest_s = 1,
    };
    /* The room holds its user to the pack: the attacker believes its own. */
    assert_int_equal(
            crypto_pub_raw(crypto_key_pub(issuer), raw, sizeof(raw), &len), 0);
    pub = crypto_pub_ed25519(raw);
    zones[strcmp(zone, "thin") == 0 ? 0 : 1].identity = pub;
    struct channel_context *c = channel_context_new(&conf, now, &err);
    if (c == NULL)
        fail_msg("%s", err.msg);
    crypto_pub_free(pub);
    crypto_key_free(key);
    return c;
}

static void attacker_begin(struct attacker *a, struct world *w)
{
    a->w = w;
    a->shown = a->peer = BUF_INIT(LIMIT_EVIDENCE_MAX);
}

static void attacker_dials(
        struct attacker *a, struct world *w, struct channel_context *c)
{
    struct channel_time now = now_of_both_clocks();
    struct err err = {0};
    int fd = world_connect(w);

    attacker_begin(a, w);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    a->ch = channel_dial(c, fd, "server", &ops, a, &now, &err);
    if (a->ch == NULL)
        fail_msg("%s", err.msg);
}

static void attacker_fini(struct attacker *a)
{
    channel_free(a->ch);
    buf_fini(&a->shown);
    buf_fini(&a->peer);
}

static void turn(struct world *w, struct attacker *a, size_t n)
{
    struct channel_time now = now_of_both_clocks();

    for (size_t i = 0; i < n; i++) {
        if (!a[i].over)
            channel_run(a[i].ch, &now);
    }
    assert_true(world_serve(w, 5));
}

static void turn_until(struct world *w, struct attacker *a, size_t n,
        const unsigned *count, unsigned want)
{
    for (int i = 0; i < 3000 && *count < want; i++)
        turn(w, a, n);
    if (*count < want)
        fail_msg("nothing was recorded; the attacker's end: %s", a->reason);
}

/* Both netd and both attestd run. */
static struct world *begin(void)
{
    machine_init(&foreign);
    return world_new(5);
}

static void end(struct world *w)
{
    machine_fini(&foreign);
    buf_fini(&recorded);
    world_free(w);
}

static void says(const char *what, const char *got, const char *want)
{
    if (strstr(got, want) == NULL)
        fail_msg("%s: recorded '%s', not '%s'", what, got, want);
}

/* ---- evidence that is not what it should be ----------------------------- */

static const struct attack {
    const char *what;
    void (*show)(struct attacker *a, const uint8_t *binder, struct buf *ret);
    const char *reason; /* in the log of the server */
} attacks[] = {
        {"replay of evidence", replayed, "other binder: expected "},
        {"reflection of the server's own", reflected, "other attestation key"},
        {"relay: the server's own machine quotes for us", of_the_peers_machine,
                "other attestation key"},
        {"diversion to another genuine TPM", of_a_foreign_tpm,
                "other attestation key"},
        {"signature of another key", forged, "bad signature"},
        {"downgrade: another version", of_another_version,
                "malformed evidence"},
        {"downgrade: a part less", with_a_part_less, "malformed evidence"},
        {"trailing bytes", with_more_behind_it, "malformed evidence"},
        {"downgrade: no log", without_a_log, "bad event log"},
        {"another kind of attestation", not_a_quote, "not a quote"},
        {"PCR 16 for PCR 14", of_another_pcr, "wrong PCR selection"},
        {"downgrade: SHA-1 bank", of_the_weak_bank, "weak PCR bank"},
        {"values that are not quoted", with_values_of_another_state,
                "PCR values not quoted"},
        {"log truncation: golden log of another state", with_the_golden_log,
                "event log does not give the PCR"},
        {"log truncation: the end", with_the_end_cut, "bad event log"},
        {"log truncation: an event", with_an_event_cut,
                "event log does not give the PCR"},
        {"an event changed", with_an_event_changed, "bad event log"},
        {"a state that nobody approved", of_another_state,
                "policy.d/30-sign.policy differs from the reference"},
        {"a snapshot put back", from_a_snapshot, "TPM clock went back"},
};

/* Evidence of a channel that opened, and the clock that attestd knows. */
static void record_honest(struct world *w, struct channel_context *c)
{
    struct attacker a = {.ch = NULL};

    attacker_dials(&a, w, c);
    turn_until(w, &a, 1, &w->server.records[OPENED], 1);
    recorded = BUF_INIT(LIMIT_EVIDENCE_MAX);
    buf_append(&recorded, buf_span(&a.shown));
    assert_true(recorded.len > 0);
    attacker_fini(&a);
    world_serve_until(w, &w->server.records[CLOSED], 1);
}

static void no_evidence_but_its_own_opens_a_channel(void **state)
{
    struct world *w = begin();
    struct channel_context *c = context_of(w, "thin", w->thin.estate.identity);
    (void)state;

    record_honest(w, c);
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
        struct attacker a = {.first = attacks[i].show};

        attacker_dials(&a, w, c);
        turn_until(w, &a, 1, &w->server.records[REFUSED], (unsigned)i + 1);
        says(attacks[i].what, w->server.reason_of[REFUSED], attacks[i].reason);
        assert_false(a.open);
        attacker_fini(&a);
    }
    assert_int_equal(w->server.records[OPENED], 1);
    assert_int_equal(w->server.incoming, 0);
    /* The zone itself is welcome as before. */
    struct attacker a = {.first = honest};
    attacker_dials(&a, w, c);
    turn_until(w, &a, 1, &w->server.records[OPENED], 2);
    attacker_fini(&a);
    channel_context_unref(c);
    end(w);
}

/* The same in a later round: what is open is cut. */
static const struct attack later_attacks[] = {
        {"stale quote, of the round before", stale,
                "state of zone thin fell: other binder"},
        {"replay of another channel's", replayed,
                "state of zone thin fell: other binder"},
        {"TPM swap under the running zone", of_a_foreign_tpm,
                "state of zone thin fell: other attestation key"},
        {"TPM reset under the running zone", after_a_reset,
                "state of zone thin fell: its TPM was reset while the channel "
                "was open"},
        {"reflection", reflected,
                "state of zone thin fell: other attestation key"},
        {"log truncation", with_an_event_cut,
                "state of zone thin fell: event log does not give the PCR"},
        {"another state", of_another_state,
                "state of zone thin fell: policy.d/30-sign.policy differs"},
};

static void no_evidence_but_its_own_keeps_it_open(void **state)
{
    struct world *w = begin();
    struct channel_context *c = context_of(w, "thin", w->thin.estate.identity);
    (void)state;

    record_honest(w, c);
    for (size_t i = 0; i < ARRAY_LEN(later_attacks); i++) {
        struct attacker a = {.later = later_attacks[i].show};

        attacker_dials(&a, w, c);
        turn_until(w, &a, 1, &w->server.records[CLOSED], (unsigned)i + 2);
        says(later_attacks[i].what, w->server.reason_of[CLOSED],
                later_attacks[i].reason);
        for (int k = 0; k < 400 && !a.over; k++)
            turn(w, &a, 1);
        assert_true(a.open && a.over);
        says("its own log", a.reason, "did not accept this zone's evidence");
        attacker_fini(&a);
    }
    channel_context_unref(c);
    end(w);
}

/* ---- two connections ---------------------------------------------------- */

/* Both wait for a quote: each gets the one that was made for the other. */
static void evidence_is_spliced_between_two_channels(void **state)
{
    struct world *w = begin();
    struct channel_context *c = context_of(w, "thin", w->thin.estate.identity);
    struct attacker a[2] = {{.holds = true}, {.holds = true}};
    (void)state;

    attacker_dials(&a[0], w, c);
    attacker_dials(&a[1], w, c);
    for (int i = 0; i < 3000 && !(a[0].asked && a[1].asked); i++)
        turn(w, a, 2);
    assert_true(a[0].asked && a[1].asked);
    assert_memory_not_equal(a[0].binder, a[1].binder, CHANNEL_BINDER);
    show(&a[0], a[1].binder);
    show(&a[1], a[0].binder);
    turn_until(w, a, 2, &w->server.records[REFUSED], 2);
    says("exporter of another connection", w->server.reason_of[REFUSED],
            "other binder: expected ");
    assert_int_equal(w->server.records[OPENED], 0);
    attacker_fini(&a[0]);
    attacker_fini(&a[1]);
    channel_context_unref(c);
    end(w);
}

/* ---- in the middle of the line ------------------------------------------ */

/* thin's netd dials the attacker, who is where the server should be. */
static struct world *begin_in_the_middle(void)
{
    struct world *w = world_prepare();

    machine_init(&foreign);
    world_start(w, &w->thin, 5);
    return w;
}

static void attacker_accepts(
        struct attacker *a, struct world *w, struct channel_context *c)
{
    struct channel_time now = now_of_both_clocks();
    struct pollfd p = {.fd = w->listener, .events = POLLIN};
    struct err err = {0};
    int fd;

    attacker_begin(a, w);
    for (int i = 0; i < 400 && poll(&p, 1, 0) == 0; i++)
        assert_true(world_serve(w, 10));
    fd = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    a->ch = channel_accept(c, fd, &ops, a, &now, &err);
    if (a->ch == NULL)
        fail_msg("%s", err.msg);
}

static const struct {
    const char *what;
    bool own_key; /* TLS by a key that the owner never signed */
    void (*show)(struct attacker *a, const uint8_t *binder, struct buf *ret);
    const char *reason; /* in the log of thin */
} middles[] = {
        {"two legs, own TLS", true, of_the_peers_machine,
                "certificate of server is not from that zone's identity"},
        /* with the server's own channel key, stolen from its netd */
        {"two legs, stolen channel key, quote of the other leg", false,
                replayed, "other binder: expected "},
        {"stolen channel key, another machine", false, of_a_foreign_tpm,
                "other attestation key"},
        {"stolen channel key, thin's own evidence back", false, honest,
                "other attestation key"},
};

static void a_machine_in_the_middle_is_no_server(void **state)
{
    struct world *w = begin_in_the_middle();
    struct crypto_key *own = crypto_key_generate(CRYPTO_ED25519);
    uint8_t leg[CHANNEL_BINDER] = {0xee};
    (void)state;

    assert_non_null(own);
    /* What the server says on the attacker's leg to it. */
    recorded = BUF_INIT(LIMIT_EVIDENCE_MAX);
    machine_evidence(&w->server.estate.machine, leg, &recorded);
    for (size_t i = 0; i < ARRAY_LEN(middles); i++) {
        struct channel_context *c = context_of(w, "server",
                middles[i].own_key ? own : w->server.estate.identity);
        struct attacker a = {.first = middles[i].show};
        int fd = world_ask(w, "server");

        attacker_accepts(&a, w, c);
        turn_until(w, &a, 1, &w->thin.records[REFUSED], (unsigned)i + 1);
        says(middles[i].what, w->thin.reason_of[REFUSED], middles[i].reason);
        assert_false(a.open);
        assert_int_equal(w->thin.quotes, 0); /* thin showed nothing */
        world_serve_until(w, &w->thin.answers, (unsigned)i + 1);
        assert_int_equal(w->thin.answer, MSG_REFUSED);
        attacker_fini(&a);
        channel_context_unref(c);
        (void)close(fd);
    }
    crypto_key_free(own);
    end(w);
}

/* ---- the owner's words -------------------------------------------------- */

/* What was approved before is put back under a zone that went on. */
static void an_old_pack_put_back_approves_no_newer_state(void **state)
{
    struct world *w = begin();
    struct channel_context *c = context_of(w, "thin", w->thin.estate.identity);
    struct attacker a = {.first = of_another_state};
    struct buf old = w->thin.reference;
    (void)state;

    /* The owner approves the newer state, and the zone is in it. */
    w->thin.reference = BUF_INIT(LIMIT_STATEMENT_MAX * 2);
    machine_boot(&w->thin.estate.machine);
    machine_measure(
            &w->thin.estate.machine, "conf", "zone.conf", "name = newer\n");
    machine_close(&w->thin.estate.machine);
    world_approve(&w->thin);
    world_put_pack(w, &w->server, WORLD_PACK_WHOLE);
    a.first = honest;
    attacker_dials(&a, w, c);
    turn_until(w, &a, 1, &w->server.records[OPENED], 1);
    /* The old file, as signed as it ever was. */
    buf_fini(&w->thin.reference);
    w->thin.reference = old;
    world_put_pack(w, &w->server, WORLD_PACK_WHOLE);
    turn_until(w, &a, 1, &w->server.records[CLOSED], 1);
    says("old pack", w->server.reason_of[CLOSED],
            "state of zone thin fell: zone.conf differs from the reference");
    attacker_fini(&a);
    channel_context_unref(c);
    end(w);
}

/* ---- a report for another guest ----------------------------------------- */

static const char *vectors; /* folder of real reports and AMD's certificates */
static uint8_t report[1184];
static struct buf certs;

/* One entry of the table that a host has for its guests (GHCB, table 8). */
static void put_cert(size_t i, const uint8_t guid[static 16], const char *name)
{
    CLEANUP(buf_fini) struct buf der = BUF_INIT(8192);
    uint8_t head[24] = {0};
    char path[4096];
    struct err err = {0};

    (void)snprintf(path, sizeof(path), "%s/attestation/snp/%s", vectors, name);
    if (buf_load(&der, AT_FDCWD, path, &err) != 0)
        fail_msg("%s", err.msg);
    memcpy(head, guid, 16);
    head[16] = (uint8_t)certs.len;
    head[17] = (uint8_t)(certs.len >> 8);
    head[20] = (uint8_t)der.len;
    head[21] = (uint8_t)(der.len >> 8);
    memcpy(certs.ptr + 24 * i, head, sizeof(head));
    buf_append(&certs, buf_span(&der));
}

static bool load_report(void)
{
    static const uint8_t vcek[16] = {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64,
            0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
    static const uint8_t ask[16] = {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4,
            0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82};
    static const uint8_t ark[16] = {0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52,
            0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae};
    static const uint8_t room[96]; /* three entries and the zero one */
    CLEANUP(buf_fini) struct buf b = BUF_INIT(sizeof(report));
    char path[4096];

    (void)snprintf(path, sizeof(path),
            "%s/attestation/snp/milan-v3-a/report.bin", vectors);
    if (buf_load(&b, AT_FDCWD, path, NULL) != 0 || b.len != sizeof(report))
        return false;
    memcpy(report, b.ptr, b.len);
    certs = BUF_INIT(16384);
    buf_append(&certs, SPAN_OF(room));
    put_cert(0, vcek, "milan-v3-a/vek.der");
    put_cert(1, ask, "roots/SEV-Milan.der");
    put_cert(2, ark, "roots/ARK-Milan.der");
    return true;
}

static void with_report(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    struct machine *m = machine_of_thin(a);

    m->part[EVIDENCE_SNP_REPORT] = SPAN_OF(report);
    m->part[EVIDENCE_SNP_CERTS] = buf_span(&certs);
    honest(a, binder, ret);
    m->part[EVIDENCE_SNP_REPORT] = m->part[EVIDENCE_SNP_CERTS] = SPAN_EMPTY;
}

/* Genuine, by AMD's own key, and made for whoever asked that guest then. */
static void of_another_guest(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    with_report(a, binder, ret);
}

/* And as if it had been made for this channel. */
static void of_another_guest_for_us(
        struct attacker *a, const uint8_t *binder, struct buf *ret)
{
    uint8_t was[64];

    memcpy(was, report + 0x50, sizeof(was));
    memset(report + 0x50, 0, sizeof(was));
    memcpy(report + 0x50, binder, 32);
    with_report(a, binder, ret);
    memcpy(report + 0x50, was, sizeof(was));
}

static void a_report_for_another_guest_meets_no_rule(void **state)
{
    static const struct attack lies[] = {
            {"no report", honest, "snp.vmpl"},
            {"report for another guest", of_another_guest, "snp.vmpl"},
            {"the same with our binder written in", of_another_guest_for_us,
                    "snp.vmpl"},
    };
    struct channel_context *c;
    struct world *w;
    (void)state;

    if (!load_report()) {
        print_message("the attestation vectors are not here: skipped\n");
        skip();
    }
    w = begin();
    c = context_of(w, "thin", w->thin.estate.identity);
    world_rule(&w->thin,
            "state golden\n    zone.files is approved\n    snp.vmpl is 0\n");
    world_put_pack(w, &w->server, WORLD_PACK_WHOLE);
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct attacker a = {.first = lies[i].show};

        attacker_dials(&a, w, c);
        turn_until(w, &a, 1, &w->server.records[REFUSED], (unsigned)i + 1);
        says(lies[i].what, w->server.reason_of[REFUSED], lies[i].reason);
        assert_false(a.open);
        attacker_fini(&a);
    }
    assert_int_equal(w->server.records[OPENED], 0);
    /* Without the rule the same machine is welcome, report or not. */
    buf_reset(&w->thin.rules);
    world_put_pack(w, &w->server, WORLD_PACK_WHOLE);
    struct attacker a = {.first = of_another_guest};
    attacker_dials(&a, w, c);
    turn_until(w, &a, 1, &w->server.records[OPENED], 1);
    attacker_fini(&a);
    buf_fini(&certs);
    channel_context_unref(c);
    end(w);
}

/* ---- TLS ----------------------------------------------------------------- */

/* A ClientHello of TLS 1.2, as an old client sends it. */
static void tls_1_2_is_not_spoken(void **state)
{
    static const uint8_t hello[] = {22, 3, 1, 0, 53, /* record */
            1, 0, 0, 49, 3, 3,                       /* ClientHello, 1.2 */
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
            20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, /* random */
            0,                                                  /* session */
            0, 4, 0xc0, 0x2b, 0xc0, 0x2f, /* ECDHE with AES-128-GCM */
            1, 0,                         /* no compression */
            0, 4, 0, 23, 0, 0};           /* extended master secret */
    struct world *w = begin();
    int fd = world_connect(w);
    uint8_t alert[16];
    (void)state;

    assert_int_equal(write(fd, hello, sizeof(hello)), sizeof(hello));
    world_serve_until(w, &w->server.records[REFUSED], 1);
    says("TLS 1.2", w->server.reason_of[REFUSED], "unsupported protocol");
    /* RFC 8446, 4.2.1: protocol_version */
    assert_int_equal(read(fd, alert, sizeof(alert)), 7);
    assert_int_equal(alert[0], 21);
    assert_int_equal(alert[6], 70);
    (void)close(fd);
    end(w);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(no_evidence_but_its_own_opens_a_channel),
            cmocka_unit_test(no_evidence_but_its_own_keeps_it_open),
            cmocka_unit_test(evidence_is_spliced_between_two_channels),
            cmocka_unit_test(a_machine_in_the_middle_is_no_server),
            cmocka_unit_test(an_old_pack_put_back_approves_no_newer_state),
            cmocka_unit_test(a_report_for_another_guest_meets_no_rule),
            cmocka_unit_test(tls_1_2_is_not_spoken),
    };

    if (argc != 4)
        return 2;
    world_program = argv[1];
    world_attestd = argv[2];
    vectors = argv[3];
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
