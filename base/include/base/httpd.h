/*
 * httpd: serving HTTP/1.1, over libmicrohttpd inside our loop. Any method. A handler gets a request when it is whole,
 * and answers at once or later; an answer may be a stream that pulls its bytes when the socket has room (server-sent
 * events).
 *
 * Ceilings: header bytes, body bytes, connections, idle time. What breaks them is answered 4xx here and never reaches
 * the handler. (A first line without a single space is no request at all: its connection is closed without a word.)
 */
#ifndef BASE_HTTPD_H
#define BASE_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct httpd;
struct httpd_req;
struct httpd_stream;

/* Called with a whole request. It must be answered once, now or later, by httpd_reply, httpd_stream_start or
 * httpd_abort. */
typedef void httpd_handler_fn(void *arg, struct httpd_req *req);

/* The client went away before the answer was given: the request is dead, do not answer it. Shutting down its sending
 * side counts. */
typedef void httpd_gone_fn(void *arg);

struct httpd_settings {
    const char *listen; /* "127.0.0.1:8008", "[::1]:0", "*:80", or "unix:/run/x.sock"; port 0: the kernel chooses */
    int listen_fd;      /* used instead of `listen` when > 0 (socket activation); owned by the httpd then */
    mode_t unix_mode;   /* of a Unix socket [0660]; an old socket file nobody listens on is replaced */
    const char *tls_cert_pem; /* text of certificate chain and key; NULL: plain HTTP */
    const char *tls_key_pem;
    bool tls_ask_client;         /* for a certificate; who shows none is served all the same */
    const char *tls_clients_pem; /* text of the certificates that may have signed a client's; NULL: none is trusted */
    unsigned max_connections; /* [1000] */
    size_t max_header;        /* [32 KiB]: 431 above; a request line too long: 414 */
    size_t max_body;          /* [1 MiB]: 413 above */
    unsigned idle_s;          /* [60] connection without traffic is closed; streams that wait are not idle */
    bool require_host;        /* HTTP/1.1 without Host is answered 400, as RFC 9112 3.2 wants it */
    size_t stream_block;      /* bytes a stream to an HTTP/1.0 client writes at a time [16 KiB] */
};

/* NULL with a sentence in why ("127.0.0.1:8008: Address already in use"). */
struct httpd *httpd_new(struct loop *loop, const struct httpd_settings *settings, httpd_handler_fn *handler, void *arg,
                        char *why, size_t why_size);

/* Closes every connection; open requests and streams are gone(). May be called by a handler, pull or gone as well. */
void httpd_free(struct httpd **h);

/* The port that was bound (for port 0), 0 for a Unix socket. */
unsigned httpd_port(const struct httpd *h);
unsigned httpd_connections(const struct httpd *h);

/* The request. Pointers live until it is answered. */
const char *httpd_method(const struct httpd_req *req);
const char *httpd_path(const struct httpd_req *req);  /* as sent: not decoded, without query */
const char *httpd_query(const struct httpd_req *req); /* as sent, without '?'; "" for none */
const char *httpd_header(const struct httpd_req *req, const char *name); /* first of that name, no case; NULL */
const char *httpd_body(const struct httpd_req *req, size_t *ret_len);
const char *httpd_peer(const struct httpd_req *req); /* "127.0.0.1:4711", "unix" */
bool httpd_is_tls(const struct httpd_req *req);
unsigned httpd_header_count(const struct httpd_req *req, const char *name); /* how many of that name, no case */

/* The certificate that the client showed, and proved to have the key of. Texts are "" where it has none that can be
 * used. */
enum { HTTPD_CERT_MAILS = 4 };
struct httpd_cert {
    bool trusted;                       /* signed by one of tls_clients_pem, and valid now */
    char name[256];                     /* the subject's common name */
    char mails[HTTPD_CERT_MAILS][256];  /* the mail addresses it is for */
    char key[60];                       /* sha256//BASE64 of the SubjectPublicKeyInfo */
};
const struct httpd_cert *httpd_client_cert(const struct httpd_req *req); /* NULL: none; as long as the connection */

/* A pointer kept with the request; free_fn runs when the request is over, its stream included. */
void httpd_set_data(struct httpd_req *req, void *data, void (*free_fn)(void *data));
void *httpd_data(const struct httpd_req *req);

/* The same for all requests of one connection, never reused. */
uint64_t httpd_connection_id(const struct httpd_req *req);

/* A pointer kept with the connection for the handler (NTLM); free_fn runs when the connection ends. */
void httpd_set_connection_data(struct httpd_req *req, void *data, void (*free_fn)(void *data));
void *httpd_connection_data(const struct httpd_req *req);

/*
 * The n-th (from 0) value of a query parameter, decoded ('+' stays '+', as our addresses need). NULL when absent;
 * *ret_bad is set when it is there with a broken escape. Lives until the request is answered.
 */
const char *httpd_param(struct httpd_req *req, const char *name, unsigned n, bool *ret_bad);

/* For answers given later: tells of a client that left meanwhile. */
void httpd_on_gone(struct httpd_req *req, httpd_gone_fn *gone, void *arg);

/* "Name: value" lines, NULL-terminated, or NULL. Content-Length is ours. The body is copied. HEAD is answered without
 * body. */
void httpd_reply(struct httpd_req *req, int status, const char *const *headers, const void *body, size_t len);

/* The same, taking ownership of a malloc'ed body: no copy. */
void httpd_reply_take(struct httpd_req *req, int status, const char *const *headers, char *body, size_t len);

/* Closes the connection without an answer. */
void httpd_abort(struct httpd_req *req);

enum { HTTPD_PULL_WAIT = 0, HTTPD_PULL_END = -1, HTTPD_PULL_ABORT = -2 };

/*
 * Asked for up to `max` bytes when the socket takes them: returns how many were written to `out`, HTTPD_PULL_WAIT
 * (nothing now: not asked again before httpd_stream_wake), HTTPD_PULL_END (chunked body ends well) or HTTPD_PULL_ABORT
 * (cut in the middle).
 */
typedef ssize_t httpd_pull_fn(void *arg, char *out, size_t max);

/* Answers with a stream (chunked). gone() comes exactly once when it is over, for whatever reason; the stream is dead
 * then. */
struct httpd_stream *httpd_stream_start(struct httpd_req *req, int status, const char *const *headers,
                                        httpd_pull_fn *pull, httpd_gone_fn *gone, void *arg);

/* There is something to pull. Cheap, may be called any number of times; pulls happen later in the loop. */
void httpd_stream_wake(struct httpd_stream *s);

/* Ends it from our side, well (END) or by cutting (ABORT). gone() follows. */
void httpd_stream_end(struct httpd_stream *s, int how);

#endif
