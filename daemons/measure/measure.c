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
 */
#include "measure_files.h"
#include "role.h"
#include "tpm.h"

#include <unistd.h>

struct measure {
    struct tpm *tpm;
    struct buf log;
};

static int measure_event(
        void *ctx, const struct evidence_event *e, struct err *err)
{
    struct measure *m = ctx;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int r;

    r = evidence_events_add(&m->log, e, digest, err);
    if (r == 0)
        r = tpm_pcr_extend(m->tpm, TPM_PCR_QAIR, digest, err);
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

static int measure_all(const struct role *r, struct measure *m, struct err *err)
{
    static const struct {
        const char *bundle, *kind, *prefix;
    } bundles[] = {
            {"conf", "conf", ""},
            {"qubes", "qube", "qubes.d/"},
            {"policy", "policy", "policy.d/"},
            {"services", "service", "services/"},
    };
    struct measure_sink sink = {.event = measure_event, .ctx = m};
    int fd, e = 0;

    for (size_t i = 0; i < ARRAY_LEN(bundles) && e == 0; i++)
        e = measure_bundle(role_bundle(r, bundles[i].bundle), bundles[i].kind,
                bundles[i].prefix, &sink, err);
    fd = role_handle(r, "programs");
    if (e == 0 && fd < 0)
        e = err_set(err, ERR_STATE, "qaird gave no folder of programs");
    if (e == 0)
        e = measure_folder(
                fd, "program", "programs/", measure_program_name, &sink, err);
    return e;
}

static int measure_run(struct role *r, struct measure *m, struct err *err)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int e;

    e = tpm_open(role_handle_take(r, "tpm"), true, &m->tpm, err);
    if (e == 0)
        e = measure_fresh(m->tpm, err);
    if (e == 0)
        e = evidence_events_begin(&m->log, err);
    if (e == 0)
        e = measure_all(r, m, err);
    if (e == 0)
        e = evidence_events_end(&m->log, digest, err);
    if (e == 0)
        e = tpm_pcr_extend(m->tpm, TPM_PCR_QAIR, digest, err);
    return e;
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
