/*
 * people_diff: who of a roster is new, who is gone, who may be different: what people.c has to touch. Looking for that
 * is what takes long with very many people, and changes nothing, so it is done in slices before anything is exchanged.
 */
#ifndef GATEWAY_PEOPLE_DIFF_H
#define GATEWAY_PEOPLE_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "presence/table.h"

struct gateway;
struct gw_config;
struct gw_people_diff;
struct gw_roster;
struct gw_server;

/* Somebody who is there, and what the roster says of them now. */
struct gw_people_pair {
    pres_id id;
    size_t user; /* index in the roster */
};

/*
 * Of the table's people, who are numbered by `servers` (how many), and the roster's under `next`. Everything but the
 * array must live as long. Whoever is not named by it needs nothing; the others may.
 */
struct gw_people_diff *gw_people_diff_new(struct gateway *g, const struct gw_config *next,
                                          const struct gw_roster *roster, struct gw_server *const *servers,
                                          unsigned count);
void gw_people_diff_free(struct gw_people_diff **d); /* NULL is fine; no callback any more */

/* In slices; `done` comes once, from the loop, never before this returned. */
typedef void gw_people_diff_fn(void *arg);
void gw_people_diff_run(struct gw_people_diff *d, gw_people_diff_fn *done, void *arg);
void gw_people_diff_finish(struct gw_people_diff *d); /* at once */

/* Has anybody come, gone or changed since it was begun? Then it is of no use. */
bool gw_people_diff_outdated(const struct gw_people_diff *d);

const struct gw_roster *gw_people_diff_roster(const struct gw_people_diff *d);
const pres_id *gw_people_diff_gone(const struct gw_people_diff *d, size_t *ret_count);
const struct gw_people_pair *gw_people_diff_differing(const struct gw_people_diff *d, size_t *ret_count);
const size_t *gw_people_diff_fresh(const struct gw_people_diff *d, size_t *ret_count); /* indexes in the roster */

#endif
