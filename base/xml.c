/*
 * xml: the stream reader. davclient and the gateway's XMPP feed pieces as they come from the network and get starts,
 * texts and ends. This is the hot path of polling.
 *
 * A struct xml_reader goes through three stages. The head: white space in front is dropped and the XML declaration
 * awaited (xml_head.c). Then the body: UTF-8 is cleaned by xml_bytes.c, other encodings are left to libxml2; the parser
 * (xml_sax.c) is fed in slices, so that what follows a stop or an error is not parsed in vain. Then a result that
 * sticks until xml_reader_reset().
 *
 * With limits.hold a document that fits into one slice is kept until its end. Nearly always it is one that xml_plain.c
 * reads; if not, libxml2 gets it in one go.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/xml.h"
#include "xml_private.h"

static const char EMPTY[] = "";

static void feed_body(struct xml_reader *r, const char *data, size_t len);
static void parse(struct xml_reader *r, const char *data, size_t len, bool last);
static const char *attr_decode(const struct xml_reader *r, const char *value, size_t len, size_t *ret_len);

struct xml_reader *xml_reader_new(const struct xml_handler *handler, void *arg, const struct xml_limits *limits)
{
    struct xml_reader *r = mem_calloc(1, sizeof(*r));

    r->handler = *handler;
    r->arg = arg;
    r->limits = *limits;
    xml_sax_new(r);
    r->holding = r->limits.hold && !limits->stream;
    r->plain = r->holding ? xml_plain_new() : NULL;
    r->attr_text = arena_new(2 * limits->max_bytes);
    buf_init(&r->clean, 3 * (XML_SLICE + sizeof(r->rest.bytes)));
    buf_init(&r->held, limits->hold_max ? limits->hold_max : XML_SLICE);
    return r;
}

void xml_reader_free(struct xml_reader **rp)
{
    struct xml_reader *r = *rp;

    if (!r)
        return;
    *rp = NULL;
    xml_sax_free(r);
    xml_plain_free(&r->plain);
    buf_free(&r->clean);
    buf_free(&r->held);
    arena_free(&r->attr_text);
    free(r);
}

void xml_reader_reset(struct xml_reader *r, void *arg)
{
    /* a server that invents new names in every answer must not fill the memory over the months */
    bool anew = r->foreign || xml_sax_is_full(r);

    r->arg = arg;
    r->result = XML_OK;
    r->in_body = r->foreign = r->seen_root = false;
    r->depth = 0;
    r->total = r->head_len = r->rest.len = r->scope_count = 0;
    r->holding = r->limits.hold && !r->limits.stream;
    buf_reset(&r->held);
    r->stale = true;
    if (anew)
        xml_sax_renew(r);
}

enum xml_result xml_reader_feed(struct xml_reader *r, const char *data, size_t len)
{
    if (r->result != XML_OK)
        return r->result;
    if (!r->limits.stream && len > r->limits.max_bytes - r->total)
        return r->result = XML_TOO_LONG;
    if (!r->limits.stream)
        r->total += len;
    if (!r->in_body) {
        if (!xml_head_add(r, &data, &len))
            return XML_OK;
        r->in_body = true;
        if (r->foreign) {
            xml_sax_renew(r); /* one that was reset does not look at the encoding again */
            r->holding = false;
        }
        feed_body(r, r->head, r->head_len);
    }
    feed_body(r, data, len);
    return r->result;
}

enum xml_result xml_reader_whole(struct xml_reader *r, const char *data, size_t len)
{
    size_t blank = xml_head_blank(data, len);

    if (r->result == XML_OK && r->holding && !r->in_body && r->head_len == 0 && len <= r->limits.max_bytes &&
        len <= r->held.max && xml_plain_read(r->plain, data + blank, len - blank, r->limits.max_depth)) {
        r->telling = true;
        xml_plain_tell(r->plain, r);
        r->telling = false;
        return r->result;
    }
    xml_reader_feed(r, data, len);
    return xml_reader_finish(r);
}

bool xml_reader_texts_stay(const struct xml_reader *r)
{
    return r->telling;
}

enum xml_result xml_reader_finish(struct xml_reader *r)
{
    if (r->result != XML_OK)
        return r->result;
    if (!r->in_body)
        feed_body(r, r->head, r->head_len);
    parse(r, NULL, 0, true);
    if (r->result == XML_OK && (!r->seen_root || r->depth > 0 || r->rest.len > 0))
        r->result = XML_BROKEN;
    return r->result;
}

const char *xml_reader_attr(const struct xml_reader *r, const char *ns, const char *name, size_t *ret_len)
{
    for (int i = 0; i < r->attr_count; i++) {
        const unsigned char **attr = r->attrs + (ptrdiff_t)i * XML_ATTR_POINTERS;
        const char *uri = attr[2] ? (const char *)attr[2] : EMPTY;
        bool unbound = attr[1] && !attr[2]; /* a prefix that was never declared: in no namespace we know */
        if (unbound || strcmp((const char *)attr[0], name) != 0 || strcmp(uri, ns) != 0)
            continue;
        return attr_decode(r, (const char *)attr[3], (size_t)(attr[4] - attr[3]), ret_len);
    }
    return NULL;
}

bool xml_reader_attr_at(const struct xml_reader *r, unsigned i, const char **ret_ns, const char **ret_name,
                        const char **ret_value, size_t *ret_len)
{
    if (i >= (unsigned)r->attr_count)
        return false;
    const unsigned char **attr = r->attrs + (ptrdiff_t)i * XML_ATTR_POINTERS;
    *ret_ns = attr[2] ? (const char *)attr[2] : EMPTY;
    *ret_name = (const char *)attr[0];
    *ret_value = attr_decode(r, (const char *)attr[3], (size_t)(attr[4] - attr[3]), ret_len);
    return *ret_value != NULL;
}

const char *xml_result_name(enum xml_result result)
{
    switch (result) {
    case XML_OK:
        return "ok";
    case XML_BROKEN:
        return "not well-formed XML";
    case XML_TOO_DEEP:
        return "elements nested too deeply";
    case XML_TOO_LONG:
        return "document too long";
    case XML_DTD:
        return "document type declaration refused";
    case XML_STOPPED:
        return "stopped by the reader";
    }
    return "?";
}

static void feed_body(struct xml_reader *r, const char *data, size_t len)
{
    while (len > 0 && r->result == XML_OK) {
        size_t n = len < XML_SLICE ? len : XML_SLICE;
        if (r->limits.stream && (r->total += n) > r->limits.max_bytes + XML_SLICE) {
            r->result = XML_TOO_LONG;
            return;
        }
        if (r->foreign || (r->rest.len == 0 && xml_clean_prefix(data, n) == n)) {
            parse(r, data, n, false);
        } else {
            buf_reset(&r->clean);
            xml_clean(&r->rest, data, n, &r->clean);
            parse(r, r->clean.data, r->clean.len, false);
        }
        data += n;
        len -= n;
    }
}

static void parse(struct xml_reader *r, const char *data, size_t len, bool last)
{
    if (r->holding && !last && len <= r->held.max - r->held.len) {
        buf_add(&r->held, data, len);
        return;
    }
    if (r->holding && last) {
        if (xml_plain_read(r->plain, r->held.data, r->held.len, r->limits.max_depth))
            xml_plain_tell(r->plain, r);
        else
            xml_sax_pull(r, r->held.data, r->held.len);
        return;
    }
    if (r->holding) {
        r->holding = false;
        xml_sax_push(r, r->held.data, r->held.len, false);
    }
    if (r->result == XML_OK)
        xml_sax_push(r, data, len, last);
}

/*
 * Without NOENT libxml2 leaves an ampersand in an attribute as the reference "&#38;", for a tree builder that would
 * expand it later. No other '&' can be in the value.
 */
static const char *attr_decode(const struct xml_reader *r, const char *value, size_t len, size_t *ret_len)
{
    static const char AMP[] = "&#38;";
    size_t used = 0;
    char *copy;

    *ret_len = len;
    if (!memchr(value, '&', len))
        return value;
    copy = arena_strndup(r->attr_text, value, len);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        copy[used++] = value[i];
        if (len - i >= strlen(AMP) && memcmp(value + i, AMP, strlen(AMP)) == 0)
            i += strlen(AMP) - 1;
    }
    copy[used] = '\0';
    *ret_len = used;
    return copy;
}
