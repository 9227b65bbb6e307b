/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room profile (floor 3, pure): what a release key may sign.
 *
 * A key has one profile.  It says which types of key fit, how the artefact is
 * hashed, which bytes are signed, and what file comes out.  Nobody can hand
 * the signer a digest: the artefact is streamed through a profile_stream, and
 * the bytes to be signed are made here from the result.
 *
 *   sshsig    OpenSSH PROTOCOL.sshsig, namespace "file", hash sha512;
 *             Ed25519 or P-256; `ssh-keygen -Y verify -n file`
 *   minisign  prehashed ("ED", BLAKE2b-512); Ed25519; `minisign -V`
 *
 * Signing, step by step, because minisign's second signature covers the first:
 *
 *     s = profile_begin(id); profile_update(s, ...); profile_end(s, &d);
 *     for (step = 0; step < profile_steps(id); step++) {
 *         profile_tbs(&req, step, sigs, &tbs, err);
 *         sigs[step].raw = custody signs tbs;
 *     }
 *     profile_assemble(&req, sigs, &text, err);
 *     profile_verify(id, key, &d, text, NULL, err);     before answering
 *
 * A raw signature is 64 bytes: Ed25519 over the tbs, or r||s of ECDSA over
 * SHA-256 of the tbs.  profile_verify reads the finished text again from
 * scratch and accepts only what profile_assemble writes, which is stricter
 * than either tool: one spelling, no trailing bytes, known namespace.
 *
 * Used by keyd (and its parser child, which streams), by lib/receipt and by
 * the command; holds no secret and keeps no state.
 */
#ifndef QAIR_PROFILE_H
#define QAIR_PROFILE_H

#include "base.h"
#include "buf.h"
#include "crypto.h"

enum profile_id { PROFILE_SSHSIG = 1, PROFILE_MINISIGN = 2 };

#define PROFILE_NAME_MAX     15
#define PROFILE_STEPS_MAX    2
#define PROFILE_TBS_MAX      1024
#define PROFILE_TEXT_MAX     4096 /* signature file */
#define PROFILE_PUB_MAX      1024 /* public key file */
#define PROFILE_ARTEFACT_MAX 255  /* name of the artefact: NAME_MAX */

const char *profile_name(enum profile_id id); /* "sshsig" */
bool profile_parse_name(struct span name, enum profile_id *ret) MUST_CHECK;
/* Ending of a signature file's name: ".sshsig", ".minisig". */
const char *profile_suffix(enum profile_id id);
bool profile_takes_key(enum profile_id id, enum crypto_key_type type);
/* [ -~], 1 to PROFILE_ARTEFACT_MAX characters, no '/'. */
bool profile_is_artefact_name(struct span name);

/* ---- the artefact ---------------------------------------------------- */

/* sha256 and sha512 always (the record has both); blake2b512 for minisign. */
struct profile_digests {
    uint64_t size;
    uint8_t sha256[CRYPTO_SHA256_SIZE];
    uint8_t sha512[CRYPTO_SHA512_SIZE];
    uint8_t blake2b512[64]; /* zero when the profile does not use it */
};

struct profile_stream;
struct profile_stream *profile_begin(enum profile_id id) MUST_CHECK;
void profile_update(struct profile_stream *s, struct span data);
/* Writes the digests and frees s. */
void profile_end(struct profile_stream *s, struct profile_digests *ret);
/* Gives up. */
void profile_stream_free(struct profile_stream *s);
void profile_stream_free_ptr(struct profile_stream **s);

/* ---- signing --------------------------------------------------------- */

struct profile_request {
    enum profile_id id;
    const struct crypto_pub *key;
    const struct profile_digests *digests;
    struct span name; /* of the artefact */
    uint64_t time;    /* unix seconds, into minisign's trusted comment */
};

/* As custody returns it. */
struct profile_sig {
    uint8_t raw[CRYPTO_SIGNATURE_SIZE];
};

unsigned profile_steps(enum profile_id id); /* 1 .. PROFILE_STEPS_MAX */
/* Appends the bytes to be signed in that step; sigs holds earlier steps'. */
int profile_tbs(const struct profile_request *r, unsigned step,
        const struct profile_sig *sigs, struct buf *ret, struct err *err)
        MUST_CHECK;
/* Appends the signature file's text. */
int profile_assemble(const struct profile_request *r,
        const struct profile_sig *sigs, struct buf *ret, struct err *err)
        MUST_CHECK;

/* What a signature file says under its signature, beyond the artefact. */
struct profile_claims {
    bool has_comment; /* minisign: the two below */
    uint64_t time;
    struct span name; /* into the text */
};
/*
 * 0 when text is a signature file as profile_assemble writes it, by key, over
 * an artefact with these digests.  ret may be NULL.
 */
int profile_verify(enum profile_id id, const struct crypto_pub *key,
        const struct profile_digests *digests, struct span text,
        struct profile_claims *ret, struct err *err) MUST_CHECK;

/* ---- public keys as the tools read them ------------------------------ */

/*
 * sshsig: a line of allowed_signers, `NAME namespaces="file" TYPE BASE64`;
 * minisign: minisign.pub.  name is the key's.
 */
int profile_format_pub(enum profile_id id, struct span name,
        const struct crypto_pub *key, struct buf *ret, struct err *err)
        MUST_CHECK;
/* One line of an OpenSSH .pub file: `TYPE BASE64 COMMENT`. */
int profile_format_ssh_pub(const struct crypto_pub *key, struct span comment,
        struct buf *ret, struct err *err) MUST_CHECK;

#endif
