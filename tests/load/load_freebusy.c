/*
 * load-freebusy: iCalendar text to busy periods over 90 days, on one core, against libical's bare parse of the same
 * text.
 *
 * The corpus is made here, calendar by calendar: 10,000 of 300 events as people have them, three years of history and
 * half a year ahead, 30 of them recurring (weekly, some with an exception and an override), with descriptions,
 * attendees, alarms and a VTIMEZONE. Ours is the whole way from the text to the set of periods that presence keeps; the
 * limit is icalparser_parse_string() and nothing after it. Both read each calendar, in turns, and only their own time
 * counts.
 *
 * Where they are installed (python3-recurring-ical-events, php-sabre-vobject, php-cli), programs of others read a few
 * of the calendars as well, and the line says how many times as fast ours is.
 *
 *   load-freebusy [--smoke | --calendars N | --write FOLDER N]      --write: the first N calendars as files, for other
 * programs to read
 */
#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utc.h"
#include "ical.h"
#include "presence/interval.h"
#include "stopwatch.h"

enum { EVENTS = 300, RECURRING = 30, DAYS = 90, DAY_S = 86400, HISTORY_DAYS = 3 * 365, AHEAD_DAYS = 180 };
enum { OTHERS = 8 }; /* calendars for other programs, which are slow */
enum { FROM = 1772409600 }; /* 2026-03-02 */

struct periods {
    struct pres_interval *items;
    size_t count, size;
};

static const char zone_text[] = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nX-LIC-LOCATION:Europe/"
                                "Berlin\r\nBEGIN:DAYLIGHT\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
                                "TZNAME:CEST\r\nDTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-"
                                "1SU\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\n"
                                "TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nTZNAME:CET\r\nDTSTART:"
                                "19701025T030000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n"
                                "END:STANDARD\r\nEND:VTIMEZONE\r\n";

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

/* Local time as iCalendar writes it. */
static const char *local(int64_t t, char out[UTC_TEXT_MAX])
{
    utc_basic(t, out);
    out[15] = '\0';
    return out;
}

static void add_event(struct buf *out, unsigned calendar, unsigned i, unsigned *seed)
{
    int64_t day = FROM / DAY_S + (int64_t)(next_random(seed) % (HISTORY_DAYS + AHEAD_DAYS)) - HISTORY_DAYS;
    int64_t start = day * DAY_S + 7 * 3600 + (int64_t)(next_random(seed) % 20) * 1800;
    bool recurring = i < RECURRING, all_day = !recurring && next_random(seed) % 20 == 0;
    char text[UTC_TEXT_MAX], until[UTC_TEXT_MAX];

    buf_addf(
        out,
        "BEGIN:VEVENT\r\nCREATED:20230101T000000Z\r\nDTSTAMP:20240101T000000Z\r\nLAST-MODIFIED:20240101T000000Z\r\n"
        "UID:%u-%u-7f2c4a@calendar.example.test\r\nSUMMARY:Meeting number %u about the usual things\r\n",
        calendar, i, i);
    if (all_day) {
        buf_addf(out, "DTSTART;VALUE=DATE:%.8s\r\n", local(day * DAY_S, text));
        buf_addf(out, "DTEND;VALUE=DATE:%.8s\r\n", local((day + 1) * DAY_S, text));
    } else {
        buf_addf(out, "DTSTART;TZID=Europe/Berlin:%s\r\n", local(start, text));
        buf_addf(out, "DTEND;TZID=Europe/Berlin:%s\r\n",
                 local(start + 1800 + (int64_t)(next_random(seed) % 4) * 1800, text));
    }
    if (recurring && i % 3 == 0)
        buf_addf(out, "RRULE:FREQ=WEEKLY;UNTIL=%s\r\n", utc_basic(start + 200 * (int64_t)DAY_S, until));
    else if (recurring)
        buf_addf(out, i % 3 == 1 ? "RRULE:FREQ=WEEKLY;INTERVAL=2\r\n" : "RRULE:FREQ=MONTHLY;BYDAY=%uTU\r\n", i % 4 + 1);
    if (recurring && i % 5 == 0)
        buf_addf(out, "EXDATE;TZID=Europe/Berlin:%s\r\n", local(start + 14 * DAY_S, text));
    buf_addf(out, "LOCATION:Room %u\\, second floor\r\nTRANSP:%s\r\nSTATUS:%s\r\nSEQUENCE:%u\r\nCLASS:PUBLIC\r\n",
             i % 17, i % 23 == 5 ? "TRANSPARENT" : "OPAQUE", i % 11 == 3 ? "TENTATIVE" : "CONFIRMED", i % 4);
    if (i % 2 == 0)
        buf_addf(out,
                 "ORGANIZER;CN=Somebody:mailto:somebody@example.test\r\n"
                 "ATTENDEE;CN=Anna;PARTSTAT=%s;ROLE=REQ-PARTICIPANT:mailto:anna%u@example.test\r\n"
                 "ATTENDEE;CN=Bob;PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT:mailto:bob@example.test\r\n",
                 i % 14 == 0 ? "DECLINED" : "ACCEPTED", calendar);
    buf_adds(out,
             "DESCRIPTION:What was said the last time\\, what is to be said now\\, and a link t\r\n o the place where "
             "all of it is "
             "written "
             "down:\\nhttps://example.test/minutes/2026\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Reminder\r\n"
             "TRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\n");
}

static void make_calendar(struct buf *out, unsigned calendar)
{
    unsigned seed = calendar + 1;
    buf_reset(out);
    buf_adds(out, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//freebusyd//load//EN\r\n");
    buf_adds(out, zone_text);
    for (unsigned i = 0; i < EVENTS; i++)
        add_event(out, calendar, i, &seed);
    buf_adds(out, "END:VCALENDAR\r\n");
}

static bool on_span(void *arg, const struct dav_span *span)
{
    struct periods *p = arg;
    if (span->traits & (DAV_TRAIT_CANCELLED | DAV_TRAIT_DECLINED))
        return true;
    if (p->count == p->size) {
        p->size = p->size ? p->size * 2 : 256;
        p->items = mem_realloc(p->items, p->size, sizeof(*p->items));
    }
    p->items[p->count++] = (struct pres_interval){span->start, span->end, (enum pres_kind)span->kind};
    return true;
}

/* Seconds; the periods are counted in *ret. */
static double ours(const struct buf *text, unsigned calendar, unsigned long *ret)
{
    char address[40];
    snprintf(address, sizeof(address), "anna%u@example.test", calendar);
    const char *owners[] = {address, NULL};
    struct periods periods = {0};
    struct dav_ical_setup setup = {.from = FROM,
                                   .until = FROM + (int64_t)DAYS * DAY_S,
                                   .zone = "Europe/Berlin",
                                   .owners = owners,
                                   .on_span = on_span,
                                   .arg = &periods};
    double began = stopwatch_cpu();
    struct dav_ical *ical = dav_ical_new(&setup);
    bool read = ical && dav_ical_read(ical, text->data, text->len) == DAV_ICAL_OK && dav_ical_skipped(ical) == 0;
    struct pres_set *set = pres_set_build(periods.items, periods.count, setup.from, setup.until);
    double took = stopwatch_cpu() - began;
    if (!read || pres_set_count(set) == 0)
        fprintf(stderr, "load-freebusy: calendar %u was not read\n", calendar), exit(1);
    *ret += pres_set_count(set);
    free(set);
    free(periods.items);
    dav_ical_free(&ical);
    return took;
}

static double bare(const struct buf *text, unsigned calendar)
{
    double began = stopwatch_cpu();
    icalcomponent *whole = icalparser_parse_string(text->data);
    double took = stopwatch_cpu() - began;
    if (!whole || icalcomponent_count_components(whole, ICAL_VEVENT_COMPONENT) != EVENTS)
        fprintf(stderr, "load-freebusy: libical did not read calendar %u\n", calendar), exit(1);
    icalcomponent_free(whole);
    return took;
}

static int write_files(const char *folder, unsigned count)
{
    struct buf text;
    buf_init(&text, 4 << 20);
    for (unsigned i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%u.ics", folder, i);
        FILE *file = fopen(path, "w");
        make_calendar(&text, i);
        if (!file || fwrite(text.data, 1, text.len, file) != text.len || fclose(file) != 0)
            return perror(path), 1;
    }
    buf_free(&text);
    return 0;
}

/* Calendars a second by another program, 0: it is not installed. */
static double others(const char *program, const char *script, const char *folder)
{
    char command[1000];
    double rate = 0;
    snprintf(command, sizeof(command), "%s %s/%s %s 2>/dev/null", program, LOAD_SOURCE, script, folder);
    FILE *pipe = popen(command, "r");
    if (!pipe || fscanf(pipe, "%lf", &rate) != 1)
        rate = 0;
    if (pipe)
        pclose(pipe);
    return rate;
}

/* The line of stopwatch_print() with two more ratios. */
static void print_line(double ours_rate, double bare_rate)
{
    char folder[] = "/tmp/load-freebusy-XXXXXX", command[100];
    double python = 0, sabre = 0;
    if (mkdtemp(folder) && write_files(folder, OTHERS) == 0) {
        python = others("/usr/bin/python3", "freebusy_python.py", folder);
        sabre = others("php", "freebusy_sabre.php", folder);
    }
    printf("{\"driver\": \"freebusy\", \"unit\": \"calendars/s\", \"ours\": %.0f, \"limit\": %.0f, \"ratio\": %.3f, "
           "\"limit_is\": \"libical's bare parse of the same text\"",
           ours_rate, bare_rate, ours_rate / bare_rate);
    if (python > 0)
        printf(", \"python\": %.2f, \"ratio_to_python\": %.0f", python, ours_rate / python);
    if (sabre > 0)
        printf(", \"sabre_vobject\": %.2f, \"ratio_to_sabre_vobject\": %.0f", sabre, ours_rate / sabre);
    puts("}");
    snprintf(command, sizeof(command), "rm -r %s", folder);
    if (system(command) != 0)
        fprintf(stderr, "load-freebusy: %s stays\n", folder);
}

int main(int argc, char **argv)
{
    unsigned calendars = stopwatch_smoke(argc, argv) ? 5 : 10000;
    if (argc == 3 && strcmp(argv[1], "--calendars") == 0)
        calendars = (unsigned)strtoul(argv[2], NULL, 10);
    if (argc == 4 && strcmp(argv[1], "--write") == 0)
        return write_files(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
    double time_ours = 0, time_bare = 0;
    unsigned long periods = 0;
    struct buf text;
    stopwatch_pin(0);
    buf_init(&text, 4 << 20);
    for (unsigned i = 0; i < calendars; i++) {
        make_calendar(&text, i);
        if (i % 2 == 0)
            time_bare += bare(&text, i);
        time_ours += ours(&text, i, &periods);
        if (i % 2 == 1)
            time_bare += bare(&text, i);
    }
    fprintf(stderr, "load-freebusy: %u calendars of %u events, %zu bytes the last, %.1f periods each\n", calendars,
            EVENTS, text.len, (double)periods / calendars);
    buf_free(&text);
    if (stopwatch_smoke(argc, argv))
        stopwatch_print("freebusy", "calendars/s", calendars / time_ours, calendars / time_bare,
                        "libical's bare parse of the same text");
    else
        print_line(calendars / time_ours, calendars / time_bare);
    return 0;
}
