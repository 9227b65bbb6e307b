/* SPDX-License-Identifier: Apache-2.0 */
/* Types of events: PFP 1.06, table 27; TXT Software Development Guide, F. */
#include "eventlog_private.h"

#include <stdlib.h>

struct type {
    uint32_t type;
    enum eventlog_rule rule;
    const char *name;
};

/* In order. */
static const struct type types[] = {
        {0x0, EVENTLOG_RULE_NONE, "EV_PREBOOT_CERT"},
        {0x1, EVENTLOG_RULE_NONE, "EV_POST_CODE"},
        {0x2, EVENTLOG_RULE_NONE, "EV_UNUSED"},
        {0x3, EVENTLOG_RULE_NONE, "EV_NO_ACTION"},
        {0x4, EVENTLOG_RULE_DATA, "EV_SEPARATOR"},
        {0x5, EVENTLOG_RULE_DATA, "EV_ACTION"},
        {0x6, EVENTLOG_RULE_TAG, "EV_EVENT_TAG"},
        {0x7, EVENTLOG_RULE_NONE, "EV_S_CRTM_CONTENTS"},
        {0x8, EVENTLOG_RULE_DATA, "EV_S_CRTM_VERSION"},
        {0x9, EVENTLOG_RULE_NONE, "EV_CPU_MICROCODE"},
        {0xa, EVENTLOG_RULE_NONE, "EV_PLATFORM_CONFIG_FLAGS"},
        {0xb, EVENTLOG_RULE_NONE, "EV_TABLE_OF_DEVICES"},
        {0xc, EVENTLOG_RULE_NONE, "EV_COMPACT_HASH"},
        {0xd, EVENTLOG_RULE_NONE, "EV_IPL"},
        {0xe, EVENTLOG_RULE_NONE, "EV_IPL_PARTITION_DATA"},
        {0xf, EVENTLOG_RULE_NONE, "EV_NONHOST_CODE"},
        {0x10, EVENTLOG_RULE_NONE, "EV_NONHOST_CONFIG"},
        {0x11, EVENTLOG_RULE_NONE, "EV_NONHOST_INFO"},
        {0x12, EVENTLOG_RULE_NONE, "EV_OMIT_BOOT_DEVICE_EVENTS"},
        {0x13, EVENTLOG_RULE_NONE, "EV_POST_CODE2"},
        {0x401, EVENTLOG_RULE_NONE, "EV_PCR_MAPPING"},
        {0x402, EVENTLOG_RULE_NONE, "EV_HASH_START"},
        {0x403, EVENTLOG_RULE_NONE, "EV_COMBINED_HASH"},
        {0x404, EVENTLOG_RULE_NONE, "EV_MLE_HASH"},
        {0x40a, EVENTLOG_RULE_NONE, "EV_BIOSAC_REG_DATA"},
        {0x40b, EVENTLOG_RULE_NONE, "EV_CPU_SCRTM_STAT"},
        {0x40c, EVENTLOG_RULE_NONE, "EV_LCP_CONTROL_HASH"},
        {0x40d, EVENTLOG_RULE_NONE, "EV_ELEMENTS_HASH"},
        {0x40e, EVENTLOG_RULE_NONE, "EV_STM_HASH"},
        {0x40f, EVENTLOG_RULE_NONE, "EV_OSSINITDATA_CAP_HASH"},
        {0x410, EVENTLOG_RULE_NONE, "EV_SINIT_PUBKEY_HASH"},
        {0x411, EVENTLOG_RULE_NONE, "EV_LCP_HASH"},
        {0x412, EVENTLOG_RULE_NONE, "EV_LCP_DETAILS_HASH"},
        {0x413, EVENTLOG_RULE_NONE, "EV_LCP_AUTHORITIES_HASH"},
        {0x414, EVENTLOG_RULE_NONE, "EV_NV_INFO_HASH"},
        {0x415, EVENTLOG_RULE_NONE, "EV_COLD_BOOT_BIOS_HASH"},
        {0x416, EVENTLOG_RULE_NONE, "EV_KM_HASH"},
        {0x417, EVENTLOG_RULE_NONE, "EV_BPM_HASH"},
        {0x418, EVENTLOG_RULE_NONE, "EV_KM_INFO_HASH"},
        {0x419, EVENTLOG_RULE_NONE, "EV_BPM_INFO_HASH"},
        {0x41a, EVENTLOG_RULE_NONE, "EV_BOOT_POL_HASH"},
        {0x4fe, EVENTLOG_RULE_NONE, "EV_RANDOM_VALUE"},
        {0x4ff, EVENTLOG_RULE_NONE, "EV_CAP_VALUE"},
        {0x502, EVENTLOG_RULE_NONE, "EV_SLAUNCH"},
        {0x503, EVENTLOG_RULE_NONE, "EV_SLAUNCH_START"},
        {0x504, EVENTLOG_RULE_NONE, "EV_SLAUNCH_END"},
        {0x80000001, EVENTLOG_RULE_DATA, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
        {0x80000002, EVENTLOG_RULE_NONE, "EV_EFI_VARIABLE_BOOT"},
        {0x80000003, EVENTLOG_RULE_NONE, "EV_EFI_BOOT_SERVICES_APPLICATION"},
        {0x80000004, EVENTLOG_RULE_NONE, "EV_EFI_BOOT_SERVICES_DRIVER"},
        {0x80000005, EVENTLOG_RULE_NONE, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
        {0x80000006, EVENTLOG_RULE_DATA, "EV_EFI_GPT_EVENT"},
        {0x80000007, EVENTLOG_RULE_DATA, "EV_EFI_ACTION"},
        {0x80000008, EVENTLOG_RULE_NONE, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
        {0x80000009, EVENTLOG_RULE_NONE, "EV_EFI_HANDOFF_TABLES"},
        {0x8000000a, EVENTLOG_RULE_NONE, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
        {0x8000000b, EVENTLOG_RULE_NONE, "EV_EFI_HANDOFF_TABLES2"},
        {0x8000000c, EVENTLOG_RULE_DATA, "EV_EFI_VARIABLE_BOOT2"},
        {0x8000000d, EVENTLOG_RULE_DATA, "EV_EFI_GPT_EVENT2"},
        {0x80000010, EVENTLOG_RULE_NONE, "EV_EFI_HCRTM_EVENT"},
        {0x800000e0, EVENTLOG_RULE_AUTHORITY, "EV_EFI_VARIABLE_AUTHORITY"},
        {0x800000e1, EVENTLOG_RULE_DATA, "EV_EFI_SPDM_FIRMWARE_BLOB"},
        {0x800000e2, EVENTLOG_RULE_DATA, "EV_EFI_SPDM_FIRMWARE_CONFIG"},
        {0x800000e3, EVENTLOG_RULE_DATA, "EV_EFI_SPDM_DEVICE_POLICY"},
        {0x800000e4, EVENTLOG_RULE_DATA, "EV_EFI_SPDM_DEVICE_AUTHORITY"},
};

static int by_type(const void *key, const void *element)
{
    const uint32_t *type = key;
    const struct type *t = element;

    return *type < t->type ? -1 : *type > t->type;
}

static const struct type *find(uint32_t type)
{
    return bsearch(&type, types, ARRAY_LEN(types), sizeof(*types), by_type);
}

const char *eventlog_type_name(uint32_t type)
{
    const struct type *t = find(type);

    return t ? t->name : NULL;
}

enum eventlog_rule eventlog_type_rule(uint32_t type)
{
    const struct type *t = find(type);

    return t ? t->rule : EVENTLOG_RULE_NONE;
}
