/*
 * xmpp_stanza: see xmpp_stanza.h. xmpp_stream.c feeds the builder with what the XML reader says about a child of the
 * stream, and hands the finished tree to the outlet. A stanza is small, so lists without index serve.
 */
#include "xmpp_stanza.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/xml.h"

struct pres_xml_builder {
    struct arena *arena;
    struct pres_xml *open;
    struct buf text;
};

static bool add_attr(struct pres_xml_builder *b, struct pres_xml *x, const char *ns, const char *name,
                     const char *value, size_t len);

const char *pres_xml_attr(const struct pres_xml *x, const char *name)
{
    for (const struct pres_xml_attr *a = x->attrs; a; a = a->next)
        if (!*a->ns && strcmp(a->name, name) == 0)
            return a->value;
    return NULL;
}

const struct pres_xml *pres_xml_child(const struct pres_xml *x, const char *ns, const char *name)
{
    for (const struct pres_xml *c = x ? x->first : NULL; c; c = c->next)
        if ((!ns || strcmp(c->ns, ns) == 0) && (!name || strcmp(c->name, name) == 0))
            return c;
    return NULL;
}

const char *pres_xml_text(const struct pres_xml *x, const char *ns, const char *name)
{
    const struct pres_xml *c = pres_xml_child(x, ns, name);
    return c ? c->text : NULL;
}

struct pres_xml_builder *pres_xml_builder_new(size_t max)
{
    struct pres_xml_builder *b = mem_calloc(1, sizeof *b);
    b->arena = arena_new(max);
    buf_init(&b->text, max);
    return b;
}

void pres_xml_builder_free(struct pres_xml_builder **b)
{
    if (!*b)
        return;
    arena_free(&(*b)->arena);
    buf_free(&(*b)->text);
    free(*b);
    *b = NULL;
}

bool pres_xml_builder_start(struct pres_xml_builder *b, const struct xml_reader *r, const char *ns, const char *name)
{
    const char *attr_ns, *attr_name, *value;
    size_t len;
    if (!b->open)
        arena_reset(b->arena);
    struct pres_xml *x = arena_alloc(b->arena, sizeof *x);
    if (!x)
        return false;
    x->ns = ns; /* names live as long as the reader's document */
    x->name = name;
    x->text = "";
    x->parent = b->open;
    if (b->open && b->open->last)
        b->open->last->next = x;
    else if (b->open)
        b->open->first = x;
    if (b->open)
        b->open->last = x;
    b->open = x;
    buf_reset(&b->text);
    for (unsigned i = 0; xml_reader_attr_at(r, i, &attr_ns, &attr_name, &value, &len); i++)
        if (!add_attr(b, x, attr_ns, attr_name, value, len))
            return false;
    return true;
}

bool pres_xml_builder_text(struct pres_xml_builder *b, const char *text, size_t len)
{
    return !b->open || b->open->first || buf_add(&b->text, text, len);
}

bool pres_xml_builder_end(struct pres_xml_builder *b, const struct pres_xml **ret)
{
    struct pres_xml *x = b->open;
    *ret = NULL;
    if (!x)
        return true;
    if (!x->first && b->text.len > 0) {
        x->text = arena_strndup(b->arena, b->text.data, b->text.len);
        if (!x->text)
            return false;
    }
    buf_reset(&b->text);
    b->open = x->parent;
    if (!b->open)
        *ret = x;
    return true;
}

static bool add_attr(struct pres_xml_builder *b, struct pres_xml *x, const char *ns, const char *name,
                     const char *value, size_t len)
{
    struct pres_xml_attr *a = arena_alloc(b->arena, sizeof *a);
    if (!a)
        return false;
    a->ns = ns;
    a->name = name;
    a->value = arena_strndup(b->arena, value, len);
    a->next = x->attrs;
    x->attrs = a;
    return a->value != NULL;
}
