/* SPDX-License-Identifier: Apache-2.0 */
/* The words that stand for qubes, and where each may be written. */
#include "policy_int.h"

#define SRC POLICY_PLACE_SOURCE
#define TGT POLICY_PLACE_TARGET
#define RED POLICY_PLACE_REDIRECT
#define REQ POLICY_PLACE_REQUEST

struct token_shape {
    const char *text;
    bool prefix; /* something must follow, and not another "@" */
    enum policy_token_kind kind;
    unsigned places;
};

static const struct token_shape shapes[] = {
        {"*", false, POLICY_TOKEN_ANY, SRC | TGT},
        {"@anyvm", false, POLICY_TOKEN_ANYVM, SRC | TGT},
        {"@adminvm", false, POLICY_TOKEN_ADMINVM, SRC | TGT | RED | REQ},
        {"@default", false, POLICY_TOKEN_DEFAULT, TGT | REQ},
        {"@dispvm", false, POLICY_TOKEN_DISPVM, TGT | RED | REQ},
        {"@dispvm:@tag:", true, POLICY_TOKEN_DISPVM_TAG, SRC | TGT},
        {"@dispvm:", true, POLICY_TOKEN_DISPVM_NAME, SRC | TGT | RED | REQ},
        {"@tag:", true, POLICY_TOKEN_TAG, SRC | TGT},
        {"@type:", true, POLICY_TOKEN_TYPE, SRC | TGT},
};

static bool shape_fits(const struct token_shape *shape, struct span text)
{
    size_t n = strlen(shape->text);

    if (!shape->prefix)
        return span_eq_str(text, shape->text);
    return text.len > n && memcmp(text.ptr, shape->text, n) == 0 &&
           text.ptr[n] != '@';
}

bool policy_token_parse(
        struct span text, enum policy_place place, struct policy_token *ret)
{
    if (text.len == 0)
        return false;
    if (span_eq_str(text, "dom0") ||
            span_eq_str(text, POLICY_UUID_PREFIX POLICY_UUID_DOM0)) {
        *ret = (struct policy_token){
                .kind = POLICY_TOKEN_ADMINVM, .text = text, .value = text};
        return true;
    }
    if (text.ptr[0] != '@' && !span_eq_str(text, "*")) {
        *ret = (struct policy_token){
                .kind = POLICY_TOKEN_NAME, .text = text, .value = text};
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        size_t n = strlen(shapes[i].text);

        if (!shape_fits(&shapes[i], text) || !(shapes[i].places & place))
            continue;
        *ret = (struct policy_token){.kind = shapes[i].kind,
                .text = text,
                .value = SPAN(text.ptr + n, text.len - n)};
        return true;
    }
    return false;
}
