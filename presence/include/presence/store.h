/*
 * store: what outlets must not forget over a restart (subscriptions, entity tags), as rows of key and value in a space
 * of each outlet's own. Presence knows the interface; the gateway says where the rows go.
 */
#ifndef PRESENCE_STORE_H
#define PRESENCE_STORE_H

#include <stdbool.h>
#include <stddef.h>

typedef void pres_store_row_fn(void *arg, const char *key, const char *value);
/* The row is safe now (or could not be made so: ok is false). */
typedef void pres_store_done_fn(void *arg, const char *key, bool ok);

struct pres_store {
    void *impl;
    /* Hands out every row of the space. */
    void (*load)(void *impl, const char *space, pres_store_row_fn *row, void *arg);
    /* The row is so from now on; value NULL: there is none. Keys and values are UTF-8 without line ends. `done` (may be
     * NULL) comes once, from the loop, never before this returned. */
    void (*put)(void *impl, const char *space, const char *key, const char *value, pres_store_done_fn *done, void *arg);
    /* No `done` with this arg any more. */
    void (*forget)(void *impl, void *arg);
};

#endif
