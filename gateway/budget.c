/*
 * budget: see budget.h. servers.c fills the numbers in, report.c shows them.
 */
#include "budget.h"

void gw_budget_work_out(const struct gw_budget_in *in, struct gw_budget *ret)
{
    double requests = (double)in->persons * in->per_poll; /* of a round */
    double latency_ms = in->latency_ms > 0 ? (double)in->latency_ms : 1;
    double by_connections = in->max_connections * 1000 / latency_ms;
    double most = in->max_requests_per_second < by_connections ? in->max_requests_per_second : by_connections;
    double round_ms = most > 0 ? requests / most * 1000 : 0;
    *ret = (struct gw_budget){.requests_per_second = requests * 1000 / (double)in->interval_ms,
                              .interval_ms = in->interval_ms,
                              .freshness_ms = in->interval_ms};
    ret->connections = ret->requests_per_second * latency_ms / 1000;
    if (round_ms <= (double)in->interval_ms)
        return;
    ret->freshness_ms = (int64_t)round_ms;
    ret->limited_by = most < by_connections ? "max_requests_per_second" : "max_connections";
}
