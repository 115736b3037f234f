/*
 * brokers: the same messages through Redis (PUBLISH, pipelined) and through mosquitto (QoS 0), each started for this on
 * a port of its own. `channels` of them, with one subscriber each; `messages` in all, one channel after the other.
 */
#ifndef LOAD_BROKERS_H
#define LOAD_BROKERS_H

#include <stdbool.h>

struct broker_time {
    double cpu, wall; /* s: of the broker's process; from the first byte published to the last one read */
};

/* False: the program is not installed. */
bool brokers_redis(unsigned channels, unsigned messages, unsigned bytes, struct broker_time *ret);
bool brokers_mosquitto(unsigned channels, unsigned messages, unsigned bytes, struct broker_time *ret);

#endif
