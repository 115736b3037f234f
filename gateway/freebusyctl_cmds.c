/* freebusyctl_cmds: the commands that ask once and print the answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "freebusyctl.h"

static const char *number(const struct jv *v);
static enum ctl_exit ask_and_tell(const struct ctl_options *o, const char *method, char *path,
                                  void (*tell)(const struct jv *v), bool (*is_well)(const struct jv *v));
static void print_punctuality(const struct jv *transitions);
static bool is_known(const struct jv *person);
static void print_server(struct ctl_table *t, const struct jv *s);
static void print_server_notes(const struct jv *s);
static void print_relay(const char *name, const struct jv *r);
static void print_logon(const char *name, const struct jv *s);
static void print_budget(const char *name, const struct jv *b);

enum ctl_exit ctl_status(const struct ctl_options *o)
{
    struct jv *v = NULL;
    enum ctl_exit result = ctl_talk(o, "GET", "/v1/status", &v);
    if (result != CTL_WELL)
        return result;
    bool well = jv_truth(jv_get(v, "well"), false);
    if (o->json) {
        ctl_print_json(v);
    } else {
        const struct jv *persons = jv_get(v, "persons");
        printf("freebusyd %s, running since %s, %s\n", ctl_text(jv_get(v, "version"), "?"),
               ctl_when(jv_get(v, "started_at")),
               jv_truth(jv_get(v, "ready"), false) ? "ready"
                                                   : "not ready yet: a server has neither answered nor failed");
        printf("%s persons:", number(jv_get(persons, "all")));
        const char *key;
        struct jv *count;
        for (size_t pos = 0; jv_next(persons, &pos, &key, &count);)
            if (strcmp(key, "all") != 0 && jv_num(count, 0) > 0)
                printf(" %s %s", number(count), key);
        printf("\n%s subscribers; polls: %s ok, %s failed; next change at %s\n", number(jv_get(v, "subscribers")),
               number(jv_get(jv_get(v, "polls"), "ok")), number(jv_get(jv_get(v, "polls"), "failed")),
               ctl_when(jv_get(jv_get(v, "transitions"), "next_at")));
        print_punctuality(jv_get(v, "transitions"));
        if (jv_is_string(jv_get(v, "reload_error")))
            printf("the last reload was refused: %s\n", jv_str(jv_get(v, "reload_error"), ""));
        const struct jv *state = jv_get(v, "state");
        if (jv_is_string(jv_get(state, "trouble")))
            printf("the state directory cannot be %s: %s\n",
                   jv_is_string(jv_get(state, "failing_since"))
                       ? "written, a restart would begin from what was saved before"
                       : "used, a restart would begin from nothing",
                   ctl_text(jv_get(state, "trouble"), ""));
        ctl_print_outlets(jv_get(v, "outlets"));
        puts(well ? "all is well" : "");
        ctl_print_warnings(jv_get(v, "warnings"));
        ctl_print_causes(jv_get(v, "causes"));
    }
    jv_free(&v);
    return well ? CTL_WELL : CTL_NOT_WELL;
}

static void print_punctuality(const struct jv *transitions)
{
    const struct jv *mass = jv_get(transitions, "next_mass");
    if (jv_num(jv_get(transitions, "last_hour"), 0) > 0)
        printf("last hour: %s changes at their second, %s of them more than 1 s late, the worst %s ms\n",
               number(jv_get(transitions, "last_hour")), number(jv_get(transitions, "last_hour_late")),
               number(jv_get(transitions, "worst_late_ms")));
    if (jv_is_object(mass))
        printf("next mass change: %s people at %s\n", number(jv_get(mass, "persons")), ctl_when(jv_get(mass, "at")));
}

static void print_audience(const struct jv *v)
{
    if (!jv_is_object(v))
        return;
    bool marker = strcmp(jv_str(jv_get(v, "by"), ""), "marker") == 0;
    printf("  others are told at most: %s, by %s", ctl_text(jv_get(v, "level"), "?"),
           marker ? "a marker in the calendar" : "the person's own choice");
    if (!jv_is_null(jv_get(v, "until")))
        printf(", until %s", ctl_when(jv_get(v, "until")));
    putchar('\n');
}

static void print_person(const struct jv *v)
{
    ctl_print_presence_line(v);
    printf("  read from %s", ctl_text(jv_get(v, "server"), "?"));
    if (jv_is_string(jv_get(v, "calendar")))
        printf(" (%s)", ctl_text(jv_get(v, "calendar"), ""));
    printf(", last good answer %s, next question %s\n",
           jv_is_null(jv_get(v, "last_ok_at")) ? "never" : ctl_when(jv_get(v, "last_ok_at")),
           jv_is_null(jv_get(v, "next_poll_at")) ? "not planned" : ctl_when(jv_get(v, "next_poll_at")));
    if (jv_is_string(jv_get(v, "way")))
        printf("  read by %s\n", ctl_text(jv_get(v, "way"), ""));
    print_audience(jv_get(v, "audience"));
    const struct jv *differs = jv_get(v, "differs");
    if (jv_is_object(differs))
        printf("  at %s the published free/busy says %s and the calendar %s, for long now: the calendar counts\n",
               ctl_when(jv_get(differs, "at")), ctl_text(jv_get(differs, "published"), "?"),
               ctl_text(jv_get(differs, "calendar"), "?"));
    const struct jv *failure = jv_get(v, "failure");
    if (jv_is_object(failure))
        printf("  failing: %s: %s\n    evidence: %s\n    what to do: %s\n", ctl_text(jv_get(failure, "code"), "?"),
               ctl_text(jv_get(failure, "meaning"), ""), ctl_text(jv_get(failure, "evidence"), "none"),
               jv_str(jv_get(failure, "advice"), ""));
    if (jv_num(jv_get(v, "broken_items"), 0) > 0)
        printf("  %s broken items of the calendar were left out\n", number(jv_get(v, "broken_items")));
    const struct jv *intervals = jv_get(v, "intervals");
    for (size_t i = 0; i < jv_count(intervals) && i < 20; i++) {
        const struct jv *one = jv_at(intervals, i);
        printf("  %-10s %s - %s\n", ctl_text(jv_get(one, "state"), ""), ctl_when(jv_get(one, "start")),
               ctl_when(jv_get(one, "end")));
    }
}

enum ctl_exit ctl_show(const struct ctl_options *o)
{
    return ask_and_tell(o, "GET", ctl_path("/ctl/person/", o->args[0]), print_person, is_known);
}

enum ctl_exit ctl_servers(const struct ctl_options *o)
{
    static const char *const heads[] = {"SERVER",   "STATE", "PRODUCT", "LOGON", "CONN",
                                        "REQUESTS", "REQ/S", "MS",    "FRESH",   "STALE", "OLDEST"};
    struct jv *v = NULL;
    enum ctl_exit result = ctl_talk(o, "GET", "/v1/servers", &v);
    if (result != CTL_WELL)
        return result;
    const struct jv *servers = jv_get(v, "servers");
    for (size_t i = 0; i < jv_count(servers); i++)
        if (jv_is_object(jv_get(jv_at(servers, i), "failure")))
            result = CTL_NOT_WELL;
    if (o->json) {
        ctl_print_json(v);
    } else {
        struct ctl_table *t = ctl_table_new(heads, 11);
        for (size_t i = 0; i < jv_count(servers); i++)
            print_server(t, jv_at(servers, i));
        ctl_table_print(&t);
        for (size_t i = 0; i < jv_count(servers); i++)
            print_server_notes(jv_at(servers, i));
    }
    jv_free(&v);
    return result;
}

enum ctl_exit ctl_users(const struct ctl_options *o)
{
    static const char *const heads[] = {"PERSON", "STATE", "UNTIL", "NEXT", "AS OF", "SERVER", "REASON"};
    struct jv *v = NULL;
    char *path = o->state ? ctl_path("/ctl/users?state=", o->state) : mem_strdup("/ctl/users");
    enum ctl_exit result = ctl_talk(o, "GET", path, &v);
    free(path);
    if (result != CTL_WELL)
        return result;
    const struct jv *users = jv_get(v, "users");
    if (o->json) {
        ctl_print_json(v);
    } else {
        struct ctl_table *t = ctl_table_new(heads, 7);
        for (size_t i = 0; i < jv_count(users); i++) {
            const struct jv *u = jv_at(users, i), *next = jv_get(u, "next");
            const char *cells[] = {ctl_text(jv_get(u, "address"), ""), ctl_text(jv_get(u, "state"), ""),
                                   ctl_when(jv_get(u, "until")),       ctl_when(jv_get(next, "start")),
                                   ctl_when(jv_get(u, "as_of")),       ctl_text(jv_get(u, "server"), ""),
                                   ctl_text(jv_get(u, "reason"), "")};
            ctl_table_row(t, cells);
        }
        ctl_table_print(&t);
    }
    jv_free(&v);
    return CTL_WELL;
}

enum ctl_exit ctl_subscribers(const struct ctl_options *o)
{
    struct jv *v = NULL;
    enum ctl_exit result = ctl_talk(o, "GET", "/v1/status", &v);
    if (result != CTL_WELL)
        return result;
    int64_t n = jv_num(jv_get(v, "subscribers"), 0);
    if (o->json)
        printf("{\"subscribers\": %lld}\n", (long long)n);
    else
        printf("%lld event %s over HTTP\n", (long long)n, n == 1 ? "stream" : "streams");
    jv_free(&v);
    return CTL_WELL;
}

static void print_refreshed(const struct jv *v)
{
    print_person(jv_get(v, "person"));
}

static bool is_ok(const struct jv *v)
{
    return jv_truth(jv_get(v, "ok"), false);
}

enum ctl_exit ctl_refresh(const struct ctl_options *o)
{
    return ask_and_tell(o, "POST", ctl_path("/ctl/refresh/", o->args[0]), print_refreshed, is_ok);
}

static void print_changes(const struct jv *v)
{
    printf("reloaded: %s\n", ctl_text(jv_get(v, "changes"), "nothing changed"));
}

enum ctl_exit ctl_reload(const struct ctl_options *o)
{
    const char *path = o->confirm ? "/ctl/reload?confirm=yes" : "/ctl/reload";
    return ask_and_tell(o, "POST", mem_strdup(path), print_changes, NULL);
}

static void print_unbroken(const struct jv *v)
{
    (void)v;
    puts("the password will be tried once more");
}

enum ctl_exit ctl_unbreak(const struct ctl_options *o)
{
    return ask_and_tell(o, "POST", ctl_path("/ctl/unbreak/", o->args[0]), print_unbroken, NULL);
}

/* Takes `path`. The answer as data or in words; `is_well` NULL: whatever comes is. */
static enum ctl_exit ask_and_tell(const struct ctl_options *o, const char *method, char *path,
                                  void (*tell)(const struct jv *v), bool (*is_well)(const struct jv *v))
{
    struct jv *v = NULL;
    enum ctl_exit result = ctl_talk(o, method, path, &v);
    free(path);
    if (result == CTL_WELL && o->json)
        ctl_print_json(v);
    else if (result == CTL_WELL)
        tell(v);
    if (result == CTL_WELL && is_well && !is_well(v))
        result = CTL_NOT_WELL;
    jv_free(&v);
    return result;
}

static const char *number(const struct jv *v)
{
    static char out[16][24];
    static unsigned turn;
    char *here = out[turn++ % 16];
    snprintf(here, sizeof(out[0]), "%lld", (long long)jv_num(v, 0));
    return here;
}

static bool is_known(const struct jv *person)
{
    return strcmp(jv_str(jv_get(person, "state"), "unknown"), "unknown") != 0;
}

/* What is wrong with it, and what else the administrator should know. */
static void print_server_notes(const struct jv *s)
{
    const char *name = ctl_text(jv_get(s, "name"), "?");
    const struct jv *failure = jv_get(s, "failure"), *note = jv_get(s, "secret_note");
    if (jv_is_object(failure))
        printf("\n%s: %s: %s\n    evidence: %s\n    what to do: %s\n", name, ctl_text(jv_get(failure, "code"), "?"),
               ctl_text(jv_get(failure, "meaning"), ""), ctl_text(jv_get(failure, "evidence"), "none"),
               jv_str(jv_get(failure, "advice"), ""));
    if (jv_is_string(note))
        printf("%s: %s\n", name, ctl_text(note, ""));
    if (jv_is_object(jv_get(s, "relay"))) {
        print_relay(name, jv_get(s, "relay"));
        return;
    }
    print_logon(name, s);
    print_budget(name, jv_get(s, "budget"));
    if (jv_is_string(jv_get(s, "changes")))
        printf("%s: changes are seen by %s\n", name, ctl_text(jv_get(s, "changes"), ""));
}

/* What came, and what was not believed of it. */
static void print_relay(const char *name, const struct jv *r)
{
    const char *reason;
    struct jv *count;
    printf("%s: %s messages of %s people, %s digests, %s tombstones, the last at %s; %s\n", name,
           number(jv_get(r, "messages")), number(jv_get(r, "held")), number(jv_get(r, "digests")),
           number(jv_get(r, "withdrawn")), ctl_when(jv_get(r, "last_message_at")),
           jv_truth(jv_get(r, "signed"), false) ? "signed" : "not signed");
    for (size_t pos = 0; jv_next(jv_get(r, "refused"), &pos, &reason, &count);)
        if (jv_num(count, 0) > 0)
            printf("%s: refused %s times: %s\n", name, number(count), reason);
}

/* What freshness the budget buys, and what it would take. */
static void print_budget(const char *name, const struct jv *b)
{
    const char *limit = jv_str(jv_get(b, "limited_by"), NULL);
    double per_poll = jv_dbl(jv_get(b, "requests_per_poll"), 0),
           needed = jv_dbl(jv_get(b, "requests_per_second_needed"), 0);
    double interval = jv_dbl(jv_get(b, "interval_s"), 0), busy = jv_dbl(jv_get(b, "connections_needed"), 0);
    if (per_poll <= 0)
        return;
    if (!limit)
        printf("%s: everybody once in %g s takes %.1f requests a second of %g allowed (%.2f a poll)\n", name, interval,
               needed, jv_dbl(jv_get(b, "max_requests_per_second"), 0), per_poll);
    else
        printf("%s: the budget buys everybody once in %.0f s instead of %g s. It would take %.1f requests a second and "
               "%.1f busy connections: raise %s (now %g), or poll.interval\n",
               name, jv_dbl(jv_get(b, "freshness_s"), 0), interval, needed, busy, limit, jv_dbl(jv_get(b, limit), 0));
}

/* How one logs on there, and what will end some day. */
static void print_logon(const char *name, const struct jv *s)
{
    const struct jv *offered = jv_get(s, "offered"), *chosen = jv_get(s, "chosen_because");
    const struct jv *says = jv_get(s, "server_says"), *end = jv_get(s, "certificate_until");
    if (jv_is_string(offered))
        printf("%s: offers %s\n", name, ctl_text(offered, ""));
    if (jv_is_string(chosen))
        printf("%s: logon by %s\n", name, ctl_text(chosen, ""));
    if (jv_num(jv_get(s, "handshakes"), 0) > 0)
        printf("%s: %s connections were logged on so far\n", name, number(jv_get(s, "handshakes")));
    if (jv_is_string(says))
        printf("%s: the server says: %s\n", name, ctl_text(says, ""));
    if (jv_is_string(end))
        printf("%s: certificate until %s\n", name, ctl_when(end));
    if (jv_is_string(jv_get(s, "secret_changed_at")))
        printf("%s: password of %s, %lld days old\n", name, ctl_when(jv_get(s, "secret_changed_at")),
               (long long)(jv_num(jv_get(s, "secret_age_s"), 0) / 86400));
}

static void print_server(struct ctl_table *t, const struct jv *s)
{
    char connections[50];
    const struct jv *persons = jv_get(s, "persons");
    snprintf(connections, sizeof(connections), "%s/%s", number(jv_get(s, "connections")),
             number(jv_get(s, "max_connections")));
    char stale[24], rate[24];
    snprintf(rate, sizeof(rate), "%.1f", jv_dbl(jv_get(s, "requests_per_second"), 0));
    snprintf(stale, sizeof(stale), "%lld",
             (long long)(jv_num(jv_get(persons, "stale"), 0) + jv_num(jv_get(persons, "unknown"), 0)));
    const char *cells[] = {ctl_text(jv_get(s, "name"), "?"),
                           ctl_text(jv_get(s, "state"), ""),
                           ctl_text(jv_get(s, "product"), "-"),
                           ctl_text(jv_get(s, "scheme"), "-"),
                           connections,
                           number(jv_get(s, "requests")),
                           rate,
                           number(jv_get(s, "latency_ms")),
                           number(jv_get(persons, "fresh")),
                           stale,
                           ctl_when(jv_get(s, "oldest_as_of"))};
    ctl_table_row(t, cells);
}
