/*
 * session_host: what a session has in stock: the connections to its hosts, and XML parsers. Every host has a
 * fetch_client of its own, so that nothing of one reaches another; a host gets one only when the redirect rules allow
 * it.
 */
#include "inner.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"

static struct dav_host *add_host(struct dav_session *s, const struct dav_url *url);

bool dav_session_add_home(struct dav_session *s)
{
    struct buf path;
    size_t len;

    if (!dav_url_parse(s->account.url, &s->home))
        return false;
    len = strlen(s->home.path);
    buf_init(&path, DAV_URL_PATH_MAX);
    if (!dav_url_add_path(&path, s->home.path, len)) {
        buf_free(&path);
        return false;
    }
    if (path.len == 0 || path.data[path.len - 1] != '/')
        buf_addc(&path, '/');
    s->base_path = buf_take(&path);
    s->redirects = (struct dav_redirect_rules){.home = s->account.url, .allowed_hosts = s->account.allowed_hosts};
    return add_host(s, &s->home) != NULL;
}

/* While a request is under way the host that it went to stays; then it is moved next time. */
bool dav_session_move_home(struct dav_session *s, const char *url)
{
    if (strcmp(url, s->account.url) == 0)
        return true;
    if (s->flying_count > 0)
        return true;
    for (size_t i = 0; i < s->host_count; i++) {
        fetch_client_free(&s->hosts[i].client);
        dav_ntlm_lanes_free(&s->hosts[i]);
        free(s->hosts[i].origin);
    }
    memset(s->hosts, 0, sizeof(s->hosts));
    s->host_count = 0;
    free(s->base_path);
    s->base_path = NULL;
    free(s->good_url);
    s->good_url = NULL;
    dav_account_move(&s->account, url);
    return dav_session_add_home(s);
}

struct dav_host *dav_session_host(struct dav_session *s, const char *url)
{
    struct dav_url u;

    if (!dav_url_parse(url, &u))
        return NULL;
    for (size_t i = 0; i < s->host_count; i++)
        if (dav_url_same_origin(&s->hosts[i].url, &u))
            return &s->hosts[i];
    return dav_redirect_host_allowed(&s->redirects, &u) ? add_host(s, &u) : NULL;
}

bool dav_session_private_line(const struct dav_url *url)
{
    return url->tls || dav_url_is_loopback(url->host);
}

const struct dav_auth_ops *dav_session_auth(const struct dav_session *s, const struct dav_host *host)
{
    return host->auth ? host->auth : s->auth;
}

/*
 * A host that a redirect led to refuses, and wants another logon than the account's own host: from now on it gets that.
 * False: it has nothing else to offer that we may use. (Its forms are session_abroad.c's business.)
 */
bool dav_session_logon_there(struct dav_session *s, struct dav_host *host, const struct fetch_answer *answer)
{
    dav_auth_set offered = dav_auth_offered(answer->fetch, answer->status) & ~(1U << DAV_SCHEME_FORMS);
    const struct dav_auth_ops *now = dav_session_auth(s, host), *next;
    const char *unused;

    if (host == &s->hosts[0] || !offered || offered & 1U << now->scheme)
        return false;
    next = dav_auth_choose(&s->account, offered, 0, dav_session_private_line(&host->url), &unused);
    if (!next || next == now)
        return false;
    host->auth = next;
    host->offered = offered;
    s->shows_each = s->shows_each || next->scheme == DAV_SCHEME_BASIC;
    return true;
}

struct dav_ms *dav_session_parser(struct dav_session *s, const struct dav_ms_spec *spec)
{
    struct dav_ms_limits limits = {.max_bytes = s->account.max_answer_bytes, .max_rows = s->account.max_rows};
    struct dav_ms *ms;

    for (size_t i = 0; i < DAV_SPARE_PARSERS; i++) {
        if (!s->spare[i] || dav_ms_spec_of(s->spare[i]) != spec)
            continue;
        ms = s->spare[i];
        s->spare[i] = NULL;
        return ms;
    }
    return dav_ms_new(spec, &limits);
}

void dav_session_give_back(struct dav_session *s, struct dav_ms **ms)
{
    for (size_t i = 0; *ms && i < DAV_SPARE_PARSERS; i++) {
        if (!s->spare[i]) {
            s->spare[i] = *ms;
            *ms = NULL;
        }
    }
    dav_ms_free(ms);
}

struct fetch_client *dav_session_client(struct dav_session *s, unsigned connections, int64_t keep_ms)
{
    const struct dav_account *a = &s->account;
    size_t len;
    struct fetch_client_settings settings = {
        .name = a->name,
        .max_connections = connections,
        .keep_ms = keep_ms,
        .ca_file = a->ca_file,
        .pinned_key = a->pinned_key,
        .client_cert_file = a->client_cert_file,
        .client_key_file = a->client_key_file,
        .min_tls = a->min_tls,
        .legacy_ciphers = a->legacy_ciphers,
        .proxy = a->proxy,
        .proxy_user = a->proxy_secret ? a->proxy_user : NULL,
        .proxy_password = a->proxy_user && a->proxy_secret ? secret_bytes(a->proxy_secret, &len) : NULL,
    };

    return fetch_client_new(s->loop, &settings);
}

/* Other settings: nothing is left of the connections there are. */
void dav_session_reconnect(struct dav_session *s)
{
    for (size_t i = 0; i < s->host_count; i++) {
        dav_ntlm_lanes_free(&s->hosts[i]);
        fetch_client_free(&s->hosts[i].client);
        s->hosts[i].client = dav_session_client(s, s->account.max_connections, 0);
    }
}

static struct dav_host *add_host(struct dav_session *s, const struct dav_url *url)
{
    struct dav_host *host;
    struct buf origin;

    if (s->host_count == DAV_HOSTS)
        return NULL;
    buf_init(&origin, DAV_URL_HOST_MAX + 32);
    dav_url_origin(url, &origin);
    host = &s->hosts[s->host_count++];
    host->url = *url;
    host->url.path = "";
    host->origin = buf_take(&origin);
    host->session = s;
    host->client = dav_session_client(s, s->account.max_connections, 0);
    return host;
}
