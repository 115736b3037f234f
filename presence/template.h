/*
 * template: a state put into the administrator's own text: a topic, a URL, a header, a body. {word} is replaced where
 * word is one of the list in template.c; what stands in its place is escaped for the place. Pure.
 */
#ifndef PRESENCE_TEMPLATE_H
#define PRESENCE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "presence/pub_template.h"
#include "presence/state.h"

struct buf;
struct pres_zone;

enum pres_escape {
    PRES_ESCAPE_NONE,
    PRES_ESCAPE_JSON,   /* inside the quotes of a JSON string */
    PRES_ESCAPE_URL,    /* one segment or value; also of a form */
    PRES_ESCAPE_TOPIC,  /* one level of an MQTT topic */
    PRES_ESCAPE_HEADER, /* control characters become blanks */
};

/* What the words stand for. Texts may be NULL: they stand for nothing. */
struct pres_fill {
    const char *address;
    const char *group;
    const struct pres_presence *now;
    const char *json;  /* the state as render_json writes it */
    const char *show;  /* the outlet's own word for the kind */
    const char *text;  /* in words of people */
    const char *id;    /* what the other side calls the person */
    const char *token; /* {basic}: the same in base64 */
    int64_t wall;
    uint64_t sequence;
};

bool pres_template_add(struct buf *out, const char *text, const struct pres_fill *fill, enum pres_escape escape);

#endif
