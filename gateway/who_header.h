/*
 * who_header: what a client says of itself in the Authorization header.
 */
#ifndef GATEWAY_WHO_HEADER_H
#define GATEWAY_WHO_HEADER_H

#include <stdbool.h>
#include <stddef.h>

enum gw_auth_kind {
    GW_AUTH_BAD,    /* neither of the two, or broken */
    GW_AUTH_BEARER, /* a token */
    GW_AUTH_BASIC,  /* a name and a password */
};

enum { GW_AUTH_NAME_MAX = 320, GW_AUTH_SECRET_MAX = 512 };

struct gw_auth {
    enum gw_auth_kind kind;
    char name[GW_AUTH_NAME_MAX + 1];
    char secret[GW_AUTH_SECRET_MAX + 1];
    size_t secret_len;
};

/* To be wiped by the caller afterwards. */
enum gw_auth_kind gw_auth_parse(const char *header, struct gw_auth *ret);

#endif
