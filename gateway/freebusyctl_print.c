/* freebusyctl_print: text for people; what comes from outside is made printable first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "freebusyctl.h"

enum { TURNS = 8, TEXT_MAX = 400, COLUMNS_MAX = 12 };

struct ctl_table {
    int columns;
    size_t rows, room;
    char **cells; /* rows * columns, the heads first */
};

/* Width on a terminal, near enough: bytes that begin a character. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

const char *ctl_when(const struct jv *time_value)
{
    static char out[TURNS][64];
    static unsigned turn;
    const char *text = jv_str(time_value, "");
    int64_t t;
    char *here = out[turn++ % TURNS];
    here[0] = '\0';
    if (!utc_parse_rfc3339(text, strlen(text), &t))
        return here;
    time_t then = (time_t)t, now = time(NULL);
    struct tm then_tm, now_tm;
    localtime_r(&then, &then_tm);
    localtime_r(&now, &now_tm);
    bool today = then_tm.tm_yday == now_tm.tm_yday && then_tm.tm_year == now_tm.tm_year;
    strftime(here, 64, today ? "%H:%M:%S" : "%a %d %b %Y %H:%M", &then_tm);
    return here;
}

const char *ctl_text(const struct jv *v, const char *otherwise)
{
    static char out[TURNS][TEXT_MAX];
    static unsigned turn;
    const char *text = jv_str(v, NULL);
    return text ? str_printable(text, strlen(text), out[turn++ % TURNS], TEXT_MAX) : otherwise;
}

void ctl_print_json(const struct jv *v)
{
    struct buf b;
    buf_init(&b, (size_t)1 << 31);
    jv_write(&b, v, true);
    puts(b.data);
    buf_free(&b);
}

void ctl_print_causes(const struct jv *causes)
{
    for (size_t i = 0; i < jv_count(causes); i++) {
        const struct jv *row = jv_at(causes, i);
        int64_t persons = jv_num(jv_get(row, "persons"), 0);
        printf("%s: %s: %s\n", ctl_text(jv_get(row, "server"), "?"), ctl_text(jv_get(row, "code"), "?"),
               ctl_text(jv_get(row, "meaning"), ""));
        printf("    %lld %s since %s", (long long)persons, persons == 1 ? "person" : "persons",
               ctl_when(jv_get(row, "since")));
        if (jv_is_string(jv_get(row, "example")))
            printf(", for example %s", ctl_text(jv_get(row, "example"), ""));
        putchar('\n');
        if (jv_is_string(jv_get(row, "evidence")))
            printf("    evidence: %s\n", ctl_text(jv_get(row, "evidence"), ""));
        printf("    what to do: %s\n", jv_str(jv_get(row, "advice"), ""));
    }
}

void ctl_print_warnings(const struct jv *warnings)
{
    for (size_t i = 0; i < jv_count(warnings); i++) {
        const struct jv *row = jv_at(warnings, i);
        printf("%s: warning: %s: %s\n", ctl_text(jv_get(row, "server"), "?"), ctl_text(jv_get(row, "code"), "?"),
               ctl_text(jv_get(row, "text"), ""));
    }
}

void ctl_print_outlets(const struct jv *outlets)
{
    for (size_t i = 0; i < jv_count(outlets); i++) {
        const struct jv *o = jv_at(outlets, i);
        printf("outlet %s is %s since %s, %lld messages handed over", ctl_text(jv_get(o, "name"), "?"),
               ctl_text(jv_get(o, "state"), "?"), ctl_when(jv_get(o, "since")),
               (long long)jv_num(jv_get(o, "messages"), 0));
        if (jv_is_string(jv_get(o, "code")))
            printf("; %s: %s", ctl_text(jv_get(o, "code"), ""), ctl_text(jv_get(o, "evidence"), ""));
        else if (!jv_is_null(jv_get(o, "proved_at")))
            printf(", one to itself at %s", ctl_when(jv_get(o, "proved_at")));
        putchar('\n');
    }
}

void ctl_print_presence_line(const struct jv *person)
{
    const struct jv *next = jv_get(person, "next");
    printf("%s is %s", ctl_text(jv_get(person, "address"), "?"), ctl_text(jv_get(person, "state"), "?"));
    if (jv_is_string(jv_get(person, "until")))
        printf(" until %s", ctl_when(jv_get(person, "until")));
    if (jv_is_string(jv_get(person, "reason")))
        printf(" (%s)", ctl_text(jv_get(person, "reason"), ""));
    if (jv_is_object(next))
        printf(", then %s from %s to %s", ctl_text(jv_get(next, "state"), ""), ctl_when(jv_get(next, "start")),
               ctl_when(jv_get(next, "end")));
    putchar('\n');
}

struct ctl_table *ctl_table_new(const char *const *heads, int columns)
{
    struct ctl_table *t = mem_calloc(1, sizeof(*t));
    t->columns = columns;
    ctl_table_row(t, heads);
    return t;
}

void ctl_table_row(struct ctl_table *t, const char *const *cells)
{
    size_t columns = (size_t)t->columns;
    if (t->rows == t->room) { /* doubled: a company may have a hundred thousand rows */
        t->room = t->room ? 2 * t->room : 16;
        t->cells = mem_realloc(t->cells, t->room * columns, sizeof(*t->cells));
    }
    for (size_t i = 0; i < columns; i++)
        t->cells[t->rows * columns + i] = mem_strdup(cells[i]);
    t->rows++;
}

void ctl_table_print(struct ctl_table **table)
{
    struct ctl_table *t = *table;
    size_t columns = (size_t)t->columns, widths[COLUMNS_MAX] = {0};
    for (size_t i = 0; i < t->rows * columns; i++) {
        size_t width = width_of(t->cells[i]);
        widths[i % columns] = width > widths[i % columns] ? width : widths[i % columns];
    }
    for (size_t i = 0; i < t->rows * columns; i++) {
        bool last = i % columns == columns - 1;
        printf("%s%*s", t->cells[i], last ? 0 : (int)(widths[i % columns] - width_of(t->cells[i])) + 2,
               last ? "\n" : "");
        free(t->cells[i]);
    }
    free(t->cells);
    free(t);
    *table = NULL;
}
