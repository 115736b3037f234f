/*
 * sim_file: the data file: one object a line, words and name=value pairs (see README.md). The same reader serves lines
 * that the control interface sends, and the same setters its JSON.
 */
#ifndef SIM_FILE_H
#define SIM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_faults;
struct sim_item;
struct sim_mailbox;
struct sim_store;

struct sim_pair {
    const char *key;
    const char *value;
};

struct sim_file {
    struct sim_store *store;
    struct sim_faults *faults;
    int64_t now;
};

/* False with "name:12: what is wrong" in why; what came before that line has been taken. */
bool sim_file_read(const struct sim_file *f, const char *path, char *why, size_t why_size);
bool sim_file_text(const struct sim_file *f, const char *name, const char *text, size_t len, char *why,
                   size_t why_size);

bool sim_file_mailbox(const struct sim_file *f, struct sim_mailbox *m, const struct sim_pair *pairs, size_t n,
                      char *why, size_t why_size);

/* Sets what the pairs name in an item of that mailbox: a new one, or one that is changed. The item is unchanged on
 * failure only if the first pair already fails: callers change a throw-away or take the damage. */
bool sim_file_item(const struct sim_file *f, struct sim_mailbox *m, struct sim_item *item, const struct sim_pair *pairs,
                   size_t n, char *why, size_t why_size);

#endif
