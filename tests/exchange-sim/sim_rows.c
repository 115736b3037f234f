/*
 * sim_rows: reads `Range: rows=...`, in which each part is a range from the front or a number of rows from the end.
 */
#include "sim_rows.h"

#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Reads digits; false when there are none. */
static bool read_number(const char **p, size_t *ret)
{
    if (!isdigit((unsigned char)**p))
        return false;
    char *end;
    *ret = strtoul(*p, &end, 10);
    *p = end;
    return true;
}

struct part {
    size_t from, to; /* half-open */
    bool beyond;
};

static bool read_part(const char **p, size_t total, struct part *ret)
{
    size_t a, b;
    *ret = (struct part){0, 0, false};
    if (**p == '-') {
        ++*p;
        if (!read_number(p, &a))
            return false;
        ret->from = a < total ? total - a : 0;
        ret->to = total;
        return true;
    }
    if (!read_number(p, &a) || **p != '-')
        return false;
    ++*p;
    ret->from = a;
    ret->to = read_number(p, &b) && b < total ? b + 1 : total;
    ret->beyond = a >= total && a > 0;
    return true;
}

enum sim_rows_result sim_rows_parse(const char *header, size_t total, bool *wanted, size_t *ret_first, size_t *ret_last,
                                    size_t *ret_count)
{
    const char *p = header;
    bool beyond = false;
    *ret_count = 0;
    if (!str_starts_nocase(p, "rows="))
        return SIM_ROWS_BAD;
    p += strlen("rows=");
    for (;;) {
        struct part part;
        if (!read_part(&p, total, &part))
            return SIM_ROWS_BAD;
        beyond = beyond || part.beyond;
        for (size_t i = part.from; i < part.to && i < total; i++) {
            *ret_count += !wanted[i];
            wanted[i] = true;
        }
        if (*p == '\0')
            break;
        if (*p++ != ',')
            return SIM_ROWS_BAD;
        p += *p == ' ';
    }
    for (size_t i = 0, seen = 0; i < total; i++) {
        if (wanted[i] && seen++ == 0)
            *ret_first = i;
        if (wanted[i])
            *ret_last = i;
    }
    return beyond && *ret_count == 0 ? SIM_ROWS_BEYOND : SIM_ROWS_OK;
}
