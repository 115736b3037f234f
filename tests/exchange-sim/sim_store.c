/*
 * sim_store: see the header. Two maps lead from what clients write (addresses, aliases, account names) to the objects;
 * keys are lower case and live in the objects themselves.
 */
#include "sim_store.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim_zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const busy_names[] = {"free", "tentative", "busy", "oof", "none"};

struct sim_store *sim_store_new(uint64_t seed)
{
    struct sim_store *s = mem_calloc(1, sizeof(*s));
    s->by_address = map_new();
    s->by_account = map_new();
    s->domain = mem_strdup("EXAMPLE");
    s->next_id = 1;
    s->seed = seed;
    return s;
}

static void mailbox_free(struct sim_mailbox *m)
{
    for (size_t i = 0; i < m->count; i++)
        sim_item_free(&m->items[i]);
    free(m->items);
    free(m->deleted);
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        free(m->faults[i]);
    free(m->address);
    free(m->key);
    free(m->alias);
    free(m->alias_key);
    free(m->display);
    free(m->calendar);
    free(m->language);
    free(m->published);
    free(m);
}

static void account_free(struct sim_account *a)
{
    for (size_t i = 0; i < a->receive_count; i++)
        free(a->receive[i]);
    free(a->receive);
    free(a->name);
    free(a->key);
    free(a->password);
    free(a->address);
    free(a);
}

void sim_store_free(struct sim_store **s)
{
    struct sim_store *store = *s;
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->mailbox_count; i++)
        mailbox_free(store->mailboxes[i]);
    for (size_t i = 0; i < store->account_count; i++)
        account_free(store->accounts[i]);
    free(store->mailboxes);
    free(store->accounts);
    map_free(&store->by_address);
    map_free(&store->by_account);
    free(store->domain);
    free(store);
    *s = NULL;
}

/* FNV-1a, mixed with the seed: ids that look random and are the same in every run. */
static uint64_t digest(uint64_t seed, const char *text)
{
    uint64_t h = 14695981039346656037ULL ^ seed;
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211ULL;
    return h;
}

struct sim_mailbox *sim_store_add_mailbox(struct sim_store *s, const char *address)
{
    char *key = str_lower(mem_strdup(address));
    struct sim_mailbox *taken = map_get(s->by_address, key);
    if (taken != NULL && strcmp(taken->key, key) == 0) {
        free(key);
        return NULL;
    }
    struct sim_mailbox *m = mem_calloc(1, sizeof(*m));
    m->address = mem_strdup(address);
    m->key = key;
    m->calendar = mem_strdup("Calendar");
    m->language = mem_strdup("en");
    m->zone = sim_zone_utc();
    m->revision = 1;
    m->guid = digest(s->seed, key);
    map_put(s->by_address, m->key, m);
    size_t local;
    str_split(address, '@', &local);
    char *alias = mem_strndup(address, local);
    m->display = mem_strdup(alias);
    sim_store_set_alias(s, m, alias);
    free(alias);
    if (s->mailbox_count == s->mailbox_cap) {
        s->mailbox_cap = s->mailbox_cap ? s->mailbox_cap * 2 : 16;
        s->mailboxes = mem_realloc(s->mailboxes, s->mailbox_cap, sizeof(struct sim_mailbox *));
    }
    s->mailboxes[s->mailbox_count++] = m;
    return m;
}

static void forget_alias(struct sim_store *s, struct sim_mailbox *m)
{
    if (m->alias_key != NULL && strcmp(m->alias_key, m->key) != 0 && map_get(s->by_address, m->alias_key) == m)
        map_del(s->by_address, m->alias_key);
    free(m->alias);
    free(m->alias_key);
}

void sim_store_set_alias(struct sim_store *s, struct sim_mailbox *m, const char *alias)
{
    forget_alias(s, m);
    m->alias = mem_strdup(alias);
    m->alias_key = str_lower(mem_strdup(alias));
    if (map_get(s->by_address, m->alias_key) == NULL)
        map_put(s->by_address, m->alias_key, m);
}

bool sim_store_delete_mailbox(struct sim_store *s, const char *address)
{
    struct sim_mailbox *m = sim_store_mailbox(s, address);
    if (m == NULL)
        return false;
    if (map_get(s->by_address, m->alias_key) == m)
        map_del(s->by_address, m->alias_key);
    map_del(s->by_address, m->key);
    size_t i = 0;
    while (s->mailboxes[i] != m)
        i++;
    memmove(&s->mailboxes[i], &s->mailboxes[i + 1], (s->mailbox_count - i - 1) * sizeof(struct sim_mailbox *));
    s->mailbox_count--;
    mailbox_free(m);
    return true;
}

struct sim_mailbox *sim_store_mailbox(const struct sim_store *s, const char *name)
{
    char *key = str_lower(mem_strdup(name));
    struct sim_mailbox *m = map_get(s->by_address, key);
    free(key);
    return m;
}

struct sim_account *sim_store_add_account(struct sim_store *s, const char *name, const char *password)
{
    char *key = str_lower(mem_strdup(name));
    struct sim_account *a = map_get(s->by_account, key);
    if (a != NULL) {
        free(key);
        free(a->password);
        a->password = mem_strdup(password);
        return a;
    }
    a = mem_calloc(1, sizeof(*a));
    a->name = mem_strdup(name);
    a->key = key;
    a->password = mem_strdup(password);
    map_put(s->by_account, a->key, a);
    s->accounts = mem_realloc(s->accounts, s->account_count + 1, sizeof(struct sim_account *));
    s->accounts[s->account_count++] = a;
    return a;
}

void sim_store_grant(struct sim_account *a, const char *address)
{
    if (strcmp(address, "all") == 0) {
        a->receive_all = true;
        return;
    }
    a->receive = mem_realloc(a->receive, a->receive_count + 1, sizeof(char *));
    a->receive[a->receive_count++] = str_lower(mem_strdup(address));
}

static struct sim_account *account_by_name(const struct sim_store *s, const char *name)
{
    char *key = str_lower(mem_strdup(name));
    struct sim_account *a = map_get(s->by_account, key);
    free(key);
    return a;
}

struct sim_account *sim_store_account(const struct sim_store *s, const char *login)
{
    size_t len;
    const char *rest = str_split(login, '\\', &len);
    if (rest != NULL) {
        bool ours = len == strlen(s->domain) && str_starts_nocase(login, s->domain);
        return ours ? account_by_name(s, rest) : NULL;
    }
    struct sim_account *a = account_by_name(s, login);
    if (a != NULL)
        return a;
    struct sim_mailbox *m = sim_store_mailbox(s, login);
    for (size_t i = 0; m != NULL && i < s->account_count; i++)
        if (s->accounts[i]->address != NULL && strcmp(s->accounts[i]->address, m->key) == 0)
            return s->accounts[i];
    const char *at = strrchr(login, '@');
    if (at == NULL)
        return NULL;
    char *name = mem_strndup(login, (size_t)(at - login));
    a = account_by_name(s, name);
    free(name);
    return a;
}

bool sim_store_may_open(const struct sim_account *a, const struct sim_mailbox *m)
{
    if (a->receive_all || (a->address != NULL && strcmp(a->address, m->key) == 0))
        return true;
    for (size_t i = 0; i < a->receive_count; i++)
        if (strcmp(a->receive[i], m->key) == 0)
            return true;
    return false;
}

struct sim_item *sim_item_new(int64_t now)
{
    struct sim_item *item = mem_calloc(1, sizeof(*item));
    item->has_type = true;
    item->busy = SIM_BUSY;
    item->private_flag = -1;
    item->created = now;
    item->modified = now;
    item->zone = sim_zone_utc();
    item->recur.interval = 1;
    return item;
}

void sim_item_free(struct sim_item **item)
{
    if (*item == NULL)
        return;
    free((*item)->name);
    free((*item)->uid);
    free((*item)->subject);
    free((*item)->location);
    free((*item)->busy_word);
    for (size_t i = 0; i < (*item)->text_count; i++) {
        free((*item)->texts[i].name);
        free((*item)->texts[i].value);
    }
    free((*item)->texts);
    free((*item)->recur.deleted);
    free((*item)->recur.moved);
    free(*item);
    *item = NULL;
}

/* "<Subject>.EML", a second one "<Subject>-2.EML", as the server names new items. */
static char *free_name(const struct sim_mailbox *m, const char *subject)
{
    for (unsigned n = 1;; n++) {
        char *name = n == 1 ? mem_printf("%s.EML", subject) : mem_printf("%s-%u.EML", subject, n);
        if (sim_mailbox_item(m, name) == NULL)
            return name;
        free(name);
    }
}

void sim_store_add_item(struct sim_store *s, struct sim_mailbox *m, struct sim_item *item, int64_t now)
{
    item->mailbox = m;
    item->id = s->next_id++;
    if (item->subject == NULL)
        item->subject = mem_strdup("Appointment");
    if (item->location == NULL)
        item->location = mem_strdup("");
    if (item->name == NULL)
        item->name = m->count > 200 ? mem_printf("{%08X-0000-4000-8000-%012X}.EML", (unsigned)m->guid, item->id)
                                    : free_name(m, item->subject);
    if (item->uid == NULL)
        item->uid = mem_printf("040000008200E00074C5B7101A82E008%016llX%08X", (unsigned long long)m->guid, item->id);
    else if (strcmp(item->uid, "none") == 0) {
        free(item->uid);
        item->uid = NULL;
    }
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 8;
        m->items = mem_realloc(m->items, m->cap, sizeof(struct sim_item *));
    }
    m->items[m->count++] = item;
    sim_store_touch(item, now);
}

void sim_store_touch(struct sim_item *item, int64_t now)
{
    item->version++;
    item->modified = now;
    item->revision = ++item->mailbox->revision;
    if (item->first_revision == 0)
        item->first_revision = item->revision;
    item->mailbox->changed_at = now;
}

void sim_store_delete_item(struct sim_store *s, struct sim_item *item, int64_t now)
{
    (void)s;
    struct sim_mailbox *m = item->mailbox;
    size_t i = 0;
    while (m->items[i] != item)
        i++;
    memmove(&m->items[i], &m->items[i + 1], (m->count - i - 1) * sizeof(struct sim_item *));
    m->count--;
    m->revision++;
    m->changed_at = now;
    m->deleted = mem_realloc(m->deleted, m->deleted_count + 1, sizeof(*m->deleted));
    m->deleted[m->deleted_count++] = (struct sim_deleted){item->id, item->first_revision, m->revision};
    sim_item_free(&item);
}

struct sim_item *sim_store_item(const struct sim_store *s, unsigned id)
{
    for (size_t i = 0; i < s->mailbox_count; i++)
        for (size_t k = 0; k < s->mailboxes[i]->count; k++)
            if (s->mailboxes[i]->items[k]->id == id)
                return s->mailboxes[i]->items[k];
    return NULL;
}

struct sim_item *sim_mailbox_item(const struct sim_mailbox *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++)
        if (str_eq_nocase(m->items[i]->name, name))
            return m->items[i];
    return NULL;
}

const char *sim_busy_name(enum sim_busy busy)
{
    return busy_names[busy];
}

bool sim_busy_parse(const char *text, enum sim_busy *ret)
{
    for (unsigned i = 0; i < sizeof(busy_names) / sizeof(busy_names[0]); i++) {
        if (str_eq_nocase(text, busy_names[i])) {
            *ret = (enum sim_busy)i;
            return true;
        }
    }
    return false;
}
