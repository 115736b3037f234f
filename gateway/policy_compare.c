/*
 * policy_compare: see policy_compare.h; for `freebusyctl policy diff`, and for a reload, which must be confirmed when
 * it tells somebody more.
 *
 * Nobody is asked one by one: people are put into classes that no line of either table can tell apart (same group, same
 * domains, and those whom a line or an identity names by themselves), and askers are the identities, the outlets,
 * anonymous, and a stranger for each word of the tables.
 */
#include "policy_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "gateway_private.h"
#include "policy_private.h"
#include "who_table.h"

/* People whom no line tells apart. */
struct class
{
    struct gw_subject subject;
    size_t persons;
    struct pres_grant was, becomes; /* of the asker at hand */
    bool told;
    char key[];
};

struct asker {
    struct gw_asker who;
    char *shown, *name, *part;
};

struct compare {
    const struct gateway *g;
    const struct gw_config *next;
    int64_t now;
    struct map *named; /* addresses that a line or an identity names */
    struct map *classes;
    struct asker *askers;
    size_t asker_count;
    struct map *seen;   /* askers by what is shown */
    struct jv *changes; /* NULL: only counted */
    size_t widens;
    char *first;
    size_t first_size;
};

static void run(struct compare *c);
static void name_words(struct compare *c, const struct gw_policy_table *t);
static void name_one(struct compare *c, const char *address);
static void add_classes(struct compare *c);
static void add_askers(struct compare *c, const struct gw_config *config);
static void add_asker(struct compare *c, const char *shown, struct gw_asker who);
static void add_word(struct compare *c, const struct gw_word *w);
static void look(struct compare *c, const struct asker *asker);
static void grant_of(const struct compare *c, const struct gw_config *config, const struct asker *asker,
                     const struct gw_subject *whom, struct pres_grant *ret);
static void tell(struct compare *c, const struct asker *asker, struct class *first);
static bool same_grant(const struct pres_grant *a, const struct pres_grant *b);
static void free_all(struct compare *c);

struct jv *gw_policy_compare(const struct gateway *g, const struct gw_config *next)
{
    struct compare c = {.g = g, .next = next, .changes = jv_array()};
    run(&c);
    struct jv *v = jv_set(jv_object(), "changes", c.changes);
    jv_set_int(v, "widens", (int64_t)c.widens);
    return v;
}

size_t gw_policy_widenings(const struct gateway *g, const struct gw_config *next, char *first, size_t first_size)
{
    struct compare c = {.g = g, .next = next, .first = first, .first_size = first_size};
    if (!g->config->policy.table) /* everybody sees everything already */
        return 0;
    run(&c);
    return c.widens;
}

static void run(struct compare *c)
{
    c->now = clk_wall_s(loop_clk(c->g->loop));
    c->named = map_new();
    c->classes = map_new();
    c->seen = map_new();
    add_askers(c, c->g->config);
    add_askers(c, c->next);
    name_words(c, c->g->config->policy.table);
    name_words(c, c->next->policy.table);
    add_classes(c);
    for (size_t i = 0; i < c->asker_count; i++)
        look(c, &c->askers[i]);
    free_all(c);
}

static void name_words(struct compare *c, const struct gw_policy_table *t)
{
    for (size_t i = 0; t && i < t->count; i++) {
        for (size_t w = 0; w < t->rules[i].whom_count; w++)
            if (t->rules[i].whom[w].kind == GW_WORD_NAME)
                name_one(c, t->rules[i].whom[w].text);
        for (size_t w = 0; w < t->rules[i].who_count; w++)
            add_word(c, &t->rules[i].who[w]);
    }
}

static void name_one(struct compare *c, const char *address)
{
    char *lower = str_lower(mem_strdup(address));
    if (map_get(c->named, lower))
        free(lower);
    else
        map_put(c->named, lower, lower);
}

static const char *domain_of(const char *address)
{
    const char *at = address ? strrchr(address, '@') : NULL;
    return at ? at + 1 : "";
}

static void add_classes(struct compare *c)
{
    struct pres_table *table = c->g->table;
    struct buf key;
    buf_init(&key, 16384);
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(table, id)) != PRES_NOBODY;) {
        struct gw_subject s = {.address = pres_table_address(table, id),
                               .publish_as = pres_table_publish_as(table, id),
                               .group = pres_table_group(table, id)};
        char *address = str_lower(mem_strdup(s.address)), *shown = str_lower(mem_strdup(s.publish_as));
        bool named = map_get(c->named, address) || map_get(c->named, shown);
        buf_reset(&key);
        buf_addf(&key, "%s\n%s\n%s\n%s", s.group ? s.group : "\t", domain_of(address), domain_of(shown),
                 named ? address : "");
        free(address);
        free(shown);
        struct class *class = map_get(c->classes, key.data);
        if (!class) {
            class = mem_calloc(1, sizeof *class + key.len + 1);
            memcpy(class->key, key.data, key.len + 1);
            class->subject = s;
            map_put(c->classes, class->key, class);
        }
        class->persons++;
    }
    buf_free(&key);
}

static void add_askers(struct compare *c, const struct gw_config *config)
{
    struct jv *whos = config->whos ? gw_whos_report(config->whos) : NULL;
    const struct jv *list = jv_is_array(whos) ? whos : jv_get(whos, "identities");
    for (size_t i = 0; i < jv_count(list); i++) {
        const struct jv *one = jv_at(list, i);
        const char *name = jv_str(jv_get(one, "name"), "");
        if (strcmp(jv_str(jv_get(one, "role"), ""), "admin") == 0 || strcmp(name, "anonymous") == 0)
            continue;
        add_asker(c, name, (struct gw_asker){.name = name});
        name_one(c, name);
    }
    jv_free(&whos);
    add_asker(c, "anonymous", (struct gw_asker){.name = "anonymous", .anonymous = true});
    for (size_t i = 0; i < gw_outlet_count(c->g); i++) {
        struct pres_publisher_status status;
        char shown[200];
        gw_outlet_status(c->g, i, &status);
        snprintf(shown, sizeof shown, "outlet:%s", status.name);
        add_asker(c, shown, (struct gw_asker){.name = status.name, .outlet = true});
    }
}

static void add_asker(struct compare *c, const char *shown, struct gw_asker who)
{
    if (map_get(c->seen, shown))
        return;
    c->askers = mem_realloc(c->askers, c->asker_count + 1, sizeof *c->askers);
    struct asker *a = &c->askers[c->asker_count++];
    *a = (struct asker){.who = who, .shown = mem_strdup(shown), .name = mem_strdup(who.name)};
    a->part = mem_strdup_or_null(who.part);
    a->who.name = a->name;
    a->who.part = a->part;
    a->who.group = mem_strdup_or_null(who.group);
    map_put(c->seen, a->shown, a->shown);
}

/* Somebody for whom this word stands, and no other that is more special. */
static void add_word(struct compare *c, const struct gw_word *w)
{
    char name[1100];
    switch (w->kind) {
    case GW_WORD_ALL:
        add_asker(c, "*", (struct gw_asker){.name = ""});
        break;
    case GW_WORD_GROUP:
        add_asker(c, w->as_written, (struct gw_asker){.name = "", .group = w->text});
        break;
    case GW_WORD_DOMAIN:
        snprintf(name, sizeof name, "@%s", w->text);
        add_asker(c, w->as_written, (struct gw_asker){.name = name});
        break;
    case GW_WORD_OUTLET:
        add_asker(c, w->as_written, (struct gw_asker){.name = w->text, .outlet = true});
        break;
    case GW_WORD_PART:
        add_asker(c, w->as_written, (struct gw_asker){.name = w->text, .part = w->part, .outlet = true});
        break;
    case GW_WORD_NAME:
        add_asker(c, w->as_written,
                  (struct gw_asker){.name = w->text, .outlet = gw_outlets_configured(c->next, w->text)});
        break;
    case GW_WORD_ANONYMOUS:
    case GW_WORD_SELF:
        break;
    }
}

/* What changes for one asker, people with the same change in one row. */
static void look(struct compare *c, const struct asker *asker)
{
    size_t pos = 0;
    for (struct class *k; (k = map_next(c->classes, &pos));) {
        grant_of(c, c->g->config, asker, &k->subject, &k->was);
        grant_of(c, c->next, asker, &k->subject, &k->becomes);
        k->told = same_grant(&k->was, &k->becomes);
    }
    pos = 0;
    for (struct class *k; (k = map_next(c->classes, &pos));)
        if (!k->told)
            tell(c, asker, k);
}

static void grant_of(const struct compare *c, const struct gw_config *config, const struct asker *asker,
                     const struct gw_subject *whom, struct pres_grant *ret)
{
    const struct gw_who_entry *entry =
        config->whos && !asker->who.outlet && asker->name[0] ? gw_whos_named(config->whos, asker->name) : NULL;
    struct gw_asker who = asker->who;
    if (entry)
        who.group = entry->who.group;
    if (config->policy.table)
        gw_policy_table_grant(config->policy.table, &who, whom, c->now, ret);
    else
        *ret = pres_grant_all;
}

static void tell(struct compare *c, const struct asker *asker, struct class *first)
{
    size_t pos = 0, persons = 0;
    bool wider = gw_policy_widens(&first->was, &first->becomes);
    struct buf was, becomes;
    for (struct class *k; (k = map_next(c->classes, &pos));)
        if (!k->told && same_grant(&k->was, &first->was) && same_grant(&k->becomes, &first->becomes)) {
            persons += k->persons;
            k->told = true;
        }
    buf_init(&was, 1000);
    buf_init(&becomes, 1000);
    gw_policy_grant_text(&first->was, &was);
    gw_policy_grant_text(&first->becomes, &becomes);
    if (wider && c->widens == 0 && c->first)
        snprintf(c->first, c->first_size, "%s would see %s of %s, where it was %s", asker->shown, becomes.data,
                 first->subject.publish_as, was.data);
    c->widens += wider;
    if (c->changes) {
        struct jv *row = jv_set_str(jv_object(), "who", asker->shown);
        jv_set_str(row, "was", was.data);
        jv_set_str(row, "becomes", becomes.data);
        jv_set_int(row, "persons", (int64_t)persons);
        jv_set_str(row, "example", first->subject.publish_as);
        jv_add(c->changes, jv_set_bool(row, "wider", wider));
    }
    buf_free(&was);
    buf_free(&becomes);
}

static bool same_grant(const struct pres_grant *a, const struct pres_grant *b)
{
    if (a->level == PRES_SEE_NOTHING && b->level == PRES_SEE_NOTHING)
        return true;
    return a->level == b->level && a->merge == b->merge && a->no_until == b->no_until &&
           a->working_only == b->working_only && a->grid_s == b->grid_s && a->horizon_s == b->horizon_s &&
           a->expires == b->expires && (!a->working_only || pres_hours_same(a->hours, b->hours));
}

static void free_all(struct compare *c)
{
    size_t pos = 0;
    for (void *one; (one = map_next(c->named, &pos));)
        free(one);
    pos = 0;
    for (void *one; (one = map_next(c->classes, &pos));)
        free(one);
    map_free(&c->named);
    map_free(&c->classes);
    map_free(&c->seen);
    for (size_t i = 0; i < c->asker_count; i++) {
        free(c->askers[i].shown);
        free(c->askers[i].name);
        free(c->askers[i].part);
        free((char *)(uintptr_t)c->askers[i].who.group);
    }
    free(c->askers);
}
