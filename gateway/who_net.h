/*
 * who_net: addresses of peers and networks.
 */
#ifndef GATEWAY_WHO_NET_H
#define GATEWAY_WHO_NET_H

#include <stdbool.h>
#include <stdint.h>

/* IPv4 is written as ::ffff:a.b.c.d, so that there is one kind. */
struct gw_net {
    uint8_t bytes[16];
    unsigned bits;
};

/* "10.0.0.0/8", "192.0.2.7", "2001:db8::/32". */
bool gw_net_parse(const char *text, struct gw_net *ret);

/* As httpd_peer() writes it: "127.0.0.1:4711", "[::1]:4711". False: neither ("unix"). */
bool gw_net_peer(const char *peer, struct gw_net *ret);
bool gw_net_has(const struct gw_net *net, const struct gw_net *address);

/* What one subscriber of a provider has: an IPv4 address, the first 64 bits of an IPv6 one. As text. */
enum { GW_NET_TEXT_MAX = 64 };
void gw_net_neighbourhood(const char *peer, char out[GW_NET_TEXT_MAX]);

#endif
