/*
 * sim_file: cuts the data file into lines and words, and hands each line to the maker of its kind of object. What an
 * appointment's pairs mean is in sim_file_item.c.
 */
#include "sim_file.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim_store.h"
#include "sim_zone.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64
#define FILE_MAX (64u << 20)
#define CROWD_STEP 900 /* seconds between the starts of a crowd's appointments */

struct line {
    char *words[WORDS_MAX]; /* point into the line, which the cutter changes */
    bool quoted[WORDS_MAX]; /* its first character was a quote */
    size_t count;
};

typedef bool line_fn(const struct sim_file *f, struct line *line, char *why, size_t why_size);

static line_fn do_domain, do_account, do_mailbox, do_appointment, do_set, do_crowd;

static const struct {
    const char *word;
    line_fn *fn;
    size_t words; /* at least, the first included */
    const char *usage;
} kinds[] = {
    {"domain", do_domain, 2, "domain NAME"},
    {"account", do_account, 2, "account NAME password=TEXT [address=A] [receive-as=all|A,B...] [state=STATE]"},
    {"mailbox", do_mailbox, 2, "mailbox ADDRESS [alias= name= calendar= language= zone= password= account= fault.X=]"},
    {"appointment", do_appointment, 4, "appointment ADDRESS START END [STATUS] [name=value...]"},
    {"set", do_set, 2, "set SWITCH=VALUE"},
    {"crowd", do_crowd, 4, "crowd DOMAIN PEOPLE APPOINTMENTS"},
};

/* Cuts in place. A quote may begin anywhere in a word; inside quotes a backslash takes the next character as it is. */
static bool cut_words(char *text, struct line *line)
{
    char *p = text;
    line->count = 0;
    for (;;) {
        while (isspace((unsigned char)*p))
            p++;
        if (*p == '\0' || *p == '#')
            return true;
        if (line->count == WORDS_MAX)
            return false;
        line->quoted[line->count] = *p == '"';
        char *out = line->words[line->count++] = p;
        bool in = false;
        for (; *p != '\0' && (in || !isspace((unsigned char)*p)); p++) {
            if (*p == '"')
                in = !in;
            else if (in && *p == '\\' && p[1] != '\0')
                *out++ = *++p;
            else
                *out++ = *p;
        }
        if (in)
            return false;
        bool last = *p == '\0';
        *out = '\0';
        if (last)
            return true;
        p++;
    }
}

static bool say(char *why, size_t why_size, const char *what, const char *text)
{
    snprintf(why, why_size, "%s '%s'", what, text);
    return false;
}

/* The words from `first` on as pairs; a word without '=' is a pair with the value NULL. */
static size_t take_pairs(struct line *line, size_t first, struct sim_pair *pairs)
{
    size_t n = 0;
    for (size_t i = first; i < line->count; i++) {
        char *eq = strchr(line->words[i], '=');
        if (eq != NULL)
            *eq = '\0';
        pairs[n++] = (struct sim_pair){line->words[i], eq != NULL ? eq + 1 : NULL};
    }
    return n;
}

static bool do_domain(const struct sim_file *f, struct line *line, char *why, size_t why_size)
{
    (void)why, (void)why_size;
    free(f->store->domain);
    f->store->domain = mem_strdup(line->words[1]);
    return true;
}

static void grant_list(struct sim_account *a, const char *list)
{
    for (const char *p = list; p != NULL;) {
        size_t len;
        const char *rest = str_split(p, ',', &len);
        char *one = mem_strndup(p, len);
        sim_store_grant(a, one);
        free(one);
        p = rest;
    }
}

static bool do_account(const struct sim_file *f, struct line *line, char *why, size_t why_size)
{
    struct sim_pair pairs[WORDS_MAX];
    size_t n = take_pairs(line, 2, pairs);
    struct sim_account *a = sim_store_add_account(f->store, line->words[1], "");
    for (size_t i = 0; i < n; i++) {
        const char *value = pairs[i].value != NULL ? pairs[i].value : "";
        if (strcmp(pairs[i].key, "password") == 0) {
            free(a->password);
            a->password = mem_strdup(value);
        } else if (strcmp(pairs[i].key, "address") == 0) {
            free(a->address);
            a->address = str_lower(mem_strdup(value));
        } else if (strcmp(pairs[i].key, "receive-as") == 0) {
            grant_list(a, value);
        } else if (strcmp(pairs[i].key, "state") == 0) {
            if (!sim_refusal_parse(value, &a->state))
                return say(why, why_size, "no account is", value);
        } else {
            return say(why, why_size, "account has no", pairs[i].key);
        }
    }
    return true;
}

static void replace(char **slot, const char *value)
{
    free(*slot);
    *slot = mem_strdup(value);
}

static bool set_zone(struct sim_mailbox *m, const char *value, char *why, size_t why_size)
{
    const struct sim_zone *zone = sim_zone_find(value);
    if (zone == NULL)
        return say(why, why_size, "no zone", value);
    m->zone = zone;
    return true;
}

static bool mailbox_pair(const struct sim_file *f, struct sim_mailbox *m, const struct sim_pair *p, char *why,
                         size_t why_size)
{
    const char *value = p->value != NULL ? p->value : "";
    if (strcmp(p->key, "alias") == 0)
        sim_store_set_alias(f->store, m, value);
    else if (strcmp(p->key, "name") == 0)
        replace(&m->display, value);
    else if (strcmp(p->key, "calendar") == 0)
        replace(&m->calendar, value);
    else if (strcmp(p->key, "language") == 0)
        replace(&m->language, value);
    else if (strcmp(p->key, "zone") == 0)
        return set_zone(m, value, why, why_size);
    else if (str_starts(p->key, "fault."))
        return sim_fault_set(f->faults, m, p->key + strlen("fault."), p->value != NULL ? value : "on", why, why_size);
    else if (strcmp(p->key, "password") != 0 && strcmp(p->key, "account") != 0)
        return say(why, why_size, "mailbox has no", p->key);
    return true;
}

bool sim_file_mailbox(const struct sim_file *f, struct sim_mailbox *m, const struct sim_pair *pairs, size_t n,
                      char *why, size_t why_size)
{
    const char *password = NULL, *account = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!mailbox_pair(f, m, &pairs[i], why, why_size))
            return false;
        if (strcmp(pairs[i].key, "password") == 0)
            password = pairs[i].value;
        if (strcmp(pairs[i].key, "account") == 0)
            account = pairs[i].value;
    }
    if (password != NULL) {
        struct sim_account *a = sim_store_add_account(f->store, account != NULL ? account : m->alias, password);
        free(a->address);
        a->address = mem_strdup(m->key);
    }
    return true;
}

static bool do_mailbox(const struct sim_file *f, struct line *line, char *why, size_t why_size)
{
    struct sim_pair pairs[WORDS_MAX];
    size_t n = take_pairs(line, 2, pairs);
    struct sim_mailbox *m = sim_store_add_mailbox(f->store, line->words[1]);
    if (m == NULL)
        return say(why, why_size, "there is already a mailbox", line->words[1]);
    return sim_file_mailbox(f, m, pairs, n, why, why_size);
}

static bool do_appointment(const struct sim_file *f, struct line *line, char *why, size_t why_size)
{
    struct sim_mailbox *m = sim_store_mailbox(f->store, line->words[1]);
    if (m == NULL)
        return say(why, why_size, "no mailbox", line->words[1]);
    struct sim_pair pairs[WORDS_MAX + 2];
    enum sim_busy busy;
    pairs[0] = (struct sim_pair){"start", line->words[2]};
    pairs[1] = (struct sim_pair){"end", line->words[3]};
    size_t n = 2, first = 4;
    if (line->count > 4 && sim_busy_parse(line->words[4], &busy)) {
        pairs[n++] = (struct sim_pair){"busy", line->words[4]};
        first = 5;
    }
    n += take_pairs(line, first, pairs + n);
    struct sim_item *item = sim_item_new(f->now);
    if (!sim_file_item(f, m, item, pairs, n, why, why_size)) {
        sim_item_free(&item);
        return false;
    }
    sim_store_add_item(f->store, m, item, f->now);
    return true;
}

static bool do_set(const struct sim_file *f, struct line *line, char *why, size_t why_size)
{
    for (size_t i = 1; i < line->count; i++)
        if (!sim_fault_set_line(f->faults, NULL, line->words[i], why, why_size))
            return false;
    return true;
}

/* Many people for load tests: user00001@DOMAIN..., each with appointments spread over fourteen days around now. */
static bool do_crowd(const struct sim_file *f, struct line *line, char *why, size_t why_size)
{
    int64_t people, each;
    if (!str_to_int(line->words[2], 1, 1000000, &people) || !str_to_int(line->words[3], 0, 1000, &each))
        return say(why, why_size, "not a number of people and appointments:", line->words[2]);
    int64_t step = each > 0 ? 14 * 86400 / each / CROWD_STEP * CROWD_STEP : 0;
    int64_t base = f->now - f->now % 86400;
    for (int64_t i = 0; i < people; i++) {
        char *address = mem_printf("user%05lld@%s", (long long)i + 1, line->words[1]);
        struct sim_mailbox *m = sim_store_add_mailbox(f->store, address);
        free(address);
        for (int64_t k = 0; m != NULL && k < each; k++) {
            struct sim_item *item = sim_item_new(f->now);
            item->name = mem_printf("%lld.EML", (long long)k + 1);
            item->has_end = true;
            item->start = base + k * step + (i % 32) * CROWD_STEP;
            item->end = item->start + (1 + (i + k) % 4) * CROWD_STEP;
            item->busy = (enum sim_busy)(1 + (i + k) % 3);
            sim_store_add_item(f->store, m, item, f->now);
        }
    }
    return true;
}

static bool do_line(const struct sim_file *f, char *text, char *why, size_t why_size)
{
    struct line line;
    if (!cut_words(text, &line))
        return say(why, why_size, "a quote is open, or too many words:", text);
    if (line.count == 0)
        return true;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].word, line.words[0]) != 0)
            continue;
        if (line.count < kinds[i].words)
            return say(why, why_size, "too short, it is", kinds[i].usage);
        return kinds[i].fn(f, &line, why, why_size);
    }
    return say(why, why_size, "unknown word", line.words[0]);
}

bool sim_file_text(const struct sim_file *f, const char *name, const char *text, size_t len, char *why, size_t why_size)
{
    unsigned number = 1;
    for (size_t at = 0; at < len; number++) {
        const char *nl = memchr(text + at, '\n', len - at);
        size_t line_len = nl != NULL ? (size_t)(nl - text) - at : len - at;
        char *line = mem_strndup(text + at, line_len);
        char inner[300];
        bool ok = do_line(f, line, inner, sizeof(inner));
        free(line);
        if (!ok) {
            snprintf(why, why_size, "%s:%u: %s", name, number, inner);
            return false;
        }
        at += line_len + 1;
    }
    return true;
}

bool sim_file_read(const struct sim_file *f, const char *path, char *why, size_t why_size)
{
    FILE *in = fopen(path, "re");
    if (in == NULL) {
        snprintf(why, why_size, "%s: %m", path);
        return false;
    }
    struct buf text;
    buf_init(&text, FILE_MAX);
    char *room;
    size_t got = 1;
    while (got > 0 && (room = buf_room(&text, 65536)) != NULL) {
        got = fread(room, 1, 65536, in);
        text.len += got;
    }
    fclose(in);
    bool ok = sim_file_text(f, path, text.data, text.len, why, why_size);
    buf_free(&text);
    return ok;
}
