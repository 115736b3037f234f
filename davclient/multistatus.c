/*
 * multistatus: reads a 207 as it arrives and hands over one response after the other. Called by query.c with the bytes
 * of a body; the flavour's callback gets the rows.
 *
 * The reader keeps a place in the grammar (enum place) for the wanted parts and counts nested elements for everything
 * else:
 *
 *     multistatus / response / href | status | propstat / status | prop / <a wanted property> / whatever
 *                 / sync-token
 *
 * The texts of one response lie one after the other, NUL-terminated, in one buffer that is reused: no allocation per
 * row. A property counts only when its propstat turns out to be 2xx, which may be known before or after it; until then
 * it is `pending`.
 *
 * What a name means is for multistatus_name.c.
 */
#include "multistatus.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/xml.h"
#include "multistatus_name.h"

#define DEFAULT_DEPTH 32
#define HREF_MAX 4096
#define STATUS_MAX 128
#define TOKEN_MAX 1024

enum place {
    IN_DOCUMENT,
    IN_MULTISTATUS,
    IN_RESPONSE,
    IN_HREF,
    IN_STATUS,
    IN_PROPSTAT,
    IN_PROPSTAT_STATUS,
    IN_PROP,
    IN_VALUE,
    IN_TOKEN
};

struct dav_ms {
    const struct dav_ms_spec *spec;
    struct dav_ms_limits limits;
    struct xml_reader *xml;
    struct dav_ms_names names;
    dav_ms_fn *fn;
    void *arg;
    enum dav_ms_result verdict;
    enum place place;
    unsigned nested; /* open elements below `place` that are not looked at */
    unsigned rows;
    struct buf text;  /* of the response */
    struct buf token; /* of the document */
    size_t from;      /* where the text being read begins in `text` */
    size_t max;       /* how much of it is kept */
    bool cut;
    int prop;            /* being read */
    int propstat_status; /* of the propstat, 0: not seen or not a number */
    int response_status;
    size_t href_at, href_len;
    uint32_t have;    /* properties of accepted propstats ... */
    uint32_t pending; /* ... and of the one being read */
    size_t value_at[DAV_MS_PROPS];
    struct dav_ms_value value[DAV_MS_PROPS];
};

static bool on_start(void *arg, const char *ns, const char *name);
static bool on_end(void *arg, const char *ns, const char *name);
static bool on_text(void *arg, const char *text, size_t len);
static bool start_response(struct dav_ms *m) __attribute__((noinline));
static void start_part(struct dav_ms *m, enum dav_ms_element element);
static void start_text(struct dav_ms *m, enum place place, size_t max);
static void start_value(struct dav_ms *m, int prop);
static void name_child(struct dav_ms *m, const char *name);
static void skip(struct dav_ms *m);
static size_t end_text(struct dav_ms *m);
static int end_status(struct dav_ms *m);
static void end_value(struct dav_ms *m);
static void end_propstat(struct dav_ms *m);
static bool end_response(struct dav_ms *m) __attribute__((noinline));
static inline bool put(struct buf *b, const char *text, size_t len);
static inline bool put_nul(struct buf *b);
static inline bool is_blank(char c);
static bool refuse(struct dav_ms *m, enum dav_ms_result why);

static const struct xml_handler handler = {.start = on_start, .end = on_end, .text = on_text};

struct dav_ms *dav_ms_new(const struct dav_ms_spec *spec, const struct dav_ms_limits *limits)
{
    struct dav_ms *m = mem_calloc(1, sizeof(*m));
    struct xml_limits xml = {.max_bytes = limits->max_bytes,
                             .max_depth = limits->max_depth ? limits->max_depth : DEFAULT_DEPTH,
                             .hold = true};

    m->spec = spec;
    dav_ms_names_init(&m->names, spec);
    m->limits = *limits;
    m->xml = xml_reader_new(&handler, m, &xml);
    buf_init(&m->text, limits->max_bytes);
    buf_init(&m->token, TOKEN_MAX);
    return m;
}

void dav_ms_free(struct dav_ms **m)
{
    if (!*m)
        return;
    xml_reader_free(&(*m)->xml);
    buf_free(&(*m)->text);
    buf_free(&(*m)->token);
    free(*m);
    *m = NULL;
}

void dav_ms_begin(struct dav_ms *m, dav_ms_fn *fn, void *arg)
{
    xml_reader_reset(m->xml, m);
    m->names.document++;
    m->fn = fn;
    m->arg = arg;
    m->verdict = DAV_MS_OK;
    m->place = IN_DOCUMENT;
    m->nested = 0;
    m->rows = 0;
    buf_reset(&m->text);
    buf_reset(&m->token);
}

bool dav_ms_feed(struct dav_ms *m, const char *data, size_t len)
{
    if (m->verdict != DAV_MS_OK)
        return false;
    switch (xml_reader_feed(m->xml, data, len)) {
    case XML_OK:
        return true;
    case XML_TOO_DEEP:
    case XML_TOO_LONG:
        return refuse(m, DAV_MS_TOO_LARGE);
    case XML_STOPPED: /* our own handler did, and said why */
        return m->verdict == DAV_MS_OK ? refuse(m, DAV_MS_STOPPED) : false;
    case XML_BROKEN:
    case XML_DTD:
        break;
    }
    return refuse(m, DAV_MS_BROKEN);
}

enum dav_ms_result dav_ms_finish(struct dav_ms *m)
{
    enum xml_result end;

    if (m->verdict != DAV_MS_OK)
        return m->verdict;
    end = xml_reader_finish(m->xml);
    if (m->verdict == DAV_MS_OK && (end == XML_TOO_DEEP || end == XML_TOO_LONG))
        m->verdict = DAV_MS_TOO_LARGE;
    else if (m->verdict == DAV_MS_OK && end != XML_OK)
        m->verdict = DAV_MS_BROKEN;
    return m->verdict;
}

unsigned dav_ms_rows(const struct dav_ms *m)
{
    return m->rows;
}

const char *dav_ms_sync_token(const struct dav_ms *m)
{
    return m->token.data;
}

const struct dav_ms_spec *dav_ms_spec_of(const struct dav_ms *m)
{
    return m->spec;
}

int dav_ms_status_number(const char *text, size_t len)
{
    static const char usual[] = "HTTP/1.1 200 ";
    const char *blank = memchr(text, ' ', len);
    const char *p = blank ? blank + 1 : text;
    const char *end = text + len;

    if (len >= sizeof(usual) - 1 && memcmp(text, usual, sizeof(usual) - 1) == 0)
        return 200;
    if (!str_starts_nocase(text, "HTTP/") || end - p < 3)
        return 0;
    if (p[0] < '1' || p[0] > '5' || p[1] < '0' || p[1] > '9' || p[2] < '0' || p[2] > '9' ||
        (end - p > 3 && p[3] != ' '))
        return 0;
    return (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
}

static bool on_start(void *arg, const char *ns, const char *name)
{
    struct dav_ms *m = arg;
    const struct dav_ms_name *k;

    if (m->nested > 0) {
        m->nested++;
        return true;
    }
    k = dav_ms_name_of(&m->names, ns, name);
    switch (m->place) {
    case IN_DOCUMENT:
        if (k->element != DAV_MS_EL_MULTISTATUS)
            return refuse(m, DAV_MS_BROKEN);
        m->place = IN_MULTISTATUS;
        return true;
    case IN_MULTISTATUS:
        if (k->element == DAV_MS_EL_RESPONSE)
            return start_response(m);
        if (k->element == DAV_MS_EL_SYNC_TOKEN)
            start_text(m, IN_TOKEN, TOKEN_MAX);
        else
            skip(m);
        return true;
    case IN_RESPONSE:
    case IN_PROPSTAT:
        start_part(m, k->element);
        return true;
    case IN_PROP:
        if (k->prop >= 0 && !((m->have | m->pending) & UINT32_C(1) << k->prop))
            start_value(m, k->prop);
        else
            skip(m);
        return true;
    case IN_VALUE:
        name_child(m, name);
        skip(m);
        return true;
    case IN_HREF:
    case IN_STATUS:
    case IN_PROPSTAT_STATUS:
    case IN_TOKEN:
        break;
    }
    skip(m);
    return true;
}

static bool on_end(void *arg, const char *ns, const char *name)
{
    struct dav_ms *m = arg;

    (void)ns;
    (void)name;
    if (m->nested > 0) {
        m->nested--;
        return true;
    }
    switch (m->place) {
    case IN_DOCUMENT:
    case IN_MULTISTATUS:
        m->place = IN_DOCUMENT;
        return true;
    case IN_RESPONSE:
        return end_response(m);
    case IN_HREF:
        m->href_len = end_text(m);
        m->href_at = m->from;
        m->place = IN_RESPONSE;
        return true;
    case IN_STATUS:
        m->response_status = end_status(m);
        m->place = IN_RESPONSE;
        return true;
    case IN_PROPSTAT:
        end_propstat(m);
        return true;
    case IN_PROPSTAT_STATUS:
        m->propstat_status = end_status(m);
        m->place = IN_PROPSTAT;
        return true;
    case IN_PROP:
        m->place = IN_PROPSTAT;
        return true;
    case IN_VALUE:
        end_value(m);
        return true;
    case IN_TOKEN:
        end_text(m);
        buf_reset(&m->token);
        buf_adds(&m->token, m->text.data + m->from);
        m->place = IN_MULTISTATUS;
        return true;
    }
    return true;
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct dav_ms *m = arg;
    size_t room;

    switch (m->place) {
    case IN_VALUE:
        if (m->spec->props[m->prop].mode == DAV_MS_NAMES)
            return true;
        break;
    case IN_HREF:
    case IN_STATUS:
    case IN_PROPSTAT_STATUS:
    case IN_TOKEN:
        if (m->nested > 0)
            return true;
        break;
    case IN_DOCUMENT:
    case IN_MULTISTATUS:
    case IN_RESPONSE:
    case IN_PROPSTAT:
    case IN_PROP:
        return true;
    }
    room = m->max - (m->text.len - m->from);
    if (len > room) {
        m->cut = true;
        len = room;
    }
    return put(&m->text, text, len) || refuse(m, DAV_MS_TOO_LARGE);
}

static bool start_response(struct dav_ms *m)
{
    if (m->rows >= m->limits.max_rows)
        return refuse(m, DAV_MS_TOO_LARGE);
    m->rows++;
    m->place = IN_RESPONSE;
    buf_reset(&m->text);
    m->href_at = m->href_len = 0;
    m->response_status = 0;
    m->have = 0;
    return true;
}

/* Something inside a response or a propstat. */
static void start_part(struct dav_ms *m, enum dav_ms_element element)
{
    bool response = m->place == IN_RESPONSE;

    if (response && element == DAV_MS_EL_HREF && m->href_len == 0) {
        start_text(m, IN_HREF, HREF_MAX);
    } else if (element == DAV_MS_EL_STATUS) {
        start_text(m, response ? IN_STATUS : IN_PROPSTAT_STATUS, STATUS_MAX);
    } else if (response && element == DAV_MS_EL_PROPSTAT) {
        m->place = IN_PROPSTAT;
        m->pending = 0;
        m->propstat_status = 0;
    } else if (!response && element == DAV_MS_EL_PROP) {
        m->place = IN_PROP;
    } else {
        skip(m);
    }
}

static void start_text(struct dav_ms *m, enum place place, size_t max)
{
    m->place = place;
    m->from = m->text.len;
    m->max = max;
    m->cut = false;
}

static void start_value(struct dav_ms *m, int prop)
{
    start_text(m, IN_VALUE, m->spec->props[prop].max);
    m->prop = prop;
}

static void name_child(struct dav_ms *m, const char *name)
{
    size_t len = 0;
    const char *attr;

    if (m->spec->props[m->prop].mode == DAV_MS_LIST && m->text.len - m->from < m->max)
        buf_addc(&m->text, '\n');
    if (m->spec->props[m->prop].mode != DAV_MS_NAMES || m->text.len - m->from + strlen(name) + 1 > m->max)
        return;
    buf_addc(&m->text, ' ');
    buf_adds(&m->text, name);
    attr = xml_reader_attr(m->xml, "", "name", &len);
    if (attr && m->text.len - m->from + len + 1 <= m->max) {
        buf_addc(&m->text, '=');
        buf_add(&m->text, attr, len);
    }
}

static void skip(struct dav_ms *m)
{
    m->nested++;
}

/* Cuts blanks at both ends and closes the text with a NUL; returns its length. m->from is where it begins. */
static size_t end_text(struct dav_ms *m)
{
    size_t len = m->text.len - m->from;
    const char *begin = m->text.data + m->from;

    if (len > 0 && (is_blank(begin[0]) || is_blank(begin[len - 1]))) {
        m->from += (size_t)(str_trim(begin, &len) - begin);
        m->text.len = m->from + len;
    }
    if (!put_nul(&m->text))
        refuse(m, DAV_MS_TOO_LARGE);
    return len;
}

/* In two steps: end_text() may move the text. */
static int end_status(struct dav_ms *m)
{
    size_t len = end_text(m);

    return dav_ms_status_number(m->text.data + m->from, len);
}

static void end_value(struct dav_ms *m)
{
    struct dav_ms_value *v = &m->value[m->prop];

    /* a list of names keeps its first blank: readers look for " name" */
    if (m->spec->props[m->prop].mode == DAV_MS_NAMES) {
        v->len = m->text.len - m->from;
        if (!put_nul(&m->text))
            refuse(m, DAV_MS_TOO_LARGE);
    } else {
        v->len = end_text(m);
    }
    m->value_at[m->prop] = m->from;
    v->cut = m->cut;
    m->pending |= UINT32_C(1) << m->prop;
    m->place = IN_PROP;
}

static void end_propstat(struct dav_ms *m)
{
    if (m->propstat_status >= 200 && m->propstat_status <= 299)
        m->have |= m->pending;
    m->pending = 0;
    m->place = IN_RESPONSE;
}

static bool end_response(struct dav_ms *m)
{
    struct dav_ms_response r = {.status = m->response_status, .value = m->value, .href = "", .href_len = m->href_len};

    m->place = IN_MULTISTATUS;
    if (m->verdict != DAV_MS_OK)
        return false;
    for (size_t i = 0; i < m->spec->count; i++) {
        m->value[i].text = m->have & UINT32_C(1) << i ? m->text.data + m->value_at[i] : NULL;
        if (!m->value[i].text)
            m->value[i].len = 0, m->value[i].cut = false;
    }
    if (m->href_len > 0)
        r.href = m->text.data + m->href_at;
    return m->fn(m->arg, &r) || refuse(m, DAV_MS_STOPPED);
}

/* buf_add() without the call where the bytes fit: this sees every text of every answer. */
static inline bool put(struct buf *b, const char *text, size_t len)
{
    if (b->failed || len >= b->cap - b->len)
        return buf_add(b, text, len);
    memcpy(b->data + b->len, text, len);
    b->len += len;
    b->data[b->len] = '\0';
    return true;
}

/* The NUL that stands behind the text becomes part of it. */
static inline bool put_nul(struct buf *b)
{
    return put(b, "", 1);
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool refuse(struct dav_ms *m, enum dav_ms_result why)
{
    m->verdict = why;
    return false;
}
