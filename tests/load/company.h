/*
 * company: a whole gateway, in this process, with as many people as a driver likes: configuration file, CSV file of
 * people, listener on a free port of the loopback, and a canned Exchange server behind it.
 */
#ifndef LOAD_COMPANY_H
#define LOAD_COMPANY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct audience;
struct gateway;
struct loop;

enum { COMPANY_INTERVALS = 40 }; /* of a person's fortnight */

struct company {
    struct loop *loop;
    struct gateway *gateway;
    unsigned people;
    unsigned port; /* of its HTTP listener */
    pid_t server;  /* canned */
    unsigned server_port;
    double polls;
    char folder[64];
};

/* `polls` a second at the most. Ends the program when something is wrong. */
void company_open(struct company *c, unsigned people, double polls);
void company_close(struct company *c);

/* These rules, as they stand in a configuration, from now on; "": none. */
void company_policy(struct company *c, const char *rules);

/* "u123@x.test": of the person that the n-th line of the CSV file names, from 0. */
char *company_address(unsigned n, char out[32]);

/*
 * Everybody has COMPANY_INTERVALS meetings of `step` seconds, each `step` seconds after the one before, from `first`
 * on: so a change of everybody every `step` seconds. With `jitter` that is not the same second for all, but one minute
 * or another of so many seconds.
 */
void company_meet(struct company *c, int64_t first, int64_t step, unsigned jitter);

/* Turns until what was said above is told to everybody who listens. */
void company_settle(struct company *c);

/* Turns until `states` events and all that are under way have been heard by the audience. */
void company_heard(struct company *c, const struct audience *a, uint64_t states);

/* Bytes of this process in memory. */
size_t company_resident(void);

#endif
