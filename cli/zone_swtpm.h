/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A software TPM for a zone: its state in ZONE/tpm, its EK certificates from
 * a test CA in the folder ca (made when missing), whose root and issuing
 * certificates are ca/ca.pem.  All of it is emulated: whoever holds the CA's
 * key can make such a TPM.
 */
#ifndef QAIR_ZONE_SWTPM_H
#define QAIR_ZONE_SWTPM_H

#include "base.h"

/* ca: NULL for the folder "ca" beside the zone's directory. */
int zone_swtpm_make(const char *zone_dir, const char *ca, const char *name,
        struct err *err) MUST_CHECK;

#endif
