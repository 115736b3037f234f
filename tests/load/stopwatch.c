/* stopwatch: see stopwatch.h. */
#include "stopwatch.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

double stopwatch_now(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double stopwatch_cpu(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

double stopwatch_cpu_of(pid_t pid)
{
    char path[64], text[1024] = "";
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    const char *rest = file && fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
    if (file)
        fclose(file);
    if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

void stopwatch_pin(int core)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 2)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)(core % cores), &set);
    sched_setaffinity(0, sizeof(set), &set);
}

bool stopwatch_smoke(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "--smoke") == 0;
}

void stopwatch_print(const char *driver, const char *unit, double ours, double limit, const char *limit_is)
{
    printf("{\"driver\":\"%s\",\"unit\":\"%s\",\"ours\":%.1f,\"limit\":%.1f,\"ratio\":%.3f,\"limit_is\":\"%s\"}\n",
           driver, unit, ours, limit, limit > 0 ? ours / limit : 0, limit_is);
}

static int by_ratio(const void *a, const void *b)
{
    const struct stopwatch_round *one = a, *two = b;
    double left = one->ours * two->limit, right = two->ours * one->limit;
    return (left > right) - (left < right);
}

void stopwatch_print_median(const char *driver, const char *unit, struct stopwatch_round *rounds, unsigned count,
                            const char *limit_is)
{
    qsort(rounds, count, sizeof(rounds[0]), by_ratio);
    stopwatch_print(driver, unit, rounds[count / 2].ours, rounds[count / 2].limit, limit_is);
}

void stopwatch_print_cost(const char *driver, const char *unit, double ours, double limit, const char *limit_is)
{
    printf("{\"driver\":\"%s\",\"unit\":\"%s\",\"ours\":%.3f,\"limit\":%.3f,\"ratio\":%.3f,\"limit_is\":\"%s\"}\n",
           driver, unit, ours, limit, ours > 0 ? limit / ours : 0, limit_is);
}
