/* SPDX-License-Identifier: Apache-2.0 */
/* The claims of RFC 9711, section 4, and its submodules. */
#include "eat_private.h"

static const char *const dbgstat_names[] = {"enabled", "disabled",
        "disabled since boot", "disabled permanently",
        "disabled fully and permanently"};

const char *eat_dbgstat_name(uint64_t dbgstat)
{
    return dbgstat < ARRAY_LEN(dbgstat_names) ? dbgstat_names[dbgstat]
                                              : "unknown";
}

/* ---- single claims --------------------------------------------------- */

/* False when the value is not of the claim's form. */
typedef bool get_claim(struct eat_module *m, struct wire_reader r);

static bool get_iss(struct eat_module *m, struct wire_reader r)
{
    return cbor_get_text(&r, &m->issuer);
}

static bool get_sub(struct eat_module *m, struct wire_reader r)
{
    return cbor_get_text(&r, &m->subject);
}

static bool get_exp(struct eat_module *m, struct wire_reader r)
{
    return m->has_exp = cbor_get_uint(&r, &m->exp);
}

static bool get_nbf(struct eat_module *m, struct wire_reader r)
{
    return m->has_nbf = cbor_get_uint(&r, &m->nbf);
}

static bool get_iat(struct eat_module *m, struct wire_reader r)
{
    return m->has_iat = cbor_get_uint(&r, &m->iat);
}

static bool get_one_nonce(struct eat_module *m, struct wire_reader *r)
{
    struct span s;

    if (m->n_nonces == EAT_NONCES_MAX || !cbor_get_bytes(r, &s) ||
            s.len < EAT_NONCE_MIN || s.len > EAT_NONCE_MAX)
        return false;
    m->nonce[m->n_nonces++] = s;
    return true;
}

static bool get_nonce(struct eat_module *m, struct wire_reader r)
{
    struct wire_reader list;

    if (!cbor_get_array(&r, &list))
        return get_one_nonce(m, &r);
    while (!wire_end(&list)) {
        if (!get_one_nonce(m, &list))
            return false;
    }
    return m->n_nonces >= 2; /* one alone is no array (4.1) */
}

/* 4.2.1.1: type 1 random, 2 IEEE EUI, 3 IMEI */
static bool get_ueid(struct eat_module *m, struct wire_reader r)
{
    struct span s;

    if (!cbor_get_bytes(&r, &s) || s.len == 0)
        return false;
    m->ueid = s;
    switch (s.ptr[0]) {
    case 1:
        return s.len == 17 || s.len == 25 || s.len == EAT_UEID_MAX;
    case 2:
        return s.len >= 7 && s.len <= 9;
    case 3:
        return s.len == 15;
    default:
        return false;
    }
}

static bool get_oemid(struct eat_module *m, struct wire_reader r)
{
    m->oemid_kind = EAT_OEM_PEN;
    if (cbor_get_uint(&r, &m->oem_pen))
        return true;
    if (!cbor_get_bytes(&r, &m->oemid))
        return false;
    m->oemid_kind = m->oemid.len == 3 ? EAT_OEM_IEEE : EAT_OEM_RANDOM;
    return m->oemid.len == 3 || m->oemid.len == 16;
}

static bool get_hwmodel(struct eat_module *m, struct wire_reader r)
{
    return cbor_get_bytes(&r, &m->hwmodel) && m->hwmodel.len >= 1 &&
           m->hwmodel.len <= 32;
}

/* [version, ? scheme of RFC 9393] */
static bool get_hwversion(struct eat_module *m, struct wire_reader r)
{
    struct wire_reader list;
    struct span scheme;
    int64_t number;

    return cbor_get_array(&r, &list) && cbor_get_text(&list, &m->hwversion) &&
           (wire_end(&list) || cbor_get_int(&list, &number) ||
                   cbor_get_text(&list, &scheme)) &&
           wire_end(&list);
}

static bool get_uptime(struct eat_module *m, struct wire_reader r)
{
    return m->has_uptime = cbor_get_uint(&r, &m->uptime);
}

static bool get_oemboot(struct eat_module *m, struct wire_reader r)
{
    return m->has_oemboot = cbor_get_bool(&r, &m->oemboot);
}

static bool get_dbgstat(struct eat_module *m, struct wire_reader r)
{
    m->has_dbgstat = cbor_get_uint(&r, &m->dbgstat);
    return m->has_dbgstat &&
           m->dbgstat <= EAT_DEBUG_DISABLED_FULLY_AND_PERMANENTLY;
}

static bool get_profile(struct eat_module *m, struct wire_reader r)
{
    m->profile_is_oid = !cbor_get_text(&r, &m->profile);
    return !m->profile_is_oid ||
           (cbor_get_bytes(&r, &m->profile) && m->profile.len > 0);
}

static bool get_bootcount(struct eat_module *m, struct wire_reader r)
{
    return m->has_bootcount = cbor_get_uint(&r, &m->bootcount);
}

static bool get_bootseed(struct eat_module *m, struct wire_reader r)
{
    return cbor_get_bytes(&r, &m->bootseed);
}

static bool get_swname(struct eat_module *m, struct wire_reader r)
{
    return cbor_get_text(&r, &m->swname);
}

static bool get_swversion(struct eat_module *m, struct wire_reader r)
{
    struct wire_reader list;
    struct span scheme;
    int64_t number;

    return cbor_get_array(&r, &list) && cbor_get_text(&list, &m->swversion) &&
           (wire_end(&list) || cbor_get_int(&list, &number) ||
                   cbor_get_text(&list, &scheme)) &&
           wire_end(&list);
}

static bool get_intuse(struct eat_module *m, struct wire_reader r)
{
    m->has_intuse = cbor_get_uint(&r, &m->intuse);
    return m->has_intuse && m->intuse >= 1 && m->intuse <= 5;
}

static const struct {
    enum eat_claim key;
    const char *name;
    get_claim *get;
} claims[] = {
        {EAT_CLAIM_ISS, "iss", get_iss},
        {EAT_CLAIM_SUB, "sub", get_sub},
        {EAT_CLAIM_EXP, "exp", get_exp},
        {EAT_CLAIM_NBF, "nbf", get_nbf},
        {EAT_CLAIM_IAT, "iat", get_iat},
        {EAT_CLAIM_NONCE, "nonce", get_nonce},
        {EAT_CLAIM_UEID, "ueid", get_ueid},
        {EAT_CLAIM_OEMID, "oemid", get_oemid},
        {EAT_CLAIM_HWMODEL, "hwmodel", get_hwmodel},
        {EAT_CLAIM_HWVERSION, "hwversion", get_hwversion},
        {EAT_CLAIM_UPTIME, "uptime", get_uptime},
        {EAT_CLAIM_OEMBOOT, "oemboot", get_oemboot},
        {EAT_CLAIM_DBGSTAT, "dbgstat", get_dbgstat},
        {EAT_CLAIM_PROFILE, "eat_profile", get_profile},
        {EAT_CLAIM_BOOTCOUNT, "bootcount", get_bootcount},
        {EAT_CLAIM_BOOTSEED, "bootseed", get_bootseed},
        {EAT_CLAIM_SWNAME, "swname", get_swname},
        {EAT_CLAIM_SWVERSION, "swversion", get_swversion},
        {EAT_CLAIM_INTUSE, "intuse", get_intuse},
};

/* ---- claims that are lists ------------------------------------------- */

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_SYNTAX, "EAT: %s of another form", what);
}

/* [+ [content format, bytes]] */
static int get_measurements(struct eat_reading *x, struct wire_reader r,
        size_t at, bool manifest, struct err *err)
{
    const char *what = manifest ? "manifests" : "measurements";
    struct wire_reader list, one;

    if (!cbor_get_array(&r, &list) || wire_end(&list))
        return bad(err, what);
    while (!wire_end(&list)) {
        struct eat_measurement m = {.module = at, .manifest = manifest};

        if (x->e->n_measurements == EAT_MEASUREMENTS_MAX)
            return err_set(err, ERR_LIMIT, "EAT: more than %d measurements",
                    EAT_MEASUREMENTS_MAX);
        if (!cbor_get_array(&list, &one) || !cbor_get_uint(&one, &m.format) ||
                m.format > FORMAT_MAX || !cbor_get_bytes(&one, &m.content) ||
                !wire_end(&one))
            return bad(err, what);
        x->e->measurement[x->e->n_measurements++] = m;
    }
    return 0;
}

/* [id, result] */
static int get_result(struct eat_reading *x, struct wire_reader *r, size_t at,
        struct span system, struct err *err)
{
    struct eat_result v = {.module = at, .system = system};
    struct wire_reader one;

    if (x->e->n_results == EAT_RESULTS_MAX)
        return err_set(
                err, ERR_LIMIT, "EAT: more than %d results", EAT_RESULTS_MAX);
    if (!cbor_get_array(r, &one) ||
            (!cbor_get_text(&one, &v.id) && !cbor_get_bytes(&one, &v.id)) ||
            !cbor_get_uint(&one, &v.value) || v.value < EAT_RESULT_SUCCESS ||
            v.value > EAT_RESULT_ABSENT || !wire_end(&one))
        return bad(err, "measres");
    x->e->result[x->e->n_results++] = v;
    return 0;
}

/* [+ [system, [+ [id, result]]]] */
static int get_measres(
        struct eat_reading *x, struct wire_reader r, size_t at, struct err *err)
{
    struct wire_reader list, one, results;
    struct span system;
    int rc = 0;

    if (!cbor_get_array(&r, &list) || wire_end(&list))
        return bad(err, "measres");
    while (rc == 0 && !wire_end(&list)) {
        if (!cbor_get_array(&list, &one) || !cbor_get_text(&one, &system) ||
                !cbor_get_array(&one, &results) || wire_end(&results) ||
                !wire_end(&one))
            return bad(err, "measres");
        while (rc == 0 && !wire_end(&results))
            rc = get_result(x, &results, at, system, err);
    }
    return rc;
}

/* A token for somebody else is not for us (RFC 7519, 4.1.3). */
static int check_audience(
        struct eat_reading *x, struct wire_reader r, struct err *err)
{
    struct wire_reader list;
    struct span s;
    bool found = false;

    if (cbor_get_text(&r, &s)) {
        found = span_eq(s, x->audience);
    } else {
        if (!cbor_get_array(&r, &list) || wire_end(&list))
            return bad(err, "aud");
        while (!wire_end(&list)) {
            if (!cbor_get_text(&list, &s))
                return bad(err, "aud");
            found = found || span_eq(s, x->audience);
        }
    }
    return found && x->audience.len > 0
                   ? 0
                   : err_set(err, ERR_DENIED, "EAT: for another audience");
}

/* ---- submodules ------------------------------------------------------ */

/* RFC 9711, 4.2.18: a claims set, a token in a string, [alg, digest] */
static int get_submod_value(
        struct eat_reading *x, struct wire_reader r, size_t at, struct err *err)
{
    struct eat_module *m = &x->e->module[at];
    struct wire_reader in;
    struct span alg;

    if (cbor_peek(&r) == CBOR_MAP) {
        m->kind = EAT_CLAIMS;
        m->content = SPAN(r.ptr, r.left);
        return eat_get_claims(x, r, at, err);
    }
    m->kind = EAT_TOKEN;
    if (cbor_get_bytes(&r, &m->content) || cbor_get_text(&r, &m->content))
        return 0;
    m->kind = EAT_DETACHED;
    if (!cbor_get_array(&r, &in) ||
            (!cbor_get_int(&in, &m->alg) && !cbor_get_text(&in, &alg)) ||
            !cbor_get_bytes(&in, &m->digest) || !wire_end(&in))
        return bad(err, "a submodule");
    return 0;
}

static int get_submods(
        struct eat_reading *x, struct wire_reader r, size_t at, struct err *err)
{
    struct wire_reader map;
    struct span name, value;
    int rc = 0;

    if (!cbor_get_map(&r, &map) || wire_end(&map))
        return bad(err, "submods");
    if (x->e->module[at].depth == EAT_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "EAT: submodules nested too deep");
    while (rc == 0 && !wire_end(&map)) {
        size_t i = x->e->n_modules;

        if (i == EAT_MODULES_MAX)
            return err_set(err, ERR_LIMIT, "EAT: more than %d submodules",
                    EAT_MODULES_MAX - 1);
        if (!cbor_get_text(&map, &name) || name.len == 0 ||
                !cbor_get_item(&map, &value))
            return bad(err, "a submodule's name");
        x->e->module[i] = (struct eat_module){.name = name,
                .parent = at,
                .depth = x->e->module[at].depth + 1};
        x->e->n_modules++;
        rc = get_submod_value(x, wire_reader_of(value), i, err);
    }
    return rc;
}

/* ---- the set --------------------------------------------------------- */

static int get_single(struct eat_module *m, int64_t key, struct wire_reader r,
        struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        if ((int64_t)claims[i].key != key)
            continue;
        return claims[i].get(m, r) ? 0 : bad(err, claims[i].name);
    }
    m->n_unknown++;
    return 0;
}

static int get_member(struct eat_reading *x, int64_t key, struct wire_reader r,
        size_t at, struct err *err)
{
    if (key == EAT_CLAIM_AUD)
        return check_audience(x, r, err);
    if (key == EAT_CLAIM_SUBMODS)
        return get_submods(x, r, at, err);
    if (key == EAT_CLAIM_MANIFESTS || key == EAT_CLAIM_MEASUREMENTS)
        return get_measurements(x, r, at, key == EAT_CLAIM_MANIFESTS, err);
    if (key == EAT_CLAIM_MEASRES)
        return get_measres(x, r, at, err);
    return get_single(&x->e->module[at], key, r, err);
}

int eat_get_claims(struct eat_reading *x, struct wire_reader map, size_t at,
        struct err *err)
{
    struct wire_reader in;
    struct span key, value;
    int rc = 0;

    if (!cbor_get_map(&map, &in) || !wire_end(&map))
        return bad(err, "a claims set");
    while (rc == 0 && !wire_end(&in)) {
        struct wire_reader k;
        int64_t number;

        if (!cbor_get_item(&in, &key) || !cbor_get_item(&in, &value))
            return bad(err, "a claims set");
        k = wire_reader_of(key);
        if (cbor_get_int(&k, &number))
            rc = get_member(x, number, wire_reader_of(value), at, err);
        else
            x->e->module[at].n_unknown++;
    }
    return rc;
}
