/* What the players of tests/dialogues share: where they are, times of day, and patterns. */
#ifndef TESTS_DIALOGUE_H
#define TESTS_DIALOGUE_H

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *file;
static unsigned line_number;

/* "HH:MM" of the day that has this noon. */
static int64_t clock_of(const char *text, int64_t noon)
{
    unsigned hour = 0, minute = 0;
    if (!text || sscanf(text, "%2u:%2u", &hour, &minute) != 2)
        fail_msg("%s:%u: no time", file, line_number);
    return noon - 43200 + (int64_t)hour * 3600 + minute * 60;
}

/* `*` stands for anything. fnmatch takes [ and \ for its own. */
static bool matches(const char *pattern, const char *text)
{
    char quoted[8192];
    size_t n = 0;
    for (; *pattern && n < sizeof quoted - 3; pattern++) {
        if (strchr("[]\\?", *pattern))
            quoted[n++] = '\\';
        quoted[n++] = *pattern;
    }
    quoted[n] = '\0';
    return fnmatch(quoted, text, 0) == 0;
}

#endif
