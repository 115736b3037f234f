/*
 * policy_words: lines of the policy's table as text, both ways. See policy_table.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "config_private.h"
#include "policy_private.h"

enum { WORDS_MAX = 200, WORD_LEN_MAX = 1000, RULES_MAX = 10000, DAY_S = 86400, COLUMNS = 16, LINE_LEN_MAX = 4096 };

static const char *take_list(const char *text, bool whom, struct gw_word **ret, size_t *ret_count);
static const char *take_word(const char *text, size_t len, bool whom, struct gw_word *ret);
static const char *take_until(const char *text, int64_t *ret);
static const char *take_line(struct gw_policy_table *t, char *text, unsigned number);
static const char *take_shape(char *word, struct gw_policy_line *line);
static const char *split(char *text, char **ret, size_t *ret_count);
static void free_words(struct gw_word *words, size_t count);
static void add_words(const struct gw_word *words, size_t count, struct buf *out);

const char *gw_policy_table_add(struct gw_policy_table *t, const struct gw_policy_line *line, unsigned number,
                                bool in_file)
{
    struct gw_rule r = {.number = number, .in_file = in_file};
    const char *wrong = NULL;
    r.grant = (struct pres_grant){.merge = line->merge,
                                  .no_until = line->no_until,
                                  .working_only = line->working_only,
                                  .grid_s = line->grid_s,
                                  .horizon_s = line->horizon_s,
                                  .expires = PRES_NEVER};
    if (t->count >= RULES_MAX)
        wrong = "is one line more than there may be";
    else if (!pres_level_parse(line->level, &r.grant.level))
        wrong = "has a level that is none of nothing, available, kinds and times";
    else if (line->grid_s < 0 || line->grid_s > PRES_GRID_MAX_S || DAY_S % (line->grid_s > 0 ? line->grid_s : 1) != 0)
        wrong = "has a grid that does not divide a day";
    else if (line->working_only && !t->hours)
        wrong = "says working_hours_only, but policy.working_hours does not say which these are";
    if (!wrong && line->until)
        wrong = take_until(line->until, &r.grant.expires);
    if (!wrong)
        wrong = take_list(line->who, false, &r.who, &r.who_count);
    if (!wrong)
        wrong = take_list(line->whom, true, &r.whom, &r.whom_count);
    if (wrong) {
        gw_policy_rule_free(&r);
        return wrong;
    }
    t->rules = mem_realloc(t->rules, t->count + 1, sizeof *t->rules);
    t->rules[t->count++] = r;
    return NULL;
}

const char *gw_policy_table_read(struct gw_policy_table *t, const char *text, unsigned *ret_line)
{
    const char *wrong = NULL;
    *ret_line = 0;
    while (*text && !wrong) {
        size_t len = strcspn(text, "\n");
        ++*ret_line;
        if (len >= LINE_LEN_MAX || !str_is_utf8(text, len))
            return "is too long, or no UTF-8";
        char *line = mem_strndup(text, len);
        wrong = take_line(t, line, *ret_line);
        free(line);
        text += len + (text[len] == '\n');
    }
    return wrong;
}

void gw_policy_line_text(const struct gw_policy_table *t, size_t i, struct buf *out)
{
    const struct gw_rule *r = &t->rules[i];
    add_words(r->who, r->who_count, out);
    buf_addc(out, ' ');
    add_words(r->whom, r->whom_count, out);
    buf_addc(out, ' ');
    gw_policy_grant_text(&r->grant, out);
}

void gw_policy_grant_text(const struct pres_grant *grant, struct buf *out)
{
    char text[UTC_TEXT_MAX];
    buf_adds(out, pres_level_name(grant->level));
    if (grant->level == PRES_SEE_NOTHING)
        return;
    if (grant->grid_s > 0) {
        buf_adds(out, " grid=");
        gw_duration_write(out, grant->grid_s * 1000);
    }
    buf_adds(out, grant->merge ? " merge" : "");
    if (grant->horizon_s > 0) {
        buf_adds(out, " horizon=");
        gw_duration_write(out, grant->horizon_s * 1000);
    }
    buf_adds(out, grant->no_until ? " no_until" : "");
    buf_adds(out, grant->working_only ? " working_hours_only" : "");
    if (grant->expires != PRES_NEVER)
        buf_addf(out, " until=%s", utc_rfc3339(grant->expires, text));
}

void gw_policy_rule_free(struct gw_rule *r)
{
    free_words(r->who, r->who_count);
    free_words(r->whom, r->whom_count);
}

static const char *take_list(const char *text, bool whom, struct gw_word **ret, size_t *ret_count)
{
    const char *wrong = NULL;
    for (const char *part = text, *next; part && !wrong; part = next) {
        size_t len;
        next = str_split(part, ',', &len);
        const char *word = str_trim(part, &len);
        if (*ret_count >= WORDS_MAX)
            return "names too many in one line";
        *ret = mem_realloc(*ret, *ret_count + 1, sizeof **ret);
        (*ret)[*ret_count] = (struct gw_word){.kind = GW_WORD_NAME};
        wrong = take_word(word, len, whom, &(*ret)[(*ret_count)++]);
    }
    return wrong;
}

static const char *take_word(const char *text, size_t len, bool whom, struct gw_word *ret)
{
    if (len == 0 || len > WORD_LEN_MAX)
        return "names nobody on one side";
    ret->as_written = mem_strndup(text, len);
    const char *word = ret->as_written, *colon = strchr(word, ':');
    if (strcmp(word, "*") == 0)
        ret->kind = GW_WORD_ALL;
    else if (str_starts(word, "group:"))
        ret->kind = GW_WORD_GROUP;
    else if (word[0] == '@')
        ret->kind = GW_WORD_DOMAIN;
    else if (whom && strcmp(word, "self") == 0)
        ret->kind = GW_WORD_SELF;
    else if (!whom && strcmp(word, "anonymous") == 0)
        ret->kind = GW_WORD_ANONYMOUS;
    else if (!whom && str_starts(word, "outlet:"))
        ret->kind = GW_WORD_OUTLET;
    else if (!whom && colon)
        ret->kind = GW_WORD_PART;
    else if (whom && !strchr(word, '@'))
        return "names somebody who is no address, no group:NAME, no @domain, not self and not *";
    switch (ret->kind) {
    case GW_WORD_GROUP:
    case GW_WORD_OUTLET:
        ret->text = mem_strdup(colon + 1);
        break;
    case GW_WORD_DOMAIN:
        ret->text = mem_strdup(word + 1);
        break;
    case GW_WORD_PART:
        ret->text = mem_strndup(word, (size_t)(colon - word));
        ret->part = mem_strdup(colon + 1);
        break;
    case GW_WORD_NAME:
        ret->text = mem_strdup(word);
        break;
    case GW_WORD_ALL:
    case GW_WORD_ANONYMOUS:
    case GW_WORD_SELF:
        return NULL;
    }
    return ret->text[0] && (!ret->part || ret->part[0]) ? NULL : "has a name that is empty";
}

/* "2027-06-30": that day is the last one. Or a moment. */
static const char *take_until(const char *text, int64_t *ret)
{
    char whole[40];
    if (strlen(text) != 10) {
        return utc_parse_any(text, strlen(text), ret)
                   ? NULL
                   : "has an until that is no day (2027-06-30) and no moment (2027-06-30T17:00:00Z)";
    }
    snprintf(whole, sizeof whole, "%sT00:00:00Z", text);
    if (!utc_parse_rfc3339(whole, strlen(whole), ret))
        return "has an until that is no day";
    *ret += DAY_S;
    return NULL;
}

static const char *take_line(struct gw_policy_table *t, char *text, unsigned number)
{
    char *words[COLUMNS];
    size_t count;
    const char *wrong = split(text, words, &count);
    struct gw_policy_line line = {.who = NULL};
    if (wrong || count == 0)
        return wrong;
    if (count < 3)
        return "needs who, whom and a level";
    line.who = words[0];
    line.whom = words[1];
    line.level = words[2];
    for (size_t i = 3; i < count; i++)
        if ((wrong = take_shape(words[i], &line)))
            return wrong;
    return gw_policy_table_add(t, &line, number, true);
}

static const char *take_shape(char *word, struct gw_policy_line *line)
{
    int64_t ms = 0;
    if (strcmp(word, "merge") == 0)
        line->merge = true;
    else if (strcmp(word, "no_until") == 0)
        line->no_until = true;
    else if (strcmp(word, "working_hours_only") == 0)
        line->working_only = true;
    else if (str_starts(word, "until="))
        line->until = word + 6;
    else if (str_starts(word, "grid=")) {
        if (!gw_duration_read(word + 5, &ms) || ms < 60000 || ms % 1000)
            return "has a grid that is no duration such as 30m";
        line->grid_s = ms / 1000;
    } else if (str_starts(word, "horizon=")) {
        if (!gw_duration_read(word + 8, &ms) || ms < 60000 || ms % 1000)
            return "has a horizon that is no duration such as 14d";
        line->horizon_s = ms / 1000;
    } else {
        return "has a word that is none of grid=, merge, horizon=, no_until, working_hours_only and until=";
    }
    return NULL;
}

/* Words between blanks; quotes keep blanks together. In place. */
static const char *split(char *text, char **ret, size_t *ret_count)
{
    char *out = text;
    *ret_count = 0;
    for (char *p = text;;) {
        p += strspn(p, " \t\r");
        if (!*p || *p == '#')
            return NULL;
        if (*ret_count == COLUMNS)
            return "has too many words";
        ret[(*ret_count)++] = out;
        bool quoted = false;
        for (; *p && (quoted || !strchr(" \t\r", *p)); p++) {
            if (*p == '"')
                quoted = !quoted;
            else
                *out++ = *p;
        }
        if (quoted)
            return "has a quote that does not end";
        bool more = *p != '\0';
        p += more;
        *out++ = '\0';
        if (!more)
            return NULL;
    }
}

static void free_words(struct gw_word *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(words[i].as_written);
        free(words[i].text);
        free(words[i].part);
    }
    free(words);
}

static void add_words(const struct gw_word *words, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        bool blank = strpbrk(words[i].as_written, " \t#") != NULL;
        buf_addf(out, "%s%s%s%s", i ? "," : "", blank ? "\"" : "", words[i].as_written, blank ? "\"" : "");
    }
}
