/*
 * xml_sax: the documents that need a full parser, by libxml2 with SAX2 callbacks. xml.c pushes pieces as they come, or
 * hands over a whole document that xml_plain.c has given up.
 *
 * Nothing is allocated per element: names are strings of the parser's dictionary, text and attributes point into its
 * input.
 *
 * libxml2 runs in recovery mode, which accepts nearly anything, a document that was cut included. We only want a part
 * of that: on_error() lets pass what concerns single characters and names, and everything else breaks the document.
 * Whether it ended is our own count of open elements.
 */
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml_private.h"

enum {
    NAMES_MAX = 1024 * 1024, /* bytes of dictionary kept from one document to the next */
    SCOPES_MAX = 4096,       /* namespace declarations in scope */
    PARSE_OPTIONS = XML_PARSE_RECOVER | XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING,
};

static const char EMPTY[] = "";

static xmlParserCtxt *context_new(struct xml_reader *r);
static void context_reset(struct xml_reader *r, const char *data, size_t len);
static void on_error(void *arg, xmlError *error);

void xml_sax_new(struct xml_reader *r)
{
    r->ctxt = context_new(r);
}

void xml_sax_free(struct xml_reader *r)
{
    xmlFreeParserCtxt(r->ctxt);
    free(r->scopes);
}

void xml_sax_renew(struct xml_reader *r)
{
    xmlFreeParserCtxt(r->ctxt);
    r->ctxt = context_new(r);
    r->stale = false;
}

bool xml_sax_is_full(const struct xml_reader *r)
{
    return xmlDictGetUsage(r->ctxt->dict) > NAMES_MAX;
}

void xml_sax_push(struct xml_reader *r, const char *data, size_t len, bool last)
{
    if (len > 0 || last) {
        if (r->stale)
            context_reset(r, NULL, 0);
        xmlParseChunk(r->ctxt, data, (int)len, last);
    }
    if (r->result == XML_OK && r->ctxt->disableSAX)
        r->result = XML_BROKEN; /* libxml2 gave up */
}

void xml_sax_pull(struct xml_reader *r, const char *data, size_t len)
{
    context_reset(r, data, len);
    xmlParseDocument(r->ctxt);
    if (r->result == XML_OK && r->ctxt->disableSAX)
        r->result = XML_BROKEN;
}

/* From a SAX callback only, never from on_error(): libxml2 frees its input here. */
static void stop(struct xml_reader *r, enum xml_result why)
{
    r->result = why;
    xmlStopParser(r->ctxt);
}

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
    r->scopes[r->scope_count++] = (struct xml_scope){.prefix = prefix, .uri = uri, .depth = r->depth};
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
    if (r->limits.stream && attr_count > XML_STREAM_ATTRS) {
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

/* Ready for another document, whose beginning this is. */
static void context_reset(struct xml_reader *r, const char *data, size_t len)
{
    r->stale = false;
    if (xmlCtxtResetPush(r->ctxt, data, (int)len, NULL, NULL) != 0)
        abort(); /* no memory */
}
