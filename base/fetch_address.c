/*
 * fetch_address: where connections may lead. fetch_client.c asks before it opens a socket, when names have become
 * addresses: a name that somebody else owns may be any address at all.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "fetch_private.h"

static bool inner_v4(uint32_t address);
static bool inner_v6(const uint8_t bytes[16]);

bool fetch_address_allowed(const struct fetch_client *c, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in6 v6;
    struct sockaddr_in v4;
    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    } else if (address->sa_family == AF_INET6) {
        memcpy(&v6, address, sizeof v6);
        inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    }
    return text[0] && c->address_ok(c->address_arg, text);
}

bool fetch_address_is_inner(const char *address)
{
    struct in6_addr v6;
    struct in_addr v4;
    if (inet_pton(AF_INET, address, &v4) == 1)
        return inner_v4(ntohl(v4.s_addr));
    return inet_pton(AF_INET6, address, &v6) != 1 || inner_v6(v6.s6_addr);
}

static bool inner_v4(uint32_t a)
{
    return a >> 24 == 0 || a >> 24 == 127 || a >> 16 == 0xA9FE /* 169.254/16 */ ||
           a >> 28 >= 14 /* multicast and above */ ||
           a == 0x646464C8 /* 100.100.100.200, a cloud's metadata outside of the link */ ||
           a == 0xC00000C0 /* 192.0.0.192, another's */;
}

static bool inner_v6(const uint8_t b[16])
{
    static const uint8_t zero[12], mapped[12] = {[10] = 0xff, [11] = 0xff}, nat64[12] = {0, 0x64, 0xff, 0x9b},
                                   metadata[16] = {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54};
    uint32_t last = (uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 | b[15];
    uint32_t of_6to4 = (uint32_t)b[2] << 24 | (uint32_t)b[3] << 16 | (uint32_t)b[4] << 8 | b[5];
    if (memcmp(b, zero, sizeof zero) == 0) /* ::, ::1, and the old spelling of IPv4 */
        return last <= 1 || inner_v4(last);
    if (memcmp(b, mapped, sizeof mapped) == 0 || memcmp(b, nat64, sizeof nat64) == 0)
        return inner_v4(last);
    if (b[0] == 0x20 && b[1] == 0x02)
        return inner_v4(of_6to4);
    return b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) || memcmp(b, metadata, sizeof metadata) == 0;
}
