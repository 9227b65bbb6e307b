/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of room spdm: messages as they are on the wire. */
#ifndef QAIR_SPDM_PRIVATE_H
#define QAIR_SPDM_PRIVATE_H

#include "spdm.h"

#define SPDM_NONCE   32
#define SPDM_CONTEXT 8 /* RequesterContext of 1.3 */
#define SPDM_HEADER  4

struct spdm_header {
    uint8_t version;
    uint8_t code;
    uint8_t p1;
    uint8_t p2;
};
bool spdm_msg_header(struct wire_reader *r, struct spdm_header *ret) MUST_CHECK;

/* VERSION (10.3): entries as major, minor in one byte, in the order given. */
struct spdm_versions {
    size_t n;
    uint8_t version[SPDM_VERSIONS_MAX];
};
int spdm_msg_versions(struct span response, struct spdm_versions *ret,
        struct err *err) MUST_CHECK;
int spdm_msg_capabilities(
        struct span response, uint32_t *ret_flags, struct err *err) MUST_CHECK;
/* Version and flags of ret are the caller's; the rest is filled in. */
int spdm_msg_algorithms(struct span response, struct spdm_agreed *ret,
        struct err *err) MUST_CHECK;

struct spdm_digests {
    uint8_t slots;
    struct span digest[SPDM_SLOTS]; /* empty where there is none */
};
int spdm_msg_digests(const struct spdm_agreed *a, struct span response,
        struct spdm_digests *ret, struct err *err) MUST_CHECK;

struct spdm_portion {
    uint8_t slot;
    struct span bytes;
    uint16_t remainder;
};
int spdm_msg_certificate(struct span response, struct spdm_portion *ret,
        struct err *err) MUST_CHECK;

struct spdm_challenge {
    uint8_t slot;
    uint8_t summary;
    struct span nonce;
    struct span context; /* 1.3 */
};
int spdm_msg_challenge(const struct spdm_agreed *a, struct span request,
        struct spdm_challenge *ret, struct err *err) MUST_CHECK;
struct spdm_challenge_auth {
    uint8_t slot;
    struct span chain_hash;
    struct span is_signed; /* the message without its signature */
    struct span context;
    struct span signature;
};
int spdm_msg_challenge_auth(const struct spdm_agreed *a,
        const struct spdm_challenge *asked, struct span response,
        struct spdm_challenge_auth *ret, struct err *err) MUST_CHECK;

struct spdm_get_measurements {
    uint8_t operation;
    bool sign;
    uint8_t slot;
    struct span nonce;
    struct span context;
};
int spdm_msg_get_measurements(const struct spdm_agreed *a, struct span request,
        struct spdm_get_measurements *ret, struct err *err) MUST_CHECK;
struct spdm_measurements {
    uint8_t total;
    uint8_t slot;
    size_t n;
    struct spdm_block block[SPDM_BLOCKS_MAX];
    struct span is_signed;
    struct span signature; /* empty when none was asked for */
};
int spdm_msg_measurements(const struct spdm_agreed *a,
        const struct spdm_get_measurements *asked, struct span response,
        struct spdm_measurements *ret, struct err *err) MUST_CHECK;

#endif
