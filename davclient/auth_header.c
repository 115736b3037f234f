/*
 * auth_header: reads WWW-Authenticate (RFC 9110 11.6.1). A line lists challenges, each a scheme with either a token or
 * parameters, and the comma stands between all of them alike: "name=value" after a comma belongs to the challenge
 * before it, a bare word begins the next. Pure; the bytes come from strangers.
 */
#include "auth.h"

#include <string.h>

#include "base/fetch.h"
#include "base/str.h"

#define LINES_MAX 16
#define BETWEEN " \t,"
#define NAME_END " \t,=\""
#define TOKEN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"

static const char *skip_parameters(const char *p);
static bool is_parameter(const char *element);
static void take_token(const char *p, struct dav_challenge *ret);

bool dav_challenge_next(const char **line, struct dav_challenge *ret)
{
    const char *p = *line + strspn(*line, BETWEEN);

    while (*p && (is_parameter(p) || strcspn(p, NAME_END) == 0)) { /* of no challenge, or nothing at all */
        p = skip_parameters(p);
        p += strspn(p, BETWEEN);
    }
    if (!*p) {
        *line = p;
        return false;
    }
    *ret = (struct dav_challenge){.scheme = p, .scheme_len = strcspn(p, NAME_END), .token = ""};
    p += ret->scheme_len;
    take_token(p, ret);
    do {
        p = skip_parameters(p);
        *line = p;
        p += strspn(p, BETWEEN);
    } while (*p && is_parameter(p));
    return true;
}

bool dav_challenge_is(const struct dav_challenge *c, const char *scheme)
{
    return strlen(scheme) == c->scheme_len && str_starts_nocase(c->scheme, scheme);
}

dav_auth_set dav_auth_offered(const struct fetch *fetch, int status)
{
    dav_auth_set set = status == 440 ? 1U << DAV_SCHEME_FORMS : 0;
    const char *line;

    for (unsigned n = 0; n < LINES_MAX && (line = fetch_header(fetch, "WWW-Authenticate", n)); n++)
        set |= dav_auth_offered_by_line(line);
    return set;
}

dav_auth_set dav_auth_offered_by_line(const char *line)
{
    struct dav_challenge c;
    dav_auth_set set = 0;

    while (dav_challenge_next(&line, &c))
        for (size_t i = 0; i < DAV_SCHEMES; i++)
            if (dav_challenge_is(&c, dav_scheme_name((enum dav_scheme)i)))
                set |= 1U << i;
    return set & ~(1U << DAV_SCHEME_FORMS);
}

bool dav_auth_token(const struct fetch *fetch, const char *scheme, struct dav_challenge *ret)
{
    const char *line;

    for (unsigned n = 0; n < LINES_MAX && (line = fetch_header(fetch, "WWW-Authenticate", n)); n++)
        while (dav_challenge_next(&line, ret))
            if (dav_challenge_is(ret, scheme) && ret->token_len > 0)
                return true;
    return false;
}

static bool is_parameter(const char *element)
{
    const char *p = element + strcspn(element, NAME_END);

    return p > element && p[strspn(p, " \t")] == '=';
}

/* What stands behind a scheme is a token when nothing else follows up to the comma. */
static void take_token(const char *p, struct dav_challenge *ret)
{
    size_t len;

    p += strspn(p, " \t");
    len = strspn(p, TOKEN);
    if (len > 0)
        len += strspn(p + len, "=");
    if (len == 0 || (p[len] && !strchr(BETWEEN, p[len])))
        return;
    if (!strchr(",", p[len + strspn(p + len, " \t")]))
        return;
    ret->token = p;
    ret->token_len = len;
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
