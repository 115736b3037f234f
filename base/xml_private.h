/*
 * What the files of xml know of each other: xml.c (the reader's life, and its bytes on their way), xml_head.c (what the
 * first bytes say of the rest), xml_bytes.c (which bytes may be in a document), xml_plain.c (most documents), xml_sax.c
 * (all others: libxml2).
 */
#ifndef BASE_XML_PRIVATE_H
#define BASE_XML_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/xml.h"

struct _xmlParserCtxt; /* of libxml2, as its xmlChar is an unsigned char */
struct arena;
struct xml_plain;

enum {
    XML_HEAD_MAX = 512,      /* an XML declaration longer than this is taken for text */
    XML_SLICE = 32 * 1024,   /* bytes parsed at a time, and the usual longest document that is held */
    XML_STREAM_ATTRS = 64,   /* of an element in a stream */
    XML_ATTR_POINTERS = 5,   /* of each attribute in xml_reader.attrs, as libxml2 has it */
};

/* The beginning of a character whose rest has not come yet. */
struct xml_rest {
    char bytes[4];
    size_t len;
};

/* A namespace declaration in scope: it ends with the element at `depth`. */
struct xml_scope {
    const unsigned char *prefix; /* dictionary; NULL: the default namespace */
    const unsigned char *uri;
    unsigned depth;
};

struct xml_reader {
    struct xml_handler handler;
    void *arg;
    struct xml_limits limits;
    struct _xmlParserCtxt *ctxt;
    enum xml_result result;
    bool stale;   /* the parser is still in the document before */
    bool holding; /* nothing is parsed before the end */
    bool in_body; /* the head is over */
    bool foreign; /* the document declares another encoding than UTF-8 */
    bool seen_root;
    bool telling; /* what stays where it is, until the caller of xml_reader_whole() has it back */
    unsigned depth;
    size_t total; /* in a stream: since the last child of the root ended */
    char head[XML_HEAD_MAX];
    size_t head_len;
    struct xml_rest rest;
    struct buf clean;
    struct buf held;
    struct xml_plain *plain; /* NULL: nothing is ever held */
    struct xml_scope *scopes;
    size_t scope_count;
    size_t scope_cap;
    const unsigned char **attrs; /* of the start() that is running: name, prefix, URI, value, end of value */
    int attr_count;
    struct arena *attr_text; /* attribute values that had to be decoded */
};

/* xml_head.c: takes bytes into the head. True when it is complete; *data and *len are then what follows it. */
bool xml_head_add(struct xml_reader *r, const char **data, size_t *len);

/* How much of the front is white space or a byte order mark, which is passed over. */
size_t xml_head_blank(const char *data, size_t len);

/* xml_bytes.c: how many bytes from the start are whole characters that XML 1.0 allows, in well-formed UTF-8. */
size_t xml_clean_prefix(const char *data, size_t len);

/*
 * Adds `data` to `out` so that only such characters remain: a byte that is no UTF-8 becomes U+FFFD, a character that
 * XML forbids is dropped. A character cut at the end waits in `rest`. `out` needs room for 3 * (len + 4) bytes.
 */
void xml_clean(struct xml_rest *rest, const char *data, size_t len, struct buf *out);

/* The bytes of the character in front, 0 when it is none, not whole, or one that XML 1.0 forbids. */
size_t xml_char_size(const char *data, size_t len);

/*
 * xml_plain.c. xml_plain_read() says whether the document is plain, and understands it; what is not clean is not plain.
 * `text` ends with a NUL, and stays where it is until xml_plain_tell() has told the reader's handler.
 */
struct xml_plain *xml_plain_new(void);
void xml_plain_free(struct xml_plain **p);
bool xml_plain_read(struct xml_plain *p, const char *text, size_t len, unsigned max_depth);
void xml_plain_tell(const struct xml_plain *p, struct xml_reader *r);

/* xml_sax.c */
void xml_sax_new(struct xml_reader *r);
void xml_sax_free(struct xml_reader *r);
void xml_sax_renew(struct xml_reader *r);         /* forgets names and encoding, too */
bool xml_sax_is_full(const struct xml_reader *r); /* of names */
void xml_sax_push(struct xml_reader *r, const char *data, size_t len, bool last);
void xml_sax_pull(struct xml_reader *r, const char *data, size_t len); /* a whole document */

#endif
