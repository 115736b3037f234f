/*
 * who_net: see who_net.h. Which network a proxy is in, and whose failures are counted together: a host has a whole /64
 * of IPv6 to come from.
 */
#include "who_net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { V4_PREFIX = 96, ONE_PLACE = 64 };

static bool parse_host(const char *host, struct gw_net *ret, bool *ret_v4);
static void keep_bits(struct gw_net *net);

bool gw_net_parse(const char *text, struct gw_net *ret)
{
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    bool v4;
    int64_t bits;
    if (len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    if (!parse_host(host, ret, &v4))
        return false;
    if (!slash)
        return true;
    if (!str_to_int(slash + 1, 0, v4 ? 32 : 128, &bits))
        return false;
    ret->bits = (unsigned)bits + (v4 ? V4_PREFIX : 0);
    keep_bits(ret);
    return true;
}

bool gw_net_peer(const char *peer, struct gw_net *ret)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(peer, ':');
    bool v4;
    if (!colon || (size_t)(colon - peer) >= sizeof host)
        return false;
    size_t len = (size_t)(colon - peer), brackets = peer[0] == '[' ? 1 : 0;
    if (len <= 2 * brackets)
        return false;
    memcpy(host, peer + brackets, len - 2 * brackets);
    host[len - 2 * brackets] = '\0';
    return parse_host(host, ret, &v4);
}

bool gw_net_has(const struct gw_net *net, const struct gw_net *address)
{
    struct gw_net masked = *address;
    masked.bits = net->bits;
    keep_bits(&masked);
    return memcmp(masked.bytes, net->bytes, sizeof net->bytes) == 0;
}

void gw_net_neighbourhood(const char *peer, char out[GW_NET_TEXT_MAX])
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};
    struct gw_net net;
    if (!gw_net_peer(peer, &net)) {
        snprintf(out, GW_NET_TEXT_MAX, "%s", peer);
        return;
    }
    if (memcmp(net.bytes, v4, sizeof v4) != 0) {
        net.bits = ONE_PLACE;
        keep_bits(&net);
    }
    inet_ntop(AF_INET6, net.bytes, out, GW_NET_TEXT_MAX);
}

static bool parse_host(const char *host, struct gw_net *ret, bool *ret_v4)
{
    *ret = (struct gw_net){.bits = 128};
    *ret_v4 = inet_pton(AF_INET, host, ret->bytes + 12) == 1;
    if (*ret_v4)
        ret->bytes[10] = ret->bytes[11] = 0xFF;
    return *ret_v4 || inet_pton(AF_INET6, host, ret->bytes) == 1;
}

static void keep_bits(struct gw_net *net)
{
    for (unsigned i = 0; i < sizeof net->bytes; i++) {
        unsigned kept = net->bits <= i * 8 ? 0 : net->bits >= i * 8 + 8 ? 8 : net->bits - i * 8;
        net->bytes[i] = (uint8_t)(net->bytes[i] & (0xFF00 >> kept));
    }
}
