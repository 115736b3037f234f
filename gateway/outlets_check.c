/*
 * outlets_check: what the table of keys cannot say about outlets, as config_check.c does for the rest. Apart from it
 * because the outlets themselves know what a good name or text is.
 */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/secret.h"
#include "config_private.h"
#include "presence/pub_xmpp.h"

static void check_xmpp(struct gw_reading *r, const struct gw_config_xmpp *x);
static void say(struct gw_reading *r, const char *wrong, const char *key);
static void say_at(struct gw_reading *r, const char *wrong, const char *list, unsigned i);

void gw_outlets_check(struct gw_reading *r, const struct gw_config *c)
{
    check_xmpp(r, &c->xmpp);
}

static void check_xmpp(struct gw_reading *r, const struct gw_config_xmpp *x)
{
    static const char *const kinds[GW_KINDS_TOLD] = {"free", "elsewhere", "tentative", "busy", "oof", "unknown"};
    char host[300], why[300];
    unsigned port;
    if (!x->component && !gw_lines_has(r->lines, "publish.xmpp"))
        return;
    if (!x->component || !x->secret_file) {
        gw_problem_at(r, "config-missing", "publish.xmpp", "%s is missing", x->component ? "secret_file" : "component");
        return;
    }
    say(r, pres_xmpp_jid_valid(x->component) && !strchr(x->component, '@') ? NULL : "is no domain name",
        "publish.xmpp.component");
    say(r, io_parse_server(x->server, host, sizeof host, &port) ? NULL : "is no host:port, such as 127.0.0.1:5347",
        "publish.xmpp.server");
    say(r, x->domain && strpbrk(x->domain, "@ /") ? "is no domain name" : NULL, "publish.xmpp.domain");
    if (x->zone)
        say(r, gw_zone_wrong(x->zone), "publish.xmpp.zone");
    for (unsigned i = 0; i < x->allow_count; i++)
        say_at(r, pres_xmpp_jid_valid(x->allow[i]) ? NULL : "is no domain and no JID", "publish.xmpp.allow", i);
    for (unsigned i = 0; i < x->admins_count; i++)
        say_at(r, pres_xmpp_jid_valid(x->admins[i]) && strchr(x->admins[i], '@') ? NULL : "is no JID",
               "publish.xmpp.admins", i);
    for (unsigned i = 0; i < GW_KINDS_TOLD; i++) {
        char key[60];
        snprintf(key, sizeof key, "publish.xmpp.text.%s", kinds[i]);
        bool good = !x->text[i] || pres_xmpp_text_valid(x->text[i]);
        say(r, good ? NULL : "may hold {until} and brackets that close, and is of at most 100 bytes", key);
    }
    if (x->ca_file)
        gw_config_check_file(r, x->ca_file, "publish.xmpp.ca_file", false);
    struct secret *secret = secret_read(x->secret_file, why, sizeof why);
    if (!secret)
        gw_problem_at(r, "config-secret", "publish.xmpp.secret_file", "%s", why);
    secret_free(&secret);
}

/* wrong NULL: nothing is. */
static void say(struct gw_reading *r, const char *wrong, const char *key)
{
    if (wrong)
        gw_problem_at(r, "config-value", key, "%s", wrong);
}

static void say_at(struct gw_reading *r, const char *wrong, const char *list, unsigned i)
{
    char key[100];
    snprintf(key, sizeof key, "%s[%u]", list, i);
    say(r, wrong, key);
}
