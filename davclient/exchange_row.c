/*
 * exchange_row: one row of a SEARCH answer becomes a span. The hot path of polling: no allocation, texts are compared
 * where they lie.
 *
 * Everything may be missing, come under an odd name, or make no sense (multistatus.c deals with the names). What is
 * missing is never guessed towards free: without a word for the kind the row is busy, without dates it is left out and
 * counted.
 */
#include "exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/utc.h"
#include "davclient/mark.h"

#define NS_CALENDAR "urn:schemas:calendar:"
#define NS_MAPI "http://schemas.microsoft.com/mapi/"
#define NS_APPOINTMENT "http://schemas.microsoft.com/mapi/id/{00062002-0000-0000-C000-000000000046}/"
#define NS_EXCHANGE "http://schemas.microsoft.com/exchange/"
#define NS_OFFICE "urn:schemas-microsoft-com:office:office"
#define SHORT 64
#define CATEGORIES_MAX 4096

#define STATE_CANCELLED 4

enum {
    ROW_START,
    ROW_END,
    ROW_BUSY,
    ROW_ALL_DAY,
    ROW_INSTANCE,
    ROW_BUSY_ALIAS,
    ROW_BUSY_NUMBER,
    ROW_STATE,
    ROW_RESPONSE,
    ROW_SENSITIVITY,
    ROW_KEYWORDS, /* from here on only where there are markers */
    ROW_KEYWORDS_SHARP,
    ROW_CATEGORIES,
    ROW_PROPS
};

static const struct dav_ms_prop props[ROW_PROPS] = {
    [ROW_START] = {NS_CALENDAR, "dtstart", SHORT, DAV_MS_TEXT},
    [ROW_END] = {NS_CALENDAR, "dtend", SHORT, DAV_MS_TEXT},
    [ROW_BUSY] = {NS_CALENDAR, "busystatus", SHORT, DAV_MS_TEXT},
    [ROW_ALL_DAY] = {NS_CALENDAR, "alldayevent", SHORT, DAV_MS_TEXT},
    [ROW_INSTANCE] = {NS_CALENDAR, "instancetype", SHORT, DAV_MS_TEXT},
    [ROW_BUSY_ALIAS] = {"", "busymapi", SHORT, DAV_MS_TEXT},
    [ROW_BUSY_NUMBER] = {NS_APPOINTMENT, "0x8205", SHORT, DAV_MS_TEXT},
    [ROW_STATE] = {NS_MAPI, "apptstateflags", SHORT, DAV_MS_TEXT},
    [ROW_RESPONSE] = {NS_MAPI, "responsestatus", SHORT, DAV_MS_TEXT},
    [ROW_SENSITIVITY] = {NS_EXCHANGE, "sensitivity", SHORT, DAV_MS_TEXT},
    /* a name with a # is cut before it or behind it */
    [ROW_KEYWORDS] = {NS_OFFICE, "Keywords", CATEGORIES_MAX, DAV_MS_LIST},
    [ROW_KEYWORDS_SHARP] = {NS_OFFICE "#", "Keywords", CATEGORIES_MAX, DAV_MS_LIST},
    [ROW_CATEGORIES] = {NS_EXCHANGE, "keywords-utf8", CATEGORIES_MAX, DAV_MS_LIST},
};
const struct dav_ms_spec dav_exchange_row_spec = {props, ROW_KEYWORDS};
const struct dav_ms_spec dav_exchange_row_spec_marks = {props, ROW_PROPS};

static bool read_date(const struct dav_ms_value *v, int64_t *ret);
static inline bool has_shape(const char *text, const char *shape, const char *digits);
static inline int two(const char *digits);
static enum dav_busy kind_of(const struct dav_ms_response *r);
static bool kind_by_word(const char *word, enum dav_busy *ret);
static enum dav_busy kind_by_number(const char *number);
static unsigned traits_of(const struct dav_ms_response *r);
static long number(const struct dav_ms_value *v, long missing);
static bool is_true(const struct dav_ms_value *v);
static uint64_t identity_of(const struct dav_ms_response *r);
static uint64_t mix(uint64_t hash, const char *text, size_t len);

bool dav_exchange_on_row(void *query, const struct dav_ms_response *r)
{
    struct dav_query *q = query;
    struct exchange_page *p = dav_exchange_page(q);
    const struct dav_question *question = dav_query_question(q);
    const char *const *markers = dav_query_account(q)->markers;
    unsigned marks = markers ? dav_exchange_row_marks(r, markers) : 0;
    struct dav_span span = {.start = question->from, .end = question->until, .kind = DAV_FREE};

    if (dav_exchange_page_repeats(p, identity_of(r)))
        return true;
    switch (dav_exchange_row_read(r, &span)) {
    case EXCHANGE_ROW_SPAN:
        p->spans++;
        span.traits |= marks;
        /* a server that does not look at both limits sends more than was asked for */
        return span.end <= question->from || span.start >= question->until || dav_query_span(q, &span);
    case EXCHANGE_ROW_NOTHING:
        return true;
    case EXCHANGE_ROW_BROKEN:
        p->broken++;
        dav_query_skip(q);
        span.traits = marks; /* of any time, then */
        return marks == 0 || dav_query_span(q, &span);
    }
    return true;
}

enum exchange_row dav_exchange_row_read(const struct dav_ms_response *r, struct dav_span *ret)
{
    const struct dav_ms_value *start = &r->value[ROW_START], *end = &r->value[ROW_END];
    struct dav_span span;

    if (number(&r->value[ROW_INSTANCE], 0) == 1)
        return EXCHANGE_ROW_NOTHING; /* a master's own times are those of its first occurrence, which comes as an
                                        instance */
    if (!read_date(start, &span.start) || !read_date(end, &span.end))
        return EXCHANGE_ROW_BROKEN;
    if (span.end < span.start)
        return EXCHANGE_ROW_BROKEN;
    if (span.end == span.start)
        return EXCHANGE_ROW_NOTHING;
    span.kind = kind_of(r);
    span.traits = traits_of(r);
    *ret = span;
    return EXCHANGE_ROW_SPAN;
}

unsigned dav_exchange_row_marks(const struct dav_ms_response *r, const char *const *markers)
{
    unsigned marks = 0;

    for (int i = ROW_KEYWORDS; i < ROW_PROPS; i++) {
        const struct dav_ms_value *v = &r->value[i];

        if (v->text)
            marks |= v->cut ? dav_marks_all(markers) : dav_marks_in(markers, v->text, v->len);
    }
    return marks;
}

/* Nearly all dates come as "2008-03-03T09:00:00.000Z": those are read without looking for other spellings. */
static bool read_date(const struct dav_ms_value *v, int64_t *ret)
{
    const char *t = v->text;

    if (!t)
        return false;
    if (v->len != sizeof("2008-03-03T09:00:00.000Z") - 1 || !has_shape(t, "0000-00-", "\377\377\377\377\0\377\377\0") ||
        !has_shape(t + 8, "00T00:00", "\377\377\0\377\377\0\377\377") ||
        !has_shape(t + 16, ":00.000Z", "\0\377\377\0\377\377\377\0"))
        return utc_parse_rfc3339(t, v->len, ret);
    if (two(t + 5) < 1 || two(t + 5) > 12 || two(t + 8) < 1 || two(t + 8) > 28 || two(t + 11) > 23 ||
        two(t + 14) > 59 || two(t + 17) > 59) /* beyond the 28th it takes a calendar to say which dates there are */
        return utc_parse_rfc3339(t, v->len, ret);
    *ret = utc_days(two(t) * 100 + two(t + 2), two(t + 5), two(t + 8)) * 86400 + two(t + 11) * 3600 + two(t + 14) * 60 +
           two(t + 17);
    return true;
}

/*
 * Eight characters at once: a digit wherever `digits` has \xff, else the same character as in `shape`. Digits differ
 * from '0' by 0 to 9, and where adding 0x76 reaches the highest bit of a byte they do not.
 */
static inline bool has_shape(const char *text, const char *shape, const char *digits)
{
    uint64_t want, free, differs;

    memcpy(&want, shape, sizeof(want));
    memcpy(&free, digits, sizeof(free));
    memcpy(&differs, text, sizeof(differs));
    differs ^= want;
    return ((differs & ~free) |
            (((differs + UINT64_C(0x7676767676767676)) | differs) & UINT64_C(0x8080808080808080))) == 0;
}

static inline int two(const char *digits)
{
    return (digits[0] - '0') * 10 + (digits[1] - '0');
}

static enum dav_busy kind_of(const struct dav_ms_response *r)
{
    const struct dav_ms_value *word = &r->value[ROW_BUSY];
    enum dav_busy kind = DAV_BUSY;

    if (word->text && word->len > 0) {
        kind_by_word(word->text, &kind);
        return kind;
    }
    if (r->value[ROW_BUSY_ALIAS].text)
        return kind_by_number(r->value[ROW_BUSY_ALIAS].text);
    if (r->value[ROW_BUSY_NUMBER].text)
        return kind_by_number(r->value[ROW_BUSY_NUMBER].text);
    return DAV_BUSY;
}

/* False, and *ret left alone, for a word nobody knows. */
static bool kind_by_word(const char *word, enum dav_busy *ret)
{
    static const struct {
        const char *word;
        enum dav_busy kind;
    } words[] = {
        {"BUSY", DAV_BUSY}, {"FREE", DAV_FREE},       {"TENTATIVE", DAV_TENTATIVE},
        {"OOF", DAV_OOF},   {"OUTOFOFFICE", DAV_OOF},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_eq_nocase(word, words[i].word)) {
            *ret = words[i].kind;
            return true;
        }
    }
    return false;
}

static enum dav_busy kind_by_number(const char *number_text)
{
    static const enum dav_busy kinds[] = {DAV_FREE, DAV_TENTATIVE, DAV_BUSY, DAV_OOF, DAV_ELSEWHERE};

    if (number_text[0] < '0' || number_text[0] > '4' || number_text[1] != '\0')
        return DAV_BUSY;
    return kinds[number_text[0] - '0'];
}

static unsigned traits_of(const struct dav_ms_response *r)
{
    long response = number(&r->value[ROW_RESPONSE], 0);
    unsigned traits = 0;

    if (is_true(&r->value[ROW_ALL_DAY]))
        traits |= DAV_TRAIT_ALL_DAY;
    if (number(&r->value[ROW_STATE], 0) & STATE_CANCELLED)
        traits |= DAV_TRAIT_CANCELLED;
    if (response == 4)
        traits |= DAV_TRAIT_DECLINED;
    if (response == 5)
        traits |= DAV_TRAIT_UNANSWERED;
    if (response == 2)
        traits |= DAV_TRAIT_ACCEPTED_MAYBE;
    if (number(&r->value[ROW_SENSITIVITY], 0) >= 2)
        traits |= DAV_TRAIT_PRIVATE;
    return traits;
}

/* A word that is no number counts as missing. */
static long number(const struct dav_ms_value *v, long missing)
{
    int64_t value;

    if (!v->text)
        return missing;
    if (v->len == 1 && v->text[0] >= '0' && v->text[0] <= '9')
        return v->text[0] - '0';
    return str_to_int(v->text, INT32_MIN, INT32_MAX, &value) ? (long)value : missing;
}

static bool is_true(const struct dav_ms_value *v)
{
    return v->text && (strcmp(v->text, "1") == 0 || str_eq_nocase(v->text, "true"));
}

/* Where it lies and when it is: instances of a series may share the href, and different items may share everything
 * else. */
static uint64_t identity_of(const struct dav_ms_response *r)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    hash = mix(hash, r->href, r->href_len);
    for (int i = ROW_START; i <= ROW_END; i++)
        if (r->value[i].text)
            hash = mix(hash, r->value[i].text, r->value[i].len);
    return hash ? hash : 1;
}

/* Eight bytes at a time: this sees every href of every answer. */
static uint64_t mix(uint64_t hash, const char *text, size_t len)
{
    uint64_t word;

    for (; len >= sizeof(word); text += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    word = len; /* so that "a" and "a\0" differ */
    for (size_t i = 0; i < len; i++)
        word = word << 8 | (unsigned char)text[i];
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}
