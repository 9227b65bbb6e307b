/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCTI over a descriptor (TCG TSS 2.0 TCTI specification, version 2).  One
 * command, one answer: both swtpm's data channel and /dev/tpmrm0 carry plain
 * TPM commands, whose header has the length (TPM 2.0 Part 1, 18.1).
 */
#include "tpm_private.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define TCTI_MAGIC       0x71616972746f7074 /* "qairtopt" */
#define TCTI_VERSION     2
#define TPM_HEADER_SIZE  10
#define TPM_RESPONSE_MAX 4096 /* MAX_RESPONSE_SIZE of the TPM library */

static struct tpm_tcti *tcti_of(TSS2_TCTI_CONTEXT *ctx)
{
    return (struct tpm_tcti *)(void *)ctx;
}

static TSS2_RC tcti_transmit(
        TSS2_TCTI_CONTEXT *ctx, size_t size, const uint8_t *command)
{
    struct tpm_tcti *t = tcti_of(ctx);

    if (t->sent)
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    if (buf_write_all(t->fd, SPAN(command, size), NULL) != 0)
        return TSS2_TCTI_RC_IO_ERROR;
    t->sent = true;
    return TSS2_RC_SUCCESS;
}

static bool tcti_wait(int fd, int32_t timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;

    if (timeout_ms < 0)
        timeout_ms = TPM_TIMEOUT_S * 1000;
    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

/* True when buf holds a whole answer; *ret_want is its length so far known. */
static bool tcti_whole(const uint8_t *buf, size_t len, size_t *ret_want)
{
    struct wire_reader r = wire_reader_of(SPAN(buf, len));
    uint16_t tag;
    uint32_t size;

    *ret_want = TPM_HEADER_SIZE;
    if (len < TPM_HEADER_SIZE || !wire_get_u16be(&r, &tag) ||
            !wire_get_u32be(&r, &size))
        return false;
    *ret_want = size;
    return len == size;
}

static TSS2_RC tcti_read(
        struct tpm_tcti *t, uint8_t *buf, size_t *ret_len, int32_t timeout_ms)
{
    size_t len = 0, want;
    ssize_t n;

    while (!tcti_whole(buf, len, &want)) {
        if (want < TPM_HEADER_SIZE || want > TPM_RESPONSE_MAX || len > want)
            return TSS2_TCTI_RC_MALFORMED_RESPONSE;
        if (!tcti_wait(t->fd, timeout_ms))
            return len == 0 && timeout_ms >= 0 ? TSS2_TCTI_RC_TRY_AGAIN
                                               : TSS2_TCTI_RC_IO_ERROR;
        /* /dev/tpmrm0 wants one read with room for the whole answer */
        n = read(t->fd, buf + len, TPM_RESPONSE_MAX - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return TSS2_TCTI_RC_IO_ERROR;
        len += (size_t)n;
    }
    *ret_len = len;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC tcti_receive(TSS2_TCTI_CONTEXT *ctx, size_t *size,
        uint8_t *response, int32_t timeout_ms)
{
    struct tpm_tcti *t = tcti_of(ctx);
    uint8_t buf[TPM_RESPONSE_MAX];
    size_t len = 0;
    TSS2_RC rc;

    if (!t->sent)
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    if (!response) { /* a question for the size: any answer fits this */
        *size = TPM_RESPONSE_MAX;
        return TSS2_RC_SUCCESS;
    }
    rc = tcti_read(t, buf, &len, timeout_ms);
    if (rc == TSS2_RC_SUCCESS && len > *size)
        rc = TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    if (rc == TSS2_RC_SUCCESS) {
        memcpy(response, buf, len);
        *size = len;
    }
    if (rc != TSS2_TCTI_RC_TRY_AGAIN)
        t->sent = false;
    secret_wipe(buf, sizeof buf);
    return rc;
}

static void tcti_finalize(TSS2_TCTI_CONTEXT *ctx)
{
    struct tpm_tcti *t = tcti_of(ctx);

    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

static TSS2_RC tcti_cancel(TSS2_TCTI_CONTEXT *ctx)
{
    (void)ctx;
    return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC tcti_poll_handles(TSS2_TCTI_CONTEXT *ctx,
        TSS2_TCTI_POLL_HANDLE *handles, size_t *n_handles)
{
    if (handles && *n_handles >= 1) {
        handles[0].fd = tcti_of(ctx)->fd;
        handles[0].events = POLLIN;
    }
    *n_handles = 1;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC tcti_locality(TSS2_TCTI_CONTEXT *ctx, uint8_t locality)
{
    (void)ctx;
    (void)locality;
    return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC tcti_sticky(
        TSS2_TCTI_CONTEXT *ctx, TPM2_HANDLE *handle, uint8_t sticky)
{
    (void)ctx;
    (void)handle;
    (void)sticky;
    return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

void tpm_tcti_init(struct tpm_tcti *t, int fd)
{
    *t = (struct tpm_tcti){
            .common.v1 =
                    {
                            .magic = TCTI_MAGIC,
                            .version = TCTI_VERSION,
                            .transmit = tcti_transmit,
                            .receive = tcti_receive,
                            .finalize = tcti_finalize,
                            .cancel = tcti_cancel,
                            .getPollHandles = tcti_poll_handles,
                            .setLocality = tcti_locality,
                    },
            .common.makeSticky = tcti_sticky,
            .fd = fd,
    };
}
