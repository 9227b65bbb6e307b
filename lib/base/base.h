/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room base (floor 0): what every other room stands on.
 *
 * Nothing here allocates, opens a file, reads a clock or keeps state (the one
 * exception is secret.h, which maps locked pages).  All input is spans: a
 * pointer that the caller owns and a length.  A function that fails leaves
 * its outputs alone.
 *
 *   attr.h    attributes, TAKE_PTR, cleanup helpers
 *   der.h     reading DER, for narrow profiles
 *   err.h     the one list of error codes, and a message for a person
 *   limit.h  every bound on what a peer may choose, each with its reason
 *   rate.h    how often somebody may make us do a thing
 *   span.h    borrowed bytes, constant-time comparison
 *   wire.h    the one reader and the one writer of binary formats
 *   text.h    hex, base64, decimal, names: strict in, canonical out
 *   secret.h  locked, undumped memory that is wiped when freed
 */
#ifndef QAIR_BASE_H
#define QAIR_BASE_H

#include "attr.h"
#include "der.h"
#include "err.h"
#include "limit.h"
#include "rate.h"
#include "secret.h"
#include "span.h"
#include "text.h"
#include "wire.h"

#endif
