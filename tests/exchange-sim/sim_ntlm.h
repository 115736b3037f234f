/*
 * sim_ntlm: the NTLM messages, as far as a server that lets others judge them has to know them: pure functions on
 * bytes. The handshake itself is sim_ntlm.c.
 */
#ifndef SIM_NTLM_H
#define SIM_NTLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum sim_ntlm_type { SIM_NTLM_NONE, SIM_NTLM_NEGOTIATE = 1, SIM_NTLM_CHALLENGE = 2, SIM_NTLM_AUTHENTICATE = 3 };

/* SIM_NTLM_NONE: no NTLM message. */
enum sim_ntlm_type sim_ntlm_type(const void *message, size_t len);

/* What a Type 3 brings along. */
struct sim_ntlm_answer {
    const char *login; /* DOMAIN\user or user, UTF-8 */
    const char *kind;  /* "v2", "session", "v1" or "lm": the strongest response in it */
    bool lm;           /* it also has a response that is made from the LM hash */
};
bool sim_ntlm_read_answer(const void *message, size_t len, struct arena *arena, struct sim_ntlm_answer *ret);

/*
 * A Type 1 that asks for less: what it does not offer, no challenge to it has. The helper sees this one, so its idea of
 * the handshake stays true.
 */
void sim_ntlm_ask_for_less(uint8_t *type1, size_t len, bool no_ess, bool no_info);

#endif
