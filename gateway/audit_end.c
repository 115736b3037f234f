/*
 * audit_end: see audit_end.h. A row of the state file for each path that an audit was written to. It is written after
 * the lines are on the disk, so that a crash leaves it behind the file, never before: what it names is then some line
 * of the file, and need not be the last.
 */
#include "audit_end.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "gateway_private.h"
#include "outlets_private.h"
#include "presence/store.h"

#define SPACE "audit"

struct wanted {
    const char *text;
    char *ret; /* of CHAIN_HEX bytes */
    bool found;
};

static void take_row(void *arg, const char *key, const char *value);
static bool look_at_line(void *arg, const char *file, unsigned number, char *line);

void gw_audit_end_keep(struct gateway *g, const char *path, const char *head)
{
    if (!g->outlets)
        return;
    const struct pres_store *store = gw_outlets_store(g);
    store->put(store->impl, SPACE, path, head, NULL, NULL);
}

bool gw_audit_end_kept(const struct gateway *g, const char *path, char ret[CHAIN_HEX])
{
    struct wanted w = {.text = path, .ret = ret};
    if (!g->outlets)
        return false;
    const struct pres_store *store = gw_outlets_store(g);
    store->load(store->impl, SPACE, take_row, &w);
    return w.found;
}

bool gw_audit_end_is_gone(const char *path, unsigned keep, const char *head)
{
    struct wanted w = {.text = head};
    char why[300];
    chain_each(path, keep, look_at_line, &w, why, sizeof why);
    return !w.found;
}

static void take_row(void *arg, const char *key, const char *value)
{
    struct wanted *w = arg;
    if (strcmp(key, w->text) != 0)
        return;
    snprintf(w->ret, CHAIN_HEX, "%s", value);
    w->found = true;
}

/* Until it is found. */
static bool look_at_line(void *arg, const char *file, unsigned number, char *line)
{
    struct wanted *w = arg;
    (void)file, (void)number;
    w->found = w->found || str_ends(line, w->text);
    return !w->found;
}
