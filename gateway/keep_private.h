/* keep_private: shared by keep.c and keep_person.c. */
#ifndef GATEWAY_KEEP_PRIVATE_H
#define GATEWAY_KEEP_PRIVATE_H

#include "keep.h"

struct gw_keep {
    struct db *db;
    char *directory;
    char trouble[400]; /* why there is no db */
    int lock;
    size_t loaded;
};

#endif
