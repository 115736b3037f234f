/*
 * auth: which ways of logging on a server offers, and which one we use. Called by the session with the answer to its
 * first, bare request; the chosen scheme's ops then make the credential of each request.
 *
 * Order is the account's own (`auth:` in the configuration, best first). A scheme that would show the password on the
 * line is passed over when the line is not private, whatever the server offers.
 */
#include "auth.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/fetch.h"
#include "base/str.h"

/* Those this program speaks; NULL: not yet. */
static const struct dav_auth_ops *const schemes[DAV_SCHEMES] = {
    [DAV_SCHEME_BASIC] = &dav_auth_basic,
};

static const char *skip_parameters(const char *p);

dav_auth_set dav_auth_offered(const struct fetch *fetch, int status)
{
    dav_auth_set set = status == 440 ? 1U << DAV_SCHEME_FORMS : 0;
    const char *line;

    for (unsigned n = 0; n < 16 && (line = fetch_header(fetch, "WWW-Authenticate", n)); n++)
        set |= dav_auth_offered_by_line(line);
    return set;
}

dav_auth_set dav_auth_offered_by_line(const char *line)
{
    dav_auth_set set = 0;

    while (*line) {
        size_t len;

        line += strspn(line, " \t,");
        len = strcspn(line, " \t,=\"");
        for (size_t i = 0; len > 0 && i < DAV_SCHEMES; i++) {
            const char *name = dav_scheme_name((enum dav_scheme)i);

            if (strlen(name) == len && str_starts_nocase(line, name) && line[len] != '=')
                set |= 1U << i;
        }
        line = skip_parameters(line + len);
    }
    return set & ~(1U << DAV_SCHEME_FORMS);
}

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

const struct dav_auth_ops *dav_auth_choose(const struct dav_account *account, dav_auth_set offered, bool private_line,
                                           const char **ret_code)
{
    *ret_code = "auth-none-usable";
    for (size_t i = 0; i < account->auth_count; i++) {
        const struct dav_auth_ops *ops = schemes[account->auth[i]];

        if (!ops || !(offered & 1U << ops->scheme))
            continue;
        if (!ops->shows_secret || private_line)
            return ops;
        *ret_code = "auth-cleartext-refused";
    }
    return NULL;
}

bool dav_auth_account_ok(const struct dav_account *account, char *why, size_t why_size)
{
    for (size_t i = 0; i < account->auth_count; i++) {
        const struct dav_auth_ops *ops = schemes[account->auth[i]];

        if (ops && !ops->accepts(account->user, why, why_size))
            return false;
    }
    return true;
}

/* To the next comma outside of quotes. */
static const char *skip_parameters(const char *p)
{
    for (bool quoted = false; *p && (quoted || *p != ','); p++) {
        if (quoted && *p == '\\' && p[1])
            p++;
        else if (*p == '"')
            quoted = !quoted;
    }
    return p;
}
