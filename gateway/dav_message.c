/*
 * dav_message: see dav_message.h. A reader of content lines (RFC 5545 3.1) that knows seven of them. It is strict: what
 * a stranger posts here is either the one question that we answer, or refused as a whole. Components other than
 * VFREEBUSY (a VTIMEZONE that nobody needs) are passed over, to a small depth.
 */
#include "dav_message.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/utc.h"

enum { VALUE_MAX = 1024, DEPTH_MAX = 8 };

enum prop { BEGIN, END, METHOD, UID, ORGANIZER, ATTENDEE, DTSTART, DTEND, OTHER };
static const char *const names[OTHER] = {"BEGIN", "END", "METHOD", "UID", "ORGANIZER", "ATTENDEE", "DTSTART", "DTEND"};

struct line {
    enum prop prop;
    const char *params, *value;
    size_t params_len, value_len;
};

struct reader {
    struct arena *arena;
    struct gw_dav_message *message;
    const char *why;
    unsigned depth;    /* components that are open */
    unsigned freebusy; /* VFREEBUSY seen */
    bool in_freebusy, request, has_start, has_end, ended, too_many, broken;
};

static bool unfold(struct buf *out, const char *text, size_t len);
static bool split(const char *text, size_t len, struct line *ret);
static bool take(struct reader *r, const struct line *line);
static bool take_begin(struct reader *r, const struct line *line);
static bool take_end(struct reader *r, const struct line *line);
static bool take_property(struct reader *r, const struct line *line);
static bool take_time(struct reader *r, const struct line *line, int64_t *ret, bool *have);
static bool value_is(const struct line *line, const char *text);
static const char *copy(struct reader *r, const struct line *line);
static bool wrong(struct reader *r, const char *why);
static bool broken(struct reader *r, const char *why);
static bool complete(struct reader *r);

enum gw_dav_message_result gw_dav_message_read(const char *text, size_t len, struct arena *arena,
                                               struct gw_dav_message *ret, const char **ret_why)
{
    struct reader r = {.arena = arena, .message = ret};
    struct buf lines;
    bool ok;
    memset(ret, 0, sizeof *ret);
    ret->uid = ret->organizer = "";
    buf_init(&lines, GW_DAV_MESSAGE_MAX);
    ok = (str_is_utf8(text, len) && unfold(&lines, text, len)) ||
         broken(&r, "This is no iCalendar text, or more of it than a question needs.");
    for (const char *at = lines.data, *end = lines.data + lines.len; ok && at < end;) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        size_t line_len = (size_t)((eol ? eol : end) - at);
        struct line line;
        if (line_len > 0)
            ok = split(at, line_len, &line) ? take(&r, &line) : broken(&r, "A line has no name or no value.");
        at += line_len + 1;
    }
    ok = ok && complete(&r);
    buf_free(&lines);
    *ret_why = r.why;
    if (ok)
        return GW_DAV_MESSAGE_OK;
    return r.too_many ? GW_DAV_MESSAGE_TOO_MANY : r.broken ? GW_DAV_MESSAGE_BROKEN : GW_DAV_MESSAGE_WRONG;
}

const char *gw_dav_mailbox(const char *uri, struct arena *arena)
{
    const char *rest = str_starts_nocase(uri, "mailto:") ? uri + 7 : uri, *found = NULL;
    struct buf b;
    buf_init(&b, VALUE_MAX);
    if (str_percent_decode(&b, rest, strlen(rest)) && str_is_utf8(b.data, b.len) && strchr(b.data, '@'))
        found = arena_strndup(arena, b.data, b.len);
    buf_free(&b);
    return found;
}

/* Each line on a line of its own that ends in LF alone; no other control character but TAB may be there. */
static bool unfold(struct buf *out, const char *text, size_t len)
{
    size_t done = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c >= ' ' && c != 0x7f) || c == '\t')
            continue;
        size_t eol = c == '\r' && i + 1 < len ? i + 1 : i;
        if (text[eol] != '\n')
            return false;
        buf_add(out, text + done, i - done);
        bool folded = eol + 1 < len && (text[eol + 1] == ' ' || text[eol + 1] == '\t');
        if (!folded)
            buf_addc(out, '\n');
        i = folded ? eol + 1 : eol;
        done = i + 1;
    }
    buf_add(out, text + done, len - done);
    return !out->failed;
}

/* A colon inside quotes belongs to a parameter. */
static bool split(const char *text, size_t len, struct line *ret)
{
    size_t name = 0, colon;
    bool quoted = false;
    while (name < len && text[name] != ';' && text[name] != ':')
        name++;
    for (colon = name; colon < len && (quoted || text[colon] != ':'); colon++)
        quoted ^= text[colon] == '"';
    if (name == 0 || colon == len)
        return false;
    ret->prop = OTHER;
    for (int i = 0; i < OTHER; i++)
        if (strlen(names[i]) == name && strncasecmp(names[i], text, name) == 0)
            ret->prop = (enum prop)i;
    ret->params = text + name;
    ret->params_len = colon - name;
    ret->value_len = len - colon - 1;
    ret->value = str_trim(text + colon + 1, &ret->value_len);
    return true;
}

static bool take(struct reader *r, const struct line *line)
{
    if (r->ended)
        return broken(r, "There is something behind the calendar.");
    if (line->prop == BEGIN)
        return take_begin(r, line);
    if (r->depth == 0)
        return broken(r, "The text does not begin with BEGIN:VCALENDAR.");
    if (line->prop == END)
        return take_end(r, line);
    if (r->depth == 1 && line->prop == METHOD) {
        r->request = value_is(line, "REQUEST");
        return r->request || wrong(r, "The METHOD is not REQUEST.");
    }
    return r->depth == 2 && r->in_freebusy ? take_property(r, line) : true;
}

static bool take_begin(struct reader *r, const struct line *line)
{
    if (r->depth == DEPTH_MAX)
        return broken(r, "Components are nested too deeply.");
    if (r->depth == 0 && !value_is(line, "VCALENDAR"))
        return broken(r, "The text does not begin with BEGIN:VCALENDAR.");
    if (r->depth > 0 && value_is(line, "VCALENDAR"))
        return broken(r, "A calendar is inside a calendar.");
    if (r->in_freebusy)
        return broken(r, "There is a component inside the VFREEBUSY.");
    if (r->depth == 1 && value_is(line, "VFREEBUSY")) {
        if (r->freebusy++ > 0)
            return wrong(r, "There is more than one VFREEBUSY.");
        r->in_freebusy = true;
    } else if (r->depth == 1 && !value_is(line, "VTIMEZONE")) {
        return wrong(r, "Only questions about free/busy are taken here, not invitations.");
    }
    r->depth++;
    return true;
}

static bool take_end(struct reader *r, const struct line *line)
{
    if (r->depth < 3 && !value_is(line, r->depth == 1 ? "VCALENDAR" : r->in_freebusy ? "VFREEBUSY" : "VTIMEZONE"))
        return broken(r, "A component ends that did not begin.");
    if (r->depth == 2)
        r->in_freebusy = false;
    r->ended = --r->depth == 0;
    return true;
}

static bool take_property(struct reader *r, const struct line *line)
{
    struct gw_dav_message *m = r->message;
    switch (line->prop) {
    case UID:
        m->uid = copy(r, line);
        return m->uid != NULL;
    case ORGANIZER:
        if (m->organizer[0])
            return wrong(r, "There is more than one ORGANIZER.");
        m->organizer = copy(r, line);
        return m->organizer != NULL;
    case ATTENDEE:
        r->too_many = m->attendee_count == GW_DAV_ATTENDEES_MAX;
        if (r->too_many)
            return wrong(r, "There are more attendees than are answered about at a time.");
        m->attendees[m->attendee_count] = copy(r, line);
        return m->attendees[m->attendee_count++] != NULL;
    case DTSTART:
        return take_time(r, line, &m->start, &r->has_start);
    case DTEND:
        return take_time(r, line, &m->end, &r->has_end);
    case BEGIN:
    case END:
    case METHOD:
    case OTHER:
        break;
    }
    return true;
}

/* RFC 5546 3.3.2: in UTC. */
static bool take_time(struct reader *r, const struct line *line, int64_t *ret, bool *have)
{
    if (*have)
        return wrong(r, "There is more than one DTSTART or DTEND.");
    *have = utc_parse_basic(line->value, line->value_len, ret);
    return *have || wrong(r, "DTSTART and DTEND are UTC times, as 20261122T090000Z.");
}

static bool value_is(const struct line *line, const char *text)
{
    return line->value_len == strlen(text) && strncasecmp(line->value, text, line->value_len) == 0;
}

static const char *copy(struct reader *r, const struct line *line)
{
    const char *text = line->value_len > VALUE_MAX ? NULL : arena_strndup(r->arena, line->value, line->value_len);
    if (!text)
        broken(r, "A value is longer than any address.");
    return text;
}

static bool wrong(struct reader *r, const char *why)
{
    r->why = why;
    return false;
}

static bool broken(struct reader *r, const char *why)
{
    r->broken = true;
    return wrong(r, why);
}

static bool complete(struct reader *r)
{
    if (!r->ended)
        return broken(r, "The text ends before the calendar does.");
    if (!r->request)
        return wrong(r, "The METHOD is not REQUEST.");
    if (!r->freebusy)
        return wrong(r, "There is no VFREEBUSY.");
    if (!r->message->organizer[0])
        return wrong(r, "There is no ORGANIZER.");
    if (!r->message->attendee_count)
        return wrong(r, "There is no ATTENDEE.");
    if (!r->has_start || !r->has_end || r->message->start >= r->message->end)
        return wrong(r, "There is no time from DTSTART to DTEND.");
    return true;
}
