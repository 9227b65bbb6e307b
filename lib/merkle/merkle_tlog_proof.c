/* SPDX-License-Identifier: Apache-2.0 */
/* C2SP tlog-proof@v1. */
#include "merkle.h"

static const char header[] = "c2sp.org/tlog-proof@v1";
static const char extra_key[] = "extra ";
static const char index_key[] = "index ";

int merkle_tlog_proof_format(const struct merkle_tlog_proof *p, struct buf *ret)
{
    buf_printf(ret, "%s\n", header);
    if (p->extra.len > 0) {
        buf_append_str(ret, extra_key);
        buf_append(ret, p->extra);
        buf_append_str(ret, "\n");
    }
    buf_printf(ret, "%s%llu\n", index_key, (unsigned long long)p->index);
    for (size_t i = 0; i < p->proof.n; i++) {
        char line[TEXT_B64_SIZE(MERKLE_HASH)];

        text_format_b64(SPAN_OF(p->proof.hash[i]), line);
        buf_printf(ret, "%s\n", line);
    }
    buf_append_str(ret, "\n");
    buf_append(ret, p->checkpoint);
    return buf_ok(ret, NULL);
}

static bool next_line(struct span *rest, struct span *ret)
{
    const uint8_t *p =
            rest->len == 0 ? NULL : memchr(rest->ptr, '\n', rest->len);

    if (p == NULL)
        return false;
    *ret = SPAN(rest->ptr, (size_t)(p - rest->ptr));
    *rest = SPAN(p + 1, rest->len - ret->len - 1);
    return true;
}

static bool after(struct span line, const char *key, struct span *ret)
{
    size_t n = strlen(key);

    if (line.len < n || memcmp(line.ptr, key, n) != 0)
        return false;
    *ret = SPAN(line.ptr + n, line.len - n);
    return true;
}

static bool is_extra(struct span text)
{
    uint8_t scratch[4096];
    size_t len;

    return text.len > 0 && text_parse_b64(text, scratch, sizeof scratch, &len);
}

/* Hash lines up to the empty line that must follow them. */
static int parse_hashes(
        struct span *rest, struct merkle_proof *ret, struct err *err)
{
    struct span line;
    size_t len;

    for (ret->n = 0; next_line(rest, &line); ret->n++) {
        if (line.len == 0)
            return rest->len > 0 ? 0
                                 : err_set(err, ERR_SYNTAX,
                                           "tlog-proof: no checkpoint");
        if (ret->n >= MERKLE_PROOF_MAX)
            return err_set(err, ERR_LIMIT, "tlog-proof: too many hashes");
        if (!text_parse_b64(line, ret->hash[ret->n], MERKLE_HASH, &len) ||
                len != MERKLE_HASH)
            return err_set(err, ERR_SYNTAX, "tlog-proof: bad hash line");
    }
    return err_set(err, ERR_SYNTAX, "tlog-proof: cut off");
}

int merkle_tlog_proof_parse(
        struct span text, struct merkle_tlog_proof *ret, struct err *err)
{
    struct merkle_tlog_proof p = {0};
    struct span line, value;
    int r;

    if (text.len > MERKLE_TLOG_PROOF_MAX)
        return err_set(err, ERR_LIMIT, "tlog-proof: %zu bytes", text.len);
    if (!next_line(&text, &line) || !span_eq_str(line, header))
        return err_set(err, ERR_UNSUPPORTED, "tlog-proof: unknown header");
    if (!next_line(&text, &line))
        return err_set(err, ERR_SYNTAX, "tlog-proof: cut off");
    if (after(line, extra_key, &p.extra) &&
            (!is_extra(p.extra) || !next_line(&text, &line)))
        return err_set(err, ERR_SYNTAX, "tlog-proof: bad extra line");
    if (!after(line, index_key, &value) || !text_parse_u64(value, &p.index))
        return err_set(err, ERR_SYNTAX, "tlog-proof: bad index line");
    r = parse_hashes(&text, &p.proof, err);
    if (r < 0)
        return r;
    p.checkpoint = text;
    *ret = p;
    return 0;
}

int merkle_tlog_proof_verify(struct span text, struct span entry,
        const struct merkle_vkey *key, uint64_t *ret_index,
        struct merkle_checkpoint *ret_checkpoint, struct err *err)
{
    struct merkle_tlog_proof p;
    struct merkle_checkpoint c;
    uint8_t leaf[MERKLE_HASH];
    int r = merkle_tlog_proof_parse(text, &p, err);

    if (r == 0)
        r = merkle_checkpoint_open(p.checkpoint, key, &c, err);
    if (r < 0)
        return r;
    merkle_leaf(entry, leaf);
    r = merkle_inclusion_verify(p.index, c.size, leaf, &p.proof, c.root);
    if (r < 0)
        return err_set(err, r, "tlog-proof: does not lead to the root");
    if (ret_index != NULL)
        *ret_index = p.index;
    if (ret_checkpoint != NULL)
        *ret_checkpoint = c;
    return 0;
}
