/*
 * people: everybody who is asked about, in three places that this file keeps in step: presence's table, the poller, and
 * the gateway's own record. Called with a roster by reload.c (a new configuration) and secrets.c (a changed CSV file):
 * who is new is added, who is gone is removed, who changed is changed, and everybody else, with what is known of them,
 * is not touched.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "forget.h"
#include "gateway_private.h"
#include "published.h"
#include "inlet.h"
#include "keep.h"
#include "marker.h"
#include "people_diff.h"
#include "policy.h"
#include "policy_choice.h"

enum { LOOK_MAX = 10000 }; /* people at whom an example is looked for at a time: it is not worth holding the loop */

static size_t change_all(struct gateway *g, const struct gw_people_diff *diff, struct gw_server **old_servers);
static bool is_published_as(const struct gateway *g, pres_id id, const char *publish_as);
static void person_unpublish(struct gateway *g, pres_id id, const struct gw_user *u);
static void person_remove(struct gateway *g, pres_id id, struct gw_server *s);
static bool person_add(struct gateway *g, const struct gw_user *u);
static void journal_remove(struct gateway *g, pres_id id);
static bool person_change(struct gateway *g, pres_id id, const struct gw_user *u, struct gw_server *was);
static void leave_server(struct gateway *g, struct gw_person *p, struct gw_server *s);
static bool extra_set(struct gw_person *p, const struct gw_user *u);
static void extra_free(struct gw_person *p);
static struct pres_person_spec spec_of(const struct gateway *g, const struct gw_user *u);
static bool same(const char *a, const char *b);
static bool same_list(char *const *a, const char *const *b);
static struct gw_person *person_at(struct gateway *g, pres_id id);

struct gw_people_change gw_people_apply(struct gateway *g, const struct gw_roster *roster,
                                        struct gw_server **old_servers, unsigned old_count)
{
    struct gw_people_diff *diff = gw_people_diff_new(g, g->config, roster, old_servers, old_count);
    gw_people_diff_finish(diff);
    struct gw_people_change change = gw_people_take(g, diff, old_servers);
    gw_people_diff_free(&diff);
    return change;
}

struct gw_people_change gw_people_take(struct gateway *g, const struct gw_people_diff *diff,
                                       struct gw_server **old_servers)
{
    struct gw_people_change change = {0, 0, 0};
    const struct gw_roster *roster = gw_people_diff_roster(diff);
    size_t gone_count, differing_count, fresh_count;
    const pres_id *gone = gw_people_diff_gone(diff, &gone_count);
    const size_t *fresh = gw_people_diff_fresh(diff, &fresh_count);
    gw_people_diff_differing(diff, &differing_count);
    for (size_t i = 0; i < gone_count; i++)
        person_remove(g, gone[i], old_servers[pres_table_server(g->table, gone[i])]);
    change.removed = gone_count;
    change.changed = change_all(g, diff, old_servers);
    for (size_t i = 0; i < fresh_count; i++)
        if (!gw_forgotten_has(g, roster->users[fresh[i]].address))
            change.added += person_add(g, &roster->users[fresh[i]]);
    if (gone_count + differing_count + fresh_count > 0)
        g->people_generation++;
    if (change.added || change.removed || change.changed)
        gw_outlets_people_changed(g);
    return change;
}

void gw_people_remove(struct gateway *g, pres_id id)
{
    g->people_generation++;
    person_remove(g, id, gw_server_of(g, id));
    gw_outlets_people_changed(g);
}

void gw_people_free(struct gateway *g)
{
    for (pres_id id = PRES_NOBODY; g->table && (id = pres_table_next(g->table, id)) != PRES_NOBODY;) {
        extra_free(&g->persons[id]);
        free(g->persons[id].published);
    }
    free(g->persons);
    g->persons = NULL;
    g->person_capacity = 0;
}

void gw_people_log_notes(const struct gw_roster *roster)
{
    for (unsigned i = 0; i < roster->note_count; i++)
        log_warning("users", "%s", roster->notes[i]);
    if (roster->notes_untold)
        log_warning("users", "and %u more lines that cannot be used", roster->notes_untold);
}

void gw_people_forget_places(struct gateway *g, const struct gw_server *s)
{
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(g->table, id)) != PRES_NOBODY;) {
        struct gw_extra *extra = g->persons[id].extra;
        if (extra && gw_server_of(g, id) == s) {
            free(extra->remember);
            extra->remember = NULL;
        }
    }
}

pres_id gw_people_example(const struct gateway *g, const struct gw_server *s, gw_people_is_fn *is, unsigned number,
                          pres_id *at)
{
    pres_id id = pres_table_next(g->table, *at - 1); /* this one, if it is still there */
    for (unsigned i = 0; i < LOOK_MAX; i++, id = pres_table_next(g->table, id)) {
        if (id == PRES_NOBODY) /* behind the last one is the first one */
            continue;
        *at = id;
        if (gw_server_of(g, id) == s && is(g, id, number))
            return id;
    }
    return PRES_NOBODY;
}

struct gw_extra *gw_person_extra(struct gw_person *p)
{
    if (!p->extra)
        p->extra = mem_calloc(1, sizeof *p->extra);
    return p->extra;
}

bool gw_person_extra_same(const struct gw_person *p, const struct gw_user *u)
{
    static const struct gw_extra none;
    const struct gw_extra *before = p->extra ? p->extra : &none;
    return same(before->path, u->path) && same(before->zone, u->zone) && same_list(before->aliases, u->aliases);
}

void gw_person_reclass(struct gateway *g, pres_id id)
{
    struct gw_person *p = &g->persons[id];
    enum gw_class class =
        p->unknown ? (p->was_read ? GW_CLASS_STALE : GW_CLASS_UNKNOWN) : (p->cause ? GW_CLASS_AGEING : GW_CLASS_FRESH);
    if (p->class == class)
        return;
    struct gw_server *s = gw_server_of(g, id);
    s->classes[p->class]--;
    s->classes[class]++;
    p->class = (uint8_t) class;
}

void gw_person_view(const struct gateway *g, pres_id id, struct gw_person_view *ret)
{
    const struct gw_person *p = &g->persons[id];
    const struct gw_server *s = gw_server_of(g, id);
    const struct gw_cause_entry *cause = p->cause ? &s->causes.entries[p->cause - 1] : NULL;
    struct gw_poller_person poll = {.server = 0};
    gw_poller_person(g->poller, id, &poll);
    *ret = (struct gw_person_view){
        .server = s->config->name,
        .path = p->extra ? p->extra->path : NULL,
        .remember = p->extra ? p->extra->remember : NULL,
        .last_asked_at = poll.last_asked_at,
        .last_ok_at = poll.last_ok_at,
        .next_poll_at = poll.next_poll_at,
        .code = cause ? cause->cause->code : NULL,
        .evidence = cause && cause->evidence[0] && cause->example == id ? cause->evidence : NULL,
        .skipped = p->skipped,
        .way = p->way,
    };
    gw_published_differs(g, id, &ret->differs);
}

/* Names that change hands: everybody lets go of theirs before anybody takes one. */
static size_t change_all(struct gateway *g, const struct gw_people_diff *diff, struct gw_server **old_servers)
{
    size_t count, changed = 0;
    const struct gw_people_pair *pairs = gw_people_diff_differing(diff, &count);
    const struct gw_user *users = gw_people_diff_roster(diff)->users;
    bool *renamed = mem_calloc(count + 1, sizeof *renamed);
    for (size_t i = 0; i < count; i++) {
        renamed[i] = !is_published_as(g, pairs[i].id, users[pairs[i].user].publish_as);
        if (renamed[i])
            person_unpublish(g, pairs[i].id, &users[pairs[i].user]);
    }
    for (size_t i = 0; i < count; i++)
        changed += person_change(g, pairs[i].id, &users[pairs[i].user],
                                 old_servers[pres_table_server(g->table, pairs[i].id)]) ||
                   renamed[i];
    for (size_t i = 0; i < count; i++)
        if (renamed[i])
            pres_journal_renamed(g->journal, pairs[i].id);
    free(renamed);
    return changed;
}

static bool is_published_as(const struct gateway *g, pres_id id, const char *publish_as)
{
    return strcmp(pres_table_publish_as(g->table, id), publish_as ? publish_as : pres_table_address(g->table, id)) == 0;
}

/* The last word about the address that was published so far. */
static void person_unpublish(struct gateway *g, pres_id id, const struct gw_user *u)
{
    struct pres_person_spec spec = spec_of(g, u);
    spec.publish_as = NULL;
    spec.group = pres_table_group(g->table, id);
    spec.server = (uint16_t)pres_table_server(g->table, id);
    journal_remove(g, id);
    pres_table_respec(g->table, id, &spec);
}

static void person_remove(struct gateway *g, pres_id id, struct gw_server *s)
{
    struct gw_person *p = &g->persons[id];
    gw_poller_remove(g->poller, id);
    gw_published_drop(g, id, s);
    if (s->relay)
        gw_inlet_forget(s->relay, pres_table_address(g->table, id));
    leave_server(g, p, s);
    extra_free(p);
    p->used = 0;
    gw_keep_remove(g, id);
    journal_remove(g, id);
    pres_table_remove(g->table, id);
}

/* The last word about an address is not for those to whom it was never told. */
static void journal_remove(struct gateway *g, pres_id id)
{
    pres_journal_remove(g->journal, id);
    if (gw_policy_is_narrowed(g, id))
        gw_policy_drop_cursors(g);
}

static bool person_add(struct gateway *g, const struct gw_user *u)
{
    struct pres_person_spec spec = spec_of(g, u);
    pres_id id = pres_table_add(g->table, &spec);
    if (id == PRES_NOBODY) {
        char shown[200];
        log_error("users", "%s cannot be added: the address is somebody else's",
                  str_printable(u->address, strlen(u->address), shown, sizeof shown));
        return false;
    }
    struct gw_server *s = g->servers[u->server];
    struct gw_person *p = person_at(g, id);
    *p = (struct gw_person){.unknown = 1, .used = 1, .class = GW_CLASS_UNKNOWN};
    p->ways = (uint8_t)gw_published_ways(g->config, u);
    if (g->choices) /* not in tests of single parts */
        gw_choices_apply(g->choices, id);
    if (g->marks)
        gw_marks_apply(g->marks, id);
    extra_set(p, u);
    s->persons++;
    s->classes[p->class]++;
    gw_poller_add(g->poller, id, s->number);
    return true;
}

/* True when something about the person is different. */
static bool person_change(struct gateway *g, pres_id id, const struct gw_user *u, struct gw_server *was)
{
    struct gw_person *p = &g->persons[id];
    struct gw_server *s = g->servers[u->server];
    struct pres_person_spec spec = spec_of(g, u);
    struct pres_known known;
    pres_table_known(g->table, id, &known);
    bool regrouped = !same(pres_table_group(g->table, id), spec.group);
    bool differs = regrouped || !is_published_as(g, id, spec.publish_as) || known.stale_after != spec.stale_after;
    if (differs || pres_table_server(g->table, id) != u->server)
        pres_table_respec(g->table, id, &spec);
    bool elsewhere = extra_set(p, u), moved = s != was;
    bool otherwise = p->ways != gw_published_ways(g->config, u);
    if (moved || elsewhere || regrouped || otherwise)
        gw_published_drop(g, id, was);
    p->ways = (uint8_t)gw_published_ways(g->config, u);
    if (moved) {
        leave_server(g, p, was);
        s->persons++;
        s->classes[p->class]++;
    }
    if (moved || elsewhere || regrouped || otherwise) { /* other rules weigh the answers, not what is known */
        p->held = 0;
        gw_poller_move(g->poller, id, s->number);
    }
    return differs || moved || elsewhere || otherwise;
}

static void leave_server(struct gateway *g, struct gw_person *p, struct gw_server *s)
{
    if (p->cause)
        gw_causes_leave(&s->causes, p->cause, (pres_id)(p - g->persons), s->config->name,
                        clk_wall_s(loop_clk(g->loop)));
    p->cause = 0;
    s->persons--;
    s->classes[p->class]--;
}

/* True when the person's calendar may be somewhere else now, or be read otherwise. */
static bool extra_set(struct gw_person *p, const struct gw_user *u)
{
    if (gw_person_extra_same(p, u))
        return false;
    extra_free(p);
    if (!u->path && !u->zone && !u->aliases)
        return true;
    struct gw_extra *extra = gw_person_extra(p);
    extra->path = mem_strdup_or_null(u->path);
    extra->zone = mem_strdup_or_null(u->zone);
    size_t count = 0;
    while (u->aliases && u->aliases[count])
        count++;
    if (count > 0)
        extra->aliases = mem_calloc(count + 1, sizeof *extra->aliases);
    for (size_t i = 0; i < count; i++)
        extra->aliases[i] = mem_strdup(u->aliases[i]);
    return true;
}

static void extra_free(struct gw_person *p)
{
    if (!p->extra)
        return;
    for (char **alias = p->extra->aliases; alias && *alias; alias++)
        free(*alias);
    free(p->extra->aliases);
    free(p->extra->path);
    free(p->extra->zone);
    free(p->extra->remember);
    free(p->extra);
    p->extra = NULL;
}

static struct pres_person_spec spec_of(const struct gateway *g, const struct gw_user *u)
{
    return (struct pres_person_spec){.address = u->address,
                                     .publish_as = u->publish_as,
                                     .group = u->group,
                                     .stale_after = g->servers[u->server]->relay
                                                        ? gw_inlet_stale_after(g->servers[u->server]->relay)
                                                        : g->config->stale_after_s,
                                     .server = u->server};
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(char *const *a, const char *const *b)
{
    size_t i = 0;
    while (a && b && a[i] && b[i] && strcmp(a[i], b[i]) == 0)
        i++;
    return (!a || !a[i]) && (!b || !b[i]);
}

static struct gw_person *person_at(struct gateway *g, pres_id id)
{
    if (id >= g->person_capacity) {
        size_t capacity = g->person_capacity ? g->person_capacity * 2 : 64;
        while (capacity <= id)
            capacity *= 2;
        g->persons = mem_realloc(g->persons, capacity, sizeof *g->persons);
        memset(g->persons + g->person_capacity, 0, (capacity - g->person_capacity) * sizeof *g->persons);
        g->person_capacity = capacity;
    }
    return &g->persons[id];
}
