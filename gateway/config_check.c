/*
 * config_check: what the table of keys cannot say: names that may not stand twice, names that must exist elsewhere in
 * the file, texts with a form of their own, and files that must be there and must be private. Needs no network. Called
 * by config.c with a filled struct; every finding goes to the reading with its line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/tls.h"
#include "config_identity.h"
#include "config_private.h"
#include "marker_check.h"
#include "who_net.h"

enum { ADDRESS_MAX = 320, NAME_MAX_LEN = 64, SERVERS_MAX = 1000 };

static void check_servers(struct gw_reading *r, const struct gw_config *c);
static void check_server(struct gw_reading *r, const struct gw_config_server *s, unsigned i);
static void check_server_files(struct gw_reading *r, const struct gw_config_server *s, unsigned i);
static void check_users(struct gw_reading *r, const struct gw_config *c);
static void check_user(struct gw_reading *r, const struct gw_config *c, unsigned i);
static void check_times(struct gw_reading *r, const struct gw_config *c);
static void check_groups(struct gw_reading *r, const struct gw_config *c);
static void check_http(struct gw_reading *r, const struct gw_config *c);
static void check_proxy(struct gw_reading *r, const struct gw_config_proxy *p, unsigned i);
static void check_http_files(struct gw_reading *r, const struct gw_config_http *http);
static void check_pem(struct gw_reading *r, const char *certificate, const char *private_key, const char *key);
static void check_absolute(struct gw_reading *r, const char *key, const char *path);
static const char *name_wrong(const char *name);
static const char *url_wrong(const char *url);
static bool is_domain(const char *url);
static const char *host_wrong(const char *host);
static const char *template_wrong(const char *path);

/* Says what is wrong with one text under a key that is printed into place. */
#define SAY(r, wrong, ...)                                                                                             \
    do {                                                                                                               \
        const char *phrase = (wrong);                                                                                  \
        if (phrase) {                                                                                                  \
            char *said_key = mem_printf(__VA_ARGS__);                                                                  \
            gw_problem_at(r, "config-value", said_key, "%s", phrase);                                                  \
            free(said_key);                                                                                            \
        }                                                                                                              \
    } while (0)

void gw_config_check(struct gw_reading *r, struct gw_config *c)
{
    check_servers(r, c);
    check_users(r, c);
    check_times(r, c);
    check_groups(r, c);
    check_http(r, c);
    gw_identity_check(r, c);
    gw_outlets_check(r, c);
    gw_policy_check(r, c);
    gw_markers_check(r, c);
    check_absolute(r, "state.directory", c->state_directory);
    check_absolute(r, "audit.file", c->audit.file);
    check_absolute(r, "control.socket", c->control_socket);
    if (strlen(c->control_socket) > 107) /* sun_path */
        gw_problem_at(r, "config-value", "control.socket", "is too long for a Unix socket");
}

const char *gw_address_wrong(const char *address)
{
    const char *at = strrchr(address, '@');
    size_t len = strlen(address);
    if (len > ADDRESS_MAX)
        return "is too long for a mail address";
    if (!str_is_utf8(address, len))
        return "is no UTF-8 text";
    for (const char *p = address; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            return "is no mail address: it has a control character";
    return at && at > address && at[1] ? NULL : "is no mail address: local@domain is expected";
}

const char *gw_zone_wrong(const char *zone)
{
    static const char database[] = "/usr/share/zoneinfo";
    if (strcmp(zone, "UTC") == 0 || access(database, F_OK) != 0)
        return NULL; /* without the database nobody can say more */
    if (zone[0] == '/' || strstr(zone, "..") || strlen(zone) > 100)
        return "is no zone name, such as Europe/Berlin";
    char *path = mem_printf("%s/%s", database, zone);
    struct stat st;
    bool exists = stat(path, &st) == 0 && S_ISREG(st.st_mode);
    free(path);
    return exists ? NULL : "is no zone name that this machine knows, such as Europe/Berlin";
}

bool gw_listen_parse(const char *listen, bool *ret_loopback)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(listen, ':');
    int64_t port;
    struct in_addr v4;
    struct in6_addr v6;
    if (!colon || (size_t)(colon - listen) >= sizeof host || !str_to_int(colon + 1, 0, 65535, &port))
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen);
    size_t len = strlen(host);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &v6) != 1)
            return false;
        *ret_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
        return true;
    }
    if (inet_pton(AF_INET, host, &v4) != 1)
        return false;
    *ret_loopback = ntohl(v4.s_addr) >> 24 == 127;
    return true;
}

static void check_servers(struct gw_reading *r, const struct gw_config *c)
{
    if (c->servers_count == 0)
        gw_problem_at(r, "config-missing", "servers", "at least one is needed");
    if (c->servers_count > SERVERS_MAX)
        gw_problem_at(r, "config-value", "servers", "are more than %d", SERVERS_MAX);
    for (unsigned i = 0; i < c->servers_count && i < SERVERS_MAX; i++) {
        check_server(r, &c->servers[i], i);
        for (unsigned j = 0; c->servers[i].name && j < i; j++)
            if (c->servers[j].name && strcmp(c->servers[i].name, c->servers[j].name) == 0) {
                char *key = mem_printf("servers[%u].name", i);
                gw_problem_at(r, "config-duplicate", key, "is the name of the server in line %u already",
                              c->servers[j].line);
                free(key);
                break;
            }
    }
}

static void check_server(struct gw_reading *r, const struct gw_config_server *s, unsigned i)
{
    if (s->name)
        SAY(r, name_wrong(s->name), "servers[%u].name", i);
    if (s->url && (s->kind != GW_KIND_CALDAV || !is_domain(s->url)))
        SAY(r, url_wrong(s->url), "servers[%u].url", i);
    if (s->proxy)
        SAY(r, str_starts(s->proxy, "http://") ? url_wrong(s->proxy) : "must begin with http://", "servers[%u].proxy",
            i);
    if (s->zone)
        SAY(r, gw_zone_wrong(s->zone), "servers[%u].zone", i);
    for (unsigned k = 0; k < s->allowed_hosts_count; k++)
        SAY(r, host_wrong(s->allowed_hosts[k]), "servers[%u].allowed_hosts[%u]", i, k);
    for (unsigned k = 0; k < s->calendars_count; k++)
        SAY(r, template_wrong(s->calendars[k]), "servers[%u].calendars[%u]", i, k);
    if (s->calendars_count > 0 && s->kind == GW_KIND_EXCHANGE)
        SAY(r, "is for kind caldav and ifb", "servers[%u].calendars", i);
    if (s->tls.pinned_key && !str_starts(s->tls.pinned_key, "sha256//"))
        SAY(r, "must begin with sha256//", "servers[%u].tls.pinned_key", i);
    if (!s->tls.client_cert_file != !s->tls.client_key_file)
        SAY(r, "needs client_cert_file and client_key_file together", "servers[%u].tls", i);
    if (s->kind == GW_KIND_RELAY) {
        gw_inlet_check(r, s, i);
        return;
    }
    if (!s->url)
        gw_problem_at(r, "config-missing", "servers", "url of server %s is missing", s->name ? s->name : "?");
    if (!s->account)
        gw_problem_at(r, "config-missing", "servers", "account of server %s is missing", s->name ? s->name : "?");
    check_server_files(r, s, i);
}

/* `path` NULL: nothing to check. */
static void check_secret(struct gw_reading *r, const char *path, const char *name, unsigned i)
{
    char why[300], *key = mem_printf("servers[%u].%s", i, name);
    struct secret *secret = path ? secret_read(path, why, sizeof why) : NULL;
    if (path && !secret)
        gw_problem_at(r, "config-secret", key, "%s", why);
    secret_free(&secret);
    free(key);
}

static void check_server_files(struct gw_reading *r, const struct gw_config_server *s, unsigned i)
{
    unsigned before = r->problems;
    bool by_keytab = s->keytab_file && s->auth_count == 1 && s->auth[0] == GW_SCHEME_NEGOTIATE;
    if (!s->password_file && !by_keytab)
        SAY(r, "is missing", "servers[%u].password_file", i);
    if (!s->proxy_account != !s->proxy_password_file)
        SAY(r, "needs proxy_account and proxy_password_file together", "servers[%u].proxy", i);
    check_secret(r, s->password_file, "password_file", i);
    check_secret(r, s->proxy_password_file, "proxy_password_file", i);
    struct {
        const char *path, *name;
        bool is_private;
    } files[] = {{s->tls.ca_file, "ca_file", false},
                 {s->tls.client_cert_file, "client_cert_file", false},
                 {s->tls.client_key_file, "client_key_file", true}};
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
        char *key = mem_printf("servers[%u].tls.%s", i, files[k].name);
        if (files[k].path)
            gw_config_check_file(r, files[k].path, key, files[k].is_private);
        free(key);
    }
    char *ca_key = mem_printf("servers[%u].tls.ca_file", i);
    char *client_key = mem_printf("servers[%u].tls.client_cert_file", i);
    if (r->problems == before && s->tls.ca_file)
        check_pem(r, s->tls.ca_file, NULL, ca_key);
    if (r->problems == before && s->tls.client_cert_file && s->tls.client_key_file)
        check_pem(r, s->tls.client_cert_file, s->tls.client_key_file, client_key);
    free(ca_key);
    free(client_key);
}

static void check_users(struct gw_reading *r, const struct gw_config *c)
{
    if (c->users_count == 0)
        gw_problem_at(r, "config-missing", "users", "at least one is needed");
    for (unsigned i = 0; i < c->users_count; i++)
        check_user(r, c, i);
}

static void check_user(struct gw_reading *r, const struct gw_config *c, unsigned i)
{
    const struct gw_config_user *u = &c->users[i];
    if (!u->address == !u->file) {
        SAY(r, u->file ? "has both address and file; one of them is expected" : "has neither address nor file",
            "users[%u]", i);
        return;
    }
    if (u->file && (u->path || u->publish_as || u->group || u->zone || u->read || u->aliases_count))
        SAY(r, "has keys of one person beside file; these are columns of the file", "users[%u]", i);
    if (u->address)
        SAY(r, gw_address_wrong(u->address), "users[%u].address", i);
    if (u->publish_as)
        SAY(r, gw_address_wrong(u->publish_as), "users[%u].publish_as", i);
    if (u->zone)
        SAY(r, gw_zone_wrong(u->zone), "users[%u].zone", i);
    if (u->path && u->path[0] != '/' && !str_starts_nocase(u->path, "http"))
        SAY(r, "must begin with a slash", "users[%u].path", i);
    bool known = false;
    for (unsigned k = 0; u->server && k < c->servers_count && !known; k++)
        known = c->servers[k].name && strcmp(c->servers[k].name, u->server) == 0;
    if (u->server && !known) {
        char *key = mem_printf("users[%u].server", i), shown[80];
        gw_problem_at(r, "config-unknown-server", key, "no server is called \"%s\"",
                      str_printable(u->server, strlen(u->server), shown, sizeof shown));
        free(key);
    }
    if (!u->server && u->address)
        SAY(r, "server is missing, and there is more than one", "users[%u]", i);
}

static void check_times(struct gw_reading *r, const struct gw_config *c)
{
    if (c->stale_after_s > 0 && c->poll_interval_ms > 0 && c->stale_after_s * 1000 < 2 * c->poll_interval_ms)
        gw_problem_at(r, "config-value", "presence.stale_after",
                      "is shorter than two poll intervals: people would become unknown between two answers");
}

static void check_groups(struct gw_reading *r, const struct gw_config *c)
{
    for (unsigned i = 0; i < c->group_rules_count; i++)
        for (unsigned j = 0; c->group_rules[i].group && j < i; j++)
            if (c->group_rules[j].group && strcmp(c->group_rules[i].group, c->group_rules[j].group) == 0) {
                char *key = mem_printf("presence.groups[%u].name", i);
                gw_problem_at(r, "config-duplicate", key, "has rules already");
                free(key);
                break;
            }
}

/* Beyond loopback: TLS and people who say who they are, or the explicit word. */
static void check_http(struct gw_reading *r, const struct gw_config *c)
{
    const struct gw_config_http *http = &c->http;
    bool by_name = c->identities_count > 0 || c->identities_file;
    for (unsigned i = 0; i < http->listen_count; i++) {
        bool loopback = false;
        if (!gw_listen_parse(http->listen[i], &loopback))
            SAY(r, "is no numeric address with port, such as 127.0.0.1:8008 or [::1]:8008", "publish.http.listen[%u]",
                i);
        else if (!loopback && !http->allow_remote && !(http->certificate_file && by_name))
            SAY(r,
                by_name ? "can be reached from other machines: give it a certificate_file, or say allow_remote: true"
                        : "can be reached from other machines; say allow_remote: true if that is meant, or who may "
                          "ask (identities)",
                "publish.http.listen[%u]", i);
        for (unsigned j = 0; j < i; j++)
            if (strcmp(http->listen[i], http->listen[j]) == 0 && !str_ends(http->listen[i], ":0"))
                SAY(r, "stands there twice", "publish.http.listen[%u]", i);
    }
    for (unsigned i = 0; i < http->proxies_count; i++)
        check_proxy(r, &http->proxies[i], i);
    check_http_files(r, http);
}

static void check_proxy(struct gw_reading *r, const struct gw_config_proxy *p, unsigned i)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    struct gw_net net;
    if (p->from && !gw_net_parse(p->from, &net))
        SAY(r, "is no address or network, such as 10.0.0.0/8", "publish.http.proxies[%u].from", i);
    if (p->header && (!p->header[0] || p->header[strspn(p->header, letters)]))
        SAY(r, "is no name of a header", "publish.http.proxies[%u].header", i);
    else if (p->header && (str_eq_nocase(p->header, "Authorization") || str_eq_nocase(p->header, "Host")))
        SAY(r, "is what clients send themselves", "publish.http.proxies[%u].header", i);
}

static void check_http_files(struct gw_reading *r, const struct gw_config_http *http)
{
    unsigned before = r->problems;
    if (!http->certificate_file != !http->key_file)
        SAY(r, "needs certificate_file and key_file together", "publish.http");
    if (http->certificate_file)
        gw_config_check_file(r, http->certificate_file, "publish.http.certificate_file", false);
    if (http->key_file)
        gw_config_check_file(r, http->key_file, "publish.http.key_file", true);
    if (http->client_ca_file && !http->certificate_file)
        SAY(r, "needs certificate_file: only with TLS a client has a certificate", "publish.http.client_ca_file");
    if (http->client_ca_file)
        gw_config_check_file(r, http->client_ca_file, "publish.http.client_ca_file", false);
    if (r->problems == before && http->certificate_file && http->key_file)
        check_pem(r, http->certificate_file, http->key_file, "publish.http.certificate_file");
}

/* Files that are there: do they hold what is needed? Better said now than by a listener that cannot start. */
static void check_pem(struct gw_reading *r, const char *certificate, const char *private_key, const char *key)
{
    const char *wrong = tls_files_wrong(certificate, private_key);
    if (wrong)
        gw_problem_at(r, "config-value", key, "%s%s%s: %s", certificate, private_key ? " with " : "",
                      private_key ? private_key : "", wrong);
}

static void check_absolute(struct gw_reading *r, const char *key, const char *path)
{
    if (path && path[0] != '/')
        gw_problem_at(r, "config-value", key, "must be an absolute path");
}

/* systemd's credentials are private by their folder, whatever their mode says. */
void gw_config_check_file(struct gw_reading *r, const char *path, const char *key, bool is_private)
{
    struct stat st;
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    bool from_systemd = credentials && *credentials && str_starts(path, credentials);
    if (stat(path, &st) < 0 || access(path, R_OK) < 0)
        gw_problem_at(r, is_private ? "config-secret" : "config-value", key, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        gw_problem_at(r, is_private ? "config-secret" : "config-value", key, "%s: is not a regular file", path);
    else if (is_private && !from_systemd && (st.st_mode & 077))
        gw_problem_at(r, "config-secret", key, "%s: may be read by others than its owner; chmod 600 it", path);
}

static const char *name_wrong(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return strlen(name) <= NAME_MAX_LEN && strspn(name, letters) == strlen(name)
               ? NULL
               : "must be of letters, digits, dots, dashes and underscores, at most 64";
}

/* The text itself is not repeated in the sentence: it might hold a password. */
static const char *url_wrong(const char *url)
{
    size_t scheme = str_starts(url, "https://") ? 8 : str_starts(url, "http://") ? 7 : 0;
    if (!scheme)
        return "must begin with https:// or http://";
    const char *host = url + scheme;
    size_t host_len = strcspn(host, "/?#");
    if (memchr(host, '@', host_len))
        return "must not hold a user name or password; account and password_file are for these";
    if (host_len == 0 || host[0] == ':')
        return "names no host";
    if (strpbrk(url, "?#"))
        return "must not have a query or fragment";
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127)
            return "has a character that must be percent-encoded";
    return NULL;
}

/* Whose DNS says where its calendars are. */
static bool is_domain(const char *url)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    return url[0] && url[0] != '.' && url[0] != '-' && strlen(url) < 254 && url[strspn(url, letters)] == '\0';
}

static const char *host_wrong(const char *host)
{
    return strpbrk(host, "/ \t@?#*") ? "is no host or host:port" : NULL;
}

static const char *template_wrong(const char *path)
{
    if (path[0] != '/')
        return "must begin with a slash";
    for (const char *p = strchr(path, '{'); p; p = strchr(p + 1, '{'))
        if (!str_starts(p, "{address}") && !str_starts(p, "{local}") && !str_starts(p, "{domain}"))
            return "may hold {address}, {local} and {domain} only";
    return NULL;
}
