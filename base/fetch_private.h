/*
 * What the files of fetch know of each other: fetch.c (the life of an exchange), fetch_slot.c (a curl handle and what
 * it tells us), fetch_client.c (one server: its curl multi handle, sockets and timer), fetch_cert.c (its certificate),
 * fetch_error.c (what went wrong).
 */
#ifndef BASE_FETCH_PRIVATE_H
#define BASE_FETCH_PRIVATE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/fetch.h"

struct loop_fd;
struct loop_timer;
struct fetch_slot;

enum {
    FETCH_HEAD_MAX = 256 * 1024, /* bytes of header lines in one exchange, 1xx answers and trailers included */
    FETCH_HASH_MAX = 64,         /* SHA-512 */
};

enum fetch_state {
    FETCH_WAITING,      /* for a slot, or for its refusal to be told */
    FETCH_CONNECTING,   /* has a slot, no connection yet */
    FETCH_TRANSFERRING, /* has a connection */
    FETCH_ENDED,        /* told or cancelled; the memory goes at the end of the turn */
};

/* One exchange. The texts of its request follow it in the same allocation. */
struct fetch {
    TAILQ_ENTRY(fetch) entry;
    struct fetch_client *client;
    struct fetch_slot *slot; /* while CONNECTING or TRANSFERRING, and inside done() */
    enum fetch_state state;
    bool refused; /* never to be started: `early` says why */
    char *text;   /* header lines, method and URL */
    size_t text_len;
    const char *method;
    const char *url;
    const char *body;
    size_t body_len;
    struct curl_slist *headers;
    int64_t total_ms;
    size_t max_body;
    bool compressed;
    int64_t pin;
    bool fresh;
    fetch_data_fn *on_data;
    fetch_done_fn *done;
    void *arg;
    enum fetch_err early; /* decided by us, whatever curl says afterwards */
    const char *early_text;
    int status;
    bool in_head;       /* between a status line and its empty line */
    bool head_is_final; /* the last head was no 1xx: header lines that come now are trailers */
    bool has_piece;     /* bytes wait for on_data */
    size_t head_bytes;
    size_t received;  /* bytes of body */
    int64_t start_ms; /* when it got its slot */
    int64_t last_ms;  /* when something arrived */
};

TAILQ_HEAD(fetch_list, fetch);

/* A curl handle and its buffers, which carry one exchange after the other. */
struct fetch_slot {
    struct fetch_slot *next;      /* of all slots */
    struct fetch_slot *next_free; /* of those without an exchange */
    struct fetch_client *client;
    struct fetch *fetch;
    CURL *easy;
    struct loop_timer *timer;
    int64_t timer_due_ms;
    struct buf head; /* header lines of the last head, each with its NUL */
    struct buf body;
    int64_t connection_id;
    bool compressed; /* what the handle is set to at present */
    bool has_target; /* so is this: path and query are set beside the URL */
    uint8_t cert_hash[FETCH_HASH_MAX]; /* for the answer to point to */
    char error[CURL_ERROR_SIZE];
};

/* A socket that curl uses: a connection, which we opened for it, or the pipe of its resolver. */
struct fetch_socket {
    TAILQ_ENTRY(fetch_socket) entry;
    struct fetch_client *client;
    struct loop_fd *watch; /* NULL until curl wants to know of it */
    int fd;
    int64_t id; /* -1: not a connection */
    bool active; /* curl reads from it; until then it closes it without telling us */
    bool idle;  /* curl does not wait for it; it stays watched, so that the next request costs no system call */
    bool stale; /* to be given up when its exchange is over */
    bool dead;  /* shut down; curl closes it when it looks for a connection */
    uint8_t cert_hash[FETCH_HASH_MAX];
    size_t cert_hash_len; /* 0: no TLS, or not connected yet */
};

TAILQ_HEAD(fetch_sockets, fetch_socket);

struct fetch_client {
    struct loop *loop;
    CURLM *multi; /* NULL: freed by its owner, the memory goes at the end of the turn */
    char *name, *ca_file, *pinned_key, *client_cert_file, *client_key_file, *unix_socket, *user_agent;
    char *proxy, *proxy_user, *proxy_password;
    const char *ca_dir; /* the system's authorities, one by one, when it has such a directory */
    long min_tls;       /* CURL_SSLVERSION_... */
    bool legacy_ciphers;
    bool (*address_ok)(void *arg, const char *address); /* NULL: any may be */
    void *address_arg;
    unsigned max_connections;
    int64_t connect_ms;
    int64_t idle_ms;
    int64_t keep_ms; /* 0: as long as curl likes */
    struct fetch_slot *slots;
    struct fetch_slot *free_slots;
    struct fetch_list running; /* have a slot */
    struct fetch_list waiting; /* for one, first come first served; or refused */
    unsigned running_count;
    unsigned waiting_count;
    unsigned piece_count; /* running ones with has_piece */
    struct fetch_sockets sockets;
    int64_t next_id;
    struct loop_timer *timer; /* curl's */
    int64_t timer_at_ms;      /* when it will go off */
    int64_t timer_due_ms;     /* what curl asked for last; INT64_MAX: nothing */
    bool kicked;              /* a deferred call to curl is on its way */
};

/* fetch.c. The client calls fetch_drain() when curl has worked: that is where user code runs, outside of curl. */
void fetch_drain(struct fetch_client *c);
void fetch_expire(struct fetch_slot *slot);
void fetch_abandon_all(struct fetch_client *c);
void fetch_enter(struct fetch *f, enum fetch_state state);

/* fetch_slot.c */
struct fetch_slot *fetch_slot_new(struct fetch_client *c);
void fetch_slot_free(struct fetch_slot *slot);
bool fetch_slot_begin(struct fetch_slot *slot, struct fetch *f);
void fetch_slot_detach(struct fetch_slot *slot);  /* curl forgets the transfer; what has arrived stays */
void fetch_slot_release(struct fetch_slot *slot); /* ready for the next exchange */
void fetch_slot_describe(struct fetch_slot *slot, struct fetch_answer *answer);

/* fetch_address.c */
struct sockaddr;
bool fetch_address_allowed(const struct fetch_client *c, const struct sockaddr *address);

/* fetch_client.c. The first two are callbacks of curl, for sockets. */
curl_socket_t fetch_socket_open(void *slot, curlsocktype purpose, struct curl_sockaddr *address);
int fetch_socket_close(void *client, curl_socket_t fd);
void fetch_socket_sweep(struct fetch_client *c);
struct fetch_socket *fetch_socket_of(const struct fetch_client *c, int64_t id); /* NULL: closed, or closing */
bool fetch_socket_stands(const struct fetch_slot *slot); /* is the TCP connection there that the slot waits for? */

/* fetch_cert.c: the server's certificate, while curl holds the connection. */
int64_t fetch_cert_end(CURL *easy);                               /* UTC s, 0: unknown */
size_t fetch_cert_hash(CURL *easy, uint8_t out[FETCH_HASH_MAX]); /* 0: no TLS */

/* fetch_error.c */
enum fetch_err fetch_error_of(const struct fetch_slot *slot, CURLcode code);
void fetch_error_text(const struct fetch_slot *slot, CURLcode code, char *out, size_t size);
enum fetch_err fetch_error_of_connecting(const struct fetch_slot *slot, const char **ret_text);

#endif
