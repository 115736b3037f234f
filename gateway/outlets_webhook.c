/*
 * outlets_webhook: how the entries of publish.webhooks become outlets. See outlets_private.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "outlets_check.h"
#include "outlets_private.h"
#include "presence/pub_template.h"
#include "presence/pub_webhook.h"

enum { NAME_LEN_MAX = 64 };

static unsigned count(const struct gw_config *c);
static char *label(const struct gw_config *c, unsigned i);
static bool same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j);
static struct pres_publisher *make(struct gateway *g, struct gw_outlet *o);
static bool read_secrets(void *arg, struct secret **ret_sign, struct secret **ret_token, char *why, size_t why_size);
static void check_one(struct gw_reading *r, const struct gw_config *c, unsigned i);
static const char *name_wrong(const char *name);
static const char *header_wrong(const char *header);
static const char *const *texts(char *const *list);

const struct gw_outlet_kind gw_outlet_webhook = {"webhook", count, label, same, make};

void gw_outlets_check_webhooks(struct gw_reading *r, const struct gw_config *c)
{
    for (unsigned i = 0; i < c->webhooks_count; i++) {
        char *name = label(c, i);
        check_one(r, c, i);
        for (unsigned j = 0; j < i; j++) {
            char *other = label(c, j), key[60];
            snprintf(key, sizeof key, "publish.webhooks[%u]", i);
            if (strcmp(name, other) == 0)
                gw_problem_at(r, "config-duplicate", key, "has the name of the hook in line %u", c->webhooks[j].line);
            free(other);
        }
        free(name);
    }
}

static void check_one(struct gw_reading *r, const struct gw_config *c, unsigned i)
{
    const struct gw_config_webhook *w = &c->webhooks[i];
    char at[60], key[100];
    bool ready = w->ready && pres_webhook_ready(w->ready);
    snprintf(at, sizeof at, "publish.webhooks[%u]", i);
#define KEY(name) (snprintf(key, sizeof key, "%s." name, at), key)
    gw_check_say(r, w->name ? name_wrong(w->name) : NULL, KEY("name"));
    gw_check_say(r, w->url ? pres_webhook_url_wrong(w->url) : NULL, KEY("url"));
    gw_check_say(r, ready && !w->token_file ? "needs token_file with this template" : NULL, KEY("template"));
    gw_check_say(r, w->body ? pres_template_wrong(w->body) : NULL, KEY("body"));
    gw_check_say(r, w->id ? (ready ? pres_template_wrong(w->id) : "is for ready-made templates") : NULL, KEY("id"));
    bool batched = !ready && !w->body;
    gw_check_say(r, batched && w->url && strchr(w->url, '{') ? "needs body: a batch is of many people" : NULL,
                 KEY("url"));
    for (unsigned k = 0; k < w->headers_count; k++) {
        snprintf(key, sizeof key, "%s.headers[%u]", at, k);
        gw_check_say(r, header_wrong(w->headers[k]), key);
    }
    for (unsigned k = 0; k < w->persons_count; k++) {
        snprintf(key, sizeof key, "%s.persons[%u]", at, k);
        gw_check_say(r, gw_address_wrong(w->persons[k]), key);
    }
    bool plain = w->url && str_starts(w->url, "http://");
    gw_check_tls(r, at, plain, w->ca_file, w->client_cert_file, w->client_key_file);
    gw_check_words(r, at, w->text, w->zone);
    gw_check_secret(r, KEY("secret_file"), w->secret_file);
    gw_check_secret(r, KEY("token_file"), w->token_file);
#undef KEY
}

static unsigned count(const struct gw_config *c)
{
    return c->webhooks_count;
}

static char *label(const struct gw_config *c, unsigned i)
{
    return c->webhooks[i].name ? mem_strdup(c->webhooks[i].name) : mem_printf("webhook%u", i + 1);
}

static bool same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j)
{
    const struct gw_config_webhook *x = &a->webhooks[i], *y = &b->webhooks[j];
    if (x->kinds_count != y->kinds_count ||
        (x->kinds_count && memcmp(x->kinds, y->kinds, x->kinds_count * sizeof *x->kinds) != 0))
        return false;
    return gw_same_words(x->show, y->show, GW_KINDS_TOLD) && gw_same_words(x->text, y->text, GW_KINDS_TOLD) &&
           gw_same_text(x->ready, y->ready) && gw_same_text(x->url, y->url) && gw_same_text(x->method, y->method) &&
           gw_same_text(x->secret_file, y->secret_file) && gw_same_text(x->token_file, y->token_file) &&
           gw_same_list(x->headers, x->headers_count, y->headers, y->headers_count) && gw_same_text(x->body, y->body) &&
           gw_same_text(x->content_type, y->content_type) && gw_same_text(x->id, y->id) &&
           gw_same_list(x->persons, x->persons_count, y->persons, y->persons_count) &&
           gw_same_list(x->groups, x->groups_count, y->groups, y->groups_count) && x->batch == y->batch &&
           x->delay_ms == y->delay_ms && x->timeout_ms == y->timeout_ms && x->break_after == y->break_after &&
           x->queue == y->queue && x->allow_inner == y->allow_inner && gw_same_text(x->ca_file, y->ca_file) &&
           gw_same_text(x->client_cert_file, y->client_cert_file) &&
           gw_same_text(x->client_key_file, y->client_key_file) && !(x->rate < y->rate || x->rate > y->rate) &&
           gw_same_text(x->zone, y->zone);
}

static struct pres_publisher *make(struct gateway *g, struct gw_outlet *o)
{
    const struct gw_config_webhook *w = &g->config->webhooks[o->index];
    struct pres_publisher_settings publisher = {
        .name = o->label, .viewer = &o->viewer, .rate = w->rate, .ceiling = w->queue};
    struct pres_webhook_settings s = {.name = o->label,
                                      .ready = w->ready,
                                      .url = w->url,
                                      .method = w->method,
                                      .secrets = read_secrets,
                                      .secrets_arg = o,
                                      .headers = texts(w->headers),
                                      .header_count = w->headers_count,
                                      .body = w->body,
                                      .content_type = w->content_type,
                                      .id = w->id,
                                      .persons = texts(w->persons),
                                      .person_count = w->persons_count,
                                      .groups = texts(w->groups),
                                      .group_count = w->groups_count,
                                      .batch = w->batch,
                                      .delay_ms = w->delay_ms,
                                      .timeout_ms = w->timeout_ms,
                                      .break_after = w->break_after,
                                      .queue_max = w->queue,
                                      .allow_inner = w->allow_inner,
                                      .ca_file = w->ca_file,
                                      .client_cert_file = w->client_cert_file,
                                      .client_key_file = w->client_key_file,
                                      .zone = w->zone,
                                      .store = gw_outlets_store(g)};
    for (unsigned i = 0; i < w->kinds_count; i++)
        s.kinds |= 1u << w->kinds[i];
    for (unsigned i = 0; i < GW_KINDS_TOLD; i++) {
        s.show[i] = w->show[i];
        s.text[i] = w->text[i];
    }
    return pres_webhook_new(g->loop, g->table, &publisher, &s, o->why, sizeof o->why);
}

/* A changed file needs no reload. */
static bool read_secrets(void *arg, struct secret **ret_sign, struct secret **ret_token, char *why, size_t why_size)
{
    const struct gw_outlet *o = arg;
    const struct gw_config_webhook *w = &o->gateway->config->webhooks[o->index];
    if (w->secret_file && !(*ret_sign = secret_read(w->secret_file, why, why_size)))
        return false;
    if (w->token_file && !(*ret_token = secret_read(w->token_file, why, why_size))) {
        secret_free(ret_sign);
        return false;
    }
    return true;
}

static const char *name_wrong(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    static const char *const taken[] = {"xmpp", "sip", "mqtt", "presence"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcmp(name, taken[i]) == 0)
            return "is the name of another outlet";
    return name[0] && strlen(name) <= NAME_LEN_MAX && strspn(name, letters) == strlen(name)
               ? NULL
               : "must be of letters, digits, dots, dashes and underscores, at most 64";
}

static const char *header_wrong(const char *header)
{
    static const char *const ours[] = {"content-length", "host", "connection", "transfer-encoding", "content-type"};
    size_t len = strspn(header, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    if (len == 0 || header[len] != ':')
        return "is no \"Name: value\"";
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (strlen(ours[i]) == len && strncasecmp(ours[i], header, len) == 0)
            return "is a header that is set already; see content_type";
    for (const char *p = header; *p; p++)
        if ((unsigned char)*p < ' ')
            return "has a control character";
    return pres_template_wrong(header);
}

static const char *const *texts(char *const *list)
{
    return (const char *const *)list;
}
