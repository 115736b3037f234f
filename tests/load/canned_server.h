/*
 * canned_server: an HTTP server that does nothing but send one of two prepared answers, in a process and on a core of
 * its own, so that what a driver measures is the client.
 */
#ifndef LOAD_CANNED_SERVER_H
#define LOAD_CANNED_SERVER_H

#include <sys/types.h>

struct canned_answer {
    const char *method; /* requests with this method get this answer */
    char *bytes;        /* whole, headers included; malloc'ed */
    size_t len;
};

/* A 207 with chunked body around the given XML, as Exchange 2003 sends it. */
struct canned_answer canned_207(const char *method, const char *xml);

/* SEARCH answer with `rows` appointments, and PROPFIND answer with the calendar's URL on `port`'s host. malloc'ed. */
char *canned_search_xml(unsigned rows, long long first_start);
char *canned_propfind_xml(void);

/* Forks; returns the pid and the port. The child ends with its parent. */
pid_t canned_server_start(const struct canned_answer *answers, size_t count, unsigned *ret_port);
void canned_server_stop(pid_t pid);

#endif
