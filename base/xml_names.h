/*
 * xml_names: the names of a plain document (xml_plain.c), and which namespaces they are in. A name is looked up by its
 * spelling, prefix and all, and resolved once for as long as the same declarations are in scope.
 */
#ifndef BASE_XML_NAMES_H
#define BASE_XML_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    XML_NAMES_MAX = 256, /* resolved, in one document */
    XML_NAMES_SLOTS = 512,
    XML_NAMES_SCOPES = 64,
    XML_NAMES_TEXTS = 256,
    XML_NAMES_POOL = 8192, /* bytes of local names and namespaces */
};

/* A name as it is spelled. Attributes without a prefix are in no namespace, elements are. */
struct xml_spelling {
    const char *text; /* in the document */
    size_t len;
    size_t prefix_len; /* 0: none */
    bool is_attr;
};

/* A spelling, and what it means. Names stay when they come to mean something else: tokens point to them. */
struct xml_name {
    struct xml_spelling spelling;
    unsigned epoch;         /* in which it was resolved last */
    const char *ns, *local; /* equal texts have equal addresses */
};

/* The declarations in scope at some place. */
struct xml_names_mark {
    unsigned scope_count, epoch;
};

struct xml_names_slot {
    uint32_t document; /* in which it was filled */
    uint16_t index;
};

struct xml_names {
    uint32_t document; /* counts them, from 1 */
    struct xml_names_mark now;
    unsigned epochs;
    unsigned count, pool_used;
    struct xml_name names[XML_NAMES_MAX];
    struct xml_names_slot slots[XML_NAMES_SLOTS]; /* of names, by spelling */
    struct xml_names_slot kept[XML_NAMES_TEXTS];  /* of pool, by text */
    struct {
        const char *prefix; /* in the document */
        size_t len;
        const char *ns;
    } scopes[XML_NAMES_SCOPES];
    char pool[XML_NAMES_POOL];
};

/* For another document. */
void xml_names_begin(struct xml_names *n);

/*
 * A declaration of the element that began at `mark`. False: twice the same prefix, too many, or one of those that have
 * rules of their own (taking a namespace away, what begins with "xml").
 */
bool xml_names_declare(struct xml_names *n, const struct xml_names_mark *mark, const struct xml_spelling *name,
                       const char *uri, size_t len);

/* Index of the name; -1: its prefix is not declared, or there are too many. */
int xml_names_resolve(struct xml_names *n, const struct xml_spelling *s);

#endif
