/*
 * policy_check: makes the policy's table of the configuration, or says what is wrong with it; and looks for lines that
 * speak of nobody: a group or an address that nobody has is mostly a slip of the pen, and it hides somebody.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config_private.h"
#include "config_users.h"
#include "marker_check.h"
#include "outlets.h"
#include "policy_check.h"
#include "policy_table.h"
#include "who_table.h"

enum { FILE_MAX = 1 << 20, SAID_MAX = 50 };

static void take_hours(struct gw_reading *r, const struct gw_config_hours *h, struct gw_policy_table *t);
static void take_rules(struct gw_reading *r, const struct gw_config_policy *p, struct gw_policy_table *t);
static void take_file(struct gw_reading *r, const struct gw_config_policy *p, struct gw_policy_table *t);
static bool speaks_of_somebody(const struct gw_config *c, const struct gw_policy_table *t, size_t i);
static bool word_is_known(const struct gw_config *c, const char *word);
static bool group_is_known(const struct gw_config *c, const char *group);
static void say_line(const struct gw_config *c, const struct gw_policy_table *t, size_t i, const char *what,
                     struct buf *out);

void gw_policy_check(struct gw_reading *r, struct gw_config *c)
{
    struct gw_config_policy *p = &c->policy;
    if (!gw_lines_has(r->lines, "policy"))
        return;
    p->table = gw_policy_table_new();
    take_hours(r, &p->hours, p->table);
    take_rules(r, p, p->table);
    if (p->file)
        take_file(r, p, p->table);
}

void gw_policy_warnings(const struct gw_config *c, struct buf *out)
{
    const struct gw_policy_table *t = c->policy.table;
    unsigned said = 0;
    for (size_t i = 0; t && i < gw_policy_table_count(t) && said < SAID_MAX; i++) {
        const char *word;
        for (size_t w = 0; (word = gw_policy_line_word(t, i, w)); w++)
            if (!word_is_known(c, word)) {
                char what[300];
                snprintf(what, sizeof what, "no identity and no outlet is called %s", word);
                say_line(c, t, i, what, out);
                said++;
            }
        if (!speaks_of_somebody(c, t, i)) {
            say_line(c, t, i, "there is nobody of whom it speaks", out);
            said++;
        }
    }
    gw_markers_warnings(c, out);
}

static void take_hours(struct gw_reading *r, const struct gw_config_hours *h, struct gw_policy_table *t)
{
    char why[200];
    unsigned days = 0;
    if (!h->from && !h->to)
        return;
    for (unsigned i = 0; i < h->days_count; i++) {
        int day = pres_hours_day(h->days[i]);
        if (day < 0)
            gw_problem_at(r, "config-value", "policy.working_hours.days",
                          "\"%s\" is none of mon tue wed thu fri sat sun", h->days[i]);
        else
            days |= 1u << day;
    }
    int from = pres_hours_time(h->from ? h->from : ""), to = pres_hours_time(h->to ? h->to : "");
    struct pres_hours *hours = NULL;
    if (from < 0 || to < 0)
        gw_problem_at(r, "config-value", "policy.working_hours", "needs from and to, such as 08:00 and 18:00");
    else if (!(hours = pres_hours_new(days, from, to, h->zone, why, sizeof why)))
        gw_problem_at(r, "config-value", "policy.working_hours", "%s", why);
    gw_policy_table_hours(t, hours);
}

static void take_rules(struct gw_reading *r, const struct gw_config_policy *p, struct gw_policy_table *t)
{
    for (unsigned i = 0; i < p->rules_count; i++) {
        const struct gw_config_rule *rule = &p->rules[i];
        if (!rule->who || !rule->whom || !rule->level)
            continue; /* said already */
        struct gw_policy_line line = {.who = rule->who,
                                      .whom = rule->whom,
                                      .level = rule->level,
                                      .merge = rule->merge,
                                      .no_until = rule->no_until,
                                      .working_only = rule->working_only,
                                      .grid_s = rule->grid_s,
                                      .horizon_s = rule->horizon_s,
                                      .until = rule->until};
        char key[50];
        snprintf(key, sizeof key, "policy.rules[%u]", i);
        const char *wrong = gw_policy_table_add(t, &line, rule->line, false);
        if (wrong)
            gw_problem(r, "config-value", rule->line, key, "%s", wrong);
    }
}

static void take_file(struct gw_reading *r, const struct gw_config_policy *p, struct gw_policy_table *t)
{
    unsigned before = r->problems, line;
    gw_config_check_file(r, p->file, "policy.file", false);
    if (r->problems > before)
        return;
    char *text = gw_policy_file(p->file);
    if (!text) {
        gw_problem_at(r, "config-file", "policy.file", "cannot be read, or is larger than 1 MB");
        return;
    }
    const char *wrong = gw_policy_table_read(t, text, &line);
    if (wrong)
        gw_problem_at(r, "config-value", "policy.file", "%s:%u: %s", p->file, line, wrong);
    free(text);
}

struct pres_hours *gw_policy_hours(const struct gw_config_hours *h)
{
    char why[200];
    unsigned days = 0;
    for (unsigned i = 0; i < h->days_count; i++)
        if (pres_hours_day(h->days[i]) >= 0)
            days |= 1u << pres_hours_day(h->days[i]);
    if (!h->from || !h->to)
        return NULL;
    return pres_hours_new(days, pres_hours_time(h->from), pres_hours_time(h->to), h->zone, why, sizeof why);
}

char *gw_policy_file(const char *path)
{
    FILE *file = fopen(path, "re");
    struct buf b;
    buf_init(&b, FILE_MAX);
    char piece[4096];
    for (size_t n; file && (n = fread(piece, 1, sizeof piece, file)) > 0;)
        buf_add(&b, piece, n);
    bool good = file && !ferror(file) && !b.failed && (b.len == 0 || !memchr(b.data, '\0', b.len));
    if (file)
        fclose(file);
    buf_addc(&b, '\n');
    char *text = good ? buf_take(&b) : NULL;
    buf_free(&b);
    return text;
}

static bool speaks_of_somebody(const struct gw_config *c, const struct gw_policy_table *t, size_t i)
{
    static const struct gw_subject anybody = {.address = ""};
    if (!c->roster || gw_policy_line_whom(t, i, &anybody))
        return true;
    for (size_t u = 0; u < c->roster->count; u++) {
        const struct gw_user *user = &c->roster->users[u];
        struct gw_subject whom = {.address = user->address, .publish_as = user->publish_as, .group = user->group};
        if (gw_policy_line_whom(t, i, &whom))
            return true;
    }
    return false;
}

/* A domain may be anybody's; a reverse proxy may name people who are not configured, all of whom have addresses. */
static bool word_is_known(const struct gw_config *c, const char *word)
{
    const char *colon = strchr(word, ':');
    if (strcmp(word, "*") == 0 || strcmp(word, "anonymous") == 0 || word[0] == '@')
        return true;
    if (strncmp(word, "group:", 6) == 0)
        return group_is_known(c, colon + 1);
    if (strncmp(word, "outlet:", 7) == 0)
        return gw_outlets_configured(c, colon + 1);
    if (colon) {
        char *label = mem_strndup(word, (size_t)(colon - word));
        bool known = gw_outlets_configured(c, label);
        free(label);
        return known;
    }
    return gw_outlets_configured(c, word) || (c->whos && gw_whos_named(c->whos, word)) ||
           (c->http.proxies_count > 0 && strchr(word, '@'));
}

static bool group_is_known(const struct gw_config *c, const char *group)
{
    for (unsigned i = 0; i < c->identities_count; i++)
        if (c->identities[i].group && strcmp(c->identities[i].group, group) == 0)
            return true;
    return c->identities_file != NULL; /* it may have such identities, today or tomorrow */
}

static void say_line(const struct gw_config *c, const struct gw_policy_table *t, size_t i, const char *what,
                     struct buf *out)
{
    unsigned line;
    bool in_file = gw_policy_line_is_file(t, i, &line);
    buf_addf(out, "%s:%u: policy: the line \"", in_file ? c->policy.file : c->path, line);
    gw_policy_line_text(t, i, out);
    buf_addf(out, "\" matches nothing: %s\n", what);
}
