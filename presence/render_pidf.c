/*
 * render_pidf: a presence as a PIDF document (RFC 3863) with a person (RFC 4479), what the person does (RPID, RFC 4480)
 * and, where asked for, what comes next (timed-status, RFC 4481). For the SIP outlets and for
 * GET /v1/presence/ADDRESS. Pure.
 *
 * Phones do not parse it, they look for texts in it: hence the prefixes dm: and rpid: literally, ids that never change,
 * and both rpid:busy and rpid:meeting. Which kind becomes which pair of basic status and activities is a table that the
 * site can change.
 */
#include "presence/render.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utc.h"
#include "base/xml.h"

enum { NOTE_MAX = 200, FUTURE_S = 86400 };

const struct pres_pidf_map pres_pidf_usual = {
    .basic = {"open", "open", "open", "open", "open", ""},
    .activities = {"", "working", "appointment", "busy meeting", "away vacation", ""},
};

static void add_future(struct buf *out, const struct pres_pidf *doc);
static void add_person(struct buf *out, const struct pres_pidf *doc, const struct pres_presence *p);
static void add_note(struct buf *out, const char *element, const char *note);
static void add_time(struct buf *out, const char *attribute, int64_t t);
static bool next_word(const char **at, size_t *ret_len);

bool pres_render_pidf(struct buf *out, const struct pres_pidf *doc, const struct pres_presence *p)
{
    const char *basic = doc->map->basic[p->state];
    char stamp[UTC_TEXT_MAX];
    if (!str_is_utf8(doc->entity, strlen(doc->entity)) || !str_is_utf8(doc->note, strlen(doc->note)))
        return false;
    buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\""
                  " xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\"");
    if (doc->future > 0)
        buf_adds(out, " xmlns:ts=\"urn:ietf:params:xml:ns:pidf:timed-status\"");
    buf_adds(out, " entity=\"");
    xml_escape(out, doc->entity, strlen(doc->entity));
    buf_adds(out, "\">\n<tuple id=\"fb-cal\"><status>");
    if (basic[0])
        buf_addf(out, "<basic>%s</basic>", basic);
    buf_adds(out, "</status>");
    add_future(out, doc);
    add_note(out, "note", doc->note);
    buf_addf(out, "<timestamp>%s</timestamp></tuple>\n", utc_rfc3339(doc->now, stamp));
    add_person(out, doc, p);
    return buf_adds(out, "</presence>\n");
}

bool pres_pidf_entity(struct buf *out, const char *scheme, const char *address)
{
    const char *at = strrchr(address, '@');
    if (!at || at == address || !at[1])
        return false;
    for (const char *c = at + 1; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c > '~' || strchr("\"%:/?#[]<>\\^`{|};,&=+$!*'()", *c))
            return false; /* no host is called so */
    buf_adds(out, scheme);
    str_percent_encode(out, address, (size_t)(at - address), "!*'()=+$");
    return buf_adds(out, at);
}

const char *pres_pidf_activities_wrong(const char *words)
{
    static const char known[] =
        " appointment away breakfast busy dinner holiday in-transit looking-for-work lunch meal meeting on-the-phone "
        "performance permanent-absence playing presentation shopping sleeping spectator steering travel tv unknown "
        "vacation working worship ";
    size_t len;
    for (const char *at = words; next_word(&at, &len); at += len) {
        char word[40] = " ";
        if (len > sizeof word - 3)
            return "has a word that is no RPID activity";
        memcpy(word + 1, at, len);
        word[len + 1] = ' ';
        if (!strstr(known, word))
            return "has a word that is no RPID activity (RFC 4480), such as busy, meeting, away";
    }
    return NULL;
}

/* Only what makes the person hard to reach; it must lie wholly in the future. */
static void add_future(struct buf *out, const struct pres_pidf *doc)
{
    const struct pres_known *k = doc->known;
    size_t count = k ? pres_set_count(k->set) : 0;
    unsigned told = 0;
    for (size_t i = pres_set_find(k ? k->set : NULL, doc->now); i < count && told < doc->future; i++) {
        struct pres_interval v = pres_set_at(k->set, i);
        if (v.start >= doc->now + FUTURE_S)
            return;
        if (v.start <= doc->now || (v.kind != PRES_BUSY && v.kind != PRES_OOF))
            continue;
        told++;
        buf_adds(out, "<ts:timed-status");
        add_time(out, "from", v.start);
        if (v.end < k->until) /* what the window cuts has no end that is known */
            add_time(out, "until", v.end);
        buf_adds(out, "><ts:basic>closed</ts:basic></ts:timed-status>");
    }
}

static void add_person(struct buf *out, const struct pres_pidf *doc, const struct pres_presence *p)
{
    const char *at = doc->map->activities[p->state];
    char stamp[UTC_TEXT_MAX];
    size_t len;
    buf_adds(out, "<dm:person id=\"fb-person\">");
    if (p->state != PRES_UNKNOWN || *at) {
        buf_adds(out, "<rpid:activities");
        if (p->since > 0)
            add_time(out, "from", p->since);
        if (p->until > 0 && p->until != PRES_NEVER)
            add_time(out, "until", p->until);
        buf_adds(out, ">");
        for (; next_word(&at, &len); at += len)
            buf_addf(out, "<rpid:%.*s/>", (int)len, at);
        buf_adds(out, "</rpid:activities>");
    }
    add_note(out, "dm:note", doc->note);
    buf_addf(out, "<dm:timestamp>%s</dm:timestamp></dm:person>\n", utc_rfc3339(doc->now, stamp));
}

static void add_note(struct buf *out, const char *element, const char *note)
{
    size_t len = strlen(note);
    if (len == 0)
        return;
    if (len > NOTE_MAX)
        for (len = NOTE_MAX; len > 0 && ((unsigned char)note[len] & 0xc0) == 0x80; len--)
            ;
    buf_addf(out, "<%s>", element);
    xml_escape(out, note, len);
    buf_addf(out, "</%s>", element);
}

static void add_time(struct buf *out, const char *attribute, int64_t t)
{
    char text[UTC_TEXT_MAX];
    buf_addf(out, " %s=\"%s\"", attribute, utc_rfc3339(t, text));
}

/* The word that begins at *at or behind the spaces there. */
static bool next_word(const char **at, size_t *ret_len)
{
    *at += strspn(*at, " ");
    *ret_len = strcspn(*at, " ");
    return *ret_len > 0;
}
