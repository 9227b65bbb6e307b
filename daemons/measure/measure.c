/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-measure: extends PCR 14 with the zone's configuration and programs
 * before any other role is started, and gives qaird the event log.
 *
 * The configuration comes as bundles, the very bytes that the roles will
 * parse.  Programs are files in a folder that qaird opened: they are hashed as
 * they are now, and whoever can change them afterwards is root.
 * Whatever cannot be measured (an unreadable file, a subfolder, a name that is
 * not printable) ends the start: nothing runs that is not in the log.
 *
 * Handed over: bundles conf, qubes, policy and services; handles tpm and
 * programs.  Answer: MSG_FILE with the log on the control link, MSG_READY, and
 * then the process ends.
 *
 * With a bundle events (the log so far) the zone runs already and takes its
 * policy, qubes and services anew: they are measured behind what the log says,
 * as a round of their own.
 */
#include "measure_programs.h"

#include "bundle.h"
#include "role.h"
#include "tpm.h"

#include <unistd.h>

struct measure {
    struct tpm *tpm;
    struct buf log;
    size_t extended; /* index of the last event that the PCR has */
};

/* Only a log that is written out is extended, so that no file which cannot be
 * read or does not fit leaves the PCR between two states. */
static int measure_extend(struct measure *m, struct err *err)
{
    struct eventlog log;
    struct eventlog_event e;
    struct span digest;
    int r = eventlog_open(buf_span(&m->log), &log, err);

    while (r == 0 && (r = eventlog_next(&log, &e, err)) == 1) {
        r = 0;
        if (e.index <= m->extended)
            continue;
        if (!eventlog_digest(&e, TCG_ALG_SHA256, &digest))
            return err_set(err, ERR_SYNTAX, "event without a digest");
        r = tpm_pcr_extend(m->tpm, TPM_PCR_QAIR, digest.ptr, err);
    }
    return r;
}

/*
 * A value other than the start value was measured by somebody else, or by this
 * program in a start that failed: the log could not explain it.
 */
static int measure_fresh(struct tpm *t, struct err *err)
{
    static const uint8_t zero[TPM_DIGEST];
    uint8_t pcr[TPM_DIGEST];
    int r;

    r = tpm_pcr_read(t, TPM_PCR_QAIR, pcr, err);
    if (r == 0 && memcmp(pcr, zero, sizeof zero) != 0)
        r = err_set(err, ERR_STATE,
                "PCR %d was extended already since the TPM's last reset; "
                "restart the machine (or its software TPM)",
                TPM_PCR_QAIR);
    return r;
}

static int measure_start(struct role *r, struct measure *m, struct err *err)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int fd = role_handle(r, "programs");
    int e = measure_fresh(m->tpm, err);

    if (e == 0 && fd < 0)
        e = err_set(err, ERR_STATE, "qaird gave no folder of programs");
    if (e == 0)
        e = evidence_events_begin(&m->log, err);
    for (size_t i = 0; i < EVIDENCE_FOLDERS && e == 0; i++)
        e = evidence_events_add_bundle(&m->log, &evidence_folders[i],
                role_bundle(r, evidence_folders[i].bundle), err);
    if (e == 0)
        e = measure_programs(fd, &m->log, err);
    return e ? e : evidence_events_end(&m->log, digest, err);
}

/* The log so far must be the whole truth, or what follows would hide it. */
static int measure_check_past(
        struct measure *m, struct span log, struct err *err)
{
    CLEANUP(evidence_events_fini) struct evidence_events so_far = {0};
    uint8_t pcr[TPM_DIGEST];
    int e = evidence_events_parse(log, &so_far, err);

    /* with the separators: one a round */
    m->extended = so_far.n + so_far.rounds + 1;
    if (e == 0)
        e = tpm_pcr_read(m->tpm, TPM_PCR_QAIR, pcr, err);
    if (e == 0 && memcmp(pcr, so_far.pcr, sizeof pcr) != 0)
        e = err_set(err, ERR_STATE,
                "PCR %d is not what this zone measured: restart the zone (a "
                "zone with a hardware TPM: the machine)",
                TPM_PCR_QAIR);
    return e;
}

static int measure_change(
        struct role *r, struct measure *m, struct span log, struct err *err)
{
    struct span bundle[EVIDENCE_FOLDERS];
    int e = measure_check_past(m, log, err);

    for (size_t i = 0; i < EVIDENCE_FOLDERS; i++)
        bundle[i] = role_bundle(r, evidence_folders[i].bundle);
    buf_append(&m->log, log);
    return e ? e : evidence_events_add_round(&m->log, bundle, err);
}

static int measure_run(struct role *r, struct measure *m, struct err *err)
{
    struct bundle_iter events = bundle_iter_of(role_bundle(r, "events"));
    struct bundle_file log;
    int e;

    e = tpm_open(role_handle_take(r, "tpm"), true, &m->tpm, err);
    if (e == 0)
        e = bundle_next(&events, &log) ? measure_change(r, m, log.content, err)
                                       : measure_start(r, m, err);
    return e ? e : measure_extend(m, err);
}

static int on_start(struct role *r, struct err *err)
{
    struct measure m = {.log = BUF_INIT(LIMIT_EVIDENCE_MAX)};
    int fd = -1, e;

    e = measure_run(r, &m, err);
    if (e == 0)
        e = ipc_seal(buf_span(&m.log), "events", &fd, err);
    if (e == 0)
        role_send(role_peer(r, MSG_ROLE_QAIRD), MSG_FILE,
                &(struct msg_empty){0}, &fd, 1);
    buf_close_fd(&fd);
    tpm_close(m.tpm);
    buf_fini(&m.log);
    /* MSG_READY follows from the frame, then the loop ends */
    if (e == 0 && sd_event_exit(role_event(r), 0) < 0)
        e = err_set(err, ERR_MEMORY, "event loop");
    return e;
}

int main(int argc, char **argv)
{
    static const struct sandbox_spec sandbox = {
            .name = "measure",
            /* reads the folders it was handed, talks to the TPM */
            .groups = SANDBOX_FILES | SANDBOX_DEVICE,
            .max_fds = 32,
    };
    static const struct role_spec spec = {
            .role = MSG_ROLE_MEASURE,
            .sandbox = &sandbox,
            .start = on_start,
    };

    return role_main(&spec, argc, argv);
}
