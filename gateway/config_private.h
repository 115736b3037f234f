/*
 * config_private: what the configuration's files share among themselves. config.c reads, config_lines.c remembers where
 * everything stood, config_schema.c says what may stand there, config_check.c looks at what the table cannot express,
 * config_users.c makes one list of everybody.
 */
#ifndef GATEWAY_CONFIG_PRIVATE_H
#define GATEWAY_CONFIG_PRIVATE_H

#include <stdarg.h>

#include "config.h"

struct buf;
struct gw_lines;

/* One attempt to read one file. Problems are collected, so that an administrator sees them all at once. */
struct gw_reading {
    const char *file;
    const char *folder;
    struct gw_lines *lines;
    struct gw_config_error *err;
    unsigned problems;
    unsigned untold; /* problems that did not fit err->why */
};

/* Adds "FILE:LINE: KEY: sentence". The first problem's code stands for all. line 0: none; key NULL or "": none. */
void gw_problem(struct gw_reading *r, const char *code, unsigned line, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* The same, the line being that of `key`. */
void gw_problem_at(struct gw_reading *r, const char *code, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Where every key and list entry stands: "servers[0].tls.ca_file" -> line. NULL, with the problem added, when the text
 * is no YAML, or a key stands twice in one place.
 */
struct gw_lines *gw_lines_new(struct gw_reading *r, const char *text, size_t len);
void gw_lines_free(struct gw_lines **l);
/* The line of the path, or of the nearest thing around it that exists; at least 1. NULL lines: 0. */
unsigned gw_lines_at(const struct gw_lines *l, const char *path);
bool gw_lines_has(const struct gw_lines *l, const char *path);

/* The table. One row a key, one section a mapping; the shape of the file, its types, ranges and defaults are nowhere
 * else. */
enum gw_option_type {
    GW_OPT_TEXT,    /* char * */
    GW_OPT_FILE,    /* char *, made absolute */
    GW_OPT_COUNT,   /* unsigned */
    GW_OPT_RATE,    /* double */
    GW_OPT_FLAG,    /* bool */
    GW_OPT_MS,      /* int64_t, a duration in ms */
    GW_OPT_S,       /* int64_t, a duration in s */
    GW_OPT_WORD,    /* char *, one of `words` */
    GW_OPT_CHOICE,  /* int, the word's place among `words` */
    GW_OPT_SECOND,  /* bool: the second of the two words */
    GW_OPT_LIST,    /* char **, with its count */
    GW_OPT_CHOICES, /* int *, with its count: places among `words` */
};

struct gw_option {
    const char *key;
    enum gw_option_type type;
    const char *dflt;      /* as one would write it; entries of a list separated by a space; NULL: none */
    const char *words;     /* allowed words, separated by a space */
    const char *later;     /* words that a later version will know */
    int64_t min, max;      /* numbers: range (durations in ms); lists: how many entries */
    size_t out, out_count; /* where it goes in the section's struct */
    bool required;
    bool restart; /* a change needs a restart */
    const char *sentence;
};

struct gw_section {
    const char *key;
    const char *sentence;
    bool list;             /* a list of such mappings */
    size_t size;           /* of one entry's struct, for lists */
    size_t out, out_count; /* list: where pointer and count go in the parent's struct; else where this part of the
                              parent's begins */
    size_t out_line;       /* list: where `unsigned line` is in an entry, SIZE_MAX: nowhere */
    const struct gw_option *options;
    unsigned option_count;
    const struct gw_section *const *sections;
    unsigned section_count;
    const char *const *later; /* keys that a later version will know, NULL-terminated; NULL: none */
};

extern const struct gw_section gw_config_root;

/* "number 1 to 256", "duration 1s to 1d", "one of all watched" ... */
void gw_option_type_text(const struct gw_option *o, struct buf *out);

/* One key's text into its place in the section's struct; path is for errors. */
void gw_option_set(struct gw_reading *r, const struct gw_option *o, const char *path, const char *text,
                   char *section_out);
/* A list's texts. */
void gw_option_set_list(struct gw_reading *r, const struct gw_option *o, const char *path, char **items, unsigned count,
                        char *section_out);
void gw_option_free(const struct gw_option *o, char *section_out);

/* What the table cannot say: names that are not twice, references, files that can be read. */
void gw_config_check(struct gw_reading *r, struct gw_config *c);

void gw_policy_check(struct gw_reading *r, struct gw_config *c); /* policy_check.c; makes c->policy.table */
void gw_outlets_check(struct gw_reading *r, const struct gw_config *c); /* outlets_check.c */
void gw_inlet_check(struct gw_reading *r, const struct gw_config_server *s, unsigned i); /* inlet.c */

/* Is there, can be read, and, when private, by nobody else? */
void gw_config_check_file(struct gw_reading *r, const char *path, const char *key, bool is_private);

/* "90s" "15m" "8h" "14d" "500ms". */
bool gw_duration_read(const char *text, int64_t *ret_ms);
void gw_duration_write(struct buf *out, int64_t ms);

/* Pure checks of one text, shared by the file and the CSV; NULL: fine, else a phrase. */
const char *gw_address_wrong(const char *address);
const char *gw_zone_wrong(const char *zone);

/* Is "127.0.0.1:8008" or "[::1]:8008" a numeric address and port? */
bool gw_listen_parse(const char *listen, bool *ret_loopback);

#endif
