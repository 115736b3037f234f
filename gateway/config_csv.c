/*
 * config_csv: the CSV reader behind config_users.c. Works in place on the bytes of the file: a field is unquoted onto
 * itself and ended by a NUL, so that ten thousand lines cost no allocation. Everything is somebody's hand-made or
 * exported file: any byte may come.
 */
#include "config_csv.h"

#include <string.h>

#include "base/str.h"

static char *line_cut(struct gw_csv *csv);
static const char *field_next(char **at, char **ret_field);
static const char *field_quoted(char **at, char **ret_field);

void gw_csv_init(struct gw_csv *csv, char *text, size_t len)
{
    *csv = (struct gw_csv){.at = text, .end = text + len};
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        csv->at += 3;
}

int gw_csv_next(struct gw_csv *csv, const char **ret_why)
{
    char *line, *end;
    do {
        if (csv->at >= csv->end)
            return 0;
        line = csv->at;
        end = line_cut(csv);
    } while (line == end);
    csv->count = 0;
    *ret_why = NULL;
    if (end - line > GW_CSV_LINE_MAX)
        *ret_why = "is too long";
    else if (!str_is_utf8(line, (size_t)(end - line)))
        *ret_why = "is no UTF-8 text";
    for (char *at = line; !*ret_why && at;) {
        if (csv->count == GW_CSV_FIELDS)
            *ret_why = "has too many fields";
        else
            *ret_why = field_next(&at, &csv->fields[csv->count++]);
    }
    return *ret_why ? -1 : 1;
}

/* Ends the line at csv->at with a NUL, moves behind it, and returns the line's end. */
static char *line_cut(struct gw_csv *csv)
{
    char *nl = memchr(csv->at, '\n', (size_t)(csv->end - csv->at));
    char *end = nl ? nl : csv->end;
    char *line = csv->at;
    csv->at = nl ? nl + 1 : csv->end;
    csv->line++;
    if (end > line && end[-1] == '\r')
        end--;
    *end = '\0';
    return end;
}

/* *at becomes the start of the next field, NULL behind the last. */
static const char *field_next(char **at, char **ret_field)
{
    if (**at == '"')
        return field_quoted(at, ret_field);
    size_t len = strcspn(*at, ",\"");
    char *end = *at + len;
    if (*end == '"')
        return "has a quote inside a field that does not begin with one";
    *ret_field = *at;
    *at = *end ? end + 1 : NULL;
    *end = '\0';
    char *first = *ret_field; /* blanks around a plain field mean nothing in our columns */
    while (end > first && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    *ret_field = first + strspn(first, " \t");
    return NULL;
}

static const char *field_quoted(char **at, char **ret_field)
{
    char *in = *at + 1, *out = *at;
    *ret_field = out;
    for (;; in++) {
        if (!*in)
            return "has a quote that is not closed";
        if (*in == '"' && *++in != '"')
            break;
        *out++ = *in;
    }
    char after = *in;
    *out = '\0';
    if (after && after != ',')
        return "has text behind a closing quote";
    *at = after ? in + 1 : NULL;
    return NULL;
}
