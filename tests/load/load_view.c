/*
 * load-view: event streams of subscribers to everybody, who are told of changes through the view of a policy. What an
 * event costs of CPU there, beside the same events in the same streams when no policy is there, and everybody is told
 * everything. The policy has lines of every kind before the one that matches, and that one has a shape: times on a grid
 * of a quarter of an hour, so that each state is made anew from the calendar.
 *
 * On stderr, the same with a line that tells times as they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audience.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "company.h"
#include "gateway.h"
#include "presence/interval.h"
#include "stopwatch.h"

enum { PEOPLE = 5000, STREAMS = 16, ROUNDS = 6, REPEAT = 5, DAY_S = 86400, GRID_S = 900, MEETINGS = 40 };

static const char lines[] = "    - { who: 'group:core', whom: '*', level: times }\n"
                            "    - { who: '@a.test', whom: 'group:core', level: kinds }\n"
                            "    - { who: 'outlet:wall', whom: '*', level: available }\n"
                            "    - { who: 'x@b.test', whom: '@x.test', level: kinds }\n"
                            "    - { who: anonymous, whom: 'group:board', level: nothing }\n"
                            "    - { who: anonymous, whom: 'chief@x.test', level: available }\n"
                            "    - { who: anonymous, whom: '@y.test', level: available }\n"
                            "    - { who: '*', whom: self, level: times }\n"
                            "    - { who: anonymous, whom: '*', level: times";

static unsigned people = PEOPLE, rounds = ROUNDS;

static size_t everybody(unsigned i, char *out, size_t max)
{
    (void)i;
    return (size_t)snprintf(out, max, "GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n");
}

/* Everybody's present meeting ends a quarter of an hour later than the last time. */
static void change_all(struct company *c, unsigned round)
{
    struct pres_table *table = gw_table(c->gateway);
    int64_t now = clk_wall_s(clk_system()), begin = now / GRID_S * GRID_S;
    struct pres_interval in[MEETINGS];
    for (unsigned i = 0; i < MEETINGS; i++) {
        int64_t at = begin + (int64_t)i * 6 * 3600;
        in[i] = (struct pres_interval){at, at + GRID_S * (1 + (i == 0 ? round + 1 : 2)), i % 3 ? PRES_BUSY : PRES_OOF};
    }
    unsigned n = 0;
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(table, id)) != PRES_NOBODY;) {
        pres_table_update(table, id, in, MEETINGS, now - DAY_S, now + 13 * DAY_S, now);
        if (++n % 500 == 0)
            loop_turn(c->loop, 0);
    }
}

/* The lines, and the end of the last one. */
static void limit_to(struct company *c, const char *shape)
{
    char rules[sizeof lines + 40];
    snprintf(rules, sizeof rules, "%s%s", lines, shape);
    company_policy(c, rules);
}

static void wait_events(struct company *c, const struct audience *a, uint64_t events)
{
    for (double end = stopwatch_now() + 120; audience_events(a) < events; loop_turn(c->loop, 5))
        if (audience_lost(a) > 0 || stopwatch_now() > end) {
            fprintf(stderr, "load-view: %lu of %lu events, %lu streams were cut\n", (unsigned long)audience_events(a),
                    (unsigned long)events, (unsigned long)audience_lost(a));
            exit(1);
        }
}

/* Events a second of CPU; each change is one for each stream. */
static double events(struct company *c)
{
    struct audience a;
    change_all(c, 0);
    company_settle(c);
    audience_start(&a, c->port, STREAMS, everybody);
    uint64_t each = (uint64_t)people * STREAMS;
    wait_events(c, &a, each);
    double cpu = stopwatch_cpu();
    for (unsigned i = 1; i <= rounds; i++) {
        change_all(c, i);
        wait_events(c, &a, each * (i + 1));
    }
    cpu = stopwatch_cpu() - cpu;
    audience_stop(&a);
    company_settle(c);
    return (double)each * rounds / cpu;
}

int main(int argc, char **argv)
{
    bool smoke = stopwatch_smoke(argc, argv);
    struct stopwatch_round measured[REPEAT];
    struct company c;
    unsigned repeat = smoke ? 1 : REPEAT;
    double plain = 0;
    log_set_level(LOG_LEVEL_ERROR);
    stopwatch_pin(0);
    if (smoke)
        people = 50, rounds = 1;
    company_open(&c, people, 0.001);
    for (unsigned i = 0; i < repeat; i++) {
        company_policy(&c, "");
        measured[i].limit = events(&c);
        limit_to(&c, ", grid: 15m }\n");
        measured[i].ours = events(&c);
        limit_to(&c, " }\n");
        plain += events(&c) / measured[i].limit / repeat;
    }
    fprintf(stderr, "%u people, %u streams of everybody; with times as they are: a ratio of %.2f on average\n", people,
            (unsigned)STREAMS, plain);
    stopwatch_print_median("load-view", "events/s of CPU", measured, repeat, "the same streams without a policy");
    company_close(&c);
    return 0;
}
