/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of room channel: the files that nghttp2 calls into.
 *
 *   channel_h2.c       the session: made, fed, emptied
 *   channel_request.c  requests, responses, resets
 *   channel_flow.c     bodies and their windows
 *   channel_guard.c    floods
 */
#ifndef QAIR_CHANNEL_H2_H
#define QAIR_CHANNEL_H2_H

#include "channel_private.h"

#include <nghttp2/nghttp2.h>

/* A DATA frame with its header fills TLS records without a rest. */
#define CHANNEL_H2_FRAME_HEADER 9
#define CHANNEL_H2_DATA_MAX     (CHANNEL_FRAME - CHANNEL_H2_FRAME_HEADER)
struct channel_stream *channel_h2_stream(struct channel *ch, int32_t id);

/* ---- channel_flow.c -------------------------------------------------- */

/* The stream's own bytes, as a body. */
nghttp2_data_provider channel_flow_source(struct channel_stream *s);
ssize_t channel_flow_read_length(nghttp2_session *h2, uint8_t type, int32_t id,
        int32_t connection_window, int32_t stream_window, uint32_t frame_max,
        void *arg);
int channel_flow_on_data(nghttp2_session *h2, uint8_t flags, int32_t id,
        const uint8_t *data, size_t len, void *arg);
/* ---- channel_guard.c ------------------------------------------------- */

int channel_guard_on_begin_frame(
        nghttp2_session *h2, const nghttp2_frame_hd *hd, void *arg);

/* ---- channel_request.c ----------------------------------------------- */

int channel_request_on_begin_headers(
        nghttp2_session *h2, const nghttp2_frame *frame, void *arg);
int channel_request_on_header(nghttp2_session *h2, const nghttp2_frame *frame,
        const uint8_t *name, size_t namelen, const uint8_t *value,
        size_t valuelen, uint8_t flags, void *arg);
int channel_request_on_frame(
        nghttp2_session *h2, const nghttp2_frame *frame, void *arg);
int channel_request_on_close(
        nghttp2_session *h2, int32_t id, uint32_t error_code, void *arg);
int channel_request_on_sent(
        nghttp2_session *h2, const nghttp2_frame *frame, void *arg);
int channel_request_on_not_sent(
        nghttp2_session *h2, const nghttp2_frame *frame, int code, void *arg);

#endif
