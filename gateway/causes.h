/*
 * causes: why people could not be read, grouped: one entry for each code that a server's people suffer from, with how
 * many they are. Says each once in the log, and again every ten minutes while it lasts.
 */
#ifndef GATEWAY_CAUSES_H
#define GATEWAY_CAUSES_H

#include <stdint.h>

#include "davclient/cause.h"

struct gw_cause_entry {
    const struct dav_cause *cause;
    size_t persons;
    int64_t since; /* wall s, of the first of those who have it now */
    char evidence[200]; /* of the example, nobody else's; "": none */
    uint32_t example;   /* who had it last and has it still, when there is evidence */
    int64_t logged_at; /* 0: never */
    size_t logged_persons;
    bool open; /* its beginning is in the log, its end is not */
};

struct gw_causes {
    struct gw_cause_entry *entries;
    uint8_t count;
};

/* One more (counted) or the same person again with fresh evidence. `from` is what the person had before, 0: nothing.
 * Returns the entry's number, from 1. `who` is for the log. */
uint8_t gw_causes_enter(struct gw_causes *c, uint8_t from, const struct dav_cause *cause, const char *evidence,
                        uint32_t id, const char *server, const char *who, int64_t now);
void gw_causes_leave(struct gw_causes *c, uint8_t from, uint32_t id, const char *server, int64_t now);

/* It is in the log otherwise that so many people have this one now. */
void gw_causes_told(struct gw_causes *c, const char *code, size_t persons, int64_t now);

/* Time went by: says again what lasts. */
void gw_causes_tick(struct gw_causes *c, const char *server, int64_t now);
void gw_causes_free(struct gw_causes *c);

/* For a code that davclient's table does not know: a row that says so. */
const struct dav_cause *gw_cause_of(enum dav_err err, const char *code);

#endif
