/* SPDX-License-Identifier: Apache-2.0 */
/* From lines of a verdict to AR4SI's vector (docs/proto/eat.md, section 5). */
#include "eat_private.h"

/* AR4SI, 2.3.4; the values that are not a tier's first have their names. */
enum {
    APPROVED = 2,
    APPROVED_BOOT = 3,
    UNSAFE_HARDWARE = 32,
    UNRECOGNIZED_FILES = 32,
    UNRECOGNIZED_RUNTIME = 33,
    CONTRA = 96,
    UNRECOGNIZED = 97, /* instance; hardware */
    CRYPTO_FAILED = 99,
};

/* The first row whose prefix fits counts. */
static const struct {
    const char *prefix;
    enum ear_axis axis;
    int8_t passed, failed;
} rows[] = {
        {"tpm.", EAR_INSTANCE_IDENTITY, APPROVED, UNRECOGNIZED},
        {"firmware.", EAR_HARDWARE, APPROVED, UNRECOGNIZED},
        {"bmc.", EAR_HARDWARE, APPROVED, CONTRA},
        {"secureboot.", EAR_CONFIGURATION, APPROVED, CONTRA},
        {"bootloader.", EAR_EXECUTABLES, APPROVED_BOOT, UNRECOGNIZED_RUNTIME},
        {"kernel.cmdline", EAR_CONFIGURATION, APPROVED, CONTRA},
        {"kernel.", EAR_EXECUTABLES, APPROVED_BOOT, UNRECOGNIZED_RUNTIME},
        {"uki.", EAR_EXECUTABLES, APPROVED_BOOT, UNRECOGNIZED_RUNTIME},
        {"drtm.", EAR_EXECUTABLES, APPROVED_BOOT, UNRECOGNIZED_RUNTIME},
        {"ima.", EAR_FILE_SYSTEM, APPROVED, UNRECOGNIZED_FILES},
        {"snp.measurement", EAR_EXECUTABLES, APPROVED_BOOT,
                UNRECOGNIZED_RUNTIME},
        {"snp.id_key_digest", EAR_EXECUTABLES, APPROVED_BOOT,
                UNRECOGNIZED_RUNTIME},
        {"snp.author_key_digest", EAR_EXECUTABLES, APPROVED_BOOT,
                UNRECOGNIZED_RUNTIME},
        {"snp.guest_svn", EAR_EXECUTABLES, APPROVED_BOOT, UNRECOGNIZED_RUNTIME},
        {"snp.policy", EAR_RUNTIME_OPAQUE, APPROVED, CONTRA},
        {"snp.platform", EAR_RUNTIME_OPAQUE, APPROVED, CONTRA},
        {"snp.vmpl", EAR_RUNTIME_OPAQUE, APPROVED, CONTRA},
        {"snp.chip_id", EAR_INSTANCE_IDENTITY, APPROVED, UNRECOGNIZED},
        {"snp.vek", EAR_INSTANCE_IDENTITY, APPROVED, UNRECOGNIZED},
        {"snp.", EAR_HARDWARE, APPROVED, UNSAFE_HARDWARE},
        {"device.", EAR_SOURCED_DATA, APPROVED, CONTRA},
        {"zone.programs", EAR_EXECUTABLES, APPROVED_BOOT, UNRECOGNIZED_RUNTIME},
        {"zone.", EAR_CONFIGURATION, APPROVED, CONTRA},
};

enum ear_tier ear_tier_of(int8_t value)
{
    if (value >= EAR_CONTRAINDICATED || value <= -97)
        return EAR_CONTRAINDICATED;
    if (value >= EAR_WARNING || value <= -33)
        return EAR_WARNING;
    return value >= EAR_AFFIRMING || value <= -2 ? EAR_AFFIRMING : EAR_NONE;
}

const char *ear_tier_name(enum ear_tier tier)
{
    switch (tier) {
    case EAR_NONE:
        return "none";
    case EAR_AFFIRMING:
        return "affirming";
    case EAR_WARNING:
        return "warning";
    case EAR_CONTRAINDICATED:
        return "contraindicated";
    }
    return "none";
}

static void set(struct ear_submod *m, size_t row, enum ear_outcome outcome)
{
    enum ear_axis axis = rows[row].axis;
    int8_t *v = &m->vector[axis];
    int8_t failed =
            outcome == EAR_FORGED ? (int8_t)CRYPTO_FAILED : rows[row].failed;

    m->seen[axis] = true;
    if (outcome == EAR_UNDECIDED)
        m->undecided[axis] = true;
    if (outcome == EAR_FAILED || outcome == EAR_FORGED)
        *v = *v > failed ? *v : failed;
    else if (m->undecided[axis] && ear_tier_of(*v) == EAR_AFFIRMING)
        *v = 0;
    else if (!m->undecided[axis] && *v == 0)
        *v = rows[row].passed;
}

void ear_add(struct ear_submod *m, const char *claim, enum ear_outcome outcome)
{
    if (outcome == EAR_FAILED || outcome == EAR_FORGED)
        m->any_failed = true;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strncmp(claim, rows[i].prefix, strlen(rows[i].prefix)) == 0) {
            set(m, i, outcome);
            return;
        }
    }
}

enum ear_tier ear_status(const struct ear_submod *m)
{
    enum ear_tier worst = EAR_NONE;
    bool doubt = false;

    for (size_t i = 0; i < EAR_AXES; i++) {
        enum ear_tier t = ear_tier_of(m->vector[i]);

        worst = t > worst ? t : worst;
        doubt = doubt || m->undecided[i];
    }
    if (!m->approved)
        return m->any_failed ? EAR_CONTRAINDICATED : EAR_NONE;
    if (m->any_failed && worst < EAR_CONTRAINDICATED)
        return EAR_CONTRAINDICATED; /* a caller that contradicts itself */
    return doubt && worst <= EAR_AFFIRMING ? EAR_NONE : worst;
}
