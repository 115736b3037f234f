/*
 * sim_sql_eval: what a parsed statement means: checks, the window that makes a server expand recurrences, and the truth
 * of the WHERE clause for one row, in two- or three-valued logic.
 */
#include "sim_sql.h"

#include "base/utc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MAX (732 * 86400)

enum truth { NO, YES, UNKNOWN };

/* '2008/03/03 09:00:00' or '2008/03/03', in UTC; the only text that is a date without CAST. */
static bool parse_slashed(const char *text, int64_t *ret)
{
    int y, mo, d, h = 0, mi = 0, s = 0, used = 0;
    if (sscanf(text, "%4d/%2d/%2d%n", &y, &mo, &d, &used) != 3)
        return false;
    if (text[used] != '\0') {
        const char *clock = text + used;
        used = 0;
        if (sscanf(clock, " %2d:%2d:%2d%n", &h, &mi, &s, &used) != 3 || clock[used] != '\0')
            return false;
    }
    if (mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || s > 60)
        return false;
    *ret = utc_from_civil(y, mo, d, h, mi, s);
    return true;
}

static bool check_pair(const struct sim_sql_operand *prop, struct sim_sql_operand *value, char *why, size_t why_size)
{
    if (!prop->is_prop || value->is_prop || prop->prop.type != SIM_T_TIME || value->value.type == SIM_T_TIME)
        return true;
    if (value->value.type == SIM_T_STRING && value->value.s != NULL && parse_slashed(value->value.s, &value->value.i)) {
        value->value.type = SIM_T_TIME;
        return true;
    }
    snprintf(why, why_size, "%s%s is compared with something that is no date", prop->prop.ns, prop->prop.name);
    return false;
}

static bool is_dav_uid(const struct sim_sql_operand *o)
{
    return o->is_prop && o->prop.pid == SIM_P_DAV_UID;
}

static bool check_expr(struct sim_sql_expr *e, char *why, size_t why_size)
{
    if (e == NULL)
        return true;
    if (is_dav_uid(&e->left) || is_dav_uid(&e->right)) {
        snprintf(why, why_size, "DAV:uid cannot be searched for");
        return false;
    }
    bool compares = e->op >= SIM_SQL_LT && e->op <= SIM_SQL_NE;
    if (compares && !(check_pair(&e->left, &e->right, why, why_size) && check_pair(&e->right, &e->left, why, why_size)))
        return false;
    return check_expr(e->a, why, why_size) && check_expr(e->b, why, why_size);
}

bool sim_sql_check(struct sim_sql *sql, char *why, size_t why_size)
{
    return check_expr(sql->where, why, why_size);
}

struct bounds {
    bool start, end;   /* dtstart, dtend are compared */
    bool lower, upper; /* something must be later, earlier than */
    int64_t from, to;
};

static void lower(struct bounds *b, int64_t t)
{
    if (!b->lower || t < b->from)
        b->from = t;
    b->lower = true;
}

static void upper(struct bounds *b, int64_t t)
{
    if (!b->upper || t > b->to)
        b->to = t;
    b->upper = true;
}

static void bound_by(struct bounds *b, const struct sim_sql_expr *e, bool turned)
{
    if (!e->left.is_prop || e->right.is_prop || e->right.value.type != SIM_T_TIME)
        return;
    if (e->left.prop.pid == SIM_P_START)
        b->start = true;
    else if (e->left.prop.pid == SIM_P_END)
        b->end = true;
    else
        return;
    int64_t t = e->right.value.i;
    bool later = e->op == SIM_SQL_GT || e->op == SIM_SQL_GE;
    if (e->op == SIM_SQL_EQ) {
        lower(b, t);
        upper(b, t);
    } else if (e->op == SIM_SQL_NE) {
        return;
    } else if (later != turned) {
        lower(b, t);
    } else {
        upper(b, t);
    }
}

static void collect(struct bounds *b, const struct sim_sql_expr *e, bool turned)
{
    if (e == NULL)
        return;
    if (e->op == SIM_SQL_NOT) {
        collect(b, e->a, !turned);
    } else if (e->op == SIM_SQL_AND || e->op == SIM_SQL_OR) {
        collect(b, e->a, turned);
        collect(b, e->b, turned);
    } else if (e->op >= SIM_SQL_LT && e->op <= SIM_SQL_NE) {
        bound_by(b, e, turned);
    }
}

enum sim_sql_window sim_sql_window(const struct sim_sql *sql, int64_t *ret_from, int64_t *ret_to)
{
    struct bounds b = {0};
    collect(&b, sql->where, false);
    if (!b.start || !b.end || !b.lower || !b.upper || b.to < b.from)
        return SIM_SQL_UNBOUNDED;
    if (b.to - b.from > WINDOW_MAX)
        return SIM_SQL_TOO_LONG;
    *ret_from = b.from;
    *ret_to = b.to;
    return SIM_SQL_WINDOW;
}

struct row {
    bool three;
    sim_sql_value_fn *value;
    void *arg;
};

static bool operand_value(const struct row *row, const struct sim_sql_operand *o, struct sim_value *ret)
{
    if (o->is_prop)
        return row->value(row->arg, &o->prop, ret);
    *ret = o->value;
    return true;
}

static enum truth truth_of(bool yes)
{
    return yes ? YES : NO;
}

static bool holds(enum sim_sql_op op, int order)
{
    switch (op) {
    case SIM_SQL_LT:
        return order < 0;
    case SIM_SQL_LE:
        return order <= 0;
    case SIM_SQL_GT:
        return order > 0;
    case SIM_SQL_GE:
        return order >= 0;
    case SIM_SQL_EQ:
        return order == 0;
    case SIM_SQL_NE:
        return order != 0;
    case SIM_SQL_AND:
    case SIM_SQL_OR:
    case SIM_SQL_NOT:
    case SIM_SQL_LIKE:
    case SIM_SQL_IS_NULL:
    case SIM_SQL_IS_NOT_NULL:
    case SIM_SQL_CONST:
        break;
    }
    return false;
}

static enum truth compare(const struct row *row, const struct sim_sql_expr *e)
{
    struct sim_value a, b;
    int order;
    if (!operand_value(row, &e->left, &a) || !operand_value(row, &e->right, &b))
        return row->three ? UNKNOWN : NO;
    if (e->op == SIM_SQL_LIKE)
        return truth_of(a.type == SIM_T_STRING && b.type == SIM_T_STRING && sim_value_like(a.s, b.s));
    return truth_of(sim_value_compare(&a, &b, &order) && holds(e->op, order));
}

static enum truth eval(const struct row *row, const struct sim_sql_expr *e)
{
    struct sim_value v;
    enum truth a, b;
    switch (e->op) {
    case SIM_SQL_AND:
        a = eval(row, e->a);
        b = eval(row, e->b);
        return a == NO || b == NO ? NO : a == UNKNOWN || b == UNKNOWN ? UNKNOWN : YES;
    case SIM_SQL_OR:
        a = eval(row, e->a);
        b = eval(row, e->b);
        return a == YES || b == YES ? YES : a == UNKNOWN || b == UNKNOWN ? UNKNOWN : NO;
    case SIM_SQL_NOT:
        a = eval(row, e->a);
        return a == UNKNOWN ? UNKNOWN : truth_of(a == NO);
    case SIM_SQL_IS_NULL:
        return truth_of(!operand_value(row, &e->left, &v));
    case SIM_SQL_IS_NOT_NULL:
        return truth_of(operand_value(row, &e->left, &v));
    case SIM_SQL_CONST:
        return truth_of(e->left.value.i != 0);
    case SIM_SQL_LT:
    case SIM_SQL_LE:
    case SIM_SQL_GT:
    case SIM_SQL_GE:
    case SIM_SQL_EQ:
    case SIM_SQL_NE:
    case SIM_SQL_LIKE:
        break;
    }
    return compare(row, e);
}

bool sim_sql_matches(const struct sim_sql *sql, bool three, sim_sql_value_fn *value, void *arg)
{
    struct row row = {three, value, arg};
    return sql->where == NULL || eval(&row, sql->where) == YES;
}
