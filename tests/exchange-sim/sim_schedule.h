/*
 * sim_schedule: the messages in the public folder SCHEDULE+ FREE BUSY, one for each person.
 */
#ifndef SIM_SCHEDULE_H
#define SIM_SCHEDULE_H

#include <stdbool.h>

struct sim_node;
struct sim_prop;
struct sim_request;
struct sim_value;

/* The folder of the one administrative group that there is. */
#define SIM_SCHEDULE_FOLDER "SCHEDULE+ FREE BUSY"
#define SIM_SCHEDULE_GROUP "EX:/o=Example/ou=First Administrative Group"

/* A property of the message about node->mailbox. False: it has none such. */
bool sim_schedule_get(const struct sim_request *r, const struct sim_node *node, const struct sim_prop *p,
                      struct sim_value *ret);

#endif
