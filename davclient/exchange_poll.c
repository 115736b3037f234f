/*
 * exchange_poll: what the server says about subscriptions, as pure functions: the 207 that answers POLL and a SUBSCRIBE
 * of several ids, and the datagrams that it sends by itself (NOTIFY over UDP).
 *
 * In the document `status` and `subscriptionID` stand directly below `response`, in either order, the ids in elements
 * `li`; one response may stand for several. Its namespace has a capital E, li has none: names are compared without
 * their namespace.
 */
#include "exchange_poll.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/xml.h"
#include "multistatus.h"
#include "url.h"

#define IDS_MAX 512 /* of one response */
#define TEXT_MAX DAV_URL_PATH_MAX
#define DATAGRAM_MAX 2048

struct reading {
    dav_exchange_poll_fn *fn;
    void *arg;
    struct buf text; /* of the element at hand */
    struct buf href;
    uint32_t ids[IDS_MAX];
    unsigned count;
    int status;
};

static bool on_start(void *arg, const char *ns, const char *name);
static bool on_end(void *arg, const char *ns, const char *name);
static bool on_text(void *arg, const char *text, size_t len);
static void tell(struct reading *r);

static const struct xml_handler handler = {on_start, on_end, on_text};

bool dav_exchange_poll_read(const char *body, size_t len, dav_exchange_poll_fn *fn, void *arg)
{
    struct xml_limits limits = {.max_bytes = len + 1, .max_depth = 16};
    struct reading r = {.fn = fn, .arg = arg};
    struct xml_reader *reader = xml_reader_new(&handler, &r, &limits);
    bool ok;

    buf_init(&r.text, TEXT_MAX);
    buf_init(&r.href, TEXT_MAX);
    xml_reader_feed(reader, body, len);
    ok = xml_reader_finish(reader) == XML_OK;
    xml_reader_free(&reader);
    buf_free(&r.text);
    buf_free(&r.href);
    return ok;
}

unsigned dav_exchange_ids_read(const char *text, size_t len, uint32_t *ids, unsigned max)
{
    unsigned n = 0;

    for (size_t i = 0; i < len && n < max;) {
        uint64_t id = 0;
        size_t first = i;

        for (; i < len && text[i] >= '0' && text[i] <= '9'; i++)
            id = id > UINT32_MAX ? id : id * 10 + (uint64_t)(text[i] - '0');
        if (i > first && id < UINT32_MAX)
            ids[n++] = (uint32_t)id;
        else if (i == first && text[i] != ',' && text[i] != ' ' && text[i] != '\t' && text[i] != '\r' &&
                 text[i] != '\n')
            return 0; /* ids are numbers on every server that was seen; what is none is not ours */
        else if (i == first)
            i++;
    }
    return n;
}

int dav_exchange_notify_read(const char *data, size_t len, uint32_t *ids, unsigned max)
{
    static const char name[] = "Subscription-id:";
    const char *end = data + len, *line = data;

    if (len > DATAGRAM_MAX || len < sizeof("NOTIFY ") || memchr(data, '\0', len) != NULL ||
        strncmp(data, "NOTIFY ", sizeof("NOTIFY ") - 1) != 0)
        return -1;
    while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        const char *stop;
        size_t n;

        line++;
        stop = memchr(line, '\n', (size_t)(end - line));
        n = (size_t)((stop ? stop : end) - line);

        if (n >= sizeof(name) - 1 && str_find_nocase(line, sizeof(name) - 1, name) == line) {
            n = dav_exchange_ids_read(line + sizeof(name) - 1, n - (sizeof(name) - 1), ids, max);
            return n > 0 ? (int)n : -1;
        }
    }
    return 0;
}

static bool on_start(void *arg, const char *ns, const char *name)
{
    struct reading *r = arg;

    (void)ns;
    buf_reset(&r->text);
    if (strcmp(name, "response") == 0) {
        r->count = 0;
        r->status = 0;
        buf_reset(&r->href);
    }
    return true;
}

static bool on_end(void *arg, const char *ns, const char *name)
{
    struct reading *r = arg;

    (void)ns;
    if (strcmp(name, "status") == 0)
        r->status = dav_ms_status_number(r->text.data, r->text.len);
    else if (strcmp(name, "href") == 0 && r->href.len == 0)
        dav_url_path_of(&r->href, r->text.data, r->text.len, true);
    else if (strcmp(name, "li") == 0 || strcmp(name, "subscriptionID") == 0)
        r->count += dav_exchange_ids_read(r->text.data, r->text.len, r->ids + r->count, IDS_MAX - r->count);
    else if (strcmp(name, "response") == 0)
        tell(r);
    buf_reset(&r->text);
    return true;
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct reading *r = arg;

    if (!buf_add(&r->text, text, len))
        buf_reset(&r->text);
    return true;
}

static void tell(struct reading *r)
{
    for (unsigned i = 0; i < r->count; i++)
        r->fn(r->arg, r->ids[i], r->status, r->href.len > 0 ? r->href.data : "");
}
