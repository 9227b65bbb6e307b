/* SPDX-License-Identifier: Apache-2.0 */
/* zone.conf */
#include "conf_private.h"

#include <arpa/inet.h>
#include <string.h>

/* Role uids below are the system's, above a 16-bit id may be cut. */
#define UID_BASE_MIN   1000
#define UID_BASE_MAX   4294900000u
#define REATTEST_MIN_S 5
#define REATTEST_MAX_S 86400
/* Below, clocks that differ would decide; above, nothing is limited. */
#define REFERENCE_AGE_MIN_S 600
#define REFERENCE_AGE_MAX_S (10u * 366 * 86400)

int conf_set_name(char *ret, size_t max, struct span value, struct err *err)
{
    if (!text_is_name(value, max))
        return err_set(err, ERR_SYNTAX,
                "not a name: 1 to %zu of a-z 0-9 . _ -, a letter or digit "
                "first",
                max);
    memcpy(ret, value.ptr, value.len);
    ret[value.len] = '\0';
    return 0;
}

int conf_set_path(char *ret, size_t size, struct span value, struct err *err)
{
    if (value.len >= size)
        return err_set(err, ERR_LIMIT, "path too long");
    if (value.len > 0 && value.ptr[0] != '/')
        return err_set(err, ERR_SYNTAX, "not an absolute path");
    if (value.len > 0)
        memcpy(ret, value.ptr, value.len);
    ret[value.len] = '\0';
    if (strstr(ret, "/../") ||
            (value.len >= 3 && strcmp(ret + value.len - 3, "/..") == 0))
        return err_set(err, ERR_SYNTAX, "'..' in a path");
    return 0;
}

/* ---- addresses ------------------------------------------------------- */

static bool parse_port(struct span text, uint16_t *ret)
{
    uint64_t port;

    if (!text_parse_u64(text, &port) || port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

/* Splits at the last ':'; an IPv6 address stands in brackets. */
static bool split_addr(struct span text, struct span *ret_host,
        struct span *ret_port, int *ret_family)
{
    const uint8_t *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
    struct span host;

    if (!colon)
        return false;
    host = SPAN(text.ptr, (size_t)(colon - text.ptr));
    *ret_port = SPAN(colon + 1, text.len - host.len - 1);
    *ret_family = AF_INET;
    if (host.len >= 2 && host.ptr[0] == '[') {
        if (host.ptr[host.len - 1] != ']')
            return false;
        host = SPAN(host.ptr + 1, host.len - 2);
        *ret_family = AF_INET6;
    }
    *ret_host = host;
    return true;
}

int conf_addr_parse(struct span text, struct conf_addr *ret, struct err *err)
{
    struct conf_addr a = {0};
    struct span host, port;
    uint8_t binary[16];
    int family;

    if (!split_addr(text, &host, &port, &family) ||
            host.len >= sizeof(a.host) || !parse_port(port, &a.port))
        return err_set(err, ERR_SYNTAX,
                "not an address: 192.0.2.1:7400 or [2001:db8::1]:7400");
    if (host.len > 0)
        memcpy(a.host, host.ptr, host.len);
    /* No names: netd has neither files nor a resolver. */
    if (inet_pton(family, a.host, binary) != 1)
        return err_set(err, ERR_SYNTAX, "not a numeric address");
    *ret = a;
    return 0;
}

/* ---- keys ------------------------------------------------------------ */

static int set_name(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    return conf_set_name(z->name, LIMIT_ZONE_NAME_MAX, value, err);
}

static int set_listen(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    if (value.len == 0)
        return 0;
    z->has_listen = true;
    return conf_addr_parse(value, &z->listen, err);
}

static int set_number(struct span value, uint64_t min, uint64_t max,
        uint32_t *ret, struct err *err)
{
    uint64_t n;

    if (!text_parse_u64(value, &n) || n < min || n > max)
        return err_set(err, ERR_SYNTAX, "not a number from %llu to %llu",
                (unsigned long long)min, (unsigned long long)max);
    *ret = (uint32_t)n;
    return 0;
}

static int set_uid_base(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    return set_number(value, UID_BASE_MIN, UID_BASE_MAX, &z->uid_base, err);
}

static int set_reattest(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    return set_number(
            value, REATTEST_MIN_S, REATTEST_MAX_S, &z->reattest_s, err);
}

static int set_reference_age(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    return set_number(value, REFERENCE_AGE_MIN_S, REFERENCE_AGE_MAX_S,
            &z->reference_max_age_s, err);
}

static int set_tpm(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    if (span_eq_str(value, "swtpm")) {
        z->tpm = CONF_TPM_SWTPM;
        return 0;
    }
    if (value.len < 6 || memcmp(value.ptr, "/dev/", 5) != 0)
        return err_set(err, ERR_SYNTAX, "neither 'swtpm' nor /dev/tpmrm0");
    z->tpm = CONF_TPM_DEVICE;
    return conf_set_path(z->tpm_path, sizeof(z->tpm_path), value, err);
}

/* 16 and 23 are reset by whoever likes (PC Client Platform TPM Profile). */
#define PCRS_RESETTABLE (1u << 16 | 1u << 23)

static int set_pcrs(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;
    uint32_t pcrs;

    (void)rest;
    if (!text_parse_bits(value, CONF_PCRS, &pcrs))
        return err_set(err, ERR_SYNTAX,
                "not PCRs: numbers below %d, ascending, with commas: "
                "0,2,4,7,9,11,14",
                CONF_PCRS);
    if (!(pcrs & 1u << CONF_PCR_ZONE))
        return err_set(err, ERR_SYNTAX,
                "PCR %d, which has the zone's own files, must be among them",
                CONF_PCR_ZONE);
    if (pcrs & PCRS_RESETTABLE)
        return err_set(err, ERR_SYNTAX,
                "any program can reset PCR 16 and PCR 23: they prove nothing");
    z->pcrs = pcrs;
    return 0;
}

static int set_firmware_log(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    return conf_set_path(z->firmware_log, sizeof(z->firmware_log), value, err);
}

static int set_launch_log(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    return conf_set_path(z->launch_log, sizeof(z->launch_log), value, err);
}

static int set_measured_files(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    return conf_set_path(
            z->measured_files, sizeof(z->measured_files), value, err);
}

static int set_guest_report(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    return conf_set_path(z->guest_report, sizeof(z->guest_report), value, err);
}

static int set_owner(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    if (!text_parse_b64(value, z->owner, sizeof(z->owner), &z->owner_len) ||
            z->owner_len == 0)
        return err_set(err, ERR_SYNTAX, "not base64 of a public key (SPKI)");
    return 0;
}

static int set_programs(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    return conf_set_path(z->programs, sizeof(z->programs), value, err);
}

static int set_relay_user(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;

    (void)rest;
    return conf_set_name(z->relay_user, LIMIT_NAME_MAX, value, err);
}

static int set_peer(
        void *ctx, struct span rest, struct span value, struct err *err)
{
    struct conf_zone *z = ctx;
    struct conf_peer p;
    int rc = conf_set_name(p.zone, LIMIT_ZONE_NAME_MAX, rest, err);

    if (rc < 0)
        return rc;
    if (conf_peer_find(z, rest))
        return err_set(err, ERR_EXISTS, "a second time");
    if (z->n_peers == LIMIT_ZONES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d peers", LIMIT_ZONES_MAX);
    rc = conf_addr_parse(value, &p.addr, err);
    if (rc < 0)
        return rc;
    if (p.addr.port == 0)
        return err_set(err, ERR_SYNTAX, "port 0");
    z->peers[z->n_peers++] = p;
    return 0;
}

static const struct conf_key zone_keys[] = {
        {"name", true, set_name},
        {"listen", false, set_listen},
        {"uid-base", false, set_uid_base},
        {"tpm", false, set_tpm},
        {"pcrs", false, set_pcrs},
        {"firmware-log", false, set_firmware_log},
        {"launch-log", false, set_launch_log},
        {"measured-files", false, set_measured_files},
        {"guest-report", false, set_guest_report},
        {"owner", false, set_owner},
        {"reattest-interval", false, set_reattest},
        {"reference-max-age", false, set_reference_age},
        {"programs", false, set_programs},
        {"relay-user", false, set_relay_user},
        {"peer.", false, set_peer},
};

int conf_zone_parse(struct span text, struct conf_zone *ret, struct err *err)
{
    int rc;

    memset(ret, 0, sizeof(*ret));
    ret->uid_base = CONF_UID_BASE_DEF;
    ret->reattest_s = CONF_REATTEST_DEF;
    ret->tpm = CONF_TPM_SWTPM;
    ret->pcrs = 1u << CONF_PCR_ZONE;
    rc = conf_parse(
            text, "zone.conf", zone_keys, ARRAY_LEN(zone_keys), ret, err);
    if (rc < 0)
        return rc;
    if (conf_peer_find(ret, span_str(ret->name)))
        return err_set(err, ERR_SYNTAX,
                "zone.conf: peer.%s: a zone is no peer of itself", ret->name);
    return 0;
}

const struct conf_addr *conf_peer_find(
        const struct conf_zone *zone, struct span name)
{
    for (size_t i = 0; i < zone->n_peers; i++) {
        if (span_eq_str(name, zone->peers[i].zone))
            return &zone->peers[i].addr;
    }
    return NULL;
}
