/*
 * account: how to reach one server, as plain data. Everything is copied by whoever keeps it.
 */
#ifndef DAVCLIENT_ACCOUNT_H
#define DAVCLIENT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dav_kind {
    DAV_KIND_EXCHANGE, /* 2000, 2003, 2007 over WebDAV */
    DAV_KIND_CALDAV,
    DAV_KIND_IFB, /* free/busy files */
};

enum dav_scheme { DAV_SCHEME_NEGOTIATE, DAV_SCHEME_NTLM, DAV_SCHEME_BASIC, DAV_SCHEME_FORMS };
#define DAV_SCHEMES 4
const char *dav_scheme_name(enum dav_scheme scheme);
bool dav_scheme_parse(const char *name, enum dav_scheme *ret);

/* How the account's name is written into a logon form; a form may be set to one of these on the server. */
enum dav_logon_format {
    DAV_LOGON_AS_GIVEN,
    DAV_LOGON_DOMAIN_USER, /* DOMAIN\user: refused when the account names no domain */
    DAV_LOGON_UPN,         /* user@domain: refused when the account is none */
    DAV_LOGON_USER,        /* user alone, whatever stands around it */
};

struct secret;

struct dav_account {
    const char *name; /* the server's name in the configuration; in log lines and errors */
    enum dav_kind kind;
    const char *url;        /* http(s)://host[:port]/path/; CalDAV: or a domain, whose DNS says where (RFC 6764) */
    const char *dns_server; /* for that, "address:port"; NULL: the system's */
    const char *user;       /* DOMAIN\user, user@domain or user */
    enum dav_scheme auth[DAV_SCHEMES]; /* which may be used, best first */
    size_t auth_count;
    int lm_compatibility_level; /* 0 to 3 [3] */
    const char *ca_file, *pinned_key, *client_cert_file, *client_key_file, *min_tls;
    bool legacy_ciphers;
    const char *proxy;
    const char *proxy_user;            /* NULL: the proxy asks for nothing, or `proxy` has it */
    const struct secret *proxy_secret; /* with proxy_user */
    /* Kerberos keys for negotiate, one file for the whole process; NULL: what the environment says */
    const char *keytab_file;
    bool no_channel_binding; /* a proxy ends TLS in front of the server, so its certificate is not the one we see */
    enum dav_logon_format logon_format;
    unsigned max_connections;         /* [8] */
    /* Basic shows the password with each request: so many at once that nobody has let in yet. 0: one, and up to three
     * when one does not keep up. */
    unsigned basic_together;
    double max_requests_per_second;   /* [50] */
    const char *const *allowed_hosts; /* NULL-terminated, "host" or "host:port"; NULL: none besides the URL's own */
    const char *const *calendars;     /* CalDAV, ifb: path templates {address} {local} {domain}; NULL-terminated */
    bool no_contenttag, no_subscribe; /* Exchange: ways not to be used of seeing whether a calendar has changed */
    const char *
        notify_listen; /* Exchange: "address:port" where it may send datagrams that something has changed; NULL: none */
    const char *notify_host; /* our name for the server, for these; NULL: the address of notify_listen */
    int64_t full_read_s;     /* Exchange: after so long a calendar is read whatever the signs say [1800] */
    const char *zone;        /* zone name for floating times, NULL: UTC */
    /* categories that say something to us (mark.h), NULL-terminated; NULL: categories are not asked for */
    const char *const *markers;
    size_t max_answer_bytes; /* [16 MiB] for one answer */
    unsigned max_rows;       /* appointments kept for one person and window [20 000] */
    unsigned batch_people;   /* in one question about many [100] */
};

#endif
