/*
 * sim_control_data: mailboxes and appointments over the control interface. JSON members are the names of the data file;
 * an array stands for the name written several times.
 */
#include "base/httpd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utc.h"
#include "sim.h"
#include "sim_control.h"
#include "sim_file.h"
#include "sim_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 256

struct pairs {
    struct sim_pair pair[PAIRS_MAX];
    char *owned[PAIRS_MAX]; /* numbers as text */
    size_t count, owned_count;
};

static void pairs_free(struct pairs *p)
{
    for (size_t i = 0; i < p->owned_count; i++)
        free(p->owned[i]);
}

static void add_pair(struct pairs *p, const char *key, const struct jv *value)
{
    if (p->count == PAIRS_MAX)
        return;
    const char *text = jv_str(value, NULL);
    if (jv_is_array(value)) {
        for (size_t i = 0; i < jv_count(value); i++)
            add_pair(p, key, jv_at(value, i));
        return;
    }
    if (text == NULL && jv_num(value, INT64_MIN) != INT64_MIN)
        text = p->owned[p->owned_count++] = mem_printf("%lld", (long long)jv_num(value, 0));
    else if (text == NULL)
        text = jv_truth(value, false) ? "yes" : "no";
    p->pair[p->count++] = (struct sim_pair){key, text};
}

/* All members but the one that says whose it is. */
static void take_pairs(struct pairs *p, const struct jv *in, const char *but)
{
    const char *key;
    struct jv *value;
    memset(p, 0, sizeof(*p));
    for (size_t pos = 0; jv_next(in, &pos, &key, &value);)
        if (strcmp(key, but) != 0)
            add_pair(p, key, value);
}

static struct jv *mailbox_json(const struct sim_mailbox *m)
{
    struct jv *v = jv_object();
    jv_set_str(v, "address", m->address);
    jv_set_str(v, "alias", m->alias);
    jv_set_str(v, "name", m->display);
    jv_set_str(v, "calendar", m->calendar);
    jv_set_int(v, "appointments", (int64_t)m->count);
    jv_set_int(v, "revision", m->revision);
    return v;
}

static struct jv *item_json(const struct sim_item *item)
{
    static const char *const freqs[] = {"once", "day", "week", "month", "year"};
    char text[UTC_TEXT_MAX];
    struct jv *v = jv_object();
    jv_set_int(v, "id", item->id);
    jv_set_str(v, "mailbox", item->mailbox->address);
    jv_set_str(v, "name", item->name);
    jv_set_str(v, "start", utc_rfc3339(item->start, text));
    jv_set_str(v, "end", item->has_end ? utc_rfc3339(item->end, text) : NULL);
    jv_set_str(v, "busy", sim_busy_name(item->busy));
    jv_set_str(v, "every", freqs[item->recur.freq]);
    jv_set_bool(v, "all-day", item->all_day);
    jv_set_bool(v, "cancelled", item->cancelled);
    return v;
}

struct jv *sim_control_get_mailboxes(struct sim_control *c)
{
    struct jv *list = jv_array(), *out = jv_object();
    for (size_t i = 0; i < c->sim->store->mailbox_count; i++)
        jv_add(list, mailbox_json(c->sim->store->mailboxes[i]));
    return jv_set(out, "mailboxes", list);
}

struct jv *sim_control_post_mailbox(struct sim_control *c)
{
    const char *address = jv_str(jv_get(c->in, "address"), NULL);
    struct sim_mailbox *m = address != NULL ? sim_store_add_mailbox(c->sim->store, address) : NULL;
    if (m == NULL)
        return sim_control_fail(c, 409, "no address, or there is such a mailbox already");
    struct pairs p;
    char why[200];
    struct sim_file file = sim_control_file(c);
    take_pairs(&p, c->in, "address");
    bool ok = sim_file_mailbox(&file, m, p.pair, p.count, why, sizeof(why));
    pairs_free(&p);
    if (ok)
        return mailbox_json(m);
    sim_store_delete_mailbox(c->sim->store, m->key);
    return sim_control_fail(c, 400, why);
}

static struct sim_mailbox *query_mailbox(struct sim_control *c)
{
    const char *address = httpd_param(c->req, "mailbox", 0, NULL);
    return address != NULL ? sim_store_mailbox(c->sim->store, address) : NULL;
}

struct jv *sim_control_delete_mailbox(struct sim_control *c)
{
    struct sim_mailbox *m = query_mailbox(c);
    if (m == NULL)
        return sim_control_fail(c, 404, "no such mailbox");
    struct jv *v = mailbox_json(m);
    sim_store_delete_mailbox(c->sim->store, m->key);
    return v;
}

struct jv *sim_control_get_appointments(struct sim_control *c)
{
    struct sim_mailbox *only = query_mailbox(c);
    if (only == NULL && httpd_param(c->req, "mailbox", 0, NULL) != NULL)
        return sim_control_fail(c, 404, "no such mailbox");
    struct jv *list = jv_array(), *out = jv_object();
    for (size_t i = 0; i < c->sim->store->mailbox_count; i++) {
        const struct sim_mailbox *m = c->sim->store->mailboxes[i];
        for (size_t k = 0; k < m->count && (only == NULL || only == m); k++)
            jv_add(list, item_json(m->items[k]));
    }
    return jv_set(out, "appointments", list);
}

struct jv *sim_control_post_appointment(struct sim_control *c)
{
    const char *address = jv_str(jv_get(c->in, "mailbox"), "");
    struct sim_mailbox *m = sim_store_mailbox(c->sim->store, address);
    if (m == NULL)
        return sim_control_fail(c, 404, "no such mailbox");
    if (jv_get(c->in, "start") == NULL || jv_get(c->in, "end") == NULL)
        return sim_control_fail(c, 400, "start and end are expected");
    struct pairs p;
    char why[200];
    struct sim_file file = sim_control_file(c);
    struct sim_item *item = sim_item_new(file.now);
    take_pairs(&p, c->in, "mailbox");
    bool ok = sim_file_item(&file, m, item, p.pair, p.count, why, sizeof(why));
    pairs_free(&p);
    if (!ok) {
        sim_item_free(&item);
        return sim_control_fail(c, 400, why);
    }
    sim_store_add_item(c->sim->store, m, item, file.now);
    return item_json(item);
}

struct jv *sim_control_patch_appointment(struct sim_control *c)
{
    struct sim_item *item = sim_store_item(c->sim->store, c->id);
    if (item == NULL)
        return sim_control_fail(c, 404, "no such appointment");
    struct pairs p;
    char why[200];
    struct sim_file file = sim_control_file(c);
    take_pairs(&p, c->in, "mailbox");
    bool ok = sim_file_item(&file, item->mailbox, item, p.pair, p.count, why, sizeof(why));
    pairs_free(&p);
    sim_store_touch(item, file.now);
    return ok ? item_json(item) : sim_control_fail(c, 400, why);
}

struct jv *sim_control_delete_appointment(struct sim_control *c)
{
    struct sim_item *item = sim_store_item(c->sim->store, c->id);
    if (item == NULL)
        return sim_control_fail(c, 404, "no such appointment");
    struct jv *v = item_json(item);
    sim_store_delete_item(c->sim->store, item, sim_now(c->sim));
    return v;
}
