/*
 * icalwalk: reads lines "DTSTART FROM UNTIL RULE" and prints for each the starts of the series in the window, on one
 * line. The other side of ical_rules.py, which compares them with another implementation's. An item that was left out
 * prints "refused".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utc.h"
#include "ical.h"

struct starts {
    int64_t items[20000];
    size_t count;
};

static bool collect(void *arg, const struct dav_span *span)
{
    struct starts *s = arg;

    if (s->count < 20000)
        s->items[s->count++] = span->start;
    return true;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static void walk(char *line)
{
    static struct starts s;
    struct dav_ical_setup setup = {
        .on_span = collect, .arg = &s, .max_instances = 20000, .max_spans = 20000, .max_steps = 10000000};
    char *start = strtok(line, " "), *from = strtok(NULL, " "), *until = strtok(NULL, " "), *rule = strtok(NULL, "\n");
    char text[UTC_TEXT_MAX];
    struct dav_ical *ical;
    struct buf b;

    if (rule == NULL || !utc_parse_basic(from, strlen(from), &setup.from) ||
        !utc_parse_basic(until, strlen(until), &setup.until))
        return;
    s.count = 0;
    ical = dav_ical_new(&setup);
    buf_init(&b, 65536);
    buf_addf(&b,
             "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:x\nDTSTART:%s\nDURATION:PT1S\nRRULE:%s\nEND:VEVENT\nEND:VCALENDAR\n",
             start, rule);
    if (dav_ical_read(ical, b.data, b.len) != DAV_ICAL_OK || dav_ical_skipped(ical) > 0)
        printf("refused");
    qsort(s.items, s.count, sizeof(s.items[0]), compare);
    for (size_t i = 0; i < s.count; i++)
        printf("%s%s", i > 0 ? " " : "", utc_basic(s.items[i], text));
    putchar('\n');
    buf_free(&b);
    dav_ical_free(&ical);
}

int main(void)
{
    char line[8192];

    while (fgets(line, sizeof(line), stdin) != NULL)
        walk(line);
    return 0;
}
