/*
 * auth: which ways of logging on a server offers, and which one we use. Called by the session with the answer to its
 * first, bare request; the chosen scheme's ops then make the credential of each request.
 *
 * Order is the account's own (`auth:` in the configuration, best first). A scheme that would show the password on the
 * line is passed over when the line is not private, whatever the server offers.
 */
#include "auth.h"

#include <stdio.h>

static const struct dav_auth_ops *const schemes[DAV_SCHEMES] = {
    [DAV_SCHEME_NEGOTIATE] = &dav_auth_negotiate,
    [DAV_SCHEME_NTLM] = &dav_auth_ntlm,
    [DAV_SCHEME_BASIC] = &dav_auth_basic,
    [DAV_SCHEME_FORMS] = &dav_auth_forms,
};

char *dav_auth_set_text(dav_auth_set set, char *out, size_t size)
{
    size_t len = 0;

    snprintf(out, size, "nothing");
    for (size_t i = 0; i < DAV_SCHEMES && len < size; i++)
        if (set & 1U << i)
            len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "",
                                    dav_scheme_name((enum dav_scheme)i));
    return out;
}

const struct dav_auth_ops *dav_auth_choose(const struct dav_account *account, dav_auth_set offered, dav_auth_set unfit,
                                           bool private_line, const char **ret_code)
{
    *ret_code = "auth-none-usable";
    for (size_t i = 0; i < account->auth_count; i++) {
        const struct dav_auth_ops *ops = schemes[account->auth[i]];

        if (!(offered & ~unfit & 1U << ops->scheme))
            continue;
        if (!ops->shows_secret || private_line)
            return ops;
        *ret_code = "auth-cleartext-refused";
    }
    for (size_t i = 0; i < account->auth_count; i++)
        if (account->auth[i] == DAV_SCHEME_NTLM && !(unfit & 1U << DAV_SCHEME_NTLM) &&
            offered & 1U << DAV_SCHEME_NEGOTIATE)
            return &dav_auth_ntlm;
    return NULL;
}

bool dav_auth_account_ok(const struct dav_account *account, char *why, size_t why_size)
{
    for (size_t i = 0; i < account->auth_count; i++) {
        const struct dav_auth_ops *ops = schemes[account->auth[i]];

        if (!ops->accepts(account->user, why, why_size))
            return false;
    }
    return true;
}
