/*
 * busytext: see busytext.h. The gateway's relay calls it with what others PUT. The lines are gone through once to find
 * where each VFREEBUSY begins and ends and whose it is; its periods are then read by ical.c, as those of a file that we
 * fetch are (ifb.c), each component as a calendar of its own, so that a broken one spoils no other.
 */
#include "davclient/busytext.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "ical.h"
#include "ical_parts.h"

#define COMPONENT_MAX (512 * 1024)
#define SPANS_MAX 5000
#define MAILTO "mailto:"

struct dav_busytext {
    struct dav_ical *ical;
    struct dav_span *spans;
    size_t count;
    struct buf text;    /* one component with a calendar around it */
    struct buf address; /* of it */
};

/* The component at hand. */
struct component {
    const char *begin; /* of the line behind BEGIN; NULL: outside */
    bool starts, ends; /* it says when */
    bool by_organizer;
};

static bool on_span(void *arg, const struct dav_span *span);
static void take_line(struct dav_busytext *b, struct component *c, const struct dav_line *line);
static void take_address(struct dav_busytext *b, const struct dav_line *line);
static void hand_over(struct dav_busytext *b, const struct component *c, size_t len, dav_busytext_fn *fn, void *arg);
static int64_t stamp_of(const char *text, size_t len);

struct dav_busytext *dav_busytext_new(void)
{
    struct dav_busytext *b = mem_calloc(1, sizeof(*b));
    const struct dav_ical_setup setup = {
        .until = UINT32_MAX, .on_span = on_span, .arg = b, .max_bytes = COMPONENT_MAX + 100, .max_spans = SPANS_MAX};

    b->ical = dav_ical_new(&setup);
    b->spans = mem_calloc(SPANS_MAX, sizeof(*b->spans));
    buf_init(&b->text, COMPONENT_MAX + 100);
    buf_init(&b->address, DAV_BUSYTEXT_ADDRESS_MAX);
    return b;
}

void dav_busytext_free(struct dav_busytext **b)
{
    if (*b == NULL)
        return;
    dav_ical_free(&(*b)->ical);
    free((*b)->spans);
    buf_free(&(*b)->text);
    buf_free(&(*b)->address);
    free(*b);
    *b = NULL;
}

bool dav_busytext_read(struct dav_busytext *b, const char *text, size_t len, size_t max, dav_busytext_fn *fn,
                       void *arg)
{
    struct component c = {.begin = NULL};
    struct dav_lines lines;
    struct dav_line line;
    size_t count = 0;

    dav_lines_init(&lines, text, len);
    while (count <= max && dav_lines_next(&lines, &line)) {
        if (line.prop == DAV_PROP_BEGIN && dav_line_value_is(&line, "VFREEBUSY")) {
            if (c.begin != NULL)
                break; /* one inside another: nonsense */
            c = (struct component){.begin = lines.at};
            buf_reset(&b->address);
        } else if (c.begin != NULL && line.prop == DAV_PROP_END && dav_line_value_is(&line, "VFREEBUSY")) {
            if (++count <= max)
                hand_over(b, &c, (size_t)(lines.line_start - c.begin), fn, arg);
            c.begin = NULL;
        } else if (c.begin != NULL) {
            take_line(b, &c, &line);
        }
    }
    dav_lines_free(&lines);
    return c.begin == NULL && count > 0 && count <= max;
}

static bool on_span(void *arg, const struct dav_span *span)
{
    struct dav_busytext *b = arg;

    if (b->count >= SPANS_MAX)
        return false;
    b->spans[b->count++] = *span;
    return true;
}

static void take_line(struct dav_busytext *b, struct component *c, const struct dav_line *line)
{
    c->starts = c->starts || line->prop == DAV_PROP_DTSTART;
    c->ends = c->ends || line->prop == DAV_PROP_DTEND;
    if (line->broken || c->by_organizer || (line->prop != DAV_PROP_ORGANIZER && line->prop != DAV_PROP_ATTENDEE))
        return;
    c->by_organizer = line->prop == DAV_PROP_ORGANIZER;
    take_address(b, line);
}

static void take_address(struct dav_busytext *b, const struct dav_line *line)
{
    size_t scheme = sizeof(MAILTO) - 1;

    buf_reset(&b->address);
    if (line->value_len <= scheme || str_find_nocase(line->value, scheme, MAILTO) != line->value ||
        !str_percent_decode(&b->address, line->value + scheme, line->value_len - scheme) || b->address.failed ||
        !str_is_utf8(b->address.data, b->address.len))
        buf_reset(&b->address);
}

static void hand_over(struct dav_busytext *b, const struct component *c, size_t len, dav_busytext_fn *fn, void *arg)
{
    struct dav_busytext_part part = {.address = b->address.len > 0 ? b->address.data : ""};

    b->count = 0;
    buf_reset(&b->text);
    buf_adds(&b->text, "BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\n");
    buf_add(&b->text, c->begin, len);
    buf_adds(&b->text, "END:VFREEBUSY\r\nEND:VCALENDAR\r\n");
    part.stamp = stamp_of(b->text.data, b->text.len);
    if (!b->text.failed && c->starts && c->ends) {
        unsigned lost = dav_ical_lost(b->ical);

        part.good = dav_ical_read(b->ical, b->text.data, b->text.len) == DAV_ICAL_OK &&
                    dav_ical_lost(b->ical) == lost && dav_ical_covered(b->ical, &part.from, &part.until) &&
                    part.from < part.until;
    }
    if (part.good) {
        part.spans = b->spans;
        part.count = b->count;
    }
    fn(arg, &part);
}

/* Of the first DTSTAMP; it is never long enough to be folded. The text ends with a NUL. */
static int64_t stamp_of(const char *text, size_t len)
{
    const char *line = text, *end = text + len;
    int64_t stamp = 0;

    while (line != NULL && line < end) {
        size_t left = (size_t)(end - line), n = strcspn(line, "\r\n");

        n = n < left ? n : left;
        if (n > 8 && str_find_nocase(line, 8, "DTSTAMP:") == line) {
            utc_parse_basic(line + 8, n - 8, &stamp);
            return stamp;
        }
        line = memchr(line, '\n', left);
        line = line != NULL ? line + 1 : NULL;
    }
    return stamp;
}
