/* SPDX-License-Identifier: Apache-2.0 */
#include "zone_init.h"

#include "zone_swtpm.h"

#include "buf.h"
#include "conf.h"
#include "crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWNER_FILE_MAX 8192

static const char default_policy[] =
        "# Policy of this zone, in the language of Qubes OS 4.3 (qair(1)).\n"
        "# Files are read in the order of their names and the first rule that\n"
        "# matches decides; what no rule names is denied.  For example, in\n"
        "# 30-sign.policy:\n"
        "#\n"
        "#   qair.Sign  +release  work  server-signer  allow\n"
        "#\n"
        "# A change takes effect when the zone is started again, and then\n"
        "# needs the owner's approval: policy is part of the measured state.\n"
        "\n"
        "*  *  @anyvm  @anyvm  deny\n";

struct init {
    const char *name, *owner, *listen, *tpm, *ca, *uid_base;
    struct buf peers; /* lines of zone.conf */
    struct buf conf;
    char owner_b64[TEXT_B64_SIZE(CRYPTO_SPKI_MAX)];
    struct buf owner_pem;
    int dir_fd;
};

static int load_owner(struct init *in, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *k = NULL;
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len;
    int rc = buf_load(&in->owner_pem, AT_FDCWD, in->owner, err);

    if (rc < 0)
        return rc;
    k = crypto_pub_from_pem(buf_span(&in->owner_pem));
    if (!k || crypto_pub_type(k) != CRYPTO_P256)
        return err_set(err, ERR_SYNTAX,
                "%s: not the owner's public key (P-256, PEM); 'qair pack "
                "init' makes one",
                in->owner);
    rc = crypto_pub_spki(k, spki, sizeof(spki), &len);
    if (rc < 0)
        return err_set(err, rc, "%s", in->owner);
    text_format_b64(SPAN(spki, len), in->owner_b64);
    return 0;
}

/* zone.conf, checked by the reader that will read it. */
static int make_conf(struct init *in, struct err *err)
{
    struct conf_zone *z = calloc(1, sizeof(*z));
    int rc;

    if (!z)
        return err_set(err, ERR_MEMORY, "out of memory");
    buf_printf(&in->conf, "# zone.conf(5); measured when the zone starts\n");
    buf_printf(&in->conf, "name = %s\n", in->name);
    if (in->listen)
        buf_printf(&in->conf, "listen = %s\n", in->listen);
    buf_printf(&in->conf, "tpm = %s\n", in->tpm ? in->tpm : "swtpm");
    buf_printf(&in->conf, "owner = %s\n", in->owner_b64);
    if (in->uid_base)
        buf_printf(&in->conf, "uid-base = %s\n", in->uid_base);
    buf_append(&in->conf, buf_span(&in->peers));
    rc = buf_ok(&in->conf, err);
    if (rc == 0)
        rc = conf_zone_parse(buf_span(&in->conf), z, err);
    free(z);
    return rc;
}

static int make_folder(int at, const char *name, unsigned mode, struct err *err)
{
    if (mkdirat(at, name, (mode_t)mode) < 0 && errno != EEXIST)
        return err_errno(err, "%s", name);
    return 0;
}

static int make_folders(struct init *in, const char *dir, struct err *err)
{
    static const struct {
        const char *name;
        unsigned mode;
    } folders[] = {
            {"policy.d", 0755},
            {"policy.d/include", 0755},
            {"qubes.d", 0755},
            {"services", 0755},
            {"pack", 0755},
            {"log", 0750},
            {"keys", 0700},
            {"tpm", 0700},
            {"run", 0755},
    };
    int rc = make_folder(AT_FDCWD, dir, 0755, err);

    if (rc < 0)
        return rc;
    in->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (in->dir_fd < 0)
        return err_errno(err, "%s", dir);
    if (faccessat(in->dir_fd, "zone.conf", F_OK, 0) == 0)
        return err_set(err, ERR_EXISTS,
                "%s holds a zone already; choose another directory with -z",
                dir);
    for (size_t i = 0; i < ARRAY_LEN(folders) && rc == 0; i++)
        rc = make_folder(in->dir_fd, folders[i].name, folders[i].mode, err);
    return rc;
}

/* zone.conf comes last: until it is there, init can be run again. */
static int make_zone(struct init *in, struct cli *cli, struct err *err)
{
    int rc = load_owner(in, err);

    if (rc == 0)
        rc = make_conf(in, err);
    if (rc == 0)
        rc = make_folders(in, cli->zone_dir, err);
    if (rc == 0)
        rc = buf_store(span_str(default_policy), in->dir_fd,
                "policy.d/90-default.policy", 0644, err);
    if (rc == 0)
        rc = buf_store(buf_span(&in->owner_pem), in->dir_fd, "pack/owner.pub",
                0644, err);
    if (rc == 0 && !in->tpm)
        rc = zone_swtpm_make(cli->zone_dir, in->ca, in->name, err);
    if (rc == 0)
        rc = buf_store(buf_span(&in->conf), in->dir_fd, "zone.conf", 0644, err);
    return rc;
}

/* "server=192.0.2.1:7400" */
static int add_peer(struct init *in, const char *text)
{
    const char *eq = strchr(text, '=');

    if (!eq)
        return ERR_USAGE;
    buf_printf(&in->peers, "peer.%.*s = %s\n", (int)(eq - text), text, eq + 1);
    return 0;
}

static bool parse_options(struct init *in, int argc, char **argv)
{
    static const struct option options[] = {
            {"name", required_argument, NULL, 'n'},
            {"owner", required_argument, NULL, 'o'},
            {"listen", required_argument, NULL, 'l'},
            {"peer", required_argument, NULL, 'p'},
            {"tpm", required_argument, NULL, 't'},
            {"ca", required_argument, NULL, 'c'},
            {"uid-base", required_argument, NULL, 'u'},
            {0},
    };
    const struct {
        int c;
        const char **at;
    } values[] = {{'n', &in->name}, {'o', &in->owner}, {'l', &in->listen},
            {'t', &in->tpm}, {'c', &in->ca}, {'u', &in->uid_base}};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?' || (c == 'p' && add_peer(in, optarg) < 0))
            return false;
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
            if (values[i].c == c)
                *values[i].at = optarg;
        }
    }
    return optind == argc && in->name && in->owner && !(in->tpm && in->ca);
}

int zone_init(struct cli *cli, int argc, char **argv)
{
    struct init in = {
            .peers = BUF_INIT(LIMIT_CONF_FILE_MAX),
            .conf = BUF_INIT(LIMIT_CONF_FILE_MAX),
            .owner_pem = BUF_INIT(OWNER_FILE_MAX),
            .dir_fd = -1,
    };
    struct err err = {0};
    int rc = CLI_OK;

    if (!parse_options(&in, argc, argv))
        rc = cli_misuse(cli, "--name and --owner are needed");
    else if (make_zone(&in, cli, &err) < 0)
        rc = cli_fail(&err);
    else
        (void)printf("zone %s is in %s%s\n", in.name, cli->zone_dir,
                in.tpm ? "" : "; its TPM is software (emulated)");
    buf_fini(&in.peers);
    buf_fini(&in.conf);
    buf_fini(&in.owner_pem);
    if (in.dir_fd >= 0)
        (void)close(in.dir_fd);
    return rc;
}
