/* stopwatch: what every load driver needs: time, the core to run on, and the one line at the end. */
#ifndef LOAD_STOPWATCH_H
#define LOAD_STOPWATCH_H

#include <stdbool.h>
#include <sys/types.h>

double stopwatch_now(void); /* seconds, monotonic */
double stopwatch_cpu(void); /* seconds of CPU that this process has used */

double stopwatch_cpu_of(pid_t pid); /* that another one has used, to a hundredth of a second */

/* Binds this process to one core, if the machine has more than one. */
void stopwatch_pin(int core);

/* --smoke: a handful of work, to see that the driver runs. */
bool stopwatch_smoke(int argc, char **argv);

/* Prints {"driver":...,"unit":...,"ours":...,"limit":...,"ratio":ours/limit,"limit_is":...}. */
void stopwatch_print(const char *driver, const char *unit, double ours, double limit, const char *limit_is);

/* What each side of one round did in a second. */
struct stopwatch_round {
    double ours, limit;
};

/* Prints the round with the median ratio; sorts them. */
void stopwatch_print_median(const char *driver, const char *unit, struct stopwatch_round *rounds, unsigned count,
                            const char *limit_is);

/* The same of what should be little: seconds, bytes. The ratio is turned over, so that more is better there, too. */
void stopwatch_print_cost(const char *driver, const char *unit, double ours, double limit, const char *limit_is);

#endif
