/*
 * marker_check: markers of a configuration, before it holds. A server that tells busy times only cannot show a marker:
 * its people would believe that they are hidden, so that is said by the server's name, with what to do.
 */
#include "marker_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_private.h"
#include "presence/view.h"

enum { CATEGORY_MAX = 255 };

static const char *category_wrong(const char *category);
static bool names(const struct gw_config_marker *a, const struct gw_config_marker *b);
static bool groups_freebusy(const struct gw_config *c);
static bool users_freebusy(const struct gw_config *c, const struct gw_config_server *s);

void gw_markers_check(struct gw_reading *r, struct gw_config *c)
{
    if (c->markers_count > GW_MARKERS_MAX)
        gw_problem_at(r, "config-value", "markers", "are more than %d", GW_MARKERS_MAX);
    if (c->markers_count > 0)
        c->marker_words = mem_calloc(c->markers_count + 1, sizeof *c->marker_words);
    for (unsigned i = 0; i < c->markers_count; i++) {
        const struct gw_config_marker *m = &c->markers[i];
        char key[50];
        snprintf(key, sizeof key, "markers[%u].category", i);
        const char *wrong = m->category ? category_wrong(m->category) : NULL;
        for (unsigned k = 0; k < i && !wrong; k++)
            wrong = names(m, &c->markers[k]) ? "stands twice" : NULL;
        if (wrong)
            gw_problem(r, "config-value", m->line, key, "%s", wrong);
        c->marker_words[i] = m->category;
    }
}

void gw_markers_warnings(const struct gw_config *c, struct buf *out)
{
    for (unsigned i = 0; c->markers_count > 0 && i < c->servers_count; i++) {
        const struct gw_config_server *s = &c->servers[i];
        const char *what = NULL;
        if (s->kind == GW_KIND_IFB || s->kind == GW_KIND_RELAY)
            what = "tells busy times only, no marker of its people is seen: they need freebusyctl audience";
        else if (strcmp(s->read, "freebusy") == 0)
            what = "is read for busy times only, no marker of its people is seen: say read: calendar, or use "
                   "freebusyctl audience";
        else if (groups_freebusy(c) || users_freebusy(c, s))
            what = "has people or groups with read: freebusy, of whom no marker is seen: say read: calendar, or use "
                   "freebusyctl audience";
        if (what)
            buf_addf(out, "%s:%u: markers: server %s %s\n", c->path, s->line, s->name, what);
    }
}

bool gw_markers_same(const struct gw_config *a, const struct gw_config *b)
{
    if (a->markers_count != b->markers_count)
        return false;
    for (unsigned i = 0; i < a->markers_count; i++)
        if (strcmp(a->markers[i].category, b->markers[i].category) != 0 ||
            strcmp(a->markers[i].level, b->markers[i].level) != 0)
            return false;
    return true;
}

const struct gw_config_marker *gw_markers_widen(const struct gw_config *before, const struct gw_config *after,
                                                const struct gw_config_marker **ret_becomes)
{
    for (unsigned i = 0; i < before->markers_count; i++) {
        const struct gw_config_marker *was = &before->markers[i], *is = NULL;
        enum pres_level narrow = PRES_SEE_NOTHING, wide = PRES_SEE_TIMES;
        for (unsigned k = 0; k < after->markers_count && !is; k++)
            is = names(was, &after->markers[k]) ? &after->markers[k] : NULL;
        pres_level_parse(was->level, &narrow);
        if (is)
            pres_level_parse(is->level, &wide);
        *ret_becomes = is;
        if (wide > narrow)
            return was;
    }
    return NULL;
}

static const char *category_wrong(const char *category)
{
    size_t len = strlen(category), trimmed = len;
    str_trim(category, &trimmed);
    if (len == 0 || len > CATEGORY_MAX || trimmed != len || !str_is_utf8(category, len))
        return "is no category: 1 to 255 bytes of UTF-8 are expected, no blank at an end";
    for (const char *p = category; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127 || strchr(",;\\", *p))
            return "is no category: it has a comma, a semicolon, a backslash or a control character";
    return NULL;
}

static bool names(const struct gw_config_marker *a, const struct gw_config_marker *b)
{
    return a->category && b->category && str_eq_nocase(a->category, b->category);
}

static bool groups_freebusy(const struct gw_config *c)
{
    for (unsigned i = 0; i < c->group_rules_count; i++)
        if (c->group_rules[i].read && strcmp(c->group_rules[i].read, "freebusy") == 0)
            return true;
    return false;
}

static bool users_freebusy(const struct gw_config *c, const struct gw_config_server *s)
{
    for (unsigned i = 0; i < c->users_count; i++) {
        const struct gw_config_user *u = &c->users[i];
        if (u->read && strcmp(u->read, "freebusy") == 0 && (!u->server || strcmp(u->server, s->name) == 0))
            return true;
    }
    return false;
}
