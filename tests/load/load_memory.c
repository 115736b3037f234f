/*
 * load-memory: resident bytes a person, at ten thousand, a hundred thousand and a million people with a fortnight of
 * forty intervals each, in a whole gateway; and what a day of polls that all bring another calendar leaves behind. At
 * most 512 bytes a person are allowed, and three percent more after the day than before.
 *
 * Each size is a process of its own, which compares itself with how large it was when it had one person.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "company.h"
#include "stopwatch.h"

enum { LIMIT = 512, HOUR_S = 3600, POLLS_A_DAY = 96, CHURN_PEOPLE = 100000 };

static int64_t in_an_hour(void)
{
    int64_t now = clk_wall_s(clk_system());
    return now - now % HOUR_S + 2 * HOUR_S;
}

static size_t with_people(struct company *c, unsigned people)
{
    company_open(c, people, 0.001);
    company_meet(c, in_an_hour(), HOUR_S / 2, HOUR_S);
    return company_resident();
}

static void measure(unsigned people)
{
    struct company nearly_none, c;
    char driver[40];
    size_t before = with_people(&nearly_none, 1);

    company_close(&nearly_none);
    size_t after = with_people(&c, people);
    snprintf(driver, sizeof(driver), "memory-%u", people);
    stopwatch_print_cost(driver, "bytes/person", (double)(after - before) / people, LIMIT, "what is allowed");
    company_close(&c);
}

/* Every poll brings everybody's calendar an hour later than before: all sets are made anew, all at sizes of their own.
 */
static void churn(unsigned people)
{
    struct company c;
    char driver[40];
    with_people(&c, people);
    for (int64_t i = 1; i <= POLLS_A_DAY / 8; i++) /* the ring of the last changes is full */
        company_meet(&c, in_an_hour() + i * 60, HOUR_S / 2, HOUR_S);
    size_t before = company_resident();

    for (int64_t i = 1; i <= POLLS_A_DAY; i++)
        company_meet(&c, in_an_hour() + i * 60, HOUR_S / 2 - 60 * (i % 7), HOUR_S);
    company_meet(&c, in_an_hour(), HOUR_S / 2, HOUR_S);
    snprintf(driver, sizeof(driver), "memory-day-%u", people);
    stopwatch_print_cost(driver, "bytes", (double)company_resident(), (double)before,
                         "before a day of polls with other calendars");
    company_close(&c);
}

static void apart(void (*run)(unsigned people), unsigned people)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        run(people);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        exit(1);
}

int main(int argc, char **argv)
{
    bool smoke = stopwatch_smoke(argc, argv);
    log_set_level(LOG_LEVEL_ERROR);
    for (unsigned people = smoke ? 100 : 10000; people <= (smoke ? 100 : 1000000); people *= 10)
        apart(measure, people);
    apart(churn, smoke ? 100 : CHURN_PEOPLE);
    return 0;
}
