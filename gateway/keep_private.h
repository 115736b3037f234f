/* keep_private: shared by keep.c and keep_person.c. */
#ifndef GATEWAY_KEEP_PRIVATE_H
#define GATEWAY_KEEP_PRIVATE_H

#include "keep.h"

struct db_value;

struct gw_keep {
    struct db *db;
    char *directory;
    char trouble[400]; /* why there is no db */
    int lock;
    size_t loaded;
};

void gw_keep_load_refusals(struct gateway *g);
bool gw_keep_text(const struct db_value *v, char *out, size_t size); /* false: not a text that fits */

#endif
