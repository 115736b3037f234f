/*
 * sim_file_item: what the name=value pairs of an appointment mean. A table of setters, applied in the table's order
 * whatever the order of the pairs: zone, start and end come first, because the others count from them.
 */
#include "base/mem.h"
#include "base/str.h"
#include "sim_file.h"
#include "sim_recur.h"
#include "sim_store.h"
#include "sim_when.h"
#include "sim_zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct setting {
    const struct sim_file *file;
    struct sim_item *item;
};

typedef bool set_fn(const struct setting *s, const char *value);

static bool when(const struct setting *s, const char *text, const int64_t *start, int64_t *ret)
{
    struct sim_when w = {s->file->now, s->item->zone, start};
    return sim_when_parse(&w, text, ret);
}

static bool set_zone(const struct setting *s, const char *value)
{
    const struct sim_zone *zone = sim_zone_find(value);
    if (zone != NULL)
        s->item->zone = zone;
    return zone != NULL;
}

/* A start that moves takes the end along. */
static bool set_start(const struct setting *s, const char *value)
{
    int64_t start;
    if (!when(s, value, NULL, &start))
        return false;
    s->item->end += start - s->item->start;
    s->item->start = start;
    return true;
}

/* "none" makes the damaged item that has no end. */
static bool set_end(const struct setting *s, const char *value)
{
    s->item->has_end = strcmp(value, "none") != 0;
    return !s->item->has_end || when(s, value, &s->item->start, &s->item->end);
}

static bool set_busy(const struct setting *s, const char *value)
{
    return sim_busy_parse(value, &s->item->busy);
}

static void replace(char **slot, const char *value)
{
    free(*slot);
    *slot = mem_strdup(value);
}

static bool set_busy_word(const struct setting *s, const char *value)
{
    replace(&s->item->busy_word, value);
    return true;
}

static bool set_subject(const struct setting *s, const char *value)
{
    replace(&s->item->subject, value);
    return true;
}

static bool set_location(const struct setting *s, const char *value)
{
    replace(&s->item->location, value);
    return true;
}

static bool set_uid(const struct setting *s, const char *value)
{
    replace(&s->item->uid, value);
    return true;
}

static bool set_name(const struct setting *s, const char *value)
{
    replace(&s->item->name, value);
    return true;
}

static bool flag(const char *value, bool *ret)
{
    *ret = str_eq_nocase(value, "yes") || str_eq_nocase(value, "true") || str_eq_nocase(value, "on");
    return *ret || str_eq_nocase(value, "no") || str_eq_nocase(value, "false") || str_eq_nocase(value, "off");
}

static bool set_all_day(const struct setting *s, const char *value)
{
    return flag(value, &s->item->all_day);
}

static bool set_private(const struct setting *s, const char *value)
{
    bool on;
    if (!flag(value, &on))
        return false;
    s->item->sensitivity = on ? 2 : 0;
    s->item->private_flag = on;
    return true;
}

static bool set_sensitivity(const struct setting *s, const char *value)
{
    int64_t n;
    if (!str_to_int(value, 0, 3, &n))
        return false;
    s->item->sensitivity = (int)n;
    return true;
}

/* As Outlook does, a cancelled meeting is free unless a `busy` behind it says otherwise. */
static bool set_cancelled(const struct setting *s, const char *value)
{
    bool ok = flag(value, &s->item->cancelled);
    if (s->item->cancelled) {
        s->item->meeting = true;
        s->item->busy = SIM_FREE;
    }
    return ok;
}

static bool set_meeting(const struct setting *s, const char *value)
{
    return flag(value, &s->item->meeting);
}

static bool set_response(const struct setting *s, const char *value)
{
    static const char *const names[] = {"none", "organized", "tentative", "accepted", "declined", "unanswered"};
    for (int i = 0; i < 6; i++) {
        if (strcmp(value, names[i]) != 0)
            continue;
        s->item->response = i;
        s->item->meeting = i != 0;
        if (i == 2 || i == 5)
            s->item->busy = SIM_TENTATIVE;
        return true;
    }
    return false;
}

static bool set_type(const struct setting *s, const char *value)
{
    s->item->has_type = strcmp(value, "none") != 0;
    return !s->item->has_type || strcmp(value, "usual") == 0;
}

static bool set_every(const struct setting *s, const char *value)
{
    static const char *const names[] = {"once", "day", "week", "month", "year"};
    for (unsigned i = 0; i < 5; i++) {
        if (strcmp(value, names[i]) != 0)
            continue;
        s->item->recur.freq = (enum sim_freq)i;
        return true;
    }
    return false;
}

static bool number(const char *value, int64_t min, int *ret)
{
    int64_t n;
    if (!str_to_int(value, min, 100000, &n))
        return false;
    *ret = (int)n;
    return true;
}

static bool set_interval(const struct setting *s, const char *value)
{
    return number(value, 1, &s->item->recur.interval);
}

static bool set_count(const struct setting *s, const char *value)
{
    return number(value, 1, &s->item->recur.count);
}

static bool set_nth(const struct setting *s, const char *value)
{
    return number(value, 1, &s->item->recur.nth) && s->item->recur.nth <= 5;
}

static bool set_until(const struct setting *s, const char *value)
{
    return when(s, value, &s->item->start, &s->item->recur.until);
}

static bool set_days(const struct setting *s, const char *value)
{
    static const char names[] = "su,mo,tu,we,th,fr,sa";
    s->item->recur.days = 0;
    for (const char *p = value; p != NULL;) {
        size_t len;
        const char *rest = str_split(p, ',', &len);
        char *one = mem_strndup(p, len);
        const char *hit = len == 2 ? strstr(names, one) : NULL;
        free(one);
        if (hit == NULL)
            return false;
        s->item->recur.days |= 1u << (hit - names) / 3;
        p = rest;
    }
    return true;
}

/* deleted=ID[,ID...] */
static bool set_deleted(const struct setting *s, const char *value)
{
    struct sim_recur *r = &s->item->recur;
    for (const char *p = value; p != NULL;) {
        size_t len;
        const char *rest = str_split(p, ',', &len);
        char *one = mem_strndup(p, len);
        int64_t id;
        bool ok = when(s, one, &s->item->start, &id);
        free(one);
        if (!ok)
            return false;
        r->deleted = mem_realloc(r->deleted, r->deleted_count + 1, sizeof(int64_t));
        r->deleted[r->deleted_count++] = id;
        p = rest;
    }
    return true;
}

/* moved=ID>START>END[>STATUS] */
static bool set_moved(const struct setting *s, const char *value)
{
    struct sim_moved m = {0, 0, 0, -1};
    char *copy = mem_strdup(value), *save = NULL, *part[4];
    for (int i = 0; i < 4; i++)
        part[i] = strtok_r(i == 0 ? copy : NULL, ">", &save);
    enum sim_busy busy = SIM_BUSY;
    bool ok = part[2] != NULL && when(s, part[0], &s->item->start, &m.id) &&
              when(s, part[1], &s->item->start, &m.start) && when(s, part[2], &m.start, &m.end) &&
              (part[3] == NULL || sim_busy_parse(part[3], &busy));
    if (part[3] != NULL)
        m.busy = busy;
    free(copy);
    if (!ok)
        return false;
    struct sim_recur *r = &s->item->recur;
    r->moved = mem_realloc(r->moved, r->moved_count + 1, sizeof(struct sim_moved));
    r->moved[r->moved_count++] = m;
    return true;
}

static bool set_created(const struct setting *s, const char *value)
{
    return when(s, value, &s->item->start, &s->item->created);
}

/* FULL-NAME=TEXT, as of "urn:schemas:httpmail:textdescription": whatever else the item has. */
static void add_text(struct sim_item *item, const char *name, const char *value)
{
    item->texts = mem_realloc(item->texts, item->text_count + 1, sizeof(*item->texts));
    item->texts[item->text_count++] = (struct sim_text){mem_strdup(name), mem_strdup(value)};
}

static bool is_property(const struct sim_pair *p)
{
    return strchr(p->key, ':') != NULL && p->value != NULL;
}

static const struct {
    const char *key;
    set_fn *fn;
    bool or_yes; /* may stand without a value */
} settings[] = {
    {"zone", set_zone, false},         {"start", set_start, false},        {"end", set_end, false},
    {"all-day", set_all_day, true},    {"cancelled", set_cancelled, true}, {"meeting", set_meeting, true},
    {"response", set_response, false}, {"busy", set_busy, false},          {"busy-word", set_busy_word, false},
    {"subject", set_subject, false},   {"location", set_location, false},  {"uid", set_uid, false},
    {"name", set_name, false},         {"private", set_private, true},     {"sensitivity", set_sensitivity, false},
    {"type", set_type, false},         {"every", set_every, false},        {"interval", set_interval, false},
    {"count", set_count, false},       {"until", set_until, false},        {"days", set_days, false},
    {"nth", set_nth, false},           {"deleted", set_deleted, false},    {"moved", set_moved, false},
    {"created", set_created, false},
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static bool set_pair(const struct setting *s, size_t i, const struct sim_pair *p, char *why, size_t why_size)
{
    const char *value = p->value != NULL ? p->value : settings[i].or_yes ? "yes" : "";
    if (settings[i].fn(s, value))
        return true;
    snprintf(why, why_size, "appointment: %s cannot be '%s'", p->key, value);
    return false;
}

static bool known(const struct sim_pair *p, char *why, size_t why_size)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].key, p->key) == 0)
            return true;
    snprintf(why, why_size, "appointment has no '%s'", p->key);
    return is_property(p);
}

/* Settings are applied in the order of the table, so a `busy` wins over what `response` or `cancelled` would imply. */
bool sim_file_item(const struct sim_file *f, struct sim_mailbox *m, struct sim_item *item, const struct sim_pair *pairs,
                   size_t n, char *why, size_t why_size)
{
    struct setting s = {f, item};
    if (item->mailbox == NULL)
        item->zone = m->zone;
    for (size_t k = 0; k < n; k++)
        if (!known(&pairs[k], why, why_size))
            return false;
    for (size_t i = 0; i < SETTINGS; i++)
        for (size_t k = 0; k < n; k++)
            if (strcmp(settings[i].key, pairs[k].key) == 0 && !set_pair(&s, i, &pairs[k], why, why_size))
                return false;
    for (size_t k = 0; k < n; k++)
        if (is_property(&pairs[k]))
            add_text(item, pairs[k].key, pairs[k].value);
    if (item->has_end && item->recur.freq != SIM_ONCE && item->end < item->start) {
        snprintf(why, why_size, "appointment: a series cannot end before it starts");
        return false;
    }
    return true;
}
