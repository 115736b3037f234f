/*
 * budget: what a server's budget (requests a second, connections) buys: how fresh its people are at best, and what it
 * would take to ask about everybody once an interval. Plain numbers in, plain numbers out.
 */
#ifndef GATEWAY_BUDGET_H
#define GATEWAY_BUDGET_H

#include <stddef.h>
#include <stdint.h>

struct gw_budget_in {
    size_t persons;     /* who are asked about */
    double per_poll;    /* requests that an answer took lately; 0: nobody was asked yet */
    int64_t interval_ms;
    double max_requests_per_second;
    unsigned max_connections;
    int64_t latency_ms; /* of a request, on average */
};

struct gw_budget {
    double requests_per_second; /* that the interval takes */
    double connections;         /* ... that are busy with them, on average */
    int64_t interval_ms;
    int64_t freshness_ms;       /* how long a round takes: the interval, or longer */
    const char *limited_by;     /* the key to raise; NULL: the interval is kept. Static */
};

void gw_budget_work_out(const struct gw_budget_in *in, struct gw_budget *ret);

#endif
