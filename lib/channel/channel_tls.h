/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.3 of a channel: docs/proto/channel.md, section 2.  libssl is seen by
 * channel_context.c and channel_tls.c alone; whose certificate it is says
 * channel_cert.h.
 */
#ifndef QAIR_CHANNEL_TLS_H
#define QAIR_CHANNEL_TLS_H

#include "channel.h"

struct channel_tls;

/* peer: the zone dialled, or NULL for the accepting side.  fd is borrowed. */
struct channel_tls *channel_tls_new(struct channel_context *c, int fd,
        const char *peer, struct err *err) MUST_CHECK;
void channel_tls_free(struct channel_tls *t);

/*
 * These return 0, ERR_STATE (not now: wait until the socket is readable, or
 * writable if channel_tls_wants_write), or the end of the connection: ERR_IO
 * when the network ended it, others when the peer or this side did.
 */
int channel_tls_handshake(
        struct channel_tls *t, uint64_t unix_s, struct err *err) MUST_CHECK;
/* *ret_len > 0 on success; ERR_PEER with "closed" at the end of data. */
int channel_tls_read(struct channel_tls *t, uint8_t *ret, size_t cap,
        size_t *ret_len, struct err *err) MUST_CHECK;
/* A retry after ERR_STATE must offer the same bytes (or more behind them). */
int channel_tls_write(struct channel_tls *t, struct span s, size_t *ret_len,
        struct err *err) MUST_CHECK;
/* From here on libssl reads ahead: a few records with one system call.  Then
 * bytes may stand ready inside although the socket is not readable. */
void channel_tls_read_ahead(struct channel_tls *t);
bool channel_tls_has_pending(const struct channel_tls *t);
bool channel_tls_wants_write(const struct channel_tls *t);
/* Tells the peer that nothing follows; once, as far as the socket takes it. */
void channel_tls_shutdown(struct channel_tls *t);
/* New traffic keys in both directions; not while a write is to be retried. */
int channel_tls_rekey(struct channel_tls *t) MUST_CHECK;

/* After the handshake. */
const char *channel_tls_peer(const struct channel_tls *t);
uint64_t channel_tls_peer_expires(const struct channel_tls *t);
const struct crypto_pub *channel_tls_peer_identity(const struct channel_tls *t);
void channel_tls_spki(
        const struct channel_tls *t, uint8_t ret[static CRYPTO_SHA384_SIZE]);
void channel_tls_peer_spki(
        const struct channel_tls *t, uint8_t ret[static CRYPTO_SHA384_SIZE]);
/* Shape of channel_attest_conf.exporter; arg is the struct channel_tls. */
int channel_tls_export(void *arg, const char *label, struct span context,
        uint8_t *ret) MUST_CHECK;

/* ---- channel_context.c ----------------------------------------------- */

const char *channel_context_zone(const struct channel_context *c);
unsigned channel_context_reattest_s(const struct channel_context *c);
uint64_t channel_context_expires(const struct channel_context *c);

#endif
