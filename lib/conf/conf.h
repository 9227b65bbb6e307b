/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room conf (floor 1, pure): the one strict configuration reader, and the two
 * files it reads: zone.conf and qubes.d/NAME.conf.
 *
 * A file is UTF-8 lines "key = value"; a line whose first character is '#' is
 * a comment; blank lines are skipped.  White space around key and value is
 * dropped; there is no quoting, no continuation, no section.  An unknown key,
 * a key given twice, a line over LIMIT_CONF_LINE_MAX, a control character or
 * a value that its key's parser refuses is an error "FILE:LINE: ...".
 *
 * What comes out is copied; nothing points into the text.
 */
#ifndef QAIR_CONF_H
#define QAIR_CONF_H

#include "base.h"

/* ---- the reader ------------------------------------------------------ */

struct conf_key {
    /* "listen"; or "peer." for a family, where the rest of the key must be a
     * zone name, at most once each. */
    const char *name;
    bool required; /* not for a family */
    /* rest: what follows a family's dot, else empty.  The message of a failure
     * is prefixed with FILE:LINE and the key by conf_parse. */
    int (*set)(void *ctx, struct span rest, struct span value, struct err *err);
};

#define CONF_KEYS_MAX 32 /* in one table: ours are shorter */

int conf_parse(struct span text, const char *file, const struct conf_key *keys,
        size_t n_keys, void *ctx, struct err *err) MUST_CHECK;

/* ---- zone.conf ------------------------------------------------------- */

#define CONF_HOST_MAX     45 /* INET6_ADDRSTRLEN without its NUL */
#define CONF_SPKI_MAX     256
#define CONF_PATH_MAX     1024
#define CONF_REATTEST_DEF 300
#define CONF_UID_BASE_DEF 64200

struct conf_addr {
    char host[CONF_HOST_MAX + 1]; /* numeric; without brackets */
    uint16_t port; /* 0 in listen: any free port, told in run/listen */
};

struct conf_peer {
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    struct conf_addr addr;
};

/* What a zone measures itself into, and what it quotes unless told more. */
#define CONF_PCR_ZONE 14
#define CONF_PCRS     24
/* PCRs that a log explains; without one of them quoted it proves nothing. */
#define CONF_PCRS_FIRMWARE 0x00bbffu /* 0-9, 11-13, 15 */
#define CONF_PCRS_RUNNING  0x000400u /* 10 */
#define CONF_PCRS_LAUNCH   0x7e0000u /* 17-22 */

enum conf_tpm { CONF_TPM_SWTPM, CONF_TPM_DEVICE };

struct conf_zone {
    char name[LIMIT_ZONE_NAME_MAX + 1];
    bool has_listen;
    struct conf_addr listen;
    uint32_t uid_base; /* roles run as uid_base + enum msg_role */
    enum conf_tpm tpm;
    char tpm_path[CONF_PATH_MAX]; /* "/dev/tpmrm0", empty for swtpm */
    uint32_t pcrs; /* of the SHA-256 bank, quoted; bit i = PCR i */
    /* Where the kernel shows what was measured; empty: where it does so for
     * that TPM, and not at all for swtpm. */
    char firmware_log[CONF_PATH_MAX];
    char launch_log[CONF_PATH_MAX];
    char measured_files[CONF_PATH_MAX];
    char guest_report[CONF_PATH_MAX]; /* configfs-tsm's folder, the same */
    uint8_t owner[CONF_SPKI_MAX];     /* SPKI DER of the owner's P-256 key */
    size_t owner_len;                 /* 0: not set yet */
    uint32_t reattest_s;
    /* A reference that the owner signed longer ago is not believed: 0: any */
    uint32_t reference_max_age_s;
    char programs[CONF_PATH_MAX]; /* empty: beside qaird */
    /* Who may hand over calls of a Qubes host's qubes; empty: nobody. */
    char relay_user[LIMIT_NAME_MAX + 1];
    size_t n_peers;
    struct conf_peer peers[LIMIT_ZONES_MAX];
};

/* text: the bytes of zone.conf (about 25 kB: better static or heap). */
int conf_zone_parse(struct span text, struct conf_zone *ret, struct err *err)
        MUST_CHECK;
/* "192.0.2.1:7400" or "[2001:db8::1]:7400"; no names, since the process that
 * connects has no resolver. */
int conf_addr_parse(struct span text, struct conf_addr *ret, struct err *err)
        MUST_CHECK;
/* NULL when there is none. */
const struct conf_addr *conf_peer_find(
        const struct conf_zone *zone, struct span name);

/* ---- qubes.d --------------------------------------------------------- */

enum conf_qube_type { CONF_APPVM = 1, CONF_REMOTEVM = 2 };

#define CONF_LIST_MAX 1023

/* Lists are words with one space between, each once, in the file's order. */
struct conf_qube {
    char name[LIMIT_NAME_MAX + 1]; /* of the file */
    enum conf_qube_type type;
    bool on_host;   /* AppVM of the Qubes host whose relay this zone is */
    bool autostart; /* default: yes */
    char zone[LIMIT_ZONE_NAME_MAX + 1];   /* RemoteVM */
    char remote_name[LIMIT_NAME_MAX + 1]; /* RemoteVM: name over there */
    /* RemoteVM: where its calls must have begun; empty: they may anywhere. */
    char origin_zone[LIMIT_ZONE_NAME_MAX + 1];
    char origin_qube[LIMIT_NAME_MAX + 1];
    char default_user[LIMIT_NAME_MAX + 1];   /* default "user" */
    char label[LIMIT_NAME_MAX + 1];          /* default "red" */
    bool template_for_dispvms;               /* disposables may be made of it */
    char default_dispvm[LIMIT_NAME_MAX + 1]; /* what its @dispvm is made of */
    char guivm[LIMIT_NAME_MAX + 1];          /* where to ask about its calls */
    char tags[CONF_LIST_MAX + 1];
    char services[CONF_LIST_MAX + 1]; /* names in services/; "*": all */
    char keys[CONF_LIST_MAX + 1];     /* that its services may use */
};

struct conf_qubes {
    struct conf_qube *qubes; /* heap, sorted by file name */
    size_t count;
};

/* file: "qubes.d/work.conf", the qube's name is the stem. */
int conf_qube_parse(struct span text, const char *file, struct conf_qube *ret,
        struct err *err) MUST_CHECK;
/* The whole bundle `qubes`, whose names are "work.conf".  Also refuses two
 * RemoteVM that name the same qube of the same zone, and a default-dispvm that
 * is no template of disposables. */
int conf_qubes_parse(
        struct span bundle, struct conf_qubes *ret, struct err *err) MUST_CHECK;
void conf_qubes_fini(struct conf_qubes *q);
/* NULL when there is none. */
const struct conf_qube *conf_qube_find(
        const struct conf_qubes *q, struct span name);
/* The local name of a qube of another zone; NULL when it has none. */
const struct conf_qube *conf_qube_find_remote(
        const struct conf_qubes *q, struct span zone, struct span remote_name);
/* Is word in a list of words ("*" as the whole list: every word is)? */
bool conf_list_has(const char *list, struct span word);

#endif
