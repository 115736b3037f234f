/*
 * sim_freebusy: GET /public/?cmd=freebusy&start=&end=&interval=&u=&u=...: one digit a slot for each person, and first
 * the merged row of all. An OWA request: it wants a browser of the time, and no Translate: f.
 *
 * The digits are what the server has published (sim_publish.c), from the start of the current month (on the mailbox's
 * wall clock) for some months; 4 outside.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/str.h"
#include "base/utc.h"
#include "base/xml.h"
#include "sim.h"
#include "sim_publish.h"
#include "sim_reply.h"
#include "sim_store.h"
#include "sim_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX 100000
#define USERS_MAX 2000
#define ANSWER_MAX (64u << 20)

struct raster {
    struct sim_request *r;
    int64_t start, end; /* asked for */
    int64_t slot_s;
    size_t slots;
    char *merged;
    char *digits; /* of the person at hand */
    struct buf items;
};

static const char *all_attendees(const struct sim_request *r)
{
    const char *language = httpd_header(r->req, "Accept-Language");
    if (language != NULL && str_starts_nocase(language, "de"))
        return "Alle Teilnehmer";
    if (language != NULL && str_starts_nocase(language, "hu"))
        return "Minden résztvevő";
    return "All Attendees";
}

static void mark(struct raster *t, int64_t from, int64_t to, char digit)
{
    if (to <= t->start || from >= t->end || to <= from)
        return;
    int64_t first = from <= t->start ? 0 : (from - t->start) / t->slot_s;
    int64_t last = to >= t->end ? (int64_t)t->slots - 1 : (to - t->start - 1) / t->slot_s;
    for (int64_t i = first; i <= last && i < (int64_t)t->slots; i++)
        if (t->digits[i] < digit)
            t->digits[i] = digit;
}

static void mark_run(void *arg, int64_t start, int64_t end, enum sim_busy busy)
{
    mark(arg, start, end, (char)('0' + busy));
}

static void draw_mailbox(struct raster *t, struct sim_mailbox *m)
{
    memset(t->digits, '0', t->slots);
    int64_t first, past;
    sim_publish_due(t->r->sim, m, &first, &past);
    sim_published_each(m, mark_run, t);
    mark(t, t->start, first < t->end ? first : t->end, '4');
    mark(t, past > t->start ? past : t->start, t->end, '4');
}

static void add_item(struct buf *out, const char *name, const char *email, const char *digits, size_t slots)
{
    buf_adds(out, "<a:item><a:displayname>");
    xml_escape(out, name, strlen(name));
    buf_adds(out, "</a:displayname>");
    if (email != NULL) {
        buf_adds(out, "<a:email type=\"SMTP\">");
        xml_escape(out, email, strlen(email));
        buf_adds(out, "</a:email>");
    }
    buf_adds(out, "<a:type>1</a:type><a:fbdata>");
    buf_add(out, digits, slots);
    buf_adds(out, "</a:fbdata></a:item>");
}

/* As the switch has it. */
static void add_row(struct raster *t, const struct sim_mailbox *m, const char *address)
{
    const char *odd = m != NULL ? sim_fault_text(&t->r->sim->faults, m, SIM_F_FB_ROW) : NULL;
    const char *name = m != NULL ? m->display : address, *email = m != NULL ? m->address : address;
    size_t slots = t->slots;
    if (odd != NULL && strcmp(odd, "missing") == 0)
        return;
    if (odd != NULL && strcmp(odd, "short") == 0)
        slots--;
    if (odd != NULL && strcmp(odd, "letter") == 0)
        t->digits[slots / 2] = 'x';
    if (odd != NULL && strcmp(odd, "stranger") == 0)
        email = sim_arena_printf(t->r->arena, "primary.%s", email);
    if (odd != NULL && strcmp(odd, "long") == 0)
        t->digits[slots++] = '0';
    add_item(&t->items, name, email, t->digits, slots);
    if (odd != NULL && strcmp(odd, "twice") == 0) {
        memset(t->digits, '3', slots);
        add_item(&t->items, name, email, t->digits, slots);
    }
}

/* A status with which one of the people spoils the whole answer; 0: nobody does. */
static int spoilt(struct sim_request *r)
{
    const char *u;
    for (unsigned n = 0; n < USERS_MAX && (u = sim_query(r, "u", n)) != NULL; n++) {
        const struct sim_mailbox *m = sim_store_mailbox(r->sim->store, str_starts_nocase(u, "SMTP:") ? u + 5 : u);
        int64_t status = sim_fault_number(&r->sim->faults, m, SIM_F_FB_STATUS);
        if (status > 0)
            return (int)status;
    }
    return 0;
}

/* False: this person spoils the whole request, by a switch. */
static bool add_person(struct raster *t, const char *u)
{
    const struct sim_faults *f = &t->r->sim->faults;
    const char *address = str_starts_nocase(u, "SMTP:") ? u + 5 : u;
    struct sim_mailbox *m = sim_store_mailbox(t->r->sim->store, address);
    if (m != NULL && sim_fault_on(f, m, SIM_F_ABSENT))
        m = NULL;
    if (m == NULL && sim_fault_is(f, NULL, SIM_F_FB_UNKNOWN, "404"))
        return false;
    if (m != NULL)
        draw_mailbox(t, m);
    else
        memset(t->digits, '4', t->slots);
    for (size_t i = 0; i < t->slots; i++)
        if (t->merged[i] < t->digits[i])
            t->merged[i] = t->digits[i];
    add_row(t, m, address);
    return true;
}

/* A '+' in a date is a space to the server: the client forgot %2B. */
static bool read_time(struct sim_request *r, const char *name, int64_t *ret)
{
    const char *text = sim_query(r, name, 0);
    return text != NULL && strchr(text, ' ') == NULL && utc_parse_rfc3339(text, strlen(text), ret);
}

static bool has_raw_plus(struct sim_request *r)
{
    for (const char *p = httpd_query(r->req); p != NULL && *p != '\0';) {
        size_t len;
        const char *rest = str_split(p, '&', &len);
        if ((str_starts_nocase(p, "start=") || str_starts_nocase(p, "end=")) && memchr(p, '+', len) != NULL)
            return true;
        p = rest;
    }
    return false;
}

static bool begin(struct raster *t)
{
    int64_t interval = 0;
    const char *text = sim_query(t->r, "interval", 0);
    if (!read_time(t->r, "start", &t->start) || !read_time(t->r, "end", &t->end) || text == NULL ||
        !str_to_int(text, 5, 1444, &interval) || t->end <= t->start)
        return false;
    t->slot_s = interval * 60;
    t->slots = (size_t)((t->end - t->start) / t->slot_s);
    t->merged = t->slots <= SLOTS_MAX ? arena_alloc(t->r->arena, t->slots + 1) : NULL;
    t->digits = arena_alloc(t->r->arena, t->slots + 2);
    if (t->slots == 0 || t->merged == NULL || t->digits == NULL)
        return false;
    memset(t->merged, '0', t->slots);
    return true;
}

static void answer(struct raster *t)
{
    struct sim_request *r = t->r;
    struct buf xml;
    buf_init(&xml, ANSWER_MAX);
    buf_adds(&xml, "<a:response xmlns:a=\"WM\"><a:recipients>");
    add_item(&xml, all_attendees(r), NULL, t->merged, t->slots);
    buf_add(&xml, t->items.data, t->items.len);
    buf_adds(&xml, "</a:recipients></a:response>");
    sim_reply(r, &(struct sim_reply){.status = 200, .type = "text/xml", .body = xml.data, .len = xml.len});
    buf_free(&xml);
}

static void run(struct raster *t)
{
    unsigned n = 0;
    const char *u;
    bool good = true;
    while (good && n < USERS_MAX && (u = sim_query(t->r, "u", n)) != NULL) {
        good = add_person(t, u);
        n++;
    }
    if (!good || n == 0)
        sim_reply_error(t->r, n == 0 && good ? 400 : 404);
    else
        answer(t);
}

void sim_freebusy(struct sim_request *r)
{
    const char *command = sim_query(r, "cmd", 0);
    const char *agent = httpd_header(r->req, "User-Agent"), *translate = httpd_header(r->req, "Translate");
    if (command == NULL || !str_eq_nocase(command, "freebusy")) {
        sim_owa_page(r);
        return;
    }
    if (translate != NULL && str_eq_nocase(translate, "f")) {
        sim_reply_error(r, 404);
        return;
    }
    bool browser = agent != NULL && strstr(agent, "MSIE") != NULL;
    if (!browser && !sim_fault_on(&r->sim->faults, NULL, SIM_F_FB_ANY_AGENT)) {
        sim_owa_page(r);
        return;
    }
    if (has_raw_plus(r) && sim_fault_on(&r->sim->faults, NULL, SIM_F_STRICT)) {
        sim_reply_violation(r, "raw + in a date");
        return;
    }
    struct raster t = {.r = r};
    int status = spoilt(r);
    if (status == 200) {
        sim_owa_page(r);
        return;
    }
    if (status > 0) {
        sim_reply_error(r, status);
        return;
    }
    if (!begin(&t)) {
        sim_reply_error(r, 400);
        return;
    }
    buf_init(&t.items, ANSWER_MAX);
    run(&t);
    buf_free(&t.items);
}
