/*
 * sim: the pretended server as a whole, and one request to it. Private header of the simulator.
 *
 * A request goes: sim_http (count, faults of the connection) -> sim_logon (who is it) -> sim_path (what does it name)
 * -> one of the methods, which answers through sim_reply.
 */
#ifndef SIM_H
#define SIM_H

#include "sim_faults.h"
#include "sim_path.h"
#include "sim_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct buf;
struct httpd;
struct httpd_req;
struct loop;
struct loop_timer;
struct sim_account;
struct sim_forms;
struct sim_helpers;
struct sim_log;
struct sim_ntlm;
struct sim_store;
struct sim_subs;

struct sim_options {
    enum sim_profile profile;
    const char *data;   /* data file, NULL: empty */
    const char *listen; /* "127.0.0.1:0" */
    const char *control;
    const char *tls_cert; /* file names */
    const char *tls_key;
    const char *log;
    const char *ntlm_helper; /* a command that speaks squid-2.5-ntlmssp; NULL: NTLM is not to be had */
    const char *const *set;  /* "switch=value", NULL-terminated */
    int64_t clock;           /* fixed moment to begin at; 0: the machine's clock */
    uint64_t seed;
};

struct sim {
    struct loop *loop;
    struct sim_options options;
    struct sim_store *store;
    struct sim_faults faults;
    struct sim_forms *forms;
    struct sim_helpers *helpers;
    unsigned logon_epoch; /* counts the ends of all sessions */
    struct sim_log *log;
    struct sim_subs *subs;
    struct httpd *http;
    struct httpd *control;
    bool clock_fixed;
    int64_t clock_at;     /* fixed: the time */
    int64_t clock_offset; /* else: added to the machine's */
};

/* Kept with a connection. */
struct sim_connection {
    uint64_t requests;
    struct sim_ntlm *ntlm; /* NULL: no NTLM on it yet */
};

struct sim_request {
    struct sim *sim;
    struct httpd_req *req;
    struct arena *arena;
    const char *method;
    const char *path;
    const char *host; /* what hrefs name */
    const char *scheme;
    struct sim_account *account; /* who logged on; NULL with auth=none */
    enum sim_refusal refusal;    /* why nobody did, if somebody tried */
    struct sim_ntlm *ntlm;       /* of its connection, if that is how one logs on here */
    const char *scheme_name;     /* of its Authorization header */
    const char *login;           /* of its NTLM answer */
    enum sim_path_result found;
    struct sim_node node;
    const char *const *cookies; /* lines of its logon for the answer's header, NULL-terminated; NULL */
    struct loop_timer *delay;
};

/* NULL with a sentence in why. */
struct sim *sim_new(struct loop *loop, const struct sim_options *options, char *why, size_t why_size);
void sim_free(struct sim **sim);

int64_t sim_now(const struct sim *sim);

/* Reads the data file again, forgets sessions, faults and counters; the clock stays. */
bool sim_reset(struct sim *sim, char *why, size_t why_size);

/* sim_http.c: the httpd's handler. */
void sim_http_request(void *arg, struct httpd_req *req);
void sim_request_free(struct sim_request *r);
void sim_http_go_on(struct sim_request *r); /* after the logon */

/* The methods. Each answers the request. */
void sim_propfind(struct sim_request *r);
void sim_search(struct sim_request *r);
void sim_get_item(struct sim_request *r);
bool sim_subscribe(struct sim_request *r); /* SUBSCRIBE, UNSUBSCRIBE, POLL; false: none of these, not answered */
void sim_freebusy(struct sim_request *r);
void sim_owa_root(struct sim_request *r); /* GET /exchange/ */
void sim_owa_page(struct sim_request *r); /* GET of a mailbox or folder without Translate: f */
void sim_owa_2007(struct sim_request *r); /* below /owa/ */

/* sim_control.c */
void sim_control_request(void *arg, struct httpd_req *req);

/* sim_logon.c. True: let in, r->account is set (NULL with auth=none). False: it has been answered, or sim_http_go_on()
 * will be called, or the answer comes later. */
bool sim_logon(struct sim_request *r);

/* Counts the attempt, also towards the lock-out. a NULL: nobody of that name. Sets and returns r->refusal. */
enum sim_refusal sim_logon_judge(struct sim_request *r, const char *login, struct sim_account *a, bool password_ok);
void sim_logon_challenge(struct sim_request *r);                             /* 401 with what is offered */
void sim_logon_refuse(struct sim_request *r);                                /* the same to somebody who tried */
bool sim_logon_may_open(struct sim_request *r, const struct sim_mailbox *m); /* false: answered */
bool sim_logon_deny(struct sim_request *r,
                    const char *how); /* false: not answered, `how` does not concern this place */

/* sim_basic.c: whom the Authorization header names, if the password is right; else NULL. */
struct sim_account *sim_basic_account(struct sim_request *r);

/* sim_ntlm.c: as sim_logon(). */
bool sim_ntlm_logon(struct sim_request *r);
void sim_ntlm_free(struct sim_ntlm **ntlm);

/* sim_forms.c */
struct sim_forms *sim_forms_new(void);
void sim_forms_free(struct sim_forms **f);
void sim_forms_expire(struct sim_forms *f);  /* all sessions end now */
bool sim_forms_serve(struct sim_request *r); /* the form and its target; false: not one of those paths */
struct sim_account *sim_forms_account(struct sim_request *r); /* by the cookies; NULL: no session */
bool sim_forms_has_session(struct sim_request *r);            /* only looks */
void sim_forms_challenge(struct sim_request *r);              /* 440, or for a GET the way to the form */
void sim_forms_timeout(struct sim_request *r);                /* 440 */
void sim_forms_to_form(struct sim_request *r);                /* 302 to the form */

/* sim_owa.c: a query parameter without case of its name, decoded; NULL. */
const char *sim_query(struct sim_request *r, const char *name, unsigned n);

#endif
