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
    int64_t loaded_ms; /* mono */
    bool tidied;
};

/* keep_leave.c: the note that our predecessor left; NULL: none that can be used. For each row that was taken, and when
 * all were. */
struct gw_left;
struct gw_left *gw_keep_left(struct gateway *g, char *why, size_t why_size);
void gw_keep_left_free(struct gw_left **left);
void gw_keep_left_person(struct gateway *g, const struct gw_left *left, pres_id id);
void gw_keep_left_all(struct gateway *g, const struct gw_left *left);

void gw_keep_load_refusals(struct gateway *g);
bool gw_keep_text(const struct db_value *v, char *out, size_t size); /* false: not a text that fits */

#endif
