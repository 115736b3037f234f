/*
 * url: taking URLs apart and putting them together. Called by the session (origins, redirects) and by the flavours
 * (paths of mailboxes and calendars, hrefs of answers).
 *
 * Two kinds of text come in: names that we must escape from scratch (an address in a path) and paths that somebody else
 * escaped, more or less (hrefs, configured overrides), which are only mended.
 */
#include "url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

static bool parse_authority(const char *text, size_t len, struct dav_url *ret);
static bool parse_port(const char *text, size_t len, unsigned *ret);
static bool is_hex(char c);
static bool is_store_escape(const char *text);
static const char *store_escape(const char *text);
static bool path_char(char c);
static bool next_decoded(const char **p, char *ret);

bool dav_url_parse(const char *text, struct dav_url *ret)
{
    struct dav_url u = {.port = 80};
    const char *authority;
    size_t len;

    if (str_starts_nocase(text, "https://"))
        u.tls = true, u.port = 443, authority = text + strlen("https://");
    else if (str_starts_nocase(text, "http://"))
        authority = text + strlen("http://");
    else
        return false;
    len = strcspn(authority, "/?#");
    u.path = authority + len;
    if (!parse_authority(authority, len, &u) || strchr(u.path, '#') || strlen(u.path) > DAV_URL_PATH_MAX)
        return false;
    for (const char *p = u.path; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    *ret = u;
    return true;
}

bool dav_url_same_origin(const struct dav_url *a, const struct dav_url *b)
{
    return a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool dav_url_origin(const struct dav_url *u, struct buf *out)
{
    bool v6 = strchr(u->host, ':') != NULL;

    buf_addf(out, "%s://%s%s%s", u->tls ? "https" : "http", v6 ? "[" : "", u->host, v6 ? "]" : "");
    if (u->port != (u->tls ? 443U : 80U))
        buf_addf(out, ":%u", u->port);
    return !out->failed;
}

bool dav_url_is_loopback(const char *host)
{
    unsigned part[4];
    int end = -1;

    if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
        return true;
    /* only the full dotted form: "127.evil.example" is a name like any other */
    if (strspn(host, "0123456789.") != strlen(host) ||
        sscanf(host, "%3u.%3u.%3u.%3u%n", &part[0], &part[1], &part[2], &part[3], &end) != 4)
        return false;
    return end > 0 && host[end] == '\0' && part[0] == 127 && part[1] <= 255 && part[2] <= 255 && part[3] <= 255;
}

bool dav_url_add_segment(struct buf *out, const char *text)
{
    return str_percent_encode(out, text, strlen(text), "@");
}

bool dav_url_add_store_segment(struct buf *out, const char *text)
{
    for (; *text; text++) {
        const char *escape = store_escape(text);

        if (escape)
            buf_adds(out, escape);
        else
            str_percent_encode(out, text, 1, "@");
    }
    return !out->failed;
}

bool dav_url_add_path(struct buf *out, const char *text, size_t len)
{
    size_t before = out->len;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f)
            return false;
        if (path_char(text[i]) || (c == '%' && i + 2 < len && is_hex(text[i + 1]) && is_hex(text[i + 2])))
            buf_addc(out, text[i]);
        else
            buf_addf(out, "%%%02X", c);
    }
    return !out->failed && out->len - before <= DAV_URL_PATH_MAX;
}

bool dav_url_expand(struct buf *out, const char *base, const char *template, const char *address)
{
    size_t local = strcspn(address, "@");
    const char *domain = address[local] == '@' ? address + local + 1 : "";
    bool ok = template[0] == '/' || buf_adds(out, base);

    while (ok && *template != '\0') {
        size_t plain = strcspn(template, "{");

        ok = plain == 0 || dav_url_add_path(out, template, plain);
        template += plain;
        if (str_starts(template, "{address}"))
            ok = ok && str_percent_encode(out, address, strlen(address), "");
        else if (str_starts(template, "{local}"))
            ok = ok && str_percent_encode(out, address, local, "");
        else if (str_starts(template, "{domain}"))
            ok = ok && str_percent_encode(out, domain, strlen(domain), "");
        else if (*template == '{')
            return false;
        template += strcspn(template, "}");
        template += *template == '}';
    }
    return ok && out->len > 0;
}

bool dav_url_path_of(struct buf *out, const char *href, size_t len, bool folder)
{
    const char *end = href + len;
    const char *p = href;

    if (len >= 8 && (str_starts_nocase(href, "http://") || str_starts_nocase(href, "https://"))) {
        p = memchr(href, ':', len);
        for (p += 3; p < end && *p != '/'; p++)
            ;
    }
    if (p >= end || *p != '/' || !dav_url_add_path(out, p, (size_t)(end - p)))
        return false;
    if (folder && end[-1] != '/')
        buf_addc(out, '/');
    return !out->failed;
}

bool dav_url_path_equal(const char *a, const char *b)
{
    char ca = 0, cb = 0, last = 0;

    for (;;) {
        bool more_a = next_decoded(&a, &ca), more_b = next_decoded(&b, &cb);

        if (more_a && more_b && ca == cb) {
            last = ca;
            continue;
        }
        if (!more_a && !more_b)
            return true;
        /* one trailing slash more */
        if (more_a && !more_b)
            return ca == '/' && *a == '\0' && last != '/';
        if (more_b && !more_a)
            return cb == '/' && *b == '\0' && last != '/';
        return false;
    }
}

static bool parse_authority(const char *text, size_t len, struct dav_url *ret)
{
    const char *colon;
    size_t host_len = len;

    if (memchr(text, '@', len) || len == 0)
        return false;
    if (*text == '[') {
        const char *close = memchr(text, ']', len);

        if (!close || (close + 1 < text + len && close[1] != ':'))
            return false;
        colon = close + 1 < text + len ? close + 1 : NULL;
        text++;
        len--;
        host_len = (size_t)(close - text);
    } else {
        colon = memchr(text, ':', len);
        host_len = colon ? (size_t)(colon - text) : len;
    }
    if (colon && !parse_port(colon + 1, (size_t)(text + len - colon - 1), &ret->port))
        return false;
    if (host_len == 0 || host_len >= sizeof(ret->host))
        return false;
    for (size_t i = 0; i < host_len; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr("-._:", text[i]))
            return false;
        ret->host[i] = (char)tolower((unsigned char)text[i]);
    }
    ret->host[host_len] = '\0';
    return true;
}

static bool parse_port(const char *text, size_t len, unsigned *ret)
{
    unsigned port = 0;

    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    if (port == 0 || port > 65535)
        return false;
    *ret = port;
    return true;
}

static bool is_hex(char c)
{
    return isxdigit((unsigned char)c) != 0;
}

/* "_x1F3A_" */
static bool is_store_escape(const char *text)
{
    return text[0] == '_' && text[1] == 'x' && is_hex(text[2]) && is_hex(text[3]) && is_hex(text[4]) &&
           is_hex(text[5]) && text[6] == '_';
}

/* What the store wants instead of the character at `text`; NULL: the character itself. */
static const char *store_escape(const char *text)
{
    switch (*text) {
    case '/':
        return "_xF8FF_";
    case '\\':
        return "_xF8FE_";
    case '?':
        return "_x003F_";
    case '~':
        return "_x007E_";
    case '_':
        return is_store_escape(text) ? "_x005F_" : NULL;
    default:
        return NULL;
    }
}

/* What may stand raw in a path (RFC 3986 pchar, '/' and the '?' of a query), without '+' and '&', which some decoders
 * misread. */
static bool path_char(char c)
{
    return isalnum((unsigned char)c) ? (unsigned char)c < 0x80 : c != '\0' && strchr("-._~!$'()*,;:=@/?", c) != NULL;
}

static bool next_decoded(const char **p, char *ret)
{
    const char *s = *p;
    unsigned value;

    if (!*s)
        return false;
    if (s[0] == '%' && is_hex(s[1]) && is_hex(s[2]) && sscanf(s + 1, "%2x", &value) == 1) {
        *ret = (char)value;
        *p = s + 3;
    } else {
        *ret = *s;
        *p = s + 1;
    }
    return true;
}
