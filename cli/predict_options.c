/* SPDX-License-Identifier: Apache-2.0 */
#include "predict_options.h"

#include <getopt.h>
#include <stddef.h>

enum kind { TEXT, LIST, OTHER, FLAG };

static bool take_bank(struct predict_options *o, const char *arg)
{
    for (unsigned i = 0; i < PREDICT_BANKS; i++) {
        if (strcmp(crypto_hash_name((enum crypto_hash)i), arg) == 0) {
            o->banks |= PREDICT_BANK(i);
            return true;
        }
    }
    return false;
}

static bool take_pcrs(struct predict_options *o, const char *arg)
{
    return text_parse_bits(span_str(arg), TCG_PCRS, &o->pcrs);
}

static bool take_log_pcrs(struct predict_options *o, const char *arg)
{
    return text_parse_bits(span_str(arg), TCG_PCRS, &o->log_pcrs);
}

static bool take_separators(struct predict_options *o, const char *arg)
{
    return text_parse_bits(span_str(arg), 8, &o->separators);
}

static bool take_stub(struct predict_options *o, const char *arg)
{
    uint64_t v;

    if (!text_parse_u64(span_str(arg), &v) || v > 99999 ||
            !pe_uki_is_known_stub((unsigned)v))
        return false;
    o->stub = (unsigned)v;
    return true;
}

static bool take_inner(struct predict_options *o, const char *arg)
{
    o->inner = strcmp(arg, "measured") == 0 ? PREDICT_INNER_MEASURED
               : strcmp(arg, "silent") == 0 ? PREDICT_INNER_SILENT
                                            : PREDICT_INNER_KNOWN;
    return o->inner != PREDICT_INNER_KNOWN;
}

static bool take_secure_boot(struct predict_options *o, const char *arg)
{
    o->has_secure_boot = true;
    o->secure_boot = strcmp(arg, "on") == 0;
    o->secure_boot_absent = strcmp(arg, "absent") == 0;
    return o->secure_boot || o->secure_boot_absent || strcmp(arg, "off") == 0;
}

static bool set_embedded(struct predict_options *o, const char *arg)
{
    (void)arg;
    o->grub_embedded = true;
    return true;
}

static bool set_json(struct predict_options *o, const char *arg)
{
    (void)arg;
    o->json = true;
    return true;
}

#define AT(member) offsetof(struct predict_options, member)

static const struct {
    const char *name;
    enum kind kind;
    size_t at; /* TEXT, LIST */
    bool (*take)(struct predict_options *o, const char *arg);
} table[] = {
        {"uki", TEXT, AT(uki), NULL},
        {"kernel", TEXT, AT(kernel), NULL},
        {"initrd", LIST, AT(initrds), NULL},
        {"cmdline", TEXT, AT(cmdline), NULL},
        {"grub", TEXT, AT(grub), NULL},
        {"grub-embedded", FLAG, 0, set_embedded},
        {"file", LIST, AT(files), NULL},
        {"boot", LIST, AT(boots), NULL},
        {"firmware", TEXT, AT(firmware), NULL},
        {"crtm-version", TEXT, AT(crtm_version), NULL},
        {"pei-digest", LIST, AT(pei_digests), NULL},
        {"separator", OTHER, 0, take_separators},
        {"disk", TEXT, AT(disk), NULL},
        {"vars", TEXT, AT(vars), NULL},
        {"pk", TEXT, AT(pk), NULL},
        {"kek", TEXT, AT(kek), NULL},
        {"db", TEXT, AT(db), NULL},
        {"dbx", TEXT, AT(dbx), NULL},
        {"log", TEXT, AT(log), NULL},
        {"log-pcrs", OTHER, 0, take_log_pcrs},
        {"secure-boot", OTHER, 0, take_secure_boot},
        {"stub", OTHER, 0, take_stub},
        {"inner-kernel", OTHER, 0, take_inner},
        {"options", TEXT, AT(options), NULL},
        {"credential", LIST, AT(credentials), NULL},
        {"global-credential", LIST, AT(globals), NULL},
        {"sysext", LIST, AT(sysexts), NULL},
        {"phases", TEXT, AT(phases), NULL},
        {"bank", OTHER, 0, take_bank},
        {"pcrs", OTHER, 0, take_pcrs},
        {"pcrsig", TEXT, AT(pcrsig), NULL},
        {"pcrsig-key", TEXT, AT(pcrsig_key), NULL},
        {"recipe", TEXT, AT(recipe), NULL},
        {"json", FLAG, 0, set_json},
};

static bool take(struct predict_options *o, size_t i, const char *arg)
{
    void *at = (char *)o + table[i].at;
    struct predict_list *list = at;

    if (table[i].take)
        return table[i].take(o, arg);
    if (table[i].kind == TEXT) {
        memcpy(at, &arg, sizeof(arg));
        return true;
    }
    if (list->n == ARRAY_LEN(list->item))
        return false;
    list->item[list->n++] = arg;
    return true;
}

static int check(struct cli *cli, const struct predict_options *o)
{
    bool has_keys = o->pk || o->kek || o->db || o->dbx;
    int ways = (o->uki != NULL) + (o->kernel != NULL) + (o->grub != NULL);

    if (ways > 1)
        return cli_misuse(cli, "one of --uki, --kernel, --grub");
    if (!ways && !o->boots.n && !o->firmware && !o->vars && !has_keys &&
            !o->log && !o->disk && !o->separators)
        return cli_misuse(cli, "which files does the machine boot?");
    if (o->vars && has_keys)
        return cli_misuse(cli, "--vars, or the variables one by one");
    if ((o->uki || o->vars || has_keys) && !o->has_secure_boot)
        return cli_misuse(cli, "--secure-boot on, off or absent: what is "
                               "measured depends on it");
    if (o->firmware && !o->pei_digests.n)
        return cli_misuse(cli, "--firmware needs --pei-digest: the PEI volume "
                               "changes itself before it is measured");
    if (!o->log != !o->log_pcrs)
        return cli_misuse(cli, "--log and --log-pcrs go together");
    if (!o->pcrsig != !o->pcrsig_key || (o->pcrsig && !o->uki))
        return cli_misuse(cli, "--uki, --pcrsig and --pcrsig-key go together");
    if (o->cmdline && !o->kernel)
        return cli_misuse(cli, "--cmdline is for --kernel; a UKI has its own, "
                               "see --options");
    return CLI_OK;
}

int predict_options_parse(
        struct cli *cli, int argc, char **argv, struct predict_options *ret)
{
    struct option options[ARRAY_LEN(table) + 1] = {0};
    int c;

    *ret = (struct predict_options){.crtm_version = ""};
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        options[i] = (struct option){
                table[i].name, table[i].kind != FLAG, NULL, 256 + (int)i};
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c < 256)
            return cli_misuse(cli, "unknown option");
        if (!take(ret, (size_t)(c - 256), optarg))
            return cli_misuse(cli, "--%s does not take '%s'",
                    table[c - 256].name, optarg ? optarg : "");
    }
    if (optind != argc)
        return cli_misuse(cli, "files are named by options");
    if (!ret->banks)
        ret->banks = PREDICT_BANK(CRYPTO_SHA256);
    return check(cli, ret);
}
