/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestation handshake of docs/proto/channel.md, section 3, under an
 * attacker.  Run by proof/channel/check.sh with spin.
 *
 * Zones A (dials) and B (answers) are honest, M is corrupted: the attacker has
 * M's identity, channel key and TPM.  The network is the attacker's: it can be
 * either end of any TLS session for which it has a channel key, starts as many
 * as there are slots, and keeps every quote that it ever saw.  Beyond that:
 *
 *   LEAK     the channel keys of A and B are known to the attacker, so TLS
 *            alone proves nothing;
 *   ORACLE   B's netd is taken: the attacker has B's channel key and has B's
 *            TPM quote over any binder, in the state that B then is in.
 *
 * B's state is good at first and may fall once, at any moment.
 *
 * TLS is ideal: bytes of a session reach its two ends alone, in order; the
 * exporter is a value that its two ends share and no other session has; it
 * does not change with KeyUpdate.  A binder is the tuple of what is hashed
 * into it, so hashes are ideal too.  A quote is a binder, the TPM that made it
 * and the state it showed; the attacker forges none.
 *
 * Each NO_x takes one thing out of the protocol:
 *
 *   NO_EXPORTER  exporter        NO_ROLE   role        NO_SPKI  both keys
 *   NO_CTX       both HELLOs     NO_ROUND  round       NO_PIN   AK of the zone
 *   NO_ORDER     a client shows itself to whom it has not accepted yet
 *   RESUME       a session may be resumed, with its old verdict
 *
 * A violated property is a failed assertion; the comment beside it names it.
 */
#define ZA 1
#define ZB 2
#define ZM 3

#define CLIENT 1
#define SERVER 2

#ifndef NS
#define NS 2 /* sessions */
#endif
#define ROUNDS 2

/* A nonce and a quote for each zone, session and round.  Nonce 0 is none, 1
 * the attacker's own; the last quote is one that the attacker had made. */
#define A_NONCE(i, r) (2 + 4 * (i) + 2 * (r))
#define B_NONCE(i, r) (3 + 4 * (i) + 2 * (r))
#define NN            (2 + 4 * NS)
#define A_QUOTE(i, r) (2 * (i) + (r))
#define B_QUOTE(i, r) (2 * NS + 2 * (i) + (r))
#define MADE          (4 * NS)
#define NQ            (4 * NS + 1)

typedef session {
    bool used;
    bool hc, hs;         /* is the honest zone that end? */
    byte cname, sname;   /* whose channel keys were shown */
    byte meant;          /* zone that A dialled */
    byte cn, sn;         /* nonces of A and of B in this round, as sent */
    byte cn_s, sn_c;     /* as the other end got them */
    byte round;
    byte pa, pb;         /* phases, below */
    bool late;           /* B had fallen when A drew this round's nonce */
};
/* Phases of A: 1 HELLO sent, 2 got HELLO, 3 accepted B, 4 open.
 * Phases of B: 1 awaits HELLO, 2 awaits evidence, 3 open. */

typedef quote {
    byte tpm;
    byte role;
    byte ekm;        /* session + 1 */
    byte own, other; /* channel keys, by zone */
    byte cn, sn;
    byte cz, sz;     /* zones that the HELLOs named: client, server */
    byte round;
    bool good;
    bool spent;      /* somebody accepted it */
};

session s[NS];
quote q[NQ];
bool known[NN];       /* nonces that the attacker has seen */
bool good_b = true;
bool done_ab = false; /* for the check that the model can move at all */

#ifdef LEAK
#define has_key(z) true
#elif defined(ORACLE)
#define has_key(z) ((z) == ZM || (z) == ZB)
#else
#define has_key(z) ((z) == ZM)
#endif

inline keep(Qk, Qtpm, Qrole, Qi, Qown, Qother, Qcn, Qsn, Qcz, Qsz, Qround, Qgood)
{
    q[Qk].tpm = Qtpm;
    q[Qk].role = Qrole;
    q[Qk].ekm = Qi + 1;
    q[Qk].own = Qown;
    q[Qk].other = Qother;
    q[Qk].cn = Qcn;
    q[Qk].sn = Qsn;
    q[Qk].cz = Qcz;
    q[Qk].sz = Qsz;
    q[Qk].round = Qround;
    q[Qk].good = Qgood;
    q[Qk].spent = false
}

inline drop(Qk)
{
    keep(Qk, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false);
    q[Qk].ekm = 0
}

/* What a verifier looks at; each line is one binding. */
#ifdef NO_PIN
#define pin_ok(k, z) true
#else
#define pin_ok(k, z) (q[k].tpm == (z))
#endif
#ifdef NO_ROLE
#define role_ok(k, r) true
#else
#define role_ok(k, r) (q[k].role == (r))
#endif
#ifdef NO_EXPORTER
#define ekm_ok(k, i) true
#else
#define ekm_ok(k, i) (q[k].ekm == (i) + 1)
#endif
#ifdef NO_SPKI
#define spki_ok(k, a, b) true
#else
#define spki_ok(k, a, b) (q[k].own == (a) && q[k].other == (b))
#endif
#ifdef NO_CTX
#define ctx_ok(k, c, n, x, y) true
#else
#define ctx_ok(k, c, n, x, y) \
    (q[k].cn == (c) && q[k].sn == (n) && q[k].cz == (x) && q[k].sz == (y))
#endif
#ifdef NO_ROUND
#define round_ok(k, r) true
#else
#define round_ok(k, r) (q[k].round == (r))
#endif

#define a_takes(k, i)                                                \
    (q[k].good && pin_ok(k, s[i].meant) && role_ok(k, SERVER) &&     \
            ekm_ok(k, i) && spki_ok(k, s[i].sname, ZA) &&            \
            ctx_ok(k, s[i].cn, s[i].sn_c, ZA, s[i].meant) &&         \
            round_ok(k, s[i].round))
#define b_takes(k, i)                                                \
    (q[k].good && pin_ok(k, s[i].cname) && role_ok(k, CLIENT) &&     \
            ekm_ok(k, i) && spki_ok(k, s[i].cname, ZB) &&            \
            ctx_ok(k, s[i].cn_s, s[i].sn, s[i].cname, ZB) &&         \
            round_ok(k, s[i].round))

/* A's evidence for session i, for whoever is the other end. */
inline a_shows(Si)
{
    assert(s[Si].pa >= 3); /* SILENCE: nobody sees A before A accepted them */
    keep(A_QUOTE(Si, s[Si].round), ZA, CLIENT, Si, ZA, s[Si].sname, s[Si].cn, s[Si].sn_c, ZA,
            s[Si].meant, s[Si].round, true)
}

inline b_shows(Si)
{
    keep(B_QUOTE(Si, s[Si].round), ZB, SERVER, Si, ZB, s[Si].cname, s[Si].cn_s, s[Si].sn,
            s[Si].cname, ZB, s[Si].round, good_b)
}

/* A accepts evidence k in session i as the zone that it dialled. */
inline a_accepts(Si, Sk)
{
    /* PEER: what it took for another zone's TPM is that zone's */
    assert(q[Sk].tpm == s[Si].meant);
#ifndef ORACLE
    /* RELAY: the zone whose TPM spoke is itself the other end */
    assert(s[Si].meant != ZB || s[Si].hs);
#endif
    /* ONCE: no quote convinces twice */
    assert(!q[Sk].spent);
    /* FRESH: B was still good when A asked */
    assert(s[Si].meant != ZB || !s[Si].late);
    q[Sk].spent = true;
    s[Si].pa = 3
}

inline b_accepts(Si, Sk)
{
    assert(q[Sk].tpm == s[Si].cname);          /* PEER */
    assert(s[Si].cname != ZA || s[Si].hc);     /* RELAY */
    assert(!q[Sk].spent);                      /* ONCE */
    q[Sk].spent = true;
    s[Si].pb = 3;
    if
    :: s[Si].hc && s[Si].hs && s[Si].pa >= 3 -> s[Si].pa = 4; done_ab = true
    :: else
    fi
}

/* A draws the nonce of a round. */
inline a_asks(Si)
{
    s[Si].cn = A_NONCE(Si, s[Si].round);
    s[Si].late = !good_b;
    s[Si].pa = 1;
    if
    :: s[Si].hs -> s[Si].cn_s = s[Si].cn
    :: else -> known[s[Si].cn] = true
    fi
}

/* B got a HELLO and answers with its own and its evidence. */
inline b_answers(Si)
{
    s[Si].sn = B_NONCE(Si, s[Si].round);
    s[Si].pb = 2;
    if
    :: s[Si].hc -> s[Si].sn_c = s[Si].sn; s[Si].pa = 2
    :: else -> known[s[Si].sn] = true
    fi;
    b_shows(Si)
}

/* Choices; they carry nothing from one step to the next. */
hidden byte i, k, n, m, r;
#define some(x, last) x = 0; do :: x < (last) -> x++ :: break od
#define some_session some(i, NS - 1)
#define some_quote   some(k, NQ - 1)
#define some_nonce(x) some(x, NN - 1)
#define free_session i = 0; do :: i < NS && s[i].used -> i++ :: else -> break od

#define honest (s[i].hc && s[i].hs)
#define to_a   (s[i].hc && !s[i].hs) /* A with the attacker */
#define to_a0  (s[0].hc && !s[0].hs)
#define to_b   (!s[i].hc && s[i].hs)

inline begins(Sc, Ss, Scname, Ssname, Smeant)
{
    s[i].used = true;
    s[i].hc = Sc;
    s[i].hs = Ss;
    s[i].cname = Scname;
    s[i].sname = Ssname;
    s[i].meant = Smeant
}

active proctype world()
{
    known[1] = true;
    do
    /* ---- honest zones: A dials B and nobody is in between -------------- */
    :: atomic { free_session; if
       :: i < NS -> begins(true, true, ZA, ZB, ZB); s[i].pb = 1; a_asks(i)
       :: else fi }
    :: atomic { some_session; if
       :: s[i].pb == 1 && s[i].cn_s != 0 -> b_answers(i)
       :: else fi }
    :: atomic { some_session; k = B_QUOTE(i, s[i].round); if
       :: honest && s[i].pa == 2 && a_takes(k, i) -> a_accepts(i, k); a_shows(i)
       :: else fi }
    :: atomic { some_session; k = A_QUOTE(i, s[i].round); if
       :: honest && s[i].pa == 3 && s[i].pb == 2 && b_takes(k, i) ->
           b_accepts(i, k)
       :: else fi }
    :: atomic { some_session; if /* A begins the next round */
       :: s[i].hc && s[i].round + 1 < ROUNDS &&
               (s[i].pa == 4 || (!s[i].hs && s[i].pa == 3)) ->
           s[i].round++;
           s[i].sn_c = 0;
           if :: s[i].hs -> s[i].pb = 1 :: else fi;
           a_asks(i)
       :: else fi }
    :: good_b -> good_b = false

    /* ---- the attacker: A dials Z and meets it, it dials B --------------- */
    :: atomic { free_session; if :: m = ZB :: m = ZM fi; if
       :: i < NS && has_key(m) -> begins(true, false, ZA, m, m); a_asks(i)
       :: else fi }
    :: atomic { free_session; if :: m = ZA :: m = ZM fi; if
       :: i < NS && has_key(m) -> begins(false, true, m, ZB, ZB); s[i].pb = 1
       :: else fi }
    /* its HELLO, with any nonce that it knows */
    :: atomic { some_session; some_nonce(n); if
       :: to_b && s[i].pb == 1 && s[i].cn_s == 0 && known[n] -> s[i].cn_s = n
       :: else fi }
    :: atomic { some_session; some_nonce(n); if
       :: to_a && s[i].pa == 1 && known[n] && n != s[i].cn ->
           s[i].sn_c = n; s[i].pa = 2
       :: else fi }
    /* any quote that it has seen */
    :: atomic { some_session; some_quote; if
       :: to_a && s[i].pa == 2 && q[k].tpm != 0 && a_takes(k, i) ->
           a_accepts(i, k); a_shows(i)
       :: else fi }
    :: atomic { some_session; some_quote; if
       :: to_b && s[i].pb == 2 && q[k].tpm != 0 && b_takes(k, i) ->
           b_accepts(i, k)
       :: else fi }
    /* the next round, as a client */
    :: atomic { some_session; if
       :: to_b && s[i].pb == 3 && s[i].round + 1 < ROUNDS ->
           s[i].round++; s[i].pb = 1; s[i].cn_s = 0
       :: else fi }
#ifndef NO_TPM
    /* M's own TPM, over whatever would convince, used at once */
    :: atomic { some_session; k = MADE; if
       :: to_a && s[i].pa == 2 ->
           keep(MADE, ZM, SERVER, i, s[i].sname, ZA, s[i].cn, s[i].sn_c, ZA,
                   s[i].meant, s[i].round, true);
           if
           :: a_takes(k, i) -> a_accepts(i, k); a_shows(i)
           :: else
           fi;
           drop(MADE)
       :: else fi }
    :: atomic { some_session; k = MADE; if
       :: to_b && s[i].pb == 2 ->
           keep(MADE, ZM, CLIENT, i, s[i].cname, ZB, s[i].cn_s, s[i].sn,
                   s[i].cname, ZB, s[i].round, true);
           if
           :: b_takes(k, i) -> b_accepts(i, k)
           :: else
           fi;
           drop(MADE)
       :: else fi }
#endif
#ifdef ORACLE
    /* B's TPM, over any binder that can be named, in the state B is in */
    :: atomic { some_session; some_nonce(n); some_nonce(m);
       some(r, ROUNDS - 1); if
       :: to_a && known[n] && known[m] && q[MADE].tpm == 0 ->
           keep(MADE, ZB, SERVER, i, ZB, ZA, n, m, ZA, ZB, r, good_b)
       :: else fi }
    :: q[MADE].tpm != 0 -> drop(MADE)
#endif
#ifdef NO_ORDER
    :: atomic { some_session; if
       :: to_a && s[i].pa == 2 -> a_shows(i)
       :: else fi }
#endif
#ifdef RESUME
    /* a verdict outlives its session */
    :: atomic { free_session; some(k, NS - 1); if
       :: i < NS && k < i && s[k].hc && s[k].meant == ZB && s[k].pa >= 3 ->
           begins(true, s[k].hs, ZA, ZB, ZB);
           s[i].late = !good_b;
           s[i].pa = 3;
           assert(!s[i].late) /* FRESH */
       :: else fi }
#endif
    /* that the model is not true of nothing */
#ifdef REACH_OPEN
    :: done_ab && s[0].round == 1 && s[0].pa == 4 -> assert(false)
#endif
#ifdef REACH_M
    :: to_a0 && s[0].meant == ZM && s[0].pa == 3 && s[0].round == 1 ->
        assert(false)
#endif
#ifdef REACH_TAKEN
    :: to_a0 && s[0].meant == ZB && s[0].pa == 3 && s[0].round == 1 ->
        assert(false)
#endif
#ifdef REACH_FALL
    :: to_a0 && s[0].meant == ZB && s[0].round == 1 && s[0].late &&
            s[0].pa == 2 -> assert(false)
#endif
    od
}
