/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_corim_private.h"
#include "cli_sandbox.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

/* What the child hands over: values of the largest manifest, as text. */
#define HANDED_MAX (4u << 20)
#define FILE_MAX   CBOR_BYTES_MAX
#define PEM_MAX    8192

struct handed {
    uint64_t until;
    size_t note_len, text_len;
    char note[1024];
    char text[HANDED_MAX];
};

void attest_corim_job_fini(struct attest_corim_job *j)
{
    buf_fini(&j->file);
    crypto_pub_free(j->key);
    corim_free(j->c);
}

/* ---- before anything foreign is parsed ------------------------------- */

static int take_product(const char *name, enum corim_product *ret)
{
    static const struct {
        const char *name;
        enum corim_product product;
    } products[] = {{"milan", CORIM_PRODUCT_MILAN},
            {"genoa", CORIM_PRODUCT_MILAN}, {"turin", CORIM_PRODUCT_TURIN}};

    *ret = CORIM_PRODUCT_UNKNOWN;
    if (!name)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(products); i++) {
        if (strcmp(products[i].name, name) == 0) {
            *ret = products[i].product;
            return 0;
        }
    }
    return ERR_USAGE;
}

static int take_key(const char *path, struct crypto_pub **ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf pem = BUF_INIT(PEM_MAX);
    int r = buf_load(&pem, AT_FDCWD, path, err);

    if (r != 0)
        return r;
    *ret = crypto_pub_from_pem(buf_span(&pem));
    return *ret ? 0
                : err_set(err, ERR_SYNTAX, "%s: no public key in PEM", path);
}

int attest_corim_init(struct attest_corim_job *j, const struct pack_options *o,
        const char *path, struct err *err)
{
    int r;

    *j = (struct attest_corim_job){.o = o,
            .file = BUF_INIT(FILE_MAX),
            .time = o->time ? o->time : (uint64_t)time(NULL)};
    if (take_product(o->product, &j->product) != 0)
        return err_set(err, ERR_USAGE,
                "--product is milan, genoa or turin, not '%.20s'", o->product);
    r = buf_load(&j->file, AT_FDCWD, path, err);
    if (r == 0 && o->key)
        r = take_key(o->key, &j->key, err);
    return r;
}

/* ---- a value as a line of rules -------------------------------------- */

static struct claim_value value_of(
        const struct corim_claim *c, enum claim_type type)
{
    struct claim_value v = {.type = type,
            .number = c->number,
            .bytes = c->bytes,
            .n_parts = c->n_parts};

    memcpy(v.part, c->part, sizeof(v.part));
    return v;
}

/* Room rules has the claim, and values of this kind for it. */
int attest_corim_line(const struct attest_corim_job *j,
        const struct corim_value *v, struct corim_claim *ret, struct buf *text,
        struct err *err)
{
    static const enum claim_type types[] = {[CORIM_CLAIM_NUMBER] = CLAIM_NUMBER,
            [CORIM_CLAIM_BYTES] = CLAIM_BYTES,
            [CORIM_CLAIM_VERSION] = CLAIM_VERSION,
            [CORIM_CLAIM_VECTOR] = CLAIM_VECTOR};
    const struct claim_def *def;
    struct claim_value value;
    int r = corim_claim(j->c, v, j->product, ret, err);

    if (r != 0)
        return r;
    def = claims_find(span_str(ret->name));
    if (!def || def->type != types[ret->type] ||
            (def->size && def->size != ret->bytes.len))
        return err_set(
                err, ERR_NOT_FOUND, "no rule can be about %s", ret->name);
    value = value_of(ret, def->type);
    claims_format_value(&value, text);
    return buf_ok(text, err);
}

int attest_corim_read(struct attest_corim_job *j, struct err *err)
{
    int r = corim_read(buf_span(&j->file), j->key, &j->c, err);

    if (r == 0)
        r = corim_check_time(j->c, j->time, err);
    return r;
}

/* ---- the child hands values over ------------------------------------- */

static int hand(struct handed *h, const struct corim_claim *claim,
        const struct buf *value, struct err *err)
{
    int n = snprintf(h->text + h->text_len, sizeof(h->text) - h->text_len,
            "%s %c %s\n", claim->name, claim->at_least ? '>' : '=',
            (const char *)value->ptr);

    if (n < 0 || (size_t)n >= sizeof(h->text) - h->text_len)
        return err_set(err, ERR_LIMIT, "the manifest has too many values");
    h->text_len += (size_t)n;
    return 0;
}

static void hand_note(const struct attest_corim_job *j)
{
    CLEANUP(buf_fini) struct buf id = BUF_INIT(4096);
    char signer[128], hex[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];
    uint8_t digest[CRYPTO_SHA256_SIZE];
    struct handed *h = j->out;
    int n;

    corim_format_name(&j->c->id, &id);
    text_format_safe(j->c->signer, signer, sizeof(signer));
    crypto_sha256(buf_span(&j->file), digest);
    text_format_hex(SPAN_OF(digest), hex);
    n = snprintf(h->note, sizeof(h->note), "CoRIM %.200s, SHA-256 %s, %s%s%s",
            id.ptr ? (const char *)id.ptr : "", hex,
            j->key ? "signed by \"" : "by nobody's signature",
            j->key ? signer : "", j->key ? "\"" : "");
    h->note_len = n > 0 && (size_t)n < sizeof(h->note) ? (size_t)n : 0;
}

static uint64_t earlier(uint64_t a, const struct corim_validity *v)
{
    return v->has_not_after && (a == 0 || v->not_after < a) ? v->not_after : a;
}

/* A triple says which values go together; a set of values does not. */
static void note_environments(const struct corim *c)
{
    size_t n = 0, last = SIZE_MAX;

    for (size_t i = 0; c && i < c->n_values; i++) {
        if (c->value[i].role == CORIM_REFERENCE && c->value[i].env != last) {
            last = c->value[i].env;
            n++;
        }
    }
    if (n > 1)
        (void)printf("note         it is about %zu environments; a set has the "
                     "values of all of them, and no rule says which go "
                     "together\n",
                n);
}

static int hand_values(struct attest_corim_job *j, struct err *err)
{
    int r = attest_corim_read(j, err);

    for (size_t i = 0; r == 0 && i < j->c->n_values; i++) {
        CLEANUP(buf_fini) struct buf value = BUF_INIT(65536);
        CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);
        struct corim_claim claim;
        struct err why = {0};

        if (attest_corim_line(j, &j->c->value[i], &claim, &value, &why) == 0) {
            r = hand(j->out, &claim, &value, err);
            continue;
        }
        corim_format_value(&j->c->value[i], &text);
        (void)printf("left out     %s: %s\n",
                text.ptr ? (const char *)text.ptr : "", why.msg);
    }
    note_environments(j->c);
    if (r == 0) {
        j->out->until =
                earlier(earlier(0, &j->c->signed_validity), &j->c->validity);
        hand_note(j);
    }
    return r;
}

static int hand_job(void *ctx)
{
    struct err err = {0};

    return hand_values(ctx, &err) == 0 ? CLI_OK : cli_fail(&err);
}

/* ---- and the parent takes them as it would from a person ------------- */

void attest_corim_fini(struct attest_corim *c)
{
    free(c->text);
    free(c->note);
    free(c->line);
}

/* "CLAIM = VALUE" or "CLAIM > VALUE" */
static bool cut_line(char *text, struct attest_corim_line *ret)
{
    char *op = strchr(text, ' ');
    size_t n = op ? (size_t)(op - text) : 0;

    if (!op || n == 0 || n > CLAIM_NAME_MAX || (op[1] != '=' && op[1] != '>') ||
            op[2] != ' ' || op[3] == 0)
        return false;
    *ret = (struct attest_corim_line){
            .at_least = op[1] == '>', .value = op + 3};
    memcpy(ret->claim, text, n);
    return true;
}

static int take_lines(struct attest_corim *c, struct err *err)
{
    size_t n = 0;
    char *at = c->text, *end;

    for (const char *p = c->text; *p; p++)
        n += *p == '\n';
    c->line = calloc(n ? n : 1, sizeof(*c->line));
    if (!c->line)
        return err_set(err, ERR_MEMORY, "no memory for values");
    for (; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = 0;
        if (!cut_line(at, &c->line[c->n++]))
            return err_set(err, ERR_PEER, "the manifest's reader erred");
    }
    return 0;
}

static int take_handed(
        const struct handed *h, struct attest_corim *ret, struct err *err)
{
    size_t text_len = h->text_len, note_len = h->note_len;

    if (text_len > sizeof(h->text) || note_len > sizeof(h->note))
        return err_set(err, ERR_PEER, "the manifest's reader erred");
    ret->until = h->until;
    ret->text = strndup(h->text, text_len);
    ret->note = strndup(h->note, note_len);
    if (!ret->text || !ret->note)
        return err_set(err, ERR_MEMORY, "no memory for values");
    return take_lines(ret, err);
}

static int run_job(struct attest_corim_job *j, struct attest_corim *ret)
{
    struct err err = {0};
    int r = cli_in_sandbox(hand_job, j);

    if (r != CLI_OK)
        return r;
    if (take_handed(j->out, ret, &err) == 0)
        return CLI_OK;
    attest_corim_fini(ret);
    return cli_fail(&err);
}

int attest_corim_values(const struct pack_options *o, struct attest_corim *ret)
{
    CLEANUP(attest_corim_job_fini) struct attest_corim_job j = {0};
    struct err err = {0};
    int r;

    *ret = (struct attest_corim){0};
    if (attest_corim_init(&j, o, o->corim, &err) != 0)
        return cli_fail(&err);
    j.out = mmap(NULL, sizeof(*j.out), PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (j.out == MAP_FAILED) {
        (void)err_errno(&err, "mmap");
        return cli_fail(&err);
    }
    r = run_job(&j, ret);
    (void)munmap(j.out, sizeof(*j.out));
    return r;
}
