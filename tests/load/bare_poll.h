/* bare_poll: the limit of load-poll and load-poll-bulk: the same requests by nothing but libcurl's multi interface,
 * libevent and libxml2's SAX parser. */
#ifndef LOAD_BARE_POLL_H
#define LOAD_BARE_POLL_H

#define BARE_POLL_WANTED 3

struct bare_poll_job {
    const char *method, *url, *body;      /* body NULL: none */
    const char *const *headers;           /* NULL-terminated */
    const char *wanted[BARE_POLL_WANTED]; /* elements whose texts are picked out; NULL: no more */
    const char *row;                      /* the element around them */
};

/* Requests per second of CPU time over so many connections; the rows seen that have everything, for the check. */
double bare_poll(const struct bare_poll_job *job, unsigned requests, unsigned connections, unsigned long *ret_rows);

#endif
