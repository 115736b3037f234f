/*
 * io: one outgoing byte stream over TCP, with or without TLS: XMPP, SIP over TCP. The name is resolved without
 * blocking, the connection stands or fails within a deadline, what waits to be sent has a ceiling, and reading never
 * pauses while something is written: a peer that waits for us to read would otherwise wait for ever.
 *
 * Callbacks come from the loop, never before io_open returned, never after io_close returned. `end` comes once at most,
 * and is the last; the stream must still be closed then. Each callback may call io_close.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io;
struct loop;
struct tls;
struct udp_peer;

enum io_end {
    IO_CLOSED,    /* the peer closed in good order */
    IO_RESET,     /* the connection broke */
    IO_REFUSED,   /* nobody listens */
    IO_TIMEOUT,   /* not connected in time, or the peer took nothing for stall_ms */
    IO_NO_NAME,   /* the host's name does not exist */
    IO_NAME_LATE, /* no name server answered */
    IO_TLS,       /* the handshake failed, or the certificate is not good */
};

struct io_handler {
    void (*open)(void *arg); /* connected; with TLS the peer has proved its name */
    void (*data)(void *arg, const char *data, size_t len);
    void (*room)(void *arg); /* after io_write said false: half of the ceiling is free again; NULL: not needed */
    void (*end)(void *arg, enum io_end why, const char *text); /* text: printable evidence, valid during the call */
};

/* Everything is copied but `tls`, which must outlive the stream. Zero means the default in brackets. */
struct io_settings {
    const char *name; /* for log lines */
    const char *host; /* a name or a numeric address */
    unsigned port;
    int64_t connect_ms;   /* name, TCP and TLS together [10 000] */
    int64_t stall_ms;     /* bytes wait and the peer takes none of them for so long [30 000] */
    size_t max_output;    /* bytes that may wait to be sent [2 MiB] */
    struct tls *tls;      /* NULL: plain */
    const char *tls_name; /* whom the certificate must name [host] */
};

struct io *io_open(struct loop *loop, const struct io_settings *settings, const struct io_handler *handler, void *arg);

/* Silently, without waiting for what was written. NULL is fine. */
void io_close(struct io **io);

/* All of it, or false and nothing: the ceiling is reached (wait for `room`), or the stream is not open. */
bool io_write(struct io *io, const void *data, size_t len);

/* Bytes written that the kernel has not taken yet. */
size_t io_waiting(const struct io *io);

/* "tcp-refused", "dns-not-found" ...: the code of the check. */
const char *io_end_code(enum io_end why);

/* "127.0.0.1:5347", "[::1]:5347", "im.example.com:5347": host (with room for host_size) and port. False: none of these.
 */
bool io_parse_server(const char *text, char *ret_host, size_t host_size, unsigned *ret_port);

/*
 * The first address of a host's name, without blocking, for those who cannot hand the name to io_open. `address` is
 * numeric, NULL when there is none (`why`, with words in text). The callback comes once, from the loop, and the search
 * is gone then; not after io_name_cancel.
 */
struct io_name;
typedef void io_name_fn(void *arg, const char *address, enum io_end why, const char *text);
struct io_name *io_name_find(struct loop *loop, const char *host, io_name_fn *fn, void *arg);
void io_name_cancel(struct io_name **n); /* NULL is fine */

/* The addresses of both ends of a stream that is open. */
bool io_local(const struct io *io, struct udp_peer *ret);
bool io_remote(const struct io *io, struct udp_peer *ret);

/*
 * The other direction: a socket at which strangers connect. Each is an arrival; whoever wants the stream takes it
 * inside the callback, else it is hung up on. A stream taken is like one of io_open: `open` comes when it is ready
 * (with TLS, when the handshake is done), settings' host and port are ours to choose (for the log), tls is one of
 * tls_server_new.
 */
struct io_listener;
struct io_arrival;
typedef void io_arrived_fn(void *arg, struct io_arrival *arrival);
/* At a numeric address; port 0: any. NULL with a sentence in why. */
struct io_listener *io_listen(struct loop *loop, const char *name, const char *host, unsigned port, io_arrived_fn *fn,
                              void *arg, char *why, size_t why_size);
void io_listen_close(struct io_listener **l); /* streams taken live on; NULL is fine */
unsigned io_listen_port(const struct io_listener *l);
const struct udp_peer *io_arrival_from(const struct io_arrival *a);
struct io *io_take(struct io_arrival *a, const struct io_settings *settings, const struct io_handler *handler,
                   void *arg);

#endif
