/*
 * published: what servers publish of many people's free/busy in one answer, beside what their calendars say: which of
 * the two a person is read by, how the two become one picture, and what becomes of it when they disagree for long.
 */
#ifndef GATEWAY_PUBLISHED_H
#define GATEWAY_PUBLISHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_users.h"
#include "davclient/result.h"
#include "gateway.h"
#include "presence/table.h"

struct dav_question;
struct gateway;
struct gw_server;
struct gw_published; /* one person's; only of people who are read this way */

/* people.c: the setting of this person, their group, or the server. */
unsigned gw_published_ways(const struct gw_config *c, const struct gw_user *u); /* enum gw_poller_way */
void gw_published_drop(struct gateway *g, pres_id id,
                       struct gw_server *s); /* forgets what is known; s: of the person */

/* feed.c: the answers. */
unsigned gw_published_poll_ways(void *gateway, uint32_t id);
void gw_published_question(void *gateway, uint32_t id, struct dav_question *ret);
bool gw_published_due(void *gateway, uint32_t id);
void gw_published_answer(void *gateway, uint32_t id, const struct dav_result *result);

/* An answer from the calendar itself: how far to read; what of the horizon to add to the intervals in g->scratch, up to
 * *until; what else to say of how this person is read. */
int64_t gw_published_window(const struct gateway *g, pres_id id, int64_t until);
size_t gw_published_extend(struct gateway *g, pres_id id, const struct dav_result *result, size_t n, int64_t *until);
const char *gw_published_way(const struct gateway *g, pres_id id, const char *way);

/* The calendar was asked and nothing has changed in it. */
void gw_published_confirm(struct gateway *g, pres_id id, const struct dav_result *result);

/* The calendar could not be read. True: the person is known by what is published. */
bool gw_published_instead(struct gateway *g, pres_id id, const struct dav_result *result);

/* For who looks. */
bool gw_published_differs(const struct gateway *g, pres_id id,
                          struct gw_differs *ret);                                /* for longer than publishing takes */
pres_id gw_published_example(const struct gateway *g, struct gw_server *s); /* somebody for whom it does */

#endif
