/* SPDX-License-Identifier: Apache-2.0 */
#include "netd.h"

#include <stdio.h>
#include <stdlib.h>

bool cert_is_pending(const struct netd *d)
{
    return d->new_key != NULL;
}

/* Zones of the pack that may have channels now. */
static size_t copy_zones(const struct netd *d, struct channel_zone *ret)
{
    const struct pack_zone *z = NULL;
    size_t n = d->pack != NULL ? pack_zones(d->pack, &z) : 0, kept = 0;
    uint64_t now = role_now();

    for (size_t i = 0; i < n && kept < LIMIT_ZONES_MAX; i++) {
        if (!pack_zone_valid(&z[i], now))
            continue;
        memcpy(ret[kept].name, z[i].name, sizeof(ret[kept].name));
        ret[kept++].identity = z[i].identity;
    }
    return kept;
}

static struct channel_context *make_context(struct netd *d,
        const struct crypto_key *key, struct span cert, struct err *err)
{
    CLEANUP(buf_free_ptr)
    struct channel_zone *zones = calloc(LIMIT_ZONES_MAX, sizeof(*zones));

    if (zones == NULL) {
        (void)err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    struct channel_conf conf = {
            .zone = role_zone(d->role),
            .zones = zones,
            .n_zones = copy_zones(d, zones),
            .key = key,
            .cert = cert,
            .reattest_s = d->conf->reattest_s,
    };
    return channel_context_new(&conf, role_now(), err);
}

int cert_rebuild(struct netd *d, struct err *err)
{
    if (d->context == NULL)
        return 0; /* made with the next certificate */
    if (d->pack == NULL) {
        channel_context_unref(d->context);
        d->context = NULL;
        return 0;
    }
    struct channel_context *c =
            make_context(d, d->key, buf_span(&d->cert), err);
    /* The former one has the former pack's pins: it must not stay. */
    channel_context_unref(d->context);
    d->context = c;
    return c != NULL ? 0 : err_prefix(err, ERR_CRYPTO, "channel context");
}

static void refused(struct netd *d, struct span where, struct span reason)
{
    netd_text(d->cert_where, sizeof(d->cert_where), where);
    netd_text(d->cert_reason, sizeof(d->cert_reason), reason);
    role_log(d->role, "no channel certificate: %s: %s", d->cert_where,
            d->cert_reason);
    d->cert_retry_ms = netd_now().mono_ms + NETD_CERT_RETRY_MS;
    /* An old certificate that still holds stays in use until it ends. */
    if (d->context != NULL)
        return;
    listen_unpark(d, false);
    dial_refused(d);
}

void cert_on_fallen(struct role *r, const struct role_msg *m)
{
    const struct msg_refused *why = m->body;
    struct netd *d = role_user(r);

    channel_context_unref(d->context);
    d->context = NULL;
    crypto_key_free(TAKE_PTR(d->key));
    refused(d, why->where, why->reason);
    conn_end_all(d, d->cert_where, d->cert_reason);
}

static int take(struct netd *d, struct span der, struct err *err)
{
    CLEANUP(crypto_cert_free_ptr)
    struct crypto_cert *cert = crypto_cert_from_der(der);
    uint64_t from, until, now = role_now();

    if (cert == NULL || crypto_cert_validity(cert, &from, &until) != 0)
        return err_set(err, ERR_SYNTAX, "certificate of keyd is malformed");
    struct channel_context *c = make_context(d, d->new_key, der, err);
    if (c == NULL)
        return ERR_CRYPTO;
    channel_context_unref(d->context);
    d->context = c;
    crypto_key_free(d->key);
    d->key = TAKE_PTR(d->new_key);
    buf_reset(&d->cert);
    buf_append(&d->cert, der);
    /* Three quarters of what is left. */
    d->cert_renew_s = now + (until - now) / 4 * 3;
    d->cert_until_s = until;
    d->cert_where[0] = d->cert_reason[0] = '\0';
    return buf_ok(&d->cert, err);
}

static void on_cert(struct role *r, const struct role_msg *m, void *user)
{
    struct netd *d = role_user(r);
    struct err err = {0};
    (void)user;

    if (m->type == MSG_REFUSED) {
        const struct msg_refused *why = m->body;
        crypto_key_free(TAKE_PTR(d->new_key));
        refused(d, why->where, why->reason);
        return;
    }
    const struct msg_blob *blob = m->body;
    int rc = take(d, blob->bytes, &err);
    crypto_key_free(TAKE_PTR(d->new_key));
    if (rc != 0) {
        refused(d, span_str("netd"), span_str(err.msg));
        return;
    }
    role_log(r, "channel certificate taken");
    listen_unpark(d, true);
    dial_tick(d);
}

static void ask(struct netd *d)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len;

    d->new_key = crypto_key_generate(CRYPTO_P256);
    if (d->new_key == NULL || crypto_pub_spki(crypto_key_pub(d->new_key), spki,
                                      sizeof(spki), &len) != 0)
        role_fatal(d->role, "channel key");
    struct msg_blob blob = {.bytes = SPAN(spki, len)};
    role_request(d->role, &(struct role_request){.to = MSG_ROLE_KEYD,
                                  .type = MSG_CHANNEL_CERT,
                                  .msg = &blob,
                                  .expect = MSG_BLOB,
                                  .done = on_cert});
}

bool cert_ready(struct netd *d)
{
    uint64_t now = role_now();

    if (d->context != NULL && now < d->cert_renew_s)
        return true;
    if (d->context != NULL && now >= d->cert_until_s) {
        channel_context_unref(d->context);
        d->context = NULL;
    }
    if (!cert_is_pending(d) && netd_now().mono_ms >= d->cert_retry_ms)
        ask(d);
    return d->context != NULL;
}

void cert_tick(struct netd *d)
{
    /* Renewed before it ends, whether or not a call needs it. */
    if (d->context != NULL)
        (void)cert_ready(d);
}
