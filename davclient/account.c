/*
 * account: the names of the authentication schemes as configuration, status and log spell them. Called by the configuration's reader and
 * by auth.c.
 */
#include "davclient/account.h"

#include <string.h>

static const char *const names[DAV_SCHEMES] = {
    [DAV_SCHEME_NEGOTIATE] = "negotiate",
    [DAV_SCHEME_NTLM] = "ntlm",
    [DAV_SCHEME_BASIC] = "basic",
    [DAV_SCHEME_FORMS] = "forms",
};

const char *dav_scheme_name(enum dav_scheme scheme)
{
    return names[scheme];
}

bool dav_scheme_parse(const char *name, enum dav_scheme *ret)
{
    for (size_t i = 0; i < DAV_SCHEMES; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum dav_scheme)i;
            return true;
        }
    }
    return false;
}
