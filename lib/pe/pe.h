/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room pe (floor 2, pure): PE/COFF images as firmware loads and measures them.
 *
 *   pe_parse        headers, section table, certificate table
 *   pe_digest       the Authenticode digest: what PCR 4 is extended with
 *   pe_cert_next    a walk over the certificate table
 *   pe_signature    an Authenticode signature, and by whose word it holds
 *   pe_uki          sections of a unified kernel image, and its stub's version
 *   pe_linux        setup header of a Linux kernel
 *   pe_sbat_next    a walk over the text of a .sbat section
 *
 * Sources: Microsoft, "PE Format" (the numbers of fields) and "Windows
 * Authenticode Portable Executable Signature Format" (the digest); UEFI 2.10,
 * 32.2.4; the Linux/x86 boot protocol; systemd-stub(7).
 *
 * The reader is narrower than what loaders accept.  Authenticode hashes the
 * headers, then each section in the order of the file, then what is left
 * before the certificate table; loaders disagree about files in which these
 * overlap, have gaps or are out of bounds, and such files are how signed
 * images were made to do something else.  pe_parse refuses them all: headers,
 * sections, trailing data and certificate table must follow each other without
 * gap or overlap, from the first byte of the file to its last.  So the digest
 * is that of the whole file but the checksum, the certificate table's entry in
 * the header and the table itself, whoever computes it.  In memory, too,
 * sections may not overlap: one could replace what another was hashed with.
 *
 * Any process may link this room.  No heap; spans point into the file, outputs
 * are untouched on failure.  Nothing is "verified" but what pe_verify returned
 * 0 for.
 */
#ifndef QAIR_PE_H
#define QAIR_PE_H

#include "base.h"
#include "crypto.h"

/* A UKI carries kernel and initrd; offsets in the format have 32 bits. */
#define PE_FILE_MAX (1u << 30)
/* The Windows loader's own limit; a UKI has about 20. */
#define PE_SECTIONS_MAX 96
#define PE_NAME_MAX     8
/* Signatures of one image, certificates in one of them: a few in practice. */
#define PE_CERTS_MAX 16
/* Leaf, two CAs, root; EDK2's own verification goes no deeper in practice. */
#define PE_CHAIN_MAX 5

struct pe_section {
    struct span name; /* without its padding */
    uint32_t vsize;   /* in memory; never 0 */
    uint32_t vaddr;
    uint32_t flags;
    struct span raw; /* in the file; may be longer or shorter than vsize */
};

struct pe {
    struct span file;
    uint16_t machine; /* 0x8664 x86-64, 0xaa64 AArch64, ... */
    bool plus;        /* PE32+ */
    uint16_t subsystem;
    uint32_t headers;    /* SizeOfHeaders */
    uint32_t image_size; /* SizeOfImage */
    size_t checksum_at;
    size_t cert_entry_at; /* 0: the header has no entry for one */
    size_t n_sections;
    struct pe_section section[PE_SECTIONS_MAX]; /* in the table's order */
    struct span trailing; /* behind the sections, hashed, not loaded */
    struct span certs;    /* the certificate table; empty when unsigned */
};

/*
 * ERR_SYNTAX: not one exact image; ERR_LIMIT: larger or more than above;
 * ERR_UNSUPPORTED: a machine that firmware of ours does not run.
 */
int pe_parse(struct span file, struct pe *ret, struct err *err) MUST_CHECK;

/* ret holds crypto_hash_size(alg). */
void pe_digest(const struct pe *pe, enum crypto_hash alg, uint8_t *ret);

/* ERR_NOT_FOUND, or ERR_EXISTS when several have this name. */
int pe_find(const struct pe *pe, const char *name,
        const struct pe_section **ret) MUST_CHECK;
/*
 * What a loaded section holds: its first vsize bytes.  ERR_UNSUPPORTED when
 * the file has fewer: the rest would be zeroes that are nowhere in the file.
 */
int pe_content(const struct pe_section *s, struct span *ret) MUST_CHECK;

/* WIN_CERTIFICATE (UEFI 2.10, 32.2.4). */
enum pe_cert_type {
    PE_CERT_PKCS7 = 0x0002, /* Authenticode: SignedData of PKCS#7 */
    PE_CERT_PKCS115 = 0x0ef0,
    PE_CERT_GUID = 0x0ef1,
};
struct pe_cert {
    uint16_t type;
    struct span data;
};
/* 1 and an entry, 0 at the end, else an error; *at is 0 to begin with. */
int pe_cert_next(const struct pe *pe, size_t *at, struct pe_cert *ret,
        struct err *err) MUST_CHECK;

/* ---- Authenticode ---------------------------------------------------- */

/* SignedData of PKCS #7 with one signer, RSA and SHA-2, as UEFI wants it. */
struct pe_signature {
    enum crypto_hash hash;
    struct span digest;         /* of the image, as the signer says */
    struct span content;        /* that the signature is over, by its digest */
    struct span certs;          /* a set of certificates */
    struct span issuer, serial; /* of the signer's, with their headers */
    enum crypto_hash signer_hash;
    struct span attributes; /* that are signed */
    struct span message_digest;
    struct span sig;
};
int pe_signature(struct span pkcs7, struct pe_signature *ret, struct err *err)
        MUST_CHECK;
/*
 * 0 when the signature is over this image and its signer is anchor (a
 * certificate in DER) or leads to it by certificates in the signature.  As in
 * firmware there is no clock: validity in time is not looked at, and neither
 * are time stamps.  ERR_MISMATCH or another reason otherwise.
 */
int pe_verify(const struct pe *pe, const struct pe_signature *s,
        struct span anchor, struct err *err) MUST_CHECK;

/* ---- unified kernel images ------------------------------------------- */

/* In the order in which systemd-stub measures them (its uki.c). */
enum pe_uki_section {
    PE_UKI_LINUX,
    PE_UKI_OSREL,
    PE_UKI_CMDLINE,
    PE_UKI_INITRD,
    PE_UKI_UCODE,
    PE_UKI_SPLASH,
    PE_UKI_DTB,
    PE_UKI_UNAME,
    PE_UKI_SBAT,
    PE_UKI_PCRSIG, /* never measured: it signs the measurement */
    PE_UKI_PCRPKEY,
    PE_UKI_SECTIONS
};
/* ".linux" */
const char *pe_uki_name(enum pe_uki_section id);
/*
 * Does the stub of this systemd version extend PCR 11 with the section when
 * the image has it?  Later versions measure more of them.
 */
bool pe_uki_is_measured(enum pe_uki_section id, unsigned stub_version);

/*
 * Is the list of what this version measures known here?  252, 254 to 258; of
 * 253 no release was looked at.
 */
bool pe_uki_is_known_stub(unsigned stub_version);

struct pe_uki {
    bool has[PE_UKI_SECTIONS];
    struct span section[PE_UKI_SECTIONS]; /* as loaded (pe_content) */
    unsigned stub_version;                /* of systemd; 0 when it names none */
};
/*
 * ERR_NOT_FOUND without a .linux section.  ERR_UNSUPPORTED for sections that
 * make the measured set depend on the machine (.profile, .dtbauto, .hwids,
 * .efifw).
 */
int pe_uki(const struct pe *pe, struct pe_uki *ret, struct err *err) MUST_CHECK;

/* ---- Linux ----------------------------------------------------------- */

struct pe_linux {
    uint16_t protocol;   /* 0x020f is 2.15 */
    struct span version; /* "6.1.0-56-cloud-amd64 (...) #1 SMP ..." */
    unsigned major, minor;
};
/* A bzImage's setup header, protocol 2.00 to 2.15. */
int pe_linux(struct span kernel, struct pe_linux *ret, struct err *err)
        MUST_CHECK;

/* ---- SBAT (shim, SBAT.md) -------------------------------------------- */

/* Revocation needs a handful; a longer text is an attack on a reader. */
#define PE_SBAT_TEXT_MAX 16384

struct pe_sbat {
    struct span component; /* "grub.debian" */
    uint64_t generation;
    struct span vendor, package, version, url;
};
/* 1 and an entry, 0 at the end (NUL padding counts), else an error. */
int pe_sbat_next(struct span *rest, struct pe_sbat *ret, struct err *err)
        MUST_CHECK;

#endif
