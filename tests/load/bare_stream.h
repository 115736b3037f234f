/* bare_stream: the limit of load-nine-oclock: libmicrohttpd alone, writing as many events of as many bytes to as many
 * connections. */
#ifndef LOAD_BARE_STREAM_H
#define LOAD_BARE_STREAM_H

struct bare_stream_time {
    double cpu, wall; /* s */
};

/* `bytes` of each event; `events` to each of the connections. */
struct bare_stream_time bare_stream(unsigned connections, unsigned events, unsigned bytes);

#endif
