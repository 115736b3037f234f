/*
 * mark: see davclient/mark.h. Called where a flavour reads an event: exchange_row.c, ical_event.c and ical_compact.c.
 * Nothing is copied, so that a category which is none of our words leaves no trace.
 */
#include "davclient/mark.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

static size_t length_of_one(const char *text, size_t len);
static bool is_separator(char c);

unsigned dav_marks_in(const char *const *markers, const char *text, size_t len)
{
    unsigned marks = 0;

    for (size_t at = 0; markers != NULL && at < len;) {
        size_t one = length_of_one(text + at, len - at), trimmed = one;
        const char *word = str_trim(text + at, &trimmed);

        for (unsigned i = 0; i < DAV_MARKS_MAX && markers[i] != NULL; i++)
            if (strlen(markers[i]) == trimmed && strncasecmp(markers[i], word, trimmed) == 0)
                marks |= DAV_TRAIT_MARK(i);
        at += one + 1;
    }
    return marks;
}

unsigned dav_marks_all(const char *const *markers)
{
    unsigned marks = 0;

    for (unsigned i = 0; markers != NULL && i < DAV_MARKS_MAX && markers[i] != NULL; i++)
        marks |= DAV_TRAIT_MARK(i);
    return marks;
}

static size_t length_of_one(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && !is_separator(text[i]))
        i += text[i] == '\\' && i + 1 < len ? 2 : 1;
    return i < len ? i : len;
}

static bool is_separator(char c)
{
    return c == ',' || c == ';' || c == '\n';
}
