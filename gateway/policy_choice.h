/*
 * policy_choice: each person's own choice of how much is told of them at the most. See policy_choice.c.
 */
#ifndef GATEWAY_POLICY_CHOICE_H
#define GATEWAY_POLICY_CHOICE_H

#include "presence/table.h"
#include "presence/view.h"

struct gateway;
struct gw_choices;

struct gw_choices *gw_choices_new(struct gateway *g);
void gw_choices_free(struct gw_choices **c);
void gw_choices_load(struct gw_choices *c); /* once, when the state file's rows are there */

size_t gw_choices_count(const struct gw_choices *c);
/* Somebody was added: the choice they made before, if any. */
void gw_choices_apply(const struct gw_choices *c, pres_id id);
/* level NULL: no choice, the table decides. */
void gw_choices_set(struct gw_choices *c, pres_id id, const enum pres_level *level);
/* Somebody is to be forgotten, their choice with them. */
void gw_choices_forget(struct gw_choices *c, const char *address);
bool gw_choices_of(const struct gw_choices *c, pres_id id, enum pres_level *ret);

#endif
