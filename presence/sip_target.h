/*
 * sip_target: from a server's URI to hosts, ports and transports, best first (RFC 3263).
 */
#ifndef PRESENCE_SIP_TARGET_H
#define PRESENCE_SIP_TARGET_H

#include "base/srv.h"
#include "sip_net.h"

enum { PRES_SIP_TARGETS_MAX = 16 };

struct pres_sip_server {
    char host[SRV_NAME_MAX]; /* whom a certificate must name, too */
    unsigned port;           /* 0: none was told */
    bool secure, transport_told, numeric;
    enum pres_sip_transport transport;
};

/* "sip:example.com", "sips:example.com:5061", "sip:[::1]:5060;transport=tcp". NULL, or what is wrong. */
const char *pres_sip_server_parse(const char *uri, struct pres_sip_server *ret);

struct pres_sip_target {
    enum pres_sip_transport transport;
    char host[SRV_NAME_MAX];
    unsigned port;
};

struct pres_sip_search;
/* count 0: the name servers are silent. Once, from the loop; the search is gone then. */
typedef void pres_sip_targets_fn(void *arg, const struct pres_sip_target *targets, size_t count);

struct pres_sip_search *pres_sip_search_new(struct loop *loop, const struct pres_sip_server *server,
                                            const char *name_server, pres_sip_targets_fn *fn, void *arg);
void pres_sip_search_cancel(struct pres_sip_search **s); /* NULL is fine */

#endif
