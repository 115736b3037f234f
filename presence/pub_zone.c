/*
 * pub_zone: see pub_zone.h. The file's own transitions serve until they end; behind them its last line, a rule in POSIX
 * spelling ("CET-1CEST,M3.5.0,M10.5.0/3"), is worked out year by year, here for the next YEARS years, and added to
 * them.
 */
#include "pub_zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utc.h"

enum { FILE_MAX = 256 * 1024, TYPES_MAX = 256, YEARS = 60, FIRST_YEAR = 2024, HEAD = 44 };

struct change {
    int64_t at;
    int32_t offset;
    char name[8];
};

struct pres_zone {
    struct change first; /* before all changes */
    struct change *changes;
    size_t count;
};

/* "M3.5.0/3": month, week (5: the last), day of the week, seconds after midnight */
struct rule {
    int month, week, day;
    int32_t time;
};

static size_t read_zone(const char *name, unsigned char *out);
static bool read_block(struct pres_zone *z, const unsigned char *p, size_t len);
static bool add_footer(struct pres_zone *z, const char *p);
static bool footer_name(const char **p, char *out);
static bool footer_number(const char **p, int32_t *ret_s);
static bool footer_rule(const char **p, struct rule *ret);
static int64_t rule_at(const struct rule *r, int year);
static uint32_t be32(const unsigned char *p);
static int64_t be64(const unsigned char *p);
static void add_change(struct pres_zone *z, int64_t at, int32_t offset, const char *name);

struct pres_zone *pres_zone_new(const char *name)
{
    unsigned char *file = mem_calloc(1, FILE_MAX + 1);
    size_t len = read_zone(name, file);
    struct pres_zone *z = mem_calloc(1, sizeof *z);
    bool ok = false;
    if (len > HEAD && memcmp(file, "TZif", 4) == 0 && file[4] >= '2') {
        /* the first block has 32-bit times and is there for old readers */
        uint32_t isut = be32(file + 20), isstd = be32(file + 24), leap = be32(file + 28), times = be32(file + 32),
                 types = be32(file + 36), chars = be32(file + 40);
        if (times < 10000 && types <= TYPES_MAX && chars < 10000 && leap < 1000 && isut < 1000 && isstd < 1000) {
            size_t skip = HEAD + times * 5u + types * 6u + chars + leap * 8u + isstd + isut;
            ok = skip < len && read_block(z, file + skip, len - skip);
        }
    }
    free(file);
    if (!ok)
        pres_zone_free(&z);
    return z;
}

bool pres_zone_open(const char *name, struct pres_zone **ret, char *why, size_t why_size)
{
    *ret = NULL;
    if (!name || strcmp(name, "UTC") == 0 || (*ret = pres_zone_new(name)))
        return true;
    snprintf(why, why_size, "the zone file of %s cannot be read", name);
    return false;
}

void pres_zone_free(struct pres_zone **z)
{
    if (!*z)
        return;
    free((*z)->changes);
    free(*z);
    *z = NULL;
}

int32_t pres_zone_offset(const struct pres_zone *z, int64_t t, const char **ret_abbreviation)
{
    const struct change *now = z ? &z->first : NULL;
    size_t low = 0, high = z ? z->count : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (z->changes[middle].at <= t) {
            now = &z->changes[middle];
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_abbreviation = now ? now->name : "UTC";
    return now ? now->offset : 0;
}

static size_t read_zone(const char *name, unsigned char *out)
{
    if (name[0] == '/' || strstr(name, "..") || strlen(name) > 100)
        return 0;
    char *path = mem_printf("/usr/share/zoneinfo/%s", name);
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(out, 1, FILE_MAX, file) : 0;
    if (file)
        fclose(file);
    free(path);
    return len;
}

static bool read_block(struct pres_zone *z, const unsigned char *p, size_t len)
{
    if (len < HEAD || memcmp(p, "TZif", 4) != 0)
        return false;
    uint32_t isut = be32(p + 20), isstd = be32(p + 24), leap = be32(p + 28), times = be32(p + 32), types = be32(p + 36),
             chars = be32(p + 40);
    if (times > 10000 || types == 0 || types > TYPES_MAX || chars > 10000 || leap > 1000 || isut > TYPES_MAX ||
        isstd > TYPES_MAX)
        return false;
    const unsigned char *at = p + HEAD, *index = at + 8u * times, *type = index + times, *text = type + 6u * types;
    const unsigned char *footer = text + chars + 12u * leap + isstd + isut;
    if (footer > p + len) /* the buffer behind the file is zeroed */
        return false;
    for (size_t i = 0; i <= times; i++) {
        unsigned k = i == 0 ? 0 : index[i - 1];
        char name[8] = "";
        if (k >= types || type[6 * k + 5] >= chars)
            return false;
        snprintf(name, sizeof name, "%.*s", (int)(chars - type[6 * k + 5]), (const char *)text + type[6 * k + 5]);
        add_change(z, i == 0 ? INT64_MIN : be64(at + 8 * (i - 1)), (int32_t)be32(type + (size_t)6 * k), name);
    }
    z->first = z->changes[0];
    return add_footer(z, (const char *)footer);
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; without a rule nothing changes any more. */
static bool add_footer(struct pres_zone *z, const char *p)
{
    char standard[8], summer[8];
    int32_t offset, summer_offset;
    struct rule begin, end;
    int64_t last = z->changes[z->count - 1].at;
    if (*p++ != '\n' || *p == '\n' || *p == '\0')
        return true;
    if (!footer_name(&p, standard) || !footer_number(&p, &offset))
        return true; /* a form that is not read here: the file's own changes serve */
    summer_offset = offset - 3600;
    if (*p == '\n')
        return true;
    if (!footer_name(&p, summer) || (*p != ',' && !footer_number(&p, &summer_offset)) || *p++ != ',' ||
        !footer_rule(&p, &begin) || *p++ != ',' || !footer_rule(&p, &end))
        return true;
    for (int year = FIRST_YEAR; year < FIRST_YEAR + YEARS; year++) {
        int64_t to_summer = rule_at(&begin, year) + offset, to_standard = rule_at(&end, year) + summer_offset;
        bool north = to_summer < to_standard;
        int64_t times[2] = {north ? to_summer : to_standard, north ? to_standard : to_summer};
        for (unsigned i = 0; i < 2; i++) {
            bool is_summer = (i == 0) == north;
            if (times[i] > last)
                add_change(z, times[i], is_summer ? -summer_offset : -offset, is_summer ? summer : standard);
        }
    }
    return true;
}

static bool footer_name(const char **p, char *out)
{
    const char *end =
        **p == '<' ? strchr(*p, '>') : *p + strspn(*p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    bool quoted = **p == '<';
    if (!end || end - *p - quoted < 3 || end - *p - quoted > 7)
        return false;
    snprintf(out, 8, "%.*s", (int)(end - *p - quoted), *p + quoted);
    *p = end + quoted;
    return true;
}

/* Hours, with minutes and seconds behind colons; west is positive. */
static bool footer_number(const char **p, int32_t *ret_s)
{
    int sign = **p == '-' ? -1 : 1;
    int32_t unit = 3600, sum = 0;
    *p += **p == '-' || **p == '+';
    for (; unit > 0; unit /= 60) {
        char *end;
        if (**p < '0' || **p > '9')
            return false;
        long value = strtol(*p, &end, 10);
        if (value > 167)
            return false;
        sum += (int32_t)value * unit;
        *p = end;
        if (**p != ':')
            break;
        ++*p;
    }
    *ret_s = sign * sum;
    return true;
}

static bool footer_rule(const char **p, struct rule *ret)
{
    int n = 0;
    ret->time = 7200;
    if (sscanf(*p, "M%2d.%1d.%1d%n", &ret->month, &ret->week, &ret->day, &n) != 3 || n == 0 || ret->month < 1 ||
        ret->month > 12 || ret->week < 1 || ret->week > 5 || ret->day > 6)
        return false;
    *p += n;
    if (**p == '/') {
        ++*p;
        return footer_number(p, &ret->time);
    }
    return true;
}

/* In local time, as if that were UTC. */
static int64_t rule_at(const struct rule *r, int year)
{
    int64_t first = utc_days(year, r->month, 1);
    int64_t next = r->month == 12 ? utc_days(year + 1, 1, 1) : utc_days(year, r->month + 1, 1);
    int64_t day = first + (r->day - (first + 4) % 7 + 7) % 7 + 7 * (r->week - 1); /* 1970-01-01 was a Thursday */
    while (day >= next)
        day -= 7;
    return day * 86400 + r->time;
}

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static void add_change(struct pres_zone *z, int64_t at, int32_t offset, const char *name)
{
    z->changes = mem_realloc(z->changes, z->count + 1, sizeof *z->changes);
    z->changes[z->count] = (struct change){.at = at, .offset = offset};
    snprintf(z->changes[z->count].name, sizeof z->changes[z->count].name, "%s", name);
    z->count++;
}
