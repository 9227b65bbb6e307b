/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine shows of itself: docs/proto/evidence.md, section 2. */
#include "keyd.h"

#include "bundle.h"

#include <errno.h>
#include <unistd.h>

/*
 * A kernel that measures what runs extends a PCR at any time, also between the
 * two commands: values that are not the quoted ones are read once more.
 */
#define QUOTE_TRIES 16

static int quote(struct keyd *k, const uint8_t binder[static TPM_DIGEST],
        struct buf *ret_attest, struct buf *ret_sig,
        uint8_t value[static TPM_PCRS][TPM_DIGEST], struct tcg_values *ret,
        struct err *err)
{
    uint8_t digest[TPM_DIGEST];
    struct tcg_attest a;
    int r = 0;

    ret->n = (size_t)__builtin_popcount(k->conf->pcrs);
    for (size_t i = 0; i < ret->n; i++)
        ret->value[i] = SPAN(value[i], TPM_DIGEST);
    for (int i = 0; i < QUOTE_TRIES && r == 0; i++) {
        buf_reset(ret_attest);
        buf_reset(ret_sig);
        r = tpm_pcrs_read(k->tpm, k->conf->pcrs, value, err);
        if (r == 0)
            r = tpm_quote(k->tpm, &k->ring.ak->file.blob, k->conf->pcrs, binder,
                    ret_attest, ret_sig, err);
        if (r == 0)
            r = tcg_attest(buf_span(ret_attest), &a, err);
        if (r == 0)
            r = tcg_pcr_digest(ret, CRYPTO_SHA256, digest);
        if (r == 0 && span_eq(a.pcr_digest, SPAN_OF(digest)))
            return 0;
    }
    return r ? r
             : err_set(err, ERR_STATE,
                       "the PCRs change faster than they can be quoted");
}

/*
 * The kernel's list as it is now, behind the quote: it has all that the quoted
 * PCR 10 covers, and maybe more.
 */
static int read_measured(struct keyd *k, struct buf *ret, struct err *err)
{
    int fd = role_handle(k->role, "measured");
    ssize_t n = 1;

    while (fd >= 0 && n != 0) {
        size_t room = ret->cap - ret->len < 65536 ? ret->cap - ret->len : 65536;
        uint8_t *p = buf_reserve(ret, room ? room : 1);

        if (!p || room == 0)
            return err_set(err, ERR_LIMIT,
                    "the list of measured files does not fit evidence");
        n = pread(fd, p, room, (off_t)ret->len);
        if (n < 0 && errno != EINTR)
            return err_errno(err, "list of measured files");
        if (n > 0)
            buf_commit(ret, (size_t)n);
    }
    return 0;
}

static void take_file(const struct keyd *k, const char *bundle,
        const char *name, struct span *ret)
{
    if (!bundle_find(role_bundle(k->role, bundle), name, ret))
        *ret = SPAN_EMPTY;
}

int keyd_state_evidence(struct keyd *k,
        const uint8_t binder[static CRYPTO_SHA256_SIZE], struct buf *ret,
        struct err *err)
{
    CLEANUP(buf_fini) struct buf attest = BUF_INIT(TPM_QUOTE_MAX);
    CLEANUP(buf_fini) struct buf sig = BUF_INIT(TPM_QUOTE_MAX);
    CLEANUP(buf_fini) struct buf measured = BUF_INIT(LIMIT_EVIDENCE_MAX);
    CLEANUP(buf_fini) struct buf report = BUF_INIT(KEYD_REPORT_MAX);
    CLEANUP(buf_fini) struct buf certs = BUF_INIT(KEYD_CERTS_MAX);
    struct evidence e = {.log = SPAN_EMPTY};
    uint8_t value[TPM_PCRS][TPM_DIGEST];
    int r;

    r = quote(k, binder, &attest, &sig, value, &e.values, err);
    if (r == 0 && (k->conf->pcrs & CONF_PCRS_RUNNING))
        r = read_measured(k, &measured, err);
    if (r == 0)
        r = keyd_report(k, binder, &report, &certs, err);
    if (r != 0)
        return r;
    e.attest = buf_span(&attest);
    e.signature = buf_span(&sig);
    e.ak = tpm_blob_public(&k->ring.ak->file.blob);
    take_file(k, "events", "events", &e.log);
    if (k->conf->pcrs & CONF_PCRS_FIRMWARE)
        take_file(k, "machine", "firmware", &e.part[EVIDENCE_FIRMWARE]);
    if (k->conf->pcrs & CONF_PCRS_LAUNCH)
        take_file(k, "machine", "launch", &e.part[EVIDENCE_DRTM]);
    e.part[EVIDENCE_IMA] = buf_span(&measured);
    e.part[EVIDENCE_SNP_REPORT] = buf_span(&report);
    e.part[EVIDENCE_SNP_CERTS] = buf_span(&certs);
    return evidence_format(&e, ret, err);
}
