/*
 * caldav_store: the memory of a CalDAV session: per person the calendars with their tokens, and each calendar object
 * as its ETag and the lines that decide (ical_compact.c). Of events that are over only name and ETag stay, 40 bytes.
 * Zone definitions, which come with every event and are the same for all of them, are kept once.
 *
 * Bounded: each person, all persons of a session together (who was asked about longest ago is forgotten first, and
 * simply read again), and the zones. Everything here can be lost at any time at the cost of a request.
 */
#include "caldav_store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

#define STORE_MAX (256U * 1024 * 1024)
#define PERSON_MAX (16U * 1024 * 1024)
#define ZONES_MAX 4096
#define ZONE_BYTES_MAX (4U * 1024 * 1024)
#define SELF_S 86400
#define IDLE_S (2 * 86400) /* who is not asked about any more */

struct dav_person {
    TAILQ_ENTRY(dav_person) entry;
    char *key;
    struct dav_kept *calendars;
    int64_t used_at;
    size_t bytes; /* as counted in the store */
    bool open;
    bool stranger; /* not in the store */
};
TAILQ_HEAD(person_list, dav_person);

struct zone {
    char *text;
    int number;
};

struct dav_store {
    struct map *persons;
    struct person_list by_age; /* oldest use first */
    size_t bytes;
    struct map *zone_numbers;
    struct zone *zones[ZONES_MAX];
    int zone_count;
    size_t zone_bytes;
    char *self, *collections;
    int64_t self_at;
};

static int zone_number(struct dav_store *store, const char *text, size_t len);
static void person_free(struct dav_person *person);
static void kept_free(struct dav_kept *kept);
static size_t person_bytes(const struct dav_person *person);
static void prune(struct dav_person *person);
static void evict(struct dav_store *store, int64_t now);
static int compare_resources(const void *a, const void *b);

struct dav_store *dav_store_new(void)
{
    struct dav_store *store = mem_calloc(1, sizeof(*store));

    store->persons = map_new();
    store->zone_numbers = map_new();
    TAILQ_INIT(&store->by_age);
    return store;
}

void dav_store_free(struct dav_store *store)
{
    struct dav_person *person;

    while ((person = TAILQ_FIRST(&store->by_age)) != NULL) {
        TAILQ_REMOVE(&store->by_age, person, entry);
        person_free(person);
    }
    for (int i = 0; i < store->zone_count; i++) {
        free(store->zones[i]->text);
        free(store->zones[i]);
    }
    free(store->self);
    free(store->collections);
    map_free(&store->persons);
    map_free(&store->zone_numbers);
    free(store);
}

struct dav_person *dav_store_open(struct dav_store *store, const char *key, int64_t now)
{
    struct dav_person *person = map_get(store->persons, key);
    bool stranger = person != NULL && person->open;

    if (person == NULL || stranger) {
        person = mem_calloc(1, sizeof(*person));
        person->key = mem_strdup(key);
        person->stranger = stranger;
        if (!stranger)
            map_put(store->persons, person->key, person);
    } else {
        TAILQ_REMOVE(&store->by_age, person, entry);
    }
    if (!stranger)
        TAILQ_INSERT_TAIL(&store->by_age, person, entry);
    person->open = true;
    person->used_at = now;
    for (struct dav_kept *k = person->calendars; k != NULL; k = k->next)
        k->used = false;
    return person;
}

void dav_store_close(struct dav_store *store, struct dav_person **personp, bool good)
{
    struct dav_person *person = *personp;
    int64_t now;

    *personp = NULL;
    if (person == NULL)
        return;
    if (person->stranger) {
        person_free(person);
        return;
    }
    if (good)
        prune(person);
    for (struct dav_kept *k = person->calendars; k != NULL; k = k->next)
        dav_kept_settle(k);
    person->open = false;
    store->bytes -= person->bytes;
    person->bytes = person_bytes(person);
    store->bytes += person->bytes;
    now = person->used_at;
    evict(store, now);
}

bool dav_person_is_full(const struct dav_person *person)
{
    return person_bytes(person) > PERSON_MAX;
}

struct dav_kept *dav_person_calendar(struct dav_person *person, const char *path, int64_t from)
{
    struct dav_kept *kept = person->calendars;

    while (kept != NULL && strcmp(kept->path, path) != 0)
        kept = kept->next;
    if (kept == NULL) {
        kept = mem_calloc(1, sizeof(*kept));
        kept->path = mem_strdup(path);
        kept->from = INT64_MIN;
        kept->next = person->calendars;
        person->calendars = kept;
    }
    if (kept->from > from)
        dav_kept_clear(kept);
    kept->used = true;
    return kept;
}

struct dav_resource *dav_kept_find(struct dav_kept *kept, uint64_t name)
{
    struct dav_resource key = {.name = name};
    size_t sorted = kept->count - kept->added;

    return sorted == 0 ? NULL : bsearch(&key, kept->resources, sorted, sizeof(key), compare_resources);
}

void dav_kept_put(struct dav_kept *kept, uint64_t name, uint64_t etag, const char *text, size_t len, bool unreadable)
{
    struct dav_resource *r = dav_kept_find(kept, name);

    if (r == NULL) {
        if (kept->count == kept->cap) {
            kept->cap = kept->cap == 0 ? 16 : kept->cap + kept->cap / 2;
            kept->resources = mem_realloc(kept->resources, kept->cap, sizeof(*r));
        }
        r = &kept->resources[kept->count++];
        kept->added++;
        memset(r, 0, sizeof(*r));
        r->name = name;
        kept->bytes += sizeof(*r);
    }
    kept->bytes -= r->len;
    free(r->text);
    r->text = len > 0 ? memcpy(mem_calloc(len + 1, 1), text, len) : NULL;
    r->len = (uint32_t)len;
    r->etag = etag;
    r->round = kept->round;
    r->unreadable = unreadable;
    r->doubted = false;
    kept->bytes += len;
}

void dav_kept_settle(struct dav_kept *kept)
{
    size_t left = 0;

    if (kept->added == 0)
        return;
    qsort(kept->resources, kept->count, sizeof(*kept->resources), compare_resources);
    for (size_t i = 0; i < kept->count; i++) { /* a name that was put twice */
        if (left > 0 && kept->resources[left - 1].name == kept->resources[i].name) {
            kept->bytes -= kept->resources[i].len + sizeof(*kept->resources);
            free(kept->resources[i].text);
        } else {
            kept->resources[left++] = kept->resources[i];
        }
    }
    kept->count = left;
    kept->added = 0;
}

void dav_kept_remove(struct dav_kept *kept, uint64_t name)
{
    struct dav_resource *r = dav_kept_find(kept, name);

    if (r == NULL)
        return;
    kept->bytes -= r->len + sizeof(*r);
    free(r->text);
    memmove(r, r + 1, (size_t)(kept->resources + kept->count - r - 1) * sizeof(*r));
    kept->count--;
}

void dav_kept_sweep(struct dav_kept *kept)
{
    size_t left = 0;

    dav_kept_settle(kept);
    for (size_t i = 0; i < kept->count; i++) {
        if (kept->resources[i].round == kept->round) {
            kept->resources[left++] = kept->resources[i];
        } else {
            kept->bytes -= kept->resources[i].len + sizeof(*kept->resources);
            free(kept->resources[i].text);
        }
    }
    kept->count = left;
}

void dav_kept_clear(struct dav_kept *kept)
{
    for (size_t i = 0; i < kept->count; i++)
        free(kept->resources[i].text);
    kept->count = 0;
    kept->added = 0;
    kept->bytes = 0;
    kept->from = INT64_MIN;
    kept->complete = false;
    dav_kept_set(&kept->token, NULL);
    dav_kept_set(&kept->poll_token, NULL);
    dav_kept_set(&kept->poll_ctag, NULL);
}

void dav_kept_set(char **text, const char *value)
{
    char *copy = value != NULL && value[0] != '\0' ? mem_strdup(value) : NULL;

    free(*text);
    *text = copy;
}

void dav_store_begin(struct dav_store *store, struct dav_compacted *compacted, size_t max)
{
    compacted->store = store;
    buf_init(&compacted->events, max);
    buf_init(&compacted->zones, max + 4096);
}

bool dav_store_on_zone(void *arg, const char *text, size_t len)
{
    struct dav_compacted *compacted = arg;
    int number = zone_number(compacted->store, text, len);

    return number >= 0 && buf_addf(&compacted->zones, "%s%d", compacted->zones.len > 0 ? "," : "", number);
}

void dav_store_put(struct dav_compacted *compacted, struct dav_kept *kept, uint64_t name, uint64_t etag)
{
    if (compacted->events.len > 0) {
        buf_addc(&compacted->zones, '\n');
        buf_add(&compacted->zones, compacted->events.data, compacted->events.len);
    } else {
        buf_reset(&compacted->zones);
    }
    dav_kept_put(kept, name, etag, compacted->zones.data, compacted->zones.len, compacted->zones.failed);
}

void dav_store_end(struct dav_compacted *compacted)
{
    buf_free(&compacted->events);
    buf_free(&compacted->zones);
}

bool dav_store_compose(const struct dav_store *store, const struct dav_resource *resource, struct buf *out)
{
    const char *at = resource->text, *end = resource->text + resource->len;

    buf_reset(out);
    buf_adds(out, "BEGIN:VCALENDAR\r\n");
    while (at < end && *at != '\n') {
        char *after;
        long number = strtol(at, &after, 10);

        if (after == at || number < 0 || number >= store->zone_count)
            return false;
        buf_adds(out, store->zones[number]->text);
        at = after + (*after == ',');
    }
    if (at < end)
        buf_add(out, at + 1, (size_t)(end - at - 1));
    return buf_adds(out, "END:VCALENDAR\r\n") && !out->failed;
}

const char *dav_store_self(const struct dav_store *store, int64_t now, const char **ret_collections)
{
    *ret_collections = store->collections;
    return store->self != NULL && now < store->self_at + SELF_S ? store->self : NULL;
}

void dav_store_set_self(struct dav_store *store, int64_t now, const char *self, const char *collections)
{
    dav_kept_set(&store->self, self);
    dav_kept_set(&store->collections, collections);
    store->self_at = now;
}

uint64_t dav_store_hash(const char *text, size_t len)
{
    uint64_t h = 14695981039346656037U;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211U;
    return h != 0 ? h : 1;
}

/* The number under which a zone's definition is kept, once for everybody; -1: no room. */
static int zone_number(struct dav_store *store, const char *text, size_t len)
{
    char *copy;
    struct zone *zone;

    if (memchr(text, '\0', len) != NULL)
        return -1;
    copy = mem_strndup(text, len);
    zone = map_get(store->zone_numbers, copy);
    if (zone == NULL && store->zone_count < ZONES_MAX && store->zone_bytes + len <= ZONE_BYTES_MAX) {
        zone = mem_calloc(1, sizeof(*zone));
        zone->text = copy;
        zone->number = store->zone_count;
        store->zones[store->zone_count++] = zone;
        store->zone_bytes += len;
        map_put(store->zone_numbers, zone->text, zone);
    } else {
        free(copy);
    }
    return zone != NULL ? zone->number : -1;
}

static void person_free(struct dav_person *person)
{
    while (person->calendars != NULL) {
        struct dav_kept *kept = person->calendars;

        person->calendars = kept->next;
        kept_free(kept);
    }
    free(person->key);
    free(person);
}

static void kept_free(struct dav_kept *kept)
{
    dav_kept_clear(kept);
    free(kept->resources);
    free(kept->path);
    free(kept);
}

static size_t person_bytes(const struct dav_person *person)
{
    size_t sum = sizeof(*person);

    for (const struct dav_kept *k = person->calendars; k != NULL; k = k->next)
        sum += sizeof(*k) + k->bytes;
    return sum;
}

/* Calendars that are there no more. */
static void prune(struct dav_person *person)
{
    for (struct dav_kept **at = &person->calendars; *at != NULL;) {
        struct dav_kept *kept = *at;

        if (kept->used) {
            at = &kept->next;
        } else {
            *at = kept->next;
            kept_free(kept);
        }
    }
}

static void evict(struct dav_store *store, int64_t now)
{
    struct dav_person *person, *next;

    for (person = TAILQ_FIRST(&store->by_age); person != NULL; person = next) {
        next = TAILQ_NEXT(person, entry);
        if (store->bytes <= STORE_MAX && person->used_at > now - IDLE_S)
            return;
        if (person->open)
            continue;
        TAILQ_REMOVE(&store->by_age, person, entry);
        map_del(store->persons, person->key);
        store->bytes -= person->bytes;
        person_free(person);
    }
}

static int compare_resources(const void *a, const void *b)
{
    const struct dav_resource *x = a, *y = b;

    return x->name < y->name ? -1 : x->name > y->name;
}
