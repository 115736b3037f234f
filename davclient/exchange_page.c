/*
 * exchange_page: the SEARCH for a window, page after page. Rows can shift between pages when the calendar changes, so
 * those that came before are recognised; a server that does not know Range sends everything each time, and is
 * recognised by that as well.
 *
 * When to stop: the total is reached; a page is shorter than asked for and no total was sent; a page brings nothing
 * new; 416. A server that promises more rows than it hands over has not answered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asked_bodies.h"
#include "base/arena.h"
#include "base/str.h"
#include "base/utc.h"
#include "exchange.h"

/* Recurring masters are left out here and again when rows are read: servers differ. */
const char dav_asked_search[] =
    "<?xml version=\"1.0\"?><D:searchrequest xmlns:D=\"DAV:\"><D:sql>"
    "SELECT \"urn:schemas:calendar:dtstart\", \"urn:schemas:calendar:dtend\", \"urn:schemas:calendar:busystatus\", "
    "\"urn:schemas:calendar:alldayevent\", \"urn:schemas:calendar:instancetype\", "
    "\"http://schemas.microsoft.com/mapi/apptstateflags\", \"http://schemas.microsoft.com/mapi/responsestatus\", "
    "\"http://schemas.microsoft.com/exchange/sensitivity\", "
    "\"http://schemas.microsoft.com/mapi/id/{00062002-0000-0000-C000-000000000046}/0x8205\" AS busymapi";
/* The same categories by the two names they have been given; a server that knows one of them leaves the other out. */
const char dav_asked_search_marks[] = ", \"urn:schemas-microsoft-com:office:office#Keywords\", "
                                      "\"http://schemas.microsoft.com/exchange/keywords-utf8\"";
const char dav_asked_search_where[] =
    " FROM SCOPE('SHALLOW TRAVERSAL OF \"\"') "
    "WHERE \"DAV:contentclass\" = 'urn:content-classes:appointment' AND \"DAV:isfolder\" = False "
    "AND \"urn:schemas:calendar:dtend\" &gt; '";
static const char before_until[] = "' AND \"urn:schemas:calendar:dtstart\" &lt; '";
const char dav_asked_search_end[] = "' AND NOT \"urn:schemas:calendar:instancetype\" = 1 "
                               "ORDER BY \"urn:schemas:calendar:dtstart\" ASC</D:sql></D:searchrequest>";

#define FIXED_HEADERS "Depth: 1", "Brief: t", "Translate: f", "Accept-Language: en-us", "Content-Type: text/xml"
#define RANGE_AT 5

static char *write_body(struct arena *arena, int64_t from, int64_t until, bool marks, size_t *ret_len);
static const char *const *headers_for(struct arena *arena, unsigned first);
static bool set_add(struct exchange_page *p, uint64_t identity);
static void set_build(struct exchange_page *p);

static const char *const first_headers[] = {FIXED_HEADERS, "Range: rows=0-199", NULL};
_Static_assert(EXCHANGE_PAGE_ROWS == 200, "the first page's header names its last row");

void dav_exchange_page_first(struct exchange_page *p)
{
    *p = (struct exchange_page){0};
}

bool dav_exchange_page_begun(const struct exchange_page *p)
{
    return p->first > 0;
}

bool dav_exchange_page_ask(struct exchange_page *p, struct arena *arena, int64_t from, int64_t until, bool marks,
                           struct dav_ask *ask)
{
    p->arena = arena;
    p->fresh = 0;
    ask->headers = p->first == 0 ? first_headers : headers_for(arena, p->first);
    ask->body = write_body(arena, from, until, marks, &ask->body_len);
    ask->spec = marks ? &dav_exchange_row_spec_marks : &dav_exchange_row_spec;
    ask->on_response = dav_exchange_on_row;
    return ask->headers && ask->body;
}

enum exchange_page_result dav_exchange_page_end(struct exchange_page *p, unsigned rows, const char *content_range)
{
    unsigned first = p->first;
    int64_t total = -1;
    int64_t next;

    if (content_range && dav_exchange_content_range(content_range, &first, &total) && first > p->first)
        return EXCHANGE_PAGE_SENSELESS; /* rows were passed over */
    next = (int64_t)first + rows;
    if (total >= 0 ? next >= total : rows != EXCHANGE_PAGE_ROWS)
        return EXCHANGE_PAGE_LAST;
    if (p->fresh == 0 || next <= p->first || next > UINT32_MAX / 2)
        return total >= 0 ? EXCHANGE_PAGE_SENSELESS : EXCHANGE_PAGE_LAST;
    if (!p->seen)
        set_build(p);
    p->first = (unsigned)next;
    return p->seen ? EXCHANGE_PAGE_MORE : EXCHANGE_PAGE_SENSELESS;
}

bool dav_exchange_page_hopeless(const struct exchange_page *p)
{
    return p->broken > 0 && p->spans == 0;
}

bool dav_exchange_page_repeats(struct exchange_page *p, uint64_t identity)
{
    if (p->seen) {
        if (!set_add(p, identity))
            return true;
        p->fresh++;
        return false;
    }
    p->fresh++;
    if (p->row_count == p->row_cap) {
        size_t cap = p->row_cap ? p->row_cap * 2 : 32;
        uint64_t *rows = arena_alloc(p->arena, cap * sizeof(*rows));

        if (!rows)
            return false; /* the ceiling of spans or the missing set will end it */
        if (p->row_count > 0)
            memcpy(rows, p->rows, p->row_count * sizeof(*rows));
        p->rows = rows;
        p->row_cap = cap;
    }
    p->rows[p->row_count++] = identity;
    return false;
}

bool dav_exchange_content_range(const char *value, unsigned *ret_first, int64_t *ret_total)
{
    size_t len = strlen(value);
    const char *rows = str_find_nocase(value, len, "rows ");
    const char *total = str_find_nocase(value, len, "total=");
    char *end;
    long long n;

    *ret_total = -1;
    if (total) {
        n = strtoll(total + strlen("total="), &end, 10);
        if (end != total + strlen("total=") && n >= 0)
            *ret_total = n;
    }
    if (!rows)
        return false;
    n = strtoll(rows + strlen("rows "), &end, 10);
    if (end == rows + strlen("rows ") || n < 0 || n > INT32_MAX)
        return false;
    *ret_first = (unsigned)n;
    return true;
}

static char *write_body(struct arena *arena, int64_t from, int64_t until, bool marks, size_t *ret_len)
{
    char text_from[UTC_TEXT_MAX], text_until[UTC_TEXT_MAX];
    const char *const parts[] = {dav_asked_search,
                                 marks ? dav_asked_search_marks : "",
                                 dav_asked_search_where,
                                 utc_slashed(from, text_from),
                                 before_until,
                                 utc_slashed(until, text_until),
                                 dav_asked_search_end};
    size_t len = 0;
    char *body, *at;

    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        len += strlen(parts[i]);
    body = at = arena_alloc(arena, len + 1);
    for (unsigned i = 0; body && i < sizeof(parts) / sizeof(parts[0]); i++)
        at = stpcpy(at, parts[i]);
    *ret_len = body ? len : 0;
    return body;
}

static const char *const *headers_for(struct arena *arena, unsigned first)
{
    const char **headers = arena_alloc(arena, sizeof(first_headers));
    char *range = arena_alloc(arena, 48);

    if (!headers || !range)
        return NULL;
    memcpy(headers, first_headers, sizeof(first_headers));
    snprintf(range, 48, "Range: rows=%u-%u", first, first + EXCHANGE_PAGE_ROWS - 1);
    headers[RANGE_AT] = range;
    return headers;
}

/* False: it was there. */
static bool set_add(struct exchange_page *p, uint64_t identity)
{
    size_t i = identity & (p->seen_cap - 1);

    if (p->seen_count >= p->seen_cap / 2)
        return true; /* so many rows are beyond what an account may have; dav_query_span() says so */
    while (p->seen[i] && p->seen[i] != identity)
        i = (i + 1) & (p->seen_cap - 1);
    if (p->seen[i])
        return false;
    p->seen[i] = identity;
    p->seen_count++;
    return true;
}

static void set_build(struct exchange_page *p)
{
    p->seen_cap = 65536;
    p->seen = arena_alloc(p->arena, p->seen_cap * sizeof(*p->seen));
    for (size_t i = 0; p->seen && i < p->row_count; i++)
        set_add(p, p->rows[i]);
}
