/*
 * causes: see causes.h. feed.c enters and leaves, servers.c shows. A server's people suffer from a handful of codes, so
 * a list is enough; entries stay when nobody is left in them, because people refer to them by number.
 */
#include "causes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum { AGAIN_S = 600, ENTRIES_MAX = 250 };

static uint8_t entry_for(struct gw_causes *c, const struct dav_cause *cause);
static void say(struct gw_cause_entry *e, const char *server, const char *who, int64_t now);

uint8_t gw_causes_enter(struct gw_causes *c, uint8_t from, const struct dav_cause *cause, const char *evidence,
                        uint32_t id, const char *server, const char *who, int64_t now)
{
    uint8_t number = entry_for(c, cause);
    struct gw_cause_entry *e = &c->entries[number - 1];
    if (evidence || e->persons == 0 || e->example == id) { /* printable already */
        if (evidence)
            snprintf(e->evidence, sizeof e->evidence, "%s", evidence);
        else if (from != number)
            e->evidence[0] = '\0';
        e->example = id;
    }
    if (from == number)
        return number;
    if (from)
        gw_causes_leave(c, from, id, server, now);
    e = &c->entries[number - 1];
    if (e->persons++ == 0) {
        e->since = now;
        if (now - e->logged_at >= AGAIN_S)
            say(e, server, who, now);
    }
    return number;
}

void gw_causes_leave(struct gw_causes *c, uint8_t from, uint32_t id, const char *server, int64_t now)
{
    struct gw_cause_entry *e = &c->entries[from - 1];
    if (e->example == id || e->persons == 1)
        e->evidence[0] = '\0';
    if (--e->persons > 0)
        return;
    if (e->open)
        log_notice("poll", "over server=%s code=%s lasted=%llds", server, e->cause->code, (long long)(now - e->since));
    e->open = false;
}

void gw_causes_told(struct gw_causes *c, const char *code, size_t persons, int64_t now)
{
    for (unsigned i = 0; i < c->count; i++)
        if (strcmp(c->entries[i].cause->code, code) == 0 && c->entries[i].open) {
            c->entries[i].logged_at = now;
            c->entries[i].logged_persons = persons;
        }
}

void gw_causes_tick(struct gw_causes *c, const char *server, int64_t now)
{
    for (unsigned i = 0; i < c->count; i++) {
        struct gw_cause_entry *e = &c->entries[i];
        bool grown = e->open && e->persons > 1 && e->logged_persons == 1; /* the first line could not know how many */
        if (e->persons > 0 && (grown || now - e->logged_at >= AGAIN_S))
            say(e, server, NULL, now);
    }
}

void gw_causes_free(struct gw_causes *c)
{
    free(c->entries);
    *c = (struct gw_causes){NULL, 0};
}

const struct dav_cause *gw_cause_of(enum dav_err err, const char *code)
{
    static struct dav_cause unnamed[DAV_CANCELLED + 1];
    const struct dav_cause *cause = dav_cause_find(code);
    if (cause)
        return cause;
    unnamed[err] = (struct dav_cause){.code = dav_err_name(err),
                                      .err = err,
                                      .step = DAV_STEP_READ,
                                      .meaning = "The server failed in a way that has no name yet.",
                                      .advice = "Report it with the evidence."};
    return &unnamed[err];
}

static uint8_t entry_for(struct gw_causes *c, const struct dav_cause *cause)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->entries[i].cause == cause)
            return (uint8_t)(i + 1);
    if (c->count == ENTRIES_MAX)
        return ENTRIES_MAX; /* there are not that many codes */
    c->entries = mem_realloc(c->entries, c->count + 1u, sizeof *c->entries);
    c->entries[c->count] = (struct gw_cause_entry){.cause = cause};
    return ++c->count;
}

static void say(struct gw_cause_entry *e, const char *server, const char *who, int64_t now)
{
    char shown[120] = "";
    if (who)
        str_printable(who, strlen(who), shown, sizeof shown);
    log_warning("poll", "failing server=%s code=%s persons=%zu%s%s for=%llds evidence=\"%s\"", server, e->cause->code,
                e->persons, who ? " example=" : "", shown, (long long)(now - e->since), e->evidence);
    e->logged_at = now;
    e->logged_persons = e->persons;
    e->open = true;
}
