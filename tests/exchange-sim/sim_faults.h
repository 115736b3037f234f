/*
 * sim_faults: every switch of the simulator in one table: what kind of server it plays, and what goes wrong. Each can
 * be set for the whole server and for one mailbox (which then wins), on the command line, in the data file and at run
 * time.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jv;
struct sim_mailbox;

enum sim_profile { SIM_2000, SIM_2003, SIM_2007 };

enum sim_fault {
    /* who is let in, and how */
    SIM_F_AUTH,
    SIM_F_DOMAIN_REQUIRED,
    SIM_F_REALM_EMPTY,
    SIM_F_NEGOTIATE,
    SIM_F_OFFER,
    SIM_F_NTLM_CHALLENGE,
    SIM_F_NTLM_BREAK,
    SIM_F_REFUSE_V1,
    SIM_F_LOCKOUT,
    SIM_F_REFUSAL,
    SIM_F_NO_RIGHT,
    SIM_F_IMPLICIT,
    SIM_F_FORMS_VERDICT,
    SIM_F_FORMS_PAGE,
    SIM_F_SESSION_SECONDS,
    SIM_F_ROTATE,
    SIM_F_HTTPS_ONLY,
    SIM_F_FOREIGN,
    /* what stands in front of Exchange */
    SIM_F_FRONT_STATUS,
    SIM_F_FRONT_METHODS,
    SIM_F_FRONT_PAGE,
    SIM_F_FRONT_REDIRECT,
    SIM_F_FRONT_ESCAPES,
    SIM_F_RETRY_AFTER,
    /* what a mailbox answers */
    SIM_F_DENY,
    SIM_F_ABSENT,
    SIM_F_MOVED,
    SIM_F_OFFLINE,
    SIM_F_STATUS,
    SIM_F_SEARCH_STATUS,
    SIM_F_CALENDAR_GONE,
    SIM_F_PLUS_FILTER,
    SIM_F_ODD_CHARS,
    SIM_F_STRICT_ESCAPES,
    SIM_F_NAMES,
    SIM_F_STRICT,
    /* the wire */
    SIM_F_SLOW,
    SIM_F_RESET,
    SIM_F_HANG,
    SIM_F_CUT,
    SIM_F_DRIBBLE,
    SIM_F_ENDLESS,
    SIM_F_PAD,
    SIM_F_HTML,
    SIM_F_NOT_XML,
    SIM_F_CONTROL_CHAR,
    SIM_F_BAD_UTF8,
    /* spellings */
    SIM_F_INTERNAL_HOST,
    SIM_F_RAW_SPACE,
    SIM_F_LONG_IDS,
    SIM_F_RFC_ORDER,
    SIM_F_NO_TOTAL,
    SIM_F_BRIEF_IGNORED,
    SIM_F_UNASKED,
    SIM_F_NO_CONTENTTAG,
    SIM_F_NO_WEBSTORAGE,
    SIM_F_OOF_WORD,
    SIM_F_MIXED_CASE,
    SIM_F_SQL_NULLS,
    /* free/busy of many */
    SIM_F_PUBLIC,
    SIM_F_FB_ANY_AGENT,
    SIM_F_FB_UNKNOWN,
    SIM_F_FB_MONTHS,
    SIM_F_FB_DELAY,
    SIM_F_FB_ROW,
    SIM_F_FB_STATUS,
    SIM_F_URL_LIMIT,
    /* changes */
    SIM_F_SUBSCRIBE,
    SIM_F_SUB_LIFETIME,
    SIM_F_POLL_GROUP,
    SIM_F_NOTIFY,
    SIM_F_NOTIFY_REPEAT,
    SIM_FAULT_COUNT
};

struct sim_faults {
    enum sim_profile profile;
    char *global[SIM_FAULT_COUNT];
};

bool sim_profile_parse(const char *text, enum sim_profile *ret);
const char *sim_profile_name(enum sim_profile profile);

void sim_faults_init(struct sim_faults *f, enum sim_profile profile);
void sim_faults_free(struct sim_faults *f);

/* The value in force for this mailbox (NULL: where none is concerned); NULL when it is off. */
const char *sim_fault_text(const struct sim_faults *f, const struct sim_mailbox *m, enum sim_fault which);
bool sim_fault_on(const struct sim_faults *f, const struct sim_mailbox *m, enum sim_fault which);
int64_t sim_fault_number(const struct sim_faults *f, const struct sim_mailbox *m, enum sim_fault which);
/* Forms on /owa, something else on /exchange. */
bool sim_auth_is_hybrid(const struct sim_faults *f);

bool sim_fault_is(const struct sim_faults *f, const struct sim_mailbox *m, enum sim_fault which, const char *value);

/* m NULL: for the whole server. value NULL: back to what it was at the start. False with a sentence in why. */
bool sim_fault_set(struct sim_faults *f, struct sim_mailbox *m, const char *name, const char *value, char *why,
                   size_t why_size);

/* "name=value" */
bool sim_fault_set_line(struct sim_faults *f, struct sim_mailbox *m, const char *line, char *why, size_t why_size);

/* All values that are not at their default (of the server, or of one mailbox). */
struct jv *sim_faults_json(const struct sim_faults *f, const struct sim_mailbox *m);

/* For --help-switches and for the check that the README names them all. Returns NULL past the last one. */
const char *sim_fault_name(enum sim_fault which);
const char *sim_fault_help(enum sim_fault which);

#endif
