/*
 * polled: what load-poll and load-poll-bulk have in common: our side, from a session with the canned server to an empty
 * table of persons.
 */
#ifndef LOAD_POLLED_H
#define LOAD_POLLED_H

#include <stdbool.h>

struct dav_session;
struct loop;
struct pres_table;

struct polled {
    struct loop *loop;
    struct dav_session *session;
    struct pres_table *table;
    unsigned people;
};

/* Questions go over so many connections, all at once, by Basic. `driver` is for what there is to complain of; then the
 * program ends. */
void polled_open(struct polled *p, const char *driver, unsigned port, unsigned connections);
void polled_close(struct polled *p);

/* Adds the people of the table: a million, a thousand for a smoke test. */
void polled_people(struct polled *p, bool smoke);

/* Everybody is known as the first `like` of them are now, so that an answer finds what a million's find. */
void polled_know(struct polled *p, unsigned like);

/* Whose turn the nth is: everybody once, far from each other in memory, as the wheel has it. */
unsigned polled_turn(const struct polled *p, unsigned n);

#endif
