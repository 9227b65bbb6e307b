/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quotes for tests, by software keys of every kind that a TPM has: OpenSSL
 * makes and signs, nothing of room tcg is used.
 */
#ifndef QAIR_TCG_QUOTES_H
#define QAIR_TCG_QUOTES_H

#include "tcg.h"

#define QUOTES_AK_ATTRIBUTES 0x50072u

struct quotes_scheme {
    const char *name;
    const char *curve; /* NULL: RSA */
    unsigned bits;
    uint16_t curve_id;
    uint16_t alg;
    uint16_t hash;
};
extern const struct quotes_scheme quotes_schemes[];
extern const size_t quotes_n_schemes;

struct quotes {
    void *pkey;
    const struct quotes_scheme *scheme;
    uint8_t public[800]; /* TPM2B_PUBLIC */
    size_t public_len;
    uint8_t msg[400]; /* TPMS_ATTEST */
    size_t msg_len;
    uint8_t sig[600]; /* TPMT_SIGNATURE */
    size_t sig_len;
    uint8_t nonce[32];
    uint8_t values[3][32]; /* sha256:0,4,7 */
};
/* A key, a quote of it over sha256:0,4,7, and its signature. */
void quotes_make(struct quotes *q, const struct quotes_scheme *s);
/* Public area with these attributes and scheme. */
void quotes_public(struct quotes *q, uint32_t attributes, uint16_t name_alg,
        uint16_t scheme, uint16_t hash);
/* Signs msg anew with that hash, in the key's scheme. */
void quotes_sign(struct quotes *q, uint16_t hash);
void quotes_fini(struct quotes *q);
/* What such a quote must be, with its values as claims. */
void quotes_want(const struct quotes *q, struct tcg_quote_want *ret,
        struct tcg_claim claims[static 3]);

#endif
