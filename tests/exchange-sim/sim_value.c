/*
 * sim_value: see the header. Used by the SQL evaluator and by the writer of answers.
 */
#include "sim_value.h"

#include "base/arena.h"
#include "base/utc.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *sim_type_dt(enum sim_type type)
{
    switch (type) {
    case SIM_T_INT:
        return "int";
    case SIM_T_BOOL:
        return "boolean";
    case SIM_T_TIME:
        return "dateTime.tz";
    case SIM_T_MV_STRING:
        return "mv.string";
    case SIM_T_MV_INT:
        return "mv.int";
    case SIM_T_MV_BINARY:
        return "mv.bin.base64";
    case SIM_T_MV_TIME:
        return "mv.dateTime.tz";
    case SIM_T_NULL:
    case SIM_T_STRING:
        break;
    }
    return NULL;
}

char *sim_arena_printf(struct arena *a, const char *fmt, ...)
{
    static char nothing[1];
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (len < 0)
        return nothing;
    char *out = arena_strndup(a, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
    return out != NULL ? out : nothing;
}

const char *sim_time_text(struct arena *a, int64_t t)
{
    char text[UTC_TEXT_MAX];
    utc_rfc3339(t, text);
    return sim_arena_printf(a, "%.19s.000Z", text);
}

static bool is_number(const struct sim_value *v)
{
    return v->type == SIM_T_INT || v->type == SIM_T_BOOL;
}

bool sim_value_compare(const struct sim_value *a, const struct sim_value *b, int *ret)
{
    if (a->type == SIM_T_STRING && b->type == SIM_T_STRING) {
        *ret = strcasecmp(a->s, b->s);
        return true;
    }
    if ((is_number(a) && is_number(b)) || (a->type == SIM_T_TIME && b->type == SIM_T_TIME)) {
        *ret = (a->i > b->i) - (a->i < b->i);
        return true;
    }
    return false;
}

bool sim_value_like(const char *text, const char *pattern)
{
    const char *star = NULL, *retry = NULL;
    while (*text != '\0') {
        if (*pattern == '%') {
            star = ++pattern;
            retry = text;
        } else if (*pattern == '_' ||
                   (*pattern != '\0' && tolower((unsigned char)*pattern) == tolower((unsigned char)*text))) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '%')
        pattern++;
    return *pattern == '\0';
}
