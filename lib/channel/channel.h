/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room channel (floor 4): one attested connection to another zone.
 * Specification: docs/proto/channel.md.  Sole user of libssl and nghttp2.
 *
 * A channel goes through TLS 1.3 (mutual, pinned by zone identity), the
 * attestation handshake qair-att/1 (channel_attest.h: pure), and then carries
 * calls as HTTP/2 streams.  Only netd links this room.
 *
 * The room has no loop, no clock and no thread.  Its user adds channel_fd to
 * an event loop (level-triggered, readable), calls channel_run when it is
 * readable and at channel_deadline at the latest, and gives the time in each
 * call.  Everything else comes by the callbacks of struct channel_ops, from
 * within the functions that take a time.  A callback may call anything
 * here but channel_free and channel_run of that channel.
 *
 * Life of a channel, as its user sees it:
 *
 *   channel_dial / channel_accept
 *   ops.evidence  own evidence over the binder    -> channel_round_evidence
 *   ops.appraise  is the peer's evidence good?    -> channel_round_appraised
 *   ops.accepted  make the record durable         -> channel_round_confirm
 *   (open)        channel_call; ops.incoming -> channel_call_serve/_refuse
 *   ... the first three again at each re-attestation, while streams flow
 *   ops.closed    exactly once, unless freed before -> channel_free
 *
 * A client has seen and accepted the server's evidence before it takes its
 * own; a server says yes only after its record is durable; a client uses the
 * channel only after its own record is.  No call passes before
 * channel_round_confirm on either side.
 *
 * The process must ignore SIGPIPE (libssl writes with write(2)).
 */
#ifndef QAIR_CHANNEL_H
#define QAIR_CHANNEL_H

#include "base.h"
#include "crypto.h"

#define CHANNEL_BINDER 32
/* A channel certificate lives no longer than this (seconds). */
#define CHANNEL_CERT_MAX_S 86400
/*
 * Calls at a time on one channel, and what each may send before somebody reads
 * it.  A call whose reader keeps up while the line is longer than that gets
 * more, up to the maximum, out of what the channel has for all of them.  So
 * CHANNEL_BUFFER_MAX is what a proved peer can make this process hold.
 */
#define CHANNEL_STREAMS_MAX 256
#define CHANNEL_WINDOW      (256u << 10)
#define CHANNEL_WINDOW_MAX  (16u << 20)
#define CHANNEL_WINDOW_POOL (32u << 20)
/* Of which the calls of one source get at most. */
#define CHANNEL_WINDOW_SOURCE (CHANNEL_WINDOW_POOL / 2)
#define CHANNEL_BUFFER_MAX                                                     \
    (CHANNEL_STREAMS_MAX * CHANNEL_WINDOW + CHANNEL_WINDOW_POOL)
/* TCP connect, TLS and the first attestation; a discrete TPM takes seconds. */
#define CHANNEL_HANDSHAKE_MS 30000
/* Of these, what an unauthenticated peer gets. */
#define CHANNEL_TLS_MS 10000
/* A silent peer is asked (PING) after, and given up after. */
#define CHANNEL_PING_MS  15000
#define CHANNEL_STALL_MS 45000
/* A call whose envelope has not arrived, on the server. */
#define CHANNEL_ENVELOPE_MS 10000
/* ... and sooner when its user has reason to ask. */
#define CHANNEL_PROBE_MS   5000
#define CHANNEL_WHERE_MAX  64
#define CHANNEL_REASON_MAX 200

/* Both clocks, read by the caller: monotonic for timers, unix for validity. */
struct channel_time {
    uint64_t mono_ms;
    uint64_t unix_s;
};

/* A zone of the pack: the only thing that makes a peer known. */
struct channel_zone {
    char name[LIMIT_ZONE_NAME_MAX + 1];
    const struct crypto_pub *identity;
};

/*
 * What all channels of this process share: own name, own channel key and
 * certificate, the zones.  Reference counted; channels hold a reference.  On
 * renewal of the certificate or the pack make a new one, use it for new
 * channels and drop the old.
 */
struct channel_context;
struct channel_conf {
    const char *zone;                 /* own name */
    const struct channel_zone *zones; /* copied, identities too */
    size_t n_zones;
    const struct crypto_key *key; /* channel key; copied by reference count */
    struct span cert;             /* DER, issued by the own zone's identity */
    unsigned reattest_s;          /* evidence is re-taken this often, >= 1 */
};
/*
 * NULL with a reason: the certificate is not for this key and name, or not
 * from this zone's identity in the pack, or not valid now, or longer than
 * CHANNEL_CERT_MAX_S.
 */
struct channel_context *channel_context_new(const struct channel_conf *conf,
        uint64_t unix_s, struct err *err) MUST_CHECK;
struct channel_context *channel_context_ref(struct channel_context *c);
void channel_context_unref(struct channel_context *c); /* NULL is fine */

struct channel;

/* Why a peer did not accept; all that the other side learns. */
enum channel_reason {
    CHANNEL_ACCEPTED = 0,
    CHANNEL_REASON_EVIDENCE = 1, /* your evidence was not accepted */
    CHANNEL_REASON_OWN = 2,      /* I cannot prove my own state */
    CHANNEL_REASON_PROTOCOL = 3, /* version, names, order, lengths */
    CHANNEL_REASON_BUSY = 4,     /* a local part is missing or full */
    CHANNEL_REASON_COUNT
};
const char *channel_reason_text(enum channel_reason r);

struct channel_answer {
    int code;           /* 0: accepted; else an enum err_code */
    struct span where;  /* "" when accepted */
    struct span reason; /* printable ASCII, one line */
};

struct channel_ops {
    /* Wanted: own evidence with this binder as qualifying data. */
    void (*evidence)(void *arg, struct channel *ch,
            const uint8_t binder[static CHANNEL_BINDER]);
    /* Wanted: is this evidence of channel_peer, over this binder, good? */
    void (*appraise)(void *arg, struct channel *ch,
            const uint8_t binder[static CHANNEL_BINDER],
            struct span untrusted_evidence);
    /* Both sides accept, in round 0, 1, ...: record it, channel_round_confirm.
     */
    void (*accepted)(void *arg, struct channel *ch, unsigned round);
    /* A call came in; answer with channel_call_serve or channel_call_refuse. */
    void (*incoming)(void *arg, struct channel *ch, uint32_t stream,
            struct span untrusted_envelope);
    /* The answer to channel_call, exactly once each. */
    void (*answered)(void *arg, struct channel *ch, uint32_t stream,
            const struct channel_answer *answer);
    /* The channel is over: all calls are answered, all descriptors closed. */
    void (*closed)(void *arg, struct channel *ch, int code, const char *reason);
};

/*
 * A channel to zone `peer` over fd, a non-blocking stream socket that may
 * still be connecting.  Takes fd on success only.
 */
struct channel *channel_dial(struct channel_context *c, int fd,
        const char *peer, const struct channel_ops *ops, void *arg,
        const struct channel_time *now, struct err *err) MUST_CHECK;
/* The other end, over an accepted connection. */
struct channel *channel_accept(struct channel_context *c, int fd,
        const struct channel_ops *ops, void *arg,
        const struct channel_time *now, struct err *err) MUST_CHECK;
/* Closes without ceremony and without ops.closed; NULL is fine. */
void channel_free(struct channel *ch);

int channel_fd(const struct channel *ch);
/* Monotonic milliseconds at which channel_run is due; UINT64_MAX: never. */
uint64_t channel_deadline(const struct channel *ch);
void channel_run(struct channel *ch, const struct channel_time *now);

/* Answers to ops, copied.  ERR_STATE when nobody asks (any more): nothing
 * happens, and an asker that went meanwhile needs nothing. */
int channel_round_evidence(struct channel *ch, struct span evidence,
        const struct channel_time *now);
int channel_round_appraised(
        struct channel *ch, bool accept, const struct channel_time *now);
int channel_round_confirm(struct channel *ch, const struct channel_time *now);
/* Instead of any of the three: own evidence or a local part is missing. */
int channel_round_cannot(struct channel *ch, enum channel_reason why,
        const struct channel_time *now);

/*
 * Opens a call: the envelope goes first, then the bytes of fd, a stream socket
 * that is taken on success; what the peer sends is written to it.  A half
 * close on one side is a half close on the other; a reset is a close.  source
 * is the user's number for who calls: channel_calls counts by it.  ERR_LIMIT
 * when there are CHANNEL_STREAMS_MAX, ERR_STATE when not open.
 */
int channel_call(struct channel *ch, struct span envelope, int fd,
        uint64_t source, const struct channel_time *now, uint32_t *ret_stream)
        MUST_CHECK;
/* Calls of this source that are not over. */
unsigned channel_calls(const struct channel *ch, uint64_t source);
/* Ends a call of either direction, answered or not (deadline passed). */
void channel_call_cancel(struct channel *ch, uint32_t stream, int code,
        const char *reason, const struct channel_time *now);
/* Accepts an incoming call; takes fd on success.  ERR_NOT_FOUND: gone. */
int channel_call_serve(struct channel *ch, uint32_t stream, int fd,
        const struct channel_time *now) MUST_CHECK;
/* Text is cut to the maxima above and made printable. */
int channel_call_refuse(struct channel *ch, uint32_t stream, struct span where,
        struct span reason, const struct channel_time *now);
/* Is the peer still there?  Ends the channel if nothing comes of it within
 * CHANNEL_PROBE_MS; does nothing before it is open. */
void channel_probe(struct channel *ch, const struct channel_time *now);
/* Ends the channel: cuts all streams, then ops.closed. */
void channel_close(struct channel *ch, int code, const char *reason);
/* The same, and an open channel's peer hears the class of the reason. */
void channel_close_saying(struct channel *ch, enum channel_reason why, int code,
        const char *reason);

enum channel_state {
    CHANNEL_CONNECTING, /* TCP and TLS */
    CHANNEL_ATTESTING,  /* peer authenticated, not yet accepted */
    CHANNEL_OPEN,
    CHANNEL_CLOSED,
};
const char *channel_state_name(enum channel_state s);

struct channel_status {
    enum channel_state state;
    bool dialled;
    const char *peer;  /* "" until authenticated, for an accepted one */
    uint64_t since_ms; /* monotonic, of creation */
    uint64_t expires;  /* unix seconds: the certificate that ends first; or 0 */
    unsigned rounds;   /* attestations completed */
    unsigned streams;
    uint64_t rtt_ms;   /* last seen, with what waits on the way; 0: not yet */
    uint64_t held;     /* bytes of the peer that nobody has read yet */
    uint64_t bytes_in; /* of call streams, envelopes left out */
    uint64_t bytes_out;
};
void channel_status(const struct channel *ch, struct channel_status *ret);
/* Name of the authenticated peer; "" before. */
const char *channel_peer(const struct channel *ch);
/* The pinned identity that the peer was authenticated with; NULL before. */
const struct crypto_pub *channel_identity(const struct channel *ch);

#endif
