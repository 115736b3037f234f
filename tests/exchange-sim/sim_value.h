/*
 * sim_value: one property's value, as it stands in an answer and as SQL compares it.
 */
#ifndef SIM_VALUE_H
#define SIM_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum sim_type {
    SIM_T_NULL,
    SIM_T_STRING,
    SIM_T_INT,
    SIM_T_BOOL,
    SIM_T_TIME,
    SIM_T_MV_STRING,
    SIM_T_MV_TIME,
    SIM_T_MV_INT,
    SIM_T_MV_BINARY,
};

struct sim_value {
    enum sim_type type;
    const char *s;     /* STRING */
    int64_t i;         /* INT, BOOL, TIME (seconds) */
    const char **list; /* MV_*: as they are written */
    size_t count;
};

/* What b:dt says; NULL for a string, which has none. */
const char *sim_type_dt(enum sim_type type);

/* "2008-03-03T09:00:00.000Z" */
const char *sim_time_text(struct arena *a, int64_t t);

char *sim_arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* <0, 0, >0; strings without ASCII case. False when the two cannot be compared. */
bool sim_value_compare(const struct sim_value *a, const struct sim_value *b, int *ret);

/* SQL's LIKE: % any text, _ any one character, without ASCII case. */
bool sim_value_like(const char *text, const char *pattern);

#endif
