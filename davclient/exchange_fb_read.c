/*
 * exchange_fb_read: the answer to ?cmd=freebusy, <response><recipients><item>... in the namespace "WM", as rows. The
 * prefix is whatever the server likes, the order inside of an item too; what is not known is passed over. A web page
 * (a logon form, an error of somebody in front of the server) is told apart by its root.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/xml.h"
#include "exchange_fb.h"

enum { DEPTH_MAX = 16, HOLD_MAX = 1 << 20 };

enum part { PART_NONE, PART_EMAIL, PART_DIGITS };

struct dav_fb_reader {
    struct xml_reader *xml;
    dav_fb_row_fn *fn;
    void *arg;
    size_t digits_max;
    unsigned depth;
    bool is_other;   /* the root says so */
    bool was_whole;  /* a list of recipients was there, from its beginning to its end */
    bool had_enough; /* fn said so */
    bool in_list, in_item;
    enum part part;
    struct buf email, digits;
    const char *whole; /* the digits, where they came in one piece that stays; NULL: they are in the buf */
    size_t whole_len;
    bool seen_email, seen_digits, broken;
};

static bool on_start(void *arg, const char *ns, const char *name);
static bool on_end(void *arg, const char *ns, const char *name);
static bool on_text(void *arg, const char *text, size_t len);
static void digits_add(struct dav_fb_reader *r, const char *text, size_t len);
static void item_begin(struct dav_fb_reader *r);
static bool item_end(struct dav_fb_reader *r);

struct dav_fb_reader *dav_fb_reader_new(size_t max_bytes)
{
    static const struct xml_handler handler = {on_start, on_end, on_text};
    const struct xml_limits limits = {
        .max_bytes = max_bytes, .max_depth = DEPTH_MAX, .hold = true, .hold_max = HOLD_MAX};
    struct dav_fb_reader *r = mem_calloc(1, sizeof(*r));

    r->xml = xml_reader_new(&handler, r, &limits);
    buf_init(&r->email, FB_EMAIL_MAX);
    buf_init(&r->digits, 0);
    return r;
}

void dav_fb_reader_free(struct dav_fb_reader **rp)
{
    struct dav_fb_reader *r = *rp;

    if (!r)
        return;
    xml_reader_free(&r->xml);
    buf_free(&r->email);
    buf_free(&r->digits);
    free(r);
    *rp = NULL;
}

enum dav_fb_read dav_fb_read(struct dav_fb_reader *r, const char *body, size_t len, size_t digits_max,
                             dav_fb_row_fn *fn, void *arg)
{
    enum xml_result result;

    xml_reader_reset(r->xml, r);
    r->fn = fn;
    r->arg = arg;
    r->digits.max = digits_max + 16; /* blanks around them */
    r->depth = 0;
    r->is_other = r->was_whole = r->had_enough = r->in_list = r->in_item = false;
    r->part = PART_NONE;
    result = xml_reader_whole(r->xml, body, len);
    if (r->had_enough || result == XML_TOO_LONG)
        return DAV_FB_READ_TOO_MUCH;
    return result == XML_OK && r->was_whole && !r->is_other ? DAV_FB_READ_OK : DAV_FB_READ_OTHER;
}

static bool is(const char *ns, const char *name, const char *wanted)
{
    return strcmp(name, wanted) == 0 && strcmp(ns, "WM") == 0;
}

static bool on_start(void *arg, const char *ns, const char *name)
{
    struct dav_fb_reader *r = arg;

    switch (++r->depth) {
    case 1:
        r->is_other = !is(ns, name, "response");
        return !r->is_other;
    case 2:
        r->in_list = is(ns, name, "recipients");
        return true;
    case 3:
        if (r->in_list && is(ns, name, "item"))
            item_begin(r);
        return true;
    case 4:
        if (r->in_item && is(ns, name, "fbdata")) {
            r->part = PART_DIGITS;
            r->broken = r->broken || r->seen_digits;
            r->seen_digits = true;
        } else if (r->in_item && is(ns, name, "email")) {
            r->part = PART_EMAIL;
            r->broken = r->broken || r->seen_email;
            r->seen_email = true;
        }
        return true;
    default:
        r->broken = r->broken || r->part != PART_NONE; /* neither has anything but text in it */
        return true;
    }
}

static bool on_end(void *arg, const char *ns, const char *name)
{
    struct dav_fb_reader *r = arg;

    (void)ns;
    (void)name;
    switch (r->depth--) {
    case 4:
        r->part = PART_NONE;
        return true;
    case 3:
        return !r->in_item || item_end(r);
    case 2:
        r->was_whole = r->was_whole || r->in_list;
        r->in_list = false;
        return true;
    default:
        return true;
    }
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct dav_fb_reader *r = arg;

    switch (r->part) {
    case PART_DIGITS:
        digits_add(r, text, len);
        break;
    case PART_EMAIL:
        buf_add(&r->email, text, len);
        break;
    case PART_NONE:
        break;
    }
    return true;
}

/* They are nearly all of an answer. */
static void digits_add(struct dav_fb_reader *r, const char *text, size_t len)
{
    if (!r->whole && r->digits.len == 0 && len <= r->digits.max && xml_reader_texts_stay(r->xml)) {
        r->whole = text;
        r->whole_len = len;
        return;
    }
    if (r->whole)
        buf_add(&r->digits, r->whole, r->whole_len);
    r->whole = NULL;
    buf_add(&r->digits, text, len);
}

static void item_begin(struct dav_fb_reader *r)
{
    r->whole = NULL;
    r->in_item = true;
    r->seen_email = r->seen_digits = r->broken = false;
    buf_reset(&r->email);
    buf_reset(&r->digits);
}

/* "  SMTP:anna@example.com " is anna@example.com. */
static const char *plain(struct buf *email)
{
    size_t len = email->len;
    const char *text = str_trim(email->data, &len);

    if (len == 0)
        return "";
    email->data[text - email->data + (ptrdiff_t)len] = '\0';
    if (str_starts_nocase(text, "SMTP:"))
        text += 5;
    else if (str_starts_nocase(text, "mailto:"))
        text += 7;
    return text;
}

static bool item_end(struct dav_fb_reader *r)
{
    struct dav_fb_row row = {.broken = r->broken || r->digits.failed || r->email.failed,
                             .len = r->whole ? r->whole_len : r->digits.len};

    r->in_item = false;
    row.email = plain(&r->email);
    row.digits = str_trim(r->whole ? r->whole : r->digits.data, &row.len);
    if (!r->fn(r->arg, &row))
        r->had_enough = true;
    return !r->had_enough;
}
