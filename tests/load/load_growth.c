/*
 * load-growth: CPU time of one poll, of one change and of one look at the status, at ten thousand, a hundred thousand
 * and a million people. Each line's limit is what it took with the fewest people; linear growth is a ratio of 1 of
 * polls and changes, and 1.3 is allowed; a look costs the same whoever is there.
 *
 * A poll is the whole way: the poller's choice, request, answer of 20 appointments, table. Twenty thousand of them are
 * measured at each size: a cycle is as many as there are people. A change is everybody's at one second, from the
 * table's timer to the journal, for which nobody waits. A look is the tree of /v1/status and the text of /metrics.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "company.h"
#include "gateway.h"
#include "http_face.h"
#include "report.h"
#include "stopwatch.h"

enum { POLLS = 20000, SIZES = 3, STEP_S = 3, ROUNDS = 5, LOOKS = 200, METRICS_MAX = 4 << 20 };

static bool smoke;

/* Microseconds. */
struct cost {
    double poll, change, look;
};

static uint64_t polls_of(const struct company *c)
{
    struct gw_stats stats;
    gw_stats(c->gateway, &stats);
    return stats.polls_ok;
}

static void poll_until(struct company *c, uint64_t polls)
{
    while (polls_of(c) < polls)
        loop_turn(c->loop, 1000);
}

static double poll_cost(unsigned people)
{
    struct company c;
    unsigned warm = people / 10 < POLLS / 4 ? people / 10 : POLLS / 4, count = people / 2 < POLLS ? people / 2 : POLLS;

    company_open(&c, people, 1000000);
    poll_until(&c, warm);
    double began = stopwatch_cpu();
    poll_until(&c, warm + count);
    double took = stopwatch_cpu() - began;
    company_close(&c);
    return took / count * 1e6;
}

static double look_cost(struct company *c)
{
    double began = stopwatch_cpu();
    for (unsigned i = 0; i < LOOKS; i++) {
        struct jv *status = gw_report_status(c->gateway);
        struct buf metrics;
        buf_init(&metrics, METRICS_MAX);
        gw_metrics_write(c->gateway, &metrics);
        buf_free(&metrics);
        jv_free(&status);
    }
    return (stopwatch_cpu() - began) / LOOKS * 1e6;
}

/* The cheapest of some rounds: what disturbs only adds. */
static double change_cost(unsigned people, double *ret_look)
{
    struct company c;
    double best = 0;

    company_open(&c, people, 0.001);
    int64_t first = clk_wall_s(clk_system()) + 2 + people / 40000, step = STEP_S + people / 100000;
    company_meet(&c, first, step, 0);
    for (int64_t i = 0; i < (smoke ? 1 : ROUNDS); i++) {
        uint64_t target = pres_journal_head(gw_journal(c.gateway)) + people;
        double began = stopwatch_cpu();
        while (pres_journal_head(gw_journal(c.gateway)) < target)
            loop_turn(c.loop, 1000);
        double took = (stopwatch_cpu() - began) / people * 1e6;
        best = i == 0 || took < best ? took : best;
    }
    *ret_look = look_cost(&c);
    company_close(&c);
    return best;
}

/* In a process of its own, so that one size does not find the memory of another. */
static struct cost measure(unsigned people)
{
    struct cost cost = {0, 0, 0};
    int ends[2], status;
    if (pipe(ends) != 0)
        exit(1);
    pid_t child = fork();
    if (child == 0) {
        stopwatch_pin(0);
        cost.poll = poll_cost(people);
        cost.change = change_cost(people, &cost.look);
        exit(write(ends[1], &cost, sizeof(cost)) != sizeof(cost));
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &cost, sizeof(cost)) != sizeof(cost) || waitpid(child, &status, 0) != child ||
        status != 0)
        exit(1);
    close(ends[0]);
    return cost;
}

int main(int argc, char **argv)
{
    smoke = stopwatch_smoke(argc, argv);
    unsigned people = smoke ? 20 : 10000;
    struct cost first = {0, 0, 0};

    log_set_level(LOG_LEVEL_ERROR);
    for (unsigned i = 0; i < SIZES; i++, people *= 10) {
        struct cost cost = measure(people);
        char driver[40];
        first = i == 0 ? cost : first;
        snprintf(driver, sizeof(driver), "growth-poll-%u", people);
        stopwatch_print_cost(driver, "us CPU", cost.poll, first.poll, "with the fewest people");
        snprintf(driver, sizeof(driver), "growth-change-%u", people);
        stopwatch_print_cost(driver, "us CPU", cost.change, first.change, "with the fewest people");
        snprintf(driver, sizeof(driver), "growth-look-%u", people);
        stopwatch_print_cost(driver, "us CPU", cost.look, first.look, "with the fewest people");
        fflush(stdout);
    }
    return 0;
}
