/*
 * xmpp_stanza: one stanza as a small tree, and the builder that makes it of a reader's callbacks. Everything lives in
 * the builder's arena until the next stanza begins.
 */
#ifndef PRESENCE_XMPP_STANZA_H
#define PRESENCE_XMPP_STANZA_H

#include <stdbool.h>
#include <stddef.h>

struct xml_reader;

struct pres_xml_attr {
    struct pres_xml_attr *next;
    const char *ns, *name, *value;
};

struct pres_xml {
    struct pres_xml *parent, *first, *last, *next;
    struct pres_xml_attr *attrs;
    const char *ns, *name;
    const char *text; /* of an element without children, else ""; never NULL */
};

/* An attribute without namespace; NULL: not there. */
const char *pres_xml_attr(const struct pres_xml *x, const char *name);
/* The first child of that name, ns or name NULL: any. x may be NULL. */
const struct pres_xml *pres_xml_child(const struct pres_xml *x, const char *ns, const char *name);
/* The text of that child; NULL: not there. */
const char *pres_xml_text(const struct pres_xml *x, const char *ns, const char *name);

struct pres_xml_builder;
struct pres_xml_builder *pres_xml_builder_new(size_t max);
void pres_xml_builder_free(struct pres_xml_builder **b);

/* Each false: the stanza is too large. */
bool pres_xml_builder_start(struct pres_xml_builder *b, const struct xml_reader *r, const char *ns, const char *name);
bool pres_xml_builder_text(struct pres_xml_builder *b, const char *text, size_t len);
/* *ret is the stanza when this was its end, else NULL. */
bool pres_xml_builder_end(struct pres_xml_builder *b, const struct pres_xml **ret);

#endif
