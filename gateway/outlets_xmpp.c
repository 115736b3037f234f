/*
 * outlets_xmpp: how publish.xmpp becomes the outlet to an XMPP server. See outlets_private.h.
 */
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/tls.h"
#include "outlets_private.h"
#include "presence/pub_xmpp.h"

static unsigned count(const struct gw_config *c);
static char *label(const struct gw_config *c, unsigned i);
static bool same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j);
static struct pres_publisher *make(struct gateway *g, struct gw_outlet *o);
static struct secret *read_secret(void *arg, char *why, size_t why_size);

const struct gw_outlet_kind gw_outlet_xmpp = {"xmpp", count, label, same, make};

static unsigned count(const struct gw_config *c)
{
    return c->xmpp.component != NULL;
}

static char *label(const struct gw_config *c, unsigned i)
{
    (void)c, (void)i;
    return mem_strdup("xmpp");
}

static bool same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j)
{
    const struct gw_config_xmpp *x = &a->xmpp, *y = &b->xmpp;
    (void)i, (void)j;
    return gw_same_words(x->show, y->show, GW_KINDS_SHOWN) && gw_same_words(x->text, y->text, GW_KINDS_TOLD) &&
           gw_same_text(x->component, y->component) && gw_same_text(x->server, y->server) &&
           gw_same_text(x->secret_file, y->secret_file) && x->tls == y->tls && gw_same_text(x->ca_file, y->ca_file) &&
           gw_same_text(x->domain, y->domain) && gw_same_text(x->zone, y->zone) &&
           !(x->rate < y->rate || x->rate > y->rate) && x->max_watchers == y->max_watchers &&
           x->own_account == y->own_account &&
           gw_same_list(x->allow, x->allow_count, y->allow, y->allow_count) &&
           gw_same_list(x->admins, x->admins_count, y->admins, y->admins_count);
}

static struct pres_publisher *make(struct gateway *g, struct gw_outlet *o)
{
    _Static_assert((int)GW_KINDS_TOLD == PRES_KINDS && (int)GW_KINDS_SHOWN == PRES_UNKNOWN, "a word for each kind");
    const struct gw_config_xmpp *x = &g->config->xmpp;
    char host[300];
    struct pres_publisher_settings publisher = {.name = o->label, .viewer = &o->viewer, .rate = x->rate};
    struct pres_xmpp_settings s = {.component = x->component,
                                   .host = host,
                                   .secret = read_secret,
                                   .secret_arg = g,
                                   .domain = x->domain,
                                   .allow = (const char *const *)x->allow,
                                   .allow_count = x->allow_count,
                                   .admins = (const char *const *)x->admins,
                                   .admin_count = x->admins_count,
                                   .zone = x->zone,
                                   .max_watchers = x->max_watchers,
                                   .store = gw_outlets_store(g),
                                   .own_account = x->own_account == GW_OWN_RESOURCE && !g->alone,
                                   .own_activity = x->own_account == GW_OWN_ACTIVITY && !g->alone,
                                   .quiet = g->alone};
    const char *parent = strchr(x->component, '.');
    const char *const below[] = {parent ? parent + 1 : NULL};
    if (!x->allow_count && parent) { /* without a word, the domain that the component is below */
        s.allow = below;
        s.allow_count = 1;
    }
    for (unsigned i = 0; i < GW_KINDS_TOLD; i++) {
        s.show[i] = i < GW_KINDS_SHOWN && strcmp(x->show[i], "none") != 0 ? x->show[i] : "";
        s.text[i] = x->text[i];
    }
    io_parse_server(x->server, host, sizeof host, &s.port); /* checked with the file */
    struct tls_settings tls = {.ca_file = x->ca_file};
    if (x->tls && !(o->tls = tls_client_new(&tls, o->why, sizeof o->why)))
        return NULL;
    s.tls = o->tls;
    return pres_xmpp_new(g->loop, g->table, &publisher, &s, o->why, sizeof o->why);
}

/* Anew for each connection: a changed secret needs no reload. */
static struct secret *read_secret(void *arg, char *why, size_t why_size)
{
    struct gateway *g = arg;
    return secret_read(g->config->xmpp.secret_file, why, why_size);
}
