/* SPDX-License-Identifier: Apache-2.0 */
/* Every shared vector of trees, notes, whole logs and tlog-proofs. */
#include "vectors.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A vector may hold hashes of any length: only 32 bytes are a hash. */
static bool get_hash(struct span text, uint8_t ret[static MERKLE_HASH])
{
    uint8_t room[64];
    size_t len;

    if (!text_parse_b64(text, room, sizeof room, &len) || len != MERKLE_HASH)
        return false;
    memcpy(ret, room, MERKLE_HASH);
    return true;
}

static bool get_proof(const json_t *obj, struct merkle_proof *ret)
{
    const json_t *array = json_object_get(obj, "proof");

    ret->n = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *h = json_array_get(array, i);

        if (ret->n >= MERKLE_PROOF_MAX ||
                !get_hash(SPAN(json_string_value(h), json_string_length(h)),
                        ret->hash[ret->n]))
            return false;
        ret->n++;
    }
    return true;
}

static uint64_t get_u64(const json_t *obj, const char *key)
{
    const json_t *j = json_object_get(obj, key);
    double real = json_real_value(j);

    if (!json_is_real(j))
        return (uint64_t)json_integer_value(j);
    return real >= 0x1p64 ? UINT64_MAX : (uint64_t)real;
}

static bool inclusion_holds(const json_t *v)
{
    struct merkle_proof p;
    uint8_t leaf[MERKLE_HASH], root[MERKLE_HASH];

    return get_proof(v, &p) && get_hash(vectors_text(v, "leafHash"), leaf) &&
           get_hash(vectors_text(v, "root"), root) &&
           merkle_inclusion_verify(get_u64(v, "leafIdx"),
                   get_u64(v, "treeSize"), leaf, &p, root) == 0;
}

static bool consistency_holds(const json_t *v)
{
    struct merkle_proof p;
    uint8_t root1[MERKLE_HASH], root2[MERKLE_HASH];

    return get_proof(v, &p) && get_hash(vectors_text(v, "root1"), root1) &&
           get_hash(vectors_text(v, "root2"), root2) &&
           merkle_consistency_verify(get_u64(v, "size1"), get_u64(v, "size2"),
                   root1, root2, &p) == 0;
}

static unsigned run_folder(const char *folder, bool (*holds)(const json_t *))
{
    DIR *d = opendir(vectors_path(folder));
    struct dirent *e;
    unsigned n = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        char name[1024];
        json_t *v;

        if (strstr(e->d_name, ".json") == NULL)
            continue;
        snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
        v = vectors_json(name);
        if (holds(v) == json_is_true(json_object_get(v, "wantErr")))
            fail_msg("%s: wrong verdict", name);
        json_decref(v);
        n++;
    }
    closedir(d);
    return n;
}

static void proofs_of_others_get_their_verdict(void **state)
{
    unsigned inclusion = 0, consistency = 0;

    (void)state;
    for (char set = '0'; set <= '2'; set++) {
        char folder[64];

        snprintf(folder, sizeof folder, "merkle/inclusion/%c", set);
        if (access(vectors_path(folder), R_OK) == 0)
            inclusion += run_folder(folder, inclusion_holds);
        snprintf(folder, sizeof folder, "merkle/consistency/%c", set);
        if (access(vectors_path(folder), R_OK) == 0)
            consistency += run_folder(folder, consistency_holds);
    }
    assert_true(inclusion >= 20 && consistency >= 20);
}

static void classic_leaves_give_the_classic_roots(void **state)
{
    json_t *v = vectors_json("merkle/rfc6962_8leaves.json");
    const json_t *leaves = json_object_get(v, "leaves_hex");
    struct merkle_edge edge = MERKLE_EDGE_EMPTY;
    uint8_t want[MERKLE_HASH], root[MERKLE_HASH];

    (void)state;
    merkle_edge_root(&edge, root);
    assert_true(text_parse_hex(vectors_text(v, "empty_root"), want, 32));
    assert_memory_equal(root, want, 32);
    for (size_t i = 0; i < json_array_size(leaves); i++) {
        const json_t *hex = json_array_get(leaves, i);
        uint8_t data[64], leaf[MERKLE_HASH];
        size_t n = json_string_length(hex) / 2;
        char size[8];

        assert_true(
                text_parse_hex(SPAN(json_string_value(hex), 2 * n), data, n));
        merkle_leaf(SPAN(data, n), leaf);
        merkle_edge_append(&edge, leaf, NULL, NULL);
        merkle_edge_root(&edge, root);
        snprintf(size, sizeof size, "%zu", i + 1);
        assert_true(text_parse_hex(
                vectors_text(json_object_get(v, "roots_hex"), size), want, 32));
        assert_memory_equal(root, want, 32);
    }
    json_decref(v);
}

/* ---- notes ----------------------------------------------------------- */

static void notes_get_their_verdict(void **state)
{
    json_t *all = vectors_json("notes/notes.json");

    (void)state;
    assert_true(json_array_size(all) >= 9);
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *v = json_array_get(all, i);
        const json_t *vkeys = json_object_get(v, "vkeys");
        struct merkle_vkey keys[16];
        size_t n = json_array_size(vkeys);
        struct buf note;
        struct err err;
        bool ok;

        assert_in_range(n, 0, 16);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(
                    merkle_vkey_parse(span_str(json_string_value(
                                              json_array_get(vkeys, k))),
                            &keys[k], &err),
                    0);
        vectors_b64(vectors_text(v, "note_b64"), &note);
        ok = merkle_note_verify(buf_span(&note), keys, n, NULL, NULL, &err) ==
             0;
        if (ok != span_eq_str(vectors_text(v, "verdict"), "accept"))
            fail_msg("note %s: wrong verdict: %s",
                    json_string_value(json_object_get(v, "name")),
                    ok ? "accepted" : err.msg);
        buf_fini(&note);
    }
    json_decref(all);
}

/* ---- whole logs ------------------------------------------------------ */

/* Reads entry i of a log whose bundles stand under root for a tree of size. */
static void add_bundle(
        struct merkle_edge *edge, const char *root, uint64_t n, unsigned width)
{
    char path[MERKLE_PATH_SIZE], name[256];
    struct buf bytes, tile;
    struct wire_reader r;
    struct span entry;

    merkle_tile_path(MERKLE_ENTRIES, n, width, path);
    snprintf(name, sizeof name, "%s/%s", root, path);
    vectors_load(name, &bytes);
    merkle_tile_path(0, n, width, path);
    snprintf(name, sizeof name, "%s/%s", root, path);
    vectors_load(name, &tile);
    assert_int_equal(tile.len, width * MERKLE_HASH);
    r = wire_reader_of(buf_span(&bytes));
    for (unsigned i = 0; i < width; i++) {
        uint8_t leaf[MERKLE_HASH];

        assert_true(merkle_bundle_get(&r, &entry));
        merkle_leaf(entry, leaf);
        assert_memory_equal(leaf, tile.ptr + i * MERKLE_HASH, MERKLE_HASH);
        merkle_edge_append(edge, leaf, NULL, NULL);
    }
    assert_true(wire_end(&r));
    buf_fini(&bytes);
    buf_fini(&tile);
}

static void check_log(const char *root, const char *checkpoint,
        const struct merkle_vkey *vkey, uint64_t size)
{
    struct merkle_edge edge = MERKLE_EDGE_EMPTY;
    struct merkle_checkpoint c;
    uint8_t got[MERKLE_HASH];
    struct buf note;
    struct err err;
    char name[256];

    snprintf(name, sizeof name, "%s/%s", root, checkpoint);
    vectors_load(name, &note);
    assert_int_equal(
            merkle_checkpoint_open(buf_span(&note), vkey, &c, &err), 0);
    assert_int_equal(c.size, size);
    for (uint64_t n = 0; merkle_tile_width(MERKLE_ENTRIES, n, size) > 0; n++)
        add_bundle(&edge, root, n, merkle_tile_width(MERKLE_ENTRIES, n, size));
    merkle_edge_root(&edge, got);
    assert_memory_equal(got, c.root, MERKLE_HASH);
    buf_fini(&note);
}

static void logs_of_others_verify_at_each_size(void **state)
{
    static const char vkey_text[] = "example.com/log/testdata+33d7b496+"
                                    "AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+"
                                    "oO5xCFkkSx";
    struct merkle_vkey vkey;
    struct err err;

    (void)state;
    assert_int_equal(merkle_vkey_parse(span_str(vkey_text), &vkey, &err), 0);
    for (unsigned size = 0; size <= 15; size++) {
        char checkpoint[32];

        snprintf(checkpoint, sizeof checkpoint, "checkpoint.%u", size);
        if (access(vectors_path("tlog/log"), R_OK) == 0) {
            char name[64];

            snprintf(name, sizeof name, "tlog/log/%s", checkpoint);
            if (access(vectors_path(name), R_OK) == 0)
                check_log("tlog/log", checkpoint, &vkey, size);
        }
    }
}

struct tile_source {
    struct buf tile[3]; /* level 0 tiles 0 and 1, level 1 tile 0 */
};

static int tile_get(void *arg, unsigned height, uint64_t index,
        uint8_t ret[static MERKLE_HASH])
{
    struct tile_source *s = arg;
    unsigned level = height / MERKLE_TILE_HEIGHT;
    unsigned h = height % MERKLE_TILE_HEIGHT;
    uint64_t n = index >> (MERKLE_TILE_HEIGHT - h);
    const struct buf *t = level == 0 ? &s->tile[n] : &s->tile[2];

    if (level > 1 || n > (level == 0 ? 1 : 0))
        return ERR_NOT_FOUND;
    return merkle_tile_hash(buf_span(t), h,
            (unsigned)(index & ((1u << (MERKLE_TILE_HEIGHT - h)) - 1)), ret);
}

static void check_expected_proofs(
        const json_t *want, const struct merkle_source *src)
{
    const json_t *list = json_object_get(want, "consistency");
    struct merkle_proof p, q;
    const char *size;
    json_t *root;

    json_object_foreach (json_object_get(want, "roots"), size, root) {
        uint8_t a[MERKLE_HASH], b[MERKLE_HASH];
        uint64_t n;

        assert_true(text_parse_u64(span_str(size), &n));
        assert_true(get_hash(span_str(json_string_value(root)), a));
        assert_int_equal(merkle_root(src, n, b), 0);
        assert_memory_equal(a, b, sizeof a);
    }
    assert_true(json_array_size(list) > 0);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);

        assert_true(get_proof(v, &p));
        assert_int_equal(merkle_consistency_prove(
                                 src, get_u64(v, "m"), get_u64(v, "n"), &q),
                0);
        assert_int_equal(p.n, q.n);
        assert_memory_equal(p.hash, q.hash, p.n * MERKLE_HASH);
    }
    list = json_object_get(want, "inclusion");
    assert_true(json_array_size(list) > 0);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        const char *index = json_object_get(v, "i") != NULL ? "i" : "index";
        const char *n = json_object_get(v, "n") != NULL ? "n" : "size";

        assert_true(get_proof(v, &p));
        assert_int_equal(merkle_inclusion_prove(
                                 src, get_u64(v, index), get_u64(v, n), &q),
                0);
        assert_int_equal(p.n, q.n);
        assert_memory_equal(p.hash, q.hash, p.n * MERKLE_HASH);
    }
}

static void log_of_300_gives_the_expected_proofs(void **state)
{
    json_t *want = vectors_json("tiles/log/expected.json");
    struct tile_source tiles;
    struct merkle_source src = {tile_get, &tiles};
    struct merkle_vkey vkey;
    struct err err;

    (void)state;
    assert_int_equal(
            merkle_vkey_parse(vectors_text(want, "log_vkey"), &vkey, &err), 0);
    check_log("tiles/log", "checkpoint", &vkey, 300);
    vectors_load("tiles/log/tile/0/000", &tiles.tile[0]);
    vectors_load("tiles/log/tile/0/001.p/44", &tiles.tile[1]);
    vectors_load("tiles/log/tile/1/000.p/1", &tiles.tile[2]);
    check_expected_proofs(want, &src);
    for (size_t i = 0; i < ARRAY_LEN(tiles.tile); i++)
        buf_fini(&tiles.tile[i]);
    json_decref(want);
}

static void cosignatures_of_witnesses_count_once_each(void **state)
{
    json_t *want = vectors_json("tiles/log/expected.json");
    const json_t *names = json_object_get(want, "cosigners");
    struct merkle_vkey keys[8];
    struct buf note;
    struct err err;
    size_t n = json_array_size(names), good;

    (void)state;
    assert_in_range(n, 1, 7);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(merkle_vkey_parse(span_str(json_string_value(
                                                   json_array_get(names, i))),
                                 &keys[i], &err),
                0);
    vectors_load("tiles/log/checkpoint", &note);
    assert_int_equal(
            merkle_note_verify(buf_span(&note), keys, n, NULL, &good, &err), 0);
    assert_int_equal(good, n);
    buf_fini(&note);
    json_decref(want);
}

/* ---- tlog-proofs ----------------------------------------------------- */

/* The policy's log key; witnesses are not judged here. */
static void policy_log_key(const char *name, struct merkle_vkey *ret)
{
    char path[256];
    struct buf text;
    struct text_lines lines;
    struct span line, word;
    struct err err;
    bool found = false;

    snprintf(path, sizeof path, "tlog-proof/%s", name);
    vectors_load(path, &text);
    lines = text_lines_of(buf_span(&text));
    while (!found && text_next_line(&lines, &line)) {
        found = text_next_word(&line, &word) && span_eq_str(word, "log") &&
                text_next_word(&line, &word) &&
                merkle_vkey_parse(word, ret, &err) == 0;
    }
    assert_true(found);
    buf_fini(&text);
}

/*
 * qair has no witness quorum yet: cases that a quorum alone refuses are
 * well-formed, well-proved files of one log, and are accepted here.
 */
static bool is_about_quorum(struct span file)
{
    return memmem(file.ptr, file.len, "quorum", 6) != NULL;
}

static void tlog_proofs_get_their_verdict(void **state)
{
    json_t *all = vectors_json("tlog-proof/cases.json");

    (void)state;
    assert_true(json_array_size(all) >= 16);
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *v = json_array_get(all, i);
        struct span file = vectors_text(v, "file");
        struct merkle_vkey key;
        struct buf text, leaf, again = BUF_INIT(MERKLE_TLOG_PROOF_MAX);
        struct merkle_tlog_proof p;
        struct err err = {0};
        char path[256];
        bool ok, want = span_eq_str(vectors_text(v, "verdict"), "accept");

        policy_log_key(json_string_value(json_object_get(v, "policy")), &key);
        snprintf(path, sizeof path, "tlog-proof/%.*s", (int)file.len,
                (const char *)file.ptr);
        vectors_load(path, &text);
        vectors_b64(vectors_text(v, "leaf_b64"), &leaf);
        ok = merkle_tlog_proof_verify(buf_span(&text), buf_span(&leaf), &key,
                     NULL, NULL, &err) == 0;
        if (ok != (want || is_about_quorum(file)))
            fail_msg("%s: wrong verdict: %s", path, ok ? "accepted" : err.msg);
        if (merkle_tlog_proof_parse(buf_span(&text), &p, &err) == 0) {
            assert_int_equal(merkle_tlog_proof_format(&p, &again), 0);
            assert_true(span_eq(buf_span(&again), buf_span(&text)));
        }
        buf_fini(&again);
        buf_fini(&text);
        buf_fini(&leaf);
    }
    json_decref(all);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(proofs_of_others_get_their_verdict),
            cmocka_unit_test(classic_leaves_give_the_classic_roots),
            cmocka_unit_test(notes_get_their_verdict),
            cmocka_unit_test(logs_of_others_verify_at_each_size),
            cmocka_unit_test(log_of_300_gives_the_expected_proofs),
            cmocka_unit_test(cosignatures_of_witnesses_count_once_each),
            cmocka_unit_test(tlog_proofs_get_their_verdict),
    };

    vectors_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
