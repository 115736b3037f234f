/*
 * multistatus: the 207 document of RFC 4918 section 13, read as a stream: one callback for each DAV:response, with its
 * href, its status and the properties that were wanted. Nothing of the document is kept beyond the response that is
 * being read.
 *
 * Made for the servers of 2000 as well: prefixes are never looked at, DAV:status may stand before or after DAV:prop, an
 * absent property may come as a 404 propstat or not at all, a property that comes twice counts the first time, and
 * names that begin with a digit (0x8205, 0x00008205, x8205, _x0030_x8205) are compared as the numbers they are.
 */
#ifndef DAVCLIENT_MULTISTATUS_H
#define DAVCLIENT_MULTISTATUS_H

#include <stdbool.h>
#include <stddef.h>

struct dav_ms;

enum dav_ms_mode {
    DAV_MS_TEXT,  /* the value is all text below the property, blanks at both ends cut */
    DAV_MS_NAMES, /* the value lists the child elements, each with a blank in front: " collection calendar"; a child
                     with a `name` attribute comes as " comp=VEVENT" */
    DAV_MS_LIST,  /* as text, with a line end in front of each child's: several DAV:href */
};

struct dav_ms_prop {
    const char *ns;   /* "" for none */
    const char *name; /* "0x8205" stands for every spelling of that number */
    size_t max;       /* most bytes kept of one value; what is longer comes `cut` */
    enum dav_ms_mode mode;
};

/* What to look for. Static: a parser keeps the pointer. */
#define DAV_MS_PROPS 24
struct dav_ms_spec {
    const struct dav_ms_prop *props;
    size_t count; /* at most DAV_MS_PROPS */
};

struct dav_ms_value {
    const char *
        text; /* NUL-terminated; "" for a property without content; NULL when it is absent or its propstat is not 2xx */
    size_t len;
    bool cut; /* it was longer than `max`, text holds the beginning */
};

/* Lives during the callback. */
struct dav_ms_response {
    const char *href; /* as sent, still escaped; "" when missing. Its host means nothing: see dav_url_path_of() */
    size_t href_len;
    int status; /* of the response as a whole (a deleted member: 404); 0: none, the properties have theirs */
    const struct dav_ms_value *value; /* one for each property of the spec, in its order */
};

/* False stops reading (DAV_MS_STOPPED). */
typedef bool dav_ms_fn(void *arg, const struct dav_ms_response *response);

struct dav_ms_limits {
    size_t max_bytes;   /* of the document */
    unsigned max_depth; /* open elements [32] */
    unsigned max_rows;  /* responses */
};

enum dav_ms_result {
    DAV_MS_OK,
    DAV_MS_BROKEN,    /* not XML, not a multistatus, or cut off */
    DAV_MS_TOO_LARGE, /* more bytes, depth or rows than allowed */
    DAV_MS_STOPPED,   /* the callback said so */
};

struct dav_ms *dav_ms_new(const struct dav_ms_spec *spec, const struct dav_ms_limits *limits);
void dav_ms_free(struct dav_ms **m);

/* Ready for a document; cheaper than a new parser. To be called before the first document, too. */
void dav_ms_begin(struct dav_ms *m, dav_ms_fn *fn, void *arg);

/* The next bytes of the body. False: it makes no sense to go on, dav_ms_finish() says why. */
bool dav_ms_feed(struct dav_ms *m, const char *data, size_t len);

/* The body is complete. Only DAV_MS_OK makes what the callbacks brought an answer. */
enum dav_ms_result dav_ms_finish(struct dav_ms *m);

/* DAV:responses read. */
unsigned dav_ms_rows(const struct dav_ms *m);

/* DAV:sync-token of the document (RFC 6578), "" when there was none. Until the next dav_ms_begin(). */
const char *dav_ms_sync_token(const struct dav_ms *m);

const struct dav_ms_spec *dav_ms_spec_of(const struct dav_ms *m);

/* The number in a name like 0x8205, 0x00008205, x8205 or _x0030_x8205; -1: it is none. */
long dav_ms_mapi_id(const char *name);

/* The number in "HTTP/1.1 404 Resource Not Found"; 0: there is none. */
int dav_ms_status_number(const char *text, size_t len);

#endif
