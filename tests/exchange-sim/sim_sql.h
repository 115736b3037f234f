/*
 * sim_sql: the SELECT statements of SEARCH: parsed to a tree, then evaluated for each row. Knows nothing of calendars:
 * a row is whatever the value function says.
 */
#ifndef SIM_SQL_H
#define SIM_SQL_H

#include "sim_props.h"

enum sim_sql_op {
    SIM_SQL_AND,
    SIM_SQL_OR,
    SIM_SQL_NOT,
    SIM_SQL_LT,
    SIM_SQL_LE,
    SIM_SQL_GT,
    SIM_SQL_GE,
    SIM_SQL_EQ,
    SIM_SQL_NE,
    SIM_SQL_LIKE,
    SIM_SQL_IS_NULL,
    SIM_SQL_IS_NOT_NULL,
    SIM_SQL_CONST, /* TRUE or FALSE alone: left.value */
};

struct sim_sql_operand {
    bool is_prop;
    struct sim_prop prop;
    struct sim_value value;
};

struct sim_sql_expr {
    enum sim_sql_op op;
    struct sim_sql_expr *a, *b;         /* AND, OR; NOT: a */
    struct sim_sql_operand left, right; /* comparisons, LIKE; IS NULL: left */
};

enum sim_sql_traversal { SIM_SQL_SHALLOW, SIM_SQL_HIERARCHICAL, SIM_SQL_DEEP };

struct sim_sql_order {
    struct sim_prop prop;
    bool descending;
};

struct sim_sql {
    bool star;
    struct sim_prop *props;
    size_t prop_count;
    enum sim_sql_traversal traversal;
    const char *scope;          /* "" for the request's own URL */
    struct sim_sql_expr *where; /* NULL: everything */
    struct sim_sql_order *order;
    size_t order_count;
};

/* NULL with a sentence in why. Everything lives in the arena. */
struct sim_sql *sim_sql_parse(struct arena *a, const char *text, size_t len, char *why, size_t why_size);

/*
 * What a server refuses although it parses: a date property compared with text that is no date by its rules, a search
 * for DAV:uid. Turns the text of dates into times.
 */
bool sim_sql_check(struct sim_sql *sql, char *why, size_t why_size);

enum sim_sql_window { SIM_SQL_UNBOUNDED, SIM_SQL_WINDOW, SIM_SQL_TOO_LONG };

/*
 * Do the conditions bound dtstart AND dtend, together on both sides? Then the server expands recurrences in [from, to].
 * NOT turns the sides round. A window of more than 732 days is refused.
 */
enum sim_sql_window sim_sql_window(const struct sim_sql *sql, int64_t *ret_from, int64_t *ret_to);

typedef bool sim_sql_value_fn(void *arg, const struct sim_prop *p, struct sim_value *ret);

/* three: comparisons with absent properties are unknown, and so is NOT of them; else they are false, and NOT of them
 * true. */
bool sim_sql_matches(const struct sim_sql *sql, bool three, sim_sql_value_fn *value, void *arg);

#endif
