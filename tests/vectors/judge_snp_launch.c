/* SPDX-License-Identifier: Apache-2.0 */
/* Launch digests, ID blocks and the certificates of SEV. */
#include "snp.h"
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- launch digests ---------------------------------------------------- */

static const char *const known_launch[] = {"id", "args", "launch_digest",
        "expect", "made_by", "note", "error", "expect_error", NULL};
static const char *const known_args[] = {"mode", "vcpus", "vcpu_sig",
        "vcpu_type", "ovmf_file", "kernel", "initrd", "append",
        "guest_features", "snp_ovmf_hash_str", "vmm_type", "svsm_file",
        "ovmf_vars_size", "dump_vmsa", /* where the tool leaves its pages */
        NULL};

static bool is_launch(json_t *file)
{
    json_t *first = json_array_get(json_object_get(file, "cases"), 0);

    return json_object_get(json_object_get(first, "args"), "ovmf_file") != NULL;
}

struct word {
    const char *word;
    int value;
};

static int look_up(const struct word *words, size_t n, const char *word)
{
    for (size_t i = 0; word && i < n; i++) {
        if (strcasecmp(words[i].word, word) == 0)
            return words[i].value;
    }
    return -1;
}

static int mode_of(const char *word)
{
    static const struct word words[] = {{"SEV", SNP_MODE_SEV},
            {"SEV_ES", SNP_MODE_SEV_ES}, {"SEVES", SNP_MODE_SEV_ES},
            {"SEV-ES", SNP_MODE_SEV_ES}, {"SEV_SNP", SNP_MODE_SNP},
            {"SEV-SNP", SNP_MODE_SNP}, {"SNP", SNP_MODE_SNP},
            {"SEV_SNP_SVSM", SNP_MODE_SVSM}, {"SNP:SVSM", SNP_MODE_SVSM}};

    return look_up(words, ARRAY_LEN(words), word);
}

static int vmm_of(const char *word)
{
    static const struct word words[] = {
            {"QEMU", SNP_VMM_QEMU}, {"ec2", SNP_VMM_EC2}, {"gce", SNP_VMM_GCE}};

    return look_up(words, ARRAY_LEN(words), word ? word : "QEMU");
}

static struct span load_optional(
        struct vectors_case *c, json_t *args, const char *name)
{
    const char *file = vectors_text(args, name);

    return file && *file ? vectors_load(c, file) : SPAN_EMPTY;
}

/* The signature, or the name of a type. */
static bool cpu_of(struct vectors_case *c, json_t *args, uint32_t *ret)
{
    json_t *sig = json_object_get(args, "vcpu_sig");
    const char *type = vectors_text(args, "vcpu_type");
    uint32_t of_type = 0;

    bool known = type && snp_cpu_sig_of_type(type, &of_type);

    if (type && !known && !json_is_integer(sig)) {
        vectors_complain(c, "vcpu_type %s is not known", type);
        return false;
    }
    *ret = json_is_integer(sig) ? (uint32_t)json_integer_value(sig) : of_type;
    if (known && *ret != of_type)
        vectors_complain(c, "vcpu_type %s has another signature", type);
    return true;
}

static bool launch_of(struct vectors_case *c, struct snp_launch *ret)
{
    static struct snp_kernel kernel;
    json_t *args = json_object_get(c->json, "args");
    int mode = mode_of(vectors_text(args, "mode"));
    int vmm = vmm_of(vectors_text(args, "vmm_type"));
    const char *append = vectors_text(args, "append");
    const char *digest = vectors_text(args, "snp_ovmf_hash_str");
    struct span ovmf_digest = SPAN_EMPTY;

    vectors_known(c, args, known_args);
    if (mode < 0 || vmm < 0 ||
            (digest && *digest &&
                    (!vectors_hex(digest, &ovmf_digest) ||
                            ovmf_digest.len != SNP_DIGEST))) {
        vectors_complain(c, "a mode, monitor or OVMF digest is not known");
        return false;
    }
    *ret = (struct snp_launch){
            .mode = (enum snp_mode)mode,
            .vmm = (enum snp_vmm)vmm,
            .ovmf = load_optional(c, args, "ovmf_file"),
            .ovmf_digest = ovmf_digest.len ? ovmf_digest.ptr : NULL,
            .vcpus = (uint32_t)json_integer_value(
                    json_object_get(args, "vcpus")),
            .features = (uint64_t)json_integer_value(
                    json_object_get(args, "guest_features")),
            .svsm = load_optional(c, args, "svsm_file"),
            .ovmf_vars_size = (uint64_t)json_integer_value(
                    json_object_get(args, "ovmf_vars_size")),
    };
    if (vectors_text(args, "kernel")) {
        snp_kernel_hash(load_optional(c, args, "kernel"),
                load_optional(c, args, "initrd"),
                append ? span_str(append) : SPAN_EMPTY, &kernel);
        ret->kernel = &kernel;
    }
    return cpu_of(c, args, &ret->vcpu_sig);
}

static void judge_launch(struct vectors_case *c)
{
    uint8_t digest[SNP_DIGEST];
    struct snp_launch l;
    struct err err = {0};
    size_t len;
    int rc;

    vectors_known(c, c->json, known_launch);
    if (!launch_of(c, &l))
        return;
    rc = snp_launch_digest(&l, digest, &len, &err);
    if (!vectors_text(c->json, "launch_digest")) { /* must be refused */
        if (rc == 0)
            vectors_complain(c, "a digest, though none is expected");
        return;
    }
    if (rc)
        vectors_complain(c, "no digest: %s", err.msg);
    else
        vectors_is_hex(c, c->json, "launch_digest", SPAN(digest, len));
}

/* ---- ID blocks --------------------------------------------------------- */

static const char *const known_id[] = {"kind", "id", "note", "id_block_b64",
        "expect", "auth_block", "launch_digest", "id_key_digest_b64",
        "author_key_digest_b64", "layout_check", "origin", "files", NULL};
static const char *const known_layout[] = {"id_key_algo", "auth_key_algo",
        "id_sig_over_96_byte_block", "author_sig_over_1028_byte_id_key",
        "id_key_digest_ok", "author_key_digest_ok", NULL};

static bool is_id(json_t *file)
{
    return json_object_get(file, "id_block_b64") ||
           json_object_get(json_object_get(file, "files"), "id_block");
}

static void is_b64(struct vectors_case *c, const char *name, struct span got)
{
    const char *text = vectors_text(c->json, name);
    struct span want = SPAN_EMPTY;

    if (text && (!vectors_base64(text, &want) || !span_eq(want, got)))
        vectors_disagree(c, name, text, "another");
}

/* In the file itself, or in one beside it. */
static struct span id_block(struct vectors_case *c)
{
    struct span block = SPAN_EMPTY;

    if (vectors_base64(vectors_text(c->json, "id_block_b64"), &block))
        return block;
    return vectors_load(c, vectors_file(c, "id_block"));
}

static void judge_id(struct vectors_case *c)
{
    json_t *layout = json_object_get(c->json, "layout_check");
    const char *auth_file = vectors_file(c, "auth_block");
    struct span block = id_block(c), auth;
    struct snp_id_block b;
    struct snp_id_auth a = {0};
    struct err err = {0};
    bool holds, by_id;

    vectors_known(c, c->json, known_id);
    vectors_known(c, layout, known_layout);
    auth = vectors_load(c, auth_file ? auth_file : "auth_block.bin");
    if (snp_id_block_parse(block, &b, &err) != 0) {
        vectors_complain(c, "%s", err.msg);
        return;
    }
    holds = snp_id_verify(block, auth, &a, &err) == 0;
    /* The second signature is looked at when the first one holds. */
    by_id = holds || strncmp(err.msg, "ID key:", 7) == 0;
    vectors_is_bool(c, layout, "id_sig_over_96_byte_block", by_id);
    vectors_is_bool(c, layout, "author_sig_over_1028_byte_id_key",
            holds && a.has_author);
    vectors_is_hex(c, c->json, "launch_digest", b.launch_digest);
    if (!holds) {
        if (!layout)
            vectors_complain(c, "%s", err.msg);
        return;
    }
    vectors_is_u64(c, layout, "id_key_algo", 1);
    vectors_is_u64(c, layout, "auth_key_algo", a.has_author);
    is_b64(c, "id_key_digest_b64", SPAN_OF(a.id_key_digest));
    is_b64(c, "author_key_digest_b64", SPAN_OF(a.author_key_digest));
}

/* ---- certificates of SEV ------------------------------------------------- */

static const char *const known_legacy[] = {
        "verdict", "parse", "chain", "signature", "amd", NULL};

static bool load_legacy(struct vectors_case *c, const char *name,
        struct snp_legacy *ret, struct err *err)
{
    char file[64];
    const char *listed = vectors_file(c, name);

    (void)snprintf(file, sizeof(file), "%s.cert", name);
    if (!listed)
        listed = vectors_file(c, file) ? vectors_file(c, file) : file;
    return snp_legacy_parse(vectors_load(c, listed), ret, err) == 0;
}

static bool load_ca(struct vectors_case *c, const char *name,
        struct snp_legacy_ca *ret, struct err *err)
{
    char file[64];
    const char *listed = vectors_file(c, name);

    (void)snprintf(file, sizeof(file), "%s.cert", name);
    if (!listed)
        listed = vectors_file(c, file);
    return listed &&
           snp_legacy_ca_parse(vectors_load(c, listed), ret, err) == 0;
}

static void judge_legacy(struct vectors_case *c)
{
    struct snp_legacy pdh, pek, oca, cek;
    struct snp_legacy_ca ask, ark;
    struct err err = {0};
    bool parsed, holds, amd = false;
    bool has_cas =
            load_ca(c, "ask", &ask, &err) && load_ca(c, "ark", &ark, &err);

    if (c->expect != c->json)
        vectors_known(c, c->expect, known_legacy);
    parsed = load_legacy(c, "pdh", &pdh, &err) &&
             load_legacy(c, "pek", &pek, &err) &&
             load_legacy(c, "oca", &oca, &err) &&
             load_legacy(c, "cek", &cek, &err);
    holds = parsed &&
            snp_legacy_chain(&pdh, &pek, &oca, &cek, has_cas ? &ask : NULL,
                    has_cas ? &ark : NULL, &amd, &err) == 0;
    vectors_is_text(c, c->expect, "parse", parsed ? "ok" : "fail");
    vectors_is_text(c, c->expect, "chain", holds ? "ok" : "fail");
    vectors_is_text(c, c->expect, "signature", holds ? "ok" : "fail");
    vectors_is_text(c, c->expect, "verdict", holds ? "accept" : "reject");
    vectors_is_bool(c, c->expect, "amd", amd);
    if (c->expect == c->json && !holds)
        vectors_complain(c, "%s", err.msg);
}

const struct vectors_kind vectors_snp_launch[] = {
        {.name = "snp-launch-digest",
                .recognise = is_launch,
                .each = "cases",
                .judge = judge_launch},
        {.name = "snp-id-block", .recognise = is_id, .judge = judge_id},
        {.name = "sev-legacy", .judge = judge_legacy},
        {0},
};
