/* bare_stream: the limit of load-nine-oclock: libmicrohttpd alone, writing the same bytes to as many connections. */
#ifndef LOAD_BARE_STREAM_H
#define LOAD_BARE_STREAM_H

#include <stddef.h>

struct bare_stream_time {
    double cpu, wall; /* s */
};

/* `text`: `events` of `bytes` each, of which each connection gets its share. `pool`: the memory libmicrohttpd has for a
 * connection, of which it writes a half at a time; 0: as it comes. Without a text each event is printed when its turn
 * comes, by snprintf(), as a program that knows nothing of caches would do. */
struct bare_stream_time bare_stream(unsigned connections, const char *text, unsigned events, unsigned bytes,
                                    size_t pool);

/* Bytes that so many connections hold of this process's memory while they wait, with a response block of `block`. */
size_t bare_stream_resident(unsigned connections, size_t block, size_t pool);

#endif
