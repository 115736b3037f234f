/*
 * outlets_check: what the table of keys cannot say about outlets, as config_check.c does for the rest. Apart from it
 * because the outlets themselves know what a good name or text is.
 */
#include "outlets_check.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/secret.h"
#include "base/tls.h"
#include "presence/pub_xmpp.h"

static void check_xmpp(struct gw_reading *r, const struct gw_config_xmpp *x);

void gw_outlets_check(struct gw_reading *r, const struct gw_config *c)
{
    check_xmpp(r, &c->xmpp);
    gw_outlets_check_mqtt(r, &c->mqtt);
    gw_outlets_check_sip(r, &c->sip);
    gw_outlets_check_webhooks(r, c);
    gw_outlets_check_relays(r, c);
}

void gw_check_say(struct gw_reading *r, const char *wrong, const char *key)
{
    if (wrong)
        gw_problem_at(r, "config-value", key, "%s", wrong);
}

void gw_check_say_at(struct gw_reading *r, const char *wrong, const char *list, unsigned i)
{
    char key[100];
    snprintf(key, sizeof key, "%s[%u]", list, i);
    gw_check_say(r, wrong, key);
}

void gw_check_words(struct gw_reading *r, const char *outlet, char *const texts[GW_KINDS_TOLD], const char *zone)
{
    static const char *const kinds[GW_KINDS_TOLD] = {"free", "elsewhere", "tentative", "busy", "oof", "unknown"};
    char key[100];
    for (unsigned i = 0; i < GW_KINDS_TOLD; i++) {
        bool good = !texts[i] || pres_xmpp_text_valid(texts[i]);
        snprintf(key, sizeof key, "%s.text.%s", outlet, kinds[i]);
        gw_check_say(r, good ? NULL : "may hold {until} and brackets that close, and is of at most 100 bytes", key);
    }
    snprintf(key, sizeof key, "%s.zone", outlet);
    gw_check_say(r, zone ? gw_zone_wrong(zone) : NULL, key);
}

void gw_check_tls(struct gw_reading *r, const char *outlet, bool plain, const char *ca_file, const char *cert_file,
                  const char *key_file)
{
    unsigned before = r->problems;
    const char *const paths[] = {ca_file, cert_file, key_file};
    static const char *const names[] = {"ca_file", "client_cert_file", "client_key_file"};
    char key[100];
    for (unsigned i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "%s.%s", outlet, names[i]);
        if (paths[i] && plain)
            gw_check_say(r, "is of no use without TLS", key);
        else if (paths[i])
            gw_config_check_file(r, paths[i], key, i == 2);
    }
    if (!cert_file != !key_file)
        gw_check_say(r, "needs client_cert_file and client_key_file together", outlet);
    snprintf(key, sizeof key, "%s.ca_file", outlet);
    if (r->problems == before && ca_file)
        gw_check_say(r, tls_files_wrong(ca_file, NULL), key);
    snprintf(key, sizeof key, "%s.client_cert_file", outlet);
    if (r->problems == before && cert_file)
        gw_check_say(r, tls_files_wrong(cert_file, key_file), key);
}

void gw_check_secret(struct gw_reading *r, const char *key, const char *path)
{
    char why[300];
    struct secret *secret = path ? secret_read(path, why, sizeof why) : NULL;
    if (path && !secret)
        gw_problem_at(r, "config-secret", key, "%s", why);
    secret_free(&secret);
}

static void check_xmpp(struct gw_reading *r, const struct gw_config_xmpp *x)
{
    char host[300];
    unsigned port;
    if (!x->component && !gw_lines_has(r->lines, "publish.xmpp"))
        return;
    if (!x->component || !x->secret_file) {
        gw_problem_at(r, "config-missing", "publish.xmpp", "%s is missing", x->component ? "secret_file" : "component");
        return;
    }
    gw_check_say(r, pres_xmpp_jid_valid(x->component) && !strchr(x->component, '@') ? NULL : "is no domain name",
                 "publish.xmpp.component");
    gw_check_say(
        r, io_parse_server(x->server, host, sizeof host, &port) ? NULL : "is no host:port, such as 127.0.0.1:5347",
        "publish.xmpp.server");
    gw_check_say(r, x->domain && strpbrk(x->domain, "@ /") ? "is no domain name" : NULL, "publish.xmpp.domain");
    for (unsigned i = 0; i < x->allow_count; i++)
        gw_check_say_at(r, pres_xmpp_jid_valid(x->allow[i]) ? NULL : "is no domain and no JID", "publish.xmpp.allow",
                        i);
    for (unsigned i = 0; i < x->admins_count; i++)
        gw_check_say_at(r, pres_xmpp_jid_valid(x->admins[i]) && strchr(x->admins[i], '@') ? NULL : "is no JID",
                        "publish.xmpp.admins", i);
    gw_check_words(r, "publish.xmpp", x->text, x->zone);
    if (x->ca_file)
        gw_config_check_file(r, x->ca_file, "publish.xmpp.ca_file", false);
    gw_check_secret(r, "publish.xmpp.secret_file", x->secret_file);
}
