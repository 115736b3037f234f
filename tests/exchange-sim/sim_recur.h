/*
 * sim_recur: one item of the calendar to its instances in a window, on the wall clock of the item's zone.
 */
#ifndef SIM_RECUR_H
#define SIM_RECUR_H

#include <stdbool.h>
#include <stdint.h>

struct sim_item;

/* The values of urn:schemas:calendar:instancetype. */
enum sim_instance_type { SIM_SINGLE, SIM_MASTER, SIM_INSTANCE, SIM_EXCEPTION };

struct sim_instance {
    const struct sim_item *item;
    enum sim_instance_type type;
    int64_t start;
    int64_t end;
    int64_t id; /* recurrenceid: when it would have begun; 0 for singles and masters */
    int busy;   /* enum sim_busy */
};

typedef void sim_instance_fn(void *arg, const struct sim_instance *instance);

/* The item itself: a single one, or the master with the times of its first occurrence. */
void sim_recur_whole(const struct sim_item *item, struct sim_instance *ret);

/* Calls fn for each instance (2) and exception (3) that touches [from, to]; nothing for an item that does not recur. */
void sim_recur_expand(const struct sim_item *item, int64_t from, int64_t to, sim_instance_fn *fn, void *arg);

#endif
