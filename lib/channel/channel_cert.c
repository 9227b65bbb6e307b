/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_cert.h"

#include <stdlib.h>

#define EKU_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define EKU_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"

int channel_cert_pins_init(
        struct channel_cert_pins *p, const struct channel_conf *conf)
{
    struct span own = span_str(conf->zone);

    *p = (struct channel_cert_pins){.n_zones = 0};
    if (!text_is_name(own, LIMIT_ZONE_NAME_MAX))
        return ERR_USAGE;
    memcpy(p->own, conf->zone, own.len + 1);
    p->zones = calloc(conf->n_zones ? conf->n_zones : 1, sizeof(*p->zones));
    if (p->zones == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < conf->n_zones; i++) {
        const struct channel_zone *from = &conf->zones[i];
        uint8_t spki[CRYPTO_SPKI_MAX];
        size_t len;
        int rc = crypto_pub_spki(from->identity, spki, sizeof(spki), &len);
        if (rc != 0)
            return rc;
        struct crypto_pub *pub = crypto_pub_from_spki(SPAN(spki, len));
        if (pub == NULL)
            return ERR_CRYPTO;
        memcpy(p->zones[i].name, from->name, sizeof(from->name));
        p->zones[i].identity = pub;
        p->n_zones++;
    }
    return 0;
}

void channel_cert_pins_fini(struct channel_cert_pins *p)
{
    for (size_t i = 0; i < p->n_zones; i++)
        crypto_pub_free((struct crypto_pub *)(uintptr_t)p->zones[i].identity);
    free(p->zones);
}

/* The one zone of that name; a name that stands for two means nobody. */
static int find_zone(const struct channel_cert_pins *p, const char *name,
        const struct channel_zone **ret, struct err *err)
{
    const struct channel_zone *found = NULL;

    for (size_t i = 0; i < p->n_zones; i++) {
        if (strcmp(p->zones[i].name, name) != 0)
            continue;
        if (found != NULL)
            return err_set(err, ERR_DENIED,
                    "the pack has two zones of the name %s", name);
        found = &p->zones[i];
    }
    if (found == NULL)
        return err_set(err, ERR_DENIED, "zone %s is not in the pack", name);
    *ret = found;
    return 0;
}

/* What holds for own and foreign ones alike. */
static int check(const struct channel_cert_pins *p,
        const struct crypto_cert *cert, const char *name, uint64_t unix_s,
        const struct channel_zone **ret_pin, uint64_t *ret_expires,
        struct err *err)
{
    uint64_t from, until;

    int rc = find_zone(p, name, ret_pin, err);
    if (rc != 0)
        return rc;
    if (crypto_cert_verify(cert, (*ret_pin)->identity) != 0)
        return err_set(err, ERR_MISMATCH,
                "certificate of %s is not from that zone's identity", name);
    if (crypto_cert_validity(cert, &from, &until) != 0)
        return err_set(
                err, ERR_SYNTAX, "certificate of %s has no validity", name);
    if (unix_s < from || unix_s > until)
        return err_set(err, ERR_DENIED, "certificate of %s is %s", name,
                unix_s < from ? "not valid yet (check both clocks)"
                              : "expired");
    if (until - from > CHANNEL_CERT_MAX_S)
        return err_set(err, ERR_LIMIT,
                "certificate of %s is valid for more than a day", name);
    if (!crypto_cert_has_eku(cert, EKU_SERVER_AUTH) ||
            !crypto_cert_has_eku(cert, EKU_CLIENT_AUTH))
        return err_set(err, ERR_DENIED,
                "certificate of %s is not one for channels", name);
    *ret_expires = until;
    return 0;
}

int channel_cert_spki(
        const struct crypto_pub *pub, uint8_t ret[static CRYPTO_SHA384_SIZE])
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len;
    int rc = crypto_pub_spki(pub, spki, sizeof(spki), &len);
    if (rc == 0)
        crypto_hash(CRYPTO_SHA384, SPAN(spki, len), ret);
    return rc;
}

int channel_cert_check_own(const struct channel_cert_pins *p,
        const struct crypto_cert *cert, const struct crypto_pub *own,
        uint64_t unix_s, uint64_t *ret_expires, struct err *err)
{
    char name[LIMIT_ZONE_NAME_MAX + 1];
    const struct channel_zone *pin = NULL;
    CLEANUP(crypto_pub_free_ptr)
    struct crypto_pub *pub = crypto_cert_pub(cert);

    if (pub == NULL || crypto_cert_cn(cert, name, sizeof(name)) != 0)
        return err_set(err, ERR_SYNTAX, "own channel certificate is malformed");
    if (strcmp(name, p->own) != 0 || !crypto_pub_eq(pub, own))
        return err_set(err, ERR_MISMATCH,
                "own channel certificate is for another name or key");
    int rc = check(p, cert, name, unix_s, &pin, ret_expires, err);
    return rc == 0 ? 0 : err_prefix(err, rc, "own channel certificate");
}

int channel_cert_check_peer(const struct channel_cert_pins *p,
        struct span untrusted_der, const char *dialled, uint64_t unix_s,
        struct channel_cert_peer *ret, struct err *err)
{
    struct channel_cert_peer peer = {.pin = NULL};
    CLEANUP(crypto_cert_free_ptr) struct crypto_cert *cert = NULL;
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *pub = NULL;

    cert = crypto_cert_from_der(untrusted_der);
    pub = cert != NULL ? crypto_cert_pub(cert) : NULL;
    if (pub == NULL)
        return err_set(err, ERR_SYNTAX, "certificate is malformed");
    if (crypto_cert_cn(cert, peer.zone, sizeof(peer.zone)) != 0 ||
            !text_is_name(span_str(peer.zone), LIMIT_ZONE_NAME_MAX))
        return err_set(err, ERR_SYNTAX, "certificate names no zone");
    if (strcmp(peer.zone, p->own) == 0)
        return err_set(err, ERR_DENIED,
                "certificate of this zone's own name %s", peer.zone);
    if (dialled != NULL && strcmp(peer.zone, dialled) != 0)
        return err_set(err, ERR_MISMATCH, "zone %s was dialled, %s answered",
                dialled, peer.zone);
    if (crypto_pub_type(pub) != CRYPTO_P256 &&
            crypto_pub_type(pub) != CRYPTO_ED25519)
        return err_set(err, ERR_UNSUPPORTED,
                "channel key of %s is neither P-256 nor Ed25519", peer.zone);
    int rc = check(p, cert, peer.zone, unix_s, &peer.pin, &peer.expires, err);
    if (rc != 0)
        return rc;
    rc = channel_cert_spki(pub, peer.spki);
    if (rc != 0)
        return err_set(err, rc, "channel key of %s", peer.zone);
    *ret = peer;
    return 0;
}
