/*
 * render_json: a presence as one JSON object, for the HTTP interface, the event stream and the control socket. Written
 * without a tree, because at nine o'clock it runs once for every change of a million people; dates are reckoned here
 * for the same reason, and each is remembered, by the field that it stands in: those who change at one second have most
 * of them in common.
 *
 * pres_render_json_at() writes where the bytes are to go, for those whose address stands in JSON as it is: nearly all.
 */
#include "presence/render.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"

/* Room for all but the two texts, whose lengths we do not choose: keys, kinds and six dates. */
#define LINE_MAX_BYTES 512
#define DAY_S 86400

/* What RFC 3339 can say: years 0000 to 9999. */
#define YEAR_0 (-62167219200)
#define YEAR_10000 253402300800

/* "2026-11-22T09:00:00Z" with its quotes, or null. */
#define TIME_BYTES 22

#define PUT(at, literal) ((char *)memcpy(at, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

enum { SINCE, UNTIL, NEXT_START, NEXT_END, AS_OF, VALID_UNTIL, FIELDS };

/* A field as it was last written. */
struct moment {
    int64_t t;
    uint8_t len;
    char text[24];
};

struct day {
    int64_t number; /* from 1970-01-01 */
    char text[11];  /* "2026-11-22T" */
};

static char *put_all(char *at, const struct pres_presence *p);
static char *put_kind(char *at, enum pres_kind kind);
static inline char *put_time(char *at, unsigned field, int64_t t);
static void moment_of(int64_t t, struct moment *ret);
static char *add_two(char *at, unsigned value);
static void day_of(int64_t number, struct day *ret);
static void civil(int64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day);
static size_t plain_copy(char *out, const char *text, size_t max);

static _Thread_local struct moment remembered[FIELDS]; /* t = 0, which is null, at first: see put_time() */
static _Thread_local struct day of_day = {.number = INT64_MIN};

bool pres_render_json(struct buf *out, const char *address, const struct pres_presence *p)
{
    char line[LINE_MAX_BYTES];

    buf_adds(out, "{\"address\":");
    jv_quote(out, address);
    buf_add(out, line, (size_t)(put_all(line, p) - line));
    jv_quote(out, p->reason);
    return buf_addc(out, '}');
}

size_t pres_render_json_at(char *out, size_t room, const char *address, const struct pres_presence *p)
{
    char *at = out;
    size_t len;

    if (room < 2 * LINE_MAX_BYTES)
        return 0;
    at = PUT(at, "{\"address\":\"");
    len = plain_copy(at, address, room - LINE_MAX_BYTES - (size_t)(at - out));
    if (len == 0)
        return 0;
    at += len;
    *at++ = '"';
    at = put_all(at, p);
    if (!p->reason)
        return (size_t)(PUT(at, "null}") - out);
    *at++ = '"';
    len = plain_copy(at, p->reason, (size_t)(out + room - at) > 2 ? (size_t)(out + room - at) - 2 : 0);
    return len > 0 ? (size_t)(PUT(at + len, "\"}") - out) : 0;
}

/* From behind the address to before the reason. */
static char *put_all(char *at, const struct pres_presence *p)
{
    at = PUT(at, ",\"state\":\"");
    at = put_kind(at, p->state);
    at = PUT(at, "\",\"since\":");
    at = put_time(at, SINCE, p->since);
    at = PUT(at, ",\"until\":");
    at = put_time(at, UNTIL, p->until);
    if (p->next.some) {
        at = PUT(at, ",\"next\":{\"state\":\"");
        at = put_kind(at, p->next.kind);
        at = PUT(at, "\",\"start\":");
        at = put_time(at, NEXT_START, p->next.start);
        at = PUT(at, ",\"end\":");
        at = put_time(at, NEXT_END, p->next.end);
        *at++ = '}';
    } else {
        at = PUT(at, ",\"next\":null");
    }
    at = PUT(at, ",\"as_of\":");
    at = put_time(at, AS_OF, p->as_of);
    at = PUT(at, ",\"valid_until\":");
    at = put_time(at, VALID_UNTIL, p->valid_until);
    return PUT(at, ",\"reason\":");
}

/* A length that is known is quicker, so all are copied with the room for the longest. */
static char *put_kind(char *at, enum pres_kind kind)
{
    static const struct {
        char text[10];
        uint8_t len;
    } kinds[] = {
        [PRES_FREE] = {"free", 4}, [PRES_ELSEWHERE] = {"elsewhere", 9}, [PRES_TENTATIVE] = {"tentative", 9},
        [PRES_BUSY] = {"busy", 4}, [PRES_OOF] = {"oof", 3},             [PRES_UNKNOWN] = {"unknown", 7},
    };

    memcpy(at, kinds[kind].text, sizeof(kinds[kind].text));
    return at + kinds[kind].len;
}

/* A moment that nobody knows, or that never comes, is null. */
static inline char *put_time(char *at, unsigned field, int64_t t)
{
    struct moment *m = &remembered[field];

    if (t == 0)
        return PUT(at, "null");
    if (m->t != t)
        moment_of(t, m);
    memcpy(at, m->text, sizeof(m->text)); /* more than it has, as put_kind() */
    return at + m->len;
}

static void moment_of(int64_t t, struct moment *ret)
{
    char *at = ret->text;
    unsigned second;
    int64_t number;

    ret->t = t;
    if (t < YEAR_0 || t >= YEAR_10000) {
        memcpy(ret->text, "null", 4);
        ret->len = 4;
        return;
    }
    number = t >= 0 ? t / DAY_S : -((DAY_S - 1 - t) / DAY_S);
    if (number != of_day.number)
        day_of(number, &of_day);
    second = (unsigned)(t - number * DAY_S);
    *at++ = '"';
    memcpy(at, of_day.text, sizeof(of_day.text));
    at = add_two(at + sizeof(of_day.text), second / 3600);
    *at++ = ':';
    at = add_two(at, second / 60 % 60);
    *at++ = ':';
    at = add_two(at, second % 60);
    memcpy(at, "Z\"", 2);
    ret->len = TIME_BYTES;
}

static char *add_two(char *at, unsigned value)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
    return at + 2;
}

static void day_of(int64_t number, struct day *ret)
{
    unsigned year, month, day;

    civil(number, &year, &month, &day);
    ret->number = number;
    add_two(add_two(ret->text, year / 100), year % 100);
    ret->text[4] = ret->text[7] = '-';
    add_two(ret->text + 5, month);
    add_two(ret->text + 8, day);
    ret->text[10] = 'T';
}

/* Copies a text that needs no escapes, and is ASCII; 0: it is another one, or has more than `max` bytes, or none. */
static size_t plain_copy(char *out, const char *text, size_t max)
{
    size_t len = 0;

    for (; text[len] != '\0'; len++) {
        unsigned char c = (unsigned char)text[len];

        if (len == max || c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            return 0;
        out[len] = (char)c;
    }
    return len;
}

/*
 * Gregorian date of a day counted from 1970-01-01. Counted from 1 March of year 0 instead, leap days stand at the end
 * of a year of 365 or 366 days, of four years, of a century and of 400 years, and the months from March on are 153 days
 * in every five.
 */
static void civil(int64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    const int64_t to_1970 = 719468; /* days from 0000-03-01 */
    unsigned day = (unsigned)(days + to_1970 + 146097), cycle = day / 146097, year,
             month; /* one cycle up: never negative */

    day %= 146097;
    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    *ret_day = day - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = year + (cycle - 1) * 400 + (month >= 10);
}
