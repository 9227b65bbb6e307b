/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that manifests, tags and measurements share. */
#include "corim_private.h"

enum {
    TAG_TIME = 1,
    TAG_URI = 32,
    TAG_IMPLEMENTATION_ID = 600, /* of PSA, before there was 560 */
    TAG_KEY_FIRST = 554,
    TAG_KEY_PEM_LAST = 556,
    TAG_KEY_COSE = 558,
    TAG_CERT_DER = 562,
    UUID_SIZE = 16,
    UEID_MIN = 7,
    UEID_MAX = 33,
};

/* RFC 9090: the content of a DER OBJECT IDENTIFIER. */
bool corim_is_oid(struct span s)
{
    bool first = true;

    for (size_t i = 0; i < s.len; i++) {
        if (first && s.ptr[i] == 0x80)
            return false;
        first = !(s.ptr[i] & 0x80);
    }
    return s.len > 0 && first;
}

bool corim_get_uri(struct wire_reader *r, struct span *ret)
{
    struct wire_reader at = *r;

    if (!cbor_get_tag_of(&at, TAG_URI) || !cbor_get_text(&at, ret))
        return false;
    *r = at;
    return true;
}

int corim_note_unknown(struct corim *c, const struct cbor_unknown *u,
        const char *what, struct err *err)
{
    if (u->n != u->negative)
        return err_set(err, ERR_UNSUPPORTED,
                "CoRIM: %s has a member that is not known here", what);
    if (u->n > 0)
        corim_note(c, "%s has %u members of its profile; not looked at", what,
                u->n);
    return 0;
}

/* The content of a tag, as bytes, text or an encoded item. */
static bool get_id(struct wire_reader *r, struct corim_id *ret)
{
    struct corim_id id = {.present = true};

    if (!cbor_get_tag(r, &id.tag))
        id.tag = 0;
    id.text = cbor_peek(r) == CBOR_TEXT;
    if (!cbor_get_bytes(r, &id.value) && !cbor_get_text(r, &id.value) &&
            !cbor_get_item(r, &id.value))
        return false;
    *ret = id;
    return wire_end(r);
}

static bool is_bytes(struct wire_reader r)
{
    uint64_t tag;

    return cbor_get_tag(&r, &tag) && cbor_peek(&r) == CBOR_BYTES;
}

/* Sizes of the types that have one. */
static int check_id(const struct corim_id *id, bool bytes, const char *what,
        struct err *err)
{
    bool good = true;

    if (id->tag == CORIM_TAG_UUID)
        good = bytes && id->value.len == UUID_SIZE;
    else if (id->tag == CORIM_TAG_OID)
        good = bytes && corim_is_oid(id->value);
    else if (id->tag == CORIM_TAG_UEID)
        good = bytes && id->value.len >= UEID_MIN && id->value.len <= UEID_MAX;
    else if (id->tag == CORIM_TAG_BYTES || id->tag == TAG_IMPLEMENTATION_ID)
        good = bytes && id->value.len > 0;
    return good ? 0
                : err_set(err, ERR_SYNTAX,
                          "CoRIM: %s: not of the form of tag %llu", what,
                          (unsigned long long)id->tag);
}

static int get_tagged_id(struct wire_reader r, const char *what,
        struct corim_id *ret, struct err *err)
{
    bool bytes = is_bytes(r);

    if (cbor_peek(&r) != CBOR_TAG || !get_id(&r, ret))
        return err_set(err, ERR_SYNTAX, "CoRIM: %s has no type", what);
    return check_id(ret, bytes, what, err);
}

int corim_get_name(struct wire_reader r, const char *what,
        struct corim_name *ret, struct err *err)
{
    bool tagged = cbor_get_tag_of(&r, CORIM_TAG_UUID);

    if (!tagged && cbor_get_text(&r, &ret->value)) {
        ret->text = true;
        if (ret->value.len == 0)
            return err_set(err, ERR_SYNTAX, "CoRIM: %s is empty", what);
        return 0;
    }
    ret->text = false;
    if (!cbor_get_bytes(&r, &ret->value) || ret->value.len != UUID_SIZE)
        return err_set(
                err, ERR_SYNTAX, "CoRIM: %s is neither text nor a UUID", what);
    return 0;
}

static bool get_time(struct wire_reader *r, uint64_t *ret)
{
    return cbor_get_tag_of(r, TAG_TIME) && cbor_get_uint(r, ret);
}

int corim_get_validity(struct wire_reader r, const char *what,
        struct corim_validity *ret, struct err *err)
{
    struct cbor_field f[] = {{.key = 0, .name = "not-before"},
            {.key = 1, .name = "not-after", .required = true}};
    struct corim_validity v = {0};
    int rc = cbor_get_fields(&r, what, f, ARRAY_LEN(f), NULL, err);

    if (rc)
        return rc;
    v.has_not_before = f[0].present;
    v.has_not_after = f[1].present;
    if ((f[0].present && !get_time(&f[0].value, &v.not_before)) ||
            !get_time(&f[1].value, &v.not_after))
        return err_set(err, ERR_SYNTAX, "CoRIM: %s: not a time", what);
    if (v.has_not_before && v.not_before > v.not_after)
        return err_set(
                err, ERR_SYNTAX, "CoRIM: %s ends before it begins", what);
    *ret = v;
    return 0;
}

enum { C_ID, C_VENDOR, C_MODEL, C_LAYER, C_INDEX, C_N };

static int get_class(
        struct wire_reader r, struct corim_env *env, struct err *err)
{
    struct cbor_field f[C_N] = {[C_ID] = {.key = 0, .name = "class-id"},
            [C_VENDOR] = {.key = 1, .name = "vendor"},
            [C_MODEL] = {.key = 2, .name = "model"},
            [C_LAYER] = {.key = 3, .name = "layer"},
            [C_INDEX] = {.key = 4, .name = "index"}};
    struct cbor_unknown unknown;
    int rc = cbor_get_fields(&r, "class", f, C_N, &unknown, err);
    bool any = unknown.n > 0;

    if (rc)
        return rc;
    env->partial = env->partial || unknown.n > 0;
    env->has_layer = f[C_LAYER].present;
    env->has_index = f[C_INDEX].present;
    for (size_t i = 0; i < C_N; i++)
        any = any || f[i].present;
    if (!any)
        return err_set(err, ERR_SYNTAX, "CoRIM: a class of nothing");
    if ((f[C_VENDOR].present &&
                !cbor_get_text(&f[C_VENDOR].value, &env->vendor)) ||
            (f[C_MODEL].present &&
                    !cbor_get_text(&f[C_MODEL].value, &env->model)) ||
            (env->has_layer &&
                    !cbor_get_uint(&f[C_LAYER].value, &env->layer)) ||
            (env->has_index && !cbor_get_uint(&f[C_INDEX].value, &env->index)))
        return err_set(err, ERR_SYNTAX, "CoRIM: a class of another form");
    return f[C_ID].present ? get_tagged_id(f[C_ID].value, "class-id",
                                     &env->class_id, err)
                           : 0;
}

int corim_get_env(struct wire_reader *r, struct corim_env *ret, struct err *err)
{
    struct cbor_field f[] = {{.key = 0, .name = "class"},
            {.key = 1, .name = "instance"}, {.key = 2, .name = "group"}};
    struct corim_env env = {0};
    struct cbor_unknown unknown = {0};
    int rc = cbor_get_fields(r, "environment", f, ARRAY_LEN(f), &unknown, err);

    if (rc)
        return rc;
    if (!f[0].present && !f[1].present && !f[2].present)
        return err_set(err, ERR_SYNTAX, "CoRIM: an environment of nothing");
    env.partial = unknown.n > 0;
    if (f[0].present)
        rc = get_class(f[0].value, &env, err);
    if (rc == 0 && f[1].present)
        rc = get_tagged_id(f[1].value, "instance", &env.instance, err);
    if (rc == 0 && f[2].present)
        rc = get_tagged_id(f[2].value, "group", &env.group, err);
    if (rc == 0)
        *ret = env;
    return rc;
}

int corim_get_mkey(
        struct wire_reader r, struct corim_mkey *ret, struct err *err)
{
    struct corim_id id;
    int rc;

    *ret = (struct corim_mkey){.type = CORIM_MKEY_UINT};
    if (cbor_get_uint(&r, &ret->number))
        return 0;
    ret->type = CORIM_MKEY_TEXT;
    if (cbor_get_text(&r, &ret->value))
        return 0;
    rc = get_tagged_id(r, "measurement key", &id, err);
    if (rc)
        return rc;
    if (id.tag != CORIM_TAG_OID && id.tag != CORIM_TAG_UUID)
        return err_set(err, ERR_UNSUPPORTED,
                "CoRIM: a measurement key of tag %llu",
                (unsigned long long)id.tag);
    ret->type = id.tag == CORIM_TAG_OID ? CORIM_MKEY_OID : CORIM_MKEY_UUID;
    ret->value = id.value;
    return 0;
}

int corim_get_key(struct wire_reader *r, struct corim_id *ret, struct err *err)
{
    struct wire_reader one;
    struct corim_id id = {0};
    struct span item;
    bool bytes;

    if (!cbor_get_item(r, &item))
        return err_set(err, ERR_SYNTAX, "CoRIM: a key is missing");
    one = wire_reader_of(item);
    bytes = is_bytes(one);
    if (!get_id(&one, &id))
        return err_set(err, ERR_SYNTAX, "CoRIM: not a key");
    if (id.tag >= TAG_KEY_FIRST && id.tag <= TAG_KEY_PEM_LAST ? !id.text
            : id.tag == CORIM_TAG_BYTES || id.tag == TAG_CERT_DER
                    ? !bytes
                    : id.tag < TAG_KEY_FIRST || id.tag > TAG_CERT_DER)
        return err_set(err, ERR_UNSUPPORTED, "CoRIM: a key of tag %llu",
                (unsigned long long)id.tag);
    *ret = id;
    return 0;
}

static int check_entity(struct corim *c, struct wire_reader *r,
        const char *what, struct err *err)
{
    struct cbor_field f[] = {{.key = 0, .name = "name", .required = true},
            {.key = 1, .name = "reg-id"},
            {.key = 2, .name = "role", .required = true}};
    struct cbor_unknown unknown;
    struct wire_reader roles;
    struct span text;
    int64_t role;
    int rc = cbor_get_fields(r, what, f, ARRAY_LEN(f), &unknown, err);

    if (rc == 0)
        rc = corim_note_unknown(c, &unknown, what, err);
    if (rc)
        return rc;
    if (!cbor_get_text(&f[0].value, &text) ||
            (f[1].present && !corim_get_uri(&f[1].value, &text)) ||
            !cbor_get_array(&f[2].value, &roles) || wire_end(&roles))
        return err_set(err, ERR_SYNTAX, "CoRIM: %s of another form", what);
    while (!wire_end(&roles)) {
        if (!cbor_get_int(&roles, &role))
            return err_set(err, ERR_SYNTAX, "CoRIM: %s: a role", what);
    }
    return 0;
}

int corim_check_entities(struct corim *c, struct wire_reader r,
        const char *what, struct err *err)
{
    struct wire_reader list;
    int rc = 0;

    if (!cbor_get_array(&r, &list) || wire_end(&list))
        return err_set(err, ERR_SYNTAX, "CoRIM: %s: not a list", what);
    while (rc == 0 && !wire_end(&list))
        rc = check_entity(c, &list, what, err);
    return rc;
}
