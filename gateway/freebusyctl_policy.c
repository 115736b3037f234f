/*
 * freebusyctl_policy: policy test, policy diff and audience: who may see whom. See freebusyctl.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "freebusyctl.h"

static enum ctl_exit test(const struct ctl_options *o);
static enum ctl_exit diff(const struct ctl_options *o);
static char *joined(char *path, const char *key, const char *value);
static void print_test(const struct jv *v, const char *who);
static void print_changes(const struct jv *v);
static void print_choice(const struct jv *v);

enum ctl_exit ctl_policy(const struct ctl_options *o)
{
    if (strcmp(o->args[0], "test") == 0 && o->arg_count == 3)
        return test(o);
    if (strcmp(o->args[0], "diff") == 0 && o->arg_count == 2)
        return diff(o);
    fprintf(stderr, "usage: freebusyctl policy test WHO ADDRESS [--at TIME] | policy diff FILE\n");
    return CTL_USAGE;
}

enum ctl_exit ctl_audience(const struct ctl_options *o)
{
    struct jv *v = NULL;
    char *path = o->arg_count ? ctl_path("/ctl/audience/", o->args[0]) : mem_strdup("/ctl/audience");
    if (o->arg_count == 1) {
        free(path);
        fprintf(stderr, "usage: freebusyctl audience [ADDRESS nothing|available|kinds|times|off|default]\n");
        return CTL_USAGE;
    }
    if (o->arg_count == 2)
        path = joined(path, "?level=", o->args[1]);
    enum ctl_exit result = ctl_talk(o, o->arg_count ? "POST" : "GET", path, &v);
    free(path);
    if (result == CTL_WELL && o->json) {
        ctl_print_json(v);
    } else if (result == CTL_WELL) {
        const struct jv *list = jv_get(v, "audience");
        for (size_t i = 0; i < jv_count(list); i++)
            print_choice(jv_at(list, i));
        if (!list)
            print_choice(v);
    }
    jv_free(&v);
    return result;
}

static enum ctl_exit test(const struct ctl_options *o)
{
    struct jv *v = NULL;
    char *path = joined(ctl_path("/ctl/policy/test?who=", o->args[1]), "&whom=", o->args[2]);
    if (o->at)
        path = joined(path, "&at=", o->at);
    enum ctl_exit result = ctl_talk(o, "GET", path, &v);
    free(path);
    if (result == CTL_WELL && o->json)
        ctl_print_json(v);
    else if (result == CTL_WELL)
        print_test(v, o->args[1]);
    if (result == CTL_WELL && strcmp(jv_str(jv_get(v, "granted"), "nothing"), "nothing") == 0)
        result = CTL_NOT_WELL;
    jv_free(&v);
    return result;
}

static enum ctl_exit diff(const struct ctl_options *o)
{
    struct jv *v = NULL;
    char *whole = realpath(o->args[1], NULL);
    if (!whole) {
        perror(o->args[1]);
        return CTL_USAGE;
    }
    char *path = ctl_path("/ctl/policy/diff?file=", whole);
    enum ctl_exit result = ctl_talk(o, "GET", path, &v);
    free(path);
    free(whole);
    if (result == CTL_WELL && o->json)
        ctl_print_json(v);
    else if (result == CTL_WELL)
        print_changes(v);
    if (result == CTL_WELL && jv_num(jv_get(v, "widens"), 0) > 0)
        result = CTL_NOT_WELL;
    jv_free(&v);
    return result;
}

/* Takes the path. */
static char *joined(char *path, const char *key, const char *value)
{
    char *more = ctl_path(key, value), *both = mem_printf("%s%s", path, more);
    free(path);
    free(more);
    return both;
}

static void print_test(const struct jv *v, const char *who)
{
    const struct jv *presence = jv_get(v, "presence");
    int64_t rule = jv_num(jv_get(v, "rule"), 0);
    printf("%s may see of %s: %s\n", who, ctl_text(jv_get(v, "whom"), ""), ctl_text(jv_get(v, "granted"), ""));
    if (rule > 0)
        printf("  by line %lld: %s\n", (long long)rule, ctl_text(jv_get(v, "line"), ""));
    else
        printf("  %s\n", jv_truth(jv_get(v, "policy"), true) ? "no line matches" : "there is no policy");
    if (jv_str(jv_get(v, "chosen"), NULL))
        printf("  the person has chosen: at most %s\n", ctl_text(jv_get(v, "chosen"), ""));
    if (jv_str(jv_get(v, "marked"), NULL))
        printf("  by a marker in the calendar: at most %s\n", ctl_text(jv_get(v, "marked"), ""));
    if (!jv_is_object(presence)) {
        printf("  seen is: no such person\n");
        return;
    }
    printf("  seen is: %s", ctl_text(jv_get(presence, "state"), ""));
    if (*ctl_when(jv_get(presence, "until")))
        printf(" until %s", ctl_when(jv_get(presence, "until")));
    if (jv_str(jv_get(presence, "reason"), NULL))
        printf(" (%s)", ctl_text(jv_get(presence, "reason"), ""));
    putchar('\n');
}

static void print_changes(const struct jv *v)
{
    static const char *const heads[] = {"", "WHO", "PERSONS", "SUCH AS", "WAS", "BECOMES"};
    const struct jv *changes = jv_get(v, "changes");
    struct ctl_table *t = ctl_table_new(heads, 6);
    for (size_t i = 0; i < jv_count(changes); i++) {
        const struct jv *row = jv_at(changes, i);
        int64_t others = jv_num(jv_get(row, "others"), 0);
        char persons[24], more[40] = "", who[300];
        snprintf(persons, sizeof persons, "%lld", (long long)jv_num(jv_get(row, "persons"), 0));
        if (others > 0)
            snprintf(more, sizeof more, " and %lld alike", (long long)others);
        snprintf(who, sizeof who, "%s%s", ctl_text(jv_get(row, "who"), ""), more);
        const char *cells[] = {jv_truth(jv_get(row, "wider"), false) ? "+" : "-",
                               who,
                               persons,
                               ctl_text(jv_get(row, "example"), ""),
                               ctl_text(jv_get(row, "was"), ""),
                               ctl_text(jv_get(row, "becomes"), "")};
        ctl_table_row(t, cells);
    }
    if (jv_count(changes) == 0)
        puts("nobody would see more or less");
    ctl_table_print(&t);
}

static void print_choice(const struct jv *v)
{
    const char *level = jv_str(jv_get(v, "level"), NULL);
    printf("%s: %s%s\n", ctl_text(jv_get(v, "address"), ""), level ? "at most " : "as the policy says",
           level ? level : "");
    if (jv_str(jv_get(v, "marked"), NULL))
        printf("  by a marker in the calendar, now: at most %s\n", ctl_text(jv_get(v, "marked"), ""));
    if (!jv_truth(jv_get(v, "kept"), true))
        puts("  (until the daemon ends: there is no state.directory)");
}
