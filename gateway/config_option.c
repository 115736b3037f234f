/*
 * config_option: one value of the configuration file, from text to the type that its row of the table names, within the
 * row's limits. Each way in which a value can be wrong has its sentence, which says what would have been right.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "config_private.h"

static void set_count(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text,
                      unsigned *ret);
static void set_rate(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text, double *ret);
static void set_flag(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text, bool *ret);
static bool set_duration(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text,
                         int64_t *ret_ms);
static int choose(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text);
static void wrong_type(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text);
static void out_of_range(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text);
static int word_index(const char *words, const char *text);

void gw_option_set(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text,
                   char *section_out)
{
    void *out = section_out + o->out;
    int64_t ms;
    switch (o->type) {
    case GW_OPT_TEXT:
        *(char **)out = mem_strdup(text);
        return;
    case GW_OPT_FILE:
        *(char **)out = secret_path(text, r->folder);
        return;
    case GW_OPT_COUNT:
        set_count(r, o, path, text, out);
        return;
    case GW_OPT_RATE:
        set_rate(r, o, path, text, out);
        return;
    case GW_OPT_FLAG:
        set_flag(r, o, path, text, out);
        return;
    case GW_OPT_MS:
        set_duration(r, o, path, text, out);
        return;
    case GW_OPT_S:
        if (set_duration(r, o, path, text, &ms))
            *(int64_t *)out = ms / 1000;
        return;
    case GW_OPT_WORD:
        if (choose(r, o, path, text) >= 0)
            *(char **)out = mem_strdup(text);
        return;
    case GW_OPT_CHOICE:
        *(int *)out = choose(r, o, path, text);
        return;
    case GW_OPT_SECOND:
        *(bool *)out = choose(r, o, path, text) == 1;
        return;
    case GW_OPT_LIST:
    case GW_OPT_CHOICES:
        return; /* these have gw_option_set_list */
    }
}

void gw_option_set_list(struct gw_reading *r, const struct gw_option *o, const char *path, char **items, unsigned count,
                        char *section_out)
{
    if (count < (uint64_t)o->min || count > (uint64_t)o->max) {
        gw_problem_at(r, "config-value", path, "has %u entries; expected are %lld to %lld", count, (long long)o->min,
                      (long long)o->max);
        return;
    }
    char **texts = o->type == GW_OPT_LIST ? mem_calloc(count + 1, sizeof *texts) : NULL;
    int *choices = o->type == GW_OPT_CHOICES ? mem_calloc(count + 1, sizeof *choices) : NULL;
    for (unsigned i = 0; i < count; i++) {
        char *item_path = mem_printf("%s[%u]", path, i);
        if (!items[i][0])
            gw_problem_at(r, "config-value", item_path, "is empty");
        if (texts)
            texts[i] = mem_strdup(items[i]);
        if (choices)
            choices[i] = choose(r, o, item_path, items[i]);
        for (unsigned j = 0; choices && choices[i] >= 0 && j < i; j++)
            if (choices[j] == choices[i])
                gw_problem_at(r, "config-duplicate", item_path, "names \"%s\" twice", items[i]);
        free(item_path);
    }
    *(void **)(section_out + o->out) = texts ? (void *)texts : (void *)choices;
    *(unsigned *)(section_out + o->out_count) = count;
}

void gw_option_free(const struct gw_option *o, char *section_out)
{
    switch (o->type) {
    case GW_OPT_LIST: {
        char **items = *(char ***)(section_out + o->out);
        for (unsigned i = 0; items && i < *(unsigned *)(section_out + o->out_count); i++)
            free(items[i]);
        free(items);
        return;
    }
    case GW_OPT_TEXT:
    case GW_OPT_FILE:
    case GW_OPT_WORD:
    case GW_OPT_CHOICES:
        free(*(void **)(section_out + o->out));
        return;
    case GW_OPT_COUNT:
    case GW_OPT_RATE:
    case GW_OPT_FLAG:
    case GW_OPT_MS:
    case GW_OPT_S:
    case GW_OPT_CHOICE:
    case GW_OPT_SECOND:
        return;
    }
}

void gw_option_type_text(const struct gw_option *o, struct buf *out)
{
    switch (o->type) {
    case GW_OPT_TEXT:
        buf_adds(out, "text");
        return;
    case GW_OPT_FILE:
        buf_adds(out, "file");
        return;
    case GW_OPT_COUNT:
        buf_addf(out, "whole number from %lld to %lld", (long long)o->min, (long long)o->max);
        return;
    case GW_OPT_RATE:
        buf_addf(out, "number above %lld, up to %lld", (long long)o->min, (long long)o->max);
        return;
    case GW_OPT_FLAG:
        buf_adds(out, "true or false");
        return;
    case GW_OPT_MS:
    case GW_OPT_S:
        buf_adds(out, "duration from ");
        gw_duration_write(out, o->min);
        buf_adds(out, " to ");
        gw_duration_write(out, o->max);
        return;
    case GW_OPT_WORD:
    case GW_OPT_CHOICE:
    case GW_OPT_SECOND:
        buf_addf(out, "one of: %s", o->words);
        return;
    case GW_OPT_LIST:
        buf_addf(out, "list of up to %lld texts", (long long)o->max);
        return;
    case GW_OPT_CHOICES:
        buf_addf(out, "list of: %s", o->words);
        return;
    }
}

static void set_count(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text,
                      unsigned *ret)
{
    int64_t value;
    if (!str_to_int(text, INT64_MIN, INT64_MAX, &value))
        wrong_type(r, o, path, text);
    else if (value < o->min || value > o->max)
        out_of_range(r, o, path, text);
    else
        *ret = (unsigned)value;
}

static void set_rate(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text, double *ret)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || strspn(text, "0123456789.-+") != strlen(text))
        wrong_type(r, o, path, text);
    else if (value <= (double)o->min || value > (double)o->max)
        out_of_range(r, o, path, text);
    else
        *ret = value;
}

static void set_flag(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text, bool *ret)
{
    if (word_index("true yes on True Yes On", text) >= 0)
        *ret = true;
    else if (word_index("false no off False No Off", text) >= 0)
        *ret = false;
    else
        wrong_type(r, o, path, text);
}

static bool set_duration(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text,
                         int64_t *ret_ms)
{
    int64_t ms;
    if (!gw_duration_read(text, &ms)) {
        char shown[80];
        gw_problem_at(r, "config-wrong-type", path,
                      "expects a number with its unit, such as 500ms, 60s, 15m, 8h or 14d, not \"%s\"",
                      str_printable(text, strlen(text), shown, sizeof shown));
        return false;
    }
    if (ms < o->min || ms > o->max) {
        out_of_range(r, o, path, text);
        return false;
    }
    *ret_ms = ms;
    return true;
}

static int choose(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text)
{
    int i = word_index(o->words, text);
    if (i >= 0)
        return i;
    char shown[80];
    str_printable(text, strlen(text), shown, sizeof shown);
    if (o->later && word_index(o->later, text) >= 0)
        gw_problem_at(r, "config-not-supported", path, "\"%s\" is not supported yet; this version knows: %s", shown,
                      o->words);
    else
        gw_problem_at(r, "config-value", path, "expects one of: %s; not \"%s\"", o->words, shown);
    return -1;
}

static void wrong_type(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text)
{
    char shown[80];
    struct buf type;
    buf_init(&type, 200);
    gw_option_type_text(o, &type);
    gw_problem_at(r, "config-wrong-type", path, "expects: %s; not \"%s\"", type.data,
                  str_printable(text, strlen(text), shown, sizeof shown));
    buf_free(&type);
}

static void out_of_range(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text)
{
    char shown[80];
    struct buf type;
    buf_init(&type, 200);
    gw_option_type_text(o, &type);
    gw_problem_at(r, "config-value", path, "is out of range; expects: %s; not \"%s\"", type.data,
                  str_printable(text, strlen(text), shown, sizeof shown));
    buf_free(&type);
}

/* The place of `text` among words separated by a space, -1: not among them. */
static int word_index(const char *words, const char *text)
{
    size_t len = strlen(text);
    int i = 0;
    while (words) {
        size_t word_len;
        const char *rest = str_split(words, ' ', &word_len);
        if (word_len == len && len > 0 && memcmp(words, text, len) == 0)
            return i;
        words = rest;
        i++;
    }
    return -1;
}

static const struct {
    const char *unit;
    int64_t ms;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

bool gw_duration_read(const char *text, int64_t *ret_ms)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 12)
        return false;
    int64_t value = strtoll(text, NULL, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(text + digits, units[i].unit) == 0) {
            if (value > INT64_MAX / units[i].ms)
                return false;
            *ret_ms = value * units[i].ms;
            return true;
        }
    return false;
}

void gw_duration_write(struct buf *out, int64_t ms)
{
    if (ms == 0) {
        buf_adds(out, "0s");
        return;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (ms % units[i].ms == 0) {
            buf_addf(out, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
            return;
        }
}
