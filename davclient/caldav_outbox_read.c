/*
 * caldav_outbox_read: C:schedule-response as rows: for each C:response the texts of its C:recipient, C:request-status
 * and C:calendar-data. SOGo writes the recipient as text, the others as a D:href in it: all text below counts.
 */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/xml.h"
#include "caldav_outbox.h"

#define NS "urn:ietf:params:xml:ns:caldav"
#define DEPTH_MAX 16
#define TEXT_MAX 2048
#define DATA_MAX (1024 * 1024)

enum { RECIPIENT, STATUS, DATA, PARTS };

struct reader {
    dav_outbox_fn *fn;
    void *arg;
    unsigned depth;
    int part; /* being read, PARTS: none */
    bool in_response, other;
    struct buf text[PARTS];
};

static bool on_start(void *arg, const char *ns, const char *name);
static bool on_end(void *arg, const char *ns, const char *name);
static bool on_text(void *arg, const char *text, size_t len);
static const char *trimmed(struct buf *text);

bool dav_outbox_read(const char *body, size_t len, dav_outbox_fn *fn, void *arg)
{
    static const struct xml_handler handler = {on_start, on_end, on_text};
    const struct xml_limits limits = {.max_bytes = len + 1, .max_depth = DEPTH_MAX};
    struct reader r = {.fn = fn, .arg = arg, .part = PARTS};
    struct xml_reader *xml = xml_reader_new(&handler, &r, &limits);
    enum xml_result result;

    for (int i = 0; i < PARTS; i++)
        buf_init(&r.text[i], i == DATA ? DATA_MAX : TEXT_MAX);
    result = xml_reader_feed(xml, body, len);
    if (result == XML_OK)
        result = xml_reader_finish(xml);
    for (int i = 0; i < PARTS; i++)
        buf_free(&r.text[i]);
    xml_reader_free(&xml);
    return result == XML_OK && !r.other;
}

static bool on_start(void *arg, const char *ns, const char *name)
{
    static const char *const names[PARTS] = {
        [RECIPIENT] = "recipient", [STATUS] = "request-status", [DATA] = "calendar-data"};
    struct reader *r = arg;
    bool ours = strcmp(ns, NS) == 0;

    r->depth++;
    if (r->depth == 1) {
        r->other = !ours || strcmp(name, "schedule-response") != 0;
        return !r->other;
    }
    if (r->depth == 2) {
        r->in_response = ours && strcmp(name, "response") == 0;
        for (int i = 0; i < PARTS; i++)
            buf_reset(&r->text[i]);
    }
    for (int i = 0; r->depth == 3 && r->in_response && ours && i < PARTS; i++)
        if (strcmp(name, names[i]) == 0)
            r->part = i;
    return true;
}

static bool on_end(void *arg, const char *ns, const char *name)
{
    struct reader *r = arg;

    (void)ns;
    (void)name;
    if (r->depth == 3)
        r->part = PARTS;
    if (r->depth == 2 && r->in_response) {
        struct dav_outbox_row row = {.cut =
                                         r->text[RECIPIENT].failed || r->text[STATUS].failed || r->text[DATA].failed};

        row.recipient = trimmed(&r->text[RECIPIENT]);
        row.status = trimmed(&r->text[STATUS]);
        row.data = r->text[DATA].len > 0 ? r->text[DATA].data : "";
        row.data_len = r->text[DATA].len;
        r->fn(r->arg, &row);
        r->in_response = false;
    }
    r->depth--;
    return true;
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct reader *r = arg;

    if (r->part != PARTS)
        buf_add(&r->text[r->part], text, len);
    return true;
}

static const char *trimmed(struct buf *text)
{
    size_t len = text->len;
    const char *at = len > 0 ? str_trim(text->data, &len) : "";

    if (len > 0 && at + len < text->data + text->len)
        text->data[(size_t)(at - text->data) + len] = '\0';
    return len > 0 ? at : "";
}
