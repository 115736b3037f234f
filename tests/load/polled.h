/*
 * polled: what load-poll and load-poll-bulk have in common: our side, from a session with the canned server to an empty
 * table of persons.
 */
#ifndef LOAD_POLLED_H
#define LOAD_POLLED_H

struct dav_session;
struct loop;
struct pres_table;

struct polled {
    struct loop *loop;
    struct dav_session *session;
    struct pres_table *table;
};

/* Questions go over so many connections, all at once, by Basic. `driver` is for what there is to complain of; then the
 * program ends. */
void polled_open(struct polled *p, const char *driver, unsigned port, unsigned connections);
void polled_close(struct polled *p);

#endif
