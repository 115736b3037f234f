/*
 * Between xml.c (the reader) and xml_bytes.c (which bytes may be in a document).
 */
#ifndef BASE_XML_PRIVATE_H
#define BASE_XML_PRIVATE_H

#include <stddef.h>

struct buf;

/* The beginning of a character whose rest has not come yet. */
struct xml_rest {
    char bytes[4];
    size_t len;
};

/* How many bytes from the start are whole characters that XML 1.0 allows, in well-formed UTF-8. */
size_t xml_clean_prefix(const char *data, size_t len);

/*
 * Adds `data` to `out` so that only such characters remain: a byte that is no UTF-8 becomes U+FFFD, a character that
 * XML forbids is dropped. A character cut at the end waits in `rest`. `out` needs room for 3 * (len + 4) bytes.
 */
void xml_clean(struct xml_rest *rest, const char *data, size_t len, struct buf *out);

#endif
