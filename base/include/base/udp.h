/*
 * udp: datagrams in and out on one socket, for SIP and for questions to name servers. What cannot be sent at once is
 * lost, as datagrams are: whoever needs an answer asks again.
 */
#ifndef BASE_UDP_H
#define BASE_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct loop;
struct udp;

#define UDP_TEXT_MAX 80

/* An address with its port. Made by udp_peer() or by a datagram that came. */
struct udp_peer {
    struct sockaddr_storage address;
    socklen_t len;
};

/* One datagram; `data` lives during the call, which may close the socket. */
typedef void udp_fn(void *arg, const struct udp_peer *from, const char *data, size_t len);

/*
 * Bound to a numeric address ("127.0.0.1", "::1", "0.0.0.0") and a port, 0: any. NULL with a sentence in why. `name`
 * (static text) is for warnings.
 */
struct udp *udp_open(struct loop *loop, const char *name, const char *host, unsigned port, udp_fn *fn, void *arg,
                     char *why, size_t why_size);
void udp_close(struct udp **u); /* no callback any more; NULL is fine */

unsigned udp_port(const struct udp *u);

/* False: the kernel took it not. */
bool udp_send(struct udp *u, const struct udp_peer *to, const void *data, size_t len);

/* A numeric address. */
bool udp_peer(struct udp_peer *ret, const char *host, unsigned port);
bool udp_peer_same(const struct udp_peer *a, const struct udp_peer *b);
unsigned udp_peer_port(const struct udp_peer *p);
/* "127.0.0.1" or "::1". Returns `out`. */
char *udp_peer_host(const struct udp_peer *p, char out[UDP_TEXT_MAX]);
/* "127.0.0.1:5060" or "[::1]:5060". */
char *udp_peer_text(const struct udp_peer *p, char out[UDP_TEXT_MAX]);

/* Which of our addresses that one sees, by the routing table; nothing is sent. False: no way leads there. */
bool udp_local(const struct udp_peer *to, char out[UDP_TEXT_MAX]);

#endif
