/* SPDX-License-Identifier: Apache-2.0 */
/* Every shared DSSE vector: envelopes with thresholds, foreign links. */
#include "vectors.h"

#include "statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool case_verifies(const json_t *v, struct err *err)
{
    const json_t *pems = json_object_get(v, "keys_pem");
    char *text = json_dumps(json_object_get(v, "envelope"), 0);
    struct crypto_pub *keys[8];
    size_t n = json_array_size(pems);
    struct statement_dsse d;
    bool ok = false;

    assert_non_null(text);
    assert_in_range(n, 0, 8);
    for (size_t i = 0; i < n; i++) {
        keys[i] = crypto_pub_from_pem(
                span_str(json_string_value(json_array_get(pems, i))));
        assert_non_null(keys[i]);
    }
    if (statement_dsse_parse(span_str(text), &d, err) == 0) {
        ok = statement_dsse_verify_any(&d,
                     json_string_value(json_object_get(v, "payload_type")),
                     (const struct crypto_pub *const *)keys, n,
                     (size_t)json_integer_value(
                             json_object_get(v, "threshold")),
                     err) == 0;
        statement_dsse_fini(&d);
    }
    for (size_t i = 0; i < n; i++)
        crypto_pub_free(keys[i]);
    free(text);
    return ok;
}

static void envelopes_get_their_verdict(void **state)
{
    json_t *all = vectors_json("dsse/cases.json");

    (void)state;
    assert_true(json_array_size(all) >= 5);
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *v = json_array_get(all, i);
        struct err err = {0};
        bool ok = case_verifies(v, &err);

        if (ok != span_eq_str(vectors_text(v, "verdict"), "accept"))
            fail_msg("%s: wrong verdict %s",
                    json_string_value(json_object_get(v, "name")), err.msg);
    }
    json_decref(all);
}

/* Signed with RSA-PSS by in-toto's demo; the keys are not in the vectors. */
static void foreign_envelopes_parse(void **state)
{
    static const char *const names[] = {
            "dsse/package.2f89b927.link", "dsse/write-code.776a00e2.link"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct buf text;
        struct statement_dsse d;
        struct statement s;
        struct err err;

        vectors_load(names[i], &text);
        assert_int_equal(statement_dsse_parse(buf_span(&text), &d, &err), 0);
        assert_int_equal(d.n_sigs, 1);
        assert_true(span_eq_str(d.payload_type, STATEMENT_PAYLOAD_TYPE));
        /* a legacy link is no Statement v1 */
        assert_int_not_equal(
                statement_parse(buf_span(&d.payload), &s, &err), 0);
        statement_dsse_fini(&d);
        buf_fini(&text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(envelopes_get_their_verdict),
            cmocka_unit_test(foreign_envelopes_parse),
    };

    vectors_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
