/*
 * caldav_path: which paths a person's calendars are at, from the account's templates or the person's own path, and what
 * was found there, as lines of text that travel with the person and come back with the next question: a server is
 * asked where the calendars are, and what kind they are, once a day and not at every poll.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "caldav.h"
#include "url.h"

#define DAY_S 86400

static void add_templates(struct dav_caldav *c);
static bool recall_line(struct dav_caldav *c, const char *line, size_t len);
static bool recall_source(struct dav_caldav *c, char form, const char *path, size_t path_len, const char *owner);
static bool recall_calendar(struct dav_caldav *c, const char *path, size_t path_len, const char *zone);
static bool segment_is(const char *segment, size_t len, const char *text, size_t text_len);

void dav_caldav_sources(struct dav_caldav *c)
{
    const struct dav_question *question = dav_query_question(c->q);
    struct buf path, key;
    uint32_t spread = 0;

    c->sources = NULL;
    c->source_end = &c->sources;
    dav_caldav_forget(c);
    buf_init(&path, DAV_URL_PATH_MAX);
    if (question->path == NULL)
        add_templates(c);
    else if (dav_url_path_of(&path, question->path, strlen(question->path), true))
        dav_caldav_add_source(c, path.data, path.len, NULL);
    else
        c->lost = true;
    buf_free(&path);
    buf_init(&key, 2 * DAV_URL_PATH_MAX);
    for (const struct dav_source *s = c->sources; s != NULL; s = s->next)
        buf_addf(&key, " %s", s->path);
    c->key = key.failed ? NULL : arena_strndup(dav_query_arena(c->q), key.data, key.len);
    buf_free(&key);
    for (const char *at = question->address; *at != '\0'; at++)
        spread = spread * 31 + (unsigned char)*at;
    c->day = (long)((dav_query_now(c->q) + spread % DAY_S) / DAY_S); /* not everybody at midnight */
}

struct dav_source *dav_caldav_add_source(struct dav_caldav *c, const char *path, size_t len, const char *owner)
{
    struct dav_source *s = arena_alloc(dav_query_arena(c->q), sizeof(*s));

    if (s == NULL || (s->path = dav_caldav_keep(c, path, len)) == NULL) {
        c->lost = true;
        return NULL;
    }
    s->owner = owner;
    *c->source_end = s;
    c->source_end = &s->next;
    return s;
}

/*
 * "caldav2 DAY PATHS-TOLD", then for each source "c|h|b PATH OWNER" (a calendar, a home, one that may only be asked for
 * free/busy) and below it for each of its calendars "= PATH ZONE". "-" stands for no owner and for no zone.
 */
bool dav_caldav_recall(struct dav_caldav *c)
{
    const char *text = dav_query_question(c->q)->remember;
    char header[64];

    if (text == NULL || c->key == NULL)
        return false;
    snprintf(header, sizeof(header), "caldav2 %ld", c->day);
    if (!str_starts(text, header) || !str_starts(text + strlen(header), c->key))
        return false;
    text += strlen(header) + strlen(c->key);
    if (*text++ != '\n')
        return false;
    c->sources = NULL;
    c->source_end = &c->sources;
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        if (!recall_line(c, text, len))
            break;
        text += len + (text[len] == '\n');
    }
    if (*text == '\0' && c->sources != NULL)
        return true;
    dav_caldav_sources(c);
    return false;
}

/* A zone that exists only as a definition is not remembered, so such a calendar is looked at each time. */
void dav_caldav_remember(struct dav_caldav *c)
{
    static const char forms[] = {[DAV_UNSEEN] = '?', [DAV_A_CALENDAR] = 'c', [DAV_A_HOME] = 'h', [DAV_BUSY_ONLY] = 'b'};
    struct buf text;

    if (c->key == NULL)
        return;
    buf_init(&text, 4 * DAV_URL_PATH_MAX);
    buf_addf(&text, "caldav2 %ld%s\n", c->day, c->key);
    for (const struct dav_source *s = c->sources; s != NULL && !text.failed; s = s->next) {
        buf_addf(&text, "%c %s %s\n", forms[s->form], s->path, s->owner != NULL ? s->owner : "-");
        for (const struct dav_calendar *f = c->found; f != NULL && !text.failed; f = f->next) {
            if (f->source != s)
                continue;
            text.failed = text.failed || f->timezone != NULL;
            buf_addf(&text, "= %s %s\n", f->path, f->zone != NULL ? f->zone : "-");
        }
    }
    if (!text.failed)
        dav_query_remember(c->q, text.data);
    buf_free(&text);
}

void dav_caldav_forget(struct dav_caldav *c)
{
    c->found = NULL;
    c->found_end = &c->found;
    c->count = 0;
    c->at = NULL;
}

/*
 * Could this be a home? Some servers answer a free-busy-query on a home with "nothing busy" whatever there is. A home
 * ends in the name of its person.
 */
bool dav_caldav_is_like_home(const struct dav_caldav *c, const char *path)
{
    const char *address = dav_query_question(c->q)->address;
    size_t len = strlen(path), begin, local = strcspn(address, "@");
    struct buf segment;
    bool like;

    while (len > 0 && path[len - 1] == '/')
        len--;
    for (begin = len; begin > 0 && path[begin - 1] != '/';)
        begin--;
    buf_init(&segment, DAV_URL_PATH_MAX);
    like = begin == len || !str_percent_decode(&segment, path + begin, len - begin) ||
           segment_is(segment.data, segment.len, address, strlen(address)) ||
           segment_is(segment.data, segment.len, address, local);
    for (size_t i = 0, depth = 0; i < len && !like;
         i++) { /* /server/PERSON/ at DAViCal, whatever the person is called */
        depth += path[i] == '/';
        like = i + 1 == len && depth <= 2 && str_find_nocase(path, len, "caldav.php") != NULL;
    }
    buf_free(&segment);
    return like;
}

static void add_templates(struct dav_caldav *c)
{
    const struct dav_question *question = dav_query_question(c->q);
    const struct dav_account *account = dav_query_account(c->q);

    for (size_t i = 0; account->calendars != NULL && account->calendars[i] != NULL; i++) {
        struct buf path;

        buf_init(&path, DAV_URL_PATH_MAX);
        if (i < DAV_CALENDARS_MAX &&
            dav_url_expand(&path, dav_query_base_path(c->q), account->calendars[i], question->address) &&
            (path.data[path.len - 1] == '/' || buf_addc(&path, '/')))
            dav_caldav_add_source(c, path.data, path.len, NULL);
        else
            c->lost = true;
        buf_free(&path);
    }
}

static bool recall_line(struct dav_caldav *c, const char *line, size_t len)
{
    const char *path = line + 2, *end = line + len, *blank;
    const char *last;

    if (len < 5 || line[1] != ' ' || path[0] != '/' || (blank = memchr(path, ' ', (size_t)(end - path))) == NULL)
        return false;
    last = dav_caldav_keep(c, blank + 1, (size_t)(end - blank - 1));
    if (last == NULL || last[0] == '\0')
        return false;
    if (strcmp(last, "-") == 0)
        last = NULL;
    if (line[0] == '=')
        return recall_calendar(c, path, (size_t)(blank - path), last);
    return recall_source(c, line[0], path, (size_t)(blank - path), last);
}

static bool recall_source(struct dav_caldav *c, char form, const char *path, size_t path_len, const char *owner)
{
    struct dav_source *s = dav_caldav_add_source(c, path, path_len, owner);

    if (s == NULL || (form != 'c' && form != 'h' && form != 'b'))
        return false;
    s->form = form == 'c' ? DAV_A_CALENDAR : form == 'h' ? DAV_A_HOME : DAV_BUSY_ONLY;
    c->source = s;
    return true;
}

static bool recall_calendar(struct dav_caldav *c, const char *path, size_t path_len, const char *zone)
{
    struct dav_calendar *f = arena_alloc(dav_query_arena(c->q), sizeof(*f));

    if (f == NULL || c->sources == NULL || c->count == DAV_CALENDARS_MAX)
        return false;
    f->path = dav_caldav_keep(c, path, path_len);
    f->zone = zone;
    f->source = c->source;
    *c->found_end = f;
    c->found_end = &f->next;
    c->count++;
    return f->path != NULL;
}

/* Without case; false for an empty one. */
static bool segment_is(const char *segment, size_t len, const char *text, size_t text_len)
{
    return len == text_len && len > 0 && strncasecmp(segment, text, len) == 0;
}
