/*
 * sim_render: rows to a 207 document, spelled as Exchange spells it.
 */
#ifndef SIM_RENDER_H
#define SIM_RENDER_H

#include "sim_props.h"

struct buf;
struct sim_mailbox;
struct sim_node;
struct sim_request;

struct sim_render {
    const struct sim_request *request;
    const struct sim_prop *props; /* in the order in which they were asked for */
    size_t prop_count;
    bool brief; /* leave out what is absent */
    const struct sim_mailbox *replicated; /* say what became of each row of its calendar; NULL: do not */
    unsigned since;                       /* this revision of it */
};

void sim_render(const struct sim_render *in, const struct sim_node *nodes, size_t count, struct buf *out);

#endif
