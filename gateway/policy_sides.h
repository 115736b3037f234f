/*
 * policy_sides: who asks and who is asked about, for policy_compare.c: as few of each as no line of either table can
 * tell apart. Everything is copied, because people, identities and configurations come and go while a comparison goes
 * on.
 */
#ifndef GATEWAY_POLICY_SIDES_H
#define GATEWAY_POLICY_SIDES_H

#include <stdbool.h>
#include <stddef.h>

#include "policy_table.h"
#include "presence/table.h"

struct gateway;
struct gw_config;
struct map;

/* People with the same group and domains, whom no line names; and each who is named. */
struct gw_side_class {
    struct gw_subject subject; /* one of them */
    size_t persons;
    char key[];
};

/* Identities with the same group and domain whom no line names; each who is named; the outlets; anonymous; a stranger
 * for each word of the tables. */
struct gw_side_asker {
    struct gw_asker was, becomes; /* which differ by the group */
    char *shown, *key;
    size_t others; /* for whom this one stands */
};

struct gw_sides {
    const struct gateway *g;
    struct map *whom_named, *who_named; /* lower case */
    struct map *classes_by_key, *askers_by_key;
    struct gw_side_class **classes;
    size_t class_count;
    struct gw_side_asker **askers;
    size_t asker_count;
    pres_id at; /* the last person who is in a class */
};

/* The askers. Neither configuration is looked at again. */
void gw_sides_init(struct gw_sides *s, const struct gateway *g, const struct gw_config *was,
                   const struct gw_config *becomes);
void gw_sides_free(struct gw_sides *s);

/* Puts up to `count` more people into classes; false: that was everybody. */
bool gw_sides_people(struct gw_sides *s, unsigned count);

#endif
