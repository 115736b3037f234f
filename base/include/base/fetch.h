/*
 * fetch: one HTTP exchange at a time over libcurl's multi interface, inside the loop. A fetch_client is one server: its
 * own connections, TLS settings and ceiling on connections; nothing is shared between clients, credentials least of
 * all.
 *
 * Redirects are never followed here: the answer says 302, the caller decides. Callbacks come from the loop, never
 * before fetch_start returned and never after fetch_cancel returned; `done` comes exactly once otherwise, and the
 * struct fetch is gone when it returns. Any callback may cancel any exchange, start new ones, and free the client.
 */
#ifndef BASE_FETCH_H
#define BASE_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct fetch;
struct fetch_client;

/* What went wrong below HTTP. Each has the stable code of the check ("tcp-refused", "tls-expired"), see fetch_err_code.
 */
enum fetch_err {
    FETCH_OK, /* an answer arrived whole, whatever its status */
    FETCH_DNS_NOT_FOUND,
    FETCH_DNS_TIMEOUT,
    FETCH_TCP_REFUSED,
    FETCH_TCP_TIMEOUT,
    FETCH_TCP_RESET, /* connection lost before or inside the answer */
    FETCH_PROXY_AUTH,
    FETCH_PROXY_DENIED,
    FETCH_TLS_EXPIRED,
    FETCH_TLS_NOT_YET_VALID,
    FETCH_TLS_UNTRUSTED,
    FETCH_TLS_NAME_MISMATCH,
    FETCH_TLS_PIN_MISMATCH,
    FETCH_TLS_PROTOCOL,
    FETCH_TIMEOUT,   /* total_ms or idle_ms ran out after the connection stood */
    FETCH_PARTIAL,   /* the body ended early: never use what came of it */
    FETCH_TOO_LARGE, /* body over max_body, or headers over the ceiling */
    FETCH_MALFORMED, /* not HTTP, or a URL that cannot be used */
    FETCH_STOPPED,   /* on_data said stop */
    FETCH_PIN_LOST,  /* the connection that was asked for is gone; nothing was sent */
};

/* Everything is copied. Zero means the default in brackets. */
struct fetch_client_settings {
    const char *name;         /* for log lines */
    unsigned max_connections; /* to this server [8] */
    int64_t connect_ms;       /* name, TCP and TLS together [10 000] */
    int64_t idle_ms;          /* nothing arriving for so long ends the exchange [30 000] */
    const char *ca_file;      /* NULL: the system's */
    const char *pinned_key;   /* "sha256//BASE64;sha256//..." as curl spells it, NULL: none */
    const char *client_cert_file, *client_key_file;
    const char *min_tls;    /* "1.0" "1.1" "1.2" "1.3" [1.2] */
    bool legacy_ciphers;    /* OpenSSL security level 0 and old ciphers, for servers of 2003 */
    const char *proxy;      /* URL of an outbound proxy, NULL: none (the environment is never looked at) */
    const char *proxy_user; /* what the proxy wants, by Basic; NULL: nothing. Both are wiped after use */
    const char *proxy_password;
    int64_t keep_ms;         /* how long an idle connection may be used again [118 000] */
    const char *unix_socket; /* connect here whatever the URL says */
    const char *user_agent;  /* ["freebusyd/VERSION"] */
    /* Asked before each connection, with the numeric address that the name turned out to be; false: it is not made
     * (FETCH_TCP_REFUSED). Comes inside our calls; may not touch the client. NULL: all may be. */
    bool (*address_ok)(void *arg, const char *address);
    void *address_arg;
};

struct fetch_client *fetch_client_new(struct loop *loop, const struct fetch_client_settings *settings);
void fetch_client_free(struct fetch_client **c); /* cancels what still runs, without callbacks */

/* Connections start afresh: those in use are given up when their exchange is over. */
void fetch_client_drop_connections(struct fetch_client *c);

struct fetch_answer {
    enum fetch_err err;
    char text[200];   /* printable evidence when err is set, else "" */
    int status;       /* 0 when none arrived */
    const char *body; /* NUL-terminated; "" when on_data took it, and when err is set */
    size_t body_len;
    int64_t total_ms; /* without the time of waiting for a connection */
    bool connection_reused;
    int64_t connection_id;  /* of this client; -1 unknown */
    int64_t cert_not_after; /* UTC s of the server's certificate when TLS and new connection, else 0 */
    /* of the connection's certificate, for channel binding (RFC 5929 4.1); NULL without TLS */
    const uint8_t *cert_hash;
    size_t cert_hash_len;
    const struct fetch *fetch; /* for fetch_header */
};

typedef void fetch_done_fn(void *arg, const struct fetch_answer *answer);

/* A piece of a 2xx body as it arrives (a body with another status is collected instead). False ends the exchange
 * (FETCH_STOPPED). */
typedef bool fetch_data_fn(void *arg, int status, const char *data, size_t len);

struct fetch_request {
    const char *method;         /* "GET", "PROPFIND", ... */
    const char *url;            /* absolute http(s) URL, already escaped; sent path-as-is */
    const char *const *headers; /* "Name: value" lines, NULL-terminated; NULL: none. Expect is always suppressed */
    const char *body;           /* copied; NULL: none */
    size_t body_len;
    int64_t total_ms; /* limit for the whole exchange, waiting for a free connection not counted [60 000]; < 0: none */
    size_t max_body;  /* [16 MiB] */
    bool compressed;  /* accept gzip and deflate */
    int64_t pin;      /* > 0: over this connection_id or not at all (FETCH_PIN_LOST); client of max_connections 1 */
    bool fresh;       /* over a new connection; idle ones are given up when there are too many */
    fetch_data_fn *on_data; /* NULL: the body is collected */
    fetch_done_fn *done;
    void *arg;
};

struct fetch *fetch_start(struct fetch_client *c, const struct fetch_request *request);

/* No callback afterwards; *f becomes NULL. Works from inside any callback. NULL is fine. */
void fetch_cancel(struct fetch **f);

/* A header of the final answer by name (no case), the n-th of that name from 0; NULL when there is none. Valid inside
 * `done` and inside on_data. */
const char *fetch_header(const struct fetch *f, const char *name, unsigned n);

/*
 * "tcp-refused", "tls-expired"...; FETCH_OK gives "ok". What has no code of its own: FETCH_TIMEOUT "tcp-timeout";
 * FETCH_PARTIAL and FETCH_MALFORMED "answer-malformed"; FETCH_TOO_LARGE and FETCH_STOPPED "answer-too-large";
 * FETCH_PIN_LOST "tcp-reset". No route to the host counts as tcp-timeout; a Unix socket that is not there as
 * tcp-refused.
 */
const char *fetch_err_code(enum fetch_err err);

/*
 * Adds the base64 token that shows this host's web server who we are (Kerberos; who that is decides the environment:
 * KRB5_CLIENT_KTNAME, KRB5CCNAME, KRB5_CONFIG). One token serves for one request. Blocks, and may run in the worker:
 * see loop_work(). False with a sentence in why. There must have been a fetch_client before.
 */
struct buf;
bool fetch_negotiate_token(const char *host, struct buf *out, char *why, size_t why_size);

/*
 * Is this numeric address one that a redirect from outside has no business to lead to: this machine, this link (where
 * clouds answer with their metadata), nobody, or everybody? Also in an IPv6 disguise. Private networks are not meant.
 */
bool fetch_address_is_inner(const char *address);

/* Connections open at present, and exchanges running or waiting. */
void fetch_client_load(const struct fetch_client *c, unsigned *ret_connections, unsigned *ret_exchanges);

/* "libcurl/7.88.1 OpenSSL/3.0.15 ...": the libraries in use. Static. */
const char *fetch_version(void);

#endif
