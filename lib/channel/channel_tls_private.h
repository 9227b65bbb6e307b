/* SPDX-License-Identifier: Apache-2.0 */
/* libssl, for channel_context.c and channel_tls.c alone. */
#ifndef QAIR_CHANNEL_TLS_PRIVATE_H
#define QAIR_CHANNEL_TLS_PRIVATE_H

/* OpenSSL has a typedef of this name; ours is an error code. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/ssl.h>
#undef ERR_STATE

#include "channel_cert.h"
#include "channel_tls.h"

/* RFC 7301 form: a length byte and the name. */
#define CHANNEL_TLS_ALPN     "\x0aqair-att/1"
#define CHANNEL_TLS_ALPN_LEN (sizeof(CHANNEL_TLS_ALPN) - 1)

/* What all connections share; see channel.h. */
struct channel_context {
    unsigned refs;
    SSL_CTX *ctx;
    unsigned reattest_s;
    uint64_t expires; /* of the own certificate */
    uint8_t spki[CRYPTO_SHA384_SIZE];
    struct channel_cert_pins pins;
};

/* The innermost reason that OpenSSL has, behind what. */
int channel_tls_error(struct err *err, int code, const char *what);
/* SSL_CTX_set_cert_verify_callback: who the peer of a connection is. */
int channel_tls_verify(X509_STORE_CTX *store, void *arg);

#endif
