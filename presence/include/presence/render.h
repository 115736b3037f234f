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

/*
 * One VCALENDAR with one VFREEBUSY (RFC 5545 3.6.4) for [start, end): DTSTART/DTEND echo the asked window, one FREEBUSY
 * line a period, FBTYPE always written (TENTATIVE: BUSY-TENTATIVE, BUSY: BUSY, OOF: BUSY-UNAVAILABLE; free and
 * elsewhere: no line), no METHOD, lines folded at 75 bytes, CRLF. `now` is DTSTAMP. What the set does not answer for
 * looks free: the caller asks only within the window known, and not at all about somebody unknown.
 */
bool pres_render_vfb(struct buf *out, const char *address, const struct pres_set *set, int64_t start, int64_t end,
                     int64_t now);

#endif
