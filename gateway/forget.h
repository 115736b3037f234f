/*
 * forget: a person is removed everywhere and stays removed, whatever the configuration goes on to say: what is known,
 * the state file, what outlets keep, the audit's lines. What is left is a salted digest of the address, by which they
 * are known again when a reload brings them.
 */
#ifndef GATEWAY_FORGET_H
#define GATEWAY_FORGET_H

#include <stdbool.h>
#include <stddef.h>

struct gateway;
struct gw_forgotten;
struct gw_forget;
struct jv;

/* The list, in the state file if there is one (read here: before anything is written to it). */
struct gw_forgotten *gw_forgotten_new(struct gateway *g);
void gw_forgotten_free(struct gw_forgotten **f);
bool gw_forgotten_has(const struct gateway *g, const char *address);
size_t gw_forgotten_count(const struct gateway *g);

/*
 * Forgets somebody, known or not. `done` comes once, never before this returned, when outlets have told that the person
 * is gone or had their time, and nothing is left on the disk; it frees the answer. Cancel: it goes on, but nobody
 * is told.
 */
typedef void gw_forget_fn(void *arg, struct jv *answer);
struct gw_forget *gw_forget(struct gateway *g, const char *address, gw_forget_fn *done, void *arg);
void gw_forget_cancel(struct gw_forget **f);
void gw_forgets_free(struct gateway *g); /* those under way */

/* May be asked about again, from the next reload on. False: was not forgotten. */
bool gw_remember(struct gateway *g, const char *address);

#endif
