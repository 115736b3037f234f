/* bare_poll: the limit of load-poll: the same requests by nothing but libcurl's multi interface, libevent and libxml2's
 * SAX parser. */
#ifndef LOAD_BARE_POLL_H
#define LOAD_BARE_POLL_H

/* Users per second of CPU time for `users` SEARCH requests with that body over `connections` connections; the
 * appointments seen, for the check. */
double bare_poll(const char *url, const char *body, unsigned users, unsigned connections,
                 unsigned long *ret_appointments);

#endif
