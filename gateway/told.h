/*
 * told: what somebody was told last of each person, as far as it must be known to say nothing twice: two digests,
 * sixteen bytes a person. Digests are keyed with a seed of their own, so nobody can choose two that are alike.
 */
#ifndef GATEWAY_TOLD_H
#define GATEWAY_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_told;
struct pres_presence;

struct gw_told *gw_told_new(void);
void gw_told_free(struct gw_told **t);

uint64_t gw_told_who(const struct gw_told *t, const char *address);
/* Of what pres_presence_same compares. */
uint64_t gw_told_what(const struct gw_told *t, const struct pres_presence *now);

/* 0: nothing was told. */
uint64_t gw_told_get(const struct gw_told *t, uint64_t who);
void gw_told_put(struct gw_told *t, uint64_t who, uint64_t what);
void gw_told_drop(struct gw_told *t, uint64_t who);
size_t gw_told_count(const struct gw_told *t);

#endif
