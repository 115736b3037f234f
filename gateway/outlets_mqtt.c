/*
 * outlets_mqtt: how publish.mqtt becomes the outlet to a broker. See outlets_private.h.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/tls.h"
#include "outlets_check.h"
#include "outlets_private.h"
#include "presence/pub_mqtt.h"
#include "presence/pub_template.h"
#include "presence/pub_xmpp.h"

static unsigned count(const struct gw_config *c);
static char *label(const struct gw_config *c, unsigned i);
static bool same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j);
static struct pres_publisher *make(struct gateway *g, struct gw_outlet *o);
static bool read_password(void *arg, struct secret **ret, char *why, size_t why_size);

const struct gw_outlet_kind gw_outlet_mqtt = {"mqtt", count, label, same, make};

void gw_outlets_check_mqtt(struct gw_reading *r, const struct gw_config_mqtt *m)
{
    char host[300];
    unsigned port;
    bool tls = false;
    if (!m->server) {
        if (gw_lines_has(r->lines, "publish.mqtt"))
            gw_problem_at(r, "config-missing", "publish.mqtt", "server is missing");
        return;
    }
    bool good = pres_mqtt_server_parse(m->server, host, sizeof host, &port, &tls);
    gw_check_say(r, good ? NULL : "is no mqtts://host or mqtt://host, with or without a port", "publish.mqtt.server");
    gw_check_say(r, pres_mqtt_topic_wrong(m->topic, true), "publish.mqtt.topic");
    gw_check_say(r, pres_mqtt_topic_wrong(m->status_topic, false), "publish.mqtt.status_topic");
    gw_check_say(r, m->client_id[0] && strlen(m->client_id) <= 200 ? NULL : "is empty or too long",
                 "publish.mqtt.client_id");
    if (m->payload)
        gw_check_say(r, pres_template_wrong(m->payload), "publish.mqtt.payload");
    gw_check_say(r, m->password_file && !m->user ? "needs user" : NULL, "publish.mqtt.password_file");
    gw_check_tls(r, "publish.mqtt", good && !tls, m->ca_file, m->client_cert_file, m->client_key_file);
    gw_check_words(r, "publish.mqtt", m->text, m->zone);
    gw_check_secret(r, "publish.mqtt.password_file", m->password_file);
}

static unsigned count(const struct gw_config *c)
{
    return c->mqtt.server != NULL;
}

static char *label(const struct gw_config *c, unsigned i)
{
    (void)c, (void)i;
    return mem_strdup("mqtt");
}

static bool same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j)
{
    const struct gw_config_mqtt *x = &a->mqtt, *y = &b->mqtt;
    (void)i, (void)j;
    return gw_same_words(x->show, y->show, GW_KINDS_TOLD) && gw_same_words(x->text, y->text, GW_KINDS_TOLD) &&
           gw_same_text(x->server, y->server) && gw_same_text(x->topic, y->topic) &&
           gw_same_text(x->status_topic, y->status_topic) && gw_same_text(x->user, y->user) &&
           gw_same_text(x->password_file, y->password_file) && gw_same_text(x->ca_file, y->ca_file) &&
           gw_same_text(x->client_cert_file, y->client_cert_file) &&
           gw_same_text(x->client_key_file, y->client_key_file) && gw_same_text(x->client_id, y->client_id) &&
           x->protocol == y->protocol && gw_same_text(x->payload, y->payload) &&
           gw_same_text(x->content_type, y->content_type) && gw_same_text(x->zone, y->zone) &&
           !(x->rate < y->rate || x->rate > y->rate) && x->inflight == y->inflight;
}

static struct pres_publisher *make(struct gateway *g, struct gw_outlet *o)
{
    _Static_assert((int)GW_KINDS_TOLD == PRES_KINDS, "a word for each kind");
    const struct gw_config_mqtt *m = &g->config->mqtt;
    char host[300];
    bool tls = false;
    struct pres_publisher_settings publisher = {.name = o->label, .viewer = &o->viewer, .rate = m->rate};
    struct pres_mqtt_settings s = {.host = host,
                                   .client_id = m->client_id,
                                   .user = m->user,
                                   .password = m->password_file ? read_password : NULL,
                                   .password_arg = g,
                                   .version = (enum pres_mqtt_version)m->protocol,
                                   .topic = m->topic,
                                   .status_topic = m->status_topic,
                                   .payload = m->payload,
                                   .content_type = m->content_type,
                                   .zone = m->zone,
                                   .inflight = m->inflight,
                                   .store = gw_outlets_store(g)};
    for (unsigned i = 0; i < GW_KINDS_TOLD; i++) {
        s.show[i] = m->show[i];
        s.text[i] = m->text[i];
    }
    pres_mqtt_server_parse(m->server, host, sizeof host, &s.port, &tls); /* checked with the file */
    const struct tls_settings ts = {
        .ca_file = m->ca_file, .client_cert_file = m->client_cert_file, .client_key_file = m->client_key_file};
    if (tls && !(o->tls = tls_client_new(&ts, o->why, sizeof o->why)))
        return NULL;
    s.tls = o->tls;
    return pres_mqtt_new(g->loop, g->table, &publisher, &s, o->why, sizeof o->why);
}

/* Anew for each connection: a changed password needs no reload. */
static bool read_password(void *arg, struct secret **ret, char *why, size_t why_size)
{
    const struct gateway *g = arg;
    *ret = secret_read(g->config->mqtt.password_file, why, why_size);
    return *ret != NULL;
}
