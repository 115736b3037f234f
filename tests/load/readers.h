/*
 * readers: a process on the other core that reads as administrators with open pages do. Each reader has one connection,
 * kept alive, and asks for the next thing some time after the answer before; a part of them searches among everybody.
 */
#ifndef LOAD_READERS_H
#define LOAD_READERS_H

#include <stdint.h>
#include <sys/types.h>

struct readers {
    pid_t pid;
    volatile uint64_t *shared;
};

void readers_start(struct readers *r, unsigned port, unsigned people, unsigned count, unsigned pause_ms);
void readers_stop(struct readers *r);

uint64_t readers_answers(const struct readers *r);
uint64_t readers_errors(const struct readers *r); /* connections that ended, answers that are not 200 */

/* The longest from a question to the last byte of its answer since what was before was forgotten, in s, and of those
 * who wait still. */
enum readers_way { READERS_PAGE, READERS_SEARCH, READERS_WAYS };
double readers_longest(const struct readers *r, enum readers_way way);
void readers_forget(struct readers *r);

#endif
