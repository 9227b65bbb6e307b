/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD of our own: keys, certificates of its profile and what is wrong with
 * them, CRLs, signed reports.  For tests and benchmarks; keys are made afresh.
 */
#ifndef QAIR_SNP_FIXTURE_H
#define QAIR_SNP_FIXTURE_H

#include "snp.h"

#define SNP_FIXTURE_FROM  1735689600 /* 2025 */
#define SNP_FIXTURE_UNTIL 1956528000 /* 2032 */
#define SNP_FIXTURE_AT    1767225600 /* 2026 */

enum snp_fixture_key {
    SNP_FIXTURE_AMD,   /* RSA-4096, of the ARK and all its CAs */
    SNP_FIXTURE_EVIL,  /* RSA-4096 */
    SNP_FIXTURE_SMALL, /* RSA-2048 */
    SNP_FIXTURE_VEK,   /* P-384 */
    SNP_FIXTURE_OTHER, /* P-384 */
    SNP_FIXTURE_P256,
    SNP_FIXTURE_KEYS,
};

/* What can be said and spoilt about a certificate. */
struct snp_fixture_cert {
    const char *subject, *issuer; /* common names */
    enum snp_fixture_key key, signer;
    uint64_t from, until;
    uint32_t serial;
    bool is_ca;
    int path_limit; /* -1: none */
    int key_usage;  /* KU_* or -1 */
    const char *product;
    struct snp_tcb tcb;
    struct span hwid;
    bool wrap_hwid;
    const char *csp_id;
    unsigned struct_version;
    unsigned leave_out;   /* SPL extension left out: 1, 2, 3, 8, 9 */
    bool critical_extra;  /* a critical extension that nobody knows */
    bool twice;           /* the product's name twice */
    bool sha256, salt_32; /* other signature parameters */
};

/* The good ones. */
struct snp_fixture_cert snp_fixture_ark(void);
struct snp_fixture_cert snp_fixture_ask(void);
struct snp_fixture_cert snp_fixture_asvk(void);
struct snp_fixture_cert snp_fixture_vcek(void);
struct snp_fixture_cert snp_fixture_vlek(void);
struct snp_fixture_cert snp_fixture_turin(void);

void snp_fixture_init(void);
void snp_fixture_fini(void);
/* Heap that lives until fini. */
struct span snp_fixture_make(const struct snp_fixture_cert *c);
struct span snp_fixture_pem(struct span der);
/* A CRL by an ARK that lists serials. */
struct snp_fixture_crl {
    enum snp_fixture_key signer;
    const char *issuer;
    uint64_t this_update, next_update;
    const uint32_t *serials;
    size_t n;
    bool critical_extra;
};
struct span snp_fixture_make_crl(const struct snp_fixture_crl *c);

/* ARK, ASK and ASVK in a trust. */
struct snp_trust *snp_fixture_trust(void);

/* A good report of the fixture's Milan, version 3, not signed yet. */
void snp_fixture_report(uint8_t ret[static SNP_REPORT_SIZE]);
/* The same of the fixture's Turin, version 5. */
void snp_fixture_report_turin(uint8_t ret[static SNP_REPORT_SIZE]);
void snp_fixture_sign(
        uint8_t report[static SNP_REPORT_SIZE], enum snp_fixture_key key);
/* r||s, 72 bytes each, little endian, over any bytes. */
void snp_fixture_ecdsa(
        struct span data, enum snp_fixture_key key, uint8_t ret[static 144]);
/* x and y, 72 bytes each, little endian. */
void snp_fixture_point(enum snp_fixture_key key, uint8_t ret[static 144]);
/* RSA of 2048 or 4096 bits, little endian: PSS over bytes (SHA-256 for the
 * smaller, SHA-384), and the modulus.  The size in bytes. */
size_t snp_fixture_pss(
        struct span data, enum snp_fixture_key key, uint8_t ret[static 512]);
size_t snp_fixture_modulus(enum snp_fixture_key key, uint8_t ret[static 512]);

#endif
