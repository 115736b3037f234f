/*
 * config_users: the list of everybody, from `users:` and the CSV files that it names. Called with a new configuration
 * (loop or start) and, when a CSV file has changed, from the worker thread: nothing here touches anything but its
 * arguments.
 *
 * A line of garbage costs that line. A person that stands twice is taken where it stands first, and the note names both
 * places.
 */
#include "config_users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_csv.h"
#include "config_identity.h"
#include "config_private.h"

static const size_t ROSTER_BYTES_MAX = (size_t)1 << 30;
static const size_t EXAMPLES_BYTES_MAX = 1 << 20;
static const off_t CSV_BYTES_MAX = (off_t)512 << 20;

enum column { COL_ADDRESS, COL_SERVER, COL_PATH, COL_PUBLISH_AS, COL_GROUP, COL_ZONE, COL_READ, COL_ALIASES };
static const char *const column_names[] = {"address", "server", "path", "publish_as",
                                           "group",   "zone",   "read", "aliases"};
enum { COLUMNS = sizeof column_names / sizeof column_names[0], ALIASES_MAX = 100, TEXT_MAX = 1024, KEY_BASE = 16 };

struct building {
    const struct gw_config *config;
    struct gw_reading *reading;
    struct gw_roster *roster;
    struct map *keys; /* lower-cased address or publish_as -> index of its user + KEY_BASE */
    struct arena *keys_arena;
    size_t capacity;
    bool full;
};

/* One CSV file being read. */
struct csv_file {
    const struct gw_user_file *file;
    uint16_t source;
    int server; /* index, -1: each line must say */
    int columns[GW_CSV_FIELDS];
    unsigned column_count;
};

static void add_inline(struct building *b, unsigned entry);
static void add_file(struct building *b, unsigned entry);
static void file_problem(struct building *b, unsigned entry, const char *path, bool was_read, const char *why);
static char *read_whole(struct gw_user_file *file, size_t *ret_len, const char **ret_why);
static const char *take_header(struct csv_file *f, const struct gw_csv *csv, char *why, size_t why_size);
static void add_line(struct building *b, const struct csv_file *f, const struct gw_csv *csv);
static bool add_user(struct building *b, const struct gw_user *user);
static bool keep_keys(struct building *b, const struct gw_user *user);
static void say_twice(struct building *b, const struct gw_user *user, const struct gw_user *other, const char *name);
static const char *line_wrong(const struct gw_user *user);
static const char *const *split_aliases(struct building *b, const char *text);
static int server_index(const struct gw_config *c, const char *name);
static const char *source_name(const struct building *b, uint16_t source);
static void note(struct building *b, uint16_t source, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static const char *keep(struct building *b, const char *text);

struct gw_roster *gw_roster_new(const struct gw_config *c, struct gw_reading *r)
{
    struct building b = {.config = c, .reading = r, .roster = mem_calloc(1, sizeof *b.roster)};
    unsigned before = r->problems;
    b.roster->arena = arena_new(ROSTER_BYTES_MAX);
    b.roster->files = mem_calloc(c->users_count + 1, sizeof *b.roster->files);
    b.keys_arena = arena_new(ROSTER_BYTES_MAX);
    b.keys = map_new();
    for (unsigned i = 0; i < c->users_count; i++)
        if (c->users[i].address)
            add_inline(&b, i);
    for (unsigned i = 0; i < c->users_count; i++)
        if (c->users[i].file)
            add_file(&b, i);
    if (b.full)
        gw_problem(r, "config-users", 0, "users", "are more than this program can keep");
    map_free(&b.keys);
    arena_free(&b.keys_arena);
    if (r->problems > before)
        gw_roster_free(&b.roster);
    return b.roster;
}

struct gw_roster *gw_roster_reread(const struct gw_config *c, struct gw_config_error *err)
{
    *err = (struct gw_config_error){{0}, {0}};
    struct gw_reading r = {.file = c->path, .folder = c->folder, .err = err};
    return gw_roster_new(c, &r);
}

void gw_roster_free(struct gw_roster **roster)
{
    struct gw_roster *o = *roster;
    if (!o)
        return;
    for (unsigned i = 0; i < o->note_count; i++)
        free(o->notes[i]);
    for (unsigned i = 0; i < o->file_count; i++)
        free(o->files[i].path);
    free(o->notes);
    free(o->files);
    free(o->users);
    arena_free(&o->arena);
    free(o);
    *roster = NULL;
}

struct gw_roster *gw_roster_forget_users(struct gw_roster *roster)
{
    struct arena *arena = arena_new(EXAMPLES_BYTES_MAX);
    bool *known = mem_calloc(UINT16_MAX + 1, sizeof *known);
    struct gw_user *examples = NULL;
    size_t count = 0;
    for (size_t i = 0; i < roster->count; i++) {
        const struct gw_user *u = &roster->users[i];
        char *address = known[u->server] ? NULL : arena_strndup(arena, u->address, strlen(u->address));
        if (!address)
            continue;
        known[u->server] = true;
        examples = mem_realloc(examples, count + 1, sizeof *examples);
        examples[count++] =
            (struct gw_user){.address = address, .server = u->server, .source = u->source, .line = u->line};
    }
    free(known);
    struct gw_roster *rest = mem_calloc(1, sizeof *rest);
    *rest = (struct gw_roster){.users = roster->users, .count = roster->count, .arena = roster->arena};
    roster->users = examples;
    roster->count = count;
    roster->arena = arena;
    return rest;
}

bool gw_roster_outdated(const struct gw_roster *roster)
{
    for (unsigned i = 0; i < roster->file_count; i++) {
        const struct gw_user_file *f = &roster->files[i];
        struct stat st;
        if (stat(f->path, &st) < 0)
            continue; /* being replaced: what was read stays until there is something new */
        int64_t ctime_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
        if (ctime_ns != f->ctime_ns || st.st_size != f->size || st.st_ino != f->inode)
            return true;
    }
    return false;
}

static void add_inline(struct building *b, unsigned entry)
{
    const struct gw_config_user *u = &b->config->users[entry];
    struct gw_user user = {.address = u->address,
                           .path = u->path,
                           .publish_as = u->publish_as,
                           .group = u->group,
                           .zone = u->zone,
                           .read = u->read,
                           .server = (uint16_t)server_index(b->config, u->server),
                           .line = u->line};
    if (u->aliases_count > 0) {
        const char **aliases = arena_alloc(b->roster->arena, (u->aliases_count + 1) * sizeof *aliases);
        for (unsigned i = 0; aliases && i < u->aliases_count; i++)
            aliases[i] = keep(b, u->aliases[i]);
        user.aliases = aliases;
    }
    add_user(b, &user);
}

static void add_file(struct building *b, unsigned entry)
{
    const struct gw_config_user *u = &b->config->users[entry];
    struct gw_user_file *file = &b->roster->files[b->roster->file_count];
    *file = (struct gw_user_file){.path = mem_strdup(u->file), .entry = entry};
    struct csv_file f = {
        .file = file, .source = (uint16_t)++b->roster->file_count, .server = server_index(b->config, u->server)};
    struct gw_csv csv;
    char header_why[200];
    const char *why = NULL;
    size_t len;
    char *text = read_whole(file, &len, &why);
    if (text) {
        gw_csv_init(&csv, text, len);
        int got = gw_csv_next(&csv, &why);
        if (got == 0)
            why = "is empty; a header line that names the columns is expected";
        else if (got > 0)
            why = take_header(&f, &csv, header_why, sizeof header_why);
    }
    if (why)
        file_problem(b, entry, file->path, text != NULL, why);
    for (int got = 1; text && !why && !b->full;) {
        const char *line_why;
        got = gw_csv_next(&csv, &line_why);
        if (got == 0)
            break;
        if (got > 0)
            add_line(b, &f, &csv);
        else
            note(b, f.source, csv.line, "%s; the line is left out", line_why);
    }
    free(text);
}

/* Of a file that could be read, its header line is wrong; else the entry that names it. */
static void file_problem(struct building *b, unsigned entry, const char *path, bool was_read, const char *why)
{
    if (!was_read) {
        char *key = mem_printf("users[%u].file", entry);
        gw_problem(b->reading, "config-users", b->config->users[entry].line, key, "%s: %s", path, why);
        free(key);
        return;
    }
    struct gw_reading in_csv = *b->reading;
    in_csv.file = path;
    gw_problem(&in_csv, "config-users", 1, NULL, "%s", why);
    b->reading->problems = in_csv.problems;
    b->reading->untold = in_csv.untold;
}

static char *read_whole(struct gw_user_file *file, size_t *ret_len, const char **ret_why)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    char *text = NULL;
    size_t len = 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        *ret_why = strerror(errno);
    else if (!S_ISREG(st.st_mode))
        *ret_why = "is not a regular file";
    else if (st.st_size > CSV_BYTES_MAX)
        *ret_why = "is too large";
    else
        text = mem_calloc(1, (size_t)st.st_size + 1);
    while (text && len < (size_t)st.st_size) {
        ssize_t n = read(fd, text + len, (size_t)st.st_size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* shorter than it was a moment ago: its new time stamp will have it read again */
        len += (size_t)n;
    }
    if (text) {
        file->ctime_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
        file->size = st.st_size;
        file->inode = st.st_ino;
    }
    if (fd >= 0)
        close(fd);
    *ret_len = len;
    return text;
}

static const char *take_header(struct csv_file *f, const struct gw_csv *csv, char *why, size_t why_size)
{
    bool seen[COLUMNS] = {false};
    f->column_count = csv->count;
    for (unsigned i = 0; i < csv->count; i++) {
        f->columns[i] = -1;
        for (int k = 0; k < COLUMNS; k++)
            if (str_eq_nocase(csv->fields[i], column_names[k]))
                f->columns[i] = k;
        char shown[60];
        str_printable(csv->fields[i], strlen(csv->fields[i]), shown, sizeof shown);
        if (f->columns[i] < 0) {
            snprintf(why, why_size,
                     "unknown column \"%s\"; known are address, server, path, publish_as, group, zone, "
                     "read, aliases",
                     shown);
            return why;
        }
        if (seen[f->columns[i]]) {
            snprintf(why, why_size, "column \"%s\" stands twice", shown);
            return why;
        }
        seen[f->columns[i]] = true;
    }
    if (!seen[COL_ADDRESS])
        return "the header line names no column \"address\"";
    if (!seen[COL_SERVER] && f->server < 0)
        return "neither a column nor the users entry names the server";
    return NULL;
}

static void add_line(struct building *b, const struct csv_file *f, const struct gw_csv *csv)
{
    const char *values[COLUMNS] = {NULL};
    if (csv->count > f->column_count) {
        note(b, f->source, csv->line, "has %u fields, the header names %u; the line is left out", csv->count,
             f->column_count);
        return;
    }
    for (unsigned i = 0; i < csv->count; i++)
        values[f->columns[i]] = *csv->fields[i] ? csv->fields[i] : NULL;
    int server = values[COL_SERVER] ? server_index(b->config, values[COL_SERVER]) : f->server;
    if (!values[COL_ADDRESS] || server < 0) {
        note(b, f->source, csv->line, "names %s; the line is left out",
             values[COL_ADDRESS] ? "a server that is not configured" : "no address");
        return;
    }
    struct gw_user user = {.address = values[COL_ADDRESS],
                           .path = values[COL_PATH],
                           .publish_as = values[COL_PUBLISH_AS],
                           .group = values[COL_GROUP],
                           .zone = values[COL_ZONE],
                           .read = values[COL_READ],
                           .server = (uint16_t)server,
                           .source = f->source,
                           .line = csv->line};
    const char *wrong = line_wrong(&user);
    if (wrong) {
        note(b, f->source, csv->line, "%s; the line is left out", wrong);
        return;
    }
    if (values[COL_ALIASES])
        user.aliases = split_aliases(b, values[COL_ALIASES]);
    add_user(b, &user);
}

/* Copies the texts into the roster. */
static bool add_user(struct building *b, const struct gw_user *user)
{
    struct gw_roster *o = b->roster;
    if (o->count == b->capacity) {
        b->capacity = b->capacity ? b->capacity * 2 : 64;
        o->users = mem_realloc(o->users, b->capacity, sizeof *o->users);
    }
    struct gw_user *kept = &o->users[o->count], shown = *user;
    if (!shown.publish_as)
        shown.publish_as = gw_identity_publish_as(b->config, user->address, b->keys_arena);
    *kept = shown;
    if (!keep_keys(b, &shown))
        return false;
    kept->address = keep(b, user->address);
    kept->path = keep(b, user->path);
    kept->publish_as = keep(b, shown.publish_as);
    kept->group = keep(b, user->group);
    kept->zone = keep(b, user->zone);
    kept->read = keep(b, user->read);
    o->count++;
    return true;
}

/* Address and publish_as are one name space: nobody may be found under somebody else's. */
static bool keep_keys(struct building *b, const struct gw_user *user)
{
    const char *names[] = {user->address, user->publish_as};
    char *keys[2] = {NULL, NULL};
    for (int i = 0; i < 2 && names[i]; i++) {
        keys[i] = arena_strndup(b->keys_arena, names[i], strlen(names[i]));
        if (!keys[i]) {
            b->full = true;
            return false;
        }
        const void *before = map_get(b->keys, str_lower(keys[i]));
        if (!before)
            continue;
        const struct gw_user *other = &b->roster->users[(uintptr_t)before - KEY_BASE];
        say_twice(b, user, other, names[i]);
        return false;
    }
    void *value = (void *)(uintptr_t)(b->roster->count + KEY_BASE);
    for (int i = 0; i < 2; i++)
        if (keys[i])
            map_put(b->keys, keys[i], value);
    return true;
}

/* The same person, or two who would be called the same. */
static void say_twice(struct building *b, const struct gw_user *user, const struct gw_user *other, const char *name)
{
    char shown[200], mine[200], theirs[200];
    char *where = mem_printf("%s:%u", source_name(b, other->source), other->line), *what;
    str_printable(name, strlen(name), shown, sizeof shown);
    str_printable(user->address, strlen(user->address), mine, sizeof mine);
    str_printable(other->address, strlen(other->address), theirs, sizeof theirs);
    bool same = str_eq_nocase(user->address, other->address);
    if (same)
        what = mem_printf("%s stands in %s already", shown, where);
    else
        what = mem_printf("%s and %s (%s) would both be %s", mine, theirs, where, shown);
    if (user->source == 0)
        gw_problem(b->reading, same ? "config-duplicate" : "config-ambiguous", user->line, "users", "%s", what);
    else
        note(b, user->source, user->line, "%s; the line is left out", what);
    free(what);
    free(where);
}

static const char *line_wrong(const struct gw_user *user)
{
    const char *wrong = gw_address_wrong(user->address);
    if (!wrong && user->publish_as && gw_address_wrong(user->publish_as))
        wrong = "publish_as is no mail address";
    if (!wrong && user->zone)
        wrong = gw_zone_wrong(user->zone);
    if (!wrong && user->read && strcmp(user->read, "freebusy") != 0 && strcmp(user->read, "calendar") != 0 &&
        strcmp(user->read, "both") != 0)
        wrong = "read is none of freebusy, calendar, both";
    if (!wrong && user->path && user->path[0] != '/' && !str_starts_nocase(user->path, "http"))
        wrong = "path must begin with a slash";
    if (!wrong && ((user->path && strlen(user->path) > TEXT_MAX) || (user->group && strlen(user->group) > TEXT_MAX)))
        wrong = "has a field that is too long";
    return wrong;
}

/* Separated by blanks or semicolons. */
static const char *const *split_aliases(struct building *b, const char *text)
{
    const char **aliases = arena_alloc(b->roster->arena, (ALIASES_MAX + 1) * sizeof *aliases);
    unsigned count = 0;
    while (aliases && count < ALIASES_MAX) {
        text += strspn(text, " \t;");
        size_t len = strcspn(text, " \t;");
        if (len == 0)
            break;
        aliases[count] = arena_strndup(b->roster->arena, text, len);
        if (!aliases[count])
            b->full = true;
        else
            count++;
        text += len;
    }
    return aliases;
}

static int server_index(const struct gw_config *c, const char *name)
{
    for (unsigned i = 0; name && i < c->servers_count; i++)
        if (strcmp(c->servers[i].name, name) == 0)
            return (int)i;
    return -1;
}

static const char *source_name(const struct building *b, uint16_t source)
{
    return source == 0 ? b->config->path : b->roster->files[source - 1].path;
}

static void note(struct building *b, uint16_t source, unsigned line, const char *fmt, ...)
{
    struct gw_roster *o = b->roster;
    if (o->note_count == GW_NOTES_MAX) {
        o->notes_untold++;
        return;
    }
    char sentence[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    o->notes = mem_realloc(o->notes, o->note_count + 1, sizeof *o->notes);
    o->notes[o->note_count++] = mem_printf("%s:%u: %s", source_name(b, source), line, sentence);
}

static const char *keep(struct building *b, const char *text)
{
    if (!text)
        return NULL;
    const char *kept = arena_strndup(b->roster->arena, text, strlen(text));
    if (!kept)
        b->full = true;
    return kept;
}
