/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What UEFI firmware puts into events (PFP 1.06, 10.2; UEFI 2.10, 3.1.3, 5.3,
 * 10).  Part of room eventlog: include eventlog.h.
 *
 * Parsers return 0 or ERR_SYNTAX.  That something parses says nothing about
 * its truth: eventlog_data says whether the digest covers it.
 */
#ifndef QAIR_EVENTLOG_UEFI_H
#define QAIR_EVENTLOG_UEFI_H

#include "base.h"

#define EVENTLOG_GUID_SIZE 16
#define EVENTLOG_GUID_TEXT 37
/* "8be4df61-93ca-11d2-aa0d-00e098032b8c": mixed-endian as UEFI writes it. */
void eventlog_uefi_format_guid(
        const uint8_t *guid, char ret[static EVENTLOG_GUID_TEXT]);

/* UEFI_VARIABLE_DATA */
struct eventlog_uefi_variable {
    const uint8_t *guid;
    struct span name; /* UTF-16LE, without NUL */
    struct span value;
    size_t n_trailing; /* bytes behind, that the lengths do not count */
};
int eventlog_uefi_variable(struct span data, struct eventlog_uefi_variable *ret)
        MUST_CHECK;

enum eventlog_uefi_vendor {
    EVENTLOG_UEFI_GLOBAL,         /* EFI_GLOBAL_VARIABLE */
    EVENTLOG_UEFI_IMAGE_SECURITY, /* db, dbx, dbt, dbr */
    EVENTLOG_UEFI_SHIM,
};
/* Is it the variable that vendor calls name (ASCII)? */
bool eventlog_uefi_is(const struct eventlog_uefi_variable *v,
        enum eventlog_uefi_vendor vendor, const char *name);

/* EFI_LOAD_OPTION: the value of Boot#### */
struct eventlog_uefi_load_option {
    uint32_t attributes; /* bit 0: active */
    struct span name;    /* UTF-16LE */
    struct span path;
    struct span optional;
};
int eventlog_uefi_load_option(
        struct span value, struct eventlog_uefi_load_option *ret) MUST_CHECK;

/* UEFI_IMAGE_LOAD_EVENT: never hashed, so all of it is a label */
struct eventlog_uefi_image {
    uint64_t location;
    uint64_t length;
    uint64_t link_time;
    struct span path;
};
int eventlog_uefi_image(struct span data, struct eventlog_uefi_image *ret)
        MUST_CHECK;

/* UEFI_GPT_DATA */
struct eventlog_uefi_gpt {
    const uint8_t *disk_guid;
    uint64_t first_lba, last_lba; /* usable */
    uint64_t n;                   /* entries, all of them in the event */
    uint32_t entry_size;
    struct span entries;
};
int eventlog_uefi_gpt(struct span data, struct eventlog_uefi_gpt *ret)
        MUST_CHECK;
struct eventlog_uefi_partition {
    const uint8_t *type_guid;
    const uint8_t *guid;
    uint64_t first_lba, last_lba;
    uint64_t attributes;
    struct span name; /* UTF-16LE, up to its NUL */
};
/* False when there is no such entry. */
bool eventlog_uefi_partition(const struct eventlog_uefi_gpt *g, uint64_t i,
        struct eventlog_uefi_partition *ret) MUST_CHECK;

/* UEFI_PLATFORM_FIRMWARE_BLOB and its second form, which has a name */
struct eventlog_uefi_blob {
    struct span name;
    uint64_t base;
    uint64_t length;
};
/* type: EVENTLOG_EV_EFI_FIRMWARE_BLOB or _BLOB2, EV_POST_CODE or _CODE2. */
int eventlog_uefi_blob(uint32_t type, struct span data,
        struct eventlog_uefi_blob *ret) MUST_CHECK;

/* DEVICE_SECURITY_EVENT_DATA and ..2: what a device said over SPDM. */
enum eventlog_uefi_auth {
    EVENTLOG_UEFI_AUTH_SUCCESS,
    EVENTLOG_UEFI_AUTH_NONE,
    EVENTLOG_UEFI_AUTH_NO_BINDING,
    EVENTLOG_UEFI_AUTH_NO_SIGNATURE,
    EVENTLOG_UEFI_AUTH_INVALID,
    EVENTLOG_UEFI_AUTH_NO_SPDM = 0xff,
};
struct eventlog_uefi_device {
    unsigned version;  /* 1 or 2 */
    uint8_t auth;      /* of version 2; NONE for version 1 */
    uint32_t type;     /* 1 PCI, 2 USB */
    uint32_t hash;     /* SPDM's number, 0 when there is none */
    bool is_chain;     /* block is a certificate chain, else measurements */
    unsigned n_blocks; /* of measurements */
    struct span block;
    struct span path;
    struct span context; /* PCI ids or USB descriptors */
};
int eventlog_uefi_device(struct span data, struct eventlog_uefi_device *ret)
        MUST_CHECK;

/*
 * For a person: UTF-16LE as printable ASCII with "?" for all else, up to a NUL;
 * a device path as "PciRoot(0x0)/Pci(0x1f,0x2)/.../\EFI\BOOT\BOOTX64.EFI".  Cut
 * when ret[cap] is too small; always NUL-terminated.  Nodes that are not known
 * or malformed show their numbers.
 */
void eventlog_uefi_format_utf16(struct span text, char *ret, size_t cap);
void eventlog_uefi_format_path(struct span path, char *ret, size_t cap);

#endif
