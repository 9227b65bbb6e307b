/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Foreign parts under a genuine quote: the first byte says which part the rest
 * is.  The machine quotes PCRs 0 to 22 that no log explains, so whatever a
 * part says, nothing of it is attested but what the quote itself says and what
 * can be counted; and rules about it are never met.
 */
#include "appraise.h"
#include "pack_fixture.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t binder[32] = {0xb1};
static struct estate server;
static struct pack *pack;

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void init(void)
{
    CLEANUP(buf_fini) struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    static const char text[] =
            "state golden\n"
            "secureboot.enabled is yes\n"
            "state loader\n"
            "bootloader.image is not " /* of anything */
            "000000000000000000000000000000000000000000000000"
            "0000000000000000\n"
            "state files\n"
            "ima.file is not 00\n"
            "state launch\n"
            "drtm.log is yes\n"
            "state guest\n"
            "snp.vmpl at most 3\n"
            "state device\n"
            "device.0.challenged is yes\n";

    estate_init(&server, "server");
    pack = estate_pack(&server, FIXTURE_NOW - 100);
    require(pack_rules_sign("server", span_str(text), FIXTURE_NOW - 50, 0,
                    server.owner, &file, NULL) == 0 &&
            pack_add(pack, span_str("rules/server.json"), buf_span(&file),
                    NULL) == 0);
    server.machine.also = 0x7fffff & ~(1u << 14 | 1u << 16);
    for (unsigned i = 0; i < TCG_PCRS; i++)
        memset(server.machine.other[i], (int)i + 1, 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_fini) struct buf blob = BUF_INIT(LIMIT_EVIDENCE_MAX);
    CLEANUP(buf_fini) struct buf told = BUF_INIT(64u << 20);
    CLEANUP(appraise_detail_fini) struct appraise_detail d = {0};
    struct appraise_input in = {.binder = SPAN_OF(binder), .time = FIXTURE_NOW};
    static struct appraisal a;
    unsigned kind;

    if (size < 2 || size > 1u << 20)
        return 0;
    if (!pack)
        init();
    kind = EVIDENCE_FIRMWARE + data[0] % (EVIDENCE_KINDS - EVIDENCE_FIRMWARE);
    memset(server.machine.part, 0, sizeof(server.machine.part));
    server.machine.part[kind] = SPAN(data + 1, size - 1);
    machine_evidence(&server.machine, binder, &blob);
    in.evidence = buf_span(&blob);
    appraise_take_pack(&in, pack, span_str("server"));
    appraise_in_full(&in, &a, &d);
    require(a.genuine && !a.accept);
    appraise_tell(&in, &a, &d, &told);
    require(told.len > 0);
    return 0;
}
