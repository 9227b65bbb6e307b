/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs against a slow tree that is written straight from RFC 6962, 2.1. */
#include "merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define LEAVES 70

static uint8_t leaves[LEAVES][MERKLE_HASH];

static void slow_root(size_t from, size_t n, uint8_t ret[static MERKLE_HASH])
{
    uint8_t l[MERKLE_HASH], r[MERKLE_HASH];
    size_t k = 1;

    if (n == 0) {
        crypto_sha256(SPAN_EMPTY, ret);
        return;
    }
    if (n == 1) {
        memcpy(ret, leaves[from], MERKLE_HASH);
        return;
    }
    while (2 * k < n)
        k *= 2;
    slow_root(from, k, l);
    slow_root(from + k, n - k, r);
    merkle_node(l, r, ret);
}

static int slow_get(void *arg, unsigned height, uint64_t index,
        uint8_t ret[static MERKLE_HASH])
{
    (void)arg;
    if (((index + 1) << height) > LEAVES)
        return ERR_NOT_FOUND;
    slow_root(index << height, (size_t)1 << height, ret);
    return 0;
}

static const struct merkle_source src = {slow_get, NULL};

static int make_leaves(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < LEAVES; i++)
        merkle_leaf(SPAN(&i, 1), leaves[i]);
    return 0;
}

static void edge_agrees_with_the_slow_tree(void **state)
{
    struct merkle_edge e = MERKLE_EDGE_EMPTY, loaded;
    uint8_t want[MERKLE_HASH], got[MERKLE_HASH];

    (void)state;
    for (size_t n = 0; n <= LEAVES; n++) {
        slow_root(0, n, want);
        merkle_edge_root(&e, got);
        assert_memory_equal(want, got, MERKLE_HASH);
        assert_int_equal(merkle_root(&src, n, got), 0);
        assert_memory_equal(want, got, MERKLE_HASH);
        assert_int_equal(merkle_edge_load(&src, n, &loaded), 0);
        merkle_edge_root(&loaded, got);
        assert_memory_equal(want, got, MERKLE_HASH);
        if (n < LEAVES)
            merkle_edge_append(&e, leaves[n], NULL, NULL);
    }
}

static void inclusion_holds_for_its_leaf_and_no_other(void **state)
{
    struct merkle_proof p;
    uint8_t root[MERKLE_HASH];

    (void)state;
    for (size_t n = 1; n <= LEAVES; n++) {
        slow_root(0, n, root);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(merkle_inclusion_prove(&src, i, n, &p), 0);
            assert_int_equal(
                    merkle_inclusion_verify(i, n, leaves[i], &p, root), 0);
            for (size_t j = 0; j < n; j++) {
                if (j != i)
                    assert_int_not_equal(
                            merkle_inclusion_verify(i, n, leaves[j], &p, root),
                            0);
            }
            if (n > 1)
                assert_int_not_equal(merkle_inclusion_verify((i + 1) % n, n,
                                             leaves[i], &p, root),
                        0);
        }
    }
}

static void inclusion_proofs_that_were_tampered_with_fail(void **state)
{
    struct merkle_proof p, q;
    uint8_t root[MERKLE_HASH];

    (void)state;
    slow_root(0, LEAVES, root);
    assert_int_equal(merkle_inclusion_prove(&src, 37, LEAVES, &p), 0);
    for (size_t bit = 0; bit < p.n * MERKLE_HASH * 8; bit += 7) {
        q = p;
        q.hash[bit / 256][bit % 256 / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(
                merkle_inclusion_verify(37, LEAVES, leaves[37], &q, root),
                ERR_MISMATCH);
    }
    q = p;
    q.n--;
    assert_int_equal(merkle_inclusion_verify(37, LEAVES, leaves[37], &q, root),
            ERR_SYNTAX);
    q = p;
    q.n++;
    assert_int_equal(merkle_inclusion_verify(37, LEAVES, leaves[37], &q, root),
            ERR_SYNTAX);
    q.n = MERKLE_PROOF_MAX + 1;
    assert_int_equal(merkle_inclusion_verify(37, LEAVES, leaves[37], &q, root),
            ERR_SYNTAX);
}

static void sizes_and_indexes_out_of_range_are_refused(void **state)
{
    static const struct {
        uint64_t index, size;
    } bad[] = {{0, 0}, {1, 1}, {UINT64_MAX, UINT64_MAX}, {5, 4},
            {0, MERKLE_SIZE_MAX + 1}, {UINT64_MAX, 1}};
    struct merkle_proof p = {.n = 0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(merkle_inclusion_verify(bad[i].index, bad[i].size,
                                 leaves[0], &p, leaves[0]),
                ERR_SYNTAX);
        assert_int_equal(
                merkle_inclusion_prove(&src, bad[i].index, bad[i].size, &p),
                ERR_LIMIT);
    }
    assert_int_equal(merkle_consistency_prove(&src, 2, 1, &p), ERR_LIMIT);
    assert_int_equal(merkle_consistency_verify(2, 1, leaves[0], leaves[0], &p),
            ERR_SYNTAX);
    /* 2^62 leaves and the last index: no shift is undefined. */
    p.n = 62;
    assert_int_equal(merkle_inclusion_verify(MERKLE_SIZE_MAX - 1,
                             MERKLE_SIZE_MAX, leaves[0], &p, leaves[0]),
            ERR_MISMATCH);
}

static void consistency_holds_for_every_pair_of_sizes(void **state)
{
    uint8_t old[MERKLE_HASH], root[MERKLE_HASH];
    struct merkle_proof p;

    (void)state;
    for (size_t n = 0; n <= LEAVES; n++) {
        slow_root(0, n, root);
        for (size_t m = 0; m <= n; m++) {
            slow_root(0, m, old);
            assert_int_equal(merkle_consistency_prove(&src, m, n, &p), 0);
            assert_int_equal(merkle_consistency_verify(m, n, old, root, &p), 0);
            old[0] ^= 1;
            assert_int_not_equal(
                    merkle_consistency_verify(m, n, old, root, &p), 0);
        }
    }
}

static void a_rewritten_history_is_not_consistent(void **state)
{
    uint8_t old[MERKLE_HASH], root[MERKLE_HASH], keep[MERKLE_HASH];
    struct merkle_proof p;

    (void)state;
    for (size_t m = 1; m < LEAVES; m++) {
        slow_root(0, m, old);
        memcpy(keep, leaves[m - 1], MERKLE_HASH);
        leaves[m - 1][5] ^= 1; /* an entry of the old tree is changed */
        slow_root(0, LEAVES, root);
        assert_int_equal(merkle_consistency_prove(&src, m, LEAVES, &p), 0);
        assert_int_not_equal(
                merkle_consistency_verify(m, LEAVES, old, root, &p), 0);
        memcpy(leaves[m - 1], keep, MERKLE_HASH);
    }
}

static void tiles_have_the_names_of_the_specification(void **state)
{
    static const struct {
        int level;
        uint64_t n;
        unsigned width;
        const char *path;
    } cases[] = {
            {0, 0, 256, "tile/0/000"},
            {0, 0, 1, "tile/0/000.p/1"},
            {1, 999, 255, "tile/1/999.p/255"},
            {0, 1000, 256, "tile/0/x001/000"},
            {0, 1234067, 256, "tile/0/x001/x234/067"},
            {MERKLE_ENTRIES, 1234067, 8, "tile/entries/x001/x234/067.p/8"},
            {0, (MERKLE_SIZE_MAX >> 8) - 1, 256,
                    "tile/0/x018/x014/x398/x509/x481/983"},
    };
    char path[MERKLE_PATH_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        merkle_tile_path(cases[i].level, cases[i].n, cases[i].width, path);
        assert_string_equal(path, cases[i].path);
    }
}

static void tile_widths_follow_the_size(void **state)
{
    static const struct {
        int level;
        uint64_t n, size;
        unsigned width;
    } cases[] = {
            {0, 0, 0, 0},
            {0, 0, 1, 1},
            {0, 0, 256, 256},
            {0, 1, 256, 0},
            {1, 0, 255, 0},
            {1, 0, 256, 1},
            {0, 1, 300, 44},
            {0, 0, 300, 256},
            {0, 2, 300, 0},
            {MERKLE_ENTRIES, 1, 300, 44},
            {2, 0, 70000, 1},
            {1, 1, 70000, 17},
            {MERKLE_LEVEL_MAX, 0, MERKLE_SIZE_MAX, 64},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(
                merkle_tile_width(cases[i].level, cases[i].n, cases[i].size),
                cases[i].width);
}

static void bundles_keep_bounds(void **state)
{
    static uint8_t big[LIMIT_LOG_ENTRY_MAX + 1];
    struct buf b = BUF_INIT(3 * LIMIT_LOG_ENTRY_MAX);
    struct wire_reader r;
    struct span e;

    (void)state;
    assert_int_equal(merkle_bundle_put(&b, SPAN("ab", 2)), 0);
    assert_int_equal(merkle_bundle_put(&b, SPAN(big, sizeof big - 1)), 0);
    assert_int_equal(merkle_bundle_put(&b, SPAN_OF(big)), ERR_LIMIT);
    r = wire_reader_of(buf_span(&b));
    assert_true(merkle_bundle_get(&r, &e) && span_eq_str(e, "ab"));
    assert_true(merkle_bundle_get(&r, &e));
    assert_int_equal(e.len, LIMIT_LOG_ENTRY_MAX);
    assert_true(wire_end(&r));
    r = wire_reader_of(SPAN(b.ptr, b.len - 1));
    assert_true(merkle_bundle_get(&r, &e));
    assert_false(merkle_bundle_get(&r, &e));
    buf_fini(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(edge_agrees_with_the_slow_tree),
            cmocka_unit_test(inclusion_holds_for_its_leaf_and_no_other),
            cmocka_unit_test(inclusion_proofs_that_were_tampered_with_fail),
            cmocka_unit_test(sizes_and_indexes_out_of_range_are_refused),
            cmocka_unit_test(consistency_holds_for_every_pair_of_sizes),
            cmocka_unit_test(a_rewritten_history_is_not_consistent),
            cmocka_unit_test(tiles_have_the_names_of_the_specification),
            cmocka_unit_test(tile_widths_follow_the_size),
            cmocka_unit_test(bundles_keep_bounds),
    };

    return cmocka_run_group_tests(tests, make_leaves, NULL);
}
