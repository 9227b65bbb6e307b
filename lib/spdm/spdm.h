/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room spdm (floor 2, pure): devices that prove themselves (DMTF DSP0274,
 * SPDM 1.0 to 1.3; PCI-SIG TDISP 1.0; PCI DOE and MCTP framing).
 *
 *   spdm_transcript_*  follows an exchange of messages, request by request,
 *                      and says what of it was signed by which certificate
 *   spdm_requester_*   asks a device by itself: version to measurements
 *   spdm_chain_verify  certificate chain of a device to a trusted root
 *   spdm_tdisp_*       interface report and state of a device that is handed
 *                      to a guest (SEV-TIO)
 *   spdm_frame_*       messages in PCI DOE objects and MCTP packets
 *
 * Nothing is sent here: the requester gives bytes and takes bytes, its link is
 * the caller's.  Both ends of every exchange go through one transcript, so a
 * device is judged by the same code live and years later.
 *
 * What to believe: blocks that stand in a transcript whose signature holds
 * (`attested`), with a certificate chain that spdm_chain_verify accepted for a
 * nonce of the verifier's own.  An ERROR reply, and any request but
 * GET_MEASUREMENTS, begins the measurement transcript anew (DSP0274 10.11.1):
 * blocks read before it are not covered by a later signature and are dropped.
 *
 * All integers of SPDM are little-endian.  Any process may call this; foreign
 * bytes are parsed in attestd and in sandboxed children.
 */
#ifndef QAIR_SPDM_H
#define QAIR_SPDM_H

#include "base.h"
#include "buf.h"
#include "crypto.h"

#define SPDM_SLOTS 8
/* A chain is told by a 16-bit length (DSP0274 table 33). */
#define SPDM_CHAIN_MAX 65535
/* Certificates in a chain; real ones have two to four. */
#define SPDM_CERTS_MAX 8
/* All chains of a device and its measurements, some times over. */
#define SPDM_TRANSCRIPT_MAX (1u << 20)
/* Of one transcript: each costs a verification, and hashes all that it
 * covers. */
#define SPDM_SIGNATURES_MAX 64
/* Blocks of one device: an index is a byte. */
#define SPDM_BLOCKS_MAX   255
#define SPDM_MESSAGE_MAX  131072
#define SPDM_VERSIONS_MAX 16

enum spdm_code {
    SPDM_DIGESTS = 0x01,
    SPDM_CERTIFICATE = 0x02,
    SPDM_CHALLENGE_AUTH = 0x03,
    SPDM_VERSION = 0x04,
    SPDM_MEASUREMENTS = 0x60,
    SPDM_CAPABILITIES = 0x61,
    SPDM_ALGORITHMS = 0x63,
    SPDM_ERROR = 0x7f,
    SPDM_GET_DIGESTS = 0x81,
    SPDM_GET_CERTIFICATE = 0x82,
    SPDM_CHALLENGE = 0x83,
    SPDM_GET_VERSION = 0x84,
    SPDM_GET_MEASUREMENTS = 0xe0,
    SPDM_GET_CAPABILITIES = 0xe1,
    SPDM_NEGOTIATE_ALGORITHMS = 0xe3,
};

/* Capability flags of a responder (table 12). */
#define SPDM_CAP_CERT     0x00000002u
#define SPDM_CAP_CHAL     0x00000004u
#define SPDM_CAP_MEAS     0x00000018u /* 00 none, 01 unsigned, 10 signed */
#define SPDM_CAP_MEAS_SIG 0x00000010u
#define SPDM_CAP_FRESH    0x00000020u

/* BaseAsymSel (table 16); the bits that are known here. */
#define SPDM_ASYM_RSASSA_2048 0x00000001u
#define SPDM_ASYM_RSAPSS_2048 0x00000002u
#define SPDM_ASYM_RSASSA_3072 0x00000004u
#define SPDM_ASYM_RSAPSS_3072 0x00000008u
#define SPDM_ASYM_P256        0x00000010u
#define SPDM_ASYM_RSASSA_4096 0x00000020u
#define SPDM_ASYM_RSAPSS_4096 0x00000040u
#define SPDM_ASYM_P384        0x00000080u
#define SPDM_ASYM_P521        0x00000100u
/* BaseHashSel */
#define SPDM_HASH_SHA256 0x00000001u
#define SPDM_HASH_SHA384 0x00000002u
#define SPDM_HASH_SHA512 0x00000004u
/* OtherParamsSel (1.3): each slot may have keys of its own. */
#define SPDM_OTHER_MULTI_KEY 0x10

/* What both sides agreed on; the first three exchanges. */
struct spdm_agreed {
    uint8_t version; /* 0x10 .. 0x13 */
    uint32_t flags;  /* of the responder */
    uint32_t measurement_hash;
    uint32_t asym;
    uint32_t hash_sel;
    uint8_t other;
    enum crypto_hash hash;
    size_t hash_size;
    enum crypto_scheme scheme;
    enum crypto_key_type key;
    unsigned key_bits;
    size_t sig_size;
};

/* ---- measurements (10.11) -------------------------------------------- */

enum spdm_type {
    SPDM_TYPE_ROM = 0,
    SPDM_TYPE_FIRMWARE = 1,
    SPDM_TYPE_HARDWARE_CONFIG = 2,
    SPDM_TYPE_FIRMWARE_CONFIG = 3,
    SPDM_TYPE_MANIFEST = 4,
    SPDM_TYPE_DEVICE_MODE = 5,
    SPDM_TYPE_VERSION = 6,
    SPDM_TYPE_SVN = 7,
    SPDM_TYPE_HASH_EXTEND = 8,
};
/* "mutable firmware", "device mode"; "unknown". */
const char *spdm_type_name(uint8_t type);

struct spdm_block {
    uint8_t index;
    uint8_t type; /* without the raw bit */
    bool raw;     /* bytes, not a digest */
    struct span value;
};

/* ---- one exchange ---------------------------------------------------- */

enum spdm_signature {
    SPDM_SIG_NONE,
    SPDM_SIG_GOOD,
    SPDM_SIG_BAD,
    SPDM_SIG_UNJUDGED, /* the slot's chain was never read */
};

/* What the last exchange was; for people and for judges. */
struct spdm_seen {
    uint8_t request;
    uint8_t response;
    uint8_t error;         /* of an ERROR */
    uint8_t slots;         /* DIGESTS: mask */
    uint8_t slot;          /* CERTIFICATE, CHALLENGE_AUTH, MEASUREMENTS */
    uint8_t operation;     /* GET_MEASUREMENTS: 0 count, index, 0xff all */
    uint8_t total;         /* answer to operation 0 */
    uint8_t summary;       /* CHALLENGE: measurement summary asked for */
    bool chain_complete;   /* CERTIFICATE: that was the last portion */
    bool chain_hash_holds; /* CHALLENGE_AUTH: is it the chain that was read? */
    bool digest_holds;     /* chain_complete: is it the one of DIGESTS? */
    enum spdm_signature signature;
    size_t n_blocks;
    struct spdm_block block[SPDM_BLOCKS_MAX];
};

struct spdm_transcript; /* heap */
/*
 * padded: messages came in DOE objects, so that up to three zero bytes may
 * stand behind each; they are dropped before anything is hashed.
 */
struct spdm_transcript *spdm_transcript_new(bool padded) MUST_CHECK;
void spdm_transcript_free(struct spdm_transcript *t);
void spdm_transcript_free_ptr(struct spdm_transcript **t);
/*
 * One request and its response, without framing.  A message that is malformed,
 * not allowed now, of another version than was agreed or not an answer to its
 * request is an error, after which nothing more is taken.  A signature that
 * does not hold is no error here: it is in *ret, and the transcript is not
 * attested.  ERROR replies are exchanges too.  ret may be NULL.
 */
int spdm_transcript_take(struct spdm_transcript *t, struct span request,
        struct span response, struct spdm_seen *ret, struct err *err)
        MUST_CHECK;

struct spdm_result {
    struct spdm_agreed agreed;
    bool challenge; /* a CHALLENGE_AUTH held, over all that preceded it */
    bool attested;  /* at least one block is signed, and no signature is bad */
    unsigned bad;   /* signatures that did not hold */
    uint8_t slot;   /* whose key signed; what other keys signed is dropped */
    struct span chain; /* of that slot: certificates, DER one by one */
    struct span root_hash;
    struct span nonce; /* the requester's, of all signed measurements; empty
                          when they have several: some may be old */
    struct span challenge_nonce; /* of the challenge that held */
    size_t n_blocks; /* inside a signed transcript; the last of an index */
    const struct spdm_block *block;
    size_t n_unattested; /* blocks that no signature covers */
};
/* Spans live as long as t. */
void spdm_transcript_result(
        const struct spdm_transcript *t, struct spdm_result *ret);

/* The chain of a slot that was read whole, else false. */
bool spdm_transcript_chain(const struct spdm_transcript *t, uint8_t slot,
        struct span *ret_root_hash, struct span *ret_certificates) MUST_CHECK;
const struct spdm_agreed *spdm_transcript_agreed(
        const struct spdm_transcript *t);

/*
 * Every exchange of a record: u32be length and message, request and response
 * by turns (evidence kind 8, docs/proto/evidence.md).
 */
int spdm_transcript_replay(struct spdm_transcript *t, struct span record,
        struct err *err) MUST_CHECK;
void spdm_record_put(
        struct buf *record, struct span request, struct span response);

/*
 * Does the chain lead to one of roots at a time?  The first certificate of a
 * chain may be the root itself; root_hash is the hash of the root whether it
 * is there or not.  A leaf with extended key usages must be a responder's.
 */
int spdm_chain_verify(const struct spdm_result *r,
        struct crypto_cert *const *roots, size_t n_roots, uint64_t unix_s,
        struct err *err) MUST_CHECK;
/* Splits certificates in DER; at most SPDM_CERTS_MAX. */
int spdm_chain_split(struct span chain, struct span *ret, size_t *ret_n,
        struct err *err) MUST_CHECK;

/* ---- asking a device ------------------------------------------------- */

struct spdm_requester; /* heap */
/*
 * nonce: 32 fresh bytes, bound to the channel the answer is for; the nonces of
 * CHALLENGE and GET_MEASUREMENTS are derived from it.  slot: 0..7.  minimum:
 * the lowest version that will do, 0x12 unless there is a reason.
 */
struct spdm_requester *spdm_requester_new(const uint8_t nonce[static 32],
        uint8_t slot, uint8_t minimum) MUST_CHECK;
void spdm_requester_free(struct spdm_requester *r);
/* 1 and the next request in r's memory, 0 when all has been asked. */
int spdm_requester_next(
        struct spdm_requester *r, struct span *ret, struct err *err) MUST_CHECK;
/*
 * The device's answer to it.  ERR_STATE: busy, ask the same again later;
 * ERR_UNSUPPORTED: the device cannot do what is needed (its reason is in err).
 */
int spdm_requester_take(struct spdm_requester *r, struct span response,
        struct err *err) MUST_CHECK;
/* After the last answer: 0 when the device is attested with this nonce. */
int spdm_requester_result(const struct spdm_requester *r,
        struct spdm_result *ret, struct err *err) MUST_CHECK;
/* What was said, as spdm_transcript_replay takes it. */
struct span spdm_requester_record(const struct spdm_requester *r);
/* Nonce of GET_MEASUREMENTS for a verifier's nonce: SHA-256("spdm" || it). */
void spdm_requester_nonce(
        const uint8_t nonce[static 32], uint8_t ret[static 32]);
/* The same of CHALLENGE: SHA-256("spdm-challenge" || it). */
void spdm_requester_challenge_nonce(
        const uint8_t nonce[static 32], uint8_t ret[static 32]);

/* ---- framing --------------------------------------------------------- */

enum spdm_carrier {
    SPDM_DOE,  /* PCI Express DOE object (PCIe 6.0, 6.30.1) */
    SPDM_MCTP, /* MCTP packet over any binding (DSP0236), one message each */
};
enum spdm_payload {
    SPDM_PLAIN,   /* DOE type 1, MCTP type 5 */
    SPDM_SECURED, /* DOE type 2, MCTP type 6: a session's, opaque here */
    SPDM_OTHER,   /* discovery and anything else */
};
/* One object or packet: exactly frame.  Padding of DOE stays in the message. */
int spdm_frame_open(enum spdm_carrier carrier, struct span frame,
        enum spdm_payload *ret_payload, uint8_t *ret_type,
        struct span *ret_message, struct err *err) MUST_CHECK;
int spdm_frame_put(enum spdm_carrier carrier, struct span message,
        struct buf *ret) MUST_CHECK;

/* ---- TDISP ----------------------------------------------------------- */

enum spdm_tdisp_type {
    SPDM_TDISP_VERSION = 0x01,
    SPDM_TDISP_CAPABILITIES = 0x02,
    SPDM_TDISP_LOCK = 0x03,
    SPDM_TDISP_REPORT = 0x04,
    SPDM_TDISP_STATE = 0x05,
    SPDM_TDISP_START = 0x06,
    SPDM_TDISP_STOP = 0x07,
    SPDM_TDISP_ERROR = 0x7f,
    SPDM_TDISP_REQUEST = 0x80, /* set in requests */
};
enum spdm_tdisp_state {
    SPDM_TDISP_UNLOCKED = 0,
    SPDM_TDISP_LOCKED = 1,
    SPDM_TDISP_RUN = 2,
    SPDM_TDISP_IN_ERROR = 3,
};
#define SPDM_TDISP_RANGES_MAX 256
#define SPDM_TDISP_REPORT_MAX 65535

struct spdm_tdisp_range {
    uint64_t first_page;
    uint32_t pages;
    uint16_t
            attributes; /* 0 MSI-X table, 1 PBA, 2 not for a TEE, 3 updatable */
    uint16_t id;
};
struct spdm_tdisp_report {
    uint16_t info; /* 0 no update after lock, 1 DMA without PASID, ... */
    uint16_t msix;
    uint16_t lnr;
    uint32_t tph;
    size_t n_ranges;
    struct spdm_tdisp_range range[SPDM_TDISP_RANGES_MAX];
    struct span device; /* device-specific, opaque */
};
int spdm_tdisp_report(struct span bytes, struct spdm_tdisp_report *ret,
        struct err *err) MUST_CHECK;

/*
 * Follows one interface from unlocked to run: requests and responses of TDISP
 * (without the vendor-defined header), in order.  What the device says of its
 * state must be the state that the exchange leads to; the nonce of LOCK must
 * come back in START; the report is read whole, while locked.
 */
struct spdm_tdisp {
    bool begun;
    uint32_t function; /* FUNCTION_ID of the interface */
    enum spdm_tdisp_state state;
    bool has_nonce;
    uint8_t nonce[32];
    uint16_t lock_flags;
    bool complete; /* the report is whole */
    struct buf report;
    uint16_t left; /* of the report */
};
void spdm_tdisp_init(struct spdm_tdisp *t);
void spdm_tdisp_fini(struct spdm_tdisp *t);
int spdm_tdisp_take(struct spdm_tdisp *t, struct span request,
        struct span response, struct err *err) MUST_CHECK;

#endif
