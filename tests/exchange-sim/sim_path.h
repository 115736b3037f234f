/*
 * sim_path: places on the server and their URLs: /exchange/<mailbox>/<folder>/<item>, /public/, permanent URLs, and the
 * two layers of escapes in them.
 */
#ifndef SIM_PATH_H
#define SIM_PATH_H

#include "sim_recur.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct buf;
struct sim_faults;
struct sim_mailbox;
struct sim_store;

enum sim_place { SIM_AT_PUBLIC, SIM_AT_SCHEDULE, SIM_AT_MAILBOX, SIM_AT_NON_IPM, SIM_AT_FOLDER, SIM_AT_ITEM };

/* The folders of a mailbox; the calendar is the first. */
enum { SIM_FOLDER_CALENDAR, SIM_FOLDER_COUNT = 10 };

struct sim_node {
    enum sim_place place;
    struct sim_mailbox *mailbox;  /* NULL in /public, but in a row of SCHEDULE: whom its message is about */
    const char *as;               /* the mailbox as the request names it, not escaped */
    int folder;                   /* FOLDER, ITEM */
    struct sim_instance instance; /* ITEM */
};

enum sim_path_result {
    SIM_PATH_FOUND,
    SIM_PATH_ROOT, /* /exchange/ itself */
    SIM_PATH_NO_MAILBOX,
    SIM_PATH_NO_ITEM, /* the mailbox is set in *ret */
    SIM_PATH_FOREIGN, /* not one of our directories */
    SIM_PATH_BAD,     /* broken escapes */
};

struct sim_path_in {
    struct arena *arena;
    const struct sim_store *store;
    const struct sim_faults *faults;
};

/* `raw` is the path as it was sent. */
enum sim_path_result sim_path_find(const struct sim_path_in *in, const char *raw, struct sim_node *ret);

/* Adds the path of a node as the server writes it, e.g. "/exchange/anna@example.test/Kalender/Review.EML". */
void sim_path_write(struct buf *out, const struct sim_node *node);

/* One component, both layers: store escapes, then percent signs as the server sets them. */
void sim_path_escape(struct buf *out, const char *text);

/* The store's own layer taken off, in place: "_xF8FF_" to "/". */
char *sim_path_unescape(char *text);

const char *sim_folder_name(const struct sim_mailbox *m, int folder);
const char *sim_folder_class(int folder);
const char *sim_folder_prop(int folder); /* "calendar" of urn:schemas:httpmail: */
bool sim_folder_by_prop(const char *prop, int *ret);

/* "/exchange/<mailbox>/-FlatUrlSpace-/<32 hex>-1/<32 hex>-<id>" of an item, "...-1/" of its folder. */
void sim_path_write_permanent(struct buf *out, const struct sim_node *node);

#endif
