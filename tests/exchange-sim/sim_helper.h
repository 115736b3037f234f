/*
 * sim_helper: the processes that judge NTLM for us: `ntlm_auth --helper-protocol=squid-2.5-ntlmssp`, or a script that
 * runs it. A line goes in, a line comes out. One process serves one handshake at a time, so a connection borrows one
 * from the challenge to the verdict.
 */
#ifndef SIM_HELPER_H
#define SIM_HELPER_H

struct loop;
struct sim_helper;
struct sim_helpers;

/* The answer without its end of line; "" when the process ended or said too much. */
typedef void sim_helper_fn(void *arg, const char *answer);

/* command: for /bin/sh. NULL is fine: then there is nobody to ask. */
struct sim_helpers *sim_helpers_new(struct loop *loop, const char *command);
void sim_helpers_free(struct sim_helpers **helpers); /* after all that were borrowed were given back */

struct sim_helper *sim_helper_take(struct sim_helpers *helpers); /* NULL: none can be had */
void sim_helper_give_back(struct sim_helper **helper);           /* one that still owes an answer is ended */

/* Says "WORD TOKEN". fn comes once, from the loop, unless it is given back before. */
void sim_helper_ask(struct sim_helper *helper, const char *word, const char *token, sim_helper_fn *fn, void *arg);

#endif
