/*
 * pub_text: see pub_text.h. Called by the outlets for each state that they word; the templates have been checked with
 * the configuration (pres_xmpp_text_valid).
 */
#include "pub_text.h"

#include <string.h>

#include "base/buf.h"
#include "base/utc.h"
#include "presence/pub_xmpp.h"
#include "pub_zone.h"

static const char *closing(const char *text);

void pres_text_add(const char *text, const struct pres_zone *zone, int64_t now, int64_t until, struct buf *out)
{
    bool known = until != PRES_NEVER && until > 0;
    for (const char *p = text; *p; p++) {
        if (*p == '[' && !known)
            p = closing(p);
        else if (strncmp(p, "{until}", 7) == 0) {
            if (known)
                pres_text_clock(zone, now, until, out);
            p += 6;
        } else if (*p != '[' && *p != ']')
            buf_addc(out, *p);
    }
}

void pres_text_clock(const struct pres_zone *zone, int64_t now, int64_t t, struct buf *out)
{
    static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    const char *name;
    int64_t local = t + pres_zone_offset(zone, t, &name), today = now + pres_zone_offset(zone, now, &name);
    char text[UTC_TEXT_MAX];
    utc_rfc3339(local, text);
    pres_zone_offset(zone, t, &name);
    if (local / 86400 != today / 86400)
        buf_addf(out, "%s %.10s ", days[(local / 86400 % 7 + 7) % 7], text);
    buf_add(out, text + 11, 5); /* without printf: it runs for each change */
    buf_addc(out, ' ');
    buf_adds(out, name);
}

/* FNV-1a */
uint64_t pres_text_hash(const struct pres_presence *now)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    const int64_t numbers[] = {now->state,      now->since,   now->until, now->next.some, (int64_t)now->next.kind,
                               now->next.start, now->next.end};
    unsigned count = now->next.some ? 7 : 4;
    for (unsigned i = 0; i < count; i++)
        hash = (hash ^ (uint64_t)numbers[i]) * UINT64_C(1099511628211), hash ^= hash >> 32;
    for (const char *p = now->reason ? now->reason : ""; *p; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

bool pres_xmpp_text_valid(const char *text)
{
    bool open = false;
    for (const char *p = text; *p; p++) {
        if ((*p == '[' && open) || (*p == ']' && !open))
            return false;
        open = *p == '[' || (open && *p != ']');
        if (*p == '{') {
            if (strncmp(p, "{until}", 7) != 0)
                return false;
            p += 6;
        } else if (*p == '}' || (unsigned char)*p < ' ') {
            return false;
        }
    }
    return !open && strlen(text) <= PRES_TEXT_MAX / 2;
}

/* The bracket that closes this one; the template has been checked. */
static const char *closing(const char *text)
{
    const char *end = strchr(text, ']');
    return end ? end : text + strlen(text) - 1;
}
