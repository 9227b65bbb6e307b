/* SPDX-License-Identifier: Apache-2.0 */
/* Every claim there is, with what yields it. */
#include "rules_private.h"

#include <stdio.h>

#define BOOL(name, from, help)                                                 \
    {                                                                          \
        name, CLAIM_BOOL, 0, 0, from, help                                     \
    }
#define NUMBER(name, from, help)                                               \
    {                                                                          \
        name, CLAIM_NUMBER, 0, 0, from, help                                   \
    }
#define TEXT(name, from, help)                                                 \
    {                                                                          \
        name, CLAIM_TEXT, 0, 0, from, help                                     \
    }
#define VERSION(name, from, help)                                              \
    {                                                                          \
        name, CLAIM_VERSION, 0, 0, from, help                                  \
    }
#define VECTOR(name, from, help)                                               \
    {                                                                          \
        name, CLAIM_VECTOR, 0, 0, from, help                                   \
    }
#define BYTES(name, size, from, help)                                          \
    {                                                                          \
        name, CLAIM_BYTES, size, 0, from, help                                 \
    }
#define MANY_BYTES(name, size, from, help)                                     \
    {                                                                          \
        name, CLAIM_BYTES, size, CLAIM_MANY, from, help                        \
    }
#define MANY_TEXT(name, from, help)                                            \
    {                                                                          \
        name, CLAIM_TEXT, 0, CLAIM_MANY, from, help                            \
    }

#define MOVES(name, from, help)                                                \
    {                                                                          \
        name, CLAIM_NUMBER, 0, CLAIM_MOVES, from, help                         \
    }

#define PACK  "pack"
#define QUOTE "TPM quote"
#define FW    "firmware log"
#define IMA   "IMA list"
#define DRTM  "DRTM log"
#define ZONE  "zone log"
#define SNP   "SNP report"
#define AMD   "AMD certificates"
#define SPDM  "SPDM transcript"
#define NONE  "(none yet)"

/* clang-format off */
static const struct claim_def table[] = {
    /* The TPM and its key, as the owner pinned them and as they quoted. */
    BOOL("tpm.emulated", PACK, "a software TPM, or one whose maker nobody vouched for"),
    BYTES("tpm.ek", 32, PACK, "SHA-256 of the endorsement key's SPKI"),
    BYTES("tpm.ak", 0, QUOTE, "Name of the attestation key that signed"),
    TEXT("tpm.scheme", QUOTE, "how it signed: ecdsa-sha256"),
    TEXT("tpm.selection", QUOTE, "the PCRs quoted: sha256:0,4,7,14"),
    NUMBER("tpm.firmware", QUOTE, "version of the TPM's own firmware, as it says"),
    MOVES("tpm.clock", QUOTE, "milliseconds that the TPM was on"),
    BOOL("tpm.clock.safe", QUOTE, "the clock was not put back by a loss of power"),
    NUMBER("tpm.resets", QUOTE, "count of starts; has a secret offset outside of the endorsement hierarchy"),
    NUMBER("tpm.restarts", QUOTE, "count of resumes since; offset as resets"),

    /* Firmware: PCR 0-7. */
    BYTES("firmware.pcr.N", 32, QUOTE, "PCR N of the SHA-256 bank, quoted"),
    BYTES("firmware.pcr.sha384.N", 48, QUOTE, "PCR N of the SHA-384 bank, quoted"),
    BOOL("firmware.log", FW, "the log gives every quoted PCR from 0 to 9 of SHA-256"),
    BOOL("firmware.log.absent", QUOTE, "no firmware log came: PCRs can be compared, not explained"),
    NUMBER("firmware.locality", FW, "locality that the machine started in; proved by PCR 0"),
    BOOL("firmware.hcrtm", FW, "PCR 0 starts with a hardware root's measurement"),
    BOOL("firmware.error", FW, "a PCR from 0 to 7 has no separator, several, or one of an error"),
    BOOL("firmware.debug", FW, "PCR 7 says that UEFI was in debug mode"),
    BOOL("firmware.dma_unprotected", FW, "PCR 7 says that DMA was not held off"),
    BYTES("firmware.crtm", 32, FW, "SHA-256 of the firmware's version (S-CRTM version), in PCR 0"),
    MANY_BYTES("firmware.blob", 32, FW, "all that PCR 0 measured but separators: its digest"),
    MANY_BYTES("firmware.driver", 32, FW, "all that PCR 2 measured but separators: drivers, option ROMs"),

    /* Secure Boot: PCR 7. */
    BOOL("secureboot.enabled", FW, "SecureBoot is 1, measured once, before the one separator, nothing hidden"),
    BYTES("secureboot.pk", 32, FW, "SHA-256 of the variable PK"),
    BYTES("secureboot.kek", 32, FW, "SHA-256 of the variable KEK"),
    BYTES("secureboot.db", 32, FW, "SHA-256 of the variable db"),
    BYTES("secureboot.dbx", 32, FW, "SHA-256 of the variable dbx"),
    BOOL("secureboot.deployed", FW, "DeployedMode is 1"),
    BOOL("secureboot.audit", FW, "AuditMode is 1"),
    MANY_BYTES("secureboot.authority", 32, FW, "all that PCR 7 measured behind its separator: who let images start"),

    /* Boot loader, kernel, UKI: PCR 4, 5, 8, 9, 11, 12. */
    MANY_BYTES("bootloader.image", 32, FW, "all that PCR 4 measured but separators and actions: Authenticode digests"),
    BYTES("bootloader.gpt", 32, FW, "the partition table: digest in PCR 5"),
    MANY_BYTES("bootloader.file", 32, FW, "all that PCR 9 measured and whose content is not in the log: files, initrd"),
    MANY_TEXT("bootloader.command", FW, "all that PCR 8 measured, if all of it is text: GRUB's commands"),
    BYTES("kernel.image", 32, FW, "last image that firmware started: Authenticode digest in PCR 4"),
    BYTES("kernel.cmdline.digest", 32, FW, "SHA-256 of the command line that the kernel's stub got, UTF-16 with its NUL, in PCR 9; unattested beside other files"),
    TEXT("kernel.cmdline", FW, "command line in PCR 12 (systemd-stub); from PCR 8 (GRUB) it is unattested: see bootloader.command"),
    BYTES("kernel.initrd", 32, FW, "SHA-256 of the initrd that the kernel's stub got, in PCR 9; unattested beside other files"),
    BYTES("uki.linux", 32, FW, "UKI section .linux: SHA-256 in PCR 11"),
    BYTES("uki.osrel", 32, FW, "UKI section .osrel: SHA-256 in PCR 11"),
    BYTES("uki.cmdline", 32, FW, "UKI section .cmdline: SHA-256 in PCR 11"),
    BYTES("uki.initrd", 32, FW, "UKI section .initrd: SHA-256 in PCR 11"),
    BYTES("uki.ucode", 32, FW, "UKI section .ucode: SHA-256 in PCR 11"),
    BYTES("uki.splash", 32, FW, "UKI section .splash: SHA-256 in PCR 11"),
    BYTES("uki.dtb", 32, FW, "UKI section .dtb: SHA-256 in PCR 11"),
    BYTES("uki.uname", 32, FW, "UKI section .uname: SHA-256 in PCR 11"),
    BYTES("uki.sbat", 32, FW, "UKI section .sbat: SHA-256 in PCR 11"),
    BYTES("uki.pcrpkey", 32, FW, "UKI section .pcrpkey: SHA-256 in PCR 11"),
    TEXT("uki.phase", FW, "last phase in PCR 11: none, enter-initrd, leave-initrd, sysinit, ready, shutdown, final"),
    BOOL("uki.addon", QUOTE, "PCR 12 or 13 is not zero: a command line or addon from outside of the image"),

    /* Linux integrity measurement: PCR 10. */
    MOVES("ima.lines", IMA, "lines that PCR 10 as quoted proves"),
    MOVES("ima.unattested", IMA, "lines behind the quoted ones; unattested"),
    NUMBER("ima.violations", IMA, "files that changed while they were measured"),
    BOOL("ima.aggregate", IMA, "boot_aggregate is that of the quoted PCRs 0-9"),
    BOOL("ima.signed", IMA, "each line carries a signature; who made it is not judged"),
    TEXT("ima.template", IMA, "template of all lines: ima-ng, ima-sig, ...; unattested"),
    MANY_BYTES("ima.file", 0, IMA, "all that the quoted lines measured: digest of its content; unattested beside a violation"),

    /* Dynamic launch: PCR 17 to 22. */
    BOOL("drtm.launched", QUOTE, "PCR 17 was extended by a dynamic launch: neither all zero nor all ones"),
    BYTES("drtm.pcr.N", 32, QUOTE, "PCR N, 17 to 22, of the SHA-256 bank, quoted"),
    BOOL("drtm.log", DRTM, "the log gives every quoted PCR from 17 to 22 of SHA-256"),
    TEXT("drtm.kind", DRTM, "skinit or txt, by the log's form; unattested"),
    BYTES("drtm.loader", 32, DRTM, "the first thing launched (SLB, SINIT): digest in PCR 17"),
    MANY_BYTES("drtm.image", 32, DRTM, "all that was measured after it into PCR 17 and 18"),

    /* AMD SEV-SNP (ABI specification, table 23). */
    NUMBER("snp.version", SNP, "version of the report: 2 to 5"),
    TEXT("snp.product", AMD, "Milan, Genoa or Turin: who signed"),
    TEXT("snp.key", AMD, "vcek (that chip) or vlek (a fleet)"),
    TEXT("snp.csp", AMD, "whose fleet, of a VLEK"),
    BYTES("snp.vek", 32, AMD, "SHA-256 of the certificate of the key that signed"),
    NUMBER("snp.vmpl", SNP, "privilege level that asked for the report"),
    BOOL("snp.host", SNP, "the host asked, not the guest"),
    BYTES("snp.measurement", 48, SNP, "launch digest"),
    BYTES("snp.host_data", 32, SNP, "what the host put in at launch"),
    BYTES("snp.family_id", 16, SNP, "from the ID block"),
    BYTES("snp.image_id", 16, SNP, "from the ID block"),
    NUMBER("snp.guest_svn", SNP, "from the ID block"),
    BYTES("snp.id_key_digest", 48, SNP, "key that signed the ID block; zero: none"),
    BYTES("snp.author_key_digest", 48, SNP, "key that signed the ID key; zero: none"),
    BYTES("snp.report_id", 32, SNP, "this guest, while it runs"),
    BYTES("snp.migration_agent", 32, SNP, "report id of the migration agent; all ones: none"),
    BYTES("snp.chip_id", 64, SNP, "this chip; absent when the host masks it"),
    BOOL("snp.chip_id.masked", SNP, "the host hides which chip it is"),
    NUMBER("snp.policy", SNP, "all bits of the guest's policy"),
    VERSION("snp.policy.abi", SNP, "least ABI of the firmware: major.minor"),
    BOOL("snp.policy.smt", SNP, "SMT may be on"),
    BOOL("snp.policy.migrate_ma", SNP, "a migration agent may move the guest"),
    BOOL("snp.policy.debug", SNP, "the host may read the guest's memory"),
    BOOL("snp.policy.single_socket", SNP, "one socket alone may run it"),
    BOOL("snp.policy.cxl", SNP, "memory behind CXL may be used"),
    BOOL("snp.policy.aes256_xts", SNP, "AES-256-XTS is required"),
    BOOL("snp.policy.rapl_dis", SNP, "power readings must be off"),
    BOOL("snp.policy.ciphertext_hiding", SNP, "ciphertext must be hidden from the host"),
    BOOL("snp.policy.page_swap_disable", SNP, "the host may not swap guest pages"),
    NUMBER("snp.platform", SNP, "all bits of the platform's information"),
    BOOL("snp.platform.smt", SNP, "SMT is on"),
    BOOL("snp.platform.tsme", SNP, "all memory is encrypted"),
    BOOL("snp.platform.ecc", SNP, "memory has ECC"),
    BOOL("snp.platform.rapl_dis", SNP, "power readings are off"),
    BOOL("snp.platform.ciphertext_hiding", SNP, "ciphertext is hidden from the host"),
    BOOL("snp.platform.alias_check", SNP, "memory was checked for aliases since the last reset (BadRAM)"),
    BOOL("snp.platform.tio", SNP, "trusted I/O is on"),
    VECTOR("snp.tcb.reported", SNP, "bl.tee.snp.ucode; Turin: fmc.bl.tee.snp.ucode; equal to the certificate's"),
    VECTOR("snp.tcb.current", SNP, "what runs now"),
    VECTOR("snp.tcb.committed", SNP, "what it can not be put back below"),
    VECTOR("snp.tcb.launch", SNP, "what ran when the guest was launched"),
    VERSION("snp.firmware", SNP, "firmware that runs: major.minor.build"),
    VERSION("snp.firmware.committed", SNP, "firmware that it can not be put back below"),
    BOOL("snp.firmware.provisional", SNP, "current and committed TCB differ: it may be put back"),
    NUMBER("snp.mit.launch", SNP, "mitigations at launch (version 5)"),
    NUMBER("snp.mit.current", SNP, "mitigations now (version 5)"),

    /* Devices that authenticate themselves: N is the device, then the block. */
    VERSION("device.N.spdm", SPDM, "version that was agreed: 1.2, 1.3"),
    BYTES("device.N.root", 0, SPDM, "digest of the root certificate that the device's chain leads to"),
    BYTES("device.N.key", 32, SPDM, "SHA-256 of the SPKI of the device's key"),
    BOOL("device.N.challenged", SPDM, "the device signed a fresh challenge"),
    BYTES("device.N.measurement.N", 0, SPDM, "digest of a signed measurement block"),
    NUMBER("device.N.svn.N", SPDM, "security version in a signed measurement block"),
    TEXT("device.N.version.N", SPDM, "version in a signed measurement block, raw"),
    TEXT("device.N.tdisp.state", NONE, "unlocked, locked, run or error"),
    BYTES("device.N.tdisp.report", 32, NONE, "SHA-256 of the interface report"),
    BOOL("device.N.tdisp.no_update", NONE, "no firmware update while it is locked"),
    BOOL("device.N.tdisp.ats", NONE, "the device may translate addresses itself"),

    /* The zone's own files: PCR 14 (docs/proto/evidence.md, section 3). */
    TEXT("zone.files", ZONE, "approved: as the reference in force says, file by file; else changed"),
    BYTES("zone.pcr", 32, QUOTE, "PCR 14 of the SHA-256 bank"),
    NUMBER("zone.rounds", ZONE, "times that policy, qubes and services were taken anew"),
    BYTES("zone.programs", 32, ZONE, "SHA-256 of what sha256sum prints of the measured programs"),
    BYTES("zone.conf", 32, ZONE, "the same of its configuration"),
    BYTES("zone.policy", 32, ZONE, "the same of policy.d: sha256sum policy.d/* | sha256sum"),
    BYTES("zone.qubes", 32, ZONE, "the same of qubes.d"),
    BYTES("zone.services", 32, ZONE, "the same of services"),

    /* The board's own controller. */
    TEXT("bmc.verdict", NONE, "pass or fail"),
};
/* clang-format on */

size_t claims_table(const struct claim_def **ret)
{
    *ret = table;
    return ARRAY_LEN(table);
}

/* ---- names ----------------------------------------------------------- */

static struct span next_part(struct span *rest)
{
    size_t n = 0;
    struct span part;

    while (n < rest->len && rest->ptr[n] != '.')
        n++;
    part = SPAN(rest->ptr, n);
    n += n < rest->len;
    *rest = SPAN(rest->ptr + n, rest->len - n);
    return part;
}

static bool is_index(struct span part)
{
    uint64_t n;

    return part.len <= 3 && text_parse_u64(part, &n) && n <= 255;
}

static bool is_named(const struct claim_def *d, struct span name)
{
    struct span want = span_str(d->name);

    if (name.len == 0 || name.ptr[name.len - 1] == '.')
        return false;
    while (want.len > 0 && name.len > 0) {
        struct span w = next_part(&want), p = next_part(&name);

        if (span_eq_str(w, "N") ? !is_index(p) : !span_eq(w, p))
            return false;
    }
    return want.len == 0 && name.len == 0;
}

const struct claim_def *claims_find(struct span name)
{
    if (name.len > CLAIM_NAME_MAX)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (is_named(&table[i], name))
            return &table[i];
    }
    return NULL;
}

const struct claim_def *claims_find_any(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (span_eq_str(name, table[i].name))
            return &table[i];
    }
    return claims_find(name);
}

const char *claims_suggest(struct span name)
{
    const char *best = "";
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        size_t d = rules_distance(name, span_str(table[i].name));

        if (d < least) {
            least = d;
            best = table[i].name;
        }
    }
    return least <= RULES_NEAR ? best : "";
}

static void help_type(const struct claim_def *d, struct buf *ret)
{
    char type[32];

    if (d->type == CLAIM_BYTES && d->size)
        (void)snprintf(type, sizeof(type), "%zu bytes", d->size);
    else
        (void)snprintf(type, sizeof(type), "%s", claims_type_name(d->type));
    buf_printf(ret, "%s%s", d->flags & CLAIM_MANY ? "each " : "", type);
}

void claims_help(struct buf *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        CLEANUP(buf_fini) struct buf type = BUF_INIT(64);

        help_type(&table[i], &type);
        buf_printf(ret, "%-30s %-13s %-17s %s\n", table[i].name,
                (const char *)type.ptr, table[i].from, table[i].help);
    }
}
