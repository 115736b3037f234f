/*
 * load-page: a million people change at one second while two hundred administrators read: each has the page's stream
 * for fifty people open, and reads the page, its parts, somebody's page and the API over a connection that is kept, and
 * now and then searches among everybody. How much longer until the last event has been read by a subscriber to
 * everybody than without readers, and what the longest answer was, beside what it is while nobody changes.
 *
 *   load-page [--people N] [--readers N] [--pause MS]     MS: from an answer to the next question of a reader
 *
 * Rounds with and without readers in turn; of the delays the shorter one counts on either side, of the answers the
 * longest. One that is refused, cut or not 200 fails the run.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audience.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "company.h"
#include "readers.h"
#include "stopwatch.h"

enum { PEOPLE = 1000000, READERS = 200, ROUNDS = 3, PAUSE_MS = 1000, SHOWN = 50 };

static unsigned people = PEOPLE, count = READERS, rounds = ROUNDS, pause_ms = PAUSE_MS;

struct taken {
    double delay;                                      /* s */
    double longest[READERS_WAYS], quiet[READERS_WAYS]; /* answers during a change, and while nobody changes */
    uint64_t answers;
};

static size_t everybody(unsigned i, char *out, size_t max)
{
    (void)i;
    return (size_t)snprintf(out, max, "GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n");
}

/* As the page's script does: the people on the screen. */
static size_t screen(unsigned reader, char *out, size_t max)
{
    size_t len = (size_t)snprintf(out, max, "GET /v1/events");
    for (unsigned i = 0; i < SHOWN; i++) {
        char address[32];
        len += (size_t)snprintf(out + len, max - len, "%saddress=%s", i ? "&" : "?",
                                company_address((reader * SHOWN + i) % people, address));
    }
    return len + (size_t)snprintf(out + len, max - len, " HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void turn_for(struct company *c, double seconds)
{
    for (double until = stopwatch_now() + seconds; stopwatch_now() < until;)
        loop_turn(c->loop, 10);
}

/* When everybody changes again, as stopwatch_now(), or a little before: this process may be kept waiting between the
 * two clocks. */
static double next_change(int64_t first, int64_t step)
{
    double now = stopwatch_now();
    int64_t ms = clk_wall_ms(clk_system()) + 1 - first * 1000;
    return now + (double)(ms < 0 ? -ms : step * 1000 - ms % (step * 1000)) / 1000;
}

/* Until everybody has heard how things are, nothing comes any more, and there is time before the next change, whose
 * moment it returns. */
static double rest(struct company *c, const struct audience *a, uint64_t states, int64_t first, int64_t step)
{
    double begin;
    do {
        begin = next_change(first, step);
        company_heard(c, a, states);
    } while (begin - stopwatch_now() < 2.5);
    return begin;
}

/* Nobody may be told before the second has come. */
static void check_not_early(const struct audience *a, double begin)
{
    if (audience_first(a) < begin) {
        fprintf(stderr, "load-page: a change was told %.3f s before its second\n", begin - audience_first(a));
        exit(1);
    }
}

static void keep_longest(const struct readers *r, double longest[READERS_WAYS])
{
    for (int way = 0; way < READERS_WAYS; way++) {
        double took = readers_longest(r, (enum readers_way)way);
        longest[way] = took > longest[way] ? took : longest[way];
    }
}

/* One change. With readers their streams have to have heard of it, too. */
static void one_round(struct company *c, int64_t first, int64_t step, bool read, struct taken *best)
{
    struct audience all, screens;
    struct readers readers;
    uint64_t answers = 0;

    audience_start(&all, c->port, 1, everybody);
    if (read) {
        audience_start(&screens, c->port, count, screen);
        readers_start(&readers, c->port, people, count, pause_ms);
    }
    if (read)
        rest(c, &screens, (uint64_t)count * SHOWN, first, step);
    double begin = rest(c, &all, people, first, step);
    uint64_t events = audience_events(&all), shown = read ? audience_events(&screens) : 0;
    audience_await(&all);
    if (read) {
        readers_forget(&readers);
        turn_for(c, begin - stopwatch_now() - 0.3);
        keep_longest(&readers, best->quiet);
        readers_forget(&readers);
        answers = readers_answers(&readers);
    }
    while (audience_lost(&all) == 0 && (audience_events(&all) < events + people ||
                                        (read && audience_events(&screens) < shown + (uint64_t)count * SHOWN)))
        loop_turn(c->loop, 10);
    if (audience_lost(&all) > 0) {
        fprintf(stderr, "load-page: the stream of everybody was cut\n");
        exit(1);
    }
    double last = audience_last(&all);
    check_not_early(&all, begin);
    if (read) {
        keep_longest(&readers, best->longest);
        best->answers += readers_answers(&readers) - answers;
        last = audience_last(&screens) > last ? audience_last(&screens) : last;
        if (readers_errors(&readers) > 0 || audience_lost(&screens) > 0) {
            fprintf(stderr, "load-page: %lu readers and %lu streams were cut or refused\n",
                    (unsigned long)readers_errors(&readers), (unsigned long)audience_lost(&screens));
            exit(1);
        }
        readers_stop(&readers);
        audience_stop(&screens);
    }
    best->delay = best->delay <= 0 || last - begin < best->delay ? last - begin : best->delay;
    audience_stop(&all);
}

static void read_options(int argc, char **argv)
{
    if (stopwatch_smoke(argc, argv))
        people = 2000, count = 20, rounds = 1, pause_ms = 100;
    for (int i = 1; i + 1 < argc; i += 2) {
        unsigned n = (unsigned)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--people") == 0)
            people = n;
        else if (strcmp(argv[i], "--readers") == 0)
            count = n;
        else if (strcmp(argv[i], "--pause") == 0)
            pause_ms = n;
    }
}

int main(int argc, char **argv)
{
    struct taken with = {.delay = 0}, without = {.delay = 0};
    struct company c;

    read_options(argc, argv);
    log_set_level(LOG_LEVEL_ERROR);
    stopwatch_pin(0);
    company_open(&c, people, 0.001);
    int64_t step = 6 + people / 60000, first = clk_wall_s(clk_system()) + step;
    company_meet(&c, first, step, 0);
    for (unsigned i = 0; i < rounds; i++) {
        one_round(&c, first, step, false, &without);
        one_round(&c, first, step, true, &with);
    }
    company_close(&c);
    fprintf(stderr, "%u people, %u readers who wait %u ms: %lu answers during the changes, no error\n", people, count,
            pause_ms, (unsigned long)with.answers);
    stopwatch_print_cost("page-change", "s", with.delay, without.delay, "the same change of everybody without readers");
    stopwatch_print_cost("page-answer", "s", with.longest[READERS_PAGE], with.quiet[READERS_PAGE],
                         "the longest answer while nobody changes");
    stopwatch_print_cost("page-search", "s", with.longest[READERS_SEARCH], with.quiet[READERS_SEARCH],
                         "the longest search among everybody while nobody changes");
    return 0;
}
