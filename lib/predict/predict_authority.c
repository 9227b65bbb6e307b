/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signature databases (UEFI 2.10, 32.4.1), and by which entry firmware starts
 * an image (EDK2, DxeImageVerificationLib).
 */
#include "predict_private.h"

#define OWNER_SIZE 16
/* dbx has some hundred digests, a list of them all the more. */
#define ENTRIES_MAX 65536

static const uint8_t type_x509[16] = {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7,
        0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72};
static const uint8_t type_sha256[16] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50,
        0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28};

/* A walk over all entries of all lists. */
struct database {
    struct wire_reader lists;
    struct wire_reader entries; /* of the list at hand */
    struct span type;
    uint32_t entry_size;
};

struct entry {
    bool is_cert;     /* else a SHA-256 digest */
    struct span all;  /* EFI_SIGNATURE_DATA */
    struct span data; /* behind the owner */
};

/* EFI_SIGNATURE_LIST: type, three sizes, a header that is empty here. */
static bool next_list(struct database *d)
{
    struct wire_reader r;
    uint32_t list_size, header_size;

    if (!wire_get_span(&d->lists, 16, &d->type) ||
            !wire_get_u32le(&d->lists, &list_size) ||
            !wire_get_u32le(&d->lists, &header_size) ||
            !wire_get_u32le(&d->lists, &d->entry_size) || list_size < 28 ||
            header_size != 0 || d->entry_size <= OWNER_SIZE ||
            (list_size - 28) % d->entry_size ||
            !wire_get_sub(&d->lists, list_size - 28, &r))
        return false;
    d->entries = r;
    return true;
}

/* 1 and an entry, 0 at the end, else an error. */
static int next_entry(struct database *d, struct entry *ret, struct err *err)
{
    while (d->entries.left == 0) {
        if (d->lists.left == 0)
            return 0;
        if (!next_list(d))
            return err_set(
                    err, ERR_SYNTAX, "signature database: a list is malformed");
    }
    ret->is_cert = span_eq(d->type, SPAN_OF(type_x509));
    if (!ret->is_cert &&
            (!span_eq(d->type, SPAN_OF(type_sha256)) ||
                    d->entry_size != OWNER_SIZE + CRYPTO_SHA256_SIZE))
        return err_set(err, ERR_UNSUPPORTED,
                "signature database: a kind of entry that is not known");
    if (!wire_get_span(&d->entries, d->entry_size, &ret->all))
        return err_set(err, ERR_SYNTAX, "signature database: cut off");
    ret->data = SPAN(ret->all.ptr + OWNER_SIZE, ret->all.len - OWNER_SIZE);
    return 1;
}

struct image {
    struct pe pe;
    uint8_t sha256[CRYPTO_SHA256_SIZE];
    size_t n;
    struct pe_signature signature[PE_CERTS_MAX];
};

static int take_image(
        const struct predict_file *file, struct image *ret, struct err *err)
{
    struct pe_cert c;
    size_t at = 0;
    int r = pe_parse(file->data, &ret->pe, err);

    ret->n = 0;
    if (r != 0)
        return r;
    pe_digest(&ret->pe, CRYPTO_SHA256, ret->sha256);
    while ((r = pe_cert_next(&ret->pe, &at, &c, err)) == 1) {
        if (c.type != PE_CERT_PKCS7)
            return err_set(err, ERR_UNSUPPORTED,
                    "a signature that is not Authenticode");
        if (ret->n == PE_CERTS_MAX)
            return err_set(
                    err, ERR_LIMIT, "more than %d signatures", PE_CERTS_MAX);
        r = pe_signature(c.data, &ret->signature[ret->n], err);
        if (r != 0)
            return r;
        ret->n++;
    }
    return r;
}

static bool is_entry_of(const struct image *m, size_t i, const struct entry *e)
{
    if (e->is_cert != (i < m->n))
        return false;
    return e->is_cert ? pe_verify(&m->pe, &m->signature[i], e->data, NULL) == 0
                      : span_eq(e->data, SPAN_OF(m->sha256));
}

/*
 * The first entry under which signature i verifies (i == n: the digest).  The
 * whole database is read either way: one that is malformed says nothing.
 */
static int find_entry(const struct image *m, size_t i, struct span database,
        struct entry *ret, struct err *err)
{
    struct database d = {.lists = wire_reader_of(database)};
    struct entry e;
    bool found = false;
    int r;

    for (unsigned n = 0; (r = next_entry(&d, &e, err)) == 1; n++) {
        if (n == ENTRIES_MAX)
            return err_set(err, ERR_LIMIT,
                    "signature database: more than %d entries", ENTRIES_MAX);
        if (found || !is_entry_of(m, i, &e))
            continue;
        *ret = e;
        found = true;
    }
    if (r != 0)
        return r;
    return found ? 0 : ERR_NOT_FOUND;
}

/* Neither its digest nor a signer may be forbidden. */
static int check_forbidden(
        const struct image *m, struct span dbx, struct err *err)
{
    struct entry e;

    for (size_t i = 0; i <= m->n; i++) {
        int r = find_entry(m, i, dbx, &e, err);

        if (r == 0)
            return err_set(err, ERR_DENIED, "dbx forbids it by %s",
                    e.is_cert ? "its signer" : "its digest");
        if (r != ERR_NOT_FOUND)
            return err_prefix(err, r, "dbx");
    }
    return 0;
}

int predict_boot_find_authority(const struct predict_file *image,
        const struct predict_variables *v, struct span *ret, struct err *err)
{
    struct image m;
    struct entry e;
    int r = take_image(image, &m, err);

    if (r == 0)
        r = check_forbidden(&m, v->dbx, err);
    /* Signatures in their order, the digest last. */
    for (size_t i = 0; r == 0 && i <= m.n; i++) {
        r = find_entry(&m, i, v->db, &e, err);
        if (r == 0) {
            *ret = e.all;
            return 0;
        }
        if (r == ERR_NOT_FOUND)
            r = 0;
    }
    if (r == 0)
        r = err_set(err, ERR_DENIED,
                "neither a signature nor the digest is allowed by db: under "
                "Secure Boot firmware does not start it");
    return err_prefix(err, r, "%s", image->name);
}
