/*
 * http_cursor: the event ids of a viewer who may not see everything. They are cursors of the journal under a seal that
 * only this run of the daemon can open: the journal's numbers count what others do. No two are alike, and all are of
 * one length.
 */
#ifndef GATEWAY_HTTP_CURSOR_H
#define GATEWAY_HTTP_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

enum { GW_CURSOR_KEY = 32, GW_CURSOR_PLAIN = 48, GW_CURSOR_TEXT = 161 };

struct gw_cursor {
    char plain[GW_CURSOR_PLAIN]; /* the journal's */
    int64_t at;                  /* wall s: what stands before it was told then */
    uint64_t turn;               /* of gw_policy_turn, that was told by */
};

struct gw_cursor_key {
    uint8_t bytes[GW_CURSOR_KEY];
};

void gw_cursor_key_make(struct gw_cursor_key *key);

/* Returns `out`. */
char *gw_cursor_seal(const struct gw_cursor_key *key, const struct gw_cursor *cursor, char out[GW_CURSOR_TEXT]);

/* False: it is none of ours. */
bool gw_cursor_open(const struct gw_cursor_key *key, const char *text, struct gw_cursor *ret);

#endif
