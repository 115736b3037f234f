/*
 * http_server: one httpd for each configured listener, all serving the same face. gw_new and gw_reload make a whole new
 * set before the old one goes, so that a certificate that cannot be used changes nothing; the sockets are the gateway's
 * (gw_listen_fd).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway.h"
#include "http_face.h"
#include "page.h"
#include "relay_message.h"
#include "who_table.h"

enum { PEM_MAX = 1024 * 1024 };

struct gw_http {
    struct gw_face face;
    struct httpd **listeners;
    unsigned count;
};

static void handle(void *arg, struct httpd_req *req);
static bool open_all(struct gw_http *h, const struct gw_config *config, char *why, size_t why_size);
static size_t max_body(const struct gw_config *config);
static char *read_pem(const struct gw_config *config, const char *name, char *why, size_t why_size);

struct gw_http *gw_http_new(struct gateway *g, char *why, size_t why_size)
{
    struct gw_http *h = mem_calloc(1, sizeof(*h));
    h->face = (struct gw_face){.gateway = g, .events = gw_events_new(g), .page = gw_page_new(g)};
    if (!open_all(h, gw_config(g), why, why_size))
        gw_http_free(&h);
    return h;
}

void gw_http_free(struct gw_http **h)
{
    if (!*h)
        return;
    for (unsigned i = 0; i < (*h)->count; i++)
        httpd_free(&(*h)->listeners[i]);
    gw_page_free(&(*h)->face.page);
    gw_events_free(&(*h)->face.events);
    free((*h)->listeners);
    free(*h);
    *h = NULL;
}

void gw_http_policy_changed(struct gw_http *h)
{
    if (h)
        gw_events_policy_changed(h->face.events);
}

size_t gw_http_subscribers(const struct gw_http *h)
{
    return h ? gw_events_count(h->face.events) : 0;
}

size_t gw_http_watching(const struct gw_http *h, pres_id id)
{
    return h ? gw_events_watching(h->face.events, id) : 0;
}

bool gw_http_watched(const struct gw_http *h, void (*fn)(void *arg, pres_id id), void *arg)
{
    return !h || gw_events_watched(h->face.events, fn, arg);
}

unsigned gw_http_port(const struct gw_http *h, size_t listener)
{
    return h && listener < h->count ? httpd_port(h->listeners[listener]) : 0;
}

static void handle(void *arg, struct httpd_req *req)
{
    gw_http_dispatch(arg, req, NULL);
}

static bool open_all(struct gw_http *h, const struct gw_config *config, char *why, size_t why_size)
{
    const struct gw_config_http *http = &config->http;
    char *cert = NULL, *key = NULL, *clients = NULL;
    bool ok = true;
    if (http->certificate_file) {
        cert = read_pem(config, http->certificate_file, why, why_size);
        key = cert ? read_pem(config, http->key_file, why, why_size) : NULL;
        ok = key;
    }
    if (ok && http->client_ca_file) {
        clients = read_pem(config, http->client_ca_file, why, why_size);
        ok = clients;
    }
    h->listeners = mem_calloc(http->listen_count + 1, sizeof(struct httpd *));
    for (unsigned i = 0; ok && i < http->listen_count; i++) {
        struct httpd_settings settings = {.listen = http->listen[i],
                                          .listen_fd = gw_listen_fd(h->face.gateway, i),
                                          .tls_cert_pem = cert,
                                          .tls_key_pem = key,
                                          .tls_clients_pem = clients,
                                          .tls_ask_client = clients || gw_whos_certificates(config->whos),
                                          .max_connections = http->max_connections,
                                          .max_body = max_body(config),
                                          .require_host = true};
        h->listeners[i] = httpd_new(gw_loop(h->face.gateway), &settings, handle, &h->face, why, why_size);
        if (!h->listeners[i]) {
            ok = false;
            break;
        }
        h->count++;
        log_info("http", "listening on=%s port=%u tls=%s", http->listen[i], httpd_port(h->listeners[i]),
                 cert ? "yes" : "no");
    }
    if (key)
        mem_wipe(key, strlen(key));
    free(cert);
    free(key);
    free(clients);
    return ok;
}

/* Where an exporter PUTs, messages are longer than questions. */
static size_t max_body(const struct gw_config *config)
{
    for (unsigned i = 0; i < config->servers_count; i++)
        if (config->servers[i].kind == GW_KIND_RELAY)
            return GW_RELAY_MESSAGE_MAX;
    return 0;
}

/* A relative path is below the configuration file's folder. */
static char *read_pem(const struct gw_config *config, const char *name, char *why, size_t why_size)
{
    char *path = name[0] == '/' ? mem_strdup(name) : mem_printf("%s/%s", config->folder, name);
    FILE *file = fopen(path, "re");
    struct buf b;
    buf_init(&b, PEM_MAX);
    char piece[4096];
    for (size_t n; file && (n = fread(piece, 1, sizeof(piece), file)) > 0;)
        buf_add(&b, piece, n);
    mem_wipe(piece, sizeof(piece));
    bool ok = file && !ferror(file) && !b.failed && strstr(b.data, "-----BEGIN ");
    if (!ok)
        snprintf(why, why_size, "publish.http: %s is not a readable PEM file", path);
    if (file)
        fclose(file);
    free(path);
    char *text = ok ? buf_take(&b) : NULL;
    buf_wipe(&b);
    return text;
}
