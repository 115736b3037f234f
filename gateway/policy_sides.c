/*
 * policy_sides: see policy_sides.h. A class is a text: whatever a line can ask about somebody, one after the other. Who
 * has the same text is answered the same by every line.
 *
 * "self" is about an asker who is asked about, so the one identity that stands for its like is a class of its own among
 * the people, and only such identities are alike whose people are.
 */
#include "policy_sides.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "gateway_private.h"
#include "policy_private.h"
#include "who_table.h"

enum { KEY_MAX = 16384 };

static void asker_free(struct gw_side_asker *a);
static void name_words(struct gw_sides *s, const struct gw_policy_table *t);
static void name_one(struct map *names, const char *address);
static bool is_named(const struct map *names, const char *address);
static void person_key(const struct gw_sides *s, const struct gw_subject *p, struct buf *out);
static void add_identities(struct gw_sides *s, const struct gw_config *from, const struct gw_config *was,
                           const struct gw_config *becomes);
static void identity_key(const struct gw_sides *s, const struct gw_asker *who, const char *later, struct buf *out);
static void add_words(struct gw_sides *s, const struct gw_policy_table *t, const struct gw_config *was,
                      const struct gw_config *becomes);
static void add_word(struct gw_sides *s, const struct gw_word *w, const struct gw_config *was,
                     const struct gw_config *becomes);
static void add_asker(struct gw_sides *s, const char *key, const char *shown, const struct gw_asker *who,
                      const char *later);
static const char *group_in(const struct gw_config *c, const char *name);
static void add_lower(struct buf *out, const char *text);

void gw_sides_init(struct gw_sides *s, const struct gateway *g, const struct gw_config *was,
                   const struct gw_config *becomes)
{
    *s = (struct gw_sides){.g = g, .at = PRES_NOBODY};
    s->whom_named = map_new();
    s->who_named = map_new();
    s->classes_by_key = map_new();
    s->askers_by_key = map_new();
    name_words(s, was->policy.table);
    name_words(s, becomes->policy.table);
    add_identities(s, was, was, becomes);
    add_identities(s, becomes, was, becomes);
    add_asker(s, "anonymous", "anonymous", &(struct gw_asker){.name = "anonymous", .anonymous = true}, NULL);
    for (size_t i = 0; i < gw_outlet_count(g); i++) {
        struct pres_publisher_status status;
        char shown[200];
        gw_outlet_status(g, i, &status);
        snprintf(shown, sizeof shown, "outlet:%s", status.name);
        add_asker(s, shown, shown, &(struct gw_asker){.name = status.name, .outlet = true}, NULL);
    }
    add_words(s, was->policy.table, was, becomes);
    add_words(s, becomes->policy.table, was, becomes);
}

void gw_sides_free(struct gw_sides *s)
{
    struct map **names[] = {&s->whom_named, &s->who_named};
    for (unsigned i = 0; i < 2; i++) {
        size_t pos = 0;
        for (void *one; (one = map_next(*names[i], &pos));)
            free(one);
        map_free(names[i]);
    }
    map_free(&s->classes_by_key);
    map_free(&s->askers_by_key);
    for (size_t i = 0; i < s->class_count; i++) {
        struct gw_side_class *k = s->classes[i];
        free((char *)(uintptr_t)k->subject.address);
        free((char *)(uintptr_t)k->subject.publish_as);
        free((char *)(uintptr_t)k->subject.group);
        free(k);
    }
    for (size_t i = 0; i < s->asker_count; i++)
        asker_free(s->askers[i]);
    free(s->classes);
    free(s->askers);
}

bool gw_sides_people(struct gw_sides *s, unsigned count)
{
    const struct pres_table *table = s->g->table;
    struct buf key;
    buf_init(&key, KEY_MAX);
    for (; count > 0 && (s->at = pres_table_next(table, s->at)) != PRES_NOBODY; count--) {
        const struct gw_subject p = {.address = pres_table_address(table, s->at),
                                     .publish_as = pres_table_publish_as(table, s->at),
                                     .group = pres_table_group(table, s->at)};
        person_key(s, &p, &key);
        struct gw_side_class *k = map_get(s->classes_by_key, key.data);
        if (!k) {
            k = mem_calloc(1, sizeof *k + key.len + 1);
            memcpy(k->key, key.data, key.len + 1);
            k->subject = (struct gw_subject){mem_strdup(p.address), mem_strdup(p.publish_as),
                                             mem_strdup_or_null(p.group)};
            map_put(s->classes_by_key, k->key, k);
            s->classes = mem_realloc(s->classes, s->class_count + 1, sizeof *s->classes);
            s->classes[s->class_count++] = k;
        }
        k->persons++;
    }
    buf_free(&key);
    return count == 0;
}

static void asker_free(struct gw_side_asker *a)
{
    free((char *)(uintptr_t)a->was.name);
    free((char *)(uintptr_t)a->was.part);
    free((char *)(uintptr_t)a->was.group);
    free((char *)(uintptr_t)a->becomes.group);
    free(a->shown);
    free(a->key);
    free(a);
}

static void name_words(struct gw_sides *s, const struct gw_policy_table *t)
{
    for (size_t i = 0; t && i < t->count; i++) {
        for (size_t w = 0; w < t->rules[i].whom_count; w++)
            if (t->rules[i].whom[w].kind == GW_WORD_NAME)
                name_one(s->whom_named, t->rules[i].whom[w].text);
        for (size_t w = 0; w < t->rules[i].who_count; w++)
            if (t->rules[i].who[w].kind == GW_WORD_NAME)
                name_one(s->who_named, t->rules[i].who[w].text);
    }
}

static void name_one(struct map *names, const char *address)
{
    char *lower = str_lower(mem_strdup(address));
    if (map_get(names, lower))
        free(lower);
    else
        map_put(names, lower, lower);
}

static bool is_named(const struct map *names, const char *address)
{
    struct buf lower;
    if (map_count(names) == 0)
        return false;
    buf_init(&lower, KEY_MAX);
    add_lower(&lower, address);
    bool named = map_get(names, lower.data) != NULL;
    buf_free(&lower);
    return named;
}

static const char *domain_of(const char *address)
{
    const char *at = strrchr(address, '@');
    return at ? at + 1 : "";
}

static void person_key(const struct gw_sides *s, const struct gw_subject *p, struct buf *out)
{
    buf_reset(out);
    buf_adds(out, p->group ? p->group : "\t");
    buf_addc(out, '\n');
    add_lower(out, domain_of(p->address));
    buf_addc(out, '\n');
    add_lower(out, domain_of(p->publish_as));
    buf_addc(out, '\n');
    if (is_named(s->whom_named, p->address) || is_named(s->whom_named, p->publish_as))
        add_lower(out, p->address);
}

/* Administrators see everything, whatever the table says; anonymous is an asker anyway. */
static void add_identities(struct gw_sides *s, const struct gw_config *from, const struct gw_config *was,
                           const struct gw_config *becomes)
{
    const struct gw_who_entry *e;
    struct buf key;
    buf_init(&key, 2 * KEY_MAX);
    for (size_t i = 0; (e = gw_whos_at(from->whos, i)); i++) {
        const char *name = e->who.name;
        const struct gw_who_entry *before = from == was ? NULL : gw_whos_named(was->whos, name);
        if (e->who.admin || strcmp(name, "anonymous") == 0 || (before && !before->who.admin))
            continue;
        struct gw_asker who = {.name = name, .group = group_in(was, name)};
        const char *later = group_in(becomes, name);
        identity_key(s, &who, later, &key);
        add_asker(s, key.data, name, &who, later);
    }
    buf_free(&key);
}

static void identity_key(const struct gw_sides *s, const struct gw_asker *who, const char *later, struct buf *out)
{
    const struct pres_table *table = s->g->table;
    pres_id id = pres_table_find(table, who->name);
    buf_reset(out);
    if (id != PRES_NOBODY) {
        const struct gw_subject p = {.address = pres_table_address(table, id),
                                     .publish_as = pres_table_publish_as(table, id),
                                     .group = pres_table_group(table, id)};
        person_key(s, &p, out);
    }
    buf_addf(out, "\n%s\n%s\n", who->group ? who->group : "\t", later ? later : "\t");
    add_lower(out, is_named(s->who_named, who->name) ? who->name : domain_of(who->name));
}

static void add_words(struct gw_sides *s, const struct gw_policy_table *t, const struct gw_config *was,
                      const struct gw_config *becomes)
{
    for (size_t i = 0; t && i < t->count; i++)
        for (size_t w = 0; w < t->rules[i].who_count; w++)
            add_word(s, &t->rules[i].who[w], was, becomes);
}

/* Somebody for whom this word stands, and no other that is more special. */
static void add_word(struct gw_sides *s, const struct gw_word *w, const struct gw_config *was,
                     const struct gw_config *becomes)
{
    char name[1100];
    struct gw_asker who = {.name = w->text};
    switch (w->kind) {
    case GW_WORD_ALL:
        who.name = "";
        break;
    case GW_WORD_GROUP:
        who = (struct gw_asker){.name = "", .group = w->text};
        break;
    case GW_WORD_DOMAIN:
        snprintf(name, sizeof name, "@%s", w->text);
        who.name = name;
        break;
    case GW_WORD_PART:
        who.part = w->part;
        who.outlet = true;
        break;
    case GW_WORD_OUTLET:
        who.outlet = true;
        break;
    case GW_WORD_NAME:
        if (gw_whos_named(was->whos, w->text) || gw_whos_named(becomes->whos, w->text))
            return;
        who.outlet = gw_outlets_configured(becomes, w->text);
        break;
    case GW_WORD_ANONYMOUS:
    case GW_WORD_SELF:
        return;
    }
    add_asker(s, w->as_written, w->as_written, &who, who.group);
}

/* `who` has the group that it is in now. The one that stands for the others may be asked about by "self". */
static void add_asker(struct gw_sides *s, const char *key, const char *shown, const struct gw_asker *who,
                      const char *later)
{
    struct gw_side_asker *a = map_get(s->askers_by_key, key);
    if (a) {
        a->others += strcmp(a->shown, shown) != 0;
        return;
    }
    a = mem_calloc(1, sizeof *a);
    *a = (struct gw_side_asker){.was = *who, .shown = mem_strdup(shown), .key = mem_strdup(key)};
    a->was.name = mem_strdup(who->name);
    a->was.part = mem_strdup_or_null(who->part);
    a->was.group = mem_strdup_or_null(who->group);
    a->becomes = a->was;
    a->becomes.group = mem_strdup_or_null(later);
    map_put(s->askers_by_key, a->key, a);
    s->askers = mem_realloc(s->askers, s->asker_count + 1, sizeof *s->askers);
    s->askers[s->asker_count++] = a;
    if (!who->outlet && !who->anonymous && who->name[0])
        name_one(s->whom_named, who->name);
}

static const char *group_in(const struct gw_config *c, const char *name)
{
    const struct gw_who_entry *e = gw_whos_named(c->whos, name);
    return e ? e->who.group : NULL;
}

static void add_lower(struct buf *out, const char *text)
{
    size_t from = out->len;
    if (buf_adds(out, text) && out->len > from)
        str_lower(out->data + from);
}
