/*
 * sim_xml_body: reads a request's XML by namespaces, since clients choose prefixes as they like. Called for PROPFIND
 * and SEARCH.
 */
#include "sim_xml_body.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/xml.h"
#include "sim_path.h"

#include <string.h>

#define PROPS_MAX 512

struct reading {
    struct arena *arena;
    struct sim_xml_body *body;
    unsigned depth;
    unsigned prop_depth; /* inside DAV:prop: its depth */
    bool in_sql;
    struct buf sql;
    bool in_blob, has_blob;
    struct buf blob;
};

static bool add_prop(struct reading *s, const char *ns, const char *name)
{
    if (s->body->prop_count == PROPS_MAX)
        return false;
    struct sim_prop *p = &s->body->props[s->body->prop_count];
    char *plain = arena_strndup(s->arena, name, strlen(name));
    memset(p, 0, sizeof(*p));
    p->ns = arena_strndup(s->arena, ns, strlen(ns));
    if (plain == NULL || p->ns == NULL)
        return false;
    p->name = sim_path_unescape(plain); /* _x0030_x8205 is 0x8205 */
    sim_prop_resolve(p);
    s->body->prop_count++;
    return true;
}

static bool on_start(void *arg, const char *ns, const char *name)
{
    struct reading *s = arg;
    bool dav = strcmp(ns, SIM_NS_DAV) == 0;
    s->depth++;
    if (s->prop_depth != 0 && s->depth == s->prop_depth + 1)
        return add_prop(s, ns, name);
    if (dav && strcmp(name, "prop") == 0 && s->prop_depth == 0)
        s->prop_depth = s->depth;
    else if (dav && (strcmp(name, "allprop") == 0 || strcmp(name, "propname") == 0))
        s->body->all = true;
    else if (dav && strcmp(name, "sql") == 0)
        s->in_sql = true;
    s->in_blob = strcmp(ns, SIM_NS_REPL) == 0 && strcmp(name, "collblob") == 0;
    s->has_blob = s->has_blob || s->in_blob;
    return true;
}

static bool on_end(void *arg, const char *ns, const char *name)
{
    struct reading *s = arg;
    (void)ns, (void)name;
    if (s->depth == s->prop_depth)
        s->prop_depth = 0;
    s->depth--;
    s->in_blob = false;
    return true;
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct reading *s = arg;
    if (s->in_blob)
        return buf_add(&s->blob, text, len);
    return !s->in_sql || buf_add(&s->sql, text, len);
}

bool sim_xml_body_read(struct arena *a, const char *text, size_t len, struct sim_xml_body *ret)
{
    static const struct xml_handler handler = {on_start, on_end, on_text};
    static const struct xml_limits limits = {.max_bytes = 1u << 20, .max_depth = 32};
    struct reading s = {.arena = a, .body = ret};
    memset(ret, 0, sizeof(*ret));
    ret->props = arena_alloc(a, PROPS_MAX * sizeof(struct sim_prop));
    if (ret->props == NULL)
        return false;
    buf_init(&s.sql, 1u << 20);
    buf_init(&s.blob, 1024);
    struct xml_reader *reader = xml_reader_new(&handler, &s, &limits);
    bool ok = xml_reader_feed(reader, text, len) == XML_OK && xml_reader_finish(reader) == XML_OK;
    xml_reader_free(&reader);
    if (ok && s.in_sql) {
        ret->sql = arena_strndup(a, s.sql.data, s.sql.len);
        ret->sql_len = s.sql.len;
    }
    if (ok && s.has_blob)
        ret->collblob = arena_strndup(a, s.blob.data, s.blob.len);
    buf_free(&s.sql);
    buf_free(&s.blob);
    return ok;
}
