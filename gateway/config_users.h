/*
 * config_users: everybody to be asked about, as one list: the persons of `users:` and the lines of its CSV files. Built
 * with the configuration, and again alone when a CSV file changes.
 */
#ifndef GATEWAY_CONFIG_USERS_H
#define GATEWAY_CONFIG_USERS_H

#include <stdint.h>
#include <sys/types.h>

#include "config.h"

struct arena;
struct gw_reading;

struct gw_user {
    const char *address;
    const char *path, *publish_as, *group, *zone; /* NULL: none */
    const char *read;                             /* NULL: as the group or server says */
    const char *const *aliases;                   /* NULL-terminated; NULL: none */
    uint16_t server;                              /* index in the configuration's servers */
    uint16_t source;                              /* 0: the configuration file, else number of the CSV file + 1 */
    unsigned line;
};

/* A CSV file, as it was when it was read. */
struct gw_user_file {
    char *path;
    unsigned entry; /* index in the configuration's users */
    int64_t ctime_ns, size;
    ino_t inode;
};

struct gw_roster {
    struct gw_user *users;
    size_t count;
    struct gw_user_file *files;
    unsigned file_count;
    char **notes; /* "FILE:LINE: sentence", one for each line that was left out */
    unsigned note_count;
    unsigned notes_untold; /* beyond GW_NOTES_MAX */
    struct arena *arena;
};

enum { GW_NOTES_MAX = 50 };

/*
 * Reads the CSV files of `c`. A line that cannot be used is left out with a note; a file that cannot be used at all
 * (unreadable, a header that names no address, an unknown column) is a problem in r, and so is a person that stands
 * twice in `users:`. NULL when there was a problem. Blocks on files; touches nothing but its arguments, so that a
 * worker may run it.
 */
struct gw_roster *gw_roster_new(const struct gw_config *c, struct gw_reading *r);
void gw_roster_free(struct gw_roster **roster);

/* The same for a changed CSV file, apart from reading a configuration: NULL with err filled when a file cannot be used.
 */
struct gw_roster *gw_roster_reread(const struct gw_config *c, struct gw_config_error *err);

/* Everybody has been taken from it: keeps what gw_roster_outdated needs, and one person of each server, whom a check
 * may ask about. The rest is returned, to be freed where that may take its time. */
struct gw_roster *gw_roster_forget_users(struct gw_roster *roster);

/* Has one of the files changed since? Blocks on stat. */
bool gw_roster_outdated(const struct gw_roster *roster);

#endif
