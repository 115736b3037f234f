/*
 * httpd, inside: one httpd owns its connections, a connection has at most one request under way, a request may become a
 * stream.
 *
 *   httpd.c         the server: libmicrohttpd's daemon driven by our loop; connections and what is told about them
 *   httpd_listen.c  the listening socket: addresses, Unix sockets
 *   httpd_req.c     a request from its first line to its answer
 *   httpd_param.c   query parameters
 *   httpd_tls.c     certificates of clients
 *   httpd_stream.c  an answer that is pulled
 */
#ifndef BASE_HTTPD_PRIVATE_H
#define BASE_HTTPD_PRIVATE_H

#include "base/buf.h"
#include "base/httpd.h"

#include <netinet/in.h>

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;
struct loop_fd;
struct loop_timer;

struct httpd_listener {
    int fd;
    unsigned port;
    char *unix_path; /* NULL: not a socket file that we made */
    dev_t unix_dev;
    ino_t unix_ino;
};

struct httpd {
    struct loop *loop;
    struct MHD_Daemon *mhd;
    httpd_handler_fn *handler;
    void *arg;
    struct httpd_settings settings; /* numbers only: the texts were the caller's */
    struct httpd_listener listener;
    bool is_unix;
    bool is_tls;
    struct loop_fd *ready;    /* libmicrohttpd's epoll descriptor */
    struct loop_fd *hangups;  /* hangup_fd: tells of clients that leave while their connection is suspended */
    struct loop_timer *timer; /* libmicrohttpd's next idle deadline */
    int hangup_fd;
    struct httpd_conn *conns; /* list */
    unsigned n_conns;
    bool running; /* inside MHD_run */
    bool again;   /* httpd_run_again is deferred */
    bool closing;
    unsigned idle_runs;  /* runs since libmicrohttpd last had something to tell us */
    int64_t restless_ms; /* since when it always has work left, 0: it has not */
    char *complaint;     /* while starting: what libmicrohttpd had to say last */
};

struct httpd_conn {
    struct httpd *h;
    struct MHD_Connection *mhd;
    struct httpd_conn *prev;
    struct httpd_conn *next;
    struct httpd_req *req; /* the one under way, or NULL */
    uint64_t id;
    int fd;
    bool suspended;
    bool watched; /* in the hang-up set */
    bool hung_up;
    bool cert_read;
    struct httpd_cert *cert; /* NULL: none was shown */
    void *data;
    void (*data_free)(void *data);
    char peer[INET6_ADDRSTRLEN + 10]; /* "[...]:65535" */
};

enum httpd_phase {
    HTTPD_READING,  /* the request is coming in */
    HTTPD_ASKING,   /* its handler is running */
    HTTPD_WAITING,  /* the handler will answer later; the connection is suspended */
    HTTPD_ANSWERED, /* there is a response, perhaps a stream */
    HTTPD_ABORTED,  /* to be closed without one */
    HTTPD_OVER,     /* nobody is told anything any more */
};

struct httpd_stream {
    struct httpd_req *req;
    httpd_pull_fn *pull;
    httpd_gone_fn *gone;
    void *arg;
    int end;      /* HTTPD_PULL_END, HTTPD_PULL_ABORT, or 0: goes on */
    bool pulling; /* inside pull() */
    bool woken;   /* since the last pull began */
    size_t block; /* bytes at a time at the most */
};

struct httpd_param {
    const char *name;
    const char *value;
    bool bad;
};

struct httpd_req {
    struct httpd_conn *conn;
    enum httpd_phase phase;
    const char *method;
    char *target; /* path, NUL, query */
    const char *path;
    const char *query;
    struct buf body;
    uint64_t overrun; /* bytes of a body above the ceiling, thrown away */
    int64_t moved_ms; /* when the last piece of header or body came */
    bool http_1_1;
    bool begun;
    bool too_big;
    bool queued; /* the response was given to libmicrohttpd */
    int status;
    struct MHD_Response *response;
    httpd_gone_fn *gone;
    void *gone_arg;
    struct httpd_stream stream; /* .pull is NULL when the answer is none */
    struct httpd_param *params; /* parsed at the first question */
    size_t n_params;
    size_t param_hint; /* where the last question was answered ... */
    unsigned param_n;  /* ... as which one of its name */
    struct buf param_text;
    void *data;
    void (*data_free)(void *data);
};

bool httpd_listen(struct httpd_listener *l, const struct httpd_settings *settings, char *why, size_t why_size);
void httpd_listen_unlink(struct httpd_listener *l);

void httpd_conn_suspend(struct httpd_conn *conn);
void httpd_conn_resume(struct httpd_conn *conn); /* nothing when it is not suspended */

struct httpd_req *httpd_req_new(struct httpd_conn *conn, const char *target);
bool httpd_req_begin(struct httpd_req *req, const char *method);
bool httpd_req_upload(struct httpd_req *req, const char *data, size_t len);
bool httpd_req_whole(struct httpd_req *req);
bool httpd_req_is_stuck(const struct httpd_req *req, int64_t since_ms);
void httpd_req_over(struct httpd_req *req);
void httpd_req_free(struct httpd_req *req);
void httpd_req_answer(struct httpd_req *req, int status, const char *const *headers, struct MHD_Response *response);
bool httpd_req_open(const struct httpd_req *req);
void httpd_param_free(struct httpd_req *req);
void httpd_tls_ask(struct httpd_conn *conn); /* before the handshake */

#endif
