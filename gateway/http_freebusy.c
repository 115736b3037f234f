/*
 * http_freebusy: GET of somebody's free/busy as iCalendar, under the spellings that calendar programs use:
 *
 *   /v1/freebusy/ADDRESS[.ifb|.vfb]   /freebusy/ADDRESS[.ifb|.vfb]   /freebusy/DOMAIN/LOCALPART[.ifb|.vfb]
 *
 * with start, end, period and format as CalConnect's "Freebusy Read URL" has them, all optional. Outlook fills %NAME%
 * and %SERVER% into such an address, Evolution %u and %d. The answer is as narrow as what is known; somebody unknown is
 * 503 with the reason, never an empty calendar.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/httpd.h"
#include "base/str.h"
#include "base/utc.h"
#include "freebusy.h"
#include "http_face.h"
#include "presence/render.h"
#include "who.h"

enum { ANSWER_MAX = 64 * 1024 * 1024, ADDRESS_MAX = 1024, TAG_BYTES = 12 };

struct window {
    int64_t start, end;
};

static enum gw_freebusy_result find(struct gw_face *face, const struct gw_who *who, const char *rest,
                                    struct gw_freebusy *ret);
static void spell(char *out, size_t size, const char *rest, bool cut_suffix);
static bool has_suffix(const char *text);
static void answer(struct httpd_req *req, const struct gw_freebusy *f);
static bool window_of(struct httpd_req *req, const struct pres_known *known, struct window *ret);
static bool parse_period(const char *text, int64_t *ret);
static void send(struct httpd_req *req, struct buf *body);

void gw_http_get_freebusy(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    const struct gw_who *who = gw_who_of(face, req);
    struct gw_freebusy f;
    bool bad = false;
    if (!who)
        return;
    const char *format = httpd_param(req, "format", 0, &bad);
    if (bad || (format && !str_eq_nocase(format, "text/calendar"))) {
        gw_http_problem(req, 406, "format-not-known", "Free/busy is served as text/calendar only.");
        return;
    }
    switch (find(face, who, rest, &f)) {
    case GW_FREEBUSY_KNOWN:
        answer(req, &f);
        gw_freebusy_free(&f);
        break;
    case GW_FREEBUSY_UNKNOWN:
        gw_http_problem(
            req, 503, f.code,
            "This person's calendar is not known at present; the code says why. This is not an answer of 'free'.");
        break;
    case GW_FREEBUSY_NOBODY:
    case GW_FREEBUSY_OUTSIDE:
        gw_http_nobody(req);
        break;
    }
}

/* First without what looks like a suffix, then as it stands: somebody's domain may end in .ifb. */
static enum gw_freebusy_result find(struct gw_face *face, const struct gw_who *who, const char *rest,
                                    struct gw_freebusy *ret)
{
    char address[ADDRESS_MAX + 1];
    enum gw_freebusy_result result = GW_FREEBUSY_NOBODY;
    for (int cut = 1; cut >= 0 && result == GW_FREEBUSY_NOBODY; cut--) {
        if (cut && !has_suffix(rest))
            continue;
        spell(address, sizeof address, rest, cut);
        result = gw_freebusy_find(face->gateway, who, address, ret);
    }
    return result;
}

/* DOMAIN/LOCALPART becomes an address; an address may have slashes of its own. */
static void spell(char *out, size_t size, const char *rest, bool cut_suffix)
{
    size_t len = strlen(rest) - (cut_suffix ? 4 : 0), domain;
    const char *local = strchr(rest, '@') ? NULL : str_split(rest, '/', &domain);
    if (local)
        snprintf(out, size, "%.*s@%.*s", (int)(len - domain - 1), local, (int)domain, rest);
    else
        snprintf(out, size, "%.*s", (int)len, rest);
}

static bool has_suffix(const char *text)
{
    size_t len = strlen(text);
    return len > 4 && (str_eq_nocase(text + len - 4, ".ifb") || str_eq_nocase(text + len - 4, ".vfb"));
}

static void answer(struct httpd_req *req, const struct gw_freebusy *f)
{
    struct window w;
    if (!window_of(req, &f->seen->known, &w)) {
        gw_http_problem(req, 400, "bad-window",
                        "start and end are UTC times (2026-11-22T09:00:00Z or 20261122T090000Z), start first; a period "
                        "(P14D, PT8H) may stand instead of end.");
        return;
    }
    if (gw_freebusy_cut(f, &w.start, &w.end) != GW_FREEBUSY_KNOWN) {
        gw_http_problem(req, 503, "outside-window",
                        "Nothing is known of this time: it lies outside the window that is polled.");
        return;
    }
    struct buf b;
    buf_init(&b, ANSWER_MAX);
    if (pres_render_vfb(&b, f->address, f->seen->known.set, w.start, w.end, f->now))
        send(req, &b);
    else
        gw_http_problem(req, 500, "answer-too-large", "The answer is larger than we send.");
    buf_free(&b);
}

/* Without parameters: all that is known. */
static bool window_of(struct httpd_req *req, const struct pres_known *known, struct window *ret)
{
    bool bad = false;
    int64_t seconds = 0;
    const char *start = httpd_param(req, "start", 0, &bad), *end = httpd_param(req, "end", 0, &bad);
    const char *period = httpd_param(req, "period", 0, &bad);
    *ret = (struct window){known->from, known->until};
    if (bad || (end && period) || (start && !utc_parse_any(start, strlen(start), &ret->start)) ||
        (end && !utc_parse_any(end, strlen(end), &ret->end)) || (period && !parse_period(period, &seconds)))
        return false;
    if (period && __builtin_add_overflow(ret->start, seconds, &ret->end))
        return false;
    if (start && !end && !period)
        ret->end = ret->start < known->until ? known->until : ret->start + 1;
    if (end && !start)
        ret->start = known->from < ret->end ? known->from : ret->end - 1;
    return ret->start < ret->end;
}

/* An ISO 8601 duration of weeks, days and smaller, in this order, such as P14D, P1DT12H, PT30M. */
static bool parse_period(const char *text, int64_t *ret)
{
    static const char units[] = "WDTHMS";
    static const int64_t seconds[] = {7 * 86400, 86400, 0, 3600, 60, 1};
    const char *unit = units;
    bool time = false;
    int64_t sum = 0;
    if (*text++ != 'P')
        return false;
    while (*text) {
        int64_t n = 0;
        const char *digits = text;
        for (; isdigit((unsigned char)*text) && text - digits < 9; text++)
            n = n * 10 + (*text - '0');
        const char *found = *text ? strchr(unit, *text) : NULL;
        bool is_t = found && *found == 'T';
        if (!found || is_t != (text == digits) || (!time && !is_t && strchr("HMS", *found)))
            return false;
        time |= is_t;
        sum += n * seconds[found - units];
        unit = found + 1;
        text++;
    }
    *ret = sum;
    return sum > 0;
}

/* The tag leaves out when the answer was made. It is weak for that, and If-None-Match compares weakly. */
static void send(struct httpd_req *req, struct buf *body)
{
    const char *counts = strstr(body->data, "DTSTART:"), *have = httpd_header(req, "If-None-Match");
    uint8_t digest[CRYPTO_SHA256_LEN];
    char tag[2 * TAG_BYTES + 3], header[sizeof tag + 16];
    crypto_sha256(counts, strlen(counts), digest);
    for (unsigned i = 0; i < TAG_BYTES; i++)
        snprintf(tag + 1 + 2 * i, 3, "%02x", digest[i]);
    tag[0] = tag[2 * TAG_BYTES + 1] = '"';
    tag[2 * TAG_BYTES + 2] = '\0';
    snprintf(header, sizeof header, "ETag: W/%s", tag);
    const char *const headers[] = {"Content-Type: text/calendar; charset=utf-8", "Cache-Control: private, max-age=30",
                                   "Vary: Authorization", header, NULL};
    size_t len = body->len;
    if (have && strstr(have, tag))
        httpd_reply(req, 304, headers + 1, NULL, 0);
    else
        httpd_reply_take(req, 200, headers, buf_take(body), len);
}
