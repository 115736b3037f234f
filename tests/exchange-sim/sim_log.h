/*
 * sim_log: what was asked, how often, and by whom, so that a test can say "one SEARCH, no second logon".
 */
#ifndef SIM_LOG_H
#define SIM_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct jv;
struct sim_log;
struct sim_request;

/* path NULL: no file. A file that cannot be opened: NULL. */
struct sim_log *sim_log_new(const char *path);
void sim_log_free(struct sim_log **log);
void sim_log_reset(struct sim_log *log);

void sim_log_connection(struct sim_log *log);
void sim_log_answer(struct sim_log *log, const struct sim_request *r, int status); /* 0: cut or hanging */
void sim_log_logon(struct sim_log *log, const char *account, bool accepted);
void sim_log_count(struct sim_log *log, const char *what);                               /* of NTLM */
void sim_log_refusal(struct sim_log *log, const struct sim_request *r, const char *why); /* of a statement */
void sim_log_violation(struct sim_log *log, const struct sim_request *r, const char *what);

/*
 * {"requests", "connections", "methods": {}, "statuses": {}, "users": {ADDRESS: {METHOD: N}}, "logons": {}, "ntlm": {},
 * "violations": [], "refusals": []}
 */
struct jv *sim_log_counters(const struct sim_log *log);

/* The last requests from number `since` on (the first ever is 1). */
struct jv *sim_log_entries(const struct sim_log *log, uint64_t since);

#endif
