/*
 * config_lines: where everything stands in the configuration file. libcyaml reads the file into structs and forgets the
 * lines; the checks that come afterwards (a name given twice, a server that does not exist) need them to say where.
 *
 * One pass over libyaml's events, the same parser that libcyaml stands on. The object is a map from key path to line.
 * The pass also finds what libcyaml reports poorly: broken syntax, a key that stands twice, more than one document.
 */
#include <yaml.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_private.h"

enum { DEPTH_MAX = 16, LINES_BYTES_MAX = 256 << 20 };

struct place {
    unsigned line;
    char path[];
};

struct gw_lines {
    struct arena *arena;
    struct map *places;
};

/* One open mapping or list. */
struct level {
    bool is_list;
    bool value_next;  /* mapping: the key was read */
    unsigned entries; /* list */
    size_t path_len;  /* of the path of the thing itself */
};

struct walk {
    struct gw_reading *reading;
    struct gw_lines *lines;
    struct level levels[DEPTH_MAX];
    unsigned depth;
    unsigned documents;
    struct buf path;
    bool failed;
};

static void walk_event(struct walk *w, const yaml_event_t *event);
static bool walk_step_in(struct walk *w, const yaml_event_t *event, unsigned line);
static void walk_step_out(struct walk *w);
static void walk_key(struct walk *w, const char *key, unsigned line);
static void walk_open(struct walk *w, bool is_list, unsigned line);
static void walk_keep(struct walk *w, unsigned line);
static void tell_syntax(struct gw_reading *r, const yaml_parser_t *parser);
static bool pass(struct walk *w, yaml_parser_t *parser);

struct gw_lines *gw_lines_new(struct gw_reading *r, const char *text, size_t len)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        gw_problem(r, "config-file", 0, NULL, "out of memory");
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    struct gw_lines *l = mem_calloc(1, sizeof *l);
    l->arena = arena_new(LINES_BYTES_MAX);
    l->places = map_new();
    struct walk w = {.reading = r, .lines = l};
    buf_init(&w.path, 4096);
    bool ok = pass(&w, &parser);
    yaml_parser_delete(&parser);
    buf_free(&w.path);
    if (!ok)
        gw_lines_free(&l);
    return l;
}

void gw_lines_free(struct gw_lines **l)
{
    if (!*l)
        return;
    map_free(&(*l)->places);
    arena_free(&(*l)->arena);
    free(*l);
    *l = NULL;
}

bool gw_lines_has(const struct gw_lines *l, const char *path)
{
    return l && map_get(l->places, path) != NULL;
}

unsigned gw_lines_at(const struct gw_lines *l, const char *path)
{
    if (!l)
        return 0;
    char *around = mem_strdup(path);
    unsigned line = 1;
    for (;;) {
        const struct place *place = map_get(l->places, around);
        if (place) {
            line = place->line;
            break;
        }
        size_t len = strlen(around);
        while (len > 0 && around[len - 1] != '.' && around[len - 1] != '[')
            len--;
        if (len == 0)
            break;
        around[len - 1] = '\0';
    }
    free(around);
    return line;
}

static bool pass(struct walk *w, yaml_parser_t *parser)
{
    for (bool end = false; !end && !w->failed;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            tell_syntax(w->reading, parser);
            return false;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        walk_event(w, &event);
        yaml_event_delete(&event);
    }
    return !w->failed;
}

static void walk_event(struct walk *w, const yaml_event_t *event)
{
    unsigned line = (unsigned)event->start_mark.line + 1;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++w->documents > 1) {
            gw_problem(w->reading, "config-syntax", line, NULL, "a second YAML document begins here; one is expected");
            w->failed = true;
        }
        break;
    case YAML_SCALAR_EVENT:
    case YAML_ALIAS_EVENT:
        if (walk_step_in(w, event, line))
            walk_step_out(w);
        break;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if (walk_step_in(w, event, line))
            walk_open(w, event->type == YAML_SEQUENCE_START_EVENT, line);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        w->depth--;
        walk_step_out(w);
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

/* A node begins. False when it was a key, and so no node with a place of its own. */
static bool walk_step_in(struct walk *w, const yaml_event_t *event, unsigned line)
{
    if (w->depth == 0)
        return true;
    struct level *level = &w->levels[w->depth - 1];
    if (level->is_list) {
        buf_addf(&w->path, "[%u]", level->entries++);
        walk_keep(w, line);
        return !w->failed;
    }
    if (level->value_next)
        return true;
    if (event->type != YAML_SCALAR_EVENT) {
        gw_problem(w->reading, "config-syntax", line, w->path.data, "a key must be a word");
        w->failed = true;
        return false;
    }
    walk_key(w, (const char *)event->data.scalar.value, line);
    return false;
}

/* A node has ended: back to the path of the mapping or list around it. */
static void walk_step_out(struct walk *w)
{
    if (w->depth == 0)
        return;
    struct level *level = &w->levels[w->depth - 1];
    level->value_next = false;
    w->path.len = level->path_len;
    w->path.data[w->path.len] = '\0';
}

static void walk_key(struct walk *w, const char *key, unsigned line)
{
    char shown[80];
    buf_addf(&w->path, "%s%s", w->path.len ? "." : "", str_printable(key, strlen(key), shown, sizeof shown));
    w->levels[w->depth - 1].value_next = true;
    walk_keep(w, line);
}

static void walk_open(struct walk *w, bool is_list, unsigned line)
{
    if (w->depth == DEPTH_MAX) {
        gw_problem(w->reading, "config-syntax", line, w->path.data, "nested too deeply");
        w->failed = true;
        return;
    }
    w->levels[w->depth++] = (struct level){.is_list = is_list, .path_len = w->path.len};
}

static void walk_keep(struct walk *w, unsigned line)
{
    if (w->path.failed) {
        gw_problem(w->reading, "config-syntax", line, NULL, "a key path that is too long");
        w->failed = true;
        return;
    }
    const struct place *before = map_get(w->lines->places, w->path.data);
    if (before) {
        gw_problem(w->reading, "config-duplicate", line, w->path.data, "stands in line %u already", before->line);
        w->failed = true;
        return;
    }
    struct place *place = arena_alloc(w->lines->arena, sizeof *place + w->path.len + 1);
    if (!place) {
        gw_problem(w->reading, "config-syntax", line, NULL, "the file is too large");
        w->failed = true;
        return;
    }
    place->line = line;
    memcpy(place->path, w->path.data, w->path.len + 1);
    map_put(w->lines->places, place->path, place);
}

static void tell_syntax(struct gw_reading *r, const yaml_parser_t *parser)
{
    gw_problem(r, "config-syntax", (unsigned)parser->problem_mark.line + 1, NULL, "no valid YAML: %s%s%s",
               parser->problem ? parser->problem : "unreadable", parser->context ? " " : "",
               parser->context ? parser->context : "");
}
