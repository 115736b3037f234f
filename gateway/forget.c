/*
 * forget: see forget.h. Steps: the digest is noted, so that whatever happens next the person does not come back -> the
 * person leaves table, poller and state file, which tells every outlet that they are gone -> outlets have a while to
 * say so to their servers, for what is retained there (an MQTT topic, a SIP publication) is known by a row that has the
 * name in it -> what is left of these rows goes -> the state file is written anew, so that not even its unused pages
 * have the name, and the audit's lines lose it. Meanwhile the worker looks where the configuration still names them.
 */
#include "forget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/buf.h"
#include "base/db.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_users.h"
#include "forget_private.h"
#include "outlets.h"
#include "marker.h"
#include "policy_choice.h"
#include "who_table.h"

enum { LOOK_EVERY_MS = 100, OUTLETS_MS = 10000, NAMES_MAX = 110 };

struct gw_forget {
    struct gateway *g;
    struct gw_forget *next;
    gw_forget_fn *done;
    void *arg;
    char *names[NAMES_MAX]; /* what the person is called, from the address on */
    unsigned name_count;
    bool known;
    struct loop_timer *timer;
    int64_t waited_ms;
    size_t untold; /* rows of outlets that had no time */
    bool clean_db, clean_audit, told_db, told_audit, told_places;
    struct jv *places;
    struct looking *looking;
};

/* In the worker: where the files name somebody. */
struct looking {
    struct gw_forget *forget; /* NULL: nobody waits */
    struct gw_config *config;
    char *address;
    char place[600];
};

static void add_name(struct gw_forget *f, const char *name);
static void add_names(struct gw_forget *f, pres_id id);
static void leave(struct gw_forget *f, pres_id id);
static void look_at_outlets(void *arg);
static void clean(struct gw_forget *f);
static void db_clean(void *arg, bool ok);
static void audit_clean(void *arg, bool ok);
static void look_up(struct gw_forget *f);
static void look_work(void *arg);
static void look_done(void *arg);
static void maybe_done(struct gw_forget *f);
static struct looking *looking_of(struct gw_forget *f);
static struct jv *answer_of(struct gw_forget *f);
static void forget_free(struct gw_forget *f);

struct gw_forget *gw_forget(struct gateway *g, const char *address, gw_forget_fn *done, void *arg)
{
    struct gw_forget *f = mem_calloc(1, sizeof *f);
    char hex[FORGET_HEX], words[FORGET_HEX + 20];
    *f = (struct gw_forget){.g = g, .done = done, .arg = arg, .next = g->forgotten->running};
    g->forgotten->running = f;
    f->timer = loop_timer_new(g->loop, "forget", look_at_outlets, f);
    f->places = jv_array();
    pres_id id = pres_table_find(g->table, address);
    add_name(f, address);
    add_names(f, id);
    for (unsigned i = 0; i < f->name_count; i++)
        gw_forget_note(g, f->names[i]);
    f->known = id != PRES_NOBODY;
    look_up(f);
    leave(f, id);
    gw_forget_digest(g->forgotten, address, NULL, hex);
    snprintf(words, sizeof words, "digest=%s", hex);
    gw_audit_event(g, "forgotten", words);
    log_notice("forget", "somebody was forgotten digest=%s", hex);
    loop_timer_in(f->timer, LOOK_EVERY_MS);
    return f;
}

void gw_forget_cancel(struct gw_forget **f)
{
    if (*f)
        (*f)->done = NULL;
    *f = NULL;
}

void gw_forgets_free(struct gateway *g)
{
    while (g->forgotten && g->forgotten->running)
        forget_free(g->forgotten->running);
}

static void add_name(struct gw_forget *f, const char *name)
{
    for (unsigned i = 0; i < f->name_count; i++)
        if (str_eq_nocase(f->names[i], name))
            return;
    if (f->name_count < NAMES_MAX)
        f->names[f->name_count++] = mem_strdup(name);
}

static void add_names(struct gw_forget *f, pres_id id)
{
    struct gateway *g = f->g;
    if (id == PRES_NOBODY)
        return;
    const struct gw_extra *extra = g->persons[id].extra;
    add_name(f, pres_table_address(g->table, id));
    add_name(f, pres_table_publish_as(g->table, id));
    for (char **alias = extra ? extra->aliases : NULL; alias && *alias; alias++)
        add_name(f, *alias);
}

static void leave(struct gw_forget *f, pres_id id)
{
    struct gateway *g = f->g;
    for (unsigned i = 0; i < f->name_count; i++) {
        gw_outlet_store_forget(gw_outlets_rows(g), f->names[i], g->config->xmpp.domain);
        gw_choices_forget(g->choices, f->names[i]);
        gw_marks_forget(g->marks, f->names[i]);
    }
    if (id != PRES_NOBODY)
        gw_people_remove(g, id);
}

/* Each has a row until its server knows. */
static void look_at_outlets(void *arg)
{
    struct gw_forget *f = arg;
    struct gw_outlet_store *rows = gw_outlets_rows(f->g);
    f->waited_ms += LOOK_EVERY_MS;
    for (unsigned i = 0; i < f->name_count; i++)
        gw_outlets_forget(f->g, f->names[i]);
    f->untold = gw_outlet_store_left(rows);
    if (f->untold > 0 && f->waited_ms < OUTLETS_MS) {
        loop_timer_in(f->timer, LOOK_EVERY_MS);
        return;
    }
    gw_outlet_store_purge(rows);
    clean(f);
}

static void clean(struct gw_forget *f)
{
    struct db *db = gw_keep_db(f->g->keep);
    for (unsigned i = 0; i < f->name_count; i++)
        gw_audit_forget(f->g, f->names[i]);
    if (db) {
        db_compact(db);
        db_sync(db, db_clean, f);
    } else {
        f->told_db = f->clean_db = true;
    }
    gw_audit_sync(f->g, audit_clean, f);
}

static void db_clean(void *arg, bool ok)
{
    struct gw_forget *f = arg;
    f->told_db = true;
    f->clean_db = ok;
    maybe_done(f);
}

static void audit_clean(void *arg, bool ok)
{
    struct gw_forget *f = arg;
    f->told_audit = true;
    f->clean_audit = ok;
    maybe_done(f);
}

/* The configuration itself is at hand; the files of people are read again. */
static void look_up(struct gw_forget *f)
{
    const struct gw_config *c = f->g->config;
    for (unsigned i = 0; i < c->users_count; i++)
        if (c->users[i].address && str_eq_nocase(c->users[i].address, f->names[0])) {
            char *place = mem_printf("%s:%u", c->path, c->users[i].line);
            jv_add(f->places, jv_string(place));
            free(place);
        }
    const struct gw_who_entry *e = gw_whos_named(c->whos, f->names[0]);
    if (e) {
        char *place = mem_printf("%s:%u (identity)", e->from_file ? c->identities_file : c->path, e->line);
        jv_add(f->places, jv_string(place));
        free(place);
    }
    struct looking *l = looking_of(f);
    loop_work(f->g->loop, look_work, look_done, l);
}

static struct looking *looking_of(struct gw_forget *f)
{
    struct looking *l = mem_calloc(1, sizeof *l);
    *l = (struct looking){.forget = f, .config = f->g->config, .address = mem_strdup(f->names[0])};
    l->config->refs++;
    f->looking = l;
    return l;
}

/* In the worker. */
static void look_work(void *arg)
{
    struct looking *l = arg;
    struct gw_config_error err;
    struct gw_roster *roster = gw_roster_reread(l->config, &err);
    for (size_t i = 0; roster && i < roster->count; i++) {
        const struct gw_user *u = &roster->users[i];
        if (u->source > 0 && str_eq_nocase(u->address, l->address))
            snprintf(l->place, sizeof l->place, "%s:%u", roster->files[u->source - 1].path, u->line);
    }
    gw_roster_free(&roster);
}

static void look_done(void *arg)
{
    struct looking *l = arg;
    struct gw_forget *f = l->forget;
    if (f) {
        f->looking = NULL;
        f->told_places = true;
        if (l->place[0])
            jv_add(f->places, jv_string(l->place));
    }
    gw_config_drop(l->config);
    free(l->address);
    free(l);
    if (f)
        maybe_done(f);
}

static void maybe_done(struct gw_forget *f)
{
    gw_forget_fn *done = f->done;
    void *arg = f->arg;
    if (!f->told_db || !f->told_audit || !f->told_places)
        return;
    struct jv *answer = answer_of(f);
    forget_free(f);
    if (done)
        done(arg, answer);
    else
        jv_free(&answer);
}

static struct jv *answer_of(struct gw_forget *f)
{
    struct jv *v = jv_set_bool(jv_object(), "ok", f->clean_db && f->clean_audit);
    jv_set_bool(v, "known", f->known);
    jv_set_int(v, "names", f->name_count);
    jv_set_bool(v, "kept_over_restart", gw_keep_db(f->g->keep) != NULL);
    jv_set_bool(v, "state_clean", f->clean_db);
    jv_set_bool(v, "audit_clean", f->clean_audit);
    jv_set_int(v, "outlets_untold", (int64_t)f->untold);
    jv_set(v, "still_named_in", f->places);
    f->places = NULL;
    return v;
}

static void forget_free(struct gw_forget *f)
{
    struct gw_forget **link = &f->g->forgotten->running;
    struct db *db = gw_keep_db(f->g->keep);
    while (*link != f)
        link = &(*link)->next;
    *link = f->next;
    if (db)
        db_forget(db, f);
    gw_audit_cancel(f->g, f);
    if (f->looking)
        f->looking->forget = NULL;
    loop_timer_free(&f->timer);
    jv_free(&f->places);
    for (unsigned i = 0; i < f->name_count; i++)
        free(f->names[i]);
    free(f);
}
