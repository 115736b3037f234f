/*
 * account: one server of the configuration as davclient wants it. The one place where the configuration's words become
 * davclient's; used for the daemon's sessions and for checks.
 */
#include "base/secret.h"
#include "davclient/account.h"
#include "davclient/mark.h"
#include "gateway.h"
#include "marker_check.h"

_Static_assert((int)GW_KIND_EXCHANGE == (int)DAV_KIND_EXCHANGE && (int)GW_KIND_CALDAV == (int)DAV_KIND_CALDAV &&
                   (int)GW_KIND_IFB == (int)DAV_KIND_IFB,
               "same numbers");
_Static_assert((int)GW_SCHEME_NEGOTIATE == (int)DAV_SCHEME_NEGOTIATE && (int)GW_SCHEME_NTLM == (int)DAV_SCHEME_NTLM &&
                   (int)GW_SCHEME_BASIC == (int)DAV_SCHEME_BASIC && (int)GW_SCHEME_FORMS == (int)DAV_SCHEME_FORMS,
               "same numbers");
_Static_assert(GW_MARKERS_MAX == DAV_MARKS_MAX, "so many");
/* logon_format's words stand in the order of enum dav_logon_format. */
_Static_assert(DAV_LOGON_AS_GIVEN == 0 && DAV_LOGON_DOMAIN_USER == 1 && DAV_LOGON_UPN == 2 && DAV_LOGON_USER == 3,
               "same numbers");

struct secret *gw_proxy_secret(const struct gw_config_server *server, char *why, size_t why_size)
{
    return server->proxy_password_file ? secret_read(server->proxy_password_file, why, why_size) : NULL;
}

void gw_account(const struct gw_config *config, const struct gw_config_server *server, struct dav_account *ret)
{
    *ret = (struct dav_account){
        .name = server->name,
        .kind = (enum dav_kind)server->kind,
        .url = server->url,
        .user = server->account,
        .lm_compatibility_level = (int)server->lm_compatibility_level,
        .ca_file = server->tls.ca_file,
        .pinned_key = server->tls.pinned_key,
        .client_cert_file = server->tls.client_cert_file,
        .client_key_file = server->tls.client_key_file,
        .min_tls = server->tls.min_version,
        .legacy_ciphers = server->tls.legacy_ciphers,
        .proxy = server->proxy,
        .proxy_user = server->proxy_account,
        .keytab_file = server->keytab_file,
        .no_channel_binding = !server->channel_binding,
        .logon_format = (enum dav_logon_format)server->logon_format,
        .max_connections = server->max_connections,
        .basic_together = server->basic_together,
        .max_requests_per_second = server->max_requests_per_second,
        .allowed_hosts = (const char *const *)server->allowed_hosts, /* both end with a NULL */
        .calendars = (const char *const *)server->calendars,
        .zone = server->zone,
        .no_contenttag = !server->changes.contenttag,
        .no_subscribe = !server->changes.subscribe,
        .notify_listen = server->changes.notify_listen,
        .notify_host = server->changes.notify_host,
        .full_read_s = server->changes.full_read_s,
        .batch_people = server->freebusy_people,
        .markers = config->marker_words,
    };
    for (unsigned i = 0; i < server->auth_count && i < DAV_SCHEMES; i++)
        ret->auth[ret->auth_count++] = (enum dav_scheme)server->auth[i];
}
