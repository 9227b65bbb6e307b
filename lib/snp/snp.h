/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room snp (floor 2): what AMD's secure processor says about a guest.
 *
 * Attestation reports of SEV-SNP (versions 2 to 5, Milan to Turin), the
 * certificates behind them (ARK -> ASK or ASVK -> VCEK or VLEK, AMD's CRL),
 * ID blocks, launch digests worked out from the files of a launch, and the
 * certificates and launch MAC of the older SEV and SEV-ES.
 *
 * Pure: bytes and a time in, values out.  No file, clock, network or log.
 * Any process may call it; foreign reports are parsed in attestd, or in the
 * CLI's sandboxed child.  Spans of results point into the input.  Outputs are
 * untouched on failure.  Errors: ERR_SYNTAX for what cannot be read, ERR_LIMIT
 * for too much of it, ERR_UNSUPPORTED for a version or kind unknown here,
 * ERR_MISMATCH for what does not hold.
 *
 * Standards: SEV-SNP ABI (AMD 56860), VCEK and KDS (57230), SEV API (55766),
 * GHCB (56421), APM volume 2, RFC 5280 and RFC 8017.
 *
 * What a report proves and what not:
 *  - REPORT_DATA is what the guest gave, HOST_DATA what the (untrusted) host
 *    gave at launch, MEASUREMENT what was in memory at launch.
 *  - Without a pinned CHIP_ID any genuine machine will do.
 *  - A VLEK is one key for a provider's fleet: it names no machine.
 *  - Keys of Milan were taken out of chips in a laboratory, and interposers on
 *    the memory bus are not seen: policy has words for both (products,
 *    required ALIAS_CHECK), custody of the machine has to do the rest.
 *  - SEV and SEV-ES have no report at all.  Their results here are of types
 *    of their own, which no function takes for a verdict about SNP.
 */
#ifndef QAIR_SNP_H
#define QAIR_SNP_H

#include "base.h"
#include "crypto.h"

/* ---- products and TCB versions --------------------------------------- */

enum snp_product {
    SNP_PRODUCT_UNKNOWN,
    SNP_MILAN,
    SNP_GENOA, /* and Siena, Bergamo: one line, one root */
    SNP_TURIN,
};

const char *snp_product_name(enum snp_product p); /* "Milan" */
/* CPUID family and model as the report has them (combined values). */
enum snp_product snp_product_of_cpuid(uint8_t family, uint8_t model);
/* "Milan-B0", "Genoa", ... as in a certificate. */
enum snp_product snp_product_of_name(struct span name);

/*
 * TCB_VERSION.  Its bytes mean other things from Turin on, so that a raw one
 * is never compared: components are.  fmc is 0 before Turin.
 */
struct snp_tcb {
    uint8_t fmc, bootloader, tee, snp, microcode;
};

/* False when reserved bytes are not zero or the product is unknown. */
bool snp_tcb_of(enum snp_product p, uint64_t raw, struct snp_tcb *ret)
        MUST_CHECK;
bool snp_tcb_eq(const struct snp_tcb *a, const struct snp_tcb *b);
/* No component is below the floor's. */
bool snp_tcb_at_least(const struct snp_tcb *t, const struct snp_tcb *floor);

/* ---- reports --------------------------------------------------------- */

#define SNP_REPORT_SIZE   1184
#define SNP_REPORT_SIGNED 672 /* bytes from its start that are signed */
#define SNP_DIGEST        48
#define SNP_CHIP_ID       64
#define SNP_CHIP_ID_TURIN 8 /* the rest is zero */
#define SNP_VMPL_HOST     0xffffffffu

/* POLICY: what the guest's owner demanded at launch. */
#define SNP_POLICY_SMT               (1ull << 16)
#define SNP_POLICY_MUST_BE_ONE       (1ull << 17)
#define SNP_POLICY_MIGRATE_MA        (1ull << 18)
#define SNP_POLICY_DEBUG             (1ull << 19)
#define SNP_POLICY_SINGLE_SOCKET     (1ull << 20)
#define SNP_POLICY_CXL_ALLOW         (1ull << 21)
#define SNP_POLICY_AES_256_XTS       (1ull << 22)
#define SNP_POLICY_RAPL_DIS          (1ull << 23)
#define SNP_POLICY_CIPHERTEXT_HIDING (1ull << 24)
#define SNP_POLICY_PAGE_SWAP_DISABLE (1ull << 25)
#define SNP_POLICY_KNOWN             ((1ull << 26) - 1)
/* PLATFORM_INFO: how the machine is set up. */
#define SNP_PLATFORM_SMT               (1ull << 0)
#define SNP_PLATFORM_TSME              (1ull << 1)
#define SNP_PLATFORM_ECC               (1ull << 2)
#define SNP_PLATFORM_RAPL_DIS          (1ull << 3)
#define SNP_PLATFORM_CIPHERTEXT_HIDING (1ull << 4)
#define SNP_PLATFORM_ALIAS_CHECK       (1ull << 5) /* BadRAM */
#define SNP_PLATFORM_TIO               (1ull << 7)
#define SNP_PLATFORM_KNOWN             0xffull /* bit 6: real Turins set it */

enum snp_key_kind {
    SNP_KEY_VCEK = 0,
    SNP_KEY_VLEK = 1,
    SNP_KEY_NONE = 7,
};

struct snp_firmware {
    uint8_t major, minor, build;
};

/* Fields as they stand; what they may be is snp_report_check's business. */
struct snp_report {
    struct span raw;
    uint32_t version, guest_svn, vmpl, sig_algo, key_info;
    uint64_t policy, platform_info;
    struct span family_id, image_id;              /* 16 */
    struct span report_data;                      /* 64 */
    struct span measurement;                      /* 48 */
    struct span host_data;                        /* 32 */
    struct span id_key_digest, author_key_digest; /* 48 */
    struct span report_id, report_id_ma;          /* 32 */
    struct span chip_id;                          /* 64, zero when masked */
    uint64_t current_tcb, reported_tcb, committed_tcb, launch_tcb; /* raw */
    uint8_t family, model, stepping; /* zero in version 2 */
    struct snp_firmware current_fw, committed_fw;
    uint64_t launch_mit, current_mit; /* version 5 */
    struct span r, s;                 /* 72, little endian */
    bool author_key_en, mask_chip_key;
    uint8_t signing_key; /* enum snp_key_kind, or what it says */
};

/* ERR_SYNTAX unless exactly SNP_REPORT_SIZE bytes. */
int snp_report_parse(struct span bytes, struct snp_report *ret, struct err *err)
        MUST_CHECK;
/* What its CPUID or, in version 2, the shape of its CHIP_ID says. */
enum snp_product snp_report_product(const struct snp_report *r);

/* ---- reasons --------------------------------------------------------- */

/*
 * Everything that can be held against a report.  All checks run and each adds
 * its reason, so that one look tells the whole story.  What stands before
 * SNP_R_POLICY makes a report not authentic; what stands behind, only
 * unacceptable under a policy.
 */
enum snp_reason {
    SNP_R_LENGTH,
    SNP_R_VERSION,
    SNP_R_SIG_ALGO,
    SNP_R_RESERVED,          /* bytes that must be zero are not */
    SNP_R_POLICY_RESERVED,   /* unknown bits of POLICY, or bit 17 clear */
    SNP_R_PLATFORM_RESERVED, /* unknown bits of PLATFORM_INFO */
    SNP_R_VMPL_UNKNOWN,      /* neither 0 to 3 nor the host */
    SNP_R_PRODUCT,           /* a CPU whose layout is not known */
    SNP_R_CERTIFICATE,       /* none, or one that cannot be read */
    SNP_R_CHAIN,             /* does not end at a trusted ARK */
    SNP_R_REVOKED,
    SNP_R_CERT_TIME,
    SNP_R_SIGNATURE,
    SNP_R_SIG_PADDING,      /* bytes behind S are not zero */
    SNP_R_KEY_KIND,         /* SIGNING_KEY is not the certificate's kind */
    SNP_R_PRODUCT_MISMATCH, /* report, certificate and root disagree */
    SNP_R_TCB_MISMATCH,     /* REPORTED_TCB is not the certificate's */
    SNP_R_HWID_MISMATCH,    /* CHIP_ID is not the certificate's */
    SNP_R_POLICY,           /* not a reason: policy's follow */
    SNP_R_VMPL0,
    SNP_R_VMPL1,
    SNP_R_VMPL2,
    SNP_R_VMPL3,
    SNP_R_VMPL_HOST, /* the host asked for it, not the guest */
    SNP_R_DEBUG,
    SNP_R_MIGRATE_MA,
    SNP_R_GUEST_POLICY,  /* another bit of POLICY, see snp_policy */
    SNP_R_ALIAS_CHECK,   /* the platform's memory was not checked */
    SNP_R_PLATFORM_INFO, /* another bit of PLATFORM_INFO */
    SNP_R_TCB_ORDER,     /* committed or reported above current */
    SNP_R_REPORTED_TCB,  /* below the floor, each of the four */
    SNP_R_CURRENT_TCB,
    SNP_R_COMMITTED_TCB,
    SNP_R_LAUNCH_TCB,
    SNP_R_PROVISIONAL, /* current firmware is not committed */
    SNP_R_FIRMWARE,    /* API version below the floor */
    SNP_R_MITIGATION,
    SNP_R_GUEST_SVN,
    SNP_R_VLEK,
    SNP_R_CHIP_MASKED,
    SNP_R_PRODUCT_REFUSED,
    SNP_R_CRL_MISSING,
    SNP_R_CRL_STALE,
    SNP_R_REPORT_DATA,
    SNP_R_MEASUREMENT,
    SNP_R_HOST_DATA,
    SNP_R_CHIP_ID,
    SNP_R_ID_KEY,
    SNP_R_AUTHOR_KEY,
    SNP_R_COUNT,
};
#define SNP_REASON(r) (1ull << (r))

/* "tcb-mismatch": one word for machines.  NULL for SNP_R_POLICY. */
const char *snp_reason_word(enum snp_reason r);
/* "REPORTED_TCB is not the certificate's": the same for people. */
const char *snp_reason_text(enum snp_reason r);

/* ---- trust and certificates ------------------------------------------ */

/* ARKs and CAs of a trust, CRLs; AMD has nine certificates for three lines. */
#define SNP_TRUST_CERTS_MAX 32
/* A certificate: AMD's have 1.3 to 1.7 KB. */
#define SNP_CERT_MAX 4096
/* A CRL: lists CAs that fell, of which there are two a product line. */
#define SNP_CRL_MAX (64u << 10)

struct snp_trust; /* heap */
struct snp_trust *snp_trust_new(void) MUST_CHECK;
/* As well: AMD's ARKs of Milan, Genoa and Turin, which are known by their
 * digests.  One that comes with evidence is then a root. */
struct snp_trust *snp_trust_new_amd(void) MUST_CHECK;
void snp_trust_free(struct snp_trust *t);
void snp_trust_free_ptr(struct snp_trust **t);
/*
 * Certificates, one DER or any number in PEM, that the owner trusts: a
 * self-signed one becomes a root (an ARK), others are CAs that still have to be
 * signed by a root.  An ARK named "ARK-Milan" vouches for that product line
 * only; one without a product's name (a test root) for any.
 */
int snp_trust_add(struct snp_trust *t, struct span bytes, struct err *err)
        MUST_CHECK;
/* Of bytes that nobody vouches for, AMD's ARKs become roots when t knows their
 * digests; whatever else is among them is left out. */
int snp_trust_add_known(struct snp_trust *t, struct span bytes, struct err *err)
        MUST_CHECK;
/*
 * A CRL (DER or PEM) that a root of t, already added, signed.  Of one issuer
 * the newest counts (thisUpdate); an older one is refused.
 */
int snp_trust_add_crl(struct snp_trust *t, struct span bytes, struct err *err)
        MUST_CHECK;

/*
 * A VCEK or VLEK with its chain checked: the signatures are behind us, and
 * one check of a report costs little more than one P-384 verification.  It
 * copies what it needs; keep it by the hash of its DER and drop it when the
 * trust changes.  The chain's time is not: snp_verify looks at it each time.
 */
struct snp_vek; /* immutable, heap */
struct snp_vek_info {
    enum snp_key_kind kind; /* by its name, SEV-VCEK or SEV-VLEK */
    enum snp_product product;
    struct snp_tcb tcb;
    struct span der;
    struct span product_name;       /* "Milan-B0" */
    struct span hwid;               /* 64 or 8 bytes; empty for a VLEK */
    struct span csp_id;             /* of a VLEK, text; else empty */
    const char *issuer;             /* CN of the CA that signed it, or NULL */
    const char *why;                /* when the chain does not hold */
    uint64_t not_before, not_after; /* its own */
    uint64_t chain_not_before, chain_not_after; /* of all of its chain */
    bool chain, revoked;
    bool wrong_ca; /* its signatures hold, below the CA of the other kind */
    enum snp_product root_product; /* UNKNOWN: the root vouches for any */
    uint64_t crl_this_update, crl_next_update; /* 0, 0: no CRL */
};
/*
 * bytes: DER or PEM.  cas: certificates that came with the evidence, DER or
 * PEM; they are used as CAs below the trust's roots and never as roots (AMD's
 * own apart, snp_trust_new_amd).  A certificate that can be read gives a vek,
 * though its chain may not hold.
 */
int snp_vek_new(const struct snp_trust *t, struct span bytes,
        const struct span *cas, size_t n_cas, struct snp_vek **ret,
        struct err *err) MUST_CHECK;
void snp_vek_free(struct snp_vek *v);
void snp_vek_free_ptr(struct snp_vek **v);
const struct snp_vek_info *snp_vek_info(const struct snp_vek *v);

/*
 * The certificate table that a host hands to its guests (GHCB, table 8):
 * {GUID, offset, length} entries, zero ended.  Entries unknown here are
 * counted.  A GUID twice, or bytes outside of the table, are errors.
 */
#define SNP_TABLE_MAX         (64u << 10)
#define SNP_TABLE_ENTRIES_MAX 16
struct snp_table {
    struct span ark, ask, vcek, vlek, crl; /* empty when absent */
    unsigned unknown;
};
int snp_table_parse(struct span bytes, struct snp_table *ret, struct err *err)
        MUST_CHECK;
/* The one of its keys that the report names, with the CAs beside it. */
int snp_vek_of_table(const struct snp_trust *t, const struct snp_table *table,
        const struct snp_report *r, struct snp_vek **ret, struct err *err)
        MUST_CHECK;

/*
 * Veks by the bytes that they were made from, for who judges the same machines
 * again and again.  At most cap, the one used longest ago goes; those whose
 * chain does not hold are not kept, so that nobody can fill it with rubbish.
 * What get returns is the cache's, until the next call.
 */
#define SNP_CACHE_MAX 65536 /* some 5 KB each */
struct snp_cache;           /* heap; not for several threads */
struct snp_cache *snp_cache_new(const struct snp_trust *t, size_t cap)
        MUST_CHECK;
void snp_cache_free(struct snp_cache *c);
int snp_cache_get(struct snp_cache *c, struct span bytes,
        const struct span *cas, size_t n_cas, const struct snp_vek **ret,
        struct err *err) MUST_CHECK;
/* After any change of the trust. */
void snp_cache_clear(struct snp_cache *c);
struct snp_cache_stats {
    size_t kept;
    uint64_t hits, misses;
};
struct snp_cache_stats snp_cache_stats(const struct snp_cache *c);

/*
 * What a file is, by its content: other tools (snpguest, KDS, configfs-tsm)
 * leave reports and certificates under any name.
 */
enum snp_file {
    SNP_FILE_UNKNOWN,
    SNP_FILE_REPORT,
    SNP_FILE_VEK,
    SNP_FILE_CA, /* or several in PEM */
    SNP_FILE_CRL,
    SNP_FILE_TABLE,
    SNP_FILE_HCL,
};
enum snp_file snp_file_of(struct span bytes);
/* Where AMD's KDS has the VCEK of a report: for a person, or for who fetches.
 */
#define SNP_KDS_URL_MAX 256
int snp_kds_url(const struct snp_report *r, enum snp_product p,
        char ret[static SNP_KDS_URL_MAX], struct err *err) MUST_CHECK;

/* ---- policy and verdict ---------------------------------------------- */

/* What an owner demands beyond authenticity.  Empty spans: anything. */
struct snp_policy {
    bool vmpl[4], vmpl_host;               /* which may have asked */
    uint64_t policy_set, policy_clear;     /* SNP_POLICY_* */
    uint64_t platform_set, platform_clear; /* SNP_PLATFORM_* */
    /* For all four TCB versions.  With a floor for one product, a product
     * without one is refused: it could not be decided. */
    struct snp_tcb floor[SNP_TURIN + 1];
    bool has_floor[SNP_TURIN + 1];
    struct snp_firmware min_fw; /* current and committed */
    uint64_t mitigations;       /* bits of launch and current vector */
    uint32_t min_guest_svn;
    bool refuse_provisional, refuse_vlek, refuse_masked_chip, require_crl;
    bool refuse_product[SNP_TURIN + 1];
    struct span report_data, measurement, host_data, chip_id;
    struct span id_key_digest, author_key_digest;
};
/* "strict": VMPL 0, no debug, no migration agent, TCB versions in order. */
struct snp_policy snp_policy_strict(void);

struct snp_verdict {
    struct snp_report report; /* all zero when its length is wrong */
    uint64_t reasons;         /* SNP_REASON bits */
    bool authentic;           /* structure, chain, signature, TCB, chip */
    bool acceptable;          /* and no reason of the policy */
    enum snp_product product;
    bool hwid_compared; /* false: masked, or a fleet's key */
    bool chip_masked;
    bool has_tcb; /* the four below mean something */
    struct snp_tcb current, reported, committed, launch;
};

/*
 * The whole judgement at a time.  vek NULL: nothing vouches for the report.
 * policy NULL: snp_policy_strict.
 */
void snp_verify(struct span report, const struct snp_vek *vek, uint64_t unix_s,
        const struct snp_policy *policy, struct snp_verdict *ret);

/* ---- Azure: the paravisor's blob -------------------------------------- */

/* Its runtime claims are JSON of a few keys. */
#define SNP_HCL_MAX (64u << 10)
struct snp_hcl {
    struct span report;  /* SNP_REPORT_SIZE bytes */
    struct span runtime; /* JSON with the vTPM's AK: read it only if bound */
};
/*
 * ERR_MISMATCH unless REPORT_DATA begins with the hash of the JSON and ends
 * with zeros.  The report still has to be verified.
 */
int snp_hcl_parse(struct span bytes, struct snp_hcl *ret, struct err *err)
        MUST_CHECK;

/* ---- ID block --------------------------------------------------------- */

#define SNP_ID_BLOCK_SIZE 96
#define SNP_ID_AUTH_SIZE  4096
#define SNP_ID_KEY_SIZE   1028
struct snp_id_block {
    struct span launch_digest, family_id, image_id;
    uint32_t version, guest_svn;
    uint64_t policy;
};
int snp_id_block_parse(struct span bytes, struct snp_id_block *ret,
        struct err *err) MUST_CHECK;
struct snp_id_auth {
    bool has_author;
    uint8_t id_key_digest[SNP_DIGEST];
    uint8_t author_key_digest[SNP_DIGEST]; /* zero without an author */
};
/*
 * The ID key signed the block, and the author key, if there is one, the ID key.
 * Whose keys they are is told by the digests, which a report carries too.
 */
int snp_id_verify(struct span block, struct span auth, struct snp_id_auth *ret,
        struct err *err) MUST_CHECK;
/* The report is of a launch with that block and those keys. */
int snp_id_check(const struct snp_report *r, const struct snp_id_block *block,
        const struct snp_id_auth *auth, struct err *err) MUST_CHECK;

/* ---- launch digests ---------------------------------------------------- */

/* Firmware for a guest: OVMF has 2 to 16 MiB. */
#define SNP_OVMF_MAX     (64u << 20)
#define SNP_SECTIONS_MAX 64
/* Pages that metadata may ask to be measured: 1 GiB of memory. */
#define SNP_LAUNCH_PAGES_MAX (1u << 18)
/* KVM's limit. */
#define SNP_VCPUS_MAX 4096

enum snp_section {
    SNP_SECTION_SEC_MEM = 1,
    SNP_SECTION_SECRETS = 2,
    SNP_SECTION_CPUID = 3,
    SNP_SECTION_SVSM_CAA = 4,
    SNP_SECTION_KERNEL_HASHES = 0x10,
};

/* What the table at the end of OVMF (or of an SVSM) says. */
struct snp_ovmf {
    struct span data;
    uint64_t gpa; /* of its first byte */
    bool has_hashes, has_reset, has_svsm;
    uint32_t hashes_gpa, hashes_size, reset_eip, svsm_offset;
    size_t n_sections;
    struct {
        uint32_t gpa, size, type;
    } sections[SNP_SECTIONS_MAX];
};
/* end: the address behind its last byte, 4 GiB for OVMF itself. */
int snp_ovmf_parse(struct span bytes, uint64_t end, struct snp_ovmf *ret,
        struct err *err) MUST_CHECK;

enum snp_mode { SNP_MODE_SEV, SNP_MODE_SEV_ES, SNP_MODE_SNP, SNP_MODE_SVSM };
enum snp_vmm { SNP_VMM_QEMU, SNP_VMM_EC2, SNP_VMM_GCE };

/* SHA-256 of what QEMU was given with -kernel, -initrd and -append. */
struct snp_kernel {
    uint8_t kernel[32], initrd[32], cmdline[32];
};
/* initrd may be empty; the command line is hashed with its NUL. */
void snp_kernel_hash(struct span kernel, struct span initrd,
        struct span cmdline, struct snp_kernel *ret);

struct snp_launch {
    enum snp_mode mode;
    enum snp_vmm vmm;
    struct span ovmf;
    const uint8_t *ovmf_digest;      /* 48 bytes in place of measuring ovmf */
    const struct snp_kernel *kernel; /* NULL: none is measured */
    uint32_t vcpus, vcpu_sig;
    uint64_t features; /* SEV_FEATURES */
    struct span svsm;  /* SNP_MODE_SVSM */
    uint64_t ovmf_vars_size;
};
/* ret_len: 32 (SEV, SEV-ES) or 48. */
int snp_launch_digest(const struct snp_launch *l,
        uint8_t ret[static SNP_DIGEST], size_t *ret_len, struct err *err)
        MUST_CHECK;
/* Digest after OVMF alone: what ovmf_digest takes. */
int snp_launch_ovmf(struct span ovmf, uint8_t ret[static SNP_DIGEST],
        struct err *err) MUST_CHECK;
/* CPUID Fn0000_0001_EAX of a CPU, and of QEMU's name for one ("EPYC-v4"). */
uint32_t snp_cpu_sig(unsigned family, unsigned model, unsigned stepping);
bool snp_cpu_sig_of_type(const char *type, uint32_t *ret) MUST_CHECK;

/* ---- SEV and SEV-ES ---------------------------------------------------- */

#define SNP_LEGACY_SIZE   2084
#define SNP_LEGACY_SIGNED 1044
enum snp_legacy_usage {
    SNP_LEGACY_ARK = 0x0000,
    SNP_LEGACY_ASK = 0x0013,
    SNP_LEGACY_OCA = 0x1001,
    SNP_LEGACY_PEK = 0x1002,
    SNP_LEGACY_PDH = 0x1003,
    SNP_LEGACY_CEK = 0x1004,
    SNP_LEGACY_NONE = 0x1000,
};
const char *snp_legacy_name(enum snp_legacy_usage u); /* "PEK" */
struct snp_legacy_sig {
    enum snp_legacy_usage usage; /* of the signer, NONE when unused */
    uint32_t algo;
    struct span bytes; /* 512 */
};
struct snp_legacy {
    struct span raw;
    enum snp_legacy_usage usage;
    uint32_t algo;
    uint8_t api_major, api_minor;
    struct span key; /* 1028 */
    struct snp_legacy_sig sig[2];
};
/* A platform certificate: PDH, PEK, OCA or CEK. */
int snp_legacy_parse(struct span bytes, struct snp_legacy *ret, struct err *err)
        MUST_CHECK;
/* AMD's own, ARK or ASK: RSA of 2048 or 4096 bits. */
struct snp_legacy_ca {
    struct span raw, body, key_id, signer_id;
    enum snp_legacy_usage usage;
    struct span exponent, modulus, signature; /* little endian; Naples' ARK
                                                 has no signature */
};
int snp_legacy_ca_parse(struct span bytes, struct snp_legacy_ca *ret,
        struct err *err) MUST_CHECK;
/* A signature of child by parent, in the slot that names its usage. */
int snp_legacy_signed(const struct snp_legacy *child,
        const struct snp_legacy *parent, struct err *err) MUST_CHECK;
int snp_legacy_signed_by_ca(const struct snp_legacy *child,
        const struct snp_legacy_ca *parent, struct err *err) MUST_CHECK;
int snp_legacy_ca_signed(const struct snp_legacy_ca *child,
        const struct snp_legacy_ca *parent, struct err *err) MUST_CHECK;
/*
 * PDH by PEK, PEK by CEK and by OCA, OCA by itself; with ask and ark (NULL:
 * *ret_amd false) CEK by ASK, ASK by ARK, ARK by itself when it is signed.  The
 * caller says that the ARK is AMD's.
 */
int snp_legacy_chain(const struct snp_legacy *pdh, const struct snp_legacy *pek,
        const struct snp_legacy *oca, const struct snp_legacy *cek,
        const struct snp_legacy_ca *ask, const struct snp_legacy_ca *ark,
        bool *ret_amd, struct err *err) MUST_CHECK;

/* LAUNCH_MEASURE: once, at launch, for who shares the TIK.  Never a report. */
struct snp_legacy_measure {
    uint8_t api_major, api_minor, build;
    uint32_t policy;
    uint8_t digest[32]; /* snp_launch_digest of SEV or SEV-ES */
    uint8_t mnonce[16];
};
void snp_legacy_measure(const struct snp_legacy_measure *m,
        const uint8_t tik[static 16], uint8_t ret[static 32]);
int snp_legacy_measure_check(const struct snp_legacy_measure *m,
        const uint8_t tik[static 16], struct span mac, struct err *err)
        MUST_CHECK;

#endif
