/*
 * sim_schedule: the public folder underneath free/busy, SCHEDULE+ FREE BUSY: a message for each person, which holds
 * what was published (sim_publish.c) as lists of months and of minutes in them. Only SEARCH sees the messages.
 *
 * A month is the number year * 16 + month; beside it stands, as base64, a row of little-endian pairs: first and last
 * minute of an event since the month began in UTC. What crosses the end of a month is cut there. Which months are
 * published is another matter: those of the mailbox's own clock.
 */
#include "sim_schedule.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/str.h"
#include "base/utc.h"
#include "sim.h"
#include "sim_props.h"
#include "sim_publish.h"
#include "sim_store.h"
#include "sim_zone.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MINUTES_1601 INT64_C(194074560) /* from the first minute of 1601 to that of 1970 */
#define RUNS_BYTES (1u << 20)
#define MONTHS_MAX 64

enum { ANY_KIND = -1 };

struct span {
    int64_t start, end;
};

/* What of a person's time is to be written down. */
struct picked {
    int kind; /* enum sim_busy, or ANY_KIND */
    struct buf spans;
};

static const struct {
    const char *months, *events;
    int kind;
} lists[] = {
    {"x684f1003", "x68501102", ANY_KIND},
    {"x68511003", "x68521102", SIM_TENTATIVE},
    {"x68531003", "x68541102", SIM_BUSY},
    {"x68551003", "x68561102", SIM_OOF},
};

static void pick(void *arg, int64_t start, int64_t end, enum sim_busy busy)
{
    struct picked *p = arg;
    struct span s = {start, end};
    if (end > start && busy != SIM_FREE && (p->kind == ANY_KIND || p->kind == (int)busy))
        buf_add(&p->spans, &s, sizeof(s));
}

static int by_start(const void *a, const void *b)
{
    const struct span *one = a, *two = b;
    return (one->start > two->start) - (one->start < two->start);
}

/* In order, and without overlaps; returns how many are left. */
static size_t merge(struct span *s, size_t count)
{
    size_t kept = 0;
    qsort(s, count, sizeof(*s), by_start);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && s[i].start <= s[kept - 1].end)
            s[kept - 1].end = s[i].end > s[kept - 1].end ? s[i].end : s[kept - 1].end;
        else
            s[kept++] = s[i];
    }
    return kept;
}

static void add_minute(struct buf *out, int64_t minute)
{
    buf_addc(out, (char)(minute & 255));
    buf_addc(out, (char)(minute >> 8 & 255));
}

/* The events between two moments of one month, as base64; NULL: there are none. */
static const char *events_in(struct arena *a, const struct span *s, size_t count, int64_t from, int64_t to)
{
    const char *text = NULL;
    struct buf pairs, base64;
    buf_init(&pairs, RUNS_BYTES);
    buf_init(&base64, 2 * RUNS_BYTES);
    for (size_t i = 0; i < count; i++) {
        int64_t start = s[i].start > from ? s[i].start : from, end = s[i].end < to ? s[i].end : to;
        if (start >= end)
            continue;
        add_minute(&pairs, (start - from) / 60);
        add_minute(&pairs, (end - from) / 60);
    }
    if (pairs.len > 0 && crypto_base64_encode(&base64, pairs.data, pairs.len))
        text = arena_strndup(a, base64.data, base64.len);
    buf_free(&pairs);
    buf_free(&base64);
    return text;
}

/* One entry a month that has any; none at all is written as one empty entry. */
static bool give_list(const struct sim_request *r, const struct sim_mailbox *m, int kind, const struct span *range,
                      bool months, struct sim_value *v)
{
    struct picked p = {.kind = kind};
    struct sim_civil c;
    buf_init(&p.spans, RUNS_BYTES);
    sim_published_each(m, pick, &p);
    struct span *s = (struct span *)(void *)p.spans.data;
    size_t count = merge(s, p.spans.len / sizeof(*s));
    for (size_t i = 0; i < count; i++) {
        s[i].start = s[i].start > range->start ? s[i].start : range->start;
        s[i].end = s[i].end < range->end ? s[i].end : range->end;
    }
    *v = (struct sim_value){.type = months ? SIM_T_MV_INT : SIM_T_MV_BINARY};
    v->list = arena_alloc(r->arena, MONTHS_MAX * sizeof(char *));
    sim_civil_of(range->start, &c);
    for (int64_t month = c.year * 12 + c.month - 1; v->list != NULL && v->count < MONTHS_MAX; month++) {
        int64_t from = utc_from_civil((int)(month / 12), (int)(month % 12) + 1, 1, 0, 0, 0);
        int64_t to = utc_from_civil((int)((month + 1) / 12), (int)((month + 1) % 12) + 1, 1, 0, 0, 0);
        if (from >= range->end)
            break;
        const char *events = events_in(r->arena, s, count, from, to);
        if (events != NULL)
            v->list[v->count++] =
                months ? sim_arena_printf(r->arena, "%d", (int)(month / 12 * 16 + month % 12 + 1)) : events;
    }
    if (v->list != NULL && v->count == 0)
        v->list[v->count++] = "";
    buf_free(&p.spans);
    return v->list != NULL;
}

/* "USER-/CN=RECIPIENTS/CN=ANNA" */
static const char *subject_of(const struct sim_request *r, const struct sim_mailbox *m)
{
    char *subject = sim_arena_printf(r->arena, "USER-/CN=RECIPIENTS/CN=%s", m->alias);
    for (char *p = subject; p != NULL && *p != '\0'; p++)
        *p = (char)toupper((unsigned char)*p);
    return subject;
}

static bool give(struct sim_value *v, enum sim_type type, int64_t n)
{
    *v = (struct sim_value){.type = type, .i = n};
    return true;
}

static bool give_text(struct sim_value *v, const char *text)
{
    *v = (struct sim_value){.type = SIM_T_STRING, .s = text};
    return text != NULL;
}

static bool give_tag(const struct sim_request *r, struct sim_mailbox *m, const char *tag, struct sim_value *v)
{
    struct span range;
    sim_publish_due(r->sim, m, &range.start, &range.end);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (strcmp(tag, lists[i].months) == 0 || strcmp(tag, lists[i].events) == 0)
            return give_list(r, m, lists[i].kind, &range, strcmp(tag, lists[i].months) == 0, v);
    if (strcmp(tag, "x68470003") == 0)
        return give(v, SIM_T_INT, range.start / 60 + MINUTES_1601);
    if (strcmp(tag, "x68480003") == 0)
        return give(v, SIM_T_INT, range.end / 60 + MINUTES_1601);
    if (strcmp(tag, "x68680040") == 0)
        return give(v, SIM_T_TIME, sim_published_at(m));
    if (strcmp(tag, "x68410003") == 0)
        return give(v, SIM_T_INT, 0);
    if (strcmp(tag, "x10f2000b") == 0)
        return give(v, SIM_T_BOOL, 1);
    return (strcmp(tag, "x3ff10003") == 0 || strcmp(tag, "x66a10003") == 0) && give(v, SIM_T_INT, 1033);
}

bool sim_schedule_get(const struct sim_request *r, const struct sim_node *node, const struct sim_prop *p,
                      struct sim_value *ret)
{
    struct sim_mailbox *m = node->mailbox;
    if (p->pid == SIM_P_HREF) {
        struct buf path;
        buf_init(&path, 4096);
        sim_path_write(&path, &(struct sim_node){.place = SIM_AT_SCHEDULE});
        sim_path_escape(&path, subject_of(r, m));
        bool ok = give_text(ret, sim_arena_printf(r->arena, "%s://%s%s.EML", r->scheme, r->host, path.data));
        buf_free(&path);
        return ok;
    }
    if (strcmp(p->name, "subject") == 0 && (strcmp(p->ns, SIM_NS_MAPI) == 0 || strcmp(p->ns, SIM_NS_MAIL) == 0))
        return give_text(ret, subject_of(r, m));
    return strcmp(p->ns, SIM_NS_TAG) == 0 && give_tag(r, m, p->name, ret);
}
