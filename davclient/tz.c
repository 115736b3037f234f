/*
 * tz: what a wall clock time means. A zone is a sorted list of changes, each with the offset before and after it; both
 * directions are one binary search. The names come from the system's zone files (package tzdata), which are read here
 * and not through libical: libical answers one offset for a local time, and at a change of clocks one needs both.
 *
 * struct dav_tz is one zone; struct dav_zones keeps those already read, because a poll meets the same few names again
 * and again. Definitions (VTIMEZONE) are turned into zones by ical_zone.c and kept here too.
 */
#include "tz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define ZONEINFO "/usr/share/zoneinfo"
#define FILE_MAX 65536
#define NAME_MAX_LEN 64
#define DEFINED_MAX 256
#define CHANGES_MAX 20000
#define FIRST_KNOWN (-2208988800) /* 1900 */
#define LAST_KNOWN 5680281600     /* 2150 */

struct change {
    int64_t at;
    int before, after;
};

struct dav_tz {
    char *name;
    struct change *changes;
    size_t count, cap;
    int offset_s; /* before the first change */
    dav_tz_fill_fn *fill;
    void *arg;
    void (*free_arg)(void *arg);
    int64_t known_from, known_until; /* only with fill */
};

struct named {
    char *name;
    struct dav_tz *tz; /* NULL: looked for and not there */
};

struct dav_zones {
    struct map *named;   /* name -> struct named */
    struct map *defined; /* definition -> struct named */
    struct dav_tz *utc;
};

static void know(struct dav_tz *tz, int64_t t);
static struct dav_tz *load_any(const char *name);
static struct dav_tz *load_file(const char *name);
static bool is_plain_name(const char *name);
static void named_put(struct map *map, const char *name, struct dav_tz *tz);
static void named_clear(struct map *map);

struct dav_tz *dav_tz_new(int offset_s, dav_tz_fill_fn *fill, void *arg, void (*free_arg)(void *arg))
{
    struct dav_tz *tz = mem_calloc(1, sizeof(*tz));

    tz->offset_s = offset_s;
    tz->fill = fill;
    tz->arg = arg;
    tz->free_arg = free_arg;
    tz->known_from = INT64_MAX;
    tz->known_until = INT64_MIN;
    return tz;
}

void dav_tz_free(struct dav_tz **tz)
{
    if (*tz == NULL)
        return;
    if ((*tz)->free_arg != NULL)
        (*tz)->free_arg((*tz)->arg);
    free((*tz)->name);
    free((*tz)->changes);
    free(*tz);
    *tz = NULL;
}

void dav_tz_set_name(struct dav_tz *tz, const char *name)
{
    free(tz->name);
    tz->name = mem_strdup(name);
}

const char *dav_tz_name(const struct dav_tz *tz)
{
    return tz->name != NULL ? tz->name : "";
}

void dav_tz_restart(struct dav_tz *tz, int offset_s)
{
    tz->offset_s = offset_s;
    tz->count = 0;
}

void dav_tz_add(struct dav_tz *tz, int64_t at, int offset_s)
{
    int before = tz->count > 0 ? tz->changes[tz->count - 1].after : tz->offset_s;

    if (before == offset_s || tz->count >= CHANGES_MAX)
        return;
    if (tz->count == tz->cap) {
        tz->cap = tz->cap == 0 ? 16 : tz->cap * 2;
        tz->changes = mem_realloc(tz->changes, tz->cap, sizeof(*tz->changes));
    }
    tz->changes[tz->count++] = (struct change){.at = at, .before = before, .after = offset_s};
}

/*
 * The last change that the old clock had reached decides. In a gap (clocks go forward) the new clock has not reached
 * the time yet, so the old offset holds; in a fold the first of both readings lies before the change by the old clock.
 */
int64_t dav_tz_to_utc(struct dav_tz *tz, int64_t local)
{
    size_t low = 0, high;
    const struct change *c;

    know(tz, local);
    high = tz->count;
    while (low < high) {
        size_t mid = (low + high) / 2;

        if (tz->changes[mid].at + tz->changes[mid].before <= local)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return local - tz->offset_s;
    c = &tz->changes[low - 1];
    if (c->after > c->before && local < c->at + c->after)
        return local - c->before;
    return local - c->after;
}

int64_t dav_tz_to_local(struct dav_tz *tz, int64_t utc)
{
    size_t low = 0, high;

    know(tz, utc);
    high = tz->count;
    while (low < high) {
        size_t mid = (low + high) / 2;

        if (tz->changes[mid].at <= utc)
            low = mid + 1;
        else
            high = mid;
    }
    return utc + (low == 0 ? tz->offset_s : tz->changes[low - 1].after);
}

struct dav_zones *dav_zones_new(void)
{
    struct dav_zones *zones = mem_calloc(1, sizeof(*zones));

    zones->named = map_new();
    zones->defined = map_new();
    zones->utc = dav_tz_new(0, NULL, NULL, NULL);
    return zones;
}

void dav_zones_free(struct dav_zones **zones)
{
    if (*zones == NULL)
        return;
    named_clear((*zones)->named);
    named_clear((*zones)->defined);
    map_free(&(*zones)->named);
    map_free(&(*zones)->defined);
    dav_tz_free(&(*zones)->utc);
    free(*zones);
    *zones = NULL;
}

struct dav_tz *dav_zones_utc(struct dav_zones *zones)
{
    return zones->utc;
}

struct dav_tz *dav_zones_find(struct dav_zones *zones, const char *name)
{
    struct named *known;
    struct dav_tz *tz;

    if (name[0] == '\0' || strlen(name) > NAME_MAX_LEN)
        return NULL;
    if (str_eq_nocase(name, "UTC") || str_eq_nocase(name, "GMT") || strcmp(name, "Z") == 0)
        return zones->utc;
    known = map_get(zones->named, name);
    if (known != NULL)
        return known->tz;
    tz = load_any(name);
    if (map_count(zones->named) < 2048) /* a stranger may invent names without end */
        named_put(zones->named, name, tz);
    else if (tz != NULL)
        dav_tz_free(&tz);
    return tz;
}

struct dav_tz *dav_zones_defined(struct dav_zones *zones, const char *definition)
{
    struct named *known = map_get(zones->defined, definition);

    return known != NULL ? known->tz : NULL;
}

void dav_zones_define(struct dav_zones *zones, const char *definition, struct dav_tz *tz)
{
    named_put(zones->defined, definition, tz);
}

void dav_zones_trim(struct dav_zones *zones)
{
    if (map_count(zones->defined) <= DEFINED_MAX)
        return;
    named_clear(zones->defined);
    map_free(&zones->defined);
    zones->defined = map_new();
}

static void know(struct dav_tz *tz, int64_t t)
{
    const int64_t margin = 400 * 86400LL;

    /* An event in the year 9999 must not make the zone of all others a list of eight thousand years. */
    t = t < FIRST_KNOWN ? FIRST_KNOWN : t > LAST_KNOWN ? LAST_KNOWN : t;
    if (tz->fill == NULL || (t - margin / 4 >= tz->known_from && t + margin / 4 <= tz->known_until))
        return;
    tz->known_from = tz->known_from < t - margin ? tz->known_from : t - margin;
    tz->known_until = tz->known_until > t + margin ? tz->known_until : t + margin;
    tz->fill(tz->arg, tz, tz->known_from, tz->known_until);
}

/* The name itself, the Windows table, then what stands behind each slash: vendors put a path before the IANA name. */
static struct dav_tz *load_any(const char *name)
{
    const char *iana = dav_tz_from_windows(name);
    const char *tail = name;
    struct dav_tz *tz;

    if (iana != NULL)
        return load_file(iana);
    while (tail != NULL) {
        tz = load_file(tail);
        if (tz != NULL)
            return tz;
        tail = strchr(tail, '/');
        if (tail != NULL)
            tail++;
    }
    return NULL;
}

static struct dav_tz *load_file(const char *name)
{
    char path[sizeof(ZONEINFO) + NAME_MAX_LEN + 2];
    unsigned char *data;
    struct dav_tz *tz = NULL;
    FILE *file;
    size_t len;

    if (!is_plain_name(name))
        return NULL;
    snprintf(path, sizeof(path), "%s/%s", ZONEINFO, name);
    file = fopen(path, "rbe");
    if (file == NULL)
        return NULL;
    data = mem_calloc(1, FILE_MAX);
    len = fread(data, 1, FILE_MAX, file);
    if (len < FILE_MAX)
        tz = dav_tz_read(data, len);
    free(data);
    fclose(file);
    return tz;
}

/* Letters, digits and a few signs, every part beginning with a letter: no way out of the folder, and none of its other
 * files. */
static bool is_plain_name(const char *name)
{
    bool at_start = true;

    if (strlen(name) > NAME_MAX_LEN || str_starts(name, "right/") || str_starts(name, "posix/"))
        return false;
    for (; *name != '\0'; name++) {
        bool letter = (*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z');
        bool other = (*name >= '0' && *name <= '9') || *name == '_' || *name == '-' || *name == '+';

        if (*name == '/' ? at_start : at_start ? !letter : !letter && !other)
            return false;
        at_start = *name == '/';
    }
    return !at_start;
}

static void named_put(struct map *map, const char *name, struct dav_tz *tz)
{
    struct named *entry = mem_calloc(1, sizeof(*entry));

    entry->name = mem_strdup(name);
    entry->tz = tz;
    map_put(map, entry->name, entry);
}

/* The keys die with their entries, so the map must be freed afterwards. */
static void named_clear(struct map *map)
{
    struct named *entry;
    size_t pos = 0;

    while ((entry = map_next(map, &pos)) != NULL) {
        dav_tz_free(&entry->tz);
        free(entry->name);
        free(entry);
    }
}
