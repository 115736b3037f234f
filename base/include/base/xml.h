/*
 * xml: XML read as a stream with ceilings, and written with escapes; over libxml2.
 *
 * The reader is made for servers of 2000: it recovers from control characters (dropped), from bytes that are no UTF-8
 * (U+FFFD stands for each), from a bare '&' and from names that begin with a digit (`h:0x8218`, see Exchange 2003).
 * What breaks the structure is not recovered from: tags that do not match, text behind the root. It loads no entity, no
 * DTD and nothing from the network.
 */
#ifndef BASE_XML_H
#define BASE_XML_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct xml_reader;

enum xml_result {
    XML_OK,
    XML_BROKEN,   /* not XML, or recovery gave up */
    XML_TOO_DEEP, /* more than max_depth open elements */
    XML_TOO_LONG, /* more than max_bytes */
    XML_DTD,      /* a document type declaration: refused, it is the door to entities */
    XML_STOPPED,  /* a callback said stop */
};

struct xml_limits {
    size_t max_bytes;
    unsigned max_depth;
    /*
     * A stream of stanzas (XMPP, RFC 6120 11): the document may go on for ever, max_bytes holds for each child of the
     * root; nothing is recovered from, comments and processing instructions are refused as a DTD is, and an element has
     * at most 64 attributes.
     */
    bool stream;
    /* Not for a stream. A document of up to hold_max bytes [32 KiB] is read only when it is whole, which is faster:
     * callbacks and results then come with xml_reader_finish(). */
    bool hold;
    size_t hold_max; /* at most 16 MiB */
};

/*
 * Names come as namespace URI ("" for none) and local name, never by prefix. A name that the parser could not split
 * because it begins with a digit is split here by the prefixes in scope; one whose prefix is not declared stays whole
 * ("q:name", namespace
 * ""). Pointers live only during the call; names of the same spelling have the same address during one document (until
 * xml_reader_reset), so a callback may compare by pointer after a first strcmp.
 * text() comes in any number of pieces. Each returns false to stop (XML_STOPPED). None may free or reset its reader.
 */
struct xml_handler {
    bool (*start)(void *arg, const char *ns, const char *name);
    bool (*end)(void *arg, const char *ns, const char *name);
    bool (*text)(void *arg, const char *text, size_t len);
};

struct xml_reader *xml_reader_new(const struct xml_handler *handler, void *arg, const struct xml_limits *limits);
void xml_reader_free(struct xml_reader **r);

/* An attribute of the element whose start() is running; NULL when it is not there. `ns` "" for none. Lives during the
 * call, and is NOT NUL-terminated: look at *ret_len. */
const char *xml_reader_attr(const struct xml_reader *r, const char *ns, const char *name, size_t *ret_len);

/* The i-th attribute of the element whose start() is running, as above; false: there is none. */
bool xml_reader_attr_at(const struct xml_reader *r, unsigned i, const char **ret_ns, const char **ret_name,
                        const char **ret_value, size_t *ret_len);

/* Ready for another document with the same handler; cheaper than a new reader. */
void xml_reader_reset(struct xml_reader *r, void *arg);

/* The next bytes. After anything but XML_OK the reader only repeats that answer. */
enum xml_result xml_reader_feed(struct xml_reader *r, const char *data, size_t len);

/*
 * A document that is here as a whole: as feed() and finish(), but without a copy of it where limits.hold says that it
 * may be read at once. data[len] must be a NUL.
 */
enum xml_result xml_reader_whole(struct xml_reader *r, const char *data, size_t len);

/* Inside text(): do this and all other texts stay until xml_reader_whole() returns? */
bool xml_reader_texts_stay(const struct xml_reader *r);

/* The end of the document. XML_BROKEN when elements are still open or nothing came: a document that was cut never
 * counts. */
enum xml_result xml_reader_finish(struct xml_reader *r);

const char *xml_result_name(enum xml_result result);

/* Writes text with & < > " ' escaped; control characters that XML 1.0 forbids become U+FFFD. */
bool xml_escape(struct buf *out, const char *text, size_t len);

#endif
