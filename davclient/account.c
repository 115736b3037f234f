/*
 * account: how to reach one server, as plain data: names of the authentication schemes, and the session's own copy.
 * Called by the configuration's reader, by auth.c and by session.c.
 */
#include "davclient/account.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "inner.h"

#define MAX_CONNECTIONS 8
#define MAX_REQUESTS_PER_SECOND 50
#define MAX_ANSWER_BYTES (16U * 1024 * 1024)
#define MAX_ROWS 20000
#define FULL_READ_S 1800

static const char *const *list_copy(const char *const *from);
static void list_free(const char *const *list);
static void text_free(const char *text);
static void secret_drop(const struct secret *secret);

static const char *const names[DAV_SCHEMES] = {
    [DAV_SCHEME_NEGOTIATE] = "negotiate",
    [DAV_SCHEME_NTLM] = "ntlm",
    [DAV_SCHEME_BASIC] = "basic",
    [DAV_SCHEME_FORMS] = "forms",
};

const char *dav_scheme_name(enum dav_scheme scheme)
{
    return names[scheme];
}

bool dav_scheme_parse(const char *name, enum dav_scheme *ret)
{
    for (size_t i = 0; i < DAV_SCHEMES; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum dav_scheme)i;
            return true;
        }
    }
    return false;
}

void dav_account_copy(struct dav_account *to, const struct dav_account *from)
{
    *to = *from;
    to->name = mem_strdup(from->name);
    to->url = mem_strdup(from->url);
    to->dns_server = mem_strdup_or_null(from->dns_server);
    to->user = mem_strdup(from->user ? from->user : "");
    to->ca_file = mem_strdup_or_null(from->ca_file);
    to->pinned_key = mem_strdup_or_null(from->pinned_key);
    to->client_cert_file = mem_strdup_or_null(from->client_cert_file);
    to->client_key_file = mem_strdup_or_null(from->client_key_file);
    to->min_tls = mem_strdup_or_null(from->min_tls);
    to->proxy = mem_strdup_or_null(from->proxy);
    to->proxy_user = mem_strdup_or_null(from->proxy_user);
    to->proxy_secret = from->proxy_secret ? secret_copy(from->proxy_secret) : NULL;
    to->keytab_file = mem_strdup_or_null(from->keytab_file);
    to->zone = mem_strdup_or_null(from->zone);
    to->notify_listen = mem_strdup_or_null(from->notify_listen);
    to->notify_host = mem_strdup_or_null(from->notify_host);
    to->full_read_s = from->full_read_s > 0 ? from->full_read_s : FULL_READ_S;
    to->allowed_hosts = list_copy(from->allowed_hosts);
    to->calendars = list_copy(from->calendars);
    to->markers = list_copy(from->markers);
    to->max_connections = from->max_connections ? from->max_connections : MAX_CONNECTIONS;
    to->basic_together = from->basic_together;
    to->max_requests_per_second =
        from->max_requests_per_second > 0 ? from->max_requests_per_second : MAX_REQUESTS_PER_SECOND;
    to->max_answer_bytes = from->max_answer_bytes ? from->max_answer_bytes : MAX_ANSWER_BYTES;
    to->max_rows = from->max_rows ? from->max_rows : MAX_ROWS;
}

void dav_account_move(struct dav_account *account, const char *url)
{
    const char *before = account->url;

    account->url = mem_strdup(url);
    text_free(before);
}

void dav_account_clear(struct dav_account *account)
{
    text_free(account->name);
    text_free(account->url);
    text_free(account->dns_server);
    text_free(account->user);
    text_free(account->ca_file);
    text_free(account->pinned_key);
    text_free(account->client_cert_file);
    text_free(account->client_key_file);
    text_free(account->min_tls);
    text_free(account->proxy);
    text_free(account->proxy_user);
    text_free(account->keytab_file);
    secret_drop(account->proxy_secret);
    text_free(account->zone);
    text_free(account->notify_listen);
    text_free(account->notify_host);
    list_free(account->allowed_hosts);
    list_free(account->calendars);
    list_free(account->markers);
    memset(account, 0, sizeof(*account));
}

static const char *const *list_copy(const char *const *from)
{
    const char **to;
    size_t n = 0;

    if (!from)
        return NULL;
    while (from[n])
        n++;
    to = mem_calloc(n + 1, sizeof(*to));
    for (size_t i = 0; i < n; i++)
        to[i] = mem_strdup(from[i]);
    return to;
}

static void list_free(const char *const *list)
{
    for (size_t i = 0; list && list[i]; i++)
        text_free(list[i]);
    text_free((const char *)list);
}

/* Ours to free, though the struct shows it as const to everybody else. */
static void text_free(const char *text)
{
    union {
        const char *shown;
        char *owned;
    } u = {.shown = text};

    free(u.owned);
}

void dav_account_proxy_secret(struct dav_account *account, const struct secret *secret)
{
    secret_drop(account->proxy_secret);
    account->proxy_secret = secret ? secret_copy(secret) : NULL;
}

static void secret_drop(const struct secret *secret)
{
    union {
        const struct secret *shown;
        struct secret *owned;
    } u = {.shown = secret};

    secret_free(&u.owned);
}
