/*
 * render: state to bytes. Pure; everything is escaped for its format. The formats are promises to other programs.
 */
#ifndef PRESENCE_RENDER_H
#define PRESENCE_RENDER_H

#include "presence/state.h"

struct buf;

/*
 * One JSON object without line end: {"address","state","since","until","next":{"state","start","end"}|null,
 * "as_of","valid_until","reason"}; times RFC 3339 UTC, null where there is none (0, PRES_NEVER).
 */
bool pres_render_json(struct buf *out, const char *address, const struct pres_presence *p);

/* The same into `out`, without an end; returns its length, 0: it needs more room, or escapes that only the other one
 * can write. */
size_t pres_render_json_at(char *out, size_t room, const char *address, const struct pres_presence *p);

/*
 * One VCALENDAR with one VFREEBUSY (RFC 5545 3.6.4) for [start, end): DTSTART/DTEND echo the asked window, one FREEBUSY
 * line a period, FBTYPE always written (TENTATIVE: BUSY-TENTATIVE, BUSY: BUSY, OOF: BUSY-UNAVAILABLE; free and
 * elsewhere: no line), no METHOD, lines folded at 75 bytes, CRLF. `now` is DTSTAMP. What the set does not answer for
 * looks free: the caller asks only within the window known, and not at all about somebody unknown.
 */
bool pres_render_vfb(struct buf *out, const char *address, const struct pres_set *set, int64_t start, int64_t end,
                     int64_t now);

/*
 * The same as the answer to a scheduling question (RFC 6638 5, RFC 5546 3.3.3): METHOD:REPLY, with UID, ORGANIZER and
 * ATTENDEE as the question had them. They are UTF-8 without control characters; the caller has checked that.
 */
struct pres_vfb_question {
    const char *uid; /* "": none */
    const char *organizer, *attendee;
};
bool pres_render_vfb_reply(struct buf *out, const struct pres_vfb_question *question, const struct pres_set *set,
                           int64_t start, int64_t end, int64_t now);

/*
 * The VFREEBUSY alone, for messages that have one for each of many people: DTSTAMP is the time of the data, and the
 * periods stand one behind another in one property a kind, with their lengths: a third of the bytes.
 */
bool pres_render_vfb_part(struct buf *out, const char *address, const struct pres_set *set, int64_t start, int64_t end,
                          int64_t as_of);

/*
 * One stretch of busy time as a calendar with one VEVENT, for programs that only know how to subscribe to calendars.
 * Its words are the kind's, never a meeting's; the same stretch is the same text whenever it is asked for. False also
 * for a kind that is not busy. With `bare` the event alone, to stand in a calendar with others.
 */
bool pres_render_event(struct buf *out, const char *address, const struct pres_interval *busy, bool bare);

/* How kinds look in a PIDF document. */
struct pres_pidf_map {
    const char *basic[PRES_KINDS];      /* "open" or "closed", "": neither */
    const char *activities[PRES_KINDS]; /* RPID's words separated by spaces: "busy meeting" */
};
extern const struct pres_pidf_map pres_pidf_usual;

struct pres_pidf {
    const char *entity; /* whose presence: "sip:alice@example.com" */
    const struct pres_pidf_map *map;
    const char *note;               /* plain text, "": none; of more than 200 bytes only the first are shown */
    int64_t now;                    /* wall s */
    unsigned future;                /* so many coming stretches of busy time (of the next day) are told, from: */
    const struct pres_known *known; /* NULL: none */
};

/* A whole document (RFC 3863, 4479, 4480, 4481), in which phones find rpid:busy by looking for that text. False: an
 * entity or note that is no UTF-8, or no room. */
bool pres_render_pidf(struct buf *out, const struct pres_pidf *doc, const struct pres_presence *p);

/* "sip:o'hara@example.com", "sip:a%2fb@example.com": an address as URI. False: its domain is no host name. */
bool pres_pidf_entity(struct buf *out, const char *scheme, const char *address);

/* Are these RPID's words? NULL: yes, else a phrase. */
const char *pres_pidf_activities_wrong(const char *words);

#endif
