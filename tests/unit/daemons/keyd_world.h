/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone `server` around one real qair-keyd: a software TPM behind a proxy
 * that can act between two commands, the owner with key and pack, and this
 * process in the parts of qaird, calld, netd, logd and the admin.
 */
#ifndef QAIR_TEST_KEYD_WORLD_H
#define QAIR_TEST_KEYD_WORLD_H

#include "crypto.h"
#include "driver.h"
#include "pack.h"
#include "swtpm_fixture.h"

#define ZONE "server"

extern const char *world_program;

/* Runs the tests with a software TPM; main's status, 77 where there is none. */
int world_run(int (*tests)(void));

struct world {
    char dir[64]; /* of the zone, for qair -z */
    char run[80];
    struct swtpm chip;
    const char *pcrs;              /* of zone.conf; NULL: 14 */
    struct driver_file machine[2]; /* logs of the kernel, */
    size_t n_machine;
    int measured; /* and its list, open; 0: none */
    int report;   /* an entry of configfs-tsm; 0: none */
    struct crypto_key *owner;
    struct buf events;
    struct driver d;
    bool hardware;  /* the owner takes the TPM for a real one */
    bool revoked;   /* the zone, and */
    uint64_t until; /* the end of its time: what world_enrol signs */
    pid_t proxy;
    int proxy_ctl;
    int admin, calld, netd, logd; /* our ends */
    /* of the claim */
    struct crypto_pub *identity, *log;
    uint8_t log_seed[32]; /* as logd gets it */
    uint8_t ak[PACK_AK_MAX];
    size_t ak_len;
    /* files of the pack */
    struct buf zone_file, reference_file, key_file[4];
    struct buf office_file; /* zones/office.json, when not empty */
    char key_name[4][80];
    size_t n_keys;
    struct buf told;
    size_t n_told;
};

/* TPM, owner, measured events in PCR 14; keyd is not started. */
void world_init(struct world *w);
void world_fini(struct world *w);
/* Starts keyd and takes the MSG_LOG_KEY that it owes to logd. */
void world_start(struct world *w);
/* MSG_START alone; the message on the control link comes to the caller. */
void world_launch(struct world *w);
void world_stop(struct world *w);

/* What a person does: claim, zone in the pack, reference of the state now. */
void world_enrol(struct world *w);
void world_approve(struct world *w, const struct crypto_key *by,
        const char *zone, uint64_t expires);
/* Hands the pack over and waits until keyd has taken it. */
void world_send_pack(struct world *w);
/* Start, enrol, approve: keys are open. */
void world_ready(struct world *w);
/* Creates a key through admin and log, and signs it into the pack. */
void world_make_key(struct world *w, const char *name, const char *custody,
        const char *profile);
void world_add_key(struct world *w, const char *name, const char *custody,
        const char *profile, struct span spki, bool revoked);

/* The TPM, while keyd holds it. */
void world_extend(struct world *w);
void world_extend_pcr(struct world *w, uint8_t pcr);

/* True and the reason when the next message on fd is a refusal. */
bool world_refused(int fd, char *ret_reason, size_t cap);
/* A request on the admin socket; the answer's type. */
uint16_t world_ask(struct world *w, enum msg_type type, const void *msg,
        void *ret_body, struct buf *ret_file);
/* "state" of MSG_STATUS; *ret_reason gets the reason. */
bool world_approved(struct world *w, char *ret_reason, size_t cap);
/*
 * The next message to logd.  Records of a changed state come in between: they
 * are acknowledged, counted, and the last one's payload is in w->told.
 */
uint16_t world_log_get(struct world *w, void *ret_body, uint32_t *ret_id);
/* True when, but for those, nothing comes for that long. */
bool world_log_is_silent(struct world *w, int ms);
/* Answers one MSG_APPEND as logd: durable.  Its payload, appended. */
void world_append(struct world *w, struct buf *ret_payload);
/* A key session of calld's for these keys; our end of the service's link. */
int world_session(struct world *w, const char *keys, uint64_t deadline);
/* The same for the call that this envelope asks for. */
int world_session_of(struct world *w, const char *keys, uint64_t deadline,
        struct span envelope);
/* MSG_KEY_SIGN with the artefact's descriptor (closed here). */
void world_sign(int session, const char *key, const char *name, int artefact);
/* A descriptor to read these bytes from. */
int world_artefact(struct span bytes);

#endif
