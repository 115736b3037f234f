/*
 * hour: one simulated hour of many people with random calendars, random new answers and random failures; a recording
 * subscriber must be told of every transition, at its second, exactly once. The oracle keeps each person's raw
 * appointments and asks of each second in which something could happen "what is the strongest that covers it", without
 * anything of presence's own.
 *
 *   hour [PEOPLE]      100,000 unless told
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "presence/watch.h"

enum { HOUR_S = 3600, POLL_EVERY_S = 300, STALE_S = 900, APPOINTMENTS = 12, NEWS_MAX = 64, FROM = 1800000000 };

struct appointment {
    int64_t start, end;
    enum pres_kind kind;
};

/* One transition: from this second on the person is that. */
struct news {
    uint16_t at; /* s of the hour */
    uint8_t kind;
};

struct person {
    struct appointment items[APPOINTMENTS];
    int64_t as_of; /* 0: never read */
    pres_id id;
    struct pres_presence last; /* told */
    uint8_t oracle, told;      /* the last transition of each list */
    uint8_t n_oracle, n_told;
    struct news expected[NEWS_MAX], heard[NEWS_MAX];
};

struct world {
    struct clk *clk;
    struct loop *loop;
    struct pres_table *table;
    struct pres_journal *journal;
    struct pres_watch *watch;
    struct person *people;
    struct person **by_id;
    unsigned count;
    uint64_t random, events, transitions, failures, answers, wrong;
};

static uint32_t draw(struct world *w, uint32_t below)
{
    w->random = w->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(w->random >> 33) % below;
}

static int64_t now(const struct world *w)
{
    return clk_wall_s(w->clk);
}

static void complain(struct world *w, const struct person *p, const char *what)
{
    if (w->wrong++ < 10)
        fprintf(stderr, "person %td at second %lld: %s\n", p - w->people, (long long)(now(w) - FROM), what);
}

static void changed(void *arg, pres_id id, const struct pres_presence *presence)
{
    struct world *w = arg;
    pres_journal_add(w->journal, id, presence);
}

static void add_news(struct world *w, struct person *p, struct news *list, uint8_t *n, uint8_t *last,
                     enum pres_kind kind)
{
    if (*last == kind)
        return;
    *last = (uint8_t)kind;
    if (*n == NEWS_MAX) {
        complain(w, p, "more transitions than this test has room for");
        return;
    }
    list[(*n)++] = (struct news){(uint16_t)(now(w) - FROM), (uint8_t)kind};
}

/* The recording subscriber. */
static void read_all(void *arg)
{
    struct world *w = arg;
    struct pres_event e;
    while (pres_watch_next(w->watch, &e) == PRES_WATCH_EVENT) {
        struct person *p = w->by_id[e.id];
        if (w->events++ >= w->count && pres_presence_same(&p->last, &e.now)) /* after the snapshot */
            complain(w, p, "was told the same twice");
        p->last = e.now;
        add_news(w, p, p->heard, &p->n_told, &p->told, e.now.state);
    }
}

/* The oracle: brute force over what the person's last answer said. */
static enum pres_kind truth(const struct person *p, int64_t t)
{
    enum pres_kind kind = PRES_FREE;
    if (p->as_of == 0 || t >= p->as_of + STALE_S)
        return PRES_UNKNOWN;
    for (unsigned i = 0; i < APPOINTMENTS; i++)
        if (p->items[i].start <= t && t < p->items[i].end && p->items[i].kind > kind)
            kind = p->items[i].kind;
    return kind;
}

static void make_calendar(struct world *w, struct person *p)
{
    for (unsigned i = 0; i < APPOINTMENTS; i++) {
        int64_t start = FROM - HOUR_S + draw(w, 3 * HOUR_S);
        p->items[i] =
            (struct appointment){start, start + 1 + draw(w, 1800), (enum pres_kind)(PRES_ELSEWHERE + draw(w, 4))};
    }
}

static void answer(struct world *w, struct person *p)
{
    struct pres_interval in[APPOINTMENTS];
    if (draw(w, 10) == 0)
        make_calendar(w, p);
    for (unsigned i = 0; i < APPOINTMENTS; i++)
        in[i] = (struct pres_interval){p->items[i].start, p->items[i].end, p->items[i].kind};
    p->as_of = now(w);
    pres_table_update(w->table, p->id, in, APPOINTMENTS, FROM - 86400, FROM + 14 * 86400, p->as_of);
    w->answers++;
}

/* A third of the polls fail in the middle of the hour: some people grow stale, and come back. */
static void poll_some(struct world *w, unsigned second)
{
    unsigned bad = second > 900 && second < 2700 ? 60 : 10;
    for (unsigned i = second % POLL_EVERY_S; i < w->count; i += POLL_EVERY_S) {
        if (draw(w, 100) >= bad) {
            answer(w, &w->people[i]);
            continue;
        }
        pres_table_fail(w->table, w->people[i].id, "tcp-timeout");
        w->failures++;
    }
}

static void ask_oracle(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        struct person *p = &w->people[i];
        add_news(w, p, p->expected, &p->n_oracle, &p->oracle, truth(p, now(w)));
    }
}

static void set_up(struct world *w, unsigned count)
{
    *w = (struct world){.count = count, .random = 42};
    w->clk = clk_fake_new((int64_t)FROM * 1000);
    w->loop = loop_new(w->clk);
    w->table = pres_table_new(w->loop, changed, w);
    w->journal = pres_journal_new(w->table, 4 * (size_t)count + 1000);
    w->people = mem_calloc(count, sizeof *w->people);
    w->by_id = mem_calloc(2 * (size_t)count + 64, sizeof *w->by_id);
    for (unsigned i = 0; i < count; i++) {
        char address[40];
        struct person *p = &w->people[i];
        snprintf(address, sizeof address, "p%u@example.test", i);
        struct pres_person_spec spec = {.address = address, .stale_after = STALE_S};
        p->id = pres_table_add(w->table, &spec);
        p->oracle = p->told = PRES_UNKNOWN;
        w->by_id[p->id] = p;
        make_calendar(w, p);
    }
    w->watch = pres_watch_new(w->journal, NULL, 0, NULL, read_all, w);
    read_all(w);
}

static void tear_down(struct world *w)
{
    pres_watch_free(&w->watch);
    pres_journal_free(&w->journal);
    pres_table_free(&w->table);
    loop_free(&w->loop);
    clk_fake_free(&w->clk);
    free(w->people);
    free(w->by_id);
}

static void differ(struct world *w, struct person *p)
{
    unsigned i = 0;
    while (i < p->n_told && i < p->n_oracle && memcmp(&p->heard[i], &p->expected[i], sizeof *p->heard) == 0)
        i++;
    if (w->wrong < 10)
        fprintf(stderr, "transition %u: heard %s at %u, happened %s at %u\n", i,
                i < p->n_told ? pres_kind_name(p->heard[i].kind) : "nothing", p->heard[i].at,
                i < p->n_oracle ? pres_kind_name(p->expected[i].kind) : "nothing", p->expected[i].at);
    complain(w, p, "was told something else than what happened");
}

static void compare(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        struct person *p = &w->people[i];
        w->transitions += p->n_oracle;
        if (p->n_oracle != p->n_told || memcmp(p->expected, p->heard, p->n_told * sizeof *p->heard) != 0)
            differ(w, p);
    }
}

int main(int argc, char **argv)
{
    struct world w;
    set_up(&w, argc > 1 ? (unsigned)atoi(argv[1]) : 100000);
    for (unsigned second = 0; second < HOUR_S; second++) {
        ask_oracle(&w); /* by the calendars as they were */
        poll_some(&w, second);
        for (unsigned turn = 0; turn < 4; turn++) /* what the answers changed is told in this second */
            loop_turn(w.loop, 0);
        ask_oracle(&w);
        loop_advance(w.loop, 1000);
    }
    compare(&w);
    printf("%u people, %llu answers, %llu failures, %llu transitions, %llu events: %llu wrong\n", w.count,
           (unsigned long long)w.answers, (unsigned long long)w.failures, (unsigned long long)w.transitions,
           (unsigned long long)w.events, (unsigned long long)w.wrong);
    bool ok = w.wrong == 0 && w.transitions > w.count;
    tear_down(&w);
    return ok ? 0 : 1;
}
