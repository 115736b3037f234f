/*
 * policy_table: the table of who may see whom, compiled from the configuration. Plain data and pure functions, without
 * a daemon: what is tested, compared with an oracle, and held against another table before a reload.
 *
 * Lines are tried in order, the first that matches both sides and has not ended decides. None: nothing.
 */
#ifndef GATEWAY_POLICY_TABLE_H
#define GATEWAY_POLICY_TABLE_H

#include <stddef.h>

#include "presence/hours.h"
#include "presence/view.h"

struct buf;
struct gw_policy_table;

/* Who asks. Every text may be NULL but name. */
struct gw_asker {
    const char *name; /* identity, address or outlet */
    const char *group;
    const char *part; /* the domain of somebody who watches through an outlet */
    bool anonymous, outlet;
};

/* About whom. */
struct gw_subject {
    const char *address, *publish_as;
    const char *group; /* NULL: none */
};

struct gw_policy_table *gw_policy_table_new(void);
void gw_policy_table_free(struct gw_policy_table **t);

/* Takes the hours; used by all lines that say working_hours_only. */
void gw_policy_table_hours(struct gw_policy_table *t, struct pres_hours *hours);

/* One line. `who` and `whom` are lists separated by commas. `until` is a day or a moment, NULL: for ever. NULL: added;
 * else a phrase about what is wrong. */
struct gw_policy_line {
    const char *who, *whom, *level;
    bool merge, no_until, working_only;
    int64_t grid_s, horizon_s;
    const char *until;
};
const char *gw_policy_table_add(struct gw_policy_table *t, const struct gw_policy_line *line, unsigned number,
                                bool in_file);

/*
 * The lines of a text: WHO WHOM LEVEL [grid=30m] [merge] [horizon=14d] [no_until] [working_hours_only] [until=DAY]; '#'
 * begins a comment; a word with blanks stands in double quotes. NULL: all added; else what is wrong, with *ret_line.
 */
const char *gw_policy_table_read(struct gw_policy_table *t, const char *text, unsigned *ret_line);

size_t gw_policy_table_count(const struct gw_policy_table *t);

/* What the asker may be told of the subject. */
void gw_policy_table_grant(const struct gw_policy_table *t, const struct gw_asker *who, const struct gw_subject *whom,
                           int64_t now, struct pres_grant *ret);

/* The lines that speak of this asker, from 0, into `lines` (as many as there are lines); returns how many. */
size_t gw_policy_table_lines(const struct gw_policy_table *t, const struct gw_asker *who, unsigned *lines);
/* As gw_policy_table_grant; only these lines need be looked at. */
void gw_policy_table_grant_by(const struct gw_policy_table *t, const unsigned *lines, size_t count,
                              const struct gw_asker *who, const struct gw_subject *whom, int64_t now,
                              struct pres_grant *ret);

/* Does line i (from 0) speak of this asker, this subject? For warnings about lines that speak of nobody. */
bool gw_policy_line_who(const struct gw_policy_table *t, size_t i, const struct gw_asker *who);
bool gw_policy_line_whom(const struct gw_policy_table *t, size_t i, const struct gw_subject *whom);
/* The same of one word of its who: the w-th; NULL at the end. */
const char *gw_policy_line_word(const struct gw_policy_table *t, size_t i, size_t w);
bool gw_policy_line_is_file(const struct gw_policy_table *t, size_t i, unsigned *ret_line);

/* The line as one would write it. */
void gw_policy_line_text(const struct gw_policy_table *t, size_t i, struct buf *out);
/* A grant in the same words, without who and whom: "times grid=30m merge". */
void gw_policy_grant_text(const struct pres_grant *grant, struct buf *out);

/* The first moment after now at which a view may differ by itself: a grid's multiple, the end of a line, of working
 * hours, the horizon's quarter of an hour. PRES_NEVER: none. */
int64_t gw_policy_table_next(const struct gw_policy_table *t, int64_t now);
/* Can a view here be anything but all or nothing? */
bool gw_policy_table_shapes(const struct gw_policy_table *t);

/* Does b tell anything that a does not? Level for level, shape for shape. */
bool gw_policy_widens(const struct pres_grant *a, const struct pres_grant *b);

#endif
