/*
 * xml: the stream reader, over libxml2's push parser with SAX2 callbacks.
 *
 * davclient feeds pieces as they come from the network and gets start, text and end. This is the hot path of polling,
 * so nothing is allocated per element: names are strings of the parser's dictionary, text and attributes point into its
 * input.
 *
 * A struct xml_reader goes through three stages. The head: leading white space is dropped and the XML declaration is
 * awaited, because only it says whether the bytes are UTF-8. Then the body: UTF-8 is cleaned by xml_bytes.c, other
 * encodings are left to libxml2; the parser is fed in slices, so that what follows a stop or an error is not parsed in
 * vain. Then a result that sticks until xml_reader_reset().
 *
 * With limits.hold a document that fits into one slice is kept until its end and parsed in one go: libxml2 is faster
 * when it need not look after every tag whether the next one is complete.
 *
 * libxml2 runs in recovery mode, which accepts nearly anything, a document that was cut included. We only want a part
 * of that: on_error() lets pass what concerns single characters and names, and everything else breaks the document.
 * Whether it ended is our own count of open elements.
 */
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/xml.h"
#include "xml_private.h"

enum {
    HEAD_MAX = 512,          /* an XML declaration longer than this is taken for text */
    SLICE = 32 * 1024,       /* bytes given to libxml2 at a time */
    NAMES_MAX = 1024 * 1024, /* bytes of dictionary kept from one document to the next */
    SCOPES_MAX = 4096,       /* namespace declarations in scope */
    ATTRS_MAX = 64,          /* in a stream */
    PARSE_OPTIONS = XML_PARSE_RECOVER | XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING,
};

/* A namespace declaration in scope: it ends with the element at `depth`. */
struct scope {
    const xmlChar *prefix; /* dictionary; NULL: the default namespace */
    const xmlChar *uri;
    unsigned depth;
};

struct xml_reader {
    struct xml_handler handler;
    void *arg;
    struct xml_limits limits;
    xmlParserCtxt *ctxt;
    enum xml_result result;
    bool stale;   /* the parser is still in the document before */
    bool holding; /* the parser gets nothing before the end */
    bool in_body; /* the head is over */
    bool foreign; /* the document declares another encoding than UTF-8 */
    bool seen_root;
    unsigned depth;
    size_t total; /* in a stream: since the last child of the root ended */
    char head[HEAD_MAX];
    size_t head_len;
    struct xml_rest rest;
    struct buf clean;
    struct buf held;
    struct scope *scopes;
    size_t scope_count;
    size_t scope_cap;
    const xmlChar **attrs; /* of the start() that is running: name, prefix, URI, value, end of value */
    int attr_count;
    struct arena *attr_text; /* attribute values that had to be decoded */
};

static const char EMPTY[] = "";

static xmlParserCtxt *context_new(struct xml_reader *r);
static void context_renew(struct xml_reader *r);
static void context_reset(struct xml_reader *r, const char *data, size_t len);
static bool head_add(struct xml_reader *r, const char **data, size_t *len);
static void feed_body(struct xml_reader *r, const char *data, size_t len);
static void parse(struct xml_reader *r, const char *data, size_t len, bool last);
static void push(struct xml_reader *r, const char *data, size_t len, bool last);
static void pull(struct xml_reader *r);
static const char *attr_decode(const struct xml_reader *r, const char *value, size_t len, size_t *ret_len);

struct xml_reader *xml_reader_new(const struct xml_handler *handler, void *arg, const struct xml_limits *limits)
{
    struct xml_reader *r = mem_calloc(1, sizeof(*r));

    r->handler = *handler;
    r->arg = arg;
    r->limits = *limits;
    r->ctxt = context_new(r);
    r->holding = r->limits.hold && !limits->stream;
    r->attr_text = arena_new(2 * limits->max_bytes);
    buf_init(&r->clean, 3 * (SLICE + sizeof(r->rest.bytes)));
    buf_init(&r->held, SLICE);
    return r;
}

void xml_reader_free(struct xml_reader **rp)
{
    struct xml_reader *r = *rp;

    if (!r)
        return;
    *rp = NULL;
    xmlFreeParserCtxt(r->ctxt);
    buf_free(&r->clean);
    buf_free(&r->held);
    arena_free(&r->attr_text);
    free(r->scopes);
    free(r);
}

void xml_reader_reset(struct xml_reader *r, void *arg)
{
    /* a server that invents new names in every answer must not fill the memory over the months */
    bool anew = r->foreign || xmlDictGetUsage(r->ctxt->dict) > NAMES_MAX;

    r->arg = arg;
    r->result = XML_OK;
    r->in_body = r->foreign = r->seen_root = false;
    r->depth = 0;
    r->total = r->head_len = r->rest.len = r->scope_count = 0;
    r->holding = r->limits.hold && !r->limits.stream;
    buf_reset(&r->held);
    r->stale = true;
    if (anew)
        context_renew(r);
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
        if (!head_add(r, &data, &len))
            return XML_OK;
        r->in_body = true;
        if (r->foreign) {
            context_renew(r); /* one that was reset does not look at the encoding again */
            r->holding = false;
        }
        feed_body(r, r->head, r->head_len);
    }
    feed_body(r, data, len);
    return r->result;
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
        const xmlChar **attr = r->attrs + (ptrdiff_t)i * 5;
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
    const xmlChar **attr = r->attrs + (ptrdiff_t)i * 5;
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

/* --- the head --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Drops white space and a byte order mark of UTF-8 in front. */
static void head_trim(struct xml_reader *r)
{
    size_t skip = 0;

    for (;;) {
        if (skip < r->head_len && is_blank(r->head[skip]))
            skip++;
        else if (r->head_len - skip >= 3 && memcmp(r->head + skip, "\xEF\xBB\xBF", 3) == 0)
            skip += 3;
        else
            break;
    }
    r->head_len -= skip;
    memmove(r->head, r->head + skip, r->head_len);
}

/* The declaration is complete: does it name an encoding that is not UTF-8? (Who claims UTF-16 in plain bytes is not
 * believed.) */
static bool head_is_foreign(const char *head, size_t len)
{
    const char *p = str_find_nocase(head, len, "encoding");
    const char *end = head + len;

    if (!p)
        return false;
    p += strlen("encoding");
    while (p < end && (is_blank(*p) || *p == '=' || *p == '"' || *p == '\''))
        p++;
    return !(end - p >= 3 && strncasecmp(p, "utf", 3) == 0) && !(end - p >= 8 && strncasecmp(p, "us-ascii", 8) == 0);
}

/* Is it known by now what the bytes are? */
static bool head_decide(struct xml_reader *r)
{
    static const char DECL[] = "<?xml";
    size_t n = r->head_len;
    const char *end;

    if (n < 2)
        return false;
    if (r->head[0] == '\xFE' || r->head[0] == '\xFF' || r->head[0] == '\0' || r->head[1] == '\0')
        return r->foreign = true; /* UTF-16 */
    if (n < 3 && r->head[0] == '\xEF')
        return false;
    if (strncmp(r->head, DECL, n < 5 ? n : 5) != 0)
        return true;
    end = memmem(r->head, n, "?>", 2);
    if (end)
        r->foreign = head_is_foreign(r->head, (size_t)(end - r->head));
    return end || n == HEAD_MAX;
}

/* Takes bytes into the head. True when it is complete; *data and *len are then what follows it. */
static bool head_add(struct xml_reader *r, const char **data, size_t *len)
{
    while (*len > 0) {
        size_t n = HEAD_MAX - r->head_len;
        if (n > *len)
            n = *len;
        memcpy(r->head + r->head_len, *data, n);
        r->head_len += n;
        *data += n;
        *len -= n;
        head_trim(r);
        if (head_decide(r))
            return true;
    }
    return false;
}

/* --- the body --- */

static void feed_body(struct xml_reader *r, const char *data, size_t len)
{
    while (len > 0 && r->result == XML_OK) {
        size_t n = len < SLICE ? len : SLICE;
        if (r->limits.stream && (r->total += n) > r->limits.max_bytes + SLICE) {
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
    if (r->holding && !last && len <= SLICE - r->held.len) {
        buf_add(&r->held, data, len);
        return;
    }
    if (r->holding && last) {
        pull(r);
    } else if (r->holding) {
        r->holding = false;
        push(r, r->held.data, r->held.len, false);
    }
    if (!r->holding && r->result == XML_OK)
        push(r, data, len, last);
    if (r->result == XML_OK && r->ctxt->disableSAX)
        r->result = XML_BROKEN; /* libxml2 gave up */
}

static void push(struct xml_reader *r, const char *data, size_t len, bool last)
{
    if (len == 0 && !last)
        return;
    if (r->stale)
        context_reset(r, NULL, 0);
    xmlParseChunk(r->ctxt, data, (int)len, last);
}

static void pull(struct xml_reader *r)
{
    context_reset(r, r->held.data, r->held.len);
    xmlParseDocument(r->ctxt);
}

/* From a SAX callback only, never from on_error(): libxml2 frees its input here. */
static void stop(struct xml_reader *r, enum xml_result why)
{
    r->result = why;
    xmlStopParser(r->ctxt);
}

/* --- SAX callbacks --- */

static void scope_push(struct xml_reader *r, const xmlChar *prefix, const xmlChar *uri)
{
    if (r->scope_count == SCOPES_MAX) {
        stop(r, XML_TOO_DEEP);
        return;
    }
    if (r->scope_count == r->scope_cap) {
        r->scope_cap = r->scope_cap ? 2 * r->scope_cap : 16;
        r->scopes = mem_realloc(r->scopes, r->scope_cap, sizeof(*r->scopes));
    }
    r->scopes[r->scope_count++] = (struct scope){.prefix = prefix, .uri = uri, .depth = r->depth};
}

/*
 * A name that the parser left whole, `h:0x8218`, because 0x8218 is no name to it. When the prefix is unknown the name
 * stays whole and is in no namespace, so that nobody takes it for an element without prefix.
 */
static void split_name(struct xml_reader *r, const char *whole, const char *colon, const char **ret_ns,
                       const char **ret_name)
{
    size_t len = (size_t)(colon - whole);

    *ret_ns = EMPTY;
    *ret_name = whole;
    for (size_t i = r->scope_count; i-- > 0;) {
        const char *prefix = (const char *)r->scopes[i].prefix;
        if (!prefix || strncmp(prefix, whole, len) != 0 || prefix[len] != '\0')
            continue;
        const xmlChar *name = xmlDictLookup(r->ctxt->dict, (const xmlChar *)colon + 1, -1);
        if (name) {
            *ret_ns = (const char *)r->scopes[i].uri;
            *ret_name = (const char *)name;
        }
        return;
    }
}

static void resolve_odd(struct xml_reader *r, const xmlChar *local, const xmlChar *prefix, const char **ret_ns,
                        const char **ret_name)
{
    const xmlChar *whole;
    const char *colon;

    if (!prefix) {
        colon = strchr((const char *)local, ':');
        if (colon)
            split_name(r, (const char *)local, colon, ret_ns, ret_name);
        return;
    }
    whole = xmlDictQLookup(r->ctxt->dict, prefix, local);
    *ret_ns = EMPTY;
    *ret_name = (const char *)(whole ? whole : local);
}

static inline void resolve(struct xml_reader *r, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri,
                           const char **ret_ns, const char **ret_name)
{
    *ret_ns = uri ? (const char *)uri : EMPTY;
    *ret_name = (const char *)local;
    if (!prefix || !uri)
        resolve_odd(r, local, prefix, ret_ns, ret_name);
}

static void on_start(void *arg, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri, int ns_count,
                     const xmlChar **ns, int attr_count, int defaulted, const xmlChar **attrs)
{
    struct xml_reader *r = arg;
    const char *name_ns, *name;

    (void)defaulted;
    if (r->result != XML_OK)
        return;
    if (r->depth == r->limits.max_depth) {
        stop(r, XML_TOO_DEEP);
        return;
    }
    if (r->limits.stream && attr_count > ATTRS_MAX) {
        stop(r, XML_TOO_LONG);
        return;
    }
    r->depth++;
    r->seen_root = true;
    for (int i = 0; i < ns_count && r->result == XML_OK; i++)
        scope_push(r, ns[2 * i], ns[2 * i + 1]);
    if (r->result != XML_OK)
        return;
    resolve(r, local, prefix, uri, &name_ns, &name);
    r->attrs = attrs;
    r->attr_count = attr_count;
    if (!r->handler.start(r->arg, name_ns, name))
        stop(r, XML_STOPPED);
    r->attr_count = 0;
    if (arena_used(r->attr_text) > 0)
        arena_reset(r->attr_text);
}

static void on_end(void *arg, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    struct xml_reader *r = arg;
    const char *name_ns, *name;

    if (r->result != XML_OK || r->depth == 0)
        return;
    resolve(r, local, prefix, uri, &name_ns, &name);
    while (r->scope_count > 0 && r->scopes[r->scope_count - 1].depth == r->depth)
        r->scope_count--;
    r->depth--;
    if (r->limits.stream && r->depth == 1)
        r->total = 0;
    if (!r->handler.end(r->arg, name_ns, name))
        stop(r, XML_STOPPED);
}

static void on_text(void *arg, const xmlChar *text, int len)
{
    struct xml_reader *r = arg;

    if (r->limits.stream && r->depth == 1)
        r->total = 0; /* blanks that keep the connection alive */
    if (r->result == XML_OK && r->depth > 0 && len > 0 && !r->handler.text(r->arg, (const char *)text, (size_t)len))
        stop(r, XML_STOPPED);
}

static void on_dtd(void *arg, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
    struct xml_reader *r = arg;

    (void)name, (void)external_id, (void)system_id;
    if (r->result == XML_OK)
        stop(r, XML_DTD);
}

static void on_instruction(void *arg, const xmlChar *target, const xmlChar *data)
{
    on_dtd(arg, target, data, NULL);
}

static void on_comment(void *arg, const xmlChar *text)
{
    on_dtd(arg, text, NULL, NULL);
}

/* Errors that lose at most a character or leave a name odd: the structure stands. */
static bool is_harmless(int code)
{
    switch (code) {
    case XML_ERR_INVALID_CHAR:
    case XML_ERR_INVALID_CHARREF:
    case XML_ERR_INVALID_HEX_CHARREF:
    case XML_ERR_INVALID_DEC_CHARREF:
    case XML_ERR_ENTITYREF_NO_NAME: /* a bare '&' */
    case XML_ERR_ENTITYREF_SEMICOL_MISSING:
    case XML_ERR_NAME_REQUIRED:
    case XML_ERR_UNDECLARED_ENTITY:
    case XML_ERR_MISPLACED_CDATA_END:
    case XML_ERR_HYPHEN_IN_COMMENT:
    case XML_ERR_RESERVED_XML_NAME:
    case XML_ERR_INVALID_ENCODING: /* "UTF-16" written in plain bytes */
        return true;
    default:
        return false;
    }
}

/*
 * A tag without a usable name is where libxml2 gives up when it is fed; when it has the whole document it would make
 * text of the rest. A bare '&' is reported by the same code.
 */
static bool is_nameless_tag(const struct xml_reader *r, int code)
{
    const xmlParserInput *input = r->ctxt->input;
    const xmlChar *at = input ? input->cur : NULL;

    if (!r->holding || r->depth == 0 || code != XML_ERR_NAME_REQUIRED)
        return false;
    if (at && at > input->base && at[-1] == '\r') /* of a line's end it passes over the first half */
        at--;
    return !at || at == input->base || at[-1] != '&';
}

static void on_error(void *arg, xmlError *error)
{
    struct xml_reader *r = arg;

    if (r->result == XML_OK && error->level == XML_ERR_FATAL &&
        (r->limits.stream || !is_harmless(error->code) || is_nameless_tag(r, error->code)))
        r->result = XML_BROKEN;
}

/* --- the rest --- */

/* Errors that have no context, such as those of character conversion: parse() sees their consequence. */
static void on_stray_error(void *arg, xmlError *error)
{
    (void)arg, (void)error;
}

static xmlParserCtxt *context_new(struct xml_reader *r)
{
    xmlSAXHandler sax = {
        .initialized = XML_SAX2_MAGIC,
        .internalSubset = on_dtd,
        .startElementNs = on_start,
        .endElementNs = on_end,
        .characters = on_text,
        .ignorableWhitespace = on_text, /* the same as characters: spares libxml2 the question which it is */
        .cdataBlock = on_text,
        .serror = on_error,
    };
    xmlParserCtxt *ctxt;

    if (r->limits.stream) {
        sax.processingInstruction = on_instruction;
        sax.comment = on_comment;
    }
    xmlSetStructuredErrorFunc(NULL, on_stray_error);
    ctxt = xmlCreatePushParserCtxt(&sax, r, NULL, 0, NULL);
    if (!ctxt)
        abort(); /* no memory */
    xmlCtxtUseOptions(ctxt, r->limits.stream ? PARSE_OPTIONS & ~XML_PARSE_RECOVER : PARSE_OPTIONS);
    return ctxt;
}

static void context_renew(struct xml_reader *r)
{
    xmlFreeParserCtxt(r->ctxt);
    r->ctxt = context_new(r);
    r->stale = false;
}

/* Ready for another document, whose beginning this is. */
static void context_reset(struct xml_reader *r, const char *data, size_t len)
{
    r->stale = false;
    if (xmlCtxtResetPush(r->ctxt, data, (int)len, NULL, NULL) != 0)
        abort(); /* no memory */
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
