/* SPDX-License-Identifier: Apache-2.0 */
/* What firmware measures of starting programs (TCG PFP 1.06, 3.3.4). */
#include "predict_private.h"

static const uint8_t separator[4];

#define BOOT_ACTION "Calling EFI Application from Boot Option"

/* EFI_GLOBAL_VARIABLE, EFI_IMAGE_SECURITY_DATABASE_GUID as they lie in memory.
 */
static const uint8_t global_guid[16] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93,
        0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
static const uint8_t security_guid[16] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d,
        0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};

int predict_boot_separator(struct predict *p, unsigned pcr, struct err *err)
{
    return predict_add(
            p, pcr, &SPAN_OF(separator), 1, err, "EV_SEPARATOR, no error");
}

int predict_boot_attempt(struct predict *p, struct err *err)
{
    size_t n = p->n;
    uint32_t had = p->pcrs;
    int r = predict_add(p, 4,
            &(struct span){
                    (const uint8_t *)BOOT_ACTION, sizeof(BOOT_ACTION) - 1},
            1, err, "EV_EFI_ACTION \"" BOOT_ACTION "\"");

    if (r == 0)
        r = predict_boot_separator(p, 4, err);
    if (r != 0)
        predict_rewind(p, n, had);
    return r;
}

int predict_boot_image(
        struct predict *p, const struct predict_file *image, struct err *err)
{
    uint8_t bytes[PREDICT_BANKS][CRYPTO_HASH_MAX];
    struct span digest[PREDICT_BANKS];
    struct pe pe;
    size_t n = 0;
    int r = pe_parse(image->data, &pe, err);

    if (r != 0)
        return err_prefix(err, r, "%s", image->name);
    for (size_t i = 0; i < PREDICT_BANKS; i++) {
        enum crypto_hash hash = (enum crypto_hash)i;

        if (!(p->banks & PREDICT_BANK(hash)))
            continue;
        pe_digest(&pe, hash, bytes[i]);
        digest[n++] = SPAN(bytes[i], crypto_hash_size(hash));
    }
    return predict_add_digest(p, 4, digest, err,
            "EV_EFI_BOOT_SERVICES_APPLICATION, Authenticode digest of %s",
            image->name);
}

/* UEFI_VARIABLE_DATA: GUID, two lengths, the name, the value. */
static int add_variable(struct predict *p, const char *event,
        const uint8_t guid[static 16], const char *name, struct span value,
        struct err *err)
{
    CLEANUP(buf_fini) struct buf name16 = BUF_INIT(64);
    uint8_t lengths[16];
    struct wire_writer w = wire_writer_of(lengths, sizeof(lengths));
    struct span part[4] = {SPAN(guid, 16), SPAN_OF(lengths)};
    int r = predict_utf16(span_str(name), "variable", &name16, err);

    if (r != 0)
        return r;
    wire_put_u64le(&w, strlen(name));
    wire_put_u64le(&w, value.len);
    part[2] = buf_span(&name16);
    part[3] = value;
    return predict_add(p, 7, part, ARRAY_LEN(part), err, "%s %s, %zu bytes",
            event, name, value.len);
}

int predict_boot_variables(
        struct predict *p, const struct predict_variables *v, struct err *err)
{
    const struct {
        const uint8_t *guid;
        const char *name;
        struct span value;
    } all[] = {
            {global_guid, "SecureBoot",
                    v->has_secure_boot ? SPAN(&v->secure_boot, 1) : SPAN_EMPTY},
            {global_guid, "PK", v->pk},
            {global_guid, "KEK", v->kek},
            {security_guid, "db", v->db},
            {security_guid, "dbx", v->dbx},
    };
    size_t n = p->n;
    uint32_t had = p->pcrs;
    int r = 0;

    if (v->secure_boot > 1)
        return err_set(err, ERR_SYNTAX, "SecureBoot is %u", v->secure_boot);
    for (size_t i = 0; i < ARRAY_LEN(all) && r == 0; i++)
        r = add_variable(p, "EV_EFI_VARIABLE_DRIVER_CONFIG", all[i].guid,
                all[i].name, all[i].value, err);
    if (r == 0)
        r = predict_boot_separator(p, 7, err);
    if (r != 0)
        predict_rewind(p, n, had);
    return r;
}

int predict_boot_authority(
        struct predict *p, struct span entry, struct err *err)
{
    if (entry.len <= 16)
        return err_set(err, ERR_SYNTAX, "authority of %zu bytes", entry.len);
    return add_variable(
            p, "EV_EFI_VARIABLE_AUTHORITY", security_guid, "db", entry, err);
}
