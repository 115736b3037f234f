/*
 * freebusyctl_privacy: what is asked of servers, and what a subscriber can get. For whoever must answer for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "freebusyctl.h"

static void print_servers(const struct jv *list);
static void print_subscribers(const struct jv *list, const struct jv *forms);
static void print_text(const char *name, const struct jv *text);

enum ctl_exit ctl_privacy(const struct ctl_options *o)
{
    const char *part = o->arg_count > 0 ? o->args[0] : NULL;
    bool server = !part || strcmp(part, "server") == 0, subscriber = !part || strcmp(part, "subscriber") == 0;
    struct jv *v = NULL;
    if (!server && !subscriber) {
        fprintf(stderr, "usage: freebusyctl privacy [server|subscriber]\n");
        return CTL_USAGE;
    }
    enum ctl_exit result = ctl_talk(o, "GET", "/ctl/privacy", &v);
    if (result != CTL_WELL)
        return result;
    if (o->json && part)
        ctl_print_json(jv_get(v, part));
    else if (o->json)
        ctl_print_json(v);
    if (!o->json && server)
        print_servers(jv_get(v, "server"));
    if (!o->json && subscriber)
        print_subscribers(jv_get(v, "subscriber"), jv_get(v, "forms"));
    jv_free(&v);
    return CTL_WELL;
}

static void print_servers(const struct jv *list)
{
    const char *kind = "";
    puts("WHAT IS ASKED OF SERVERS, AND NOTHING ELSE");
    for (size_t i = 0; i < jv_count(list); i++) {
        const struct jv *one = jv_at(list, i), *names = jv_get(one, "properties");
        const char *now = jv_str(jv_get(one, "kind"), "");
        if (strcmp(kind, now) != 0)
            printf("\n%s\n", now);
        kind = now;
        printf("  %-9s %s\n", jv_str(jv_get(one, "verb"), ""), jv_str(jv_get(one, "for"), ""));
        for (size_t k = 0; k < jv_count(names); k++)
            printf("              %s\n", jv_str(jv_at(names, k), ""));
        if (jv_is_string(jv_get(one, "answer")))
            printf("              answered with: %s\n", jv_str(jv_get(one, "answer"), ""));
        if (jv_is_string(jv_get(one, "compared")))
            printf("              %s\n", jv_str(jv_get(one, "compared"), ""));
    }
    putchar('\n');
}

static void print_subscribers(const struct jv *list, const struct jv *forms)
{
    puts("WHAT A SUBSCRIBER CAN GET OF SOMEBODY WHO IS BUSY FROM 9 TO 10 AND TENTATIVELY FROM 14 TO 15, AT 9:10\n"
         "at each level of the policy; its shapes (grid, merge, horizon, ...) only take away from this");
    for (size_t i = 0; i < jv_count(list); i++) {
        const struct jv *one = jv_at(list, i), *presence = jv_get(one, "presence");
        printf("\nlevel %s\n", jv_str(jv_get(one, "level"), ""));
        if (jv_is_null(presence))
            puts("  no such person");
        const char *key;
        struct jv *value;
        for (size_t pos = 0; jv_next(presence, &pos, &key, &value);) {
            printf("  %-12s ", key);
            ctl_print_json(value);
        }
        print_text("free_busy", jv_get(one, "free_busy"));
        print_text("pidf", jv_get(one, "pidf"));
        print_text("busy_event", jv_get(one, "busy_event"));
    }
    puts("\nWHO GETS WHICH OF THESE");
    for (size_t i = 0; i < jv_count(forms); i++) {
        const struct jv *one = jv_at(forms, i);
        printf("  %-12s %s\n", jv_str(jv_get(one, "text"), ""), jv_str(jv_get(one, "where"), ""));
        if (jv_is_string(jv_get(one, "besides")))
            printf("               %s\n", jv_str(jv_get(one, "besides"), ""));
    }
}

static void print_text(const char *name, const struct jv *text)
{
    if (!jv_is_string(text)) {
        printf("  %-12s no such person\n", name);
        return;
    }
    printf("  %s\n", name);
    for (const char *at = jv_str(text, ""); *at; at += strcspn(at, "\n") + (at[strcspn(at, "\n")] != '\0'))
        printf("  | %.*s\n", (int)strcspn(at, "\r\n"), at);
}
