/*
 * freebusyctl_watch: presence as it changes. Reads the same event stream as every subscriber; the first event of a
 * person is the present state, each later one is told as a change from the one before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "freebusyctl.h"

struct seen {
    char *address;
    char state[16];
};

struct watching {
    const struct ctl_options *options;
    struct map *seen; /* address -> struct seen */
    int64_t changes;  /* told so far */
};

static bool on_line(void *arg, char *line);
static bool on_presence(struct watching *w, const struct jv *person, const char *line);
static char *events_path(const struct ctl_options *o);

enum ctl_exit ctl_watch(const struct ctl_options *o)
{
    struct watching w = {.options = o, .seen = map_new()};
    char *path = events_path(o);
    setvbuf(stdout, NULL, _IOLBF, 0);
    enum ctl_exit result = ctl_talk_lines(o, path, on_line, &w);
    if (result == CTL_WELL && (o->changes == 0 || w.changes < o->changes)) {
        fprintf(stderr, "freebusyctl: the daemon ended the stream\n");
        result = CTL_NO_DAEMON;
    }
    struct seen *s;
    for (size_t pos = 0; (s = map_next(w.seen, &pos));) {
        free(s->address);
        free(s);
    }
    map_free(&w.seen);
    free(path);
    return result;
}

static char *events_path(const struct ctl_options *o)
{
    struct buf b;
    buf_init(&b, 1024 * 1024);
    buf_adds(&b, "/v1/events");
    for (int i = 0; i < o->arg_count; i++) {
        buf_adds(&b, i == 0 ? "?address=" : "&address=");
        str_percent_encode(&b, o->args[i], strlen(o->args[i]), "@");
    }
    return buf_take(&b);
}

/* Of the stream only the data lines matter here: the daemon sends one line of JSON for each event. */
static bool on_line(void *arg, char *line)
{
    struct watching *w = arg;
    char why[100];
    if (!str_starts(line, "data: "))
        return true;
    struct jv *v = jv_parse(line + 6, strlen(line + 6), why, sizeof(why));
    bool more = !jv_is_string(jv_get(v, "address")) || on_presence(w, v, line + 6);
    jv_free(&v);
    return more;
}

static bool on_presence(struct watching *w, const struct jv *person, const char *line)
{
    const char *address = jv_str(jv_get(person, "address"), ""), *state = jv_str(jv_get(person, "state"), "");
    struct seen *s = map_get(w->seen, address);
    bool first = !s;
    if (first) {
        s = mem_calloc(1, sizeof(*s));
        s->address = mem_strdup(address);
        map_put(w->seen, s->address, s);
    }
    bool changed = !first && strcmp(s->state, state) != 0;
    bool counts =
        changed && strcmp(s->state, "unknown") != 0; /* what is learnt at the start is no change of a person */
    if (w->options->json) {
        puts(line);
    } else if (first || changed) {
        if (changed)
            printf("%s -> ", s->state);
        ctl_print_presence_line(person);
    }
    snprintf(s->state, sizeof(s->state), "%s", state);
    w->changes += counts;
    return w->options->changes == 0 || w->changes < w->options->changes;
}
