/*
 * ical_lines: content lines (RFC 5545 3.1). A line that means nothing to us (most of them: titles, descriptions,
 * alarms' texts) is recognised by its name and passed over without being copied or unfolded; one that does is unfolded
 * into a bounded buffer, or used where it stands when it is not folded.
 *
 * Forgiving where servers are careless (LF alone, a missing last line end), strict where a guess could lose an event.
 */
#include <string.h>
#include <strings.h>

#include "ical_parts.h"

#define LINE_MAX_BYTES (256 * 1024) /* an EXDATE list of some ten thousand dates */

static const struct {
    const char *name;
    size_t len;
} names[] = {
#define NAME(prop, text) [prop] = {text, sizeof(text) - 1}
    NAME(DAV_PROP_BEGIN, "BEGIN"),
    NAME(DAV_PROP_END, "END"),
    NAME(DAV_PROP_UID, "UID"),
    NAME(DAV_PROP_DTSTART, "DTSTART"),
    NAME(DAV_PROP_DTEND, "DTEND"),
    NAME(DAV_PROP_DURATION, "DURATION"),
    NAME(DAV_PROP_RRULE, "RRULE"),
    NAME(DAV_PROP_EXRULE, "EXRULE"),
    NAME(DAV_PROP_RDATE, "RDATE"),
    NAME(DAV_PROP_EXDATE, "EXDATE"),
    NAME(DAV_PROP_RECURRENCE_ID, "RECURRENCE-ID"),
    NAME(DAV_PROP_STATUS, "STATUS"),
    NAME(DAV_PROP_TRANSP, "TRANSP"),
    NAME(DAV_PROP_CLASS, "CLASS"),
    NAME(DAV_PROP_SEQUENCE, "SEQUENCE"),
    NAME(DAV_PROP_ORGANIZER, "ORGANIZER"),
    NAME(DAV_PROP_ATTENDEE, "ATTENDEE"),
    NAME(DAV_PROP_BUSYSTATUS, "X-MICROSOFT-CDO-BUSYSTATUS"),
    NAME(DAV_PROP_INTENDEDSTATUS, "X-MICROSOFT-CDO-INTENDEDSTATUS"),
    NAME(DAV_PROP_ALLDAYEVENT, "X-MICROSOFT-CDO-ALLDAYEVENT"),
    NAME(DAV_PROP_FREEBUSY, "FREEBUSY"),
    NAME(DAV_PROP_TZID, "TZID"),
    NAME(DAV_PROP_TZOFFSETFROM, "TZOFFSETFROM"),
    NAME(DAV_PROP_TZOFFSETTO, "TZOFFSETTO"),
    NAME(DAV_PROP_BUSYTYPE, "BUSYTYPE"),
    NAME(DAV_PROP_PRIORITY, "PRIORITY"),
    NAME(DAV_PROP_CATEGORIES, "CATEGORIES"),
#undef NAME
};

struct piece {
    const char *at;
    size_t len;
};

static struct piece take_physical(struct dav_lines *l);
static bool next_is_folded(const struct dav_lines *l);
static bool unfold(struct dav_lines *l, struct piece *line);
static size_t name_length(const struct piece *line);
static bool find_prop(const char *name, size_t len, enum dav_prop *ret);
static void split(const struct piece *line, size_t name_len, struct dav_line *ret);

void dav_lines_init(struct dav_lines *l, const char *text, size_t len)
{
    l->at = text;
    l->end = text + len;
    l->line_start = text;
    buf_init(&l->unfolded, LINE_MAX_BYTES);
}

void dav_lines_free(struct dav_lines *l)
{
    buf_free(&l->unfolded);
}

const char *dav_lines_name(enum dav_prop prop)
{
    return names[prop].name;
}

bool dav_lines_next(struct dav_lines *l, struct dav_line *ret)
{
    while (l->at < l->end) {
        struct piece line;
        size_t name_len;
        bool whole = true;

        l->line_start = l->at;
        line = take_physical(l);
        name_len = name_length(&line);
        /* A name may be cut by a fold itself, so a line is passed over only when its name is complete. */
        if (name_len < line.len && !find_prop(line.at, name_len, &ret->prop)) {
            while (next_is_folded(l))
                take_physical(l);
            continue;
        }
        if (next_is_folded(l))
            whole = unfold(l, &line);
        name_len = name_length(&line);
        if (!find_prop(line.at, name_len, &ret->prop))
            continue;
        split(&line, name_len, ret);
        ret->broken = ret->broken || !whole;
        return true;
    }
    return false;
}

const char *dav_line_param(const struct dav_line *line, const char *name, size_t *ret_len)
{
    const char *at = line->params, *end = line->params + line->params_len;
    size_t name_len = strlen(name);

    while (at < end && *at == ';') {
        const char *key = ++at, *value;
        bool quoted = false, found;

        while (at < end && *at != '=' && *at != ';')
            at++;
        found = (size_t)(at - key) == name_len && strncasecmp(key, name, name_len) == 0;
        value = at < end && *at == '=' ? ++at : at;
        for (; at < end && (quoted || *at != ';'); at++)
            if (*at == '"')
                quoted = !quoted;
        if (!found)
            continue;
        *ret_len = (size_t)(at - value);
        if (*ret_len >= 2 && value[0] == '"' && at[-1] == '"') {
            value++;
            *ret_len -= 2;
        }
        return value;
    }
    return NULL;
}

bool dav_line_param_is(const struct dav_line *line, const char *name, const char *value)
{
    size_t len;
    const char *found = dav_line_param(line, name, &len);

    return found != NULL && len == strlen(value) && strncasecmp(found, value, len) == 0;
}

bool dav_line_value_is(const struct dav_line *line, const char *value)
{
    return line->value_len == strlen(value) && strncasecmp(line->value, value, line->value_len) == 0;
}

/* Up to the line end, which is dropped. */
static struct piece take_physical(struct dav_lines *l)
{
    struct piece line = {l->at, 0};
    const char *end = memchr(l->at, '\n', (size_t)(l->end - l->at));

    l->at = end != NULL ? end + 1 : l->end;
    if (end == NULL)
        end = l->end;
    if (end > line.at && end[-1] == '\r')
        end--;
    line.len = (size_t)(end - line.at);
    return line;
}

static bool next_is_folded(const struct dav_lines *l)
{
    return l->at < l->end && (*l->at == ' ' || *l->at == '\t');
}

static bool unfold(struct dav_lines *l, struct piece *line)
{
    bool whole;

    buf_reset(&l->unfolded);
    whole = buf_add(&l->unfolded, line->at, line->len);
    while (next_is_folded(l)) {
        struct piece more = take_physical(l);

        whole = whole && buf_add(&l->unfolded, more.at + 1, more.len - 1);
    }
    line->at = l->unfolded.data;
    line->len = l->unfolded.len;
    return whole;
}

static size_t name_length(const struct piece *line)
{
    size_t i = 0;

    while (i < line->len && line->at[i] != ':' && line->at[i] != ';')
        i++;
    return i;
}

static bool find_prop(const char *name, size_t len, enum dav_prop *ret)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].len == len && strncasecmp(names[i].name, name, len) == 0) {
            *ret = (enum dav_prop)i;
            return true;
        }
    }
    return false;
}

/* A colon inside quotes belongs to a parameter. */
static void split(const struct piece *line, size_t name_len, struct dav_line *ret)
{
    const char *at = line->at + name_len, *end = line->at + line->len;
    bool quoted = false;

    ret->params = at;
    for (; at < end && (quoted || *at != ':'); at++)
        if (*at == '"')
            quoted = !quoted;
    ret->params_len = (size_t)(at - ret->params);
    ret->broken = at == end;
    ret->value = at == end ? end : at + 1;
    ret->value_len = (size_t)(end - ret->value);
    while (ret->value_len > 0 && (ret->value[ret->value_len - 1] == ' ' || ret->value[ret->value_len - 1] == '\t'))
        ret->value_len--;
}
