/*
 * config_print: see config_print.h. Walks the table of keys (config_schema.c) beside the configuration that was read,
 * so that a new key appears by itself. Files are told by name, never opened. URLs lose their user information and
 * query, and those of hooks their path: that is where services put tokens. Templates and headers of hooks are not
 * shown.
 */
#include "config_print.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config_private.h"

enum { PART_MAX = 16 * 1024 * 1024 };

static void print_section(const struct gw_section *s, const char *out_of, unsigned depth, struct buf *out);
static void print_options(const struct gw_section *s, const char *from, unsigned depth, struct buf *out);
static bool print_value(const struct gw_section *s, const struct gw_option *o, const char *from, struct buf *out);
static void add_text(const struct gw_section *s, const char *text, struct buf *out);
static void add_word(const char *words, int place, struct buf *out);
static bool hidden(const struct gw_section *s, const struct gw_option *o);
static bool is_hook(const struct gw_section *s);
static void indent(unsigned depth, struct buf *out);

void gw_config_print(const struct gw_config *c, struct buf *out)
{
    print_options(&gw_config_root, (const char *)c, 0, out);
    for (unsigned i = 0; i < gw_config_root.section_count; i++)
        print_section(gw_config_root.sections[i], (const char *)c, 0, out);
    buf_addf(out, "# users: %u entries\n", c->users_count);
}

/* Its heading only where something stands below it. */
static void print_section(const struct gw_section *s, const char *out_of, unsigned depth, struct buf *out)
{
    unsigned count = s->list ? *(const unsigned *)(const void *)(out_of + s->out_count) : 1;
    const char *first = s->list ? *(const char *const *)(const void *)(out_of + s->out) : out_of + s->out;
    struct buf inside;
    buf_init(&inside, PART_MAX);
    for (unsigned i = 0; i < count && strcmp(s->key, "users") != 0; i++) {
        const char *from = first + i * s->size;
        if (s->list) {
            indent(depth + 1, &inside);
            buf_addf(&inside, "# %u\n", i + 1);
        }
        print_options(s, from, depth + 1, &inside);
        for (unsigned j = 0; j < s->section_count; j++)
            print_section(s->sections[j], from, depth + 1, &inside);
    }
    if (inside.len) {
        indent(depth, out);
        buf_addf(out, "%s:\n", s->key);
        buf_add(out, inside.data, inside.len);
    }
    buf_free(&inside);
}

static void print_options(const struct gw_section *s, const char *from, unsigned depth, struct buf *out)
{
    for (unsigned i = 0; i < s->option_count; i++) {
        const struct gw_option *o = &s->options[i];
        struct buf value;
        buf_init(&value, 65536);
        if (print_value(s, o, from, &value) && !(o->dflt && strcmp(o->dflt, value.data) == 0)) {
            indent(depth, out);
            buf_addf(out, "%s: %s\n", o->key, hidden(s, o) ? "(set, not shown)" : value.data);
        }
        buf_free(&value);
    }
}

/* False: it has none. */
static bool print_value(const struct gw_section *s, const struct gw_option *o, const char *from, struct buf *out)
{
    const void *at = from + o->out;
    unsigned count = o->out_count ? *(const unsigned *)(const void *)(from + o->out_count) : 0;
    switch (o->type) {
    case GW_OPT_TEXT:
    case GW_OPT_FILE:
    case GW_OPT_WORD:
        if (*(const char *const *)at)
            add_text(s, *(const char *const *)at, out);
        return *(const char *const *)at != NULL;
    case GW_OPT_COUNT:
        return buf_addf(out, "%u", *(const unsigned *)at);
    case GW_OPT_RATE:
        return buf_addf(out, "%g", *(const double *)at);
    case GW_OPT_FLAG:
        return buf_adds(out, *(const bool *)at ? "true" : "false");
    case GW_OPT_MS:
        gw_duration_write(out, *(const int64_t *)at);
        return true;
    case GW_OPT_S:
        gw_duration_write(out, *(const int64_t *)at * 1000);
        return true;
    case GW_OPT_CHOICE:
        add_word(o->words, *(const int *)at, out);
        return true;
    case GW_OPT_SECOND:
        add_word(o->words, *(const bool *)at, out);
        return true;
    case GW_OPT_LIST:
    case GW_OPT_CHOICES:
        for (unsigned i = 0; i < count; i++) {
            if (i)
                buf_addc(out, ' ');
            if (o->type == GW_OPT_LIST)
                add_text(s, (*(char *const *const *)at)[i], out);
            else
                add_word(o->words, (*(const int *const *)at)[i], out);
        }
        return count > 0;
    }
    return false;
}

static void add_text(const struct gw_section *s, const char *text, struct buf *out)
{
    const char *host = strstr(text, "://");
    if (!host) {
        buf_adds(out, text);
        return;
    }
    host += 3;
    size_t authority = strcspn(host, "/?#"), path = strcspn(host, "?#");
    const char *user = memchr(host, '@', authority);
    buf_add(out, text, (size_t)(host - text));
    if (user) {
        authority -= (size_t)(user + 1 - host);
        path -= (size_t)(user + 1 - host);
        host = user + 1;
    }
    buf_add(out, host, is_hook(s) ? authority : path);
    if (host[path] || (is_hook(s) && host[authority]))
        buf_adds(out, "...");
}

static void add_word(const char *words, int place, struct buf *out)
{
    for (; place > 0 && *words; place--)
        words += strcspn(words, " ") + (strchr(words, ' ') ? 1 : 0);
    buf_add(out, words, strcspn(words, " "));
}

static bool is_hook(const struct gw_section *s)
{
    return strcmp(s->key, "webhooks") == 0;
}

/* Where administrators write tokens, and what names people. */
static bool hidden(const struct gw_section *s, const struct gw_option *o)
{
    static const char *const keys[] = {"headers", "body", "people", "allow", "admins", "hash", "token", "password"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(o->key, keys[i]) == 0)
            return true;
    return is_hook(s) && strcmp(o->key, "id") == 0;
}

static void indent(unsigned depth, struct buf *out)
{
    for (unsigned i = 0; i < depth; i++)
        buf_adds(out, "  ");
}
