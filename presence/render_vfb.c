/*
 * render_vfb: the times somebody is busy as iCalendar free/busy (RFC 5545 3.6.4), for the .ifb address and the
 * scheduling outbox that Thunderbird, Evolution and Outlook read. The plain form that all of them understand: UTC, one
 * line a period with start and end, the kind always written, the window as asked. The address appears only
 * percent-encoded, so the text is ASCII whatever an address contains; only the answer to a question repeats the
 * question's own words.
 *
 * The caller decides whether there is anything to say: for somebody never read, or too long ago, there is no VFREEBUSY.
 */
#include "presence/render.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utc.h"

#define FOLD 75

/* Longest line before folding: an address of 4 KB with every byte encoded. */
#define LINE_CEILING 16384

/* All periods of a person in one line. */
#define PERIODS_CEILING (512 * 1024)

/* What RFC 6068 leaves as it is in an address, beyond the unreserved characters; "," and ";" would part a value
 * elsewhere. */
#define MAILTO_PLAIN "@!$'()*+"

/* What a kind is called. */
struct words {
    const char *fbtype, *summary, *status, *outlook;
};

static const struct words *words_of(enum pres_kind kind);
static void begin(struct buf *out, const char *method, int64_t start, int64_t end, int64_t now);
static void add_head(struct buf *out, const char *method);
static void finish(struct buf *out, const struct pres_set *set, int64_t start, int64_t end);
static bool add_encoded(struct buf *out, const char *before, const char *address);
static void add_line(struct buf *out, const char *text, size_t len);
static void add_text(struct buf *out, const char *text);
static void add_value(struct buf *out, const char *name, const char *value);
static void add_time(struct buf *out, const char *name, int64_t t);
static void add_owner(struct buf *out, const char *address, int64_t start, int64_t end);
static void add_periods(struct buf *out, const struct pres_set *set, int64_t start, int64_t end);
static void add_period(struct buf *out, enum pres_kind kind, int64_t start, int64_t end);
static void add_kind(struct buf *out, enum pres_kind kind, const struct pres_set *set, int64_t start, int64_t end);
static void add_brief(struct buf *line, int64_t start, int64_t end);
static void add_number(struct buf *line, int64_t n, char unit);

bool pres_render_vfb(struct buf *out, const char *address, const struct pres_set *set, int64_t start, int64_t end,
                     int64_t now)
{
    begin(out, NULL, start, end, now);
    add_owner(out, address, start, end);
    finish(out, set, start, end);
    return !out->failed;
}

bool pres_render_vfb_reply(struct buf *out, const struct pres_vfb_question *question, const struct pres_set *set,
                           int64_t start, int64_t end, int64_t now)
{
    begin(out, "METHOD:REPLY", start, end, now);
    if (question->uid[0])
        add_value(out, "UID", question->uid);
    add_value(out, "ORGANIZER", question->organizer);
    add_value(out, "ATTENDEE", question->attendee);
    finish(out, set, start, end);
    return !out->failed;
}

bool pres_render_vfb_part(struct buf *out, const char *address, const struct pres_set *set, int64_t start, int64_t end,
                          int64_t as_of)
{
    add_text(out, "BEGIN:VFREEBUSY");
    add_encoded(out, "UID:", address);
    add_time(out, "DTSTAMP", as_of);
    add_time(out, "DTSTART", start);
    add_time(out, "DTEND", end);
    add_encoded(out, "ORGANIZER:mailto:", address);
    add_kind(out, PRES_TENTATIVE, set, start, end);
    add_kind(out, PRES_BUSY, set, start, end);
    add_kind(out, PRES_OOF, set, start, end);
    add_text(out, "END:VFREEBUSY");
    return !out->failed;
}

bool pres_render_event(struct buf *out, const char *address, const struct pres_interval *busy, bool bare)
{
    const struct words *words = words_of(busy->kind);
    char from[UTC_TEXT_MAX], until[UTC_TEXT_MAX], uid[2 * UTC_TEXT_MAX + 20];

    if (!words)
        return false;
    if (!bare)
        add_head(out, NULL);
    add_text(out, "BEGIN:VEVENT");
    snprintf(uid, sizeof uid, "UID:%s-%s-%s-", utc_basic(busy->start, from), utc_basic(busy->end, until),
             pres_kind_name(busy->kind));
    if (!add_encoded(out, uid, address))
        return false;
    add_time(out, "DTSTAMP", busy->start);
    add_time(out, "DTSTART", busy->start);
    add_time(out, "DTEND", busy->end);
    buf_addf(out, "SUMMARY:%s\r\nSTATUS:%s\r\n", words->summary, words->status);
    buf_addf(out, "TRANSP:OPAQUE\r\nX-MICROSOFT-CDO-BUSYSTATUS:%s\r\n", words->outlook);
    add_text(out, "END:VEVENT");
    if (!bare)
        add_text(out, "END:VCALENDAR");
    return !out->failed;
}

static void add_head(struct buf *out, const char *method)
{
    add_text(out, "BEGIN:VCALENDAR");
    add_text(out, "VERSION:2.0");
    add_text(out, "PRODID:-//freebusyd//EN");
    if (method)
        add_text(out, method);
}

static void begin(struct buf *out, const char *method, int64_t start, int64_t end, int64_t now)
{
    add_head(out, method);
    add_text(out, "BEGIN:VFREEBUSY");
    add_time(out, "DTSTAMP", now);
    add_time(out, "DTSTART", start);
    add_time(out, "DTEND", end);
}

static void finish(struct buf *out, const struct pres_set *set, int64_t start, int64_t end)
{
    add_periods(out, set, start, end);
    add_text(out, "END:VFREEBUSY");
    add_text(out, "END:VCALENDAR");
}

/* NULL: such time is not busy. */
static const struct words *words_of(enum pres_kind kind)
{
    static const struct words tentative = {"BUSY-TENTATIVE", "Tentative", "TENTATIVE", "TENTATIVE"},
                              busy = {"BUSY", "Busy", "CONFIRMED", "BUSY"},
                              oof = {"BUSY-UNAVAILABLE", "Out of office", "CONFIRMED", "OOF"};
    switch (kind) {
    case PRES_TENTATIVE:
        return &tentative;
    case PRES_BUSY:
        return &busy;
    case PRES_OOF:
        return &oof;
    case PRES_FREE:
    case PRES_ELSEWHERE:
    case PRES_UNKNOWN:
        break;
    }
    return NULL;
}

/* One content line, folded at 75 bytes (RFC 5545 3.1), between characters: a question's own words need not be ASCII. */
static void add_line(struct buf *out, const char *text, size_t len)
{
    for (size_t room = FOLD; len > room; room = FOLD - 1) { /* the blank that marks a fold counts */
        while (room > FOLD / 2 && ((unsigned char)text[room] & 0xc0) == 0x80)
            room--;
        buf_add(out, text, room);
        buf_adds(out, "\r\n ");
        text += room;
        len -= room;
    }
    buf_add(out, text, len);
    buf_adds(out, "\r\n");
}

static void add_text(struct buf *out, const char *text)
{
    add_line(out, text, strlen(text));
}

static void add_value(struct buf *out, const char *name, const char *value)
{
    struct buf line;

    buf_init(&line, LINE_CEILING);
    buf_addf(&line, "%s:%s", name, value);
    add_line(out, line.data, line.len);
    out->failed |= line.failed;
    buf_free(&line);
}

static void add_time(struct buf *out, const char *name, int64_t t)
{
    char text[UTC_TEXT_MAX];

    buf_adds(out, name);
    buf_addc(out, ':');
    buf_adds(out, utc_basic(t, text));
    buf_add(out, "\r\n", 2);
}

/* The same question has the same UID; the owner of the time is its ORGANIZER. */
static void add_owner(struct buf *out, const char *address, int64_t start, int64_t end)
{
    char from[UTC_TEXT_MAX], until[UTC_TEXT_MAX], uid[2 * UTC_TEXT_MAX + 8];

    snprintf(uid, sizeof uid, "UID:%s-%s-", utc_basic(start, from), utc_basic(end, until));
    add_encoded(out, uid, address);
    add_encoded(out, "ORGANIZER:mailto:", address);
}

static bool add_encoded(struct buf *out, const char *before, const char *address)
{
    struct buf line;

    buf_init(&line, LINE_CEILING);
    buf_adds(&line, before);
    str_percent_encode(&line, address, strlen(address), MAILTO_PLAIN);
    add_line(out, line.data, line.len);
    out->failed |= line.failed;
    buf_free(&line);
    return !out->failed;
}

/* What lies in the window, cut by it. Pieces of one long run become one period again. */
static void add_periods(struct buf *out, const struct pres_set *set, int64_t start, int64_t end)
{
    size_t count = pres_set_count(set), i = pres_set_find(set, start);

    while (i < count) {
        struct pres_interval run = pres_set_at(set, i);

        if (run.start >= end)
            return;
        for (i++; i < count && pres_set_at(set, i).start == run.end && pres_set_at(set, i).kind == run.kind; i++)
            run.end = pres_set_at(set, i).end;
        add_period(out, run.kind, run.start > start ? run.start : start, run.end < end ? run.end : end);
    }
}

static void add_period(struct buf *out, enum pres_kind kind, int64_t start, int64_t end)
{
    const struct words *words = words_of(kind);
    char from[UTC_TEXT_MAX], until[UTC_TEXT_MAX];

    if (!words || start >= end)
        return;
    buf_adds(out, "FREEBUSY;FBTYPE=");
    buf_adds(out, words->fbtype);
    buf_addc(out, ':');
    buf_adds(out, utc_basic(start, from));
    buf_addc(out, '/');
    buf_adds(out, utc_basic(end, until));
    buf_add(out, "\r\n", 2);
}

/* All periods of one kind, as one line. */
static void add_kind(struct buf *out, enum pres_kind kind, const struct pres_set *set, int64_t start, int64_t end)
{
    struct buf line;

    buf_init(&line, PERIODS_CEILING);
    buf_addf(&line, "FREEBUSY;FBTYPE=%s:", words_of(kind)->fbtype);
    size_t head = line.len;
    for (size_t i = pres_set_find(set, start); i < pres_set_count(set); i++) {
        struct pres_interval run = pres_set_at(set, i);

        if (run.start >= end)
            break;
        if (run.kind == kind)
            add_brief(&line, run.start > start ? run.start : start, run.end < end ? run.end : end);
    }
    if (line.len > head)
        add_line(out, line.data, line.len - 1); /* without the last comma */
    out->failed |= line.failed;
    buf_free(&line);
}

/* "20261122T090000Z/PT1H30M,": minutes almost always. */
static void add_brief(struct buf *line, int64_t start, int64_t end)
{
    char from[UTC_TEXT_MAX];
    int64_t s = end - start, h = s / 3600, m = s % 3600 / 60;

    buf_adds(line, utc_basic(start, from));
    buf_add(line, "/PT", 3);
    if (h > 0)
        add_number(line, h, 'H');
    if (m > 0)
        add_number(line, m, 'M');
    if (s % 60 > 0)
        add_number(line, s % 60, 'S');
    buf_addc(line, ',');
}

/* By hand: of a relay's text most is this. */
static void add_number(struct buf *line, int64_t n, char unit)
{
    char text[24], *at = text + sizeof text;

    *--at = unit;
    do
        *--at = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    buf_add(line, at, (size_t)(text + sizeof text - at));
}
