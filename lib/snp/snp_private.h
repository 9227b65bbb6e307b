/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the room: what the files of lib/snp share. */
#ifndef QAIR_SNP_PRIVATE_H
#define QAIR_SNP_PRIVATE_H

#include "snp.h"

/* A certificate of AMD's profile, taken apart. */
struct snp_cert {
    struct span der, tbs, signature;
    struct span serial, issuer, subject; /* names as whole DER */
    struct span cn;                      /* of the subject */
    struct span spki;
    uint64_t not_before, not_after;
    bool is_ca, may_sign_certs, may_sign_crls, has_path_limit;
    uint64_t path_limit;
    /* What a VCEK or VLEK says about its chip, when it has it all. */
    bool is_vek;
    enum snp_key_kind kind;
    struct span product_name, hwid, csp_id;
    enum snp_product product;
    struct snp_tcb tcb;
};
int snp_cert_parse(struct span der, struct snp_cert *ret, struct err *err)
        MUST_CHECK;
/* RSASSA-PSS with SHA-384, MGF1 of the same and a salt of 48: AMD's one. */
bool snp_cert_is_pss384(struct span algorithm) MUST_CHECK;
/* Signature of bytes by the RSA key of an issuer. */
int snp_cert_signed(struct span tbs, struct span signature,
        const struct crypto_pub *issuer) MUST_CHECK;
struct snp_crl {
    struct span tbs, signature, issuer;
    uint64_t this_update, next_update;
    struct span revoked; /* the entries, one after another */
};
int snp_crl_parse(struct span der, struct snp_crl *ret, struct err *err)
        MUST_CHECK;
bool snp_crl_lists(const struct snp_crl *c, struct span serial);

/* A CA with bytes of its own. */
struct snp_ca {
    struct snp_cert c;
    uint8_t *der;
    struct crypto_pub *pub;
    const struct snp_ca *root; /* itself; the root that signed it; NULL */
    enum snp_product product;  /* of a root: what it vouches for */
    uint8_t *crl_der;
    struct snp_crl crl; /* of a root */
};

struct snp_trust {
    bool amd; /* AMD's ARKs are roots wherever they come from */
    size_t n;
    struct snp_ca ca[SNP_TRUST_CERTS_MAX];
};

/* The next of PEM blocks or the one DER: 0, ERR_NOT_FOUND at the end. */
int snp_trust_next_der(struct span *rest, const char *label, uint8_t *buf,
        size_t cap, struct span *ret, struct err *err) MUST_CHECK;
int snp_trust_ca_init(struct snp_ca *ret, struct span der, struct err *err)
        MUST_CHECK;
void snp_trust_ca_fini(struct snp_ca *ca);
bool snp_trust_issued(const struct snp_cert *c, const struct snp_ca *by);
const struct snp_ca *snp_trust_root(
        const struct snp_ca *list, size_t n, const struct snp_cert *c);
/* What a root of that name vouches for; UNKNOWN: anything. */
enum snp_product snp_trust_product_of(struct span cn);
/* Is that AMD's own ARK? */
bool snp_trust_is_amd(struct span der);

/* Reasons in the report itself. */
uint64_t snp_report_check(const struct snp_report *r);
bool snp_is_zero(struct span s);
/* 48 big-endian bytes of a 72-byte little-endian number; false: too large. */
bool snp_be48(struct span le72, uint8_t ret[static 48]) MUST_CHECK;

/* Its key. */
const struct crypto_pub *snp_vek_pub(const struct snp_vek *v);

/* Reasons of a policy; v has what verification found. */
uint64_t snp_policy_check(const struct snp_policy *p,
        const struct snp_verdict *v, const struct snp_vek_info *vek,
        uint64_t unix_s);

/* One page with the registers that a virtual CPU starts with. */
#define SNP_PAGE 4096
struct snp_vmsa {
    enum snp_mode mode;
    enum snp_vmm vmm;
    uint32_t eip, vcpu_sig;
    uint64_t features;
    bool is_boot_cpu;
};
void snp_vmsa_page(const struct snp_vmsa *v, uint8_t ret[static SNP_PAGE]);

#endif
