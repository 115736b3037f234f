/*
 * freebusyctl_why: why somebody is in the state they are shown in: what covers the moment, what decided, what lost,
 * what comes next, how old the data is and by which request it came.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utc.h"
#include "freebusyctl.h"

static bool moment_of(const char *text, char out[UTC_TEXT_MAX]);
static void print_why(const struct jv *v);
static void print_decision(const struct jv *v);
static void print_events(const struct jv *events);
static void print_reads(const struct jv *v);
static const char *fate_words(const char *fate);

enum ctl_exit ctl_why(const struct ctl_options *o)
{
    char at[UTC_TEXT_MAX] = "";
    if (o->at && !moment_of(o->at, at)) {
        fprintf(stderr, "freebusyctl: --at takes 15:04, \"2026-11-22 15:04\" (local time) or 2026-11-22T15:04:00Z\n");
        return CTL_USAGE;
    }
    char *path = ctl_path("/ctl/why/", o->args[0]);
    char *whole = at[0] ? mem_printf("%s?at=%s", path, at) : mem_strdup(path);
    struct jv *v = NULL;
    enum ctl_exit result = ctl_talk(o, "GET", whole, &v);
    free(path);
    free(whole);
    if (result != CTL_WELL)
        return result;
    if (o->json)
        ctl_print_json(v);
    else
        print_why(v);
    result = strcmp(jv_str(jv_get(v, "state"), "unknown"), "unknown") == 0 ? CTL_NOT_WELL : CTL_WELL;
    jv_free(&v);
    return result;
}

/* RFC 3339, or a date and time, or a time of today, in local time. */
static bool moment_of(const char *text, char out[UTC_TEXT_MAX])
{
    static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%H:%M:%S", "%H:%M"};
    int64_t t;
    if (utc_parse_rfc3339(text, strlen(text), &t)) {
        utc_rfc3339(t, out);
        return true;
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        time_t now = time(NULL);
        struct tm tm;
        localtime_r(&now, &tm);
        tm.tm_sec = 0;
        const char *end = strptime(text, forms[i], &tm);
        if (!end || *end)
            continue;
        tm.tm_isdst = -1;
        utc_rfc3339((int64_t)mktime(&tm), out);
        return true;
    }
    return false;
}

static void print_why(const struct jv *v)
{
    printf("At %s ", ctl_when(jv_get(v, "at")));
    ctl_print_presence_line(v);
    print_decision(v);
    if (jv_is_string(jv_get(v, "chosen")))
        printf("  others are told at most: %s (their own choice)\n", ctl_text(jv_get(v, "chosen"), ""));
    if (jv_is_string(jv_get(v, "marked")))
        printf("  others are told at most: %s (by a marker in the calendar)\n", ctl_text(jv_get(v, "marked"), ""));
    print_events(jv_get(v, "covering"));
    if (jv_num(jv_get(v, "covering_left_out"), 0) > 0)
        printf("  and %lld more\n", (long long)jv_num(jv_get(v, "covering_left_out"), 0));
    print_reads(v);
}

/* The one sentence that people look for. */
static void print_decision(const struct jv *v)
{
    const struct jv *events = jv_get(v, "covering"), *stored = jv_get(v, "stored");
    const char *state = jv_str(jv_get(v, "state"), "unknown");
    if (strcmp(state, "unknown") == 0) {
        printf("  because nothing good is known of this moment: %s\n", ctl_text(jv_get(v, "reason"), "never-read"));
        return;
    }
    for (size_t i = 0; i < jv_count(events); i++) {
        const struct jv *e = jv_at(events, i);
        if (strcmp(jv_str(jv_get(e, "fate"), ""), "decides") != 0)
            continue;
        printf("  because of %s to %s: %s", ctl_when(jv_get(e, "start")), ctl_when(jv_get(e, "end")),
               ctl_text(jv_get(e, "rule"), ""));
        if (jv_is_string(jv_get(e, "option")))
            printf(" (%s%s)", ctl_text(jv_get(e, "option"), ""),
                   jv_truth(jv_get(v, "group_has_rules"), false) ? " of the person's group" : "");
        putchar('\n');
        return;
    }
    if (jv_is_object(stored))
        printf("  because %s from %s to %s was read earlier, and is kept\n", ctl_text(jv_get(stored, "state"), "busy"),
               ctl_when(jv_get(stored, "start")), ctl_when(jv_get(stored, "end")));
    else
        puts("  because nothing that counts covers this moment");
}

static void print_events(const struct jv *events)
{
    static const char *const heads[] = {"  FROM", "TO", "MARKED", "COUNTS AS", "", "BECAUSE"};
    if (jv_count(events) == 0)
        return;
    struct ctl_table *t = ctl_table_new(heads, 6);
    for (size_t i = 0; i < jv_count(events); i++) {
        const struct jv *e = jv_at(events, i);
        char *from = mem_printf("  %s", ctl_when(jv_get(e, "start")));
        const char *cells[] = {from,
                               ctl_when(jv_get(e, "end")),
                               ctl_text(jv_get(e, "marked"), ""),
                               ctl_text(jv_get(e, "counts_as"), ""),
                               fate_words(jv_str(jv_get(e, "fate"), "")),
                               ctl_text(jv_get(e, "rule"), "")};
        ctl_table_row(t, cells);
        free(from);
    }
    ctl_table_print(&t);
}

static void print_reads(const struct jv *v)
{
    const struct jv *reads = jv_get(v, "reads");
    if (!jv_is_null(jv_get(v, "as_of")))
        printf("  what is published was read %s (%lld s ago) from %s, and is good until %s\n",
               ctl_when(jv_get(v, "as_of")), (long long)jv_num(jv_get(v, "age_s"), 0),
               ctl_text(jv_get(v, "server"), "?"), ctl_when(jv_get(v, "valid_until")));
    for (size_t i = 0; i < jv_count(reads); i++) {
        const struct jv *r = jv_at(reads, i);
        if (jv_truth(jv_get(r, "ok"), false))
            printf("  read just now: %lld events", (long long)jv_num(jv_get(r, "events"), 0));
        else
            printf("  could not be read just now: %s", ctl_text(jv_get(r, "code"), "?"));
        if (jv_is_string(jv_get(r, "evidence")))
            printf(" (%s)", ctl_text(jv_get(r, "evidence"), ""));
        if (jv_is_string(jv_get(r, "method")))
            printf(", by %lld requests, the last %s %s", (long long)jv_num(jv_get(r, "requests"), 0),
                   ctl_text(jv_get(r, "method"), ""), ctl_text(jv_get(r, "url"), ""));
        if (jv_is_string(jv_get(r, "way")))
            printf("; %s", ctl_text(jv_get(r, "way"), ""));
        putchar('\n');
    }
}

static const char *fate_words(const char *fate)
{
    if (strcmp(fate, "decides") == 0)
        return "decides";
    if (strcmp(fate, "weaker") == 0)
        return "weaker";
    return strcmp(fate, "does-not-count") == 0 ? "does not count" : "not used";
}
