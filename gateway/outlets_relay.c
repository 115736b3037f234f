/*
 * outlets_relay: how the entries of publish.relays become outlets. See outlets_private.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto_sign.h"
#include "base/mem.h"
#include "base/str.h"
#include "outlets_check.h"
#include "outlets_private.h"
#include "relay_message.h"
#include "relay_out.h"

enum { PAD_MIN = 4096 };

static unsigned count(const struct gw_config *c);
static char *label(const struct gw_config *c, unsigned i);
static bool same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j);
static struct pres_publisher *make(struct gateway *g, struct gw_outlet *o);
static void check_one(struct gw_reading *r, const struct gw_config *c, unsigned i);
static const char *name_wrong(const char *name);
static const char *url_wrong(const char *url);
static const char *key_wrong(const char *path, char *why, size_t why_size);

const struct gw_outlet_kind gw_outlet_relay = {"relay", count, label, same, make};

void gw_outlets_check_relays(struct gw_reading *r, const struct gw_config *c)
{
    for (unsigned i = 0; i < c->relays_count; i++) {
        check_one(r, c, i);
        for (unsigned j = 0; c->relays[i].name && j < i; j++)
            if (gw_same_text(c->relays[i].name, c->relays[j].name)) {
                char key[60];
                snprintf(key, sizeof key, "publish.relays[%u].name", i);
                gw_problem_at(r, "config-duplicate", key, "is the name of the relay in line %u", c->relays[j].line);
            }
    }
}

static void check_one(struct gw_reading *r, const struct gw_config *c, unsigned i)
{
    const struct gw_config_relay *x = &c->relays[i];
    char at[60], key[100], why[300];
    bool plain = x->url && str_starts(x->url, "http://");
    snprintf(at, sizeof at, "publish.relays[%u]", i);
#define KEY(name) (snprintf(key, sizeof key, "%s." name, at), key)
    gw_check_say(r, x->name ? name_wrong(x->name) : NULL, KEY("name"));
    gw_check_say(r, x->stream ? name_wrong(x->stream) : NULL, KEY("stream"));
    gw_check_say(r, x->url ? url_wrong(x->url) : NULL, KEY("url"));
    gw_check_tls(r, at, plain, x->ca_file, x->client_cert_file, x->client_key_file);
    gw_check_say(r, x->pinned_key && !str_starts(x->pinned_key, "sha256//") ? "must begin with sha256//" : NULL,
                 KEY("pinned_key"));
    gw_check_say(r, !x->user != !x->password_file ? "needs user and password_file together" : NULL, at);
    gw_check_say(r, x->user && x->token_file ? "has both a password and a token" : NULL, at);
    gw_check_say(
        r, plain && (x->user || x->token_file) && !strstr(x->url, "://127.") ? "would tell a secret without TLS" : NULL,
        KEY("url"));
    gw_check_say(r, x->pad_bytes && x->pad_bytes < PAD_MIN ? "must be 0 or at least 4096" : NULL, KEY("pad_bytes"));
    gw_check_say(r, x->digest_ms * 2 > c->stale_after_s * 1000
                        ? "is longer than half of presence.stale_after: people would become unknown outside"
                        : NULL,
                 KEY("digest"));
    gw_check_secret(r, KEY("password_file"), x->password_file);
    gw_check_secret(r, KEY("token_file"), x->token_file);
    gw_check_secret(r, KEY("pseudonym_key_file"), x->pseudonym_key_file);
    if (x->sign_key_file) {
        gw_config_check_file(r, x->sign_key_file, KEY("sign_key_file"), true);
        gw_check_say(r, key_wrong(x->sign_key_file, why, sizeof why), KEY("sign_key_file"));
    }
#undef KEY
}

static unsigned count(const struct gw_config *c)
{
    return c->relays_count;
}

static char *label(const struct gw_config *c, unsigned i)
{
    return mem_strdup(c->relays[i].name);
}

static bool same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j)
{
    const struct gw_config_relay *x = &a->relays[i], *y = &b->relays[j];
    return gw_same_text(x->url, y->url) && gw_same_text(x->stream, y->stream) && gw_same_text(x->user, y->user) &&
           gw_same_text(x->password_file, y->password_file) && gw_same_text(x->token_file, y->token_file) &&
           gw_same_text(x->ca_file, y->ca_file) && gw_same_text(x->pinned_key, y->pinned_key) &&
           gw_same_text(x->client_cert_file, y->client_cert_file) &&
           gw_same_text(x->client_key_file, y->client_key_file) &&
           gw_same_text(x->sign_key_file, y->sign_key_file) &&
           gw_same_text(x->pseudonym_key_file, y->pseudonym_key_file) &&
           gw_same_text(x->pseudonym_domain, y->pseudonym_domain) && x->digest_ms == y->digest_ms &&
           x->timeout_ms == y->timeout_ms && x->pad_every_ms == y->pad_every_ms && x->pad_bytes == y->pad_bytes;
}

static struct pres_publisher *make(struct gateway *g, struct gw_outlet *o)
{
    return gw_relay_out_new(g, o->label, &g->config->relays[o->index], gw_outlets_store(g), o->why, sizeof o->why);
}

static const char *name_wrong(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return name[0] && strlen(name) <= GW_RELAY_NAME_MAX && strspn(name, letters) == strlen(name)
               ? NULL
               : "must be of letters, digits, dots, dashes and underscores, at most 64";
}

static const char *url_wrong(const char *url)
{
    size_t scheme = str_starts(url, "https://") ? 8 : str_starts(url, "http://") ? 7 : 0;
    size_t host = scheme ? strcspn(url + scheme, "/?#{") : 0;
    const char *place = strstr(url, "{address}");
    if (!scheme || host == 0 || memchr(url + scheme, '@', host))
        return "must begin with https:// or http:// and a host, without a user";
    if (url[scheme + host] != '/' || strpbrk(url, "?#"))
        return "must have a path, and no query";
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127)
            return "has a character that must be percent-encoded";
    if (place ? strchr(place + 1, '{') != NULL : strchr(url, '{') != NULL || !str_ends(url, "/"))
        return "must have {address} once, or end with a slash";
    return NULL;
}

static const char *key_wrong(const char *path, char *why, size_t why_size)
{
    struct crypto_sign_key *key = crypto_sign_private(path, why, why_size);
    bool good = key != NULL;
    crypto_sign_free(&key);
    return good ? NULL : why;
}
