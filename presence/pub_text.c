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
    buf_addf(out, "%.5s %s", text + 11, name);
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
