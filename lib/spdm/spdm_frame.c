/* SPDX-License-Identifier: Apache-2.0 */
/* SPDM in PCI DOE objects and in MCTP packets. */
#include "spdm_private.h"

#define PCI_SIG       1
#define DOE_HEADER    8
#define DOE_DISCOVERY 0
#define DOE_SPDM      1
#define DOE_SECURED   2
#define MCTP_SPDM     5
#define MCTP_SECURED  6
/* Start and end of message in one packet, no integrity check. */
#define MCTP_WHOLE 0xc0

static enum spdm_payload payload(uint8_t type, uint8_t plain, uint8_t secured)
{
    return type == plain     ? SPDM_PLAIN
           : type == secured ? SPDM_SECURED
                             : SPDM_OTHER;
}

static int open_doe(struct span frame, enum spdm_payload *ret_payload,
        uint8_t *ret_type, struct span *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(frame);
    uint16_t vendor;
    uint8_t type, reserved;
    uint32_t words;
    struct span body;

    if (!wire_get_u16le(&r, &vendor) || !wire_get_u8(&r, &type) ||
            !wire_get_u8(&r, &reserved) || !wire_get_u32le(&r, &words))
        return err_set(err, ERR_SYNTAX, "DOE: object without a header");
    words &= 0x3ffff; /* 18 bits; 0 stands for the most */
    if (words < 2 || 4 * (size_t)words != frame.len ||
            !wire_get_span(&r, frame.len - DOE_HEADER, &body))
        return err_set(err, ERR_SYNTAX, "DOE: object of %u words in %zu bytes",
                words, frame.len);
    if (vendor != PCI_SIG)
        return err_set(
                err, ERR_UNSUPPORTED, "DOE: object of vendor 0x%04x", vendor);
    *ret_payload = payload(type, DOE_SPDM, DOE_SECURED);
    *ret_type = type;
    *ret = body;
    return 0;
}

static int open_mctp(struct span frame, enum spdm_payload *ret_payload,
        uint8_t *ret_type, struct span *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(frame);
    struct span addresses;
    uint8_t version, flags, type;

    if (!wire_get_u8(&r, &version) || !wire_get_span(&r, 2, &addresses) ||
            !wire_get_u8(&r, &flags) || !wire_get_u8(&r, &type))
        return err_set(err, ERR_SYNTAX, "MCTP: packet without a header");
    if ((flags & MCTP_WHOLE) != MCTP_WHOLE)
        return err_set(err, ERR_UNSUPPORTED, "MCTP: message in parts");
    *ret_payload = payload(type & 0x7f, MCTP_SPDM, MCTP_SECURED);
    *ret_type = type & 0x7f;
    *ret = SPAN(r.ptr, r.left);
    return 0;
}

int spdm_frame_open(enum spdm_carrier carrier, struct span frame,
        enum spdm_payload *ret_payload, uint8_t *ret_type,
        struct span *ret_message, struct err *err)
{
    return (carrier == SPDM_DOE ? open_doe : open_mctp)(
            frame, ret_payload, ret_type, ret_message, err);
}

int spdm_frame_put(
        enum spdm_carrier carrier, struct span message, struct buf *ret)
{
    static const uint8_t zeros[3];
    uint8_t head[DOE_HEADER];
    struct wire_writer w = wire_writer_of(head, sizeof(head));
    size_t pad = carrier == SPDM_DOE ? -message.len & 3u : 0;
    struct span out;

    if (message.len > SPDM_MESSAGE_MAX)
        return ERR_LIMIT;
    if (carrier == SPDM_DOE) {
        wire_put_u16le(&w, PCI_SIG);
        wire_put_u8(&w, DOE_SPDM);
        wire_put_u8(&w, 0);
        wire_put_u32le(&w, (uint32_t)((DOE_HEADER + message.len + pad) / 4));
    } else {
        wire_put_u8(&w, 1); /* header version */
        wire_put_u16le(&w, 0);
        wire_put_u8(&w, MCTP_WHOLE);
        wire_put_u8(&w, MCTP_SPDM);
    }
    if (!wire_finish(&w, &out))
        return ERR_LIMIT;
    buf_append(ret, out);
    buf_append(ret, message);
    buf_append(ret, SPAN(zeros, pad));
    return buf_ok(ret, NULL);
}
