/* SPDX-License-Identifier: Apache-2.0 */
/* Results as JSON and as CBOR. */
#include "eat_private.h"
#include "statement.h"

#include <stdlib.h>

/* Members whose names or forms differ between the profiles. */
struct names {
    const char *profile;
    const char *verifier_id, *raw_evidence, *status, *vector, *policy;
    bool policy_is_list;
};

static const struct names names[] = {
        [EAR_PROFILE_VERAISON] = {"tag:github.com,2023:veraison/ear",
                "ear.verifier-id", "ear.raw-evidence", "ear.status",
                "ear.trustworthiness-vector", "ear.appraisal-policy-id", false},
        [EAR_PROFILE_IETF] = {"tag:ietf.org,2026:rats/ear#04",
                "ear_verifier_id", "ear_raw_evidence", "ear_status",
                "ear_trustworthiness_vector", "ear_appraisal_policy_ids", true},
};

static const char *const axes[EAR_AXES] = {"instance-identity", "configuration",
        "executables", "file-system", "hardware", "runtime-opaque",
        "storage-opaque", "sourced-data"};

/* draft-ietf-rats-ear: keys in CBOR. */
enum {
    KEY_STATUS = 1000,
    KEY_VECTOR = 1001,
    KEY_RAW_EVIDENCE = 1002,
    KEY_POLICY = 1003,
    KEY_VERIFIER_ID = 1004,
};

static int check(const struct ear *e, struct err *err)
{
    if (e->n_submods == 0 || e->n_submods > EAR_SUBMODS_MAX)
        return err_set(
                err, ERR_USAGE, "EAR: 1 to %d submodules", EAR_SUBMODS_MAX);
    if (e->nonce.ptr &&
            (e->nonce.len < EAT_NONCE_MIN || e->nonce.len > EAT_NONCE_MAX))
        return err_set(
                err, ERR_USAGE, "EAR: a nonce of %zu bytes", e->nonce.len);
    for (size_t i = 1; i < e->n_submods; i++) {
        if (strcmp(e->submod[i - 1].name, e->submod[i].name) >= 0)
            return err_set(err, ERR_USAGE, "EAR: submodules not in order");
    }
    return 0;
}

static size_t n_seen(const struct ear_submod *m)
{
    size_t n = 0;

    for (size_t i = 0; i < EAR_AXES; i++)
        n += m->seen[i];
    return n;
}

/* ---- JSON ------------------------------------------------------------ */

/* base64url without padding (RFC 9711, 7.2.2). */
static bool put_b64url(struct json_t *obj, const char *key, struct span v)
{
    char *text = malloc(TEXT_B64_SIZE(v.len));
    size_t n = 0;
    bool good;

    if (!text)
        return false;
    text_format_b64(v, text);
    for (; text[n] && text[n] != '='; n++) {
        if (text[n] == '+')
            text[n] = '-';
        if (text[n] == '/')
            text[n] = '_';
    }
    good = statement_put_text(obj, key, SPAN(text, n));
    free(text);
    return good;
}

static bool put_policy(
        struct json_t *obj, const struct names *n, const char *policy)
{
    struct json_t *list;

    if (!n->policy_is_list)
        return statement_put_str(obj, n->policy, policy);
    list = statement_put_array(obj, n->policy);
    return list && statement_add_text(list, span_str(policy));
}

static bool put_submod_json(struct json_t *submods, const struct names *n,
        const struct ear_submod *m)
{
    struct json_t *obj = statement_put_object(submods, m->name);
    struct json_t *vector = NULL;

    if (!obj ||
            !statement_put_str(obj, n->status, ear_tier_name(ear_status(m))))
        return false;
    if (n_seen(m) > 0) {
        vector = statement_put_object(obj, n->vector);
        if (!vector)
            return false;
    }
    for (size_t i = 0; i < EAR_AXES; i++) {
        if (m->seen[i] &&
                !statement_put_u64(vector, axes[i], (uint64_t)m->vector[i]))
            return false;
    }
    return !m->policy || put_policy(obj, n, m->policy);
}

static bool put_json(const struct ear *e, struct json_t *obj)
{
    const struct names *n = &names[e->profile];
    struct json_t *id, *submods;

    if (!statement_put_str(obj, "eat_profile", n->profile) ||
            !statement_put_u64(obj, "iat", e->iat) ||
            (e->has_exp && !statement_put_u64(obj, "exp", e->exp)) ||
            (e->nonce.ptr && !put_b64url(obj, "eat_nonce", e->nonce)) ||
            (e->raw_evidence.ptr &&
                    !put_b64url(obj, n->raw_evidence, e->raw_evidence)))
        return false;
    id = statement_put_object(obj, n->verifier_id);
    if (!id || !statement_put_str(id, "developer", e->developer) ||
            !statement_put_str(id, "build", e->build))
        return false;
    submods = statement_put_object(obj, "submods");
    for (size_t i = 0; submods && i < e->n_submods; i++) {
        if (!put_submod_json(submods, n, &e->submod[i]))
            return false;
    }
    return submods != NULL;
}

int ear_json(const struct ear *e, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *obj = statement_json_object();
    int rc = check(e, err);

    if (rc)
        return rc;
    if (!obj || !put_json(e, obj))
        return err_set(err, ERR_MEMORY, "EAR: not written");
    return statement_json_format(obj, ret, err);
}

/* ---- CBOR ------------------------------------------------------------ */

/* Text keys sort by their length first: it stands in the head. */
static int compare_names(const void *a, const void *b)
{
    const struct ear_submod *x = *(const struct ear_submod *const *)a;
    const struct ear_submod *y = *(const struct ear_submod *const *)b;
    size_t nx = strlen(x->name), ny = strlen(y->name);

    return nx != ny ? (nx > ny) - (nx < ny) : strcmp(x->name, y->name);
}

static void put_submod_cbor(struct wire_writer *w, const struct names *n,
        const struct ear_submod *m)
{
    size_t seen = n_seen(m);

    cbor_put_str(w, m->name);
    cbor_put_map(w, 1u + (seen > 0) + (m->policy != NULL));
    cbor_put_int(w, KEY_STATUS);
    cbor_put_int(w, ear_status(m));
    if (seen > 0) {
        cbor_put_int(w, KEY_VECTOR);
        cbor_put_map(w, seen);
    }
    for (size_t i = 0; i < EAR_AXES; i++) {
        if (m->seen[i]) {
            cbor_put_uint(w, i);
            cbor_put_int(w, m->vector[i]);
        }
    }
    if (m->policy) {
        cbor_put_int(w, KEY_POLICY);
        if (n->policy_is_list)
            cbor_put_array(w, 1);
        cbor_put_str(w, m->policy);
    }
}

static void put_cbor(const struct ear *e, struct wire_writer *w)
{
    const struct ear_submod *sorted[EAR_SUBMODS_MAX];
    const struct names *n = &names[e->profile];

    for (size_t i = 0; i < e->n_submods; i++)
        sorted[i] = &e->submod[i];
    qsort(sorted, e->n_submods, sizeof(sorted[0]), compare_names);
    cbor_put_map(w, 4u + e->has_exp + (e->nonce.ptr != NULL) +
                            (e->raw_evidence.ptr != NULL));
    if (e->has_exp) {
        cbor_put_int(w, EAT_CLAIM_EXP);
        cbor_put_uint(w, e->exp);
    }
    cbor_put_int(w, EAT_CLAIM_IAT);
    cbor_put_uint(w, e->iat);
    if (e->nonce.ptr) {
        cbor_put_int(w, EAT_CLAIM_NONCE);
        cbor_put_bytes(w, e->nonce);
    }
    cbor_put_int(w, EAT_CLAIM_PROFILE);
    cbor_put_str(w, n->profile);
    cbor_put_int(w, EAT_CLAIM_SUBMODS);
    cbor_put_map(w, e->n_submods);
    for (size_t i = 0; i < e->n_submods; i++)
        put_submod_cbor(w, n, sorted[i]);
    if (e->raw_evidence.ptr) {
        cbor_put_int(w, KEY_RAW_EVIDENCE);
        cbor_put_bytes(w, e->raw_evidence);
    }
    cbor_put_int(w, KEY_VERIFIER_ID);
    cbor_put_map(w, 2);
    cbor_put_int(w, 0);
    cbor_put_str(w, e->developer);
    cbor_put_int(w, 1);
    cbor_put_str(w, e->build);
}

/* A submodule's numbers, and all that has no text of its own. */
#define ROOM_FIXED  256
#define ROOM_SUBMOD 96

static size_t room_of(const struct ear *e)
{
    size_t n = ROOM_FIXED + e->raw_evidence.len + e->nonce.len +
               strlen(e->developer) + strlen(e->build);

    for (size_t i = 0; i < e->n_submods; i++)
        n += ROOM_SUBMOD + strlen(e->submod[i].name) +
             (e->submod[i].policy ? strlen(e->submod[i].policy) : 0);
    return n;
}

int ear_cbor(const struct ear *e, struct buf *ret, struct err *err)
{
    int rc = check(e, err);
    struct wire_writer w;
    struct span item;
    size_t room;
    uint8_t *p;

    if (rc)
        return rc;
    room = room_of(e);
    p = buf_reserve(ret, room);
    if (!p)
        return buf_ok(ret, err);
    w = wire_writer_of(p, room);
    put_cbor(e, &w);
    if (!cbor_finish(&w, &item))
        return err_set(err, ERR_LIMIT, "EAR: a text that CBOR does not take");
    buf_commit(ret, item.len);
    return 0;
}
