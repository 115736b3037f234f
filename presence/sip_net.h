/*
 * sip_net: SIP messages in and out over UDP, TCP and TLS (RFC 3261 18), for the outlet that publishes (pub_sip.c) and
 * the presence server (pub_sip_server.c). It knows no transactions: each whole message that came is handed over, what
 * is to be sent goes along a path.
 */
#ifndef PRESENCE_SIP_NET_H
#define PRESENCE_SIP_NET_H

#include "base/udp.h"
#include "sip_message.h"

struct loop;
struct pres_sip_net;
struct tls;

enum pres_sip_transport { PRES_SIP_UDP, PRES_SIP_TCP, PRES_SIP_TLS };

/* How a message came, or is to go. Plain data: a connection is named by its number, for it may be gone. */
struct pres_sip_path {
    enum pres_sip_transport transport;
    unsigned socket;      /* UDP: which of ours */
    uint64_t connection;  /* TCP, TLS */
    struct udp_peer peer; /* TCP, TLS: not for one that is not open yet */
};

/* Nothing comes before the starting call returned, nor after pres_sip_net_free. Each may close connections. */
struct pres_sip_net_handler {
    void (*message)(void *arg, const struct pres_sip_path *path, const struct pres_sip_message *m);
    void (*opened)(void *arg, uint64_t connection); /* one of pres_sip_net_connect; NULL: nobody cares */
    void (*lost)(void *arg, uint64_t connection, const char *code, const char *text); /* not by pres_sip_net_close */
    void (*room)(void *arg); /* after a send said false; NULL */
};

struct pres_sip_net_counts {
    uint64_t messages, malformed, refused;
    size_t connections;
};

struct pres_sip_net *pres_sip_net_new(struct loop *loop, const struct pres_sip_net_handler *handler, void *arg);
void pres_sip_net_free(struct pres_sip_net **n);

/* A UDP socket, numbered from 0 in this order; false with a sentence in why. */
bool pres_sip_net_bind(struct pres_sip_net *n, const char *host, unsigned port, char *why, size_t why_size);
/* A listening socket, for TCP, or for TLS with a context of tls_server_new. */
bool pres_sip_net_listen(struct pres_sip_net *n, const char *host, unsigned port, struct tls *tls, char *why,
                         size_t why_size);
unsigned pres_sip_net_port(const struct pres_sip_net *n, enum pres_sip_transport transport); /* of the first, 0: none */

/* To a name or address; what is sent meanwhile waits. tls_name: whom the certificate must name. */
uint64_t pres_sip_net_connect(struct pres_sip_net *n, const char *host, unsigned port, struct tls *tls,
                              const char *tls_name);
void pres_sip_net_close(struct pres_sip_net *n, uint64_t connection, const char *why);
/* Somebody's connection that we still need (by 1), or not any more (-1): those that nobody needs are closed when they
 * have been silent for some minutes. */
void pres_sip_net_need(struct pres_sip_net *n, uint64_t connection, int by);
bool pres_sip_net_alive(const struct pres_sip_net *n, uint64_t connection);

/* False: not sent (no such connection any more, or no room). */
bool pres_sip_net_send(struct pres_sip_net *n, const struct pres_sip_path *path, const void *data, size_t len);
size_t pres_sip_net_waiting(const struct pres_sip_net *n); /* bytes that no kernel has taken yet */

/* "127.0.0.1:5060": our own end of the path, for Via and Contact. Returns `out`. */
char *pres_sip_net_here(struct pres_sip_net *n, const struct pres_sip_path *path, char out[UDP_TEXT_MAX]);

const char *pres_sip_transport_name(enum pres_sip_transport t); /* "UDP" */
void pres_sip_net_count(const struct pres_sip_net *n, struct pres_sip_net_counts *ret);

#endif
