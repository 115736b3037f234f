/*
 * sip_head: see sip_head.h. sip_net.c cuts what comes from streams and datagrams here; sip_message.c reads the heads.
 */
#include "sip_head.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

static bool head_end(const char *data, size_t len, size_t *ret_len, size_t *ret_body);
static bool body_length(const char *head, size_t len, bool *ret_told, size_t *ret_len);
static bool is_length(const char *line, size_t len, const char **ret_value);
static bool digits(const char *text, const char *end, size_t *ret);
static bool line_next(const char **at, const char *end, const char **ret_line, size_t *ret_len);
static bool header_add(struct pres_sip_head *h, struct arena *a, const char *line, size_t len);
static const char *written_out(const char *name);

enum pres_sip_cut pres_sip_cut(const char *data, size_t len, bool stream, struct pres_sip_extent *ret)
{
    size_t blanks = 0, head_len, body, told = 0;
    bool is_told = false;
    memset(ret, 0, sizeof *ret);
    while (blanks < len && (data[blanks] == '\r' || data[blanks] == '\n'))
        blanks++;
    if (blanks > 0 && (stream || blanks == len)) { /* of its own, so that a stream's ping is answered at once */
        ret->end = blanks;
        ret->double_ping = blanks >= 4;
        return PRES_SIP_EMPTY;
    }
    if (len == 0)
        return stream ? PRES_SIP_MORE : PRES_SIP_EMPTY;
    if (!head_end(data + blanks, len - blanks, &head_len, &body))
        return stream && len < PRES_SIP_HEAD_MAX ? PRES_SIP_MORE : PRES_SIP_BAD;
    if (head_len > PRES_SIP_HEAD_MAX || !body_length(data + blanks, head_len, &is_told, &told) ||
        told > PRES_SIP_BODY_MAX)
        return PRES_SIP_BAD;
    ret->head = blanks;
    ret->head_len = head_len;
    ret->body = blanks + body;
    size_t there = len - ret->body;
    if (told > there)
        return stream ? PRES_SIP_MORE : PRES_SIP_BAD; /* RFC 3261 18.3: a datagram that is short was torn */
    ret->body_len = is_told || stream ? told : there;
    ret->end = stream ? ret->body + ret->body_len : len;
    return ret->body_len > PRES_SIP_BODY_MAX ? PRES_SIP_BAD : PRES_SIP_WHOLE;
}

bool pres_sip_head_read(struct pres_sip_head *ret, struct arena *a, const char *head, size_t len)
{
    const char *at = head, *end = head + len, *line;
    size_t line_len;
    ret->count = 0;
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)head[i] < ' ' && !strchr("\t\r\n", head[i])) || head[i] == 0 || head[i] == 0x7f)
            return false;
    if (!line_next(&at, end, &line, &line_len) || line_len < 12)
        return false;
    ret->start_line = arena_strndup(a, line, line_len);
    while (line_next(&at, end, &line, &line_len))
        if (!header_add(ret, a, line, line_len))
            return false;
    return ret->start_line && ret->count > 0;
}

const char *pres_sip_head_get(const struct pres_sip_head *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++)
        if (str_eq_nocase(h->headers[i].name, name))
            return h->headers[i].value;
    return NULL;
}

/* The empty line, with CRLF or, as old phones wrote it, LF alone. */
static bool head_end(const char *data, size_t len, size_t *ret_len, size_t *ret_body)
{
    for (const char *p = data; (p = memchr(p, '\n', len - (size_t)(p - data))); p++) {
        size_t next = (size_t)(p - data) + 1;
        bool crlf = next + 1 < len && data[next] == '\r' && data[next + 1] == '\n';
        if (crlf || (next < len && data[next] == '\n')) {
            *ret_len = next;
            *ret_body = next + (crlf ? 2 : 1);
            return true;
        }
        if (next > PRES_SIP_HEAD_MAX)
            return false;
    }
    return false;
}

/* False: it is no number, or is told twice and differently: then somebody means to smuggle. */
static bool body_length(const char *head, size_t len, bool *ret_told, size_t *ret_len)
{
    const char *at = head, *line, *value;
    size_t line_len, n;
    while (line_next(&at, head + len, &line, &line_len)) {
        if (!is_length(line, line_len, &value))
            continue;
        if (!digits(value, line + line_len, &n) || (*ret_told && n != *ret_len))
            return false;
        *ret_told = true;
        *ret_len = n;
    }
    return true;
}

static bool is_length(const char *line, size_t len, const char **ret_value)
{
    const char *colon = memchr(line, ':', len);
    size_t name = colon ? (size_t)(colon - line) : 0;
    while (name > 0 && (line[name - 1] == ' ' || line[name - 1] == '\t'))
        name--;
    if (!(name == 1 && (line[0] == 'l' || line[0] == 'L')) &&
        !(name == 14 && str_find_nocase(line, 14, "content-length") == line))
        return false;
    *ret_value = colon + 1;
    return true;
}

static bool digits(const char *text, const char *end, size_t *ret)
{
    size_t len = (size_t)(end - text), n = 0;
    text = str_trim(text, &len);
    if (len == 0 || len > 9)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        n = 10 * n + (size_t)(text[i] - '0');
    }
    *ret = n;
    return true;
}

/* A logical line: with those that continue it. */
static bool line_next(const char **at, const char *end, const char **ret_line, size_t *ret_len)
{
    const char *p = *at;
    if (p >= end)
        return false;
    *ret_line = p;
    do {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        p = newline ? newline + 1 : end;
    } while (p < end && (*p == ' ' || *p == '\t'));
    *at = p;
    size_t len = (size_t)(p - *ret_line);
    while (len > 0 && ((*ret_line)[len - 1] == '\n' || (*ret_line)[len - 1] == '\r'))
        len--;
    *ret_len = len;
    return true;
}

static bool header_add(struct pres_sip_head *h, struct arena *a, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon ? (size_t)(colon - line) : 0, value_len = colon ? len - name_len - 1 : 0;
    if (!colon || h->count == PRES_SIP_HEADERS_MAX)
        return false;
    const char *name = str_trim(line, &name_len), *value = str_trim(colon + 1, &value_len);
    for (size_t i = 0; i < name_len; i++)
        if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] > '~')
            return false;
    char *name_copy = arena_strndup(a, name, name_len), *value_copy = arena_strndup(a, value, value_len);
    if (name_len == 0 || !name_copy || !value_copy)
        return false;
    for (char *p = value_copy; *p; p++)
        if (*p == '\r' || *p == '\n' || *p == '\t')
            *p = ' ';
    h->headers[h->count++] = (struct pres_sip_header){written_out(name_copy), value_copy};
    return true;
}

static const char *written_out(const char *name)
{
    static const struct {
        char compact;
        const char *name;
    } names[] = {{'v', "Via"},          {'f', "From"},     {'t', "To"},           {'i', "Call-ID"},
                 {'m', "Contact"},      {'o', "Event"},    {'u', "Allow-Events"}, {'l', "Content-Length"},
                 {'c', "Content-Type"}, {'k', "Supported"}};
    for (size_t i = 0; name[1] == '\0' && i < sizeof names / sizeof names[0]; i++)
        if ((name[0] | 0x20) == names[i].compact)
            return names[i].name;
    return name;
}
