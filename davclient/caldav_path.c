/*
 * caldav_path: which paths a person's calendars are at, from the account's templates or the person's own path, and what
 * was found there, as a line of text that travels with the person and comes back with the next question: a server is
 * asked where the calendars are, and what kind they are, once a day and not at every poll.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "caldav.h"
#include "url.h"

#define DAY_S 86400

static void add_source(struct dav_caldav *c, struct dav_calendar ***last, const char *path, size_t len);
static bool expand_template(struct buf *out, const char *base, const char *template, const char *address);
static bool recall_line(struct dav_caldav *c, const char *line, size_t len);

void dav_caldav_sources(struct dav_caldav *c)
{
    const struct dav_question *question = dav_query_question(c->q);
    const struct dav_account *account = dav_query_account(c->q);
    struct dav_calendar **last = &c->sources;
    struct buf path, key;
    uint32_t spread = 0;

    buf_init(&path, DAV_URL_PATH_MAX);
    buf_init(&key, 2 * DAV_URL_PATH_MAX);
    if (question->path != NULL) {
        if (dav_url_path_of(&path, question->path, strlen(question->path), true))
            add_source(c, &last, path.data, path.len);
        else
            c->lost = true;
    } else {
        for (size_t i = 0; account->calendars != NULL && account->calendars[i] != NULL; i++) {
            buf_reset(&path);
            if (i < DAV_CALENDARS_MAX &&
                expand_template(&path, dav_query_base_path(c->q), account->calendars[i], question->address))
                add_source(c, &last, path.data, path.len);
            else
                c->lost = true;
        }
    }
    for (const struct dav_calendar *s = c->sources; s != NULL; s = s->next)
        buf_addf(&key, " %s", s->path);
    c->key = key.failed ? NULL : arena_strndup(dav_query_arena(c->q), key.data, key.len);
    buf_free(&path);
    buf_free(&key);
    for (const char *at = question->address; *at != '\0'; at++)
        spread = spread * 31 + (unsigned char)*at;
    c->day = (long)((question->from + spread % DAY_S) / DAY_S); /* not everybody at midnight */
    dav_caldav_forget(c);
}

/* "caldav1 DAY PATHS-ASKED-FOR", then "PATH ZONE" a line; the zone is "-" when the calendar says nothing, "+" in front
 * of it says VFREEBUSY. */
bool dav_caldav_recall(struct dav_caldav *c)
{
    const char *text = dav_query_question(c->q)->remember;
    char header[64];

    if (text == NULL || c->key == NULL)
        return false;
    snprintf(header, sizeof(header), "caldav1 %ld", c->day);
    if (!str_starts(text, header) || !str_starts(text + strlen(header), c->key))
        return false;
    text += strlen(header) + strlen(c->key);
    if (*text++ != '\n')
        return false;
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        if (!recall_line(c, text, len))
            break;
        text += len + (text[len] == '\n');
    }
    if (*text == '\0' && c->found != NULL)
        return true;
    dav_caldav_forget(c);
    return false;
}

/* A zone that exists only as a definition is not remembered, so such a calendar is looked at each time. */
void dav_caldav_remember(struct dav_caldav *c)
{
    struct buf text;

    if (c->key == NULL)
        return;
    buf_init(&text, DAV_URL_PATH_MAX);
    buf_addf(&text, "caldav1 %ld%s\n", c->day, c->key);
    for (const struct dav_calendar *f = c->found; f != NULL && !text.failed; f = f->next) {
        text.failed = text.failed || f->timezone != NULL;
        buf_addf(&text, "%s %s%s\n", f->path, f->freebusy ? "+" : "", f->zone != NULL ? f->zone : "-");
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
}

static void add_source(struct dav_caldav *c, struct dav_calendar ***last, const char *path, size_t len)
{
    struct dav_calendar *s = arena_alloc(dav_query_arena(c->q), sizeof(*s));

    if (s == NULL || (s->path = arena_strndup(dav_query_arena(c->q), path, len)) == NULL) {
        c->lost = true;
        return;
    }
    **last = s;
    *last = &s->next;
}

/* {address}, {local} and {domain} become path segments of their own, whatever characters they have. */
static bool expand_template(struct buf *out, const char *base, const char *template, const char *address)
{
    size_t local = strcspn(address, "@");
    const char *domain = address[local] == '@' ? address + local + 1 : "";
    bool ok = template[0] == '/' || buf_adds(out, base);

    while (ok && *template != '\0') {
        size_t plain = strcspn(template, "{");

        ok = plain == 0 || dav_url_add_path(out, template, plain);
        template += plain;
        if (str_starts(template, "{address}"))
            ok = ok && str_percent_encode(out, address, strlen(address), "");
        else if (str_starts(template, "{local}"))
            ok = ok && str_percent_encode(out, address, local, "");
        else if (str_starts(template, "{domain}"))
            ok = ok && str_percent_encode(out, domain, strlen(domain), "");
        else if (*template == '{')
            return false;
        template += strcspn(template, "}");
        template += *template == '}';
    }
    return ok && (out->data[out->len - 1] == '/' || buf_addc(out, '/'));
}

static bool recall_line(struct dav_caldav *c, const char *line, size_t len)
{
    const char *blank = memchr(line, ' ', len);
    struct dav_calendar *f = arena_alloc(dav_query_arena(c->q), sizeof(*f));
    size_t path_len, zone_len;

    if (f == NULL || blank == NULL || line[0] != '/' || c->count == DAV_CALENDARS_MAX)
        return false;
    path_len = (size_t)(blank - line);
    f->freebusy = blank[1] == '+';
    blank += f->freebusy;
    zone_len = len - (size_t)(blank - line) - 1;
    f->path = arena_strndup(dav_query_arena(c->q), line, path_len);
    f->zone = arena_strndup(dav_query_arena(c->q), blank + 1, zone_len);
    if (f->path == NULL || f->zone == NULL)
        return false;
    if (strcmp(f->zone, "-") == 0)
        f->zone = NULL;
    *c->found_end = f;
    c->found_end = &f->next;
    c->count++;
    return true;
}
