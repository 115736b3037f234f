/*
 * discover: from a domain to its calendar server (RFC 6764): where the account's url is a bare host name, the name
 * servers are asked for _caldavs._tcp (and then _caldav._tcp), and for the path that may stand beside it. The session
 * begins its probing with this; from then on it has an ordinary URL. A domain without such records is taken for the
 * server itself, whose /.well-known/caldav says the rest (caldav_find.c).
 *
 * Whoever answers for a domain's DNS could send us, and the password, anywhere: a host that is neither the domain
 * itself, nor below it, nor among the account's allowed_hosts is not gone to.
 */
#include "discover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/srv.h"
#include "base/str.h"
#include "redirect.h"

static const char *const services[] = {"_caldavs._tcp.", "_caldav._tcp."}; /* over TLS, in clear text */
#define SERVICES (sizeof(services) / sizeof(services[0]))

struct dav_discover {
    struct loop *loop;
    const struct dav_discover_setup *setup;
    dav_discover_fn *fn;
    void *arg;
    struct srv *srv;
    size_t service;
    char host[SRV_NAME_MAX];
    unsigned port;
};

static void ask_hosts(struct dav_discover *d);
static void on_hosts(void *arg, const struct srv_answer *answer);
static bool choose(struct dav_discover *d, const struct srv_answer *answer);
static bool is_ours(const struct dav_discover *d, const char *host, unsigned port);
static void on_text(void *arg, const struct srv_answer *answer);
static void found(struct dav_discover *d, const char *path);
static void tell(struct dav_discover *d, const char *url, const char *code, const char *evidence);
static void discover_free(void *obj);

bool dav_discover_is_domain(const char *url)
{
    size_t len = strlen(url);

    if (len == 0 || len > 253 || url[0] == '.' || url[0] == '-')
        return false;
    for (const char *at = url; *at != '\0'; at++)
        if ((*at < 'a' || *at > 'z') && (*at < 'A' || *at > 'Z') && (*at < '0' || *at > '9') && *at != '.' &&
            *at != '-')
            return false;
    return true;
}

struct dav_discover *dav_discover_start(struct loop *loop, const struct dav_discover_setup *setup, dav_discover_fn *fn,
                                        void *arg)
{
    struct dav_discover *d = mem_calloc(1, sizeof(*d));

    d->loop = loop;
    d->setup = setup;
    d->fn = fn;
    d->arg = arg;
    ask_hosts(d);
    return d;
}

void dav_discover_cancel(struct dav_discover **dp)
{
    struct dav_discover *d = *dp;

    *dp = NULL;
    if (d == NULL)
        return;
    srv_cancel(&d->srv);
    loop_reap(d->loop, discover_free, d);
}

static void ask_hosts(struct dav_discover *d)
{
    char name[SRV_NAME_MAX + 32];

    snprintf(name, sizeof(name), "%s%s", services[d->service], d->setup->domain);
    d->srv = srv_find(d->loop, name, d->setup->server, on_hosts, d);
}

static void on_hosts(void *arg, const struct srv_answer *answer)
{
    struct dav_discover *d = arg;
    char text[400];

    d->srv = NULL;
    if (answer->result == SRV_LATE) {
        snprintf(text, sizeof(text), "%s%.120s: no name server answers", services[d->service], d->setup->domain);
        tell(d, NULL, "dns-timeout", text);
    } else if (answer->result == SRV_NONE && ++d->service < SERVICES) {
        ask_hosts(d);
    } else if (answer->result == SRV_NONE) {
        d->service = 0;
        snprintf(d->host, sizeof(d->host), "%s", d->setup->domain);
        d->port = 443;
        found(d, "/");
    } else if (choose(d, answer)) {
        snprintf(text, sizeof(text), "%s%s", services[d->service], d->setup->domain);
        d->srv = srv_find_text(d->loop, text, d->setup->server, on_text, d);
    } else {
        snprintf(text, sizeof(text), "%s%.120s is served by %.120s, which is not in allowed_hosts",
                 services[d->service], d->setup->domain, answer->hosts[0].host);
        tell(d, NULL, "redirect-foreign", text);
    }
}

/* The first one that may be gone to; with each attempt that failed the next one. */
static bool choose(struct dav_discover *d, const struct srv_answer *answer)
{
    size_t ours = 0, wanted;

    for (size_t i = 0; i < answer->count; i++)
        ours += is_ours(d, answer->hosts[i].host, answer->hosts[i].port);
    if (ours == 0)
        return false;
    wanted = d->setup->attempt % ours;
    for (size_t i = 0; i < answer->count; i++) {
        if (!is_ours(d, answer->hosts[i].host, answer->hosts[i].port) || wanted-- > 0)
            continue;
        snprintf(d->host, sizeof(d->host), "%s", answer->hosts[i].host);
        d->port = answer->hosts[i].port;
        return true;
    }
    return false;
}

static bool is_ours(const struct dav_discover *d, const char *host, unsigned port)
{
    size_t len = strlen(host), domain = strlen(d->setup->domain);
    struct dav_redirect_rules rules = {.allowed_hosts = d->setup->allowed_hosts};
    struct buf url, home;
    struct dav_url to;
    bool allowed;

    if (len >= domain && strcasecmp(host + len - domain, d->setup->domain) == 0 &&
        (len == domain || host[len - domain - 1] == '.'))
        return true;
    buf_init(&url, 2 * SRV_NAME_MAX);
    buf_init(&home, 2 * SRV_NAME_MAX);
    buf_addf(&url, "%s://%s:%u/", d->service == 0 ? "https" : "http", host, port);
    buf_addf(&home, "%s://%s/", d->service == 0 ? "https" : "http", d->setup->domain);
    rules.home = home.data;
    allowed = dav_url_parse(url.data, &to) && dav_redirect_host_allowed(&rules, &to);
    buf_free(&url);
    buf_free(&home);
    return allowed;
}

/* The path is a help: without it the well-known one is tried. */
static void on_text(void *arg, const struct srv_answer *answer)
{
    struct dav_discover *d = arg;
    const char *line = answer->result == SRV_FOUND ? answer->text : "";
    char path[SRV_NAME_MAX] = "/";

    d->srv = NULL;
    for (; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t len = strcspn(line, "\n");

        if (!str_starts_nocase(line, "path=/") || len - 5 >= sizeof(path))
            continue;
        snprintf(path, sizeof(path), "%.*s", (int)(len - 5), line + 5);
        break;
    }
    found(d, path);
}

static void found(struct dav_discover *d, const char *path)
{
    bool tls = d->service == 0;
    struct buf url;

    buf_init(&url, 4 * SRV_NAME_MAX);
    buf_addf(&url, "%s://%s", tls ? "https" : "http", d->host);
    if (d->port != (tls ? 443U : 80U))
        buf_addf(&url, ":%u", d->port);
    dav_url_add_path(&url, path, strlen(path));
    tell(d, url.data, NULL, NULL);
    buf_free(&url);
}

static void tell(struct dav_discover *d, const char *url, const char *code, const char *evidence)
{
    dav_discover_fn *fn = d->fn;
    void *arg = d->arg;

    loop_reap(d->loop, discover_free, d);
    fn(arg, url, code, evidence);
}

static void discover_free(void *obj)
{
    free(obj);
}
