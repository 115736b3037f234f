/*
 * config: the configuration file, read whole. Called by main.c at the start and by reload.c; both get a struct
 * gw_config that has passed every check that needs no network, or one text with every problem found.
 *
 * Steps: the bytes -> where everything stands (config_lines.c) -> libcyaml with a schema built from the table (unknown
 * keys, shape)
 * -> values by their rows (config_option.c) -> what rows cannot say (config_check.c) -> everybody in one list
 * (config_users.c).
 *
 * What libcyaml fills are records: one slot a key in the order of the section's rows, then one slot a section inside.
 * They live between libcyaml and the table only.
 */
#include "config.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_identity.h"
#include "config_private.h"
#include "config_users.h"
#include "policy_table.h"
#include "who_table.h"

enum { FILE_MAX = 16 << 20, SCHEMA_MAX = 1 << 20, BACKTRACE_MAX = 8 };

struct slot {
    void *data;
    uint32_t count;
};

/* What libcyaml says on its way out, collected from its log. */
struct complaint {
    char sentence[200];
    struct {
        char field[80]; /* "" for a list entry */
        unsigned entry; /* from 0 */
        unsigned line;
    } steps[BACKTRACE_MAX];
    unsigned step_count;
};

static bool read_file(struct gw_reading *r, struct buf *text);
static struct gw_config *read_text(struct gw_reading *r, const struct buf *text);
static cyaml_schema_value_t *build_schema(struct arena *a, const struct gw_section *s, int flags);
static void listen_to(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));
static void tell_complaint(struct gw_reading *r, const struct complaint *c, const char *fallback);
static void refuse_later(struct gw_reading *r, const struct gw_section *s, const char *path);
static void take_section(struct gw_reading *r, const struct gw_section *s, const struct slot *record, const char *path,
                         char *out);
static void take_list(struct gw_reading *r, const struct gw_section *s, const struct slot *slot, const char *path,
                      char *parent_out);
static void take_options(struct gw_reading *r, const struct gw_section *s, const struct slot *record, const char *path,
                         char *out);
static void take_default(struct gw_reading *r, const struct gw_option *o, const char *path, char *out);
static void take_defaults(struct gw_config *c, struct gw_reading *r);
static void free_section(const struct gw_section *s, char *out);
static char *join(const char *path, const char *key);

struct gw_config *gw_config_read(const char *path, struct gw_config_error *err)
{
    *err = (struct gw_config_error){{0}, {0}};
    char *folder_text = mem_strdup(path);
    struct gw_reading r = {.file = path, .folder = dirname(folder_text), .err = err};
    struct gw_config *c = NULL;
    struct buf text;
    buf_init(&text, FILE_MAX);
    if (read_file(&r, &text))
        c = read_text(&r, &text);
    if (c && r.problems)
        gw_config_free(&c);
    if (r.untold) {
        size_t len = strlen(err->why);
        snprintf(err->why + len, sizeof err->why - len, "\n%s: and %u more", path, r.untold);
    }
    gw_lines_free(&r.lines);
    buf_wipe(&text); /* somebody may have written a password into it by mistake */
    free(folder_text);
    return c;
}

void gw_config_free(struct gw_config **c)
{
    if (!*c)
        return;
    free_section(&gw_config_root, (char *)*c);
    gw_policy_table_free(&(*c)->policy.table);
    free((*c)->marker_words);
    gw_roster_free(&(*c)->roster);
    gw_whos_free(&(*c)->whos);
    free((*c)->path);
    free((*c)->folder);
    free(*c);
    *c = NULL;
}

void gw_problem(struct gw_reading *r, const char *code, unsigned line, const char *key, const char *fmt, ...)
{
    struct gw_config_error *err = r->err;
    char line_text[16] = "", sentence[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    if (line)
        snprintf(line_text, sizeof line_text, ":%u", line);
    if (r->problems++ == 0)
        snprintf(err->code, sizeof err->code, "%s", code);
    size_t len = strlen(err->why), spare = 40; /* for "and N more" */
    bool keyed = key && *key;
    int need = snprintf(NULL, 0, "\n%s%s: %s%s%s", r->file, line_text, keyed ? key : "", keyed ? ": " : "", sentence);
    if (len > 0 && (r->untold || len + (size_t)need + strlen(r->file) + spare >= sizeof err->why)) {
        r->untold++;
        return;
    }
    snprintf(err->why + len, sizeof err->why - len, "%s%s%s: %s%s%s", len ? "\n" : "", r->file, line_text,
             keyed ? key : "", keyed ? ": " : "", sentence);
}

void gw_problem_at(struct gw_reading *r, const char *code, const char *key, const char *fmt, ...)
{
    char sentence[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    gw_problem(r, code, gw_lines_at(r->lines, key), key, "%s", sentence);
}

static bool read_file(struct gw_reading *r, struct buf *text)
{
    int fd = open(r->file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    const char *wrong = NULL;
    if (fd < 0 || fstat(fd, &st) < 0)
        wrong = strerror(errno);
    else if (!S_ISREG(st.st_mode))
        wrong = "is not a regular file";
    else if (st.st_size > FILE_MAX)
        wrong = "is too large";
    while (!wrong) {
        char *room = buf_room(text, 65536);
        ssize_t n = room ? read(fd, room, 65536) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            wrong = strerror(errno);
        if (n <= 0)
            break;
        text->len += (size_t)n;
    }
    if (fd >= 0)
        close(fd);
    if (wrong)
        gw_problem(r, "config-file", 0, NULL, "cannot be read: %s", wrong);
    return !wrong;
}

static struct gw_config *read_text(struct gw_reading *r, const struct buf *text)
{
    struct gw_config *c = NULL;
    r->lines = gw_lines_new(r, text->data, text->len);
    if (!r->lines)
        return NULL;
    struct arena *a = arena_new(SCHEMA_MAX);
    const cyaml_schema_value_t *schema = build_schema(a, &gw_config_root, CYAML_FLAG_POINTER);
    struct complaint complaint = {.step_count = 0};
    cyaml_config_t cyaml = {
        .log_fn = listen_to, .log_ctx = &complaint, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR};
    cyaml_data_t *record = NULL;
    cyaml_err_t result = cyaml_load_data((const uint8_t *)text->data, text->len, &cyaml, schema, &record, NULL);
    if (result != CYAML_OK)
        tell_complaint(r, &complaint, cyaml_strerror(result));
    else if (!record)
        gw_problem(r, "config-missing", 0, NULL, "is empty; servers and users are needed");
    else {
        c = mem_calloc(1, sizeof *c);
        c->path = mem_strdup(r->file);
        c->folder = mem_strdup(r->folder);
        refuse_later(r, &gw_config_root, "");
        take_section(r, &gw_config_root, record, "", (char *)c);
        take_defaults(c, r);
        gw_config_check(r, c);
        c->whos = gw_whos_new(c, r);
        if (r->problems == 0)
            c->roster = gw_roster_new(c, r);
        if (c->roster)
            gw_identity_check_roster(r, c);
        cyaml_free(&cyaml, schema, record, 0);
    }
    arena_free(&a);
    return c;
}

/* The table's shape in libcyaml's words. Scalars are texts, sections are records; see the head of this file. */
static cyaml_schema_value_t *build_schema(struct arena *a, const struct gw_section *s, int flags)
{
    unsigned later = 0;
    while (s->later && s->later[later])
        later++;
    unsigned slots = s->option_count + s->section_count;
    cyaml_schema_field_t *fields = arena_alloc(a, (slots + later + 1) * sizeof *fields);
    cyaml_schema_value_t *text = arena_alloc(a, sizeof *text), *value = arena_alloc(a, sizeof *value);
    if (!fields || !text || !value)
        abort(); /* the table outgrew SCHEMA_MAX: a mistake of ours that the first test shows */
    *text = (cyaml_schema_value_t){
        .type = CYAML_STRING, .flags = CYAML_FLAG_POINTER, .data_size = 1, .string = {0, CYAML_UNLIMITED}};
    for (unsigned i = 0; i < slots; i++) {
        bool section = i >= s->option_count;
        const struct gw_option *o = section ? NULL : &s->options[i];
        const struct gw_section *inner = section ? s->sections[i - s->option_count] : NULL;
        cyaml_schema_field_t *f = &fields[i];
        f->key = section ? inner->key : o->key;
        f->data_offset = (uint32_t)(i * sizeof(struct slot) + offsetof(struct slot, data));
        f->count_offset = (uint32_t)(i * sizeof(struct slot) + offsetof(struct slot, count));
        f->count_size = sizeof(uint32_t);
        bool texts = o && (o->type == GW_OPT_LIST || o->type == GW_OPT_CHOICES);
        if (texts || (section && inner->list)) {
            const cyaml_schema_value_t *entry = texts ? text : build_schema(a, inner, CYAML_FLAG_DEFAULT);
            f->value.type = CYAML_SEQUENCE;
            f->value.data_size = texts ? sizeof(char *) : entry->data_size;
            f->value.sequence.entry = entry;
            f->value.sequence.max = CYAML_UNLIMITED;
        } else {
            f->value = section ? *build_schema(a, inner, CYAML_FLAG_POINTER) : *text;
        }
        f->value.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
    }
    for (unsigned i = 0; i < later; i++) {
        fields[slots + i].key = s->later[i];
        fields[slots + i].value.type = CYAML_IGNORE;
        fields[slots + i].value.flags = CYAML_FLAG_OPTIONAL;
    }
    *value = (cyaml_schema_value_t){.type = CYAML_MAPPING, .data_size = (uint32_t)(slots * sizeof(struct slot))};
    value->flags = (enum cyaml_flag)flags;
    value->mapping.fields = fields;
    return value;
}

/*
 * libcyaml tells an error in several lines: what is wrong, "Load: Backtrace:", then from the inside out "  in mapping
 * field 'x' (line: 1, column: 2)", "  in sequence entry '1' (...)", "  in mapping (...)".
 */
static void listen_to(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    struct complaint *c = ctx;
    char line[300], *at;
    vsnprintf(line, sizeof line, fmt, args);
    line[strcspn(line, "\n")] = '\0';
    if (level < CYAML_LOG_ERROR || str_starts(line, "Load: Backtrace"))
        return;
    if (str_starts(line, "Load: ")) {
        snprintf(c->sentence, sizeof c->sentence, "%.*s", (int)sizeof c->sentence - 1, line + 6);
        return;
    }
    if (c->step_count == BACKTRACE_MAX || !(at = strstr(line, "(line: ")))
        return;
    unsigned step = c->step_count;
    c->steps[step].line = (unsigned)strtoul(at + 7, NULL, 10);
    if (sscanf(line, "  in mapping field '%79[^']'", c->steps[step].field) == 1)
        c->step_count++;
    else if (sscanf(line, "  in sequence entry '%u'", &c->steps[step].entry) == 1) {
        c->steps[step].entry--;
        c->step_count++;
    }
}

static void tell_complaint(struct gw_reading *r, const struct complaint *c, const char *fallback)
{
    struct buf path;
    buf_init(&path, 1000);
    for (unsigned i = c->step_count; i-- > 0;)
        if (c->steps[i].field[0])
            buf_addf(&path, "%s%s", path.len ? "." : "", c->steps[i].field);
        else
            buf_addf(&path, "[%u]", c->steps[i].entry);
    const char *key = "Unexpected key: ", *got = strstr(c->sentence, ", got event: ");
    char shown[80];
    if (str_starts(c->sentence, key)) {
        const char *unknown = c->sentence + strlen(key);
        str_printable(unknown, strlen(unknown), shown, sizeof shown);
        buf_addf(&path, "%s%s", path.len ? "." : "", shown);
        bool secret = strcmp(unknown, "password") == 0 || strcmp(unknown, "secret") == 0;
        gw_problem_at(r, "config-unknown-key", path.data, "unknown key%s%s%s",
                      secret ? "; secrets are never in this file, see " : "", secret ? unknown : "",
                      secret ? "_file" : "");
    } else if (str_starts(c->sentence, "Expecting ") && got) {
        const char *what = strncmp(c->sentence + 10, "SEQ", 3) == 0   ? "a list"
                           : strncmp(c->sentence + 10, "MAP", 3) == 0 ? "a mapping of keys"
                                                                      : "a single value";
        const char *is = strstr(got, "SEQ")   ? "a list"
                         : strstr(got, "MAP") ? "a mapping of keys"
                                              : "a single value or nothing";
        gw_problem_at(r, "config-wrong-type", path.data, "expects %s; found is %s", what, is);
    } else {
        const char *sentence = c->sentence[0] ? c->sentence : fallback;
        gw_problem_at(r, "config-syntax", path.data, "%s",
                      str_printable(sentence, strlen(sentence), shown, sizeof shown));
    }
    buf_free(&path);
}

static void refuse_later(struct gw_reading *r, const struct gw_section *s, const char *path)
{
    for (unsigned i = 0; s->later && s->later[i]; i++) {
        char *key = join(path, s->later[i]);
        if (gw_lines_has(r->lines, key))
            gw_problem_at(r, "config-not-supported", key, "is not supported yet by this version");
        free(key);
    }
    for (unsigned i = 0; i < s->section_count; i++) {
        char *inner = join(path, s->sections[i]->key);
        refuse_later(r, s->sections[i], inner);
        free(inner);
    }
}

static void take_section(struct gw_reading *r, const struct gw_section *s, const struct slot *record, const char *path,
                         char *out)
{
    take_options(r, s, record, path, out);
    for (unsigned i = 0; i < s->section_count; i++) {
        const struct gw_section *inner = s->sections[i];
        const struct slot *slot = record ? &record[s->option_count + i] : NULL;
        char *inner_path = join(path, inner->key);
        if (inner->list)
            take_list(r, inner, slot, inner_path, out);
        else
            take_section(r, inner, slot ? slot->data : NULL, inner_path, out + inner->out);
        free(inner_path);
    }
}

static void take_list(struct gw_reading *r, const struct gw_section *s, const struct slot *slot, const char *path,
                      char *parent_out)
{
    unsigned count = slot ? slot->count : 0;
    unsigned width = s->option_count + s->section_count;
    const struct slot *records = slot ? slot->data : NULL;
    char *entries = count ? mem_calloc(count, s->size) : NULL;
    for (unsigned i = 0; i < count; i++) {
        char *entry = entries + i * s->size, *entry_path = mem_printf("%s[%u]", path, i);
        if (s->out_line != SIZE_MAX)
            *(unsigned *)(void *)(entry + s->out_line) = gw_lines_at(r->lines, entry_path);
        take_section(r, s, records + (size_t)i * width, entry_path, entry);
        free(entry_path);
    }
    *(void **)(void *)(parent_out + s->out) = entries;
    *(unsigned *)(void *)(parent_out + s->out_count) = count;
}

static void take_options(struct gw_reading *r, const struct gw_section *s, const struct slot *record, const char *path,
                         char *out)
{
    for (unsigned i = 0; i < s->option_count; i++) {
        const struct gw_option *o = &s->options[i];
        char *key = join(path, o->key);
        bool list = o->type == GW_OPT_LIST || o->type == GW_OPT_CHOICES;
        if (!record || !gw_lines_has(r->lines, key)) {
            if (o->required)
                gw_problem_at(r, "config-missing", path, "%s is missing", o->key);
            else if (o->dflt)
                take_default(r, o, key, out);
        } else if (list) {
            gw_option_set_list(r, o, key, record[i].data, record[i].count, out);
        } else if (!record[i].data || !*(char *)record[i].data) {
            gw_problem_at(r, "config-value", key, "is empty");
        } else {
            gw_option_set(r, o, key, record[i].data, out);
        }
        free(key);
    }
}

static void take_default(struct gw_reading *r, const struct gw_option *o, const char *path, char *out)
{
    if (o->type != GW_OPT_LIST && o->type != GW_OPT_CHOICES) {
        gw_option_set(r, o, path, o->dflt, out);
        return;
    }
    char *items[8];
    unsigned count = 0;
    for (const char *rest = o->dflt; rest && count < 8;) {
        size_t len;
        const char *item = rest;
        rest = str_split(rest, ' ', &len);
        items[count++] = mem_strndup(item, len);
    }
    gw_option_set_list(r, o, path, items, count, out);
    while (count > 0)
        free(items[--count]);
}

/* Defaults that depend on other keys, and so cannot stand in the table. */
static void take_defaults(struct gw_config *c, struct gw_reading *r)
{
    if (!c->control_socket) {
        const char *runtime = getenv("RUNTIME_DIRECTORY");
        bool usable = runtime && *runtime == '/';
        c->control_socket = mem_printf("%.*s/control.sock", usable ? (int)strcspn(runtime, ":") : 14,
                                       usable ? runtime : "/run/freebusyd");
    }
    if (c->servers_count == 1)
        for (unsigned i = 0; i < c->users_count; i++)
            if (!c->users[i].server)
                c->users[i].server = mem_strdup_or_null(c->servers[0].name);
    for (unsigned i = 0; i < c->group_rules_count; i++) {
        struct gw_config_rules *rules = &c->group_rules[i], *all = &c->rules;
        char *key = mem_printf("presence.groups[%u].all_day", i);
        if (!gw_lines_has(r->lines, key))
            rules->all_day = all->all_day;
        free(key);
        rules->tentative = rules->tentative ? rules->tentative : mem_strdup_or_null(all->tentative);
        rules->unanswered = rules->unanswered ? rules->unanswered : mem_strdup_or_null(all->unanswered);
        rules->oof = rules->oof ? rules->oof : mem_strdup_or_null(all->oof);
        rules->elsewhere = rules->elsewhere ? rules->elsewhere : mem_strdup_or_null(all->elsewhere);
        rules->outside_hours =
            rules->outside_hours ? rules->outside_hours : mem_strdup_or_null(all->outside_hours);
    }
}

static void free_section(const struct gw_section *s, char *out)
{
    for (unsigned i = 0; i < s->option_count; i++)
        gw_option_free(&s->options[i], out);
    for (unsigned i = 0; i < s->section_count; i++) {
        const struct gw_section *inner = s->sections[i];
        if (!inner->list) {
            free_section(inner, out + inner->out);
            continue;
        }
        char *entries = *(char **)(void *)(out + inner->out);
        for (unsigned e = 0; entries && e < *(unsigned *)(void *)(out + inner->out_count); e++)
            free_section(inner, entries + e * inner->size);
        free(entries);
    }
}

static char *join(const char *path, const char *key)
{
    return mem_printf("%s%s%s", path, *path ? "." : "", key);
}
